/* buf: the ceiling holds, an overflow is remembered, nothing has a hole. */
#include "tests/unit/support.h"

#include "base/core/buf.h"

static void
test_append(void **state)
{
    struct buf b = BUF_BOUNDED(1000);

    (void)state;
    assert_string_equal(buf_cstr(&b), "");
    buf_adds(&b, "ab");
    buf_addc(&b, 'c');
    buf_add_lit(&b, "de");
    buf_add_str(&b, STR_LIT("fg"));
    buf_add_str(&b, STR_NULL);
    buf_addf(&b, "-%d-%s", 42, "x");
    assert_string_equal(buf_cstr(&b), "abcdefg-42-x");
    assert_true(str_eqs(buf_view(&b), "abcdefg-42-x"));
    buf_truncate(&b, 3);
    assert_string_equal(buf_cstr(&b), "abc");
    buf_reset(&b);
    assert_string_equal(buf_cstr(&b), "");
    assert_int_equal(b.len, 0);
    buf_free(&b);
    assert_null(b.data);
    buf_adds(&b, "again");
    assert_string_equal(buf_cstr(&b), "again");
    buf_free(&b);
}

static void
test_ceiling_is_exact_and_sticky(void **state)
{
    (void)state;
    for (size_t max = 0; max < 300; max += 7) {
        struct buf b = BUF_BOUNDED(max);

        for (size_t i = 0; i < max; i++)
            buf_addc(&b, 'x');
        assert_true(buf_ok(&b));
        assert_int_equal(b.len, max);
        buf_addc(&b, 'y');
        assert_false(buf_ok(&b));
        assert_int_equal(b.len, max);
        assert_null(strchr(buf_cstr(&b), 'y'));
        buf_free(&b);
    }
}

static void
test_no_hole_after_overflow(void **state)
{
    struct buf b = BUF_BOUNDED(8);

    (void)state;
    buf_adds(&b, "abcd");
    buf_adds(&b, "too long");      /* dropped whole */
    buf_adds(&b, "e");             /* would fit, but would stand behind a hole */
    buf_addf(&b, "%s", "");
    assert_null(buf_reserve(&b, 1));
    assert_string_equal(buf_cstr(&b), "abcd");
    assert_false(buf_ok(&b));
    buf_reset(&b);
    assert_true(buf_ok(&b));
    buf_addf(&b, "%s", "12345678");
    assert_true(buf_ok(&b));
    buf_addf(&b, "%d", 9);
    assert_false(buf_ok(&b));
    assert_string_equal(buf_cstr(&b), "12345678");
    buf_free(&b);
}

static void
test_huge_lengths_do_not_wrap(void **state)
{
    struct buf b = BUF_BOUNDED(SIZE_MAX);

    (void)state;
    buf_adds(&b, "abc");
    assert_null(buf_reserve(&b, SIZE_MAX - 3));
    assert_false(buf_ok(&b));
    assert_string_equal(buf_cstr(&b), "abc");
    buf_free(&b);
}

static void
test_reserve_and_advance(void **state)
{
    struct buf b = BUF_BOUNDED(100);
    char *at = buf_reserve(&b, 100);

    (void)state;
    assert_non_null(at);
    assert_string_equal(buf_cstr(&b), "");
    memset(at, 'z', 100);
    buf_advance(&b, 100);
    assert_int_equal(b.len, 100);
    assert_int_equal(b.data[100], '\0');
    assert_non_null(buf_reserve(&b, 0));
    buf_free(&b);
}

static void
advance_too_far(void *arg)
{
    struct buf b = BUF_BOUNDED(1 << 20);

    (void)arg;
    err_ignore(buf_reserve(&b, 10) == NULL ? ERR_INTERNAL : OK);
    buf_advance(&b, 100000);
}

static void
add_itself(void *arg)
{
    struct buf b = BUF_BOUNDED(1 << 20);

    (void)arg;
    buf_adds(&b, "abc");
    buf_add(&b, b.data + 1, 2);
}

static void
test_our_own_mistakes_abort(void **state)
{
    (void)state;
    assert_aborts(advance_too_far, NULL);
    assert_aborts(add_itself, NULL);
}

