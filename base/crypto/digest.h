/* digest: SHA-256 and its family, HMAC-SHA-256; one-shot. They cannot fail: a libcrypto without them panics. */
#ifndef BASE_CRYPTO_DIGEST_H
#define BASE_CRYPTO_DIGEST_H

#include "base/core/buf.h"

#define SHA256_LEN 32
#define SHA384_LEN 48
#define SHA512_LEN 64
void sha256(struct str in, unsigned char out[SHA256_LEN]);
void sha384(struct str in, unsigned char out[SHA384_LEN]);
void sha512(struct str in, unsigned char out[SHA512_LEN]);
/* Only where a standard names things by it (OCSP's names of keys, RFC 6960 §4.1.1; lists of weak keys): nothing may rest on
 * its being hard to collide. */
#define SHA1_LEN 20
void sha1(struct str in, unsigned char out[SHA1_LEN]);
/* A bearer value as it is stored: SHA-256 of its text. */
void token_digest(const char *token, unsigned char out[SHA256_LEN]);

/* HMAC-SHA-256 over the concatenation of parts. The caller makes the concatenation unambiguous. */
void hmac_sha256(struct str key, const struct str *parts, size_t n, unsigned char out[SHA256_LEN]);

/* HKDF-SHA-256 (RFC 5869), whole: extract with salt (may be empty), expand with info to n bytes, n <= 255 * 32. */
void hkdf_sha256(struct str ikm, struct str salt, struct str info, unsigned char *out, size_t n);

#endif
