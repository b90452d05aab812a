/* /assets/…: style sheets, themes and the small script, with their version in the path so that they can be kept. */
#include "idp/operator/operator.h"

static void
get_asset(struct http_request *req)
{
    const struct idp *idp = http_app(req);
    const char *path = http_path(req) + strlen("/assets/");
    const struct page_asset *asset;
    bool versioned;

    if ((asset = page_asset_find(idp->pages, path, &versioned)) == NULL) {
        http_reply_problem(req, ERR_NOT_FOUND, "not_found", "No such file.");
        return;
    }
    if (!versioned) {          /* no version, or another node's: not to be kept under this name */
        http_reply_redirect(req, arena_printf(http_arena(req), "%s/%s", page_assets_base(idp->pages), asset->path));
        return;
    }
    http_reply_asset(req, asset->content_type, asset->body, asset->etag);
}

#define ASSET(path_, name_)                                                                                   \
    { HTTP_GET, path_, get_asset, HTTP_BODY_NONE, 0, HTTP_SESSION_NONE, HTTP_CSRF_NONE, HTTP_POOL_EVENT, name_, false, true }
static const struct http_route list[] = {
    ASSET("/assets/{file}", "assets.file"),
    ASSET("/assets/{version}/{file}", "assets.versioned"),
    ASSET("/assets/{version}/themes/{theme}/{file}", "assets.theme"),
};
const struct http_routes assets_routes = HTTP_ROUTES(list);