static void
test_secret_buffer_is_wiped(void **state)
{
    struct buf b = BUF_SECRET(100);

    (void)state;
    buf_adds(&b, "hunter2");
    buf_truncate(&b, 3);
    assert_memory_equal(b.data, "hun\0\0\0\0\0", 8);
    buf_reset(&b);
    for (size_t i = 0; i < b.cap; i++)
        assert_int_equal(b.data[i], 0);
    buf_adds(&b, "hunter2");
    for (int i = 0; i < 90; i++)
        buf_addc(&b, 'x');         /* grows: content moves along */
    assert_memory_equal(b.data, "hunter2xxx", 10);
    assert_int_equal(b.len, 97);
    buf_free(&b);
}

static void
test_views(void **state)
{
    struct str rest;

    (void)state;
    assert_true(str_eq(STR_NULL, STR_LIT("")));
    assert_false(str_eqs(STR_LIT("ab"), "abc"));
    assert_false(str_eq((struct str){ "a\0b", 3 }, (struct str){ "a\0c", 3 }));
    assert_true(str_ieqs(STR_LIT("Content-TYPE"), "content-type"));
    assert_false(str_ieqs(STR_LIT("a["), "a{"));
    assert_true(str_starts(STR_LIT("abc"), "ab"));
    assert_true(str_starts(STR_NULL, ""));
    assert_false(str_starts(STR_LIT("a"), "ab"));
    assert_true(str_eqs(str_trim(STR_LIT(" \t\r\n a b \v\f ")), "a b"));
    assert_int_equal(str_trim(STR_LIT("  ")).n, 0);

    assert_true(str_eqs(str_split(STR_LIT("a=b=c"), '=', &rest), "a"));
    assert_true(str_eqs(rest, "b=c"));
    assert_true(str_eqs(str_split(STR_LIT("a="), '=', &rest), "a"));
    assert_true(rest.p != NULL && rest.n == 0);
    assert_true(str_eqs(str_split(STR_LIT("a"), '=', &rest), "a"));
    assert_null(rest.p);
    assert_int_equal(str_split(STR_NULL, '=', &rest).n, 0);
}

static void
test_numbers(void **state)
{
    static const struct {
        const char *text;
        int64_t min, max, value;
        enum err want;
    } rows[] = {
        { "0", INT64_MIN, INT64_MAX, 0, OK },
        { "-0", INT64_MIN, INT64_MAX, 0, OK },
        { "9223372036854775807", INT64_MIN, INT64_MAX, INT64_MAX, OK },
        { "-9223372036854775808", INT64_MIN, INT64_MAX, INT64_MIN, OK },
        { "9223372036854775808", INT64_MIN, INT64_MAX, 0, ERR_INPUT },
        { "-9223372036854775809", INT64_MIN, INT64_MAX, 0, ERR_INPUT },
        { "99999999999999999999999", INT64_MIN, INT64_MAX, 0, ERR_INPUT },
        { "007", 0, 10, 7, OK },
        { "10", 0, 10, 10, OK },
        { "11", 0, 10, 0, ERR_INPUT },
        { "-1", 0, 10, 0, ERR_INPUT },
        { "", INT64_MIN, INT64_MAX, 0, ERR_INPUT },
        { "-", INT64_MIN, INT64_MAX, 0, ERR_INPUT },
        { "+1", INT64_MIN, INT64_MAX, 0, ERR_INPUT },
        { " 1", INT64_MIN, INT64_MAX, 0, ERR_INPUT },
        { "1 ", INT64_MIN, INT64_MAX, 0, ERR_INPUT },
        { "1x", INT64_MIN, INT64_MAX, 0, ERR_INPUT },
        { "0x10", INT64_MIN, INT64_MAX, 0, ERR_INPUT },
        { "--1", INT64_MIN, INT64_MAX, 0, ERR_INPUT },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t value = 12345;
        enum err e = str_to_i64(str_of(rows[i].text), rows[i].min, rows[i].max, &value);

        assert_row(rows[i].text, e == rows[i].want);
        assert_row(rows[i].text, value == (e == OK ? rows[i].value : 12345));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_append),
        cmocka_unit_test(test_ceiling_is_exact_and_sticky),
        cmocka_unit_test(test_no_hole_after_overflow),
        cmocka_unit_test(test_huge_lengths_do_not_wrap),
        cmocka_unit_test(test_reserve_and_advance),
        cmocka_unit_test(test_our_own_mistakes_abort),
        cmocka_unit_test(test_secret_buffer_is_wiped),
        cmocka_unit_test(test_views),
        cmocka_unit_test(test_numbers),
    };

    return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
