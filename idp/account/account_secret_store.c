/* account_secret_store: the table secret. Codes arrive folded, leave as keyed hashes, and are never logged (K6). */
#include "idp/account/account-internal.h"

#include <stdio.h>

#include "base/core/rand.h"
#include "base/core/secret.h"

enum { S_INSERT, S_FIND, S_USE, S_END, S_SHEET, S_SHEET_WRONG, S_EXPOSED, S_NEWEST, S_WRONG };
static const struct pg_stmt stmts[] = {
    [S_INSERT] = { "secret.insert",
        "INSERT INTO secret (id, account_id, kind, mac, mac_version, issued_at, expires_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7)", 7 },
    [S_FIND] = { "secret.find",
        "SELECT id, account_id, state, expires_at, ended_at FROM secret "
        "WHERE kind = $1 AND mac_version = $2 AND mac = $3", 3 },
    [S_USE] = { "secret.use",
        "UPDATE secret SET state = 'used', ended_at = $2 WHERE id = $1 AND state = 'live'", 2 },
    [S_END] = { "secret.end",
        "UPDATE secret SET state = $3, ended_at = $4 WHERE account_id = $1 AND kind = ANY ($2) AND state = 'live'", 4 },
    [S_SHEET] = { "secret.sheet",
        "SELECT mac, mac_version, tries FROM secret WHERE account_id = $1 AND kind = 'sheet' AND state = 'live'", 1 },
    [S_SHEET_WRONG] = { "secret.sheet_wrong",
        "UPDATE secret SET tries = tries + 1 WHERE account_id = $1 AND kind = 'sheet' AND state = 'live'", 1 },
    [S_NEWEST] = { "secret.newest",
        "SELECT state, mac, mac_version FROM secret WHERE account_id = $1 AND kind = $2 ORDER BY issued_at DESC, state = 'live' DESC "
        "LIMIT 1", 2 },
    [S_WRONG] = { "secret.wrong",
        "UPDATE secret SET tries = tries + 1, state = CASE WHEN tries + 1 >= $3::int4 THEN 'locked' ELSE state END, "
        "ended_at = CASE WHEN tries + 1 >= $3::int4 THEN $4::timestamptz ELSE ended_at END "
        "WHERE account_id = $1 AND kind = $2 AND state = 'live' RETURNING tries", 4 },
    [S_EXPOSED] = { "secret.exposed", "UPDATE secret SET exposed = true WHERE id = $1", 1 },
};
const struct pg_stmts account_secret_stmts = PG_STMTS(stmts);

static enum err
code_mac(const struct keyring *pepper, int version, const char *kind, const char *folded, unsigned char out[MAC_LEN])
{
    char label[48];

    snprintf(label, sizeof(label), "code.%s", kind);
    return mac_compute(pepper, version, label, str_of(folded), out);
}

/* A sheet number has four digits, a PIN eight: their hash is bound to the account, so that equal ones look different. */
static bool
is_bound(const char *kind)
{
    return strcmp(kind, "sheet") == 0 || strcmp(kind, "reactivation_pin") == 0;
}

static enum err
bound_mac(const struct keyring *pepper, int version, const char *kind, const char *account_id, const char *folded,
          unsigned char out[MAC_LEN])
{
    char value[64], label[48];

    snprintf(label, sizeof(label), "code.%s", kind);
    snprintf(value, sizeof(value), "%s %s", account_id, folded);
    return mac_compute(pepper, version, label, str_of(value), out);
}

enum err
secret_store_insert(struct pg *pg, const struct keyring *pepper, const char *account_id, const char *kind,
                    const char *folded, utime now, utime expires, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;
    unsigned char mac[MAC_LEN];
    int version = keyring_current(pepper);
    char id[37];
    enum err e;

    e = is_bound(kind) ? bound_mac(pepper, version, kind, account_id, folded, mac)
                       : code_mac(pepper, version, kind, folded, mac);
    if (e != OK)
        return why_set(why, e, "no pepper of version %d", version);
    rand_uuid(id);
    pg_arg_uuid(&args, id);
    pg_arg_uuid(&args, account_id);
    pg_arg_text(&args, kind);
    pg_arg_bytes(&args, mac, sizeof(mac));
    pg_arg_i32(&args, version);
    pg_arg_time(&args, now);
    pg_arg_time(&args, expires);
    return pg_post(pg, &stmts[S_INSERT], &args, why);
}

