/* agent_store: the tables agent, role_grant and session. */
#include "mairie-connector/town/agent.h"

#include <stdio.h>

#include "base/pg/audit.h"

enum { S_ADD, S_GRANT, S_SECRET, S_STEP, S_NAME, S_SESSION_FIND, S_SESSION_START, S_SESSION_END, S_SESSION_PURGE };
static const struct pg_stmt stmts[] = {
    [S_ADD] = { "agent.add",
        "INSERT INTO agent (id, login, name, password, totp, created_at) VALUES ($1, $2, $3, $4, $5, $6)", 6 },
    [S_GRANT] = { "agent.grant",
        "INSERT INTO role_grant (agent_id, role, period, proposed_by) VALUES ($1, $2, tstzrange($3, NULL), $4)", 4 },
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
