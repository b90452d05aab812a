/*
 * pkits: the NIST Public Key Interoperability Test Suite (tests/data/pkits/README.md) through x509_path_verify().
 *
 * No invalid path may be accepted. Valid paths that we refuse are listed here with the reason; another one fails. What we
 * accept, OpenSSL's own revocation checking must accept too. `test_pkits --table` prints docs/pkits.md, which must be what
 * the test finds.
 */
#include "tests/unit/crypto_support.h"

#include <dirent.h>
#include <openssl/x509v3.h>

#include "base/crypto/der-oid.h"
#include "base/crypto/der.h"
#include "base/crypto/x509-internal.h"

#define FILES_MAX 16
#define NOW (INT64_C(1767225600) * USEC_PER_SEC)     /* 2026-01-01: within the dates of the suite */

struct pkits_case {
    char *number, *title, *inputs;
    bool valid;
    char *certs[FILES_MAX], *crls[FILES_MAX];
    size_t n_certs, n_crls;
    enum x509_verdict verdict, pooled;       /* with its own files; with those of all tests */
    bool openssl;                            /* OpenSSL accepts */
    char reason[WHY_MAX];
};

/* Valid for the suite, refused by us. */
static const struct {
    const char *number, *reason;
} refused[] = {
    { "4.1.4", "DSA is not in the allow-list (DESIGN rule 10)" },
    { "4.1.5", "DSA is not in the allow-list (DESIGN rule 10)" },
    { "4.6.4", "basicConstraints of a CA that is not critical: RFC 5280 §4.2.1.9 wants it critical" },
    { "4.14.30", "the CRL's signer is covered by nothing but the CRL that it signs" },
};

static struct buf text = BUF_BOUNDED(1 << 20);
static struct pkits_case cases[300];
static size_t n_cases;

static void
file_read(const char *folder, const char *name, struct buf *out)
{
    char path[512];
    FILE *f;
    char part[4096];
    size_t n;

    (void)snprintf(path, sizeof(path), "%s/pkits/%s%s%s", TEST_DATA, folder, folder[0] == '\0' ? "" : "/", name);
    if ((f = fopen(path, "rb")) == NULL)
        panic("%s: cannot be read", path);
    while ((n = fread(part, 1, sizeof(part), f)) > 0)
        buf_add(out, part, n);
    fclose(f);
    CHECK(buf_ok(out));
}

static size_t
words(char *list, char *ret[FILES_MAX])
{
    char *rest = NULL;
    size_t n = 0;

    for (char *w = strtok_r(list, " ", &rest); w != NULL; w = strtok_r(NULL, " ", &rest)) {
        CHECK(n < FILES_MAX);
        ret[n++] = w;
    }
    return n;
}

