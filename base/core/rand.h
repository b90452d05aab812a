/* rand: the one source of randomness. Aborts when the system has none: there is no safe way on. */
#ifndef BASE_CORE_RAND_H
#define BASE_CORE_RAND_H

#include "base/core/mem.h"

void rand_bytes(void *p, size_t n);
/* Uniform in [0, limit), limit > 0, without modulo bias. */
uint32_t rand_below(uint32_t limit);
/* n random bytes (1 to 64) as base64url without padding; out holds 4*ceil(n/3)+1 bytes. */
void rand_token(size_t n, char *out, size_t out_size);
/* RFC 9562 version 4, 36 characters + NUL. */
#define UUID_TEXT_LEN 36
void rand_uuid(char out[UUID_TEXT_LEN + 1]);

/* Tests only: replaces the source; NULL restores it. Refused (panic) unless clock_is_test(). */
void rand_set_source(void (*source)(void *p, size_t n));

#endif
