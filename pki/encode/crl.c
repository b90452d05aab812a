/*
 * crl: see crl.h. Heads are written from the back: the entries end where they end, then come the extensions, then the head of the
 * list of entries is put before the first entry, the fixed part before that, and so on outwards.
 */
#include "pki/encode/crl.h"

#include "base/crypto/der-oid.h"
#include "pki/encode/extension.h"

#define HEAD_MAX 6                   /* tag and length of up to 4 octets */
#define FRONT_MAX (3 * HEAD_MAX + NAME_MAX_LEN + 256)
#define ENTRY_TYPICAL 52             /* serial of 16 octets with a reason */
#define ENTRY_MAX 128
#define TAIL_ROOM 2048               /* extensions and signature */

void
crl_begin(struct crl *crl, const struct crl_head *head, size_t expected)
{
    *crl = (struct crl){ .der = BUF_BOUNDED(CRL_MAX), .head = *head, .front = FRONT_MAX };
    CHECK(head->issuer.n <= NAME_MAX_LEN && expected < CRL_MAX / ENTRY_MAX);
    CHECK(buf_reserve(&crl->der, FRONT_MAX + expected * ENTRY_TYPICAL + TAIL_ROOM) != NULL);
    memset(crl->der.data, 0, FRONT_MAX);
    buf_advance(&crl->der, FRONT_MAX);
    crl->time_at = INT64_MIN;
}

/* --- entries -------------------------------------------------------------------------------------------------------- */

static enum err
time_remember(struct crl *crl, utime t)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(32);

    if (t / USEC_PER_SEC == crl->time_at)
        return OK;
    if (der_add_time(&text, t) != OK || text.len > sizeof(crl->time))
        return ERR_INPUT;
    memcpy(crl->time, text.data, text.len);
    crl->time_len = text.len;
    crl->time_at = t / USEC_PER_SEC;
    return OK;
}

/* The rules of one entry, and its place behind the last one. */
static enum err
entry_check(struct crl *crl, const struct crl_entry *entry, struct why *why)
{
    unsigned char padded[SERIAL_MAX] = { 0 };
    const unsigned char *serial = (const unsigned char *)entry->serial.p;

    if (entry->serial.n == 0 || entry->serial.n > SERIAL_MAX || serial[0] == 0 || (entry->serial.n == SERIAL_MAX && serial[0] > 0x7f))
        return why_code(why, ERR_INPUT, "pki.crl.serial", "serial number of entry %zu", crl->n + 1);
    memcpy(padded + SERIAL_MAX - entry->serial.n, serial, entry->serial.n);
    if (crl->n > 0 && memcmp(padded, crl->last, SERIAL_MAX) <= 0)
        return why_code(why, ERR_INPUT, "pki.crl.order", "entry %zu is not above the one before", crl->n + 1);
    if (entry->reason != CRL_REASON_NONE && (entry->reason < 1 || entry->reason > 10 || entry->reason == 7))
        return why_code(why, ERR_INPUT, "pki.crl.reason", "reason %d of entry %zu", entry->reason, crl->n + 1);
    if (entry->reason == CRL_REMOVE_FROM_CRL && !crl->head.delta)      /* §5.3.1 */
        return why_code(why, ERR_INPUT, "pki.crl.reason", "removeFromCRL in a full list (entry %zu)", crl->n + 1);
    if (entry->revoked_at > crl->head.this_update || time_remember(crl, entry->revoked_at) != OK)
        return why_code(why, ERR_INPUT, "pki.crl.date", "date of entry %zu cannot be written, or is after thisUpdate", crl->n + 1);
    memcpy(crl->last, padded, SERIAL_MAX);
    return OK;
}

