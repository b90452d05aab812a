/*
 * reply: the one way an answer leaves: status, headers, body; security headers and cookie flags are set here.
 *
 * A reply is built as a libmicrohttpd response at once and queued later by the event thread, so these functions run
 * on event and pool threads alike. Headers given by the handler win over ours of the same name.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/core/log.h"
#include "base/core/text.h"
#include "base/http/http-internal.h"

#define CSP_HTML_1 "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; form-action 'self'"
#define CSP_HTML_2 "; frame-ancestors 'none'; base-uri 'none'"
#define CSP_OTHER  "default-src 'none'; frame-ancestors 'none'"
#define PERMISSIONS                                                                                                   \
    "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=(), serial=(), midi=(), "          \
    "publickey-credentials-get=(self)"
#define HSTS "max-age=31536000"

static bool
value_is_safe(const char *value)
{
    for (const char *p = value; *p != '\0'; p++)
        if (((unsigned char)*p < 0x20 && *p != '\t') || *p == 0x7f)
            return false;
    return text_is_utf8(str_of(value));
}

void
http_header_add(struct http_request *req, const char *name, const char *value)
{
    struct reply_header *h;

    CHECK(http_is_token(str_of(name)));
    if (value == NULL || !value_is_safe(value)) {
        LOG_ERROR_EV("http.header_refused", LF_STR("name", name));
        req->header_bad = true;
        return;
    }
    h = arena_alloc(req->arena, sizeof(*h));
    h->name = arena_strdup(req->arena, name);
    h->value = arena_strdup(req->arena, value);
    *req->headers_end = h;
    req->headers_end = &h->next;
}

static bool
has_header(const struct http_request *req, const char *name)
{
    for (const struct reply_header *h = req->headers; h != NULL; h = h->next)
        if (str_ieqs(str_of(h->name), name))
            return true;
    return false;
}

void
http_cookie_set(struct http_request *req, const char *name, const char *value, int64_t max_age_s, const char *same_site)
{
    AUTO(buf_free) struct buf line = BUF_BOUNDED(4096);

    CHECK(http_is_token(str_of(name)));
    for (const char *p = value; *p != '\0'; p++)
        if (*p <= ' ' || *p >= 0x7f || strchr("\",;\\", *p) != NULL) {
            LOG_ERROR_EV("http.cookie_refused", LF_STR("name", name));
            req->header_bad = true;
            return;
        }
    buf_addf(&line, "%s=%s; Path=/; Secure; HttpOnly; SameSite=%s", name, value, same_site);
    if (max_age_s >= 0)
        buf_addf(&line, "; Max-Age=%lld", (long long)max_age_s);
    if (!buf_ok(&line)) {
        LOG_ERROR_EV("http.cookie_refused", LF_STR("name", name));
        req->header_bad = true;
        return;
    }
    http_header_add(req, "Set-Cookie", buf_cstr(&line));
}

void
http_cookie_clear(struct http_request *req, const char *name)
{
    http_cookie_set(req, name, "", 0, "Lax");
}

void
http_csp_form_action(struct http_request *req, const char *origin)
{
    char clean[280];

    if (strcmp(origin, "https:") == 0) {
        req->form_action = arena_printf(req->arena, "%s https:", req->form_action);
        return;
    }
    if (!origin_of(origin, clean, sizeof(clean))) {
        LOG_WARN_EV("http.form_action_refused", LF_STR("origin", origin));
        return;
    }
    req->form_action = arena_printf(req->arena, "%s %s", req->form_action, clean);
}

static void
put(struct MHD_Response *r, const char *name, const char *value)
{
    if (MHD_add_response_header(r, name, value) != MHD_YES)
        panic("http: header %s was refused", name);
}

static void
put_unless(struct http_request *req, struct MHD_Response *r, const char *name, const char *value)
{
    if (!has_header(req, name))
        put(r, name, value);
}

static void
put_security(struct http_request *req, struct MHD_Response *r, bool html)
{
    put(r, "X-Content-Type-Options", "nosniff");
    put_unless(req, r, "Cache-Control", "no-store");
    put_unless(req, r, "Referrer-Policy", "same-origin");
    if (req->listener->hsts)
        put(r, "Strict-Transport-Security", HSTS);
    if (!html) {
        put_unless(req, r, "Content-Security-Policy", CSP_OTHER);
        return;
    }
    if (!has_header(req, "Content-Security-Policy"))
        put(r, "Content-Security-Policy",
            req->form_action[0] == '\0' ? CSP_HTML_1 CSP_HTML_2
                                        : arena_printf(req->arena, "%s%s%s", CSP_HTML_1, req->form_action, CSP_HTML_2));
    put_unless(req, r, "Cross-Origin-Opener-Policy", "same-origin");
    put(r, "Permissions-Policy", PERMISSIONS);
    put(r, "X-Frame-Options", "DENY");          /* browsers without frame-ancestors */
    put(r, "Content-Language", http_lang(req));
}

