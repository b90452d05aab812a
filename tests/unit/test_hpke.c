/*
 * hpke: the vectors of RFC 9180, step by step, and what must not open.
 *
 * A.3.1 is printed in the RFC (AES-128-GCM). The row for AES-256-GCM, the suite the product uses, is the entry
 * mode 0, kem_id 16, kdf_id 1, aead_id 2 of the file the RFC's appendix was made from
 * (github.com/cfrg/draft-irtf-cfrg-hpke, test-vectors.json).
 */
#include "tests/unit/crypto_support.h"

#include "base/crypto/seal-internal.h"

#define INFO "4f6465206f6e2061204772656369616e2055726e"
#define PLAIN "4265617574792069732074727574682c20747275746820626561757479"
#define AAD "436f756e742d30"

struct vector {
    const char *label;
    enum hpke_aead aead;
    const char *ikm_e, *ikm_r;      /* ikm_r NULL: the file gives the scalar, used as sk_r */
    const char *sk_r, *pk_r, *enc, *shared, *key, *nonce, *ciphertext;
};

static const struct vector vectors[] = {
    { "RFC 9180 A.3.1", HPKE_AES_128_GCM, "4270e54ffd08d79d5928020af4686d8f6b7d35dbe470265f1f5aa22816ce860e",
      "668b37171f1072f3cf12ea8a236a45df23fc13b82af3609ad1e354f6ef817550",
      "f3ce7fdae57e1a310d87f1ebbde6f328be0a99cdbcadf4d6589cf29de4b8ffd2",
      "04fe8c19ce0905191ebc298a9245792531f26f0cece2460639e8bc39cb7f706a"
      "826a779b4cf969b8a0e539c7f62fb3d30ad6aa8f80e30f1d128aafd68a2ce72ea0",
      "04a92719c6195d5085104f469a8b9814d5838ff72b60501e2c4466e5e67b325a"
      "c98536d7b61a1af4b78e5b7f951c0900be863c403ce65c9bfcb9382657222d18c4",
      "c0d26aeab536609a572b07695d933b589dcf363ff9d93c93adea537aeabb8cb8", "868c066ef58aae6dc589b6cfdd18f97e",
      "4e0bc5018beba4bf004cca59",
      "5ad590bb8baa577f8619db35a36311226a896e7342a6d836d8b7bcd2f20b6c7f9076ac232e3ab2523f39513434" },
    { "CFRG test-vectors.json 0/16/1/2", HPKE_AES_256_GCM,
      "a90d3417c3da9cb6c6ae19b4b5dd6cc9529a4cc24efb7ae0ace1f31887a8cd6c",
      "a0ce15d49e28bd47a18a97e147582d814b08cbe00109fed5ec27d1b4e9f6f5e3",
      "317f915db7bc629c48fe765587897e01e282d3e8445f79f27f65d031a88082b2",
      "04abc7e49a4c6b3566d77d0304addc6ed0e98512ffccf505e6a8e3eb25c68513"
      "6f853148544876de76c0f2ef99cdc3a05ccf5ded7860c7c021238f9e2073d2356c",
      "04c06b4f6bebc7bb495cb797ab753f911aff80aefb86fd8b6fcc35525f3ab5f0"
      "3e0b21bd31a86c6048af3cb2d98e0d3bf01da5cc4c39ff5370d331a4f1f7d5a4e0",
      "48893fecd82f7c3456af6a42d8f56325d21e08c10fa81299986aaff54cde7b49",
      "ee16802a936d5f544771131900ee6973d0551de9e852ece2ef34bf0d5f9e1d1d", "9bc50980832a7b4b58c40161",
      "58c61a45059d0c5704560e9d88b564a8b63f1364b8d1fcb3c4c6ddc1d291742465e902cd216f8908da49f8f96f" },
};

static struct key *
key_of_ikm(const char *ikm_hex)
{
    struct buf ikm = bytes_of_hex(ikm_hex);
    EVP_PKEY *pkey = NULL;
    struct key *k = NULL;

    assert_int_equal(hpke_derive_key_pair(buf_view(&ikm), &pkey, NULL), OK);
    assert_int_equal(key_from_evp(pkey, true, KEY_SEAL, &k, NULL), OK);
    buf_free(&ikm);
    return k;
}

