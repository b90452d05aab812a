/*
 * pki/encode/certificate and name: a certificate of each shipped profile is read by OpenSSL, GnuTLS and NSS, which agree with
 * what was asked, and verify it strictly; each refusal changes one value.
 */
#include "tests/unit/pki_support.h"

static struct pki pki;
static struct tool_folder folder;

static int
setup(void **state)
{
    (void)state;
    pki_make(&pki, KEY_P256, 0);
    tool_folder_make(&folder);
    return 0;
}

static int
teardown(void **state)
{
    static const char *const names[] = { "root.pem", "ca.pem", "leaf.pem", "leaf.der" };

    (void)state;
    pki_done(&pki);
    tool_folder_remove(&folder, names, ARRAY_LEN(names));
    return 0;
}

/* Writes the certificates for the other programs. */
static void
put_chain(const struct pki_ca *root, const struct pki_ca *ca, struct str leaf)
{
    pki_write_pem(&folder, "root.pem", "CERTIFICATE", buf_view(&root->der));
    pki_write_pem(&folder, "ca.pem", "CERTIFICATE", buf_view(&ca->der));
    pki_write_pem(&folder, "leaf.pem", "CERTIFICATE", leaf);
    tool_write(&folder, "leaf.der", leaf);
}

static void
expect_text(const char *label, const struct buf *text, const char *const *wants)
{
    for (; *wants != NULL; wants++)
        if (strstr(text->data, *wants) == NULL)
            fail_msg("%s: no \"%s\" in\n%s", label, *wants, text->data);
}

/* openssl verify, strictly, with the purpose that the profile is for. */
static void
openssl_accepts(const char *label, const char *purpose)
{
    AUTO(buf_free) struct buf said = BUF_BOUNDED(65536);
    char root[128], ca[128], leaf[128];

    snprintf(root, sizeof(root), "%s", tool_file(&folder, "root.pem"));
    snprintf(ca, sizeof(ca), "%s", tool_file(&folder, "ca.pem"));
    snprintf(leaf, sizeof(leaf), "%s", tool_file(&folder, "leaf.pem"));
    if (TOOL(true, &said, "openssl", "verify", "-x509_strict", "-policy_check", "-purpose", purpose, "-CAfile", root, "-untrusted",
             ca, leaf) != 0)
        fail_msg("%s: %s", label, buf_cstr(&said));
}

/* certtool and NSS's printer read it and see the same serial number. */
static void
others_read(const char *label)
{
    AUTO(buf_free) struct buf gnutls = BUF_BOUNDED(65536), nss = BUF_BOUNDED(65536);
    static const char *const serial[] = { "5a0102030405060708090a0b0c0d0eff", NULL };
    static const char *const pretty[] = { "5a:01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:ff", NULL };
    char leaf[128];

    snprintf(leaf, sizeof(leaf), "%s", tool_file(&folder, "leaf.pem"));
    if (TOOL(true, &gnutls, "certtool", "--certificate-info", "--infile", leaf) != 0)
        fail_msg("%s: certtool: %s", label, buf_cstr(&gnutls));
    expect_text(label, &gnutls, serial);
    snprintf(leaf, sizeof(leaf), "%s", tool_file(&folder, "leaf.der"));
    if (TOOL(true, &nss, "nss-pp", "-t", "certificate", "-i", leaf, "-u") != 0)
        fail_msg("%s: nss-pp: %s", label, buf_cstr(&nss));
    expect_text(label, &nss, pretty);
}

