/*
 * issue: the judge. Given the id of a request it decides whether a certificate is signed, writes the text itself, and
 * signs it. Nobody hands it octets to be signed (docs/pki.md); it runs in the signer alone.
 *
 *   read      request, registration, what is known of the key and the holder
 *   check     in this order: profile, registration and station, approvals, the key's own signature and quality, that the key is
 *             new, renewal and identification, level and support, authority, life
 *   reserve   draw the serial number, write the text, lint it; first commit: certificate `reserved` with its text
 *   sign      with the key of the CA; read the result back and verify it
 *   issue     second commit: certificate `issued`, request `issued`, names of a person erased
 *
 * Several requests are judged together: one statement reads them, one reserves, one issues, and each is answered as if it had come
 * alone. Two that meet in request, registration, key or name are judged one after the other. What one of them cannot pass stops that
 * one; a statement that fails for the batch is tried again for each alone, unless the database is away.
 *
 * A kill between the two commits leaves a reservation, which certificate_void_lost() makes void: it is never signed later, its
 * serial number and its key stay used.
 *
 * The same request again gives the same certificate; two at once give one. A refusal is written to the request and is
 * answered again; these are not final, the request stays as it is: approval.few, approval.roles (more may come).
 *
 * Codes of refusals, beside those of csr_read(), key_quality_check(), profile_issue_check(), subject_check(), the lint:
 *   pki.profile.unknown        no such profile here
 *   pki.registration.state     draft or closed
 *   pki.registration.erased    names were erased and the request follows no certificate that has them
 *   pki.station                not the station of the registration, not active, or not for this profile or town
 *   pki.key.changed            the row's digest is not that of the request's key
 *   pki.key.ca, pki.key.used   the key is an authority's, or was certified before, for anybody
 *   pki.renew.unknown          the certificate that it follows is not one of this registration
 *   pki.renew.state            that certificate is not good any more: after a revocation the holder is identified anew
 *   pki.renew.early            that certificate ends later than RENEW_BEFORE from now
 *   pki.proof.date             a proof of identity without date, or of the future
 *   pki.proof.revoked          a certificate was revoked since the holder was identified (A2c III.3.2)
 *   pki.subject.taken          the name belongs to another holder (A2c III.1.5)
 *   pki.ca.none                no active authority of the profile's name
 *   pki.request.lost           a crash left a reservation: the key is spent, bring a new one
 * and when it can be tried again, ERR_UNAVAILABLE with
 *   signer.locked              the key of the CA is not open
 *   signer.token               it is in a token that does not answer. Nothing is reserved for it then; of those that were when it
 *                              went, each is tried again for TOKEN_PATIENCE before its reservation is lost
 *   signer.clock               the clock is behind what was signed already (L25)
 *   signer.busy                another thread or process is at this request
 */
#ifndef PKI_AUTHORITY_ISSUE_H
#define PKI_AUTHORITY_ISSUE_H

#include <stdatomic.h>

#include "pki/authority/ca.h"
#include "pki/authority/request.h"
#include "pki/request/key_quality.h"

extern const struct pg_stmts issue_stmts;

#define RENEW_BEFORE (60 * USEC_PER_DAY)         /* DOMAIN 2.3 */
#define TOKEN_PATIENCE (5 * USEC_PER_SEC)
#define CLOCK_SLACK USEC_PER_SEC                 /* L25: what clocks of one machine may differ by */

/* An authority and, while it is unlocked, its key. */
struct issue_ca {
    struct ca ca;
    struct key *key;               /* KEY_CA_SIGN; NULL: locked */
    struct key *public_key;
    atomic_bool *away;             /* set when its token does not answer, cleared by who finds that it does; NULL: in no token */
};

/* The newest time that something was signed for; several threads. */
struct clock_guard {
    _Atomic int64_t newest;
};
/* ERR_UNAVAILABLE, code signer.clock. */
MUST_USE enum err clock_guard_check(const struct clock_guard *g, utime now, struct why *why);
void clock_guard_note(struct clock_guard *g, utime signed_at);

/* What the judge knows beside the database; read-only but for the guard, owned by the caller. */
struct issue_context {
    const struct profile_set *profiles;
    const struct key_blocklist *weak_keys;       /* NULL: none known */
    const struct keyring *field;
    const char *base_url;                        /* of status */
    struct clock_guard *clock;
    const struct issue_ca *cas;
    size_t ncas;
    const char *actor;                           /* for the audit trail: "signer" */
};

struct issue_result {
    char certificate[37];          /* id */
    bool fresh;                    /* signed just now */
    int ca_id;                     /* by this authority; 0 unless fresh */
};

/* OK: there is a certificate. ERR_DENIED: refused, why->code says why, for good but for approval.*; ERR_NOT_FOUND, code
 * request.unknown; ERR_UNAVAILABLE: try again. */
MUST_USE enum err issue_request(const struct issue_context *x, struct pg *pg, const char *request_id, utime now,
                                struct issue_result *ret, struct why *why);

#define ISSUE_BATCH_MAX 64
/* Who hears of a batch. */
struct issue_hooks {
    /* ids[i] has its answer, as of issue_request(); ret is empty unless e is OK. Once for each, as soon as it is known; that id is not
     * looked at any more. */
    void (*answer)(void *arg, size_t i, enum err e, const struct issue_result *ret, const struct why *why);
    /* Before something is signed by a token, or waited for: it takes time and little of this machine. NULL: nobody. */
    void (*waits)(void *arg);
    void *arg;
};
/* Judges n requests at once, ISSUE_BATCH_MAX at most. */
void issue_requests(const struct issue_context *x, struct pg *pg, const char *const *ids, size_t n, utime now,
                    const struct issue_hooks *hooks);

#endif
