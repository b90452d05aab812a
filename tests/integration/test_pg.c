/* pg: types, errors, round trips, transactions, pool and notifications against a real PostgreSQL. */
#include "tests/integration/pg_support.h"

#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

enum { ECHO, SLEEP, PUT, PUT_CHILD, PUT_LATER, COUNT, UPDATE, PID, ALWAYS_SERIAL, ARRAYS, COLUMNS };
static const struct pg_stmt list[] = {
    [ECHO] = { "test.echo", "SELECT $1::text, $2::bytea, $3::int8, $4::int4, $5::boolean, $6::timestamptz, $7::uuid,"
                            " $8::jsonb, $3::int8::int2, 'name'::name, '5'::xid8, NULL::text[]", 8 },
    [SLEEP] = { "test.sleep", "SELECT pg_sleep($1::int8 / 1000.0)::text", 1 },
    [PUT] = { "test.put", "INSERT INTO thing (id, label) VALUES ($1::int8, $2::text) RETURNING id", 2 },
    [PUT_CHILD] = { "test.put_child", "INSERT INTO child (thing) VALUES ($1::int8)", 1 },
    [PUT_LATER] = { "test.put_later", "INSERT INTO later (thing) VALUES ($1::int8) RETURNING thing", 1 },
    [COUNT] = { "test.count", "SELECT count(*) FROM thing", 0 },
    [UPDATE] = { "test.update", "UPDATE thing SET label = label || '+' WHERE id = $1::int8", 1 },
    [PID] = { "test.pid", "SELECT pg_backend_pid()", 0 },
    [ALWAYS_SERIAL] = { "test.serial", "SELECT always_serial()", 0 },
    [ARRAYS] = { "test.arrays", "SELECT $1::text[], $2::int8[], cardinality($1::text[]), $1::text[] IS NULL", 2 },
    [COLUMNS] = { "test.columns", "SELECT * FROM unnest($1::uuid[], $2::bytea[], $3::timestamptz[]) WITH ORDINALITY ORDER BY ordinality",
                  3 },
};
static const struct pg_stmts stmts = PG_STMTS(list);
static const struct pg_stmts *const tables[] = { &stmts, NULL };

struct fixture {
    char conninfo[600];
    struct pg_config conf;
    struct pg *pg;
    struct why why;
};

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    operator_run("DROP SCHEMA IF EXISTS t CASCADE; CREATE SCHEMA t; SET search_path = t;"
                 "CREATE TABLE thing (id bigint CONSTRAINT thing_id_key PRIMARY KEY, label text NOT NULL,"
                 " CONSTRAINT thing_label_short CHECK (length(label) < 30));"
                 "CREATE TABLE child (thing bigint CONSTRAINT child_thing REFERENCES thing);"
                 "CREATE TABLE later (thing bigint CONSTRAINT later_thing REFERENCES thing DEFERRABLE INITIALLY DEFERRED);"
                 "CREATE FUNCTION always_serial() RETURNS text LANGUAGE plpgsql AS"
                 " $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END $$;"
                 "INSERT INTO thing VALUES (1, 'one'), (2, 'two')", NULL, 0);
    test_conninfo("options='-c search_path=t -c deadlock_timeout=50ms'", f->conninfo, sizeof(f->conninfo));
    f->conf = (struct pg_config){ .conninfo = f->conninfo, .stmts = tables };
    assert_ok(pg_open(&f->conf, &f->pg, &f->why), &f->why);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;

    pg_close(f->pg);
    free(f);
    return 0;
}

static int
backend_pid(struct fixture *f)
{
    struct pg_result *r = NULL;
    int pid;

    assert_ok(pg_exec(f->pg, &list[PID], NULL, &r, &f->why), &f->why);
    pid = (int)pg_i64(r, 0, 0);
    pg_result_free(r);
    return pid;
}

static void
terminate(int pid)
{
    char sql[80];

    (void)snprintf(sql, sizeof(sql), "SELECT pg_terminate_backend(%d, 5000)::text", pid);
    operator_run(sql, NULL, 0);
}

static enum err
put(struct pg *pg, int64_t id, const char *label, struct why *why)
{
    struct pg_args a = PG_ARGS_INIT;

    pg_arg_i64(&a, id);
    pg_arg_text(&a, label);
    return pg_exec(pg, &list[PUT], &a, NULL, why);
}

static enum err
post(struct pg *pg, int64_t id, const char *label, struct why *why)
{
    char mine[40];
    struct pg_args a = PG_ARGS_INIT;
    enum err e;

    (void)snprintf(mine, sizeof(mine), "%s", label);
    pg_arg_i64(&a, id);
    pg_arg_text(&a, mine);
    e = pg_post(pg, &list[PUT], &a, why);
    memset(mine, 'x', sizeof(mine));      /* what was given need not stay */
    return e;
}

static enum err
update(struct pg *pg, int64_t id, struct why *why)
{
    struct pg_args a = PG_ARGS_INIT;

    pg_arg_i64(&a, id);
    return pg_exec(pg, &list[UPDATE], &a, NULL, why);
}

static enum err
nap(struct pg *pg, int64_t ms, struct why *why)
{
    struct pg_args a = PG_ARGS_INIT;

    pg_arg_i64(&a, ms);
    return pg_exec(pg, &list[SLEEP], &a, NULL, why);
}

/* --- opening --- */
static void
open_names_what_does_not_fit(void **state)
{
    static const struct pg_stmt no_table[] = { { "bad.table", "SELECT 1 FROM nowhere", 0 } };
    static const struct pg_stmt no_column[] = { { "bad.column", "SELECT colour FROM thing", 0 } };
    static const struct pg_stmt syntax[] = { { "bad.syntax", "SELEC 1", 0 } };
    static const struct pg_stmt count[] = { { "bad.count", "SELECT $1::int8", 2 } };
    static const struct pg_stmt twice[] = { { "bad.twice", "SELECT 1", 0 }, { "bad.twice", "SELECT 2", 0 } };
    static const struct { const char *label; struct pg_stmts stmts; const char *says; } rows[] = {
        { "table", PG_STMTS(no_table), "bad.table" },
        { "column", PG_STMTS(no_column), "bad.column" },
        { "syntax", PG_STMTS(syntax), "bad.syntax" },
        { "parameter count", PG_STMTS(count), "2 parameters declared, the text has 1" },
        { "name used twice", PG_STMTS(twice), "bad.twice" },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct pg_stmts *const bad[] = { &stmts, &rows[i].stmts, NULL };
        struct pg_config conf = { .conninfo = f->conninfo, .stmts = bad };
        struct pg *pg = NULL;

        assert_row(rows[i].label, pg_open(&conf, &pg, &f->why) == ERR_INTERNAL);
        assert_row_string(rows[i].label, f->why.code, "pg.statement");
        assert_row(rows[i].label, strstr(f->why.text, rows[i].says) != NULL);
        assert_row(rows[i].label, pg == NULL);
    }
}

