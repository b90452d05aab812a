/* citizen_store: what my page reads across tables of other rooms. */
#include "idp/citizen/citizen-internal.h"

enum { S_VISITS, S_SERVICES };
static const struct pg_stmt stmts[] = {
    [S_VISITS] = { "citizen.visits",
        "SELECT at, method, result <> 'ok', coalesce(service_id, 0) FROM ("
        "(SELECT * FROM authn_event WHERE account_id = $1 AND result = 'ok' ORDER BY at DESC LIMIT 10) UNION ALL "
        "(SELECT * FROM authn_event WHERE account_id = $1 AND result <> 'ok' ORDER BY at DESC LIMIT 10)) v "
        "ORDER BY at DESC", 1 },
    [S_SERVICES] = { "citizen.services",
        "SELECT v.id FROM pairwise p JOIN service v ON v.family = p.family WHERE p.account_id = $1 "
        "AND EXISTS (SELECT FROM signon d WHERE d.account_id = p.account_id AND d.service_id = v.id) "
        "ORDER BY v.id", 1 },
};
const struct pg_stmts citizen_stmts = PG_STMTS(stmts);

enum err
citizen_store_visits(struct pg *pg, const char *account_id, struct arena *a, struct citizen_visit **ret,
                     size_t *ret_n, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    struct citizen_visit *list;
    size_t n;
    enum err e;

    pg_arg_uuid(&args, account_id);
    if ((e = pg_exec(pg, &stmts[S_VISITS], &args, &r, why)) != OK)
        return e;
    n = (size_t)pg_rows(r);
    list = arena_alloc(a, (n + 1) * sizeof(*list));
    for (size_t i = 0; i < n; i++) {
        list[i].at = pg_time(r, (int)i, 0);
        list[i].method = (unsigned)pg_i64(r, (int)i, 1);
        list[i].failed = pg_bool(r, (int)i, 2);
        list[i].service_id = (int32_t)pg_i64(r, (int)i, 3);
    }
    *ret = list;
    *ret_n = n;
    return OK;
}

enum err
citizen_store_services(struct pg *pg, const char *account_id, struct arena *a, int32_t **ret, size_t *ret_n,
                       struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    int32_t *list;
    size_t n;
    enum err e;

    pg_arg_uuid(&args, account_id);
    if ((e = pg_exec(pg, &stmts[S_SERVICES], &args, &r, why)) != OK)
        return e;
    n = (size_t)pg_rows(r);
    list = arena_alloc(a, (n + 1) * sizeof(*list));
    for (size_t i = 0; i < n; i++)
        list[i] = (int32_t)pg_i64(r, (int)i, 0);
    *ret = list;
    *ret_n = n;
    return OK;
}
