/*
 * timer: the scanner, which takes what nobody asks for again (role pki_signer), and what happens by the clock alone (role
 * pki_worker). Each act is idempotent: a killed signer's timers go on where they were.
 */
#include "pki/signer/signer-internal.h"

#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/core/log.h"
#include "base/pg/audit.h"
#include "base/pg/job.h"
#include "pki/authority/alarm.h"
#include "pki/authority/certificate.h"
#include "pki/authority/crl.h"
#include "pki/authority/revocation.h"

#define SCAN_AGE USEC_PER_SEC          /* a request older than this has lost its caller, or has none */
#define RESERVED_MAX (60 * USEC_PER_SEC)       /* longer than any statement and signature may take */
#define EXPIRE_MAX 1000
#define REVOKE_MAX 1000
#define JOBS_DONE_KEPT (8 * USEC_PER_DAY)
#define JOBS_DEAD_KEPT (90 * USEC_PER_DAY)
#define FAR (3650 * USEC_PER_DAY)
#define PUBLISHED_MAX 1000
#define OCTETS_KEPT (10 * USEC_PER_MIN)        /* of lists that newer ones follow: who fetches them is long done */
#define TIMERS 16

const struct pg_stmts *const signer_worker_stmts[] = { &audit_stmts, &audit_seal_stmts, &job_stmts, &alarm_stmts,
                                                       &certificate_timer_stmts, &revocation_timer_stmts,
                                                       &crl_stmts, &crl_due_stmts, NULL };

/* --- the scanner ------------------------------------------------------------------------------------------------------- */

/* Another signer, after our connection was lost: nothing is signed by two. */
static void
lock_keep(struct pg *pg)
{
    struct why why = WHY_INIT;

    if (certificate_signer_lock(pg, &why) != ERR_CONFLICT)
        return;
    LOG_ERROR_EV("signer.second", LF_WHY(&why));
    kill(getpid(), SIGTERM);
}

static enum err
say_state(struct signer *s, struct pg *pg, struct why *why)
{
    struct view *v = view_take(s);
    size_t open = 0, all = 0;
    char state[64];

    for (size_t i = 0; i < v->n; i++) {
        if (v->cas[i].ca.state != CA_ACTIVE || strcmp(v->cas[i].ca.key_uri, "offline") == 0)
            continue;
        all++;
        open += v->cas[i].key != NULL && (v->cas[i].away == NULL || !atomic_load(v->cas[i].away));
    }
    view_drop(s, v);
    snprintf(state, sizeof(state), "%s, %zu of %zu", open == 0 ? "locked" : open < all ? "partly open" : "open", open, all);
    return node_say(pg, s->node, "signer", state, clock_now(), why);
}

/* Requests whose caller died, or that come without one, while there is something to sign with and nothing else to do. */
static enum err
take_open(struct signer *s, struct pg *pg, struct why *why)
{
    AUTO(arena_freep) struct arena *a = arena_new(1 << 16);
    struct view *v = view_take(s);
    const bool any = view_has_key(v);
    char line[64];
    char (*ids)[37];
    size_t n;
    enum err e;

    view_drop(s, v);
    if (!any || !work_is_idle(s))
        return OK;
    if ((e = request_open_list(pg, clock_now() - SCAN_AGE, SIGNER_SCAN_MAX, a, &ids, &n, why)) != OK)
        return e;
    for (size_t i = 0; i < n; i++) {
        snprintf(line, sizeof(line), "issue %s", ids[i]);
        work_add(s, NULL, line);
    }
    return OK;
}

static enum err
scan(struct signer *s, struct pg *pg, struct why *why)
{
    enum err e;

    lock_keep(pg);
    if ((e = keys_refresh(s, pg, why)) != OK)
        return e;
    keys_probe(s);
    if ((e = say_state(s, pg, why)) != OK)
        return e;
    return take_open(s, pg, why);
}

void
signer_nap(int64_t usec)
{
    struct timespec t = { usec / USEC_PER_SEC, (usec % USEC_PER_SEC) * 1000 };

    nanosleep(&t, NULL);
}

/* A request of status wakes us at once; a second passes in any case. */
static enum err
scan_wait(struct signer *s, struct pg *pg, struct why *why)
{
    char id[64], line[80];
    const enum err e = pg_wait_notify(pg, USEC_PER_SEC, id, sizeof(id), why);

    if (e == OK && strlen(id) == 36) {
        snprintf(line, sizeof(line), "issue %s", id);
        work_add(s, NULL, line);
    }
    return e == ERR_NOT_FOUND ? OK : e;
}

void *
scanner_run(void *signer)
{
    struct signer *s = signer;
    AUTO(pg_closep) struct pg *pg = TAKE(s->scan_pg);
    bool listening = false, down = false;

    while (!atomic_load(&s->stop)) {
        struct why why = WHY_INIT;
        enum err e = pg == NULL ? pg_open(s->pg, &pg, &why) : OK;

        if (e == OK && !listening)
            e = pg_listen(pg, "pki_request", &why);
        listening = e == OK;
        if (e == OK && (e = scan(s, pg, &why)) == OK)
            listening = (e = scan_wait(s, pg, &why)) == OK;
        if (e != OK && !down)
            LOG_ERROR_EV("signer.scan", LF_ERR(e), LF_WHY(&why));
        down = e != OK;
        if (down)
            signer_nap(USEC_PER_SEC / 2);
    }
    return NULL;
}

/* --- by the clock ------------------------------------------------------------------------------------------------------------ */

