/*
 * key: the object and its allow-list; key_file.c reads and writes PEM, key_sign.c signs and verifies, key_cert.c makes
 * self-signed certificates, jwk.c speaks JWK, pkcs11.c speaks to tokens.
 *
 * What bites: an EC key with explicit parameters is refused even when they are those of P-256; RSA-PSS keys (the
 * restricted kind, RFC 4055) are refused, PS256 works on ordinary RSA keys.
 */
#include <pthread.h>

#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/params.h>

#include "base/crypto/der-oid.h"
#include "base/crypto/der.h"
#include "base/crypto/key-internal.h"
#include "base/crypto/pkcs11-internal.h"

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 8192
#define RSA_EXPONENT_BITS_MAX 64

const struct sig_alg_row sig_alg_rows[SIG_ALG_COUNT] = {
    [SIG_RS256] = { "RS256", KEY_RSA, OSSL_MD_SHA256, false, 0 },
    [SIG_PS256] = { "PS256", KEY_RSA, OSSL_MD_SHA256, true, 0 },
    [SIG_ES256] = { "ES256", KEY_P256, OSSL_MD_SHA256, false, 32 },
    [SIG_ES384] = { "ES384", KEY_P384, OSSL_MD_SHA384, false, 48 },
    [SIG_EDDSA] = { "EdDSA", KEY_ED25519, OSSL_MD_SHA512, false, 0 },
    [SIG_RS384] = { "RS384", KEY_RSA, OSSL_MD_SHA384, false, 0 },
    [SIG_RS512] = { "RS512", KEY_RSA, OSSL_MD_SHA512, false, 0 },
};

static enum err
rsa_check(const EVP_PKEY *pkey, struct why *why)
{
    AUTO(BN_freep) BIGNUM *n = NULL, *e = NULL;
    const int bits = EVP_PKEY_get_bits(pkey);

    if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX)
        return why_set(why, ERR_DENIED, "RSA key of %d bits (allowed: %d to %d)", bits, RSA_BITS_MIN, RSA_BITS_MAX);
    if (EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &n) != 1 ||
        EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e) != 1)
        return ossl_why(why, ERR_INTERNAL, "RSA numbers");
    if (!BN_is_odd(n) || !BN_is_odd(e) || BN_is_one(e) || BN_num_bits(e) > RSA_EXPONENT_BITS_MAX)
        return why_set(why, ERR_DENIED, "RSA modulus or exponent out of range");
    return OK;
}

static enum err
ec_check(EVP_PKEY *pkey, enum key_alg *ret_alg, struct why *why)
{
    AUTO(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = NULL;
    char group[32] = "";
    int explicit_params = 0;
    enum key_alg alg;

    if (EVP_PKEY_get_int_param(pkey, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &explicit_params) != 1 ||
        explicit_params != 0)
        return ossl_why(why, ERR_DENIED, "EC key with explicit parameters");
    if (EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL) != 1)
        return ossl_why(why, ERR_DENIED, "EC key without a named curve");
    if (strcmp(group, "prime256v1") == 0 || strcmp(group, "P-256") == 0)
        alg = KEY_P256;
    else if (strcmp(group, "secp384r1") == 0 || strcmp(group, "P-384") == 0)
        alg = KEY_P384;
    else
        return why_set(why, ERR_DENIED, "EC key on curve %s (allowed: P-256, P-384)", group);
    ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    /* on the curve and not at infinity: of a group of prime order, as both are, that is all (SP 800-56A §5.6.2.3.4) */
    if (ctx == NULL || EVP_PKEY_public_check_quick(ctx) != 1)
        return ossl_why(why, ERR_DENIED, "EC point is not valid");
    *ret_alg = alg;
    return OK;
}

static enum err
allow_list_check(EVP_PKEY *pkey, enum key_alg *ret_alg, struct why *why)
{
    enum err e;

    if (EVP_PKEY_is_a(pkey, "RSA")) {
        if ((e = rsa_check(pkey, why)) == OK)
            *ret_alg = KEY_RSA;
        return e;
    }
    if (EVP_PKEY_is_a(pkey, "EC"))
        return ec_check(pkey, ret_alg, why);
    if (EVP_PKEY_is_a(pkey, "ED25519")) {
        *ret_alg = KEY_ED25519;
        return OK;
    }
    return why_set(why, ERR_DENIED, "key type not in the allow-list (RSA, P-256, P-384, Ed25519)");
}

