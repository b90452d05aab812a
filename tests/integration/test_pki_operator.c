/*
 * the operator's commands over many certificates: all of a holder at once, two persons for many, acceptance, the list's filters,
 * and what the audit trail says of who was refused. Through the real program.
 */
#include "tests/integration/pki_command.h"

#include "pki/authority/revocation.h"

struct fixture {
    struct pki_world w;
    struct pki_desk d;
    char rosa[37], sara[37], vera[37], remi[37];
    struct key *key;
    struct ca ca;
    int n;
};

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    char set[37];

    pki_world_begin(&f->w, utime_seconds(clock_now()) * USEC_PER_SEC);
    desk_begin(&f->d, &f->w);
    desk_person(&f->d, "rosa", ROLE_REVOCATION, f->rosa);
    desk_person(&f->d, "sara", ROLE_SECURITY, f->sara);
    desk_person(&f->d, "vera", ROLE_VALIDATION, f->vera);
    desk_person(&f->d, "remi", ROLE_SYSTEMS, f->remi);
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
    desk_end(&f->d);
    pki_world_end(&f->w);
    free(f);
    return 0;
}

/* A certificate of that holder, profile and state; its serial number in hexadecimal. */
static const char *
cert_make(struct fixture *f, const char *holder, const char *profile, const char *state)
{
    const char *serial = arena_printf(f->w.a, "01%028x%02x", 0, ++f->n);
    const bool held = strcmp(state, "held") == 0;
    char registration[37];

    rand_uuid(registration);
    operator_run(arena_printf(f->w.a, "INSERT INTO pki.registration (id, profile, town, holder, support, proof, state, made_at) VALUES "
        "('%s', '%s.%d', 'rivemont', '%s', 'card', 'none', 'open', '2026-01-01')", registration, profile, f->n, holder), NULL, 0);
    operator_run(arena_printf(f->w.a, "INSERT INTO pki.certificate (id, ca_id, serial, state, state_since, reason, revoked_at, "
        "registration_id, profile, profile_sha256, spki_sha256, not_before, not_after) VALUES (gen_random_uuid(), %d, '\\x%s', '%s', "
        "'2026-01-01', %s, %s, '%s', '%s', sha256('p'), sha256('%s'), '2026-01-01', '%d-01-01')", f->ca.id, serial, state,
        held ? "6" : "NULL", held ? "to_timestamp(extract(epoch FROM now())::int8 - 3600)" : "NULL", registration, profile, serial,
        2090 + f->n), NULL, 0);
    return serial;
}

static int64_t
in_state(struct fixture *f, const char *holder, const char *state)
{
    return operator_count(arena_printf(f->w.a, "SELECT count(*) FROM pki.certificate c JOIN pki.registration r ON "
                                       "r.id = c.registration_id WHERE r.holder = '%s' AND c.state = '%s'", holder, state));
}

static void
all_of_a_holder(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 3; i++)
        cert_make(f, "anna", i == 0 ? "citizen-card-local" : "citizen-card", "active");
    cert_make(f, "berta", "citizen-card", "active");
    /* nobody else's, and not by who has no role for it: that is written down */
    assert_says(desk_run(&f->d, "remi", "suspend --holder anna --town rivemont"), "no role");
    assert_int_equal(operator_count(arena_printf(f->w.a, "SELECT count(*) FROM pki.audit_event WHERE verb = 'certificate.suspend' AND "
        "object = 'holder:anna' AND result = 'approval.roles' AND detail->>'person' = '%s'", f->remi)), 1);
    assert_says(desk_run(&f->d, "rosa", "suspend --holder anna --town valbourg"), "no live certificate");
    assert_says(desk_run(&f->d, "rosa", "suspend --holder anna --ca cards-g1 --serial 01"), "2 usage");
    assert_says(desk_run(&f->d, "rosa", "suspend --town rivemont"), "2 usage");
    assert_says(desk_run(&f->d, "rosa", "suspend --holder anna --town rivemont"), "\"outcome\":\"held\"");
    assert_int_equal(in_state(f, "anna", "held"), 1);            /* citizen-card-local; the others are deferred */
    assert_int_equal(operator_count("SELECT count(*) FROM pki.revocation_request WHERE outcome = 'deferred'"), 2);
    /* back: the hold asks for two, and nothing is done before */
    assert_says(desk_run(&f->d, "rosa", "resume --holder anna --town rivemont"), "one more person");
    assert_int_equal(operator_count("SELECT count(*) FROM pki.revocation_request WHERE outcome = 'withdrawn'"), 0);
    assert_says(desk_run(&f->d, "remi", "resume --holder anna --town rivemont"), "no role");
    assert_says(desk_run(&f->d, "vera", "resume --holder anna --town rivemont"), "\"outcome\":\"released\"");
    assert_int_equal(in_state(f, "anna", "active"), 3);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.revocation_request WHERE outcome = 'withdrawn'"), 2);
    /* a refusal among them shows in the exit status */
    assert_says(desk_run(&f->d, "rosa", "resume --holder anna --town rivemont"), "1 {");
    assert_says(desk_run(&f->d, "rosa", "revoke --holder anna --town rivemont --reason superseded"), "0 {");
    assert_int_equal(in_state(f, "anna", "revoked"), 3);
    assert_int_equal(in_state(f, "berta", "active"), 1);
}

