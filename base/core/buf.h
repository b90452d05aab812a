/*
 * buf: bytes with a length and a ceiling, and views on bytes.
 *
 * Appends never fail in place: what would pass the ceiling is dropped and the
 * buffer remembers it (buf_ok() is false from then on). A writer appends freely
 * and asks once at the end. data is always NUL-terminated after the first append.
 */
#ifndef BASE_CORE_BUF_H
#define BASE_CORE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include "base/core/err.h"

struct buf {
    char *data;      /* NULL when nothing was ever appended */
    size_t len;
    size_t cap;
    size_t max;      /* ceiling of len in bytes */
    bool overflow;   /* something did not fit */
    bool secret;     /* wipe on growth and release */
};

#define BUF_BOUNDED(ceiling) { NULL, 0, 0, (ceiling), false, false }
#define BUF_SECRET(ceiling)  { NULL, 0, 0, (ceiling), false, true }

/* A view: not owned, not NUL-terminated. */
struct str {
    const char *p;
    size_t n;
};
#define STR_NULL ((struct str){ NULL, 0 })
#define STR_LIT(s) ((struct str){ (s), sizeof(s) - 1 })

void buf_free(struct buf *b);                 /* releases; b is reusable, ceiling kept */
void buf_reset(struct buf *b);                /* length 0, memory kept (wiped if secret) */
static inline bool buf_ok(const struct buf *b) { return !b->overflow; }

void buf_add(struct buf *b, const void *p, size_t n);
void buf_adds(struct buf *b, const char *s);
void buf_addc(struct buf *b, char c);
void buf_add_str(struct buf *b, struct str s);
void buf_addf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_addv(struct buf *b, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
#define buf_add_lit(b, lit) buf_add((b), (lit), sizeof(lit) - 1)

/* Room for n more bytes, to be filled by the caller and then counted with buf_advance(); NULL on overflow. */
char *buf_reserve(struct buf *b, size_t n);
void buf_advance(struct buf *b, size_t n);
void buf_truncate(struct buf *b, size_t len);   /* len <= b->len; the cut part is wiped if secret */

/* The content as a C string: "" when empty. The caller must have excluded NUL bytes itself. */
const char *buf_cstr(const struct buf *b);
static inline struct str buf_view(const struct buf *b) { return (struct str){ b->data, b->len }; }

static inline struct str str_of(const char *s) { return (struct str){ s, s == NULL ? 0 : strlen(s) }; }
bool str_eq(struct str a, struct str b);              /* bytes, not constant time */
bool str_eqs(struct str a, const char *b);
bool str_ieqs(struct str a, const char *b);           /* ASCII case folded */
bool str_starts(struct str a, const char *prefix);
struct str str_trim(struct str a);                    /* ASCII white space */
/* Splits at the first sep: returns the part before, *rest the part after (p NULL when there was none). */
struct str str_split(struct str a, char sep, struct str *rest);
/* Decimal, whole string, no sign but '-', checked. */
MUST_USE enum err str_to_i64(struct str a, int64_t min, int64_t max, int64_t *ret_value);

#endif
