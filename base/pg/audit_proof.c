/* audit_proof: see audit_proof.h; the rows are in audit_proof_store.c. */
#include "base/pg/audit_proof.h"

#include <inttypes.h>

#include "base/pg/audit-internal.h"

static bool
same(struct str a, const unsigned char b[SHA256_LEN])
{
    return str_eq(a, (struct str){ (const char *)b, SHA256_LEN });
}

static enum err
checkpoint_verify(const struct audit_proof_checkpoint *c, const struct key *verifier, struct why *why)
{
    struct audit_checkpoint form = { .number = c->number, .at = c->at, .cluster = c->cluster, .horizon = c->horizon,
                                     .seqs = c->seqs, .n = c->n };
    AUTO(buf_free) struct buf digests = BUF_BOUNDED((size_t)AUDIT_SEAL_ROWS * SHA256_LEN);
    unsigned char chain[SHA256_LEN];
    char text[AUDIT_SIGNED_LEN], id[44];

    if (c->n == 0 || c->n > AUDIT_SEAL_ROWS || c->digests.n != c->n * SHA256_LEN || c->before.n != SHA256_LEN ||
        c->chain.n != SHA256_LEN)
        return why_set(why, ERR_INPUT, "checkpoint %" PRId64 " is malformed", c->number);
    buf_add_str(&digests, c->digests);
    form.digests = digests;
    audit_checkpoint_chain(&form, (const unsigned char *)c->before.p, chain);
    if (!same(c->chain, chain))
        return why_code(why, ERR_DENIED, "audit.checkpoint", "checkpoint %" PRId64 ": its content is not what was chained", c->number);
    key_thumbprint(verifier, id);
    if (strcmp(id, c->key) != 0)
        return why_code(why, ERR_DENIED, "audit.key", "checkpoint %" PRId64 " was signed by another key", c->number);
    audit_signed_text(chain, text);
    if (key_verify(verifier, audit_sig_alg(verifier), (struct str){ text, sizeof(text) }, c->signature, false, NULL) != OK)
        return why_code(why, ERR_DENIED, "audit.checkpoint", "checkpoint %" PRId64 ": its signature is wrong", c->number);
    return OK;
}

/* Does a checkpoint of the proof bind this row, as it is? */
static enum err
row_verify(const struct audit_proof *p, const struct audit_proof_row *row, struct why *why)
{
    struct audit_row form = { .seq = row->seq, .present = true, .at = row->at };
    unsigned char digest[SHA256_LEN];

    memcpy(form.text, row->text, sizeof(form.text));
    audit_row_digest(&form, digest);
    for (size_t i = 0; i < p->ncheckpoints; i++) {
        const struct audit_proof_checkpoint *c = &p->checkpoints[i];

        for (size_t k = 0; k < c->n && c->number == row->checkpoint; k++)
            if (c->seqs[k] == row->seq)
                return same((struct str){ c->digests.p + k * SHA256_LEN, SHA256_LEN }, digest)
                           ? OK : why_code(why, ERR_DENIED, "audit.row", "row %" PRId64 " is not what was sealed", row->seq);
    }
    return why_code(why, ERR_DENIED, "audit.row", "no checkpoint here binds row %" PRId64, row->seq);
}

enum err
audit_proof_verify(const struct audit_proof *proof, const struct key *verifier, size_t *ret_unsealed, struct why *why)
{
    size_t unsealed = 0;
    enum err e;

    for (size_t i = 0; i < proof->ncheckpoints; i++)
        if ((e = checkpoint_verify(&proof->checkpoints[i], verifier, why)) != OK)
            return e;
    for (size_t i = 0; i < proof->nrows; i++) {
        if (proof->rows[i].checkpoint == 0)
            unsealed++;
        else if ((e = row_verify(proof, &proof->rows[i], why)) != OK)
            return e;
    }
    if (ret_unsealed != NULL)
        *ret_unsealed = unsealed;
    return OK;
}
