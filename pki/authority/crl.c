/*
 * crl: see crl.h. The previous list is walked beside the new one, both in the order of their serial numbers: what the new one
 * jumps over is asked for in the database, some thousands at a time.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/crypto/x509_path.h"
#include "base/pg/audit.h"
#include "pki/authority/crl-internal.h"
#include "pki/encode/parts.h"
#include "pki/lint/lint.h"

#define GONE_MAX 4096
#define SERIAL_HEX (2 * SERIAL_MAX + 1)

void
crl_path(const struct ca *ca, int shard, bool delta, char out[CRL_PATH_SIZE])
{
    char label[CA_LABEL_SIZE], part[16] = "";
    int n;

    ca_label(ca->name, ca->generation, label);
    if (ca->shards > 1)
        snprintf(part, sizeof(part), "-%d", shard);
    n = snprintf(out, CRL_PATH_SIZE, "/crl/%s%s%s.crl", label, part, delta ? "-delta" : "");
    CHECK(n > 0 && n < CRL_PATH_SIZE);
}

static void
list_done(struct crl_list *list)
{
    if (list->crl.der.data != NULL)
        crl_done(&list->crl);
    *list = (struct crl_list){ .made = false };
}

void
crl_made_done(struct crl_made *made)
{
    list_done(&made->full);
    list_done(&made->delta);
}

/* --- one run ---------------------------------------------------------------------------------------------------------- */

struct run {
    const struct crl_order *order;
    const struct ca *ca;
    struct key *key;
    struct crl_made *made;
    struct pg *pg;
    struct crl_before before;
    struct x509_trust *trust;
    int64_t published;             /* number of the full list that is out there; 0: none */
    int64_t above;                 /* of the newest that is, of any kind */
    int64_t horizon;
    bool reasons;                  /* some profile shows them */
    struct crl_walk previous;
    struct crl_walk_entry before_entry;      /* the next of the previous list */
    /* serial numbers that the new list jumped over */
    char gone[GONE_MAX][SERIAL_HEX];
    int64_t gone_held[GONE_MAX];
    size_t gone_n;
    int64_t lost;
};

/* An entry leaves a full list once one was made beyond its certificate's end. */
static utime
ended_before(const struct run *run)
{
    return run->before.has_full ? run->before.full_this_update : UTIME_NULL;
}

static enum err
gone_ask(struct run *run, struct why *why)
{
    const char *list[GONE_MAX];
    int64_t lost = 0;
    enum err e;

    if (run->gone_n == 0)
        return OK;
    for (size_t i = 0; i < run->gone_n; i++)
        list[i] = run->gone[i];
    e = crl_store_lost(run->pg, run->ca->id, list, run->gone_held, run->gone_n, ended_before(run), &lost, why);
    run->gone_n = 0;
    run->lost += lost;
    return e;
}

static enum err
previous_next(struct run *run, struct why *why)
{
    return crl_walk_next(&run->previous, &run->before_entry, why) == OK
               ? OK : why_code(why, ERR_INPUT, "pki.crl.previous", "the previous list cannot be read");
}

/* At its first entry. der n 0: an empty one. */
static enum err
previous_open(struct run *run, struct str der, struct why *why)
{
    run->previous.entries = STR_NULL;
    if (der.n > 0 && crl_walk_begin(&run->previous, der, why) != OK)
        return why_code(why, ERR_INPUT, "pki.crl.previous", "the previous list cannot be read");
    return previous_next(run, why);
}

/* Walks the previous list up to serial (n 0: to its end), which is the next entry of the new one. */
static enum err
previous_pass(struct run *run, struct str serial, struct why *why)
{
    const struct crl_walk_entry *p = &run->before_entry;
    enum err e = OK;

    while (e == OK && p->serial.p != NULL) {
        const int order = serial.n == 0 ? -1 : serial_compare(p->serial, serial);

        if (order > 0)
            return OK;
        if (order < 0) {
            for (size_t i = 0; i < p->serial.n && i < SERIAL_MAX; i++)
                snprintf(run->gone[run->gone_n] + 2 * i, 3, "%02x", (unsigned char)p->serial.p[i]);
            run->gone_held[run->gone_n++] = crl_walk_is_hold(p);
            if (run->gone_n == GONE_MAX && (e = gone_ask(run, why)) != OK)
                return e;
        }
        e = previous_next(run, why);
    }
    return e;
}

