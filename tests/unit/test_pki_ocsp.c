/*
 * pki/encode/ocsp and certs_only: answers are read and verified by OpenSSL and GnuTLS, which ask by their own requests; the message
 * of EST by OpenSSL and GnuTLS.
 */
#include "tests/unit/pki_support.h"

#include "pki/encode/certs_only.h"
#include "pki/encode/crl.h"
#include "pki/encode/ocsp.h"
#include "pki/request/ocsp_request.h"

static struct pki pki;
static struct tool_folder folder;
static struct key *responder;
static struct buf responder_der, leaf_der;
static unsigned char responder_hash[SHA1_LEN];

static int
setup(void **state)
{
    AUTO(buf_free) struct buf name = BUF_BOUNDED(NAME_MAX_LEN), leaf_name = BUF_BOUNDED(NAME_MAX_LEN), spki = BUF_BOUNDED(1024);
    struct certificate_input in;

    (void)state;
    pki_make(&pki, KEY_P256, 0);
    tool_folder_make(&folder);
    responder_der = leaf_der = (struct buf)BUF_BOUNDED(CERTIFICATE_MAX);
    assert_int_equal(key_generate(KEY_P256, 0, KEY_OCSP_SIGN, &responder), OK);
    key_spki(responder, &spki);
    in = pki_input(&pki, pki_profile(&pki, "responder"), &pki.issuing, &name);
    in.spki = buf_view(&spki);
    pki_issue(&in, &pki.issuing, &responder_der);
    assert_int_equal(key_hash_sha1(buf_view(&spki), responder_hash, NULL), OK);
    in = pki_input(&pki, pki_profile(&pki, "citizen-card"), &pki.issuing, &leaf_name);
    pki_issue(&in, &pki.issuing, &leaf_der);
    pki_write_pem(&folder, "root.pem", "CERTIFICATE", buf_view(&pki.root.der));
    pki_write_pem(&folder, "ca.pem", "CERTIFICATE", buf_view(&pki.issuing.der));
    pki_write_pem(&folder, "leaf.pem", "CERTIFICATE", buf_view(&leaf_der));
    return 0;
}

static int
teardown(void **state)
{
    static const char *const names[] = { "root.pem", "ca.pem", "leaf.pem", "req.der", "resp.der", "certs.pem", "certs.der" };

    (void)state;
    pki_done(&pki);
    key_free(responder);
    buf_free(&responder_der);
    buf_free(&leaf_der);
    tool_folder_remove(&folder, names, ARRAY_LEN(names));
    return 0;
}

static struct buf
file_read(const char *name)
{
    struct buf b = BUF_BOUNDED(65536);
    FILE *f = fopen(tool_file(&folder, name), "rb");
    char part[4096];
    size_t n;

    assert_non_null(f);
    while ((n = fread(part, 1, sizeof(part), f)) > 0)
        buf_add(&b, part, n);
    fclose(f);
    return b;
}

static void
answer(const struct ocsp_data *data, struct key *key, enum key_purpose purpose, struct str certificate, struct buf *out)
{
    AUTO(buf_free) struct buf tbs = BUF_BOUNDED(OCSP_RESPONSE_MAX), sig = BUF_BOUNDED(1024);
    struct why why = WHY_INIT;

    if (ocsp_data_encode(data, &tbs, &why) != OK)
        fail_msg("%s", why.text);
    pki_sign(key, purpose, buf_view(&tbs), &sig);
    if (ocsp_response_assemble(buf_view(&tbs), profile_sig_alg(key_algorithm(key)), buf_view(&sig), certificate, out, &why) != OK)
        fail_msg("%s", why.text);
    assert_int_equal(der_check(buf_view(out), OCSP_RESPONSE_MAX, NULL), OK);
}

/* What openssl and GnuTLS say about the answer in resp.der to the request in req.der. */
static void
others_say(const char *label, bool by_ca, const char *const *openssl_wants, const char *gnutls_wants)
{
    AUTO(buf_free) struct buf openssl = BUF_BOUNDED(65536), gnutls = BUF_BOUNDED(65536), bare = BUF_BOUNDED(65536);
    char root[128], ca[128], req[128], resp[128];

    snprintf(root, sizeof(root), "%s", tool_file(&folder, "root.pem"));
    snprintf(ca, sizeof(ca), "%s", tool_file(&folder, "ca.pem"));
    snprintf(req, sizeof(req), "%s", tool_file(&folder, "req.der"));
    snprintf(resp, sizeof(resp), "%s", tool_file(&folder, "resp.der"));
    if (TOOL(true, &openssl, "openssl", "ocsp", "-CAfile", root, "-verify_other", ca, "-reqin", req, "-respin", resp, "-text") != 0 ||
        strstr(buf_cstr(&openssl), "Nonce Verify error") != NULL)
        fail_msg("%s: openssl: %s", label, openssl.data + (openssl.len > 900 ? openssl.len - 900 : 0));
    for (; *openssl_wants != NULL; openssl_wants++)
        if (strstr(openssl.data, *openssl_wants) == NULL)
            fail_msg("%s: no \"%s\" in %s", label, *openssl_wants, strstr(openssl.data, "OCSP Response Data") + 700);
    if (TOOL(true, &gnutls, "ocsptool", "--response-info", "--infile", resp) != 0 || strstr(buf_cstr(&gnutls), gnutls_wants) == NULL)
        fail_msg("%s: ocsptool: %s", label, buf_cstr(&gnutls));
    if (TOOL(true, &bare, "ocsptool", "--verify-response", by_ca ? "--load-signer" : "--load-trust", ca, "--infile", resp) != 0 ||
        strstr(buf_cstr(&bare), "Verifying OCSP Response: Success") == NULL)
        fail_msg("%s: ocsptool: %s", label, buf_cstr(&bare));
}

