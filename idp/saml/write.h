/*
 * write: our protocol messages as canonical text (saml-core-2.0, web browser SSO and single logout profiles).
 *
 * All strings are UTF-8; a value that XML cannot hold is ERR_INTERNAL. IDs come from saml_id_new(). Nothing here
 * allocates beyond the buffers, parses, or keeps state.
 */
#ifndef IDP_SAML_WRITE_H
#define IDP_SAML_WRITE_H

#include "base/core/clock.h"
#include "idp/saml/sign.h"

#define SAML_MESSAGE_MAX (256 * 1024) /* ceiling of what we write */

struct saml_attribute {
    const char *name, *friendly_name;
    const struct str *values;
    size_t nvalues;
};

struct saml_assertion {
    const char *id, *issuer;
    const char *audience;        /* entityID of the service */
    const char *recipient;       /* ACS */
    const char *in_response_to;  /* NULL: unsolicited */
    utime now, not_before, not_on_or_after;
    const char *name_id, *name_id_format;
    utime auth_time, session_until;
    const char *session_index, *context_class;
    const struct saml_attribute *attributes;
    size_t nattributes;
};

struct saml_response {
    const char *id, *issuer, *destination;
    const char *in_response_to;  /* NULL: unsolicited */
    utime now;
    const char *status, *substatus, *message; /* substatus and message may be NULL */
};

struct saml_logout {
    const char *id, *issuer, *destination;
    utime now, not_on_or_after;
    const char *audience;        /* entityID of the service: SPNameQualifier */
    const char *name_id, *name_id_format, *session_index;
};

/* signer NULL: not signed. Each appends one element to out. */
MUST_USE enum err saml_write_assertion(const struct saml_assertion *a, const struct saml_signer *signer,
                                       struct buf *out, struct why *why);
/* inner: canonical text of an Assertion or EncryptedAssertion; p NULL: none. */
MUST_USE enum err saml_write_response(const struct saml_response *r, struct str inner, const struct saml_signer *signer,
                                      struct buf *out, struct why *why);
MUST_USE enum err saml_write_logout_request(const struct saml_logout *l, const struct saml_signer *signer,
                                            struct buf *out, struct why *why);
MUST_USE enum err saml_write_logout_response(const struct saml_response *r, const struct saml_signer *signer,
                                             struct buf *out, struct why *why);
/* SOAP 1.1 envelope around a message. */
void saml_write_soap(struct str message, struct buf *out);

#endif
