/* digest: FIPS 180-4 and RFC 4231 examples. */
#include "tests/unit/crypto_support.h"

#include "base/crypto/digest.h"

static void
test_sha2(void **state)
{
    /* FIPS 180-4 examples (csrc.nist.gov, "SHA_All"): "abc" and the empty message. */
    static const struct {
        const char *message, *sha256, *sha384, *sha512;
    } rows[] = {
        { "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
          "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
          "8086072ba1e7cc2358baeca134c825a7",
          "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
          "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f" },
        { "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
          "38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da"
          "274edebfe76f65fbd51ad2f14898b95b",
          "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
          "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e" },
    };
    unsigned char out[SHA512_LEN];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        sha256(str_of(rows[i].message), out);
        assert_row(rows[i].message, equals_hex(out, SHA256_LEN, rows[i].sha256));
        sha384(str_of(rows[i].message), out);
        assert_row(rows[i].message, equals_hex(out, SHA384_LEN, rows[i].sha384));
        sha512(str_of(rows[i].message), out);
        assert_row(rows[i].message, equals_hex(out, SHA512_LEN, rows[i].sha512));
    }
    sha256(STR_NULL, out);
    assert_true(equals_hex(out, SHA256_LEN, rows[1].sha256));
    token_digest("abc", out);
    assert_true(equals_hex(out, SHA256_LEN, rows[0].sha256));
}

static void
test_hmac(void **state)
{
    /* RFC 4231 §4.2, §4.3, §4.4 and §4.7, SHA-256. */
    static const struct {
        const char *label, *key, *data, *want;
    } rows[] = {
        { "case 1", "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
          "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
        { "case 2", "4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
          "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
        { "case 3", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
          "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
          "dddddddddddddddddddddddddddddddd",
          "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe" },
        { "case 6",
          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
          "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a65204b"
          "6579202d2048617368204b6579204669727374",
          "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf key = bytes_of_hex(rows[i].key), data = bytes_of_hex(rows[i].data);
        const struct str parts[] = { { data.data, 3 }, STR_NULL, { data.data + 3, data.len - 3 } };
        unsigned char out[SHA256_LEN];

        hmac_sha256(buf_view(&key), parts, ARRAY_LEN(parts), out);
        assert_row(rows[i].label, equals_hex(out, sizeof(out), rows[i].want));
        buf_free(&key);
        buf_free(&data);
    }
}

static void
test_hmac_empty(void **state)
{
    unsigned char a[SHA256_LEN], b[SHA256_LEN];
    const unsigned char zeros[32] = { 0 };

    (void)state;
    /* RFC 2104: a key is padded with zeros, so that no key and 32 zeros are the same key. */
    hmac_sha256(STR_NULL, NULL, 0, a);
    hmac_sha256(str_from(zeros, sizeof(zeros)), NULL, 0, b);
    assert_memory_equal(a, b, sizeof(a));
    assert_true(equals_hex(a, sizeof(a), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"));
}

/* RFC 5869 appendix A, cases 1 to 3. */
static void
test_hkdf(void **state)
{
    static const struct {
        const char *ikm, *salt, *info;
        size_t n;
        const char *okm;
    } rows[] = {
        { "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c", "f0f1f2f3f4f5f6f7f8f9", 42,
          "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865" },
        { "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637"
          "38393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f",
          "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f9091929394959697"
          "98999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
          "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7"
          "e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", 82,
          "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8"
          "367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87" },
        { "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "", 42,
          "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf ikm = bytes_of_hex(rows[i].ikm), salt = bytes_of_hex(rows[i].salt), info = bytes_of_hex(rows[i].info);
        unsigned char okm[82];

        hkdf_sha256(buf_view(&ikm), buf_view(&salt), buf_view(&info), okm, rows[i].n);
        assert_row(rows[i].okm, equals_hex(okm, rows[i].n, rows[i].okm));
        buf_free(&ikm);
        buf_free(&salt);
        buf_free(&info);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sha2),
        cmocka_unit_test(test_hmac),
        cmocka_unit_test(test_hmac_empty),
        cmocka_unit_test(test_hkdf),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
