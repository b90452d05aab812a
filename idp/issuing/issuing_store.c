/* issuing_store: the tables enrolment and authority_state, and the states of certificates that follow from them. */
#include "idp/issuing/issuing-internal.h"

#include <stdio.h>

#define ENROLMENT                                                                                                          \
    "e.id, e.account_id, e.certificate_id, e.renewal, e.keep_mail, e.link_digest, e.way, e.lang, e.state, e.state_since, "  \
    "e.ca, e.serial "

#define OWN "c.id, regexp_replace(encode(c.serial, 'hex'), '^00', ''), c.spki_sha256, c.state "
#define LINKED "c.state IN ('issued', 'active', 'held') AND NOT EXISTS (SELECT FROM enrolment e WHERE e.certificate_id = c.id)"

enum {
    S_ADD, S_NOT_SENT, S_BY_KEY, S_FIND, S_BY_CERTIFICATE, S_WAITING, S_CURRENT, S_COUNTS, S_ISSUED, S_DELIVERED, S_DROP, S_DROP_ONE,
    S_END_EARLIER, S_IDENTIFIED, S_STALE, S_OF_ACCOUNT, S_SET_STATE, S_BY_SERIAL, S_LINKED, S_LINKED_ALL, S_LIVE, S_TAKE, S_SEEN,
    S_PROBLEM, S_HEALTH, S_ENDING
};
static const struct pg_stmt stmts[] = {
    [S_ADD] = { "enrolment.add",
        "INSERT INTO enrolment (id, account_id, link_digest, renewal, way, spki_sha256, keep_mail, lang, state, state_since, "
        "asked_at, sending_until) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'asked', $9, $9, $10)", 10 },
    [S_NOT_SENT] = { "enrolment.not_sent", "UPDATE enrolment SET sending_until = NULL WHERE id = $1", 1 },
    [S_BY_KEY] = { "enrolment.by_key",
        "SELECT " ENROLMENT "FROM enrolment e WHERE e.account_id = $1 AND e.spki_sha256 = $2", 2 },
    [S_FIND] = { "enrolment.find", "SELECT " ENROLMENT "FROM enrolment e WHERE e.id = $1", 1 },
    [S_BY_CERTIFICATE] = { "enrolment.by_certificate",
        "SELECT " ENROLMENT "FROM enrolment e WHERE e.certificate_id = $1", 1 },
    [S_WAITING] = { "enrolment.waiting",
        "SELECT " ENROLMENT "FROM enrolment e WHERE e.account_id = $1 AND e.state = 'issued' "
        "ORDER BY e.state_since DESC LIMIT 1", 1 },
    [S_CURRENT] = { "enrolment.current",
        "SELECT " ENROLMENT ", c.not_after FROM enrolment e JOIN credential_certificate c ON c.id = e.certificate_id "
        "WHERE e.account_id = $1 AND e.state = 'delivered' AND c.state = 'active' ORDER BY c.not_after DESC LIMIT 1", 1 },
    [S_COUNTS] = { "enrolment.counts",
        "SELECT count(*) FILTER (WHERE asked_at > $2), count(*) FILTER (WHERE state IN ('asked', 'issued') AND "
        "sending_until > $3) FROM enrolment WHERE account_id = $1", 3 },
    [S_ISSUED] = { "enrolment.issued",
        "UPDATE enrolment SET state = 'issued', state_since = $5, certificate_id = $2, ca = $3, serial = $4 "
        "WHERE id = $1 AND state = 'asked'", 5 },
    [S_DELIVERED] = { "enrolment.delivered",
        "WITH e AS (UPDATE enrolment SET state = 'delivered', state_since = $2 WHERE id = $1 AND state = 'issued' "
        "RETURNING certificate_id) UPDATE credential_certificate c SET state = 'active', state_since = $2 FROM e "
        "WHERE c.id = e.certificate_id AND c.state = 'issued'", 2 },
    [S_DROP] = { "enrolment.drop",
        "WITH d AS (UPDATE enrolment SET state = 'dropped', state_since = $3 WHERE account_id = $1 AND "
        "state IN ('asked', 'issued') AND ($2::uuid IS NULL OR id <> $2) RETURNING certificate_id), "
        "c AS (UPDATE credential_certificate c SET state = 'ended', state_since = $3 FROM d WHERE c.id = d.certificate_id "
        "AND c.state = 'issued') SELECT count(*) FROM d", 3 },
    [S_DROP_ONE] = { "enrolment.drop_one",
        "UPDATE enrolment SET state = 'dropped', state_since = $2 WHERE id = $1 AND state = 'asked'", 2 },
    [S_END_EARLIER] = { "enrolment.end_earlier",
        "UPDATE credential_certificate c SET state = 'ended', state_since = $3 FROM enrolment e WHERE e.account_id = $1 AND "
        "e.id <> $2 AND c.id = e.certificate_id AND c.state IN ('issued', 'active', 'held')", 3 },
    [S_IDENTIFIED] = { "enrolment.identified",
        "SELECT coalesce(max(s.issued_at), a.created_at) FROM account a LEFT JOIN secret s ON s.account_id = a.id AND "
        "s.kind = 'creation' WHERE a.id = $1 GROUP BY a.created_at", 1 },
    [S_STALE] = { "enrolment.stale",
        "SELECT DISTINCT account_id FROM enrolment WHERE state IN ('asked', 'issued') AND state_since < $1 LIMIT 100", 1 },
    [S_OF_ACCOUNT] = { "issuing.of_account",
        "SELECT " OWN "FROM credential_certificate c "
        "WHERE c.account_id = $1 AND c.linked_at <= $2 AND c.state <> 'revoked' ORDER BY c.linked_at, c.id", 2 },
    [S_SET_STATE] = { "issuing.set_state",
        "WITH b AS (SELECT id, account_id, state FROM credential_certificate WHERE id = $1 FOR UPDATE) "
        "UPDATE credential_certificate c SET state = $2, state_since = $3 FROM b WHERE c.id = b.id AND CASE $2 "
        "WHEN 'active' THEN b.state = 'held' WHEN 'held' THEN b.state = 'active' ELSE b.state <> 'revoked' END "
        "RETURNING b.account_id, b.state = 'active'", 3 },
    [S_BY_SERIAL] = { "issuing.by_serial",
        "SELECT certificate_id FROM enrolment WHERE ca = $1 AND serial = $2 AND certificate_id IS NOT NULL", 2 },
    /* Of each issuer that there is (few: one step of the index for each) the certificate of that number. */
    [S_LINKED] = { "issuing.linked",
        "WITH RECURSIVE i AS ((SELECT issuer FROM credential_certificate ORDER BY issuer LIMIT 1) UNION ALL "
        "SELECT (SELECT n.issuer FROM credential_certificate n WHERE n.issuer > i.issuer ORDER BY n.issuer LIMIT 1) FROM i "
        "WHERE i.issuer IS NOT NULL) SELECT " OWN "FROM i JOIN credential_certificate c ON c.issuer = i.issuer AND "
        "c.serial IN (decode($1::text, 'hex'), '\\x00'::bytea || decode($1::text, 'hex')) WHERE " LINKED, 1 },
    [S_LINKED_ALL] = { "issuing.linked_all", "SELECT " OWN "FROM credential_certificate c WHERE " LINKED, 0 },
    [S_LIVE] = { "issuing.live",
        "SELECT " ENROLMENT "FROM enrolment e JOIN credential_certificate c ON c.id = e.certificate_id "
        "WHERE c.state IN ('issued', 'active', 'held')", 0 },
    [S_TAKE] = { "authority_state.take",
        "UPDATE authority_state SET due_at = $2 WHERE due_at <= $1 OR due_at > $3 RETURNING cursor", 3 },
    [S_SEEN] = { "authority_state.seen",
        "UPDATE authority_state SET cursor = $1, seen_at = $2, due_at = $3, known_until = $4, problem = ''", 4 },
    [S_PROBLEM] = { "authority_state.problem", "UPDATE authority_state SET problem = $1", 1 },
    [S_HEALTH] = { "authority_state.health", "SELECT seen_at, problem FROM authority_state", 0 },
    [S_ENDING] = { "issuing.ending",
        "SELECT e.account_id, c.id, a.lang, c.not_after FROM enrolment e JOIN credential_certificate c ON c.id = e.certificate_id "
        "JOIN account a ON a.id = e.account_id WHERE e.state = 'delivered' AND c.state = 'active' AND a.state = 'active' AND "
        "c.not_after > $1 AND c.not_after <= $2 AND NOT EXISTS (SELECT FROM credential_certificate y WHERE "
        "y.account_id = c.account_id AND y.state = 'active' AND y.not_after > c.not_after) LIMIT 1000", 2 },
};
const struct pg_stmts issuing_stmts = PG_STMTS(stmts);

