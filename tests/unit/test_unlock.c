/*
 * unlock: the state machine; and that after a lock neither the secret nor a share is left in the process: its memory is
 * read through /proc/self/mem, and a core dump (gcore, where gdb is installed) is searched too.
 */
#include "tests/unit/crypto_support.h"

#include "base/core/rand.h"
#include "pki/custody/unlock.h"

#define CUSTODIAN ROLE_BIT(ROLE_CUSTODIAN)
#define T0 (1000 * USEC_PER_SEC)

struct fixture {
    struct unlock_config conf;
    struct unlock *u;
    struct secret s;
    struct share shares[5];
};

static const char *const names[] = { "alice", "bruno", "chloe", "denis", "emma" };

static void
split(const struct secret *s, const char *set, int threshold, struct share shares[5])
{
    for (size_t i = 0; i < 5; i++)
        (void)snprintf(shares[i].info.person, sizeof(shares[i].info.person), "%s", names[i]);
    assert_int_equal(share_split(s, set, threshold, 5, shares, NULL), OK);
}

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    rand_uuid(f->conf.set);
    f->conf.threshold = 3;
    f->conf.total = 5;
    f->conf.collect_max = 10 * USEC_PER_MIN;
    f->conf.idle_max = USEC_PER_HOUR;
    f->u = unlock_new(&f->conf);
    secret_random(&f->s, ACTIVATION_LEN);
    split(&f->s, f->conf.set, 3, f->shares);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;

    unlock_free(f->u);
    secret_done(&f->s);
    for (size_t i = 0; i < 5; i++)
        share_done(&f->shares[i]);
    free(f);
    return 0;
}

static enum err
add(struct fixture *f, size_t i, role_set roles, utime now, const char *code)
{
    struct share copy = SHARE_INIT;
    struct why why = WHY_INIT;
    enum err e;

    copy.info = f->shares[i].info;
    secret_set(&copy.value, f->shares[i].value.data, f->shares[i].value.len);
    e = unlock_add(f->u, &copy, roles, now, &why);
    assert_null(copy.value.data);      /* taken over, whatever the answer */
    if (e != OK && strcmp(why.code, code) != 0)
        fail_msg("%s instead of %s: %s", why.code, code, why.text);
    return e;
}

static void
test_opens_at_the_threshold(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(unlock_state(f->u), UNLOCK_LOCKED);
    assert_null(unlock_secret(f->u));
    assert_int_equal(unlock_missing(f->u), 3);
    assert_int_equal(add(f, 4, CUSTODIAN, T0, ""), OK);
    assert_int_equal(unlock_state(f->u), UNLOCK_COLLECTING);
    assert_int_equal(add(f, 0, CUSTODIAN, T0, ""), OK);
    assert_int_equal(unlock_missing(f->u), 1);
    assert_null(unlock_secret(f->u));
    assert_int_equal(add(f, 2, CUSTODIAN, T0, ""), OK);
    assert_int_equal(unlock_state(f->u), UNLOCK_OPEN);
    assert_memory_equal(unlock_secret(f->u)->data, f->s.data, ACTIVATION_LEN);
    assert_int_equal(unlock_missing(f->u), 0);
    assert_int_equal(add(f, 1, CUSTODIAN, T0, "unlock.open"), ERR_CONFLICT);
    unlock_lock(f->u);
    assert_int_equal(unlock_state(f->u), UNLOCK_LOCKED);
    assert_null(unlock_secret(f->u));
    assert_int_equal(unlock_missing(f->u), 3);
}

static void
test_refusals_lose_nothing(void **state)
{
    struct fixture *f = *state;
    struct share other[5];
    struct secret s = SECRET_INIT;
    struct why why = WHY_INIT;
    char set[SHARE_SET_LEN + 1];

    memset(other, 0, sizeof(other));
    rand_uuid(set);
    secret_random(&s, ACTIVATION_LEN);
    assert_int_equal(add(f, 0, CUSTODIAN, T0, ""), OK);
    assert_int_equal(add(f, 0, CUSTODIAN, T0, "unlock.twice"), ERR_CONFLICT);
    split(&s, set, 3, other);                                     /* another set */
    assert_int_equal(unlock_add(f->u, &other[1], CUSTODIAN, T0, &why), ERR_INPUT);
    assert_string_equal(why.code, "unlock.set");
    split(&s, f->conf.set, 2, other);                             /* it says it opens with two */
    assert_int_equal(unlock_add(f->u, &other[1], CUSTODIAN, T0, &why), ERR_INPUT);
    strcpy(f->shares[1].info.person, "alice");                    /* lint: banned-call: a short literal into a larger array */
    assert_int_equal(add(f, 1, CUSTODIAN, T0, "unlock.twice"), ERR_CONFLICT);      /* a second share of one person */
    strcpy(f->shares[1].info.person, "bruno");                    /* lint: banned-call: a short literal into a larger array */
    assert_int_equal(add(f, 1, 0, T0, "unlock.role"), ERR_DENIED);
    assert_int_equal(add(f, 1, ROLE_BIT(ROLE_SECURITY), T0, "unlock.role"), ERR_DENIED);
    for (unsigned a = 0; a < ROLE_COUNT; a++)                     /* no forbidden pair in one hand */
        for (unsigned b = a + 1; b < ROLE_COUNT; b++) {
            const role_set roles = CUSTODIAN | ROLE_BIT(a) | ROLE_BIT(b);

            if (role_set_conflict(roles, NULL, NULL))
                assert_int_equal(add(f, 1, roles, T0, "unlock.role"), ERR_DENIED);
        }
    assert_int_equal(unlock_missing(f->u), 2);
    assert_int_equal(add(f, 1, CUSTODIAN | ROLE_BIT(ROLE_SECURITY), T0, ""), OK);
    assert_int_equal(add(f, 3, CUSTODIAN, T0, ""), OK);
    assert_int_equal(unlock_state(f->u), UNLOCK_OPEN);
    for (size_t i = 0; i < 5; i++)
        share_done(&other[i]);
    secret_done(&s);
}

