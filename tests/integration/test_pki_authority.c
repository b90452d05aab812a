/*
 * persons, roles, approvals and authorities against the schema pki: two who grant, the matrix of DOMAIN 3.3 refused by the
 * API and, whoever writes, by SQL; states of a CA; custodians; records.
 */
#include "tests/integration/pg_support.h"

#include "base/core/rand.h"
#include "base/pg/audit.h"
#include "base/pg/migrate.h"
#include "pki/authority/ca.h"
#include "pki/authority/person.h"

#define NOW (INT64_C(1795000000) * USEC_PER_SEC)
#define YEAR (365 * USEC_PER_DAY)

static const struct pg_stmts *const all_stmts[] = { &audit_stmts, &pki_person_stmts, &grant_stmts, &approval_stmts, &ca_stmts,
                                                    &custodian_stmts, &ceremony_stmts, NULL };

struct human {
    const char *name;
    char id[37];
    struct key *k;
    struct buf spki, sig;
};

struct fixture {
    struct pg_config conf;
    struct pg *pg;
    struct arena *a;
    struct human h[5];
    char ceremony[37];
    struct why why;
};
enum { SECURITY, SECURITY2, SYSTEMS, NEWCOMER, OTHER };

/* --- the fixture -------------------------------------------------------------------------------------------------- */

static void
human_make(struct fixture *f, struct human *h, const char *name)
{
    h->name = name;
    h->spki = (struct buf)BUF_BOUNDED(128);
    h->sig = (struct buf)BUF_BOUNDED(64);
    rand_uuid(h->id);
    assert_int_equal(key_generate(KEY_ED25519, 0, KEY_PERSON_SIGN, &h->k), OK);
    key_spki(h->k, &h->spki);
    assert_ok(pki_person_add(f->pg, h->id, name, "Somebody", buf_view(&h->spki), "operator:test", NOW, &f->why), &f->why);
}

static struct grant
grant_of(const struct human *h, enum role role, utime from, utime until)
{
    struct grant g = { .name = h->name, .public_key = buf_view(&h->spki), .role = role, .from = from, .until = until };

    rand_uuid(g.id);
    memcpy(g.person, h->id, sizeof(g.person));
    return g;
}

static enum err
by_ceremony(struct fixture *f, const struct human *h, enum role role)
{
    const struct grant g = grant_of(h, role, NOW - USEC_PER_DAY, NOW + YEAR);

    return grant_by_ceremony(f->pg, &g, f->ceremony, "ceremony", NOW, &f->why);
}

static int
setup(void **state)
{
    static char conninfo[600];
    struct fixture *f = calloc(1, sizeof(*f));
    struct migrate_report report;
    struct ceremony_row row = { .kind = "root", .ca_name = "root", .record = STR_LIT("the record\n"), .at = NOW };

    operator_run("DROP SCHEMA IF EXISTS pki CASCADE", NULL, 0);
    test_conninfo("options='-c search_path=pki'", conninfo, sizeof(conninfo));
    assert_ok(migrate_run(conninfo, "pki", SOURCE_DIR "/migrations/pki", false, &report, &f->why), &f->why);
    f->conf = (struct pg_config){ .conninfo = conninfo, .stmts = all_stmts, .schema = "pki", .schema_min = 1, .schema_max = 99 };
    assert_ok(pg_open(&f->conf, &f->pg, &f->why), &f->why);
    f->a = arena_new(1 << 20);
    rand_uuid(f->ceremony);
    memcpy(row.id, f->ceremony, sizeof(row.id));
    assert_ok(ceremony_add(f->pg, &row, NULL, 0, &f->why), &f->why);
    human_make(f, &f->h[SECURITY], "alice");
    human_make(f, &f->h[SECURITY2], "bruno");
    human_make(f, &f->h[SYSTEMS], "chloe");
    human_make(f, &f->h[NEWCOMER], "denis");
    human_make(f, &f->h[OTHER], "emma");
    assert_ok(by_ceremony(f, &f->h[SECURITY], ROLE_SECURITY), &f->why);
    assert_ok(by_ceremony(f, &f->h[SECURITY2], ROLE_SECURITY), &f->why);
    assert_ok(by_ceremony(f, &f->h[SYSTEMS], ROLE_SYSTEMS), &f->why);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(f->h); i++) {
        key_free(f->h[i].k);
        buf_free(&f->h[i].spki);
        buf_free(&f->h[i].sig);
    }
    arena_free(f->a);
    pg_close(f->pg);
    free(f);
    return 0;
}