static const char *const way_names[] = { [ENROL_FILE] = "file", [ENROL_BROWSER] = "browser", [ENROL_REQUEST] = "request" };

static enum enrol_way
way_read(const char *name)
{
    for (int w = ENROL_FILE; w <= ENROL_REQUEST; w++)
        if (strcmp(name, way_names[w]) == 0)
            return (enum enrol_way)w;
    panic("way %s is not in the schema", name);
}

static void
enrolment_read(const struct pg_result *r, int row, struct enrolment *ret)
{
    const struct str link = pg_str(r, row, 5);
    struct enrolment e = { .renewal = pg_bool(r, row, 3), .keep_mail = pg_bool(r, row, 4), .has_link = link.p != NULL,
                           .way = way_read(pg_text(r, row, 6)), .state_since = pg_time(r, row, 9) };

    pg_uuid(r, row, 0, e.id);
    pg_uuid(r, row, 1, e.account_id);
    if (!pg_is_null(r, row, 2))
        pg_uuid(r, row, 2, e.certificate_id);
    CHECK(link.p == NULL || link.n == sizeof(e.link_digest));
    if (link.p != NULL)
        memcpy(e.link_digest, link.p, link.n);
    snprintf(e.lang, sizeof(e.lang), "%s", pg_text(r, row, 7));
    snprintf(e.state, sizeof(e.state), "%s", pg_text(r, row, 8));
    snprintf(e.ca, sizeof(e.ca), "%s", pg_text(r, row, 10));
    snprintf(e.serial, sizeof(e.serial), "%s", pg_text(r, row, 11));
    *ret = e;
}

