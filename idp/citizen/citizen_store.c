/* citizen_store: what the citizen's own pages read across tables of other rooms. */
#include "idp/citizen/citizen-internal.h"

enum { S_VISITS, S_SERVICES, S_RIGHTS, S_CODES };
static const struct pg_stmt stmts[] = {
    [S_VISITS] = { "citizen.visits",
        /* Good ones and refused ones each have their places: who tries passwords pushes no visit off the page. */
        "SELECT at, method, result, coalesce(service_id, 0), ip_prefix FROM ("
        "(SELECT * FROM authn_event WHERE account_id = $1 AND result = 'ok' ORDER BY at DESC LIMIT $2::int8) UNION ALL "
        "(SELECT * FROM authn_event WHERE account_id = $1 AND result <> 'ok' ORDER BY at DESC LIMIT $2::int8)) v "
        "ORDER BY at DESC", 2 },
    /* The identifier is the family's; a service that changed its family shows the present one. */
    [S_SERVICES] = { "citizen.services",
        "SELECT d.service_id, max(d.at), count(*), (SELECT p.value FROM pairwise p JOIN service v ON v.family = p.family "
        "WHERE v.id = d.service_id AND p.account_id = $1) FROM signon d WHERE d.account_id = $1 "
        "GROUP BY d.service_id ORDER BY max(d.at) DESC", 1 },
    [S_RIGHTS] = { "citizen.rights",
        "SELECT code, granted_at, valid_until, ended_at FROM account_authz WHERE account_id = $1 "
        "ORDER BY granted_at, code", 1 },
    [S_CODES] = { "citizen.codes",
        "SELECT kind, state, issued_at, ended_at FROM secret WHERE account_id = $1 ORDER BY issued_at, kind", 1 },
};
const struct pg_stmts citizen_stmts = PG_STMTS(stmts);

enum err
citizen_store_visits(struct pg *pg, const char *account_id, int64_t max, struct arena *a, struct citizen_visit **ret,
                     size_t *ret_n, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    struct citizen_visit *list;
    size_t n;
    enum err e;

    pg_arg_uuid(&args, account_id);
    pg_arg_i64(&args, max);
    if ((e = pg_exec(pg, &stmts[S_VISITS], &args, &r, why)) != OK)
        return e;
    n = (size_t)pg_rows(r);
    list = arena_alloc(a, (n + 1) * sizeof(*list));
    for (size_t i = 0; i < n; i++) {
        list[i].at = pg_time(r, (int)i, 0);
        list[i].method = (unsigned)pg_i64(r, (int)i, 1);
        list[i].result = arena_strdup(a, pg_text(r, (int)i, 2));
        list[i].service_id = (int32_t)pg_i64(r, (int)i, 3);
        list[i].ip_prefix = arena_strdup(a, pg_text(r, (int)i, 4));
    }
    *ret = list;
    *ret_n = n;
    return OK;
}

enum err
citizen_store_services(struct pg *pg, const char *account_id, struct arena *a, struct citizen_service **ret,
                       size_t *ret_n, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    struct citizen_service *list;
    size_t n;
    enum err e;

    pg_arg_uuid(&args, account_id);
    if ((e = pg_exec(pg, &stmts[S_SERVICES], &args, &r, why)) != OK)
        return e;
    n = (size_t)pg_rows(r);
    list = arena_alloc(a, (n + 1) * sizeof(*list));
    for (size_t i = 0; i < n; i++) {
        list[i].service_id = (int32_t)pg_i64(r, (int)i, 0);
        list[i].last_at = pg_time(r, (int)i, 1);
        list[i].count = pg_i64(r, (int)i, 2);
        list[i].identifier = pg_is_null(r, (int)i, 3) ? NULL : arena_strdup(a, pg_text(r, (int)i, 3));
    }
    *ret = list;
    *ret_n = n;
    return OK;
}

enum err
citizen_store_rights(struct pg *pg, const char *account_id, struct arena *a, struct citizen_right **ret, size_t *ret_n,
                     struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    struct citizen_right *list;
    size_t n;
    enum err e;

    pg_arg_uuid(&args, account_id);
    if ((e = pg_exec(pg, &stmts[S_RIGHTS], &args, &r, why)) != OK)
        return e;
    n = (size_t)pg_rows(r);
    list = arena_alloc(a, (n + 1) * sizeof(*list));
    for (size_t i = 0; i < n; i++)
        list[i] = (struct citizen_right){ arena_strdup(a, pg_text(r, (int)i, 0)), pg_time(r, (int)i, 1),
                                          pg_time(r, (int)i, 2), pg_time(r, (int)i, 3) };
    *ret = list;
    *ret_n = n;
    return OK;
}

enum err
citizen_store_codes(struct pg *pg, const char *account_id, struct arena *a, struct citizen_code **ret, size_t *ret_n,
                    struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    struct citizen_code *list;
    size_t n;
    enum err e;

    pg_arg_uuid(&args, account_id);
    if ((e = pg_exec(pg, &stmts[S_CODES], &args, &r, why)) != OK)
        return e;
    n = (size_t)pg_rows(r);
    list = arena_alloc(a, (n + 1) * sizeof(*list));
    for (size_t i = 0; i < n; i++)
        list[i] = (struct citizen_code){ arena_strdup(a, pg_text(r, (int)i, 0)), arena_strdup(a, pg_text(r, (int)i, 1)),
                                         pg_time(r, (int)i, 2), pg_time(r, (int)i, 3) };
    *ret = list;
    *ret_n = n;
    return OK;
}
