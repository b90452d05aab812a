/*
 * name: distinguished names and what else all we write has in common: signature algorithms, identifiers of keys. Pure.
 */
#ifndef PKI_ENCODE_NAME_H
#define PKI_ENCODE_NAME_H

#include "pki/profile/subject.h"

#define KEY_ID_LEN 20
#define NAME_MAX_LEN 4096            /* octets of a Name that we write or copy */

/* Appends the Name of a subject: attributes in the order of subject.h, C and serialNumber PrintableString, the rest
 * UTF8String (RFC 5280 §4.1.2.4, §4.1.2.6; RGS A4). Asks subject_check() first and fails as it does. */
MUST_USE enum err name_encode(const struct profile *p, const struct subject *s, struct buf *out, struct why *why);

/* Appends the AlgorithmIdentifier of a signature: NULL parameters with RSA, none with ECDSA (RFC 4055 §5, RFC 5758 §3.2).
 * RS256, RS384, RS512, ES256, ES384; others are ERR_DENIED. */
MUST_USE enum err sig_alg_encode(enum sig_alg alg, struct buf *out, struct why *why);

/* Our identifier of a key: the first 160 bits of SHA-256 of the public key (RFC 7093 §2 method 1). spki: a
 * SubjectPublicKeyInfo. ERR_INPUT: it is not one. */
MUST_USE enum err key_id(struct str spki, unsigned char ret[KEY_ID_LEN], struct why *why);
/* OCSP's: SHA-1 of the public key (RFC 6960 §4.1.1, §4.2.1). */
MUST_USE enum err key_hash_sha1(struct str spki, unsigned char ret[SHA1_LEN], struct why *why);
/* The content of the BIT STRING of a SubjectPublicKeyInfo: what both digest. ERR_INPUT. */
MUST_USE enum err spki_key_bits(struct str spki, struct str *ret, struct why *why);

#endif
