/* audit-internal: the two canonical forms and the SQL of the trail, shared by writer, sealer and verifier. */
#ifndef BASE_PG_AUDIT_INTERNAL_H
#define BASE_PG_AUDIT_INTERNAL_H

#include "base/crypto/digest.h"
#include "base/crypto/key.h"
#include "base/pg/audit.h"

/* A row as it is digested; views into a result. */
struct audit_row {
    int64_t seq;
    bool present;              /* false: a checkpoint names it and it is not there */
    utime at;
    struct str text[6];        /* actor, role, verb, object, result, detail */
    struct str digest;         /* as stored */
};

/* A checkpoint; seqs and digests are in the order in which they were sealed. */
struct audit_checkpoint {
    int64_t number;
    utime at;
    int64_t cluster, horizon;
    int64_t *seqs;
    size_t n;
    struct buf digests;        /* n * SHA256_LEN bytes */
    unsigned char chain[SHA256_LEN];
};
#define AUDIT_CHECKPOINT_INIT { .seqs = NULL, .digests = BUF_BOUNDED(AUDIT_SEAL_ROWS * SHA256_LEN) }
void audit_checkpoint_done(struct audit_checkpoint *c);

void audit_row_digest(const struct audit_row *row, unsigned char out[SHA256_LEN]);
/* The chain that follows from the one before (all zero before the first) and the members above it. */
void audit_checkpoint_chain(const struct audit_checkpoint *c, const unsigned char before[SHA256_LEN],
                            unsigned char out[SHA256_LEN]);
/* What is signed. out holds AUDIT_SIGNED_LEN bytes. */
#define AUDIT_SIGNED_PREFIX "beffroi audit checkpoint 1\n"
#define AUDIT_SIGNED_LEN (sizeof(AUDIT_SIGNED_PREFIX) - 1 + SHA256_LEN)
void audit_signed_text(const unsigned char chain[SHA256_LEN], char out[AUDIT_SIGNED_LEN]);
enum sig_alg audit_sig_alg(const struct key *key);

/* --- SQL (audit_store.c) --- */
struct audit_last {
    int64_t number, cluster, horizon;        /* zero when there is no checkpoint yet */
    unsigned char chain[SHA256_LEN];
    utime at;
    int64_t cluster_now;
    bool went_back;                          /* transaction numbers are below horizon: another cluster in disguise */
};

/* Whether there may be something to seal: one round trip, most often the only one. */
MUST_USE enum err audit_store_pending(struct pg *pg, bool *ret, struct why *why);
MUST_USE enum err audit_store_lock(struct pg *pg, bool *ret_locked, struct why *why);
MUST_USE enum err audit_store_last(struct pg *pg, struct audit_last *ret, struct why *why);
/*
 * Rows that can be sealed, oldest transaction first, at most limit, into c (seqs, n, digests). from: the last horizon;
 * everywhere: whatever their transaction. *ret_horizon: below it nothing is left.
 */
MUST_USE enum err audit_store_sealable(struct pg *pg, int64_t from, bool everywhere, int limit,
                                       struct audit_checkpoint *c, int64_t *ret_horizon, struct why *why);
MUST_USE enum err audit_store_seal(struct pg *pg, const struct audit_checkpoint *c, const char *key,
                                   const struct buf *signature, struct why *why);

/* Checkpoints after number, a few at a time. */
MUST_USE enum err audit_store_checkpoints(struct pg *pg, int64_t after, struct pg_result **ret, struct why *why);
void audit_store_read_checkpoint(const struct pg_result *r, int row, struct audit_checkpoint *c, struct str *ret_chain,
                                 const char **ret_key, struct str *ret_signature);
MUST_USE enum err audit_store_rows(struct pg *pg, const int64_t *seqs, size_t n, struct pg_result **ret,
                                   struct why *why);
/* Rows in no checkpoint with seq above after, a page at a time. */
MUST_USE enum err audit_store_unsealed(struct pg *pg, int64_t after, struct pg_result **ret, struct why *why);
void audit_store_read_row(const struct pg_result *r, int row, struct audit_row *ret);

#endif
