/*
 * watch: what a person must look at (table alarm): each look says which alarms have a cause, raises those that are not there and
 * ends those whose cause has ended. Nothing is remembered between two looks but in the table: a killed signer's alarms are
 * ended by the next one.
 *
 *   signer.locked     the key of an authority at work is locked: two custodians must come
 *   key.away          the token with such a key does not answer, or refused the PIN: red
 *   crl.none          an authority at work has no list yet
 *   crl.due           no new full list though the period is past, or the key locked, and the next update in 12 hours: warning;
 *                     in 6: red (P-134). Of a root, whose lists are made in a ceremony: in 30 days, and 7
 *   crl.failed        the last run failed; red where only a person can help (pki.crl.lost, pki.crl.clock, pki.crl.published)
 *   crl.unpublished   a list is made and nobody offers it since 5 minutes: warning; 30: red (P-147). Only where some process
 *                     offers lists, or ever did
 */
#include <stdio.h>

#include "pki/authority/alarm.h"
#include "pki/signer/signer-internal.h"

#define DUE_WARNING (12 * USEC_PER_HOUR)
#define DUE_RED (6 * USEC_PER_HOUR)
#define ROOT_WARNING (30 * USEC_PER_DAY)
#define ROOT_RED (7 * USEC_PER_DAY)
#define UNPUBLISHED_WARNING (5 * USEC_PER_MIN)
#define UNPUBLISHED_RED (30 * USEC_PER_MIN)
#define OVERDUE (5 * USEC_PER_MIN)     /* a run that is due is tried each minute at least */

static const char *const kinds[] = { "signer.locked", "key.away", "crl.none", "crl.due", "crl.failed", "crl.unpublished" };

/* The alarms that have a cause now. */
struct causes {
    struct arena *a;
    struct alarm *list;
    size_t n, room;
};

static void
cause_add(struct causes *c, const char *kind, const char *object, enum alarm_level level, const char *text)
{
    CHECK(c->n < c->room);
    c->list[c->n++] = (struct alarm){ .kind = kind, .object = object, .level = level, .text = text };
}

static bool
same(const struct alarm *x, const struct alarm *y)
{
    return x->level == y->level && strcmp(x->kind, y->kind) == 0 && strcmp(x->object, y->object) == 0;
}

/* --- causes ----------------------------------------------------------------------------------------------------------------- */

/* NULL: locked when it was looked at, all of them. */
static const struct issue_ca *
ca_find_in(const struct view *v, int ca_id)
{
    for (size_t i = 0; i < v->n; i++)
        if (v->cas[i].ca.id == ca_id)
            return &v->cas[i];
    return NULL;
}

static void
due_cause(struct causes *c, const struct crl_shard *l, const char *object, bool locked, utime now)
{
    const int64_t left = l->next_update - now, warning = l->root ? ROOT_WARNING : DUE_WARNING, red = l->root ? ROOT_RED : DUE_RED;
    const bool waits = l->root || locked || now > l->made_at + l->period + OVERDUE;
    char at[UTIME_RFC3339_LEN + 1];

    if (!waits || left > warning)
        return;
    utime_rfc3339(l->next_update, at);
    cause_add(c, "crl.due", object, left > red ? ALARM_WARNING : ALARM_RED,
              arena_printf(c->a, "the list is good until %s: %s", at, l->root ? "a ceremony makes the next one"
                                 : locked ? "the key is locked or away" : "no run succeeds"));
}

static void
unpublished_cause(struct causes *c, const struct crl_shard *l, const char *object, utime now)
{
    const int64_t since = l->unpublished == UTIME_NULL ? 0 : now - l->unpublished;

    if (!l->offered || l->root || since <= UNPUBLISHED_WARNING)
        return;
    cause_add(c, "crl.unpublished", object, since > UNPUBLISHED_RED ? ALARM_RED : ALARM_WARNING,
              arena_printf(c->a, "a list that was made %lld minutes ago is not offered: look at the status process",
                           (long long)(since / USEC_PER_MIN)));
}

