/*
 * code: codes that survive paper, telephone and keyboard.
 *
 * Letters (DOMAIN 5.3). v is the place of a symbol in A31, w its weight: 1, 2, 3 …
 * n, but 17 instead of 16 in the last place of a code of 16, so that no two
 * neighbours sum to 31. A code of kind k satisfies  sum w_i * v_i = k (mod 31).
 * 31 is prime and the weights are distinct and not zero: every single wrong
 * symbol, every exchange of two symbols at any distance and every twin error
 * (aa for bb) changes the sum.
 *
 * Digits. Damm's scheme: a quasigroup of order 10 that is totally
 * anti-symmetric, (c*x)*y = (c*y)*x only when x = y. Starting at 0, a code is
 * taken digit by digit and must end at a value that depends on the kind: 3 for
 * the activation code, 5 for the reactivation PIN (k + 1). The column of each
 * step is a permutation, so a single wrong digit always ends elsewhere; so does
 * an exchange of neighbours; and a string that is good for one kind is never
 * good for the other. Damm, "Total anti-symmetrische Quasigruppen", 2004.
 *
 * The check symbol is no secret and no defence: it only spares the person a
 * detour. What a code is worth is in the other symbols.
 */
#include "base/core/code.h"
#include "base/core/code-internal.h"
#include "base/core/rand.h"
#include "base/core/secret.h"

static const char a31[] = "23456789ABCDEFGHJKMNPQRSTUVWXYZ";

const struct code_shape code_shapes[CODE_KINDS] = {
    [CODE_CREATION] = { "creation", 12, 4, CODE_LETTERS, 1 },
    [CODE_ACTIVATION] = { "activation", 8, 4, CODE_DIGITS, 3 },
    [CODE_REVOCATION] = { "revocation", 16, 4, CODE_LETTERS, 3 },
    [CODE_REACTIVATION] = { "reactivation", 8, 4, CODE_DIGITS, 5 },
    [CODE_NUMBER] = { "number", 15, 5, CODE_LETTERS, 5 },
    [CODE_SHEET] = { "sheet", 4, 4, CODE_UNCHECKED, 0 },
};

const char *
code_kind_name(enum code_kind kind)
{
    return code_shapes[kind].name;
}

int
code_a31_value(char c)
{
    /* places of the letters from A on; I, L and O have none */
    static const signed char letters[26] = { 8,  9,  10, 11, 12, 13, 14, 15, -1, 16, 17, -1, 18,
                                             19, -1, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30 };

    if (c >= '2' && c <= '9')
        return c - '2';
    return c >= 'A' && c <= 'Z' ? letters[c - 'A'] : -1;
}

bool
code_has_symbol(enum code_kind kind, char c)
{
    return code_shapes[kind].check == CODE_LETTERS ? code_a31_value(c) >= 0 : c >= '0' && c <= '9';
}

static unsigned
letters_sum(const char *folded, size_t n)
{
    unsigned sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += (i == 15 ? 17 : (unsigned)i + 1) * (unsigned)code_a31_value(folded[i]);
    return sum % 31;
}

static unsigned
digits_end(const char *folded, size_t n)
{
    static const unsigned char quasigroup[10][10] = {
        { 0, 3, 1, 7, 5, 9, 8, 6, 4, 2 }, { 7, 0, 9, 2, 1, 5, 4, 8, 6, 3 }, { 4, 2, 0, 6, 8, 7, 1, 3, 5, 9 },
        { 1, 7, 5, 0, 9, 8, 3, 4, 2, 6 }, { 6, 1, 2, 3, 0, 4, 5, 9, 7, 8 }, { 3, 6, 7, 4, 2, 0, 9, 5, 8, 1 },
        { 5, 8, 6, 9, 7, 2, 0, 1, 3, 4 }, { 8, 9, 4, 5, 3, 6, 2, 0, 1, 7 }, { 9, 4, 3, 8, 6, 1, 7, 2, 0, 5 },
        { 2, 5, 8, 1, 4, 3, 6, 7, 9, 0 },
    };
    unsigned value = 0;

    for (size_t i = 0; i < n; i++)
        value = quasigroup[value][folded[i] - '0'];
    return value;
}

bool
code_check_is_good(enum code_kind kind, const char *folded)
{
    const struct code_shape *shape = &code_shapes[kind];

    switch (shape->check) {
    case CODE_LETTERS:
        return letters_sum(folded, shape->len) == shape->target;
    case CODE_DIGITS:
        return digits_end(folded, shape->len) == shape->target;
    case CODE_UNCHECKED:
        return true;
    }
    return false;
}

/* Draws once; the last symbol is the one of the alphabet that makes the check good: there is exactly one. */
static void
draw_once(enum code_kind kind, char *out)
{
    const struct code_shape *shape = &code_shapes[kind];
    const char *alphabet = shape->check == CODE_LETTERS ? a31 : "0123456789";
    uint32_t size = shape->check == CODE_LETTERS ? 31 : 10;

    for (size_t i = 0; i < shape->len; i++)
        out[i] = alphabet[rand_below(size)];
    out[shape->len] = '\0';
    for (uint32_t v = 0; !code_check_is_good(kind, out); v++) {
        CHECK(v < size);
        out[shape->len - 1] = alphabet[v];
    }
}

void
code_draw(enum code_kind kind, char out[CODE_FOLDED_MAX])
{
    char drawn[CODE_FOLDED_MAX];

    do
        draw_once(kind, drawn);
    while (code_is_ugly(drawn));
    memcpy(out, drawn, code_shapes[kind].len + 1);
    mem_wipe(drawn, sizeof(drawn));
}

void
code_shown(enum code_kind kind, const char *folded, char out[CODE_SHOWN_MAX])
{
    const struct code_shape *shape = &code_shapes[kind];
    char *at = out;

    CHECK(strlen(folded) == shape->len);
    for (size_t i = 0; i < shape->len; i++) {
        if (i > 0 && i % shape->group == 0)
            *at++ = shape->check == CODE_LETTERS ? '-' : ' ';
        *at++ = folded[i];
    }
    *at = '\0';
}

void
code_spelling(const char *folded, const char *lang, struct buf *out)
{
    static const char *const fr[26] = {
        "Anatole", "Berthe",  "Célestin", "Désiré", "Eugène", "François",
        "Gaston",  "Henri",   "Irma",    "Joseph",  "Kléber", "Louis",  "Marcel", "Nicolas", "Oscar",
        "Pierre",  "Quintal", "Raoul",   "Suzanne", "Thérèse", "Ursule", "Victor",
        "William", "Xavier",  "Yvonne",  "Zoé",
    };
    static const char *const en[26] = {
        "Alfa",   "Bravo",  "Charlie", "Delta", "Echo",   "Foxtrot", "Golf",    "Hotel",  "India",
        "Juliett", "Kilo",  "Lima",    "Mike",  "November", "Oscar", "Papa",    "Quebec", "Romeo",
        "Sierra", "Tango",  "Uniform", "Victor", "Whiskey", "X-ray", "Yankee",  "Zulu",
    };
    bool english = strcmp(lang, "en") == 0;
    const char *const *names = english ? en : fr;

    for (const char *c = folded; *c != '\0'; c++) {
        unsigned letter = (unsigned char)*c - 'A';      /* wraps for digits */

        if (c > folded)
            buf_add_lit(out, ", ");
        buf_addc(out, *c);
        if (letter < ARRAY_LEN(fr))
            buf_addf(out, " %s %s", english ? "for" : "comme", names[letter]);
    }
}