static void
open_checks_the_schema_version(void **state)
{
    static const struct { const char *label, *sql; int min, max; enum err err; const char *code, *says; } rows[] = {
        { "no table", "SELECT 1", 1, 9, ERR_INTERNAL, "pg.schema.none", "run migrate" },
        { "no row", "CREATE TABLE t.schema_version (schema text, number int)", 1, 9, ERR_INTERNAL, "pg.schema.none",
          "run migrate" },
        { "other schema", "INSERT INTO t.schema_version VALUES ('u', 5)", 1, 9, ERR_INTERNAL, "pg.schema.none",
          "search_path" },
        { "fits", "INSERT INTO t.schema_version VALUES ('t', 4), ('t', 5)", 4, 5, OK, "", "" },
        { "older", "SELECT 1", 6, 9, ERR_INTERNAL, "pg.schema.older", "the database is older than this program" },
        { "newer", "SELECT 1", 1, 4, ERR_INTERNAL, "pg.schema.newer", "this program is older than the database" },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct pg_config conf = { .conninfo = f->conninfo, .stmts = tables, .schema = "t",
                                  .schema_min = rows[i].min, .schema_max = rows[i].max };
        struct why why = WHY_INIT;
        struct pg *pg = NULL;

        operator_run(rows[i].sql, NULL, 0);
        assert_row(rows[i].label, pg_open(&conf, &pg, &why) == rows[i].err);
        assert_row_string(rows[i].label, why.code, rows[i].code);
        assert_row(rows[i].label, strstr(why.text, rows[i].says) != NULL);
        assert_row(rows[i].label, (pg != NULL) == (rows[i].err == OK));
        pg_close(pg);
    }
}

/* The order matters: before any migration the words are about migrating, not about some table. */
static void
open_before_migration_says_so(void **state)
{
    static const struct pg_stmt no_table[] = { { "bad.table", "SELECT 1 FROM nowhere", 0 } };
    static const struct pg_stmts bad = PG_STMTS(no_table);
    static const struct pg_stmts *const bads[] = { &bad, NULL };
    struct fixture *f = *state;
    struct pg_config conf = { .conninfo = f->conninfo, .stmts = bads, .schema = "t", .schema_min = 1, .schema_max = 2 };
    struct pg *pg = NULL;

    assert_err(pg_open(&conf, &pg, &f->why), ERR_INTERNAL, &f->why);
    assert_string_equal(f->why.code, "pg.schema.none");
}

static void
open_without_a_server_is_unavailable(void **state)
{
    struct fixture *f = *state;
    struct pg_config conf = { .conninfo = "host=/nonexistent dbname=test", .stmts = tables };
    struct pg *pg = NULL;

    assert_err(pg_open(&conf, &pg, &f->why), ERR_UNAVAILABLE, &f->why);
    assert_null(pg);
}

/* --- values --- */
static void
values_come_back(void **state)
{
    static const char bytes[] = { 0, 1, (char)0xFF, 0, '\'' };
    struct fixture *f = *state;
    struct pg_args a = PG_ARGS_INIT;
    struct pg_result *r = NULL;
    struct str s;
    char uuid[37];

    pg_arg_str(&a, (struct str){ "Zoé, l'été…", sizeof("Zoé, l'été…") - 1 });
    pg_arg_bytes(&a, bytes, sizeof(bytes));
    pg_arg_i64(&a, INT64_C(-12345));
    pg_arg_i32(&a, INT32_MIN);
    pg_arg_bool(&a, true);
    pg_arg_time(&a, INT64_C(1795298645123456));
    pg_arg_uuid(&a, "01234567-89ab-cDEF-8123-456789abcdef");
    pg_arg_json(&a, "{\"b\":1,\"a\":\"é\"}");
    assert_ok(pg_exec(f->pg, &list[ECHO], &a, &r, &f->why), &f->why);
    assert_int_equal(pg_rows(r), 1);
    assert_string_equal(pg_text(r, 0, 0), "Zoé, l'été…");
    s = pg_str(r, 0, 1);
    assert_int_equal(s.n, sizeof(bytes));
    assert_memory_equal(s.p, bytes, sizeof(bytes));
    assert_int_equal(pg_i64(r, 0, 2), -12345);
    assert_int_equal(pg_i64(r, 0, 3), INT32_MIN);
    assert_true(pg_bool(r, 0, 4));
    assert_int_equal(pg_time(r, 0, 5), INT64_C(1795298645123456));
    pg_uuid(r, 0, 6, uuid);
    assert_string_equal(uuid, "01234567-89ab-cdef-8123-456789abcdef");
    assert_string_equal(pg_text(r, 0, 7), "{\"a\": \"é\", \"b\": 1}");
    assert_int_equal(pg_i64(r, 0, 8), -12345);
    assert_string_equal(pg_text(r, 0, 9), "name");
    assert_int_equal(pg_i64(r, 0, 10), 5);
    assert_int_equal(pg_texts_count(r, 0, 11), 0);
    pg_result_free(r);
}

