/* job_store: the SQL of the job queue. */
#include "base/pg/job-internal.h"

enum { ADD, TAKE_ONE, DONE, RETRY, DEAD, STATS, REVIVE, PURGE };
static const struct pg_stmt list[] = {
    [ADD] = { "job.add",
              "INSERT INTO job (kind, key, payload, created_at, run_at, give_up_at)"
              " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (kind, key) DO NOTHING", 6 },
    [TAKE_ONE] = { "job.take",
                   "WITH wanted AS (SELECT w.kind, w.lease FROM unnest($1::text[], $2::int8[]) AS w (kind, lease)),"
                   " due AS (SELECT j.id, w.lease FROM job j JOIN wanted w USING (kind)"
                   "  WHERE j.state = 'due' AND j.run_at <= $3 ORDER BY j.run_at, j.id LIMIT 1"
                   "  FOR UPDATE OF j SKIP LOCKED)"
                   " UPDATE job j SET tries = j.tries + 1, run_at = $3 + due.lease * interval '1 microsecond'"
                   " FROM due WHERE j.id = due.id"
                   " RETURNING j.id, j.kind, j.key, j.payload, j.tries, j.created_at, j.give_up_at, j.reason", 3 },
    [DONE] = { "job.done",
               "UPDATE job SET state = 'done', ended_at = $3, payload = '', reason = ''"
               " WHERE id = $1 AND tries = $2::int4 AND state = 'due'", 3 },
    [RETRY] = { "job.retry",
                "UPDATE job SET run_at = $3, reason = $4 WHERE id = $1 AND tries = $2::int4 AND state = 'due'", 4 },
    [DEAD] = { "job.dead",
               "UPDATE job SET state = 'dead', ended_at = $3, reason = $4"
               " WHERE id = $1 AND tries = $2::int4 AND state = 'due'", 4 },
    [STATS] = { "job.stats",
                "SELECT (SELECT count(*) FROM job WHERE state = 'due' AND run_at <= $1),"
                " (SELECT min(run_at) FROM job WHERE state = 'due' AND run_at <= $1),"
                " (SELECT count(*) FROM job WHERE state = 'due' AND run_at > $1),"
                " (SELECT count(*) FROM job WHERE state = 'dead')", 1 },
    [REVIVE] = { "job.revive",
                 "UPDATE job SET state = 'due', tries = 0, run_at = $3, give_up_at = $4, ended_at = NULL"
                 " WHERE kind = $1 AND key = $2 AND state = 'dead'", 4 },
    [PURGE] = { "job.purge",
                "DELETE FROM job WHERE id IN (SELECT id FROM job WHERE (state = 'done' AND ended_at < $1)"
                " OR (state = 'dead' AND ended_at < $2) LIMIT 10000)", 2 },
};
const struct pg_stmts job_stmts = PG_STMTS(list);

enum err
job_add(struct pg *pg, const char *kind, const char *key, struct str payload, utime now, utime run_at, int64_t life,
        struct why *why)
{
    struct pg_args a = PG_ARGS_INIT;

    CHECK(life > 0);
    pg_arg_text(&a, kind);
    pg_arg_text(&a, key);
    pg_arg_bytes(&a, payload.p == NULL ? "" : payload.p, payload.n);
    pg_arg_time(&a, now);
    pg_arg_time(&a, run_at);
    pg_arg_time(&a, now + life);
    return pg_post(pg, &list[ADD], &a, why);
}

void
job_taken_done(struct job_taken *t)
{
    pg_result_free(t->rows);
    t->rows = NULL;
}

enum err
job_store_take(struct pg *pg, const struct job_wanted *wanted, utime now, struct job_taken *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args a = PG_ARGS_INIT;
    enum err e;

    pg_arg_texts(&a, wanted->names, wanted->n);
    pg_arg_i64s(&a, wanted->leases, wanted->n);
    pg_arg_time(&a, now);
    if ((e = pg_exec(pg, &list[TAKE_ONE], &a, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_set(why, ERR_NOT_FOUND, "no job is due");
    ret->job = (struct job){
        .id = pg_i64(r, 0, 0), .kind = pg_text(r, 0, 1), .key = pg_text(r, 0, 2), .payload = pg_str(r, 0, 3),
        .tries = (int)pg_i64(r, 0, 4), .created_at = pg_time(r, 0, 5),
    };
    ret->give_up_at = pg_time(r, 0, 6);
    ret->last_reason = pg_text(r, 0, 7);
    ret->rows = TAKE(r);
    return OK;
}

/* Ends a try: $1 and $2 are the job and the try, which no other worker has since begun. */
static enum err
end_try(struct pg *pg, const struct pg_stmt *stmt, const struct job *job, utime at, const char *reason,
        struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args a = PG_ARGS_INIT;
    enum err e;

    pg_arg_i64(&a, job->id);
    pg_arg_i32(&a, job->tries);
    pg_arg_time(&a, at);
    if (reason != NULL)
        pg_arg_text(&a, reason);
    if ((e = pg_exec(pg, stmt, &a, &r, why)) != OK)
        return e;
    if (pg_affected(r) == 0)
        return why_set(why, ERR_NOT_FOUND, "the lease has ended: another worker has the job");
    return OK;
}

enum err
job_store_done(struct pg *pg, const struct job *job, utime now, struct why *why)
{
    return end_try(pg, &list[DONE], job, now, NULL, why);
}

enum err
job_store_retry(struct pg *pg, const struct job *job, utime run_at, const char *reason, struct why *why)
{
    return end_try(pg, &list[RETRY], job, run_at, reason, why);
}

enum err
job_store_dead(struct pg *pg, const struct job *job, utime now, const char *reason, struct why *why)
{
    return end_try(pg, &list[DEAD], job, now, reason, why);
}

enum err
job_stats(struct pg *pg, utime now, struct job_stats *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args a = PG_ARGS_INIT;
    enum err e;

    pg_arg_time(&a, now);
    if ((e = pg_exec(pg, &list[STATS], &a, &r, why)) != OK)
        return e;
    *ret = (struct job_stats){
        .due = pg_i64(r, 0, 0), .oldest_due = pg_is_null(r, 0, 1) ? 0 : now - pg_time(r, 0, 1),
        .waiting = pg_i64(r, 0, 2), .dead = pg_i64(r, 0, 3),
    };
    return OK;
}

enum err
job_revive(struct pg *pg, const char *kind, const char *key, utime now, int64_t life, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args a = PG_ARGS_INIT;
    enum err e;

    pg_arg_text(&a, kind);
    pg_arg_text(&a, key);
    pg_arg_time(&a, now);
    pg_arg_time(&a, now + life);
    if ((e = pg_exec(pg, &list[REVIVE], &a, &r, why)) != OK)
        return e;
    if (pg_affected(r) == 0)
        return why_set(why, ERR_NOT_FOUND, "no dead job %s %s", kind, key);
    return OK;
}

enum err
job_purge(struct pg *pg, utime done_before, utime dead_before, int64_t *ret_removed, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args a = PG_ARGS_INIT;
    enum err e;

    pg_arg_time(&a, done_before);
    pg_arg_time(&a, dead_before);
    if ((e = pg_exec(pg, &list[PURGE], &a, &r, why)) != OK)
        return e;
    *ret_removed = pg_affected(r);
    return OK;
}
