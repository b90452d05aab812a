/* password: hash and verify, cost, refusals; nobody costs what somebody costs. */
#include "tests/unit/crypto_support.h"

#include <time.h>

#include "base/core/secret.h"
#include "base/crypto/password.h"

static const struct password_cost small = { 1024, 2 };       /* the tests need not be slow */

static void
test_round(void **state)
{
    char a[PASSWORD_HASH_SIZE], b[PASSWORD_HASH_SIZE];
    bool rehash = true;

    (void)state;
    assert_int_equal(password_hash(STR_LIT("correct horse"), &small, a, NULL), OK);
    assert_int_equal(password_hash(STR_LIT("correct horse"), &small, b, NULL), OK);
    assert_true(str_starts(str_of(a), "$argon2id$v=19$m=1024,t=2,p=1$"));
    assert_string_not_equal(a, b);
    assert_int_equal(password_verify(STR_LIT("correct horse"), a, &small, &rehash, NULL), OK);
    assert_false(rehash);
    rehash = true;
    assert_int_equal(password_verify(STR_LIT("correct horsf"), a, &small, &rehash, NULL), ERR_DENIED);
    assert_int_equal(password_verify(STR_LIT("correct hors"), a, &small, &rehash, NULL), ERR_DENIED);
    assert_int_equal(password_verify(STR_NULL, a, &small, &rehash, NULL), ERR_DENIED);
    assert_true(rehash);                                       /* untouched on failure */
    assert_int_equal(password_verify(STR_LIT("correct horse"), b, &(struct password_cost){ 1024, 3 }, &rehash, NULL),
                     OK);
    assert_true(rehash);
    rehash = false;
    assert_int_equal(password_verify(STR_LIT("correct horse"), b, &(struct password_cost){ 2048, 2 }, &rehash, NULL),
                     OK);
    assert_true(rehash);
}

static void
test_default_cost(void **state)
{
    const struct password_cost cost = PASSWORD_COST_DEFAULT;
    char phc[PASSWORD_HASH_SIZE];
    bool rehash = true;

    (void)state;
    assert_int_equal(password_hash(STR_LIT("x"), &cost, phc, NULL), OK);
    assert_true(str_starts(str_of(phc), "$argon2id$v=19$m=19456,t=2,p=1$"));   /* 19 MiB, t=2, p=1: DOMAIN K6 */
    assert_int_equal(password_verify(STR_LIT("x"), phc, &cost, &rehash, NULL), OK);
    assert_false(rehash);
}

/* A hash that another implementation made: libargon2's own test (github.com/P-H-C/phc-winner-argon2, src/test.c):
 * version 0x13, t=2, m=16 (65536 KiB), p=1, password "password", salt "somesalt". Salts of 8 bytes are accepted by the
 * format; libsodium writes 16. */
static void
test_foreign_hash(void **state)
{
    static const char phc[] =
        "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    bool rehash = false;

    (void)state;
    assert_int_equal(password_verify(STR_LIT("password"), phc, &small, &rehash, NULL), OK);
    assert_true(rehash);
    assert_int_equal(password_verify(STR_LIT("passwore"), phc, &small, &rehash, NULL), ERR_DENIED);
}

static void
test_bounds(void **state)
{
    static const struct {
        const char *label;
        struct password_cost cost;
    } bad[] = { { "no memory", { 7, 2 } }, { "much memory", { 1024 * 1024 + 1, 2 } }, { "no pass", { 1024, 0 } },
                { "many passes", { 1024, 65 } } };
    char phc[PASSWORD_HASH_SIZE], longest[PASSWORD_MAX + 1];
    bool rehash;

    (void)state;
    memset(longest, 'x', sizeof(longest));
    assert_int_equal(password_hash((struct str){ longest, PASSWORD_MAX }, &small, phc, NULL), OK);
    assert_int_equal(password_verify((struct str){ longest, PASSWORD_MAX }, phc, &small, &rehash, NULL), OK);
    assert_int_equal(password_verify((struct str){ longest, PASSWORD_MAX - 1 }, phc, &small, &rehash, NULL),
                     ERR_DENIED);
    assert_int_equal(password_hash((struct str){ longest, PASSWORD_MAX + 1 }, &small, phc, NULL), ERR_INPUT);
    assert_int_equal(password_verify((struct str){ longest, PASSWORD_MAX + 1 }, phc, &small, &rehash, NULL),
                     ERR_INPUT);
    assert_int_equal(password_verify_nobody((struct str){ longest, PASSWORD_MAX + 1 }, &small, NULL), ERR_INPUT);
    assert_int_equal(password_hash(STR_NULL, &small, phc, NULL), ERR_INPUT);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_row(bad[i].label, password_hash(STR_LIT("x"), &bad[i].cost, phc, NULL) == ERR_INPUT);
        assert_row(bad[i].label, password_verify_nobody(STR_LIT("x"), &bad[i].cost, NULL) == ERR_INPUT);
    }
    /* A NUL inside is part of the password. */
    assert_int_equal(password_hash(STR_LIT("a\0b"), &small, phc, NULL), OK);
    assert_int_equal(password_verify(STR_LIT("a\0c"), phc, &small, &rehash, NULL), ERR_DENIED);
    assert_int_equal(password_verify(STR_LIT("a\0b"), phc, &small, &rehash, NULL), OK);
}

