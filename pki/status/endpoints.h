/* endpoints: what the status process answers, over plain HTTP. */
#ifndef PKI_STATUS_ENDPOINTS_H
#define PKI_STATUS_ENDPOINTS_H

#include "base/http/server.h"

extern const struct http_routes *const status_routes[];

void get_crl(struct http_request *req);          /* /crl/{file} (offer.c) */
void get_ca(struct http_request *req);           /* /ca/{file} */
void get_health_live(struct http_request *req);  /* /health/live, /health/ready (health.c) */
void get_health_ready(struct http_request *req);
void post_ocsp(struct http_request *req);        /* /ocsp (ocsp.c) */
void get_ocsp(struct http_request *req);         /* /ocsp/{request*} */

/* The headers of an answer that others may keep for max_age (microseconds), and 304 when the peer has it. true: answered. */
bool answer_conditional(struct http_request *req, const char *etag, const char *modified, const char *expires, int64_t max_age);

#endif
