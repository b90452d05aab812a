/* key: files, allow-list, purposes, both forms of ECDSA, certificates, JWK; one thing wrong at a time. */
#include "tests/unit/crypto_support.h"

#include <pthread.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/core/secret.h"
#include "base/crypto/der.h"
#include "base/crypto/x509.h"

static char folder[TEST_FOLDER_MAX];

static int
folder_setup(void **state)
{
    (void)state;
    folder_make(folder);
    return 0;
}

static int
folder_teardown(void **state)
{
    (void)state;
    folder_remove(folder);
    return 0;
}

static const char *
in_folder(const char *name)
{
    static char path[2 * TEST_FOLDER_MAX];

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static enum err
load_file(const char *name, enum key_purpose purpose, struct key **ret)
{
    char uri[2 * TEST_FOLDER_MAX + 8];
    struct why why = WHY_INIT;

    (void)snprintf(uri, sizeof(uri), "file:%s", in_folder(name));
    return key_load(uri, purpose, ret, &why);
}

/* --- every algorithm -------------------------------------------------------------------------------------- */

static const struct {
    const char *label;
    enum sig_alg sig;
    enum key_alg key;
    int rsa_bits;
    size_t raw_len;               /* 0: not ECDSA */
} algs[] = {
    { "RS256", SIG_RS256, KEY_RSA, 2048, 0 },    { "RS384", SIG_RS384, KEY_RSA, 3072, 0 },
    { "RS512", SIG_RS512, KEY_RSA, 2048, 0 },    { "PS256", SIG_PS256, KEY_RSA, 2048, 0 },
    { "ES256", SIG_ES256, KEY_P256, 0, 64 },     { "ES384", SIG_ES384, KEY_P384, 0, 96 },
    { "EdDSA", SIG_EDDSA, KEY_ED25519, 0, 0 },
};

/* The good one before and after each that is wrong. */
static void
assert_verify(const char *label, const struct key *k, enum sig_alg alg, struct buf *sig, bool raw)
{
    const struct str message = STR_LIT("message");
    const struct str view = buf_view(sig);

    assert_row(label, key_verify(k, alg, message, view, raw, NULL) == OK);
    assert_row(label, key_verify(k, alg, STR_LIT("messagf"), view, raw, NULL) == ERR_DENIED);
    assert_row(label, key_verify(k, alg, STR_NULL, view, raw, NULL) == ERR_DENIED);
    for (size_t i = 0; i < sig->len; i += sig->len / 16 + 1) {
        sig->data[i] ^= 0x10;
        assert_row(label, key_verify(k, alg, message, view, raw, NULL) == ERR_DENIED);
        sig->data[i] ^= 0x10;
    }
    assert_row(label, key_verify(k, alg, message, (struct str){ view.p, view.n - 1 }, raw, NULL) == ERR_DENIED);
    assert_row(label, key_verify(k, alg, message, (struct str){ view.p, 0 }, raw, NULL) == ERR_DENIED);
    buf_addc(sig, 0);
    assert_row(label, key_verify(k, alg, message, buf_view(sig), raw, NULL) == ERR_DENIED);
    sig->len--;
    assert_row(label, key_verify(k, alg, message, buf_view(sig), raw, NULL) == OK);
}

static void
test_sign_and_verify(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
        struct buf der = BUF_BOUNDED(KEY_SIG_MAX), raw = BUF_BOUNDED(KEY_SIG_MAX), spki = BUF_BOUNDED(2048);
        struct key *k = NULL, *public = NULL, *other = NULL;
        struct why why = WHY_INIT;

        assert_int_equal(key_generate(algs[i].key, algs[i].rsa_bits, KEY_OIDC_SIGN, &k), OK);
        assert_int_equal(key_generate(algs[i].key, algs[i].rsa_bits, KEY_OIDC_SIGN, &other), OK);
        key_spki(k, &spki);
        assert_int_equal(key_public(buf_view(&spki), &public, &why), OK);
        assert_int_equal(key_algorithm(public), algs[i].key);
        assert_int_equal(key_bits(public), key_bits(k));

        assert_int_equal(key_sign(k, KEY_OIDC_SIGN, algs[i].sig, STR_LIT("message"), false, &der, &why), OK);
        assert_int_equal(key_sign(k, KEY_OIDC_SIGN, algs[i].sig, STR_LIT("message"), true, &raw, &why), OK);
        assert_verify(algs[i].label, public, algs[i].sig, &der, false);
        assert_verify(algs[i].label, k, algs[i].sig, &raw, true);
        assert_row(algs[i].label,
                   key_verify(other, algs[i].sig, STR_LIT("message"), buf_view(&der), false, &why) == ERR_DENIED);
        if (algs[i].raw_len > 0) {
            assert_int_equal(raw.len, algs[i].raw_len);
            assert_row(algs[i].label,
                       key_verify(k, algs[i].sig, STR_LIT("message"), buf_view(&raw), false, &why) == ERR_DENIED);
            assert_row(algs[i].label,
                       key_verify(k, algs[i].sig, STR_LIT("message"), buf_view(&der), true, &why) == ERR_DENIED);
        }
        for (size_t j = 0; j < ARRAY_LEN(algs); j++) {
            if (j == i)
                continue;
            buf_reset(&raw);
            if (algs[j].key != algs[i].key)
                assert_row(algs[j].label, key_sign(k, KEY_OIDC_SIGN, algs[j].sig, STR_LIT("message"), true, &raw,
                                                   &why) == ERR_DENIED);
            assert_row(algs[j].label, key_verify(k, algs[j].sig, STR_LIT("message"), buf_view(&der), false,
                                                 &why) == ERR_DENIED);
        }
        assert_int_equal(key_sign(public, KEY_OIDC_SIGN, algs[i].sig, STR_LIT("m"), true, &raw, &why), ERR_DENIED);
        key_free(k);
        key_free(public);
        key_free(other);
        buf_free(&der);
        buf_free(&raw);
        buf_free(&spki);
    }
}

