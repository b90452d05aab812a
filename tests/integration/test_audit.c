/* audit: rows in the act's statement, sealing under slow transactions, and what the verifier finds. */
#include "tests/integration/pg_support.h"

#include <pthread.h>
#include <time.h>

#include "base/crypto/key.h"
#include "base/pg/audit.h"

enum { ACT_INSERT, ACT_ADD, SLEEP };
static const struct pg_stmt list[] = {
    [ACT_INSERT] = { "test.act_insert",
                     "WITH act AS (UPDATE act SET state = 'blocked' WHERE id = $1::int8 AND state = 'active' RETURNING id),"
                     " trail AS (INSERT INTO audit_event (at, actor, role, verb, object, result, detail)"
                     "  SELECT $2::timestamptz, 'citizen', '', 'account.block', 'account:' || id, 'ok', '{}' FROM act)"
                     " SELECT id FROM act", 2 },
    [ACT_ADD] = { "test.act_add",
                  "WITH act AS (UPDATE act SET state = 'blocked' WHERE id = $1::int8 AND state = 'active' RETURNING id)"
                  " SELECT audit_add($2::timestamptz, 'citizen', '', 'account.block', 'account:' || id, 'ok', '{}') FROM act",
                  2 },
    [SLEEP] = { "test.sleep", "SELECT pg_sleep($1::int8 / 1000.0)::text", 1 },
};
static const struct pg_stmts stmts = PG_STMTS(list);
static const struct pg_stmts *const tables[] = { &audit_stmts, &audit_seal_stmts, &stmts, NULL };
static const char *const files[] = { "migrations/common/audit.sql" };

struct fixture {
    char conninfo[600];
    struct pg_config conf;
    struct pg *pg;
    struct key *key;
    struct audit_sealer *sealer;
    PGconn *slow;              /* a second session; teardown closes it when a test failed before */
    struct why why;
};

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    operator_make_schema("t", files, ARRAY_LEN(files));
    operator_run("CREATE TABLE t.act (id bigint PRIMARY KEY, state text NOT NULL)", NULL, 0);
    test_conninfo("options='-c search_path=t'", f->conninfo, sizeof(f->conninfo));
    f->conf = (struct pg_config){ .conninfo = f->conninfo, .stmts = tables };
    assert_ok(pg_open(&f->conf, &f->pg, &f->why), &f->why);
    assert_int_equal(key_generate(KEY_ED25519, 0, KEY_AUDIT_SIGN, &f->key), OK);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;

    audit_sealer_stop(f->sealer);
    PQfinish(f->slow);
    pg_close(f->pg);
    key_free(f->key);
    free(f);
    return 0;
}

static enum err
add_at(struct pg *pg, utime at, const char *object, struct why *why)
{
    struct audit_entry entry = {
        .at = at, .actor = "town:rivemont", .role = "clerk", .verb = "account.create", .object = object,
        .result = "ok", .detail = "{\"b\": 1, \"a\": \"é \\\"quoted\\\" \\\\ \\u0007 \\n\", \"n\": 1.50}",
    };

    return audit_add(pg, &entry, why);
}

static void
add(struct fixture *f, const char *object)
{
    assert_ok(add_at(f->pg, clock_now(), object, &f->why), &f->why);
}

static int
seal(struct fixture *f)
{
    int sealed = -1;

    assert_ok(audit_seal(f->pg, f->key, clock_now(), &sealed, &f->why), &f->why);
    return sealed;
}

static struct audit_report
verify(struct fixture *f)
{
    struct audit_report report;

    assert_ok(audit_verify(f->pg, f->key, clock_now(), &report, &f->why), &f->why);
    return report;
}

static void
assert_clean(struct fixture *f, int64_t rows, int64_t checkpoints)
{
    struct audit_report r = verify(f);

    assert_string_equal(r.bad_reason, "");
    assert_int_equal(r.bad, 0);
    assert_int_equal(r.bad_seq, 0);
    assert_int_equal(r.rows, rows);
    assert_int_equal(r.checkpoints, checkpoints);
    assert_int_equal(r.unsealed, 0);
}

