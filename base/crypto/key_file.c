/*
 * key_file: private keys made here, read from and written to PEM files and, for those that are sealed elsewhere, PKCS#8 in
 * memory.
 *
 * What bites: an encrypted PEM is refused (a passphrase would have to lie beside it); the file must hold one private
 * key, and a public half that does not belong to it stops the load, not the first signature.
 */
#include <openssl/pem.h>

#include "base/core/secret.h"
#include "base/crypto/key-internal.h"
#include "base/crypto/pkcs11-internal.h"

#define PEM_MAX 65536

static int
no_passphrase(char *out, int size, int rwflag, void *arg)
{
    (void)out;
    (void)size;
    (void)rwflag;
    (void)arg;
    return -1;
}

static enum err
halves_check(EVP_PKEY *pkey, struct why *why)
{
    AUTO(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);

    if (ctx == NULL || EVP_PKEY_pairwise_check(ctx) != 1)
        return ossl_why(why, ERR_INPUT, "the private and the public half do not belong together");
    return OK;
}

static enum err
pem_decode(const struct secret *pem, EVP_PKEY **ret, struct why *why)
{
    AUTO(BIO_free_allp) BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->len);
    AUTO(EVP_PKEY_freep) EVP_PKEY *pkey = NULL;
    enum err e;

    if (bio == NULL)
        return ossl_why(why, ERR_INTERNAL, "memory BIO");
    if ((pkey = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL)) == NULL)
        return ossl_why(why, ERR_INPUT, "no private key in PEM, or an encrypted one");
    if ((e = halves_check(pkey, why)) != OK)
        return e;
    *ret = TAKE(pkey);
    return OK;
}

static enum err
file_load(const char *path, enum key_purpose purpose, struct key **ret, struct why *why)
{
    AUTO(secret_done) struct secret pem = SECRET_INIT;
    EVP_PKEY *pkey = NULL;
    enum err e;

    if ((e = secret_read_file(path, PEM_MAX, &pem, why)) != OK)
        return e;
    if ((e = pem_decode(&pem, &pkey, why)) != OK || (e = key_from_evp(pkey, true, purpose, ret, why)) != OK)
        why_prepend(why, "%s", path);
    return e;
}

enum err
key_load(const char *uri, enum key_purpose purpose, struct key **ret, struct why *why)
{
    if (strncmp(uri, "file:", 5) == 0)
        return file_load(uri + 5, purpose, ret, why);
    if (strncmp(uri, "pkcs11:", 7) == 0)
        return token_key_load(uri, purpose, ret, why);
    return why_set(why, ERR_INPUT, "a key is named file:PATH or pkcs11:...");
}

enum err
key_generate(enum key_alg alg, int rsa_bits, enum key_purpose purpose, struct key **ret)
{
    EVP_PKEY *pkey = NULL;

    switch (alg) {
    case KEY_RSA:
        if (rsa_bits < 2048 || rsa_bits > 8192)
            return ERR_DENIED;
        pkey = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)rsa_bits);
        break;
    case KEY_P256:
        pkey = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
        break;
    case KEY_P384:
        pkey = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384");
        break;
    case KEY_ED25519:
        pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
        break;
    }
    if (pkey == NULL)
        return ossl_why(NULL, ERR_INTERNAL, "key generation");
    return key_from_evp(pkey, true, purpose, ret, NULL);
}

enum err
key_save(const struct key *k, const char *path, struct why *why)
{
    AUTO(BIO_free_allp) BIO *bio = NULL;
    char *pem;
    long n;

    if (!k->has_private || k->token != NULL)
        return why_set(why, ERR_DENIED, "the private half of this key is not here");
    bio = BIO_new(BIO_s_secmem());
    if (bio == NULL || PEM_write_bio_PKCS8PrivateKey(bio, k->pkey, NULL, NULL, 0, NULL, NULL) != 1 ||
        (n = BIO_get_mem_data(bio, &pem)) <= 0)
        return ossl_why(why, ERR_INTERNAL, "PEM");
    return private_file_create(path, str_from(pem, (size_t)n), false, why);
}

/* --- in memory -------------------------------------------------------------------------------------------- */

DEFINE_FREEP(PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free)

enum err
key_from_pkcs8(struct str der, enum key_purpose purpose, struct key **ret, struct why *why)
{
    AUTO(PKCS8_PRIV_KEY_INFO_freep) PKCS8_PRIV_KEY_INFO *info = NULL;
    AUTO(EVP_PKEY_freep) EVP_PKEY *pkey = NULL;
    const unsigned char *p = str_bytes(der);
    enum err e;

    if (der.n == 0 || der.n > PEM_MAX)
        return why_set(why, ERR_INPUT, "not a private key");
    if ((info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, (long)der.n)) == NULL || p != str_bytes(der) + der.n ||
        (pkey = EVP_PKCS82PKEY(info)) == NULL)
        return ossl_why(why, ERR_INPUT, "not one whole PKCS#8 private key");
    if ((e = halves_check(pkey, why)) != OK)
        return e;
    return key_from_evp(TAKE(pkey), true, purpose, ret, why);
}

enum err
key_pkcs8(const struct key *k, struct secret *ret_der, struct why *why)
{
    AUTO(PKCS8_PRIV_KEY_INFO_freep) PKCS8_PRIV_KEY_INFO *info = NULL;
    unsigned char *der = NULL;
    int n;

    if (!k->has_private || k->token != NULL)
        return why_set(why, ERR_DENIED, "the private half of this key is not here");
    if ((info = EVP_PKEY2PKCS8(k->pkey)) == NULL || (n = i2d_PKCS8_PRIV_KEY_INFO(info, &der)) <= 0)
        return ossl_why(why, ERR_INTERNAL, "PKCS#8");
    secret_set(ret_der, der, (size_t)n);
    OPENSSL_clear_free(der, (size_t)n);
    return OK;
}
