/*
 * pki/encode/crl and pki/lint: lists are read and verified by OpenSSL, GnuTLS and NSS, and by our own strict reader; each refusal
 * of the writer changes one value; each rule of the lint is broken alone by one change of a good text.
 */
#include "tests/unit/pki_support.h"

#include "base/crypto/x509_path.h"
#include "pki/encode/crl.h"
#include "pki/lint/lint.h"

static struct pki pki;
static struct tool_folder folder;

#define POINT STR_LIT("http://crl.ville.example/crl/cards-3.crl")

static int
setup(void **state)
{
    (void)state;
    pki_make(&pki, KEY_P256, 0);
    tool_folder_make(&folder);
    return 0;
}

static int
teardown(void **state)
{
    static const char *const names[] = { "ca.pem", "list.pem", "list.der", "root.pem" };

    (void)state;
    pki_done(&pki);
    tool_folder_remove(&folder, names, ARRAY_LEN(names));
    return 0;
}

static struct crl_head
good_head(void)
{
    return (struct crl_head){ .issuer = buf_view(&pki.issuing.name),
                              .issuer_key_id = { (const char *)pki.issuing.key_id, KEY_ID_LEN },
                              .sig_alg = SIG_ES256,
                              .this_update = pki.now,
                              .next_update = pki.now + 26 * USEC_PER_HOUR,
                              .number = 0x1ff };
}

/* Serial numbers of each length and with a high bit; each reason; one with a date. */
static const struct crl_entry *
good_entries(size_t *ret_n, bool delta)
{
    static struct crl_entry e[8];

    e[0] = (struct crl_entry){ STR_LIT("\x01"), pki.now - USEC_PER_DAY, CRL_REASON_NONE, 0 };
    e[1] = (struct crl_entry){ STR_LIT("\xff"), pki.now - USEC_PER_DAY, CRL_KEY_COMPROMISE, pki.now - 2 * USEC_PER_DAY };
    e[2] = (struct crl_entry){ STR_LIT("\x12\x34"), pki.now, CRL_HOLD, 0 };
    e[3] = (struct crl_entry){ STR_LIT("\x5a" "23456789abcdef"), pki.now - USEC_PER_SEC, CRL_SUPERSEDED, 0 };
    e[4] = (struct crl_entry){ STR_LIT("\x5a" "23456789abcdeg"), INT64_C(2524608001) * USEC_PER_SEC, CRL_CESSATION, 0 };
    e[4].revoked_at = pki.now - 3 * USEC_PER_DAY;
    e[5] = (struct crl_entry){ STR_LIT("\x7f" "123456789012345678\xff"), pki.now - USEC_PER_DAY, CRL_PRIVILEGE_WITHDRAWN, 0 };
    e[6] = (struct crl_entry){ STR_LIT("\x7f" "223456789012345678\xff"), pki.now - USEC_PER_DAY, CRL_REMOVE_FROM_CRL, 0 };
    *ret_n = delta ? 7 : 6;
    return e;
}

/* Writes, signs with ca's key, and puts it before the other programs. *ret_der is the caller's copy. */
static void
list_make(const struct crl_head *head, const struct crl_entry *entries, size_t n, struct key *key, struct buf *ret_tbs,
          struct buf *ret_der)
{
    AUTO(buf_free) struct buf sig = BUF_BOUNDED(1024);
    struct str tbs, der;
    struct why why = WHY_INIT;
    struct crl crl;

    crl_begin(&crl, head, n);
    for (size_t i = 0; i < n; i++)
        if (crl_add(&crl, &entries[i], &why) != OK)
            fail_msg("%s", why.text);
    if (crl_close(&crl, &tbs, &why) != OK)
        fail_msg("%s", why.text);
    buf_add_str(ret_tbs, tbs);
    pki_sign(key, KEY_CA_SIGN, tbs, &sig);
    if (crl_finish(&crl, buf_view(&sig), &der, &why) != OK)
        fail_msg("%s", why.text);
    buf_add_str(ret_der, der);
    crl_done(&crl);
}

