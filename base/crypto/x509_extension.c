/*
 * x509_extension: extensions, algorithm identifiers and names, as certificates and CRLs share them. See x509-internal.h.
 */
#include "base/crypto/x509-internal.h"

enum err
x509_sequence(struct str value, struct str *ret_content)
{
    struct str content;

    if (der_expect(&value, DER_SEQUENCE, &content) != OK || value.n != 0)
        return ERR_INPUT;
    *ret_content = content;
    return OK;
}

/* Extension ::= SEQUENCE { extnID, critical BOOLEAN DEFAULT FALSE, extnValue OCTET STRING } */
enum err
x509_extension_next(struct str *list, struct x509_extension *ret, struct why *why)
{
    struct str extension, part;
    struct x509_extension e = { .critical = false };

    if (der_expect(list, DER_SEQUENCE, &extension) != OK || der_expect(&extension, DER_OID, &e.oid) != OK)
        return why_set(why, ERR_INPUT, "extension");
    if (der_optional(&extension, DER_BOOLEAN, &part) && (der_truth(part, &e.critical) != OK || !e.critical))
        return why_set(why, ERR_INPUT, "extension with critical FALSE written out");       /* X.690 §11.5 */
    if (der_expect(&extension, DER_OCTET_STRING, &e.value) != OK || extension.n != 0)
        return why_set(why, ERR_INPUT, "extension");
    if (der_check(e.value, e.value.n, why) != OK) {
        why_prepend(why, "value of an extension");
        return ERR_INPUT;
    }
    *ret = e;
    return OK;
}

enum err
x509_extensions_check(struct str list, size_t max, struct why *why)
{
    struct str seen[X509_EXTENSIONS_MAX];
    struct x509_extension e;
    size_t n = 0;

    CHECK(max <= ARRAY_LEN(seen));
    while (list.n > 0) {
        if (n == max)
            return why_set(why, ERR_INPUT, "more than %zu extensions", max);
        if (x509_extension_next(&list, &e, why) != OK)
            return ERR_INPUT;
        for (size_t i = 0; i < n; i++)
            if (str_eq(seen[i], e.oid))
                return why_set(why, ERR_INPUT, "extension twice");        /* RFC 5280 §4.2 */
        seen[n++] = e.oid;
    }
    return n > 0 ? OK : why_set(why, ERR_INPUT, "empty list of extensions");
}

/* RFC 4055 §5, RFC 5758 §3.2, RFC 8410 §3. */
const struct x509_sig_alg *
x509_sig_alg_find(struct str algorithm)
{
    static const struct x509_sig_alg known[] = {
        { STR_LIT("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00"), X509_SIG_RSA, OSSL_MD_SHA256 },
        { STR_LIT("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c\x05\x00"), X509_SIG_RSA, OSSL_MD_SHA384 },
        { STR_LIT("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d\x05\x00"), X509_SIG_RSA, OSSL_MD_SHA512 },
        { STR_LIT("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"), X509_SIG_ECDSA, OSSL_MD_SHA256 },
        { STR_LIT("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03"), X509_SIG_ECDSA, OSSL_MD_SHA384 },
        { STR_LIT("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x04"), X509_SIG_ECDSA, OSSL_MD_SHA512 },
        { STR_LIT("\x30\x05\x06\x03\x2b\x65\x70"), X509_SIG_ED25519, OSSL_MD_SHA512 },
    };

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (str_eq(algorithm, known[i].der))
            return &known[i];
    return NULL;
}

/* --- names ------------------------------------------------------------------------------------------------------- */

X509_NAME *
x509_name_parse(struct str der)
{
    const unsigned char *p = str_bytes(der);
    AUTO(X509_NAME_freep) X509_NAME *name = der.n > X509_NAME_MAX ? NULL : d2i_X509_NAME(NULL, &p, (long)der.n);

    return name != NULL && p == str_bytes(der) + der.n ? TAKE(name) : NULL;
}

void
x509_places_done(struct x509_places *p)
{
    for (size_t i = 0; i < p->n; i++)
        X509_NAME_free(p->list[i].directory);
    mem_freep(&p->list);
    p->n = 0;
}

#define PLACES_MAX 64

enum err
x509_places_read(struct str names, struct x509_places *ret)
{
    AUTO(x509_places_done) struct x509_places places = { NULL, 0 };
    struct str content, name;
    unsigned tag;

    places.list = mem_alloc_array(PLACES_MAX, sizeof(*places.list));
    while (names.n > 0) {
        struct x509_place *place = &places.list[places.n];

        if (places.n == PLACES_MAX || der_element(&names, &tag, &place->name) != OK)
            return ERR_INPUT;
        places.n++;
        content = place->name;
        if (tag == DER_CONTEXT(4)) {            /* directoryName [4]: EXPLICIT, for Name is a CHOICE */
            if (der_expect(&content, tag, &name) != OK || (place->directory = x509_name_parse(name)) == NULL)
                return ERR_INPUT;
        }
    }
    if (places.n == 0)
        return ERR_INPUT;
    *ret = places;
    places = (struct x509_places){ NULL, 0 };
    return OK;
}

/* DistributionPointName ::= CHOICE { fullName [0] GeneralNames, nameRelativeToCRLIssuer [1] RelativeDistinguishedName } */
enum err
x509_places_read_point(struct str point, struct str relative, struct buf *store, struct x509_places *ret)
{
    struct str names, rdn, base;
    size_t general, name, set;

    if (der_optional(&point, DER_CONTEXT(0), &names))
        return point.n == 0 ? x509_places_read(names, ret) : ERR_INPUT;
    if (der_expect(&point, DER_CONTEXT(1), &rdn) != OK || point.n != 0 || x509_sequence(relative, &base) != OK)
        return ERR_INPUT;
    buf_reset(store);
    general = der_begin(store, DER_CONTEXT(4));
    name = der_begin(store, DER_SEQUENCE);
    buf_add_str(store, base);
    set = der_begin(store, DER_SET);
    buf_add_str(store, rdn);
    der_end(store, set);
    der_end(store, name);
    der_end(store, general);
    return buf_ok(store) ? x509_places_read(buf_view(store), ret) : ERR_INPUT;
}

bool
x509_places_have(const struct x509_places *p, const X509_NAME *name)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->list[i].directory != NULL && X509_NAME_cmp(p->list[i].directory, name) == 0)
            return true;
    return false;
}

bool
x509_places_meet(const struct x509_places *a, const struct x509_places *b)
{
    for (size_t i = 0; i < a->n; i++) {
        if (a->list[i].directory != NULL && x509_places_have(b, a->list[i].directory))
            return true;
        for (size_t k = 0; k < b->n; k++)
            if (str_eq(a->list[i].name, b->list[k].name))
                return true;
    }
    return false;
}