/* EC points leave us uncompressed: the only form that JWK, HPKE and our peers all know. */
static enum err
spki_encode(EVP_PKEY *pkey, enum key_alg alg, struct buf *ret, struct why *why)
{
    unsigned char *der = NULL;
    int n;

    if ((alg == KEY_P256 || alg == KEY_P384) &&
        EVP_PKEY_set_utf8_string_param(pkey, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                       OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_UNCOMPRESSED) != 1)
        return ossl_why(why, ERR_INTERNAL, "EC point format");
    if ((n = i2d_PUBKEY(pkey, &der)) <= 0)
        return ossl_why(why, ERR_INTERNAL, "SubjectPublicKeyInfo");
    buf_add(ret, der, (size_t)n);
    OPENSSL_free(der);
    return OK;
}

/* Takes pkey over. spki: the same key as canonical DER when the caller has it, else STR_NULL. */
static enum err
key_make(EVP_PKEY *pkey, enum key_alg alg, struct str spki, bool has_private, enum key_purpose purpose, struct key **ret, struct why *why)
{
    AUTO(EVP_PKEY_freep) EVP_PKEY *owned = pkey;
    AUTO(key_freep) struct key *k = mem_alloc(sizeof(*k));
    enum err e;

    atomic_init(&k->refs, 1);
    k->spki = (struct buf)BUF_BOUNDED(4096);
    k->alg = alg;
    k->bits = EVP_PKEY_get_bits(owned);
    k->purpose = purpose;
    k->has_private = has_private;
    if (spki.n > 0)
        buf_add_str(&k->spki, spki);
    else if ((e = spki_encode(owned, alg, &k->spki, why)) != OK)
        return e;
    k->pkey = TAKE(owned);
    *ret = TAKE(k);
    return OK;
}

enum err
key_from_evp(EVP_PKEY *pkey, bool has_private, enum key_purpose purpose, struct key **ret, struct why *why)
{
    enum key_alg alg = KEY_RSA;
    const enum err e = allow_list_check(pkey, &alg, why);

    if (e != OK) {
        EVP_PKEY_free(pkey);
        return e;
    }
    return key_make(pkey, alg, STR_NULL, has_private, purpose, ret, why);
}

/* --- public keys from outside ---------------------------------------------------------------------- */

/* Certificate ::= SEQUENCE { SEQUENCE, SEQUENCE, BIT STRING }; SubjectPublicKeyInfo ::= SEQUENCE { SEQUENCE, BIT STRING }.
 * Telling them apart here keeps the slow decoder from being asked twice. */
static enum err
is_certificate(struct str der, bool *ret)
{
    struct str outer, part;
    unsigned tag;

    if (der_expect(&der, DER_SEQUENCE, &outer) != OK || der.n != 0 ||
        der_expect(&outer, DER_SEQUENCE, &part) != OK || der_next(&outer, &tag, &part) != OK)
        return ERR_INPUT;
    if (tag != DER_SEQUENCE && tag != DER_BIT_STRING)
        return ERR_INPUT;
    *ret = tag == DER_SEQUENCE;
    return OK;
}

static enum err
rsa_read(struct str n, struct str e, EVP_PKEY **ret, enum key_alg *ret_alg, struct why *why)
{
    AUTO(EVP_PKEY_freep) EVP_PKEY *pkey = NULL;
    enum err result;

    if ((result = evp_from_rsa(n, e, &pkey, why)) != OK || (result = rsa_check(pkey, why)) != OK)
        return result;
    *ret = TAKE(pkey);
    *ret_alg = KEY_RSA;
    return OK;
}

/* A SubjectPublicKeyInfo of the forms that nearly all have, straight from its numbers: d2i_PUBKEY() takes 100 microseconds and
 * more to find the decoder, this a few. *ret stays NULL when it is of another form, which is not a fault yet. What it gives
 * is in the allow-list: a curve that we named, and a point that OpenSSL found on it; RSA of numbers that rsa_check() saw. */
