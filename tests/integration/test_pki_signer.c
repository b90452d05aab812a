/*
 * the signer, as a process: locked after each start; opened by two custodians and nobody less; who may say what; a lost caller;
 * many callers at once; killed between its commits, inside a batch, at any moment; a second signer.
 */
#include "tests/integration/signer_support.h"

#include <pthread.h>

/* --- tests ------------------------------------------------------------------------------------------------------------------- */

static void
locked_until_two_open_it(void **state)
{
    struct fixture *f = *state;
    const char *id = asked(f, "citizen-card", "1001", SUPPORT_CARD);
    AUTO(buf_free) struct buf status = BUF_BOUNDED(4096);
    struct share wrong = SHARE_INIT;
    char certificate[37], again[37];
    int missing = 0;

    signer_start(f);
    assert_err(issue(f, id, certificate), ERR_UNAVAILABLE, &f->w.why);
    assert_string_equal(f->w.why.code, "signer.locked");
    /* a share under somebody else's name; of another set; the same person twice; and one alone opens nothing */
    wrong.info = f->shares[0].info;
    snprintf(wrong.info.person, sizeof(wrong.info.person), "chloe");
    secret_set(&wrong.value, f->shares[0].value.data, ACTIVATION_LEN);
    assert_err(signer_share(f->client, &wrong, &missing, &f->w.why), ERR_DENIED, &f->w.why);
    assert_string_equal(f->w.why.code, "unlock.role");
    wrong.info = f->shares[0].info;
    rand_uuid(wrong.info.set);
    assert_err(signer_share(f->client, &wrong, &missing, &f->w.why), ERR_DENIED, &f->w.why);
    assert_ok(give(f, 0, &missing), &f->w.why);
    assert_int_equal(missing, 1);
    assert_err(give(f, 0, &missing), ERR_DENIED, &f->w.why);
    assert_string_equal(f->w.why.code, "unlock.twice");
    assert_err(issue(f, id, certificate), ERR_UNAVAILABLE, &f->w.why);
    /* a share that does not fit: all are forgotten */
    wrong.info = f->shares[1].info;
    wrong.value.data[0] ^= 1;
    assert_err(signer_share(f->client, &wrong, &missing, &f->w.why), ERR_DENIED, &f->w.why);
    assert_string_equal(f->w.why.code, "shares.wrong");
    share_done(&wrong);
    unlock(f);
    assert_ok(issue(f, id, certificate), &f->w.why);
    assert_ok(issue(f, id, again), &f->w.why);
    assert_string_equal(certificate, again);
    assert_ok(signer_status(f->client, &status, &f->w.why), &f->w.why);
    assert_non_null(strstr(buf_cstr(&status), " open 0 2 2\n"));
    assert_non_null(strstr(buf_cstr(&status), "ca cards-g1 active "));
    /* locked on order, and after a restart */
    id = asked(f, "citizen-card", "1002", SUPPORT_CARD);
    assert_ok(signer_lock(f->client, &f->w.why), &f->w.why);
    assert_err(issue(f, id, certificate), ERR_UNAVAILABLE, &f->w.why);
    assert_string_equal(f->w.why.code, "signer.locked");
    unlock(f);
    assert_ok(issue(f, id, certificate), &f->w.why);
    signer_end(f, SIGTERM);
    id = asked(f, "citizen-card", "1003", SUPPORT_CARD);
    signer_start(f);
    assert_err(issue(f, id, certificate), ERR_UNAVAILABLE, &f->w.why);
    assert_string_equal(f->w.why.code, "signer.locked");
    unlock(f);
    assert_ok(issue(f, id, certificate), &f->w.why);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.certificate WHERE state = 'issued'"), 3);
    signer_end(f, SIGTERM);
    /* the sealer has sealed all of it */
    assert_int_equal(operator_count("SELECT count(*) FROM pki.audit_event e WHERE NOT EXISTS (SELECT FROM pki.audit_seal s "
                                    "WHERE e.seq = ANY (s.seqs))"), 0);
}