static void
others_read(const char *label, const struct pki_ca *ca, const struct buf *der, const char *const *wants, const char *gnutls_wants)
{
    AUTO(buf_free) struct buf openssl = BUF_BOUNDED(1 << 20), gnutls = BUF_BOUNDED(1 << 20), nss = BUF_BOUNDED(1 << 20);
    char list[128], authority[128];

    pki_write_pem(&folder, "ca.pem", "CERTIFICATE", buf_view(&ca->der));
    pki_write_pem(&folder, "list.pem", "X509 CRL", buf_view(der));
    tool_write(&folder, "list.der", buf_view(der));
    snprintf(list, sizeof(list), "%s", tool_file(&folder, "list.pem"));
    snprintf(authority, sizeof(authority), "%s", tool_file(&folder, "ca.pem"));
    if (TOOL(true, &openssl, "openssl", "crl", "-noout", "-text", "-CAfile", authority, "-in", list) != 0 ||
        strstr(buf_cstr(&openssl), "verify OK") == NULL)
        fail_msg("%s: openssl: %s", label, buf_cstr(&openssl));
    for (; *wants != NULL; wants++)
        if (strstr(openssl.data, *wants) == NULL)
            fail_msg("%s: no \"%s\" in %s", label, *wants, openssl.data);
    if (TOOL(true, &gnutls, "certtool", "--verify-crl", "--load-ca-certificate", authority, "--infile", list) != 0 ||
        strstr(buf_cstr(&gnutls), "Verified") == NULL || strstr(gnutls.data, gnutls_wants) == NULL)
        fail_msg("%s: certtool: %s", label, buf_cstr(&gnutls));
    snprintf(list, sizeof(list), "%s", tool_file(&folder, "list.der"));
    if (TOOL(true, &nss, "nss-pp", "-t", "crl", "-i", list, "-u") != 0 || strstr(buf_cstr(&nss), "Next Update: ") == NULL)
        fail_msg("%s: nss-pp: %s", label, buf_cstr(&nss));
}

static void
test_full(void **state)
{
    static const char *const wants[] = { "Version 2 (0x1)", "X509v3 CRL Number: \n                511\n", "Serial Number: FF\n",
                                         "Serial Number: 7F313233343536373839303132333435363738FF\n", "Certificate Hold",
                                         "Key Compromise", "Invalidity Date", "Superseded", "Cessation Of Operation",
                                         "Privilege Withdrawn", "X509v3 Freshest CRL", NULL };
    AUTO(buf_free) struct buf tbs = BUF_BOUNDED(65536), der = BUF_BOUNDED(65536);
    struct crl_head head = good_head();
    struct x509_crl *read = NULL;
    struct why why = WHY_INIT;
    size_t n;
    const struct crl_entry *entries = good_entries(&n, false);

    (void)state;
    head.delta_url = pki_urls.delta_crl;
    list_make(&head, entries, n, pki.issuing.key, &tbs, &der);
    assert_int_equal(der_check(buf_view(&der), CRL_MAX, &why), OK);
    others_read("full", &pki.issuing, &der, wants, "Revoked certificates (6)");
    if (x509_crl_read(buf_view(&der), &read, &why) != OK)
        fail_msg("%s", why.text);
    assert_false(x509_crl_is_delta(read));
    x509_crl_free(read);
}

