/* doctor_store: what tells whether the authority is well; no row of a holder is read. */
#include "pki/operator/doctor.h"

#include <stdio.h>

#include "pki/operator/operator.h"

enum { S_LOOK, S_NODES, S_RESPONDERS, S_STATIONS };
static const struct pg_stmt stmts[] = {
    [S_LOOK] = { "doctor.look",
        "SELECT clock_timestamp(), "      /* lint: sql-now: the database's clock is what is asked for */
        "(SELECT count(*) FROM job WHERE state = 'dead'), "
        "(SELECT count(*) FROM job WHERE state = 'due' AND run_at < $1), "
        "(SELECT kind FROM job WHERE state = 'due' AND run_at < $1 ORDER BY run_at LIMIT 1), "
        "(SELECT count(*) FROM audit_event WHERE at < $2 AND xid >= coalesce((SELECT horizon FROM audit_seal "
        "ORDER BY number DESC LIMIT 1), '0'::xid8))", 2 },
    [S_NODES] = { "doctor.nodes", "SELECT name, process, state, seen_at FROM node ORDER BY name", 0 },
    [S_RESPONDERS] = { "doctor.responders",
        "SELECT a.name || '-g' || a.generation, (SELECT max(c.not_after) FROM certificate c WHERE c.ca_id = a.id AND c.profile = $1 "
        "AND c.state IN ('issued', 'active')) FROM ca a WHERE a.kind = 'issuing' AND a.state IN ('active', 'retiring') "
        "ORDER BY a.name, a.generation", 1 },
    [S_STATIONS] = { "doctor.stations",
        "SELECT s.name, max(c.not_after) FROM station s LEFT JOIN certificate c ON c.station_id = s.id AND c.state IN ('issued', 'active') "
        "WHERE s.state = 'active' GROUP BY s.name ORDER BY s.name", 0 },
};
const struct pg_stmts doctor_stmts = PG_STMTS(stmts);

static const struct pg_stmt role_stmts[] = {
    { "doctor.role",
      "SELECT current_user::text, r.rolsuper OR pg_has_role(current_user, (SELECT nspowner FROM pg_namespace WHERE nspname = "
      "current_schema()), 'USAGE') FROM pg_roles r WHERE r.rolname = current_user", 0 },
};
const struct pg_stmts doctor_role_stmts = PG_STMTS(role_stmts);

enum err
doctor_store_look(struct pg *pg, utime due_before, utime sealed_before, struct doctor_state *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_time(&args, due_before);
    pg_arg_time(&args, sealed_before);
    if ((e = pg_exec(pg, &stmts[S_LOOK], &args, &r, why)) != OK)
        return e;
    ret->clock = pg_time(r, 0, 0);
    ret->dead = pg_i64(r, 0, 1);
    ret->overdue = pg_i64(r, 0, 2);
    snprintf(ret->overdue_kind, sizeof(ret->overdue_kind), "%s", pg_text(r, 0, 3));
    ret->unsealed = pg_i64(r, 0, 4);
    return OK;
}

enum err
doctor_store_nodes(struct pg *pg, struct pg_result **ret, struct why *why)
{
    return pg_exec(pg, &stmts[S_NODES], NULL, ret, why);
}

enum err
doctor_store_responders(struct pg *pg, const char *profile, struct pg_result **ret, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_text(&args, profile);
    return pg_exec(pg, &stmts[S_RESPONDERS], &args, ret, why);
}

enum err
doctor_store_stations(struct pg *pg, struct pg_result **ret, struct why *why)
{
    return pg_exec(pg, &stmts[S_STATIONS], NULL, ret, why);
}

enum err
doctor_store_role(struct pg *pg, struct pg_result **ret, struct why *why)
{
    return pg_exec(pg, &role_stmts[0], NULL, ret, why);
}
