/*
 * a CA's key in a token (SoftHSM2; skipped, visibly, without it): certificates and lists of it; the token goes while the signer runs:
 * it says so, loses nothing, and goes on when the token is back.
 */
#include "tests/integration/signer_support.h"

#define MODULE "/usr/lib/softhsm/libsofthsm2.so"
#define OPEN "SELECT count(*) FROM pki.alarm WHERE ended_at IS NULL AND kind = "
#define LISTS "SELECT count(*) FROM pki.crl WHERE ca_id = (SELECT id FROM pki.ca WHERE name = 'soft') AND "

static struct key *token_key;

/* An authority "soft" whose key is in a token of its own; false: no SoftHSM2 here. */
static bool
token_make(struct fixture *f)
{
    static const char uri[] = "pkcs11:token=signer;object=soft-1?module-path=" MODULE;
    static const char token[] = "pkcs11:token=signer?module-path=" MODULE;
    AUTO(secret_done) struct secret pin = SECRET_INIT;
    char path[128], text[256], serial[TOKEN_SERIAL_SIZE];
    int status;
    pid_t child;

    if (access(MODULE, R_OK) != 0)
        return false;
    snprintf(path, sizeof(path), "%s/tokens", f->folder);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(text, sizeof(text), "directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n", path);
    snprintf(path, sizeof(path), "%s/softhsm2.conf", f->folder);
    file_put(path, str_of(text), 0600);
    assert_int_equal(setenv("SOFTHSM2_CONF", path, 1), 0);
    if ((child = fork()) == 0) {
        (void)dup2(open("/dev/null", O_WRONLY), 1);
        (void)execlp("softhsm2-util", "softhsm2-util", "--init-token", "--free", "--label", "signer", "--so-pin", "so-pin-1",
                     "--pin", "first-pin", (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WEXITSTATUS(status) == 127)
        return false;
    assert_ok(token_serial(token, serial, &f->w.why), &f->w.why);
    vault_pin(&f->s, serial, &pin);
    assert_ok(token_pin_change(token, STR_LIT("first-pin"), (struct str){ (const char *)pin.data, pin.len }, &f->w.why), &f->w.why);
    assert_ok(key_generate_token(uri, (struct str){ (const char *)pin.data, pin.len }, KEY_RSA, 3072, KEY_CA_SIGN, &token_key, &f->w.why),
              &f->w.why);
    pki_ca_make(&f->w, "soft", token_key, uri, f->set, f->root.id, &f->soft);
    ca_certificate_make(f, &f->soft, token_key);
    return true;
}

static int
teardown_token(void **state)
{
    key_free(token_key);
    token_key = NULL;
    return teardown(state);
}

static void
a_key_in_a_token(void **state)
{
    struct fixture *f = *state;
    struct certificate_row row;
    struct str in, whole, tbs, alg, sig;
    char certificate[37];
    unsigned tag;

    if (!token_make(f))
        skip();
    signer_start(f);
    unlock(f);
    assert_ok(issue(f, asked(f, "citizen-soft", "1001", SUPPORT_SOFTWARE), certificate), &f->w.why);
    assert_ok(certificate_find(f->w.pg, str_of(certificate), f->w.a, &row, &f->w.why), &f->w.why);
    in = row.der;
    assert_int_equal(der_expect(&in, DER_SEQUENCE, &whole), OK);
    assert_int_equal(der_element(&whole, &tag, &tbs), OK);
    assert_int_equal(der_element(&whole, &tag, &alg), OK);
    assert_int_equal(der_expect(&whole, DER_BIT_STRING, &sig), OK);
    assert_ok(key_verify(token_key, SIG_RS256, tbs, (struct str){ sig.p + 1, sig.n - 1 }, false, &f->w.why), &f->w.why);
    await(LISTS "kind = 'full'", 1);
}

/* What softhsm2 has is moved away: as a card that is drawn. */
static void
token_move(struct fixture *f, bool away)
{
    const char *here = arena_printf(f->w.a, "%s/tokens", f->folder), *there = arena_printf(f->w.a, "%s/drawn", f->folder);

    assert_int_equal(away ? rename(here, there) : rename(there, here), 0);
}

static bool
status_says(struct fixture *f, const char *end)
{
    AUTO(buf_free) struct buf status = BUF_BOUNDED(4096);
    const char *line;

    assert_ok(signer_status(f->client, &status, &f->w.why), &f->w.why);
    line = strstr(buf_cstr(&status), "ca soft-g1 ");
    assert_non_null(line);
    return strncmp(strchr(line, '\n') - strlen(end), end, strlen(end)) == 0;
}

static void
the_token_goes(void **state)
{
    struct fixture *f = *state;
    char certificate[37];
    const char *id;

    if (!token_make(f))
        skip();
    signer_start(f);
    unlock(f);
    assert_ok(issue(f, asked(f, "citizen-soft", "1001", SUPPORT_SOFTWARE), certificate), &f->w.why);
    await(LISTS "kind = 'delta'", 1);
    assert_true(status_says(f, " open"));
    token_move(f, true);
    id = asked(f, "citizen-soft", "1002", SUPPORT_SOFTWARE);
    assert_err(issue(f, id, certificate), ERR_UNAVAILABLE, &f->w.why);
    assert_string_equal(f->w.why.code, "signer.token");
    await(OPEN "'key.away' AND object = 'ca:soft-g1' AND level = 'red'", 1);
    assert_true(status_says(f, " away"));
    /* nothing more is reserved, and the other authority works */
    id = asked(f, "citizen-soft", "1003", SUPPORT_SOFTWARE);
    assert_err(issue(f, id, certificate), ERR_UNAVAILABLE, &f->w.why);
    assert_string_equal(f->w.why.code, "signer.token");
    assert_int_equal(operator_count("SELECT count(*) FROM pki.certificate WHERE state = 'reserved'"), 1);
    assert_ok(issue(f, asked(f, "citizen-card", "1004", SUPPORT_CARD), certificate), &f->w.why);
    token_move(f, false);
    await(OPEN "'key.away'", 0);
    assert_true(status_says(f, " open"));
    assert_ok(issue(f, id, certificate), &f->w.why);
}

/* A PIN that is refused is not tried each second, which would lock many a token: custodians come again. */
static void
the_pin_is_another(void **state)
{
    static const char uri[] = "pkcs11:token=signer?module-path=" MODULE;
    struct fixture *f = *state;
    AUTO(secret_done) struct secret pin = SECRET_INIT;
    char serial[TOKEN_SERIAL_SIZE], certificate[37];
    struct str right;

    if (!token_make(f))
        skip();
    assert_ok(token_serial(uri, serial, &f->w.why), &f->w.why);
    vault_pin(&f->s, serial, &pin);
    right = (struct str){ (const char *)pin.data, pin.len };
    assert_ok(token_pin_change(uri, right, STR_LIT("another-pin"), &f->w.why), &f->w.why);
    signer_start(f);
    unlock(f);
    await(OPEN "'key.away' AND object = 'ca:soft-g1'", 1);
    assert_true(status_says(f, " away"));
    assert_ok(token_pin_change(uri, STR_LIT("another-pin"), right, &f->w.why), &f->w.why);
    sleep(3);
    assert_true(status_says(f, " away"));
    assert_ok(signer_lock(f->client, &f->w.why), &f->w.why);
    unlock(f);
    await(OPEN "'key.away'", 0);
    assert_ok(issue(f, asked(f, "citizen-soft", "1001", SUPPORT_SOFTWARE), certificate), &f->w.why);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_key_in_a_token, setup, teardown_token),
        cmocka_unit_test_setup_teardown(the_token_goes, setup, teardown_token),
        cmocka_unit_test_setup_teardown(the_pin_is_another, setup, teardown_token),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
