/*
 * http-internal: what the files of this room share. Nobody else includes it, but the fuzz targets and tests of
 * its parsers.
 *
 * A connection (struct http_conn) lives from libmicrohttpd's STARTED to its CLOSED notice and is in the server's list,
 * so that the accept thread can cut it when its deadline passes. A request lives from the URI callback to the COMPLETED
 * callback, in an arena of its own. Both are touched by one event thread, but while a pool thread runs the handler.
 */
#ifndef BASE_HTTP_INTERNAL_H
#define BASE_HTTP_INTERNAL_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "base/http/limits.h"
#include "base/http/server.h"

/* --- params.c: octets to names and values -------------------------------------------------------------- */
struct http_param {
    const char *name, *value;      /* valid UTF-8 without NUL */
};
struct http_params {
    struct http_param *list;       /* in the arena */
    size_t n;
};
/* application/x-www-form-urlencoded, query or body. Refused with why->code: "parameter_malformed" (escape, UTF-8, NUL,
 * name too long), "parameter_repeated" (but "name[]"), "parameters_too_many", "body_too_large" (arena full). */
MUST_USE enum err http_params_parse(struct arena *arena, struct str in, struct http_params *ret, struct why *why);
/* Cookie header lines; what is not a cookie-pair of RFC 6265 is left out, of a repeated name the first stays. */
void http_cookies_parse(struct arena *arena, struct str header, struct http_params *cookies);
const char *http_params_get(const struct http_params *p, const char *name);
/* "name[]" may. */
bool http_may_repeat(const char *name);
/* NUL-terminated copy; NULL past the arena's ceiling. */
char *http_try_str(struct arena *arena, struct str s);

/* --- multipart.c: a form with files --------------------------------------------------------------------- */
struct http_file {
    const char *name;              /* of the form's field, as in struct http_param; what the peer calls the file is thrown away */
    struct str content;            /* octets as they came, in the body */
};
struct http_upload {
    struct http_params fields;
    struct http_file *files;       /* in the arena; the body outlives it */
    size_t nfiles;
};
/* The boundary of "multipart/form-data; boundary=…" (RFC 2046 §5.1.1); false: another type, or another parameter. */
bool multipart_boundary(const char *content_type, struct str *ret);
/* boundary: as given by multipart_boundary(). Refused as by http_params_parse(). */
MUST_USE enum err multipart_parse(struct arena *arena, struct str boundary, struct str body, struct http_upload *ret,
                                  struct why *why);
const struct http_file *http_files_find(const struct http_upload *u, const char *name);

struct http_path {
    size_t n;
    struct str seg[HTTP_SEGMENTS_MAX];    /* decoded, valid UTF-8 without NUL */
};
/* "/a/b%20c" to segments; "/" has one, empty. ERR_INPUT: not a path; ERR_NOT_FOUND: deeper than any route. */
MUST_USE enum err http_path_parse(struct arena *arena, struct str path, struct http_path *ret);
/* Accept-Language to "fr" or "en"; "fr" when it names neither. */
const char *http_accept_language(struct str header);
/* token of RFC 9110 §5.6.2 */
bool http_is_token(struct str s);

/* --- route.c --------------------------------------------------------------------------------------------- */
#define HTTP_METHODS 6

struct route_count {                      /* one per route name of a server, the first for requests without route */
    const char *name;
    _Atomic uint64_t by_class[6];         /* [0]: no answer (peer left); 1xx … 5xx */
    _Atomic uint64_t usec;
};
struct route_node {                       /* one path */
    size_t nsegs, nparams;
    bool tail;                            /* the last segment is "{name*}" */
    struct { struct str text; bool param; } seg[HTTP_SEGMENTS_MAX];
    const struct http_route *by_method[HTTP_METHODS];
    struct route_count *count[HTTP_METHODS];
    char allow[48];                       /* "GET, HEAD, POST" */
};
struct route_table {
    struct route_node *nodes;             /* the more literal first */
    size_t n;
};
struct route_match {
    const struct route_node *node;        /* NULL: no such path */
    const struct http_route *route;       /* NULL: no such method */
    struct route_count *count;
    struct http_params params;
};
struct route_counts {
    struct route_count *list;
    size_t n;
};
/* Compiles and checks the tables of a listener. counts has room (route_counts_size) for all names of the server. */
MUST_USE enum err route_table_init(struct route_table *t, const struct http_routes *const *tables,
                                   struct route_counts *counts, bool have_base_url, struct why *why);
void route_table_done(struct route_table *t);
size_t route_tables_size(const struct http_routes *const *tables);
void route_find(const struct route_table *t, const struct http_path *path, unsigned method, struct arena *arena,
                struct route_match *ret);
int http_method_index(unsigned method);

