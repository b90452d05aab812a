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
#include "base/http/limits.h"
#include "base/pg/pg.h"

struct http_server;
struct http_request;

enum http_method { HTTP_GET = 1, HTTP_POST = 2, HTTP_PUT = 4, HTTP_DELETE = 8, HTTP_PATCH = 16,
                   HTTP_OPTIONS = 32 };
/* HEAD is answered by the GET route without a body; methods that a path has no route for by 405 with Allow. */

enum http_body {
    HTTP_BODY_NONE,           /* a body is refused */
    HTTP_BODY_FORM,           /* application/x-www-form-urlencoded */
    HTTP_BODY_UPLOAD,         /* the same, or multipart/form-data (RFC 7578): a form with files */
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
    const char *path;                /* "/activate/{token}"; literal segments win over {parameters}; a last segment "{rest*}"
                                        takes all that follows, slashes too, and gives way to every other path */
    http_handler handler;
    enum http_body body;
    size_t body_max;                 /* bytes; 0 with HTTP_BODY_NONE */
    enum http_session_need session;
    enum http_csrf csrf;
    enum http_pool pool;
    const char *name;                /* stable id: metrics, tests, the list of pages ("signon.login") */
    bool html;                       /* a person sees its answer: the page tests must visit it */
    bool offline;                    /* needs no database: answered while it is away (assets, health, metrics) */
};
/* Tables are given as a NULL-terminated list of { routes, n }. */
struct http_routes { const struct http_route *list; size_t n; };
#define HTTP_ROUTES(array) { (array), sizeof(array) / sizeof((array)[0]) }

struct http_tls {
    const char *cert_file, *key_file;      /* PEM chain and key; reloaded by http_server_reload() */
    const char *client_ca_file;            /* PEM; NULL: no client certificate is asked */
    bool client_required;                  /* handshake is refused without a certificate of client_ca_file */
    /*
     * A certificate is asked for, and whatever comes is let through, none too: nobody has verified it. The handlers of
     * such a listener judge what http_client_chain() gives; http_client_cert() gives them nothing. Not with
     * client_ca_file.
     */
    bool client_any;
    /*
     * With client_any: certificates (PEM) of the authorities whose names the handshake sends, so that a browser offers the
     * right ones (RFC 8446 §4.2.4; they verify nothing). Asked at each connection, from the event threads: returns
     * the version of the names, and appends them only when that is not `have`. NULL: no names are sent.
     * client_hosts: handshakes for these host names, and names below them (RFC 6066 §3), send names of their own: host is 1 for
     * the first, 2 for the second, and 0 for every other name. NULL: none.
     */
    uint64_t (*client_names)(void *app, unsigned host, uint64_t have, struct buf *pem);
    const char *client_hosts[HTTP_TLS_HOSTS_MAX];
};
/* key_file is read as a secret: owned by us or root, not readable by others. With client_ca_file the chain is checked
 * in the handshake (dates, purpose "TLS client", strength). A listener that asks for certificates gives no session
 * tickets, the others do (keys of the process, rotated by GnuTLS). TLS 1.2 and 1.3 with AEAD suites only. */

struct http_listener {
    const char *address;                   /* "127.0.0.1:8443" or "[::1]:8443" */
    const struct http_tls *tls;            /* NULL: plain (behind a trusted front, or the bench) */
    const struct http_routes *const *routes;
    const char *base_url;                  /* what we are called, from configuration: for Origin checks and redirects */
    bool one_request;                      /* each answer closes its connection: every request has a handshake of its own */
    bool no_hsts;                          /* else HSTS is sent when base_url is https and not on loopback */
};

struct http_hooks {
    /* Loads the session of a request whose route wants one; OK with http_session_set(), ERR_DENIED when none. */
    enum err (*session)(struct http_request *req, struct why *why);
    /*
     * Answers a request refused before its handler; NULL, or a hook that does not reply: problem+json. Codes:
     * 400 "malformed", "framing" (Content-Length and Transfer-Encoding), "parameter_repeated", "parameter_malformed",
     * "parameters_too_many"; 401 "session"; 403 "csrf" (the page expired: start again), "client_certificate" (required
     * and expired since the handshake); 404 "not_found";
     * 405 "method"; 413 "body_too_large"; 414 "uri_too_long"; 415 "content_type"; 431 "headers_too_large";
     * 503 "busy" (slow pool full), "unavailable" (database away). http_route() is NULL when none was found.
     */
    void (*refuse)(struct http_request *req, int status, const char *code);
};

