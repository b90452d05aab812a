/* job: each job once however many take, leases of the dead, retries, dead jobs, the runner. */
#include "tests/integration/pg_support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <time.h>

#include "base/pg/job.h"

#define NOW (INT64_C(1800000000) * USEC_PER_SEC)
#define LEASE (30 * USEC_PER_SEC)
#define LIFE (2 * USEC_PER_DAY)

enum { ONE_STATEMENT, PING };
static const struct pg_stmt list[] = {
    [ONE_STATEMENT] = { "test.one", "WITH act AS (INSERT INTO act (id) VALUES ($1::int8) RETURNING id)"
                                    " SELECT job_add('t.one', id::text, 'p', $2::timestamptz, $2, $2 + interval '1 day') FROM act", 2 },
    [PING] = { "test.ping", "SELECT 1", 0 },
};
static const struct pg_stmts stmts = PG_STMTS(list);
static const struct pg_stmts *const tables[] = { &job_stmts, &stmts, NULL };

struct fixture {
    char conninfo[600];
    struct pg_config conf;
    struct pg *pg;
    struct job_runner *runner;     /* teardown stops it when a test failed before */
    struct why why;
};

static int
setup(void **state)
{
    static const char *const files[] = { "migrations/common/job.sql" };
    struct fixture *f = calloc(1, sizeof(*f));

    operator_make_schema("t", files, ARRAY_LEN(files));
    operator_run("CREATE TABLE t.act (id bigint PRIMARY KEY)", NULL, 0);
    test_conninfo("options='-c search_path=t'", f->conninfo, sizeof(f->conninfo));
    f->conf = (struct pg_config){ .conninfo = f->conninfo, .stmts = tables };
    assert_ok(pg_open(&f->conf, &f->pg, &f->why), &f->why);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;

    job_runner_stop(f->runner);
    pg_close(f->pg);
    free(f);
    return 0;
}

static void
add(struct fixture *f, const char *kind, const char *key, utime run_at)
{
    assert_ok(job_add(f->pg, kind, key, STR_LIT("payload"), NOW, run_at, LIFE, &f->why), &f->why);
}

static int64_t
in_state(const char *state)
{
    char sql[100];

    (void)snprintf(sql, sizeof(sql), "SELECT count(*) FROM t.job WHERE state = '%s'", state);
    return operator_count(sql);
}

/* --- a handler that does as it is told --- */
struct told {
    enum err answer;
    const char *reason;
    atomic_int runs;
    int last_tries;
    utime last_created;
};

static enum err
obey(struct pg *pg, const struct job *job, void *arg, struct why *why)
{
    struct told *t = arg;

    (void)pg;
    assert_true(str_eqs(job->payload, "payload"));
    t->last_tries = job->tries;
    t->last_created = job->created_at;
    atomic_fetch_add(&t->runs, 1);
    return t->answer == OK ? OK : why_set(why, t->answer, "%s", t->reason);
}

/* --- one key, one job --- */
static void
same_key_is_one_job(void **state)
{
    struct fixture *f = *state;
    struct told t = { .answer = OK };
    struct job_kind kinds[] = { { "t.mail", obey, LEASE, &t }, { "t.other", obey, LEASE, &t } };

    add(f, "t.mail", "k", NOW);
    add(f, "t.mail", "k", NOW);
    add(f, "t.other", "k", NOW);
    assert_int_equal(in_state("due"), 2);
    assert_int_equal(job_run_due(f->pg, kinds, ARRAY_LEN(kinds), NOW), 2);
    assert_int_equal(t.last_tries, 1);
    assert_true(t.last_created == NOW);
    /* Also after it was done. */
    add(f, "t.mail", "k", NOW);
    assert_int_equal(job_run_due(f->pg, kinds, ARRAY_LEN(kinds), NOW), 0);
    assert_int_equal(in_state("done"), 2);
    assert_int_equal(operator_count("SELECT sum(octet_length(payload)) FROM t.job"), 0);
}

