/* verify_lists: lists by themselves, and the newest against the certificates. */
#include "pki/operator/verify-internal.h"

#include <stdio.h>

#include "base/core/enc.h"
#include "base/crypto/x509_path.h"
#include "pki/encode/certificate.h"
#include "pki/encode/parts.h"

#define SERIAL_HEX (2 * SERIAL_MAX + 1)

struct list {
    const struct verify_ca *ca;
    int ca_id, shard;
    int64_t number, horizon;
    const char *kind;
    char object[96];
    struct str der;
    utime this_update;
};

static void
object_set(const struct verify *v, const struct pg_result *r, int i, struct list *l)
{
    *l = (struct list){ .ca_id = (int)pg_i64(r, i, 0), .shard = (int)pg_i64(r, i, 1), .number = pg_i64(r, i, 2),
                        .kind = pg_text(r, i, 3) };
    l->ca = verify_ca_by_id(v, l->ca_id);
    snprintf(l->object, sizeof(l->object), "crl:%s/%d/%lld/%s", l->ca != NULL ? l->ca->label : "?", l->shard, (long long)l->number,
             l->kind);
}

/* Rows that a statement found wrong. */
static enum err
wrong_rows(struct verify *v, enum err (*ask)(struct pg *, struct pg_result **, struct why *), const char *rule, const char *text,
           struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    const enum err e = ask(v->pg, &r, why);
    struct list l;

    if (e != OK)
        return e;
    for (int i = 0; i < pg_rows(r); i++) {
        object_set(v, r, i, &l);
        verify_say(v, rule, l.object, "%s", text);
    }
    return OK;
}

/* --- one list ---------------------------------------------------------------------------------------------------------------- */

static void
number_of(int64_t number, unsigned char out[20])
{
    memset(out, 0, 20);
    for (int i = 0; i < 8; i++)
        out[19 - i] = (unsigned char)((uint64_t)number >> (8 * i));
}

static bool
octets_verify(struct verify *v, const struct list *l, const struct pg_result *r)
{
    AUTO(x509_crl_freep) struct x509_crl *crl = NULL;
    unsigned char sha[SHA256_LEN], number[20];
    struct str tbs, signature;
    struct why why = WHY_INIT;

    sha256(l->der, sha);
    if (!str_eq(pg_str(r, 0, 1), (struct str){ (const char *)sha, sizeof(sha) }))
        verify_say(v, "crl.octets", l->object, "its octets are not those that were signed");
    if (x509_crl_read(l->der, &crl, &why) != OK || signed_split(l->der, X509_CRL_DER_MAX, &tbs, &signature, &why) != OK) {
        verify_say(v, "crl.octets", l->object, "its octets are not a list: %s", why.text);
        return false;
    }
    if (l->ca == NULL || !verify_signed_by(l->ca->key, tbs, signature))
        verify_say(v, "crl.signature", l->object, "not signed by its authority");
    number_of(l->number, number);
    if (memcmp(number, x509_crl_number(crl), sizeof(number)) != 0 || (int64_t)x509_crl_entries(crl) != pg_i64(r, 0, 2) ||
        x509_crl_this_update(crl) != pg_time(r, 0, 3) || x509_crl_next_update(crl) != pg_time(r, 0, 4) ||
        x509_crl_is_delta(crl) != (strcmp(l->kind, "delta") == 0))
        verify_say(v, "crl.row", l->object, "number, kind, times or entries are not those of its row");
    return true;
}

/* --- who stands in the newest full list ------------------------------------------------------------------------------------------ */

/* Entries that no certificate accounts for: never issued, or good since before the list was read. */
static enum err
entries_flush(struct verify *v, const struct list *l, char (*hex)[SERIAL_HEX], size_t n, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    const char *serials[VERIFY_PAGE];
    enum err e;

    if (n == 0)
        return OK;
    for (size_t i = 0; i < n; i++)
        serials[i] = hex[i];
    if ((e = verify_entries_unknown(v->pg, l->ca_id, l->horizon, serials, n, &r, why)) != OK)
        return e;
    for (int i = 0; i < pg_rows(r); i++)
        verify_say(v, "crl.entry", l->object, "it lists %s, which is not revoked", pg_text(r, i, 0));
    return OK;
}

