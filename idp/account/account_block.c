/*
 * account_block: blocking an account, by its paper code or by somebody who may (P-055…P-061).
 *
 * The code alone identifies and blocks; the reason is asked afterwards and only decides whether the block is
 * final. Sessions and tokens die with the state (trigger of the schema); services and the citizen are told by jobs.
 * Blocking twice is calm: the holder of the code sees when it was blocked.
 */
#include "idp/account/account-internal.h"

#include <stdio.h>

#include "base/core/enc.h"
#include "base/pg/job.h"

#define LEFT_JOB_LIFE (24 * USEC_PER_HOUR)

enum err
account_left_job(struct pg *pg, const char *account_id, utime now, struct why *why)
{
    char key[64];

    snprintf(key, sizeof(key), "%s:%lld", account_id, (long long)now);
    return job_add(pg, ACCOUNT_LEFT_JOB, key, str_of(account_id), now, now, LEFT_JOB_LIFE, why);
}

/* An authority that is away this long is an outage that somebody is mending: the job is then dead, and doctor names it. */
#define CERTIFICATES_JOB_LIFE (7 * USEC_PER_DAY)

enum err
account_certificates_job(struct pg *pg, const char *account_id, const char *act, utime now, struct why *why)
{
    char payload[80];

    snprintf(payload, sizeof(payload), "%s %s %lld", account_id, act, (long long)now);
    return job_add(pg, ACCOUNT_CERTIFICATES_JOB, payload, str_of(payload), now, now, CERTIFICATES_JOB_LIFE, why);
}

/* K2: what the authority does with "suspend" its profile's policy says; a stolen one is revoked whatever the policy. */
static enum err
block_certificates(struct pg *pg, const struct account *a, bool final, utime now, struct why *why)
{
    if (a->type == ACCOUNT_PASSWORD)
        return OK;
    return account_certificates_job(pg, a->id, final ? "compromise" : "suspend", now, why);
}

/* Payload "<account> <instant>": what it was like later does not matter, the receipt is that of this block. */
static enum err
blocked_job(struct pg *pg, const char *account_id, utime now, struct why *why)
{
    char payload[64];

    snprintf(payload, sizeof(payload), "%s %lld", account_id, (long long)now);
    return job_add(pg, ACCOUNT_BLOCKED_JOB, payload, str_of(payload), now, now, LEFT_JOB_LIFE, why);
}

