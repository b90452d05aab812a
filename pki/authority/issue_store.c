/*
 * issue_store: the statements of the judge. Each commit is one statement, so that a certificate costs three round trips.
 */
#include "base/core/enc.h"
#include "base/pg/audit.h"
#include "pki/authority/issue-internal.h"

#include <stdio.h>

enum { S_LOAD, S_REFUSE, S_HOLD_BACK, S_RESERVE, S_ISSUE, S_ISSUED };
static const struct pg_stmt stmts[] = {
    [S_LOAD] = { "issue.load",
        "SELECT q.id, q.registration_id, q.kind, q.origin, q.station_id, q.asked_by, q.csr, q.spki_sha256, q.replaces, "
        "q.state, q.reason, q.received_at, "
        "r.station_id, r.profile, r.town, r.holder, r.subject, r.support, r.proof, r.proof_ref, r.proof_at, r.renewals, r.state, "
        "CASE WHEN q.origin = 'est' THEN coalesce(s.state = 'active' AND (r.station_id = q.station_id AND "
        "r.profile = ANY (s.profiles) AND (s.towns IS NULL OR r.town = '' OR r.town = ANY (s.towns)) "
        "OR r.station_id IS NULL AND r.holder = s.name), false) WHEN q.origin = 'status' THEN q.station_id IS NULL AND "
        "r.station_id IS NULL AND coalesce(r.holder = oa.name || '/' || o.node, false) ELSE q.station_id IS NULL END, "
        "EXISTS (SELECT FROM certificate k WHERE k.spki_sha256 = q.spki_sha256 AND k.request_id IS DISTINCT FROM q.id), "
        "e.n, e.revoked, o.ca_id, c.id, c.state, "
        "e.place, f.state, f.not_after, (SELECT d.tbs FROM certificate_der d WHERE d.certificate_id = f.id) "
        "FROM request q JOIN registration r ON r.id = q.registration_id LEFT JOIN station s ON s.id = q.station_id "
        "LEFT JOIN ocsp_signer o ON o.request_id = q.id LEFT JOIN ca oa ON oa.id = o.ca_id LEFT JOIN certificate c ON c.request_id = q.id "
        "LEFT JOIN certificate f ON f.id = q.replaces AND f.registration_id = r.id "
        "CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE counts) AS n, coalesce(bool_or(state = 'revoked') FILTER (WHERE counts), false) AS revoked, "
        "count(*) AS place FROM (SELECT x.state, x.state <> 'void' AND x.request_id IS DISTINCT FROM q.id AND (r.proof_at IS NULL OR "
        "x.not_before >= r.proof_at) AS counts FROM certificate x WHERE x.registration_id = r.id) x) e WHERE q.id = $1", 1 },
    [S_REFUSE] = { "issue.refuse",
        "WITH q AS (UPDATE request SET state = 'refused', reason = $2, ended_at = $3 WHERE id = $1 "
        "AND state IN ('received', 'approved') RETURNING id) INSERT INTO audit_event (at, actor, role, verb, object, result, "
        "detail) SELECT $3, $4, '', 'request.refuse', 'request:' || q.id, $2, '{}' FROM q", 4 },
    [S_HOLD_BACK] = { "issue.hold_back",
        "WITH q AS (UPDATE request SET reason = $2 WHERE id = $1 AND state IN ('received', 'approved') RETURNING id) "
        "INSERT INTO audit_event (at, actor, role, verb, object, result, detail) SELECT $3, $4, '', 'request.hold_back', "
        "'request:' || q.id, $2, '{}' FROM q", 4 },
    [S_RESERVE] = { "issue.reserve",
        "WITH g AS (SELECT q.id AS request, r.id AS registration, r.holder, r.town, r.station_id FROM request q "
        "JOIN registration r ON r.id = q.registration_id JOIN ca ON ca.id = $3::int4 AND (ca.state = 'active' OR "
        "$4::bool AND ca.state = 'retiring') WHERE q.id = $2 AND q.state IN ('received', 'approved') AND r.state = 'open'), "
        "n AS (INSERT INTO subject_name (ca_id, sha256, holder, town) SELECT $3::int4, $5, g.holder, g.town FROM g "
        "ON CONFLICT (ca_id, sha256) DO UPDATE SET town = EXCLUDED.town WHERE subject_name.holder = EXCLUDED.holder "
        "AND coalesce(subject_name.town, EXCLUDED.town) = EXCLUDED.town RETURNING ca_id), "
        "c AS (INSERT INTO certificate (id, ca_id, serial, shard, state, state_since, request_id, registration_id, station_id, "
        "profile, profile_sha256, spki_sha256, not_before, not_after, ordinal) SELECT $1, $3::int4, $6, $7::int4, 'reserved', $8, g.request, "
        "g.registration, CASE WHEN $9::bool THEN (SELECT s.id FROM station s WHERE s.name = g.holder AND "
        "(g.station_id IS NULL OR g.station_id = s.id)) END, $10, $11, $12, $13, $14, $18::int4 FROM g, n ON CONFLICT DO NOTHING "
        "RETURNING id), "
        "d AS (INSERT INTO certificate_der (certificate_id, tbs) SELECT c.id, $15 FROM c), "
        "a AS (INSERT INTO audit_event (at, actor, role, verb, object, result, detail) SELECT $8, $16, '', "
        "'certificate.reserve', 'certificate:' || c.id, 'ok', $17::jsonb FROM c) "
        "SELECT (SELECT count(*) FROM g), (SELECT count(*) FROM n), (SELECT count(*) FROM c)", 18 },
    [S_ISSUE] = { "issue.issue",
        "WITH c AS (UPDATE certificate SET state = 'issued', state_since = $2 WHERE id = $1 AND state = 'reserved' "
        "RETURNING id, request_id, registration_id), "
        "d AS (UPDATE certificate_der SET der = $3 FROM c WHERE certificate_id = c.id), "
        "q AS (UPDATE request SET state = 'issued', reason = '', ended_at = $2 FROM c WHERE request.id = c.request_id), "
        "r AS (UPDATE registration SET renewals = renewals + $4::int4, subject = CASE WHEN $5::bool THEN NULL ELSE subject END "
        "FROM c WHERE registration.id = c.registration_id AND ($4::int4 > 0 OR $5::bool)), "
        "a AS (INSERT INTO audit_event (at, actor, role, verb, object, result, detail) SELECT $2, $6, '', "
        "'certificate.issue', 'certificate:' || c.id, 'ok', jsonb_build_object('request', c.request_id) FROM c) "
        "SELECT id FROM c", 6 },
    [S_ISSUED] = { "issue.issued", "SELECT d.der FROM certificate c JOIN certificate_der d ON d.certificate_id = c.id "
        "WHERE c.id = $1 AND c.state <> 'reserved' AND c.state <> 'void'", 1 },
};
const struct pg_stmts issue_stmts = PG_STMTS(stmts);

