/* migrate: applying, refusing what changed, what is newer, what is malformed; two migrators at once. */
#include "tests/integration/pg_support.h"

#include <dirent.h>
#include <pthread.h>
#include <sys/stat.h>

#include "base/pg/migrate.h"

struct fixture {
    char root[300];             /* holds m/ (the schema's folder) and common/ */
    char folder[320];
    char conninfo[600];
    struct migrate_report report;
    struct why why;
};

static void
write_file(const struct fixture *f, const char *name, const char *text)
{
    char path[512];
    FILE *out;

    (void)snprintf(path, sizeof(path), "%s/%s", f->root, name);
    out = fopen(path, "w");
    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
}

static void
empty_folder(const char *path)
{
    DIR *d = opendir(path);
    struct dirent *e;
    char file[800];

    while (d != NULL && (e = readdir(d)) != NULL) {
        (void)snprintf(file, sizeof(file), "%s/%s", path, e->d_name);
        (void)unlink(file);
    }
    if (d != NULL)
        (void)closedir(d);
    (void)rmdir(path);
}

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    const char *tmp = getenv("TMPDIR");
    char common[330];

    (void)snprintf(f->root, sizeof(f->root), "%s/beffroi-migrate.XXXXXX", tmp == NULL ? "/tmp" : tmp);
    assert_non_null(mkdtemp(f->root));
    (void)snprintf(f->folder, sizeof(f->folder), "%s/m", f->root);
    (void)snprintf(common, sizeof(common), "%s/common", f->root);
    assert_int_equal(mkdir(f->folder, 0700), 0);
    assert_int_equal(mkdir(common, 0700), 0);
    operator_run("DROP SCHEMA IF EXISTS m CASCADE", NULL, 0);
    test_conninfo("", f->conninfo, sizeof(f->conninfo));
    write_file(f, "m/0001-first.sql", "CREATE TABLE a (id int);\n-- include ../common/shared.sql\nINSERT INTO a VALUES (1);\n");
    write_file(f, "m/0002-second.sql", "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$\nBEGIN\n  RETURN 1;\nEND;\n$$;\n");
    write_file(f, "m/README", "not a migration\n");
    write_file(f, "common/shared.sql", "CREATE TABLE shared (id int);\n");
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    char common[330];

    (void)snprintf(common, sizeof(common), "%s/common", f->root);
    empty_folder(f->folder);
    empty_folder(common);
    (void)rmdir(f->root);
    free(f);
    return 0;
}

static enum err
migrate(struct fixture *f)
{
    return migrate_run(f->conninfo, "m", f->folder, false, &f->report, &f->why);
}

static void
applies_once_and_records(void **state)
{
    struct fixture *f = *state;

    assert_ok(migrate_run(f->conninfo, "m", f->folder, true, &f->report, &f->why), &f->why);
    assert_int_equal(f->report.from, 0);
    assert_int_equal(f->report.to, 2);
    assert_int_equal(operator_count("SELECT count(*) FROM pg_namespace WHERE nspname = 'm'"), 0);

    assert_ok(migrate(f), &f->why);
    assert_int_equal(f->report.from, 0);
    assert_int_equal(f->report.to, 2);
    assert_int_equal(operator_count("SELECT count(*) FROM m.a"), 1);
    assert_int_equal(operator_count("SELECT count(*) FROM m.shared"), 0);
    assert_int_equal(operator_count("SELECT count(*) FROM m.schema_version WHERE schema = 'm' AND"
                                    " octet_length(digest) = 32 AND abs(extract(epoch FROM applied_at - now())) < 100"), 2);

    assert_ok(migrate(f), &f->why);
    assert_int_equal(f->report.from, 2);
    assert_int_equal(f->report.to, 2);
    assert_int_equal(operator_count("SELECT count(*) FROM m.a"), 1);

    write_file(f, "m/0003-third.sql", "INSERT INTO a VALUES (3);\n");
    assert_ok(migrate(f), &f->why);
    assert_int_equal(f->report.from, 2);
    assert_int_equal(f->report.to, 3);
    assert_int_equal(operator_count("SELECT count(*) FROM m.a"), 2);
}

static void
refuses_what_changed(void **state)
{
    static const struct { const char *label, *file, *text; } rows[] = {
        { "the file", "m/0002-second.sql", "SELECT 1;\n" },
        { "one blank", "m/0001-first.sql",
          "CREATE TABLE a (id int);\n-- include ../common/shared.sql\nINSERT INTO a VALUES (1); \n" },
        { "an included file", "common/shared.sql", "CREATE TABLE shared (id bigint);\n" },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        teardown(state);
        setup(state);
        f = *state;
        assert_ok(migrate(f), &f->why);
        write_file(f, rows[i].file, rows[i].text);
        assert_row(rows[i].label, migrate(f) == ERR_CONFLICT);
        assert_row_string(rows[i].label, f->why.code, "migrate.changed");
        assert_row(rows[i].label, migrate_run(f->conninfo, "m", f->folder, true, &f->report, &f->why) == ERR_CONFLICT);
    }
}