static void
cases_read(void)
{
    char *line, *rest = NULL;

    file_read("", "cases.txt", &text);
    for (line = strtok_r(text.data, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        struct pkits_case *c = &cases[n_cases++];
        char *field[6];

        CHECK(n_cases <= ARRAY_LEN(cases));
        for (size_t i = 0; i < ARRAY_LEN(field); i++) {
            field[i] = strsep(&line, "\t");
            CHECK(field[i] != NULL);
        }
        c->number = field[0];
        c->title = field[1];
        c->valid = strcmp(field[2], "valid") == 0;
        CHECK(c->valid || strcmp(field[2], "invalid") == 0);
        c->inputs = field[3];
        c->n_certs = words(field[4], c->certs);
        c->n_crls = words(field[5], c->crls);
        CHECK(c->n_certs > 0);
    }
}

/* --- policy inputs ------------------------------------------------------------------------------------------------ */

struct inputs {
    struct x509_profile profile;
    struct str policies[3];
    struct buf oids[3];
};

static void
inputs_read(const char *in, struct inputs *ret)
{
    *ret = (struct inputs){ .profile = { .purpose = X509_FOR_ANYTHING, .depth_max = 8 },
                            .oids = { BUF_BOUNDED(64), BUF_BOUNDED(64), BUF_BOUNDED(64) } };
    for (const char *c = in; *c != '\0'; c++)
        if (*c >= '1' && *c <= '9') {
            char dotted[64];
            struct buf *oid = &ret->oids[ret->profile.n_policies];

            (void)snprintf(dotted, sizeof(dotted), "2.16.840.1.101.3.2.1.48.%c", *c);
            CHECK(der_oid_parse(str_of(dotted), oid) == OK);
            ret->policies[ret->profile.n_policies++] = buf_view(oid);
        }
    if (ret->profile.n_policies == 0 && strstr(in, "explicit") != NULL)
        ret->policies[ret->profile.n_policies++] = OID_ANY_POLICY;
    ret->profile.policies = ret->policies;
    ret->profile.inhibit_policy_mapping = strstr(in, "no-mapping") != NULL;
    ret->profile.inhibit_any_policy = strstr(in, "no-any") != NULL;
}

static void
inputs_done(struct inputs *in)
{
    for (size_t i = 0; i < ARRAY_LEN(in->oids); i++)
        buf_free(&in->oids[i]);
}

/* --- the three runs ----------------------------------------------------------------------------------------------- */

static void
trust_add(struct x509_trust *t, bool is_crl, const char *name)
{
    AUTO(buf_free) struct buf der = BUF_BOUNDED(1 << 20);
    AUTO(x509_crl_freep) struct x509_crl *crl = NULL;

    file_read(is_crl ? "crls" : "certs", name, &der);
    /* what cannot be read or was not signed is part of the suite: it is not there, then */
    if (!is_crl)
        err_ignore(x509_trust_add_intermediate(t, buf_view(&der), NULL));
    else if (x509_crl_read(buf_view(&der), &crl, NULL) == OK)
        err_ignore(x509_trust_add_crl(t, crl, NULL));
}

static void
anchor_add(struct x509_trust *t)
{
    AUTO(buf_free) struct buf der = BUF_BOUNDED(1 << 20);
    struct why why = WHY_INIT;

    file_read("certs", "TrustAnchorRootCertificate.crt", &der);
    if (x509_trust_add_anchor(t, buf_view(&der), &why) != OK)
        panic("trust anchor: %s", why.text);
}

static enum x509_verdict
judge(const struct x509_trust *t, const struct pkits_case *c, struct why *why)
{
    AUTO(buf_free) struct buf der = BUF_BOUNDED(1 << 20);
    AUTO(x509_done) struct x509_cert leaf = { .version = 0 };
    AUTO(inputs_done) struct inputs in;
    enum x509_verdict v = CERT_MALFORMED;
    enum err e;

    inputs_read(c->inputs, &in);
    file_read("certs", c->certs[0], &der);
    if (x509_read(buf_view(&der), &leaf, why) != OK)
        return v;
    e = x509_path_verify(t, &in.profile, &leaf, NULL, 0, NOW, &v, why);
    CHECK((e == OK) == (v == CERT_GOOD));
    return v;
}

static enum x509_verdict
judge_alone(struct pkits_case *c)
{
    AUTO(x509_trust_freep) struct x509_trust *t = x509_trust_new();
    struct why why = WHY_INIT;
    enum x509_verdict v;

    anchor_add(t);
    for (size_t i = 1; i < c->n_certs; i++)
        trust_add(t, false, c->certs[i]);
    for (size_t i = 0; i < c->n_crls; i++)
        trust_add(t, true, c->crls[i]);
    v = judge(t, c, &why);
    (void)snprintf(c->reason, sizeof(c->reason), "%s", why.text);
    return v;
}

static void *
openssl_read(const char *folder, const char *name, bool is_crl)
{
    AUTO(buf_free) struct buf der = BUF_BOUNDED(1 << 20);
    const unsigned char *p;
    void *x;

    file_read(folder, name, &der);
    p = str_bytes(buf_view(&der));
    x = is_crl ? (void *)d2i_X509_CRL(NULL, &p, (long)der.len) : (void *)d2i_X509(NULL, &p, (long)der.len);
    CHECK(x != NULL);
    return x;
}

/* PKI.md's flags: all of OpenSSL's revocation checking. */
static bool
openssl_accepts(const struct pkits_case *c)
{
    X509_STORE *store = X509_STORE_new();
    STACK_OF(X509) *helpers = sk_X509_new_null();
    STACK_OF(X509_CRL) *crls = sk_X509_CRL_new_null();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    X509_VERIFY_PARAM *param;
    X509 *leaf = openssl_read("certs", c->certs[0], false), *anchor = openssl_read("certs", "TrustAnchorRootCertificate.crt", false);
    AUTO(inputs_done) struct inputs in;
    bool good;

    inputs_read(c->inputs, &in);
    X509_STORE_add_cert(store, anchor);
    for (size_t i = 1; i < c->n_certs; i++)
        sk_X509_push(helpers, openssl_read("certs", c->certs[i], false));
    for (size_t i = 0; i < c->n_crls; i++)
        sk_X509_CRL_push(crls, openssl_read("crls", c->crls[i], true));
    CHECK(X509_STORE_CTX_init(ctx, store, leaf, helpers) == 1);
    X509_STORE_CTX_set0_crls(ctx, crls);
    param = X509_STORE_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL | X509_V_FLAG_EXTENDED_CRL_SUPPORT |
                                           X509_V_FLAG_USE_DELTAS | X509_V_FLAG_POLICY_CHECK | X509_V_FLAG_X509_STRICT |
                                           (in.profile.n_policies > 0 ? X509_V_FLAG_EXPLICIT_POLICY : 0) |
                                           (in.profile.inhibit_policy_mapping ? X509_V_FLAG_INHIBIT_MAP : 0) |
                                           (in.profile.inhibit_any_policy ? X509_V_FLAG_INHIBIT_ANY : 0));
    X509_VERIFY_PARAM_set_time(param, (time_t)(NOW / USEC_PER_SEC));
    if (in.profile.n_policies == 0)
        in.policies[in.profile.n_policies++] = OID_ANY_POLICY;
    for (size_t i = 0; i < in.profile.n_policies; i++) {
        AUTO(buf_free) struct buf oid = BUF_BOUNDED(64);
        const unsigned char *p;

        der_add_oid(&oid, in.policies[i]);
        p = str_bytes(buf_view(&oid));
        X509_VERIFY_PARAM_add0_policy(param, d2i_ASN1_OBJECT(NULL, &p, (long)oid.len));
    }
    good = X509_verify_cert(ctx) == 1;
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    sk_X509_pop_free(helpers, X509_free);
    sk_X509_CRL_pop_free(crls, X509_CRL_free);
    X509_free(leaf);
    X509_free(anchor);
    return good;
}

