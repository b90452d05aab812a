/*
 * x509_support: certificates and CRLs to a recipe, for the tests and benches of base/crypto/x509*: a root, a CA, a leaf, a
 * CRL of each authority, all good for signing in. A test changes one thing in a recipe and makes them anew.
 */
#ifndef TESTS_UNIT_X509_SUPPORT_H
#define TESTS_UNIT_X509_SUPPORT_H

#include "base/crypto/der-oid.h"
#include "base/crypto/key-internal.h"
#include "base/crypto/x509-internal.h"

#define DAY USEC_PER_DAY
#define MADE_NOW (INT64_C(1780000000) * USEC_PER_SEC)
#define OID_TEST_POLICY STR_LIT("\x2a\x03\x01")      /* 1.2.3.1 */
#define OID_OTHER_POLICY STR_LIT("\x2a\x03\x02")

struct cert_recipe {
    const char *subject, *issuer;
    struct key *key, *signer;
    int version;
    struct str serial;             /* content of the INTEGER */
    utime not_before, not_after;
    bool no_basic_constraints, ca, loose_basic_constraints;
    int path_len;                  /* -1: none */
    bool no_key_usage;
    uint32_t key_usage;
    struct str eku[3];             /* OIDs; p NULL: no more */
    bool empty_eku;
    struct str policy;             /* p NULL: none */
    bool no_ski, no_aki;
    struct str extra;              /* Extensions, whole, added at the end */
    const char *crl_point;         /* URI; NULL: no extension */
    struct str point;              /* DistributionPoint content instead */
    struct str algorithm;          /* AlgorithmIdentifier, whole; p NULL: as the key signs */
    bool other_algorithm_inside;
    bool bad_signature;
};

struct crl_recipe {
    const char *issuer;
    struct key *signer;
    utime this_update, next_update;
    uint64_t number;
    bool no_number, delta;
    uint64_t base;
    const struct str *serials;     /* of revoked certificates */
    const int *reasons;            /* beside serials; -1: none */
    size_t n;
    struct str idp;                /* content of IssuingDistributionPoint; p NULL: none */
    struct str extra;              /* Extensions added */
    struct str entry_extra;        /* Extension added to the first entry */
    bool bad_signature, version1, no_next_update;
};

static inline void
made_name(struct buf *out, const char *cn)
{
    const size_t name = der_begin(out, DER_SEQUENCE);

    if (cn != NULL) {
        const size_t set = der_begin(out, DER_SET), attribute = der_begin(out, DER_SEQUENCE);

        der_add_oid(out, OID_AT_COMMON_NAME);
        der_add(out, DER_UTF8_STRING, str_of(cn));
        der_end(out, attribute);
        der_end(out, set);
    }
    der_end(out, name);
}

static inline struct str
made_algorithm(const struct key *k)
{
    switch (key_algorithm(k)) {
    case KEY_RSA:
        return STR_LIT("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00");
    case KEY_P256:
        return STR_LIT("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02");
    case KEY_P384:
        return STR_LIT("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03");
    case KEY_ED25519:
        return STR_LIT("\x30\x05\x06\x03\x2b\x65\x70");
    }
    panic("key algorithm");
}

static inline void
made_key_id(const struct key *k, unsigned char out[20])
{
    unsigned char digest[SHA256_LEN];

    sha256(buf_view(&k->spki), digest);
    memcpy(out, digest, 20);
}

static inline size_t
made_extension_begin(struct buf *out, struct str oid, bool critical, size_t *ret_value)
{
    const size_t extension = der_begin(out, DER_SEQUENCE);

    der_add_oid(out, oid);
    if (critical)
        der_add_true(out, DER_BOOLEAN);
    *ret_value = der_begin(out, DER_OCTET_STRING);
    return extension;
}

static inline void
made_extension_end(struct buf *out, size_t extension, size_t value)
{
    der_end(out, value);
    der_end(out, extension);
}

static inline void
made_aki(struct buf *out, const struct key *signer)
{
    unsigned char id[20];
    size_t e, v, s;

    made_key_id(signer, id);
    e = made_extension_begin(out, OID_CE_AUTHORITY_KEY_IDENTIFIER, false, &v);
    s = der_begin(out, DER_SEQUENCE);
    der_add(out, DER_CONTEXT_PRIMITIVE(0), str_from(id, 20));
    der_end(out, s);
    made_extension_end(out, e, v);
}

