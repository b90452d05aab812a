/* certificate: what a proxy's headers say, and the ticket between the certificate door and the main host. */
#include "tests/unit/support.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "base/core/enc.h"
#include "idp/signon/certificate.h"

static char folder[] = "/tmp/beffroi-test-certificate.XXXXXX";
static struct idp idp;

static int
setup(void **state)
{
    char ring[64];

    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(ring, sizeof(ring), "%s/field", folder);
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

/* "0\1a" is a SEQUENCE as far as lengths go: the judge looks inside, not the reader of headers. */
static void
test_headers(void **state)
{
    static const enum certificate_proxy RFC = CERTIFICATE_PROXY_RFC9440, NGX = CERTIFICATE_PROXY_NGINX,
                                        HAP = CERTIFICATE_PROXY_HAPROXY;
    const struct {
        const char *label;
        enum certificate_proxy style;
        const char *leaf, *others;
        enum err want;
        const char *got;           /* joined by '|' */
    } rows[] = {
        { "none", RFC, NULL, NULL, OK, "" },
        { "one", RFC, ":MAFh:", NULL, OK, "0\1a" },
        { "spaces around", RFC, " :MAFh: ", NULL, OK, "0\1a" },
        { "chain", RFC, ":MAFh:", ":MAFi:,\t:MAFj:", OK, "0\1a|0\1b|0\1c" },
        { "empty", RFC, "", NULL, ERR_INPUT, "" },
        { "empty binary", RFC, "::", NULL, ERR_INPUT, "" },
        { "one colon", RFC, ":", NULL, ERR_INPUT, "" },
        { "no colons", RFC, "MAFh", NULL, ERR_INPUT, "" },
        { "not base64", RFC, ":MA Fh:", NULL, ERR_INPUT, "" },
        { "a parameter", RFC, ":MAFh:;a=1", NULL, ERR_INPUT, "" },
        { "two leaves", RFC, ":MAFh:, :MAFi:", NULL, ERR_INPUT, "" },
        { "chain without a leaf", RFC, NULL, ":MAFi:", ERR_INPUT, "" },
        { "a hole in the chain", RFC, ":MAFh:", ":MAFi:,,:MAFj:", ERR_INPUT, "" },
        { "empty chain", RFC, ":MAFh:", "", ERR_INPUT, "" },
        { "seven", RFC, ":MAFh:", ":MAFi:,:MAFi:,:MAFi:,:MAFi:,:MAFi:,:MAFi:", ERR_INPUT, "" },
        { "none", NGX, NULL, NULL, OK, "" },
        { "empty", NGX, "", NULL, OK, "" },
        { "one", NGX, "-----BEGIN%20CERTIFICATE-----%0AMAFh%0A-----END%20CERTIFICATE-----%0A", NULL, OK, "0\1a" },
        { "bad escape", NGX, "-----BEGIN%20CERTIFICATE-----%0AMAFh%0A-----END%20CERTIFICATE-----%0", NULL, ERR_INPUT, "" },
        { "cut", NGX, "-----BEGIN%20CERTIFICATE-----%0AMAFh%0A", NULL, ERR_INPUT, "" },
        { "a key", NGX, "-----BEGIN%20PRIVATE%20KEY-----%0AMAFh%0A-----END%20PRIVATE%20KEY-----", NULL, ERR_INPUT, "" },
        { "none", HAP, NULL, NULL, OK, "" },
        { "empty", HAP, "", "", OK, "" },
        { "one", HAP, "MAFh", NULL, OK, "0\1a" },
        { "chain", HAP, "MAFh", "MAFiMAFj", OK, "0\1a|0\1b|0\1c" },
        { "empty chain", HAP, "MAFh", "", OK, "0\1a" },
        { "cut chain", HAP, "MAFh", "MAFiMA==", ERR_INPUT, "" },
        { "colons", HAP, ":MAFh:", NULL, ERR_INPUT, "" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(arena_freep) struct arena *a = arena_new(1 << 20);
        AUTO(buf_free) struct buf joined = BUF_BOUNDED(200);
        struct str got[CERTIFICATE_CHAIN_MAX];
        size_t n;

        assert_row(rows[i].label, certificate_proxy_parse(rows[i].style, rows[i].leaf, rows[i].others, a, got, &n) == rows[i].want);
        for (size_t k = 0; rows[i].want == OK && k < n; k++) {
            if (k > 0)
                buf_addc(&joined, '|');
            buf_add_str(&joined, got[k]);
        }
        assert_row_string(rows[i].label, buf_cstr(&joined), rows[i].got);
    }
}

static struct certificate_ticket
example(void)
{
    return (struct certificate_ticket){
        .flow_id = "AAAAAAAAAAAAAAAAAAAAAA", .binder = "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB",
        .outcome = CERTIFICATE_GOOD, .use = TRUST_CARD, .certificate_id = "01234567-89ab-cdef-0123-456789abcdef",
        .account_id = "fedcba98-89ab-cdef-0123-456789abcdef", .at = -5 };
}

static void
test_ticket_whole(void **state)
{
    AUTO(arena_freep) struct arena *a = arena_new(1 << 20);
    struct certificate_ticket in = example(), out;
    const char *token, *again;

    (void)state;
    for (unsigned o = 0; o < CERTIFICATE_OUTCOMES; o++) {
        in.outcome = (enum credential_outcome)o;
        in.card_door = o % 2 == 1;
        if (o != CERTIFICATE_GOOD)
            in.certificate_id = in.account_id = "";
        assert_int_equal(certificate_ticket_seal(&idp, &in, a, &token, NULL), OK);
        assert_int_equal(strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."), strlen(token));
        assert_int_equal(certificate_ticket_open(&idp, token, a, &out, NULL), OK);
        assert_int_equal(strlen(out.id), FLOW_ID_LEN);
        assert_string_equal(out.flow_id, in.flow_id);
        assert_string_equal(out.binder, in.binder);
        assert_int_equal(out.outcome, in.outcome);
        assert_int_equal(out.use, TRUST_CARD);
        assert_int_equal(out.card_door, in.card_door);
        assert_string_equal(out.certificate_id, in.certificate_id);
        assert_string_equal(out.account_id, in.account_id);
        assert_true(out.at == -5);
    }
    /* two of the same are two */
    assert_int_equal(certificate_ticket_seal(&idp, &in, a, &again, NULL), OK);
    assert_string_not_equal(again, token);
}

/* What names a certificate that is to be linked, up to the longest names, and zero octets in them. */
static void
test_ticket_shown(void **state)
{
    AUTO(arena_freep) struct arena *a = arena_new(1 << 20);
    char *octets = arena_alloc(a, CREDENTIAL_SHOWN_NAMES);
    struct certificate_ticket in = example(), out;
    const char *token;

    (void)state;
    memset(octets, '\0', CREDENTIAL_SHOWN_NAMES);
    assert_int_equal(certificate_ticket_seal(&idp, &in, a, &token, NULL), OK);
    assert_int_equal(certificate_ticket_open(&idp, token, a, &out, NULL), OK);
    assert_null(out.shown.issuer.p);
    in.shown = (struct credential_shown){ .serial = STR_LIT("\n1"), .not_after = 7, .trust = "agents\n2" };
    memset(in.shown.spki_sha256, 0xfe, sizeof(in.shown.spki_sha256));
    for (size_t n = 1; n < CREDENTIAL_SHOWN_NAMES; n += CREDENTIAL_SHOWN_NAMES - 2) {
        in.linkable = n == 1;
        in.own = !in.linkable;
        in.shown.issuer = (struct str){ octets, n };
        in.shown.subject = (struct str){ octets, CREDENTIAL_SHOWN_NAMES - n };
        assert_int_equal(certificate_ticket_seal(&idp, &in, a, &token, NULL), OK);
        assert_int_equal(certificate_ticket_open(&idp, token, a, &out, NULL), OK);
        assert_true(str_eq(out.shown.issuer, in.shown.issuer) && str_eq(out.shown.serial, in.shown.serial) &&
                    str_eq(out.shown.subject, in.shown.subject));
        assert_memory_equal(out.shown.spki_sha256, in.shown.spki_sha256, SHA256_LEN);
        assert_true(out.shown.not_after == 7 && strcmp(out.shown.trust, "agents\n2") == 0 && out.at == -5);
        assert_int_equal(out.own, in.own);
        assert_int_equal(out.linkable, in.linkable);
    }
}

static void
test_ticket_altered(void **state)
{
    AUTO(arena_freep) struct arena *a = arena_new(1 << 22);
    const struct certificate_ticket in = example();
    struct certificate_ticket out = { .id = "untouched" };
    const char *token;
    size_t n;

    (void)state;
    assert_int_equal(certificate_ticket_seal(&idp, &in, a, &token, NULL), OK);
    n = strlen(token);
    for (size_t i = 0; i < n; i++) {
        char *bad = arena_strdup(a, token);

        bad[i] = bad[i] == 'A' ? 'B' : 'A';
        assert_int_equal(certificate_ticket_open(&idp, bad, a, &out, NULL), ERR_NOT_FOUND);
        bad = arena_strdup(a, token);
        bad[i] = '\0';
        assert_int_equal(certificate_ticket_open(&idp, bad, a, &out, NULL), ERR_NOT_FOUND);
    }
    assert_int_equal(certificate_ticket_open(&idp, arena_printf(a, "%sA", token), a, &out, NULL), ERR_NOT_FOUND);
    assert_int_equal(certificate_ticket_open(&idp, "", a, &out, NULL), ERR_NOT_FOUND);
    assert_string_equal(out.id, "untouched");
    assert_int_equal(certificate_ticket_open(&idp, token, a, &out, NULL), OK);
}

static void
test_flow_is_no_ticket(void **state)
{
    AUTO(arena_freep) struct arena *a = arena_new(1 << 20);
    char id[FLOW_ID_SIZE];
    struct flow f = { .id = id, .dialect = "own", .state = STR_LIT(""), .lang = "fr" };
    const struct certificate_ticket in = example();
    struct certificate_ticket t;
    const char *token;

    (void)state;
    flow_id_new(id);
    assert_int_equal(flow_seal(&idp, &f, a, &token, NULL), OK);
    assert_int_equal(certificate_ticket_open(&idp, token, a, &t, NULL), ERR_NOT_FOUND);
    assert_int_equal(certificate_ticket_seal(&idp, &in, a, &token, NULL), OK);
    assert_int_equal(flow_open(&idp, token, a, &f, NULL), ERR_NOT_FOUND);
}

static void
test_outcome_names(void **state)
{
    enum credential_outcome o;

    (void)state;
    for (unsigned i = 0; i < CERTIFICATE_OUTCOMES; i++) {
        assert_int_equal(credential_outcome_read(credential_outcome_name((enum credential_outcome)i), &o), OK);
        assert_int_equal(o, i);
    }
    assert_int_equal(credential_outcome_read("", &o), ERR_NOT_FOUND);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers), cmocka_unit_test(test_ticket_whole), cmocka_unit_test(test_ticket_shown), cmocka_unit_test(test_ticket_altered),
        cmocka_unit_test(test_flow_is_no_ticket), cmocka_unit_test(test_outcome_names),
    };

    return cmocka_run_group_tests_name("certificate", tests, setup, teardown);
}
