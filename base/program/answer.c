/* answer: pages, assets, refusals. */
#include "base/program/answer.h"

#include "base/core/log.h"

#define PAGE_MAX (512 * 1024)

void
answer_page(struct http_request *req, const struct page_set *pages, int status, const char *template_name,
            const struct page_data *d)
{
    AUTO(buf_free) struct buf page = BUF_SECRET(PAGE_MAX);
    struct why why = WHY_INIT;
    enum err e = page_render(pages, template_name, http_lang(req), d, &page, &why);

    if (e == OK) {
        http_reply_html(req, status, &page);
        return;
    }
    LOG_ERROR_EV("page.render", LF_STR("template", template_name), LF_ERR(e), LF_WHY(&why));
    http_reply_problem(req, e, "page", "The page could not be made.");
}

void
answer_asset(struct http_request *req, const struct page_set *pages)
{
    const struct page_asset *asset;
    bool versioned;

    if ((asset = page_asset_find(pages, http_path(req) + strlen("/assets/"), &versioned)) == NULL) {
        http_reply_problem(req, ERR_NOT_FOUND, "not_found", "No such file.");
        return;
    }
    if (!versioned) {
        http_reply_redirect(req, arena_printf(http_arena(req), "%s/%s", page_assets_base(pages), asset->path));
        return;
    }
    http_reply_asset(req, asset->content_type, asset->body, asset->etag);
}

bool
answer_machine_refusal(struct http_request *req, int status, const char *code)
{
    const struct http_route *route = http_route(req);

    if (route == NULL || route->html)
        return false;
    http_reply_problem_status(req, status, code, "");
    return true;
}

const char *
answer_refusal_message(const char *refusal)
{
    static const struct {
        const char *refusal, *message_key;
    } words[] = {
        { "csrf", "error.csrf" },           { "not_found", "error.not_found" }, { "method", "error.method" },
        { "body_too_large", "error.too_large" }, { "busy", "error.busy" },      { "unavailable", "error.unavailable" },
    };

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strcmp(refusal, words[i].refusal) == 0)
            return words[i].message_key;
    }
    return "error.form";
}
