/*
 * hpke: RFC 9180, base mode, DHKEM(P-256, HKDF-SHA256) and HKDF-SHA256, by hand on EVP: OpenSSL has it from 3.2 only.
 *
 *     Encap:   skE, pkE = DeriveKeyPair(random)        enc = pkE
 *              shared = ExtractAndExpand(DH(skE, pkR), enc || pkRm)
 *     Schedule: secret = LabeledExtract(shared, "secret", "")
 *              key, base_nonce = LabeledExpand(secret, "key" | "base_nonce", mode || psk_id_hash || info_hash)
 *     Seal:    enc || AES-GCM(key, base_nonce, aad, plaintext)
 *
 * One message per encapsulation: the sequence number is always 0 and no nonce can repeat. Base mode says nothing about
 * who sealed. The private half of the recipient may sit in a token: then the token computes DH.
 */
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/params.h>

#include "base/core/rand.h"
#include "base/crypto/digest.h"
#include "base/crypto/pkcs11-internal.h"
#include "base/crypto/seal-internal.h"

#define KEM_ID 0x0010              /* §7.1 DHKEM(P-256, HKDF-SHA256) */
#define KDF_ID 0x0001              /* §7.2 HKDF-SHA256 */

/* §4: suite_id of the KEM, and §5.1: of HPKE. */
static const unsigned char kem_suite[5] = { 'K', 'E', 'M', KEM_ID >> 8, KEM_ID & 0xff };

static struct str
hpke_suite(enum hpke_aead aead, unsigned char out[10])
{
    const unsigned char id[10] = { 'H', 'P', 'K', 'E', KEM_ID >> 8, KEM_ID & 0xff, KDF_ID >> 8, KDF_ID & 0xff,
                                   (unsigned char)(aead >> 8), (unsigned char)(aead & 0xff) };

    memcpy(out, id, sizeof(id));
    return str_from(out, sizeof(id));
}

/* §4 LabeledExtract(salt, label, ikm) = HKDF-Extract(salt, "HPKE-v1" || suite_id || label || ikm). */
static void
labeled_extract(struct str salt, struct str suite, const char *label, struct str ikm,
                unsigned char out[HPKE_SECRET_LEN])
{
    const struct str parts[] = { STR_LIT("HPKE-v1"), suite, str_of(label), ikm };

    hmac_sha256(salt, parts, ARRAY_LEN(parts), out);
}

/* §4 LabeledExpand(prk, label, info, L) = HKDF-Expand(prk, I2OSP(L, 2) || "HPKE-v1" || suite_id || label || info, L).
 * No output here is longer than one block of SHA-256: RFC 5869 §2.3 with N = 1. */
static void
labeled_expand(const unsigned char prk[HPKE_SECRET_LEN], struct str suite, const char *label, struct str info,
               unsigned char *out, size_t len)
{
    const unsigned char length[2] = { 0, (unsigned char)len }, one = 1;
    const struct str parts[] = { str_from(length, 2), STR_LIT("HPKE-v1"), suite,
                                 str_of(label),       info,               str_from(&one, 1) };
    unsigned char block[SHA256_LEN];

    CHECK(len <= sizeof(block));
    hmac_sha256(str_from(prk, HPKE_SECRET_LEN), parts, ARRAY_LEN(parts), block);
    memcpy(out, block, len);
    mem_wipe(block, sizeof(block));
}

/* --- DHKEM ------------------------------------------------------------------------------------------- */

/* The key pair of a scalar that is known to be in [1, order). */
static enum err
pkey_from_scalar(const BIGNUM *scalar, const EC_GROUP *group, BN_CTX *bn, EVP_PKEY **ret, struct why *why)
{
    AUTO(EC_POINT_clear_freep) EC_POINT *point = EC_POINT_new(group);
    AUTO(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    unsigned char octets[HPKE_ENC_LEN];
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    EVP_PKEY *pkey = NULL;
    bool good = point != NULL && ctx != NULL && bld != NULL;

    good = good && EC_POINT_mul(group, point, scalar, NULL, NULL, bn) == 1 &&
           EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, octets, sizeof(octets), bn) ==
               sizeof(octets) &&
           OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) == 1 &&
           OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, octets, sizeof(octets)) == 1 &&
           OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_PRIV_KEY, scalar) == 1 &&
           (params = OSSL_PARAM_BLD_to_param(bld)) != NULL && EVP_PKEY_fromdata_init(ctx) == 1 &&
           EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_KEYPAIR, params) == 1;
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(bld);
    if (!good) {
        EVP_PKEY_free(pkey);
        return ossl_why(why, ERR_INTERNAL, "key pair from scalar");
    }
    *ret = pkey;
    return OK;
}

