/* mem: moving, releasing, and refusing sizes that do not exist. */
#include "tests/unit/support.h"

#include <stdlib.h>

#include "base/core/mem.h"

static int released;

static void
count_release(int **p)
{
    if (*p != NULL)
        released++;
    free(*p);
}

static int *
make(int keep)
{
    AUTO(count_release) int *p = mem_alloc(sizeof(*p));

    *p = 7;
    return keep ? TAKE(p) : NULL;
}

static void
test_take_moves_and_auto_releases(void **state)
{
    int *kept;

    (void)state;
    released = 0;
    assert_null(make(0));
    assert_int_equal(released, 1);
    kept = make(1);
    assert_int_equal(released, 1);
    assert_int_equal(*kept, 7);
    free(kept);
}

static void
test_alloc_is_zeroed(void **state)
{
    unsigned char *p = mem_alloc_array(100, 3);

    (void)state;
    for (int i = 0; i < 300; i++)
        assert_int_equal(p[i], 0);
    p = mem_realloc_array(p, 1000, 3);
    p[2999] = 1;
    mem_freep(&p);
    assert_null(p);
    mem_freep(&p);      /* NULL is allowed */
    free(mem_alloc(0));
}

static void
test_copies(void **state)
{
    char *a = mem_strdup("abc");
    char *b = mem_strndup("abcdef", 4);
    char *c = mem_strndup("ab", 9);
    char *d = mem_dup("x\0y", 3);

    (void)state;
    assert_string_equal(a, "abc");
    assert_string_equal(b, "abcd");
    assert_string_equal(c, "ab");
    assert_memory_equal(d, "x\0y", 3);
    free(a);
    free(b);
    free(c);
    free(d);
    free(mem_dup(NULL, 0));
}

static void
array_overflows(void *arg)
{
    size_t n = SIZE_MAX / 4 + 2;

    (void)arg;
    free(mem_alloc_array(n, 4));
}

static void
realloc_overflows(void *arg)
{
    size_t n = SIZE_MAX / 8 + 1;

    (void)arg;
    free(mem_realloc_array(NULL, n, 16));
}

static void
check_fails(void *arg)
{
    CHECK(arg != NULL);
}

static void
test_impossible_sizes_abort(void **state)
{
    (void)state;
    assert_aborts(array_overflows, NULL);
    assert_aborts(realloc_overflows, NULL);
    assert_aborts(check_fails, NULL);
    assert_false(ends_by_abort(check_fails, &released));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_take_moves_and_auto_releases),
        cmocka_unit_test(test_alloc_is_zeroed),
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_impossible_sizes_abort),
    };

    return cmocka_run_group_tests_name("mem", tests, NULL, NULL);
}