static void
nulls_come_back(void **state)
{
    struct fixture *f = *state;
    struct pg_args a = PG_ARGS_INIT;
    struct pg_result *r = NULL;
    char uuid[37] = "x";

    pg_arg_text(&a, NULL);
    pg_arg_buf(&a, NULL);
    pg_arg_null(&a);
    pg_arg_null(&a);
    pg_arg_null(&a);
    pg_arg_time(&a, UTIME_NULL);
    pg_arg_uuid(&a, NULL);
    pg_arg_json(&a, NULL);
    assert_ok(pg_exec(f->pg, &list[ECHO], &a, &r, &f->why), &f->why);
    for (int col = 0; col < 9; col++)
        assert_true(pg_is_null(r, 0, col));
    assert_string_equal(pg_text(r, 0, 0), "");
    assert_null(pg_str(r, 0, 1).p);
    assert_int_equal(pg_i64(r, 0, 2), 0);
    assert_false(pg_bool(r, 0, 4));
    assert_true(pg_time(r, 0, 5) == UTIME_NULL);
    pg_uuid(r, 0, 6, uuid);
    assert_string_equal(uuid, "");
    pg_result_free(r);
}

static void
empty_is_not_null(void **state)
{
    struct buf nothing = BUF_BOUNDED(10);
    struct fixture *f = *state;
    struct pg_args a = PG_ARGS_INIT;
    struct pg_result *r = NULL;

    pg_arg_str(&a, STR_LIT(""));
    pg_arg_buf(&a, &nothing);
    pg_arg_i64(&a, 0);
    pg_arg_i32(&a, 0);
    pg_arg_bool(&a, false);
    pg_arg_time(&a, 0);
    pg_arg_null(&a);
    pg_arg_null(&a);
    assert_ok(pg_exec(f->pg, &list[ECHO], &a, &r, &f->why), &f->why);
    for (int col = 0; col < 6; col++)
        assert_false(pg_is_null(r, 0, col));
    assert_int_equal(pg_str(r, 0, 0).n, 0);
    assert_int_equal(pg_str(r, 0, 1).n, 0);
    assert_int_equal(pg_time(r, 0, 5), 0);
    pg_result_free(r);
}

static void
arrays_come_back(void **state)
{
    static const char *const words[] = { "un", "", "trois, \"3\"", NULL, "é" };
    static const int64_t numbers[] = { 1, -2, INT64_MAX };
    struct fixture *f = *state;
    struct pg_args a = PG_ARGS_INIT;
    struct pg_result *r = NULL;

    pg_arg_texts(&a, words, ARRAY_LEN(words));
    pg_arg_i64s(&a, numbers, ARRAY_LEN(numbers));
    assert_ok(pg_exec(f->pg, &list[ARRAYS], &a, &r, &f->why), &f->why);
    assert_int_equal(pg_texts_count(r, 0, 0), ARRAY_LEN(words));
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        struct str s = pg_texts_item(r, 0, 0, i);

        assert_true(words[i] == NULL ? s.p == NULL : str_eqs(s, words[i]));
    }
    assert_int_equal(pg_i64s_count(r, 0, 1), ARRAY_LEN(numbers));
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        assert_true(pg_i64s_item(r, 0, 1, i) == numbers[i]);
    pg_result_free(r);
    r = NULL;

    pg_arg_texts(&a, words, 0);
    pg_arg_i64s(&a, numbers, 0);
    assert_ok(pg_exec(f->pg, &list[ARRAYS], &a, &r, &f->why), &f->why);
    assert_int_equal(pg_texts_count(r, 0, 0), 0);
    assert_int_equal(pg_i64s_count(r, 0, 1), 0);
    assert_false(pg_bool(r, 0, 3));
    pg_result_free(r);
}

/* Arrays as columns of rows. */
static void
arrays_as_columns(void **state)
{
    static const char *const ids[] = { "00000000-0000-4000-8000-00000000000a", "ffffffff-ffff-4fff-bfff-ffffffffffff" };
    static const char *const bad[] = { "00000000-0000-4000-8000-00000000000a", "ffffffff-ffff-4fff-bfff-fffffffffffg" };
    static const struct str octets[] = { { "a\0b", 3 }, { NULL, 0 } };
    static const utime times[] = { 0, INT64_C(1795000000123456) };
    struct fixture *f = *state;
    struct pg_args a = PG_ARGS_INIT;
    struct pg_result *r = NULL;

    pg_arg_uuids(&a, bad, 2);
    pg_arg_blobs(&a, octets, 2);
    pg_arg_times(&a, times, 2);
    assert_err(pg_exec(f->pg, &list[COLUMNS], &a, &r, &f->why), ERR_INPUT, &f->why);
    pg_arg_uuids(&a, ids, 2);
    pg_arg_blobs(&a, octets, 2);
    pg_arg_times(&a, times, 2);
    assert_ok(pg_exec(f->pg, &list[COLUMNS], &a, &r, &f->why), &f->why);
    assert_int_equal(pg_rows(r), 2);
    for (int i = 0; i < 2; i++) {
        char id[37];

        pg_uuid(r, i, 0, id);
        assert_string_equal(id, ids[i]);
        assert_true(!pg_is_null(r, i, 1) && pg_str(r, i, 1).n == octets[i].n);
        assert_true(octets[i].n == 0 || memcmp(pg_str(r, i, 1).p, octets[i].p, octets[i].n) == 0);
        assert_true(pg_time(r, i, 2) == times[i]);
    }
    pg_result_free(r);
    r = NULL;
    pg_arg_uuids(&a, ids, 0);
    pg_arg_blobs(&a, octets, 0);
    pg_arg_times(&a, times, 0);
    assert_ok(pg_exec(f->pg, &list[COLUMNS], &a, &r, &f->why), &f->why);
    assert_int_equal(pg_rows(r), 0);
    pg_result_free(r);
}

static void
array_beyond_the_ceiling_is_refused(void **state)
{
    static const char *words[2000];
    struct fixture *f = *state;
    struct pg_args a = PG_ARGS_INIT;
    char *word = malloc(1001);

    memset(word, 'a', 1000);
    word[1000] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        words[i] = word;
    pg_arg_texts(&a, words, ARRAY_LEN(words));
    pg_arg_i64s(&a, NULL, 0);
    assert_err(pg_exec(f->pg, &list[ARRAYS], &a, NULL, &f->why), ERR_INPUT, &f->why);
    free(word);
    assert_ok(put(f->pg, 77, "still usable", &f->why), &f->why);
}

