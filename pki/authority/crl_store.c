/*
 * crl_store: the tables crl_counter and crl, and who stands in a list.
 *
 * Rows are read by a cursor: it is planned with the values at hand, for its first rows (our prepared statements are not), so that a
 * full list is one scan of its index in the order of the serial numbers, and a delta looks its few changes up one by one.
 */
#include <inttypes.h>
#include <stdio.h>

#include "pki/authority/crl-internal.h"

#define OCTETS_PART (1 << 20)          /* octets of a list that are read at a time */

enum { S_NUMBER, S_BEFORE, S_FULL, S_DELTA, S_FULL_ROWS, S_DELTA_ROWS, S_LOST, S_PUT, S_NEWEST, S_OCTETS, S_DROP };

/* -infinity when nothing was made before: then all are listed that ever were revoked. */
#define ENDED "coalesce($3::timestamptz, '-infinity')"
#define ROW                                                                                                          \
    "c.serial, c.revoked_at IS NOT NULL AND c.not_after >= " ENDED ", coalesce(c.revoked_at, c.state_since), "       \
    "coalesce(c.reason, 0::int2), c.invalid_at, c.profile "
static const struct pg_stmt stmts[] = {
    [S_NUMBER] = { "crl.number",
        "INSERT INTO crl_counter AS n (ca_id, shard, number) VALUES ($1::int4, $2::int4, 1 + greatest($3::int8, "
        "(SELECT max(number) FROM crl WHERE ca_id = $1::int4 AND shard = $2::int4))) "
        "ON CONFLICT (ca_id, shard) DO UPDATE SET number = greatest(n.number + 1, excluded.number) "
        "RETURNING number, pg_snapshot_xmin(pg_current_snapshot())", 3 },
    [S_BEFORE] = { "crl.before",
        "SELECT (SELECT max(made_at) FROM crl WHERE ca_id = $1::int4 AND shard = $2::int4), "
        "(SELECT max(this_update) FROM crl WHERE ca_id = $1::int4 AND shard = $2::int4), "
        "f.number, f.horizon, f.this_update, f.next_update, f.entries, "
        "(SELECT max(p.this_update) FROM crl p WHERE p.ca_id = $1::int4 AND p.shard = $2::int4 AND p.kind = 'full' AND p.number < f.number), "
        "f.horizon > pg_snapshot_xmin(pg_current_snapshot()), CASE WHEN $3::bool THEN f.der END, "
        "(SELECT max(number) FROM crl WHERE ca_id = $1::int4 AND shard = $2::int4) "
        "FROM (SELECT 1) one LEFT JOIN LATERAL (SELECT * FROM crl WHERE ca_id = $1::int4 AND shard = $2::int4 AND kind = 'full' "
        "ORDER BY number DESC LIMIT 1) f ON true", 3 },
    /* All of it stands in the index certificate_listed. */
    [S_FULL] = { "crl.full",
        "DECLARE crl_full NO SCROLL CURSOR FOR SELECT c.serial, true, c.revoked_at, coalesce(c.reason, 0::int2), c.invalid_at, "
        "c.profile FROM certificate c WHERE c.ca_id = $1::int4 AND c.shard = $2::int4 AND c.revoked_at IS NOT NULL AND "
        "c.not_after >= " ENDED " ORDER BY c.serial", 3 },
    /* One look for each that changed (OFFSET 0 keeps the planner, who may believe that nothing did, from walking all certificates
     * beside them). Changed since; dated after the base's thisUpdate, so that the base shows another date; in the base but past their end. */
    [S_DELTA] = { "crl.delta",
        "DECLARE crl_delta NO SCROLL CURSOR FOR "
        "WITH s AS (SELECT serial FROM status_change WHERE ca_id = $1::int4 AND shard = $2::int4 AND "
        "tx >= $4::text::xid8 AND (was = 'held' OR state IN ('held', 'revoked')) "
        "UNION SELECT serial FROM certificate WHERE ca_id = $1::int4 AND shard = $2::int4 AND revoked_at > $5::timestamptz "
        "UNION SELECT serial FROM certificate WHERE ca_id = $1::int4 AND shard = $2::int4 AND revoked_at IS NOT NULL "
        "AND not_after >= coalesce($6::timestamptz, '-infinity') AND not_after < " ENDED ") "
        "SELECT r.* FROM s CROSS JOIN LATERAL (SELECT " ROW "FROM certificate c WHERE c.ca_id = $1::int4 AND c.serial = s.serial "
        "OFFSET 0) r ORDER BY r.serial", 6 },
    [S_FULL_ROWS] = { "crl.full_rows", "FETCH 10000 FROM crl_full", 0 },
    [S_DELTA_ROWS] = { "crl.delta_rows", "FETCH 10000 FROM crl_delta", 0 },
    [S_LOST] = { "crl.lost",
        "SELECT count(*) FROM unnest($2::text[], $3::int8[]) AS g (serial, held) "
        "LEFT JOIN certificate c ON c.ca_id = $1::int4 AND c.serial = decode(g.serial, 'hex') "
        "WHERE c.id IS NULL OR NOT (c.not_after < coalesce($4::timestamptz, '-infinity') OR (g.held = 1 AND c.revoked_at IS NULL))", 4 },
    [S_PUT] = { "crl.put",
        "INSERT INTO crl (ca_id, shard, number, kind, base, horizon, this_update, next_update, entries, sha256, der, made_at) "
        "VALUES ($1::int4, $2::int4, $3::int8, $4, $5::int8, $6::text::xid8, $7, $8, $9::int8, $10, $11, $12)", 12 },
    [S_NEWEST] = { "crl.newest",
        "SELECT number, base, this_update, next_update, made_at, sha256, octet_length(der) FROM crl WHERE ca_id = $1::int4 AND "
        "shard = $2::int4 AND kind = $3 AND number > $4::int8 ORDER BY number DESC LIMIT 1", 4 },
    /* A part of it, so that no copy of the whole lies in the connection: its octets are stored as they are. */
    [S_OCTETS] = { "crl.octets",
        "SELECT substr(der, $5::int4, $6::int4) FROM crl WHERE ca_id = $1::int4 AND shard = $2::int4 AND number = $3::int8 AND kind = $4",
        6 },
    [S_DROP] = { "crl.octets_drop",
        "WITH d AS (UPDATE crl SET der = NULL WHERE made_at < $1 AND der IS NOT NULL AND EXISTS (SELECT FROM crl n WHERE "
        "n.ca_id = crl.ca_id AND n.shard = crl.shard AND n.kind = crl.kind AND n.number > crl.number) RETURNING 1) "
        "SELECT count(*) FROM d", 1 },
};
const struct pg_stmts crl_stmts = PG_STMTS(stmts);

