/* revocation_timer_store: revocations that are due by the clock, under the role pki_worker. */
#include "pki/authority/revocation.h"

enum { S_DEFERRED, S_HOLD, S_UNACCEPTED };
/* What a timer revokes has a request of its own; one that was deferred is done with it. The key is unique, as a certificate
 * is revoked once. due: id. */
#define REVOKED(reason_, name_)                                                                                           \
    "c AS (UPDATE certificate SET state = 'revoked', state_since = $2, reason = " #reason_ ", "                           \
    "revoked_at = coalesce(revoked_at, $2) FROM due WHERE certificate.id = due.id RETURNING certificate.id), "            \
    "w AS (UPDATE revocation_request q SET state = 'executed', executed_at = $2 FROM c WHERE q.certificate_id = c.id AND " \
    "q.state = 'deferred'), "                                                                                             \
    "q AS (INSERT INTO revocation_request (id, certificate_id, act, reason, requester, key, state, outcome, received_at, " \
    "executed_at) SELECT gen_random_uuid(), c.id, 'revoke', " #reason_ ", 'timer', 'timer." name_ ":' || c.id, "          \
    "'executed', 'revoked', $2, $2 FROM c), "                                                                             \
    "a AS (INSERT INTO audit_event (at, actor, role, verb, object, result, detail) SELECT $2, 'system', '', "             \
    "'certificate.revoke', 'certificate:' || c.id, 'ok', jsonb_build_object('timer', '" name_ "', 'reason', " #reason_ ") " \
    "FROM c) "
static const struct pg_stmt stmts[] = {
    /* One whose certificate has ended meanwhile is withdrawn: there is nothing left to revoke. */
    [S_DEFERRED] = { "revocation.deferred_due",
        "WITH due AS (SELECT q.id AS request, c.id, c.state IN ('issued', 'active', 'held') AND c.not_after >= $1 AS live "
        "FROM revocation_request q JOIN certificate c ON c.id = q.certificate_id WHERE q.state = 'deferred' AND "
        "q.due_at <= $1 ORDER BY q.due_at LIMIT $2::int4 FOR UPDATE OF c, q SKIP LOCKED), "
        "w AS (UPDATE revocation_request q SET state = CASE WHEN due.live THEN 'executed' ELSE 'withdrawn' END, "
        "executed_at = $1 FROM due WHERE q.id = due.request RETURNING q.id, q.certificate_id, q.reason, q.invalid_at, due.live), "
        "c AS (UPDATE certificate SET state = 'revoked', state_since = $1, reason = coalesce(w.reason, 5), "
        "revoked_at = coalesce(revoked_at, $1), invalid_at = coalesce(w.invalid_at, certificate.invalid_at) FROM w "
        "WHERE certificate.id = w.certificate_id AND w.live RETURNING certificate.id), "
        "a AS (INSERT INTO audit_event (at, actor, role, verb, object, result, detail) SELECT $1, 'system', '', "
        "'certificate.revoke', 'certificate:' || w.certificate_id, CASE WHEN w.live THEN 'ok' ELSE 'revocation.state' END, "
        "jsonb_build_object('timer', 'deferred', 'request', w.id) FROM w) SELECT count(*) FROM w", 2 },
    [S_HOLD] = { "revocation.hold_due",
        "WITH due AS (SELECT id FROM certificate WHERE state = 'held' AND profile = $1 AND revoked_at <= $3 AND "
        "not_after >= $2 ORDER BY revoked_at LIMIT $4::int4 FOR UPDATE SKIP LOCKED), "
        REVOKED(5, "hold") "SELECT count(*) FROM c", 4 },
    [S_UNACCEPTED] = { "revocation.unaccepted_due",
        "WITH due AS (SELECT id FROM certificate WHERE live AND state IN ('issued', 'active') AND accepted_at IS NULL AND profile = $1 "
        "AND not_before <= $3 AND not_after >= $2 ORDER BY not_before LIMIT $4::int4 FOR UPDATE SKIP LOCKED), "
        REVOKED(9, "unaccepted") ", l AS (UPDATE alarm SET ended_at = $2 FROM c WHERE kind = 'certificate.unaccepted' AND "
        "object = 'certificate:' || c.id AND ended_at IS NULL) SELECT count(*) FROM c", 4 },
};
const struct pg_stmts revocation_timer_stmts = PG_STMTS(stmts);

static enum err
counted(struct pg *pg, const struct pg_stmt *stmt, struct pg_args *args, int *n, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    enum err e;

    if ((e = pg_exec(pg, stmt, args, &r, why)) == OK)
        *n += (int)pg_i64(r, 0, 0);
    return e;
}

static enum err
profile_due(struct pg *pg, const struct pg_stmt *stmt, const char *profile, utime before, utime now, int max, int *n,
            struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_text(&args, profile);
    pg_arg_time(&args, now);
    pg_arg_time(&args, before);
    pg_arg_i32(&args, max);
    return counted(pg, stmt, &args, n, why);
}

enum err
revocation_run_due(struct pg *pg, const struct profile_set *profiles, utime now, int max, int *ret_n, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;
    int n = 0;
    enum err e;

    pg_arg_time(&args, now);
    pg_arg_i32(&args, max);
    e = counted(pg, &stmts[S_DEFERRED], &args, &n, why);
    for (size_t i = 0; i < profiles->n && e == OK; i++) {
        const struct profile *p = profiles->items[i];

        e = profile_due(pg, &stmts[S_HOLD], p->name, now - p->hold_max, now, max, &n, why);
        if (e == OK && p->acceptance != ACCEPTANCE_TACIT)
            e = profile_due(pg, &stmts[S_UNACCEPTED], p->name, now - p->accept_revoke, now, max, &n, why);
    }
    if (ret_n != NULL)
        *ret_n = n;
    return e;
}
