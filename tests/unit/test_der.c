/* der: strict reading and checking, one rule broken at a time; writing; and back. */
#include "tests/unit/crypto_support.h"

#include <openssl/objects.h>

#include "base/crypto/der-oid.h"
#include "base/crypto/der.h"

static void
test_read(void **state)
{
    static const struct {
        const char *label, *hex;
        enum err want;
        unsigned tag;
        size_t content, left;
    } rows[] = {
        { "empty octet string", "0400", OK, DER_OCTET_STRING, 0, 0 },
        { "something follows", "040161ff", OK, DER_OCTET_STRING, 1, 1 },
        { "long form where it is needed", NULL, OK, DER_OCTET_STRING, 128, 0 },
        { "nothing", "", ERR_INPUT, 0, 0, 0 },
        { "tag alone", "04", ERR_INPUT, 0, 0, 0 },
        { "cut short", "040261", ERR_INPUT, 0, 0, 0 },
        { "indefinite length", "30800000", ERR_INPUT, 0, 0, 0 },
        { "long form for a short length", "04810161", ERR_INPUT, 0, 0, 0 },
        { "leading zero in the length", "04820001", ERR_INPUT, 0, 0, 0 },
        { "length of five octets", "04850100000000", ERR_INPUT, 0, 0, 0 },
        { "length cut short", "0482", ERR_INPUT, 0, 0, 0 },
        { "length beyond all", "0484ffffffff", ERR_INPUT, 0, 0, 0 },
        { "high tag number", "1f0100", ERR_INPUT, 0, 0, 0 },
    };
    char long_form[2 * (3 + 128) + 1];

    (void)state;
    memset(long_form, '0', sizeof(long_form) - 1);
    long_form[sizeof(long_form) - 1] = '\0';
    memcpy(long_form, "048180", 6);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b = bytes_of_hex(rows[i].hex == NULL ? long_form : rows[i].hex);
        struct str in = buf_view(&b), content = STR_NULL;
        unsigned tag = 0;

        assert_row(rows[i].label, der_next(&in, &tag, &content) == rows[i].want);
        if (rows[i].want == OK) {
            assert_row(rows[i].label, tag == rows[i].tag && content.n == rows[i].content && in.n == rows[i].left);
        } else {
            assert_row(rows[i].label, in.n == b.len && content.p == NULL);
        }
        buf_free(&b);
    }
}

static void
test_unsigned(void **state)
{
    static const struct {
        const char *label, *hex;
        enum err want;
        const char *value;         /* padded to four bytes */
    } rows[] = {
        { "zero", "020100", OK, "00000000" },
        { "one", "020101", OK, "00000001" },
        { "high bit", "020200ff", OK, "000000ff" },
        { "full", "020500ffffffff", OK, "ffffffff" },
        { "empty", "0200", ERR_INPUT, NULL },
        { "negative", "0201ff", ERR_INPUT, NULL },
        { "needless zero", "0202007f", ERR_INPUT, NULL },
        { "too long", "02050100000000", ERR_INPUT, NULL },
        { "another tag", "040101", ERR_INPUT, NULL },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b = bytes_of_hex(rows[i].hex), again = BUF_BOUNDED(64);
        struct str in = buf_view(&b);
        unsigned char value[4];

        assert_row(rows[i].label, der_unsigned(&in, sizeof(value), value) == rows[i].want);
        if (rows[i].want == OK) {
            assert_row(rows[i].label, in.n == 0 && equals_hex(value, sizeof(value), rows[i].value));
            der_add_unsigned(&again, value, sizeof(value));
            assert_row(rows[i].label, equals_hex(again.data, again.len, rows[i].hex));
        } else {
            assert_row(rows[i].label, in.n == b.len);
        }
        buf_free(&b);
        buf_free(&again);
    }
}

