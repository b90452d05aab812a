/* totp: RFC 6238, SHA-1, 6 digits, 30 s (what authenticator apps take). The caller keeps the last accepted step. */
#ifndef BASE_CRYPTO_TOTP_H
#define BASE_CRYPTO_TOTP_H

#include "base/core/clock.h"
#include "base/core/secret.h"

#define TOTP_KEY_LEN 20            /* RFC 4226 §4 R6 recommends 160 bits; totp_key_new() makes that */

void totp_key_new(struct secret *ret);
/* Accepts one step either side; a step <= last_step is refused (no replay): -1 when none was ever accepted. White space
 * in typed is ignored. OK with *ret_step, ERR_DENIED (wrong or used), ERR_INPUT (not six digits). */
MUST_USE enum err totp_check(const struct secret *key, const char *typed, utime now, int64_t last_step,
                             int64_t *ret_step);
void totp_code(const struct secret *key, utime now, char out[7]);
/* RFC 4648 §6; spaces and case ignored, padding may be left out but must be right where it stands. ERR_INPUT. */
MUST_USE enum err base32_decode(struct str in, struct secret *ret);
void base32_encode(struct buf *out, const void *p, size_t n);             /* unpadded */
/* otpauth:// URI for the QR code. out should be a BUF_SECRET: the key is in it. */
void totp_uri(const struct secret *key, const char *issuer, const char *account, struct buf *out);

#endif
