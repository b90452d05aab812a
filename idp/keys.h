/*
 * keys: the key folder of the identity provider (conf.keys), as a table for base/program/keyfolder.h.
 *
 *   saml.pem, saml-cert.der   RSA-3072 or 2048, and its self-signed certificate for the metadata
 *   oidc-rs256.pem            RSA-2048         oidc-es256.pem   P-256
 *   audit.pem                 Ed25519, signs checkpoints of the audit trail
 *   csrf.key                  32 bytes, hexadecimal
 *   pepper/ field/ pair/      key rings (base/crypto/seal.h)
 */
#ifndef IDP_KEYS_H
#define IDP_KEYS_H

#include "base/program/keyfolder.h"
#include "idp/idp.h"

extern const struct keyfile idp_key_files[];     /* their need: bits of enum idp_need */
extern const size_t idp_key_nfiles;

/* Loads the files that need asks for. */
MUST_USE enum err idp_keys_load(struct idp *idp, unsigned need, struct why *why);
void idp_keys_done(struct idp *idp);

#endif
