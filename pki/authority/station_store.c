/* station_store: the table station. */
#include "pki/authority/station-internal.h"

enum { S_INSERT, S_FIND, S_LOCK, S_LIST, S_BY_KEY, S_ACTIVATE, S_SUSPEND, S_END };
#define COLUMNS                                                                                                      \
    "s.id, s.name, s.profiles, s.towns, s.may_revoke, s.state, s.added_at, s.suspended_at, s.ended_at"
static const struct pg_stmt stmts[] = {
    [S_INSERT] = { "station.insert",
        "INSERT INTO station (id, name, profiles, towns, may_revoke, state, added_at) VALUES ($1, $2, $3, $4, $5, 'proposed', $6)", 6 },
    [S_FIND] = { "station.find", "SELECT " COLUMNS " FROM station s WHERE s.name = $1", 1 },
    [S_LOCK] = { "station.lock", "SELECT " COLUMNS " FROM station s WHERE s.name = $1 FOR UPDATE", 1 },
    [S_LIST] = { "station.list", "SELECT " COLUMNS " FROM station s ORDER BY s.name", 0 },
    [S_BY_KEY] = { "station.by_key",
        "SELECT " COLUMNS ", c.id, d.der, c.state, c.not_before, c.not_after FROM certificate c "
        "JOIN certificate_der d ON d.certificate_id = c.id JOIN station s ON s.id = c.station_id "
        "WHERE c.spki_sha256 = $1 AND d.der IS NOT NULL", 1 },
    [S_ACTIVATE] = { "station.activate", "UPDATE station SET state = 'active' WHERE id = $1 AND state IN ('proposed', 'suspended')", 1 },
    /* What was, when it was not changed: so that a station that is not there is told from one in another state. */
    [S_SUSPEND] = { "station.suspend",
        "WITH u AS (UPDATE station SET state = 'suspended', suspended_at = $2 WHERE name = $1 AND state = 'active' RETURNING id), "
        "a AS (INSERT INTO audit_event (at, actor, role, verb, object, result, detail) SELECT $2, $3, '', 'station.suspend', "
        "'station:' || u.id, 'ok', jsonb_build_object('person', $4::text) FROM u) SELECT s.state, EXISTS (SELECT FROM u) "
        "FROM station s WHERE s.name = $1", 4 },
    [S_END] = { "station.end",
        "WITH u AS (UPDATE station SET state = 'ended', ended_at = $2 WHERE name = $1 AND state <> 'ended' RETURNING id), "
        "a AS (INSERT INTO audit_event (at, actor, role, verb, object, result, detail) SELECT $2, $3, '', 'station.end', "
        "'station:' || u.id, 'ok', jsonb_build_object('person', $4::text) FROM u) SELECT s.state, EXISTS (SELECT FROM u) "
        "FROM station s WHERE s.name = $1", 4 },
};
const struct pg_stmts station_stmts = PG_STMTS(stmts);

/* --- reading ---------------------------------------------------------------------------------------------------------------- */

static const char *const *
texts_read(const struct pg_result *r, int row, int col, struct arena *a, size_t *ret_n)
{
    const size_t n = pg_texts_count(r, row, col);
    const char **list = arena_alloc(a, (n + 1) * sizeof(*list));

    for (size_t i = 0; i < n; i++)
        list[i] = arena_str(a, pg_texts_item(r, row, col, i));
    *ret_n = n;
    return list;
}

static void
row_read(const struct pg_result *r, int row, struct arena *a, struct station *ret)
{
    struct station s = { .name = arena_strdup(a, pg_text(r, row, 1)), .all_towns = pg_is_null(r, row, 3),
                         .may_revoke = pg_bool(r, row, 4), .added_at = pg_time(r, row, 6),
                         .suspended_at = pg_time(r, row, 7), .ended_at = pg_time(r, row, 8) };

    pg_uuid(r, row, 0, s.id);
    s.profiles = texts_read(r, row, 2, a, &s.nprofiles);
    if (!s.all_towns)
        s.towns = texts_read(r, row, 3, a, &s.ntowns);
    for (int i = STATION_PROPOSED; i <= STATION_ENDED; i++)
        if (str_eqs(pg_str(r, row, 5), station_state_name((enum station_state)i)))
            s.state = (enum station_state)i;
    *ret = s;
}

