/*
 * /oidc/token (RFC 6749 §4.1.3, RFC 7636 §4.6, OpenID Connect Core §3.1.3). One statement uses the code up and records
 * the access token; a code that comes twice, or with a wrong proof, takes what it gave along (RFC 6749 §4.1.2).
 */
#include "idp/oidc/oidc-internal.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/core/enc.h"
#include "base/core/log.h"
#include "base/core/rand.h"
#include "base/core/secret.h"
#include "base/crypto/digest.h"
#include "idp/services/consent.h"

#define ID_TOKEN_LIFE (5 * USEC_PER_MIN)

/* --- the code ------------------------------------------------------------------------------------------------------------------ */

static bool
verifier_fits(const char *verifier, const char *challenge)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(64);
    unsigned char digest[SHA256_LEN];
    size_t n = strlen(verifier);

    if (n < 43 || n > 128)
        return false;
    sha256(str_of(verifier), digest);
    base64url_encode(&text, digest, sizeof(digest));
    return mem_equal_ct(text.data, text.len, challenge, strlen(challenge));
}

/* redirect_uri and PKCE against what the authorization request said. */
static const char *
proof_problem(struct http_request *req, const json_t *extra)
{
    const char *challenge = json_string_value(json_object_get(extra, "code_challenge"));
    const char *uri = json_string_value(json_object_get(extra, "redirect_uri"));
    const char *verifier = oidc_param(req, "code_verifier"), *given = oidc_param(req, "redirect_uri");

    if (given == NULL || uri == NULL || strcmp(given, uri) != 0)
        return "redirect_uri is not the one of the request";
    if (challenge == NULL)
        return verifier == NULL ? NULL : "code_verifier without code_challenge";
    if (verifier == NULL || !verifier_fits(verifier, challenge))
        return "code_verifier does not fit";
    return NULL;
}

/* --- what is given ------------------------------------------------------------------------------------------------------------- */

static json_t *
released(const struct service *sv, const char *scope, const struct str *authz, size_t n, const char *agreed,
         struct arena *a)
{
    struct str *kept = arena_alloc(a, (n + 1) * sizeof(*kept));
    size_t nkept = service_release_authz(sv, authz, n, kept);
    json_t *list = json_array();

    if (!oidc_scope_has(scope, SCOPE_AUTHZ) || (!sv->release.authz_all && sv->release.nauthz == 0)) {
        json_decref(list);
        return NULL;
    }
    if (agreed != NULL)
        nkept = consent_filter(agreed, kept, nkept);
    for (size_t i = 0; i < nkept; i++)
        json_array_append_new(list, json_stringn(kept[i].p, kept[i].n));
    return list;
}

/* RFC 8176 §2. "mfa" stands beside the methods that make it up. */
static json_t *
amr(unsigned methods)
{
    static const struct {
        unsigned methods;
        const char *word;
    } words[] = {
        { METHOD_PASSWORD, "pwd" }, { METHOD_OTP, "otp" },   { METHOD_PASSKEY, "hwk" },
        { METHOD_SOFT_CERT, "swk" }, { METHOD_CARD, "sc" }, { METHOD_SECOND, "mfa" },
    };
    json_t *list = json_array();

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if ((methods & words[i].methods) != 0)
            json_array_append_new(list, json_string(words[i].word));
    return list;
}

static json_t *
id_token_claims(struct http_request *req, const struct service *sv, const struct oidc_redeemed *r, const json_t *extra,
                const char *agreed, const char *access_token)
{
    const struct idp *idp = http_app(req);
    AUTO(buf_free) struct buf at_hash = BUF_BOUNDED(64);
    const char *nonce = json_string_value(json_object_get(extra, "nonce"));
    const char *scope = json_string_value(json_object_get(extra, "scope"));
    unsigned char digest[SHA256_LEN];
    struct acr_asked asked;
    struct levels levels;
    json_t *claims, *authz;
    utime now = http_now(req);

    levels_read(&idp->conf, &levels);
    oidc_acr_asked(json_string_value(json_object_get(extra, "acr_values")), &asked);

    sha256(str_of(access_token), digest);
    base64url_encode(&at_hash, digest, SHA256_LEN / 2);
    claims = json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:s*, s:s, s:o, s:s, s:s}", "iss", idp->conf.issuer, "sub",
                       r->sub, "aud", sv->name, "exp", (json_int_t)((now + ID_TOKEN_LIFE) / USEC_PER_SEC), "iat",
                       (json_int_t)(now / USEC_PER_SEC), "auth_time", (json_int_t)(r->auth_time / USEC_PER_SEC),
                       "nonce", nonce, "acr", oidc_acr(r->method, &levels, &asked),
                       "amr", amr(r->method),
                       "at_hash", buf_cstr(&at_hash), "sid", r->session_index);
    authz = released(sv, scope, r->authz, r->nauthz, agreed, http_arena(req));
    if (authz != NULL)
        json_object_set_new(claims, "authorisations", authz);
    return claims;
}

