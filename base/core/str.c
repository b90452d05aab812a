/* str: views on bytes (declared in buf.h). Nothing here allocates or changes what is looked at. */
#include "base/core/buf.h"

static char
ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool
is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

bool
str_eq(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool
str_eqs(struct str a, const char *b)
{
    return str_eq(a, str_of(b));
}

bool
str_ieqs(struct str a, const char *b)
{
    if (a.n != strlen(b))
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (ascii_lower(a.p[i]) != ascii_lower(b[i]))
            return false;
    return true;
}

bool
str_starts(struct str a, const char *prefix)
{
    size_t n = strlen(prefix);

    return a.n >= n && (n == 0 || memcmp(a.p, prefix, n) == 0);
}

struct str
str_trim(struct str a)
{
    while (a.n > 0 && is_space(a.p[0])) {
        a.p++;
        a.n--;
    }
    while (a.n > 0 && is_space(a.p[a.n - 1]))
        a.n--;
    return a;
}

struct str
str_split(struct str a, char sep, struct str *rest)
{
    const char *at = a.n == 0 ? NULL : memchr(a.p, sep, a.n);
    struct str before = a;

    if (at == NULL) {
        *rest = STR_NULL;
        return before;
    }
    before.n = (size_t)(at - a.p);
    *rest = (struct str){ at + 1, a.n - before.n - 1 };
    return before;
}

enum err
str_to_i64(struct str a, int64_t min, int64_t max, int64_t *ret_value)
{
    bool negative = a.n > 0 && a.p[0] == '-';
    int64_t value = 0;

    if (a.n == (negative ? 1u : 0u))
        return ERR_INPUT;
    /* counted downwards, so that the least value fits too */
    for (size_t i = negative ? 1 : 0; i < a.n; i++) {
        if (a.p[i] < '0' || a.p[i] > '9' || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, a.p[i] - '0', &value))
            return ERR_INPUT;
    }
    if (!negative && __builtin_sub_overflow(0, value, &value))
        return ERR_INPUT;
    if (value < min || value > max)
        return ERR_INPUT;
    *ret_value = value;
    return OK;
}
