/*
 * code_scan: codes in the subject or the text of a mail (DOMAIN 6.4).
 *
 * The text is cut into words; spaces, dashes and punctuation between two words
 * are remembered. A candidate is a run of whole words whose symbols together have
 * the length of a code. Runs are tried in two passes, the second only when the
 * first found nothing:
 *
 *   1. the code as we print it (4-4-4) or in one piece;
 *   2. any other grouping joined by dashes or spaces on one line, if it holds a
 *      digit: so that ordinary words next to each other are not a code by luck.
 *
 * Three of the four groups of a blocking code pass the check of a creation code
 * one time in 31: groups that make a good longer code are taken out before the
 * shorter kind is looked for.
 *
 * What looks like a code but is none gets the nearest verdict. Finding a code of
 * another kind comes before everything else, for a blocking code that crossed the
 * mail must be replaced: the caller scans again with that kind to learn it.
 *
 * Never touches the database. Text beyond SCAN_MOST bytes is not looked at.
 */
#include <stdlib.h>

#include "base/core/code.h"
#include "base/core/code-internal.h"
#include "base/core/secret.h"

#define SCAN_MOST 16384
#define WORD_MOST 24         /* longer than the longest code: cannot be part of one */

enum gap {
    GAP_SPACE,               /* spaces on one line */
    GAP_DASH,                /* one or more dashes, with or without spaces around them */
    GAP_LINE,                /* as above, with a line end between: mail programs wrap */
    GAP_MARK,                /* one of . , / _ | : + * between two groups, as some people type it */
    GAP_BREAK                /* anything else: no code goes on */
};

struct word {
    char symbols[WORD_MOST];
    size_t len;              /* WORD_MOST: longer than that */
    bool foreign;            /* has a letter that is in no code */
    bool taken;              /* belongs to a code of a longer kind */
    enum gap gap;            /* to the next word; GAP_BREAK at the end */
};

struct words {
    struct word *w;
    size_t n;
};

static void
words_done(struct words *ws)
{
    if (ws->w != NULL)
        mem_wipe(ws->w, ws->n * sizeof(*ws->w));
    free(ws->w);
}

/* The gap so far, and one more character in it. */
static enum gap
gap_grows(enum gap gap, enum code_sign sign, char c)
{
    enum gap more;

    if (sign == CODE_SIGN_DASH)
        more = GAP_DASH;
    else if (sign == CODE_SIGN_SPACE)
        more = c == '\n' || c == '\r' ? GAP_LINE : GAP_SPACE;
    else
        more = c != '\0' && strchr(".,/_|:+*", c) != NULL && gap < GAP_MARK ? GAP_MARK : GAP_BREAK;
    return more > gap ? more : gap;
}

/* There are at most half as many words as bytes, and one. */
static void
words_cut(struct str text, struct words *ret)
{
    bool inside = false;

    ret->w = mem_alloc_array(text.n / 2 + 1, sizeof(*ret->w));
    while (text.n > 0) {
        const char *at = text.p;
        char symbol = '\0';
        enum code_sign sign = code_next_sign(&text, &symbol);
        struct word *last;

        if (sign == CODE_SIGN_SYMBOL || sign == CODE_SIGN_LETTER) {
            if (!inside)
                ret->n++;
            inside = true;
            last = &ret->w[ret->n - 1];
            last->foreign = last->foreign || sign == CODE_SIGN_LETTER;
            if (last->len < WORD_MOST)
                last->symbols[last->len++] = symbol;
        } else if (ret->n > 0) {
            last = &ret->w[ret->n - 1];
            last->gap = gap_grows(inside ? GAP_SPACE : last->gap, sign, *at);
            inside = false;
        }
    }
    if (ret->n > 0)
        ret->w[ret->n - 1].gap = GAP_BREAK;
}

