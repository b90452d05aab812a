/* x509: what is read, dates to the second, refusals; certificates are made here with OpenSSL. */
#include "tests/unit/crypto_support.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/crypto/der-oid.h"
#include "base/crypto/der.h"
#include "base/crypto/digest.h"
#include "base/crypto/x509.h"

#define FROM INT64_C(1767225600)             /* 2026-01-01T00:00:00Z */
#define UNTIL (FROM + 86400 * 365)

struct made {
    const char *subject[6];                  /* type, value, type, value, …, NULL */
    const char *not_before, *not_after;
    long serial;
};

static void
certificate_make(const struct made *m, struct buf *out)
{
    EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    X509 *x = X509_new();
    unsigned char *der = NULL;
    int n;

    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), m->serial);
    for (size_t i = 0; m->subject[i] != NULL; i += 2)
        assert_int_equal(X509_NAME_add_entry_by_txt(X509_get_subject_name(x), m->subject[i], MBSTRING_UTF8,
                                                    (const unsigned char *)m->subject[i + 1], -1, -1, 0), 1);
    X509_NAME_add_entry_by_txt(X509_get_issuer_name(x), "CN", MBSTRING_UTF8, (const unsigned char *)"CA", -1, -1, 0);
    assert_int_equal(ASN1_TIME_set_string(X509_getm_notBefore(x), m->not_before), 1);
    assert_int_equal(ASN1_TIME_set_string(X509_getm_notAfter(x), m->not_after), 1);
    X509_set_pubkey(x, pkey);
    assert_true(X509_sign(x, pkey, EVP_sha256()) > 0);
    n = i2d_X509(x, &der);
    assert_true(n > 0);
    buf_add(out, der, (size_t)n);
    OPENSSL_free(der);
    X509_free(x);
    EVP_PKEY_free(pkey);
}

static const struct made plain = {
    { "C", "FR", "O", "Mairie d'Épône", NULL, NULL }, "20260101000000Z", "20270101000000Z", 0x0badcafe
};

static void
test_read(void **state)
{
    struct buf der = BUF_BOUNDED(4096);
    unsigned char digest[SHA256_LEN];
    struct x509_cert cert;
    struct key *k = NULL;

    (void)state;
    certificate_make(&plain, &der);
    assert_int_equal(x509_read(buf_view(&der), &cert, NULL), OK);
    sha256(buf_view(&der), digest);
    assert_memory_equal(cert.fingerprint, digest, sizeof(digest));
    assert_string_equal(buf_cstr(&cert.subject), "O=Mairie d'Épône,C=FR");
    assert_string_equal(buf_cstr(&cert.issuer), "CN=CA");
    assert_string_equal(buf_cstr(&cert.serial), "0badcafe");
    assert_int_equal(cert.not_before, FROM * USEC_PER_SEC);
    assert_int_equal(cert.not_after, UNTIL * USEC_PER_SEC);
    assert_int_equal(key_public(buf_view(&cert.spki), &k, NULL), OK);
    key_free(k);
    x509_done(&cert);
    buf_free(&der);
}

static void
test_dates(void **state)
{
    static const struct {
        const char *label;
        utime now;
        enum err want;
    } rows[] = { { "a second before", (FROM - 1) * USEC_PER_SEC, ERR_DENIED },
                 { "a microsecond before", FROM * USEC_PER_SEC - 1, ERR_DENIED },
                 { "first moment", FROM * USEC_PER_SEC, OK },
                 { "middle", (FROM + 1000) * USEC_PER_SEC, OK },
                 { "last second", UNTIL * USEC_PER_SEC, OK },
                 { "end of the last second", (UNTIL + 1) * USEC_PER_SEC - 1, OK },
                 { "after", (UNTIL + 1) * USEC_PER_SEC, ERR_DENIED } };
    struct buf der = BUF_BOUNDED(4096);
    struct x509_cert cert;

    (void)state;
    certificate_make(&plain, &der);
    assert_int_equal(x509_read(buf_view(&der), &cert, NULL), OK);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct why why = WHY_INIT;

        assert_row(rows[i].label, x509_check_dates(&cert, rows[i].now, &why) == rows[i].want);
        assert_row(rows[i].label, (why.text[0] != '\0') == (rows[i].want != OK));
    }
    x509_done(&cert);
    buf_free(&der);
}

static void
test_far_dates(void **state)
{
    static const struct made far = { { "CN", "x", NULL, NULL, NULL, NULL }, "19700101000000Z", "99991231235959Z", 1 };
    struct buf der = BUF_BOUNDED(4096);
    struct x509_cert cert;

    (void)state;
    certificate_make(&far, &der);
    assert_int_equal(x509_read(buf_view(&der), &cert, NULL), OK);
    assert_int_equal(cert.not_before, 0);
    assert_int_equal(cert.not_after, INT64_C(253402300799) * USEC_PER_SEC);
    assert_int_equal(x509_check_dates(&cert, clock_now(), NULL), OK);
    x509_done(&cert);
    buf_free(&der);
}

