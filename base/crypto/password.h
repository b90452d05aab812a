/*
 * password: argon2id (RFC 9106) behind the engine fence. What a good password is, is idp/credential's business.
 *
 * A hash costs tens of milliseconds and as much memory as its parameters say: call it from a bounded pool (DESIGN §4).
 */
#ifndef BASE_CRYPTO_PASSWORD_H
#define BASE_CRYPTO_PASSWORD_H

#include "base/core/buf.h"

#define PASSWORD_MAX 1024          /* bytes; longer ones are refused before anything is computed */
#define PASSWORD_HASH_SIZE 128     /* PHC string with its NUL */

struct password_cost {
    uint32_t memory_kib;           /* 8 to 1 048 576 */
    uint32_t passes;               /* 1 to 64 */
};                                 /* one lane: a hash uses one core */
#define PASSWORD_COST_DEFAULT { 19 * 1024, 2 }

/* "$argon2id$v=19$m=…,t=…,p=1$salt$hash" with a fresh salt. ERR_INPUT: empty or longer than PASSWORD_MAX, or a cost out
 * of range; ERR_UNAVAILABLE: no memory. */
MUST_USE enum err password_hash(struct str password, const struct password_cost *cost,
                                char ret_phc[PASSWORD_HASH_SIZE], struct why *why);
/* OK: it matches; *ret_needs_rehash tells that phc was made at another cost than this one.
 * ERR_DENIED: it does not; ERR_INPUT: longer than PASSWORD_MAX; ERR_UNAVAILABLE: no memory; ERR_INTERNAL: phc is no
 * hash of ours. */
MUST_USE enum err password_verify(struct str password, const char *phc, const struct password_cost *cost,
                                  bool *ret_needs_rehash, struct why *why);
/* For a user who does not exist: costs what password_verify() costs at this cost and answers as it does for a wrong
 * password. Never OK. */
MUST_USE enum err password_verify_nobody(struct str password, const struct password_cost *cost, struct why *why);

/* A key of PASSWORD_KEY_LEN bytes from a pass phrase, by raw argon2id, for what is sealed under it. Errors as
 * password_hash(). */
#define PASSWORD_KEY_LEN 32
#define PASSWORD_SALT_LEN 16
struct secret;
MUST_USE enum err password_key(struct str password, const unsigned char salt[PASSWORD_SALT_LEN],
                               const struct password_cost *cost, struct secret *ret_key, struct why *why);

#endif
