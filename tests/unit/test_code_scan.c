/* code_scan: the subjects and texts of DOMAIN 6.4, after the mail's own encodings have been undone. */
#include "tests/unit/support.h"

#include "base/core/code.h"

#define C1    "G6J72QGRRB3K"
#define NBHY  "\xe2\x80\x91"      /* non-breaking hyphen */
#define EMDA  "\xe2\x80\x94"
#define NBSP  "\xc2\xa0"
#define ZWSP  "\xe2\x80\x8b"

static void
test_subjects(void **state)
{
    static const struct {
        const char *text;
        int want;
        const char *code;              /* when want is 1 */
        enum code_verdict near;        /* when want is 0 */
        enum code_kind other;
    } rows[] = {
        /* as printed, and as people copy it */
        { "G6J7-2QGR-RB3K", 1, C1, 0, 0 },
        { "g6j7 2qgr rb3k", 1, C1, 0, 0 },
        { "G6J72QGRRB3K", 1, C1, 0, 0 },
        { "g6j72qgrrb3k", 1, C1, 0, 0 },
        { "Re: G6J7-2QGR-RB3K", 1, C1, 0, 0 },
        { "RE : TR: g6j7" EMDA "2qgr" EMDA "rb3k", 1, C1, 0, 0 },
        { "Code : G6J7" NBHY "2QGR" NBHY "RB3K merci", 1, C1, 0, 0 },
        { "G6J7 - 2QGR - RB3K", 1, C1, 0, 0 },
        { "G6J7--2QGR--RB3K", 1, C1, 0, 0 },
        { "G6J7" NBSP "2QGR" NBSP "RB3K", 1, C1, 0, 0 },
        { "G6J7" ZWSP "-2QGR-RB3K" ZWSP, 1, C1, 0, 0 },
        { "\xef\xbc\xa7\xef\xbc\x96\xef\xbc\xaa\xef\xbc\x97-2QGR-RB3K", 1, C1, 0, 0 },
        { "\xc2\xab" "G6J7-2QGR-RB3K.\xc2\xbb", 1, C1, 0, 0 },
        { "\xc2\xab" NBSP "G6J7-2QGR-RB3K" NBSP "\xc2\xbb", 1, C1, 0, 0 },
        { "\"G6J7-2QGR-RB3K\"", 1, C1, 0, 0 },
        { "(G6J7-2QGR-RB3K)", 1, C1, 0, 0 },
        { "<G6J7-2QGR-RB3K>", 1, C1, 0, 0 },
        { "*G6J7-2QGR-RB3K*", 1, C1, 0, 0 },
        { "G6J7-2QGR-RB3K!", 1, C1, 0, 0 },
        { "code=G6J7-2QGR-RB3K;", 1, C1, 0, 0 },
        { "Mon code:G6J7-2QGR-RB3K,merci", 1, C1, 0, 0 },
        { "Mon code est G6J7 2QGR RB3K svp", 1, C1, 0, 0 },
        { "Activation G6J7-2QGR-RB3K pour Mme Durand", 1, C1, 0, 0 },
        { "Fwd: [Ville] Code G6J7-2QGR-RB3K (2)", 1, C1, 0, 0 },
        { "G6J7.2QGR.RB3K", 1, C1, 0, 0 },
        { "G6J7_2QGR_RB3K", 1, C1, 0, 0 },
        { "G6J7/2QGR/RB3K", 1, C1, 0, 0 },
        { "G6J7, 2QGR, RB3K", 1, C1, 0, 0 },
        { "G6J7-2QGRRB3K", 1, C1, 0, 0 },
        { "G6J72QGR RB3K", 1, C1, 0, 0 },
        { "G6J-72Q-GRR-B3K", 1, C1, 0, 0 },
        { "G 6 J 7 2 Q G R R B 3 K", 1, C1, 0, 0 },
        { "code G6J7-2QGR-RB3K code G6J7-2QGR-RB3K", 1, C1, 0, 0 },
        { "G6J7-2QGR-RB3K g6j72qgrrb3k", 1, C1, 0, 0 },
        { "Bonjour,\n\nvoici mon code :\nG6J7-2QGR-RB3K\n\nMerci\nMarie", 1, C1, 0, 0 },
        { "Bonjour,\r\nmon code est G6J7-2QGR-\r\nRB3K", 1, C1, 0, 0 },
        { "\xf0\x9f\x98\x80G6J7-2QGR-RB3K\xf0\x9f\x98\x80", 1, C1, 0, 0 },
        { "7MNX-EEE4-H8WS", 1, "7MNXEEE4H8WS", 0, 0 },
        { "\xff\xfeG6J7-2QGR-RB3K\xff", 1, C1, 0, 0 },

        /* two different codes: none, ask */
        { "G6J7-2QGR-RB3K 7MNX-EEE4-H8WS", 2, NULL, 0, 0 },
        { "G6J7-2QGR-RB3K ou 7MNX-EEE4-H8WS", 2, NULL, 0, 0 },
        { "G6J7-2QGR-RB3K-7MNX-EEE4-H8WS", 2, NULL, 0, 0 },
        { "G6J7-2QGR-RB3K\n7MNX-EEE4-H8WS\nYG4Z-KH4R-J39S", 2, NULL, 0, 0 },

        /* nearly */
        { "G6J7-2QGR-RB3", 0, NULL, CODE_TOO_SHORT, 0 },
        { "Re: g6j7 2qgr b3k", 0, NULL, CODE_TOO_SHORT, 0 },
        { "G6J72QGRRB3", 0, NULL, CODE_TOO_SHORT, 0 },
        { "G6J7-2QGR", 0, NULL, CODE_TOO_SHORT, 0 },
        { "G6J7-2QGR-RB3KK", 0, NULL, CODE_TOO_LONG, 0 },
        { "G6J7-2QGR-RB3M", 0, NULL, CODE_TYPO, 0 },
        { "Code : 6GJ7-2QGR-RB3K merci", 0, NULL, CODE_TYPO, 0 },
        { "g6j72qgrrb3m", 0, NULL, CODE_TYPO, 0 },
        { "G6J7-2QGR-R83K", 0, NULL, CODE_TYPO, 0 },
        { "G6J7-2QGR-RB30", 0, NULL, CODE_BAD_CHAR, 0 },
        { "G6J7-2QGR-RB3O", 0, NULL, CODE_BAD_CHAR, 0 },
        { "GLJ7-2QGR-RB3I", 0, NULL, CODE_BAD_CHAR, 0 },
        { "Code G6J1 2QGR RB3K", 0, NULL, CODE_BAD_CHAR, 0 },

        /* another kind */
        { "6Q4N-RHR4-NQKY-GX8R", 0, NULL, CODE_OTHER_KIND, CODE_REVOCATION },
        { "Code : 6q4n rhr4 nqky gx8r merci", 0, NULL, CODE_OTHER_KIND, CODE_REVOCATION },
        { "Y3XVYWBV94SC3MUD", 0, NULL, CODE_OTHER_KIND, CODE_REVOCATION },
        { "G6J7-2QGR-RB3 et 6Q4N-RHR4-NQKY-GX8R", 0, NULL, CODE_OTHER_KIND, CODE_REVOCATION },
        { "G6J7-2QGR-RB3K puis 6Q4N-RHR4-NQKY-GX8R", 1, C1, 0, 0 },
        { "HC7GW-Q7B67-DVJNC", 0, NULL, CODE_OTHER_KIND, CODE_NUMBER },
        { "4071 9362", 0, NULL, CODE_OTHER_KIND, CODE_ACTIVATION },
        { "facture 4071 9362", 0, NULL, CODE_EMPTY, 0 },

        /* nothing */
        { "", 0, NULL, CODE_EMPTY, 0 },
        { "Re:", 0, NULL, CODE_EMPTY, 0 },
        { "Bonjour, je voudrais activer mon compte", 0, NULL, CODE_EMPTY, 0 },
        { "Votre facture du 15 mars 2026", 0, NULL, CODE_EMPTY, 0 },
        { "Tel. 06 12 34 56 78", 0, NULL, CODE_EMPTY, 0 },
        { "--- --- ---", 0, NULL, CODE_EMPTY, 0 },
        { "G6J7 (merci) 2QGR RB3K", 0, NULL, CODE_EMPTY, 0 },
        { "\xc3\xa9" "G6J72QGRRB3K", 0, NULL, CODE_EMPTY, 0 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char code[CODE_FOLDED_MAX] = "untouched";
        enum code_verdict near = CODE_EMPTY;
        enum code_kind other = CODE_SHEET;
        int n = code_scan(CODE_CREATION, str_of(rows[i].text), code, &near, &other);

        if (n != rows[i].want)
            fail_msg("row \"%s\": found %d, want %d", rows[i].text, n, rows[i].want);
        if (n == 1)
            assert_row_string(rows[i].text, code, rows[i].code);
        if (n == 0)
            assert_row_string(rows[i].text, code, "untouched");
        if (near != (n > 0 ? CODE_GOOD : rows[i].near))
            fail_msg("row \"%s\": verdict %d, want %d", rows[i].text, (int)near, (int)rows[i].near);
        assert_row(rows[i].text, other == (near == CODE_OTHER_KIND ? rows[i].other : CODE_SHEET));
        assert_row(rows[i].text, code_scan(CODE_CREATION, str_of(rows[i].text), code, NULL, NULL) == n);
    }
}

/* One part of a blocking code in 31 has a good check for a creation code: it must not be taken for one. */
static void
test_blocking_codes_are_never_taken_for_creation(void **state)
{
    (void)state;
    for (int i = 0; i < 3000; i++) {
        static const char *const before[] = { "", "Re: code ", "Bonjour\n" };
        static const char *const after[] = { "", ".", "\nMerci" };
        char folded[CODE_FOLDED_MAX], shown[CODE_SHOWN_MAX], found[CODE_FOLDED_MAX], text[64];
        enum code_verdict near;
        enum code_kind other;

        code_draw(CODE_REVOCATION, folded);
        code_shown(CODE_REVOCATION, folded, shown);
        for (char *c = shown; i % 2 == 1 && *c != '\0'; c++)
            if (*c == '-')
                *c = ' ';
        snprintf(text, sizeof(text), "%s%s%s", before[i % 3], shown, after[i % 3]);
        assert_row(text, code_scan(CODE_CREATION, str_of(text), found, &near, &other) == 0);
        assert_row(text, near == CODE_OTHER_KIND && other == CODE_REVOCATION);
        assert_row(text, code_scan(CODE_REVOCATION, str_of(text), found, &near, &other) == 1);
        assert_row_string(text, found, folded);
    }
}

static void
test_every_drawn_code_is_found_in_a_sentence(void **state)
{
    (void)state;
    for (int i = 0; i < 3000; i++) {
        char folded[CODE_FOLDED_MAX], shown[CODE_SHOWN_MAX], found[CODE_FOLDED_MAX], text[128];

        code_draw(CODE_CREATION, folded);
        code_shown(CODE_CREATION, folded, shown);
        snprintf(text, sizeof(text), "Bonjour, mon code : %s. Cordialement, Mme Xu", i % 2 == 0 ? shown : folded);
        assert_row(text, code_scan(CODE_CREATION, str_of(text), found, NULL, NULL) == 1);
        assert_row_string(text, found, folded);
    }
}

/* Ordinary prose must not hold a code by luck. */
static void
test_prose_holds_no_code(void **state)
{
    static const char *const files[] = { SOURCE_DIR "/LICENSE", SOURCE_DIR "/README.md", SOURCE_DIR "/base/core/code.h" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        FILE *f = fopen(files[i], "r");
        char part[4096];
        size_t n;

        assert_non_null(f);
        while ((n = fread(part, 1, sizeof(part), f)) > 0) {
            char found[CODE_FOLDED_MAX] = "";

            if (code_scan(CODE_CREATION, (struct str){ part, n }, found, NULL, NULL) != 0)
                fail_msg("%s: %s", files[i], found);
        }
        fclose(f);
    }
}

static void
test_long_text_ends(void **state)
{
    static char text[1 << 20];
    char found[CODE_FOLDED_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = i % 2 == 0 ? '7' : '-';
    assert_int_not_equal(code_scan(CODE_REVOCATION, (struct str){ text, sizeof(text) }, found, NULL, NULL), 2);
    memset(text, ' ', sizeof(text));
    memcpy(text + 5000, "G6J7-2QGR-RB3K", 14);
    assert_int_equal(code_scan(CODE_CREATION, (struct str){ text, sizeof(text) }, found, NULL, NULL), 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_subjects),
        cmocka_unit_test(test_blocking_codes_are_never_taken_for_creation),
        cmocka_unit_test(test_every_drawn_code_is_found_in_a_sentence),
        cmocka_unit_test(test_prose_holds_no_code),
        cmocka_unit_test(test_long_text_ends),
    };

    return cmocka_run_group_tests_name("code_scan", tests, NULL, NULL);
}
