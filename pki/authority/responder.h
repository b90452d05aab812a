/*
 * responder: who answers OCSP for an authority (RFC 6960 §4.2.2.2): a status process, by the authority and its node. Its registration
 * is an operator's; the process asks for certificates of it by itself (request origin `status`, table ocsp_signer), for each
 * generation of the authority, and the judge refuses it every other registration.
 */
#ifndef PKI_AUTHORITY_RESPONDER_H
#define PKI_AUTHORITY_RESPONDER_H

#include "pki/authority/registration.h"

/* What registration.holder of that responder says: "cards/node1". ca: name without generation; node: setting `name` of the
 * status process. ERR_INPUT: not a node's name, or both are too long together. */
#define RESPONDER_HOLDER_MAX 64
MUST_USE enum err responder_holder(const char *ca, const char *node, char out[RESPONDER_HOLDER_MAX + 1], struct why *why);
/* The profile of responders in a set: the first one for OCSP signing; NULL: none. */
const struct profile *responder_profile(const struct profile_set *profiles);

#endif
