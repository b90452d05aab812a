/* parts: see parts.h. */
#include "pki/encode/parts.h"

#include "base/crypto/der-oid.h"
#include "base/crypto/der.h"
#include "base/crypto/x509.h"
#include "pki/encode/crl.h"

enum err
signed_split(struct str der, size_t max, struct str *ret_tbs, struct str *ret_signature, struct why *why)
{
    struct str outer, tbs, part;
    unsigned tag;

    if (der_check(der, max, why) != OK || der_expect(&der, DER_SEQUENCE, &outer) != OK || der_element(&outer, &tag, &tbs) != OK ||
        der_expect(&outer, DER_SEQUENCE, &part) != OK || der_expect(&outer, DER_BIT_STRING, &part) != OK || part.n < 2 ||
        outer.n != 0)
        return why_set(why, ERR_INPUT, "not a signed object");
    *ret_tbs = tbs;
    *ret_signature = (struct str){ part.p + 1, part.n - 1 };
    return OK;
}

enum err
certificate_split(struct str der, struct certificate_parts *ret, struct why *why)
{
    struct certificate_parts p;
    struct str whole, tbs, part, validity;
    unsigned tag;

    if (signed_split(der, X509_DER_MAX, &p.tbs, &p.signature, why) != OK)
        return why_set(why, ERR_INPUT, "not a certificate");
    whole = p.tbs;
    if (der_expect(&whole, DER_SEQUENCE, &tbs) != OK || der_expect(&tbs, DER_CONTEXT(0), &part) != OK ||
        der_expect(&tbs, DER_INTEGER, &p.serial) != OK || der_expect(&tbs, DER_SEQUENCE, &part) != OK ||
        der_element(&tbs, &tag, &p.issuer) != OK || der_expect(&tbs, DER_SEQUENCE, &validity) != OK ||
        der_time(&validity, &p.not_before) != OK || der_time(&validity, &p.not_after) != OK ||
        der_element(&tbs, &tag, &p.subject) != OK || der_element(&tbs, &tag, &p.spki) != OK)
        return why_set(why, ERR_INPUT, "not a certificate of version 3");
    *ret = p;
    return OK;
}

enum err
crl_walk_begin(struct crl_walk *w, struct str der, struct why *why)
{
    struct str outer, tbs, part, number;
    utime at;
    unsigned tag;

    if (der_expect(&der, DER_SEQUENCE, &outer) != OK || der_expect(&outer, DER_SEQUENCE, &tbs) != OK ||
        der_expect(&tbs, DER_INTEGER, &number) != OK || der_expect(&tbs, DER_SEQUENCE, &part) != OK ||
        der_element(&tbs, &tag, &part) != OK || der_time(&tbs, &at) != OK || der_time(&tbs, &at) != OK)
        return why_set(why, ERR_INPUT, "not a list");
    if (!der_optional(&tbs, DER_SEQUENCE, &w->entries))
        w->entries = STR_NULL;
    return OK;
}

enum err
crl_walk_next(struct crl_walk *w, struct crl_walk_entry *ret, struct why *why)
{
    struct str entry, serial;

    *ret = (struct crl_walk_entry){ .serial = STR_NULL };
    if (w->entries.n == 0)
        return OK;
    if (der_expect(&w->entries, DER_SEQUENCE, &entry) != OK || der_expect(&entry, DER_INTEGER, &serial) != OK || serial.n == 0 ||
        serial.n > SERIAL_MAX + 1)
        return why_set(why, ERR_INPUT, "an entry of a list that cannot be read");
    if (serial.n > 1 && serial.p[0] == 0)
        serial = (struct str){ serial.p + 1, serial.n - 1 };
    *ret = (struct crl_walk_entry){ serial, entry };
    return OK;
}

bool
crl_walk_is_hold(const struct crl_walk_entry *entry)
{
    struct str rest = entry->rest, list, extension, oid, value, code;
    uint32_t reason;
    utime at;

    if (der_time(&rest, &at) != OK || der_expect(&rest, DER_SEQUENCE, &list) != OK)
        return false;
    while (der_expect(&list, DER_SEQUENCE, &extension) == OK) {
        if (der_expect(&extension, DER_OID, &oid) != OK || !str_eq(oid, OID_CE_REASON_CODE))
            continue;
        return der_expect(&extension, DER_OCTET_STRING, &value) == OK && der_expect(&value, DER_ENUMERATED, &code) == OK &&
               der_number(code, 10, &reason) == OK && reason == CRL_HOLD;
    }
    return false;
}

int
serial_compare(struct str a, struct str b)
{
    if (a.n != b.n)
        return a.n < b.n ? -1 : 1;
    return memcmp(a.p, b.p, a.n);
}

bool
crl_walk_finds(struct str der, struct str serial)
{
    struct crl_walk w;
    struct crl_walk_entry one;

    if (crl_walk_begin(&w, der, NULL) != OK)
        return false;
    while (crl_walk_next(&w, &one, NULL) == OK && one.serial.p != NULL)
        if (str_eq(one.serial, serial))
            return true;
    return false;
}
