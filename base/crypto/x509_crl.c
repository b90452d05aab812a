/*
 * x509_crl: a certificate revocation list (RFC 5280 §5), read once into a sorted table and verified once.
 *
 * What is critical and not understood, in the list or in one entry, makes the whole list useless (§5.2, §5.3): it is
 * refused, and a certificate that only it covers has an unknown status.
 *
 * What bites: a delta without CRLNumber made OpenSSL follow a null pointer (CVE-2026-28388); here CRLNumber is asked of
 * every list.
 */
#include <stdlib.h>

#include "base/crypto/x509-internal.h"

#define ISSUERS_MAX 4096
#define ENTRY_EXTENSIONS_MAX 8
#define CRL_EXTENSIONS_MAX 16

/* --- the list as an object --------------------------------------------------------------------------------------- */

struct x509_crl *
x509_crl_ref(struct x509_crl *crl)
{
    CHECK(atomic_fetch_add(&crl->refs, 1) > 0);
    return crl;
}

void
x509_crl_free(struct x509_crl *crl)
{
    if (crl == NULL || atomic_fetch_sub(&crl->refs, 1) > 1)
        return;
    for (size_t i = 0; i < crl->n_issuers; i++)
        X509_NAME_free(crl->issuers[i]);
    mem_freep(&crl->issuers);
    mem_freep(&crl->entries);
    x509_places_done(&crl->places);
    X509_NAME_free(crl->issuer);
    buf_free(&crl->der);
    buf_free(&crl->authority_key_id);
    buf_free(&crl->idp);
    buf_free(&crl->place_store);
    buf_free(&crl->serials);
    buf_free(&crl->signer_spki);
    mem_freep(&crl);
}

utime
x509_crl_this_update(const struct x509_crl *crl)
{
    return crl->this_update;
}

utime
x509_crl_next_update(const struct x509_crl *crl)
{
    return crl->next_update;
}

size_t
x509_crl_entries(const struct x509_crl *crl)
{
    return crl->n_entries;
}

bool
x509_crl_is_delta(const struct x509_crl *crl)
{
    return crl->is_delta;
}

struct str
x509_crl_scope(const struct x509_crl *crl)
{
    return buf_view(&crl->idp);
}

const unsigned char *
x509_crl_number(const struct x509_crl *crl)
{
    return crl->number;
}

/* --- its extensions ---------------------------------------------------------------------------------------------- */

/* CRLNumber and BaseCRLNumber: 0 to 20 octets (§5.2.3). The former must not be critical, the latter and the issuing
 * distribution point must (§5.2.3 to §5.2.5). */
static enum err
number_read(struct str value, unsigned char number[20])
{
    return der_unsigned(&value, 20, number) == OK && value.n == 0 ? OK : ERR_INPUT;
}

/* One of the BOOLEAN DEFAULT FALSE members, IMPLICIT. */
static enum err
flag_read(struct str *content, unsigned n, bool *ret)
{
    struct str part;

    *ret = false;
    if (!der_optional(content, DER_CONTEXT_PRIMITIVE(n), &part))
        return OK;
    return der_truth(part, ret) == OK && *ret ? OK : ERR_INPUT;
}

/* ReasonFlags: bits 1 to 8; bit 0 is unused, and set by some. */
enum err
x509_reasons_read(struct str content, uint32_t *ret)
{
    uint32_t bits;

    if (der_named_bits(content, &bits) != OK || (bits & ~(X509_REASONS_ALL | 1)) != 0)
        return ERR_INPUT;
    *ret = bits & X509_REASONS_ALL;
    return OK;
}

/* IssuingDistributionPoint (§5.2.5). */
static enum err
idp_read(struct x509_crl *crl, struct str issuer)
{
    struct str content, part;

    if (x509_sequence(buf_view(&crl->idp), &content) != OK || content.n == 0)
        return ERR_INPUT;           /* §5.2.5: not an empty sequence */
    if (der_optional(&content, DER_CONTEXT(0), &part) &&
        x509_places_read_point(part, issuer, &crl->place_store, &crl->places) != OK)
        return ERR_INPUT;
    if (flag_read(&content, 1, &crl->only_user) != OK || flag_read(&content, 2, &crl->only_ca) != OK)
        return ERR_INPUT;
    if (der_optional(&content, DER_CONTEXT_PRIMITIVE(3), &part) && x509_reasons_read(part, &crl->reasons) != OK)
        return ERR_INPUT;
    if (flag_read(&content, 4, &crl->indirect) != OK || flag_read(&content, 5, &crl->only_attribute) != OK ||
        content.n != 0)
        return ERR_INPUT;
    return (int)crl->only_user + (int)crl->only_ca + (int)crl->only_attribute <= 1 ? OK : ERR_INPUT;
}

