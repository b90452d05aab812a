/*
 * key_sign: signatures made and verified.
 *
 * RSA and ECDSA sign a digest that we compute, with a copy of a context that was initialised once (key-internal.h);
 * in 3.0 a fresh context costs algorithm look-ups and, for RSA, a check of the key each time. Ed25519 takes the whole
 * message and gets a fresh context: its provider has no digest interface.
 *
 * ECDSA comes as DER (Ecdsa-Sig-Value, RFC 3279 §2.2.3) or as R || S in fixed length (RFC 7518 §3.4, XML Signature);
 * the caller says which, and only that form is accepted.
 */
#include <openssl/rsa.h>

#include "base/crypto/der.h"
#include "base/crypto/digest.h"
#include "base/crypto/key-internal.h"
#include "base/crypto/pkcs11-internal.h"

#define EC_HALF_MAX 48

static enum err
ctx_prepare(const struct key *k, enum sig_alg alg, bool sign, EVP_PKEY_CTX **ret, struct why *why)
{
    const struct sig_alg_row *row = &sig_alg_rows[alg];
    AUTO(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, k->pkey, NULL);

    if (ctx == NULL || (sign ? EVP_PKEY_sign_init(ctx) : EVP_PKEY_verify_init(ctx)) != 1 ||
        EVP_PKEY_CTX_set_signature_md(ctx, ossl_md(row->md)) != 1)
        return ossl_why(why, ERR_INTERNAL, "%s context", row->name);
    if (row->key == KEY_RSA &&
        EVP_PKEY_CTX_set_rsa_padding(ctx, row->pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING) != 1)
        return ossl_why(why, ERR_INTERNAL, "%s padding", row->name);
    if (row->pss && (EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, ossl_md(row->md)) != 1 ||
                     EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) != 1))
        return ossl_why(why, ERR_INTERNAL, "%s parameters", row->name);
    *ret = TAKE(ctx);
    return OK;
}

/* A copy of the prepared context, which is made at first use; of two threads that make it, one wins. */
static enum err
ctx_get(const struct key *k, enum sig_alg alg, bool sign, EVP_PKEY_CTX **ret, struct why *why)
{
    _Atomic(EVP_PKEY_CTX *) *slot = sign ? &key_mutable(k)->sign_ctx[alg] : &key_mutable(k)->verify_ctx[alg];
    EVP_PKEY_CTX *prepared = atomic_load(slot), *copy;
    enum err e;

    if (prepared == NULL) {
        EVP_PKEY_CTX *fresh = NULL;

        if ((e = ctx_prepare(k, alg, sign, &fresh, why)) != OK)
            return e;
        if (atomic_compare_exchange_strong(slot, &prepared, fresh))
            prepared = fresh;
        else
            EVP_PKEY_CTX_free(fresh);
    }
    if ((copy = EVP_PKEY_CTX_dup(prepared)) == NULL)
        return ossl_why(why, ERR_INTERNAL, "copy of the %s context", sig_alg_rows[alg].name);
    *ret = copy;
    return OK;
}

/* --- the two forms of an ECDSA signature ------------------------------------------------------------- */

static enum err
ecdsa_to_raw(struct str der, size_t half, unsigned char raw[2 * EC_HALF_MAX])
{
    struct str pair;
    enum err e;

    if ((e = der_expect(&der, DER_SEQUENCE, &pair)) != OK || (e = der_unsigned(&pair, half, raw)) != OK ||
        (e = der_unsigned(&pair, half, raw + half)) != OK)
        return e;
    return der.n == 0 && pair.n == 0 ? OK : ERR_INPUT;
}

static void
ecdsa_to_der(const unsigned char *raw, size_t half, struct buf *out)
{
    AUTO(buf_free) struct buf pair = BUF_BOUNDED(256);

    der_add_unsigned(&pair, raw, half);
    der_add_unsigned(&pair, raw + half, half);
    der_add(out, DER_SEQUENCE, buf_view(&pair));
}

