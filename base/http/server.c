/*
 * server: start, reload, stop, metrics.
 *
 * All plain listeners share one libmicrohttpd daemon, all TLS listeners another; each has its pool of epoll threads.
 * MHD_USE_TURBO stays off (it shuts sockets without the TLS close), and so does MHD's own listening (accept.c).
 *
 * Stopping: nothing is accepted, replies say "Connection: close", running requests are waited for, the slow pool is
 * emptied (MHD aborts when a suspended connection survives), then the daemons end.
 */
#include <errno.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/core/log.h"
#include "base/core/rand.h"
#include "base/http/http-internal.h"

#define BACKLOG 1024
#define DESCRIPTORS_FOR_OTHERS 256            /* database, logs, threads' event descriptors */
#define MHD_TIMEOUT_S 600u                    /* behind our own deadlines */

static int
cores(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);

    return n < 1 ? 1 : n > 256 ? 256 : (int)n;
}

/* --- configuration ------------------------------------------------------------------------------------------ */

static void
limits_fill(struct http_limits *l, const struct http_limits *given)
{
    if (given != NULL)
        *l = *given;
    if (l->first_time == 0)
        l->first_time = HTTP_FIRST_TIME;
    if (l->header_time == 0)
        l->header_time = HTTP_HEADER_TIME;
    if (l->body_time == 0)
        l->body_time = HTTP_BODY_TIME;
    if (l->idle_time == 0)
        l->idle_time = HTTP_IDLE_TIME;
    if (l->send_time == 0)
        l->send_time = HTTP_SEND_TIME;
    if (l->stop_time == 0)
        l->stop_time = HTTP_STOP_TIME;
    if (l->slowest_peer == 0)
        l->slowest_peer = HTTP_SLOWEST_PEER;
    if (l->per_address == 0)
        l->per_address = HTTP_PER_ADDRESS;
}

static enum err
proxies_read(struct http_server *s, struct why *why)
{
    const char *const *texts = s->conf->trusted_proxies;
    size_t n = 0;
    enum err e;

    while (texts != NULL && texts[n] != NULL)
        n++;
    s->proxies = mem_alloc_array(n + 1, sizeof(*s->proxies));
    for (; s->nproxies < n; s->nproxies++)
        if ((e = cidr_parse(texts[s->nproxies], &s->proxies[s->nproxies], why)) != OK)
            return e;
    return OK;
}

static bool
is_loopback_name(const char *origin)
{
    const char *host = strstr(origin, "://") + 3;
    size_t n = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
    struct str name = { host, n };

    return str_eqs(name, "localhost") || str_starts(name, "127.") || str_eqs(name, "[::1]") ||
           (n > 10 && memcmp(host + n - 10, ".localhost", 10) == 0);
}

static enum err
listener_read(struct http_server *s, struct listener *l, const struct http_listener *conf, struct why *why)
{
    enum err e;

    l->conf = *conf;
    if (conf->base_url != NULL && !origin_of(conf->base_url, l->origin, sizeof(l->origin)))
        return why_set(why, ERR_INPUT, "base_url is no http(s) URL: %s", conf->base_url);
    l->hsts = str_starts(str_of(l->origin), "https://") && !is_loopback_name(l->origin) && !conf->no_hsts;
    if ((e = route_table_init(&l->routes, conf->routes, &s->counts, conf->base_url != NULL, why)) != OK)
        return e;
    if (conf->tls != NULL) {
        l->tls = *conf->tls;
        l->conf.tls = &l->tls;
        if ((e = tls_creds_load(&l->tls, s->conf->app, &l->creds, why)) != OK)
            return e;
    }
    return OK;
}

