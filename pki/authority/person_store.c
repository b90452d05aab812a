/* person_store: the table person, with the roles that its rows hold. */
#include <stdio.h>

#include "base/pg/audit.h"
#include "pki/authority/person.h"

enum { S_ADD, S_FIND, S_LIST, S_END };
#define COLUMNS                                                                                                      \
    "SELECT p.id, p.name, p.label, p.public_key, p.state = 'active', ARRAY(SELECT DISTINCT l.role FROM role_live l " \
    "WHERE l.person_id = p.id AND p.state = 'active' AND l.since <= $1 AND l.until > $1) FROM person p "
static const struct pg_stmt stmts[] = {
    [S_ADD] = { "person.add",
        "INSERT INTO person (id, name, label, public_key, added_at) VALUES ($1, $2, $3, $4, $5)", 5 },
    [S_FIND] = { "person.find", COLUMNS "WHERE p.name = $2", 2 },
    [S_LIST] = { "person.list", COLUMNS "ORDER BY p.name", 1 },
    [S_END] = { "person.end",
        "WITH e AS (UPDATE person SET state = 'ended', ended_at = $2 WHERE name = $1 AND state = 'active' RETURNING id) "
        "SELECT e.id, audit_add($2, $3, 'security', 'person.end', 'person:' || e.id, 'ok', '{}') FROM e", 3 },
};
const struct pg_stmts pki_person_stmts = PG_STMTS(stmts);

enum err
roles_of_column(const struct pg_result *r, int row, int col, role_set *ret, struct why *why)
{
    role_set roles = 0;

    for (size_t i = 0; i < pg_texts_count(r, row, col); i++) {
        enum role role;

        if (role_parse(pg_texts_item(r, row, col, i), &role) != OK)
            return why_set(why, ERR_INTERNAL, "a role in the database that this program does not know");
        roles |= ROLE_BIT(role);
    }
    *ret = roles;
    return OK;
}

struct add_arg {
    const char *id, *name, *label, *actor;
    struct str public_key;
    utime now;
};

static enum err
add_body(struct pg *pg, void *arg, struct why *why)
{
    const struct add_arg *x = arg;
    struct pg_args args = PG_ARGS_INIT;
    char object[64];
    enum err e;

    pg_arg_uuid(&args, x->id);
    pg_arg_text(&args, x->name);
    pg_arg_text(&args, x->label);
    pg_arg_bytes(&args, x->public_key.p, x->public_key.n);
    pg_arg_time(&args, x->now);
    if ((e = pg_exec(pg, &stmts[S_ADD], &args, NULL, why)) != OK)
        return e == ERR_CONFLICT ? why_code(why, e, "person.exists", "a person of this name, or with this key, exists, or the "
                                            "name is not one") : e;
    snprintf(object, sizeof(object), "person:%s", x->id);
    return audit_add(pg, &(struct audit_entry){ .at = x->now, .actor = x->actor, .role = "security", .verb = "person.add",
                                                .object = object, .result = "ok", .detail = "{}" }, why);
}

enum err
pki_person_add(struct pg *pg, const char *id, const char *name, const char *label, struct str public_key, const char *actor,
           utime now, struct why *why)
{
    struct add_arg x = { id, name, label, actor, public_key, now };

    if (!person_name_ok(str_of(name)))
        return why_set(why, ERR_INPUT, "not a person's short name");
    return pg_tx(pg, add_body, &x, why);
}

static enum err
row_read(const struct pg_result *r, int row, struct arena *a, struct pki_person *ret, struct why *why)
{
    const struct str key = pg_str(r, row, 3);

    pg_uuid(r, row, 0, ret->id);
    ret->name = arena_strdup(a, pg_text(r, row, 1));
    ret->label = arena_strdup(a, pg_text(r, row, 2));
    ret->public_key = (struct str){ arena_dup(a, key.p, key.n), key.n };
    ret->active = pg_bool(r, row, 4);
    return roles_of_column(r, row, 5, &ret->roles, why);
}

enum err
pki_person_find(struct pg *pg, const char *name, utime at, struct arena *a, struct pki_person *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_time(&args, at);
    pg_arg_text(&args, name);
    if ((e = pg_exec(pg, &stmts[S_FIND], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_set(why, ERR_NOT_FOUND, "no person of that name");
    return row_read(r, 0, a, ret, why);
}

enum err
pki_person_list(struct pg *pg, utime at, struct arena *a, struct pki_person **ret, size_t *ret_n, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    struct pki_person *list;
    enum err e;

    pg_arg_time(&args, at);
    if ((e = pg_exec(pg, &stmts[S_LIST], &args, &r, why)) != OK)
        return e;
    list = arena_alloc(a, ((size_t)pg_rows(r) + 1) * sizeof(*list));
    for (int i = 0; i < pg_rows(r); i++)
        if ((e = row_read(r, i, a, &list[i], why)) != OK)
            return e;
    *ret = list;
    *ret_n = (size_t)pg_rows(r);
    return OK;
}

enum err
pki_person_end(struct pg *pg, const char *name, const char *actor, utime now, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_text(&args, name);
    pg_arg_time(&args, now);
    pg_arg_text(&args, actor);
    if ((e = pg_exec(pg, &stmts[S_END], &args, &r, why)) != OK)
        return e;
    return pg_rows(r) > 0 ? OK : why_set(why, ERR_CONFLICT, "no active person of that name");
}
