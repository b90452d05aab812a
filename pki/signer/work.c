/* work: the threads that do what the socket and the scanner ask. */
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

void
work_add(struct signer *s, struct peer *peer, const char *line)
{
    struct task *t = mem_alloc(sizeof(*t));

    t->peer = peer;
    CHECK((size_t)snprintf(t->line, sizeof(t->line), "%s", line) < sizeof(t->line));
    pthread_mutex_lock(&s->queue_lock);
    *s->last = t;
    s->last = &t->next;
    s->queued++;
    pthread_cond_signal(&s->queue_filled);
    pthread_mutex_unlock(&s->queue_lock);
}

static struct task *
work_take(struct signer *s)
{
    struct task *t;

    pthread_mutex_lock(&s->queue_lock);
    while (s->first == NULL && !atomic_load(&s->stop))
        pthread_cond_wait(&s->queue_filled, &s->queue_lock);
    t = s->first;
    if (t != NULL) {
        s->first = t->next;
        if (s->first == NULL)
            s->last = &s->first;
        s->queued--;
        s->working++;
    }
    pthread_mutex_unlock(&s->queue_lock);
    return t;
}

static void
work_ended(struct signer *s, struct task *t)
{
    pthread_mutex_lock(&s->queue_lock);
    s->working--;
    pthread_mutex_unlock(&s->queue_lock);
    mem_wipe(t, sizeof(*t));           /* a share may have been in it */
    free(t);
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

/* --- commands ---------------------------------------------------------------------------------------------------------------- */

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

static enum err
issue_once(struct signer *s, struct pg *pg, const char *id, struct issue_result *ret, char ret_set[37], struct why *why)
{
    struct view *v = view_take(s);
    const struct issue_context x = {
        .profiles = &s->pki->profiles, .weak_keys = s->pki->weak_keys, .field = s->pki->field,
        .base_url = s->pki->conf.base_url, .clock = &s->clock, .cas = v->cas, .ncas = v->n, .actor = "signer",
    };
    enum err e;

    *why = (struct why)WHY_INIT;
    e = issue_request(&x, pg, id, clock_now(), ret, why);
    ret_set[0] = '\0';
    for (size_t i = 0; i < v->n && ret->fresh; i++)
        if (v->cas[i].ca.id == ret->ca_id)
            memcpy(ret_set, v->cas[i].ca.set_id, 37);
    view_drop(s, v);
    return e;
}

static void
issue(struct signer *s, struct pg *pg, const char *id, struct buf *out)
{
    const utime until = clock_monotonic() + BUSY_MAX;
    struct issue_result result;
    char set[37];
    struct why why;
    int64_t pause = 1000;
    enum err e;

    while ((e = issue_once(s, pg, id, &result, set, &why)) == ERR_UNAVAILABLE && strcmp(why.code, "signer.busy") == 0 &&
           clock_monotonic() < until) {
        signer_nap(pause);
        pause = pause < 50000 ? 2 * pause : pause;
    }
    if (set[0] != '\0')
        keys_used(s, set);
    if (e == OK) {
        buf_addf(out, "ok %s\n", result.certificate);
        return;
    }
    if (e == ERR_DENIED)
        LOG_INFO_EV("signer.refused", LF_STR("request", id), LF_WHY(&why));
    else if (e == ERR_INTERNAL)
        LOG_ERROR_EV("signer.failed", LF_STR("request", id), LF_ERR(e), LF_WHY(&why));
    else
        LOG_DEBUG_EV("signer.later", LF_STR("request", id), LF_WHY(&why));
    work_failure(out, e, &why);
}

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

static bool
may(const struct task *t, unsigned right, struct buf *out)
{
    if (t->peer == NULL || (t->peer->rights & right) != 0)
        return true;
    LOG_WARN_EV("signer.peer", LF_INT("uid", t->peer->uid));
    buf_adds(out, "refused signer.peer\n");
    return false;
}

/* false: not a command; the connection ends. */
static bool
command(struct signer *s, struct pg *pg, struct task *t, struct buf *out)
{
    char *words[WORDS_MAX];
    const size_t n = words_split(t->line, words);

    if (n == 2 && strcmp(words[0], "issue") == 0 && strlen(words[1]) == UUID_TEXT_LEN) {
        if (may(t, PEER_ISSUE, out))
            issue(s, pg, words[1], out);
    } else if ((n == 2 || n == 3) && strcmp(words[0], "crl") == 0) {
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
    if (t->peer == NULL)
        return;
    peer_answer(t->peer, buf_view(&out));
    if (!good)
        atomic_store(&t->peer->over, true);
    atomic_store(&t->peer->busy, false);
    socket_wake(s);
}

void *
work_run(void *signer)
{
    struct signer *s = signer;
    AUTO(pg_closep) struct pg *pg = NULL;
    struct task *t;

    while ((t = work_take(s)) != NULL) {
        struct why why = WHY_INIT;

        if (pg == NULL && pg_open(s->pg, &pg, &why) != OK)
            LOG_ERROR_EV("signer.database", LF_WHY(&why));
        task_run(s, pg, t);
        work_ended(s, t);
    }
    return NULL;
}
