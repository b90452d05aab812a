/*
 * work: the threads that do what the socket and the scanner ask.
 *
 * Requests for certificates are taken several at a time: whoever begins takes all that wait (ISSUE_BATCH_MAX), and no more than
 * batches_max threads do so at once. While few ask, each is taken at once and alone; when many do, they gather behind those that are at
 * work, and a batch costs PostgreSQL little more than one. A batch that waits for a token does not count: tokens sign side by side.
 */
#include "pki/signer/signer-internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/core/enc.h"
#include "base/core/log.h"
#include "base/core/rand.h"
#include "base/pg/audit.h"
#include "pki/authority/alarm.h"
#include "pki/authority/certificate.h"
#include "pki/authority/crl.h"

#define BUSY_MAX (10 * USEC_PER_SEC)      /* two at one request: how long the second waits for the first */
#define WORDS_MAX 8

const struct pg_stmts *const signer_stmts[] = { &audit_stmts, &issue_stmts, &request_stmts, &registration_stmts, &ca_stmts,
                                                &custodian_stmts, &pki_person_stmts, &approval_stmts, &alarm_stmts,
                                                &certificate_timer_stmts, &crl_stmts, &crl_due_stmts, NULL };

/* --- the queue ------------------------------------------------------------------------------------------------------------ */

/* The id in `issue ID`; NULL: another command, or none. */
static const char *
issue_id(const char *line)
{
    const char *id = line + strlen("issue ");

    return str_starts(str_of(line), "issue ") && strlen(id) == UUID_TEXT_LEN && strchr(id, ' ') == NULL ? id : NULL;
}

static void
queue_add(struct task_queue *q, struct task *t)
{
    *q->last = t;
    q->last = &t->next;
}

static struct task *
queue_take(struct task_queue *q)
{
    struct task *t = q->first;

    q->first = t->next;
    if (q->first == NULL)
        q->last = &q->first;
    t->next = NULL;
    return t;
}

void
work_add(struct signer *s, struct peer *peer, const char *line)
{
    struct task *t = mem_alloc(sizeof(*t));

    t->peer = peer;
    CHECK((size_t)snprintf(t->line, sizeof(t->line), "%s", line) < sizeof(t->line));
    pthread_mutex_lock(&s->queue_lock);
    queue_add(issue_id(line) != NULL ? &s->issues : &s->others, t);
    s->queued++;
    pthread_cond_signal(&s->queue_filled);
    pthread_mutex_unlock(&s->queue_lock);
}

/* What one thread does next: one other command, or some `issue`. */
struct job {
    struct task *tasks[ISSUE_BATCH_MAX];
    size_t n;
    bool batch;                      /* it counts among the batches at work */
};

/* With the lock. */
static bool
job_is_there(const struct signer *s)
{
    return s->others.first != NULL || (s->issues.first != NULL && (s->batches < s->batches_max || atomic_load(&s->stop)));
}

/* false: it is over, and nothing is left. */
static bool
work_take(struct signer *s, struct job *ret)
{
    const size_t max = atomic_load(&s->has_tokens) ? SIGNER_TOKEN_BATCH : ISSUE_BATCH_MAX;

    *ret = (struct job){ .n = 0 };
    pthread_mutex_lock(&s->queue_lock);
    while (!job_is_there(s) && !atomic_load(&s->stop))
        pthread_cond_wait(&s->queue_filled, &s->queue_lock);
    if (s->others.first != NULL) {
        ret->tasks[ret->n++] = queue_take(&s->others);
    } else if (s->issues.first != NULL) {
        while (s->issues.first != NULL && ret->n < max)
            ret->tasks[ret->n++] = queue_take(&s->issues);
        ret->batch = true;
        s->batches++;
    }
    s->queued -= ret->n;
    s->working += ret->n;
    pthread_mutex_unlock(&s->queue_lock);
    return ret->n > 0;
}

static void
task_free(struct task *t)
{
    mem_wipe(t, sizeof(*t));           /* a share may have been in it */
    free(t);
}

static void
work_ended(struct signer *s, struct task *t)
{
    pthread_mutex_lock(&s->queue_lock);
    s->working--;
    pthread_mutex_unlock(&s->queue_lock);
    task_free(t);
}

