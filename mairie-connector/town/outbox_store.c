/* outbox_store: the table outbox, and what an answer of the IdP changes in dossier. */
#include "mairie-connector/town/outbox_store.h"

#include <stdio.h>

#include "base/core/rand.h"

/* The process that wrote a request sends it at once; the outbox process comes after it. */
#define HEAD_START (2 * USEC_PER_SEC)
#define DONE_KEPT (30 * USEC_PER_DAY)

static const char *const kind_names[] = { "create", "reissue", "block", "block_second", "authz", "close", "reopen",
                                          "hand_over", "reactivate" };

enum { S_ADD, S_TAKE, S_ANSWERED, S_DONE, S_DEAD, S_LATER, S_LOOK, S_BUSY, S_HEAR, S_NUMBER, S_STALE, S_CURSOR, S_CURSOR_PUT,
       S_PURGE, S_PURGE_THROTTLE, S_CANCEL, S_TOLD, S_TOLD_PUT };
static const struct pg_stmt stmts[] = {
    [S_ADD] = { "outbox.add",
        "INSERT INTO outbox (key, dossier_id, kind, payload, agent_id, created_at, next_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7)", 7 },
    [S_TAKE] = { "outbox.take",
        "UPDATE outbox o SET lease = $3, next_at = $4, tries = o.tries + 1 FROM dossier d WHERE o.key = "
        "(SELECT w.key FROM outbox w WHERE w.state IN ('due', 'answered') AND "
        "CASE WHEN $2::text IS NULL THEN w.next_at <= $1 ELSE w.key = $2 AND w.tries = 0 END AND NOT EXISTS (SELECT FROM outbox p WHERE p.dossier_id = w.dossier_id "
        "AND p.state IN ('due', 'answered') AND (p.created_at, p.key) < (w.created_at, w.key)) "
        "ORDER BY w.next_at LIMIT 1 FOR UPDATE SKIP LOCKED) AND d.id = o.dossier_id "
        "RETURNING o.key, o.dossier_id, o.kind, o.payload, o.agent_id, o.state, o.tries, d.handle, d.type", 4 },
    [S_ANSWERED] = { "outbox.answered",
        "UPDATE outbox SET state = 'answered' WHERE key = $1 AND lease = $2 AND state = 'due'", 2 },
    [S_DONE] = { "outbox.done",
        "UPDATE outbox SET state = 'done', payload = '', lease = NULL, ended_at = $3, reason = '' WHERE key = $1 AND lease = $2 "
        "AND state IN ('due', 'answered')", 3 },
    [S_DEAD] = { "outbox.dead",
        "UPDATE outbox SET state = 'dead', payload = '', lease = NULL, ended_at = $3, reason = $4 WHERE key = $1 AND lease = $2 "
        "AND state IN ('due', 'answered')", 4 },
    [S_LATER] = { "outbox.later",
        "UPDATE outbox SET lease = NULL, next_at = $3, reason = $4 WHERE key = $1 AND lease = $2", 4 },
    [S_LOOK] = { "outbox.look",
        "SELECT count(*) FILTER (WHERE state IN ('due', 'answered')), min(created_at) FILTER (WHERE state IN "
        "('due', 'answered')), count(*) FILTER (WHERE state = 'dead' AND kind <> 'block') FROM outbox WHERE state IN ('due', 'answered', 'dead')", 0 },
    [S_BUSY] = { "outbox.busy",
        "SELECT EXISTS (SELECT FROM outbox WHERE dossier_id = $1 AND state IN ('due', 'answered'))", 1 },
    [S_HEAR] = { "dossier.hear",
        "UPDATE dossier SET state = $2, state_since = CASE WHEN state = $2 AND NOT $7::bool THEN state_since ELSE $3 END, "
        "final = CASE WHEN $2 IN ('pending', 'active') THEN false ELSE final OR $4::bool END, "
        "bound = CASE WHEN $2 = 'pending' AND NOT $7::bool THEN bound OR $5::bool ELSE false END, "
        "contested = CASE WHEN $2 = 'pending' AND NOT $7::bool THEN contested OR $6::bool ELSE false END, "
        "unopened = CASE WHEN $2 = 'closed' THEN unopened OR ($8::bool AND state IN ('requested', 'pending')) ELSE false END "
        "WHERE handle = $1 AND (state_since <= $3 OR state = 'requested') AND state NOT IN ('to_validate', 'cancelled') "
        "AND (state <> $2 OR $7::bool OR ($4::bool AND NOT final) OR ($5::bool AND NOT bound) "
        "OR ($6::bool AND NOT contested))", 8 },
    [S_NUMBER] = { "dossier.number", "UPDATE dossier SET number = $2 WHERE id = $1 AND number IS DISTINCT FROM $2", 2 },
    [S_STALE] = { "dossier.stale", "UPDATE dossier SET stale_by = $2 WHERE id = $1", 2 },
    [S_CURSOR] = { "cursor.get", "SELECT cursor FROM change_cursor", 0 },
    [S_CURSOR_PUT] = { "cursor.put",
        "INSERT INTO change_cursor (cursor, at) VALUES ($1, $2) ON CONFLICT (one) DO UPDATE SET cursor = $1, at = $2", 2 },
    [S_PURGE] = { "outbox.purge", "DELETE FROM outbox WHERE state IN ('done', 'cancelled') AND ended_at < $1", 1 },
    [S_CANCEL] = { "outbox.cancel_create",
        "UPDATE outbox SET state = 'cancelled', payload = '', lease = NULL, ended_at = $2, reason = 'cancelled' "
        "WHERE dossier_id = $1 AND kind = 'create' AND (state = 'dead' OR (state = 'due' AND (lease IS NULL OR next_at <= $2)))", 2 },
    [S_TOLD] = { "labels_told.get", "SELECT digest FROM labels_told", 0 },
    [S_TOLD_PUT] = { "labels_told.put",
        "INSERT INTO labels_told (digest, at) VALUES ($1, $2) ON CONFLICT (one) DO UPDATE SET digest = $1, at = $2", 2 },
    [S_PURGE_THROTTLE] = { "throttle.purge", "DELETE FROM throttle WHERE at < $1", 1 },
};
const struct pg_stmts outbox_stmts = PG_STMTS(stmts);

