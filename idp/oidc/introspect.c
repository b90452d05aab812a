/*
 * /oidc/introspect (RFC 7662): is this access token good now? For clients with a secret, about their own tokens only:
 * another's, an expired, a revoked and an invented one look the same. The account is looked at too: once it is blocked
 * its tokens are inactive (P-056).
 */
#include "idp/oidc/oidc-internal.h"

#include <jansson.h>
#include <stdlib.h>

static void
active(struct http_request *req, const struct service *sv, const struct oidc_token_state *t)
{
    const struct idp *idp = http_app(req);
    AUTO(json_decrefp) json_t *root = json_pack(
        "{s:b, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I}", "active", 1, "scope", t->scope, "client_id", sv->name, "token_type",
        "Bearer", "sub", t->sub, "iss", idp->conf.issuer, "aud", sv->name, "iat",
        (json_int_t)(t->issued_at / USEC_PER_SEC), "exp", (json_int_t)(t->expires_at / USEC_PER_SEC));
    char *text;

    CHECK(root != NULL && (text = json_dumps(root, JSON_COMPACT)) != NULL);
    http_reply_json(req, 200, text);
    free(text);
}

static void
look(struct http_request *req, const struct service *sv, const char *token)
{
    struct oidc_token_state t;
    struct why why = WHY_INIT;
    enum err e;

    e = oidc_store_token_state(http_pg(req), token, sv->id, http_now(req), http_arena(req), &t, &why);
    if (e == OK)
        active(req, sv, &t);
    else if (e == ERR_NOT_FOUND)
        http_reply_json(req, 200, "{\"active\":false}");
    else
        oidc_unavailable(req, e, &why);
}

void
post_introspect(struct http_request *req)
{
    const struct idp *idp = http_app(req);
    const struct services_view *view = services_hold(idp->services);
    const struct service *sv = oidc_client_authenticate(req, view);
    const char *token = http_form(req, "token");

    if (sv == NULL || oidc_client_of(sv)->auth == CLIENT_PUBLIC)      /* §2.1: to prevent scanning */
        oidc_refuse_client(req);
    else if (token == NULL)
        oidc_refuse(req, 400, E_INVALID_REQUEST, "token is missing");
    else
        look(req, sv, token);
    services_release(view);
}