/* The DER of one entry is short: its lengths are one octet each, and it is put together here in one go. */
static size_t
entry_write(const struct crl *crl, const struct crl_entry *entry, unsigned char out[ENTRY_MAX], struct str invalidity)
{
    /* Extension { reasonCode, OCTET STRING { ENUMERATED } } */
    static const unsigned char reason[] = { 0x30, 0x0a, 0x06, 0x03, 0x55, 0x1d, 0x15, 0x04, 0x03, 0x0a, 0x01 };
    const bool pad = ((unsigned char)entry->serial.p[0] & 0x80) != 0;
    const size_t extensions = (entry->reason == CRL_REASON_NONE ? 0 : sizeof(reason) + 1) + invalidity.n;
    size_t n = 2;

    out[n++] = DER_INTEGER;
    out[n++] = (unsigned char)(entry->serial.n + pad);
    if (pad)
        out[n++] = 0;
    memcpy(out + n, entry->serial.p, entry->serial.n);
    n += entry->serial.n;
    memcpy(out + n, crl->time, crl->time_len);
    n += crl->time_len;
    if (extensions > 0) {
        out[n++] = DER_SEQUENCE;
        out[n++] = (unsigned char)extensions;
        if (entry->reason != CRL_REASON_NONE) {
            memcpy(out + n, reason, sizeof(reason));
            n += sizeof(reason);
            out[n++] = (unsigned char)entry->reason;
        }
        if (invalidity.n > 0) {
            memcpy(out + n, invalidity.p, invalidity.n);
            n += invalidity.n;
        }
    }
    out[0] = DER_SEQUENCE;
    out[1] = (unsigned char)(n - 2);
    return n;
}

enum err
crl_add(struct crl *crl, const struct crl_entry *entry, struct why *why)
{
    AUTO(buf_free) struct buf invalidity = BUF_BOUNDED(64);
    unsigned char der[ENTRY_MAX];
    enum err e;

    if ((e = entry_check(crl, entry, why)) != OK)
        return e;
    if (entry->invalid_at != 0) {
        const struct extension_mark mark = extension_begin(&invalidity, OID_CE_INVALIDITY_DATE, false);

        if (der_add_generalized_time(&invalidity, DER_GENERALIZED_TIME, entry->invalid_at) != OK)
            return why_code(why, ERR_INPUT, "pki.crl.date", "invalidity date of entry %zu", crl->n + 1);
        extension_end(&invalidity, mark);
    }
    buf_add(&crl->der, der, entry_write(crl, entry, der, buf_view(&invalidity)));
    crl->n++;
    return buf_ok(&crl->der) ? OK : why_code(why, ERR_INPUT, "pki.crl.size", "list longer than %zu octets", CRL_MAX);
}

/* --- what is around them -------------------------------------------------------------------------------------------- */

/* §5.2.5: an empty one would say nothing and is left out. */
static void
issuing_distribution_point(struct buf *out, const struct crl_head *head)
{
    struct extension_mark mark;
    size_t value;

    if (head->point.n == 0 && head->scope == CRL_SCOPE_ALL)
        return;
    mark = extension_begin(out, OID_CE_ISSUING_DISTRIBUTION_POINT, true);
    value = der_begin(out, DER_SEQUENCE);
    if (head->point.n > 0)
        extension_distribution_point_name(out, head->point);
    if (head->scope != CRL_SCOPE_ALL)
        der_add_true(out, DER_CONTEXT_PRIMITIVE(head->scope == CRL_SCOPE_USERS ? 1 : 2));
    der_end(out, value);
    extension_end(out, mark);
}

static void
number_extension(struct buf *out, struct str oid, bool critical, uint64_t number)
{
    const struct extension_mark mark = extension_begin(out, oid, critical);

    der_add_number(out, DER_INTEGER, number);
    extension_end(out, mark);
}

static void
extensions(struct buf *out, const struct crl_head *head)
{
    const size_t tagged = der_begin(out, DER_CONTEXT(0)), list = der_begin(out, DER_SEQUENCE);

    extension_authority_key_id(out, head->issuer_key_id);
    number_extension(out, OID_CE_CRL_NUMBER, false, head->number);
    if (head->delta)
        number_extension(out, OID_CE_DELTA_CRL_INDICATOR, true, head->base);
    issuing_distribution_point(out, head);
    if (!head->delta && head->delta_url.n > 0)                       /* §5.2.6: never in a delta */
        extension_distribution_points(out, OID_CE_FRESHEST_CRL, head->delta_url);
    der_end(out, list);
    der_end(out, tagged);
}

