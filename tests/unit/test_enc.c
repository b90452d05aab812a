/* enc: the vectors of RFC 4648 §10, strictness, and that each value has one spelling. */
#include "tests/unit/support.h"

#include "base/core/enc.h"
#include "base/core/rand.h"

static void
test_rfc4648_vectors(void **state)
{
    static const struct {
        const char *bytes, *b64, *b64url, *hex;
    } rows[] = {
        { "", "", "", "" },
        { "f", "Zg==", "Zg", "66" },
        { "fo", "Zm8=", "Zm8", "666f" },
        { "foo", "Zm9v", "Zm9v", "666f6f" },
        { "foob", "Zm9vYg==", "Zm9vYg", "666f6f62" },
        { "fooba", "Zm9vYmE=", "Zm9vYmE", "666f6f6261" },
        { "foobar", "Zm9vYmFy", "Zm9vYmFy", "666f6f626172" },
        { "\xfb\xff\xbf", "+/+/", "-_-_", "fbffbf" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct str bytes = str_of(rows[i].bytes);
        struct buf b = BUF_BOUNDED(100);

        base64_encode(&b, bytes.p, bytes.n);
        assert_row_string(rows[i].bytes, buf_cstr(&b), rows[i].b64);
        buf_reset(&b);
        base64url_encode(&b, bytes.p, bytes.n);
        assert_row_string(rows[i].bytes, buf_cstr(&b), rows[i].b64url);
        buf_reset(&b);
        hex_encode(&b, bytes.p, bytes.n);
        assert_row_string(rows[i].bytes, buf_cstr(&b), rows[i].hex);
        buf_reset(&b);
        assert_row(rows[i].b64, base64_decode(str_of(rows[i].b64), false, &b) == OK);
        assert_row(rows[i].b64url, base64url_decode(str_of(rows[i].b64url), &b) == OK);
        assert_row(rows[i].hex, hex_decode(str_of(rows[i].hex), &b) == OK);
        assert_int_equal(b.len, 3 * bytes.n);
        for (int k = 0; k < 3; k++)
            assert_row(rows[i].bytes, str_eq((struct str){ b.data + (size_t)k * bytes.n, bytes.n }, bytes));
        buf_free(&b);
    }
}

static void
test_refused(void **state)
{
    static const struct {
        const char *label;
        enum { HEX, B64, LAX, URL64 } how;
        struct str text;
    } rows[] = {
        { "odd hex", HEX, STR_LIT("abc") },
        { "not hex", HEX, STR_LIT("0g") },
        { "space in hex", HEX, STR_LIT("ab cd ") },
        { "no padding", B64, STR_LIT("Zg") },
        { "half padding", B64, STR_LIT("Zg=") },
        { "too much padding", B64, STR_LIT("Zm8==") },
        { "padding on a whole group", B64, STR_LIT("Zm9v=") },
        { "a group of padding", B64, STR_LIT("Zm9v====") },
        { "padding alone", B64, STR_LIT("====") },
        { "padding in the middle", B64, STR_LIT("Zg==Zg==") },
        { "one symbol", B64, STR_LIT("Z===") },
        { "spare bits", B64, STR_LIT("Zh==") },
        { "spare bits of two", B64, STR_LIT("Zm9=") },
        { "line break when strict", B64, STR_LIT("Zm9v\nZm9v") },
        { "url alphabet", B64, STR_LIT("-_-_") },
        { "NUL", B64, STR_LIT("Zm9\0") },
        { "NUL when lax", LAX, STR_LIT("Zm9v\0") },
        { "vertical tab when lax", LAX, STR_LIT("Zm9v\v") },
        { "star when lax", LAX, STR_LIT("Zm9v*") },
        { "no padding when lax", LAX, STR_LIT("Zg") },
        { "padded url form", URL64, STR_LIT("Zg==") },
        { "plain alphabet in url form", URL64, STR_LIT("+/+/") },
        { "spare bits in url form", URL64, STR_LIT("Zh") },
        { "space in url form", URL64, STR_LIT("Zm9v ") },
        { "one symbol in url form", URL64, STR_LIT("Z") },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b = BUF_BOUNDED(100);
        enum err e = OK;

        buf_adds(&b, "kept");
        switch (rows[i].how) {
        case HEX:
            e = hex_decode(rows[i].text, &b);
            break;
        case B64:
            e = base64_decode(rows[i].text, false, &b);
            break;
        case LAX:
            e = base64_decode(rows[i].text, true, &b);
            break;
        case URL64:
            e = base64url_decode(rows[i].text, &b);
            break;
        }
        assert_row(rows[i].label, e == ERR_INPUT);
        assert_row_string(rows[i].label, buf_cstr(&b), "kept");
        assert_row(rows[i].label, buf_ok(&b));
        buf_free(&b);
    }
}

static void
test_lax_takes_line_breaks(void **state)
{
    struct buf b = BUF_BOUNDED(6);      /* the exact size is enough */

    (void)state;
    assert_int_equal(base64_decode(STR_LIT(" Zm9v\r\n\tYmFy \n"), true, &b), OK);
    assert_string_equal(buf_cstr(&b), "foobar");
    buf_free(&b);
}

static void
test_ceiling(void **state)
{
    struct buf b = BUF_BOUNDED(2);

    (void)state;
    assert_int_equal(base64_decode(STR_LIT("Zm9v"), false, &b), ERR_INPUT);
    assert_false(buf_ok(&b));
    buf_reset(&b);
    assert_int_equal(hex_decode(STR_LIT("000000"), &b), ERR_INPUT);
    buf_reset(&b);
    assert_int_equal(url_decode(STR_LIT("abc"), false, &b), ERR_INPUT);
    assert_int_equal(b.len, 0);
    buf_free(&b);
}

static void
test_round_trips(void **state)
{
    (void)state;
    for (size_t n = 0; n < 200; n++) {
        unsigned char bytes[200];
        struct buf text = BUF_BOUNDED(1000), back = BUF_BOUNDED(n);

        rand_bytes(bytes, n);
        base64_encode(&text, bytes, n);
        assert_int_equal(base64_decode(buf_view(&text), false, &back), OK);
        assert_true(str_eq(buf_view(&back), (struct str){ (const char *)bytes, n }));
        buf_reset(&text);
        buf_reset(&back);
        base64url_encode(&text, bytes, n);
        assert_int_equal(base64url_decode(buf_view(&text), &back), OK);
        assert_true(str_eq(buf_view(&back), (struct str){ (const char *)bytes, n }));
        buf_reset(&text);
        buf_reset(&back);
        hex_encode(&text, bytes, n);
        assert_int_equal(hex_decode(buf_view(&text), &back), OK);
        assert_true(str_eq(buf_view(&back), (struct str){ (const char *)bytes, n }));
        buf_free(&text);
        buf_free(&back);
    }
}

static void
test_url(void **state)
{
    static const struct {
        const char *text;
        bool plus;
        const char *want;      /* NULL: refused */
    } rows[] = {
        { "abc", false, "abc" },
        { "a%20b", false, "a b" },
        { "a+b", false, "a+b" },
        { "a+b", true, "a b" },
        { "%2B", true, "+" },
        { "%c3%A9", false, "\xc3\xa9" },
        { "%", false, NULL },
        { "%4", false, NULL },
        { "%41", false, "A" },
        { "a%4", false, NULL },
        { "%zz", false, NULL },
        { "%0", true, NULL },
        { "%00", false, NULL },
        { "%2500", false, "%00" },
    };
    struct buf b = BUF_BOUNDED(100);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum err e;

        buf_reset(&b);
        e = url_decode(str_of(rows[i].text), rows[i].plus, &b);
        assert_row(rows[i].text, e == (rows[i].want == NULL ? ERR_INPUT : OK));
        assert_row_string(rows[i].text, buf_cstr(&b), rows[i].want == NULL ? "" : rows[i].want);
    }
    buf_reset(&b);
    assert_int_equal(url_decode((struct str){ "a\0b", 3 }, false, &b), ERR_INPUT);
    buf_reset(&b);
    url_encode(&b, STR_LIT("aZ09-._~ /?&=+%\xc3\xa9\0"));
    assert_string_equal(buf_cstr(&b), "aZ09-._~%20%2F%3F%26%3D%2B%25%C3%A9%00");
    buf_free(&b);
}

