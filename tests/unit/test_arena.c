/* arena: aligned, zeroed, bounded. */
#include "tests/unit/support.h"

#include <stdalign.h>

#include "base/core/arena.h"

static int
setup(void **state)
{
    *state = arena_new(1 << 20);
    return 0;
}

static int
teardown(void **state)
{
    arena_free(*state);
    return 0;
}

static void
test_pieces_are_apart_aligned_and_zeroed(void **state)
{
    unsigned char *pieces[200];

    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        pieces[i] = arena_alloc(*state, i);
        assert_int_equal((uintptr_t)pieces[i] % alignof(max_align_t), 0);
        for (size_t k = 0; k < i; k++)
            assert_int_equal(pieces[i][k], 0);
        memset(pieces[i], (int)i, i);
    }
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++)
        for (size_t k = 0; k < i; k++)
            assert_int_equal(pieces[i][k], i);
}

static void
test_reset_gives_zeroed_memory_again(void **state)
{
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 100; i++) {
            unsigned char *p = arena_alloc(*state, 1000);

            for (size_t k = 0; k < 1000; k++)
                assert_int_equal(p[k], 0);
            memset(p, 0xff, 1000);
        }
        arena_reset(*state);
    }
}

static void
test_copies(void **state)
{
    struct arena *a = *state;

    assert_string_equal(arena_strdup(a, "abc"), "abc");
    assert_string_equal(arena_str(a, (struct str){ "abcdef", 3 }), "abc");
    assert_string_equal(arena_str(a, STR_NULL), "");
    assert_string_equal(arena_printf(a, "%d %s", 3, "x"), "3 x");
    assert_memory_equal(arena_dup(a, "a\0b", 3), "a\0b", 3);
    assert_non_null(arena_dup(a, NULL, 0));
}

static void
test_ceiling(void **state)
{
    static const size_t ceilings[] = { 0, 1, 100, 4096, 5000, 100000 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ceilings); i++) {
        struct arena *a = arena_new(ceilings[i]);
        size_t got = 0;

        while (arena_try_alloc(a, 48) != NULL)
            got += 48;
        assert_true(got <= ceilings[i]);
        if (ceilings[i] >= 4096)
            assert_true(got >= ceilings[i] / 2);
        assert_null(arena_try_alloc(a, ceilings[i] + 1));
        assert_null(arena_try_alloc(a, SIZE_MAX));
        assert_null(arena_try_alloc(a, SIZE_MAX - 20));
        arena_reset(a);
        if (ceilings[i] >= 4096)
            assert_non_null(arena_try_alloc(a, 48));      /* the room comes back */
        arena_free(a);
    }
    arena_free(NULL);
}

static void
past_the_ceiling(void *arg)
{
    struct arena *a = arena_new(100);

    (void)arg;
    memset(arena_alloc(a, 101), 0, 1);
}

static void
test_alloc_past_ceiling_aborts(void **state)
{
    (void)state;
    assert_aborts(past_the_ceiling, NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pieces_are_apart_aligned_and_zeroed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reset_gives_zeroed_memory_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_copies, setup, teardown),
        cmocka_unit_test(test_ceiling),
        cmocka_unit_test(test_alloc_past_ceiling_aborts),
    };

    return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