/* --- writing --- */
static void
rows_are_sealed_and_verified(void **state)
{
    struct fixture *f = *state;
    struct audit_report r;

    assert_int_equal(seal(f), 0);
    assert_clean(f, 0, 0);
    add(f, "account:1");
    add(f, "account:2");
    r = verify(f);
    assert_int_equal(r.unsealed, 2);
    assert_int_equal(r.bad, 0);
    assert_int_equal(seal(f), 2);
    assert_int_equal(seal(f), 0);
    assert_clean(f, 2, 1);
    add(f, "account:3");
    assert_int_equal(seal(f), 1);
    assert_clean(f, 3, 2);
    assert_int_equal(strlen(verify(f).head), 64);
}

static void
act_and_row_are_one_statement(void **state)
{
    struct fixture *f = *state;

    operator_run("INSERT INTO t.act VALUES (1, 'active'), (2, 'active')", NULL, 0);
    for (int i = 0; i < 4; i++) {       /* the second time each act loses its race and writes no row */
        struct pg_args a = PG_ARGS_INIT;

        pg_arg_i64(&a, 1 + i / 2);
        pg_arg_time(&a, clock_now());
        assert_ok(pg_exec(f->pg, &list[i / 2 == 0 ? ACT_INSERT : ACT_ADD], &a, NULL, &f->why), &f->why);
    }
    assert_int_equal(operator_count("SELECT count(*) FROM t.audit_event WHERE verb = 'account.block'"), 2);
    assert_int_equal(seal(f), 2);
    assert_clean(f, 2, 1);
}

static enum err
add_and_refuse(struct pg *pg, void *arg, struct why *why)
{
    enum err e = add_at(pg, clock_now(), "account:9", why);

    (void)arg;
    return e != OK ? e : why_set(why, ERR_DENIED, "changed its mind");
}

static void
row_goes_with_its_act(void **state)
{
    struct fixture *f = *state;

    assert_err(pg_tx(f->pg, add_and_refuse, NULL, &f->why), ERR_DENIED, &f->why);
    add(f, "account:1");
    assert_int_equal(operator_count("SELECT count(*) FROM t.audit_event"), 1);
    assert_int_equal(seal(f), 1);
    assert_clean(f, 1, 1);      /* the gap in seq is no finding */
}

static void
malformed_rows_are_refused(void **state)
{
    static const struct { const char *label; struct audit_entry entry; } rows[] = {
        { "no actor", { 0, "", "r", "a.b", "o", "ok", "{}" } },
        { "verb", { 0, "a", "r", "Account Create", "o", "ok", "{}" } },
        { "detail is a list", { 0, "a", "r", "a.b", "o", "ok", "[]" } },
        { "no result", { 0, "a", "r", "a.b", "o", "", "{}" } },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_row(rows[i].label, audit_add(f->pg, &rows[i].entry, &f->why) == ERR_CONFLICT);
    add(f, "account:1");
}

/* --- append only --- */
static void
tables_refuse_change(void **state)
{
    static const char *const changes[] = {
        "UPDATE t.audit_event SET actor = 'x'", "DELETE FROM t.audit_event", "TRUNCATE t.audit_event",
        "UPDATE t.audit_seal SET at = at", "DELETE FROM t.audit_seal", "TRUNCATE t.audit_seal",
        "UPDATE t.audit_event SET actor = 'x' WHERE false",
    };
    struct fixture *f = *state;
    PGconn *c;

    add(f, "account:1");
    assert_int_equal(seal(f), 1);
    c = operator_open("");       /* a superuser */
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        PGresult *r = PQexec(c, changes[i]);

        assert_row(changes[i], PQresultStatus(r) == PGRES_FATAL_ERROR);
        assert_row(changes[i], strstr(PQresultErrorMessage(r), "append-only") != NULL);
        PQclear(r);
    }
    PQfinish(c);
    assert_clean(f, 1, 1);
}

static void
writer_chooses_neither_digest_nor_transaction(void **state)
{
    struct fixture *f = *state;

    operator_run("SET search_path = t; INSERT INTO audit_event (at, actor, role, verb, object, result, detail, xid, digest)"
                 " VALUES (now(), 'a', '', 'a.b', '', 'ok', '{}', '1', sha256('x'))", NULL, 0);
    assert_int_equal(seal(f), 1);
    assert_clean(f, 1, 1);
}

