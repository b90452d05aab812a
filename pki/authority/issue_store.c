/*
 * issue_store: the statements of the judge. Each takes several requests and each commit is one statement, so that a batch of
 * certificates costs three round trips, as one does: most of what PostgreSQL spends is paid for each statement, not for each row.
 */
#include "base/core/enc.h"
#include "base/pg/audit.h"
#include "pki/authority/issue-internal.h"

#include <stdio.h>

/*
 * Rows of an array, at most some dozens: all of them, and said so to the planner, who takes a limit that it does not know for a tenth
 * of the ten that it takes an array for. Our plans are made once, maybe while the tables are empty: they look each up by its key.
 */
#define FEW(array) " LIMIT cardinality(" array ")"

enum { S_LOAD, S_REFUSE, S_HOLD_BACK, S_RESERVE, S_ISSUE, S_ISSUED };
static const struct pg_stmt stmts[] = {
    [S_LOAD] = { "issue.load",
        "SELECT u.n, q.id, q.registration_id, q.kind, q.origin, q.station_id, q.asked_by, q.csr, q.spki_sha256, q.replaces, "
        "q.state, q.reason, q.received_at, "
        "r.station_id, r.profile, r.town, r.holder, r.subject, r.support, r.proof, r.proof_ref, r.proof_at, r.renewals, r.state, "
        "CASE WHEN q.origin = 'est' THEN coalesce(s.state = 'active' AND (r.station_id = q.station_id AND "
        "r.profile = ANY (s.profiles) AND (s.towns IS NULL OR r.town = '' OR r.town = ANY (s.towns)) "
        "OR r.station_id IS NULL AND r.holder = s.name), false) WHEN q.origin = 'status' THEN q.station_id IS NULL AND "
        "r.station_id IS NULL AND coalesce(r.holder = oa.name || '/' || o.node, false) ELSE q.station_id IS NULL END, "
        "EXISTS (SELECT FROM certificate k WHERE k.spki_sha256 = q.spki_sha256 AND k.request_id IS DISTINCT FROM q.id), "
        "e.n, e.revoked, o.ca_id, c.id, c.state, "
        "e.place, f.state, f.not_after, (SELECT d.tbs FROM certificate_der d WHERE d.certificate_id = f.id) "
        "FROM (SELECT * FROM unnest($1::uuid[]) WITH ORDINALITY AS u (id, n)" FEW("$1::uuid[]") ") u JOIN request q ON q.id = u.id "
        "JOIN registration r ON r.id = q.registration_id LEFT JOIN station s ON s.id = q.station_id "
        "LEFT JOIN ocsp_signer o ON o.request_id = q.id LEFT JOIN ca oa ON oa.id = o.ca_id LEFT JOIN certificate c ON c.request_id = q.id "
        "LEFT JOIN certificate f ON f.id = q.replaces AND f.registration_id = r.id "
        "CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE counts) AS n, coalesce(bool_or(state = 'revoked') FILTER (WHERE counts), false) "
        "AS revoked, count(*) AS place FROM (SELECT x.state, x.state <> 'void' AND x.request_id IS DISTINCT FROM q.id "
        "AND (r.proof_at IS NULL OR x.not_before >= r.proof_at) "
        "AND NOT (x.state = 'revoked' AND x.reason = 4 AND x.accepted_at IS NULL) AS counts FROM certificate x "
        "WHERE x.registration_id = r.id) x) e", 1 },
    [S_REFUSE] = { "issue.refuse",
        "WITH q AS (UPDATE request SET state = 'refused', reason = $2, ended_at = $3 WHERE id = $1 "
        "AND state IN ('received', 'approved') RETURNING id) INSERT INTO audit_event (at, actor, role, verb, object, result, "
        "detail) SELECT $3, $4, '', 'request.refuse', 'request:' || q.id, $2, '{}' FROM q", 4 },
    [S_HOLD_BACK] = { "issue.hold_back",
        "WITH q AS (UPDATE request SET reason = $2 WHERE id = $1 AND state IN ('received', 'approved') RETURNING id) "
        "INSERT INTO audit_event (at, actor, role, verb, object, result, detail) SELECT $3, $4, '', 'request.hold_back', "
        "'request:' || q.id, $2, '{}' FROM q", 4 },
    /* One of them that conflicts leaves the others alone. Names are taken in one order by all (issue_reservation_order()). What became
     * of each is looked up in hashes, (… IN …) IS TRUE: joined, each would be compared with each. */
    [S_RESERVE] = { "issue.reserve",
        "WITH u AS (SELECT * FROM unnest($3::uuid[], $4::uuid[], $5::int8[], $6::int8[], $7::bytea[], $8::bytea[], $9::int8[], "
        "$10::int8[], $11::text[], $12::bytea[], $13::bytea[], $14::timestamptz[], $15::timestamptz[], $16::bytea[], $17::text[], $18::int8[]) "
        "WITH ORDINALITY AS u (id, request, ca, may_retire, name, serial, shard, is_station, profile, profile_sha256, key, not_before, "
        "not_after, tbs, detail, ordinal, n)" FEW("$3::uuid[]") "), "
        "g AS (SELECT u.*, r.id AS registration, r.holder, r.town, r.station_id FROM u JOIN request q ON q.id = u.request "
        "JOIN registration r ON r.id = q.registration_id JOIN ca ON ca.id = u.ca AND (ca.state = 'active' OR "
        "u.may_retire = 1 AND ca.state = 'retiring') WHERE q.state IN ('received', 'approved') AND r.state = 'open'), "
        "n AS (INSERT INTO subject_name (ca_id, sha256, holder, town) SELECT ca, name, holder, town FROM g "
        "ORDER BY n ON CONFLICT (ca_id, sha256) DO UPDATE SET town = EXCLUDED.town WHERE subject_name.holder = EXCLUDED.holder "
        "AND coalesce(subject_name.town, EXCLUDED.town) = EXCLUDED.town RETURNING ca_id, sha256), "
        "c AS (INSERT INTO certificate (id, ca_id, serial, shard, state, state_since, request_id, registration_id, station_id, "
        "profile, profile_sha256, spki_sha256, not_before, not_after, ordinal) SELECT id, ca, serial, shard, 'reserved', $1, request, "
        "registration, CASE WHEN is_station = 1 THEN (SELECT s.id FROM station s WHERE s.name = g.holder AND "
        "(g.station_id IS NULL OR g.station_id = s.id)) END, profile, profile_sha256, key, not_before, not_after, ordinal "
        "FROM g WHERE ((ca, name) IN (SELECT ca_id, sha256 FROM n)) IS TRUE ORDER BY n ON CONFLICT DO NOTHING RETURNING id), "
        "d AS (INSERT INTO certificate_der (certificate_id, tbs) SELECT id, tbs FROM g WHERE (id IN (SELECT id FROM c)) IS TRUE), "
        "a AS (INSERT INTO audit_event (at, actor, role, verb, object, result, detail) SELECT $1, $2, '', "
        "'certificate.reserve', 'certificate:' || id, 'ok', detail::jsonb FROM g WHERE (id IN (SELECT id FROM c)) IS TRUE ORDER BY n) "
        "SELECT n, (n IN (SELECT n FROM g)) IS TRUE, ((ca, name) IN (SELECT ca_id, sha256 FROM n)) IS TRUE, "
        "(id IN (SELECT id FROM c)) IS TRUE FROM u", 18 },
    /* The state is compared in the join: a condition on certificate alone makes a table that was small then worth reading whole. */
    [S_ISSUE] = { "issue.issue",
        "WITH c AS (UPDATE certificate c SET state = 'issued', state_since = $1 FROM (SELECT id, n, 'reserved' AS state FROM "
        "unnest($3::uuid[]) WITH ORDINALITY AS u (id, n)" FEW("$3::uuid[]") ") u WHERE c.id = u.id AND c.state = u.state "
        "RETURNING c.id, c.request_id, c.registration_id, u.n), "
        "d AS (UPDATE certificate_der SET der = ($4::bytea[])[c.n] FROM c WHERE certificate_id = c.id), "
        "q AS (UPDATE request SET state = 'issued', reason = '', ended_at = $1 FROM c WHERE request.id = c.request_id), "
        "r AS (UPDATE registration SET renewals = renewals + ($5::int8[])[c.n], subject = CASE WHEN ($6::int8[])[c.n] = 1 THEN NULL "
        "ELSE subject END FROM c WHERE registration.id = c.registration_id AND (($5::int8[])[c.n] > 0 OR ($6::int8[])[c.n] = 1)), "
        "a AS (INSERT INTO audit_event (at, actor, role, verb, object, result, detail) SELECT $1, $2, '', "
        "'certificate.issue', 'certificate:' || c.id, 'ok', jsonb_build_object('request', c.request_id) FROM c ORDER BY n) "
        "SELECT n FROM c", 6 },
    [S_ISSUED] = { "issue.issued", "SELECT d.der FROM certificate c JOIN certificate_der d ON d.certificate_id = c.id "
        "WHERE c.id = $1 AND c.state <> 'reserved' AND c.state <> 'void'", 1 },
};
const struct pg_stmts issue_stmts = PG_STMTS(stmts);