/* What a peer may take of us; zero members mean the default of base/http/limits.h. Times in microseconds. */
struct http_limits {
    int64_t first_time;                    /* from accept to the first request line, TLS handshake included */
    int64_t header_time;                   /* from the request line to the empty line */
    int64_t body_time;                     /* for the body, plus what its size takes at slowest_peer */
    int64_t idle_time;                     /* between two requests of a connection */
    int64_t send_time;                     /* for the answer, plus what its size takes at slowest_peer */
    int64_t stop_time;                     /* running requests are waited for this long by http_server_stop() */
    int per_address;                       /* connections of one IPv4 address or one IPv6 /64 */
    int64_t slowest_peer;                  /* bytes per second that a peer must at least send and take */
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
    const struct http_limits *limits;      /* NULL: defaults */
};
/* trusted_proxies: "192.0.2.7" or "192.0.2.0/24", IPv4 or IPv6. */

/*
 * Opens the listeners and starts the threads. conf and all it points to must outlive the server, but listeners, limits
 * and trusted_proxies are copied. ERR_INPUT: configuration or route table wrong (why names the route);
 * ERR_CONFLICT: address taken; ERR_UNAVAILABLE: database away; others from the certificate files.
 */
MUST_USE enum err http_server_start(const struct http_server_config *conf, struct http_server **ret, struct why *why);
/* Reads certificates and keys again; new connections get them, old ones go on. On failure all stays as it was. */
MUST_USE enum err http_server_reload(struct http_server *s, struct why *why);
/* Accepts nothing more, finishes running requests (limits.stop_time), then frees. NULL is allowed. */
void http_server_stop(struct http_server *s);
/* The port a listener got: for address "127.0.0.1:0". */
int http_server_port(const struct http_server *s, size_t listener);
/* Appends counters in Prometheus text format: requests and seconds by route name and class of status, connections,
 * refusals, slow pool. */
void http_server_metrics(struct http_server *s, struct buf *out);

/* --- what a handler reads ---------------------------------------------------------------------- */
const char *http_request_id(const struct http_request *req);       /* 20 characters, shown to people as reference */
struct arena *http_arena(struct http_request *req);
/* This thread's connection. Never NULL in a handler whose route is not offline and whose server has conf.pg: while the
 * database is away such a route is answered 503 before its handler. */
struct pg *http_pg(struct http_request *req);
utime http_now(const struct http_request *req);                    /* read once per request */
void *http_app(const struct http_request *req);
enum http_method http_method(const struct http_request *req);
const char *http_path(const struct http_request *req);             /* as received, percent-encoded, without query */
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
/* Octets of a file of the form (HTTP_BODY_UPLOAD), as they came; false: none was chosen, or it is empty. What the peer says of its name
 * and type is not kept. A name is never a field and a file. */
bool http_form_file(const struct http_request *req, const char *name, struct str *ret);
struct str http_body(const struct http_request *req);
const char *http_header(const struct http_request *req, const char *name);
const char *http_cookie(const struct http_request *req, const char *name);
const char *http_lang(const struct http_request *req);             /* "fr" or "en": ?lang=, cookie, Accept-Language */
/* DER of the verified client certificate, leaf; p NULL when none. Chain checked against client_ca_file. */
struct str http_client_cert(const struct http_request *req);
/* Why http_client_cert() gives none: for the page that explains it. */
enum http_cert { HTTP_CERT_NONE, HTTP_CERT_GOOD, HTTP_CERT_EXPIRED, HTTP_CERT_UNTRUSTED };
enum http_cert http_client_cert_state(const struct http_request *req);
/* What the client sent in the handshake of a listener with client_any, leaf first, possession of its key proved and
 * nothing else looked at. Returns how many there are, at most max are written; HTTP_CHAIN_TOO_MUCH: more, or larger,
 * than is taken. */
