/*
 * mem: the few macros and allocators everything stands on.
 *
 * AUTO(f) releases a local on every way out; TAKE(p) moves it to the caller.
 * Allocations the program sizes abort when memory is gone; sizes that a peer
 * chooses go through struct buf or the request's arena, which have ceilings.
 */
#ifndef BASE_CORE_MEM_H
#define BASE_CORE_MEM_H

#include <stddef.h>
#include <stdint.h>

#define AUTO(fn) __attribute__((cleanup(fn)))
#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))
#define NONNULL __attribute__((nonnull))
#define NORETURN __attribute__((noreturn))

/* TAKE: yields the pointer and nulls the variable, so that its AUTO finds nothing. */
#define TAKE(p)                                                                \
    __extension__({                                                            \
        __typeof__(p) *take_from_ = &(p);                                      \
        __typeof__(p) take_value_ = *take_from_;                               \
        *take_from_ = NULL;                                                    \
        take_value_;                                                           \
    })

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* DEFINE_FREEP: the release wrapper AUTO needs for a type freed by fn; NULL is allowed. */
#define DEFINE_FREEP(type, fn)                                                 \
    static inline void fn##p(type **p)                                         \
    {                                                                          \
        if (*p != NULL)                                                        \
            fn(*p);                                                            \
        *p = NULL;                                                             \
    }

/* All abort the process when memory is gone or a size overflows; never return NULL. */
void *mem_alloc(size_t n) MUST_USE __attribute__((malloc, alloc_size(1)));       /* zeroed */
void *mem_alloc_array(size_t n, size_t size) MUST_USE __attribute__((malloc));   /* zeroed, checked */
void *mem_realloc_array(void *p, size_t n, size_t size) MUST_USE;                /* checked; new part not zeroed */
char *mem_strdup(const char *s) MUST_USE NONNULL __attribute__((malloc));
char *mem_strndup(const char *s, size_t n) MUST_USE NONNULL __attribute__((malloc));
void *mem_dup(const void *p, size_t n) MUST_USE;
void mem_freep(void *pp);        /* AUTO(mem_freep) char *s: frees *(void **)pp and nulls it */

/* Prints to stderr and aborts: for what only our own bug can cause. */
void panic(const char *fmt, ...) NORETURN PRINTF_LIKE(1, 2);
#define CHECK(cond)                                                            \
    do {                                                                       \
        if (!(cond))                                                           \
            panic("%s:%d: %s", __FILE__, __LINE__, #cond);                     \
    } while (0)

#endif
