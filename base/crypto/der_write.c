/*
 * der_write: writing; see der.h. The one byte that der_begin() leaves for the length is nearly always enough; a long content
 * is moved once for each structure around it.
 */
#include <stdlib.h>

#include "base/core/civil.h"
#include "base/crypto/der-internal.h"

#define HEAD_MAX 6                 /* tag, and a length below 2^32 */

/* Writes the length; returns its octets: one below 128, else one that counts and one to four. */
static size_t
length_put(unsigned char *p, size_t length)
{
    size_t octets = 1;

    CHECK(length <= UINT32_MAX);
    if (length < 0x80) {
        p[0] = (unsigned char)length;
        return 1;
    }
    while (octets < 4 && (length >> (8 * octets)) != 0)
        octets++;
    p[0] = (unsigned char)(0x80 | octets);
    for (size_t i = 0; i < octets; i++)
        p[1 + i] = (unsigned char)(length >> (8 * (octets - 1 - i)));
    return 1 + octets;
}

size_t
der_begin(struct buf *out, unsigned tag)
{
    const char head[2] = { (char)tag, 0 };

    buf_add(out, head, sizeof(head));
    return out->len;
}

void
der_end(struct buf *out, size_t begun)
{
    unsigned char length[HEAD_MAX];
    size_t n, content;

    if (!buf_ok(out))
        return;                     /* begun may lie beyond what was kept */
    CHECK(begun >= 2 && begun <= out->len);
    content = out->len - begun;
    n = length_put(length, content);
    if (n > 1) {
        if (buf_reserve(out, n - 1) == NULL)
            return;
        memmove(out->data + begun + (n - 1), out->data + begun, content);
        buf_advance(out, n - 1);
    }
    memcpy(out->data + begun - 1, length, n);
}

static int
element_compare(const void *a, const void *b)
{
    const struct str *x = a, *y = b;
    const int order = memcmp(x->p, y->p, x->n < y->n ? x->n : y->n);

    return order != 0 ? order : (x->n > y->n) - (x->n < y->n);
}

void
der_end_set_of(struct buf *out, size_t begun)
{
    AUTO(mem_freep) struct str *elements = NULL;
    AUTO(mem_freep) char *copy = NULL;
    struct str in, skipped;
    size_t n = 0, at = begun;
    unsigned tag;

    if (!buf_ok(out))
        return;
    CHECK(begun >= 2 && begun <= out->len);
    if (out->len > begun) {
        copy = mem_dup(out->data + begun, out->len - begun);
        in = (struct str){ copy, out->len - begun };
        for (struct str rest = in; rest.n > 0; n++)
            CHECK(der_next(&rest, &tag, &skipped) == OK);
        elements = mem_alloc_array(n, sizeof(*elements));
        for (size_t i = 0; i < n; i++)
            CHECK(der_element(&in, &tag, &elements[i]) == OK);
        qsort(elements, n, sizeof(*elements), element_compare);
        for (size_t i = 0; i < n; at += elements[i++].n)
            memcpy(out->data + at, elements[i].p, elements[i].n);
    }
    der_end(out, begun);
}

/* Tag, length, first when it is there (at most one byte), content. */
static void
add(struct buf *out, unsigned tag, struct str first, struct str content)
{
    unsigned char head[HEAD_MAX + 1];
    size_t n;

    CHECK(first.n <= 1 && content.n < UINT32_MAX);
    head[0] = (unsigned char)tag;
    n = 1 + length_put(head + 1, first.n + content.n);
    if (first.n > 0)
        head[n++] = (unsigned char)first.p[0];
    buf_add(out, head, n);
    if (content.n > 0)
        buf_add(out, content.p, content.n);
}

void
der_add(struct buf *out, unsigned tag, struct str content)
{
    add(out, tag, STR_NULL, content);
}

void
der_add_unsigned(struct buf *out, const unsigned char *bytes, size_t n)
{
    CHECK(n > 0);
    while (n > 1 && bytes[0] == 0) {
        bytes++;
        n--;
    }
    /* a zero in front of a high bit: without it the number would be negative */
    add(out, DER_INTEGER, (struct str){ "", (bytes[0] & 0x80) != 0 }, (struct str){ (const char *)bytes, n });
}

void
der_add_number(struct buf *out, unsigned tag, uint64_t value)
{
    char octets[9];
    size_t n = 1;

    while (n < 8 && (value >> (8 * n)) != 0)
        n++;
    if ((value >> (8 * n - 1) & 1) != 0)
        n++;                        /* a zero in front keeps it positive */
    for (size_t i = 0; i < n; i++)
        octets[i] = (char)(n - 1 - i == 8 ? 0 : value >> (8 * (n - 1 - i)) & 0xff);
    der_add(out, tag, (struct str){ octets, n });
}

void
der_add_true(struct buf *out, unsigned tag)
{
    der_add(out, tag, STR_LIT("\xff"));
}

void
der_add_null(struct buf *out)
{
    der_add(out, DER_NULL, STR_NULL);
}

void
der_add_bit_string(struct buf *out, struct str octets)
{
    add(out, DER_BIT_STRING, (struct str){ "", 1 }, octets);        /* no unused bits */
}

void
der_add_named_bits(struct buf *out, unsigned tag, uint32_t bits)
{
    unsigned char content[5] = { 0 };
    size_t n = 1;

    for (unsigned bit = 0; bit < 32; bit++)
        if ((bits >> bit & 1) != 0) {
            content[1 + bit / 8] |= (unsigned char)(0x80u >> bit % 8);
            n = 2 + bit / 8;
            content[0] = (unsigned char)(7 - bit % 8);
        }
    der_add(out, tag, (struct str){ (const char *)content, n });
}

