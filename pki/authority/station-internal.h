/* station-internal: statements of the table station that its rules need. */
#ifndef PKI_AUTHORITY_STATION_INTERNAL_H
#define PKI_AUTHORITY_STATION_INTERNAL_H

#include "pki/authority/station.h"

MUST_USE enum err station_insert(struct pg *pg, const struct station *s, struct why *why);
/* The row, locked until the transaction ends. ERR_NOT_FOUND. */
MUST_USE enum err station_lock(struct pg *pg, const char *name, struct arena *a, struct station *ret, struct why *why);
/* The row is locked. */
MUST_USE enum err station_activate(struct pg *pg, const char *id, struct why *why);

/* The certificate with this key, with its octets; and its station. ERR_NOT_FOUND: none, or of no station. */
struct station_certificate {
    char id[37];
    struct str der;
    const char *state;
    utime not_before, not_after;
};
MUST_USE enum err station_by_key(struct pg *pg, const unsigned char spki_sha256[SHA256_LEN], struct arena *a,
                                 struct station *ret, struct station_certificate *ret_certificate, struct why *why);

#endif
