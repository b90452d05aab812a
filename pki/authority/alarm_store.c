/* alarm_store: the tables alarm and node. */
#include "pki/authority/alarm.h"

enum { S_RAISE, S_END, S_LIST, S_NODE };
static const struct pg_stmt stmts[] = {
    [S_RAISE] = { "alarm.raise",
        "INSERT INTO alarm (kind, object, level, text, raised_at) VALUES ($1, $2, $3, $4, $5) "
        "ON CONFLICT (kind, object, level) WHERE ended_at IS NULL DO NOTHING", 5 },
    [S_END] = { "alarm.end",
        "UPDATE alarm SET ended_at = $3 WHERE kind = $1 AND ($2::text IS NULL OR object = $2) AND ended_at IS NULL", 3 },
    [S_LIST] = { "alarm.list",
        "SELECT kind, object, text, level = 'red', raised_at FROM alarm WHERE ended_at IS NULL ORDER BY raised_at, id", 0 },
    [S_NODE] = { "node.say",
        "INSERT INTO node (name, process, state, seen_at) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (name) DO UPDATE SET process = EXCLUDED.process, state = EXCLUDED.state, seen_at = EXCLUDED.seen_at", 4 },
};
const struct pg_stmts alarm_stmts = PG_STMTS(stmts);

enum err
alarm_raise(struct pg *pg, const struct alarm *alarm, utime now, bool *ret_new, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_text(&args, alarm->kind);
    pg_arg_text(&args, alarm->object);
    pg_arg_text(&args, alarm->level == ALARM_RED ? "red" : "warning");
    pg_arg_text(&args, alarm->text);
    pg_arg_time(&args, now);
    if ((e = pg_exec(pg, &stmts[S_RAISE], &args, &r, why)) != OK)
        return e;
    if (ret_new != NULL)
        *ret_new = pg_affected(r) > 0;
    return OK;
}

enum err
alarm_end(struct pg *pg, const char *kind, const char *object, utime now, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_text(&args, kind);
    pg_arg_text(&args, object);
    pg_arg_time(&args, now);
    return pg_exec(pg, &stmts[S_END], &args, NULL, why);
}

enum err
alarm_list(struct pg *pg, struct arena *a, struct alarm **ret, size_t *ret_n, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct alarm *list;
    enum err e;

    if ((e = pg_exec(pg, &stmts[S_LIST], NULL, &r, why)) != OK)
        return e;
    list = arena_alloc(a, ((size_t)pg_rows(r) + 1) * sizeof(*list));
    for (int i = 0; i < pg_rows(r); i++)
        list[i] = (struct alarm){ arena_strdup(a, pg_text(r, i, 0)), arena_strdup(a, pg_text(r, i, 1)),
                                  arena_strdup(a, pg_text(r, i, 2)), pg_bool(r, i, 3) ? ALARM_RED : ALARM_WARNING,
                                  pg_time(r, i, 4) };
    *ret = list;
    *ret_n = (size_t)pg_rows(r);
    return OK;
}

enum err
node_say(struct pg *pg, const char *name, const char *process, const char *state, utime now, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_text(&args, name);
    pg_arg_text(&args, process);
    pg_arg_text(&args, state);
    pg_arg_time(&args, now);
    return pg_exec(pg, &stmts[S_NODE], &args, NULL, why);
}