enum err
crl_store_number(struct pg *pg, int ca_id, int shard, int64_t above, int64_t *ret, int64_t *ret_horizon, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_i32(&args, ca_id);
    pg_arg_i32(&args, shard);
    pg_arg_i64(&args, above);
    if ((e = pg_exec(pg, &stmts[S_NUMBER], &args, &r, why)) != OK)
        return e;
    *ret = pg_i64(r, 0, 0);
    *ret_horizon = pg_i64(r, 0, 1);
    return OK;
}

void
crl_before_done(struct crl_before *b)
{
    pg_result_free(b->rows);
    b->rows = NULL;
}

enum err
crl_store_before(struct pg *pg, int ca_id, int shard, bool with_der, struct crl_before *ret, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;
    struct pg_result *r = NULL;
    enum err e;

    pg_arg_i32(&args, ca_id);
    pg_arg_i32(&args, shard);
    pg_arg_bool(&args, with_der);
    if ((e = pg_exec(pg, &stmts[S_BEFORE], &args, &r, why)) != OK)
        return e;
    *ret = (struct crl_before){ .rows = r, .made_at = pg_time(r, 0, 0), .this_update = pg_time(r, 0, 1),
                                .has_full = !pg_is_null(r, 0, 2), .number = pg_i64(r, 0, 2), .horizon = pg_i64(r, 0, 3),
                                .full_this_update = pg_time(r, 0, 4), .full_next_update = pg_time(r, 0, 5),
                                .entries = pg_i64(r, 0, 6), .earlier = pg_time(r, 0, 7), .went_back = pg_bool(r, 0, 8),
                                .der = pg_str(r, 0, 9), .newest = pg_i64(r, 0, 10) };
    return OK;
}

