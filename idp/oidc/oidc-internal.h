/* oidc-internal: what the files of this room share. */
#ifndef IDP_OIDC_OIDC_INTERNAL_H
#define IDP_OIDC_OIDC_INTERNAL_H

#include "base/crypto/jose.h"
#include "idp/idp.h"
#include "idp/oidc/oidc.h"
#include "idp/oidc/proto.h"
#include "idp/signon/level.h"

enum client_auth { CLIENT_SECRET_BASIC, CLIENT_SECRET_POST, CLIENT_PUBLIC };

struct oidc_client {
    char **redirect_uris; size_t nredirect;
    char **post_logout_uris; size_t npost_logout;
    char *backchannel_logout_uri;        /* NULL: none */
    enum client_auth auth;
    unsigned char secret_mac[MAC_LEN];
    int secret_version;
    enum sig_alg id_token_alg;           /* SIG_RS256 or SIG_ES256 */
    bool require_pkce;
    bool iss_parameter;                  /* RFC 9207; off for clients that choke on it */
};
static inline const struct oidc_client *
oidc_client_of(const struct service *sv)
{
    return sv->dialect;
}
bool oidc_client_redirect_known(const struct oidc_client *c, const char *uri);
bool oidc_client_post_logout_known(const struct oidc_client *c, const char *uri);
/* The secret as it is compared: under this version of the pepper. */
MUST_USE enum err oidc_secret_mac(const struct idp *idp, int version, const char *client_id, const char *secret,
                                  unsigned char ret[MAC_LEN]);

/* A parameter of the query or form; one without a value is treated as left out (RFC 6749 §3.1, §3.2). */
static inline const char *
oidc_param(const struct http_request *req, const char *name)
{
    const char *value = http_param(req, name);

    return value == NULL || value[0] == '\0' ? NULL : value;
}

/* --- id_token_hint.c --------------------------------------------------------------------------------------------- */
struct oidc_hint {
    const char *client_id, *sub, *sid;
};
/* An ID token of ours that comes back, in the arena; an expired one is good enough. false: not one of ours. */
bool oidc_hint_read(struct http_request *req, const char *compact, struct oidc_hint *ret);

/* --- oidc_store.c ------------------------------------------------------------------------------------------------ */
struct oidc_redeemed {
    char account_id[37];
    const char *sub, *session_index, *extra;
    unsigned method;
    utime auth_time;
    struct str *authz;
    size_t nauthz;
    bool session;                        /* it lives: the access token is good */
};
#define OIDC_TOKEN_SIZE 96               /* of the text of an access token, with its NUL */
/* A new access token for the code of this digest; a secret. */
void oidc_token_make(const unsigned char code_digest[32], char ret[OIDC_TOKEN_SIZE]);
/* One statement: code used once, access token recorded. ERR_NOT_FOUND: unknown, too old or used before. */
MUST_USE enum err oidc_store_redeem(struct pg *pg, int32_t service_id, const unsigned char code_digest[32],
                                    const unsigned char token_digest[32], utime now, utime issued_after,
                                    utime token_until, struct arena *a, struct oidc_redeemed *ret, struct why *why);
/* The code came twice, or with a wrong proof: whatever it gave is dead. *ret_n: tokens ended. */
MUST_USE enum err oidc_store_revoke_code(struct pg *pg, int32_t service_id, const unsigned char code_digest[32],
                                         int64_t *ret_n, struct why *why);
struct oidc_token_row {
    int32_t service_id;
    char account_id[37];
    const char *sub, *town;
    const char *extra;                   /* of the authorization request, see authorize.c: holds the scope */
    struct str *authz;                   /* as they are at now */
    size_t nauthz;
};
/* ERR_DENIED: never was, expired, revoked, or its session has ended. */
MUST_USE enum err oidc_store_token(struct pg *pg, const char *token, utime now, struct arena *a,
                                   struct oidc_token_row *ret, struct why *why);

struct oidc_token_state {
    const char *sub, *scope;
    utime issued_at, expires_at;
};
/* Of this client's own. ERR_NOT_FOUND: unknown, another's, expired, revoked, or its session has ended (that of an account
 * which is no longer active has). */
MUST_USE enum err oidc_store_token_state(struct pg *pg, const char *token, int32_t service_id, utime now, struct arena *a,
                                         struct oidc_token_state *ret, struct why *why);
/* *ret_n: 1, or 0 when there was no such live token of this client. */
MUST_USE enum err oidc_store_token_revoke(struct pg *pg, const char *token, int32_t service_id, int64_t *ret_n,
                                          struct why *why);

/* --- client_auth.c ------------------------------------------------------------------------------------------------- */
/* The client that proved who it is, in the view; NULL: unknown, suspended or not proved. */
const struct service *oidc_client_authenticate(struct http_request *req, const struct services_view *view);
/* JSON as RFC 6749 §5.2; 401 with the challenge. */
void oidc_refuse(struct http_request *req, int status, const char *error, const char *description);
void oidc_refuse_client(struct http_request *req);
void oidc_unavailable(struct http_request *req, enum err e, const struct why *why);

/* --- claims.c ------------------------------------------------------------------------------------------------------ */
/* What a client knows by name, so that acr may say it: ACR_MFA, and levels of assurance in these words. */
struct acr_asked {
    bool mfa, level;
    enum level_words words;
};
/* acr_values: NULL: none. */
void oidc_acr_asked(const char *acr_values, struct acr_asked *ret);
/* For the methods of a session. */
const char *oidc_acr(unsigned methods, const struct levels *levels, const struct acr_asked *asked);
/* Methods for a list of acr values, a level being that or more; 0 when none of them is known. */
unsigned oidc_acr_methods(const char *acr_values, const struct levels *levels);
bool oidc_scope_has(const char *scope, const char *word);
/* Of the scope asked for, the words that mean something here and that the service may see, in the arena. */
const char *oidc_scope_granted(const char *scope, const struct service *sv, struct arena *a);
/* What the person agreed to that this client receives, where its policy asks; NULL: its policy does not ask. */
MUST_USE enum err oidc_agreed(struct http_request *req, const struct service *sv, const char *account_id,
                              const char **ret, struct why *why);
/* Signs with the client's algorithm. */
MUST_USE enum err oidc_jwt(const struct idp *idp, const struct oidc_client *c, const char *typ, const char *claims_json,
                           struct buf *out, struct why *why);

/* --- endpoints --------------------------------------------------------------------------------------------------------- */
void get_openid_configuration(struct http_request *req);
void get_jwks(struct http_request *req);
void authorize(struct http_request *req);
void authorize_resume(struct http_request *req, const char *flow_id, utime flow_started, struct str state);
void authorize_cancel(struct http_request *req, const char *flow_id, struct str state, bool refused);
void post_token(struct http_request *req);
void post_introspect(struct http_request *req);
void post_revoke(struct http_request *req);
void userinfo(struct http_request *req);
/* A browser asks whether a page of another origin may call an endpoint that takes no cookie. */
void options_cors(struct http_request *req);
/* Lets pages of all origins read the answer: for endpoints whose authority is in the request itself. */
void oidc_cors(struct http_request *req);
void end_session(struct http_request *req);
MUST_USE enum err oidc_logout_notice(struct idp *idp, struct pg *pg, struct str job_payload, struct why *why);

#endif
