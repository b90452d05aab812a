/* rand: uniform, well-formed, and not to be replaced in production. */
#include "tests/unit/support.h"

#include "base/core/rand.h"
#include "base/core/clock.h"

static unsigned char next_byte;

static void
counting(void *p, size_t n)
{
    unsigned char *b = p;

    for (size_t i = 0; i < n; i++)
        b[i] = next_byte++;
}

static void
set_counting(void *arg)
{
    (void)arg;
    rand_set_source(counting);
}

static void
test_source_is_for_tests_only(void **state)
{
    unsigned char b[4];

    (void)state;
    assert_aborts(set_counting, NULL);
    clock_set_test(1);
    rand_set_source(counting);
    next_byte = 7;
    rand_bytes(b, 4);
    assert_memory_equal(b, "\x07\x08\x09\x0a", 4);
    rand_set_source(NULL);
    clock_set_test(0);
    rand_set_source(NULL);      /* giving it back is always allowed */
}

static void
test_below_is_uniform(void **state)
{
    static const uint32_t limits[] = { 1, 2, 3, 10, 31 };

    (void)state;
    for (size_t l = 0; l < ARRAY_LEN(limits); l++) {
        uint32_t limit = limits[l];
        uint32_t seen[31] = { 0 };
        double expected = 31000.0 / limit, chi2 = 0;

        for (int i = 0; i < 31000; i++) {
            uint32_t v = rand_below(limit);

            assert_true(v < limit);
            seen[v]++;
        }
        for (uint32_t v = 0; v < limit; v++)
            chi2 += (seen[v] - expected) * (seen[v] - expected) / expected;
        assert_true(chi2 < 100);      /* 30 degrees of freedom: 100 is passed once in 10^9 runs */
    }
    for (int i = 0; i < 1000; i++)
        assert_true(rand_below(0x80000001u) < 0x80000001u);
}

static unsigned draws;

static void
first_too_small(void *p, size_t n)
{
    uint32_t v = draws++ == 0 ? 1 : 25;      /* 2^32 mod 10 is 6: a value of 1 must be drawn again */

    assert_int_equal(n, sizeof(v));
    memcpy(p, &v, sizeof(v));
}

static void
test_below_has_no_bias(void **state)
{
    (void)state;
    clock_set_test(1);
    rand_set_source(first_too_small);
    draws = 0;
    assert_int_equal(rand_below(10), 5);
    assert_int_equal(draws, 2);
    rand_set_source(NULL);
    clock_set_test(0);
}

static void
test_token_and_uuid(void **state)
{
    char token[45], other[45], uuid[UUID_TEXT_LEN + 1];

    (void)state;
    rand_token(32, token, sizeof(token));
    rand_token(32, other, sizeof(other));
    assert_int_equal(strlen(token), 43);
    assert_string_not_equal(token, other);
    assert_int_equal(strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), 43);
    rand_token(16, token, 25);
    assert_int_equal(strlen(token), 22);
    for (int i = 0; i < 100; i++) {
        rand_uuid(uuid);
        assert_int_equal(strlen(uuid), 36);
        assert_true(uuid[8] == '-' && uuid[13] == '-' && uuid[18] == '-' && uuid[23] == '-');
        assert_int_equal(uuid[14], '4');
        assert_non_null(strchr("89ab", uuid[19]));
        assert_int_equal(strspn(uuid, "0123456789abcdef-"), 36);
    }
    clock_set_test(1);
    rand_set_source(counting);
    next_byte = 0;
    rand_uuid(uuid);
    assert_string_equal(uuid, "00010203-0405-4607-8809-0a0b0c0d0e0f");
    rand_set_source(NULL);
    clock_set_test(0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_source_is_for_tests_only), cmocka_unit_test(test_below_is_uniform),
        cmocka_unit_test(test_below_has_no_bias), cmocka_unit_test(test_token_and_uuid),
    };

    return cmocka_run_group_tests_name("rand", tests, NULL, NULL);
}
