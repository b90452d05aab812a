/*
 * audit_verify: looking at everything that was sealed and at what was not.
 *
 * Nothing the database computes is believed: digests and chains are computed here, from the columns. Each finding goes
 * to the log; the report counts them and names the first.
 */
#include <stdlib.h>

#include "base/core/enc.h"
#include "base/core/log.h"
#include "base/pg/audit-internal.h"

struct verifying {
    struct pg *pg;
    const struct key *verifier;
    utime now;
    char key_id[44];
    int64_t number;                       /* of the last checkpoint seen */
    unsigned char chain[SHA256_LEN];      /* as it says */
    struct audit_report report;
};

static void
found(struct verifying *v, int64_t seq, int64_t checkpoint, const char *reason, const char *words)
{
    LOG_ERROR_EV("audit.finding", LF_STR("reason", reason), LF_INT("seq", seq), LF_INT("checkpoint", checkpoint),
                 LF_STR("what", words));
    if (v->report.bad++ > 0)
        return;
    v->report.bad_seq = seq;
    v->report.bad_checkpoint = checkpoint;
    memcpy(v->report.bad_reason, reason, strlen(reason) + 1);
}

static bool
same_digest(const unsigned char a[SHA256_LEN], struct str b)
{
    return str_eq((struct str){ (const char *)a, SHA256_LEN }, b);
}

/* --- rows of a checkpoint --- */
static void
check_row(struct verifying *v, const struct audit_row *row, const struct audit_checkpoint *c, struct str sealed)
{
    unsigned char digest[SHA256_LEN];

    if (!row->present) {
        found(v, row->seq, c->number, "missing", "the row was removed");
        return;
    }
    audit_row_digest(row, digest);
    if (!same_digest(digest, sealed))
        found(v, row->seq, c->number, "edited", "the row is not what was sealed");
    else if (!str_eq(row->digest, sealed))      /* lint: secret-compare: both are printed in the audit */
        found(v, row->seq, c->number, "edited", "its digest was changed");
}

static enum err
check_rows(struct verifying *v, const struct audit_checkpoint *c, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    enum err e;

    if ((e = audit_store_rows(v->pg, c->seqs, c->n, &r, why)) != OK)
        return e;
    for (int i = 0; i < pg_rows(r) && (size_t)i < c->n; i++) {
        struct audit_row row;

        audit_store_read_row(r, i, &row);
        check_row(v, &row, c, (struct str){ c->digests.data + (size_t)i * SHA256_LEN, SHA256_LEN });
        v->report.rows++;
    }
    return OK;
}

/* --- checkpoints --- */
static const char *
fault_of(struct verifying *v, const struct audit_checkpoint *c, struct str chain, const char *key_id,
         struct str signature)
{
    unsigned char expected[SHA256_LEN];
    char text[AUDIT_SIGNED_LEN];
    struct why why = WHY_INIT;

    if (c->number != v->number + 1)
        return "a checkpoint before it was removed";
    if (c->n == 0 || c->n > AUDIT_SEAL_ROWS || c->digests.len != c->n * SHA256_LEN)
        return "malformed";
    audit_checkpoint_chain(c, v->chain, expected);
    if (!same_digest(expected, chain))
        return "its content is not what was chained";
    if (strcmp(key_id, v->key_id) != 0)
        return "signed by another key";
    audit_signed_text(expected, text);
    if (key_verify(v->verifier, audit_sig_alg(v->verifier), (struct str){ text, sizeof(text) }, signature, false,
                   &why) != OK)
        return "its signature is wrong";
    return NULL;
}

static enum err
check_checkpoint(struct verifying *v, const struct pg_result *r, int i, struct why *why)
{
    AUTO(audit_checkpoint_done) struct audit_checkpoint c = AUDIT_CHECKPOINT_INIT;
    const char *key_id, *fault;
    struct str chain, signature;

    audit_store_read_checkpoint(r, i, &c, &chain, &key_id, &signature);
    fault = fault_of(v, &c, chain, key_id, signature);
    v->report.checkpoints++;
    v->number = c.number;
    if (chain.n == SHA256_LEN)
        memcpy(v->chain, chain.p, SHA256_LEN);
    if (fault == NULL)
        return check_rows(v, &c, why);
    /* What a wrong checkpoint says about rows means nothing: it is named itself. */
    found(v, c.n > 0 ? c.seqs[0] : 0, c.number, "checkpoint", fault);
    return OK;
}

static enum err
check_checkpoints(struct verifying *v, struct why *why)
{
    for (;;) {
        AUTO(pg_result_freep) struct pg_result *r = NULL;
        enum err e;

        if ((e = audit_store_checkpoints(v->pg, v->number, &r, why)) != OK)
            return e;
        if (pg_rows(r) == 0)
            return OK;
        for (int i = 0; i < pg_rows(r); i++)
            if ((e = check_checkpoint(v, r, i, why)) != OK)
                return e;
    }
}

/* --- rows in no checkpoint --- */
static void
check_unsealed(struct verifying *v, const struct audit_row *row)
{
    unsigned char digest[SHA256_LEN];
    int64_t age = v->now - row->at;

    v->report.unsealed++;
    audit_row_digest(row, digest);
    if (!same_digest(digest, row->digest))
        found(v, row->seq, 0, "edited", "not sealed yet, and not what was written");
    else if (age > AUDIT_SEAL_LATEST || age < -AUDIT_SEAL_LATEST)
        found(v, row->seq, 0, "unsealed", "no checkpoint has it");
}

static enum err
check_rest(struct verifying *v, struct why *why)
{
    int64_t after = 0;

    for (;;) {
        AUTO(pg_result_freep) struct pg_result *r = NULL;
        enum err e;

        if ((e = audit_store_unsealed(v->pg, after, &r, why)) != OK)
            return e;
        if (pg_rows(r) == 0)
            return OK;
        for (int i = 0; i < pg_rows(r); i++) {
            struct audit_row row;

            audit_store_read_row(r, i, &row);
            check_unsealed(v, &row);
            after = row.seq;
        }
    }
}

enum err
audit_verify(struct pg *pg, const struct key *verifier, utime now, struct audit_report *ret, struct why *why)
{
    struct verifying v = { .pg = pg, .verifier = verifier, .now = now };
    AUTO(buf_free) struct buf head = BUF_BOUNDED(2 * SHA256_LEN);
    enum err e;

    key_thumbprint(verifier, v.key_id);
    if ((e = check_checkpoints(&v, why)) != OK || (e = check_rest(&v, why)) != OK)
        return e;
    if (v.report.checkpoints > 0) {
        hex_encode(&head, v.chain, SHA256_LEN);
        memcpy(v.report.head, buf_cstr(&head), sizeof(v.report.head));
    }
    *ret = v.report;
    return OK;
}
