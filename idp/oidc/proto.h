/* proto: the words of OAuth 2.0 and OpenID Connect. */
#ifndef IDP_OIDC_PROTO_H
#define IDP_OIDC_PROTO_H

#define OIDC_PATH_AUTHORIZE "/oidc/authorize"
#define OIDC_PATH_TOKEN     "/oidc/token"
#define OIDC_PATH_USERINFO  "/oidc/userinfo"
#define OIDC_PATH_JWKS      "/oidc/jwks"
#define OIDC_PATH_INTROSPECT "/oidc/introspect"
#define OIDC_PATH_REVOKE    "/oidc/revoke"
#define OIDC_PATH_LOGOUT    "/oidc/logout"

/* acr values are the authentication context classes of SAML 2.0, so that both dialects say the same. */
#define ACR_PASSWORD  "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
#define ACR_SOFT_CERT "urn:oasis:names:tc:SAML:2.0:ac:classes:SoftwarePKI"
#define ACR_CARD      "urn:oasis:names:tc:SAML:2.0:ac:classes:SmartcardPKI"

#define ACR_MFA       "https://refeds.org/profile/mfa"      /* REFEDS MFA Profile */

#define SCOPE_OPENID  "openid"
#define SCOPE_AUTHZ   "authorisations"
#define SCOPE_TOWN    "town"

/* RFC 6749 §4.1.2.1, §5.2; OpenID Connect Core §3.1.2.6 */
#define E_INVALID_REQUEST      "invalid_request"
#define E_INVALID_CLIENT       "invalid_client"
#define E_INVALID_GRANT        "invalid_grant"
#define E_UNSUPPORTED_GRANT    "unsupported_grant_type"
#define E_UNSUPPORTED_RESPONSE "unsupported_response_type"
#define E_INVALID_SCOPE        "invalid_scope"
#define E_ACCESS_DENIED        "access_denied"
#define E_SERVER_ERROR         "server_error"
#define E_UNAVAILABLE          "temporarily_unavailable"
#define E_LOGIN_REQUIRED       "login_required"
#define E_CONSENT_REQUIRED     "consent_required"
#define E_REQUEST_UNSUPPORTED  "request_not_supported"
#define E_REQUEST_URI_UNSUPPORTED "request_uri_not_supported"
#define E_INVALID_TOKEN        "invalid_token"

#endif
