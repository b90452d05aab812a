/*
 * rand: OpenSSL's generator, seeded by the kernel, safe across fork() and threads.
 * A failure of the source ends the process. Tests may put a known source in its
 * place, which is refused wherever the clock cannot be moved (production).
 */
#include <openssl/rand.h>
#include <stdatomic.h>
#include <stdio.h>
#include <limits.h>

#include "base/core/rand.h"
#include "base/core/buf.h"
#include "base/core/clock.h"
#include "base/core/enc.h"
#include "base/core/secret.h"

typedef void (*rand_source)(void *p, size_t n);
static _Atomic(rand_source) test_source;

void
rand_set_source(void (*source)(void *p, size_t n))
{
    if (source != NULL && !clock_is_test())
        panic("rand_set_source outside tests");
    atomic_store(&test_source, source);
}

void
rand_bytes(void *p, size_t n)
{
    rand_source source = atomic_load_explicit(&test_source, memory_order_relaxed);
    unsigned char *at = p;

    if (source != NULL) {
        source(p, n);
        return;
    }
    while (n > 0) {
        int part = n > INT_MAX ? INT_MAX : (int)n;

        if (RAND_bytes(at, part) != 1)
            panic("the system has no randomness");
        at += part;
        n -= (size_t)part;
    }
}

uint32_t
rand_below(uint32_t limit)
{
    uint32_t value, least;

    CHECK(limit > 0);
    least = (uint32_t)(-limit) % limit;      /* 2^32 mod limit: values below it are drawn again */
    do
        rand_bytes(&value, sizeof(value));
    while (value < least);
    return value % limit;
}

void
rand_token(size_t n, char *out, size_t out_size)
{
    unsigned char bytes[64];
    AUTO(buf_free) struct buf text = BUF_SECRET(4 * ((sizeof(bytes) + 2) / 3));

    CHECK(n > 0 && n <= sizeof(bytes) && out_size >= 4 * ((n + 2) / 3) + 1);
    rand_bytes(bytes, n);
    base64url_encode(&text, bytes, n);
    memcpy(out, text.data, text.len + 1);
    mem_wipe(bytes, sizeof(bytes));
}

void
rand_uuid(char out[UUID_TEXT_LEN + 1])
{
    static const char hex[] = "0123456789abcdef";
    unsigned char b[16];
    char *at = out;

    rand_bytes(b, sizeof(b));
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);     /* version 4 */
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);     /* variant 10 */
    for (size_t i = 0; i < sizeof(b); i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *at++ = '-';
        *at++ = hex[b[i] >> 4];
        *at++ = hex[b[i] & 15];
    }
    *at = '\0';
}
