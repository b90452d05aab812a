/*
 * code: the vectors of DOMAIN 5.3, the measures of 5.3 made again, the words of D-12,
 * and what people type. Subjects of mails are in test_code_scan.c.
 */
#include "tests/unit/support.h"

#include <stdlib.h>

#include "base/core/clock.h"
#include "base/core/code.h"
#include "base/core/rand.h"

static const char a31[] = "23456789ABCDEFGHJKMNPQRSTUVWXYZ";
static const enum code_kind letter_kinds[] = { CODE_CREATION, CODE_REVOCATION, CODE_NUMBER };
static const enum code_kind digit_kinds[] = { CODE_ACTIVATION, CODE_REACTIVATION };

/* A fast known source: these tests draw millions of symbols. */
static uint64_t state64 = UINT64_C(0x9e3779b97f4a7c15);

static void
xorshift(void *p, size_t n)
{
    unsigned char *b = p;

    for (size_t i = 0; i < n; i++) {
        if (i % 8 == 0) {
            state64 ^= state64 << 13;
            state64 ^= state64 >> 7;
            state64 ^= state64 << 17;
        }
        b[i] = (unsigned char)(state64 * UINT64_C(0x2545f4914f6cdd1d) >> (8 * (i % 8)));
    }
}

static int
fast_source(void **state)
{
    (void)state;
    clock_set_test(1);
    rand_set_source(xorshift);
    return 0;
}

static int
system_source(void **state)
{
    (void)state;
    rand_set_source(NULL);
    clock_set_test(0);
    return 0;
}