static void
test_delta(void **state)
{
    static const char *const wants[] = { "X509v3 Delta CRL Indicator: critical", "Remove From CRL", NULL };
    AUTO(buf_free) struct buf tbs = BUF_BOUNDED(65536), der = BUF_BOUNDED(65536);
    struct crl_head head = good_head();
    struct x509_crl *read = NULL;
    struct why why = WHY_INIT;
    size_t n;
    const struct crl_entry *entries = good_entries(&n, true);

    (void)state;
    head.delta = true;
    head.base = 0x1fe;
    head.delta_url = pki_urls.delta_crl;             /* never in a delta */
    list_make(&head, entries, n, pki.issuing.key, &tbs, &der);
    assert_int_equal(der_check(buf_view(&der), CRL_MAX, &why), OK);
    others_read("delta", &pki.issuing, &der, wants, "Revoked certificates (7)");
    assert_null(memmem(der.data, der.len, "\x55\x1d\x2e", 3));
    if (x509_crl_read(buf_view(&der), &read, &why) != OK)
        fail_msg("%s", why.text);
    assert_true(x509_crl_is_delta(read));
    x509_crl_free(read);
}

/* Shards, scopes, empty lists, other keys, past 2049. */
static void
test_variants(void **state)
{
    static const char *const shard[] = { "X509v3 Issuing Distribution Point: critical", "URI:http://crl.ville.example/crl/cards-3.crl",
                                         "Only User Certificates", NULL },
                             *const roots[] = { "Only CA Certificates", "No Revoked Certificates.", NULL },
                             *const late[] = { "Next Update: Jan  2", NULL };
    struct crl_head head = good_head();
    size_t n;
    const struct crl_entry *entries = good_entries(&n, false);
    struct pki other;

    (void)state;
    for (int i = 0; i < 5; i++) {
        AUTO(buf_free) struct buf tbs = BUF_BOUNDED(65536), der = BUF_BOUNDED(65536);

        head = good_head();
        if (i == 0) {
            head.point = POINT;
            head.scope = CRL_SCOPE_USERS;
            list_make(&head, entries, n, pki.issuing.key, &tbs, &der);
            others_read("shard", &pki.issuing, &der, shard, "Revoked certificates (6)");
        } else if (i == 1) {
            head.scope = CRL_SCOPE_AUTHORITIES;
            head.issuer = buf_view(&pki.root.name);
            head.issuer_key_id = (struct str){ (const char *)pki.root.key_id, KEY_ID_LEN };
            list_make(&head, entries, 0, pki.root.key, &tbs, &der);
            others_read("root", &pki.root, &der, roots, "No revoked certificates");
        } else if (i == 2) {
            assert_int_equal(utime_parse("2050-01-02T00:00:00Z", &head.next_update), OK);
            list_make(&head, entries, n, pki.issuing.key, &tbs, &der);
            others_read("late", &pki.issuing, &der, late, "Revoked certificates (6)");
        } else {
            pki_make(&other, i == 3 ? KEY_RSA : KEY_P384, 3072);
            head.issuer = buf_view(&other.issuing.name);
            head.issuer_key_id = (struct str){ (const char *)other.issuing.key_id, KEY_ID_LEN };
            head.sig_alg = i == 3 ? SIG_RS256 : SIG_ES384;
            list_make(&head, entries, n, other.issuing.key, &tbs, &der);
            others_read(i == 3 ? "RSA" : "P-384", &other.issuing, &der, shard + 3, "Revoked certificates (6)");
            pki_done(&other);
        }
        assert_int_equal(der_check(buf_view(&der), CRL_MAX, NULL), OK);
    }
}

