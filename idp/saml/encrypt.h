/* encrypt: an assertion to the service's key (xmlenc-core1): AES-256-GCM unless the metadata demand CBC, RSA-OAEP. */
#ifndef IDP_SAML_ENCRYPT_H
#define IDP_SAML_ENCRYPT_H

#include "idp/saml/sp.h"

/* assertion: canonical text that declares its own prefixes. Appends one saml:EncryptedAssertion, canonical too.
 * ERR_DENIED: the service has no usable key, or wants only methods that we refuse. */
MUST_USE enum err saml_encrypt(const struct saml_sp *sp, struct str assertion, struct buf *out, struct why *why);

#endif
