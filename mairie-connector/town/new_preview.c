/*
 * /new/{procedure}/homonym, /new/{procedure}/preview: is it somebody we know, is everything right? Then the account is
 * asked for: person, address, dossier, identity check, authorisations and the request to the IdP in one transaction. With
 * a sensitive authorisation the request is written when a second agent has agreed (P-008).
 */
#include "mairie-connector/town/form.h"

#include "base/core/rand.h"
#include "base/core/text.h"
#include "mairie-connector/town/outbox.h"
#include "mairie-connector/town/request.h"

struct step {
    const struct agent *agent;
    struct draft draft;
    struct form form;
    struct person_names names;
    struct authz_def *defs;
    size_t ndefs;
};

/* The draft has become a dossier, of the same id: a second click, the Back button. Shows it; false: it has not. */
static bool
step_done(struct http_request *req, const char *id)
{
    struct why why = WHY_INIT;
    struct dossier x;

    if (dossier_find(http_pg(req), http_app(req), id, http_arena(req), &x, &why) != OK)
        return false;
    mairie_go(req, dossier_path(req, x.id, strcmp(x.state, "to_validate") == 0 ? "" : paper_of(&x)));
    return true;
}

/* The draft of the query or form, still good: else the form again. Replies and returns false. */
static bool
step_open(struct http_request *req, struct step *s)
{
    const struct mairie *m = http_app(req);
    const char *id = http_param(req, "draft");
    struct arena *a = http_arena(req);
    struct why why = WHY_INIT;
    enum dossier_type type;
    enum err e;

    if ((s->agent = agent_with(req, ROLE_GUICHET)) == NULL || !form_type(req, &type))
        return false;
    if (id == NULL) {
        mairie_go(req, "/new");
        return false;
    }
    if ((e = draft_find(http_pg(req), m, id, s->agent->id, a, &s->draft, &why)) != OK ||
        (e = form_parse(s->draft.body, a, &s->form, &why)) != OK ||
        (e = authz_defs(http_pg(req), a, &s->defs, &s->ndefs, &why)) != OK) {
        if (e != ERR_NOT_FOUND || !step_done(req, id))
            mairie_fail(req, "form", e, &why);
        return false;
    }
    if (s->form.type != type || !form_check(&s->form, m, s->defs, s->ndefs, http_now(req), a, page_data_new(a))) {
        mairie_go(req, form_path(req, s->form.type, "", s->draft.id));
        return false;
    }
    form_names(&s->form, &s->names);
    return true;
}

static const char *
step_path(struct http_request *req, const struct step *s, const char *what)
{
    return form_path(req, s->form.type, what, s->draft.id);
}

/* --- homonyms ------------------------------------------------------------------------------------------------------------ */

static void
homonym_page(struct http_request *req, const struct step *s, const struct dossier *list, size_t n)
{
    struct arena *a = http_arena(req);
    struct page_data *d = mairie_page(req);

    page_str(d, "draft", s->draft.id);
    page_str(d, "name", person_shown(&s->names, a));
    for (size_t i = 0; i < n; i++) {
        struct page_data *item = page_item(d, "matches");

        page_str(item, "id", list[i].id);
        page_str(item, "name", person_shown(&list[i].names, a));
        page_msg(item, "type", arena_printf(a, "type.%s", dossier_type_name(list[i].type)));
        dossier_state_fill(item, &list[i], a);
        page_date(item, "at", list[i].created_at, MAIRIE_ZONE);
    }
    mairie_reply_page(req, 200, "town/homonym.html", d);
}

void
get_homonym(struct http_request *req)
{
    struct why why = WHY_INIT;
    struct dossier *list;
    struct step s;
    size_t n;
    enum err e;

    if (!step_open(req, &s))
        return;
    e = dossier_homonyms(http_pg(req), http_app(req), &s.names, http_arena(req), &list, &n, &why);
    if (e != OK)
        mairie_fail(req, "homonym", e, &why);
    else if (n == 0 || s.draft.other)
        mairie_go(req, step_path(req, &s, "/preview"));
    else
        homonym_page(req, &s, list, n);
}

