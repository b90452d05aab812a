/* trail_store: what happened, as the audit rows tell it. Rows hold agent ids and handles, never a name of a citizen. */
#include "mairie-connector/town/dossier.h"

#include "base/pg/audit.h"

#define SELECTED                                                                                              \
    "SELECT e.seq, e.at, substr(e.verb, strpos(e.verb, '.') + 1), "                                           \
    "coalesce(g.name, CASE WHEN e.actor LIKE 'operator:%' THEN e.actor ELSE '' END), "                        \
    "CASE WHEN e.object LIKE 'handle:%' THEN substr(e.object, 8) ELSE coalesce(o.name, '') END, "             \
    "d.id, e.result <> 'ok' FROM audit_event e "                                                              \
    "LEFT JOIN agent g ON 'agent:' || g.id = e.actor "                                                        \
    "LEFT JOIN agent o ON 'agent:' || o.id = e.object "                                                       \
    "LEFT JOIN dossier d ON 'handle:' || d.handle = e.object "
enum { S_DOSSIER, S_COUNTER };
static const struct pg_stmt stmts[] = {
    [S_DOSSIER] = { "trail.dossier",
        SELECTED "WHERE e.object = $1 AND e.verb LIKE 'dossier.%' ORDER BY e.seq DESC LIMIT 100", 1 },
    [S_COUNTER] = { "trail.counter",
        SELECTED "WHERE e.seq < $2::int8 AND ($1::text IS NULL OR e.actor = $1) AND e.verb ~ '^(dossier|agent|counter)[.]' "
        "ORDER BY e.seq DESC LIMIT $3::int4", 3 },
};
const struct pg_stmts trail_stmts = PG_STMTS(stmts);

static enum err
rows_read(const struct pg_result *r, struct arena *a, struct trail_row **ret, size_t *ret_n)
{
    size_t n = (size_t)pg_rows(r);
    struct trail_row *list = arena_alloc(a, (n + 1) * sizeof(*list));

    for (int i = 0; i < (int)n; i++) {
        char id[37] = "";

        if (!pg_is_null(r, i, 5))
            pg_uuid(r, i, 5, id);
        list[i] = (struct trail_row){
            .seq = pg_i64(r, i, 0), .at = pg_time(r, i, 1), .what = arena_strdup(a, pg_text(r, i, 2)),
            .who = arena_strdup(a, pg_text(r, i, 3)), .handle = arena_strdup(a, pg_text(r, i, 4)),
            .dossier = arena_strdup(a, id), .refused = pg_bool(r, i, 6),
        };
    }
    *ret = list;
    *ret_n = n;
    return OK;
}

enum err
trail_of_dossier(struct pg *pg, const char *handle, struct arena *a, struct trail_row **ret, size_t *ret_n,
                 struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_text(&args, arena_printf(a, "handle:%s", handle));
    if ((e = pg_exec(pg, &stmts[S_DOSSIER], &args, &r, why)) != OK)
        return e;
    return rows_read(r, a, ret, ret_n);
}

enum err
trail_of_counter(struct pg *pg, const char *agent_id, int64_t before, int limit, struct arena *a,
                 struct trail_row **ret, size_t *ret_n, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_text(&args, agent_id == NULL ? NULL : arena_printf(a, "agent:%s", agent_id));
    pg_arg_i64(&args, before);
    pg_arg_i32(&args, limit);
    if ((e = pg_exec(pg, &stmts[S_COUNTER], &args, &r, why)) != OK)
        return e;
    return rows_read(r, a, ret, ret_n);
}

enum err
counter_audit(struct pg *pg, const char *agent_id, const char *role, const char *verb, const char *handle,
              const char *result, utime now, struct why *why)
{
    AUTO(arena_freep) struct arena *a = arena_new(4096);
    const char *actor = agent_id == NULL ? "system" : arena_printf(a, "agent:%s", agent_id);

    return audit_add(pg, &(struct audit_entry){
                             .at = now, .actor = actor, .role = role, .verb = verb,
                             .object = handle[0] != '\0' ? arena_printf(a, "handle:%s", handle) : "counter",
                             .result = result, .detail = "{}" }, why);
}