void
outbox_key(char out[OUTBOX_KEY_SIZE])
{
    rand_token(32, out, OUTBOX_KEY_SIZE);
}

enum err
outbox_add(struct pg *pg, const struct mairie *m, const char *key, const char *dossier_id, enum outbox_kind kind,
           struct str body, const char *agent_id, utime now, struct why *why)
{
    AUTO(buf_free) struct buf sealed = BUF_BOUNDED(32 * 1024);
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    if ((e = column_seal(m->field, "outbox.payload", key, body, &sealed)) != OK)
        return why_set(why, e, "the request cannot be sealed");
    pg_arg_text(&args, key);
    pg_arg_uuid(&args, dossier_id);
    pg_arg_text(&args, kind_names[kind]);
    pg_arg_buf(&args, &sealed);
    pg_arg_uuid(&args, agent_id);
    pg_arg_time(&args, now);
    pg_arg_time(&args, now + HEAD_START);
    return pg_exec(pg, &stmts[S_ADD], &args, NULL, why);
}

enum err
outbox_take(struct pg *pg, const char *key, utime now, utime until, struct arena *a, struct outbox_row *ret,
            struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    struct str payload;
    enum err e;

    rand_uuid(ret->lease);
    pg_arg_time(&args, now);
    pg_arg_text(&args, key);
    pg_arg_uuid(&args, ret->lease);
    pg_arg_time(&args, until);
    if ((e = pg_exec(pg, &stmts[S_TAKE], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return ERR_NOT_FOUND;
    ret->key = arena_strdup(a, pg_text(r, 0, 0));
    pg_uuid(r, 0, 1, ret->dossier_id);
    for (size_t i = 0; i < ARRAY_LEN(kind_names); i++) {
        if (strcmp(pg_text(r, 0, 2), kind_names[i]) == 0)
            ret->kind = (enum outbox_kind)i;
    }
    payload = pg_str(r, 0, 3);
    ret->payload = (struct str){ arena_dup(a, payload.p, payload.n), payload.n };
    pg_uuid(r, 0, 4, ret->agent_id);
    ret->state = arena_strdup(a, pg_text(r, 0, 5));
    ret->tries = (int)pg_i64(r, 0, 6);
    ret->handle = arena_strdup(a, pg_text(r, 0, 7));
    ret->type = dossier_type_of(pg_text(r, 0, 8));
    return OK;
}

static enum err
leased(struct pg *pg, const struct pg_stmt *stmt, struct pg_args *args, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    enum err e;

    if ((e = pg_exec(pg, stmt, args, &r, why)) != OK)
        return e;
    return pg_affected(r) == 1 ? OK : why_code(why, ERR_CONFLICT, "outbox.lease", "somebody else has the request by now");
}

enum err
outbox_set_answered(struct pg *pg, const struct outbox_row *row, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_text(&args, row->key);
    pg_arg_uuid(&args, row->lease);
    return leased(pg, &stmts[S_ANSWERED], &args, why);
}

enum err
outbox_set_done(struct pg *pg, const struct outbox_row *row, utime now, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_text(&args, row->key);
    pg_arg_uuid(&args, row->lease);
    pg_arg_time(&args, now);
    return leased(pg, &stmts[S_DONE], &args, why);
}

enum err
outbox_set_dead(struct pg *pg, const struct outbox_row *row, const char *reason, utime now, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_text(&args, row->key);
    pg_arg_uuid(&args, row->lease);
    pg_arg_time(&args, now);
    pg_arg_text(&args, reason);
    return leased(pg, &stmts[S_DEAD], &args, why);
}

enum err
outbox_set_later(struct pg *pg, const struct outbox_row *row, utime next, const char *reason, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_text(&args, row->key);
    pg_arg_uuid(&args, row->lease);
    pg_arg_time(&args, next);
    pg_arg_text(&args, reason);
    return leased(pg, &stmts[S_LATER], &args, why);
}

enum err
outbox_look(struct pg *pg, struct outbox_state *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    enum err e;

    if ((e = pg_exec(pg, &stmts[S_LOOK], NULL, &r, why)) != OK)
        return e;
    ret->waiting = pg_i64(r, 0, 0);
    ret->oldest = pg_time(r, 0, 1);
    ret->dead = pg_i64(r, 0, 2);
    return OK;
}

enum err
outbox_busy(struct pg *pg, const char *dossier_id, bool *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, dossier_id);
    if ((e = pg_exec(pg, &stmts[S_BUSY], &args, &r, why)) != OK)
        return e;
    *ret = pg_bool(r, 0, 0);
    return OK;
}

/* --- what the IdP says ------------------------------------------------------------------------------------------------ */

enum err
dossier_hear(struct pg *pg, const struct dossier_news *news, bool *ret_changed, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_text(&args, news->handle);
    pg_arg_text(&args, news->state);
    pg_arg_time(&args, news->at);
    pg_arg_bool(&args, news->final);
    pg_arg_bool(&args, news->bound);
    pg_arg_bool(&args, news->contested);
    pg_arg_bool(&args, news->fresh);
    pg_arg_bool(&args, news->block);
    if ((e = pg_exec(pg, &stmts[S_HEAR], &args, &r, why)) != OK)
        return e;
    *ret_changed = pg_affected(r) > 0;
    return OK;
}

enum err
dossier_number(struct pg *pg, const char *dossier_id, const char *number, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, dossier_id);
    pg_arg_text(&args, number);
    return pg_exec(pg, &stmts[S_NUMBER], &args, NULL, why);
}

enum err
dossier_stale(struct pg *pg, const char *dossier_id, const char *agent_id, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, dossier_id);
    pg_arg_uuid(&args, agent_id);
    return pg_exec(pg, &stmts[S_STALE], &args, NULL, why);
}