/* §7.1.3: candidates are drawn until one is in range; for P-256 the bitmask is 0xff. */
enum err
hpke_derive_key_pair(struct str ikm, EVP_PKEY **ret, struct why *why)
{
    AUTO(EC_GROUP_freep) EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    AUTO(BN_CTX_freep) BN_CTX *bn = BN_CTX_secure_new();
    AUTO(BN_clear_freep) BIGNUM *scalar = BN_secure_new();
    unsigned char prk[HPKE_SECRET_LEN], candidate[HPKE_SECRET_LEN];
    const struct str suite = str_from(kem_suite, sizeof(kem_suite));
    enum err e = ERR_INTERNAL;
    bool found = false;

    if (group == NULL || bn == NULL || scalar == NULL)
        return ossl_why(why, ERR_INTERNAL, "P-256");
    labeled_extract(STR_NULL, suite, "dkp_prk", ikm, prk);
    for (unsigned counter = 0; counter <= 255 && !found; counter++) {
        const unsigned char octet = (unsigned char)counter;

        labeled_expand(prk, suite, "candidate", str_from(&octet, 1), candidate, sizeof(candidate));
        found = BN_bin2bn(candidate, sizeof(candidate), scalar) != NULL && !BN_is_zero(scalar) &&
                BN_cmp(scalar, EC_GROUP_get0_order(group)) < 0;
    }
    mem_wipe(prk, sizeof(prk));
    mem_wipe(candidate, sizeof(candidate));
    if (found)
        e = pkey_from_scalar(scalar, group, bn, ret, why);
    return found ? e : why_set(why, ERR_INTERNAL, "no scalar found");
}

static enum err
dh(EVP_PKEY *own, EVP_PKEY *peer, unsigned char out[32], struct why *why)
{
    AUTO(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, own, NULL);
    size_t n = 32;

    /* set_peer validates the public key (§7.1.4). */
    if (ctx == NULL || EVP_PKEY_derive_init(ctx) != 1 || EVP_PKEY_derive_set_peer(ctx, peer) != 1 ||
        EVP_PKEY_derive(ctx, out, &n) != 1 || n != 32)
        return ossl_why(why, ERR_DENIED, "ECDH");
    return OK;
}

static enum err
public_point(const EVP_PKEY *pkey, unsigned char out[HPKE_ENC_LEN], struct why *why)
{
    size_t n = 0;

    if (EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, out, HPKE_ENC_LEN, &n) != 1 ||
        n != HPKE_ENC_LEN || out[0] != 0x04)
        return ossl_why(why, ERR_INTERNAL, "public point");
    return OK;
}

/* §4.1 ExtractAndExpand(dh, kem_context). */
static void
extract_and_expand(const unsigned char shared_x[32], const unsigned char enc[HPKE_ENC_LEN],
                   const unsigned char recipient[HPKE_ENC_LEN], unsigned char out[HPKE_SECRET_LEN])
{
    const struct str suite = str_from(kem_suite, sizeof(kem_suite));
    unsigned char prk[HPKE_SECRET_LEN], context[2 * HPKE_ENC_LEN];

    memcpy(context, enc, HPKE_ENC_LEN);
    memcpy(context + HPKE_ENC_LEN, recipient, HPKE_ENC_LEN);
    labeled_extract(STR_NULL, suite, "eae_prk", str_from(shared_x, 32), prk);
    labeled_expand(prk, suite, "shared_secret", str_from(context, sizeof(context)), out, HPKE_SECRET_LEN);
    mem_wipe(prk, sizeof(prk));
}

enum err
hpke_encap(const struct key *recipient, struct str ikm_e, unsigned char enc[HPKE_ENC_LEN],
           unsigned char shared[HPKE_SECRET_LEN], struct why *why)
{
    AUTO(EVP_PKEY_freep) EVP_PKEY *ephemeral = NULL;
    unsigned char shared_x[32], point[HPKE_ENC_LEN];
    enum err e;

    if ((e = hpke_derive_key_pair(ikm_e, &ephemeral, why)) != OK ||
        (e = public_point(ephemeral, enc, why)) != OK || (e = public_point(recipient->pkey, point, why)) != OK ||
        (e = dh(ephemeral, recipient->pkey, shared_x, why)) != OK)
        return e;
    extract_and_expand(shared_x, enc, point, shared);
    mem_wipe(shared_x, sizeof(shared_x));
    return OK;
}

enum err
hpke_decap(const struct key *recipient, const unsigned char enc[HPKE_ENC_LEN],
           unsigned char shared[HPKE_SECRET_LEN], struct why *why)
{
    AUTO(EVP_PKEY_freep) EVP_PKEY *ephemeral = NULL;
    unsigned char shared_x[32], point[HPKE_ENC_LEN];
    enum err e;

    if (evp_from_ec(KEY_P256, str_from(enc, HPKE_ENC_LEN), &ephemeral, why) != OK)
        return ERR_DENIED;                /* whoever altered it, the answer is the same */
    if ((e = public_point(recipient->pkey, point, why)) != OK)
        return e;
    e = recipient->token != NULL ? token_key_ecdh(recipient->token, str_from(enc, HPKE_ENC_LEN), shared_x, why)
                                 : dh(recipient->pkey, ephemeral, shared_x, why);
    if (e != OK)
        return e;
    extract_and_expand(shared_x, enc, point, shared);
    mem_wipe(shared_x, sizeof(shared_x));
    return OK;
}

