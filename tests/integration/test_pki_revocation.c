/*
 * revocation: every state × act × policy against a small model (D-13); the same call again; 64 at once; releases that two
 * approve; all of a holder; rights of stations; what the clock revokes; revoked stays revoked, whoever writes.
 */
#include "tests/integration/pki_command.h"

#include <pthread.h>

#include "pki/authority/revocation.h"

#define NOW (INT64_C(1795000000) * USEC_PER_SEC)
#define HOUR USEC_PER_HOUR

static const struct pg_stmts *const stmts_here[] = { &audit_stmts, &approval_stmts, &pki_person_stmts, &revocation_stmts,
                                                     &revocation_timer_stmts, NULL };

enum { DEFER, HOLD, IMMEDIATE, GONE, POLICIES };
static const char *const policy_profiles[POLICIES] = { "p-defer", "p-hold", "p-immediate", "p-gone" };

struct fixture {
    struct pki_world w;
    struct pg_config conf;
    struct pg *pg;
    PGconn *sql;                         /* the operator's own session, who may write anything */
    struct profile profiles[3];
    struct profile *items[3];
    struct profile_set set;
    struct key *key;
    struct ca ca;
    int n;                               /* certificates made */
};

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    char set[37];

    pki_world_begin(&f->w, NOW);
    f->conf = f->w.conf;
    f->conf.stmts = stmts_here;
    assert_ok(pg_open(&f->conf, &f->pg, &f->w.why), &f->w.why);
    f->sql = operator_open("options='-c search_path=pki'");
    for (size_t i = 0; i < 3; i++) {
        snprintf(f->profiles[i].name, sizeof(f->profiles[i].name), "%s", policy_profiles[i]);
        f->profiles[i].suspend = i == DEFER ? SUSPEND_DEFER : i == HOLD ? SUSPEND_HOLD : SUSPEND_IMMEDIATE;
        f->profiles[i].suspendable = i == HOLD;
        f->profiles[i].defer_max = 24 * HOUR;
        f->profiles[i].hold_max = 90 * DAY;
        f->profiles[i].holds = 2;
        f->profiles[i].acceptance = i == DEFER ? ACCEPTANCE_CONFIRMED : ACCEPTANCE_TACIT;
        f->profiles[i].accept_revoke = 60 * DAY;
        f->items[i] = &f->profiles[i];
    }
    f->set = (struct profile_set){ f->items, 3 };
    rand_uuid(set);
    f->key = pki_key_make(KEY_P256, 0);
    pki_ca_make(&f->w, "cards", f->key, "offline", set, 0, &f->ca);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;

    key_free(f->key);
    PQfinish(f->sql);
    pg_close(f->pg);
    pki_world_end(&f->w);
    free(f);
    return 0;
}

/* SQL of the operator; the first value is the arena's. */
static const char *
sql_run(struct fixture *f, const char *sql)
{
    PGresult *r = PQexec(f->sql, sql);
    const char *ret;

    if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(f->sql));
    ret = arena_strdup(f->w.a, PQntuples(r) > 0 ? PQgetvalue(r, 0, 0) : "");
    PQclear(r);
    return ret;
}

/* A certificate in that state, of the policy's profile; accepted unless told otherwise. */
struct cert {
    char id[37];
    unsigned char serial[16];
};

static struct cert
cert_make(struct fixture *f, int policy, const char *state, const char *holder, const char *town, const char *more)
{
    struct cert c;
    char sql[2400], registration[37], hex[33];
    const bool bad = strcmp(state, "held") == 0 || strcmp(state, "revoked") == 0;

    memset(c.serial, 0, sizeof(c.serial));
    c.serial[0] = 1;
    c.serial[14] = (unsigned char)(++f->n >> 8);
    c.serial[15] = (unsigned char)f->n;
    rand_uuid(c.id);
    rand_uuid(registration);
    for (size_t i = 0; i < 16; i++)
        snprintf(hex + 2 * i, 3, "%02x", c.serial[i]);
    snprintf(sql, sizeof(sql),
             "INSERT INTO registration (id, profile, town, holder, support, proof, state, made_at) VALUES "
             "('%s', '%s.%d', '%s', '%s', 'card', 'none', 'open', to_timestamp(1794000000)); "
             "INSERT INTO certificate (id, ca_id, serial, state, state_since, reason, revoked_at, registration_id, profile, "
             "profile_sha256, spki_sha256, not_before, not_after, accepted_at) VALUES ('%s', %d, '\\x%s', '%s', "
             "to_timestamp(1794900000), %s, %s, '%s', '%s', sha256('p'), sha256('%s'), to_timestamp(1795000000), "
             "to_timestamp(1795000000) + interval '3 years', to_timestamp(1795000000))",
             registration, policy_profiles[policy], f->n, town, holder, c.id, f->ca.id, hex, state, bad ? "6" : "NULL",
             bad ? "to_timestamp(1794900000)" : "NULL", registration, policy_profiles[policy], c.id);
    sql_run(f, sql);
    if (more[0] != '\0') {
        snprintf(sql, sizeof(sql), "UPDATE pki.certificate SET %s WHERE id = '%s'", more, c.id);
        sql_run(f, sql);
    }
    return c;
}

