/*
 * shamir: the published vectors of SLIP-0039 for field and digest; every subset; k-1 shares; sets that are wrong. A second,
 * slow field multiplication (polynomials bit by bit) is the oracle for the first.
 */
#include "tests/unit/crypto_support.h"

#include "pki/custody/shamir.h"
#include "tests/unit/slip39_vectors.h"

#define LEN 32

/* --- a second implementation --------------------------------------------------------------------------------- */

/* Long multiplication, then long division by 0x11b. */
static unsigned
slow_mul(unsigned a, unsigned b)
{
    unsigned product = 0;

    for (int i = 0; i < 8; i++)
        if ((b >> i & 1) != 0)
            product ^= a << i;
    for (int i = 15; i >= 8; i--)
        if ((product >> i & 1) != 0)
            product ^= 0x11bU << (i - 8);
    return product;
}

static unsigned
slow_inverse(unsigned a)
{
    for (unsigned b = 1; b < 256; b++)
        if (slow_mul(a, b) == 1)
            return b;
    fail_msg("%u has no inverse", a);
    return 0;
}

static void
slow_at(const unsigned char *xs, const unsigned char *values, size_t n, size_t len, unsigned x, unsigned char *out)
{
    for (size_t b = 0; b < len; b++) {
        unsigned sum = 0;

        for (size_t i = 0; i < n; i++) {
            unsigned term = values[i * len + b];

            for (size_t j = 0; j < n; j++)
                if (j != i)
                    term = slow_mul(term, slow_mul(x ^ xs[j], slow_inverse(xs[i] ^ xs[j])));
            sum ^= term;
        }
        out[b] = (unsigned char)sum;
    }
}

/* --- helpers ---------------------------------------------------------------------------------------------------- */

static enum err
combine_of(const struct secret *all, unsigned mask, size_t len, struct secret *ret, struct why *why)
{
    struct secret values = SECRET_INIT;
    unsigned char numbers[SHAMIR_TOTAL_MAX];
    size_t n = 0;
    enum err e;

    secret_random(&values, SHAMIR_TOTAL_MAX * len);
    for (unsigned i = 0; i < SHAMIR_TOTAL_MAX; i++) {
        if ((mask >> i & 1) == 0)
            continue;
        numbers[n] = (unsigned char)(i + 1);
        memcpy(values.data + n * len, all->data + i * len, len);
        n++;
    }
    values.len = n * len;
    e = shamir_combine(numbers, &values, n, len, ret, why);
    secret_done(&values);
    return e;
}

static int
bits(unsigned mask)
{
    return __builtin_popcount(mask);
}

/* --- tests ------------------------------------------------------------------------------------------------------ */

static void
test_vectors(void **state)
{
    (void)state;
    assert_true(ARRAY_LEN(slip39_rows) >= 6);
    for (size_t r = 0; r < ARRAY_LEN(slip39_rows); r++) {
        const struct slip39_row *row = &slip39_rows[r];
        struct buf want = bytes_of_hex(row->secret);
        struct secret values = SECRET_INIT, got = SECRET_INIT;
        unsigned char numbers[5], slow[LEN];
        unsigned char xs[5];
        struct why why = WHY_INIT;

        secret_random(&values, row->n * want.len);
        for (size_t i = 0; i < row->n; i++) {
            struct buf v = bytes_of_hex(row->shares[i].value);

            xs[i] = (unsigned char)row->shares[i].x;
            numbers[i] = (unsigned char)(row->shares[i].x + 1);
            memcpy(values.data + i * want.len, v.data, want.len);
            buf_free(&v);
        }
        if (shamir_combine(numbers, &values, row->n, want.len, &got, &why) != OK)
            fail_msg("%s: %s", row->label, why.text);
        assert_row(row->label, got.len == want.len && memcmp(got.data, want.data, want.len) == 0);
        slow_at(xs, values.data, row->n, want.len, 255, slow);
        assert_row(row->label, memcmp(slow, want.data, want.len) == 0);
        secret_done(&values);
        secret_done(&got);
        buf_free(&want);
    }
}

