/*
 * /oidc/logout (OpenID Connect RP-Initiated Logout 1.0). With an ID token of ours that names a session of this client
 * the session ends at once; without one the person is asked. Back: only to a registered address.
 */
#include "idp/oidc/oidc-internal.h"

#include <jansson.h>

#include "base/core/enc.h"
#include "base/core/log.h"

struct hint {
    const char *client_id, *sub, *sid;
};

/* Signature by a key of ours; an expired token is good enough here (§2: "SHOULD accept"). */
static bool
hint_read(struct http_request *req, const char *compact, struct hint *ret)
{
    const struct idp *idp = http_app(req);
    AUTO(jws_done) struct jws jws = { .kid = "" };
    AUTO(json_decrefp) json_t *claims = NULL;
    struct arena *a = http_arena(req);
    struct why why = WHY_INIT;
    const char *iss, *aud, *sub, *sid;
    const struct key *key;

    if (jws_parse(str_of(compact), &jws, &why) != OK)
        return false;
    key = jws.alg == SIG_RS256 ? idp->oidc_rsa : jws.alg == SIG_ES256 ? idp->oidc_ec : NULL;
    if (key == NULL || jws_verify(&jws, key, jws.alg, &why) != OK)
        return false;
    claims = json_loadb(jws.payload.data, jws.payload.len, JSON_REJECT_DUPLICATES, NULL);
    iss = json_string_value(json_object_get(claims, "iss"));
    aud = json_string_value(json_object_get(claims, "aud"));
    sub = json_string_value(json_object_get(claims, "sub"));
    sid = json_string_value(json_object_get(claims, "sid"));
    if (iss == NULL || aud == NULL || sub == NULL || sid == NULL || strcmp(iss, idp->conf.issuer) != 0)
        return false;
    *ret = (struct hint){ arena_strdup(a, aud), arena_strdup(a, sub), arena_strdup(a, sid) };
    return true;
}

static const char *
back_url(struct http_request *req, const struct service *sv)
{
    const char *uri = http_param(req, "post_logout_redirect_uri"), *state = http_param(req, "state");
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
    const char *compact = http_param(req, "id_token_hint"), *client_id = http_param(req, "client_id"), *back;
    const struct services_view *view = services_hold(idp->services);
    const struct service *sv = NULL;
    struct session_participant *told = NULL;
    struct why why = WHY_INIT;
    struct hint hint;
    size_t n = 0;
    enum err e;

    if (compact != NULL && hint_read(req, compact, &hint) && (client_id == NULL || strcmp(client_id, hint.client_id) == 0))
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
