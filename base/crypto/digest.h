/* digest: SHA-256 and SHA-1-free; one-shot. */
#ifndef BASE_CRYPTO_DIGEST_H
#define BASE_CRYPTO_DIGEST_H

#include "base/core/buf.h"

#define SHA256_LEN 32
void sha256(struct str in, unsigned char out[SHA256_LEN]);
void sha512(struct str in, unsigned char out[64]);
/* A bearer value as it is stored: SHA-256 of its text. */
void token_digest(const char *token, unsigned char out[SHA256_LEN]);

#endif
