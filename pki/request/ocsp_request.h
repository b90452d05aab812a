/*
 * ocsp_request: an OCSP request (RFC 6960 §4.1) in DER, read strictly. That of a GET is decoded from its path by the caller
 * first (RFC 6960 appendix A.1). Signatures of requests are not looked at (RFC 5019 §2.1.2 allows that). Pure.
 */
#ifndef PKI_REQUEST_OCSP_REQUEST_H
#define PKI_REQUEST_OCSP_REQUEST_H

#include "base/core/buf.h"

#define OCSP_REQUEST_MAX ((size_t)8 * 1024)
#define OCSP_REQUESTS_MAX 10         /* certificates asked for in one message (RFC 5019: one) */
#define OCSP_NONCE_MAX 128           /* octets (RFC 9654 §2.1) */

struct ocsp_cert_id {
    struct str raw;                  /* CertID as it came: the answer repeats it */
    bool sha256;                     /* hashes by SHA-256, else SHA-1 */
    struct str name_hash, key_hash;  /* of the issuer */
    struct str serial;               /* octets of a positive number, without leading zeros; 1 to 20 */
};

struct ocsp_request {                /* views of what was read */
    struct ocsp_cert_id ids[OCSP_REQUESTS_MAX];
    size_t n;                        /* 1 or more */
    struct str nonce;                /* n 0: none */
};

/* ERR_INPUT, answered malformedRequest, with a code:
 *   pki.ocsp.size         more than OCSP_REQUEST_MAX octets
 *   pki.ocsp.der          not strict DER, or something after it
 *   pki.ocsp.structure    not an OCSPRequest of version 1
 *   pki.ocsp.count        no certificate, or more than OCSP_REQUESTS_MAX
 *   pki.ocsp.hash         names its issuer by neither SHA-1 nor SHA-256, or a hash has a wrong length
 *   pki.ocsp.serial       serial number not positive, or longer than 20 octets
 *   pki.ocsp.nonce        nonce empty, longer than OCSP_NONCE_MAX, or twice
 *   pki.ocsp.critical     a critical extension that is not known here */
MUST_USE enum err ocsp_request_read(struct str der, struct ocsp_request *ret, struct why *why);

#endif