static void
refuses_a_newer_database(void **state)
{
    struct fixture *f = *state;
    char path[400];

    write_file(f, "m/0003-third.sql", "SELECT 1;\n");
    assert_ok(migrate(f), &f->why);
    (void)snprintf(path, sizeof(path), "%s/0003-third.sql", f->folder);
    assert_int_equal(unlink(path), 0);
    assert_err(migrate(f), ERR_CONFLICT, &f->why);
    assert_string_equal(f->why.code, "migrate.newer");
}

static void
refuses_malformed_folders(void **state)
{
    static const struct { const char *label, *file, *text, *says; } rows[] = {
        { "gap", "m/0004-gap.sql", "SELECT 1;\n", "0003" },
        { "number twice", "m/0002-again.sql", "SELECT 1;\n", "0003" },
        { "name", "m/3-third.sql", "SELECT 1;\n", "not named" },
        { "upper case", "m/0003-Third.sql", "SELECT 1;\n", "not named" },
        { "commit", "m/0003-third.sql", "SELECT 1;\n  Commit;\n", "0003-third.sql:2" },
        { "psql command", "m/0003-third.sql", "\\set x 1\n", "0003-third.sql:1" },
        { "include that is absent", "m/0003-third.sql", "-- include ../common/absent.sql\n", "absent.sql" },
        { "include from outside", "m/0003-third.sql", "-- include ../../etc/x.sql\n", "only name.sql" },
        { "include absolute", "m/0003-third.sql", "-- include /etc/x.sql\n", "only name.sql" },
        { "include in an include", "common/shared.sql", "-- include other.sql\n", "includes nothing" },
    };
    struct fixture *f;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        teardown(state);
        setup(state);
        f = *state;
        write_file(f, rows[i].file, rows[i].text);
        assert_row(rows[i].label, migrate(f) == ERR_INPUT);
        assert_row(rows[i].label, strstr(f->why.text, rows[i].says) != NULL);
        /* Nothing was begun. */
        assert_int_equal(operator_count("SELECT count(*) FROM pg_namespace WHERE nspname = 'm'"), 0);
    }
    f = *state;
    assert_err(migrate_run(f->conninfo, "m", "/nonexistent", false, &f->report, &f->why), ERR_NOT_FOUND, &f->why);
    assert_err(migrate_run(f->conninfo, "M; DROP", f->folder, false, &f->report, &f->why), ERR_INPUT, &f->why);
}

static void
failing_file_leaves_nothing_and_says_where(void **state)
{
    struct fixture *f = *state;

    write_file(f, "m/0003-third.sql", "CREATE TABLE b (id int);\n-- é\nSELECT nonsense\nFROM b;\n");
    assert_err(migrate(f), ERR_INTERNAL, &f->why);
    assert_non_null(strstr(f->why.text, "0003-third.sql:3"));
    assert_non_null(strstr(f->why.text, "nonsense"));
    assert_int_equal(f->report.to, 2);
    assert_int_equal(operator_count("SELECT count(*) FROM pg_tables WHERE schemaname = 'm' AND tablename = 'b'"), 0);
    assert_int_equal(operator_count("SELECT max(number) FROM m.schema_version"), 2);
    write_file(f, "m/0003-third.sql", "CREATE TABLE b (id int);\n");
    assert_ok(migrate(f), &f->why);
    assert_int_equal(f->report.to, 3);
}

/* A transaction command that the scan does not know must not pass for success. */
static void
file_that_ends_its_transaction_is_not_recorded(void **state)
{
    struct fixture *f = *state;

    write_file(f, "m/0003-third.sql", "CREATE TABLE b (id int); COMMIT AND NO CHAIN;\n");
    assert_err(migrate(f), ERR_INTERNAL, &f->why);
    assert_int_equal(operator_count("SELECT max(number) FROM m.schema_version"), 2);
}

static void
roles_of_the_schema_may_read_the_version(void **state)
{
    struct fixture *f = *state;
    PGconn *c;
    PGresult *r;

    operator_run("DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'm_web') THEN CREATE ROLE m_web LOGIN;"
                 " CREATE ROLE n_web LOGIN; END IF; END $$", NULL, 0);
    assert_ok(migrate(f), &f->why);
    c = operator_open("user=m_web");
    r = PQexec(c, "SELECT number FROM m.schema_version");
    assert_int_equal(PQresultStatus(r), PGRES_TUPLES_OK);
    PQclear(r);
    r = PQexec(c, "DELETE FROM m.schema_version");
    assert_int_equal(PQresultStatus(r), PGRES_FATAL_ERROR);
    PQclear(r);
    PQfinish(c);
    c = operator_open("user=n_web");
    r = PQexec(c, "SELECT number FROM m.schema_version");
    assert_int_equal(PQresultStatus(r), PGRES_FATAL_ERROR);
    PQclear(r);
    PQfinish(c);
}

