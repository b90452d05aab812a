/*
 * rate: how fast each station goes, and how many of its refusals are written down. Buckets in this process's memory: a station
 * that floods is slowed where it floods, and no call waits for a row that all calls of a station would write.
 *
 * A lane lets an hour's worth through at once, then as many as the hour has. Revoking stops a thief: its wait is bound.
 */
#include "pki/front/front-internal.h"

#include <stdlib.h>

#define STATIONS_MAX 4096            /* beyond: the one unused for longest is forgotten */
#define REVOKE_WAIT_MAX 10           /* seconds */
#define ISSUE_WAIT_MAX 300
#define AUDIT_BURST 50
#define AUDIT_AN_HOUR 200

enum { BUCKETS = LANE_REVOKE + 2, BUCKET_AUDIT = LANE_REVOKE + 1 };
struct bucket {
    double level;                    /* calls that are not forgiven yet */
    utime at;                        /* monotonic */
};
struct entry {
    char station[37];
    utime used;
    struct bucket buckets[BUCKETS];
};
struct lanes {
    pthread_mutex_t lock;
    int64_t an_hour[BUCKETS];        /* 0: no limit */
    int64_t burst[BUCKETS];
    size_t n;
    struct entry entries[STATIONS_MAX];
};

struct lanes *
lanes_new(const struct pki_conf *conf)
{
    struct lanes *l = mem_alloc(sizeof(*l));
    const int64_t an_hour[BUCKETS] = { conf->front_rate_read, conf->front_rate_issue, conf->front_rate_revoke, AUDIT_AN_HOUR };

    CHECK(pthread_mutex_init(&l->lock, NULL) == 0);
    for (size_t i = 0; i < BUCKETS; i++) {
        l->an_hour[i] = an_hour[i];
        l->burst[i] = i == BUCKET_AUDIT ? AUDIT_BURST : an_hour[i];
    }
    return l;
}

void
lanes_free(struct lanes *l)
{
    if (l == NULL)
        return;
    pthread_mutex_destroy(&l->lock);
    free(l);
}

/* The lock is held. */
static struct entry *
entry_of(struct lanes *l, const char *station, utime now)
{
    struct entry *oldest = &l->entries[0];

    for (size_t i = 0; i < l->n; i++) {
        if (strcmp(l->entries[i].station, station) == 0)
            return &l->entries[i];
        if (l->entries[i].used < oldest->used)
            oldest = &l->entries[i];
    }
    if (l->n < STATIONS_MAX)
        oldest = &l->entries[l->n++];
    *oldest = (struct entry){ .used = now };
    memcpy(oldest->station, station, sizeof(oldest->station));
    for (size_t i = 0; i < BUCKETS; i++)
        oldest->buckets[i].at = now;
    return oldest;
}

/* Seconds until one more fits; 0: it does, and is counted. */
static double
take(struct lanes *l, const char *station, size_t which)
{
    const utime now = clock_monotonic();
    const double leak = (double)l->an_hour[which] / 3600;
    struct bucket *b;
    double wait = 0;

    if (l->an_hour[which] == 0)
        return 0;
    pthread_mutex_lock(&l->lock);
    {
        struct entry *e = entry_of(l, station, now);

        e->used = now;
        b = &e->buckets[which];
    }
    b->level -= leak * (double)(now - b->at) / (double)USEC_PER_SEC;
    if (b->level < 0)
        b->level = 0;
    b->at = now;
    if (b->level + 1 <= (double)l->burst[which])
        b->level += 1;
    else
        wait = (b->level + 1 - (double)l->burst[which]) / leak;
    pthread_mutex_unlock(&l->lock);
    return wait;
}

int
lanes_take(struct lanes *l, const char *station, enum lane lane)
{
    const double wait = take(l, station, lane);
    const int most = lane == LANE_REVOKE ? REVOKE_WAIT_MAX : ISSUE_WAIT_MAX;

    if (wait <= 0)
        return 0;
    return wait < most ? (int)wait + 1 : most;
}

bool
lanes_may_audit(struct lanes *l, const char *station)
{
    return take(l, station, BUCKET_AUDIT) <= 0;
}
