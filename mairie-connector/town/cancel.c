/*
 * /dossier/{id}/cancel: what was asked for and is not done yet is not wanted any more.
 *
 * A change that waits for a second agent is dropped: taken back by who proposed it, or not agreed to. A new account that
 * waits for a second agent, or for an IdP that has not answered, is cancelled (DOMAIN 2.1, requested → cancelled).
 */
#include "mairie-connector/town/counter.h"

/* What there is to cancel. */
struct target {
    struct proposal p;
    bool proposal;                 /* the proposal; else the dossier itself */
    const char *owner;             /* who asked */
};

static bool
is_state(const struct dossier *x, const char *state)
{
    return strcmp(x->state, state) == 0;
}

/* Replies and returns false when there is nothing, or not by this agent. */
static bool
target_find(struct http_request *req, const struct agent *agent, const struct dossier *x, struct target *ret)
{
    bool open, own, waits;

    if (!counter_proposal(req, x, &ret->p, &open))
        return false;
    ret->proposal = open && proposal_waits(&ret->p);
    if (!ret->proposal && !is_state(x, "to_validate") && !is_state(x, "requested")) {
        mairie_reply_error(req, 409, "error.conflict", dossier_path(req, x->id, ""));
        return false;
    }
    ret->owner = ret->proposal ? ret->p.by : x->created_by;
    own = strcmp(ret->owner, agent->id) == 0;
    waits = ret->proposal || is_state(x, "to_validate");
    /* Who asked may take it back, who agrees may say no; a request that only waits for the IdP is any clerk's. */
    if (own || (waits && (agent->roles & ROLE_VALIDATION) != 0) || (!waits && (agent->roles & ROLE_GUICHET) != 0))
        return true;
    mairie_reply_error(req, 403, "error.denied", dossier_path(req, x->id, ""));
    return false;
}

void
get_cancel(struct http_request *req)
{
    const struct agent *agent = agent_with(req, ROLES_OFFICE);
    struct page_data *d;
    struct target t;
    struct dossier x;

    if (agent == NULL || !counter_dossier(req, &x) || !target_find(req, agent, &x, &t))
        return;
    d = mairie_page(req);
    page_str(d, "id", x.id);
    page_str(d, "name", person_shown(&x.names, http_arena(req)));
    page_msg(d, "what", t.proposal ? arena_printf(http_arena(req), "proposal.%s", proposal_kind_name(t.p.kind))
                                   : "proposal.create");
    page_msg(d, "text", t.proposal ? "town.cancel.change" : "town.cancel.account");
    mairie_reply_page(req, 200, "town/cancel.html", d);
}

struct cancel_arg {
    const struct dossier *x;
    const struct target *t;
    const struct agent *agent;
    utime now;
};

static enum err
cancel_body(struct pg *pg, void *arg, struct why *why)
{
    const struct cancel_arg *c = arg;
    const char *role = agent_role_name(c->agent->roles);
    enum err e;

    if (c->t->proposal) {
        if ((e = proposal_drop(pg, c->t->p.id, c->agent->id, c->now, why)) != OK)
            return e;
        return counter_audit(pg, c->agent->id, role, "dossier.dropped", c->x->handle, "ok", c->now, why);
    }
    if ((e = dossier_move(pg, c->x->id, c->x->state, "cancelled", NULL, c->now, why)) != OK)
        return e;
    if (is_state(c->x, "requested") && (e = outbox_cancel_create(pg, c->x->id, c->now, why)) != OK)
        return e;
    return counter_audit(pg, c->agent->id, role, "dossier.cancelled", c->x->handle, "ok", c->now, why);
}

void
post_cancel(struct http_request *req)
{
    const struct agent *agent = agent_with(req, ROLES_OFFICE);
    struct why why = WHY_INIT;
    struct target t;
    struct dossier x;
    struct cancel_arg c = { &x, &t, agent, http_now(req) };
    enum err e;

    if (agent == NULL || !counter_dossier(req, &x) || !target_find(req, agent, &x, &t))
        return;
    if ((e = pg_tx(http_pg(req), cancel_body, &c, &why)) == OK)
        mairie_go(req, dossier_path(req, x.id, ""));
    else if (e == ERR_CONFLICT)
        mairie_reply_error(req, 409, "town.cancel.late", dossier_path(req, x.id, ""));
    else
        mairie_fail(req, "cancel", e, &why);
}