static void
waiting_make(struct fixture *f, const struct cert *c, const char *due)
{
    char sql[600];

    snprintf(sql, sizeof(sql), "INSERT INTO pki.revocation_request (id, certificate_id, act, requester, key, state, outcome, "
             "received_at, due_at) VALUES (gen_random_uuid(), '%s', 'suspend', 'holder', 'w-%s', 'deferred', 'deferred', "
             "to_timestamp(1794990000), %s)", c->id, c->id, due);
    sql_run(f, sql);
}

static const char *
value(struct fixture *f, const char *sql, const char *id)
{
    char text[600];

    snprintf(text, sizeof(text), "SELECT (SELECT %s)", sql);
    for (char *at; (at = strstr(text, "$ID")) != NULL;) {
        char rest[600];

        snprintf(rest, sizeof(rest), "%s", at + 3);
        snprintf(at, sizeof(text) - (size_t)(at - text), "'%s'%s", id, rest);
    }
    return sql_run(f, text);
}

static const char *
state_of(struct fixture *f, const struct cert *c)
{
    return value(f, "state || ':' || coalesce(reason, -1) FROM certificate WHERE id = $ID", c->id);
}

static enum err
act_at(struct fixture *f, struct pg *pg, struct revocation act, const struct cert *c, utime now,
       struct revocation_result **ret, size_t *ret_n)
{
    char key[37];

    rand_uuid(key);
    if (act.key == NULL)
        act.key = arena_strdup(f->w.a, key);
    if (c != NULL) {
        act.ca = "cards-g1";
        act.serial = (struct str){ (const char *)c->serial, sizeof(c->serial) };
    }
    act.requester_ref = "h1";
    act.proof = act.proof != NULL ? act.proof : "";
    return revocation_do(pg, &f->set, &act, "station:test", now, f->w.a, ret, ret_n, &f->w.why);
}

/* One certificate; the outcome, or the code of the error. */
static const char *
act_on(struct fixture *f, enum revocation_act which, int reason, const struct cert *c, utime now)
{
    struct revocation_result *r;
    size_t n;

    if (act_at(f, f->pg, (struct revocation){ .act = which, .reason = reason, .invalid_at = UTIME_NULL,
                                              .requester = BY_OPERATOR }, c, now, &r, &n) != OK)
        return arena_strdup(f->w.a, f->w.why.code);
    assert_int_equal(n, 1);
    assert_string_equal(r[0].certificate, c->id);
    return r[0].outcome;
}

static void
yes(struct fixture *f, size_t human, const struct cert *c, utime at)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(1024), sig = BUF_BOUNDED(64);
    unsigned char subject[SHA256_LEN];

    assert_ok(revocation_held_text(f->pg, c->id, &text, &f->w.why), &f->w.why);
    sha256(buf_view(&text), subject);
    assert_ok(approval_sign(f->w.humans[human].k, APPROVE_RESUME, at, subject, &sig, &f->w.why), &f->w.why);
    assert_ok(approval_add(f->pg, APPROVE_RESUME, subject, &(struct signed_yes){ f->w.humans[human].id, buf_view(&sig), at },
                           &f->w.why), &f->w.why);
}

/* --- states × acts × policies ------------------------------------------------------------------------------------------- */

static const struct shape {
    const char *name, *state, *more, *due;
    /* what suspend (lost), suspend (compromised), revoke and resume do; P: what the policy says */
    const char *expect;
} shapes[] = {
    { "reserved", "reserved", "", NULL, "0000" },
    { "void", "void", "", NULL, "0000" },
    { "issued", "issued", "", NULL, "PRRN" },
    { "active", "active", "", NULL, "PRRN" },
    { "held before, twice", "active", "holds = 2", NULL, "pRRN" },
    { "compromised", "active", "compromised = true", NULL, "RRRN" },
    { "waiting", "active", "", "to_timestamp(1795000000) + interval '1 hour'", "ARRW" },
    { "waiting, due", "active", "", "to_timestamp(1795000000)", "ARRL" },
    { "held", "held", "holds = 1", NULL, "ARRU" },
    { "held too long", "held", "revoked_at = to_timestamp(1795000000) - interval '90 days'", NULL, "ARRL" },
    { "held, compromised", "held", "compromised = true", NULL, "RRRC" },
    { "revoked", "revoked", "reason = 4", NULL, "FFFF" },
    { "expired", "expired", "", NULL, "SSSS" },
    { "archived", "archived", "", NULL, "SSSS" },
    { "ended", "active", "not_after = to_timestamp(1795000000) - interval '1 second'", NULL, "SSSS" },
};
static const struct call {
    enum revocation_act act;
    int reason;
} calls[] = { { REVOCATION_SUSPEND, REASON_NONE }, { REVOCATION_SUSPEND, REASON_KEY_COMPROMISE },
              { REVOCATION_REVOKE, REASON_SUPERSEDED }, { REVOCATION_RESUME, REASON_NONE } };