/* Others may take what gathered. */
static void
batch_ended(struct signer *s, struct job *job)
{
    if (!job->batch)
        return;
    job->batch = false;
    pthread_mutex_lock(&s->queue_lock);
    s->batches--;
    if (s->issues.first != NULL)
        pthread_cond_signal(&s->queue_filled);
    pthread_mutex_unlock(&s->queue_lock);
}

void
work_drop(struct signer *s)
{
    while (s->issues.first != NULL)
        task_free(queue_take(&s->issues));
    while (s->others.first != NULL)
        task_free(queue_take(&s->others));
}

bool
work_is_idle(struct signer *s)
{
    bool idle;

    pthread_mutex_lock(&s->queue_lock);
    idle = s->queued == 0 && s->working == 0;
    pthread_mutex_unlock(&s->queue_lock);
    return idle;
}

void
work_stop(struct signer *s)
{
    pthread_mutex_lock(&s->queue_lock);
    atomic_store(&s->stop, true);
    pthread_cond_broadcast(&s->queue_filled);
    pthread_mutex_unlock(&s->queue_lock);
}

/* --- answers ----------------------------------------------------------------------------------------------------------------- */

/* A code is always there. */
void
work_failure(struct buf *out, enum err e, const struct why *why)
{
    const char *code = why->code[0] != '\0' ? why->code : err_name(e);

    switch (e) {
    case OK:
        panic("a failure that is none");
    case ERR_INPUT:
    case ERR_DENIED:
    case ERR_CONFLICT:
        buf_addf(out, "refused %s\n", code);
        return;
    case ERR_NOT_FOUND:
        buf_addf(out, "unknown %s\n", code);
        return;
    case ERR_UNAVAILABLE:
        buf_addf(out, "later %s\n", str_starts(str_of(code), "signer.") ? code : "signer.database");
        return;
    case ERR_INTERNAL:
        buf_adds(out, "later signer.internal\n");
        return;
    }
}

/* over: it said what no peer of ours says. */
static void
task_answer(struct signer *s, struct task *t, bool over, const struct buf *out)
{
    if (t->peer == NULL)
        return;
    peer_answer(t->peer, buf_view(out));
    if (over)
        atomic_store(&t->peer->over, true);
    atomic_store(&t->peer->busy, false);
    socket_wake(s);
}

static bool
may(const struct task *t, unsigned right, struct buf *out)
{
    if (t->peer == NULL || (t->peer->rights & right) != 0)
        return true;
    LOG_WARN_EV("signer.peer", LF_INT("uid", t->peer->uid));
    buf_adds(out, "refused signer.peer\n");
    return false;
}

/* --- certificates ------------------------------------------------------------------------------------------------------------- */

/* Some requests on their way through the judge. */
struct issuing {
    struct signer *s;
    const struct view *view;
    struct job *job;                 /* those that are answered leave it: NULL in tasks */
    bool last_try;                   /* `signer.busy` is an answer */
};

static void
issue_answer(struct issuing *x, struct task *t, enum err e, const struct issue_result *ret, const struct why *why)
{
    AUTO(buf_free) struct buf out = BUF_BOUNDED(1024);
    const char *id = issue_id(t->line);

    for (size_t i = 0; i < x->view->n && ret->fresh; i++)
        if (x->view->cas[i].ca.id == ret->ca_id)
            keys_used(x->s, x->view->cas[i].ca.set_id);
    if (e == OK)
        buf_addf(&out, "ok %s\n", ret->certificate);
    else
        work_failure(&out, e, why);
    if (e == ERR_DENIED)
        LOG_INFO_EV("signer.refused", LF_STR("request", id), LF_WHY(why));
    else if (e == ERR_INTERNAL)
        LOG_ERROR_EV("signer.failed", LF_STR("request", id), LF_ERR(e), LF_WHY(why));
    else if (e != OK)
        LOG_DEBUG_EV("signer.later", LF_STR("request", id), LF_WHY(why));
    task_answer(x->s, t, false, &out);
}

