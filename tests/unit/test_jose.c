/* jose: vectors of RFC 7515, 7520 and 8037; algorithm confusion; headers that must be refused. */
#include "tests/unit/crypto_support.h"

#include "base/crypto/digest.h"
#include "base/crypto/jose.h"

static void
test_verify_vectors(void **state)
{
    static const struct {
        const char *label, *jwk, *compact;
        enum sig_alg alg;
        const char *kid;
    } rows[] = {
        { "RFC 7515 §A.2", RFC7515_A2_JWK, RFC7515_A2_COMPACT, SIG_RS256, "" },
        { "RFC 7515 §A.3", RFC7515_A3_JWK, RFC7515_A3_COMPACT, SIG_ES256, "" },
        { "RFC 7520 §4.1", "{\"kty\":\"RSA\",\"n\":\"" RFC7520_RSA_N "\",\"e\":\"AQAB\"}", RFC7520_4_1_COMPACT,
          SIG_RS256, "bilbo.baggins@hobbiton.example" },
        { "RFC 8037 §A.4", RFC8037_JWK, RFC8037_COMPACT, SIG_EDDSA, "" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char altered[2048];
        struct key *k = NULL;
        struct jws jws;
        struct str payload_b64;

        assert_int_equal(key_from_jwk(str_of(rows[i].jwk), &k, NULL), OK);
        assert_row(rows[i].label, jws_parse(str_of(rows[i].compact), &jws, NULL) == OK);
        assert_row(rows[i].label, jws.alg == rows[i].alg);
        assert_row_string(rows[i].label, jws.kid, rows[i].kid);
        assert_row(rows[i].label, jws_verify(&jws, k, rows[i].alg, NULL) == OK);
        payload_b64 = str_of(strchr(rows[i].compact, '.') + 1);
        jws_done(&jws);

        /* One symbol of the payload. */
        (void)snprintf(altered, sizeof(altered), "%s", rows[i].compact);
        altered[payload_b64.p - rows[i].compact + 5] ^= 0x01;
        assert_row(rows[i].label, jws_parse(str_of(altered), &jws, NULL) == OK);
        assert_row(rows[i].label, jws_verify(&jws, k, rows[i].alg, NULL) == ERR_DENIED);
        jws_done(&jws);
        key_free(k);
    }
}

static void
test_sign_vectors(void **state)
{
    struct buf out = BUF_BOUNDED(4096), payload = BUF_BOUNDED(4096);
    struct key *rsa = key_rfc7520_rsa(KEY_OIDC_SIGN), *ed = key_rfc8037(KEY_OIDC_SIGN);
    struct jws jws;

    (void)state;
    /* Both are deterministic: our text must be theirs to the last symbol. */
    assert_int_equal(jws_parse(STR_LIT(RFC7520_4_1_COMPACT), &jws, NULL), OK);
    buf_add_str(&payload, buf_view(&jws.payload));
    jws_done(&jws);
    assert_int_equal(jws_sign(rsa, KEY_OIDC_SIGN, SIG_RS256, "bilbo.baggins@hobbiton.example", NULL,
                              buf_cstr(&payload), &out, NULL), OK);
    assert_string_equal(buf_cstr(&out), RFC7520_4_1_COMPACT);
    buf_reset(&out);
    assert_int_equal(jws_sign(ed, KEY_OIDC_SIGN, SIG_EDDSA, NULL, NULL, RFC8037_PAYLOAD, &out, NULL), OK);
    assert_string_equal(buf_cstr(&out), RFC8037_COMPACT);
    key_free(rsa);
    key_free(ed);
    buf_free(&out);
    buf_free(&payload);
}

static void
test_algorithm_names(void **state)
{
    static const char *const denied[] = { "none", "None", "NONE", "nOnE", "HS256", "HS384", "HS512",
                                          "ES512", "ES256K", "PS384", "PS512" };
    static const char *const unknown[] = { "", "rs256", "RS256 ", "RS1", "SHA1", "\xc3\xa9" };
    enum sig_alg alg;

    (void)state;
    for (int i = SIG_RS256; i <= SIG_RS512; i++) {
        assert_int_equal(sig_alg_parse(sig_alg_name((enum sig_alg)i), &alg), OK);
        assert_int_equal(alg, i);
    }
    for (size_t i = 0; i < ARRAY_LEN(denied); i++)
        assert_row(denied[i], sig_alg_parse(denied[i], &alg) == ERR_DENIED);
    for (size_t i = 0; i < ARRAY_LEN(unknown); i++)
        assert_row(unknown[i], sig_alg_parse(unknown[i], &alg) == ERR_INPUT);
}

static void
test_refused_vectors(void **state)
{
    static const struct {
        const char *label, *compact;
    } rows[] = { { "RFC 7515 §A.1 HS256", RFC7515_A1_COMPACT },
                 { "RFC 7515 §A.5 none", RFC7515_A5_COMPACT },
                 { "RFC 7520 §4.3 ES512", RFC7520_4_3_COMPACT },
                 { "RFC 7520 §4.4 HS256", RFC7520_4_4_COMPACT } };
    struct jws jws;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_row(rows[i].label, jws_parse(str_of(rows[i].compact), &jws, NULL) == ERR_DENIED);
}

/* --- our own message, changed in one place ----------------------------------------------------------------- */

struct jose_state {
    struct key *rsa, *ec;
    struct buf good;
};

static int
jose_setup(void **state)
{
    struct jose_state *s = mem_alloc(sizeof(*s));

    s->good = (struct buf)BUF_BOUNDED(4096);
    s->rsa = key_rfc7520_rsa(KEY_OIDC_SIGN);
    assert_int_equal(key_generate(KEY_P256, 0, KEY_OIDC_SIGN, &s->ec), OK);
    assert_int_equal(jws_sign(s->ec, KEY_OIDC_SIGN, SIG_ES256, "k1", "JWT", "{\"sub\":\"x\"}", &s->good, NULL), OK);
    *state = s;
    return 0;
}

static int
jose_teardown(void **state)
{
    struct jose_state *s = *state;

    key_free(s->rsa);
    key_free(s->ec);
    buf_free(&s->good);
    mem_freep(&s);
    return 0;
}

static void
assert_good(const struct jose_state *s)
{
    struct jws jws;

    assert_int_equal(jws_parse(buf_view(&s->good), &jws, NULL), OK);
    assert_int_equal(jws_verify(&jws, s->ec, SIG_ES256, NULL), OK);
    assert_string_equal(jws.kid, "k1");
    assert_string_equal(jws.typ, "JWT");
    assert_string_equal(buf_cstr(&jws.payload), "{\"sub\":\"x\"}");
    jws_done(&jws);
}

/* header.payload signed with our EC key whatever the header says. */
static void
forge(const struct jose_state *s, const char *header, struct buf *out)
{
    struct buf sig = BUF_BOUNDED(128);

    buf_reset(out);
    base64url_encode(out, header, strlen(header));
    buf_adds(out, ".e30.");
    assert_int_equal(key_sign(s->ec, KEY_OIDC_SIGN, SIG_ES256, (struct str){ out->data, out->len - 1 }, true, &sig,
                              NULL), OK);
    base64url_encode(out, sig.data, sig.len);
    buf_free(&sig);
}

static void
test_headers(void **state)
{
    static const struct {
        const char *header;
        enum err want;
    } rows[] = {
        { "{\"alg\":\"ES256\"}", OK },
        { " {\"typ\":\"at+jwt\",\r\n \"alg\":\"ES256\"} ", OK },
        { "{\"alg\":\"ES256\",\"jku\":\"https://evil.example/jwks\",\"x5c\":[\"AAAA\"]}", OK },     /* not looked at */
        { "{\"alg\":\"ES256\",\"crit\":[\"exp\"],\"exp\":1}", ERR_DENIED },
        { "{\"alg\":\"ES256\",\"crit\":[]}", ERR_DENIED },
        { "{\"alg\":\"ES256\",\"b64\":false}", ERR_DENIED },
        { "{\"alg\":\"none\"}", ERR_DENIED },
        { "{\"alg\":\"HS256\"}", ERR_DENIED },
        { "{\"alg\":\"nonsense\"}", ERR_INPUT },
        { "{\"alg\":[\"ES256\"]}", ERR_INPUT },
        { "{\"typ\":\"JWT\"}", ERR_INPUT },
        { "{\"alg\":\"ES256\",\"alg\":\"ES256\"}", ERR_INPUT },
        { "{\"alg\":\"none\",\"alg\":\"ES256\"}", ERR_INPUT },
        { "{\"alg\":\"ES256\",\"\\u0061lg\":\"none\"}", ERR_INPUT },
        { "{\"alg\":\"ES256\",\"x\":{\"y\":1,\"y\":2}}", ERR_INPUT },
        { "{\"alg\":\"ES256\"}x", ERR_INPUT },
        { "{\"alg\":\"ES256\"}{}", ERR_INPUT },
        { "{\"alg\":\"ES256\\u0000\"}", ERR_INPUT },
        { "{\"alg\":\"ES256\",\"enc\":\"A256GCM\"}", ERR_INPUT },
        { "{\"alg\":\"ES256\",\"zip\":\"DEF\"}", ERR_INPUT },
        { "{\"alg\":\"ES256\",\"kid\":7}", ERR_INPUT },
        { "{\"alg\":\"ES256\",\"kid\":\"a b\"}", ERR_INPUT },
        { "{\"alg\":\"ES256\",\"kid\":\"a\\\"b\"}", ERR_INPUT },
        { "{\"alg\":\"ES256\",\"kid\":\"\\u00e9\"}", ERR_INPUT },
        { "{\"alg\":\"ES256\",\"kid\":\"0123456789012345678901234567890123456789012345678901234567890123\"}", ERR_INPUT },
        { "{\"alg\":\"ES256\",\"typ\":\"01234567890123456789012345678901\"}", ERR_INPUT },
        { "[\"ES256\"]", ERR_INPUT },
        { "\"ES256\"", ERR_INPUT },
        { "{'alg':'ES256'}", ERR_INPUT },
        { "", ERR_INPUT },
    };
    struct jose_state *s = *state;
    struct buf forged = BUF_BOUNDED(4096);
    struct jws jws;

    assert_good(s);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        forge(s, rows[i].header, &forged);
        assert_row(rows[i].header, jws_parse(buf_view(&forged), &jws, NULL) == rows[i].want);
        if (rows[i].want == OK) {
            assert_row(rows[i].header, jws_verify(&jws, s->ec, SIG_ES256, NULL) == OK);
            jws_done(&jws);
        }
    }
    assert_good(s);
    buf_free(&forged);
}