static const struct fate {
    char letter;
    const char *outcome, *state, *request;   /* state NULL: as before */
} fates[] = {
    { '0', "certificate.unknown", NULL, NULL }, { 'D', "deferred", NULL, "deferred" }, { 'H', "held", "held", "executed" },
    { 'R', "revoked", "revoked", "executed" }, { 'W', "withdrawn", NULL, "executed" }, { 'U', "released", "active", "executed" },
    { 'A', REVOCATION_ALREADY, NULL, "refused" }, { 'N', REVOCATION_NOTHING, NULL, "refused" },
    { 'L', REVOCATION_LATE, NULL, "refused" }, { 'C', REVOCATION_COMPROMISED, NULL, "refused" },
    { 'F', REVOCATION_FINAL, NULL, "refused" }, { 'S', REVOCATION_STATE, NULL, "refused" },
};

static const struct fate *
fate_of(const struct shape *s, size_t call, int policy)
{
    static const char first[POLICIES] = { 'D', 'H', 'R', 'D' }, again[POLICIES] = { 'D', 'R', 'R', 'D' };
    char letter = s->expect[call];

    if (letter == 'P' || letter == 'p')
        letter = letter == 'P' ? first[policy] : again[policy];
    else if (letter == 'U' && policy == GONE)
        letter = 'L';
    for (size_t i = 0; i < ARRAY_LEN(fates); i++)
        if (fates[i].letter == letter)
            return &fates[i];
    fail_msg("no fate %c", letter);
    return NULL;
}

static void
case_check(struct fixture *f, const struct shape *s, size_t call, int policy)
{
    const struct cert c = cert_make(f, policy, s->state, "h", "t", s->more);
    const struct fate *fate = fate_of(s, call, policy);
    const char *was = state_of(f, &c), *date, *outcome, *is, *request;
    char label[120];

    snprintf(label, sizeof(label), "%s, call %zu, %s", s->name, call, policy_profiles[policy]);
    if (s->due != NULL)
        waiting_make(f, &c, s->due);
    if (fate->letter == 'U') {
        yes(f, 2, &c, NOW);
        yes(f, 3, &c, NOW);
    }
    sql_run(f, "DELETE FROM pki.status_change");
    date = value(f, "revoked_at FROM certificate WHERE id = $ID", c.id);
    outcome = act_on(f, calls[call].act, calls[call].reason, &c, NOW);
    is = state_of(f, &c);
    if (strcmp(outcome, fate->outcome) != 0)
        fail_msg("%s: %s instead of %s", label, outcome, fate->outcome);
    if (fate->state == NULL ? strcmp(is, was) != 0 : strncmp(is, fate->state, strlen(fate->state)) != 0)
        fail_msg("%s: was %s, is %s", label, was, is);
    request = value(f, "string_agg(state, ',') FROM revocation_request WHERE certificate_id = $ID AND key NOT LIKE 'w-%'", c.id);
    if (strcmp(request, fate->request != NULL ? fate->request : "") != 0)
        fail_msg("%s: request %s", label, request);
    assert_string_equal(value(f, "count(*) FROM audit_event WHERE object = 'certificate:' || $ID", c.id),
                        fate->request != NULL ? "1" : "0");
    assert_string_equal(value(f, "count(*) FROM status_change WHERE $ID <> ''", c.id), fate->state != NULL ? "1" : "0");
    if (fate->letter == 'R') {
        const bool bad = call == 1 || strstr(s->more, "compromised") != NULL;

        assert_string_equal(is, call == 2 ? "revoked:4" : bad ? "revoked:1" : "revoked:5");
        assert_string_equal(value(f, "compromised FROM certificate WHERE id = $ID", c.id), bad ? "t" : "f");
        if (strcmp(s->state, "held") == 0)           /* the first date stays */
            assert_string_equal(value(f, "revoked_at FROM certificate WHERE id = $ID", c.id), date);
        else
            assert_string_equal(value(f, "extract(epoch FROM revoked_at)::int8 FROM certificate WHERE id = $ID", c.id),
                                "1795000000");
    } else if (fate->letter == 'H') {
        assert_string_equal(is, "held:6");
        assert_string_equal(value(f, "holds FROM certificate WHERE id = $ID", c.id), "1");
    } else if (fate->letter == 'U') {
        assert_string_equal(is, "active:-1");
        assert_string_equal(value(f, "revoked_at IS NULL AND invalid_at IS NULL FROM certificate WHERE id = $ID", c.id), "t");
    }
    if (s->due != NULL)
        assert_string_equal(value(f, "state FROM revocation_request WHERE key = 'w-' || $ID", c.id),
                            fate->letter == 'R' ? "executed" : fate->letter == 'W' ? "withdrawn" : "deferred");
}

static void
every_state_act_policy(void **state)
{
    struct fixture *f = *state;

    for (size_t s = 0; s < ARRAY_LEN(shapes); s++)
        for (size_t call = 0; call < ARRAY_LEN(calls); call++)
            for (int policy = 0; policy < POLICIES; policy++)
                case_check(f, &shapes[s], call, policy);
}