static void
test_write_lengths(void **state)
{
    static const struct {
        size_t n;
        const char *head;
    } rows[] = { { 0, "0400" }, { 127, "047f" }, { 128, "048180" }, { 255, "0481ff" }, { 256, "04820100" },
                 { 65535, "0482ffff" }, { 65536, "0483010000" } };
    static char zeros[65536];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b = BUF_BOUNDED(70000);
        struct str in, content = STR_NULL;

        der_add(&b, DER_OCTET_STRING, (struct str){ zeros, rows[i].n });
        assert_row(rows[i].head, equals_hex(b.data, b.len - rows[i].n, rows[i].head));
        in = buf_view(&b);
        assert_row(rows[i].head, der_expect(&in, DER_OCTET_STRING, &content) == OK);
        assert_row(rows[i].head, content.n == rows[i].n && in.n == 0);
        buf_free(&b);
    }
}

/* --- der_check ---------------------------------------------------------------------------------------------------- */

/* Each pair: what is right, and the same with one rule broken. */
static void
test_check(void **state)
{
    static const struct {
        const char *rule, *good, *bad;
    } rows[] = {
        { "one element", "0500", "05000500" },
        { "not cut short", "30020500", "300205" },
        { "definite length", "30020500", "308005000000" },
        { "shortest length", "040161", "04810161" },
        { "low tag number", "9e0161", "9f1f0161" },
        { "BOOLEAN false", "010100", "010101" },
        { "BOOLEAN true", "0101ff", "010180" },
        { "BOOLEAN length", "010100", "01020000" },
        { "INTEGER positive", "02020080", "0203000080" },
        { "INTEGER negative", "0201ff", "0202ffff" },
        { "INTEGER content", "020100", "0200" },
        { "ENUMERATED", "0a0101", "0a020001" },
        { "BIT STRING unused bits zero", "03020780", "03020781" },
        { "BIT STRING count of unused bits", "03020780", "03020880" },
        { "BIT STRING empty", "030100", "030107" },
        { "BIT STRING content", "030100", "0300" },
        { "NULL", "0500", "050100" },
        { "OID minimal", "06025501", "0603558001" },
        { "OID ended", "06025501", "06025581" },
        { "OID content", "060155", "0600" },
        { "UTF8String", "0c02c3a9", "0c01e9" },
        { "PrintableString", "130141", "130140" },
        { "PrintableString without NUL", "130141", "13024100" },
        { "NumericString", "12023120", "120141" },
        { "IA5String", "160140", "160180" },
        { "VisibleString", "1a0140", "1a010a" },
        { "BMPString", "1e0200e9", "1e0100" },
        { "BMPString surrogate", "1e0200e9", "1e02d800" },
        { "UniversalString", "1c040000 0041", "1c0400110000" },
        { "UTCTime in UTC", "170d3236303130313030303030305a", "17113236303130313030303030302b30303030" },
        { "UTCTime seconds", "170d3236303130313030303030305a", "170b323630313031303030305a" },
        { "UTCTime exists", "170d3236303130313030303030305a", "170d3236313330313030303030305a" },
        { "GeneralizedTime", "180f32303236303130313030303030305a", "180e323032363031303130303030305a" },
        { "GeneralizedTime fraction", "181132303236303130313030303030302e355a", "181132303236303130313030303030302e305a" },
        { "GeneralizedTime comma", "181132303236303130313030303030302e355a", "181132303236303130313030303030302c355a" },
        { "constructed string", "0402 6162", "24060401610401 62" },
        { "primitive SEQUENCE", "3000", "1000" },
        { "EXTERNAL", "3000", "2800" },
        { "end of contents", "3000", "30020000" },
        { "SET OF in order", "3106020101020102", "3106020102020101" },
        { "SET in order of tags", "3105020101 0500", "31050500020101" },
        { "deep inside", "a0053003020101", "a0063004 02020001" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct why why = WHY_INIT;
        char good[128], bad[128];
        const char *const from[2] = { rows[i].good, rows[i].bad };
        char *const to[2] = { good, bad };

        for (size_t k = 0; k < 2; k++) {
            size_t n = 0;

            for (const char *c = from[k]; *c != '\0'; c++)
                if (*c != ' ')
                    to[k][n++] = *c;
            to[k][n] = '\0';
        }
        struct buf g = bytes_of_hex(good), b = bytes_of_hex(bad);

        assert_row(rows[i].rule, der_check(buf_view(&g), 64, &why) == OK && why.text[0] == '\0');
        assert_row(rows[i].rule, der_check(buf_view(&g), g.len, NULL) == OK);
        assert_row(rows[i].rule, der_check(buf_view(&g), g.len - 1, NULL) == ERR_INPUT);
        assert_row(rows[i].rule, der_check(buf_view(&b), 64, &why) == ERR_INPUT && why.text[0] != '\0');
        buf_free(&g);
        buf_free(&b);
    }
    assert_int_equal(der_check(STR_NULL, 64, NULL), ERR_INPUT);
}

static void
test_check_depth(void **state)
{
    for (int levels = DER_DEPTH_MAX; levels <= DER_DEPTH_MAX + 1; levels++) {
        struct buf b = BUF_BOUNDED(1024);
        size_t begun[DER_DEPTH_MAX + 1];

        (void)state;
        for (int i = 0; i < levels; i++)
            begun[i] = der_begin(&b, DER_SEQUENCE);
        for (int i = levels; i > 0; i--)
            der_end(&b, begun[i - 1]);
        assert_int_equal(der_check(buf_view(&b), 1024, NULL), levels <= DER_DEPTH_MAX ? OK : ERR_INPUT);
        buf_free(&b);
    }
}

/* --- contents ---------------------------------------------------------------------------------------------------- */

static void
test_contents(void **state)
{
    static const struct {
        const char *hex;
        enum err want;
        uint32_t value;
    } numbers[] = { { "00", OK, 0 }, { "7f", OK, 127 }, { "0080", OK, 128 }, { "00ffffffff", OK, UINT32_MAX }, { "", ERR_INPUT, 0 },
                    { "ff", ERR_INPUT, 0 }, { "0001", ERR_INPUT, 0 }, { "0100000000", ERR_INPUT, 0 } },
      bits[] = { { "00", OK, 0 }, { "0780", OK, 1 }, { "0106", OK, 1 << 5 | 1 << 6 }, { "070080", OK, 1 << 8 },
                 { "0700", ERR_INPUT, 0 }, { "0680", ERR_INPUT, 0 }, { "07c0", ERR_INPUT, 0 }, { "08ff", ERR_INPUT, 0 },
                 { "01", ERR_INPUT, 0 }, { "", ERR_INPUT, 0 }, { "00000000000001", ERR_INPUT, 0 } },
      truths[] = { { "00", OK, 0 }, { "ff", OK, 1 }, { "01", ERR_INPUT, 0 }, { "", ERR_INPUT, 0 }, { "0000", ERR_INPUT, 0 } };
    uint32_t value;
    bool truth;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        struct buf b = bytes_of_hex(numbers[i].hex);

        value = 0;
        assert_row(numbers[i].hex, der_number(buf_view(&b), UINT32_MAX, &value) == numbers[i].want && value == numbers[i].value);
        if (numbers[i].value > 0)
            assert_row(numbers[i].hex, der_number(buf_view(&b), numbers[i].value - 1, &value) == ERR_INPUT);
        buf_free(&b);
    }
    for (size_t i = 0; i < ARRAY_LEN(bits); i++) {
        struct buf b = bytes_of_hex(bits[i].hex), again = BUF_BOUNDED(64);

        value = 0;
        assert_row(bits[i].hex, der_named_bits(buf_view(&b), &value) == bits[i].want && value == bits[i].value);
        if (bits[i].want == OK) {
            der_add_named_bits(&again, DER_BIT_STRING, value);
            assert_row(bits[i].hex, equals_hex(again.data + 2, again.len - 2, bits[i].hex));
        }
        buf_free(&b);
        buf_free(&again);
    }
    for (size_t i = 0; i < ARRAY_LEN(truths); i++) {
        struct buf b = bytes_of_hex(truths[i].hex);

        truth = false;
        assert_row(truths[i].hex, der_truth(buf_view(&b), &truth) == truths[i].want && truth == (truths[i].value == 1));
        buf_free(&b);
    }
}