static void
issue_heard(void *arg, size_t i, enum err e, const struct issue_result *ret, const struct why *why)
{
    struct issuing *x = arg;
    struct task *t = x->job->tasks[i];

    if (e == ERR_UNAVAILABLE && strcmp(why->code, "signer.busy") == 0 && !x->last_try)
        return;                      /* it stays */
    issue_answer(x, t, e, ret, why);
    work_ended(x->s, t);
    x->job->tasks[i] = NULL;
}

static void
issue_waits(void *arg)
{
    struct issuing *x = arg;

    batch_ended(x->s, x->job);
}

/* Those of the job once; who is busy stays in it. */
static void
issue_once(struct signer *s, struct pg *pg, struct job *job, bool last_try)
{
    struct view *v = view_take(s);
    const struct issue_context x = {
        .profiles = &s->pki->profiles, .weak_keys = s->pki->weak_keys, .field = s->pki->field,
        .base_url = s->pki->conf.base_url, .clock = &s->clock, .cas = v->cas, .ncas = v->n, .actor = "signer",
    };
    struct issuing issuing = { .s = s, .view = v, .job = job, .last_try = last_try };
    const char *ids[ISSUE_BATCH_MAX];
    size_t n = 0;

    for (size_t i = 0; i < job->n; i++)
        ids[i] = issue_id(job->tasks[i]->line);
    issue_requests(&x, pg, ids, job->n, clock_now(), &(struct issue_hooks){ issue_heard, issue_waits, &issuing });
    view_drop(s, v);
    for (size_t i = 0; i < job->n; i++)
        if (job->tasks[i] != NULL)
            job->tasks[n++] = job->tasks[i];
    job->n = n;
}

/* Who may not ask, or cannot be served, is answered; the others stay in the job. */
static void
issue_admit(struct signer *s, bool database, struct job *job)
{
    size_t n = 0;

    for (size_t i = 0; i < job->n; i++) {
        AUTO(buf_free) struct buf out = BUF_BOUNDED(64);
        struct task *t = job->tasks[i];
        const bool good = may(t, PEER_ISSUE, &out);

        if (good && database) {
            job->tasks[n++] = t;
            continue;
        }
        if (good)
            buf_adds(&out, "later signer.database\n");
        task_answer(s, t, false, &out);
        work_ended(s, t);
    }
    job->n = n;
}

/* Somebody else may be at a request: a signer before us, or another thread. */
static void
issue(struct signer *s, struct pg *pg, struct job *job)
{
    const utime until = clock_monotonic() + BUSY_MAX;
    int64_t pause = 1000;

    issue_admit(s, pg != NULL, job);
    if (job->n > 0)
        issue_once(s, pg, job, false);
    batch_ended(s, job);
    while (job->n > 0) {
        signer_nap(pause);
        pause = pause < 50000 ? 2 * pause : pause;
        issue_once(s, pg, job, clock_monotonic() >= until);
    }
}

/* --- custodians --------------------------------------------------------------------------------------------------------------- */

/* share SET NUMBER THRESHOLD TOTAL PERSON VALUE */
static enum err
share_parse(char *const words[WORDS_MAX], struct share *ret, struct why *why)
{
    AUTO(buf_free) struct buf value = BUF_SECRET(ACTIVATION_LEN);
    int64_t number, threshold, total;

    if (strlen(words[1]) != SHARE_SET_LEN || str_to_i64(str_of(words[2]), 1, SHAMIR_TOTAL_MAX, &number) != OK ||
        str_to_i64(str_of(words[3]), 2, SHAMIR_TOTAL_MAX, &threshold) != OK ||
        str_to_i64(str_of(words[4]), threshold, SHAMIR_TOTAL_MAX, &total) != OK || !person_name_ok(str_of(words[5])) ||
        hex_decode(str_of(words[6]), &value) != OK || value.len != ACTIVATION_LEN)
        return why_code(why, ERR_INPUT, "signer.command", "not a share");
    ret->info = (struct share_info){ .number = (int)number, .threshold = (int)threshold, .total = (int)total };
    memcpy(ret->info.set, words[1], SHARE_SET_LEN + 1);
    snprintf(ret->info.person, sizeof(ret->info.person), "%s", words[5]);
    secret_set(&ret->value, value.data, value.len);
    return OK;
}

