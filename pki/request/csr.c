/*
 * csr: see csr.h. The name is taken as one element, of the attributes only the wish for alternative names is looked into.
 */
#include "pki/request/csr.h"

#include "base/crypto/der-oid.h"
#include "base/crypto/der.h"
#include "base/crypto/digest.h"
#include "pki/request/request-internal.h"

static enum err
refuse(struct why *why, const char *code, const char *text)
{
    return why_code(why, ERR_INPUT, code, "%s", text);
}

/* Extensions ::= SEQUENCE OF SEQUENCE { extnID, critical DEFAULT FALSE, extnValue } (RFC 2985 §5.4.2, RFC 5280 §4.1). */
static enum err
extensions_read(struct str values, struct csr *ret)
{
    struct str list, extension, id, critical, value;

    if (der_expect(&values, DER_SEQUENCE, &list) != OK || values.n != 0)
        return ERR_INPUT;
    while (list.n > 0) {
        if (der_expect(&list, DER_SEQUENCE, &extension) != OK || der_expect(&extension, DER_OID, &id) != OK)
            return ERR_INPUT;
        (void)der_optional(&extension, DER_BOOLEAN, &critical);
        if (der_expect(&extension, DER_OCTET_STRING, &value) != OK || extension.n != 0)
            return ERR_INPUT;
        if (!str_eq(id, OID_CE_SUBJECT_ALT_NAME))
            continue;
        if (ret->subject_alt_name.p != NULL || der_expect(&value, DER_SEQUENCE, &ret->subject_alt_name) != OK || value.n != 0)
            return ERR_INPUT;
    }
    return OK;
}

static enum err
attributes_read(struct str attributes, struct csr *ret)
{
    struct str attribute, type, values;

    while (attributes.n > 0) {
        if (der_expect(&attributes, DER_SEQUENCE, &attribute) != OK || der_expect(&attribute, DER_OID, &type) != OK ||
            der_expect(&attribute, DER_SET, &values) != OK || attribute.n != 0)
            return ERR_INPUT;
        if (str_eq(type, OID_PKCS9_CHALLENGE_PASSWORD))
            ret->challenge_password = true;
        if (!str_eq(type, OID_PKCS9_EXTENSION_REQUEST))
            continue;
        ret->extension_request = true;
        if (extensions_read(values, ret) != OK)
            return ERR_INPUT;
    }
    return OK;
}

/* Is sig by key over info with that algorithm? Parameters as RFC 4055 §5, RFC 5758 §3.2 and RFC 8410 §3 have them. An EC key signs with
 * any hash of the list: "openssl req" takes SHA-256 for P-384 too, and no profile gives that a weight (RGS B1: SHA-256 at least). */
static enum err
possession_check(struct str algorithm, const struct key *key, struct str info, struct str sig, struct why *why)
{
    static const struct {
        enum key_alg key;
        enum sig_alg alg;
        size_t hash_len;             /* of ECDSA */
        struct str oid;
    } rows[] = {
        { KEY_RSA, SIG_RS256, 0, OID_SHA256_WITH_RSA },           { KEY_RSA, SIG_RS384, 0, OID_SHA384_WITH_RSA },
        { KEY_RSA, SIG_RS512, 0, OID_SHA512_WITH_RSA },           { KEY_ED25519, SIG_EDDSA, 0, OID_ED25519 },
        { KEY_P256, SIG_ES256, SHA256_LEN, OID_ECDSA_WITH_SHA256 }, { KEY_P256, SIG_ES256, SHA384_LEN, OID_ECDSA_WITH_SHA384 },
        { KEY_P256, SIG_ES256, SHA512_LEN, OID_ECDSA_WITH_SHA512 }, { KEY_P384, SIG_ES384, SHA256_LEN, OID_ECDSA_WITH_SHA256 },
        { KEY_P384, SIG_ES384, SHA384_LEN, OID_ECDSA_WITH_SHA384 }, { KEY_P384, SIG_ES384, SHA512_LEN, OID_ECDSA_WITH_SHA512 },
    };
    const enum key_alg kind = key_algorithm(key);
    struct str oid = STR_NULL, null;
    enum err e;

    if (der_expect(&algorithm, DER_OID, &oid) != OK ||
        (kind == KEY_RSA && (der_expect(&algorithm, DER_NULL, &null) != OK || null.n != 0)) || algorithm.n != 0)
        oid = STR_NULL;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].key != kind || !str_eq(oid, rows[i].oid))
            continue;
        e = rows[i].hash_len == 0 ? key_verify(key, rows[i].alg, info, sig, false, why)
                                  : key_verify_ecdsa(key, rows[i].hash_len, info, sig, why);
        return e == OK ? OK : why_code(why, ERR_DENIED, "pki.csr.signature", "the signature is not that of the key in it");
    }
    return refuse(why, "pki.csr.signature_algorithm", "signed in a way that is not taken here, or not by this kind of key");
}

