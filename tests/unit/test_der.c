/* der: strict reading, one rule broken at a time; writing; and back. */
#include "tests/unit/crypto_support.h"

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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_unsigned),
        cmocka_unit_test(test_write_lengths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
