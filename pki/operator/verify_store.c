/* verify_store: the statements of `beffroi-pki verify`. They read, nothing else. */
#include "pki/operator/verify-internal.h"

#include <stdio.h>

#include "pki/operator/operator.h"

enum { S_CERTIFICATES, S_NAMES, S_STATES, S_TRANSITIONS, S_REQUESTS_DIFFER, S_APPROVALS, S_REQUESTS, S_CEREMONIES, S_LISTS_ORDER,
       S_LISTS_BASE, S_LISTS_COUNTER, S_LISTS_KEPT, S_LIST, S_ENTRIES, S_REVOKED };
/* Since that horizon something that lists tell was done to the certificate c: the list may not know it. */
#define CHANGED_SINCE(horizon_)                                                                                           \
    "EXISTS (SELECT FROM status_change s WHERE s.ca_id = c.ca_id AND s.shard = c.shard AND s.tx >= " horizon_               \
    "::text::xid8 AND s.serial = c.serial AND (s.was = 'held' OR s.state IN ('held', 'revoked'))) "
static const struct pg_stmt stmts[] = {
    [S_CERTIFICATES] = { "verify.certificates",
        "SELECT c.id, c.ca_id, c.serial, c.state, c.spki_sha256, c.not_before, c.not_after, r.holder, d.tbs, d.der "
        "FROM certificate c JOIN registration r ON r.id = c.registration_id LEFT JOIN certificate_der d ON d.certificate_id = c.id "
        "WHERE c.id > $1 ORDER BY c.id LIMIT 1000", 1 },
    [S_NAMES] = { "verify.names",
        "SELECT t.i FROM unnest($1::int8[], $2::text[], $3::text[]) WITH ORDINALITY AS t (ca_id, sha256, holder, i) "
        "LEFT JOIN subject_name n ON n.ca_id = t.ca_id AND n.sha256 = decode(t.sha256, 'hex') "
        "WHERE n.holder IS DISTINCT FROM t.holder ORDER BY t.i", 3 },
    [S_STATES] = { "verify.states",
        "WITH n AS (SELECT DISTINCT ON (ca_id, serial) ca_id, serial, state, reason FROM status_change "
        "ORDER BY ca_id, serial, seq DESC) SELECT c.id, encode(n.serial, 'hex'), c.state, n.state FROM n "
        "LEFT JOIN certificate c ON c.ca_id = n.ca_id AND c.serial = n.serial "
        "WHERE c.state IS DISTINCT FROM n.state OR c.reason IS DISTINCT FROM n.reason LIMIT 1000", 0 },
    [S_TRANSITIONS] = { "verify.transitions",
        "SELECT was, state, count(*), min(encode(serial, 'hex')) FROM status_change GROUP BY was, state ORDER BY was, state", 0 },
    [S_REQUESTS_DIFFER] = { "verify.requests_differ",
        "SELECT q.id, q.state, coalesce(c.state, '') FROM request q LEFT JOIN certificate c ON c.request_id = q.id "
        "WHERE (q.state = 'issued') <> coalesce(c.state NOT IN ('reserved', 'void'), false) "
        "OR c.state = 'reserved' AND q.state = 'refused' LIMIT 1000", 0 },
    [S_APPROVALS] = { "verify.approvals",
        "SELECT a.subject, a.person_id, p.name, a.act, p.public_key, a.signature, a.at FROM approval a "
        "JOIN person p ON p.id = a.person_id WHERE (a.subject, a.person_id) > ($1::bytea, $2::uuid) "
        "ORDER BY a.subject, a.person_id LIMIT 1000", 2 },
    [S_REQUESTS] = { "verify.requests",
        "SELECT id FROM request WHERE origin = 'operator' AND state IN ('approved', 'issued') AND id > $1 ORDER BY id LIMIT 1000", 1 },
    [S_CEREMONIES] = { "verify.ceremonies", "SELECT id, sha256 FROM ceremony WHERE id > $1 ORDER BY id LIMIT 1000", 1 },
    [S_LISTS_ORDER] = { "verify.lists_order",
        "SELECT ca_id, shard, number, kind FROM (SELECT *, lag(this_update) OVER w AS before, lag(made_at) OVER w AS made_before "
        "FROM crl WINDOW w AS (PARTITION BY ca_id, shard ORDER BY number, kind DESC)) x "
        "WHERE this_update < before OR made_at < made_before OR next_update <= this_update LIMIT 1000", 0 },
    [S_LISTS_BASE] = { "verify.lists_base",
        "SELECT d.ca_id, d.shard, d.number, d.kind FROM crl d WHERE d.kind = 'delta' AND (d.base >= d.number OR NOT EXISTS "
        "(SELECT FROM crl f WHERE f.ca_id = d.ca_id AND f.shard = d.shard AND f.number = d.base AND f.kind = 'full')) LIMIT 1000", 0 },
    [S_LISTS_COUNTER] = { "verify.lists_counter",
        "SELECT l.ca_id, l.shard, l.number, 'full' FROM (SELECT ca_id, shard, max(number) AS number FROM crl GROUP BY ca_id, shard) l "
        "LEFT JOIN crl_counter n ON n.ca_id = l.ca_id AND n.shard = l.shard WHERE n.number IS NULL OR n.number < l.number", 0 },
    [S_LISTS_KEPT] = { "verify.lists_kept",
        "SELECT ca_id, shard, number, kind, NOT EXISTS (SELECT FROM crl n WHERE n.ca_id = crl.ca_id AND n.shard = crl.shard AND "
        "n.kind = crl.kind AND n.number > crl.number) FROM crl WHERE der IS NOT NULL ORDER BY ca_id, shard, number, kind", 0 },
    [S_LIST] = { "verify.list",
        "SELECT der, sha256, entries, this_update, next_update, horizon FROM crl WHERE ca_id = $1::int4 AND shard = $2::int4 AND "
        "number = $3::int8 AND kind = $4", 4 },
    [S_ENTRIES] = { "verify.entries",
        "SELECT g.serial FROM unnest($3::text[]) AS g (serial) LEFT JOIN certificate c ON c.ca_id = $1::int4 AND "
        "c.serial = decode(g.serial, 'hex') WHERE c.id IS NULL OR (c.revoked_at IS NULL AND NOT " CHANGED_SINCE("$2") ")", 3 },
    [S_REVOKED] = { "verify.revoked",
        "SELECT c.serial FROM certificate c WHERE c.ca_id = $1::int4 AND c.shard = $2::int4 AND c.serial > $5 AND "
        "c.revoked_at IS NOT NULL AND c.not_after >= $4 AND NOT " CHANGED_SINCE("$3") "ORDER BY c.serial LIMIT 1000", 5 },
};
const struct pg_stmts verify_stmts = PG_STMTS(stmts);

