/* err: the reason on its way up. */
#include "tests/unit/support.h"

#include "base/core/err.h"

static void
test_reason_and_code(void **state)
{
    struct why why = WHY_INIT;

    (void)state;
    assert_int_equal(why_set(&why, ERR_DENIED, "user %d", 7), ERR_DENIED);
    assert_string_equal(why.text, "user 7");
    assert_string_equal(why.code, "");
    assert_int_equal(why_code(&why, ERR_CONFLICT, "saml.request.replayed", "id %s", "_a"), ERR_CONFLICT);
    assert_string_equal(why.text, "id _a");
    assert_string_equal(why.code, "saml.request.replayed");
    why_prepend(&why, "sp %s", "demo");
    assert_string_equal(why.text, "sp demo: id _a");
    assert_string_equal(why.code, "saml.request.replayed");
    err_ignore(why_set(&why, ERR_INPUT, "new"));       /* a new reason does not keep an old code */
    assert_string_equal(why.code, "");
}

static void
test_null_is_allowed(void **state)
{
    (void)state;
    assert_int_equal(why_set(NULL, ERR_INPUT, "%s", "x"), ERR_INPUT);
    assert_int_equal(why_code(NULL, ERR_INTERNAL, "a.b", "%s", "x"), ERR_INTERNAL);
    why_prepend(NULL, "x");
}

static void
test_own_text_and_cut(void **state)
{
    struct why why = WHY_INIT;
    char big[2 * WHY_MAX];

    (void)state;
    err_ignore(why_set(&why, ERR_INPUT, "inner"));
    err_ignore(why_set(&why, ERR_INPUT, "outer (%s)", why.text));
    assert_string_equal(why.text, "outer (inner)");

    memset(big, 'x', sizeof(big));
    big[sizeof(big) - 1] = '\0';
    err_ignore(why_code(&why, ERR_INPUT, big, "%s", big));
    assert_int_equal(strlen(why.text), WHY_MAX - 1);
    assert_int_equal(strlen(why.code), sizeof(why.code) - 1);
    why_prepend(&why, "front");
    assert_memory_equal(why.text, "front: xxx", 10);
    assert_int_equal(strlen(why.text), WHY_MAX - 1);
    why_prepend(&why, "%s", big);
    assert_int_equal(strlen(why.text), WHY_MAX - 1);
}

static void
test_names_are_distinct(void **state)
{
    (void)state;
    for (int a = OK; a <= ERR_INTERNAL; a++)
        for (int b = OK; b < a; b++)
            assert_string_not_equal(err_name((enum err)a), err_name((enum err)b));
    assert_string_equal(err_name(ERR_NOT_FOUND), "not_found");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reason_and_code),
        cmocka_unit_test(test_null_is_allowed),
        cmocka_unit_test(test_own_text_and_cut),
        cmocka_unit_test(test_names_are_distinct),
    };

    return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
