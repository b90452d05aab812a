/* document: what is offered, and the view of all of it that event threads look at. */
#include <stdio.h>
#include <stdlib.h>

#include "base/core/civil.h"
#include "pki/status/status-internal.h"

/* n decimal digits of value at out; returns what is behind them. */
static char *
digits_put(char *out, int value, int n)
{
    for (int i = n - 1; i >= 0; i--, value /= 10)
        out[i] = (char)('0' + value % 10);
    return out + n;
}

static char *
text_put(char *out, const char *text, size_t n)
{
    memcpy(out, text, n);
    return out + n;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT", by hand: each signed answer has two. */
void
http_date(utime t, char out[HTTP_DATE_SIZE])
{
    static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct civil c;
    char *at = out;

    civil_from_seconds(utime_seconds(t), &c);
    CHECK(c.year >= 0 && c.year <= 9999);
    at = text_put(at, days + (size_t)3 * (size_t)c.weekday, 3);
    at = digits_put(text_put(at, ", ", 2), c.day, 2);
    at = text_put(text_put(at, " ", 1), months + (size_t)3 * (size_t)(c.month - 1), 3);
    at = digits_put(text_put(at, " ", 1), c.year, 4);
    at = digits_put(text_put(at, " ", 1), c.hour, 2);
    at = digits_put(text_put(at, ":", 1), c.minute, 2);
    at = digits_put(text_put(at, ":", 1), c.second, 2);
    at = text_put(at, " GMT", 5);
    CHECK(at == out + HTTP_DATE_SIZE);
}

void
etag_make(struct str body, char out[ETAG_SIZE])
{
    static const char hex[] = "0123456789abcdef";
    unsigned char digest[SHA256_LEN];

    sha256(body, digest);
    out[0] = '"';
    for (size_t i = 0; i < ETAG_OCTETS; i++) {
        out[1 + 2 * i] = hex[digest[i] >> 4];
        out[2 + 2 * i] = hex[digest[i] & 15];
    }
    out[ETAG_SIZE - 2] = '"';
    out[ETAG_SIZE - 1] = '\0';
}

struct document *
document_new(const char *name, struct str body, bool mapped, utime modified, utime until)
{
    struct document *d = mem_alloc(sizeof(*d));

    atomic_init(&d->refs, 1);
    CHECK((size_t)snprintf(d->name, sizeof(d->name), "%s", name) < sizeof(d->name));
    d->body = body;
    d->mapped = mapped;
    d->until = until;
    etag_make(body, d->etag);
    http_date(modified, d->modified);
    return d;
}

struct document *
document_ref(struct document *d)
{
    atomic_fetch_add(&d->refs, 1);
    return d;
}

void
document_drop(void *document)
{
    struct document *d = document;
    union { const void *in; void *out; } bytes;

    if (d == NULL || atomic_fetch_sub(&d->refs, 1) > 1)
        return;
    bytes.in = d->body.p;
    if (d->mapped)
        folder_unmap(d->body);
    else
        free(bytes.out);
    free(d);
}

void
responder_drop(struct responder *r)
{
    if (r == NULL || atomic_fetch_sub(&r->refs, 1) > 1)
        return;
    key_free(r->key);
    buf_free(&r->certificate);
    free(r);
}

/* --- the view --------------------------------------------------------------------------------------------------------------- */

struct view *
status_view(struct status_process *s)
{
    struct view *v;

    pthread_mutex_lock(&s->view_lock);
    v = s->view;
    atomic_fetch_add(&v->refs, 1);
    pthread_mutex_unlock(&s->view_lock);
    return v;
}

void
status_view_drop(struct view *v)
{
    if (v == NULL || atomic_fetch_sub(&v->refs, 1) > 1)
        return;
    for (size_t i = 0; i < v->nlists; i++)
        document_drop(v->lists[i]);
    for (size_t i = 0; i < v->ncertificates; i++)
        document_drop(v->certificates[i]);
    for (size_t i = 0; i < v->nauthorities; i++)
        responder_drop(v->responders[i]);
    free(v->lists);
    free(v->certificates);
    free(v->authorities);
    free(v->responders);
    free(v);
}

static int
by_name(const void *pa, const void *pb)
{
    const struct document *const *a = pa, *const *b = pb;

    return strcmp((*a)->name, (*b)->name);
}

static void
view_authority(struct view *v, const struct authority *a)
{
    struct ocsp_authority *o = &v->authorities[v->nauthorities];

    /* what a root signed, its list tells: nobody keeps its key where answers are made */
    if (a->ca.root)
        return;
    *o = (struct ocsp_authority){ .ca = a->ca.id, .issuer = a->issuer, .not_before = a->ca.not_before };
    if (a->responder != NULL) {
        atomic_fetch_add(&a->responder->refs, 1);
        o->key = a->responder->key;
        memcpy(o->key_hash, a->responder->key_hash, SHA1_LEN);
        o->certificate = buf_view(&a->responder->certificate);
        o->signs_from = a->responder->from;
        o->signs_until = a->responder->until;
    }
    v->responders[v->nauthorities++] = a->responder;
}

void
status_view_renew(struct status_process *s)
{
    struct view *v = mem_alloc(sizeof(*v)), *old;
    size_t slots = 0;

    for (size_t i = 0; i < s->n; i++)
        slots += s->authorities[i]->nslots;
    atomic_init(&v->refs, 1);
    v->lists = mem_alloc_array(slots + 1, sizeof(*v->lists));
    v->certificates = mem_alloc_array(s->n + 1, sizeof(*v->certificates));
    v->authorities = mem_alloc_array(s->n + 1, sizeof(*v->authorities));
    v->responders = mem_alloc_array(s->n + 1, sizeof(*v->responders));
    for (size_t i = 0; i < s->n; i++) {
        const struct authority *a = s->authorities[i];

        v->certificates[v->ncertificates++] = document_ref(a->certificate);
        for (size_t k = 0; k < a->nslots; k++)
            if (a->slots[k].document != NULL)
                v->lists[v->nlists++] = document_ref(a->slots[k].document);
        view_authority(v, a);
    }
    qsort(v->lists, v->nlists, sizeof(*v->lists), by_name);
    qsort(v->certificates, v->ncertificates, sizeof(*v->certificates), by_name);
    pthread_mutex_lock(&s->view_lock);
    old = s->view;
    s->view = v;
    pthread_mutex_unlock(&s->view_lock);
    status_view_drop(old);
    s->changed = false;
}