/* Lengths of one to four octets: the same list, whatever the room that was asked for. */
static void
test_sizes(void **state)
{
    static const size_t sizes[] = { 0, 1, 2, 3, 5, 6, 7, 400, 1500, 1900, 20000, 500000 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        AUTO(buf_free) struct buf sig = BUF_BOUNDED(256);
        const struct crl_head head = good_head();
        struct lint_report report;
        const struct lint_crl_context ctx = { .issuer = { head.issuer, head.issuer_key_id, SIG_ES256, 0, 0 }, .now = pki.now,
                                              .life_max = USEC_PER_DAY * 3, .number = head.number, .entries = sizes[i] };
        struct str tbs[2] = { STR_NULL, STR_NULL }, der;
        struct crl crl[2];

        for (int k = 0; k < 2; k++) {
            crl_begin(&crl[k], &head, k == 0 ? 0 : sizes[i]);
            for (size_t e = 0; e < sizes[i]; e++) {
                const unsigned char serial[6] = { 0x5a, 0, (unsigned char)(e >> 24), (unsigned char)(e >> 16),
                                                  (unsigned char)(e >> 8), (unsigned char)e };
                const struct crl_entry entry = { { (const char *)serial, sizeof(serial) }, pki.now - (utime)(e % 7) * USEC_PER_DAY,
                                                 CRL_REASON_NONE, 0 };

                assert_int_equal(crl_add(&crl[k], &entry, NULL), OK);
            }
            assert_int_equal(crl_close(&crl[k], &tbs[k], NULL), OK);
        }
        assert_true(str_eq(tbs[0], tbs[1]));
        assert_int_equal(lint_crl(tbs[0], &ctx, &report), 0);
        pki_sign(pki.issuing.key, KEY_CA_SIGN, tbs[0], &sig);
        assert_int_equal(crl_finish(&crl[0], buf_view(&sig), &der, NULL), OK);
        if (sizes[i] <= 20000)
            assert_int_equal(der_check(der, CRL_MAX, NULL), OK);
        crl_done(&crl[0]);
        crl_done(&crl[1]);
    }
}

static void
test_refusals(void **state)
{
    struct crl_head head;
    struct str tbs;
    struct why why;
    size_t n;
    const struct crl_entry *entries = good_entries(&n, false);
    struct crl_entry e;
    struct crl crl;

    (void)state;
#define ENTRY(label, change, want)                                                                  \
    do {                                                                                            \
        head = good_head();                                                                         \
        crl_begin(&crl, &head, 0);                                                                  \
        assert_int_equal(crl_add(&crl, &entries[1], NULL), OK);                                     \
        e = entries[2];                                                                             \
        change;                                                                                     \
        why = (struct why)WHY_INIT;                                                                 \
        assert_row(label, crl_add(&crl, &e, &why) == (want[0] == '\0' ? OK : ERR_INPUT));           \
        assert_row_string(label, why.code, want);                                                   \
        crl_done(&crl);                                                                             \
    } while (0)
    ENTRY("good", (void)e, "");
    ENTRY("no serial", e.serial = STR_NULL, "pki.crl.serial");
    ENTRY("padded serial", e.serial = ((struct str){ "\0\x80\x01", 3 }), "pki.crl.serial");
    ENTRY("21 octets", e.serial = STR_LIT("123456789012345678901"), "pki.crl.serial");
    ENTRY("20 octets with a high bit", e.serial = STR_LIT("\x80" "1234567890123456789"), "pki.crl.serial");
    ENTRY("the same again", e.serial = entries[1].serial, "pki.crl.order");
    ENTRY("below", e.serial = STR_LIT("\xfe"), "pki.crl.order");
    ENTRY("unspecified", e.reason = 0, "pki.crl.reason");
    ENTRY("reason 7", e.reason = 7, "pki.crl.reason");
    ENTRY("reason 11", e.reason = 11, "pki.crl.reason");
    ENTRY("removed, full", e.reason = CRL_REMOVE_FROM_CRL, "pki.crl.reason");
    ENTRY("tomorrow", e.revoked_at = pki.now + USEC_PER_DAY, "pki.crl.date");
    ENTRY("1949", e.revoked_at = INT64_C(-662688001) * USEC_PER_SEC, "pki.crl.date");
#define HEAD(label, change, want)                                                                   \
    do {                                                                                            \
        head = good_head();                                                                         \
        change;                                                                                     \
        crl_begin(&crl, &head, 0);                                                                  \
        why = (struct why)WHY_INIT;                                                                 \
        assert_row(label, crl_close(&crl, &tbs, &why) == (want[0] == '\0' ? OK : ERR_INPUT));       \
        assert_row_string(label, why.code, want);                                                   \
        crl_done(&crl);                                                                             \
    } while (0)
    HEAD("good", (void)head, "");
    HEAD("good delta", head.delta = true; head.base = 1, "");
    HEAD("ends before it begins", head.next_update = head.this_update, "pki.crl.update");
    HEAD("base is itself", head.delta = true; head.base = head.number, "pki.crl.base");
    HEAD("https", head.point = STR_LIT("https://crl.ville.example/"), "pki.crl.url");
#undef ENTRY
#undef HEAD
}

