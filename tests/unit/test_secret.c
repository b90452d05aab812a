/* secret: wiped, compared in constant time, read only from files that are closed to others. */
#include "tests/unit/support.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "base/core/secret.h"

static void
test_set_and_done(void **state)
{
    struct secret s = SECRET_INIT;

    (void)state;
    secret_set(&s, "abc", 3);
    assert_int_equal(s.len, 3);
    assert_memory_equal(s.data, "abc", 4);
    secret_set(&s, s.data + 1, 2);           /* from its own inside */
    assert_memory_equal(s.data, "bc", 3);
    secret_set(&s, NULL, 0);
    assert_null(s.data);
    secret_random(&s, 32);
    assert_int_equal(s.len, 32);
    s.len = 16;                              /* shortening is allowed */
    secret_done(&s);
    assert_null(s.data);
    assert_int_equal(s.len, 0);
    secret_done(&s);
    secret_set(&s, "x", 1);
    for (size_t n = 1; n < 20000; n += 997)
        secret_random(&s, n);
    secret_done(&s);
}

static void
test_random_differs(void **state)
{
    struct secret a = SECRET_INIT, b = SECRET_INIT;

    (void)state;
    secret_random(&a, 32);
    secret_random(&b, 32);
    assert_false(mem_equal_ct(a.data, a.len, b.data, b.len));
    secret_set(&b, a.data, a.len);
    assert_true(mem_equal_ct(a.data, a.len, b.data, b.len));
    secret_done(&a);
    secret_done(&b);
}

static void
test_equal(void **state)
{
    (void)state;
    assert_true(mem_equal_ct("abc", 3, "abc", 3));
    assert_false(mem_equal_ct("abc", 3, "abd", 3));
    assert_false(mem_equal_ct("abc", 3, "abc", 2));
    assert_false(mem_equal_ct("", 0, "a", 1));
    assert_true(mem_equal_ct(NULL, 0, NULL, 0));
    assert_true(mem_equal_ct("x", 0, NULL, 0));
}

static void
test_wipe(void **state)
{
    char text[] = "hunter2";

    (void)state;
    mem_wipe(text, sizeof(text));
    assert_memory_equal(text, "\0\0\0\0\0\0\0", 8);
    mem_wipe(NULL, 0);
}

static void
test_chomp(void **state)
{
    static const struct {
        const char *in, *want;
    } rows[] = {
        { "abc\n", "abc" }, { "abc\r\n", "abc" }, { "abc", "abc" }, { "abc\n\n", "abc\n" }, { "\n", "" },
    };
    struct secret s = SECRET_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        secret_set(&s, rows[i].in, strlen(rows[i].in));
        secret_chomp(&s);
        assert_row_string(rows[i].in, (const char *)s.data, rows[i].want);
        assert_row(rows[i].in, s.len == strlen(rows[i].want));
    }
    secret_done(&s);
}

/* Is the text anywhere in the writable memory of this process? The pattern is kept inverted. */
static bool
memory_holds(const unsigned char *inverted, size_t n)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    int mem = open("/proc/self/mem", O_RDONLY);
    char line[512];
    bool found = false;

    assert_non_null(maps);
    assert_true(mem >= 0);
    while (!found && fgets(line, sizeof(line), maps) != NULL) {
        unsigned long from, to;
        char perms[5];
        unsigned char part[8192 + 64];

        if (sscanf(line, "%lx-%lx %4s", &from, &to, perms) != 3 || perms[1] != 'w' ||
            strstr(line, "[v") != NULL || to - from > (64UL << 20))
            continue;
        for (unsigned long at = from; !found && at < to; at += 8192) {
            ssize_t got = pread(mem, part, sizeof(part), (off_t)at);

            for (ssize_t i = 0; !found && i + (ssize_t)n <= got; i++) {
                size_t k = 0;

                while (k < n && part[i + (ssize_t)k] == (unsigned char)~inverted[k])
                    k++;
                found = k == n;
            }
        }
    }
    fclose(maps);
    close(mem);
    return found;
}

