/*
 * x509: see x509.h. The certificate is taken apart here, by the strict reader; OpenSSL only prints the names.
 */
#include <openssl/pem.h>

#include "base/core/enc.h"
#include "base/crypto/der-internal.h"
#include "base/crypto/x509-internal.h"

/* Valid UTF-8 without a control character (C0, DEL, C1). */
static bool
is_plain_text(struct str s)
{
    uint32_t c;
    size_t n;

    for (; s.n > 0; s.p += n, s.n -= n)
        if ((n = utf8_next(s, &c)) == 0 || c < 0x20 || (c >= 0x7f && c < 0xa0))
            return false;
    return true;
}

/* The value of an attribute as UTF-8; what is no text (a bit string, say) is left to the printer, which shows it in hex. */
static enum err
attribute_check(unsigned tag, struct str content)
{
    unsigned char *utf8 = NULL;
    ASN1_STRING *value;
    int n;
    bool plain;

    switch (tag) {
    case DER_UTF8_STRING:
    case DER_PRINTABLE_STRING:
    case DER_NUMERIC_STRING:
    case DER_IA5_STRING:
    case DER_VISIBLE_STRING:
        return is_plain_text(content) ? OK : ERR_INPUT;
    case DER_TELETEX_STRING:
    case DER_BMP_STRING:
    case DER_UNIVERSAL_STRING:
        if ((value = ASN1_STRING_type_new((int)tag)) == NULL || ASN1_STRING_set(value, content.p, (int)content.n) != 1) {
            ASN1_STRING_free(value);
            return ERR_INPUT;
        }
        n = ASN1_STRING_to_UTF8(&utf8, value);
        plain = n >= 0 && is_plain_text(str_from(utf8, (size_t)n));
        OPENSSL_free(utf8);
        ASN1_STRING_free(value);
        return plain ? OK : ERR_INPUT;
    default:
        return OK;
    }
}

/* Name ::= SEQUENCE OF SET (1 or more) OF SEQUENCE { type OBJECT IDENTIFIER, value ANY } */
static enum err
name_check(struct str name)
{
    struct str rdns, rdn, attribute, type, value;
    unsigned tag;

    if (x509_sequence(name, &rdns) != OK)
        return ERR_INPUT;
    while (rdns.n > 0) {
        if (der_expect(&rdns, DER_SET, &rdn) != OK || rdn.n == 0)
            return ERR_INPUT;
        while (rdn.n > 0)
            if (der_expect(&rdn, DER_SEQUENCE, &attribute) != OK || der_expect(&attribute, DER_OID, &type) != OK ||
                der_next(&attribute, &tag, &value) != OK || attribute.n != 0 || attribute_check(tag, value) != OK)
                return ERR_INPUT;
    }
    return OK;
}

enum err
x509_name_text(struct str der, struct buf *out)
{
    AUTO(X509_NAME_freep) X509_NAME *name = NULL;
    AUTO(BIO_free_allp) BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    long n;

    if (der.n > X509_NAME_MAX || name_check(der) != OK || (name = x509_name_parse(der)) == NULL || bio == NULL ||
        X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) < 0)
        return ERR_INPUT;
    n = BIO_get_mem_data(bio, &text);
    if (n < 0 || !is_plain_text(str_from(text, (size_t)n)))
        return ERR_INPUT;
    buf_add(out, text, (size_t)n);
    return buf_ok(out) ? OK : ERR_INPUT;
}

static enum err
serial_read(struct str octets, struct buf *out)
{
    const bool negative = (octets.p[0] & 0x80) != 0;

    if (octets.n > UINT8_MAX)
        return ERR_INPUT;
    if (negative) {                 /* RFC 5280 §4.1.2.2 forbids it; shown so that a person can find the certificate */
        unsigned char magnitude[UINT8_MAX] = { 0 };
        unsigned carry = 1;
        size_t skip = 0;

        for (size_t i = octets.n; i > 0; i--) {
            carry += (unsigned char)~octets.p[i - 1];
            magnitude[i - 1] = (unsigned char)carry;
            carry >>= 8;
        }
        while (skip + 1 < octets.n && magnitude[skip] == 0)
            skip++;
        buf_addc(out, '-');
        hex_encode(out, magnitude + skip, octets.n - skip);
        return OK;
    }
    if (octets.n > 1 && octets.p[0] == '\0')
        octets = (struct str){ octets.p + 1, octets.n - 1 };
    hex_encode(out, octets.p, octets.n);
    return OK;
}

/* --- the key ----------------------------------------------------------------------------------------------------- */

/* RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER } (RFC 8017 §A.1.1) */
static enum err
rsa_read(struct str octets, struct x509_cert *cert, struct why *why)
{
    struct str numbers, modulus, exponent;
    unsigned char top;
    size_t bits;

    if (der_check(octets, octets.n, why) != OK || x509_sequence(octets, &numbers) != OK ||
        der_expect(&numbers, DER_INTEGER, &modulus) != OK || der_expect(&numbers, DER_INTEGER, &exponent) != OK ||
        numbers.n != 0 || (modulus.p[0] & 0x80) != 0 || (exponent.p[0] & 0x80) != 0)
        return ERR_INPUT;
    if (modulus.n > 1 && modulus.p[0] == '\0')
        modulus = (struct str){ modulus.p + 1, modulus.n - 1 };
    bits = 8 * modulus.n;
    for (top = (unsigned char)modulus.p[0]; bits > 0 && (top & 0x80) == 0 && top != 0; top = (unsigned char)(top << 1))
        bits--;
    if (bits > 65536)
        return ERR_INPUT;
    cert->key_known = true;
    cert->key_alg = KEY_RSA;
    cert->key_bits = (int)bits;
    return OK;
}

/* An ECPoint of RFC 5480 §2.2: uncompressed or compressed. Neither the hybrid form that it forbids, nor the point at infinity, with
 * which everybody can sign. */
static bool
is_point(struct str octets, size_t coordinate)
{
    return (octets.n == 1 + 2 * coordinate && octets.p[0] == 4) || (octets.n == 1 + coordinate && (octets.p[0] == 2 || octets.p[0] == 3));
}

static enum err
spki_read(struct str spki, struct x509_cert *cert, struct why *why)
{
    struct str content, algorithm, oid, parameters = STR_NULL, key;
    unsigned tag = 0;

    if (x509_sequence(spki, &content) != OK || der_expect(&content, DER_SEQUENCE, &algorithm) != OK ||
        der_expect(&algorithm, DER_OID, &oid) != OK || (algorithm.n > 0 && der_next(&algorithm, &tag, &parameters) != OK) ||
        algorithm.n != 0 || der_expect(&content, DER_BIT_STRING, &key) != OK || content.n != 0 || key.n < 2 || key.p[0] != '\0')
        return why_set(why, ERR_INPUT, "certificate key");
    key = (struct str){ key.p + 1, key.n - 1 };
    if (str_eq(oid, OID_RSA_ENCRYPTION) && tag == DER_NULL) {
        if (rsa_read(key, cert, why) != OK)
            return why_set(why, ERR_INPUT, "certificate's RSA key");
    } else if (str_eq(oid, OID_EC_PUBLIC_KEY) && tag == DER_OID && str_eq(parameters, OID_P256) && is_point(key, 32)) {
        cert->key_known = true;
        cert->key_alg = KEY_P256;
        cert->key_bits = 256;
    } else if (str_eq(oid, OID_EC_PUBLIC_KEY) && tag == DER_OID && str_eq(parameters, OID_P384) && is_point(key, 48)) {
        cert->key_known = true;
        cert->key_alg = KEY_P384;
        cert->key_bits = 384;
    } else if (str_eq(oid, OID_ED25519) && tag == 0) {
        cert->key_known = true;
        cert->key_alg = KEY_ED25519;
        cert->key_bits = 256;
    }
    buf_add_str(&cert->spki, spki);
    return buf_ok(&cert->spki) ? OK : why_set(why, ERR_INPUT, "certificate key too long");
}

/* --- extensions -------------------------------------------------------------------------------------------------- */

/* BasicConstraints ::= SEQUENCE { cA BOOLEAN DEFAULT FALSE, pathLenConstraint INTEGER (0..MAX) OPTIONAL } */
static enum err
basic_constraints_read(const struct x509_extension *e, struct x509_cert *cert)
{
    struct str content, part;
    uint32_t length;

    if (x509_sequence(e->value, &content) != OK)
        return ERR_INPUT;
    if (der_optional(&content, DER_BOOLEAN, &part) && (der_truth(part, &cert->is_ca) != OK || !cert->is_ca))
        return ERR_INPUT;           /* FALSE is left out: X.690 §11.5 */
    if (der_optional(&content, DER_INTEGER, &part)) {
        if (der_number(part, INT32_MAX, &length) != OK)
            return ERR_INPUT;
        cert->path_len = (int)length;
    }
    cert->has_basic_constraints = true;
    return content.n == 0 ? OK : ERR_INPUT;
}

