/* code-internal: shared by the files of the code module only. */
#ifndef BASE_CORE_CODE_INTERNAL_H
#define BASE_CORE_CODE_INTERNAL_H

#include "base/core/code.h"

#define CODE_KINDS (CODE_SHEET + 1)

struct code_shape {
    const char *name;                                          /* as stored in SQL */
    size_t len;                                                /* symbols, the check included */
    size_t group;                                              /* symbols per group when shown */
    enum { CODE_LETTERS, CODE_DIGITS, CODE_UNCHECKED } check;
    unsigned target;                                           /* sum mod 31, or Damm's last value */
};
extern const struct code_shape code_shapes[CODE_KINDS];

int code_a31_value(char c);                                    /* place in A31, -1 when not in it */
bool code_has_symbol(enum code_kind kind, char c);
bool code_check_is_good(enum code_kind kind, const char *folded);   /* right length and alphabet are the caller's care */
bool code_is_ugly(const char *folded);

/* One character of what a person typed or wrote. */
enum code_sign {
    CODE_SIGN_SYMBOL,     /* A-Z, 0-9 after folding case and width: *ret_symbol */
    CODE_SIGN_SPACE,      /* any space, invisible character or line end */
    CODE_SIGN_DASH,       /* any hyphen, dash or minus */
    CODE_SIGN_LETTER,     /* part of a word that cannot be in a code: accented, Greek, Cyrillic … */
    CODE_SIGN_OTHER       /* punctuation and the rest: ends a code */
};
/* Takes the first character off *s. Bytes that are not UTF-8 count as OTHER, one by one. */
enum code_sign code_next_sign(struct str *s, char *ret_symbol);

#endif
