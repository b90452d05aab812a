/*
 * approval: one person's signed yes to one act, and what two of them must be to count (P-110, PKI §1.3).
 *
 * What is approved has a canonical text: lines "name value" in an order that the act fixes; any edit makes another text.
 * A person signs the octets
 *
 *     "beffroi-pki approval" 0x00 act 0x00 time (RFC 3339, seconds) 0x00 SHA-256 of the canonical text
 *
 * with Ed25519. Whoever acts on approvals verifies them again: signatures, two different persons, the roles that the act
 * asks, held both when they signed and now, and no forbidden pair in one hand. Pure functions; the rows are in
 * pki/authority/approval_store.c.
 */
#ifndef PKI_CUSTODY_APPROVAL_H
#define PKI_CUSTODY_APPROVAL_H

#include "base/core/clock.h"
#include "base/crypto/digest.h"
#include "base/crypto/key.h"
#include "pki/custody/role.h"

#define APPROVAL_SIGNATURE_MAX 64
#define APPROVAL_LIFE (7 * USEC_PER_DAY)      /* an approval that nobody acted on is worth nothing after this */
#define APPROVAL_TEXT_MAX 65536

/* Acts that two approve. */
enum approval_act {
    APPROVE_ROLE_GRANT,          /* role.grant */
    APPROVE_REQUEST,             /* request.approve: a certificate asked for by an operator */
    APPROVE_STATION,             /* station.change */
    APPROVE_PROFILE,             /* profile.change */
    APPROVE_RESUME,              /* certificate.resume: released from hold */
    APPROVE_REVOKE_MANY,         /* certificate.revoke_many */
    APPROVE_CEREMONY,            /* ca.ceremony */
    APPROVE_ARCHIVE_EXPORT,      /* archive.export */
    APPROVE_ARCHIVE_PURGE,       /* archive.purge */
    APPROVE_COUNT
};
const char *approval_act_name(enum approval_act act);      /* as in the column approval.act */
MUST_USE enum err approval_act_parse(struct str name, enum approval_act *ret);

/* A row, as the store loads it. */
struct approval {
    char person[37];             /* id */
    struct str public_key;       /* SubjectPublicKeyInfo of that person, from the table person */
    bool active;                 /* the person has not ended */
    role_set roles;              /* held, by a grant that two approved, both when they signed and now */
    struct str signature;
    utime at;                    /* signed; whole seconds count */
};

/* Appends "name value\n". A control character is written \xNN, and a backslash twice: no value looks like another line. */
void approval_line(struct buf *text, const char *name, const char *value);

MUST_USE enum err approval_sign(struct key *person_key, enum approval_act act, utime at,
                                const unsigned char subject[SHA256_LEN], struct buf *ret_signature, struct why *why);
/* One signature alone. ERR_DENIED: wrong. */
MUST_USE enum err approval_verify(const struct approval *a, enum approval_act act, const unsigned char subject[SHA256_LEN],
                                  struct why *why);
/* Does this one count by itself? ERR_DENIED: why says what is wrong with it, with code "approval.roles" when it is that the
 * person has no role for the act. beneficiary as below. */
MUST_USE enum err approval_verify_one(const struct approval *a, enum approval_act act, const unsigned char subject[SHA256_LEN],
                                      const char *beneficiary, utime now, struct why *why);
/*
 * Two of them make it. beneficiary: the id of the person whom the act serves, who never counts, or NULL.
 * ERR_DENIED with why->code: "approval.few" (fewer than two persons count: why says what is wrong with the others),
 * "approval.roles" (two persons, but not the two roles that the act asks).
 */
MUST_USE enum err approval_verify_two(const struct approval *list, size_t n, enum approval_act act,
                                      const unsigned char subject[SHA256_LEN], const char *beneficiary, utime now,
                                      struct why *why);

#endif