static void
test_optional(void **state)
{
    struct buf b = bytes_of_hex("0201050500");
    struct str in = buf_view(&b), content = STR_NULL;
    unsigned tag;

    (void)state;
    assert_false(der_optional(&in, DER_NULL, &content));
    assert_true(in.n == 5 && content.p == NULL);
    assert_true(der_optional(&in, DER_INTEGER, &content));
    assert_int_equal(content.n, 1);
    assert_int_equal(der_element(&in, &tag, &content), OK);
    assert_true(tag == DER_NULL && content.n == 2 && in.n == 0);
    assert_false(der_optional(&in, DER_NULL, &content));
    buf_free(&b);
}

/* --- times -------------------------------------------------------------------------------------------------------- */

static void
test_times(void **state)
{
    static const struct {
        int64_t seconds;
        const char *text;          /* UTCTime when 13 characters */
    } rows[] = { { 0, "700101000000Z" }, { -631152000, "500101000000Z" }, { 2524607999, "491231235959Z" },
                 { 2524608000, "20500101000000Z" }, { 253402300799, "99991231235959Z" }, { 951782400, "000229000000Z" } };
    struct buf b = BUF_BOUNDED(64);
    utime t = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct str in, text;

        buf_reset(&b);
        assert_int_equal(der_add_time(&b, rows[i].seconds * USEC_PER_SEC + 999999), OK);
        in = buf_view(&b);
        assert_row(rows[i].text, der_expect(&in, strlen(rows[i].text) == 13 ? DER_UTC_TIME : DER_GENERALIZED_TIME, &text) == OK);
        assert_row(rows[i].text, str_eqs(text, rows[i].text));
        in = buf_view(&b);
        assert_row(rows[i].text, der_time(&in, &t) == OK && in.n == 0 && t == rows[i].seconds * USEC_PER_SEC);
        assert_row(rows[i].text, der_check(buf_view(&b), 64, NULL) == OK);
        buf_reset(&b);
        assert_int_equal(der_add_generalized_time(&b, DER_GENERALIZED_TIME, rows[i].seconds * USEC_PER_SEC), OK);
        in = buf_view(&b);
        assert_row(rows[i].text, b.len == 17 && der_time(&in, &t) == OK && t == rows[i].seconds * USEC_PER_SEC);
    }
    buf_reset(&b);
    assert_int_equal(der_add_time(&b, INT64_C(-631152001) * USEC_PER_SEC), ERR_INPUT);
    assert_int_equal(der_add_time(&b, INT64_C(253402300800) * USEC_PER_SEC), ERR_INPUT);
    assert_int_equal(der_add_generalized_time(&b, DER_GENERALIZED_TIME, INT64_C(253402300800) * USEC_PER_SEC), ERR_INPUT);
    assert_int_equal(b.len, 0);
    static const char *const bad[] = { "270229000000Z", "261301000000Z", "260100000000Z", "260101240000Z", "260101006000Z",
                                       "260101000060Z", "2601010000Z", "260101000000+", "26010100000aZ" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct str in;

        buf_reset(&b);
        der_add(&b, DER_UTC_TIME, str_of(bad[i]));
        in = buf_view(&b);
        assert_row(bad[i], der_time(&in, &t) == ERR_INPUT && in.n == b.len);
    }
    buf_free(&b);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static void
