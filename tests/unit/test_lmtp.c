/* lmtp: the server as an MTA meets it, over real sockets; each rule of RFC 2033 and RFC 5321 that we keep is one test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/core/clock.h"
#include "base/mail/lmtp.h"

#define KEPT_MAX 600
#define ONE "MAIL FROM:<a@b.fr>\r\nRCPT TO:<code@ville.fr>\r\nDATA\r\n"
#define ONE_OK "250 2.1.0 ok\r\n250 2.1.5 ok\r\n354 end with a dot\r\n"
#define TAKEN "250 2.0.0 taken\r\n"

/* What the handler saw, and what it shall say. */
struct world {
    char dir[64];
    struct lmtp_server *server;
    int port;
    int fd;                       /* the conversation of this test */
    pthread_mutex_t mutex;
    int n;
    struct { char *return_path, *recipient, *raw; size_t len; } kept[KEPT_MAX];
    enum err say;                 /* for recipients that are not named below */
    atomic_int inside;            /* handlers running */
    atomic_bool gate;             /* handlers wait while set */
};

static enum err
handler(const struct lmtp_delivery *d, void *arg, struct why *why)
{
    struct world *w = arg;
    enum err say;

    atomic_fetch_add(&w->inside, 1);
    while (atomic_load(&w->gate))
        (void)usleep(2000);
    (void)pthread_mutex_lock(&w->mutex);
    assert_true(w->n < KEPT_MAX);
    w->kept[w->n].return_path = mem_strdup(d->return_path);
    w->kept[w->n].recipient = mem_strdup(d->recipient);
    w->kept[w->n].raw = mem_strndup(d->raw.n > 0 ? d->raw.p : "", d->raw.n);
    w->kept[w->n++].len = d->raw.n;
    say = strcmp(d->recipient, "away@ville.fr") == 0 ? ERR_UNAVAILABLE : strcmp(d->recipient, "gone@ville.fr") == 0 ? ERR_NOT_FOUND : w->say;
    (void)pthread_mutex_unlock(&w->mutex);
    atomic_fetch_sub(&w->inside, 1);
    return say == OK ? OK : why_set(why, say, "as the test said");
}

static bool
known(const char *recipient, void *arg)
{
    (void)arg;
    return strcmp(recipient, "unknown@ville.fr") != 0;
}

static void
start(struct world *w, const char *listen_at, size_t message_max, int64_t timeout)
{
    const struct lmtp_config conf = { .listen = listen_at, .message_max = message_max, .threads = 2, .handler = handler,
                                      .recipient_known = known, .arg = w, .timeout = timeout };
    struct why why = WHY_INIT;

    if (lmtp_start(&conf, &w->server, &why) != OK)
        fail_msg("%s", why.text);
    w->port = lmtp_port(w->server);
}

static int
dial(const struct world *w)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)w->port) };
    struct timeval patience = { 10, 0 };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    return fd;
}

static void
put(int fd, const char *p, size_t n)
{
    assert_int_equal(send(fd, p, n, MSG_NOSIGNAL), n);
}

static void
puts_to(int fd, const char *s)
{
    put(fd, s, strlen(s));
}

/* Reads exactly what is expected. */
static void
expect(int fd, const char *want)
{
    char got[8192];
    size_t n = strlen(want), have = 0;

    assert_true(n < sizeof(got));
    while (have < n) {
        ssize_t r = recv(fd, got + have, n - have, 0);

        if (r <= 0) {
            got[have] = '\0';
            fail_msg("expected [%s], got [%s] and then %s", want, got, r == 0 ? "the end" : strerror(errno));
        }
        have += (size_t)r;
    }
    got[have] = '\0';
    assert_string_equal(got, want);
}

static void
expect_end(int fd)
{
    char c;

    assert_int_equal(recv(fd, &c, 1, 0), 0);
}

/* Nothing comes for a moment. */
static void
expect_silence(int fd)
{
    struct pollfd p = { fd, POLLIN, 0 };

    assert_int_equal(poll(&p, 1, 60), 0);
}