/* --- rows ------------------------------------------------------------------------------------------------------------ */

static void
cursor_args(struct pg_args *args, int ca_id, int shard, utime ended_before)
{
    pg_arg_i32(args, ca_id);
    pg_arg_i32(args, shard);
    pg_arg_time(args, ended_before);
}

enum err
crl_store_full_open(struct pg *pg, int ca_id, int shard, utime ended_before, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    cursor_args(&args, ca_id, shard, ended_before);
    return pg_exec(pg, &stmts[S_FULL], &args, NULL, why);
}

enum err
crl_store_delta_open(struct pg *pg, int ca_id, int shard, utime ended_before, const struct crl_before *base, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;
    char horizon[24];

    snprintf(horizon, sizeof(horizon), "%" PRId64, base->horizon);
    cursor_args(&args, ca_id, shard, ended_before);
    pg_arg_text(&args, horizon);
    pg_arg_time(&args, base->full_this_update);
    pg_arg_time(&args, base->earlier);
    return pg_exec(pg, &stmts[S_DELTA], &args, NULL, why);
}

enum err
crl_store_rows(struct pg *pg, bool delta, struct pg_result **ret, struct why *why)
{
    return pg_exec(pg, &stmts[delta ? S_DELTA_ROWS : S_FULL_ROWS], NULL, ret, why);
}

void
crl_store_row(const struct pg_result *r, int row, struct crl_row *ret)
{
    *ret = (struct crl_row){ .serial = pg_str(r, row, 0), .listed = pg_bool(r, row, 1), .revoked_at = pg_time(r, row, 2),
                             .reason = (int)pg_i64(r, row, 3), .invalid_at = pg_is_null(r, row, 4) ? 0 : pg_time(r, row, 4),
                             .profile = pg_text(r, row, 5) };
}

/* --- the rest -------------------------------------------------------------------------------------------------------- */

enum err
crl_store_lost(struct pg *pg, int ca_id, const char *const *serials, const int64_t *held, size_t n, utime ended_before,
               int64_t *ret_lost, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_i32(&args, ca_id);
    pg_arg_texts(&args, serials, n);
    pg_arg_i64s(&args, held, n);
    pg_arg_time(&args, ended_before);
    if ((e = pg_exec(pg, &stmts[S_LOST], &args, &r, why)) != OK)
        return e;
    *ret_lost = pg_i64(r, 0, 0);
    return OK;
}

enum err
crl_store_put(struct pg *pg, const struct crl_order *order, const struct crl_made *made, bool delta, int64_t horizon,
              struct why *why)
{
    const struct crl_list *list = delta ? &made->delta : &made->full;
    struct pg_args args = PG_ARGS_INIT;
    unsigned char digest[SHA256_LEN];
    char text[24];

