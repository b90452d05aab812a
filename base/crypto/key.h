/*
 * key: private keys behind one interface, from a PEM file or a PKCS#11 token.
 *
 * A key is loaded once and has one purpose; signing functions take the purpose and refuse another. Keys are shared
 * between threads; each thread keeps its own signing context inside.
 */
#ifndef BASE_CRYPTO_KEY_H
#define BASE_CRYPTO_KEY_H

#include "base/core/buf.h"

struct key;

enum key_purpose {
    KEY_SAML_SIGN, KEY_OIDC_SIGN, KEY_AUDIT_SIGN, KEY_SEAL, KEY_TLS
};
enum key_alg { KEY_RSA, KEY_P256, KEY_P384, KEY_ED25519 };
enum sig_alg { SIG_RS256, SIG_PS256, SIG_ES256, SIG_ES384, SIG_EDDSA, SIG_RS384, SIG_RS512 };

/* uri: "file:PATH" (PEM, owner and mode checked) or "pkcs11:..." (RFC 7512; pin-source=file:... needed). */
MUST_USE enum err key_load(const char *uri, enum key_purpose purpose, struct key **ret, struct why *why);
MUST_USE enum err key_generate(enum key_alg alg, int rsa_bits, enum key_purpose purpose, struct key **ret);
/* PEM, mode 0400, refuses to overwrite. */
MUST_USE enum err key_save(const struct key *k, const char *path, struct why *why);
/* A public key for verifying: from SubjectPublicKeyInfo or a certificate, DER. Checks size and curve. */
MUST_USE enum err key_public(struct str spki_or_cert_der, struct key **ret, struct why *why);
struct key *key_ref(struct key *k);
void key_free(struct key *k);
DEFINE_FREEP(struct key, key_free)

enum key_alg key_algorithm(const struct key *k);
int key_bits(const struct key *k);
void key_spki(const struct key *k, struct buf *out);                  /* DER */
/* RFC 7638 thumbprint, base64url: the kid. */
void key_thumbprint(const struct key *k, char out[44]);
/* The public key as a JWK object without kid/use/alg, JSON text. */
void key_jwk(const struct key *k, struct buf *out);
/* Self-signed certificate over this key for metadata (SAML wants one), DER. */
MUST_USE enum err key_self_certificate(const struct key *k, const char *common_name, int64_t not_before,
                                       int64_t not_after, struct buf *ret_der, struct why *why);

/* ES*: raw R||S when raw_ecdsa (JOSE, XML), DER otherwise. ERR_DENIED: purpose or algorithm does not fit the key. */
MUST_USE enum err key_sign(struct key *k, enum key_purpose purpose, enum sig_alg alg, struct str message,
                           bool raw_ecdsa, struct buf *ret_sig, struct why *why);
/* ERR_DENIED: signature wrong. */
MUST_USE enum err key_verify(const struct key *k, enum sig_alg alg, struct str message, struct str sig,
                             bool raw_ecdsa, struct why *why);
/* The OpenSSL object for the fences that need it (XML encryption, TLS); owned by k. Include <openssl/evp.h>. */
struct evp_pkey_st *key_evp(const struct key *k);

#endif