/* A subject must not be able to look like another one, nor break a log line. */
static void
test_names_are_escaped(void **state)
{
    static const struct made hostile = {
        { "CN", "a,O=Mairie \"b\"+c=d", "OU", "#1 ", NULL, NULL }, "20260101000000Z", "20270101000000Z", 1
    };
    struct buf der = BUF_BOUNDED(4096);
    struct x509_cert cert;

    (void)state;
    certificate_make(&hostile, &der);
    assert_int_equal(x509_read(buf_view(&der), &cert, NULL), OK);
    assert_string_equal(buf_cstr(&cert.subject), "OU=\\#1\\ ,CN=a\\,O=Mairie \\\"b\\\"\\+c=d");
    x509_done(&cert);
    buf_free(&der);
}

/* NUL and other control characters, in each kind of string. */
static void
test_names_without_controls(void **state)
{
    struct buf der = BUF_BOUNDED(4096);
    struct x509_cert cert;
    size_t at = 0;

    (void)state;
    certificate_make(&plain, &der);
    while (memcmp(der.data + at, "Mairie", 6) != 0)
        at++;
    for (int c = 0; c < 0x100; c++) {
        const bool good = c >= 0x20 && c < 0x7f;      /* from 0x80 it is no UTF-8 */

        der.data[at] = (char)c;
        if ((x509_read(buf_view(&der), &cert, NULL) == OK) != good)
            fail_msg("character %02x", (unsigned)c);
        if (good)
            x509_done(&cert);
    }
    buf_free(&der);
}

/* Extensions as OpenSSL writes them. */
static void
test_extensions(void **state)
{
    static const struct {
        int nid;
        const char *value;
    } extensions[] = { { NID_basic_constraints, "critical,CA:TRUE,pathlen:3" }, { NID_key_usage, "critical,keyCertSign,cRLSign,decipherOnly" },
                       { NID_ext_key_usage, "clientAuth,1.2.3.4" }, { NID_subject_key_identifier, "00112233" },
                       { NID_subject_alt_name, "email:a@example.org,DNS:b.example.org" },
                       { NID_crl_distribution_points, "URI:http://127.0.0.1/x" }, { NID_name_constraints, "critical,permitted;DNS:fr" } };
    EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
    X509 *x = X509_new();
    unsigned char *der = NULL;
    struct x509_cert cert;
    int n;

    (void)state;
    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), -0x8001);
    ASN1_TIME_set_string(X509_getm_notBefore(x), "20260101000000Z");
    ASN1_TIME_set_string(X509_getm_notAfter(x), "20510101000000Z");
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8, (const unsigned char *)"S", -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    X509_set_pubkey(x, pkey);
    for (size_t i = 0; i < ARRAY_LEN(extensions); i++) {
        X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, extensions[i].nid, extensions[i].value);

        assert_row(extensions[i].value, e != NULL && X509_add_ext(x, e, -1) == 1);
        X509_EXTENSION_free(e);
    }
    assert_true(X509_sign(x, pkey, EVP_sha256()) > 0);
    n = i2d_X509(x, &der);
    assert_int_equal(x509_read(str_from(der, (size_t)n), &cert, NULL), OK);
    assert_int_equal(cert.version, 3);
    assert_string_equal(buf_cstr(&cert.serial), "-8001");
    assert_true(cert.self_issued && cert.has_basic_constraints && cert.is_ca && cert.path_len == 3);
    assert_true(cert.has_key_usage && cert.key_usage == (X509_KEY_CERT_SIGN | X509_CRL_SIGN | X509_DECIPHER_ONLY));
    assert_true(x509_has_ext_key_usage(&cert, OID_KP_CLIENT_AUTH) && !x509_has_ext_key_usage(&cert, OID_KP_ANY));
    assert_true(equals_hex(cert.subject_key_id.p, cert.subject_key_id.n, "00112233"));
    assert_true(cert.policies.p == NULL && cert.authority_key_id.p == NULL && !x509_has_policy(&cert, OID_ANY_POLICY));
    assert_true(cert.subject_alt_name.n > 0 && cert.crl_distribution_points.n > 0 && cert.has_name_constraints);
    assert_true(cert.wrong_criticality == NULL && cert.key_known && cert.key_alg == KEY_RSA && cert.key_bits == 2048);
    assert_int_equal(cert.not_after, INT64_C(2556144000) * USEC_PER_SEC);
    x509_done(&cert);
    OPENSSL_free(der);
    X509_free(x);
    EVP_PKEY_free(pkey);
}

