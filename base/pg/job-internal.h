/* job-internal: shared by the queue's rules (job.c), its SQL (job_store.c) and its threads (job_runner.c). */
#ifndef BASE_PG_JOB_INTERNAL_H
#define BASE_PG_JOB_INTERNAL_H

#include "base/pg/job.h"

/* The kinds as the take statement wants them. */
struct job_wanted {
    const char *names[JOB_KINDS_MAX];
    int64_t leases[JOB_KINDS_MAX];
    size_t n;
};

/* A job that was taken; job points into rows. */
struct job_taken {
    struct pg_result *rows;
    struct job job;
    utime give_up_at;
    const char *last_reason;
};
void job_taken_done(struct job_taken *t);

/* ERR_NOT_FOUND: nothing is due. */
MUST_USE enum err job_store_take(struct pg *pg, const struct job_wanted *wanted, utime now, struct job_taken *ret,
                                 struct why *why);
/* These three: ERR_NOT_FOUND when the lease has ended and another worker has the job. */
MUST_USE enum err job_store_done(struct pg *pg, const struct job *job, utime now, struct why *why);
MUST_USE enum err job_store_retry(struct pg *pg, const struct job *job, utime run_at, const char *reason,
                                  struct why *why);
MUST_USE enum err job_store_dead(struct pg *pg, const struct job *job, utime now, const char *reason,
                                 struct why *why);

void job_wanted_set(struct job_wanted *w, const struct job_kind *kinds, size_t n);
/* Takes one job and runs it. now 0: the clock is read. ERR_NOT_FOUND: nothing is due. */
MUST_USE enum err job_run_one(struct pg *pg, const struct job_kind *kinds, const struct job_wanted *wanted, utime now,
                              struct why *why);

#endif
