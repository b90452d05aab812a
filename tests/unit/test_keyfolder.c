/* keyfolder: what is made, what is loaded by whom, and a folder that cannot be trusted. */
#include "tests/unit/crypto_support.h"

#include "base/crypto/x509.h"
#include "base/program/keyfolder.h"

enum { WEB = 1, WORKER = 2 };

struct app {
    struct key *sign, *seal;
    struct buf cert;
    struct secret csrf;
    struct keyring *ring;
};

#define FILE_(name_, kind_, need_, member, ...) \
    { .name = name_, .kind = kind_, .need = need_, .offset = offsetof(struct app, member), __VA_ARGS__ }
static const struct keyfile files[] = {
    FILE_("sign.pem", KEYFILE_PRIVATE, WEB, sign, .alg = KEY_P256, .purpose = KEY_SAML_SIGN),
    FILE_("sign-cert.der", KEYFILE_CERTIFICATE, WEB, cert, .of = "sign.pem", .common_name = "Test",
          .life = 30 * USEC_PER_DAY),
    FILE_("seal.pem", KEYFILE_PRIVATE, WORKER, seal, .alg = KEY_P256, .purpose = KEY_SEAL),
    { .name = "seal-public.pem", .kind = KEYFILE_PUBLIC, .of = "seal.pem" },
    FILE_("csrf.key", KEYFILE_SECRET, WEB, csrf),
    FILE_("ring", KEYFILE_RING, WEB | WORKER, ring),
};
#define NOW (INT64_C(1795298645) * USEC_PER_SEC)

struct folder {
    char top[TEST_FOLDER_MAX], keys[TEST_FOLDER_MAX + 16], path[2 * TEST_FOLDER_MAX];
    struct app app;
    struct why why;
};

static int
setup(void **state)
{
    struct folder *f = mem_alloc(sizeof(*f));

    folder_make(f->top);
    snprintf(f->keys, sizeof(f->keys), "%s/keys", f->top);
    assert_int_equal(keyfolder_init(f->keys, files, ARRAY_LEN(files), NOW, &f->why), OK);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct folder *f = *state;

    keyfolder_done(files, ARRAY_LEN(files), &f->app);
    folder_remove(f->top);
    mem_freep(&f);
    return 0;
}

static const char *
at(struct folder *f, const char *name)
{
    snprintf(f->path, sizeof(f->path), "%s/%s", f->keys, name);
    return f->path;
}

static struct stat
stat_of(struct folder *f, const char *name)
{
    struct stat st = { .st_mode = 0 };

    assert_int_equal(stat(at(f, name), &st), 0);
    return st;
}

static enum err
load(struct folder *f, unsigned need)
{
    keyfolder_done(files, ARRAY_LEN(files), &f->app);
    return keyfolder_load(f->keys, files, ARRAY_LEN(files), need, &f->app, &f->why);
}

static void
test_made(void **state)
{
    static const struct {
        const char *name;
        mode_t mode;
    } want[] = {
        { "", 0700 },         { "sign.pem", 0400 }, { "sign-cert.der", 0400 }, { "seal.pem", 0400 },
        { "seal-public.pem", 0444 }, { "csrf.key", 0400 }, { "ring", 0700 },
    };
    struct folder *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        assert_row(want[i].name, (stat_of(f, want[i].name).st_mode & 07777) == want[i].mode);
}

static void
test_init_replaces_nothing(void **state)
{
    struct folder *f = *state;
    struct stat kept[ARRAY_LEN(files)], now;

    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        kept[i] = stat_of(f, files[i].name);
    assert_int_equal(unlink(at(f, "csrf.key")), 0);
    assert_int_equal(keyfolder_init(f->keys, files, ARRAY_LEN(files), NOW, &f->why), OK);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        now = stat_of(f, files[i].name);
        if (files[i].kind != KEYFILE_SECRET)
            assert_row(files[i].name, now.st_ino == kept[i].st_ino && now.st_mtim.tv_nsec == kept[i].st_mtim.tv_nsec);
    }
    assert_int_equal(load(f, WEB), OK);
}

static void
test_loaded(void **state)
{
    struct folder *f = *state;
    struct x509_cert cert = { .not_after = 0 };
    struct key *public = NULL;
    char ours[44], theirs[44];

    assert_int_equal(load(f, WEB | WORKER), OK);
    assert_true(key_can_sign(f->app.sign, KEY_SAML_SIGN));
    assert_int_equal(key_algorithm(f->app.seal), KEY_P256);
    assert_int_equal(f->app.csrf.len, KEYFILE_SECRET_LEN);
    assert_int_equal(keyring_current(f->app.ring), 1);
    /* the certificate is over the key that it names */
    assert_int_equal(x509_read(buf_view(&f->app.cert), &cert, &f->why), OK);
    assert_true(cert.not_after / USEC_PER_DAY == (NOW + 30 * USEC_PER_DAY) / USEC_PER_DAY);
    assert_int_equal(key_public(buf_view(&cert.spki), &public, &f->why), OK);
    x509_done(&cert);
    key_thumbprint(public, theirs);
    key_free(public);
    key_thumbprint(f->app.sign, ours);
    assert_string_equal(ours, theirs);
}

