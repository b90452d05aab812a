/*
 * /dossier/{id}/authz: the rights of an open account (P-057). What is ticked is what shall hold; ordinary rights change at
 * once, one that is sensitive makes the whole change wait for a second agent (P-008). Below the form: what held before.
 */
#include "mairie-connector/town/form.h"

/* One line of the form: a right that the town offers, or one that the person has though it is not offered any more. */
struct right {
    const char *id, *label_fr, *label_en;    /* id: the code that the IdP and the services know */
    bool sensitive, offered;
    bool has;                      /* it holds now */
    utime until;                   /* of what holds; UTIME_NULL: open */
    bool wanted;
    const char *typed;             /* end date as typed */
};
struct rights {
    struct right *list;
    size_t n;
    const char *version;           /* of the dossier's rights, authz_version() */
};

static struct right *
right_of(const struct rights *r, const char *id)
{
    for (size_t i = 0; i < r->n; i++) {
        if (strcmp(r->list[i].id, id) == 0)
            return &r->list[i];
    }
    return NULL;
}

static enum err
rights_load(struct http_request *req, const struct dossier *x, struct rights *ret, struct why *why)
{
    struct arena *a = http_arena(req);
    struct authz_given *given;
    struct authz_def *defs;
    size_t ngiven, ndefs;
    enum err e;

    if ((e = authz_version(http_pg(req), x->id, a, &ret->version, why)) != OK ||
        (e = authz_defs(http_pg(req), a, &defs, &ndefs, why)) != OK ||
        (e = authz_of(http_pg(req), x->id, a, &given, &ngiven, why)) != OK)
        return e;
    ret->list = arena_alloc(a, (ngiven + ndefs + 1) * sizeof(*ret->list));
    ret->n = 0;
    for (size_t i = 0; i < ndefs; i++)
        ret->list[ret->n++] = (struct right){ defs[i].id, defs[i].label_fr, defs[i].label_en, defs[i].sensitive, true,
                                              false, UTIME_NULL, false, "" };
    for (size_t i = 0; i < ngiven; i++) {
        struct right *r = right_of(ret, given[i].code);

        if (given[i].until != UTIME_NULL && given[i].until <= http_now(req))
            continue;
        if (r == NULL) {
            r = &ret->list[ret->n++];
            *r = (struct right){ given[i].code, given[i].label_fr, given[i].label_en, given[i].sensitive, false, false,
                                 UTIME_NULL, false, "" };
        }
        r->has = true;
        r->until = given[i].until;
    }
    for (size_t i = 0; i < ret->n; i++) {
        ret->list[i].wanted = ret->list[i].has;
        ret->list[i].typed = date_of(ret->list[i].until, a);
    }
    return OK;
}

/* --- the page ------------------------------------------------------------------------------------------------------------ */

static enum err
history_fill(struct http_request *req, const struct dossier *x, struct page_data *d, struct why *why)
{
    bool french = strcmp(http_lang(req), "fr") == 0;
    struct authz_past *list;
    size_t n;
    enum err e;

    if ((e = authz_history(http_pg(req), x->id, http_arena(req), &list, &n, why)) != OK)
        return e;
    for (size_t i = 0; i < n; i++) {
        struct page_data *item = page_item(d, "history");
        utime end = list[i].ended_at != UTIME_NULL ? list[i].ended_at : list[i].until;

        page_str(item, "label", french ? list[i].label_fr : list[i].label_en);
        page_date(item, "from", list[i].from, MAIRIE_ZONE);
        if (end != UTIME_NULL)
            page_date(item, "to", end, list[i].ended_at != UTIME_NULL ? MAIRIE_ZONE : "UTC");
        page_str(item, "by", list[i].granted_by);
        if (list[i].approved_by[0] != '\0')
            page_str(item, "second", list[i].approved_by);
        if (list[i].ended_by[0] != '\0')
            page_str(item, "ended_by", list[i].ended_by);
    }
    return OK;
}

static void
authz_page(struct http_request *req, int status, const struct dossier *x, const struct rights *rights,
           struct page_data *d)
{
    bool french = strcmp(http_lang(req), "fr") == 0;
    struct why why = WHY_INIT;
    enum err e;

