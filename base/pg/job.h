/*
 * job: work that calls other machines or waits, kept in PostgreSQL (table job of the program's schema).
 *
 * A job is inserted in the transaction of the act that wants it, under a key: the same key twice is one job.
 * Workers take jobs with FOR UPDATE SKIP LOCKED under a lease, so that a killed worker's job is run again: handlers
 * are idempotent ("at least once"). Failures are retried 10 s, 1, 5, 15, 60 min, then hourly up to the job's life.
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

/* For acts that are not a single statement of their own. run_at: first try. life: given up after that long. */
MUST_USE enum err job_add(struct pg *pg, const char *kind, const char *key, struct str payload, utime now,
                          utime run_at, int64_t life, struct why *why);

/* OK: done. ERR_UNAVAILABLE: try again later. Anything else: given up, kept as dead with the reason. */
typedef enum err (*job_handler)(struct pg *pg, const struct job *job, void *arg, struct why *why);
struct job_kind {
    const char *kind;
    job_handler handler;
    int64_t lease;           /* microseconds a handler may take */
    void *arg;
};

struct job_runner;
/* Starts threads that take jobs of these kinds, woken by NOTIFY and at least every second. */
MUST_USE enum err job_runner_start(const struct pg_config *conf, const struct job_kind *kinds, size_t n,
                                   int threads, struct job_runner **ret, struct why *why);
void job_runner_stop(struct job_runner *r);     /* finishes what runs, joins, frees */

/* One pass on the caller's connection and clock, for tests and `--once`; returns how many were run. */
int job_run_due(struct pg *pg, const struct job_kind *kinds, size_t n, utime now);

#endif