static void
test_states(void **state)
{
    static const char *const good[] = { "Response verify OK", "Cert Status: good", "OCSP Nonce", "Archive Cutoff", NULL },
                             *const revoked[] = { "Response verify OK", "Cert Status: revoked", "Revocation Reason: keyCompromise", NULL },
                             *const held[] = { "Response verify OK", "Revocation Reason: certificateHold", NULL },
                             /* OpenSSL 3.0 calls id-pkix-ocsp 9 "valid" */
                             *const never[] = { "Response verify OK", "Cert Status: revoked", "        valid: \n", NULL },
                             *const unknown[] = { "Response verify OK", "Cert Status: unknown", NULL };
    static const struct {
        const char *label, *digest;
        enum ocsp_cert_status status;
        int reason;
        bool by_ca, cutoff, extended;
        const char *const *openssl;
        const char *gnutls;
    } rows[] = {
        { "good", "-sha1", OCSP_GOOD, CRL_REASON_NONE, false, true, false, good, "Certificate Status: good" },
        { "good, SHA-256", "-sha256", OCSP_GOOD, CRL_REASON_NONE, false, true, false, good, "Certificate Status: good" },
        { "revoked", "-sha1", OCSP_REVOKED, CRL_KEY_COMPROMISE, false, false, false, revoked, "Certificate Status: revoked" },
        { "held", "-sha256", OCSP_REVOKED, CRL_HOLD, false, false, false, held, "Certificate Status: revoked" },
        { "never issued", "-sha256", OCSP_REVOKED, CRL_HOLD, false, false, true, never, "Certificate Status: revoked" },
        { "unknown", "-sha1", OCSP_UNKNOWN, CRL_REASON_NONE, false, false, false, unknown, "Certificate Status: unknown" },
        { "good, by the CA", "-sha1", OCSP_GOOD, CRL_REASON_NONE, true, true, false, good, "Certificate Status: good" },
    };
    struct ocsp_issuer issuer;
    char ca[128], leaf[128], req[128];

    (void)state;
    snprintf(ca, sizeof(ca), "%s", tool_file(&folder, "ca.pem"));
    snprintf(leaf, sizeof(leaf), "%s", tool_file(&folder, "leaf.pem"));
    snprintf(req, sizeof(req), "%s", tool_file(&folder, "req.der"));
    assert_int_equal(ocsp_issuer_make(buf_view(&pki.issuing.name), buf_view(&pki.issuing.spki), &issuer, NULL), OK);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf_free) struct buf said = BUF_BOUNDED(65536), request = BUF_BOUNDED(1), out = BUF_BOUNDED(OCSP_RESPONSE_MAX);
        struct ocsp_request asked;
        struct ocsp_single single;
        struct ocsp_data data;
        unsigned char ca_hash[SHA1_LEN];

        assert_row(rows[i].label, TOOL(true, &said, "openssl", "ocsp", "-issuer", ca, rows[i].digest, "-cert", leaf, "-reqout", req) == 0);
        request = file_read("req.der");
        assert_row(rows[i].label, ocsp_request_read(buf_view(&request), &asked, NULL) == OK);
        assert_row(rows[i].label, ocsp_issuer_is(&issuer, asked.ids[0].sha256, asked.ids[0].name_hash, asked.ids[0].key_hash));
        assert_row(rows[i].label, !ocsp_issuer_is(&issuer, !asked.ids[0].sha256, asked.ids[0].name_hash, asked.ids[0].key_hash));
        assert_row(rows[i].label, !ocsp_issuer_is(&issuer, asked.ids[0].sha256, asked.ids[0].name_hash, asked.ids[0].name_hash));
        single = (struct ocsp_single){ asked.ids[0].raw, rows[i].status, rows[i].extended ? 0 : pki.now - USEC_PER_DAY, rows[i].reason,
                                       pki.now, pki.now + 12 * USEC_PER_HOUR, rows[i].cutoff ? pki.now - 365 * USEC_PER_DAY : 0 };
        assert_int_equal(key_hash_sha1(buf_view(&pki.issuing.spki), ca_hash, NULL), OK);
        data = (struct ocsp_data){ { (const char *)(rows[i].by_ca ? ca_hash : responder_hash), SHA1_LEN }, pki.now, &single, 1,
                                   asked.nonce, rows[i].extended };
        if (rows[i].by_ca)
            answer(&data, pki.issuing.key, KEY_CA_SIGN, STR_NULL, &out);
        else
            answer(&data, responder, KEY_OCSP_SIGN, buf_view(&responder_der), &out);
        tool_write(&folder, "resp.der", buf_view(&out));
        others_say(rows[i].label, rows[i].by_ca, rows[i].openssl, rows[i].gnutls);
    }
}

