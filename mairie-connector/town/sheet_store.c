/* sheet_store: the tables sheet and secret_escrow. What is here is sealed; who shows or uses it opens it. */
#include "mairie-connector/town/dossier.h"

enum { S_FIND, S_PUT, S_SHOWN, S_ESCROW_PUT, S_ESCROW_FIND, S_ESCROW_SINCE, S_ESCROW_DROP, S_ESCROW_ENDED };
static const struct pg_stmt stmts[] = {
    [S_FIND] = { "sheet.find", "SELECT key, sealed, shown_at FROM sheet WHERE dossier_id = $1", 1 },
    [S_PUT] = { "sheet.put",
        "INSERT INTO sheet (dossier_id, key, sealed, received_at) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (dossier_id) DO UPDATE SET key = $2, sealed = $3, received_at = $4, shown_at = NULL, "
        "shown_by = NULL WHERE sheet.key <> $2", 4 },
    [S_SHOWN] = { "sheet.shown",
        "UPDATE sheet SET sealed = NULL, shown_at = $3, shown_by = $4 WHERE dossier_id = $1 AND key = $2 "
        "AND shown_at IS NULL", 4 },
    [S_ESCROW_PUT] = { "escrow.put",
        "INSERT INTO secret_escrow (dossier_id, kind, sealed, issued_at) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (dossier_id, kind) DO UPDATE SET sealed = $3, issued_at = $4", 4 },
    [S_ESCROW_FIND] = { "escrow.find", "SELECT sealed FROM secret_escrow WHERE dossier_id = $1 AND kind = $2", 2 },
    [S_ESCROW_SINCE] = { "escrow.since", "SELECT issued_at FROM secret_escrow WHERE dossier_id = $1 AND kind = $2", 2 },
    [S_ESCROW_DROP] = { "escrow.drop",
        "DELETE FROM secret_escrow WHERE dossier_id = $1 AND ($2::text IS NULL OR kind = $2)", 2 },
    [S_ESCROW_ENDED] = { "escrow.drop_ended",
        "DELETE FROM secret_escrow e USING dossier d WHERE d.handle = $1 AND e.dossier_id = d.id "
        "AND d.state IN ('closed', 'erased')", 1 },
};
const struct pg_stmts sheet_stmts = PG_STMTS(stmts);

enum err
sheet_find(struct pg *pg, const char *dossier_id, struct arena *a, struct sheet *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    struct str sealed;
    enum err e;

    pg_arg_uuid(&args, dossier_id);
    if ((e = pg_exec(pg, &stmts[S_FIND], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_code(why, ERR_NOT_FOUND, "sheet.none", "no sheet was received");
    ret->key = arena_strdup(a, pg_text(r, 0, 0));
    sealed = pg_str(r, 0, 1);
    ret->sealed = pg_is_null(r, 0, 1) ? STR_NULL : (struct str){ arena_dup(a, sealed.p, sealed.n), sealed.n };
    ret->shown_at = pg_time(r, 0, 2);
    return OK;
}

enum err
sheet_put(struct pg *pg, const char *dossier_id, const char *key, struct str sealed, utime now, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, dossier_id);
    pg_arg_text(&args, key);
    pg_arg_bytes(&args, sealed.p, sealed.n);
    pg_arg_time(&args, now);
    if ((e = pg_exec(pg, &stmts[S_PUT], &args, &r, why)) != OK || pg_affected(r) == 0)
        return e;
    return escrow_drop(pg, dossier_id, why);
}

enum err
sheet_shown(struct pg *pg, const char *dossier_id, const char *key, const char *agent_id, utime now, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, dossier_id);
    pg_arg_text(&args, key);
    pg_arg_time(&args, now);
    pg_arg_uuid(&args, agent_id);
    if ((e = pg_exec(pg, &stmts[S_SHOWN], &args, &r, why)) != OK)
        return e;
    return pg_affected(r) == 1 ? OK : why_code(why, ERR_CONFLICT, "sheet.shown", "the sheet was shown");
}

static const char *const escrow_names[ESCROW_KINDS] = { "revocation", "reactivation_otp", "reactivation_pin" };

const char *
escrow_name(enum escrow kind)
{
    return escrow_names[kind];
}

enum err
escrow_put(struct pg *pg, const char *dossier_id, enum escrow kind, struct str sealed, utime now, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, dossier_id);
    pg_arg_text(&args, escrow_names[kind]);
    pg_arg_bytes(&args, sealed.p, sealed.n);
    pg_arg_time(&args, now);
    return pg_exec(pg, &stmts[S_ESCROW_PUT], &args, NULL, why);
}

enum err
escrow_find(struct pg *pg, const char *dossier_id, enum escrow kind, struct arena *a, struct str *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    struct str sealed;
    enum err e;

    pg_arg_uuid(&args, dossier_id);
    pg_arg_text(&args, escrow_names[kind]);
    if ((e = pg_exec(pg, &stmts[S_ESCROW_FIND], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_code(why, ERR_NOT_FOUND, "escrow.none", "no such code is kept");
    sealed = pg_str(r, 0, 0);
    *ret = (struct str){ arena_dup(a, sealed.p, sealed.n), sealed.n };
    return OK;
}

enum err
escrow_since(struct pg *pg, const char *dossier_id, enum escrow kind, utime *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, dossier_id);
    pg_arg_text(&args, escrow_names[kind]);
    if ((e = pg_exec(pg, &stmts[S_ESCROW_SINCE], &args, &r, why)) != OK)
        return e;
    *ret = pg_rows(r) == 0 ? UTIME_NULL : pg_time(r, 0, 0);
    return OK;
}

static enum err
drop(struct pg *pg, const char *dossier_id, const char *kind, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, dossier_id);
    pg_arg_text(&args, kind);
    return pg_exec(pg, &stmts[S_ESCROW_DROP], &args, NULL, why);
}

enum err
escrow_drop(struct pg *pg, const char *dossier_id, struct why *why)
{
    return drop(pg, dossier_id, escrow_names[ESCROW_REVOCATION], why);
}

enum err
escrow_drop_all(struct pg *pg, const char *dossier_id, struct why *why)
{
    return drop(pg, dossier_id, NULL, why);
}

enum err
escrow_drop_ended(struct pg *pg, const char *handle, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_text(&args, handle);
    return pg_exec(pg, &stmts[S_ESCROW_ENDED], &args, NULL, why);
}