static void
share_take(struct signer *s, struct pg *pg, char *const words[WORDS_MAX], struct buf *out)
{
    AUTO(share_done) struct share share = SHARE_INIT;
    struct why why = WHY_INIT;
    char detail[160];
    int missing = 0;
    enum err e;

    if ((e = share_parse(words, &share, &why)) == OK) {
        struct share_info info = share.info;

        e = keys_share(s, pg, &share, clock_now(), &missing, &why);
        /* set and name were checked: nothing in them ends a JSON text */
        snprintf(detail, sizeof(detail), "{\"person\":\"%s\",\"number\":%d,\"missing\":%d}", info.person, info.number, missing);
        err_ignore(audit_add(pg, &(struct audit_entry){     /* a share was given, whether or not the trail can say so */
            .at = clock_now(), .actor = "signer", .role = "custodian", .verb = "signer.share", .object = "signer",
            .result = e == OK ? "ok" : why.code[0] != '\0' ? why.code : err_name(e), .detail = detail }, NULL));
    }
    if (e != OK) {
        LOG_WARN_EV("signer.share", LF_ERR(e), LF_WHY(&why));
        work_failure(out, e, &why);
    } else if (missing == 0) {
        buf_adds(out, "ok open\n");
    } else {
        buf_addf(out, "ok missing %d\n", missing);
    }
}

static void
lock_all(struct signer *s, struct pg *pg, struct buf *out)
{
    keys_lock(s);
    err_ignore(audit_add(pg, &(struct audit_entry){     /* locked it is, whether or not the trail can say so */
        .at = clock_now(), .actor = "signer", .role = "custodian", .verb = "signer.lock", .object = "signer", .result = "ok",
        .detail = "{}" }, NULL));
    buf_adds(out, "ok\n");
}

static size_t
words_split(char *line, char *words[WORDS_MAX])
{
    size_t n = 0;

    for (char *at = line; n < WORDS_MAX; n++) {
        char *space = strchr(at, ' ');

        words[n] = at;
        if (space == NULL)
            return n + 1;
        *space = '\0';
        at = space + 1;
    }
    return 0;
}

/* false: not a command; the connection ends. */
static bool
command(struct signer *s, struct pg *pg, struct task *t, struct buf *out)
{
    char *words[WORDS_MAX];
    const size_t n = words_split(t->line, words);

    if ((n == 2 || n == 3) && strcmp(words[0], "crl") == 0) {
        int64_t shard = -1;

        if (n == 3 && str_to_i64(str_of(words[2]), 0, INT16_MAX, &shard) != OK) {
            buf_adds(out, "refused signer.command\n");
            return false;
        }
        if (may(t, PEER_ISSUE, out))
            lists_order(s, pg, words[1], (int)shard, out);
    } else if (n == 7 && strcmp(words[0], "share") == 0) {
        if (may(t, PEER_CUSTODY, out))
            share_take(s, pg, words, out);
    } else if (n == 1 && strcmp(words[0], "lock") == 0) {
        if (may(t, PEER_CUSTODY, out))
            lock_all(s, pg, out);
    } else if (n == 1 && strcmp(words[0], "status") == 0) {
        if (may(t, PEER_ISSUE | PEER_CUSTODY, out)) {
            keys_status(s, out);
            buf_adds(out, "ok\n");
        }
    } else {
        buf_adds(out, "refused signer.command\n");
        return false;
    }
    return true;
}

static void
task_run(struct signer *s, struct pg *pg, struct task *t)
{
    AUTO(buf_free) struct buf out = BUF_BOUNDED(64 * 1024);
    const bool good = pg != NULL ? command(s, pg, t, &out) : true;

    if (pg == NULL)
        buf_adds(&out, "later signer.database\n");
    task_answer(s, t, !good, &out);
    work_ended(s, t);
}

void *
work_run(void *signer)
{
    struct signer *s = signer;
    AUTO(pg_closep) struct pg *pg = NULL;
    struct job job;

    while (work_take(s, &job)) {
        struct why why = WHY_INIT;

        if (pg == NULL && pg_open(s->pg, &pg, &why) != OK)
            LOG_ERROR_EV("signer.database", LF_WHY(&why));
        if (job.batch)
            issue(s, pg, &job);
        else
            task_run(s, pg, job.tasks[0]);
    }
    return NULL;
}
