/*
 * lmtp: sockets and threads around lmtp_session.
 *
 * One loop thread owns all connections and never blocks. When a message is whole the connection is lent to a worker,
 * which runs the handler for each recipient and hands it back; meanwhile the loop neither reads nor writes it. So an
 * MTA may keep many idle connections open (they cost a few kilobytes), and slow handlers delay nobody but themselves.
 *
 * How it stops: workers finish the handler they are in, deliveries not yet begun get 451, everybody else 421; the MTA
 * tries again later. How it fails: a peer that breaks a rule of the line protocol loses its connection, never the
 * server.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/core/clock.h"
#include "base/core/log.h"

#include "base/mail/lmtp-internal.h"
#include "base/mail/lmtp-listen.h"

#define READ_MAX        ((size_t)64 << 10)
#define THREADS_MAX     64
#define TIMEOUT_DEFAULT (5 * USEC_PER_MIN)
#define ACCEPT_PAUSE_MS 100
#define STOP_PATIENCE   (2 * USEC_PER_SEC)     /* for peers to take their 421 */

struct conn {
    int fd;
    struct lmtp_session session;
    struct buf in;                /* read, not yet eaten */
    size_t sent;                  /* bytes of session.out that are on the wire */
    bool eof;                     /* the peer will send no more */
    bool holds;                   /* counted in server->held */
    utime last;                   /* monotonic time of the last byte either way */
    enum err results[LMTP_RECIPIENTS_MAX];
    struct conn *next;            /* in the queue or the done list */
    struct lmtp_server *server;
};

enum conn_owner { OWNER_LOOP, OWNER_WORKER };

struct lmtp_server {
    struct lmtp_config conf;      /* strings it names are the caller's, used before lmtp_start returns only */
    struct lmtp_listener listener;
    int wake[2];                  /* workers and lmtp_stop write, the loop reads */
    pthread_t loop;
    pthread_t workers[THREADS_MAX];
    int worker_n;

    /* Owned by the loop. */
    struct conn *conns[LMTP_CONNECTIONS_MAX];
    enum conn_owner owner[LMTP_CONNECTIONS_MAX];
    size_t conn_n;
    int held;                     /* messages in memory */

    pthread_mutex_t mutex;        /* over what follows */
    pthread_cond_t queued;
    struct conn *queue, **queue_end;
    struct conn *done;
    bool stopping;                /* no new handler is begun */
    bool finished;                /* the loop has ended: workers go home */
};

static void
wake_loop(struct lmtp_server *s)
{
    ssize_t n;

    do
        n = write(s->wake[1], "", 1);
    while (n < 0 && errno == EINTR);       /* EAGAIN: the pipe is full, so the loop will wake anyway */
}

/* --- workers ----------------------------------------------------------------------------------------- */

static bool
stopping(struct lmtp_server *s)
{
    bool yes;

    CHECK(pthread_mutex_lock(&s->mutex) == 0);
    yes = s->stopping;
    CHECK(pthread_mutex_unlock(&s->mutex) == 0);
    return yes;
}

/* What anybody can cause by sending a mail is nobody's task. */
static enum log_level
level_of(enum err e)
{
    switch (e) {
    case OK:
    case ERR_INPUT:
    case ERR_DENIED:
    case ERR_NOT_FOUND:
    case ERR_CONFLICT:
        return LOG_LEVEL_INFO;
    case ERR_UNAVAILABLE:
        return LOG_LEVEL_WARNING;
    case ERR_INTERNAL:
        return LOG_LEVEL_ERROR;
    }
    panic("lmtp: unknown result %d", (int)e);
}

static void
deliver(struct conn *c)
{
    struct lmtp_server *s = c->server;

    for (size_t i = 0; i < c->session.recipient_n; i++) {
        const struct lmtp_delivery d = { c->session.return_path, c->session.recipients[i],
                                         buf_view(&c->session.data) };
        struct why why = WHY_INIT;

        c->results[i] = stopping(s) ? ERR_UNAVAILABLE : s->conf.handler(&d, s->conf.arg, &why);
        if (c->results[i] != OK)
            LOG_AT(level_of(c->results[i]), "lmtp.delivery", LF_ERR(c->results[i]), LF_WHY(&why),
                   LF_INT("bytes", d.raw.n));
    }
}

