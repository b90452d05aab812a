/*
 * ocsp_answer: what a responder says (RFC 6960, RFC 5019; PKI 1.5 and 5.1). Pure but for the signature: a request that was read,
 * the table, an authority's responder, the time; no socket, no database, no cache.
 *
 *   issued, not revoked                  good
 *   held                                 revoked, certificateHold: it may be good again (RFC 6960 §2.2)
 *   revoked                              revoked, with the reason if relying parties may see it
 *   not issued, or reserved and void     never good: struct ocsp_policy says how
 *   another issuer                       unknown beside others of ours; alone unauthorized (RFC 5019 §2.2.3)
 *
 * An answer is signed by one responder, that of the first certificate of ours in the request; certificates of another
 * authority of ours are unknown to it, and are asked for alone.
 */
#ifndef PKI_STATUS_OCSP_ANSWER_H
#define PKI_STATUS_OCSP_ANSWER_H

#include "pki/encode/ocsp.h"
#include "pki/request/ocsp_request.h"
#include "pki/status/status_table.h"

/* A serial number that we never gave. */
enum ocsp_never_issued {
    OCSP_NEVER_UNAUTHORIZED,       /* unsigned, cheap (RFC 5019 §2.2.3); unknown when asked beside others */
    OCSP_NEVER_UNKNOWN,
    OCSP_NEVER_REVOKED             /* revoked, certificateHold, 1970, extendedRevoke (RFC 6960 §2.2) */
};

struct ocsp_policy {
    int64_t life;                  /* nextUpdate - thisUpdate, microseconds: how long a found card may stay refused, and how
                                      long others may keep an answer. What we know is older: nextUpdate - now. */
    int64_t stale_max;             /* how old what we know may be (ocsp.stale_max); after that tryLater, and no nextUpdate is
                                      later for being old */
    int64_t retention;             /* how long after its end a certificate's status is still told: archiveCutoff; 0: not said */
    enum ocsp_never_issued never_issued;
};

/* One authority for which we answer. Read only while answers are made. */
struct ocsp_authority {
    int ca;                        /* its number in the table */
    struct ocsp_issuer issuer;     /* ocsp_issuer_make() */
    utime not_before;              /* of its certificate: no archiveCutoff before */
    struct key *key;               /* the responder's, of purpose KEY_OCSP_SIGN; NULL: none now, tryLater */
    unsigned char key_hash[SHA1_LEN];    /* key_hash_sha1() */
    struct str certificate;        /* the responder's, DER */
    utime signs_from, signs_until; /* its dates: no answer outlives it */
};

struct ocsp_responder {
    const struct ocsp_policy *policy;
    struct ocsp_authority *authorities;
    size_t n;
    struct status_table *table;
    utime known_at;                /* when the table last had all that the database had; 0: never */
};

struct ocsp_reply {
    enum ocsp_response_status status;
    utime this_update, next_update;      /* of OCSP_SUCCESSFUL */
    bool cacheable;                /* the same for everybody who asks until next_update or a change (RFC 5019 §6); not of what
                                      was never issued: it may be in a second */
};

/* The one that answers for this certificate; NULL: none. */
const struct ocsp_authority *ocsp_authority_find(const struct ocsp_responder *responder, const struct ocsp_cert_id *id);
/* From when to when an answer given now is good. false: tryLater. */
bool ocsp_times(const struct ocsp_responder *responder, const struct ocsp_authority *authority, utime now, struct ocsp_reply *ret);

/*
 * Appends an OCSPResponse, whatever happens, and fills *ret. OK: it is signed, or it says tryLater or unauthorized as the rules
 * above ask. Else it says internalError and the error is for the log: ERR_UNAVAILABLE or ERR_DENIED of key_sign().
 */
MUST_USE enum err ocsp_answer(const struct ocsp_responder *responder, const struct ocsp_request *request, utime now, struct buf *out,
                              struct ocsp_reply *ret, struct why *why);

#endif
