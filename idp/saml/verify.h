/*
 * verify: enveloped XML signatures, by a key that was registered before, over the very node that is read.
 *
 * Every word of the Signature is judged here before xmlsec1 sees it: methods, transforms and digests from our
 * allow-list, one Reference that names the node, no Object. KeyInfo is not read. A signature that does not fit is
 * ERR_DENIED, also where none was needed; "no signature" is the caller's to see (head.signature == NULL).
 */
#ifndef IDP_SAML_VERIFY_H
#define IDP_SAML_VERIFY_H

#include <libxml/tree.h>

#include "base/crypto/key.h"

#define SAML_KEYS_MAX 8
struct saml_keys {
    struct key *key[SAML_KEYS_MAX]; /* owned by whoever holds the struct */
    size_t n;
};
void saml_keys_done(struct saml_keys *keys);

/* Signature methods of our allow-list. ERR_DENIED: any other, SHA-1 among them. */
MUST_USE enum err saml_sig_alg(const char *uri, enum sig_alg *ret, struct why *why);

/* signature: a ds:Signature that is a child of node, whose attribute ID is id. No keys: ERR_DENIED. */
MUST_USE enum err saml_verify(xmlNode *node, const char *id, xmlNode *signature,
                              const struct saml_keys *keys, struct why *why);

#endif
