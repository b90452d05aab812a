/*
 * What a stolen process of the authority can do with plain SQL under its own role (DOMAIN section 5): the front faces stations,
 * status faces everybody. Each refused statement has one beside it that the program says, and that passes.
 */
#include "tests/integration/pg_support.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/pg/migrate.h"

#define STATION "'00000000-0000-4000-8000-00000000000a'"
#define R_CITIZEN "'00000000-0000-4000-8000-0000000000b1'"
#define R_SERVER "'00000000-0000-4000-8000-0000000000b2'"
#define R_RESPONDER "'00000000-0000-4000-8000-0000000000b3'"
#define C_CITIZEN "'00000000-0000-4000-8000-0000000000c1'"
#define C_RESPONDER "'00000000-0000-4000-8000-0000000000c3'"
#define Q_CITIZEN "'00000000-0000-4000-8000-0000000000d1'"
#define Q_RESPONDER "'00000000-0000-4000-8000-0000000000d3'"
#define HELD "UPDATE pki.certificate SET state = 'held', reason = 6, revoked_at = '2026-11-20 10:11:12.345+00' WHERE id = " C_CITIZEN "; "
#define REVOKED "UPDATE pki.certificate SET state = 'revoked', reason = 1, revoked_at = '2026-11-20', compromised = true WHERE id = " C_CITIZEN "; "
#define REGISTRATION "INSERT INTO registration (id, station_id, profile, town, holder, support, proof, state, made_at) VALUES (gen_random_uuid(), "
#define REQUEST "INSERT INTO request (id, registration_id, kind, origin, station_id, csr, spki_sha256, state, received_at) VALUES (gen_random_uuid(), "
#define AUDIT "INSERT INTO audit_event (at, actor, role, verb, object, result, detail) VALUES ('2026-11-20', "

static void
fill(void)
{
    operator_run(
        "SET search_path = pki; "
        "INSERT INTO ca (name, generation, kind, state, subject, serial, spki, key_id, certificate, key_uri, set_id, not_before, "
        "not_after, made_at) VALUES ('root', 1, 'root', 'active', 'S', '0123456789abcdef', 'K', 'aaaaaaaaaaaaaaaaaaaa', 'C', 'offline', "
        "gen_random_uuid(), '2026-01-01', '2034-01-01', '2026-01-01'); "
        "INSERT INTO station (id, name, profiles, towns, state, added_at) VALUES (" STATION ", 'idp', '{citizen}', NULL, 'active', "
        "'2026-01-01'); "
        "INSERT INTO registration (id, station_id, profile, town, holder, subject, support, proof, state, made_at) VALUES "
        "(" R_CITIZEN ", " STATION ", 'citizen', 't', 'anna', 'sealed', 'card', 'none', 'open', '2026-01-01'), "
        "(" R_SERVER ", NULL, 'server', '', 'idp', 'sealed', 'software', 'none', 'open', '2026-01-01'), "
        "(" R_RESPONDER ", NULL, 'responder', '', 'root/node1', 'sealed', 'software', 'none', 'open', '2026-01-01'); "
        "INSERT INTO request (id, registration_id, kind, origin, station_id, csr, spki_sha256, state, received_at) VALUES "
        "(" Q_CITIZEN ", " R_CITIZEN ", 'enroll', 'est', " STATION ", 'C', sha256('1'), 'issued', '2026-01-01'), "
        "(" Q_RESPONDER ", " R_RESPONDER ", 'enroll', 'status', NULL, 'C', sha256('3'), 'issued', '2026-01-01'); "
        "INSERT INTO certificate (id, ca_id, serial, state, state_since, request_id, registration_id, profile, profile_sha256, "
        "spki_sha256, not_before, not_after, ordinal) SELECT i, ca.id, s, 'active', '2026-01-02', q, r, p, sha256('p'), sha256(s), "
        "'2026-01-02', '2029-01-02', 0 FROM ca, (VALUES (" C_CITIZEN "::uuid, '0123456789abcde1'::bytea, " Q_CITIZEN "::uuid, "
        R_CITIZEN "::uuid, 'citizen'), (" C_RESPONDER ", '0123456789abcde3', " Q_RESPONDER ", " R_RESPONDER ", 'responder')) "
        "v (i, s, q, r, p); "
        "INSERT INTO certificate_der (certificate_id, tbs, der) SELECT id, 'T', 'D' FROM certificate; "
        "INSERT INTO person (id, name, label, public_key, added_at) SELECT gen_random_uuid(), n, n, n::bytea, '2026-01-01' FROM "
        "unnest('{alice,bruno,chloe}'::text[]) n; "
        "INSERT INTO alarm (kind, object, level, text, raised_at) VALUES ('k', 'o', 'red', 't', '2026-01-01'); "
        "INSERT INTO node (name, process, state, seen_at) VALUES ('n/signer', 'signer', 'open', '2026-01-01')", NULL, 0);
}

