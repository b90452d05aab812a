/* backchannel: OpenID Connect Back-Channel Logout 1.0, from a job of the worker. */
#include "idp/oidc/oidc-internal.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/core/enc.h"
#include "base/core/log.h"
#include "base/core/rand.h"
#include "base/http/client.h"

#define TOKEN_LIFE (2 * USEC_PER_MIN)

static enum err
logout_token(const struct idp *idp, const struct service *sv, struct str sub, struct str sid, struct buf *out,
             struct why *why)
{
    AUTO(json_decrefp) json_t *claims = NULL;
    char jti[32], *text;
    utime now = clock_now();
    enum err e;

    rand_token(16, jti, sizeof(jti));
    claims = json_pack("{s:s, s:s, s:s%, s:s%, s:I, s:I, s:s, s:{s:{}}}", "iss", idp->conf.issuer, "aud", sv->name,
                       "sub", sub.p, sub.n, "sid", sid.p, sid.n, "iat", (json_int_t)(now / USEC_PER_SEC), "exp",
                       (json_int_t)((now + TOKEN_LIFE) / USEC_PER_SEC), "jti", jti, "events",
                       "http://schemas.openid.net/event/backchannel-logout");
    CHECK(claims != NULL && (text = json_dumps(claims, JSON_COMPACT)) != NULL);
    e = oidc_jwt(idp, oidc_client_of(sv), "logout+jwt", text, out, why);
    free(text);
    return e;
}

static enum err
notify(struct idp *idp, const struct service *sv, struct str sub, struct str sid, struct why *why)
{
    static const char *const headers[] = { "Content-Type: application/x-www-form-urlencoded", NULL };
    struct http_client_config conf = {
        .ca_file = idp->conf.outgoing_ca[0] == '\0' ? NULL : idp->conf.outgoing_ca,
        .allow_private = idp->conf.outgoing_private, .connect_timeout = 5 * USEC_PER_SEC,
        .timeout = 10 * USEC_PER_SEC, .answer_max = 65536,
    };
    AUTO(http_client_freep) struct http_client *client = NULL;
    AUTO(buf_free) struct buf body = BUF_BOUNDED(32768);
    AUTO(http_answer_done) struct http_answer got = { .status = 0 };
    enum err e;

    buf_add_lit(&body, "logout_token=");
    if ((e = logout_token(idp, sv, sub, sid, &body, why)) != OK || (e = http_client_new(&conf, &client, why)) != OK)
        return e;
    e = http_call(client, "POST", oidc_client_of(sv)->backchannel_logout_uri, headers, buf_view(&body), &got, why);
    if (e != OK)
        return e == ERR_DENIED ? e : ERR_UNAVAILABLE;
    LOG_INFO_EV("oidc.backchannel", LF_STR("client", sv->name), LF_INT("status", got.status));
    if (got.status == 200 || got.status == 204 || got.status == 400)     /* 400: it knows no such session any more */
        return OK;
    return why_set(why, ERR_UNAVAILABLE, "%s answered %d", sv->name, got.status);
}

enum err
oidc_logout_notice(struct idp *idp, struct pg *pg, struct str job_payload, struct why *why)
{
    const struct services_view *view = services_hold(idp->services);
    struct str sub, sid, id = str_split(job_payload, ' ', &sub);
    const struct service *sv = NULL;
    int64_t number;
    enum err e = OK;

    (void)pg;
    sub = str_split(sub, ' ', &sid);
    if (sid.p != NULL && str_to_i64(id, 1, INT32_MAX, &number) == OK)
        sv = services_by_id(view, (int32_t)number);
    if (sv != NULL && sv->kind == SERVICE_OIDC && oidc_client_of(sv)->backchannel_logout_uri != NULL)
        e = notify(idp, sv, sub, sid, why);
    services_release(view);
    return e;
}
