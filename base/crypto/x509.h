/*
 * x509: what a certificate says, read once into a struct. Pure functions: nothing here trusts, fetches or validates a
 * path; the caller compares the fingerprint or the key with what it registered.
 */
#ifndef BASE_CRYPTO_X509_H
#define BASE_CRYPTO_X509_H

#include "base/core/buf.h"
#include "base/core/clock.h"
#include "base/crypto/digest.h"

#define X509_DER_MAX 65536
#define X509_NAME_MAX 2048

struct x509_cert {
    unsigned char fingerprint[SHA256_LEN];   /* SHA-256 of the whole DER */
    struct buf spki;                         /* SubjectPublicKeyInfo, DER: key_public() takes it */
    struct buf subject, issuer;              /* RFC 2253 text, UTF-8, NUL-terminated; control characters escaped */
    struct buf serial;                       /* lower-case hexadecimal without leading zeros */
    utime not_before, not_after;             /* both included */
};

/* ERR_INPUT: not one whole DER certificate, or its dates or names cannot be read. On failure *ret is untouched. */
MUST_USE enum err x509_read(struct str der, struct x509_cert *ret, struct why *why);
void x509_done(struct x509_cert *cert);
/* ERR_DENIED: not yet or no longer valid. */
MUST_USE enum err x509_check_dates(const struct x509_cert *cert, utime now, struct why *why);
/* The first "-----BEGIN CERTIFICATE-----" of a PEM text as DER; text around it is allowed. ERR_INPUT: none, or bad. */
MUST_USE enum err x509_pem_decode(struct str pem, struct buf *out, struct why *why);

#endif
