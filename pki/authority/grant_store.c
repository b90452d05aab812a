/*
 * grant_store: the table role_grant. A proposal and its approval are transactions: the yes of a person, the check of all
 * that was said, the change and its audit row stand or fall together.
 */
#include <stdio.h>

#include "base/core/enc.h"
#include "base/pg/audit.h"
#include "pki/authority/person.h"

enum { S_ADD, S_FIND, S_LIST, S_APPROVE, S_WITHDRAW };
#define COLUMNS                                                                                                        \
    "SELECT g.id, g.person_id, p.name, p.public_key, g.role, lower(g.period), upper(g.period), "                       \
    "g.approved_by IS NOT NULL OR g.ceremony_id IS NOT NULL, g.withdrawn_at IS NOT NULL, g.proposed_by "               \
    "FROM role_grant g JOIN person p ON p.id = g.person_id "
static const struct pg_stmt stmts[] = {
    [S_ADD] = { "grant.add",
        "INSERT INTO role_grant (id, person_id, role, period, ceremony_id, proposed_by) "
        "VALUES ($1, $2, $3, tstzrange($4, $5), $6, $7)", 7 },
    [S_FIND] = { "grant.find", COLUMNS "WHERE g.id = $1", 1 },
    [S_LIST] = { "grant.list", COLUMNS "WHERE g.person_id = $1 OR $1 IS NULL ORDER BY lower(g.period) DESC, p.name, g.role", 1 },
    [S_APPROVE] = { "grant.approve",
        "UPDATE role_grant SET approved_by = $2, approved_at = $3 WHERE id = $1 AND approved_by IS NULL "
        "AND withdrawn_at IS NULL AND proposed_by <> $2 AND person_id <> $2 AND ceremony_id IS NULL", 3 },
    [S_WITHDRAW] = { "grant.withdraw",
        "WITH w AS (UPDATE role_grant SET withdrawn_at = $2 WHERE id = $1 AND withdrawn_at IS NULL RETURNING id) "
        "SELECT w.id, audit_add($2, $3, 'security', 'role.withdraw', 'grant:' || w.id, 'ok', '{}') FROM w", 3 },
};
const struct pg_stmts grant_stmts = PG_STMTS(stmts);

void
grant_subject(const struct grant *g, unsigned char ret[SHA256_LEN])
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(2048), hex = BUF_BOUNDED(2 * SHA256_LEN);
    char from[UTIME_RFC3339_LEN + 1], until[UTIME_RFC3339_LEN + 1];
    unsigned char key[SHA256_LEN];

    sha256(g->public_key, key);
    hex_encode(&hex, key, sizeof(key));
    utime_rfc3339(g->from, from);
    utime_rfc3339(g->until, until);
    approval_line(&text, "grant", g->id);
    approval_line(&text, "person", g->name);
    approval_line(&text, "key", buf_cstr(&hex));
    approval_line(&text, "role", role_name(g->role));
    approval_line(&text, "from", from);
    approval_line(&text, "until", until);
    CHECK(buf_ok(&text));
    sha256(buf_view(&text), ret);
}

static enum err
period_check(const struct grant *g, struct why *why)
{
    if (g->from % USEC_PER_SEC != 0 || g->until % USEC_PER_SEC != 0 || g->until <= g->from ||
        g->until - g->from > GRANT_LIFE_MAX)
        return why_set(why, ERR_INPUT, "a role is for a time in whole seconds, two years at most");
    return OK;
}

static enum err
audit(struct pg *pg, const struct grant *g, const char *verb, const char *actor, utime now, struct why *why)
{
    char object[64], detail[128];

    snprintf(object, sizeof(object), "grant:%s", g->id);
    snprintf(detail, sizeof(detail), "{\"person\":\"%s\",\"role\":\"%s\"}", g->person, role_name(g->role));
    return audit_add(pg, &(struct audit_entry){ .at = now, .actor = actor, .role = "security", .verb = verb,
                                                .object = object, .result = "ok", .detail = detail }, why);
}

static enum err
row_add(struct pg *pg, const struct grant *g, const char *ceremony_id, const char *proposer, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, g->id);
    pg_arg_uuid(&args, g->person);
    pg_arg_text(&args, role_name(g->role));
    pg_arg_time(&args, g->from);
    pg_arg_time(&args, g->until);
    pg_arg_uuid(&args, ceremony_id);
    pg_arg_uuid(&args, proposer);
    if ((e = pg_exec(pg, &stmts[S_ADD], &args, NULL, why)) != ERR_CONFLICT)
        return e;
    if (strcmp(pg_constraint(pg), "role_conflict") == 0)
        return why_code(why, e, "role.incompatible", "%s does not go together with another role of this person",
                        role_name(g->role));
    return why_code(why, e, "role.person", "the grant does not fit: the person has ended, proposes for themself, or it exists");
}

/* --- two who grant -------------------------------------------------------------------------------------------- */

struct grant_arg {
    const struct grant *g;
    const char *id;
    const struct signed_yes *yes;
    const char *actor;
    utime now;
};

