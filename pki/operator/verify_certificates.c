/* verify_certificates: certificates, their states, and the requests that they answer. */
#include "pki/operator/verify-internal.h"

#include <stdio.h>

#include "base/core/enc.h"
#include "base/crypto/x509.h"
#include "pki/encode/certificate.h"
#include "pki/encode/parts.h"

#define NIL "00000000-0000-0000-0000-000000000000"

/* --- octets ------------------------------------------------------------------------------------------------------------------ */

struct row {
    char id[37], object[64];
    int ca_id;
    struct str serial, state, spki_sha256, tbs, der;
    utime not_before, not_after;
    const char *holder;
};

static struct row
row_read(const struct pg_result *r, int i)
{
    struct row row = { .ca_id = (int)pg_i64(r, i, 1), .serial = pg_str(r, i, 2), .state = pg_str(r, i, 3),
                       .spki_sha256 = pg_str(r, i, 4), .not_before = pg_time(r, i, 5), .not_after = pg_time(r, i, 6),
                       .holder = pg_text(r, i, 7), .tbs = pg_str(r, i, 8), .der = pg_str(r, i, 9) };

    pg_uuid(r, i, 0, row.id);
    snprintf(row.object, sizeof(row.object), "certificate:%s", row.id);
    return row;
}

static bool
digest_is(struct str digest, struct str octets)
{
    unsigned char sha[SHA256_LEN];

    sha256(octets, sha);
    return str_eq(digest, (struct str){ (const char *)sha, sizeof(sha) });      /* lint: secret-compare: of public keys */
}

/* The subject of a good one is *ret_subject. */
static bool
octets_verify(struct verify *v, const struct row *row, struct str *ret_subject)
{
    AUTO(x509_done) struct x509_cert cert = { .not_after = 0 };
    const struct verify_ca *ca = verify_ca_by_id(v, row->ca_id);
    struct certificate_parts p;
    struct why why = WHY_INIT;

    if (certificate_split(row->der, &p, &why) != OK || x509_read(row->der, &cert, &why) != OK) {
        verify_say(v, "certificate.octets", row->object, "its octets are not a certificate: %s", why.text);
        return false;
    }
    if (!str_eq(p.tbs, row->tbs))
        verify_say(v, "certificate.text", row->object, "the text that was signed is not the one that was written down before");
    if (!str_eq(p.serial, row->serial) || p.not_before != row->not_before || p.not_after != row->not_after)
        verify_say(v, "certificate.row", row->object, "serial number or dates are not those of its row");
    if (!digest_is(row->spki_sha256, p.spki))
        verify_say(v, "certificate.key", row->object, "its key is not that of its row");
    if (ca == NULL || !str_eq(p.issuer, ca->ca.subject) || !verify_signed_by(ca->key, p.tbs, p.signature))
        verify_say(v, "certificate.signature", row->object, "not signed by %s", ca != NULL ? ca->label : "any authority of ours");
    *ret_subject = p.subject;
    return true;
}

/* A row has its text, and its octets if it was signed. */
static bool
row_verify(struct verify *v, const struct row *row, struct str *ret_subject)
{
    const bool unsigned_yet = str_eqs(row->state, "reserved") || str_eqs(row->state, "void");

    v->certificates++;
    if (row->tbs.n == 0)
        verify_say(v, "certificate.text", row->object, "the text that was to be signed is away");
    if (unsigned_yet && row->der.n > 0)
        verify_say(v, "certificate.octets", row->object, "signed, though it is %.*s", (int)row->state.n, row->state.p);
    if (!unsigned_yet && row->der.n == 0)
        verify_say(v, "certificate.octets", row->object, "its octets are away, though it is %.*s", (int)row->state.n, row->state.p);
    return row->der.n > 0 && octets_verify(v, row, ret_subject);
}

/* --- names: whose they are (A2c III.1.5) --------------------------------------------------------------------------------------- */

struct names {
    int64_t cas[VERIFY_PAGE];
    char hex[VERIFY_PAGE][2 * SHA256_LEN + 1];
    const char *digests[VERIFY_PAGE], *holders[VERIFY_PAGE];
    int rows[VERIFY_PAGE];
    size_t n;
};