static void
say(int fd, const char *line, const char *want)
{
    puts_to(fd, line);
    expect(fd, want);
}

#define HELLO "250-beffroi\r\n250-PIPELINING\r\n250-SIZE 100000\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n"

static void
greet(int fd)
{
    expect(fd, "220 beffroi LMTP ready\r\n");
    say(fd, "LHLO mta.test\r\n", HELLO);
}

static int
setup(void **state)
{
    struct world *w = mem_alloc(sizeof(*w));

    (void)snprintf(w->dir, sizeof(w->dir), "/tmp/test-lmtp-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    assert_int_equal(pthread_mutex_init(&w->mutex, NULL), 0);
    w->fd = -1;
    start(w, "127.0.0.1:0", 100000, 0);
    w->fd = dial(w);
    *state = w;
    return 0;
}

static int
teardown(void **state)
{
    struct world *w = *state;

    atomic_store(&w->gate, false);
    if (w->fd >= 0)
        (void)close(w->fd);
    lmtp_stop(w->server);
    for (int i = 0; i < w->n; i++) {
        mem_freep(&w->kept[i].return_path);
        mem_freep(&w->kept[i].recipient);
        mem_freep(&w->kept[i].raw);
    }
    (void)rmdir(w->dir);
    (void)pthread_mutex_destroy(&w->mutex);
    mem_freep(&w);
    return 0;
}

/* Another server in place of the one of setup. */
static void
restart(struct world *w, const char *listen_at, size_t message_max, int64_t timeout)
{
    (void)close(w->fd);
    w->fd = -1;
    lmtp_stop(w->server);
    w->server = NULL;
    start(w, listen_at, message_max, timeout);
}

/* --- the good conversation --------------------------------------------------------------------------- */

static void
test_delivers(void **state)
{
    struct world *w = *state;

    greet(w->fd);
    say(w->fd, "MAIL FROM:<jeanne@x.fr> SIZE=20 BODY=8BITMIME\r\n", "250 2.1.0 ok\r\n");
    say(w->fd, "RCPT TO:<code@ville.fr>\r\n", "250 2.1.5 ok\r\n");
    say(w->fd, "DATA\r\n", "354 end with a dot\r\n");
    say(w->fd, "Subject: x\r\n\r\n\xc3\xa9\r\n.\r\n", TAKEN);
    assert_int_equal(w->n, 1);
    assert_string_equal(w->kept[0].return_path, "jeanne@x.fr");
    assert_string_equal(w->kept[0].recipient, "code@ville.fr");
    assert_string_equal(w->kept[0].raw, "Subject: x\r\n\r\n\xc3\xa9\r\n");
    say(w->fd, ONE "y\r\n.\r\n", ONE_OK TAKEN);
    assert_string_equal(w->kept[1].raw, "y\r\n");
    say(w->fd, "QUIT\r\n", "221 2.0.0 bye\r\n");
    expect_end(w->fd);
}

static void
test_null_return_path(void **state)
{
    struct world *w = *state;

    greet(w->fd);
    say(w->fd, "MAIL FROM:<>\r\nRCPT TO:<code@ville.fr>\r\nDATA\r\nx\r\n.\r\n", ONE_OK TAKEN);
    assert_string_equal(w->kept[0].return_path, "");
}

/* RFC 2033 §4.2: one reply for each recipient that was accepted, in their order. */
static void
test_reply_per_recipient(void **state)
{
    struct world *w = *state;

    greet(w->fd);
    say(w->fd,
        "MAIL FROM:<a@b.fr>\r\nRCPT TO:<away@ville.fr>\r\nRCPT TO:<unknown@ville.fr>\r\nRCPT TO:<code@ville.fr>\r\n"
        "RCPT TO:<gone@ville.fr>\r\nDATA\r\n",
        "250 2.1.0 ok\r\n250 2.1.5 ok\r\n550 5.1.1 no such recipient\r\n250 2.1.5 ok\r\n250 2.1.5 ok\r\n354 end with a dot\r\n");
    say(w->fd, "x\r\n.\r\n", "451 4.3.0 not now, try again\r\n" TAKEN "550 5.1.1 no such recipient\r\n");
    assert_int_equal(w->n, 3);
}

static void
test_results_as_replies(void **state)
{
    static const struct { enum err e; const char *reply; } rows[] = {
        { OK, TAKEN }, { ERR_INPUT, TAKEN }, { ERR_DENIED, TAKEN }, { ERR_CONFLICT, TAKEN },
        { ERR_NOT_FOUND, "550 5.1.1 no such recipient\r\n" },
        { ERR_UNAVAILABLE, "451 4.3.0 not now, try again\r\n" },
        { ERR_INTERNAL, "451 4.3.0 not now, try again\r\n" },
    };
    struct world *w = *state;

    greet(w->fd);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        w->say = rows[i].e;
        say(w->fd, ONE, ONE_OK);
        say(w->fd, "x\r\n.\r\n", rows[i].reply);
    }
}

