/*
 * /dossier/{id}/approve: a second agent agrees (P-008): to a new account with sensitive rights, or to a change of one
 * (proposal.h). Then it is asked of the IdP.
 */
#include "mairie-connector/town/counter.h"

#include "mairie-connector/town/request.h"

/* What waits: the account itself, or a change of it. */
struct matter {
    struct proposal p;
    bool proposal;
    const char *owner;             /* who asked */
};

static bool
matter_find(struct http_request *req, const struct agent *agent, const struct dossier *x, struct matter *ret)
{
    bool open, create = strcmp(x->state, "to_validate") == 0;
    const char *key = NULL;

    if (!counter_proposal(req, x, &ret->p, &open))
        return false;
    ret->proposal = !create;
    ret->owner = create ? x->created_by : ret->p.by;
    if (!create && !(open && proposal_waits(&ret->p)))
        key = "error.conflict";
    else if (strcmp(ret->owner, agent->id) == 0)
        key = "reason.own";
    if (key != NULL)
        mairie_reply_error(req, key[0] == 'r' ? 403 : 409, key, dossier_path(req, x->id, ""));
    return key == NULL;
}

static void
right_fill(struct page_data *d, const char *act, const char *label, utime until)
{
    struct page_data *item = page_item(d, "authz");

    page_msg(item, "act", act);
    page_str(item, "label", label);
    if (until != UTIME_NULL)
        page_date(item, "until", until, "UTC");
}

static enum err
rights_fill(struct http_request *req, struct page_data *d, const struct dossier *x, const struct matter *w,
            struct why *why)
{
    bool french = strcmp(http_lang(req), "fr") == 0;
    struct authz_given *list;
    size_t n;
    enum err e;

    for (size_t i = 0; w->proposal && i < w->p.nitems; i++) {
        const struct proposal_item *item = &w->p.items[i];

        right_fill(d, item->gives ? "proposal.gives" : "proposal.takes", french ? item->label_fr : item->label_en,
                   item->until);
    }
    if (w->proposal)
        return OK;
    if ((e = authz_of(http_pg(req), x->id, http_arena(req), &list, &n, why)) != OK)
        return e;
    for (size_t i = 0; i < n; i++)
        right_fill(d, "proposal.gives", french ? list[i].label_fr : list[i].label_en, list[i].until);
    return OK;
}

void
get_approve(struct http_request *req)
{
    const struct agent *agent = agent_with(req, ROLE_VALIDATION);
    struct arena *a = http_arena(req);
    struct why why = WHY_INIT;
    struct page_data *d;
    struct matter w;
    struct dossier x;
    const char *by;
    enum err e;

    if (agent == NULL || !counter_dossier(req, &x) || !matter_find(req, agent, &x, &w))
        return;
    d = mairie_page(req);
    page_str(d, "id", x.id);
    page_str(d, "name", person_shown(&x.names, a));
    page_msg(d, "what", w.proposal ? arena_printf(a, "proposal.%s", proposal_kind_name(w.p.kind)) : "proposal.create");
    page_time(d, "at", w.proposal ? w.p.at : x.created_at, MAIRIE_ZONE);
    page_msg(d, "type", arena_printf(a, "type.%s", dossier_type_name(x.type)));
    if (w.proposal && w.p.reason != NULL)
        page_msg(d, "reason", arena_printf(a, "close.%s", w.p.reason));
    if (w.proposal && w.p.override != NULL)
        page_msg(d, "override", arena_printf(a, "card.%s", w.p.override));
    page_bool(d, "pin_lost", w.proposal && w.p.pin_lost);
    if ((e = agent_name(http_pg(req), w.owner, a, &by, &why)) != OK || (e = rights_fill(req, d, &x, &w, &why)) != OK) {
        mairie_fail(req, "approve", e, &why);
        return;
    }
    page_str(d, "by", by);
    mairie_reply_page(req, 200, "town/approve.html", d);
}

struct approve_arg {
    const struct mairie *m;
    const struct dossier *x;
    const struct matter *w;
    const struct agent *agent;
    char key[OUTBOX_KEY_SIZE];
    utime now;
    struct arena *arena;
};

static enum err
account_agreed(struct pg *pg, const struct approve_arg *p, struct why *why)
{
    enum err e;

    if ((e = dossier_move(pg, p->x->id, "to_validate", "requested", p->agent->id, p->now, why)) != OK ||
        (e = authz_approve(pg, p->x->id, p->agent->id, p->now, why)) != OK ||
        (e = counter_audit(pg, p->agent->id, "validation", "dossier.authz_approved", p->x->handle, "ok", p->now, why)) !=
            OK)
        return e;
    /* The request is the first agent's; the trail names both. */
    return request_create(pg, p->m, p->key, p->x->id, p->x->created_by, p->now, p->arena, why);
}

static enum err
approve_body(struct pg *pg, void *arg, struct why *why)
{
    const struct approve_arg *p = arg;
    enum err e;

    if (!p->w->proposal)
        return account_agreed(pg, p, why);
    e = counter_audit(pg, p->agent->id, "validation",
                      arena_printf(p->arena, "dossier.%s_approved", proposal_kind_name(p->w->p.kind)), p->x->handle, "ok",
                      p->now, why);
    if (e != OK)
        return e;
    return proposal_send(pg, p->m, &p->w->p, p->x->id, p->key, p->agent->id, p->now, p->arena, why);
}

void
post_approve(struct http_request *req)
{
    const struct agent *agent = agent_with(req, ROLE_VALIDATION);
    struct approve_arg p = { .m = http_app(req), .agent = agent, .now = http_now(req), .arena = http_arena(req) };
    struct why why = WHY_INIT;
    struct matter w;
    struct dossier x;
    enum err e;

    if (agent == NULL || !counter_dossier(req, &x) || !matter_find(req, agent, &x, &w))
        return;
    p.x = &x;
    p.w = &w;
    outbox_key(p.key);
    e = pg_tx(http_pg(req), approve_body, &p, &why);
    if (e == ERR_NOT_FOUND && strcmp(why.code, "card.no_code") == 0) {
        mairie_reply_error(req, 409, "town.reactivate.no_code", dossier_path(req, x.id, ""));
        return;
    }
    if (e != OK) {
        mairie_fail(req, "approve", e, &why);
        return;
    }
    counter_send_now(req, p.key);
    mairie_go(req, dossier_path(req, x.id, w.proposal ? "?changed=1" : ""));
}