static void
name_note(struct names *names, const struct row *row, int i, struct str subject)
{
    AUTO(buf_free) struct buf hex = BUF_BOUNDED(2 * SHA256_LEN);
    unsigned char sha[SHA256_LEN];

    sha256(subject, sha);
    hex_encode(&hex, sha, sizeof(sha));
    memcpy(names->hex[names->n], buf_cstr(&hex), sizeof(names->hex[0]));
    names->digests[names->n] = names->hex[names->n];
    names->cas[names->n] = row->ca_id;
    names->holders[names->n] = row->holder;
    names->rows[names->n++] = i;
}

static enum err
names_verify(struct verify *v, const struct names *names, const struct pg_result *page, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    enum err e;

    if (names->n == 0)
        return OK;
    if ((e = verify_names_missing(v->pg, names->cas, names->digests, names->holders, names->n, &r, why)) != OK)
        return e;
    for (int i = 0; i < pg_rows(r); i++) {
        const struct row row = row_read(page, names->rows[pg_i64(r, i, 0) - 1]);

        verify_say(v, "certificate.name", row.object, "its name is not noted as its holder's");
    }
    return OK;
}

enum err
verify_certificates(struct verify *v, struct why *why)
{
    AUTO(arena_freep) struct arena *a = arena_new(sizeof(struct names) + 4096);
    struct names *names = arena_alloc(a, sizeof(*names));
    char last[37] = NIL;
    int rows;

    do {
        AUTO(pg_result_freep) struct pg_result *r = NULL;
        enum err e;

        if ((e = verify_page_certificates(v->pg, last, &r, why)) != OK)
            return e;
        rows = pg_rows(r);
        names->n = 0;
        for (int i = 0; i < rows; i++) {
            const struct row row = row_read(r, i);
            struct str subject;

            if (row_verify(v, &row, &subject))
                name_note(names, &row, i, subject);
            memcpy(last, row.id, sizeof(last));
        }
        if ((e = names_verify(v, names, r, why)) != OK)
            return e;
    } while (rows == VERIFY_PAGE);
    return OK;
}

/* --- states (DOMAIN 2.3) --------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *was, *state;
} arrows[] = {
    { "reserved", "issued" }, { "reserved", "void" },    { "issued", "active" },  { "issued", "held" },
    { "issued", "revoked" },  { "issued", "expired" },   { "active", "held" },    { "active", "revoked" },
    { "active", "expired" },  { "held", "active" },      { "held", "revoked" },   { "revoked", "archived" },
    { "expired", "archived" },
};

static bool
is_arrow(const struct pg_result *r, int i)
{
    for (size_t k = 0; k < ARRAY_LEN(arrows); k++)
        if (str_eqs(pg_str(r, i, 0), arrows[k].was) && str_eqs(pg_str(r, i, 1), arrows[k].state))
            return true;
    return false;
}

static enum err
transitions_verify(struct verify *v, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    const enum err e = verify_transitions(v->pg, &r, why);

    if (e != OK)
        return e;
    for (int i = 0; i < pg_rows(r); i++)
        if (!is_arrow(r, i))
            verify_say(v, "certificate.transition", pg_text(r, i, 3), "%lld went from \"%s\" to \"%s\", which no act does",
                       (long long)pg_i64(r, i, 2), pg_text(r, i, 0), pg_text(r, i, 1));
    return OK;
}

enum err
verify_states(struct verify *v, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    AUTO(pg_result_freep) struct pg_result *requests = NULL;
    char id[37], object[64];
    enum err e;

    if ((e = transitions_verify(v, why)) != OK || (e = verify_states_differ(v->pg, &r, why)) != OK ||
        (e = verify_requests_differ(v->pg, &requests, why)) != OK)
        return e;
    for (int i = 0; i < pg_rows(r); i++) {
        pg_uuid(r, i, 0, id);
        snprintf(object, sizeof(object), "certificate:%s", id[0] != '\0' ? id : pg_text(r, i, 1));
        verify_say(v, "certificate.state", object, "it is \"%s\", but its last change made it \"%s\", or gave it another reason",
                   pg_text(r, i, 2), pg_text(r, i, 3));
    }
    for (int i = 0; i < pg_rows(requests); i++) {
        pg_uuid(requests, i, 0, id);
        snprintf(object, sizeof(object), "request:%s", id);
        verify_say(v, "request.state", object, "it is %s, and its certificate \"%s\"", pg_text(requests, i, 1),
                   pg_text(requests, i, 2));
    }
    return OK;
}