static int
reason_shown(const struct run *run, const struct crl_row *row)
{
    const struct profile *p;

    if (!row->listed)
        return CRL_REMOVE_FROM_CRL;
    if (row->reason == CRL_HOLD)
        return CRL_HOLD;
    p = profile_set_find(run->order->profiles, str_of(row->profile));
    return p != NULL && p->crl_reasons && row->reason != 0 ? row->reason : CRL_REASON_NONE;
}

static enum err
page_write(struct run *run, struct crl_list *list, bool delta, const struct pg_result *page, struct why *why)
{
    enum err e = OK;

    for (int i = 0; i < pg_rows(page) && e == OK; i++) {
        struct crl_entry entry;
        struct crl_row row;

        crl_store_row(page, i, &row);
        entry = (struct crl_entry){ .serial = row.serial, .revoked_at = row.revoked_at, .reason = reason_shown(run, &row),
                                    .invalid_at = row.listed ? row.invalid_at : 0 };
        if (entry.revoked_at > run->made->this_update)
            entry.revoked_at = run->made->this_update;
        if ((!delta && (e = previous_pass(run, row.serial, why)) != OK) || (e = crl_add(&list->crl, &entry, why)) != OK)
            return e;
        list->entries++;
    }
    return e;
}

static enum err
entries_write(struct run *run, struct crl_list *list, bool delta, struct why *why)
{
    const struct crl_order *o = run->order;
    int rows = 1;
    enum err e = delta ? crl_store_delta_open(run->pg, o->ca_id, o->shard, ended_before(run), &run->before, why)
                       : crl_store_full_open(run->pg, o->ca_id, o->shard, ended_before(run), why);

    while (e == OK && rows > 0) {
        AUTO(pg_result_freep) struct pg_result *page = NULL;

        if ((e = crl_store_rows(run->pg, delta, &page, why)) != OK || (e = page_write(run, list, delta, page, why)) != OK)
            return e;
        rows = pg_rows(page);
    }
    return e;
}

/* Read by another hand before the key is touched; and the whole once more after, with its signature. */
static enum err
list_lint(const struct run *run, const struct crl_list *list, struct str tbs, struct why *why)
{
    const struct crl_head *h = &list->crl.head;
    const struct ca *ca = run->ca;
    const struct lint_crl_context context = {
        .issuer = { ca->subject, ca->key_id, h->sig_alg, ca->not_before, ca->not_after }, .now = run->order->now,
        .life_max = ca->crl_life, .number = h->number, .delta = h->delta, .base = h->base, .point = h->point, .scope = h->scope,
        .delta_url = h->delta_url, .entries = list->entries, .reasons = run->reasons,
    };
    struct lint_report report;

    (void)lint_crl(tbs, &context, &report);
    return lint_judge(&report, why);
}

static enum err
list_read_back(const struct run *run, const struct crl_list *list, bool delta, struct why *why)
{
    struct x509_crl_facts facts;
    enum err e;

    if ((e = x509_crl_judge(run->trust, list->der, &facts, why)) != OK)
        return e;
    if (facts.entries != list->entries || facts.is_delta != delta || facts.this_update != run->made->this_update ||
        facts.next_update != run->made->next_update)
        return why_set(why, ERR_INTERNAL, "the list reads back as another than was written");
    return OK;
}

static enum err
list_make(struct run *run, struct crl_list *list, bool delta, struct why *why)
{
    AUTO(buf_free) struct buf sig = BUF_BOUNDED(1024), point = BUF_BOUNDED(1024), delta_url = BUF_BOUNDED(1024);
    const struct crl_order *o = run->order;
    const struct ca *ca = run->ca;
    struct crl_head head = { .issuer = ca->subject, .issuer_key_id = ca->key_id,
                             .sig_alg = profile_sig_alg(key_algorithm(run->key)), .this_update = run->made->this_update,
                             .next_update = run->made->next_update, .number = (uint64_t)run->made->number, .delta = delta,
                             .base = delta ? (uint64_t)run->made->base : 0, .scope = CRL_SCOPE_ALL };
    char path[CRL_PATH_SIZE];
    struct str tbs;
    enum err e;

    crl_path(ca, o->shard, false, path);
    buf_addf(&point, "%s%s", o->base_url, path);
    crl_path(ca, o->shard, true, path);
    buf_addf(&delta_url, "%s%s", o->base_url, path);
    if (!buf_ok(&point) || !buf_ok(&delta_url))
        return why_code(why, ERR_INPUT, "pki.crl.url", "address too long");
    if (ca->shards > 1)                                              /* the same in full and delta (§5.2.4) */
        head.point = buf_view(&point);
    if (ca->delta && !delta)
        head.delta_url = buf_view(&delta_url);
    list->made = true;
    crl_begin(&list->crl, &head, delta ? 0 : (size_t)(run->before.entries + run->before.entries / 16 + 64));
    if ((e = entries_write(run, list, delta, why)) != OK || (e = crl_close(&list->crl, &tbs, why)) != OK ||
        (e = list_lint(run, list, tbs, why)) != OK ||
        (e = key_sign(run->key, KEY_CA_SIGN, head.sig_alg, tbs, false, &sig, why)) != OK ||
        (e = crl_finish(&list->crl, buf_view(&sig), &list->der, why)) != OK)
        return e;
    list->crl.head.point = list->crl.head.delta_url = STR_NULL;      /* they end here */
    return list_read_back(run, list, delta, why);
}

