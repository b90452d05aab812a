/*
 * clock: time is a parameter.
 *
 * All times are int64_t microseconds since the Unix epoch (type utime). A
 * request reads the clock once and hands the value down; SQL gets it as a
 * parameter. Where the configuration says environment = demo or test, the clock
 * can be moved: an offset lives in a small shared file that every process maps,
 * so that all processes of a demo move together. In production the offset file
 * is refused.
 */
#ifndef BASE_CORE_CLOCK_H
#define BASE_CORE_CLOCK_H

#include "base/core/err.h"

typedef int64_t utime;     /* microseconds since 1970-01-01T00:00:00Z */

#define USEC_PER_SEC  INT64_C(1000000)
#define USEC_PER_MIN  (60 * USEC_PER_SEC)
#define USEC_PER_HOUR (60 * USEC_PER_MIN)
#define USEC_PER_DAY  (24 * USEC_PER_HOUR)

utime clock_now(void);              /* wall clock plus the offset, if any */
utime clock_monotonic(void);        /* for durations and time-outs; never moved */

/* Maps the offset file (created when absent). Call once at start, only in demo or test. */
MUST_USE enum err clock_use_offset_file(const char *path, struct why *why);
/* Moves the clock of all processes sharing the file by delta microseconds; ERR_DENIED without a file. */
MUST_USE enum err clock_advance(int64_t delta, struct why *why);
int clock_is_test(void);            /* an offset file is in use, or clock_set_test() was called */
void clock_set_test(utime fixed);   /* unit tests: freeze at this value; 0 thaws */

#define UTIME_RFC3339_LEN 20        /* 2026-11-21T22:04:05Z */
void utime_rfc3339(utime t, char out[UTIME_RFC3339_LEN + 1]);
/* With microseconds or without; "Z" or an offset; whole string. ERR_INPUT otherwise. */
MUST_USE enum err utime_parse(const char *s, utime *ret);
/* "15d", "24h", "10min", "30s", "500ms": as used in configuration files. */
MUST_USE enum err duration_parse(const char *s, int64_t *ret_usec);
/* Local civil time in zone "Europe/Paris" etc. for letters and pages, without touching TZ of the process. */
struct civil { int year, month, day, hour, minute, second, weekday /* 0 = Sunday */; };
void utime_civil(utime t, const char *zone, struct civil *ret);
/* Is the zone known to the system (package tzdata)? Ask at start: utime_civil() falls back to UTC. ERR_NOT_FOUND. */
MUST_USE enum err clock_zone_check(const char *zone, struct why *why);
int64_t utime_seconds(utime t);     /* whole seconds, rounded down (X.509, JWT) */

#endif
