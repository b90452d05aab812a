/*
 * client: HTTP out, on libcurl behind this fence. Used by jobs and by the town's outbox, never by a handler of the
 * IdP's web process at an attacker's word. No redirects, TLS verified against the given CA, limits on size and time;
 * private addresses refused unless allowed.
 */
#ifndef BASE_HTTP_CLIENT_H
#define BASE_HTTP_CLIENT_H

#include "base/core/buf.h"

struct http_client;

struct http_client_config {
    const char *ca_file;             /* PEM; NULL: the system's */
    const char *cert_file, *key_file;/* client certificate; NULL: none */
    bool allow_private;              /* loopback and private addresses may be called */
    int64_t connect_timeout, timeout;/* microseconds */
    size_t answer_max;               /* bytes */
};

struct http_answer {
    int status;
    char content_type[96];
    char etag[128];
    struct buf body;
};

MUST_USE enum err http_client_new(const struct http_client_config *conf, struct http_client **ret, struct why *why);
void http_client_free(struct http_client *c);
DEFINE_FREEP(struct http_client, http_client_free)

/* headers: NULL-terminated "Name: value" lines, may be NULL. OK whatever the status; ERR_UNAVAILABLE: no answer,
 * time-out, TLS refused; ERR_INPUT: answer too large; ERR_DENIED: address not allowed. Thread-safe per client. */
MUST_USE enum err http_call(struct http_client *c, const char *method, const char *url, const char *const *headers,
                            struct str body, struct http_answer *ret, struct why *why);
void http_answer_done(struct http_answer *a);

#endif
