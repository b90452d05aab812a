/* revocation: words, what an act does to a certificate, and the act itself; the rows are in revocation_store.c. */
#include <stdio.h>

#include "base/core/enc.h"
#include "pki/authority/person.h"
#include "pki/authority/revocation-internal.h"

#define DEFER_DEFAULT USEC_PER_DAY       /* K2 */

static const char *const acts[] = { "suspend", "revoke", "resume" };
static const char *const requesters[] = { "holder", "station", "town", "operator", "authority", "timer" };
static const struct reason_row {
    const char *name;
    int reason;
} reasons[] = {
    { "lost", REASON_NONE },
    { "key_compromise", REASON_KEY_COMPROMISE },
    { "affiliation_changed", REASON_AFFILIATION_CHANGED },
    { "superseded", REASON_SUPERSEDED },
    { "cessation_of_operation", REASON_CESSATION },
    { "privilege_withdrawn", REASON_PRIVILEGE_WITHDRAWN },
};

const char *
revocation_act_name(enum revocation_act act)
{
    return acts[act];
}

enum err
revocation_act_parse(struct str name, enum revocation_act *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(acts); i++) {
        if (str_eqs(name, acts[i])) {
            *ret = (enum revocation_act)i;
            return OK;
        }
    }
    return ERR_INPUT;
}

const char *
revocation_requester_name(enum revocation_requester who)
{
    return requesters[who];
}

enum err
revocation_reason_parse(struct str name, int *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
        if (str_eqs(name, reasons[i].name)) {
            *ret = reasons[i].reason;
            return OK;
        }
    }
    return ERR_INPUT;
}

bool
revocation_is_refusal(const char *outcome)
{
    return strncmp(outcome, "revocation.", 11) == 0;
}

/* --- the decision ------------------------------------------------------------------------------------------------------- */

static bool
is_state(const struct revocation_facts *f, const char *state)
{
    return strcmp(f->state, state) == 0;
}

/* For good. One that was held keeps the date of that (DOMAIN 2.3). */
static void
to_revoked(const struct revocation_facts *f, int reason, utime invalid_at, utime now, struct revocation_decision *d)
{
    d->outcome = "revoked";
    d->state = "revoked";
    d->reason = reason != REASON_NONE ? reason : REASON_CESSATION;
    d->compromised = f->compromised || reason == REASON_KEY_COMPROMISE;
    d->revoked_at = is_state(f, "held") ? f->revoked_at : now;
    if (invalid_at != UTIME_NULL && (f->invalid_at == UTIME_NULL || invalid_at < f->invalid_at))
        d->invalid_at = invalid_at;
    d->waiting = f->due_at != UTIME_NULL ? "executed" : NULL;
}

static void
decide_suspend(const struct profile *p, const struct revocation_facts *f, int reason, utime invalid_at, utime now,
               struct revocation_decision *d)
{
    const int policy = p != NULL ? p->suspend : SUSPEND_DEFER;

    if (reason == REASON_KEY_COMPROMISE || f->compromised) {
        to_revoked(f, REASON_KEY_COMPROMISE, invalid_at, now, d);
    } else if (is_state(f, "held") || f->due_at != UTIME_NULL) {
        d->outcome = REVOCATION_ALREADY;
    } else if (policy == SUSPEND_DEFER) {
        d->outcome = "deferred";
        d->due_at = now + (p != NULL ? p->defer_max : DEFER_DEFAULT);
    } else if (policy == SUSPEND_HOLD && f->holds < p->holds) {
        d->outcome = d->state = "held";
        d->reason = REASON_HOLD;
        d->revoked_at = now;
        d->invalid_at = invalid_at != UTIME_NULL ? invalid_at : now;
        d->holds = f->holds + 1;
    } else {
        to_revoked(f, reason, invalid_at, now, d);
    }
}

static void
decide_resume(const struct profile *p, const struct revocation_facts *f, utime now, struct revocation_decision *d)
{
    if (is_state(f, "held")) {
        if (f->compromised) {
            d->outcome = REVOCATION_COMPROMISED;
        } else if (p == NULL || now >= f->revoked_at + p->hold_max) {
            d->outcome = REVOCATION_LATE;
        } else {
            d->outcome = "released";
            d->state = "active";
            d->reason = REASON_NONE;
            d->revoked_at = d->invalid_at = UTIME_NULL;
        }
    } else if (f->due_at == UTIME_NULL) {
        d->outcome = REVOCATION_NOTHING;
    } else if (f->compromised) {
        d->outcome = REVOCATION_COMPROMISED;
    } else if (now >= f->due_at) {
        d->outcome = REVOCATION_LATE;
    } else {
        d->outcome = "withdrawn";
        d->waiting = "withdrawn";
    }
}

