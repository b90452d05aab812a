/*
 * person: who acts in the authority, their keys and their roles (tables person, role_grant).
 *
 * One human, one row. A role is granted by two who are not its holder: the proposer signs, an approver signs, and the grant
 * counts when both signatures and both persons' roles are found good again (P-110, approval.h). The first persons' roles
 * are declared in a ceremony and stand in its record. What one person never holds together is refused here and by the
 * schema (DOMAIN 3.3, P-124).
 */
#ifndef PKI_AUTHORITY_PERSON_H
#define PKI_AUTHORITY_PERSON_H

#include "base/core/arena.h"
#include "base/pg/pg.h"
#include "pki/custody/approval.h"
#include "pki/custody/share.h"

extern const struct pg_stmts pki_person_stmts;

struct pki_person {
    char id[37];
    const char *name, *label;
    struct str public_key;         /* SubjectPublicKeyInfo */
    bool active;
    role_set roles;                /* held at the time that was asked for */
};

/* ERR_CONFLICT (code "person.exists"): the name or the key is taken. label: full name, for records. */
MUST_USE enum err pki_person_add(struct pg *pg, const char *id, const char *name, const char *label, struct str public_key,
                             const char *actor, utime now, struct why *why);
/* With the roles held at `at`. ERR_NOT_FOUND. What *ret points to lives in a. */
MUST_USE enum err pki_person_find(struct pg *pg, const char *name, utime at, struct arena *a, struct pki_person *ret,
                              struct why *why);
/* All, in the order of their names. */
MUST_USE enum err pki_person_list(struct pg *pg, utime at, struct arena *a, struct pki_person **ret, size_t *ret_n,
                              struct why *why);
/* The person acts no more: roles end with them. ERR_NOT_FOUND; ERR_CONFLICT: has ended already. */
MUST_USE enum err pki_person_end(struct pg *pg, const char *name, const char *actor, utime now, struct why *why);

/* --- grants (grant.c, grant_store.c) ---------------------------------------------------------------------------- */
extern const struct pg_stmts grant_stmts;
#define GRANT_LIFE_MAX (731 * USEC_PER_DAY)      /* the schema says two years */

struct grant {
    char id[37];
    char person[37];               /* id of the holder to be */
    const char *name;              /* their name */
    struct str public_key;         /* and key: a grant is for this key */
    enum role role;
    utime from, until;             /* until excluded; whole seconds */
    bool approved, withdrawn;
    char proposer[37];             /* id; "" for one of a ceremony */
};

/* SHA-256 of the canonical text that proposer and approver sign with APPROVE_ROLE_GRANT. */
void grant_subject(const struct grant *g, unsigned char ret[SHA256_LEN]);

/* The signature of one who is here: what approval_sign() made at that time. */
struct signed_yes {
    const char *person;            /* id */
    struct str signature;
    utime at;
};

/* g->id is drawn by the caller; name and public_key are those of the person. ERR_CONFLICT with code "role.incompatible"
 * (says which role) or "role.person" (has ended); ERR_DENIED: the proposer is the holder, has no role for it, or the
 * signature is wrong; ERR_INPUT: period. */
MUST_USE enum err grant_propose(struct pg *pg, const struct grant *g, const struct signed_yes *yes, const char *actor,
                                utime now, struct why *why);
MUST_USE enum err grant_find(struct pg *pg, const char *id, struct arena *a, struct grant *ret, struct why *why);
/* ERR_DENIED as approval_verify_two(); ERR_CONFLICT: approved or withdrawn already, or the proposer again. */
MUST_USE enum err grant_approve(struct pg *pg, const char *id, const struct signed_yes *yes, const char *actor, utime now,
                                struct why *why);
/* One is enough to take a role away. ERR_CONFLICT: withdrawn already. */
MUST_USE enum err grant_withdraw(struct pg *pg, const char *id, const char *actor, utime now, struct why *why);
/* A role declared in a ceremony whose record is stored. ERR_CONFLICT as grant_propose(). Inside a transaction or not. */
MUST_USE enum err grant_by_ceremony(struct pg *pg, const struct grant *g, const char *ceremony_id, const char *actor,
                                    utime now, struct why *why);
/* Grants of one person, or of all (NULL), newest first. */
MUST_USE enum err grant_list(struct pg *pg, const char *person_id, struct arena *a, struct grant **ret, size_t *ret_n,
                             struct why *why);

/* --- approvals (approval_store.c) -------------------------------------------------------------------------------- */
extern const struct pg_stmts approval_stmts;
/* Stores one yes; the same person again for the same subject is ERR_CONFLICT. The signature is not judged here. */
MUST_USE enum err approval_add(struct pg *pg, enum approval_act act, const unsigned char subject[SHA256_LEN],
                               const struct signed_yes *yes, struct why *why);
/* What was said to that subject, with the roles each held both then and now: for approval_verify_two(). */
MUST_USE enum err approval_load(struct pg *pg, enum approval_act act, const unsigned char subject[SHA256_LEN], utime now,
                                struct arena *a, struct approval **ret, size_t *ret_n, struct why *why);
/* Both in one: may it be done now? As approval_verify_two(). */
MUST_USE enum err approval_check(struct pg *pg, enum approval_act act, const unsigned char subject[SHA256_LEN],
                                 const char *beneficiary, utime now, struct why *why);
/* One person's yes, stored if it counts by itself; *ret_enough: with what was said before, two make it now. Inside a
 * transaction that an error ends. ERR_DENIED as approval_verify_one(), ERR_CONFLICT as approval_add(). */
MUST_USE enum err approval_say(struct pg *pg, enum approval_act act, const unsigned char subject[SHA256_LEN],
                               const char *beneficiary, const struct signed_yes *yes, utime now, bool *ret_enough,
                               struct why *why);

/* The bits of a text[] of role names; a name that this program does not know is ERR_INTERNAL. */
MUST_USE enum err roles_of_column(const struct pg_result *r, int row, int col, role_set *ret, struct why *why);

#endif
