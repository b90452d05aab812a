/* /dossier/{id}/reissue: a lost sheet, or one that was shown: new codes, the old ones dead (D-02). */
#include "mairie-connector/town/counter.h"

#include "mairie-connector/town/request.h"

/* pending, suspended, or closed by a block before it was ever open (DOMAIN 2.1). */
static bool
may_reissue(const struct dossier *x, utime now)
{
    if (x->final || x->type == TYPE_CARD)
        return false;
    if (strcmp(x->state, "closed") == 0)
        return x->unopened && now - x->state_since < REOPEN_TIME;
    return strcmp(x->state, "pending") == 0 || strcmp(x->state, "suspended") == 0;
}

void
reissue_page(struct http_request *req, int status, const struct dossier *x, struct page_data *d)
{
    struct why why = WHY_INIT;
    struct sheet s;
    enum err e;

    if (x->type == TYPE_CARD) {
        mairie_reply_error(req, 409, "town.printed.card", dossier_path(req, x->id, ""));
        return;
    }
    if (d == NULL) {
        d = mairie_page(req);
        identity_fill(d, "", "");
    }
    e = sheet_find(http_pg(req), x->id, http_arena(req), &s, &why);
    /* Codes that the IdP could not keep until we came back (24 h): only new ones help. */
    if (e == ERR_NOT_FOUND && may_reissue(x, http_now(req))) {
        s.shown_at = x->state_since;
        e = OK;
    }
    if (e == ERR_NOT_FOUND || (e == OK && s.shown_at == UTIME_NULL)) {
        mairie_go(req, dossier_path(req, x->id, ""));
        return;
    }
    if (e != OK) {
        mairie_fail(req, "reissue", e, &why);
        return;
    }
    page_str(d, "id", x->id);
    page_str(d, "name", person_shown(&x->names, http_arena(req)));
    page_time(d, "at", s.shown_at, MAIRIE_ZONE);
    page_bool(d, "reissue", may_reissue(x, http_now(req)));
    mairie_reply_page(req, status, "town/printed.html", d);
}

void
get_reissue(struct http_request *req)
{
    struct dossier x;

    if (agent_with(req, ROLE_GUICHET) != NULL && counter_dossier(req, &x))
        reissue_page(req, 200, &x, NULL);
}

struct reissue_arg {
    const struct mairie *m;
    const struct dossier *x;
    const struct agent *agent;
    struct identity identity;
    char key[OUTBOX_KEY_SIZE];
    utime now;
    struct arena *arena;
};

static enum err
reissue_body(struct pg *pg, void *arg, struct why *why)
{
    const struct reissue_arg *r = arg;
    bool busy;
    enum err e;

    /* The row orders two clicks: the second finds the first one's request. */
    if ((e = dossier_move(pg, r->x->id, r->x->state, r->x->state, NULL, r->x->state_since, why)) != OK ||
        (e = outbox_busy(pg, r->x->id, &busy, why)) != OK)
        return e;
    if (busy)
        return why_code(why, ERR_CONFLICT, "outbox.busy", "a request of this dossier is on its way");
    if ((e = identity_add(pg, r->x->id, "reissue", r->identity.doc_type, r->identity.doc_expiry, r->agent->id, r->now,
                          NULL, why)) != OK ||
        (e = counter_audit(pg, r->agent->id, "guichet", "dossier.identity", r->x->handle, "ok", r->now, why)) != OK)
        return e;
    return request_reissue(pg, r->m, r->key, r->x->id, false, r->agent->id, r->now, r->arena, why);
}

void
reissue_run(struct http_request *req, const struct agent *agent, const struct dossier *x)
{
    struct reissue_arg r = { .m = http_app(req), .x = x, .agent = agent, .now = http_now(req), .arena = http_arena(req) };
    struct page_data *d = mairie_page(req);
    struct why why = WHY_INIT;
    enum err e;

    if (!may_reissue(x, http_now(req))) {
        mairie_reply_error(req, 409, x->type == TYPE_CARD ? "town.printed.card" : "error.conflict", dossier_path(req, x->id, ""));
        return;
    }
    if (!identity_read(req, d, &r.identity)) {
        reissue_page(req, 422, x, d);
        return;
    }
    outbox_key(r.key);
    if ((e = pg_tx(http_pg(req), reissue_body, &r, &why)) != OK) {
        mairie_fail(req, "reissue", e, &why);
        return;
    }
    counter_send_now(req, r.key);
    mairie_go(req, dossier_path(req, x->id, "/print"));
}

void
post_reissue(struct http_request *req)
{
    const struct agent *agent = agent_with(req, ROLE_GUICHET);
    struct dossier x;

    if (agent != NULL && counter_dossier(req, &x))
        reissue_run(req, agent, &x);
}