/* --- the same call again, and input ------------------------------------------------------------------------------------- */

static void
said_again_is_answered_alike(void **state)
{
    struct fixture *f = *state;
    const struct cert c = cert_make(f, DEFER, "active", "h", "t", "");
    struct revocation act = { .act = REVOCATION_SUSPEND, .reason = REASON_NONE, .invalid_at = UTIME_NULL, .requester = BY_TOWN,
                              .key = "k1" }, other;
    struct revocation_result *first, *again;
    size_t n;

    assert_ok(act_at(f, f->pg, act, &c, NOW, &first, &n), &f->w.why);
    assert_string_equal(first[0].outcome, "deferred");
    assert_true(first[0].due_at == NOW + 24 * HOUR);
    assert_string_equal(act_on(f, REVOCATION_RESUME, REASON_NONE, &c, NOW + HOUR), "withdrawn");
    assert_ok(act_at(f, f->pg, act, &c, NOW + 2 * HOUR, &again, &n), &f->w.why);     /* late, and the request has changed */
    assert_int_equal(n, 1);
    assert_string_equal(again[0].request, first[0].request);
    assert_string_equal(again[0].outcome, "deferred");
    assert_true(again[0].due_at == first[0].due_at);
    assert_string_equal(again[0].state, "withdrawn");
    for (int i = 0; i < 4; i++) {
        other = act;
        if (i == 0)
            other.act = REVOCATION_REVOKE, other.reason = REASON_SUPERSEDED;
        else if (i == 1)
            other.reason = REASON_CESSATION;
        else if (i == 2)
            other.proof = "another";
        else
            other.requester = BY_HOLDER;
        assert_err(act_at(f, f->pg, other, &c, NOW, &again, &n), ERR_CONFLICT, &f->w.why);
        assert_string_equal(f->w.why.code, "revocation.key");
    }
    assert_string_equal(state_of(f, &c), "active:-1");
    assert_string_equal(value(f, "count(*) FROM revocation_request WHERE certificate_id = $ID", c.id), "2");
}

static void
bad_input_stores_nothing(void **state)
{
    struct fixture *f = *state;
    const struct cert c = cert_make(f, HOLD, "active", "h", "t", "");
    static const struct call bad[] = { { REVOCATION_REVOKE, REASON_NONE }, { REVOCATION_REVOKE, REASON_HOLD },
                                       { REVOCATION_SUSPEND, REASON_HOLD }, { REVOCATION_REVOKE, 8 },
                                       { REVOCATION_REVOKE, 0 }, { REVOCATION_RESUME, REASON_SUPERSEDED } };
    struct revocation act = { .act = REVOCATION_REVOKE, .reason = REASON_SUPERSEDED, .invalid_at = NOW + 1, .key = "k" };
    struct revocation_result *r;
    char key[200];
    size_t n;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_string_equal(act_on(f, bad[i].act, bad[i].reason, &c, NOW), "revocation.reason");
    assert_err(act_at(f, f->pg, act, &c, NOW, &r, &n), ERR_INPUT, &f->w.why);
    memset(key, 'k', sizeof(key));
    key[129] = '\0';
    act.invalid_at = NOW - DAY;
    act.key = key;
    assert_err(act_at(f, f->pg, act, &c, NOW, &r, &n), ERR_INPUT, &f->w.why);
    act.key = "k";
    act.holder = "nobody";
    act.town = "t";
    assert_err(act_at(f, f->pg, act, NULL, NOW, &r, &n), ERR_NOT_FOUND, &f->w.why);
    assert_string_equal(f->w.why.code, "revocation.none");
    assert_int_equal(operator_count("SELECT count(*) FROM pki.revocation_key"), 0);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.revocation_request"), 0);
    key[128] = '\0';
    act.key = key;
    act.holder = act.town = NULL;
    assert_ok(act_at(f, f->pg, act, &c, NOW, &r, &n), &f->w.why);
    assert_string_equal(state_of(f, &c), "revoked:4");
    assert_string_equal(value(f, "extract(epoch FROM invalid_at)::int8 FROM certificate WHERE id = $ID", c.id), "1794913600");
}

/* --- releases ----------------------------------------------------------------------------------------------------------- */