static void
test_systems_engineers_alone(void **state)
{
    struct fixture *f = *state;
    const role_set systems = CUSTODIAN | ROLE_BIT(ROLE_SYSTEMS);

    assert_int_equal(add(f, 0, systems, T0, ""), OK);
    assert_int_equal(add(f, 1, systems, T0, ""), OK);
    assert_int_equal(add(f, 2, systems, T0, "unlock.role"), ERR_DENIED);
    assert_int_equal(unlock_missing(f->u), 1);
    assert_int_equal(add(f, 3, CUSTODIAN, T0, ""), OK);
    assert_int_equal(unlock_state(f->u), UNLOCK_OPEN);
}

static void
test_shares_that_do_not_fit(void **state)
{
    struct fixture *f = *state;

    f->shares[1].value.data[5] ^= 0x10;
    assert_int_equal(add(f, 0, CUSTODIAN, T0, ""), OK);
    assert_int_equal(add(f, 1, CUSTODIAN, T0, ""), OK);
    assert_int_equal(add(f, 2, CUSTODIAN, T0, "shares.wrong"), ERR_DENIED);
    assert_int_equal(unlock_state(f->u), UNLOCK_LOCKED);
    assert_int_equal(unlock_missing(f->u), 3);
    f->shares[1].value.data[5] ^= 0x10;
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(add(f, i, CUSTODIAN, T0, ""), OK);
    assert_int_equal(unlock_state(f->u), UNLOCK_OPEN);
}

static void
test_times(void **state)
{
    struct fixture *f = *state;
    const int64_t collect = f->conf.collect_max, idle = f->conf.idle_max;

    assert_int_equal(add(f, 0, CUSTODIAN, T0, ""), OK);
    assert_false(unlock_tick(f->u, T0 + collect - 1));
    assert_true(unlock_tick(f->u, T0 + collect));
    assert_false(unlock_tick(f->u, T0 + collect));
    assert_int_equal(unlock_missing(f->u), 3);
    /* a late share finds the old ones gone, though nobody ticked */
    assert_int_equal(add(f, 0, CUSTODIAN, T0, ""), OK);
    assert_int_equal(add(f, 1, CUSTODIAN, T0, ""), OK);
    assert_int_equal(add(f, 2, CUSTODIAN, T0 + collect, ""), OK);
    assert_int_equal(unlock_missing(f->u), 2);
    assert_int_equal(add(f, 0, CUSTODIAN, T0 + collect, ""), OK);
    assert_int_equal(add(f, 1, CUSTODIAN, T0 + collect, ""), OK);
    assert_false(unlock_tick(f->u, T0 + collect + idle - 1));
    unlock_use(f->u, T0 + collect + idle - 1);
    assert_false(unlock_tick(f->u, T0 + collect + idle));
    assert_non_null(unlock_secret(f->u));
    assert_true(unlock_tick(f->u, T0 + collect + 2 * idle));
    assert_null(unlock_secret(f->u));
}

/* --- what is left ------------------------------------------------------------------------------------------------ */

