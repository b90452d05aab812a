/*
 * ossl: see ossl-internal.h. The only state is the table of fetched algorithms, filled once.
 */
#include <pthread.h>
#include <stdio.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>

#include "base/crypto/ossl-internal.h"

static const char *const md_names[] = {
    [OSSL_MD_SHA1] = "SHA1", [OSSL_MD_SHA256] = "SHA256", [OSSL_MD_SHA384] = "SHA384", [OSSL_MD_SHA512] = "SHA512"
};
static EVP_MD *mds[ARRAY_LEN(md_names)];
static EVP_MAC *hmac;
static pthread_once_t fetch_once = PTHREAD_ONCE_INIT;

static void
fetch_all(void)
{
    for (size_t i = 0; i < ARRAY_LEN(md_names); i++)
        if ((mds[i] = EVP_MD_fetch(NULL, md_names[i], NULL)) == NULL)
            panic("libcrypto has no %s", md_names[i]);
    if ((hmac = EVP_MAC_fetch(NULL, "HMAC", NULL)) == NULL)
        panic("libcrypto has no HMAC");
}

const EVP_MD *
ossl_md(enum ossl_md_id id)
{
    CHECK(pthread_once(&fetch_once, fetch_all) == 0);
    return mds[id];
}

size_t
ossl_digest(enum ossl_md_id id, struct str message, unsigned char out[EVP_MAX_MD_SIZE])
{
    unsigned int n = 0;

    CHECK(EVP_Digest(str_bytes(message), message.n, out, &n, ossl_md(id), NULL) == 1);
    return n;
}

void
ossl_hmac(enum ossl_md_id id, struct str key, const struct str *parts, size_t n, unsigned char *out)
{
    const size_t out_len = (size_t)EVP_MD_get_size(ossl_md(id));
    AUTO(EVP_MAC_CTX_freep) EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(hmac);
    char name[16];
    OSSL_PARAM params[2];
    size_t got = 0;

    (void)snprintf(name, sizeof(name), "%s", md_names[id]);
    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0);
    params[1] = OSSL_PARAM_construct_end();
    CHECK(ctx != NULL && EVP_MAC_init(ctx, str_bytes(key), key.n, params) == 1);
    for (size_t i = 0; i < n; i++)
        CHECK(EVP_MAC_update(ctx, str_bytes(parts[i]), parts[i].n) == 1);
    CHECK(EVP_MAC_final(ctx, out, &got, out_len) == 1 && got == out_len);
}

enum err
ossl_why(struct why *why, enum err e, const char *fmt, ...)
{
    char text[WHY_MAX] = "", queue[256] = "";
    size_t used = 0;
    unsigned long code;
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    while ((code = ERR_get_error()) != 0) {
        const char *reason = ERR_reason_error_string(code);
        int n = snprintf(queue + used, sizeof(queue) - used, "%s%s", used == 0 ? ": " : ", ",
                         reason == NULL ? "unnamed error" : reason);

        if (n > 0 && (size_t)n < sizeof(queue) - used)
            used += (size_t)n;
        else
            queue[used] = '\0';      /* what does not fit whole is left out */
    }
    return why_set(why, e, "%s%s", text, queue);
}

void
ossl_queue_clear(void)
{
    ERR_clear_error();
}