#define HTTP_CHAIN_TOO_MUCH SIZE_MAX
size_t http_client_chain(const struct http_request *req, struct str *ret, size_t max);
/* Did the connection come from one of trusted_proxies? */
bool http_from_proxy(const struct http_request *req);
/* How many header lines have this name. */
size_t http_header_count(const struct http_request *req, const char *name);
void http_session_set(struct http_request *req, void *session);    /* in the request's arena */
void *http_session(const struct http_request *req);
const char *http_csrf_token(struct http_request *req);             /* for the form; sets the cookie when missing */

/* --- how it replies ------------------------------------------------------------------------------ */
/* Exactly one reply per request; none is answered by 500 and logged as our bug. */
void http_cookie_set(struct http_request *req, const char *name, const char *value, int64_t max_age_s /* -1: session */,
                     const char *same_site /* "Lax", "Strict", "None" */);  /* always Secure, HttpOnly, Path=/ */
void http_cookie_clear(struct http_request *req, const char *name);
/* A header given here replaces the reply functions' own of the same name (Cache-Control, COOP …). A value that is not
 * visible ASCII or UTF-8 without line breaks turns the reply into 500. */
void http_header_add(struct http_request *req, const char *name, const char *value);
/* One more source for form-action of this answer's policy (the ACS of a SAML answer, a client's redirect_uri): a whole
 * URL or an origin; scheme, host and port of it are used. "https:" lets any https address through, for a page whose only
 * form is written by us and whose service may send the browser on: Chromium checks redirects after a form's POST too. */
void http_csp_form_action(struct http_request *req, const char *origin);

void http_reply(struct http_request *req, int status, const char *content_type, struct str body); /* body is copied */
/* The same for a large body that others share: it is not copied and stays until release(arg), which is called once, on any
 * thread, whatever becomes of the reply. */
void http_reply_lent(struct http_request *req, int status, const char *content_type, struct str body,
                     void (*release)(void *arg), void *arg);
/* For a body of which it must be known whether it arrived (a file that is given once). The body is copied. done() is called
 * exactly once, soon after, on a thread of the server's own: whole when all octets were taken over by the peer's system and its
 * end of the connection stayed open for HTTP_WATCH_TIME or was closed in order; a peer that cuts the connection before, or
 * leaves octets unread, is false. False too when it cannot be known (we are stopping, a peer that closes faster than we look):
 * whoever can must offer another way to say that it came. Behind a proxy the peer is the proxy. pg: that thread's connection, outside
 * a transaction; NULL while the database is away. */
typedef void (*http_watch_done)(void *app, struct pg *pg, void *arg, bool whole);
void http_reply_watched(struct http_request *req, int status, const char *content_type, struct str body, http_watch_done done,
                        void *arg);
void http_reply_html(struct http_request *req, int status, const struct buf *page);   /* no-store, strict CSP */
void http_reply_json(struct http_request *req, int status, const char *json_text);    /* no-store */
void http_reply_redirect(struct http_request *req, const char *url);                  /* 303 */
void http_reply_found(struct http_request *req, const char *url);                     /* 302, for protocol answers */
void http_reply_empty(struct http_request *req, int status);
/* RFC 9457 problem+json; status from the err kind (400, 403, 404, 409, 503, 500), type "urn:beffroi:problem:<code>". */
void http_reply_problem(struct http_request *req, enum err e, const char *code, const char *detail);
void http_reply_problem_status(struct http_request *req, int status, const char *code, const char *detail);
/* With an extension member (RFC 9457 §3.2): name is a literal of ours. */
void http_reply_problem_number(struct http_request *req, int status, const char *code, const char *detail, const char *name,
                               int64_t number);
int http_status_of(enum err e);
/* A long-lived file: strong ETag, max-age, immutable. */
void http_reply_asset(struct http_request *req, const char *content_type, struct str body, const char *etag);

#endif
