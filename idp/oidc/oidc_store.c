/* oidc_store: codes and access tokens. Both are columns of the row of signon that the decision wrote. */
#include "idp/oidc/oidc-internal.h"

#include <stdio.h>

#include "base/core/enc.h"
#include "base/core/rand.h"
#include "base/core/secret.h"
#include "base/crypto/digest.h"

/* How an access token looks: "<base64url of the code's digest>.<256 random bits>". The first half finds the row, so
 * that no index has to be kept for tokens; the digest of the whole is compared with the row's. */
#define KEY_TEXT_LEN 43

enum { S_REDEEM, S_REVOKE, S_TOKEN, S_STATE, S_TOKEN_REVOKE };
static const struct pg_stmt stmts[] = {
    /* $1 service, $2 code, $3 token, $4 now, $5 issued after, $6 token until */
    [S_REDEEM] = { "oidc.redeem",
        "UPDATE signon SET redeemed_at = $4, token_digest = $3, token_until = $6 "
        "WHERE request_key = $2 AND service_id = $1::int4 AND redeemed_at IS NULL AND at > $5 "
        "RETURNING account_id, name_id, session_index, convert_from(extra, 'UTF8'), method, auth_time, authz, "
        "EXISTS (SELECT FROM session s WHERE s.token_digest = session_digest AND s.live AND s.abs_until > $4)", 6 },
    [S_REVOKE] = { "oidc.revoke_code",
        "UPDATE signon SET token_digest = NULL WHERE request_key = $2 AND service_id = $1::int4 "
        "AND token_digest IS NOT NULL", 2 },
    /* $1 code, $2 token, $3 now. A session that has ended, for whatever reason, gives nothing. */
    [S_TOKEN] = { "oidc.token",
        "SELECT d.service_id, d.name_id, convert_from(d.extra, 'UTF8'), d.town, "
        "CASE WHEN s.authz_until > $3 THEN s.authz ELSE ARRAY (SELECT z.code FROM account_authz z "
        "WHERE z.account_id = s.account_id AND z.ended_at IS NULL "
        "AND (z.valid_until IS NULL OR z.valid_until > $3) ORDER BY z.code) END, d.account_id "
        "FROM signon d JOIN session s ON s.token_digest = d.session_digest AND s.live "
        "WHERE d.request_key = $1 AND d.token_digest = $2 AND d.token_until > $3", 3 },
    [S_STATE] = { "oidc.token_state",
        "SELECT d.name_id, convert_from(d.extra, 'UTF8')::jsonb ->> 'scope', d.redeemed_at, d.token_until "
        "FROM signon d JOIN session s ON s.token_digest = d.session_digest AND s.live "
        "WHERE d.request_key = $1 AND d.token_digest = $2 AND d.service_id = $3::int4 AND d.token_until > $4", 4 },
    [S_TOKEN_REVOKE] = { "oidc.revoke_token",
        "UPDATE signon SET token_digest = NULL WHERE request_key = $1 AND token_digest = $2 AND service_id = $3::int4", 3 },
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
    ret->session = pg_bool(r, 0, 7);
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

void
oidc_token_make(const unsigned char code_digest[32], char ret[OIDC_TOKEN_SIZE])
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(OIDC_TOKEN_SIZE);
    char random[OIDC_TOKEN_SIZE - KEY_TEXT_LEN - 1];

    base64url_encode(&text, code_digest, 32);
    rand_token(32, random, sizeof(random));
    snprintf(ret, OIDC_TOKEN_SIZE, "%s.%s", buf_cstr(&text), random);
    mem_wipe(random, sizeof(random));
}

/* false: not a token of ours. */
static bool
token_key(const char *token, unsigned char ret[32])
{
    AUTO(buf_free) struct buf key = BUF_BOUNDED(64);
    struct str rest, head = str_split(str_of(token), '.', &rest);

    if (rest.p == NULL || head.n != KEY_TEXT_LEN || base64url_decode(head, &key) != OK || key.len != 32)
        return false;
    memcpy(ret, key.data, 32);
    return true;
}

enum err
oidc_store_token(struct pg *pg, const char *token, utime now, struct arena *a, struct oidc_token_row *ret,
                 struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    unsigned char key[32], digest[32];
    enum err e;

    if (!token_key(token, key))
        return why_code(why, ERR_DENIED, "oidc.token", "not an access token of ours");
    token_digest(token, digest);
    pg_arg_bytes(&args, key, sizeof(key));
    pg_arg_bytes(&args, digest, sizeof(digest));
    pg_arg_time(&args, now);
    if ((e = pg_exec(pg, &stmts[S_TOKEN], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_code(why, ERR_DENIED, "oidc.token", "unknown, expired or revoked access token");
    ret->service_id = (int32_t)pg_i64(r, 0, 0);
    ret->sub = arena_strdup(a, pg_text(r, 0, 1));
    ret->extra = arena_strdup(a, pg_text(r, 0, 2));
    ret->town = arena_strdup(a, pg_text(r, 0, 3));
    ret->authz = texts_read(r, 4, a, &ret->nauthz);
    pg_uuid(r, 0, 5, ret->account_id);
    return OK;
}

enum err
oidc_store_token_state(struct pg *pg, const char *token, int32_t service_id, utime now, struct arena *a,
                       struct oidc_token_state *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    unsigned char key[32], digest[32];
    enum err e;

    if (!token_key(token, key))
        return ERR_NOT_FOUND;
    token_digest(token, digest);
    pg_arg_bytes(&args, key, sizeof(key));
    pg_arg_bytes(&args, digest, sizeof(digest));
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
oidc_store_token_revoke(struct pg *pg, const char *token, int32_t service_id, int64_t *ret_n, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    unsigned char key[32], digest[32];
    enum err e;

    if (!token_key(token, key)) {
        *ret_n = 0;
        return OK;
    }
    token_digest(token, digest);
    pg_arg_bytes(&args, key, sizeof(key));
    pg_arg_bytes(&args, digest, sizeof(digest));
    pg_arg_i32(&args, service_id);
    if ((e = pg_exec(pg, &stmts[S_TOKEN_REVOKE], &args, &r, why)) != OK)
        return e;
    *ret_n = pg_affected(r);
    return OK;
}
