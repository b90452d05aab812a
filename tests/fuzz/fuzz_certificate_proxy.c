/*
 * fuzz_certificate_proxy: the headers in which a proxy hands a client's certificate over. The first byte chooses the
 * proxy; a line feed stands between the two headers.
 */
#include "tests/fuzz/fuzz.h"

#include "base/core/enc.h"
#include "idp/signon/certificate.h"

/* RFC 9440: what was understood, written again, is understood in the same way. */
static void
check_again(struct arena *a, const struct str *chain, size_t n)
{
    AUTO(buf_free) struct buf leaf = BUF_BOUNDED(1 << 20);
    AUTO(buf_free) struct buf others = BUF_BOUNDED(1 << 20);
    struct str again[CERTIFICATE_CHAIN_MAX];
    size_t m;

    for (size_t i = 0; i < n; i++) {
        struct buf *out = i == 0 ? &leaf : &others;

        buf_adds(out, i > 1 ? ", :" : ":");
        base64_encode(out, chain[i].p, chain[i].n);
        buf_addc(out, ':');
    }
    CHECK(certificate_proxy_parse(CERTIFICATE_PROXY_RFC9440, buf_cstr(&leaf), n > 1 ? buf_cstr(&others) : NULL, a, again, &m) == OK);
    CHECK(m == n);
    for (size_t i = 0; i < n; i++)
        CHECK(str_eq(chain[i], again[i]));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_freep) struct arena *a = arena_new(4 << 20);
    struct str chain[CERTIFICATE_CHAIN_MAX], rest, leaf;
    const char *others;
    size_t n;

    if (size == 0 || size > (16 << 10) || memchr(data, 0, size) != NULL)
        return 0;
    leaf = str_split((struct str){ (const char *)data + 1, size - 1 }, '\n', &rest);
    others = rest.p != NULL ? arena_str(a, rest) : NULL;
    if (certificate_proxy_parse((enum certificate_proxy)(data[0] % 4), arena_str(a, leaf), others, a, chain, &n) != OK)
        return 0;
    CHECK(n <= CERTIFICATE_CHAIN_MAX);
    for (size_t i = 0; i < n; i++)
        CHECK(chain[i].n > 0);
    if (n > 0)
        check_again(a, chain, n);
    return 0;
}
