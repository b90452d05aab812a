/* revocation_store: the tables revocation_key and revocation_request, and the states of certificates that acts change. */
#include "pki/authority/revocation-internal.h"

enum { S_KEY, S_KEY_SAME, S_ANSWER, S_LOCK_ONE, S_LOCK_HOLDER, S_LOOK_HOLDER, S_WAITING, S_STATION, S_APPLY, S_HELD };
#define TARGET                                                                                                            \
    "SELECT c.id, a.name || '-g' || a.generation, c.profile, c.serial, c.state, c.compromised, c.holds, c.reason, "      \
    "c.revoked_at, c.invalid_at, c.not_after FROM certificate c JOIN ca a ON a.id = c.ca_id "                             \
    "JOIN registration r ON r.id = c.registration_id "
#define OF_HOLDER "WHERE r.holder = $1 AND r.town = $2 AND c.state IN ('issued', 'active', 'held') ORDER BY c.id "
static const struct pg_stmt stmts[] = {
    [S_KEY] = { "revocation.key",
        "INSERT INTO revocation_key (station_id, key, sha256, at) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (station_id, key) DO NOTHING", 4 },
    [S_KEY_SAME] = { "revocation.key_same",
        "SELECT sha256 = $3 FROM revocation_key WHERE station_id IS NOT DISTINCT FROM $1::uuid AND key = $2", 3 },
    [S_ANSWER] = { "revocation.answer",
        "SELECT q.id, c.id, a.name || '-g' || a.generation, c.serial, q.outcome, q.state, q.due_at FROM revocation_request q "
        "JOIN certificate c ON c.id = q.certificate_id JOIN ca a ON a.id = c.ca_id "
        "WHERE q.station_id IS NOT DISTINCT FROM $1::uuid AND q.key = $2 ORDER BY c.id", 2 },
    [S_LOCK_ONE] = { "revocation.lock_one",
        TARGET "WHERE a.name || '-g' || a.generation = $1 AND c.serial = $2 AND c.state NOT IN ('reserved', 'void') "
        "FOR UPDATE OF c", 2 },
    [S_LOCK_HOLDER] = { "revocation.lock_holder", TARGET OF_HOLDER "FOR UPDATE OF c", 2 },
    [S_LOOK_HOLDER] = { "revocation.look_holder", TARGET OF_HOLDER, 2 },
    [S_WAITING] = { "revocation.waiting",
        "SELECT id, due_at FROM revocation_request WHERE certificate_id = $1 AND state = 'deferred'", 1 },
    [S_STATION] = { "revocation.station",
        "SELECT FROM certificate c JOIN registration r ON r.id = c.registration_id JOIN station s ON s.id = $1 "
        "WHERE c.id = $2 AND s.state = 'active' AND s.may_revoke AND c.profile = ANY (s.profiles) AND "
        "(s.towns IS NULL OR r.town = ANY (s.towns))", 2 },
    /* The lock and the state that was read hold it together: what is no longer so changes nothing. */
    [S_APPLY] = { "revocation.apply",
        "WITH c AS (UPDATE certificate SET state = $3, state_since = CASE WHEN state = $3 THEN state_since ELSE $9 END, "
        "reason = NULLIF($4::int4, -1), revoked_at = $5, invalid_at = $6, holds = $7::int4, compromised = $8::bool "
        "WHERE id = $1 AND state = $2 RETURNING id), "
        "w AS (UPDATE revocation_request SET state = $11, executed_at = $9 FROM c "
        "WHERE revocation_request.id = $10 AND revocation_request.state = 'deferred'), "
        "q AS (INSERT INTO revocation_request (id, certificate_id, act, reason, invalid_at, requester, requester_ref, proof, "
        "station_id, key, state, outcome, received_at, due_at, executed_at) SELECT gen_random_uuid(), c.id, $12, "
        "NULLIF($13::int4, -1), $14::timestamptz, $15, $16, $17, $18::uuid, $19, $20, $21, $9, $22::timestamptz, "
        "CASE WHEN $20 = 'executed' THEN $9 END FROM c RETURNING id), "
        "a AS (INSERT INTO audit_event (at, actor, role, verb, object, result, detail) SELECT $9, $23, $24, "
        "'certificate.' || $12, 'certificate:' || c.id, CASE WHEN $20 = 'refused' THEN $21 ELSE 'ok' END, "
        "jsonb_build_object('outcome', $21, 'requester', $15, 'request', q.id, 'reason', NULLIF($13::int4, -1)) FROM c, q) "
        "SELECT count(*) FROM q", 24 },
    [S_HELD] = { "revocation.held",
        "SELECT a.name || '-g' || a.generation, c.serial, c.revoked_at FROM certificate c JOIN ca a ON a.id = c.ca_id "
        "WHERE c.id = $1 AND c.state = 'held'", 1 },
};
const struct pg_stmts revocation_stmts = PG_STMTS(stmts);