void
post_homonym(struct http_request *req)
{
    struct why why = WHY_INIT;
    struct step s;
    enum err e;

    if (!step_open(req, &s))
        return;
    if ((e = draft_other(http_pg(req), s.draft.id, s.agent->id, &why)) != OK)
        mairie_fail(req, "homonym", e, &why);
    else
        mairie_go(req, step_path(req, &s, "/preview"));
}

/* --- preview ------------------------------------------------------------------------------------------------------------- */

static void
preview_authz(struct page_data *d, const struct step *s, bool french)
{
    for (size_t i = 0; i < s->form.nauthz; i++) {
        const struct authz_def *def = authz_def_of(s->defs, s->ndefs, s->form.authz[i].id);
        struct page_data *item = page_item(d, "authz");
        utime until;

        page_str(item, "label", french ? def->label_fr : def->label_en);
        page_bool(item, "four_eyes", def->sensitive);
        if (date_end(s->form.authz[i].until, &until) == OK)
            page_date(item, "until", until, "UTC");
    }
}

/* What is written on the card, as its printer can write it (P-005), and what shows in the envelope's window (P-006). */
static enum err
card_fill(struct page_data *d, const struct step *s, struct arena *a)
{
    AUTO(buf_free) struct buf face = BUF_SECRET(4096);
    AUTO(buf_free) struct buf ascii = BUF_SECRET(4096);
    const char *name = arena_printf(a, "%s%s%s", person_surname(&s->names), s->names.given != NULL ? " " : "",
                                    s->names.given != NULL ? s->names.given : "");
    struct address address;

    if (text_latin1_upper(str_of(name), &face) != OK || text_ascii_upper(str_of(name), &ascii) != OK)
        return ERR_INTERNAL;
    page_str(d, "face", buf_cstr(&face));
    page_str(d, "face_ascii", buf_cstr(&ascii));
    page_bool(d, "face_other", memchr(face.data, '?', face.len) != NULL);
    form_address(&s->form, a, &address);
    for (size_t i = 0; i < ADDRESS_LINES; i++) {
        if (address.lines[i][0] != '\0')
            page_str(page_item(d, "envelope"), "line", address.lines[i]);
    }
    return OK;
}

void
get_preview(struct http_request *req)
{
    struct arena *a = http_arena(req);
    struct page_data *d;
    struct step s;
    utime expiry;

    if (!step_open(req, &s))
        return;
    d = mairie_page(req);
    page_str(d, "draft", s.draft.id);
    page_str(d, "birth_name", s.names.birth);
    if (s.names.usual != NULL)
        page_str(d, "usual_name", s.names.usual);
    if (s.names.given != NULL)
        page_str(d, "given_names", s.names.given);
    page_msg(d, "doc_type", arena_printf(a, "doc.%s", s.form.doc_type));
    if (date_end(s.form.doc_expiry, &expiry) == OK)
        page_date(d, "doc_expiry", expiry, "UTC");
    preview_authz(d, &s, strcmp(http_lang(req), "fr") == 0);
    page_msg(d, "sheet_lang", strcmp(s.form.lang, "en") == 0 ? "lang.en" : "lang.fr");
    page_bool(d, "large", s.form.large);
    page_bool(d, "certificate", s.form.type == TYPE_SOFT);
    page_bool(d, "named", s.form.named);
    if (s.form.type == TYPE_CARD && card_fill(d, &s, a) != OK) {
        mairie_reply_error(req, 500, "error.unavailable", NULL);
        return;
    }
    mairie_reply_page(req, 200, "town/preview.html", d);
}

/* --- the act ---------------------------------------------------------------------------------------------------------------- */

struct create_arg {
    const struct mairie *m;
    const struct step *step;
    struct dossier_new dossier;
    char key[OUTBOX_KEY_SIZE];
    bool sensitive;
    utime now;
    struct arena *arena;
};

static enum err
authz_add(struct pg *pg, const struct create_arg *c, struct why *why)
{
    const struct form *f = &c->step->form;
    utime until;
    enum err e;

    for (size_t i = 0; i < f->nauthz; i++) {
        if (date_end(f->authz[i].until, &until) != OK)
            until = UTIME_NULL;
        e = authz_give(pg, c->dossier.id, f->authz[i].id, until, c->step->agent->id, c->now, why);
        if (e != OK)
            return e;
    }
    return OK;
}

