/*
 * /oidc/logout (OpenID Connect RP-Initiated Logout 1.0). With an ID token of ours that names a session of this client
 * the session ends at once; without one the person is asked. Back: only to a registered address.
 */
#include "idp/oidc/oidc-internal.h"

#include "base/core/enc.h"
#include "base/core/log.h"

static const char *
back_url(struct http_request *req, const struct service *sv)
{
    const char *uri = oidc_param(req, "post_logout_redirect_uri"), *state = oidc_param(req, "state");
    AUTO(buf_free) struct buf url = BUF_BOUNDED(8192);

    if (uri == NULL || sv == NULL || !oidc_client_post_logout_known(oidc_client_of(sv), uri))
        return NULL;
    buf_adds(&url, uri);
    if (state != NULL) {
        buf_addf(&url, "%cstate=", strchr(uri, '?') == NULL ? '?' : '&');
        url_encode(&url, str_of(state));
    }
    return buf_ok(&url) ? arena_strdup(http_arena(req), buf_cstr(&url)) : NULL;
}

/* The browser's own cookie goes only when the session it names has ended: the hint may be of another browser. */
static void
cookie_forget(struct http_request *req)
{
    struct why why = WHY_INIT;

    if (session_load(req, &why) == ERR_DENIED)
        http_cookie_clear(req, SESSION_COOKIE);
}

void
end_session(struct http_request *req)
{
    const struct idp *idp = http_app(req);
    const char *compact = oidc_param(req, "id_token_hint"), *client_id = oidc_param(req, "client_id"), *back;
    const struct services_view *view = services_hold(idp->services);
    const struct service *sv = NULL;
    struct session_participant *told = NULL;
    struct why why = WHY_INIT;
    struct oidc_hint hint;
    size_t n = 0;
    enum err e;

    if (compact != NULL && oidc_hint_read(req, compact, &hint) && (client_id == NULL || strcmp(client_id, hint.client_id) == 0))
        sv = services_find(view, SERVICE_OIDC, hint.client_id);
    if (sv == NULL) {
        services_release(view);
        http_reply_redirect(req, arena_printf(http_arena(req), "%s/logout", http_base_url(req)));
        return;
    }
    e = session_end_by_index(req, sv->id, hint.sub, hint.sid, &told, &n, &why);
    if (e != OK && e != ERR_NOT_FOUND) {
        LOG_ERROR_EV("oidc.logout", LF_ERR(e), LF_WHY(&why));
        idp_reply_error(req, http_status_of(e), "error.unavailable", NULL);
    } else {
        cookie_forget(req);
        back = back_url(req, sv);
        if (back != NULL)
            http_reply_found(req, back);
        else
            signon_logout_page(req, told, n);
    }
    services_release(view);
}
