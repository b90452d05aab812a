/*
 * pki_support: what the tests of the authority's pure rooms share: the shipped profiles, a root and an issuing authority with
 * P-256 keys, and a certificate of any profile, from the same good values; a test changes one of them.
 */
#ifndef TESTS_UNIT_PKI_SUPPORT_H
#define TESTS_UNIT_PKI_SUPPORT_H

#include "tests/unit/support.h"
#include "tests/unit/tool.h"

#include "base/core/enc.h"
#include "base/crypto/der-oid.h"
#include "base/crypto/der.h"
#include "pki/encode/certificate.h"

struct pki_ca {
    struct key *key;
    struct buf name, spki, der;
    unsigned char key_id[KEY_ID_LEN];
    utime not_before, not_after;
};

struct pki {
    struct profile_set profiles;
    struct pki_ca root, issuing;
    struct key *holder;              /* P-256, whose certificates are made */
    struct buf holder_spki;
    utime now;
};

static const unsigned char pki_serial[SERIAL_LEN] = { 0x5a, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xff };
static const struct str pki_dns[] = { STR_LIT("idp.ville.example"), STR_LIT("*.ville.example") };
static const struct certificate_urls pki_urls = {
    STR_LIT("http://crl.ville.example/crl/cards.crl"), STR_LIT("http://crl.ville.example/crl/cards-delta.crl"),
    STR_LIT("http://ocsp.ville.example/ocsp"), STR_LIT("http://crl.ville.example/ca/cards.cer") };

static inline const struct profile *
pki_profile(const struct pki *pki, const char *name)
{
    const struct profile *p = profile_set_find(&pki->profiles, str_of(name));

    if (p == NULL)
        panic("no profile %s", name);
    return p;
}

/* A good subject for each kind. */
static inline struct subject
pki_subject(const struct profile *p)
{
    struct subject s = { .dns = NULL };

    switch ((enum profile_subject)p->subject) {
    case SUBJECT_PSEUDONYM:
        s.number = STR_LIT("7QX4-2M9K-P");
        break;
    case SUBJECT_NAMED:
        s.given_name = STR_LIT("Marie-\xc3\x88ve");
        s.surname = STR_LIT("N'Guy\xe1\xbb\x85n");
        s.serial_number = STR_LIT("b7f09c12");
        break;
    case SUBJECT_AGENT:
    case SUBJECT_COMPANY:
        s.given_name = STR_LIT("Ana\xc3\xafs");
        s.surname = STR_LIT("Le Goff");
        s.organization = STR_LIT("Commune de Ville-sur-Mer");
        s.identifier = STR_LIT("73282932000074");
        break;
    case SUBJECT_SERVER:
        s.dns = pki_dns;
        s.dns_n = ARRAY_LEN(pki_dns);
        break;
    case SUBJECT_PROGRAM:
        s.common_name = STR_LIT("mairie-ville-sur-mer");
        break;
    case SUBJECT_RESPONDER:
        s.common_name = STR_LIT("Beffroi OCSP");
        break;
    case SUBJECT_CA:
        s.common_name = STR_LIT("Beffroi Cartes");
        s.organization = STR_LIT("Op\xc3\xa9rateur");
        s.identifier = STR_LIT("732829320");
        s.generation = 1;
        break;
    }
    return s;
}

/* Good values for a certificate of that profile by ca; name is where its subject goes. */
static inline struct certificate_input
pki_input(const struct pki *pki, const struct profile *p, const struct pki_ca *ca, struct buf *name)
{
    struct subject s = pki_subject(p);
    struct certificate_input in = { .profile = p,
                                    .serial = { (const char *)pki_serial, SERIAL_LEN },
                                    .issuer = buf_view(&ca->name),
                                    .issuer_key_id = { (const char *)ca->key_id, KEY_ID_LEN },
                                    .spki = buf_view(&pki->holder_spki),
                                    .sig_alg = profile_sig_alg(key_algorithm(ca->key)),
                                    .not_before = pki->now,
                                    .not_after = profile_not_after(p, pki->now),
                                    .urls = pki_urls,
                                    .dns = s.dns,
                                    .dns_n = s.dns_n };
    struct why why = WHY_INIT;

    if (name_encode(p, &s, name, &why) != OK)
        panic("%s", why.text);
    in.subject = buf_view(name);
    return in;
}

static inline void
pki_sign(struct key *key, enum key_purpose purpose, struct str tbs, struct buf *sig)
{
    struct why why = WHY_INIT;

    if (key_sign(key, purpose, profile_sig_alg(key_algorithm(key)), tbs, false, sig, &why) != OK)
        panic("%s", why.text);
}

/* Encodes, signs, assembles. */
static inline void
pki_issue(const struct certificate_input *in, const struct pki_ca *ca, struct buf *out)
{
    AUTO(buf_free) struct buf tbs = BUF_BOUNDED(CERTIFICATE_MAX), sig = BUF_BOUNDED(1024);
    struct why why = WHY_INIT;

    if (certificate_tbs_encode(in, &tbs, &why) != OK)
        panic("%s", why.text);
    pki_sign(ca->key, KEY_CA_SIGN, buf_view(&tbs), &sig);
    if (certificate_assemble(buf_view(&tbs), in->sig_alg, buf_view(&sig), out, &why) != OK)
        panic("%s", why.text);
}

