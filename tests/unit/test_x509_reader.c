/* x509_reader: what is read in the context of few decoders is what OpenSSL reads with all of them, key by key. */
#include "tests/unit/crypto_support.h"

#include <dirent.h>
#include <openssl/provider.h>

#include "tests/unit/x509_support.h"

static struct made_keys keys;

static X509 *
by_default(struct str der)
{
    const unsigned char *p = str_bytes(der);
    X509 *x = d2i_X509(NULL, &p, (long)der.n);

    ossl_queue_clear();
    return x;
}

static const char *
provider_of(const X509 *x)
{
    const EVP_PKEY *key = X509_get0_pubkey(x);

    ossl_queue_clear();
    return key == NULL ? "no key" : OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(key));
}

/* The same certificate, and the same key or none. */
static bool
same(const X509 *a, const X509 *b)
{
    const EVP_PKEY *ka = X509_get0_pubkey(a), *kb = X509_get0_pubkey(b);
    const bool same = X509_cmp(a, b) == 0 && (ka == NULL) == (kb == NULL) && (ka == NULL || EVP_PKEY_eq(ka, kb) == 1);

    ossl_queue_clear();
    return same;
}

/* --- keys of the allow-list -------------------------------------------------------------------------------------------- */

static void
test_allow_list(void **state)
{
    static const struct {
        enum key_alg alg;
        int bits;
    } rows[] = { { KEY_RSA, 2048 }, { KEY_RSA, 3072 }, { KEY_P256, 0 }, { KEY_P384, 0 }, { KEY_ED25519, 0 } };

    (void)state;
    assert_non_null(x509_reader_context());
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf_free) struct buf der = BUF_BOUNDED(X509_DER_MAX);
        AUTO(x509_done) struct x509_cert cert = { .version = 0 };
        AUTO(X509_freep) X509 *x = NULL, *theirs = NULL;
        struct key *key = NULL;
        struct world w;
        bool verified;

        assert_int_equal(key_generate(rows[i].alg, rows[i].bits, KEY_AUDIT_SIGN, &key), OK);
        made_world(&w, &keys);
        w.root.key = w.root.signer = key;
        made_cert(&der, &w.root);
        key_free(key);
        assert_int_equal(x509_read(buf_view(&der), &cert, NULL), OK);
        assert_int_equal(x509_to_openssl(&cert, &x, NULL), OK);
        theirs = by_default(buf_view(&der));
        assert_string_equal(provider_of(x), "beffroi-x509");
        assert_string_equal(provider_of(theirs), "default");
        assert_true(same(x, theirs));
        /* each key verifies what the other context read */
        verified = X509_verify(x, X509_get0_pubkey(theirs)) == 1 && X509_verify(theirs, X509_get0_pubkey(x)) == 1;
        assert_true(verified);
    }
}

/* --- keys that are not as they should be --------------------------------------------------------------------------------- */

/* SubjectPublicKeyInfo of algorithm (content of its SEQUENCE) and key octets. */
static void
spki_make(struct str algorithm, struct str octets, struct buf *out)
{
    const size_t whole = der_begin(out, DER_SEQUENCE);

    der_add(out, DER_SEQUENCE, algorithm);
    der_add_bit_string(out, octets);
    der_end(out, whole);
}

#define EC "\x06\x07\x2a\x86\x48\xce\x3d\x02\x01"
#define P256 "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"
#define RSA_ "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"

/* Each odd key in a leaf that is good but for it: what we make of it is what OpenSSL makes of it in its own context, and the
 * verdict is a refusal, or, for the same key in another form, none. */