static void
pool_add(struct x509_trust *t, bool is_crl)
{
    char path[512];
    struct dirent **entries;
    int n;

    (void)snprintf(path, sizeof(path), "%s/pkits/%s", TEST_DATA, is_crl ? "crls" : "certs");
    n = scandir(path, &entries, NULL, alphasort);
    CHECK(n > 0);
    for (int i = 0; i < n; i++) {
        const char *const name = entries[i]->d_name;

        if (name[0] != '.' && strstr(name, "EE.crt") == NULL && strcmp(name, "TrustAnchorRootCertificate.crt") != 0)
            trust_add(t, is_crl, name);
        free(entries[i]);
    }
    free(entries);
}

static void
run_all(void)
{
    AUTO(x509_trust_freep) struct x509_trust *pool = x509_trust_new();

    cases_read();
    anchor_add(pool);
    pool_add(pool, false);
    pool_add(pool, true);
    for (size_t i = 0; i < n_cases; i++) {
        cases[i].verdict = judge_alone(&cases[i]);
        cases[i].pooled = judge(pool, &cases[i], NULL);
        cases[i].openssl = openssl_accepts(&cases[i]);
    }
}

static const char *
refused_because(const struct pkits_case *c)
{
    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        if (strcmp(refused[i].number, c->number) == 0)
            return refused[i].reason;
    return NULL;
}

/* --- the table ---------------------------------------------------------------------------------------------------- */

