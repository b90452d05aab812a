/*
 * authority: the identity provider as a station of the certification authority (docs/pki-api.yaml): registrations, certificates
 * over EST (RFC 7030, RFC 8951), acceptance, revocations, changes. One call each, over mutual TLS, to the operator's own address
 * (pki.url); nothing here decides, and nothing is kept.
 *
 * Results of all calls: ERR_UNAVAILABLE: no answer, 5xx, 429, or 202 (code "authority.later": it keeps the request; say the same
 * again); ERR_INPUT: it does not take what was sent; ERR_DENIED: we may not; ERR_NOT_FOUND; ERR_CONFLICT: something has to be done
 * first. why->code is then the authority's own code ("pki.key.used"); why->text its words, which hold no name.
 */
#ifndef IDP_CREDENTIAL_AUTHORITY_H
#define IDP_CREDENTIAL_AUTHORITY_H

#include "base/core/arena.h"
#include "base/core/clock.h"

struct authority;                  /* several threads */

struct authority_config {
    const char *url;               /* "https://pki.example" */
    const char *ca_file;           /* PEM that its TLS certificate must chain to */
    const char *cert_file, *key_file;
    int64_t timeout;               /* microseconds of one call; connecting takes a quarter of it at most */
    int most;                      /* who calls at once, by authority_enter(); 0: any number */
};
MUST_USE enum err authority_open(const struct authority_config *conf, struct authority **ret, struct why *why);
void authority_close(struct authority *a);      /* NULL is allowed */
DEFINE_FREEP(struct authority, authority_close)

/* A request takes a place before its first call, so that an authority that is slow holds only so many threads; false: all are
 * taken. */
bool authority_enter(struct authority *a);
void authority_leave(struct authority *a);

/* --- one holder ---------------------------------------------------------------------------------------------------- */

struct authority_holder {
    const char *registration;      /* UUID that we give it; stays for the account's life */
    const char *profile;
    const char *holder;            /* unique number of the account */
    const char *town;              /* short name */
    const char *proof_ref;         /* record of the identification: no name */
    utime proof_at;                /* when the town identified the person */
    const char *number;            /* the names of the certificate: this of a pseudonym … */
    const char *given_name, *surname, *serial_number;      /* … or these; NULL */
};
/* PUT /registrations/{id}; a holder who was identified anew since, or whose names a certificate has already, is told as such
 * (PUT …/identification): after it the authority has the names. */
MUST_USE enum err authority_register(struct authority *a, const struct authority_holder *h, struct why *why);

/* simpleenroll, or simplereenroll: a certificate of that request (PKCS#10, DER) as DER in the arena. The same request again gives
 * the same certificate. */
enum authority_enrolment { AUTHORITY_ENROL, AUTHORITY_REENROL };
MUST_USE enum err authority_enrol(struct authority *a, const char *registration, enum authority_enrolment how, struct str csr,
                                  struct arena *arena, struct str *ret_der, struct why *why);
/* The certificates above one that it issued, the issuer's first, root last: from EST /cacerts, in the arena. */
MUST_USE enum err authority_chain(struct authority *a, struct str certificate, struct arena *arena, struct str **ret,
                                  size_t *ret_n, struct why *why);

struct authority_certificate {
    const char *ca, *serial;       /* "soft-g1"; hexadecimal */
    const char *state;             /* issued, active, held, revoked, expired, archived */
    const char *registration;
    struct str der;                /* p NULL in lists */
    utime not_before, not_after;
};
/* Those of a registration, newest first. */
MUST_USE enum err authority_registration(struct authority *a, const char *registration, struct arena *arena,
                                         struct authority_certificate **ret, size_t *ret_n, struct why *why);
/* ca NULL: of whichever authority. */
MUST_USE enum err authority_certificate(struct authority *a, const char *ca, const char *serial, struct arena *arena,
                                        struct authority_certificate *ret, struct why *why);
/* Good ones that end until then and have no successor. cursor: "" or *ret_next of the call before; *ret_more: ask again. */
MUST_USE enum err authority_ending(struct authority *a, utime before, const char *cursor, struct arena *arena,
                                   struct authority_certificate **ret, size_t *ret_n, const char **ret_next, bool *ret_more,
                                   struct why *why);
/* The holder has it (P-121). Twice is once. */
MUST_USE enum err authority_accept(struct authority *a, const char *ca, const char *serial, const char *proof_ref,
                                   struct why *why);

/* --- blocking (K2) --------------------------------------------------------------------------------------------------- */

struct authority_act {
    const char *act;               /* suspend, revoke, resume */
    const char *reason;            /* NULL, or as the API names it */
    const char *ca, *serial;
    const char *requester;         /* holder, station, town */
    const char *requester_ref;     /* handle; no name */
    const char *key;               /* Idempotency-Key: the same act has the same */
};
/* POST /revocations. *ret_outcome: "deferred", "held", "revoked", "withdrawn", "released", or the code of a refusal
 * (*ret_refused), in the arena. */
MUST_USE enum err authority_act(struct authority *a, const struct authority_act *act, struct arena *arena,
                                const char **ret_outcome, bool *ret_refused, struct why *why);

struct authority_change {
    const char *ca, *serial, *state, *registration;
    utime at;
};
/* Changes after the cursor ("": all that is kept), oldest first. ERR_NOT_FOUND, code "changes.gone": the cursor is too old. */
MUST_USE enum err authority_changes(struct authority *a, const char *cursor, struct arena *arena, struct authority_change **ret,
                                    size_t *ret_n, const char **ret_next, bool *ret_more, struct why *why);
/* Does it answer? */
MUST_USE enum err authority_ping(struct authority *a, struct why *why);

#endif
