/* /assets/…: style sheets, themes and the small script. */
#include "base/program/answer.h"
#include "idp/operator/operator.h"

static void
get_asset(struct http_request *req)
{
    const struct idp *idp = http_app(req);

    answer_asset(req, idp->pages);
}

static const struct http_route list[] = { ANSWER_ASSET_ROUTES(get_asset) };
const struct http_routes assets_routes = HTTP_ROUTES(list);
