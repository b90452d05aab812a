/* audit_store: the SQL of the audit trail. */
#include "base/pg/audit-internal.h"

enum { ADD };
static const struct pg_stmt add_list[] = {
    [ADD] = { "audit.add",
              "INSERT INTO audit_event (at, actor, role, verb, object, result, detail)"
              " VALUES ($1, $2, $3, $4, $5, $6, $7)", 7 },
};
const struct pg_stmts audit_stmts = PG_STMTS(add_list);

/* A row is sealed when a checkpoint lists it; span finds the few checkpoints that could. */
#define UNSEALED "NOT EXISTS (SELECT FROM audit_seal s WHERE s.span @> e.seq AND e.seq = ANY (s.seqs))"
#define ROW_COLUMNS "e.at, e.actor, e.role, e.verb, e.object, e.result, e.detail, e.digest"

enum { PENDING, LOCK, LAST, SEALABLE, SEALABLE_ALL, SEAL, CHECKPOINTS, ROWS, UNSEALED_ROWS };
static const struct pg_stmt seal_list[] = {
    [PENDING] = { "audit.pending",
                  "WITH s AS (SELECT cluster, horizon FROM audit_seal ORDER BY number DESC LIMIT 1)"
                  " SELECT coalesce((SELECT s.cluster <> c.system_identifier"
                  "   OR s.horizon > pg_snapshot_xmax(pg_current_snapshot()) FROM s, pg_control_system() c), true)"
                  " OR EXISTS (SELECT FROM audit_event e WHERE e.xid < pg_snapshot_xmin(pg_current_snapshot())"
                  "  AND e.xid >= (SELECT s.horizon FROM s) AND " UNSEALED ")", 0 },
    [LOCK] = { "audit.lock",
               "SELECT pg_try_advisory_xact_lock(hashtextextended('beffroi.audit.' || current_schema(), 0))", 0 },
    [LAST] = { "audit.last",
               "SELECT c.system_identifier, s.number, s.cluster, s.horizon, s.chain, s.at,"
               " coalesce(pg_snapshot_xmax(pg_current_snapshot()) < s.horizon, false)"
               " FROM pg_control_system() c"
               " LEFT JOIN (SELECT * FROM audit_seal ORDER BY number DESC LIMIT 1) s ON true", 0 },
    /* All rows of transactions below the snapshot's xmin are visible to that snapshot, or never will be. */
    [SEALABLE] = { "audit.sealable",
                   "SELECT e.seq, e.digest, e.xid, pg_snapshot_xmin(pg_current_snapshot()) FROM audit_event e"
                   " WHERE e.xid >= $1::xid8 AND e.xid < pg_snapshot_xmin(pg_current_snapshot()) AND " UNSEALED
                   " ORDER BY e.xid, e.seq LIMIT $2::int4", 2 },
    /* After a restore: numbers from xmax on were not given out here yet, such rows come from the former cluster. */
    [SEALABLE_ALL] = { "audit.sealable_all",
                       "SELECT e.seq, e.digest, e.xid, pg_snapshot_xmin(pg_current_snapshot()) FROM audit_event e"
                       " WHERE (e.xid < pg_snapshot_xmin(pg_current_snapshot())"
                       "  OR e.xid >= pg_snapshot_xmax(pg_current_snapshot())) AND " UNSEALED
                       " ORDER BY e.xid, e.seq LIMIT $1::int4", 1 },
    [SEAL] = { "audit.seal",
               "INSERT INTO audit_seal (number, at, cluster, horizon, span, seqs, digests, chain, key, signature)"
               " VALUES ($1::int8, $2, $3::int8, $4::xid8,"
               " (SELECT int8range(min(q), max(q), '[]') FROM unnest($5::int8[]) q), $5::int8[], $6, $7, $8, $9)", 9 },
    [CHECKPOINTS] = { "audit.checkpoints",
                      "SELECT number, at, cluster, horizon, seqs, digests, chain, key, signature FROM audit_seal"
                      " WHERE number > $1::int8 ORDER BY number LIMIT 50", 1 },
    [ROWS] = { "audit.rows",
               "SELECT q.seq, e.seq IS NOT NULL, " ROW_COLUMNS
               " FROM unnest($1::int8[]) WITH ORDINALITY q (seq, place) LEFT JOIN audit_event e ON e.seq = q.seq"
               " ORDER BY q.place", 1 },
    [UNSEALED_ROWS] = { "audit.unsealed",
                        "SELECT e.seq, true, " ROW_COLUMNS " FROM audit_event e"
                        " WHERE e.seq > $1::int8 AND " UNSEALED " ORDER BY e.seq LIMIT 1000", 1 },
};
const struct pg_stmts audit_seal_stmts = PG_STMTS(seal_list);

enum err
audit_add(struct pg *pg, const struct audit_entry *entry, struct why *why)
{
    struct pg_args a = PG_ARGS_INIT;

    pg_arg_time(&a, entry->at);
    pg_arg_text(&a, entry->actor);
    pg_arg_text(&a, entry->role);
    pg_arg_text(&a, entry->verb);
    pg_arg_text(&a, entry->object);
    pg_arg_text(&a, entry->result);
    pg_arg_json(&a, entry->detail);
    return pg_post(pg, &add_list[ADD], &a, why);
}

/* --- sealing --- */
static enum err
ask_bool(struct pg *pg, const struct pg_stmt *stmt, bool *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    enum err e;

    if ((e = pg_exec(pg, stmt, NULL, &r, why)) != OK)
        return e;
    *ret = pg_bool(r, 0, 0);
    return OK;
}

