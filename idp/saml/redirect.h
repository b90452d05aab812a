/*
 * redirect: the HTTP-Redirect binding with DEFLATE (saml-bindings-2.0 §3.4), both ways.
 *
 * In: the raw query is cut by exact names; what is verified is what was received, octet for octet, and the very value
 * that was verified is the one that is decoded. Out: a URL to send the browser to.
 */
#ifndef IDP_SAML_REDIRECT_H
#define IDP_SAML_REDIRECT_H

#include "idp/saml/verify.h"

#define SAML_RELAY_STATE_MAX 1024 /* the specification says 80 bytes; real services send addresses */

struct saml_redirect {
    struct str message, relay, sig_alg, signature; /* raw values, views into the query; p NULL when absent */
    bool response;                                 /* SAMLResponse, else SAMLRequest */
    struct buf xml;                                /* inflated */
    struct buf relay_state;                        /* decoded; empty when absent */
    bool has_relay_state;
};

/* ERR_INPUT: parameters missing, twice or malformed, or not a bounded DEFLATE stream. ret is to be released with
 * saml_redirect_done() only after OK. */
MUST_USE enum err saml_redirect_parse(struct str raw_query, struct saml_redirect *ret, struct why *why);
void saml_redirect_done(struct saml_redirect *r);
static inline bool
saml_redirect_is_signed(const struct saml_redirect *r)
{
    return r->signature.p != NULL;
}
/* Only when it is signed. ERR_DENIED: algorithm not allowed, no key, or the signature is wrong. */
MUST_USE enum err saml_redirect_verify(const struct saml_redirect *r, const struct saml_keys *keys, struct why *why);

/* location?SAMLRequest=…&RelayState=…&SigAlg=…&Signature=… (or SAMLResponse). relay_state p NULL: none. */
MUST_USE enum err saml_redirect_write(const char *location, bool response, struct str xml, struct str relay_state,
                                      struct key *signer, struct buf *ret_url, struct why *why);

#endif
