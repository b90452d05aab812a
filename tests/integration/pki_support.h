/*
 * pki_support: an authority to test with: schema, persons with roles, custodians with shares, CAs with keys, requests.
 * Everything is made through the rooms of the program; nothing here is a shortcut that the program does not have.
 */
#ifndef TESTS_INTEGRATION_PKI_SUPPORT_H
#define TESTS_INTEGRATION_PKI_SUPPORT_H

#include "tests/integration/pg_support.h"

#include "base/core/enc.h"
#include "base/core/rand.h"
#include "base/crypto/der-oid.h"
#include "base/crypto/der.h"
#include "base/pg/audit.h"
#include "base/pg/migrate.h"
#include "pki/authority/alarm.h"
#include "pki/authority/certificate.h"
#include "pki/authority/crl.h"
#include "pki/authority/crl_due.h"
#include "pki/authority/issue.h"
#include "pki/authority/revocation.h"
#include "pki/custody/vault.h"
#include "pki/encode/certificate.h"

#define DAY USEC_PER_DAY
#define YEAR (365 * DAY)

static const struct pg_stmts *const pki_test_stmts[] = {
    &audit_stmts, &pki_person_stmts, &grant_stmts, &approval_stmts, &ca_stmts, &custodian_stmts, &ceremony_stmts,
    &registration_stmts, &request_stmts, &issue_stmts, &certificate_stmts, &certificate_timer_stmts, &alarm_stmts,
    &revocation_stmts, &crl_stmts, &crl_due_stmts, NULL };

#define PKI_HUMANS 4
struct pki_world {
    char conninfo[600];
    struct pg_config conf;
    struct pg *pg;
    struct arena *a;
    utime now;
    char ceremony[37];
    struct pki_human { const char *name; enum role role; char id[37]; struct key *k; struct buf spki; } humans[PKI_HUMANS];
    struct why why;
};

static inline void
pki_human_make(struct pki_world *w, struct pki_human *h)
{
    struct grant g = { .role = h->role, .from = w->now - DAY, .until = w->now + YEAR };

    h->spki = (struct buf)BUF_BOUNDED(128);
    rand_uuid(h->id);
    assert_int_equal(key_generate(KEY_ED25519, 0, KEY_PERSON_SIGN, &h->k), OK);
    key_spki(h->k, &h->spki);
    assert_ok(pki_person_add(w->pg, h->id, h->name, "Somebody", buf_view(&h->spki), "operator:test", w->now, &w->why), &w->why);
    rand_uuid(g.id);
    memcpy(g.person, h->id, sizeof(g.person));
    g.name = h->name;
    g.public_key = buf_view(&h->spki);
    assert_ok(grant_by_ceremony(w->pg, &g, w->ceremony, "ceremony", w->now, &w->why), &w->why);
}

/* now: the time of the world, whole seconds. */
static inline void
pki_world_begin(struct pki_world *w, utime now)
{
    struct ceremony_row row = { .kind = "root", .ca_name = "root", .record = STR_LIT("the record\n"), .at = now };
    struct migrate_report report;

    *w = (struct pki_world){ .now = now, .humans = { { .name = "alice", .role = ROLE_CUSTODIAN }, { .name = "bruno",
        .role = ROLE_CUSTODIAN }, { .name = "chloe", .role = ROLE_REGISTRATION }, { .name = "denis", .role = ROLE_VALIDATION } } };
    operator_run("DROP SCHEMA IF EXISTS pki CASCADE", NULL, 0);
    test_conninfo("options='-c search_path=pki'", w->conninfo, sizeof(w->conninfo));
    assert_ok(migrate_run(w->conninfo, "pki", SOURCE_DIR "/migrations/pki", false, &report, &w->why), &w->why);
    w->conf = (struct pg_config){ .conninfo = w->conninfo, .stmts = pki_test_stmts, .schema = "pki", .schema_min = 1,
                                  .schema_max = 99 };
    assert_ok(pg_open(&w->conf, &w->pg, &w->why), &w->why);
    w->a = arena_new(64 << 20);
    rand_uuid(w->ceremony);
    memcpy(row.id, w->ceremony, sizeof(row.id));
    assert_ok(ceremony_add(w->pg, &row, NULL, 0, &w->why), &w->why);
    for (size_t i = 0; i < PKI_HUMANS; i++)
        pki_human_make(w, &w->humans[i]);
}

static inline void
pki_world_end(struct pki_world *w)
{
    for (size_t i = 0; i < PKI_HUMANS; i++) {
        key_free(w->humans[i].k);
        buf_free(&w->humans[i].spki);
    }
    arena_free(w->a);
    pg_close(w->pg);
}

