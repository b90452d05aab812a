/* dossier_store: the tables dossier and identity_check, with the names of their persons opened. */
#include "mairie-connector/town/person.h"

#include <stdio.h>

#define COLUMNS                                                                                               \
    "SELECT d.id, d.handle, d.state, d.state_since, d.final, d.bound, d.contested, d.stale_by, d.lang, d.large, " \
    "d.created_by, d.created_at, d.unopened, d.type, d.number, d.named, p.id, p.birth_name, p.usual_name, "        \
    "p.given_names "                                                                                          \
    "FROM dossier d JOIN person p ON p.id = d.person_id "
enum { C_PERSON = 16 };
#define CANDIDATES_MAX 200

enum { S_FIND, S_BY_HANDLE, S_BY_NUMBER, S_SEARCH, S_WAITING, S_PROPOSED, S_ADD, S_MOVE, S_IDENTITY };
static const struct pg_stmt stmts[] = {
    [S_FIND] = { "dossier.find", COLUMNS "WHERE d.id = $1", 1 },
    [S_BY_HANDLE] = { "dossier.by_handle", COLUMNS "WHERE d.handle = $1", 1 },
    [S_BY_NUMBER] = { "dossier.by_number", COLUMNS "WHERE d.number = $1", 1 },
    [S_SEARCH] = { "dossier.search",
        COLUMNS "WHERE p.tokens @> $1::int8[] AND d.state <> 'erased' ORDER BY d.created_at DESC LIMIT $2::int4", 2 },
    [S_WAITING] = { "dossier.waiting",
        COLUMNS "WHERE d.state IN ('to_validate', 'requested', 'pending') ORDER BY d.state_since DESC LIMIT 50", 0 },
    [S_PROPOSED] = { "dossier.proposed",
        COLUMNS "JOIN proposal q ON q.dossier_id = d.id AND q.state = 'waiting' ORDER BY q.proposed_at LIMIT 50", 0 },
    [S_ADD] = { "dossier.add",
        "INSERT INTO dossier (id, person_id, type, handle, state, state_since, lang, large, created_by, created_at, named) "
        "VALUES ($1, $2, $9, $3, $4, $5, $6, $7::bool, $8, $5, $10::bool)", 10 },
    [S_MOVE] = { "dossier.move",
        "UPDATE dossier SET state = $3, state_since = $4, validated_by = coalesce($5, validated_by) "
        "WHERE id = $1 AND state = $2", 5 },
    [S_IDENTITY] = { "identity.add",
        "INSERT INTO identity_check (dossier_id, act, doc_type, doc_expiry, agent_id, at) "
        "VALUES ($1, $2, $3, nullif($4::text, '')::date, $5, $6) RETURNING id", 6 },
};
const struct pg_stmts dossier_stmts = PG_STMTS(stmts);

static enum err
row_read(const struct mairie *m, const struct pg_result *r, int row, struct arena *a, struct dossier *d,
         struct why *why)
{
    pg_uuid(r, row, 0, d->id);
    d->handle = arena_strdup(a, pg_text(r, row, 1));
    d->state = arena_strdup(a, pg_text(r, row, 2));
    d->state_since = pg_time(r, row, 3);
    d->final = pg_bool(r, row, 4);
    d->bound = pg_bool(r, row, 5);
    d->contested = pg_bool(r, row, 6);
    d->stale_by[0] = '\0';
    if (!pg_is_null(r, row, 7))
        pg_uuid(r, row, 7, d->stale_by);
    d->lang = arena_strdup(a, pg_text(r, row, 8));
    d->large = pg_bool(r, row, 9);
    pg_uuid(r, row, 10, d->created_by);
    d->created_at = pg_time(r, row, 11);
    d->unopened = pg_bool(r, row, 12);
    d->type = dossier_type_of(pg_text(r, row, 13));
    d->number = pg_is_null(r, row, 14) ? NULL : arena_strdup(a, pg_text(r, row, 14));
    d->named = pg_bool(r, row, 15);
    pg_uuid(r, row, C_PERSON, d->person_id);
    return person_open(m, r, row, C_PERSON, a, &d->names, why);
}

