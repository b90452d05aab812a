/* account_store: the tables account, account_authz, account_change, login_reserved. Rules are in account.c. */
#include "idp/account/account-internal.h"

#include <stdio.h>

#define ACCOUNT_COLUMNS                                                                                      \
    "a.id, a.town_id, t.name, a.type, a.state, a.state_since, a.final, a.contested, a.acked, a.handle, "       \
    "coalesce(a.number, ''), a.lang"

enum {
    S_INSERT, S_BY_HANDLE, S_BY_TOWN_NAME, S_BY_ID, S_LOCK, S_SET_STATE, S_SET_FINAL, S_SET_ACKED, S_REASON, S_AUTHZ_ADD, S_AUTHZ_END,
    S_AUTHZ_LIST, S_CONTEST, S_CHANGE, S_CHANGES, S_RESERVE, S_ERASE_CONTACT, S_ERASE_BINDING, S_EXPIRED, S_HELD,
    S_REACTIVATED
};
static const struct pg_stmt stmts[] = {
    [S_INSERT] = { "account.insert",
        "INSERT INTO account (id, town_id, type, handle, number, state, state_since, lang, created_at) "
        "VALUES ($1, $2, $3, $4, $5, 'pending', $6, $7, $6)", 7 },
    [S_BY_HANDLE] = { "account.by_handle",
        "SELECT " ACCOUNT_COLUMNS " FROM account a JOIN town t ON t.id = a.town_id "
        "WHERE a.town_id = $1 AND a.handle = $2", 2 },
    [S_BY_TOWN_NAME] = { "account.by_town_name",
        "SELECT " ACCOUNT_COLUMNS " FROM account a JOIN town t ON t.id = a.town_id "
        "WHERE a.handle = $2 AND ($1::text IS NULL OR t.name = $1) LIMIT 2", 2 },
    [S_BY_ID] = { "account.by_id",
        "SELECT " ACCOUNT_COLUMNS " FROM account a JOIN town t ON t.id = a.town_id WHERE a.id = $1", 1 },
    [S_LOCK] = { "account.lock",
        "SELECT " ACCOUNT_COLUMNS " FROM account a JOIN town t ON t.id = a.town_id WHERE a.id = $1 "
        "FOR UPDATE OF a", 1 },
    [S_SET_STATE] = { "account.set_state",
        "UPDATE account SET state = $3, state_since = CASE WHEN state = $3 THEN state_since ELSE $4 END, final = $5, "
        "reason = coalesce($6, reason), contested = contested AND NOT $7 "
        "WHERE id = $1 AND state = $2", 7 },
    [S_SET_FINAL] = { "account.set_final",
        "UPDATE account SET final = true, reason = CASE reason WHEN '" ACCOUNT_REOPENED "' THEN reason ELSE $2 END WHERE id = $1", 2 },
    [S_SET_ACKED] = { "account.set_acked", "UPDATE account SET acked = true WHERE id = $1", 1 },
    [S_REASON] = { "account.reason", "SELECT reason FROM account WHERE id = $1", 1 },
    [S_AUTHZ_ADD] = { "account.authz_add",
        "INSERT INTO account_authz (account_id, code, valid_until, granted_at) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (account_id, code) WHERE ended_at IS NULL DO UPDATE SET valid_until = excluded.valid_until", 4 },
    [S_AUTHZ_END] = { "account.authz_end",
        "UPDATE account_authz SET ended_at = $3 WHERE account_id = $1 AND ended_at IS NULL AND code <> ALL ($2)", 3 },
    [S_AUTHZ_LIST] = { "account.authz_list",
        "SELECT code, valid_until FROM account_authz WHERE account_id = $1 AND ended_at IS NULL "
        "AND (valid_until IS NULL OR valid_until > $2) ORDER BY code", 2 },
    [S_CONTEST] = { "account.contest", "UPDATE account SET contested = true WHERE id = $1 AND NOT contested", 1 },
    [S_CHANGE] = { "account.change",
        "INSERT INTO account_change (town_id, account_id, what, at) SELECT town_id, id, $2, $3 FROM account "
        "WHERE id = $1", 3 },
    [S_CHANGES] = { "account.changes",
        "SELECT c.tx::text || '.' || c.seq, a.handle, c.what, a.state, c.at "
        "FROM account_change c JOIN account a ON a.id = c.account_id "
        "WHERE c.town_id = $1 AND (c.tx, c.seq) > ($2::text::xid8, $3::int8) "
        "AND c.tx < pg_snapshot_xmin(pg_current_snapshot()) ORDER BY c.tx, c.seq LIMIT $4::int8", 4 },
    [S_RESERVE] = { "account.reserve_login",
        "WITH gone AS (DELETE FROM login WHERE account_id = $1 RETURNING login_folded) "
        "INSERT INTO login_reserved (login_folded, until) SELECT login_folded, $2 FROM gone "
        "ON CONFLICT (login_folded) DO UPDATE SET until = excluded.until", 2 },
    [S_ERASE_CONTACT] = { "account.erase_contact", "DELETE FROM contact WHERE account_id = $1", 1 },
    [S_ERASE_BINDING] = { "account.erase_binding",
        "DELETE FROM creation_binding WHERE account_id = $1", 1 },
    [S_EXPIRED] = { "account.expired",
        "SELECT a.id FROM account a WHERE a.state = 'pending' AND CASE WHEN a.type = 'x509_card' THEN a.state_since <= $3 "
        "ELSE NOT EXISTS "
        "(SELECT FROM secret s WHERE s.account_id = a.id AND s.kind = 'creation' AND s.state = 'live' "
        "AND s.expires_at > $1) AND NOT EXISTS "
        "(SELECT FROM activation_link l WHERE l.account_id = a.id AND l.state IN ('live', 'opened') "
        "AND l.expires_at > $1) END ORDER BY a.state_since LIMIT $2::int8", 3 },
    [S_HELD] = { "account.held",
        "SELECT a.id FROM account a JOIN town t ON t.id = a.town_id WHERE a.state = 'suspended' "
        "AND a.state_since + t.hold_max <= $1 ORDER BY a.state_since LIMIT $2::int8", 2 },
    [S_REACTIVATED] = { "account.reactivated",
        "UPDATE account SET reactivations = reactivations + 1 WHERE id = $1", 1 },
};
const struct pg_stmts account_stmts = PG_STMTS(stmts);

