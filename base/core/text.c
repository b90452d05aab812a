/*
 * text: what people type, made comparable and countable.
 *
 * The Unicode tables are libunistring's, and only this file sees them. Input is
 * UTF-8 or refused; its length is the caller's care (form fields and mails have
 * ceilings before they come here). Normalising may treble the length: the ceiling
 * of the output buffer has the last word.
 */
#include <errno.h>
#include <stdlib.h>
#include <unicase.h>
#include <unictype.h>
#include <unigbrk.h>
#include <uninorm.h>
#include <unistr.h>

#include "base/core/text.h"
#include "base/core/utf8.h"

bool
text_is_utf8(struct str s)
{
    while (s.n > 0) {
        uint32_t c;
        size_t n = utf8_next(s, &c);

        if (n == 0)
            return false;
        s.p += n;
        s.n -= n;
    }
    return true;
}

/* What may not stand in a name, a label or a message: it shows as nothing, or makes the rest show as something else. */
static bool
is_unclean(uint32_t c, bool multiline)
{
    if (c == '\t' || c == '\n' || c == '\r')
        return !multiline;
    if (c < 0x20 || (c >= 0x7f && c <= 0x9f))
        return true;
    /* zero-width (not the joiners, which Indic and Persian names need), marks and overrides of direction */
    if (c == 0x061c || c == 0x180e || c == 0x200b || c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
        (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb))
        return true;
    return (c >= 0xe0000 && c <= 0xe007f) || utf8_is_noncharacter(c);
}

bool
text_is_clean(struct str s, bool multiline)
{
    while (s.n > 0) {
        uint32_t c;
        size_t n = utf8_next(s, &c);

        if (n == 0 || is_unclean(c, multiline))
            return false;
        s.p += n;
        s.n -= n;
    }
    return true;
}

static const uint8_t *
bytes_of(struct str s)
{
    return (const uint8_t *)(s.p == NULL ? "" : s.p);
}

size_t
text_length(struct str s)
{
    /* not u8_grapheme_next(): it looks at pairs, and takes a flag or a family of emoji apart */
    AUTO(mem_freep) char *breaks = mem_alloc(s.n);
    size_t count = 0;

    u8_grapheme_breaks(bytes_of(s), s.n, breaks);
    for (size_t i = 0; i < s.n; i++)
        count += breaks[i] != 0;
    return count;
}

/* libunistring answers NULL with errno for what is not UTF-8 and for lack of memory; an empty result may be NULL too. */
static enum err
result_of(const uint8_t *result, size_t in_len)
{
    if (result != NULL || in_len == 0)
        return OK;
    if (errno == ENOMEM)
        panic("out of memory (text of %zu bytes)", in_len);
    return ERR_INPUT;
}

static enum err
normalize(uninorm_t form, struct str s, uint8_t **ret, size_t *ret_len)
{
    enum err e;

    if (!text_is_utf8(s))
        return ERR_INPUT;
    *ret_len = 0;
    *ret = s.n == 0 ? NULL : u8_normalize(form, bytes_of(s), s.n, NULL, ret_len);
    if ((e = result_of(*ret, s.n)) != OK)
        return e;
    return OK;
}

static enum err
append(struct buf *out, const void *p, size_t n)
{
    buf_add(out, p, n);
    return buf_ok(out) ? OK : ERR_INPUT;
}

enum err
text_nfc(struct str s, struct buf *out)
{
    AUTO(mem_freep) uint8_t *nfc = NULL;
    size_t len;
    enum err e;

    if ((e = normalize(UNINORM_NFC, s, &nfc, &len)) != OK)
        return e;
    return append(out, nfc, len);
}

/* Takes out in place what Unicode calls default-ignorable: soft hyphen, joiners, variation selectors … */
static size_t
drop_ignorable(uint8_t *s, size_t n)
{
    struct str rest = { (const char *)s, n };
    size_t kept = 0;

    while (rest.n > 0) {
        uint32_t c = 0;
        size_t len = utf8_next(rest, &c);

        CHECK(len > 0);
        if (!uc_is_property_default_ignorable_code_point(c)) {
            memmove(s + kept, rest.p, len);
            kept += len;
        }
        rest.p += len;
        rest.n -= len;
    }
    return kept;
}

/* One round: NFKC of the case folding of NFKC, ignorable characters taken out. */
static enum err
fold_once(struct str s, uint8_t **ret, size_t *ret_len)
{
    AUTO(mem_freep) uint8_t *nfkc = NULL;
    AUTO(mem_freep) uint8_t *folded = NULL;
    size_t len;
    enum err e;

    if ((e = normalize(UNINORM_NFKC, s, &nfkc, &len)) != OK)
        return e;
    len = drop_ignorable(nfkc, len);
    if (len > 0) {
        size_t folded_len;

        folded = u8_casefold(nfkc, len, NULL, UNINORM_NFKC, NULL, &folded_len);
        if ((e = result_of(folded, len)) != OK)
            return e;
        len = drop_ignorable(folded, folded_len);
    }
    *ret = TAKE(folded);
    *ret_len = len;
    return OK;
}

