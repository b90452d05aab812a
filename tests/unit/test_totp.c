/* totp: RFC 6238 and RFC 4648 vectors, replay, drift, base32 refusals. */
#include "tests/unit/crypto_support.h"

#include "base/crypto/totp.h"

#define RFC_KEY "12345678901234567890"

static void
key_set(struct secret *key)
{
    secret_set(key, RFC_KEY, strlen(RFC_KEY));
}

static void
test_vectors(void **state)
{
    /* RFC 6238 Appendix B, SHA-1; six digits are the last six of the eight printed there. */
    static const struct {
        int64_t seconds;
        const char *code;
    } rows[] = { { 59, "287082" },          { 1111111109, "081804" }, { 1111111111, "050471" },
                 { 1234567890, "005924" },  { 2000000000, "279037" }, { INT64_C(20000000000), "353130" } };
    struct secret key = SECRET_INIT;
    char code[7];

    (void)state;
    key_set(&key);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t step = 0;

        totp_code(&key, rows[i].seconds * USEC_PER_SEC, code);
        assert_row_string(rows[i].code, code, rows[i].code);
        assert_row(rows[i].code, totp_check(&key, rows[i].code, rows[i].seconds * USEC_PER_SEC, -1, &step) == OK);
        assert_row(rows[i].code, step == rows[i].seconds / 30);
    }
    secret_done(&key);
}

static void
test_window_and_replay(void **state)
{
    struct secret key = SECRET_INIT;
    const utime now = 1111111111 * USEC_PER_SEC;
    const int64_t current = 1111111111 / 30;
    int64_t step = 0;
    char code[7];

    (void)state;
    key_set(&key);
    for (int drift = -3; drift <= 3; drift++) {
        const enum err want = drift >= -1 && drift <= 1 ? OK : ERR_DENIED;

        totp_code(&key, now + drift * 30 * USEC_PER_SEC, code);
        step = -7;
        assert_int_equal(totp_check(&key, code, now, -1, &step), want);
        assert_int_equal(step, want == OK ? current + drift : -7);
    }
    assert_int_equal(totp_check(&key, "050471", now, current - 1, &step), OK);
    assert_int_equal(totp_check(&key, "050471", now, current, &step), ERR_DENIED);
    assert_int_equal(totp_check(&key, "050471", now, current + 1, &step), ERR_DENIED);
    assert_int_equal(totp_check(&key, "050472", now, -1, &step), ERR_DENIED);
    /* The clock of a machine that was just born. */
    totp_code(&key, 0, code);
    assert_int_equal(totp_check(&key, code, 0, -1, &step), OK);
    assert_int_equal(step, 0);
    secret_done(&key);
}

static void
test_typed(void **state)
{
    static const struct {
        const char *typed;
        enum err want;
    } rows[] = { { "050471", OK },         { "050 471", OK },      { " 050471 ", OK },      { "05047", ERR_INPUT },
                 { "0504711", ERR_INPUT }, { "", ERR_INPUT },      { "05047a", ERR_INPUT }, { "-50471", ERR_INPUT },
                 { "050471x", ERR_INPUT }, { "      ", ERR_INPUT }, { "050471\n", ERR_INPUT } };
    struct secret key = SECRET_INIT;
    int64_t step;

    (void)state;
    key_set(&key);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_row(rows[i].typed,
                   totp_check(&key, rows[i].typed, 1111111111 * USEC_PER_SEC, -1, &step) == rows[i].want);
    secret_done(&key);
}

static void
test_base32(void **state)
{
    /* RFC 4648 §10. */
    static const struct {
        const char *text, *padded, *plain;
    } rows[] = { { "", "", "" },
                 { "f", "MY======", "MY" },
                 { "fo", "MZXQ====", "MZXQ" },
                 { "foo", "MZXW6===", "MZXW6" },
                 { "foob", "MZXW6YQ=", "MZXW6YQ" },
                 { "fooba", "MZXW6YTB", "MZXW6YTB" },
                 { "foobar", "MZXW6YTBOI======", "MZXW6YTBOI" } };
    static const char *const bad[] = { "M", "MZX", "MZXW6Y", "MZXW6YT1", "MY=====", "MY=======", "M=Y=====",
                                       "MZ",   /* left-over bits are not zero */
                                       "MZXW6YTB========", "MZXW6==", "0", "MZ-X", "=" };
    struct secret out = SECRET_INIT;
    char longest[258];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b = BUF_BOUNDED(64);

        base32_encode(&b, rows[i].text, strlen(rows[i].text));
        assert_row_string(rows[i].text, buf_cstr(&b), rows[i].plain);
        assert_row(rows[i].text, base32_decode(str_of(rows[i].padded), &out) == OK);
        assert_row(rows[i].text, mem_equal_ct(out.data, out.len, rows[i].text, strlen(rows[i].text)));
        assert_row(rows[i].text, base32_decode(str_of(rows[i].plain), &out) == OK);
        assert_row(rows[i].text, mem_equal_ct(out.data, out.len, rows[i].text, strlen(rows[i].text)));
        buf_free(&b);
    }
    assert_int_equal(base32_decode(STR_LIT("mzxw 6ytb oi"), &out), OK);
    assert_true(mem_equal_ct(out.data, out.len, "foobar", 6));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_row(bad[i], base32_decode(str_of(bad[i]), &out) == ERR_INPUT);
    assert_true(mem_equal_ct(out.data, out.len, "foobar", 6));      /* untouched on failure */
    memset(longest, 'A', sizeof(longest));
    assert_int_equal(base32_decode((struct str){ longest, 256 }, &out), OK);
    assert_int_equal(out.len, 160);
    assert_int_equal(base32_decode((struct str){ longest, 258 }, &out), ERR_INPUT);
    secret_done(&out);
}

static void
test_uri(void **state)
{
    struct secret key = SECRET_INIT, fresh = SECRET_INIT;
    struct buf out = BUF_SECRET(512);

    (void)state;
    key_set(&key);
    totp_uri(&key, "Mairie d'Épône", "agent@rivemont.fr", &out);
    assert_string_equal(buf_cstr(&out),
                        "otpauth://totp/Mairie%20d%27%C3%89p%C3%B4ne:agent%40rivemont.fr"
                        "?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Mairie%20d%27%C3%89p%C3%B4ne"
                        "&algorithm=SHA1&digits=6&period=30");
    totp_key_new(&fresh);
    assert_int_equal(fresh.len, TOTP_KEY_LEN);
    assert_false(mem_equal_ct(fresh.data, fresh.len, key.data, key.len));
    buf_free(&out);
    secret_done(&key);
    secret_done(&fresh);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors), cmocka_unit_test(test_window_and_replay), cmocka_unit_test(test_typed),
        cmocka_unit_test(test_base32),  cmocka_unit_test(test_uri),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
