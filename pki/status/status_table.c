/* status_table: see status_table.h. Nothing is ever taken out, so a probe ends at the first free slot. */
#include "pki/status/status_table.h"

#include <pthread.h>
#include <stdlib.h>

#define PARTS 64
#define SLOTS_MIN 16

struct slot {
    unsigned char serial[SERIAL_LEN];
    uint32_t revoked_at;
    uint8_t ca;                    /* 0: free */
    uint8_t kind, reason;
};

struct part {
    pthread_rwlock_t lock;
    struct slot *slots;
    size_t n, used;
};

struct status_table {
    struct part parts[PARTS];
};

/* --- places -------------------------------------------------------------------------------------------------------------- */

static struct part *
part_of(struct status_table *t, const unsigned char serial[SERIAL_LEN])
{
    return &t->parts[serial[SERIAL_LEN - 1] % PARTS];
}

/* Of octets that part_of() does not look at. */
static size_t
place_of(const unsigned char serial[SERIAL_LEN], int ca, size_t n)
{
    uint32_t h;

    memcpy(&h, serial + 8, sizeof(h));
    h ^= (uint32_t)ca * UINT32_C(2654435761);
    return (size_t)((uint64_t)h * n >> 32);
}

/* Where it is, or the free slot where it would be; there is always a free one. */
static struct slot *
slot_find(const struct part *p, int ca, const unsigned char serial[SERIAL_LEN])
{
    for (size_t i = place_of(serial, ca, p->n);; i = i + 1 == p->n ? 0 : i + 1) {
        struct slot *s = &p->slots[i];

        if (s->ca == 0 || (s->ca == ca && memcmp(s->serial, serial, SERIAL_LEN) == 0))
            return s;
    }
}

/* By a quarter from four fifths on: at most 1.6 slots for each certificate. */
static void
part_grow(struct part *p)
{
    struct part bigger = { .n = p->n + p->n / 4 };

    bigger.slots = mem_alloc_array(bigger.n, sizeof(*bigger.slots));
    for (size_t i = 0; i < p->n; i++)
        if (p->slots[i].ca != 0)
            *slot_find(&bigger, p->slots[i].ca, p->slots[i].serial) = p->slots[i];
    free(p->slots);
    p->slots = bigger.slots;
    p->n = bigger.n;
}

/* --- table --------------------------------------------------------------------------------------------------------------- */

struct status_table *
status_table_new(size_t expected)
{
    struct status_table *t = mem_alloc(sizeof(*t));

    for (size_t i = 0; i < PARTS; i++) {
        struct part *p = &t->parts[i];

        p->n = SLOTS_MIN + expected / PARTS * 4 / 3;
        p->slots = mem_alloc_array(p->n, sizeof(*p->slots));
        CHECK(pthread_rwlock_init(&p->lock, NULL) == 0);
    }
    return t;
}

void
status_table_free(struct status_table *t)
{
    for (size_t i = 0; i < PARTS; i++) {
        free(t->parts[i].slots);
        CHECK(pthread_rwlock_destroy(&t->parts[i].lock) == 0);
    }
    free(t);
}

void
status_table_put(struct status_table *t, int ca, const unsigned char serial[SERIAL_LEN], const struct status *status)
{
    struct part *p = part_of(t, serial);
    const int64_t at = status->kind == STATUS_GOOD ? 0 : status->revoked_at / USEC_PER_SEC;
    struct slot *s;

    CHECK(ca >= 1 && ca <= STATUS_CA_MAX && at >= 0 && at <= UINT32_MAX && status->reason >= 0 && status->reason <= 10);
    CHECK(pthread_rwlock_wrlock(&p->lock) == 0);
    if ((p->used + 1) * 5 > p->n * 4)
        part_grow(p);
    s = slot_find(p, ca, serial);
    if (s->ca == 0)
        p->used++;
    memcpy(s->serial, serial, SERIAL_LEN);
    s->ca = (uint8_t)ca;
    s->kind = (uint8_t)status->kind;
    s->reason = (uint8_t)status->reason;
    s->revoked_at = (uint32_t)at;
    CHECK(pthread_rwlock_unlock(&p->lock) == 0);
}

bool
status_table_find(struct status_table *t, int ca, struct str serial, struct status *ret)
{
    struct part *p;
    struct slot found;

    if (serial.n != SERIAL_LEN)                                      /* we give no other */
        return false;
    p = part_of(t, (const unsigned char *)serial.p);
    CHECK(pthread_rwlock_rdlock(&p->lock) == 0);
    found = *slot_find(p, ca, (const unsigned char *)serial.p);
    CHECK(pthread_rwlock_unlock(&p->lock) == 0);
    if (found.ca == 0)
        return false;
    *ret = (struct status){ (enum status_kind)found.kind, found.reason, (utime)found.revoked_at * USEC_PER_SEC };
    return true;
}

void
status_table_each(struct status_table *t, status_each each, void *arg)
{
    for (size_t i = 0; i < PARTS; i++) {
        struct part *p = &t->parts[i];

        CHECK(pthread_rwlock_rdlock(&p->lock) == 0);
        for (size_t k = 0; k < p->n; k++) {
            const struct slot *s = &p->slots[k];
            const struct status status = { (enum status_kind)s->kind, s->reason, (utime)s->revoked_at * USEC_PER_SEC };

            if (s->ca != 0)
                each(arg, s->ca, s->serial, &status);
        }
        CHECK(pthread_rwlock_unlock(&p->lock) == 0);
    }
}

size_t
status_table_count(struct status_table *t)
{
    size_t n = 0;

    for (size_t i = 0; i < PARTS; i++) {
        CHECK(pthread_rwlock_rdlock(&t->parts[i].lock) == 0);
        n += t->parts[i].used;
        CHECK(pthread_rwlock_unlock(&t->parts[i].lock) == 0);
    }
    return n;
}

size_t
status_table_bytes(struct status_table *t)
{
    size_t n = sizeof(*t);

    for (size_t i = 0; i < PARTS; i++) {
        CHECK(pthread_rwlock_rdlock(&t->parts[i].lock) == 0);
        n += t->parts[i].n * sizeof(struct slot);
        CHECK(pthread_rwlock_unlock(&t->parts[i].lock) == 0);
    }
    return n;
}
