/*
 * crypto_support: what the tests of base/crypto share: bytes from hexadecimal, a folder of their own, private keys
 * that are printed in specifications.
 */
#ifndef TESTS_UNIT_CRYPTO_SUPPORT_H
#define TESTS_UNIT_CRYPTO_SUPPORT_H

#include "tests/unit/support.h"

#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <openssl/core_names.h>
#include <openssl/param_build.h>

#include "base/core/enc.h"
#include "base/crypto/key-internal.h"
#include "tests/unit/jose_vectors.h"

#define TEST_FOLDER_MAX 256

/* Fails the test when text is not hexadecimal. The caller frees. */
static inline struct buf
bytes_of_hex(const char *text)
{
    struct buf b = BUF_BOUNDED(4096);

    assert_int_equal(hex_decode(str_of(text), &b), OK);
    assert_true(buf_ok(&b));
    return b;
}

static inline struct buf
bytes_of_b64url(const char *text)
{
    struct buf b = BUF_BOUNDED(4096);

    assert_int_equal(base64url_decode(str_of(text), &b), OK);
    assert_true(buf_ok(&b));
    return b;
}

static inline bool
equals_hex(const void *p, size_t n, const char *want)
{
    struct buf hex = BUF_BOUNDED(8192);
    bool same;

    hex_encode(&hex, p, n);
    same = strcmp(buf_cstr(&hex), want) == 0;
    buf_free(&hex);
    return same;
}

static inline void
folder_make(char out[TEST_FOLDER_MAX])
{
    const char *base = getenv("TMPDIR");

    (void)snprintf(out, TEST_FOLDER_MAX, "%s/beffroi-crypto-XXXXXX", base == NULL ? "/tmp" : base);
    assert_non_null(mkdtemp(out));
}

static inline int
folder_remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

static inline void
folder_remove(const char *path)
{
    (void)nftw(path, folder_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void
file_write(const char *path, const void *content, size_t n, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, n), (ssize_t)n);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

/* The RSA key of RFC 7520 §3.4. */
static inline struct key *
key_rfc7520_rsa(enum key_purpose purpose)
{
    static const struct {
        const char *name, *value;
    } numbers[] = { { OSSL_PKEY_PARAM_RSA_N, RFC7520_RSA_N },         { OSSL_PKEY_PARAM_RSA_E, "AQAB" },
                    { OSSL_PKEY_PARAM_RSA_D, RFC7520_RSA_D },         { OSSL_PKEY_PARAM_RSA_FACTOR1, RFC7520_RSA_P },
                    { OSSL_PKEY_PARAM_RSA_FACTOR2, RFC7520_RSA_Q },   { OSSL_PKEY_PARAM_RSA_EXPONENT1, RFC7520_RSA_DP },
                    { OSSL_PKEY_PARAM_RSA_EXPONENT2, RFC7520_RSA_DQ },
                    { OSSL_PKEY_PARAM_RSA_COEFFICIENT1, RFC7520_RSA_QI } };
    BIGNUM *bn[ARRAY_LEN(numbers)];
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    EVP_PKEY *pkey = NULL;
    struct key *k = NULL;

    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        struct buf b = bytes_of_b64url(numbers[i].value);

        bn[i] = BN_bin2bn((const unsigned char *)b.data, (int)b.len, NULL);
        assert_int_equal(OSSL_PARAM_BLD_push_BN(bld, numbers[i].name, bn[i]), 1);
        buf_free(&b);
    }
    params = OSSL_PARAM_BLD_to_param(bld);
    assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
    assert_int_equal(EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_KEYPAIR, params), 1);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(bld);
    for (size_t i = 0; i < ARRAY_LEN(bn); i++)
        BN_free(bn[i]);
    EVP_PKEY_CTX_free(ctx);
    assert_int_equal(key_from_evp(pkey, true, purpose, &k, NULL), OK);
    return k;
}

/* The Ed25519 key of RFC 8037 §A.1. */
static inline struct key *
key_rfc8037(enum key_purpose purpose)
{
    struct buf d = bytes_of_b64url(RFC8037_D);
    EVP_PKEY *pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, (const unsigned char *)d.data, d.len);
    struct key *k = NULL;

    buf_free(&d);
    assert_non_null(pkey);
    assert_int_equal(key_from_evp(pkey, true, purpose, &k, NULL), OK);
    return k;
}

#endif