/* --- tampering: the operator with psql, who knows the triggers --- */
#define UNGUARDED(sql) "SET session_replication_role = replica; SET search_path = t; " sql

static void
tampering_is_named(void **state)
{
    /* Five rows, sealed as 1-2, 3-4, and 5; each change is one thing. */
    static const struct { const char *label, *sql, *reason; int64_t seq, checkpoint; } rows[] = {
        { "actor edited", UNGUARDED("UPDATE audit_event SET actor = 'clerk:x' WHERE seq = 3"), "edited", 3, 2 },
        { "role edited", UNGUARDED("UPDATE audit_event SET role = '' WHERE seq = 3"), "edited", 3, 2 },
        { "verb edited", UNGUARDED("UPDATE audit_event SET verb = 'account.read' WHERE seq = 2"), "edited", 2, 1 },
        { "object edited", UNGUARDED("UPDATE audit_event SET object = 'account:9' WHERE seq = 5"), "edited", 5, 3 },
        { "result edited", UNGUARDED("UPDATE audit_event SET result = 'no' WHERE seq = 1"), "edited", 1, 1 },
        { "detail edited", UNGUARDED("UPDATE audit_event SET detail = '{}' WHERE seq = 4"), "edited", 4, 2 },
        { "time edited by a microsecond",
          UNGUARDED("UPDATE audit_event SET at = at + interval '1 microsecond' WHERE seq = 4"), "edited", 4, 2 },
        { "text moved from one column to the next",
          UNGUARDED("UPDATE audit_event SET actor = actor || role, role = '' WHERE seq = 4"), "edited", 4, 2 },
        { "digest edited", UNGUARDED("UPDATE audit_event SET digest = sha256('x') WHERE seq = 4"), "edited", 4, 2 },
        { "edited, and digested anew as the trigger does",
          UNGUARDED("CREATE TEMP TABLE kept AS SELECT * FROM audit_event WHERE seq = 3;"
                    "DELETE FROM audit_event WHERE seq = 3;"
                    "SET session_replication_role = origin;"
                    "INSERT INTO audit_event OVERRIDING SYSTEM VALUE SELECT seq, at, 'clerk:x', role, verb, object,"
                    " result, detail, xid, digest FROM kept"), "edited", 3, 2 },
        { "two rows exchanged",
          UNGUARDED("ALTER TABLE audit_event ALTER seq DROP IDENTITY; UPDATE audit_event SET seq = -1 WHERE seq = 3; UPDATE audit_event SET seq = 3 WHERE seq = 4;"
                    "UPDATE audit_event SET seq = 4 WHERE seq = -1"), "edited", 3, 2 },
        { "row removed", UNGUARDED("DELETE FROM audit_event WHERE seq = 4"), "missing", 4, 2 },
        { "first row removed", UNGUARDED("DELETE FROM audit_event WHERE seq = 1"), "missing", 1, 1 },
        { "last row removed", UNGUARDED("DELETE FROM audit_event WHERE seq = 5"), "missing", 5, 3 },
        { "old row slipped in",
          UNGUARDED("SET session_replication_role = origin; INSERT INTO audit_event (at, actor, role, verb, object,"
                    " result, detail) VALUES (now() - interval '1 day', 'a', '', 'a.b', '', 'ok', '{}');"
                    "SET session_replication_role = replica; UPDATE audit_event SET xid = '3' WHERE seq = 6"),
          "unsealed", 6, 0 },
        { "unsealed row edited",
          UNGUARDED("SET session_replication_role = origin; INSERT INTO audit_event (at, actor, role, verb, object,"
                    " result, detail) VALUES (now(), 'a', '', 'a.b', '', 'ok', '{}');"
                    "SET session_replication_role = replica; UPDATE audit_event SET actor = 'b' WHERE seq = 6"),
          "edited", 6, 0 },
        { "checkpoint in the middle removed", UNGUARDED("DELETE FROM audit_seal WHERE number = 2"), "checkpoint", 5, 3 },
        { "first checkpoint removed", UNGUARDED("DELETE FROM audit_seal WHERE number = 1"), "checkpoint", 3, 2 },
        { "checkpoint removed and renumbered",
          UNGUARDED("DELETE FROM audit_seal WHERE number = 2; UPDATE audit_seal SET number = 2 WHERE number = 3"),
          "checkpoint", 5, 2 },
        { "time of a checkpoint edited",
          UNGUARDED("UPDATE audit_seal SET at = at + interval '1 second' WHERE number = 2"), "checkpoint", 3, 2 },
        { "horizon of a checkpoint edited", UNGUARDED("UPDATE audit_seal SET horizon = '9' WHERE number = 2"),
          "checkpoint", 3, 2 },
        { "row taken out of its checkpoint",
          UNGUARDED("DELETE FROM audit_event WHERE seq = 4; UPDATE audit_seal SET seqs = '{3}',"
                    " digests = substring(digests FROM 1 FOR 32) WHERE number = 2"), "checkpoint", 3, 2 },
        { "chain edited", UNGUARDED("UPDATE audit_seal SET chain = sha256('x') WHERE number = 2"), "checkpoint", 3, 2 },
        { "signature of another checkpoint",
          UNGUARDED("UPDATE audit_seal SET signature = (SELECT signature FROM audit_seal WHERE number = 1)"
                    " WHERE number = 2"), "checkpoint", 3, 2 },
        { "signature removed", UNGUARDED("UPDATE audit_seal SET signature = '' WHERE number = 2"), "checkpoint", 3, 2 },
        { "key name edited", UNGUARDED("UPDATE audit_seal SET key = 'x' WHERE number = 2"), "checkpoint", 3, 2 },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct audit_report r;

        teardown(state);
        setup(state);
        f = *state;
        add(f, "account:1");
        add(f, "account:2");
        assert_int_equal(seal(f), 2);
        add(f, "account:3");
        add(f, "account:4");
        assert_int_equal(seal(f), 2);
        add(f, "account:5");
        assert_int_equal(seal(f), 1);
        assert_clean(f, 5, 3);
        operator_run(rows[i].sql, NULL, 0);
        r = verify(f);
        assert_row_string(rows[i].label, r.bad_reason, rows[i].reason);
        if (r.bad_seq != rows[i].seq || r.bad_checkpoint != rows[i].checkpoint)
            fail_msg("%s: row %lld of checkpoint %lld", rows[i].label, (long long)r.bad_seq, (long long)r.bad_checkpoint);
    }
}