static enum err
listener_open(struct listener *l, struct why *why)
{
    struct sockaddr_storage at;
    socklen_t len = 0;
    int on = 1;
    enum err e;

    if ((e = listen_parse(l->conf.address, &at, &len, why)) != OK)
        return e;
    l->fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (l->fd < 0)
        return why_set(why, ERR_UNAVAILABLE, "socket for %s: %s", l->conf.address, strerror(errno));
    (void)setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (at.ss_family == AF_INET6)
        (void)setsockopt(l->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    if (bind(l->fd, (struct sockaddr *)&at, len) != 0 || listen(l->fd, BACKLOG) != 0)
        return why_set(why, errno == EADDRINUSE ? ERR_CONFLICT : ERR_UNAVAILABLE, "listen on %s: %s",
                       l->conf.address, strerror(errno));
    len = sizeof(at);
    if (getsockname(l->fd, (struct sockaddr *)&at, &len) != 0)
        return why_set(why, ERR_INTERNAL, "getsockname: %s", strerror(errno));
    l->port = ntohs(at.ss_family == AF_INET ? ((struct sockaddr_in *)&at)->sin_port
                                            : ((struct sockaddr_in6 *)&at)->sin6_port);
    return OK;
}

static enum err
listeners_init(struct http_server *s, struct why *why)
{
    const struct http_server_config *conf = s->conf;
    size_t names = 1;
    enum err e;

    for (size_t i = 0; i < conf->nlisteners; i++)
        names += route_tables_size(conf->listeners[i].routes);
    s->counts.list = mem_alloc_array(names, sizeof(*s->counts.list));
    s->counts.list[0].name = "-";
    s->counts.n = 1;
    s->listeners = mem_alloc_array(conf->nlisteners, sizeof(*s->listeners));
    for (; s->nlisteners < conf->nlisteners; s->nlisteners++) {
        struct listener *l = &s->listeners[s->nlisteners];

        l->fd = -1;
        l->server = s;
        l->index = s->nlisteners;
        pthread_mutex_init(&l->cred_lock, NULL);
    }
    for (size_t i = 0; i < s->nlisteners; i++)
        if ((e = listener_read(s, &s->listeners[i], &conf->listeners[i], why)) != OK ||
            (e = listener_open(&s->listeners[i], why)) != OK)
            return e;
    return OK;
}

/* Raises the soft limit on descriptors to what the connections need, and sizes the table by it. */
static void
descriptors_init(struct http_server *s)
{
    struct rlimit r;
    rlim_t want = (rlim_t)s->max_connections + DESCRIPTORS_FOR_OTHERS;

    if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < want) {
        r.rlim_cur = r.rlim_max < want ? r.rlim_max : want;
        if (setrlimit(RLIMIT_NOFILE, &r) != 0 || r.rlim_cur < want)
            LOG_WARN_EV("http.descriptors", LF_INT("wanted", want), LF_INT("allowed", r.rlim_cur));
    }
    s->by_fd_size = (size_t)want * 2;
    s->by_fd = mem_alloc_array(s->by_fd_size, sizeof(struct listener *));
}

/* --- threads ------------------------------------------------------------------------------------------------ */

static void
mhd_log(void *cls, const char *fmt, va_list ap)
{
    char line[256];

    (void)cls;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    vsnprintf(line, sizeof(line), fmt, ap);
#pragma GCC diagnostic pop
    LOG_DEBUG_EV("http.mhd", LF_STR("text", line));
}

static struct MHD_Daemon *
daemon_start(struct http_server *s, bool tls)
{
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ITC |
                     MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | (tls ? MHD_USE_TLS : 0);
    unsigned threads = (unsigned)(s->conf->threads > 0 ? s->conf->threads : cores() * 4 < 8 ? 8 : cores() * 4);
    union { const char *in; void *out; } priorities = { tls_priorities };
    struct MHD_OptionItem more[4] = { { MHD_OPTION_END, 0, NULL } };
    size_t n = 0;

    if (threads > 1)
        more[n++] = (struct MHD_OptionItem){ MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)threads, NULL };
    if (tls) {
        more[n++] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_PRIORITIES, 0, priorities.out };
        more[n++] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_CERT_CALLBACK, 0, tls_never_callback() };
    }
    more[n] = (struct MHD_OptionItem){ MHD_OPTION_END, 0, NULL };
    /* MHD's own limit is divided among its threads: well above ours, which is exact. */
    return MHD_start_daemon(flags, 0, NULL, NULL, request_on_call, s,
                            MHD_OPTION_EXTERNAL_LOGGER, mhd_log, NULL,
                            MHD_OPTION_URI_LOG_CALLBACK, request_on_uri, s,
                            MHD_OPTION_NOTIFY_COMPLETED, request_on_completed, s,
                            MHD_OPTION_NOTIFY_CONNECTION, conn_notice, s,
                            MHD_OPTION_CONNECTION_LIMIT, 2u * (unsigned)s->max_connections + threads,
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_CONNECTION_MEMORY,
                            MHD_OPTION_CONNECTION_TIMEOUT, MHD_TIMEOUT_S,
                            MHD_OPTION_ARRAY, more, MHD_OPTION_END);
}