    page_str(d, "id", x->id);
    page_str(d, "name", person_shown(&x->names, http_arena(req)));
    page_str(d, "seen", rights->version);
    for (size_t i = 0; i < rights->n; i++) {
        const struct right *r = &rights->list[i];
        struct page_data *item = page_item(d, "authz");

        page_str(item, "code", r->id);
        page_str(item, "label", french ? r->label_fr : r->label_en);
        page_bool(item, "checked", r->wanted);
        page_bool(item, "dated", r->sensitive);
        page_bool(item, "four_eyes", r->sensitive);
        page_str(item, "until", r->typed);
    }
    if ((e = history_fill(req, x, d, &why)) != OK)
        mairie_fail(req, "authz", e, &why);
    else
        mairie_reply_page(req, status, "town/authz.html", d);
}

void
get_authz(struct http_request *req)
{
    const struct agent *agent = agent_with(req, ROLE_GUICHET);
    struct why why = WHY_INIT;
    struct rights rights;
    struct dossier x;
    enum err e;

    if (agent == NULL || !counter_dossier(req, &x) || !propose_may(req, &x, "active", "active"))
        return;
    if ((e = rights_load(req, &x, &rights, &why)) != OK)
        mairie_fail(req, "authz", e, &why);
    else
        authz_page(req, 200, &x, &rights, mairie_page(req));
}

/* --- what was typed --------------------------------------------------------------------------------------------------------- */

static const char *
rights_read(struct http_request *req, const struct rights *rights)
{
    size_t n = http_form_count(req, "authz[]");

    for (size_t i = 0; i < rights->n; i++) {
        struct right *r = &rights->list[i];
        const char *typed = http_form(req, arena_printf(http_arena(req), "until_%s", r->id));

        r->wanted = false;
        r->typed = typed != NULL ? typed : "";
    }
    for (size_t i = 0; i < n; i++) {
        struct right *r = right_of(rights, http_form_nth(req, "authz[]", i));

        if (r == NULL || (!r->offered && !r->has))
            return "town.form.authz_denied";
        r->wanted = true;
    }
    return NULL;
}

/* The item that turns what holds into what is wanted; false: nothing to do. Ordinary rights have no end date here. */
static bool
right_change(const struct right *r, utime now, struct proposal_item *ret, const char **ret_problem)
{
    utime until = UTIME_NULL;

    *ret = (struct proposal_item){ .code = r->id, .gives = r->wanted, .until = UTIME_NULL };
    if (!r->wanted || !r->sensitive)
        return r->wanted != r->has;
    if (r->has && r->until == UTIME_NULL && r->typed[0] == '\0')
        return false;              /* given before the right became sensitive: left as it is */
    if (r->typed[0] == '\0' || date_end(r->typed, &until) != OK)
        *ret_problem = "town.form.authz_until";
    else if (until <= now)
        *ret_problem = "town.form.authz_past";
    ret->until = until;
    return !r->has || until != r->until;
}

static const char *
changes_make(struct http_request *req, const struct rights *rights, struct proposal *p)
{
    const char *problem = NULL;

    p->items = arena_alloc(http_arena(req), (rights->n + 1) * sizeof(*p->items));
    for (size_t i = 0; i < rights->n && problem == NULL; i++) {
        if (right_change(&rights->list[i], http_now(req), &p->items[p->nitems], &problem))
            p->nitems++;
    }
    return problem == NULL && p->nitems == 0 ? "town.authz.same" : problem;
}

void
post_authz(struct http_request *req)
{
    const struct agent *agent = agent_with(req, ROLE_GUICHET);
    const char *seen = http_form(req, "seen"), *problem;
    struct proposal p = { .kind = PROPOSAL_AUTHZ };
    struct why why = WHY_INIT;
    struct rights rights;
    struct page_data *d;
    struct dossier x;
    enum err e;

    if (agent == NULL || !counter_dossier(req, &x) || !propose_may(req, &x, "active", "active"))
        return;
    if ((e = rights_load(req, &x, &rights, &why)) != OK) {
        mairie_fail(req, "authz", e, &why);
        return;
    }
    d = mairie_page(req);
    /* Another tab, another clerk: what was ticked here was ticked on what no longer holds. */
    if (seen == NULL || strcmp(seen, rights.version) != 0) {
        page_field_error(d, "authz", "town.authz.old");
        authz_page(req, 409, &x, &rights, d);
        return;
    }
    if ((problem = rights_read(req, &rights)) == NULL)
        problem = changes_make(req, &rights, &p);
    if (problem != NULL) {
        page_field_error(d, "authz", problem);
        authz_page(req, 422, &x, &rights, d);
        return;
    }
    propose_run(req, agent, &x, &p, NULL);
}