static void
test_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
        const struct vector *v = &vectors[i];
        struct key *recipient = key_of_ikm(v->ikm_r);
        struct buf ikm_e = bytes_of_hex(v->ikm_e), info = bytes_of_hex(INFO), aad = bytes_of_hex(AAD),
                   plain = bytes_of_hex(PLAIN), sealed = BUF_BOUNDED(1024), opened = BUF_SECRET(1024);
        unsigned char enc[HPKE_ENC_LEN], shared[HPKE_SECRET_LEN], point[HPKE_ENC_LEN], scalar[32];
        struct hpke_context context;
        BIGNUM *bn = NULL;
        size_t n = 0;

        assert_int_equal(EVP_PKEY_get_bn_param(recipient->pkey, OSSL_PKEY_PARAM_PRIV_KEY, &bn), 1);
        assert_int_equal(BN_bn2binpad(bn, scalar, sizeof(scalar)), sizeof(scalar));
        BN_clear_free(bn);
        assert_row(v->label, equals_hex(scalar, sizeof(scalar), v->sk_r));
        assert_int_equal(EVP_PKEY_get_octet_string_param(recipient->pkey, OSSL_PKEY_PARAM_PUB_KEY, point,
                                                         sizeof(point), &n), 1);
        assert_row(v->label, equals_hex(point, n, v->pk_r));

        assert_int_equal(hpke_encap(recipient, buf_view(&ikm_e), enc, shared, NULL), OK);
        assert_row(v->label, equals_hex(enc, sizeof(enc), v->enc));
        assert_row(v->label, equals_hex(shared, sizeof(shared), v->shared));
        memset(shared, 0, sizeof(shared));
        assert_int_equal(hpke_decap(recipient, enc, shared, NULL), OK);
        assert_row(v->label, equals_hex(shared, sizeof(shared), v->shared));

        hpke_key_schedule(v->aead, shared, buf_view(&info), &context);
        assert_row(v->label, equals_hex(context.key, context.key_len, v->key));
        assert_row(v->label, equals_hex(context.nonce, sizeof(context.nonce), v->nonce));

        assert_int_equal(hpke_seal(v->aead, recipient, buf_view(&ikm_e), buf_view(&info), buf_view(&aad),
                                   buf_view(&plain), &sealed, NULL), OK);
        assert_row(v->label, equals_hex(sealed.data, HPKE_ENC_LEN, v->enc));
        assert_row(v->label, equals_hex(sealed.data + HPKE_ENC_LEN, sealed.len - HPKE_ENC_LEN, v->ciphertext));
        assert_int_equal(hpke_open(v->aead, recipient, buf_view(&info), buf_view(&aad), buf_view(&sealed), &opened,
                                   NULL), OK);
        assert_row(v->label, equals_hex(opened.data, opened.len, PLAIN));

        buf_free(&ikm_e);
        buf_free(&info);
        buf_free(&aad);
        buf_free(&plain);
        buf_free(&sealed);
        buf_free(&opened);
        key_free(recipient);
    }
}

struct sealed_state {
    struct key *recipient, *other;
    struct buf sealed;
};

static int
sealed_setup(void **state)
{
    struct sealed_state *s = mem_alloc(sizeof(*s));

    s->sealed = (struct buf)BUF_BOUNDED(1024);
    assert_int_equal(key_generate(KEY_P256, 0, KEY_SEAL, &s->recipient), OK);
    assert_int_equal(key_generate(KEY_P256, 0, KEY_SEAL, &s->other), OK);
    assert_int_equal(seal_to(s->recipient, STR_LIT("info"), STR_LIT("aad"), STR_LIT("secret"), &s->sealed, NULL), OK);
    *state = s;
    return 0;
}

static int
sealed_teardown(void **state)
{
    struct sealed_state *s = *state;

    key_free(s->recipient);
    key_free(s->other);
    buf_free(&s->sealed);
    mem_freep(&s);
    return 0;
}

static void
assert_opens(const struct sealed_state *s)
{
    struct buf out = BUF_SECRET(64);

    assert_int_equal(s->sealed.len, strlen("secret") + SEAL_OVERHEAD);
    assert_int_equal(seal_open(s->recipient, STR_LIT("info"), STR_LIT("aad"), buf_view(&s->sealed), &out, NULL), OK);
    assert_string_equal(buf_cstr(&out), "secret");
    buf_free(&out);
}

static void
test_refusals(void **state)
{
    struct sealed_state *s = *state;
    struct buf out = BUF_SECRET(64);
    struct str sealed = buf_view(&s->sealed);

    assert_opens(s);
    assert_int_equal(seal_open(s->other, STR_LIT("info"), STR_LIT("aad"), sealed, &out, NULL), ERR_DENIED);
    assert_int_equal(seal_open(s->recipient, STR_LIT("inf0"), STR_LIT("aad"), sealed, &out, NULL), ERR_DENIED);
    assert_int_equal(seal_open(s->recipient, STR_LIT("info"), STR_NULL, sealed, &out, NULL), ERR_DENIED);
    for (size_t i = 0; i < sealed.n; i++) {
        s->sealed.data[i] ^= 0x01;
        assert_int_equal(seal_open(s->recipient, STR_LIT("info"), STR_LIT("aad"), sealed, &out, NULL), ERR_DENIED);
        s->sealed.data[i] ^= 0x01;
        assert_int_equal(seal_open(s->recipient, STR_LIT("info"), STR_LIT("aad"), (struct str){ sealed.p, i }, &out,
                                   NULL), ERR_DENIED);
    }
    assert_int_equal(out.len, 0);
    assert_opens(s);
    buf_free(&out);
}

