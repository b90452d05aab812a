/* request_store: the table request. */
#include "base/pg/audit.h"
#include "pki/authority/request-internal.h"

enum { S_ADD, S_SAME, S_FIND, S_LIST, S_OPEN, S_LOCK, S_APPROVED };
#define COLUMNS                                                                                                      \
    "SELECT id, registration_id, kind, origin, station_id, asked_by, csr, spki_sha256, replaces, state, reason, "    \
    "received_at FROM request "
static const struct pg_stmt stmts[] = {
    /* A station's request need not be on the disk by itself: the signer's first commit, which does wait for the disk, comes after
     * it in the log, and a station says a request again until it has its certificate. */
    [S_ADD] = { "request.add",
        "WITH q AS (INSERT INTO request (id, registration_id, kind, origin, station_id, asked_by, csr, spki_sha256, replaces, "
        "state, received_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'received', $10) "
        "ON CONFLICT (registration_id, spki_sha256) DO NOTHING RETURNING id, origin), "
        "a AS (INSERT INTO audit_event (at, actor, role, verb, object, result, detail) SELECT $10, $11, '', 'request.add', "
        "'request:' || q.id, 'ok', jsonb_build_object('origin', q.origin) FROM q) SELECT id, CASE WHEN origin = 'est' THEN "
        "set_config('synchronous_commit', 'off', true) END FROM q", 11 },
    [S_SAME] = { "request.same", "SELECT id FROM request WHERE registration_id = $1 AND spki_sha256 = $2", 2 },
    [S_FIND] = { "request.find", COLUMNS "WHERE id = $1", 1 },
    [S_LIST] = { "request.list",
        COLUMNS "WHERE $1::text IS NULL OR state = $1 ORDER BY received_at DESC, id LIMIT $2::int4", 2 },
    [S_OPEN] = { "request.open",
        "SELECT id FROM request WHERE state IN ('received', 'approved') AND (origin <> 'operator' OR state = 'approved') "
        "AND received_at < $1 ORDER BY received_at LIMIT $2::int4", 2 },
    [S_LOCK] = { "request.lock",
        "SELECT id FROM request WHERE id = $1 AND origin = 'operator' AND state = 'received' FOR UPDATE", 1 },
    [S_APPROVED] = { "request.approved",
        "UPDATE request SET state = 'approved', reason = '' WHERE id = $1 AND state = 'received'", 1 },
};
const struct pg_stmts request_stmts = PG_STMTS(stmts);

static const char *
or_null(const char *uuid)
{
    return uuid[0] == '\0' ? NULL : uuid;
}

enum err
request_add(struct pg *pg, const struct request *q, const char *actor, utime now, char ret_id[37], bool *ret_new,
            struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    AUTO(pg_result_freep) struct pg_result *there = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, q->id);
    pg_arg_uuid(&args, q->registration);
    pg_arg_text(&args, request_kind_name(q->kind));
    pg_arg_text(&args, request_origin_name(q->origin));
    pg_arg_uuid(&args, or_null(q->station));
    pg_arg_uuid(&args, or_null(q->asked_by));
    pg_arg_bytes(&args, q->csr.p, q->csr.n);
    pg_arg_bytes(&args, q->spki_sha256, SHA256_LEN);
    pg_arg_uuid(&args, or_null(q->replaces));
    pg_arg_time(&args, now);
    pg_arg_text(&args, actor);
    e = pg_exec(pg, &stmts[S_ADD], &args, &r, why);
    if (e == ERR_CONFLICT)
        return why_code(why, e, "request.conflict", "no such registration, or another request has this id");
    if (e != OK)
        return e;
    if (ret_new != NULL)
        *ret_new = pg_rows(r) > 0;
    if (pg_rows(r) > 0) {
        pg_uuid(r, 0, 0, ret_id);
        return OK;
    }
    pg_arg_uuid(&args, q->registration);
    pg_arg_bytes(&args, q->spki_sha256, SHA256_LEN);
    if ((e = pg_exec(pg, &stmts[S_SAME], &args, &there, why)) != OK)
        return e;
    if (pg_rows(there) == 0)
        return why_set(why, ERR_INTERNAL, "a request that conflicted is not there");
    pg_uuid(there, 0, 0, ret_id);
    return OK;
}

