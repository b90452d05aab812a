/* routes: what oidc answers, and its part in the conversation. */
#include "idp/oidc/oidc-internal.h"

#define FORM_MAX 65536
#define ROUTE(method_, path_, handler_, body_, max_, name_, html_)                                            \
    { method_, path_, handler_, body_, max_, HTTP_SESSION_NONE, HTTP_CSRF_PROTOCOL, HTTP_POOL_EVENT, name_, html_, false }

static const struct http_route list[] = {
    ROUTE(HTTP_GET, "/.well-known/openid-configuration", get_openid_configuration, HTTP_BODY_NONE, 0, "oidc.discovery", false),
    ROUTE(HTTP_GET, OIDC_PATH_JWKS, get_jwks, HTTP_BODY_NONE, 0, "oidc.jwks", false),
    ROUTE(HTTP_GET, OIDC_PATH_AUTHORIZE, authorize, HTTP_BODY_NONE, 0, "oidc.authorize", true),
    ROUTE(HTTP_POST, OIDC_PATH_AUTHORIZE, authorize, HTTP_BODY_FORM, FORM_MAX, "oidc.authorize.post", true),
    ROUTE(HTTP_POST, OIDC_PATH_TOKEN, post_token, HTTP_BODY_FORM, FORM_MAX, "oidc.token", false),
    ROUTE(HTTP_OPTIONS, OIDC_PATH_TOKEN, options_cors, HTTP_BODY_NONE, 0, "oidc.token.options", false),
    ROUTE(HTTP_POST, OIDC_PATH_INTROSPECT, post_introspect, HTTP_BODY_FORM, FORM_MAX, "oidc.introspect", false),
    ROUTE(HTTP_POST, OIDC_PATH_REVOKE, post_revoke, HTTP_BODY_FORM, FORM_MAX, "oidc.revoke", false),
    ROUTE(HTTP_GET, OIDC_PATH_USERINFO, userinfo, HTTP_BODY_NONE, 0, "oidc.userinfo", false),
    ROUTE(HTTP_POST, OIDC_PATH_USERINFO, userinfo, HTTP_BODY_FORM, FORM_MAX, "oidc.userinfo.post", false),
    ROUTE(HTTP_OPTIONS, OIDC_PATH_USERINFO, options_cors, HTTP_BODY_NONE, 0, "oidc.userinfo.options", false),
    ROUTE(HTTP_GET, OIDC_PATH_LOGOUT, end_session, HTTP_BODY_NONE, 0, "oidc.logout", true),
    ROUTE(HTTP_POST, OIDC_PATH_LOGOUT, end_session, HTTP_BODY_FORM, FORM_MAX, "oidc.logout.post", true),
};
const struct http_routes oidc_routes = HTTP_ROUTES(list);

const struct signon_dialect oidc_dialect = { .name = "oidc", .resume = authorize_resume, .cancel = authorize_cancel,
                                             .logout_notice = oidc_logout_notice };