/* --- lint ----------------------------------------------------------------------------------------------------------------- */

enum field { VERSION, ALGORITHM, ISSUER, THIS, NEXT, ENTRIES, FIELDS };

struct text {
    struct buf der, rebuilt, scratch[3];
    struct str fields[FIELDS];       /* whole */
    struct str entries[8];           /* whole */
    struct str extensions[10];
    size_t n, entries_n;
    bool no_entries;
    struct lint_crl_context ctx;
};

static void
text_make(struct text *t, bool delta)
{
    AUTO(buf_free) struct buf der = BUF_BOUNDED(65536);
    struct crl_head head = good_head();
    struct str rest, content, list, tagged;
    unsigned tag;
    size_t n;
    const struct crl_entry *entries = good_entries(&n, delta);

    memset(t, 0, sizeof(*t));
    t->der = t->rebuilt = (struct buf)BUF_BOUNDED(65536);
    for (size_t i = 0; i < ARRAY_LEN(t->scratch); i++)
        t->scratch[i] = (struct buf)BUF_BOUNDED(65536);
    head.delta = delta;
    head.base = delta ? 7 : 0;
    head.point = POINT;
    head.scope = CRL_SCOPE_USERS;
    head.delta_url = delta ? STR_NULL : pki_urls.delta_crl;
    list_make(&head, entries, n, pki.issuing.key, &t->der, &der);
    t->ctx = (struct lint_crl_context){ .issuer = { head.issuer, head.issuer_key_id, head.sig_alg, 0, 0 }, .now = pki.now,
                                        .life_max = 26 * USEC_PER_HOUR, .number = head.number, .delta = delta, .base = head.base,
                                        .point = head.point, .scope = head.scope, .delta_url = head.delta_url, .entries = n,
                                        .reasons = true };
    rest = buf_view(&t->der);
    assert_int_equal(der_expect(&rest, DER_SEQUENCE, &content), OK);
    for (int i = 0; i < FIELDS; i++)
        assert_int_equal(der_element(&content, &tag, &t->fields[i]), OK);
    rest = t->fields[ENTRIES];
    assert_int_equal(der_expect(&rest, DER_SEQUENCE, &list), OK);
    while (list.n > 0)
        assert_int_equal(der_element(&list, &tag, &t->entries[t->entries_n++]), OK);
    assert_int_equal(der_expect(&content, DER_CONTEXT(0), &tagged), OK);
    assert_int_equal(der_expect(&tagged, DER_SEQUENCE, &list), OK);
    while (list.n > 0)
        assert_int_equal(der_element(&list, &tag, &t->extensions[t->n++]), OK);
}

static void
text_rebuild(struct text *t)
{
    size_t whole = der_begin(&t->rebuilt, DER_SEQUENCE), tagged, list;

    for (int i = 0; i < ENTRIES; i++)
        buf_add_str(&t->rebuilt, t->fields[i]);
    if (!t->no_entries) {
        list = der_begin(&t->rebuilt, DER_SEQUENCE);
        for (size_t i = 0; i < t->entries_n; i++)
            buf_add_str(&t->rebuilt, t->entries[i]);
        der_end(&t->rebuilt, list);
    }
    tagged = der_begin(&t->rebuilt, DER_CONTEXT(0));
    list = der_begin(&t->rebuilt, DER_SEQUENCE);
    for (size_t i = 0; i < t->n; i++)
        buf_add_str(&t->rebuilt, t->extensions[i]);
    der_end(&t->rebuilt, list);
    der_end(&t->rebuilt, tagged);
    der_end(&t->rebuilt, whole);
}

