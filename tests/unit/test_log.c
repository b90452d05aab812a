/* log: one line of JSON per event, whatever is in the text. */
#include "tests/unit/support.h"

#include <errno.h>
#include <stdlib.h>

#include "base/core/log.h"
#include "base/core/clock.h"

static int ends[2];

static int
setup(void **state)
{
    (void)state;
    if (pipe(ends) != 0)
        return -1;
    clock_set_test(INT64_C(1795298645) * USEC_PER_SEC + 7999);
    log_start("test", LOG_LEVEL_INFO);
    log_to(ends[1]);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    log_to(2);
    log_request(NULL);
    clock_set_test(0);
    close(ends[0]);
    close(ends[1]);
    return 0;
}

/* What was logged since the last call; the pid is replaced. */
static const char *
logged(void)
{
    static char line[65536];
    char pid[32], *at;
    ssize_t n;

    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    n = read(ends[0], line, sizeof(line) - 1);
    line[n < 0 ? 0 : n] = '\0';
    snprintf(pid, sizeof(pid), "\"pid\":%ld", (long)getpid());
    if ((at = strstr(line, pid)) != NULL) {
        memmove(at + 7, at + strlen(pid), strlen(at + strlen(pid)) + 1);
        at[6] = '1';
    }
    return line;
}

#define HEAD(level, event)                                                                                   \
    "{\"ts\":\"2026-11-21T22:04:05.007Z\",\"level\":\"" level "\",\"program\":\"test\",\"pid\":1,\"event\":\"" event \
    "\""

static void
test_line(void **state)
{
    struct why why = { "a.b", "no \"way\"" };

    (void)state;
    LOG_INFO_EV("mail.answered", LF_STR("to", "x"), LF_INT("tries", -2), LF_BOOL("late", 1), LF_STR("none", NULL));
    assert_string_equal(logged(), HEAD("info", "mail.answered")
                        ",\"to\":\"x\",\"tries\":-2,\"late\":true,\"none\":null}\n");
    log_request("r-1");
    LOG_ERROR_EV("e", LF_WHY(&why), LF_ERR(ERR_DENIED));
    assert_string_equal(logged(), HEAD("error", "e")
                        ",\"request\":\"r-1\",\"why\":\"no \\\"way\\\"\",\"code\":\"a.b\",\"err\":\"denied\"}\n");
    log_request(NULL);
    LOG_DEBUG_EV("quiet", LF_INT("n", 1));
    assert_string_equal(logged(), "");
    log_start("test", LOG_LEVEL_DEBUG);
    LOG_DEBUG_EV("loud", LF_INT("n", 1));
    assert_string_equal(logged(), HEAD("debug", "loud") ",\"n\":1}\n");
    log_fields(LOG_LEVEL_WARNING, "bare", NULL, 0);
    assert_string_equal(logged(), HEAD("warning", "bare") "}\n");
}

static void
test_hostile_text(void **state)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        { "a\nb", "a\\\\x0ab" },
        { "\",\"level\":\"info", "\\\",\\\"level\\\":\\\"info" },
        { "back\\slash", "back\\\\x5cslash" },
        { "\x1b[2J", "\\\\x1b[2J" },
        { "\xff\xfe", "\\\\xff\\\\xfe" },
        { "caf\xc3\xa9", "caf\xc3\xa9" },
        { "\xe2\x80\xae", "\\\\xe2\\\\x80\\\\xae" },      /* right-to-left override */
        { "\xc2\x9b", "\\\\xc2\\\\x9b" },                  /* C1 control sequence introducer */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char want[1024];

        LOG_INFO_EV("e", LF_STR("t", rows[i].text));
        snprintf(want, sizeof(want), "%s,\"t\":\"%s\"}\n", HEAD("info", "e"), rows[i].want);
        assert_row_string(rows[i].want, logged(), want);
    }
}

static void
test_long_text_is_cut_and_line_stays_whole(void **state)
{
    char *big = malloc(100001);
    const char *line;

    (void)state;
    memset(big, 'x', 100000);
    big[100000] = '\0';
    LOG_INFO_EV("e", LF_STR("t", big), LF_INT("after", 5));
    line = logged();
    assert_true(strlen(line) < 1000);
    assert_non_null(strstr(line, "xxx...\",\"after\":5}\n"));
    memset(big, '\n', 100000);
    LOG_INFO_EV("e", LF_STR("a", big), LF_STR("b", big), LF_STR("c", big), LF_STR("d", big), LF_STR("e", big),
                LF_STR("f", big), LF_STR("g", big), LF_STR("h", big), LF_STR("i", big), LF_STR("j", big),
                LF_STR("k", big), LF_STR("l", big), LF_STR("m", big), LF_STR("n", big));
    line = logged();
    assert_true(strlen(line) <= 8192);
    assert_non_null(strstr(line, ",\"dropped\":"));
    assert_string_equal(line + strlen(line) - 2, "}\n");
    free(big);
}

static void
test_errno_survives(void **state)
{
    (void)state;
    log_to(-1);
    errno = ENOENT;
    LOG_INFO_EV("e", LF_INT("n", 1));
    assert_int_equal(errno, ENOENT);
    log_to(ends[1]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_line, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hostile_text, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_text_is_cut_and_line_stays_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(test_errno_survives, setup, teardown),
    };

    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