static void
test_odd_keys(void **state)
{
    enum { POINT, COMPRESSED, OFF_CURVE, AT_INFINITY, HYBRID, TRAILING, CUT, MODULUS };
    static const struct {
        const char *label;
        struct str algorithm;
        int octets;
        bool read;                  /* the strict reader takes it */
        bool key;                   /* it decodes */
        const char *provider;
        enum x509_verdict verdict;
    } rows[] = {
        { "P-256", STR_LIT(EC P256), POINT, true, true, "beffroi-x509", CERT_GOOD },
        { "compressed point", STR_LIT(EC P256), COMPRESSED, true, true, "beffroi-x509", CERT_GOOD },
        { "point not on the curve", STR_LIT(EC P256), OFF_CURVE, true, false, "no key", CERT_WEAK_KEY },
        { "point at infinity", STR_LIT(EC P256), AT_INFINITY, true, true, "default", CERT_WEAK_KEY },
        { "hybrid point", STR_LIT(EC P256), HYBRID, true, true, "default", CERT_WEAK_KEY },
        { "octet after the point", STR_LIT(EC P256), TRAILING, true, false, "no key", CERT_WEAK_KEY },
        { "point cut", STR_LIT(EC P256), CUT, true, false, "no key", CERT_WEAK_KEY },
        { "P-256's point on P-384", STR_LIT(EC "\x06\x05\x2b\x81\x04\x00\x22"), POINT, true, false, "no key", CERT_WEAK_KEY },
        { "secp256k1, that the point is not on", STR_LIT(EC "\x06\x05\x2b\x81\x04\x00\x0a"), POINT, true, false, "no key", CERT_WEAK_KEY },
        { "curve that nobody knows", STR_LIT(EC "\x06\x03\x2a\x03\x04"), POINT, true, false, "no key", CERT_WEAK_KEY },
        { "EC without a curve", STR_LIT(EC), POINT, true, false, "no key", CERT_WEAK_KEY },
        { "EC with NULL for a curve", STR_LIT(EC "\x05\x00"), POINT, true, false, "no key", CERT_WEAK_KEY },
        { "EC with two curves", STR_LIT(EC P256 P256), POINT, false, false, NULL, CERT_MALFORMED },
        { "RSA algorithm, point", STR_LIT(RSA_ "\x05\x00"), POINT, false, false, NULL, CERT_MALFORMED },
        { "RSA", STR_LIT(RSA_ "\x05\x00"), MODULUS, true, true, "beffroi-x509", CERT_GOOD },
        { "RSA without NULL", STR_LIT(RSA_), MODULUS, true, true, "default", CERT_WEAK_KEY },
        { "RSA with a curve", STR_LIT(RSA_ P256), MODULUS, true, true, "default", CERT_WEAK_KEY },
        { "Ed25519 of a wrong length", STR_LIT("\x06\x03\x2b\x65\x70"), POINT, true, false, "no key", CERT_WEAK_KEY },
        { "Ed25519 with NULL", STR_LIT("\x06\x03\x2b\x65\x70\x05\x00"), POINT, true, false, "no key", CERT_WEAK_KEY },
    };
    AUTO(buf_free) struct buf modulus = BUF_BOUNDED(1024);
    struct key *rsa = NULL;
    struct str in, part;

    (void)state;
    assert_int_equal(key_generate(KEY_RSA, 2048, KEY_AUDIT_SIGN, &rsa), OK);
    in = buf_view(&rsa->spki);
    assert_int_equal(der_expect(&in, DER_SEQUENCE, &part), OK);
    assert_int_equal(der_expect(&part, DER_SEQUENCE, &in), OK);
    assert_int_equal(der_expect(&part, DER_BIT_STRING, &in), OK);
    buf_add(&modulus, in.p + 1, in.n - 1);
    key_free(rsa);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf_free) struct buf der = BUF_BOUNDED(X509_DER_MAX), octets = BUF_BOUNDED(1024);
        AUTO(x509_done) struct x509_cert cert = { .version = 0 };
        AUTO(x509_trust_freep) struct x509_trust *trust = NULL;
        AUTO(X509_freep) X509 *x = NULL, *theirs = NULL;
        struct key odd = { .spki = BUF_BOUNDED(1024) };
        enum x509_verdict v = CERT_MALFORMED;
        struct world w;
        bool read;

        switch (rows[i].octets) {
        case MODULUS:
            buf_add_str(&octets, buf_view(&modulus));
            break;
        case AT_INFINITY:
            buf_add(&octets, "", 1);
            break;
        default:
            buf_add(&octets, keys.leaf->spki.data + keys.leaf->spki.len - 65, 65);
        }
        if (rows[i].octets == COMPRESSED) {
            octets.data[0] = (char)(2 + (octets.data[64] & 1));
            buf_truncate(&octets, 33);
        }
        if (rows[i].octets == HYBRID)
            octets.data[0] = (char)(6 + (octets.data[64] & 1));
        if (rows[i].octets == OFF_CURVE)
            octets.data[64] ^= 1;
        if (rows[i].octets == TRAILING)
            buf_addc(&octets, 0);
        if (rows[i].octets == CUT)
            buf_truncate(&octets, 64);
        spki_make(rows[i].algorithm, buf_view(&octets), &odd.spki);
        made_world(&w, &keys);
        w.leaf.key = &odd;
        made_cert(&der, &w.leaf);
        buf_free(&odd.spki);
        read = x509_read(buf_view(&der), &cert, NULL) == OK;
        if (read != rows[i].read)
            fail_msg("%s: read %d", rows[i].label, read);
        if (!read)
            continue;
        theirs = by_default(buf_view(&der));
        if (theirs == NULL || (X509_get0_pubkey(theirs) != NULL) != rows[i].key)
            fail_msg("%s: OpenSSL %s", rows[i].label, theirs == NULL ? "does not read it" : provider_of(theirs));
        ossl_queue_clear();
        assert_int_equal(x509_to_openssl(&cert, &x, NULL), OK);
        /* OpenSSL does not find the point at infinity equal to itself */
        if ((!same(x, theirs) && rows[i].octets != AT_INFINITY) || strcmp(provider_of(x), rows[i].provider) != 0)
            fail_msg("%s: another key than OpenSSL's, or of %s", rows[i].label, provider_of(x));
        trust = made_trust(&w, NULL);
        err_ignore(x509_path_verify(trust, &w.profile, &cert, NULL, 0, w.now, &v, NULL));
        if (v != rows[i].verdict)
            fail_msg("%s: %s", rows[i].label, x509_verdict_name(v));
    }
}

