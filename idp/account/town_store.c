/* town_store: the tables town and town_certificate. */
#include "idp/account/town.h"

#include <stdio.h>

#include "base/core/rand.h"
#include "base/pg/audit.h"

#define TOWN_COLUMNS                                                                                         \
    "t.id, t.name, t.label_fr, t.label_en, t.phone, t.theme, t.seal_key, t.state, "                             \
    "(extract(epoch FROM t.creation_life) * 1000000)::int8, t.sheet_number, "                                \
    "t.types, (extract(epoch FROM t.hold_max) * 1000000)::int8"
enum { S_BY_CERT, S_BY_ID, S_PUT, S_CERT, S_STATE, S_POLICY };
static const struct pg_stmt stmts[] = {
    [S_BY_CERT] = { "town.by_certificate",
        "SELECT " TOWN_COLUMNS " FROM town_certificate c JOIN town t ON t.id = c.town_id "
        "WHERE c.sha256 = $1 AND c.removed_at IS NULL AND c.not_after > $2", 2 },
    [S_BY_ID] = { "town.by_id", "SELECT " TOWN_COLUMNS " FROM town t WHERE t.id = $1", 1 },
    [S_PUT] = { "town.put",
        "INSERT INTO town (id, name, label_fr, label_en, phone, theme, seal_key, state, creation_life, sheet_number, "
        "created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 'active', make_interval(secs => $8::int8 / 1000000.0), $9, "
        "$10) ON CONFLICT (name) DO UPDATE SET label_fr = excluded.label_fr, label_en = excluded.label_en, "
        "phone = excluded.phone, theme = excluded.theme, seal_key = excluded.seal_key, "
        "creation_life = excluded.creation_life, sheet_number = excluded.sheet_number RETURNING id", 10 },
    [S_CERT] = { "town.certificate",
        "INSERT INTO town_certificate (sha256, town_id, not_after, added_at) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (sha256) DO NOTHING", 4 },
    [S_POLICY] = { "town.policy",
        "UPDATE town SET types = coalesce($2, types), "
        "hold_max = coalesce(make_interval(secs => $3::int8 / 1000000.0), hold_max) WHERE name = $1", 3 },
    [S_STATE] = { "town.state", "UPDATE town SET state = $2 WHERE name = $1", 2 },
};
const struct pg_stmts town_stmts = PG_STMTS(stmts);

static enum town_sheet
sheet_read(const char *text)
{
    return strcmp(text, "always") == 0 ? TOWN_SHEET_ALWAYS
           : strcmp(text, "never") == 0 ? TOWN_SHEET_NEVER : TOWN_SHEET_SENSITIVE;
}

static unsigned
types_read(const struct pg_result *r, int col)
{
    unsigned types = 0;
    enum account_type t;

    for (size_t i = 0; i < pg_texts_count(r, 0, col); i++) {
        struct str s = pg_texts_item(r, 0, col, i);
        char name[16] = "";

        memcpy(name, s.p, s.n < sizeof(name) ? s.n : sizeof(name) - 1);
        if (account_type_read(name, &t) == OK)
            types |= 1u << t;
    }
    return types;
}

