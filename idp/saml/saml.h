/*
 * saml: the SAML 2.0 dialect of sign-on (saml-core, -bindings, -profiles 2.0): web browser SSO and single logout.
 *
 *   GET, POST /saml/sso    AuthnRequest in, Response out by an auto-posted form
 *   GET       /saml/start  ?sp=ENTITY_ID[&RelayState=…]: a Response that nobody asked for, where the policy allows it
 *   GET, POST /saml/slo    LogoutRequest in, LogoutResponse out
 *   GET       /saml/metadata
 *
 * What cannot safely be answered to the service (who is it? where does it listen?) is shown to the person with a
 * reference; the log has the reason. Everything else is a status in a signed Response.
 */
#ifndef IDP_SAML_SAML_H
#define IDP_SAML_SAML_H

#include "idp/services/services.h"
#include "idp/signon/signon.h"

extern const struct service_parser saml_service_parser;
extern const struct http_routes saml_routes;
extern const struct signon_dialect saml_dialect;

/* Our own metadata, signed: canonical text. */
MUST_USE enum err saml_metadata_write(const struct idp *idp, struct buf *out, struct why *why);

#endif