/* --- errors --- */
static void
bad_values_are_the_peers_fault(void **state)
{
    static const struct { const char *label; struct str text; const char *uuid, *json; } rows[] = {
        { "not UTF-8", { "a\xC3(", 3 }, NULL, NULL },
        { "NUL in text", { "a\0b", 3 }, NULL, NULL },
        { "uuid", { "x", 1 }, "01234567-89ab-cdef-8123-456789abcdeg", NULL },
        { "uuid too long", { "x", 1 }, "01234567-89ab-cdef-8123-456789abcdef0", NULL },
        { "json", { "x", 1 }, NULL, "{\"secret-value\"" },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct pg_args a = PG_ARGS_INIT;

        pg_arg_str(&a, rows[i].text);
        pg_arg_null(&a);
        pg_arg_null(&a);
        pg_arg_null(&a);
        pg_arg_null(&a);
        pg_arg_null(&a);
        pg_arg_uuid(&a, rows[i].uuid);
        pg_arg_json(&a, rows[i].json);
        assert_row(rows[i].label, pg_exec(f->pg, &list[ECHO], &a, NULL, &f->why) == ERR_INPUT);
        assert_row(rows[i].label, strstr(f->why.text, "secret-value") == NULL);
        assert_ok(put(f->pg, 100 + (int64_t)i, "good after bad", &f->why), &f->why);
    }
}

static void
violations_are_conflicts_with_the_constraint(void **state)
{
    struct fixture *f = *state;
    struct pg_args a = PG_ARGS_INIT;

    assert_err(put(f->pg, 1, "again", &f->why), ERR_CONFLICT, &f->why);
    assert_string_equal(pg_constraint(f->pg), "thing_id_key");
    assert_err(put(f->pg, 3, "a label that is much too long to be kept", &f->why), ERR_CONFLICT, &f->why);
    assert_string_equal(pg_constraint(f->pg), "thing_label_short");
    pg_arg_i64(&a, 99);
    assert_err(pg_exec(f->pg, &list[PUT_CHILD], &a, NULL, &f->why), ERR_CONFLICT, &f->why);
    assert_string_equal(pg_constraint(f->pg), "child_thing");
    assert_null(strstr(f->why.text, "99"));
    assert_ok(put(f->pg, 4, "four", &f->why), &f->why);
    assert_string_equal(pg_constraint(f->pg), "");
    /* NULL where the table wants a value: a check of ours is missing. */
    assert_err(put(f->pg, 5, NULL, &f->why), ERR_INTERNAL, &f->why);
}

/* --- round trips --- */
static enum err
two_puts(struct pg *pg, void *arg, struct why *why)
{
    enum err e;

    (void)arg;
    if ((e = put(pg, 10, "ten", why)) != OK)
        return e;
    return put(pg, 11, "eleven", why);
}

static enum err
nothing(struct pg *pg, void *arg, struct why *why)
{
    (void)pg, (void)arg, (void)why;
    return OK;
}

/* The answer comes before the commit, and so does not make a statement good. */
static void
refused_at_commit_is_refused(void **state)
{
    struct fixture *f = *state;
    struct pg_args a = PG_ARGS_INIT;
    struct pg_result *r = NULL;

    pg_arg_i64(&a, 99);
    assert_err(pg_exec(f->pg, &list[PUT_LATER], &a, &r, &f->why), ERR_CONFLICT, &f->why);
    assert_null(r);
    assert_string_equal(pg_constraint(f->pg), "later_thing");
    assert_int_equal(operator_count("SELECT count(*) FROM t.later"), 0);
    pg_arg_i64(&a, 1);
    assert_ok(pg_exec(f->pg, &list[PUT_LATER], &a, &r, &f->why), &f->why);
    pg_result_free(r);
    assert_int_equal(operator_count("SELECT count(*) FROM t.later"), 1);
}

static void
round_trips_are_counted(void **state)
{
    struct fixture *f = *state;
    uint64_t before = pg_round_trips();

    assert_ok(put(f->pg, 9, "nine", &f->why), &f->why);
    assert_int_equal(pg_round_trips() - before, 1);
    before = pg_round_trips();
    assert_ok(pg_tx(f->pg, two_puts, NULL, &f->why), &f->why);
    assert_int_equal(pg_round_trips() - before, 3);
    before = pg_round_trips();
    assert_ok(pg_tx(f->pg, nothing, NULL, &f->why), &f->why);
    assert_int_equal(pg_round_trips() - before, 0);
    assert_int_equal(operator_count("SELECT count(*) FROM t.thing WHERE id IN (9, 10, 11)"), 3);
}

/* --- lost connections --- */
static void
idle_connection_is_replaced(void **state)
{
    struct fixture *f = *state;
    int pid = backend_pid(f);

    terminate(pid);
    assert_ok(put(f->pg, 20, "after", &f->why), &f->why);
    assert_int_not_equal(backend_pid(f), pid);
    /* The same before a transaction. */
    terminate(backend_pid(f));
    assert_ok(pg_tx(f->pg, two_puts, NULL, &f->why), &f->why);
    assert_int_equal(operator_count("SELECT count(*) FROM t.thing"), 5);
}

/* --- statements nobody waits for --- */
static enum err
posts_around(struct pg *pg, void *arg, struct why *why)
{
    int64_t *seen = arg;
    struct pg_result *r = NULL;
    enum err e;

    if ((e = post(pg, 60, "sixty", why)) != OK || (e = post(pg, 61, "sixty-one", why)) != OK ||
        (e = pg_exec(pg, &list[COUNT], NULL, &r, why)) != OK)
        return e;
    *seen = pg_i64(r, 0, 0);
    pg_result_free(r);
    return post(pg, 62, "sixty-two", why);
}