static enum err
extension_read(struct x509_crl *crl, const struct x509_extension *e, struct str issuer, bool *has_number, struct why *why)
{
    struct str content, part;

    if (str_eq(e->oid, OID_CE_CRL_NUMBER)) {
        *has_number = true;
        return !e->critical && number_read(e->value, crl->number) == OK ? OK : why_set(why, ERR_INPUT, "CRLNumber");
    }
    if (str_eq(e->oid, OID_CE_DELTA_CRL_INDICATOR)) {
        crl->is_delta = true;
        return e->critical && number_read(e->value, crl->base) == OK ? OK : why_set(why, ERR_INPUT, "deltaCRLIndicator");
    }
    if (str_eq(e->oid, OID_CE_ISSUING_DISTRIBUTION_POINT)) {
        crl->idp_at = e->value;
        buf_add_str(&crl->idp, e->value);
        return e->critical && buf_ok(&crl->idp) && idp_read(crl, issuer) == OK
                   ? OK : why_set(why, ERR_INPUT, "issuingDistributionPoint");
    }
    if (str_eq(e->oid, OID_CE_AUTHORITY_KEY_IDENTIFIER)) {
        if (x509_sequence(e->value, &content) != OK)
            return why_set(why, ERR_INPUT, "authorityKeyIdentifier");
        if (der_optional(&content, DER_CONTEXT_PRIMITIVE(0), &part))
            buf_add_str(&crl->authority_key_id, part);
        return buf_ok(&crl->authority_key_id) ? OK : why_set(why, ERR_INPUT, "authorityKeyIdentifier");
    }
    if (e->critical)
        return why_set(why, ERR_INPUT, "critical CRL extension that is not understood");
    return OK;
}

static enum err
extensions_read(struct x509_crl *crl, struct str list, struct str issuer, struct why *why)
{
    struct x509_extension e;
    bool has_number = false;

    if (x509_extensions_check(list, CRL_EXTENSIONS_MAX, why) != OK)
        return ERR_INPUT;
    while (list.n > 0)
        if (x509_extension_next(&list, &e, why) != OK || extension_read(crl, &e, issuer, &has_number, why) != OK)
            return ERR_INPUT;
    return has_number ? OK : why_set(why, ERR_INPUT, "CRL without CRLNumber");
}

/* --- its entries ------------------------------------------------------------------------------------------------- */

/* The index of the name that certificateIssuer gives: 0 for the CRL's own issuer, others 1 and up, kept once each. */
static enum err
issuer_find(struct x509_crl *crl, struct str value, uint16_t *ret)
{
    AUTO(x509_places_done) struct x509_places names = { NULL, 0 };
    struct str general_names;

    if (x509_sequence(value, &general_names) != OK || x509_places_read(general_names, &names) != OK || names.n != 1 ||
        names.list[0].directory == NULL)
        return ERR_INPUT;
    *ret = 0;
    if (X509_NAME_cmp(crl->issuer, names.list[0].directory) == 0)
        return OK;
    for (size_t i = crl->n_issuers; i > 0; i--)
        if (X509_NAME_cmp(crl->issuers[i - 1], names.list[0].directory) == 0) {
            *ret = (uint16_t)i;
            return OK;
        }
    if (crl->n_issuers == ISSUERS_MAX)
        return ERR_INPUT;
    if (crl->issuers == NULL)
        crl->issuers = mem_alloc_array(ISSUERS_MAX, sizeof(*crl->issuers));
    crl->issuers[crl->n_issuers++] = TAKE(names.list[0].directory);
    *ret = (uint16_t)crl->n_issuers;
    return OK;
}

