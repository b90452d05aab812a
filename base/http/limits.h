/* limits: every ceiling of the HTTP server that a peer can push against, by name. */
#ifndef BASE_HTTP_LIMITS_H
#define BASE_HTTP_LIMITS_H

#include "base/core/clock.h"

/* --- bytes --- */
#define HTTP_URI_MAX            (16 * 1024)  /* request target; a SAML Redirect request needs 8 KB and more */
#define HTTP_HEADERS_MAX        (32 * 1024)  /* header lines together, without the request line */
#define HTTP_BODY_CEILING       (2 << 20)    /* the largest body_max a route may ask for */
#define HTTP_DISCARD_MAX        (16 << 20)   /* of a body that is too large: read and thrown away, so that a person sees the answer */
#define HTTP_ARENA_MAX          (8 << 20)    /* memory of one request, decoded parameters included */
/* What libmicrohttpd holds per connection: both of the above, its records of header lines and our answer's headers. */
#define HTTP_CONNECTION_MEMORY  (64 * 1024)

/* --- counts --- */
#define HTTP_HEADER_LINES_MAX   100
#define HTTP_PARAMS_MAX         256          /* of a query, of a form */
#define HTTP_PARAM_NAME_MAX     128
#define HTTP_FILES_MAX          4            /* of a form */
#define HTTP_COOKIES_MAX        64
#define HTTP_SEGMENTS_MAX       32           /* of a path; the base64 of an OCSP request may hold slashes (RFC 6960 A.1) */
#define HTTP_PATH_PARAMS_MAX    6
#define HTTP_CONNECTIONS        4096
#define HTTP_PER_ADDRESS        512          /* a school or an operator's NAT is one address */
#define HTTP_SLOW_QUEUE         20
#define HTTP_NETWORK_V4         24           /* bits of an address that name the network it is counted in */
#define HTTP_NETWORK_V6         56
#define HTTP_RETRY_AFTER        "2"          /* seconds, told with 503 */

/* --- times (microseconds); the slow-loris limits count from the start, whatever trickles in between --- */
#define HTTP_FIRST_TIME         (15 * USEC_PER_SEC)
#define HTTP_HEADER_TIME        (15 * USEC_PER_SEC)
#define HTTP_BODY_TIME          (15 * USEC_PER_SEC)
#define HTTP_IDLE_TIME          (75 * USEC_PER_SEC)   /* above the 60 s of usual front ends, so that they close first */
#define HTTP_CROWDED_IDLE_TIME  (5 * USEC_PER_SEC)    /* the same when three quarters of the connections are taken */
#define HTTP_SEND_TIME          (30 * USEC_PER_SEC)
#define HTTP_SLOWEST_PEER       (8 * 1024)            /* bytes per second we go on waiting for */
#define HTTP_POOL_WAIT          (10 * USEC_PER_SEC)   /* in the queue of the slow pool */
#define HTTP_STOP_TIME          (10 * USEC_PER_SEC)
#define HTTP_WATCH_TIME         (2 * USEC_PER_SEC)    /* how long a watched reply's connection must stay good after its last octet */
#define HTTP_WATCH_ACK_TIME     (60 * USEC_PER_SEC)   /* and how long that octet may be on its way */

/* --- client certificates --- */
#define HTTP_CERT_CHAIN_MAX     6
#define HTTP_CERT_BITS_MAX      8192
#define HTTP_TLS_HOSTS_MAX      2        /* host names of a listener with names of authorities of their own */
#define HTTP_CHAIN_BYTES        (32 * 1024)  /* of the certificates a client sends where any is let through */

#endif
