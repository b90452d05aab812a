/* utf8: one character at a time, for the files of core that must not depend on Unicode tables. */
#ifndef BASE_CORE_UTF8_H
#define BASE_CORE_UTF8_H

#include "base/core/buf.h"

/* Bytes of the first character of s and its code point; 0 when s is empty or does not begin with a
 * well-formed one (Unicode 15 table 3-7: no overlong form, no surrogate, at most U+10FFFF). */
static inline size_t
utf8_next(struct str s, uint32_t *ret_c)
{
    const unsigned char *b = (const unsigned char *)s.p;
    unsigned char low = 0x80, high = 0xbf;
    uint32_t c;
    size_t n;

    if (s.n == 0)
        return 0;
    if (b[0] < 0x80) {
        *ret_c = b[0];
        return 1;
    }
    if (b[0] < 0xc2 || b[0] > 0xf4)
        return 0;
    n = b[0] < 0xe0 ? 2 : b[0] < 0xf0 ? 3 : 4;
    if (s.n < n)
        return 0;
    if (b[0] == 0xe0)
        low = 0xa0;
    else if (b[0] == 0xed)
        high = 0x9f;
    else if (b[0] == 0xf0)
        low = 0x90;
    else if (b[0] == 0xf4)
        high = 0x8f;
    if (b[1] < low || b[1] > high)
        return 0;
    c = b[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((b[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (b[i] & 0x3fu);
    }
    *ret_c = c;
    return n;
}

static inline bool
utf8_is_noncharacter(uint32_t c)
{
    return (c >= 0xfdd0 && c <= 0xfdef) || (c & 0xfffe) == 0xfffe;
}

#endif
