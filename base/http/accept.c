/*
 * accept: how connections come in, and their life.
 *
 * One accept thread of ours hands connections to libmicrohttpd (MHD_add_connection), which spreads them evenly over
 * its event threads; with MHD's own accepting one thread can get most of them (HTTP-SQL.md, trap 2). All plain
 * listeners share one daemon, all TLS listeners another: which listener a connection came by is found by its
 * descriptor; its certificate and demands are set in the STARTED notice.
 *
 * Time: each connection has one deadline, set when its phase changes (first line, headers, body, reply, idle) and never
 * pushed by trickling octets. The accept thread looks a few times per second and shuts down what is late; shutting
 * down under the lock that the CLOSED notice takes before MHD closes the descriptor, so that it is never another's.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/core/log.h"
#include "base/http/http-internal.h"

#define ACCEPT_BURST 64

/* --- connections ------------------------------------------------------------------------------------------ */

void
conn_deadline(struct http_conn *conn, int64_t span)
{
    atomic_store_explicit(&conn->deadline, span == INT64_MAX ? INT64_MAX : clock_monotonic() + span,
                          memory_order_relaxed);
}

static void
conn_link(struct http_server *s, struct http_conn *conn)
{
    pthread_mutex_lock(&s->lock);
    conn->next = s->conns;
    if (s->conns != NULL)
        s->conns->prev = conn;
    s->conns = conn;
    s->nconns++;
    if (!conn->trusted_proxy)
        census_add(&s->census, &conn->address);
    pthread_mutex_unlock(&s->lock);
}

static void
conn_unlink(struct http_server *s, struct http_conn *conn)
{
    pthread_mutex_lock(&s->lock);
    if (conn->prev != NULL)
        conn->prev->next = conn->next;
    else
        s->conns = conn->next;
    if (conn->next != NULL)
        conn->next->prev = conn->prev;
    s->nconns--;
    if (!conn->trusted_proxy)
        census_remove(&s->census, &conn->address);
    pthread_mutex_unlock(&s->lock);
}

static void
conn_started(struct http_server *s, struct MHD_Connection *mhd, void **context)
{
    struct http_conn *conn = mem_alloc(sizeof(*conn));
    const union MHD_ConnectionInfo *info;

    conn->server = s;
    conn->mhd = mhd;
    conn->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    conn->listener = s->by_fd[conn->fd];
    conn->address = address_of(MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr);
    conn->trusted_proxy = cidr_has(s->proxies, s->nproxies, &conn->address);
    atomic_store(&conn->idle_since, clock_monotonic());
    conn_deadline(conn, s->limits.first_time);
    *context = conn;
    conn_link(s, conn);
    if (conn->listener->conf.tls == NULL)
        return;
    info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (info == NULL || !tls_conn_start(conn, info->tls_session)) {
        LOG_ERROR_EV("http.tls_start", LF_INT("listener", conn->listener->index));
        (void)shutdown(conn->fd, SHUT_RDWR);
    }
}

void
conn_notice(void *cls, struct MHD_Connection *mhd, void **context, enum MHD_ConnectionNotificationCode code)
{
    struct http_server *s = cls;
    struct http_conn *conn = *context;

    switch (code) {
    case MHD_CONNECTION_NOTIFY_STARTED:
        conn_started(s, mhd, context);
        return;
    case MHD_CONNECTION_NOTIFY_CLOSED:
        if (conn == NULL)
            return;
        conn_unlink(s, conn);
        tls_conn_done(conn);
        free(conn);
        *context = NULL;
        return;
    }
}

