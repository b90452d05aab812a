/* smtp: sending to a small real SMTP peer that says what the row tells it, and keeps what it got. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/core/clock.h"
#include "base/mail/smtp.h"

/* At which step the peer answers otherwise than well. */
enum step { STEP_NONE, STEP_GREETING, STEP_EHLO, STEP_MAIL, STEP_RCPT, STEP_DATA, STEP_END };

struct peer {
    int listener, port;
    pthread_t thread;
    bool running;
    enum step at;
    const char *reply;            /* said at that step; NULL: hang up, "": say nothing */
    char from[300], to[300];      /* the lines MAIL and RCPT */
    struct buf data;              /* between DATA and the dot, dots as on the wire */
    int conversations;
};

static bool
line_read(int fd, char *line, size_t size)
{
    size_t n = 0;

    while (n + 1 < size) {
        if (recv(fd, line + n, 1, 0) != 1)
            return false;
        n++;
        if (n >= 2 && line[n - 2] == '\r' && line[n - 1] == '\n') {
            line[n - 2] = '\0';
            return true;
        }
    }
    return false;
}

/* False: the conversation is over. */
static bool
answer(struct peer *p, int fd, enum step step, const char *good)
{
    const char *text = p->at == step ? p->reply : good;
    char wait;

    if (text == NULL)
        return false;
    if (text[0] == '\0')
        return recv(fd, &wait, 1, 0) == 1;
    return send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text);
}

static bool
data_take(struct peer *p, int fd)
{
    char line[2000];

    while (line_read(fd, line, sizeof(line))) {
        if (strcmp(line, ".") == 0)
            return answer(p, fd, STEP_END, "250 2.0.0 queued\r\n");
        buf_adds(&p->data, line);
        buf_adds(&p->data, "\r\n");
    }
    return false;
}

static void
converse(struct peer *p, int fd)
{
    char line[1000];
    bool on = answer(p, fd, STEP_GREETING, "220 peer ESMTP\r\n");

    while (on && line_read(fd, line, sizeof(line))) {
        if (strncasecmp(line, "EHLO", 4) == 0) {
            on = answer(p, fd, STEP_EHLO, "250-peer\r\n250 8BITMIME\r\n");
        } else if (strncasecmp(line, "HELO", 4) == 0) {
            on = answer(p, fd, STEP_EHLO, "250 peer\r\n");
        } else if (strncasecmp(line, "MAIL", 4) == 0) {
            (void)snprintf(p->from, sizeof(p->from), "%.299s", line);
            on = answer(p, fd, STEP_MAIL, "250 ok\r\n");
        } else if (strncasecmp(line, "RCPT", 4) == 0) {
            (void)snprintf(p->to, sizeof(p->to), "%.299s", line);
            on = answer(p, fd, STEP_RCPT, "250 ok\r\n");
        } else if (strcasecmp(line, "DATA") == 0) {
            on = answer(p, fd, STEP_DATA, "354 go on\r\n") && (p->at == STEP_DATA || data_take(p, fd));
        } else {
            on = strncasecmp(line, "QUIT", 4) != 0 && send(fd, "500 what\r\n", 10, MSG_NOSIGNAL) == 10;
        }
    }
}

static void *
peer_run(void *arg)
{
    struct peer *p = arg;
    int fd;

    while ((fd = accept(p->listener, NULL, NULL)) >= 0) {
        p->conversations++;
        converse(p, fd);
        (void)close(fd);
    }
    return NULL;
}

static int
setup(void **state)
{
    struct peer *p = mem_alloc(sizeof(*p));
    struct sockaddr_in a = { .sin_family = AF_INET };
    socklen_t n = sizeof(a);

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    p->data = (struct buf)BUF_BOUNDED(1 << 20);
    p->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(p->listener, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(p->listener, 4), 0);
    assert_int_equal(getsockname(p->listener, (struct sockaddr *)&a, &n), 0);
    p->port = ntohs(a.sin_port);
    *state = p;
    return 0;
}

static void
peer_stop(struct peer *p)
{
    if (p->running) {
        (void)shutdown(p->listener, SHUT_RDWR);
        (void)pthread_join(p->thread, NULL);
    }
    p->running = false;
}

static int
teardown(void **state)
{
    struct peer *p = *state;

    peer_stop(p);
    (void)close(p->listener);
    buf_free(&p->data);
    mem_freep(&p);
    return 0;
}

#define MESSAGE "From: a@b.fr\r\nSubject: x\r\n\r\n.\r\n..deux\r\nFin\r\n"

static enum err
send_one(struct peer *p, const char *from, const char *to, struct str message, struct why *why)
{
    char url[60];
    struct smtp_config conf = { .url = url, .timeout = 2 * USEC_PER_SEC };

    (void)snprintf(url, sizeof(url), "smtp://127.0.0.1:%d", p->port);
    if (!p->running) {
        assert_int_equal(pthread_create(&p->thread, NULL, peer_run, p), 0);
        p->running = true;
    }
    return smtp_send(&conf, from, to, message, why);
}

static void
test_sends(void **state)
{
    struct peer *p = *state;
    struct why why = WHY_INIT;

    if (send_one(p, "activation@beffroi.example", "jeanne@x.fr", STR_LIT(MESSAGE), &why) != OK)
        fail_msg("%s", why.text);
    peer_stop(p);
    assert_string_equal(p->from, "MAIL FROM:<activation@beffroi.example>");
    assert_string_equal(p->to, "RCPT TO:<jeanne@x.fr>");
    assert_string_equal(buf_cstr(&p->data), "From: a@b.fr\r\nSubject: x\r\n\r\n..\r\n...deux\r\nFin\r\n");
    assert_int_equal(p->conversations, 1);
}

