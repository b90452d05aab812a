/* parts: what a signed object is made of, as views of its octets: certificates and lists, read back. Pure. */
#ifndef PKI_ENCODE_PARTS_H
#define PKI_ENCODE_PARTS_H

#include "base/core/buf.h"
#include "base/core/clock.h"

/* SIGNED{} of X.509: the text with tag and length, and the signature. The whole passes der_check() first, up to max octets.
 * ERR_INPUT. */
MUST_USE enum err signed_split(struct str der, size_t max, struct str *ret_tbs, struct str *ret_signature, struct why *why);

/* A certificate of version 3; names and key with tag and length. */
struct certificate_parts {
    struct str tbs, serial, issuer, subject, spki, signature;
    utime not_before, not_after;
};
MUST_USE enum err certificate_split(struct str der, struct certificate_parts *ret, struct why *why);

/* The entries of a list, one after the other, in their order. The list is one that der_check() has passed, or ours. */
struct crl_walk {
    struct str entries;              /* what is left */
};
struct crl_walk_entry {
    struct str serial;               /* octets without a leading zero; p NULL at the end */
    struct str rest;                 /* its date and extensions */
};
/* ERR_INPUT: not a list. */
MUST_USE enum err crl_walk_begin(struct crl_walk *w, struct str der, struct why *why);
MUST_USE enum err crl_walk_next(struct crl_walk *w, struct crl_walk_entry *ret, struct why *why);
/* Is its reason certificateHold? */
bool crl_walk_is_hold(const struct crl_walk_entry *entry);
/* The order of serial numbers in our lists. */
int serial_compare(struct str a, struct str b);
/* Is there an entry of that serial number? */
bool crl_walk_finds(struct str der, struct str serial);

#endif