static void
table_write(struct buf *out)
{
    size_t accepted = 0, listed = 0;

    for (size_t i = 0; i < n_cases; i++) {
        accepted += cases[i].verdict == CERT_GOOD;
        listed += cases[i].valid && cases[i].verdict != CERT_GOOD;
    }
    buf_addf(out,
             "# NIST PKITS\n\n"
             "What `x509_path_verify()` answers to the Public Key Interoperability Test Suite 1.0.1 (tests/data/pkits). Written by\n"
             "`build/check-asan/tests/test_pkits --table >docs/pkits.md`; the test fails when this page says something else.\n\n"
             "%zu tests: %zu accepted, %zu refused, **0 accepted that are invalid**, %zu refused that are valid:\n\n",
             n_cases, accepted, n_cases - accepted, listed);
    for (size_t i = 0; i < n_cases; i++)
        if (cases[i].valid && cases[i].verdict != CERT_GOOD)
            buf_addf(out, "- %s %s: %s.\n", cases[i].number, cases[i].title, refused_because(&cases[i]));
    buf_addf(out, "\nEach test is run twice with the same result: with its own certificates and CRLs, and with those of all tests at once.\n"
                  "The suite is run for any purpose (`X509_FOR_ANYTHING`): its certificates have no extended key usage. Policy inputs:\n"
                  "numbers are the NIST test policies.\n\n"
                  "| test | title | policy inputs | expected | answer |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < n_cases; i++)
        buf_addf(out, "| %s | %s | %s | %s | %s |\n", cases[i].number, cases[i].title, cases[i].inputs, cases[i].valid ? "valid" : "invalid",
                 x509_verdict_name(cases[i].verdict));
    CHECK(buf_ok(out));
}

static void
test_no_wrong_acceptance(void **state)
{
    size_t wrong = 0;

    (void)state;
    assert_int_equal(n_cases, 247);
    for (size_t i = 0; i < n_cases; i++) {
        const struct pkits_case *c = &cases[i];

        if (!c->valid && (c->verdict == CERT_GOOD || c->pooled == CERT_GOOD)) {
            print_error("%s %s (%s): accepted\n", c->number, c->title, c->inputs);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

static void
test_refusals_are_known(void **state)
{
    size_t wrong = 0;

    (void)state;
    for (size_t i = 0; i < n_cases; i++) {
        const struct pkits_case *c = &cases[i];
        const bool want = c->valid && refused_because(c) == NULL;

        if (want != (c->verdict == CERT_GOOD) || want != (c->pooled == CERT_GOOD)) {
            print_error("%s %s (%s): %s, in the pool %s: %s\n", c->number, c->title, c->inputs, x509_verdict_name(c->verdict),
                        x509_verdict_name(c->pooled), c->reason);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

static void
test_openssl_agrees(void **state)
{
    size_t wrong = 0;

    (void)state;
    for (size_t i = 0; i < n_cases; i++)
        if (cases[i].verdict == CERT_GOOD && !cases[i].openssl) {
            print_error("%s %s: OpenSSL refuses what we accept\n", cases[i].number, cases[i].title);
            wrong++;
        }
    assert_int_equal(wrong, 0);
}

static void
test_page_is_true(void **state)
{
    struct buf want = BUF_BOUNDED(1 << 20), page = BUF_BOUNDED(1 << 20);
    FILE *f = fopen(SOURCE_DIR "/docs/pkits.md", "rb");
    char part[4096];
    size_t n;

    (void)state;
    assert_non_null(f);
    while ((n = fread(part, 1, sizeof(part), f)) > 0)
        buf_add(&page, part, n);
    fclose(f);
    table_write(&want);
    assert_string_equal(buf_cstr(&page), buf_cstr(&want));
    buf_free(&want);
    buf_free(&page);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_wrong_acceptance),
        cmocka_unit_test(test_refusals_are_known),
        cmocka_unit_test(test_openssl_agrees),
        cmocka_unit_test(test_page_is_true),
    };
    int status = 0;

    run_all();
    if (argc == 2 && strcmp(argv[1], "--table") == 0) {
        struct buf out = BUF_BOUNDED(1 << 20);

        table_write(&out);
        fputs(buf_cstr(&out), stdout);
        buf_free(&out);
    } else {
        status = cmocka_run_group_tests(tests, NULL, NULL);
    }
    buf_free(&text);
    return status;
}
