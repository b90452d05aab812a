/* /.well-known/openid-configuration (OpenID Connect Discovery 1.0 §3) and the key set (RFC 7517). */
#include "idp/oidc/oidc-internal.h"

#include <jansson.h>
#include <stdlib.h>

static json_t *
words(const char *const *list, size_t n)
{
    json_t *out = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(out, json_string(list[i]));
    return out;
}
#define WORDS(...) words((const char *const[]){ __VA_ARGS__ }, sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

static json_t *
acr_words(const struct idp *idp)
{
    const unsigned methods = signon_methods_offered(idp);
    const struct acr_asked asked = { .mfa = false };
    struct levels levels;
    static const enum signon_method order[] = { METHOD_PASSWORD, METHOD_SOFT_CERT, METHOD_CARD };
    json_t *out = json_array();

    levels_read(&idp->conf, &levels);
    for (size_t i = 0; i < ARRAY_LEN(order); i++)
        if ((methods & order[i]) != 0)
            json_array_append_new(out, json_string(oidc_acr(order[i], &levels, &asked)));
    if ((methods & METHOD_MULTI) != 0)
        json_array_append_new(out, json_string(ACR_MFA));
    for (int l = LEVEL_LOW; l <= LEVEL_HIGH; l++)
        for (int w = LEVEL_WORDS_EIDAS; w <= LEVEL_WORDS_FRANCE_CONNECT && (levels.at[l] & methods) != 0; w++)
            json_array_append_new(out, json_string(level_name((enum level)l, (enum level_words)w)));
    return out;
}

static void
public_json(struct http_request *req, json_t *root)
{
    char *text = json_dumps(root, JSON_COMPACT);

    CHECK(text != NULL);
    oidc_cors(req);
    http_reply_json(req, 200, text);
    free(text);
    json_decref(root);
}

void
get_openid_configuration(struct http_request *req)
{
    const struct idp *idp = http_app(req);
    struct arena *a = http_arena(req);
    json_t *root = json_object();
    static const struct {
        const char *name, *path;
    } endpoints[] = {
        { "authorization_endpoint", OIDC_PATH_AUTHORIZE }, { "token_endpoint", OIDC_PATH_TOKEN },
        { "userinfo_endpoint", OIDC_PATH_USERINFO },       { "jwks_uri", OIDC_PATH_JWKS },
        { "introspection_endpoint", OIDC_PATH_INTROSPECT }, { "revocation_endpoint", OIDC_PATH_REVOKE },
        { "end_session_endpoint", OIDC_PATH_LOGOUT },
    };

    json_object_set_new(root, "issuer", json_string(idp->conf.issuer));
    for (size_t i = 0; i < ARRAY_LEN(endpoints); i++)
        json_object_set_new(root, endpoints[i].name,
                            json_string(arena_printf(a, "%s%s", idp->conf.base_url, endpoints[i].path)));
    json_object_set_new(root, "scopes_supported", WORDS(SCOPE_OPENID, SCOPE_AUTHZ, SCOPE_TOWN));
    json_object_set_new(root, "response_types_supported", WORDS("code"));
    json_object_set_new(root, "response_modes_supported", WORDS("query"));
    json_object_set_new(root, "grant_types_supported", WORDS("authorization_code"));
    json_object_set_new(root, "subject_types_supported", WORDS("pairwise"));
    json_object_set_new(root, "id_token_signing_alg_values_supported", WORDS("RS256", "ES256"));
    json_object_set_new(root, "token_endpoint_auth_methods_supported",
                        WORDS("client_secret_basic", "client_secret_post", "none"));
    json_object_set_new(root, "introspection_endpoint_auth_methods_supported",
                        WORDS("client_secret_basic", "client_secret_post"));
    json_object_set_new(root, "revocation_endpoint_auth_methods_supported",
                        WORDS("client_secret_basic", "client_secret_post", "none"));
    json_object_set_new(root, "code_challenge_methods_supported", WORDS("S256"));
    json_object_set_new(root, "acr_values_supported", acr_words(idp));
    json_object_set_new(root, "claims_supported",
                        WORDS("iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "at_hash",
                              "authorisations", "town"));
    json_object_set_new(root, "prompt_values_supported", WORDS("none", "login", "select_account", "consent"));
    json_object_set_new(root, "ui_locales_supported", WORDS("fr", "en"));
    json_object_set_new(root, "claims_parameter_supported", json_false());
    json_object_set_new(root, "request_parameter_supported", json_false());
    json_object_set_new(root, "request_uri_parameter_supported", json_false());
    json_object_set_new(root, "authorization_response_iss_parameter_supported", json_true());
    json_object_set_new(root, "backchannel_logout_supported", json_true());
    json_object_set_new(root, "backchannel_logout_session_supported", json_true());
    public_json(req, root);
}

static void
key_append(json_t *list, const struct key *key, const char *kid, const char *alg)
{
    AUTO(buf_free) struct buf jwk = BUF_BOUNDED(4096);
    json_t *item;

    key_jwk(key, &jwk);
    CHECK((item = json_loads(buf_cstr(&jwk), 0, NULL)) != NULL);
    json_object_set_new(item, "use", json_string("sig"));
    json_object_set_new(item, "alg", json_string(alg));
    json_object_set_new(item, "kid", json_string(kid));
    json_array_append_new(list, item);
}

void
get_jwks(struct http_request *req)
{
    const struct idp *idp = http_app(req);
    json_t *list = json_array();

    key_append(list, idp->oidc_rsa, idp->oidc_rsa_kid, "RS256");
    key_append(list, idp->oidc_ec, idp->oidc_ec_kid, "ES256");
    public_json(req, json_pack("{s:o}", "keys", list));
}
