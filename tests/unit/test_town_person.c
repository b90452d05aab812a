/* Names folded, found and compared; drafts written and read; dates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mairie-connector/town/form.h"
#include "mairie-connector/town/person.h"

static int
setup(void **state)
{
    *state = arena_new(1024 * 1024);
    return 0;
}

static int
teardown(void **state)
{
    arena_free(*state);
    return 0;
}

static void
folds(void **state)
{
    static const struct {
        const char *typed, *folded;
    } cases[] = {
        { "d'Ô", "D O" }, { "Nguyễn", "NGUYEN" }, { "  Jean-Pierre  Marie ", "JEAN PIERRE MARIE" }, { "X", "X" },
        { "", "" }, { "Œuvrard", "OEUVRARD" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_string_equal(person_fold(cases[i].typed, *state), cases[i].folded);
    assert_string_equal(person_fold(NULL, *state), "");
}

static void
compares(void **state)
{
    struct person_names a = { "Durand", NULL, "Zoé Marie" }, same = { "Martin", "DURAND", "Zoe" },
                        other_given = { "Durand", NULL, "Léa" }, other_name = { "Durandal", NULL, "Zoé" },
                        none = { "Durand", NULL, NULL }, none_too = { "durand", NULL, NULL };

    assert_true(person_alike(&a, &same, *state));
    assert_false(person_alike(&a, &other_given, *state));
    assert_false(person_alike(&a, &other_name, *state));
    assert_true(person_alike(&none, &none_too, *state));
    assert_false(person_alike(&none, &a, *state));
    assert_true(person_has_words(&a, "DUR ZOE", *state));
    assert_true(person_has_words(&a, "MARIE DURAND", *state));
    assert_false(person_has_words(&a, "URAND", *state));
    assert_string_equal(person_shown(&same, *state), "Zoe DURAND (Martin)");
    assert_string_equal(person_shown(&none, *state), "Durand");
}

static void
keeps_drafts(void **state)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(FORM_TEXT_MAX);
    struct form in = { .birth_name = "d'Ô & Fils = 100%", .usual_name = "", .given_names = "Zoé", .doc_type = "cni",
                       .doc_expiry = "2031-02-03", .lang = "en", .large = true,
                       .authz = { { "peut_voter", "2030-01-01" }, { "bibliotheque", "" } }, .nauthz = 2 };
    struct why why = WHY_INIT;
    struct form out;

    form_write(&in, &text);
    assert_int_equal(form_parse(buf_view(&text), *state, &out, &why), OK);
    assert_string_equal(out.birth_name, in.birth_name);
    assert_string_equal(out.usual_name, "");
    assert_string_equal(out.lang, "en");
    assert_true(out.large);
    assert_false(out.no_given_names);
    assert_int_equal(out.nauthz, 2);
    assert_string_equal(out.authz[0].until, "2030-01-01");
    assert_string_equal(out.authz[1].id, "bibliotheque");
    assert_int_equal(form_parse(STR_LIT("birth_name=%4"), *state, &out, &why), ERR_INTERNAL);
    assert_int_equal(form_parse(STR_LIT("birth_name"), *state, &out, &why), ERR_INTERNAL);
}

static void
reads_dates(void **state)
{
    static const char *const bad[] = { "", "2031-2-3", "2031-02-30", "2031-13-01", "20310203", "2031-02-03T", "2031-02-0x" };
    utime t;

    (void)state;
    assert_int_equal(date_end("2031-02-03", &t), OK);
    assert_int_equal(t % USEC_PER_DAY, USEC_PER_DAY - USEC_PER_SEC);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(date_end(bad[i], &t), ERR_INPUT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(folds, setup, teardown),
        cmocka_unit_test_setup_teardown(compares, setup, teardown),
        cmocka_unit_test_setup_teardown(keeps_drafts, setup, teardown),
        cmocka_unit_test_setup_teardown(reads_dates, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
