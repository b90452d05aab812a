/*
 * pkcs11: keys in a SoftHSM token of the test's own. Skipped, visibly, where SoftHSM is not installed.
 *
 * The fixture initialises a token through the same module that the code under test loads, by PKCS#11 calls, so that no
 * command-line tool is needed.
 */
#include "tests/unit/crypto_support.h"

#include <dlfcn.h>
#include <pthread.h>

#include <p11-kit/pkcs11.h>

#include "base/crypto/pkcs11-internal.h"
#include "base/crypto/seal.h"

#define MODULE "/usr/lib/softhsm/libsofthsm2.so"
#define PIN "483921"

static char folder[TEST_FOLDER_MAX], pin_path[TEST_FOLDER_MAX + 8];
static CK_FUNCTION_LIST *f;
static void *module;
static CK_SESSION_HANDLE session;

/* --- the fixture ---------------------------------------------------------------------------------------------- */

static CK_SLOT_ID
free_slot(void)
{
    CK_SLOT_ID slots[16];
    CK_ULONG n = ARRAY_LEN(slots);

    assert_int_equal(f->C_GetSlotList(CK_FALSE, slots, &n), CKR_OK);
    assert_true(n > 0);
    return slots[n - 1];
}

static void
label_pad(unsigned char out[32], const char *label)
{
    memset(out, ' ', 32);
    memcpy(out, label, strlen(label));
}

static void
generate(CK_MECHANISM_TYPE mechanism, const char *label, CK_ATTRIBUTE *params, CK_ULONG n, bool with_public)
{
    CK_MECHANISM m = { mechanism, NULL, 0 };
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    CK_ATTRIBUTE public[8] = { { CKA_TOKEN, &yes, 1 }, { CKA_VERIFY, &yes, 1 },
                               { CKA_LABEL, (void *)(uintptr_t)label, strlen(label) } };
    CK_ATTRIBUTE private[] = { { CKA_TOKEN, &yes, 1 },     { CKA_PRIVATE, &yes, 1 },   { CKA_SENSITIVE, &yes, 1 },
                               { CKA_EXTRACTABLE, &no, 1 }, { CKA_SIGN, &yes, 1 },     { CKA_DERIVE, &yes, 1 },
                               { CKA_LABEL, (void *)(uintptr_t)label, strlen(label) } };
    CK_OBJECT_HANDLE pub, priv;

    for (CK_ULONG i = 0; i < n; i++)
        public[3 + i] = params[i];
    assert_int_equal(f->C_GenerateKeyPair(session, &m, public, 3 + n, private, ARRAY_LEN(private), &pub, &priv),
                     CKR_OK);
    if (!with_public)
        assert_int_equal(f->C_DestroyObject(session, pub), CKR_OK);
}

static void
generate_ec(const char *label, const char *oid_hex, bool with_public)
{
    struct buf oid = bytes_of_hex(oid_hex);
    CK_ATTRIBUTE params = { CKA_EC_PARAMS, oid.data, oid.len };

    generate(CKM_EC_KEY_PAIR_GEN, label, &params, 1, with_public);
    buf_free(&oid);
}

static void
generate_rsa(const char *label, CK_ULONG bits, bool with_public)
{
    unsigned char e[] = { 1, 0, 1 };
    CK_ATTRIBUTE params[] = { { CKA_MODULUS_BITS, &bits, sizeof(bits) }, { CKA_PUBLIC_EXPONENT, e, sizeof(e) } };

    generate(CKM_RSA_PKCS_KEY_PAIR_GEN, label, params, 2, with_public);
}

#define P256_OID "06082a8648ce3d030107"
#define P384_OID "06052b81040022"
#define P521_OID "06052b81040023"

