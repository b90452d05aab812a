/*
 * audit: the two canonical forms. They are part of the evidence: what they cover and how can never change, only gain a
 * successor.
 *
 * Row: for seq, at (microseconds since 1970), actor, role, verb, object, result, detail (as PostgreSQL prints jsonb)
 * its length in bytes, ':', the text, ','. The trigger audit_digest() computes the same; the verifier does not ask the
 * database to compute anything.
 *
 * Checkpoint: the chain before, then number, at, cluster, horizon, count, then each seq and its digest; numbers as 8
 * bytes, most significant first. Signed is the prefix and the chain.
 */
#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/pg/audit-internal.h"

static void
add_net(struct buf *out, struct str s)
{
    buf_addf(out, "%zu:", s.n);
    buf_add_str(out, s);
    buf_addc(out, ',');
}

static void
add_net_number(struct buf *out, int64_t v)
{
    char text[24];

    (void)snprintf(text, sizeof(text), "%" PRId64, v);
    add_net(out, str_of(text));
}

void
audit_row_digest(const struct audit_row *row, unsigned char out[SHA256_LEN])
{
    AUTO(buf_free) struct buf form = BUF_BOUNDED(1 << 20);     /* the table's checks keep rows far below */

    add_net_number(&form, row->seq);
    add_net_number(&form, row->at);
    for (size_t i = 0; i < ARRAY_LEN(row->text); i++)
        add_net(&form, row->text[i]);
    /* A row that outgrew every check of the table is not what the trigger digested: its digest differs. */
    sha256(buf_view(&form), out);
}

static void
add_number(struct buf *out, int64_t v)
{
    uint64_t wire = htobe64((uint64_t)v);

    buf_add(out, &wire, sizeof(wire));
}

void
audit_checkpoint_chain(const struct audit_checkpoint *c, const unsigned char before[SHA256_LEN],
                       unsigned char out[SHA256_LEN])
{
    AUTO(buf_free) struct buf form = BUF_BOUNDED(1024 + (size_t)AUDIT_SEAL_ROWS * (SHA256_LEN + 8));

    CHECK(c->n <= AUDIT_SEAL_ROWS && c->digests.len == c->n * SHA256_LEN);
    buf_add(&form, before, SHA256_LEN);
    add_number(&form, c->number);
    add_number(&form, c->at);
    add_number(&form, c->cluster);
    add_number(&form, c->horizon);
    add_number(&form, (int64_t)c->n);
    for (size_t i = 0; i < c->n; i++) {
        add_number(&form, c->seqs[i]);
        buf_add(&form, c->digests.data + i * SHA256_LEN, SHA256_LEN);
    }
    CHECK(buf_ok(&form));
    sha256(buf_view(&form), out);
}

void
audit_signed_text(const unsigned char chain[SHA256_LEN], char out[AUDIT_SIGNED_LEN])
{
    memcpy(out, AUDIT_SIGNED_PREFIX, sizeof(AUDIT_SIGNED_PREFIX) - 1);
    memcpy(out + sizeof(AUDIT_SIGNED_PREFIX) - 1, chain, SHA256_LEN);
}

enum sig_alg
audit_sig_alg(const struct key *key)
{
    switch (key_algorithm(key)) {
    case KEY_RSA:
        return SIG_RS256;
    case KEY_P256:
        return SIG_ES256;
    case KEY_P384:
        return SIG_ES384;
    case KEY_ED25519:
        return SIG_EDDSA;
    }
    panic("audit: a key of no known kind");
}

void
audit_checkpoint_done(struct audit_checkpoint *c)
{
    free(c->seqs);
    c->seqs = NULL;
    buf_free(&c->digests);
}
