/* trust_store: the tables trust, trust_crl and trust_version. */
#include "idp/credential/trust-internal.h"

enum {
    S_VERSION, S_ALL, S_BY_ID, S_BY_NAME, S_CRLS, S_CRL_DER, S_INSERT, S_CRL_INSERT, S_DELETE, S_LIST, S_CRL_TAKE,
    S_CRL_PUT, S_CRL_SAME, S_CRL_PROBLEM
};
#define TRUST_COLUMNS "id, name, use, own, der, helpers, link_from_session"
static const struct pg_stmt stmts[] = {
    [S_VERSION] = { "trust.version", "SELECT version FROM trust_version", 0 },
    [S_ALL] = { "trust.all", "SELECT " TRUST_COLUMNS " FROM trust ORDER BY name", 0 },
    [S_BY_ID] = { "trust.by_id", "SELECT " TRUST_COLUMNS " FROM trust WHERE id = $1::int4", 1 },
    [S_BY_NAME] = { "trust.by_name", "SELECT " TRUST_COLUMNS " FROM trust WHERE name = $1", 1 },
    [S_CRLS] = { "trust.crls",
        "SELECT id, trust_id, source, digest, number, next_update FROM trust_crl ORDER BY trust_id, id", 0 },
    [S_CRL_DER] = { "trust.crl_der", "SELECT der FROM trust_crl WHERE id = $1::int4 AND der IS NOT NULL", 1 },
    [S_INSERT] = { "trust.insert",
        "INSERT INTO trust (name, use, own, der, helpers, not_after, added_at, link_from_session) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id", 8 },
    [S_CRL_INSERT] = { "trust.crl_insert",
        "INSERT INTO trust_crl (trust_id, source, der, digest, number, this_update, next_update, fetched_at, due_at) "
        "VALUES ($1::int4, $2, $3, $4, $5, $6, $7, $8, $9)", 9 },
    [S_DELETE] = { "trust.delete", "DELETE FROM trust WHERE name = $1", 1 },
    [S_LIST] = { "trust.list",
        "SELECT t.name, t.use, t.own, t.der, t.not_after, c.source, ltrim(encode(c.number, 'hex'), '0'), c.next_update, "
        "c.fetched_at, coalesce(c.problem, ''), t.link_from_session FROM trust t LEFT JOIN trust_crl c ON c.trust_id = t.id "
        "ORDER BY t.name, c.id", 0 },
    [S_CRL_TAKE] = { "trust.crl_take",
        "UPDATE trust_crl SET due_at = $2 WHERE id = (SELECT id FROM trust_crl WHERE due_at <= $1 ORDER BY due_at "
        "LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id, trust_id, source, digest, number, next_update", 2 },
    [S_CRL_PUT] = { "trust.crl_put",
        "UPDATE trust_crl SET der = $2, digest = $3, number = $4, this_update = $5, next_update = $6, fetched_at = $7, "
        "due_at = $8, problem = '' WHERE id = $1::int4 AND (number IS NULL OR number < $4 "
        "OR (number = $4 AND this_update <= $5))", 8 },
    [S_CRL_SAME] = { "trust.crl_same",
        "UPDATE trust_crl SET fetched_at = $2, due_at = $3, problem = '' WHERE id = $1::int4", 3 },
    [S_CRL_PROBLEM] = { "trust.crl_problem",
        "UPDATE trust_crl SET problem = $2, due_at = $3 WHERE id = $1::int4", 3 },
};
const struct pg_stmts trust_stmts = PG_STMTS(stmts);

enum err
trust_store_version(struct pg *pg, int64_t *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    enum err e = pg_exec(pg, &stmts[S_VERSION], NULL, &r, why);

    if (e == OK)
        *ret = pg_i64(r, 0, 0);
    return e;
}

static enum trust_use
use_of(const char *word)
{
    enum trust_use use = TRUST_SOFTWARE;

    CHECK(trust_use_read(word, &use) == OK);
    return use;
}

static struct trust_stored
stored_read(const struct pg_result *r, int row, struct arena *a)
{
    return (struct trust_stored){
        .id = (int32_t)pg_i64(r, row, 0), .name = arena_strdup(a, pg_text(r, row, 1)), .use = use_of(pg_text(r, row, 2)),
        .own = pg_bool(r, row, 3), .der = pg_str_dup(r, row, 4, a), .helpers = pg_str_dup(r, row, 5, a),
        .link_from_session = pg_bool(r, row, 6),
    };
}