/* ?lang= was followed once: remember it. */
static void
remember_lang(struct http_request *req)
{
    const char *asked = http_query(req, "lang"), *kept = http_cookie(req, "__Host-lang");

    if (asked != NULL && strcmp(asked, http_lang(req)) == 0 && (kept == NULL || strcmp(kept, asked) != 0))
        http_cookie_set(req, "__Host-lang", asked, 365 * 24 * 3600, "Lax");
}

/* Headers, and what the request remembers of its reply; takes over r. */
static void
reply_with(struct http_request *req, int status, const char *content_type, size_t size, struct MHD_Response *r)
{
    const bool html = content_type != NULL && str_starts(str_of(content_type), "text/html");

    if (r == NULL)
        panic("http: no memory for a response of %zu bytes", size);
    req->replied = true;
    if (content_type != NULL)
        put_unless(req, r, "Content-Type", content_type);
    put_security(req, r, html);
    if (status == 503)
        put_unless(req, r, "Retry-After", HTTP_RETRY_AFTER);
    for (const struct reply_header *h = req->headers; h != NULL; h = h->next)
        put(r, h->name, h->value);
    if (req->listener->conf.one_request || atomic_load_explicit(&req->server->stopping, memory_order_relaxed))
        put(r, "Connection", "close");
    req->status = status;
    req->reply_size = size;
    req->response = r;
}

/* body is copied when copy, else it must stay for ever. */
static void
reply(struct http_request *req, int status, const char *content_type, struct str body, bool copy)
{
    union { const void *in; void *out; } bytes;                      /* MHD does not write there */

    if (req->replied) {
        LOG_ERROR_EV("http.second_reply", LF_INT("first", req->status), LF_INT("second", status));
        return;
    }
    if (content_type != NULL && str_starts(str_of(content_type), "text/html"))
        remember_lang(req);
    if (req->header_bad) {
        req->headers = NULL;
        req->headers_end = &req->headers;
        status = 500;
        content_type = "application/problem+json";
        body = STR_LIT("{\"type\":\"urn:beffroi:problem:internal\",\"title\":\"Internal Server Error\",\"status\":500}");
    }
    bytes.in = body.n == 0 ? "" : body.p;
    reply_with(req, status, content_type, body.n,
               MHD_create_response_from_buffer(body.n, bytes.out, copy ? MHD_RESPMEM_MUST_COPY : MHD_RESPMEM_PERSISTENT));
}

void
http_reply_lent(struct http_request *req, int status, const char *content_type, struct str body, void (*release)(void *arg),
                void *arg)
{
    union { const void *in; void *out; } bytes = { body.p };

    if (req->replied || req->header_bad) {
        reply(req, 500, NULL, STR_NULL, true);
        release(arg);
        return;
    }
    reply_with(req, status, content_type, body.n,
               MHD_create_response_from_buffer_with_free_callback_cls(body.n, bytes.out, release, arg));
}

void
http_reply(struct http_request *req, int status, const char *content_type, struct str body)
{
    reply(req, status, content_type, body, true);
}

