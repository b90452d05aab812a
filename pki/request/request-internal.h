/* request-internal: SubjectPublicKeyInfo taken apart, for csr.c and key_quality.c. */
#ifndef PKI_REQUEST_REQUEST_INTERNAL_H
#define PKI_REQUEST_REQUEST_INTERNAL_H

#include "base/crypto/key.h"

struct spki_parts {
    enum key_alg alg;
    struct str n, e;                 /* RSA: without leading zeros */
    struct str point;                /* EC: 04 || X || Y; Ed25519: the key */
};

/* Codes as csr_read()'s, with prefix in place of "pki.csr". */
MUST_USE enum err spki_parse(struct str spki, const char *prefix, struct spki_parts *ret, struct why *why);

#endif