enum err
trust_store_all(struct pg *pg, struct arena *a, struct trust_stored **ret, size_t *ret_n, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct trust_stored *list;
    size_t n;
    enum err e;

    if ((e = pg_exec(pg, &stmts[S_ALL], NULL, &r, why)) != OK)
        return e;
    n = (size_t)pg_rows(r);
    list = arena_alloc(a, (n + 1) * sizeof(*list));
    for (size_t i = 0; i < n; i++)
        list[i] = stored_read(r, (int)i, a);
    *ret = list;
    *ret_n = n;
    return OK;
}

static enum err
find_one(struct pg *pg, const struct pg_stmt *stmt, struct pg_args *args, struct arena *a, struct trust_stored *ret,
         struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    enum err e;

    if ((e = pg_exec(pg, stmt, args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_code(why, ERR_NOT_FOUND, "trust.unknown", "no such authority");
    *ret = stored_read(r, 0, a);
    return OK;
}

enum err
trust_store_by_id(struct pg *pg, int32_t id, struct arena *a, struct trust_stored *ret, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_i32(&args, id);
    return find_one(pg, &stmts[S_BY_ID], &args, a, ret, why);
}

enum err
trust_store_by_name(struct pg *pg, const char *name, struct arena *a, struct trust_stored *ret, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_text(&args, name);
    return find_one(pg, &stmts[S_BY_NAME], &args, a, ret, why);
}

static struct trust_crl_stored
crl_read(const struct pg_result *r, int row, struct arena *a)
{
    struct trust_crl_stored c = {
        .id = (int32_t)pg_i64(r, row, 0), .trust_id = (int32_t)pg_i64(r, row, 1),
        .source = arena_strdup(a, pg_text(r, row, 2)), .digest = pg_str_dup(r, row, 3, a),
        .next_update = pg_time(r, row, 5),
    };
    struct str number = pg_str(r, row, 4);

    if (number.n == sizeof(c.number))
        memcpy(c.number, number.p, number.n);
    return c;
}

enum err
trust_store_crls(struct pg *pg, struct arena *a, struct trust_crl_stored **ret, size_t *ret_n, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct trust_crl_stored *list;
    size_t n;
    enum err e;

    if ((e = pg_exec(pg, &stmts[S_CRLS], NULL, &r, why)) != OK)
        return e;
    n = (size_t)pg_rows(r);
    list = arena_alloc(a, (n + 1) * sizeof(*list));
    for (size_t i = 0; i < n; i++)
        list[i] = crl_read(r, (int)i, a);
    *ret = list;
    *ret_n = n;
    return OK;
}

enum err
trust_store_crl_der(struct pg *pg, int32_t id, struct buf *out, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_i32(&args, id);
    if ((e = pg_exec(pg, &stmts[S_CRL_DER], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_code(why, ERR_NOT_FOUND, "trust.crl", "the list is gone");
    buf_add_str(out, pg_str(r, 0, 0));
    return buf_ok(out) ? OK : why_set(why, ERR_INPUT, "the list is larger than we read");
}

enum err
trust_store_insert(struct pg *pg, const struct trust_new *in, struct str der, struct str helpers, utime not_after,
                   utime now, int32_t *ret_id, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_text(&args, in->name);
    pg_arg_text(&args, trust_use_name(in->use));
    pg_arg_bool(&args, in->own);
    pg_arg_bytes(&args, der.p, der.n);
    pg_arg_bytes(&args, helpers.n > 0 ? helpers.p : "", helpers.n);
    pg_arg_time(&args, not_after);
    pg_arg_time(&args, now);
    pg_arg_bool(&args, in->link_from_session);
    if ((e = pg_exec(pg, &stmts[S_INSERT], &args, &r, why)) == ERR_CONFLICT)
        return why_code(why, e, "trust.exists", "this name or this certificate is there already");
    if (e == OK)
        *ret_id = (int32_t)pg_i64(r, 0, 0);
    return e;
}

enum err
trust_store_crl_insert(struct pg *pg, int32_t trust_id, const char *source, const struct trust_crl_got *got, utime now,
                       utime due, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_i32(&args, trust_id);
    pg_arg_text(&args, source);
    pg_arg_buf(&args, &got->der);
    pg_arg_bytes(&args, got->digest, sizeof(got->digest));
    pg_arg_bytes(&args, got->number, sizeof(got->number));
    pg_arg_time(&args, got->this_update);
    pg_arg_time(&args, got->next_update);
    pg_arg_time(&args, now);
    pg_arg_time(&args, due);
    if ((e = pg_exec(pg, &stmts[S_CRL_INSERT], &args, NULL, why)) == ERR_CONFLICT)
        return why_code(why, e, "trust.exists", "this list is there already");
    return e;
}

enum err
trust_store_delete(struct pg *pg, const char *name, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_text(&args, name);
    if ((e = pg_exec(pg, &stmts[S_DELETE], &args, &r, why)) != OK)
        return e;
    return pg_affected(r) == 1 ? OK : why_code(why, ERR_NOT_FOUND, "trust.unknown", "no authority %s", name);
}

/* Ours, and was read when it was added. */
static const char *
subject_of(struct str der, struct arena *a)
{
    AUTO(x509_done) struct x509_cert cert = { .not_after = 0 };
    struct why why = WHY_INIT;

    return x509_read(der, &cert, &why) == OK ? arena_strdup(a, buf_cstr(&cert.subject)) : "";
}

enum err
trust_list(struct pg *pg, struct arena *a, struct trust_row **ret, size_t *ret_n, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct trust_row *list;
    size_t n;
    enum err e;

    if ((e = pg_exec(pg, &stmts[S_LIST], NULL, &r, why)) != OK)
        return e;
    n = (size_t)pg_rows(r);
    list = arena_alloc(a, (n + 1) * sizeof(*list));
    for (size_t i = 0; i < n; i++) {
        int row = (int)i;

        list[i] = (struct trust_row){
            .name = arena_strdup(a, pg_text(r, row, 0)), .use = use_of(pg_text(r, row, 1)), .own = pg_bool(r, row, 2),
            .subject = subject_of(pg_str(r, row, 3), a), .not_after = pg_time(r, row, 4),
            .source = arena_strdup(a, pg_text(r, row, 5)), .number = arena_strdup(a, pg_text(r, row, 6)),
            .next_update = pg_time(r, row, 7), .fetched_at = pg_time(r, row, 8),
            .problem = arena_strdup(a, pg_text(r, row, 9)), .link_from_session = pg_bool(r, row, 10),
        };
    }
    *ret = list;
    *ret_n = n;
    return OK;
}

enum err
trust_store_crl_take(struct pg *pg, utime now, utime busy_until, struct arena *a, struct trust_crl_stored *ret,
                     struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_time(&args, now);
    pg_arg_time(&args, busy_until);
    if ((e = pg_exec(pg, &stmts[S_CRL_TAKE], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return ERR_NOT_FOUND;
    *ret = crl_read(r, 0, a);
    return OK;
}

enum err
trust_store_crl_put(struct pg *pg, int32_t id, const struct trust_crl_got *got, utime now, utime due, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_i32(&args, id);
    pg_arg_buf(&args, &got->der);
    pg_arg_bytes(&args, got->digest, sizeof(got->digest));
    pg_arg_bytes(&args, got->number, sizeof(got->number));
    pg_arg_time(&args, got->this_update);
    pg_arg_time(&args, got->next_update);
    pg_arg_time(&args, now);
    pg_arg_time(&args, due);
    if ((e = pg_exec(pg, &stmts[S_CRL_PUT], &args, &r, why)) != OK)
        return e;
    return pg_affected(r) == 1 ? OK : why_code(why, ERR_CONFLICT, "trust.crl_older", "older than the list that is kept");
}

enum err
trust_store_crl_same(struct pg *pg, int32_t id, utime now, utime due, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_i32(&args, id);
    pg_arg_time(&args, now);
    pg_arg_time(&args, due);
    return pg_exec(pg, &stmts[S_CRL_SAME], &args, NULL, why);
}

enum err
trust_store_crl_problem(struct pg *pg, int32_t id, const char *problem, utime due, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_i32(&args, id);
    pg_arg_text(&args, problem);
    pg_arg_time(&args, due);
    return pg_exec(pg, &stmts[S_CRL_PROBLEM], &args, NULL, why);
}
