/*
 * pki/lint: a good certificate of each profile has no finding; each rule is broken alone by one change of a good text. The text is
 * taken apart into its fields and extensions, one is changed, and it is put together again.
 */
#include "tests/unit/pki_support.h"
#include "tests/unit/rsa_vectors.h"

#include "pki/lint/lint.h"

static struct pki pki;
static struct pki_ca wide;           /* an issuing authority that lives long, for dates */

static int
setup(void **state)
{
    (void)state;
    pki_make(&pki, KEY_P256, 0);
    pki_ca_make(&pki, &wide, &pki.root, "issuing-ca", "Beffroi Cartes", KEY_P256, 0, pki.now - USEC_PER_HOUR);
    wide.not_after = pki.now + 40 * 366 * USEC_PER_DAY;
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    pki_ca_done(&wide);
    pki_done(&pki);
    return 0;
}

/* --- a text taken apart --------------------------------------------------------------------------------------------------- */

enum field { VERSION, SERIAL, ALGORITHM, ISSUER, VALIDITY, SUBJECT, KEY, FIELDS };

struct text {
    struct buf der, scratch[4], rebuilt;
    struct str fields[FIELDS], extra;          /* whole elements; extra stands before the extensions */
    struct str extensions[20];                 /* whole; n 0: left out */
    size_t n;
    bool no_extensions;
    struct buf name;
    struct certificate_input in;
    struct lint_certificate_context ctx;
    struct profile profile;                    /* a copy that may be changed */
};

static void
text_make(struct text *t, const char *profile)
{
    const struct profile *p = pki_profile(&pki, profile);
    const struct pki_ca *ca = p->use == USE_CA ? &pki.root : &wide;
    struct str rest, content, tagged, list;
    unsigned tag;

    memset(t, 0, sizeof(*t));
    t->der = t->rebuilt = (struct buf)BUF_BOUNDED(65536);
    t->name = (struct buf)BUF_BOUNDED(NAME_MAX_LEN);
    for (size_t i = 0; i < ARRAY_LEN(t->scratch); i++)
        t->scratch[i] = (struct buf)BUF_BOUNDED(65536);
    t->profile = *p;
    t->in = pki_input(&pki, p, ca, &t->name);
    t->ctx = (struct lint_certificate_context){ .profile = &t->profile,
                                                .issuer = { t->in.issuer, t->in.issuer_key_id, t->in.sig_alg, ca->not_before,
                                                            ca->not_after },
                                                .urls = pki_urls,
                                                .serial = t->in.serial,
                                                .subject = t->in.subject,
                                                .spki = t->in.spki,
                                                .dns = t->in.dns,
                                                .dns_n = t->in.dns_n };
    assert_int_equal(certificate_tbs_encode(&t->in, &t->der, NULL), OK);
    rest = buf_view(&t->der);
    assert_int_equal(der_expect(&rest, DER_SEQUENCE, &content), OK);
    for (int i = 0; i < FIELDS; i++)
        assert_int_equal(der_element(&content, &tag, &t->fields[i]), OK);
    assert_int_equal(der_expect(&content, DER_CONTEXT(3), &tagged), OK);
    assert_int_equal(der_expect(&tagged, DER_SEQUENCE, &list), OK);
    while (list.n > 0)
        assert_int_equal(der_element(&list, &tag, &t->extensions[t->n++]), OK);
}

static void
text_done(struct text *t)
{
    buf_free(&t->der);
    buf_free(&t->rebuilt);
    buf_free(&t->name);
    for (size_t i = 0; i < ARRAY_LEN(t->scratch); i++)
        buf_free(&t->scratch[i]);
}