static bool
any_slow(const struct http_server *s)
{
    for (size_t i = 0; i < s->nlisteners; i++)
        for (size_t k = 0; k < s->listeners[i].routes.n; k++)
            for (int m = 0; m < HTTP_METHODS; m++) {
                const struct http_route *r = s->listeners[i].routes.nodes[k].by_method[m];
                if (r != NULL && r->pool == HTTP_POOL_SLOW)
                    return true;
            }
    return false;
}

static enum err
threads_start(struct http_server *s, struct why *why)
{
    const struct http_server_config *conf = s->conf;
    enum err e;
    int rc;

    s->watch = watch_new(s);
    if (any_slow(s) && (e = pool_new(conf->slow_threads > 0 ? conf->slow_threads : cores(),
                                     conf->slow_queue > 0 ? conf->slow_queue : HTTP_SLOW_QUEUE, &s->pool, why)) != OK)
        return e;
    for (size_t i = 0; i < s->nlisteners; i++) {
        bool tls = s->listeners[i].conf.tls != NULL;
        struct MHD_Daemon **d = tls ? &s->tls : &s->plain;

        if (*d == NULL && (*d = daemon_start(s, tls)) == NULL)
            return why_set(why, ERR_INTERNAL, "libmicrohttpd does not start (%s)", tls ? "TLS" : "plain");
    }
    if ((rc = pthread_create(&s->accept_thread, NULL, accept_main, s)) != 0)
        return why_set(why, ERR_UNAVAILABLE, "no thread: %s", strerror(rc));
    s->accept_running = true;
    return OK;
}

static void
pg_close_any(void *pg)
{
    pg_close(pg);
}

static void
arena_free_any(void *arena)
{
    arena_free(arena);
}

DEFINE_FREEP(struct http_server, http_server_stop)

static enum err
server_init(struct http_server *s, struct why *why)
{
    const struct http_server_config *conf = s->conf;
    enum err e;

    limits_fill(&s->limits, conf->limits);
    s->max_connections = conf->max_connections > 0 ? conf->max_connections : HTTP_CONNECTIONS;
    rand_bytes(&s->id_counter, sizeof(s->id_counter));
    if (MHD_is_feature_supported(MHD_FEATURE_EPOLL) != MHD_YES ||
        MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES)
        return why_set(why, ERR_INTERNAL, "this libmicrohttpd has no epoll or no TLS");
    s->have_pg_key = pthread_key_create(&s->pg_key, pg_close_any) == 0;
    s->have_arena_key = pthread_key_create(&s->arena_key, arena_free_any) == 0;
    s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!s->have_pg_key || !s->have_arena_key || s->wake_fd < 0)
        return why_set(why, ERR_UNAVAILABLE, "no thread key or event descriptor");
    descriptors_init(s);
    if ((e = proxies_read(s, why)) != OK || (e = listeners_init(s, why)) != OK)
        return e;
    return conf->pg == NULL ? OK : pg_open(conf->pg, &s->spare_pg, why);
}

