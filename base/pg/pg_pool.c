/*
 * pg_pool: connections for threads that borrow one for a while.
 *
 * The first connection is opened at once, so that a wrong statement stops the start; the others when they are first
 * needed. The one given back last is taken first: it is warm, and those that a quiet time leaves alone stay alone.
 * A connection that broke is opened again by its next borrower, outside the lock.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/pg/pg-internal.h"

struct pg_pool {
    const struct pg_config *conf;
    pthread_mutex_t lock;
    pthread_cond_t given;       /* on CLOCK_MONOTONIC */
    struct pg **idle;           /* stack */
    int idle_n;
    int out_n;                  /* borrowed */
    int size;
};

/* A connection that is down but will open itself when it is used. */
static struct pg *
new_closed(const struct pg_config *conf)
{
    struct pg *pg = mem_alloc(sizeof(*pg));

    pg->conf = conf;
    return pg;
}

enum err
pg_pool_new(const struct pg_config *conf, int size, struct pg_pool **ret, struct why *why)
{
    AUTO(pg_closep) struct pg *first = NULL;
    pthread_condattr_t attr;
    struct pg_pool *pool;
    enum err e;

    CHECK(size > 0);
    if ((e = pg_open(conf, &first, why)) != OK)
        return e;
    pool = mem_alloc(sizeof(*pool));
    pool->conf = conf;
    pool->size = size;
    pool->idle = mem_alloc_array((size_t)size, sizeof(*pool->idle));
    for (int i = 1; i < size; i++)
        pool->idle[pool->idle_n++] = new_closed(conf);
    pool->idle[pool->idle_n++] = TAKE(first);
    CHECK(pthread_mutex_init(&pool->lock, NULL) == 0);
    CHECK(pthread_condattr_init(&attr) == 0 && pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(&pool->given, &attr) == 0);
    (void)pthread_condattr_destroy(&attr);      /* cannot fail on Linux */
    *ret = pool;
    return OK;
}

void
pg_pool_free(struct pg_pool *pool)
{
    if (pool == NULL)
        return;
    CHECK(pool->out_n == 0);
    for (int i = 0; i < pool->idle_n; i++)
        pg_close(pool->idle[i]);
    free(pool->idle);
    CHECK(pthread_mutex_destroy(&pool->lock) == 0);
    CHECK(pthread_cond_destroy(&pool->given) == 0);
    free(pool);
}

static struct pg *
pop(struct pg_pool *pool, utime deadline)
{
    struct timespec until = { .tv_sec = (time_t)(deadline / USEC_PER_SEC),
                              .tv_nsec = (long)(deadline % USEC_PER_SEC) * 1000 };
    struct pg *pg = NULL;
    int rc = 0;

    CHECK(pthread_mutex_lock(&pool->lock) == 0);
    while (pool->idle_n == 0 && rc != ETIMEDOUT) {
        rc = pthread_cond_timedwait(&pool->given, &pool->lock, &until);
        CHECK(rc == 0 || rc == ETIMEDOUT);
    }
    if (pool->idle_n > 0) {
        pg = pool->idle[--pool->idle_n];
        pool->out_n++;
    }
    CHECK(pthread_mutex_unlock(&pool->lock) == 0);
    return pg;
}

enum err
pg_pool_take(struct pg_pool *pool, int64_t timeout, struct pg **ret, struct why *why)
{
    struct pg *pg = pop(pool, clock_monotonic() + timeout);
    enum err e;

    if (pg == NULL)
        return why_code(why, ERR_UNAVAILABLE, "pg.pool", "all %d database connections are in use", pool->size);
    if ((e = pg_ready(pg, why)) != OK) {
        pg_pool_give(pool, pg);
        return e;
    }
    *ret = pg;
    return OK;
}

void
pg_pool_give(struct pg_pool *pool, struct pg *pg)
{
    if (pg == NULL)
        return;
    CHECK(pg->tx == TX_NONE);
    CHECK(pthread_mutex_lock(&pool->lock) == 0);
    CHECK(pool->idle_n < pool->size && pool->out_n > 0);
    pool->idle[pool->idle_n++] = pg;
    pool->out_n--;
    CHECK(pthread_cond_signal(&pool->given) == 0);
    CHECK(pthread_mutex_unlock(&pool->lock) == 0);
}
