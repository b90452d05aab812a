/*
 * code_read: what a person typed into the one field for a code.
 *
 * Only the shape is judged here, without a database: a wrong check symbol is told
 * at once and is not a try (DOMAIN 2.4). Case, width, spaces and dashes are
 * folded; 0, O, 1, I and L are never mapped to something else.
 */
#include "base/core/code.h"
#include "base/core/code-internal.h"
#include "base/core/secret.h"
#include "base/core/utf8.h"

static bool
in(uint32_t c, uint32_t first, uint32_t last)
{
    return c >= first && c <= last;
}

/* Unicode Zs and White_Space, and what takes no room: people paste it without seeing it. */
static bool
is_space(uint32_t c)
{
    return c == ' ' || in(c, '\t', '\r') || c == 0x85 || c == 0xa0 || c == 0x00ad || c == 0x1680 || c == 0x180e ||
           in(c, 0x2000, 0x200f) || in(c, 0x2028, 0x202f) || in(c, 0x205f, 0x2064) || in(c, 0x2066, 0x206f) ||
           c == 0x3000 || c == 0xfeff;
}

/* Unicode Pd, the minus signs, and the bar that some keyboards give. */
static bool
is_dash(uint32_t c)
{
    return c == '-' || c == 0x058a || c == 0x05be || in(c, 0x2010, 0x2015) || c == 0x2043 || c == 0x207b ||
           c == 0x208b || c == 0x2212 || c == 0x2796 || in(c, 0x2e3a, 0x2e3b) || c == 0x301c || c == 0x3030 ||
           c == 0x30fc || c == 0xfe31 || c == 0xfe32 || c == 0xfe58 || c == 0xfe63 || c == 0xff0d;
}

/* Near enough: behind Latin-1's signs come letters, but for the blocks of punctuation, symbols and pictures. */
static bool
is_letter(uint32_t c)
{
    return c >= 0xc0 && c != 0xd7 && c != 0xf7 && !in(c, 0x2000, 0x2bff) && !in(c, 0x2e00, 0x2e7f) &&
           !in(c, 0x3001, 0x3020) && !in(c, 0xfe10, 0xfe6f) && !in(c, 0xff00, 0xff65) && !in(c, 0xffe0, 0xffff) &&
           !in(c, 0x1f000, 0x1faff) && !in(c, 0xe000, 0xf8ff);
}

enum code_sign
code_next_sign(struct str *s, char *ret_symbol)
{
    uint32_t c = 0;
    size_t n = utf8_next(*s, &c);

    if (n == 0) {
        s->p++;
        s->n--;
        return CODE_SIGN_OTHER;
    }
    s->p += n;
    s->n -= n;
    if (is_space(c))
        return CODE_SIGN_SPACE;
    if (is_dash(c))
        return CODE_SIGN_DASH;
    if (in(c, 0xff01, 0xff5e))      /* full-width forms of ASCII */
        c -= 0xff01 - '!';
    if (in(c, 'a', 'z'))
        c -= 'a' - 'A';
    if (in(c, 'A', 'Z') || in(c, '0', '9')) {
        *ret_symbol = (char)c;
        return CODE_SIGN_SYMBOL;
    }
    return is_letter(c) ? CODE_SIGN_LETTER : CODE_SIGN_OTHER;
}

#define SYMBOLS_MOST 32      /* enough to tell too long from right; the rest is only counted */

struct typed {
    char symbols[SYMBOLS_MOST + 1];
    size_t len;              /* all symbols, also those that were not kept */
    bool foreign;            /* something that can be in no code */
};

static void
typed_fold(struct str text, struct typed *ret)
{
    while (text.n > 0) {
        char symbol;

        switch (code_next_sign(&text, &symbol)) {
        case CODE_SIGN_SYMBOL:
            if (ret->len < SYMBOLS_MOST)
                ret->symbols[ret->len] = symbol;
            ret->len++;
            break;
        case CODE_SIGN_SPACE:
        case CODE_SIGN_DASH:
            break;
        case CODE_SIGN_LETTER:
        case CODE_SIGN_OTHER:
            ret->foreign = true;
            break;
        }
    }
}

static bool
is_good(enum code_kind kind, const struct typed *t)
{
    if (t->foreign || t->len != code_shapes[kind].len)
        return false;
    for (size_t i = 0; i < t->len; i++)
        if (!code_has_symbol(kind, t->symbols[i]))
            return false;
    return code_check_is_good(kind, t->symbols);
}

static bool
has_bad_char(enum code_kind kind, const struct typed *t)
{
    for (size_t i = 0; i < t->len && i < SYMBOLS_MOST; i++)
        if (!code_has_symbol(kind, t->symbols[i]))
            return true;
    return t->foreign;
}

static enum code_verdict
typed_judge(enum code_kind kind, const struct typed *t, enum code_kind *ret_other)
{
    if (t->len == 0 && !t->foreign)
        return CODE_EMPTY;
    if (is_good(kind, t))
        return CODE_GOOD;
    for (int other = 0; other < CODE_KINDS; other++) {
        /* any four digits are a sheet number: that says nothing */
        if (code_shapes[other].check == CODE_UNCHECKED || !is_good((enum code_kind)other, t))
            continue;
        if (ret_other != NULL)
            *ret_other = (enum code_kind)other;
        return CODE_OTHER_KIND;
    }
    if (has_bad_char(kind, t))
        return CODE_BAD_CHAR;
    if (t->len < code_shapes[kind].len)
        return CODE_TOO_SHORT;
    if (t->len > code_shapes[kind].len)
        return CODE_TOO_LONG;
    return CODE_TYPO;
}

enum code_verdict
code_read(enum code_kind kind, struct str typed, char out[CODE_FOLDED_MAX], enum code_kind *ret_other)
{
    struct typed t = { "", 0, false };
    enum code_verdict verdict;

    typed_fold(typed, &t);
    verdict = typed_judge(kind, &t, ret_other);
    if (verdict == CODE_GOOD)
        memcpy(out, t.symbols, t.len + 1);
    mem_wipe(&t, sizeof(t));
    return verdict;
}