/* --- reading -------------------------------------------------------------------------------------------------------------- */

static struct str
kept(const struct pg_result *r, int col, struct arena *a)
{
    const struct str s = pg_str(r, 0, col);

    return s.p == NULL ? STR_NULL : (struct str){ arena_dup(a, s.p, s.n), s.n };
}

static void
request_read(const struct pg_result *r, struct arena *a, struct request *q)
{
    static const enum request_origin origins[] = { REQUEST_EST, REQUEST_OPERATOR, REQUEST_STATUS };

    pg_uuid(r, 0, 0, q->id);
    pg_uuid(r, 0, 1, q->registration);
    CHECK(request_kind_parse(pg_str(r, 0, 2), &q->kind) == OK);       /* the schema knows no other */
    for (size_t i = 0; i < ARRAY_LEN(origins); i++)
        if (str_eqs(pg_str(r, 0, 3), request_origin_name(origins[i])))
            q->origin = origins[i];
    pg_uuid(r, 0, 4, q->station);
    pg_uuid(r, 0, 5, q->asked_by);
    q->csr = kept(r, 6, a);
    memcpy(q->spki_sha256, pg_str(r, 0, 7).p, SHA256_LEN);
    pg_uuid(r, 0, 8, q->replaces);
    for (int i = REQUEST_RECEIVED; i <= REQUEST_REFUSED; i++)
        if (str_eqs(pg_str(r, 0, 9), request_state_name((enum request_state)i)))
            q->state = (enum request_state)i;
    q->reason = arena_strdup(a, pg_text(r, 0, 10));
    q->received_at = pg_time(r, 0, 11);
}

static void
registration_read(const struct pg_result *r, struct arena *a, struct registration *g)
{
    pg_uuid(r, 0, 1, g->id);
    pg_uuid(r, 0, 12, g->station);
    g->profile = arena_strdup(a, pg_text(r, 0, 13));
    g->town = arena_strdup(a, pg_text(r, 0, 14));
    g->holder = arena_strdup(a, pg_text(r, 0, 15));
    g->subject = kept(r, 16, a);
    CHECK(registration_support_parse(pg_str(r, 0, 17), &g->support) == OK);
    CHECK(registration_proof_parse(pg_str(r, 0, 18), &g->proof) == OK);
    g->proof_ref = arena_strdup(a, pg_text(r, 0, 19));
    g->proof_at = pg_time(r, 0, 20);
    g->renewals = pg_i64(r, 0, 21);
    g->state = str_eqs(pg_str(r, 0, 22), "open") ? REGISTRATION_OPEN
                                                 : str_eqs(pg_str(r, 0, 22), "draft") ? REGISTRATION_DRAFT : REGISTRATION_CLOSED;
}