static enum err
key_usage_read(const struct x509_extension *e, struct x509_cert *cert)
{
    struct str value = e->value, bits;

    if (der_expect(&value, DER_BIT_STRING, &bits) != OK || value.n != 0 || der_named_bits(bits, &cert->key_usage) != OK)
        return ERR_INPUT;
    cert->has_key_usage = true;
    return OK;
}

static enum err
ext_key_usage_read(const struct x509_extension *e, struct x509_cert *cert)
{
    struct str rest, oid;

    if (x509_sequence(e->value, &cert->ext_key_usage) != OK)
        return ERR_INPUT;
    for (rest = cert->ext_key_usage; rest.n > 0;)
        if (der_expect(&rest, DER_OID, &oid) != OK)
            return ERR_INPUT;
    return OK;
}

/* CertificatePolicies ::= SEQUENCE (1..MAX) OF SEQUENCE { policyIdentifier, policyQualifiers OPTIONAL }, none twice. */
static enum err
policies_read(const struct x509_extension *e, struct x509_cert *cert)
{
    struct str rest, policy, oid, other, before;

    if (x509_sequence(e->value, &cert->policies) != OK || cert->policies.n == 0)
        return ERR_INPUT;
    for (rest = cert->policies; rest.n > 0;) {
        const char *const start = rest.p;

        if (der_expect(&rest, DER_SEQUENCE, &policy) != OK || der_expect(&policy, DER_OID, &oid) != OK)
            return ERR_INPUT;
        for (before = (struct str){ cert->policies.p, (size_t)(start - cert->policies.p) };
             der_optional(&before, DER_SEQUENCE, &policy) && der_optional(&policy, DER_OID, &other);)
            if (str_eq(other, oid))
                return ERR_INPUT;
    }
    return OK;
}

static enum err
subject_key_id_read(const struct x509_extension *e, struct x509_cert *cert)
{
    struct str value = e->value;

    return der_expect(&value, DER_OCTET_STRING, &cert->subject_key_id) == OK && value.n == 0 ? OK : ERR_INPUT;
}

static enum err
authority_key_id_read(const struct x509_extension *e, struct x509_cert *cert)
{
    struct str content;

    if (x509_sequence(e->value, &content) != OK)
        return ERR_INPUT;
    if (!der_optional(&content, DER_CONTEXT_PRIMITIVE(0), &cert->authority_key_id))
        cert->authority_key_id = STR_NULL;
    return OK;
}

static enum err
list_read(const struct x509_extension *e, struct str *ret)
{
    return x509_sequence(e->value, ret) == OK && ret->n > 0 ? OK : ERR_INPUT;
}

static enum err
alt_name_read(const struct x509_extension *e, struct x509_cert *cert)
{
    return list_read(e, &cert->subject_alt_name);
}

static enum err
distribution_points_read(const struct x509_extension *e, struct x509_cert *cert)
{
    return list_read(e, &cert->crl_distribution_points);
}

/* NameConstraints ::= SEQUENCE { permitted [0] OPTIONAL, excluded [1] OPTIONAL }: what they say is OpenSSL's to judge. */
static enum err
name_constraints_read(const struct x509_extension *e, struct x509_cert *cert)
{
    struct str content;

    cert->has_name_constraints = true;
    return x509_sequence(e->value, &content) == OK && content.n > 0 ? OK : ERR_INPUT;
}

/* PolicyConstraints ::= SEQUENCE { requireExplicitPolicy [0] OPTIONAL, inhibitPolicyMapping [1] OPTIONAL } */
static enum err
policy_constraints_read(const struct x509_extension *e, struct x509_cert *cert)
{
    struct str content;

    cert->has_policy_constraints = true;
    return x509_sequence(e->value, &content) == OK && content.n > 0 ? OK : ERR_INPUT;
}