/* --- times ------------------------------------------------------------------------------------------------------- */

static void
two_put(char *p, int value)
{
    p[0] = (char)('0' + value / 10);
    p[1] = (char)('0' + value % 10);
}

/* YYYYMMDDHHMMSSZ */
static enum err
time_put(utime t, char text[15], int *ret_year)
{
    struct civil c;

    civil_from_seconds(utime_seconds(t), &c);
    if (c.year < 0 || c.year > 9999)
        return ERR_INPUT;
    two_put(text, c.year / 100);
    two_put(text + 2, c.year % 100);
    two_put(text + 4, c.month);
    two_put(text + 6, c.day);
    two_put(text + 8, c.hour);
    two_put(text + 10, c.minute);
    two_put(text + 12, c.second);
    text[14] = 'Z';
    *ret_year = c.year;
    return OK;
}

enum err
der_add_time(struct buf *out, utime t)
{
    char text[15];
    int year;

    if (time_put(t, text, &year) != OK || year < 1950)
        return ERR_INPUT;
    if (year < 2050)
        der_add(out, DER_UTC_TIME, (struct str){ text + 2, 13 });
    else
        der_add(out, DER_GENERALIZED_TIME, (struct str){ text, 15 });
    return OK;
}

enum err
der_add_generalized_time(struct buf *out, unsigned tag, utime t)
{
    char text[15];
    int year;

    if (time_put(t, text, &year) != OK)
        return ERR_INPUT;
    der_add(out, tag, (struct str){ text, sizeof(text) });
    return OK;
}

/* --- texts and object identifiers -------------------------------------------------------------------------------- */

enum err
der_add_printable(struct buf *out, struct str text)
{
    if (!der_is_printable(text))
        return ERR_INPUT;
    der_add(out, DER_PRINTABLE_STRING, text);
    return OK;
}

enum err
der_add_utf8(struct buf *out, struct str text)
{
    if (!der_is_utf8(text))
        return ERR_INPUT;
    der_add(out, DER_UTF8_STRING, text);
    return OK;
}

void
der_add_oid(struct buf *out, struct str content)
{
    CHECK(der_is_oid(content));
    der_add(out, DER_OID, content);
}

/* One arc off the front of *text, with the dot behind it; the last arc has none. */
static enum err
arc_read(struct str *text, uint64_t *ret)
{
    uint64_t value = 0;
    size_t n = 0;

    for (; n < text->n && text->p[n] >= '0' && text->p[n] <= '9'; n++) {
        const unsigned digit = (unsigned)(text->p[n] - '0');

        if ((n > 0 && value == 0) || value > (UINT64_MAX - digit) / 10)
            return ERR_INPUT;       /* leading zero, or too large */
        value = 10 * value + digit;
    }
    if (n == 0 || (n < text->n && (text->p[n] != '.' || n + 1 == text->n)))
        return ERR_INPUT;
    if (n < text->n)
        n++;
    text->p += n;
    text->n -= n;
    *ret = value;
    return OK;
}

static void
arc_put(struct buf *out, uint64_t value)
{
    char octets[10];
    size_t n = sizeof(octets);

    octets[--n] = (char)(value & 0x7f);
    while ((value >>= 7) != 0)
        octets[--n] = (char)(0x80 | (value & 0x7f));
    buf_add(out, octets + n, sizeof(octets) - n);
}

enum err
der_oid_parse(struct str dotted, struct buf *ret_content)
{
    AUTO(buf_free) struct buf content = BUF_BOUNDED(DER_OID_MAX);
    uint64_t first, arc;

    if (dotted.n > DER_OID_TEXT_MAX || arc_read(&dotted, &first) != OK || dotted.n == 0 || arc_read(&dotted, &arc) != OK)
        return ERR_INPUT;
    if (first > 2 || (first < 2 && arc > 39) || arc > UINT64_MAX - 80)
        return ERR_INPUT;           /* X.660: roots 0 and 1 have forty arcs */
    arc_put(&content, 40 * first + arc);
    while (dotted.n > 0) {
        if (arc_read(&dotted, &arc) != OK)
            return ERR_INPUT;
        arc_put(&content, arc);
    }
    if (!buf_ok(&content))
        return ERR_INPUT;
    buf_add_str(ret_content, buf_view(&content));
    return OK;
}

enum err
der_oid_text(struct str content, struct buf *ret_dotted)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(DER_OID_TEXT_MAX);
    uint64_t arc = 0;
    bool first = true;

    if (!der_is_oid(content) || content.n > DER_OID_MAX)
        return ERR_INPUT;
    for (size_t i = 0; i < content.n; i++) {
        if (arc >> 57 != 0)
            return ERR_INPUT;
        arc = arc << 7 | ((unsigned char)content.p[i] & 0x7f);
        if (((unsigned char)content.p[i] & 0x80) != 0)
            continue;
        if (first) {
            const uint64_t root = arc < 40 ? 0 : arc < 80 ? 1 : 2;

            buf_addf(&text, "%u.%llu", (unsigned)root, (unsigned long long)(arc - 40 * root));
        } else {
            buf_addf(&text, ".%llu", (unsigned long long)arc);
        }
        first = false;
        arc = 0;
    }
    if (!buf_ok(&text))
        return ERR_INPUT;
    buf_add_str(ret_dotted, buf_view(&text));
    return OK;
}
