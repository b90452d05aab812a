/*
 * issue_batch: several requests through the steps of issue.h side by side. The rules are in issue.c, the statements in issue_store.c.
 */
#include "pki/authority/issue-internal.h"

#include <stdlib.h>
#include <time.h>

#include "pki/encode/certificate.h"

#define ARENA_MAX ((size_t)1 << 20)
#define COMMIT_TRIES 5               /* of the second commit, when its answer is lost */

static void
work_init(struct issue_work *w, const struct issue_context *x, struct pg *pg, const char *id, size_t at, utime now)
{
    *w = (struct issue_work){ .x = x, .pg = pg, .a = arena_new(ARENA_MAX), .id = id, .at = at, .now = now,
                              .name = BUF_BOUNDED(NAME_MAX_LEN), .tbs = BUF_BOUNDED(CERTIFICATE_MAX),
                              .der = BUF_BOUNDED(CERTIFICATE_MAX) };
}

static void
work_done(struct issue_work *w)
{
    csr_done(&w->csr);
    buf_free(&w->name);
    buf_free(&w->tbs);
    buf_free(&w->der);
    arena_free(w->a);
}

static void
nap(int64_t usec)
{
    struct timespec t = { usec / USEC_PER_SEC, (usec % USEC_PER_SEC) * 1000 };

    nanosleep(&t, NULL);
}

/*
 * The cases of a batch go through the steps together. `open` are those that go on; who is answered leaves it, and who meets another of
 * them (meets()) goes to `later`, which is judged when they are done.
 */
struct batch {
    const struct issue_context *x;
    struct pg *pg;
    const struct issue_hooks *hooks;
    utime now;
    struct issue_work *open[ISSUE_BATCH_MAX], *later[ISSUE_BATCH_MAX];
    size_t n, nlater;
    const struct issue_ca *silent;   /* its token gave no signature this time: the others of it are not tried */
};

static void
answer(const struct batch *b, const struct issue_work *w, enum err e, const struct issue_result *ret, const struct why *why)
{
    static const struct issue_result none = { .fresh = false };

    b->hooks->answer(b->hooks->arg, w->at, e, e == OK ? ret : &none, why);
}

/* What one step leaves open; the order stays. */
static void
keep(struct batch *b, bool (*step)(struct batch *b, struct issue_work *w))
{
    size_t n = 0;

    for (size_t i = 0; i < b->n; i++)
        if (step(b, b->open[i]))
            b->open[n++] = b->open[i];
    b->n = n;
}

/* A statement failed for the batch, and one of it may be why: is each to be tried alone? */
static bool
is_of_one(const struct batch *b, enum err e)
{
    return e != OK && e != ERR_UNAVAILABLE && b->n > 1;
}

static void
answer_all(struct batch *b, enum err e, const struct why *why)
{
    for (size_t i = 0; i < b->n; i++)
        answer(b, b->open[i], e, NULL, why);
    b->n = 0;
}

/* Would the answer to one depend on the other, or one statement meet the same row twice? */
static bool
meets(const struct issue_work *x, const struct issue_work *y)
{
    const struct request *a = &x->c.request, *b = &y->c.request;

    return strcmp(a->id, b->id) == 0 || strcmp(a->registration, b->registration) == 0 ||
           memcmp(a->spki_sha256, b->spki_sha256, SHA256_LEN) == 0;      /* lint: secret-compare: both are public */
}

static bool
same_name(const struct issue_work *x, const struct issue_work *y)
{
    return issue_reservation_order(&x->r, &y->r) == 0;
}

/* true: w meets none of those that are kept so far, the first n. */
static bool
alone(struct batch *b, size_t n, struct issue_work *w, bool (*meet)(const struct issue_work *x, const struct issue_work *y))
{
    for (size_t i = 0; i < n; i++)
        if (meet(b->open[i], w)) {
            b->later[b->nlater++] = w;
            return false;
        }
    return true;
}

static void
part(struct batch *b, bool (*meet)(const struct issue_work *x, const struct issue_work *y))
{
    size_t n = 0;

    for (size_t i = 0; i < b->n; i++)
        if (alone(b, n, b->open[i], meet))
            b->open[n++] = b->open[i];
    b->n = n;
}

/* --- its steps --- */

static enum err
load(struct batch *b, struct why *why)
{
    AUTO(mem_freep) struct issue_case *cases = mem_alloc_array(b->n, sizeof(*cases));
    const char *ids[ISSUE_BATCH_MAX];
    struct arena *a[ISSUE_BATCH_MAX];
    enum err e;

    for (size_t i = 0; i < b->n; i++) {
        ids[i] = b->open[i]->id;
        a[i] = b->open[i]->a;
    }
    if ((e = issue_cases_load(b->pg, ids, b->n, a, cases, why)) != OK)
        return e;
    for (size_t i = 0; i < b->n; i++)
        b->open[i]->c = cases[i];
    return OK;
}

