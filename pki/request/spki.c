/*
 * spki: a SubjectPublicKeyInfo (RFC 3279 §2.3.1, RFC 5480 §2, RFC 8410 §4) taken apart by hand, so that each kind of key that is
 * not taken has its own word, and nothing reaches OpenSSL but numbers.
 */
#include <stdio.h>

#include "base/crypto/der-oid.h"
#include "base/crypto/der.h"
#include "pki/request/request-internal.h"

#define RSA_OCTETS_MIN 256
#define RSA_OCTETS_MAX 1024
#define EXPONENT_OCTETS_MAX 8

static enum err
refuse(struct why *why, enum err e, const char *prefix, const char *what, const char *text)
{
    char code[48];

    snprintf(code, sizeof(code), "%s.%s", prefix, what);
    return why_code(why, e, code, "%s", text);
}

/* A positive INTEGER as octets without leading zeros. */
static enum err
positive(struct str *in, struct str *ret)
{
    struct str content;

    if (der_expect(in, DER_INTEGER, &content) != OK || content.n == 0 || (content.p[0] & 0x80) != 0)
        return ERR_INPUT;
    while (content.n > 0 && content.p[0] == 0) {
        content.p++;
        content.n--;
    }
    if (content.n == 0)
        return ERR_INPUT;
    *ret = content;
    return OK;
}

static enum err
rsa_parse(struct str parameters, struct str bits, const char *prefix, struct spki_parts *ret, struct why *why)
{
    struct str null, numbers;

    ret->alg = KEY_RSA;
    if (der_expect(&parameters, DER_NULL, &null) != OK || null.n != 0 || parameters.n != 0)
        return refuse(why, ERR_INPUT, prefix, "key_algorithm", "rsaEncryption without NULL parameters");
    if (der_expect(&bits, DER_SEQUENCE, &numbers) != OK || bits.n != 0)
        return refuse(why, ERR_INPUT, prefix, "key_number", "not an RSAPublicKey");
    if (positive(&numbers, &ret->n) != OK || positive(&numbers, &ret->e) != OK || numbers.n != 0)
        return refuse(why, ERR_INPUT, prefix, "key_number", "modulus or exponent is not a positive integer");
    if (ret->n.n < RSA_OCTETS_MIN || ret->n.n > RSA_OCTETS_MAX || (ret->n.n == RSA_OCTETS_MIN && (ret->n.p[0] & 0x80) == 0))
        return refuse(why, ERR_DENIED, prefix, "key_size", "RSA modulus below 2048 or above 8192 bits");
    if (ret->e.n > EXPONENT_OCTETS_MAX)
        return refuse(why, ERR_DENIED, prefix, "key_size", "RSA exponent above 64 bits");
    return OK;
}

static enum err
ec_parse(struct str parameters, struct str bits, const char *prefix, struct spki_parts *ret, struct why *why)
{
    struct str curve, explicit_curve;
    size_t coordinate;

    if (der_optional(&parameters, DER_SEQUENCE, &explicit_curve))
        return refuse(why, ERR_DENIED, prefix, "key_explicit", "EC key with explicit parameters");
    if (der_expect(&parameters, DER_OID, &curve) != OK || parameters.n != 0)
        return refuse(why, ERR_INPUT, prefix, "key_algorithm", "EC key without a named curve");
    if (str_eq(curve, OID_P256)) {
        ret->alg = KEY_P256;
        coordinate = 32;
    } else if (str_eq(curve, OID_P384)) {
        ret->alg = KEY_P384;
        coordinate = 48;
    } else {
        return refuse(why, ERR_DENIED, prefix, "key_curve", "EC key on a curve that is neither P-256 nor P-384");
    }
    if (bits.n != 1 + 2 * coordinate || bits.p[0] != 4)
        return refuse(why, ERR_INPUT, prefix, "key_point", "EC point is compressed or has a wrong length");
    ret->point = bits;
    return OK;
}

enum err
spki_parse(struct str spki, const char *prefix, struct spki_parts *ret, struct why *why)
{
    struct str whole, algorithm, type, bits;

    if (der_expect(&spki, DER_SEQUENCE, &whole) != OK || spki.n != 0 ||
        der_expect(&whole, DER_SEQUENCE, &algorithm) != OK || der_expect(&algorithm, DER_OID, &type) != OK ||
        der_expect(&whole, DER_BIT_STRING, &bits) != OK || whole.n != 0 || bits.n < 2 || bits.p[0] != 0)
        return refuse(why, ERR_INPUT, prefix, "structure", "not a SubjectPublicKeyInfo");
    bits = (struct str){ bits.p + 1, bits.n - 1 };               /* no unused bits */
    if (str_eq(type, OID_RSA_ENCRYPTION))
        return rsa_parse(algorithm, bits, prefix, ret, why);
    if (str_eq(type, OID_EC_PUBLIC_KEY))
        return ec_parse(algorithm, bits, prefix, ret, why);
    if (str_eq(type, OID_RSASSA_PSS))
        return refuse(why, ERR_DENIED, prefix, "key_pss", "RSA key restricted to PSS");
    if (str_eq(type, OID_ED25519) && algorithm.n == 0 && bits.n == 32) {
        ret->alg = KEY_ED25519;
        ret->point = bits;
        return OK;
    }
    return refuse(why, ERR_DENIED, prefix, "key_algorithm", "kind of key not known here");
}
