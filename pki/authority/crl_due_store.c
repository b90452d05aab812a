/* crl_due_store: how things are with the lists, from the tables crl, crl_published and status_change. */
#include "pki/authority/crl_due.h"

enum { S_SHARDS, S_PUBLISHED };

/* Is there a change that the view of that list does not see? The horizon is where the index begins. What bears the number of a
 * transaction that is still to come is of another cluster, of which this one is a copy: the list that follows shows it. */
#define NEXT_TX "pg_snapshot_xmax(pg_current_snapshot())"
#define BEHIND(list)                                                                                                 \
    "EXISTS (SELECT FROM status_change z WHERE z.ca_id = c.id AND z.shard = s.shard AND "                            \
    "(z.was = 'held' OR z.state IN ('held', 'revoked')) AND z.tx >= " list ".horizon AND "                           \
    "z.tx < " NEXT_TX " AND NOT pg_visible_in_snapshot(z.tx, " list ".seen))"
static const struct pg_stmt stmts[] = {
    [S_SHARDS] = { "crl.shards",
        "SELECT c.id, s.shard, c.kind = 'root', c.name, c.generation, (extract(epoch FROM c.crl_period) * 1000000)::int8, "
        "(extract(epoch FROM c.crl_life) * 1000000)::int8, c.delta, coalesce(d.number >= f.number, false), n.number, f.entries, f.made_at, f.next_update, "
        "f.horizon > pg_snapshot_xmin(pg_current_snapshot()), " BEHIND("f") ", " BEHIND("n") ", "
        "CASE WHEN o.offered THEN (SELECT min(w.made_at) FROM crl w WHERE w.ca_id = c.id AND w.shard = s.shard AND "
        "w.number > coalesce(p.number, 0)) END, o.offered "
        "FROM ca c CROSS JOIN LATERAL generate_series(0, c.shards - 1) s (shard) "
        "LEFT JOIN LATERAL (SELECT number, entries, made_at, next_update, horizon, seen FROM crl WHERE ca_id = c.id AND "
        "shard = s.shard AND kind = 'full' ORDER BY number DESC LIMIT 1) f ON true "
        "LEFT JOIN LATERAL (SELECT number FROM crl WHERE ca_id = c.id AND shard = s.shard AND kind = 'delta' "
        "ORDER BY number DESC LIMIT 1) d ON true "
        "LEFT JOIN LATERAL (SELECT number, horizon, seen FROM crl WHERE ca_id = c.id AND shard = s.shard "
        "ORDER BY number DESC LIMIT 1) n ON true "
        "LEFT JOIN LATERAL (SELECT number FROM crl_published WHERE ca_id = c.id AND shard = s.shard "
        "ORDER BY number DESC LIMIT 1) p ON true "
        "CROSS JOIN LATERAL (SELECT p.number IS NOT NULL OR EXISTS (SELECT FROM node WHERE process = 'status') AS offered) o "
        "WHERE c.state IN ('active', 'retiring') ORDER BY c.id, s.shard", 0 },
    /* The newest list that is offered: its view sees the request, or not yet. A request that changed nothing that lists say
     * (a deferred revocation that was withdrawn) has nothing to wait for. */
    [S_PUBLISHED] = { "revocation.published",
        "WITH offered AS MATERIALIZED (SELECT c.id AS ca_id, s.shard, p.number, p.at, l.seen FROM ca c "
        "CROSS JOIN LATERAL generate_series(0, c.shards - 1) s (shard) "
        "CROSS JOIN LATERAL (SELECT number, kind, at FROM crl_published WHERE ca_id = c.id AND shard = s.shard "
        "ORDER BY number DESC, at LIMIT 1) p "
        "JOIN crl l ON l.ca_id = c.id AND l.shard = s.shard AND l.number = p.number AND l.kind = p.kind), "
        "shown AS (SELECT q.id, o.number, o.at FROM revocation_request q JOIN certificate c ON c.id = q.certificate_id "
        "JOIN offered o ON o.ca_id = c.ca_id AND o.shard = c.shard "
        "WHERE q.state = 'executed' AND (pg_visible_in_snapshot(q.executed_tx, o.seen) OR q.executed_tx >= " NEXT_TX " AND "
        "pg_snapshot_xmax(o.seen) <= " NEXT_TX ") "
        "UNION ALL SELECT q.id, NULL, $1 FROM revocation_request q JOIN certificate c ON c.id = q.certificate_id "
        "WHERE q.state = 'executed' AND NOT EXISTS (SELECT FROM status_change z WHERE z.ca_id = c.ca_id AND "
        "z.shard = c.shard AND z.tx = q.executed_tx AND (z.was = 'held' OR z.state IN ('held', 'revoked')))), "
        "d AS (SELECT DISTINCT ON (id) id, number, at FROM shown ORDER BY id, number NULLS LAST LIMIT $2::int4), "
        "u AS (UPDATE revocation_request q SET state = 'published', published_at = d.at, crl_number = d.number FROM d "
        "WHERE q.id = d.id AND q.state = 'executed' RETURNING q.id) SELECT count(*) FROM u", 2 },
};
const struct pg_stmts crl_due_stmts = PG_STMTS(stmts);

enum err
crl_shards(struct pg *pg, struct arena *a, struct crl_shard **ret, size_t *ret_n, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct crl_shard *list;
    enum err e;

    if ((e = pg_exec(pg, &stmts[S_SHARDS], NULL, &r, why)) != OK)
        return e;
    list = arena_alloc(a, ((size_t)pg_rows(r) + 1) * sizeof(*list));
    for (int i = 0; i < pg_rows(r); i++)
        list[i] = (struct crl_shard){
            .ca_id = (int)pg_i64(r, i, 0), .shard = (int)pg_i64(r, i, 1), .root = pg_bool(r, i, 2),
            .name = arena_strdup(a, pg_text(r, i, 3)), .generation = (int)pg_i64(r, i, 4), .period = pg_i64(r, i, 5),
            .life = pg_i64(r, i, 6), .deltas = pg_bool(r, i, 7), .has_full = !pg_is_null(r, i, 11),
            .has_delta = pg_bool(r, i, 8), .number = pg_i64(r, i, 9), .entries = pg_i64(r, i, 10),
            .made_at = pg_time(r, i, 11), .next_update = pg_time(r, i, 12), .went_back = pg_bool(r, i, 13),
            .full_behind = pg_bool(r, i, 14), .behind = pg_bool(r, i, 15), .unpublished = pg_time(r, i, 16),
            .offered = pg_bool(r, i, 17) };
    *ret = list;
    *ret_n = (size_t)pg_rows(r);
    return OK;
}

enum err
crl_mark_published(struct pg *pg, utime now, int max, int *ret_n, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_time(&args, now);
    pg_arg_i32(&args, max);
    if ((e = pg_exec(pg, &stmts[S_PUBLISHED], &args, &r, why)) != OK)
        return e;
    if (ret_n != NULL)
        *ret_n = (int)pg_i64(r, 0, 0);
    return OK;
}