static void
test_refusals(void **state)
{
    static const char id[] = "\x30\x00";
    const struct ocsp_single good = { STR_LIT(id), OCSP_REVOKED, pki.now, CRL_SUPERSEDED, pki.now, pki.now + USEC_PER_HOUR, 0 };
    struct ocsp_single s = good;
    struct ocsp_data data = { { (const char *)responder_hash, SHA1_LEN }, pki.now, &s, 1, STR_NULL, false };
    AUTO(buf_free) struct buf out = BUF_BOUNDED(OCSP_RESPONSE_MAX);
    struct why why = WHY_INIT;

    (void)state;
    assert_int_equal(ocsp_data_encode(&data, &out, NULL), OK);
#define REFUSED(change)                                                                             \
    do {                                                                                            \
        s = good;                                                                                   \
        change;                                                                                     \
        assert_row(#change, ocsp_data_encode(&data, &out, &why) == ERR_INPUT);                      \
        assert_string_equal(why.code, "pki.ocsp.data");                                             \
    } while (0)
    REFUSED(s.reason = CRL_REMOVE_FROM_CRL);
    REFUSED(s.reason = 0);
    REFUSED(s.reason = 7);
    REFUSED(s.next_update = s.this_update - 1);
    REFUSED(data.n = 0);
    data.n = 1;
    REFUSED(data.responder_key_hash.n = 19);
#undef REFUSED
}

static void
test_errors(void **state)
{
    static const struct {
        enum ocsp_response_status status;
        const char *says;
    } rows[] = { { OCSP_MALFORMED_REQUEST, "malformedrequest" }, { OCSP_INTERNAL_ERROR, "internalerror" },
                 { OCSP_TRY_LATER, "trylater" },                 { OCSP_SIG_REQUIRED, "sigrequired" },
                 { OCSP_UNAUTHORIZED, "unauthorized" } };
    char resp[128];

    (void)state;
    snprintf(resp, sizeof(resp), "%s", tool_file(&folder, "resp.der"));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf_free) struct buf out = BUF_BOUNDED(64), said = BUF_BOUNDED(4096);

        ocsp_error_encode(rows[i].status, &out);
        assert_int_equal(out.len, 5);
        tool_write(&folder, "resp.der", buf_view(&out));
        (void)TOOL(true, &said, "openssl", "ocsp", "-respin", resp, "-noverify");
        assert_row(rows[i].says, strstr(buf_cstr(&said), rows[i].says) != NULL);
    }
}

static void
test_certs_only(void **state)
{
    const struct str one[] = { buf_view(&leaf_der) }, both[] = { buf_view(&pki.issuing.der), buf_view(&pki.root.der) },
                     turned[] = { both[1], both[0] }, bad[] = { STR_LIT("\x30\x01") };
    AUTO(buf_free) struct buf a = BUF_BOUNDED(65536), b = BUF_BOUNDED(65536), c = BUF_BOUNDED(65536), said = BUF_BOUNDED(65536),
                              gnutls = BUF_BOUNDED(65536);
    char der[128], pem[128];

    (void)state;
    assert_int_equal(certs_only_encode(one, 1, &a, NULL), OK);
    assert_int_equal(certs_only_encode(both, 2, &b, NULL), OK);
    assert_int_equal(certs_only_encode(turned, 2, &c, NULL), OK);
    assert_true(str_eq(buf_view(&b), buf_view(&c)));
    assert_int_equal(certs_only_encode(one, 0, &c, NULL), ERR_INPUT);
    assert_int_equal(certs_only_encode(bad, 1, &c, NULL), ERR_INPUT);
    assert_int_equal(der_check(buf_view(&b), 65536, NULL), OK);
    tool_write(&folder, "certs.der", buf_view(&b));
    pki_write_pem(&folder, "certs.pem", "PKCS7", buf_view(&b));
    snprintf(der, sizeof(der), "%s", tool_file(&folder, "certs.der"));
    snprintf(pem, sizeof(pem), "%s", tool_file(&folder, "certs.pem"));
    assert_int_equal(TOOL(true, &said, "openssl", "pkcs7", "-inform", "DER", "-print_certs", "-noout", "-in", der), 0);
    assert_non_null(strstr(said.data, "CN = Beffroi Cartes G1"));
    assert_non_null(strstr(said.data, "CN = Beffroi Racine G1"));
    assert_int_equal(TOOL(true, &gnutls, "certtool", "--p7-info", "--infile", pem), 0);
    assert_non_null(strstr(gnutls.data, "Number of certificates: 2"));
    assert_true(memmem(a.data, a.len, leaf_der.data, leaf_der.len) != NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_certs_only),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