static void
test_vectors(void **state)
{
    static const struct {
        enum code_kind kind;
        const char *text, *folded;
    } rows[] = {
        /* DOMAIN 5.3 */
        { CODE_CREATION, "G6J7-2QGR-RB3K", "G6J72QGRRB3K" },
        { CODE_CREATION, "7MNX-EEE4-H8WS", "7MNXEEE4H8WS" },
        { CODE_CREATION, "YG4Z-KH4R-J39S", "YG4ZKH4RJ39S" },
        { CODE_REVOCATION, "6Q4N-RHR4-NQKY-GX8R", "6Q4NRHR4NQKYGX8R" },
        { CODE_REVOCATION, "Y3XV-YWBV-94SC-3MUD", "Y3XVYWBV94SC3MUD" },
        { CODE_NUMBER, "HC7GW-Q7B67-DVJNC", "HC7GWQ7B67DVJNC" },
        { CODE_NUMBER, "KT4Z3-MR25P-PPJFR", "KT4Z3MR25PPPJFR" },
        /* DOMAIN 6.1, the letter to the citizen */
        { CODE_ACTIVATION, "4071 9362", "40719362" },
        { CODE_SHEET, "4821", "4821" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char folded[CODE_FOLDED_MAX], shown[CODE_SHOWN_MAX];

        assert_row(rows[i].text, code_read(rows[i].kind, str_of(rows[i].text), folded, NULL) == CODE_GOOD);
        assert_row_string(rows[i].text, folded, rows[i].folded);
        code_shown(rows[i].kind, folded, shown);
        assert_row_string(rows[i].text, shown, rows[i].text);
    }
}

static void
test_read(void **state)
{
    static const struct {
        const char *label;
        enum code_kind kind;
        struct str typed;
        enum code_verdict want;
        enum code_kind other;
    } rows[] = {
        { "small letters", CODE_CREATION, STR_LIT("g6j7-2qgr-rb3k"), CODE_GOOD, 0 },
        { "spaces", CODE_CREATION, STR_LIT("  g6j7 2qgr\trb3k \r\n"), CODE_GOOD, 0 },
        { "nothing between", CODE_CREATION, STR_LIT("G6J72QGRRB3K"), CODE_GOOD, 0 },
        { "each alone", CODE_CREATION, STR_LIT("G 6 J 7 2 Q G R R B 3 K"), CODE_GOOD, 0 },
        { "non-breaking hyphen", CODE_CREATION, STR_LIT("G6J7\xe2\x80\x91" "2QGR\xe2\x80\x91RB3K"), CODE_GOOD, 0 },
        { "em dash", CODE_CREATION, STR_LIT("G6J7\xe2\x80\x94" "2QGR\xe2\x80\x94RB3K"), CODE_GOOD, 0 },
        { "minus sign", CODE_CREATION, STR_LIT("G6J7\xe2\x88\x92" "2QGR\xe2\x88\x92RB3K"), CODE_GOOD, 0 },
        { "soft hyphen", CODE_CREATION, STR_LIT("G6J7\xc2\xad" "2QGR\xc2\xadRB3K"), CODE_GOOD, 0 },
        { "non-breaking space", CODE_CREATION, STR_LIT("G6J7\xc2\xa0" "2QGR\xc2\xa0RB3K"), CODE_GOOD, 0 },
        { "narrow non-breaking space", CODE_CREATION, STR_LIT("G6J7\xe2\x80\xaf" "2QGR\xe2\x80\xafRB3K"), CODE_GOOD, 0 },
        { "zero width space", CODE_CREATION, STR_LIT("G6J7\xe2\x80\x8b" "2QGRRB3K\xef\xbb\xbf"), CODE_GOOD, 0 },
        { "full width",
          CODE_CREATION,
          STR_LIT("\xef\xbc\xa7\xef\xbc\x96\xef\xbc\xaa\xef\xbc\x97\xef\xbc\x8d" "2\xef\xbd\x91GR\xe3\x80\x80RB3K"),
          CODE_GOOD, 0 },
        { "empty", CODE_CREATION, STR_LIT(""), CODE_EMPTY, 0 },
        { "null", CODE_CREATION, { NULL, 0 }, CODE_EMPTY, 0 },
        { "spaces and dashes", CODE_CREATION, STR_LIT(" - - "), CODE_EMPTY, 0 },
        { "one missing", CODE_CREATION, STR_LIT("G6J7-2QGR-RB3"), CODE_TOO_SHORT, 0 },
        { "one symbol", CODE_CREATION, STR_LIT("G"), CODE_TOO_SHORT, 0 },
        { "one too many", CODE_CREATION, STR_LIT("G6J7-2QGR-RB3KK"), CODE_TOO_LONG, 0 },
        { "far too many", CODE_CREATION,
          STR_LIT("G6J72QGRRB3KG6J72QGRRB3KG6J72QGRRB3KG6J72QGRRB3KG6J72QGRRB3KG6J72QGRRB3K"), CODE_TOO_LONG, 0 },
        { "zero", CODE_CREATION, STR_LIT("G6J7-2QGR-RB30"), CODE_BAD_CHAR, 0 },
        { "letter O", CODE_CREATION, STR_LIT("G6J7-2QGR-RB3O"), CODE_BAD_CHAR, 0 },
        { "one", CODE_CREATION, STR_LIT("1MNX-EEE4-H8WS"), CODE_BAD_CHAR, 0 },
        { "letter I", CODE_CREATION, STR_LIT("7MNX-EEE4-H8WI"), CODE_BAD_CHAR, 0 },
        { "letter L", CODE_CREATION, STR_LIT("7MNX-EEE4-l8WS"), CODE_BAD_CHAR, 0 },
        { "bad and short", CODE_CREATION, STR_LIT("0"), CODE_BAD_CHAR, 0 },
        { "accent", CODE_CREATION, STR_LIT("G6J7-2QGR-RB3\xc3\xa9"), CODE_BAD_CHAR, 0 },
        { "Cyrillic that looks right", CODE_CREATION, STR_LIT("G6J7-2QGR-R\xd0\x92" "3K"), CODE_BAD_CHAR, 0 },
        { "full stop", CODE_CREATION, STR_LIT("G6J7-2QGR-RB3K."), CODE_BAD_CHAR, 0 },
        { "not UTF-8", CODE_CREATION, STR_LIT("G6J7-2QGR-RB3K\xff"), CODE_BAD_CHAR, 0 },
        { "NUL", CODE_CREATION, STR_LIT("G6J7-2QGR-RB3K\0"), CODE_BAD_CHAR, 0 },
        { "wrong check", CODE_CREATION, STR_LIT("G6J7-2QGR-RB3M"), CODE_TYPO, 0 },
        { "two exchanged", CODE_CREATION, STR_LIT("6GJ7-2QGR-RB3K"), CODE_TYPO, 0 },
        { "blocking code", CODE_CREATION, STR_LIT("6q4n rhr4 nqky gx8r"), CODE_OTHER_KIND, CODE_REVOCATION },
        { "number", CODE_CREATION, STR_LIT("HC7GW-Q7B67-DVJNC"), CODE_OTHER_KIND, CODE_NUMBER },
        { "activation code", CODE_CREATION, STR_LIT("4071 9362"), CODE_OTHER_KIND, CODE_ACTIVATION },
        { "creation for blocking", CODE_REVOCATION, STR_LIT("G6J7-2QGR-RB3K"), CODE_OTHER_KIND, CODE_CREATION },
        { "activation", CODE_ACTIVATION, STR_LIT("40719362"), CODE_GOOD, 0 },
        { "activation with dash", CODE_ACTIVATION, STR_LIT("4071-9362"), CODE_GOOD, 0 },
        { "activation, wrong digit", CODE_ACTIVATION, STR_LIT("4071 9363"), CODE_TYPO, 0 },
        { "activation, letter", CODE_ACTIVATION, STR_LIT("4O71 9362"), CODE_BAD_CHAR, 0 },
        { "activation, one missing", CODE_ACTIVATION, STR_LIT("4071 936"), CODE_TOO_SHORT, 0 },
        { "sheet number for activation", CODE_ACTIVATION, STR_LIT("4821"), CODE_TOO_SHORT, 0 },
        { "activation for reactivation", CODE_REACTIVATION, STR_LIT("4071 9362"), CODE_OTHER_KIND, CODE_ACTIVATION },
        { "sheet", CODE_SHEET, STR_LIT("0000"), CODE_GOOD, 0 },
        { "sheet, three", CODE_SHEET, STR_LIT("000"), CODE_TOO_SHORT, 0 },
        { "sheet, five", CODE_SHEET, STR_LIT("00000"), CODE_TOO_LONG, 0 },
        { "activation for sheet", CODE_SHEET, STR_LIT("40719362"), CODE_OTHER_KIND, CODE_ACTIVATION },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char folded[CODE_FOLDED_MAX] = "untouched";
        enum code_kind other = CODE_SHEET;
        enum code_verdict v = code_read(rows[i].kind, rows[i].typed, folded, &other);

        if (v != rows[i].want)
            fail_msg("row \"%s\": verdict %d", rows[i].label, (int)v);
        assert_row(rows[i].label, other == (v == CODE_OTHER_KIND ? rows[i].other : CODE_SHEET));
        if (v != CODE_GOOD)
            assert_row_string(rows[i].label, folded, "untouched");
        assert_row(rows[i].label, code_read(rows[i].kind, rows[i].typed, folded, NULL) == v);
    }
}

static bool
reads(enum code_kind kind, const char *folded)
{
    char out[CODE_FOLDED_MAX];

    return code_read(kind, str_of(folded), out, NULL) == CODE_GOOD;
}

static void
test_drawn_codes_read_back(void **state)
{
    (void)state;
    for (int kind = CODE_CREATION; kind <= CODE_SHEET; kind++) {
        char previous[CODE_FOLDED_MAX] = "";

        for (int i = 0; i < 2000; i++) {
            char folded[CODE_FOLDED_MAX], shown[CODE_SHOWN_MAX], back[CODE_FOLDED_MAX];

            code_draw((enum code_kind)kind, folded);
            code_shown((enum code_kind)kind, folded, shown);
            assert_int_equal(code_read((enum code_kind)kind, str_of(shown), back, NULL), CODE_GOOD);
            assert_string_equal(folded, back);
            if (kind != CODE_SHEET)
                assert_string_not_equal(folded, previous);
            strncpy(previous, folded, sizeof(previous));
        }
    }
}

/* 5.3: 0 missed of the single substitutions, exchanges of any two places, and twin errors. All of them, not a sample. */
static void
test_letters_miss_nothing(void **state)
{
    unsigned long substitutions = 0, exchanges = 0, twins = 0;

    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(letter_kinds); k++) {
        for (int i = 0; i < 100; i++) {
            char code[CODE_FOLDED_MAX];
            size_t n;

            code_draw(letter_kinds[k], code);
            n = strlen(code);
            for (size_t p = 0; p < n; p++) {
                char right = code[p];

                for (size_t v = 0; v < 31; v++) {
                    code[p] = a31[v];
                    if (a31[v] != right) {
                        substitutions++;
                        assert_false(reads(letter_kinds[k], code));
                    }
                }
                code[p] = right;
                for (size_t q = p + 1; q < n; q++) {
                    char other = code[q];

                    if (other == right)
                        continue;
                    code[p] = other;
                    code[q] = right;
                    exchanges++;
                    assert_false(reads(letter_kinds[k], code));
                    code[p] = right;
                    code[q] = other;
                }
            }
            for (size_t p = 0; p + 1 < n; p++) {
                char kept[2] = { code[p], code[p + 1] };

                if (kept[0] != kept[1])
                    continue;
                for (size_t v = 0; v < 31; v++) {
                    code[p] = code[p + 1] = a31[v];
                    if (a31[v] != kept[0]) {
                        twins++;
                        assert_false(reads(letter_kinds[k], code));
                    }
                }
                memcpy(code + p, kept, 2);
            }
        }
    }
    assert_true(substitutions > 100000 && exchanges > 20000 && twins > 1000);
}