/* A run of words: its symbols joined, and what stood between them. */
struct run {
    char symbols[WORD_MOST + 1];
    size_t len;
    size_t groups;
    bool printed;            /* every group but the last has the printed size, the last not more */
    enum gap widest;
    bool uneven;             /* not the same gap between all groups */
    size_t shortest, longest;
    bool has_digit;          /* one of A31 */
    size_t strange;          /* symbols that are not in the kind's alphabet */
};

static bool
run_add(struct run *r, const struct word *w, enum code_kind kind)
{
    size_t group = code_shapes[kind].group;

    if (w->foreign || w->len > WORD_MOST - r->len)
        return false;
    memcpy(r->symbols + r->len, w->symbols, w->len);
    r->printed = (r->groups == 0 || r->printed) && r->len == r->groups * group && w->len <= group;
    r->len += w->len;
    r->symbols[r->len] = '\0';
    r->groups++;
    for (size_t i = 0; i < w->len; i++) {
        r->has_digit = r->has_digit || (w->symbols[i] >= '2' && w->symbols[i] <= '9');
        r->strange += !code_has_symbol(kind, w->symbols[i]);
    }
    if (r->shortest == 0 || w->len < r->shortest)
        r->shortest = w->len;
    if (w->len > r->longest)
        r->longest = w->len;
    return true;
}

static bool
run_is_good(enum code_kind kind, const struct run *r)
{
    return r->len == code_shapes[kind].len && r->strange == 0 &&
           code_check_is_good(kind, r->symbols);
}

static bool
run_fits_pass(const struct run *r, int pass)
{
    if (pass == 1)
        return r->groups == 1 || (r->printed && r->widest <= GAP_MARK);
    return r->widest <= GAP_DASH && r->has_digit;
}

/* Not good, but meant as a code of this kind? */
static enum code_verdict
run_near(enum code_kind kind, const struct run *r)
{
    const struct code_shape *shape = &code_shapes[kind];
    bool as_printed = r->groups == (shape->len + shape->group - 1) / shape->group &&
                      r->shortest + 1 >= shape->group && r->longest <= shape->group + 1;

    if (r->len > shape->len + 1 || r->strange > 2)
        return CODE_EMPTY;
    if (r->len + 1 < shape->len && (2 * r->len < shape->len || r->widest != GAP_DASH || r->strange > 0))
        return CODE_EMPTY;
    if (shape->check == CODE_LETTERS && !r->has_digit)
        return CODE_EMPTY;      /* words */
    if (r->groups > 1 && !(as_printed && r->widest <= GAP_MARK) && r->widest != GAP_DASH)
        return CODE_EMPTY;      /* words with a number among them */
    if (r->strange > 0)
        return CODE_BAD_CHAR;
    return r->len < shape->len ? CODE_TOO_SHORT : r->len > shape->len ? CODE_TOO_LONG : CODE_TYPO;
}

/* Which of two verdicts helps the person more. */
static int
verdict_rank(enum code_verdict v)
{
    switch (v) {
    case CODE_GOOD:
        return 6;
    case CODE_OTHER_KIND:
        return 5;
    case CODE_TYPO:
        return 4;
    case CODE_BAD_CHAR:
        return 3;
    case CODE_TOO_LONG:
        return 2;      /* its first groups alone are too short */
    case CODE_TOO_SHORT:
        return 1;
    case CODE_EMPTY:
        return 0;
    }
    return 0;
}

struct found {
    int n;                   /* 0, 1, 2 = several different ones */
    char first[CODE_FOLDED_MAX];
    enum code_verdict near;
};

static void
run_judge(enum code_kind kind, const struct run *r, int pass, struct found *f)
{
    bool good = run_is_good(kind, r);

    if (good && run_fits_pass(r, pass)) {
        if (f->n == 0)
            memcpy(f->first, r->symbols, r->len + 1);
        else if (strcmp(f->first, r->symbols) == 0)
            return;
        f->n = f->n == 0 ? 1 : 2;
    } else if (!good) {
        enum code_verdict near = run_near(kind, r);

        if (verdict_rank(near) > verdict_rank(f->near))
            f->near = near;
    }
}