static enum err
entry_extension_read(struct x509_crl *crl, const struct x509_extension *e, struct x509_crl_entry *entry, struct why *why)
{
    struct str value = e->value, content;
    uint32_t reason;

    if (str_eq(e->oid, OID_CE_REASON_CODE)) {
        if (der_expect(&value, DER_ENUMERATED, &content) != OK || value.n != 0 || der_number(content, 10, &reason) != OK ||
            reason == 7)            /* §5.3.1 has no 7 */
            return why_set(why, ERR_INPUT, "reasonCode");
        entry->reason = (uint8_t)reason;
        return OK;
    }
    if (str_eq(e->oid, OID_CE_CERTIFICATE_ISSUER))
        return crl->indirect && issuer_find(crl, e->value, &entry->issuer) == OK ? OK : why_set(why, ERR_INPUT, "certificateIssuer");
    if (e->critical)
        return why_set(why, ERR_INPUT, "critical CRL entry extension that is not understood");
    return OK;
}

/* One of revokedCertificates. In an indirect CRL the issuer is the one of the entry before unless it says its own (§5.3.3). */
static enum err
entry_read(struct x509_crl *crl, struct str content, uint16_t issuer, struct x509_crl_entry *ret, struct why *why)
{
    struct str serial, list;
    struct x509_extension e;

    *ret = (struct x509_crl_entry){ .issuer = issuer };
    if (der_expect(&content, DER_INTEGER, &serial) != OK || serial.n > UINT8_MAX || der_time(&content, &ret->revoked) != OK)
        return why_set(why, ERR_INPUT, "entry of the CRL");
    if (content.n > 0) {
        if (der_expect(&content, DER_SEQUENCE, &list) != OK || content.n != 0)
            return why_set(why, ERR_INPUT, "entry of the CRL");
        if (x509_extensions_check(list, ENTRY_EXTENSIONS_MAX, why) != OK)
            return ERR_INPUT;
        while (list.n > 0)
            if (x509_extension_next(&list, &e, why) != OK || entry_extension_read(crl, &e, ret, why) != OK)
                return ERR_INPUT;
    }
    if (ret->reason == X509_REASON_REMOVE && !crl->is_delta)
        return why_set(why, ERR_INPUT, "removeFromCRL in a CRL that is no delta");        /* §5.3.1 */
    ret->serial_at = (uint32_t)crl->serials.len;
    ret->serial_len = (uint8_t)serial.n;
    if (crl->kept)
        buf_add_str(&crl->serials, serial);
    return OK;
}

static int
key_compare(const struct x509_crl *crl, const struct x509_crl_entry *a, uint16_t issuer, struct str serial)
{
    if (a->issuer != issuer)
        return a->issuer < issuer ? -1 : 1;
    if (a->serial_len != serial.n)
        return a->serial_len < serial.n ? -1 : 1;
    return memcmp(crl->serials.data + a->serial_at, serial.p, serial.n);
}

static int
entry_compare(const void *a, const void *b, void *crl)
{
    const struct x509_crl_entry *x = a, *y = b;
    const struct x509_crl *c = crl;
    const int order = key_compare(c, x, y->issuer, (struct str){ c->serials.data + y->serial_at, y->serial_len });

    return order != 0 ? order : (x->reason == X509_REASON_REMOVE) - (y->reason == X509_REASON_REMOVE);
}

/* Only looked at: read like any other, and counted. */
static enum err
entries_count(struct x509_crl *crl, struct str list, struct why *why)
{
    struct x509_crl_entry entry = { .issuer = 0 };
    struct str content;

    for (; list.n > 0; crl->n_entries++)
        if (der_expect(&list, DER_SEQUENCE, &content) != OK || entry_read(crl, content, entry.issuer, &entry, why) != OK)
            return why_set(why, ERR_INPUT, "entry %zu of the CRL", crl->n_entries + 1);
    return OK;
}