static void
text_rebuild(struct text *t)
{
    size_t whole = der_begin(&t->rebuilt, DER_SEQUENCE), tagged, list;

    for (int i = 0; i < FIELDS; i++)
        buf_add_str(&t->rebuilt, t->fields[i]);
    buf_add_str(&t->rebuilt, t->extra);
    if (!t->no_extensions) {
        tagged = der_begin(&t->rebuilt, DER_CONTEXT(3));
        list = der_begin(&t->rebuilt, DER_SEQUENCE);
        for (size_t i = 0; i < t->n; i++)
            buf_add_str(&t->rebuilt, t->extensions[i]);
        der_end(&t->rebuilt, list);
        der_end(&t->rebuilt, tagged);
    }
    der_end(&t->rebuilt, whole);
}

/* Replaces the value of an extension, keeping or turning its criticality. */
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
append(struct text *t, struct str oid, struct str value)
{
    t->extensions[t->n++] = pki_extension(&t->scratch[1], oid, false, value);
}

/* The value of an extension as it is. */
static struct str
value_of(const struct text *t, struct str oid)
{
    struct str in = t->extensions[pki_extension_index(t->extensions, t->n, oid)], content, ignored, value = STR_NULL;
    unsigned tag;

    assert_int_equal(der_expect(&in, DER_SEQUENCE, &content), OK);
    while (content.n > 0 && der_next(&content, &tag, &ignored) == OK)
        value = ignored;
    return value;
}

static struct str
dates(struct text *t, utime from, utime to, unsigned force)
{
    struct buf *out = &t->scratch[2];
    const size_t begun = der_begin(out, DER_SEQUENCE);

    if (force == 0) {
        assert_int_equal(der_add_time(out, from), OK);
        assert_int_equal(der_add_time(out, to), OK);
    } else {
        assert_int_equal(der_add_generalized_time(out, DER_GENERALIZED_TIME, from), OK);
        assert_int_equal(der_add_time(out, to), OK);
    }
    der_end(out, begun);
    return buf_view(out);
}

struct rdn {
    struct str type;
    unsigned tag;
    const char *text;
};

/* A name of these attributes takes the subject's place; the registration has the same, so that this is not what is found. */
static void
rename_to(struct text *t, const struct rdn *rdns, size_t n)
{
    struct buf *out = &t->scratch[3];
    const size_t begun = der_begin(out, DER_SEQUENCE);

    for (size_t i = 0; i < n; i++) {
        const size_t set = der_begin(out, DER_SET), pair = der_begin(out, DER_SEQUENCE);

        der_add_oid(out, rdns[i].type);
        der_add(out, rdns[i].tag, str_of(rdns[i].text));
        der_end(out, pair);
        der_end(out, set);
    }
    der_end(out, begun);
    t->fields[SUBJECT] = t->ctx.subject = buf_view(out);
}
#define RENAME(t, ...)                                                                              \
    rename_to((t), (const struct rdn[]){ __VA_ARGS__ }, sizeof((const struct rdn[]){ __VA_ARGS__ }) / sizeof(struct rdn))
#define COUNTRY { OID_AT_COUNTRY, DER_PRINTABLE_STRING, "FR" }

static void
rekey(struct text *t, const char *n)
{
    AUTO(buf_free) struct buf key = BUF_BOUNDED(4096), octets = BUF_BOUNDED(4096);
    struct buf *out = &t->scratch[2];
    unsigned char id[KEY_ID_LEN];
    AUTO(buf_free) struct buf value = BUF_BOUNDED(64);
    size_t outer, inner = der_begin(&key, DER_SEQUENCE);

    assert_int_equal(hex_decode(str_of(n), &octets), OK);
    der_add_unsigned(&key, (const unsigned char *)octets.data, octets.len);
    der_add_number(&key, DER_INTEGER, 65537);
    der_end(&key, inner);
    outer = der_begin(out, DER_SEQUENCE);
    inner = der_begin(out, DER_SEQUENCE);
    der_add_oid(out, OID_RSA_ENCRYPTION);
    der_add_null(out);
    der_end(out, inner);
    der_add_bit_string(out, buf_view(&key));
    der_end(out, outer);
    t->fields[KEY] = t->ctx.spki = buf_view(out);
    assert_int_equal(key_id(t->ctx.spki, id, NULL), OK);
    der_add(&value, DER_OCTET_STRING, (struct str){ (const char *)id, KEY_ID_LEN });
    replace(t, OID_CE_SUBJECT_KEY_IDENTIFIER, false, buf_view(&value));
}

