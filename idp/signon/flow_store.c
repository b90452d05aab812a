/* flow_store: the table flow. */
#include "idp/signon/signon-internal.h"

enum { S_INSERT, S_FIND };
static const struct pg_stmt stmts[] = {
    [S_INSERT] = { "flow.insert",
        "INSERT INTO flow (id, dialect, service_id, request, accept, fresh_after, lang, login_hint, created_at, "
        "expires_at) VALUES ($1, $2, nullif($3::int4, 0), $4, $5::int4, $6, $7, $8, $9, $10)", 10 },
    [S_FIND] = { "flow.find",
        "SELECT dialect, coalesce(service_id, 0), request, accept, fresh_after, lang, login_hint, created_at, "
        "expires_at FROM flow WHERE id = $1", 1 },
};
const struct pg_stmts flow_stmts = PG_STMTS(stmts);

enum err
flow_store_insert(struct pg *pg, const struct flow *f, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_text(&args, f->id);
    pg_arg_text(&args, f->dialect);
    pg_arg_i32(&args, f->service_id);
    pg_arg_bytes(&args, f->state.p, f->state.n);
    pg_arg_i32(&args, (int32_t)f->accept);
    pg_arg_time(&args, f->fresh_after);
    pg_arg_text(&args, f->lang);
    pg_arg_text(&args, f->login_hint);
    pg_arg_time(&args, f->created_at);
    pg_arg_time(&args, f->expires_at);
    return pg_exec(pg, &stmts[S_INSERT], &args, NULL, why);
}

enum err
flow_store_find(struct pg *pg, const char *id, struct arena *a, struct flow *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    struct str state;
    enum err e;

    pg_arg_text(&args, id);
    if ((e = pg_exec(pg, &stmts[S_FIND], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_code(why, ERR_NOT_FOUND, "flow.unknown", "no such flow");
    state = pg_str(r, 0, 2);
    *ret = (struct flow){
        .id = arena_strdup(a, id),
        .dialect = arena_strdup(a, pg_text(r, 0, 0)),
        .service_id = (int32_t)pg_i64(r, 0, 1),
        .state = { arena_str(a, state), state.n },
        .accept = (unsigned)pg_i64(r, 0, 3),
        .fresh_after = pg_time(r, 0, 4),
        .lang = arena_strdup(a, pg_text(r, 0, 5)),
        .login_hint = pg_is_null(r, 0, 6) ? NULL : arena_strdup(a, pg_text(r, 0, 6)),
        .created_at = pg_time(r, 0, 7),
        .expires_at = pg_time(r, 0, 8),
    };
    return OK;
}
