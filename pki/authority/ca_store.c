/* ca_store: the tables ca and ca_cross. */
#include "base/pg/audit.h"
#include "pki/authority/ca.h"

#include <stdio.h>

enum { S_ADD, S_FIND, S_BY_ID, S_LIST, S_STATE, S_CROSS_ADD, S_CROSS_LIST, S_LIST_PUT };
#define COLUMNS                                                                                                      \
    "SELECT id, name, generation, kind = 'root', issuer_id, state, subject, serial, spki, key_id, certificate, "     \
    "key_uri, set_id, not_before, not_after, shards, (extract(epoch FROM crl_period) * 1000000)::int8, "             \
    "(extract(epoch FROM crl_life) * 1000000)::int8, delta FROM ca "
static const struct pg_stmt stmts[] = {
    [S_ADD] = { "ca.add",
        "INSERT INTO ca (name, generation, kind, issuer_id, state, subject, serial, spki, key_id, certificate, key_uri, "
        "set_id, not_before, not_after, shards, crl_period, crl_life, delta, made_at) VALUES ($1, $2::int4, $3, $4::int4, $5, "
        "$6, $7, $8, $9, $10, $11, $12, $13, $14, $15::int4, $16::int8 * interval '1 microsecond', "
        "$17::int8 * interval '1 microsecond', $18::bool, $19) RETURNING id", 19 },
    [S_FIND] = { "ca.find",
        COLUMNS "WHERE name = $1 AND (generation = $2::int4 OR $2::int4 = 0) ORDER BY generation DESC LIMIT 1", 2 },
    [S_BY_ID] = { "ca.by_id", COLUMNS "WHERE id = $1::int4", 1 },
    [S_LIST] = { "ca.list", COLUMNS "ORDER BY kind = 'root' DESC, name, generation", 0 },
    [S_STATE] = { "ca.state",
        "WITH c AS (UPDATE ca SET state = $2, ended_at = CASE WHEN $2 IN ('ended', 'compromised') THEN $3::timestamptz END "
        "WHERE id = $1::int4 AND CASE $2 WHEN 'active' THEN state = 'ceremony' WHEN 'retiring' THEN state = 'active' "
        "WHEN 'ended' THEN state IN ('ceremony', 'active', 'retiring', 'compromised') "
        "WHEN 'compromised' THEN state IN ('active', 'retiring') ELSE false END RETURNING id) "
        "SELECT c.id, audit_add($3, 'ceremony', '', 'ca.' || $2, 'ca:' || c.id, 'ok', '{}') FROM c", 3 },
    [S_CROSS_ADD] = { "ca.cross.add",
        "INSERT INTO ca_cross (ca_id, issuer_id, certificate, not_after) VALUES ($1::int4, $2::int4, $3, $4) "
        "ON CONFLICT (ca_id, issuer_id) DO NOTHING", 4 },
    [S_CROSS_LIST] = { "ca.cross.list",
        "SELECT ca_id, issuer_id, certificate, not_after FROM ca_cross ORDER BY ca_id, issuer_id", 0 },
    [S_LIST_PUT] = { "ca.root_list.put",
        "WITH n AS (INSERT INTO crl_counter (ca_id, shard, number) VALUES ($1::int4, 0, $2::int8) ON CONFLICT (ca_id, shard) "
        "DO UPDATE SET number = greatest(crl_counter.number, excluded.number) RETURNING 1) "
        "INSERT INTO crl (ca_id, shard, number, kind, horizon, this_update, next_update, entries, sha256, der, made_at) "
        "SELECT $1::int4, 0, $2::int8, 'full', pg_current_xact_id(), $3, $4, $5::int4, $6, $7, $8 FROM n "
        "ON CONFLICT (ca_id, shard, number, kind) DO NOTHING", 8 },
};
const struct pg_stmts ca_stmts = PG_STMTS(stmts);

static void
arg_str(struct pg_args *args, struct str s)
{
    pg_arg_bytes(args, s.p, s.n);
}

enum err
ca_add(struct pg *pg, const struct ca *ca, utime now, int *ret_id, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    char object[32], detail[128];
    enum err e;

    pg_arg_text(&args, ca->name);
    pg_arg_i32(&args, ca->generation);
    pg_arg_text(&args, ca->root ? "root" : "issuing");
    if (ca->issuer_id == 0)
        pg_arg_null(&args);
    else
        pg_arg_i32(&args, ca->issuer_id);
    pg_arg_text(&args, ca_state_name(ca->state));
    arg_str(&args, ca->subject);
    arg_str(&args, ca->serial);
    arg_str(&args, ca->spki);
    arg_str(&args, ca->key_id);
    arg_str(&args, ca->certificate);
    pg_arg_text(&args, ca->key_uri);
    pg_arg_uuid(&args, ca->set_id);
    pg_arg_time(&args, ca->not_before);
    pg_arg_time(&args, ca->not_after);
    pg_arg_i32(&args, ca->shards);
    pg_arg_i64(&args, ca->crl_period);
    pg_arg_i64(&args, ca->crl_life);
    pg_arg_bool(&args, ca->delta);
    pg_arg_time(&args, now);
    if ((e = pg_exec(pg, &stmts[S_ADD], &args, &r, why)) != OK)
        return e == ERR_CONFLICT ? why_code(why, e, "ca.exists", "this generation of the authority, or its key, is there "
                                            "already, or its life is not one") : e;
    *ret_id = (int)pg_i64(r, 0, 0);
    snprintf(object, sizeof(object), "ca:%d", *ret_id);
    snprintf(detail, sizeof(detail), "{\"name\":\"%s\",\"generation\":%d}", ca->name, ca->generation);
    return audit_add(pg, &(struct audit_entry){ .at = now, .actor = "ceremony", .role = "", .verb = "ca.add",
                                                .object = object, .result = "ok", .detail = detail }, why);
}