static void
test_every_profile(void **state)
{
    static const struct {
        const char *profile, *purpose;
        const char *text[9];
    } rows[] = {
        { "citizen-soft", "sslclient",
          { "Subject: C=FR, CN=PSEUDO:7QX4-2M9K-P\n", "X509v3 Key Usage: critical\n                Digital Signature\n",
            "TLS Web Client Authentication\n", "Policy: 2.999.1.1.1\n", "URI:http://crl.ville.example/crl/cards.crl\n",
            "X509v3 Freshest CRL:", "OCSP - URI:http://ocsp.ville.example/ocsp\n",
            "CA Issuers - URI:http://crl.ville.example/ca/cards.cer\n" } },
        { "citizen-soft-named", "sslclient",
          { "Subject: C=FR, SN=N'Guy\xe1\xbb\x85n, GN=Marie-\xc3\x88ve, serialNumber=b7f09c12\n" } },
        { "citizen-card", "sslclient", { "Policy: 2.999.1.3.2\n" } },
        { "citizen-card-named", "sslclient", { "Policy: 2.999.1.4.2\n" } },
        { "citizen-card-sign", "smimesign", { "Non Repudiation\n", "E-mail Protection\n" } },
        { "citizen-card-local", "sslclient", { "Policy: 2.999.1.6.0\n" } },
        { "agent-card", "sslclient",
          { "Subject: C=FR, O=Commune de Ville-sur-Mer, organizationIdentifier=NTRFR-73282932000074, OU=0002 73282932000074, "
            "SN=Le Goff, GN=Ana\xc3\xafs\n" } },
        { "server", "sslserver",
          { "Subject: C=FR, CN=idp.ville.example\n", "DNS:idp.ville.example, DNS:*.ville.example\n",
            "TLS Web Server Authentication\n" } },
        { "town", "sslclient", { "Subject: C=FR, CN=mairie-ville-sur-mer\n" } },
        { "station", "sslclient", { "Policy: 2.999.1.10.1\n" } },
        { "responder", "ocsphelper",
          { "OCSP Signing\n", "OCSP No Check", "Subject: C=FR, CN=Beffroi OCSP\n" } },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf_free) struct buf name = BUF_BOUNDED(NAME_MAX_LEN), der = BUF_BOUNDED(CERTIFICATE_MAX), text = BUF_BOUNDED(65536);
        const struct profile *p = pki_profile(&pki, rows[i].profile);
        const struct certificate_input in = pki_input(&pki, p, &pki.issuing, &name);
        char leaf[128];

        pki_issue(&in, &pki.issuing, &der);
        assert_row(rows[i].profile, der_check(buf_view(&der), CERTIFICATE_MAX, NULL) == OK);
        put_chain(&pki.root, &pki.issuing, buf_view(&der));
        openssl_accepts(rows[i].profile, rows[i].purpose);
        others_read(rows[i].profile);
        snprintf(leaf, sizeof(leaf), "%s", tool_file(&folder, "leaf.pem"));
        assert_row(rows[i].profile,
                   TOOL(true, &text, "openssl", "x509", "-noout", "-text", "-nameopt", "oneline,-esc_msb,utf8,-space_eq", "-in", leaf) == 0);
        expect_text(rows[i].profile, &text, rows[i].text);
        assert_row(rows[i].profile, strstr(text.data, "Basic Constraints") == NULL);      /* of authorities only */
    }
}

static void
test_authorities(void **state)
{
    static const char *const root[] = { "Subject: C=FR, O=Op\xc3\xa9rateur, organizationIdentifier=NTRFR-732829320, OU=0002 732829320, CN=Beffroi Racine G1\n",
                                        "X509v3 Basic Constraints: critical\n                CA:TRUE, pathlen:1\n",
                                        "Certificate Sign, CRL Sign\n", NULL },
                             *const issuing[] = { "CN=Beffroi Cartes G1\n", "CA:TRUE, pathlen:0\n", "Policy: X509v3 Any Policy\n",
                                                  NULL };
    AUTO(buf_free) struct buf text = BUF_BOUNDED(65536), of_root = BUF_BOUNDED(65536);
    char path[128];

    (void)state;
    put_chain(&pki.root, &pki.root, buf_view(&pki.issuing.der));
    openssl_accepts("issuing", "any");
    others_read("issuing");
    snprintf(path, sizeof(path), "%s", tool_file(&folder, "leaf.pem"));
    assert_int_equal(TOOL(true, &text, "openssl", "x509", "-noout", "-text", "-nameopt", "oneline,-esc_msb,utf8,-space_eq", "-in", path), 0);
    expect_text("issuing", &text, issuing);
    snprintf(path, sizeof(path), "%s", tool_file(&folder, "root.pem"));
    assert_int_equal(TOOL(true, &of_root, "openssl", "x509", "-noout", "-text", "-nameopt", "oneline,-esc_msb,utf8,-space_eq", "-in", path),
                     0);
    expect_text("root", &of_root, root);
    assert_null(strstr(of_root.data, "CRL Distribution"));
    /* GnuTLS verifies the chain by its own rules */
    {
        AUTO(buf_free) struct buf said = BUF_BOUNDED(65536);
        char ca[128];

        snprintf(ca, sizeof(ca), "%s", tool_file(&folder, "leaf.pem"));
        if (TOOL(true, &said, "certtool", "--verify", "--load-ca-certificate", path, "--infile", ca) != 0)
            fail_msg("certtool: %s", buf_cstr(&said));
    }
}