static void
two_for_many(void **state)
{
    static const char act[] = "revoke --holder town --town rivemont --reason cessation_of_operation";
    struct fixture *f = *state;

    for (int i = 0; i <= REVOCATION_ALONE; i++)
        cert_make(f, "town", "citizen-card", "active");
    assert_says(desk_run(&f->d, "rosa", act), "certificate cards-g1:01");
    assert_int_equal(in_state(f, "town", "revoked"), 0);
    assert_says(desk_run(&f->d, "rosa", act), "one more person");
    assert_says(desk_run(&f->d, "vera", act), "no role");
    /* another reason is another act; one more certificate too */
    assert_says(desk_run(&f->d, "sara", "revoke --holder town --town rivemont --reason superseded"), "one more person");
    cert_make(f, "town", "citizen-card", "active");
    assert_says(desk_run(&f->d, "sara", act), "one more person");
    assert_int_equal(in_state(f, "town", "revoked"), 0);
    assert_says(desk_run(&f->d, "rosa", act), "\"outcome\":\"revoked\"");
    assert_int_equal(in_state(f, "town", "revoked"), REVOCATION_ALONE + 2);
    /* as many as one person may */
    for (int i = 0; i < REVOCATION_ALONE; i++)
        cert_make(f, "few", "citizen-card", "active");
    assert_says(desk_run(&f->d, "rosa", "revoke --holder few --town rivemont --reason superseded"), "\"outcome\":\"revoked\"");
    assert_int_equal(in_state(f, "few", "revoked"), REVOCATION_ALONE);
}

static void
accepted_before_one_who_may(void **state)
{
    struct fixture *f = *state;
    const char *serial = cert_make(f, "anna", "citizen-card", "issued"), *held = cert_make(f, "anna", "citizen-card", "held");
    const char *words = arena_printf(f->w.a, "certificate accept cards-g1:%s --proof pv-9", serial);

    assert_says(desk_run(&f->d, "rosa", words), "no role");
    assert_int_equal(operator_count("SELECT count(*) FROM pki.audit_event WHERE verb = 'certificate.accept' AND "
                                    "result = 'approval.roles'"), 1);
    assert_int_equal(in_state(f, "anna", "issued"), 1);
    assert_string_equal(desk_run(&f->d, "vera", words), "0 accepted\n");
    assert_string_equal(desk_run(&f->d, "vera", words), "0 accepted before\n");
    assert_int_equal(operator_count("SELECT count(*) FROM pki.certificate WHERE state = 'active' AND accepted_at IS NOT NULL"), 1);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.audit_event WHERE verb = 'certificate.accept' AND result = 'ok' AND "
                                    "detail->>'proof_ref' = 'pv-9'"), 1);
    assert_says(desk_run(&f->d, "vera", arena_printf(f->w.a, "certificate accept cards-g1:%s", held)), "is held");
    assert_says(desk_run(&f->d, "vera", "certificate accept cards-g1:0fff"), "no such certificate");
}

static void
filters(void **state)
{
    static const struct {
        const char *words;
        int n;
    } rows[] = {
        { "", 4 },
        { "--holder anna", 3 },
        { "--holder anna --state active", 2 },
        { "--profile citizen-soft", 1 },
        { "--town rivemont", 4 },
        { "--town valbourg", 0 },
        { "--ca cards-g1", 4 },
        { "--ca cards-g2", 0 },
        { "--ends-before 2092-06-01T00:00:00Z", 2 },
        { "--ends-before 2020-06-01T00:00:00Z", 0 },
    };
    struct fixture *f = *state;

    cert_make(f, "anna", "citizen-card", "active");
    cert_make(f, "anna", "citizen-soft", "active");
    cert_make(f, "anna", "citizen-card", "held");
    cert_make(f, "berta", "citizen-card", "active");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *said = desk_run(&f->d, NULL, arena_printf(f->w.a, "certificate list %s", rows[i].words));
        int n = 0;

        assert_row(rows[i].words, said[0] == '0');
        for (const char *p = strstr(said, "\"serial\""); p != NULL; p = strstr(p + 1, "\"serial\""))
            n++;
        if (n != rows[i].n)
            fail_msg("%s: %d, not %d: %s", rows[i].words, n, rows[i].n, said);
    }
    assert_says(desk_run(&f->d, NULL, "certificate list --ends-before soon"), "2 usage");
}

/* The roles that two of the same half do not make, and a stranger's key. */
static void
refusals_are_written_down(void **state)
{
    struct fixture *f = *state;
    const char *serial = cert_make(f, "anna", "citizen-card", "active");
    const char *act = arena_printf(f->w.a, "revoke --ca cards-g1 --serial %s --reason superseded", serial);

    assert_says(desk_run(&f->d, "sara", act), "no role");
    desk_file(&f->d, "rosa.answers", STR_LIT("phrase = not hers at all\n"));
    assert_says(desk_run(&f->d, "rosa", act), "1 ");
    assert_int_equal(operator_count(arena_printf(f->w.a, "SELECT count(*) FROM pki.audit_event WHERE verb = 'certificate.revoke' AND "
        "result = 'approval.roles' AND detail->>'person' = '%s'", f->sara)), 1);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.audit_event WHERE verb = 'certificate.revoke' AND "
                                    "result = 'phrase.wrong' AND detail = '{}'"), 1);
    assert_int_equal(in_state(f, "anna", "active"), 1);
    desk_file(&f->d, "rosa.answers", STR_LIT("phrase = rosa knows a long phrase\n"));
    assert_string_equal(desk_run(&f->d, "rosa", act), "0 revoked\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_of_a_holder, setup, teardown),
        cmocka_unit_test_setup_teardown(two_for_many, setup, teardown),
        cmocka_unit_test_setup_teardown(accepted_before_one_who_may, setup, teardown),
        cmocka_unit_test_setup_teardown(filters, setup, teardown),
        cmocka_unit_test_setup_teardown(refusals_are_written_down, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