enum err
http_server_start(const struct http_server_config *conf, struct http_server **ret, struct why *why)
{
    AUTO(http_server_stopp) struct http_server *s = mem_alloc(sizeof(*s));
    sigset_t all, before;
    enum err e;

    s->conf = conf;
    s->wake_fd = -1;
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_init(&s->spare_lock, NULL);
    if ((e = server_init(s, why)) != OK)
        return e;
    /* Signals are the program's main thread's. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    e = threads_start(s, why);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (e != OK)
        return e;
    *ret = TAKE(s);
    return OK;
}

int
http_server_port(const struct http_server *s, size_t listener)
{
    return listener < s->nlisteners ? s->listeners[listener].port : -1;
}

enum err
http_server_reload(struct http_server *s, struct why *why)
{
    struct tls_creds *fresh = mem_alloc_array(s->nlisteners, sizeof(*fresh));
    enum err e = OK;

    for (size_t i = 0; i < s->nlisteners && e == OK; i++)
        if (s->listeners[i].creds.of[0] != NULL)
            e = tls_creds_load(&s->listeners[i].tls, s->conf->app, &fresh[i], why);
    for (size_t i = 0; i < s->nlisteners; i++) {
        struct listener *l = &s->listeners[i];
        struct tls_creds old = fresh[i];

        if (e == OK && fresh[i].of[0] != NULL) {
            pthread_mutex_lock(&l->cred_lock);
            old = l->creds;
            l->creds = fresh[i];
            pthread_mutex_unlock(&l->cred_lock);
        }
        tls_creds_done(&old);
    }
    free(fresh);
    return e;
}

/* --- stopping ------------------------------------------------------------------------------------------------- */

static void
wait_quiet(struct http_server *s, int64_t span)
{
    int64_t until = clock_monotonic() + span;

    while (atomic_load(&s->active) > 0 && clock_monotonic() < until)
        (void)poll(NULL, 0, 5);
}

static void
listener_done(struct listener *l)
{
    if (l->fd >= 0)
        close(l->fd);
    route_table_done(&l->routes);
    tls_creds_done(&l->creds);
    pthread_mutex_destroy(&l->cred_lock);
}

void
http_server_stop(struct http_server *s)
{
    uint64_t one = 1;

    if (s == NULL)
        return;
    atomic_store(&s->stopping, true);
    if (s->accept_running) {
        if (write(s->wake_fd, &one, sizeof(one)) != sizeof(one))
            panic("http: eventfd: %d", errno);
        pthread_join(s->accept_thread, NULL);
        wait_quiet(s, s->limits.stop_time);
    }
    pool_free(s->pool);
    if (s->accept_running)
        wait_quiet(s, USEC_PER_SEC);
    if (s->plain != NULL)
        MHD_stop_daemon(s->plain);
    if (s->tls != NULL)
        MHD_stop_daemon(s->tls);
    watch_free(s->watch);                  /* the last requests have been completed */
    for (size_t i = 0; i < s->nlisteners; i++)
        listener_done(&s->listeners[i]);
    free(s->listeners);
    free(s->counts.list);
    free(s->proxies);
    free(s->by_fd);
    census_done(&s->census);
    pg_close(s->spare_pg);
    if (s->have_pg_key)
        pthread_key_delete(s->pg_key);
    if (s->have_arena_key)
        pthread_key_delete(s->arena_key);
    if (s->wake_fd >= 0)
        close(s->wake_fd);
    pthread_mutex_destroy(&s->lock);
    pthread_mutex_destroy(&s->spare_lock);
    free(s);
}

/* --- metrics ---------------------------------------------------------------------------------------------------- */

static void
metric(struct buf *out, const char *name, const char *type, uint64_t value)
{
    buf_addf(out, "# TYPE beffroi_http_%s %s\nbeffroi_http_%s %llu\n", name, type, name, (unsigned long long)value);
}

void
http_server_metrics(struct http_server *s, struct buf *out)
{
    static const char *const classes[] = { "none", "1xx", "2xx", "3xx", "4xx", "5xx" };
    int nconns;

    buf_add_lit(out, "# TYPE beffroi_http_requests_total counter\n");
    for (size_t i = 0; i < s->counts.n; i++)
        for (size_t k = 0; k < ARRAY_LEN(classes); k++) {
            uint64_t v = atomic_load_explicit(&s->counts.list[i].by_class[k], memory_order_relaxed);
            if (v > 0)
                buf_addf(out, "beffroi_http_requests_total{route=\"%s\",class=\"%s\"} %llu\n", s->counts.list[i].name,
                         classes[k], (unsigned long long)v);
        }
    buf_add_lit(out, "# TYPE beffroi_http_request_seconds_total counter\n");
    for (size_t i = 0; i < s->counts.n; i++) {
        uint64_t v = atomic_load_explicit(&s->counts.list[i].usec, memory_order_relaxed);
        if (v > 0)
            buf_addf(out, "beffroi_http_request_seconds_total{route=\"%s\"} %llu.%06llu\n", s->counts.list[i].name,
                     (unsigned long long)(v / 1000000), (unsigned long long)(v % 1000000));
    }
    pthread_mutex_lock(&s->lock);
    nconns = s->nconns;
    pthread_mutex_unlock(&s->lock);
    metric(out, "connections", "gauge", (uint64_t)nconns);
    metric(out, "requests_running", "gauge", (uint64_t)atomic_load(&s->active));
    metric(out, "accepted_total", "counter", atomic_load(&s->accepted));
    metric(out, "refused_full_total", "counter", atomic_load(&s->refused_full));
    metric(out, "refused_address_total", "counter", atomic_load(&s->refused_address));
    metric(out, "cut_slow_total", "counter", atomic_load(&s->cut_slow));
    metric(out, "client_certificates_refused_total", "counter", atomic_load(&s->certs_bad));
    metric(out, "slow_pool_waiting", "gauge", s->pool == NULL ? 0 : pool_waiting(s->pool));
    metric(out, "slow_pool_refused_total", "counter", atomic_load(&s->busy));
}