/* RSA numbers that nobody has. The strict reader is the first to look; where it takes them, both contexts say the same. */
static void
test_odd_rsa(void **state)
{
    static const struct {
        const char *label;
        struct str numbers;         /* RSAPublicKey */
        bool read;
    } rows[] = {
        { "negative modulus", STR_LIT("\x30\x06\x02\x01\x81\x02\x01\x03"), false },
        { "exponent is zero", STR_LIT("\x30\x06\x02\x01\x55\x02\x01\x00"), true },
        { "exponent is one, modulus is even", STR_LIT("\x30\x06\x02\x01\x54\x02\x01\x01"), true },
        { "modulus is zero", STR_LIT("\x30\x06\x02\x01\x00\x02\x01\x03"), true },
        { "no exponent", STR_LIT("\x30\x03\x02\x01\x55"), false },
        { "three numbers", STR_LIT("\x30\x09\x02\x01\x55\x02\x01\x03\x02\x01\x03"), false },
        { "modulus written long", STR_LIT("\x30\x07\x02\x02\x00\x55\x02\x01\x03"), false },
        { "octet after them", STR_LIT("\x30\x06\x02\x01\x55\x02\x01\x03\x00"), false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf_free) struct buf der = BUF_BOUNDED(X509_DER_MAX);
        AUTO(x509_done) struct x509_cert cert = { .version = 0 };
        AUTO(x509_trust_freep) struct x509_trust *trust = NULL;
        AUTO(X509_freep) X509 *x = NULL, *theirs = NULL;
        struct key odd = { .spki = BUF_BOUNDED(1024) };
        enum x509_verdict v = CERT_GOOD;
        struct world w;
        bool read;

        spki_make(STR_LIT(RSA_ "\x05\x00"), rows[i].numbers, &odd.spki);
        made_world(&w, &keys);
        w.leaf.key = &odd;
        made_cert(&der, &w.leaf);
        buf_free(&odd.spki);
        read = x509_read(buf_view(&der), &cert, NULL) == OK;
        if (read != rows[i].read)
            fail_msg("%s: read %d", rows[i].label, read);
        if (!read)
            continue;
        theirs = by_default(buf_view(&der));
        assert_int_equal(x509_to_openssl(&cert, &x, NULL), OK);
        if (!same(x, theirs))
            fail_msg("%s: another key than OpenSSL's", rows[i].label);
        trust = made_trust(&w, NULL);
        assert_int_equal(x509_path_verify(trust, &w.profile, &cert, NULL, 0, w.now, &v, NULL), ERR_DENIED);
        assert_string_equal(x509_verdict_name(v), "weak_key");
    }
}

