/* agent_store: the tables agent, role_grant and session. */
#include "mairie-connector/town/agent.h"

#include <stdio.h>

#include "base/pg/audit.h"

enum { S_ADD, S_GRANT, S_LIST, S_END, S_END_SESSIONS, S_ID, S_ROLE_NEVER, S_ROLE_END, S_SIGN_OUT, S_SECRET, S_STEP, S_NAME, S_SESSION_FIND, S_SESSION_START, S_SESSION_END, S_SESSION_PURGE };
static const struct pg_stmt stmts[] = {
    [S_ADD] = { "agent.add",
        "INSERT INTO agent (id, login, name, password, totp, created_at) VALUES ($1, $2, $3, $4, $5, $6)", 6 },
    [S_GRANT] = { "agent.grant",
        "INSERT INTO role_grant (agent_id, role, period, proposed_by) VALUES ($1, $2, tstzrange($3, $5), $4)", 5 },
    [S_LIST] = { "agent.list",
        "SELECT a.login, a.name, coalesce(g.role, ''), lower(g.period), upper(g.period), a.ended_at FROM agent a "
        "LEFT JOIN role_grant g ON g.agent_id = a.id AND (upper(g.period) IS NULL OR upper(g.period) > $1) "
        "ORDER BY a.active DESC, a.login, lower(g.period)", 1 },
    [S_END] = { "agent.end",
        "UPDATE agent SET active = false, ended_at = $2 WHERE login = $1 AND active RETURNING id", 2 },
    [S_END_SESSIONS] = { "agent.end_sessions", "UPDATE session SET live = false WHERE agent_id = $1 AND live", 1 },
    [S_ID] = { "agent.id", "SELECT id FROM agent WHERE login = $1 AND active", 1 },
    /* $1 agent (NULL: all), $2 role (NULL: all), $3 when. What had not begun by then was never a role. */
    [S_ROLE_NEVER] = { "role.never",
        "DELETE FROM role_grant WHERE ($1::uuid IS NULL OR agent_id = $1) AND ($2::text IS NULL OR role = $2) "
        "AND lower(period) >= $3", 3 },
    [S_ROLE_END] = { "role.end",
        "UPDATE role_grant SET period = tstzrange(lower(period), $3) WHERE ($1::uuid IS NULL OR agent_id = $1) "
        "AND ($2::text IS NULL OR role = $2) AND lower(period) < $3 AND (upper(period) IS NULL OR upper(period) > $3)", 3 },
    [S_SIGN_OUT] = { "role.sign_out",
        "UPDATE session s SET live = false WHERE s.live AND NOT EXISTS (SELECT FROM role_grant g "
        "WHERE g.agent_id = s.agent_id AND g.period @> $1::timestamptz)", 1 },
    [S_SECRET] = { "agent.secret",
        "SELECT id, password, totp, totp_step FROM agent WHERE login = $1 AND active", 1 },
    [S_STEP] = { "agent.step",
        "UPDATE agent SET totp_step = $2::int8 WHERE id = $1 AND totp_step < $2::int8", 2 },
    [S_NAME] = { "agent.name", "SELECT name FROM agent WHERE id = $1", 1 },
    [S_SESSION_FIND] = { "session.find",
        "WITH s AS (UPDATE session SET idle_until = $3 WHERE token_digest = $1 AND live AND idle_until > $2 "
        "AND abs_until > $2 RETURNING agent_id) "
        "SELECT a.id, a.login, a.name, ARRAY(SELECT g.role FROM role_grant g WHERE g.agent_id = a.id "
        "AND g.period @> $2) FROM s JOIN agent a ON a.id = s.agent_id AND a.active", 3 },
    [S_SESSION_START] = { "session.start",
        "INSERT INTO session (token_digest, agent_id, created_at, idle_until, abs_until) VALUES ($1, $2, $3, $4, $5)", 5 },
    [S_SESSION_END] = { "session.end", "UPDATE session SET live = false WHERE token_digest = $1 AND live", 1 },
    [S_SESSION_PURGE] = { "session.purge", "DELETE FROM session WHERE abs_until < $1", 1 },
};
const struct pg_stmts agent_stmts = PG_STMTS(stmts);

static const struct {
    unsigned bit;
    const char *name;
} roles[] = {
    { ROLE_GUICHET, "guichet" }, { ROLE_VALIDATION, "validation" }, { ROLE_CONTROLEUR, "controleur" },
};

