/* request-internal: between request.c (the life of a request), request_read.c (what came) and request_get.c. */
#ifndef BASE_HTTP_REQUEST_INTERNAL_H
#define BASE_HTTP_REQUEST_INTERNAL_H

#include "base/http/http-internal.h"

/* Notes the first reason; later ones are ignored. */
void refuse_later(struct http_request *req, int status, const char *code);
/* Headers to fields of req: framing, target, route, body rules, query, peer. What does not hold is refuse_later(). */
void request_read_head(struct http_request *req, const char *method, const char *version);
/* The form, when the route has one. */
void request_read_body(struct http_request *req);
/* The access line: no query, no whole address. */
void request_log(struct http_request *req, int64_t usec, bool complete);

#endif
