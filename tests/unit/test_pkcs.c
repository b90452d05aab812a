/* pkcs: requests that OpenSSL verifies, certificates-only messages, PKCS#12 files that OpenSSL opens; and their refusals. */
#include "tests/unit/crypto_support.h"

#include <openssl/pkcs12.h>
#include <stdio.h>
#include <sys/mman.h>

#include "base/crypto/pkcs.h"
#include "base/crypto/der.h"
#include "pki/encode/certs_only.h"

static struct key *
key_make(enum key_alg alg, enum key_purpose purpose)
{
    struct key *k = NULL;

    assert_int_equal(key_generate(alg, 2048, purpose, &k), OK);
    return k;
}

/* A certificate of that key, which has KEY_HOLDER_SIGN. */
static struct buf
certificate_make(const struct key *k, const char *name)
{
    struct buf der = BUF_BOUNDED(8192);
    struct why why = WHY_INIT;

    assert_int_equal(key_self_certificate(k, name, 1700000000 * USEC_PER_SEC, 1800000000 * USEC_PER_SEC, &der, &why), OK);
    return der;
}

static void
test_request(void **state)
{
    static const enum key_alg algs[] = { KEY_P256, KEY_P384, KEY_RSA, KEY_ED25519 };
    /* CN=Zoé */
    const struct str subject = STR_LIT("\x30\x0f\x31\x0d\x30\x0b\x06\x03\x55\x04\x03\x0c\x04Zo\xc3\xa9");

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
        struct key *k = key_make(algs[i], KEY_HOLDER_SIGN);

        for (int named = 0; named < 2; named++) {
            struct buf der = BUF_BOUNDED(8192);
            struct why why = WHY_INIT;
            const unsigned char *p;
            X509_REQ *req;

            assert_int_equal(pkcs10_make(k, named ? subject : STR_NULL, &der, &why), OK);
            assert_int_equal(der_check(buf_view(&der), 8192, &why), OK);
            p = (const unsigned char *)der.data;
            req = d2i_X509_REQ(NULL, &p, (long)der.len);
            assert_non_null(req);
            assert_int_equal(X509_REQ_verify(req, X509_REQ_get0_pubkey(req)), 1);
            assert_int_equal(X509_NAME_entry_count(X509_REQ_get_subject_name(req)), named);
            assert_int_equal(EVP_PKEY_eq(X509_REQ_get0_pubkey(req), key_evp(k)), 1);
            X509_REQ_free(req);
            buf_free(&der);
        }
        key_free(k);
    }
}

/* Keys of ours never leave: only what was made for a holder is put into an envelope. */
static void
test_other_keys(void **state)
{
    static const enum key_purpose others[] = { KEY_CA_SIGN, KEY_PERSON_SIGN, KEY_SAML_SIGN, KEY_SEAL };
    struct key *good = key_make(KEY_P256, KEY_HOLDER_SIGN);
    struct buf cert = certificate_make(good, "A");

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        struct key *k = key_make(KEY_P256, others[i]);
        struct pkcs12_content in = { .key = k, .certificate = buf_view(&cert), .name = "A" };
        struct buf out = BUF_BOUNDED(16384);
        struct why why = WHY_INIT;

        assert_int_equal(pkcs10_make(k, STR_NULL, &out, &why), ERR_DENIED);
        assert_int_equal(pkcs12_make(&in, PKCS12_AES, "x", &out, &why), ERR_DENIED);
        assert_int_equal(out.len, 0);
        key_free(k);
        buf_free(&out);
    }
    buf_free(&cert);
    key_free(good);
}

