/* routes: what signon answers. */
#include "idp/signon/certificate.h"
#include "idp/signon/factor.h"

#define LOGIN_FORM_MAX 8192
#define FACTOR_FORM_MAX (32 * 1024)       /* of a passkey: its ceilings in base64 */
#define CONSENT_FORM_MAX (64 * 1024)      /* repeats the list that was shown */

static const struct http_route list[] = {
    { HTTP_GET, "/signon/{flow}", get_signon_flow, HTTP_BODY_NONE, 0, HTTP_SESSION_OPTIONAL, HTTP_CSRF_NONE,
      HTTP_POOL_EVENT, "signon.flow", true, false },
    { HTTP_POST, "/signon/{flow}", post_signon_flow, HTTP_BODY_FORM, LOGIN_FORM_MAX, HTTP_SESSION_NONE,
      HTTP_CSRF_CHECKED, HTTP_POOL_SLOW, "signon.flow.post", true, false },
    { HTTP_GET, "/signon/{flow}/go", get_signon_flow_go, HTTP_BODY_NONE, 0, HTTP_SESSION_NONE, HTTP_CSRF_NONE,
      HTTP_POOL_EVENT, "signon.go", true, false },
    { HTTP_GET, "/signon/{flow}/cancel", get_signon_flow_cancel, HTTP_BODY_NONE, 0, HTTP_SESSION_NONE, HTTP_CSRF_NONE,
      HTTP_POOL_EVENT, "signon.cancel", true, false },
    { HTTP_GET, "/signon/{flow}/consent", get_signon_flow_consent, HTTP_BODY_NONE, 0, HTTP_SESSION_OPTIONAL,
      HTTP_CSRF_NONE, HTTP_POOL_EVENT, "signon.consent", true, false },
    { HTTP_POST, "/signon/{flow}/consent", post_signon_flow_consent, HTTP_BODY_FORM, CONSENT_FORM_MAX,
      HTTP_SESSION_OPTIONAL, HTTP_CSRF_CHECKED, HTTP_POOL_EVENT, "signon.consent.post", true, false },
    { HTTP_GET, "/signon/{flow}/certificate", get_signon_flow_certificate, HTTP_BODY_NONE, 0, HTTP_SESSION_OPTIONAL,
      HTTP_CSRF_NONE, HTTP_POOL_EVENT, "signon.certificate", false, false },
    { HTTP_GET, "/signon/{flow}/certificate/{ticket}", get_signon_flow_certificate_ticket, HTTP_BODY_NONE, 0,
      HTTP_SESSION_OPTIONAL, HTTP_CSRF_NONE, HTTP_POOL_EVENT, "signon.certificate.ticket", true, false },
    { HTTP_GET, "/signon/{flow}/factor/{proof}", get_signon_flow_factor, HTTP_BODY_NONE, 0, HTTP_SESSION_OPTIONAL,
      HTTP_CSRF_NONE, HTTP_POOL_EVENT, "signon.factor", true, false },
    { HTTP_POST, "/signon/{flow}/factor/{proof}", post_signon_flow_factor, HTTP_BODY_FORM, FACTOR_FORM_MAX,
      HTTP_SESSION_OPTIONAL, HTTP_CSRF_CHECKED, HTTP_POOL_EVENT, "signon.factor.post", true, false },
    { HTTP_GET, "/logout", get_logout, HTTP_BODY_NONE, 0, HTTP_SESSION_OPTIONAL, HTTP_CSRF_NONE, HTTP_POOL_EVENT,
      "signon.logout", true, false },
    { HTTP_POST, "/logout", post_logout, HTTP_BODY_FORM, 4096, HTTP_SESSION_NONE, HTTP_CSRF_CHECKED, HTTP_POOL_EVENT,
      "signon.logout.post", true, false },
};
const struct http_routes signon_routes = HTTP_ROUTES(list);