static void
act_and_job_are_one_statement(void **state)
{
    struct fixture *f = *state;
    struct pg_args a = PG_ARGS_INIT;

    pg_arg_i64(&a, 7);
    pg_arg_time(&a, NOW);
    assert_ok(pg_exec(f->pg, &list[ONE_STATEMENT], &a, NULL, &f->why), &f->why);
    assert_int_equal(operator_count("SELECT count(*) FROM t.job WHERE kind = 't.one' AND key = '7'"), 1);
    /* The act fails: no job. */
    operator_run("DELETE FROM t.job", NULL, 0);
    pg_arg_i64(&a, 7);
    pg_arg_time(&a, NOW);
    assert_err(pg_exec(f->pg, &list[ONE_STATEMENT], &a, NULL, &f->why), ERR_CONFLICT, &f->why);
    assert_int_equal(operator_count("SELECT count(*) FROM t.job"), 0);
}

static void
only_what_is_due_and_asked_for_runs(void **state)
{
    struct fixture *f = *state;
    struct told t = { .answer = OK };
    struct job_kind kinds[] = { { "t.mail", obey, LEASE, &t } };

    add(f, "t.mail", "now", NOW);
    add(f, "t.mail", "later", NOW + 1);
    add(f, "t.unknown", "now", NOW);
    assert_int_equal(job_run_due(f->pg, kinds, 1, NOW), 1);
    assert_int_equal(job_run_due(f->pg, kinds, 1, NOW), 0);
    assert_int_equal(job_run_due(f->pg, kinds, 1, NOW + 1), 1);
    assert_int_equal(in_state("due"), 1);
}

/* --- 64 takers --- */
#define TAKERS 64
#define JOBS 500

struct taker {
    struct fixture *f;
    atomic_int *seen;
    pthread_barrier_t *barrier;
    int count;
    enum err opened;
};

static enum err
mark(struct pg *pg, const struct job *job, void *arg, struct why *why)
{
    atomic_int *seen = arg;

    (void)pg, (void)why;
    atomic_fetch_add(&seen[strtol(job->key, NULL, 10)], 1);
    return OK;
}

static void *
taker_run(void *arg)
{
    struct taker *t = arg;
    struct job_kind kinds[] = { { "t.mail", mark, LEASE, t->seen } };
    struct why why = WHY_INIT;
    struct pg *pg = NULL;

    t->opened = pg_open(&t->f->conf, &pg, &why);
    (void)pthread_barrier_wait(t->barrier);
    if (t->opened == OK)
        t->count = job_run_due(pg, kinds, 1, NOW);
    pg_close(pg);
    return NULL;
}

