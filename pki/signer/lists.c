/*
 * lists: makes the lists of revoked certificates: what is due by the clock or after a change (pki/authority/crl_due.h), and
 * what is ordered over the socket. One run begins at most once a second, however many changes there were (P-199): the first
 * change after a quiet second is listed at once, those of the next second together.
 *
 * It hears of a change from the database (channel pki_status), whoever made it, and looks each second in any case. A failure of one
 * shard holds up no other; it is tried again, more and more rarely, and watch.c tells of it.
 *
 * The first run of a shard after a start, or after the database was away, is compared with the list that is offered (setting
 * signer.published), as it may have been restored from a backup. Lists of roots are made in ceremonies.
 */
#include "pki/signer/signer-internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/core/log.h"
#include "base/program/command.h"
#include "pki/authority/crl.h"

#define RUN_PERIOD USEC_PER_SEC
#define AGAIN_MAX (60 * USEC_PER_SEC)
#define LIST_MAX ((size_t)1 << 28)

/* --- what is known of a shard --------------------------------------------------------------------------------------------- */

/* With lists_lock; valid until the next call. */
static struct list_state *
state_of(struct signer *s, int ca_id, int shard)
{
    for (size_t i = 0; i < s->nlists; i++)
        if (s->lists[i].ca_id == ca_id && s->lists[i].shard == shard)
            return &s->lists[i];
    s->lists = mem_realloc_array(s->lists, s->nlists + 1, sizeof(*s->lists));
    s->lists[s->nlists] = (struct list_state){ .ca_id = ca_id, .shard = shard, .e = OK, .why = WHY_INIT };
    return &s->lists[s->nlists++];
}

static struct list_state
state_get(struct signer *s, int ca_id, int shard)
{
    struct list_state got;

    pthread_mutex_lock(&s->lists_lock);
    got = *state_of(s, ca_id, shard);
    pthread_mutex_unlock(&s->lists_lock);
    return got;
}

static void
state_went_well(struct signer *s, int ca_id, int shard)
{
    struct list_state *l;

    pthread_mutex_lock(&s->lists_lock);
    l = state_of(s, ca_id, shard);
    l->compared = true;
    l->failures = 0;
    l->again = 0;
    l->e = OK;
    pthread_mutex_unlock(&s->lists_lock);
}

/* *ret_news: it is another failure than the last one. */
static void
state_failed(struct signer *s, int ca_id, int shard, enum err e, const struct why *why, bool *ret_news)
{
    int64_t pause = RUN_PERIOD;
    struct list_state *l;

    pthread_mutex_lock(&s->lists_lock);
    l = state_of(s, ca_id, shard);
    for (int i = 0; i < l->failures && pause < AGAIN_MAX; i++)
        pause *= 2;
    *ret_news = l->failures == 0 || strcmp(l->why.code, why->code) != 0;
    l->failures++;
    l->again = clock_monotonic() + (pause < AGAIN_MAX ? pause : AGAIN_MAX);
    l->e = e;
    l->why = *why;
    pthread_mutex_unlock(&s->lists_lock);
}

bool
lists_failure(struct signer *s, int ca_id, int shard, enum err *ret, struct why *ret_why)
{
    const struct list_state l = state_get(s, ca_id, shard);

    *ret = l.e;
    *ret_why = l.why;
    return l.failures > 0;
}

/* The database may be another one than before. */
static void
lists_forget(struct signer *s)
{
    pthread_mutex_lock(&s->lists_lock);
    for (size_t i = 0; i < s->nlists; i++)
        s->lists[i].compared = false;
    pthread_mutex_unlock(&s->lists_lock);
}

/* --- one shard ---------------------------------------------------------------------------------------------------------------- */

/* A file that is not there is no list; one that cannot be read stops the run. */
static enum err
offered_read(const struct signer *s, const struct ca *ca, int shard, bool delta, struct buf *out, struct why *why)
{
    const char *folder = s->pki->conf.signer_published;
    char path[CRL_PATH_SIZE], file[4096];
    enum err e;

    crl_path(ca, shard, delta, path);
    if ((size_t)snprintf(file, sizeof(file), "%s%s", folder, strrchr(path, '/')) >= sizeof(file))
        return why_code(why, ERR_INPUT, "pki.crl.published", "signer.published: too long");
    if (access(file, F_OK) != 0 && errno == ENOENT)
        return OK;
    e = command_read_file(file, out, why);
    return e == OK ? OK : why_code(why, e, "pki.crl.published", "%s cannot be read", file);
}