static bool
not_ended(struct batch *b, struct issue_work *w)
{
    struct issue_result result = { .fresh = false };
    struct why why = WHY_INIT;
    bool ended = true;
    enum err e = w->c.found ? issue_earlier_answer(&w->c, &result, &ended, &why)
                            : why_code(&why, ERR_NOT_FOUND, "request.unknown", "no such request");

    if (ended)
        answer(b, w, e, &result, &why);
    return !ended;
}

static bool
judged_good(struct batch *b, struct issue_work *w)
{
    struct why why = WHY_INIT;
    enum err e;

    if ((e = issue_judge(w, &why)) == OK)
        return true;
    answer(b, w, issue_refusal_note(w, e, &why), NULL, &why);
    return false;
}

static int
by_name(const void *x, const void *y)
{
    return issue_reservation_order(&(*(struct issue_work *const *)x)->r, &(*(struct issue_work *const *)y)->r);
}

static void
reservations(struct batch *b, struct issue_reservation *list[ISSUE_BATCH_MAX])
{
    for (size_t i = 0; i < b->n; i++)
        list[i] = &b->open[i]->r;
}

/* First commit. */
static enum err
reserve(struct batch *b, struct why *why)
{
    struct issue_reservation *list[ISSUE_BATCH_MAX];

    qsort(b->open, b->n, sizeof(b->open[0]), by_name);
    reservations(b, list);
    return issue_reserve(b->pg, list, b->n, b->x->actor, b->now, why);
}

static bool
reserved(struct batch *b, struct issue_work *w)
{
    struct why why = WHY_INIT;
    enum err e;

    switch (w->r.outcome) {
    case ISSUE_RESERVED:
        return true;
    case ISSUE_TAKEN:
        e = why_code(&why, ERR_DENIED, "pki.subject.taken", "the name belongs to another holder");
        answer(b, w, issue_refusal_note(w, e, &why), NULL, &why);
        return false;
    case ISSUE_BUSY:
        break;
    }
    answer(b, w, why_code(&why, ERR_UNAVAILABLE, "signer.busy", "somebody was first"), NULL, &why);
    return false;
}

static bool
signed_or_waits(struct batch *b, struct issue_work *w)
{
    struct why why = WHY_INIT;
    const enum err e = w->ca == b->silent ? ERR_UNAVAILABLE : issue_sign(w, &why);

    w->waits = e == ERR_UNAVAILABLE;
    if (w->waits)
        b->silent = w->ca;
    if (w->waits && w->ca->away != NULL)
        atomic_store(w->ca->away, true);
    if (e == OK)
        clock_guard_note(w->x->clock, w->now);
    else if (!w->waits)
        answer(b, w, e, NULL, &why);
    return e == OK || w->waits;
}

static bool
token_gone(struct batch *b, struct issue_work *w)
{
    struct why why = WHY_INIT;

    answer(b, w, why_code(&why, ERR_UNAVAILABLE, "signer.token", "the token with the key of %s does not answer", w->ca->ca.name),
           NULL, &why);
    return false;
}

static bool
issued(struct batch *b, struct issue_work *w)
{
    struct issue_result result = { .fresh = true, .ca_id = w->ca->ca.id };
    struct why why = WHY_INIT;
    enum err e = OK;

    memcpy(result.certificate, w->r.id, sizeof(result.certificate));
    if (!w->r.issued)
        e = why_code(&why, ERR_DENIED, "pki.request.lost", "the reservation is void by now: the key is spent, bring a new one");
    answer(b, w, e, &result, &why);
    return false;
}

/* The answer to a commit may be lost: the statement says itself when it was done before. */
static enum err
commit_list(struct batch *b, struct issue_reservation *const *list, size_t n, struct why *why)
{
    enum err e = ERR_UNAVAILABLE;

    for (int i = 0; i < COMMIT_TRIES && e == ERR_UNAVAILABLE; i++) {
        if (i > 0)
            nap(USEC_PER_SEC / 5 << i);
        e = issue_commit(b->pg, list, n, b->x->actor, b->now, why);
    }
    return e;
}

static struct batch
batch_of_one(const struct batch *b, struct issue_work *w)
{
    return (struct batch){ .x = b->x, .pg = b->pg, .hooks = b->hooks, .now = b->now, .open = { w }, .n = 1 };
}

