/*
 * seal-internal: the parts of HPKE (RFC 9180) that the RFC's vectors test one by one.
 */
#ifndef BASE_CRYPTO_SEAL_INTERNAL_H
#define BASE_CRYPTO_SEAL_INTERNAL_H

#include "base/crypto/key-internal.h"
#include "base/crypto/seal.h"

#define HPKE_ENC_LEN 65            /* Nenc, Npk: uncompressed P-256 point */
#define HPKE_SECRET_LEN 32         /* Nsecret, Nh, Nsk */
#define HPKE_NONCE_LEN 12          /* Nn */
#define HPKE_TAG_LEN 16            /* Nt */

/* §7.3. The product uses AES-256-GCM alone; AES-128-GCM is in the vectors that the RFC prints. */
enum hpke_aead { HPKE_AES_128_GCM = 0x0001, HPKE_AES_256_GCM = 0x0002 };

struct hpke_context {
    enum hpke_aead aead;
    unsigned char key[32];
    size_t key_len;                /* Nk: 16 or 32 */
    unsigned char nonce[HPKE_NONCE_LEN];   /* base_nonce: the nonce of sequence number 0, the only one we use */
};

/* §7.1.3 DeriveKeyPair(ikm). */
MUST_USE enum err hpke_derive_key_pair(struct str ikm, EVP_PKEY **ret, struct why *why);
/* §4.1 Encap(pkR) with the ephemeral key that DeriveKeyPair(ikm_e) makes. */
MUST_USE enum err hpke_encap(const struct key *recipient, struct str ikm_e, unsigned char enc[HPKE_ENC_LEN],
                             unsigned char shared[HPKE_SECRET_LEN], struct why *why);
/* §4.1 Decap(enc, skR). ERR_DENIED: enc is not a point of the curve. */
MUST_USE enum err hpke_decap(const struct key *recipient, const unsigned char enc[HPKE_ENC_LEN],
                             unsigned char shared[HPKE_SECRET_LEN], struct why *why);
/* §5.1 KeySchedule(mode_base, …). */
void hpke_key_schedule(enum hpke_aead aead, const unsigned char shared[HPKE_SECRET_LEN], struct str info,
                       struct hpke_context *ret);

/* One message, sequence number 0: SealBase and OpenBase of §6.1 with the AEAD as a parameter. */
MUST_USE enum err hpke_seal(enum hpke_aead aead, const struct key *recipient, struct str ikm_e, struct str info,
                            struct str aad, struct str plain, struct buf *out, struct why *why);
MUST_USE enum err hpke_open(enum hpke_aead aead, const struct key *recipient, struct str info, struct str aad,
                            struct str sealed, struct buf *out, struct why *why);

/* AES-GCM, 96-bit nonce, 128-bit tag at the end. key of 16 or 32 bytes. ERR_DENIED: altered. Appends to out. */
MUST_USE enum err gcm_seal(struct str key, const unsigned char nonce[12], struct str aad, struct str plain,
                           struct buf *out, struct why *why);
MUST_USE enum err gcm_open(struct str key, const unsigned char nonce[12], struct str aad, struct str sealed,
                           struct buf *out, struct why *why);

/* The key of that version, or NULL. Owned by the ring. */
const struct secret *keyring_key(const struct keyring *k, int version);

#endif