static void
two_release_a_hold(void **state)
{
    struct fixture *f = *state;
    const struct cert c = cert_make(f, HOLD, "active", "h", "t", "");

    assert_string_equal(act_on(f, REVOCATION_SUSPEND, REASON_NONE, &c, NOW), "held");
    assert_string_equal(act_on(f, REVOCATION_RESUME, REASON_NONE, &c, NOW + DAY), "approval.few");
    yes(f, 2, &c, NOW);
    assert_string_equal(act_on(f, REVOCATION_RESUME, REASON_NONE, &c, NOW + DAY), "approval.few");
    yes(f, 0, &c, NOW);                                   /* a custodian has no part in it */
    assert_string_equal(act_on(f, REVOCATION_RESUME, REASON_NONE, &c, NOW + DAY), "approval.few");
    assert_string_equal(state_of(f, &c), "held:6");
    yes(f, 3, &c, NOW);
    assert_string_equal(act_on(f, REVOCATION_RESUME, REASON_NONE, &c, NOW + DAY), "released");
    /* the yeses were for that hold; the next one asks again, and the third is one too many */
    assert_string_equal(act_on(f, REVOCATION_SUSPEND, REASON_NONE, &c, NOW + 2 * DAY), "held");
    assert_string_equal(act_on(f, REVOCATION_RESUME, REASON_NONE, &c, NOW + 2 * DAY), "approval.few");
    yes(f, 2, &c, NOW + 2 * DAY);
    yes(f, 3, &c, NOW + 2 * DAY);
    assert_string_equal(act_on(f, REVOCATION_RESUME, REASON_NONE, &c, NOW + 2 * DAY), "released");
    assert_string_equal(act_on(f, REVOCATION_SUSPEND, REASON_NONE, &c, NOW + 3 * DAY), "revoked");
    assert_string_equal(act_on(f, REVOCATION_RESUME, REASON_NONE, &c, NOW + 3 * DAY), REVOCATION_FINAL);
}

/* --- holders and stations ----------------------------------------------------------------------------------------------- */

static void
all_of_a_holder(void **state)
{
    struct fixture *f = *state;
    const struct cert a = cert_make(f, DEFER, "active", "anna", "t", ""), b = cert_make(f, HOLD, "issued", "anna", "t", ""),
                      dead = cert_make(f, HOLD, "expired", "anna", "t", ""),
                      there = cert_make(f, HOLD, "active", "anna", "u", ""),
                      other = cert_make(f, HOLD, "active", "berta", "t", "");
    struct revocation act = { .act = REVOCATION_SUSPEND, .reason = REASON_NONE, .invalid_at = UTIME_NULL, .requester = BY_TOWN,
                              .holder = "anna", .town = "t", .key = "all" };
    struct revocation_result *r;
    size_t n;

    for (int i = 0; i < 2; i++) {
        assert_ok(act_at(f, f->pg, act, NULL, NOW, &r, &n), &f->w.why);
        assert_int_equal(n, 2);
        assert_string_equal(state_of(f, &a), "active:-1");
        assert_string_equal(state_of(f, &b), "held:6");
    }
    assert_string_equal(state_of(f, &dead), "expired:-1");
    assert_string_equal(state_of(f, &there), "active:-1");
    assert_string_equal(state_of(f, &other), "active:-1");
    assert_int_equal(operator_count("SELECT count(*) FROM pki.revocation_request WHERE key = 'all'"), 2);
    act.act = REVOCATION_REVOKE;
    act.reason = REASON_KEY_COMPROMISE;
    act.key = "all-2";
    assert_ok(act_at(f, f->pg, act, NULL, NOW + HOUR, &r, &n), &f->w.why);
    assert_int_equal(n, 2);
    assert_string_equal(state_of(f, &a), "revoked:1");
    assert_string_equal(state_of(f, &b), "revoked:1");
}

static void
stations_have_towns_and_profiles(void **state)
{
    struct fixture *f = *state;
    const struct cert c = cert_make(f, IMMEDIATE, "active", "h", "t", "");
    static const char *const bad[] = { "state = 'suspended', suspended_at = added_at", "may_revoke = false", "towns = '{u}'",
                                      "profiles = '{p-hold}'" };
    struct revocation act = { .act = REVOCATION_SUSPEND, .reason = REASON_NONE, .invalid_at = UTIME_NULL,
                              .requester = BY_STATION, .key = "s" };
    struct revocation_result *r;
    char station[37], sql[600];
    size_t n;

    rand_uuid(station);
    act.station = station;
    assert_err(act_at(f, f->pg, act, &c, NOW, &r, &n), ERR_DENIED, &f->w.why);           /* no such station */
    snprintf(sql, sizeof(sql), "INSERT INTO pki.station (id, name, profiles, towns, may_revoke, state, added_at) VALUES "
             "('%s', 'idp', '{p-immediate}', '{t}', true, 'active', to_timestamp(1795000000))", station);
    sql_run(f, sql);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        snprintf(sql, sizeof(sql), "UPDATE pki.station SET %s", bad[i]);
        sql_run(f, sql);
        assert_err(act_at(f, f->pg, act, &c, NOW, &r, &n), ERR_DENIED, &f->w.why);
        assert_string_equal(f->w.why.code, "revocation.station");
        sql_run(f, "UPDATE pki.station SET state = 'active', may_revoke = true, towns = '{t}', profiles = '{p-immediate}'");
    }
    assert_string_equal(state_of(f, &c), "active:-1");
    assert_ok(act_at(f, f->pg, act, &c, NOW, &r, &n), &f->w.why);
    assert_string_equal(state_of(f, &c), "revoked:5");
}

/* --- at once ------------------------------------------------------------------------------------------------------------ */

struct racer {
    struct fixture *f;
    const struct cert *c;
    struct revocation act;
    char key[40], outcome[64];
    enum err e;
};

