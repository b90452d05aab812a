/*
 * cors: a client that is a page of its own (no server behind it) calls token and userinfo from another origin (Fetch
 * standard §3.2; RFC 9700 §2.6). All origins may: what is shown there is shown to who brings the code and its proof, or
 * the access token. No cookie has a say at these endpoints, and none is allowed along ("*" without credentials).
 */
#include "idp/oidc/oidc-internal.h"

void
oidc_cors(struct http_request *req)
{
    http_header_add(req, "Access-Control-Allow-Origin", "*");
}

void
options_cors(struct http_request *req)
{
    oidc_cors(req);
    http_header_add(req, "Access-Control-Allow-Methods", "GET, POST");
    http_header_add(req, "Access-Control-Allow-Headers", "Authorization, Content-Type");
    http_header_add(req, "Access-Control-Max-Age", "86400");
    http_reply_empty(req, 204);
}
