/* measure: CPU time of one call, for programs that print figures (tests/bench/bench_X.c). */
#ifndef TESTS_BENCH_MEASURE_H
#define TESTS_BENCH_MEASURE_H

#include <stdint.h>
#include <time.h>

#include "base/core/mem.h"

#define SPAN_USEC 1000000          /* time given to each row */

/* CPU time of this thread. */
static inline int64_t
cpu_usec(void)
{
    struct timespec t;

    CHECK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) == 0);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Microseconds of one call. */
static inline double
measure(void (*call)(void *), void *arg)
{
    const int64_t start = cpu_usec();
    int64_t spent;
    long n = 0;

    do {
        call(arg);
        n++;
    } while ((spent = cpu_usec() - start) < SPAN_USEC);
    return (double)spent / (double)n;
}

#endif
