/* keyring and column: rotation, MACs, sealed columns, and a ring that cannot be trusted. */
#include "tests/unit/crypto_support.h"

#include "base/crypto/digest.h"
#include "base/crypto/seal-internal.h"

struct ring_state {
    char folder[TEST_FOLDER_MAX], ring[TEST_FOLDER_MAX + 16];
};

static int
ring_setup(void **state)
{
    struct ring_state *s = mem_alloc(sizeof(*s));

    folder_make(s->folder);
    (void)snprintf(s->ring, sizeof(s->ring), "%s/ring", s->folder);
    *state = s;
    return 0;
}

static int
ring_teardown(void **state)
{
    struct ring_state *s = *state;

    folder_remove(s->folder);
    mem_freep(&s);
    return 0;
}

static void
ring_file(const struct ring_state *s, const char *name, const char *content, mode_t mode)
{
    char path[2 * TEST_FOLDER_MAX];

    (void)snprintf(path, sizeof(path), "%s/%s", s->ring, name);
    file_write(path, content, strlen(content), mode);
}

static void
ring_file_remove(const struct ring_state *s, const char *name)
{
    char path[2 * TEST_FOLDER_MAX];

    (void)snprintf(path, sizeof(path), "%s/%s", s->ring, name);
    assert_int_equal(unlink(path), 0);
}

#define KEY_A "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"

static void
test_create_and_rotate(void **state)
{
    struct ring_state *s = *state;
    struct keyring *k = NULL;

    assert_int_equal(keyring_load(s->ring, &k, NULL), ERR_NOT_FOUND);
    assert_int_equal(keyring_rotate(s->ring, NULL), ERR_NOT_FOUND);
    assert_int_equal(keyring_create(s->ring, NULL), OK);
    assert_int_equal(keyring_create(s->ring, NULL), ERR_CONFLICT);
    assert_int_equal(keyring_load(s->ring, &k, NULL), OK);
    assert_int_equal(keyring_current(k), 1);
    assert_int_equal(keyring_oldest(k), 1);
    keyring_free(k);
    assert_int_equal(keyring_rotate(s->ring, NULL), OK);
    assert_int_equal(keyring_rotate(s->ring, NULL), OK);
    ring_file_remove(s, "v1");
    assert_int_equal(keyring_load(s->ring, &k, NULL), OK);
    assert_int_equal(keyring_current(k), 3);
    assert_int_equal(keyring_oldest(k), 2);
    assert_null(keyring_key(k, 1));
    assert_non_null(keyring_key(k, 2));
    assert_null(keyring_key(k, 0));
    assert_null(keyring_key(k, -1));
    assert_null(keyring_key(k, 256));
    assert_false(mem_equal_ct(keyring_key(k, 2)->data, 32, keyring_key(k, 3)->data, 32));
    keyring_free(k);
    keyring_free(NULL);
}

static void
test_untrustworthy(void **state)
{
    static const struct {
        const char *label, *name, *content;
        mode_t mode;
        enum err want;
    } rows[] = {
        { "readable by the group", "v2", KEY_A, 0440, ERR_DENIED },
        { "short", "v2", "0001020304\n", 0400, ERR_INPUT },
        { "not hexadecimal", "v2", "zz0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n", 0400,
          ERR_INPUT },
        { "empty", "v2", "", 0400, ERR_INPUT },
        { "two lines", "v2", KEY_A KEY_A, 0400, ERR_INPUT },
        { "leading zero", "v02", KEY_A, 0400, ERR_INPUT },
        { "version 0", "v0", KEY_A, 0400, ERR_INPUT },
        { "version 256", "v256", KEY_A, 0400, ERR_INPUT },
        { "a copy by an editor", "v1~", KEY_A, 0400, ERR_INPUT },
        { "another file", "README", "hello\n", 0400, ERR_INPUT },
    };
    struct ring_state *s = *state;
    struct keyring *k = NULL;

    assert_int_equal(keyring_create(s->ring, NULL), OK);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        ring_file(s, rows[i].name, rows[i].content, rows[i].mode);
        assert_row(rows[i].label, keyring_load(s->ring, &k, NULL) == rows[i].want);
        ring_file_remove(s, rows[i].name);
        assert_row(rows[i].label, keyring_load(s->ring, &k, NULL) == OK);
        keyring_free(k);
    }
    assert_int_equal(chmod(s->ring, 0770), 0);
    assert_int_equal(keyring_load(s->ring, &k, NULL), ERR_DENIED);
    assert_int_equal(keyring_rotate(s->ring, NULL), ERR_DENIED);
    assert_int_equal(chmod(s->ring, 0700), 0);
    ring_file(s, ".hidden", "x", 0600);
    ring_file(s, "v2.AAAAAAAAAAAAAAAA.new", "x", 0600);       /* a writer was killed */
    assert_int_equal(keyring_load(s->ring, &k, NULL), OK);
    assert_int_equal(keyring_current(k), 1);
    keyring_free(k);
    ring_file(s, "v255", KEY_A, 0400);
    assert_int_equal(keyring_rotate(s->ring, NULL), ERR_CONFLICT);
}

