/*
 * left: the job after an account left `active` (or was blocked before it was): each service that had answered in its
 * sessions gets a notice job of its own.
 */
#include "idp/citizen/citizen-internal.h"

#define NOTICE_LIFE (24 * USEC_PER_HOUR)

struct left_arg {
    const char *account_id;
    utime now;
    struct arena *arena;
};

static enum err
left_body(struct pg *pg, void *arg, struct why *why)
{
    const struct left_arg *x = arg;
    struct session_participant *told;
    size_t n;
    enum err e;

    if ((e = citizen_store_close(pg, x->account_id, x->now, x->arena, &told, &n, why)) != OK)
        return e;
    for (size_t i = 0; i < n; i++) {
        const char *payload = arena_printf(x->arena, "%d %s %s", (int)told[i].service_id, told[i].name_id,
                                           told[i].session_index);

        e = job_add(pg, SIGNON_NOTICE_JOB, told[i].session_index, str_of(payload), x->now, x->now, NOTICE_LIFE, why);
        if (e != OK)
            return e;
    }
    return OK;
}

enum err
citizen_left_job(struct pg *pg, const struct job *job, void *arg, struct why *why)
{
    AUTO(arena_freep) struct arena *arena = arena_new(1024 * 1024);
    struct left_arg x = { .account_id = arena_str(arena, job->payload), .now = clock_now(), .arena = arena };

    (void)arg;
    return pg_tx(pg, left_body, &x, why);
}
