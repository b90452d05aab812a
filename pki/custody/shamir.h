/*
 * shamir: a secret in n parts of which any k give it back and k-1 say nothing (Shamir 1979), with a check that a wrong set
 * is noticed.
 *
 * The arithmetic and the layout are those of SLIP-0039: GF(2^8) with x^8 + x^4 + x^3 + x + 1, share i at x = i - 1, the
 * secret at x = 255, and at x = 254 a digest share: the first 4 octets of HMAC-SHA-256(R, secret), then R, random. Any k
 * shares determine both; a set with a foreign or altered share passes by chance once in 2^32. Pure functions; no branch
 * or memory access depends on a secret octet.
 */
#ifndef PKI_CUSTODY_SHAMIR_H
#define PKI_CUSTODY_SHAMIR_H

#include "base/core/secret.h"

#define SHAMIR_LEN_MIN 16
#define SHAMIR_LEN_MAX 32
#define SHAMIR_TOTAL_MAX 16

/* secret: SHAMIR_LEN_MIN to _MAX octets. ret_values: total values of the secret's length one after another; value i
 * (from 0) belongs to share number i + 1. ERR_INPUT: not 2 <= threshold <= total <= 16, or a wrong length. */
MUST_USE enum err shamir_split(const struct secret *secret, int threshold, int total, struct secret *ret_values,
                               struct why *why);
/* n shares, exactly as many as the threshold of the split: numbers[i] (1 to 16) has the value at i * len. ERR_INPUT: a
 * number twice or out of range, n or len out of range; ERR_DENIED: the shares do not belong together, or one is altered. */
MUST_USE enum err shamir_combine(const unsigned char *numbers, const struct secret *values, size_t n, size_t len,
                                 struct secret *ret_secret, struct why *why);

#endif
