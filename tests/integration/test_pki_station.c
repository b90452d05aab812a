/*
 * station: two let a station in and back in; one takes it away; who has no role is refused, and the audit trail says so; what a
 * station may do is fixed by what two signed; responders of status nodes. Through the commands of the real program.
 */
#include "tests/integration/pki_command.h"

#include "pki/authority/responder.h"
#include "pki/authority/station.h"

static const struct pg_stmts *const stmts_here[] = { &audit_stmts, &approval_stmts, &pki_person_stmts, &grant_stmts, &station_stmts,
                                                     &registration_stmts, NULL };
enum { SYS, SEC, DESK, REG, REV, PERSONS };
static const struct {
    const char *name;
    enum role role;
} persons[PERSONS] = {
    { "remi", ROLE_SYSTEMS }, { "sara", ROLE_SECURITY }, { "dora", ROLE_SERVICE_DESK }, { "rene", ROLE_REGISTRATION },
    { "rosa", ROLE_REVOCATION },
};

struct fixture {
    struct pki_world w;
    struct pki_desk d;
    struct pg_config conf;
    struct pg *pg;
    char ids[PERSONS][37];
    struct profile_set profiles;
    struct keyring *field;
    struct clock_guard clock;
    struct issue_ca cas[2];
    struct issue_context x;
};
enum { CARDS, SERVERS };

static int
setup(void **state)
{
    static const char *const cas[] = { "cards", "servers" };
    struct fixture *f = calloc(1, sizeof(*f));
    char set[37];

    pki_world_begin(&f->w, utime_seconds(clock_now()) * USEC_PER_SEC);
    desk_begin(&f->d, &f->w);
    f->conf = f->w.conf;
    f->conf.stmts = stmts_here;
    assert_ok(pg_open(&f->conf, &f->pg, &f->w.why), &f->w.why);
    for (size_t i = 0; i < PERSONS; i++)
        desk_person(&f->d, persons[i].name, persons[i].role, f->ids[i]);
    rand_uuid(set);
    assert_ok(profile_set_load(SOURCE_DIR "/pki/profiles", &f->profiles, &f->w.why), &f->w.why);
    assert_ok(keyring_load(arena_printf(f->w.a, "%s/keys/field", f->d.folder), &f->field, &f->w.why), &f->w.why);
    for (size_t i = 0; i < 2; i++) {
        AUTO(buf_free) struct buf spki = BUF_BOUNDED(1024);

        f->cas[i].key = pki_key_make(KEY_P256, 0);
        key_spki(f->cas[i].key, &spki);
        assert_ok(key_public(buf_view(&spki), &f->cas[i].public_key, &f->w.why), &f->w.why);
        pki_ca_make(&f->w, cas[i], f->cas[i].key, "sealed:/nowhere", set, i == 0 ? 0 : f->cas[0].ca.id, &f->cas[i].ca);
    }
    f->x = (struct issue_context){ .profiles = &f->profiles, .field = f->field, .base_url = "http://pki.example",
                                   .clock = &f->clock, .cas = f->cas, .ncas = 2, .actor = "signer" };
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < 2; i++) {
        key_free(f->cas[i].key);
        key_free(f->cas[i].public_key);
    }
    keyring_free(f->field);
    profile_set_free(&f->profiles);
    pg_close(f->pg);
    desk_end(&f->d);
    pki_world_end(&f->w);
    free(f);
    return 0;
}

static const char *
run(struct fixture *f, int person, const char *words)
{
    return desk_run(&f->d, person < 0 ? NULL : persons[person].name, words);
}

static const char *
state_of(struct fixture *f, const char *name)
{
    struct station s;

    f->w.why = (struct why)WHY_INIT;
    assert_ok(station_find(f->pg, name, f->w.a, &s, &f->w.why), &f->w.why);
    return station_state_name(s.state);
}

static int64_t
refusals(struct fixture *f, const char *verb, int person)
{
    return operator_count(arena_printf(f->w.a, "SELECT count(*) FROM pki.audit_event WHERE verb = '%s' AND result = "
                                       "'approval.roles' AND detail->>'person' = '%s'", verb, f->ids[person]));
}