static int
token_setup(void **state)
{
    char path[2 * TEST_FOLDER_MAX], conf[3 * TEST_FOLDER_MAX];
    CK_C_INITIALIZE_ARGS args = { .flags = CKF_OS_LOCKING_OK };
    CK_RV (*get_list)(CK_FUNCTION_LIST **) = NULL;
    unsigned char label[32], so_pin[] = "so-pin-1", pin[] = PIN;
    CK_SLOT_ID slot;

    (void)state;
    folder_make(folder);
    (void)snprintf(path, sizeof(path), "%s/tokens", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    (void)snprintf(conf, sizeof(conf), "directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n", path);
    (void)snprintf(path, sizeof(path), "%s/softhsm2.conf", folder);
    file_write(path, conf, strlen(conf), 0600);
    (void)snprintf(pin_path, sizeof(pin_path), "%s/pin", folder);
    file_write(pin_path, PIN "\n", strlen(PIN) + 1, 0400);
    assert_int_equal(setenv("SOFTHSM2_CONF", path, 1), 0);
    if ((module = dlopen(MODULE, RTLD_NOW | RTLD_LOCAL)) == NULL)
        return 0;
    *(void **)&get_list = dlsym(module, "C_GetFunctionList");
    assert_non_null(get_list);
    assert_int_equal(get_list(&f), CKR_OK);
    assert_int_equal(f->C_Initialize(&args), CKR_OK);
    label_pad(label, "beffroi-test");
    slot = free_slot();
    assert_int_equal(f->C_InitToken(slot, so_pin, 8, label), CKR_OK);
    assert_int_equal(f->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session), CKR_OK);
    assert_int_equal(f->C_Login(session, CKU_SO, so_pin, 8), CKR_OK);
    assert_int_equal(f->C_InitPIN(session, pin, strlen(PIN)), CKR_OK);
    assert_int_equal(f->C_Logout(session), CKR_OK);
    assert_int_equal(f->C_Login(session, CKU_USER, pin, strlen(PIN)), CKR_OK);
    generate_rsa("rsa", 2048, true);
    generate_rsa("rsa-alone", 2048, false);
    generate_rsa("rsa-small", 1024, true);
    generate_ec("p256", P256_OID, true);
    generate_ec("p384", P384_OID, true);
    generate_ec("p521", P521_OID, true);
    generate_ec("p256-alone", P256_OID, false);
    generate_ec("twin", P256_OID, true);
    generate_ec("twin", P256_OID, true);
    assert_int_equal(f->C_CloseSession(session), CKR_OK);
    return 0;
}

static int
token_teardown(void **state)
{
    (void)state;
    if (module != NULL) {
        (void)f->C_Finalize(NULL);
        (void)dlclose(module);
    }
    folder_remove(folder);
    return 0;
}

static enum err
load(const char *object, enum key_purpose purpose, struct key **ret, struct why *why)
{
    char uri[1024];

    (void)snprintf(uri, sizeof(uri), "pkcs11:token=beffroi-test;object=%s;type=private?module-path=%s&pin-source=file:%s",
                   object, MODULE, pin_path);
    return key_load(uri, purpose, ret, why);
}

/* Without SoftHSM the results say that these tests were skipped. */
static void
need_softhsm(void)
{
    if (module == NULL)
        skip();
}

/* --- tests ----------------------------------------------------------------------------------------------------- */