static void
test_digits_miss_nothing(void **state)
{
    unsigned long substitutions = 0, exchanges = 0;

    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(digit_kinds); k++) {
        for (int i = 0; i < 1000; i++) {
            char code[CODE_FOLDED_MAX];

            code_draw(digit_kinds[k], code);
            assert_false(reads(digit_kinds[1 - k], code));      /* never good for the other kind */
            for (size_t p = 0; p < 8; p++) {
                char right = code[p];

                for (char d = '0'; d <= '9'; d++) {
                    code[p] = d;
                    if (d != right) {
                        substitutions++;
                        assert_false(reads(digit_kinds[k], code));
                    }
                }
                code[p] = right;
                if (p + 1 < 8 && code[p + 1] != right) {
                    code[p] = code[p + 1];
                    code[p + 1] = right;
                    exchanges++;
                    assert_false(reads(digit_kinds[k], code));
                    code[p + 1] = code[p];
                    code[p] = right;
                }
            }
        }
    }
    assert_true(substitutions == 2 * 1000 * 8 * 9 && exchanges > 12000);
}

static void
test_random_string_passes_as_often_as_it_should(void **state)
{
    unsigned passed = 0;

    (void)state;
    for (int i = 0; i < 31000; i++) {
        char code[CODE_FOLDED_MAX];

        for (size_t p = 0; p < 12; p++)
            code[p] = a31[rand_below(31)];
        code[12] = '\0';
        passed += reads(CODE_CREATION, code);
    }
    assert_in_range(passed, 850, 1150);      /* 1000 expected, deviation 31 */
}

