/*
 * /dossier/{id}/close, /dossier/{id}/reopen: the end of an account, and its way back within 30 days when the end was an
 * error (DOMAIN 2.1). Both wait for a second agent. Who asks for it themselves shows a document.
 */
#include "mairie-connector/town/counter.h"

static const char *const reasons[] = { "death", "departure", "request", "error" };

static void
close_page(struct http_request *req, int status, const struct dossier *x, struct page_data *d, const char *reason)
{
    page_str(d, "id", x->id);
    page_str(d, "name", person_shown(&x->names, http_arena(req)));
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
        struct page_data *item = page_item(d, "reasons");

        page_str(item, "value", reasons[i]);
        page_msg(item, "label", arena_printf(http_arena(req), "close.%s", reasons[i]));
        page_msg(item, "help", arena_printf(http_arena(req), "close.%s_help", reasons[i]));
        page_bool(item, "checked", strcmp(reason, reasons[i]) == 0);
    }
    mairie_reply_page(req, status, "town/close.html", d);
}

void
get_close(struct http_request *req)
{
    const struct agent *agent = agent_with(req, ROLE_GUICHET);
    struct page_data *d;
    struct dossier x;

    if (agent == NULL || !counter_dossier(req, &x) || !propose_may(req, &x, "active", "suspended"))
        return;
    d = mairie_page(req);
    identity_fill(d, "", "");
    close_page(req, 200, &x, d, "");
}

static const char *
reason_read(struct http_request *req)
{
    const char *typed = http_form(req, "reason");

    for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
        if (typed != NULL && strcmp(typed, reasons[i]) == 0)
            return reasons[i];
    }
    return "";
}

void
post_close(struct http_request *req)
{
    const struct agent *agent = agent_with(req, ROLE_GUICHET);
    struct proposal p = { .kind = PROPOSAL_CLOSE };
    struct identity identity;
    struct page_data *d;
    struct dossier x;
    bool own, good = true;

    if (agent == NULL || !counter_dossier(req, &x) || !propose_may(req, &x, "active", "suspended"))
        return;
    d = mairie_page(req);
    p.reason = reason_read(req);
    own = strcmp(p.reason, "request") == 0;
    if (own)
        good = identity_read(req, d, &identity);
    else
        identity_fill(d, "", "");
    if (p.reason[0] == '\0') {
        page_field_error(d, "reason", "town.block.reason_empty");
        good = false;
    }
    if (good)
        propose_run(req, agent, &x, &p, own ? &identity : NULL);
    else
        close_page(req, 422, &x, d, p.reason);
}

/* --- the way back ----------------------------------------------------------------------------------------------------------- */

static bool
may_reopen(struct http_request *req, const struct dossier *x)
{
    if (!propose_may(req, x, "closed", "closed"))
        return false;
    if (!x->unopened && http_now(req) - x->state_since < REOPEN_TIME)
        return true;
    mairie_reply_error(req, 409, x->unopened ? "error.conflict" : "reason.too_late", dossier_path(req, x->id, ""));
    return false;
}

void
get_reopen(struct http_request *req)
{
    const struct agent *agent = agent_with(req, ROLE_GUICHET);
    struct page_data *d;
    struct dossier x;

    if (agent == NULL || !counter_dossier(req, &x) || !may_reopen(req, &x))
        return;
    d = mairie_page(req);
    page_str(d, "id", x.id);
    page_str(d, "name", person_shown(&x.names, http_arena(req)));
    page_time(d, "at", x.state_since, MAIRIE_ZONE);
    page_bool(d, "card", x.type == TYPE_CARD);
    mairie_reply_page(req, 200, "town/reopen.html", d);
}

void
post_reopen(struct http_request *req)
{
    const struct agent *agent = agent_with(req, ROLE_GUICHET);
    struct proposal p = { .kind = PROPOSAL_REOPEN };
    struct dossier x;

    if (agent != NULL && counter_dossier(req, &x) && may_reopen(req, &x))
        propose_run(req, agent, &x, &p, NULL);
}
