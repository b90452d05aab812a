/* routes: what the counter answers. Handlers that call the IdP or hash a password run in the bounded pool. */
#include "base/program/answer.h"
#include "mairie-connector/town/command.h"
#include "mairie-connector/town/counter.h"

#define FORM_MAX (32 * 1024)
#define PAGE(path_, handler_, session_, name_)                                                                \
    { HTTP_GET, path_, handler_, HTTP_BODY_NONE, 0, session_, HTTP_CSRF_NONE, HTTP_POOL_EVENT, name_, true, false }
#define POST(path_, handler_, session_, pool_, name_)                                                         \
    { HTTP_POST, path_, handler_, HTTP_BODY_FORM, FORM_MAX, session_, HTTP_CSRF_CHECKED, pool_, name_, true, false }
static const struct http_route list[] = {
    PAGE("/", get_today, HTTP_SESSION_REQUIRED, "town.today"),
    PAGE("/login", get_login, HTTP_SESSION_OPTIONAL, "town.login"),
    POST("/login", post_login, HTTP_SESSION_NONE, HTTP_POOL_SLOW, "town.login.post"),
    POST("/logout", post_logout, HTTP_SESSION_REQUIRED, HTTP_POOL_EVENT, "town.logout"),
    PAGE("/new", get_new, HTTP_SESSION_REQUIRED, "town.new"),
    PAGE("/new/{procedure}", get_form, HTTP_SESSION_REQUIRED, "town.form"),
    POST("/new/{procedure}", post_form, HTTP_SESSION_REQUIRED, HTTP_POOL_EVENT, "town.form.post"),
    PAGE("/new/{procedure}/homonym", get_homonym, HTTP_SESSION_REQUIRED, "town.homonym"),
    POST("/new/{procedure}/homonym", post_homonym, HTTP_SESSION_REQUIRED, HTTP_POOL_EVENT, "town.homonym.post"),
    PAGE("/new/{procedure}/preview", get_preview, HTTP_SESSION_REQUIRED, "town.preview"),
    POST("/new/{procedure}/preview", post_preview, HTTP_SESSION_REQUIRED, HTTP_POOL_SLOW, "town.preview.post"),
    PAGE("/search", get_search, HTTP_SESSION_REQUIRED, "town.search"),
    PAGE("/dossier/{id}", get_dossier, HTTP_SESSION_REQUIRED, "town.dossier"),
    PAGE("/dossier/{id}/pending", get_pending, HTTP_SESSION_REQUIRED, "town.pending"),
    PAGE("/dossier/{id}/print", get_print, HTTP_SESSION_REQUIRED, "town.print"),
    POST("/dossier/{id}/print", post_print, HTTP_SESSION_REQUIRED, HTTP_POOL_SLOW, "town.print.post"),
    PAGE("/dossier/{id}/reissue", get_reissue, HTTP_SESSION_REQUIRED, "town.reissue"),
    POST("/dossier/{id}/reissue", post_reissue, HTTP_SESSION_REQUIRED, HTTP_POOL_SLOW, "town.reissue.post"),
    PAGE("/dossier/{id}/block", get_block, HTTP_SESSION_REQUIRED, "town.block"),
    POST("/dossier/{id}/block", post_block, HTTP_SESSION_REQUIRED, HTTP_POOL_SLOW, "town.block.post"),
    PAGE("/dossier/{id}/authz", get_authz, HTTP_SESSION_REQUIRED, "town.authz"),
    POST("/dossier/{id}/authz", post_authz, HTTP_SESSION_REQUIRED, HTTP_POOL_SLOW, "town.authz.post"),
    PAGE("/dossier/{id}/close", get_close, HTTP_SESSION_REQUIRED, "town.close"),
    POST("/dossier/{id}/close", post_close, HTTP_SESSION_REQUIRED, HTTP_POOL_EVENT, "town.close.post"),
    PAGE("/dossier/{id}/reopen", get_reopen, HTTP_SESSION_REQUIRED, "town.reopen"),
    POST("/dossier/{id}/reopen", post_reopen, HTTP_SESSION_REQUIRED, HTTP_POOL_EVENT, "town.reopen.post"),
    PAGE("/dossier/{id}/cancel", get_cancel, HTTP_SESSION_REQUIRED, "town.cancel"),
    POST("/dossier/{id}/cancel", post_cancel, HTTP_SESSION_REQUIRED, HTTP_POOL_EVENT, "town.cancel.post"),
    PAGE("/dossier/{id}/approve", get_approve, HTTP_SESSION_REQUIRED, "town.approve"),
    POST("/dossier/{id}/approve", post_approve, HTTP_SESSION_REQUIRED, HTTP_POOL_SLOW, "town.approve.post"),
    PAGE("/dossier/{id}/receipt", get_receipt, HTTP_SESSION_REQUIRED, "town.receipt"),
    PAGE("/dossier/{id}/handover", get_handover, HTTP_SESSION_REQUIRED, "town.handover"),
    POST("/dossier/{id}/handover", post_handover, HTTP_SESSION_REQUIRED, HTTP_POOL_SLOW, "town.handover.post"),
    PAGE("/dossier/{id}/acceptance", get_acceptance, HTTP_SESSION_REQUIRED, "town.acceptance"),
    PAGE("/dossier/{id}/reactivate", get_reactivate, HTTP_SESSION_REQUIRED, "town.reactivate"),
    POST("/dossier/{id}/reactivate", post_reactivate, HTTP_SESSION_REQUIRED, HTTP_POOL_SLOW, "town.reactivate.post"),
    PAGE("/dossier/{id}/reactivated", get_reactivated, HTTP_SESSION_REQUIRED, "town.reactivated"),
    PAGE("/audit", get_audit, HTTP_SESSION_REQUIRED, "town.audit"),
};
const struct http_routes counter_routes = HTTP_ROUTES(list);

static void
get_asset(struct http_request *req)
{
    const struct mairie *m = http_app(req);

    answer_asset(req, m->pages);
}

static const struct http_route assets[] = { ANSWER_ASSET_ROUTES(get_asset) };
const struct http_routes mairie_asset_routes = HTTP_ROUTES(assets);