#define ADD "station add idp --profile citizen-card,citizen-soft --town rivemont,valbourg --may-revoke"

static void
two_let_it_in(void **state)
{
    struct fixture *f = *state;

    /* who has no role for it proposes nothing, and it is written down */
    assert_says(run(f, REG, ADD), "no role");
    assert_int_equal(refusals(f, "station.propose", REG), 1);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.station"), 0);
    assert_says(run(f, SYS, ADD), "one more person");
    assert_string_equal(state_of(f, "idp"), "proposed");
    assert_says(run(f, SYS, ADD), "is there, or was");
    /* the same person again, a second one of the same half, and one of neither: it waits */
    assert_says(run(f, SYS, "station approve idp"), "said so already");
    assert_says(run(f, DESK, "station approve idp"), "one more person");
    assert_says(run(f, REG, "station approve idp"), "no role");
    assert_says(run(f, SEC, "station resume idp"), "is proposed");
    assert_int_equal(refusals(f, "station.approve", REG), 1);
    assert_string_equal(state_of(f, "idp"), "proposed");
    assert_says(run(f, SEC, "station approve idp"), "station idp: active");
    assert_says(run(f, SEC, "station approve idp"), "1 ");
    assert_says(run(f, -1, "station show idp"), "\"state\":\"active\",\"profiles\":[\"citizen-card\",\"citizen-soft\"],"
                "\"may_revoke\":true,\"towns\":[\"rivemont\",\"valbourg\"]");
    assert_says(run(f, -1, "station list"), "\"name\":\"idp\"");
    assert_int_equal(operator_count("SELECT count(*) FROM pki.audit_event WHERE verb = 'station.approve' AND result = 'ok' AND "
                                    "(detail->>'active')::bool"), 1);
}

static void
one_takes_it_away(void **state)
{
    struct fixture *f = *state;

    assert_says(run(f, DESK, "station add perso --profile citizen-card --all-towns"), "one more person");
    assert_says(run(f, SEC, "station approve perso"), "active");
    assert_says(run(f, REG, "station suspend perso"), "no role");
    assert_int_equal(refusals(f, "station.suspend", REG), 1);
    assert_string_equal(state_of(f, "perso"), "active");
    assert_says(run(f, REV, "station suspend perso"), "perso: suspended");
    assert_says(run(f, REV, "station suspend perso"), "is suspended");
    /* back with two; what they said to let it in does not count again */
    assert_says(run(f, SEC, "station resume perso"), "one more person");
    assert_string_equal(state_of(f, "perso"), "suspended");
    assert_says(run(f, REV, "station resume perso"), "no role");
    assert_says(run(f, SYS, "station resume perso"), "perso: active");
    /* for good */
    assert_says(run(f, REV, "station end perso"), "no role");
    assert_says(run(f, SYS, "station end perso"), "perso: ended");
    assert_says(run(f, SYS, "station resume perso"), "is ended");
    assert_says(run(f, SYS, "station end perso"), "is ended");
    assert_says(run(f, SYS, "station add perso --profile citizen-card --all-towns"), "is there, or was");
    assert_says(run(f, SYS, "station end nobody"), "no station nobody");
    assert_string_equal(state_of(f, "perso"), "ended");
}

