/*
 * job: the rules of a try. Taking a job counts the try and moves run_at to the end of the lease; ending it names the
 * try, so that a worker that was too slow ends nothing. See job.h.
 */
#include "base/core/log.h"
#include "base/core/text.h"
#include "base/pg/job-internal.h"

#define REASON_MAX 400

/* After the first, second, … failed try; the last stands for all that follow. */
static const int64_t delays[] = {
    10 * USEC_PER_SEC, USEC_PER_MIN, 5 * USEC_PER_MIN, 15 * USEC_PER_MIN, USEC_PER_HOUR,
};

static int64_t
delay_after(int tries)
{
    size_t i = tries < 1 ? 0 : (size_t)tries - 1;

    return delays[i < ARRAY_LEN(delays) ? i : ARRAY_LEN(delays) - 1];
}

void
job_wanted_set(struct job_wanted *w, const struct job_kind *kinds, size_t n)
{
    CHECK(n > 0 && n <= JOB_KINDS_MAX);
    for (size_t i = 0; i < n; i++) {
        CHECK(kinds[i].lease > 0);
        w->names[i] = kinds[i].kind;
        w->leases[i] = kinds[i].lease;
    }
    w->n = n;
}

static const struct job_kind *
kind_of(const struct job_kind *kinds, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(kinds[i].kind, name) == 0)
            return &kinds[i];
    panic("took a job of kind %s, which was not asked for", name);
}

/* "unavailable: text [code]": for people, in a form every column and log takes. */
static void
write_reason(enum err e, const struct why *why, struct buf *out)
{
    AUTO(buf_free) struct buf raw = BUF_BOUNDED(WHY_MAX + 128);

    buf_addf(&raw, "%s: %s", err_name(e), why->text);
    if (why->code[0] != '\0')
        buf_addf(&raw, " [%s]", why->code);
    text_sanitized(buf_view(&raw), REASON_MAX, out);
}

static void
log_end(enum log_level level, const char *event, const struct job *job, const char *reason)
{
    LOG_AT(level, event, LF_STR("kind", job->kind), LF_INT("job", job->id), LF_INT("tries", job->tries),
           LF_STR("why", reason));
}

/* What cannot be written is not lost: the lease ends and the job is run again. */
static void
check_written(enum err e, const struct job *job, const struct why *why)
{
    if (e == ERR_NOT_FOUND)
        log_end(LOG_LEVEL_WARNING, "job.lease_lost", job, why->text);
    else if (e != OK)
        log_end(LOG_LEVEL_WARNING, "job.end_unwritten", job, why->text);
}

static void
end_failed(struct pg *pg, const struct job_taken *t, enum err failure, const struct why *why, utime now)
{
    AUTO(buf_free) struct buf reason = BUF_BOUNDED(4 * REASON_MAX);
    struct why write_why = WHY_INIT;
    utime next = now + delay_after(t->job.tries);

    write_reason(failure, why, &reason);
    if (failure == ERR_UNAVAILABLE && next <= t->give_up_at) {
        log_end(LOG_LEVEL_INFO, "job.retry", &t->job, buf_cstr(&reason));
        check_written(job_store_retry(pg, &t->job, next, buf_cstr(&reason), &write_why), &t->job, &write_why);
        return;
    }
    log_end(LOG_LEVEL_ERROR, "job.dead", &t->job, buf_cstr(&reason));
    check_written(job_store_dead(pg, &t->job, now, buf_cstr(&reason), &write_why), &t->job, &write_why);
}

static void
run_taken(struct pg *pg, const struct job_kind *kind, const struct job_taken *t, utime fixed_now)
{
    struct why why = WHY_INIT;
    utime now = fixed_now != 0 ? fixed_now : clock_now();
    enum err e;

    if (t->job.tries > 1 && now > t->give_up_at) {
        /* Taken before, never ended: a worker died with it, and its life is over. */
        e = why_code(&why, ERR_INTERNAL, "job.given_up", "its life ended while no worker had it; last: %s",
                     t->last_reason[0] == '\0' ? "a worker did not come back" : t->last_reason);
        end_failed(pg, t, e, &why, now);
        return;
    }
    e = kind->handler(pg, &t->job, kind->arg, &why);
    now = fixed_now != 0 ? fixed_now : clock_now();
    if (e != OK) {
        end_failed(pg, t, e, &why, now);
        return;
    }
    log_end(LOG_LEVEL_DEBUG, "job.done", &t->job, "");
    check_written(job_store_done(pg, &t->job, now, &why), &t->job, &why);
}

enum err
job_run_one(struct pg *pg, const struct job_kind *kinds, const struct job_wanted *wanted, utime now, struct why *why)
{
    AUTO(job_taken_done) struct job_taken t = { .rows = NULL };
    enum err e;

    if ((e = job_store_take(pg, wanted, now != 0 ? now : clock_now(), &t, why)) != OK)
        return e;
    run_taken(pg, kind_of(kinds, wanted->n, t.job.kind), &t, now);
    return OK;
}

int
job_run_due(struct pg *pg, const struct job_kind *kinds, size_t n, utime now)
{
    struct why why = WHY_INIT;
    struct job_wanted wanted;
    int count = 0;
    enum err e;

    job_wanted_set(&wanted, kinds, n);
    while ((e = job_run_one(pg, kinds, &wanted, now, &why)) == OK)
        count++;
    if (e != ERR_NOT_FOUND)
        LOG_WARN_EV("job.pass_ended", LF_ERR(e), LF_WHY(&why));
    return count;
}