static void
commit(struct batch *b)
{
    struct issue_reservation *list[ISSUE_BATCH_MAX];
    struct why why = WHY_INIT;
    enum err e;

    if (b->n == 0)
        return;
    reservations(b, list);
    e = commit_list(b, list, b->n, &why);
    if (is_of_one(b, e)) {
        for (size_t i = 0; i < b->n; i++) {
            struct batch one = batch_of_one(b, b->open[i]);

            commit(&one);
        }
        b->n = 0;
    } else if (e != OK) {
        answer_all(b, e, &why);
    }
    keep(b, issued);
}

/* Those whose token gave no signature; the others go on. */
static void
waiting_split(struct batch *b, struct batch *waiting)
{
    size_t n = 0;

    *waiting = *b;
    waiting->n = 0;
    for (size_t i = 0; i < b->n; i++)
        if (b->open[i]->waits)
            waiting->open[waiting->n++] = b->open[i];
        else
            b->open[n++] = b->open[i];
    b->n = n;
}

static void
waits(const struct batch *b)
{
    if (b->hooks->waits != NULL)
        b->hooks->waits(b->hooks->arg);
}

/* A token that does not answer gave no signature: the same text may be tried again. */
static void
sign_and_commit(struct batch *b)
{
    const utime until = clock_monotonic() + TOKEN_PATIENCE;
    struct batch waiting = { .n = 0 };

    for (size_t i = 0; i < b->n; i++)
        if (b->open[i]->ca->away != NULL) {
            waits(b);
            break;
        }
    for (;;) {
        b->silent = NULL;
        keep(b, signed_or_waits);
        waiting_split(b, &waiting);
        commit(b);
        *b = waiting;
        if (b->n == 0)
            return;
        if (clock_monotonic() >= until)
            break;
        waits(b);
        nap(USEC_PER_SEC / 4);
    }
    keep(b, token_gone);
}

/* --- the whole --- */

static void
work_again(struct issue_work *w)
{
    const struct issue_work old = *w;

    work_done(w);
    work_init(w, old.x, old.pg, old.id, old.at, old.now);
}

static void judge_together(struct batch *b);

/* Nothing is reserved for any of them. */
static void
step_failed(struct batch *b, enum err e, const struct why *why)
{
    if (!is_of_one(b, e)) {
        answer_all(b, e, why);
        return;
    }
    for (size_t i = 0; i < b->n; i++) {
        struct batch one = batch_of_one(b, b->open[i]);

        work_again(b->open[i]);
        judge_together(&one);
    }
    b->n = 0;
}

static void
judge_together(struct batch *b)
{
    struct why why = WHY_INIT;
    enum err e;

    if ((e = load(b, &why)) != OK) {
        step_failed(b, e, &why);
        return;
    }
    keep(b, not_ended);
    part(b, meets);
    keep(b, judged_good);
    part(b, same_name);
    if (b->n == 0)
        return;
    if ((e = reserve(b, &why)) != OK) {
        step_failed(b, e, &why);
        return;
    }
    keep(b, reserved);
    sign_and_commit(b);
}

void
issue_requests(const struct issue_context *x, struct pg *pg, const char *const *ids, size_t n, utime now, const struct issue_hooks *hooks)
{
    AUTO(mem_freep) struct issue_work *works = mem_alloc_array(n, sizeof(*works));
    struct batch b = { .x = x, .pg = pg, .hooks = hooks, .now = now };

    CHECK(n > 0 && n <= ISSUE_BATCH_MAX);
    for (size_t i = 0; i < n; i++) {
        work_init(&works[i], x, pg, ids[i], i, now);
        b.open[b.n++] = &works[i];
    }
    judge_together(&b);
    while (b.nlater > 0) {
        b.n = b.nlater;
        b.nlater = 0;
        for (size_t i = 0; i < b.n; i++) {
            b.open[i] = b.later[i];
            work_again(b.open[i]);
        }
        judge_together(&b);
    }
    for (size_t i = 0; i < n; i++)
        work_done(&works[i]);
}

/* --- one alone --- */

struct one_answer {
    enum err e;
    struct issue_result *ret;
    struct why *why;
};

static void
one_answered(void *arg, size_t i, enum err e, const struct issue_result *ret, const struct why *why)
{
    struct one_answer *one = arg;

    (void)i;
    one->e = e;
    *one->ret = *ret;
    if (one->why != NULL)
        *one->why = *why;
}

enum err
issue_request(const struct issue_context *x, struct pg *pg, const char *request_id, utime now, struct issue_result *ret,
              struct why *why)
{
    struct one_answer one = { .e = ERR_INTERNAL, .ret = ret, .why = why };

    issue_requests(x, pg, &request_id, 1, now, &(struct issue_hooks){ .answer = one_answered, .arg = &one });
    return one.e;
}
