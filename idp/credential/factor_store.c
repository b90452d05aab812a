/* factor_store: the tables factor_totp, factor_passkey, factor_recovery and factor_challenge. */
#include "idp/credential/factor-internal.h"

enum {
    S_LOCK, S_STANDS, S_TOTP, S_TOTP_USED, S_TOTP_INSERT, S_PASSKEYS, S_PASSKEY_USED, S_PASSKEY_INSERT, S_PASSKEY_COUNT,
    S_PASSKEY_REMOVE, S_TOTP_REMOVE, S_CODES_DROP, S_CODE_INSERT, S_CODE_USE, S_CHALLENGE, S_ANSWERED, S_SUMMARY
};
static const struct pg_stmt stmts[] = {
    [S_LOCK] = { "factor.lock",
        "SELECT EXISTS (SELECT FROM factor_totp WHERE account_id = $1)::int4 + "
        "2 * EXISTS (SELECT FROM factor_passkey WHERE account_id = $1)::int4 + "
        "4 * EXISTS (SELECT FROM factor_recovery WHERE account_id = $1)::int4 "
        "FROM account a JOIN login l ON l.account_id = a.id WHERE a.id = $1 AND a.state = 'active' FOR UPDATE OF a", 1 },
    [S_STANDS] = { "factor.stands",
        "SELECT FROM login l WHERE l.account_id = $1 AND l.changed_at <= $2 AND "
        "(EXISTS (SELECT FROM factor_totp WHERE account_id = $1) OR EXISTS (SELECT FROM factor_passkey WHERE account_id = $1))", 2 },
    [S_TOTP] = { "factor.totp", "SELECT key_sealed, last_step FROM factor_totp WHERE account_id = $1 FOR UPDATE", 1 },
    [S_TOTP_USED] = { "factor.totp_used",
        "UPDATE factor_totp SET last_step = $2, used_at = $3 WHERE account_id = $1 AND last_step < $2", 3 },
    [S_TOTP_INSERT] = { "factor.totp_insert",
        "INSERT INTO factor_totp (account_id, key_sealed, last_step, added_at) VALUES ($1, $2, $3, $4)", 4 },
    [S_PASSKEYS] = { "factor.passkeys",
        "SELECT id, name_sealed, added_at, used_at, credential_id, alg, public_key, sign_count FROM factor_passkey "
        "WHERE account_id = $1 ORDER BY added_at, id", 1 },
    /* The counter only goes up, whoever else uses it at this instant. */
    [S_PASSKEY_USED] = { "factor.passkey_used",
        "UPDATE factor_passkey SET sign_count = $3, used_at = $4 WHERE id = $1 AND account_id = $2 "
        "AND (sign_count < $3 OR (sign_count = 0 AND $3 = 0::int8))", 4 },
    [S_PASSKEY_INSERT] = { "factor.passkey_insert",
        "INSERT INTO factor_passkey (id, account_id, credential_id, alg, public_key, sign_count, name_sealed, added_at) "
        "VALUES ($1, $2, $3, $4::int4, $5, $6, $7, $8) ON CONFLICT (credential_id) DO NOTHING", 8 },
    [S_PASSKEY_COUNT] = { "factor.passkey_count", "SELECT count(*) FROM factor_passkey WHERE account_id = $1", 1 },
    [S_PASSKEY_REMOVE] = { "factor.passkey_remove", "DELETE FROM factor_passkey WHERE account_id = $1 AND id = $2", 2 },
    [S_TOTP_REMOVE] = { "factor.totp_remove", "DELETE FROM factor_totp WHERE account_id = $1", 1 },
    [S_CODES_DROP] = { "factor.codes_drop", "DELETE FROM factor_recovery WHERE account_id = $1", 1 },
    [S_CODE_INSERT] = { "factor.code_insert",
        "INSERT INTO factor_recovery (account_id, mac, mac_version, added_at) VALUES ($1, $2, $3::int4, $4)", 4 },
    [S_CODE_USE] = { "factor.code_use",
        "UPDATE factor_recovery SET used_at = $4 WHERE account_id = $1 AND mac = $2 AND mac_version = $3::int4 "
        "AND used_at IS NULL", 4 },
    [S_CHALLENGE] = { "factor.challenge",
        "INSERT INTO factor_challenge (id, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING", 2 },
    [S_ANSWERED] = { "factor.answered", "SELECT EXISTS (SELECT FROM factor_challenge WHERE id = $1)", 1 },
    [S_SUMMARY] = { "factor.summary",
        "SELECT t.added_at, t.used_at, (SELECT count(*) FROM factor_recovery r WHERE r.account_id = $1 AND r.used_at IS NULL) "
        "FROM (SELECT 1) one LEFT JOIN factor_totp t ON t.account_id = $1", 1 },
};
const struct pg_stmts factor_stmts = PG_STMTS(stmts);

