/*
 * vault: what an activation secret S opens: key files, and the PIN of a token (L27, L28).
 *
 * A key file is PKCS#8 under AES-256-GCM with the key HKDF(S, "beffroi-pki key file" and its name); a token's PIN is the
 * base32 of HKDF(S, "beffroi-pki token" and its serial number). S itself is never on a disk.
 *
 * A key is named by its key_uri (column ca.key_uri): "sealed:FILE", or "pkcs11:…" without a PIN.
 */
#ifndef PKI_CUSTODY_VAULT_H
#define PKI_CUSTODY_VAULT_H

#include "base/core/secret.h"
#include "base/crypto/key.h"
#include "pki/custody/share.h"

#define VAULT_NAME_MAX 63          /* "cards/1": name and generation of the CA */
#define VAULT_TEXT_MAX 16384
#define VAULT_PIN_LEN 32

/* Text of a key file. set: uuid of S. ERR_DENIED: the private half of k is not here. */
MUST_USE enum err vault_seal(const struct secret *s, const char *set, const char *name, const struct key *k,
                             struct buf *ret_text, struct why *why);
/* Whose file is it, before S is there. ERR_INPUT: not a key file. */
MUST_USE enum err vault_read(struct str text, char ret_set[SHARE_SET_LEN + 1], char ret_name[VAULT_NAME_MAX + 1],
                             struct why *why);
/* ERR_INPUT: not a key file; ERR_DENIED: S does not open it, or it was altered. */
MUST_USE enum err vault_open(const struct secret *s, struct str text, enum key_purpose purpose, struct key **ret,
                             struct why *why);
/* VAULT_PIN_LEN letters and digits. */
void vault_pin(const struct secret *s, const char *token_serial, struct secret *ret_pin);

/* The key that a key_uri names. ERR_INPUT: neither form; others as vault_open() and key_load_token(). */
MUST_USE enum err vault_key(const struct secret *s, const char *key_uri, enum key_purpose purpose, struct key **ret,
                            struct why *why);

#endif