static inline void
made_extensions(struct buf *out, const struct cert_recipe *r)
{
    unsigned char id[20];
    size_t e, v, s, t, u;

    if (!r->no_basic_constraints) {
        e = made_extension_begin(out, OID_CE_BASIC_CONSTRAINTS, !r->loose_basic_constraints, &v);
        s = der_begin(out, DER_SEQUENCE);
        if (r->ca)
            der_add_true(out, DER_BOOLEAN);
        if (r->path_len >= 0)
            der_add_number(out, DER_INTEGER, (uint64_t)r->path_len);
        der_end(out, s);
        made_extension_end(out, e, v);
    }
    if (!r->no_key_usage) {
        e = made_extension_begin(out, OID_CE_KEY_USAGE, true, &v);
        der_add_named_bits(out, DER_BIT_STRING, r->key_usage);
        made_extension_end(out, e, v);
    }
    if (r->eku[0].p != NULL || r->empty_eku) {
        e = made_extension_begin(out, OID_CE_EXT_KEY_USAGE, false, &v);
        s = der_begin(out, DER_SEQUENCE);
        for (size_t i = 0; i < ARRAY_LEN(r->eku) && r->eku[i].p != NULL; i++)
            der_add_oid(out, r->eku[i]);
        der_end(out, s);
        made_extension_end(out, e, v);
    }
    if (r->policy.p != NULL) {
        e = made_extension_begin(out, OID_CE_CERTIFICATE_POLICIES, false, &v);
        s = der_begin(out, DER_SEQUENCE);
        t = der_begin(out, DER_SEQUENCE);
        der_add_oid(out, r->policy);
        der_end(out, t);
        der_end(out, s);
        made_extension_end(out, e, v);
    }
    if (!r->no_ski) {
        made_key_id(r->key, id);
        e = made_extension_begin(out, OID_CE_SUBJECT_KEY_IDENTIFIER, false, &v);
        der_add(out, DER_OCTET_STRING, str_from(id, 20));
        made_extension_end(out, e, v);
    }
    if (!r->no_aki)
        made_aki(out, r->signer);
    if (r->crl_point != NULL || r->point.p != NULL) {
        e = made_extension_begin(out, OID_CE_CRL_DISTRIBUTION_POINTS, false, &v);
        s = der_begin(out, DER_SEQUENCE);
        t = der_begin(out, DER_SEQUENCE);
        if (r->point.p != NULL) {
            buf_add_str(out, r->point);
        } else {
            u = der_begin(out, DER_CONTEXT(0));
            size_t full = der_begin(out, DER_CONTEXT(0));

            der_add(out, DER_CONTEXT_PRIMITIVE(6), str_of(r->crl_point));
            der_end(out, full);
            der_end(out, u);
        }
        der_end(out, t);
        der_end(out, s);
        made_extension_end(out, e, v);
    }
    if (r->extra.p != NULL)
        buf_add_str(out, r->extra);
}

/* tbs, algorithm and signature in their SEQUENCE, appended to out. */
static inline void
made_signed(struct buf *out, struct str tbs, struct str algorithm, struct key *signer, bool bad)
{
    AUTO(buf_free) struct buf sig = BUF_BOUNDED(KEY_SIG_MAX);
    const size_t whole = der_begin(out, DER_SEQUENCE);

    if (key_sign_any(signer, key_default_alg(signer), tbs, false, &sig, NULL) != OK)
        panic("signature");
    if (bad)
        sig.data[sig.len - 1] ^= 1;
    buf_add_str(out, tbs);
    buf_add_str(out, algorithm);
    der_add_bit_string(out, buf_view(&sig));
    der_end(out, whole);
    CHECK(buf_ok(out));
}