static void
wrong_key_is_no_proof(void **state)
{
    struct fixture *f = *state;
    struct key *right = f->key;
    struct audit_report r;

    add(f, "account:1");
    assert_int_equal(seal(f), 1);
    assert_int_equal(key_generate(KEY_ED25519, 0, KEY_AUDIT_SIGN, &f->key), OK);
    r = verify(f);
    key_free(f->key);
    f->key = right;
    assert_string_equal(r.bad_reason, "checkpoint");
    assert_clean(f, 1, 1);
}

/* The whole chain written anew by one who has the database but not the key, under the name of the right key. */
static void
forged_chain_is_found(void **state)
{
    struct fixture *f = *state;
    struct key *right = f->key, *forger = NULL;
    struct audit_report r;
    char sql[200], right_id[44];
    int sealed = 0;

    add(f, "account:1");
    assert_int_equal(key_generate(KEY_ED25519, 0, KEY_AUDIT_SIGN, &forger), OK);
    assert_ok(audit_seal(f->pg, forger, clock_now(), &sealed, &f->why), &f->why);
    assert_int_equal(sealed, 1);
    key_thumbprint(right, right_id);
    (void)snprintf(sql, sizeof(sql), UNGUARDED("UPDATE audit_seal SET key = '%s'"), right_id);
    operator_run(sql, NULL, 0);
    r = verify(f);
    key_free(forger);
    assert_string_equal(r.bad_reason, "checkpoint");
}