/* --- around it --------------------------------------------------------------------------------------------------------- */

static enum err
full_make(struct run *run, struct why *why)
{
    const bool published = run->published > 0 && (run->published > run->before.number || run->before.der.n == 0);
    enum err e;

    run->gone_n = 0;
    run->lost = 0;
    if ((e = previous_open(run, published ? run->order->published : run->before.der, why)) != OK ||
        (e = list_make(run, &run->made->full, false, why)) != OK || (e = previous_pass(run, STR_NULL, why)) != OK ||
        (e = gone_ask(run, why)) != OK)
        return e;
    if (run->lost > 0)
        return why_code(why, ERR_CONFLICT, "pki.crl.lost", "%" PRId64 " entries of the previous list would disappear without "
                        "release or expiry", run->lost);
    return OK;
}

/* May there be a delta, and from where? */
static enum err
base_check(const struct run *run, struct why *why)
{
    const struct crl_before *b = &run->before;

    if (!b->has_full)
        return why_code(why, ERR_CONFLICT, "pki.crl.base", "no full list for a delta to begin at");
    if (b->full_next_update <= run->order->now)
        return why_code(why, ERR_CONFLICT, "pki.crl.base", "the next update of the last full list is past");
    if (b->went_back || run->published > b->number || run->above > b->newest)
        return why_code(why, ERR_CONFLICT, "pki.crl.base", "the database is older than the last full list");
    return OK;
}

static enum err
times_set(struct run *run, struct why *why)
{
    const struct crl_order *o = run->order;
    const struct crl_before *b = &run->before;
    struct crl_made *made = run->made;

    if (b->made_at != UTIME_NULL && o->now < b->made_at)
        return why_code(why, ERR_CONFLICT, "pki.crl.clock", "the newest list was made %" PRId64 " s later than now",
                        (b->made_at - o->now) / USEC_PER_SEC);
    made->this_update = (o->now - o->backdate) / USEC_PER_SEC * USEC_PER_SEC;
    if (b->this_update != UTIME_NULL && made->this_update < b->this_update)
        made->this_update = b->this_update;
    made->next_update = made->this_update + run->ca->crl_life / USEC_PER_SEC * USEC_PER_SEC;
    return OK;
}

static enum err
audit_write(const struct run *run, struct why *why)
{
    const struct crl_made *made = run->made;
    char object[CA_LABEL_SIZE + 24], label[CA_LABEL_SIZE], detail[200], full[32] = "null", delta[64] = "null";

    ca_label(run->ca->name, run->ca->generation, label);
    snprintf(object, sizeof(object), "crl:%s/%d", label, run->order->shard);
    if (made->full.made)
        snprintf(full, sizeof(full), "%zu", made->full.entries);
    if (made->delta.made)
        snprintf(delta, sizeof(delta), "%zu,\"base\":%" PRId64, made->delta.entries, made->base);
    snprintf(detail, sizeof(detail), "{\"number\":%" PRId64 ",\"full\":%s,\"delta\":%s}", made->number, full, delta);
    return audit_add(run->pg, &(struct audit_entry){ .at = run->order->now, .actor = run->order->actor, .role = "",
                     .verb = "crl.sign", .object = object, .result = "ok", .detail = detail }, why);
}