/* --- the changes ------------------------------------------------------------------------------------------------------------ */

typedef void (*change)(struct text *t);
#define CHANGE(name) static void name(struct text *t)

CHANGE(cut) { t->no_extensions = true; }
CHANGE(version_1) { t->fields[VERSION] = STR_LIT("\xa0\x03\x02\x01\x01"); }
CHANGE(serial_negative) { t->fields[SERIAL] = STR_LIT("\x02\x09\x80" "12345678"); }
CHANGE(serial_short) { t->fields[SERIAL] = STR_LIT("\x02\x08" "12345678"); }
CHANGE(serial_long) { t->fields[SERIAL] = STR_LIT("\x02\x15" "123456789012345678901"); }
CHANGE(serial_other) { t->fields[SERIAL] = STR_LIT("\x02\x10" "1234567890123456"); }
CHANGE(algorithm_null) { t->fields[ALGORITHM] = STR_LIT("\x30\x0c\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02\x05\x00"); }
CHANGE(algorithm_rsa) { t->fields[ALGORITHM] = STR_LIT("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00"); }
CHANGE(issuer_other) { t->fields[ISSUER] = buf_view(&pki.root.name); }
CHANGE(unique_id) { t->extra = STR_LIT("\x82\x02\x00\x01"); }
CHANGE(validity_empty) { t->fields[VALIDITY] = STR_LIT("\x30\x00"); }
CHANGE(validity_form) { t->fields[VALIDITY] = dates(t, pki.now, t->in.not_after, DER_GENERALIZED_TIME); }
CHANGE(validity_order) { t->fields[VALIDITY] = dates(t, pki.now, pki.now - USEC_PER_SEC, 0); }
CHANGE(validity_life) { t->fields[VALIDITY] = dates(t, pki.now, t->in.not_after + USEC_PER_SEC, 0); }
CHANGE(validity_cap)
{
    t->profile.life.years = 6;       /* as if profile_check() had not been asked */
    t->fields[VALIDITY] = dates(t, pki.now, profile_add_years(pki.now, 5), 0);
}
CHANGE(validity_issuer) { t->ctx.issuer.not_after = t->in.not_after - USEC_PER_SEC; }
CHANGE(validity_before) { t->ctx.issuer.not_before = pki.now + USEC_PER_SEC; }
CHANGE(subject_shape) { RENAME(t, COUNTRY); }
CHANGE(subject_names_too)
{
    RENAME(t, COUNTRY, { OID_AT_COMMON_NAME, DER_UTF8_STRING, "PSEUDO:1" }, { OID_AT_GIVEN_NAME, DER_UTF8_STRING, "Marie" });
}
CHANGE(subject_string_type) { RENAME(t, COUNTRY, { OID_AT_COMMON_NAME, DER_PRINTABLE_STRING, "PSEUDO:1" }); }
CHANGE(subject_space) { RENAME(t, COUNTRY, { OID_AT_COMMON_NAME, DER_UTF8_STRING, "PSEUDO:1 " }); }
CHANGE(subject_long)
{
    RENAME(t, COUNTRY, { OID_AT_COMMON_NAME, DER_UTF8_STRING, "PSEUDO:1234567890123456789012345678901234567890123456789012345678" });
}
CHANGE(subject_country)
{
    RENAME(t, { OID_AT_COUNTRY, DER_PRINTABLE_STRING, "fr" }, { OID_AT_COMMON_NAME, DER_UTF8_STRING, "PSEUDO:1" });
}
CHANGE(subject_pseudonym) { RENAME(t, COUNTRY, { OID_AT_COMMON_NAME, DER_UTF8_STRING, "1" }); }
CHANGE(subject_test) { RENAME(t, COUNTRY, { OID_AT_COMMON_NAME, DER_UTF8_STRING, "TEST PSEUDO:1" }); }
CHANGE(subject_registration) { t->ctx.subject = buf_view(&pki.root.name); }
CHANGE(subject_generation) { RENAME(t, COUNTRY, { OID_AT_COMMON_NAME, DER_UTF8_STRING, "Beffroi Cartes" }); }
#define AGENT(identifier, unit)                                                                     \
    RENAME(t, COUNTRY, { OID_AT_ORGANIZATION, DER_UTF8_STRING, "Ville" },                           \
           { OID_AT_ORGANIZATION_IDENTIFIER, DER_UTF8_STRING, identifier },                         \
           { OID_AT_ORGANIZATIONAL_UNIT, DER_UTF8_STRING, unit }, { OID_AT_SURNAME, DER_UTF8_STRING, "A" }, \
           { OID_AT_GIVEN_NAME, DER_UTF8_STRING, "B" })
