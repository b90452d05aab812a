/*
 * clock_parse: times and durations from text, strictly and wholly.
 *
 * utime_parse takes RFC 3339 §5.6, with any number of fraction digits (peers
 * send seven; what is below a microsecond is cut). It refuses leap seconds, the
 * hour 24, lower-case t and z, and a time without zone: such a text has no
 * single meaning.
 */
#include "base/core/clock.h"
#include "base/core/buf.h"
#include "base/core/civil.h"

/* Reads exactly n digits at *s. */
static bool
digits(const char **s, int n, int *ret)
{
    int value = 0;

    for (int i = 0; i < n; i++) {
        if (**s < '0' || **s > '9')
            return false;
        value = value * 10 + (*(*s)++ - '0');
    }
    *ret = value;
    return true;
}

static bool
literal(const char **s, char c)
{
    return *(*s)++ == c;
}

static bool
fraction(const char **s, int *ret_usec)
{
    int usec = 0, unit = 100000, n = 0;

    *ret_usec = 0;
    if (**s != '.')
        return true;
    for ((*s)++; **s >= '0' && **s <= '9'; (*s)++, n++) {
        usec += (**s - '0') * unit;
        unit /= 10;
    }
    *ret_usec = usec;
    return n > 0;
}

static bool
zone(const char **s, int *ret_seconds)
{
    int hours, minutes;
    char sign = **s;

    (*s)++;
    if (sign == 'Z') {
        *ret_seconds = 0;
        return true;
    }
    if ((sign != '+' && sign != '-') || !digits(s, 2, &hours) || !literal(s, ':') ||
        !digits(s, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *ret_seconds = (hours * 3600 + minutes * 60) * (sign == '-' ? -1 : 1);
    return true;
}

enum err
utime_parse(const char *s, utime *ret)
{
    int year, month, day, hour, minute, second, usec, offset;
    int64_t seconds;

    if (!digits(&s, 4, &year) || !literal(&s, '-') || !digits(&s, 2, &month) || !literal(&s, '-') ||
        !digits(&s, 2, &day) || !literal(&s, 'T') || !digits(&s, 2, &hour) || !literal(&s, ':') ||
        !digits(&s, 2, &minute) || !literal(&s, ':') || !digits(&s, 2, &second) || !fraction(&s, &usec) ||
        !zone(&s, &offset) || *s != '\0')
        return ERR_INPUT;
    if (month < 1 || month > 12 || day < 1 || day > civil_month_days(year, month) || hour > 23 ||
        minute > 59 || second > 59)
        return ERR_INPUT;
    seconds = civil_to_days(year, month, day) * 86400 + INT64_C(3600) * hour + INT64_C(60) * minute + second - offset;
    *ret = seconds * USEC_PER_SEC + usec;
    return OK;
}

enum err
duration_parse(const char *s, int64_t *ret_usec)
{
    static const struct {
        const char *unit;
        int64_t usec;
    } units[] = {
        { "ms", USEC_PER_SEC / 1000 }, { "s", USEC_PER_SEC },  { "min", USEC_PER_MIN },
        { "h", USEC_PER_HOUR },        { "d", USEC_PER_DAY },
    };
    size_t n = 0;
    int64_t count, usec;

    while (s[n] >= '0' && s[n] <= '9')
        n++;
    if (str_to_i64((struct str){ s, n }, 0, INT64_MAX, &count) != OK)
        return ERR_INPUT;
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (strcmp(s + n, units[i].unit) != 0)
            continue;
        if (__builtin_mul_overflow(count, units[i].usec, &usec))
            return ERR_INPUT;
        *ret_usec = usec;
        return OK;
    }
    return ERR_INPUT;
}
