/*
 * ocsp: POST /ocsp and GET /ocsp/{base64 of the request} (RFC 6960 appendix A, RFC 5019 §5 and §6).
 *
 * What is no request is answered malformedRequest, with HTTP 200 as every OCSP answer. Only what was asked by GET may be kept by
 * others, and only if it is the same for all who ask: signed, about one certificate that we issued, without nonce.
 */
#include "base/core/enc.h"
#include "base/core/log.h"
#include "pki/status/endpoints.h"
#include "pki/status/status-internal.h"

#define PREFIX "/ocsp/"
#define TYPE "application/ocsp-response"

static void
reply_octets(struct http_request *req, const struct buf *der)
{
    http_reply(req, 200, TYPE, buf_view(der));
}

static void
reply_error(struct http_request *req, enum ocsp_response_status status)
{
    AUTO(buf_free) struct buf der = BUF_BOUNDED(64);

    ocsp_error_encode(status, &der);
    reply_octets(req, &der);
}

/* Takes over the answer. */
static void
reply_answer(struct http_request *req, struct answer *a, bool by_get)
{
    const int64_t left = a->reply.next_update - http_now(req);

    if (!by_get || !answer_conditional(req, a->etag, a->modified, a->expires, left))
        http_reply_lent(req, 200, TYPE, a->der, answer_drop, a);
    else
        answer_drop(a);
}

/* status: what it tells. */
static struct answer *
answer_make(const struct status_process *s, const struct ocsp_authority *authority, const struct ocsp_request *request,
            const struct status *status, const struct buf *der, const struct ocsp_reply *reply, utime now)
{
    struct answer *a = answer_new(request->ids[0].raw, buf_view(der));

    a->ca = authority->ca;
    a->status = *status;
    memcpy(a->key_hash, authority->key_hash, SHA1_LEN);
    a->reply = *reply;
    /* a quarter of its life at most: who gets it may keep it for the rest */
    a->renew_at = now + s->policy.life / 4 < reply->next_update ? now + s->policy.life / 4 : reply->next_update;
    etag_make(a->der, a->etag);
    http_date(reply->this_update, a->modified);
    http_date(reply->next_update, a->expires);
    return a;
}

/* The table is read before and after: an answer that a change overtook is given, and not kept. */
static void
sign_and_reply(struct http_request *req, const struct status_process *s, const struct ocsp_responder *r,
               const struct ocsp_request *request, bool by_get)
{
    AUTO(buf_free) struct buf der = BUF_BOUNDED(OCSP_RESPONSE_MAX);
    const struct ocsp_authority *authority = ocsp_authority_find(r, &request->ids[0]);
    struct status before = { STATUS_GOOD, 0, 0 }, after = { STATUS_GOOD, 0, 0 };
    struct ocsp_reply reply;
    struct why why = WHY_INIT;
    struct answer *a;
    enum err e;

    if (authority != NULL)
        (void)status_table_find(r->table, authority->ca, request->ids[0].serial, &before);
    if ((e = ocsp_answer(r, request, http_now(req), &der, &reply, &why)) != OK)
        LOG_ERROR_EV("status.ocsp", LF_ERR(e), LF_WHY(&why));
    if (reply.status != OCSP_SUCCESSFUL || !reply.cacheable || request->n != 1 || authority == NULL ||
        !status_table_find(r->table, authority->ca, request->ids[0].serial, &after) || before.kind != after.kind ||
        before.reason != after.reason || before.revoked_at != after.revoked_at) {
        reply_octets(req, &der);
        return;
    }
    a = answer_make(s, authority, request, &before, &der, &reply, http_now(req));
    answer_cache_put(s->cache, a, request->ids[0].serial);
    reply_answer(req, a, by_get);
}

/* The answer that was given before, if it is still the one. */
static struct answer *
answer_find(const struct status_process *s, const struct ocsp_responder *r, const struct ocsp_request *request, utime now)
{
    const struct ocsp_authority *authority;
    struct ocsp_reply times;
    struct status status;

    if (request->n != 1 || request->nonce.n > 0 || (authority = ocsp_authority_find(r, &request->ids[0])) == NULL ||
        !ocsp_times(r, authority, now, &times) || !status_table_find(r->table, authority->ca, request->ids[0].serial, &status))
        return NULL;
    return answer_cache_find(s->cache, authority, &request->ids[0], &status, now);
}

/* A number that could be ours and is not in the table: perhaps it was given a moment ago. */
static bool
perhaps_new(const struct ocsp_responder *r, const struct ocsp_request *request)
{
    const struct ocsp_authority *authority;
    struct status status;

    return request->n == 1 && request->ids[0].serial.n == SERIAL_LEN && (authority = ocsp_authority_find(r, &request->ids[0])) != NULL &&
           authority->key != NULL && !status_table_find(r->table, authority->ca, request->ids[0].serial, &status);
}

static void
answer(struct http_request *req, struct str der, bool by_get)
{
    struct status_process *s = http_app(req);
    struct view *v = status_view(s);
    struct ocsp_responder r = { .policy = &s->policy, .authorities = v->authorities, .n = v->nauthorities,
                                .table = s->table, .known_at = atomic_load(&s->known_at) };
    struct ocsp_request request;
    struct answer *kept;
    struct why why = WHY_INIT;

    if (ocsp_request_read(der, &request, &why) != OK) {
        LOG_DEBUG_EV("status.ocsp.malformed", LF_WHY(&why));
        reply_error(req, OCSP_MALFORMED_REQUEST);
        status_view_drop(v);
        return;
    }
    if (perhaps_new(&r, &request)) {
        glance_wait(&s->glance);
        r.known_at = atomic_load(&s->known_at);
    }
    if ((kept = answer_find(s, &r, &request, http_now(req))) != NULL)
        reply_answer(req, kept, by_get);
    else
        sign_and_reply(req, s, &r, &request, by_get);
    status_view_drop(v);
}

void
post_ocsp(struct http_request *req)
{
    answer(req, http_body(req), false);
}

/* The path is taken as it came: what is escaped, '/' and '+' and '=', is base64 itself, and not every client escapes it. */
void
get_ocsp(struct http_request *req)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(2 * OCSP_REQUEST_MAX), der = BUF_BOUNDED(OCSP_REQUEST_MAX);
    const char *path = http_path(req);

    CHECK(strncmp(path, PREFIX, sizeof(PREFIX) - 1) == 0);
    if (url_decode(str_of(path + sizeof(PREFIX) - 1), false, &text) != OK || base64_decode(buf_view(&text), true, &der) != OK)
        reply_error(req, OCSP_MALFORMED_REQUEST);
    else
        answer(req, buf_view(&der), true);
}
