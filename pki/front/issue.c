/* issue: connections to the signer, one for each thread that issues; one that failed opens itself again (pki/client). */
#include "pki/front/front-internal.h"

#include <stdlib.h>

#define PATIENCE (15 * USEC_PER_SEC)             /* the signer waits up to ten for another at the same request */

struct signer_line {
    pthread_mutex_t lock;
    char *socket;
    struct signer_client **idle;     /* those that nobody uses */
    size_t n, most;
};

struct signer_line *
signer_line_new(const char *socket, size_t most)
{
    struct signer_line *l = mem_alloc(sizeof(*l));

    CHECK(pthread_mutex_init(&l->lock, NULL) == 0);
    l->socket = mem_strdup(socket);
    l->idle = mem_alloc_array(most, sizeof(*l->idle));
    l->most = most;
    return l;
}

void
signer_line_free(struct signer_line *l)
{
    if (l == NULL)
        return;
    for (size_t i = 0; i < l->n; i++)
        signer_client_free(l->idle[i]);
    free(l->idle);
    free(l->socket);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

static struct signer_client *
line_take(struct signer_line *l)
{
    struct signer_client *c = NULL;

    pthread_mutex_lock(&l->lock);
    if (l->n > 0)
        c = l->idle[--l->n];
    pthread_mutex_unlock(&l->lock);
    return c != NULL ? c : signer_client_new(l->socket, PATIENCE);
}

static void
line_give(struct signer_line *l, struct signer_client *c)
{
    pthread_mutex_lock(&l->lock);
    if (l->n < l->most) {
        l->idle[l->n++] = c;
        c = NULL;
    }
    pthread_mutex_unlock(&l->lock);
    signer_client_free(c);
}

enum err
signer_line_issue(struct signer_line *l, const char *request_id, char ret_certificate[37], struct why *why)
{
    struct signer_client *c = line_take(l);
    const enum err e = signer_issue(c, request_id, ret_certificate, why);

    line_give(l, c);
    return e;
}