static enum err
enrolment_one(struct pg *pg, const struct pg_stmt *stmt, struct pg_args *args, struct enrolment *ret, utime *ret_not_after,
              struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    enum err e;

    if ((e = pg_exec(pg, stmt, args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_code(why, ERR_NOT_FOUND, "issuing.none", "no such enrolment");
    enrolment_read(r, 0, ret);
    if (ret_not_after != NULL)
        *ret_not_after = pg_time(r, 0, 12);
    return OK;
}

/* One row changed, or somebody else was first. */
static enum err
change_one(struct pg *pg, const struct pg_stmt *stmt, struct pg_args *args, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    const enum err e = pg_exec(pg, stmt, args, &r, why);

    if (e != OK)
        return e;
    return pg_affected(r) == 1 ? OK : why_code(why, ERR_CONFLICT, "issuing.state", "the enrolment has moved on");
}

enum err
enrolment_store_add(struct pg *pg, const char *id, const struct enrol_wish *w, const unsigned char spki[32], utime now,
                    struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, id);
    pg_arg_uuid(&args, w->place->account.id);
    if (w->place->renewal)
        pg_arg_null(&args);
    else
        pg_arg_bytes(&args, w->place->link_digest, sizeof(w->place->link_digest));
    pg_arg_bool(&args, w->place->renewal);
    pg_arg_text(&args, way_names[w->way]);
    pg_arg_bytes(&args, spki, SHA256_LEN);
    pg_arg_bool(&args, w->keep_mail);
    pg_arg_text(&args, w->lang);
    pg_arg_time(&args, now);
    pg_arg_time(&args, w->way == ENROL_FILE ? now + ISSUING_BUSY_TIME : UTIME_NULL);
    return pg_exec(pg, &stmts[S_ADD], &args, NULL, why);
}

enum err
enrolment_store_not_sent(struct pg *pg, const char *id, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, id);
    return pg_exec(pg, &stmts[S_NOT_SENT], &args, NULL, why);
}

enum err
enrolment_store_by_key(struct pg *pg, const char *account_id, const unsigned char spki[32], struct enrolment *ret,
                       struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, account_id);
    pg_arg_bytes(&args, spki, SHA256_LEN);
    return enrolment_one(pg, &stmts[S_BY_KEY], &args, ret, NULL, why);
}

enum err
enrolment_store_find(struct pg *pg, const char *id, struct enrolment *ret, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, id);
    return enrolment_one(pg, &stmts[S_FIND], &args, ret, NULL, why);
}

enum err
enrolment_store_by_certificate(struct pg *pg, const char *certificate_id, struct enrolment *ret, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, certificate_id);
    return enrolment_one(pg, &stmts[S_BY_CERTIFICATE], &args, ret, NULL, why);
}

enum err
enrolment_store_waiting(struct pg *pg, const char *account_id, struct enrolment *ret, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, account_id);
    return enrolment_one(pg, &stmts[S_WAITING], &args, ret, NULL, why);
}

enum err
enrolment_store_current(struct pg *pg, const char *account_id, struct enrolment *ret, utime *ret_not_after, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, account_id);
    return enrolment_one(pg, &stmts[S_CURRENT], &args, ret, ret_not_after, why);
}

