/*
 * rsa_weak: see rsa_weak.h.
 *
 * ROCA (Nemec et al., CCS 2017): the primes of RSALib are k*M + (65537^a mod M), M the product of the first primes, so that
 * both they and the modulus lie, modulo each of these primes, in the group that 65537 generates. A random modulus passes all
 * of the primes below with a chance of about 2^-27.
 *
 * Fermat: n = a^2 - b^2 with a just above the root of n when p and q share their upper half.
 */
#include "base/crypto/ossl-internal.h"
#include "base/crypto/rsa_weak.h"

#define OCTETS_MAX 2048
#define FERMAT_ROUNDS 100
#define PRIMES_BELOW 752             /* as the CA/Browser Forum's baseline requirements 6.1.6 ask */

/* The primes modulo which 65537 generates a group small enough to tell (published with the attack). */
static const unsigned short roca_primes[] = { 11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157 };

static bool
is_prime(unsigned n)
{
    for (unsigned d = 2; d * d <= n; d++)
        if (n % d == 0)
            return false;
    return n > 1;
}

/* One division of the large number for as many primes as fit one word. */
static bool
has_small_factor(const BIGNUM *n)
{
    unsigned p = 3;

    while (p < PRIMES_BELOW) {
        const unsigned first = p;
        BN_ULONG product = 1, rest;

        for (; p < PRIMES_BELOW && product < ((BN_ULONG)1 << 50); p += 2)
            if (is_prime(p))
                product *= p;
        rest = BN_mod_word(n, product);
        for (unsigned q = first; q < p; q += 2)
            if (is_prime(q) && rest % q == 0)
                return true;
    }
    return false;
}

static bool
is_power_of_65537(unsigned value, unsigned prime)
{
    unsigned power = 1;

    do {
        if (power == value)
            return true;
        power = power * (65537 % prime) % prime;
    } while (power != 1);
    return false;
}

static bool
has_roca_fingerprint(const BIGNUM *n)
{
    for (size_t i = 0; i < ARRAY_LEN(roca_primes); i++)
        if (!is_power_of_65537((unsigned)BN_mod_word(n, roca_primes[i]), roca_primes[i]))
            return false;
    return true;
}

/* The whole part of the square root, by Newton from above. False: libcrypto has no memory, which aborts. */
static void
square_root(BIGNUM *root, const BIGNUM *n, BN_CTX *ctx)
{
    BIGNUM *next;

    BN_CTX_start(ctx);
    next = BN_CTX_get(ctx);
    CHECK(next != NULL && BN_one(root) && BN_lshift(root, root, (BN_num_bits(n) + 1) / 2));
    for (;;) {
        CHECK(BN_div(next, NULL, n, root, ctx) && BN_add(next, next, root) && BN_rshift1(next, next));
        if (BN_cmp(next, root) >= 0)
            break;
        CHECK(BN_copy(root, next) != NULL);
    }
    BN_CTX_end(ctx);
}

/* Squares are 1/6 of all numbers modulo 64, 1/5 of the rest modulo 63 and so on: the root is seldom needed. */
static bool
may_be_square(const BIGNUM *n)
{
    static const unsigned moduli[] = { 64, 63, 65, 11, 17, 19, 23, 31 };

    for (size_t i = 0; i < ARRAY_LEN(moduli); i++) {
        const unsigned rest = (unsigned)BN_mod_word(n, moduli[i]);
        bool found = false;

        for (unsigned r = 0; r < moduli[i] && !found; r++)
            found = r * r % moduli[i] == rest;
        if (!found)
            return false;
    }
    return true;
}

static bool
is_square(const BIGNUM *n, BN_CTX *ctx)
{
    BIGNUM *root, *square;
    bool same;

    if (!may_be_square(n))
        return false;
    BN_CTX_start(ctx);
    root = BN_CTX_get(ctx);
    square = BN_CTX_get(ctx);
    CHECK(square != NULL);
    square_root(root, n, ctx);
    CHECK(BN_sqr(square, root, ctx));
    same = BN_cmp(square, n) == 0;
    BN_CTX_end(ctx);
    return same;
}

static bool
has_close_primes(const BIGNUM *n, BN_CTX *ctx)
{
    BIGNUM *a, *rest, *step;
    bool found = false;

    BN_CTX_start(ctx);
    a = BN_CTX_get(ctx);
    rest = BN_CTX_get(ctx);
    step = BN_CTX_get(ctx);
    CHECK(step != NULL);
    square_root(a, n, ctx);
    CHECK(BN_sqr(rest, a, ctx) && BN_sub(rest, rest, n));
    if (BN_is_zero(rest))
        found = true;                /* a square */
    for (int i = 0; i < FERMAT_ROUNDS && !found; i++) {
        /* (a + 1)^2 - n = a^2 - n + 2a + 1 */
        CHECK(BN_lshift1(step, a) && BN_add_word(step, 1) && BN_add(rest, rest, step) && BN_add_word(a, 1));
        found = is_square(rest, ctx);
    }
    BN_CTX_end(ctx);
    return found;
}

enum rsa_weakness
rsa_weakness_find(struct str modulus)
{
    AUTO(BN_freep) BIGNUM *n = NULL;
    AUTO(BN_CTX_freep) BN_CTX *ctx = BN_CTX_new();

    CHECK(modulus.n <= OCTETS_MAX);
    n = BN_bin2bn(str_bytes(modulus), (int)modulus.n, NULL);
    CHECK(n != NULL && ctx != NULL);
    if (!BN_is_odd(n) || BN_is_one(n))
        return RSA_EVEN;
    if (has_small_factor(n))
        return RSA_SMALL_FACTOR;
    if (has_roca_fingerprint(n))
        return RSA_ROCA;
    if (has_close_primes(n, ctx))
        return RSA_CLOSE_PRIMES;
    return RSA_SOUND;
}