static enum err
extensions_read(struct str list, struct x509_cert *cert, struct why *why)
{
    enum criticality { EITHER, MUST, MUST_NOT };       /* §4.2.1.1 and on. policyConstraints was free in RFC 3280, and is obeyed in
                                                        * any case; basicConstraints is OpenSSL's to judge */
    const struct {
        struct str oid;
        const char *name;
        enum err (*read)(const struct x509_extension *, struct x509_cert *);       /* NULL: not of interest */
        enum criticality critical;
    } known[] = {
        { OID_CE_BASIC_CONSTRAINTS, "basicConstraints", basic_constraints_read, EITHER },
        { OID_CE_KEY_USAGE, "keyUsage", key_usage_read, EITHER },
        { OID_CE_EXT_KEY_USAGE, "extKeyUsage", ext_key_usage_read, EITHER },
        { OID_CE_CERTIFICATE_POLICIES, "certificatePolicies", policies_read, EITHER },
        { OID_CE_SUBJECT_KEY_IDENTIFIER, "subjectKeyIdentifier", subject_key_id_read, MUST_NOT },
        { OID_CE_AUTHORITY_KEY_IDENTIFIER, "authorityKeyIdentifier", authority_key_id_read, MUST_NOT },
        { OID_CE_SUBJECT_ALT_NAME, "subjectAltName", alt_name_read, EITHER },
        { OID_CE_CRL_DISTRIBUTION_POINTS, "cRLDistributionPoints", distribution_points_read, EITHER },
        { OID_CE_NAME_CONSTRAINTS, "nameConstraints", name_constraints_read, MUST },
        { OID_CE_POLICY_CONSTRAINTS, "policyConstraints", policy_constraints_read, EITHER },
        { OID_CE_INHIBIT_ANY_POLICY, "inhibitAnyPolicy", NULL, MUST },
        { OID_CE_FRESHEST_CRL, "freshestCRL", NULL, MUST_NOT },
        { OID_PE_AUTHORITY_INFO_ACCESS, "authorityInfoAccess", NULL, MUST_NOT },
    };
    struct x509_extension e;

    if (x509_extensions_check(list, X509_EXTENSIONS_MAX, why) != OK)
        return ERR_INPUT;
    while (list.n > 0) {
        if (x509_extension_next(&list, &e, why) != OK)
            return ERR_INPUT;
        for (size_t i = 0; i < ARRAY_LEN(known); i++) {
            if (!str_eq(e.oid, known[i].oid))
                continue;
            if (known[i].read != NULL && known[i].read(&e, cert) != OK)
                return why_set(why, ERR_INPUT, "extension %s", known[i].name);
            if (known[i].critical != EITHER && e.critical != (known[i].critical == MUST))
                cert->wrong_criticality = known[i].name;
        }
    }
    return OK;
}

/* --- the certificate --------------------------------------------------------------------------------------------- */

/* Version ::= [0] EXPLICIT INTEGER { v1(0), v2(1), v3(2) } DEFAULT v1 */
static enum err
version_read(struct str *tbs, int *ret)
{
    struct str explicit_version, number;
    uint32_t version;

    *ret = 1;
    if (!der_optional(tbs, DER_CONTEXT(0), &explicit_version))
        return OK;
    if (der_expect(&explicit_version, DER_INTEGER, &number) != OK || explicit_version.n != 0 ||
        der_number(number, 2, &version) != OK || version == 0)
        return ERR_INPUT;
    *ret = (int)version + 1;
    return OK;
}

static enum err
whole(struct str *in, unsigned tag, struct str *ret)
{
    unsigned got;

    return der_element(in, &got, ret) == OK && got == tag ? OK : ERR_INPUT;
}

static enum err
validity_read(struct str *tbs, struct x509_cert *cert)
{
    struct str validity;

    if (der_expect(tbs, DER_SEQUENCE, &validity) != OK || der_time(&validity, &cert->not_before) != OK ||
        der_time(&validity, &cert->not_after) != OK || validity.n != 0)
        return ERR_INPUT;
    return OK;
}

/* TBSCertificate of RFC 5280 §4.1, member by member. */
static enum err
tbs_read(struct str tbs, struct x509_cert *cert, struct why *why)
{
    struct str algorithm, spki, unique_id, explicit_extensions, extensions;

    if (version_read(&tbs, &cert->version) != OK)
        return why_set(why, ERR_INPUT, "certificate version");
    if (der_expect(&tbs, DER_INTEGER, &cert->serial_octets) != OK || serial_read(cert->serial_octets, &cert->serial) != OK)
        return why_set(why, ERR_INPUT, "certificate serial number");
    if (whole(&tbs, DER_SEQUENCE, &algorithm) != OK || !str_eq(algorithm, cert->signature_algorithm))
        return why_set(why, ERR_INPUT, "signature algorithm is not the same inside and outside");
    if (whole(&tbs, DER_SEQUENCE, &cert->issuer_der) != OK || x509_name_text(cert->issuer_der, &cert->issuer) != OK)
        return ossl_why(why, ERR_INPUT, "certificate issuer");
    if (validity_read(&tbs, cert) != OK)
        return why_set(why, ERR_INPUT, "certificate dates");
    if (whole(&tbs, DER_SEQUENCE, &cert->subject_der) != OK || x509_name_text(cert->subject_der, &cert->subject) != OK)
        return ossl_why(why, ERR_INPUT, "certificate subject");
    cert->self_issued = str_eq(cert->subject_der, cert->issuer_der);
    if (whole(&tbs, DER_SEQUENCE, &spki) != OK || spki_read(spki, cert, why) != OK)
        return why_set(why, ERR_INPUT, "certificate key");
    if (cert->version >= 2)
        for (unsigned n = 1; n <= 2; n++)
            (void)der_optional(&tbs, DER_CONTEXT_PRIMITIVE(n), &unique_id);
    if (cert->version == 3 && der_optional(&tbs, DER_CONTEXT(3), &explicit_extensions)) {
        if (x509_sequence(explicit_extensions, &extensions) != OK)
            return why_set(why, ERR_INPUT, "certificate extensions");
        if (extensions_read(extensions, cert, why) != OK)
            return ERR_INPUT;
    }
    return tbs.n == 0 ? OK : why_set(why, ERR_INPUT, "certificate has something that its version does not");
}

