/*
 * encrypt: see encrypt.h.
 *
 * CBC gives no integrity (the reason why the allow-list puts GCM first); with it the assertion is signed inside, as
 * always. The content key lives on the stack and is wiped on every way out.
 */
#include "idp/saml/encrypt.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "base/core/enc.h"
#include "base/core/rand.h"
#include "base/core/secret.h"
#include "idp/saml/proto.h"

#define PLAIN_MAX (1024 * 1024)
#define GCM_NONCE 12
#define GCM_TAG 16
#define CBC_BLOCK 16

static const struct cipher {
    const char *uri;
    const EVP_CIPHER *(*evp)(void);
    size_t key_len;
    bool gcm;
} ciphers[] = {
    [SAML_AES256_GCM] = {ALG_AES256_GCM, EVP_aes_256_gcm, 32, true},
    [SAML_AES128_GCM] = {ALG_AES128_GCM, EVP_aes_128_gcm, 16, true},
    [SAML_AES256_CBC] = {ALG_AES256_CBC, EVP_aes_256_cbc, 32, false},
    [SAML_AES128_CBC] = {ALG_AES128_CBC, EVP_aes_128_cbc, 16, false},
};

DEFINE_FREEP(EVP_CIPHER_CTX, EVP_CIPHER_CTX_free)
DEFINE_FREEP(EVP_PKEY_CTX, EVP_PKEY_CTX_free)

static enum err
openssl_failed(const char *what, struct why *why)
{
    char text[120];

    ERR_error_string_n(ERR_get_error(), text, sizeof text);
    ERR_clear_error();
    return why_code(why, ERR_INTERNAL, "saml.encrypt", "%s: %s", what, text);
}

/* xmlenc-core 5.2.4: nonce, ciphertext, tag in one value; 5.2.2: IV, ciphertext padded to blocks, last octet = count. */
static enum err
encrypt_content(const struct cipher *c, const unsigned char *key, struct str plain, struct buf *out, struct why *why)
{
    AUTO(EVP_CIPHER_CTX_freep) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    size_t iv_len = c->gcm ? GCM_NONCE : CBC_BLOCK;
    unsigned char iv[CBC_BLOCK];
    int len, tail;
    char *room;

    CHECK(ctx != NULL);
    if (plain.n > PLAIN_MAX || (room = buf_reserve(out, iv_len + plain.n + CBC_BLOCK + GCM_TAG)) == NULL)
        return why_code(why, ERR_INTERNAL, "saml.encrypt", "the assertion does not fit");
    rand_bytes(iv, iv_len);
    memcpy(room, iv, iv_len);
    room += iv_len;
    /* EVP pads as PKCS#7 does: each octet is the count, which xmlenc's "arbitrary octets, then the count" allows. */
    if (EVP_EncryptInit_ex(ctx, c->evp(), NULL, key, iv) != 1 ||
        EVP_EncryptUpdate(ctx, (unsigned char *)room, &len, (const unsigned char *)plain.p, (int)plain.n) != 1 ||
        EVP_EncryptFinal_ex(ctx, (unsigned char *)room + len, &tail) != 1)
        return openssl_failed("cipher", why);
    len += tail;
    if (c->gcm) {
        if (EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, GCM_TAG, room + len) != 1)
            return openssl_failed("tag", why);
        len += GCM_TAG;
    }
    buf_advance(out, iv_len + (size_t)len);
    return OK;
}

/* xmlenc-core 5.5.2: MGF1 with SHA-1 is the default mask generation of both forms of RSA-OAEP. */
static enum err
encrypt_key(const struct saml_sp *sp, const unsigned char *key, size_t key_len, struct buf *out, struct why *why)
{
    AUTO(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key_evp(sp->encryption), NULL);
    const EVP_MD *digest = sp->transport == SAML_OAEP_SHA256 ? EVP_sha256() : EVP_sha1();
    size_t len = 0;
    char *room;

    if (ctx == NULL || EVP_PKEY_encrypt_init(ctx) != 1 ||
        EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) != 1 ||
        EVP_PKEY_CTX_set_rsa_oaep_md(ctx, digest) != 1 || EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha1()) != 1 ||
        EVP_PKEY_encrypt(ctx, NULL, &len, key, key_len) != 1)
        return openssl_failed("key transport", why);
    if ((room = buf_reserve(out, len)) == NULL)
        return why_code(why, ERR_INTERNAL, "saml.encrypt", "the encrypted key does not fit");
    if (EVP_PKEY_encrypt(ctx, (unsigned char *)room, &len, key, key_len) != 1)
        return openssl_failed("key transport", why);
    buf_advance(out, len);
    return OK;
}

static void
write_encrypted(const struct saml_sp *sp, const struct cipher *c, const struct buf *key, const struct buf *content,
                struct buf *out)
{
    bool sha256 = sp->transport == SAML_OAEP_SHA256;

    buf_add_lit(out, "<saml:EncryptedAssertion xmlns:saml=\"" NS_SAML "\"><xenc:EncryptedData xmlns:xenc=\"" NS_XENC
                     "\" Type=\"" NS_XENC "Element\"><xenc:EncryptionMethod Algorithm=\"");
    buf_adds(out, c->uri);
    buf_add_lit(out, "\"></xenc:EncryptionMethod><ds:KeyInfo xmlns:ds=\"" NS_DS
                     "\"><xenc:EncryptedKey><xenc:EncryptionMethod Algorithm=\"");
    buf_adds(out, sha256 ? ALG_RSA_OAEP_11 : ALG_RSA_OAEP_MGF1P);
    buf_add_lit(out, "\"><ds:DigestMethod Algorithm=\"");
    buf_adds(out, sha256 ? ALG_SHA256 : ALG_DIGEST_SHA1);
    buf_add_lit(out, "\"></ds:DigestMethod></xenc:EncryptionMethod><xenc:CipherData><xenc:CipherValue>");
    base64_encode(out, key->data, key->len);
    buf_add_lit(out, "</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo><xenc:CipherData>"
                     "<xenc:CipherValue>");
    base64_encode(out, content->data, content->len);
    buf_add_lit(out, "</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData></saml:EncryptedAssertion>");
}

enum err
saml_encrypt(const struct saml_sp *sp, struct str assertion, struct buf *out, struct why *why)
{
    AUTO(buf_free) struct buf content = BUF_BOUNDED(PLAIN_MAX + 64);
    AUTO(buf_free) struct buf wrapped = BUF_BOUNDED(2048);
    const struct cipher *c = &ciphers[sp->cipher];
    unsigned char key[32];
    enum err e;

    if (sp->encryption == NULL || sp->no_common_cipher)
        return why_code(why, ERR_DENIED, "saml.encrypt.key", "no usable encryption key or method in the metadata");
    rand_bytes(key, c->key_len);
    if ((e = encrypt_content(c, key, assertion, &content, why)) == OK)
        e = encrypt_key(sp, key, c->key_len, &wrapped, why);
    mem_wipe(key, sizeof key);
    if (e != OK)
        return e;
    write_encrypted(sp, c, &wrapped, &content, out);
    return buf_ok(out) ? OK : why_code(why, ERR_INTERNAL, "saml.encrypt", "the message does not fit");
}