static enum err
list_run(struct signer *s, struct pg *pg, const struct issue_ca *one, int shard, bool full, bool delta, struct crl_made *made,
         struct why *why)
{
    AUTO(buf_free) struct buf offered = BUF_BOUNDED(LIST_MAX), offered_delta = BUF_BOUNDED(LIST_MAX);
    struct crl_order o = { .ca_id = one->ca.id, .shard = shard, .full = full, .delta = delta, .now = clock_now(),
                           .backdate = CRL_BACKDATE_MAX, .base_url = s->pki->conf.base_url, .profiles = &s->pki->profiles,
                           .actor = "signer" };
    enum err e;

    if ((e = clock_guard_check(&s->clock, o.now, why)) != OK)
        return e;
    if (s->pki->conf.signer_published[0] != '\0' && !state_get(s, one->ca.id, shard).compared) {
        if ((e = offered_read(s, &one->ca, shard, false, &offered, why)) != OK ||
            (e = offered_read(s, &one->ca, shard, true, &offered_delta, why)) != OK)
            return e;
        o.published = buf_view(&offered);
        o.published_delta = buf_view(&offered_delta);
    }
    e = crl_make(pg, &o, one->key, made, why);
    if (e == ERR_CONFLICT && delta && strcmp(why->code, "pki.crl.base") == 0) {
        o.full = true;                   /* where a delta cannot begin, a full list does */
        o.delta = false;
        *why = (struct why)WHY_INIT;
        e = crl_make(pg, &o, one->key, made, why);
    }
    if (e == ERR_UNAVAILABLE && one->away != NULL && strcmp(why->code, KEY_TOKEN_AWAY) == 0) {
        atomic_store(one->away, true);
        return why_code(why, e, "signer.token", "the token with the key of %s does not answer", one->ca.name);
    }
    if (e != OK)
        return e;
    clock_guard_note(&s->clock, o.now);
    keys_used(s, one->ca.set_id);
    return OK;
}

/* The same, with what is remembered and logged of it. */
static enum err
list_try(struct signer *s, struct pg *pg, const struct issue_ca *one, int shard, bool full, bool delta, struct crl_made *made,
         struct why *why)
{
    const enum err e = list_run(s, pg, one, shard, full, delta, made, why);
    bool news = false;

    if (e == OK)
        state_went_well(s, one->ca.id, shard);
    else
        state_failed(s, one->ca.id, shard, e, why, &news);
    if (e == OK)
        LOG_INFO_EV("crl.made", LF_STR("ca", one->ca.name), LF_INT("generation", one->ca.generation), LF_INT("shard", shard),
                    LF_INT("number", made->number), LF_INT("full", made->full.made ? (int64_t)made->full.entries : -1),
                    LF_INT("delta", made->delta.made ? (int64_t)made->delta.entries : -1));
    else if (news)
        LOG_ERROR_EV("crl.failed", LF_STR("ca", one->ca.name), LF_INT("generation", one->ca.generation),
                     LF_INT("shard", shard), LF_ERR(e), LF_WHY(why));
    return e;
}

/* Waits until a run may begin; lists_run is held then. */
static void
run_begin(struct signer *s)
{
    utime now;

    pthread_mutex_lock(&s->lists_run);
    while ((now = clock_monotonic()) < s->lists_last + RUN_PERIOD && !atomic_load(&s->stop))
        signer_nap(s->lists_last + RUN_PERIOD - now);
    s->lists_last = now;
}

static void
run_end(struct signer *s)
{
    pthread_mutex_unlock(&s->lists_run);
}

/* --- what is due -------------------------------------------------------------------------------------------------------------- */

static const struct issue_ca *
ca_in_view(const struct view *v, int id)
{
    for (size_t i = 0; i < v->n; i++)
        if (v->cas[i].ca.id == id)
            return &v->cas[i];
    return NULL;
}

static bool
is_due(struct signer *s, const struct view *v, const struct crl_shard *shard, utime now, bool *ret_full, bool *ret_delta)
{
    const struct issue_ca *one = ca_in_view(v, shard->ca_id);

    crl_due(shard, now, ret_full, ret_delta);
    return (*ret_full || *ret_delta) && one != NULL && one->key != NULL &&
           clock_monotonic() >= state_get(s, shard->ca_id, shard->shard).again;
}

/* Makes what is due; or only says whether something is. */
static enum err
due_look(struct signer *s, struct pg *pg, bool make, bool *ret_any, struct why *why)
{
    AUTO(arena_freep) struct arena *a = arena_new((size_t)4 << 20);
    struct crl_shard *list;
    struct view *v;
    bool full, delta;
    size_t n;
    enum err e;

    *ret_any = false;
    if ((e = crl_shards(pg, a, &list, &n, why)) != OK)
        return e;
    v = view_take(s);
    for (size_t i = 0; i < n && !atomic_load(&s->stop); i++) {
        struct crl_made made = { .number = 0 };
        struct why failed = WHY_INIT;

        if (!is_due(s, v, &list[i], clock_now(), &full, &delta))
            continue;
        *ret_any = true;
        if (!make)
            break;
        /* remembered, logged and tried again */
        err_ignore(list_try(s, pg, ca_in_view(v, list[i].ca_id), list[i].shard, full, delta, &made, &failed));
        crl_made_done(&made);
    }
    view_drop(s, v);
    return OK;
}

