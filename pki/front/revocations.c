/*
 * revocations: POST /revocations, with Idempotency-Key (pki/authority/revocation.h). The same call again is answered alike. A
 * station reaches certificates of its profiles and towns, whoever registered them: who blocks an account need not have issued
 * the card. What it does not reach does not exist for it.
 */
#include "pki/front/front-internal.h"

static json_t *
result_json(const struct revocation_result *r)
{
    json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:b}", "request", r->request, "ca", r->ca_label, "outcome", r->outcome,
                               "state", r->state, "refused", revocation_is_refusal(r->outcome));

    json_octets(object, "serial", r->serial);
    json_time(object, "due_at", r->due_at);
    return object;
}

static bool
is_key(const char *key)
{
    const size_t n = key == NULL ? 0 : strspn(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");

    return n >= 16 && n <= REVOCATION_KEY_MAX && key[n] == '\0';
}

/* Its rights as they stand in its row; those over each certificate are asked below the lock. */
static enum err
may_revoke(const struct call *c, const struct revocation *act, struct why *why)
{
    if (!c->station.may_revoke || (act->holder != NULL && !station_has_town(&c->station, act->town)))
        return why_code(why, ERR_DENIED, "pki.station", "This station may not suspend, revoke or resume there.");
    return OK;
}

static enum err
act_do(struct call *c, struct revocation *act, struct revocation_result **ret, size_t *ret_n, struct why *why)
{
    enum err e;

    if ((e = revocation_body_read(http_body(c->req), http_arena(c->req), act, why)) != OK || (e = may_revoke(c, act, why)) != OK)
        return e;
    act->station = c->station.id;
    act->key = http_header(c->req, "Idempotency-Key");
    e = revocation_do(http_pg(c->req), &c->front->pki->profiles, act, c->actor, http_now(c->req), http_arena(c->req), ret, ret_n, why);
    if (e == ERR_CONFLICT)
        return why_code(why, e, why->code, "This Idempotency-Key was used for another call.");
    if (e == ERR_DENIED && str_starts(str_of(why->code), "approval."))
        return why_code(why, e, why->code, "A release from hold waits for two persons who approve it; the same call may be made again.");
    return e;
}

void
post_revocations(struct http_request *req)
{
    struct revocation act = { .holder = NULL };
    struct revocation_result *list;
    struct why why = WHY_INIT;
    struct call c;
    json_t *all;
    size_t n;
    enum err e;

    if (!call_open(req, LANE_REVOKE, &c))
        return;
    if (!is_key(http_header(req, "Idempotency-Key")))
        e = why_code(&why, ERR_INPUT, "idempotency.key", "Idempotency-Key: 16 to 128 of A-Z a-z 0-9 _ - is needed.");
    else
        e = act_do(&c, &act, &list, &n, &why);
    /* not of its profiles or towns: as if it were not there, but the trail has it */
    if (e == ERR_DENIED && strcmp(why.code, "revocation.station") == 0) {
        call_refuse_hidden(&c, &why, act.ca != NULL ? "certificate.unknown" : "revocation.none", "revocation.ask");
        return;
    }
    if (e != OK) {
        call_refuse(&c, e, &why, "revocation.ask", "");
        return;
    }
    all = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(all, result_json(&list[i]));
    call_reply_json(&c, 200, json_pack("{s:o}", "results", all));
}
