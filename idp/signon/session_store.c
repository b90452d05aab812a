/* session_store: the tables session and authn_event. */
#include "idp/signon/signon-internal.h"

enum {
    S_FIND, S_STILL, S_TOUCH, S_AUTHZ, S_INSERT, S_END, S_END_OTHERS, S_LIST, S_MOVE, S_PARTICIPANTS, S_OF_ACCOUNT, S_BY_INDEX,
    S_BY_NAME, S_EVENT
};
static const struct pg_stmt stmts[] = {
    [S_FIND] = { "session.find",
        "SELECT account_id, method, auth_time, idle_until FROM session "
        "WHERE token_digest = $1 AND live AND idle_until > $2 AND abs_until > $2", 2 },
    /* Replaced: the same browser has another one since, as after the first of two clicks. */
    [S_STILL] = { "session.still",
        "SELECT FROM session WHERE token_digest = $1 AND (live OR ended_why = 'replaced') AND idle_until > $2 AND abs_until > $2", 2 },
    [S_TOUCH] = { "session.touch",
        "UPDATE session SET idle_until = greatest(idle_until, $2) WHERE token_digest = $1 AND live", 2 },
    [S_AUTHZ] = { "session.authz",
        "UPDATE session s SET "
        "authz = coalesce((SELECT array_agg(z.code ORDER BY z.code) FROM account_authz z WHERE z.account_id = "
        "s.account_id AND z.ended_at IS NULL AND (z.valid_until IS NULL OR z.valid_until > $2)), '{}'), "
        "authz_until = coalesce((SELECT min(z.valid_until) FROM account_authz z WHERE z.account_id = s.account_id "
        "AND z.ended_at IS NULL AND z.valid_until > $2), 'infinity') "
        "WHERE token_digest = $1 AND live", 2 },
    /* The account's row is locked, so that a block of the same instant either sees this session or prevents it. */
    [S_INSERT] = { "session.insert",
        "INSERT INTO session (token_digest, id, account_id, method, auth_time, authz, authz_until, idle_until, "
        "abs_until, created_at, town) "
        "SELECT $1, gen_random_uuid(), a.id, $3::int4, $7, '{}', '-infinity', $5, $6, $4, w.name FROM account a "
        "JOIN town w ON w.id = a.town_id WHERE a.id = $2 AND a.state = 'active' FOR SHARE OF a", 7 },
    [S_END] = { "session.end",
        "UPDATE session SET live = false, ended_at = $2, ended_why = $3 WHERE token_digest = $1 AND live", 3 },
    [S_END_OTHERS] = { "session.end_others",
        "UPDATE session SET live = false, ended_at = $3, ended_why = $4 "
        "WHERE account_id = $1 AND token_digest <> $2 AND live AND idle_until > $3 AND abs_until > $3", 4 },
    /* This one and the newest: a page that shows thousands shows nothing. */
    [S_LIST] = { "session.list",
        "SELECT s.method, s.created_at, s.token_digest = $2, coalesce((SELECT v.ip_prefix FROM authn_event v "
        "WHERE v.account_id = s.account_id AND v.at = s.created_at AND v.result = 'ok' LIMIT 1), '') FROM session s "
        "WHERE s.account_id = $1 AND s.live AND s.idle_until > $3 AND s.abs_until > $3 "
        "ORDER BY s.token_digest = $2 DESC, s.created_at DESC LIMIT 50", 3 },
    [S_MOVE] = { "session.move", "UPDATE signon SET session_digest = $2 WHERE session_digest = $1", 2 },
    [S_PARTICIPANTS] = { "session.participants",
        "UPDATE signon d SET closed_at = $2 FROM (SELECT request_key, service_id FROM signon WHERE session_digest = $1 "
        "AND closed_at IS NULL LIMIT $3::int8) x WHERE d.request_key = x.request_key AND d.service_id = x.service_id "
        "AND d.closed_at IS NULL RETURNING d.service_id, d.name_id, d.session_index", 3 },
    [S_OF_ACCOUNT] = { "session.participants_of_account",
        "UPDATE signon d SET closed_at = $2 FROM (SELECT o.request_key, o.service_id FROM signon o JOIN session s "
        "ON s.token_digest = o.session_digest WHERE o.account_id = $1 AND o.closed_at IS NULL AND NOT s.live LIMIT $3::int8) x "
        "WHERE d.request_key = x.request_key AND d.service_id = x.service_id AND d.closed_at IS NULL "
        "RETURNING d.service_id, d.name_id, d.session_index", 3 },
    [S_BY_INDEX] = { "session.by_index",
        "SELECT session_digest FROM signon WHERE service_id = $1::int4 AND request_key = $2 AND session_index = $3 "
        "AND name_id = $4", 4 },
    [S_BY_NAME] = { "session.by_name",
        "SELECT DISTINCT d.session_digest FROM pairwise p JOIN signon d ON d.account_id = p.account_id "
        "WHERE p.value = $2 AND d.service_id = $1::int4 AND d.closed_at IS NULL AND d.at > $3", 3 },
    [S_EVENT] = { "authn_event.add",
        "INSERT INTO authn_event (account_id, at, result, method, service_id, ip_prefix) "
        "VALUES ($1, $2, $3, $4::int4, nullif($5::int4, 0), $6)", 6 },
};
const struct pg_stmts session_stmts = PG_STMTS(stmts);