static void
failed_cause(struct signer *s, struct causes *c, const struct crl_shard *l, const char *object)
{
    static const char *const person[] = { "pki.crl.lost", "pki.crl.clock", "pki.crl.published" };
    enum alarm_level level = ALARM_WARNING;
    struct why why;
    enum err e;

    if (!lists_failure(s, l->ca_id, l->shard, &e, &why))
        return;
    for (size_t i = 0; i < ARRAY_LEN(person); i++)
        if (strcmp(why.code, person[i]) == 0)
            level = ALARM_RED;
    cause_add(c, "crl.failed", object, level, arena_printf(c->a, "%s: %s", why.code[0] != '\0' ? why.code : err_name(e), why.text));
}

static void
shard_causes(struct signer *s, const struct view *v, struct causes *c, const struct crl_shard *l, utime now)
{
    const struct issue_ca *one = ca_find_in(v, l->ca_id);
    const bool away = one != NULL && one->away != NULL && atomic_load(one->away), locked = one == NULL || one->key == NULL || away;
    char label[CA_LABEL_SIZE];
    const char *object;

    ca_label(l->name, l->generation, label);
    object = arena_printf(c->a, "crl:%s/%d", label, l->shard);
    if (away && l->shard == 0)
        cause_add(c, "key.away", arena_printf(c->a, "ca:%s", label), ALARM_RED,
                  "the token with the key does not answer, or refused the PIN: look at the HSM, then lock and unlock");
    else if (locked && !l->root && l->shard == 0)
        cause_add(c, "signer.locked", arena_printf(c->a, "ca:%s", label), ALARM_WARNING, "the key is locked: custodians unlock it");
    if (!l->has_full)
        cause_add(c, "crl.none", object, ALARM_WARNING, l->root ? "there is no list: a ceremony makes it" : "there is no list yet");
    else
        due_cause(c, l, object, locked, now);
    unpublished_cause(c, l, object, now);
    failed_cause(s, c, l, object);
}

/* --- the table -------------------------------------------------------------------------------------------------------------- */

static bool
is_ours(const struct alarm *x)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (strcmp(x->kind, kinds[i]) == 0)
            return true;
    return false;
}

/* A red alarm beside the warning before it: both stay until the cause ends, which ends both. */
static enum err
table_match(struct pg *pg, const struct causes *c, utime now, struct why *why)
{
    struct alarm *open;
    size_t n;
    enum err e;

    if ((e = alarm_list(pg, c->a, &open, &n, why)) != OK)
        return e;
    for (size_t i = 0; i < c->n && e == OK; i++) {
        bool there = false;

        for (size_t k = 0; k < n && !there; k++)
            there = same(&open[k], &c->list[i]);
        if (!there)
            e = alarm_raise(pg, &c->list[i], now, NULL, why);
    }
    for (size_t k = 0; k < n && e == OK; k++) {
        bool caused = !is_ours(&open[k]);

        for (size_t i = 0; i < c->n && !caused; i++)
            caused = strcmp(open[k].kind, c->list[i].kind) == 0 && strcmp(open[k].object, c->list[i].object) == 0;
        if (!caused)
            e = alarm_end(pg, open[k].kind, open[k].object, now, why);
    }
    return e;
}

enum err
watch_look(struct signer *s, struct pg *pg, utime now, struct why *why)
{
    AUTO(arena_freep) struct arena *a = arena_new((size_t)8 << 20);
    struct causes c = { .a = a };
    struct crl_shard *list;
    struct view *v;
    size_t n;
    enum err e;

    if ((e = crl_shards(pg, a, &list, &n, why)) != OK)
        return e;
    c.room = ARRAY_LEN(kinds) * n;
    c.list = arena_alloc(a, (c.room + 1) * sizeof(*c.list));
    v = view_take(s);
    for (size_t i = 0; i < n; i++)
        shard_causes(s, v, &c, &list[i], now);
    view_drop(s, v);
    return table_match(pg, &c, now, why);
}