CHANGE(identifier_luhn) { AGENT("NTRFR-732829321", "0002 732829321"); }
CHANGE(identifier_differs) { AGENT("NTRFR-732829320", "0002 73282932000074"); }
CHANGE(identifier_prefix) { AGENT("VATFR-732829320", "0002 732829320"); }
CHANGE(server_name) { RENAME(t, COUNTRY, { OID_AT_COMMON_NAME, DER_UTF8_STRING, "other.example" }); }
CHANGE(key_other) { t->ctx.spki = buf_view(&pki.root.spki); }
CHANGE(key_weak) { rekey(t, RSA_VECTOR_ROCA); }
CHANGE(key_2030) { t->profile.rsa_min = 3072; rekey(t, RSA_VECTOR_SOUND); }
CHANGE(twice) { t->extensions[t->n] = t->extensions[0]; t->n++; }
CHANGE(unknown) { append(t, STR_LIT("\x2a\x03\x04"), (struct str){ "\x05\x00", 2 }); }
CHANGE(qc) { append(t, OID_PE_QC_STATEMENTS, (struct str){ "\x30\x00", 2 }); }
CHANGE(aki_critical) { replace(t, OID_CE_AUTHORITY_KEY_IDENTIFIER, true, value_of(t, OID_CE_AUTHORITY_KEY_IDENTIFIER)); }
CHANGE(ku_not_critical) { replace(t, OID_CE_KEY_USAGE, false, value_of(t, OID_CE_KEY_USAGE)); }
CHANGE(aki_missing) { drop(t, OID_CE_AUTHORITY_KEY_IDENTIFIER); }
CHANGE(aki_other) { t->ctx.issuer.key_id = (struct str){ (const char *)pki.root.key_id, KEY_ID_LEN }; }
CHANGE(ski_missing) { drop(t, OID_CE_SUBJECT_KEY_IDENTIFIER); }
CHANGE(ski_other) { replace(t, OID_CE_SUBJECT_KEY_IDENTIFIER, false, STR_LIT("\x04\x14" "12345678901234567890")); }
CHANGE(ku_missing) { drop(t, OID_CE_KEY_USAGE); }
CHANGE(ku_more) { replace(t, OID_CE_KEY_USAGE, true, STR_LIT("\x03\x02\x06\xc0")); }
CHANGE(eku_missing) { drop(t, OID_CE_EXT_KEY_USAGE); }
CHANGE(eku_any) { replace(t, OID_CE_EXT_KEY_USAGE, false, (struct str){ "\x30\x06\x06\x04\x55\x1d\x25\x00", 8 }); }
CHANGE(eku_empty) { replace(t, OID_CE_EXT_KEY_USAGE, false, (struct str){ "\x30\x00", 2 }); }
CHANGE(policy_missing) { drop(t, OID_CE_CERTIFICATE_POLICIES); }
CHANGE(policy_other) { replace(t, OID_CE_CERTIFICATE_POLICIES, false, STR_LIT("\x30\x06\x30\x04\x06\x02\x2a\x03")); }
CHANGE(san_unwanted) { append(t, OID_CE_SUBJECT_ALT_NAME, STR_LIT("\x30\x0b\x82\x09" "a.example")); }
CHANGE(san_missing) { drop(t, OID_CE_SUBJECT_ALT_NAME); }
CHANGE(san_other) { replace(t, OID_CE_SUBJECT_ALT_NAME, false, STR_LIT("\x30\x0b\x82\x09" "a.example")); }
CHANGE(bc_unwanted) { append(t, OID_CE_BASIC_CONSTRAINTS, (struct str){ "\x30\x00", 2 }); }
CHANGE(bc_missing) { drop(t, OID_CE_BASIC_CONSTRAINTS); }
CHANGE(bc_length) { replace(t, OID_CE_BASIC_CONSTRAINTS, true, STR_LIT("\x30\x06\x01\x01\xff\x02\x01\x01")); }
CHANGE(bc_unbounded) { replace(t, OID_CE_BASIC_CONSTRAINTS, true, STR_LIT("\x30\x03\x01\x01\xff")); }
CHANGE(nc_unwanted) { append(t, OID_CE_NAME_CONSTRAINTS, STR_LIT("\x30\x0f\xa0\x0d\x30\x0b\x82\x09" "a.example")); }
CHANGE(nc_missing) { t->ctx.permitted_dns = pki_dns; t->ctx.permitted_dns_n = 1; }
CHANGE(crl_missing) { drop(t, OID_CE_CRL_DISTRIBUTION_POINTS); }
CHANGE(crl_other) { t->ctx.urls.crl = STR_LIT("http://elsewhere.example/"); }
CHANGE(freshest_missing) { drop(t, OID_CE_FRESHEST_CRL); }
CHANGE(freshest_other) { t->ctx.urls.delta_crl = STR_LIT("http://elsewhere.example/"); }
CHANGE(aia_missing) { drop(t, OID_PE_AUTHORITY_INFO_ACCESS); }
CHANGE(aia_other) { t->ctx.urls.ocsp = STR_LIT("http://elsewhere.example/"); }
CHANGE(aia_issuers_other) { t->ctx.urls.ca_issuers = STR_LIT("http://elsewhere.example/"); }
CHANGE(no_check_missing) { drop(t, OID_OCSP_NO_CHECK); }
CHANGE(no_check_value) { replace(t, OID_OCSP_NO_CHECK, false, (struct str){ "\x30\x00", 2 }); }
CHANGE(no_check_unwanted) { append(t, OID_OCSP_NO_CHECK, (struct str){ "\x05\x00", 2 }); }

