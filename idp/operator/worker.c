/*
 * worker: mail in (LMTP), jobs (mail out and what accounts left behind), the audit sealer, the purges, and the lists of
 * revoked certificates. Several may run: jobs and lists are leased, the sealer takes turns, the purges are idempotent. It reads what strangers send, and so holds no
 * key that speaks to services: those are told by the notifier (notifier.c).
 */
#include "idp/operator/operator.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/core/log.h"
#include "base/pg/audit.h"
#include "base/pg/job.h"
#include "base/program/process.h"
#include "idp/account/account.h"
#include "idp/activation/activation.h"
#include "idp/credential/trust.h"
#include "idp/operator/purge.h"
#include "idp/signon/signon.h"

#define MAIL_MAX (2 * 1024 * 1024)     /* as the MTA: what is above 1 MiB is taken and dropped, never bounced */
#define MAIL_THREADS 2
#define JOB_THREADS 2
#define PURGE_PERIOD (60 * USEC_PER_SEC)
#define JOBS_DONE_KEPT (8 * USEC_PER_DAY)      /* longer than any job lives, so that a key is not free again too early */
#define JOBS_DEAD_KEPT (90 * USEC_PER_DAY)

struct worker {
    struct idp *idp;
    struct pg_config pg;
    struct pg_pool *pool;          /* for the LMTP threads */
    atomic_bool stop;
};

/* --- mail in ------------------------------------------------------------------------------------------------------------ */

static enum err
mail_in(const struct lmtp_delivery *d, void *arg, struct why *why)
{
    struct worker *w = arg;
    struct pg *pg = NULL;
    enum err e;

    if ((e = pg_pool_take(w->pool, 5 * USEC_PER_SEC, &pg, why)) != OK)
        return ERR_UNAVAILABLE;
    e = activation_mail_receive(w->idp, pg, d, clock_now(), why);
    pg_pool_give(w->pool, pg);
    return e;
}

static bool
is_lower_equal(const char *a, const char *b)
{
    return str_ieqs(str_of(a), b);
}

static bool
recipient_known(const char *recipient, void *arg)
{
    const struct worker *w = arg;

    return is_lower_equal(recipient, w->idp->conf.mail_address);
}

/* --- purges --------------------------------------------------------------------------------------------------- */

static void
nap(int64_t usec)
{
    struct timespec t = { usec / USEC_PER_SEC, (usec % USEC_PER_SEC) * 1000 };

    nanosleep(&t, NULL);
}

static enum err
keep_house(struct pg *pg, utime *next_purge, struct why *why)
{
    utime now = clock_now();
    int64_t removed;
    int expired, over;
    enum err e;

    if (now < *next_purge && *next_purge - now <= PURGE_PERIOD)      /* a clock moved back waits for nothing */
        return OK;
    *next_purge = now + PURGE_PERIOD;
    if ((e = account_expire_due(pg, now, &expired, why)) != OK || (e = account_timeout_due(pg, now, &over, why)) != OK ||
        (e = job_purge(pg, now - JOBS_DONE_KEPT, now - JOBS_DEAD_KEPT, &removed, why)) != OK)
        return e;
    return purge_run(pg, now, false, NULL, why);
}

static void *
housekeeper(void *arg)
{
    struct worker *w = arg;
    AUTO(pg_closep) struct pg *pg = NULL;
    utime next_purge = 0;
    bool down = false;

    while (!atomic_load(&w->stop)) {
        struct why why = WHY_INIT;
        enum err e = OK;

        if (pg == NULL)
            e = pg_open(&w->pg, &pg, &why);
        if (e == OK)
            e = keep_house(pg, &next_purge, &why);
        if (e != OK && !down)
            LOG_ERROR_EV("worker.housekeeping", LF_ERR(e), LF_WHY(&why));
        down = e != OK;
        nap(500 * 1000);
    }
    return NULL;
}

/* --- lists of revoked certificates -------------------------------------------------------------------------------- */

/* In a thread of its own: an authority that is slow keeps nothing else waiting. */
static void *
lists_keeper(void *arg)
{
    struct worker *w = arg;
    const struct trust_fetch fetch = operator_trust_fetch(w->idp);
    AUTO(pg_closep) struct pg *pg = NULL;
    bool down = false;

    while (!atomic_load(&w->stop)) {
        struct why why = WHY_INIT;
        bool done = false;
        enum err e = OK;

        if (pg == NULL)
            e = pg_open(&w->pg, &pg, &why);
        if (e == OK)
            e = trust_crl_turn(pg, &fetch, clock_now(), &done, &why);
        if (e != OK && !down)
            LOG_ERROR_EV("worker.lists", LF_ERR(e), LF_WHY(&why));
        down = e != OK;
        if (!done)
            nap(500 * 1000);
    }
    return NULL;
}

/* --- start and stop ---------------------------------------------------------------------------------------------------------- */

static enum err
run(struct worker *w, const struct process *process, struct why *why)
{
    const struct job_kind kinds[] = {
        { MAIL_OUT_JOB, mail_out_job, 60 * USEC_PER_SEC, w->idp },
        { ACCOUNT_LEFT_JOB, session_account_left_job, 30 * USEC_PER_SEC, w->idp },
        { ACCOUNT_BLOCKED_JOB, activation_block_notice_job, 30 * USEC_PER_SEC, w->idp },
    };
    struct lmtp_config lmtp = { .listen = w->idp->conf.mail_lmtp_listen, .message_max = MAIL_MAX,
                                .threads = MAIL_THREADS, .handler = mail_in, .recipient_known = recipient_known,
                                .arg = w };
    struct lmtp_server *server = NULL;
    struct audit_sealer *sealer = NULL;
    struct job_runner *runner = NULL;
    pthread_t house, lists;
    enum err e;

    if ((e = pg_pool_new(&w->pg, MAIL_THREADS, &w->pool, why)) != OK)
        return e;
    if ((e = job_runner_start(&w->pg, kinds, ARRAY_LEN(kinds), JOB_THREADS, &runner, why)) == OK &&
        (e = audit_sealer_start(&w->pg, w->idp->audit_key, &sealer, why)) == OK && lmtp.listen[0] != '\0')
        e = lmtp_start(&lmtp, &server, why);
    if (e == OK) {
        CHECK(pthread_create(&house, NULL, housekeeper, w) == 0);
        CHECK(pthread_create(&lists, NULL, lists_keeper, w) == 0);
        LOG_INFO_EV("worker.ready", LF_STR("lmtp", lmtp.listen));
        process_wait(process, NULL, NULL);
        if (server != NULL)
            lmtp_stop(server);
        atomic_store(&w->stop, true);
        pthread_join(house, NULL);
        pthread_join(lists, NULL);
    }
    job_runner_stop(runner);
    audit_sealer_stop(sealer);
    pg_pool_free(w->pool);
    return e;
}

int
operator_worker(int argc, char **argv)
{
    AUTO(idp_freep) struct idp *idp = NULL;
    struct worker w = { .idp = NULL };
    struct process process;
    struct why why = WHY_INIT;
    enum err e;
    int status;

    if ((status = process_begin(argc, argv, "worker", "worker", false, &process)) != 0)
        return status;
    if ((e = idp_load(process.config, IDP_NEED_WORKER | IDP_NEED_PAGES, &idp, &why)) != OK)
        return command_fail(process.config, e, &why);
    w.idp = idp;
    w.pg = command_pg_config(process.database != NULL ? process.database : idp->conf.database, idp_all_stmts);
    atomic_init(&w.stop, false);
    e = run(&w, &process, &why);
    return e == OK ? 0 : command_fail("worker", e, &why);
}