static enum err
spki_read(struct str der, EVP_PKEY **ret, enum key_alg *ret_alg, struct why *why)
{
    struct str whole, algorithm, type, parameters, bits, numbers, n, e;

    if (der_check(der, 4096, NULL) != OK || der_expect(&der, DER_SEQUENCE, &whole) != OK ||
        der_expect(&whole, DER_SEQUENCE, &algorithm) != OK || der_expect(&algorithm, DER_OID, &type) != OK ||
        der_expect(&whole, DER_BIT_STRING, &bits) != OK || whole.n != 0 || bits.n < 2 || bits.p[0] != 0)
        return OK;
    bits = (struct str){ bits.p + 1, bits.n - 1 };
    if (str_eq(type, OID_RSA_ENCRYPTION)) {
        if (der_check(bits, 4096, NULL) != OK || der_expect(&algorithm, DER_NULL, &parameters) != OK || algorithm.n != 0 ||
            der_expect(&bits, DER_SEQUENCE, &numbers) != OK || der_expect(&numbers, DER_INTEGER, &n) != OK ||
            der_expect(&numbers, DER_INTEGER, &e) != OK || numbers.n != 0 || (n.p[0] & 0x80) != 0 || (e.p[0] & 0x80) != 0)
            return OK;
        n = n.p[0] == 0 ? (struct str){ n.p + 1, n.n - 1 } : n;
        e = e.p[0] == 0 ? (struct str){ e.p + 1, e.n - 1 } : e;
        return rsa_read(n, e, ret, ret_alg, why);
    }
    if (str_eq(type, OID_EC_PUBLIC_KEY) && bits.p[0] == 4 && der_expect(&algorithm, DER_OID, &parameters) == OK &&
        algorithm.n == 0) {
        *ret_alg = str_eq(parameters, OID_P256) ? KEY_P256 : KEY_P384;
        if (str_eq(parameters, OID_P256) ? bits.n == 65 : str_eq(parameters, OID_P384) && bits.n == 97)
            return evp_from_ec(*ret_alg, bits, ret, why);
    }
    return OK;
}

enum err
key_public(struct str der, struct key **ret, struct why *why)
{
    const unsigned char *p = str_bytes(der);
    const unsigned char *const end = p + der.n;
    EVP_PKEY *pkey = NULL;
    enum key_alg alg = KEY_RSA;
    bool certificate;
    enum err e;

    if (der.n > 65536 || is_certificate(der, &certificate) != OK)
        return why_set(why, ERR_INPUT, "neither a certificate nor a SubjectPublicKeyInfo");
    if (certificate) {
        AUTO(X509_freep) X509 *x = d2i_X509(NULL, &p, (long)der.n);

        if (x == NULL || p != end)
            return ossl_why(why, ERR_INPUT, "certificate");
        pkey = X509_get_pubkey(x);
    } else {
        if ((e = spki_read(der, &pkey, &alg, why)) != OK)
            return e;
        if (pkey != NULL)
            return key_make(pkey, alg, der, false, KEY_TLS, ret, why);
        pkey = d2i_PUBKEY(NULL, &p, (long)der.n);
        if (pkey != NULL && p != end) {
            EVP_PKEY_free(pkey);
            return why_set(why, ERR_INPUT, "bytes after the public key");
        }
    }
    if (pkey == NULL)
        return ossl_why(why, ERR_INPUT, "public key not understood");
    return key_from_evp(pkey, false, KEY_TLS, ret, why);
}

static enum err
evp_from_params(const char *type, OSSL_PARAM *params, EVP_PKEY **ret, struct why *why)
{
    AUTO(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *pkey = NULL;

    if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1) {
        EVP_PKEY_free(pkey);
        return ossl_why(why, ERR_INPUT, "%s public key", type);
    }
    *ret = pkey;
    return OK;
}

enum err
evp_from_rsa(struct str n, struct str e, EVP_PKEY **ret, struct why *why)
{
    AUTO(BN_freep) BIGNUM *bn_n = NULL, *bn_e = NULL;
    OSSL_PARAM_BLD *bld;
    OSSL_PARAM *params = NULL;
    enum err result;

    if (n.n == 0 || n.n > RSA_BITS_MAX / 8 || e.n == 0 || e.n > RSA_EXPONENT_BITS_MAX / 8)
        return why_set(why, ERR_DENIED, "RSA modulus or exponent out of range");
    bn_n = BN_bin2bn(str_bytes(n), (int)n.n, NULL);
    bn_e = BN_bin2bn(str_bytes(e), (int)e.n, NULL);
    bld = OSSL_PARAM_BLD_new();
    if (bld != NULL && bn_n != NULL && bn_e != NULL && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, bn_n) &&
        OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, bn_e))
        params = OSSL_PARAM_BLD_to_param(bld);
    result = params == NULL ? ossl_why(why, ERR_INTERNAL, "RSA parameters")
                            : evp_from_params("RSA", params, ret, why);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(bld);
    return result;
}

/* The two curves without a key, made once: a copy costs a sixth of setting up the group anew. */
static pthread_once_t curves_once = PTHREAD_ONCE_INIT;
static EVP_PKEY *curve_p256, *curve_p384;