static void
test_symbols_are_uniform(void **state)
{
    unsigned seen[128] = { 0 };

    (void)state;
    for (int i = 0; i < 31000; i++) {
        char code[CODE_FOLDED_MAX];

        code_draw(CODE_CREATION, code);
        seen[(unsigned char)code[i % 11]]++;
    }
    for (size_t v = 0; v < 31; v++)      /* 1000 expected; redrawing ugly words bends it a little */
        assert_in_range(seen[(unsigned char)a31[v]], 780, 1200);
}

/* The words again, from the point of view of a reader: not the table of the program. */
static bool
offends(const char *code)
{
    static const char *const patterns[] = { "PUTE", "PUT3", "MERDE", "M3RD3", "FUCK", "CUNT", "PEDE", "P3D3", "KKK",
                                            "XXX",  "5EX",  "SEX",   "S3X",   "RAPE", "R4P3", "NTM",  "ASS",  "A55",
                                            "455",  "NEGR", "N3GR",  "FDP",   "SS",   "PD",   "1488", "7W47", "8U77" };

    for (size_t i = 0; i < ARRAY_LEN(patterns); i++)
        if (strstr(code, patterns[i]) != NULL)
            return true;
    return false;
}

/* D-12: of 10^7 draws none is listed. Fewer in the ordinary run; BEFFROI_LONG=1 makes them all. */
static void
test_no_ugly_word_is_ever_drawn(void **state)
{
    long draws = getenv("BEFFROI_LONG") != NULL ? 10000000 : 200000;

    (void)state;
    for (long i = 0; i < draws; i++) {
        char code[CODE_FOLDED_MAX];

        code_draw(letter_kinds[i % 3], code);
        if (offends(code))
            fail_msg("%s", code);
    }
    for (long i = 0; i < draws / 10; i++) {
        char code[CODE_FOLDED_MAX];

        code_draw(CODE_ACTIVATION, code);
        assert_null(strstr(code, "1488"));
    }
}

/* P-011: unique numbers. The order in which they were made says nothing: |rho| of Spearman < 0.03. It is measured over more of
 * them than the row asks for, so that chance alone goes past it once in 10^9 runs. */
#define NUMBERS 40000
struct numbered {
    char code[CODE_FOLDED_MAX];
    long made;
};

static int
by_code(const void *a, const void *b)
{
    return strcmp(((const struct numbered *)a)->code, ((const struct numbered *)b)->code);
}

static bool
is_number(const char *s)
{
    char folded[CODE_FOLDED_MAX];

    return code_read(CODE_NUMBER, str_of(s), folded, NULL) == CODE_GOOD;
}