static void
test_certificates(void **state)
{
    struct key *k = key_make(KEY_P256, KEY_HOLDER_SIGN);
    struct buf one = certificate_make(k, "Un"), two = certificate_make(k, "Deux"), der = BUF_BOUNDED(65536);
    const struct str in[] = { buf_view(&one), buf_view(&two) };
    struct str found[PKCS7_CERTIFICATES_MAX];
    struct why why = WHY_INIT;
    size_t n = 0;

    (void)state;
    assert_int_equal(certs_only_encode(in, 2, &der, &why), OK);
    assert_int_equal(pkcs7_certificates(buf_view(&der), found, &n, &why), OK);
    assert_int_equal(n, 2);
    assert_true((str_eq(found[0], in[0]) && str_eq(found[1], in[1])) || (str_eq(found[0], in[1]) && str_eq(found[1], in[0])));
    for (size_t cut = 0; cut < der.len; cut++) {
        n = 7;
        assert_int_equal(pkcs7_certificates((struct str){ der.data, cut }, found, &n, &why), ERR_INPUT);
        assert_int_equal(n, 7);
    }
    buf_addc(&der, 0);
    assert_int_equal(pkcs7_certificates(buf_view(&der), found, &n, &why), ERR_INPUT);
    assert_int_equal(pkcs7_certificates(in[0], found, &n, &why), ERR_INPUT);
    buf_free(&one);
    buf_free(&two);
    buf_free(&der);
    key_free(k);
}

static void
test_pkcs12(void **state)
{
    struct key *k = key_make(KEY_P256, KEY_HOLDER_SIGN), *other = key_make(KEY_P256, KEY_HOLDER_SIGN);
    struct buf cert = certificate_make(k, "Titulaire"), ca = certificate_make(other, "CA");
    const struct str chain[] = { buf_view(&ca) };
    struct pkcs12_content in = { k, buf_view(&cert), chain, 1, "Ville" };
    char phrase[PKCS12_PASSPHRASE_SIZE];
    struct why why = WHY_INIT;

    (void)state;
    pkcs12_passphrase(phrase);
    for (int form = PKCS12_AES; form <= PKCS12_3DES; form++) {
        struct buf der = BUF_BOUNDED(16384);
        const unsigned char *p;
        EVP_PKEY *key = NULL;
        X509 *leaf = NULL;
        STACK_OF(X509) *others = NULL;
        PKCS12 *p12;

        assert_int_equal(pkcs12_make(&in, (enum pkcs12_form)form, phrase, &der, &why), OK);
        p = (const unsigned char *)der.data;
        p12 = d2i_PKCS12(NULL, &p, (long)der.len);
        assert_non_null(p12);
        assert_ptr_equal(p, der.data + der.len);
        assert_int_equal(PKCS12_verify_mac(p12, "wrong", -1), 0);
        assert_int_equal(PKCS12_parse(p12, phrase, &key, &leaf, &others), 1);
        assert_int_equal(EVP_PKEY_eq(key, key_evp(k)), 1);
        assert_int_equal(sk_X509_num(others), 1);
        EVP_PKEY_free(key);
        X509_free(leaf);
        sk_X509_pop_free(others, X509_free);
        PKCS12_free(p12);
        buf_free(&der);
    }
    in.key = other;                     /* the certificate is not of this key */
    assert_int_equal(pkcs12_make(&in, PKCS12_AES, phrase, &(struct buf)BUF_BOUNDED(16384), &why), ERR_INPUT);
    in = (struct pkcs12_content){ k, STR_LIT("\x30\x00"), NULL, 0, "Ville" };
    assert_int_equal(pkcs12_make(&in, PKCS12_AES, phrase, &(struct buf)BUF_BOUNDED(16384), &why), ERR_INPUT);
    buf_free(&cert);
    buf_free(&ca);
    key_free(k);
    key_free(other);
}

static void
test_passphrase(void **state)
{
    static const char *const bad[] = { "", "abcde-fghjk-mnpqr-stuv", "abcde-fghjk-mnpqr-stuvwx", "abcde-fghjk-mnpqr-stuv0",
                                       "abcdefghjk--mnpqr-stuvw", "ABCDE-fghjk-mnpqr-stuvw", "abcde fghjk-mnpqr-stuvw" };
    char a[PKCS12_PASSPHRASE_SIZE], b[PKCS12_PASSPHRASE_SIZE];

    (void)state;
    for (int i = 0; i < 100; i++) {
        pkcs12_passphrase(a);
        pkcs12_passphrase(b);
        assert_true(pkcs12_passphrase_ok(a));
        assert_string_not_equal(a, b);
    }
    assert_true(pkcs12_passphrase_ok("abcde-fghjk-mnpqr-stuvw"));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_row(bad[i], !pkcs12_passphrase_ok(bad[i]));
    assert_false(pkcs12_passphrase_ok(NULL));
}