static enum err
after_id(struct pg *pg, const struct pg_stmt *stmt, const char *after, struct pg_result **ret, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, after);
    return pg_exec(pg, stmt, &args, ret, why);
}

enum err
verify_page_certificates(struct pg *pg, const char *after, struct pg_result **ret, struct why *why)
{
    return after_id(pg, &stmts[S_CERTIFICATES], after, ret, why);
}

enum err
verify_page_requests(struct pg *pg, const char *after, struct pg_result **ret, struct why *why)
{
    return after_id(pg, &stmts[S_REQUESTS], after, ret, why);
}

enum err
verify_page_ceremonies(struct pg *pg, const char *after, struct pg_result **ret, struct why *why)
{
    return after_id(pg, &stmts[S_CEREMONIES], after, ret, why);
}

enum err
verify_names_missing(struct pg *pg, const int64_t *cas, const char *const *digests, const char *const *holders, size_t n,
                     struct pg_result **ret, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_i64s(&args, cas, n);
    pg_arg_texts(&args, digests, n);
    pg_arg_texts(&args, holders, n);
    return pg_exec(pg, &stmts[S_NAMES], &args, ret, why);
}

enum err
verify_states_differ(struct pg *pg, struct pg_result **ret, struct why *why)
{
    return pg_exec(pg, &stmts[S_STATES], NULL, ret, why);
}

enum err
verify_transitions(struct pg *pg, struct pg_result **ret, struct why *why)
{
    return pg_exec(pg, &stmts[S_TRANSITIONS], NULL, ret, why);
}

enum err
verify_requests_differ(struct pg *pg, struct pg_result **ret, struct why *why)
{
    return pg_exec(pg, &stmts[S_REQUESTS_DIFFER], NULL, ret, why);
}

enum err
verify_page_approvals(struct pg *pg, struct str after, const char *after_person, struct pg_result **ret, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_bytes(&args, after.n == 0 ? "" : after.p, after.n);
    pg_arg_uuid(&args, after_person);
    return pg_exec(pg, &stmts[S_APPROVALS], &args, ret, why);
}

enum err
verify_lists_order(struct pg *pg, struct pg_result **ret, struct why *why)
{
    return pg_exec(pg, &stmts[S_LISTS_ORDER], NULL, ret, why);
}

enum err
verify_lists_base(struct pg *pg, struct pg_result **ret, struct why *why)
{
    return pg_exec(pg, &stmts[S_LISTS_BASE], NULL, ret, why);
}

enum err
verify_lists_counter(struct pg *pg, struct pg_result **ret, struct why *why)
{
    return pg_exec(pg, &stmts[S_LISTS_COUNTER], NULL, ret, why);
}

enum err
verify_lists_kept(struct pg *pg, struct pg_result **ret, struct why *why)
{
    return pg_exec(pg, &stmts[S_LISTS_KEPT], NULL, ret, why);
}

enum err
verify_list_octets(struct pg *pg, int ca_id, int shard, int64_t number, const char *kind, struct pg_result **ret, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_i32(&args, ca_id);
    pg_arg_i32(&args, shard);
    pg_arg_i64(&args, number);
    pg_arg_text(&args, kind);
    return pg_exec(pg, &stmts[S_LIST], &args, ret, why);
}

/* An xid8 has no binary form of ours: as text. */
static void
arg_horizon(struct pg_args *args, char text[24], int64_t horizon)
{
    snprintf(text, 24, "%lld", (long long)horizon);
    pg_arg_text(args, text);
}

enum err
verify_entries_unknown(struct pg *pg, int ca_id, int64_t horizon, const char *const *serials, size_t n, struct pg_result **ret,
                       struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;
    char text[24];

    pg_arg_i32(&args, ca_id);
    arg_horizon(&args, text, horizon);
    pg_arg_texts(&args, serials, n);
    return pg_exec(pg, &stmts[S_ENTRIES], &args, ret, why);
}

enum err
verify_page_revoked(struct pg *pg, int ca_id, int shard, int64_t horizon, utime this_update, struct str after,
                    struct pg_result **ret, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;
    char text[24];

    pg_arg_i32(&args, ca_id);
    pg_arg_i32(&args, shard);
    arg_horizon(&args, text, horizon);
    pg_arg_time(&args, this_update);
    pg_arg_bytes(&args, after.n == 0 ? "" : after.p, after.n);
    return pg_exec(pg, &stmts[S_REVOKED], &args, ret, why);
}