/* r = 0, s = 0, r = order: OpenSSL must refuse them, and our conversion must carry them to it unharmed. */
static void
test_ecdsa_degenerate(void **state)
{
    static const char *const rows[] = {
        "0000000000000000000000000000000000000000000000000000000000000000"
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000001"
        "0000000000000000000000000000000000000000000000000000000000000000",
        "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"
        "0000000000000000000000000000000000000000000000000000000000000001",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    };
    struct key *k = NULL;

    (void)state;
    assert_int_equal(key_generate(KEY_P256, 0, KEY_OIDC_SIGN, &k), OK);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf sig = bytes_of_hex(rows[i]);

        assert_row(rows[i], key_verify(k, SIG_ES256, STR_LIT("m"), buf_view(&sig), true, NULL) == ERR_DENIED);
        buf_free(&sig);
    }
    key_free(k);
}

static void
test_purposes(void **state)
{
    static const enum key_purpose purposes[] = { KEY_SAML_SIGN, KEY_OIDC_SIGN, KEY_AUDIT_SIGN, KEY_SEAL, KEY_TLS };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(purposes); i++) {
        struct key *k = NULL;

        assert_int_equal(key_generate(KEY_P256, 0, purposes[i], &k), OK);
        for (size_t j = 0; j < ARRAY_LEN(purposes); j++) {
            struct buf sig = BUF_BOUNDED(KEY_SIG_MAX);
            const bool may = i == j && purposes[i] != KEY_SEAL && purposes[i] != KEY_TLS;

            assert_int_equal(key_sign(k, purposes[j], SIG_ES256, STR_LIT("m"), true, &sig, NULL),
                             may ? OK : ERR_DENIED);
            assert_int_equal(key_can_sign(k, purposes[j]), may);
            assert_int_equal(sig.len, may ? 64 : 0);
            buf_free(&sig);
        }
        key_free(k);
    }
}