static void
migrated(const char *folder, int from, int to)
{
    char conninfo[600];
    struct migrate_report report;
    struct why why = WHY_INIT;

    test_conninfo("options='-c search_path=pki'", conninfo, sizeof(conninfo));
    assert_ok(migrate_run(conninfo, "pki", folder, false, &report, &why), &why);
    assert_int_equal(report.from, from);
    assert_int_equal(report.to, to);
}

static int
setup(void **state)
{
    (void)state;
    operator_run("DROP SCHEMA IF EXISTS pki CASCADE", NULL, 0);
    migrated(SOURCE_DIR "/migrations/pki", 0, 4);
    fill();
    return 0;
}

struct row {
    const char *role, *before;       /* said by the superuser first, in the same transaction */
    const char *sql, *wanted;        /* "N rows", an SQLSTATE, or the name of a constraint */
};

static void
row_run(const struct row *row)
{
    PGconn *c = operator_open("options='-c search_path=pki'");
    char role[64], said[200];
    PGresult *r;

    PQclear(PQexec(c, "BEGIN"));
    r = PQexec(c, row->before != NULL ? row->before : "");
    if (PQresultStatus(r) == PGRES_FATAL_ERROR)
        fail_msg("%s: %s", row->before, PQresultErrorMessage(r));
    PQclear(r);
    snprintf(role, sizeof(role), "SET LOCAL ROLE %s", row->role);
    PQclear(PQexec(c, role));
    r = PQexec(c, row->sql);
    if (PQresultStatus(r) == PGRES_COMMAND_OK)
        snprintf(said, sizeof(said), "%s rows", PQcmdTuples(r));
    else if (PQresultStatus(r) == PGRES_TUPLES_OK)
        snprintf(said, sizeof(said), "%d rows", PQntuples(r));
    else
        snprintf(said, sizeof(said), "%s", PQresultErrorField(r, PG_DIAG_CONSTRAINT_NAME) != NULL
                                               ? PQresultErrorField(r, PG_DIAG_CONSTRAINT_NAME)
                                               : PQresultErrorField(r, PG_DIAG_SQLSTATE));
    if (strcmp(said, row->wanted) != 0)
        fail_msg("%s: %s\nsaid %s, not %s: %s", row->role, row->sql, said, row->wanted, PQresultErrorMessage(r));
    PQclear(r);
    PQfinish(c);
}

#define RESUMED(act_, subject_) "INSERT INTO pki.approval (subject, person_id, act, signature, at) SELECT sha256(convert_to(" subject_ \
    ", 'UTF8')), id, '" act_ "', 's', '2026-11-20' FROM pki.person WHERE name "
#define SUBJECT "'certificate ' || " C_CITIZEN " || E'\\nca root-g1\\nserial 30313233343536373839616263646531\\nheld_at 2026-11-20T10:11:12Z\\n'"
#define RELEASE "UPDATE certificate SET state = 'active', revoked_at = NULL, reason = NULL WHERE id = " C_CITIZEN

