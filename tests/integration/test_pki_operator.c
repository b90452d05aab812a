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

/* What that person's `request add` says for claude, with a key of its own and these names. */
static const char *
ask_for_claude(struct fixture *f, const char *csr, const char *names)
{
    struct key *key = pki_key_make(KEY_P256, 0);

    desk_file(&f->d, csr, pki_csr_make(&f->w, key));
    key_free(key);
    return desk_run(&f->d, "rosa", arena_printf(f->w.a, "request add --profile citizen-soft-named --holder claude --town rivemont "
                                                "--csr %s/%s%s", f->d.folder, csr, names));
}

/* Who is registered already is asked for again without names or with the same ones; other names are not passed over. */
static void
registered_names(void **state)
{
    static const char right[] = " --given-name Claude --surname Durand --serial-number 1",
                      wrong[] = " --given-name Claude --surname Dupont --serial-number 1";
    struct fixture *f = *state;

    assert_says(desk_run(&f->d, NULL, "keys init"), "0 ");
    assert_says(ask_for_claude(f, "csr0", right), "0 ");
    assert_says(ask_for_claude(f, "csr1", wrong), "registered with other names");
    assert_int_equal(operator_count("SELECT count(*) FROM pki.request"), 1);
    assert_says(ask_for_claude(f, "csr2", right), "0 ");
    assert_says(ask_for_claude(f, "csr3", ""), "0 ");
    assert_int_equal(operator_count("SELECT count(*) FROM pki.request"), 3);
    operator_run("UPDATE pki.registration SET subject = NULL WHERE holder = 'claude'", NULL, 0);
    assert_says(ask_for_claude(f, "csr4", right), "erased");
    assert_says(ask_for_claude(f, "csr5", ""), "0 ");
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

/* --- the doctor --------------------------------------------------------------------------------------------------------------- */

static const char *
doctor(struct fixture *f, const char *more)
{
    return desk_run(&f->d, NULL, arena_printf(f->w.a, "doctor%s", more));
}

/* What SQL can make wrong: done, seen, undone. */
static void
the_doctor_sees_rows(void **state)
{
    static const struct {
        const char *sql, *undo, *says;
        bool fails;
    } rows[] = {
        { "INSERT INTO pki.alarm (kind, object, level, text, raised_at) VALUES ('crl.due', 'cards-g1', 'warning', 'soon', '2026-01-01')",
          "DELETE FROM pki.alarm", "warn  alarms        crl.due cards-g1: soon", false },
        { "INSERT INTO pki.alarm (kind, object, level, text, raised_at) VALUES ('crl.due', 'cards-g1', 'red', 'now', '2026-01-01')",
          "DELETE FROM pki.alarm", "fail  alarms        crl.due cards-g1: now", true },
        { "INSERT INTO pki.node VALUES ('a/signer', 'signer', 'locked', '2026-01-01')", "DELETE FROM pki.node",
          "warn  processes     a/signer: locked, seen at 2026-01-01T00:00:00Z", false },
        { "UPDATE pki.ca SET not_after = to_timestamp(extract(epoch FROM clock_timestamp())::int8 + 86400)",
          "UPDATE pki.ca SET not_after = not_after + interval '3 years'", "warn  authorities   cards-g1: until", false },
        { "UPDATE pki.ca SET kind = 'issuing', issuer_id = id", "UPDATE pki.ca SET kind = 'root', issuer_id = NULL",
          "fail  lists         cards-g1/0: none", true },
        { "UPDATE pki.ca SET kind = 'issuing', issuer_id = id; INSERT INTO pki.crl (ca_id, shard, number, kind, horizon, this_update, "
          "next_update, entries, sha256, made_at) SELECT id, 0, 1, 'full', '1', '2026-01-01', clock_timestamp() + interval '3 hours', 0, "
          "sha256('x'), '2026-01-01' FROM pki.ca", "UPDATE pki.ca SET kind = 'root', issuer_id = NULL; DELETE FROM pki.crl",
          "fail  lists         cards-g1/0: the newest list ends in less than 6 hours", true },
        { "UPDATE pki.ca SET kind = 'issuing', issuer_id = id; INSERT INTO pki.crl (ca_id, shard, number, kind, horizon, this_update, "
          "next_update, entries, sha256, made_at) SELECT id, 0, 1, 'full', '1', '2026-01-01', clock_timestamp() + interval '9 hours', 0, "
          "sha256('x'), '2026-01-01' FROM pki.ca", "UPDATE pki.ca SET kind = 'root', issuer_id = NULL; DELETE FROM pki.crl",
          "warn  lists         cards-g1/0: until", false },
        { "INSERT INTO pki.station (id, name, profiles, state, added_at) VALUES (gen_random_uuid(), 'idp', '{a}', 'active', '2026-01-01')",
          "DELETE FROM pki.station", "warn  stations      idp: none", false },
        { "INSERT INTO pki.audit_event (at, actor, role, verb, object, result, detail) VALUES ('2026-01-01', 'a', '', 'v', 'o', 'ok', '{}')",
          NULL, "fail  audit         1 rows older than a minute", true },
    };
    struct fixture *f = *state;
    const char *said = doctor(f, "");

    if (said[0] != '0')
        fail_msg("%s", said);
    assert_says(said, "ok    database      reached");
    assert_says(said, "ok    alarms        none");
    assert_says(said, "warn  roles         database: ");             /* the test's role may do everything */
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        operator_run(rows[i].sql, NULL, 0);
        said = doctor(f, "");
        assert_row(rows[i].says, (said[0] == '1') == rows[i].fails);
        assert_says(said, rows[i].says);
        if (rows[i].undo != NULL)
            operator_run(rows[i].undo, NULL, 0);
    }
    assert_says(doctor(f, " --json"), "\"status\": \"fail\"");
}

