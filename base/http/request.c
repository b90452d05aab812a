/*
 * request: from libmicrohttpd's several calls to one whole request that a handler runs on.
 *
 * Calls, in order: URI (the raw target, before MHD touches it) · first (headers complete: everything that can be refused
 * without the body is decided here) · one per body part · last · after a pool thread has run it, last again ·
 * completed. An answer in the first call makes MHD close the connection, so it is given there only when a body that
 * we do not want is coming or when the framing cannot be trusted; every other refusal waits for the last call.
 * A person who chose too large a file would not see such an answer: what a browser is still sending when we close is met by a reset, and
 * that is what the browser shows. So there the body is read and thrown away, up to a bound.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/core/log.h"
#include "base/http/request-internal.h"

/* --- birth and end -------------------------------------------------------------------------------------- */

static struct arena *
arena_take(struct http_server *s)
{
    struct arena *a = pthread_getspecific(s->arena_key);

    if (a == NULL)
        return arena_new(HTTP_ARENA_MAX);
    pthread_setspecific(s->arena_key, NULL);
    return a;
}

static void
arena_give(struct http_server *s, struct arena *a)
{
    if (pthread_getspecific(s->arena_key) != NULL) {
        arena_free(a);
        return;
    }
    arena_reset(a);
    pthread_setspecific(s->arena_key, a);
}

/*
 * 20 characters of Crockford's base 32: 10 of milliseconds, so that ids sort by time, and 10 of a counter from a random
 * start, spread by an odd factor, so that they are unique without a system call and do not tell how many there were.
 */
static void
id_make(struct http_server *s, utime now, char out[21])
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    uint64_t ms = (uint64_t)(now / 1000);
    uint64_t n = atomic_fetch_add_explicit(&s->id_counter, 1, memory_order_relaxed) * UINT64_C(0x2545f4914f6cdd1d);

    for (int i = 9; i >= 0; i--, ms >>= 5)
        out[i] = digits[ms & 31];
    for (int i = 19; i >= 10; i--, n >>= 5)
        out[i] = digits[n & 31];
    out[20] = '\0';
}

/*
 * MHD is about to split the query into arguments that we never ask it for: in time quadratic in the number of '&', and
 * into records that fill the connection's memory, whereupon 0.9.75 queues a 431 and then goes on reading headers into
 * a buffer it has given back. So it is shown an empty query. The octets are MHD's own writable buffer (daemon.c hands
 * out connection->read_buffer); if a later version gives a copy, this does nothing.
 */
static void
hide_query(const char *query)
{
    union { const char *in; char *out; } mine = { query };

    if (query != NULL)
        mine.out[0] = '\0';
}

void *
request_on_uri(void *cls, const char *uri, struct MHD_Connection *mhd)
{
    struct http_server *s = cls;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct http_conn *conn = info == NULL ? NULL : info->socket_context;
    const char *query;
    struct arena *arena;
    struct http_request *req;
    size_t n;

    if (conn == NULL)
        return NULL;
    arena = arena_take(s);
    req = arena_alloc(arena, sizeof(*req));
    req->arena = arena;
    req->server = s;
    req->conn = conn;
    req->mhd = mhd;
    req->listener = conn->listener;
    req->started = clock_monotonic();
    req->now = clock_now();
    req->headers_end = &req->headers;
    req->form_action = "";
    req->match.count = &s->counts.list[0];
    req->body = (struct buf)BUF_SECRET(0);
    id_make(s, req->now, req->id);
    atomic_store_explicit(&conn->idle, false, memory_order_relaxed);
    conn_deadline(conn, s->limits.header_time);

    if (uri == NULL)
        uri = "";
    n = strlen(uri);
    if (n > HTTP_URI_MAX) {
        req->target = req->path = "";
        req->target_len = n;
        refuse_later(req, 414, "uri_too_long");
    } else {
        req->target = arena_str(arena, (struct str){ uri, n });
        req->target_len = n;
    }
    query = strchr(uri, '?');
    if (query != NULL)
        hide_query(query + 1);
    return req;
}