/* --- reading --------------------------------------------------------------------------------------------------- */

static enum ca_state
state_parse(struct str text)
{
    for (int i = CA_CEREMONY; i <= CA_COMPROMISED; i++)
        if (str_eqs(text, ca_state_name((enum ca_state)i)))
            return (enum ca_state)i;
    panic("state of a CA that the schema does not know");
}

static void
row_read(const struct pg_result *r, int row, struct arena *a, struct ca *ret)
{
    ret->id = (int)pg_i64(r, row, 0);
    ret->name = arena_strdup(a, pg_text(r, row, 1));
    ret->generation = (int)pg_i64(r, row, 2);
    ret->root = pg_bool(r, row, 3);
    ret->issuer_id = (int)pg_i64(r, row, 4);
    ret->state = state_parse(pg_str(r, row, 5));
    ret->subject = pg_str_dup(r, row, 6, a);
    ret->serial = pg_str_dup(r, row, 7, a);
    ret->spki = pg_str_dup(r, row, 8, a);
    ret->key_id = pg_str_dup(r, row, 9, a);
    ret->certificate = pg_str_dup(r, row, 10, a);
    ret->key_uri = arena_strdup(a, pg_text(r, row, 11));
    pg_uuid(r, row, 12, ret->set_id);
    ret->not_before = pg_time(r, row, 13);
    ret->not_after = pg_time(r, row, 14);
    ret->shards = (int)pg_i64(r, row, 15);
    ret->crl_period = pg_i64(r, row, 16);
    ret->crl_life = pg_i64(r, row, 17);
    ret->delta = pg_bool(r, row, 18);
}

static enum err
one_read(struct pg *pg, const struct pg_stmt *stmt, struct pg_args *args, struct arena *a, struct ca *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    enum err e;

    if ((e = pg_exec(pg, stmt, args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_code(why, ERR_NOT_FOUND, "ca.unknown", "no such certification authority");
    row_read(r, 0, a, ret);
    return OK;
}

enum err
ca_find(struct pg *pg, const char *name, int generation, struct arena *a, struct ca *ret, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_text(&args, name);
    pg_arg_i32(&args, generation);
    return one_read(pg, &stmts[S_FIND], &args, a, ret, why);
}

enum err
ca_by_id(struct pg *pg, int id, struct arena *a, struct ca *ret, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_i32(&args, id);
    return one_read(pg, &stmts[S_BY_ID], &args, a, ret, why);
}

enum err
ca_list(struct pg *pg, struct arena *a, struct ca **ret, size_t *ret_n, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct ca *list;
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

/* --- changing ---------------------------------------------------------------------------------------------------- */

enum err
ca_state_change(struct pg *pg, int id, enum ca_state to, utime now, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_i32(&args, id);
    pg_arg_text(&args, ca_state_name(to));
    pg_arg_time(&args, now);
    if ((e = pg_exec(pg, &stmts[S_STATE], &args, &r, why)) != OK)
        return e;
    return pg_rows(r) > 0 ? OK : why_code(why, ERR_CONFLICT, "ca.state", "the authority cannot become %s from what it is",
                                          ca_state_name(to));
}

enum err
ca_cross_add(struct pg *pg, const struct ca_cross *cross, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_i32(&args, cross->ca_id);
    pg_arg_i32(&args, cross->issuer_id);
    arg_str(&args, cross->certificate);
    pg_arg_time(&args, cross->not_after);
    return pg_exec(pg, &stmts[S_CROSS_ADD], &args, NULL, why);
}

enum err
ca_cross_list(struct pg *pg, struct arena *a, struct ca_cross **ret, size_t *ret_n, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct ca_cross *list;
    enum err e;

    if ((e = pg_exec(pg, &stmts[S_CROSS_LIST], NULL, &r, why)) != OK)
        return e;
    list = arena_alloc(a, ((size_t)pg_rows(r) + 1) * sizeof(*list));
    for (int i = 0; i < pg_rows(r); i++)
        list[i] = (struct ca_cross){ (int)pg_i64(r, i, 0), (int)pg_i64(r, i, 1), pg_str_dup(r, i, 2, a), pg_time(r, i, 3) };
    *ret = list;
    *ret_n = (size_t)pg_rows(r);
    return OK;
}

enum err
ca_root_list_put(struct pg *pg, const struct ca_root_list *list, utime now, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;
    unsigned char digest[SHA256_LEN];

    sha256(list->der, digest);
    pg_arg_i32(&args, list->ca_id);
    pg_arg_i64(&args, list->number);
    pg_arg_time(&args, list->this_update);
    pg_arg_time(&args, list->next_update);
    pg_arg_i32(&args, list->entries);
    pg_arg_bytes(&args, digest, sizeof(digest));
    arg_str(&args, list->der);
    pg_arg_time(&args, now);
    return pg_exec(pg, &stmts[S_LIST_PUT], &args, NULL, why);
}