/* --- the key ------------------------------------------------------------------------------------------------------------ */

enum err
revocation_key_take(struct pg *pg, const struct revocation *act, const unsigned char sha256[SHA256_LEN], utime now,
                    bool *ret_new, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    AUTO(pg_result_freep) struct pg_result *same = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, act->station);
    pg_arg_text(&args, act->key);
    pg_arg_bytes(&args, sha256, SHA256_LEN);
    pg_arg_time(&args, now);
    if ((e = pg_exec(pg, &stmts[S_KEY], &args, &r, why)) != OK)
        return e == ERR_CONFLICT ? why_code(why, ERR_DENIED, "revocation.station", "no such station") : e;
    *ret_new = pg_affected(r) > 0;
    if (*ret_new)
        return OK;
    pg_arg_uuid(&args, act->station);
    pg_arg_text(&args, act->key);
    pg_arg_bytes(&args, sha256, SHA256_LEN);
    if ((e = pg_exec(pg, &stmts[S_KEY_SAME], &args, &same, why)) != OK)
        return e;
    if (pg_rows(same) == 0)
        return why_set(why, ERR_INTERNAL, "a key that conflicted is not there");
    return pg_bool(same, 0, 0) ? OK : why_code(why, ERR_CONFLICT, "revocation.key", "the key was used for another call");
}

enum err
revocation_answer(struct pg *pg, const struct revocation *act, struct arena *a, struct revocation_result **ret,
                  size_t *ret_n, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    struct revocation_result *list;
    enum err e;

    pg_arg_uuid(&args, act->station);
    pg_arg_text(&args, act->key);
    if ((e = pg_exec(pg, &stmts[S_ANSWER], &args, &r, why)) != OK)
        return e;
    list = arena_alloc(a, ((size_t)pg_rows(r) + 1) * sizeof(*list));
    for (int i = 0; i < pg_rows(r); i++) {
        pg_uuid(r, i, 0, list[i].request);
        pg_uuid(r, i, 1, list[i].certificate);
        list[i].ca_label = arena_strdup(a, pg_text(r, i, 2));
        list[i].serial = pg_str_dup(r, i, 3, a);
        list[i].outcome = arena_strdup(a, pg_text(r, i, 4));
        list[i].state = arena_strdup(a, pg_text(r, i, 5));
        list[i].due_at = pg_time(r, i, 6);
    }
    *ret = list;
    *ret_n = (size_t)pg_rows(r);
    return OK;
}

/* --- what is meant ------------------------------------------------------------------------------------------------------ */

static void
target_read(const struct pg_result *r, int row, struct arena *a, struct revocation_target *ret)
{
    *ret = (struct revocation_target){ .ca_label = arena_strdup(a, pg_text(r, row, 1)),
                                       .profile = arena_strdup(a, pg_text(r, row, 2)), .serial = pg_str_dup(r, row, 3, a) };
    pg_uuid(r, row, 0, ret->id);
    ret->facts = (struct revocation_facts){
        .state = arena_strdup(a, pg_text(r, row, 4)), .compromised = pg_bool(r, row, 5), .holds = (int)pg_i64(r, row, 6),
        .reason = pg_is_null(r, row, 7) ? REASON_NONE : (int)pg_i64(r, row, 7), .revoked_at = pg_time(r, row, 8),
        .invalid_at = pg_time(r, row, 9), .not_after = pg_time(r, row, 10), .due_at = UTIME_NULL };
}

/* After the lock, in a statement of its own: its snapshot has what those did who had the lock before. */
static enum err
waiting_read(struct pg *pg, struct revocation_target *t, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, t->id);
    if ((e = pg_exec(pg, &stmts[S_WAITING], &args, &r, why)) != OK || pg_rows(r) == 0)
        return e;
    pg_uuid(r, 0, 0, t->waiting);
    t->facts.due_at = pg_time(r, 0, 1);
    return OK;
}