/* What a line of a peer without rights, or a line that is none, is answered. */
static void
answer_of(const char *socket_path, uid_t uid, const char *line, char *out, size_t size)
{
    struct signer_client *c = signer_client_new(socket_path, 10 * USEC_PER_SEC);
    int pipes[2];
    pid_t child;
    ssize_t n;

    assert_int_equal(pipe(pipes), 0);
    if ((child = fork()) == 0) {
        char certificate[37];
        struct why why = WHY_INIT;

        if (uid != 0 && (setgroups(0, NULL) != 0 || setgid(uid) != 0 || setuid(uid) != 0))
            _exit(1);
        err_ignore(signer_issue(c, line, certificate, &why));
        if (write(pipes[1], why.code, strlen(why.code) + 1) < 0)
            _exit(1);
        _exit(0);
    }
    close(pipes[1]);
    n = read(pipes[0], out, size - 1);
    out[n > 0 ? n : 0] = '\0';
    close(pipes[0]);
    waitpid(child, NULL, 0);
    signer_client_free(c);
}

static void
who_may_say_what(void **state)
{
    struct fixture *f = *state;
    const char *id = asked(f, "citizen-card", "1001", SUPPORT_CARD);
    char code[64];

    signer_start(f);
    unlock(f);
    answer_of(f->socket, 0, "00000000-0000-4000-8000-00000000dead", code, sizeof(code));
    assert_string_equal(code, "request.unknown");
    answer_of(f->socket, 0, "not a uuid", code, sizeof(code));
    assert_string_equal(code, "signer.command");
    if (geteuid() == 0) {                     /* else there is no second user to be */
        answer_of(f->socket, 65534, id, code, sizeof(code));
        assert_string_equal(code, "signer.peer");
    }
    answer_of(f->socket, 0, id, code, sizeof(code));
    assert_string_equal(code, "");
}

static void
a_lost_caller(void **state)
{
    struct fixture *f = *state;
    const char *id;
    char query[160];

    signer_start(f);
    unlock(f);
    id = asked(f, "citizen-card", "1001", SUPPORT_CARD);
    snprintf(query, sizeof(query), "SELECT count(*) FROM pki.request WHERE id = '%s' AND state = 'issued'", id);
    for (int i = 0; i < 300 && operator_count(query) == 0; i++)
        usleep(100 * 1000);
    assert_int_equal(operator_count(query), 1);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.node WHERE name = 'test/signer' AND state = 'open, 1 of 1'"), 1);
}

struct caller {
    struct fixture *f;
    const char *id;
    char certificate[37];
    enum err e;
};

static void *
call(void *arg)
{
    struct caller *c = arg;
    AUTO(signer_client_freep) struct signer_client *client = signer_client_new(c->f->socket, PATIENCE);

    c->e = signer_issue(client, c->id, c->certificate, NULL);
    return NULL;
}

static void
many_callers(void **state)
{
    struct fixture *f = *state;
    struct caller callers[64];
    pthread_t threads[64];
    const char *same;

    signer_start(f);
    unlock(f);
    same = asked(f, "citizen-card", "1001", SUPPORT_CARD);
    for (size_t i = 0; i < 64; i++) {
        callers[i] = (struct caller){ .f = f, .id = same, .e = ERR_INTERNAL };
        assert_int_equal(pthread_create(&threads[i], NULL, call, &callers[i]), 0);
    }
    for (size_t i = 0; i < 64; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(callers[i].e, OK);
        assert_string_equal(callers[i].certificate, callers[0].certificate);
    }
    assert_int_equal(operator_count("SELECT count(*) FROM pki.certificate"), 1);
}