/* RFC 2920: everything at once, two messages and a QUIT behind the first. */
static void
test_pipelining(void **state)
{
    struct world *w = *state;

    greet(w->fd);
    say(w->fd, ONE "1\r\n.\r\n" ONE "2\r\n.\r\nNOOP\r\nQUIT\r\n",
        ONE_OK TAKEN ONE_OK TAKEN "250 2.0.0 ok\r\n221 2.0.0 bye\r\n");
    expect_end(w->fd);
    assert_int_equal(w->n, 2);
    assert_string_equal(w->kept[0].raw, "1\r\n");
    assert_string_equal(w->kept[1].raw, "2\r\n");
}

/* A peer that sends and sends before it reads: replies wait in bounded memory, none is lost. */
static void
test_pipelining_without_reading(void **state)
{
    struct world *w = *state;

    greet(w->fd);
    for (int i = 0; i < 10000; i++)
        puts_to(w->fd, "NOOP\r\n");
    puts_to(w->fd, ONE "x\r\n.\r\n");
    for (int i = 0; i < 10000; i++)
        expect(w->fd, "250 2.0.0 ok\r\n");
    expect(w->fd, ONE_OK TAKEN);
    assert_int_equal(w->n, 1);
}

static void
test_byte_by_byte(void **state)
{
    static const char all[] = ONE "..a\r\n.\r\n";
    struct world *w = *state;

    greet(w->fd);
    for (size_t i = 0; i < sizeof(all) - 1; i++)
        put(w->fd, all + i, 1);
    expect(w->fd, ONE_OK TAKEN);
    assert_string_equal(w->kept[0].raw, ".a\r\n");
}

/* --- the message and its end ------------------------------------------------------------------------- */

/* RFC 5321 §4.5.2 */
static void
test_dots(void **state)
{
    struct world *w = *state;

    greet(w->fd);
    say(w->fd, ONE, ONE_OK);
    say(w->fd, "..\r\n...a\r\n.b\r\nc.\r\n..\r\n.\r\n", TAKEN);
    assert_string_equal(w->kept[0].raw, ".\r\n..a\r\nb\r\nc.\r\n.\r\n");
    say(w->fd, ONE ".\r\n", ONE_OK TAKEN);             /* the empty message */
    assert_int_equal(w->kept[1].len, 0);
}

/* Message smuggling: none of these ends the message, what follows is text and no command. */
static void
test_only_crlf_dot_crlf_ends(void **state)
{
    static const char *const ends[] = { "a\n.\n", "a\n.\r\n", "a\r\n.\n", "a\r.\r\n", "a\r\n.\r", "a\r.\r", "a\r\n\n.\r\n", "a\r\n.\r\r\n",
                                        "a\r\n. \r\n" };
    struct world *w = *state;

    greet(w->fd);
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        say(w->fd, ONE, ONE_OK);
        put(w->fd, ends[i], strlen(ends[i]));
        puts_to(w->fd, "MAIL FROM:<evil@x.fr>\r\nRCPT TO:<code@ville.fr>\r\n");
        expect_silence(w->fd);
        say(w->fd, "\r\n.\r\n", TAKEN);
        assert_int_equal(w->n, (int)i + 1);
        assert_non_null(strstr(w->kept[i].raw, "MAIL FROM:<evil@x.fr>"));
        assert_string_equal(w->kept[i].return_path, "a@b.fr");
    }
}

