/*
 * der: see der.h. Lengths up to 2^32 - 1; nothing here allocates but the caller's buffer.
 */
#include "base/crypto/der.h"

enum err
der_next(struct str *in, unsigned *ret_tag, struct str *ret_content)
{
    const unsigned char *p = (const unsigned char *)in->p;
    size_t head = 2, len;

    if (in->n < 2 || (p[0] & 0x1f) == 0x1f)
        return ERR_INPUT;
    len = p[1];
    if (len >= 0x80) {
        const size_t octets = len & 0x7f;

        if (octets == 0 || octets > 4 || in->n < 2 + octets)
            return ERR_INPUT;       /* X.690 §10.1: definite form only */
        len = 0;
        for (size_t i = 0; i < octets; i++)
            len = (len << 8) | p[2 + i];
        if (len < 0x80 || p[2] == 0)
            return ERR_INPUT;       /* §10.1: fewest octets */
        head += octets;
    }
    if (in->n - head < len)
        return ERR_INPUT;
    *ret_tag = p[0];
    *ret_content = (struct str){ in->p + head, len };
    in->p += head + len;
    in->n -= head + len;
    return OK;
}

enum err
der_expect(struct str *in, enum der_tag tag, struct str *ret_content)
{
    struct str rest = *in, content;
    unsigned got;

    if (der_next(&rest, &got, &content) != OK || got != (unsigned)tag)
        return ERR_INPUT;
    *in = rest;
    *ret_content = content;
    return OK;
}

enum err
der_unsigned(struct str *in, size_t n, unsigned char *ret_bytes)
{
    struct str rest = *in, content;
    const unsigned char *p;

    if (der_expect(&rest, DER_INTEGER, &content) != OK || content.n == 0)
        return ERR_INPUT;
    p = (const unsigned char *)content.p;
    if ((p[0] & 0x80) != 0)
        return ERR_INPUT;           /* negative */
    if (p[0] == 0 && content.n > 1) {
        if ((p[1] & 0x80) == 0)
            return ERR_INPUT;       /* X.690 §8.3.2: fewest octets */
        p++;
        content.n--;
    }
    if (content.n > n)
        return ERR_INPUT;
    memset(ret_bytes, 0, n - content.n);
    memcpy(ret_bytes + (n - content.n), p, content.n);
    *in = rest;
    return OK;
}

void
der_add(struct buf *out, enum der_tag tag, struct str content)
{
    unsigned char head[6] = { (unsigned char)tag, 0, 0, 0, 0, 0 };
    size_t n = 2;

    CHECK(content.n <= UINT32_MAX);
    if (content.n < 0x80) {
        head[1] = (unsigned char)content.n;
    } else {
        size_t octets = 1;

        while (octets < 4 && (content.n >> (8 * octets)) != 0)
            octets++;
        head[1] = (unsigned char)(0x80 | octets);
        for (size_t i = 0; i < octets; i++)
            head[2 + i] = (unsigned char)(content.n >> (8 * (octets - 1 - i)));
        n += octets;
    }
    buf_add(out, head, n);
    if (content.n > 0)
        buf_add(out, content.p, content.n);
}

void
der_add_unsigned(struct buf *out, const unsigned char *bytes, size_t n)
{
    unsigned char padded[1 + 1024] = { 0 };

    CHECK(n > 0 && n <= sizeof(padded) - 1);
    while (n > 1 && bytes[0] == 0) {
        bytes++;
        n--;
    }
    memcpy(padded + 1, bytes, n);
    if ((bytes[0] & 0x80) != 0)
        der_add(out, DER_INTEGER, (struct str){ (const char *)padded, n + 1 });
    else
        der_add(out, DER_INTEGER, (struct str){ (const char *)padded + 1, n });
}
