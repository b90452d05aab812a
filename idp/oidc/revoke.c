/*
 * /oidc/revoke (RFC 7009): the client gives an access token back. Its own only; any other, and one that is dead already,
 * is answered alike (§2.2). token_type_hint says nothing new: there is one kind.
 */
#include "idp/oidc/oidc-internal.h"

#include "base/core/log.h"

static void
revoke(struct http_request *req, const struct service *sv, const char *token)
{
    struct why why = WHY_INIT;
    int64_t ended;
    enum err e;

    if ((e = oidc_store_token_revoke(http_pg(req), token, sv->id, &ended, &why)) != OK) {
        oidc_unavailable(req, e, &why);
        return;
    }
    LOG_INFO_EV("oidc.revoke", LF_STR("client", sv->name), LF_INT("ended", ended));
    http_reply_empty(req, 200);
}

void
post_revoke(struct http_request *req)
{
    const struct idp *idp = http_app(req);
    const struct services_view *view = services_hold(idp->services);
    const struct service *sv = oidc_client_authenticate(req, view);
    const char *token = http_form(req, "token");

    if (sv == NULL)
        oidc_refuse_client(req);
    else if (token == NULL)
        oidc_refuse(req, 400, E_INVALID_REQUEST, "token is missing");
    else
        revoke(req, sv, token);
    services_release(view);
}