/*
 * Unicode 5.18, NFKC_Casefold: the mapping that is stable under NFKC, case
 * folding and removal of ignorable characters, in any order. Repeating the round
 * until nothing changes gives it; two rounds do for all of Unicode 14, the bound
 * only keeps a mistake from becoming an endless loop.
 */
enum err
text_nfkc_fold(struct str s, struct buf *out)
{
    AUTO(mem_freep) uint8_t *text = NULL;
    size_t len;
    enum err e;

    if ((e = fold_once(s, &text, &len)) != OK)
        return e;
    for (int round = 0; round < 8; round++) {
        AUTO(mem_freep) uint8_t *again = NULL;
        size_t again_len;

        if ((e = fold_once((struct str){ (const char *)text, len }, &again, &again_len)) != OK)
            return e;
        if (str_eq((struct str){ (const char *)text, len }, (struct str){ (const char *)again, again_len }))
            return append(out, text, len);
        free(text);
        text = TAKE(again);
        len = again_len;
    }
    return ERR_INPUT;
}

/* Letters that no decomposition takes apart, as French registries write them without accents. */
static const char *
ascii_of(uint32_t c)
{
    static const struct {
        uint32_t c;
        const char *ascii;
    } letters[] = {
        { 0x00c6, "AE" }, { 0x00e6, "AE" }, { 0x0152, "OE" }, { 0x0153, "OE" }, { 0x00d8, "O" },  { 0x00f8, "O" },
        { 0x0110, "D" },  { 0x0111, "D" },  { 0x00d0, "D" },  { 0x00f0, "D" },  { 0x0141, "L" },  { 0x0142, "L" },
        { 0x0126, "H" },  { 0x0127, "H" },  { 0x0131, "I" },  { 0x0138, "K" },  { 0x014a, "N" },  { 0x014b, "N" },
        { 0x00de, "TH" }, { 0x00fe, "TH" }, { 0x0166, "T" },  { 0x0167, "T" },  { 0x00df, "SS" }, { 0x1e9e, "SS" },
        { 0x2018, "'" },  { 0x2019, "'" },  { 0x02bc, "'" },  { 0x02bb, "'" },
        { 0x2010, "-" },  { 0x2011, "-" },  { 0x2012, "-" },  { 0x2013, "-" },  { 0x2014, "-" },
        { 0x2212, "-" },  { 0x201c, "\"" }, { 0x201d, "\"" }, { 0x0259, "E" },  { 0x018f, "E" },
    };

    for (size_t i = 0; i < ARRAY_LEN(letters); i++)
        if (letters[i].c == c)
            return letters[i].ascii;
    return "?";
}

static bool
is_mark(uint32_t c)
{
    return uc_is_general_category(c, UC_MARK) || uc_is_property_default_ignorable_code_point(c);
}

/* Appends what is left of decomposed text in capital ASCII letters. */
static void
ascii_upper(struct str rest, struct buf *out)
{
    while (rest.n > 0) {
        uint32_t c = 0;
        size_t n = utf8_next(rest, &c);

        CHECK(n > 0);
        if (c >= 'a' && c <= 'z')
            buf_addc(out, (char)(c - 'a' + 'A'));
        else if (c >= 0x20 && c < 0x7f)
            buf_addc(out, (char)c);
        else if (!is_mark(c))
            buf_adds(out, ascii_of(c));
        rest.p += n;
        rest.n -= n;
    }
}

enum err
text_ascii_upper(struct str s, struct buf *out)
{
    AUTO(mem_freep) uint8_t *nfkd = NULL;
    size_t len;
    enum err e;

    if ((e = normalize(UNINORM_NFKD, s, &nfkd, &len)) != OK)
        return e;
    ascii_upper((struct str){ (const char *)nfkd, len }, out);
    return buf_ok(out) ? OK : ERR_INPUT;
}

/* Capitals of ISO 8859-1: À to Þ without the multiplication sign. */
static bool
is_latin1_capital(uint32_t c)
{
    return c >= 0xc0 && c <= 0xde && c != 0xd7;
}

enum err
text_latin1_upper(struct str s, struct buf *out)
{
    AUTO(mem_freep) uint8_t *nfc = NULL;
    struct str rest;
    size_t len;
    enum err e;

    if ((e = normalize(UNINORM_NFC, s, &nfc, &len)) != OK)
        return e;
    rest = (struct str){ (const char *)nfc, len };
    while (rest.n > 0) {
        uint32_t c = 0;
        size_t n = utf8_next(rest, &c);
        struct str one = { rest.p, n };

        CHECK(n > 0);
        if (is_latin1_capital(uc_toupper(c))) {
            buf_addc(out, (char)(0xc0 | uc_toupper(c) >> 6));
            buf_addc(out, (char)(0x80 | (uc_toupper(c) & 0x3f)));
        } else if ((e = text_ascii_upper(one, out)) != OK) {
            return e;
        }
        rest.p += n;
        rest.n -= n;
    }
    return buf_ok(out) ? OK : ERR_INPUT;
}
