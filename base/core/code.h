/*
 * code: the one-time codes that people read, type and say aloud (DOMAIN §2.4, §5.3).
 *
 * Letters: alphabet A31 = 23456789ABCDEFGHJKMNPQRSTUVWXYZ, last symbol is a check
 * symbol that also tells the kind (sum w_i*v_i = k mod 31). Digits: 8 digits of
 * which the last is a check digit (Damm, ending at a value that tells the kind). Nothing is silently mapped: 0, O, 1, I, L get
 * their own answer. Codes with ugly words (fr, en) are redrawn (D-12).
 */
#ifndef BASE_CORE_CODE_H
#define BASE_CORE_CODE_H

#include "base/core/buf.h"

enum code_kind {
    CODE_CREATION,      /* 12 symbols, 4-4-4,     k = 1 */
    CODE_ACTIVATION,    /* 8 digits,   4-4,       check digit (k = 2) */
    CODE_REVOCATION,    /* 16 symbols, 4-4-4-4,   k = 3 */
    CODE_REACTIVATION,  /* 8 digits (the PIN),    check digit (k = 4) */
    CODE_NUMBER,        /* 15 symbols, 5-5-5,     k = 5 */
    CODE_SHEET          /* 4 digits, no check */
};

enum code_verdict {
    CODE_GOOD,
    CODE_EMPTY,
    CODE_TOO_SHORT,     /* « il manque un signe » */
    CODE_TOO_LONG,
    CODE_BAD_CHAR,      /* 0, O, 1, I, L or a character outside the alphabet */
    CODE_TYPO,          /* wrong check symbol */
    CODE_OTHER_KIND     /* a valid code of another kind: *ret_other says which */
};

#define CODE_FOLDED_MAX 17        /* longest code without dashes, + NUL */
#define CODE_SHOWN_MAX 20         /* longest code with dashes, + NUL */

/* Draws a new code into out, folded form (upper case, no dashes). */
void code_draw(enum code_kind kind, char out[CODE_FOLDED_MAX]);
/* The form people see: groups joined by '-' (letters) or ' ' (digits). */
void code_shown(enum code_kind kind, const char *folded, char out[CODE_SHOWN_MAX]);
/* Reads what a person typed: case, spaces of any kind, dashes of any kind, full-width forms are folded.
 * On CODE_GOOD out holds the folded form. ret_other may be NULL. Does not touch the database. */
enum code_verdict code_read(enum code_kind kind, struct str typed, char out[CODE_FOLDED_MAX],
                            enum code_kind *ret_other);
/* « G comme Gaston »: the spelling line of a folded code, words separated by ", ". lang "fr" or "en". */
void code_spelling(const char *folded, const char *lang, struct buf *out);
/* Finds the codes in running text (mail subject or body, DOMAIN 6.4). Returns how many different good codes of
 * this kind were found (0, 1, 2 = two or more) and the first; *ret_near is the best verdict when none was
 * (CODE_EMPTY: nothing that looks like a code), CODE_GOOD otherwise. A text may hold a code of another kind beside
 * a good one: to learn whether a blocking code crossed the mail, scan for CODE_REVOCATION as well. */
int code_scan(enum code_kind kind, struct str text, char out[CODE_FOLDED_MAX], enum code_verdict *ret_near,
              enum code_kind *ret_other);
const char *code_kind_name(enum code_kind kind);     /* "creation", "activation", … as stored in SQL */

#endif
