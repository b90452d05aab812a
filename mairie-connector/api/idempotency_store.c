/* idempotency_store: the table idempotency. What is kept is sealed to the town: we cannot read it (K9). */
#include "mairie-connector/api/door-internal.h"

#include "base/core/secret.h"
#include "base/crypto/digest.h"

#define KEPT_FOR USEC_PER_DAY

enum { S_FIND, S_ADD, S_ERASE };
static const struct pg_stmt stmts[] = {
    [S_FIND] = { "idempotency.find",
        "SELECT route, body_mac, account_id, status, sealed, problem FROM idempotency WHERE town_id = $1 AND key = $2", 2 },
    [S_ADD] = { "idempotency.add",
        "INSERT INTO idempotency (town_id, key, route, body_mac, account_id, status, sealed, at, expires_at, problem) "
        "VALUES ($1, $2, $3, $4, $5, $6::int4, $7, $8, $9, $10)", 10 },
    [S_ERASE] = { "idempotency.erase",
        "UPDATE idempotency SET sealed = NULL WHERE account_id = $1 AND sealed IS NOT NULL", 1 },
};
const struct pg_stmts town_door_stmts = PG_STMTS(stmts);

struct kept_call
kept_call_of(const struct door *d, const char *key, const char *route)
{
    return (struct kept_call){ d->idp->pepper, d->town.id, key, route, http_body(d->req) };
}

/* A body may hold a name and an address: who has the table alone cannot try guesses on it. */
static enum err
body_mac(const struct kept_call *call, int version, unsigned char out[MAC_LEN])
{
    return mac_compute(call->pepper, version, "idempotency.body", call->body, out);
}

static bool
same_body(const struct kept_call *call, struct str stored)
{
    unsigned char digest[SHA256_LEN];

    for (int v = keyring_current(call->pepper); v >= keyring_oldest(call->pepper); v--) {
        unsigned char mac[MAC_LEN];

        if (body_mac(call, v, mac) == OK && mem_equal_ct(mac, sizeof(mac), stored.p, stored.n))
            return true;
    }
    sha256(call->body, digest);          /* kept before migration 6: a day at most */
    return mem_equal_ct(digest, sizeof(digest), stored.p, stored.n);
}

enum err
kept_reply_find(struct pg *pg, const struct kept_call *call, struct arena *a, struct kept_reply *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    struct str sealed;
    enum err e;

    pg_arg_uuid(&args, call->town_id);
    pg_arg_text(&args, call->key);
    if ((e = pg_exec(pg, &stmts[S_FIND], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return ERR_NOT_FOUND;
    if (strcmp(pg_text(r, 0, 0), call->route) != 0 || !same_body(call, pg_str(r, 0, 1)))
        return why_code(why, ERR_CONFLICT, "idempotency.body", "this Idempotency-Key was used for another call");
    pg_uuid(r, 0, 2, ret->account_id);
    ret->status = (int)pg_i64(r, 0, 3);
    sealed = pg_str(r, 0, 4);
    ret->sealed = pg_is_null(r, 0, 4) ? NULL : arena_str(a, sealed);
    ret->problem = arena_strdup(a, pg_text(r, 0, 5));
    return OK;
}

enum err
kept_reply_add(struct pg *pg, const struct kept_call *call, const struct kept_reply *reply, utime now, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;
    unsigned char mac[MAC_LEN];
    enum err e;

    if ((e = body_mac(call, keyring_current(call->pepper), mac)) != OK)
        return why_set(why, e, "no pepper");
    pg_arg_uuid(&args, call->town_id);
    pg_arg_text(&args, call->key);
    pg_arg_text(&args, call->route);
    pg_arg_bytes(&args, mac, sizeof(mac));
    pg_arg_uuid(&args, reply->account_id);
    pg_arg_i32(&args, reply->status);
    if (reply->sealed != NULL)
        pg_arg_bytes(&args, reply->sealed, strlen(reply->sealed));
    else
        pg_arg_null(&args);
    pg_arg_time(&args, now);
    pg_arg_time(&args, now + KEPT_FOR);
    pg_arg_text(&args, reply->problem != NULL ? reply->problem : "");
    return pg_post(pg, &stmts[S_ADD], &args, why);
}

enum err
kept_reply_erase(struct pg *pg, const char *account_id, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, account_id);
    return pg_post(pg, &stmts[S_ERASE], &args, why);
}