static void
posted_statements_cost_no_trip(void **state)
{
    struct fixture *f = *state;
    uint64_t before = pg_round_trips();
    int64_t seen = 0;

    assert_ok(pg_tx(f->pg, posts_around, &seen, &f->why), &f->why);
    assert_int_equal(pg_round_trips() - before, 2);      /* the count, and COMMIT */
    assert_int_equal(seen, 4);                           /* what was posted ran before what was asked */
    assert_int_equal(operator_count("SELECT count(*) FROM t.thing WHERE id BETWEEN 60 AND 62"), 3);
    before = pg_round_trips();
    assert_ok(post(f->pg, 63, "outside", &f->why), &f->why);
    assert_int_equal(pg_round_trips() - before, 1);
    assert_int_equal(operator_count("SELECT count(*) FROM t.thing WHERE id = 63"), 1);
}

static enum err
posts_hundred(struct pg *pg, void *arg, struct why *why)
{
    enum err e = OK;

    (void)arg;
    for (int64_t i = 100; i < 200 && e == OK; i++)
        e = post(pg, i, "many", why);
    return e;
}

static void
any_number_may_be_posted(void **state)
{
    struct fixture *f = *state;
    uint64_t before = pg_round_trips();

    assert_ok(pg_tx(f->pg, posts_hundred, NULL, &f->why), &f->why);
    assert_true(pg_round_trips() - before <= 5);
    assert_int_equal(operator_count("SELECT count(*) FROM t.thing WHERE label = 'many'"), 100);
}

struct posting {
    int64_t ids[3];      /* posted in turn; -1: COUNT is asked; 0: nothing more */
    enum err heard;      /* what the question answered */
    enum err answer;     /* of the body when all went well */
    int runs;
};

static enum err
posts_list(struct pg *pg, void *arg, struct why *why)
{
    struct posting *p = arg;
    enum err e;

    p->runs++;
    for (size_t i = 0; i < 3 && p->ids[i] != 0; i++) {
        e = p->ids[i] == -1 ? pg_exec(pg, &list[COUNT], NULL, NULL, why) : post(pg, p->ids[i], "posted", why);
        if (p->ids[i] == -1)
            p->heard = e;
        if (e != OK)
            return e;
    }
    return p->answer;
}

static void
posted_failure_commits_nothing(void **state)
{
    struct fixture *f = *state;
    struct posting at_commit = { { 70, 1, 71 }, OK, OK, 0 }, at_question = { { 72, 1, -1 }, OK, OK, 0 };
    struct posting refused = { { 73, 74, 0 }, OK, ERR_DENIED, 0 }, good = { { 75, 76, -1 }, OK, OK, 0 };

    assert_err(pg_tx(f->pg, posts_list, &at_commit, &f->why), ERR_CONFLICT, &f->why);
    assert_string_equal(pg_constraint(f->pg), "thing_id_key");
    assert_non_null(strstr(f->why.text, "test.put"));
    assert_int_equal(at_commit.runs, 1);
    assert_err(pg_tx(f->pg, posts_list, &at_question, &f->why), ERR_CONFLICT, &f->why);
    assert_int_equal(at_question.heard, ERR_CONFLICT);
    assert_string_equal(pg_constraint(f->pg), "thing_id_key");
    assert_err(pg_tx(f->pg, posts_list, &refused, &f->why), ERR_DENIED, &f->why);
    assert_int_equal(operator_count("SELECT count(*) FROM t.thing"), 2);
    assert_ok(pg_tx(f->pg, posts_list, &good, &f->why), &f->why);
    assert_int_equal(operator_count("SELECT count(*) FROM t.thing"), 4);
}

static enum err
posts_serial(struct pg *pg, void *arg, struct why *why)
{
    int *runs = arg;
    enum err e;

    if ((e = post(pg, 80 + *runs, "again", why)) != OK)
        return e;
    return (*runs)++ < 2 ? pg_post(pg, &list[ALWAYS_SERIAL], NULL, why) : OK;
}

static void
posted_collision_is_run_again(void **state)
{
    struct fixture *f = *state;
    int runs = 0;

    assert_ok(pg_tx(f->pg, posts_serial, &runs, &f->why), &f->why);
    assert_int_equal(runs, 3);
    assert_int_equal(operator_count("SELECT count(*) FROM t.thing WHERE label = 'again'"), 1);
}

static enum err
posts_killed(struct pg *pg, void *arg, struct why *why)
{
    struct fixture *f = arg;
    enum err e;
    int pid = backend_pid(f);

    if ((e = post(pg, 90, "ninety", why)) != OK)
        return e;
    terminate(pid);
    return post(pg, 91, "ninety-one", why);
}

static void
posted_on_a_lost_connection_is_not_lost_silently(void **state)
{
    struct fixture *f = *state;

    assert_err(pg_tx(f->pg, posts_killed, f, &f->why), ERR_UNAVAILABLE, &f->why);
    assert_int_equal(operator_count("SELECT count(*) FROM t.thing WHERE id >= 90"), 0);
    assert_ok(post(f->pg, 92, "after", &f->why), &f->why);
}

struct killer {
    int pid;
    int64_t after_ms;
};

static void *
kill_later(void *arg)
{
    struct killer *k = arg;
    struct timespec t = { .tv_nsec = (long)k->after_ms * 1000000 };

    (void)nanosleep(&t, NULL);
    terminate(k->pid);
    return NULL;
}

static void
statement_cut_short_is_unknown(void **state)
{
    struct fixture *f = *state;
    struct killer k = { backend_pid(f), 100 };
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, kill_later, &k), 0);
    assert_err(nap(f->pg, 5000, &f->why), ERR_UNAVAILABLE, &f->why);
    assert_string_equal(f->why.code, "pg.unknown");
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_ok(put(f->pg, 21, "after", &f->why), &f->why);
}

static enum err
killed_between(struct pg *pg, void *arg, struct why *why)
{
    struct fixture *f = arg;
    enum err e, second;

    if ((e = put(pg, 30, "thirty", why)) != OK)
        return e;
    terminate(backend_pid(f));
    e = put(pg, 31, "thirty-one", why);
    assert_int_equal(e, ERR_UNAVAILABLE);
    /* No silent new connection inside the transaction. */
    second = put(pg, 32, "thirty-two", why);
    assert_int_equal(second, ERR_UNAVAILABLE);
    return OK;                            /* even a body that overlooks it does not commit */
}