static void *
worker_run(void *arg)
{
    struct lmtp_server *s = arg;

    CHECK(pthread_mutex_lock(&s->mutex) == 0);
    for (;;) {
        struct conn *c;

        while (s->queue == NULL && !s->finished)
            CHECK(pthread_cond_wait(&s->queued, &s->mutex) == 0);
        if ((c = s->queue) == NULL)
            break;
        if ((s->queue = c->next) == NULL)
            s->queue_end = &s->queue;
        CHECK(pthread_mutex_unlock(&s->mutex) == 0);
        deliver(c);
        CHECK(pthread_mutex_lock(&s->mutex) == 0);
        c->next = s->done;
        s->done = c;
        wake_loop(s);
    }
    CHECK(pthread_mutex_unlock(&s->mutex) == 0);
    return NULL;
}

/* --- connections (loop thread) ----------------------------------------------------------------------- */

static bool
room_for_message(void *arg)
{
    struct conn *c = arg;

    if (c->server->held >= LMTP_HELD_MAX)
        return false;
    c->server->held++;
    c->holds = true;
    return true;
}

static void
hold_update(struct conn *c)
{
    if (c->holds && c->session.state != LMTP_STATE_DATA && c->session.state != LMTP_STATE_DELIVERING) {
        c->holds = false;
        c->server->held--;
    }
}

static void
conn_free(struct conn *c)
{
    if (c->holds)
        c->server->held--;
    lmtp_fd_close(&c->fd);
    lmtp_session_done(&c->session);
    buf_free(&c->in);
    mem_freep(&c);
}

static void
lend_to_worker(struct lmtp_server *s, size_t i)
{
    struct conn *c = s->conns[i];

    s->owner[i] = OWNER_WORKER;
    CHECK(pthread_mutex_lock(&s->mutex) == 0);
    c->next = NULL;
    *s->queue_end = c;
    s->queue_end = &c->next;
    CHECK(pthread_cond_signal(&s->queued) == 0);
    CHECK(pthread_mutex_unlock(&s->mutex) == 0);
}

/* Eats what was read. */
static void
conn_eat(struct lmtp_server *s, size_t i)
{
    struct conn *c = s->conns[i];
    size_t eaten = 0;
    enum lmtp_need need = lmtp_session_feed(&c->session, c->in.data, c->in.len, &eaten);

    if (eaten > 0) {
        memmove(c->in.data, c->in.data + eaten, c->in.len - eaten);
        c->in.len -= eaten;
    }
    hold_update(c);
    if (need == LMTP_DELIVER)
        lend_to_worker(s, i);
}

static void
conn_read(struct conn *c)
{
    char *room;
    ssize_t n;

    buf_reset(&c->in);
    if ((room = buf_reserve(&c->in, READ_MAX)) == NULL)
        panic("lmtp: input buffer");
    n = recv(c->fd, room, READ_MAX, 0);
    if (n > 0) {
        buf_advance(&c->in, (size_t)n);
        c->last = clock_monotonic();
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        c->eof = true;
    }
}

/* False: the connection is broken. */
static bool
conn_write(struct conn *c)
{
    struct buf *out = &c->session.out;

    while (c->sent < out->len) {
        ssize_t n = send(c->fd, out->data + c->sent, out->len - c->sent, MSG_NOSIGNAL);

        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        c->sent += (size_t)n;
        c->last = clock_monotonic();
    }
    buf_reset(out);
    c->sent = 0;
    return true;
}

static bool
out_pending(const struct conn *c)
{
    return c->sent < c->session.out.len;
}

/* Does what can be done without waiting. False: over, to be closed. */
static bool
conn_step(struct lmtp_server *s, size_t i)
{
    struct conn *c = s->conns[i];

    do {
        conn_eat(s, i);
        if (s->owner[i] == OWNER_WORKER)
            return true;
        if (!conn_write(c))
            return false;
    } while (c->in.len > 0 && !out_pending(c) && c->session.state != LMTP_STATE_END);
    return out_pending(c) || (c->session.state != LMTP_STATE_END && !(c->eof && c->in.len == 0));
}

static void
conn_remove(struct lmtp_server *s, size_t i)
{
    conn_free(s->conns[i]);
    s->conn_n--;
    s->conns[i] = s->conns[s->conn_n];
    s->owner[i] = s->owner[s->conn_n];
}