static enum account_type
type_read(const char *name)
{
    enum account_type t;

    if (account_type_read(name, &t) == OK)
        return t;
    panic("account type %s is not in the schema", name);
}

static enum account_state
state_read(const char *name)
{
    for (int s = ACCOUNT_PENDING; s <= ACCOUNT_ERASED; s++) {
        if (strcmp(name, account_state_name((enum account_state)s)) == 0)
            return (enum account_state)s;
    }
    panic("account state %s is not in the schema", name);
}

static void
text_copy(char *out, size_t size, const char *in)
{
    CHECK(strlen(in) < size);
    memcpy(out, in, strlen(in) + 1);
}

static void
account_read(const struct pg_result *r, struct account *ret)
{
    pg_uuid(r, 0, 0, ret->id);
    pg_uuid(r, 0, 1, ret->town_id);
    text_copy(ret->town, sizeof(ret->town), pg_text(r, 0, 2));
    ret->type = type_read(pg_text(r, 0, 3));
    ret->state = state_read(pg_text(r, 0, 4));
    ret->state_since = pg_time(r, 0, 5);
    ret->final = pg_bool(r, 0, 6);
    ret->contested = pg_bool(r, 0, 7);
    ret->acked = pg_bool(r, 0, 8);
    text_copy(ret->handle, sizeof(ret->handle), pg_text(r, 0, 9));
    text_copy(ret->number, sizeof(ret->number), pg_text(r, 0, 10));
    text_copy(ret->lang, sizeof(ret->lang), pg_text(r, 0, 11));
}

static enum err
find_one(struct pg *pg, const struct pg_stmt *stmt, struct pg_args *args, struct account *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    enum err e;

    if ((e = pg_exec(pg, stmt, args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_code(why, ERR_NOT_FOUND, "account.unknown", "no such account");
    if (pg_rows(r) > 1)
        return why_code(why, ERR_CONFLICT, "account.several", "several towns have an account of this handle: name the town");
    account_read(r, ret);
    return OK;
}

enum err
account_by_handle(struct pg *pg, const char *town_id, const char *handle, struct account *ret, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, town_id);
    pg_arg_text(&args, handle);
    return find_one(pg, &stmts[S_BY_HANDLE], &args, ret, why);
}

enum err
account_by_town_name(struct pg *pg, const char *town, const char *handle, struct account *ret, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_text(&args, town);
    pg_arg_text(&args, handle);
    return find_one(pg, &stmts[S_BY_TOWN_NAME], &args, ret, why);
}

enum err
account_by_id(struct pg *pg, const char *id, struct account *ret, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, id);
    return find_one(pg, &stmts[S_BY_ID], &args, ret, why);
}

enum err
account_store_lock(struct pg *pg, const char *id, struct account *ret, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, id);
    return find_one(pg, &stmts[S_LOCK], &args, ret, why);
}