/* Puts bytes in front of what begins at crl->start. */
static void
prepend(struct crl *crl, const void *p, size_t n)
{
    CHECK(crl->start >= n);
    crl->start -= n;
    memcpy(crl->der.data + crl->start, p, n);
}

/* Tag and length of everything from crl->start up to end. */
static void
prepend_head(struct crl *crl, size_t end)
{
    const size_t length = end - crl->start;
    unsigned char head[HEAD_MAX] = { DER_SEQUENCE, 0 };
    size_t octets = 1;

    if (length < 0x80) {
        head[1] = (unsigned char)length;
        prepend(crl, head, 2);
        return;
    }
    while (octets < 4 && length >> (8 * octets) != 0)
        octets++;
    head[1] = (unsigned char)(0x80 | octets);
    for (size_t i = 0; i < octets; i++)
        head[2 + i] = (unsigned char)(length >> (8 * (octets - 1 - i)));
    prepend(crl, head, 2 + octets);
}

static enum err
head_check(const struct crl *crl, struct why *why)
{
    const struct crl_head *h = &crl->head;

    if (h->next_update <= h->this_update)
        return why_code(why, ERR_INPUT, "pki.crl.update", "nextUpdate is not after thisUpdate");
    if (h->delta && h->base >= h->number)
        return why_code(why, ERR_INPUT, "pki.crl.base", "the base of a delta is not below its own number");
    if ((h->point.n > 0 && !extension_url_is_valid(h->point)) || (h->delta_url.n > 0 && !extension_url_is_valid(h->delta_url)))
        return why_code(why, ERR_INPUT, "pki.crl.url", "an address that is not http");
    return OK;
}

enum err
crl_close(struct crl *crl, struct str *ret_tbs, struct why *why)
{
    AUTO(buf_free) struct buf fixed = BUF_BOUNDED(NAME_MAX_LEN + 256);
    const struct crl_head *h = &crl->head;
    size_t entries_end = crl->der.len;
    enum err e;

    if ((e = head_check(crl, why)) != OK)
        return e;
    der_add_number(&fixed, DER_INTEGER, 1);                          /* v2 */
    if ((e = sig_alg_encode(h->sig_alg, &fixed, why)) != OK)
        return e;
    buf_add_str(&fixed, h->issuer);
    if (der_add_time(&fixed, h->this_update) != OK || der_add_time(&fixed, h->next_update) != OK)
        return why_code(why, ERR_INPUT, "pki.crl.update", "a date that cannot be written");
    extensions(&crl->der, h);
    if (!buf_ok(&crl->der) || !buf_ok(&fixed))
        return why_code(why, ERR_INPUT, "pki.crl.size", "list longer than %zu octets", CRL_MAX);
    crl->start = crl->front;
    if (crl->n > 0)                                                  /* §5.1.2.6: absent when empty */
        prepend_head(crl, entries_end);
    prepend(crl, fixed.data, fixed.len);
    prepend_head(crl, crl->der.len);
    *ret_tbs = (struct str){ crl->der.data + crl->start, crl->der.len - crl->start };
    return OK;
}

enum err
crl_finish(struct crl *crl, struct str sig, struct str *ret_der, struct why *why)
{
    enum err e;

    CHECK(crl->start != 0);
    if ((e = sig_alg_encode(crl->head.sig_alg, &crl->der, why)) != OK)
        return e;
    der_add_bit_string(&crl->der, sig);
    if (!buf_ok(&crl->der))
        return why_code(why, ERR_INPUT, "pki.crl.size", "list longer than %zu octets", CRL_MAX);
    prepend_head(crl, crl->der.len);
    *ret_der = (struct str){ crl->der.data + crl->start, crl->der.len - crl->start };
    return OK;
}

void
crl_done(struct crl *crl)
{
    buf_free(&crl->der);
}
