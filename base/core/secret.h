/*
 * secret: bytes that are wiped when released and have no printed form.
 * Not copied by assignment; compared only in constant time.
 */
#ifndef BASE_CORE_SECRET_H
#define BASE_CORE_SECRET_H

#include "base/core/buf.h"

struct secret {
    unsigned char *data;   /* own page-locked memory where the system allows, excluded from core dumps */
    size_t len;            /* may be shortened by the holder; data[len] is always readable and NUL at first */
};
#define SECRET_INIT { NULL, 0 }

void secret_set(struct secret *s, const void *p, size_t n);
void secret_random(struct secret *s, size_t n);
void secret_done(struct secret *s);     /* wipes and releases; AUTO(secret_done) struct secret s = SECRET_INIT; */

/* Equal length and content, in time that depends on the length alone. */
bool mem_equal_ct(const void *a, size_t a_len, const void *b, size_t b_len) MUST_USE;
void mem_wipe(void *p, size_t n);

/* Reads a file whose owner must be us or root (root itself reads anybody's) and whose mode must not let group or others read.
 * ERR_NOT_FOUND, ERR_DENIED (owner or mode), ERR_INPUT (empty or > max). */
MUST_USE enum err secret_read_file(const char *path, size_t max, struct secret *ret, struct why *why);
/* Drops one line end ("\n" or "\r\n") at the end: for pass words kept in text files. */
void secret_chomp(struct secret *s);
/* The check alone, on an open file: regular, owner as above, nothing for group and others; ERR_DENIED. */
MUST_USE enum err secret_check_file(int fd, const char *path, struct why *why);

#endif