static struct signed_yes
yes_of(struct human *h, const struct grant *g, utime at)
{
    unsigned char subject[SHA256_LEN];

    grant_subject(g, subject);
    buf_reset(&h->sig);
    assert_int_equal(approval_sign(h->k, APPROVE_ROLE_GRANT, at, subject, &h->sig, NULL), OK);
    return (struct signed_yes){ h->id, buf_view(&h->sig), at };
}

static enum err
propose(struct fixture *f, struct human *who, const struct grant *g)
{
    const struct signed_yes yes = yes_of(who, g, NOW);

    return grant_propose(f->pg, g, &yes, "operator:test", NOW, &f->why);
}

static enum err
approve(struct fixture *f, struct human *who, const struct grant *g)
{
    const struct signed_yes yes = yes_of(who, g, NOW);

    return grant_approve(f->pg, g->id, &yes, "operator:test", NOW, &f->why);
}

static role_set
roles_at(struct fixture *f, const struct human *h, utime at)
{
    struct pki_person p;

    assert_ok(pki_person_find(f->pg, h->name, at, f->a, &p, &f->why), &f->why);
    return p.roles;
}

/* --- roles ---------------------------------------------------------------------------------------------------------- */

static void
two_grant_a_role(void **state)
{
    struct fixture *f = *state;
    struct human *newcomer = &f->h[NEWCOMER];
    const struct grant g = grant_of(newcomer, ROLE_REGISTRATION, NOW, NOW + YEAR / 2);

    assert_int_equal(roles_at(f, newcomer, NOW), 0);
    assert_ok(propose(f, &f->h[SYSTEMS], &g), &f->why);
    assert_int_equal(roles_at(f, newcomer, NOW), 0);                        /* a proposal counts for nothing */
    assert_err(approve(f, &f->h[SYSTEMS], &g), ERR_CONFLICT, &f->why);      /* the proposer again */
    assert_err(approve(f, newcomer, &g), ERR_DENIED, &f->why);              /* for themself */
    assert_err(approve(f, &f->h[OTHER], &g), ERR_DENIED, &f->why);          /* without a role */
    assert_int_equal(roles_at(f, newcomer, NOW), 0);
    assert_ok(approve(f, &f->h[SECURITY], &g), &f->why);
    assert_int_equal(roles_at(f, newcomer, NOW), ROLE_BIT(ROLE_REGISTRATION));
    assert_int_equal(roles_at(f, newcomer, NOW + YEAR / 2), 0);             /* P-110: past its end */
    assert_err(approve(f, &f->h[SECURITY2], &g), ERR_CONFLICT, &f->why);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.audit_event WHERE verb IN ('role.propose', 'role.approve')"), 2);
    assert_ok(grant_withdraw(f->pg, g.id, "operator:test", NOW + USEC_PER_DAY, &f->why), &f->why);
    assert_int_equal(roles_at(f, newcomer, NOW), ROLE_BIT(ROLE_REGISTRATION));
    assert_int_equal(roles_at(f, newcomer, NOW + USEC_PER_DAY), 0);
    assert_err(grant_withdraw(f->pg, g.id, "operator:test", NOW, &f->why), ERR_CONFLICT, &f->why);
}

