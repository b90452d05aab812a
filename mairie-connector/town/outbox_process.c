/*
 * outbox_process: the process that calls the IdP: requests until they are answered, changes, and the audit sealer.
 * Several may run: requests are leased, changes move a cursor in the transaction of what they change.
 */
#include "mairie-connector/town/command.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "base/core/log.h"
#include "base/pg/audit.h"
#include "base/program/process.h"
#include "mairie-connector/town/outbox.h"

#define PURGE_EVERY (10 * USEC_PER_MIN)
#define POLL_NSEC (500 * 1000 * 1000)       /* requests are first sent by who wrote them; what is left may wait for this */

struct sender {
    struct mairie *m;
    struct pg_config pg;
    atomic_bool stop;
};

/* Logged when it begins, not each time. */
static void
told(const char *what, enum err e, const struct why *why, bool *down)
{
    if (e != OK && !*down)
        LOG_WARN_EV(what, LF_ERR(e), LF_WHY(why));
    else if (e == OK && *down)
        LOG_INFO_EV(what, LF_STR("state", "answers again"));
    *down = e != OK;
}

static enum err
send_all(const struct sender *s, struct pg *pg, struct why *why)
{
    bool taken = true;
    enum err e = OK;

    while (e == OK && taken && !atomic_load(&s->stop))
        e = outbox_send(s->m, pg, NULL, clock_now(), &taken, why);
    return e;
}

static enum err
read_changes(const struct sender *s, struct pg *pg, utime *next, struct why *why)
{
    utime now = clock_monotonic();
    bool more = true;
    enum err e = OK;

    if (now < *next)
        return OK;
    *next = now + s->m->conf.changes_every;
    while (e == OK && more && !atomic_load(&s->stop))
        e = outbox_changes(s->m, pg, clock_now(), &more, why);
    return e;
}

static enum err
keep_house(struct pg *pg, utime *next, struct why *why)
{
    utime now = clock_monotonic();

    if (now < *next)
        return OK;
    *next = now + PURGE_EVERY;
    return outbox_purge(pg, clock_now(), why);
}

static void *
send_loop(void *arg)
{
    struct sender *s = arg;
    AUTO(pg_closep) struct pg *pg = NULL;
    const struct timespec pause = { 0, POLL_NSEC };
    bool requests_down = false, changes_down = false;
    utime next = 0, next_purge = 0;

    while (!atomic_load(&s->stop)) {
        struct why why = WHY_INIT;
        enum err e = OK;

        if (pg == NULL)
            e = pg_open(&s->pg, &pg, &why);
        if (e == OK)
            e = send_all(s, pg, &why);
        if (e == OK)
            e = keep_house(pg, &next_purge, &why);
        told("outbox.requests", e, &why, &requests_down);
        if (e == OK)
            told("outbox.changes", read_changes(s, pg, &next, &why), &why, &changes_down);
        nanosleep(&pause, NULL);
    }
    return NULL;
}

int
mairie_outbox(int argc, char **argv)
{
    AUTO(mairie_freep) struct mairie *m = NULL;
    struct audit_sealer *sealer = NULL;
    struct why why = WHY_INIT;
    struct sender s = { .m = NULL };
    struct process process;
    pthread_t thread;
    enum err e;
    int status;

    if ((status = process_begin(argc, argv, "outbox", "outbox", false, &process)) != 0)
        return status;
    if ((e = mairie_load(process.config, MAIRIE_NEED_KEYS | MAIRIE_NEED_DOOR, &m, &why)) != OK)
        return command_fail(process.config, e, &why);
    s.m = m;
    s.pg = command_pg_config(process.database != NULL ? process.database : m->conf.database, mairie_all_stmts);
    atomic_init(&s.stop, false);
    if ((e = audit_sealer_start(&s.pg, m->audit_key, &sealer, &why)) != OK)
        return command_fail("outbox", e, &why);
    CHECK(pthread_create(&thread, NULL, send_loop, &s) == 0);
    LOG_INFO_EV("outbox.ready", LF_STR("idp", m->conf.idp_url));
    process_wait(&process, NULL, NULL);
    atomic_store(&s.stop, true);
    pthread_join(thread, NULL);
    audit_sealer_stop(sealer);
    return 0;
}