static enum err
targets_read(struct pg *pg, const struct revocation *act, const struct pg_stmt *stmt, struct arena *a,
             struct revocation_target **ret, size_t *ret_n, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    struct revocation_target *list;
    enum err e;

    if (act->ca != NULL) {
        pg_arg_text(&args, act->ca);
        pg_arg_bytes(&args, act->serial.p, act->serial.n);
    } else {
        pg_arg_text(&args, act->holder);
        pg_arg_text(&args, act->town);
    }
    if ((e = pg_exec(pg, stmt, &args, &r, why)) != OK)
        return e;
    list = arena_alloc(a, ((size_t)pg_rows(r) + 1) * sizeof(*list));
    for (int i = 0; i < pg_rows(r); i++) {
        target_read(r, i, a, &list[i]);
        if ((e = waiting_read(pg, &list[i], why)) != OK)
            return e;
    }
    *ret = list;
    *ret_n = (size_t)pg_rows(r);
    return OK;
}

enum err
revocation_lock(struct pg *pg, const struct revocation *act, struct arena *a, struct revocation_target **ret, size_t *ret_n,
                struct why *why)
{
    return targets_read(pg, act, &stmts[act->ca != NULL ? S_LOCK_ONE : S_LOCK_HOLDER], a, ret, ret_n, why);
}

enum err
revocation_look(struct pg *pg, const struct revocation *act, struct arena *a, struct revocation_target **ret, size_t *ret_n,
                struct why *why)
{
    CHECK(act->ca == NULL);
    return targets_read(pg, act, &stmts[S_LOOK_HOLDER], a, ret, ret_n, why);
}

enum err
revocation_station(struct pg *pg, const struct revocation *act, const struct revocation_target *targets, size_t n,
                   struct why *why)
{
    for (size_t i = 0; i < n; i++) {
        AUTO(pg_result_freep) struct pg_result *r = NULL;
        struct pg_args args = PG_ARGS_INIT;
        enum err e;

        pg_arg_uuid(&args, act->station);
        pg_arg_uuid(&args, targets[i].id);
        if ((e = pg_exec(pg, &stmts[S_STATION], &args, &r, why)) != OK)
            return e;
        if (pg_rows(r) == 0)
            return why_code(why, ERR_DENIED, "revocation.station", "this station may not revoke that");
    }
    return OK;
}

enum err
revocation_apply(struct pg *pg, const struct revocation *act, const struct revocation_target *t,
                 const struct revocation_decision *d, const char *actor, utime now, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, t->id);
    pg_arg_text(&args, t->facts.state);
    pg_arg_text(&args, d->state);
    pg_arg_i32(&args, d->reason);
    pg_arg_time(&args, d->revoked_at);
    pg_arg_time(&args, d->invalid_at);
    pg_arg_i32(&args, d->holds);
    pg_arg_bool(&args, d->compromised);
    pg_arg_time(&args, now);
    pg_arg_uuid(&args, d->waiting != NULL ? t->waiting : NULL);
    pg_arg_text(&args, d->waiting);
    pg_arg_text(&args, revocation_act_name(act->act));
    pg_arg_i32(&args, act->reason);
    pg_arg_time(&args, act->invalid_at);
    pg_arg_text(&args, revocation_requester_name(act->requester));
    pg_arg_text(&args, act->requester_ref);
    pg_arg_text(&args, act->proof);
    pg_arg_uuid(&args, act->station);
    pg_arg_text(&args, act->key);
    pg_arg_text(&args, revocation_is_refusal(d->outcome) ? "refused" : d->due_at != UTIME_NULL ? "deferred" : "executed");
    pg_arg_text(&args, d->outcome);
    pg_arg_time(&args, d->due_at);
    pg_arg_text(&args, actor);
    /* who resumes may have another role: the approvals say which */
    pg_arg_text(&args, act->requester == BY_OPERATOR && act->act != REVOCATION_RESUME ? "revocation" : "");
    if ((e = pg_exec(pg, &stmts[S_APPLY], &args, &r, why)) != OK)
        return e;
    return pg_i64(r, 0, 0) == 1 ? OK : why_set(why, ERR_INTERNAL, "a locked certificate changed");
}

enum err
revocation_held_text(struct pg *pg, const char *certificate_id, struct buf *out, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, certificate_id);
    if ((e = pg_exec(pg, &stmts[S_HELD], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_code(why, ERR_NOT_FOUND, REVOCATION_NOTHING, "the certificate is not held");
    revocation_resume_text(certificate_id, pg_text(r, 0, 0), pg_str(r, 0, 1), pg_time(r, 0, 2), out);
    return OK;
}