static void
test_sign(void **state)
{
    static const struct {
        const char *object;
        enum sig_alg alg;
        enum key_alg key;
        size_t raw;
    } rows[] = { { "rsa", SIG_RS256, KEY_RSA, 256 },       { "rsa", SIG_RS384, KEY_RSA, 256 },
                 { "rsa", SIG_RS512, KEY_RSA, 256 },       { "rsa", SIG_PS256, KEY_RSA, 256 },
                 { "rsa-alone", SIG_RS256, KEY_RSA, 256 }, { "p256", SIG_ES256, KEY_P256, 64 },
                 { "p384", SIG_ES384, KEY_P384, 96 } };

    (void)state;
    need_softhsm();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf raw = BUF_BOUNDED(KEY_SIG_MAX), der = BUF_BOUNDED(KEY_SIG_MAX), spki = BUF_BOUNDED(2048);
        struct key *k = NULL, *public = NULL;
        struct why why = WHY_INIT;

        if (load(rows[i].object, KEY_SAML_SIGN, &k, &why) != OK)
            fail_msg("%s: %s", rows[i].object, why.text);
        assert_int_equal(key_algorithm(k), rows[i].key);
        key_spki(k, &spki);
        assert_int_equal(key_public(buf_view(&spki), &public, NULL), OK);
        for (int round = 0; round < 20; round++) {
            unsigned char message[2] = { (unsigned char)round, 7 };
            const struct str m = str_from(message, sizeof(message));

            buf_reset(&raw);
            buf_reset(&der);
            assert_int_equal(key_sign(k, KEY_SAML_SIGN, rows[i].alg, m, true, &raw, &why), OK);
            assert_int_equal(key_sign(k, KEY_SAML_SIGN, rows[i].alg, m, false, &der, &why), OK);
            assert_int_equal(raw.len, rows[i].raw);
            assert_row(rows[i].object, key_verify(public, rows[i].alg, m, buf_view(&raw), true, &why) == OK);
            assert_row(rows[i].object, key_verify(public, rows[i].alg, m, buf_view(&der), false, &why) == OK);
            raw.data[10] ^= 1;
            assert_row(rows[i].object, key_verify(public, rows[i].alg, m, buf_view(&raw), true, &why) == ERR_DENIED);
        }
        assert_int_equal(key_sign(k, KEY_OIDC_SIGN, rows[i].alg, STR_LIT("m"), true, &raw, &why), ERR_DENIED);
        assert_int_equal(key_save(k, "never-written", &why), ERR_DENIED);
        key_free(k);
        key_free(public);
        buf_free(&raw);
        buf_free(&der);
        buf_free(&spki);
    }
}

static void
test_self_certificate(void **state)
{
    struct buf der = BUF_BOUNDED(8192);
    struct key *k = NULL;
    struct why why = WHY_INIT;
    const unsigned char *p;
    X509 *x;

    (void)state;
    need_softhsm();
    assert_int_equal(load("rsa", KEY_SAML_SIGN, &k, &why), OK);
    assert_int_equal(key_self_certificate(k, "idp", 0, USEC_PER_DAY, &der, &why), OK);
    p = (const unsigned char *)der.data;
    x = d2i_X509(NULL, &p, (long)der.len);
    assert_non_null(x);
    assert_int_equal(X509_verify(x, key_evp(k)), 1);
    X509_free(x);
    key_free(k);
    buf_free(&der);
}

static void
test_seal(void **state)
{
    struct buf sealed = BUF_BOUNDED(1024), out = BUF_SECRET(1024);
    struct key *k = NULL, *signer = NULL;
    struct why why = WHY_INIT;

    (void)state;
    need_softhsm();
    if (load("p256", KEY_SEAL, &k, &why) != OK)
        fail_msg("%s", why.text);
    for (int i = 0; i < 300; i++) {       /* often enough for a shared secret that begins with a zero octet */
        buf_reset(&sealed);
        buf_reset(&out);
        assert_int_equal(seal_to(k, STR_LIT("i"), STR_LIT("a"), STR_LIT("secret"), &sealed, &why), OK);
        assert_int_equal(seal_open(k, STR_LIT("i"), STR_LIT("a"), buf_view(&sealed), &out, &why), OK);
        assert_string_equal(buf_cstr(&out), "secret");
    }
    sealed.data[80] ^= 1;
    assert_int_equal(seal_open(k, STR_LIT("i"), STR_LIT("a"), buf_view(&sealed), &out, &why), ERR_DENIED);
    assert_int_equal(load("p256", KEY_SAML_SIGN, &signer, &why), OK);
    assert_int_equal(seal_open(signer, STR_LIT("i"), STR_LIT("a"), buf_view(&sealed), &out, &why), ERR_DENIED);
    key_free(k);
    key_free(signer);
    buf_free(&sealed);
    buf_free(&out);
}