/* --- threads ------------------------------------------------------------------------------------------------ */

#define THREADS 8
#define ROUNDS 40

static void *
sign_many(void *arg)
{
    struct key **keys = arg;
    struct buf sig = BUF_BOUNDED(KEY_SIG_MAX);
    size_t good = 0;

    for (size_t i = 0; i < ROUNDS; i++) {
        const size_t which = i % 3;
        const enum sig_alg alg = key_default_alg(keys[which]);
        struct key *mine = key_ref(keys[which]);
        unsigned char message[8];

        memset(message, (int)i, sizeof(message));
        buf_reset(&sig);
        if (key_sign(mine, KEY_OIDC_SIGN, alg, str_from(message, sizeof(message)), true, &sig, NULL) == OK &&
            key_verify(mine, alg, str_from(message, sizeof(message)), buf_view(&sig), true, NULL) == OK)
            good++;
        key_free(mine);
    }
    buf_free(&sig);
    return (void *)good;
}

static void
test_threads(void **state)
{
    struct key *keys[3] = { NULL, NULL, NULL };
    pthread_t threads[THREADS];

    (void)state;
    assert_int_equal(key_generate(KEY_RSA, 2048, KEY_OIDC_SIGN, &keys[0]), OK);
    assert_int_equal(key_generate(KEY_P256, 0, KEY_OIDC_SIGN, &keys[1]), OK);
    assert_int_equal(key_generate(KEY_ED25519, 0, KEY_OIDC_SIGN, &keys[2]), OK);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, sign_many, keys), 0);
    for (size_t i = 0; i < THREADS; i++) {
        void *good;

        assert_int_equal(pthread_join(threads[i], &good), 0);
        assert_int_equal((size_t)good, ROUNDS);
    }
    for (size_t i = 0; i < 3; i++)
        key_free(keys[i]);
}

/* --- files -------------------------------------------------------------------------------------------------- */

static void
test_save_and_load(void **state)
{
    static const struct {
        enum key_alg alg;
        int bits;
    } rows[] = { { KEY_RSA, 2048 }, { KEY_P256, 256 }, { KEY_P384, 384 }, { KEY_ED25519, 256 } };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct key *k = NULL, *back = NULL;
        struct buf sig = BUF_BOUNDED(KEY_SIG_MAX);
        char a[44], b[44];
        struct stat st;

        assert_int_equal(key_generate(rows[i].alg, rows[i].bits, KEY_SAML_SIGN, &k), OK);
        assert_int_equal(key_save(k, in_folder("k.pem"), NULL), OK);
        assert_int_equal(stat(in_folder("k.pem"), &st), 0);
        assert_int_equal(st.st_mode & 07777, 0400);
        assert_int_equal(key_save(k, in_folder("k.pem"), NULL), ERR_CONFLICT);
        assert_int_equal(load_file("k.pem", KEY_SAML_SIGN, &back), OK);
        key_thumbprint(k, a);
        key_thumbprint(back, b);
        assert_string_equal(a, b);
        assert_int_equal(strlen(a), 43);
        assert_int_equal(key_bits(back), rows[i].bits);
        assert_int_equal(key_sign(back, KEY_SAML_SIGN, key_default_alg(back), STR_LIT("m"), false, &sig, NULL), OK);
        assert_int_equal(key_verify(k, key_default_alg(k), STR_LIT("m"), buf_view(&sig), false, NULL), OK);
        assert_int_equal(unlink(in_folder("k.pem")), 0);
        key_free(k);
        key_free(back);
        buf_free(&sig);
    }
}

static void
pem_write(const char *name, EVP_PKEY *pkey, const EVP_CIPHER *cipher)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *pem;
    long n;

    assert_int_equal(PEM_write_bio_PrivateKey(bio, pkey, cipher, (const unsigned char *)"pw", cipher ? 2 : 0, NULL,
                                              NULL), 1);
    n = BIO_get_mem_data(bio, &pem);
    file_write(in_folder(name), pem, (size_t)n, 0600);
    BIO_free_all(bio);
    EVP_PKEY_free(pkey);
}

