/*
 * pool: a few threads of lowest priority for handlers that compute for long (password hashing).
 *
 * As many threads as cores at nice 19 take what the event threads leave; the queue is bounded, so that those let in are
 * served soon and the rest is told at once to come back. A handler runs here from its first line to its last, with
 * this thread's database connection. Nothing may hold a lock that event threads need while it computes.
 *
 * A full queue is shared by networks (/24, /56): who comes from a network with fewer waiting than the one with most
 * takes the place of that one's last. Otherwise one host that keeps asking would hold all places, and nobody else
 * would ever sign in (T-16).
 *
 * The order matters: the connection is suspended before a pool thread can see its request, and resumed as the very
 * last thing, after which the request belongs to its event thread again.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/core/log.h"
#include "base/http/http-internal.h"

#define POOL_NICE 19

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct http_request *first, **end;
    size_t waiting, most;
    bool stopping;
    pthread_t *threads;
    int nthreads;
};

static bool
same_network(const struct http_request *a, const struct http_request *b)
{
    struct address x, y;

    address_masked(&a->client, HTTP_NETWORK_V4, HTTP_NETWORK_V6, &x);
    address_masked(&b->client, HTTP_NETWORK_V4, HTTP_NETWORK_V6, &y);
    return x.family == y.family && memcmp(x.b, y.b, sizeof(x.b)) == 0;
}

static size_t
waiting_from(const struct pool *p, const struct http_request *like)
{
    size_t n = 0;

    for (const struct http_request *r = p->first; r != NULL; r = r->next_job)
        n += same_network(r, like);
    return n;
}

/* Takes the last request of the network with most waiting out of the queue; NULL when comer's own would then have as
 * many. */
static struct http_request *
make_room(struct pool *p, const struct http_request *comer)
{
    size_t most = waiting_from(p, comer) + 1;
    struct http_request **gone = NULL, *out;

    for (struct http_request **at = &p->first; *at != NULL; at = &(*at)->next_job) {
        size_t n = waiting_from(p, *at);

        if (n > most) {
            most = n;
            gone = at;
        } else if (gone != NULL && same_network(*at, *gone)) {
            gone = at;
        }
    }
    if (gone == NULL)
        return NULL;
    out = *gone;
    *gone = out->next_job;
    if (p->end == &out->next_job)
        p->end = gone;
    p->waiting--;
    return out;
}

static void
turn_away(struct http_request *req)
{
    log_request(req->id);
    request_refuse(req, 503, "busy");
    log_request(NULL);
    req->phase = PHASE_DONE;
    MHD_resume_connection(req->mhd);
}

static void
run_job(struct http_request *req, bool stopping)
{
    bool stale = clock_monotonic() - req->queued_at > HTTP_POOL_WAIT;

    log_request(req->id);
    if (stopping || stale)
        request_refuse(req, 503, "busy");
    else
        request_run(req);
    log_request(NULL);
    req->phase = PHASE_DONE;
    MHD_resume_connection(req->mhd);
}

static void *
pool_thread(void *arg)
{
    struct pool *p = arg;

    if (setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), POOL_NICE) != 0)
        LOG_WARN_EV("http.pool_priority", LF_INT("errno", errno));
    pthread_mutex_lock(&p->lock);
    for (;;) {
        struct http_request *req = p->first;
        bool stopping = p->stopping;

        if (req == NULL && stopping)
            break;
        if (req == NULL) {
            pthread_cond_wait(&p->more, &p->lock);
            continue;
        }
        p->first = req->next_job;
        if (p->first == NULL)
            p->end = &p->first;
        p->waiting--;
        pthread_mutex_unlock(&p->lock);
        run_job(req, stopping);
        pthread_mutex_lock(&p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

enum err
pool_new(int threads, int queue, struct pool **ret, struct why *why)
{
    struct pool *p = mem_alloc(sizeof(*p));

    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->more, NULL);
    p->end = &p->first;
    p->most = (size_t)queue;
    p->threads = mem_alloc_array((size_t)threads, sizeof(*p->threads));
    for (; p->nthreads < threads; p->nthreads++) {
        int rc = pthread_create(&p->threads[p->nthreads], NULL, pool_thread, p);

        if (rc != 0) {
            pool_free(p);
            return why_set(why, ERR_UNAVAILABLE, "no thread: %d", rc);
        }
    }
    *ret = p;
    return OK;
}

bool
pool_submit(struct pool *p, struct http_request *req)
{
    struct http_request *gone = NULL;
    bool ok;

    pthread_mutex_lock(&p->lock);
    if (!p->stopping && p->waiting >= p->most)
        gone = make_room(p, req);
    ok = !p->stopping && p->waiting < p->most;
    if (ok) {
        req->next_job = NULL;
        req->queued_at = clock_monotonic();
        req->phase = PHASE_POOL;
        MHD_suspend_connection(req->mhd);
        *p->end = req;
        p->end = &req->next_job;
        p->waiting++;
        pthread_cond_signal(&p->more);
    }
    pthread_mutex_unlock(&p->lock);
    if (gone != NULL) {
        atomic_fetch_add(&gone->server->busy, 1);
        turn_away(gone);
    }
    return ok;
}

size_t
pool_waiting(struct pool *p)
{
    size_t n;

    pthread_mutex_lock(&p->lock);
    n = p->waiting;
    pthread_mutex_unlock(&p->lock);
    return n;
}

void
pool_free(struct pool *p)
{
    if (p == NULL)
        return;
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_cond_broadcast(&p->more);
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < p->nthreads; i++)
        pthread_join(p->threads[i], NULL);
    pthread_cond_destroy(&p->more);
    pthread_mutex_destroy(&p->lock);
    free(p->threads);
    free(p);
}