static void
each_job_once_among_64_takers(void **state)
{
    static atomic_int seen[JOBS];
    struct fixture *f = *state;
    struct taker takers[TAKERS];
    pthread_t threads[TAKERS];
    pthread_barrier_t barrier;
    int total = 0, busy = 0;

    operator_run("INSERT INTO t.job (kind, key, payload, created_at, run_at, give_up_at)"
                 " SELECT 't.mail', i::text, 'payload', to_timestamp(1800000000), to_timestamp(1800000000 - i % 7),"
                 " to_timestamp(1900000000) FROM generate_series(0, 499) i", NULL, 0);
    assert_int_equal(pthread_barrier_init(&barrier, NULL, TAKERS), 0);
    for (int i = 0; i < TAKERS; i++) {
        takers[i] = (struct taker){ .f = f, .seen = seen, .barrier = &barrier };
        assert_int_equal(pthread_create(&threads[i], NULL, taker_run, &takers[i]), 0);
    }
    for (int i = 0; i < TAKERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(pthread_barrier_destroy(&barrier), 0);
    for (int i = 0; i < TAKERS; i++) {
        assert_int_equal(takers[i].opened, OK);
        total += takers[i].count;
        busy += takers[i].count > 0;
    }
    for (int i = 0; i < JOBS; i++)
        assert_int_equal(atomic_load(&seen[i]), 1);
    assert_int_equal(total, JOBS);
    assert_true(busy > 1);
    assert_int_equal(operator_count("SELECT count(*) FROM t.job WHERE state = 'done' AND tries = 1"), JOBS);
}

/* --- a worker that is killed --- */
static enum err
die(struct pg *pg, const struct job *job, void *arg, struct why *why)
{
    (void)pg, (void)job, (void)arg, (void)why;
    (void)kill(getpid(), SIGKILL);
    return OK;
}

static void
take_and_die(struct fixture *f)
{
    struct job_kind kinds[] = { { "t.mail", die, LEASE, NULL } };
    int status;
    pid_t child = fork();

    if (child == 0) {
        struct why why = WHY_INIT;
        struct pg *pg = NULL;

        if (pg_open(&f->conf, &pg, &why) == OK)
            (void)job_run_due(pg, kinds, 1, NOW);
        _exit(1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void
job_of_a_killed_worker_runs_again(void **state)
{
    struct fixture *f = *state;
    struct told t = { .answer = OK };
    struct job_kind kinds[] = { { "t.mail", obey, LEASE, &t } };

    add(f, "t.mail", "k", NOW);
    take_and_die(f);
    assert_int_equal(job_run_due(f->pg, kinds, 1, NOW), 0);
    assert_int_equal(job_run_due(f->pg, kinds, 1, NOW + LEASE - 1), 0);
    assert_int_equal(job_run_due(f->pg, kinds, 1, NOW + LEASE), 1);
    assert_int_equal(t.last_tries, 2);
    assert_int_equal(in_state("done"), 1);
}

static void
job_that_kills_its_workers_ends(void **state)
{
    struct fixture *f = *state;
    struct told t = { .answer = OK };
    struct job_kind kinds[] = { { "t.mail", obey, LEASE, &t } };
    char reason[200];

    add(f, "t.mail", "k", NOW);
    take_and_die(f);
    assert_int_equal(job_run_due(f->pg, kinds, 1, NOW + LIFE + 1), 1);
    assert_int_equal(t.runs, 0);
    assert_int_equal(in_state("dead"), 1);
    operator_run("SELECT reason FROM t.job", reason, sizeof(reason));
    assert_non_null(strstr(reason, "did not come back"));
}

/* --- a worker that is too slow --- */
struct slow {
    struct fixture *f;
    struct told other;
    enum err answer;
};

static enum err
overtaken(struct pg *pg, const struct job *job, void *arg, struct why *why)
{
    struct slow *s = arg;
    struct job_kind kinds[] = { { "t.mail", obey, LEASE, &s->other } };
    struct pg *second = NULL;

    (void)pg, (void)job;
    assert_ok(pg_open(&s->f->conf, &second, &s->f->why), &s->f->why);
    assert_int_equal(job_run_due(second, kinds, 1, NOW + LEASE), 1);
    pg_close(second);
    return s->answer == OK ? OK : why_set(why, s->answer, "too slow");
}

static void
slow_worker_ends_nothing(void **state)
{
    /* What the slow one answers, what the fast one answers, what must stand in the end. */
    static const struct { const char *label; enum err slow, fast; const char *state; } rows[] = {
        { "slow done, fast done", OK, OK, "done" },
        { "slow fails for good, fast done", ERR_INTERNAL, OK, "done" },
        { "slow would retry, fast done", ERR_UNAVAILABLE, OK, "done" },
        { "slow done, fast retries", OK, ERR_UNAVAILABLE, "due" },
        { "slow done, fast dead", OK, ERR_INPUT, "dead" },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct slow s = { .f = f, .other = { .answer = rows[i].fast, .reason = "fast" }, .answer = rows[i].slow };
        struct job_kind kinds[] = { { "t.mail", overtaken, LEASE, &s } };

        operator_run("DELETE FROM t.job", NULL, 0);
        add(f, "t.mail", "k", NOW);
        assert_row(rows[i].label, job_run_due(f->pg, kinds, 1, NOW) == 1);
        assert_row(rows[i].label, s.other.last_tries == 2);
        assert_row(rows[i].label, in_state(rows[i].state) == 1);
        assert_row(rows[i].label, strcmp(rows[i].state, "due") != 0 ||
                   operator_count("SELECT count(*) FROM t.job WHERE run_at = to_timestamp(1800000000 + 30 + 60)") == 1);
    }
}

/* --- retries --- */
static void
retries_follow_the_schedule_to_the_end_of_life(void **state)
{
    static const int64_t steps[] = { 10, 60, 300, 900, 3600, 3600, 3600 };
    struct fixture *f = *state;
    struct told t = { .answer = ERR_UNAVAILABLE, .reason = "peer away" };
    struct job_kind kinds[] = { { "t.mail", obey, LEASE, &t } };
    utime now = NOW;

    assert_ok(job_add(f->pg, "t.mail", "k", STR_LIT("payload"), NOW, NOW, 5 * USEC_PER_HOUR, &f->why), &f->why);
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        assert_int_equal(job_run_due(f->pg, kinds, 1, now), 1);
        assert_int_equal(t.last_tries, (int)i + 1);
        now += steps[i] * USEC_PER_SEC;
        assert_int_equal(job_run_due(f->pg, kinds, 1, now - 1), 0);
    }
    /* 3 h 21 min 10 s have passed: one more retry fits into five hours, the one after does not. */
    assert_int_equal(job_run_due(f->pg, kinds, 1, now), 1);
    assert_int_equal(in_state("due"), 1);
    now += USEC_PER_HOUR;
    assert_int_equal(job_run_due(f->pg, kinds, 1, now), 1);
    assert_int_equal(in_state("dead"), 1);
    assert_int_equal(operator_count("SELECT count(*) FROM t.job WHERE reason = 'unavailable: peer away'"
                                    " AND convert_from(payload, 'UTF8') = 'payload'"), 1);
}

static void
other_failures_are_final_and_keep_the_reason(void **state)
{
    static const enum err answers[] = { ERR_INPUT, ERR_DENIED, ERR_NOT_FOUND, ERR_CONFLICT, ERR_INTERNAL };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        /* A reason with bytes that no text column takes. */
        struct told t = { .answer = answers[i], .reason = "bad \xFF byte\n\x01" };
        struct job_kind kinds[] = { { "t.mail", obey, LEASE, &t } };

        operator_run("DELETE FROM t.job", NULL, 0);
        add(f, "t.mail", "k", NOW);
        assert_int_equal(job_run_due(f->pg, kinds, 1, NOW), 1);
        assert_int_equal(job_run_due(f->pg, kinds, 1, NOW + USEC_PER_DAY), 0);
        assert_int_equal(in_state("dead"), 1);
        assert_int_equal(operator_count("SELECT count(*) FROM t.job WHERE reason LIKE '%bad%byte%'"), 1);
    }
}

static void
dead_jobs_can_be_revived_and_purged(void **state)
{
    struct fixture *f = *state;
    struct told t = { .answer = ERR_INTERNAL, .reason = "bug" };
    struct job_kind kinds[] = { { "t.mail", obey, LEASE, &t } };
    struct job_stats stats;
    int64_t removed = 0;

    add(f, "t.mail", "dead", NOW);
    assert_int_equal(job_run_due(f->pg, kinds, 1, NOW), 1);
    t.answer = OK;
    add(f, "t.mail", "done", NOW);
    assert_int_equal(job_run_due(f->pg, kinds, 1, NOW), 1);
    add(f, "t.mail", "due", NOW);
    add(f, "t.mail", "later", NOW + USEC_PER_HOUR);
    assert_ok(job_stats(f->pg, NOW + 7 * USEC_PER_SEC, &stats, &f->why), &f->why);
    assert_int_equal(stats.due, 1);
    assert_int_equal(stats.oldest_due, 7 * USEC_PER_SEC);
    assert_int_equal(stats.waiting, 1);
    assert_int_equal(stats.dead, 1);

    assert_err(job_revive(f->pg, "t.mail", "done", NOW, LIFE, &f->why), ERR_NOT_FOUND, &f->why);
    assert_ok(job_revive(f->pg, "t.mail", "dead", NOW, LIFE, &f->why), &f->why);
    assert_int_equal(job_run_due(f->pg, kinds, 1, NOW), 2);
    assert_int_equal(t.last_tries, 1);

    assert_ok(job_purge(f->pg, NOW, NOW, &removed, &f->why), &f->why);
    assert_int_equal(removed, 0);
    assert_ok(job_purge(f->pg, NOW + 1, NOW + 1, &removed, &f->why), &f->why);
    assert_int_equal(removed, 3);
    assert_int_equal(in_state("due"), 1);
    assert_ok(job_stats(f->pg, NOW, &stats, &f->why), &f->why);
    assert_int_equal(stats.oldest_due, 0);
}

/* --- the runner --- */
static bool
wait_runs(struct told *t, int runs, int64_t limit)
{
    utime deadline = clock_monotonic() + limit;
    struct timespec ms = { .tv_nsec = 1000000 };

    while (atomic_load(&t->runs) < runs && clock_monotonic() < deadline)
        (void)nanosleep(&ms, NULL);
    return atomic_load(&t->runs) == runs;
}

static void
add_now(struct fixture *f, const char *key, int64_t delay)
{
    utime now = clock_now();

    assert_ok(job_add(f->pg, "t.mail", key, STR_LIT("payload"), now, now + delay, LIFE, &f->why), &f->why);
}

/* By polling alone a job would wait half a second on average: most of these do not. */
static void
notify_wakes_the_runner(void **state)
{
    struct fixture *f = *state;
    struct told t = { .answer = OK };
    struct job_kind kinds[] = { { "t.mail", obey, LEASE, &t } };
    int at_once = 0;

    assert_ok(job_runner_start(&f->conf, kinds, 1, 1, &f->runner, &f->why), &f->why);
    for (int i = 0; i < 8; i++) {
        struct timespec idle = { .tv_nsec = 50000000 };
        char key[16];

        (void)nanosleep(&idle, NULL);       /* it has looked and waits */
        (void)snprintf(key, sizeof(key), "k%d", i);
        add_now(f, key, 0);
        at_once += wait_runs(&t, i + 1, 200000);
        assert_true(wait_runs(&t, i + 1, 5 * USEC_PER_SEC));
    }
    job_runner_stop(TAKE(f->runner));
    assert_true(at_once >= 5);
    assert_int_equal(in_state("done"), 8);
}

static void
runner_outlives_its_connections_and_stops_at_once(void **state)
{
    struct fixture *f = *state;
    struct told t = { .answer = OK };
    struct job_kind kinds[] = { { "t.mail", obey, LEASE, &t } };
    struct timespec settle = { .tv_nsec = 300000000 };
    utime stop;

    assert_ok(job_runner_start(&f->conf, kinds, 1, 3, &f->runner, &f->why), &f->why);
    /* A retry or a job for later comes due without a NOTIFY. */
    add_now(f, "later", 300000);
    assert_true(wait_runs(&t, 1, 5 * USEC_PER_SEC));
    operator_run("SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                 " AND backend_type = 'client backend'", NULL, 0);
    add_now(f, "again", 0);
    assert_true(wait_runs(&t, 2, 10 * USEC_PER_SEC));
    (void)nanosleep(&settle, NULL);
    stop = clock_monotonic();
    job_runner_stop(TAKE(f->runner));
    assert_true(clock_monotonic() - stop < 900000);        /* not at the end of the second it would wait */
    assert_int_equal(in_state("done"), 2);
}

static enum err
slow_job(struct pg *pg, const struct job *job, void *arg, struct why *why)
{
    struct told *t = arg;
    struct timespec half = { .tv_nsec = 500000000 };

    (void)pg, (void)job, (void)why;
    atomic_fetch_add(&t->runs, 1);
    (void)nanosleep(&half, NULL);
    return OK;
}

static void
runner_finishes_what_runs(void **state)
{
    struct fixture *f = *state;
    struct told t = { .answer = OK };
    struct job_kind kinds[] = { { "t.mail", slow_job, LEASE, &t } };

    assert_ok(job_runner_start(&f->conf, kinds, 1, 1, &f->runner, &f->why), &f->why);
    add_now(f, "k", 0);
    assert_true(wait_runs(&t, 1, 3 * USEC_PER_SEC));
    job_runner_stop(TAKE(f->runner));
    assert_int_equal(in_state("done"), 1);
}

static void
runner_says_when_it_cannot_start(void **state)
{
    struct fixture *f = *state;
    struct told t = { .answer = OK };
    struct job_kind kinds[] = { { "t.mail", obey, LEASE, &t } };
    struct pg_config away = { .conninfo = "host=/nonexistent dbname=test", .stmts = tables };

    assert_err(job_runner_start(&away, kinds, 1, 2, &f->runner, &f->why), ERR_UNAVAILABLE, &f->why);
    assert_null(f->runner);
}

/* --- rights --- */
static enum err
as_role(struct fixture *f, const char *role, bool take)
{
    static const struct pg_stmts *const only_add[] = { &stmts, NULL };
    struct told t = { .answer = OK };
    struct job_kind kinds[] = { { "t.one", obey, LEASE, &t } };
    char more[120], conninfo[700];
    struct pg_config conf = { .conninfo = conninfo, .stmts = take ? tables : only_add };
    struct pg_args a = PG_ARGS_INIT;
    struct pg *pg = NULL;
    enum err e;

    (void)snprintf(more, sizeof(more), "user=%s options='-c search_path=idp'", role);
    test_conninfo(more, conninfo, sizeof(conninfo));
    if ((e = pg_open(&conf, &pg, &f->why)) != OK)
        return e;
    operator_run("DELETE FROM idp.act", NULL, 0);
    pg_arg_i64(&a, 1);
    pg_arg_time(&a, NOW);
    e = pg_exec(pg, &list[ONE_STATEMENT], &a, NULL, &f->why);
    if (e == OK && take) {
        operator_run("UPDATE idp.job SET payload = 'payload'", NULL, 0);
        e = job_run_due(pg, kinds, 1, NOW) == 1 ? OK : ERR_DENIED;
    }
    pg_close(pg);
    return e;
}

static void
web_role_adds_and_worker_takes(void **state)
{
    static const char *const files[] = { "migrations/common/job.sql" };
    struct fixture *f = *state;

    operator_make_schema("idp", files, ARRAY_LEN(files));
    operator_run("CREATE TABLE idp.act (id bigint PRIMARY KEY);"
                 "GRANT USAGE ON SCHEMA idp TO idp_web, idp_worker, mairie_web;"
                 "GRANT SELECT, INSERT ON idp.act TO idp_web, idp_worker, mairie_web", NULL, 0);
    assert_ok(as_role(f, "idp_web", false), &f->why);
    assert_err(as_role(f, "idp_web", true), ERR_DENIED, &f->why);
    operator_run("DELETE FROM idp.job", NULL, 0);
    assert_ok(as_role(f, "idp_worker", true), &f->why);
    assert_err(as_role(f, "mairie_web", false), ERR_INTERNAL, &f->why);
    operator_run("DROP SCHEMA idp CASCADE", NULL, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(same_key_is_one_job), T(act_and_job_are_one_statement), T(only_what_is_due_and_asked_for_runs),
        T(each_job_once_among_64_takers), T(job_of_a_killed_worker_runs_again), T(job_that_kills_its_workers_ends),
        T(slow_worker_ends_nothing), T(retries_follow_the_schedule_to_the_end_of_life),
        T(other_failures_are_final_and_keep_the_reason), T(dead_jobs_can_be_revived_and_purged),
        T(notify_wakes_the_runner), T(runner_outlives_its_connections_and_stops_at_once), T(runner_finishes_what_runs), T(runner_says_when_it_cannot_start),
        T(web_role_adds_and_worker_takes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