/* --- signing ---------------------------------------------------------------------------------------- */

static enum err
ed25519_sign(const struct key *k, struct str message, unsigned char *sig, size_t *sig_len, struct why *why)
{
    AUTO(EVP_MD_CTX_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    if (ctx == NULL || EVP_DigestSignInit(ctx, NULL, NULL, NULL, k->pkey) != 1 ||
        EVP_DigestSign(ctx, sig, sig_len, str_bytes(message), message.n) != 1)
        return ossl_why(why, ERR_INTERNAL, "EdDSA signature");
    return OK;
}

static enum err
digest_sign(const struct key *k, enum sig_alg alg, struct str message, unsigned char *sig, size_t *sig_len,
            struct why *why)
{
    AUTO(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = NULL;
    unsigned char digest[EVP_MAX_MD_SIZE];
    const size_t digest_len = ossl_digest(sig_alg_rows[alg].md, message, digest);
    enum err e;

    if ((e = ctx_get(k, alg, true, &ctx, why)) != OK)
        return e;
    if (EVP_PKEY_sign(ctx, sig, sig_len, digest, digest_len) != 1)
        return ossl_why(why, ERR_INTERNAL, "%s signature", sig_alg_rows[alg].name);
    return OK;
}

/* Appends sig, which is R || S when is_raw, in the form that was asked for. */
static enum err
signature_add(enum sig_alg alg, struct str sig, bool is_raw, bool want_raw, struct buf *out, struct why *why)
{
    const size_t half = sig_alg_rows[alg].half;
    unsigned char raw[2 * EC_HALF_MAX];

    if (half == 0 || is_raw == want_raw) {
        buf_add(out, sig.p, sig.n);
    } else if (want_raw) {
        if (ecdsa_to_raw(sig, half, raw) != OK)
            return why_set(why, ERR_INTERNAL, "ECDSA signature is not DER");
        buf_add(out, raw, 2 * half);
    } else {
        ecdsa_to_der(str_bytes(sig), half, out);
    }
    return buf_ok(out) ? OK : why_set(why, ERR_INTERNAL, "no room for the signature");
}

enum err
key_sign_any(struct key *k, enum sig_alg alg, struct str message, bool raw_ecdsa, struct buf *ret_sig,
             struct why *why)
{
    const struct sig_alg_row *row = &sig_alg_rows[alg];
    unsigned char sig[KEY_SIG_MAX];
    size_t sig_len = sizeof(sig);
    enum err e;

    if (!k->has_private)
        return why_set(why, ERR_DENIED, "a public key does not sign");
    if (row->key != k->alg)
        return why_set(why, ERR_DENIED, "%s does not fit the key", row->name);
    if (k->token != NULL) {
        unsigned char digest[EVP_MAX_MD_SIZE];
        const size_t digest_len = ossl_digest(row->md, message, digest);

        e = token_key_sign(k->token, alg, str_from(digest, digest_len), sig, &sig_len, why);
    } else if (alg == SIG_EDDSA) {
        e = ed25519_sign(k, message, sig, &sig_len, why);
    } else {
        e = digest_sign(k, alg, message, sig, &sig_len, why);
    }
    if (e != OK)
        return e;
    return signature_add(alg, str_from(sig, sig_len), k->token != NULL, raw_ecdsa, ret_sig, why);
}

enum err
key_sign(struct key *k, enum key_purpose purpose, enum sig_alg alg, struct str message, bool raw_ecdsa,
         struct buf *ret_sig, struct why *why)
{
    if (!key_can_sign(k, purpose))
        return why_set(why, ERR_DENIED, "this key is not for that purpose");
    return key_sign_any(k, alg, message, raw_ecdsa, ret_sig, why);
}

/* --- verifying -------------------------------------------------------------------------------------- */

static enum err
ed25519_verify(const struct key *k, struct str message, struct str sig, struct why *why)
{
    AUTO(EVP_MD_CTX_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    if (ctx == NULL || EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, k->pkey) != 1)
        return ossl_why(why, ERR_INTERNAL, "EdDSA context");
    if (EVP_DigestVerify(ctx, str_bytes(sig), sig.n, str_bytes(message), message.n) != 1)
        return ossl_why(why, ERR_DENIED, "EdDSA signature is wrong");
    return OK;
}

static enum err
digest_verify(const struct key *k, enum sig_alg alg, struct str message, struct str sig, struct why *why)
{
    AUTO(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = NULL;
    unsigned char digest[EVP_MAX_MD_SIZE];
    const size_t digest_len = ossl_digest(sig_alg_rows[alg].md, message, digest);
    enum err e;

    if ((e = ctx_get(k, alg, false, &ctx, why)) != OK)
        return e;
    if (EVP_PKEY_verify(ctx, str_bytes(sig), sig.n, digest, digest_len) != 1)
        return ossl_why(why, ERR_DENIED, "%s signature is wrong", sig_alg_rows[alg].name);
    return OK;
}

enum err
key_verify(const struct key *k, enum sig_alg alg, struct str message, struct str sig, bool raw_ecdsa,
           struct why *why)
{
    const struct sig_alg_row *row = &sig_alg_rows[alg];
    AUTO(buf_free) struct buf der = BUF_BOUNDED(256);
    unsigned char raw[2 * EC_HALF_MAX];

    if (row->key != k->alg)
        return why_set(why, ERR_DENIED, "%s does not fit the key", row->name);
    if (alg == SIG_EDDSA)
        return ed25519_verify(k, message, sig, why);
    if (row->half == 0) {
        if (sig.n != (size_t)EVP_PKEY_get_size(k->pkey))
            return why_set(why, ERR_DENIED, "RSA signature of a wrong length");
        return digest_verify(k, alg, message, sig, why);
    }
    if (!raw_ecdsa) {
        if (ecdsa_to_raw(sig, row->half, raw) != OK)
            return why_set(why, ERR_DENIED, "ECDSA signature is not DER");
        return digest_verify(k, alg, message, sig, why);
    }
    if (sig.n != 2 * row->half)
        return why_set(why, ERR_DENIED, "ECDSA signature of a wrong length");
    ecdsa_to_der(str_bytes(sig), row->half, &der);
    return digest_verify(k, alg, message, buf_view(&der), why);
}

enum err
key_verify_ecdsa(const struct key *k, size_t hash_len, struct str message, struct str sig, struct why *why)
{
    AUTO(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = NULL;
    const size_t half = k->alg == KEY_P256 ? sig_alg_rows[SIG_ES256].half : sig_alg_rows[SIG_ES384].half;
    unsigned char digest[SHA512_LEN], raw[2 * EC_HALF_MAX];

    if (k->alg != KEY_P256 && k->alg != KEY_P384)
        return why_set(why, ERR_DENIED, "ECDSA does not fit the key");
    if (hash_len == SHA256_LEN)
        sha256(message, digest);
    else if (hash_len == SHA384_LEN)
        sha384(message, digest);
    else if (hash_len == SHA512_LEN)
        sha512(message, digest);
    else
        return why_set(why, ERR_DENIED, "a hash that is not taken");
    if (ecdsa_to_raw(sig, half, raw) != OK)
        return why_set(why, ERR_DENIED, "ECDSA signature is not DER");
    /* no hash is set: the leftmost bits of what we computed, as FIPS 186-4 §6.4 has it */
    ctx = EVP_PKEY_CTX_new_from_pkey(NULL, k->pkey, NULL);
    if (ctx == NULL || EVP_PKEY_verify_init(ctx) != 1)
        return ossl_why(why, ERR_INTERNAL, "ECDSA context");
    if (EVP_PKEY_verify(ctx, str_bytes(sig), sig.n, digest, hash_len) != 1)
        return ossl_why(why, ERR_DENIED, "ECDSA signature is wrong");
    return OK;
}
