/* answer_cache: see answer_cache.h. */
#include "pki/status/answer_cache.h"

#include <pthread.h>
#include <stdlib.h>

#define WAYS 4
#define LOCKS 256
#define PLACE_COST 1536              /* octets that an answer with its responder's certificate takes, as memory is planned */

struct set {
    struct answer *ways[WAYS];       /* the newest first */
};

struct answer_cache {
    pthread_mutex_t locks[LOCKS];
    struct set *sets;
    size_t n;
};

struct answer *
answer_new(struct str id, struct str der)
{
    struct answer *a = mem_realloc_array(NULL, sizeof(*a) + id.n + der.n, 1);
    char *octets = (char *)(a + 1);

    memset(a, 0, sizeof(*a));
    atomic_init(&a->refs, 1);
    memcpy(octets, id.p, id.n);
    memcpy(octets + id.n, der.p, der.n);
    a->id = (struct str){ octets, id.n };
    a->der = (struct str){ octets + id.n, der.n };
    return a;
}

void
answer_drop(void *answer)
{
    struct answer *a = answer;

    if (a != NULL && atomic_fetch_sub(&a->refs, 1) == 1)
        free(a);
}

struct answer_cache *
answer_cache_new(size_t bytes)
{
    struct answer_cache *c = mem_alloc(sizeof(*c));

    c->n = bytes / PLACE_COST / WAYS + 1;
    c->sets = mem_alloc_array(c->n, sizeof(*c->sets));
    for (size_t i = 0; i < LOCKS; i++)
        CHECK(pthread_mutex_init(&c->locks[i], NULL) == 0);
    return c;
}

void
answer_cache_free(struct answer_cache *c)
{
    for (size_t i = 0; i < c->n; i++)
        for (size_t k = 0; k < WAYS; k++)
            answer_drop(c->sets[i].ways[k]);
    for (size_t i = 0; i < LOCKS; i++)
        CHECK(pthread_mutex_destroy(&c->locks[i]) == 0);
    free(c->sets);
    free(c);
}

static size_t
place_of(const struct answer_cache *c, struct str serial)
{
    uint64_t h;

    CHECK(serial.n == SERIAL_LEN);
    memcpy(&h, serial.p + 4, sizeof(h));
    return (size_t)(h % c->n);
}

static bool
fits(const struct answer *a, const struct ocsp_authority *authority, const struct ocsp_cert_id *id, const struct status *status,
     utime now)
{
    return a->ca == authority->ca && a->status.kind == status->kind && a->status.reason == status->reason &&
           a->status.revoked_at == status->revoked_at && now < a->renew_at && now >= a->reply.this_update &&
           str_eq(a->id, id->raw) &&
           memcmp(a->key_hash, authority->key_hash, SHA1_LEN) == 0;   /* lint: secret-compare: public */
}

struct answer *
answer_cache_find(struct answer_cache *c, const struct ocsp_authority *authority, const struct ocsp_cert_id *id,
                  const struct status *status, utime now)
{
    const size_t place = place_of(c, id->serial);
    struct answer *found = NULL;

    pthread_mutex_lock(&c->locks[place % LOCKS]);
    for (size_t k = 0; k < WAYS && found == NULL; k++) {
        struct answer *a = c->sets[place].ways[k];

        if (a != NULL && fits(a, authority, id, status, now)) {
            atomic_fetch_add(&a->refs, 1);
            found = a;
        }
    }
    pthread_mutex_unlock(&c->locks[place % LOCKS]);
    return found;
}

void
answer_cache_put(struct answer_cache *c, struct answer *a, struct str serial)
{
    const size_t place = place_of(c, serial);
    struct set *s = &c->sets[place];
    struct answer *gone;
    size_t k = 0;

    if (a->der.n > CACHED_ANSWER_MAX)
        return;
    atomic_fetch_add(&a->refs, 1);
    pthread_mutex_lock(&c->locks[place % LOCKS]);
    /* the one before it for the same question gives way, else the oldest */
    while (k < WAYS - 1 && s->ways[k] != NULL && !(s->ways[k]->ca == a->ca && str_eq(s->ways[k]->id, a->id)))
        k++;
    gone = s->ways[k];
    memmove(&s->ways[1], &s->ways[0], k * sizeof(s->ways[0]));
    s->ways[0] = a;
    pthread_mutex_unlock(&c->locks[place % LOCKS]);
    answer_drop(gone);
}
