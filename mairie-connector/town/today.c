/* / : what waits at the counter. */
#include "mairie-connector/town/form.h"

#include "mairie-connector/town/outbox.h"

/* A request that waits longer is worth telling. */
#define OUTBOX_LATE (10 * USEC_PER_SEC)
#define LOCKED_SHOWN (7 * USEC_PER_DAY)     /* that wrong return codes locked a card's */

struct today {
    struct dossier *waiting, *proposed;
    struct draft *drafts;
    const char **locked;           /* ids of dossiers */
    size_t nwaiting, nproposed, ndrafts, nlocked;
    struct outbox_state outbox;
};

static enum err
today_load(struct http_request *req, const struct agent *agent, struct today *t, struct why *why)
{
    const struct mairie *m = http_app(req);
    enum err e;

    if ((e = dossier_waiting(http_pg(req), m, http_arena(req), &t->waiting, &t->nwaiting, why)) != OK ||
        (e = dossier_proposed(http_pg(req), m, http_arena(req), &t->proposed, &t->nproposed, why)) != OK ||
        (e = proposal_locked(http_pg(req), http_now(req) - LOCKED_SHOWN, http_arena(req), &t->locked, &t->nlocked, why)) != OK ||
        (e = draft_list(http_pg(req), m, agent->id, http_arena(req), &t->drafts, &t->ndrafts, why)) != OK)
        return e;
    return outbox_look(http_pg(req), &t->outbox, why);
}

static void
alert(struct page_data *d, const char *text, bool bad, const char *href)
{
    struct page_data *item = page_item(d, "alerts");

    page_msg(item, "text", text);
    page_bool(item, "bad", bad);
    if (href != NULL)
        page_str(item, "href", href);
}

static void
alerts_fill(struct http_request *req, struct page_data *d, const struct today *t, const struct agent *agent)
{
    bool told = false;

    if (t->outbox.waiting > 0 && t->outbox.oldest < http_now(req) - OUTBOX_LATE)
        alert(d, "town.alert.outbox", true, NULL);
    if (t->outbox.dead > 0)
        alert(d, "town.alert.refused", true, NULL);
    for (size_t i = 0; i < t->nlocked; i++)
        alert(d, "town.alert.locked", true, dossier_path(req, t->locked[i], ""));
    for (size_t i = 0; i < t->nwaiting; i++) {
        const struct dossier *x = &t->waiting[i];

        if (x->contested)
            alert(d, "town.alert.contested", false, dossier_path(req, x->id, ""));
        if (strcmp(x->state, "to_validate") == 0 && strcmp(x->created_by, agent->id) != 0 && !told &&
            (agent->roles & ROLE_VALIDATION) != 0) {
            alert(d, "town.alert.four_eyes", false, dossier_path(req, x->id, ""));
            told = true;
        }
    }
}

void
get_today(struct http_request *req)
{
    const struct agent *agent = http_session(req);
    struct arena *a = http_arena(req);
    struct page_data *d;
    struct today t;
    struct why why = WHY_INIT;
    enum err e;

    if ((agent->roles & ROLES_OFFICE) == 0) {
        mairie_go(req, "/audit");
        return;
    }
    if ((e = today_load(req, agent, &t, &why)) != OK) {
        mairie_fail(req, "today", e, &why);
        return;
    }
    d = mairie_page(req);
    alerts_fill(req, d, &t, agent);
    procedures_fill(req, d);
    for (size_t i = 0; i < t.ndrafts; i++) {
        struct page_data *item;
        struct person_names names;
        struct form f;

        if (form_parse(t.drafts[i].body, a, &f, &why) != OK || !dossier_procedure_on(http_app(req), f.type))
            continue;
        item = page_item(d, "drafts");
        form_names(&f, &names);
        page_str(item, "href", form_path(req, f.type, "", t.drafts[i].id));
        page_msg(item, "type", arena_printf(a, "type.%s", dossier_type_name(f.type)));
        page_str(item, "name", names.birth[0] != '\0' ? person_shown(&names, a) : "…");
        page_time(item, "at", t.drafts[i].at, MAIRIE_ZONE);
    }
    for (size_t i = 0; i < t.nproposed; i++) {
        struct page_data *item = page_item(d, "proposed");
        struct proposal p;

        if ((e = proposal_find(http_pg(req), t.proposed[i].id, a, &p, &why)) != OK) {
            mairie_fail(req, "today", e, &why);
            return;
        }
        page_str(item, "id", t.proposed[i].id);
        page_str(item, "name", person_shown(&t.proposed[i].names, a));
        page_msg(item, "what", arena_printf(a, "proposal.%s", proposal_kind_name(p.kind)));
        page_str(item, "by", p.by_name);
        page_time(item, "at", p.at, MAIRIE_ZONE);
    }
    for (size_t i = 0; i < t.nwaiting; i++) {
        struct page_data *item = page_item(d, "waiting");

        page_str(item, "id", t.waiting[i].id);
        page_str(item, "name", person_shown(&t.waiting[i].names, a));
        page_msg(item, "type", arena_printf(a, "type.%s", dossier_type_name(t.waiting[i].type)));
        dossier_state_fill(item, &t.waiting[i], a);
        page_time(item, "at", t.waiting[i].state_since, MAIRIE_ZONE);
    }
    mairie_reply_page(req, 200, "town/today.html", d);
}