void
request_on_completed(void *cls, struct MHD_Connection *mhd, void **req_cls, enum MHD_RequestTerminationCode how)
{
    struct http_server *s = cls;
    struct http_request *req = *req_cls;
    int64_t usec;

    (void)mhd;
    if (req == NULL)
        return;
    usec = clock_monotonic() - req->started;
    request_log(req, usec, how == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    atomic_fetch_add_explicit(&req->match.count->by_class[req->status / 100 % 6], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&req->match.count->usec, (uint64_t)usec, memory_order_relaxed);
    if (req->response != NULL)
        MHD_destroy_response(req->response);
    if (req->watch_done != NULL)
        watch_add(s->watch, req->conn->fd, how == MHD_REQUEST_TERMINATED_COMPLETED_OK && req->status == 200, req->watch_done,
                  req->watch_arg);
    buf_free(&req->body);
    if (req->phase != PHASE_HEADERS)
        atomic_fetch_sub(&s->active, 1);
    atomic_store_explicit(&req->conn->idle_since, clock_monotonic(), memory_order_relaxed);
    atomic_store_explicit(&req->conn->idle, true, memory_order_relaxed);
    conn_deadline(req->conn, s->limits.idle_time);
    *req_cls = NULL;
    arena_give(s, req->arena);
}

/* --- running -------------------------------------------------------------------------------------------- */

void
refuse_later(struct http_request *req, int status, const char *code)
{
    if (req->refuse_status != 0)
        return;
    req->refuse_status = status;
    req->refuse_code = code;
}

void
request_refuse(struct http_request *req, int status, const char *code)
{
    const struct http_hooks *hooks = req->server->conf->hooks;

    if (status == 405 && req->match.node != NULL)
        http_header_add(req, "Allow", req->match.node->allow);
    if (hooks != NULL && hooks->refuse != NULL)
        hooks->refuse(req, status, code);
    if (!req->replied)
        http_reply_problem_status(req, status, code, NULL);
}

/* false: refused. */
static bool
load_session(struct http_request *req)
{
    const struct http_route *route = req->match.route;
    const struct http_hooks *hooks = req->server->conf->hooks;
    struct why why = WHY_INIT;
    enum err e;

    if (route->session == HTTP_SESSION_NONE)
        return true;
    e = hooks == NULL || hooks->session == NULL ? why_set(&why, ERR_INTERNAL, "no session hook")
                                                : hooks->session(req, &why);
    if (req->replied)
        return false;
    switch (e) {
    case OK:
        if (req->session != NULL || route->session == HTTP_SESSION_OPTIONAL)
            return true;
        request_refuse(req, 401, "session");
        return false;
    case ERR_INPUT:
    case ERR_DENIED:
    case ERR_NOT_FOUND:
    case ERR_CONFLICT:
        req->session = NULL;
        if (route->session == HTTP_SESSION_OPTIONAL)
            return true;
        request_refuse(req, 401, "session");
        return false;
    case ERR_UNAVAILABLE:
    case ERR_INTERNAL:
        break;
    }
    /* Whether there is a session cannot be learnt: the answer is no. */
    LOG_ERROR_EV("http.session", LF_STR("route", route->name), LF_ERR(e), LF_WHY(&why));
    request_refuse(req, e == ERR_UNAVAILABLE ? 503 : 500, e == ERR_UNAVAILABLE ? "unavailable" : "internal");
    return false;
}

void
request_run(struct http_request *req)
{
    const struct http_route *route = req->match.route;
    uint64_t trips;

    if (req->server->conf->pg != NULL && !route->offline && http_pg(req) == NULL) {
        request_refuse(req, 503, "unavailable");
        return;
    }
    trips = pg_round_trips();
    if (load_session(req))
        route->handler(req);
    req->trips = pg_round_trips() - trips;
    if (!req->replied) {
        LOG_ERROR_EV("http.no_reply", LF_STR("route", route->name));
        http_reply_problem_status(req, 500, "internal", NULL);
    }
}

/* Sizes are ours and bounded: no overflow. */
static int64_t
transfer_time(const struct http_request *req, int64_t base, size_t size)
{
    return base + (int64_t)size / req->server->limits.slowest_peer * USEC_PER_SEC;
}

static enum MHD_Result
send_reply(struct http_request *req)
{
    struct MHD_Response *r = req->response;
    enum MHD_Result result;

    req->response = NULL;
    req->phase = PHASE_SENT;
    conn_deadline(req->conn, transfer_time(req, req->server->limits.send_time, req->reply_size));
    result = MHD_queue_response(req->mhd, (unsigned)req->status, r);
    MHD_destroy_response(r);
    return result;
}

/* The whole request is here: form, CSRF, then the handler now or in the pool. */
static enum MHD_Result
request_complete(struct http_request *req)
{
    const struct http_route *route = req->match.route;

    conn_deadline(req->conn, INT64_MAX);
    log_request(req->id);
    if (req->refuse_status == 0)
        request_read_body(req);
    if (req->refuse_status == 0 && route->csrf == HTTP_CSRF_CHECKED && req->method != HTTP_GET) {
        const char *reason = csrf_check(req);

        if (reason != NULL) {
            LOG_INFO_EV("http.csrf", LF_STR("route", route->name), LF_STR("why", reason));
            refuse_later(req, 403, "csrf");
        }
    }
    if (req->refuse_status == 0 && route->pool == HTTP_POOL_SLOW) {
        log_request(NULL);
        if (pool_submit(req->server->pool, req))
            return MHD_YES;
        log_request(req->id);
        atomic_fetch_add(&req->server->busy, 1);
        refuse_later(req, 503, "busy");
    }
    if (req->refuse_status != 0)
        request_refuse(req, req->refuse_status, req->refuse_code);
    else
        request_run(req);
    log_request(NULL);
    return send_reply(req);
}

/* Too large a body of a form that a person sent: told after it was read. */
static bool
worth_reading(const struct http_request *req)
{
    return !req->must_close && req->refuse_status == 413 && req->match.route != NULL && req->match.route->html &&
           req->match.route->body != HTTP_BODY_NONE && req->body_told <= HTTP_DISCARD_MAX;
}

/* The first call. */
static enum MHD_Result
request_begin(struct http_request *req, const char *method, const char *version)
{
    atomic_fetch_add(&req->server->active, 1);
    req->phase = PHASE_BODY;
    request_read_head(req, method, version);
    if (req->refuse_status != 0 && (req->has_body || req->must_close) && !worth_reading(req)) {
        log_request(req->id);
        request_refuse(req, req->refuse_status, req->refuse_code);
        log_request(NULL);
        return send_reply(req);
    }
    if (req->has_body)
        conn_deadline(req->conn, transfer_time(req, req->server->limits.body_time,
                                               (size_t)req->body_told > req->body.max ? (size_t)req->body_told : req->body.max));
    return MHD_YES;
}

/* A body part. Too much of it (a chunked body tells no length before) is thrown away up to a bound, then cut. */
static enum MHD_Result
request_body_part(struct http_request *req, const char *data, size_t *size)
{
    req->body_seen += *size;
    if (req->refuse_status != 0 || req->body_seen > req->body.max) {
        refuse_later(req, 413, "body_too_large");
        if (req->body_seen > HTTP_DISCARD_MAX)
            return MHD_NO;
    } else {
        buf_add(&req->body, data, *size);
    }
    *size = 0;
    return MHD_YES;
}

enum MHD_Result
request_on_call(void *cls, struct MHD_Connection *mhd, const char *url, const char *method, const char *version,
                const char *data, size_t *size, void **req_cls)
{
    struct http_request *req = *req_cls;

    (void)cls, (void)mhd, (void)url;
    if (req == NULL)
        return MHD_NO;
    switch (req->phase) {
    case PHASE_HEADERS:
        return request_begin(req, method, version);
    case PHASE_BODY:
        return *size > 0 ? request_body_part(req, data, size) : request_complete(req);
    case PHASE_POOL:
    case PHASE_SENT:
        return MHD_YES;
    case PHASE_DONE:
        return send_reply(req);
    }
    return MHD_NO;
}