/* --- nothing of the key stays (A-26) --------------------------------------------------------------------------------------- */

#define SCALAR 32
#define MASK 0x5a
#define MAP_MAX (64ul << 20)       /* the sanitizer's own are larger */

/* The private key, masked: what is looked for must not stand in the memory that is searched. */
static void
masked_scalar(const struct key *k, unsigned char ret[SCALAR])
{
    BIGNUM *n = NULL;

    assert_int_equal(EVP_PKEY_get_bn_param(key_evp(k), OSSL_PKEY_PARAM_PRIV_KEY, &n), 1);
    assert_int_equal(BN_bn2binpad(n, ret, SCALAR), SCALAR);
    for (size_t i = 0; i < SCALAR; i++)
        ret[i] ^= MASK;
    BN_clear_free(n);
}

static int
hits(const unsigned char *block, size_t n, const unsigned char masked[SCALAR])
{
    int found = 0;

    for (size_t at = 0; at + SCALAR <= n; at++) {
        size_t up = 0, down = 0;

        while (up < SCALAR && (block[at + up] ^ MASK) == masked[up])
            up++;
        while (down < SCALAR && (block[at + down] ^ MASK) == masked[SCALAR - 1 - down])
            down++;
        found += up == SCALAR || down == SCALAR;
    }
    return found;
}

/* How often it stands, either way round, in what this process may write to. */
static int
memory_hits(const unsigned char masked[SCALAR])
{
    FILE *maps = fopen("/proc/self/maps", "re"), *mem = fopen("/proc/self/mem", "rbe");
    char line[512], rights[8];
    unsigned long from, to;
    int found = 0;

    assert_non_null(maps);
    assert_non_null(mem);
    setvbuf(mem, NULL, _IONBF, 0);
    while (fgets(line, sizeof(line), maps) != NULL) {
        unsigned char *block;
        size_t n;

        if (sscanf(line, "%lx-%lx %7s", &from, &to, rights) != 3 || strncmp(rights, "rw", 2) != 0 || to - from > MAP_MAX)
            continue;
        block = mmap(NULL, to - from, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_ptr_not_equal(block, MAP_FAILED);
        if (fseek(mem, (long)from, SEEK_SET) == 0 && (n = fread(block, 1, to - from, mem)) > 0)
            found += hits(block, n, masked);
        munmap(block, to - from);
    }
    fclose(maps);
    fclose(mem);
    return found;
}

static void
test_nothing_stays(void **state)
{
    (void)state;
    for (int form = PKCS12_AES; form <= PKCS12_3DES; form++) {
        struct key *k = key_make(KEY_P256, KEY_HOLDER_SIGN);
        struct buf csr = BUF_BOUNDED(8192), cert = certificate_make(k, "Titulaire"), der = BUF_BOUNDED(16384);
        struct pkcs12_content in = { .key = k, .certificate = buf_view(&cert), .name = "Ville" };
        unsigned char masked[SCALAR];
        struct why why = WHY_INIT;

        masked_scalar(k, masked);
        assert_true(memory_hits(masked) > 0);        /* it is found where it is */
        assert_int_equal(pkcs10_make(k, STR_NULL, &csr, &why), OK);
        assert_int_equal(pkcs12_make(&in, (enum pkcs12_form)form, "k7mwp-2hxqd-r9vtc-n4bys", &der, &why), OK);
        key_free(k);
        assert_int_equal(memory_hits(masked), 0);
        buf_free(&csr);
        buf_free(&cert);
        buf_free(&der);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request),  cmocka_unit_test(test_other_keys), cmocka_unit_test(test_certificates),
        cmocka_unit_test(test_pkcs12),   cmocka_unit_test(test_passphrase),   cmocka_unit_test(test_nothing_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
