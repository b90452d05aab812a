/*
 * front_store: what a station sees of the certificates of its registrations: those that it registered, and those that the
 * operator registered under its name. Who may revoke also sees what it reaches with that (POST /revocations): the provider that
 * blocks an account reads the state of a card that card operations asked for. Nothing else is there for it (D-11).
 */
#include "base/core/enc.h"
#include "pki/front/front-internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* status_change rows that one call looks at: an answer takes its time whatever others did. */
#define CHANGES_WINDOW 5000

enum { S_BY_SERIAL, S_NEWEST, S_LIST, S_ENDING, S_CHANGES };
/* what certificate_row_read() reads */
#define COLUMNS(der_)                                                                                                \
    "SELECT c.id, c.ca_id, a.name || '-g' || a.generation, c.serial, c.state, c.state_since, c.reason, c.request_id, " \
    "c.registration_id, c.profile, r.holder, c.not_before, c.not_after, c.accepted_at, r.town, c.profile_sha256, c.shard, " der_ \
    " FROM certificate c JOIN ca a ON a.id = c.ca_id JOIN registration r ON r.id = c.registration_id "                \
    "LEFT JOIN certificate_der d ON d.certificate_id = c.id "
#define SEEN "c.state NOT IN ('reserved', 'void') "
/* $1 the station, $2 its name, $3 the profiles, $4 the towns (NULL: all) that it may touch now */
#define OWN                                                                                                            \
    "(r.station_id = $1 AND r.profile = ANY ($3::text[]) AND ($4::text[] IS NULL OR r.town = '' OR "    \
    "r.town = ANY ($4::text[])) "        \
    "OR r.station_id IS NULL AND r.holder = $2) "
/* The same, or reached where the flag says that it may revoke: as revocation.station has it. */
#define SEES(flag_)                                                                                                    \
    "(" OWN "OR " flag_ "::bool AND c.profile = ANY ($3::text[]) AND ($4::text[] IS NULL OR r.town = ANY ($4::text[]))) "
static const struct pg_stmt stmts[] = {
    [S_BY_SERIAL] = { "own.by_serial",
        COLUMNS("d.der") "WHERE c.serial = $5 AND ($6::text IS NULL OR a.name || '-g' || a.generation = $6) AND " SEEN "AND " SEES("$7")
        "LIMIT 2", 7 },
    [S_NEWEST] = { "own.newest",
        COLUMNS("d.der") "WHERE c.registration_id = $1 AND c.state IN ('issued', 'active') AND c.not_after >= $2 "
        "ORDER BY c.not_before DESC, c.id LIMIT 1", 2 },
    [S_LIST] = { "own.list",
        COLUMNS("NULL::bytea") "WHERE c.registration_id = $1 AND " SEEN "ORDER BY c.not_before DESC, c.id LIMIT $2::int4", 2 },
    [S_ENDING] = { "own.ending",
        COLUMNS("NULL::bytea") "WHERE c.live AND c.state IN ('issued', 'active') AND c.not_after > $5 AND c.not_after <= $6 AND "
        "(c.not_after, c.id) > ($7::timestamptz, $8::uuid) AND " OWN "AND NOT EXISTS (SELECT FROM certificate y WHERE "
        "y.registration_id = c.registration_id AND y.state IN ('issued', 'active') AND (y.not_after, y.id) > (c.not_after, c.id)) "
        "ORDER BY c.not_after, c.id LIMIT $9::int4", 9 },
    /* Only below the oldest running transaction: what is told is never followed by something older. */
    [S_CHANGES] = { "own.changes",
        "WITH h AS MATERIALIZED (SELECT pg_snapshot_xmin(pg_current_snapshot()) AS xmin), "
        "w AS MATERIALIZED (SELECT s.* FROM status_change s, h WHERE (s.tx, s.seq) > ($5::text::xid8, $6::int8) AND s.tx < h.xmin "
        "ORDER BY s.tx, s.seq LIMIT $7::int4), "
        "o AS (SELECT w.tx, w.seq, a.name || '-g' || a.generation AS label, w.serial, w.was, w.state, w.reason, w.at, c.profile, "
        "r.id FROM w JOIN certificate c ON c.ca_id = w.ca_id AND c.serial = w.serial JOIN ca a ON a.id = c.ca_id "
        "JOIN registration r ON r.id = c.registration_id WHERE " SEES("$9") "ORDER BY w.tx, w.seq LIMIT $8::int4) "
        "SELECT (SELECT count(*) FROM w), (SELECT h.xmin::text FROM h), l.tx::text, l.seq, o.label, o.serial, o.was, o.state, "
        "o.reason, o.at, o.profile, o.id, o.tx::text, o.seq FROM "
        "(SELECT 1) one LEFT JOIN LATERAL (SELECT w.tx, w.seq FROM w ORDER BY w.tx DESC, w.seq DESC LIMIT 1) l ON true "
        "LEFT JOIN o ON true ORDER BY o.tx, o.seq", 9 },
};
const struct pg_stmts front_own_stmts = PG_STMTS(stmts);