static void
text_done(struct text *t)
{
    buf_free(&t->der);
    buf_free(&t->rebuilt);
    for (size_t i = 0; i < ARRAY_LEN(t->scratch); i++)
        buf_free(&t->scratch[i]);
}

static void
replace(struct text *t, struct str oid, bool critical, struct str value)
{
    t->extensions[pki_extension_index(t->extensions, t->n, oid)] = pki_extension(&t->scratch[0], oid, critical, value);
}

static void
drop(struct text *t, struct str oid)
{
    t->extensions[pki_extension_index(t->extensions, t->n, oid)] = STR_NULL;
}

static void
append(struct text *t, struct str oid, bool critical, struct str value)
{
    t->extensions[t->n++] = pki_extension(&t->scratch[1], oid, critical, value);
}

/* An entry in the place of the first: serial 1, of today, with these extensions whole. */
static void
entry_replace(struct text *t, struct str serial, utime at, struct str oid, bool critical, struct str value)
{
    struct buf *out = &t->scratch[2];
    const size_t entry = der_begin(out, DER_SEQUENCE);

    der_add(out, DER_INTEGER, serial);
    assert_int_equal(der_add_time(out, at), OK);
    if (oid.n > 0) {
        const size_t list = der_begin(out, DER_SEQUENCE);

        buf_add_str(out, pki_extension(&t->scratch[1], oid, critical, value));
        der_end(out, list);
    }
    der_end(out, entry);
    t->entries[0] = buf_view(out);
}

static struct str
time_of(struct text *t, utime at, bool general)
{
    buf_reset(&t->scratch[2]);
    assert_int_equal(general ? der_add_generalized_time(&t->scratch[2], DER_GENERALIZED_TIME, at) : der_add_time(&t->scratch[2], at), OK);
    return buf_view(&t->scratch[2]);
}

typedef void (*change)(struct text *t);
#define CHANGE(name) static void name(struct text *t)