static void
every_kind_of_key_signs(void **state)
{
    static const struct { const char *label; enum key_alg alg; int bits; } rows[] = {
        { "RSA", KEY_RSA, 2048 }, { "P-256", KEY_P256, 0 }, { "P-384", KEY_P384, 0 }, { "Ed25519", KEY_ED25519, 0 },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        teardown(state);
        setup(state);
        f = *state;
        key_free(f->key);
        f->key = NULL;
        assert_row(rows[i].label, key_generate(rows[i].alg, rows[i].bits, KEY_AUDIT_SIGN, &f->key) == OK);
        add(f, "account:1");
        assert_row(rows[i].label, seal(f) == 1);
        assert_clean(f, 1, 1);
    }
}

/* --- sealing beside running transactions --- */
static void
slow_transaction_is_sealed_later(void **state)
{
    struct fixture *f = *state;

    f->slow = operator_open("options='-c search_path=t'");
    PQclear(PQexec(f->slow, "BEGIN; SELECT audit_add(now(), 'slow', '', 'a.b', '', 'ok', '{}')"));
    add(f, "account:young");                    /* committed, with the greater seq */
    assert_int_equal(seal(f), 0);               /* not below the oldest that runs */
    PQclear(PQexec(f->slow, "COMMIT"));
    assert_int_equal(seal(f), 2);
    /* The same with a rollback, and rows on both sides of it. */
    PQclear(PQexec(f->slow, "BEGIN; SELECT audit_add(now(), 'slow', '', 'a.b', '', 'ok', '{}')"));
    add(f, "account:young2");
    PQclear(PQexec(f->slow, "ROLLBACK"));
    assert_int_equal(seal(f), 1);
    assert_clean(f, 3, 2);
}

static void
lower_seq_may_be_sealed_after_a_higher(void **state)
{
    struct fixture *f = *state;

    f->slow = operator_open("options='-c search_path=t'");
    add(f, "account:1");
    /* The slow one takes seq 2 but gets its transaction number last. */
    PQclear(PQexec(f->slow, "BEGIN; SELECT nextval(pg_get_serial_sequence('audit_event', 'seq'))"));
    add(f, "account:3");
    assert_int_equal(seal(f), 2);
    PQclear(PQexec(f->slow, "INSERT INTO audit_event OVERRIDING SYSTEM VALUE VALUES (2, now(), 'slow', '', 'a.b', '',"
                         " 'ok', '{}', '1', ''); COMMIT"));
    assert_int_equal(seal(f), 1);
    assert_int_equal(operator_count("SELECT count(*) FROM t.audit_seal WHERE number = 2 AND seqs = '{2}'"), 1);
    assert_clean(f, 3, 2);
}

#define WRITERS 8
#define EACH 100

static void *
write_many(void *arg)
{
    struct fixture *f = arg;
    struct why why = WHY_INIT;
    struct pg *pg = NULL;
    uintptr_t failed = 0;

    if (pg_open(&f->conf, &pg, &why) != OK)
        return (void *)(uintptr_t)EACH;
    for (int i = 0; i < EACH; i++)
        failed += add_at(pg, clock_now(), "account:x", &why) != OK;
    pg_close(pg);
    return (void *)failed;
}

static void *
seal_meanwhile(void *arg)
{
    struct fixture *f = arg;
    struct why why = WHY_INIT;
    struct pg *pg = NULL;
    uintptr_t failed = 0;

    if (pg_open(&f->conf, &pg, &why) != OK)
        return (void *)(uintptr_t)1;
    for (int i = 0; i < 60; i++) {
        int sealed = 0;

        failed += audit_seal(pg, f->key, clock_now(), &sealed, &why) != OK;
    }
    pg_close(pg);
    return (void *)failed;
}