static inline void
made_cert(struct buf *out, const struct cert_recipe *r)
{
    AUTO(buf_free) struct buf tbs = BUF_BOUNDED(1 << 20);
    const struct str algorithm = r->algorithm.p != NULL ? r->algorithm : made_algorithm(r->signer);
    size_t seq = der_begin(&tbs, DER_SEQUENCE), part, list;

    if (r->version > 1) {
        part = der_begin(&tbs, DER_CONTEXT(0));
        der_add_number(&tbs, DER_INTEGER, (uint64_t)r->version - 1);
        der_end(&tbs, part);
    }
    der_add(&tbs, DER_INTEGER, r->serial);
    buf_add_str(&tbs, r->other_algorithm_inside ? STR_LIT("\x30\x05\x06\x03\x2b\x65\x70") : algorithm);
    made_name(&tbs, r->issuer);
    part = der_begin(&tbs, DER_SEQUENCE);
    CHECK(der_add_time(&tbs, r->not_before) == OK && der_add_time(&tbs, r->not_after) == OK);
    der_end(&tbs, part);
    made_name(&tbs, r->subject);
    buf_add_str(&tbs, buf_view(&r->key->spki));
    if (r->version == 3) {
        part = der_begin(&tbs, DER_CONTEXT(3));
        list = der_begin(&tbs, DER_SEQUENCE);
        made_extensions(&tbs, r);
        der_end(&tbs, list);
        der_end(&tbs, part);
    }
    der_end(&tbs, seq);
    CHECK(buf_ok(&tbs));
    buf_reset(out);
    made_signed(out, buf_view(&tbs), algorithm, r->signer, r->bad_signature);
}

static inline void
made_crl_entries(struct buf *out, const struct crl_recipe *r)
{
    const size_t list = der_begin(out, DER_SEQUENCE);

    for (size_t i = 0; i < r->n; i++) {
        const size_t entry = der_begin(out, DER_SEQUENCE);
        const bool has_reason = r->reasons != NULL && r->reasons[i] >= 0, has_extra = i == 0 && r->entry_extra.p != NULL;

        der_add(out, DER_INTEGER, r->serials[i]);
        CHECK(der_add_time(out, r->this_update - DAY) == OK);
        if (has_reason || has_extra) {
            const size_t extensions = der_begin(out, DER_SEQUENCE);
            size_t e, v;

            if (has_reason) {
                e = made_extension_begin(out, OID_CE_REASON_CODE, false, &v);
                der_add_number(out, DER_ENUMERATED, (uint64_t)r->reasons[i]);
                made_extension_end(out, e, v);
            }
            if (has_extra)
                buf_add_str(out, r->entry_extra);
            der_end(out, extensions);
        }
        der_end(out, entry);
    }
    der_end(out, list);
}

static inline void
made_crl(struct buf *out, const struct crl_recipe *r)
{
    AUTO(buf_free) struct buf tbs = BUF_BOUNDED(X509_CRL_DER_MAX);
    const struct str algorithm = made_algorithm(r->signer);
    const size_t seq = der_begin(&tbs, DER_SEQUENCE);
    size_t part, list, e, v, s;

    if (!r->version1)
        der_add_number(&tbs, DER_INTEGER, 1);
    buf_add_str(&tbs, algorithm);
    made_name(&tbs, r->issuer);
    CHECK(der_add_time(&tbs, r->this_update) == OK);
    if (!r->no_next_update)
        CHECK(der_add_time(&tbs, r->next_update) == OK);
    if (r->n > 0)
        made_crl_entries(&tbs, r);
    part = der_begin(&tbs, DER_CONTEXT(0));
    list = der_begin(&tbs, DER_SEQUENCE);
    made_aki(&tbs, r->signer);
    if (!r->no_number) {
        e = made_extension_begin(&tbs, OID_CE_CRL_NUMBER, false, &v);
        der_add_number(&tbs, DER_INTEGER, r->number);
        made_extension_end(&tbs, e, v);
    }
    if (r->delta) {
        e = made_extension_begin(&tbs, OID_CE_DELTA_CRL_INDICATOR, true, &v);
        der_add_number(&tbs, DER_INTEGER, r->base);
        made_extension_end(&tbs, e, v);
    }
    if (r->idp.p != NULL) {
        e = made_extension_begin(&tbs, OID_CE_ISSUING_DISTRIBUTION_POINT, true, &v);
        s = der_begin(&tbs, DER_SEQUENCE);
        buf_add_str(&tbs, r->idp);
        der_end(&tbs, s);
        made_extension_end(&tbs, e, v);
    }
    if (r->extra.p != NULL)
        buf_add_str(&tbs, r->extra);
    der_end(&tbs, list);
    der_end(&tbs, part);
    der_end(&tbs, seq);
    CHECK(buf_ok(&tbs));
    buf_reset(out);
    made_signed(out, buf_view(&tbs), algorithm, r->signer, r->bad_signature);
}

