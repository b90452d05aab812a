/*
 * key: private keys behind one interface, from a PEM file or a PKCS#11 token.
 *
 * A key is loaded once and has one purpose; signing functions take the purpose and refuse another. Keys are shared
 * between threads without a lock of the caller's: each call works on its own copy of a context that is prepared once
 * per key and algorithm, so that nothing is parsed or looked up on the hot path.
 *
 * Allow-list (DESIGN rule 10): RSA of 2048 to 8192 bits, P-256, P-384, Ed25519. Other keys are ERR_DENIED at the door.
 */
#ifndef BASE_CRYPTO_KEY_H
#define BASE_CRYPTO_KEY_H

#include "base/core/buf.h"
#include "base/core/clock.h"

struct key;

struct secret;

enum key_purpose {
    KEY_SAML_SIGN, KEY_OIDC_SIGN, KEY_AUDIT_SIGN, KEY_SEAL, KEY_TLS,
    KEY_CA_SIGN,                   /* certificates and CRLs */
    KEY_OCSP_SIGN,
    KEY_PERSON_SIGN,               /* one person's approvals */
    KEY_HOLDER_SIGN                /* made for somebody else, who gets it in a PKCS#12 (pkcs.h): signs its request alone */
};
enum key_alg { KEY_RSA, KEY_P256, KEY_P384, KEY_ED25519 };
enum sig_alg { SIG_RS256, SIG_PS256, SIG_ES256, SIG_ES384, SIG_EDDSA, SIG_RS384, SIG_RS512 };

/* uri: "file:PATH" (PEM, not encrypted, owner and mode checked) or "pkcs11:..." (RFC 7512 with module-path and
 * pin-source=file:PATH; pin-value is refused; load after the process has forked for the last time).
 * ERR_NOT_FOUND; ERR_DENIED: owner, mode, PIN, or a key outside the allow-list; ERR_INPUT: not a key, bad uri;
 * ERR_UNAVAILABLE: the token is away. */
MUST_USE enum err key_load(const char *uri, enum key_purpose purpose, struct key **ret, struct why *why);
/* rsa_bits counts for KEY_RSA only. ERR_DENIED: fewer than 2048 bits or more than 8192. */
MUST_USE enum err key_generate(enum key_alg alg, int rsa_bits, enum key_purpose purpose, struct key **ret);
/* PKCS#8 PEM, mode 0400, refuses to overwrite (ERR_CONFLICT). ERR_DENIED: the private half is not here. */
MUST_USE enum err key_save(const struct key *k, const char *path, struct why *why);
/* PKCS#8 (RFC 5958 OneAsymmetricKey), DER, not encrypted: for keys that are sealed elsewhere. ERR_INPUT: not one whole
 * private key, or its halves do not belong together; ERR_DENIED: outside the allow-list. */
MUST_USE enum err key_from_pkcs8(struct str der, enum key_purpose purpose, struct key **ret, struct why *why);
/* ERR_DENIED: the private half is not here. */
MUST_USE enum err key_pkcs8(const struct key *k, struct secret *ret_der, struct why *why);

/* Code of an ERR_UNAVAILABLE that a token is the cause of. */
#define KEY_TOKEN_AWAY "key.token"

/* --- tokens whose PIN is at hand in memory --------------------------------------------------------------------------
 * uri as for key_load(), with module-path and without pin-source. None of these writes a PIN anywhere. */
MUST_USE enum err key_load_token(const char *uri, struct str pin, enum key_purpose purpose, struct key **ret,
                                 struct why *why);
/* Makes a pair inside the token, named by the uri's object (and id, where there is one): sensitive, never extractable, for
 * signing only. alg: RSA, P-256 or P-384. ERR_CONFLICT: a key of that name is there; others as key_load_token(). */
MUST_USE enum err key_generate_token(const char *uri, struct str pin, enum key_alg alg, int rsa_bits,
                                     enum key_purpose purpose, struct key **ret, struct why *why);
/* Destroys the pair that the uri names. ERR_NOT_FOUND. */
MUST_USE enum err key_destroy_token(const char *uri, struct str pin, struct why *why);
/* Serial number of the one token that fits the uri. */
#define TOKEN_SERIAL_SIZE 17
MUST_USE enum err token_serial(const char *uri, char ret_serial[TOKEN_SERIAL_SIZE], struct why *why);
/* Replaces the user's PIN. ERR_DENIED: the old one is wrong, or the token does not accept the new one. */
MUST_USE enum err token_pin_change(const char *uri, struct str old_pin, struct str new_pin, struct why *why);

/* A public key for verifying: from SubjectPublicKeyInfo or a certificate, DER, nothing after it. ERR_INPUT: neither;
 * ERR_DENIED: outside the allow-list. A certificate's dates and issuer are not looked at. */
MUST_USE enum err key_public(struct str spki_or_cert_der, struct key **ret, struct why *why);
/* A public key from a JWK (RFC 7517): kty RSA, EC or OKP. ERR_INPUT: malformed, or a private member is there;
 * ERR_DENIED: outside the allow-list (kty "oct" too). kid, use and alg are the caller's to judge. */
MUST_USE enum err key_from_jwk(struct str json, struct key **ret, struct why *why);
struct key *key_ref(struct key *k);
void key_free(struct key *k);
DEFINE_FREEP(struct key, key_free)

enum key_alg key_algorithm(const struct key *k);
int key_bits(const struct key *k);
bool key_can_sign(const struct key *k, enum key_purpose purpose);     /* private half, this purpose */
/* What a key of this kind signs with when nothing else is asked: RS256, ES256, ES384, EdDSA. */
enum sig_alg key_default_alg(const struct key *k);
void key_spki(const struct key *k, struct buf *out);                  /* DER */
/* RFC 7638 thumbprint, base64url: the kid. */
void key_thumbprint(const struct key *k, char out[44]);
/* The public key as a JWK object without kid/use/alg, JSON text. */
void key_jwk(const struct key *k, struct buf *out);
/* Self-signed certificate over this key for metadata (SAML wants one), DER. common_name: 1 to 64 characters.
 * Does not ask the purpose but KEY_SEAL keys, which sign nothing, are ERR_DENIED. */
MUST_USE enum err key_self_certificate(const struct key *k, const char *common_name, utime not_before,
                                       utime not_after, struct buf *ret_der, struct why *why);

/* Appends to ret_sig. ES*: raw R||S when raw_ecdsa (JOSE, XML), DER otherwise. ERR_DENIED: purpose or algorithm does
 * not fit the key; ERR_UNAVAILABLE: the token is away. */
MUST_USE enum err key_sign(struct key *k, enum key_purpose purpose, enum sig_alg alg, struct str message,
                           bool raw_ecdsa, struct buf *ret_sig, struct why *why);
/* ERR_DENIED: signature wrong, or the algorithm does not fit the key. */
MUST_USE enum err key_verify(const struct key *k, enum sig_alg alg, struct str message, struct str sig,
                             bool raw_ecdsa, struct why *why);
/* ECDSA (DER) by an EC key with a hash of hash_len octets (SHA-256, SHA-384, SHA-512) whatever its curve: in certification requests
 * tools choose the hash (RFC 5758 §3.2). ERR_DENIED: signature wrong, no EC key, another length. */
MUST_USE enum err key_verify_ecdsa(const struct key *k, size_t hash_len, struct str message, struct str sig, struct why *why);
/* The OpenSSL object for the fences that need it (XML encryption, TLS); owned by k; public half only when the key is
 * in a token. Include <openssl/evp.h>. */
struct evp_pkey_st *key_evp(const struct key *k);

#endif
