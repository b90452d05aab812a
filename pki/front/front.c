/* front: see front.h. Starts what runs beside the server, and ends it after. */
#include "pki/front/front-internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/core/log.h"
#include "base/pg/audit.h"
#include "base/pg/job.h"
#include "pki/authority/alarm.h"
#include "pki/authority/person.h"
#include "pki/authority/request.h"
#include "pki/front/notice.h"

#define THREADS_PER_CORE 8
#define QUEUE_PER_THREAD 16
#define HEARTBEAT (5 * USEC_PER_SEC)
#define SIGNER_PATIENCE (5 * USEC_PER_SEC)

const struct pg_stmts *const front_stmts[] = {
    &audit_stmts, &station_stmts, &front_own_stmts, &registration_stmts, &request_stmts, &certificate_stmts, &ca_stmts,
    &revocation_stmts, &approval_stmts, &grant_stmts, &pki_person_stmts, &alarm_stmts, NULL,
};

const struct pg_stmts *const front_mail_stmts[] = { &job_stmts, &notice_stmts, NULL };

/* --- the heartbeat ------------------------------------------------------------------------------------------------------------ */

struct heart {
    struct front *front;
    const struct pg_config *pg;
    atomic_bool stop;
    pthread_t thread;
};

/* One key that is open is enough to say open: which one a request needs is the signer's to say. */
static const char *
signer_look(struct signer_client *c)
{
    AUTO(buf_free) struct buf lines = BUF_BOUNDED(64 * 1024);

    if (signer_status(c, &lines, NULL) != OK)
        return "away";
    return memmem(lines.data, lines.len, " open\n", 6) != NULL ? "open" : "locked";
}

static void *
heart_run(void *arg)
{
    struct heart *h = arg;
    struct front *f = h->front;
    AUTO(signer_client_freep) struct signer_client *signer = signer_client_new(f->pki->conf.signer_socket, SIGNER_PATIENCE);
    AUTO(pg_closep) struct pg *pg = NULL;
    utime next = 0;
    bool down = false;

    while (!atomic_load(&h->stop)) {
        const struct timespec nap = { 0, 100 * 1000 * 1000 };
        struct why why = WHY_INIT;
        char state[48];
        enum err e;

        nanosleep(&nap, NULL);
        if (clock_monotonic() < next)
            continue;
        next = clock_monotonic() + HEARTBEAT;
        atomic_store(&f->signer_state, signer_look(signer));
        snprintf(state, sizeof(state), "signer %s", atomic_load(&f->signer_state));
        if ((e = pg == NULL ? pg_open(h->pg, &pg, &why) : OK) == OK)
            e = node_say(pg, f->node, "front", state, clock_now(), &why);
        if (e != OK && !down)
            LOG_ERROR_EV("front.heartbeat", LF_ERR(e), LF_WHY(&why));
        down = e != OK;
    }
    return NULL;
}

/* --- the server ------------------------------------------------------------------------------------------------------------------ */

static size_t
issue_threads(const struct pki_conf *c)
{
    return c->front_issue_threads > 0 ? (size_t)c->front_issue_threads
                                      : THREADS_PER_CORE * (size_t)sysconf(_SC_NPROCESSORS_ONLN);
}

static enum err
serve(struct front *f, const struct process *process, const struct pg_config *pg, struct why *why)
{
    const struct pki_conf *c = &f->pki->conf;
    const struct http_tls tls = { .cert_file = c->front_tls_cert, .key_file = c->front_tls_key,
                                  .client_ca_file = c->front_client_ca, .client_required = true };
    AUTO(mem_freep) struct http_listener *list = mem_alloc_array(c->front_listen.n + 1, sizeof(*list));
    struct http_server_config conf = {
        .listeners = list, .pg = pg, .threads = (int)c->threads, .slow_threads = (int)issue_threads(c),
        .slow_queue = QUEUE_PER_THREAD * (int)issue_threads(c), .csrf_key = f->pki->csrf_key.data,
        .trusted_proxies = (const char *const *)c->trusted_proxies.items, .app = f,
    };

    conf.nlisteners = process_listeners(list, 0, &c->front_listen, &tls, front_routes, c->front_url);
    return process_serve(process, &conf, c->front_url, why);
}

static void
front_done(struct front *f)
{
    signer_line_free(f->signers);
    lanes_free(f->lanes);
}

enum err
front_run(struct pki *pki, const struct process *process, const struct pg_config *pg, const struct pg_config *mail,
          struct why *why)
{
    AUTO(front_done) struct front f = { .pki = pki };
    struct heart heart = { .front = &f, .pg = pg };
    struct notices *notices;
    enum err e;

    if (pki->conf.front_listen.n == 0)
        return why_set(why, ERR_INPUT, "front.listen is not set");
    if ((size_t)snprintf(f.node, sizeof(f.node), "%s/front", pki->conf.name) >= sizeof(f.node))
        return why_set(why, ERR_INPUT, "name: too long");
    f.lanes = lanes_new(&pki->conf);
    f.signers = signer_line_new(pki->conf.signer_socket, issue_threads(&pki->conf));
    atomic_store(&f.signer_state, "away");
    if ((e = notices_start(pki, mail, &notices, why)) != OK)
        return e;
    CHECK(pthread_create(&heart.thread, NULL, heart_run, &heart) == 0);
    e = serve(&f, process, pg, why);
    atomic_store(&heart.stop, true);
    pthread_join(heart.thread, NULL);
    notices_stop(notices);
    return e;
}
