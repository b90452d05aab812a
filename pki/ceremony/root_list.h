/*
 * root_list: the list of revoked authorities that a root signs (RFC 5280 §5): full, with authorityKeyIdentifier and
 * cRLNumber, reasons shown; checked before it is signed. Pure.
 */
#ifndef PKI_CEREMONY_ROOT_LIST_H
#define PKI_CEREMONY_ROOT_LIST_H

#include "base/core/clock.h"
#include "base/crypto/key.h"

#define ROOT_LIST_MAX 65536

struct root_list_entry {
    struct str serial;             /* big-endian octets */
    utime at;
    int reason;                    /* RFC 5280 §5.3.1, 1 to 10 */
};
struct root_list {
    struct str issuer;             /* Name, DER, as in the root's certificate */
    struct str issuer_key_id;
    int64_t number;
    utime this_update, next_update;
    utime issuer_not_before, issuer_not_after;
    struct root_list_entry *entries;     /* put into the order of their serials */
    size_t n;
};

/* Appends the CertificateList that key (KEY_CA_SIGN) signs; the signature is verified before it is handed out. */
MUST_USE enum err root_list_sign(struct root_list *list, struct key *key, struct buf *out, struct why *why);

struct root_list_facts {
    utime this_update, next_update;
    int entries;
};
/* What a list of ours says, for the database. ERR_INPUT. */
MUST_USE enum err root_list_read(struct str der, struct root_list_facts *ret, struct why *why);

#endif