test_write(void **state)
{
    struct buf b = BUF_BOUNDED(1024);
    size_t outer, inner;

    (void)state;
    outer = der_begin(&b, DER_SEQUENCE);
    der_add_number(&b, DER_INTEGER, 0);
    der_add_number(&b, DER_ENUMERATED, 127);
    der_add_number(&b, DER_CONTEXT_PRIMITIVE(0), 128);
    der_add_number(&b, DER_INTEGER, UINT64_MAX);
    der_add_number(&b, DER_INTEGER, INT64_MAX);
    inner = der_begin(&b, DER_CONTEXT(3));
    der_add_true(&b, DER_BOOLEAN);
    der_add_null(&b);
    der_end(&b, inner);
    der_add_bit_string(&b, STR_LIT("\xab"));
    der_add_oid(&b, OID_CE_KEY_USAGE);
    assert_int_equal(der_add_printable(&b, STR_LIT("A")), OK);
    assert_int_equal(der_add_printable(&b, STR_LIT("@")), ERR_INPUT);
    assert_int_equal(der_add_utf8(&b, STR_LIT("\xc3\xa9")), OK);
    assert_int_equal(der_add_utf8(&b, STR_LIT("\xe9")), ERR_INPUT);
    der_end(&b, outer);
    assert_true(equals_hex(b.data, b.len, "3036" "020100" "0a017f" "80020080" "020900ffffffffffffffff" "02087fffffffffffffff"
                           "a3050101ff0500" "030200ab" "0603551d0f" "130141" "0c02c3a9"));
    assert_int_equal(der_check(buf_view(&b), 1024, NULL), OK);
    buf_free(&b);
}