static void
give(struct http_request *req, const struct service *sv, const struct oidc_redeemed *r, const json_t *extra,
     const char *agreed, const char *access_token)
{
    const struct idp *idp = http_app(req);
    AUTO(buf_free) struct buf id_token = BUF_BOUNDED(32768);
    AUTO(json_decrefp) json_t *claims = id_token_claims(req, sv, r, extra, agreed, access_token);
    AUTO(json_decrefp) json_t *answer = NULL;
    struct why why = WHY_INIT;
    char *text;
    enum err e;

    CHECK(claims != NULL && (text = json_dumps(claims, JSON_COMPACT)) != NULL);
    e = oidc_jwt(idp, oidc_client_of(sv), "JWT", text, &id_token, &why);
    free(text);
    if (e != OK) {
        LOG_ERROR_EV("oidc.sign", LF_ERR(e), LF_WHY(&why));
        oidc_refuse(req, 500, E_SERVER_ERROR, "the token could not be signed");
        return;
    }
    answer = json_pack("{s:s, s:s, s:I, s:s, s:s}", "access_token", access_token, "token_type", "Bearer", "expires_in",
                       (json_int_t)(idp->conf.token_life / USEC_PER_SEC), "id_token", buf_cstr(&id_token), "scope",
                       json_string_value(json_object_get(extra, "scope")));
    CHECK(answer != NULL && (text = json_dumps(answer, JSON_COMPACT)) != NULL);
    http_header_add(req, "Pragma", "no-cache");
    http_reply_json(req, 200, text);
    mem_wipe(text, strlen(text));
    free(text);
}

static void
code_dead(struct http_request *req, const struct service *sv, const unsigned char digest[SHA256_LEN],
          const char *description)
{
    struct why why = WHY_INIT;
    int64_t ended;
    enum err e = oidc_store_revoke_code(http_pg(req), sv->id, digest, &ended, &why);

    if (e != OK) {
        oidc_unavailable(req, e, &why);
        return;
    }
    if (ended > 0)
        LOG_WARN_EV("oidc.code_twice", LF_STR("client", sv->name), LF_INT("tokens_ended", ended));
    oidc_refuse(req, 400, E_INVALID_GRANT, description);
}

static void
exchange(struct http_request *req, const struct service *sv, const char *code)
{
    const struct idp *idp = http_app(req);
    unsigned char digest[SHA256_LEN], token[SHA256_LEN];
    AUTO(json_decrefp) json_t *extra = NULL;
    char access_token[OIDC_TOKEN_SIZE];
    struct oidc_redeemed r;
    struct why why = WHY_INIT;
    const char *problem, *agreed;
    utime now = http_now(req);
    enum err e;

    token_digest(code, digest);
    oidc_token_make(digest, access_token);
    token_digest(access_token, token);
    e = oidc_store_redeem(http_pg(req), sv->id, digest, token, now, now - idp->conf.code_life,
                          now + idp->conf.token_life, http_arena(req), &r, &why);
    if (e == ERR_NOT_FOUND) {
        code_dead(req, sv, digest, "the code is unknown, too old or was used");
        return;
    }
    if (e != OK) {
        oidc_unavailable(req, e, &why);
        return;
    }
    extra = json_loads(r.extra, 0, NULL);
    if ((problem = proof_problem(req, extra)) != NULL)
        code_dead(req, sv, digest, problem);
    else if (!r.session)
        code_dead(req, sv, digest, "the session has ended");
    else if ((e = oidc_agreed(req, sv, r.account_id, &agreed, &why)) != OK)
        oidc_unavailable(req, e, &why);
    else
        give(req, sv, &r, extra, agreed, access_token);
}

void
post_token(struct http_request *req)
{
    const struct idp *idp = http_app(req);
    const struct services_view *view = services_hold(idp->services);
    const char *grant = oidc_param(req, "grant_type"), *code = oidc_param(req, "code");
    const struct service *sv = oidc_client_authenticate(req, view);

    oidc_cors(req);
    if (sv == NULL)
        oidc_refuse_client(req);
    else if (grant == NULL)
        oidc_refuse(req, 400, E_INVALID_REQUEST, "grant_type is missing");
    else if (strcmp(grant, "authorization_code") != 0)
        oidc_refuse(req, 400, E_UNSUPPORTED_GRANT, "only authorization_code");
    else if (code == NULL)
        oidc_refuse(req, 400, E_INVALID_REQUEST, "code is missing");
    else
        exchange(req, sv, code);
    services_release(view);
}
