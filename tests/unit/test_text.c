/* text: Unicode's own examples, names of real people, hostile look-alikes. */
#include "tests/unit/support.h"

#include "base/core/clock.h"
#include "base/core/text.h"

static void
test_utf8(void **state)
{
    static const struct {
        const char *label;
        struct str text;
        bool want;
    } rows[] = {
        { "empty", STR_LIT(""), true },
        { "ascii", STR_LIT("abc"), true },
        { "two", STR_LIT("\xc3\xa9"), true },
        { "three", STR_LIT("\xe2\x82\xac"), true },
        { "four", STR_LIT("\xf0\x9f\x98\x80"), true },
        { "last", STR_LIT("\xf4\x8f\xbf\xbf"), true },
        { "behind the last", STR_LIT("\xf4\x90\x80\x80"), false },
        { "overlong slash", STR_LIT("\xc0\xaf"), false },
        { "overlong three", STR_LIT("\xe0\x80\xaf"), false },
        { "overlong four", STR_LIT("\xf0\x80\x80\xaf"), false },
        { "surrogate", STR_LIT("\xed\xa0\x80"), false },
        { "cut", STR_LIT("\xe2\x82"), false },
        { "lone continuation", STR_LIT("\x80"), false },
        { "latin-1", STR_LIT("caf\xe9"), false },
        { "bad third", STR_LIT("\xe2\x82\x41"), false },
        { "NUL", STR_LIT("a\0b"), true },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_row(rows[i].label, text_is_utf8(rows[i].text) == rows[i].want);
}

static void
test_clean(void **state)
{
    static const struct {
        const char *label;
        struct str text;
        bool line, lines;
    } rows[] = {
        { "name", STR_LIT("L\xc3\xa9" "a d'H\xc3\xb4tel"), true, true },
        { "tab", STR_LIT("a\tb"), false, true },
        { "line feed", STR_LIT("a\nb"), false, true },
        { "escape", STR_LIT("a\x1b[0m"), false, false },
        { "NUL", STR_LIT("a\0b"), false, false },
        { "DEL", STR_LIT("a\x7f"), false, false },
        { "C1", STR_LIT("a\xc2\x85"), false, false },
        { "override", STR_LIT("a\xe2\x80\xae" "b"), false, false },
        { "isolate", STR_LIT("a\xe2\x81\xa6" "b"), false, false },
        { "zero width space", STR_LIT("a\xe2\x80\x8b" "b"), false, false },
        { "zero width joiner", STR_LIT("\xe0\xa4\x95\xe0\xa5\x8d\xe2\x80\x8d"), true, true },
        { "byte order mark", STR_LIT("\xef\xbb\xbf" "a"), false, false },
        { "line separator", STR_LIT("a\xe2\x80\xa8" "b"), false, false },
        { "noncharacter", STR_LIT("a\xef\xbf\xbf"), false, false },
        { "noncharacter far away", STR_LIT("\xf0\x9f\xbf\xbe"), false, false },
        { "tag", STR_LIT("\xf3\xa0\x81\x81"), false, false },
        { "emoji", STR_LIT("\xf0\x9f\x98\x80"), true, true },
        { "not UTF-8", STR_LIT("\xff"), false, false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_row(rows[i].label, text_is_clean(rows[i].text, false) == rows[i].line);
        assert_row(rows[i].label, text_is_clean(rows[i].text, true) == rows[i].lines);
    }
}

static void
test_length(void **state)
{
    static const struct {
        const char *text;
        size_t want;
    } rows[] = {
        { "", 0 },
        { "abc", 3 },
        { "\xc3\xa9", 1 },
        { "e\xcc\x81", 1 },
        { "\xf0\x9f\x87\xab\xf0\x9f\x87\xb7", 1 },                                           /* flag */
        { "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7", 1 },   /* family */
        { "a\r\nb", 3 },
        { "\xe0\xb8\x81\xe0\xb8\xb3", 1 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_row(rows[i].text, text_length(str_of(rows[i].text)) == rows[i].want);
}

typedef enum err (*converter)(struct str s, struct buf *out);

static void
check_conversion(converter convert, const char *text, const char *want)
{
    struct buf out = BUF_BOUNDED(1000);

    assert_row(text, convert(str_of(text), &out) == OK);
    assert_row_string(text, buf_cstr(&out), want);
    buf_free(&out);
}

static void
test_nfc(void **state)
{
    (void)state;
    check_conversion(text_nfc, "", "");
    check_conversion(text_nfc, "e\xcc\x81", "\xc3\xa9");
    check_conversion(text_nfc, "\xe2\x84\xab", "\xc3\x85");                    /* ANGSTROM SIGN */
    check_conversion(text_nfc, "\xef\xac\x81", "\xef\xac\x81");                /* the ligature fi stays */
    check_conversion(text_nfc, "\xe1\x84\x80\xe1\x85\xa1", "\xea\xb0\x80");    /* Hangul */
}

static void
test_fold(void **state)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        { "", "" },
        { "Marie.CURIE", "marie.curie" },
        { "E\xcc\x81LODIE", "\xc3\xa9lodie" },
        { "\xef\xac\x81" "n", "fin" },
        { "Stra\xc3\x9f" "e", "strasse" },
        { "STRASSE", "strasse" },
        { "\xef\xbc\xa1\xef\xbc\x91", "a1" },                 /* full width */
        { "a\xc2\xad" "b", "ab" },                             /* soft hyphen */
        { "a\xe2\x80\x8d" "b", "ab" },                         /* joiner */
        { "\xce\xa3\xce\x91\xce\xa3", "\xcf\x83\xce\xb1\xcf\x83" },      /* final sigma or not */
        { "\xcf\x82", "\xcf\x83" },
        { "\xe2\x84\xaa", "k" },                               /* KELVIN SIGN */
        { "\xc4\xb0", "i\xcc\x87" },                           /* I with dot: not the French i */
        { "\xc2\xb2", "2" },
        { "\xe2\x91\xa0", "1" },
        { "\xc5\xbf", "s" },
        { "\xcd\x85", "\xce\xb9" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf once = BUF_BOUNDED(1000), twice = BUF_BOUNDED(1000);

        check_conversion(text_nfkc_fold, rows[i].text, rows[i].want);
        assert_int_equal(text_nfkc_fold(str_of(rows[i].text), &once), OK);
        assert_int_equal(text_nfkc_fold(buf_view(&once), &twice), OK);
        assert_row(rows[i].text, str_eq(buf_view(&once), buf_view(&twice)));
        buf_free(&once);
        buf_free(&twice);
    }
}

/* Every character of Unicode: folding is stable, and folding of the upper and the lower form agree. */
static void
test_fold_is_stable_everywhere(void **state)
{
    struct buf once = BUF_BOUNDED(1000), twice = BUF_BOUNDED(1000);

    (void)state;
    for (uint32_t c = 1; c < 0x20000; c++) {
        char text[4];
        size_t n;

        if (c >= 0xd800 && c <= 0xdfff)
            continue;
        if (c < 0x80) {
            text[0] = (char)c;
            n = 1;
        } else if (c < 0x800) {
            text[0] = (char)(0xc0 | c >> 6);
            text[1] = (char)(0x80 | (c & 63));
            n = 2;
        } else if (c < 0x10000) {
            text[0] = (char)(0xe0 | c >> 12);
            text[1] = (char)(0x80 | (c >> 6 & 63));
            text[2] = (char)(0x80 | (c & 63));
            n = 3;
        } else {
            text[0] = (char)(0xf0 | c >> 18);
            text[1] = (char)(0x80 | (c >> 12 & 63));
            text[2] = (char)(0x80 | (c >> 6 & 63));
            text[3] = (char)(0x80 | (c & 63));
            n = 4;
        }
        buf_reset(&once);
        buf_reset(&twice);
        if (text_nfkc_fold((struct str){ text, n }, &once) != OK ||
            text_nfkc_fold(buf_view(&once), &twice) != OK || !str_eq(buf_view(&once), buf_view(&twice)))
            fail_msg("U+%04X", (unsigned)c);
    }
    buf_free(&once);
    buf_free(&twice);
}

static void
test_ascii_upper(void **state)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        { "d'\xc3\x94 Nguy\xe1\xbb\x85n", "D'O NGUYEN" },
        { "\xc5\x93uvre", "OEUVRE" },
        { "L\xc3\xa6titia", "LAETITIA" },
        { "Stra\xc3\x9f" "e", "STRASSE" },
        { "\xc5\x81\xc3\xb3" "d\xc5\xba", "LODZ" },
        { "S\xc3\xb8ren \xc4\x90or\xc4\x91" "e", "SOREN DORDE" },
        { "l\xe2\x80\x99" "Ha\xc3\xbf", "L'HAY" },
        { "Jean\xe2\x80\x91Luc", "JEAN-LUC" },
        { "a\xc2\xa0" "b", "A B" },
        { "\xd0\x96", "?" },
        { "\xe5\x8c\x97\xe4\xba\xac", "??" },
        { "\xc4\xb1\xc4\xb0", "II" },
        { "a\nb", "A?B" },
        { "", "" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check_conversion(text_ascii_upper, rows[i].text, rows[i].want);
}

static void
test_latin1_upper(void **state)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        { "d'\xc3\x94 Nguy\xe1\xbb\x85n", "D'\xc3\x94 NGUYEN" },
        { "L\xc3\xa6titia \xc3\xa7\xc3\xa0 S\xc3\xb8ren", "L\xc3\x86TITIA \xc3\x87\xc3\x80 S\xc3\x98REN" },
        { "e\xcc\x81t\xc3\xa9", "\xc3\x89T\xc3\x89" },                     /* decomposed, and not */
        { "\xc5\x93uvre de l\xe2\x80\x99" "Ha\xc3\xbf", "OEUVRE DE L'HAY" },   /* \u0178 is not in ISO 8859-1 */
        { "Stra\xc3\x9f" "e \xc5\x81\xc3\xb3" "d\xc5\xba", "STRASSE L\xc3\x93" "DZ" },
        { "\xd0\x96 \xc3\x97", "? ?" },
        { "a\nb", "A?B" },
        { "", "" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check_conversion(text_latin1_upper, rows[i].text, rows[i].want);
}

static void
test_refusals(void **state)
{
    static const converter converters[] = { text_nfc, text_nfkc_fold, text_ascii_upper, text_latin1_upper };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(converters); i++) {
        struct buf out = BUF_BOUNDED(2);

        assert_int_equal(converters[i](STR_LIT("ab"), &out), OK);
        buf_reset(&out);
        assert_int_equal(converters[i](STR_LIT("a\xff"), &out), ERR_INPUT);
        buf_reset(&out);
        assert_int_equal(converters[i](STR_LIT("abc"), &out), ERR_INPUT);      /* ceiling */
        buf_reset(&out);
        assert_int_equal(converters[i](STR_NULL, &out), OK);
        assert_int_equal(out.len, 0);
        buf_free(&out);
    }
}

static void
test_sanitized(void **state)
{
    static const struct {
        const char *text;
        size_t max;
        const char *want;
    } rows[] = {
        { "abc", 100, "abc" },
        { "", 100, "" },
        { "a\r\nb", 100, "a\\x0d\\x0ab" },
        { "a\\b", 100, "a\\x5cb" },
        { "\xc3\xa9", 100, "\xc3\xa9" },
        { "\xc3", 100, "\\xc3" },
        { "\xe2\x80\xae", 100, "\\xe2\\x80\\xae" },
        { "\xef\xbb\xbf", 100, "\\xef\\xbb\\xbf" },
        { "abcdef", 6, "abcdef" },
        { "abcdefg", 6, "abc..." },
        { "abcd\n", 6, "abc..." },
        { "ab\xc3\xa9\xc3\xa9\xc3\xa9", 7, "ab\xc3\xa9..." },       /* no half character */
        { "ab\n\n", 9, "ab\\x0a..." },                                /* no half escape */
        { "abc", 2, "" },
        { "abcd", 3, "..." },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out = BUF_BOUNDED(1000);

        text_sanitized(str_of(rows[i].text), rows[i].max, &out);
        assert_row_string(rows[i].want, buf_cstr(&out), rows[i].want);
        assert_row(rows[i].want, out.len <= rows[i].max);
        buf_free(&out);
    }
}

static void
test_email(void **state)
{
    static const char *const good[] = {
        "a@b.fr", "marie.curie+tag@mail.example.org", "o'brien@x.ie", "x@xn--caf-dma.fr", "A_B-c@EXAMPLE.COM",
        "1234567890123456789012345678901234567890123456789012345678901234@b.fr", "a@1and1.fr", "a@b.c0m",
    };
    static const char *const bad[] = {
        "", "a", "@", "a@", "@b.fr", "a@b", "a@@b.fr", "a@b@c.fr", ".a@b.fr", "a.@b.fr", "a..b@c.fr", "a b@c.fr",
        "a@b..fr", "a@.fr", "a@b.", "a@-b.fr", "a@b-.fr", "a@b_c.fr", "a@192.0.2.1", "a@[192.0.2.1]", "\"a\"@b.fr",
        "a@b.fr\n", "a\n@b.fr", "a@b.fr>", "<a@b.fr", "a,b@c.fr", "\xc3\xa9@b.fr", "a@caf\xc3\xa9.fr", "a@b.123",
        "12345678901234567890123456789012345678901234567890123456789012345@b.fr", "a(c)@b.fr", "a;b@c.fr",
        "a@1234567890123456789012345678901234567890123456789012345678901234.fr",
    };
    char longest[256];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_row(good[i], text_is_email(str_of(good[i])));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_row(bad[i], !text_is_email(str_of(bad[i])));
    assert_false(text_is_email(STR_LIT("a\0@b.fr")));
    memset(longest, 'a', sizeof(longest));
    for (size_t i = 60; i < 250; i += 60)
        longest[i] = '.';
    longest[2] = '@';
    assert_true(text_is_email((struct str){ longest, 254 }));
    assert_false(text_is_email((struct str){ longest, 255 }));
    assert_false(text_is_email(STR_LIT("a@localhost")));
    clock_set_test(1);
    assert_true(text_is_email(STR_LIT("a@localhost")));
    clock_set_test(0);
}

#define DOTS "\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2"

static void
test_mask(void **state)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        { "marie.curie@gmail.com", "m" DOTS "@g" DOTS ".com" },
        { "a@mail.ville.fr", "a" DOTS "@m" DOTS ".fr" },
        { "\xc3\xa9mile@b.fr", "\xc3\xa9" DOTS "@b" DOTS ".fr" },
        { "a@localhost", "a" DOTS "@l" DOTS },
        { "nothing", DOTS },
        { "", DOTS },
        { "@", DOTS "@" DOTS },
        { "\xff@\xff", DOTS },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out = BUF_BOUNDED(1000);

        text_mask_email(str_of(rows[i].text), &out);
        assert_row_string(rows[i].text, buf_cstr(&out), rows[i].want);
        buf_free(&out);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8),        cmocka_unit_test(test_clean),
        cmocka_unit_test(test_length),      cmocka_unit_test(test_nfc),
        cmocka_unit_test(test_fold),        cmocka_unit_test(test_fold_is_stable_everywhere),
        cmocka_unit_test(test_ascii_upper), cmocka_unit_test(test_latin1_upper), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_sanitized),   cmocka_unit_test(test_email),
        cmocka_unit_test(test_mask),
    };

    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
