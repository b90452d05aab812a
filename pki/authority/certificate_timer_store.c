/* certificate_timer_store: what timers do to certificates, under the role pki_worker. */
#include "pki/authority/certificate.h"

enum { S_VOID, S_LOST_END, S_EXPIRE, S_UNACCEPTED, S_PURGE, S_NEWEST, S_LOCK };
/* The request of a reservation is open until the second commit: few are, and no index looks at a certificate's state. */
#define RESERVED "state = 'reserved' AND request_id IN (SELECT id FROM request WHERE state IN ('received', 'approved')) "
static const struct pg_stmt stmts[] = {
    [S_VOID] = { "certificate.void",
        "WITH c AS (UPDATE certificate SET state = 'void', state_since = $2 WHERE " RESERVED "AND state_since <= $1 "
        "RETURNING id, request_id), "
        "q AS (UPDATE request SET state = 'refused', reason = 'pki.request.lost', ended_at = $2 FROM c "
        "WHERE request.id = c.request_id AND request.state IN ('received', 'approved')), "
        "l AS (INSERT INTO alarm (kind, object, level, text, raised_at) SELECT 'certificate.lost', 'certificate:' || id, "
        "'warning', 'a reservation without a certificate, left by a crash: its key and number stay used', $2 FROM c "
        "ON CONFLICT (kind, object, level) WHERE ended_at IS NULL DO NOTHING), "
        "a AS (INSERT INTO audit_event (at, actor, role, verb, object, result, detail) SELECT $2, 'system', '', "
        "'certificate.void', 'certificate:' || id, 'pki.request.lost', jsonb_build_object('request', request_id) FROM c) "
        "SELECT count(*) FROM c", 2 },
    [S_LOST_END] = { "certificate.lost_end",
        "UPDATE alarm a SET ended_at = $1 FROM certificate v JOIN registration r ON r.id = v.registration_id "
        "WHERE a.kind = 'certificate.lost' AND a.ended_at IS NULL AND v.id = substr(a.object, length('certificate:') + 1)::uuid "
        "AND (r.state = 'closed' OR EXISTS (SELECT FROM certificate n WHERE n.registration_id = r.id AND "
        "n.state NOT IN ('reserved', 'void') AND n.not_before >= v.not_before))", 1 },
    [S_EXPIRE] = { "certificate.expire",
        "WITH due AS (SELECT id FROM certificate WHERE live AND state IN ('issued', 'active') AND not_after < $1 "
        "ORDER BY not_after LIMIT $2::int4 FOR UPDATE SKIP LOCKED), "
        "c AS (UPDATE certificate SET state = 'expired', state_since = $1 FROM due WHERE certificate.id = due.id "
        "RETURNING certificate.id) SELECT count(*) FROM c", 2 },
    [S_UNACCEPTED] = { "certificate.unaccepted",
        "INSERT INTO alarm (kind, object, level, text, raised_at) SELECT 'certificate.unaccepted', 'certificate:' || id, "
        "'warning', 'the holder has not accepted it', $3 FROM certificate WHERE accepted_at IS NULL AND "
        "live AND state IN ('issued', 'active') AND profile = $1 AND not_before < $2 "
        "ON CONFLICT (kind, object, level) WHERE ended_at IS NULL DO NOTHING", 3 },
    [S_PURGE] = { "status_change.purge",
        "DELETE FROM status_change WHERE seq IN (SELECT s.seq FROM status_change s WHERE s.at < $1 AND NOT EXISTS "
        "(SELECT FROM crl l WHERE l.ca_id = s.ca_id AND l.shard = s.shard AND l.kind = 'full' AND l.horizon <= s.tx AND "
        "l.next_update > $1) AND s.seq < (SELECT max(seq) FROM status_change) ORDER BY s.seq LIMIT 10000)", 1 },
    [S_NEWEST] = { "certificate.newest",
        "SELECT greatest((SELECT max(at) FROM (SELECT at FROM status_change ORDER BY seq DESC LIMIT 1000) s), "
        "(SELECT max(state_since) FROM certificate WHERE " RESERVED "), (SELECT max(this_update) FROM crl))", 0 },
    [S_LOCK] = { "signer.lock", "SELECT pg_try_advisory_lock(hashtextextended('beffroi-pki signer', 0))", 0 },
};
const struct pg_stmts certificate_timer_stmts = PG_STMTS(stmts);

/* Executes what answers a count. */
static enum err
counted(struct pg *pg, const struct pg_stmt *stmt, struct pg_args *args, int *ret_n, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    enum err e;

    if ((e = pg_exec(pg, stmt, args, &r, why)) != OK)
        return e;
    if (ret_n != NULL)
        *ret_n = (int)pg_i64(r, 0, 0);
    return OK;
}

enum err
certificate_void_lost(struct pg *pg, utime before, utime now, int *ret_n, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_time(&args, before);
    pg_arg_time(&args, now);
    return counted(pg, &stmts[S_VOID], &args, ret_n, why);
}

enum err
certificate_lost_end(struct pg *pg, utime now, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_time(&args, now);
    return pg_exec(pg, &stmts[S_LOST_END], &args, NULL, why);
}

enum err
certificate_expire_due(struct pg *pg, utime now, int max, int *ret_n, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_time(&args, now);
    pg_arg_i32(&args, max);
    return counted(pg, &stmts[S_EXPIRE], &args, ret_n, why);
}

enum err
certificate_unaccepted_alarm(struct pg *pg, const char *profile, utime before, utime now, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_text(&args, profile);
    pg_arg_time(&args, before);
    pg_arg_time(&args, now);
    return pg_exec(pg, &stmts[S_UNACCEPTED], &args, NULL, why);
}

enum err
certificate_changes_purge(struct pg *pg, utime before, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_time(&args, before);
    return pg_exec(pg, &stmts[S_PURGE], &args, NULL, why);
}

enum err
certificate_newest(struct pg *pg, utime *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    enum err e;

    if ((e = pg_exec(pg, &stmts[S_NEWEST], NULL, &r, why)) != OK)
        return e;
    *ret = pg_is_null(r, 0, 0) ? 0 : pg_time(r, 0, 0);
    return OK;
}

enum err
certificate_signer_lock(struct pg *pg, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    enum err e;

    if ((e = pg_exec(pg, &stmts[S_LOCK], NULL, &r, why)) != OK)
        return e;
    return pg_bool(r, 0, 0) ? OK : why_code(why, ERR_CONFLICT, "signer.second", "another signer works on this database");
}