/* Every subset of every k of n up to 8: k give the secret, as the slow implementation says too. */
static void
test_all_subsets(void **state)
{
    struct secret secret = SECRET_INIT, all = SECRET_INIT, got = SECRET_INIT;
    struct why why = WHY_INIT;

    (void)state;
    for (int n = 2; n <= 8; n++) {
        for (int k = 2; k <= n; k++) {
            secret_random(&secret, LEN);
            assert_int_equal(shamir_split(&secret, k, n, &all, &why), OK);
            assert_int_equal(all.len, (size_t)n * LEN);
            for (unsigned mask = 0; mask < 1U << n; mask++) {
                const enum err e = combine_of(&all, mask, LEN, &got, &why);

                if (bits(mask) >= k) {      /* more than k points lie on the same polynomial */
                    assert_int_equal(e, OK);
                    assert_memory_equal(got.data, secret.data, LEN);
                } else {
                    assert_int_equal(e, bits(mask) < 2 ? ERR_INPUT : ERR_DENIED);
                }
            }
        }
    }
    secret_done(&secret);
    secret_done(&all);
    secret_done(&got);
}

static void
test_sixteen(void **state)
{
    struct secret secret = SECRET_INIT, all = SECRET_INIT, got = SECRET_INIT;
    static const unsigned masks[] = { 0x00ff, 0xff00, 0x5555, 0xaaaa, 0x0f0f, 0x8f17 };
    unsigned char xs[8], values[8 * LEN], slow[LEN];

    (void)state;
    secret_random(&secret, LEN);
    assert_int_equal(shamir_split(&secret, 8, 16, &all, NULL), OK);
    for (size_t i = 0; i < ARRAY_LEN(masks); i++) {
        assert_int_equal(combine_of(&all, masks[i], LEN, &got, NULL), OK);
        assert_memory_equal(got.data, secret.data, LEN);
    }
    for (unsigned i = 0; i < 8; i++) {
        xs[i] = (unsigned char)(2 * i);
        memcpy(values + i * LEN, all.data + 2 * i * LEN, LEN);
    }
    slow_at(xs, values, 8, LEN, 255, slow);
    assert_memory_equal(slow, secret.data, LEN);
    secret_done(&secret);
    secret_done(&all);
    secret_done(&got);
}

/*
 * k-1 shares say nothing: of two secrets, the octets of k-1 shares are spread alike. Chi-square over 256 values of one
 * octet, 256 degrees of freedom less one; a leak of one bit would give thousands, chance passes 400 once in 10^8.
 */
static double
chi_square(const unsigned *counts, unsigned total)
{
    const double expected = total / 256.0;
    double sum = 0;

    for (size_t i = 0; i < 256; i++)
        sum += (counts[i] - expected) * (counts[i] - expected) / expected;
    return sum;
}

static void
test_fewer_say_nothing(void **state)
{
    enum { ROUNDS = 20000, SHORT = 16 };
    static const int cases[][2] = { { 2, 3 }, { 3, 5 } };
    struct secret secret = SECRET_INIT, all = SECRET_INIT;

    (void)state;
    secret_random(&secret, SHORT);
    for (size_t c = 0; c < ARRAY_LEN(cases); c++) {
        for (int fill = 0; fill < 2; fill++) {
            static unsigned one[2][256], both[256];

            memset(one, 0, sizeof(one));
            memset(both, 0, sizeof(both));
            memset(secret.data, fill == 0 ? 0 : 0xff, SHORT);
            for (int i = 0; i < ROUNDS; i++) {
                assert_int_equal(shamir_split(&secret, cases[c][0], cases[c][1], &all, NULL), OK);
                /* the last shares are computed, not drawn */
                one[0][all.data[(size_t)(cases[c][1] - 1) * SHORT + 7]]++;
                one[1][all.data[(size_t)(cases[c][1] - 2) * SHORT + 7]]++;
                both[all.data[(size_t)(cases[c][1] - 1) * SHORT + 7] ^
                     all.data[(size_t)(cases[c][1] - 2) * SHORT + 7]]++;
            }
            assert_true(chi_square(one[0], ROUNDS) < 400);
            assert_true(chi_square(one[1], ROUNDS) < 400);
            if (cases[c][0] > 2)      /* two of a threshold of three: their relation says nothing either */
                assert_true(chi_square(both, ROUNDS) < 400);
        }
    }
    secret_done(&secret);
    secret_done(&all);
}