static enum err
find_one(struct pg *pg, const struct mairie *m, const struct pg_stmt *stmt, struct pg_args *args, struct arena *a,
         struct dossier *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    enum err e;

    if ((e = pg_exec(pg, stmt, args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_code(why, ERR_NOT_FOUND, "dossier.unknown", "no such dossier");
    return row_read(m, r, 0, a, ret, why);
}

enum err
dossier_find(struct pg *pg, const struct mairie *m, const char *id, struct arena *a, struct dossier *ret,
             struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, id);
    e = find_one(pg, m, &stmts[S_FIND], &args, a, ret, why);
    return e == ERR_INPUT ? ERR_NOT_FOUND : e;
}

enum err
dossier_by_handle(struct pg *pg, const struct mairie *m, const char *handle, struct arena *a, struct dossier *ret,
                  struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_text(&args, handle);
    return find_one(pg, m, &stmts[S_BY_HANDLE], &args, a, ret, why);
}

enum err
dossier_by_number(struct pg *pg, const struct mairie *m, const char *number, struct arena *a, struct dossier *ret,
                  struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_text(&args, number);
    return find_one(pg, m, &stmts[S_BY_NUMBER], &args, a, ret, why);
}

static enum err
list_read(const struct mairie *m, const struct pg_result *r, struct arena *a, struct dossier **ret, size_t *ret_n,
          struct why *why)
{
    size_t n = (size_t)pg_rows(r);
    struct dossier *list = arena_alloc(a, (n + 1) * sizeof(*list));
    enum err e;

    for (size_t i = 0; i < n; i++) {
        if ((e = row_read(m, r, (int)i, a, &list[i], why)) != OK)
            return e;
    }
    *ret = list;
    *ret_n = n;
    return OK;
}

static enum err
candidates(struct pg *pg, const struct mairie *m, const struct person_tokens *t, struct arena *a,
           struct dossier **ret, size_t *ret_n, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_i64s(&args, t->list, t->n);
    pg_arg_i32(&args, CANDIDATES_MAX);
    if ((e = pg_exec(pg, &stmts[S_SEARCH], &args, &r, why)) != OK)
        return e;
    return list_read(m, r, a, ret, ret_n, why);
}

enum err
dossier_search(struct pg *pg, const struct mairie *m, const char *q, size_t limit, struct arena *a,
               struct dossier **ret, size_t *ret_n, bool *ret_more, struct why *why)
{
    const char *folded = person_fold(q, a);
    struct person_tokens t = { .n = 0 };
    struct dossier *all;
    size_t nall, n = 0;
    enum err e;

    *ret_n = 0;
    *ret_more = false;
    if (!person_tokens_of(m, folded, &t))
        return why_set(why, ERR_INTERNAL, "no pepper");
    if (t.n == 0)
        return OK;
    if ((e = candidates(pg, m, &t, a, &all, &nall, why)) != OK)
        return e;
    for (size_t i = 0; i < nall; i++) {
        if (person_has_words(&all[i].names, folded, a))
            all[n++] = all[i];
    }
    *ret = all;
    *ret_n = n < limit ? n : limit;
    *ret_more = n > limit || nall == CANDIDATES_MAX;
    return OK;
}

enum err
dossier_homonyms(struct pg *pg, const struct mairie *m, const struct person_names *names, struct arena *a,
                 struct dossier **ret, size_t *ret_n, struct why *why)
{
    const char *surnames[2] = { person_fold(names->birth, a), person_fold(names->usual, a) };
    struct dossier *found = arena_alloc(a, (2 * CANDIDATES_MAX + 1) * sizeof(*found)), *all;
    size_t n = 0, nall;
    enum err e;

    for (int i = 0; i < 2; i++) {
        struct person_tokens t = { .n = 0 };

        if (surnames[i][0] == '\0')
            continue;
        if (!person_tokens_of(m, surnames[i], &t))
            return why_set(why, ERR_INTERNAL, "no pepper");
        if ((e = candidates(pg, m, &t, a, &all, &nall, why)) != OK)
            return e;
        for (size_t k = 0; k < nall; k++) {
            bool there = strcmp(all[k].state, "cancelled") == 0 || !person_alike(&all[k].names, names, a);

            for (size_t j = 0; j < n && !there; j++)
                there = strcmp(found[j].id, all[k].id) == 0;
            if (!there)
                found[n++] = all[k];
        }
    }
    *ret = found;
    *ret_n = n;
    return OK;
}

enum err
dossier_waiting(struct pg *pg, const struct mairie *m, struct arena *a, struct dossier **ret, size_t *ret_n,
                struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    enum err e;

    if ((e = pg_exec(pg, &stmts[S_WAITING], NULL, &r, why)) != OK)
        return e;
    return list_read(m, r, a, ret, ret_n, why);
}

enum err
dossier_proposed(struct pg *pg, const struct mairie *m, struct arena *a, struct dossier **ret, size_t *ret_n,
                 struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    enum err e;

    if ((e = pg_exec(pg, &stmts[S_PROPOSED], NULL, &r, why)) != OK)
        return e;
    return list_read(m, r, a, ret, ret_n, why);
}

enum err
dossier_add(struct pg *pg, const struct dossier_new *in, utime now, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, in->id);
    pg_arg_uuid(&args, in->person_id);
    pg_arg_text(&args, in->handle);
    pg_arg_text(&args, in->state);
    pg_arg_time(&args, now);
    pg_arg_text(&args, in->lang);
    pg_arg_bool(&args, in->large);
    pg_arg_uuid(&args, in->agent_id);
    pg_arg_text(&args, dossier_type_name(in->type));
    pg_arg_bool(&args, in->named);
    return pg_exec(pg, &stmts[S_ADD], &args, NULL, why);
}

enum err
dossier_move(struct pg *pg, const char *id, const char *from, const char *to, const char *validated_by, utime now,
             struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, id);
    pg_arg_text(&args, from);
    pg_arg_text(&args, to);
    pg_arg_time(&args, now);
    pg_arg_uuid(&args, validated_by);
    if ((e = pg_exec(pg, &stmts[S_MOVE], &args, &r, why)) != OK)
        return e;
    return pg_affected(r) == 1 ? OK : why_code(why, ERR_CONFLICT, "dossier.state", "the dossier is not %s any more", from);
}

enum err
identity_add(struct pg *pg, const char *dossier_id, const char *act, const char *doc_type, const char *doc_expiry,
             const char *agent_id, utime now, int64_t *ret_id, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, dossier_id);
    pg_arg_text(&args, act);
    pg_arg_text(&args, doc_type);
    pg_arg_text(&args, doc_expiry);
    pg_arg_uuid(&args, agent_id);
    pg_arg_time(&args, now);
    if ((e = pg_exec(pg, &stmts[S_IDENTITY], &args, &r, why)) == OK && ret_id != NULL)
        *ret_id = pg_i64(r, 0, 0);
    return e;
}
