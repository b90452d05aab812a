/* pki_authority: authorities with certificates that others read and verify; those of pki_support.h have none. */
#ifndef TESTS_INTEGRATION_PKI_AUTHORITY_H
#define TESTS_INTEGRATION_PKI_AUTHORITY_H

#include "tests/integration/pki_support.h"

#include "pki/encode/certificate.h"

struct pki_authority {
    const char *name, *profile;
    struct key *key;
    const char *key_uri;
    int shards;
    const char *set;                 /* activation secret */
    const char *base_url;
};

/* Active, generation 1; signed by issuer, NULL: by itself. Keys are P-256. */
static inline void
pki_authority_make(struct pki_world *w, const struct profile_set *profiles, const struct pki_authority *from, struct key *issuer_key,
                   const struct ca *issuer, struct ca *ret)
{
    AUTO(buf_free) struct buf subject = BUF_BOUNDED(NAME_MAX_LEN), spki = BUF_BOUNDED(4096), tbs = BUF_BOUNDED(CERTIFICATE_MAX),
                              sig = BUF_BOUNDED(1024), der = BUF_BOUNDED(CERTIFICATE_MAX);
    const struct profile *p = profile_set_find(profiles, str_of(from->profile));
    const struct subject s = { .common_name = str_of(from->name), .organization = STR_LIT("Operator"),
                               .identifier = STR_LIT("732829320"), .generation = 1 };
    unsigned char serial[SERIAL_LEN], id[KEY_ID_LEN];
    struct certificate_input in = { .profile = p, .serial = { (const char *)serial, SERIAL_LEN }, .sig_alg = SIG_ES256,
                                    .not_before = w->now - DAY };
    struct ca ca = { .name = from->name, .generation = 1, .root = issuer == NULL, .state = CA_ACTIVE, .key_uri = from->key_uri,
                     .shards = from->shards, .issuer_id = issuer == NULL ? 0 : issuer->id, .crl_period = DAY, .crl_life = 3 * DAY,
                     .delta = true };
    const char *base = from->base_url;
    int ca_id = 0;

    certificate_serial_draw(serial);
    assert_ok(name_encode(p, &s, &subject, &w->why), &w->why);
    key_spki(from->key, &spki);
    assert_ok(key_id(buf_view(&spki), id, &w->why), &w->why);
    in.issuer = issuer == NULL ? buf_view(&subject) : issuer->subject;
    in.issuer_key_id = issuer == NULL ? (struct str){ (const char *)id, sizeof(id) } : issuer->key_id;
    in.subject = buf_view(&subject);
    in.spki = buf_view(&spki);
    in.not_after = profile_not_after(p, in.not_before);
    in.urls = (struct certificate_urls){ str_of(arena_printf(w->a, "%s/crl/root-g1.crl", base)),
                                         str_of(arena_printf(w->a, "%s/crl/root-g1-delta.crl", base)),
                                         str_of(arena_printf(w->a, "%s/ocsp", base)), str_of(arena_printf(w->a, "%s/ca/root-g1.cer", base)) };
    assert_ok(certificate_tbs_encode(&in, &tbs, &w->why), &w->why);
    assert_ok(key_sign(issuer_key, KEY_CA_SIGN, SIG_ES256, buf_view(&tbs), false, &sig, &w->why), &w->why);
    assert_ok(certificate_assemble(buf_view(&tbs), SIG_ES256, buf_view(&sig), &der, &w->why), &w->why);
    memcpy(ca.set_id, from->set, sizeof(ca.set_id));
    ca.subject = buf_view(&subject);
    ca.serial = in.serial;
    ca.spki = buf_view(&spki);
    ca.key_id = (struct str){ (const char *)id, sizeof(id) };
    ca.certificate = buf_view(&der);
    ca.not_before = in.not_before;
    ca.not_after = in.not_after;
    assert_ok(ca_add(w->pg, &ca, w->now, &ca_id, &w->why), &w->why);
    assert_ok(ca_by_id(w->pg, ca_id, w->a, ret, &w->why), &w->why);
}

#endif
