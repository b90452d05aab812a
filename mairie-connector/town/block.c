/*
 * /dossier/{id}/block: the clerk blocks an account (P-059…P-061), with the kept code that no screen shows. When the IdP
 * says that the code is not the right one any more, a second agent blocks by handle.
 */
#include "mairie-connector/town/counter.h"

#include "mairie-connector/town/request.h"

static void
block_page(struct http_request *req, int status, const struct dossier *x, struct page_data *d, const char *reason)
{
    page_str(d, "id", x->id);
    page_str(d, "name", person_shown(&x->names, http_arena(req)));
    page_bool(d, "stolen", strcmp(reason, "stolen") == 0);
    page_bool(d, "lost", strcmp(reason, "lost") == 0);
    mairie_reply_page(req, status, "town/block.html", d);
}

/* Replies and returns false when this agent cannot block this dossier now. */
static bool
may_block(struct http_request *req, const struct agent *agent, const struct dossier *x)
{
    const char *key = NULL;

    if (strcmp(x->state, "active") != 0 && strcmp(x->state, "pending") != 0)
        key = "error.conflict";
    else if (strcmp(x->stale_by, agent->id) == 0)
        key = "town.block.stale";
    if (key != NULL)
        mairie_reply_error(req, 409, key, dossier_path(req, x->id, ""));
    return key == NULL;
}

void
get_block(struct http_request *req)
{
    const struct agent *agent = agent_with(req, ROLES_OFFICE);
    struct page_data *d;
    struct dossier x;

    if (agent == NULL || !counter_dossier(req, &x) || !may_block(req, agent, &x))
        return;
    d = mairie_page(req);
    identity_fill(d, "", "");
    block_page(req, 200, &x, d, "");
}

struct block_arg {
    const struct mairie *m;
    const struct dossier *x;
    const struct agent *agent;
    struct identity identity;
    const char *reason;
    char key[OUTBOX_KEY_SIZE];
    utime now;
};

static enum err
block_body(struct pg *pg, void *arg, struct why *why)
{
    const struct block_arg *b = arg;
    bool busy;
    enum err e;

    if ((e = dossier_move(pg, b->x->id, b->x->state, b->x->state, NULL, b->x->state_since, why)) != OK ||
        (e = outbox_busy(pg, b->x->id, &busy, why)) != OK)
        return e;
    if (busy)
        return why_code(why, ERR_CONFLICT, "outbox.busy", "a request of this dossier is on its way");
    if ((e = identity_add(pg, b->x->id, "block", b->identity.doc_type, b->identity.doc_expiry, b->agent->id, b->now,
                          NULL, why)) != OK ||
        (e = counter_audit(pg, b->agent->id, agent_role_name(b->agent->roles),
                           strcmp(b->reason, "stolen") == 0 ? "dossier.block_stolen" : "dossier.block_lost",
                           b->x->handle, "ok", b->now, why)) != OK)
        return e;
    return request_block(pg, b->m, b->key, b->x->id, b->reason, b->x->stale_by[0] != '\0', b->agent->id, b->now, why);
}

static void
block_run(struct http_request *req, struct block_arg *b)
{
    struct why why = WHY_INIT;
    struct dossier after;
    enum err e;

    outbox_key(b->key);
    if ((e = pg_tx(http_pg(req), block_body, b, &why)) != OK) {
        mairie_fail(req, "block", e, &why);
        return;
    }
    counter_send_now(req, b->key);
    if ((e = dossier_find(http_pg(req), b->m, b->x->id, http_arena(req), &after, &why)) != OK)
        mairie_fail(req, "block", e, &why);
    else if (after.stale_by[0] != '\0')
        mairie_reply_error(req, 409, "town.block.stale", dossier_path(req, b->x->id, ""));
    else
        mairie_go(req, dossier_path(req, b->x->id, "?blocked=1"));
}

void
post_block(struct http_request *req)
{
    const struct agent *agent = agent_with(req, ROLES_OFFICE);
    const char *reason = http_form(req, "reason");
    struct block_arg b = { .m = http_app(req), .agent = agent, .now = http_now(req) };
    struct page_data *d;
    struct dossier x;
    bool good;

    if (agent == NULL || !counter_dossier(req, &x) || !may_block(req, agent, &x))
        return;
    d = mairie_page(req);
    b.x = &x;
    b.reason = reason != NULL ? reason : "";
    good = identity_read(req, d, &b.identity);
    if (strcmp(b.reason, "lost") != 0 && strcmp(b.reason, "stolen") != 0) {
        page_field_error(d, "reason", "town.block.reason_empty");
        good = false;
    }
    if (good)
        block_run(req, &b);
    else
        block_page(req, 422, &x, d, b.reason);
}
