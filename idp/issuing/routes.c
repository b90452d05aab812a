/* routes: what issuing answers: the same pages below an activation and below the citizen's own page. */
#include "idp/issuing/issuing-internal.h"

#define FORM_MAX 4096
#define REQUEST_FORM_MAX (128 * 1024)      /* a file that is no request is told so; larger ones than this are not looked at */
#define NEW "/activate/{token}/{stage}/certificate"
#define OWN "/ma-page/certificat"

#define GET(path, handler, session, pool, name, html)                                                                    \
    { HTTP_GET, path, handler, HTTP_BODY_NONE, 0, session, HTTP_CSRF_NONE, pool, name, html, false }
#define POST(path, handler, max, session, pool, name, html)                                                              \
    { HTTP_POST, path, handler, HTTP_BODY_FORM, max, session, HTTP_CSRF_CHECKED, pool, name, html, false }
/* Its form may bring a file. */
#define UPLOAD(path, handler, max, session, pool, name, html)                                                            \
    { HTTP_POST, path, handler, HTTP_BODY_UPLOAD, max, session, HTTP_CSRF_CHECKED, pool, name, html, false }

static const struct http_route list[] = {
    GET(NEW, get_certificate_choose, HTTP_SESSION_NONE, HTTP_POOL_EVENT, "issuing.choose", true),
    POST(NEW, post_certificate_choose, FORM_MAX, HTTP_SESSION_NONE, HTTP_POOL_EVENT, "issuing.choose.post", false),
    GET(NEW "/issued", get_certificate_issued, HTTP_SESSION_NONE, HTTP_POOL_EVENT, "issuing.issued", true),
    GET(NEW "/issued/{file}", get_certificate_issued_file, HTTP_SESSION_NONE, HTTP_POOL_SLOW, "issuing.issued.file", false),
    POST(NEW "/done", post_certificate_done, FORM_MAX, HTTP_SESSION_NONE, HTTP_POOL_EVENT, "issuing.done.post", true),
    GET(NEW "/test", get_certificate_test, HTTP_SESSION_NONE, HTTP_POOL_EVENT, "issuing.test", false),
    GET(NEW "/{device}", get_certificate_device, HTTP_SESSION_NONE, HTTP_POOL_EVENT, "issuing.deliver", true),
    POST(NEW "/{device}/file", post_certificate_file, FORM_MAX, HTTP_SESSION_NONE, HTTP_POOL_SLOW, "issuing.file.post", false),
    UPLOAD(NEW "/{device}/request", post_certificate_request, REQUEST_FORM_MAX, HTTP_SESSION_NONE, HTTP_POOL_SLOW,
           "issuing.request.post", true),

    /* The same pages: the tests of pages visit them above. Whoever sends a file that is too large reads a page. */
    GET(OWN, get_certificate_choose, HTTP_SESSION_REQUIRED, HTTP_POOL_EVENT, "renewal.choose", false),
    POST(OWN, post_certificate_choose, FORM_MAX, HTTP_SESSION_REQUIRED, HTTP_POOL_EVENT, "renewal.choose.post", false),
    GET(OWN "/issued", get_certificate_issued, HTTP_SESSION_REQUIRED, HTTP_POOL_EVENT, "renewal.issued", false),
    GET(OWN "/issued/{file}", get_certificate_issued_file, HTTP_SESSION_REQUIRED, HTTP_POOL_SLOW, "renewal.issued.file", false),
    POST(OWN "/done", post_certificate_done, FORM_MAX, HTTP_SESSION_REQUIRED, HTTP_POOL_EVENT, "renewal.done.post", false),
    GET(OWN "/test", get_certificate_test, HTTP_SESSION_REQUIRED, HTTP_POOL_EVENT, "renewal.test", false),
    GET(OWN "/subject", get_certificate_subject, HTTP_SESSION_REQUIRED, HTTP_POOL_SLOW, "renewal.subject", false),
    GET(OWN "/{device}", get_certificate_device, HTTP_SESSION_REQUIRED, HTTP_POOL_EVENT, "renewal.deliver", false),
    POST(OWN "/{device}/file", post_certificate_file, FORM_MAX, HTTP_SESSION_REQUIRED, HTTP_POOL_SLOW, "renewal.file.post", false),
    UPLOAD(OWN "/{device}/request", post_certificate_request, REQUEST_FORM_MAX, HTTP_SESSION_REQUIRED, HTTP_POOL_SLOW,
           "renewal.request.post", true),
};
const struct http_routes issuing_routes = HTTP_ROUTES(list);