/* Shuts down what is late; false: nobody is there. */
static bool
conns_sweep(struct http_server *s)
{
    int64_t now = clock_monotonic();
    bool crowded, anybody;

    pthread_mutex_lock(&s->lock);
    anybody = s->conns != NULL;
    crowded = s->nconns > s->max_connections / 4 * 3;
    for (struct http_conn *c = s->conns; c != NULL; c = c->next) {
        bool late = now > atomic_load_explicit(&c->deadline, memory_order_relaxed);

        if (crowded && atomic_load_explicit(&c->idle, memory_order_relaxed))
            late = late || now - atomic_load_explicit(&c->idle_since, memory_order_relaxed) > HTTP_CROWDED_IDLE_TIME;
        if (!late)
            continue;
        if (!atomic_load_explicit(&c->idle, memory_order_relaxed))
            atomic_fetch_add(&s->cut_slow, 1);
        atomic_store_explicit(&c->deadline, INT64_MAX, memory_order_relaxed);
        (void)shutdown(c->fd, SHUT_RDWR);
    }
    pthread_mutex_unlock(&s->lock);
    return anybody;
}

/* --- accepting ---------------------------------------------------------------------------------------------- */

static bool
may_enter(struct http_server *s, const struct address *a)
{
    bool full, many;

    pthread_mutex_lock(&s->lock);
    full = s->nconns >= s->max_connections;
    many = census_count(&s->census, a) >= s->limits.per_address && !cidr_has(s->proxies, s->nproxies, a);
    pthread_mutex_unlock(&s->lock);
    if (full)
        atomic_fetch_add(&s->refused_full, 1);
    else if (many)
        atomic_fetch_add(&s->refused_address, 1);
    return !full && !many;
}

/* false: nothing more to accept here now. */
static bool
accept_one(struct http_server *s, const struct listener *l)
{
    struct sockaddr_storage from;
    socklen_t len = sizeof(from);
    struct sockaddr *sa = (struct sockaddr *)&from;
    int fd = accept4(l->fd, sa, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct address a;

    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            LOG_WARN_EV("http.accept", LF_INT("errno", errno));
            (void)poll(NULL, 0, 100);
        }
        return errno == EINTR || errno == ECONNABORTED;
    }
    a = address_of(sa);
    if ((size_t)fd >= s->by_fd_size || !may_enter(s, &a)) {
        close(fd);
        return true;
    }
    s->by_fd[fd] = l;
    atomic_fetch_add(&s->accepted, 1);
    /* MHD closes fd when it has no place. */
    if (MHD_add_connection(l->conf.tls != NULL ? s->tls : s->plain, fd, sa, len) != MHD_YES)
        atomic_fetch_add(&s->refused_full, 1);
    return true;
}

static int
sweep_period_ms(const struct http_server *s)
{
    int64_t least = s->limits.first_time;
    const int64_t others[] = { s->limits.header_time, s->limits.body_time, s->limits.idle_time, s->limits.send_time };

    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (others[i] < least)
            least = others[i];
    least /= 4 * 1000;
    return least < 10 ? 10 : least > 1000 ? 1000 : (int)least;
}

void *
accept_main(void *arg)
{
    struct http_server *s = arg;
    struct pollfd *fds = mem_alloc_array(s->nlisteners + 1, sizeof(*fds));
    int period = sweep_period_ms(s);
    bool awake = true;                    /* somebody may be there: do not sleep for ever */

    for (size_t i = 0; i < s->nlisteners; i++)
        fds[i] = (struct pollfd){ s->listeners[i].fd, POLLIN, 0 };
    fds[s->nlisteners] = (struct pollfd){ s->wake_fd, POLLIN, 0 };
    while (!atomic_load(&s->stopping)) {
        bool came = false;

        if (poll(fds, s->nlisteners + 1, awake ? period : -1) < 0 && errno != EINTR)
            panic("http: poll: %d", errno);
        for (size_t i = 0; i < s->nlisteners; i++) {
            if ((fds[i].revents & POLLIN) == 0)
                continue;
            came = true;
            for (int n = 0; n < ACCEPT_BURST && accept_one(s, &s->listeners[i]); n++)
                ;
        }
        /* What was just given to MHD is in the list only when its event thread has started it. */
        awake = conns_sweep(s) || came;
    }
    free(fds);
    return NULL;
}
