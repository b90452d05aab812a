/* status_store: what the status process reads and writes, as pki_status. */
#include <stdio.h>

#include "base/core/rand.h"
#include "pki/authority/alarm.h"
#include "pki/status/status-internal.h"

enum { S_SNAPSHOT, S_PAGE, S_CHANGES, S_NEWEST, S_PUBLISHED, S_REGISTRATION, S_ASK, S_FIND };
#define STATE "c.ca_id, c.serial, c.revoked_at, coalesce(c.reason, 0::int2), c.profile"
#define ISSUED "c.state NOT IN ('reserved', 'void') "
static const struct pg_stmt stmts[] = {
    [S_SNAPSHOT] = { "status.snapshot", "SELECT pg_current_snapshot()::text", 0 },
    [S_PAGE] = { "status.page",
        "SELECT " STATE " FROM certificate c WHERE " ISSUED "AND (c.ca_id, c.serial) > ($1::int4, $2) "
        "ORDER BY c.ca_id, c.serial LIMIT 10000", 2 },
    [S_CHANGES] = { "status.changes",
        "SELECT " STATE ", pg_current_snapshot()::text, pg_snapshot_xmax(pg_current_snapshot()) < "
        "pg_snapshot_xmax($1::text::pg_snapshot) FROM (SELECT 1) one LEFT JOIN (SELECT DISTINCT s.ca_id, s.serial FROM status_change s "
        "WHERE s.tx >= pg_snapshot_xmin($1::text::pg_snapshot) AND NOT pg_visible_in_snapshot(s.tx, $1::text::pg_snapshot)) s "
        "JOIN certificate c ON c.ca_id = s.ca_id AND c.serial = s.serial AND " ISSUED "ON true", 1 },
    [S_NEWEST] = { "status.newest",
        "SELECT ca.id, s.n, k.kind = 'delta', (SELECT number FROM crl WHERE crl.ca_id = ca.id AND crl.shard = s.n "
        "AND crl.kind = k.kind ORDER BY number DESC LIMIT 1) FROM ca CROSS JOIN LATERAL generate_series(0, ca.shards - 1) s (n) "
        "CROSS JOIN (VALUES ('full'), ('delta')) k (kind)", 0 },
    [S_PUBLISHED] = { "status.published",
        "INSERT INTO crl_published (ca_id, shard, number, kind, node, at) VALUES ($1::int4, $2::int4, $3::int8, $4, $5, $6) "
        "ON CONFLICT DO NOTHING", 6 },
    [S_REGISTRATION] = { "status.registration",
        "SELECT id FROM registration WHERE profile = $1 AND holder = $2 AND state = 'open' ORDER BY id LIMIT 1", 2 },
    [S_ASK] = { "status.ask",
        "WITH q AS (INSERT INTO request (id, registration_id, kind, origin, csr, spki_sha256, state, received_at) "
        "VALUES ($1, $2, 'enroll', 'status', $3, $4, 'received', $5) RETURNING id), "
        "o AS (INSERT INTO ocsp_signer (id, ca_id, node, request_id, asked_at) SELECT $6, $7::int4, $8, q.id, $5 FROM q), "
        "a AS (INSERT INTO audit_event (at, actor, role, verb, object, result, detail) SELECT $5, $9, '', 'request.add', "
        "'request:' || q.id, 'ok', jsonb_build_object('origin', 'status') FROM q) SELECT id FROM q", 9 },
    [S_FIND] = { "status.responder",
        "SELECT q.id, q.state, q.reason, d.der FROM request q LEFT JOIN certificate c ON c.request_id = q.id AND " ISSUED
        "LEFT JOIN certificate_der d ON d.certificate_id = c.id WHERE q.origin = 'status' AND q.spki_sha256 = $1 "
        "ORDER BY q.received_at DESC LIMIT 1", 1 },
};
static const struct pg_stmts status_stmts = PG_STMTS(stmts);
const struct pg_stmts *const status_process_stmts[] = { &status_stmts, &ca_stmts, &crl_stmts, &alarm_stmts, NULL };

/* --- states ------------------------------------------------------------------------------------------------------------------ */

static enum err
snapshot_copy(struct str text, char *ret, size_t size, struct why *why)
{
    if (text.n >= size)
        return why_set(why, ERR_UNAVAILABLE, "more open transactions than can be remembered");
    memcpy(ret, text.p, text.n);
    ret[text.n] = '\0';
    return OK;
}

enum err
state_store_snapshot(struct pg *pg, char *ret, size_t size, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    const enum err e = pg_exec(pg, &stmts[S_SNAPSHOT], NULL, &r, why);

    return e != OK ? e : snapshot_copy(pg_str(r, 0, 0), ret, size, why);
}

