/* certificate_store: the tables certificate and certificate_der, read. */
#include "base/core/enc.h"
#include "pki/authority/certificate.h"

enum { S_BY_ID, S_BY_SERIAL, S_OF_REQUEST, S_LIST };
#define COLUMNS(der_)                                                                                                \
    "SELECT c.id, c.ca_id, a.name || '-g' || a.generation, c.serial, c.state, c.state_since, c.reason, c.request_id, " \
    "c.registration_id, c.profile, r.holder, c.not_before, c.not_after, c.accepted_at, " der_ " FROM certificate c " \
    "JOIN ca a ON a.id = c.ca_id JOIN registration r ON r.id = c.registration_id "
#define WITH_DER "LEFT JOIN certificate_der d ON d.certificate_id = c.id "
static const struct pg_stmt stmts[] = {
    [S_BY_ID] = { "certificate.by_id", COLUMNS("d.der") WITH_DER "WHERE c.id = $1", 1 },
    [S_BY_SERIAL] = { "certificate.by_serial",
        COLUMNS("d.der") WITH_DER "WHERE a.name || '-g' || a.generation = $1 AND c.serial = $2", 2 },
    [S_OF_REQUEST] = { "certificate.of_request", COLUMNS("d.der") WITH_DER "WHERE c.request_id = $1", 1 },
    [S_LIST] = { "certificate.list",
        COLUMNS("NULL::bytea") "WHERE ($1::text IS NULL OR r.holder = $1) AND ($2::text IS NULL OR c.state = $2) "
        "ORDER BY c.not_before DESC, c.id LIMIT $3::int4", 3 },
};
const struct pg_stmts certificate_stmts = PG_STMTS(stmts);

static struct str
kept(const struct pg_result *r, int row, int col, struct arena *a)
{
    const struct str s = pg_str(r, row, col);

    return s.p == NULL ? STR_NULL : (struct str){ arena_dup(a, s.p, s.n), s.n };
}

static void
row_read(const struct pg_result *r, int row, struct arena *a, struct certificate_row *ret)
{
    pg_uuid(r, row, 0, ret->id);
    ret->ca_id = (int)pg_i64(r, row, 1);
    ret->ca_label = arena_strdup(a, pg_text(r, row, 2));
    ret->serial = kept(r, row, 3, a);
    ret->state = arena_strdup(a, pg_text(r, row, 4));
    ret->state_since = pg_time(r, row, 5);
    ret->reason = pg_is_null(r, row, 6) ? -1 : (int)pg_i64(r, row, 6);
    pg_uuid(r, row, 7, ret->request);
    pg_uuid(r, row, 8, ret->registration);
    ret->profile = arena_strdup(a, pg_text(r, row, 9));
    ret->holder = arena_strdup(a, pg_text(r, row, 10));
    ret->not_before = pg_time(r, row, 11);
    ret->not_after = pg_time(r, row, 12);
    ret->accepted_at = pg_time(r, row, 13);
    ret->der = kept(r, row, 14, a);
}

static enum err
one_read(struct pg *pg, const struct pg_stmt *stmt, struct pg_args *args, struct arena *a, struct certificate_row *ret,
         struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    enum err e;

    if ((e = pg_exec(pg, stmt, args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_code(why, ERR_NOT_FOUND, "certificate.unknown", "no such certificate");
    row_read(r, 0, a, ret);
    return OK;
}

enum err
certificate_find(struct pg *pg, struct str name, struct arena *a, struct certificate_row *ret, struct why *why)
{
    AUTO(buf_free) struct buf serial = BUF_BOUNDED(32);
    struct pg_args args = PG_ARGS_INIT;
    struct str hex;
    const struct str label = str_split(name, ':', &hex);

    if (hex.p == NULL) {
        pg_arg_uuid(&args, arena_str(a, name));
        return one_read(pg, &stmts[S_BY_ID], &args, a, ret, why);
    }
    if (hex_decode(hex, &serial) != OK)
        return why_set(why, ERR_INPUT, "a certificate is named by its id, or as LABEL:SERIAL with the serial number in hexadecimal");
    pg_arg_str(&args, label);
    pg_arg_buf(&args, &serial);
    return one_read(pg, &stmts[S_BY_SERIAL], &args, a, ret, why);
}

enum err
certificate_of_request(struct pg *pg, const char *request_id, struct arena *a, struct certificate_row *ret, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, request_id);
    return one_read(pg, &stmts[S_OF_REQUEST], &args, a, ret, why);
}

enum err
certificate_list(struct pg *pg, const char *holder, const char *state, int max, struct arena *a, struct certificate_row **ret,
                 size_t *ret_n, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    struct certificate_row *list;
    enum err e;

    pg_arg_text(&args, holder);
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
