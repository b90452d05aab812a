/*
 * server: HTTP/1.1 over TLS or plain, on libmicrohttpd behind this fence.
 *
 * accept thread → event threads → route table → handler. The table says everything that must hold before a handler
 * runs: method, path, body ceiling and content type, client certificate, session, CSRF, pool. A handler sees a whole
 * request once, runs to its last line on one thread with one database connection, and replies through the reply
 * functions, which set the security headers. Handlers of pool HTTP_POOL_SLOW are suspended and run on the bounded
 * pool of nice 19 threads (HTTP-SQL.md §5); when its queue is full the peer gets 503 with Retry-After.
 */
#ifndef BASE_HTTP_SERVER_H
#define BASE_HTTP_SERVER_H

#include "base/core/arena.h"
#include "base/core/clock.h"
#include "base/pg/pg.h"

struct http_server;
struct http_request;

enum http_method { HTTP_GET = 1, HTTP_POST = 2, HTTP_PUT = 4, HTTP_DELETE = 8, HTTP_PATCH = 16 };
/* HEAD is answered by the GET route without a body; OPTIONS and unknown methods by 405 with Allow. */

enum http_body {
    HTTP_BODY_NONE,           /* a body is refused */
    HTTP_BODY_FORM,           /* application/x-www-form-urlencoded */
    HTTP_BODY_JSON,           /* application/json */
    HTTP_BODY_SOAP,           /* text/xml or application/soap+xml */
    HTTP_BODY_RAW             /* anything */
};
enum http_session_need { HTTP_SESSION_NONE, HTTP_SESSION_OPTIONAL, HTTP_SESSION_REQUIRED };
enum http_pool { HTTP_POOL_EVENT, HTTP_POOL_SLOW };
enum http_csrf {
    HTTP_CSRF_CHECKED,        /* form field "csrf" against the __Host- cookie, and Origin/Sec-Fetch-Site */
    HTTP_CSRF_PROTOCOL,       /* cross-site by design (SAML POST, token endpoint, machine API): no cookie authority */
    HTTP_CSRF_NONE            /* GET, or a form whose typed code is the only authority */
};

typedef void (*http_handler)(struct http_request *req);

struct http_route {
    enum http_method method;
    const char *path;                /* "/activate/{token}"; literal segments win over {parameters} */
    http_handler handler;
    enum http_body body;
    size_t body_max;                 /* bytes; 0 with HTTP_BODY_NONE */
    enum http_session_need session;
    enum http_csrf csrf;
    enum http_pool pool;
    const char *name;                /* stable id: metrics, tests, the list of pages ("signon.login") */
    bool html;                       /* a person sees its answer: the page tests must visit it */
};
/* Tables are given as a NULL-terminated list of { routes, n }. */
struct http_routes { const struct http_route *list; size_t n; };
#define HTTP_ROUTES(array) { (array), sizeof(array) / sizeof((array)[0]) }

struct http_tls {
    const char *cert_file, *key_file;      /* PEM chain and key; reloaded by http_server_reload() */
    const char *client_ca_file;            /* PEM; NULL: no client certificate is asked */
    bool client_required;                  /* handshake is refused without a certificate of client_ca_file */
};

struct http_listener {
    const char *address;                   /* "127.0.0.1:8443" or "[::1]:8443" */
    const struct http_tls *tls;            /* NULL: plain (behind a trusted front, or the bench) */
    const struct http_routes *const *routes;
    const char *base_url;                  /* what we are called, from configuration: for Origin checks and redirects */
};

struct http_hooks {
    /* Loads the session of a request whose route wants one; OK with http_session_set(), ERR_DENIED when none. */
    enum err (*session)(struct http_request *req, struct why *why);
    /* Answers a request refused before its handler (no session, CSRF, 404, 405, 413, 415, 503): status and code. */
    void (*refuse)(struct http_request *req, int status, const char *code);
};

struct http_server_config {
    const struct http_listener *listeners;
    size_t nlisteners;
    const struct http_hooks *hooks;
    const struct pg_config *pg;            /* each event and pool thread opens its own connection; NULL: none */
    int threads;                           /* event threads; 0 = 4 per core, at least 8 */
    int slow_threads;                      /* 0 = one per core */
    int slow_queue;                        /* 0 = 20 */
    int max_connections;                   /* 0 = 4096 */
    const unsigned char *csrf_key;         /* 32 bytes */
    const char *const *trusted_proxies;    /* addresses whose X-Forwarded-For/Proto we believe; NULL: none */
    void *app;                             /* http_app() */
};