/* A revoked certificate is not made good again, and a held one not by one program alone. */
static void
certificates(void **state)
{
    static const struct row rows[] = {
        { "pki_front", NULL, "UPDATE certificate SET state = 'revoked', reason = 1, revoked_at = '2026-11-20' WHERE id = " C_CITIZEN, "1 rows" },
        { "pki_front", NULL, "UPDATE certificate SET state = 'held', reason = 6, revoked_at = '2026-11-20' WHERE id = " C_CITIZEN, "1 rows" },
        { "pki_front", REVOKED, "UPDATE certificate SET state = 'archived', revoked_at = NULL WHERE id = " C_CITIZEN, "certificate_steps" },
        { "pki_front", REVOKED, "UPDATE certificate SET state = 'archived' WHERE id = " C_CITIZEN, "certificate_steps" },
        { "pki_front", REVOKED, "UPDATE certificate SET state = 'active', revoked_at = NULL WHERE id = " C_CITIZEN, "certificate_final" },
        { "pki_front", REVOKED, "UPDATE certificate SET revoked_at = '2030-01-01' WHERE id = " C_CITIZEN, "certificate_steps" },
        { "pki_front", REVOKED, "UPDATE certificate SET compromised = false WHERE id = " C_CITIZEN, "certificate_steps" },
        { "pki_front", NULL, "UPDATE certificate SET state = 'expired' WHERE id = " C_CITIZEN, "certificate_steps" },
        { "pki_front", NULL, "UPDATE certificate SET state = 'void' WHERE id = " C_CITIZEN, "certificate_steps" },
        { "pki_front", "UPDATE pki.certificate SET state = 'reserved'", "UPDATE certificate SET state = 'issued'", "certificate_steps" },
        { "pki_signer", "UPDATE pki.certificate SET state = 'reserved'", "UPDATE certificate SET state = 'issued'", "2 rows" },
        { "pki_worker", NULL, "UPDATE certificate SET state = 'expired' WHERE id = " C_CITIZEN, "1 rows" },
        { "pki_worker", REVOKED, "UPDATE certificate SET state = 'archived', revoked_at = NULL", "certificate_steps" },
        { "pki_worker", NULL, "UPDATE certificate SET not_after = '2099-01-01'", "42501" },
        { "pki_signer", REVOKED, "UPDATE certificate SET state = 'archived', revoked_at = NULL WHERE id = " C_CITIZEN, "certificate_steps" },
        /* released by two who said so, of this very hold */
        { "pki_front", HELD, RELEASE, "certificate_steps" },
        { "pki_front", HELD RESUMED("certificate.resume", SUBJECT) "= 'alice'", RELEASE, "certificate_steps" },
        { "pki_front", HELD RESUMED("role.grant", SUBJECT) "<> 'alice'", RELEASE, "certificate_steps" },
        { "pki_front", HELD RESUMED("certificate.resume", "'another hold'") "<> 'alice'", RELEASE, "certificate_steps" },
        { "pki_front", HELD RESUMED("certificate.resume", SUBJECT) "<> 'alice'", RELEASE, "1 rows" },
        { "pki_worker", HELD, RELEASE, "42501" },
        { "pki_worker", HELD, "UPDATE certificate SET state = 'revoked', reason = 5 WHERE id = " C_CITIZEN, "1 rows" },
        { "pki_front", NULL, RESUMED("certificate.resume", SUBJECT) "<> 'alice'", "42501" },
        { "pki_status", NULL, RELEASE, "42501" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        row_run(&rows[i]);
}

/* Holders of stations are the front's; what the operator registered is not, and no row is too large for who reads it. */
static void
registrations_and_requests(void **state)
{
    static const struct row rows[] = {
        { "pki_front", NULL, REGISTRATION STATION ", 'citizen', 't', 'berta', 'card', 'none', 'open', '2026-11-20')", "1 rows" },
        { "pki_front", NULL, REGISTRATION "NULL, 'server', '', 'evil', 'software', 'none', 'open', '2026-11-20')", "42501" },
        { "pki_front", NULL, REGISTRATION STATION ", 'citizen', 't', E'a\\nb', 'card', 'none', 'open', '2026-11-20')", "registration_clean" },
        { "pki_front", NULL, REGISTRATION STATION ", repeat('p', 2000000), 't', 'c', 'card', 'none', 'open', '2026-11-20')", "registration_size" },
        { "pki_front", NULL, REGISTRATION STATION ", 'citizen', 't', 'anna', 'card', 'none', 'open', '2026-11-20')", "registration_live" },
        { "pki_front", "UPDATE pki.registration SET state = 'closed'", REGISTRATION STATION ", 'citizen', 't', 'anna', 'card', 'none', 'open', "
          "'2026-11-20')", "1 rows" },
        { "pki_front", NULL, "UPDATE registration SET proof_ref = 'x' WHERE id = " R_CITIZEN, "1 rows" },
        { "pki_front", NULL, "UPDATE registration SET proof_ref = 'x', subject = 'y' WHERE id = " R_SERVER, "0 rows" },
        { "pki_front", "UPDATE pki.registration SET state = 'closed'", "UPDATE registration SET state = 'open' WHERE id = " R_CITIZEN, "0 rows" },
        { "pki_front", NULL, "UPDATE registration SET profile = 'server' WHERE id = " R_CITIZEN, "42501" },
        { "pki_front", NULL, "UPDATE registration SET subject = repeat('x', 20000)::bytea WHERE id = " R_CITIZEN, "registration_size" },
        { "pki_front", NULL, REQUEST R_CITIZEN ", 'enroll', 'est', " STATION ", 'C', sha256('9'), 'received', '2026-11-20')", "1 rows" },
        { "pki_front", NULL, REQUEST R_CITIZEN ", 'enroll', 'est', " STATION ", repeat('C', 2000000)::bytea, sha256('9'), 'received', "
          "'2026-11-20')", "request_size" },
        { "pki_front", NULL, REQUEST R_SERVER ", 'enroll', 'operator', NULL, 'C', sha256('9'), 'approved', '2026-11-20')", "42501" },
        { "pki_front", NULL, "UPDATE request SET state = 'approved'", "42501" },
        { "pki_worker", NULL, "UPDATE request SET csr = 'x'", "42501" },
        { "pki_worker", NULL, "UPDATE registration SET subject = 'x'", "42501" },
        { "pki_status", NULL, REQUEST R_RESPONDER ", 'enroll', 'status', NULL, 'C', sha256('9'), 'received', '2026-11-20')", "1 rows" },
        { "pki_status", NULL, REQUEST R_RESPONDER ", 'enroll', 'status', NULL, repeat('C', 2000000)::bytea, sha256('9'), 'received', "
          "'2026-11-20')", "request_size" },
        { "pki_status", NULL, REQUEST R_RESPONDER ", 'enroll', 'operator', NULL, 'C', sha256('9'), 'approved', '2026-11-20')", "42501" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        row_run(&rows[i]);
}

/* Status finds its responders and no citizen. */
static void
who_reads(void **state)
{
    static const struct row rows[] = {
        { "pki_status", NULL, "SELECT holder FROM registration WHERE state = 'open'", "1 rows" },
        { "pki_status", NULL, "SELECT holder FROM registration WHERE holder = 'anna'", "0 rows" },
        { "pki_status", NULL, "SELECT der FROM certificate_der WHERE certificate_id = " C_RESPONDER, "1 rows" },
        { "pki_status", NULL, "SELECT der FROM certificate_der", "1 rows" },
        { "pki_front", NULL, "SELECT der FROM certificate_der", "2 rows" },
        { "pki_signer", NULL, "SELECT der FROM certificate_der", "2 rows" },
        { "pki_front", NULL, "SELECT public_key FROM person", "3 rows" },
        { "pki_front", NULL, "SELECT label FROM person", "42501" },
        { "pki_status", NULL, "SELECT name FROM person", "42501" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        row_run(&rows[i]);
}

/* Nobody speaks for another: in the audit trail, of nodes, of alarms. */
static void
who_says(void **state)
{
    static const struct row rows[] = {
        { "pki_front", NULL, AUDIT "'station:idp', 'station', 'registration.add', 'o', 'ok', '{}')", "1 rows" },
        { "pki_front", NULL, AUDIT "'operator:alice', 'security', 'role.approve', 'o', 'ok', '{}')", "42501" },
        { "pki_front", NULL, AUDIT "'signer', '', 'certificate.issue', 'o', 'ok', '{}')", "42501" },
        { "pki_status", NULL, AUDIT "'status:n1', '', 'request.add', 'o', 'ok', '{}')", "1 rows" },
        { "pki_status", NULL, AUDIT "'station:idp', '', 'request.add', 'o', 'ok', '{}')", "42501" },
        { "pki_signer", NULL, AUDIT "'signer', '', 'certificate.issue', 'o', 'ok', '{}')", "1 rows" },
        { "pki_front", NULL, "DELETE FROM audit_event", "42501" },
        { "pki_worker", NULL, "UPDATE audit_event SET actor = 'x'", "42501" },
        { "pki_worker", "INSERT INTO pki.audit_event (at, actor, role, verb, object, result, detail) VALUES ('2026-11-20', 'operator:x', '', "
          "'a.b', 'o', 'ok', '{}')", "SELECT actor FROM audit_event", "1 rows" },
        { "pki_front", NULL, "INSERT INTO node (name, process, state, seen_at) VALUES ('n/front', 'front', 'open', '2026-11-20')", "1 rows" },
        { "pki_front", NULL, "INSERT INTO node (name, process, state, seen_at) VALUES ('x/signer', 'signer', 'open', '2026-11-20')", "42501" },
        { "pki_status", NULL, "UPDATE node SET state = 'locked'", "0 rows" },
        { "pki_signer", NULL, "UPDATE node SET state = 'locked'", "1 rows" },
        { "pki_front", NULL, "UPDATE alarm SET told_at = '2026-11-20'", "1 rows" },
        { "pki_front", NULL, "UPDATE alarm SET ended_at = '2026-11-20'", "42501" },
        { "pki_worker", NULL, "UPDATE alarm SET ended_at = '2026-11-20'", "1 rows" },
        { "pki_worker", NULL, "UPDATE crl SET number = 0", "42501" },
        { "pki_worker", NULL, "UPDATE crl SET der = NULL", "0 rows" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        row_run(&rows[i]);
}

/* A database of version 3 that has rows already. */
static void
an_older_database(void **state)
{
    static const char *const files[] = { "0001-authority.sql", "0002-figures.sql", "0003-who-may.sql" };
    char folder[] = "/tmp/beffroi-roles.XXXXXX", path[200], common[200];

    (void)state;
    operator_run("DROP SCHEMA IF EXISTS pki CASCADE", NULL, 0);
    assert_non_null(mkdtemp(folder));
    (void)snprintf(common, sizeof(common), "%s/common", folder);
    assert_int_equal(symlink(SOURCE_DIR "/migrations/common", common), 0);
    (void)snprintf(path, sizeof(path), "%s/pki", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        char from[300], to[300];

        (void)snprintf(from, sizeof(from), "%s/migrations/pki/%s", SOURCE_DIR, files[i]);
        (void)snprintf(to, sizeof(to), "%s/%s", path, files[i]);
        assert_int_equal(symlink(from, to), 0);
    }
    migrated(path, 0, 3);
    fill();
    operator_run("UPDATE pki.certificate SET state = 'revoked', reason = 1, revoked_at = '2026-11-20' WHERE id = " C_CITIZEN, NULL, 0);
    migrated(SOURCE_DIR "/migrations/pki", 3, 4);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.certificate WHERE live AND id = " C_RESPONDER), 1);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.certificate WHERE NOT live AND id = " C_CITIZEN), 1);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        char file[300];

        (void)snprintf(file, sizeof(file), "%s/%s", path, files[i]);
        unlink(file);
    }
    unlink(common);
    rmdir(path);
    rmdir(folder);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(certificates, setup),
        cmocka_unit_test_setup(registrations_and_requests, setup),
        cmocka_unit_test_setup(who_reads, setup),
        cmocka_unit_test_setup(who_says, setup),
        cmocka_unit_test(an_older_database),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