/* --- address.c -------------------------------------------------------------------------------------------- */
#define ADDRESS_TEXT 46
struct address {
    int family;                           /* AF_INET, AF_INET6, 0: unknown */
    unsigned char b[16];
};
struct cidr {
    struct address net;
    unsigned bits;
};
struct address address_of(const struct sockaddr *sa);
bool address_parse(struct str text, struct address *ret);
void address_text(const struct address *a, char out[ADDRESS_TEXT]);
void address_masked(const struct address *a, unsigned v4_bits, unsigned v6_bits, struct address *ret);
MUST_USE enum err cidr_parse(const char *text, struct cidr *ret, struct why *why);
bool cidr_has(const struct cidr *list, size_t n, const struct address *a);
bool address_is_private(const struct address *a);     /* loopback, private, link-local, multicast, reserved */
/* "127.0.0.1:80", "[::1]:0" */
MUST_USE enum err listen_parse(const char *text, struct sockaddr_storage *ret, socklen_t *ret_len, struct why *why);

/* Connections by address, /64 for IPv6. The caller locks. */
#define CENSUS_BUCKETS 1024
struct census_entry {
    struct census_entry *next;
    struct address a;
    int count;
};
struct census {
    struct census_entry *bucket[CENSUS_BUCKETS];
};
int census_count(const struct census *c, const struct address *a);
void census_add(struct census *c, const struct address *a);
void census_remove(struct census *c, const struct address *a);
void census_done(struct census *c);

/* --- tls.c ------------------------------------------------------------------------------------------------- */
struct tls_cred;                          /* certificate, key, trust and ticket key of a listener; counted */
/* Those of a listener: its own, and of each host of client_hosts; NULL where there is none. */
struct tls_creds { struct tls_cred *of[1 + HTTP_TLS_HOSTS_MAX]; };
/* app: for conf->client_names. On failure *ret is as it was. */
MUST_USE enum err tls_creds_load(const struct http_tls *conf, void *app, struct tls_creds *ret, struct why *why);
void tls_creds_done(struct tls_creds *c);
/* Starts a connection's session under this listener's credentials; false: cannot be served. */
struct http_conn;
bool tls_conn_start(struct http_conn *conn, void *gnutls_session);
void tls_conn_done(struct http_conn *conn);
/* Priorities for MHD_OPTION_HTTPS_PRIORITIES, and the callback that satisfies MHD but is never asked. */
extern const char tls_priorities[];
void *tls_never_callback(void);
/* Expiry is looked at again on each request: a connection may outlive its certificate. */
enum http_cert tls_conn_cert(struct http_conn *conn, int64_t unix_now);

/* --- server.c ---------------------------------------------------------------------------------------------- */
struct listener {
    struct http_server *server;
    struct http_listener conf;
    struct http_tls tls;
    size_t index;
    int fd, port;
    struct route_table routes;
    char origin[280];                     /* "https://host[:port]" of base_url, lower case; "" without base_url */
    bool hsts;
    pthread_mutex_t cred_lock;
    struct tls_creds creds;               /* of[0] NULL: plain */
};

struct http_conn {
    struct http_conn *prev, *next;        /* server->conns, under its lock */
    struct http_server *server;
    const struct listener *listener;
    struct MHD_Connection *mhd;
    int fd;
    struct address address;
    char peer[ADDRESS_TEXT];
    bool trusted_proxy;
    bool counted;                         /* in the census */
    _Atomic int64_t deadline;             /* monotonic; INT64_MAX: none */
    _Atomic bool idle;                    /* between requests: may be cut when it is crowded */
    _Atomic int64_t idle_since;
    /* TLS */
    struct tls_cred *cred;
    enum http_cert cert_state;            /* as verified in the handshake */
    unsigned char *cert;                  /* leaf, DER; verified */
    size_t cert_len;
    struct str chain[HTTP_CERT_CHAIN_MAX];/* of a listener with client_any: as sent, unverified; each its own memory */
    size_t nchain;                        /* HTTP_CHAIN_TOO_MUCH: more than is taken, chain is empty */
    int64_t cert_not_after;               /* Unix time, of the chain's first to expire */
};

struct pool;                              /* pool.c */
struct watch;                             /* watch.c */

struct http_server {
    const struct http_server_config *conf;
    struct http_limits limits;            /* complete */
    struct listener *listeners;
    size_t nlisteners;
    struct cidr *proxies;
    size_t nproxies;
    int max_connections;
    struct MHD_Daemon *plain, *tls;       /* NULL: no such listener */
    struct route_counts counts;
    struct pool *pool;                    /* NULL: no route asks for it */
    struct watch *watch;                  /* of watched replies */

    pthread_t accept_thread;
    bool accept_running;
    int wake_fd;                          /* eventfd: stop accepting */
    const struct listener **by_fd;        /* written by the accept thread before MHD sees the descriptor */
    size_t by_fd_size;