/* Killed when the first commit is done and the second waits; its sessions die with it, as with its machine. */
static void
killed_between_the_commits(void **state)
{
    struct fixture *f = *state;
    const char *id = asked(f, "citizen-card", "1001", SUPPORT_CARD);
    struct caller caller = { .f = f, .id = id };
    char query[200], certificate[37];
    pthread_t thread;
    PGconn *holder;

    signer_start(f);
    unlock(f);
    holder = operator_open("");
    PQclear(PQexec(holder, "BEGIN"));
    snprintf(query, sizeof(query), "SELECT FROM pki.request WHERE id = '%s' FOR NO KEY UPDATE", id);
    PQclear(PQexec(holder, query));
    assert_int_equal(pthread_create(&thread, NULL, call, &caller), 0);
    for (int i = 0; i < 300 && operator_count("SELECT count(*) FROM pg_stat_activity WHERE usename = 'pki_signer' AND "
                                              "wait_event_type = 'Lock' AND query LIKE '%state = ''issued''%'") == 0; i++)
        usleep(50 * 1000);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.certificate WHERE state = 'reserved'"), 1);
    signer_end(f, SIGKILL);
    operator_run("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename IN ('pki_signer', 'pki_worker')", NULL, 0);
    pthread_join(thread, NULL);
    assert_int_equal(caller.e, ERR_UNAVAILABLE);
    PQclear(PQexec(holder, "ROLLBACK"));
    PQfinish(holder);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.certificate WHERE state = 'reserved'"), 1);
    signer_start(f);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.certificate WHERE state = 'void'"), 1);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.certificate_der WHERE der IS NOT NULL"), 0);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.alarm WHERE kind = 'certificate.lost' AND ended_at IS NULL"), 1);
    unlock(f);
    assert_err(issue(f, id, certificate), ERR_DENIED, &f->w.why);
    assert_string_equal(f->w.why.code, "pki.request.lost");
    id = asked(f, "citizen-card", "1002", SUPPORT_CARD);
    assert_ok(issue(f, id, certificate), &f->w.why);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.certificate WHERE state = 'issued'"), 1);
}

/* Waits until so many statements of the signer's second commit wait for a lock. */
static void
commits_wait(int64_t n)
{
    await("SELECT count(*) FROM pg_stat_activity WHERE usename = 'pki_signer' AND wait_event_type = 'Lock' AND "
          "query LIKE '%state = ''issued''%'", n);
}

static PGconn *
requests_hold(const char *const *ids, size_t n)
{
    PGconn *c = operator_open("");

    PQclear(PQexec(c, "BEGIN"));
    for (size_t i = 0; i < n; i++) {
        char query[120];

        snprintf(query, sizeof(query), "SELECT FROM pki.request WHERE id = '%s' FOR NO KEY UPDATE", ids[i]);
        PQclear(PQexec(c, query));
    }
    return c;
}

#define GATHERED 8

/* Those that come while all are at work make a batch. It is killed when its first commit is done and the second waits: nothing of it
 * is signed that the database does not know, and nothing is known half. */
static void
killed_inside_a_batch(void **state)
{
    struct fixture *f = *state;
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    const size_t ahead = cores < 6 ? (size_t)cores : 6;           /* signer.threads */
    struct caller callers[6 + GATHERED];
    pthread_t threads[6 + GATHERED];
    const char *ids[6 + GATHERED] = { NULL };
    char certificate[37];
    PGconn *first, *second;

    signer_start(f);
    unlock(f);
    for (size_t i = 0; i < ahead + GATHERED; i++) {
        ids[i] = asked(f, "citizen-card", arena_printf(f->w.a, "%zu", 1001 + i), SUPPORT_CARD);
        callers[i] = (struct caller){ .f = f, .id = ids[i] };
    }
    first = requests_hold(ids, ahead);
    second = requests_hold(ids + ahead + 3, 1);
    for (size_t i = 0; i < ahead; i++) {     /* each alone */
        assert_int_equal(pthread_create(&threads[i], NULL, call, &callers[i]), 0);
        commits_wait((int64_t)i + 1);
    }
    for (size_t i = ahead; i < ahead + GATHERED; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, call, &callers[i]), 0);
    usleep(300 * 1000);                      /* most of them wait in its queue by now; the test holds if not */
    assert_int_equal(operator_count("SELECT count(*) FROM pki.certificate"), (int64_t)ahead);
    PQclear(PQexec(first, "ROLLBACK"));
    await(arena_printf(f->w.a, "SELECT count(*) FROM pki.certificate WHERE state = 'reserved' AND request_id = '%s'", ids[ahead + 3]), 1);
    commits_wait(1);                         /* and those with it */
    signer_end(f, SIGKILL);
    operator_run("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename IN ('pki_signer', 'pki_worker')", NULL, 0);
    await("SELECT count(*) FROM pg_stat_activity WHERE usename IN ('pki_signer', 'pki_worker')", 0);
    PQclear(PQexec(second, "ROLLBACK"));
    PQfinish(first);
    PQfinish(second);
    for (size_t i = 0; i < ahead + GATHERED; i++)
        pthread_join(threads[i], NULL);
    assert_int_not_equal(callers[ahead + 3].e, OK);
    assert_true(operator_count("SELECT count(*) FROM pki.certificate WHERE state = 'reserved'") >= 1);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.certificate_der d JOIN pki.certificate c ON c.id = d.certificate_id WHERE "
                                    "(d.der IS NOT NULL) <> (c.state = 'issued')"), 0);
    signer_start(f);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.certificate WHERE state = 'reserved'"), 0);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.certificate c WHERE state = 'void' AND NOT EXISTS (SELECT FROM pki.alarm "
                                    "WHERE object = 'certificate:' || c.id AND ended_at IS NULL)"), 0);
    unlock(f);
    for (size_t i = 0; i < ahead + GATHERED; i++) {
        const enum err e = issue(f, ids[i], certificate);

        if (callers[i].e == OK) {            /* whoever had an answer has it again */
            assert_int_equal(e, OK);
            assert_string_equal(certificate, callers[i].certificate);
        } else if (e != OK) {
            assert_string_equal(f->w.why.code, "pki.request.lost");
        }
    }
    assert_err(issue(f, ids[ahead + 3], certificate), ERR_DENIED, &f->w.why);
    assert_string_equal(f->w.why.code, "pki.request.lost");
    assert_int_equal(operator_count("SELECT count(*) FROM pki.certificate WHERE state = 'reserved'"), 0);
}

