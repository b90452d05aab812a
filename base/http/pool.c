/*
 * pool: a few threads of lowest priority for handlers that compute for long (password hashing).
 *
 * As many threads as cores at nice 19 take what the event threads leave; the queue is bounded, so that those let in are
 * served soon and the rest is told at once to come back. A handler runs here from its first line to its last, with
 * this thread's database connection. Nothing may hold a lock that event threads need while it computes.
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
    bool ok;

    pthread_mutex_lock(&p->lock);
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