/* Adds word i to the run, unless it cannot belong to it. */
static bool
run_goes_on(struct run *r, const struct words *ws, size_t start, size_t i, enum code_kind kind)
{
    if (i == ws->n || ws->w[i].taken || r->len > code_shapes[kind].len)
        return false;
    if (i > start) {
        enum gap gap = ws->w[i - 1].gap;

        if (gap == GAP_BREAK)
            return false;
        r->uneven = r->uneven || (i > start + 1 && gap != ws->w[start].gap);
        if (gap > r->widest)
            r->widest = gap;
    }
    return run_add(r, &ws->w[i], kind);
}

static void
scan_pass(enum code_kind kind, const struct words *ws, int pass, struct found *f)
{
    for (size_t start = 0; start < ws->n; start++) {
        struct run r = { .widest = GAP_SPACE };

        for (size_t i = start; run_goes_on(&r, ws, start, i, kind); i++)
            run_judge(kind, &r, pass, f);
        mem_wipe(&r, sizeof(r));
    }
}

/* Marks the words of good codes of this kind, as printed and evenly joined. */
static void
take_words(enum code_kind kind, struct words *ws)
{
    for (size_t start = 0; start < ws->n; start++) {
        struct run r = { .widest = GAP_SPACE };

        for (size_t i = start; run_goes_on(&r, ws, start, i, kind); i++) {
            if (!run_is_good(kind, &r) || !r.printed || r.uneven)
                continue;
            for (size_t k = start; k <= i; k++)
                ws->w[k].taken = true;
        }
        mem_wipe(&r, sizeof(r));
    }
}

static void
scan_kind(enum code_kind kind, struct words *ws, struct found *f)
{
    const struct code_shape *shape = &code_shapes[kind];

    for (size_t i = 0; i < ws->n; i++)
        ws->w[i].taken = false;
    for (int other = 0; other < CODE_KINDS; other++)
        if (code_shapes[other].check == shape->check && code_shapes[other].group == shape->group &&
            code_shapes[other].len > shape->len)
            take_words((enum code_kind)other, ws);
    scan_pass(kind, ws, 1, f);
    if (f->n == 0)
        scan_pass(kind, ws, 2, f);
}

/* A code of another kind: letters anywhere; eight digits only when there is nothing else (one number in ten passes). */
static bool
scan_others(enum code_kind kind, struct str text, struct words *ws, enum code_kind *ret_other)
{
    for (int other = 0; other < CODE_KINDS; other++) {
        struct found f = { 0, "", CODE_EMPTY };
        bool is_there = false;

        if ((enum code_kind)other == kind)
            continue;
        switch (code_shapes[other].check) {
        case CODE_LETTERS:
            scan_kind((enum code_kind)other, ws, &f);
            is_there = f.n > 0;
            break;
        case CODE_DIGITS:
            is_there = code_read((enum code_kind)other, text, f.first, NULL) == CODE_GOOD;
            break;
        case CODE_UNCHECKED:
            break;
        }
        mem_wipe(&f, sizeof(f));
        if (is_there) {
            if (ret_other != NULL)
                *ret_other = (enum code_kind)other;
            return true;
        }
    }
    return false;
}

int
code_scan(enum code_kind kind, struct str text, char out[CODE_FOLDED_MAX], enum code_verdict *ret_near,
          enum code_kind *ret_other)
{
    AUTO(words_done) struct words ws = { NULL, 0 };
    struct found f = { 0, "", CODE_EMPTY };

    if (text.n > SCAN_MOST)
        text.n = SCAN_MOST;
    words_cut(text, &ws);
    scan_kind(kind, &ws, &f);
    if (f.n > 0)
        memcpy(out, f.first, code_shapes[kind].len + 1);
    else if (scan_others(kind, text, &ws, ret_other))
        f.near = CODE_OTHER_KIND;
    if (ret_near != NULL)
        *ret_near = f.n > 0 ? CODE_GOOD : f.near;
    mem_wipe(f.first, sizeof(f.first));
    return f.n;
}
