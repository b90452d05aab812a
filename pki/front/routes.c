/* routes: the doors of the front. docs/pki-api.yaml says the same; a test compares them. */
#include "pki/front/front-internal.h"

#define GET_(path_, handler_, name_)                                                                          \
    { HTTP_GET, path_, handler_, HTTP_BODY_NONE, 0, HTTP_SESSION_NONE, HTTP_CSRF_PROTOCOL, HTTP_POOL_EVENT, name_, false, false }
#define JSON_(method_, path_, handler_, name_)                                                                \
    { method_, path_, handler_, HTTP_BODY_JSON, FRONT_BODY_MAX, HTTP_SESSION_NONE, HTTP_CSRF_PROTOCOL, HTTP_POOL_EVENT, name_, false, \
      false }
/* Waits for the signer: on threads that nothing else waits for. */
#define EST_(path_, handler_, name_)                                                                          \
    { HTTP_POST, path_, handler_, HTTP_BODY_RAW, FRONT_EST_BODY_MAX, HTTP_SESSION_NONE, HTTP_CSRF_PROTOCOL, HTTP_POOL_SLOW, name_, false, \
      false }
static const struct http_route list[] = {
    GET_("/.well-known/est/cacerts", get_est_cacerts, "est.cacerts"),
    GET_("/.well-known/est/csrattrs", get_est_csrattrs, "est.csrattrs"),
    EST_("/.well-known/est/simpleenroll", post_est_simpleenroll, "est.simpleenroll"),
    EST_("/.well-known/est/simplereenroll", post_est_simplereenroll, "est.simplereenroll"),
    GET_("/.well-known/est/{registration}/cacerts", get_est_cacerts, "est.cacerts.of"),
    GET_("/.well-known/est/{registration}/csrattrs", get_est_csrattrs, "est.csrattrs.of"),
    EST_("/.well-known/est/{registration}/simpleenroll", post_est_simpleenroll, "est.simpleenroll.of"),
    EST_("/.well-known/est/{registration}/simplereenroll", post_est_simplereenroll, "est.simplereenroll.of"),
    JSON_(HTTP_PUT, "/registrations/{id}", put_registration, "registration.put"),
    GET_("/registrations/{id}", get_registration, "registration.get"),
    JSON_(HTTP_PUT, "/registrations/{id}/identification", put_registration_identification, "registration.identify"),
    { HTTP_POST, "/registrations/{id}/close", post_registration_close, HTTP_BODY_RAW, FRONT_BODY_MAX, HTTP_SESSION_NONE,
      HTTP_CSRF_PROTOCOL, HTTP_POOL_EVENT, "registration.close", false, false },
    GET_("/certificates", get_certificates, "certificate.ending"),
    GET_("/certificates/{serial}", get_certificate, "certificate.get"),
    JSON_(HTTP_PUT, "/certificates/{serial}/acceptance", put_certificate_acceptance, "certificate.accept"),
    GET_("/changes", get_changes, "changes.get"),
    JSON_(HTTP_POST, "/revocations", post_revocations, "revocation.post"),
    GET_("/health", get_health, "health"),
};
static const struct http_routes routes = HTTP_ROUTES(list);
const struct http_routes *const front_routes[] = { &routes, NULL };
