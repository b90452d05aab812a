/*
 * jwk: public keys as JSON (RFC 7517, RFC 7518 §6, RFC 8037), written and read, and the thumbprint (RFC 7638).
 *
 * The writer emits the required members alone, in lexicographic order, without white space: the very text that RFC 7638
 * digests. The reader refuses private members: whoever publishes "d" has lost that key.
 */
#include <jansson.h>
#include <openssl/core_names.h>

#include "base/core/enc.h"
#include "base/crypto/digest.h"
#include "base/crypto/key-internal.h"

#define JWK_TEXT_MAX 8192
#define JWK_NUMBER_MAX 1024

static void
add_bn_member(struct buf *out, const char *name, const EVP_PKEY *pkey, const char *param)
{
    AUTO(BN_freep) BIGNUM *bn = NULL;
    unsigned char bytes[JWK_NUMBER_MAX];
    int n;

    CHECK(EVP_PKEY_get_bn_param(pkey, param, &bn) == 1 && BN_num_bytes(bn) <= JWK_NUMBER_MAX);
    n = BN_bn2bin(bn, bytes);
    buf_addf(out, "\"%s\":\"", name);
    base64url_encode(out, bytes, (size_t)n);
    buf_addc(out, '"');
}

static void
jwk_write_rsa(const struct key *k, struct buf *out)
{
    buf_addc(out, '{');
    add_bn_member(out, "e", k->pkey, OSSL_PKEY_PARAM_RSA_E);
    buf_add_lit(out, ",\"kty\":\"RSA\",");
    add_bn_member(out, "n", k->pkey, OSSL_PKEY_PARAM_RSA_N);
    buf_addc(out, '}');
}

static void
jwk_write_ec(const struct key *k, struct buf *out)
{
    const size_t half = k->alg == KEY_P256 ? 32 : 48;
    unsigned char point[1 + 2 * 48];
    size_t n = 0;

    /* key_from_evp() set the uncompressed form. */
    CHECK(EVP_PKEY_get_octet_string_param(k->pkey, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point), &n) == 1 &&
          n == 1 + 2 * half && point[0] == 0x04);
    buf_addf(out, "{\"crv\":\"%s\",\"kty\":\"EC\",\"x\":\"", k->alg == KEY_P256 ? "P-256" : "P-384");
    base64url_encode(out, point + 1, half);
    buf_add_lit(out, "\",\"y\":\"");
    base64url_encode(out, point + 1 + half, half);
    buf_add_lit(out, "\"}");
}

static void
jwk_write_okp(const struct key *k, struct buf *out)
{
    unsigned char x[32];
    size_t n = sizeof(x);

    CHECK(EVP_PKEY_get_raw_public_key(k->pkey, x, &n) == 1 && n == sizeof(x));
    buf_add_lit(out, "{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"");
    base64url_encode(out, x, n);
    buf_add_lit(out, "\"}");
}

void
key_jwk(const struct key *k, struct buf *out)
{
    switch (k->alg) {
    case KEY_RSA:
        jwk_write_rsa(k, out);
        return;
    case KEY_P256:
    case KEY_P384:
        jwk_write_ec(k, out);
        return;
    case KEY_ED25519:
        jwk_write_okp(k, out);
        return;
    }
}

void
jwk_thumbprint(const struct key *k, char out[KEY_THUMBPRINT_LEN + 1])
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(JWK_TEXT_MAX), b64 = BUF_BOUNDED(64);
    unsigned char digest[SHA256_LEN];

    key_jwk(k, &text);
    CHECK(buf_ok(&text));
    sha256(buf_view(&text), digest);
    base64url_encode(&b64, digest, sizeof(digest));
    CHECK(b64.len == KEY_THUMBPRINT_LEN);
    memcpy(out, buf_cstr(&b64), KEY_THUMBPRINT_LEN + 1);
}

/* --- reading ---------------------------------------------------------------------------------------- */

/* A base64url member appended to out. */
static enum err
member_decode(const json_t *jwk, const char *name, struct buf *out, struct why *why)
{
    const json_t *value = json_object_get(jwk, name);

    if (!json_is_string(value) || json_string_length(value) == 0 ||
        base64url_decode((struct str){ json_string_value(value), json_string_length(value) }, out) != OK ||
        !buf_ok(out))
        return why_set(why, ERR_INPUT, "JWK member %s is missing or malformed", name);
    return OK;
}