void
http_reply_html(struct http_request *req, int status, const struct buf *page)
{
    if (!buf_ok(page)) {
        LOG_ERROR_EV("http.page_too_large", LF_INT("ceiling", page->max));
        http_reply_problem_status(req, 500, "internal", NULL);
        return;
    }
    reply(req, status, "text/html; charset=utf-8", buf_view(page), true);
}

void
http_reply_json(struct http_request *req, int status, const char *json_text)
{
    reply(req, status, "application/json", str_of(json_text), true);
}

static void
redirect(struct http_request *req, int status, const char *url)
{
    if (url == NULL || url[0] == '\0' || strpbrk(url, " \"<>\\^`{|}") != NULL || (url[0] == '/' && url[1] == '/')) {
        LOG_ERROR_EV("http.redirect_refused", LF_STR("url", url));
        req->header_bad = true;
    } else {
        http_header_add(req, "Location", url);
    }
    reply(req, status, NULL, STR_NULL, false);
}

void
http_reply_redirect(struct http_request *req, const char *url)
{
    redirect(req, 303, url);
}

void
http_reply_found(struct http_request *req, const char *url)
{
    redirect(req, 302, url);
}

void
http_reply_empty(struct http_request *req, int status)
{
    reply(req, status, NULL, STR_NULL, false);
}

int
http_status_of(enum err e)
{
    switch (e) {
    case OK:
        return 200;
    case ERR_INPUT:
        return 400;
    case ERR_DENIED:
        return 403;
    case ERR_NOT_FOUND:
        return 404;
    case ERR_CONFLICT:
        return 409;
    case ERR_UNAVAILABLE:
        return 503;
    case ERR_INTERNAL:
        return 500;
    }
    return 500;
}

static void
json_string(struct buf *out, const char *s)
{
    buf_addc(out, '"');
    for (; *s != '\0'; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            buf_addf(out, "\\%c", c);
        else if (c < 0x20)
            buf_addf(out, "\\u%04x", c);
        else
            buf_addc(out, (char)c);
    }
    buf_addc(out, '"');
}

void
http_reply_problem_number(struct http_request *req, int status, const char *code, const char *detail, const char *name,
                          int64_t number)
{
    AUTO(buf_free) struct buf json = BUF_BOUNDED(16 * 1024);

    buf_add_lit(&json, "{\"type\":\"urn:beffroi:problem:");
    for (const char *p = code; *p != '\0'; p++)
        if (strchr("\"\\", *p) == NULL && *p > ' ')
            buf_addc(&json, *p);
    buf_add_lit(&json, "\",\"title\":");
    json_string(&json, MHD_get_reason_phrase_for((unsigned)status));
    buf_addf(&json, ",\"status\":%d,\"code\":", status);
    json_string(&json, code);
    if (detail != NULL && text_is_utf8(str_of(detail))) {
        buf_add_lit(&json, ",\"detail\":");
        json_string(&json, detail);
    }
    if (name != NULL)
        buf_addf(&json, ",\"%s\":%lld", name, (long long)number);
    buf_addf(&json, ",\"request_id\":\"%s\"}", req->id);
    reply(req, status, "application/problem+json", buf_view(&json), true);
}

void
http_reply_problem_status(struct http_request *req, int status, const char *code, const char *detail)
{
    http_reply_problem_number(req, status, code, detail, NULL, 0);
}

void
http_reply_problem(struct http_request *req, enum err e, const char *code, const char *detail)
{
    http_reply_problem_status(req, http_status_of(e), code, detail);
}

void
http_reply_asset(struct http_request *req, const char *content_type, struct str body, const char *etag)
{
    const char *known = http_header(req, "If-None-Match");
    const char *quoted = arena_printf(req->arena, "\"%s\"", etag);

    http_header_add(req, "ETag", quoted);
    http_header_add(req, "Cache-Control", "public, max-age=31536000, immutable");
    if (known != NULL && strstr(known, quoted) != NULL) {
        reply(req, 304, NULL, STR_NULL, false);
        return;
    }
    reply(req, 200, content_type, body, true);
}
