/* vault: key files, and a token whose PIN follows from the activation secret (SoftHSM2; skipped, visibly, without it). */
#include "tests/unit/crypto_support.h"

#include "base/core/rand.h"
#include "pki/custody/vault.h"

#define MODULE "/usr/lib/softhsm/libsofthsm2.so"

static struct secret s, other;
static char set[SHARE_SET_LEN + 1];

static int
setup(void **state)
{
    (void)state;
    secret_random(&s, ACTIVATION_LEN);
    secret_random(&other, ACTIVATION_LEN);
    rand_uuid(set);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    secret_done(&s);
    secret_done(&other);
    return 0;
}

static void
test_key_file(void **state)
{
    struct buf text = BUF_BOUNDED(VAULT_TEXT_MAX), sig = BUF_BOUNDED(KEY_SIG_MAX);
    char found_set[SHARE_SET_LEN + 1], name[VAULT_NAME_MAX + 1];
    struct key *k = NULL, *back = NULL;
    struct secret der = SECRET_INIT;
    struct why why = WHY_INIT;

    (void)state;
    assert_int_equal(key_generate(KEY_P256, 0, KEY_CA_SIGN, &k), OK);
    assert_int_equal(vault_seal(&s, set, "cards/1", k, &text, &why), OK);
    assert_int_equal(vault_read(buf_view(&text), found_set, name, &why), OK);
    assert_string_equal(found_set, set);
    assert_string_equal(name, "cards/1");
    if (vault_open(&s, buf_view(&text), KEY_CA_SIGN, &back, &why) != OK)
        fail_msg("%s", why.text);
    assert_int_equal(key_sign(back, KEY_CA_SIGN, SIG_ES256, STR_LIT("m"), false, &sig, &why), OK);
    assert_int_equal(key_verify(k, SIG_ES256, STR_LIT("m"), buf_view(&sig), false, &why), OK);
    key_free(back);
    back = NULL;
    assert_int_equal(vault_open(&other, buf_view(&text), KEY_CA_SIGN, &back, &why), ERR_DENIED);
    /* nothing of the key in the file */
    assert_int_equal(key_pkcs8(k, &der, &why), OK);
    assert_null(memmem(text.data, text.len, der.data + der.len - 40, 16));
    /* each octet of the file counts: head, name, box */
    for (size_t i = 0; i < text.len; i++) {
        text.data[i] ^= 1;
        assert_int_not_equal(vault_open(&s, buf_view(&text), KEY_CA_SIGN, &back, &why), OK);
        text.data[i] ^= 1;
    }
    /* whose file it is says a uuid, and nothing else */
    for (size_t i = 0; i < 3; i++) {
        char *at = (char *)memmem(text.data, text.len, set, strlen(set)) + (i == 1 ? 8 : 0);
        const char was = *at;

        *at = i == 0 ? '\0' : i == 1 ? '0' : 'G';
        assert_int_equal(vault_read(buf_view(&text), found_set, name, &why), ERR_INPUT);
        *at = was;
    }
    assert_int_equal(vault_read(buf_view(&text), found_set, name, &why), OK);
    for (size_t n = 0; n < text.len; n++)
        assert_int_not_equal(vault_open(&s, str_from(text.data, n), KEY_CA_SIGN, &back, &why), OK);
    buf_adds(&text, "x");
    assert_int_equal(vault_open(&s, buf_view(&text), KEY_CA_SIGN, &back, &why), ERR_INPUT);
    assert_null(back);
    secret_done(&der);
    key_free(k);
    buf_free(&text);
    buf_free(&sig);
}

