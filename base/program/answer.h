/*
 * answer: what handlers and the refuse hook of programs with pages answer alike.
 *
 * A program without pages needs none of it: a refuse hook that is NULL answers problem+json (base/http/server.h).
 */
#ifndef BASE_PROGRAM_ANSWER_H
#define BASE_PROGRAM_ANSWER_H

#include "base/http/server.h"
#include "base/page/page.h"

/* Renders and replies; the page's memory is wiped. A rendering error is logged and becomes a plain 500 with the reference. */
void answer_page(struct http_request *req, const struct page_set *pages, int status, const char *template_name,
                 const struct page_data *d);

/* A file of /assets/: style sheets, themes and the small script. With our version in the path it may be kept for ever;
 * without one, or with another node's, the answer leads to the name that has it. */
void answer_asset(struct http_request *req, const struct page_set *pages);
/* The routes for answer_asset() below a handler that knows the program's pages. */
#define ANSWER_ASSET_ROUTE(path_, handler_, name_)                                                            \
    { HTTP_GET, path_, handler_, HTTP_BODY_NONE, 0, HTTP_SESSION_NONE, HTTP_CSRF_NONE, HTTP_POOL_EVENT, name_, false, true }
#define ANSWER_ASSET_ROUTES(handler_)                                                                         \
    ANSWER_ASSET_ROUTE("/assets/{file}", handler_, "assets.file"),                                            \
    ANSWER_ASSET_ROUTE("/assets/{version}/{file}", handler_, "assets.versioned"),                             \
    ANSWER_ASSET_ROUTE("/assets/{version}/vendor/{file}", handler_, "assets.vendor"),                         \
    ANSWER_ASSET_ROUTE("/assets/{version}/themes/{theme}/{file}", handler_, "assets.theme")

/* Refuse hook: answers problem+json where a machine asks, that is, the route is not html. false: a person asks, nothing
 * was answered. */
bool answer_machine_refusal(struct http_request *req, int status, const char *code);
/* The sentence of an error page for a code of the refuse hook: a key of the catalogue. */
const char *answer_refusal_message(const char *refusal);

#endif