const char *
agent_role_name(unsigned bit)
{
    for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
        if ((roles[i].bit & bit) != 0)
            return roles[i].name;
    }
    return "";
}

static unsigned
role_bit(struct str word)
{
    for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
        if (str_eqs(word, roles[i].name))
            return roles[i].bit;
    }
    return 0;
}

enum err
agent_roles_parse(const char *text, unsigned *ret)
{
    struct str rest = str_of(text);
    unsigned all = 0;

    while (rest.p != NULL) {
        struct str word = str_trim(str_split(rest, ',', &rest));
        unsigned bit = role_bit(word);

        if (bit == 0)
            return ERR_INPUT;
        all |= bit;
    }
    *ret = all;
    return all == 0 ? ERR_INPUT : OK;
}

struct add_arg {
    const struct agent_new *in;
    const char *operator_name;
    utime now;
};

static enum err
add_body(struct pg *pg, void *arg, struct why *why)
{
    const struct add_arg *x = arg;
    struct pg_args args = PG_ARGS_INIT;
    char object[64];
    enum err e;

    pg_arg_uuid(&args, x->in->id);
    pg_arg_text(&args, x->in->login);
    pg_arg_text(&args, x->in->name);
    pg_arg_text(&args, x->in->password_phc);
    pg_arg_buf(&args, x->in->totp);
    pg_arg_time(&args, x->now);
    if ((e = pg_exec(pg, &stmts[S_ADD], &args, NULL, why)) != OK)
        return e == ERR_CONFLICT ? why_code(why, e, "agent.exists", "an agent of this login exists") : e;
    for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
        if ((x->in->roles & roles[i].bit) == 0)
            continue;
        pg_arg_uuid(&args, x->in->id);
        pg_arg_text(&args, roles[i].name);
        pg_arg_time(&args, x->now);
        pg_arg_text(&args, x->operator_name);
        pg_arg_time(&args, UTIME_NULL);
        if ((e = pg_exec(pg, &stmts[S_GRANT], &args, NULL, why)) != OK)
            return e == ERR_CONFLICT ? why_code(why, e, "role.incompatible",
                                                "who controls does not act: these roles do not go together") : e;
    }
    snprintf(object, sizeof(object), "agent:%s", x->in->id);
    return audit_add(pg, &(struct audit_entry){ .at = x->now, .actor = x->operator_name, .role = "systeme",
                                                .verb = "agent.add", .object = object, .result = "ok", .detail = "{}" },
                     why);
}

enum err
agent_add(struct pg *pg, const struct agent_new *in, const char *operator_name, utime now, struct why *why)
{
    struct add_arg x = { in, operator_name, now };

    return pg_tx(pg, add_body, &x, why);
}

enum err
agent_list(struct pg *pg, utime now, struct arena *a, struct agent_line **ret, size_t *ret_n, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    struct agent_line *list;
    enum err e;

    pg_arg_time(&args, now);
    if ((e = pg_exec(pg, &stmts[S_LIST], &args, &r, why)) != OK)
        return e;
    list = arena_alloc(a, ((size_t)pg_rows(r) + 1) * sizeof(*list));
    for (int i = 0; i < pg_rows(r); i++)
        list[i] = (struct agent_line){ arena_strdup(a, pg_text(r, i, 0)), arena_strdup(a, pg_text(r, i, 1)),
                                       arena_strdup(a, pg_text(r, i, 2)), pg_time(r, i, 3), pg_time(r, i, 4),
                                       pg_time(r, i, 5) };
    *ret = list;
    *ret_n = (size_t)pg_rows(r);
    return OK;
}

/* --- the end of agents and roles -------------------------------------------------------------------------------------- */

struct change_arg {
    const struct role_change *in;
    const char *operator_name;
    utime now;
    int64_t n;                     /* roles that end */
};

