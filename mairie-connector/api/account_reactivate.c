/*
 * POST /v1/accounts/{handle}/reactivate: a card that was blocked comes back (P-062…P-066).
 *
 * First what cannot be mended by trying again: the account's type and state, the time since the block, the card. Only when all
 * of that is good are codes compared, so that a try is lost by a wrong code alone. A refusal that took a try is kept under the
 * call's key, as an answer with codes is: a call that is repeated because its answer was lost takes no second one.
 */
#include "mairie-connector/api/door-internal.h"

#include <stdlib.h>

#include "base/core/log.h"
#include "base/core/secret.h"
#include "base/pg/audit.h"
#include "idp/credential/certificate.h"
#include "idp/signon/throttle.h"

#define ROUTE "POST /v1/accounts/{handle}/reactivate"
#define PIN_CLERK_A_DAY 10              /* wrong PINs (DOMAIN 2.4); above that each waits longer */
#define PIN_TOWN_A_DAY 50

struct reactivate_arg {
    struct door *d;
    const struct wire_reactivate *in;
    const char *pin;                    /* folded; NULL: the letter is lost */
    struct account account;
    struct kept_call call;
    struct kept_reply reply;            /* its problem: a refusal that took a try, "CODE TRIES" */
    int64_t wait;                       /* too many wrong PINs today: so long, and nothing was compared */
    bool locked;                        /* by this call */
};

/* Half below the number: what is forgiven while the last of them is typed must not let one more through. */
static struct throttle_rule
pin_rule(const char *name, int a_day)
{
    return (struct throttle_rule){ .name = name, .burst = a_day - 0.5, .leak = (double)a_day / 86400,
                                   .delay_first = 86400.0 / a_day, .delay_max = 86400 };
}

/* Wrong PINs of one clerk, and of all of a town: who tries one PIN on many accounts gets no further (5.3). */
static enum err
pin_buckets(struct pg *pg, struct reactivate_arg *r, bool count, int64_t *ret_wait, struct why *why)
{
    const struct throttle_rule rules[] = { pin_rule("reactivation.town", PIN_TOWN_A_DAY),
                                           pin_rule("reactivation.clerk", PIN_CLERK_A_DAY) };
    struct door *d = r->d;
    const char *keys[] = { d->town.id, arena_printf(http_arena(d->req), "%s %s", d->town.id, d->clerk != NULL ? d->clerk : "") };
    int64_t wait, longest = 0;
    enum err e;

    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        e = count ? throttle_take(pg, d->idp->pepper, &rules[i], keys[i], http_now(d->req), &wait, why)
                  : throttle_waiting(pg, d->idp->pepper, &rules[i], keys[i], http_now(d->req), &wait, why);
        if (e != OK)
            return e;
        longest = wait > longest ? wait : longest;
    }
    *ret_wait = longest;
    return OK;
}

/* The try is counted, whatever becomes of the answer: this transaction is committed. */
static enum err
refuse_kept(struct pg *pg, struct reactivate_arg *r, const struct reactivation_try *t, struct why *why)
{
    struct door *d = r->d;
    struct arena *a = http_arena(d->req);
    int64_t ignored;
    enum err e;

    r->locked = t->locked;
    r->reply = (struct kept_reply){ .status = 403, .problem = arena_printf(a, "%s %d", t->code, t->left) };
    memcpy(r->reply.account_id, r->account.id, sizeof(r->reply.account_id));
    if ((e = audit_add(pg, &(struct audit_entry){ .at = http_now(d->req), .actor = d->who.actor, .role = d->who.role,
                                                  .verb = "account.reactivate", .object = arena_printf(a, "account:%s", r->account.id),
                                                  .result = t->code, .detail = "{}" }, why)) != OK)
        return e;
    if (!t->counted)
        return OK;
    if (t->pin && (e = pin_buckets(pg, r, true, &ignored, why)) != OK)
        return e;
    return kept_reply_add(pg, &r->call, &r->reply, http_now(d->req), why);
}

static enum err
comes_back(struct pg *pg, struct reactivate_arg *r, const struct credential_card *card, struct why *why)
{
    AUTO(account_codes_done) struct account_codes codes = { .creation_expires = UTIME_NULL };
    AUTO(buf_free) struct buf sealed = BUF_BOUNDED(16384);
    struct door *d = r->d;
    utime now = http_now(d->req);
    const char *more = door_circumstances(d, r->in->override, r->in->pin_lost, r->in->record);
    enum err e;

    if ((e = account_reactivate(pg, d->idp->pepper, &r->account, more, &d->who, now, &codes, why)) != OK ||
        (e = credential_card_take(pg, r->account.id, card->id, now, why)) != OK ||
        (e = door_seal(d, r->call.key, &codes, NULL, &sealed, why)) != OK)
        return e;
    r->reply = (struct kept_reply){ .status = 200, .sealed = arena_strdup(http_arena(d->req), buf_cstr(&sealed)), .problem = "" };
    memcpy(r->reply.account_id, r->account.id, sizeof(r->reply.account_id));
    return kept_reply_add(pg, &r->call, &r->reply, now, why);
}

