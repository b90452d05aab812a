/* x509_store: the tables account_x509 and card_record. */
#include "idp/account/x509.h"

#define NAMES_PLACE "account_x509.names"

enum { S_PUT, S_FIND, S_FORGET, S_CARD };
static const struct pg_stmt stmts[] = {
    [S_PUT] = { "account_x509.put",
        "INSERT INTO account_x509 (account_id, profile, names_sealed) VALUES ($1, $2, $3) "
        "ON CONFLICT (account_id) DO UPDATE SET profile = excluded.profile, names_sealed = excluded.names_sealed", 3 },
    [S_FIND] = { "account_x509.find", "SELECT profile, names_sealed FROM account_x509 WHERE account_id = $1", 1 },
    [S_FORGET] = { "account_x509.forget", "UPDATE account_x509 SET names_sealed = NULL WHERE account_id = $1", 1 },
    [S_CARD] = { "card_record.add",
        "INSERT INTO card_record (account_id, key_id, sealed, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING", 4 },
};
const struct pg_stmts account_x509_stmts = PG_STMTS(stmts);

enum err
account_x509_put(struct pg *pg, const struct keyring *field, const char *account_id, const char *profile, struct str names,
                 struct why *why)
{
    AUTO(buf_free) struct buf sealed = BUF_BOUNDED(ACCOUNT_NAMES_MAX + COLUMN_OVERHEAD);
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    if (names.p != NULL && (e = column_seal(field, NAMES_PLACE, account_id, names, &sealed)) != OK)
        return why_set(why, e, "the names cannot be sealed");
    pg_arg_uuid(&args, account_id);
    pg_arg_text(&args, profile);
    if (names.p != NULL)
        pg_arg_buf(&args, &sealed);
    else
        pg_arg_null(&args);
    return pg_post(pg, &stmts[S_PUT], &args, why);
}

enum err
account_x509_find(struct pg *pg, const struct keyring *field, const char *account_id, struct arena *a,
                  struct account_x509 *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    AUTO(buf_free) struct buf plain = BUF_SECRET(ACCOUNT_NAMES_MAX);
    struct account_x509 found = { .names = { NULL, 0 } };
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, account_id);
    if ((e = pg_exec(pg, &stmts[S_FIND], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_code(why, ERR_NOT_FOUND, "account.type", "no account of type x509_soft");
    found.named = strcmp(pg_text(r, 0, 0), "named") == 0;
    if (!pg_is_null(r, 0, 1)) {
        if ((e = column_open(field, NAMES_PLACE, account_id, pg_str(r, 0, 1), &plain, why)) != OK)
            return e;
        found.names = str_of(arena_str(a, buf_view(&plain)));
    }
    *ret = found;
    return OK;
}

enum err
account_x509_forget_names(struct pg *pg, const char *account_id, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, account_id);
    return pg_post(pg, &stmts[S_FORGET], &args, why);
}

enum err
card_record_add(struct pg *pg, const char *account_id, const char *key_id, struct str sealed, utime now, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, account_id);
    pg_arg_text(&args, key_id);
    pg_arg_bytes(&args, sealed.p, sealed.n);
    pg_arg_time(&args, now);
    if ((e = pg_exec(pg, &stmts[S_CARD], &args, &r, why)) != OK)
        return e;
    return pg_affected(r) == 1 ? OK : why_code(why, ERR_CONFLICT, "account.card", "a card was asked for, and is being made");
}