static bool
is_id(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static enum err
propose_body(struct pg *pg, void *arg, struct why *why)
{
    const struct grant_arg *x = arg;
    unsigned char subject[SHA256_LEN];
    bool enough;
    enum err e;

    grant_subject(x->g, subject);
    if ((e = row_add(pg, x->g, NULL, x->yes->person, why)) != OK ||
        (e = approval_say(pg, APPROVE_ROLE_GRANT, subject, x->g->person, x->yes, x->now, &enough, why)) != OK)
        return e;
    return audit(pg, x->g, "role.propose", x->actor, x->now, why);
}

enum err
grant_propose(struct pg *pg, const struct grant *g, const struct signed_yes *yes, const char *actor, utime now,
              struct why *why)
{
    struct grant_arg x = { g, g->id, yes, actor, now };
    enum err e;

    if ((e = period_check(g, why)) != OK)
        return e;
    if (is_id(g->person, yes->person))
        return why_code(why, ERR_DENIED, "approval.self", "nobody proposes a role for themself");
    return pg_tx(pg, propose_body, &x, why);
}

static enum err
approve_body(struct pg *pg, void *arg, struct why *why)
{
    AUTO(arena_freep) struct arena *a = arena_new(1 << 16);
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    const struct grant_arg *x = arg;
    struct pg_args args = PG_ARGS_INIT;
    unsigned char subject[SHA256_LEN];
    struct grant g;
    enum err e;

    if ((e = grant_find(pg, x->id, a, &g, why)) != OK)
        return e;
    grant_subject(&g, subject);
    if (is_id(g.person, x->yes->person))
        return why_code(why, ERR_DENIED, "approval.self", "nobody approves a role for themself");
    if ((e = approval_add(pg, APPROVE_ROLE_GRANT, subject, x->yes, why)) != OK ||
        (e = approval_check(pg, APPROVE_ROLE_GRANT, subject, g.person, x->now, why)) != OK)
        return e;
    pg_arg_uuid(&args, x->id);
    pg_arg_uuid(&args, x->yes->person);
    pg_arg_time(&args, x->now);
    if ((e = pg_exec(pg, &stmts[S_APPROVE], &args, &r, why)) != OK)
        return e;
    if (pg_affected(r) == 0)
        return why_code(why, ERR_CONFLICT, "role.settled", "approved or withdrawn already");
    return audit(pg, &g, "role.approve", x->actor, x->now, why);
}

enum err
grant_approve(struct pg *pg, const char *id, const struct signed_yes *yes, const char *actor, utime now, struct why *why)
{
    struct grant_arg x = { NULL, id, yes, actor, now };

    return pg_tx(pg, approve_body, &x, why);
}

enum err
grant_by_ceremony(struct pg *pg, const struct grant *g, const char *ceremony_id, const char *actor, utime now,
                  struct why *why)
{
    enum err e;

    if ((e = period_check(g, why)) != OK || (e = row_add(pg, g, ceremony_id, NULL, why)) != OK)
        return e;
    return audit(pg, g, "role.ceremony", actor, now, why);
}

enum err
grant_withdraw(struct pg *pg, const char *id, const char *actor, utime now, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, id);
    pg_arg_time(&args, now);
    pg_arg_text(&args, actor);
    if ((e = pg_exec(pg, &stmts[S_WITHDRAW], &args, &r, why)) != OK)
        return e;
    return pg_rows(r) > 0 ? OK : why_set(why, ERR_CONFLICT, "no such grant, or withdrawn already");
}

/* --- reading ----------------------------------------------------------------------------------------------------- */

static enum err
row_read(const struct pg_result *r, int row, struct arena *a, struct grant *ret, struct why *why)
{
    const struct str key = pg_str(r, row, 3);

    pg_uuid(r, row, 0, ret->id);
    pg_uuid(r, row, 1, ret->person);
    ret->name = arena_strdup(a, pg_text(r, row, 2));
    ret->public_key = (struct str){ arena_dup(a, key.p, key.n), key.n };
    if (role_parse(pg_str(r, row, 4), &ret->role) != OK)
        return why_set(why, ERR_INTERNAL, "a role in the database that this program does not know");
    ret->from = pg_time(r, row, 5);
    ret->until = pg_time(r, row, 6);
    ret->approved = pg_bool(r, row, 7);
    ret->withdrawn = pg_bool(r, row, 8);
    pg_uuid(r, row, 9, ret->proposer);
    return OK;
}

enum err
grant_find(struct pg *pg, const char *id, struct arena *a, struct grant *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, id);
    if ((e = pg_exec(pg, &stmts[S_FIND], &args, &r, why)) != OK)
        return e;
    return pg_rows(r) == 0 ? why_set(why, ERR_NOT_FOUND, "no such grant") : row_read(r, 0, a, ret, why);
}

enum err
grant_list(struct pg *pg, const char *person_id, struct arena *a, struct grant **ret, size_t *ret_n, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    struct grant *list;
    enum err e;

    pg_arg_uuid(&args, person_id);
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
