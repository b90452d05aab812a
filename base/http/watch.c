/*
 * watch: did a reply arrive? (server.h, http_reply_watched())
 *
 * A small file is in the system's hands at once, whatever becomes of it. So the connection is looked at for a while after the last
 * octet: Linux tells when the peer has acknowledged all of it, and a peer that closes a connection with octets unread, or that
 * is killed, resets it (RFC 1122 §4.2.2.13). A duplicate of the descriptor keeps the answer readable when libmicrohttpd
 * has closed its own. What is not seen is "no": the connection that was closed before the first look, for instance.
 *
 * One thread, started with the first reply that is watched.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/core/log.h"
#include "base/http/http-internal.h"

#define LOOK_MS 10

struct watched {
    struct watched *next;
    int fd;                        /* -1: it was not sent */
    bool closing;                  /* an end of the connection in order was seen after all was acknowledged */
    int64_t since, acked_at;       /* monotonic; acked_at 0: not yet */
    http_watch_done done;
    void *arg;
};

struct watch {
    struct http_server *server;
    pthread_mutex_t lock;
    pthread_cond_t more;
    pthread_t thread;
    bool started, stopping;
    struct watched *fresh;         /* under the lock; the thread takes them over */
};

enum verdict { WAIT, ARRIVED, LOST };

static bool
all_acknowledged(int fd)
{
    int pending = -1;

    return ioctl(fd, SIOCOUTQ, &pending) == 0 && pending == 0;
}

/* TCP_INFO's states (RFC 9293 §3.3.2). */
static enum verdict
look(struct watched *w, int64_t now)
{
    struct tcp_info info = { .tcpi_state = 0 };
    socklen_t size = sizeof(info);

    if (w->fd < 0 || getsockopt(w->fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
        return LOST;
    switch (info.tcpi_state) {
    case TCP_ESTABLISHED:
        break;
    case TCP_CLOSE_WAIT:
    case TCP_LAST_ACK:
    case TCP_CLOSING:
    case TCP_TIME_WAIT:
        w->closing = true;         /* the peer said its end after it had read all: unread octets would have been a reset */
        break;
    case TCP_FIN_WAIT1:
    case TCP_FIN_WAIT2:
        break;
    default:
        return w->closing && w->acked_at != 0 ? ARRIVED : LOST;
    }
    if (w->acked_at == 0) {
        if (!all_acknowledged(w->fd))
            return now - w->since > HTTP_WATCH_ACK_TIME ? LOST : WAIT;
        w->acked_at = now;
    }
    return w->closing || now - w->acked_at >= HTTP_WATCH_TIME ? ARRIVED : WAIT;
}

static struct pg *
connection(struct http_server *s, struct pg **pg)
{
    struct why why = WHY_INIT;

    if (*pg == NULL && s->conf->pg != NULL && pg_open(s->conf->pg, pg, &why) != OK)
        LOG_ERROR_EV("http.watch", LF_WHY(&why));
    return *pg;
}

static void
conclude(struct watch *w, struct watched *one, enum verdict v, struct pg **pg)
{
    if (one->fd >= 0)
        close(one->fd);
    one->done(w->server->conf->app, connection(w->server, pg), one->arg, v == ARRIVED);
    free(one);
}

/* Looks at each; those of which it is known are told and leave the list. */
static void
look_all(struct watch *w, struct watched **list, bool stopping, struct pg **pg)
{
    for (struct watched **at = list; *at != NULL;) {
        struct watched *one = *at;
        const enum verdict v = look(one, clock_monotonic());

        if (v == WAIT && !stopping) {
            at = &one->next;
            continue;
        }
        *at = one->next;
        conclude(w, one, v, pg);
    }
}

static void *
watch_thread(void *arg)
{
    struct watch *w = arg;
    AUTO(pg_closep) struct pg *pg = NULL;
    struct watched *list = NULL;
    bool stopping = false;

    while (!stopping || list != NULL) {
        pthread_mutex_lock(&w->lock);
        while (list == NULL && w->fresh == NULL && !w->stopping)
            pthread_cond_wait(&w->more, &w->lock);
        while (w->fresh != NULL) {
            struct watched *one = w->fresh;

            w->fresh = one->next;
            one->next = list;
            list = one;
        }
        stopping = w->stopping;
        pthread_mutex_unlock(&w->lock);
        look_all(w, &list, stopping, &pg);
        if (list != NULL)
            (void)poll(NULL, 0, LOOK_MS);
    }
    return NULL;
}

struct watch *
watch_new(struct http_server *s)
{
    struct watch *w = mem_alloc(sizeof(*w));

    w->server = s;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->more, NULL);
    return w;
}

void
watch_add(struct watch *w, int fd, bool sent, http_watch_done done, void *arg)
{
    struct watched *one = mem_alloc(sizeof(*one));
    int rc = 0;

    *one = (struct watched){ .fd = sent ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1, .since = clock_monotonic(), .done = done,
                             .arg = arg };
    pthread_mutex_lock(&w->lock);
    one->next = w->fresh;
    w->fresh = one;
    if (!w->started)
        rc = pthread_create(&w->thread, NULL, watch_thread, w);
    CHECK(rc == 0);
    w->started = true;
    pthread_cond_signal(&w->more);
    pthread_mutex_unlock(&w->lock);
}

void
watch_free(struct watch *w)
{
    if (w == NULL)
        return;
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_cond_signal(&w->more);
    pthread_mutex_unlock(&w->lock);
    if (w->started)
        pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->more);
    pthread_mutex_destroy(&w->lock);
    free(w);
}
