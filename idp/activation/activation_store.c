/* activation_store: the tables creation_binding, activation_link and mail_in. Addresses are sealed. */
#include "idp/activation/activation-internal.h"

#include <stdio.h>

enum {
    S_MAIL_ADD, S_MAIL_SEEN, S_MAIL_COUNT, S_BIND_FIND, S_BIND_ADD, S_BIND_EMAIL, S_LINK_COUNT,
    S_LINK_SUPERSEDE, S_LINK_ADD, S_LINK_FIND, S_LINK_LOCK, S_LINK_WRONG, S_LINK_OPEN, S_LINK_USED
};
#define LINK_COLUMNS                                                                                         \
    "account_id, secret_id, code_mac, mac_version, state, stage_digest, tries, expires_at "                     \
    "FROM activation_link WHERE token_digest = $1"
static const struct pg_stmt stmts[] = {
    [S_MAIL_ADD] = { "mail_in.add",
        "INSERT INTO mail_in (digest, at, verdict, from_mac, dmarc) VALUES ($1, $2, $3, $4, $5)", 5 },
    [S_MAIL_SEEN] = { "mail_in.seen", "SELECT FROM mail_in WHERE digest = $1", 1 },
    [S_MAIL_COUNT] = { "mail_in.count",
        "SELECT count(*) FROM mail_in WHERE from_mac = $1 AND verdict = $2 AND at > $3", 3 },
    [S_BIND_FIND] = { "binding.find",
        "SELECT email_sealed, email_mac, mac_version FROM creation_binding WHERE secret_id = $1", 1 },
    [S_BIND_ADD] = { "binding.add",
        "WITH bound AS (INSERT INTO creation_binding (secret_id, account_id, email_sealed, email_mac, mac_version, "
        "first_at) VALUES ($1, $2, $3, $4, $5, $6) RETURNING account_id, first_at) "
        "INSERT INTO audit_event (at, actor, role, verb, object, result, detail) "
        "SELECT first_at, 'citizen', '', 'account.bind', 'account:' || account_id, 'ok', '{}' FROM bound", 6 },
    [S_BIND_EMAIL] = { "binding.email",
        "SELECT secret_id, email_sealed FROM creation_binding WHERE account_id = $1 ORDER BY first_at DESC LIMIT 1", 1 },
    [S_LINK_COUNT] = { "link.count",
        "SELECT count(*) FROM activation_link WHERE account_id = $1 AND issued_at > $2", 2 },
    [S_LINK_SUPERSEDE] = { "link.supersede",
        "UPDATE activation_link SET state = 'superseded' WHERE account_id = $1 AND state IN ('live', 'opened')", 1 },
    [S_LINK_ADD] = { "link.add",
        "INSERT INTO activation_link (token_digest, account_id, secret_id, code_mac, mac_version, issued_at, "
        "expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)", 7 },
    [S_LINK_FIND] = { "link.find", "SELECT " LINK_COLUMNS, 1 },
    [S_LINK_LOCK] = { "link.lock", "SELECT " LINK_COLUMNS " FOR UPDATE", 1 },
    [S_LINK_WRONG] = { "link.wrong",
        "UPDATE activation_link SET tries = tries + 1, state = CASE WHEN tries + 1 >= $2::int4 THEN 'locked' "
        "ELSE state END WHERE token_digest = $1 AND state IN ('live', 'opened') RETURNING tries", 2 },
    [S_LINK_OPEN] = { "link.open",
        "UPDATE activation_link SET state = 'opened', stage_digest = $2, expires_at = greatest(expires_at, $3) "
        "WHERE token_digest = $1 AND state IN ('live', 'opened')", 3 },
    [S_LINK_USED] = { "link.used",
        "UPDATE activation_link SET state = 'used' WHERE token_digest = $1 AND state = 'opened'", 1 },
};
const struct pg_stmts activation_stmts = PG_STMTS(stmts);

