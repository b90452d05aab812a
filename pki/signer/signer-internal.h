/* signer-internal: what the files of the signer share. */
#ifndef PKI_SIGNER_SIGNER_INTERNAL_H
#define PKI_SIGNER_SIGNER_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "pki/authority/crl_due.h"
#include "pki/authority/issue.h"
#include "pki/client/client.h"
#include "pki/custody/unlock.h"
#include "pki/signer/signer.h"

#define SIGNER_SETS_MAX 32           /* activation secrets in use at a time */
#define SIGNER_PEERS_MAX 512
#define SIGNER_PEERS_OF_USER 128     /* connections of one user; one more ends the one of theirs that rested longest */
#define SIGNER_SCAN_MAX 256          /* requests that one scan takes */
#define SIGNER_TOKEN_BATCH 4         /* requests that one thread takes where there is a token: it signs them one by one, and nothing
                                        reserved waits for long; other threads sign beside it */

/* Authorities with the keys that are open; made anew when something changes, never edited. */
struct view {
    atomic_int refs;
    struct arena *a;
    struct issue_ca *cas;
    size_t n;
};

/* An activation secret and who keeps its shares. */
struct keyset {
    char set[37];
    int threshold, total;
    struct unlock *unlock;
};

enum peer_right { PEER_ISSUE = 1, PEER_CUSTODY = 2 };
struct peer {
    int fd;
    unsigned rights;                 /* enum peer_right */
    uid_t uid;
    utime since;                     /* monotonic: when it was last heard of; the socket's thread's */
    char line[SIGNER_LINE_MAX + 1];
    size_t len;                      /* read and not yet taken */
    atomic_bool busy;                /* a worker has its command: nothing is read */
    atomic_bool over;                /* to be closed */
};

struct task {
    struct task *next;
    struct peer *peer;               /* NULL: of the scanner */
    char line[SIGNER_LINE_MAX + 1];
};
struct task_queue {
    struct task *first, **last;
};

/* An authority whose key is in a token; lives as long as the signer. */
struct token_ca {
    struct token_ca *next;
    int ca_id;
    atomic_bool away;                /* the token does not answer */
    utime looked;                    /* monotonic: when it was last tried; the scanner's */
    bool told, refused, reload;      /* the log says that it is away; it refused the PIN; its key is to be loaded anew: all with
                                        sets_lock */
};

/* What this process knows of one shard's lists. */
struct list_state {
    int ca_id, shard;
    bool compared;                   /* with what is offered, since the database was reached: a backup may have been restored */
    int failures;                    /* in a row; 0: the last run went well, or there was none */
    utime again;                     /* monotonic: not before */
    enum err e;                      /* of the last failure, with what it said */
    struct why why;
};

struct signer {
    struct pki *pki;
    const struct pg_config *pg, *worker;
    char node[80];
    struct clock_guard clock;
    struct pg *scan_pg;              /* of the scanner, with the lock that makes this the only signer; its thread's */

    pthread_mutex_t sets_lock;       /* keyset and all in them */
    struct keyset sets[SIGNER_SETS_MAX];
    size_t nsets;
    struct token_ca *tokens;
    atomic_bool has_tokens;          /* there is, or was, one */

    pthread_mutex_t view_lock;
    pthread_cond_t view_free;        /* a view was released */
    struct view *view;               /* the one in force */
    int views;                       /* that live, with the one in force */

    pthread_mutex_t queue_lock;
    pthread_cond_t queue_filled;
    struct task_queue issues, others;    /* commands `issue ID`, which are taken several at a time; the others */
    size_t queued, working;
    size_t batches, batches_max;     /* of `issue` that are at work and wait for no token: few, so that what comes meanwhile gathers */

    pthread_mutex_t lists_run;       /* one run of lists at a time */
    utime lists_last;                /* monotonic: when the last one began; with lists_run */
    pthread_mutex_t lists_lock;      /* the two below */
    struct list_state *lists;
    size_t nlists;

    int listen_fd, wake_fd;          /* the socket; an eventfd that wakes its thread */
    uid_t *issuers;
    size_t nissuers;
    utime stranger_said;             /* monotonic: when the log last spoke of one; the socket's thread's */
    gid_t custodians;
    bool has_custodians;
    atomic_bool stop;                /* workers, scanner, timers */
    atomic_bool socket_stop;         /* later: the workers answer before the socket goes */
};

/* --- keys (keys.c) --------------------------------------------------------------------------------------------------- */

/* The view in force; never NULL. */
struct view *view_take(struct signer *s) MUST_USE;
void view_drop(struct signer *s, struct view *v);
bool view_has_key(const struct view *v);
/* Reads authorities and custodians again, locks what was idle too long, opens keys of secrets that are open. */
MUST_USE enum err keys_refresh(struct signer *s, struct pg *pg, struct why *why);
/* One share; *ret_missing: how many are still wanted. As unlock_add(). */
MUST_USE enum err keys_share(struct signer *s, struct pg *pg, struct share *share, utime now, int *ret_missing,
                             struct why *why);
/* Wipes every secret; returns when no thread uses a key any more. */
void keys_lock(struct signer *s);
/* Tries the keys in tokens: those that did not answer each time, the others now and then. The scanner's. */
void keys_probe(struct signer *s);
/* The key of this set did something. */
void keys_used(struct signer *s, const char *set);
/* Appends the lines of `status`. */
void keys_status(struct signer *s, struct buf *out);
void keys_done(struct signer *s);

/* --- work (work.c) --------------------------------------------------------------------------------------------------------- */

/* Queues a command; peer NULL: nobody is answered. */
void work_add(struct signer *s, struct peer *peer, const char *line);
/* "refused CODE", "later CODE", "unknown CODE". */
void work_failure(struct buf *out, enum err e, const struct why *why);
bool work_is_idle(struct signer *s);
void *work_run(void *signer);        /* a worker */
void work_stop(struct signer *s);    /* wakes all */
void work_drop(struct signer *s);    /* what nobody took; no worker runs */

/* --- the socket (socket.c) ----------------------------------------------------------------------------------------------------- */

MUST_USE enum err socket_open(struct signer *s, struct why *why);
void *socket_run(void *signer);
void socket_wake(struct signer *s);
void socket_close(struct signer *s);
/* Answers; a peer that does not read is given up. */
void peer_answer(struct peer *p, struct str text);

/* --- lists (lists.c) --------------------------------------------------------------------------------------------------------- */

void *lister_run(void *signer);      /* makes what is due */
/* The full list and the delta of an authority's shards, now; shard -1: of all. Appends the answer of `crl`. */
void lists_order(struct signer *s, struct pg *pg, const char *label, int shard, struct buf *out);
/* The failure of the last run of a shard; false: it went well. */
bool lists_failure(struct signer *s, int ca_id, int shard, enum err *ret, struct why *ret_why);

/* --- what a person must look at (watch.c) ------------------------------------------------------------------------------------- */

/* Raises the alarms whose cause is there, ends those whose cause has ended. As pki_worker. */
MUST_USE enum err watch_look(struct signer *s, struct pg *pg, utime now, struct why *why);

/* --- scanner and timers (timer.c) -------------------------------------------------------------------------------------------------- */

void *scanner_run(void *signer);
void *timer_run(void *signer);
void signer_nap(int64_t usec);
/* Before anything is signed: what a crash left becomes void, the clock guard learns the newest time. */
MUST_USE enum err timer_begin(struct signer *s, struct why *why);

#endif
