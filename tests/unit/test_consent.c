/* consent: what would be released against what was agreed to, item by item. */
#include "tests/unit/support.h"

#include "idp/services/consent.h"

static void
test_items(void **state)
{
    AUTO(arena_freep) struct arena *a = arena_new(64 * 1024);
    char *one[] = { (char *)(uintptr_t)"peut_voter" };
    const struct str authz[] = { STR_LIT("peut_emprunter"), STR_LIT("peut_voter") };
    struct service all = { .release = { .authz_all = true, .town = true } };
    struct service some = { .release = { .authz = one, .nauthz = 1 } };
    struct service none = { .release = { .town = false } };

    (void)state;
    assert_string_equal(consent_items(&all, authz, 2, true, true, a), "town authz:peut_emprunter authz:peut_voter");
    assert_string_equal(consent_items(&all, authz, 2, false, true, a), "town");
    assert_string_equal(consent_items(&all, authz, 2, true, false, a), "authz:peut_emprunter authz:peut_voter");
    assert_string_equal(consent_items(&some, authz, 2, true, true, a), "authz:peut_voter");
    assert_string_equal(consent_items(&none, authz, 2, true, true, a), "");
    assert_string_equal(consent_items(&all, authz, 0, true, false, a), "");
}

static void
test_covers(void **state)
{
    static const struct {
        const char *agreed, *items;
        bool covers;
    } rows[] = {
        { NULL, "", false },
        { NULL, "town", false },
        { "", "", true },
        { "", "town", false },
        { "town", "", true },
        { "town", "town", true },
        { "town authz:a", "authz:a", true },
        { "town authz:a", "authz:a town", true },
        { "authz:a", "authz:a authz:b", false },
        { "authz:ab", "authz:a", false },
        { "authz:a", "authz:ab", false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_row(rows[i].items, consent_covers(rows[i].agreed, rows[i].items) == rows[i].covers);
}

static void
test_only_what_was_shown(void **state)
{
    AUTO(arena_freep) struct arena *a = arena_new(64 * 1024);
    struct str authz[] = { STR_LIT("a"), STR_LIT("b"), STR_LIT("c") };

    (void)state;
    assert_string_equal(consent_both("town authz:a authz:b", "authz:b town authz:z", a), "town authz:b");
    assert_string_equal(consent_both("town", "", a), "");
    assert_string_equal(consent_both("", "town authz:a", a), "");
    assert_int_equal(consent_filter("town authz:c authz:a", authz, 3), 2);
    assert_true(str_eqs(authz[0], "a") && str_eqs(authz[1], "c"));
    assert_int_equal(consent_filter("", authz, 2), 0);
    assert_true(consent_has("town authz:a", "town"));
    assert_false(consent_has("authz:town", "town"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_items),
        cmocka_unit_test(test_covers),
        cmocka_unit_test(test_only_what_was_shown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