/* A yes is for one suspension alone, and nobody's key but one's own makes it. */
static void
a_yes_is_for_one_time(void **state)
{
    struct fixture *f = *state;
    static const char *const profiles[] = { "citizen-card" };
    struct station s = { .name = "s", .profiles = profiles, .nprofiles = 1, .all_towns = true };
    AUTO(buf_free) struct buf sig = BUF_BOUNDED(64);
    struct key *keys[2] = { NULL, NULL };
    unsigned char subject[SHA256_LEN];
    utime now = f->w.now;
    bool active = false;

    for (int i = 0; i < 2; i++) {
        const char *path = arena_printf(f->w.a, "%s/%s", f->d.folder, persons[i].name);
        const int fd = open(path, O_RDONLY);
        char block[16384];
        const ssize_t n = read(fd, block, sizeof(block));

        close(fd);
        assert_true(n > 0);
        assert_ok(person_key_open((struct str){ block, (size_t)n }, str_of(arena_printf(f->w.a, "%s knows a long phrase",
                  persons[i].name)), &keys[i], NULL, &f->w.why), &f->w.why);
    }
    rand_uuid(s.id);
    s.state = STATION_PROPOSED;
    s.added_at = now;
    station_subject(&s, subject);
    assert_ok(approval_sign(keys[0], APPROVE_STATION, now, subject, &sig, &f->w.why), &f->w.why);
    /* another's signature under one's own name */
    assert_err(station_add(f->pg, &s, &(struct signed_yes){ f->ids[SEC], buf_view(&sig), now }, "operator:test", now, &f->w.why),
               ERR_DENIED, &f->w.why);
    /* and over another station */
    s.may_revoke = true;
    assert_err(station_add(f->pg, &s, &(struct signed_yes){ f->ids[SYS], buf_view(&sig), now }, "operator:test", now, &f->w.why),
               ERR_DENIED, &f->w.why);
    s.may_revoke = false;
    assert_int_equal(operator_count("SELECT count(*) FROM pki.station"), 0);
    assert_ok(station_add(f->pg, &s, &(struct signed_yes){ f->ids[SYS], buf_view(&sig), now }, "operator:test", now, &f->w.why),
              &f->w.why);
    for (int suspension = 0; suspension < 3; suspension++) {
        /* a row edited after the first yes is another station */
        if (suspension == 0)
            operator_run("UPDATE pki.station SET profiles = '{citizen-card,agent-card}'", NULL, 0);
        assert_ok(station_find(f->pg, "s", f->w.a, &s, &f->w.why), &f->w.why);
        station_subject(&s, subject);
        buf_reset(&sig);
        assert_ok(approval_sign(keys[1], APPROVE_STATION, now, subject, &sig, &f->w.why), &f->w.why);
        assert_ok(station_approve(f->pg, "s", &(struct signed_yes){ f->ids[SEC], buf_view(&sig), now }, "operator:test", now,
                                  &active, &f->w.why), &f->w.why);
        assert_false(active);
        buf_reset(&sig);
        assert_ok(approval_sign(keys[0], APPROVE_STATION, now, subject, &sig, &f->w.why), &f->w.why);
        assert_ok(station_approve(f->pg, "s", &(struct signed_yes){ f->ids[SYS], buf_view(&sig), now }, "operator:test", now,
                                  &active, &f->w.why), &f->w.why);
        assert_true(active);
        now += 60 * USEC_PER_SEC;
        assert_ok(station_suspend(f->pg, "s", f->ids[SYS], "operator:test", now, &f->w.why), &f->w.why);
    }
    key_free(keys[0]);
    key_free(keys[1]);
}

