/*
 * bench_argon2: the raw rate of password checks: threads (default: one per core) that do nothing else, for so many
 * seconds, at the default cost. Prints checks per second and CPU milliseconds of one.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/core/clock.h"
#include "base/crypto/password.h"

static atomic_long done;
static int64_t until;

static void *
check(void *arg)
{
    const struct password_cost cost = PASSWORD_COST_DEFAULT;

    while (clock_monotonic() < until) {
        CHECK(password_verify_nobody(STR_LIT("corail tambour 47 lune"), &cost, NULL) == ERR_DENIED);
        atomic_fetch_add(&done, 1);
    }
    return arg;
}

int
main(int argc, char **argv)
{
    const long seconds = argc > 1 ? strtol(argv[1], NULL, 10) : 3;
    long n = argc > 2 ? strtol(argv[2], NULL, 10) : sysconf(_SC_NPROCESSORS_ONLN);
    pthread_t threads[64];
    int64_t from = clock_monotonic();
    struct timespec cpu;

    n = n < 1 ? 1 : n > 64 ? 64 : n;
    until = from + seconds * USEC_PER_SEC;
    for (long i = 0; i < n; i++)
        CHECK(pthread_create(&threads[i], NULL, check, NULL) == 0);
    for (long i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu) == 0);
    printf("%.2f %.3f\n", (double)done * 1e6 / (double)(clock_monotonic() - from),
           ((double)cpu.tv_sec * 1e3 + (double)cpu.tv_nsec / 1e6) / (double)done);
    return 0;
}