enum err
enrolment_store_counts(struct pg *pg, const char *account_id, utime since, utime now, struct enrolment_counts *ret,
                       struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, account_id);
    pg_arg_time(&args, since);
    pg_arg_time(&args, now);
    if ((e = pg_exec(pg, &stmts[S_COUNTS], &args, &r, why)) != OK)
        return e;
    *ret = (struct enrolment_counts){ pg_i64(r, 0, 0), pg_i64(r, 0, 1) };
    return OK;
}

enum err
enrolment_store_issued(struct pg *pg, const char *id, const char *certificate_id, const char *ca, const char *serial, utime now,
                       struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, id);
    pg_arg_uuid(&args, certificate_id);
    pg_arg_text(&args, ca);
    pg_arg_text(&args, serial);
    pg_arg_time(&args, now);
    return change_one(pg, &stmts[S_ISSUED], &args, why);
}

enum err
enrolment_store_delivered(struct pg *pg, const char *id, utime now, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, id);
    pg_arg_time(&args, now);
    return change_one(pg, &stmts[S_DELIVERED], &args, why);
}

enum err
enrolment_store_drop(struct pg *pg, const char *id, utime now, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, id);
    pg_arg_time(&args, now);
    return pg_exec(pg, &stmts[S_DROP_ONE], &args, NULL, why);
}

enum err
enrolment_store_drop_others(struct pg *pg, const char *account_id, const char *but, utime now, int64_t *ret_n, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, account_id);
    pg_arg_uuid(&args, but);
    pg_arg_time(&args, now);
    if ((e = pg_exec(pg, &stmts[S_DROP], &args, &r, why)) != OK)
        return e;
    *ret_n = pg_i64(r, 0, 0);
    return OK;
}

enum err
enrolment_store_end_earlier(struct pg *pg, const char *account_id, const char *but, utime now, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, account_id);
    pg_arg_uuid(&args, but);
    pg_arg_time(&args, now);
    return pg_exec(pg, &stmts[S_END_EARLIER], &args, NULL, why);
}

enum err
enrolment_store_identified(struct pg *pg, const char *account_id, utime *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, account_id);
    if ((e = pg_exec(pg, &stmts[S_IDENTIFIED], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) != 1)
        return why_set(why, ERR_NOT_FOUND, "no such account");
    *ret = pg_time(r, 0, 0);
    return OK;
}

enum err
enrolment_store_stale(struct pg *pg, utime before, struct arena *a, char ***ret, size_t *ret_n, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    size_t n;
    enum err e;

    pg_arg_time(&args, before);
    if ((e = pg_exec(pg, &stmts[S_STALE], &args, &r, why)) != OK)
        return e;
    n = (size_t)pg_rows(r);
    *ret = arena_alloc(a, (n + 1) * sizeof(char *));
    for (size_t i = 0; i < n; i++) {
        char id[37];

        pg_uuid(r, (int)i, 0, id);
        (*ret)[i] = arena_strdup(a, id);
    }
    *ret_n = n;
    return OK;
}

/* --- states of certificates ---------------------------------------------------------------------------------------------- */

static enum err
own_read(struct pg *pg, const struct pg_stmt *stmt, struct pg_args *args, struct arena *a, struct own_certificate **ret,
         size_t *ret_n, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    size_t n;
    enum err e;

    if ((e = pg_exec(pg, stmt, args, &r, why)) != OK)
        return e;
    n = (size_t)pg_rows(r);
    *ret = arena_alloc(a, (n + 1) * sizeof(**ret));
    for (size_t i = 0; i < n; i++) {
        struct own_certificate *c = &(*ret)[i];
        const struct str spki = pg_str(r, (int)i, 2);

        pg_uuid(r, (int)i, 0, c->id);
        snprintf(c->serial, sizeof(c->serial), "%s", pg_text(r, (int)i, 1));
        CHECK(spki.n == sizeof(c->spki_sha256));
        memcpy(c->spki_sha256, spki.p, spki.n);
        snprintf(c->state, sizeof(c->state), "%s", pg_text(r, (int)i, 3));
    }
    *ret_n = n;
    return OK;
}

enum err
certificate_store_of_account(struct pg *pg, const char *account_id, utime until, struct arena *a, struct own_certificate **ret,
                             size_t *ret_n, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, account_id);
    pg_arg_time(&args, until);
    return own_read(pg, &stmts[S_OF_ACCOUNT], &args, a, ret, ret_n, why);
}