static void
conn_accept(struct lmtp_server *s)
{
    static const char full[] = "421 4.3.2 too many connections\r\n";
    int fd = accept4(s->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct conn *c;

    if (fd < 0) {
        /* No descriptor or memory is left: poll would report the waiting peer at once, again and again. */
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            LOG_WARN_EV("lmtp.accept", LF_STR("why", strerror(errno)));
            (void)poll(NULL, 0, ACCEPT_PAUSE_MS);
        }
        return;
    }
    if (s->conn_n == LMTP_CONNECTIONS_MAX) {
        if (send(fd, full, sizeof(full) - 1, MSG_NOSIGNAL) < 0)
            LOG_WARN_EV("lmtp.full", LF_INT("connections", s->conn_n));
        lmtp_fd_close(&fd);
        return;
    }
    c = mem_alloc(sizeof(*c));
    c->fd = fd;
    c->server = s;
    c->in = (struct buf)BUF_BOUNDED(READ_MAX);
    c->last = clock_monotonic();
    lmtp_session_init(&c->session, &s->conf);
    c->session.room = room_for_message;
    c->session.room_arg = c;
    s->conns[s->conn_n] = c;
    s->owner[s->conn_n++] = OWNER_LOOP;
}

/* --- the loop ---------------------------------------------------------------------------------------- */

/* Takes back what the workers have finished. */
static void
done_collect(struct lmtp_server *s)
{
    char drain[64];
    struct conn *c, *next;

    while (read(s->wake[0], drain, sizeof(drain)) > 0)
        ;
    CHECK(pthread_mutex_lock(&s->mutex) == 0);
    c = s->done;
    s->done = NULL;
    CHECK(pthread_mutex_unlock(&s->mutex) == 0);
    for (; c != NULL; c = next) {
        next = c->next;
        lmtp_session_delivered(&c->session, c->results);
        hold_update(c);
        c->last = clock_monotonic();
        for (size_t i = 0; i < s->conn_n; i++)
            if (s->conns[i] == c)
                s->owner[i] = OWNER_LOOP;
    }
}

static void
dismiss_all(struct lmtp_server *s, const char *text)
{
    for (size_t i = 0; i < s->conn_n; i++)
        if (s->owner[i] == OWNER_LOOP && s->conns[i]->session.state != LMTP_STATE_END)
            lmtp_session_dismiss(&s->conns[i]->session, text);
}

/* Fills fds[2 + i] for conns[i]; returns the time to wait in ms. */
static int
poll_prepare(struct lmtp_server *s, struct pollfd *fds, bool stop)
{
    utime now = clock_monotonic(), wait = stop ? USEC_PER_SEC / 10 : USEC_PER_MIN;

    fds[0] = (struct pollfd){ s->wake[0], POLLIN, 0 };
    fds[1] = (struct pollfd){ stop ? -1 : s->listener.fd, POLLIN, 0 };
    for (size_t i = 0; i < s->conn_n; i++) {
        struct conn *c = s->conns[i];
        short events = 0;

        if (s->owner[i] == OWNER_WORKER) {
            fds[2 + i] = (struct pollfd){ -1, 0, 0 };
            continue;
        }
        if (out_pending(c))
            events = POLLOUT;
        else if (!c->eof)
            events = POLLIN;
        fds[2 + i] = (struct pollfd){ c->fd, events, 0 };
        if (c->last + s->conf.timeout - now < wait)
            wait = c->last + s->conf.timeout - now;
    }
    return wait <= 0 ? 0 : (int)(wait / 1000) + 1;
}

/* What each connection has waited for; backwards, because removing one moves the last into its place. */
static void
conns_serve(struct lmtp_server *s, const struct pollfd *fds, size_t polled)
{
    utime now = clock_monotonic();

    for (size_t i = polled; i-- > 0;) {
        struct conn *c = s->conns[i];

        if (s->owner[i] == OWNER_WORKER)
            continue;
        if (fds[2 + i].fd >= 0 && (fds[2 + i].revents & (POLLIN | POLLHUP | POLLERR)) != 0 && c->in.len == 0 &&
            !out_pending(c))
            conn_read(c);
        if ((fds[2 + i].revents & POLLERR) != 0 || !conn_step(s, i)) {
            conn_remove(s, i);
            continue;
        }
        if (s->owner[i] == OWNER_LOOP && now - c->last >= s->conf.timeout) {
            if (!out_pending(c)) {
                lmtp_session_dismiss(&c->session, "4.4.2 silence for too long");
                (void)conn_write(c);       /* a courtesy: the connection ends in either case */
            }
            conn_remove(s, i);
        }
    }
}