enum err
x509_read(struct str der, struct x509_cert *ret, struct why *why)
{
    AUTO(x509_done) struct x509_cert cert = {
        .spki = BUF_BOUNDED(X509_DER_MAX), .subject = BUF_BOUNDED(X509_NAME_MAX), .issuer = BUF_BOUNDED(X509_NAME_MAX),
        .serial = BUF_BOUNDED(2 * UINT8_MAX + 1), .der = BUF_BOUNDED(X509_DER_MAX), .path_len = -1
    };
    struct str content, tbs, signature;
    enum err e;

    if ((e = der_check(der, X509_DER_MAX, why)) != OK)
        return e;
    buf_add_str(&cert.der, der);
    if (x509_sequence(buf_view(&cert.der), &content) != OK || der_expect(&content, DER_SEQUENCE, &tbs) != OK ||
        whole(&content, DER_SEQUENCE, &cert.signature_algorithm) != OK ||
        der_expect(&content, DER_BIT_STRING, &signature) != OK || content.n != 0 || signature.p[0] != '\0')
        return why_set(why, ERR_INPUT, "not a certificate");
    sha256(der, cert.fingerprint);
    if ((e = tbs_read(tbs, &cert, why)) != OK)
        return e;
    *ret = cert;
    cert.spki.data = cert.subject.data = cert.issuer.data = cert.serial.data = cert.der.data = NULL;      /* moved */
    return OK;
}

bool
x509_has_ext_key_usage(const struct x509_cert *cert, struct str oid)
{
    struct str rest = cert->ext_key_usage, one;

    while (der_optional(&rest, DER_OID, &one))
        if (str_eq(one, oid))
            return true;
    return false;
}

bool
x509_has_policy(const struct x509_cert *cert, struct str oid)
{
    struct str rest = cert->policies, policy, one;

    while (der_optional(&rest, DER_SEQUENCE, &policy))
        if (der_optional(&policy, DER_OID, &one) && str_eq(one, oid))
            return true;
    return false;
}

void
x509_done(struct x509_cert *cert)
{
    buf_free(&cert->spki);
    buf_free(&cert->subject);
    buf_free(&cert->issuer);
    buf_free(&cert->serial);
    buf_free(&cert->der);
}

enum err
x509_check_dates(const struct x509_cert *cert, utime now, struct why *why)
{
    char text[UTIME_RFC3339_LEN + 1];

    if (now < cert->not_before) {
        utime_rfc3339(cert->not_before, text);
        return why_set(why, ERR_DENIED, "certificate is not valid before %s", text);
    }
    if (now >= cert->not_after + USEC_PER_SEC) {       /* RFC 5280 §4.1.2.5: inclusive, to the second */
        utime_rfc3339(cert->not_after, text);
        return why_set(why, ERR_DENIED, "certificate is not valid after %s", text);
    }
    return OK;
}

enum err
x509_pem_decode(struct str pem, struct buf *out, struct why *why)
{
    AUTO(BIO_free_allp) BIO *bio = NULL;
    unsigned char *der = NULL;
    long n = 0;

    if (pem.n > (size_t)4 * X509_DER_MAX || (bio = BIO_new_mem_buf(str_bytes(pem), (int)pem.n)) == NULL)
        return why_set(why, ERR_INPUT, "PEM text too long");
    if (PEM_bytes_read_bio(&der, &n, NULL, PEM_STRING_X509, bio, NULL, NULL) != 1)
        return ossl_why(why, ERR_INPUT, "no certificate in the PEM text");
    buf_add(out, der, (size_t)n);
    OPENSSL_free(der);
    return buf_ok(out) ? OK : why_set(why, ERR_INPUT, "certificate too large");
}