static void
every_row_is_sealed_once_by_racing_sealers(void **state)
{
    struct fixture *f = *state;
    pthread_t writers[WRITERS], sealers[3];
    uintptr_t failed = 0;
    void *out;

    for (size_t i = 0; i < ARRAY_LEN(writers); i++)
        assert_int_equal(pthread_create(&writers[i], NULL, write_many, f), 0);
    for (size_t i = 0; i < ARRAY_LEN(sealers); i++)
        assert_int_equal(pthread_create(&sealers[i], NULL, seal_meanwhile, f), 0);
    for (size_t i = 0; i < ARRAY_LEN(writers); i++) {
        assert_int_equal(pthread_join(writers[i], &out), 0);
        failed += (uintptr_t)out;
    }
    for (size_t i = 0; i < ARRAY_LEN(sealers); i++) {
        assert_int_equal(pthread_join(sealers[i], &out), 0);
        failed += (uintptr_t)out;
    }
    assert_int_equal(failed, 0);
    (void)seal(f);
    assert_int_equal(operator_count("SELECT count(*) - count(DISTINCT q) FROM t.audit_seal, unnest(seqs) q"), 0);
    assert_clean(f, WRITERS * EACH, operator_count("SELECT count(*) FROM t.audit_seal"));
    assert_true(operator_count("SELECT count(*) FROM t.audit_seal") > 1);
}

static void
more_than_a_page_is_sealed_in_pages(void **state)
{
    struct fixture *f = *state;

    /* One transaction larger than a page, and one after it. */
    operator_run("SET search_path = t; INSERT INTO audit_event (at, actor, role, verb, object, result, detail)"
                 " SELECT now(), 'a', '', 'a.b', i::text, 'ok', '{}' FROM generate_series(1, 12000) i", NULL, 0);
    add(f, "account:1");
    assert_int_equal(seal(f), AUDIT_SEAL_ROWS);
    assert_int_equal(seal(f), AUDIT_SEAL_ROWS);
    assert_int_equal(seal(f), 12001 - 2 * AUDIT_SEAL_ROWS);
    assert_int_equal(seal(f), 0);
    assert_clean(f, 12001, 3);
}

/* A dump restored into another cluster: its transaction numbers start anew, far below those in the rows. */
static void
restore_into_another_cluster_goes_on(void **state)
{
    struct fixture *f = *state;

    add(f, "account:1");
    assert_int_equal(seal(f), 1);
    add(f, "account:2");         /* not sealed before the dump */
    operator_run(UNGUARDED("UPDATE audit_event SET xid = (xid::text::bigint + 1000000)::text::xid8"), NULL, 0);
    operator_run("SET session_replication_role = replica; SET search_path = t;"
                 "UPDATE audit_seal SET cluster = 42, horizon = (horizon::text::bigint + 1000000)::text::xid8", NULL, 0);
    assert_int_equal(seal(f), 1);
    add(f, "account:3");
    assert_int_equal(seal(f), 1);
    assert_int_equal(seal(f), 0);
    assert_int_equal(operator_count("SELECT count(*) - count(DISTINCT q) FROM t.audit_seal, unnest(seqs) q"), 0);
    assert_int_equal(operator_count("SELECT count(*) FROM t.audit_seal, unnest(seqs) q"), 3);
}

static void
unsealed_row_is_a_finding_after_a_minute(void **state)
{
    struct fixture *f = *state;
    struct audit_report r;
    utime now = clock_now();

    assert_ok(add_at(f->pg, now, "account:1", &f->why), &f->why);
    assert_ok(audit_verify(f->pg, f->key, now + AUDIT_SEAL_LATEST, &r, &f->why), &f->why);
    assert_int_equal(r.bad, 0);
    assert_ok(audit_verify(f->pg, f->key, now + AUDIT_SEAL_LATEST + 1, &r, &f->why), &f->why);
    assert_string_equal(r.bad_reason, "unsealed");
    assert_ok(audit_verify(f->pg, f->key, now - AUDIT_SEAL_LATEST - 1, &r, &f->why), &f->why);
    assert_string_equal(r.bad_reason, "unsealed");
}

/* --- the thread --- */
static void
sealer_seals_within_a_second(void **state)
{
    struct fixture *f = *state;
    struct timespec ms = { .tv_nsec = 5000000 };
    utime start;

    assert_ok(audit_sealer_start(&f->conf, f->key, &f->sealer, &f->why), &f->why);
    for (int i = 0; i < 3; i++) {
        add(f, "account:1");
        start = clock_monotonic();
        while (operator_count("SELECT coalesce(sum(cardinality(seqs)), 0) FROM t.audit_seal") <= i &&
               clock_monotonic() - start < 10 * USEC_PER_SEC)
            (void)nanosleep(&ms, NULL);
        assert_true(clock_monotonic() - start < 3 * USEC_PER_SEC);    /* half a second, and a busy machine */
    }
    /* Stopping seals what came last. */
    add(f, "account:2");
    audit_sealer_stop(TAKE(f->sealer));
    assert_int_equal(verify(f).unsealed, 0);
    assert_int_equal(verify(f).rows, 4);
}

