/* consent_store: the table consent. */
#include "idp/services/consent.h"

#include <stdio.h>

#include "base/pg/audit.h"

enum { S_PUT, S_FIND, S_LIST, S_WITHDRAW };
static const struct pg_stmt stmts[] = {
    [S_PUT] = { "consent.put",
        "INSERT INTO consent (account_id, service_id, items, at) VALUES ($1, $2::int4, $3, $4) "
        "ON CONFLICT (account_id, service_id) DO UPDATE SET items = excluded.items, at = excluded.at", 4 },
    [S_FIND] = { "consent.find", "SELECT items FROM consent WHERE account_id = $1 AND service_id = $2::int4", 2 },
    [S_LIST] = { "consent.list",
        "SELECT service_id, items, at FROM consent WHERE account_id = $1 ORDER BY at DESC, service_id", 1 },
    [S_WITHDRAW] = { "consent.withdraw", "DELETE FROM consent WHERE account_id = $1 AND service_id = $2::int4", 2 },
};
const struct pg_stmts consent_stmts = PG_STMTS(stmts);

struct act {
    const char *account_id, *items;
    int32_t service_id;
    utime now;
};

/* The service stands in the trail: without it the row would prove no consent. */
static enum err
act_audit(struct pg *pg, const struct act *x, const char *verb, struct why *why)
{
    char object[64], detail[64];

    snprintf(object, sizeof(object), "account:%s", x->account_id);
    snprintf(detail, sizeof(detail), "{\"service\":%d}", (int)x->service_id);
    return audit_add(pg, &(struct audit_entry){ .at = x->now, .actor = "citizen", .role = "session", .verb = verb,
                                                .object = object, .result = "ok", .detail = detail }, why);
}

static enum err
put_body(struct pg *pg, void *arg, struct why *why)
{
    const struct act *x = arg;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, x->account_id);
    pg_arg_i32(&args, x->service_id);
    pg_arg_text(&args, x->items);
    pg_arg_time(&args, x->now);
    if ((e = pg_exec(pg, &stmts[S_PUT], &args, NULL, why)) != OK)
        return e;
    return act_audit(pg, x, "consent.give", why);
}

enum err
consent_put(struct pg *pg, const char *account_id, int32_t service_id, const char *items, utime now, struct why *why)
{
    struct act x = { account_id, items, service_id, now };

    return pg_tx(pg, put_body, &x, why);
}

enum err
consent_find(struct pg *pg, const char *account_id, int32_t service_id, struct arena *a, const char **ret_items,
             struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, account_id);
    pg_arg_i32(&args, service_id);
    if ((e = pg_exec(pg, &stmts[S_FIND], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return ERR_NOT_FOUND;
    *ret_items = arena_strdup(a, pg_text(r, 0, 0));
    return OK;
}

enum err
consent_list(struct pg *pg, const char *account_id, struct arena *a, struct consent **ret, size_t *ret_n,
             struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    struct consent *list;
    size_t n;
    enum err e;

    pg_arg_uuid(&args, account_id);
    if ((e = pg_exec(pg, &stmts[S_LIST], &args, &r, why)) != OK)
        return e;
    n = (size_t)pg_rows(r);
    list = arena_alloc(a, (n + 1) * sizeof(*list));
    for (size_t i = 0; i < n; i++) {
        list[i].service_id = (int32_t)pg_i64(r, (int)i, 0);
        list[i].items = arena_strdup(a, pg_text(r, (int)i, 1));
        list[i].at = pg_time(r, (int)i, 2);
    }
    *ret = list;
    *ret_n = n;
    return OK;
}

static enum err
withdraw_body(struct pg *pg, void *arg, struct why *why)
{
    const struct act *x = arg;
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, x->account_id);
    pg_arg_i32(&args, x->service_id);
    if ((e = pg_exec(pg, &stmts[S_WITHDRAW], &args, &r, why)) != OK || pg_affected(r) == 0)
        return e;
    return act_audit(pg, x, "consent.withdraw", why);
}

enum err
consent_withdraw(struct pg *pg, const char *account_id, int32_t service_id, utime now, struct why *why)
{
    struct act x = { account_id, "", service_id, now };

    return pg_tx(pg, withdraw_body, &x, why);
}