/* A leaf of the allow-list under a CA that is not: the signature is verified across the two contexts, and the CA is refused. */
static void
test_foreign_issuer(void **state)
{
    AUTO(buf_free) struct buf der = BUF_BOUNDED(X509_DER_MAX);
    AUTO(x509_done) struct x509_cert cert = { .version = 0 };
    AUTO(x509_trust_freep) struct x509_trust *trust = NULL;
    struct key p521 = { .has_private = true, .alg = KEY_P384, .pkey = EVP_EC_gen("P-521"), .spki = BUF_BOUNDED(1024) };
    unsigned char *spki = NULL;
    const int n = i2d_PUBKEY(p521.pkey, &spki);
    struct world w;
    enum x509_verdict v = CERT_GOOD;

    (void)state;
    assert_true(n > 0);
    buf_add(&p521.spki, spki, (size_t)n);
    OPENSSL_free(spki);
    made_world(&w, &keys);
    w.ca.key = w.leaf.signer = &p521;                        /* with SHA-384, as key_sign_any() believes of it */
    w.no_ca_crl = w.no_root_crl = true;
    w.profile.status_known_elsewhere = true;
    trust = made_trust(&w, NULL);
    made_cert(&der, &w.leaf);
    assert_int_equal(x509_read(buf_view(&der), &cert, NULL), OK);
    err_ignore(x509_path_verify(trust, &w.profile, &cert, NULL, 0, w.now, &v, NULL));
    EVP_PKEY_CTX_free(atomic_load(&p521.sign_ctx[SIG_ES384]));
    EVP_PKEY_free(p521.pkey);
    buf_free(&p521.spki);
    assert_string_equal(x509_verdict_name(v), "weak_key");
}

/* --- everything that lies in the tree ---------------------------------------------------------------------------------- */

struct tally {
    size_t read, here;              /* certificates; of them in the context of few decoders */
};

static void
file_compare(const char *path, struct tally *t)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(X509_DER_MAX);
    AUTO(x509_done) struct x509_cert cert = { .version = 0 };
    AUTO(X509_freep) X509 *x = NULL, *theirs = NULL;
    AUTO(key_freep) struct key *key = NULL;
    const unsigned char *p;
    FILE *f = fopen(path, "rb");
    char part[4096];
    size_t n;

    assert_non_null(f);
    while ((n = fread(part, 1, sizeof(part), f)) > 0)
        buf_add(&text, part, n);
    fclose(f);
    if (!buf_ok(&text) || x509_read(buf_view(&text), &cert, NULL) != OK || x509_to_openssl(&cert, &x, NULL) != OK)
        return;
    theirs = by_default(buf_view(&text));
    if (theirs == NULL || !same(x, theirs))
        fail_msg("%s: another certificate or key than OpenSSL's", path);
    t->read++;
    t->here += strcmp(provider_of(x), "beffroi-x509") == 0;
    /* and the reader of a bare key */
    p = str_bytes(buf_view(&cert.spki));
    if (key_public(buf_view(&cert.spki), &key, NULL) == OK) {
        AUTO(EVP_PKEY_freep) EVP_PKEY *whole = d2i_PUBKEY(NULL, &p, (long)cert.spki.len);

        if (whole == NULL || EVP_PKEY_eq(whole, key->pkey) != 1)
            fail_msg("%s: another public key than OpenSSL's", path);
    }
    ossl_queue_clear();
}

static void
folder_compare(const char *folder, struct tally *t)
{
    DIR *d = opendir(folder);
    const struct dirent *e;

    if (d == NULL)
        fail_msg("%s: cannot be read", folder);
    while ((e = readdir(d)) != NULL) {
        char path[1024];

        (void)snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
        if (e->d_name[0] != '.')
            file_compare(path, t);
    }
    closedir(d);
}

static void
test_all_there_are(void **state)
{
    static const char *const folders[] = { TEST_DATA "/pkits/certs", SOURCE_DIR "/tests/fuzz/corpus/x509",
                                           SOURCE_DIR "/tests/fuzz/corpus/der" };
    struct tally t = { 0, 0 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(folders); i++)
        folder_compare(folders[i], &t);
    assert_in_range(t.read, 400, 1000);
    assert_in_range(t.here, 390, t.read - 1);                /* DSA is not of them */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_allow_list),     cmocka_unit_test(test_odd_keys), cmocka_unit_test(test_odd_rsa),
        cmocka_unit_test(test_foreign_issuer), cmocka_unit_test(test_all_there_are),
    };
    int status;

    if (key_generate(KEY_P256, 0, KEY_AUDIT_SIGN, &keys.root) != OK || key_generate(KEY_P256, 0, KEY_AUDIT_SIGN, &keys.ca) != OK ||
        key_generate(KEY_P256, 0, KEY_AUDIT_SIGN, &keys.leaf) != OK || key_generate(KEY_P256, 0, KEY_AUDIT_SIGN, &keys.other) != OK)
        return 1;
    status = cmocka_run_group_tests_name("x509_reader", tests, NULL, NULL);
    key_free(keys.root);
    key_free(keys.ca);
    key_free(keys.leaf);
    key_free(keys.other);
    return status;
}
