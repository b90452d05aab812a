/* wycheproof: Project Wycheproof's signature vectors (tests/data/wycheproof/README.md) through key_verify(). */
#include "tests/unit/crypto_support.h"

#include <jansson.h>

#include "base/crypto/jose.h"

static struct buf
hex(const json_t *text)
{
    struct buf b = BUF_BOUNDED(1 << 20);

    assert_int_equal(hex_decode(str_of(json_string_value(text)), &b), OK);
    return b;
}

static void
test_vectors(void **state)
{
    json_t *groups = json_load_file(TEST_DATA "/wycheproof/cases.json", 0, NULL);
    size_t i, k, valid = 0, invalid = 0, wrong = 0;
    const json_t *group, *row;

    (void)state;
    json_array_foreach(groups, i, group) {
        struct buf spki = hex(json_object_get(group, "spki"));
        const bool raw = json_is_true(json_object_get(group, "raw"));
        enum sig_alg alg;
        struct key *key = NULL;

        assert_int_equal(sig_alg_parse(json_string_value(json_object_get(group, "alg")), &alg), OK);
        assert_int_equal(key_public(buf_view(&spki), &key, NULL), OK);
        json_array_foreach(json_object_get(group, "tests"), k, row) {
            struct buf message = hex(json_array_get(row, 1)), sig = hex(json_array_get(row, 2));
            const char *const result = json_string_value(json_array_get(row, 3));
            const bool good = key_verify(key, alg, buf_view(&message), buf_view(&sig), raw, NULL) == OK;

            valid += strcmp(result, "valid") == 0;
            invalid += strcmp(result, "invalid") == 0;
            /* "acceptable": legacy forms (a missing NULL in the DigestInfo); we need none of them */
            if (good != (strcmp(result, "valid") == 0)) {
                print_error("%s, vector %d: %s, we %s\n", json_string_value(json_object_get(group, "alg")),
                            (int)json_integer_value(json_array_get(row, 0)), result, good ? "accept" : "refuse");
                wrong++;
            }
            buf_free(&message);
            buf_free(&sig);
        }
        key_free(key);
        buf_free(&spki);
    }
    json_decref(groups);
    assert_true(valid > 500 && invalid > 1000);
    assert_int_equal(wrong, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_vectors) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