static void
test_numbers_tell_nothing(void **state)
{
    static struct numbered all[NUMBERS];
    double squares = 0, n = NUMBERS, rho;

    (void)state;
    for (long i = 0; i < NUMBERS; i++) {
        code_draw(CODE_NUMBER, all[i].code);
        all[i].made = i;
        assert_true(is_number(all[i].code));
    }
    for (long i = 0; i < 10000; i++) {
        size_t at = (size_t)i % strlen(all[i].code);
        char was = all[i].code[at];

        for (const char *other = a31; *other != '\0'; other++) {
            all[i].code[at] = *other;
            if (*other != was && is_number(all[i].code))
                fail_msg("%s: symbol %zu was %c", all[i].code, at, was);
        }
        all[i].code[at] = was;
    }
    qsort(all, NUMBERS, sizeof(all[0]), by_code);
    for (long i = 0; i < NUMBERS; i++) {
        double d = (double)(all[i].made - i);

        squares += d * d;
        if (i > 0 && strcmp(all[i].code, all[i - 1].code) == 0)
            fail_msg("%s was drawn twice", all[i].code);
    }
    rho = 1 - 6 * squares / (n * (n * n - 1));
    if (rho >= 0.03 || rho <= -0.03)
        fail_msg("rho %f", rho);
}

static size_t scripted_at;
static const char *scripted;

/* Feeds rand_below(31) with the places of the scripted symbols, then with xorshift. */
static void
from_script(void *p, size_t n)
{
    uint32_t v;

    if (scripted[scripted_at] == '\0') {
        xorshift(p, n);
        return;
    }
    assert_int_equal(n, sizeof(v));
    v = 31 + (uint32_t)(strchr(a31, scripted[scripted_at++]) - a31);
    memcpy(p, &v, sizeof(v));
}

static void
test_ugly_draw_is_drawn_again(void **state)
{
    char code[CODE_FOLDED_MAX];

    (void)state;
    rand_set_source(from_script);
    scripted = "22PUTE222222";
    scripted_at = 0;
    code_draw(CODE_CREATION, code);
    assert_int_equal(scripted_at, 12);
    assert_null(strstr(code, "PUTE"));
    scripted = "G6J72QGRRB3K";      /* a harmless draw is kept */
    scripted_at = 0;
    code_draw(CODE_CREATION, code);
    assert_string_equal(code, "G6J72QGRRB3K");
    rand_set_source(xorshift);
}

static void
test_spelling(void **state)
{
    struct buf out = BUF_BOUNDED(1000);

    (void)state;
    code_spelling("G6J7", "fr", &out);
    assert_string_equal(buf_cstr(&out), "G comme Gaston, 6, J comme Joseph, 7");
    buf_reset(&out);
    code_spelling("G6K", "en", &out);
    assert_string_equal(buf_cstr(&out), "G for Golf, 6, K for Kilo");
    buf_reset(&out);
    code_spelling("KTZE", "fr", &out);
    assert_string_equal(buf_cstr(&out), "K comme Kléber, T comme Thérèse, Z comme Zoé, E comme Eugène");
    for (const char *lang = "fr"; lang != NULL; lang = strcmp(lang, "fr") == 0 ? "en" : NULL) {
        for (const char *c = a31 + 8; *c != '\0'; c++) {
            char one[2] = { *c, '\0' };

            buf_reset(&out);
            code_spelling(one, lang, &out);
            assert_int_equal(buf_cstr(&out)[0], *c);
            /* the name begins with the letter */
            assert_int_equal(buf_cstr(&out)[strcmp(lang, "fr") == 0 ? 8 : 6], *c);
        }
    }
    buf_free(&out);
}

static void
test_names(void **state)
{
    (void)state;
    assert_string_equal(code_kind_name(CODE_CREATION), "creation");
    assert_string_equal(code_kind_name(CODE_ACTIVATION), "activation");
    assert_string_equal(code_kind_name(CODE_REVOCATION), "revocation");
    assert_string_equal(code_kind_name(CODE_REACTIVATION), "reactivation");
    assert_string_equal(code_kind_name(CODE_NUMBER), "number");
    assert_string_equal(code_kind_name(CODE_SHEET), "sheet");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_drawn_codes_read_back),
        cmocka_unit_test_setup_teardown(test_letters_miss_nothing, fast_source, system_source),
        cmocka_unit_test_setup_teardown(test_digits_miss_nothing, fast_source, system_source),
        cmocka_unit_test_setup_teardown(test_random_string_passes_as_often_as_it_should, fast_source, system_source),
        cmocka_unit_test_setup_teardown(test_symbols_are_uniform, fast_source, system_source),
        cmocka_unit_test_setup_teardown(test_no_ugly_word_is_ever_drawn, fast_source, system_source),
        cmocka_unit_test_setup_teardown(test_ugly_draw_is_drawn_again, fast_source, system_source),
        cmocka_unit_test(test_numbers_tell_nothing),
        cmocka_unit_test(test_spelling),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests_name("code", tests, NULL, NULL);
}