/* --- reading -------------------------------------------------------------------------------------------------------------- */

static void
request_read(const struct pg_result *r, int row, struct arena *a, struct request *q)
{
    static const enum request_origin origins[] = { REQUEST_EST, REQUEST_OPERATOR, REQUEST_STATUS };

    pg_uuid(r, row, 1, q->id);
    pg_uuid(r, row, 2, q->registration);
    CHECK(request_kind_parse(pg_str(r, row, 3), &q->kind) == OK);       /* the schema knows no other */
    for (size_t i = 0; i < ARRAY_LEN(origins); i++)
        if (str_eqs(pg_str(r, row, 4), request_origin_name(origins[i])))
            q->origin = origins[i];
    pg_uuid(r, row, 5, q->station);
    pg_uuid(r, row, 6, q->asked_by);
    q->csr = pg_str_dup(r, row, 7, a);
    memcpy(q->spki_sha256, pg_str(r, row, 8).p, SHA256_LEN);
    pg_uuid(r, row, 9, q->replaces);
    for (int i = REQUEST_RECEIVED; i <= REQUEST_REFUSED; i++)
        if (str_eqs(pg_str(r, row, 10), request_state_name((enum request_state)i)))
            q->state = (enum request_state)i;
    q->reason = arena_strdup(a, pg_text(r, row, 11));
    q->received_at = pg_time(r, row, 12);
}