enum err
factor_store_lock(struct pg *pg, const char *account_id, unsigned *ret_kinds, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, account_id);
    if ((e = pg_exec(pg, &stmts[S_LOCK], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_code(why, ERR_NOT_FOUND, "factor.account", "no active account with user name and password");
    *ret_kinds = (unsigned)pg_i64(r, 0, 0);
    return OK;
}

enum err
factor_proof_stands(struct pg *pg, const char *account_id, utime at, bool *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, account_id);
    pg_arg_time(&args, at);
    if ((e = pg_exec(pg, &stmts[S_STANDS], &args, &r, why)) == OK)
        *ret = pg_rows(r) == 1;
    return e;
}

/* --- the program that shows codes ------------------------------------------------------------------------------------ */

enum err
factor_store_totp(struct pg *pg, const char *account_id, struct buf *ret_sealed, int64_t *ret_last_step, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, account_id);
    if ((e = pg_exec(pg, &stmts[S_TOTP], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_code(why, ERR_NOT_FOUND, "factor.totp", "the account has no program that shows codes");
    buf_add_str(ret_sealed, pg_str(r, 0, 0));
    *ret_last_step = pg_i64(r, 0, 1);
    return OK;
}

enum err
factor_store_totp_used(struct pg *pg, const char *account_id, int64_t step, utime now, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, account_id);
    pg_arg_i64(&args, step);
    pg_arg_time(&args, now);
    if ((e = pg_exec(pg, &stmts[S_TOTP_USED], &args, &r, why)) != OK)
        return e;
    return pg_affected(r) == 1 ? OK : why_code(why, ERR_DENIED, "factor.used", "the code was used meanwhile");
}

enum err
factor_store_totp_insert(struct pg *pg, const char *account_id, const struct buf *sealed, int64_t step, utime now,
                         struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, account_id);
    pg_arg_buf(&args, sealed);
    pg_arg_i64(&args, step);
    pg_arg_time(&args, now);
    return pg_exec(pg, &stmts[S_TOTP_INSERT], &args, NULL, why);
}

/* --- passkeys ---------------------------------------------------------------------------------------------------------- */

static void
bytes_read(struct str in, unsigned char *out, size_t max, size_t *ret_n)
{
    CHECK(in.n <= max);
    memcpy(out, in.p, in.n);
    *ret_n = in.n;
}

static enum err
passkey_read(const struct pg_result *r, int row, const struct keyring *field, struct arena *a, struct passkey *ret,
             struct why *why)
{
    AUTO(buf_free) struct buf name = BUF_BOUNDED(512);
    enum err e;

    memset(ret, 0, sizeof(*ret));
    pg_uuid(r, row, 0, ret->id);
    if ((e = column_open(field, "passkey.name", ret->id, pg_str(r, row, 1), &name, why)) != OK)
        return e;
    ret->name = arena_strdup(a, buf_cstr(&name));
    ret->added_at = pg_time(r, row, 2);
    ret->used_at = pg_time(r, row, 3);
    bytes_read(pg_str(r, row, 4), ret->credential.id, sizeof(ret->credential.id), &ret->credential.id_len);
    ret->credential.alg = (int)pg_i64(r, row, 5);
    bytes_read(pg_str(r, row, 6), ret->credential.key, sizeof(ret->credential.key), &ret->credential.key_len);
    ret->credential.sign_count = (uint32_t)pg_i64(r, row, 7);
    return OK;
}

enum err
factors_load(struct pg *pg, const struct keyring *field, const char *account_id, struct arena *a, struct factors *ret,
             struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *summary = NULL;
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    struct factors f = { .totp = false };
    enum err e;

    pg_arg_uuid(&args, account_id);
    if ((e = pg_exec(pg, &stmts[S_SUMMARY], &args, &summary, why)) != OK)
        return e;
    f.totp = !pg_is_null(summary, 0, 0);
    f.totp_added_at = pg_time(summary, 0, 0);
    f.totp_used_at = pg_time(summary, 0, 1);
    f.recovery = pg_i64(summary, 0, 2);
    args = (struct pg_args)PG_ARGS_INIT;
    pg_arg_uuid(&args, account_id);
    if ((e = pg_exec(pg, &stmts[S_PASSKEYS], &args, &r, why)) != OK)
        return e;
    f.npasskeys = (size_t)pg_rows(r);
    f.passkeys = arena_alloc(a, (f.npasskeys + 1) * sizeof(*f.passkeys));
    for (size_t i = 0; i < f.npasskeys; i++) {
        if ((e = passkey_read(r, (int)i, field, a, &f.passkeys[i], why)) != OK)
            return e;
    }
    *ret = f;
    return OK;
}

enum err
factor_passkey_use(struct pg *pg, const struct passkey *k, const char *account_id, uint32_t count, const char *challenge,
                   utime challenge_until, utime now, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    bool fresh;
    enum err e;

    if ((e = factor_store_challenge(pg, challenge, challenge_until, &fresh, why)) != OK)
        return e;
    if (!fresh)
        return why_code(why, ERR_DENIED, "factor.challenge", "the challenge was answered before");
    pg_arg_uuid(&args, k->id);
    pg_arg_uuid(&args, account_id);
    pg_arg_i64(&args, count);
    pg_arg_time(&args, now);
    if ((e = pg_exec(pg, &stmts[S_PASSKEY_USED], &args, &r, why)) != OK)
        return e;
    return pg_affected(r) == 1 ? OK : why_code(why, ERR_DENIED, "factor.challenge", "the passkey was used meanwhile");
}

enum err
factor_store_passkey_insert(struct pg *pg, const char *account_id, const char *id, const struct webauthn_credential *c,
                            const struct buf *name_sealed, utime now, bool *ret_new, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, id);
    pg_arg_uuid(&args, account_id);
    pg_arg_bytes(&args, c->id, c->id_len);
    pg_arg_i32(&args, c->alg);
    pg_arg_bytes(&args, c->key, c->key_len);
    pg_arg_i64(&args, c->sign_count);
    pg_arg_buf(&args, name_sealed);
    pg_arg_time(&args, now);
    if ((e = pg_exec(pg, &stmts[S_PASSKEY_INSERT], &args, &r, why)) == OK)
        *ret_new = pg_affected(r) == 1;
    return e;
}

