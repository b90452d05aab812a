/*
 * revocation: suspend, revoke, resume (DOMAIN K2, 2.3, 2.6, P-196 … P-202; RFC 5280 §5.3.1).
 *
 * An act names one certificate, or all live ones of a holder in a town. It is one transaction: the certificates' states, one
 * row of revocation_request and one audit row for each of them. It is known by its station and key: said again, it changes
 * nothing and is answered alike; another body under the same key is refused.
 *
 *     policy      suspend                           resume in time                        resume later
 *     defer       nothing; revoked after defer_max  withdrawn: the same key lives on      refused
 *     hold        held (certificateHold)            released, if two persons approved it  refused; revoked after hold_max
 *     immediate   revoked                           refused                               refused
 *
 * Whoever says "compromised" has it revoked at once, under every policy; so has who suspends once more than the profile
 * lets it be held. A hold that becomes a revocation keeps its date and changes its reason. Revoked stays revoked.
 */
#ifndef PKI_AUTHORITY_REVOCATION_H
#define PKI_AUTHORITY_REVOCATION_H

#include "base/core/arena.h"
#include "base/pg/pg.h"
#include "pki/profile/profile.h"

extern const struct pg_stmts revocation_stmts;
extern const struct pg_stmts revocation_timer_stmts;

enum revocation_act { REVOCATION_SUSPEND, REVOCATION_REVOKE, REVOCATION_RESUME };
/* Who asks, as in the column (P-202). */
enum revocation_requester { BY_HOLDER, BY_STATION, BY_TOWN, BY_OPERATOR, BY_AUTHORITY, BY_TIMER };
/* RFC 5280 §5.3.1: those that may be said. */
enum revocation_reason {
    REASON_NONE = -1,                /* suspend: lost; resume */
    REASON_KEY_COMPROMISE = 1, REASON_AFFILIATION_CHANGED = 3, REASON_SUPERSEDED = 4, REASON_CESSATION = 5,
    REASON_HOLD = 6,                 /* of held ones; nobody says it */
    REASON_PRIVILEGE_WITHDRAWN = 9
};
#define REVOCATION_KEY_MAX 128
#define REVOCATION_TEXT_MAX 200

const char *revocation_act_name(enum revocation_act act);
MUST_USE enum err revocation_act_parse(struct str name, enum revocation_act *ret);
const char *revocation_requester_name(enum revocation_requester who);
/* "key_compromise", "affiliation_changed", "superseded", "cessation_of_operation", "privilege_withdrawn"; "lost": none. */
MUST_USE enum err revocation_reason_parse(struct str name, int *ret);

struct revocation {
    enum revocation_act act;
    const char *ca;                  /* "cards-g1", with serial; NULL: all live ones of holder */
    struct str serial;               /* octets */
    const char *holder, *town;
    int reason;                      /* enum revocation_reason */
    utime invalid_at;                /* since when the key must be thought bad; UTIME_NULL: not known */
    enum revocation_requester requester;
    const char *requester_ref;       /* handle or id of who asks, or ""; no name */
    const char *proof;               /* how they were known: number of a record, or "" */
    const char *station;             /* id of the station that says so; NULL: an operator */
    const char *key;                 /* Idempotency-Key, 1 to 128 octets, unique for the station */
};

/* What became of one certificate. */
struct revocation_result {
    char request[37], certificate[37];
    const char *ca_label;
    struct str serial;
    const char *outcome;             /* "deferred", "held", "revoked", "withdrawn", "released", or the code of a refusal below */
    const char *state;               /* of the request, now: as in the column */
    utime due_at;                    /* of "deferred" */
};
#define REVOCATION_FINAL "revocation.final"              /* it is revoked for good */
#define REVOCATION_STATE "revocation.state"              /* it has ended */
#define REVOCATION_ALREADY "revocation.already"          /* it is suspended */
#define REVOCATION_NOTHING "revocation.nothing"          /* there is nothing to resume */
#define REVOCATION_LATE "revocation.late"                /* too late: re-key */
#define REVOCATION_COMPROMISED "revocation.compromised"  /* somebody said so: never released */
bool revocation_is_refusal(const char *outcome);

/*
 * Does it. OK: *ret has one result for each certificate, a refusal among them too (stored, audited); it lives in a.
 * ERR_INPUT: a reason that the act does not take, texts too long. ERR_NOT_FOUND, code "certificate.unknown" or
 * "revocation.none" (no live one). ERR_CONFLICT, code "revocation.key": the key was used for something else.
 * ERR_DENIED: code "revocation.station" (the station is suspended, may not revoke, or not in that town or profile);
 * "approval.few", "approval.roles": a hold is released when two persons approved that (revocation_resume_subject()), and
 * many are revoked when two did (revocation_many_text()); the same call may be made again. Nothing is stored of what has an error.
 */
MUST_USE enum err revocation_do(struct pg *pg, const struct profile_set *profiles, const struct revocation *act,
                                const char *actor, utime now, struct arena *a, struct revocation_result **ret, size_t *ret_n,
                                struct why *why);

/* What two approve with APPROVE_RESUME: the certificate and the moment at which it was held, so that a yes is for this hold
 * alone. */
void revocation_resume_text(const char *certificate_id, const char *ca_label, struct str serial, utime held_at, struct buf *out);
void revocation_resume_subject(const char *certificate_id, const char *ca_label, struct str serial, utime held_at,
                               unsigned char ret[SHA256_LEN]);
/* The same for one that is held now; ERR_NOT_FOUND, code "revocation.nothing": it is not. */
MUST_USE enum err revocation_held_text(struct pg *pg, const char *certificate_id, struct buf *out, struct why *why);

/*
 * Two persons for many (APPROVE_REVOKE_MANY): an operator who suspends or revokes more than REVOCATION_ALONE certificates of a
 * holder at once. revocation_do() asks it itself and answers "approval.few" or "approval.roles" until two have said so.
 * The text they sign: act, reason, holder, and each certificate that is meant now. *ret_n: how many these are; no text is
 * written when one person is enough. ERR_INPUT: too many for one text.
 */
#define REVOCATION_ALONE 10
MUST_USE enum err revocation_many_text(struct pg *pg, const struct revocation *act, struct buf *out, size_t *ret_n,
                                       struct why *why);

/* --- the decision (pure) ----------------------------------------------------------------------------------------------- */

struct revocation_facts {
    const char *state;               /* of the certificate, as in the column */
    bool compromised;
    int holds;                       /* times it was held */
    int reason;
    utime revoked_at, invalid_at, not_after;
    utime due_at;                    /* of a deferred revocation that waits; UTIME_NULL: none */
};
struct revocation_decision {
    const char *outcome;             /* as above; the rest is what the certificate then has */
    const char *state;
    bool compromised;
    int holds, reason;
    utime revoked_at, invalid_at;
    const char *waiting;             /* state that the deferred request gets, or NULL */
    utime due_at;
};
/* p NULL: a profile that is no longer there; then as K2's default, defer for 24 hours, and nothing is released. */
void revocation_decide(const struct profile *p, const struct revocation_facts *facts, enum revocation_act act, int reason,
                       utime invalid_at, utime now, struct revocation_decision *ret);

/* --- by the clock, under the role pki_worker ---------------------------------------------------------------------------- */

/* Revokes what is due: deferred ones, holds past hold_max, certificates that nobody accepted (P-121); at most max of each
 * and profile. *ret_n (may be NULL): how many. Each is one statement with its audit rows. */
MUST_USE enum err revocation_run_due(struct pg *pg, const struct profile_set *profiles, utime now, int max, int *ret_n,
                                     struct why *why);

#endif