#define KILLS 4
#define EACH 24

/* Killed wherever it is. */
static void
killed_at_any_moment(void **state)
{
    struct fixture *f = *state;
    static struct caller callers[KILLS * EACH];
    pthread_t threads[EACH];
    char certificate[37];

    for (size_t i = 0; i < KILLS * EACH; i++)
        callers[i] = (struct caller){ .f = f, .id = asked(f, "citizen-card", arena_printf(f->w.a, "%zu", 1001 + i), SUPPORT_CARD) };
    for (size_t k = 0; k < KILLS; k++) {
        signer_start(f);
        unlock(f);
        for (size_t i = 0; i < EACH; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, call, &callers[k * EACH + i]), 0);
        usleep(rand_below(150 * 1000));
        signer_kill(f);
        for (size_t i = 0; i < EACH; i++)
            pthread_join(threads[i], NULL);
    }
    signer_start(f);
    unlock(f);
    for (size_t i = 0; i < KILLS * EACH; i++) {
        const enum err e = issue(f, callers[i].id, certificate);

        if (callers[i].e == OK) {
            assert_int_equal(e, OK);
            assert_string_equal(certificate, callers[i].certificate);
        } else if (e != OK) {
            assert_string_equal(f->w.why.code, "pki.request.lost");
        }
    }
    assert_int_equal(operator_count("SELECT count(*) FROM pki.certificate WHERE state NOT IN ('issued', 'void')"), 0);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.certificate"), KILLS * EACH);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.certificate_der d JOIN pki.certificate c ON c.id = d.certificate_id WHERE "
                                    "(d.der IS NOT NULL) <> (c.state = 'issued')"), 0);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.certificate c WHERE state = 'issued' AND 1 <> (SELECT count(*) FROM "
                                    "pki.audit_event WHERE verb = 'certificate.issue' AND object = 'certificate:' || c.id)"), 0);
}

static void
one_signer_at_a_time(void **state)
{
    struct fixture *f = *state;
    int status;
    pid_t child;

    signer_start(f);
    if ((child = fork()) == 0) {
        dup2(open("/dev/null", O_WRONLY), 2);
        execl(PKI_BIN, "beffroi-pki", "signer", "--config", f->config, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    unlock(f);                               /* and the first one works on */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(locked_until_two_open_it, setup, teardown),
        cmocka_unit_test_setup_teardown(who_may_say_what, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lost_caller, setup, teardown),
        cmocka_unit_test_setup_teardown(many_callers, setup, teardown),
        cmocka_unit_test_setup_teardown(killed_between_the_commits, setup, teardown),
        cmocka_unit_test_setup_teardown(killed_inside_a_batch, setup, teardown),
        cmocka_unit_test_setup_teardown(killed_at_any_moment, setup, teardown),
        cmocka_unit_test_setup_teardown(one_signer_at_a_time, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