static void
test_refusals(void **state)
{
    struct buf der = BUF_BOUNDED(4096), altered = BUF_BOUNDED(4096);
    struct x509_cert cert;

    (void)state;
    certificate_make(&plain, &der);
    for (size_t i = 0; i < der.len; i++)
        assert_int_equal(x509_read((struct str){ der.data, i }, &cert, NULL), ERR_INPUT);
    buf_add_str(&altered, buf_view(&der));
    buf_addc(&altered, 0);
    assert_int_equal(x509_read(buf_view(&altered), &cert, NULL), ERR_INPUT);
    buf_reset(&altered);
    buf_add_str(&altered, buf_view(&der));
    altered.data[0] = 0x31;
    assert_int_equal(x509_read(buf_view(&altered), &cert, NULL), ERR_INPUT);
    assert_int_equal(x509_read(buf_view(&der), &cert, NULL), OK);
    x509_done(&cert);
    buf_free(&der);
    buf_free(&altered);
}

static void
test_pem(void **state)
{
    struct buf der = BUF_BOUNDED(4096), pem = BUF_BOUNDED(8192), back = BUF_BOUNDED(4096), b64 = BUF_BOUNDED(8192);

    (void)state;
    certificate_make(&plain, &der);
    base64_encode(&b64, der.data, der.len);
    buf_adds(&pem, "some text before\n-----BEGIN CERTIFICATE-----\n");
    for (size_t i = 0; i < b64.len; i += 64) {
        buf_add(&pem, b64.data + i, b64.len - i < 64 ? b64.len - i : 64);
        buf_addc(&pem, '\n');
    }
    assert_int_equal(x509_pem_decode(buf_view(&pem), &back, NULL), ERR_INPUT);       /* no end */
    buf_adds(&pem, "-----END CERTIFICATE-----\n");
    assert_int_equal(x509_pem_decode(buf_view(&pem), &back, NULL), OK);
    assert_true(str_eq(buf_view(&back), buf_view(&der)));
    assert_int_equal(x509_pem_decode(STR_NULL, &back, NULL), ERR_INPUT);
    assert_int_equal(x509_pem_decode(STR_LIT("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), &back,
                                     NULL), ERR_INPUT);
    buf_free(&der);
    buf_free(&pem);
    buf_free(&back);
    buf_free(&b64);
}

/* RFC 5480 §2.2: uncompressed or compressed. What else OpenSSL takes is no key that we know. */
static void
test_points(void **state)
{
    static const struct {
        char form;
        size_t n;
        bool known;
    } rows[] = { { 4, 65, true }, { 2, 33, true }, { 3, 33, true }, { 6, 65, false }, { 7, 65, false }, { 0, 1, false }, { 4, 33, false },
                 { 2, 65, false }, { 4, 64, false }, { 4, 66, false } };
    const struct made m = { { "CN", "Alix", NULL }, "20260101000000Z", "20270101000000Z", 1 };
    struct buf der = BUF_BOUNDED(8192), other = BUF_BOUNDED(8192);

    (void)state;
    certificate_make(&m, &der);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        /* SubjectPublicKeyInfo with 65 octets of point: found by its head, put back with another point, all lengths counted anew */
        static const char head[] = "\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42";
        const char *at = memmem(der.data, der.len, head, sizeof(head) - 1);
        const struct str whole = buf_view(&der);
        struct str in = whole, certificate, tbs, rest;
        struct x509_cert cert;
        size_t outer, inner, spki;
        char point[66] = "";

        assert_non_null(at);
        assert_int_equal(der_expect(&in, DER_SEQUENCE, &certificate), OK);
        rest = certificate;
        assert_int_equal(der_expect(&rest, DER_SEQUENCE, &tbs), OK);
        memcpy(point, at + sizeof(head), 65);
        point[0] = rows[i].form;
        buf_reset(&other);
        outer = der_begin(&other, DER_SEQUENCE);
        inner = der_begin(&other, DER_SEQUENCE);
        buf_add(&other, tbs.p, (size_t)(at - tbs.p));
        spki = der_begin(&other, DER_SEQUENCE);
        buf_add(&other, head + 2, 21);
        der_add_bit_string(&other, (struct str){ point, rows[i].n });
        der_end(&other, spki);
        at += sizeof(head) + 65;
        buf_add(&other, at, (size_t)(tbs.p + tbs.n - at));
        der_end(&other, inner);
        buf_add_str(&other, rest);
        der_end(&other, outer);
        assert_int_equal(x509_read(buf_view(&other), &cert, NULL), OK);
        if (cert.key_known != rows[i].known)
            fail_msg("form %d of %zu octets: known %d", rows[i].form, rows[i].n, cert.key_known);
        x509_done(&cert);
    }
    buf_free(&der);
    buf_free(&other);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),    cmocka_unit_test(test_dates),
        cmocka_unit_test(test_far_dates), cmocka_unit_test(test_names_are_escaped),
        cmocka_unit_test(test_names_without_controls), cmocka_unit_test(test_extensions),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_pem),
        cmocka_unit_test(test_points),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
