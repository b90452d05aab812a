/* doctor_store: counts that tell whether the house is well; no row of a person is read. */
#include "idp/operator/doctor.h"

#include <stdio.h>

enum { S_LOOK };
static const struct pg_stmt stmts[] = {
    [S_LOOK] = { "doctor.look",
        "SELECT clock_timestamp(), "      /* lint: sql-now: the database's clock is what is asked for */
        "(SELECT count(*) FROM node WHERE process = 'web' AND seen_at > $1), "
        "(SELECT count(*) FROM node WHERE process = 'notifier' AND seen_at > $1), "
        "(SELECT count(*) FROM job WHERE state = 'dead'), "
        "(SELECT count(*) FROM job WHERE state = 'due' AND run_at < $2), "
        "(SELECT kind FROM job WHERE state = 'due' AND run_at < $2 ORDER BY run_at LIMIT 1), "
        "(SELECT count(*) FROM audit_event WHERE at < $3 AND xid >= coalesce((SELECT horizon FROM audit_seal "
        "ORDER BY number DESC LIMIT 1), '0'::xid8))", 3 },
};
const struct pg_stmts doctor_stmts = PG_STMTS(stmts);

enum err
doctor_store_look(struct pg *pg, utime seen_since, utime due_before, utime sealed_before, struct doctor_state *ret,
                  struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_time(&args, seen_since);
    pg_arg_time(&args, due_before);
    pg_arg_time(&args, sealed_before);
    if ((e = pg_exec(pg, &stmts[S_LOOK], &args, &r, why)) != OK)
        return e;
    ret->clock = pg_time(r, 0, 0);
    ret->web = pg_i64(r, 0, 1);
    ret->notifier = pg_i64(r, 0, 2);
    ret->dead = pg_i64(r, 0, 3);
    ret->overdue = pg_i64(r, 0, 4);
    snprintf(ret->overdue_kind, sizeof(ret->overdue_kind), "%s", pg_text(r, 0, 5));
    ret->unsealed = pg_i64(r, 0, 6);
    return OK;
}
