/* draft_store: the table draft. */
#include "mairie-connector/town/dossier.h"

#include <stdio.h>

#define DRAFT_LIFE (30 * USEC_PER_DAY)

enum { S_PUT, S_FIND, S_LIST, S_OTHER, S_DROP, S_PURGE };
static const struct pg_stmt stmts[] = {
    [S_PUT] = { "draft.put",
        "INSERT INTO draft (id, agent_id, body, at) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (id) DO UPDATE SET body = $3, other = false, at = $4 WHERE draft.agent_id = $2", 4 },
    [S_FIND] = { "draft.find", "SELECT body, other, at FROM draft WHERE id = $1 AND agent_id = $2", 2 },
    [S_LIST] = { "draft.list",
        "SELECT id, body, other, at FROM draft WHERE agent_id = $1 ORDER BY at DESC LIMIT 20", 1 },
    [S_OTHER] = { "draft.other", "UPDATE draft SET other = true WHERE id = $1 AND agent_id = $2", 2 },
    [S_DROP] = { "draft.drop", "DELETE FROM draft WHERE id = $1 AND agent_id = $2", 2 },
    [S_PURGE] = { "draft.purge", "DELETE FROM draft WHERE at < $1", 1 },
};
const struct pg_stmts draft_stmts = PG_STMTS(stmts);

static enum err
body_open(const struct mairie *m, const char *id, struct str sealed, struct arena *a, struct str *ret, struct why *why)
{
    AUTO(buf_free) struct buf plain = BUF_SECRET(64 * 1024);
    enum err e;

    if ((e = column_open(m->field, "draft.body", id, sealed, &plain, why)) != OK)
        return why_set(why, ERR_INTERNAL, "the draft %s cannot be opened", id);
    *ret = (struct str){ arena_dup(a, plain.data, plain.len), plain.len };
    return OK;
}

enum err
draft_put(struct pg *pg, const struct mairie *m, const char *id, const char *agent_id, struct str body, utime now,
          struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    AUTO(buf_free) struct buf sealed = BUF_BOUNDED(64 * 1024);
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_time(&args, now - DRAFT_LIFE);
    if ((e = pg_exec(pg, &stmts[S_PURGE], &args, NULL, why)) != OK)
        return e;
    if ((e = column_seal(m->field, "draft.body", id, body, &sealed)) != OK)
        return why_set(why, e, "the draft cannot be sealed");
    pg_arg_uuid(&args, id);
    pg_arg_uuid(&args, agent_id);
    pg_arg_buf(&args, &sealed);
    pg_arg_time(&args, now);
    if ((e = pg_exec(pg, &stmts[S_PUT], &args, &r, why)) != OK)
        return e;
    return pg_affected(r) == 1 ? OK : why_code(why, ERR_NOT_FOUND, "draft.unknown", "another agent's draft");
}

enum err
draft_find(struct pg *pg, const struct mairie *m, const char *id, const char *agent_id, struct arena *a,
           struct draft *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, id);
    pg_arg_uuid(&args, agent_id);
    e = pg_exec(pg, &stmts[S_FIND], &args, &r, why);
    if (e == ERR_INPUT || (e == OK && pg_rows(r) == 0))
        return why_code(why, ERR_NOT_FOUND, "draft.unknown", "no such draft of this agent");
    if (e != OK)
        return e;
    snprintf(ret->id, sizeof(ret->id), "%s", id);
    ret->other = pg_bool(r, 0, 1);
    ret->at = pg_time(r, 0, 2);
    return body_open(m, id, pg_str(r, 0, 0), a, &ret->body, why);
}

enum err
draft_list(struct pg *pg, const struct mairie *m, const char *agent_id, struct arena *a, struct draft **ret,
           size_t *ret_n, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    struct draft *list;
    enum err e;

    pg_arg_uuid(&args, agent_id);
    if ((e = pg_exec(pg, &stmts[S_LIST], &args, &r, why)) != OK)
        return e;
    list = arena_alloc(a, ((size_t)pg_rows(r) + 1) * sizeof(*list));
    for (int i = 0; i < pg_rows(r); i++) {
        pg_uuid(r, i, 0, list[i].id);
        list[i].other = pg_bool(r, i, 2);
        list[i].at = pg_time(r, i, 3);
        if ((e = body_open(m, list[i].id, pg_str(r, i, 1), a, &list[i].body, why)) != OK)
            return e;
    }
    *ret = list;
    *ret_n = (size_t)pg_rows(r);
    return OK;
}

static enum err
touch(struct pg *pg, const struct pg_stmt *stmt, const char *id, const char *agent_id, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, id);
    pg_arg_uuid(&args, agent_id);
    if ((e = pg_exec(pg, stmt, &args, &r, why)) != OK)
        return e;
    return pg_affected(r) == 1 ? OK : why_code(why, ERR_CONFLICT, "draft.gone", "the draft is gone");
}

enum err
draft_other(struct pg *pg, const char *id, const char *agent_id, struct why *why)
{
    return touch(pg, &stmts[S_OTHER], id, agent_id, why);
}

enum err
draft_drop(struct pg *pg, const char *id, const char *agent_id, struct why *why)
{
    return touch(pg, &stmts[S_DROP], id, agent_id, why);
}