static void
test_each_rule(void **state)
{
#define ROW(profile, what, rule) { profile, #what, what, rule }
    static const struct {
        const char *profile, *label;
        change what;
        const char *rule;
    } rows[] = {
        ROW("citizen-card", cut, "cert.der"),
        ROW("citizen-card", version_1, "cert.version"),
        ROW("citizen-card", serial_negative, "cert.serial.sign"),
        ROW("citizen-card", serial_short, "cert.serial.length"),
        ROW("citizen-card", serial_long, "cert.serial.length"),
        ROW("citizen-card", serial_other, "cert.serial.reserved"),
        ROW("citizen-card", algorithm_null, "cert.signature_algorithm"),
        ROW("citizen-card", algorithm_rsa, "cert.signature_algorithm"),
        ROW("citizen-card", issuer_other, "cert.issuer_name"),
        ROW("citizen-card", unique_id, "cert.unique_id"),
        ROW("citizen-card", validity_empty, "cert.validity.read"),
        ROW("citizen-card", validity_form, "cert.validity.form"),
        ROW("citizen-card", validity_order, "cert.validity.order"),
        ROW("citizen-card", validity_life, "cert.validity.life"),
        ROW("citizen-card", validity_cap, "cert.validity.cap"),
        ROW("citizen-card", validity_issuer, "cert.validity.issuer"),
        ROW("citizen-card", validity_before, "cert.validity.issuer"),
        ROW("citizen-card", subject_shape, "cert.subject.attributes"),
        ROW("citizen-card", subject_names_too, "cert.subject.attributes"),
        ROW("citizen-card", subject_string_type, "cert.subject.string_type"),
        ROW("citizen-card", subject_space, "cert.subject.text"),
        ROW("citizen-card", subject_long, "cert.subject.text"),
        ROW("citizen-card", subject_country, "cert.subject.country"),
        ROW("citizen-card", subject_pseudonym, "cert.subject.pseudonym"),
        ROW("citizen-card", subject_test, "cert.subject.test"),
        ROW("citizen-card", subject_registration, "cert.subject.registration"),
        ROW("issuing-ca", subject_generation, "cert.subject.generation"),
        ROW("agent-card", identifier_luhn, "cert.subject.identifier"),
        ROW("agent-card", identifier_differs, "cert.subject.identifier"),
        ROW("agent-card", identifier_prefix, "cert.subject.identifier"),
        ROW("server", server_name, "cert.subject.server"),
        ROW("citizen-card", key_other, "cert.key.request"),
        ROW("citizen-card", key_weak, "cert.key.quality"),
        ROW("citizen-card", key_2030, "cert.key.profile"),
        ROW("citizen-card", twice, "cert.ext.duplicate"),
        ROW("citizen-card", unknown, "cert.ext.unknown"),
        ROW("citizen-card", qc, "cert.qc_statements"),
        ROW("citizen-card", aki_critical, "cert.ext.criticality"),
        ROW("citizen-card", ku_not_critical, "cert.ext.criticality"),
        ROW("citizen-card", aki_missing, "cert.aki"),
        ROW("citizen-card", aki_other, "cert.aki"),
        ROW("citizen-card", ski_missing, "cert.ski"),
        ROW("citizen-card", ski_other, "cert.ski"),
        ROW("citizen-card", ku_missing, "cert.key_usage"),
        ROW("citizen-card", ku_more, "cert.key_usage"),
        ROW("citizen-card", eku_missing, "cert.extended_key_usage"),
        ROW("citizen-card", eku_any, "cert.extended_key_usage"),
        ROW("citizen-card", eku_empty, "cert.extended_key_usage"),
        ROW("citizen-card", policy_missing, "cert.policy"),
        ROW("citizen-card", policy_other, "cert.policy"),
        ROW("citizen-card", san_unwanted, "cert.alt_name"),
        ROW("server", san_missing, "cert.alt_name"),
        ROW("server", san_other, "cert.alt_name"),
        ROW("citizen-card", bc_unwanted, "cert.basic_constraints"),
        ROW("issuing-ca", bc_missing, "cert.basic_constraints"),
        ROW("issuing-ca", bc_length, "cert.basic_constraints"),
        ROW("issuing-ca", bc_unbounded, "cert.basic_constraints"),
        ROW("issuing-ca", nc_unwanted, "cert.name_constraints"),
        ROW("issuing-ca", nc_missing, "cert.name_constraints"),
        ROW("citizen-card", crl_missing, "cert.crl"),
        ROW("citizen-card", crl_other, "cert.crl"),
        ROW("citizen-card", freshest_missing, "cert.freshest_crl"),
        ROW("citizen-card", freshest_other, "cert.freshest_crl"),
        ROW("citizen-card", aia_missing, "cert.aia"),
        ROW("citizen-card", aia_other, "cert.aia"),
        ROW("citizen-card", aia_issuers_other, "cert.aia"),
        ROW("responder", no_check_missing, "cert.no_check"),
        ROW("responder", no_check_value, "cert.no_check"),
        ROW("citizen-card", no_check_unwanted, "cert.no_check"),
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct text t;
        struct lint_report report;
        struct why why = WHY_INIT;
        char code[64];

        text_make(&t, rows[i].profile);
        assert_row(rows[i].label, lint_certificate(buf_view(&t.der), &t.ctx, &report) == 0);
        rows[i].what(&t);
        text_rebuild(&t);
        assert_row(rows[i].label, lint_certificate(buf_view(&t.rebuilt), &t.ctx, &report) >= 1);
        assert_row_string(rows[i].label, report.findings[0].rule, rows[i].rule);
        if (report.n != 1)
            fail_msg("%s: also %s (%s)", rows[i].label, report.findings[1].rule, report.findings[1].text);
        assert_int_equal(lint_judge(&report, &why), ERR_DENIED);
        snprintf(code, sizeof(code), "pki.lint.%s", rows[i].rule);
        assert_row_string(rows[i].label, why.code, code);
        text_done(&t);
    }
}

