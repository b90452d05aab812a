/*
 * clock: the wall clock, possibly moved, and the civil calendar.
 *
 * Only the edge of a request or a job reads it; below that, time is a parameter.
 * The offset of a demo lives in a file of 8 bytes mapped by all its processes;
 * adding to it is atomic across them. Dates are proleptic Gregorian, no leap
 * seconds, years 0 to 9999.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/core/clock.h"
#include "base/core/civil.h"

static _Atomic(_Atomic int64_t *) shared_offset;     /* NULL in production */
static _Atomic utime frozen;                         /* 0: running */

_Static_assert(sizeof(_Atomic int64_t) == 8, "the offset file holds 8 bytes");

static utime
read_clock(clockid_t id)
{
    struct timespec ts;

    if (clock_gettime(id, &ts) != 0)
        panic("clock_gettime: %s", strerror(errno));
    return (utime)ts.tv_sec * USEC_PER_SEC + ts.tv_nsec / 1000;
}

utime
clock_now(void)
{
    utime still = atomic_load_explicit(&frozen, memory_order_relaxed);
    _Atomic int64_t *offset = atomic_load_explicit(&shared_offset, memory_order_acquire);

    if (still != 0)
        return still;
    return read_clock(CLOCK_REALTIME) + (offset == NULL ? 0 : atomic_load(offset));
}

utime
clock_monotonic(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

static void
fd_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

enum err
clock_use_offset_file(const char *path, struct why *why)
{
    AUTO(fd_close) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0660);
    struct stat st;
    void *map;

    if (fd < 0 || fstat(fd, &st) != 0)
        return why_set(why, ERR_UNAVAILABLE, "%s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode) || (st.st_size != 0 && st.st_size != 8))
        return why_set(why, ERR_INPUT, "%s: not an offset file (8 bytes)", path);
    if (st.st_size == 0 && ftruncate(fd, 8) != 0)
        return why_set(why, ERR_UNAVAILABLE, "%s: %s", path, strerror(errno));
    map = mmap(NULL, 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return why_set(why, ERR_UNAVAILABLE, "%s: %s", path, strerror(errno));
    atomic_store_explicit(&shared_offset, map, memory_order_release);
    return OK;
}

/* The moved clock must stay within the years that we can print. */
#define OFFSET_MOST (INT64_C(100) * 366 * USEC_PER_DAY)

enum err
clock_advance(int64_t delta, struct why *why)
{
    _Atomic int64_t *offset = atomic_load_explicit(&shared_offset, memory_order_acquire);
    int64_t old, moved;

    if (offset == NULL)
        return why_set(why, ERR_DENIED, "the clock cannot be moved here");
    old = atomic_load(offset);
    do {
        if (__builtin_add_overflow(old, delta, &moved) || moved > OFFSET_MOST || moved < -OFFSET_MOST)
            return why_set(why, ERR_INPUT, "the clock cannot be moved that far");
    } while (!atomic_compare_exchange_weak(offset, &old, moved));
    return OK;
}

int
clock_is_test(void)
{
    return atomic_load(&shared_offset) != NULL || atomic_load(&frozen) != 0;
}

void
clock_set_test(utime fixed)
{
    atomic_store(&frozen, fixed);
}

/* Days since 1970-01-01 of a civil date and back: Howard Hinnant, "chrono-compatible low-level date algorithms". */
int64_t
civil_to_days(int64_t year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;

    return era * 146097 + doe - 719468;
}

void
civil_from_seconds(int64_t seconds, struct civil *ret)
{
    int64_t days = seconds / 86400, rest = seconds % 86400;
    int64_t era, doe, yoe, doy, mp;

    if (rest < 0) {
        rest += 86400;
        days--;
    }
    ret->hour = (int)(rest / 3600);
    ret->minute = (int)(rest / 60 % 60);
    ret->second = (int)(rest % 60);
    ret->weekday = (int)(((days + 4) % 7 + 7) % 7);      /* 1970-01-01 was a Thursday */
    days += 719468;
    era = (days >= 0 ? days : days - 146096) / 146097;
    doe = days - era * 146097;
    yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    mp = (5 * doy + 2) / 153;
    ret->day = (int)(doy - (153 * mp + 2) / 5 + 1);
    ret->month = (int)(mp < 10 ? mp + 3 : mp - 9);
    ret->year = (int)(yoe + era * 400 + (ret->month <= 2));
}

int
civil_month_days(int64_t year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    int leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return days[month - 1] + (month == 2 && leap);
}

int64_t
utime_seconds(utime t)
{
    return t / USEC_PER_SEC - (t % USEC_PER_SEC < 0);
}

#define SECONDS_YEAR_0    INT64_C(-62167219200)
#define SECONDS_YEAR_9999 INT64_C(253402300799)

void
utime_rfc3339(utime t, char out[UTIME_RFC3339_LEN + 1])
{
    int64_t seconds = utime_seconds(t);
    char text[64];
    struct civil c;

    if (seconds < SECONDS_YEAR_0)
        seconds = SECONDS_YEAR_0;
    if (seconds > SECONDS_YEAR_9999)
        seconds = SECONDS_YEAR_9999;
    civil_from_seconds(seconds, &c);
    snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02dZ", c.year, c.month, c.day, c.hour, c.minute,
             c.second);
    memcpy(out, text, UTIME_RFC3339_LEN);
    out[UTIME_RFC3339_LEN] = '\0';
}
