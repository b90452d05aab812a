/* totp: RFC 6238, SHA-1, 6 digits, 30 s (what authenticator apps take). The caller keeps the last accepted step. */
#ifndef BASE_CRYPTO_TOTP_H
#define BASE_CRYPTO_TOTP_H

#include "base/core/clock.h"
#include "base/core/secret.h"

/* Accepts one step either side; a step <= last_step is refused (no replay). OK with *ret_step, ERR_DENIED, ERR_INPUT. */
MUST_USE enum err totp_check(const struct secret *key, const char *typed, utime now, int64_t last_step,
                             int64_t *ret_step);
void totp_code(const struct secret *key, utime now, char out[7]);
MUST_USE enum err base32_decode(struct str in, struct secret *ret);       /* RFC 4648 §6, spaces and case ignored */
void base32_encode(struct buf *out, const void *p, size_t n);             /* unpadded */
/* otpauth:// URI for the QR code. */
void totp_uri(const struct secret *key, const char *issuer, const char *account, struct buf *out);

#endif