static void
test_key_uri(void **state)
{
    char folder[TEST_FOLDER_MAX], uri[TEST_FOLDER_MAX + 32];
    struct buf text = BUF_BOUNDED(VAULT_TEXT_MAX);
    struct key *k = NULL, *back = NULL;
    struct why why = WHY_INIT;

    (void)state;
    folder_make(folder);
    assert_int_equal(key_generate(KEY_P384, 0, KEY_CA_SIGN, &k), OK);
    assert_int_equal(vault_seal(&s, set, "root/1", k, &text, &why), OK);
    (void)snprintf(uri, sizeof(uri), "sealed:%s/root.key", folder);
    assert_int_equal(vault_key(&s, uri, KEY_CA_SIGN, &back, &why), ERR_NOT_FOUND);
    file_write(uri + 7, text.data, text.len, 0400);
    assert_int_equal(vault_key(&s, uri, KEY_CA_SIGN, &back, &why), OK);
    key_free(back);
    back = NULL;
    assert_int_equal(vault_key(&other, uri, KEY_CA_SIGN, &back, &why), ERR_DENIED);
    assert_int_equal(chmod(uri + 7, 0644), 0);
    assert_int_equal(vault_key(&s, uri, KEY_CA_SIGN, &back, &why), ERR_DENIED);
    assert_int_equal(vault_key(&s, "file:/etc/passwd", KEY_CA_SIGN, &back, &why), ERR_INPUT);
    assert_null(back);
    key_free(k);
    buf_free(&text);
    folder_remove(folder);
}

static void
test_pin(void **state)
{
    struct secret a = SECRET_INIT, b = SECRET_INIT;

    (void)state;
    vault_pin(&s, "0123456789abcdef", &a);
    assert_int_equal(a.len, VAULT_PIN_LEN);
    for (size_t i = 0; i < a.len; i++)
        assert_true((a.data[i] >= 'A' && a.data[i] <= 'Z') || (a.data[i] >= '2' && a.data[i] <= '7'));
    vault_pin(&s, "0123456789abcdef", &b);
    assert_memory_equal(a.data, b.data, VAULT_PIN_LEN);
    vault_pin(&s, "0123456789abcdee", &b);
    assert_memory_not_equal(a.data, b.data, VAULT_PIN_LEN);
    vault_pin(&other, "0123456789abcdef", &b);
    assert_memory_not_equal(a.data, b.data, VAULT_PIN_LEN);
    secret_done(&a);
    secret_done(&b);
}

/* A token as its owner hands it over, then taken into the secret's custody. */
static void
test_token(void **state)
{
    static const char uri[] = "pkcs11:token=custody;object=cards-1?module-path=" MODULE;
    static const char token[] = "pkcs11:token=custody?module-path=" MODULE;
    char folder[TEST_FOLDER_MAX], path[2 * TEST_FOLDER_MAX], text[3 * TEST_FOLDER_MAX], serial[TOKEN_SERIAL_SIZE];
    struct secret pin = SECRET_INIT;
    struct key *k = NULL;
    struct why why = WHY_INIT;
    int status;
    pid_t child;

    (void)state;
    if (access(MODULE, R_OK) != 0)
        skip();
    folder_make(folder);
    (void)snprintf(text, sizeof(text), "directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n", folder);
    (void)snprintf(path, sizeof(path), "%s/softhsm2.conf", folder);
    file_write(path, text, strlen(text), 0600);
    assert_int_equal(setenv("SOFTHSM2_CONF", path, 1), 0);
    if ((child = fork()) == 0) {
        (void)dup2(open("/dev/null", O_WRONLY), 1);
        (void)execlp("softhsm2-util", "softhsm2-util", "--init-token", "--free", "--label", "custody", "--so-pin", "so-pin-1",
                     "--pin", "first-pin", (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WEXITSTATUS(status) == 127) {
        folder_remove(folder);
        skip();
    }
    assert_int_equal(status, 0);
    assert_int_equal(token_serial(token, serial, &why), OK);
    vault_pin(&s, serial, &pin);
    assert_int_equal(token_pin_change(token, STR_LIT("first-pin"), str_from(pin.data, pin.len), &why), OK);
    assert_int_equal(key_generate_token(uri, str_from(pin.data, pin.len), KEY_P256, 0, KEY_CA_SIGN, &k, &why), OK);
    key_free(k);
    k = NULL;
    if (vault_key(&s, uri, KEY_CA_SIGN, &k, &why) != OK)
        fail_msg("%s", why.text);
    key_free(k);
    k = NULL;
    assert_int_equal(vault_key(&other, uri, KEY_CA_SIGN, &k, &why), ERR_DENIED);
    assert_int_equal(key_load_token(uri, STR_LIT("first-pin"), KEY_CA_SIGN, &k, &why), ERR_DENIED);
    assert_null(k);
    secret_done(&pin);
    folder_remove(folder);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_key_file), cmocka_unit_test(test_key_uri), cmocka_unit_test(test_pin), cmocka_unit_test(test_token),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
