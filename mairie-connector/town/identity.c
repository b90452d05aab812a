/* identity: which document the clerk saw, before any act for a person (P-003). Type and end date, never a copy. */
#include "mairie-connector/town/form.h"

static const char *const docs[] = { "cni", "passport", "residence", "driving", "other" };

void
identity_fill(struct page_data *d, const char *doc_type, const char *doc_expiry)
{
    static const char *const labels[] = { "doc.cni", "doc.passport", "doc.residence", "doc.driving", "doc.other" };

    for (size_t i = 0; i < ARRAY_LEN(docs); i++) {
        struct page_data *item = page_item(d, "docs");

        page_str(item, "value", docs[i]);
        page_msg(item, "label", labels[i]);
        page_bool(item, "selected", strcmp(doc_type, docs[i]) == 0);
    }
    page_str(d, "doc_expiry", doc_expiry);
}

bool
identity_check(const char *doc_type, const char *doc_expiry, utime now, struct page_data *d)
{
    bool known = false;
    const char *problem = NULL;
    utime end;

    for (size_t i = 0; i < ARRAY_LEN(docs); i++)
        known = known || strcmp(doc_type, docs[i]) == 0;
    if (!known)
        page_field_error(d, "doc_type", "town.identity.type_empty");
    if (doc_expiry[0] == '\0')
        problem = "town.identity.expiry_empty";
    else if (date_end(doc_expiry, &end) != OK)
        problem = "town.identity.expiry_bad";
    else if (end < now)
        problem = "town.identity.expired";
    if (problem != NULL)
        page_field_error(d, "doc_expiry", problem);
    return known && problem == NULL;
}

bool
identity_read(struct http_request *req, struct page_data *d, struct identity *ret)
{
    const char *type = http_form(req, "doc_type"), *expiry = http_form(req, "doc_expiry");

    ret->doc_type = type != NULL ? type : "";
    ret->doc_expiry = expiry != NULL ? expiry : "";
    identity_fill(d, ret->doc_type, ret->doc_expiry);
    return identity_check(ret->doc_type, ret->doc_expiry, http_now(req), d);
}
