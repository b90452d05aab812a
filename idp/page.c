/* page: what the pages of the identity provider have in common. */
#include "idp/idp.h"

#include "base/core/log.h"

#define PAGE_MAX (512 * 1024)

struct page_data *
idp_page(struct http_request *req)
{
    const struct idp *idp = http_app(req);
    bool french = strcmp(http_lang(req), "fr") == 0;
    struct page_data *d = page_data_new(http_arena(req));
    struct page_site site = {
        .name = french ? idp->conf.name_fr : idp->conf.name_en,
        .theme = idp->conf.theme,
        .help_url = idp->conf.help_url[0] == '\0' ? NULL : idp->conf.help_url,
        .phone = idp->conf.help_phone[0] == '\0' ? NULL : idp->conf.help_phone,
        .access_url = NULL,
    };

    page_site(d, &site, http_method(req) == HTTP_GET ? (french ? "?lang=en" : "?lang=fr") : NULL);
    page_str(d, "request_id", http_request_id(req));
    return d;
}

void
idp_reply_page(struct http_request *req, int status, const char *template_name, const struct page_data *d)
{
    const struct idp *idp = http_app(req);
    AUTO(buf_free) struct buf page = BUF_BOUNDED(PAGE_MAX);
    struct why why = WHY_INIT;
    enum err e = page_render(idp->pages, template_name, http_lang(req), d, &page, &why);

    if (e == OK) {
        http_reply_html(req, status, &page);
        return;
    }
    LOG_ERROR_EV("page.render", LF_STR("template", template_name), LF_ERR(e), LF_WHY(&why));
    http_reply_problem(req, e, "page", "The page could not be made.");
}

void
idp_reply_error(struct http_request *req, int status, const char *message_key, const char *way_out)
{
    struct page_data *d = idp_page(req);

    page_msg(d, "message", message_key);
    page_str(d, "way_out", way_out != NULL ? way_out : "/");
    idp_reply_page(req, status, "signon/error.html", d);
}
