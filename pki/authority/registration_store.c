/* registration_store: the table registration. */
#include "base/pg/audit.h"
#include "pki/authority/registration.h"

enum { S_ADD, S_FIND, S_FIND_HOLDER, S_IDENTIFY, S_CLOSE };
#define COLUMNS                                                                                                      \
    "SELECT id, station_id, profile, town, holder, subject, support, proof, proof_ref, proof_at, renewals, state "   \
    "FROM registration "
static const struct pg_stmt stmts[] = {
    [S_ADD] = { "registration.add",
        "WITH u AS (SELECT EXISTS (SELECT FROM registration y JOIN certificate x ON x.registration_id = y.id WHERE y.id <> $1 "
        "AND y.state = 'closed' AND y.station_id IS NOT DISTINCT FROM $2::uuid AND y.profile = $3 AND y.holder = $5 AND "
        "x.state <> 'void' AND x.not_before >= $10::timestamptz) AND NOT EXISTS (SELECT FROM registration z WHERE z.id = $1) AS used), "
        "r AS (INSERT INTO registration (id, station_id, profile, town, holder, subject, support, proof, proof_ref, "
        "proof_at, state, made_at) SELECT $1, $2::uuid, $3, $4, $5, $6, $7, $8, $9, $10::timestamptz, $11, $12 FROM u WHERE NOT u.used "
        "ON CONFLICT (id) DO NOTHING RETURNING id), "
        "a AS (INSERT INTO audit_event (at, actor, role, verb, object, result, detail) SELECT $12, $13, '', 'registration.add', "
        "'registration:' || r.id, 'ok', jsonb_build_object('profile', $3::text) FROM r) SELECT u.used, r.id FROM u LEFT JOIN r ON true",
        13 },
    [S_FIND] = { "registration.find", COLUMNS "WHERE id = $1", 1 },
    [S_FIND_HOLDER] = { "registration.find_holder",
        COLUMNS "WHERE station_id IS NOT DISTINCT FROM $1::uuid AND profile = $2 AND holder = $3 "
        "ORDER BY state = 'closed', made_at DESC LIMIT 1", 3 },
    [S_IDENTIFY] = { "registration.identify",
        "WITH r AS (UPDATE registration SET proof = $2, proof_ref = $3, proof_at = $4::timestamptz, renewals = 0, "
        "subject = coalesce($5, subject) WHERE id = $1 AND state = 'open' RETURNING id) SELECT r.id, audit_add($6, $7, '', "
        "'registration.identify', 'registration:' || r.id, 'ok', jsonb_build_object('proof', $2::text)) FROM r", 7 },
    [S_CLOSE] = { "registration.close",
        "WITH r AS (UPDATE registration SET state = 'closed', closed_at = $2, subject = NULL WHERE id = $1 AND state <> 'closed' "
        "RETURNING id) SELECT r.id, audit_add($2, $3, '', 'registration.close', 'registration:' || r.id, 'ok', '{}') FROM r",
        3 },
};
const struct pg_stmts registration_stmts = PG_STMTS(stmts);

static const char *const states[] = { "draft", "open", "closed" };

static void
arg_str(struct pg_args *args, struct str s)
{
    if (s.p == NULL)
        pg_arg_null(args);
    else
        pg_arg_bytes(args, s.p, s.n);
}

static bool
same(const struct registration *a, const struct registration *b)
{
    /* the sealed names differ each time they are sealed */
    return strcmp(a->station, b->station) == 0 && strcmp(a->profile, b->profile) == 0 && strcmp(a->town, b->town) == 0 &&
           strcmp(a->holder, b->holder) == 0 && a->support == b->support;
}