static void
test_load_refusals(void **state)
{
    static const struct {
        const char *object;
        enum err want;
    } objects[] = { { "p256", OK },          { "absent", ERR_NOT_FOUND },     { "twin", ERR_INPUT },
                    { "p521", ERR_DENIED },  { "p256-alone", ERR_NOT_FOUND }, { "rsa-small", ERR_DENIED } };
    static const struct {
        const char *label, *format;       /* %s: the PIN file */
        enum err want;
    } uris[] = {
        { "good", "pkcs11:token=beffroi-test;object=p256?module-path=" MODULE "&pin-source=file:%s", OK },
        { "pin-source is a path", "pkcs11:token=beffroi-test;object=p256?module-path=" MODULE "&pin-source=%s", OK },
        { "no such token", "pkcs11:token=other;object=p256?module-path=" MODULE "&pin-source=file:%s", ERR_UNAVAILABLE },
        { "no such module", "pkcs11:object=p256?module-path=/nowhere.so&pin-source=file:%s", ERR_NOT_FOUND },
        { "not a module", "pkcs11:object=p256?module-path=/lib/x86_64-linux-gnu/libc.so.6&pin-source=file:%s", ERR_INPUT },
        { "no module", "pkcs11:token=beffroi-test;object=p256?pin-source=file:%s", ERR_INPUT },
        { "no PIN", "pkcs11:token=beffroi-test;object=p256?module-path=" MODULE, ERR_INPUT },
        { "PIN in the uri", "pkcs11:token=beffroi-test;object=p256?module-path=" MODULE "&pin-value=1", ERR_INPUT },
        { "no key named", "pkcs11:token=beffroi-test?module-path=" MODULE "&pin-source=file:%s", ERR_INPUT },
        { "a certificate", "pkcs11:object=p256;type=cert?module-path=" MODULE "&pin-source=file:%s", ERR_INPUT },
        { "unknown attribute", "pkcs11:object=p256;x-y=z?module-path=" MODULE "&pin-source=file:%s", ERR_INPUT },
        { "not a uri", "pkcs11:object=%%zz?module-path=" MODULE "&pin-source=file:%s", ERR_INPUT },
        { "relative PIN file", "pkcs11:object=p256?module-path=" MODULE "&pin-source=file:pin", ERR_INPUT },
    };
    struct key *k = NULL;
    struct why why = WHY_INIT;

    (void)state;
    need_softhsm();
    for (size_t i = 0; i < ARRAY_LEN(objects); i++) {
        const enum err got = load(objects[i].object, KEY_SAML_SIGN, &k, &why);

        if (got != objects[i].want)
            fail_msg("%s: %s %s", objects[i].object, err_name(got), why.text);
        if (got == OK)
            key_free(k);
    }
    for (size_t i = 0; i < ARRAY_LEN(uris); i++) {
        const char *mark = strstr(uris[i].format, "%s");
        char uri[1024];
        enum err got;

        (void)snprintf(uri, sizeof(uri), "%.*s%s", mark == NULL ? 1000 : (int)(mark - uris[i].format), uris[i].format,
                       mark == NULL ? "" : pin_path);
        if ((got = key_load(uri, KEY_SAML_SIGN, &k, &why)) != uris[i].want)
            fail_msg("%s: %s %s", uris[i].label, err_name(got), why.text);
        if (got == OK)
            key_free(k);
    }
}

static void
test_pin_file(void **state)
{
    struct key *k = NULL;
    struct why why = WHY_INIT;

    (void)state;
    need_softhsm();
    assert_int_equal(chmod(pin_path, 0444), 0);
    assert_int_equal(load("p256", KEY_SAML_SIGN, &k, &why), ERR_DENIED);
    assert_int_equal(chmod(pin_path, 0400), 0);
    file_write(pin_path, "000000\n", 7, 0400);
    assert_int_equal(load("p256", KEY_SAML_SIGN, &k, &why), ERR_DENIED);
    file_write(pin_path, "\n", 1, 0400);
    assert_int_equal(load("p256", KEY_SAML_SIGN, &k, &why), ERR_INPUT);
    file_write(pin_path, PIN, strlen(PIN), 0400);
    assert_int_equal(load("p256", KEY_SAML_SIGN, &k, &why), OK);
    key_free(k);
}