static void
refusals_leave_nothing(void **state)
{
    struct fixture *f = *state;
    struct human *newcomer = &f->h[NEWCOMER];
    struct grant g = grant_of(newcomer, ROLE_REGISTRATION, NOW, NOW + YEAR), edited;
    struct signed_yes yes;

    assert_err(propose(f, newcomer, &g), ERR_DENIED, &f->why);
    assert_err(propose(f, &f->h[OTHER], &g), ERR_DENIED, &f->why);
    yes = yes_of(&f->h[SECURITY], &g, NOW);
    edited = g;
    edited.role = ROLE_VALIDATION;                 /* another role than was signed */
    assert_err(grant_propose(f->pg, &edited, &yes, "operator:test", NOW, &f->why), ERR_DENIED, &f->why);
    edited = g;
    edited.until += USEC_PER_SEC;
    assert_err(grant_propose(f->pg, &edited, &yes, "operator:test", NOW, &f->why), ERR_DENIED, &f->why);
    edited = grant_of(newcomer, ROLE_REGISTRATION, NOW, NOW + 3 * YEAR);
    assert_err(propose(f, &f->h[SECURITY], &edited), ERR_INPUT, &f->why);
    edited = grant_of(newcomer, ROLE_REGISTRATION, NOW, NOW);
    assert_err(propose(f, &f->h[SECURITY], &edited), ERR_INPUT, &f->why);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.role_grant WHERE ceremony_id IS NULL"), 0);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.approval"), 0);
    assert_ok(propose(f, &f->h[SECURITY], &g), &f->why);
    assert_err(approve(f, &f->h[OTHER], &g), ERR_DENIED, &f->why);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.approval"), 1);
    /* an approver's signature over something else */
    edited = g;
    edited.role = ROLE_VALIDATION;
    yes = yes_of(&f->h[SECURITY2], &edited, NOW);
    assert_err(grant_approve(f->pg, g.id, &yes, "operator:test", NOW, &f->why), ERR_DENIED, &f->why);
    assert_int_equal(roles_at(f, newcomer, NOW), 0);
    assert_ok(approve(f, &f->h[SECURITY2], &g), &f->why);
    assert_int_equal(roles_at(f, newcomer, NOW), ROLE_BIT(ROLE_REGISTRATION));
}

/* A proposer who has lost the role by the time of the approval does not count any more. */
static void
roles_are_looked_at_again(void **state)
{
    struct fixture *f = *state;
    const struct grant g = grant_of(&f->h[NEWCOMER], ROLE_PERSO, NOW, NOW + YEAR);

    assert_ok(propose(f, &f->h[SYSTEMS], &g), &f->why);
    assert_ok(pki_person_end(f->pg, "chloe", "operator:test", NOW, &f->why), &f->why);
    assert_err(pki_person_end(f->pg, "chloe", "operator:test", NOW, &f->why), ERR_CONFLICT, &f->why);
    assert_err(approve(f, &f->h[SECURITY], &g), ERR_DENIED, &f->why);
    assert_int_equal(roles_at(f, &f->h[SYSTEMS], NOW), 0);
    assert_err(by_ceremony(f, &f->h[SYSTEMS], ROLE_CUSTODIAN), ERR_CONFLICT, &f->why);
    assert_string_equal(f->why.code, "role.person");
}