static EVP_PKEY *
explicit_p256(void)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string("group", (char[]){ "P-256" }, 0),
                            OSSL_PARAM_construct_utf8_string("encoding", (char[]){ "explicit" }, 0),
                            OSSL_PARAM_construct_end() };
    EVP_PKEY *pkey = NULL;

    assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
    assert_int_equal(EVP_PKEY_CTX_set_params(ctx, params), 1);
    assert_int_equal(EVP_PKEY_generate(ctx, &pkey), 1);
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

static void
test_load_refusals(void **state)
{
    static const char *const bad_uris[] = { "", "/etc/key.pem", "File:/x", "http://example.org/k.pem", "pkcs11" };
    struct key *k = NULL;
    struct buf cert = BUF_BOUNDED(8192);

    (void)state;
    assert_int_equal(load_file("absent.pem", KEY_SAML_SIGN, &k), ERR_NOT_FOUND);
    pem_write("good.pem", EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"), NULL);
    assert_int_equal(chmod(in_folder("good.pem"), 0640), 0);
    assert_int_equal(load_file("good.pem", KEY_SAML_SIGN, &k), ERR_DENIED);
    assert_int_equal(chmod(in_folder("good.pem"), 0600), 0);
    assert_int_equal(load_file("good.pem", KEY_SAML_SIGN, &k), OK);
    key_free(k);

    pem_write("small.pem", EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024), NULL);
    assert_int_equal(load_file("small.pem", KEY_SAML_SIGN, &k), ERR_DENIED);
    pem_write("p521.pem", EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-521"), NULL);
    assert_int_equal(load_file("p521.pem", KEY_SAML_SIGN, &k), ERR_DENIED);
    pem_write("k256.pem", EVP_PKEY_Q_keygen(NULL, NULL, "EC", "secp256k1"), NULL);
    assert_int_equal(load_file("k256.pem", KEY_SAML_SIGN, &k), ERR_DENIED);
    pem_write("x25519.pem", EVP_PKEY_Q_keygen(NULL, NULL, "X25519"), NULL);
    assert_int_not_equal(load_file("x25519.pem", KEY_SAML_SIGN, &k), OK);
    pem_write("explicit.pem", explicit_p256(), NULL);
    assert_int_equal(load_file("explicit.pem", KEY_SAML_SIGN, &k), ERR_DENIED);
    pem_write("encrypted.pem", EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"), EVP_aes_256_cbc());
    assert_int_equal(load_file("encrypted.pem", KEY_SAML_SIGN, &k), ERR_INPUT);
    file_write(in_folder("text.pem"), "hello", 5, 0600);
    assert_int_equal(load_file("text.pem", KEY_SAML_SIGN, &k), ERR_INPUT);
    file_write(in_folder("empty.pem"), "", 0, 0600);
    assert_int_equal(load_file("empty.pem", KEY_SAML_SIGN, &k), ERR_INPUT);
    for (size_t i = 0; i < ARRAY_LEN(bad_uris); i++)
        assert_row(bad_uris[i], key_load(bad_uris[i], KEY_SAML_SIGN, &k, NULL) == ERR_INPUT);
    assert_int_equal(key_generate(KEY_RSA, 1024, KEY_SAML_SIGN, &k), ERR_DENIED);
    assert_int_equal(key_generate(KEY_RSA, 16384, KEY_SAML_SIGN, &k), ERR_DENIED);
    buf_free(&cert);
}

/* The private number of one key, the public half of another. */
static void
test_halves_that_do_not_match(void **state)
{
    EVP_PKEY *a = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"), *b = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    EVP_PKEY *mixed = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params;
    unsigned char point[65];
    struct key *k = NULL;
    BIGNUM *d = NULL;
    size_t n;

    (void)state;
    assert_int_equal(EVP_PKEY_get_bn_param(a, OSSL_PKEY_PARAM_PRIV_KEY, &d), 1);
    assert_int_equal(EVP_PKEY_get_octet_string_param(b, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point), &n), 1);
    assert_int_equal(OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0), 1);
    assert_int_equal(OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point, n), 1);
    assert_int_equal(OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_PRIV_KEY, d), 1);
    params = OSSL_PARAM_BLD_to_param(bld);
    assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
    assert_int_equal(EVP_PKEY_fromdata(ctx, &mixed, EVP_PKEY_KEYPAIR, params), 1);
    pem_write("mixed.pem", mixed, NULL);
    assert_int_equal(load_file("mixed.pem", KEY_SAML_SIGN, &k), ERR_INPUT);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(bld);
    EVP_PKEY_CTX_free(ctx);
    BN_clear_free(d);
    EVP_PKEY_free(a);
    EVP_PKEY_free(b);
}