static void
registration_read(const struct pg_result *r, int row, struct arena *a, struct registration *g)
{
    pg_uuid(r, row, 2, g->id);
    pg_uuid(r, row, 13, g->station);
    g->profile = arena_strdup(a, pg_text(r, row, 14));
    g->town = arena_strdup(a, pg_text(r, row, 15));
    g->holder = arena_strdup(a, pg_text(r, row, 16));
    g->subject = pg_str_dup(r, row, 17, a);
    CHECK(registration_support_parse(pg_str(r, row, 18), &g->support) == OK);
    CHECK(registration_proof_parse(pg_str(r, row, 19), &g->proof) == OK);
    g->proof_ref = arena_strdup(a, pg_text(r, row, 20));
    g->proof_at = pg_time(r, row, 21);
    g->renewals = pg_i64(r, row, 22);
    g->state = str_eqs(pg_str(r, row, 23), "open") ? REGISTRATION_OPEN
                                                 : str_eqs(pg_str(r, row, 23), "draft") ? REGISTRATION_DRAFT : REGISTRATION_CLOSED;
}

static void
case_read(const struct pg_result *r, int row, struct arena *a, struct issue_case *ret)
{
    *ret = (struct issue_case){ .found = true, .station_good = pg_bool(r, row, 24), .key_used = pg_bool(r, row, 25),
                                .earlier = (int)pg_i64(r, row, 26), .revoked = pg_bool(r, row, 27),
                                .responder_ca = (int)pg_i64(r, row, 28), .place = (int)pg_i64(r, row, 31),
                                .follows = !pg_is_null(r, row, 32) };
    request_read(r, row, a, &ret->request);
    registration_read(r, row, a, &ret->registration);
    pg_uuid(r, row, 29, ret->certificate);
    ret->certificate_state = pg_str_dup(r, row, 30, a);
    ret->follows_state = pg_str_dup(r, row, 32, a);
    ret->follows_not_after = pg_time(r, row, 33);
    ret->follows_tbs = pg_str_dup(r, row, 34, a);
}

