/* /oidc/userinfo (OpenID Connect Core §5.3, RFC 6750). Authorisations are as they are now, not as they were at sign-in. */
#include "idp/oidc/oidc-internal.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/core/log.h"
#include "idp/services/consent.h"

static void
refuse(struct http_request *req, int status, const char *error)
{
    http_header_add(req, "WWW-Authenticate",
                    error == NULL ? "Bearer realm=\"beffroi\""
                                  : arena_printf(http_arena(req), "Bearer realm=\"beffroi\", error=\"%s\"", error));
    http_reply_json(req, status, error == NULL ? "{}" : arena_printf(http_arena(req), "{\"error\":\"%s\"}", error));
}

/* RFC 6750 §2.1 or, in a POST, §2.2; never in the URL. */
static const char *
bearer(struct http_request *req)
{
    const char *header = http_header(req, "Authorization");

    if (header != NULL)
        return strncasecmp(header, "Bearer ", 7) == 0 ? header + 7 : NULL;
    return http_method(req) == HTTP_POST ? http_form(req, "access_token") : NULL;
}

static void
claims_reply(struct http_request *req, const struct service *sv, const struct oidc_token_row *t, const char *agreed)
{
    AUTO(json_decrefp) json_t *claims = json_pack("{s:s}", "sub", t->sub);
    AUTO(json_decrefp) json_t *extra = json_loads(t->extra, 0, NULL);
    const char *scope = json_string_value(json_object_get(extra, "scope"));
    struct str *kept = arena_alloc(http_arena(req), (t->nauthz + 1) * sizeof(*kept));
    size_t n = service_release_authz(sv, t->authz, t->nauthz, kept);
    char *text;

    if (agreed != NULL)
        n = consent_filter(agreed, kept, n);
    if (oidc_scope_has(scope, SCOPE_AUTHZ) && (sv->release.authz_all || sv->release.nauthz > 0)) {
        json_t *list = json_array();

        for (size_t i = 0; i < n; i++)
            json_array_append_new(list, json_stringn(kept[i].p, kept[i].n));
        json_object_set_new(claims, "authorisations", list);
    }
    if (oidc_scope_has(scope, SCOPE_TOWN) && sv->release.town && (agreed == NULL || consent_has(agreed, "town")))
        json_object_set_new(claims, "town", json_string(t->town));
    CHECK((text = json_dumps(claims, JSON_COMPACT)) != NULL);
    http_reply_json(req, 200, text);
    free(text);
}

static void
unavailable(struct http_request *req, enum err e, const struct why *why)
{
    LOG_ERROR_EV("oidc.userinfo", LF_ERR(e), LF_WHY(why));
    http_reply_json(req, 503, "{\"error\":\"" E_UNAVAILABLE "\"}");
}

void
userinfo(struct http_request *req)
{
    const struct idp *idp = http_app(req);
    const struct services_view *view;
    const struct service *sv;
    const char *token = bearer(req), *agreed;
    struct oidc_token_row t;
    struct why why = WHY_INIT;
    enum err e;

    oidc_cors(req);
    if (token == NULL || token[0] == '\0') {
        refuse(req, 401, NULL);
        return;
    }
    e = oidc_store_token(http_pg(req), token, http_now(req), http_arena(req), &t, &why);
    if (e == ERR_DENIED) {
        refuse(req, 401, E_INVALID_TOKEN);
        return;
    }
    if (e != OK) {
        unavailable(req, e, &why);
        return;
    }
    view = services_hold(idp->services);
    sv = services_by_id(view, t.service_id);
    if (sv == NULL || !sv->active)
        refuse(req, 401, E_INVALID_TOKEN);
    else if ((e = oidc_agreed(req, sv, t.account_id, &agreed, &why)) != OK)
        unavailable(req, e, &why);
    else
        claims_reply(req, sv, &t, agreed);
    services_release(view);
}