/* --- public keys and certificates ------------------------------------------------------------------------------ */

static void
test_self_certificate(void **state)
{
    static const struct {
        enum key_alg alg;
        int bits;
    } rows[] = { { KEY_RSA, 2048 }, { KEY_P256, 0 }, { KEY_P384, 0 }, { KEY_ED25519, 0 } };
    const utime from = INT64_C(1800000000) * USEC_PER_SEC;     /* 2027 */

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const utime until = from + (int64_t)(i == 0 ? 10000 : 1000) * USEC_PER_DAY;   /* 2054: GeneralizedTime */
        struct buf der = BUF_BOUNDED(8192), spki = BUF_BOUNDED(2048);
        struct key *k = NULL, *public = NULL;
        struct x509_cert cert;
        const unsigned char *p;
        unsigned char *again = NULL;
        X509 *x;
        char a[44], b[44];

        assert_int_equal(key_generate(rows[i].alg, rows[i].bits, KEY_SAML_SIGN, &k), OK);
        assert_int_equal(key_self_certificate(k, "Beffroi d'Épône", from, until, &der, NULL), OK);

        /* A second opinion: OpenSSL parses it, finds the signature good and would write the same bytes. */
        p = (const unsigned char *)der.data;
        x = d2i_X509(NULL, &p, (long)der.len);
        assert_non_null(x);
        assert_ptr_equal(p, der.data + der.len);
        assert_int_equal(X509_verify(x, k->pkey), 1);
        assert_int_equal(X509_get_version(x), X509_VERSION_3);
        assert_int_equal(X509_check_ca(x), 0);
        assert_int_equal(X509_get_key_usage(x), KU_DIGITAL_SIGNATURE);
        assert_int_equal(X509_get_extension_flags(x) & EXFLAG_INVALID, 0);
        x = (X509_free(x), NULL);
        p = (const unsigned char *)der.data;
        x = d2i_X509(NULL, &p, (long)der.len);
        assert_int_equal(i2d_re_X509_tbs(x, &again) > 0, 1);
        assert_non_null(memmem(der.data, der.len, again, (size_t)i2d_re_X509_tbs(x, NULL)));
        OPENSSL_free(again);
        X509_free(x);

        assert_int_equal(x509_read(buf_view(&der), &cert, NULL), OK);
        assert_string_equal(buf_cstr(&cert.subject), "CN=Beffroi d'Épône");
        assert_string_equal(buf_cstr(&cert.issuer), "CN=Beffroi d'Épône");
        assert_int_equal(cert.not_before, from);
        assert_int_equal(cert.not_after, until);
        key_spki(k, &spki);
        assert_true(str_eq(buf_view(&spki), buf_view(&cert.spki)));
        x509_done(&cert);

        assert_int_equal(key_public(buf_view(&der), &public, NULL), OK);
        key_thumbprint(k, a);
        key_thumbprint(public, b);
        assert_string_equal(a, b);
        key_free(public);
        buf_addc(&der, 0);
        assert_int_equal(key_public(buf_view(&der), &public, NULL), ERR_INPUT);
        buf_addc(&spki, 0);
        assert_int_equal(key_public(buf_view(&spki), &public, NULL), ERR_INPUT);
        for (size_t cut = 0; cut < der.len - 1; cut += 7)
            assert_int_equal(key_public((struct str){ der.data, cut }, &public, NULL), ERR_INPUT);
        key_free(k);
        buf_free(&der);
        buf_free(&spki);
    }
}

