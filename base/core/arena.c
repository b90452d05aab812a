/*
 * arena: bump allocation in a few blocks, released together.
 *
 * The ceiling counts whole blocks, so it bounds what the process really holds.
 * Form fields and headers live here: used bytes are wiped when the arena is
 * reset or freed, so that a password does not stay behind in the heap.
 * Not for sharing between threads.
 */
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/core/arena.h"
#include "base/core/secret.h"

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(p, n)   __asan_poison_memory_region((p), (n))
#define UNPOISON(p, n) __asan_unpoison_memory_region((p), (n))
#define RED_ZONE       16      /* between two pieces, so that running over the end of one is seen */
#else
#define POISON(p, n)   ((void)0)
#define UNPOISON(p, n) ((void)0)
#define RED_ZONE       0
#endif

#define ALIGN       alignof(max_align_t)
#define BLOCK_FIRST ((size_t)4096)
#define BLOCK_MOST  ((size_t)256 * 1024)

struct block {
    struct block *next;     /* older block, NULL for the first */
    size_t size;            /* bytes in data */
    size_t used;
    alignas(max_align_t) unsigned char data[];
};

struct arena {
    struct block *top;      /* where the next piece comes from; NULL before the first allocation */
    size_t max;             /* ceiling on the sum of all sizes, in bytes */
    size_t total;           /* that sum */
};

struct arena *
arena_new(size_t max_bytes)
{
    struct arena *a = mem_alloc(sizeof(*a));

    a->max = max_bytes;
    return a;
}

static void
block_wipe(struct block *b)
{
    UNPOISON(b->data, b->size);
    mem_wipe(b->data, b->used);
    b->used = 0;
}

static void
block_free(struct block *b)
{
    block_wipe(b);
    free(b);
}

void
arena_free(struct arena *a)
{
    if (a == NULL)
        return;
    while (a->top != NULL) {
        struct block *b = a->top;

        a->top = b->next;
        block_free(b);
    }
    free(a);
}

void
arena_reset(struct arena *a)
{
    while (a->top != NULL && a->top->next != NULL) {
        struct block *b = a->top;

        a->top = b->next;
        a->total -= b->size;
        block_free(b);
    }
    if (a->top != NULL) {
        block_wipe(a->top);
        POISON(a->top->data, a->top->size);
    }
}

/* A block on top with room for at least n bytes, or false when the ceiling forbids it. */
static bool
add_block(struct arena *a, size_t n)
{
    size_t left = a->max - a->total;
    size_t size = a->top == NULL ? BLOCK_FIRST : a->top->size * 2;
    struct block *b;

    if (n > left)
        return false;
    if (size > BLOCK_MOST)
        size = BLOCK_MOST;
    if (size < n)
        size = n;
    if (size > left)
        size = left;
    b = mem_alloc(sizeof(*b) + size);
    b->size = size;
    b->next = a->top;
    a->top = b;
    a->total += size;
    POISON(b->data, b->size);
    return true;
}

void *
arena_try_alloc(struct arena *a, size_t n)
{
    size_t piece;
    unsigned char *p;

    if (n > SIZE_MAX - (ALIGN + RED_ZONE) - sizeof(struct block))
        return NULL;
    piece = (n == 0 ? ALIGN : (n + ALIGN - 1) / ALIGN * ALIGN) + RED_ZONE;
    if ((a->top == NULL || piece > a->top->size - a->top->used) && !add_block(a, piece))
        return NULL;
    p = a->top->data + a->top->used;
    a->top->used += piece;
    UNPOISON(p, n == 0 ? 1 : n);
    return p;
}

void *
arena_alloc(struct arena *a, size_t n)
{
    void *p = arena_try_alloc(a, n);

    if (p == NULL)
        panic("arena ceiling reached: %zu bytes asked, %zu of %zu taken", n, a->total, a->max);
    return p;
}

char *
arena_strdup(struct arena *a, const char *s)
{
    return arena_dup(a, s, strlen(s) + 1);
}

char *
arena_str(struct arena *a, struct str s)
{
    char *copy = arena_alloc(a, s.n + 1);

    if (s.n > 0)
        memcpy(copy, s.p, s.n);
    return copy;
}

char *
arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap, again;
    char *text;
    int n;

    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    CHECK(n >= 0);
    text = arena_alloc(a, (size_t)n + 1);
    vsnprintf(text, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return text;
}

void *
arena_dup(struct arena *a, const void *p, size_t n)
{
    void *copy = arena_alloc(a, n);

    if (n > 0)
        memcpy(copy, p, n);
    return copy;
}