enum err
factor_store_passkey_count(struct pg *pg, const char *account_id, int64_t *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, account_id);
    if ((e = pg_exec(pg, &stmts[S_PASSKEY_COUNT], &args, &r, why)) == OK)
        *ret = pg_i64(r, 0, 0);
    return e;
}

enum err
factor_store_remove(struct pg *pg, const char *account_id, const char *id, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, account_id);
    if (id != NULL)
        pg_arg_uuid(&args, id);
    if ((e = pg_exec(pg, &stmts[id != NULL ? S_PASSKEY_REMOVE : S_TOTP_REMOVE], &args, &r, why)) != OK)
        return e;
    return pg_affected(r) == 1 ? OK : why_code(why, ERR_NOT_FOUND, "factor.none", "the account has no such factor");
}

/* --- recovery codes, challenges ------------------------------------------------------------------------------------------ */

enum err
factor_store_codes_drop(struct pg *pg, const char *account_id, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, account_id);
    return pg_post(pg, &stmts[S_CODES_DROP], &args, why);
}

enum err
factor_store_code_insert(struct pg *pg, const char *account_id, const unsigned char mac[MAC_LEN], int version, utime now,
                         struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, account_id);
    pg_arg_bytes(&args, mac, MAC_LEN);
    pg_arg_i32(&args, version);
    pg_arg_time(&args, now);
    return pg_post(pg, &stmts[S_CODE_INSERT], &args, why);
}

enum err
factor_store_code_use(struct pg *pg, const char *account_id, const unsigned char mac[MAC_LEN], int version, utime now,
                      bool *ret_used, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, account_id);
    pg_arg_bytes(&args, mac, MAC_LEN);
    pg_arg_i32(&args, version);
    pg_arg_time(&args, now);
    if ((e = pg_exec(pg, &stmts[S_CODE_USE], &args, &r, why)) == OK)
        *ret_used = pg_affected(r) == 1;
    return e;
}

enum err
factor_store_challenge(struct pg *pg, const char *id, utime until, bool *ret_new, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_text(&args, id);
    pg_arg_time(&args, until);
    if ((e = pg_exec(pg, &stmts[S_CHALLENGE], &args, &r, why)) == OK)
        *ret_new = pg_affected(r) == 1;
    return e;
}

enum err
factor_challenge_answered(struct pg *pg, const char *id, bool *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_text(&args, id);
    if ((e = pg_exec(pg, &stmts[S_ANSWERED], &args, &r, why)) == OK)
        *ret = pg_bool(r, 0, 0);
    return e;
}