static void
what_is_no_station(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *words, *says;
    } rows[] = {
        { "station add Idp --profile citizen-card --all-towns", "letters" },
        { "station add i_p --profile citizen-card --all-towns", "letters" },
        { "station add idp --profile no-such --all-towns", "no profile no-such" },
        { "station add idp --profile issuing-ca --all-towns", "no profile issuing-ca" },
        { "station add idp --profile responder --all-towns", "no profile responder" },
        { "station add idp --profile citizen-card,citizen-card --all-towns", "twice" },
        { "station add idp --profile citizen-card --town a,,b", "town 2" },
        { "station add idp --profile citizen-card", "2 usage" },
        { "station add idp --profile citizen-card --all-towns --town a", "2 usage" },
        { "station add idp --all-towns", "2 usage" },
        { "station close idp", "2 usage" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_says(run(f, SYS, rows[i].words), rows[i].says);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.station"), 0);
    assert_says(run(f, SYS, "station add idp --profile citizen-card --all-towns"), "one more person");
}

static void
responders(void **state)
{
    struct fixture *f = *state;
    struct registration r;
    const char *said;

    assert_says(run(f, -1, "responder add nobody node1"), "1 ");
    assert_says(run(f, -1, "responder add cards no/de"), "a node is named");
    said = run(f, -1, "responder add cards node1");
    assert_true(strncmp(said, "0 ", 2) == 0 && strlen(said) == 39);
    assert_ok(registration_find_holder(f->pg, "", "responder", "cards/node1", f->w.a, &r, &f->w.why), &f->w.why);
    assert_memory_equal(r.id, said + 2, 36);
    assert_int_equal(r.state, REGISTRATION_OPEN);
    assert_says(run(f, -1, "responder add cards node1"), "registered for the profile already");
    assert_says(run(f, -1, "responder add cards node2"), "0 ");
    assert_says(run(f, -1, "responder end cards node1"), "cards/node1: ended");
    assert_says(run(f, -1, "responder end cards node1"), "1 ");
    assert_ok(registration_find_holder(f->pg, "", "responder", "cards/node1", f->w.a, &r, &f->w.why), &f->w.why);
    assert_int_equal(r.state, REGISTRATION_CLOSED);
}

/* --- what a station may ask ---------------------------------------------------------------------------------------------------- */

static void
station_put(struct fixture *f, const char *id, const char *name)
{
    operator_run(arena_printf(f->w.a, "INSERT INTO pki.station (id, name, profiles, towns, state, added_at) VALUES ('%s', '%s', "
                              "'{citizen-card}', '{rivemont}', 'active', '2026-01-01')", id, name), NULL, 0);
}

/* A request of that origin for a new key: what the judge says of it. */
static const char *
judged(struct fixture *f, const char *registration, enum request_origin origin, const char *station, int responder_of,
       const char *node, char ret_certificate[37])
{
    AUTO(key_freep) struct key *k = pki_key_make(KEY_P256, 0);
    AUTO(buf_free) struct buf spki = BUF_BOUNDED(1024);
    struct request q = { .kind = REQUEST_ENROLL, .origin = origin, .csr = pki_csr_make(&f->w, k) };
    struct issue_result result;
    char id[37];
    enum err e;

    rand_uuid(q.id);
    memcpy(q.registration, registration, sizeof(q.registration));
    snprintf(q.station, sizeof(q.station), "%s", station);
    key_spki(k, &spki);
    sha256(buf_view(&spki), q.spki_sha256);
    f->w.why = (struct why)WHY_INIT;
    assert_ok(request_add(f->w.pg, &q, "test", f->w.now, id, NULL, &f->w.why), &f->w.why);
    if (responder_of != 0)
        operator_run(arena_printf(f->w.a, "INSERT INTO pki.ocsp_signer (id, ca_id, node, request_id, asked_at) VALUES "
                                  "(gen_random_uuid(), %d, '%s', '%s', '2026-01-01')", responder_of, node, id), NULL, 0);
    e = issue_request(&f->x, f->w.pg, id, f->w.now, &result, &f->w.why);
    if (e != OK)
        return arena_strdup(f->w.a, f->w.why.code);
    if (ret_certificate != NULL)
        memcpy(ret_certificate, result.certificate, sizeof(result.certificate));
    return "issued";
}

static void
only_what_is_its_own(void **state)
{
    static const char idp[] = "00000000-0000-4000-8000-000000000001", other[] = "00000000-0000-4000-8000-000000000002";
    static const char *const bad[] = { "state = 'suspended', suspended_at = added_at", "state = 'proposed'",
                                       "state = 'ended', ended_at = added_at", "profiles = '{agent-card}'", "towns = '{valbourg}'" };
    const struct subject names = { .number = STR_LIT("12345678") };
    struct fixture *f = *state;
    struct registration r;

    station_put(f, idp, "idp");
    station_put(f, other, "other");
    r = pki_registration_make(&f->w, f->field, "citizen-card", "a-1", &names, SUPPORT_CARD, PROOF_FACE_TO_FACE);
    operator_run("UPDATE pki.registration SET station_id = '00000000-0000-4000-8000-000000000001', town = 'rivemont'", NULL, 0);
    assert_string_equal(judged(f, r.id, REQUEST_EST, other, 0, "", NULL), "pki.station");
    assert_string_equal(judged(f, r.id, REQUEST_OPERATOR, idp, 0, "", NULL), "pki.station");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        operator_run(arena_printf(f->w.a, "UPDATE pki.station SET %s WHERE name = 'idp'", bad[i]), NULL, 0);
        assert_string_equal(judged(f, r.id, REQUEST_EST, idp, 0, "", NULL), "pki.station");
        operator_run("UPDATE pki.station SET state = 'active', ended_at = NULL, profiles = '{citizen-card}', towns = '{rivemont}'",
                     NULL, 0);
    }
    assert_string_equal(judged(f, r.id, REQUEST_EST, idp, 0, "", NULL), "issued");
}