enum err
secret_store_use(struct pg *pg, const char *secret_id, utime now, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, secret_id);
    pg_arg_time(&args, now);
    if ((e = pg_exec(pg, &stmts[S_USE], &args, &r, why)) != OK)
        return e;
    if (pg_affected(r) != 1)
        return why_code(why, ERR_CONFLICT, "secret.used", "the code was used meanwhile");
    return OK;
}

enum err
secret_store_end(struct pg *pg, const char *account_id, const char *const *kinds, const char *state, utime now,
                 struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;
    size_t n = 0;

    while (kinds[n] != NULL)
        n++;
    pg_arg_uuid(&args, account_id);
    pg_arg_texts(&args, kinds, n);
    pg_arg_text(&args, state);
    pg_arg_time(&args, now);
    return pg_post(pg, &stmts[S_END], &args, why);
}

static enum secret_verdict
verdict_read(const char *state, utime expires, utime now)
{
    if (strcmp(state, "used") == 0)
        return SECRET_USED;
    if (strcmp(state, "superseded") == 0)
        return SECRET_SUPERSEDED;
    if (strcmp(state, "locked") == 0)
        return SECRET_LOCKED;
    if (strcmp(state, "expired") == 0 || (expires != UTIME_NULL && expires <= now))
        return SECRET_EXPIRED;
    return SECRET_LIVE;
}

enum err
secret_find(struct pg *pg, const struct keyring *pepper, const char *kind, const char *folded, utime now,
            struct secret_row *ret, struct why *why)
{
    for (int v = keyring_current(pepper); v >= keyring_oldest(pepper); v--) {
        AUTO(pg_result_freep) struct pg_result *r = NULL;
        struct pg_args args = PG_ARGS_INIT;
        unsigned char mac[MAC_LEN];
        enum err e;

        if (code_mac(pepper, v, kind, folded, mac) != OK)
            continue;       /* a version that was withdrawn: its codes are dead */
        pg_arg_text(&args, kind);
        pg_arg_i32(&args, v);
        pg_arg_bytes(&args, mac, sizeof(mac));
        if ((e = pg_exec(pg, &stmts[S_FIND], &args, &r, why)) != OK)
            return e;
        if (pg_rows(r) == 0)
            continue;
        pg_uuid(r, 0, 0, ret->id);
        pg_uuid(r, 0, 1, ret->account_id);
        ret->state = verdict_read(pg_text(r, 0, 2), pg_time(r, 0, 3), now);
        ret->ended_at = pg_time(r, 0, 4);
        return OK;
    }
    ret->state = SECRET_UNKNOWN;
    ret->id[0] = ret->account_id[0] = '\0';
    ret->ended_at = UTIME_NULL;
    return OK;
}

enum err
secret_sheet_check(struct pg *pg, const struct keyring *pepper, const char *account_id, const char *typed,
                   struct sheet_check *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    unsigned char mac[MAC_LEN];
    char folded[CODE_FOLDED_MAX];
    struct str stored;
    enum err e;

    pg_arg_uuid(&args, account_id);
    if ((e = pg_exec(pg, &stmts[S_SHEET], &args, &r, why)) != OK)
        return e;
    ret->needed = pg_rows(r) > 0;
    ret->spent = ret->needed && pg_i64(r, 0, 2) >= SHEET_TRIES;
    ret->ok = !ret->needed;
    if (!ret->needed || ret->spent || typed == NULL || code_read(CODE_SHEET, str_of(typed), folded, NULL) != CODE_GOOD)
        return OK;
    if ((e = bound_mac(pepper, (int)pg_i64(r, 0, 1), "sheet", account_id, folded, mac)) != OK)
        return why_set(why, e, "the pepper of this sheet number was withdrawn");
    stored = pg_str(r, 0, 0);
    ret->ok = mem_equal_ct(mac, sizeof(mac), stored.p, stored.n);
    return OK;
}

enum err
secret_sheet_wrong(struct pg *pg, const char *account_id, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, account_id);
    return pg_exec(pg, &stmts[S_SHEET_WRONG], &args, NULL, why);
}

