/*
 * list: lists from the database into the folder, and from the folder to the public.
 *
 * A list is believed when the authority's key signed it, when it is of this authority, shard and kind, and when its number is
 * that of its row and above the one in the folder. Then it is written beside, synced and renamed; what is offered is what is in
 * the folder. Whatever fails leaves the list before.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/core/log.h"
#include "pki/status/status-internal.h"

#define WARN_BEFORE (12 * USEC_PER_HOUR)       /* P-134: alarm, then red */
#define RED_BEFORE (6 * USEC_PER_HOUR)

/* --- judging ---------------------------------------------------------------------------------------------------------------- */

/* Lists of authorities in several parts say in the issuingDistributionPoint which part they are (RFC 5280 §5.2.5). */
static bool
part_is(const struct authority *a, const struct list_slot *slot, struct str scope)
{
    char path[CRL_PATH_SIZE];

    crl_path(&a->ca, slot->shard, false, path);
    if (a->ca.shards == 1)
        return true;
    return scope.n > 0 && memmem(scope.p, scope.n, path, strlen(path)) != NULL;
}

/* Our numbers have 63 bits. */
static enum err
number_read(const unsigned char octets[20], int64_t *ret, struct why *why)
{
    uint64_t n = 0;

    for (size_t i = 0; i < 20; i++) {
        if (i < 12 && octets[i] != 0)
            return why_code(why, ERR_DENIED, "status.list.number", "a number that is not ours");
        n = n << 8 | octets[i];
    }
    if (n > INT64_MAX)
        return why_code(why, ERR_DENIED, "status.list.number", "a number that is not ours");
    *ret = (int64_t)n;
    return OK;
}

/* Fills slot's number and times from the octets, if they are a list for this slot. */
static enum err
list_judge(const struct authority *a, const struct list_slot *slot, struct str der, struct list_slot *ret, struct why *why)
{
    struct x509_crl_facts facts;
    enum err e;

    if ((e = x509_crl_judge(a->trust, der, &facts, why)) != OK)
        return why_code(why, ERR_DENIED, "status.list.signature", "not a list that %s signed (%s)", a->label, err_name(e));
    if (facts.is_delta != slot->delta || !part_is(a, slot, facts.scope))
        return why_code(why, ERR_DENIED, "status.list.scope", "another kind or part of list");
    if ((e = number_read(facts.number, &ret->number, why)) != OK)
        return e;
    ret->this_update = facts.this_update;
    ret->next_update = facts.next_update;
    return OK;
}

/* --- from the folder --------------------------------------------------------------------------------------------------------- */

static void
slot_offer(struct status_process *s, struct list_slot *slot, struct str mapped, const struct list_slot *facts)
{
    document_drop(slot->document);
    slot->document = document_new(slot->name, mapped, true, facts->this_update, facts->next_update);
    slot->number = facts->number;
    slot->this_update = facts->this_update;
    slot->next_update = facts->next_update;
    slot->recorded = false;
    slot->warned = 0;
    s->changed = true;
}

static enum err
slot_load(struct status_process *s, struct authority *a, struct list_slot *slot, struct why *why)
{
    struct list_slot facts = { .number = 0 };
    struct str file;
    enum err e;

    if ((e = folder_map(s->folder.crl, slot->name, X509_CRL_DER_MAX, &file, why)) != OK)
        return e;
    if ((e = list_judge(a, slot, file, &facts, why)) != OK) {
        folder_unmap(file);
        return e;
    }
    slot_offer(s, slot, file, &facts);
    return OK;
}

void
lists_load(struct status_process *s, struct authority *a)
{
    for (size_t i = 0; i < a->nslots; i++) {
        struct why why = WHY_INIT;
        enum err e;

        if (a->slots[i].document != NULL)
            continue;
        if ((e = slot_load(s, a, &a->slots[i], &why)) != OK && e != ERR_NOT_FOUND)
            LOG_ERROR_EV("status.list.file", LF_STR("list", a->slots[i].name), LF_ERR(e), LF_WHY(&why));
    }
}

/* --- from the database --------------------------------------------------------------------------------------------------------- */

static struct list_slot *
slot_find(struct authority *a, int shard, bool delta)
{
    const size_t i = 2 * (size_t)shard + (delta ? 1 : 0);

    return a == NULL || shard < 0 || i >= a->nslots ? NULL : &a->slots[i];
}

/* der, which is of row number: judged, written, offered. */
static enum err
list_take(struct status_process *s, struct authority *a, struct list_slot *slot, struct str der, int64_t number, struct why *why)
{
    struct list_slot facts = { .number = 0 };
    struct str file;
    enum err e;

    if ((e = list_judge(a, slot, der, &facts, why)) != OK)
        return e;
    if (facts.number != number)
        return why_code(why, ERR_DENIED, "status.list.number", "the row is of number %" PRId64 ", the list of %" PRId64, number,
                        facts.number);
    if (facts.number <= slot->number || facts.this_update < slot->this_update)
        return why_code(why, ERR_DENIED, "status.list.number", "not after number %" PRId64 ", which is on offer", slot->number);
    if ((e = folder_put(s->folder.crl, slot->name, der, 0644, why)) != OK ||
        (e = folder_map(s->folder.crl, slot->name, X509_CRL_DER_MAX, &file, why)) != OK)
        return e;
    slot_offer(s, slot, file, &facts);
    return OK;
}