static void
test_shape(void **state)
{
    struct jose_state *s = *state;
    const char *good = buf_cstr(&s->good);
    static const char *const formats[] = { " %s", "%s ", "%s\n", "%s.", ".%s", "%s.e30", "%s=", "%sA", "%s!", "." };
    char text[4096];
    struct jws jws;
    size_t dots = 0;

    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        const char *mark = strstr(formats[i], "%s");

        if (mark == NULL)
            (void)snprintf(text, sizeof(text), "%s", formats[i]);
        else
            (void)snprintf(text, sizeof(text), "%.*s%s%s", (int)(mark - formats[i]), formats[i], good, mark + 2);
        if (jws_parse(str_of(text), &jws, NULL) == OK) {     /* what follows the signature is judged with it */
            assert_row(formats[i], jws_verify(&jws, s->ec, SIG_ES256, NULL) == ERR_DENIED);
            jws_done(&jws);
        }
    }
    for (size_t i = 0; i < s->good.len; i++) {               /* cut short anywhere */
        const struct str cut = { good, i };

        if (jws_parse(cut, &jws, NULL) == OK) {
            assert_int_equal(dots, 2);
            assert_int_equal(jws_verify(&jws, s->ec, SIG_ES256, NULL), ERR_DENIED);
            jws_done(&jws);
        }
        dots += good[i] == '.';
    }
    assert_int_equal(dots, 2);
    assert_int_equal(jws_parse((struct str){ good, 0 }, &jws, NULL), ERR_INPUT);
    assert_good(s);
}