static void
test_nul_in_message_is_a_byte(void **state)
{
    struct world *w = *state;

    greet(w->fd);
    say(w->fd, ONE, ONE_OK);
    put(w->fd, "a\0b\r\n.\r\n", 8);
    expect(w->fd, TAKEN);
    assert_int_equal(w->kept[0].len, 5);
}

/* --- limits ------------------------------------------------------------------------------------------ */

static void
test_size_announced(void **state)
{
    struct world *w = *state;

    greet(w->fd);
    say(w->fd, "MAIL FROM:<a@b.fr> SIZE=100001\r\n", "552 5.3.4 message too large\r\n");
    say(w->fd, "MAIL FROM:<a@b.fr> SIZE=99999999999999999999\r\n", "501 5.5.4 SIZE is a number\r\n");
    say(w->fd, "MAIL FROM:<a@b.fr> SIZE=100000\r\n", "250 2.1.0 ok\r\n");
}

static void
big_send(int fd, size_t n)
{
    char line[100];

    memset(line, 'x', sizeof(line));
    line[98] = '\r';
    line[99] = '\n';
    for (; n >= sizeof(line); n -= sizeof(line))
        put(fd, line, sizeof(line));
    assert_int_equal(n, 0);
}

static void
test_size_met(void **state)
{
    struct world *w = *state;

    greet(w->fd);
    say(w->fd, ONE, ONE_OK);
    big_send(w->fd, 100000);
    say(w->fd, ".\r\n", TAKEN);
    assert_int_equal(w->kept[0].len, 100000);
    say(w->fd, "MAIL FROM:<a@b.fr>\r\nRCPT TO:<code@ville.fr>\r\nRCPT TO:<code@ville.fr>\r\nDATA\r\n",
        "250 2.1.0 ok\r\n250 2.1.5 ok\r\n250 2.1.5 ok\r\n354 end with a dot\r\n");
    big_send(w->fd, 100100);
    say(w->fd, ".\r\n", "552 5.3.4 message too large\r\n552 5.3.4 message too large\r\n");
    assert_int_equal(w->n, 1);
    say(w->fd, ONE "y\r\n.\r\n", ONE_OK TAKEN);        /* the connection is still good */
}

static void
test_long_line(void **state)
{
    struct world *w = *state;
    char line[LMTP_LINE_MAX + 2];

    greet(w->fd);
    memset(line, ' ', sizeof(line));
    memcpy(line, "NOOP", 4);
    memcpy(line + LMTP_LINE_MAX - 2, "\r\n", 2);
    put(w->fd, line, LMTP_LINE_MAX);
    expect(w->fd, "250 2.0.0 ok\r\n");
    memcpy(line + LMTP_LINE_MAX - 2, "    ", 4);
    memcpy(line + LMTP_LINE_MAX - 1, "\r\n", 2);
    put(w->fd, line, LMTP_LINE_MAX + 1);
    expect(w->fd, "500 5.5.6 line too long\r\n");
    for (int i = 0; i < 100; i++) {
        memset(line, 'a', sizeof(line));
        put(w->fd, line, sizeof(line));
    }
    say(w->fd, "\r\nNOOP\r\n", "500 5.5.6 line too long\r\n250 2.0.0 ok\r\n");
}

static void
test_many_recipients(void **state)
{
    struct world *w = *state;

    greet(w->fd);
    say(w->fd, "MAIL FROM:<a@b.fr>\r\n", "250 2.1.0 ok\r\n");
    for (int i = 0; i < LMTP_RECIPIENTS_MAX; i++)
        say(w->fd, "RCPT TO:<code@ville.fr>\r\n", "250 2.1.5 ok\r\n");
    say(w->fd, "RCPT TO:<code@ville.fr>\r\n", "452 4.5.3 too many recipients\r\n");
    say(w->fd, "DATA\r\n", "354 end with a dot\r\n");
    puts_to(w->fd, "x\r\n.\r\n");
    for (int i = 0; i < LMTP_RECIPIENTS_MAX; i++)
        expect(w->fd, TAKEN);
    expect_silence(w->fd);
    assert_int_equal(w->n, LMTP_RECIPIENTS_MAX);
}