void
revocation_decide(const struct profile *p, const struct revocation_facts *f, enum revocation_act act, int reason,
                  utime invalid_at, utime now, struct revocation_decision *ret)
{
    *ret = (struct revocation_decision){ .state = f->state, .compromised = f->compromised, .holds = f->holds,
                                         .reason = f->reason, .revoked_at = f->revoked_at, .invalid_at = f->invalid_at,
                                         .due_at = UTIME_NULL };
    if (is_state(f, "revoked"))
        ret->outcome = REVOCATION_FINAL;
    else if ((!is_state(f, "issued") && !is_state(f, "active") && !is_state(f, "held")) || f->not_after < now)
        ret->outcome = REVOCATION_STATE;
    else if (act == REVOCATION_SUSPEND)
        decide_suspend(p, f, reason, invalid_at, now, ret);
    else if (act == REVOCATION_REVOKE)
        to_revoked(f, reason, invalid_at, now, ret);
    else
        decide_resume(p, f, now, ret);
}

/* --- two release a hold ------------------------------------------------------------------------------------------------- */

void
revocation_resume_text(const char *certificate_id, const char *ca_label, struct str serial, utime held_at, struct buf *out)
{
    AUTO(buf_free) struct buf hex = BUF_BOUNDED(64);
    char at[UTIME_RFC3339_LEN + 1];

    hex_encode(&hex, serial.p, serial.n);
    utime_rfc3339(held_at, at);
    approval_line(out, "certificate", certificate_id);
    approval_line(out, "ca", ca_label);
    approval_line(out, "serial", buf_cstr(&hex));
    approval_line(out, "held_at", at);
}

void
revocation_resume_subject(const char *certificate_id, const char *ca_label, struct str serial, utime held_at,
                          unsigned char ret[SHA256_LEN])
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(1024);

    revocation_resume_text(certificate_id, ca_label, serial, held_at, &text);
    CHECK(buf_ok(&text));
    sha256(buf_view(&text), ret);
}

/* --- two for many ------------------------------------------------------------------------------------------------------- */

static bool
two_for_many(const struct revocation *act, size_t n)
{
    return act->requester == BY_OPERATOR && act->ca == NULL && act->act != REVOCATION_RESUME && n > REVOCATION_ALONE;
}

static enum err
many_text(const struct revocation *act, const struct revocation_target *targets, size_t n, struct buf *out, struct why *why)
{
    char invalid_at[UTIME_RFC3339_LEN + 1] = "";

    if (act->invalid_at != UTIME_NULL)
        utime_rfc3339(act->invalid_at, invalid_at);
    approval_line(out, "act", acts[act->act]);
    buf_addf(out, "reason %d\n", act->reason);
    approval_line(out, "invalid_at", invalid_at);
    approval_line(out, "holder", act->holder);
    approval_line(out, "town", act->town);
    for (size_t i = 0; i < n; i++) {
        buf_addf(out, "certificate %s:", targets[i].ca_label);
        hex_encode(out, targets[i].serial.p, targets[i].serial.n);
        buf_addc(out, '\n');
    }
    return buf_ok(out) ? OK : why_code(why, ERR_INPUT, "revocation.many", "%zu certificates are too many for one approval", n);
}

enum err
revocation_many_text(struct pg *pg, const struct revocation *act, struct buf *out, size_t *ret_n, struct why *why)
{
    AUTO(arena_freep) struct arena *a = arena_new((size_t)64 << 20);
    struct revocation_target *targets;
    size_t n;
    enum err e;

    if ((e = revocation_look(pg, act, a, &targets, &n, why)) != OK ||
        (two_for_many(act, n) && (e = many_text(act, targets, n, out, why)) != OK))
        return e;
    *ret_n = n;
    return OK;
}

static enum err
many_check(struct pg *pg, const struct revocation *act, const struct revocation_target *targets, size_t n, utime now,
           struct why *why)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(APPROVAL_TEXT_MAX);
    unsigned char subject[SHA256_LEN];
    enum err e;

    if (!two_for_many(act, n))
        return OK;
    if ((e = many_text(act, targets, n, &text, why)) != OK)
        return e;
    sha256(buf_view(&text), subject);
    return approval_check(pg, APPROVE_REVOKE_MANY, subject, NULL, now, why);
}

/* --- the act ------------------------------------------------------------------------------------------------------------ */

static bool
reason_ok(const struct revocation *act)
{
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
        if (reasons[i].reason == act->reason)
            return act->act == REVOCATION_RESUME ? act->reason == REASON_NONE
                                                 : act->act == REVOCATION_SUSPEND || act->reason != REASON_NONE;
    return false;
}