static void
test_nothing_stays_in_memory(void **state)
{
    unsigned char inverted[24];
    struct secret s = SECRET_INIT;
    struct buf b = BUF_SECRET(4096);

    (void)state;
    secret_random(&s, sizeof(inverted));
    for (size_t i = 0; i < sizeof(inverted); i++)
        inverted[i] = (unsigned char)~s.data[i];
    buf_add(&b, s.data, s.len);
    for (int i = 0; i < 2000; i++)
        buf_addc(&b, 'x');                   /* several growths: each old copy must be wiped */
    assert_true(memory_holds(inverted, sizeof(inverted)));
    buf_free(&b);
    assert_true(memory_holds(inverted, sizeof(inverted)));
    secret_done(&s);
    assert_false(memory_holds(inverted, sizeof(inverted)));
}

static int
make_folder(void **state)
{
    static char folder[] = "/tmp/beffroi-secret-XXXXXX";

    *state = mkdtemp(folder);
    return *state == NULL ? -1 : 0;
}

static int
remove_folder(void **state)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/s", (char *)*state);
    unlink(path);
    return rmdir(*state);
}

static void
test_files(void **state)
{
    static const struct {
        const char *label;
        mode_t mode;
        size_t size;
        enum err want;
    } rows[] = {
        { "0600", 0600, 32, OK },           { "0400", 0400, 32, OK },
        { "group reads", 0640, 32, ERR_DENIED }, { "others read", 0604, 32, ERR_DENIED },
        { "group writes", 0620, 32, ERR_DENIED }, { "empty", 0600, 0, ERR_INPUT },
        { "exactly the limit", 0600, 100, OK }, { "one too long", 0600, 101, ERR_INPUT },
    };
    char path[128];
    struct why why = WHY_INIT;
    struct secret s = SECRET_INIT;

    snprintf(path, sizeof(path), "%s/s", (char *)*state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char bytes[128];
        int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
        enum err e;

        memset(bytes, 'k', sizeof(bytes));
        assert_int_equal(write(fd, bytes, rows[i].size), rows[i].size);
        fchmod(fd, rows[i].mode);
        close(fd);
        secret_set(&s, "old", 3);
        e = secret_read_file(path, 100, &s, &why);
        assert_row(rows[i].label, e == rows[i].want);
        assert_row(rows[i].label, s.len == (e == OK ? rows[i].size : 3));
        if (e != OK)
            assert_row(rows[i].label, strstr(why.text, path) != NULL);
        unlink(path);
    }
    assert_int_equal(secret_read_file(path, 100, &s, &why), ERR_NOT_FOUND);
    assert_int_equal(secret_read_file(*state, 100, &s, &why), ERR_DENIED);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(secret_read_file(path, 100, &s, &why), ERR_DENIED);      /* and does not hang */
    unlink(path);
    if (geteuid() == 0) {
        int fd = open(path, O_CREAT | O_WRONLY, 0600);

        /* another user's file: root reads it, for anybody else it is refused */
        assert_int_equal(write(fd, "k", 1), 1);
        assert_int_equal(fchown(fd, 12345, 12345), 0);
        assert_int_equal(secret_read_file(path, 100, &s, &why), OK);
        assert_int_equal(seteuid(54321), 0);
        assert_int_equal(secret_check_file(fd, path, &why), ERR_DENIED);
        assert_int_equal(seteuid(0), 0);
        assert_int_equal(seteuid(12345), 0);
        assert_int_equal(secret_check_file(fd, path, &why), OK);
        assert_int_equal(seteuid(0), 0);
        close(fd);
    }
    secret_done(&s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_and_done),
        cmocka_unit_test(test_random_differs),
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_wipe),
        cmocka_unit_test(test_chomp),
        cmocka_unit_test(test_nothing_stays_in_memory),
        cmocka_unit_test_setup_teardown(test_files, make_folder, remove_folder),
    };

    return cmocka_run_group_tests_name("secret", tests, NULL, NULL);
}