    pthread_mutex_t lock;                 /* conns, nconns, census */
    struct http_conn *conns;
    int nconns;
    struct census census;

    pthread_key_t pg_key;                 /* struct pg of the thread */
    bool have_pg_key;
    pthread_mutex_t spare_lock;
    struct pg *spare_pg;                  /* opened at start to check the statements; taken by the first thread */
    pthread_key_t arena_key;              /* one spare arena per event thread */
    bool have_arena_key;

    _Atomic uint64_t id_counter;          /* starts at random */
    _Atomic bool stopping;
    _Atomic int active;                   /* requests between their first call and completion */
    _Atomic uint64_t accepted, refused_full, refused_address, cut_slow, busy, certs_bad;
};

/* accept.c */
void *accept_main(void *server);
void conn_notice(void *cls, struct MHD_Connection *mhd, void **context, enum MHD_ConnectionNotificationCode code);
/* Sets the connection's deadline to span from now; INT64_MAX: none. */
void conn_deadline(struct http_conn *conn, int64_t span);

/* --- request.c --------------------------------------------------------------------------------------------- */
enum phase {
    PHASE_HEADERS,      /* the first call is to come */
    PHASE_BODY,         /* body parts and the last call are to come */
    PHASE_POOL,         /* suspended, a pool thread has it */
    PHASE_DONE,         /* the reply waits to be queued */
    PHASE_SENT          /* queued */
};
struct reply_header {
    struct reply_header *next;
    const char *name, *value;
};
struct http_request {
    struct http_server *server;
    struct http_conn *conn;
    struct MHD_Connection *mhd;
    const struct listener *listener;
    struct arena *arena;
    struct http_request *next_job;        /* pool.c */
    uint64_t trips;                       /* round trips to the database that the handler made */
    utime now;
    int64_t started, queued_at;           /* monotonic */
    char id[21];
    enum phase phase;

    /* what came */
    const char *target;                   /* as received; "" when it was too long */
    size_t target_len;
    const char *path;
    const char *method_text;              /* for the log: one of ours, or "other" */
    struct str raw_query;
    bool head;
    unsigned method;                      /* enum http_method, 0: another */
    struct route_match match;
    struct http_params query, form, cookies;
    struct http_upload upload;            /* form is its fields */
    bool has_body, must_close;
    int64_t body_told;                    /* Content-Length, 0 when chunked */
    uint64_t body_seen;
    struct buf body;
    struct address client;                /* after trusted proxies */
    char client_text[ADDRESS_TEXT];
    void *session;

    /* refused before the handler */
    int refuse_status;
    const char *refuse_code;

    /* the reply */
    struct reply_header *headers, **headers_end;
    const char *form_action;              /* " https://a https://b" */
    char csrf_token[48];
    bool replied, header_bad;
    int status;
    size_t reply_size;
    struct MHD_Response *response;
    http_watch_done watch_done;           /* NULL: nobody asks whether it arrived */
    void *watch_arg;
};

void *request_on_uri(void *cls, const char *uri, struct MHD_Connection *mhd);
enum MHD_Result request_on_call(void *cls, struct MHD_Connection *mhd, const char *url, const char *method,
                                const char *version, const char *data, size_t *size, void **req_cls);
void request_on_completed(void *cls, struct MHD_Connection *mhd, void **req_cls, enum MHD_RequestTerminationCode how);
/* Session, handler, and the 500 when there was no reply. On an event thread or a pool thread. */
void request_run(struct http_request *req);
/* Answers by the refuse hook, or by ourselves. */
void request_refuse(struct http_request *req, int status, const char *code);

/* --- csrf.c -------------------------------------------------------------------------------------------------- */
/* NULL when it holds, else the reason for our log. */
const char *csrf_check(struct http_request *req);
/* "https://Host:443/path" to "https://host"; false: not an absolute http(s) URL. */
bool origin_of(const char *url, char *out, size_t size);

/* --- watch.c ------------------------------------------------------------------------------------------------- */
struct watch *watch_new(struct http_server *s);
/* The reply of a request was handed to the system (sent), or never will be. fd: of its connection. Calls done() later. */
void watch_add(struct watch *w, int fd, bool sent, http_watch_done done, void *arg);
/* Whoever is watched still is told false. NULL is allowed. */
void watch_free(struct watch *w);

/* --- pool.c -------------------------------------------------------------------------------------------------- */
MUST_USE enum err pool_new(int threads, int queue, struct pool **ret, struct why *why);
/* Suspends and queues; false: full or stopping, nothing was done. */
bool pool_submit(struct pool *p, struct http_request *req);
size_t pool_waiting(struct pool *p);
/* Refuses what waits, lets what runs finish, joins. */
void pool_free(struct pool *p);

#endif