enum err
mail_in_store_add(struct pg *pg, const unsigned char digest[32], const char *verdict, const unsigned char *from_mac,
                  const char *dmarc, utime now, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_bytes(&args, digest, 32);
    pg_arg_time(&args, now);
    pg_arg_text(&args, verdict);
    if (from_mac == NULL)
        pg_arg_null(&args);
    else
        pg_arg_bytes(&args, from_mac, MAC_LEN);
    pg_arg_text(&args, dmarc);
    return pg_exec(pg, &stmts[S_MAIL_ADD], &args, NULL, why);
}

enum err
mail_in_store_seen(struct pg *pg, const unsigned char digest[32], bool *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_bytes(&args, digest, 32);
    if ((e = pg_exec(pg, &stmts[S_MAIL_SEEN], &args, &r, why)) != OK)
        return e;
    *ret = pg_rows(r) > 0;
    return OK;
}

enum err
mail_in_store_count(struct pg *pg, const unsigned char from_mac[MAC_LEN], const char *verdict, utime since,
                    int64_t *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_bytes(&args, from_mac, MAC_LEN);
    pg_arg_text(&args, verdict);
    pg_arg_time(&args, since);
    if ((e = pg_exec(pg, &stmts[S_MAIL_COUNT], &args, &r, why)) != OK)
        return e;
    *ret = pg_i64(r, 0, 0);
    return OK;
}

/* --- binding ---------------------------------------------------------------------------------------------------------- */

static enum err
email_open(const struct idp *idp, const char *place, const char *row_id, struct str sealed,
           char ret[MAIL_ADDRESS_MAX + 1], struct why *why)
{
    AUTO(buf_free) struct buf plain = BUF_SECRET(MAIL_ADDRESS_MAX);
    enum err e;

    if ((e = column_open(idp->field, place, row_id, sealed, &plain, why)) != OK)
        return e;
    snprintf(ret, MAIL_ADDRESS_MAX + 1, "%s", buf_cstr(&plain));
    return OK;
}

