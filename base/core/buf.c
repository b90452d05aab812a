/*
 * buf: bytes with a ceiling.
 *
 * The place for every length that a peer chooses. What would pass the ceiling is
 * dropped whole, and so is everything appended after it: an overflowed buffer
 * never has a hole in the middle. Memory itself running out aborts (mem.h).
 * What is appended must not point into the buffer itself (checked when it grows).
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/core/buf.h"
#include "base/core/secret.h"

#define BUF_FIRST 64

static void
release(struct buf *b)
{
    if (b->secret && b->data != NULL)
        mem_wipe(b->data, b->cap);
    free(b->data);
    b->data = NULL;
    b->cap = 0;
}

void
buf_free(struct buf *b)
{
    release(b);
    b->len = 0;
    b->overflow = false;
}

void
buf_reset(struct buf *b)
{
    if (b->secret && b->data != NULL)
        mem_wipe(b->data, b->cap);
    b->len = 0;
    b->overflow = false;
    if (b->data != NULL)
        b->data[0] = '\0';
}

/* Room for n more bytes and the NUL; false, and remembered, when the ceiling forbids it. */
static bool
make_room(struct buf *b, size_t n)
{
    size_t need, cap;
    char *data;

    if (b->overflow || b->len > b->max || n > b->max - b->len || b->len + n == SIZE_MAX) {
        b->overflow = true;
        return false;
    }
    need = b->len + n + 1;
    if (need <= b->cap)
        return true;
    cap = b->cap < BUF_FIRST ? BUF_FIRST : b->cap > SIZE_MAX / 2 ? need : b->cap * 2;
    if (cap < need)
        cap = need;
    if (b->secret) {
        data = mem_alloc(cap);
        if (b->len > 0)
            memcpy(data, b->data, b->len);
        release(b);
    } else {
        data = mem_realloc_array(b->data, cap, 1);
    }
    b->data = data;
    b->cap = cap;
    b->data[b->len] = '\0';
    return true;
}

static bool
points_into(const struct buf *b, const void *p)
{
    uintptr_t at = (uintptr_t)p, start = (uintptr_t)b->data;

    return b->data != NULL && at >= start && at < start + b->cap;
}

void
buf_add(struct buf *b, const void *p, size_t n)
{
    CHECK(n == 0 || !points_into(b, p));
    if (!make_room(b, n))
        return;
    if (n > 0)
        memcpy(b->data + b->len, p, n);
    b->len += n;
    b->data[b->len] = '\0';
}

void
buf_adds(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

void
buf_addc(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

void
buf_add_str(struct buf *b, struct str s)
{
    buf_add(b, s.p, s.n);
}

void
buf_addf(struct buf *b, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    buf_addv(b, fmt, ap);
    va_end(ap);
}

/* Octets that can be written behind what is there, NUL included, without growing and within the ceiling. */
static size_t
spare(const struct buf *b)
{
    if (b->data == NULL || b->overflow || b->len > b->max)
        return 0;
    return b->cap - b->len - 1 < b->max - b->len ? b->cap - b->len : b->max - b->len + 1;
}

void
buf_addv(struct buf *b, const char *fmt, va_list ap)
{
    const size_t room = spare(b);
    va_list again;
    int n;

    /* mostly it fits: then once is enough */
    va_copy(again, ap);
    n = vsnprintf(room == 0 ? NULL : b->data + b->len, room, fmt, again);
    va_end(again);
    CHECK(n >= 0);
    if ((size_t)n >= room) {
        if (room > 0)
            b->data[b->len] = '\0';
        if (!make_room(b, (size_t)n))
            return;
        vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
    }
    b->len += (size_t)n;
}

char *
buf_reserve(struct buf *b, size_t n)
{
    if (!make_room(b, n))
        return NULL;
    return b->data + b->len;
}

void
buf_advance(struct buf *b, size_t n)
{
    CHECK(b->data != NULL && n < b->cap - b->len);
    b->len += n;
    b->data[b->len] = '\0';
}

void
buf_truncate(struct buf *b, size_t len)
{
    CHECK(len <= b->len);
    if (b->data == NULL)
        return;
    if (b->secret)
        mem_wipe(b->data + len, b->len - len);
    b->len = len;
    b->data[len] = '\0';
}

const char *
buf_cstr(const struct buf *b)
{
    return b->data == NULL ? "" : b->data;
}
