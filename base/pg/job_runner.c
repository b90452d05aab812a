/*
 * job_runner: threads that take jobs. Each has its own connection and listens on it; NOTIFY wakes them, a second of
 * silence too (retries become due without a NOTIFY, and one may be missed while a connection is replaced). An eventfd
 * ends all waits at once. When the database is away the threads ask again every second.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/core/log.h"
#include "base/pg/job-internal.h"
#include "base/pg/pg-internal.h"

#define JOB_CHANNEL "job"
#define LONGEST_WAIT USEC_PER_SEC

struct worker {
    struct job_runner *runner;
    struct pg *pg;
    pthread_t thread;
    bool started;
};

struct job_runner {
    const struct job_kind *kinds;
    struct job_wanted wanted;
    struct worker *workers;
    int n;
    int stop_fd;               /* eventfd: readable for ever once job_runner_stop was called */
    atomic_bool stopping;
};

/* Waits for news, for a second, or for the end. */
static void
wait_for_work(struct worker *w)
{
    struct why why = WHY_INIT;
    enum err e = pg_wait_notify_or(w->pg, LONGEST_WAIT, w->runner->stop_fd, NULL, 0, &why);

    /* One look at the table answers all that has come by now. */
    while (e == OK)
        e = pg_wait_notify_or(w->pg, 0, -1, NULL, 0, &why);
    if (e != ERR_UNAVAILABLE || atomic_load(&w->runner->stopping))
        return;
    if ((e = pg_listen(w->pg, JOB_CHANNEL, &why)) == OK)
        return;                /* what was sent meanwhile is found by the next take */
    LOG_WARN_EV("job.database_away", LF_ERR(e), LF_WHY(&why));
    pg_pause(LONGEST_WAIT, w->runner->stop_fd);
}

static void *
work(void *arg)
{
    struct worker *w = arg;

    while (!atomic_load(&w->runner->stopping)) {
        struct why why = WHY_INIT;
        enum err e = job_run_one(w->pg, w->runner->kinds, &w->runner->wanted, 0, &why);

        if (e == OK)
            continue;
        if (e != ERR_NOT_FOUND && e != ERR_UNAVAILABLE)
            LOG_ERROR_EV("job.take_failed", LF_ERR(e), LF_WHY(&why));
        wait_for_work(w);
    }
    return NULL;
}

static enum err
start_worker(struct worker *w, const struct pg_config *conf, struct why *why)
{
    sigset_t all, before;
    enum err e;

    if ((e = pg_open(conf, &w->pg, why)) != OK || (e = pg_listen(w->pg, JOB_CHANNEL, why)) != OK)
        return e;
    /* Signals are the main thread's business. */
    CHECK(sigfillset(&all) == 0 && pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    w->started = pthread_create(&w->thread, NULL, work, w) == 0;
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    return w->started ? OK : why_set(why, ERR_UNAVAILABLE, "job runner: no thread");
}

enum err
job_runner_start(const struct pg_config *conf, const struct job_kind *kinds, size_t n, int threads,
                 struct job_runner **ret, struct why *why)
{
    struct job_runner *r;
    enum err e = OK;

    CHECK(threads > 0);
    r = mem_alloc(sizeof(*r));
    r->kinds = kinds;
    job_wanted_set(&r->wanted, kinds, n);
    r->workers = mem_alloc_array((size_t)threads, sizeof(*r->workers));
    r->n = threads;
    r->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (r->stop_fd < 0)
        e = why_set(why, ERR_UNAVAILABLE, "job runner: no descriptor");
    for (int i = 0; i < threads && e == OK; i++) {
        r->workers[i].runner = r;
        e = start_worker(&r->workers[i], conf, why);
    }
    if (e != OK) {
        job_runner_stop(r);
        return e;
    }
    *ret = r;
    return OK;
}

void
job_runner_stop(struct job_runner *r)
{
    uint64_t one = 1;

    if (r == NULL)
        return;
    atomic_store(&r->stopping, true);
    if (r->stop_fd >= 0)
        CHECK(write(r->stop_fd, &one, sizeof(one)) == (ssize_t)sizeof(one));
    for (int i = 0; i < r->n; i++) {
        if (r->workers[i].started)
            CHECK(pthread_join(r->workers[i].thread, NULL) == 0);
        pg_close(r->workers[i].pg);
    }
    if (r->stop_fd >= 0)
        (void)close(r->stop_fd);      /* an eventfd has nothing to lose */
    free(r->workers);
    free(r);
}