/* The token forgets the log-in and every session, as after a reset. */
static void
test_sessions_lost(void **state)
{
    struct buf sig = BUF_BOUNDED(KEY_SIG_MAX);
    struct key *k = NULL;
    struct why why = WHY_INIT;

    (void)state;
    need_softhsm();
    assert_int_equal(load("p256", KEY_SAML_SIGN, &k, &why), OK);
    assert_int_equal(key_sign(k, KEY_SAML_SIGN, SIG_ES256, STR_LIT("m"), true, &sig, &why), OK);
    assert_int_equal(f->C_CloseAllSessions(k->token->slot), CKR_OK);
    buf_reset(&sig);
    if (key_sign(k, KEY_SAML_SIGN, SIG_ES256, STR_LIT("m"), true, &sig, &why) != OK)
        fail_msg("%s", why.text);
    assert_int_equal(key_verify(k, SIG_ES256, STR_LIT("m"), buf_view(&sig), true, &why), OK);
    assert_int_equal(k->token->epoch, 1);
    key_free(k);
    buf_free(&sig);
}

#define THREADS 24                        /* more than the sessions that are kept */

static void *
sign_some(void *arg)
{
    struct key *k = arg;
    struct buf sig = BUF_BOUNDED(KEY_SIG_MAX);
    size_t good = 0;

    for (int i = 0; i < 10; i++) {
        buf_reset(&sig);
        if (key_sign(k, KEY_SAML_SIGN, SIG_ES256, STR_LIT("m"), true, &sig, NULL) == OK &&
            key_verify(k, SIG_ES256, STR_LIT("m"), buf_view(&sig), true, NULL) == OK)
            good++;
    }
    buf_free(&sig);
    return (void *)good;
}

static void
test_threads(void **state)
{
    pthread_t threads[THREADS];
    struct key *k = NULL;
    struct why why = WHY_INIT;

    (void)state;
    need_softhsm();
    assert_int_equal(load("p256", KEY_SAML_SIGN, &k, &why), OK);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, sign_some, k), 0);
    for (size_t i = 0; i < THREADS; i++) {
        void *good;

        assert_int_equal(pthread_join(threads[i], &good), 0);
        assert_int_equal((size_t)good, 10);
    }
    assert_true(k->token->n_idle <= TOKEN_SESSIONS_KEPT);
    key_free(k);
}