/* --- rights --- */
static void
web_role_writes_and_worker_seals(void **state)
{
    static const struct pg_stmts *const web_tables[] = { &audit_stmts, NULL };
    static const struct pg_stmts *const worker_tables[] = { &audit_stmts, &audit_seal_stmts, NULL };
    static const char *const forbidden[] = {
        "INSERT INTO idp.audit_event (seq, at, actor, role, verb, object, result, detail) OVERRIDING SYSTEM VALUE"
        " VALUES (99, now(), 'a', '', 'a.b', '', 'ok', '{}')",
        "INSERT INTO idp.audit_event (at, actor, role, verb, object, result, detail, xid)"
        " VALUES (now(), 'a', '', 'a.b', '', 'ok', '{}', '1')",
        "SELECT actor FROM idp.audit_event", "SELECT * FROM idp.audit_seal", "UPDATE idp.audit_event SET actor = 'x'",
        "DELETE FROM idp.audit_event", "ALTER TABLE idp.audit_event DISABLE TRIGGER ALL",
        "SET session_replication_role = replica",
    };
    struct fixture *f = *state;
    char conninfo[700];
    struct pg_config conf = { .conninfo = conninfo, .stmts = web_tables };
    struct audit_report report;
    struct pg *pg = NULL;
    int sealed = 0;
    PGconn *c;

    operator_make_schema("idp", files, ARRAY_LEN(files));
    operator_run("GRANT USAGE ON SCHEMA idp TO idp_web, idp_worker", NULL, 0);
    test_conninfo("user=idp_web options='-c search_path=idp'", conninfo, sizeof(conninfo));
    assert_ok(pg_open(&conf, &pg, &f->why), &f->why);
    assert_ok(add_at(pg, clock_now(), "account:1", &f->why), &f->why);
    pg_close(pg);
    c = operator_open("user=idp_web");
    for (size_t i = 0; i < ARRAY_LEN(forbidden); i++) {
        PGresult *r = PQexec(c, forbidden[i]);

        assert_row(forbidden[i], PQresultStatus(r) == PGRES_FATAL_ERROR);
        assert_row(forbidden[i], strcmp(PQresultErrorField(r, PG_DIAG_SQLSTATE), "42501") == 0);
        PQclear(r);
    }
    PQfinish(c);
    test_conninfo("user=idp_worker options='-c search_path=idp'", conninfo, sizeof(conninfo));
    conf.stmts = worker_tables;
    assert_ok(pg_open(&conf, &pg, &f->why), &f->why);
    assert_ok(audit_seal(pg, f->key, clock_now(), &sealed, &f->why), &f->why);
    assert_int_equal(sealed, 1);
    assert_ok(audit_verify(pg, f->key, clock_now(), &report, &f->why), &f->why);
    assert_int_equal(report.bad, 0);
    assert_int_equal(report.rows, 1);
    pg_close(pg);
    operator_run("DROP SCHEMA idp CASCADE", NULL, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(rows_are_sealed_and_verified), T(act_and_row_are_one_statement), T(row_goes_with_its_act),
        T(malformed_rows_are_refused), T(tables_refuse_change), T(writer_chooses_neither_digest_nor_transaction),
        T(tampering_is_named), T(wrong_key_is_no_proof), T(forged_chain_is_found), T(every_kind_of_key_signs),
        T(slow_transaction_is_sealed_later), T(lower_seq_may_be_sealed_after_a_higher),
        T(every_row_is_sealed_once_by_racing_sealers), T(more_than_a_page_is_sealed_in_pages),
        T(restore_into_another_cluster_goes_on), T(unsealed_row_is_a_finding_after_a_minute),
        T(sealer_seals_within_a_second), T(web_role_writes_and_worker_seals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