static void
test_confusion(void **state)
{
    struct jose_state *s = *state;
    struct buf out = BUF_BOUNDED(4096), spki = BUF_BOUNDED(2048);
    unsigned char mac[SHA256_LEN];
    struct str part;
    struct jws jws;

    /* A good signature under another algorithm than was agreed. */
    assert_int_equal(jws_parse(buf_view(&s->good), &jws, NULL), OK);
    assert_int_equal(jws_verify(&jws, s->ec, SIG_RS256, NULL), ERR_DENIED);
    assert_int_equal(jws_verify(&jws, s->rsa, SIG_ES256, NULL), ERR_DENIED);
    assert_int_equal(jws_verify(&jws, s->rsa, SIG_RS256, NULL), ERR_DENIED);
    jws_done(&jws);

    /* RS256 signed, RS512 claimed. */
    assert_int_equal(jws_sign(s->rsa, KEY_OIDC_SIGN, SIG_RS256, NULL, NULL, "{}", &out, NULL), OK);
    assert_int_equal(jws_parse(buf_view(&out), &jws, NULL), OK);
    assert_int_equal(jws_verify(&jws, s->rsa, SIG_RS512, NULL), ERR_DENIED);
    assert_int_equal(jws_verify(&jws, s->rsa, SIG_PS256, NULL), ERR_DENIED);
    assert_int_equal(jws_verify(&jws, s->rsa, SIG_RS256, NULL), OK);
    jws_done(&jws);

    /* HS256 with the public key's bytes as secret. */
    buf_reset(&out);
    key_spki(s->rsa, &spki);
    base64url_encode(&out, "{\"alg\":\"HS256\"}", 15);
    buf_adds(&out, ".e30");
    part = buf_view(&out);
    hmac_sha256(buf_view(&spki), &part, 1, mac);
    buf_addc(&out, '.');
    base64url_encode(&out, mac, sizeof(mac));
    assert_int_equal(jws_parse(buf_view(&out), &jws, NULL), ERR_DENIED);

    /* No signature under a good algorithm. */
    buf_reset(&out);
    base64url_encode(&out, "{\"alg\":\"ES256\"}", 15);
    buf_adds(&out, ".e30.");
    assert_int_equal(jws_parse(buf_view(&out), &jws, NULL), OK);
    assert_int_equal(jws_verify(&jws, s->ec, SIG_ES256, NULL), ERR_DENIED);
    jws_done(&jws);
    buf_free(&out);
    buf_free(&spki);
}

