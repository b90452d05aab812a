/*
 * keys: the key folder of the identity provider (conf.keys).
 *
 *   saml.pem, saml-cert.der   RSA-3072 or 2048, and its self-signed certificate for the metadata
 *   oidc-rs256.pem            RSA-2048         oidc-es256.pem   P-256
 *   audit.pem                 Ed25519, signs checkpoints of the audit trail
 *   csrf.key                  32 bytes, hexadecimal
 *   pepper/ field/ pair/      key rings (base/crypto/seal.h)
 */
#ifndef IDP_KEYS_H
#define IDP_KEYS_H

#include "idp/idp.h"

/* Makes what is missing, never replaces. The folder is created with mode 0700. */
MUST_USE enum err idp_keys_init(const struct idp_conf *conf, utime now, struct why *why);
MUST_USE enum err idp_keys_load(struct idp *idp, struct why *why);
void idp_keys_done(struct idp *idp);

#endif
