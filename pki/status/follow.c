/*
 * follow: the one thread that knows the database. It looks each second and at each notification of a change, and gives what it
 * learnt to those who answer. What it cannot learn it leaves as it was; how old that is, the answers say.
 */
#include <stdio.h>
#include <time.h>

#include "base/core/log.h"
#include "pki/authority/alarm.h"
#include "pki/status/status-internal.h"

#define LOOK_EACH USEC_PER_SEC
#define SAY_EACH (5 * USEC_PER_SEC)
#define NAP (USEC_PER_SEC / 4)

/* What others read of us in table node: "fresh", or which list is late. */
static enum err
node_follow(struct status_process *s, struct pg *pg, utime now, struct why *why)
{
    char late[128], state[sizeof(s->said)];
    enum err e;

    lists_watch(s, now, late, sizeof(late));
    snprintf(state, sizeof(state), "%s%s", late[0] == '\0' ? "fresh" : "late: ", late);
    if (strcmp(state, s->said) == 0 && clock_monotonic() < s->said_at)
        return OK;
    if ((e = node_say(pg, s->node, "status", state, now, why)) != OK)
        return e;
    memcpy(s->said, state, sizeof(state));
    s->said_at = clock_monotonic() + SAY_EACH;
    return OK;
}

/* The clock is read before the database: what we learn is at least as new. */
static enum err
look(struct status_process *s, struct pg *pg, struct why *why)
{
    const utime now = clock_now();
    enum err e;

    if ((e = authorities_follow(s, pg, why)) != OK)
        return e;
    if (s->changed)
        status_view_renew(s);
    if ((e = states_follow(s, pg, now, why)) != OK || (e = lists_follow(s, pg, why)) != OK ||
        (e = responders_follow(s, pg, now, why)) != OK)
        return e;
    return node_follow(s, pg, now, why);
}

static void
sleep_for(int64_t usec)
{
    const struct timespec t = { usec / USEC_PER_SEC, (usec % USEC_PER_SEC) * 1000 };

    nanosleep(&t, NULL);
}

/* Until something changed, somebody waits for a look, or a second has passed; what came meanwhile is one look. */
static enum err
look_wait(struct status_process *s, struct pg *pg, struct why *why)
{
    char payload[8];
    const utime until = clock_monotonic() + LOOK_EACH;
    enum err e = pg_wait_notify_or(pg, LOOK_EACH, s->glance.fd, payload, sizeof(payload), why);

    if (e == ERR_NOT_FOUND && clock_monotonic() < until)             /* wanted */
        sleep_for(glance_apart(&s->glance));
    while (e == OK)
        e = pg_wait_notify(pg, 0, payload, sizeof(payload), why);
    return e == ERR_NOT_FOUND ? OK : e;
}

/* The database is away, or says what cannot be: the clock goes on for what is offered. */
static void
without(struct status_process *s)
{
    char late[128];

    lists_watch(s, clock_now(), late, sizeof(late));
    sleep_for(NAP);
}

void *
follow_run(void *status_process)
{
    struct status_process *s = status_process;
    AUTO(pg_closep) struct pg *pg = NULL;
    bool listening = false, down = false;

    while (!atomic_load(&s->stop)) {
        struct why why = WHY_INIT;
        enum err e = pg == NULL ? pg_open(s->pg, &pg, &why) : OK;

        if (e == OK && !listening) {
            states_forget(s);
            e = pg_listen(pg, "pki_status", &why);
        }
        listening = e == OK;
        glance_look_begins(&s->glance);
        if (e == OK)
            e = look(s, pg, &why);
        glance_look_ends(&s->glance, e == OK);
        if (e == OK) {
            if (down)
                LOG_INFO_EV("status.database", LF_STR("state", "back"));
            down = false;
            listening = (e = look_wait(s, pg, &why)) == OK;
        }
        if (e == OK)
            continue;
        if (!down)
            LOG_ERROR_EV("status.database", LF_STR("state", "away"), LF_ERR(e), LF_WHY(&why));
        down = true;
        without(s);
    }
    return NULL;
}
