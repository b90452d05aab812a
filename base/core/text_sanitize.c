/*
 * text_sanitize: text from outside, made fit for one line of a log.
 *
 * Needs no Unicode tables, so that the log stands on nothing that can fail:
 * what it lets through is well-formed UTF-8 that neither moves the cursor nor
 * turns the direction of the line.
 */
#include "base/core/text.h"
#include "base/core/utf8.h"

static bool
is_harmless(uint32_t c)
{
    if (c < 0x20 || c == '\\' || (c >= 0x7f && c <= 0x9f))
        return false;
    /* line and paragraph separators, bidirectional controls, invisible operators, byte order mark, tags */
    if ((c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) ||
        c == 0x061c || c == 0xfeff || (c >= 0xe0000 && c <= 0xe007f) || (c >= 0xfff9 && c <= 0xfffb))
        return false;
    return !utf8_is_noncharacter(c);
}

void
text_sanitized(struct str s, size_t max, struct buf *out)
{
    static const char dots[] = "...";
    size_t start = out->len;
    size_t room = max < sizeof(dots) - 1 ? 0 : max - (sizeof(dots) - 1);
    size_t cut = 0;          /* longest prefix of what was written that leaves room for the dots */

    while (s.n > 0) {
        uint32_t c = 0;
        size_t n = utf8_next(s, &c);
        char escape[4 * 4];
        size_t len = 0;

        if (n > 0 && is_harmless(c)) {
            buf_add(out, s.p, n);
        } else {
            static const char hex[] = "0123456789abcdef";

            n = n == 0 ? 1 : n;
            for (size_t i = 0; i < n; i++) {
                unsigned char byte = (unsigned char)s.p[i];

                escape[len++] = '\\';
                escape[len++] = 'x';
                escape[len++] = hex[byte >> 4];
                escape[len++] = hex[byte & 15];
            }
            buf_add(out, escape, len);
        }
        s.p += n;
        s.n -= n;
        if (out->len - start <= room)
            cut = out->len - start;
        if (out->len - start > max || (out->len - start == max && s.n > 0)) {
            buf_truncate(out, start + cut);
            if (max >= sizeof(dots) - 1)
                buf_add_lit(out, dots);
            return;
        }
        if (!buf_ok(out))
            return;
    }
}