static void
test_stored_hash_is_not_ours(void **state)
{
    static const char *const rows[] = {
        "", "x", "$argon2id$", "$argon2i$v=19$m=1024,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$argon2id$v=16$m=1024,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$argon2id$v=19$m=1024,t=2,p=1$c29tZXNhbHQ", "$argon2id$v=19$m=1024,t=2,p=1",
        "$argon2id$v=19$m=1024,t=2,p=2$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$argon2id$v=19$m=4294967295,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$argon2id$v=19$m=1024,t=4294967295,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$argon2id$v=19$t=2,m=1024,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
    };
    char endless[400];
    bool rehash;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_row(rows[i], password_verify(STR_LIT("x"), rows[i], &small, &rehash, NULL) == ERR_INTERNAL);
    memset(endless, 'A', sizeof(endless) - 1);
    endless[sizeof(endless) - 1] = '\0';
    memcpy(endless, "$argon2id$v=19$m=1024,t=2,p=1$", 30);
    assert_int_equal(password_verify(STR_LIT("x"), endless, &small, &rehash, NULL), ERR_INTERNAL);
}

static int64_t
cpu_usec(void)
{
    struct timespec t;

    assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t), 0);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Best of several, in CPU time of this thread: the machine may be busy. */
static void
test_nobody_costs_the_same(void **state)
{
    const struct password_cost cost = { 8192, 2 };
    int64_t somebody = INT64_MAX, nobody = INT64_MAX, start;
    char phc[PASSWORD_HASH_SIZE];
    bool rehash;

    (void)state;
    assert_int_equal(password_hash(STR_LIT("good"), &cost, phc, NULL), OK);
    for (int i = 0; i < 7; i++) {
        start = cpu_usec();
        assert_int_equal(password_verify(STR_LIT("wrong"), phc, &cost, &rehash, NULL), ERR_DENIED);
        if (cpu_usec() - start < somebody)
            somebody = cpu_usec() - start;
        start = cpu_usec();
        assert_int_equal(password_verify_nobody(STR_LIT("wrong"), &cost, NULL), ERR_DENIED);
        if (cpu_usec() - start < nobody)
            nobody = cpu_usec() - start;
    }
    assert_true(nobody > somebody / 2);
    assert_true(somebody > nobody / 2);
}

static void
test_key(void **state)
{
    const struct password_cost cost = { 64, 2 }, more = { 64, 3 };
    const unsigned char salt[PASSWORD_SALT_LEN] = { 1 }, other[PASSWORD_SALT_LEN] = { 2 };
    struct secret a = SECRET_INIT, b = SECRET_INIT;

    (void)state;
    assert_int_equal(password_key(STR_LIT("phrase"), salt, &cost, &a, NULL), OK);
    assert_int_equal(a.len, PASSWORD_KEY_LEN);
    assert_int_equal(password_key(STR_LIT("phrase"), salt, &cost, &b, NULL), OK);
    assert_true(mem_equal_ct(a.data, a.len, b.data, b.len));
    assert_int_equal(password_key(STR_LIT("phrase"), other, &cost, &b, NULL), OK);
    assert_false(mem_equal_ct(a.data, a.len, b.data, b.len));
    assert_int_equal(password_key(STR_LIT("phrase"), salt, &more, &b, NULL), OK);
    assert_false(mem_equal_ct(a.data, a.len, b.data, b.len));
    assert_int_equal(password_key(STR_LIT(""), salt, &cost, &b, NULL), ERR_INPUT);
    assert_int_equal(password_key(STR_LIT("phrase"), salt, &(struct password_cost){ 4, 1 }, &b, NULL), ERR_INPUT);
    secret_done(&a);
    secret_done(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round),
        cmocka_unit_test(test_default_cost),
        cmocka_unit_test(test_foreign_hash),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_stored_hash_is_not_ours),
        cmocka_unit_test(test_nobody_costs_the_same),
        cmocka_unit_test(test_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