/* Other keys, past 2049, name constraints, TEST names, statement of practice. */
static void
test_variants(void **state)
{
    static const struct str suffix[] = { STR_LIT("ville.example"), STR_LIT("localhost") };
    static const char *const constrained[] = { "X509v3 Name Constraints: critical", "DNS:ville.example", "DNS:localhost", "Excluded:",
                                               NULL };
    struct pki rsa, p384;
    AUTO(buf_free) struct buf name = BUF_BOUNDED(NAME_MAX_LEN), der = BUF_BOUNDED(CERTIFICATE_MAX), text = BUF_BOUNDED(65536);
    struct certificate_input in;
    char leaf[128];

    (void)state;
    pki_make(&rsa, KEY_RSA, 3072);
    pki_make(&p384, KEY_P384, 0);
    for (size_t i = 0; i < 2; i++) {
        struct pki *one = i == 0 ? &rsa : &p384;

        buf_reset(&name);
        buf_reset(&der);
        in = pki_input(one, pki_profile(one, "citizen-card"), &one->issuing, &name);
        pki_issue(&in, &one->issuing, &der);
        put_chain(&one->root, &one->issuing, buf_view(&der));
        openssl_accepts(i == 0 ? "RSA" : "P-384", "sslclient");
        others_read(i == 0 ? "RSA" : "P-384");
    }
    pki_done(&rsa);
    pki_done(&p384);

    buf_reset(&name);
    buf_reset(&der);
    in = pki_input(&pki, pki_profile(&pki, "issuing-ca"), &pki.root, &name);
    in.permitted_dns = suffix;
    in.permitted_dns_n = 2;
    pki_issue(&in, &pki.root, &der);
    put_chain(&pki.root, &pki.root, buf_view(&der));
    openssl_accepts("constrained", "any");
    others_read("constrained");
    snprintf(leaf, sizeof(leaf), "%s", tool_file(&folder, "leaf.pem"));
    assert_int_equal(TOOL(true, &text, "openssl", "x509", "-noout", "-text", "-in", leaf), 0);
    expect_text("constrained", &text, constrained);
}

static void
test_test_names(void **state)
{
    struct profile p = *pki_profile(&pki, "citizen-soft-named");
    const struct subject s = pki_subject(&p);
    AUTO(buf_free) struct buf name = BUF_BOUNDED(NAME_MAX_LEN);

    (void)state;
    p.test = true;
    assert_int_equal(name_encode(&p, &s, &name, NULL), OK);
    assert_non_null(memmem(name.data, name.len, "TEST Marie-", 11));
    assert_non_null(memmem(name.data, name.len, "TEST N'Guy", 10));
    assert_null(memmem(name.data, name.len, "TEST b7f0", 9));
}

/* RFC 5280 §4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050. */
static void
test_times(void **state)
{
    AUTO(buf_free) struct buf name = BUF_BOUNDED(NAME_MAX_LEN), tbs = BUF_BOUNDED(CERTIFICATE_MAX);
    struct certificate_input in = pki_input(&pki, pki_profile(&pki, "root-ca"), &pki.root, &name);

    (void)state;
    assert_int_equal(utime_parse("2040-01-01T00:00:00Z", &in.not_before), OK);
    assert_int_equal(utime_parse("2049-12-31T23:59:59Z", &in.not_after), OK);
    assert_int_equal(certificate_tbs_encode(&in, &tbs, NULL), OK);
    assert_non_null(memmem(tbs.data, tbs.len, "\x17\x0d""400101000000Z\x17\x0d""491231235959Z", 30));
    buf_reset(&tbs);
    in.not_after += USEC_PER_SEC;
    assert_int_equal(certificate_tbs_encode(&in, &tbs, NULL), OK);
    assert_non_null(memmem(tbs.data, tbs.len, "\x17\x0d""400101000000Z\x18\x0f""20500101000000Z", 32));
}

