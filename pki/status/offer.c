/* offer: GET /crl/{file}, GET /ca/{file}: documents of the view, whole, without a copy (RFC 2585 §4). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "pki/status/endpoints.h"
#include "pki/status/status-internal.h"

#define FOR_EVER (24 * USEC_PER_HOUR)    /* a certificate of an authority does not change */

/* RFC 9110 §13.1.2: a list of tags, weak ones count as the same, or "*". */
static bool
tag_is_among(const char *list, const char *etag)
{
    return list != NULL && (strstr(list, etag) != NULL || strcmp(list, "*") == 0);
}

bool
answer_conditional(struct http_request *req, const char *etag, const char *modified, const char *expires, int64_t max_age)
{
    const char *none_match = http_header(req, "If-None-Match"), *since = http_header(req, "If-Modified-Since");
    char cache[96];

    snprintf(cache, sizeof(cache), "max-age=%" PRId64 ", public, no-transform, must-revalidate", max_age / USEC_PER_SEC);
    http_header_add(req, "Cache-Control", cache);
    http_header_add(req, "ETag", etag);
    http_header_add(req, "Last-Modified", modified);
    if (expires != NULL)
        http_header_add(req, "Expires", expires);
    /* the date counts without a tag only (§13.1.3), and then it is ours, octet for octet, or another's */
    if (none_match != NULL ? !tag_is_among(none_match, etag) : since == NULL || strcmp(since, modified) != 0)
        return false;
    http_reply_empty(req, 304);
    return true;
}

static int
name_compare(const void *name, const void *document)
{
    const struct document *const *d = document;

    return strcmp(name, (*d)->name);
}

/* How long others may keep it: not beyond its end, and not for so long that a block stays unknown (P-147). */
static int64_t
keep_for(const struct document *d, int64_t max, utime now)
{
    if (d->until == UTIME_NULL || d->until - now > max)
        return max;
    return d->until > now ? d->until - now : 0;
}

static void
document_reply(struct http_request *req, struct document *d, const char *type, int64_t max)
{
    char expires[HTTP_DATE_SIZE];
    const utime now = http_now(req);
    const int64_t keep = keep_for(d, max, now);

    http_date(now + keep, expires);
    if (!answer_conditional(req, d->etag, d->modified, expires, keep))
        http_reply_lent(req, 200, type, d->body, document_drop, document_ref(d));
}

static void
offer(struct http_request *req, bool lists, const char *type, int64_t max)
{
    struct status_process *s = http_app(req);
    struct view *v = status_view(s);
    struct document **list = lists ? v->lists : v->certificates;
    const size_t n = lists ? v->nlists : v->ncertificates;
    struct document **d = n == 0 ? NULL : bsearch(http_path_param(req, "file"), list, n, sizeof(*list), name_compare);

    if (d == NULL)
        http_reply_problem(req, ERR_NOT_FOUND, "not_found", NULL);
    else
        document_reply(req, *d, type, max);
    status_view_drop(v);
}

void
get_crl(struct http_request *req)
{
    const struct status_process *s = http_app(req);

    offer(req, true, "application/pkix-crl", s->pki->conf.status_keep);
}

void
get_ca(struct http_request *req)
{
    offer(req, false, "application/pkix-cert", FOR_EVER);
}