static void
test_self_certificate_refusals(void **state)
{
    static const char name64[] = "éééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééé";
    const utime from = INT64_C(1800000000) * USEC_PER_SEC, until = from + USEC_PER_DAY;
    const struct {
        const char *label, *cn;
        utime from, until;
        enum err want;
    } rows[] = {
        { "good", "idp", from, until, OK },
        { "64 characters", name64, from, until, OK },
        { "65 characters", "éééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééée", from, until, ERR_INPUT },
        { "empty", "", from, until, ERR_INPUT },
        { "control character", "a\nb", from, until, ERR_INPUT },
        { "not UTF-8", "a\xff", from, until, ERR_INPUT },
        { "ends before it begins", "idp", until, from, ERR_INPUT },
        { "no time at all", "idp", from, from, ERR_INPUT },
        { "before 1970", "idp", -1, until, ERR_INPUT },
        { "after 9999", "idp", from, INT64_C(253402300800) * USEC_PER_SEC, ERR_INPUT },
    };
    struct key *k = NULL, *public = NULL;
    struct buf der = BUF_BOUNDED(8192), spki = BUF_BOUNDED(2048);

    (void)state;
    assert_int_equal(key_generate(KEY_P256, 0, KEY_SAML_SIGN, &k), OK);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        buf_reset(&der);
        assert_row(rows[i].label,
                   key_self_certificate(k, rows[i].cn, rows[i].from, rows[i].until, &der, NULL) == rows[i].want);
        assert_row(rows[i].label, (der.len > 0) == (rows[i].want == OK));
    }
    key_spki(k, &spki);
    assert_int_equal(key_public(buf_view(&spki), &public, NULL), OK);
    assert_int_equal(key_self_certificate(public, "idp", from, until, &der, NULL), ERR_DENIED);
    assert_int_equal(key_save(public, in_folder("public.pem"), NULL), ERR_DENIED);
    key_free(public);
    key_free(k);
    assert_int_equal(key_generate(KEY_P256, 0, KEY_SEAL, &k), OK);
    assert_int_equal(key_self_certificate(k, "idp", from, until, &der, NULL), ERR_DENIED);
    key_free(k);
    buf_free(&der);
    buf_free(&spki);
}

/* Public keys from their numbers are the keys that OpenSSL's own checks would take, and no others. */
static void
test_public_refusals(void **state)
{
#define PRIME "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff"
    /* RFC 6979 §A.2.5 */
#define UX "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
#define UY "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
#define EC_HEAD "3059301306072a8648ce3d020106082a8648ce3d030107034200"
    static const struct {
        const char *label, *spki;
        enum err want;
    } rows[] = {
        { "P-256", EC_HEAD "04" UX UY, OK },
        { "off the curve", EC_HEAD "04" UX "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462298", ERR_INPUT },
        { "zero", EC_HEAD "04" "0000000000000000000000000000000000000000000000000000000000000000"
          "0000000000000000000000000000000000000000000000000000000000000000", ERR_INPUT },
        /* y of x = 0 is a root of b: the same point with p in place of 0 */
        { "x is zero", EC_HEAD "04" "0000000000000000000000000000000000000000000000000000000000000000"
          "66485c780e2f83d72433bd5d84a06bb6541c2af31dae871728bf856a174f93f4", OK },
        { "x is p", EC_HEAD "04" PRIME "66485c780e2f83d72433bd5d84a06bb6541c2af31dae871728bf856a174f93f4", ERR_INPUT },
        { "on P-384 by its name", "3056301006072a8648ce3d020106052b81040022034200" "04" UX UY, ERR_INPUT },
        { "hybrid", EC_HEAD "07" UX UY, OK },               /* by OpenSSL's decoder, and written anew */
        { "at infinity", "3019301306072a8648ce3d020106082a8648ce3d03010703020000", ERR_DENIED },
        { "RSA of 8 bits", "301a300d06092a864886f70d01010105000309003006020155020103", ERR_DENIED },
        { "RSA, exponent zero", "301a300d06092a864886f70d01010105000309003006020155020100", ERR_DENIED },
        { "RSA, negative", "301a300d06092a864886f70d01010105000309003006020181020103", ERR_DENIED },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf der = bytes_of_hex(rows[i].spki);
        struct key *key = NULL;
        const enum err e = key_public(buf_view(&der), &key, NULL);

        key_free(key);
        buf_free(&der);
        if (e != rows[i].want)
            fail_msg("%s: %s", rows[i].label, err_name(e));
    }
}