static void
test_refusals(void **state)
{
    static const unsigned char negative[16] = { 0x80 }, zero[16] = { 0, 0x80 }, ones[21] = { 1 };
    AUTO(buf_free) struct buf name = BUF_BOUNDED(NAME_MAX_LEN), tbs = BUF_BOUNDED(CERTIFICATE_MAX);
    const struct certificate_input good = pki_input(&pki, pki_profile(&pki, "citizen-card"), &pki.issuing, &name);
    struct certificate_input in;
    struct why why = WHY_INIT;

    (void)state;
#define REFUSED(change, want)                                                                       \
    do {                                                                                            \
        in = good;                                                                                  \
        buf_reset(&tbs);                                                                            \
        assert_int_equal(certificate_tbs_encode(&in, &tbs, &why), OK);                              \
        change;                                                                                     \
        buf_reset(&tbs);                                                                            \
        assert_row(want, certificate_tbs_encode(&in, &tbs, &why) == ERR_INPUT);                     \
        assert_row(want, want[0] == '\0' || strcmp(why.code, want) == 0);                           \
    } while (0)
    REFUSED(in.serial = str_of("12345678"), "pki.certificate.serial");
    REFUSED(in.serial = ((struct str){ (const char *)ones, sizeof(ones) }), "pki.certificate.serial");
    REFUSED(in.serial = ((struct str){ (const char *)zero, sizeof(zero) }), "pki.certificate.serial");
    REFUSED(in.serial = ((struct str){ (const char *)negative, sizeof(negative) }), "pki.certificate.serial");
    REFUSED(in.not_after = in.not_before - 1, "pki.certificate.dates");
    REFUSED(in.not_after = INT64_C(253402300800) * USEC_PER_SEC, "pki.certificate.dates");
    REFUSED(in.urls.crl = STR_NULL, "pki.certificate.url");
    REFUSED(in.urls.delta_crl = STR_LIT("https://crl.ville.example/x"), "pki.certificate.url");
    REFUSED(in.urls.ocsp = STR_LIT("http://"), "pki.certificate.url");
    REFUSED(in.urls.ca_issuers = STR_LIT("http://a b"), "pki.certificate.url");
    REFUSED(in.spki = STR_LIT("\x30\x00"), "");
#undef REFUSED
    in = good;
    in.sig_alg = SIG_EDDSA;
    assert_int_equal(certificate_tbs_encode(&in, &tbs, NULL), ERR_DENIED);
}

static void
test_serials(void **state)
{
    unsigned char serial[SERIAL_LEN], all[SERIAL_LEN] = { 0 };

    (void)state;
    for (int i = 0; i < 2000; i++) {
        certificate_serial_draw(serial);
        assert_true(serial[0] > 0 && serial[0] < 0x80);
        for (size_t k = 0; k < SERIAL_LEN; k++)
            all[k] |= serial[k];
    }
    assert_int_equal(all[0], 0x7f);
    for (size_t k = 1; k < SERIAL_LEN; k++)
        assert_int_equal(all[k], 0xff);
}

/* RFC 7093 §2 method 1 and RFC 6960's hash, beside OpenSSL's own digest of the same octets. */
static void
test_key_names(void **state)
{
    unsigned char id[KEY_ID_LEN], want[SHA256_LEN], hash[SHA1_LEN], want_sha1[SHA1_LEN];
    const struct str point = { pki.holder_spki.data + pki.holder_spki.len - 65, 65 };

    (void)state;
    assert_int_equal(point.p[0], 4);
    assert_int_equal(key_id(buf_view(&pki.holder_spki), id, NULL), OK);
    sha256(point, want);
    assert_memory_equal(id, want, KEY_ID_LEN);
    assert_int_equal(key_hash_sha1(buf_view(&pki.holder_spki), hash, NULL), OK);
    sha1(point, want_sha1);
    assert_memory_equal(hash, want_sha1, SHA1_LEN);
    assert_int_equal(key_id(STR_LIT("\x30\x03\x02\x01\x01"), id, NULL), ERR_INPUT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_profile), cmocka_unit_test(test_authorities), cmocka_unit_test(test_variants),
        cmocka_unit_test(test_test_names),    cmocka_unit_test(test_times),       cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_serials),       cmocka_unit_test(test_key_names),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