static void
test_public_half_seals_but_does_not_open(void **state)
{
    struct sealed_state *s = *state;
    struct buf spki = BUF_BOUNDED(256), out = BUF_SECRET(256), sealed = BUF_BOUNDED(256);
    struct key *public = NULL;

    key_spki(s->recipient, &spki);
    assert_int_equal(key_public(buf_view(&spki), &public, NULL), OK);
    assert_int_equal(seal_to(public, STR_NULL, STR_NULL, STR_LIT("x"), &sealed, NULL), OK);
    assert_int_equal(seal_open(public, STR_NULL, STR_NULL, buf_view(&sealed), &out, NULL), ERR_DENIED);
    assert_int_equal(seal_open(s->recipient, STR_NULL, STR_NULL, buf_view(&sealed), &out, NULL), OK);
    assert_string_equal(buf_cstr(&out), "x");
    key_free(public);
    buf_free(&spki);
    buf_free(&out);
    buf_free(&sealed);
}

static void
test_keys_that_do_not_receive(void **state)
{
    static const struct {
        const char *label;
        enum key_alg alg;
        enum key_purpose purpose;
    } rows[] = { { "P-384", KEY_P384, KEY_SEAL }, { "Ed25519", KEY_ED25519, KEY_SEAL },
                 { "a signing key", KEY_P256, KEY_OIDC_SIGN } };
    struct sealed_state *s = *state;
    struct buf out = BUF_SECRET(256);

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct key *k = NULL;

        assert_int_equal(key_generate(rows[i].alg, 0, rows[i].purpose, &k), OK);
        assert_row(rows[i].label, seal_to(k, STR_NULL, STR_NULL, STR_LIT("x"), &out, NULL) == ERR_DENIED);
        assert_row(rows[i].label,
                   seal_open(k, STR_NULL, STR_NULL, buf_view(&s->sealed), &out, NULL) == ERR_DENIED);
        key_free(k);
    }
    assert_int_equal(out.len, 0);
}

static void
test_lengths(void **state)
{
    struct sealed_state *s = *state;
    static char plain[100000];

    for (size_t n = 0; n <= sizeof(plain); n = n * 7 + 1) {
        struct buf sealed = BUF_BOUNDED(200000), out = BUF_SECRET(200000);

        assert_int_equal(seal_to(s->recipient, STR_NULL, STR_NULL, (struct str){ plain, n }, &sealed, NULL), OK);
        assert_int_equal(sealed.len, n + SEAL_OVERHEAD);
        assert_int_equal(seal_open(s->recipient, STR_NULL, STR_NULL, buf_view(&sealed), &out, NULL), OK);
        assert_int_equal(out.len, n);
        buf_free(&sealed);
        buf_free(&out);
    }
}

static void
test_box(void **state)
{
    unsigned char bytes[32] = { 7 }, wrong[32] = { 8 };
    const struct str key = str_from(bytes, 32), other = str_from(wrong, 32), plain = STR_LIT("a private key");
    struct buf one = BUF_BOUNDED(256), two = BUF_BOUNDED(256), out = BUF_SECRET(256);
    struct why why = WHY_INIT;

    (void)state;
    assert_int_equal(box_seal(key, STR_LIT("head"), plain, &one, &why), OK);
    assert_int_equal(one.len, plain.n + BOX_OVERHEAD);
    assert_int_equal(box_seal(key, STR_LIT("head"), plain, &two, &why), OK);
    assert_false(str_eq(buf_view(&one), buf_view(&two)));
    assert_int_equal(box_open(key, STR_LIT("head"), buf_view(&one), &out, &why), OK);
    assert_true(str_eq(buf_view(&out), plain));
    assert_int_equal(box_open(key, STR_LIT("tail"), buf_view(&one), &out, &why), ERR_DENIED);
    assert_int_equal(box_open(other, STR_LIT("head"), buf_view(&one), &out, &why), ERR_DENIED);
    for (size_t i = 0; i < one.len; i++) {
        one.data[i] ^= 1;
        assert_int_equal(box_open(key, STR_LIT("head"), buf_view(&one), &out, &why), ERR_DENIED);
        one.data[i] ^= 1;
    }
    for (size_t n = 0; n < one.len; n++)
        assert_int_equal(box_open(key, STR_LIT("head"), str_from(one.data, n), &out, &why), ERR_DENIED);
    assert_int_equal(out.len, plain.n);
    buf_free(&one);
    buf_free(&two);
    buf_free(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test_setup_teardown(test_refusals, sealed_setup, sealed_teardown),
        cmocka_unit_test_setup_teardown(test_public_half_seals_but_does_not_open, sealed_setup, sealed_teardown),
        cmocka_unit_test_setup_teardown(test_keys_that_do_not_receive, sealed_setup, sealed_teardown),
        cmocka_unit_test_setup_teardown(test_lengths, sealed_setup, sealed_teardown),
        cmocka_unit_test(test_box),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
