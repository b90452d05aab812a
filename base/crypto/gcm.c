/*
 * gcm: AES-128-GCM and AES-256-GCM over whole messages, for hpke.c and column.c (seal-internal.h), and boxes under a key
 * that the caller has (seal.h).
 *
 * What bites: a plaintext is handed out only after its tag was checked; it is decrypted into memory of our own first.
 */
#include "base/core/rand.h"
#include "base/crypto/seal-internal.h"

static const EVP_CIPHER *
cipher_for(struct str key)
{
    CHECK(key.n == 16 || key.n == 32);
    return key.n == 16 ? EVP_aes_128_gcm() : EVP_aes_256_gcm();
}

enum err
gcm_seal(struct str key, const unsigned char nonce[12], struct str aad, struct str plain, struct buf *out,
         struct why *why)
{
    AUTO(EVP_CIPHER_CTX_freep) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    unsigned char *to, last[EVP_MAX_BLOCK_LENGTH];
    int n = 0, rest = 0;

    if (plain.n > SEAL_PLAIN_MAX || aad.n > SEAL_PLAIN_MAX)
        return why_set(why, ERR_INPUT, "too long to seal");
    if ((to = (unsigned char *)buf_reserve(out, plain.n + HPKE_TAG_LEN)) == NULL)
        return why_set(why, ERR_INTERNAL, "no room for the sealed bytes");
    if (ctx == NULL || EVP_EncryptInit_ex(ctx, cipher_for(key), NULL, str_bytes(key), nonce) != 1 ||
        EVP_EncryptUpdate(ctx, NULL, &n, str_bytes(aad), (int)aad.n) != 1 ||
        EVP_EncryptUpdate(ctx, to, &n, str_bytes(plain), (int)plain.n) != 1 || (size_t)n != plain.n ||
        EVP_EncryptFinal_ex(ctx, last, &rest) != 1 || rest != 0 ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, HPKE_TAG_LEN, to + plain.n) != 1)
        return ossl_why(why, ERR_INTERNAL, "AES-GCM");
    buf_advance(out, plain.n + HPKE_TAG_LEN);
    return OK;
}

enum err
gcm_open(struct str key, const unsigned char nonce[12], struct str aad, struct str sealed, struct buf *out,
         struct why *why)
{
    AUTO(EVP_CIPHER_CTX_freep) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    AUTO(buf_free) struct buf plain = BUF_SECRET(SEAL_PLAIN_MAX + 1);
    unsigned char *to, last[EVP_MAX_BLOCK_LENGTH], tag[HPKE_TAG_LEN];
    size_t len;
    int n = 0, rest = 0;

    if (sealed.n < HPKE_TAG_LEN || sealed.n > SEAL_PLAIN_MAX + HPKE_TAG_LEN || aad.n > SEAL_PLAIN_MAX)
        return why_set(why, ERR_DENIED, "sealed bytes of a wrong length");
    len = sealed.n - HPKE_TAG_LEN;
    memcpy(tag, sealed.p + len, sizeof(tag));
    if ((to = (unsigned char *)buf_reserve(&plain, len + 1)) == NULL)
        return why_set(why, ERR_INTERNAL, "no room for the opened bytes");
    if (ctx == NULL || EVP_DecryptInit_ex(ctx, cipher_for(key), NULL, str_bytes(key), nonce) != 1 ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, HPKE_TAG_LEN, tag) != 1 ||
        EVP_DecryptUpdate(ctx, NULL, &n, str_bytes(aad), (int)aad.n) != 1 ||
        EVP_DecryptUpdate(ctx, to, &n, str_bytes(sealed), (int)len) != 1 || (size_t)n != len)
        return ossl_why(why, ERR_INTERNAL, "AES-GCM");
    buf_advance(&plain, len);
    if (EVP_DecryptFinal_ex(ctx, last, &rest) != 1)
        return ossl_why(why, ERR_DENIED, "sealed bytes are altered or for another key, place or purpose");
    buf_add_str(out, buf_view(&plain));
    return buf_ok(out) ? OK : why_set(why, ERR_INTERNAL, "no room for the opened bytes");
}

enum err
box_seal(struct str key, struct str aad, struct str plain, struct buf *out, struct why *why)
{
    unsigned char nonce[HPKE_NONCE_LEN];

    CHECK(key.n == 32);
    rand_bytes(nonce, sizeof(nonce));
    buf_add(out, nonce, sizeof(nonce));
    return gcm_seal(key, nonce, aad, plain, out, why);
}

enum err
box_open(struct str key, struct str aad, struct str sealed, struct buf *out, struct why *why)
{
    unsigned char nonce[HPKE_NONCE_LEN];

    CHECK(key.n == 32);
    if (sealed.n < BOX_OVERHEAD)
        return why_set(why, ERR_DENIED, "sealed bytes of a wrong length");
    memcpy(nonce, sealed.p, sizeof(nonce));
    return gcm_open(key, nonce, aad, (struct str){ sealed.p + sizeof(nonce), sealed.n - sizeof(nonce) }, out, why);
}