CHANGE(not_one) { t->fields[ISSUER] = STR_NULL; t->fields[THIS] = STR_NULL; }
CHANGE(version_1) { t->fields[VERSION] = (struct str){ "\x02\x01\x00", 3 }; }
CHANGE(version_none) { t->fields[VERSION] = STR_NULL; }
CHANGE(algorithm_null) { t->fields[ALGORITHM] = STR_LIT("\x30\x0c\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02\x05\x00"); }
CHANGE(issuer_other) { t->fields[ISSUER] = buf_view(&pki.root.name); }
CHANGE(this_form) { t->fields[THIS] = time_of(t, pki.now, true); }
CHANGE(this_future) { t->ctx.now = pki.now - USEC_PER_SEC; }
CHANGE(next_missing) { t->fields[NEXT] = STR_NULL; }
CHANGE(next_before) { t->fields[NEXT] = time_of(t, pki.now, false); }
CHANGE(next_far) { t->fields[NEXT] = time_of(t, pki.now + 27 * USEC_PER_HOUR, false); }
CHANGE(entries_empty) { t->entries_n = t->ctx.entries = 0; }
CHANGE(entries_fewer) { t->entries_n--; }
CHANGE(entry_negative) { entry_replace(t, STR_LIT("\x80"), pki.now, STR_NULL, false, STR_NULL); }
CHANGE(entry_zero) { entry_replace(t, (struct str){ "", 1 }, pki.now, STR_NULL, false, STR_NULL); }
CHANGE(entry_long) { entry_replace(t, STR_LIT("123456789012345678901"), pki.now, STR_NULL, false, STR_NULL); }
CHANGE(entry_twice) { t->entries[1] = t->entries[0]; }
CHANGE(entry_order) { t->entries[5] = t->entries[3]; }
CHANGE(entry_future) { entry_replace(t, STR_LIT("\x01"), pki.now + USEC_PER_SEC, STR_NULL, false, STR_NULL); }
CHANGE(entry_unspecified) { entry_replace(t, STR_LIT("\x01"), pki.now, OID_CE_REASON_CODE, false, (struct str){ "\x0a\x01\x00", 3 }); }
CHANGE(entry_remove) { entry_replace(t, STR_LIT("\x01"), pki.now, OID_CE_REASON_CODE, false, STR_LIT("\x0a\x01\x08")); }
CHANGE(entry_reason_critical) { entry_replace(t, STR_LIT("\x01"), pki.now, OID_CE_REASON_CODE, true, STR_LIT("\x0a\x01\x01")); }
CHANGE(entry_issuer) { entry_replace(t, STR_LIT("\x01"), pki.now, OID_CE_CERTIFICATE_ISSUER, true, (struct str){ "\x30\x00", 2 }); }
CHANGE(entry_unknown) { entry_replace(t, STR_LIT("\x01"), pki.now, STR_LIT("\x2a\x03"), false, (struct str){ "\x05\x00", 2 }); }
CHANGE(entry_date) { entry_replace(t, STR_LIT("\x01"), pki.now, OID_CE_INVALIDITY_DATE, false, STR_LIT("\x17\x0d" "260101000000Z")); }
CHANGE(entry_none) { t->entries[0] = (struct str){ "\x30\x00", 2 }; }
CHANGE(no_reasons) { t->ctx.reasons = false; }
CHANGE(twice) { t->extensions[t->n] = t->extensions[0]; t->n++; }
CHANGE(unknown) { append(t, STR_LIT("\x2a\x03\x04"), false, (struct str){ "\x05\x00", 2 }); }
CHANGE(authority_access) { append(t, OID_PE_AUTHORITY_INFO_ACCESS, false, (struct str){ "\x30\x00", 2 }); }
CHANGE(aki_missing) { drop(t, OID_CE_AUTHORITY_KEY_IDENTIFIER); }
CHANGE(aki_other) { t->ctx.issuer.key_id = (struct str){ (const char *)pki.root.key_id, KEY_ID_LEN }; }
CHANGE(number_missing) { drop(t, OID_CE_CRL_NUMBER); }
CHANGE(number_other) { t->ctx.number++; }
CHANGE(number_critical) { replace(t, OID_CE_CRL_NUMBER, true, STR_LIT("\x02\x02\x01\xff")); }
CHANGE(number_negative) { replace(t, OID_CE_CRL_NUMBER, false, STR_LIT("\x02\x01\xff")); }
CHANGE(delta_unwanted) { append(t, OID_CE_DELTA_CRL_INDICATOR, true, STR_LIT("\x02\x01\x01")); }
CHANGE(delta_missing) { drop(t, OID_CE_DELTA_CRL_INDICATOR); }
CHANGE(delta_not_critical) { replace(t, OID_CE_DELTA_CRL_INDICATOR, false, STR_LIT("\x02\x01\x07")); }
CHANGE(delta_base) { t->ctx.base++; }
CHANGE(point_missing) { drop(t, OID_CE_ISSUING_DISTRIBUTION_POINT); }
CHANGE(point_other) { t->ctx.point = STR_LIT("http://crl.ville.example/crl/cards-4.crl"); }
CHANGE(point_scope) { t->ctx.scope = CRL_SCOPE_ALL; }
CHANGE(point_unwanted) { t->ctx.scope = CRL_SCOPE_ALL; t->ctx.point = STR_NULL; }
CHANGE(freshest_missing) { drop(t, OID_CE_FRESHEST_CRL); }
CHANGE(freshest_other) { t->ctx.delta_url = POINT; }
CHANGE(freshest_in_delta) { append(t, OID_CE_FRESHEST_CRL, false, (struct str){ "\x30\x00", 2 }); }