/* An administrator rotates as root beside a service with a user of its own: that user must still be able to read. */
static void
test_root_rotates_for_the_owner(void **state)
{
    struct ring_state *s = *state;
    struct keyring *k = NULL;
    char path[2 * TEST_FOLDER_MAX];
    struct stat st;
    int status = -1;
    pid_t child;

    if (geteuid() != 0)
        skip();
    assert_int_equal(chmod(s->folder, 0755), 0);
    assert_int_equal(mkdir(s->ring, 0700), 0);
    assert_int_equal(chown(s->ring, 65534, 65534), 0);
    assert_int_equal(keyring_create(s->ring, NULL), OK);
    assert_int_equal(keyring_rotate(s->ring, NULL), OK);
    (void)snprintf(path, sizeof(path), "%s/v2", s->ring);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_uid, 65534);
    assert_int_equal(st.st_mode & 07777, 0400);
    assert_int_equal(keyring_load(s->ring, &k, NULL), OK);      /* root */
    keyring_free(k);
    for (uid_t uid = 65533; uid <= 65534; uid++) {              /* a stranger, then the owner */
        if ((child = fork()) == 0) {
            struct keyring *mine = NULL;

            if (setgid(uid) != 0 || setuid(uid) != 0)
                _exit(3);
            _exit(keyring_load(s->ring, &mine, NULL) == (uid == 65534 ? OK : ERR_DENIED) ? 0 : 1);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

static void
test_mac(void **state)
{
    struct ring_state *s = *state;
    struct buf key = bytes_of_hex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
    const struct str whole = STR_LIT("code.creation\0ABCD");
    unsigned char a[MAC_LEN], b[MAC_LEN], want[MAC_LEN];
    struct keyring *k = NULL;

    assert_int_equal(keyring_create(s->ring, NULL), OK);
    ring_file(s, "v7", KEY_A, 0400);
    assert_int_equal(keyring_load(s->ring, &k, NULL), OK);
    hmac_sha256(buf_view(&key), &whole, 1, want);             /* the definition in seal.h */
    assert_int_equal(mac_compute(k, 7, "code.creation", STR_LIT("ABCD"), a), OK);
    assert_memory_equal(a, want, MAC_LEN);
    assert_int_equal(mac_compute(k, 1, "code.creation", STR_LIT("ABCD"), b), OK);
    assert_memory_not_equal(a, b, MAC_LEN);
    assert_int_equal(mac_compute(k, 7, "code.creatio", STR_LIT("nABCD"), b), OK);
    assert_memory_not_equal(a, b, MAC_LEN);
    assert_int_equal(mac_compute(k, 2, "code.creation", STR_LIT("ABCD"), b), ERR_NOT_FOUND);
    keyring_free(k);
    buf_free(&key);
}

static void
test_column(void **state)
{
    struct ring_state *s = *state;
    struct buf sealed = BUF_BOUNDED(256), again = BUF_BOUNDED(256), out = BUF_SECRET(256);
    struct keyring *k = NULL;
    struct why why = WHY_INIT;

    assert_int_equal(keyring_create(s->ring, NULL), OK);
    assert_int_equal(keyring_load(s->ring, &k, NULL), OK);
    assert_int_equal(column_seal(k, "account.email", "42", STR_LIT("marie@example.fr"), &sealed), OK);
    assert_int_equal(column_seal(k, "account.email", "42", STR_LIT("marie@example.fr"), &again), OK);
    assert_int_equal(sealed.len, strlen("marie@example.fr") + COLUMN_OVERHEAD);
    assert_int_equal(sealed.data[0], 1);
    assert_memory_not_equal(sealed.data, again.data, sealed.len);
    assert_int_equal(column_open(k, "account.email", "42", buf_view(&sealed), &out, &why), OK);
    assert_string_equal(buf_cstr(&out), "marie@example.fr");
    buf_reset(&out);

    assert_int_equal(column_open(k, "account.email", "43", buf_view(&sealed), &out, &why), ERR_DENIED);
    assert_int_equal(column_open(k, "account.phone", "42", buf_view(&sealed), &out, &why), ERR_DENIED);
    assert_int_equal(column_open(k, "account.email4", "2", buf_view(&sealed), &out, &why), ERR_DENIED);
    for (size_t i = 0; i < sealed.len; i++) {
        const enum err want = i == 0 ? ERR_NOT_FOUND : ERR_DENIED;

        sealed.data[i] ^= 0x02;
        assert_int_equal(column_open(k, "account.email", "42", buf_view(&sealed), &out, &why), want);
        sealed.data[i] ^= 0x02;
        assert_int_equal(column_open(k, "account.email", "42", (struct str){ sealed.data, i }, &out, &why),
                         ERR_DENIED);
    }
    assert_int_equal(out.len, 0);
    keyring_free(k);

    /* After a rotation the old value still opens and a new one says version 2; without v1 the old one is gone. */
    assert_int_equal(keyring_rotate(s->ring, NULL), OK);
    assert_int_equal(keyring_load(s->ring, &k, NULL), OK);
    assert_int_equal(column_open(k, "account.email", "42", buf_view(&sealed), &out, &why), OK);
    buf_reset(&again);
    assert_int_equal(column_seal(k, "account.email", "42", STR_NULL, &again), OK);
    assert_int_equal(again.data[0], 2);
    buf_reset(&out);
    assert_int_equal(column_open(k, "account.email", "42", buf_view(&again), &out, &why), OK);
    assert_int_equal(out.len, 0);
    keyring_free(k);
    ring_file_remove(s, "v1");
    assert_int_equal(keyring_load(s->ring, &k, NULL), OK);
    assert_int_equal(column_open(k, "account.email", "42", buf_view(&sealed), &out, &why), ERR_NOT_FOUND);
    keyring_free(k);
    buf_free(&sealed);
    buf_free(&again);
    buf_free(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_create_and_rotate, ring_setup, ring_teardown),
        cmocka_unit_test_setup_teardown(test_untrustworthy, ring_setup, ring_teardown),
        cmocka_unit_test_setup_teardown(test_root_rotates_for_the_owner, ring_setup, ring_teardown),
        cmocka_unit_test_setup_teardown(test_mac, ring_setup, ring_teardown),
        cmocka_unit_test_setup_teardown(test_column, ring_setup, ring_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
