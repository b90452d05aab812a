/* oidc_store: codes (rows of signon) into access tokens, and access tokens. */
#include "idp/oidc/oidc-internal.h"

enum { S_REDEEM, S_REVOKE, S_TOKEN, S_STATE, S_TOKEN_REVOKE };
static const struct pg_stmt stmts[] = {
    /* $1 service, $2 code, $3 token, $4 now, $5 issued after, $6 token until */
    /* The session's row is locked, so that its end of the same instant either sees this token or prevents it. */
    [S_REDEEM] = { "oidc.redeem",
        "WITH c AS (UPDATE signon SET redeemed_at = $4 WHERE service_id = $1::int4 AND request_key = $2 "
        "AND redeemed_at IS NULL AND at > $5 RETURNING *), "
        "t AS (INSERT INTO oidc_token (digest, service_id, request_key, account_id, sub, scope, issued_at, expires_at) "
        "SELECT $3, c.service_id, c.request_key, c.account_id, c.name_id, "
        "convert_from(c.extra, 'UTF8')::jsonb ->> 'scope', $4, $6 FROM c "
        "JOIN session s ON s.token_digest = c.session_digest AND s.live AND s.abs_until > $4 FOR SHARE OF s "
        "RETURNING 1) "
        "SELECT c.account_id, c.name_id, c.session_index, convert_from(c.extra, 'UTF8'), c.method, c.auth_time, "
        "c.authz, EXISTS (SELECT FROM t) FROM c", 6 },
    [S_REVOKE] = { "oidc.revoke_code",
        "UPDATE oidc_token SET live = false WHERE service_id = $1::int4 AND request_key = $2 AND live", 2 },
    [S_TOKEN] = { "oidc.token",
        "SELECT t.service_id, t.sub, t.scope, w.name, "
        "ARRAY (SELECT z.code FROM account_authz z WHERE z.account_id = a.id AND z.ended_at IS NULL "
        "AND (z.valid_until IS NULL OR z.valid_until > $2) ORDER BY z.code), "
        "t.account_id FROM oidc_token t JOIN account a ON a.id = t.account_id JOIN town w ON w.id = a.town_id "
        "WHERE t.digest = $1 AND t.live AND t.expires_at > $2 AND a.state = 'active'", 2 },
    [S_STATE] = { "oidc.token_state",
        "SELECT t.sub, t.scope, t.issued_at, t.expires_at FROM oidc_token t JOIN account a ON a.id = t.account_id "
        "WHERE t.digest = $1 AND t.service_id = $2::int4 AND t.live AND t.expires_at > $3 AND a.state = 'active'", 3 },
    [S_TOKEN_REVOKE] = { "oidc.revoke_token",
        "UPDATE oidc_token SET live = false WHERE digest = $1 AND service_id = $2::int4 AND live", 2 },
};
const struct pg_stmts oidc_stmts = PG_STMTS(stmts);

static struct str *
texts_read(const struct pg_result *r, int col, struct arena *a, size_t *ret_n)
{
    size_t n = pg_texts_count(r, 0, col);
    struct str *list = arena_alloc(a, (n + 1) * sizeof(*list));

    for (size_t i = 0; i < n; i++) {
        struct str item = pg_texts_item(r, 0, col, i);

        list[i] = (struct str){ arena_str(a, item), item.n };
    }
    *ret_n = n;
    return list;
}

enum err
oidc_store_redeem(struct pg *pg, int32_t service_id, const unsigned char code_digest[32],
                  const unsigned char token_digest[32], utime now, utime issued_after, utime token_until,
                  struct arena *a, struct oidc_redeemed *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_i32(&args, service_id);
    pg_arg_bytes(&args, code_digest, 32);
    pg_arg_bytes(&args, token_digest, 32);
    pg_arg_time(&args, now);
    pg_arg_time(&args, issued_after);
    pg_arg_time(&args, token_until);
    if ((e = pg_exec(pg, &stmts[S_REDEEM], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return ERR_NOT_FOUND;
    pg_uuid(r, 0, 0, ret->account_id);
    ret->sub = arena_strdup(a, pg_text(r, 0, 1));
    ret->session_index = arena_strdup(a, pg_text(r, 0, 2));
    ret->extra = arena_strdup(a, pg_text(r, 0, 3));
    ret->method = (unsigned)pg_i64(r, 0, 4);
    ret->auth_time = pg_time(r, 0, 5);
    ret->authz = texts_read(r, 6, a, &ret->nauthz);
    ret->token = pg_bool(r, 0, 7);
    return OK;
}

enum err
oidc_store_revoke_code(struct pg *pg, int32_t service_id, const unsigned char code_digest[32], int64_t *ret_n,
                       struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_i32(&args, service_id);
    pg_arg_bytes(&args, code_digest, 32);
    if ((e = pg_exec(pg, &stmts[S_REVOKE], &args, &r, why)) != OK)
        return e;
    *ret_n = pg_affected(r);
    return OK;
}

enum err
oidc_store_token(struct pg *pg, const unsigned char token_digest[32], utime now, struct arena *a,
                 struct oidc_token_row *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_bytes(&args, token_digest, 32);
    pg_arg_time(&args, now);
    if ((e = pg_exec(pg, &stmts[S_TOKEN], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_code(why, ERR_DENIED, "oidc.token", "unknown, expired or revoked access token");
    ret->service_id = (int32_t)pg_i64(r, 0, 0);
    ret->sub = arena_strdup(a, pg_text(r, 0, 1));
    ret->scope = arena_strdup(a, pg_text(r, 0, 2));
    ret->town = arena_strdup(a, pg_text(r, 0, 3));
    ret->authz = texts_read(r, 4, a, &ret->nauthz);
    pg_uuid(r, 0, 5, ret->account_id);
    return OK;
}

enum err
oidc_store_token_state(struct pg *pg, const unsigned char token_digest[32], int32_t service_id, utime now,
                       struct arena *a, struct oidc_token_state *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_bytes(&args, token_digest, 32);
    pg_arg_i32(&args, service_id);
    pg_arg_time(&args, now);
    if ((e = pg_exec(pg, &stmts[S_STATE], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return ERR_NOT_FOUND;
    ret->sub = arena_strdup(a, pg_text(r, 0, 0));
    ret->scope = arena_strdup(a, pg_text(r, 0, 1));
    ret->issued_at = pg_time(r, 0, 2);
    ret->expires_at = pg_time(r, 0, 3);
    return OK;
}

enum err
oidc_store_token_revoke(struct pg *pg, const unsigned char token_digest[32], int32_t service_id, int64_t *ret_n,
                        struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_bytes(&args, token_digest, 32);
    pg_arg_i32(&args, service_id);
    if ((e = pg_exec(pg, &stmts[S_TOKEN_REVOKE], &args, &r, why)) != OK)
        return e;
    *ret_n = pg_affected(r);
    return OK;
}
