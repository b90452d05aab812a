/* routes: what activation answers. */
#include "idp/activation/activation-internal.h"

#define FORM_MAX 8192

static const struct http_route list[] = {
    { HTTP_GET, "/activate/{token}", get_activate, HTTP_BODY_NONE, 0, HTTP_SESSION_NONE, HTTP_CSRF_NONE,
      HTTP_POOL_EVENT, "activation.code", true, false },
    { HTTP_POST, "/activate/{token}", post_activate, HTTP_BODY_FORM, FORM_MAX, HTTP_SESSION_NONE, HTTP_CSRF_CHECKED,
      HTTP_POOL_EVENT, "activation.code.post", true, false },
    { HTTP_GET, "/activate/{token}/{stage}", get_activate_choose, HTTP_BODY_NONE, 0, HTTP_SESSION_NONE,
      HTTP_CSRF_NONE, HTTP_POOL_EVENT, "activation.choose", true, false },
    { HTTP_POST, "/activate/{token}/{stage}", post_activate_choose, HTTP_BODY_FORM, FORM_MAX, HTTP_SESSION_NONE,
      HTTP_CSRF_CHECKED, HTTP_POOL_SLOW, "activation.choose.post", true, false },
};
const struct http_routes activation_routes = HTTP_ROUTES(list);
