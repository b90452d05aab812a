/*
 * err: kinds of failure a caller acts on, and the reason for our log.
 *
 * The kind travels as a return value; the reason travels up in struct why and
 * is logged once, at the edge that answers. The peer never sees the reason.
 */
#ifndef BASE_CORE_ERR_H
#define BASE_CORE_ERR_H

#include "base/core/mem.h"

enum err {
    OK = 0,
    ERR_INPUT,        /* the peer's fault: malformed, out of range, unknown field */
    ERR_DENIED,       /* understood, not allowed */
    ERR_NOT_FOUND,
    ERR_CONFLICT,     /* state does not permit it, lost race, duplicate */
    ERR_UNAVAILABLE,  /* database, peer, signer, disk away: try again later */
    ERR_INTERNAL      /* ours */
};

#define WHY_MAX 512

struct why {
    char code[48];        /* stable machine-readable reason, e.g. "saml.request.replayed"; may be empty */
    char text[WHY_MAX];   /* for the operator; sanitised when logged; never holds a secret */
};

#define WHY_INIT { "", "" }

/* Records the reason (why may be NULL) and returns e, so that callers can `return why_set(...)`. */
MUST_USE enum err why_set(struct why *why, enum err e, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Same with a stable code. */
MUST_USE enum err why_code(struct why *why, enum err e, const char *code, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

/* clang's analyzer looks at one file at a time: tell it what both return, or it takes every refusal for a success. */
#if defined(__clang_analyzer__) && !defined(BASE_CORE_ERR_C)
#define why_set(why, e, ...) ((void)(why_set)((why), (e), __VA_ARGS__), (e))
#define why_code(why, e, ...) ((void)(why_code)((why), (e), __VA_ARGS__), (e))
#endif

/* Prepends "context: " to the reason already recorded. */
void why_prepend(struct why *why, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Name for the log: "ok", "input", "denied", "not_found", "conflict", "unavailable", "internal". */
const char *err_name(enum err e);

/* A result ignored on purpose; say why in a comment beside the call. */
static inline void err_ignore(enum err e) { (void)e; }

#endif