/* Every pair: refused by the API exactly when the matrix says so, and by plain SQL of the schema's owner too. */
static void
the_matrix_holds(void **state)
{
    struct fixture *f = *state;

    for (unsigned a = 0; a < ROLE_COUNT; a++) {
        for (unsigned b = 0; b < ROLE_COUNT; b++) {
            const bool never = a != b && role_conflict((enum role)a, (enum role)b);
            char text[600];
            PGconn *c;
            PGresult *r;

            operator_run("DELETE FROM pki.role_grant g USING pki.person p WHERE p.id = g.person_id AND p.name = 'emma'", NULL, 0);
            assert_ok(by_ceremony(f, &f->h[OTHER], (enum role)a), &f->why);
            if (a == b)
                continue;
            (void)snprintf(text, sizeof(text),
                           "INSERT INTO pki.role_grant (id, person_id, role, period, proposed_by) VALUES "
                           "(gen_random_uuid(), '%s', '%s', tstzrange('2026-11-20', '2027-11-20'), '%s')",
                           f->h[OTHER].id, role_name((enum role)b), f->h[SECURITY].id);
            c = operator_open("");
            PQclear(PQexec(c, "GRANT USAGE ON SCHEMA pki TO pki_owner; GRANT ALL ON ALL TABLES IN SCHEMA pki TO pki_owner;"
                              "SET ROLE pki_owner"));
            r = PQexec(c, text);
            if (never) {
                assert_int_equal(PQresultStatus(r), PGRES_FATAL_ERROR);
                assert_string_equal(PQresultErrorField(r, PG_DIAG_CONSTRAINT_NAME), "role_conflict");
                assert_err(by_ceremony(f, &f->h[OTHER], (enum role)b), ERR_CONFLICT, &f->why);
                assert_string_equal(f->why.code, "role.incompatible");
            } else {
                if (PQresultStatus(r) != PGRES_COMMAND_OK)
                    fail_msg("%s", PQerrorMessage(c));
                assert_ok(by_ceremony(f, &f->h[OTHER], (enum role)b), &f->why);
            }
            PQclear(r);
            PQfinish(c);
        }
    }
    assert_int_equal(operator_count("SELECT count(*) FROM pki.role_conflict"), 29);
}

/* The schema refuses what no program of ours would write. */
static void
sql_refuses(void **state)
{
    struct fixture *f = *state;
    static const char *const rows[] = {
        "UPDATE pki.role_grant SET role = 'auditor'",
        "UPDATE pki.role_grant SET period = tstzrange('2026-01-01', '2027-06-01')",
        "INSERT INTO pki.role_grant (id, person_id, role, period, proposed_by) SELECT gen_random_uuid(), id, 'perso', "
        "tstzrange('2026-01-01', '2026-06-01'), id FROM pki.person WHERE name = 'denis'",
        "INSERT INTO pki.role_grant (id, person_id, role, period) SELECT gen_random_uuid(), id, 'perso', "
        "tstzrange('2026-01-01', '2026-06-01') FROM pki.person WHERE name = 'denis'",
        "INSERT INTO pki.role_grant (id, person_id, role, period, proposed_by) SELECT gen_random_uuid(), d.id, 'perso', "
        "tstzrange('2026-01-01', NULL), a.id FROM pki.person d, pki.person a WHERE d.name = 'denis' AND a.name = 'alice'",
        "INSERT INTO pki.role_grant (id, person_id, role, period, proposed_by, approved_by, approved_at) SELECT "
        "gen_random_uuid(), d.id, 'perso', tstzrange('2026-01-01', '2026-06-01'), a.id, a.id, '2026-01-01' "
        "FROM pki.person d, pki.person a WHERE d.name = 'denis' AND a.name = 'alice'",
        /* an end that is to come does not part two roles until then */
        "INSERT INTO pki.role_grant (id, person_id, role, period, proposed_by, withdrawn_at) SELECT gen_random_uuid(), a.id, 'auditor', "
        "tstzrange('2026-11-20', '2027-11-20'), d.id, '2027-11-19' FROM pki.person d, pki.person a WHERE d.name = 'denis' AND a.name = 'alice'",
    };

    (void)f;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        PGconn *c = operator_open("");
        PGresult *r = PQexec(c, rows[i]);

        if (PQresultStatus(r) == PGRES_COMMAND_OK || strncmp(PQresultErrorField(r, PG_DIAG_SQLSTATE), "23", 2) != 0)
            fail_msg("row %zu: %s", i, PQresultErrorMessage(r));
        PQclear(r);
        PQfinish(c);
    }
    operator_run("INSERT INTO pki.role_grant (id, person_id, role, period, proposed_by) SELECT gen_random_uuid(), d.id, 'perso', "
                 "tstzrange('2026-01-01', '2026-06-01'), a.id FROM pki.person d, pki.person a WHERE d.name = 'denis' AND "
                 "a.name = 'alice'", NULL, 0);
}