static enum err
entries_read(struct x509_crl *crl, struct str list, struct why *why)
{
    struct str rest, content;
    uint16_t issuer = 0;
    size_t n = 0, room = 0;
    bool in_order = true;          /* as ours are, and most others */

    for (rest = list; rest.n > 0; room++)
        if (der_expect(&rest, DER_SEQUENCE, &content) != OK)
            return why_set(why, ERR_INPUT, "entry of the CRL");
    crl->entries = mem_alloc_array(room, sizeof(*crl->entries));
    crl->n_entries = room;
    for (; n < room; n++) {
        if (der_expect(&list, DER_SEQUENCE, &content) != OK || entry_read(crl, content, issuer, &crl->entries[n], why) != OK)
            return ERR_INPUT;
        issuer = crl->entries[n].issuer;
        in_order = in_order && buf_ok(&crl->serials) && (n == 0 || entry_compare(&crl->entries[n - 1], &crl->entries[n], crl) <= 0);
    }
    if (!buf_ok(&crl->serials))
        return why_set(why, ERR_INPUT, "too many revoked certificates");
    if (!in_order)
        qsort_r(crl->entries, n, sizeof(*crl->entries), entry_compare, crl);
    return OK;
}

const struct x509_crl_entry *
x509_crl_find(const struct x509_crl *crl, const X509_NAME *issuer_name, struct str serial)
{
    size_t low = 0, high = crl->n_entries;
    uint16_t issuer = 0;

    if (X509_NAME_cmp(crl->issuer, issuer_name) != 0) {
        while (issuer < crl->n_issuers && X509_NAME_cmp(crl->issuers[issuer], issuer_name) != 0)
            issuer++;
        if (issuer++ == crl->n_issuers)
            return NULL;
    }
    while (low < high) {            /* the first that is not less: a revocation comes before its removal */
        const size_t middle = low + (high - low) / 2;

        if (key_compare(crl, &crl->entries[middle], issuer, serial) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < crl->n_entries && key_compare(crl, &crl->entries[low], issuer, serial) == 0 ? &crl->entries[low] : NULL;
}

/* --- the whole --------------------------------------------------------------------------------------------------- */

/* TBSCertList (§5.1). */
static enum err
tbs_read(struct x509_crl *crl, struct why *why)
{
    struct str whole = crl->tbs, tbs, part, issuer, revoked = STR_NULL, extensions;
    unsigned tag;
    uint32_t version;

    if (der_expect(&whole, DER_SEQUENCE, &tbs) != OK || der_expect(&tbs, DER_INTEGER, &part) != OK ||
        der_number(part, 1, &version) != OK || version != 1)
        return why_set(why, ERR_INPUT, "CRL is not of version 2");
    if (der_element(&tbs, &tag, &part) != OK || !str_eq(part, crl->algorithm))
        return why_set(why, ERR_INPUT, "signature algorithm is not the same inside and outside");
    if (der_element(&tbs, &tag, &issuer) != OK || (crl->issuer = x509_name_parse(issuer)) == NULL)
        return ossl_why(why, ERR_INPUT, "CRL issuer");
    if (der_time(&tbs, &crl->this_update) != OK || der_time(&tbs, &crl->next_update) != OK)
        return why_set(why, ERR_INPUT, "CRL without thisUpdate and nextUpdate");
    if (tbs.n > 0 && der_optional(&tbs, DER_SEQUENCE, &revoked) && revoked.n == 0)
        return why_set(why, ERR_INPUT, "empty list of revoked certificates");
    if (der_expect(&tbs, DER_CONTEXT(0), &part) != OK || x509_sequence(part, &extensions) != OK || tbs.n != 0)
        return why_set(why, ERR_INPUT, "CRL without extensions, or with more than it may have");
    if (extensions_read(crl, extensions, issuer, why) != OK)
        return ERR_INPUT;
    if (revoked.p == NULL)
        return OK;
    return crl->kept ? entries_read(crl, revoked, why) : entries_count(crl, revoked, why);
}

static enum err
read_as(struct str der, bool kept, struct x509_crl **ret, struct why *why)
{
    AUTO(x509_crl_freep) struct x509_crl *crl = NULL;
    struct str content;
    unsigned tag;
    enum err e;

    if ((e = der_check(der, X509_CRL_DER_MAX, why)) != OK)
        return e;
    crl = mem_alloc(sizeof(*crl));
    atomic_init(&crl->refs, 1);
    crl->der = (struct buf)BUF_BOUNDED(X509_CRL_DER_MAX);
    crl->authority_key_id = (struct buf)BUF_BOUNDED(1024);
    crl->idp = (struct buf)BUF_BOUNDED(4096);
    crl->place_store = (struct buf)BUF_BOUNDED(2 * X509_NAME_MAX);
    crl->serials = (struct buf)BUF_BOUNDED(X509_CRL_DER_MAX);
    crl->signer_spki = (struct buf)BUF_BOUNDED(X509_DER_MAX);
    crl->reasons = X509_REASONS_ALL;
    crl->kept = kept;
    if (kept) {
        buf_add_str(&crl->der, der);
        der = buf_view(&crl->der);
    }
    if (x509_sequence(der, &content) != OK || der_element(&content, &tag, &crl->tbs) != OK ||
        der_element(&content, &tag, &crl->algorithm) != OK || tag != DER_SEQUENCE ||
        der_expect(&content, DER_BIT_STRING, &crl->signature) != OK || content.n != 0 || crl->signature.p[0] != '\0')
        return why_set(why, ERR_INPUT, "not a CRL");
    crl->signature = (struct str){ crl->signature.p + 1, crl->signature.n - 1 };
    if ((e = tbs_read(crl, why)) != OK)
        return e;
    *ret = TAKE(crl);
    return OK;
}

enum err
x509_crl_read(struct str der, struct x509_crl **ret, struct why *why)
{
    return read_as(der, true, ret, why);
}

enum err
x509_crl_judge(const struct x509_trust *t, struct str der, struct x509_crl_facts *ret, struct why *why)
{
    AUTO(x509_crl_freep) struct x509_crl *crl = NULL;
    struct x509_crl_facts facts;
    enum err e;

    if ((e = read_as(der, false, &crl, why)) != OK || (e = x509_trust_verify_crl(t, crl, why)) != OK)
        return e;
    facts = (struct x509_crl_facts){ .this_update = crl->this_update, .next_update = crl->next_update, .entries = crl->n_entries,
                                     .is_delta = crl->is_delta };
    memcpy(facts.number, crl->number, sizeof(facts.number));
    facts.scope = crl->idp_at;
    *ret = facts;
    return OK;
}

static bool
fits(enum key_alg key, enum x509_sig_kind kind)
{
    switch (key) {
    case KEY_RSA:
        return kind == X509_SIG_RSA;
    case KEY_P256:
    case KEY_P384:
        return kind == X509_SIG_ECDSA;
    case KEY_ED25519:
        return kind == X509_SIG_ED25519;
    }
    return false;
}

enum err
x509_crl_verify(struct x509_crl *crl, const struct x509_cert *signer, struct why *why)
{
    const struct x509_sig_alg *alg = x509_sig_alg_find(crl->algorithm);
    AUTO(EVP_MD_CTX_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    AUTO(key_freep) struct key *k = NULL;
    enum err e;

    if (crl->signer_spki.len > 0)
        return str_eq(buf_view(&crl->signer_spki), buf_view(&signer->spki)) ? OK : why_set(why, ERR_DENIED, "CRL of another key");
    if (alg == NULL)
        return why_set(why, ERR_DENIED, "signature algorithm of the CRL is not in the allow-list");
    if ((e = key_public(buf_view(&signer->spki), &k, why)) != OK)
        return e == ERR_INPUT ? ERR_DENIED : e;
    if (!fits(key_algorithm(k), alg->kind))
        return why_set(why, ERR_DENIED, "signature algorithm of the CRL does not fit the key");
    if (ctx == NULL ||
        EVP_DigestVerifyInit(ctx, NULL, alg->kind == X509_SIG_ED25519 ? NULL : ossl_md(alg->md), NULL, key_evp(k)) != 1)
        return ossl_why(why, ERR_INTERNAL, "signature of the CRL");
    if (EVP_DigestVerify(ctx, str_bytes(crl->signature), crl->signature.n, str_bytes(crl->tbs), crl->tbs.n) != 1)
        return ossl_why(why, ERR_DENIED, "signature of the CRL is wrong");
    buf_add_str(&crl->signer_spki, buf_view(&signer->spki));
    buf_free(&crl->der);
    crl->tbs = crl->algorithm = crl->signature = STR_NULL;
    return OK;
}
