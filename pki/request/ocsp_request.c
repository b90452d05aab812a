/*
 * ocsp_request: see ocsp_request.h. No memory is taken: the struct views the octets.
 */
#include "pki/request/ocsp_request.h"

#include "base/crypto/der-oid.h"
#include "base/crypto/der.h"
#include "base/crypto/digest.h"

#define SERIAL_OCTETS_MAX 20         /* RFC 5280 §4.1.2.2 */

static enum err
refuse(struct why *why, const char *code, const char *text)
{
    return why_code(why, ERR_INPUT, code, "%s", text);
}

/* CertID ::= SEQUENCE { hashAlgorithm, issuerNameHash, issuerKeyHash, serialNumber } */
static enum err
cert_id_read(struct str content, struct ocsp_cert_id *ret, struct why *why)
{
    struct str algorithm, oid, parameters;
    size_t hash;

    if (der_expect(&content, DER_SEQUENCE, &algorithm) != OK || der_expect(&algorithm, DER_OID, &oid) != OK ||
        der_expect(&content, DER_OCTET_STRING, &ret->name_hash) != OK ||
        der_expect(&content, DER_OCTET_STRING, &ret->key_hash) != OK ||
        der_expect(&content, DER_INTEGER, &ret->serial) != OK || content.n != 0)
        return refuse(why, "pki.ocsp.structure", "not a CertID");
    ret->sha256 = str_eq(oid, OID_SHA256);
    /* parameters: NULL or absent (RFC 5754 §2) */
    if (!ret->sha256 && !str_eq(oid, OID_SHA1))
        return refuse(why, "pki.ocsp.hash", "issuer named by neither SHA-1 nor SHA-256");
    if (algorithm.n != 0 && (der_expect(&algorithm, DER_NULL, &parameters) != OK || parameters.n != 0 || algorithm.n != 0))
        return refuse(why, "pki.ocsp.hash", "parameters of the hash");
    hash = ret->sha256 ? SHA256_LEN : SHA1_LEN;
    if (ret->name_hash.n != hash || ret->key_hash.n != hash)
        return refuse(why, "pki.ocsp.hash", "a hash of a wrong length");
    if ((ret->serial.p[0] & 0x80) != 0)
        return refuse(why, "pki.ocsp.serial", "a negative serial number");
    if (ret->serial.p[0] == 0) {
        ret->serial.p++;
        ret->serial.n--;
    }
    if (ret->serial.n == 0 || ret->serial.n > SERIAL_OCTETS_MAX)
        return refuse(why, "pki.ocsp.serial", "serial number zero, or longer than 20 octets");
    return OK;
}

/* The nonce is asked for; what is not critical is passed over; what is critical and unknown is refused. */
static enum err
extensions_read(struct str tagged, struct str *ret_nonce, struct why *why)
{
    struct str list, extension, oid, truth, value;
    bool critical;

    if (der_expect(&tagged, DER_SEQUENCE, &list) != OK || tagged.n != 0 || list.n == 0)
        return refuse(why, "pki.ocsp.structure", "not a list of extensions");
    while (list.n > 0) {
        critical = false;
        if (der_expect(&list, DER_SEQUENCE, &extension) != OK || der_expect(&extension, DER_OID, &oid) != OK)
            return refuse(why, "pki.ocsp.structure", "not an extension");
        if (der_optional(&extension, DER_BOOLEAN, &truth) && (der_truth(truth, &critical) != OK || !critical))
            return refuse(why, "pki.ocsp.structure", "an extension says that it is not critical");
        if (der_expect(&extension, DER_OCTET_STRING, &value) != OK || extension.n != 0)
            return refuse(why, "pki.ocsp.structure", "an extension without value");
        if (ret_nonce != NULL && str_eq(oid, OID_OCSP_NONCE)) {
            if (ret_nonce->n != 0 || der_expect(&value, DER_OCTET_STRING, ret_nonce) != OK || value.n != 0 ||
                ret_nonce->n == 0 || ret_nonce->n > OCSP_NONCE_MAX)
                return refuse(why, "pki.ocsp.nonce", "nonce empty, too long, or twice");
        } else if (critical) {
            return refuse(why, "pki.ocsp.critical", "a critical extension that is not known here");
        }
    }
    return OK;
}

/* Request ::= SEQUENCE { reqCert, singleRequestExtensions [0] } */
static enum err
requests_read(struct str list, struct ocsp_request *ret, struct why *why)
{
    enum err e;

    while (list.n > 0) {
        struct ocsp_cert_id *id = &ret->ids[ret->n];
        struct str request, inner, content, tagged;
        unsigned tag;

        if (ret->n == OCSP_REQUESTS_MAX)
            return refuse(why, "pki.ocsp.count", "too many certificates in one request");
        if (der_expect(&list, DER_SEQUENCE, &request) != OK || der_element(&request, &tag, &id->raw) != OK)
            return refuse(why, "pki.ocsp.structure", "not a Request");
        inner = id->raw;
        if (der_expect(&inner, DER_SEQUENCE, &content) != OK)
            return refuse(why, "pki.ocsp.structure", "not a CertID");
        if ((e = cert_id_read(content, id, why)) != OK)
            return e;
        if (der_optional(&request, DER_CONTEXT(0), &tagged) && (e = extensions_read(tagged, NULL, why)) != OK)
            return e;
        if (request.n != 0)
            return refuse(why, "pki.ocsp.structure", "more in a Request than belongs there");
        ret->n++;
    }
    return ret->n > 0 ? OK : refuse(why, "pki.ocsp.count", "no certificate in the request");
}

enum err
ocsp_request_read(struct str der, struct ocsp_request *ret, struct why *why)
{
    struct ocsp_request request = { .n = 0, .nonce = STR_NULL };
    struct str whole, tbs, list, tagged;
    struct why strict = WHY_INIT;
    enum err e;

    if (der.n > OCSP_REQUEST_MAX)
        return refuse(why, "pki.ocsp.size", "request too long");
    if (der_check(der, OCSP_REQUEST_MAX, &strict) != OK)
        return refuse(why, "pki.ocsp.der", strict.text);
    /* version is DEFAULT v1 and so left out; requestorName [1]; optionalSignature [0] */
    if (der_expect(&der, DER_SEQUENCE, &whole) != OK || der_expect(&whole, DER_SEQUENCE, &tbs) != OK)
        return refuse(why, "pki.ocsp.structure", "not an OCSPRequest");
    (void)der_optional(&whole, DER_CONTEXT(0), &tagged);
    (void)der_optional(&tbs, DER_CONTEXT(1), &tagged);
    if (whole.n != 0 || der_expect(&tbs, DER_SEQUENCE, &list) != OK)
        return refuse(why, "pki.ocsp.structure", "not an OCSPRequest of version 1");
    if ((e = requests_read(list, &request, why)) != OK)
        return e;
    if (der_optional(&tbs, DER_CONTEXT(2), &tagged) && (e = extensions_read(tagged, &request.nonce, why)) != OK)
        return e;
    if (tbs.n != 0)
        return refuse(why, "pki.ocsp.structure", "more in an OCSPRequest than belongs there");
    *ret = request;
    return OK;
}