static void
test_too_many_bad_commands(void **state)
{
    struct world *w = *state;

    greet(w->fd);
    for (int i = 0; i < LMTP_BAD_MAX; i++)
        say(w->fd, "WIZ\r\n", "500 5.5.1 unknown command\r\n");
    say(w->fd, "WIZ\r\n", "421 4.7.0 too many refused commands\r\n");
    expect_end(w->fd);
}

static void
test_too_many_connections(void **state)
{
    struct world *w = *state;
    int fds[LMTP_CONNECTIONS_MAX];

    greet(w->fd);
    for (int i = 0; i < LMTP_CONNECTIONS_MAX - 1; i++) {
        fds[i] = dial(w);
        greet(fds[i]);
    }
    fds[LMTP_CONNECTIONS_MAX - 1] = dial(w);
    expect(fds[LMTP_CONNECTIONS_MAX - 1], "421 4.3.2 too many connections\r\n");
    expect_end(fds[LMTP_CONNECTIONS_MAX - 1]);
    for (int i = 0; i < LMTP_CONNECTIONS_MAX - 1; i++)     /* all of them still work, on two workers */
        say(fds[i], ONE "x\r\n.\r\n", ONE_OK TAKEN);
    for (int i = 0; i < LMTP_CONNECTIONS_MAX; i++)
        (void)close(fds[i]);
    say(w->fd, ONE "x\r\n.\r\n", ONE_OK TAKEN);
    assert_int_equal(w->n, LMTP_CONNECTIONS_MAX);
}

static void
test_too_many_messages_in_memory(void **state)
{
    struct world *w = *state;
    int fds[LMTP_HELD_MAX];

    greet(w->fd);
    for (int i = 0; i < LMTP_HELD_MAX; i++) {
        fds[i] = dial(w);
        greet(fds[i]);
        say(fds[i], ONE, ONE_OK);
    }
    say(w->fd, ONE, "250 2.1.0 ok\r\n250 2.1.5 ok\r\n452 4.3.1 busy, try again\r\n");
    say(fds[0], "x\r\n.\r\n", TAKEN);                  /* one ends, one dies: two places */
    (void)close(fds[1]);
    say(w->fd, "DATA\r\n", "354 end with a dot\r\n");
    say(w->fd, "y\r\n.\r\n", TAKEN);
    for (int i = 0; i < LMTP_HELD_MAX; i++)
        if (i != 1)
            (void)close(fds[i]);
}

/* --- order and grammar ------------------------------------------------------------------------------- */