static void
test_each_rule(void **state)
{
#define ROW(delta, what, rule) { #what, what, rule, delta }
    static const struct {
        const char *label;
        change what;
        const char *rule;
        bool delta;
    } rows[] = {
        ROW(false, not_one, "crl.der"),
        ROW(false, version_1, "crl.version"),
        ROW(false, version_none, "crl.version"),
        ROW(false, algorithm_null, "crl.signature_algorithm"),
        ROW(false, issuer_other, "crl.issuer_name"),
        ROW(false, this_form, "crl.update.form"),
        ROW(false, this_future, "crl.this_update.future"),
        ROW(false, next_missing, "crl.next_update.missing"),
        ROW(false, next_before, "crl.update.order"),
        ROW(false, next_far, "crl.update.life"),
        ROW(false, entries_empty, "crl.entries.empty"),
        ROW(false, entries_fewer, "crl.entries.count"),
        ROW(false, entry_negative, "crl.entry.serial"),
        ROW(false, entry_zero, "crl.entry.serial"),
        ROW(false, entry_long, "crl.entry.serial"),
        ROW(false, entry_twice, "crl.entry.order"),
        ROW(false, entry_order, "crl.entry.order"),
        ROW(false, entry_future, "crl.entry.date"),
        ROW(false, entry_unspecified, "crl.entry.reason"),
        ROW(false, entry_remove, "crl.entry.reason"),
        ROW(false, entry_reason_critical, "crl.entry.extension"),
        ROW(false, entry_issuer, "crl.entry.extension"),
        ROW(false, entry_unknown, "crl.entry.extension"),
        ROW(false, entry_date, "crl.entry.extension"),
        ROW(false, no_reasons, "crl.entry.reason"),
        ROW(false, entry_none, "crl.entry.read"),
        ROW(false, twice, "crl.ext.duplicate"),
        ROW(false, unknown, "crl.ext.unknown"),
        ROW(false, authority_access, "crl.ext.unknown"),
        ROW(false, aki_missing, "crl.aki"),
        ROW(false, aki_other, "crl.aki"),
        ROW(false, number_missing, "crl.number"),
        ROW(false, number_other, "crl.number"),
        ROW(false, number_negative, "crl.number"),
        ROW(false, number_critical, "crl.ext.criticality"),
        ROW(false, delta_unwanted, "crl.delta"),
        ROW(true, delta_missing, "crl.delta"),
        ROW(true, delta_base, "crl.delta"),
        ROW(true, delta_not_critical, "crl.ext.criticality"),
        ROW(false, point_missing, "crl.point"),
        ROW(false, point_other, "crl.point"),
        ROW(false, point_scope, "crl.point"),
        ROW(false, point_unwanted, "crl.point"),
        ROW(false, freshest_missing, "crl.freshest_crl"),
        ROW(false, freshest_other, "crl.freshest_crl"),
        ROW(true, freshest_in_delta, "crl.freshest_crl"),
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct lint_report report;
        struct text t;

        text_make(&t, rows[i].delta);
        if (lint_crl(buf_view(&t.der), &t.ctx, &report) != 0)
            fail_msg("%s: good: %s: %s", rows[i].label, report.findings[0].rule, report.findings[0].text);
        rows[i].what(&t);
        text_rebuild(&t);
        assert_row(rows[i].label, lint_crl(buf_view(&t.rebuilt), &t.ctx, &report) >= 1);
        assert_row_string(rows[i].label, report.findings[0].rule, rows[i].rule);
        if (report.n != 1)
            fail_msg("%s: also %s (%s)", rows[i].label, report.findings[1].rule, report.findings[1].text);
        text_done(&t);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full),     cmocka_unit_test(test_delta),     cmocka_unit_test(test_variants),
        cmocka_unit_test(test_sizes),    cmocka_unit_test(test_refusals),  cmocka_unit_test(test_each_rule),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