/* The newest code of its kind is no longer live: too many tries, or it was used or replaced. */
static void
not_live(const char *state, struct reactivation_try *ret)
{
    ret->code = strcmp(state, "locked") == 0 ? "secret.locked" : "secret.superseded";
}

static enum err
count_wrong(struct pg *pg, const char *account_id, const char *kind, utime now, struct reactivation_try *ret,
            struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, account_id);
    pg_arg_text(&args, kind);
    pg_arg_i32(&args, REACTIVATION_TRIES);
    pg_arg_time(&args, now);
    if ((e = pg_exec(pg, &stmts[S_WRONG], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) != 1)
        return why_set(why, ERR_INTERNAL, "no live %s to count a try of", kind);
    ret->counted = true;
    ret->left = REACTIVATION_TRIES - (int)pg_i64(r, 0, 0);
    ret->pin = strcmp(kind, "reactivation_pin") == 0;
    ret->locked = ret->left <= 0;
    ret->code = ret->locked ? "secret.locked" : "secret.wrong";
    return ret->locked ? account_store_change(pg, account_id, "locked", now, why) : OK;
}

static enum err
newest(struct pg *pg, const char *account_id, const char *kind, struct pg_result **ret, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, account_id);
    pg_arg_text(&args, kind);
    return pg_exec(pg, &stmts[S_NEWEST], &args, ret, why);
}

/* ret->good: the live one of this account. A former one of it is told as such, and not counted: it was no guess. */
static enum err
otp_try(struct pg *pg, const struct keyring *pepper, const char *account_id, const char *otp, utime now,
        struct reactivation_try *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct secret_row found;
    bool own;
    enum err e;

    if ((e = newest(pg, account_id, "reactivation_otp", &r, why)) != OK ||
        (e = secret_find(pg, pepper, "reactivation_otp", otp, now, &found, why)) != OK)
        return e;
    own = found.state != SECRET_UNKNOWN && strcmp(found.account_id, account_id) == 0;
    ret->good = own && found.state == SECRET_LIVE;
    if (ret->good)
        return OK;
    if (pg_rows(r) == 0 || strcmp(pg_text(r, 0, 0), "live") != 0) {
        not_live(pg_rows(r) == 0 ? "" : pg_text(r, 0, 0), ret);
        return OK;
    }
    if (own) {
        not_live("used", ret);
        return OK;
    }
    return count_wrong(pg, account_id, "reactivation_otp", now, ret, why);
}

static enum err
pin_try(struct pg *pg, const struct keyring *pepper, const char *account_id, const char *pin, utime now,
        struct reactivation_try *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    unsigned char mac[MAC_LEN];
    struct str stored;
    enum err e;

    ret->good = false;
    if ((e = newest(pg, account_id, "reactivation_pin", &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0 || strcmp(pg_text(r, 0, 0), "live") != 0) {
        not_live(pg_rows(r) == 0 ? "" : pg_text(r, 0, 0), ret);
        return OK;
    }
    if ((e = bound_mac(pepper, (int)pg_i64(r, 0, 2), "reactivation_pin", account_id, pin, mac)) != OK)
        return why_set(why, e, "the pepper of this PIN was withdrawn");
    stored = pg_str(r, 0, 1);
    ret->good = mem_equal_ct(mac, sizeof(mac), stored.p, stored.n);
    return ret->good ? OK : count_wrong(pg, account_id, "reactivation_pin", now, ret, why);
}

enum err
secret_reactivation_try(struct pg *pg, const struct keyring *pepper, const char *account_id, const char *otp, const char *pin,
                        utime now, struct reactivation_try *ret, struct why *why)
{
    struct reactivation_try t = { .code = "", .left = -1 };
    enum err e;

    if ((e = otp_try(pg, pepper, account_id, otp, now, &t, why)) != OK ||
        (t.good && pin != NULL && (e = pin_try(pg, pepper, account_id, pin, now, &t, why)) != OK))
        return e;
    *ret = t;
    return OK;
}

enum err
secret_exposed(struct pg *pg, const char *secret_id, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, secret_id);
    return pg_post(pg, &stmts[S_EXPOSED], &args, why);
}
