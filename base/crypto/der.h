/*
 * der: strict DER (X.690 §10), read and written by hand: definite lengths in their shortest form, low tag numbers.
 * Used for signatures, for telling a certificate from a bare key, and for what we sign ourselves. Pure functions.
 */
#ifndef BASE_CRYPTO_DER_H
#define BASE_CRYPTO_DER_H

#include "base/core/buf.h"

enum der_tag {
    DER_BOOLEAN = 0x01,
    DER_INTEGER = 0x02,
    DER_BIT_STRING = 0x03,
    DER_OCTET_STRING = 0x04,
    DER_NULL = 0x05,
    DER_OID = 0x06,
    DER_UTF8_STRING = 0x0c,
    DER_UTC_TIME = 0x17,
    DER_GENERALIZED_TIME = 0x18,
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31,
    DER_CONTEXT_0 = 0xa0,
    DER_CONTEXT_3 = 0xa3
};

/* Takes the next element off *in. ERR_INPUT: not strict DER, or cut short. Outputs untouched on failure. */
MUST_USE enum err der_next(struct str *in, unsigned *ret_tag, struct str *ret_content);
/* The same, and the tag must be this one. */
MUST_USE enum err der_expect(struct str *in, enum der_tag tag, struct str *ret_content);
/* Next INTEGER, not negative, at most n bytes, written big-endian and zero-padded to n bytes. */
MUST_USE enum err der_unsigned(struct str *in, size_t n, unsigned char *ret_bytes);

/* Appends tag, length and content. */
void der_add(struct buf *out, enum der_tag tag, struct str content);
/* Appends an INTEGER from big-endian bytes taken as unsigned. */
void der_add_unsigned(struct buf *out, const unsigned char *bytes, size_t n);

#endif
