/* contact_store: the table contact. */
#include "idp/account/contact.h"

#define EMAIL_MAX 254

enum { S_SET, S_FIND, S_DELETE };
static const struct pg_stmt stmts[] = {
    [S_SET] = { "contact.set",
        "INSERT INTO contact (account_id, purpose, email_sealed, consent_at) VALUES ($1, 'notice', $2, $3) "
        "ON CONFLICT (account_id, purpose) DO UPDATE SET email_sealed = excluded.email_sealed, "
        "consent_at = excluded.consent_at", 3 },
    [S_FIND] = { "contact.find", "SELECT email_sealed FROM contact WHERE account_id = $1 AND purpose = 'notice'", 1 },
    [S_DELETE] = { "contact.delete", "DELETE FROM contact WHERE account_id = $1", 1 },
};
const struct pg_stmts contact_stmts = PG_STMTS(stmts);

enum err
contact_set(struct pg *pg, const struct keyring *field, const char *account_id, const char *email, utime now,
            struct why *why)
{
    AUTO(buf_free) struct buf sealed = BUF_BOUNDED(1024);
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    if ((e = column_seal(field, "contact.email", account_id, str_of(email), &sealed)) != OK)
        return why_set(why, e, "the address cannot be sealed");
    pg_arg_uuid(&args, account_id);
    pg_arg_buf(&args, &sealed);
    pg_arg_time(&args, now);
    return pg_exec(pg, &stmts[S_SET], &args, NULL, why);
}

enum err
contact_find(struct pg *pg, const struct keyring *field, const char *account_id, struct arena *a,
             const char **ret_email, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    AUTO(buf_free) struct buf plain = BUF_SECRET(EMAIL_MAX);
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, account_id);
    if ((e = pg_exec(pg, &stmts[S_FIND], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return ERR_NOT_FOUND;
    if ((e = column_open(field, "contact.email", account_id, pg_str(r, 0, 0), &plain, why)) != OK)
        return e;
    *ret_email = arena_strdup(a, buf_cstr(&plain));
    return OK;
}

enum err
contact_delete(struct pg *pg, const char *account_id, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, account_id);
    return pg_exec(pg, &stmts[S_DELETE], &args, NULL, why);
}