MUST_USE enum err http_server_start(const struct http_server_config *conf, struct http_server **ret, struct why *why);
MUST_USE enum err http_server_reload(struct http_server *s, struct why *why);      /* certificates */
void http_server_stop(struct http_server *s);        /* finishes running requests (at most 10 s), then frees */

/* --- what a handler reads ---------------------------------------------------------------------- */
const char *http_request_id(const struct http_request *req);       /* 20 characters, shown to people as reference */
struct arena *http_arena(struct http_request *req);
struct pg *http_pg(struct http_request *req);
utime http_now(const struct http_request *req);                    /* read once per request */
void *http_app(const struct http_request *req);
enum http_method http_method(const struct http_request *req);
const char *http_path(const struct http_request *req);
struct str http_raw_query(const struct http_request *req);         /* octets as received, without '?' (SAML R1) */
const char *http_base_url(const struct http_request *req);         /* of the listener, from configuration */
const char *http_peer(const struct http_request *req);             /* textual IP, after trusted proxies */
const struct http_route *http_route(const struct http_request *req);

/* All of these return NULL when absent, and a value that is valid UTF-8 without NUL otherwise. A repeated
 * query or form parameter is refused with 400 before the handler runs (OAuth 2.0 §3.1, SAML R1). */
const char *http_path_param(const struct http_request *req, const char *name);
const char *http_query(const struct http_request *req, const char *name);
const char *http_form(const struct http_request *req, const char *name);
/* Query of a GET, form of a POST: for endpoints that take both (authorize, logout). */
const char *http_param(const struct http_request *req, const char *name);
/* Repeated fields on purpose (checkboxes "authz"): the route lists none; a name ending in "[]" may repeat. */
size_t http_form_count(const struct http_request *req, const char *name);
const char *http_form_nth(const struct http_request *req, const char *name, size_t i);
struct str http_body(const struct http_request *req);
const char *http_header(const struct http_request *req, const char *name);
const char *http_cookie(const struct http_request *req, const char *name);
const char *http_lang(const struct http_request *req);             /* "fr" or "en": ?lang=, cookie, Accept-Language */
/* DER of the verified client certificate, leaf; p NULL when none. Chain checked against client_ca_file. */
struct str http_client_cert(const struct http_request *req);
void http_session_set(struct http_request *req, void *session);    /* in the request's arena */
void *http_session(const struct http_request *req);
const char *http_csrf_token(struct http_request *req);             /* for the form; sets the cookie when missing */

/* --- how it replies ------------------------------------------------------------------------------ */
/* Exactly one reply per request; none is answered by 500 and logged as our bug. */
void http_cookie_set(struct http_request *req, const char *name, const char *value, int64_t max_age_s /* -1: session */,
                     const char *same_site /* "Lax", "Strict", "None" */);  /* always Secure, HttpOnly, Path=/ */
void http_cookie_clear(struct http_request *req, const char *name);
void http_header_add(struct http_request *req, const char *name, const char *value);
/* One more source for form-action of this answer's policy (the ACS of a SAML answer, a client's redirect_uri). */
void http_csp_form_action(struct http_request *req, const char *origin);

void http_reply(struct http_request *req, int status, const char *content_type, struct str body); /* body is copied */
void http_reply_html(struct http_request *req, int status, const struct buf *page);   /* no-store, strict CSP */
void http_reply_json(struct http_request *req, int status, const char *json_text);    /* no-store */
void http_reply_redirect(struct http_request *req, const char *url);                  /* 303 */
void http_reply_found(struct http_request *req, const char *url);                     /* 302, for protocol answers */
void http_reply_empty(struct http_request *req, int status);
/* RFC 9457 problem+json; status from the err kind (400, 403, 404, 409, 503, 500), type "urn:beffroi:problem:<code>". */
void http_reply_problem(struct http_request *req, enum err e, const char *code, const char *detail);
void http_reply_problem_status(struct http_request *req, int status, const char *code, const char *detail);
int http_status_of(enum err e);
/* A long-lived file: strong ETag, max-age, immutable. */
void http_reply_asset(struct http_request *req, const char *content_type, struct str body, const char *etag);

#endif