static enum err
reactivate_new(struct pg *pg, struct reactivate_arg *r, struct why *why)
{
    struct door *d = r->d;
    utime now = http_now(d->req);
    struct credential_card card = { .linked_at = now };
    struct reactivation_try t;
    enum err e;

    /* First as if the card were new: the account's own state is told before anything about a card. */
    if ((e = account_reactivate_check(&r->account, d->town.hold_max, INT64_MAX, now, why)) != OK ||
        (e = credential_card_find(pg, r->account.id, r->in->certificate, now, &card, why)) != OK ||
        (e = account_reactivate_check(&r->account, d->town.hold_max, card.linked_at, now, why)) != OK)
        return e;
    if (r->pin != NULL && ((e = pin_buckets(pg, r, false, &r->wait, why)) != OK || r->wait > 0))
        return e;
    e = secret_reactivation_try(pg, d->idp->pepper, r->account.id, r->in->otp, r->pin, now, &t, why);
    if (e != OK)
        return e;
    return t.good ? comes_back(pg, r, &card, why) : refuse_kept(pg, r, &t, why);
}

static enum err
reactivate_body(struct pg *pg, void *arg, struct why *why)
{
    struct reactivate_arg *r = arg;
    enum err e;

    r->wait = 0;
    r->locked = false;
    /* The account's row orders two calls: the second of one key finds the first one's answer, of another key a changed state. */
    if ((e = account_lock(pg, r->account.id, why)) != OK || (e = account_by_id(pg, r->account.id, &r->account, why)) != OK)
        return e;
    e = kept_reply_find(pg, &r->call, http_arena(r->d->req), &r->reply, why);
    if (e == OK && strcmp(r->reply.account_id, r->account.id) != 0)
        return why_code(why, ERR_CONFLICT, "idempotency.body", "this Idempotency-Key was used for another account");
    return e == ERR_NOT_FOUND ? reactivate_new(pg, r, why) : e;
}

static void
reply_wait(struct reactivate_arg *r)
{
    struct http_request *req = r->d->req;

    LOG_WARN_EV("door.rate", LF_STR("town", r->d->town.name), LF_STR("rule", "reactivation"), LF_INT("wait_ms", r->wait / 1000));
    http_header_add(req, "Retry-After", arena_printf(http_arena(req), "%lld", (long long)r->wait / USEC_PER_SEC + 1));
    http_reply_problem_status(req, 429, "secret.rate", "Too many wrong PINs today: ask again after Retry-After.");
}

static void
reply_refusal(struct reactivate_arg *r)
{
    struct http_request *req = r->d->req;
    struct str left, code = str_split(str_of(r->reply.problem), ' ', &left);
    const char *name = arena_str(http_arena(req), code);
    int64_t n = 0;

    if (str_eqs(code, "secret.wrong") && str_to_i64(left, 0, REACTIVATION_TRIES, &n) == OK) {
        http_reply_problem_number(req, r->reply.status, name, "A code is wrong.", "tries_left", n);
        return;
    }
    http_reply_problem_status(req, r->reply.status, name, str_eqs(code, "secret.locked")
                                                              ? "Too many wrong ones: this code is dead."
                                                              : "This code was used or replaced.");
}

/* A PIN with a wrong check digit was mistyped: it is told at once, and is no try (DOMAIN 2.4). */
static bool
pin_read(struct reactivate_arg *r, char folded[CODE_FOLDED_MAX])
{
    if (r->in->pin == NULL)
        return true;
    if (code_read(CODE_REACTIVATION, str_of(r->in->pin), folded, NULL) != CODE_GOOD) {
        http_reply_problem(r->d->req, ERR_INPUT, "code.malformed", "pin: no reactivation PIN, or mistyped.");
        return false;
    }
    r->pin = folded;
    return true;
}

static void
reactivate_answer(struct reactivate_arg *r)
{
    struct pg *pg = http_pg(r->d->req);
    struct why why = WHY_INIT;
    enum err e;

    if ((e = pg_tx(pg, reactivate_body, r, &why)) != OK || (e = account_by_id(pg, r->account.id, &r->account, &why)) != OK) {
        door_refuse(r->d, e, &why, "account.reactivate", r->account.handle);
        return;
    }
    if (r->locked)
        LOG_WARN_EV("account.reactivate.locked", LF_STR("town", r->d->town.name), LF_STR("account", r->account.id));
    if (r->wait > 0)
        reply_wait(r);
    else if (r->reply.problem[0] != '\0')
        reply_refusal(r);
    else
        door_reply_account(r->d, r->reply.status, &r->account, r->reply.sealed);
}

void
post_account_reactivate(struct http_request *req)
{
    struct wire_reactivate in;
    struct reactivate_arg r = { .in = &in };
    char folded[CODE_FOLDED_MAX];
    struct why why = WHY_INIT;
    const char *key;
    struct door d;
    enum err e;

    if (!door_open(req, &d) || !door_account(&d, &r.account) || (key = door_key(&d)) == NULL)
        return;
    r.d = &d;
    r.call = kept_call_of(&d, key, ROUTE);
    if ((e = wire_read_reactivate(http_body(req), http_arena(req), &in, &why)) != OK) {
        door_refuse(&d, e, &why, "account.reactivate", r.account.handle);
        return;
    }
    if (door_two(&d, in.override != NULL ? in.override->second : NULL) &&
        door_two(&d, in.pin_lost != NULL ? in.pin_lost->second : NULL) && pin_read(&r, folded) && door_rate(&d, DOOR_RATE_CODES))
        reactivate_answer(&r);
    mem_wipe(folded, sizeof(folded));
}
