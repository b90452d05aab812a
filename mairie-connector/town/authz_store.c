/* authz_store: the tables authorisation_def and authorisation. */
#include "mairie-connector/town/dossier.h"

#include "base/pg/audit.h"
#include "mairie-connector/wire/wire.h"

enum { S_PUT, S_COUNT, S_DEFS, S_DEFS_ALL, S_OF, S_HISTORY, S_VERSION, S_GIVE, S_APPROVE };
static const struct pg_stmt stmts[] = {
    [S_PUT] = { "authz.put",
        "INSERT INTO authorisation_def (code, label_fr, label_en, sensitive) VALUES ($1, $2, $3, $4::bool) "
        "ON CONFLICT (code) DO UPDATE SET label_fr = $2, label_en = $3, sensitive = $4::bool, offered = true", 4 },
    [S_COUNT] = { "authz.count", "SELECT count(*) FROM authorisation_def", 0 },
    [S_DEFS] = { "authz.defs",
        "SELECT code, label_fr, label_en, sensitive FROM authorisation_def WHERE offered ORDER BY label_fr", 0 },
    [S_DEFS_ALL] = { "authz.defs_all",
        "SELECT code, label_fr, label_en, sensitive FROM authorisation_def ORDER BY code", 0 },
    [S_OF] = { "authz.of",
        "SELECT a.code, d.label_fr, d.label_en, a.sensitive, a.approved_by IS NOT NULL, a.valid_until "
        "FROM authorisation a JOIN authorisation_def d ON d.code = a.code WHERE a.dossier_id = $1 AND a.ended_at IS NULL "
        "ORDER BY d.label_fr", 1 },
    [S_HISTORY] = { "authz.history",
        "SELECT d.label_fr, d.label_en, a.granted_at, a.valid_until, a.ended_at, g.name, coalesce(s.name, ''), "
        "coalesce(w.name, '') FROM authorisation a JOIN authorisation_def d ON d.code = a.code "
        "JOIN agent g ON g.id = a.granted_by LEFT JOIN agent s ON s.id = a.approved_by LEFT JOIN agent w ON w.id = a.ended_by "
        "WHERE a.dossier_id = $1 ORDER BY a.id DESC LIMIT 200", 1 },
    [S_VERSION] = { "authz.version",
        "SELECT coalesce(max(id), 0) || '.' || count(ended_at) FROM authorisation WHERE dossier_id = $1", 1 },
    [S_GIVE] = { "authz.give",
        "INSERT INTO authorisation (dossier_id, code, sensitive, valid_until, granted_by, granted_at) "
        "VALUES ($1, $2, false, $3, $4, $5)", 5 },
    [S_APPROVE] = { "authz.approve",
        "UPDATE authorisation SET approved_by = $2, approved_at = $3 WHERE dossier_id = $1 AND sensitive "
        "AND approved_by IS NULL AND ended_at IS NULL", 3 },
};
const struct pg_stmts authz_stmts = PG_STMTS(stmts);

struct put_arg {
    const struct authz_def *def;
    const char *operator_name;
    utime now;
};

static enum err
put_body(struct pg *pg, void *arg, struct why *why)
{
    const struct put_arg *x = arg;
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_text(&args, x->def->id);
    pg_arg_text(&args, x->def->label_fr);
    pg_arg_text(&args, x->def->label_en);
    pg_arg_bool(&args, x->def->sensitive);
    if ((e = pg_exec(pg, &stmts[S_PUT], &args, NULL, why)) != OK ||
        (e = pg_exec(pg, &stmts[S_COUNT], NULL, &r, why)) != OK)
        return e;
    if (pg_i64(r, 0, 0) > WIRE_LABELS_MAX)
        return why_code(why, ERR_CONFLICT, "authorisation.many", "a town has %d authorisations at most", WIRE_LABELS_MAX);
    return audit_add(pg, &(struct audit_entry){ .at = x->now, .actor = x->operator_name, .role = "systeme",
                                                .verb = "authorisation.add", .object = "town", .result = "ok",
                                                .detail = "{}" }, why);
}

enum err
authz_def_put(struct pg *pg, const char *code, const char *fr, const char *en, bool sensitive,
              const char *operator_name, utime now, struct why *why)
{
    const struct authz_def def = { code, fr, en, sensitive };
    struct put_arg x = { &def, operator_name, now };

    return pg_tx(pg, put_body, &x, why);
}