    sha256(list->der, digest);
    snprintf(text, sizeof(text), "%" PRId64, horizon);
    pg_arg_i32(&args, order->ca_id);
    pg_arg_i32(&args, order->shard);
    pg_arg_i64(&args, made->number);
    pg_arg_text(&args, delta ? "delta" : "full");
    if (delta)
        pg_arg_i64(&args, made->base);
    else
        pg_arg_null(&args);
    pg_arg_text(&args, text);
    pg_arg_time(&args, made->this_update);
    pg_arg_time(&args, made->next_update);
    pg_arg_i64(&args, (int64_t)list->entries);
    pg_arg_bytes(&args, digest, sizeof(digest));
    pg_arg_bytes(&args, list->der.p, list->der.n);
    pg_arg_time(&args, order->now);
    return pg_exec(pg, &stmts[S_PUT], &args, NULL, why);
}

static enum err
octets_away(int64_t number, struct why *why)
{
    return why_code(why, ERR_INTERNAL, "pki.crl.stored", "list %" PRId64 ": its octets are away or altered", number);
}

/* Appends the list's n octets. */
static enum err
octets_read(struct pg *pg, int ca_id, int shard, const char *kind, int64_t number, size_t n, struct buf *out, struct why *why)
{
    if (buf_reserve(out, n) == NULL)
        return why_set(why, ERR_INTERNAL, "no room for the list");
    for (size_t at = 0; at < n; at += OCTETS_PART) {
        AUTO(pg_result_freep) struct pg_result *r = NULL;
        struct pg_args args = PG_ARGS_INIT;
        enum err e;

        pg_arg_i32(&args, ca_id);
        pg_arg_i32(&args, shard);
        pg_arg_i64(&args, number);
        pg_arg_text(&args, kind);
        pg_arg_i32(&args, (int32_t)at + 1);
        pg_arg_i32(&args, OCTETS_PART);
        if ((e = pg_exec(pg, &stmts[S_OCTETS], &args, &r, why)) != OK)
            return e;
        if (pg_rows(r) == 0 || pg_str(r, 0, 0).n != (n - at < OCTETS_PART ? n - at : OCTETS_PART))
            return octets_away(number, why);         /* dropped meanwhile: there is a newer list */
        buf_add_str(out, pg_str(r, 0, 0));
    }
    return OK;
}

enum err
crl_newest(struct pg *pg, int ca_id, int shard, bool delta, int64_t above, struct buf *out, struct crl_stored *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    const char *kind = delta ? "delta" : "full";
    const size_t before = out->len;
    struct pg_args args = PG_ARGS_INIT;
    struct crl_stored stored;
    unsigned char digest[SHA256_LEN];
    enum err e;

    pg_arg_i32(&args, ca_id);
    pg_arg_i32(&args, shard);
    pg_arg_text(&args, kind);
    pg_arg_i64(&args, above);
    if ((e = pg_exec(pg, &stmts[S_NEWEST], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_code(why, ERR_NOT_FOUND, "pki.crl.none", "no newer list");
    stored = (struct crl_stored){ .number = pg_i64(r, 0, 0), .base = pg_i64(r, 0, 1), .this_update = pg_time(r, 0, 2),
                                  .next_update = pg_time(r, 0, 3), .made_at = pg_time(r, 0, 4) };
    memcpy(stored.sha256, pg_str(r, 0, 5).p, SHA256_LEN);            /* the schema knows no other length */
    if (pg_i64(r, 0, 6) == 0)
        return octets_away(stored.number, why);
    if ((e = octets_read(pg, ca_id, shard, kind, stored.number, (size_t)pg_i64(r, 0, 6), out, why)) != OK)
        return e;
    sha256((struct str){ out->data + before, out->len - before }, digest);
    if (memcmp(digest, stored.sha256, SHA256_LEN) != 0)      /* lint: secret-compare: both are public */
        return octets_away(stored.number, why);
    *ret = stored;
    return OK;
}

enum err
crl_octets_drop(struct pg *pg, utime before, int *ret_n, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_time(&args, before);
    if ((e = pg_exec(pg, &stmts[S_DROP], &args, &r, why)) != OK)
        return e;
    *ret_n = (int)pg_i64(r, 0, 0);
    return OK;
}