enum err
binding_store_find(const struct idp *idp, struct pg *pg, const char *secret_id, struct binding *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    memset(ret, 0, sizeof(*ret));
    pg_arg_uuid(&args, secret_id);
    if ((e = pg_exec(pg, &stmts[S_BIND_FIND], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return OK;
    if ((e = email_open(idp, "creation_binding.email", secret_id, pg_str(r, 0, 0), ret->email, why)) != OK)
        return e;
    CHECK(pg_str(r, 0, 1).n == MAC_LEN);
    memcpy(ret->email_mac, pg_str(r, 0, 1).p, MAC_LEN);
    ret->mac_version = (int)pg_i64(r, 0, 2);
    ret->bound = true;
    return OK;
}

enum err
binding_store_add(const struct idp *idp, struct pg *pg, const char *secret_id, const char *account_id,
                  const char *email, utime now, struct why *why)
{
    AUTO(buf_free) struct buf sealed = BUF_BOUNDED(1024);
    struct pg_args args = PG_ARGS_INIT;
    unsigned char mac[MAC_LEN];
    int version = keyring_current(idp->pepper);
    enum err e;

    if ((e = address_mac(idp->pepper, version, email, mac)) != OK ||
        (e = column_seal(idp->field, "creation_binding.email", secret_id, str_of(email), &sealed)) != OK)
        return why_set(why, e, "the address cannot be sealed");
    pg_arg_uuid(&args, secret_id);
    pg_arg_uuid(&args, account_id);
    pg_arg_buf(&args, &sealed);
    pg_arg_bytes(&args, mac, sizeof(mac));
    pg_arg_i32(&args, version);
    pg_arg_time(&args, now);
    return pg_exec(pg, &stmts[S_BIND_ADD], &args, NULL, why);
}

enum err
binding_store_email_of_account(const struct idp *idp, struct pg *pg, const char *account_id,
                               char ret[MAIL_ADDRESS_MAX + 1], struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    char secret_id[37];
    enum err e;

    pg_arg_uuid(&args, account_id);
    if ((e = pg_exec(pg, &stmts[S_BIND_EMAIL], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_code(why, ERR_NOT_FOUND, "binding.none", "no address is bound to the account");
    pg_uuid(r, 0, 0, secret_id);
    return email_open(idp, "creation_binding.email", secret_id, pg_str(r, 0, 1), ret, why);
}

/* --- links --------------------------------------------------------------------------------------------------------------- */

enum err
link_store_count(struct pg *pg, const char *account_id, utime since, int64_t *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, account_id);
    pg_arg_time(&args, since);
    if ((e = pg_exec(pg, &stmts[S_LINK_COUNT], &args, &r, why)) != OK)
        return e;
    *ret = pg_i64(r, 0, 0);
    return OK;
}

enum err
link_store_supersede(struct pg *pg, const char *account_id, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, account_id);
    return pg_exec(pg, &stmts[S_LINK_SUPERSEDE], &args, NULL, why);
}

enum err
link_store_add(struct pg *pg, const struct activation_link *l, utime now, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_bytes(&args, l->token_digest, sizeof(l->token_digest));
    pg_arg_uuid(&args, l->account_id);
    pg_arg_uuid(&args, l->secret_id);
    pg_arg_bytes(&args, l->code_mac, sizeof(l->code_mac));
    pg_arg_i32(&args, l->mac_version);
    pg_arg_time(&args, now);
    pg_arg_time(&args, l->expires_at);
    return pg_exec(pg, &stmts[S_LINK_ADD], &args, NULL, why);
}

enum err
link_store_find(struct pg *pg, const unsigned char token_digest[32], bool lock, struct activation_link *ret,
                struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_bytes(&args, token_digest, 32);
    if ((e = pg_exec(pg, &stmts[lock ? S_LINK_LOCK : S_LINK_FIND], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_code(why, ERR_NOT_FOUND, "link.unknown", "no such activation link");
    pg_uuid(r, 0, 0, ret->account_id);
    pg_uuid(r, 0, 1, ret->secret_id);
    memcpy(ret->token_digest, token_digest, 32);
    CHECK(pg_str(r, 0, 2).n == MAC_LEN);
    memcpy(ret->code_mac, pg_str(r, 0, 2).p, MAC_LEN);
    ret->mac_version = (int)pg_i64(r, 0, 3);
    snprintf(ret->state, sizeof(ret->state), "%s", pg_text(r, 0, 4));
    ret->staged = pg_str(r, 0, 5).n == 32;
    if (ret->staged)
        memcpy(ret->stage_digest, pg_str(r, 0, 5).p, 32);
    ret->tries = pg_i64(r, 0, 6);
    ret->expires_at = pg_time(r, 0, 7);
    return OK;
}

enum err
link_store_wrong(struct pg *pg, const unsigned char token_digest[32], int64_t *ret_tries, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_bytes(&args, token_digest, 32);
    pg_arg_i32(&args, LINK_TRIES);
    if ((e = pg_exec(pg, &stmts[S_LINK_WRONG], &args, &r, why)) != OK)
        return e;
    *ret_tries = pg_rows(r) == 0 ? LINK_TRIES : pg_i64(r, 0, 0);
    return OK;
}

static enum err
change_one(struct pg *pg, const struct pg_stmt *stmt, struct pg_args *args, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    enum err e;

    if ((e = pg_exec(pg, stmt, args, &r, why)) != OK)
        return e;
    return pg_affected(r) == 1 ? OK : why_code(why, ERR_CONFLICT, "link.changed", "the link changed meanwhile");
}

enum err
link_store_open(struct pg *pg, const unsigned char token_digest[32], const unsigned char stage_digest[32],
                utime until, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_bytes(&args, token_digest, 32);
    pg_arg_bytes(&args, stage_digest, 32);
    pg_arg_time(&args, until);
    return change_one(pg, &stmts[S_LINK_OPEN], &args, why);
}

enum err
link_store_used(struct pg *pg, const unsigned char token_digest[32], struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_bytes(&args, token_digest, 32);
    return change_one(pg, &stmts[S_LINK_USED], &args, why);
}