enum err
certificate_store_linked(struct pg *pg, const char *serial, struct arena *a, struct own_certificate **ret, size_t *ret_n,
                         struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    if (serial == NULL)
        return own_read(pg, &stmts[S_LINKED_ALL], NULL, a, ret, ret_n, why);
    pg_arg_text(&args, serial);
    return own_read(pg, &stmts[S_LINKED], &args, a, ret, ret_n, why);
}

enum err
certificate_store_set_state(struct pg *pg, const char *certificate_id, const char *state, utime now, char ret_account[37],
                            bool *ret_left, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, certificate_id);
    pg_arg_text(&args, state);
    pg_arg_time(&args, now);
    if ((e = pg_exec(pg, &stmts[S_SET_STATE], &args, &r, why)) != OK)
        return e;
    *ret_left = pg_rows(r) == 1 && pg_bool(r, 0, 1);
    if (pg_rows(r) == 1)
        pg_uuid(r, 0, 0, ret_account);
    return OK;
}

enum err
certificate_store_by_serial(struct pg *pg, const char *ca, const char *serial, char ret_id[37], struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_text(&args, ca);
    pg_arg_text(&args, serial);
    if ((e = pg_exec(pg, &stmts[S_BY_SERIAL], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_code(why, ERR_NOT_FOUND, "issuing.none", "not a certificate of ours");
    pg_uuid(r, 0, 0, ret_id);
    return OK;
}

enum err
certificate_store_live(struct pg *pg, struct arena *a, struct enrolment **ret, size_t *ret_n, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    size_t n;
    enum err e;

    if ((e = pg_exec(pg, &stmts[S_LIVE], NULL, &r, why)) != OK)
        return e;
    n = (size_t)pg_rows(r);
    *ret = arena_alloc(a, (n + 1) * sizeof(**ret));
    for (size_t i = 0; i < n; i++)
        enrolment_read(r, (int)i, &(*ret)[i]);
    *ret_n = n;
    return OK;
}

enum err
certificate_store_ending(struct pg *pg, utime from, utime until, struct arena *a, struct ending **ret, size_t *ret_n,
                         struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    size_t n;
    enum err e;

    pg_arg_time(&args, from);
    pg_arg_time(&args, until);
    if ((e = pg_exec(pg, &stmts[S_ENDING], &args, &r, why)) != OK)
        return e;
    n = (size_t)pg_rows(r);
    *ret = arena_alloc(a, (n + 1) * sizeof(**ret));
    for (size_t i = 0; i < n; i++) {
        struct ending *one = &(*ret)[i];

        pg_uuid(r, (int)i, 0, one->account_id);
        pg_uuid(r, (int)i, 1, one->certificate_id);
        snprintf(one->lang, sizeof(one->lang), "%s", pg_text(r, (int)i, 2));
        one->not_after = pg_time(r, (int)i, 3);
    }
    *ret_n = n;
    return OK;
}

/* --- the authority's state -------------------------------------------------------------------------------------------------- */

enum err
authority_state_take(struct pg *pg, utime now, utime next, struct arena *a, const char **ret_cursor, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_time(&args, now);
    pg_arg_time(&args, next);
    pg_arg_time(&args, next + (next - now));       /* further ahead than any turn: a clock was moved back, and waits for nothing */
    if ((e = pg_exec(pg, &stmts[S_TAKE], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return ERR_NOT_FOUND;
    *ret_cursor = arena_strdup(a, pg_text(r, 0, 0));
    return OK;
}

enum err
authority_state_seen(struct pg *pg, const char *cursor, utime now, utime next, utime known_until, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_text(&args, cursor);
    pg_arg_time(&args, now);
    pg_arg_time(&args, next);
    pg_arg_time(&args, known_until);
    return pg_exec(pg, &stmts[S_SEEN], &args, NULL, why);
}

enum err
authority_state_problem(struct pg *pg, const char *problem, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_text(&args, problem);
    return pg_exec(pg, &stmts[S_PROBLEM], &args, NULL, why);
}

enum err
issuing_health(struct pg *pg, struct issuing_health *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    enum err e;

    if ((e = pg_exec(pg, &stmts[S_HEALTH], NULL, &r, why)) != OK)
        return e;
    CHECK(pg_rows(r) == 1);
    ret->ever = !pg_is_null(r, 0, 0);
    ret->seen_at = pg_time(r, 0, 0);
    snprintf(ret->problem, sizeof(ret->problem), "%s", pg_text(r, 0, 1));
    return OK;
}