/* What was written forward is the same as wrapped from inside, at the borders of each length. */
static void
test_write_moves(void **state)
{
    static const size_t sizes[] = { 0, 1, 123, 124, 125, 126, 127, 128, 129, 255, 256, 257, 65530, 65535, 65536, 70000 };
    static char zeros[70000];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct buf forward = BUF_BOUNDED(80000), inner = BUF_BOUNDED(80000), wrapped = BUF_BOUNDED(80000);
        const size_t outer = der_begin(&forward, DER_SEQUENCE), set = der_begin(&forward, DER_SET);
        const struct str content = { zeros, sizes[i] };

        der_add(&forward, DER_OCTET_STRING, content);
        der_end(&forward, set);
        der_add_null(&forward);
        der_end(&forward, outer);
        der_add(&inner, DER_OCTET_STRING, content);
        der_add(&wrapped, DER_SET, buf_view(&inner));
        der_add_null(&wrapped);
        buf_reset(&inner);
        der_add(&inner, DER_SEQUENCE, buf_view(&wrapped));
        assert_true(str_eq(buf_view(&forward), buf_view(&inner)));
        buf_free(&forward);
        buf_free(&inner);
        buf_free(&wrapped);
    }
}

static void
test_write_ceiling(void **state)
{
    (void)state;
    for (size_t max = 0; max < 140; max++) {
        struct buf b = BUF_BOUNDED(max);
        const size_t outer = der_begin(&b, DER_SEQUENCE), set = der_begin(&b, DER_SET);
        static char zeros[128];

        der_add(&b, DER_OCTET_STRING, (struct str){ zeros, sizeof(zeros) });
        der_end_set_of(&b, set);
        der_end(&b, outer);
        assert_true(buf_ok(&b) == (max >= 137));
        buf_free(&b);
    }
}

static void
test_write_set_of(void **state)
{
    struct buf b = BUF_BOUNDED(256);
    size_t set = der_begin(&b, DER_SET);

    (void)state;
    der_add(&b, DER_OCTET_STRING, STR_LIT("b"));
    der_add(&b, DER_OCTET_STRING, STR_LIT("aa"));
    der_add_number(&b, DER_INTEGER, 1);
    der_add(&b, DER_OCTET_STRING, STR_LIT("a"));
    der_end_set_of(&b, set);
    assert_true(equals_hex(b.data, b.len, "310d" "020101" "040161" "040162" "04026161"));
    assert_int_equal(der_check(buf_view(&b), 256, NULL), OK);
    buf_reset(&b);
    set = der_begin(&b, DER_SET);
    der_end_set_of(&b, set);
    assert_true(equals_hex(b.data, b.len, "3100"));
    buf_free(&b);
}

/* --- object identifiers ------------------------------------------------------------------------------------------- */