static void
the_doctor_sees_files(void **state)
{
    struct fixture *f = *state;
    const char *keys = arena_printf(f->w.a, "%s/keys", f->d.folder), *sealed = arena_printf(f->w.a, "%s/cards.key", f->d.folder);
    char worker[600];

    assert_true(doctor(f, "")[0] == '0');
    assert_int_equal(chmod(keys, 0755), 0);
    assert_says(doctor(f, ""), "fail  keys          ");
    assert_int_equal(chmod(keys, 0700), 0);
    assert_says(doctor(f, " --for status"), "audit.pem belongs to another process");
    assert_says(doctor(f, " --for nobody"), "2 usage");
    desk_conf(&f->d, arena_printf(f->w.a, "signer.socket = %s/none\n", f->d.folder));
    assert_says(doctor(f, ""), "no socket: the signer does not run");
    desk_conf(&f->d, arena_printf(f->w.a, "front.client_ca = %s/conf\n", f->d.folder));
    assert_says(doctor(f, ""), "fail  certificates  ");
    desk_conf(&f->d, "no.such = setting\n");
    assert_says(doctor(f, ""), "fail  configuration ");
    /* the role of the timers */
    desk_conf(&f->d, arena_printf(f->w.a, "database.worker = %s\n", test_conninfo("user=pki_worker options='-c search_path=pki'", worker,
                                                                              sizeof(worker))));
    assert_says(doctor(f, ""), "ok    roles         database.worker: as pki_worker");
    desk_conf(&f->d, arena_printf(f->w.a, "database.worker = %s\n", test_conninfo("user=nobody", worker, sizeof(worker))));
    assert_says(doctor(f, ""), "fail  roles         database.worker: ");
    desk_conf(&f->d, "");
    /* a sealed key: away matters on the signer's machine alone, and nobody else reads it */
    operator_run(arena_printf(f->w.a, "UPDATE pki.ca SET key_uri = 'sealed:%s'", sealed), NULL, 0);
    assert_true(doctor(f, "")[0] == '0');
    assert_says(doctor(f, " --for signer"), "fail  ca keys       cards-g1: ");
    desk_file(&f->d, "cards.key", STR_LIT("sealed"));
    assert_says(doctor(f, ""), "ok    ca keys       cards-g1: ");
    assert_int_equal(chmod(sealed, 0644), 0);
    assert_says(doctor(f, ""), "mode 0644");
}

static void
alarms_are_shown(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(desk_run(&f->d, NULL, "alarm list"), "0 ");
    operator_run("INSERT INTO pki.alarm (kind, object, level, text, raised_at, ended_at) VALUES ('a', 'b', 'red', 'old', '2026-01-01', "
                 "'2026-01-02'), ('crl.due', 'cards-g1', 'red', 'now', '2026-01-01', NULL)", NULL, 0);
    assert_string_equal(desk_run(&f->d, NULL, "alarm list"), "0 {\"kind\":\"crl.due\",\"object\":\"cards-g1\",\"level\":\"red\","
                        "\"text\":\"now\",\"raised_at\":\"2026-01-01T00:00:00Z\"}\n");
    assert_says(desk_run(&f->d, NULL, "alarm"), "2 usage");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_of_a_holder, setup, teardown),
        cmocka_unit_test_setup_teardown(two_for_many, setup, teardown),
        cmocka_unit_test_setup_teardown(accepted_before_one_who_may, setup, teardown),
        cmocka_unit_test_setup_teardown(registered_names, setup, teardown),
        cmocka_unit_test_setup_teardown(filters, setup, teardown),
        cmocka_unit_test_setup_teardown(refusals_are_written_down, setup, teardown),
        cmocka_unit_test_setup_teardown(the_doctor_sees_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(the_doctor_sees_files, setup, teardown),
        cmocka_unit_test_setup_teardown(alarms_are_shown, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