static void
test_refusals(void **state)
{
    /* before: what leads there, good; bad: what is refused, with what. */
    static const struct { const char *before, *before_reply, *bad, *reply; } rows[] = {
        { "", "", "MAIL FROM:<a@b.fr>\r\n", "503 5.5.1 LHLO first\r\n" },
        { "", "", "HELO x\r\n", "500 5.5.1 unknown command\r\n" },         /* RFC 2033 §4.1 */
        { "", "", "EHLO x\r\n", "500 5.5.1 unknown command\r\n" },
        { "", "", "LHLO\r\n", "501 5.5.4 LHLO needs a name\r\n" },
        { "LHLO x\r\n", HELLO, "RCPT TO:<code@ville.fr>\r\n", "503 5.5.1 MAIL first\r\n" },
        { "LHLO x\r\n", HELLO, "DATA\r\n", "503 5.5.1 no valid recipient\r\n" },
        { "LHLO x\r\n", HELLO, "MAIL\r\n", "501 5.1.7 MAIL FROM:<address>\r\n" },
        { "LHLO x\r\n", HELLO, "MAIL FROM:a@b.fr\r\n", "501 5.1.7 MAIL FROM:<address>\r\n" },
        { "LHLO x\r\n", HELLO, "MAIL FROM:<a@b.fr\r\n", "501 5.1.7 MAIL FROM:<address>\r\n" },
        { "LHLO x\r\n", HELLO, "MAIL FROM:<a@b.fr>x\r\n", "501 5.1.7 MAIL FROM:<address>\r\n" },
        { "LHLO x\r\n", HELLO, "MAIL FROM:<a b@c.fr>\r\n", "501 5.1.7 MAIL FROM:<address>\r\n" },
        { "LHLO x\r\n", HELLO, "MAIL FROM:<a@b.fr> AUTH=<>\r\n", "555 5.5.4 unknown parameter\r\n" },
        { "LHLO x\r\n", HELLO, "MAIL FROM:<a@b.fr> BODY=BINARYMIME\r\n", "555 5.5.4 unknown parameter\r\n" },
        { "LHLO x\r\nMAIL FROM:<a@b.fr>\r\n", HELLO "250 2.1.0 ok\r\n", "MAIL FROM:<a@b.fr>\r\n", "503 5.5.1 MAIL was given already\r\n" },
        { "LHLO x\r\nMAIL FROM:<a@b.fr>\r\n", HELLO "250 2.1.0 ok\r\n", "RCPT TO:<>\r\n", "501 5.1.3 RCPT TO:<address>\r\n" },
        { "LHLO x\r\nMAIL FROM:<a@b.fr>\r\n", HELLO "250 2.1.0 ok\r\n", "RCPT TO:<code@ville.fr> NOTIFY=NEVER\r\n", "555 5.5.4 unknown parameter\r\n" },
        { "LHLO x\r\nMAIL FROM:<a@b.fr>\r\n", HELLO "250 2.1.0 ok\r\n", "DATA\r\n", "503 5.5.1 no valid recipient\r\n" },
        { "LHLO x\r\nMAIL FROM:<a@b.fr>\r\nRCPT TO:<unknown@ville.fr>\r\n", HELLO "250 2.1.0 ok\r\n550 5.1.1 no such recipient\r\n", "DATA\r\n", "503 5.5.1 no valid recipient\r\n" },
        { "LHLO x\r\nMAIL FROM:<a@b.fr>\r\nRCPT TO:<code@ville.fr>\r\nRSET\r\n", HELLO "250 2.1.0 ok\r\n250 2.1.5 ok\r\n250 2.0.0 ok\r\n", "DATA\r\n", "503 5.5.1 no valid recipient\r\n" },
        { "LHLO x\r\n", HELLO, "VRFY code\r\n", "252 2.5.1 cannot tell, send and see\r\n" },
        { "LHLO x\r\n", HELLO, "\r\n", "500 5.5.1 unknown command\r\n" },
        { "LHLO x\r\n", HELLO, "DATAX\r\n", "500 5.5.1 unknown command\r\n" },
    };
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int fd = dial(w);

        expect(fd, "220 beffroi LMTP ready\r\n");
        say(fd, rows[i].before, rows[i].before_reply);
        say(fd, rows[i].bad, rows[i].reply);
        say(fd, "RSET\r\nLHLO x\r\n" ONE "x\r\n.\r\n", "250 2.0.0 ok\r\n" HELLO ONE_OK TAKEN);  /* and all is well again */
        (void)close(fd);
    }
    assert_int_equal(w->n, (int)ARRAY_LEN(rows));
}

static void
test_paths(void **state)
{
    static const struct { const char *command, *path; } rows[] = {
        { "mail from: <A@b.fr>\r\n", "A@b.fr" },
        { "MAIL FROM:<\"a b\"@c.fr>\r\n", "\"a b\"@c.fr" },
        { "MAIL FROM:<\"a>b\\\"\"@c.fr>\r\n", "\"a>b\\\"\"@c.fr" },
        { "MAIL FROM:<@x.fr,@y.fr:a@b.fr>  \r\n", "a@b.fr" },
    };
    struct world *w = *state;

    greet(w->fd);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        say(w->fd, rows[i].command, "250 2.1.0 ok\r\n");
        say(w->fd, "RCPT TO:<code@ville.fr>\r\nDATA\r\nx\r\n.\r\n", "250 2.1.5 ok\r\n354 end with a dot\r\n" TAKEN);
        assert_string_equal(w->kept[i].return_path, rows[i].path);
    }
}