enum err
account_store_insert(struct pg *pg, const char *id, const struct account_new *in, const char *number, utime now,
                     struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, id);
    pg_arg_uuid(&args, in->town_id);
    pg_arg_text(&args, account_type_name(in->type));
    pg_arg_text(&args, in->handle);
    pg_arg_text(&args, number);
    pg_arg_time(&args, now);
    pg_arg_text(&args, in->lang);
    return pg_post(pg, &stmts[S_INSERT], &args, why);
}

enum err
account_store_set_state(struct pg *pg, const struct account *a, enum account_state to, bool final, const char *reason,
                        bool clear_contested, utime now, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, a->id);
    pg_arg_text(&args, account_state_name(a->state));
    pg_arg_text(&args, account_state_name(to));
    pg_arg_time(&args, now);
    pg_arg_bool(&args, final);
    pg_arg_text(&args, reason);
    pg_arg_bool(&args, clear_contested);
    if ((e = pg_exec(pg, &stmts[S_SET_STATE], &args, &r, why)) != OK)
        return e;
    if (pg_affected(r) != 1)
        return why_code(why, ERR_CONFLICT, "account.state.changed", "the account changed meanwhile");
    return OK;
}

enum err
account_store_set_final(struct pg *pg, const char *id, const char *reason, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, id);
    pg_arg_text(&args, reason);
    return pg_post(pg, &stmts[S_SET_FINAL], &args, why);
}

enum err
account_store_set_acked(struct pg *pg, const char *id, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, id);
    return pg_post(pg, &stmts[S_SET_ACKED], &args, why);
}

enum err
account_store_reason(struct pg *pg, const char *id, char *ret, size_t size, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, id);
    if ((e = pg_exec(pg, &stmts[S_REASON], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_code(why, ERR_NOT_FOUND, "account.unknown", "no such account");
    snprintf(ret, size, "%s", pg_text(r, 0, 0));
    return OK;
}

enum err
account_store_authz_add(struct pg *pg, const char *id, const struct account_authz *a, utime now, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, id);
    pg_arg_text(&args, a->code);
    pg_arg_time(&args, a->until);
    pg_arg_time(&args, now);
    return pg_post(pg, &stmts[S_AUTHZ_ADD], &args, why);
}

enum err
account_store_authz_end(struct pg *pg, const char *id, const char *const *keep, size_t n, utime now, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, id);
    pg_arg_texts(&args, keep, n);
    pg_arg_time(&args, now);
    return pg_post(pg, &stmts[S_AUTHZ_END], &args, why);
}

enum err
account_authz_list(struct pg *pg, const char *account_id, utime now, struct arena *a, struct account_authz **ret,
                   size_t *ret_n, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    struct account_authz *list;
    size_t n;
    enum err e;

    pg_arg_uuid(&args, account_id);
    pg_arg_time(&args, now);
    if ((e = pg_exec(pg, &stmts[S_AUTHZ_LIST], &args, &r, why)) != OK)
        return e;
    n = (size_t)pg_rows(r);
    list = arena_alloc(a, (n + 1) * sizeof(*list));
    for (size_t i = 0; i < n; i++) {
        list[i].code = arena_strdup(a, pg_text(r, (int)i, 0));
        list[i].until = pg_time(r, (int)i, 1);
    }
    *ret = list;
    *ret_n = n;
    return OK;
}

enum err
account_store_contest(struct pg *pg, const char *id, bool *ret_first, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, id);
    if ((e = pg_exec(pg, &stmts[S_CONTEST], &args, &r, why)) != OK)
        return e;
    *ret_first = pg_affected(r) == 1;
    return OK;
}

enum err
account_store_change(struct pg *pg, const char *id, const char *what, utime now, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, id);
    pg_arg_text(&args, what);
    pg_arg_time(&args, now);
    return pg_post(pg, &stmts[S_CHANGE], &args, why);
}

