/*
 * err: the reason of a failure on its way up. Never fails, never allocates; a
 * reason too long is cut. A format may name why->text itself.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BASE_CORE_ERR_C
#include "base/core/err.h"

static void
why_write(struct why *why, const char *code, const char *fmt, va_list ap) PRINTF_LIKE(3, 0);

static void
why_write(struct why *why, const char *code, const char *fmt, va_list ap)
{
    struct why fresh = WHY_INIT;

    vsnprintf(fresh.text, sizeof(fresh.text), fmt, ap);
    snprintf(fresh.code, sizeof(fresh.code), "%s", code);
    *why = fresh;
}

enum err
why_set(struct why *why, enum err e, const char *fmt, ...)
{
    va_list ap;

    if (why == NULL)
        return e;
    va_start(ap, fmt);
    why_write(why, "", fmt, ap);
    va_end(ap);
    return e;
}

enum err
why_code(struct why *why, enum err e, const char *code, const char *fmt, ...)
{
    va_list ap;

    if (why == NULL)
        return e;
    va_start(ap, fmt);
    why_write(why, code, fmt, ap);
    va_end(ap);
    return e;
}

void
why_prepend(struct why *why, const char *fmt, ...)
{
    char old[WHY_MAX];
    char context[WHY_MAX];
    size_t used;
    va_list ap;

    if (why == NULL)
        return;
    memcpy(old, why->text, sizeof(old));
    old[sizeof(old) - 1] = '\0';
    va_start(ap, fmt);
    vsnprintf(context, sizeof(context), fmt, ap);
    va_end(ap);
    used = (size_t)snprintf(why->text, sizeof(why->text), "%s", context);
    if (old[0] != '\0' && used < sizeof(why->text))
        snprintf(why->text + used, sizeof(why->text) - used, ": %s", old);
}

const char *
err_name(enum err e)
{
    switch (e) {
    case OK:
        return "ok";
    case ERR_INPUT:
        return "input";
    case ERR_DENIED:
        return "denied";
    case ERR_NOT_FOUND:
        return "not_found";
    case ERR_CONFLICT:
        return "conflict";
    case ERR_UNAVAILABLE:
        return "unavailable";
    case ERR_INTERNAL:
        return "internal";
    }
    return "unknown";
}