/* The proof number: recomputed from the account and the instant, so that it needs no column and stays the same. */
static enum err
receipt_make(const struct keyring *pepper, const char *account_id, utime at, char ret[24])
{
    unsigned char mac[MAC_LEN];
    char value[64];
    enum err e;

    snprintf(value, sizeof(value), "%s %lld", account_id, (long long)at);
    if ((e = mac_compute(pepper, keyring_oldest(pepper), "receipt", str_of(value), mac)) != OK)
        return e;
    snprintf(ret, 24, "B-%02X%02X-%02X%02X-%02X%02X", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
    return OK;
}

static enum err
fill(const struct keyring *pepper, const struct account *a, bool already, struct account_blocked *ret, struct why *why)
{
    enum err e;

    memcpy(ret->account_id, a->id, sizeof(ret->account_id));
    ret->to = a->state;
    ret->at = a->state_since;
    ret->already = already;
    if (pepper == NULL) {
        ret->receipt[0] = '\0';
        return OK;
    }
    if ((e = receipt_make(pepper, a->id, a->state_since, ret->receipt)) != OK)
        return why_set(why, e, "no receipt key");
    return OK;
}

static bool
can_block(const struct account *a)
{
    return a->state == ACCOUNT_PENDING || a->state == ACCOUNT_ACTIVE;
}

/* In a transaction, the row locked by us. */
static enum err
block_locked(struct pg *pg, struct account *a, bool final, const struct account_actor *who, utime now, struct why *why)
{
    static const char *const creation[] = { "creation", "activation", "sheet", NULL };
    const char *reason = a->state == ACCOUNT_PENDING ? ACCOUNT_BLOCKED_PENDING : final ? "stolen" : "lost";
    enum err e;

    e = account_transition(pg, a->id, final ? ACCOUNT_EV_REVOKE_FINAL : ACCOUNT_EV_REVOKE, reason, who, now, NULL,
                           &a->state, why);
    if (e != OK)
        return e;
    a->state_since = now;
    if ((e = secret_store_end(pg, a->id, creation, "superseded", now, why)) != OK ||
        (e = blocked_job(pg, a->id, now, why)) != OK ||
        (e = block_certificates(pg, a, final, now, why)) != OK)
        return e;
    return account_left_job(pg, a->id, now, why);
}

enum err
account_block_notice(struct pg *pg, const struct keyring *pepper, struct str payload, struct account *ret_account,
                     struct account_blocked *ret_block, struct why *why)
{
    struct account_blocked b = { .already = false };
    struct str rest, id = str_split(payload, ' ', &rest);
    struct account a;
    char reason[32];
    enum err e;

    if (id.n != 36 || rest.p == NULL || str_to_i64(rest, 0, INT64_MAX, &b.at) != OK)
        return why_set(why, ERR_INTERNAL, "the payload is not one of ours");
    snprintf(b.account_id, sizeof(b.account_id), "%.*s", (int)id.n, id.p);
    if ((e = account_by_id(pg, b.account_id, &a, why)) != OK ||
        (e = account_store_reason(pg, b.account_id, reason, sizeof(reason), why)) != OK)
        return e;
    if (a.state == ACCOUNT_ERASED || (a.state == ACCOUNT_CLOSED && strcmp(reason, ACCOUNT_BLOCKED_PENDING) != 0))
        return why_code(why, ERR_NOT_FOUND, "account.closed", "the account was closed since");
    if ((e = receipt_make(pepper, b.account_id, b.at, b.receipt)) != OK)
        return why_set(why, e, "no receipt key");
    b.to = a.state;
    *ret_account = a;
    *ret_block = b;
    return OK;
}

struct block_arg {
    const struct keyring *pepper;
    const char *folded;              /* by code */
    const char *account_id;          /* or by account */
    bool final;
    const struct account_actor *who;
    utime now;
    struct account_blocked out;
};

static enum err
block_by_code(struct pg *pg, void *arg, struct why *why)
{
    struct block_arg *b = arg;
    struct secret_row secret;
    struct account a;
    enum err e;

    if ((e = secret_find(pg, b->pepper, "revocation", b->folded, b->now, &secret, why)) != OK)
        return e;
    switch (secret.state) {
    case SECRET_UNKNOWN:
        return why_code(why, ERR_NOT_FOUND, "secret.unknown", "no such blocking code");
    case SECRET_SUPERSEDED:
    case SECRET_EXPIRED:
    case SECRET_LOCKED:
        return why_code(why, ERR_DENIED, "secret.superseded", "the blocking code was replaced");
    case SECRET_LIVE:
    case SECRET_USED:
        break;
    }
    if ((e = account_store_lock(pg, secret.account_id, &a, why)) != OK)
        return e;
    if (secret.state == SECRET_USED || !can_block(&a)) {
        /* Blocked before: by this code, by the clerk or by a session. The holder may know since when. */
        if (can_block(&a))
            return why_code(why, ERR_DENIED, "secret.superseded", "the code was used and the account came back since");
        return fill(b->pepper, &a, true, &b->out, why);
    }
    if ((e = secret_store_use(pg, secret.id, b->now, why)) != OK ||
        (e = block_locked(pg, &a, false, b->who, b->now, why)) != OK)
        return e;
    return fill(b->pepper, &a, false, &b->out, why);
}

enum err
account_block_by_code(struct pg *pg, const struct keyring *pepper, const char *folded, const struct account_actor *who,
                      utime now, struct account_blocked *ret, struct why *why)
{
    struct block_arg b = { .pepper = pepper, .folded = folded, .who = who, .now = now };
    enum err e;

    /* Two at once: the second finds the code used and the account blocked, and is as calm as a later one. */
    e = pg_tx(pg, block_by_code, &b, why);
    if (e == ERR_CONFLICT)
        e = pg_tx(pg, block_by_code, &b, why);
    if (e == OK)
        *ret = b.out;
    return e;
}

/* An act of its own: what was a block that the counter can undo no longer is. */
static enum err
make_final(struct pg *pg, const struct account *a, const struct account_actor *who, utime now, struct why *why)
{
    enum err e;

    if ((e = account_store_set_final(pg, a->id, "stolen", why)) != OK ||
        (e = account_store_change(pg, a->id, "final", now, why)) != OK ||
        (e = block_certificates(pg, a, true, now, why)) != OK)
        return e;
    return account_audit(pg, a->id, "account.block_reason", "ok", "{\"reason\":\"stolen\"}", who, now, why);
}

static enum err
block_by_account(struct pg *pg, void *arg, struct why *why)
{
    struct block_arg *b = arg;
    struct account a;
    enum err e;

    if ((e = account_store_lock(pg, b->account_id, &a, why)) != OK)
        return e;
    if (a.state == ACCOUNT_SUSPENDED || a.state == ACCOUNT_CLOSED) {
        if (b->final && !a.final && a.state == ACCOUNT_SUSPENDED &&
            (e = make_final(pg, &a, b->who, b->now, why)) != OK)
            return e;
        return fill(b->pepper, &a, true, &b->out, why);
    }
    if ((e = block_locked(pg, &a, b->final, b->who, b->now, why)) != OK)
        return e;
    return fill(b->pepper, &a, false, &b->out, why);
}

enum err
account_block(struct pg *pg, const struct keyring *pepper, const char *account_id, const char *reason,
              const struct account_actor *who, utime now, struct account_blocked *ret, struct why *why)
{
    struct block_arg b = { .pepper = pepper, .account_id = account_id, .final = strcmp(reason, "stolen") == 0,
                           .who = who, .now = now };
    enum err e;

    if (!b.final && strcmp(reason, "lost") != 0)
        return why_code(why, ERR_INPUT, "account.reason", "the reason is neither lost nor stolen");
    if ((e = pg_tx(pg, block_by_account, &b, why)) == OK)
        *ret = b.out;
    return e;
}

struct reason_arg {
    const char *account_id, *reason;
    const struct account_actor *who;
    utime now;
};

static enum err
block_reason(struct pg *pg, void *arg, struct why *why)
{
    const struct reason_arg *r = arg;
    bool final = strcmp(r->reason, "stolen") == 0;
    struct account a;
    enum err e;

    if ((e = account_store_lock(pg, r->account_id, &a, why)) != OK)
        return e;
    if (a.state != ACCOUNT_SUSPENDED && a.state != ACCOUNT_CLOSED)
        return why_code(why, ERR_CONFLICT, "account.state", "the account is not blocked");
    /* Before activation there is nothing to lose for good: the clerk gives a new sheet. */
    if (final && !a.final && a.state == ACCOUNT_SUSPENDED &&
        ((e = account_store_set_final(pg, a.id, "stolen", why)) != OK ||
         (e = block_certificates(pg, &a, true, r->now, why)) != OK))
        return e;
    if ((e = account_store_change(pg, a.id, final ? "final" : "lost", r->now, why)) != OK)
        return e;
    return account_audit(pg, a.id, "account.block_reason", "ok",
                         final ? "{\"reason\":\"stolen\"}" : "{\"reason\":\"lost\"}", r->who, r->now, why);
}

enum err
account_block_reason(struct pg *pg, const char *account_id, const char *reason, const struct account_actor *who,
                     utime now, struct why *why)
{
    struct reason_arg r = { account_id, reason, who, now };

    if (strcmp(reason, "lost") != 0 && strcmp(reason, "stolen") != 0)
        return why_code(why, ERR_INPUT, "account.reason", "the reason is neither lost nor stolen");
    return pg_tx(pg, block_reason, &r, why);
}
