/*
 * /dossier/{id}/reissue: new codes, the old ones dead (D-02). Three acts, as the account is: a lost sheet, or one that was shown;
 * of an open account a new blocking code alone; of a card whose account was closed by error another card.
 */
#include "mairie-connector/town/counter.h"

#include "mairie-connector/town/request.h"

enum again { AGAIN_NOT, AGAIN_SHEET, AGAIN_BLOCK_CODE, AGAIN_CARD };

/* A sheet: pending, suspended, or closed by a block before it was ever open (DOMAIN 2.1). Replies and returns false when it cannot
 * be told. */
static bool
again_of(struct http_request *req, const struct dossier *x, enum again *ret)
{
    bool sheet = strcmp(x->state, "pending") == 0 || strcmp(x->state, "suspended") == 0 ||
                 (strcmp(x->state, "closed") == 0 && x->unopened && http_now(req) - x->state_since < REOPEN_TIME);
    enum reopened reopened;
    utime ignored;

    if (!counter_reopened(req, x, &reopened, &ignored))
        return false;
    *ret = AGAIN_NOT;
    if (strcmp(x->state, "active") == 0)
        *ret = AGAIN_BLOCK_CODE;
    else if (reopened == REOPENED_BARE)
        *ret = AGAIN_CARD;
    else if (sheet && x->type != TYPE_CARD && !x->final)
        *ret = AGAIN_SHEET;
    return true;
}

/* Replies and returns false when there is nothing to do over. */
static bool
may_reissue(struct http_request *req, const struct dossier *x, enum again *ret)
{
    if (!again_of(req, x, ret))
        return false;
    if (*ret == AGAIN_NOT)
        mairie_reply_error(req, 409, x->type == TYPE_CARD ? "town.printed.card" : "error.conflict", dossier_path(req, x->id, ""));
    return *ret != AGAIN_NOT;
}

/* --- the page ------------------------------------------------------------------------------------------------------------ */

static void
sheet_page(struct http_request *req, int status, const struct dossier *x, enum again again, struct page_data *d)
{
    struct why why = WHY_INIT;
    struct sheet s;
    enum err e = sheet_find(http_pg(req), x->id, http_arena(req), &s, &why);

    /* Codes that the IdP could not keep until we came back (24 h): only new ones help. */
    if (e == ERR_NOT_FOUND && again == AGAIN_SHEET) {
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
    page_time(d, "at", s.shown_at, MAIRIE_ZONE);
    page_bool(d, "reissue", again == AGAIN_SHEET);
    mairie_reply_page(req, status, "town/printed.html", d);
}

/* Where the new card's letter will go. */
static void
order_page(struct http_request *req, int status, const struct dossier *x, struct page_data *d)
{
    struct why why = WHY_INIT;
    struct address address;
    enum err e = address_find(http_pg(req), http_app(req), x->person_id, http_arena(req), &address, &why);

    if (e == ERR_NOT_FOUND) {
        mairie_reply_error(req, 409, "town.order.no_address", dossier_path(req, x->id, ""));
        return;
    }
    if (e != OK) {
        mairie_fail(req, "reissue", e, &why);
        return;
    }
    for (size_t i = 0; i < ADDRESS_LINES; i++) {
        if (address.lines[i][0] != '\0')
            page_str(page_item(d, "envelope"), "line", address.lines[i]);
    }
    mairie_reply_page(req, status, "town/order.html", d);
}

static void
again_page(struct http_request *req, int status, const struct dossier *x, enum again again, struct page_data *d)
{
    page_str(d, "id", x->id);
    page_str(d, "name", person_shown(&x->names, http_arena(req)));
    switch (again) {
    case AGAIN_CARD:
        order_page(req, status, x, d);
        break;
    case AGAIN_BLOCK_CODE:
        mairie_reply_page(req, status, "town/block_code.html", d);
        break;
    case AGAIN_NOT:
    case AGAIN_SHEET:
        sheet_page(req, status, x, again, d);
        break;
    }
}

void
reissue_page(struct http_request *req, const struct dossier *x)
{
    struct page_data *d = mairie_page(req);
    enum again again;

    identity_fill(d, "", "");
    if (!again_of(req, x, &again))
        return;
    if (again == AGAIN_NOT && x->type == TYPE_CARD)
        mairie_reply_error(req, 409, "town.printed.card", dossier_path(req, x->id, ""));
    else
        again_page(req, 200, x, again, d);
}

void
get_reissue(struct http_request *req)
{
    struct dossier x;

    if (agent_with(req, ROLE_GUICHET) != NULL && counter_dossier(req, &x))
        reissue_page(req, &x);
}

struct reissue_arg {
    const struct mairie *m;
    const struct dossier *x;
    const struct agent *agent;
    enum again again;
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
    return request_reissue(pg, r->m, r->key, r->x->id, r->again == AGAIN_BLOCK_CODE, r->agent->id, r->now, r->arena, why);
}

void
reissue_run(struct http_request *req, const struct agent *agent, const struct dossier *x)
{
    struct reissue_arg r = { .m = http_app(req), .x = x, .agent = agent, .now = http_now(req), .arena = http_arena(req) };
    struct page_data *d = mairie_page(req);
    struct why why = WHY_INIT;
    enum err e;

    if (!may_reissue(req, x, &r.again))
        return;
    if (!identity_read(req, d, &r.identity)) {
        again_page(req, 422, x, r.again, d);
        return;
    }
    outbox_key(r.key);
    e = pg_tx(http_pg(req), reissue_body, &r, &why);
    if (e == ERR_NOT_FOUND && strcmp(why.code, "address.none") == 0) {
        mairie_reply_error(req, 409, "town.order.no_address", dossier_path(req, x->id, ""));
        return;
    }
    if (e != OK) {
        mairie_fail(req, "reissue", e, &why);
        return;
    }
    counter_send_now(req, r.key);
    mairie_go(req, dossier_path(req, x->id, r.again == AGAIN_CARD ? "/receipt" : "/print"));
}

void
post_reissue(struct http_request *req)
{
    const struct agent *agent = agent_with(req, ROLE_GUICHET);
    struct dossier x;

    if (agent != NULL && counter_dossier(req, &x))
        reissue_run(req, agent, &x);
}