static void
test_wrong_sets(void **state)
{
    struct secret secret = SECRET_INIT, all = SECRET_INIT, other = SECRET_INIT, got = SECRET_INIT;
    struct why why = WHY_INIT;
    const unsigned char twice[] = { 2, 2, 3 }, zero[] = { 0, 1, 2 }, far[] = { 1, 2, 17 };
    struct secret three = SECRET_INIT;

    (void)state;
    secret_random(&secret, LEN);
    assert_int_equal(shamir_split(&secret, 3, 5, &all, &why), OK);
    assert_int_equal(combine_of(&all, 0x15, LEN, &got, &why), OK);
    /* one flipped bit, wherever */
    for (size_t i = 0; i < 3 * LEN * 8; i++) {
        const size_t share = i / (LEN * 8) * 2, at = share * LEN + i / 8 % LEN;

        all.data[at] ^= (unsigned char)(1 << i % 8);
        assert_int_equal(combine_of(&all, 0x15, LEN, &got, &why), ERR_DENIED);
        assert_string_equal(why.code, "shares.wrong");
        all.data[at] ^= (unsigned char)(1 << i % 8);
    }
    /* one share of another split of the same secret */
    assert_int_equal(shamir_split(&secret, 3, 5, &other, &why), OK);
    memcpy(other.data, all.data, LEN);
    assert_int_equal(combine_of(&other, 0x07, LEN, &got, &why), ERR_DENIED);
    assert_int_equal(combine_of(&other, 0x0e, LEN, &got, &why), OK);
    /* numbers */
    secret_set(&three, all.data, 3 * LEN);
    assert_int_equal(shamir_combine(twice, &three, 3, LEN, &got, &why), ERR_INPUT);
    assert_int_equal(shamir_combine(zero, &three, 3, LEN, &got, &why), ERR_INPUT);
    assert_int_equal(shamir_combine(far, &three, 3, LEN, &got, &why), ERR_INPUT);
    /* got is still what the last good set gave */
    assert_memory_equal(got.data, secret.data, LEN);
    secret_done(&secret);
    secret_done(&all);
    secret_done(&other);
    secret_done(&three);
    secret_done(&got);
}

static void
test_limits(void **state)
{
    static const int bad[][2] = { { 1, 3 }, { 0, 3 }, { 4, 3 }, { 2, 17 }, { 2, 1 }, { -1, 5 } };
    struct secret secret = SECRET_INIT, all = SECRET_INIT;
    struct why why = WHY_INIT;

    (void)state;
    secret_random(&secret, LEN);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(shamir_split(&secret, bad[i][0], bad[i][1], &all, &why), ERR_INPUT);
    assert_int_equal(shamir_split(&secret, 2, 16, &all, &why), OK);
    secret_random(&secret, 15);
    assert_int_equal(shamir_split(&secret, 2, 3, &all, &why), ERR_INPUT);
    secret_random(&secret, 33);
    assert_int_equal(shamir_split(&secret, 2, 3, &all, &why), ERR_INPUT);
    secret_done(&secret);
    secret_done(&all);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),          cmocka_unit_test(test_all_subsets), cmocka_unit_test(test_sixteen),
        cmocka_unit_test(test_fewer_say_nothing), cmocka_unit_test(test_wrong_sets),  cmocka_unit_test(test_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