static void *
race(void *arg)
{
    struct racer *x = arg;
    AUTO(arena_freep) struct arena *a = arena_new(1 << 20);
    AUTO(pg_closep) struct pg *pg = NULL;
    struct revocation_result *r;
    struct why why = WHY_INIT;
    size_t n = 0;

    x->act.ca = "cards-g1";
    x->act.serial = (struct str){ (const char *)x->c->serial, 16 };
    x->act.key = x->key;
    x->act.requester_ref = x->act.proof = "";
    if ((x->e = pg_open(&x->f->conf, &pg, &why)) != OK ||
        (x->e = revocation_do(pg, &x->f->set, &x->act, "station:test", NOW, a, &r, &n, &why)) != OK)
        snprintf(x->outcome, sizeof(x->outcome), "%.60s", why.text);
    else
        snprintf(x->outcome, sizeof(x->outcome), "%s", r[0].outcome);
    return NULL;
}

#define RACERS 64
static int
race_all(struct fixture *f, const struct cert *c, bool same_key, bool mixed, const char *outcome)
{
    static struct racer racers[RACERS];
    pthread_t threads[RACERS];
    int n = 0;

    for (int i = 0; i < RACERS; i++) {
        racers[i] = (struct racer){ .f = f, .c = c, .act = { .act = mixed && i % 4 == 0 ? REVOCATION_REVOKE : REVOCATION_SUSPEND,
                                    .reason = mixed && i % 4 == 0 ? REASON_SUPERSEDED : REASON_NONE, .invalid_at = UTIME_NULL } };
        snprintf(racers[i].key, sizeof(racers[i].key), "race-%s-%d", c->id + 24, same_key ? 0 : i);
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < RACERS; i++) {
        pthread_join(threads[i], NULL);
        if (racers[i].e != OK)
            fail_msg("racer %d: %s", i, racers[i].outcome);
        n += strcmp(racers[i].outcome, outcome) == 0;
    }
    return n;
}

static void
many_at_once_have_one_effect(void **state)
{
    struct fixture *f = *state;
    const struct cert held = cert_make(f, HOLD, "active", "h", "t", ""), deferred = cert_make(f, DEFER, "active", "h", "t", ""),
                      once = cert_make(f, IMMEDIATE, "active", "h", "t", ""), mixed = cert_make(f, HOLD, "active", "h", "t", "");

    sql_run(f, "DELETE FROM pki.status_change");
    assert_int_equal(race_all(f, &held, false, false, "held"), 1);
    assert_string_equal(value(f, "holds FROM certificate WHERE id = $ID", held.id), "1");
    assert_int_equal(race_all(f, &deferred, false, false, "deferred"), 1);
    assert_int_equal(race_all(f, &once, true, false, "revoked"), RACERS);        /* one call, said 64 times */
    assert_string_equal(value(f, "count(*) FROM revocation_request WHERE certificate_id = $ID", once.id), "1");
    assert_int_equal(operator_count("SELECT count(*) FROM pki.status_change"), 2);
    assert_int_equal(race_all(f, &mixed, false, true, "revoked"), 1);
    assert_string_equal(state_of(f, &mixed), "revoked:4");
}

/* --- the clock ---------------------------------------------------------------------------------------------------------- */

static int
due(struct fixture *f, utime now)
{
    int n = -1;

    assert_ok(revocation_run_due(f->pg, &f->set, now, 100, &n, &f->w.why), &f->w.why);
    return n;
}

static void
the_clock_revokes(void **state)
{
    struct fixture *f = *state;
    const struct cert a = cert_make(f, DEFER, "active", "h", "t", ""), b = cert_make(f, DEFER, "active", "h", "t", ""),
                      c = cert_make(f, HOLD, "active", "h", "t", ""), ended = cert_make(f, DEFER, "active", "h", "t", "");
    const char *date;
    char sql[200];

    assert_string_equal(act_on(f, REVOCATION_SUSPEND, REASON_NONE, &a, NOW), "deferred");
    assert_string_equal(act_on(f, REVOCATION_SUSPEND, REASON_NONE, &b, NOW), "deferred");
    assert_string_equal(act_on(f, REVOCATION_SUSPEND, REASON_NONE, &ended, NOW), "deferred");
    assert_string_equal(act_on(f, REVOCATION_RESUME, REASON_NONE, &b, NOW + HOUR), "withdrawn");
    assert_string_equal(act_on(f, REVOCATION_SUSPEND, REASON_NONE, &c, NOW), "held");
    date = value(f, "revoked_at FROM certificate WHERE id = $ID", c.id);
    snprintf(sql, sizeof(sql), "UPDATE pki.certificate SET state = 'expired' WHERE id = '%s'", ended.id);
    sql_run(f, sql);
    assert_int_equal(due(f, NOW + 24 * HOUR - 1), 0);
    assert_string_equal(state_of(f, &a), "active:-1");
    assert_int_equal(due(f, NOW + 24 * HOUR), 2);
    assert_int_equal(due(f, NOW + 24 * HOUR), 0);
    assert_string_equal(state_of(f, &a), "revoked:5");
    assert_string_equal(state_of(f, &b), "active:-1");
    assert_string_equal(state_of(f, &ended), "expired:-1");
    assert_string_equal(value(f, "state FROM revocation_request WHERE certificate_id = $ID", a.id), "executed");
    assert_string_equal(value(f, "state FROM revocation_request WHERE certificate_id = $ID", ended.id), "withdrawn");
    assert_string_equal(act_on(f, REVOCATION_RESUME, REASON_NONE, &a, NOW + 25 * HOUR), REVOCATION_FINAL);

    assert_int_equal(due(f, NOW + 90 * DAY - 1), 0);
    assert_string_equal(state_of(f, &c), "held:6");
    assert_int_equal(due(f, NOW + 90 * DAY), 1);
    assert_string_equal(state_of(f, &c), "revoked:5");
    assert_string_equal(value(f, "revoked_at FROM certificate WHERE id = $ID", c.id), date);
    assert_string_equal(value(f, "count(*) FROM revocation_request WHERE certificate_id = $ID AND requester = 'timer'", c.id),
                        "1");
    assert_string_equal(value(f, "count(*) FROM audit_event WHERE object = 'certificate:' || $ID AND actor = 'system'", c.id),
                        "1");
}

