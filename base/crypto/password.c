/*
 * password: see password.h. libsodium's argon2id, chosen for its AVX2 and AVX-512 code (HTTP-SQL §5).
 *
 * What bites: crypto_pwhash_str_verify() says -1 for "wrong" and for "no memory" alike. It sets EINVAL only for the
 * first, so that errno is cleared before and read after; a shortage of memory must not read as a wrong password.
 */
#include <errno.h>
#include <pthread.h>

#include <sodium.h>

#include "base/core/secret.h"
#include "base/crypto/password.h"

#define MEMORY_KIB_MIN 8
#define MEMORY_KIB_MAX 1048576
#define PASSES_MIN 1
#define PASSES_MAX 64

_Static_assert(PASSWORD_SALT_LEN == crypto_pwhash_argon2id_SALTBYTES, "salt size");
_Static_assert(PASSWORD_HASH_SIZE == crypto_pwhash_argon2id_STRBYTES, "PHC string size");

static pthread_once_t sodium_once = PTHREAD_ONCE_INIT;

static void
sodium_start(void)
{
    if (sodium_init() < 0)
        panic("libsodium does not start");
}

static enum err
cost_check(const struct password_cost *cost, struct why *why)
{
    if (cost->memory_kib < MEMORY_KIB_MIN || cost->memory_kib > MEMORY_KIB_MAX || cost->passes < PASSES_MIN ||
        cost->passes > PASSES_MAX)
        return why_set(why, ERR_INPUT, "argon2id cost out of range");
    CHECK(pthread_once(&sodium_once, sodium_start) == 0);
    return OK;
}

static size_t
cost_bytes(const struct password_cost *cost)
{
    return (size_t)cost->memory_kib * 1024;
}

enum err
password_hash(struct str password, const struct password_cost *cost, char ret_phc[PASSWORD_HASH_SIZE],
              struct why *why)
{
    char phc[PASSWORD_HASH_SIZE];
    enum err e;

    if (password.n == 0 || password.n > PASSWORD_MAX)
        return why_set(why, ERR_INPUT, "password of %zu bytes (allowed: 1 to %d)", password.n, PASSWORD_MAX);
    if ((e = cost_check(cost, why)) != OK)
        return e;
    if (crypto_pwhash_argon2id_str(phc, password.p, password.n, cost->passes, cost_bytes(cost)) != 0)
        return why_set(why, ERR_UNAVAILABLE, "no memory for argon2id (%u KiB)", cost->memory_kib);
    memcpy(ret_phc, phc, sizeof(phc));
    return OK;
}

/* "NAME=NUMBER" up to end, which may be NULL for the last one. */
static bool
phc_number(struct str part, const char *name, int64_t min, int64_t max, int64_t *ret)
{
    const size_t n = strlen(name);

    return str_starts(part, name) && str_to_i64((struct str){ part.p + n, part.n - n }, min, max, ret) == OK;
}

/* Reads the cost a stored hash was made with, and bounds it: the table may be older or newer than this program, but no
 * row of it makes us compute for minutes. */
static enum err
phc_cost(const char *phc, struct password_cost *ret, struct why *why)
{
    static const char prefix[] = "$argon2id$v=19$";
    struct str rest = str_of(phc), numbers, m, t, p;
    int64_t memory, passes, lanes;

    if (rest.n >= PASSWORD_HASH_SIZE || !str_starts(rest, prefix))
        return why_set(why, ERR_INTERNAL, "stored password hash is not argon2id");
    rest.p += sizeof(prefix) - 1;
    rest.n -= sizeof(prefix) - 1;
    numbers = str_split(rest, '$', &rest);
    m = str_split(numbers, ',', &t);
    t = str_split(t, ',', &p);
    if (!phc_number(m, "m=", MEMORY_KIB_MIN, MEMORY_KIB_MAX, &memory) ||
        !phc_number(t, "t=", PASSES_MIN, PASSES_MAX, &passes) || !phc_number(p, "p=", 1, 1, &lanes))
        return why_set(why, ERR_INTERNAL, "stored password hash has parameters out of range");
    *ret = (struct password_cost){ (uint32_t)memory, (uint32_t)passes };
    return OK;
}

enum err
password_verify(struct str password, const char *phc, const struct password_cost *cost, bool *ret_needs_rehash,
                struct why *why)
{
    char padded[PASSWORD_HASH_SIZE] = "";
    struct password_cost stored = { 0, 0 };
    enum err e;

    if (password.n > PASSWORD_MAX)
        return why_set(why, ERR_INPUT, "password of more than %d bytes", PASSWORD_MAX);
    if ((e = cost_check(cost, why)) != OK || (e = phc_cost(phc, &stored, why)) != OK)
        return e;
    memcpy(padded, phc, strlen(phc));      /* phc_cost() saw that it fits */
    errno = 0;
    if (crypto_pwhash_argon2id_str_verify(padded, password.p == NULL ? "" : password.p, password.n) != 0) {
        if (errno == EINVAL)
            return why_set(why, ERR_DENIED, "wrong password");
        if (errno == ENOMEM)
            return why_set(why, ERR_UNAVAILABLE, "no memory for argon2id (%u KiB)", stored.memory_kib);
        return why_set(why, ERR_INTERNAL, "stored password hash is malformed");
    }
    *ret_needs_rehash = stored.memory_kib != cost->memory_kib || stored.passes != cost->passes;
    return OK;
}

enum err
password_verify_nobody(struct str password, const struct password_cost *cost, struct why *why)
{
    static const unsigned char salt[crypto_pwhash_argon2id_SALTBYTES] = "nobody has this";
    unsigned char out[32];
    enum err e;
    int rc;

    if (password.n > PASSWORD_MAX)
        return why_set(why, ERR_INPUT, "password of more than %d bytes", PASSWORD_MAX);
    if ((e = cost_check(cost, why)) != OK)
        return e;
    rc = crypto_pwhash_argon2id(out, sizeof(out), password.p == NULL ? "" : password.p, password.n, salt,
                                cost->passes, cost_bytes(cost), crypto_pwhash_argon2id_ALG_ARGON2ID13);
    sodium_memzero(out, sizeof(out));
    if (rc != 0)
        return why_set(why, ERR_UNAVAILABLE, "no memory for argon2id (%u KiB)", cost->memory_kib);
    return why_set(why, ERR_DENIED, "no such user");
}

enum err
password_key(struct str password, const unsigned char salt[PASSWORD_SALT_LEN], const struct password_cost *cost,
             struct secret *ret_key, struct why *why)
{
    unsigned char key[PASSWORD_KEY_LEN];
    enum err e;
    int rc;

    if (password.n == 0 || password.n > PASSWORD_MAX)
        return why_set(why, ERR_INPUT, "pass phrase of %zu bytes (allowed: 1 to %d)", password.n, PASSWORD_MAX);
    if ((e = cost_check(cost, why)) != OK)
        return e;
    rc = crypto_pwhash_argon2id(key, sizeof(key), password.p, password.n, salt, cost->passes, cost_bytes(cost),
                                crypto_pwhash_argon2id_ALG_ARGON2ID13);
    if (rc == 0)
        secret_set(ret_key, key, sizeof(key));
    mem_wipe(key, sizeof(key));
    return rc == 0 ? OK : why_set(why, ERR_UNAVAILABLE, "no memory for argon2id (%u KiB)", cost->memory_kib);
}