/* The first four parameters. */
static void
args_own(struct pg_args *args, const struct station *s)
{
    pg_arg_uuid(args, s->id);
    pg_arg_text(args, s->name);
    pg_arg_texts(args, s->profiles, s->nprofiles);
    if (s->all_towns)
        pg_arg_null(args);
    else
        pg_arg_texts(args, s->towns, s->ntowns);
}

enum err
own_certificate_find(struct pg *pg, const struct station *s, struct str serial, const char *ca, bool reached, struct arena *a,
                     struct certificate_row *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    AUTO(buf_free) struct buf octets = BUF_BOUNDED(32);
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    if (hex_decode(serial, &octets) != OK || octets.len == 0)
        return why_code(why, ERR_NOT_FOUND, "certificate.unknown", "not a serial number");
    args_own(&args, s);
    pg_arg_buf(&args, &octets);
    pg_arg_text(&args, ca);
    pg_arg_bool(&args, reached && s->may_revoke);
    if ((e = pg_exec(pg, &stmts[S_BY_SERIAL], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_code(why, ERR_NOT_FOUND, "certificate.unknown", "no such certificate of this station");
    if (pg_rows(r) > 1)
        return why_code(why, ERR_CONFLICT, "certificate.ca", "Two authorities gave this number: say which (parameter ca).");
    certificate_row_read(r, 0, a, ret);
    return OK;
}

enum err
own_certificate_newest(struct pg *pg, const char *registration_id, utime now, struct arena *a, struct certificate_row *ret,
                       struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, registration_id);
    pg_arg_time(&args, now);
    if ((e = pg_exec(pg, &stmts[S_NEWEST], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_code(why, ERR_NOT_FOUND, "certificate.unknown", "no good certificate of this registration");
    certificate_row_read(r, 0, a, ret);
    return OK;
}

enum err
own_certificate_list(struct pg *pg, const char *registration_id, int max, struct arena *a, struct certificate_row **ret,
                     size_t *ret_n, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    struct certificate_row *list;
    enum err e;

    pg_arg_uuid(&args, registration_id);
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

/* --- changes ------------------------------------------------------------------------------------------------------------ */

/* "TX.SEQ.TIME": the last row looked at, and when that was, in microseconds. */
struct cursor {
    char tx[24];
    int64_t seq;
    utime at;
};

/* "TIME.ID" of the last one told, the time in microseconds. */
static enum err
ending_parse(const char *text, utime now, utime *ret_at, const char **ret_id, struct why *why)
{
    struct str id, at = str_split(str_of(text), '.', &id);

    *ret_at = now;
    *ret_id = "00000000-0000-0000-0000-000000000000";
    if (text[0] == '\0')
        return OK;
    if (id.p == NULL || !is_uuid(id.p) || str_to_i64(at, 0, INT64_MAX / 2, ret_at) != OK)
        return why_code(why, ERR_INPUT, "certificates.cursor", "after: not a cursor that was given here.");
    *ret_id = id.p;
    return OK;
}

enum err
own_certificate_ending(struct pg *pg, const struct station *s, utime before, const char *after, int max, utime now, struct arena *a,
                       struct certificate_row **ret, size_t *ret_n, const char **ret_next, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    struct certificate_row *list;
    const char *id;
    utime at;
    size_t n;
    enum err e;

    if ((e = ending_parse(after, now, &at, &id, why)) != OK)
        return e;
    args_own(&args, s);
    pg_arg_time(&args, now);
    pg_arg_time(&args, before);
    pg_arg_time(&args, at);
    pg_arg_uuid(&args, id);
    pg_arg_i32(&args, max);
    if ((e = pg_exec(pg, &stmts[S_ENDING], &args, &r, why)) != OK)
        return e;
    n = (size_t)pg_rows(r);
    list = arena_alloc(a, (n + 1) * sizeof(*list));
    for (size_t i = 0; i < n; i++)
        certificate_row_read(r, (int)i, a, &list[i]);
    *ret_next = n == 0 ? after : arena_printf(a, "%" PRIi64 ".%s", list[n - 1].not_after, list[n - 1].id);
    *ret = list;
    *ret_n = n;
    return OK;
}

static enum err
cursor_parse(const char *text, utime now, struct cursor *ret, struct why *why)
{
    struct str rest = str_of(text), tx = str_split(rest, '.', &rest), seq = str_split(rest, '.', &rest);
    int64_t number;

    *ret = (struct cursor){ .tx = "0", .at = now };
    if (text[0] == '\0')
        return OK;
    if (rest.p == NULL || tx.n >= sizeof(ret->tx) || str_to_i64(tx, 0, INT64_MAX, &number) != OK ||
        str_to_i64(seq, 0, INT64_MAX, &ret->seq) != OK || str_to_i64(rest, 0, INT64_MAX, &ret->at) != OK)
        return why_code(why, ERR_INPUT, "changes.cursor", "after: not a cursor that was given here.");
    snprintf(ret->tx, sizeof(ret->tx), "%" PRIi64, number);
    if (ret->at < now - CERTIFICATE_CHANGES_KEPT + USEC_PER_DAY)
        return why_code(why, ERR_NOT_FOUND, "changes.gone", "the cursor is older than what is kept");
    return OK;
}

static void
change_read(const struct pg_result *r, int row, struct arena *a, struct own_change *ret)
{
    *ret = (struct own_change){ .ca_label = arena_strdup(a, pg_text(r, row, 4)), .serial = pg_str_dup(r, row, 5, a),
                                .was = arena_strdup(a, pg_text(r, row, 6)), .state = arena_strdup(a, pg_text(r, row, 7)),
                                .reason = pg_is_null(r, row, 8) ? -1 : (int)pg_i64(r, row, 8), .at = pg_time(r, row, 9),
                                .profile = arena_strdup(a, pg_text(r, row, 10)) };
    pg_uuid(r, row, 11, ret->registration);
}

enum err
own_changes(struct pg *pg, const struct station *s, const char *after, int max, utime now, struct arena *a, struct own_change **ret,
            size_t *ret_n, const char **ret_next, bool *ret_more, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    struct cursor cursor;
    struct own_change *list;
    size_t n = 0;
    enum err e;

    if ((e = cursor_parse(after, now, &cursor, why)) != OK)
        return e;
    args_own(&args, s);
    pg_arg_text(&args, cursor.tx);
    pg_arg_i64(&args, cursor.seq);
    pg_arg_i32(&args, CHANGES_WINDOW);
    pg_arg_i32(&args, max);
    pg_arg_bool(&args, s->may_revoke);
    if ((e = pg_exec(pg, &stmts[S_CHANGES], &args, &r, why)) != OK)
        return e;
    list = arena_alloc(a, ((size_t)pg_rows(r) + 1) * sizeof(*list));
    for (int i = 0; i < pg_rows(r); i++)
        if (!pg_is_null(r, i, 7))
            change_read(r, i, a, &list[n++]);
    if (n == (size_t)max)              /* there may be more of its own in what was looked at */
        *ret_next = arena_printf(a, "%s.%" PRIi64 ".%" PRIi64, pg_text(r, (int)n - 1, 12), pg_i64(r, (int)n - 1, 13), now);
    else if (pg_i64(r, 0, 0) > 0)
        *ret_next = arena_printf(a, "%s.%" PRIi64 ".%" PRIi64, pg_text(r, 0, 2), pg_i64(r, 0, 3), now);
    else
        *ret_next = arena_printf(a, "%s.%" PRIi64 ".%" PRIi64, cursor.tx, cursor.seq, now);
    *ret_more = n == (size_t)max || pg_i64(r, 0, 0) == CHANGES_WINDOW;
    *ret = list;
    *ret_n = n;
    return OK;
}
