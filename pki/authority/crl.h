/*
 * crl: the lists of an authority, made from the database (tables crl_counter, crl; RFC 5280 §5, PKI 1.5 and 5.1).
 *
 * One run makes the full list of one shard, its delta, or both, from one view of the database and under one number. A list
 * is numbered, read, written, linted, signed, read back and verified, and stored with its audit row in one transaction: what
 * is not stored was never given to anybody, and its number is free again. Two who make lists of one shard wait for each other.
 *
 * Who stands in a full list: every certificate with revoked_at, as long as no earlier full list was made beyond its notAfter.
 * An entry leaves by release from hold or so; another that was in the previous list and is not in this one stops the run.
 *
 * What stands in a delta: every certificate that was held, revoked, released, or whose reason changed, in a transaction that
 * its base may not have seen; those that the base shows with another date (below); and as removeFromCRL those that are not in
 * a full list any more. Applied to its base, or to any full list since, it gives the full list of its own time.
 *
 * thisUpdate lies `backdate` before now, for relying parties whose clocks are slow (PKI 5.1.4); an entry's date is not after
 * it, and is told again once it is past.
 */
#ifndef PKI_AUTHORITY_CRL_H
#define PKI_AUTHORITY_CRL_H

#include "pki/authority/ca.h"
#include "pki/encode/crl.h"

extern const struct pg_stmts crl_stmts;

#define CRL_BACKDATE_MAX (5 * 60 * USEC_PER_SEC)

struct crl_order {
    int ca_id, shard;
    bool full, delta;              /* one or both; a delta's base is the newest full list before */
    utime now;
    int64_t backdate;              /* microseconds, at most CRL_BACKDATE_MAX */
    const char *base_url;          /* "http://crl.ville.example": what addresses of lists begin with */
    const struct profile_set *profiles;   /* whose entries show reasons */
    struct str published;          /* the full list that is out there, DER; n 0: none, or not known. After a restore it has
                                      more to say than the database. */
    struct str published_delta;    /* and the delta: numbers go on above both */
    const char *actor;             /* for the audit row */
};

struct crl_list {
    bool made;
    struct str der;                /* until crl_made_done() */
    size_t entries;
    struct crl crl;                /* owns der */
};

struct crl_made {
    int64_t number, base;          /* base: of the delta */
    utime this_update, next_update;
    struct crl_list full, delta;
};

/*
 * key: the authority's, of purpose KEY_CA_SIGN. *ret is the caller's, also on failure: crl_made_done().
 * ERR_NOT_FOUND, code ca.unknown. ERR_INPUT: shard, address, or what was published is not a list of this authority.
 * ERR_CONFLICT with a code, nothing is made:
 *   pki.crl.ca           a root (its lists are made in a ceremony), or an authority that signs no more
 *   pki.crl.clock        the newest list was made later than now
 *   pki.crl.base         there is no full list for a delta to begin at, its next update is past, or the database is another
 *                        cluster since: make a full one
 *   pki.crl.lost         an entry of the previous list would disappear without release or expiry; the reason says how many
 * ERR_DENIED: pki.crl.key, the key is not that of the authority; pki.lint.…; the signature does not verify.
 */
MUST_USE enum err crl_make(struct pg *pg, const struct crl_order *order, struct key *key, struct crl_made *ret, struct why *why);
void crl_made_done(struct crl_made *made);

/* The newest list of a shard, of that kind. */
struct crl_stored {
    int64_t number, base;          /* base: of a delta, else 0 */
    utime this_update, next_update, made_at;
    unsigned char sha256[SHA256_LEN];
};
/* Its octets are appended to out. Only if its number is above `above`: who looks each second fetches octets once.
 * ERR_NOT_FOUND: none. ERR_INTERNAL, code pki.crl.stored: its octets are away or not those that were signed, or out has no
 * room. */
MUST_USE enum err crl_newest(struct pg *pg, int ca_id, int shard, bool delta, int64_t above, struct buf *out,
                             struct crl_stored *ret, struct why *why);
/* Drops the octets, never the rows, of lists made before that time, but of the newest of each shard and kind: a list of a million
 * entries is 49 MB, and there may be one a second. For the role pki_worker. */
MUST_USE enum err crl_octets_drop(struct pg *pg, utime before, int *ret_n, struct why *why);

/* "/crl/cards-g1.crl", "/crl/cards-g1-delta.crl", and with several shards "/crl/cards-g1-3.crl", "/crl/cards-g1-3-delta.crl". */
#define CRL_PATH_SIZE (CA_LABEL_SIZE + 24)
void crl_path(const struct ca *ca, int shard, bool delta, char out[CRL_PATH_SIZE]);

#endif