static EVP_PKEY *
curve_make(const char *name)
{
    AUTO(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    char group[8] = "";
    OSSL_PARAM params[2] = { OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0), OSSL_PARAM_construct_end() };
    EVP_PKEY *curve = NULL;

    memcpy(group, name, sizeof("P-256"));
    CHECK(ctx != NULL && EVP_PKEY_fromdata_init(ctx) == 1 &&
          EVP_PKEY_fromdata(ctx, &curve, EVP_PKEY_KEY_PARAMETERS, params) == 1);
    return curve;
}

static void
curves_make(void)
{
    curve_p256 = curve_make("P-256");
    curve_p384 = curve_make("P-384");
}

enum err
evp_from_ec(enum key_alg curve, struct str point, EVP_PKEY **ret, struct why *why)
{
    const size_t coordinate = curve == KEY_P256 ? 32 : 48;
    AUTO(EVP_PKEY_freep) EVP_PKEY *pkey = NULL;

    CHECK(curve == KEY_P256 || curve == KEY_P384);
    if (point.n != 1 + 2 * coordinate || point.p[0] != 0x04)
        return why_set(why, ERR_INPUT, "EC point is not uncompressed or has a wrong length");
    CHECK(pthread_once(&curves_once, curves_make) == 0);
    /* it refuses a point that is not on the curve */
    if ((pkey = EVP_PKEY_dup(curve == KEY_P256 ? curve_p256 : curve_p384)) == NULL ||
        EVP_PKEY_set1_encoded_public_key(pkey, str_bytes(point), point.n) != 1)
        return ossl_why(why, ERR_INPUT, "EC public key");
    *ret = TAKE(pkey);
    return OK;
}

/* --- the object ------------------------------------------------------------------------------------ */

struct key *
key_ref(struct key *k)
{
    CHECK(atomic_fetch_add(&k->refs, 1) > 0);
    return k;
}

void
key_free(struct key *k)
{
    if (k == NULL || atomic_fetch_sub(&k->refs, 1) > 1)
        return;
    for (size_t i = 0; i < SIG_ALG_COUNT; i++) {
        EVP_PKEY_CTX_free(atomic_load(&k->sign_ctx[i]));
        EVP_PKEY_CTX_free(atomic_load(&k->verify_ctx[i]));
    }
    token_key_free(k->token);
    EVP_PKEY_free(k->pkey);
    buf_free(&k->spki);
    mem_freep(&k);
}

enum key_alg
key_algorithm(const struct key *k)
{
    return k->alg;
}

int
key_bits(const struct key *k)
{
    return k->bits;
}

bool
key_can_sign(const struct key *k, enum key_purpose purpose)
{
    switch (purpose) {
    case KEY_SAML_SIGN:
    case KEY_OIDC_SIGN:
    case KEY_AUDIT_SIGN:
    case KEY_CA_SIGN:
    case KEY_OCSP_SIGN:
    case KEY_PERSON_SIGN:
    case KEY_HOLDER_SIGN:
        return k->has_private && k->purpose == purpose;
    case KEY_SEAL:      /* opens, never signs */
    case KEY_TLS:       /* belongs to the TLS library */
        return false;
    }
    return false;
}

enum sig_alg
key_default_alg(const struct key *k)
{
    switch (k->alg) {
    case KEY_RSA:
        return SIG_RS256;
    case KEY_P256:
        return SIG_ES256;
    case KEY_P384:
        return SIG_ES384;
    case KEY_ED25519:
        return SIG_EDDSA;
    }
    panic("key algorithm %d", (int)k->alg);
}

void
key_spki(const struct key *k, struct buf *out)
{
    buf_add(out, k->spki.data, k->spki.len);
}

void
key_thumbprint(const struct key *k, char out[44])
{
    struct key *m = key_mutable(k);
    int none = THUMBPRINT_NONE;

    if (atomic_load(&m->thumbprint_state) == THUMBPRINT_READY) {
        memcpy(out, k->thumbprint, sizeof(k->thumbprint));
        return;
    }
    jwk_thumbprint(k, out);
    if (!atomic_compare_exchange_strong(&m->thumbprint_state, &none, THUMBPRINT_TAKEN))
        return;                        /* another thread keeps it */
    /* the analyzer of LLVM 14 forgets what m is over the exchange */
    memcpy(m->thumbprint, out, sizeof(m->thumbprint));       /* NOLINT(clang-analyzer-core.NonNullParamChecker) */
    atomic_store(&m->thumbprint_state, THUMBPRINT_READY);
}

struct evp_pkey_st *
key_evp(const struct key *k)
{
    return k->pkey;
}