static void
test_after_fork(void **state)
{
    struct key *k = NULL;
    struct why why = WHY_INIT;
    int status = -1;
    pid_t child;

    (void)state;
    need_softhsm();
    assert_int_equal(load("p256", KEY_SAML_SIGN, &k, &why), OK);
    if ((child = fork()) == 0) {
        struct buf sig = BUF_BOUNDED(KEY_SIG_MAX);
        const enum err e = key_sign(k, KEY_SAML_SIGN, SIG_ES256, STR_LIT("m"), true, &sig, NULL);

        _exit(e == ERR_INTERNAL && sig.len == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    key_free(k);
}

/* --- what a ceremony does ------------------------------------------------------------------------------------------ */

static const char *
ceremony_uri(const char *object, char *out, size_t size)
{
    (void)snprintf(out, size, "pkcs11:token=beffroi-test%s%s?module-path=%s", object[0] == '\0' ? "" : ";object=", object,
                   MODULE);
    return out;
}

static void
test_generate(void **state)
{
    static const struct {
        const char *object;
        enum key_alg alg;
        int bits;
    } rows[] = { { "ca-rsa", KEY_RSA, 3072 }, { "ca-p256", KEY_P256, 256 }, { "ca-p384", KEY_P384, 384 } };
    const struct str pin = STR_LIT(PIN);
    char uri[1024];
    struct why why = WHY_INIT;

    (void)state;
    need_softhsm();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf sig = BUF_BOUNDED(KEY_SIG_MAX);
        struct secret der = SECRET_INIT;
        struct key *k = NULL;

        ceremony_uri(rows[i].object, uri, sizeof(uri));
        if (key_generate_token(uri, pin, rows[i].alg, rows[i].bits, KEY_CA_SIGN, &k, &why) != OK)
            fail_msg("%s: %s", rows[i].object, why.text);
        assert_int_equal(key_algorithm(k), rows[i].alg);
        assert_int_equal(key_bits(k), rows[i].bits);
        assert_int_equal(key_sign(k, KEY_CA_SIGN, key_default_alg(k), STR_LIT("m"), false, &sig, &why), OK);
        assert_int_equal(key_pkcs8(k, &der, &why), ERR_DENIED);
        key_free(k);
        k = NULL;
        /* never a second of that name */
        assert_int_equal(key_generate_token(uri, pin, rows[i].alg, rows[i].bits, KEY_CA_SIGN, &k, &why), ERR_CONFLICT);
        assert_int_equal(key_load_token(uri, pin, KEY_CA_SIGN, &k, &why), OK);
        key_free(k);
        k = NULL;
        assert_int_equal(key_destroy_token(uri, pin, &why), OK);
        assert_int_equal(key_destroy_token(uri, pin, &why), ERR_NOT_FOUND);
        assert_int_equal(key_load_token(uri, pin, KEY_CA_SIGN, &k, &why), ERR_NOT_FOUND);
        buf_free(&sig);
    }
    assert_int_equal(key_generate_token(ceremony_uri("x", uri, sizeof(uri)), pin, KEY_ED25519, 0, KEY_CA_SIGN, NULL, &why),
                     ERR_DENIED);
    assert_int_equal(key_generate_token(uri, pin, KEY_RSA, 1024, KEY_CA_SIGN, NULL, &why), ERR_DENIED);
    assert_int_equal(key_generate_token(ceremony_uri("", uri, sizeof(uri)), pin, KEY_P256, 0, KEY_CA_SIGN, NULL, &why),
                     ERR_INPUT);
}

static void
test_pin_in_memory(void **state)
{
    char uri[1024], token[1024], serial[TOKEN_SERIAL_SIZE], again[TOKEN_SERIAL_SIZE], with_source[1200];
    struct key *k = NULL;
    struct why why = WHY_INIT;

    (void)state;
    need_softhsm();
    ceremony_uri("p256", uri, sizeof(uri));
    ceremony_uri("", token, sizeof(token));
    assert_int_equal(token_serial(token, serial, &why), OK);
    assert_int_equal(token_serial(uri, again, &why), OK);
    assert_true(strlen(serial) >= 8);
    assert_string_equal(serial, again);
    assert_int_equal(token_pin_change(token, STR_LIT("000000"), STR_LIT("777777"), &why), ERR_DENIED);
    assert_int_equal(token_pin_change(token, STR_LIT(PIN), STR_LIT("777"), &why), ERR_INPUT);
    assert_int_equal(token_pin_change(token, STR_LIT(PIN), STR_LIT("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"), &why), OK);
    assert_int_equal(key_load_token(uri, STR_LIT(PIN), KEY_CA_SIGN, &k, &why), ERR_DENIED);
    assert_int_equal(key_load_token(uri, STR_LIT("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"), KEY_CA_SIGN, &k, &why), OK);
    key_free(k);
    k = NULL;
    /* the last key of the token gone, its log-in is gone: a wrong PIN is looked at again */
    assert_int_equal(key_load_token(uri, STR_LIT("999999"), KEY_CA_SIGN, &k, &why), ERR_DENIED);
    assert_int_equal(token_pin_change(token, STR_LIT("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"), STR_LIT(PIN), &why), OK);
    assert_true((size_t)snprintf(with_source, sizeof(with_source), "%s&pin-source=file:%s", uri, pin_path) < sizeof(with_source));
    assert_int_equal(key_load_token(with_source, STR_LIT(PIN), KEY_CA_SIGN, &k, &why), ERR_INPUT);
    assert_null(k);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sign),          cmocka_unit_test(test_self_certificate), cmocka_unit_test(test_seal),
        cmocka_unit_test(test_load_refusals), cmocka_unit_test(test_pin_file),         cmocka_unit_test(test_sessions_lost),
        cmocka_unit_test(test_threads),       cmocka_unit_test(test_after_fork),
        cmocka_unit_test(test_generate),      cmocka_unit_test(test_pin_in_memory),
    };

    return cmocka_run_group_tests(tests, token_setup, token_teardown);
}