/* Until nothing is due any more; what came while a run waited or went on is in it, or in the next. */
static enum err
pass(struct signer *s, struct pg *pg, struct why *why)
{
    bool any = true;
    enum err e;

    while ((e = due_look(s, pg, false, &any, why)) == OK && any && !atomic_load(&s->stop)) {
        run_begin(s);
        e = due_look(s, pg, true, &any, why);
        run_end(s);
        if (e != OK)
            return e;
    }
    return e;
}

/* A change wakes us; a second passes in any case. Changes that came together are one. */
static enum err
change_wait(struct pg *pg, struct why *why)
{
    char payload[8];
    enum err e = pg_wait_notify(pg, USEC_PER_SEC, payload, sizeof(payload), why);

    while (e == OK)
        e = pg_wait_notify(pg, 0, payload, sizeof(payload), why);
    return e == ERR_NOT_FOUND ? OK : e;
}

void *
lister_run(void *signer)
{
    struct signer *s = signer;
    AUTO(pg_closep) struct pg *pg = NULL;
    bool listening = false, down = false;

    while (!atomic_load(&s->stop)) {
        struct why why = WHY_INIT;
        enum err e = pg == NULL ? pg_open(s->pg, &pg, &why) : OK;

        if (e == OK && !listening) {
            lists_forget(s);
            e = pg_listen(pg, "pki_status", &why);
        }
        listening = e == OK;
        if (e == OK && (e = pass(s, pg, &why)) == OK)
            listening = (e = change_wait(pg, &why)) == OK;
        if (e != OK && !down)
            LOG_ERROR_EV("signer.lists", LF_ERR(e), LF_WHY(&why));
        down = e != OK;
        if (down)
            signer_nap(USEC_PER_SEC / 2);
    }
    return NULL;
}

/* --- what is ordered ------------------------------------------------------------------------------------------------------------ */

static const struct issue_ca *
ca_of_label(const struct view *v, const char *label)
{
    char one[CA_LABEL_SIZE];

    for (size_t i = 0; i < v->n; i++) {
        ca_label(v->cas[i].ca.name, v->cas[i].ca.generation, one);
        if (strcmp(one, label) == 0)
            return &v->cas[i];
    }
    return NULL;
}

static enum err
order_check(const struct issue_ca *one, const char *label, int shard, struct why *why)
{
    if (one == NULL)
        return why_code(why, ERR_NOT_FOUND, "ca.unknown", "no authority %.*s", CA_LABEL_SIZE, label);
    if (one->ca.root || (one->ca.state != CA_ACTIVE && one->ca.state != CA_RETIRING))
        return why_code(why, ERR_CONFLICT, "pki.crl.ca", "%s signs no lists here", label);
    if (shard >= one->ca.shards)
        return why_code(why, ERR_INPUT, "pki.crl.shard", "%s has %d shards", label, one->ca.shards);
    if (one->away != NULL && atomic_load(one->away))
        return why_code(why, ERR_UNAVAILABLE, "signer.token", "the token with the key of %s does not answer", label);
    if (one->key == NULL)
        return why_code(why, ERR_UNAVAILABLE, "signer.locked", "the key of %s is locked", label);
    return OK;
}

static enum err
order_run(struct signer *s, struct pg *pg, const struct view *v, const char *label, int shard, struct buf *out, struct why *why)
{
    const struct issue_ca *one = ca_of_label(v, label);
    int first, last;
    enum err e;

    if ((e = order_check(one, label, shard, why)) != OK)
        return e;
    first = shard < 0 ? 0 : shard;
    last = shard < 0 ? one->ca.shards - 1 : shard;
    for (int i = first; i <= last && e == OK; i++) {
        struct crl_made made = { .number = 0 };

        if ((e = list_try(s, pg, one, i, true, one->ca.delta, &made, why)) == OK) {
            buf_addf(out, "crl %s %d %" PRId64 " %zu ", label, i, made.number, made.full.entries);
            if (made.delta.made)
                buf_addf(out, "%zu\n", made.delta.entries);
            else
                buf_adds(out, "-\n");
        }
        crl_made_done(&made);
    }
    return e;
}

void
lists_order(struct signer *s, struct pg *pg, const char *label, int shard, struct buf *out)
{
    struct why why = WHY_INIT;
    struct view *v;
    enum err e;

    run_begin(s);
    v = view_take(s);
    e = order_run(s, pg, v, label, shard, out, &why);
    view_drop(s, v);
    run_end(s);
    if (e == OK)
        buf_adds(out, "ok\n");
    else
        work_failure(out, e, &why);
}