/* A CA whose public half is that of key; active. root_id 0: it is the root. Its certificate is not looked at by the signer. */
static inline void
pki_ca_make(struct pki_world *w, const char *name, const struct key *key, const char *key_uri, const char *set, int root_id,
            struct ca *ret)
{
    AUTO(buf_free) struct buf spki = BUF_BOUNDED(1024), subject = BUF_BOUNDED(512);
    unsigned char id[KEY_ID_LEN], serial[16];
    const size_t begun = der_begin(&subject, DER_SEQUENCE), set_of = der_begin(&subject, DER_SET),
                 pair = der_begin(&subject, DER_SEQUENCE);
    struct ca ca = { .name = name, .generation = 1, .root = root_id == 0, .issuer_id = root_id, .state = CA_ACTIVE,
                     .key_uri = key_uri, .not_before = w->now - DAY, .not_after = w->now + 8 * YEAR, .shards = 1,
                     .crl_period = DAY, .crl_life = 3 * DAY, .delta = true, .certificate = STR_LIT("C") };
    int ca_id = 0;

    der_add_oid(&subject, OID_AT_COMMON_NAME);
    assert_int_equal(der_add_utf8(&subject, str_of(name)), OK);
    der_end(&subject, pair);
    der_end(&subject, set_of);
    der_end(&subject, begun);
    key_spki(key, &spki);
    assert_ok(key_id(buf_view(&spki), id, &w->why), &w->why);
    rand_bytes(serial, sizeof(serial));
    serial[0] = 0x5a;
    memcpy(ca.set_id, set, sizeof(ca.set_id));
    ca.subject = (struct str){ arena_dup(w->a, subject.data, subject.len), subject.len };
    ca.spki = (struct str){ arena_dup(w->a, spki.data, spki.len), spki.len };
    ca.key_id = (struct str){ arena_dup(w->a, id, sizeof(id)), sizeof(id) };
    ca.serial = (struct str){ arena_dup(w->a, serial, sizeof(serial)), sizeof(serial) };
    assert_ok(ca_add(w->pg, &ca, w->now, &ca_id, &w->why), &w->why);
    assert_ok(ca_by_id(w->pg, ca_id, w->a, ret, &w->why), &w->why);
}

/* Gives that CA a certificate of its issuer (itself, for a root), as a ceremony would. */
static inline void
pki_ca_certify(struct pki_world *w, const struct profile *p, struct ca *ca, const struct ca *issuer, struct key *issuer_key)
{
    AUTO(buf_free) struct buf tbs = BUF_BOUNDED(CERTIFICATE_MAX), sig = BUF_BOUNDED(1024), der = BUF_BOUNDED(CERTIFICATE_MAX),
                              hex = BUF_BOUNDED(4 * CERTIFICATE_MAX), serial_hex = BUF_BOUNDED(64);
    const enum sig_alg alg = profile_sig_alg(key_algorithm(issuer_key));
    unsigned char serial[SERIAL_LEN];
    const struct certificate_input in = {
        .profile = p, .serial = { (const char *)serial, sizeof(serial) }, .issuer = issuer->subject, .issuer_key_id = issuer->key_id,
        .subject = ca->subject, .spki = ca->spki, .sig_alg = alg, .not_before = ca->not_before, .not_after = ca->not_after,
        .urls = { STR_LIT("http://pki.example/crl/root-g1.crl"), STR_LIT("http://pki.example/crl/root-g1-delta.crl"),
                  STR_LIT("http://pki.example/ocsp"), STR_LIT("http://pki.example/ca/root-g1.cer") } };

    certificate_serial_draw(serial);
    assert_ok(certificate_tbs_encode(&in, &tbs, &w->why), &w->why);
    assert_ok(key_sign(issuer_key, KEY_CA_SIGN, alg, buf_view(&tbs), false, &sig, &w->why), &w->why);
    assert_ok(certificate_assemble(buf_view(&tbs), alg, buf_view(&sig), &der, &w->why), &w->why);
    hex_encode(&hex, der.data, der.len);
    hex_encode(&serial_hex, serial, sizeof(serial));
    operator_run(arena_printf(w->a, "UPDATE pki.ca SET certificate = '\\x%s', serial = '\\x%s' WHERE id = %d", buf_cstr(&hex),
                              buf_cstr(&serial_hex), ca->id), NULL, 0);
    assert_ok(ca_by_id(w->pg, ca->id, w->a, ca, &w->why), &w->why);
}

