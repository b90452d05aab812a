/*
 * audit_seal: binding rows to the chain.
 *
 * A row may be sealed when its transaction has ended, which is certain below the oldest that still runs; rows of a slow
 * transaction are sealed after younger ones, so the chain has an order of its own and seq has none to keep. The next
 * search starts at the horizon of the last checkpoint. Transaction numbers belong to a cluster: after a dump was
 * restored into another one they start low again, so a checkpoint notes the cluster, and a changed cluster means one
 * search among all rows.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/core/enc.h"
#include "base/core/log.h"
#include "base/pg/audit-internal.h"
#include "base/pg/pg-internal.h"

struct sealing {
    struct key *signer;
    utime now;
    utime last_at;                          /* of the checkpoint before, 0 when none */
    struct audit_checkpoint checkpoint;     /* n 0: nothing was sealed */
};

/* Fills what follows from the last checkpoint and the rows found. */
static enum err
next_checkpoint(struct pg *pg, struct sealing *s, struct why *why)
{
    struct audit_checkpoint *c = &s->checkpoint;
    struct audit_last last;
    int64_t horizon = 0;
    bool moved, full;
    enum err e;

    if ((e = audit_store_last(pg, &last, why)) != OK)
        return e;
    moved = last.cluster != last.cluster_now || last.went_back;
    e = audit_store_sealable(pg, last.horizon, moved, AUDIT_SEAL_ROWS, c, &horizon, why);
    if (e != OK || c->n == 0)
        return e;
    full = c->n == AUDIT_SEAL_ROWS;
    c->number = last.number + 1;
    c->at = s->now;
    /* While rows of the former cluster may be left, the next search is among all rows again. */
    c->cluster = moved && full ? last.cluster : last.cluster_now;
    c->horizon = moved && full ? last.horizon : horizon;
    s->last_at = last.number == 0 ? 0 : last.at;
    audit_checkpoint_chain(c, last.chain, c->chain);
    return OK;
}

static enum err
seal_body(struct pg *pg, void *arg, struct why *why)
{
    AUTO(buf_free) struct buf signature = BUF_BOUNDED(1024);
    struct sealing *s = arg;
    char text[AUDIT_SIGNED_LEN], key_id[44];
    bool locked = false;
    enum err e;

    audit_checkpoint_done(&s->checkpoint);      /* of a run that collided */
    s->checkpoint.n = 0;
    if ((e = audit_store_lock(pg, &locked, why)) != OK || !locked)
        return e;
    if ((e = next_checkpoint(pg, s, why)) != OK || s->checkpoint.n == 0)
        return e;
    audit_signed_text(s->checkpoint.chain, text);
    key_thumbprint(s->signer, key_id);
    if ((e = key_sign(s->signer, KEY_AUDIT_SIGN, audit_sig_alg(s->signer), (struct str){ text, sizeof(text) }, false,
                      &signature, why)) != OK)
        return e;
    return audit_store_seal(pg, &s->checkpoint, key_id, &signature, why);
}

/* Once an hour, the head of the chain leaves the database. */
static void
log_head(const struct sealing *s)
{
    AUTO(buf_free) struct buf hex = BUF_BOUNDED(2 * SHA256_LEN);

    if (s->last_at / USEC_PER_HOUR == s->now / USEC_PER_HOUR)
        return;
    hex_encode(&hex, s->checkpoint.chain, SHA256_LEN);
    LOG_INFO_EV("audit.head", LF_INT("checkpoint", s->checkpoint.number), LF_STR("chain", buf_cstr(&hex)));
}

enum err
audit_seal(struct pg *pg, struct key *signer, utime now, int *ret_sealed, struct why *why)
{
    struct sealing s = { .signer = signer, .now = now, .checkpoint = AUDIT_CHECKPOINT_INIT };
    bool pending = false;
    enum err e;

    if ((e = audit_store_pending(pg, &pending, why)) == OK && pending)
        e = pg_tx(pg, seal_body, &s, why);
    if (e == OK) {
        *ret_sealed = (int)s.checkpoint.n;
        if (s.checkpoint.n > 0)
            log_head(&s);
    }
    audit_checkpoint_done(&s.checkpoint);
    return e;
}

/* --- the thread --- */
#define SEAL_PERIOD (USEC_PER_SEC / 2)

struct audit_sealer {
    struct pg *pg;
    struct key *signer;
    pthread_t thread;
    int stop_fd;
    atomic_bool stopping;
};

/* Seals until nothing is left to seal. */
static enum err
seal_all(struct audit_sealer *s, struct why *why)
{
    int sealed;
    enum err e;

    do {
        sealed = 0;
        e = audit_seal(s->pg, s->signer, clock_now(), &sealed, why);
    } while (e == OK && sealed == AUDIT_SEAL_ROWS);
    return e;
}

static void *
seal_run(void *arg)
{
    struct audit_sealer *s = arg;
    utime next_word = 0;

    for (;;) {
        bool last = atomic_load(&s->stopping);
        struct why why = WHY_INIT;
        enum err e = seal_all(s, &why);

        if (e != OK && clock_monotonic() >= next_word) {
            LOG_ERROR_EV("audit.unsealed", LF_ERR(e), LF_WHY(&why));
            next_word = clock_monotonic() + USEC_PER_MIN;
        }
        if (last)
            return NULL;
        pg_pause(SEAL_PERIOD, s->stop_fd);
    }
}

static enum err
start_thread(struct audit_sealer *s, struct why *why)
{
    sigset_t all, before;
    bool started;

    /* Signals are the main thread's business. */
    CHECK(sigfillset(&all) == 0 && pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    started = pthread_create(&s->thread, NULL, seal_run, s) == 0;
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    return started ? OK : why_set(why, ERR_UNAVAILABLE, "audit sealer: no thread");
}

static void
sealer_free(struct audit_sealer *s)
{
    pg_close(s->pg);
    if (s->stop_fd >= 0)
        (void)close(s->stop_fd);       /* an eventfd has nothing to lose */
    free(s);
}
DEFINE_FREEP(struct audit_sealer, sealer_free)

enum err
audit_sealer_start(const struct pg_config *conf, struct key *signer, struct audit_sealer **ret, struct why *why)
{
    AUTO(sealer_freep) struct audit_sealer *s = mem_alloc(sizeof(*s));
    enum err e;

    s->signer = signer;
    s->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->stop_fd < 0)
        return why_set(why, ERR_UNAVAILABLE, "audit sealer: no descriptor");
    if ((e = pg_open(conf, &s->pg, why)) != OK || (e = start_thread(s, why)) != OK)
        return e;
    *ret = TAKE(s);
    return OK;
}

void
audit_sealer_stop(struct audit_sealer *s)
{
    uint64_t one = 1;

    if (s == NULL)
        return;
    atomic_store(&s->stopping, true);
    CHECK(write(s->stop_fd, &one, sizeof(one)) == (ssize_t)sizeof(one));
    CHECK(pthread_join(s->thread, NULL) == 0);
    sealer_free(s);
}
