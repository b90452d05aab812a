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
    struct key *key;
    struct ca ca;
};

static int
setup(void **state)
{
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
    AUTO(buf_free) struct buf sig = BUF_BOUNDED(64), text = BUF_BOUNDED(16384);
    struct key *keys[2] = { NULL, NULL };
    unsigned char subject[SHA256_LEN];
    utime now = f->w.now;
    bool active = false;

    for (int i = 0; i < 2; i++) {
        AUTO(buf_free) struct buf file = BUF_BOUNDED(16384);
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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(two_let_it_in, setup, teardown),
        cmocka_unit_test_setup_teardown(one_takes_it_away, setup, teardown),
        cmocka_unit_test_setup_teardown(a_yes_is_for_one_time, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_station, setup, teardown),
        cmocka_unit_test_setup_teardown(responders, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
