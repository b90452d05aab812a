/* signer: see signer.h. Starts the threads in an order in which nothing is signed too early, and ends them in reverse. */
#include "pki/signer/signer-internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/core/log.h"
#include "base/pg/audit.h"
#include "pki/authority/certificate.h"

#define THREADS_PER_CORE 8
#define LOCK_PATIENCE (15 * USEC_PER_SEC)      /* the server notices that a killed signer's connection is gone */

static enum err
init(struct signer *s, struct pki *pki, const struct pg_config *pg, const struct pg_config *worker, struct why *why)
{
    enum err e;

    s->pki = pki;
    s->pg = pg;
    s->worker = worker;
    s->issues.last = &s->issues.first;
    s->others.last = &s->others.first;
    s->listen_fd = s->wake_fd = -1;
    CHECK(pthread_mutex_init(&s->sets_lock, NULL) == 0 && pthread_mutex_init(&s->view_lock, NULL) == 0 &&
          pthread_cond_init(&s->view_free, NULL) == 0 && pthread_mutex_init(&s->queue_lock, NULL) == 0 &&
          pthread_cond_init(&s->queue_filled, NULL) == 0 && pthread_mutex_init(&s->lists_run, NULL) == 0 &&
          pthread_mutex_init(&s->lists_lock, NULL) == 0);
    if ((size_t)snprintf(s->node, sizeof(s->node), "%s/signer", pki->conf.name) >= sizeof(s->node))
        return why_set(why, ERR_INPUT, "name: too long");
    /* Keys are in this memory (PKI §6.2): none of it goes to a disk. Core dumps are off in all programs. */
    if ((e = process_lock_memory(why)) != OK && pki->conf.environment == ENVIRONMENT_PRODUCTION)
        return e;
    if (e != OK) {
        LOG_WARN_EV("signer.memory", LF_WHY(why));
        *why = (struct why)WHY_INIT;
    }
    return OK;
}

static void
done(struct signer *s)
{
    keys_done(s);
    work_drop(s);
    socket_close(s);
    pg_close(s->scan_pg);
    free(s->lists);
    pthread_mutex_destroy(&s->lists_lock);
    pthread_mutex_destroy(&s->lists_run);
    pthread_cond_destroy(&s->queue_filled);
    pthread_mutex_destroy(&s->queue_lock);
    pthread_cond_destroy(&s->view_free);
    pthread_mutex_destroy(&s->view_lock);
    pthread_mutex_destroy(&s->sets_lock);
    free(s);
}
DEFINE_FREEP(struct signer, done)

/* Held as long as pg is open. */
static enum err
one_signer(struct pg *pg, struct why *why)
{
    const struct timespec t = { 0, 200 * 1000 * 1000 };
    const utime until = clock_monotonic() + LOCK_PATIENCE;
    enum err e;

    while ((e = certificate_signer_lock(pg, why)) == ERR_CONFLICT && clock_monotonic() < until)
        nanosleep(&t, NULL);
    return e;
}

static void
serve(struct signer *s, const struct process *process)
{
    const int64_t asked = s->pki->conf.signer_threads;
    const size_t n = asked > 0 ? (size_t)asked : THREADS_PER_CORE * (size_t)sysconf(_SC_NPROCESSORS_ONLN);
    AUTO(mem_freep) pthread_t *workers = mem_alloc_array(n, sizeof(*workers));
    pthread_t at_socket, scanner, lister, timer;

    s->batches_max = (size_t)sysconf(_SC_NPROCESSORS_ONLN);
    for (size_t i = 0; i < n; i++)
        CHECK(pthread_create(&workers[i], NULL, work_run, s) == 0);
    CHECK(pthread_create(&at_socket, NULL, socket_run, s) == 0 && pthread_create(&scanner, NULL, scanner_run, s) == 0 &&
          pthread_create(&lister, NULL, lister_run, s) == 0 && pthread_create(&timer, NULL, timer_run, s) == 0);
    LOG_INFO_EV("signer.ready", LF_STR("socket", s->pki->conf.signer_socket), LF_INT("threads", n));
    process_wait(process, NULL, NULL);
    work_stop(s);
    for (size_t i = 0; i < n; i++)
        pthread_join(workers[i], NULL);
    pthread_join(scanner, NULL);
    pthread_join(lister, NULL);
    pthread_join(timer, NULL);
    atomic_store(&s->socket_stop, true);
    socket_wake(s);
    pthread_join(at_socket, NULL);
}

enum err
signer_run(struct pki *pki, const struct process *process, const struct pg_config *pg, const struct pg_config *worker,
           struct why *why)
{
    AUTO(donep) struct signer *s = mem_alloc(sizeof(*s));
    struct audit_sealer *sealer = NULL;
    enum err e;

    if ((e = init(s, pki, pg, worker, why)) != OK || (e = pg_open(pg, &s->scan_pg, why)) != OK ||
        (e = one_signer(s->scan_pg, why)) != OK || (e = timer_begin(s, why)) != OK ||
        (e = keys_refresh(s, s->scan_pg, why)) != OK || (e = socket_open(s, why)) != OK ||
        (e = audit_sealer_start(worker, pki->audit_key, &sealer, why)) != OK)
        return e;
    serve(s, process);
    audit_sealer_stop(sealer);
    return OK;
}