static enum err
create_body(struct pg *pg, void *arg, struct why *why)
{
    const struct create_arg *c = arg;
    const struct form *f = &c->step->form;
    const char *agent = c->step->agent->id;
    struct address address;
    enum err e;

    form_address(f, c->arena, &address);
    /* The draft goes first: of two clicks, the second finds none. */
    if ((e = draft_drop(pg, c->step->draft.id, agent, why)) != OK ||
        (e = person_add(pg, c->m, c->dossier.person_id, &c->step->names, why)) != OK ||
        (f->type == TYPE_CARD && (e = address_add(pg, c->m, c->dossier.person_id, &address, why)) != OK) ||
        (e = dossier_add(pg, &c->dossier, c->now, why)) != OK ||
        (e = identity_add(pg, c->dossier.id, "creation", f->doc_type, f->doc_expiry, agent, c->now, NULL, why)) != OK ||
        (e = authz_add(pg, c, why)) != OK ||
        (e = counter_audit(pg, agent, "guichet", "dossier.identity", c->dossier.handle, "ok", c->now, why)) != OK ||
        (e = counter_audit(pg, agent, "guichet", "dossier.requested", c->dossier.handle, "ok", c->now, why)) != OK)
        return e;
    return c->sensitive ? OK : request_create(pg, c->m, c->key, c->dossier.id, agent, c->now, c->arena, why);
}

/* T-05: one agent alone does not fill the town with accounts. The draft stays. */
static bool
not_too_many(struct http_request *req, const struct step *s)
{
    const struct mairie *m = http_app(req);
    struct why why = WHY_INIT;
    int64_t wait;
    enum err e = throttle_take(http_pg(req), m->pepper, &throttle_create, s->agent->id, http_now(req), &wait, &why);

    if (e != OK) {
        mairie_fail(req, "create", e, &why);
        return false;
    }
    if (wait == 0)
        return true;
    http_header_add(req, "Retry-After", arena_printf(http_arena(req), "%lld", (long long)wait / USEC_PER_SEC + 1));
    mairie_reply_error(req, 429, "town.form.slow", step_path(req, s, "/preview"));
    return false;
}

static void
confirm(struct http_request *req, struct step *s)
{
    struct create_arg c = { .m = http_app(req), .step = s, .now = http_now(req), .arena = http_arena(req),
                            .sensitive = form_sensitive(&s->form, s->defs, s->ndefs) };
    struct why why = WHY_INIT;
    enum err e;

    c.dossier = (struct dossier_new){ .type = s->form.type, .named = s->form.named, .state = c.sensitive ? "to_validate" : "requested", .lang = s->form.lang,
                                      .agent_id = s->agent->id, .large = s->form.large };
    memcpy(c.dossier.id, s->draft.id, sizeof(c.dossier.id));
    rand_uuid(c.dossier.person_id);
    rand_token(24, c.dossier.handle, sizeof(c.dossier.handle));
    outbox_key(c.key);
    if ((e = pg_tx(http_pg(req), create_body, &c, &why)) != OK) {
        if (e != ERR_CONFLICT || !step_done(req, c.dossier.id))
            mairie_fail(req, "create", e, &why);
        return;
    }
    if (c.sensitive) {
        mairie_go(req, dossier_path(req, c.dossier.id, ""));
        return;
    }
    counter_send_now(req, c.key);
    mairie_go(req, dossier_path(req, c.dossier.id, s->form.type == TYPE_CARD ? "/receipt" : "/print"));
}

void
post_preview(struct http_request *req)
{
    const char *act = http_form(req, "do");
    struct why why = WHY_INIT;
    struct dossier *list;
    struct step s;
    size_t n;
    enum err e;

    if (!step_open(req, &s))
        return;
    if (act == NULL || strcmp(act, "confirm") != 0) {
        mairie_go(req, step_path(req, &s, ""));
        return;
    }
    /* Somebody else may have made the same person's dossier meanwhile. */
    e = dossier_homonyms(http_pg(req), http_app(req), &s.names, http_arena(req), &list, &n, &why);
    if (e != OK)
        mairie_fail(req, "create", e, &why);
    else if (n > 0 && !s.draft.other)
        mairie_go(req, step_path(req, &s, "/homonym"));
    else if (not_too_many(req, &s))
        confirm(req, &s);
}