static void
test_pem(void **state)
{
    static const struct {
        const char *label, *text;
        enum err want;
        const char *octets, *rest;
    } rows[] = {
        { "one", "-----BEGIN X-----\nYWJj\nZGVm\n-----END X-----\n", OK, "abcdef", "\n" },
        { "text around", "a: b\n-----BEGIN X-----\r\nYWJj\r\n-----END X-----c", OK, "abc", "c" },
        { "another label first", "-----BEGIN Y-----\n????\n-----END Y-----\n-----BEGIN X-----\nYQ==\n-----END X-----", OK, "a", "" },
        { "none", "-----BEGIN Y-----\nYQ==\n-----END Y-----\n", ERR_NOT_FOUND, "", NULL },
        { "empty", "", ERR_NOT_FOUND, "", NULL },
        { "no end", "-----BEGIN X-----\nYQ==\n", ERR_INPUT, "", NULL },
        { "end of another", "-----BEGIN X-----\nYQ==\n-----END Y-----\n", ERR_INPUT, "", NULL },
        { "damaged", "-----BEGIN X-----\nY?==\n-----END X-----\n", ERR_INPUT, "", NULL },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf_free) struct buf out = BUF_BOUNDED(100);
        struct str text = str_of(rows[i].text);

        assert_row(rows[i].label, pem_next(&text, "X", &out) == rows[i].want);
        assert_row_string(rows[i].label, buf_cstr(&out), rows[i].octets);
        assert_row(rows[i].label, rows[i].rest == NULL ? text.p == rows[i].text : str_eqs(text, rows[i].rest));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc4648_vectors), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_lax_takes_line_breaks), cmocka_unit_test(test_ceiling),
        cmocka_unit_test(test_round_trips), cmocka_unit_test(test_url), cmocka_unit_test(test_pem),
    };

    return cmocka_run_group_tests_name("enc", tests, NULL, NULL);
}