enum err
registration_add(struct pg *pg, const struct registration *r, const char *actor, utime now, bool *ret_new, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *result = NULL;
    AUTO(arena_freep) struct arena *a = arena_new(1 << 16);
    struct pg_args args = PG_ARGS_INIT;
    struct registration there;
    enum err e;

    if ((e = registration_texts_check(r, why)) != OK)
        return e;
    pg_arg_uuid(&args, r->id);
    pg_arg_uuid(&args, r->station[0] == '\0' ? NULL : r->station);
    pg_arg_text(&args, r->profile);
    pg_arg_text(&args, r->town);
    pg_arg_text(&args, r->holder);
    arg_str(&args, r->subject);
    pg_arg_text(&args, registration_support_name(r->support));
    pg_arg_text(&args, registration_proof_name(r->proof));
    pg_arg_text(&args, r->proof_ref);
    pg_arg_time(&args, r->proof_at);
    pg_arg_text(&args, states[r->state]);
    pg_arg_time(&args, now);
    pg_arg_text(&args, actor);
    e = pg_exec(pg, &stmts[S_ADD], &args, &result, why);
    if (e == ERR_CONFLICT)
        return why_code(why, e, "registration.exists", "this holder is registered for the profile already");
    if (e != OK)
        return e;
    if (ret_new != NULL)
        *ret_new = !pg_is_null(result, 0, 1);
    if (!pg_is_null(result, 0, 1))
        return OK;
    if (pg_bool(result, 0, 0))
        return why_code(why, ERR_CONFLICT, "pki.proof.used", "a certificate was issued on that proof, in a registration that is "
                        "closed: the holder has to be identified anew");
    if ((e = registration_find(pg, r->id, a, &there, why)) != OK)
        return e;
    return same(r, &there) ? OK : why_code(why, ERR_CONFLICT, "registration.exists", "another registration has this id");
}

/* --- reading ------------------------------------------------------------------------------------------------------------ */

static enum err
one_read(struct pg *pg, const struct pg_stmt *stmt, struct pg_args *args, struct arena *a, struct registration *ret,
         struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct registration g = { .state = REGISTRATION_DRAFT };
    enum err e;

    if ((e = pg_exec(pg, stmt, args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_code(why, ERR_NOT_FOUND, "registration.unknown", "no such registration");
    pg_uuid(r, 0, 0, g.id);
    pg_uuid(r, 0, 1, g.station);
    g.profile = arena_strdup(a, pg_text(r, 0, 2));
    g.town = arena_strdup(a, pg_text(r, 0, 3));
    g.holder = arena_strdup(a, pg_text(r, 0, 4));
    g.subject = pg_str_dup(r, 0, 5, a);
    CHECK(registration_support_parse(pg_str(r, 0, 6), &g.support) == OK);       /* the schema knows no other */
    CHECK(registration_proof_parse(pg_str(r, 0, 7), &g.proof) == OK);
    g.proof_ref = arena_strdup(a, pg_text(r, 0, 8));
    g.proof_at = pg_time(r, 0, 9);
    g.renewals = pg_i64(r, 0, 10);
    for (size_t i = 0; i < ARRAY_LEN(states); i++)
        if (str_eqs(pg_str(r, 0, 11), states[i]))
            g.state = (enum registration_state)i;
    *ret = g;
    return OK;
}

enum err
registration_find(struct pg *pg, const char *id, struct arena *a, struct registration *ret, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, id);
    return one_read(pg, &stmts[S_FIND], &args, a, ret, why);
}

enum err
registration_find_holder(struct pg *pg, const char *station, const char *profile, const char *holder, struct arena *a,
                         struct registration *ret, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, station[0] == '\0' ? NULL : station);
    pg_arg_text(&args, profile);
    pg_arg_text(&args, holder);
    return one_read(pg, &stmts[S_FIND_HOLDER], &args, a, ret, why);
}

/* --- changing ------------------------------------------------------------------------------------------------------------ */

static enum err
one_changed(struct pg *pg, const struct pg_stmt *stmt, struct pg_args *args, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    enum err e;

    if ((e = pg_exec(pg, stmt, args, &r, why)) != OK)
        return e;
    return pg_rows(r) > 0 ? OK : why_code(why, ERR_NOT_FOUND, "registration.unknown", "no such open registration");
}

enum err
registration_identify(struct pg *pg, const char *id, enum profile_proof proof, const char *proof_ref, utime proof_at,
                      struct str subject, const char *actor, utime now, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, id);
    pg_arg_text(&args, registration_proof_name(proof));
    pg_arg_text(&args, proof_ref);
    pg_arg_time(&args, proof_at);
    arg_str(&args, subject);
    pg_arg_time(&args, now);
    pg_arg_text(&args, actor);
    return one_changed(pg, &stmts[S_IDENTIFY], &args, why);
}

enum err
registration_close(struct pg *pg, const char *id, const char *actor, utime now, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, id);
    pg_arg_time(&args, now);
    pg_arg_text(&args, actor);
    return one_changed(pg, &stmts[S_CLOSE], &args, why);
}
