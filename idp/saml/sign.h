/* sign: an enveloped signature over canonical text: RSA with SHA-256, exclusive canonicalisation, certificate in KeyInfo. */
#ifndef IDP_SAML_SIGN_H
#define IDP_SAML_SIGN_H

#include "base/crypto/key.h"

struct saml_signer {
    struct key *key;         /* purpose KEY_SAML_SIGN */
    struct str certificate;  /* DER, shown in KeyInfo */
};

/* element is canonical text whose root carries id; the Signature goes in at offset at (behind Issuer, or behind the
 * start tag of metadata). Appends the signed element to out. id must need no escaping. */
MUST_USE enum err saml_sign(const struct saml_signer *signer, const char *id, struct str element, size_t at,
                            struct buf *out, struct why *why);

/* A new ID: '_' and 160 random bits in hexadecimal. */
#define SAML_ID_LEN 41
void saml_id_new(char ret[SAML_ID_LEN + 1]);

#endif