static void
test_pkcs8_in_memory(void **state)
{
    static const struct {
        enum key_alg alg;
        int bits;
    } rows[] = { { KEY_RSA, 2048 }, { KEY_P256, 0 }, { KEY_P384, 0 }, { KEY_ED25519, 0 } };
    struct why why = WHY_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf sig = BUF_BOUNDED(KEY_SIG_MAX), spki = BUF_BOUNDED(2048);
        struct key *k = NULL, *back = NULL, *public = NULL;
        struct secret der = SECRET_INIT, longer = SECRET_INIT;
        struct str view;

        assert_int_equal(key_generate(rows[i].alg, rows[i].bits, KEY_CA_SIGN, &k), OK);
        assert_int_equal(key_pkcs8(k, &der, &why), OK);
        view = str_from(der.data, der.len);
        if (key_from_pkcs8(view, KEY_CA_SIGN, &back, &why) != OK)
            fail_msg("%s", why.text);
        assert_int_equal(key_sign(back, KEY_CA_SIGN, key_default_alg(back), STR_LIT("m"), false, &sig, &why), OK);
        assert_int_equal(key_verify(k, key_default_alg(k), STR_LIT("m"), buf_view(&sig), false, &why), OK);
        assert_int_equal(key_sign(back, KEY_OCSP_SIGN, key_default_alg(back), STR_LIT("m"), false, &sig, &why), ERR_DENIED);
        assert_int_equal(key_sign(back, KEY_PERSON_SIGN, key_default_alg(back), STR_LIT("m"), false, &sig, &why), ERR_DENIED);
        key_free(back);
        back = NULL;
        /* cut short, and with an octet behind it */
        assert_int_equal(key_from_pkcs8(str_from(der.data, der.len - 1), KEY_CA_SIGN, &back, &why), ERR_INPUT);
        secret_random(&longer, der.len + 1);
        memcpy(longer.data, der.data, der.len);
        assert_int_equal(key_from_pkcs8(str_from(longer.data, longer.len), KEY_CA_SIGN, &back, &why), ERR_INPUT);
        assert_int_equal(key_from_pkcs8(STR_NULL, KEY_CA_SIGN, &back, &why), ERR_INPUT);
        assert_null(back);
        key_spki(k, &spki);
        assert_int_equal(key_public(buf_view(&spki), &public, &why), OK);
        assert_int_equal(key_pkcs8(public, &longer, &why), ERR_DENIED);
        key_free(public);
        key_free(k);
        secret_done(&der);
        secret_done(&longer);
        buf_free(&sig);
        buf_free(&spki);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sign_and_verify),
        cmocka_unit_test(test_ecdsa_degenerate),
        cmocka_unit_test(test_purposes),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_save_and_load),
        cmocka_unit_test(test_load_refusals),
        cmocka_unit_test(test_halves_that_do_not_match),
        cmocka_unit_test(test_self_certificate),
        cmocka_unit_test(test_self_certificate_refusals),
        cmocka_unit_test(test_public_refusals),
        cmocka_unit_test(test_pkcs8_in_memory),
    };

    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
