/*
 * job: work that calls other machines or waits, kept in PostgreSQL (table job of the program's schema,
 * migrations/common/job.sql).
 *
 * A job is inserted in the transaction of the act that wants it, under a key: the same key twice is one job, also after
 * it was done, as long as its row is kept (job_purge). Acts that are one statement call the SQL function job_add().
 * Workers take jobs with FOR UPDATE SKIP LOCKED under a lease, so that a killed worker's job is run again: handlers
 * are idempotent ("at least once"), and end within their lease. A worker whose lease has ended cannot end the job any
 * more. Failures are retried after 10 s, 1, 5, 15, 60 min, then hourly up to the job's life; then, and after any other
 * failure, the job is dead: kept with the reason until somebody looks (job_revive, job_purge).
 */
#ifndef BASE_PG_JOB_H
#define BASE_PG_JOB_H

#include "base/pg/pg.h"

extern const struct pg_stmts job_stmts;

struct job {
    int64_t id;
    const char *kind;        /* "mail.out", "saml.logout", … */
    const char *key;         /* unique per kind */
    struct str payload;      /* bytes; personal data in it is sealed by its owner */
    int tries;               /* including this one */
    utime created_at;
};

/*
 * For acts that are not a single statement of their own. run_at: first try. life: given up after that long. OK also when
 * the key is already there.
 */
MUST_USE enum err job_add(struct pg *pg, const char *kind, const char *key, struct str payload, utime now,
                          utime run_at, int64_t life, struct why *why);

/*
 * OK: done. ERR_UNAVAILABLE: try again later. Anything else: given up, kept as dead with the reason (why, which holds no
 * personal data). pg is the worker's connection, outside any transaction.
 */
typedef enum err (*job_handler)(struct pg *pg, const struct job *job, void *arg, struct why *why);
struct job_kind {
    const char *kind;
    job_handler handler;
    int64_t lease;           /* microseconds a handler may take */
    void *arg;
};
#define JOB_KINDS_MAX 64

struct job_runner;
/*
 * Starts threads that take jobs of these kinds, woken by NOTIFY and at least every second. conf (whose tables include
 * job_stmts) and kinds outlive the runner. Each thread has a connection of its own, opened before this returns.
 */
MUST_USE enum err job_runner_start(const struct pg_config *conf, const struct job_kind *kinds, size_t n,
                                   int threads, struct job_runner **ret, struct why *why);
void job_runner_stop(struct job_runner *r);     /* finishes what runs, joins, frees; NULL is allowed */

/*
 * One pass on the caller's connection and clock, for tests and `--once`; returns how many were run. A database that goes
 * away ends the pass (logged).
 */
int job_run_due(struct pg *pg, const struct job_kind *kinds, size_t n, utime now);

/* For the metrics and the operator's pages. */
struct job_stats {
    int64_t due;             /* could be taken now */
    int64_t oldest_due;      /* microseconds since the oldest of them became due; 0 when none */
    int64_t waiting;         /* later: retries, running jobs, jobs for another day */
    int64_t dead;
};
MUST_USE enum err job_stats(struct pg *pg, utime now, struct job_stats *ret, struct why *why);

/* A dead job is due again, for that long. ERR_NOT_FOUND: no dead job has this kind and key. */
MUST_USE enum err job_revive(struct pg *pg, const char *kind, const char *key, utime now, int64_t life,
                             struct why *why);
/* Removes jobs done before done_before and dead before dead_before, 10 000 at most; their keys are free again. */
MUST_USE enum err job_purge(struct pg *pg, utime done_before, utime dead_before, int64_t *ret_removed,
                            struct why *why);

#endif
