/*
 * audit: who did what to whom, when, from where, allowed by which rule, with which result.
 *
 * Rows are written in the act's transaction (in the act's own statement where it is one: the SQL function
 * audit_add(...) of the program's schema is there for that). Each row carries its own digest. One sealer per
 * database chains the rows older than the oldest running transaction and signs checkpoints (Ed25519 or the key
 * given); audit_verify() names a row that was edited, is missing or is unsealed. No name, no address, no IP in it:
 * actors and objects are handles or ids.
 */
#ifndef BASE_PG_AUDIT_H
#define BASE_PG_AUDIT_H

#include "base/pg/pg.h"

struct key;

extern const struct pg_stmts audit_stmts;

struct audit_entry {
    utime at;
    const char *actor;       /* "town:rivemont", "citizen", "clerk:<uuid>", "system", "operator:<login>" */
    const char *role;        /* role that allowed it, or "" */
    const char *verb;        /* closed list of the program: "account.create", … */
    const char *object;      /* "account:<uuid>", … */
    const char *result;      /* "ok" or the stable code of the refusal */
    const char *detail;      /* JSON object without personal data, or "{}" */
};

/* For acts that are not a single statement. */
MUST_USE enum err audit_add(struct pg *pg, const struct audit_entry *entry, struct why *why);

/* Seals what can be sealed now; signs a checkpoint when rows were sealed. Returns rows sealed in *ret_sealed. */
MUST_USE enum err audit_seal(struct pg *pg, const struct key *signer, utime now, int *ret_sealed, struct why *why);

struct audit_report {
    int64_t rows, checkpoints, unsealed;
    int64_t bad_seq;             /* first row found wrong, 0 when none */
    char bad_reason[64];         /* "edited", "missing", "unsealed", "checkpoint" */
};
MUST_USE enum err audit_verify(struct pg *pg, const struct key *verifier, utime now, struct audit_report *ret,
                               struct why *why);

#endif
