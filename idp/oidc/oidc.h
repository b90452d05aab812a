/*
 * oidc: OpenID Connect Core 1.0, authorization code flow with PKCE (RFC 7636), discovery, introspection (RFC 7662),
 * revocation (RFC 7009), RP-initiated and back-channel logout. The other dialect of one conversation: it reads its request into struct signon_request, signon decides, it
 * writes struct signon_answer as a code, and the token endpoint turns the code into tokens.
 *
 * Pairwise `sub` always. Codes and access tokens are kept as SHA-256 only; a code used twice takes its tokens along.
 */
#ifndef IDP_OIDC_OIDC_H
#define IDP_OIDC_OIDC_H

#include "idp/services/services.h"
#include "idp/signon/signon.h"

extern const struct pg_stmts oidc_stmts;
extern const struct http_routes oidc_routes;
extern const struct service_parser oidc_service_parser;
extern const struct signon_dialect oidc_dialect;

/* `beffroi-idp client add`: client metadata (RFC 7591) as the operator brings it. *ret_document is what is stored, with
 * the secret as a keyed hash; *ret_answer what is printed once, with client_id and client_secret. ERR_INPUT says which
 * member is wrong. */
MUST_USE enum err oidc_client_register(const struct idp *idp, struct str json, struct arena *a,
                                       struct service_draft *ret_draft, const char **ret_answer, struct why *why);

#endif
