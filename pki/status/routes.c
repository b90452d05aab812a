/* routes: the endpoints of the status process. None needs a database: each answers from memory. */
#include "pki/request/ocsp_request.h"
#include "pki/status/endpoints.h"

#define GET_(path_, handler_, name_)                                                                          \
    { HTTP_GET, path_, handler_, HTTP_BODY_NONE, 0, HTTP_SESSION_NONE, HTTP_CSRF_NONE, HTTP_POOL_EVENT, name_, false, true }

static const struct http_route list[] = {
    GET_("/crl/{file}", get_crl, "crl"),
    GET_("/ca/{file}", get_ca, "ca"),
    GET_("/ocsp/{request*}", get_ocsp, "ocsp.get"),
    GET_("/health/live", get_health_live, "health.live"),
    GET_("/health/ready", get_health_ready, "health.ready"),
    { HTTP_POST, "/ocsp", post_ocsp, HTTP_BODY_RAW, OCSP_REQUEST_MAX, HTTP_SESSION_NONE, HTTP_CSRF_PROTOCOL, HTTP_POOL_EVENT,
      "ocsp.post", false, true },
};
static const struct http_routes routes = HTTP_ROUTES(list);
const struct http_routes *const status_routes[] = { &routes, NULL };