static enum err
input_check(const struct revocation *act, utime now, struct why *why)
{
    const size_t key = strlen(act->key);

    if (!reason_ok(act))
        return why_code(why, ERR_INPUT, "revocation.reason", "not a reason to %s", acts[act->act]);
    if (act->invalid_at != UTIME_NULL && (act->invalid_at > now || act->act == REVOCATION_RESUME))
        return why_code(why, ERR_INPUT, "revocation.invalid_at", "a key is bad since a moment that has passed; none with resume");
    if (key == 0 || key > REVOCATION_KEY_MAX || strlen(act->requester_ref) > REVOCATION_TEXT_MAX ||
        strlen(act->proof) > REVOCATION_TEXT_MAX)
        return why_code(why, ERR_INPUT, "revocation.length", "the key has 1 to 128 octets, reference and proof 200 at most");
    return OK;
}

/* Each member with its length: no two acts have the same octets. */
static void
body_add(struct buf *out, struct str s)
{
    buf_addf(out, "%zu:", s.n);
    buf_add_str(out, s);
}

static void
body_digest(const struct revocation *act, unsigned char ret[SHA256_LEN])
{
    AUTO(buf_free) struct buf body = BUF_BOUNDED(4096);

    body_add(&body, str_of(acts[act->act]));
    body_add(&body, str_of(act->ca));
    body_add(&body, act->serial);
    body_add(&body, str_of(act->holder));
    body_add(&body, str_of(act->town));
    buf_addf(&body, "%d:%lld:", act->reason, (long long)act->invalid_at);
    body_add(&body, str_of(requesters[act->requester]));
    body_add(&body, str_of(act->requester_ref));
    body_add(&body, str_of(act->proof));
    CHECK(buf_ok(&body));
    sha256(buf_view(&body), ret);
}

struct do_arg {
    const struct profile_set *profiles;
    const struct revocation *act;
    const unsigned char *sha256;
    const char *actor;
    utime now;
    struct arena *a;
    struct revocation_result *results;
    size_t n;
};

static enum err
one_do(struct pg *pg, struct do_arg *x, const struct revocation_target *t, struct why *why)
{
    const struct profile *p = profile_set_find(x->profiles, str_of(t->profile));
    unsigned char subject[SHA256_LEN];
    struct revocation_decision d;
    enum err e;

    revocation_decide(p, &t->facts, x->act->act, x->act->reason, x->act->invalid_at, x->now, &d);
    if (strcmp(d.outcome, "released") == 0) {
        revocation_resume_subject(t->id, t->ca_label, t->serial, t->facts.revoked_at, subject);
        if ((e = approval_check(pg, APPROVE_RESUME, subject, NULL, x->now, why)) != OK)
            return e;
    }
    return revocation_apply(pg, x->act, t, &d, x->actor, x->now, why);
}

static enum err
do_body(struct pg *pg, void *arg, struct why *why)
{
    struct do_arg *x = arg;
    struct revocation_target *targets;
    bool fresh;
    size_t n;
    enum err e;

    if ((e = revocation_key_take(pg, x->act, x->sha256, x->now, &fresh, why)) != OK)
        return e;
    if (fresh) {
        if ((e = revocation_lock(pg, x->act, x->a, &targets, &n, why)) != OK)
            return e;
        if (n == 0)
            return x->act->ca != NULL ? why_code(why, ERR_NOT_FOUND, "certificate.unknown", "no such certificate")
                                      : why_code(why, ERR_NOT_FOUND, "revocation.none", "the holder has no live certificate");
        if ((x->act->station != NULL && (e = revocation_station(pg, x->act, targets, n, why)) != OK) ||
            (e = many_check(pg, x->act, targets, n, x->now, why)) != OK)
            return e;
        for (size_t i = 0; i < n; i++)
            if ((e = one_do(pg, x, &targets[i], why)) != OK)
                return e;
    }
    return revocation_answer(pg, x->act, x->a, &x->results, &x->n, why);
}

enum err
revocation_do(struct pg *pg, const struct profile_set *profiles, const struct revocation *act, const char *actor, utime now,
              struct arena *a, struct revocation_result **ret, size_t *ret_n, struct why *why)
{
    unsigned char sha256[SHA256_LEN];
    struct do_arg x = { profiles, act, sha256, actor, now, a, NULL, 0 };
    enum err e;

    if ((e = input_check(act, now, why)) != OK)
        return e;
    body_digest(act, sha256);
    if ((e = pg_tx(pg, do_body, &x, why)) != OK)
        return e;
    *ret = x.results;
    *ret_n = x.n;
    return OK;
}
