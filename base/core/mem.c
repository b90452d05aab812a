/*
 * mem: allocation that answers or ends the process.
 *
 * For sizes that the program itself chooses. When memory is gone there is no
 * sensible way on for a server of this size: the supervisor restarts it, and
 * nothing half done is kept because everything lasting is in PostgreSQL.
 * Never for a length that a peer may choose: those go to struct buf or an arena.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/core/mem.h"

void
panic(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    flockfile(stderr);
    fputs("panic: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    fflush(stderr);
    funlockfile(stderr);
    va_end(ap);
    abort();
}

void *
mem_alloc(size_t n)
{
    void *p = calloc(n == 0 ? 1 : n, 1);

    if (p == NULL)
        panic("out of memory (%zu bytes)", n);
    return p;
}

static size_t
size_product(size_t n, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(n, size, &total))
        panic("size overflow (%zu times %zu)", n, size);
    return total;
}

void *
mem_alloc_array(size_t n, size_t size)
{
    return mem_alloc(size_product(n, size));
}

void *
mem_realloc_array(void *p, size_t n, size_t size)
{
    size_t total = size_product(n, size);
    void *grown = realloc(p, total == 0 ? 1 : total);

    if (grown == NULL)
        panic("out of memory (%zu bytes)", total);
    return grown;
}

char *
mem_strdup(const char *s)
{
    return mem_dup(s, strlen(s) + 1);
}

char *
mem_strndup(const char *s, size_t n)
{
    size_t len = strnlen(s, n);
    char *copy = mem_alloc(len + 1);

    memcpy(copy, s, len);
    return copy;
}

void *
mem_dup(const void *p, size_t n)
{
    void *copy = mem_alloc(n);

    if (n > 0)
        memcpy(copy, p, n);
    return copy;
}

void
mem_freep(void *pp)
{
    void *p;

    /* pp points to a pointer of any type: copied as bytes, for void ** may not alias it */
    memcpy(&p, pp, sizeof(p));
    free(p);
    p = NULL;
    memcpy(pp, &p, sizeof(p));
}