/* A person whom the operator registered under the name of a station is not the station. */
static void
a_namesake(void **state)
{
    static const char idp[] = "00000000-0000-4000-8000-000000000001";
    const struct subject person = { .number = STR_LIT("12345678") }, program = { .common_name = STR_LIT("idp") };
    struct fixture *f = *state;
    struct registration r;

    station_put(f, idp, "idp");
    r = pki_registration_make(&f->w, f->field, "citizen-card", "idp", &person, SUPPORT_CARD, PROOF_FACE_TO_FACE);
    assert_string_equal(judged(f, r.id, REQUEST_EST, idp, 0, "", NULL), "pki.station");
    r = pki_registration_make(&f->w, f->field, "station", "idp", &program, SUPPORT_SOFTWARE, PROOF_NONE);
    assert_string_equal(judged(f, r.id, REQUEST_EST, idp, 0, "", NULL), "issued");
}

static void
a_responder_for_its_own_authority(void **state)
{
    struct fixture *f = *state;
    struct registration r;
    const int cards = f->cas[CARDS].ca.id, servers = f->cas[SERVERS].ca.id;

    assert_says(run(f, -1, "responder add cards node1"), "0 ");
    assert_ok(registration_find_holder(f->pg, "", "responder", "cards/node1", f->w.a, &r, &f->w.why), &f->w.why);
    assert_string_equal(judged(f, r.id, REQUEST_STATUS, "", servers, "node1", NULL), "pki.station");
    assert_string_equal(judged(f, r.id, REQUEST_STATUS, "", cards, "node2", NULL), "pki.station");
    assert_string_equal(judged(f, r.id, REQUEST_STATUS, "", 0, "", NULL), "pki.station");
    assert_string_equal(judged(f, r.id, REQUEST_STATUS, "", cards, "node1", NULL), "issued");
}