/* The signing process can read all this and change none of it. */
static void
the_signer_only_reads(void **state)
{
    static const char *const writes[] = {
        "INSERT INTO pki.person SELECT gen_random_uuid(), 'mallory', 'M', 'k', 'active', '2026-01-01'",
        "UPDATE pki.role_grant SET withdrawn_at = '2026-01-01'", "DELETE FROM pki.approval",
        "INSERT INTO pki.custodian SELECT * FROM pki.custodian", "UPDATE pki.ca SET state = 'active'",
        "DELETE FROM pki.role_conflict", "INSERT INTO pki.ceremony SELECT * FROM pki.ceremony",
    };
    PGconn *c = operator_open("");
    PGresult *r;

    (void)state;
    PQclear(PQexec(c, "SET ROLE pki_signer"));
    for (size_t i = 0; i < ARRAY_LEN(writes); i++) {
        r = PQexec(c, writes[i]);
        assert_string_equal(PQresultErrorField(r, PG_DIAG_SQLSTATE), "42501");
        PQclear(r);
    }
    r = PQexec(c, "SELECT count(*) FROM pki.person, pki.role_live, pki.approval, pki.custodian, pki.ceremony_signature");
    assert_int_equal(PQresultStatus(r), PGRES_TUPLES_OK);
    PQclear(r);
    PQfinish(c);
}

/* --- authorities ------------------------------------------------------------------------------------------------------ */

static void
authorities(void **state)
{
    static const enum ca_state order[] = { CA_ACTIVE, CA_RETIRING, CA_ENDED };
    struct fixture *f = *state;
    struct ca root = { .name = "root", .generation = 1, .root = true, .state = CA_CEREMONY, .subject = STR_LIT("S"),
                       .serial = STR_LIT("0123456789abcdef"), .spki = STR_LIT("K"), .key_id = STR_LIT("aaaaaaaaaaaaaaaaaaaa"),
                       .certificate = STR_LIT("C"), .key_uri = "offline", .not_before = NOW, .not_after = NOW + 9 * YEAR,
                       .shards = 1, .crl_period = 30 * USEC_PER_DAY, .crl_life = 40 * USEC_PER_DAY },
              cards, got;
    struct ca_cross cross = { .certificate = STR_LIT("X"), .not_after = NOW + YEAR }, *crosses;
    struct custodian c = { .number = 1, .threshold = 2, .total = 3 }, *custodians;
    struct ca *all;
    int id = 0, second = 0;
    size_t n = 0;

    rand_uuid(root.set_id);
    assert_ok(ca_add(f->pg, &root, NOW, &id, &f->why), &f->why);
    assert_err(ca_add(f->pg, &root, NOW, &second, &f->why), ERR_CONFLICT, &f->why);
    assert_string_equal(f->why.code, "ca.exists");
    cards = root;
    cards.name = "cards";
    cards.root = false;
    cards.issuer_id = id;
    cards.spki = STR_LIT("L");
    cards.key_id = STR_LIT("bbbbbbbbbbbbbbbbbbbb");
    cards.not_after = NOW + 11 * YEAR;                                         /* P-138 */
    assert_err(ca_add(f->pg, &cards, NOW, &second, &f->why), ERR_CONFLICT, &f->why);
    cards.not_after = NOW + 9 * YEAR;
    assert_ok(ca_add(f->pg, &cards, NOW, &second, &f->why), &f->why);
    assert_ok(ca_find(f->pg, "cards", 0, f->a, &got, &f->why), &f->why);
    assert_int_equal(got.id, second);
    assert_int_equal(got.issuer_id, id);
    assert_string_equal(got.set_id, root.set_id);
    assert_int_equal(got.crl_period, root.crl_period);
    assert_int_equal(got.crl_life, root.crl_life);
    assert_true(str_eq(got.key_id, cards.key_id));
    assert_err(ca_find(f->pg, "cards", 2, f->a, &got, &f->why), ERR_NOT_FOUND, &f->why);
    assert_ok(ca_list(f->pg, f->a, &all, &n, &f->why), &f->why);
    assert_int_equal(n, 2);
    assert_string_equal(all[0].name, "root");

    assert_err(ca_state_change(f->pg, second, CA_RETIRING, NOW, &f->why), ERR_CONFLICT, &f->why);
    assert_err(ca_state_change(f->pg, second, CA_COMPROMISED, NOW, &f->why), ERR_CONFLICT, &f->why);
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        assert_ok(ca_state_change(f->pg, second, order[i], NOW, &f->why), &f->why);
        assert_err(ca_state_change(f->pg, second, order[i], NOW, &f->why), ERR_CONFLICT, &f->why);
    }
    assert_err(ca_state_change(f->pg, second, CA_ACTIVE, NOW, &f->why), ERR_CONFLICT, &f->why);
    assert_err(ca_state_change(f->pg, second, CA_COMPROMISED, NOW, &f->why), ERR_CONFLICT, &f->why);

    cross.ca_id = id;
    cross.issuer_id = second;
    assert_ok(ca_cross_add(f->pg, &cross, &f->why), &f->why);
    assert_ok(ca_cross_list(f->pg, f->a, &crosses, &n, &f->why), &f->why);
    assert_int_equal(n, 1);
    assert_true(str_eqs(crosses[0].certificate, "X"));

    memcpy(c.set_id, root.set_id, sizeof(c.set_id));
    memcpy(c.person, f->h[0].id, sizeof(c.person));
    assert_ok(custodian_add(f->pg, &c, NOW, &f->why), &f->why);
    c.number = 2;                                                              /* one person, two shares */
    assert_err(custodian_add(f->pg, &c, NOW, &f->why), ERR_CONFLICT, &f->why);
    memcpy(c.person, f->h[1].id, sizeof(c.person));
    assert_ok(custodian_add(f->pg, &c, NOW, &f->why), &f->why);
    assert_ok(custodian_list(f->pg, root.set_id, f->a, &custodians, &n, &f->why), &f->why);
    assert_int_equal(n, 2);
    assert_string_equal(custodians[1].name, "bruno");
    assert_ok(custodian_end(f->pg, root.set_id, NOW, &f->why), &f->why);
    assert_ok(custodian_list(f->pg, root.set_id, f->a, &custodians, &n, &f->why), &f->why);
    assert_int_equal(n, 0);
}