/* PKCS#10 without names, signed by its own key. */
static inline struct str
pki_csr_make(struct pki_world *w, struct key *key)
{
    AUTO(buf_free) struct buf info = BUF_BOUNDED(4096), all = BUF_BOUNDED(8192), sig = BUF_BOUNDED(1024);
    size_t begun = der_begin(&info, DER_SEQUENCE), part;

    der_add_number(&info, DER_INTEGER, 0);
    part = der_begin(&info, DER_SEQUENCE);
    der_end(&info, part);
    key_spki(key, &info);
    part = der_begin(&info, DER_CONTEXT(0));
    der_end(&info, part);
    der_end(&info, begun);
    assert_ok(key_sign(key, KEY_CA_SIGN, key_default_alg(key), buf_view(&info), false, &sig, &w->why), &w->why);
    begun = der_begin(&all, DER_SEQUENCE);
    buf_add_str(&all, buf_view(&info));
    if (key_algorithm(key) == KEY_ED25519) {
        part = der_begin(&all, DER_SEQUENCE);
        der_add_oid(&all, OID_ED25519);
        der_end(&all, part);
    } else {
        assert_ok(sig_alg_encode(key_default_alg(key), &all, &w->why), &w->why);
    }
    der_add_bit_string(&all, buf_view(&sig));
    der_end(&all, begun);
    assert_true(buf_ok(&all));
    return (struct str){ arena_dup(w->a, all.data, all.len), all.len };
}

/* An open registration of an operator's. */
static inline struct registration
pki_registration_make(struct pki_world *w, const struct keyring *field, const char *profile, const char *holder,
                      const struct subject *names, enum profile_support support, enum profile_proof proof)
{
    AUTO(buf_free) struct buf sealed = BUF_BOUNDED(REGISTRATION_SUBJECT_MAX);
    struct registration r = { .profile = profile, .town = "", .holder = holder, .support = support, .proof = proof,
                              .proof_ref = "pv-1", .proof_at = proof == PROOF_NONE ? UTIME_NULL : w->now - 10 * DAY,
                              .state = REGISTRATION_OPEN };

    rand_uuid(r.id);
    assert_ok(registration_seal(field, r.id, names, &sealed, &w->why), &w->why);
    r.subject = (struct str){ arena_dup(w->a, sealed.data, sealed.len), sealed.len };
    assert_ok(registration_add(w->pg, &r, "operator:test", w->now, NULL, &w->why), &w->why);
    return r;
}

/* A request of an operator for that key; its id. */
static inline const char *
pki_request_make(struct pki_world *w, const struct registration *r, struct key *key, enum request_kind kind,
                 const char *replaces)
{
    AUTO(buf_free) struct buf spki = BUF_BOUNDED(1024);
    struct request q = { .kind = kind, .origin = REQUEST_OPERATOR, .csr = pki_csr_make(w, key) };
    char id[37];

    rand_uuid(q.id);
    memcpy(q.registration, r->id, sizeof(q.registration));
    snprintf(q.replaces, sizeof(q.replaces), "%s", replaces);
    key_spki(key, &spki);
    sha256(buf_view(&spki), q.spki_sha256);
    assert_ok(request_add(w->pg, &q, "operator:test", w->now, id, NULL, &w->why), &w->why);
    return arena_strdup(w->a, id);
}

static inline struct key *
pki_key_make(enum key_alg alg, int bits)
{
    struct key *k = NULL;

    assert_int_equal(key_generate(alg, bits, KEY_CA_SIGN, &k), OK);      /* a purpose that signs */
    return k;
}

/* One person's yes to a request. */
static inline enum err
pki_approve(struct pki_world *w, const struct keyring *field, size_t human, const char *id, bool *ret_enough)
{
    AUTO(buf_free) struct buf names = BUF_BOUNDED(REGISTRATION_SUBJECT_MAX), sig = BUF_BOUNDED(64);
    unsigned char subject[SHA256_LEN];
    struct registration r;
    struct request q;
    struct subject s;

    assert_ok(request_find(w->pg, id, w->a, &q, &w->why), &w->why);
    assert_ok(registration_find(w->pg, q.registration, w->a, &r, &w->why), &w->why);
    if (r.subject.p != NULL) {
        assert_ok(registration_open(field, &r, w->a, &s, &w->why), &w->why);
        registration_subject_text(&s, &names);
    }
    request_subject(&q, &r, buf_view(&names), subject);
    assert_ok(approval_sign(w->humans[human].k, APPROVE_REQUEST, w->now, subject, &sig, &w->why), &w->why);
    return request_approve(w->pg, field, id, &(struct signed_yes){ w->humans[human].id, buf_view(&sig), w->now },
                           "operator:test", w->now, ret_enough, &w->why);
}

static inline void
pki_approve_two(struct pki_world *w, const struct keyring *field, const char *id)
{
    bool enough = true;

    assert_ok(pki_approve(w, field, 2, id, &enough), &w->why);
    assert_false(enough);
    assert_ok(pki_approve(w, field, 3, id, &enough), &w->why);
    assert_true(enough);
}

#endif
