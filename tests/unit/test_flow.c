/* flow: what waits for a person is in its address, whole, and nobody else makes or changes one. */
#include "tests/unit/support.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "base/core/enc.h"
#include "idp/signon/signon-internal.h"

static char folder[] = "/tmp/beffroi-test-flow.XXXXXX";
static struct idp idp;

static int
setup(void **state)
{
    char ring[64];

    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(ring, sizeof(ring), "%s/field", folder);
    idp.conf.flow_life = 2 * USEC_PER_HOUR;
    return keyring_create(ring, NULL) == OK && keyring_load(ring, &idp.field, NULL) == OK ? 0 : -1;
}

static int
teardown(void **state)
{
    char path[64];

    (void)state;
    keyring_free(idp.field);
    snprintf(path, sizeof(path), "%s/field/v1", folder);
    unlink(path);
    snprintf(path, sizeof(path), "%s/field", folder);
    rmdir(path);
    rmdir(folder);
    return 0;
}

static struct flow
example(char id[FLOW_ID_SIZE])
{
    flow_id_new(id);
    return (struct flow){ .id = id, .dialect = "oidc", .service_id = 7, .state = STR_LIT("{\"a\":\"1\"}\n\nb"), .accept = 6,
                          .fresh_after = 1000, .created_at = 2000, .lang = "en", .login_hint = "camille",
                          .without = SIGNON_WITHOUT_TOWN, .consent_account = "01234567-89ab-cdef-0123-456789abcdef",
                          .consent_items = "town authz:peut_voter" };
}

static void
test_whole(void **state)
{
    AUTO(arena_freep) struct arena *a = arena_new(1024 * 1024);
    char id[FLOW_ID_SIZE];
    struct flow in = example(id), out;
    const char *token;

    (void)state;
    assert_int_equal(flow_seal(&idp, &in, a, &token, NULL), OK);
    assert_int_equal(strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."), strlen(token));
    assert_int_equal(flow_open(&idp, token, a, &out, NULL), OK);
    assert_string_equal(out.id, id);
    assert_string_equal(out.token, token);
    assert_string_equal(out.dialect, "oidc");
    assert_int_equal(out.service_id, 7);
    assert_true(str_eq(out.state, in.state));
    assert_int_equal(out.accept, 6);
    assert_true(out.fresh_after == 1000 && out.created_at == 2000 && out.expires_at == 2000 + 2 * USEC_PER_HOUR);
    assert_string_equal(out.lang, "en");
    assert_string_equal(out.login_hint, "camille");
    assert_int_equal(out.without, SIGNON_WITHOUT_TOWN);
    assert_string_equal(out.consent_account, in.consent_account);
    assert_string_equal(out.consent_items, in.consent_items);
    in.login_hint = in.consent_account = in.consent_items = NULL;
    in.state = STR_LIT("");
    assert_int_equal(flow_seal(&idp, &in, a, &token, NULL), OK);
    assert_int_equal(flow_open(&idp, token, a, &out, NULL), OK);
    assert_null(out.login_hint);
    assert_null(out.consent_account);
    assert_int_equal(out.state.n, 0);
}

static void
test_changed(void **state)
{
    AUTO(arena_freep) struct arena *a = arena_new(8 * 1024 * 1024);
    char id[FLOW_ID_SIZE];
    struct flow in = example(id), out;
    struct why why = WHY_INIT;
    const char *token;
    char *changed;

    (void)state;
    assert_int_equal(flow_seal(&idp, &in, a, &token, NULL), OK);
    for (size_t i = 0; token[i] != '\0'; i++) {
        changed = arena_strdup(a, token);
        changed[i] = token[i] == 'A' ? 'B' : 'A';
        assert_int_equal(flow_open(&idp, changed, a, &out, &why), ERR_NOT_FOUND);
        changed[i] = '\0';
        assert_int_equal(flow_open(&idp, changed, a, &out, &why), ERR_NOT_FOUND);
    }
    assert_int_equal(flow_open(&idp, arena_printf(a, "%sAAAA", token), a, &out, &why), ERR_NOT_FOUND);
    assert_int_equal(flow_open(&idp, token, a, &out, NULL), OK);
}

static void
test_too_long(void **state)
{
    AUTO(arena_freep) struct arena *a = arena_new(1024 * 1024);
    char id[FLOW_ID_SIZE], *state_text = arena_alloc(a, 16 * 1024);
    struct flow in = example(id);
    struct why why = WHY_INIT;
    const char *token;

    (void)state;
    memset(state_text, 'x', 16 * 1024);
    for (size_t n = 1024; n <= 16 * 1024; n += 1024) {
        in.state = (struct str){ state_text, n };
        if (flow_seal(&idp, &in, a, &token, &why) != OK) {
            assert_true(n > 9 * 1024);
            return;
        }
        assert_true(strlen(token) <= FLOW_TOKEN_MAX);
    }
    fail();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_changed),
        cmocka_unit_test(test_too_long),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