static enum err
find_one(struct pg *pg, const struct pg_stmt *stmt, struct pg_args *args, struct arena *a, struct town *ret,
         struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct str key;
    enum err e;

    if ((e = pg_exec(pg, stmt, args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_code(why, ERR_NOT_FOUND, "town.unknown", "no such town");
    key = pg_str(r, 0, 6);
    pg_uuid(r, 0, 0, ret->id);
    snprintf(ret->name, sizeof(ret->name), "%s", pg_text(r, 0, 1));
    ret->label_fr = arena_strdup(a, pg_text(r, 0, 2));
    ret->label_en = arena_strdup(a, pg_text(r, 0, 3));
    ret->phone = arena_strdup(a, pg_text(r, 0, 4));
    ret->theme = arena_strdup(a, pg_text(r, 0, 5));
    ret->seal_key = (struct str){ arena_dup(a, key.p, key.n), key.n };
    ret->active = strcmp(pg_text(r, 0, 7), "active") == 0;
    ret->creation_life = pg_i64(r, 0, 8);
    ret->sheet_number = sheet_read(pg_text(r, 0, 9));
    ret->types = types_read(r, 10);
    ret->hold_max = pg_i64(r, 0, 11);
    return OK;
}

enum err
town_by_certificate(struct pg *pg, const unsigned char sha256[32], utime now, struct arena *a, struct town *ret,
                    struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_bytes(&args, sha256, 32);
    pg_arg_time(&args, now);
    if ((e = find_one(pg, &stmts[S_BY_CERT], &args, a, ret, why)) != OK)
        return e;
    return ret->active ? OK : why_code(why, ERR_DENIED, "town.suspended", "the town %s is suspended", ret->name);
}

enum err
town_by_id(struct pg *pg, const char *id, struct arena *a, struct town *ret, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, id);
    return find_one(pg, &stmts[S_BY_ID], &args, a, ret, why);
}

static enum err
town_audit(struct pg *pg, const char *verb, const char *name, const char *actor, utime now, struct why *why)
{
    char object[80];

    snprintf(object, sizeof(object), "town:%s", name);
    return audit_add(pg, &(struct audit_entry){ .at = now, .actor = actor, .role = "systeme", .verb = verb,
                                                .object = object, .result = "ok", .detail = "{}" }, why);
}

struct put_arg {
    const struct town_new *in;
    const char *actor;
    utime now;
};

static enum err
put_body(struct pg *pg, void *arg, struct why *why)
{
    const struct put_arg *p = arg;
    const struct town_new *in = p->in;
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT, cert = PG_ARGS_INIT;
    char id[37];
    enum err e;

    rand_uuid(id);
    pg_arg_uuid(&args, id);
    pg_arg_text(&args, in->name);
    pg_arg_text(&args, in->label_fr);
    pg_arg_text(&args, in->label_en);
    pg_arg_text(&args, in->phone);
    pg_arg_text(&args, in->theme);
    pg_arg_bytes(&args, in->seal_key.p, in->seal_key.n);
    pg_arg_i64(&args, in->creation_life);
    pg_arg_text(&args, in->sheet_number);
    pg_arg_time(&args, p->now);
    if ((e = pg_exec(pg, &stmts[S_PUT], &args, &r, why)) != OK)
        return e;
    pg_uuid(r, 0, 0, id);
    pg_arg_bytes(&cert, in->cert_sha256, sizeof(in->cert_sha256));
    pg_arg_uuid(&cert, id);
    pg_arg_time(&cert, in->cert_not_after);
    pg_arg_time(&cert, p->now);
    if ((e = pg_exec(pg, &stmts[S_CERT], &cert, NULL, why)) != OK)
        return e;
    return town_audit(pg, "town.put", in->name, p->actor, p->now, why);
}

enum err
town_put(struct pg *pg, const struct town_new *in, const char *actor, utime now, struct why *why)
{
    struct put_arg p = { in, actor, now };

    return pg_tx(pg, put_body, &p, why);
}

struct policy_arg {
    const char *name, *actor;
    const struct town_policy *p;
    utime now;
};

static enum err
policy_body(struct pg *pg, void *arg, struct why *why)
{
    const struct policy_arg *x = arg;
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_text(&args, x->name);
    if (x->p->types != NULL)
        pg_arg_texts(&args, x->p->types, x->p->ntypes);
    else
        pg_arg_null(&args);
    if (x->p->hold_max != 0)
        pg_arg_i64(&args, x->p->hold_max);
    else
        pg_arg_null(&args);
    if ((e = pg_exec(pg, &stmts[S_POLICY], &args, &r, why)) != OK)
        return e;
    if (pg_affected(r) != 1)
        return why_code(why, ERR_NOT_FOUND, "town.unknown", "no town %s", x->name);
    return town_audit(pg, "town.policy", x->name, x->actor, x->now, why);
}

enum err
town_set_policy(struct pg *pg, const char *name, const struct town_policy *p, const char *actor, utime now, struct why *why)
{
    struct policy_arg x = { name, actor, p, now };
    enum account_type t;

    if (p->types != NULL && p->ntypes == 0)
        return why_set(why, ERR_INPUT, "a town without any account type");
    for (size_t i = 0; p->types != NULL && i < p->ntypes; i++) {
        if (account_type_read(p->types[i], &t) != OK)
            return why_set(why, ERR_INPUT, "no account type %s: password, x509_card, x509_soft", p->types[i]);
    }
    if (p->hold_max != 0 && (p->hold_max < USEC_PER_DAY || p->hold_max > 366 * USEC_PER_DAY))
        return why_set(why, ERR_INPUT, "hold-max: 1 to 366 days");
    return pg_tx(pg, policy_body, &x, why);
}

struct state_arg {
    const char *name, *state, *actor;
    utime now;
};

static enum err
state_body(struct pg *pg, void *arg, struct why *why)
{
    const struct state_arg *s = arg;
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_text(&args, s->name);
    pg_arg_text(&args, s->state);
    if ((e = pg_exec(pg, &stmts[S_STATE], &args, &r, why)) != OK)
        return e;
    if (pg_affected(r) != 1)
        return why_code(why, ERR_NOT_FOUND, "town.unknown", "no town %s", s->name);
    return town_audit(pg, strcmp(s->state, "active") == 0 ? "town.resume" : "town.suspend", s->name, s->actor, s->now,
                      why);
}

enum err
town_set_state(struct pg *pg, const char *name, const char *state, const char *actor, utime now, struct why *why)
{
    struct state_arg s = { name, state, actor, now };

    return pg_tx(pg, state_body, &s, why);
}