static void
test_oid(void **state)
{
    static const struct {
        const char *dotted, *hex;
    } good[] = { { "2.5.29.15", "551d0f" }, { "1.2.250.1.999", "2a817a018767" }, { "0.0", "00" }, { "0.39", "27" }, { "1.0", "28" },
                 { "1.39", "4f" }, { "2.0", "50" }, { "2.40", "78" }, { "2.999.3", "883703" }, { "2.5.0", "5500" },
                 { "1.2.18446744073709551615", "2a81ffffffffffffffff7f" } };
    static const char *const bad[] = { "", "1", "1.", ".1", "1..2", "1.2.", "3.1", "0.40", "1.40", "1.02", "01.2", "1.2.-3", "1.2a",
                                       " 1.2", "1.2.18446744073709551616", "2.18446744073709551615", "1,2" };
    struct buf b = BUF_BOUNDED(256), text = BUF_BOUNDED(256);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        buf_reset(&b);
        buf_reset(&text);
        assert_row(good[i].dotted, der_oid_parse(str_of(good[i].dotted), &b) == OK);
        assert_row(good[i].dotted, equals_hex(b.data, b.len, good[i].hex));
        assert_row(good[i].dotted, der_oid_text(buf_view(&b), &text) == OK);
        assert_row_string(good[i].dotted, buf_cstr(&text), good[i].dotted);
    }
    buf_reset(&b);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_row(bad[i], der_oid_parse(str_of(bad[i]), &b) == ERR_INPUT && b.len == 0);
    buf_reset(&text);
    assert_int_equal(der_oid_text(STR_LIT("\x55\x80\x01"), &text), ERR_INPUT);
    assert_int_equal(der_oid_text(STR_LIT("\x55\x81"), &text), ERR_INPUT);
    assert_int_equal(der_oid_text(STR_LIT("\x2a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), &text), ERR_INPUT);
    assert_int_equal(text.len, 0);
    buf_free(&b);
    buf_free(&text);
}

/* The constants, against another table of the same. */
static void
test_oid_constants(void **state)
{
    const struct {
        struct str oid;
        const char *name;          /* OpenSSL's short name */
    } rows[] = {
        { OID_AT_COMMON_NAME, "CN" }, { OID_AT_SURNAME, "SN" }, { OID_AT_SERIAL_NUMBER, "serialNumber" }, { OID_AT_COUNTRY, "C" },
        { OID_AT_LOCALITY, "L" }, { OID_AT_STATE, "ST" }, { OID_AT_ORGANIZATION, "O" }, { OID_AT_ORGANIZATIONAL_UNIT, "OU" },
        { OID_AT_TITLE, "title" }, { OID_AT_GIVEN_NAME, "GN" }, { OID_AT_PSEUDONYM, "pseudonym" },
        { OID_AT_ORGANIZATION_IDENTIFIER, "organizationIdentifier" }, { OID_AT_EMAIL, "emailAddress" }, { OID_AT_DOMAIN_COMPONENT, "DC" },
        { OID_CE_SUBJECT_KEY_IDENTIFIER, "subjectKeyIdentifier" }, { OID_CE_KEY_USAGE, "keyUsage" },
        { OID_CE_SUBJECT_ALT_NAME, "subjectAltName" }, { OID_CE_ISSUER_ALT_NAME, "issuerAltName" },
        { OID_CE_BASIC_CONSTRAINTS, "basicConstraints" }, { OID_CE_CRL_NUMBER, "crlNumber" }, { OID_CE_REASON_CODE, "CRLReason" },
        { OID_CE_INVALIDITY_DATE, "invalidityDate" }, { OID_CE_DELTA_CRL_INDICATOR, "deltaCRL" },
        { OID_CE_ISSUING_DISTRIBUTION_POINT, "issuingDistributionPoint" }, { OID_CE_CERTIFICATE_ISSUER, "certificateIssuer" },
        { OID_CE_NAME_CONSTRAINTS, "nameConstraints" }, { OID_CE_CRL_DISTRIBUTION_POINTS, "crlDistributionPoints" },
        { OID_CE_CERTIFICATE_POLICIES, "certificatePolicies" }, { OID_CE_POLICY_MAPPINGS, "policyMappings" },
        { OID_CE_AUTHORITY_KEY_IDENTIFIER, "authorityKeyIdentifier" }, { OID_CE_POLICY_CONSTRAINTS, "policyConstraints" },
        { OID_CE_EXT_KEY_USAGE, "extendedKeyUsage" }, { OID_CE_FRESHEST_CRL, "freshestCRL" },
        { OID_CE_INHIBIT_ANY_POLICY, "inhibitAnyPolicy" }, { OID_PE_AUTHORITY_INFO_ACCESS, "authorityInfoAccess" },
        { OID_PE_QC_STATEMENTS, "qcStatements" }, { OID_ANY_POLICY, "anyPolicy" }, { OID_QT_CPS, "id-qt-cps" },
        { OID_KP_ANY, "anyExtendedKeyUsage" }, { OID_KP_SERVER_AUTH, "serverAuth" }, { OID_KP_CLIENT_AUTH, "clientAuth" },
        { OID_KP_CODE_SIGNING, "codeSigning" }, { OID_KP_EMAIL_PROTECTION, "emailProtection" }, { OID_KP_TIME_STAMPING, "timeStamping" },
        { OID_KP_OCSP_SIGNING, "OCSPSigning" }, { OID_KP_SMARTCARD_LOGON, "msSmartcardLogin" }, { OID_AD_OCSP, "OCSP" },
        { OID_AD_CA_ISSUERS, "caIssuers" }, { OID_OCSP_BASIC, "basicOCSPResponse" }, { OID_OCSP_NONCE, "Nonce" },
        { OID_OCSP_NO_CHECK, "noCheck" }, { OID_OCSP_ARCHIVE_CUTOFF, "archiveCutoff" },
        { OID_OCSP_EXTENDED_REVOKE, "1.3.6.1.5.5.7.48.1.9" },
        { OID_RSA_ENCRYPTION, "rsaEncryption" }, { OID_RSASSA_PSS, "RSASSA-PSS" }, { OID_SHA256_WITH_RSA, "RSA-SHA256" },
        { OID_SHA384_WITH_RSA, "RSA-SHA384" }, { OID_SHA512_WITH_RSA, "RSA-SHA512" }, { OID_EC_PUBLIC_KEY, "id-ecPublicKey" },
        { OID_P256, "prime256v1" }, { OID_P384, "secp384r1" }, { OID_ECDSA_WITH_SHA256, "ecdsa-with-SHA256" },
        { OID_ECDSA_WITH_SHA384, "ecdsa-with-SHA384" }, { OID_ED25519, "ED25519" }, { OID_SHA1, "SHA1" }, { OID_SHA256, "SHA256" },
        { OID_PKCS7_DATA, "pkcs7-data" }, { OID_PKCS7_SIGNED_DATA, "pkcs7-signedData" },
        { OID_PKCS9_CHALLENGE_PASSWORD, "challengePassword" }, { OID_PKCS9_EXTENSION_REQUEST, "extReq" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        ASN1_OBJECT *o = OBJ_txt2obj(rows[i].name, 0);

        assert_row(rows[i].name, o != NULL && der_is_oid(rows[i].oid));
        assert_row(rows[i].name, str_eq(rows[i].oid, (struct str){ (const char *)OBJ_get0_data(o), OBJ_length(o) }));
        ASN1_OBJECT_free(o);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),          cmocka_unit_test(test_unsigned),      cmocka_unit_test(test_write_lengths),
        cmocka_unit_test(test_check),         cmocka_unit_test(test_check_depth),   cmocka_unit_test(test_contents),
        cmocka_unit_test(test_optional),      cmocka_unit_test(test_times),         cmocka_unit_test(test_write),
        cmocka_unit_test(test_write_moves),   cmocka_unit_test(test_write_ceiling), cmocka_unit_test(test_write_set_of),
        cmocka_unit_test(test_oid),           cmocka_unit_test(test_oid_constants),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