static enum err
run_in_view(struct run *run, struct why *why)
{
    const struct crl_order *o = run->order;
    struct crl_made *made = run->made;
    enum err e;

    if ((e = crl_store_number(run->pg, o->ca_id, o->shard, run->above, &made->number, &run->horizon, why)) != OK ||
        (e = crl_store_before(run->pg, o->ca_id, o->shard, o->full, &run->before, why)) != OK ||
        (e = times_set(run, why)) != OK || (o->delta && (e = base_check(run, why)) != OK))
        return e;
    made->base = o->delta ? run->before.number : 0;
    if (o->full && ((e = full_make(run, why)) != OK || (e = crl_store_put(run->pg, o, made, false, run->horizon, why)) != OK))
        return e;
    if (o->delta && ((e = list_make(run, &made->delta, true, why)) != OK ||
                     (e = crl_store_put(run->pg, o, made, true, run->horizon, why)) != OK))
        return e;
    return audit_write(run, why);
}

static enum err
run_body(struct pg *pg, void *arg, struct why *why)
{
    struct run *run = arg;
    enum err e;

    run->pg = pg;
    crl_made_done(run->made);                                        /* of a run before that collided */
    e = run_in_view(run, why);
    crl_before_done(&run->before);
    return e;
}

/* What is out there: a list of this authority, and its number. */
static enum err
published_read(const struct run *run, struct str der, bool delta, int64_t *ret, struct why *why)
{
    struct x509_crl_facts facts;
    int64_t number = 0;
    enum err e;

    if (der.n == 0)
        return OK;
    if ((e = x509_crl_judge(run->trust, der, &facts, why)) != OK)
        return e;
    for (size_t i = 0; i < sizeof(facts.number); i++) {
        if (i < 13 && facts.number[i] != 0)
            return why_code(why, ERR_INPUT, "pki.crl.previous", "the published list has a number that is not ours");
        number = number << 8 | facts.number[i];
    }
    if (facts.is_delta != delta)
        return why_code(why, ERR_INPUT, "pki.crl.previous", "the published list is %s", delta ? "no delta" : "a delta");
    *ret = number;
    return OK;
}

static enum err
published_all_read(struct run *run, struct why *why)
{
    const struct crl_order *o = run->order;
    int64_t delta = 0;
    enum err e;

    if ((e = published_read(run, o->published_delta, true, &delta, why)) != OK ||
        (e = published_read(run, o->published, false, &run->published, why)) != OK)
        return e;
    run->above = delta > run->published ? delta : run->published;
    return OK;
}

static enum err
order_check(const struct run *run, struct why *why)
{
    AUTO(buf_free) struct buf spki = BUF_BOUNDED(4096);
    const struct crl_order *o = run->order;
    const struct ca *ca = run->ca;

    CHECK((o->full || o->delta) && o->backdate >= 0 && o->backdate <= CRL_BACKDATE_MAX);
    if (o->shard < 0 || o->shard >= ca->shards)
        return why_code(why, ERR_INPUT, "pki.crl.shard", "%s has %d shards", ca->name, ca->shards);
    if (ca->root || (ca->state != CA_ACTIVE && ca->state != CA_RETIRING))
        return why_code(why, ERR_CONFLICT, "pki.crl.ca", "%s %s", ca->name, ca->root ? "is a root: its lists are made in a ceremony"
                                                                                       : "signs no lists");
    key_spki(run->key, &spki);
    if (!key_can_sign(run->key, KEY_CA_SIGN) || !str_eq(buf_view(&spki), ca->spki))
        return why_code(why, ERR_DENIED, "pki.crl.key", "this is not the key of %s", ca->name);
    return OK;
}

enum err
crl_make(struct pg *pg, const struct crl_order *order, struct key *key, struct crl_made *ret, struct why *why)
{
    AUTO(arena_freep) struct arena *a = arena_new((size_t)1 << 18);
    AUTO(x509_trust_freep) struct x509_trust *trust = x509_trust_new();
    AUTO(mem_freep) struct run *run = mem_alloc(sizeof(*run));
    struct ca ca;
    enum err e;

    *ret = (struct crl_made){ .number = 0 };
    run->order = order;
    run->ca = &ca;
    run->key = key;
    run->made = ret;
    run->trust = trust;
    for (size_t i = 0; i < order->profiles->n; i++)
        run->reasons = run->reasons || order->profiles->items[i]->crl_reasons;
    if ((e = ca_by_id(pg, order->ca_id, a, &ca, why)) != OK || (e = order_check(run, why)) != OK ||
        (e = x509_trust_add_anchor(trust, ca.certificate, why)) != OK || (e = published_all_read(run, why)) != OK ||
        (e = pg_tx_snapshot(pg, run_body, run, why)) != OK)
        crl_made_done(ret);
    return e;
}