static void
known_by_its_certificate(void **state)
{
    static const char idp[] = "00000000-0000-4000-8000-000000000001";
    const struct subject names = { .common_name = STR_LIT("idp") }, more = { .common_name = STR_LIT("idp two") };
    struct fixture *f = *state;
    struct registration own, program;
    struct certificate_row row;
    char certificate[37], found[37];
    struct station s;
    char *octets;

    station_put(f, idp, "idp");
    own = pki_registration_make(&f->w, f->field, "station", "idp", &names, SUPPORT_SOFTWARE, PROOF_NONE);
    program = pki_registration_make(&f->w, f->field, "station", "no-station", &more, SUPPORT_SOFTWARE, PROOF_NONE);
    /* over EST, as at a renewal: a station asks for itself */
    assert_string_equal(judged(f, own.id, REQUEST_EST, idp, 0, "", certificate), "issued");
    assert_ok(certificate_find(f->w.pg, str_of(certificate), f->w.a, &row, &f->w.why), &f->w.why);
    assert_ok(station_of_certificate(f->pg, row.der, f->w.now, f->w.a, &s, found, &f->w.why), &f->w.why);
    assert_string_equal(s.name, "idp");
    assert_string_equal(found, certificate);
    assert_true(station_has_profile(&s, "citizen-card") && !station_has_profile(&s, "agent-card"));
    assert_true(station_has_town(&s, "rivemont") && station_has_town(&s, "") && !station_has_town(&s, "valbourg"));
    /* its time, its state, the station's */
    assert_err(station_of_certificate(f->pg, row.der, row.not_after + 1, f->w.a, &s, NULL, &f->w.why), ERR_DENIED, &f->w.why);
    assert_string_equal(f->w.why.code, "station.certificate");
    operator_run("UPDATE pki.station SET state = 'suspended', suspended_at = added_at", NULL, 0);
    assert_err(station_of_certificate(f->pg, row.der, f->w.now, f->w.a, &s, NULL, &f->w.why), ERR_DENIED, &f->w.why);
    assert_string_equal(f->w.why.code, "station.state");
    operator_run("UPDATE pki.station SET state = 'active'", NULL, 0);
    /* the same key under another signature */
    octets = arena_dup(f->w.a, row.der.p, row.der.n);
    octets[row.der.n - 1] ^= 1;
    assert_err(station_of_certificate(f->pg, (struct str){ octets, row.der.n }, f->w.now, f->w.a, &s, NULL, &f->w.why), ERR_DENIED,
               &f->w.why);
    assert_string_equal(f->w.why.code, "station.unknown");
    assert_err(station_of_certificate(f->pg, STR_LIT("no certificate"), f->w.now, f->w.a, &s, NULL, &f->w.why), ERR_DENIED,
               &f->w.why);
    assert_ok(station_of_certificate(f->pg, row.der, f->w.now, f->w.a, &s, NULL, &f->w.why), &f->w.why);
    operator_run("UPDATE pki.certificate SET state = 'revoked', reason = 5, revoked_at = '2026-01-01'", NULL, 0);
    assert_err(station_of_certificate(f->pg, row.der, f->w.now, f->w.a, &s, NULL, &f->w.why), ERR_DENIED, &f->w.why);
    assert_string_equal(f->w.why.code, "station.certificate");
    /* of the same profile, but of no station */
    {
        AUTO(key_freep) struct key *k = pki_key_make(KEY_P256, 0);
        const char *id = pki_request_make(&f->w, &program, k, REQUEST_ENROLL, "");
        struct issue_result result;

        pki_approve_two(&f->w, f->field, id);
        assert_ok(issue_request(&f->x, f->w.pg, id, f->w.now, &result, &f->w.why), &f->w.why);
        assert_ok(certificate_find(f->w.pg, str_of(result.certificate), f->w.a, &row, &f->w.why), &f->w.why);
        assert_err(station_of_certificate(f->pg, row.der, f->w.now, f->w.a, &s, NULL, &f->w.why), ERR_DENIED, &f->w.why);
        assert_string_equal(f->w.why.code, "station.unknown");
    }
}

/* The front reads what it needs under its own role. */
static void
the_front_may_look(void **state)
{
    struct fixture *f = *state;
    AUTO(pg_closep) struct pg *pg = NULL;
    static const struct pg_stmts *const front[] = { &station_stmts, NULL };
    struct pg_config conf = f->conf;
    char conninfo[600];
    struct station s;

    station_put(f, "00000000-0000-4000-8000-000000000001", "idp");
    test_conninfo("user=pki_front options='-c search_path=pki'", conninfo, sizeof(conninfo));
    conf.conninfo = conninfo;
    conf.stmts = front;
    assert_ok(pg_open(&conf, &pg, &f->w.why), &f->w.why);
    assert_ok(station_find(pg, "idp", f->w.a, &s, &f->w.why), &f->w.why);
    assert_err(station_suspend(pg, "idp", f->ids[SYS], "front", f->w.now, &f->w.why), ERR_INTERNAL, &f->w.why);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(two_let_it_in, setup, teardown),
        cmocka_unit_test_setup_teardown(one_takes_it_away, setup, teardown),
        cmocka_unit_test_setup_teardown(a_yes_is_for_one_time, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_station, setup, teardown),
        cmocka_unit_test_setup_teardown(responders, setup, teardown),
        cmocka_unit_test_setup_teardown(only_what_is_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(a_namesake, setup, teardown),
        cmocka_unit_test_setup_teardown(a_responder_for_its_own_authority, setup, teardown),
        cmocka_unit_test_setup_teardown(known_by_its_certificate, setup, teardown),
        cmocka_unit_test_setup_teardown(the_front_may_look, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
