/*
 * seal: the one way to encrypt what must be used later (DESIGN rule 3).
 *
 * To somebody else: HPKE (RFC 9180, base mode, DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-256-GCM), one message each.
 * Under a key that the caller has: AES-256-GCM with a random nonce, for files that are sealed a few times in their life.
 * Own columns: AES-256-GCM under a versioned key with table, column and row as associated data.
 * Compared only: HMAC-SHA-256 under a versioned key ("pepper") that is not in the database.
 */
#ifndef BASE_CRYPTO_SEAL_H
#define BASE_CRYPTO_SEAL_H

#include "base/core/secret.h"

#define SEAL_PLAIN_MAX ((size_t)16 * 1024 * 1024)

/* --- HPKE ---------------------------------------------------------------------------------------- */
struct key;
#define SEAL_OVERHEAD (65 + 16)    /* bytes that seal_to() adds to the plaintext */
/* Appends enc (65 bytes) || ciphertext || tag. info and aad are bound. recipient: P-256 key, public is enough; a
 * private one must be KEY_SEAL. ERR_DENIED: such a key cannot receive; ERR_INPUT: plain too long. */
MUST_USE enum err seal_to(const struct key *recipient, struct str info, struct str aad, struct str plain,
                          struct buf *out, struct why *why);
/* recipient: KEY_SEAL, in a file or a token. ERR_DENIED: not for this key, or altered. Appends to out, which should be
 * a BUF_SECRET; nothing is appended on failure. */
MUST_USE enum err seal_open(const struct key *recipient, struct str info, struct str aad, struct str sealed,
                            struct buf *out, struct why *why);

/* --- under a key at hand ---------------------------------------------------------------------------- */
#define BOX_OVERHEAD (12 + 16)     /* bytes that box_seal() adds to the plaintext */
/* AES-256-GCM, key of 32 bytes: appends nonce (12, random) || ciphertext || tag (16); aad is bound. At most 2^32 messages
 * under one key (SP 800-38D §8.3). */
MUST_USE enum err box_seal(struct str key, struct str aad, struct str plain, struct buf *out, struct why *why);
/* ERR_DENIED: another key, another aad, or altered. Appends to out, which should be a BUF_SECRET. */
MUST_USE enum err box_open(struct str key, struct str aad, struct str sealed, struct buf *out, struct why *why);

/* --- versioned key rings --------------------------------------------------------------------------- */
/* A folder with files v1, v2, … v255: 32 random bytes in hex each, mode 0400. The highest is the current one. Deleting
 * a file destroys what was sealed under it; gaps are allowed. Anything else in the folder but names starting with '.'
 * stops the load. */
struct keyring;
#define KEYRING_VERSION_MAX 255
/* ERR_NOT_FOUND: no folder, or no key in it; ERR_DENIED: owner or mode (of the folder too: nobody else may write in it);
 * ERR_INPUT: a file that is not a key. */
MUST_USE enum err keyring_load(const char *folder, struct keyring **ret, struct why *why);
/* Makes the folder (0700) when absent, and v1 in it; ERR_CONFLICT: there are keys already. Root's keys are given to the
 * owner of the folder. */
MUST_USE enum err keyring_create(const char *folder, struct why *why);
/* Adds the next version. Running processes use it after their next keyring_load(). */
MUST_USE enum err keyring_rotate(const char *folder, struct why *why);
void keyring_free(struct keyring *k);
DEFINE_FREEP(struct keyring, keyring_free)
int keyring_current(const struct keyring *k);
int keyring_oldest(const struct keyring *k);

#define MAC_LEN 32
/* HMAC-SHA-256(key[version], label || 0x00 || value). label separates uses ("code.creation", "email", …), never empty.
 * ERR_NOT_FOUND: no such version. */
MUST_USE enum err mac_compute(const struct keyring *k, int version, const char *label, struct str value,
                              unsigned char out[MAC_LEN]);

#define COLUMN_OVERHEAD (1 + 12 + 16)   /* bytes that column_seal() adds to the plaintext */
/* Appends version (1 byte) || nonce (12) || ciphertext || tag (16). The place is bound: "account.email" and row id.
 * Each place and row has an AES key of its own, derived from the ring's, so that random nonces never wear out. */
MUST_USE enum err column_seal(const struct keyring *k, const char *place, const char *row_id, struct str plain,
                              struct buf *out);
/* ERR_DENIED: altered, or sealed for another place or row; ERR_NOT_FOUND: the ring has no such version any more. */
MUST_USE enum err column_open(const struct keyring *k, const char *place, const char *row_id, struct str sealed,
                              struct buf *out, struct why *why);

#endif
