/*
 * enc: bytes as text and back.
 *
 * Encoders append; decoders append too, and on ERR_INPUT take back what they had
 * appended. Strict: no character is skipped (but white space in lax base64), the
 * last group must have zero spare bits, so that each value has one spelling.
 * The tables are indexed by the data: not for keys, only for what is sent anyway.
 */
#include "base/core/enc.h"

#include <stdio.h>

static const char hex_lower[] = "0123456789abcdef";
static const char b64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char b64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static int
hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* The bytes behind len were written to but not counted: put the NUL back. */
static enum err
take_back(struct buf *out)
{
    buf_truncate(out, out->len);
    return ERR_INPUT;
}

void
hex_encode(struct buf *out, const void *p, size_t n)
{
    const unsigned char *b = p;
    char *at;

    CHECK(n <= SIZE_MAX / 4);
    if ((at = buf_reserve(out, 2 * n)) == NULL)
        return;
    for (size_t i = 0; i < n; i++) {
        at[2 * i] = hex_lower[b[i] >> 4];
        at[2 * i + 1] = hex_lower[b[i] & 15];
    }
    buf_advance(out, 2 * n);
}

enum err
hex_decode(struct str in, struct buf *out)
{
    char *at;

    if (in.n % 2 != 0 || (at = buf_reserve(out, in.n / 2)) == NULL)
        return ERR_INPUT;
    for (size_t i = 0; i < in.n; i += 2) {
        int high = hex_value(in.p[i]), low = hex_value(in.p[i + 1]);

        if (high < 0 || low < 0)
            return take_back(out);
        at[i / 2] = (char)(high << 4 | low);
    }
    buf_advance(out, in.n / 2);
    return OK;
}

static void
encode64(struct buf *out, const unsigned char *b, size_t n, const char *alphabet, bool pad)
{
    size_t whole = n / 3, left = n % 3;
    size_t len;
    char *at;

    CHECK(n <= SIZE_MAX / 4);
    len = whole * 4 + (left == 0 ? 0 : pad ? 4 : left + 1);
    if ((at = buf_reserve(out, len)) == NULL)
        return;
    for (size_t i = 0; i < whole; i++, b += 3, at += 4) {
        /* read before anything is written: to the compiler the two may overlap */
        const unsigned group = (unsigned)b[0] << 16 | (unsigned)b[1] << 8 | b[2];

        at[0] = alphabet[group >> 18];
        at[1] = alphabet[group >> 12 & 63];
        at[2] = alphabet[group >> 6 & 63];
        at[3] = alphabet[group & 63];
    }
    if (left > 0) {
        unsigned second = left == 2 ? b[1] : 0;

        *at++ = alphabet[b[0] >> 2];
        *at++ = alphabet[(b[0] & 3) << 4 | second >> 4];
        if (left == 2)
            *at++ = alphabet[(second & 15) << 2];
        if (pad) {
            *at++ = '=';
            if (left == 1)
                *at++ = '=';
        }
    }
    buf_advance(out, len);
}

void
base64_encode(struct buf *out, const void *p, size_t n)
{
    encode64(out, p, n, b64, true);
}

void
base64url_encode(struct buf *out, const void *p, size_t n)
{
    encode64(out, p, n, b64url, false);
}

/* Value + 1 of the 62 characters that both alphabets have, at the same place; 0 for others. */
static const unsigned char values64[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,  ['I'] = 9,
    ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18,
    ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['a'] = 27,
    ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36,
    ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45,
    ['t'] = 46, ['u'] = 47, ['v'] = 48, ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54,
    ['2'] = 55, ['3'] = 56, ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62,
};