static enum err
clock_watch(struct signer *s, struct pg *pg, utime now, struct why *why)
{
    struct why behind = WHY_INIT;
    struct alarm alarm = { .kind = "clock.back", .object = s->node, .text = behind.text, .level = ALARM_RED };

    if (clock_guard_check(&s->clock, now, &behind) == OK)
        return alarm_end(pg, alarm.kind, alarm.object, now, why);
    return alarm_raise(pg, &alarm, now, NULL, why);
}

static enum err
void_lost(struct signer *s, struct pg *pg, utime now, struct why *why)
{
    int n = 0;
    enum err e;

    (void)s;
    if ((e = certificate_void_lost(pg, now - RESERVED_MAX, now, &n, why)) == OK && n > 0)
        LOG_ERROR_EV("signer.lost", LF_INT("reservations", n));
    return e == OK ? certificate_lost_end(pg, now, why) : e;
}

static enum err
expire(struct signer *s, struct pg *pg, utime now, struct why *why)
{
    int n = EXPIRE_MAX;
    enum err e = OK;

    while (e == OK && n == EXPIRE_MAX && !atomic_load(&s->stop))
        e = certificate_expire_due(pg, now, EXPIRE_MAX, &n, why);
    return e;
}

/* P-121: a holder who does not say that the certificate is theirs. */
static enum err
acceptance(struct signer *s, struct pg *pg, utime now, struct why *why)
{
    enum err e = OK;

    for (size_t i = 0; i < s->pki->profiles.n && e == OK; i++) {
        const struct profile *p = s->pki->profiles.items[i];

        if (p->acceptance != ACCEPTANCE_TACIT)
            e = certificate_unaccepted_alarm(pg, p->name, now - p->accept_alert, now, why);
    }
    return e;
}

/* Deferred revocations, holds that lasted too long, certificates that nobody accepted. */
static enum err
revoke_due(struct signer *s, struct pg *pg, utime now, struct why *why)
{
    return revocation_run_due(pg, &s->pki->profiles, now, REVOKE_MAX, NULL, why);
}

/* Requests whose list is offered. */
static enum err
published(struct signer *s, struct pg *pg, utime now, struct why *why)
{
    int n = PUBLISHED_MAX;
    enum err e = OK;

    while (e == OK && n == PUBLISHED_MAX && !atomic_load(&s->stop))
        e = crl_mark_published(pg, now, PUBLISHED_MAX, &n, why);
    return e;
}

static enum err
octets(struct signer *s, struct pg *pg, utime now, struct why *why)
{
    (void)s;
    return crl_octets_drop(pg, now - OCTETS_KEPT, &(int){ 0 }, why);
}

static enum err
purge(struct signer *s, struct pg *pg, utime now, struct why *why)
{
    int64_t removed;
    enum err e;

    (void)s;
    if ((e = job_purge(pg, now - JOBS_DONE_KEPT, now - JOBS_DEAD_KEPT, &removed, why)) != OK)
        return e;
    return certificate_changes_purge(pg, now - CERTIFICATE_CHANGES_KEPT, why);
}

/* What is due when. What rooms above the authority's rows do by the clock stands here, one line each. */
struct timer {
    const char *name;
    int64_t period;
    enum err (*act)(struct signer *s, struct pg *pg, utime now, struct why *why);
};
static const struct timer timers[] = {
    { "clock", USEC_PER_SEC, clock_watch },
    { "lost", 5 * USEC_PER_SEC, void_lost },
    { "expire", USEC_PER_SEC, expire },
    { "acceptance", USEC_PER_MIN, acceptance },
    { "revocation", USEC_PER_SEC, revoke_due },
    { "published", USEC_PER_SEC, published },
    { "watch", 2 * USEC_PER_SEC, watch_look },
    { "octets", USEC_PER_MIN, octets },
    { "purge", USEC_PER_HOUR, purge },
};

void *
timer_run(void *signer)
{
    struct signer *s = signer;
    AUTO(pg_closep) struct pg *pg = NULL;
    utime next[TIMERS] = { 0 };
    bool down = false;

    CHECK(ARRAY_LEN(timers) <= TIMERS);
    while (!atomic_load(&s->stop)) {
        struct why why = WHY_INIT;
        enum err e = pg == NULL ? pg_open(s->worker, &pg, &why) : OK;

        for (size_t i = 0; i < ARRAY_LEN(timers) && e == OK; i++) {
            if (clock_monotonic() < next[i])
                continue;
            e = timers[i].act(s, pg, clock_now(), &why);
            next[i] = clock_monotonic() + timers[i].period;
            if (e != OK)
                why_prepend(&why, "%s", timers[i].name);
        }
        if (e != OK && !down)
            LOG_ERROR_EV("signer.timer", LF_ERR(e), LF_WHY(&why));
        down = e != OK;
        signer_nap(USEC_PER_SEC / 4);
    }
    return NULL;
}

enum err
timer_begin(struct signer *s, struct why *why)
{
    AUTO(pg_closep) struct pg *pg = NULL;
    const utime now = clock_now();
    utime newest = 0;
    int n = 0;
    enum err e;

    /* Whoever reserved is gone: one signer works on a database, and it is this one. */
    if ((e = pg_open(s->worker, &pg, why)) != OK || (e = certificate_newest(pg, &newest, why)) != OK ||
        (e = certificate_void_lost(pg, now + FAR, now, &n, why)) != OK)
        return e;
    if (n > 0)
        LOG_ERROR_EV("signer.lost", LF_INT("reservations", n));
    clock_guard_note(&s->clock, newest);
    return OK;
}
