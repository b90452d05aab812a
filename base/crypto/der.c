/*
 * der: reading, element by element; see der.h. Lengths up to 2^32 - 1; nothing here allocates.
 */
#include "base/core/civil.h"
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
der_expect(struct str *in, unsigned tag, struct str *ret_content)
{
    struct str rest = *in, content;
    unsigned got;

    if (der_next(&rest, &got, &content) != OK || got != tag)
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

bool
der_optional(struct str *in, unsigned tag, struct str *ret_content)
{
    return der_expect(in, tag, ret_content) == OK;
}

enum err
der_element(struct str *in, unsigned *ret_tag, struct str *ret_whole)
{
    const struct str before = *in;
    struct str content;

    if (der_next(in, ret_tag, &content) != OK)
        return ERR_INPUT;
    *ret_whole = (struct str){ before.p, before.n - in->n };
    return OK;
}

enum err
der_number(struct str content, uint32_t max, uint32_t *ret)
{
    const unsigned char *p = (const unsigned char *)content.p;
    uint64_t value = 0;

    if (content.n == 0 || content.n > 5 || (p[0] & 0x80) != 0 || (content.n > 1 && p[0] == 0 && (p[1] & 0x80) == 0))
        return ERR_INPUT;
    for (size_t i = 0; i < content.n; i++)
        value = value << 8 | p[i];
    if (value > max)
        return ERR_INPUT;
    *ret = (uint32_t)value;
    return OK;
}

enum err
der_truth(struct str content, bool *ret)
{
    if (content.n != 1 || (content.p[0] != '\0' && content.p[0] != '\xff'))
        return ERR_INPUT;           /* X.690 §11.1 */
    *ret = content.p[0] != '\0';
    return OK;
}

enum err
der_named_bits(struct str content, uint32_t *ret)
{
    const unsigned char *p = (const unsigned char *)content.p;
    uint32_t bits = 0;

    if (content.n < 1 || content.n > 5 || p[0] > 7 || (content.n == 1 && p[0] != 0))
        return ERR_INPUT;
    if (content.n > 1) {
        const unsigned char last = p[content.n - 1];

        /* §11.2.2: the last bit is a one; with that the unused bits, of lower value, are zero and nothing else */
        if ((last & ((1u << p[0]) - 1)) != 0 || (last >> p[0] & 1) == 0)
            return ERR_INPUT;
    }
    for (size_t i = 1; i < content.n; i++)
        for (unsigned bit = 0; bit < 8; bit++)
            if ((p[i] & (0x80u >> bit)) != 0)
                bits |= UINT32_C(1) << (8 * (i - 1) + bit);
    *ret = bits;
    return OK;
}

/* Two digits; -1: they are not. */
static int
two_digits(const char *p)
{
    if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9')
        return -1;
    return 10 * (p[0] - '0') + (p[1] - '0');
}

enum err
der_time(struct str *in, utime *ret)
{
    struct str rest = *in, text;
    int part[7], year;
    unsigned tag;
    size_t n;

    if (der_next(&rest, &tag, &text) != OK || (tag != DER_UTC_TIME && tag != DER_GENERALIZED_TIME))
        return ERR_INPUT;
    n = tag == DER_UTC_TIME ? 6 : 7;
    if (text.n != 2 * n + 1 || text.p[2 * n] != 'Z')
        return ERR_INPUT;
    for (size_t i = 0; i < n; i++)
        if ((part[i] = two_digits(text.p + 2 * i)) < 0)
            return ERR_INPUT;
    if (tag == DER_UTC_TIME)
        year = part[0] + (part[0] < 50 ? 2000 : 1900);      /* RFC 5280 §4.1.2.5.1 */
    else
        year = 100 * part[0] + part[1];
    if (part[n - 5] < 1 || part[n - 5] > 12 || part[n - 4] < 1 || part[n - 4] > civil_month_days(year, part[n - 5]) ||
        part[n - 3] > 23 || part[n - 2] > 59 || part[n - 1] > 59)
        return ERR_INPUT;
    *ret = (civil_to_days(year, part[n - 5], part[n - 4]) * 86400 + 3600 * part[n - 3] + 60 * part[n - 2] + part[n - 1]) *
           USEC_PER_SEC;
    *in = rest;
    return OK;
}
