/*
 * /logout: GET asks, POST ends the session of this browser in one pass for both dialects and says per service what
 * became of it. GET never ends anything (DESIGN rule 2). A dialect that logs out on a service's word calls
 * session_end() itself.
 */
#include "idp/signon/signon-internal.h"

#include "base/core/log.h"

/* Nothing to go back to and nobody to tell of. */
static void
plain_page(struct http_request *req)
{
    struct page_data *d = idp_page(req);

    page_str(d, "home_url", "/");
    idp_reply_page(req, 200, "signon/loggedout.html", d);
}

void
signon_logout_page(struct http_request *req, const struct session_participant *told, size_t n)
{
    const struct idp *idp = http_app(req);
    const struct services_view *view = services_hold(idp->services);
    struct page_data *d = idp_page(req);
    bool french = strcmp(http_lang(req), "fr") == 0;
    size_t shown = 0;

    for (size_t i = 0; i < n; i++) {
        const struct service *sv = services_by_id(view, told[i].service_id);
        bool twice = false;

        for (size_t k = 0; k < i; k++)
            twice = twice || told[k].service_id == told[i].service_id;
        if (sv != NULL && !twice) {
            page_str(page_item(d, "services"), "label", french ? sv->label_fr : sv->label_en);
            shown++;
        }
    }
    page_str(d, "back_url", "/");
    services_release(view);
    if (shown > 0)
        idp_reply_page(req, 200, "signon/logout.html", d);
    else
        plain_page(req);
}

void
get_logout(struct http_request *req)
{
    struct page_data *d = idp_page(req);

    if (http_session(req) == NULL) {
        plain_page(req);
        return;
    }
    page_str(d, "csrf", http_csrf_token(req));
    page_bool(d, "confirm", true);
    page_str(d, "back_url", "/");
    idp_reply_page(req, 200, "signon/logout.html", d);
}

void
post_logout(struct http_request *req)
{
    struct session_participant *told;
    struct why why = WHY_INIT;
    size_t n;
    enum err e;

    if ((e = session_end(req, 0, &told, &n, &why)) != OK) {
        LOG_ERROR_EV("signon.logout", LF_ERR(e), LF_WHY(&why));
        idp_reply_error(req, http_status_of(e), "error.unavailable", NULL);
        return;
    }
    signon_logout_page(req, told, n);
}
