/*
 * pkcs: the envelopes in which requests and certificates travel: PKCS#10 requests (RFC 2986), certificates-only PKCS#7
 * (RFC 7030 §4.1.3), PKCS#12 files (RFC 7292). PKCS#12 is written, never read: its readers are where parsers break.
 */
#ifndef BASE_CRYPTO_PKCS_H
#define BASE_CRYPTO_PKCS_H

#include "base/crypto/key.h"

/* A request for a certificate of this key (KEY_HOLDER_SIGN, private half here), DER, appended. subject: a Name (DER), or STR_NULL
 * for an empty one: who signs writes the names it knows. ERR_DENIED: another kind of key. */
MUST_USE enum err pkcs10_make(const struct key *k, struct str subject, struct buf *out, struct why *why);

#define PKCS7_CERTIFICATES_MAX 16
/* The certificates of a certificates-only SignedData, in their order; they point into der. ERR_INPUT: something else, in other
 * encoding than DER, or more certificates than that. */
MUST_USE enum err pkcs7_certificates(struct str der, struct str ret[PKCS7_CERTIFICATES_MAX], size_t *ret_n, struct why *why);

/* How a PKCS#12 is encrypted. What opens it is a pass phrase of pkcs12_passphrase(): 100 random bits, so that neither falls to
 * guessing; the older form is for systems that do not read the newer one (macOS, iOS, older Windows and Android). */
enum pkcs12_form {
    PKCS12_AES,                    /* PBES2: AES-256-CBC, PBKDF2 with HMAC-SHA-256; MAC with SHA-256 */
    PKCS12_3DES                    /* pbeWithSHAAnd3-KeyTripleDES-CBC, MAC with SHA-1 */
};
struct pkcs12_content {
    const struct key *key;         /* KEY_HOLDER_SIGN, P-256 or P-384 */
    struct str certificate;        /* DER, of this key */
    const struct str *chain;       /* others, DER */
    size_t nchain;
    const char *name;              /* what stores show */
};
/* Appends the file; no other copy of the private key is left in memory. ERR_DENIED: another kind of key; ERR_INPUT: a certificate that is none, or not of the key. */
MUST_USE enum err pkcs12_make(const struct pkcs12_content *in, enum pkcs12_form form, const char *passphrase, struct buf *out,
                              struct why *why);
/* "k7mwp-2hxqd-r9vtc-n4bys": four groups of five of 31 letters and digits that nobody mixes up, 99 bits. */
#define PKCS12_PASSPHRASE_SIZE 24
void pkcs12_passphrase(char out[PKCS12_PASSPHRASE_SIZE]);
/* Is it one of that form? */
bool pkcs12_passphrase_ok(const char *s);

#endif
