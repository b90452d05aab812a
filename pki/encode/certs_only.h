/*
 * certs_only: the certificates-only message of EST (RFC 7030 §4.1.3, §4.2.3; RFC 2797 §2.2 "certs-only"): a PKCS#7 SignedData
 * without signatures. We only write it: nothing here reads PKCS#7. Pure.
 */
#ifndef PKI_ENCODE_CERTS_ONLY_H
#define PKI_ENCODE_CERTS_ONLY_H

#include "base/core/err.h"
#include "base/core/buf.h"

/* Appends the ContentInfo, DER. certificates: DER, at least one. They are put into the order of a DER SET, whatever theirs.
 * ERR_INPUT: none, or one that is not a DER element. */
MUST_USE enum err certs_only_encode(const struct str *certificates, size_t n, struct buf *out, struct why *why);

#endif
