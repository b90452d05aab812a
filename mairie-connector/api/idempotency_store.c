/* idempotency_store: the table idempotency. What is kept is sealed to the town: we cannot read it (K9). */
#include "mairie-connector/api/door-internal.h"

#include "base/core/secret.h"
#include "base/crypto/digest.h"

#define KEPT_FOR USEC_PER_DAY

enum { S_FIND, S_ADD, S_ERASE };
static const struct pg_stmt stmts[] = {
    [S_FIND] = { "idempotency.find",
        "SELECT route, body_sha256, account_id, status, sealed FROM idempotency WHERE town_id = $1 AND key = $2", 2 },
    [S_ADD] = { "idempotency.add",
        "INSERT INTO idempotency (town_id, key, route, body_sha256, account_id, status, sealed, at, expires_at) "
        "VALUES ($1, $2, $3, $4, $5, $6::int4, $7, $8, $9)", 9 },
    [S_ERASE] = { "idempotency.erase",
        "UPDATE idempotency SET sealed = NULL WHERE account_id = $1 AND sealed IS NOT NULL", 1 },
};
const struct pg_stmts town_door_stmts = PG_STMTS(stmts);

enum err
kept_reply_find(struct pg *pg, const char *town_id, const char *key, const char *route, struct str body,
                struct arena *a, struct kept_reply *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    unsigned char digest[SHA256_LEN];
    struct str stored;
    enum err e;

    pg_arg_uuid(&args, town_id);
    pg_arg_text(&args, key);
    if ((e = pg_exec(pg, &stmts[S_FIND], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return ERR_NOT_FOUND;
    sha256(body, digest);
    stored = pg_str(r, 0, 1);
    if (strcmp(pg_text(r, 0, 0), route) != 0 || !mem_equal_ct(digest, sizeof(digest), stored.p, stored.n))
        return why_code(why, ERR_CONFLICT, "idempotency.body", "this Idempotency-Key was used for another call");
    pg_uuid(r, 0, 2, ret->account_id);
    ret->status = (int)pg_i64(r, 0, 3);
    stored = pg_str(r, 0, 4);
    ret->sealed = pg_is_null(r, 0, 4) ? NULL : arena_str(a, stored);
    return OK;
}

enum err
kept_reply_add(struct pg *pg, const char *town_id, const char *key, const char *route, struct str body,
               const struct kept_reply *reply, utime now, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;
    unsigned char digest[SHA256_LEN];

    sha256(body, digest);
    pg_arg_uuid(&args, town_id);
    pg_arg_text(&args, key);
    pg_arg_text(&args, route);
    pg_arg_bytes(&args, digest, sizeof(digest));
    pg_arg_uuid(&args, reply->account_id);
    pg_arg_i32(&args, reply->status);
    pg_arg_bytes(&args, reply->sealed, strlen(reply->sealed));
    pg_arg_time(&args, now);
    pg_arg_time(&args, now + KEPT_FOR);
    return pg_post(pg, &stmts[S_ADD], &args, why);
}

enum err
kept_reply_erase(struct pg *pg, const char *account_id, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, account_id);
    return pg_post(pg, &stmts[S_ERASE], &args, why);
}