static enum err
defs_read(struct pg *pg, const struct pg_stmt *stmt, struct arena *a, struct authz_def **ret, size_t *ret_n,
          struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct authz_def *list;
    enum err e;

    if ((e = pg_exec(pg, stmt, NULL, &r, why)) != OK)
        return e;
    list = arena_alloc(a, ((size_t)pg_rows(r) + 1) * sizeof(*list));
    for (int i = 0; i < pg_rows(r); i++)
        list[i] = (struct authz_def){ arena_strdup(a, pg_text(r, i, 0)), arena_strdup(a, pg_text(r, i, 1)),
                                      arena_strdup(a, pg_text(r, i, 2)), pg_bool(r, i, 3) };
    *ret = list;
    *ret_n = (size_t)pg_rows(r);
    return OK;
}

enum err
authz_defs(struct pg *pg, struct arena *a, struct authz_def **ret, size_t *ret_n, struct why *why)
{
    return defs_read(pg, &stmts[S_DEFS], a, ret, ret_n, why);
}

enum err
authz_defs_all(struct pg *pg, struct arena *a, struct authz_def **ret, size_t *ret_n, struct why *why)
{
    return defs_read(pg, &stmts[S_DEFS_ALL], a, ret, ret_n, why);
}

enum err
authz_of(struct pg *pg, const char *dossier_id, struct arena *a, struct authz_given **ret, size_t *ret_n,
         struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    struct authz_given *list;
    enum err e;

    pg_arg_uuid(&args, dossier_id);
    if ((e = pg_exec(pg, &stmts[S_OF], &args, &r, why)) != OK)
        return e;
    list = arena_alloc(a, ((size_t)pg_rows(r) + 1) * sizeof(*list));
    for (int i = 0; i < pg_rows(r); i++)
        list[i] = (struct authz_given){ arena_strdup(a, pg_text(r, i, 0)), arena_strdup(a, pg_text(r, i, 1)),
                                        arena_strdup(a, pg_text(r, i, 2)), pg_bool(r, i, 3), pg_bool(r, i, 4),
                                        pg_time(r, i, 5) };
    *ret = list;
    *ret_n = (size_t)pg_rows(r);
    return OK;
}

enum err
authz_history(struct pg *pg, const char *dossier_id, struct arena *a, struct authz_past **ret, size_t *ret_n,
              struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    struct authz_past *list;
    enum err e;

    pg_arg_uuid(&args, dossier_id);
    if ((e = pg_exec(pg, &stmts[S_HISTORY], &args, &r, why)) != OK)
        return e;
    list = arena_alloc(a, ((size_t)pg_rows(r) + 1) * sizeof(*list));
    for (int i = 0; i < pg_rows(r); i++)
        list[i] = (struct authz_past){
            .label_fr = arena_strdup(a, pg_text(r, i, 0)), .label_en = arena_strdup(a, pg_text(r, i, 1)),
            .from = pg_time(r, i, 2), .until = pg_time(r, i, 3), .ended_at = pg_time(r, i, 4),
            .granted_by = arena_strdup(a, pg_text(r, i, 5)), .approved_by = arena_strdup(a, pg_text(r, i, 6)),
            .ended_by = arena_strdup(a, pg_text(r, i, 7)),
        };
    *ret = list;
    *ret_n = (size_t)pg_rows(r);
    return OK;
}

enum err
authz_version(struct pg *pg, const char *dossier_id, struct arena *a, const char **ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, dossier_id);
    if ((e = pg_exec(pg, &stmts[S_VERSION], &args, &r, why)) != OK)
        return e;
    *ret = arena_strdup(a, pg_text(r, 0, 0));
    return OK;
}

enum err
authz_give(struct pg *pg, const char *dossier_id, const char *code, utime until, const char *agent_id, utime now,
           struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, dossier_id);
    pg_arg_text(&args, code);
    pg_arg_time(&args, until);
    pg_arg_uuid(&args, agent_id);
    pg_arg_time(&args, now);
    return pg_exec(pg, &stmts[S_GIVE], &args, NULL, why);
}

enum err
authz_approve(struct pg *pg, const char *dossier_id, const char *agent_id, utime now, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, dossier_id);
    pg_arg_uuid(&args, agent_id);
    pg_arg_time(&args, now);
    return pg_exec(pg, &stmts[S_APPROVE], &args, NULL, why);
}