enum err
state_store_page(struct pg *pg, int after_ca, struct str after_serial, struct pg_result **ret, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_i32(&args, after_ca);
    pg_arg_bytes(&args, after_serial.p, after_serial.n);
    return pg_exec(pg, &stmts[S_PAGE], &args, ret, why);
}

enum err
state_store_changes(struct pg *pg, const char *snapshot, struct pg_result **ret, char *ret_snapshot, size_t size, bool *ret_back,
                    struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_text(&args, snapshot);
    if ((e = pg_exec(pg, &stmts[S_CHANGES], &args, &r, why)) != OK ||
        (e = snapshot_copy(pg_str(r, 0, 5), ret_snapshot, size, why)) != OK)
        return e;
    *ret_back = pg_bool(r, 0, 6);
    *ret = TAKE(r);
    return OK;
}

bool
state_store_row(const struct pg_result *r, int row, struct state_row *ret)
{
    if (pg_is_null(r, row, 0))
        return false;
    *ret = (struct state_row){ .ca_id = (int)pg_i64(r, row, 0), .serial = pg_str(r, row, 1), .revoked_at = pg_time(r, row, 2),
                               .reason = (int)pg_i64(r, row, 3), .profile = pg_text(r, row, 4) };
    return true;
}

/* --- lists -------------------------------------------------------------------------------------------------------------------- */

enum err
list_store_newest(struct pg *pg, struct pg_result **ret, struct why *why)
{
    return pg_exec(pg, &stmts[S_NEWEST], NULL, ret, why);
}

void
list_store_row(const struct pg_result *r, int row, struct newest_row *ret)
{
    *ret = (struct newest_row){ (int)pg_i64(r, row, 0), (int)pg_i64(r, row, 1), pg_bool(r, row, 2), pg_i64(r, row, 3) };
}

enum err
list_store_published(struct pg *pg, int ca_id, int shard, bool delta, int64_t number, const char *node, utime now, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_i32(&args, ca_id);
    pg_arg_i32(&args, shard);
    pg_arg_i64(&args, number);
    pg_arg_text(&args, delta ? "delta" : "full");
    pg_arg_text(&args, node);
    pg_arg_time(&args, now);
    return pg_exec(pg, &stmts[S_PUBLISHED], &args, NULL, why);
}

/* --- responders ---------------------------------------------------------------------------------------------------------------- */

enum err
responder_store_registration(struct pg *pg, const char *profile, const char *holder, char ret[37], struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_text(&args, profile);
    pg_arg_text(&args, holder);
    if ((e = pg_exec(pg, &stmts[S_REGISTRATION], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_code(why, ERR_NOT_FOUND, "status.registration", "no open registration of holder %s for profile %s", holder, profile);
    pg_uuid(r, 0, 0, ret);
    return OK;
}

enum err
responder_store_ask(struct pg *pg, const char *registration, int ca_id, const char *node, struct str csr,
                    const unsigned char spki_sha256[SHA256_LEN], utime now, char ret_request[37], struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    char id[37], signer[37], actor[96];
    enum err e;

    rand_uuid(id);
    rand_uuid(signer);
    snprintf(actor, sizeof(actor), "status:%s", node);
    pg_arg_uuid(&args, id);
    pg_arg_uuid(&args, registration);
    pg_arg_bytes(&args, csr.p, csr.n);
    pg_arg_bytes(&args, spki_sha256, SHA256_LEN);
    pg_arg_time(&args, now);
    pg_arg_uuid(&args, signer);
    pg_arg_i32(&args, ca_id);
    pg_arg_text(&args, node);
    pg_arg_text(&args, actor);
    if ((e = pg_exec(pg, &stmts[S_ASK], &args, &r, why)) != OK)
        return e;
    memcpy(ret_request, id, sizeof(id));
    return OK;
}

enum err
responder_store_find(struct pg *pg, const unsigned char spki_sha256[SHA256_LEN], char ret_request[37], struct buf *out,
                     struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_bytes(&args, spki_sha256, SHA256_LEN);
    if ((e = pg_exec(pg, &stmts[S_FIND], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_set(why, ERR_NOT_FOUND, "no request for this key");
    pg_uuid(r, 0, 0, ret_request);
    if (str_eqs(pg_str(r, 0, 1), "refused"))
        return why_code(why, ERR_DENIED, pg_text(r, 0, 2), "the signer refused the responder's certificate: %s", pg_text(r, 0, 2));
    buf_add_str(out, pg_str(r, 0, 3));
    return OK;
}