static void
transaction_cut_short_leaves_nothing(void **state)
{
    struct fixture *f = *state;

    assert_err(pg_tx(f->pg, killed_between, f, &f->why), ERR_UNAVAILABLE, &f->why);
    assert_int_equal(operator_count("SELECT count(*) FROM t.thing WHERE id >= 30"), 0);
    assert_ok(put(f->pg, 33, "after", &f->why), &f->why);
}

static void
statement_timeout_is_unavailable(void **state)
{
    struct fixture *f = *state;
    struct pg_config conf = { .conninfo = f->conninfo, .stmts = tables, .statement_timeout = 200 * 1000 };
    struct pg *pg = NULL;
    utime start = clock_monotonic();
    enum err e;

    assert_ok(pg_open(&conf, &pg, &f->why), &f->why);
    e = nap(pg, 8000, &f->why);
    if (e == ERR_UNAVAILABLE)
        e = put(pg, 40, "usable", &f->why);
    else
        e = ERR_DENIED;
    pg_close(pg);
    assert_int_equal(e, OK);
    assert_true(clock_monotonic() - start < 4 * USEC_PER_SEC);
}

/* A server that is frozen answers nothing, not even its own time-out. */
static void
frozen_server_is_given_up(void **state)
{
    struct fixture *f = *state;
    struct pg_config conf = { .conninfo = f->conninfo, .stmts = tables, .statement_timeout = 200 * 1000 };
    struct pg_result *r = NULL;
    struct pg *pg = NULL;
    utime start;
    enum err e;
    pid_t pid;

    assert_ok(pg_open(&conf, &pg, &f->why), &f->why);
    assert_ok(pg_exec(pg, &list[PID], NULL, &r, &f->why), &f->why);
    pid = (pid_t)pg_i64(r, 0, 0);
    pg_result_free(r);
    assert_int_equal(kill(pid, SIGSTOP), 0);
    start = clock_monotonic();
    e = put(pg, 41, "frozen", &f->why);
    assert_int_equal(kill(pid, SIGCONT), 0);
    assert_int_equal(e, ERR_UNAVAILABLE);
    assert_string_equal(f->why.code, "pg.unknown");
    assert_in_range(clock_monotonic() - start, 2 * USEC_PER_SEC, 4 * USEC_PER_SEC);
    assert_ok(put(pg, 42, "usable", &f->why), &f->why);
    pg_close(pg);
}

static void
standby_is_unavailable(void **state)
{
    struct fixture *f = *state;
    char conninfo[700];
    struct pg_config conf = { .conninfo = conninfo, .stmts = tables };
    struct pg *pg = NULL;
    enum err e;

    test_conninfo("options='-c search_path=t -c default_transaction_read_only=on'", conninfo, sizeof(conninfo));
    assert_ok(pg_open(&conf, &pg, &f->why), &f->why);
    e = put(pg, 50, "refused", &f->why);
    assert_int_equal(pg_fd(pg), -1);      /* dropped: the next use looks for the primary */
    pg_close(pg);
    assert_int_equal(e, ERR_UNAVAILABLE);
}

/* --- transactions --- */
struct collider {
    struct fixture *f;
    int64_t first, second;
    pthread_barrier_t *barrier;
    int runs;
    enum err result;
    struct why why;
};

static enum err
cross(struct pg *pg, void *arg, struct why *why)
{
    struct collider *c = arg;
    enum err e;

    if ((e = update(pg, c->first, why)) != OK)
        return e;
    if (c->runs++ == 0)
        (void)pthread_barrier_wait(c->barrier);
    return update(pg, c->second, why);
}

static void *
collide(void *arg)
{
    struct collider *c = arg;
    struct pg *pg = NULL;

    c->result = pg_open(&c->f->conf, &pg, &c->why);
    if (c->result == OK)
        c->result = pg_tx(pg, cross, c, &c->why);
    pg_close(pg);
    return NULL;
}

static void
deadlock_is_run_again(void **state)
{
    struct fixture *f = *state;
    pthread_barrier_t barrier;
    struct collider a = { .f = f, .first = 1, .second = 2, .barrier = &barrier };
    struct collider b = { .f = f, .first = 2, .second = 1, .barrier = &barrier };
    pthread_t ta, tb;

    assert_int_equal(pthread_barrier_init(&barrier, NULL, 2), 0);
    assert_int_equal(pthread_create(&ta, NULL, collide, &a), 0);
    assert_int_equal(pthread_create(&tb, NULL, collide, &b), 0);
    assert_int_equal(pthread_join(ta, NULL), 0);
    assert_int_equal(pthread_join(tb, NULL), 0);
    assert_int_equal(pthread_barrier_destroy(&barrier), 0);
    assert_ok(a.result, &a.why);
    assert_ok(b.result, &b.why);
    assert_true(a.runs + b.runs >= 3);
    assert_int_equal(operator_count("SELECT count(*) FROM t.thing WHERE label LIKE '%++' AND id IN (1, 2)"), 2);
}

static enum err
serial(struct pg *pg, void *arg, struct why *why)
{
    int *runs = arg;
    enum err e;

    ++*runs;
    if ((e = put(pg, 60 + *runs, "sixty", why)) != OK)
        return e;
    return pg_exec(pg, &list[ALWAYS_SERIAL], NULL, NULL, why);
}

static void
collisions_end(void **state)
{
    struct fixture *f = *state;
    int runs = 0;

    assert_err(pg_tx(f->pg, serial, &runs, &f->why), ERR_UNAVAILABLE, &f->why);
    assert_string_equal(f->why.code, "pg.contention");
    assert_int_equal(runs, 5);
    assert_int_equal(operator_count("SELECT count(*) FROM t.thing WHERE id > 60"), 0);
    /* Outside pg_tx the caller is told. */
    assert_err(pg_exec(f->pg, &list[ALWAYS_SERIAL], NULL, NULL, &f->why), ERR_CONFLICT, &f->why);
}

static enum err
refuses(struct pg *pg, void *arg, struct why *why)
{
    enum err e = put(pg, 70, "seventy", why);

    (void)arg;
    return e != OK ? e : why_set(why, ERR_DENIED, "changed its mind");
}

