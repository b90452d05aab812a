/* login_store: the tables login and login_reserved. */
#include "idp/credential/login-internal.h"

#include <stdio.h>

enum { S_FIND, S_FREE, S_SET, S_RAISE, S_PASSWORD, S_OF, S_CHANGED, S_STANDS };
static const struct pg_stmt stmts[] = {
    [S_FIND] = { "login.find",
        "SELECT l.account_id, a.state, l.password, "
        "EXISTS (SELECT FROM factor_totp f WHERE f.account_id = a.id) OR "
        "EXISTS (SELECT FROM factor_passkey f WHERE f.account_id = a.id), l.changed_at "
        "FROM login l JOIN account a ON a.id = l.account_id WHERE l.login_folded = $1", 1 },
    [S_FREE] = { "login.free",
        "SELECT NOT EXISTS (SELECT FROM login WHERE login_folded = $1) "
        "AND NOT EXISTS (SELECT FROM login_reserved WHERE login_folded = $1 AND until > $2)", 2 },
    [S_SET] = { "login.set",
        "INSERT INTO login (account_id, login_folded, login_display, password, changed_at) "
        "SELECT $1, $2, $3, $4, $5 WHERE NOT EXISTS "
        "(SELECT FROM login_reserved WHERE login_folded = $2 AND until > $5) "
        "ON CONFLICT (account_id) DO UPDATE SET login_folded = excluded.login_folded, "
        "login_display = excluded.login_display, password = excluded.password, changed_at = excluded.changed_at", 5 },
    [S_RAISE] = { "login.raise",
        "UPDATE login SET password = $3, changed_at = $4 WHERE account_id = $1 AND password = $2", 4 },
    [S_PASSWORD] = { "login.password", "UPDATE login SET password = $2, changed_at = $3 WHERE account_id = $1", 3 },
    [S_CHANGED] = { "login.changed", "SELECT changed_at FROM login WHERE account_id = $1", 1 },
    /* The row is locked, so that another password of the same instant either sees the session that is being made or prevents it. */
    [S_STANDS] = { "login.stands",
        "SELECT EXISTS (SELECT FROM factor_totp f WHERE f.account_id = $1) OR "
        "EXISTS (SELECT FROM factor_passkey f WHERE f.account_id = $1) "
        "FROM login l WHERE l.account_id = $1 AND l.changed_at <= $2 FOR SHARE OF l", 2 },
    [S_OF] = { "login.of", "SELECT login_display FROM login WHERE account_id = $1", 1 },
};
const struct pg_stmts login_stmts = PG_STMTS(stmts);

enum err
login_store_find(struct pg *pg, const char *folded, struct login_row *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_text(&args, folded);
    if ((e = pg_exec(pg, &stmts[S_FIND], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return ERR_NOT_FOUND;
    pg_uuid(r, 0, 0, ret->account_id);
    snprintf(ret->state, sizeof(ret->state), "%s", pg_text(r, 0, 1));
    CHECK((size_t)snprintf(ret->password, sizeof(ret->password), "%s", pg_text(r, 0, 2)) < sizeof(ret->password));
    ret->factors = pg_bool(r, 0, 3);
    ret->changed_at = pg_time(r, 0, 4);
    return OK;
}

enum err
login_is_free(struct pg *pg, const char *folded, utime now, bool *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_text(&args, folded);
    pg_arg_time(&args, now);
    if ((e = pg_exec(pg, &stmts[S_FREE], &args, &r, why)) != OK)
        return e;
    *ret = pg_bool(r, 0, 0);
    return OK;
}

enum err
login_set(struct pg *pg, const char *account_id, const char *login, const char *hash, utime now, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    char folded[LOGIN_FOLDED_MAX];
    enum err e;

    if (login_name_problem(login) != NULL || login_fold(login, folded) != OK)
        return why_code(why, ERR_INPUT, "login.name", "the name is not acceptable");
    pg_arg_uuid(&args, account_id);
    pg_arg_text(&args, folded);
    pg_arg_text(&args, login);
    pg_arg_text(&args, hash);
    pg_arg_time(&args, now);
    if ((e = pg_exec(pg, &stmts[S_SET], &args, &r, why)) != OK)
        return e;
    return pg_affected(r) == 1 ? OK : why_code(why, ERR_CONFLICT, "login.taken", "the name is reserved");
}

enum err
login_store_raise(struct pg *pg, const char *account_id, const char *old, const char *hash, utime now, bool *ret_raised,
                  struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, account_id);
    pg_arg_text(&args, old);
    pg_arg_text(&args, hash);
    pg_arg_time(&args, now);
    if ((e = pg_exec(pg, &stmts[S_RAISE], &args, &r, why)) == OK)
        *ret_raised = pg_affected(r) == 1;
    return e;
}

enum err
login_set_password(struct pg *pg, const char *account_id, const char *hash, utime now, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, account_id);
    pg_arg_text(&args, hash);
    pg_arg_time(&args, now);
    return pg_exec(pg, &stmts[S_PASSWORD], &args, NULL, why);
}

enum err
login_of(struct pg *pg, const char *account_id, struct arena *a, const char **ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, account_id);
    if ((e = pg_exec(pg, &stmts[S_OF], &args, &r, why)) != OK)
        return e;
    *ret = pg_rows(r) == 0 ? "" : arena_strdup(a, pg_text(r, 0, 0));
    return OK;
}

enum err
login_changed_at(struct pg *pg, const char *account_id, utime *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, account_id);
    if ((e = pg_exec(pg, &stmts[S_CHANGED], &args, &r, why)) == OK)
        *ret = pg_rows(r) == 0 ? UTIME_NULL : pg_time(r, 0, 0);
    return e;
}

enum err
login_stands(struct pg *pg, const char *account_id, utime changed_at, bool alone, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, account_id);
    pg_arg_time(&args, changed_at);
    if ((e = pg_exec(pg, &stmts[S_STANDS], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_code(why, ERR_DENIED, "login.changed", "the password was changed meanwhile");
    return alone && pg_bool(r, 0, 0) ? why_code(why, ERR_DENIED, "login.factor", "a second factor was added meanwhile") : OK;
}