static void
test_bare_line_ends_in_commands(void **state)
{
    static const struct { const char *bytes; size_t n; const char *reply; } rows[] = {
        { "NOOP\n", 5, "421 5.5.2 bare LF in a command\r\n" },
        { "NOOP\rNOOP\r\n", 11, "421 5.5.2 bare CR or NUL in a command\r\n" },
        { "NO\0P\r\n", 6, "421 5.5.2 bare CR or NUL in a command\r\n" },
        { "NOOP\nMAIL FROM:<a@b.fr>\r\n", 25, "421 5.5.2 bare LF in a command\r\n" },
    };
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int fd = dial(w);

        greet(fd);
        say(fd, "NOOP\r\n", "250 2.0.0 ok\r\n");
        put(fd, rows[i].bytes, rows[i].n);
        expect(fd, rows[i].reply);
        expect_end(fd);
        (void)close(fd);
    }
}

/* --- silence, death, stop ---------------------------------------------------------------------------- */

static void
test_timeouts(void **state)
{
    struct world *w = *state;
    utime from;

    restart(w, "127.0.0.1:0", 100000, 200000);
    from = clock_monotonic();
    w->fd = dial(w);
    greet(w->fd);
    say(w->fd, ONE, ONE_OK);
    puts_to(w->fd, "half a li");
    expect(w->fd, "421 4.4.2 silence for too long\r\n");
    expect_end(w->fd);
    assert_in_range(clock_monotonic() - from, 200000, 5 * USEC_PER_SEC);
    assert_int_equal(w->n, 0);
}

/* A peer that goes in the middle leaves nothing behind and hurts nobody. */
static void
test_peer_dies(void **state)
{
    static const char *const until[] = { "", "LHLO x\r\nMA", "LHLO x\r\n" ONE, "LHLO x\r\n" ONE "x\r\n.", "LHLO x\r\n" ONE "x\r\n.\r" };
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_LEN(until); i++) {
        int fd = dial(w);

        put(fd, until[i], strlen(until[i]));
        (void)close(fd);
    }
    greet(w->fd);
    say(w->fd, ONE "y\r\n.\r\n", ONE_OK TAKEN);
    assert_int_equal(w->n, 1);
}

/* A peer that sends everything, shuts its half and then reads gets all its replies. */
static void
test_half_close(void **state)
{
    struct world *w = *state;

    put(w->fd, "LHLO x\r\n" ONE "x\r\n.\r\n", strlen("LHLO x\r\n" ONE "x\r\n.\r\n"));
    assert_int_equal(shutdown(w->fd, SHUT_WR), 0);
    expect(w->fd, "220 beffroi LMTP ready\r\n" HELLO ONE_OK TAKEN);
    expect_end(w->fd);
}

static void *
stop_thread(void *arg)
{
    lmtp_stop(arg);
    return NULL;
}

static void
wait_inside(struct world *w, int n)
{
    for (int i = 0; i < 2000 && atomic_load(&w->inside) != n; i++)
        (void)usleep(2000);
    assert_int_equal(atomic_load(&w->inside), n);
}