enum err
issue_cases_load(struct pg *pg, const char *const *ids, size_t n, struct arena *const *a, struct issue_case *ret,
                 struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuids(&args, ids, n);
    if ((e = pg_exec(pg, &stmts[S_LOAD], &args, &r, why)) != OK)
        return e;
    for (size_t i = 0; i < n; i++)
        ret[i] = (struct issue_case){ .found = false };
    for (int i = 0; i < pg_rows(r); i++) {
        const int64_t at = pg_i64(r, i, 0) - 1;

        case_read(r, i, a[at], &ret[at]);
    }
    return OK;
}

/* --- writing --------------------------------------------------------------------------------------------------------------- */

static enum err
noted(struct pg *pg, const struct pg_stmt *stmt, const char *request_id, const char *code, const char *actor, utime now,
      struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, request_id);
    pg_arg_text(&args, code);
    pg_arg_time(&args, now);
    pg_arg_text(&args, actor);
    return pg_exec(pg, stmt, &args, NULL, why);
}

enum err
issue_refuse(struct pg *pg, const char *request_id, const char *code, const char *actor, utime now, struct why *why)
{
    return noted(pg, &stmts[S_REFUSE], request_id, code, actor, now, why);
}

enum err
issue_hold_back(struct pg *pg, const char *request_id, const char *code, const char *actor, utime now, struct why *why)
{
    return noted(pg, &stmts[S_HOLD_BACK], request_id, code, actor, now, why);
}

int
issue_reservation_order(const struct issue_reservation *x, const struct issue_reservation *y)
{
    return x->ca->id != y->ca->id ? (x->ca->id < y->ca->id ? -1 : 1) : memcmp(x->subject_sha256, y->subject_sha256, SHA256_LEN);
}

/* A parameter each: columns of what is reserved. */
struct columns {
    const char *id[ISSUE_BATCH_MAX], *request[ISSUE_BATCH_MAX], *profile[ISSUE_BATCH_MAX], *detail[ISSUE_BATCH_MAX];
    int64_t ca[ISSUE_BATCH_MAX], may_retire[ISSUE_BATCH_MAX], shard[ISSUE_BATCH_MAX], is_station[ISSUE_BATCH_MAX],
            ordinal[ISSUE_BATCH_MAX];
    struct str name[ISSUE_BATCH_MAX], serial[ISSUE_BATCH_MAX], profile_sha256[ISSUE_BATCH_MAX], key[ISSUE_BATCH_MAX], tbs[ISSUE_BATCH_MAX];
    utime not_before[ISSUE_BATCH_MAX], not_after[ISSUE_BATCH_MAX];
    char details[ISSUE_BATCH_MAX][256];
};

static void
columns_set(struct columns *c, size_t i, const struct issue_reservation *r)
{
    AUTO(buf_free) struct buf serial = BUF_BOUNDED(2 * sizeof(r->serial));

    hex_encode(&serial, r->serial, sizeof(r->serial));
    snprintf(c->details[i], sizeof(c->details[i]), "{\"request\":\"%s\",\"ca\":%d,\"serial\":\"%s\",\"profile\":\"%s\"}",
             r->c->request.id, r->ca->id, buf_cstr(&serial), r->profile->name);
    c->detail[i] = c->details[i];
    c->id[i] = r->id;
    c->request[i] = r->c->request.id;
    c->profile[i] = r->profile->name;
    c->ca[i] = r->ca->id;
    c->may_retire[i] = r->may_retire;
    c->shard[i] = r->shard;
    c->is_station[i] = r->is_station;
    c->ordinal[i] = r->c->place;
    c->name[i] = (struct str){ (const char *)r->subject_sha256, SHA256_LEN };
    c->serial[i] = (struct str){ (const char *)r->serial, sizeof(r->serial) };
    c->profile_sha256[i] = (struct str){ (const char *)r->profile->sha256, SHA256_LEN };
    c->key[i] = (struct str){ (const char *)r->c->request.spki_sha256, SHA256_LEN };
    c->tbs[i] = r->tbs;
    c->not_before[i] = r->not_before;
    c->not_after[i] = r->not_after;
}