/* Without a change the pieces give the same octets, and every shipped profile's certificate is clean. */
static void
test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < pki.profiles.n; i++) {
        const char *name = pki.profiles.items[i]->name;
        struct lint_report report;
        struct text t;

        if (strcmp(name, "root-ca") == 0)
            continue;
        text_make(&t, name);
        text_rebuild(&t);
        assert_row(name, str_eq(buf_view(&t.der), buf_view(&t.rebuilt)));
        if (lint_certificate(buf_view(&t.der), &t.ctx, &report) != 0)
            fail_msg("%s: %s: %s", name, report.findings[0].rule, report.findings[0].text);
        assert_int_equal(lint_judge(&report, NULL), OK);
        text_done(&t);
    }
}

/* Name constraints and a statement of practice, which no shipped profile has, read back too. */
static void
test_good_variants(void **state)
{
    struct text t;
    struct lint_report report;

    (void)state;
    text_make(&t, "issuing-ca");
    t.in.permitted_dns = t.ctx.permitted_dns = pki_dns;
    t.in.permitted_dns_n = t.ctx.permitted_dns_n = 1;
    buf_reset(&t.der);
    assert_int_equal(certificate_tbs_encode(&t.in, &t.der, NULL), OK);
    assert_int_equal(lint_certificate(buf_view(&t.der), &t.ctx, &report), 0);
    t.ctx.permitted_dns_n = 2;
    assert_int_equal(lint_certificate(buf_view(&t.der), &t.ctx, &report), 1);
    assert_string_equal(report.findings[0].rule, "cert.name_constraints");
    text_done(&t);

    text_make(&t, "citizen-card");
    t.profile.cps = (char[]){ "https://ville.example/dpc" };
    t.in.profile = &t.profile;
    buf_reset(&t.der);
    assert_int_equal(certificate_tbs_encode(&t.in, &t.der, NULL), OK);
    assert_int_equal(lint_certificate(buf_view(&t.der), &t.ctx, &report), 0);
    t.profile.cps = (char[]){ "https://ville.example/other" };
    assert_int_equal(lint_certificate(buf_view(&t.der), &t.ctx, &report), 1);
    assert_string_equal(report.findings[0].rule, "cert.policy");
    text_done(&t);
}

/* Any octet of the text changed is found: there is no place that nobody looks at. */
static void
test_every_octet(void **state)
{
    struct text t;
    struct lint_report report;

    (void)state;
    text_make(&t, "agent-card");
    for (size_t i = 0; i < t.der.len; i++) {
        const struct str validity = t.fields[VALIDITY];
        const bool in_dates = t.der.data + i >= validity.p && t.der.data + i < validity.p + validity.n;

        t.der.data[i] ^= 1;
        /* a date within the bounds is as good as another */
        if (lint_certificate(buf_view(&t.der), &t.ctx, &report) == 0 && !in_dates)
            fail_msg("octet %zu", i);
        t.der.data[i] ^= 1;
    }
    text_done(&t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_good_variants),
        cmocka_unit_test(test_each_rule),
        cmocka_unit_test(test_every_octet),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