static void *
loop_run(void *arg)
{
    struct lmtp_server *s = arg;
    struct pollfd fds[2 + LMTP_CONNECTIONS_MAX];
    utime stop_at = 0;

    for (;;) {
        bool stop = stopping(s);
        size_t polled;
        int wait;

        if (stop && stop_at == 0) {
            stop_at = clock_monotonic();
            lmtp_fd_close(&s->listener.fd);
        }
        if (stop) {
            bool patient = clock_monotonic() - stop_at < STOP_PATIENCE;

            dismiss_all(s, "4.3.2 closing, try again");
            for (size_t i = s->conn_n; i-- > 0;)
                if (s->owner[i] == OWNER_LOOP && (!patient || !conn_step(s, i)))
                    conn_remove(s, i);
            if (s->conn_n == 0)
                return NULL;
        }
        wait = poll_prepare(s, fds, stop);
        polled = s->conn_n;
        if (poll(fds, (nfds_t)(2 + polled), wait) < 0 && errno != EINTR)
            panic("lmtp: poll: %s", strerror(errno));
        done_collect(s);
        conns_serve(s, fds, polled);
        if ((fds[1].revents & POLLIN) != 0)
            conn_accept(s);
    }
}

/* --- start and stop ---------------------------------------------------------------------------------- */

static void
threads_join(struct lmtp_server *s)
{
    CHECK(pthread_mutex_lock(&s->mutex) == 0);
    s->finished = true;
    CHECK(pthread_cond_broadcast(&s->queued) == 0);
    CHECK(pthread_mutex_unlock(&s->mutex) == 0);
    for (int i = 0; i < s->worker_n; i++)
        CHECK(pthread_join(s->workers[i], NULL) == 0);
}

static void
server_free(struct lmtp_server *s)
{
    lmtp_listener_close(&s->listener);
    lmtp_fd_close(&s->wake[0]);
    lmtp_fd_close(&s->wake[1]);
    CHECK(pthread_mutex_destroy(&s->mutex) == 0);
    CHECK(pthread_cond_destroy(&s->queued) == 0);
    mem_freep(&s);
}
DEFINE_FREEP(struct lmtp_server, server_free)

/* Signals are the main thread's business. */
static enum err
threads_start(struct lmtp_server *s, struct why *why)
{
    sigset_t all, before;
    int rc = 0;

    CHECK(sigfillset(&all) == 0 && pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    while (rc == 0 && s->worker_n < s->conf.threads)
        if ((rc = pthread_create(&s->workers[s->worker_n], NULL, worker_run, s)) == 0)
            s->worker_n++;
    if (rc == 0)
        rc = pthread_create(&s->loop, NULL, loop_run, s);
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    if (rc == 0)
        return OK;
    threads_join(s);
    return why_code(why, ERR_UNAVAILABLE, "lmtp.threads", "cannot start threads: %s", strerror(rc));
}

enum err
lmtp_start(const struct lmtp_config *conf, struct lmtp_server **ret, struct why *why)
{
    AUTO(server_freep) struct lmtp_server *s = mem_alloc(sizeof(*s));
    enum err e;

    CHECK(conf->handler != NULL && conf->message_max > 0 && conf->threads >= 1 && conf->threads <= THREADS_MAX);
    s->conf = *conf;
    s->listener.fd = s->wake[0] = s->wake[1] = -1;
    s->queue_end = &s->queue;
    if (s->conf.timeout <= 0)
        s->conf.timeout = TIMEOUT_DEFAULT;
    CHECK(pthread_mutex_init(&s->mutex, NULL) == 0 && pthread_cond_init(&s->queued, NULL) == 0);
    if (pipe2(s->wake, O_CLOEXEC | O_NONBLOCK) != 0)
        return why_set(why, ERR_UNAVAILABLE, "lmtp: pipe: %s", strerror(errno));
    if ((e = lmtp_listener_open(conf->listen, conf->unix_mode != 0 ? conf->unix_mode : 0660, &s->listener, why)) != OK ||
        (e = threads_start(s, why)) != OK)
        return e;
    *ret = TAKE(s);
    return OK;
}

void
lmtp_stop(struct lmtp_server *s)
{
    if (s == NULL)
        return;
    CHECK(pthread_mutex_lock(&s->mutex) == 0);
    s->stopping = true;
    CHECK(pthread_mutex_unlock(&s->mutex) == 0);
    wake_loop(s);
    CHECK(pthread_join(s->loop, NULL) == 0);
    threads_join(s);
    server_free(s);
}

int
lmtp_port(const struct lmtp_server *s)
{
    return s->listener.port;
}
