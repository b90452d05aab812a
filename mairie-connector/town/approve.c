/* /dossier/{id}/approve: a second agent agrees to sensitive authorisations (P-008); then the account is asked for. */
#include "mairie-connector/town/counter.h"

#include "mairie-connector/town/request.h"

static bool
may_approve(struct http_request *req, const struct agent *agent, const struct dossier *x)
{
    const char *key = NULL;

    if (strcmp(x->state, "to_validate") != 0)
        key = "error.conflict";
    else if (strcmp(x->created_by, agent->id) == 0)
        key = "reason.own";
    if (key != NULL)
        mairie_reply_error(req, key[0] == 'r' ? 403 : 409, key, dossier_path(req, x->id, ""));
    return key == NULL;
}

void
get_approve(struct http_request *req)
{
    const struct agent *agent = agent_with(req, ROLE_VALIDATION);
    bool french = strcmp(http_lang(req), "fr") == 0;
    struct authz_given *list;
    struct why why = WHY_INIT;
    struct page_data *d;
    struct dossier x;
    size_t n;
    enum err e;

    if (agent == NULL || !counter_dossier(req, &x) || !may_approve(req, agent, &x))
        return;
    if ((e = authz_of(http_pg(req), x.id, http_arena(req), &list, &n, &why)) != OK) {
        mairie_fail(req, "approve", e, &why);
        return;
    }
    d = mairie_page(req);
    page_str(d, "id", x.id);
    page_str(d, "name", person_shown(&x.names, http_arena(req)));
    for (size_t i = 0; i < n; i++) {
        struct page_data *item = page_item(d, "authz");

        page_str(item, "label", french ? list[i].label_fr : list[i].label_en);
        if (list[i].until != UTIME_NULL)
            page_date(item, "until", list[i].until, "UTC");
    }
    mairie_reply_page(req, 200, "town/approve.html", d);
}

struct approve_arg {
    const struct mairie *m;
    const struct dossier *x;
    const struct agent *agent;
    char key[OUTBOX_KEY_SIZE];
    utime now;
    struct arena *arena;
};

static enum err
approve_body(struct pg *pg, void *arg, struct why *why)
{
    const struct approve_arg *p = arg;
    enum err e;

    if ((e = dossier_move(pg, p->x->id, "to_validate", "requested", p->agent->id, p->now, why)) != OK ||
        (e = authz_approve(pg, p->x->id, p->agent->id, p->now, why)) != OK ||
        (e = counter_audit(pg, p->agent->id, "validation", "dossier.authz_approved", p->x->handle, "ok", p->now, why)) !=
            OK)
        return e;
    /* The request is the first agent's; the trail names both. */
    return request_create(pg, p->m, p->key, p->x->id, p->x->handle, p->x->lang, p->x->created_by, p->now, p->arena, why);
}

void
post_approve(struct http_request *req)
{
    const struct agent *agent = agent_with(req, ROLE_VALIDATION);
    struct approve_arg p = { .m = http_app(req), .agent = agent, .now = http_now(req), .arena = http_arena(req) };
    struct why why = WHY_INIT;
    struct dossier x;
    enum err e;

    if (agent == NULL || !counter_dossier(req, &x) || !may_approve(req, agent, &x))
        return;
    p.x = &x;
    outbox_key(p.key);
    if ((e = pg_tx(http_pg(req), approve_body, &p, &why)) != OK) {
        mairie_fail(req, "approve", e, &why);
        return;
    }
    counter_send_now(req, p.key);
    mairie_go(req, dossier_path(req, x.id, ""));
}