/* --- key schedule and messages ----------------------------------------------------------------------- */

void
hpke_key_schedule(enum hpke_aead aead, const unsigned char shared[HPKE_SECRET_LEN], struct str info,
                  struct hpke_context *ret)
{
    unsigned char suite_bytes[10], context[1 + 2 * SHA256_LEN] = { 0 /* mode_base */ }, secret[HPKE_SECRET_LEN];
    const struct str suite = hpke_suite(aead, suite_bytes);

    labeled_extract(STR_NULL, suite, "psk_id_hash", STR_NULL, context + 1);
    labeled_extract(STR_NULL, suite, "info_hash", info, context + 1 + SHA256_LEN);
    labeled_extract(str_from(shared, HPKE_SECRET_LEN), suite, "secret", STR_NULL, secret);
    ret->aead = aead;
    ret->key_len = aead == HPKE_AES_128_GCM ? 16 : 32;
    labeled_expand(secret, suite, "key", str_from(context, sizeof(context)), ret->key, ret->key_len);
    labeled_expand(secret, suite, "base_nonce", str_from(context, sizeof(context)), ret->nonce, HPKE_NONCE_LEN);
    mem_wipe(secret, sizeof(secret));
}

enum err
hpke_seal(enum hpke_aead aead, const struct key *recipient, struct str ikm_e, struct str info, struct str aad,
          struct str plain, struct buf *out, struct why *why)
{
    AUTO(buf_free) struct buf sealed = BUF_BOUNDED(SEAL_PLAIN_MAX + SEAL_OVERHEAD + 1);
    unsigned char enc[HPKE_ENC_LEN], shared[HPKE_SECRET_LEN];
    struct hpke_context context;
    enum err e;

    if ((e = hpke_encap(recipient, ikm_e, enc, shared, why)) != OK)
        return e;
    hpke_key_schedule(aead, shared, info, &context);
    buf_add(&sealed, enc, sizeof(enc));
    e = gcm_seal(str_from(context.key, context.key_len), context.nonce, aad, plain, &sealed, why);
    mem_wipe(shared, sizeof(shared));
    mem_wipe(&context, sizeof(context));
    if (e != OK)
        return e;
    buf_add_str(out, buf_view(&sealed));
    return buf_ok(out) ? OK : why_set(why, ERR_INTERNAL, "no room for the sealed bytes");
}

enum err
hpke_open(enum hpke_aead aead, const struct key *recipient, struct str info, struct str aad, struct str sealed,
          struct buf *out, struct why *why)
{
    unsigned char shared[HPKE_SECRET_LEN];
    struct hpke_context context;
    enum err e;

    if (sealed.n < HPKE_ENC_LEN + HPKE_TAG_LEN)
        return why_set(why, ERR_DENIED, "sealed bytes cut short");
    if ((e = hpke_decap(recipient, str_bytes(sealed), shared, why)) != OK)
        return e;
    hpke_key_schedule(aead, shared, info, &context);
    e = gcm_open(str_from(context.key, context.key_len), context.nonce, aad,
                 str_from(sealed.p + HPKE_ENC_LEN, sealed.n - HPKE_ENC_LEN), out, why);
    mem_wipe(shared, sizeof(shared));
    mem_wipe(&context, sizeof(context));
    return e;
}

/* --- what the product calls --------------------------------------------------------------------------- */

enum err
seal_to(const struct key *recipient, struct str info, struct str aad, struct str plain, struct buf *out,
        struct why *why)
{
    unsigned char ikm_e[HPKE_SECRET_LEN];
    enum err e;

    if (recipient->alg != KEY_P256 || (recipient->has_private && recipient->purpose != KEY_SEAL))
        return why_set(why, ERR_DENIED, "this key does not receive sealed messages");
    /* §4: GenerateKeyPair() may be DeriveKeyPair(random(Nsk)): our one source of randomness serves here too. */
    rand_bytes(ikm_e, sizeof(ikm_e));
    e = hpke_seal(HPKE_AES_256_GCM, recipient, str_from(ikm_e, sizeof(ikm_e)), info, aad, plain, out, why);
    mem_wipe(ikm_e, sizeof(ikm_e));
    return e;
}

enum err
seal_open(const struct key *recipient, struct str info, struct str aad, struct str sealed, struct buf *out,
          struct why *why)
{
    if (recipient->alg != KEY_P256 || !recipient->has_private || recipient->purpose != KEY_SEAL)
        return why_set(why, ERR_DENIED, "this key does not open sealed messages");
    return hpke_open(HPKE_AES_256_GCM, recipient, info, aad, sealed, out, why);
}