static void
records(void **state)
{
    struct fixture *f = *state;
    struct ceremony_row row = { .kind = "issuing", .ca_name = "cards", .record = STR_LIT("a record\n"), .at = NOW }, got;
    const struct ceremony_sign signs[] = { { "alice", STR_LIT("key"), STR_LIT("sig") }, { "bruno", STR_LIT("k"), STR_LIT("s") } };
    struct ceremony_sign *back;
    size_t n = 0;

    rand_uuid(row.id);
    assert_ok(ceremony_add(f->pg, &row, signs, 2, &f->why), &f->why);
    assert_ok(ceremony_add(f->pg, &row, signs, 2, &f->why), &f->why);
    assert_ok(ceremony_find(f->pg, row.id, f->a, &got, &back, &n, &f->why), &f->why);
    assert_int_equal(n, 2);
    assert_true(str_eq(got.record, row.record));
    assert_string_equal(back[1].name, "bruno");
    row.record = STR_LIT("another record\n");
    assert_err(ceremony_add(f->pg, &row, signs, 2, &f->why), ERR_CONFLICT, &f->why);
    rand_uuid(row.id);
    assert_err(ceremony_find(f->pg, row.id, f->a, &got, &back, &n, &f->why), ERR_NOT_FOUND, &f->why);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(two_grant_a_role, setup, teardown),
        cmocka_unit_test_setup_teardown(refusals_leave_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(roles_are_looked_at_again, setup, teardown),
        cmocka_unit_test_setup_teardown(the_matrix_holds, setup, teardown),
        cmocka_unit_test_setup_teardown(sql_refuses, setup, teardown),
        cmocka_unit_test_setup_teardown(the_signer_only_reads, setup, teardown),
        cmocka_unit_test_setup_teardown(authorities, setup, teardown),
        cmocka_unit_test_setup_teardown(records, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