static enum err
overlooks(struct pg *pg, void *arg, struct why *why)
{
    (void)arg;
    err_ignore(put(pg, 1, "taken", why));       /* the mistake that is tested */
    return OK;
}

static void
body_that_fails_rolls_back(void **state)
{
    struct fixture *f = *state;

    assert_err(pg_tx(f->pg, refuses, NULL, &f->why), ERR_DENIED, &f->why);
    assert_err(pg_tx(f->pg, overlooks, NULL, &f->why), ERR_INTERNAL, &f->why);
    assert_int_equal(operator_count("SELECT count(*) FROM t.thing WHERE id = 70"), 0);
    assert_ok(pg_tx(f->pg, two_puts, NULL, &f->why), &f->why);
}

/* --- pool --- */
static void *
give_later(void *arg)
{
    void **pair = arg;
    struct timespec t = { .tv_nsec = 100000000 };

    (void)nanosleep(&t, NULL);
    pg_pool_give(pair[0], pair[1]);
    return NULL;
}

static void
pool_lends_and_waits(void **state)
{
    struct fixture *f = *state;
    struct pg_pool *pool = NULL;
    struct pg *a = NULL, *b = NULL, *c = NULL;
    void *pair[2];
    pthread_t thread;
    utime start;

    assert_ok(pg_pool_new(&f->conf, 2, &pool, &f->why), &f->why);
    assert_ok(pg_pool_take(pool, 0, &a, &f->why), &f->why);
    assert_ok(pg_pool_take(pool, 0, &b, &f->why), &f->why);
    start = clock_monotonic();
    assert_err(pg_pool_take(pool, 50000, &c, &f->why), ERR_UNAVAILABLE, &f->why);
    assert_true(clock_monotonic() - start >= 50000);
    assert_ok(put(a, 80, "a", &f->why), &f->why);
    assert_ok(put(b, 81, "b", &f->why), &f->why);
    pair[0] = pool, pair[1] = a;
    assert_int_equal(pthread_create(&thread, NULL, give_later, pair), 0);
    assert_ok(pg_pool_take(pool, 5 * USEC_PER_SEC, &c, &f->why), &f->why);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_ptr_equal(c, a);
    pg_pool_give(pool, b);
    pg_pool_give(pool, c);
    pg_pool_give(pool, NULL);
    pg_pool_free(pool);
}

/* --- notifications --- */
static void
notifications_arrive(void **state)
{
    struct fixture *f = *state;
    char payload[16] = "";

    assert_err(pg_wait_notify(f->pg, 0, payload, sizeof(payload), &f->why), ERR_UNAVAILABLE, &f->why);
    assert_ok(pg_listen(f->pg, "news", &f->why), &f->why);
    assert_err(pg_wait_notify(f->pg, 20000, payload, sizeof(payload), &f->why), ERR_NOT_FOUND, &f->why);
    operator_run("NOTIFY news, 'first'; NOTIFY news, 'a payload longer than the space for it'", NULL, 0);
    assert_ok(pg_wait_notify(f->pg, USEC_PER_SEC, payload, sizeof(payload), &f->why), &f->why);
    assert_string_equal(payload, "first");
    assert_ok(put(f->pg, 90, "between", &f->why), &f->why);       /* does not swallow what waits */
    assert_ok(pg_wait_notify(f->pg, USEC_PER_SEC, payload, sizeof(payload), &f->why), &f->why);
    assert_string_equal(payload, "a payload longe");
}

static void
lost_listener_is_told(void **state)
{
    struct fixture *f = *state;

    assert_ok(pg_listen(f->pg, "news", &f->why), &f->why);
    terminate(backend_pid(f));
    assert_err(pg_wait_notify(f->pg, USEC_PER_SEC, NULL, 0, &f->why), ERR_UNAVAILABLE, &f->why);
    assert_ok(pg_listen(f->pg, "news", &f->why), &f->why);
    operator_run("NOTIFY news", NULL, 0);
    assert_ok(pg_wait_notify(f->pg, USEC_PER_SEC, NULL, 0, &f->why), &f->why);
    /* Replaced without a word by a statement: the waiter must learn it. */
    terminate(backend_pid(f));
    assert_ok(put(f->pg, 91, "on a new connection", &f->why), &f->why);
    assert_err(pg_wait_notify(f->pg, USEC_PER_SEC, NULL, 0, &f->why), ERR_UNAVAILABLE, &f->why);
}

/* --- a commit whose answer is lost --- */
struct proxy {
    char folder[64];
    int listener;
    bool cut;           /* the answer to COMMIT was swallowed */
};

static void
pump(struct proxy *p, int client, int server)
{
    bool swallow = false;

    for (;;) {
        struct pollfd fds[2] = { { .fd = client, .events = POLLIN }, { .fd = server, .events = POLLIN } };
        char data[65536];
        ssize_t n;

        if (poll(fds, 2, 10000) <= 0)
            return;
        if (fds[0].revents != 0) {
            if ((n = read(client, data, sizeof(data))) <= 0 || write(server, data, (size_t)n) != n)
                return;
            swallow = memmem(data, (size_t)n, "COMMIT", 6) != NULL;
        }
        if (fds[1].revents != 0) {
            if ((n = read(server, data, sizeof(data))) <= 0)
                return;
            if (swallow) {
                p->cut = true;
                return;
            }
            if (write(client, data, (size_t)n) != n)
                return;
        }
    }
}

static void *
proxy_run(void *arg)
{
    struct proxy *p = arg;
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    int client = accept(p->listener, NULL, NULL);
    int server = socket(AF_UNIX, SOCK_STREAM, 0);

    (void)snprintf(to.sun_path, sizeof(to.sun_path), "%s/.s.PGSQL.5432", getenv("PGHOST"));
    if (client >= 0 && connect(server, (struct sockaddr *)&to, sizeof(to)) == 0)
        pump(p, client, server);
    (void)close(client);
    (void)close(server);
    return NULL;
}

