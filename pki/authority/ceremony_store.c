/* ceremony_store: the tables ceremony and ceremony_signature. */
#include "pki/authority/ca.h"

enum { S_ADD, S_SAME, S_SIGN, S_FIND, S_SIGNS };
static const struct pg_stmt stmts[] = {
    [S_ADD] = { "ceremony.add",
        "INSERT INTO ceremony (id, kind, ca_name, record, sha256, at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING",
        6 },
    [S_SAME] = { "ceremony.same", "SELECT 1 FROM ceremony WHERE id = $1 AND sha256 = $2", 2 },
    [S_SIGN] = { "ceremony.sign",
        "INSERT INTO ceremony_signature (ceremony_id, name, public_key, signature) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (ceremony_id, name) DO NOTHING", 4 },
    [S_FIND] = { "ceremony.find", "SELECT kind, ca_name, record, at FROM ceremony WHERE id = $1", 1 },
    [S_SIGNS] = { "ceremony.signs",
        "SELECT name, public_key, signature FROM ceremony_signature WHERE ceremony_id = $1 ORDER BY name", 1 },
};
const struct pg_stmts ceremony_stmts = PG_STMTS(stmts);

static enum err
sign_add(struct pg *pg, const char *id, const struct ceremony_sign *s, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, id);
    pg_arg_text(&args, s->name);
    pg_arg_bytes(&args, s->public_key.p, s->public_key.n);
    pg_arg_bytes(&args, s->signature.p, s->signature.n);
    return pg_exec(pg, &stmts[S_SIGN], &args, NULL, why);
}

enum err
ceremony_add(struct pg *pg, const struct ceremony_row *row, const struct ceremony_sign *signs, size_t n, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    unsigned char digest[SHA256_LEN];
    enum err e;

    sha256(row->record, digest);
    pg_arg_uuid(&args, row->id);
    pg_arg_text(&args, row->kind);
    pg_arg_text(&args, row->ca_name);
    pg_arg_str(&args, row->record);
    pg_arg_bytes(&args, digest, sizeof(digest));
    pg_arg_time(&args, row->at);
    if ((e = pg_exec(pg, &stmts[S_ADD], &args, NULL, why)) != OK)
        return e;
    pg_arg_uuid(&args, row->id);
    pg_arg_bytes(&args, digest, sizeof(digest));
    if ((e = pg_exec(pg, &stmts[S_SAME], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_code(why, ERR_CONFLICT, "ceremony.exists", "another record of this ceremony is stored");
    for (size_t i = 0; i < n; i++)
        if ((e = sign_add(pg, row->id, &signs[i], why)) != OK)
            return e;
    return OK;
}

enum err
ceremony_find(struct pg *pg, const char *id, struct arena *a, struct ceremony_row *ret, struct ceremony_sign **ret_signs,
              size_t *ret_n, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL, *s = NULL;
    struct pg_args args = PG_ARGS_INIT;
    struct ceremony_sign *signs;
    enum err e;

    pg_arg_uuid(&args, id);
    if ((e = pg_exec(pg, &stmts[S_FIND], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_set(why, ERR_NOT_FOUND, "no such ceremony");
    pg_arg_uuid(&args, id);
    if ((e = pg_exec(pg, &stmts[S_SIGNS], &args, &s, why)) != OK)
        return e;
    signs = arena_alloc(a, ((size_t)pg_rows(s) + 1) * sizeof(*signs));
    for (int i = 0; i < pg_rows(s); i++)
        signs[i] = (struct ceremony_sign){ arena_strdup(a, pg_text(s, i, 0)), pg_str_dup(s, i, 1, a), pg_str_dup(s, i, 2, a) };
    (void)memccpy(ret->id, id, '\0', sizeof(ret->id));
    ret->kind = arena_strdup(a, pg_text(r, 0, 0));
    ret->ca_name = arena_strdup(a, pg_text(r, 0, 1));
    ret->record = pg_str_dup(r, 0, 2, a);
    ret->at = pg_time(r, 0, 3);
    *ret_signs = signs;
    *ret_n = (size_t)pg_rows(s);
    return OK;
}