/* Only errors of the database are given back. */
static enum err
slot_follow(struct status_process *s, struct pg *pg, struct authority *a, struct list_slot *slot, int64_t newest, struct why *why)
{
    AUTO(buf_free) struct buf der = BUF_BOUNDED(X509_CRL_DER_MAX);
    struct crl_stored stored = { .number = newest };
    struct why failed = WHY_INIT;
    enum err e;

    if (newest <= slot->number)
        return OK;
    e = crl_newest(pg, a->ca.id, slot->shard, slot->delta, slot->number, &der, &stored, &failed);
    if (e == ERR_UNAVAILABLE) {
        *why = failed;
        return e;
    }
    if (e == OK)
        e = list_take(s, a, slot, buf_view(&der), stored.number, &failed);
    if (e == OK) {
        slot->refused = 0;
        LOG_INFO_EV("status.list", LF_STR("list", slot->name), LF_INT("number", slot->number), LF_INT("octets", der.len));
    } else if (slot->refused != newest) {                            /* once; it is tried again each time */
        slot->refused = newest;
        LOG_ERROR_EV("status.list.refused", LF_STR("list", slot->name), LF_INT("number", newest), LF_ERR(e), LF_WHY(&failed));
    }
    return OK;
}

static enum err
published_say(struct status_process *s, struct pg *pg, const struct authority *a, struct list_slot *slot, struct why *why)
{
    enum err e;

    if (slot->document == NULL || slot->recorded)
        return OK;
    if ((e = list_store_published(pg, a->ca.id, slot->shard, slot->delta, slot->number, s->node, clock_now(), why)) == OK)
        slot->recorded = true;
    return e;
}

/* Of all parts that we know. */
static enum err
newest_read(struct status_process *s, struct pg *pg, struct pg_result **ret, struct why *why)
{
    AUTO(mem_freep) int64_t *cas = NULL;
    AUTO(mem_freep) int64_t *shards = NULL;
    size_t n = 0;

    for (size_t i = 0; i < s->n; i++)
        n += s->authorities[i]->nslots / 2;
    cas = mem_alloc_array(n + 1, sizeof(*cas));
    shards = mem_alloc_array(n + 1, sizeof(*shards));
    n = 0;
    for (size_t i = 0; i < s->n; i++)
        for (size_t k = 0; k < s->authorities[i]->nslots / 2; k++) {
            cas[n] = s->authorities[i]->ca.id;
            shards[n++] = (int64_t)k;
        }
    return list_store_newest(pg, cas, shards, n, ret, why);
}

enum err
lists_follow(struct status_process *s, struct pg *pg, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    enum err e;

    if ((e = newest_read(s, pg, &r, why)) != OK)
        return e;
    for (int i = 0; i < pg_rows(r); i++) {
        struct newest_row row;
        struct authority *a;
        struct list_slot *slot;

        list_store_row(r, i, &row);
        a = authority_by_id(s, row.ca_id);
        if ((slot = slot_find(a, row.shard, row.delta)) == NULL)
            continue;
        if ((e = slot_follow(s, pg, a, slot, row.number, why)) != OK)
            return e;
        if (row.number < slot->number && slot->refused != row.number) {
            slot->refused = row.number;
            LOG_ERROR_EV("status.list.back", LF_STR("list", slot->name), LF_INT("offered", slot->number),
                         LF_INT("database", row.number));
        }
    }
    /* what is offered before the database is told that it is */
    if (s->changed)
        status_view_renew(s);
    for (size_t i = 0; i < s->n; i++)
        for (size_t k = 0; k < s->authorities[i]->nslots; k++)
            if ((e = published_say(s, pg, s->authorities[i], &s->authorities[i]->slots[k], why)) != OK)
                return e;
    return OK;
}

/* --- the clock --------------------------------------------------------------------------------------------------------------- */

/* 0: in time; 1: it ends in half a day, 2: in a quarter; 3: it is over. Lists of a shorter life have shorter steps. */
static int
lateness(const struct list_slot *slot, utime now)
{
    const int64_t life = slot->next_update - slot->this_update, left = slot->next_update - now;

    if (left <= 0)
        return 3;
    if (left < RED_BEFORE && left < life / 4)
        return 2;
    return left < WARN_BEFORE && left < life / 2 ? 1 : 0;
}

void
lists_watch(struct status_process *s, utime now, char *out, size_t size)
{
    static const char *const words[] = { "", "due", "due at once", "over" };
    int worst = 0;

    out[0] = '\0';
    for (size_t i = 0; i < s->n; i++) {
        struct authority *a = s->authorities[i];

        for (size_t k = 0; k < a->nslots; k++) {
            struct list_slot *slot = &a->slots[k];
            int late;

            if (slot->document == NULL || a->ca.state == CA_ENDED || a->ca.state == CA_COMPROMISED)
                continue;
            late = lateness(slot, now);
            if (late > slot->warned)
                LOG_AT(late == 1 ? LOG_LEVEL_WARNING : LOG_LEVEL_ERROR, "status.list.late", LF_STR("list", slot->name),
                       LF_STR("state", words[late]), LF_INT("seconds", (slot->next_update - now) / USEC_PER_SEC));
            slot->warned = late;
            if (late > worst) {
                worst = late;
                snprintf(out, size, "%s %s", slot->name, words[late]);
            }
        }
    }
    atomic_store(&s->late, worst == 3);
}