/* Occurrences of what masked says, xored with 0x5a so that the search's own copy is not found. */
static size_t
memory_count(const unsigned char *masked, size_t n)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    int mem = open("/proc/self/mem", O_RDONLY);
    unsigned char *page = malloc(65536 + 64);
    size_t found = 0;
    char line[512];

    assert_non_null(maps);
    assert_true(mem >= 0);
    while (fgets(line, sizeof(line), maps) != NULL) {
        unsigned long from, to;
        char mode[5];

        if (sscanf(line, "%lx-%lx %4s", &from, &to, mode) != 3 || mode[0] != 'r' || mode[1] != 'w' ||
            to - from > (1UL << 28))
            continue;
        for (unsigned long at = from; at < to; at += 65536) {
            const size_t want = to - at < 65536 + 63 ? to - at : 65536 + 63;
            const ssize_t got = pread(mem, page, want, (off_t)at);

            if ((unsigned long)(uintptr_t)page >= at && (unsigned long)(uintptr_t)page < at + want)
                continue;
            for (const unsigned char *at_page = page; got >= (ssize_t)n; at_page++) {
                const size_t left = (size_t)got - n + 1 < 65536 ? (size_t)got - n + 1 : 65536;
                size_t k = 0;

                /* the first octet by the C library's fast search: there is much memory */
                if ((size_t)(at_page - page) >= left ||
                    (at_page = memchr(at_page, masked[0] ^ 0x5a, left - (size_t)(at_page - page))) == NULL)
                    break;
                while (k < n && (at_page[k] ^ 0x5a) == masked[k])
                    k++;
                found += k == n;
            }
        }
    }
    memset(page, 0, 65536 + 64);
    free(page);
    (void)close(mem);
    (void)fclose(maps);
    return found;
}

static bool
file_has(const char *path, const unsigned char *masked, size_t n)
{
    FILE *in = fopen(path, "r");
    size_t matched = 0;
    bool found = false;
    int c;

    assert_non_null(in);
    while (!found && (c = getc(in)) != EOF) {
        if ((c ^ 0x5a) == masked[matched])
            matched++;
        else
            matched = (c ^ 0x5a) == masked[0] ? 1 : 0;
        found = matched == n;
    }
    (void)fclose(in);
    return found;
}

/* A core of ourselves, taken from outside. false: no gcore here. */
static bool
core_taken(const char *folder, char *path, size_t size)
{
    char pid[16], prefix[TEST_FOLDER_MAX + 8];
    pid_t child;
    int status;

    (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
    (void)snprintf(prefix, sizeof(prefix), "%s/core", folder);
    (void)snprintf(path, size, "%s.%s", prefix, pid);
    if ((child = fork()) == 0) {
        const int quiet = open("/dev/null", O_RDWR);

        (void)dup2(quiet, 0);
        (void)dup2(quiet, 1);
        (void)dup2(quiet, 2);
        (void)execlp("gcore", "gcore", "-o", prefix, pid, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 && access(path, R_OK) == 0;
}

static void
mask(unsigned char *out, const struct secret *s)
{
    for (size_t i = 0; i < s->len; i++)
        out[i] = s->data[i] ^ 0x5a;
}

static void
test_nothing_is_left(void **state)
{
    struct fixture *f = *state;
    unsigned char masked[4][ACTIVATION_LEN];
    char folder[TEST_FOLDER_MAX], core[TEST_FOLDER_MAX + 32];
    unsigned char canary[ACTIVATION_LEN], *ordinary = malloc(ACTIVATION_LEN);

    rand_bytes(ordinary, ACTIVATION_LEN);
    for (size_t i = 0; i < ACTIVATION_LEN; i++)
        canary[i] = ordinary[i] ^ 0x5a;
    mask(masked[3], &f->s);
    for (size_t i = 0; i < 3; i++)
        mask(masked[i], &f->shares[i].value);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(add(f, i, CUSTODIAN, T0, ""), OK);
    secret_done(&f->s);
    for (size_t i = 0; i < 5; i++)
        share_done(&f->shares[i]);
    /* open: the secret is there once, in its own page; the shares are gone */
    assert_int_equal(memory_count(masked[3], ACTIVATION_LEN), 1);
    assert_true(memory_count(canary, ACTIVATION_LEN) >= 1);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(memory_count(masked[i], ACTIVATION_LEN), 0);
    folder_make(folder);
#ifndef __SANITIZE_ADDRESS__
#if defined(__has_feature)
#if !__has_feature(address_sanitizer)
#define CORE_IS_SMALL 1
#endif
#else
#define CORE_IS_SMALL 1
#endif
#endif
#ifdef CORE_IS_SMALL      /* the sanitizer's shadow would make it 20 TB */
    if (core_taken(folder, core, sizeof(core))) {
        assert_true(file_has(core, canary, ACTIVATION_LEN));      /* what is not a secret is in it: the search works */
        assert_false(file_has(core, masked[3], ACTIVATION_LEN));
        (void)unlink(core);
    } else {
        print_message("no core could be taken here\n");
    }
#else
    (void)core_taken;
    (void)file_has;
    (void)core;
#endif
    unlock_lock(f->u);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(memory_count(masked[i], ACTIVATION_LEN), 0);
    folder_remove(folder);
    free(ordinary);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_opens_at_the_threshold, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refusals_lose_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_systems_engineers_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_shares_that_do_not_fit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_times, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_is_left, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
