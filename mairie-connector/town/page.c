/* page: what the pages of the counter have in common. */
#include "mairie-connector/town/agent.h"

#include "base/core/log.h"
#include "base/program/answer.h"

struct page_data *
mairie_page(struct http_request *req)
{
    const struct mairie *m = http_app(req);
    const struct agent *agent = http_session(req);
    bool french = strcmp(http_lang(req), "fr") == 0;
    struct page_data *d = page_data_new(http_arena(req));
    struct page_site site = {
        .name = french ? m->conf.name_fr : m->conf.name_en,
        .theme = m->conf.theme,
        .help_url = m->conf.help_url[0] == '\0' ? NULL : m->conf.help_url,
        .phone = m->conf.phone[0] == '\0' ? NULL : m->conf.phone,
        .access_url = NULL,
    };
    struct str query = http_raw_query(req);
    bool plain = http_method(req) == HTTP_GET && (query.n == 0 || str_starts(query, "lang="));

    page_site(d, &site, plain ? (french ? "?lang=en" : "?lang=fr") : NULL);
    page_str(d, "request_id", http_request_id(req));
    if (agent != NULL) {
        page_str(d, "agent", agent->name);
        page_str(d, "csrf", http_csrf_token(req));
    }
    return d;
}

void
mairie_reply_page(struct http_request *req, int status, const char *template_name, const struct page_data *d)
{
    const struct mairie *m = http_app(req);

    answer_page(req, m->pages, status, template_name, d);
}

void
mairie_reply_error(struct http_request *req, int status, const char *message_key, const char *way_out)
{
    struct page_data *d = mairie_page(req);

    page_msg(d, "message", message_key);
    page_str(d, "way_out", way_out != NULL ? way_out : "/");
    mairie_reply_page(req, status, "town/error.html", d);
}

void
mairie_fail(struct http_request *req, const char *event, enum err e, const struct why *why)
{
    const char *key = "error.unavailable";

    switch (e) {
    case ERR_NOT_FOUND:
        key = "error.not_found";
        break;
    case ERR_CONFLICT:
        key = "error.conflict";
        break;
    case ERR_DENIED:
        key = "error.denied";
        break;
    case OK:
    case ERR_INPUT:
    case ERR_UNAVAILABLE:
    case ERR_INTERNAL:
        break;
    }
    if (e == ERR_UNAVAILABLE || e == ERR_INTERNAL)
        LOG_ERROR_EV(event, LF_ERR(e), LF_WHY(why));
    else
        LOG_INFO_EV(event, LF_ERR(e), LF_WHY(why));
    mairie_reply_error(req, http_status_of(e), key, NULL);
}

void
mairie_go(struct http_request *req, const char *path)
{
    http_reply_redirect(req, arena_printf(http_arena(req), "%s%s", http_base_url(req), path));
}