/* A handler that runs is waited for and answered; what has not begun is put off; idle peers are told. */
static void
test_stop(void **state)
{
    struct world *w = *state;
    pthread_t stopper;
    int idle = dial(w), data = dial(w), third = dial(w), second = dial(w);

    greet(w->fd);
    greet(idle);
    greet(data);
    greet(second);
    greet(third);
    atomic_store(&w->gate, true);
    say(data, ONE, ONE_OK);
    say(w->fd, ONE, ONE_OK);
    puts_to(w->fd, "1\r\n.\r\n");
    say(second, ONE, ONE_OK);
    puts_to(second, "2\r\n.\r\n");
    wait_inside(w, 2);                     /* both workers are busy */
    say(third, ONE, ONE_OK);
    puts_to(third, "3\r\n.\r\n");
    (void)usleep(50000);
    assert_int_equal(pthread_create(&stopper, NULL, stop_thread, w->server), 0);
    expect(idle, "421 4.3.2 closing, try again\r\n");
    expect(data, "421 4.3.2 closing, try again\r\n");
    expect_end(idle);
    expect_end(data);
    atomic_store(&w->gate, false);
    expect(w->fd, TAKEN "421 4.3.2 closing, try again\r\n");
    expect(second, TAKEN "421 4.3.2 closing, try again\r\n");
    expect(third, "451 4.3.0 not now, try again\r\n421 4.3.2 closing, try again\r\n");
    assert_int_equal(pthread_join(stopper, NULL), 0);
    w->server = NULL;
    assert_int_equal(w->n, 2);
    (void)close(idle);
    (void)close(data);
    (void)close(second);
    (void)close(third);
}

/* --- where it listens -------------------------------------------------------------------------------- */

static int
unix_dial(const char *path)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    (void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
    if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

static void
test_unix_socket(void **state)
{
    struct world *w = *state;
    struct lmtp_config conf = { .message_max = 1000, .threads = 1, .handler = handler, .arg = w };
    struct lmtp_server *other = NULL;
    struct why why = WHY_INIT;
    char at[100], path[90];
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    struct stat st;
    int stale = socket(AF_UNIX, SOCK_STREAM, 0);

    (void)snprintf(path, sizeof(path), "%s/lmtp", w->dir);
    (void)snprintf(at, sizeof(at), "unix:%s", path);
    (void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
    assert_int_equal(bind(stale, (struct sockaddr *)&a, sizeof(a)), 0);    /* left by a dead server */
    (void)close(stale);
    restart(w, at, 100000, 0);
    assert_int_equal(w->port, 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0660);
    w->fd = unix_dial(path);
    assert_true(w->fd >= 0);
    greet(w->fd);
    say(w->fd, ONE "x\r\n.\r\n", ONE_OK TAKEN);
    conf.listen = at;
    assert_int_equal(lmtp_start(&conf, &other, &why), ERR_CONFLICT);       /* somebody serves there */
    say(w->fd, "NOOP\r\n", "250 2.0.0 ok\r\n");
    (void)close(w->fd);
    w->fd = -1;
    lmtp_stop(w->server);
    w->server = NULL;
    assert_int_equal(lstat(path, &st), -1);
}

static void
test_listen_refused(void **state)
{
    static const char *const bad[] = { "0.0.0.0:0", "192.0.2.1:2424", "[::]:0", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:65536", "localhost:0", ":24",
                                       "unix:relative", "unix:", "",
                                       "unix:/0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890" };
    struct world *w = *state;
    struct lmtp_config conf = { .message_max = 1000, .threads = 1, .handler = handler, .arg = w };
    struct lmtp_server *s = NULL;
    char taken[40];

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        conf.listen = bad[i];
        if (lmtp_start(&conf, &s, NULL) != ERR_INPUT)
            fail_msg("%s was not refused", bad[i]);
        assert_null(s);
    }
    (void)snprintf(taken, sizeof(taken), "127.0.0.1:%d", w->port);
    conf.listen = taken;
    assert_int_equal(lmtp_start(&conf, &s, NULL), ERR_CONFLICT);
    assert_null(s);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_delivers), T(test_null_return_path), T(test_reply_per_recipient), T(test_results_as_replies),
        T(test_pipelining), T(test_pipelining_without_reading), T(test_byte_by_byte), T(test_dots), T(test_only_crlf_dot_crlf_ends),
        T(test_nul_in_message_is_a_byte), T(test_size_announced), T(test_size_met), T(test_long_line),
        T(test_many_recipients), T(test_too_many_bad_commands), T(test_too_many_connections),
        T(test_too_many_messages_in_memory), T(test_refusals), T(test_paths), T(test_bare_line_ends_in_commands),
        T(test_timeouts), T(test_peer_dies), T(test_half_close), T(test_stop), T(test_unix_socket),
        T(test_listen_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