/* CertificationRequestInfo ::= SEQUENCE { version, subject, subjectPKInfo, attributes [0] } */
static enum err
info_read(struct str info, struct csr *ret, struct why *why)
{
    struct str version, attributes;
    unsigned tag;

    if (der_expect(&info, DER_INTEGER, &version) != OK)
        return refuse(why, "pki.csr.structure", "no version");
    if (!str_eq(version, (struct str){ "", 1 }))
        return refuse(why, "pki.csr.version", "not version 1");
    if (der_element(&info, &tag, &ret->subject) != OK || tag != DER_SEQUENCE ||
        der_element(&info, &tag, &ret->spki) != OK || tag != DER_SEQUENCE ||
        der_expect(&info, DER_CONTEXT(0), &attributes) != OK || info.n != 0 || attributes_read(attributes, ret) != OK)
        return refuse(why, "pki.csr.structure", "not a CertificationRequestInfo");
    return OK;
}

enum err
csr_read(struct str der, struct csr *ret, struct why *why)
{
    AUTO(csr_done) struct csr csr = { .key = NULL };
    struct str rest = der, whole, info, algorithm, signature;
    struct spki_parts parts = { .alg = KEY_RSA };
    struct why strict = WHY_INIT;
    unsigned tag;
    enum err e;

    if (der.n > CSR_MAX)
        return why_code(why, ERR_INPUT, "pki.csr.size", "a request of more than %zu octets", CSR_MAX);
    if (der_check(der, CSR_MAX, &strict) != OK)
        return refuse(why, "pki.csr.der", strict.text);
    if (der_expect(&rest, DER_SEQUENCE, &whole) != OK || der_element(&whole, &tag, &info) != OK || tag != DER_SEQUENCE ||
        der_expect(&whole, DER_SEQUENCE, &algorithm) != OK || der_expect(&whole, DER_BIT_STRING, &signature) != OK ||
        whole.n != 0 || signature.n < 2 || signature.p[0] != 0)
        return refuse(why, "pki.csr.structure", "not a CertificationRequest");
    rest = info;
    if (der_expect(&rest, DER_SEQUENCE, &whole) != OK)
        return refuse(why, "pki.csr.structure", "not a CertificationRequestInfo");
    if ((e = info_read(whole, &csr, why)) != OK || (e = spki_parse(csr.spki, "pki.csr", &parts, why)) != OK)
        return e;
    /* the numbers are sound: what is left to go wrong is a point off its curve */
    if (key_public(csr.spki, &csr.key, why) != OK)
        return refuse(why, parts.alg == KEY_RSA ? "pki.csr.key_number" : "pki.csr.key_point", "not a public key");
    if ((e = possession_check(algorithm, csr.key, info, (struct str){ signature.p + 1, signature.n - 1 }, why)) != OK)
        return e;
    *ret = csr;
    csr.key = NULL;                  /* moved */
    return OK;
}

void
csr_done(struct csr *csr)
{
    key_free(csr->key);
    csr->key = NULL;
}
