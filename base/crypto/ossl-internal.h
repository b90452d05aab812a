/*
 * ossl: what the files of this room share about OpenSSL: release wrappers, algorithms fetched once, and the error
 * queue turned into struct why. Nobody outside base/crypto includes it (the unit tests of the room excepted).
 *
 * OpenSSL 3 looks an algorithm up in its providers at each EVP_sha256(); ossl_md() does it once per process.
 */
#ifndef BASE_CRYPTO_OSSL_INTERNAL_H
#define BASE_CRYPTO_OSSL_INTERNAL_H

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/core/buf.h"

DEFINE_FREEP(EVP_PKEY, EVP_PKEY_free)
DEFINE_FREEP(EVP_PKEY_CTX, EVP_PKEY_CTX_free)
DEFINE_FREEP(EVP_MD_CTX, EVP_MD_CTX_free)
DEFINE_FREEP(EVP_MAC_CTX, EVP_MAC_CTX_free)
DEFINE_FREEP(EVP_CIPHER_CTX, EVP_CIPHER_CTX_free)
DEFINE_FREEP(X509, X509_free)
DEFINE_FREEP(BIO, BIO_free_all)
DEFINE_FREEP(BIGNUM, BN_free)
DEFINE_FREEP(BIGNUM, BN_clear_free)
DEFINE_FREEP(BN_CTX, BN_CTX_free)
DEFINE_FREEP(EC_GROUP, EC_GROUP_free)
DEFINE_FREEP(EC_POINT, EC_POINT_clear_free)

enum ossl_md_id { OSSL_MD_SHA1, OSSL_MD_SHA256, OSSL_MD_SHA384, OSSL_MD_SHA512 };

/* Never NULL: a libcrypto without these digests panics. Owned by the process. SHA-1 is for HOTP and sha1() alone. */
const EVP_MD *ossl_md(enum ossl_md_id id);

/* The digest of message; returns its length. Panics when libcrypto refuses: only our own bug can cause that. */
size_t ossl_digest(enum ossl_md_id id, struct str message, unsigned char out[EVP_MAX_MD_SIZE]);

/* HMAC over the concatenation of parts; out holds the digest's length. */
void ossl_hmac(enum ossl_md_id id, struct str key, const struct str *parts, size_t n, unsigned char *out);

/* As why_set(), with the newest entries of OpenSSL's error queue appended; the queue is emptied. */
MUST_USE enum err ossl_why(struct why *why, enum err e, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Empties it without a word: after a call that succeeded and left entries all the same. */
void ossl_queue_clear(void);

static inline const unsigned char *
str_bytes(struct str s)
{
    return (const unsigned char *)(s.p == NULL ? "" : s.p);
}

static inline struct str
str_from(const void *p, size_t n)
{
    return (struct str){ (const char *)p, n };
}

#endif
