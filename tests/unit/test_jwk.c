/* jwk: RFC 7638 and RFC 8037 vectors, round trips, and members that are wrong one at a time. */
#include "tests/unit/crypto_support.h"

static void
test_thumbprint_vectors(void **state)
{
    static const struct {
        const char *label, *jwk, *want;
    } rows[] = { { "RFC 7638 §3.1", RFC7638_JWK, RFC7638_THUMBPRINT },
                 { "RFC 8037 §A.3", RFC8037_JWK, RFC8037_THUMBPRINT } };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct key *k = NULL;
        char got[44];

        assert_row(rows[i].label, key_from_jwk(str_of(rows[i].jwk), &k, NULL) == OK);
        key_thumbprint(k, got);
        assert_row_string(rows[i].label, got, rows[i].want);
        key_free(k);
    }
}

static void
test_round_trip(void **state)
{
    static const enum key_alg algs[] = { KEY_RSA, KEY_P256, KEY_P384, KEY_ED25519 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
        struct buf jwk = BUF_BOUNDED(4096), again = BUF_BOUNDED(4096), sig = BUF_BOUNDED(1024);
        struct key *k = NULL, *back = NULL;

        assert_int_equal(key_generate(algs[i], 2048, KEY_OIDC_SIGN, &k), OK);
        key_jwk(k, &jwk);
        assert_int_equal(key_from_jwk(buf_view(&jwk), &back, NULL), OK);
        key_jwk(back, &again);
        assert_string_equal(buf_cstr(&jwk), buf_cstr(&again));
        assert_int_equal(key_sign(k, KEY_OIDC_SIGN, key_default_alg(k), STR_LIT("m"), true, &sig, NULL), OK);
        assert_int_equal(key_verify(back, key_default_alg(k), STR_LIT("m"), buf_view(&sig), true, NULL), OK);
        assert_int_equal(key_sign(back, KEY_OIDC_SIGN, key_default_alg(k), STR_LIT("m"), true, &sig, NULL),
                         ERR_DENIED);
        key_free(k);
        key_free(back);
        buf_free(&jwk);
        buf_free(&again);
        buf_free(&sig);
    }
}

#define X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"

static void
test_refusals(void **state)
{
    static const struct {
        const char *label, *jwk;
        enum err want;
    } rows[] = {
        { "good EC", RFC7515_A3_JWK, OK },
        { "good RSA", RFC7515_A2_JWK, OK },
        { "empty", "", ERR_INPUT },
        { "an array", "[]", ERR_INPUT },
        { "no kty", "{\"crv\":\"P-256\",\"x\":\"" X "\",\"y\":\"" Y "\"}", ERR_INPUT },
        { "kty no text", "{\"kty\":7}", ERR_INPUT },
        { "bytes after", RFC7515_A3_JWK "x", ERR_INPUT },
        { "member twice", "{\"kty\":\"EC\",\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\",\"y\":\"" Y "\"}", ERR_INPUT },
        { "symmetric", "{\"kty\":\"oct\",\"k\":\"AAAA\"}", ERR_DENIED },
        { "unknown kty", "{\"kty\":\"XYZ\"}", ERR_DENIED },
        { "private EC", "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\",\"y\":\"" Y "\",\"d\":\"AA\"}", ERR_INPUT },
        { "P-521", "{\"kty\":\"EC\",\"crv\":\"P-521\",\"x\":\"" X "\",\"y\":\"" Y "\"}", ERR_DENIED },
        { "no crv", "{\"kty\":\"EC\",\"x\":\"" X "\",\"y\":\"" Y "\"}", ERR_DENIED },
        { "no y", "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\"}", ERR_INPUT },
        { "x as y", "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\",\"y\":\"" X "\"}", ERR_INPUT },
        { "x shortened", "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVE\",\"y\":\""
                         Y "\"}", ERR_INPUT },
        { "x too long", "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA" X "\",\"y\":\"" Y "\"}", ERR_INPUT },
        { "padded", "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "=\",\"y\":\"" Y "\"}", ERR_INPUT },
        { "infinity", "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"y\":"
                      "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}", ERR_INPUT },
        { "small RSA", "{\"kty\":\"RSA\",\"n\":\"" X "\",\"e\":\"AQAB\"}", ERR_DENIED },
        { "RSA exponent 1", "{\"kty\":\"RSA\",\"n\":\"" RFC7520_RSA_N "\",\"e\":\"AQ\"}", ERR_DENIED },
        { "RSA even exponent", "{\"kty\":\"RSA\",\"n\":\"" RFC7520_RSA_N "\",\"e\":\"AQAA\"}", ERR_DENIED },
        { "RSA long exponent", "{\"kty\":\"RSA\",\"n\":\"" RFC7520_RSA_N "\",\"e\":\"AQAAAAAAAAAB\"}", ERR_INPUT },
        { "RSA no n", "{\"kty\":\"RSA\",\"e\":\"AQAB\"}", ERR_INPUT },
        { "RSA private", "{\"kty\":\"RSA\",\"n\":\"" RFC7520_RSA_N "\",\"e\":\"AQAB\",\"d\":\"AA\"}", ERR_INPUT },
        { "X25519", "{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"" X "\"}", ERR_DENIED },
        { "OKP short", "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}", ERR_INPUT },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct key *k = NULL;
        struct why why = WHY_INIT;

        assert_row(rows[i].label, key_from_jwk(str_of(rows[i].jwk), &k, &why) == rows[i].want);
        assert_row(rows[i].label, (k != NULL) == (rows[i].want == OK));
        assert_row(rows[i].label, (why.text[0] != '\0') == (rows[i].want != OK));
        key_free(k);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_thumbprint_vectors),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