enum err
outbox_cancel_create(struct pg *pg, const char *dossier_id, utime now, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, dossier_id);
    pg_arg_time(&args, now);
    if ((e = pg_exec(pg, &stmts[S_CANCEL], &args, &r, why)) != OK)
        return e;
    return pg_affected(r) == 1 ? OK : why_code(why, ERR_CONFLICT, "outbox.busy", "the request is on its way, or answered");
}

enum err
labels_told_get(struct pg *pg, unsigned char ret[32], struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct str digest;
    enum err e;

    if ((e = pg_exec(pg, &stmts[S_TOLD], NULL, &r, why)) != OK)
        return e;
    memset(ret, 0, 32);
    if (pg_rows(r) == 0)
        return OK;
    digest = pg_str(r, 0, 0);
    CHECK(digest.n == 32);
    memcpy(ret, digest.p, 32);
    return OK;
}

enum err
labels_told_put(struct pg *pg, const unsigned char digest[32], utime now, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_bytes(&args, digest, 32);
    pg_arg_time(&args, now);
    return pg_exec(pg, &stmts[S_TOLD_PUT], &args, NULL, why);
}

enum err
cursor_get(struct pg *pg, struct arena *a, const char **ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    enum err e;

    if ((e = pg_exec(pg, &stmts[S_CURSOR], NULL, &r, why)) != OK)
        return e;
    *ret = pg_rows(r) == 0 ? "" : arena_strdup(a, pg_text(r, 0, 0));
    return OK;
}

enum err
cursor_put(struct pg *pg, const char *cursor, utime now, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_text(&args, cursor);
    pg_arg_time(&args, now);
    return pg_exec(pg, &stmts[S_CURSOR_PUT], &args, NULL, why);
}

enum err
outbox_purge(struct pg *pg, utime now, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_time(&args, now - DONE_KEPT);
    if ((e = pg_exec(pg, &stmts[S_PURGE], &args, NULL, why)) != OK)
        return e;
    pg_arg_time(&args, now - USEC_PER_DAY);
    if ((e = pg_exec(pg, &stmts[S_PURGE_THROTTLE], &args, NULL, why)) != OK)
        return e;
    return address_purge(pg, now, why);
}
