/* extension: what certificates, lists and answers share of writing extensions (RFC 5280 §4.1, §4.2.1.13). */
#ifndef PKI_ENCODE_EXTENSION_H
#define PKI_ENCODE_EXTENSION_H

#include "base/crypto/der.h"

/* An extension is opened, filled with its value, closed. */
struct extension_mark {
    size_t extension, value;
};
MUST_USE struct extension_mark extension_begin(struct buf *out, struct str oid, bool critical);
void extension_end(struct buf *out, struct extension_mark mark);

/* AuthorityKeyIdentifier with keyIdentifier alone. */
void extension_authority_key_id(struct buf *out, struct str key_id);
/* DistributionPointName: fullName with one URI. */
void extension_distribution_point_name(struct buf *out, struct str url);
/* cRLDistributionPoints and freshestCRL: one point with one URI. */
void extension_distribution_points(struct buf *out, struct str oid, struct str url);
/* An http address in IA5String, without white space: what extensions may hold. */
bool extension_url_is_valid(struct str url);

#endif