static void
test_sign_refusals(void **state)
{
    struct jose_state *s = *state;
    struct buf out = BUF_BOUNDED(2 * JWS_MAX);
    char *huge = mem_alloc(JWS_MAX);

    memset(huge, ' ', JWS_MAX - 1);
    assert_int_equal(jws_sign(s->ec, KEY_OIDC_SIGN, SIG_ES256, NULL, NULL, huge, &out, NULL), ERR_INPUT);
    assert_int_equal(jws_sign(s->ec, KEY_OIDC_SIGN, SIG_ES256, "a\"b", NULL, "{}", &out, NULL), ERR_INPUT);
    assert_int_equal(jws_sign(s->ec, KEY_OIDC_SIGN, SIG_ES256, NULL, "a\nb", "{}", &out, NULL), ERR_INPUT);
    assert_int_equal(jws_sign(s->ec, KEY_SAML_SIGN, SIG_ES256, NULL, NULL, "{}", &out, NULL), ERR_DENIED);
    assert_int_equal(jws_sign(s->ec, KEY_OIDC_SIGN, SIG_RS256, NULL, NULL, "{}", &out, NULL), ERR_DENIED);
    assert_int_equal(out.len, 0);
    assert_int_equal(jws_sign(s->ec, KEY_OIDC_SIGN, SIG_ES256, NULL, NULL, "{}", &out, NULL), OK);
    mem_freep(&huge);
    buf_free(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verify_vectors),
        cmocka_unit_test(test_sign_vectors),
        cmocka_unit_test(test_algorithm_names),
        cmocka_unit_test(test_refused_vectors),
        cmocka_unit_test_setup_teardown(test_headers, jose_setup, jose_teardown),
        cmocka_unit_test_setup_teardown(test_shape, jose_setup, jose_teardown),
        cmocka_unit_test_setup_teardown(test_confusion, jose_setup, jose_teardown),
        cmocka_unit_test_setup_teardown(test_sign_refusals, jose_setup, jose_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
