/*
 * certificate_door: what the host names that ask for a certificate serve: one step of a sign-in, and the way to the main
 * host. Each answer is a redirect and ends its connection, so that each visit is a handshake in which the key is used.
 * The protocol is in certificate.h.
 */
#include "idp/signon/certificate.h"

#include "base/core/log.h"

/* A person who tries again and again with an expired card fills no list of visits. */
static const struct throttle_rule by_certificate = { "certificate.visit", 10, 1.0 / 600, 1, 3600 };

static const char *
main_url(struct http_request *req, const char *tail)
{
    const struct idp *idp = http_app(req);

    return arena_printf(http_arena(req), "%s%s", idp->conf.base_url, tail);
}

/* Its holder sees on their page that somebody came with it. */
static void
visit_note(struct http_request *req, const struct credential_check *check, int32_t service_id)
{
    const struct idp *idp = http_app(req);
    struct why why = WHY_INIT;
    int64_t wait;
    enum err e;

    if (check->account_id[0] == '\0')
        return;
    e = throttle_take(http_pg(req), idp->pepper, &by_certificate, check->id, http_now(req), &wait, &why);
    if (e == OK && wait == 0)
        e = authn_event_add(http_pg(req), check->account_id, credential_outcome_name(check->outcome),
                            check->use == TRUST_CARD ? METHOD_CARD : METHOD_SOFT_CERT, service_id, http_peer(req),
                            http_now(req), &why);
    if (e != OK)
        LOG_WARN_EV("signon.event", LF_ERR(e), LF_WHY(&why));
}

/* What names a certificate that its holder may link, for a flow that asks for it. One that does not fit is not for it. */
static void
shown_read(struct http_request *req, const struct flow *f, struct str leaf, struct credential_check *check,
           struct credential_shown *ret)
{
    const struct signon_dialect *dialect = signon_dialect_find(http_app(req), f->dialect);
    struct why why = WHY_INIT;
    enum err e;

    if (dialect == NULL || dialect->shown == NULL || check->outcome != CERTIFICATE_UNKNOWN || !check->link_from_session)
        return;
    if ((e = credential_shown_read(leaf, check, http_arena(req), ret, &why)) == OK)
        return;
    LOG_WARN_EV("signon.certificate", LF_ERR(e), LF_WHY(&why));
    check->outcome = CERTIFICATE_UNFIT;
}

/* ERR_UNAVAILABLE: say no, and that it is not the certificate's fault. */
static void
judge(struct http_request *req, const struct flow *f, struct credential_check *ret, struct credential_shown *ret_shown)
{
    const struct idp *idp = http_app(req);
    struct str chain[CERTIFICATE_CHAIN_MAX];
    struct why why = WHY_INIT;
    size_t n;
    enum err e = certificate_chain_get(req, chain, &n, &why);

    *ret = (struct credential_check){ .outcome = CERTIFICATE_UNREADABLE };
    if (e == OK && (e = credential_check(idp->trust, http_pg(req), chain, n, http_now(req), ret, &why)) != OK)
        ret->outcome = CERTIFICATE_STATUS;
    if (e != OK)
        LOG_WARN_EV("signon.certificate", LF_ERR(e), LF_WHY(&why));
    else
        LOG_INFO_EV("signon.certificate", LF_STR("outcome", credential_outcome_name(ret->outcome)),
                    LF_STR("trust", ret->trust), LF_WHY(&why));
    if (e == OK && n > 0)
        shown_read(req, f, chain[0], ret, ret_shown);
}

static bool
is_binder(const char *k)
{
    return k != NULL && strlen(k) == BINDER_LEN &&
           strspn(k, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == BINDER_LEN;
}

static void
get_certificate(struct http_request *req)
{
    const char *token = http_path_param(req, "flow"), *k = http_query(req, "k"), *ticket;
    const char *sign_in = main_url(req, arena_printf(http_arena(req), "/signon/%s", token));
    struct credential_shown shown = { .issuer = STR_NULL };
    struct credential_check check;
    struct certificate_ticket t;
    struct why why = WHY_INIT;
    struct flow f;
    enum err e;

    /* Not from one of our pages, or too late: the sign-in page says so. */
    if (!is_binder(k) || flow_open(http_app(req), token, http_arena(req), &f, &why) != OK ||
        f.expires_at <= http_now(req)) {
        http_reply_redirect(req, sign_in);
        return;
    }
    judge(req, &f, &check, &shown);
    if (check.outcome != CERTIFICATE_GOOD)
        visit_note(req, &check, f.service_id);
    t = (struct certificate_ticket){ .flow_id = f.id, .binder = k, .outcome = check.outcome, .use = check.use,
                                     .card_door = certificate_at_card_door(req),
                                     .certificate_id = check.id, .account_id = check.account_id, .own = check.own,
                                     .linkable = check.link_from_session, .shown = shown, .at = http_now(req) };
    if ((e = certificate_ticket_seal(http_app(req), &t, http_arena(req), &ticket, &why)) != OK) {
        LOG_ERROR_EV("signon.certificate", LF_ERR(e), LF_WHY(&why));
        http_reply_redirect(req, sign_in);
        return;
    }
    http_reply_redirect(req, arena_printf(http_arena(req), "%s/certificate/%s", sign_in, ticket));
}

static void
get_root(struct http_request *req)
{
    http_reply_redirect(req, main_url(req, "/"));
}

static const struct http_route list[] = {
    { HTTP_GET, "/certificate/{flow}", get_certificate, HTTP_BODY_NONE, 0, HTTP_SESSION_NONE, HTTP_CSRF_NONE,
      HTTP_POOL_SLOW, "certificate.judge", false, false },
    { HTTP_GET, "/", get_root, HTTP_BODY_NONE, 0, HTTP_SESSION_NONE, HTTP_CSRF_NONE, HTTP_POOL_EVENT,
      "certificate.root", false, true },
};
const struct http_routes certificate_door_routes = HTTP_ROUTES(list);
