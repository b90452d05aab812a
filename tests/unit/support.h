/*
 * support: what the unit tests share. cmocka wants these four headers in this order.
 * assert_row names the row of the table that failed; assert_aborts runs a piece of
 * code in a child and wants it to end by abort().
 */
#ifndef TESTS_UNIT_SUPPORT_H
#define TESTS_UNIT_SUPPORT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define assert_row(label, cond)                                                                     \
    do {                                                                                            \
        if (!(cond))                                                                                \
            fail_msg("row \"%s\": %s", (label), #cond);                                             \
    } while (0)

#define assert_row_string(label, got, want)                                                         \
    do {                                                                                            \
        const char *got_ = (got), *want_ = (want);                                                  \
        if (strcmp(got_, want_) != 0)                                                               \
            fail_msg("row \"%s\": got \"%s\", want \"%s\"", (label), got_, want_);                  \
    } while (0)

static inline int
ends_by_abort(void (*code)(void *), void *arg)
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        struct rlimit none = { 0, 0 };
        int quiet = open("/dev/null", O_WRONLY);

        setrlimit(RLIMIT_CORE, &none);
        signal(SIGABRT, SIG_DFL);
        dup2(quiet, 2);
        code(arg);
        _exit(0);
    }
    while (waitpid(child, &status, 0) < 0)
        ;
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}
#define assert_aborts(code, arg) assert_true(ends_by_abort((code), (arg)))

/* Says what went wrong when a step that must succeed does not. */
#define assert_ok(expr, why)                                                                        \
    do {                                                                                            \
        enum err ok_e_ = (expr);                                                                    \
        if (ok_e_ != OK)                                                                            \
            fail_msg("%s: %s: %s [%s]", #expr, err_name(ok_e_), (why)->text, (why)->code);          \
    } while (0)
#define assert_err(expr, want, why)                                                                 \
    do {                                                                                            \
        enum err got_e_ = (expr), want_e_ = (want);                                                 \
        if (got_e_ != want_e_)                                                                      \
            fail_msg("%s: %s instead of %s: %s [%s]", #expr, err_name(got_e_), err_name(want_e_),   \
                     (why)->text, (why)->code);                                                     \
    } while (0)

#endif
