/*
 * audit_proof: rows of the trail together with what proves them, to be carried out of the database and checked elsewhere: each
 * row's columns, and the signed checkpoint that binds its digest, whole, with the chain before it.
 *
 * What it proves: the row was sealed under that key, and is as it was then. What it does not: that no other row is away;
 * audit_verify() does, at the database.
 */
#ifndef BASE_PG_AUDIT_PROOF_H
#define BASE_PG_AUDIT_PROOF_H

#include "base/core/arena.h"
#include "base/crypto/digest.h"
#include "base/pg/audit.h"

extern const struct pg_stmts audit_proof_stmts;

enum { AUDIT_ACTOR, AUDIT_ROLE, AUDIT_VERB, AUDIT_OBJECT, AUDIT_RESULT, AUDIT_DETAIL, AUDIT_TEXTS };
struct audit_proof_row {
    int64_t seq, checkpoint;             /* checkpoint 0: not sealed yet */
    utime at;
    struct str text[AUDIT_TEXTS];        /* detail: JSON as PostgreSQL prints it, octet for octet */
};
struct audit_proof_checkpoint {
    int64_t number;
    utime at;
    int64_t cluster, horizon;
    int64_t *seqs;
    size_t n;
    struct str digests;                  /* n * SHA256_LEN octets, in the order of seqs */
    struct str before, chain;            /* SHA256_LEN octets */
    const char *key;                     /* RFC 7638 thumbprint of the key that signed */
    struct str signature;
};
struct audit_proof {
    struct audit_proof_row *rows;
    size_t nrows;
    struct audit_proof_checkpoint *checkpoints;
    size_t ncheckpoints;
};

/* All rows about these objects, by seq, and their checkpoints. What *ret points to lives in a. */
MUST_USE enum err audit_proof_load(struct pg *pg, const char *const *objects, size_t n, struct arena *a, struct audit_proof *ret,
                                   struct why *why);
/* Pure. ERR_DENIED: why names the row or checkpoint that is not as it was sealed, or is of another key; ERR_INPUT: the proof
 * is malformed. *ret_unsealed (may be NULL): rows that no checkpoint binds. */
MUST_USE enum err audit_proof_verify(const struct audit_proof *proof, const struct key *verifier, size_t *ret_unsealed,
                                     struct why *why);

#endif
