/*
 * digest: see digest.h. For anybody. Never used for passwords (password.h) nor alone for human codes (seal.h, mac_compute).
 */
#include "base/core/secret.h"
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

void
hkdf_sha256(struct str ikm, struct str salt, struct str info, unsigned char *out, size_t n)
{
    unsigned char prk[SHA256_LEN], block[SHA256_LEN];
    unsigned char counter = 0;
    size_t previous = 0, done = 0;

    CHECK(n <= 255 * (size_t)SHA256_LEN);
    hmac_sha256(salt, &ikm, 1, prk);                       /* §2.2 */
    while (done < n) {                                     /* §2.3: T(i) = HMAC(PRK, T(i-1) || info || i) */
        const size_t part = n - done < SHA256_LEN ? n - done : SHA256_LEN;
        const struct str parts[] = { str_from(block, previous), info, str_from(&counter, 1) };

        counter++;
        hmac_sha256(str_from(prk, sizeof(prk)), parts, ARRAY_LEN(parts), block);
        memcpy(out + done, block, part);
        previous = SHA256_LEN;
        done += part;
    }
    mem_wipe(prk, sizeof(prk));
    mem_wipe(block, sizeof(block));
}