static void
nobody_accepted_it(void **state)
{
    struct fixture *f = *state;
    const struct cert a = cert_make(f, DEFER, "issued", "h", "t", "accepted_at = NULL"),
                      accepted = cert_make(f, DEFER, "active", "h", "t", ""),
                      tacit = cert_make(f, HOLD, "active", "h", "t", "accepted_at = NULL"),
                      both = cert_make(f, DEFER, "active", "h", "t", "accepted_at = NULL");
    struct alarm alarm = { .kind = "certificate.unaccepted", .text = "x", .level = ALARM_WARNING };

    alarm.object = arena_printf(f->w.a, "certificate:%s", a.id);
    assert_ok(alarm_raise(f->w.pg, &alarm, NOW, NULL, &f->w.why), &f->w.why);
    assert_int_equal(due(f, NOW + 60 * DAY - 1), 0);
    assert_string_equal(act_on(f, REVOCATION_SUSPEND, REASON_NONE, &both, NOW + 60 * DAY - 1), "deferred");
    assert_int_equal(due(f, NOW + 60 * DAY), 2);
    assert_string_equal(state_of(f, &a), "revoked:9");
    assert_string_equal(state_of(f, &both), "revoked:9");
    assert_string_equal(state_of(f, &accepted), "active:-1");
    assert_string_equal(state_of(f, &tacit), "active:-1");
    assert_int_equal(operator_count("SELECT count(*) FROM pki.alarm WHERE ended_at IS NULL"), 0);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.revocation_request WHERE state = 'deferred'"), 0);
    assert_int_equal(due(f, NOW + 120 * DAY), 0);
}

/* --- whoever writes ----------------------------------------------------------------------------------------------------- */

static void
revoked_stays_revoked(void **state)
{
    static const char *const states[] = { "issued", "active", "held", "expired", "reserved", "void" };
    struct fixture *f = *state;
    const struct cert c = cert_make(f, HOLD, "active", "h", "t", "");
    char sql[200];

    assert_string_equal(act_on(f, REVOCATION_REVOKE, REASON_SUPERSEDED, &c, NOW), "revoked");
    for (int archived = 0; archived < 2; archived++) {
        for (size_t i = 0; i < ARRAY_LEN(states); i++) {
            PGresult *r;

            snprintf(sql, sizeof(sql), "UPDATE certificate SET state = '%s', reason = 6 WHERE id = '%s'", states[i], c.id);
            r = PQexec(f->sql, sql);
            assert_int_equal(PQresultStatus(r), PGRES_FATAL_ERROR);
            assert_string_equal(PQresultErrorField(r, PG_DIAG_CONSTRAINT_NAME), "certificate_final");
            PQclear(r);
        }
        assert_string_equal(state_of(f, &c), archived ? "archived:4" : "revoked:4");
        snprintf(sql, sizeof(sql), "UPDATE certificate SET state = 'archived' WHERE id = '%s'", c.id);
        sql_run(f, sql);
    }
}

/* The roles have what acts and timers need. */
static void
roles_suffice(void **state)
{
    struct fixture *f = *state;
    const struct cert c = cert_make(f, HOLD, "active", "h", "t", ""),
                      d = cert_make(f, DEFER, "active", "h", "t", "accepted_at = NULL");
    static const char *const roles[] = { "pki_front", "pki_worker" };
    char conninfo[600];
    struct pg_config conf = f->conf;

    test_conninfo("user=pki_front options='-c search_path=pki'", conninfo, sizeof(conninfo));
    conf.conninfo = conninfo;
    for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
        static const struct pg_stmts *const worker[] = { &audit_stmts, &revocation_timer_stmts, NULL };
        struct pg *owner = f->pg;
        char options[120];

        snprintf(options, sizeof(options), "user=%s options='-c search_path=pki'", roles[i]);
        test_conninfo(options, conninfo, sizeof(conninfo));
        conf.stmts = i == 0 ? stmts_here : worker;
        assert_ok(pg_open(&conf, &f->pg, &f->w.why), &f->w.why);
        if (i == 0) {
            assert_string_equal(act_on(f, REVOCATION_SUSPEND, REASON_NONE, &c, NOW), "held");
            assert_string_equal(act_on(f, REVOCATION_RESUME, REASON_NONE, &c, NOW), "approval.few");
        } else {
            assert_int_equal(due(f, NOW + 100 * DAY), 2);
            assert_string_equal(state_of(f, &d), "revoked:9");
        }
        pg_close(f->pg);
        f->pg = owner;
    }
}

