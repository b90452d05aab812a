/*
 * limbo: x509-limbo's test vectors (tests/data/limbo/README.md) through x509_path_verify(). Where our answer is not the
 * suite's, the case stands in a list here with the reason.
 */
#include "tests/unit/crypto_support.h"

#include <jansson.h>

#include "base/crypto/x509_path.h"

#define ANY_TIME (INT64_C(1704067200) * USEC_PER_SEC)        /* 2024-01-01 */

/* Refused by the suite, accepted here. */
static const struct {
    const char *id, *reason;
} accepted[] = {
    { "cve::cve-2025-61727", "wildcard names of servers: nothing here compares subjectAltName" },
    { "rfc5280::nc::invalid-dnsname-leading-period", "the same" },
    { "rfc5280::nc::nc-permits-invalid-dns-san", "the same" },
    { "rfc5280::nc::nc-permits-invalid-email-san", "the same" },
    { "rfc5280::nc::nc-forbids-dnsname-wildcard-san", "the same" },
    { "rfc5280::san::underscore-dns", "the same" },
    { "rfc5280::san::ip-in-dns", "the same" },
    { "rfc5280::ca-as-leaf-wrong-san", "the same" },
    { "rfc5280::eku::ee-wrong-eku", "the use of the leaf is not asked for here; test_x509_path asks" },
    { "pathlen::max-chain-depth-0-exhausted", "a depth of 0 is our default, not a limit of 0" },
    { "rfc5280::aki::cross-signed-root-missing-aki", "an anchor's own issuer does not matter: the path ends at the anchor" },
};

/* Accepted by the suite, refused here. */
static const struct {
    const char *id, *reason;
} refused[] = {
    { "crl::issuer-no-keyusage-extension", "RFC 5280 §4.2.1.3: a CA must have it" },
    { "cve::cve-2024-0567", "nine certificates came along, eight are taken" },
    { "pathlen::max-chain-depth-1-self-issued", "self-issued certificates count for the depth: OpenSSL's way" },
    { "rfc5280::nc::nc-forbids-alternate-chain-ica", "OpenSSL builds one path and does not come back" },
    { "rfc5280::nc::nc-forbids-same-chain-ica", "the same" },
    { "rfc5280::validity::notafter-exact", "OpenSSL ends a certificate one second early" },
    { "rfc5280::validity::notafter-fractional", "the same" },
    { "rfc5280::unknown-critical-extension-unrelated-intermediate", "what comes along must be DER too, used or not" },
};

static void
der_add(struct buf *out, const json_t *text)
{
    assert_int_equal(base64_decode(str_of(json_string_value(text)), true, out), OK);
}

static enum x509_verdict
judge(const json_t *c, struct why *why)
{
    AUTO(x509_trust_freep) struct x509_trust *t = x509_trust_new();
    AUTO(x509_done) struct x509_cert leaf = { .version = 0 };
    AUTO(buf_free) struct buf der = BUF_BOUNDED(1 << 20);
    struct buf sent[16];
    struct str views[16];
    struct x509_profile profile = { .purpose = X509_FOR_ANYTHING, .depth_max = 8 };
    enum x509_verdict v = CERT_MALFORMED;
    utime now = ANY_TIME;
    size_t i, n_sent = 0;
    const json_t *item;

    if (json_is_string(json_object_get(c, "time")))
        assert_int_equal(utime_parse(json_string_value(json_object_get(c, "time")), &now), OK);
    if (json_is_integer(json_object_get(c, "depth")))
        profile.depth_max = (size_t)json_integer_value(json_object_get(c, "depth"));
    json_array_foreach(json_object_get(c, "anchors"), i, item) {
        buf_reset(&der);
        der_add(&der, item);
        err_ignore(x509_trust_add_anchor(t, buf_view(&der), why));       /* no anchor: no path */
    }
    json_array_foreach(json_object_get(c, "crls"), i, item) {
        AUTO(x509_crl_freep) struct x509_crl *crl = NULL;

        buf_reset(&der);
        der_add(&der, item);
        if (x509_crl_read(buf_view(&der), &crl, why) == OK)
            err_ignore(x509_trust_add_crl(t, crl, why));
    }
    profile.status_known_elsewhere = json_array_size(json_object_get(c, "crls")) == 0;
    json_array_foreach(json_object_get(c, "sent"), i, item) {
        assert_true(n_sent < ARRAY_LEN(sent));
        sent[n_sent] = (struct buf)BUF_BOUNDED(1 << 20);
        der_add(&sent[n_sent], item);
        views[n_sent] = buf_view(&sent[n_sent]);
        n_sent++;
    }
    buf_reset(&der);
    der_add(&der, json_object_get(c, "leaf"));
    if (x509_read(buf_view(&der), &leaf, why) == OK)
        err_ignore(x509_path_verify(t, &profile, &leaf, views, n_sent, now, &v, why));      /* the verdict says it */
    for (i = 0; i < n_sent; i++)
        buf_free(&sent[i]);
    return v;
}

static bool
listed(const char *id, bool as_accepted)
{
    if (as_accepted) {
        for (size_t i = 0; i < ARRAY_LEN(accepted); i++)
            if (strcmp(accepted[i].id, id) == 0)
                return true;
    } else {
        for (size_t i = 0; i < ARRAY_LEN(refused); i++)
            if (strcmp(refused[i].id, id) == 0)
                return true;
    }
    return false;
}

static void
test_limbo(void **state)
{
    json_t *all = json_load_file(TEST_DATA "/limbo/cases.json", 0, NULL);
    size_t i, wrong = 0;
    const json_t *c;

    (void)state;
    assert_int_equal(json_array_size(all), 130);
    json_array_foreach(all, i, c) {
        struct why why = WHY_INIT;
        const char *const id = json_string_value(json_object_get(c, "id"));
        const bool valid = json_is_true(json_object_get(c, "valid")), good = judge(c, &why) == CERT_GOOD;

        if (good != (listed(id, !valid) ? !valid : valid)) {
            print_error("%s: %s: %s\n", id, good ? "accepted" : "refused", why.text);
            wrong++;
        }
    }
    json_decref(all);
    assert_int_equal(wrong, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_limbo) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