static void
test_null_sender_and_line_ends(void **state)
{
    struct peer *p = *state;

    assert_int_equal(send_one(p, "", "jeanne@x.fr", STR_LIT("A: b\n\nx\r\ny\n.\nz\n"), NULL), OK);
    peer_stop(p);
    assert_string_equal(p->from, "MAIL FROM:<>");
    assert_string_equal(buf_cstr(&p->data), "A: b\r\n\r\nx\r\ny\r\n..\r\nz\r\n");
}

static void
test_refusals(void **state)
{
    static const struct { const char *label; enum step at; const char *reply; enum err e; } rows[] = {
        { "greeting 554", STEP_GREETING, "554 no service here\r\n", ERR_UNAVAILABLE },
        { "greeting 421", STEP_GREETING, "421 busy\r\n", ERR_UNAVAILABLE },
        { "greeting then gone", STEP_GREETING, NULL, ERR_UNAVAILABLE },
        { "greeting that is none", STEP_GREETING, "HTTP/1.1 400 Bad\r\n", ERR_UNAVAILABLE },
        { "EHLO 550", STEP_EHLO, "550 not you\r\n", ERR_UNAVAILABLE },
        { "MAIL 451", STEP_MAIL, "451 later\r\n", ERR_UNAVAILABLE },
        { "MAIL 553", STEP_MAIL, "553 no such sender\r\n", ERR_INPUT },
        { "RCPT 450", STEP_RCPT, "450 4.2.0 greylisted\r\n", ERR_UNAVAILABLE },
        { "RCPT 550", STEP_RCPT, "550 5.1.1 no such user\r\n", ERR_INPUT },
        { "RCPT gone", STEP_RCPT, NULL, ERR_UNAVAILABLE },
        { "DATA 451", STEP_DATA, "451 later\r\n", ERR_UNAVAILABLE },
        { "DATA 554", STEP_DATA, "554 no\r\n", ERR_INPUT },
        { "end 452", STEP_END, "452 disk full\r\n", ERR_UNAVAILABLE },
        { "end 552", STEP_END, "552 too large\r\n", ERR_INPUT },
        { "end, the answer is lost", STEP_END, NULL, ERR_UNAVAILABLE },
        { "end, silence", STEP_END, "", ERR_UNAVAILABLE },
    };
    struct peer *p = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct why why = WHY_INIT;
        enum err e;

        p->at = STEP_NONE;
        assert_int_equal(send_one(p, "a@b.fr", "jeanne@x.fr", STR_LIT(MESSAGE), NULL), OK);
        p->at = rows[i].at;
        p->reply = rows[i].reply;
        e = send_one(p, "a@b.fr", "jeanne@x.fr", STR_LIT(MESSAGE), &why);
        if (e != rows[i].e)
            fail_msg("%s: %s, %s", rows[i].label, err_name(e), why.text);
        assert_true(why.text[0] != '\0' && why.code[0] != '\0');
    }
}

static void
test_nobody_there(void **state)
{
    struct peer *p = *state;
    char url[60];
    struct smtp_config conf = { .url = url, .timeout = 2 * USEC_PER_SEC };
    utime from = clock_monotonic();

    (void)close(p->listener);
    p->listener = -1;
    (void)snprintf(url, sizeof(url), "smtp://127.0.0.1:%d", p->port);
    assert_int_equal(smtp_send(&conf, "a@b.fr", "c@d.fr", STR_LIT(MESSAGE), NULL), ERR_UNAVAILABLE);
    assert_true(clock_monotonic() - from < 2 * USEC_PER_SEC);
}

static void
test_starttls_is_required(void **state)
{
    struct peer *p = *state;
    char url[60];
    struct smtp_config conf = { .url = url, .timeout = 2 * USEC_PER_SEC, .starttls = true };

    assert_int_equal(send_one(p, "a@b.fr", "c@d.fr", STR_LIT(MESSAGE), NULL), OK);
    buf_reset(&p->data);
    p->from[0] = '\0';
    (void)snprintf(url, sizeof(url), "smtp://127.0.0.1:%d", p->port);
    assert_int_equal(smtp_send(&conf, "a@b.fr", "c@d.fr", STR_LIT(MESSAGE), NULL), ERR_UNAVAILABLE);
    peer_stop(p);
    assert_string_equal(p->from, "");      /* nothing was said in the clear */
}

static void
test_bad_arguments(void **state)
{
    static const struct { const char *from, *to; struct str message; } rows[] = {
        { "a@b.fr", "c@d.fr>\r\nRCPT TO:<e@f.fr", { MESSAGE, sizeof(MESSAGE) - 1 } },
        { "a@b.fr", "", { MESSAGE, sizeof(MESSAGE) - 1 } },
        { "a@b.fr\r\n", "c@d.fr", { MESSAGE, sizeof(MESSAGE) - 1 } },
        { "a@b.fr", "c@d.fr", { "a\rb\r\n", 5 } },
        { "a@b.fr", "c@d.fr", { "a\0b\r\n", 5 } },
        { "a@b.fr", "c@d.fr", { "a\r", 2 } },
        { "a@b.fr", "c@d.fr", { "", 0 } },
    };
    struct peer *p = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(send_one(p, rows[i].from, rows[i].to, rows[i].message, NULL), ERR_INPUT);
    peer_stop(p);
    assert_int_equal(p->conversations, 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_sends), T(test_null_sender_and_line_ends), T(test_refusals), T(test_nobody_there),
        T(test_starttls_is_required), T(test_bad_arguments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
