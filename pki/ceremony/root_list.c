/* root_list: see root_list.h. */
#include "base/crypto/der-oid.h"
#include "base/crypto/der.h"
#include "pki/ceremony/root_list.h"
#include "pki/encode/certificate.h"
#include "pki/encode/extension.h"

/* §5.3.1: reasonCode, an ENUMERATED in the extension's OCTET STRING. */
static enum err
entry_encode(const struct root_list_entry *e, struct buf *out)
{
    const size_t entry = der_begin(out, DER_SEQUENCE);
    struct extension_mark mark;
    size_t extensions;
    enum err result;

    der_add_unsigned(out, (const unsigned char *)e->serial.p, e->serial.n);
    if ((result = der_add_time(out, e->at)) != OK)
        return result;
    extensions = der_begin(out, DER_SEQUENCE);
    mark = extension_begin(out, OID_CE_REASON_CODE, false);
    der_add_number(out, DER_ENUMERATED, (uint64_t)e->reason);
    extension_end(out, mark);
    der_end(out, extensions);
    der_end(out, entry);
    return OK;
}

static void
extensions_encode(const struct root_list *l, struct buf *out)
{
    const size_t tagged = der_begin(out, DER_CONTEXT(0)), list = der_begin(out, DER_SEQUENCE);
    struct extension_mark mark;

    extension_authority_key_id(out, l->issuer_key_id);
    mark = extension_begin(out, OID_CE_CRL_NUMBER, false);
    der_add_number(out, DER_INTEGER, (uint64_t)l->number);
    extension_end(out, mark);
    der_end(out, list);
    der_end(out, tagged);
}

/* §5.1.2 */
static enum err
tbs_encode(const struct root_list *l, enum sig_alg alg, struct buf *out, struct why *why)
{
    const size_t tbs = der_begin(out, DER_SEQUENCE);
    enum err e;

    der_add_number(out, DER_INTEGER, 1);                       /* v2 */
    if ((e = sig_alg_encode(alg, out, why)) != OK)
        return e;
    buf_add_str(out, l->issuer);
    if (der_add_time(out, l->this_update) != OK || der_add_time(out, l->next_update) != OK)
        return why_set(why, ERR_INPUT, "a list's date is out of range");
    if (l->n > 0) {                                            /* §5.1.2.6: absent when there is none */
        const size_t revoked = der_begin(out, DER_SEQUENCE);

        for (size_t i = 0; i < l->n; i++)
            if (entry_encode(&l->entries[i], out) != OK)
                return why_set(why, ERR_INPUT, "a revocation's date is out of range");
        der_end(out, revoked);
    }
    extensions_encode(l, out);
    der_end(out, tbs);
    return buf_ok(out) ? OK : why_set(why, ERR_INTERNAL, "no room for the list");
}

enum err
root_list_sign(const struct root_list *list, struct key *key, struct buf *out, struct why *why)
{
    AUTO(buf_free) struct buf tbs = BUF_BOUNDED(ROOT_LIST_MAX), sig = BUF_BOUNDED(1024);
    const enum sig_alg alg = profile_sig_alg(key_algorithm(key));
    enum err e;

    if ((e = tbs_encode(list, alg, &tbs, why)) != OK ||
        (e = key_sign(key, KEY_CA_SIGN, alg, buf_view(&tbs), false, &sig, why)) != OK ||
        (e = key_verify(key, alg, buf_view(&tbs), buf_view(&sig), false, why)) != OK)
        return e;
    return certificate_assemble(buf_view(&tbs), alg, buf_view(&sig), out, why);
}

enum err
root_list_read(struct str der, struct root_list_facts *ret, struct why *why)
{
    struct root_list_facts f = { .entries = 0 };
    struct str outer, tbs, part, entries;
    unsigned tag;

    if (der_check(der, ROOT_LIST_MAX, why) != OK || der_expect(&der, DER_SEQUENCE, &outer) != OK ||
        der_expect(&outer, DER_SEQUENCE, &tbs) != OK || der_expect(&tbs, DER_INTEGER, &part) != OK ||
        der_expect(&tbs, DER_SEQUENCE, &part) != OK || der_element(&tbs, &tag, &part) != OK ||
        der_time(&tbs, &f.this_update) != OK || der_time(&tbs, &f.next_update) != OK)
        return why_set(why, ERR_INPUT, "not a list of ours");
    if (der_optional(&tbs, DER_SEQUENCE, &entries)) {
        for (; entries.n > 0; f.entries++)
            if (der_expect(&entries, DER_SEQUENCE, &part) != OK)
                return why_set(why, ERR_INPUT, "not a list of ours");
    }
    *ret = f;
    return OK;
}