/* The owner role of packaging/sql/roles.sql, not a superuser, can do all of it. */
static void
owner_role_suffices(void **state)
{
    struct fixture *f = *state;
    char conninfo[700];

    operator_run("GRANT CREATE ON DATABASE test TO idp_owner", NULL, 0);
    test_conninfo("user=idp_owner", conninfo, sizeof(conninfo));
    assert_ok(migrate_run(conninfo, "m", f->folder, false, &f->report, &f->why), &f->why);
    assert_int_equal(operator_count("SELECT count(*) FROM pg_tables WHERE schemaname = 'm' AND tableowner <> 'idp_owner'"), 0);
}

/* The tree's own migrations, as their owners, twice; and what each process may do afterwards. */
static void
shared_migrations_apply(void **state)
{
    static const char *const schemas[] = { "idp", "mairie" };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(schemas); i++) {
        char folder[600], more[60], conninfo[700], sql[200];
        struct stat st;

        (void)snprintf(folder, sizeof(folder), "%s/migrations/%s", SOURCE_DIR, schemas[i]);
        if (stat(folder, &st) != 0)
            continue;
        (void)snprintf(sql, sizeof(sql), "DROP SCHEMA IF EXISTS %s CASCADE; GRANT CREATE ON DATABASE test TO %s_owner",
                       schemas[i], schemas[i]);
        operator_run(sql, NULL, 0);
        (void)snprintf(more, sizeof(more), "user=%s_owner", schemas[i]);
        test_conninfo(more, conninfo, sizeof(conninfo));
        assert_ok(migrate_run(conninfo, schemas[i], folder, false, &f->report, &f->why), &f->why);
        assert_true(f->report.to > 0);
        assert_ok(migrate_run(conninfo, schemas[i], folder, false, &f->report, &f->why), &f->why);
        assert_int_equal(f->report.from, f->report.to);
        (void)snprintf(sql, sizeof(sql),
                       "SELECT (has_schema_privilege('%s_web', '%s', 'USAGE')"
                       " AND has_table_privilege('%s_web', '%s.schema_version', 'SELECT'))::int", schemas[i],
                       schemas[i], schemas[i], schemas[i]);
        assert_int_equal(operator_count(sql), 1);
    }
}

struct migrator {
    struct fixture *f;
    struct migrate_report report;
    enum err result;
    struct why why;
};

static void *
migrator_run(void *arg)
{
    struct migrator *m = arg;

    m->result = migrate_run(m->f->conninfo, "m", m->f->folder, false, &m->report, &m->why);
    return NULL;
}

static void
migrators_wait_for_each_other(void **state)
{
    struct fixture *f = *state;
    struct migrator many[6] = { { .f = f } };
    pthread_t threads[ARRAY_LEN(many)];
    int first = 0;

    write_file(f, "m/0003-third.sql", "SELECT pg_sleep(0.2);\nINSERT INTO a VALUES (3);\n");
    for (size_t i = 0; i < ARRAY_LEN(many); i++) {
        many[i].f = f;
        assert_int_equal(pthread_create(&threads[i], NULL, migrator_run, &many[i]), 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(many); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (size_t i = 0; i < ARRAY_LEN(many); i++) {
        assert_ok(many[i].result, &many[i].why);
        assert_int_equal(many[i].report.to, 3);
        first += many[i].report.from == 0;
    }
    assert_int_equal(first, 1);
    assert_int_equal(operator_count("SELECT count(*) FROM m.a"), 2);
}

/* What a program says before and after, seen from pg_open. */
static void
programs_see_the_version(void **state)
{
    struct fixture *f = *state;
    char conninfo[700];
    struct pg_config conf = { .conninfo = conninfo, .schema = "m", .schema_min = 2, .schema_max = 2 };
    struct pg *pg = NULL;

    test_conninfo("options='-c search_path=m'", conninfo, sizeof(conninfo));
    assert_err(pg_open(&conf, &pg, &f->why), ERR_INTERNAL, &f->why);
    assert_string_equal(f->why.code, "pg.schema.none");
    assert_ok(migrate(f), &f->why);
    assert_ok(pg_open(&conf, &pg, &f->why), &f->why);
    pg_close(pg);
    write_file(f, "m/0003-third.sql", "SELECT 1;\n");
    assert_ok(migrate(f), &f->why);
    assert_err(pg_open(&conf, &pg, &f->why), ERR_INTERNAL, &f->why);
    assert_string_equal(f->why.code, "pg.schema.newer");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(applies_once_and_records), T(refuses_what_changed), T(refuses_a_newer_database),
        T(refuses_malformed_folders), T(failing_file_leaves_nothing_and_says_where),
        T(file_that_ends_its_transaction_is_not_recorded), T(roles_of_the_schema_may_read_the_version),
        T(owner_role_suffices), T(shared_migrations_apply), T(migrators_wait_for_each_other), T(programs_see_the_version),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