enum err
issue_case_load(struct pg *pg, const char *request_id, struct arena *a, struct issue_case *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, request_id);
    if ((e = pg_exec(pg, &stmts[S_LOAD], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_code(why, ERR_NOT_FOUND, "request.unknown", "no such request");
    *ret = (struct issue_case){ .station_good = pg_bool(r, 0, 23), .key_used = pg_bool(r, 0, 24),
                                .earlier = (int)pg_i64(r, 0, 25), .revoked = pg_bool(r, 0, 26),
                                .responder_ca = (int)pg_i64(r, 0, 27), .place = (int)pg_i64(r, 0, 30), .follows = !pg_is_null(r, 0, 31) };
    request_read(r, a, &ret->request);
    registration_read(r, a, &ret->registration);
    pg_uuid(r, 0, 28, ret->certificate);
    ret->certificate_state = kept(r, 29, a);
    ret->follows_state = kept(r, 31, a);
    ret->follows_not_after = pg_time(r, 0, 32);
    ret->follows_tbs = kept(r, 33, a);
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

enum err
issue_reserve(struct pg *pg, const struct issue_reservation *r, bool *ret_done, bool *ret_taken, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *result = NULL;
    AUTO(buf_free) struct buf serial = BUF_BOUNDED(2 * sizeof(r->serial));
    struct pg_args args = PG_ARGS_INIT;
    char detail[256];
    enum err e;

    hex_encode(&serial, r->serial, sizeof(r->serial));
    snprintf(detail, sizeof(detail), "{\"request\":\"%s\",\"ca\":%d,\"serial\":\"%s\",\"profile\":\"%s\"}", r->c->request.id,
             r->ca->id, buf_cstr(&serial), r->profile->name);
    pg_arg_uuid(&args, r->id);
    pg_arg_uuid(&args, r->c->request.id);
    pg_arg_i32(&args, r->ca->id);
    pg_arg_bool(&args, r->may_retire);
    pg_arg_bytes(&args, r->subject_sha256, SHA256_LEN);
    pg_arg_bytes(&args, r->serial, sizeof(r->serial));
    pg_arg_i32(&args, r->shard);
    pg_arg_time(&args, r->now);
    pg_arg_bool(&args, r->is_station);
    pg_arg_text(&args, r->profile->name);
    pg_arg_bytes(&args, r->profile->sha256, SHA256_LEN);
    pg_arg_bytes(&args, r->c->request.spki_sha256, SHA256_LEN);
    pg_arg_time(&args, r->not_before);
    pg_arg_time(&args, r->not_after);
    pg_arg_bytes(&args, r->tbs.p, r->tbs.n);
    pg_arg_text(&args, r->actor);
    pg_arg_json(&args, detail);
    pg_arg_i32(&args, r->c->place);
    if ((e = pg_exec(pg, &stmts[S_RESERVE], &args, &result, why)) != OK)
        return e;
    *ret_done = pg_i64(result, 0, 2) > 0;
    *ret_taken = pg_i64(result, 0, 0) > 0 && pg_i64(result, 0, 1) == 0;
    return OK;
}

/* Is this very certificate there: did an earlier try of ours end well? */
static enum err
issued_already(struct pg *pg, const char *id, struct str der, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, id);
    if ((e = pg_exec(pg, &stmts[S_ISSUED], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) > 0 && str_eq(pg_str(r, 0, 0), der))
        return OK;
    return why_code(why, ERR_CONFLICT, "pki.request.lost", "the reservation is void by now: the key is spent, bring a new one");
}

enum err
issue_commit(struct pg *pg, const struct issue_reservation *r, struct str der, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *result = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, r->id);
    pg_arg_time(&args, r->now);
    pg_arg_bytes(&args, der.p, der.n);
    pg_arg_i32(&args, r->renewal ? 1 : 0);
    pg_arg_bool(&args, r->erase);
    pg_arg_text(&args, r->actor);
    if ((e = pg_exec(pg, &stmts[S_ISSUE], &args, &result, why)) != OK)
        return e;
    return pg_rows(result) > 0 ? OK : issued_already(pg, r->id, der, why);
}