/* "<tx>.<seq>", both decimal; "" is the beginning. */
static enum err
cursor_parse(const char *cursor, char tx[24], int64_t *ret_seq)
{
    struct str rest, head;
    int64_t ignored;

    snprintf(tx, 24, "0");
    *ret_seq = 0;
    if (cursor[0] == '\0')
        return OK;
    head = str_split(str_of(cursor), '.', &rest);
    if (rest.p == NULL || head.n >= 20 || str_to_i64(head, 0, INT64_MAX, &ignored) != OK)
        return ERR_INPUT;
    snprintf(tx, 24, "%.*s", (int)head.n, head.p);
    return str_to_i64(rest, 0, INT64_MAX, ret_seq);
}

enum err
account_changes(struct pg *pg, const char *town_id, const char *cursor, size_t max, struct arena *a,
                struct account_change **ret, size_t *ret_n, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    struct account_change *list;
    int64_t seq;
    char tx[24];
    size_t n;
    enum err e;

    if ((e = cursor_parse(cursor, tx, &seq)) != OK)
        return why_code(why, e, "changes.cursor", "the cursor is not one of ours");
    pg_arg_uuid(&args, town_id);
    pg_arg_text(&args, tx);
    pg_arg_i64(&args, seq);
    pg_arg_i64(&args, (int64_t)max);
    if ((e = pg_exec(pg, &stmts[S_CHANGES], &args, &r, why)) != OK)
        return e;
    n = (size_t)pg_rows(r);
    list = arena_alloc(a, (n + 1) * sizeof(*list));
    for (size_t i = 0; i < n; i++) {
        text_copy(list[i].cursor, sizeof(list[i].cursor), pg_text(r, (int)i, 0));
        text_copy(list[i].handle, sizeof(list[i].handle), pg_text(r, (int)i, 1));
        text_copy(list[i].what, sizeof(list[i].what), pg_text(r, (int)i, 2));
        list[i].state = state_read(pg_text(r, (int)i, 3));
        list[i].at = pg_time(r, (int)i, 4);
    }
    *ret = list;
    *ret_n = n;
    return OK;
}

enum err
account_store_reserve_login(struct pg *pg, const char *id, utime until, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, id);
    pg_arg_time(&args, until);
    return pg_post(pg, &stmts[S_RESERVE], &args, why);
}

enum err
account_store_forget_contact(struct pg *pg, const char *id, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, id);
    return pg_exec(pg, &stmts[S_ERASE_CONTACT], &args, NULL, why);
}

enum err
account_store_erase(struct pg *pg, const char *id, utime now, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, id);
    if ((e = pg_exec(pg, &stmts[S_ERASE_BINDING], &args, NULL, why)) != OK ||
        (e = account_store_forget_contact(pg, id, why)) != OK)
        return e;
    return account_store_authz_end(pg, id, NULL, 0, now, why);
}

enum err
account_store_count_reactivation(struct pg *pg, const char *id, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, id);
    return pg_post(pg, &stmts[S_REACTIVATED], &args, why);
}

static enum err
ids_read(struct pg *pg, const struct pg_stmt *stmt, struct pg_args *args, struct arena *a, char ***ret_ids, size_t *ret_n,
         struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    char **ids;
    size_t n;
    enum err e;

    if ((e = pg_exec(pg, stmt, args, &r, why)) != OK)
        return e;
    n = (size_t)pg_rows(r);
    ids = arena_alloc(a, (n + 1) * sizeof(*ids));
    for (size_t i = 0; i < n; i++) {
        ids[i] = arena_alloc(a, 37);
        pg_uuid(r, (int)i, 0, ids[i]);
    }
    *ret_ids = ids;
    *ret_n = n;
    return OK;
}

enum err
account_store_expired(struct pg *pg, utime now, int max, struct arena *a, char ***ret_ids, size_t *ret_n,
                      struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_time(&args, now);
    pg_arg_i64(&args, max);
    pg_arg_time(&args, now - ACCOUNT_CARD_WAIT);
    return ids_read(pg, &stmts[S_EXPIRED], &args, a, ret_ids, ret_n, why);
}

enum err
account_store_held(struct pg *pg, utime now, int max, struct arena *a, char ***ret_ids, size_t *ret_n, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_time(&args, now);
    pg_arg_i64(&args, max);
    return ids_read(pg, &stmts[S_HELD], &args, a, ret_ids, ret_n, why);
}
