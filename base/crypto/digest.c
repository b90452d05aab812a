/*
 * digest: see digest.h. For anybody. Never used for passwords (password.h) nor alone for human codes (seal.h, mac_compute).
 */
#include "base/crypto/digest.h"
#include "base/crypto/ossl-internal.h"

static void
digest_into(enum ossl_md_id id, struct str in, unsigned char *out, size_t len)
{
    unsigned char md[EVP_MAX_MD_SIZE];

    CHECK(ossl_digest(id, in, md) == len);
    memcpy(out, md, len);
}

void
sha256(struct str in, unsigned char out[SHA256_LEN])
{
    digest_into(OSSL_MD_SHA256, in, out, SHA256_LEN);
}

void
sha384(struct str in, unsigned char out[SHA384_LEN])
{
    digest_into(OSSL_MD_SHA384, in, out, SHA384_LEN);
}

void
sha512(struct str in, unsigned char out[SHA512_LEN])
{
    digest_into(OSSL_MD_SHA512, in, out, SHA512_LEN);
}

void
sha1(struct str in, unsigned char out[SHA1_LEN])
{
    digest_into(OSSL_MD_SHA1, in, out, SHA1_LEN);
}

void
token_digest(const char *token, unsigned char out[SHA256_LEN])
{
    sha256(str_of(token), out);
}

void
hmac_sha256(struct str key, const struct str *parts, size_t n, unsigned char out[SHA256_LEN])
{
    ossl_hmac(OSSL_MD_SHA256, key, parts, n, out);
}
