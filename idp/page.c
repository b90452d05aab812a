/* page: what the pages of the identity provider have in common. */
#include "idp/idp.h"

#include "base/program/answer.h"

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

    answer_page(req, idp->pages, status, template_name, d);
}

static const char *
other_kind_key(enum code_kind kind)
{
    switch (kind) {
    case CODE_CREATION:
        return "code.is_creation";
    case CODE_ACTIVATION:
        return "code.is_activation";
    case CODE_REVOCATION:
        return "code.is_revocation";
    case CODE_REACTIVATION:
        return "code.is_reactivation";
    case CODE_NUMBER:
        return "code.is_number";
    case CODE_SHEET:
        break;
    }
    return "code.typo";
}

const char *
idp_code_problem(enum code_kind kind, const char *typed, char folded[CODE_FOLDED_MAX])
{
    enum code_kind other = kind;

    switch (code_read(kind, str_of(typed), folded, &other)) {
    case CODE_GOOD:
        return NULL;
    case CODE_EMPTY:
        return "code.empty";
    case CODE_TOO_SHORT:
        return "code.short";
    case CODE_TOO_LONG:
        return "code.long";
    case CODE_BAD_CHAR:
        return kind == CODE_ACTIVATION ? "code.digits" : "code.char";
    case CODE_TYPO:
        return "code.typo";
    case CODE_OTHER_KIND:
        /* One mistyped digit in ten gives the other kind of eight digits: that is a typing mistake. */
        return kind == CODE_ACTIVATION && other == CODE_REACTIVATION ? "code.typo" : other_kind_key(other);
    }
    return "code.typo";
}

void
idp_reply_error(struct http_request *req, int status, const char *message_key, const char *way_out)
{
    struct page_data *d = idp_page(req);

    page_msg(d, "message", message_key);
    page_str(d, "way_out", way_out != NULL ? way_out : "/");
    idp_reply_page(req, status, "signon/error.html", d);
}
