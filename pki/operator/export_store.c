/* export_store: the statements of `certificate export`, beside those of the stores. They read, nothing else. */
#include "pki/operator/export-internal.h"

#include "pki/operator/operator.h"

enum { S_CERTIFICATE, S_CHANGES, S_REVOCATIONS, S_LISTS, S_PUBLISHED, S_CEREMONIES };
static const struct pg_stmt stmts[] = {
    [S_CERTIFICATE] = { "export.certificate",
        "SELECT revoked_at, invalid_at, holds, compromised, station_id FROM certificate WHERE id = $1", 1 },
    [S_CHANGES] = { "export.changes",
        "SELECT s.was, s.state, s.reason, s.at FROM certificate c JOIN status_change s ON s.ca_id = c.ca_id AND s.serial = c.serial "
        "WHERE c.id = $1 ORDER BY s.seq", 1 },
    [S_REVOCATIONS] = { "export.revocations",
        "SELECT id, act, reason, invalid_at, requester, requester_ref, proof, station_id, state, outcome, received_at, due_at, "
        "executed_at, published_at, crl_number FROM revocation_request WHERE certificate_id = $1 ORDER BY received_at, id", 1 },
    [S_LISTS] = { "export.lists",
        "WITH c AS (SELECT id, ca_id, shard, revoked_at, not_after FROM certificate WHERE id = $1), "
        "q AS (SELECT min(executed_at) FILTER (WHERE outcome IN ('held', 'revoked')) AS bad, max(executed_at) FILTER (WHERE outcome = "
        "'released') AS good FROM revocation_request WHERE certificate_id = $1) "
        "SELECT l.ca_id, l.shard, l.number, l.this_update, l.next_update, l.made_at, l.entries, l.sha256, l.der FROM c, q, crl l "
        "WHERE l.ca_id = c.ca_id AND l.shard = c.shard AND l.kind = 'full' AND l.made_at >= least(c.revoked_at, q.bad) AND "
        "l.made_at <= CASE WHEN c.revoked_at IS NULL THEN q.good ELSE c.not_after END ORDER BY l.number LIMIT 10000", 1 },
    [S_PUBLISHED] = { "export.published",
        "SELECT node, at FROM crl_published WHERE ca_id = $1::int4 AND shard = $2::int4 AND number = $3::int8 AND kind = 'full' "
        "ORDER BY node", 3 },
    [S_CEREMONIES] = { "export.ceremonies", "SELECT id FROM ceremony WHERE ca_name = ANY ($1::text[]) ORDER BY at, id", 1 },
};
const struct pg_stmts export_stmts = PG_STMTS(stmts);

static enum err
of_id(struct pg *pg, const struct pg_stmt *stmt, const char *id, struct pg_result **ret, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, id);
    return pg_exec(pg, stmt, &args, ret, why);
}

enum err
export_certificate(struct pg *pg, const char *id, struct pg_result **ret, struct why *why)
{
    return of_id(pg, &stmts[S_CERTIFICATE], id, ret, why);
}

enum err
export_changes(struct pg *pg, const char *id, struct pg_result **ret, struct why *why)
{
    return of_id(pg, &stmts[S_CHANGES], id, ret, why);
}

enum err
export_revocations(struct pg *pg, const char *id, struct pg_result **ret, struct why *why)
{
    return of_id(pg, &stmts[S_REVOCATIONS], id, ret, why);
}

enum err
export_lists(struct pg *pg, const char *id, struct pg_result **ret, struct why *why)
{
    return of_id(pg, &stmts[S_LISTS], id, ret, why);
}

enum err
export_published(struct pg *pg, int ca_id, int shard, int64_t number, struct pg_result **ret, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_i32(&args, ca_id);
    pg_arg_i32(&args, shard);
    pg_arg_i64(&args, number);
    return pg_exec(pg, &stmts[S_PUBLISHED], &args, ret, why);
}

enum err
export_ceremonies(struct pg *pg, const char *const *names, size_t n, struct pg_result **ret, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_texts(&args, names, n);
    return pg_exec(pg, &stmts[S_CEREMONIES], &args, ret, why);
}
