/*
 * /dossier/{id}/handover: the citizen is back for the card (P-030…P-032). The second identity check, the card itself, and
 * one click: the account is open. A card that cannot be read takes a second agent and a reason.
 */
#include "mairie-connector/town/card.h"

static void
handover_page(struct http_request *req, int status, const struct dossier *x, struct page_data *d)
{
    page_str(d, "id", x->id);
    page_str(d, "name", person_shown(&x->names, http_arena(req)));
    number_fill(d, x);
    mairie_reply_page(req, status, "town/handover.html", d);
}

/* Replies and returns false when there is nothing to hand over now. */
static bool
handover_may(struct http_request *req, const struct dossier *x)
{
    return !card_was_done(req, x, PROPOSAL_HAND_OVER) && propose_may(req, x, "pending", "pending");
}

void
get_handover(struct http_request *req)
{
    const struct agent *agent = agent_with(req, ROLE_GUICHET);
    struct page_data *d;
    struct dossier x;

    if (agent == NULL || !card_dossier(req, "town.handover.not_card", &x) || !handover_may(req, &x))
        return;
    d = mairie_page(req);
    identity_fill(d, "", "");
    card_fill(req, d, "", "");
    handover_page(req, 200, &x, d);
}

void
post_handover(struct http_request *req)
{
    const struct agent *agent = agent_with(req, ROLE_GUICHET);
    struct proposal p = { .kind = PROPOSAL_HAND_OVER };
    struct identity identity;
    struct page_data *d;
    struct dossier x;
    bool good;

    if (agent == NULL || !card_dossier(req, "town.handover.not_card", &x) || !handover_may(req, &x))
        return;
    d = mairie_page(req);
    good = identity_read(req, d, &identity);
    good = card_read(req, d, &p) && good;
    if (good)
        propose_run(req, agent, &x, &p, &identity);
    else
        handover_page(req, 422, &x, d);
}