static enum err
change_audit(struct pg *pg, const struct change_arg *x, const char *verb, const char *agent_id, struct why *why)
{
    char object[64], from[UTIME_RFC3339_LEN + 1] = "", until[UTIME_RFC3339_LEN + 1] = "", detail[160];

    if (agent_id != NULL)
        snprintf(object, sizeof(object), "agent:%s", agent_id);
    else
        snprintf(object, sizeof(object), "counter");
    if (x->in->from != UTIME_NULL)
        utime_rfc3339(x->in->from, from);
    if (x->in->until != UTIME_NULL)
        utime_rfc3339(x->in->until, until);
    snprintf(detail, sizeof(detail), "{\"role\":\"%s\",\"from\":\"%s\",\"until\":\"%s\"}",
             x->in->role == 0 ? "*" : agent_role_name(x->in->role), from, until);
    return audit_add(pg, &(struct audit_entry){ .at = x->now, .actor = x->operator_name, .role = "systeme", .verb = verb,
                                                .object = object, .result = "ok", .detail = detail }, why);
}

/* *ret_id: "" for every agent. */
static enum err
agent_id(struct pg *pg, const char *login, char ret_id[37], struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    ret_id[0] = '\0';
    if (login == NULL)
        return OK;
    pg_arg_text(&args, login);
    if ((e = pg_exec(pg, &stmts[S_ID], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_code(why, ERR_NOT_FOUND, "agent.unknown", "no agent %s works here", login);
    pg_uuid(r, 0, 0, ret_id);
    return OK;
}

/* Roles of an agent (NULL: of all) that would go on after at. */
static enum err
roles_end(struct pg *pg, const char *id, const char *role, utime at, int64_t *ret_n, struct why *why)
{
    const struct pg_stmt *both[] = { &stmts[S_ROLE_NEVER], &stmts[S_ROLE_END] };
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    *ret_n = 0;
    for (size_t i = 0; i < ARRAY_LEN(both); i++) {
        AUTO(pg_result_freep) struct pg_result *r = NULL;

        pg_arg_uuid(&args, id);
        pg_arg_text(&args, role);
        pg_arg_time(&args, at);
        if ((e = pg_exec(pg, both[i], &args, &r, why)) != OK)
            return e;
        *ret_n += pg_affected(r);
    }
    return OK;
}

static enum err
end_body(struct pg *pg, void *arg, struct why *why)
{
    struct change_arg *x = arg;
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    char id[37];
    enum err e;

    pg_arg_text(&args, x->in->login);
    pg_arg_time(&args, x->now);
    if ((e = pg_exec(pg, &stmts[S_END], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_code(why, ERR_NOT_FOUND, "agent.unknown", "no agent %s works here", x->in->login);
    pg_uuid(r, 0, 0, id);
    pg_arg_uuid(&args, id);
    if ((e = pg_exec(pg, &stmts[S_END_SESSIONS], &args, NULL, why)) != OK ||
        (e = roles_end(pg, id, NULL, x->now, &x->n, why)) != OK)
        return e;
    return change_audit(pg, x, "agent.end", id, why);
}

enum err
agent_end(struct pg *pg, const char *login, const char *operator_name, utime now, struct why *why)
{
    const struct role_change in = { .login = login, .from = UTIME_NULL, .until = now };
    struct change_arg x = { .in = &in, .operator_name = operator_name, .now = now };

    return pg_tx(pg, end_body, &x, why);
}

static enum err
grant_body(struct pg *pg, void *arg, struct why *why)
{
    struct change_arg *x = arg;
    struct pg_args args = PG_ARGS_INIT;
    char id[37];
    enum err e;

    if ((e = agent_id(pg, x->in->login, id, why)) != OK)
        return e;
    pg_arg_uuid(&args, id);
    pg_arg_text(&args, agent_role_name(x->in->role));
    pg_arg_time(&args, x->in->from);
    pg_arg_text(&args, x->operator_name);
    pg_arg_time(&args, x->in->until);
    e = pg_exec(pg, &stmts[S_GRANT], &args, NULL, why);
    if (e == ERR_CONFLICT && strcmp(pg_constraint(pg), "role_grant_incompatible") == 0)
        return why_code(why, e, "role.incompatible", "who controls does not act: these roles do not go together");
    if (e == ERR_CONFLICT)
        return why_code(why, e, "role.exists", "%s has this role in that time: end it first", x->in->login);
    return e != OK ? e : change_audit(pg, x, "agent.role_grant", id, why);
}

enum err
role_grant(struct pg *pg, const struct role_change *in, const char *operator_name, utime now, struct why *why)
{
    struct change_arg x = { .in = in, .operator_name = operator_name, .now = now };

    return pg_tx(pg, grant_body, &x, why);
}

static enum err
role_end_body(struct pg *pg, void *arg, struct why *why)
{
    struct change_arg *x = arg;
    struct pg_args args = PG_ARGS_INIT;
    const char *id;
    char text[37];
    enum err e;

    if ((e = agent_id(pg, x->in->login, text, why)) != OK)
        return e;
    id = text[0] != '\0' ? text : NULL;
    e = roles_end(pg, id, x->in->role == 0 ? NULL : agent_role_name(x->in->role), x->in->until, &x->n, why);
    if (e == OK && x->n == 0)
        e = why_code(why, ERR_NOT_FOUND, "role.none", "no such role would go on then");
    if (e != OK)
        return e;
    pg_arg_time(&args, x->now);
    if (x->in->until <= x->now && (e = pg_exec(pg, &stmts[S_SIGN_OUT], &args, NULL, why)) != OK)
        return e;
    return change_audit(pg, x, "agent.role_end", id, why);
}

enum err
role_end(struct pg *pg, const struct role_change *in, const char *operator_name, utime now, int64_t *ret_n,
         struct why *why)
{
    struct change_arg x = { .in = in, .operator_name = operator_name, .now = now };
    enum err e = pg_tx(pg, role_end_body, &x, why);

    *ret_n = x.n;
    return e;
}

/* --- signing in ------------------------------------------------------------------------------------------------------- */

enum err
agent_secret_find(struct pg *pg, const char *login, struct arena *a, struct agent_secret *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    struct str totp;
    enum err e;

    pg_arg_text(&args, login);
    if ((e = pg_exec(pg, &stmts[S_SECRET], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_code(why, ERR_NOT_FOUND, "agent.unknown", "no such agent");
    pg_uuid(r, 0, 0, ret->id);
    ret->password = arena_strdup(a, pg_text(r, 0, 1));
    totp = pg_str(r, 0, 2);
    ret->totp = (struct str){ arena_dup(a, totp.p, totp.n), totp.n };
    ret->totp_step = pg_i64(r, 0, 3);
    return OK;
}

enum err
agent_step_take(struct pg *pg, const char *id, int64_t step, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, id);
    pg_arg_i64(&args, step);
    if ((e = pg_exec(pg, &stmts[S_STEP], &args, &r, why)) != OK)
        return e;
    return pg_affected(r) == 1 ? OK : why_code(why, ERR_DENIED, "totp.used", "this one-time code was used");
}

enum err
agent_name(struct pg *pg, const char *id, struct arena *a, const char **ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, id);
    if ((e = pg_exec(pg, &stmts[S_NAME], &args, &r, why)) != OK)
        return e;
    *ret = pg_rows(r) == 0 ? "" : arena_strdup(a, pg_text(r, 0, 0));
    return OK;
}

/* --- sessions ----------------------------------------------------------------------------------------------------- */

enum err
session_find(struct pg *pg, const unsigned char digest[32], utime now, utime idle_until, struct arena *a,
             struct agent *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_bytes(&args, digest, 32);
    pg_arg_time(&args, now);
    pg_arg_time(&args, idle_until);
    if ((e = pg_exec(pg, &stmts[S_SESSION_FIND], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_code(why, ERR_NOT_FOUND, "session.ended", "no such session");
    pg_uuid(r, 0, 0, ret->id);
    ret->login = arena_strdup(a, pg_text(r, 0, 1));
    ret->name = arena_strdup(a, pg_text(r, 0, 2));
    ret->roles = 0;
    for (size_t i = 0; i < pg_texts_count(r, 0, 3); i++)
        ret->roles |= role_bit(pg_texts_item(r, 0, 3, i));
    return OK;
}

enum err
session_start(struct pg *pg, const unsigned char digest[32], const char *agent_id, utime now, utime idle_until,
              utime abs_until, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_time(&args, now);
    if ((e = pg_exec(pg, &stmts[S_SESSION_PURGE], &args, NULL, why)) != OK)
        return e;
    pg_arg_bytes(&args, digest, 32);
    pg_arg_uuid(&args, agent_id);
    pg_arg_time(&args, now);
    pg_arg_time(&args, idle_until);
    pg_arg_time(&args, abs_until);
    return pg_exec(pg, &stmts[S_SESSION_START], &args, NULL, why);
}

enum err
session_end(struct pg *pg, const unsigned char digest[32], struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_bytes(&args, digest, 32);
    return pg_exec(pg, &stmts[S_SESSION_END], &args, NULL, why);
}