static enum err
by_name(struct pg *pg, const struct pg_stmt *stmt, const char *name, struct arena *a, struct station *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_text(&args, name);
    if ((e = pg_exec(pg, stmt, &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_code(why, ERR_NOT_FOUND, "station.unknown", "no station %s", name);
    row_read(r, 0, a, ret);
    return OK;
}

enum err
station_find(struct pg *pg, const char *name, struct arena *a, struct station *ret, struct why *why)
{
    return by_name(pg, &stmts[S_FIND], name, a, ret, why);
}

enum err
station_lock(struct pg *pg, const char *name, struct arena *a, struct station *ret, struct why *why)
{
    return by_name(pg, &stmts[S_LOCK], name, a, ret, why);
}

enum err
station_list(struct pg *pg, struct arena *a, struct station **ret, size_t *ret_n, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct station *list;
    enum err e;

    if ((e = pg_exec(pg, &stmts[S_LIST], NULL, &r, why)) != OK)
        return e;
    list = arena_alloc(a, ((size_t)pg_rows(r) + 1) * sizeof(*list));
    for (int i = 0; i < pg_rows(r); i++)
        row_read(r, i, a, &list[i]);
    *ret = list;
    *ret_n = (size_t)pg_rows(r);
    return OK;
}

enum err
station_by_key(struct pg *pg, const unsigned char spki_sha256[SHA256_LEN], struct arena *a, struct station *ret,
               struct station_certificate *ret_certificate, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    struct str der;
    enum err e;

    pg_arg_bytes(&args, spki_sha256, SHA256_LEN);
    if ((e = pg_exec(pg, &stmts[S_BY_KEY], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_code(why, ERR_NOT_FOUND, "station.unknown", "no station has this key");
    row_read(r, 0, a, ret);
    pg_uuid(r, 0, 9, ret_certificate->id);
    der = pg_str(r, 0, 10);
    ret_certificate->der = (struct str){ arena_dup(a, der.p, der.n), der.n };
    ret_certificate->state = arena_strdup(a, pg_text(r, 0, 11));
    ret_certificate->not_before = pg_time(r, 0, 12);
    ret_certificate->not_after = pg_time(r, 0, 13);
    return OK;
}

/* --- changing ---------------------------------------------------------------------------------------------------------------- */

enum err
station_insert(struct pg *pg, const struct station *s, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, s->id);
    pg_arg_text(&args, s->name);
    pg_arg_texts(&args, s->profiles, s->nprofiles);
    if (s->all_towns)
        pg_arg_null(&args);
    else
        pg_arg_texts(&args, s->towns, s->ntowns);
    pg_arg_bool(&args, s->may_revoke);
    pg_arg_time(&args, s->added_at);
    e = pg_exec(pg, &stmts[S_INSERT], &args, NULL, why);
    return e == ERR_CONFLICT ? why_code(why, e, "station.exists", "a station %s is there, or was", s->name) : e;
}

enum err
station_activate(struct pg *pg, const char *id, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, id);
    return pg_exec(pg, &stmts[S_ACTIVATE], &args, NULL, why);
}

static enum err
taken_away(struct pg *pg, const struct pg_stmt *stmt, const char *name, const char *person, const char *actor, utime now,
           struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_text(&args, name);
    pg_arg_time(&args, now);
    pg_arg_text(&args, actor);
    pg_arg_text(&args, person);
    if ((e = pg_exec(pg, stmt, &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_code(why, ERR_NOT_FOUND, "station.unknown", "no station %s", name);
    return pg_bool(r, 0, 1) ? OK : why_code(why, ERR_CONFLICT, "station.state", "the station is %s", pg_text(r, 0, 0));
}

enum err
station_suspend(struct pg *pg, const char *name, const char *person, const char *actor, utime now, struct why *why)
{
    return taken_away(pg, &stmts[S_SUSPEND], name, person, actor, now, why);
}

enum err
station_end(struct pg *pg, const char *name, const char *person, const char *actor, utime now, struct why *why)
{
    return taken_away(pg, &stmts[S_END], name, person, actor, now, why);
}
