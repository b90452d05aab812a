/* ask: a terminal (a pseudo-terminal of the test's own) and prepared answers. */
#include "tests/unit/crypto_support.h"

#include <pthread.h>
#include <stdlib.h>
#include <termios.h>

#include "base/core/secret.h"
#include "pki/ceremony/ask.h"

/* --- prepared ------------------------------------------------------------------------------------------------------- */

static char folder[TEST_FOLDER_MAX], path[TEST_FOLDER_MAX + 16];

static int
setup(void **state)
{
    (void)state;
    folder_make(folder);
    (void)snprintf(path, sizeof(path), "%s/answers", folder);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    folder_remove(folder);
    return 0;
}

static struct ask *
prepared(const char *text)
{
    struct ask *a = NULL;
    struct why why = WHY_INIT;

    file_write(path, text, strlen(text), 0600);
    if (ask_open_answers(path, NULL, &a, &why) != OK)
        fail_msg("%s", why.text);
    (void)unlink(path);
    return a;
}

static void
test_prepared(void **state)
{
    struct ask *a = prepared("# a rehearsal\n\nfirst = one = 1  \nsecond =\nphrase =  correct horse \nagree = OUI\n");
    struct buf got = BUF_BOUNDED(64);
    struct secret s = SECRET_INIT;
    bool yes = false;

    (void)state;
    assert_true(ask_is_prepared(a));
    assert_int_equal(ask_line(a, "first", "?", NULL, &got, NULL), OK);
    assert_string_equal(buf_cstr(&got), "one = 1");
    assert_int_equal(ask_line(a, "second", "?", "by default", &got, NULL), OK);
    assert_string_equal(buf_cstr(&got), "by default");
    assert_int_equal(ask_end(a, NULL), ERR_CONFLICT);      /* it looked at the next line, which is left over */
    ask_free(a);
    a = prepared("phrase =  correct horse \nagree = OUI\n");
    assert_int_equal(ask_phrase(a, "phrase", "?", "again", &s, NULL), OK);
    assert_true(mem_equal_ct(s.data, s.len, "correct horse", 13));
    assert_int_equal(ask_yes(a, "agree", "?", &yes, NULL), OK);
    assert_true(yes);
    assert_int_equal(ask_end(a, NULL), OK);
    ask_free(a);
    secret_done(&s);
    buf_free(&got);
}

static void
test_prepared_refusals(void **state)
{
    static const struct {
        const char *text;
        enum err e;
        const char *code;
    } rows[] = { { "second = 1\n", ERR_CONFLICT, "ask.order" }, { "# nothing\n", ERR_CONFLICT, "ask.order" },
                 { "first 1\n", ERR_INPUT, "" },               { "first =\n", ERR_INPUT, "" },
                 { "first = a\x01z\n", ERR_INPUT, "" },        { "first = \xff\n", ERR_INPUT, "" } };
    struct buf got = BUF_BOUNDED(64);
    struct ask *a = NULL;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct why why = WHY_INIT;

        a = prepared(rows[i].text);
        assert_row(rows[i].text, ask_line(a, "first", "?", NULL, &got, &why) == rows[i].e);
        assert_row_string(rows[i].text, why.code, rows[i].code);
        ask_free(a);
    }
    a = prepared("agree = perhaps\n");
    assert_int_equal(ask_yes(a, "agree", "?", &(bool){ false }, NULL), ERR_INPUT);
    ask_free(a);
    a = NULL;
    file_write(path, "first = 1\n", 10, 0644);             /* pass phrases are in it: nobody else reads it */
    assert_int_equal(ask_open_answers(path, NULL, &a, NULL), ERR_DENIED);
    assert_int_equal(ask_open_answers("fd:x", NULL, &a, NULL), ERR_INPUT);
    assert_null(a);
    buf_free(&got);
}

static void
test_descriptor(void **state)
{
    struct buf got = BUF_BOUNDED(64);
    struct ask *a = NULL;
    char name[16];
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "first = 1\n", 10), 10);
    assert_int_equal(close(ends[1]), 0);
    (void)snprintf(name, sizeof(name), "fd:%d", ends[0]);
    assert_int_equal(ask_open_answers(name, NULL, &a, NULL), OK);
    assert_int_equal(ask_line(a, "first", "?", NULL, &got, NULL), OK);
    assert_string_equal(buf_cstr(&got), "1");
    assert_int_equal(close(ends[0]), 0);
    ask_free(a);
    buf_free(&got);
}

/* --- a terminal ------------------------------------------------------------------------------------------------------- */

struct person {
    int master;
    const char *const *lines;      /* typed one after the other, each once a prompt (": ") is there */
    size_t n;
    char seen[8192];               /* what the screen showed */
    size_t len;
};