static void
test_public_half(void **state)
{
    struct folder *f = *state;
    struct buf text = BUF_BOUNDED(4096), der = BUF_BOUNDED(4096);
    struct key *public = NULL;
    char line[256], ours[44], theirs[44];
    FILE *file = fopen(at(f, "seal-public.pem"), "re");

    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        assert_true(strlen(line) <= 65);
        if (line[0] != '-')
            buf_adds(&text, line);
    }
    fclose(file);
    assert_int_equal(base64_decode(buf_view(&text), true, &der), OK);
    assert_int_equal(key_public(buf_view(&der), &public, &f->why), OK);
    key_thumbprint(public, theirs);
    key_free(public);
    buf_free(&text);
    buf_free(&der);
    assert_int_equal(load(f, WORKER), OK);
    key_thumbprint(f->app.seal, ours);
    assert_string_equal(ours, theirs);
}

/* What a process does not need it does not open: it may not even be able to. */
static void
test_need(void **state)
{
    struct folder *f = *state;

    assert_int_equal(load(f, WORKER), OK);
    assert_null(f->app.sign);
    assert_null(f->app.cert.data);
    assert_null(f->app.csrf.data);
    assert_non_null(f->app.seal);
    assert_non_null(f->app.ring);
    assert_int_equal(load(f, 0), OK);
    assert_null(f->app.ring);
    assert_int_equal(unlink(at(f, "seal.pem")), 0);
    assert_int_equal(load(f, WEB), OK);
    assert_null(f->app.seal);
    assert_int_equal(load(f, WORKER), ERR_NOT_FOUND);
}

/* One thing is wrong: the name is in the reason, and all is well again when it is mended. */
static void
test_refused(void **state)
{
    static const struct {
        const char *name, *content;
        mode_t mode;
        enum err want;
    } rows[] = {
        { "sign.pem", NULL, 0440, ERR_DENIED },
        { "sign.pem", "not a key", 0400, ERR_INPUT },
        { "csrf.key", NULL, 0404, ERR_DENIED },
        { "csrf.key", "zz", 0400, ERR_INPUT },
        { "csrf.key", "00112233445566778899aabbccddeeff", 0400, ERR_INPUT },
        { "csrf.key", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f00", 0400, ERR_INPUT },
        { "sign-cert.der", "", 0400, ERR_INPUT },
        { "ring/v1", "zz", 0400, ERR_INPUT },
    };
    struct folder *f = *state;
    char aside[2 * TEST_FOLDER_MAX];

    snprintf(aside, sizeof(aside), "%s/aside", f->top);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *path = at(f, rows[i].name);

        f->why = (struct why)WHY_INIT;
        if (rows[i].content != NULL) {
            assert_int_equal(rename(path, aside), 0);
            file_write(path, rows[i].content, strlen(rows[i].content), rows[i].mode);
        } else {
            assert_int_equal(chmod(path, rows[i].mode), 0);
        }
        assert_row(rows[i].name, load(f, WEB) == rows[i].want);
        assert_row(rows[i].name, strstr(f->why.text, rows[i].name) != NULL);
        path = at(f, rows[i].name);
        if (rows[i].content != NULL)
            assert_int_equal(rename(aside, path), 0);
        else
            assert_int_equal(chmod(path, 0400), 0);
        assert_row(rows[i].name, load(f, WEB) == OK);
    }
    assert_int_equal(unlink(at(f, "csrf.key")), 0);
    assert_int_equal(load(f, WEB), ERR_NOT_FOUND);
}

static void
test_folder_cannot_be_made(void **state)
{
    struct folder *f = *state;

    snprintf(f->keys, sizeof(f->keys), "%s/none/keys", f->top);
    assert_int_equal(keyfolder_init(f->keys, files, ARRAY_LEN(files), NOW, &f->why), ERR_UNAVAILABLE);
    assert_non_null(strstr(f->why.text, "none/keys"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_made, setup, teardown),
        cmocka_unit_test_setup_teardown(test_init_replaces_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_loaded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_public_half, setup, teardown),
        cmocka_unit_test_setup_teardown(test_need, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_folder_cannot_be_made, setup, teardown),
    };

    return cmocka_run_group_tests_name("keyfolder", tests, NULL, NULL);
}