static enum err
entries_verify(struct verify *v, const struct list *l, struct why *why)
{
    char hex[VERIFY_PAGE][SERIAL_HEX];
    struct crl_walk w;
    struct crl_walk_entry entry;
    size_t n = 0;
    enum err e;

    if ((e = crl_walk_begin(&w, l->der, why)) != OK)
        return e;
    for (;;) {
        AUTO(buf_free) struct buf text = BUF_BOUNDED(SERIAL_HEX);

        if ((e = crl_walk_next(&w, &entry, why)) != OK)
            return e;
        if (entry.serial.p == NULL)
            return entries_flush(v, l, hex, n, why);
        hex_encode(&text, entry.serial.p, entry.serial.n);
        memcpy(hex[n++], buf_cstr(&text), text.len + 1);
        if (n < VERIFY_PAGE)
            continue;
        if ((e = entries_flush(v, l, hex, n, why)) != OK)
            return e;
        n = 0;
    }
}

/* The walk of the list beside the revoked certificates, both in the order of serial numbers. */
static enum err
revoked_verify(struct verify *v, const struct list *l, struct why *why)
{
    char after[SERIAL_MAX];
    struct str last = { after, 0 };
    struct crl_walk w;
    struct crl_walk_entry entry;
    int rows;
    enum err e;

    if ((e = crl_walk_begin(&w, l->der, why)) != OK || (e = crl_walk_next(&w, &entry, why)) != OK)
        return e;
    do {
        AUTO(pg_result_freep) struct pg_result *r = NULL;

        if ((e = verify_page_revoked(v->pg, l->ca_id, l->shard, l->horizon, l->this_update, last, &r, why)) != OK)
            return e;
        rows = pg_rows(r);
        for (int i = 0; i < rows; i++) {
            const struct str serial = pg_str(r, i, 0);
            AUTO(buf_free) struct buf hex = BUF_BOUNDED(SERIAL_HEX);

            while (entry.serial.p != NULL && serial_compare(entry.serial, serial) < 0)
                if ((e = crl_walk_next(&w, &entry, why)) != OK)
                    return e;
            if (entry.serial.p == NULL || !str_eq(entry.serial, serial)) {
                hex_encode(&hex, serial.p, serial.n);
                verify_say(v, "crl.missing", l->object, "%s is revoked and does not stand in it", buf_cstr(&hex));
            }
            memcpy(after, serial.p, serial.n);
            last.n = serial.n;
        }
    } while (rows == VERIFY_PAGE);
    return OK;
}

static enum err
list_verify(struct verify *v, struct list *l, bool newest, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    enum err e;

    if ((e = verify_list_octets(v->pg, l->ca_id, l->shard, l->number, l->kind, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0 || pg_is_null(r, 0, 0))
        return OK;                      /* dropped meanwhile */
    v->lists++;
    l->der = pg_str(r, 0, 0);
    l->this_update = pg_time(r, 0, 3);
    l->horizon = pg_i64(r, 0, 5);
    /* what a root revoked is in its register, not here */
    if (!octets_verify(v, l, r) || !newest || strcmp(l->kind, "full") != 0 || l->ca == NULL || l->ca->ca.root)
        return OK;
    e = entries_verify(v, l, why);
    return e != OK ? e : revoked_verify(v, l, why);
}

enum err
verify_lists(struct verify *v, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct list l;
    enum err e;

    if ((e = wrong_rows(v, verify_lists_order, "crl.order", "its times are before those of a list with a lower number", why)) != OK ||
        (e = wrong_rows(v, verify_lists_base, "crl.base", "the full list at which it begins is not there", why)) != OK ||
        (e = wrong_rows(v, verify_lists_counter, "crl.counter", "the counter is below the newest number", why)) != OK ||
        (e = verify_lists_kept(v->pg, &r, why)) != OK)
        return e;
    for (int i = 0; i < pg_rows(r); i++) {
        object_set(v, r, i, &l);
        if ((e = list_verify(v, &l, pg_bool(r, i, 4), why)) != OK)
            return e;
    }
    return OK;
}
