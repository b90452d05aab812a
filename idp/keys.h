/*
 * keys: the key folder of the identity provider (conf.keys), as a table for base/program/keyfolder.h. Each process has a
 * folder of its own, with what it loads and nothing else (`keys give`); `keys init` makes the one with everything.
 *
 *                                                                                          web  worker  notifier
 *   saml.pem, saml-cert.der   RSA-3072 or 2048, and its self-signed certificate              x              x
 *   oidc-rs256.pem            RSA-2048         oidc-es256.pem   P-256                        x              x
 *   audit.pem                 Ed25519, signs checkpoints of the audit trail                         x
 *   csrf.key                  32 bytes, hexadecimal                                          x
 *   pepper/                   key ring (base/crypto/seal.h): codes, addresses, throttles     x      x
 *   field/                    key ring: sealed columns, waiting mails, flows                 x      x
 *   pair/                     key ring: pairwise identifiers                                 x
 */
#ifndef IDP_KEYS_H
#define IDP_KEYS_H

#include "base/program/program.h"
#include "idp/idp.h"

extern const struct keyfile idp_key_files[];     /* their need: bits of enum idp_need */
extern const size_t idp_key_nfiles;

extern const struct program_process idp_processes[];
extern const size_t idp_nprocesses;
/* Loads the files that need asks for. */
MUST_USE enum err idp_keys_load(struct idp *idp, unsigned need, struct why *why);
void idp_keys_done(struct idp *idp);

#endif