/* -1: not in the alphabet */
static inline int
value64(char c, bool url)
{
    const int v = values64[(unsigned char)c] - 1;

    if (v >= 0)
        return v;
    return c == (url ? '-' : '+') ? 62 : c == (url ? '_' : '/') ? 63 : -1;
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Bytes that so many symbols stand for, spare bits left out. */
static size_t
bytes_of_symbols(struct str in, bool url)
{
    size_t symbols = 0;

    for (size_t i = 0; i < in.n; i++)
        symbols += value64(in.p[i], url) >= 0;
    return symbols / 4 * 3 + symbols % 4 * 6 / 8;
}

static enum err
decode64(struct str in, bool url, bool lax, struct buf *out)
{
    char *at = buf_reserve(out, bytes_of_symbols(in, url));
    size_t len = 0, symbols = 0, pads = 0;
    unsigned bits = 0;

    if (at == NULL)
        return ERR_INPUT;
    for (size_t i = 0; i < in.n; i++) {
        int v;

        if (lax && is_blank(in.p[i]))
            continue;
        if (!url && in.p[i] == '=') {
            pads++;
            continue;
        }
        if (pads > 0 || (v = value64(in.p[i], url)) < 0)
            return take_back(out);
        bits = (bits << 6 | (unsigned)v) & 0xffff;
        if (++symbols % 4 == 1)
            continue;
        /* 2, 3, 4 symbols of a group have brought 12, 18, 24 bits: 4, 2, 0 of them are still spare */
        at[len++] = (char)(bits >> (symbols % 4 == 2 ? 4 : symbols % 4 == 3 ? 2 : 0) & 0xff);
    }
    if (symbols % 4 == 1 || (symbols % 4 == 2 && (bits & 15) != 0) || (symbols % 4 == 3 && (bits & 3) != 0))
        return take_back(out);
    if (!url && pads != (4 - symbols % 4) % 4)
        return take_back(out);
    buf_advance(out, len);
    return OK;
}

enum err
base64_decode(struct str in, bool lax, struct buf *out)
{
    return decode64(in, false, lax, out);
}

enum err
base64url_decode(struct str in, struct buf *out)
{
    return decode64(in, true, false, out);
}

static bool
is_unreserved(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

void
url_encode(struct buf *out, struct str in)
{
    static const char hex_upper[] = "0123456789ABCDEF";      /* RFC 3986 §2.1: upper case */

    for (size_t i = 0; i < in.n; i++) {
        unsigned char c = (unsigned char)in.p[i];

        if (is_unreserved(c)) {
            buf_addc(out, (char)c);
        } else {
            char escape[3] = { '%', hex_upper[c >> 4], hex_upper[c & 15] };
            buf_add(out, escape, sizeof(escape));
        }
    }
}

enum err
url_decode(struct str in, bool plus_is_space, struct buf *out)
{
    size_t start = out->len, plain = 0;      /* from plain on: octets that stand for themselves */

    for (size_t i = 0; i < in.n; i++) {
        char c = in.p[i];

        if (c != '%' && c != '\0' && (c != '+' || !plus_is_space))
            continue;
        if (i > plain)
            buf_add(out, in.p + plain, i - plain);
        if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            int high = i + 2 < in.n ? hex_value(in.p[i + 1]) : -1;
            int low = i + 2 < in.n ? hex_value(in.p[i + 2]) : -1;

            c = high < 0 || low < 0 ? '\0' : (char)(high << 4 | low);
            i += 2;
        }
        if (c == '\0') {
            buf_truncate(out, start);
            return ERR_INPUT;
        }
        buf_addc(out, c);
        plain = i + 1;
    }
    if (in.n > plain)
        buf_add(out, in.p + plain, in.n - plain);
    if (!buf_ok(out)) {
        buf_truncate(out, start);
        return ERR_INPUT;
    }
    return OK;
}

enum err
pem_next(struct str *text, const char *label, struct buf *out)
{
    char begin[80], end[80];
    const char *from, *to;
    int n = snprintf(begin, sizeof(begin), "-----BEGIN %s-----", label);
    int m = snprintf(end, sizeof(end), "-----END %s-----", label);

    CHECK(n > 0 && (size_t)n < sizeof(begin) && m > 0 && (size_t)m < sizeof(end));
    if (text->n == 0 || (from = memmem(text->p, text->n, begin, (size_t)n)) == NULL)
        return ERR_NOT_FOUND;
    from += n;
    to = memmem(from, text->n - (size_t)(from - text->p), end, (size_t)m);
    if (to == NULL || base64_decode((struct str){ from, (size_t)(to - from) }, true, out) != OK)
        return ERR_INPUT;
    *text = (struct str){ to + m, text->n - (size_t)(to + m - text->p) };
    return OK;
}