/* --- the commands ------------------------------------------------------------------------------------------------------- */

/* That act on that certificate, said by that person. */
static const char *
command(const struct pki_desk *d, const char *person, const char *act, const struct cert *c, const char *more)
{
    char hex[33];

    for (size_t i = 0; i < 16; i++)
        snprintf(hex + 2 * i, 3, "%02x", c->serial[i]);
    return desk_run(d, person, arena_printf(d->w->a, "%s --ca cards-g1 --serial %s %s", act, hex, more));
}

static void
operators_have_commands(void **state)
{
    struct fixture *f = *state;
    const char *live = arena_printf(f->w.a, "profile = 'citizen-card-local', not_after = to_timestamp(%lld)",
                                    (long long)(utime_seconds(clock_now()) + 86400 * 365));
    const struct cert c = cert_make(f, HOLD, "active", "h", "t", live), d = cert_make(f, DEFER, "active", "h", "t",
                      arena_printf(f->w.a, "%s, holds = 0", live)), e = cert_make(f, DEFER, "active", "h", "t", live);
    struct pki_desk desk;
    char rosa[37], vera[37], remi[37];

    desk_begin(&desk, &f->w);
    desk_person(&desk, "rosa", ROLE_REVOCATION, rosa);
    desk_person(&desk, "vera", ROLE_VALIDATION, vera);
    desk_person(&desk, "remi", ROLE_SYSTEMS, remi);
    sql_run(f, arena_printf(f->w.a, "UPDATE certificate SET profile = 'agent-card' WHERE id = '%s'", d.id));

    /* the engineer and the validator cannot (P-201) */
    assert_says(command(&desk, "remi", "revoke", &c, "--reason superseded"), "1 ");
    assert_says(command(&desk, "vera", "suspend", &c, ""), "1 ");
    assert_string_equal(state_of(f, &c), "active:-1");
    assert_says(command(&desk, "rosa", "revoke", &c, "--reason hold"), "--reason is");
    assert_says(command(&desk, "rosa", "revoke", &c, ""), "2 usage");
    /* held, released by two */
    assert_string_equal(command(&desk, "rosa", "suspend", &c, "--proof pv-7"), "0 held\n");
    assert_says(command(&desk, "rosa", "suspend", &c, ""), REVOCATION_ALREADY);
    assert_says(command(&desk, "rosa", "resume", &c, ""), "one more person");
    assert_says(command(&desk, "rosa", "resume", &c, ""), "one more person");
    assert_says(command(&desk, "remi", "resume", &c, ""), "1 ");
    assert_string_equal(state_of(f, &c), "held:6");
    assert_says(command(&desk, "vera", "resume", &c, ""), "released");
    assert_string_equal(state_of(f, &c), "active:-1");
    /* deferred, taken back */
    assert_says(command(&desk, "rosa", "suspend", &d, ""), "0 deferred until 20");
    assert_string_equal(command(&desk, "rosa", "resume", &d, ""), "0 withdrawn\n");
    /* for good */
    assert_string_equal(command(&desk, "rosa", "revoke", &e, "--reason key_compromise --invalid-at 2026-11-01T00:00:00Z"),
                        "0 revoked\n");
    assert_string_equal(state_of(f, &e), "revoked:1");
    assert_says(command(&desk, "rosa", "resume", &e, ""), REVOCATION_FINAL);
    assert_string_equal(value(f, "requester_ref || ' ' || proof FROM revocation_request WHERE certificate_id = $ID AND "
                                 "outcome = 'held'", c.id), arena_printf(f->w.a, "%s pv-7", rosa));
    desk_end(&desk);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_state_act_policy, setup, teardown),
        cmocka_unit_test_setup_teardown(said_again_is_answered_alike, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_input_stores_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(two_release_a_hold, setup, teardown),
        cmocka_unit_test_setup_teardown(all_of_a_holder, setup, teardown),
        cmocka_unit_test_setup_teardown(stations_have_towns_and_profiles, setup, teardown),
        cmocka_unit_test_setup_teardown(many_at_once_have_one_effect, setup, teardown),
        cmocka_unit_test_setup_teardown(the_clock_revokes, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_accepted_it, setup, teardown),
        cmocka_unit_test_setup_teardown(revoked_stays_revoked, setup, teardown),
        cmocka_unit_test_setup_teardown(roles_suffice, setup, teardown),
        cmocka_unit_test_setup_teardown(operators_have_commands, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