static enum err
jwk_read_rsa(const json_t *jwk, EVP_PKEY **ret, struct why *why)
{
    AUTO(buf_free) struct buf n = BUF_BOUNDED(JWK_NUMBER_MAX), e = BUF_BOUNDED(8);
    enum err result;

    if ((result = member_decode(jwk, "n", &n, why)) != OK || (result = member_decode(jwk, "e", &e, why)) != OK)
        return result;
    return evp_from_rsa(buf_view(&n), buf_view(&e), ret, why);
}

static enum err
jwk_read_ec(const json_t *jwk, EVP_PKEY **ret, struct why *why)
{
    AUTO(buf_free) struct buf point = BUF_BOUNDED(1 + 2 * 48);
    const char *crv = json_string_value(json_object_get(jwk, "crv"));
    enum key_alg alg;
    size_t half;
    enum err e;

    if (crv != NULL && strcmp(crv, "P-256") == 0)
        alg = KEY_P256;
    else if (crv != NULL && strcmp(crv, "P-384") == 0)
        alg = KEY_P384;
    else
        return why_set(why, ERR_DENIED, "JWK curve not in the allow-list");
    half = alg == KEY_P256 ? 32 : 48;
    buf_addc(&point, 0x04);
    if ((e = member_decode(jwk, "x", &point, why)) != OK)
        return e;
    if (point.len != 1 + half)        /* RFC 7518 §6.2.1.2: the full size of a coordinate */
        return why_set(why, ERR_INPUT, "JWK coordinate of a wrong length");
    if ((e = member_decode(jwk, "y", &point, why)) != OK)
        return e;
    return evp_from_ec(alg, buf_view(&point), ret, why);
}

static enum err
jwk_read_okp(const json_t *jwk, EVP_PKEY **ret, struct why *why)
{
    AUTO(buf_free) struct buf x = BUF_BOUNDED(32);
    const char *crv = json_string_value(json_object_get(jwk, "crv"));
    EVP_PKEY *pkey;
    enum err e;

    if (crv == NULL || strcmp(crv, "Ed25519") != 0)
        return why_set(why, ERR_DENIED, "JWK curve not in the allow-list");
    if ((e = member_decode(jwk, "x", &x, why)) != OK)
        return e;
    if (x.len != 32)
        return why_set(why, ERR_INPUT, "JWK coordinate of a wrong length");
    pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, str_bytes(buf_view(&x)), x.len);
    if (pkey == NULL)
        return ossl_why(why, ERR_INPUT, "Ed25519 public key");
    *ret = pkey;
    return OK;
}

/* RFC 7518 §6.2.2, §6.3.2, §6.4.1. */
static bool
jwk_has_private_member(const json_t *jwk)
{
    static const char *const names[] = { "d", "p", "q", "dp", "dq", "qi", "oth", "k" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (json_object_get(jwk, names[i]) != NULL)
            return true;
    return false;
}

static enum err
jwk_read(const json_t *jwk, struct key **ret, struct why *why)
{
    const char *kty = json_string_value(json_object_get(jwk, "kty"));
    EVP_PKEY *pkey = NULL;
    enum err e;

    if (kty == NULL)
        return why_set(why, ERR_INPUT, "JWK without kty");
    if (strcmp(kty, "oct") == 0)
        return why_set(why, ERR_DENIED, "a symmetric JWK is not a public key");
    if (jwk_has_private_member(jwk))
        return why_set(why, ERR_INPUT, "JWK with a private member");
    if (strcmp(kty, "RSA") == 0)
        e = jwk_read_rsa(jwk, &pkey, why);
    else if (strcmp(kty, "EC") == 0)
        e = jwk_read_ec(jwk, &pkey, why);
    else if (strcmp(kty, "OKP") == 0)
        e = jwk_read_okp(jwk, &pkey, why);
    else
        e = why_set(why, ERR_DENIED, "JWK key type not in the allow-list");
    if (e != OK)
        return e;
    return key_from_evp(pkey, false, KEY_TLS, ret, why);
}

enum err
key_from_jwk(struct str json, struct key **ret, struct why *why)
{
    json_error_t error;
    json_t *jwk;
    enum err e;

    if (json.n == 0 || json.n > JWK_TEXT_MAX)
        return why_set(why, ERR_INPUT, "JWK is empty or longer than %d bytes", JWK_TEXT_MAX);
    if ((jwk = json_loadb(json.p, json.n, JSON_REJECT_DUPLICATES, &error)) == NULL)
        return why_set(why, ERR_INPUT, "JWK is not JSON");
    e = json_is_object(jwk) ? jwk_read(jwk, ret, why) : why_set(why, ERR_INPUT, "JWK is not an object");
    json_decref(jwk);
    return e;
}
