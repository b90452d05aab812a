/*
 * certificate: the certificates that the authority knows (tables certificate, certificate_der; DOMAIN 2.3).
 *
 *     reserved -> issued -> active -> expired -> archived
 *         \          \---- held, revoked: revocation.h
 *          \-> void                       a crash left it: never signed, its number and its key stay used
 *
 * A row is there, reserved with the text to be signed, before a key is touched (issue.h). Keeping the house is here: what
 * a crash left, what its time has passed.
 */
#ifndef PKI_AUTHORITY_CERTIFICATE_H
#define PKI_AUTHORITY_CERTIFICATE_H

#include "base/core/arena.h"
#include "base/crypto/digest.h"
#include "base/pg/pg.h"
#include "pki/authority/ca.h"
#include "pki/profile/profile.h"

extern const struct pg_stmts certificate_stmts;
/* Those of pki_worker: the timers. */
extern const struct pg_stmts certificate_timer_stmts;

struct certificate_row {
    char id[37];
    int ca_id;
    const char *ca_label;          /* "cards-g1" */
    struct str serial;             /* octets */
    const char *state;             /* as in the column */
    utime state_since;
    int reason;                    /* RFC 5280 §5.3.1; -1: none */
    char request[37], registration[37];
    const char *profile, *holder, *town;
    unsigned char profile_sha256[SHA256_LEN];      /* of the profile's file when it was signed */
    int shard;
    utime not_before, not_after, accepted_at;
    struct str der;                /* p is NULL: not signed, or not asked for */
};

/* A row of a statement of one's own: the columns of certificate (c), authority (a), registration (r) in the order in which
 * certificate_store.c has them, the octets or NULL last. What *ret points to lives in a. */
void certificate_row_read(const struct pg_result *r, int row, struct arena *a, struct certificate_row *ret);

/* name: an id, or LABEL:SERIAL with the serial number in hexadecimal. With der. ERR_INPUT, ERR_NOT_FOUND. */
MUST_USE enum err certificate_find(struct pg *pg, struct str name, struct arena *a, struct certificate_row *ret,
                                   struct why *why);
/* The certificate of a request, with der. ERR_NOT_FOUND: none. */
MUST_USE enum err certificate_of_request(struct pg *pg, const char *request_id, struct arena *a,
                                         struct certificate_row *ret, struct why *why);
/* The certificate with this key, with der. ERR_NOT_FOUND: none. */
MUST_USE enum err certificate_of_key(struct pg *pg, const unsigned char spki_sha256[SHA256_LEN], struct arena *a,
                                     struct certificate_row *ret, struct why *why);
/* Which ones; NULL and UTIME_NULL: all. */
struct certificate_filter {
    const char *holder, *town, *state, *profile;
    const char *ca;                /* label */
    utime ends_before;             /* notAfter */
    bool live;                     /* issued, active or held */
};
#define CERTIFICATE_FILTER_ALL { .ends_before = UTIME_NULL }
/* Newest first, at most max, without der. */
MUST_USE enum err certificate_list(struct pg *pg, const struct certificate_filter *filter, int max, struct arena *a,
                                   struct certificate_row **ret, size_t *ret_n, struct why *why);

/* The holder accepted it (P-121): issued -> active, with its audit row. proof_ref: number of the record, or "". *ret_new (may
 * be NULL): false: it was accepted before, and stays as it is. ERR_NOT_FOUND, code "certificate.unknown"; ERR_CONFLICT, code
 * "certificate.state": not issued, or held, revoked, ended. */
MUST_USE enum err certificate_accept(struct pg *pg, const char *id, const char *proof_ref, const char *actor, utime now,
                                     bool *ret_new, struct why *why);

/* --- addresses ------------------------------------------------------------------------------------------------------ */

/* Where status offers what belongs to one CA; base without '/' at its end. A CA in one part has no number in its names. */
struct ca_urls {
    char crl[256], delta_crl[256], ocsp[256], ca_issuers[256];
};
void ca_urls(const char *base, const struct ca *ca, int shard, struct ca_urls *ret);

/* --- keeping the house (certificate_timer_store.c) --------------------------------------------------------------------- */

/* Reservations from before `before` become void, their requests refused with "pki.request.lost", and an alarm says so.
 * *ret_n (may be NULL): how many. */
MUST_USE enum err certificate_void_lost(struct pg *pg, utime before, utime now, int *ret_n, struct why *why);
/* Ends the alarms of reservations whose holder has a certificate since, or is not to have one. */
MUST_USE enum err certificate_lost_end(struct pg *pg, utime now, struct why *why);
/* issued and active ones whose end has passed become expired, at most max in one call. */
MUST_USE enum err certificate_expire_due(struct pg *pg, utime now, int max, int *ret_n, struct why *why);
/* Certificates of that profile that nobody has accepted since `before`: an alarm for each that has none (P-121). */
MUST_USE enum err certificate_unaccepted_alarm(struct pg *pg, const char *profile, utime before, utime now,
                                               struct why *why);
#define CERTIFICATE_CHANGES_KEPT (90 * USEC_PER_DAY)     /* changes of state can be read for so long */
/* Changes of state that nobody reads any more: from before `before`, and older than the newest full list that each CA has. */
MUST_USE enum err certificate_changes_purge(struct pg *pg, utime before, struct why *why);
/* The newest time that was written for something signed: what the clock must not be behind (L25). 0: nothing yet. */
MUST_USE enum err certificate_newest(struct pg *pg, utime *ret, struct why *why);
/* One signer at a time: takes the lock of the database's signer on this connection. ERR_CONFLICT: another has it. */
MUST_USE enum err certificate_signer_lock(struct pg *pg, struct why *why);

#endif
