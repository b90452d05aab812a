/* audit_proof_store: rows of the trail and their checkpoints, read for audit_proof.h. */
#include "base/pg/audit_proof.h"

enum { S_ROWS, S_CHECKPOINTS };
static const struct pg_stmt stmts[] = {
    [S_ROWS] = { "audit.proof_rows",
        "SELECT e.seq, e.at, e.actor, e.role, e.verb, e.object, e.result, e.detail, s.number FROM audit_event e "
        "LEFT JOIN audit_seal s ON s.span @> e.seq AND e.seq = ANY (s.seqs) WHERE e.object = ANY ($1::text[]) ORDER BY e.seq", 1 },
    [S_CHECKPOINTS] = { "audit.proof_checkpoints",
        "SELECT s.number, s.at, s.cluster, s.horizon, s.seqs, s.digests, coalesce(b.chain, decode(repeat('00', 32), 'hex')), s.chain, "
        "s.key, s.signature FROM audit_seal s LEFT JOIN audit_seal b ON b.number = s.number - 1 "
        "WHERE s.number = ANY ($1::int8[]) ORDER BY s.number", 1 },
};
const struct pg_stmts audit_proof_stmts = PG_STMTS(stmts);

static enum err
rows_load(struct pg *pg, const char *const *objects, size_t n, struct arena *a, struct audit_proof *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_texts(&args, objects, n);
    if ((e = pg_exec(pg, &stmts[S_ROWS], &args, &r, why)) != OK)
        return e;
    ret->nrows = (size_t)pg_rows(r);
    ret->rows = arena_alloc(a, (ret->nrows + 1) * sizeof(*ret->rows));
    for (int i = 0; i < pg_rows(r); i++) {
        struct audit_proof_row *row = &ret->rows[i];

        row->seq = pg_i64(r, i, 0);
        row->at = pg_time(r, i, 1);
        for (int k = 0; k < AUDIT_TEXTS; k++)
            row->text[k] = pg_str_dup(r, i, 2 + k, a);
        row->checkpoint = pg_is_null(r, i, 8) ? 0 : pg_i64(r, i, 8);
    }
    return OK;
}

static void
checkpoint_read(const struct pg_result *r, int i, struct arena *a, struct audit_proof_checkpoint *c)
{
    c->number = pg_i64(r, i, 0);
    c->at = pg_time(r, i, 1);
    c->cluster = pg_i64(r, i, 2);
    c->horizon = pg_i64(r, i, 3);
    c->n = pg_i64s_count(r, i, 4);
    c->seqs = arena_alloc(a, (c->n + 1) * sizeof(*c->seqs));
    for (size_t k = 0; k < c->n; k++)
        c->seqs[k] = pg_i64s_item(r, i, 4, k);
    c->digests = pg_str_dup(r, i, 5, a);
    c->before = pg_str_dup(r, i, 6, a);
    c->chain = pg_str_dup(r, i, 7, a);
    c->key = arena_strdup(a, pg_text(r, i, 8));
    c->signature = pg_str_dup(r, i, 9, a);
}

enum err
audit_proof_load(struct pg *pg, const char *const *objects, size_t n, struct arena *a, struct audit_proof *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    struct audit_proof p = { .nrows = 0 };
    int64_t *numbers;
    enum err e;

    if ((e = rows_load(pg, objects, n, a, &p, why)) != OK)
        return e;
    numbers = arena_alloc(a, (p.nrows + 1) * sizeof(*numbers));
    for (size_t i = 0; i < p.nrows; i++)
        numbers[i] = p.rows[i].checkpoint;
    pg_arg_i64s(&args, numbers, p.nrows);
    if ((e = pg_exec(pg, &stmts[S_CHECKPOINTS], &args, &r, why)) != OK)
        return e;
    p.ncheckpoints = (size_t)pg_rows(r);
    p.checkpoints = arena_alloc(a, (p.ncheckpoints + 1) * sizeof(*p.checkpoints));
    for (int i = 0; i < pg_rows(r); i++)
        checkpoint_read(r, i, a, &p.checkpoints[i]);
    *ret = p;
    return OK;
}
