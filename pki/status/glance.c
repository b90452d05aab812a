/*
 * glance: before a responder says that it never gave a serial number, the follower looks once more. A new certificate raises no
 * notification (its commit would wait for others), so for up to a second the table does not know it: whoever has just been given
 * one, and asks, would be told something else than "good".
 *
 * Strangers may ask for numbers of their own making: looks that are wanted so are GLANCE_APART from each other, and only
 * GLANCE_WAITING threads wait for one; the others answer from what is known.
 */
#include <errno.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "pki/status/status-internal.h"

#define GLANCE_APART 50000              /* microseconds */
#define GLANCE_PATIENCE 500000
#define GLANCE_WAITING 2

void
glance_init(struct glance *g)
{
    pthread_condattr_t attr;

    CHECK(pthread_mutex_init(&g->lock, NULL) == 0);
    CHECK(pthread_condattr_init(&attr) == 0 && pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(&g->ended, &attr) == 0);
    pthread_condattr_destroy(&attr);
    g->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK(g->fd >= 0);
}

void
glance_done(struct glance *g)
{
    close(g->fd);
    pthread_cond_destroy(&g->ended);
    pthread_mutex_destroy(&g->lock);
}

void
glance_look_begins(struct glance *g)
{
    uint64_t count;

    pthread_mutex_lock(&g->lock);
    g->begun++;
    if (read(g->fd, &count, sizeof(count)) < 0)
        CHECK(errno == EAGAIN);
    pthread_mutex_unlock(&g->lock);
}

void
glance_look_ends(struct glance *g, bool good)
{
    pthread_mutex_lock(&g->lock);
    g->good = good;
    g->seen = g->begun;
    g->next_at = clock_monotonic() + GLANCE_APART;
    pthread_cond_broadcast(&g->ended);
    pthread_mutex_unlock(&g->lock);
}

int64_t
glance_apart(struct glance *g)
{
    int64_t left;

    pthread_mutex_lock(&g->lock);
    left = g->next_at - clock_monotonic();
    pthread_mutex_unlock(&g->lock);
    return left > 0 ? left : 0;
}

void
glance_wait(struct glance *g)
{
    const utime until = clock_monotonic() + GLANCE_PATIENCE;
    const struct timespec t = { until / USEC_PER_SEC, (until % USEC_PER_SEC) * 1000 };
    const uint64_t one = 1;
    uint64_t wanted;

    pthread_mutex_lock(&g->lock);
    if (g->good && g->waiting < GLANCE_WAITING) {
        g->waiting++;
        wanted = g->begun + 1;                                       /* one that begins after the question came */
        CHECK(write(g->fd, &one, sizeof(one)) == (ssize_t)sizeof(one) || errno == EAGAIN);
        while (g->seen < wanted && g->good && pthread_cond_timedwait(&g->ended, &g->lock, &t) == 0)
            ;
        g->waiting--;
    }
    pthread_mutex_unlock(&g->lock);
}
