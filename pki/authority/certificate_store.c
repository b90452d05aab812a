/* certificate_store: the tables certificate and certificate_der, read. */
#include "base/core/enc.h"
#include "pki/authority/certificate.h"

enum { S_BY_ID, S_BY_SERIAL, S_OF_REQUEST, S_OF_KEY, S_LIST, S_ACCEPT };
#define COLUMNS(der_)                                                                                                \
    "SELECT c.id, c.ca_id, a.name || '-g' || a.generation, c.serial, c.state, c.state_since, c.reason, c.request_id, " \
    "c.registration_id, c.profile, r.holder, c.not_before, c.not_after, c.accepted_at, r.town, c.profile_sha256, c.shard, " der_ " FROM certificate c " \
    "JOIN ca a ON a.id = c.ca_id JOIN registration r ON r.id = c.registration_id "
#define WITH_DER "LEFT JOIN certificate_der d ON d.certificate_id = c.id "
static const struct pg_stmt stmts[] = {
    [S_BY_ID] = { "certificate.by_id", COLUMNS("d.der") WITH_DER "WHERE c.id = $1", 1 },
    [S_BY_SERIAL] = { "certificate.by_serial",
        COLUMNS("d.der") WITH_DER "WHERE a.name || '-g' || a.generation = $1 AND c.serial = $2", 2 },
    [S_OF_REQUEST] = { "certificate.of_request", COLUMNS("d.der") WITH_DER "WHERE c.request_id = $1", 1 },
    [S_OF_KEY] = { "certificate.of_key", COLUMNS("d.der") WITH_DER "WHERE c.spki_sha256 = $1", 1 },
    [S_LIST] = { "certificate.list",
        COLUMNS("NULL::bytea") "WHERE ($1::text IS NULL OR r.holder = $1) AND ($2::text IS NULL OR r.town = $2) AND "
        "($3::text IS NULL OR c.state = $3) AND ($4::text IS NULL OR c.profile = $4) AND "
        "($5::text IS NULL OR a.name || '-g' || a.generation = $5) AND ($6::timestamptz IS NULL OR c.not_after < $6) AND "
        "(NOT $7::bool OR c.state IN ('issued', 'active', 'held')) ORDER BY c.not_before DESC, c.id LIMIT $8::int4", 8 },
    [S_ACCEPT] = { "certificate.accept",
        "WITH u AS (UPDATE certificate SET state = 'active', state_since = $2, accepted_at = $2 WHERE id = $1 AND "
        "state = 'issued' RETURNING id), "
        "a AS (INSERT INTO audit_event (at, actor, role, verb, object, result, detail) SELECT $2, $3, '', 'certificate.accept', "
        "'certificate:' || u.id, 'ok', jsonb_build_object('proof_ref', $4::text) FROM u) "
        "SELECT EXISTS (SELECT FROM u), c.state, c.accepted_at IS NOT NULL FROM certificate c WHERE c.id = $1", 4 },
};
const struct pg_stmts certificate_stmts = PG_STMTS(stmts);

void
certificate_row_read(const struct pg_result *r, int row, struct arena *a, struct certificate_row *ret)
{
    pg_uuid(r, row, 0, ret->id);
    ret->ca_id = (int)pg_i64(r, row, 1);
    ret->ca_label = arena_strdup(a, pg_text(r, row, 2));
    ret->serial = pg_str_dup(r, row, 3, a);
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
    ret->town = arena_strdup(a, pg_text(r, row, 14));
    memcpy(ret->profile_sha256, pg_str(r, row, 15).p, SHA256_LEN);
    ret->shard = (int)pg_i64(r, row, 16);
    ret->der = pg_str_dup(r, row, 17, a);
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
    certificate_row_read(r, 0, a, ret);
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
certificate_of_key(struct pg *pg, const unsigned char spki_sha256[SHA256_LEN], struct arena *a, struct certificate_row *ret,
                   struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_bytes(&args, spki_sha256, SHA256_LEN);
    return one_read(pg, &stmts[S_OF_KEY], &args, a, ret, why);
}

enum err
certificate_list(struct pg *pg, const struct certificate_filter *filter, int max, struct arena *a, struct certificate_row **ret,
                 size_t *ret_n, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    struct certificate_row *list;
    enum err e;

    pg_arg_text(&args, filter->holder);
    pg_arg_text(&args, filter->town);
    pg_arg_text(&args, filter->state);
    pg_arg_text(&args, filter->profile);
    pg_arg_text(&args, filter->ca);
    pg_arg_time(&args, filter->ends_before);
    pg_arg_bool(&args, filter->live);
    pg_arg_i32(&args, max);
    if ((e = pg_exec(pg, &stmts[S_LIST], &args, &r, why)) != OK)
        return e;
    list = arena_alloc(a, ((size_t)pg_rows(r) + 1) * sizeof(*list));
    for (int i = 0; i < pg_rows(r); i++)
        certificate_row_read(r, i, a, &list[i]);
    *ret = list;
    *ret_n = (size_t)pg_rows(r);
    return OK;
}

enum err
certificate_accept(struct pg *pg, const char *id, const char *proof_ref, const char *actor, utime now, bool *ret_new,
                   struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, id);
    pg_arg_time(&args, now);
    pg_arg_text(&args, actor);
    pg_arg_text(&args, proof_ref);
    if ((e = pg_exec(pg, &stmts[S_ACCEPT], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_code(why, ERR_NOT_FOUND, "certificate.unknown", "no such certificate");
    if (!pg_bool(r, 0, 0) && !(str_eqs(pg_str(r, 0, 1), "active") && pg_bool(r, 0, 2)))
        return why_code(why, ERR_CONFLICT, "certificate.state", "the certificate is %s", pg_text(r, 0, 1));
    if (ret_new != NULL)
        *ret_new = pg_bool(r, 0, 0);
    return OK;
}