enum err
audit_store_pending(struct pg *pg, bool *ret, struct why *why)
{
    return ask_bool(pg, &seal_list[PENDING], ret, why);
}

enum err
audit_store_lock(struct pg *pg, bool *ret_locked, struct why *why)
{
    return ask_bool(pg, &seal_list[LOCK], ret_locked, why);
}

/* The table's checks say 32 bytes. */
static void
copy_digest(struct str s, unsigned char out[SHA256_LEN])
{
    CHECK(s.n == SHA256_LEN);
    memcpy(out, s.p, SHA256_LEN);
}

enum err
audit_store_last(struct pg *pg, struct audit_last *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    enum err e;

    if ((e = pg_exec(pg, &seal_list[LAST], NULL, &r, why)) != OK)
        return e;
    memset(ret, 0, sizeof(*ret));
    ret->cluster_now = pg_i64(r, 0, 0);
    if (pg_is_null(r, 0, 1))
        return OK;
    ret->number = pg_i64(r, 0, 1);
    ret->cluster = pg_i64(r, 0, 2);
    ret->horizon = pg_i64(r, 0, 3);
    copy_digest(pg_str(r, 0, 4), ret->chain);
    ret->at = pg_time(r, 0, 5);
    ret->went_back = pg_bool(r, 0, 6);
    return OK;
}

enum err
audit_store_sealable(struct pg *pg, int64_t from, bool everywhere, int limit, struct audit_checkpoint *c,
                     int64_t *ret_horizon, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args a = PG_ARGS_INIT;
    enum err e;

    if (!everywhere)
        pg_arg_i64(&a, from);
    pg_arg_i32(&a, limit);
    if ((e = pg_exec(pg, &seal_list[everywhere ? SEALABLE_ALL : SEALABLE], &a, &r, why)) != OK)
        return e;
    c->n = (size_t)pg_rows(r);
    if (c->n == 0)
        return OK;
    c->seqs = mem_alloc_array(c->n, sizeof(*c->seqs));
    for (int i = 0; i < pg_rows(r); i++) {
        c->seqs[i] = pg_i64(r, i, 0);
        buf_add_str(&c->digests, pg_str(r, i, 1));
    }
    /* A full page: rows of its last transaction may be left. */
    *ret_horizon = pg_rows(r) == limit ? pg_i64(r, limit - 1, 2) : pg_i64(r, 0, 3);
    return OK;
}

enum err
audit_store_seal(struct pg *pg, const struct audit_checkpoint *c, const char *key, const struct buf *signature,
                 struct why *why)
{
    struct pg_args a = PG_ARGS_INIT;

    pg_arg_i64(&a, c->number);
    pg_arg_time(&a, c->at);
    pg_arg_i64(&a, c->cluster);
    pg_arg_i64(&a, c->horizon);
    pg_arg_i64s(&a, c->seqs, c->n);
    pg_arg_buf(&a, &c->digests);
    pg_arg_bytes(&a, c->chain, SHA256_LEN);
    pg_arg_text(&a, key);
    pg_arg_buf(&a, signature);
    return pg_exec(pg, &seal_list[SEAL], &a, NULL, why);
}

/* --- verifying --- */
enum err
audit_store_checkpoints(struct pg *pg, int64_t after, struct pg_result **ret, struct why *why)
{
    struct pg_args a = PG_ARGS_INIT;

    pg_arg_i64(&a, after);
    return pg_exec(pg, &seal_list[CHECKPOINTS], &a, ret, why);
}

void
audit_store_read_checkpoint(const struct pg_result *r, int row, struct audit_checkpoint *c, struct str *ret_chain,
                            const char **ret_key, struct str *ret_signature)
{
    c->number = pg_i64(r, row, 0);
    c->at = pg_time(r, row, 1);
    c->cluster = pg_i64(r, row, 2);
    c->horizon = pg_i64(r, row, 3);
    c->n = pg_i64s_count(r, row, 4);
    c->seqs = mem_alloc_array(c->n, sizeof(*c->seqs));
    for (size_t i = 0; i < c->n; i++)
        c->seqs[i] = pg_i64s_item(r, row, 4, i);
    buf_add_str(&c->digests, pg_str(r, row, 5));
    *ret_chain = pg_str(r, row, 6);
    *ret_key = pg_text(r, row, 7);
    *ret_signature = pg_str(r, row, 8);
}

enum err
audit_store_rows(struct pg *pg, const int64_t *seqs, size_t n, struct pg_result **ret, struct why *why)
{
    struct pg_args a = PG_ARGS_INIT;

    pg_arg_i64s(&a, seqs, n);
    return pg_exec(pg, &seal_list[ROWS], &a, ret, why);
}

enum err
audit_store_unsealed(struct pg *pg, int64_t after, struct pg_result **ret, struct why *why)
{
    struct pg_args a = PG_ARGS_INIT;

    pg_arg_i64(&a, after);
    return pg_exec(pg, &seal_list[UNSEALED_ROWS], &a, ret, why);
}

void
audit_store_read_row(const struct pg_result *r, int row, struct audit_row *ret)
{
    ret->seq = pg_i64(r, row, 0);
    ret->present = pg_bool(r, row, 1);
    ret->at = pg_time(r, row, 2);
    for (int i = 0; i < (int)ARRAY_LEN(ret->text); i++)
        ret->text[i] = pg_str(r, row, 3 + i);
    ret->digest = pg_str(r, row, 9);
}
