/* shamir: see shamir.h. */
#include "base/core/rand.h"
#include "base/crypto/digest.h"
#include "pki/custody/shamir.h"

#define X_SECRET 255
#define X_DIGEST 254
#define DIGEST_LEN 4

/* a * b in GF(2^8) modulo 0x11b: masks, no table, no branch. */
static unsigned char
gf_mul(unsigned char a, unsigned char b)
{
    unsigned r = 0, x = a;

    for (int i = 0; i < 8; i++) {
        r ^= x & (0U - ((b >> i) & 1U));
        x = (x << 1) ^ (0x11bU & (0U - (x >> 7)));
    }
    return (unsigned char)r;
}

/* 1 / a, a != 0: a^254. */
static unsigned char
gf_inverse(unsigned char a)
{
    unsigned char r = a;

    for (int i = 0; i < 6; i++)
        r = gf_mul(gf_mul(r, r), a);
    return gf_mul(r, r);
}

/* The polynomial through (xs[i], values[i * len …]) at x, Lagrange; x is none of xs. */
static void
interpolate(const unsigned char *xs, const unsigned char *values, size_t n, size_t len, unsigned char x, unsigned char *out)
{
    memset(out, 0, len);
    for (size_t i = 0; i < n; i++) {
        unsigned char over = 1, under = 1;

        for (size_t j = 0; j < n; j++) {
            if (j == i)
                continue;
            over = gf_mul(over, x ^ xs[j]);
            under = gf_mul(under, xs[i] ^ xs[j]);
        }
        over = gf_mul(over, gf_inverse(under));
        for (size_t b = 0; b < len; b++)
            out[b] ^= gf_mul(over, values[i * len + b]);
    }
}

static void
digest_of(const unsigned char *random, size_t random_len, const unsigned char *secret, size_t len,
          unsigned char out[DIGEST_LEN])
{
    const struct str part = { (const char *)secret, len };
    unsigned char mac[SHA256_LEN];

    hmac_sha256((struct str){ (const char *)random, random_len }, &part, 1, mac);
    memcpy(out, mac, DIGEST_LEN);
    mem_wipe(mac, sizeof(mac));
}

enum err
shamir_split(const struct secret *secret, int threshold, int total, struct secret *ret_values, struct why *why)
{
    AUTO(secret_done) struct secret base = SECRET_INIT, values = SECRET_INIT;
    const size_t len = secret->len, k = (size_t)threshold, n = (size_t)total;
    unsigned char xs[SHAMIR_TOTAL_MAX];

    if (threshold < 2 || total < threshold || total > SHAMIR_TOTAL_MAX)
        return why_set(why, ERR_INPUT, "%d of %d: wanted is 2 <= threshold <= shares <= %d", threshold, total,
                       SHAMIR_TOTAL_MAX);
    if (len < SHAMIR_LEN_MIN || len > SHAMIR_LEN_MAX)
        return why_set(why, ERR_INPUT, "a secret of %d to %d octets is wanted", SHAMIR_LEN_MIN, SHAMIR_LEN_MAX);
    /* k points fix the polynomial: k - 2 random shares, the digest and the secret */
    secret_random(&base, k * len);
    for (size_t i = 0; i + 2 < k; i++)
        xs[i] = (unsigned char)i;
    xs[k - 2] = X_DIGEST;
    xs[k - 1] = X_SECRET;
    memcpy(base.data + (k - 1) * len, secret->data, len);
    digest_of(base.data + (k - 2) * len + DIGEST_LEN, len - DIGEST_LEN, secret->data, len, base.data + (k - 2) * len);
    secret_random(&values, n * len);
    for (size_t i = 0; i < n; i++) {
        if (i + 2 < k)
            memcpy(values.data + i * len, base.data + i * len, len);
        else
            interpolate(xs, base.data, k, len, (unsigned char)i, values.data + i * len);
    }
    secret_done(ret_values);
    *ret_values = values;
    values = (struct secret)SECRET_INIT;
    return OK;
}

static enum err
numbers_check(const unsigned char *numbers, size_t n, struct why *why)
{
    unsigned seen = 0;

    for (size_t i = 0; i < n; i++) {
        if (numbers[i] < 1 || numbers[i] > SHAMIR_TOTAL_MAX)
            return why_set(why, ERR_INPUT, "share number %d", numbers[i]);
        if ((seen >> numbers[i] & 1) != 0)
            return why_set(why, ERR_INPUT, "share %d twice", numbers[i]);
        seen |= 1U << numbers[i];
    }
    return OK;
}

enum err
shamir_combine(const unsigned char *numbers, const struct secret *values, size_t n, size_t len, struct secret *ret_secret,
               struct why *why)
{
    AUTO(secret_done) struct secret found = SECRET_INIT;      /* secret, then digest share */
    unsigned char xs[SHAMIR_TOTAL_MAX], digest[DIGEST_LEN];
    enum err e;

    if (n < 2 || n > SHAMIR_TOTAL_MAX || len < SHAMIR_LEN_MIN || len > SHAMIR_LEN_MAX || values->len != n * len)
        return why_set(why, ERR_INPUT, "%zu shares of %zu octets", n, len);
    if ((e = numbers_check(numbers, n, why)) != OK)
        return e;
    for (size_t i = 0; i < n; i++)
        xs[i] = (unsigned char)(numbers[i] - 1);
    secret_random(&found, 2 * len);
    interpolate(xs, values->data, n, len, X_SECRET, found.data);
    interpolate(xs, values->data, n, len, X_DIGEST, found.data + len);
    digest_of(found.data + len + DIGEST_LEN, len - DIGEST_LEN, found.data, len, digest);
    if (!mem_equal_ct(digest, DIGEST_LEN, found.data + len, DIGEST_LEN))
        return why_code(why, ERR_DENIED, "shares.wrong", "these shares do not give a secret: one is of another set, or altered");
    secret_set(ret_secret, found.data, len);
    return OK;
}
