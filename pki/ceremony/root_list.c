/* root_list: see root_list.h. */
#include <stdlib.h>

#include "base/crypto/der.h"
#include "pki/ceremony/root_list.h"
#include "pki/encode/crl.h"
#include "pki/lint/lint.h"

static int
by_serial(const void *a, const void *b)
{
    const struct str x = ((const struct root_list_entry *)a)->serial, y = ((const struct root_list_entry *)b)->serial;

    if (x.n != y.n)
        return x.n < y.n ? -1 : 1;
    return memcmp(x.p, y.p, x.n);
}

/* Read back by another hand, before the key is touched. */
static enum err
list_lint(const struct root_list *l, enum sig_alg alg, struct str tbs, struct why *why)
{
    const struct lint_crl_context context = {
        .issuer = { l->issuer, l->issuer_key_id, alg, l->issuer_not_before, l->issuer_not_after }, .now = l->this_update,
        .life_max = l->next_update - l->this_update, .number = (uint64_t)l->number, .scope = CRL_SCOPE_ALL, .entries = l->n,
        .reasons = true,
    };
    struct lint_report report;

    (void)lint_crl(tbs, &context, &report);
    return lint_judge(&report, why);
}

static enum err
list_write(struct crl *crl, const struct root_list *l, struct key *key, struct buf *out, struct why *why)
{
    const enum sig_alg alg = profile_sig_alg(key_algorithm(key));
    AUTO(buf_free) struct buf sig = BUF_BOUNDED(1024);
    struct str tbs, der;
    enum err e;

    for (size_t i = 0; i < l->n; i++) {
        const struct crl_entry entry = { l->entries[i].serial, l->entries[i].at, l->entries[i].reason, 0 };

        if ((e = crl_add(crl, &entry, why)) != OK)
            return e;
    }
    if ((e = crl_close(crl, &tbs, why)) != OK || (e = list_lint(l, alg, tbs, why)) != OK ||
        (e = key_sign(key, KEY_CA_SIGN, alg, tbs, false, &sig, why)) != OK ||
        (e = key_verify(key, alg, tbs, buf_view(&sig), false, why)) != OK ||
        (e = crl_finish(crl, buf_view(&sig), &der, why)) != OK)
        return e;
    buf_add_str(out, der);
    return buf_ok(out) ? OK : why_set(why, ERR_INTERNAL, "no room for the list");
}

enum err
root_list_sign(struct root_list *list, struct key *key, struct buf *out, struct why *why)
{
    AUTO(crl_done) struct crl crl = { .n = 0 };
    const struct crl_head head = { .issuer = list->issuer, .issuer_key_id = list->issuer_key_id,
                                   .sig_alg = profile_sig_alg(key_algorithm(key)), .this_update = list->this_update,
                                   .next_update = list->next_update, .number = (uint64_t)list->number,
                                   .scope = CRL_SCOPE_ALL };

    if (list->n > 0)
        qsort(list->entries, list->n, sizeof(list->entries[0]), by_serial);
    crl_begin(&crl, &head, list->n);
    return list_write(&crl, list, key, out, why);
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
