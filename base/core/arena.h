/*
 * arena: memory that ends with its request. One ceiling for all of it: a peer
 * cannot grow it without bound; allocation beyond the ceiling returns NULL
 * (arena_try_*) or aborts (the others, for sizes that we choose).
 */
#ifndef BASE_CORE_ARENA_H
#define BASE_CORE_ARENA_H

#include "base/core/buf.h"

struct arena;

struct arena *arena_new(size_t max_bytes) MUST_USE;
void arena_free(struct arena *a);                   /* NULL is allowed */
void arena_reset(struct arena *a);                  /* keeps the first block */
DEFINE_FREEP(struct arena, arena_free)

void *arena_alloc(struct arena *a, size_t n) MUST_USE NONNULL;         /* zeroed, aligned for any type */
void *arena_try_alloc(struct arena *a, size_t n) MUST_USE NONNULL;     /* NULL past the ceiling */
char *arena_strdup(struct arena *a, const char *s) MUST_USE NONNULL;
char *arena_str(struct arena *a, struct str s) MUST_USE;               /* NUL-terminated copy */
char *arena_printf(struct arena *a, const char *fmt, ...) MUST_USE PRINTF_LIKE(2, 3);
void *arena_dup(struct arena *a, const void *p, size_t n) MUST_USE;

#endif