static inline void
pki_ca_make(struct pki *pki, struct pki_ca *ca, const struct pki_ca *issuer, const char *profile, const char *common_name,
            enum key_alg alg, int bits, utime not_before)
{
    const struct profile *p = pki_profile(pki, profile);
    struct subject s = pki_subject(p);
    struct certificate_input in;
    struct why why = WHY_INIT;

    *ca = (struct pki_ca){ .name = BUF_BOUNDED(NAME_MAX_LEN), .spki = BUF_BOUNDED(4096), .der = BUF_BOUNDED(CERTIFICATE_MAX) };
    s.common_name = str_of(common_name);
    if (key_generate(alg, bits, KEY_CA_SIGN, &ca->key) != OK || name_encode(p, &s, &ca->name, &why) != OK)
        panic("%s", why.text);
    key_spki(ca->key, &ca->spki);
    if (key_id(buf_view(&ca->spki), ca->key_id, &why) != OK)
        panic("%s", why.text);
    issuer = issuer == NULL ? ca : issuer;
    ca->not_before = not_before;
    ca->not_after = profile_not_after(p, not_before);
    in = (struct certificate_input){ .profile = p,
                                     .serial = { (const char *)pki_serial, SERIAL_LEN },
                                     .issuer = buf_view(&issuer->name),
                                     .issuer_key_id = { (const char *)issuer->key_id, KEY_ID_LEN },
                                     .subject = buf_view(&ca->name),
                                     .spki = buf_view(&ca->spki),
                                     .sig_alg = profile_sig_alg(key_algorithm(issuer->key)),
                                     .not_before = ca->not_before,
                                     .not_after = ca->not_after,
                                     .urls = pki_urls };
    pki_issue(&in, issuer, &ca->der);
}

static inline void
pki_ca_done(struct pki_ca *ca)
{
    key_free(ca->key);
    buf_free(&ca->name);
    buf_free(&ca->spki);
    buf_free(&ca->der);
}

/* The issuing authority's key is of that kind; the rest P-256. */
static inline void
pki_make(struct pki *pki, enum key_alg alg, int bits)
{
    struct why why = WHY_INIT;

    *pki = (struct pki){ .holder_spki = BUF_BOUNDED(1024) };
    if (profile_set_load(SOURCE_DIR "/pki/profiles", &pki->profiles, &why) != OK)
        panic("%s", why.text);
    /* a year ago, so that other programs take today for inside */
    pki->now = (clock_now() / USEC_PER_SEC - INT64_C(31536000)) * USEC_PER_SEC;
    pki_ca_make(pki, &pki->root, NULL, "root-ca", "Beffroi Racine", KEY_P256, 0, pki->now - 2 * USEC_PER_HOUR);
    pki_ca_make(pki, &pki->issuing, &pki->root, "issuing-ca", "Beffroi Cartes", alg, bits, pki->now - USEC_PER_HOUR);
    if (key_generate(KEY_P256, 0, KEY_TLS, &pki->holder) != OK)
        panic("key");
    key_spki(pki->holder, &pki->holder_spki);
    pki->now = (clock_now() / USEC_PER_SEC - 3600) * USEC_PER_SEC;
}

static inline void
pki_done(struct pki *pki)
{
    pki_ca_done(&pki->root);
    pki_ca_done(&pki->issuing);
    key_free(pki->holder);
    buf_free(&pki->holder_spki);
    profile_set_free(&pki->profiles);
}

static inline void
pki_write_pem(struct tool_folder *f, const char *name, const char *label, struct str der)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED((size_t)64 << 20), base64 = BUF_BOUNDED((size_t)64 << 20);

    base64_encode(&base64, der.p, der.n);
    buf_addf(&text, "-----BEGIN %s-----\n", label);
    for (size_t i = 0; i < base64.len; i += 64)
        buf_addf(&text, "%.*s\n", (int)(base64.len - i < 64 ? base64.len - i : 64), base64.data + i);
    buf_addf(&text, "-----END %s-----\n", label);
    tool_write(f, name, buf_view(&text));
}

/* An Extension (RFC 5280 §4.1), appended to out; a view of it. */
static inline struct str
pki_extension(struct buf *out, struct str oid, bool critical, struct str value)
{
    const size_t start = out->len, begun = der_begin(out, DER_SEQUENCE);

    der_add_oid(out, oid);
    if (critical)
        der_add_true(out, DER_BOOLEAN);
    der_add(out, DER_OCTET_STRING, value);
    der_end(out, begun);
    return (struct str){ out->data + start, out->len - start };
}

/* Which of these extensions has that identifier. */
static inline size_t
pki_extension_index(const struct str *extensions, size_t n, struct str oid)
{
    for (size_t i = 0; i < n; i++) {
        struct str in = extensions[i], content = STR_NULL, got = STR_NULL;

        if (der_expect(&in, DER_SEQUENCE, &content) == OK && der_expect(&content, DER_OID, &got) == OK && str_eq(got, oid))
            return i;
    }
    fail_msg("no such extension");
    return 0;
}

#endif