enum err
session_store_find(struct pg *pg, const unsigned char digest[32], utime now, struct session *ret, utime *ret_idle,
                   struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_bytes(&args, digest, 32);
    pg_arg_time(&args, now);
    if ((e = pg_exec(pg, &stmts[S_FIND], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return ERR_NOT_FOUND;
    pg_uuid(r, 0, 0, ret->account_id);
    memcpy(ret->digest, digest, 32);
    ret->method = (unsigned)pg_i64(r, 0, 1);
    ret->auth_time = pg_time(r, 0, 2);
    *ret_idle = pg_time(r, 0, 3);
    return OK;
}

enum err
session_store_still(struct pg *pg, const unsigned char digest[32], utime now, bool *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_bytes(&args, digest, 32);
    pg_arg_time(&args, now);
    if ((e = pg_exec(pg, &stmts[S_STILL], &args, &r, why)) == OK)
        *ret = pg_rows(r) == 1;
    return e;
}

enum err
session_store_touch(struct pg *pg, const unsigned char digest[32], utime idle_until, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_bytes(&args, digest, 32);
    pg_arg_time(&args, idle_until);
    return pg_exec(pg, &stmts[S_TOUCH], &args, NULL, why);
}

enum err
session_store_authz(struct pg *pg, const unsigned char digest[32], utime now, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_bytes(&args, digest, 32);
    pg_arg_time(&args, now);
    return pg_exec(pg, &stmts[S_AUTHZ], &args, NULL, why);
}

enum err
session_store_insert(struct pg *pg, const struct session *s, utime now, utime idle_until, utime abs_until,
                     struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT, copy = PG_ARGS_INIT;
    enum err e;

    pg_arg_bytes(&args, s->digest, 32);
    pg_arg_uuid(&args, s->account_id);
    pg_arg_i32(&args, (int32_t)s->method);
    pg_arg_time(&args, now);
    pg_arg_time(&args, idle_until);
    pg_arg_time(&args, abs_until);
    pg_arg_time(&args, s->auth_time);
    if ((e = pg_exec(pg, &stmts[S_INSERT], &args, &r, why)) != OK)
        return e;
    if (pg_affected(r) != 1)
        return why_code(why, ERR_DENIED, "account.inactive", "the account is not active");
    /* Its authorisations in a statement of their own: it sees what was committed while the insert waited for the account's
     * row, which is locked for every change of them. */
    pg_arg_bytes(&copy, s->digest, 32);
    pg_arg_time(&copy, now);
    return pg_post(pg, &stmts[S_AUTHZ], &copy, why);
}

enum err
session_store_end(struct pg *pg, const unsigned char digest[32], const char *reason, utime now, bool *ret_was_live,
                  struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_bytes(&args, digest, 32);
    pg_arg_time(&args, now);
    pg_arg_text(&args, reason);
    if ((e = pg_exec(pg, &stmts[S_END], &args, &r, why)) != OK)
        return e;
    *ret_was_live = pg_affected(r) == 1;
    return OK;
}

enum err
session_store_end_others(struct pg *pg, const struct session *keep, const char *reason, utime now, int64_t *ret_n,
                         struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, keep->account_id);
    pg_arg_bytes(&args, keep->digest, sizeof(keep->digest));
    pg_arg_time(&args, now);
    pg_arg_text(&args, reason);
    if ((e = pg_exec(pg, &stmts[S_END_OTHERS], &args, &r, why)) != OK)
        return e;
    *ret_n = pg_affected(r);
    return OK;
}

enum err
session_list(struct pg *pg, const struct session *self, utime now, struct arena *a, struct session_seen **ret,
             size_t *ret_n, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    struct session_seen *list;
    size_t n;
    enum err e;

    pg_arg_uuid(&args, self->account_id);
    pg_arg_bytes(&args, self->digest, sizeof(self->digest));
    pg_arg_time(&args, now);
    if ((e = pg_exec(pg, &stmts[S_LIST], &args, &r, why)) != OK)
        return e;
    n = (size_t)pg_rows(r);
    list = arena_alloc(a, (n + 1) * sizeof(*list));
    for (size_t i = 0; i < n; i++) {
        list[i].method = (unsigned)pg_i64(r, (int)i, 0);
        list[i].since = pg_time(r, (int)i, 1);
        list[i].this_one = pg_bool(r, (int)i, 2);
        list[i].ip_prefix = arena_strdup(a, pg_text(r, (int)i, 3));
    }
    *ret = list;
    *ret_n = n;
    return OK;
}

enum err
session_store_move(struct pg *pg, const unsigned char from[32], const unsigned char to[32], struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_bytes(&args, from, 32);
    pg_arg_bytes(&args, to, 32);
    return pg_post(pg, &stmts[S_MOVE], &args, why);
}

static enum err
participants(struct pg *pg, const struct pg_stmt *stmt, struct pg_args *args, struct arena *a,
             struct session_participant **ret, size_t *ret_n, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct session_participant *list;
    size_t n;
    enum err e;

    if ((e = pg_exec(pg, stmt, args, &r, why)) != OK)
        return e;
    n = (size_t)pg_rows(r);
    list = arena_alloc(a, (n + 1) * sizeof(*list));
    for (size_t i = 0; i < n; i++) {
        list[i].service_id = (int32_t)pg_i64(r, (int)i, 0);
        list[i].name_id = arena_strdup(a, pg_text(r, (int)i, 1));
        list[i].session_index = arena_strdup(a, pg_text(r, (int)i, 2));
    }
    *ret = list;
    *ret_n = n;
    return OK;
}

enum err
session_store_participants(struct pg *pg, const unsigned char digest[32], int64_t most, utime now, struct arena *a,
                           struct session_participant **ret, size_t *ret_n, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_bytes(&args, digest, 32);
    pg_arg_time(&args, now);
    pg_arg_i64(&args, most);
    return participants(pg, &stmts[S_PARTICIPANTS], &args, a, ret, ret_n, why);
}

enum err
session_store_participants_of_account(struct pg *pg, const char *account_id, int64_t most, utime now, struct arena *a,
                                      struct session_participant **ret, size_t *ret_n, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, account_id);
    pg_arg_time(&args, now);
    pg_arg_i64(&args, most);
    return participants(pg, &stmts[S_OF_ACCOUNT], &args, a, ret, ret_n, why);
}

enum err
session_store_by_index(struct pg *pg, int32_t service_id, struct str request_key, const char *name_id,
                       const char *session_index, unsigned char ret_digest[32], struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_i32(&args, service_id);
    pg_arg_bytes(&args, request_key.p, request_key.n);
    pg_arg_text(&args, session_index);
    pg_arg_text(&args, name_id);
    if ((e = pg_exec(pg, &stmts[S_BY_INDEX], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_code(why, ERR_NOT_FOUND, "session.unknown", "no such session of this service");
    CHECK(pg_str(r, 0, 0).n == 32);
    memcpy(ret_digest, pg_str(r, 0, 0).p, 32);
    return OK;
}

enum err
session_store_by_name(struct pg *pg, int32_t service_id, const char *name_id, utime since, struct arena *a,
                      unsigned char (**ret)[32], size_t *ret_n, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    unsigned char(*list)[32];
    size_t n;
    enum err e;

    pg_arg_i32(&args, service_id);
    pg_arg_text(&args, name_id);
    pg_arg_time(&args, since);
    if ((e = pg_exec(pg, &stmts[S_BY_NAME], &args, &r, why)) != OK)
        return e;
    n = (size_t)pg_rows(r);
    list = arena_alloc(a, (n + 1) * sizeof(*list));
    for (size_t i = 0; i < n; i++) {
        CHECK(pg_str(r, (int)i, 0).n == 32);
        memcpy(list[i], pg_str(r, (int)i, 0).p, 32);
    }
    *ret = list;
    *ret_n = n;
    return OK;
}

enum err
authn_event_add(struct pg *pg, const char *account_id, const char *result, unsigned method, int32_t service_id,
                const char *ip, utime now, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;
    char prefix[IP_PREFIX_MAX];

    ip_prefix(ip, prefix);
    pg_arg_uuid(&args, account_id[0] == '\0' ? NULL : account_id);
    pg_arg_time(&args, now);
    pg_arg_text(&args, result);
    pg_arg_i32(&args, (int32_t)method);
    pg_arg_i32(&args, service_id);
    pg_arg_text(&args, prefix);
    return pg_post(pg, &stmts[S_EVENT], &args, why);
}