enum err
issue_reserve(struct pg *pg, struct issue_reservation *const *list, size_t n, const char *actor, utime now, struct why *why)
{
    AUTO(mem_freep) struct columns *c = mem_alloc(sizeof(*c));
    AUTO(pg_result_freep) struct pg_result *result = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    CHECK(n > 0 && n <= ISSUE_BATCH_MAX);
    for (size_t i = 0; i < n; i++)
        columns_set(c, i, list[i]);
    pg_arg_time(&args, now);
    pg_arg_text(&args, actor);
    pg_arg_uuids(&args, c->id, n);
    pg_arg_uuids(&args, c->request, n);
    pg_arg_i64s(&args, c->ca, n);
    pg_arg_i64s(&args, c->may_retire, n);
    pg_arg_blobs(&args, c->name, n);
    pg_arg_blobs(&args, c->serial, n);
    pg_arg_i64s(&args, c->shard, n);
    pg_arg_i64s(&args, c->is_station, n);
    pg_arg_texts(&args, c->profile, n);
    pg_arg_blobs(&args, c->profile_sha256, n);
    pg_arg_blobs(&args, c->key, n);
    pg_arg_times(&args, c->not_before, n);
    pg_arg_times(&args, c->not_after, n);
    pg_arg_blobs(&args, c->tbs, n);
    pg_arg_texts(&args, c->detail, n);
    pg_arg_i64s(&args, c->ordinal, n);
    if ((e = pg_exec(pg, &stmts[S_RESERVE], &args, &result, why)) != OK)
        return e;
    CHECK((size_t)pg_rows(result) == n);
    for (int i = 0; i < pg_rows(result); i++)
        list[pg_i64(result, i, 0) - 1]->outcome = pg_bool(result, i, 3) ? ISSUE_RESERVED
            : pg_bool(result, i, 1) && !pg_bool(result, i, 2) ? ISSUE_TAKEN : ISSUE_BUSY;
    return OK;
}

/* Is this very certificate there: did an earlier try of ours end well? */
static enum err
issued_already(struct pg *pg, struct issue_reservation *r, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *result = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, r->id);
    if ((e = pg_exec(pg, &stmts[S_ISSUED], &args, &result, why)) != OK)
        return e;
    r->issued = pg_rows(result) > 0 && str_eq(pg_str(result, 0, 0), r->der);
    return OK;
}

enum err
issue_commit(struct pg *pg, struct issue_reservation *const *list, size_t n, const char *actor, utime now, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *result = NULL;
    struct pg_args args = PG_ARGS_INIT;
    const char *id[ISSUE_BATCH_MAX];
    struct str der[ISSUE_BATCH_MAX];
    int64_t renewal[ISSUE_BATCH_MAX], erase[ISSUE_BATCH_MAX];
    enum err e;

    CHECK(n > 0 && n <= ISSUE_BATCH_MAX);
    for (size_t i = 0; i < n; i++) {
        id[i] = list[i]->id;
        der[i] = list[i]->der;
        renewal[i] = list[i]->renewal;
        erase[i] = list[i]->erase;
        list[i]->issued = false;
    }
    pg_arg_time(&args, now);
    pg_arg_text(&args, actor);
    pg_arg_uuids(&args, id, n);
    pg_arg_blobs(&args, der, n);
    pg_arg_i64s(&args, renewal, n);
    pg_arg_i64s(&args, erase, n);
    if ((e = pg_exec(pg, &stmts[S_ISSUE], &args, &result, why)) != OK)
        return e;
    for (int i = 0; i < pg_rows(result); i++)
        list[pg_i64(result, i, 0) - 1]->issued = true;
    for (size_t i = 0; i < n && e == OK; i++)
        if (!list[i]->issued)
            e = issued_already(pg, list[i], why);
    return e;
}