/* --- reading ---------------------------------------------------------------------------------------------------------------- */

/* In the order of an enum; the schema knows no other word. */
static int
word_index(struct str word, const char *(*name)(int), int n)
{
    for (int i = 0; i < n; i++)
        if (str_eqs(word, name(i)))
            return i;
    panic("a word in the table request that the schema does not know");
}

static const char *
origin_at(int i)
{
    return request_origin_name((enum request_origin)i);
}

static const char *
state_at(int i)
{
    return request_state_name((enum request_state)i);
}

static void
row_read(const struct pg_result *r, int row, struct arena *a, struct request *ret)
{
    pg_uuid(r, row, 0, ret->id);
    pg_uuid(r, row, 1, ret->registration);
    CHECK(request_kind_parse(pg_str(r, row, 2), &ret->kind) == OK);
    ret->origin = (enum request_origin)word_index(pg_str(r, row, 3), origin_at, REQUEST_STATUS + 1);
    pg_uuid(r, row, 4, ret->station);
    pg_uuid(r, row, 5, ret->asked_by);
    ret->csr = pg_str_dup(r, row, 6, a);
    memcpy(ret->spki_sha256, pg_str(r, row, 7).p, SHA256_LEN);
    pg_uuid(r, row, 8, ret->replaces);
    ret->state = (enum request_state)word_index(pg_str(r, row, 9), state_at, REQUEST_REFUSED + 1);
    ret->reason = arena_strdup(a, pg_text(r, row, 10));
    ret->received_at = pg_time(r, row, 11);
}

enum err
request_find(struct pg *pg, const char *id, struct arena *a, struct request *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, id);
    if ((e = pg_exec(pg, &stmts[S_FIND], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_code(why, ERR_NOT_FOUND, "request.unknown", "no such request");
    row_read(r, 0, a, ret);
    return OK;
}

enum err
request_list(struct pg *pg, const char *state, int max, struct arena *a, struct request **ret, size_t *ret_n, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    struct request *list;
    enum err e;

    pg_arg_text(&args, state);
    pg_arg_i32(&args, max);
    if ((e = pg_exec(pg, &stmts[S_LIST], &args, &r, why)) != OK)
        return e;
    list = arena_alloc(a, ((size_t)pg_rows(r) + 1) * sizeof(*list));
    for (int i = 0; i < pg_rows(r); i++)
        row_read(r, i, a, &list[i]);
    *ret = list;
    *ret_n = (size_t)pg_rows(r);
    return OK;
}

enum err
request_open_list(struct pg *pg, utime before, int max, struct arena *a, char (**ret)[37], size_t *ret_n, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    char (*list)[37];
    enum err e;

    pg_arg_time(&args, before);
    pg_arg_i32(&args, max);
    if ((e = pg_exec(pg, &stmts[S_OPEN], &args, &r, why)) != OK)
        return e;
    list = arena_alloc(a, ((size_t)pg_rows(r) + 1) * sizeof(*list));
    for (int i = 0; i < pg_rows(r); i++)
        pg_uuid(r, i, 0, list[i]);
    *ret = list;
    *ret_n = (size_t)pg_rows(r);
    return OK;
}

/* --- approval ---------------------------------------------------------------------------------------------------------------- */

enum err
request_lock(struct pg *pg, const char *id, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, id);
    if ((e = pg_exec(pg, &stmts[S_LOCK], &args, &r, why)) != OK)
        return e;
    return pg_rows(r) > 0 ? OK : why_code(why, ERR_CONFLICT, "request.state", "not an operator's request that waits");
}

enum err
request_approved(struct pg *pg, const char *id, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, id);
    return pg_exec(pg, &stmts[S_APPROVED], &args, NULL, why);
}
