/*
 * audit: who did what to whom, when, allowed by which rule, with which result (tables audit_event and audit_seal of
 * the program's schema, migrations/common/audit.sql).
 *
 * Rows are written in the act's transaction; if the row cannot be written the act does not happen. An act that is one
 * statement writes it there: INSERT INTO audit_event (at, actor, role, verb, object, result, detail) in a WITH, or
 * SELECT audit_add(...) FROM what changed. A trigger gives each row its digest and its transaction, and refuses every
 * change. One sealer per schema binds the rows of ended transactions to the chain within a second and signs each link,
 * a checkpoint; audit_verify() names a row that was edited, is missing or is unsealed. No name, no address, no IP in a
 * row: actors and objects are handles or ids.
 *
 * What it cannot see: rows written and removed by the database's own superuser before they were sealed (a second), and
 * the newest checkpoints removed together with their rows. Against the latter the head of the chain goes to the log
 * once an hour; compare it with what audit_verify() finds (docs/database.md).
 */
#ifndef BASE_PG_AUDIT_H
#define BASE_PG_AUDIT_H

#include "base/pg/pg.h"

struct key;

extern const struct pg_stmts audit_stmts;         /* audit_add: every program */
extern const struct pg_stmts audit_seal_stmts;    /* audit_seal, audit_verify: the role that may read and seal */

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

/*
 * Seals what can be sealed now, AUDIT_SEAL_ROWS at most, and signs a checkpoint when there was something; signer has
 * purpose KEY_AUDIT_SIGN. *ret_sealed: rows sealed; 0 also when another sealer is at it.
 */
#define AUDIT_SEAL_ROWS 5000
MUST_USE enum err audit_seal(struct pg *pg, struct key *signer, utime now, int *ret_sealed, struct why *why);

/* A thread that seals twice a second on a connection of its own; conf (with audit_seal_stmts) and signer outlive it. */
struct audit_sealer;
MUST_USE enum err audit_sealer_start(const struct pg_config *conf, struct key *signer, struct audit_sealer **ret,
                                     struct why *why);
void audit_sealer_stop(struct audit_sealer *s);    /* seals once more, joins, frees; NULL is allowed */

/* A row older than this, or that much in the future, must be sealed. */
#define AUDIT_SEAL_LATEST (60 * USEC_PER_SEC)

struct audit_report {
    int64_t rows;                /* sealed rows looked at */
    int64_t checkpoints;
    int64_t unsealed;            /* rows in no checkpoint; a few young ones are normal */
    int64_t bad;                 /* rows and checkpoints found wrong */
    int64_t bad_seq;             /* the first row found wrong, 0 when none; of a wrong checkpoint, its first row */
    int64_t bad_checkpoint;      /* the checkpoint concerned, 0 for a row in none */
    char bad_reason[64];         /* "edited", "missing", "unsealed", "checkpoint"; "" when all is well */
    char head[2 * 32 + 1];       /* chain of the last checkpoint, hexadecimal; "" when there is none */
};
/*
 * Looks at everything, on one connection, without locks. OK: it could look, and *ret says what it found, with each
 * finding in the log. verifier: the public half of the key that signed.
 */
MUST_USE enum err audit_verify(struct pg *pg, const struct key *verifier, utime now, struct audit_report *ret,
                               struct why *why);

#endif