static void *
type_it(void *arg)
{
    struct person *p = arg;
    size_t from = 0;

    for (size_t i = 0; i < p->n; i++) {
        while (memmem(p->seen + from, p->len - from, ": ", 2) == NULL) {
            const ssize_t n = read(p->master, p->seen + p->len, sizeof(p->seen) - p->len - 1);

            if (n <= 0)
                return NULL;
            p->len += (size_t)n;
        }
        from = p->len;
        if (write(p->master, p->lines[i], strlen(p->lines[i])) < 0)
            return NULL;
    }
    return NULL;
}

static struct ask *
terminal_open(struct person *p, pthread_t *thread)
{
    struct ask *a = NULL;
    struct why why = WHY_INIT;

    p->master = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(p->master >= 0);
    assert_int_equal(grantpt(p->master), 0);
    assert_int_equal(unlockpt(p->master), 0);
    if (ask_open_terminal(ptsname(p->master), &a, &why) != OK)
        fail_msg("%s", why.text);
    assert_int_equal(pthread_create(thread, NULL, type_it, p), 0);
    return a;
}

static void
terminal_close(struct person *p, pthread_t thread, struct ask *a)
{
    ssize_t n;

    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(fcntl(p->master, F_SETFL, O_NONBLOCK), 0);
    while ((n = read(p->master, p->seen + p->len, sizeof(p->seen) - p->len - 1)) > 0)
        p->len += (size_t)n;
    ask_free(a);
    (void)close(p->master);
}

static void
test_terminal(void **state)
{
    static const char *const lines[] = { "\n", "alice\n", "correct horse\n", "correct hou\xc3\xa9\x7f\x7frse\n", "maybe\n", "oui\n" };
    struct person p = { .lines = lines, .n = ARRAY_LEN(lines) };
    struct buf got = BUF_BOUNDED(64);
    struct secret s = SECRET_INIT;
    struct why why = WHY_INIT;
    bool yes = false;
    pthread_t thread;
    struct ask *a;

    (void)state;
    a = terminal_open(&p, &thread);
    assert_false(ask_is_prepared(a));
    assert_int_equal(ask_line(a, "person", "Nom court", NULL, &got, &why), OK);      /* asked again after an empty line */
    assert_string_equal(buf_cstr(&got), "alice");
    if (ask_phrase(a, "alice.key.phrase", "Phrase de passe", "La même, encore", &s, &why) != OK)
        fail_msg("%s", why.text);
    assert_true(mem_equal_ct(s.data, s.len, "correct horse", 13));
    assert_int_equal(ask_yes(a, "clock", "Heure juste", &yes, &why), OK);            /* asked again after "maybe" */
    assert_true(yes);
    terminal_close(&p, thread, a);
    assert_non_null(memmem(p.seen, p.len, "[alice.key.phrase] Phrase de passe: ", 36));
    assert_non_null(memmem(p.seen, p.len, "[alice.key.phrase] La m\xc3\xaame, encore: ", 37));
    assert_non_null(memmem(p.seen, p.len, "alice\r\n", 7));                          /* ordinary answers are shown */
    assert_null(memmem(p.seen, p.len, "correct", 7));                                /* pass phrases are not */
    secret_done(&s);
    buf_free(&got);
}

static void
test_terminal_two_that_differ(void **state)
{
    static const char *const lines[] = { "correct horse\n", "correct house\n" };
    struct person p = { .lines = lines, .n = ARRAY_LEN(lines) };
    struct secret s = SECRET_INIT;
    struct why why = WHY_INIT;
    pthread_t thread;
    struct ask *a;

    (void)state;
    a = terminal_open(&p, &thread);
    assert_int_equal(ask_phrase(a, "p", "?", "again", &s, &why), ERR_INPUT);
    assert_string_equal(why.code, "ask.differ");
    terminal_close(&p, thread, a);
    secret_done(&s);
}

/* ^C ends the question and the terminal echoes again. */
static void
test_terminal_interrupted(void **state)
{
    static const char *const lines[] = { "corr\x03" };
    struct person p = { .lines = lines, .n = ARRAY_LEN(lines) };
    struct secret s = SECRET_INIT;
    struct termios after;
    struct why why = WHY_INIT;
    pthread_t thread;
    struct ask *a;

    (void)state;
    a = terminal_open(&p, &thread);
    assert_int_equal(ask_phrase(a, "p", "?", NULL, &s, &why), ERR_DENIED);
    assert_string_equal(why.code, "ask.interrupted");
    assert_int_equal(tcgetattr(p.master, &after), 0);
    assert_true((after.c_lflag & ECHO) != 0);
    terminal_close(&p, thread, a);
    assert_null(s.data);
    assert_int_equal(ask_open_terminal("/dev/null", &a, &why), ERR_UNAVAILABLE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prepared),   cmocka_unit_test(test_prepared_refusals), cmocka_unit_test(test_descriptor),
        cmocka_unit_test(test_terminal),   cmocka_unit_test(test_terminal_two_that_differ),
        cmocka_unit_test(test_terminal_interrupted),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