/* --- a small world ------------------------------------------------------------------------------------------------ */

struct world {
    struct cert_recipe root, ca, leaf;
    struct crl_recipe root_crl, ca_crl, more_crl[2];
    size_t n_more;                 /* of more_crl */
    bool no_root_crl, no_ca_crl, no_anchor, send_ca, ca_is_anchor;
    struct x509_profile profile;
    utime now;
};

/* Keys are made once: root, CA, leaf, another. */
struct made_keys {
    struct key *root, *ca, *leaf, *other;
};

static inline void
made_world(struct world *w, const struct made_keys *k)
{
    *w = (struct world){
        .root = { .subject = "Root", .issuer = "Root", .key = k->root, .signer = k->root, .version = 3, .serial = STR_LIT("\x01"),
                  .not_before = MADE_NOW - 100 * DAY, .not_after = MADE_NOW + 1000 * DAY, .ca = true, .path_len = -1,
                  .key_usage = X509_KEY_CERT_SIGN | X509_CRL_SIGN },
        .ca = { .subject = "CA", .issuer = "Root", .key = k->ca, .signer = k->root, .version = 3, .serial = STR_LIT("\x02"),
                .not_before = MADE_NOW - 90 * DAY, .not_after = MADE_NOW + 900 * DAY, .ca = true, .path_len = 0,
                .key_usage = X509_KEY_CERT_SIGN | X509_CRL_SIGN, .policy = OID_ANY_POLICY },
        .leaf = { .subject = "Alix", .issuer = "CA", .key = k->leaf, .signer = k->ca, .version = 3,
                  .serial = STR_LIT("\x41\x02\x03\x04"), .not_before = MADE_NOW - 10 * DAY, .not_after = MADE_NOW + 300 * DAY,
                  .path_len = -1, .key_usage = X509_DIGITAL_SIGNATURE, .eku = { OID_KP_CLIENT_AUTH }, .policy = OID_TEST_POLICY,
                  .crl_point = "http://127.0.0.1:1/ca.crl" },
        .root_crl = { .issuer = "Root", .signer = k->root, .this_update = MADE_NOW - DAY, .next_update = MADE_NOW + 30 * DAY, .number = 7 },
        .ca_crl = { .issuer = "CA", .signer = k->ca, .this_update = MADE_NOW - DAY, .next_update = MADE_NOW + DAY, .number = 11 },
        .now = MADE_NOW,
    };
}

static inline void
made_crl_add(struct x509_trust *t, const struct crl_recipe *r, struct why *why)
{
    AUTO(buf_free) struct buf der = BUF_BOUNDED(X509_CRL_DER_MAX);
    AUTO(x509_crl_freep) struct x509_crl *crl = NULL;

    made_crl(&der, r);
    if (x509_crl_read(buf_view(&der), &crl, why) == OK)
        err_ignore(x509_trust_add_crl(t, crl, why));       /* what is refused is not there: the verdict shows it */
}

static inline struct x509_trust *
made_trust(const struct world *w, struct why *why)
{
    AUTO(buf_free) struct buf der = BUF_BOUNDED(X509_DER_MAX);
    struct x509_trust *t = x509_trust_new();

    made_cert(&der, &w->root);
    if (!w->no_anchor)
        err_ignore(x509_trust_add_anchor(t, buf_view(&der), why));
    made_cert(&der, &w->ca);
    if (w->ca_is_anchor)
        err_ignore(x509_trust_add_anchor(t, buf_view(&der), why));
    else if (!w->send_ca)
        err_ignore(x509_trust_add_intermediate(t, buf_view(&der), why));
    if (!w->no_root_crl)
        made_crl_add(t, &w->root_crl, why);
    if (!w->no_ca_crl)
        made_crl_add(t, &w->ca_crl, why);
    for (size_t i = 0; i < w->n_more; i++)
        made_crl_add(t, &w->more_crl[i], why);
    return t;
}

#endif