static void
commit_whose_answer_is_lost_is_unknown(void **state)
{
    struct fixture *f = *state;
    struct proxy p = { .cut = false };
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    char conninfo[300];
    struct pg_config conf = { .conninfo = conninfo, .stmts = tables };
    struct pg *pg = NULL;
    pthread_t thread;
    enum err opened, e = OK;

    (void)snprintf(p.folder, sizeof(p.folder), "%.50s/proxy", getenv("PGHOST"));
    assert_int_equal(mkdir(p.folder, 0700), 0);
    (void)snprintf(at.sun_path, sizeof(at.sun_path), "%s/.s.PGSQL.5432", p.folder);
    p.listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(p.listener, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(p.listener, 1), 0);
    assert_int_equal(pthread_create(&thread, NULL, proxy_run, &p), 0);
    (void)snprintf(conninfo, sizeof(conninfo),
                   "host=%s port=5432 user=postgres dbname=test options='-c search_path=t'", p.folder);
    opened = pg_open(&conf, &pg, &f->why);
    if (opened == OK)
        e = pg_tx(pg, two_puts, NULL, &f->why);
    pg_close(pg);
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)close(p.listener);
    (void)unlink(at.sun_path);
    (void)rmdir(p.folder);
    assert_int_equal(opened, OK);
    assert_true(p.cut);
    assert_err(e, ERR_UNAVAILABLE, &f->why);
    assert_string_equal(f->why.code, "pg.unknown");
    assert_int_equal(operator_count("SELECT count(*) FROM t.thing WHERE id IN (10, 11)"), 2);
}

/* --- our own mistakes --- */
static void
read_text_as_number(void *arg)
{
    struct fixture *f = arg;
    struct pg_result *r = NULL;

    if (pg_exec(f->pg, &list[PID], NULL, &r, NULL) == OK)
        (void)pg_text(r, 0, 0);
}

static void
read_beyond_the_rows(void *arg)
{
    struct fixture *f = arg;
    struct pg_result *r = NULL;

    if (pg_exec(f->pg, &list[PID], NULL, &r, NULL) == OK)
        (void)pg_i64(r, 1, 0);
}

static void
give_too_few(void *arg)
{
    struct fixture *f = arg;
    struct pg_args a = PG_ARGS_INIT;

    pg_arg_i64(&a, 1);
    err_ignore(pg_exec(f->pg, &list[PUT], &a, NULL, NULL));
}

static void
our_bugs_panic(void **state)
{
    assert_aborts(read_text_as_number, *state);
    assert_aborts(read_beyond_the_rows, *state);
    assert_aborts(give_too_few, *state);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
/* Somebody else writes in the middle of the first run of each. */
struct view {
    struct fixture *f;
    int runs;
    bool writes;
    int64_t before, after;
};

static int64_t
things(struct pg *pg, struct why *why)
{
    struct pg_result *r = NULL;
    int64_t n;

    assert_ok(pg_exec(pg, &list[COUNT], NULL, &r, why), why);
    n = pg_i64(r, 0, 0);
    pg_result_free(r);
    return n;
}

static enum err
looks_twice(struct pg *pg, void *arg, struct why *why)
{
    struct view *v = arg;
    struct pg_args args = PG_ARGS_INIT;

    v->runs++;
    v->before = things(pg, why);
    if (v->runs == 1)
        operator_run("INSERT INTO t.thing VALUES (50, 'other'); UPDATE t.thing SET label = 'theirs' WHERE id = 1", NULL, 0);
    v->after = things(pg, why);
    if (!v->writes)
        return OK;
    pg_arg_i64(&args, 1);
    return pg_exec(pg, &list[UPDATE], &args, NULL, why);
}

static void
a_snapshot_stays(void **state)
{
    struct fixture *f = *state;
    struct view plain = { .f = f }, still = { .f = f }, writer = { .f = f, .writes = true };
    char label[40];

    assert_ok(pg_tx(f->pg, looks_twice, &plain, &f->why), &f->why);
    assert_int_equal(plain.after, plain.before + 1);                 /* READ COMMITTED: each statement looks anew */
    operator_run("DELETE FROM t.thing WHERE id = 50", NULL, 0);
    assert_ok(pg_tx_snapshot(f->pg, looks_twice, &still, &f->why), &f->why);
    assert_int_equal(still.after, still.before);
    assert_int_equal(still.runs, 1);
    operator_run("DELETE FROM t.thing WHERE id = 50", NULL, 0);
    /* what they changed is not overwritten unseen: the body runs again and sees it */
    assert_ok(pg_tx_snapshot(f->pg, looks_twice, &writer, &f->why), &f->why);
    assert_int_equal(writer.runs, 2);
    assert_int_equal(writer.before, still.before + 1);
    operator_run("SELECT label FROM t.thing WHERE id = 1", label, sizeof(label));
    assert_string_equal(label, "theirs+");
    /* and the next plain one is READ COMMITTED again */
    operator_run("DELETE FROM t.thing WHERE id = 50", NULL, 0);
    plain.runs = 0;
    assert_ok(pg_tx(f->pg, looks_twice, &plain, &f->why), &f->why);
    assert_int_equal(plain.after, plain.before + 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_snapshot_stays), T(open_names_what_does_not_fit), T(open_checks_the_schema_version), T(open_before_migration_says_so),
        T(open_without_a_server_is_unavailable), T(values_come_back), T(nulls_come_back), T(empty_is_not_null),
        T(arrays_come_back), T(arrays_as_columns), T(array_beyond_the_ceiling_is_refused), T(bad_values_are_the_peers_fault),
        T(violations_are_conflicts_with_the_constraint), T(our_bugs_panic), T(refused_at_commit_is_refused),
        T(round_trips_are_counted),
        T(posted_statements_cost_no_trip), T(any_number_may_be_posted), T(posted_failure_commits_nothing),
        T(posted_collision_is_run_again), T(posted_on_a_lost_connection_is_not_lost_silently),
        T(idle_connection_is_replaced), T(statement_cut_short_is_unknown), T(transaction_cut_short_leaves_nothing),
        T(statement_timeout_is_unavailable), T(frozen_server_is_given_up), T(standby_is_unavailable),
        T(deadlock_is_run_again), T(collisions_end), T(body_that_fails_rolls_back), T(pool_lends_and_waits),
        T(notifications_arrive), T(lost_listener_is_told), T(commit_whose_answer_is_lost_is_unknown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
