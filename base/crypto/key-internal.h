/*
 * key-internal: the body of struct key, shared by the key_*.c files, seal.c and the room's tests.
 */
#ifndef BASE_CRYPTO_KEY_INTERNAL_H
#define BASE_CRYPTO_KEY_INTERNAL_H

#include <stdatomic.h>

#include "base/crypto/key.h"
#include "base/crypto/ossl-internal.h"

#define SIG_ALG_COUNT 7
#define KEY_THUMBPRINT_LEN 43      /* SHA-256 as base64url without padding */
#define KEY_SIG_MAX 1024           /* RSA-8192 */
#define KEY_DIGEST_MAX 64

struct token_key;                  /* a private key inside a PKCS#11 token (pkcs11.c) */

enum { THUMBPRINT_NONE, THUMBPRINT_TAKEN, THUMBPRINT_READY };
struct key {
    atomic_int refs;
    enum key_purpose purpose;      /* meaningless when !has_private: anybody may verify */
    bool has_private;
    enum key_alg alg;
    int bits;
    EVP_PKEY *pkey;                /* public half; the private half too when it came from a file */
    struct token_key *token;       /* NULL: the private half is in pkey */
    struct buf spki;               /* DER */
    /* Made when it is first asked for: a key that verifies one signature is never asked. */
    _Atomic int thumbprint_state;
    char thumbprint[KEY_THUMBPRINT_LEN + 1];
    /* Initialised contexts, one per algorithm, made at first use and never used themselves: each call copies
     * one, which costs a few reference counts instead of the look-ups and parameter checks of a fresh one. */
    _Atomic(EVP_PKEY_CTX *) sign_ctx[SIG_ALG_COUNT], verify_ctx[SIG_ALG_COUNT];
};

/* What each signature algorithm is: one row per enum sig_alg. */
struct sig_alg_row {
    const char *name;              /* JOSE (RFC 7518 §3.1, RFC 8037) */
    enum key_alg key;
    enum ossl_md_id md;            /* unused for EdDSA */
    bool pss;
    size_t half;                   /* ECDSA: length of R and of S; else 0 */
};
extern const struct sig_alg_row sig_alg_rows[SIG_ALG_COUNT];

/* For what const does not promise: the cache of contexts, and the session with a token. */
static inline struct key *
key_mutable(const struct key *k)
{
    const union {
        const struct key *given;
        struct key *same;
    } u = { k };

    return u.same;
}

/* AlgorithmIdentifier of a signature by key_default_alg(), whole (key_cert.c). */
struct str key_signature_algorithm(enum key_alg alg);
/* Takes pkey over (also on failure). Checks the allow-list: ERR_DENIED when it is not in it. */
MUST_USE enum err key_from_evp(EVP_PKEY *pkey, bool has_private, enum key_purpose purpose, struct key **ret,
                               struct why *why);
/* Public keys from raw numbers, big-endian. The key's checks are key_from_evp()'s. */
MUST_USE enum err evp_from_rsa(struct str n, struct str e, EVP_PKEY **ret, struct why *why);
/* point: uncompressed, 0x04 || X || Y; ERR_INPUT when it is not on the curve. */
MUST_USE enum err evp_from_ec(enum key_alg curve, struct str point, EVP_PKEY **ret, struct why *why);

/* Signs without looking at the purpose: for key_sign() after its checks, self-signed certificates and self-tests. */
MUST_USE enum err key_sign_any(struct key *k, enum sig_alg alg, struct str message, bool raw_ecdsa,
                               struct buf *ret_sig, struct why *why);
/* SHA-256 of the JWK's required members (RFC 7638), base64url. */
void jwk_thumbprint(const struct key *k, char out[KEY_THUMBPRINT_LEN + 1]);

/* Writes a new file of mode 0400 whole or not at all, synced; ERR_CONFLICT when path exists. for_folder_owner: root gives
 * it to the owner of the folder, who could not read it otherwise. */
MUST_USE enum err private_file_create(const char *path, struct str content, bool for_folder_owner, struct why *why);

#endif
