/* /new, /new/{procedure}: the three procedures, and the form of each. What was typed is kept as a draft at every step. */
#include "mairie-connector/town/form.h"

#include "base/core/rand.h"

void
procedures_fill(struct http_request *req, struct page_data *d)
{
    const struct mairie *m = http_app(req);
    const struct agent *agent = http_session(req);
    bool may = (agent->roles & ROLE_GUICHET) != 0;

    page_bool(d, "card_on", may && dossier_procedure_on(m, TYPE_CARD));
    page_bool(d, "password_on", may && dossier_procedure_on(m, TYPE_PASSWORD));
    page_bool(d, "certificate_on", may && dossier_procedure_on(m, TYPE_SOFT));
    page_bool(d, "may_begin", may && (dossier_procedure_on(m, TYPE_CARD) || dossier_procedure_on(m, TYPE_PASSWORD) ||
                                      dossier_procedure_on(m, TYPE_SOFT)));
}

void
get_new(struct http_request *req)
{
    struct page_data *d;

    if (agent_with(req, ROLE_GUICHET) == NULL)
        return;
    d = mairie_page(req);
    procedures_fill(req, d);
    mairie_reply_page(req, 200, "town/new.html", d);
}

static void
authz_fill(struct page_data *d, const struct form *f, const struct authz_def *defs, size_t n, bool french)
{
    for (size_t i = 0; i < n; i++) {
        struct page_data *item = page_item(d, "authz");
        const struct form_authz *given = NULL;

        for (size_t k = 0; k < f->nauthz; k++) {
            if (strcmp(f->authz[k].id, defs[i].id) == 0)
                given = &f->authz[k];
        }
        page_str(item, "code", defs[i].id);
        page_str(item, "label", french ? defs[i].label_fr : defs[i].label_en);
        page_bool(item, "checked", given != NULL);
        page_bool(item, "dated", defs[i].sensitive);
        page_bool(item, "four_eyes", defs[i].sensitive);
        page_str(item, "until", given != NULL ? given->until : "");
    }
}

/* What only one kind of account has. */
static void
type_fill(struct http_request *req, struct page_data *d, const struct form *f)
{
    static const char *const values[ADDRESS_LINES] = { "line1", "line2", "line3", "line4", "line5", "line6" };
    const struct mairie *m = http_app(req);

    if (f->type == TYPE_SOFT) {
        page_bool(d, "may_be_named", m->conf.certificate_named);
        page_bool(d, "named", f->named);
    }
    for (size_t i = 0; i < ADDRESS_LINES && f->type == TYPE_CARD; i++) {
        page_str(d, values[i], f->lines[i]);
    }
}

static void
form_page(struct http_request *req, int status, struct page_data *d, const struct form *f, const char *draft,
          const struct authz_def *defs, size_t ndefs, bool saved)
{
    type_fill(req, d, f);
    page_str(d, "draft", draft);
    page_str(d, "birth_name", f->birth_name);
    page_str(d, "usual_name", f->usual_name);
    page_str(d, "given_names", f->given_names);
    page_bool(d, "no_given_names", f->no_given_names);
    identity_fill(d, f->doc_type, f->doc_expiry);
    authz_fill(d, f, defs, ndefs, strcmp(http_lang(req), "fr") == 0);
    page_bool(d, "lang_en", strcmp(f->lang, "en") == 0);
    page_bool(d, "large", f->large);
    page_bool(d, "saved", saved);
    page_bool(d, "fresh", status == 200 && f->birth_name[0] == '\0');
    mairie_reply_page(req, status, arena_printf(http_arena(req), "town/form_%s.html", dossier_procedure(f->type)), d);
}

void
get_form(struct http_request *req)
{
    const struct mairie *m = http_app(req);
    const struct agent *agent = agent_with(req, ROLE_GUICHET);
    const char *id = http_query(req, "draft");
    enum dossier_type type;
    struct authz_def *defs;
    struct draft draft;
    struct form f;
    struct why why = WHY_INIT;
    char fresh[UUID_TEXT_LEN + 1];
    size_t n;
    enum err e;

    if (agent == NULL || !form_type(req, &type))
        return;
    form_init(type, &f);
    if ((e = authz_defs(http_pg(req), http_arena(req), &defs, &n, &why)) == OK && id != NULL &&
        (e = draft_find(http_pg(req), m, id, agent->id, http_arena(req), &draft, &why)) == OK)
        e = form_parse(draft.body, http_arena(req), &f, &why);
    if (e != OK) {
        mairie_fail(req, "form", e, &why);
        return;
    }
    if (f.type != type) {      /* another kind of draft: its own form */
        mairie_go(req, form_path(req, f.type, "", id));
        return;
    }
    rand_uuid(fresh);
    form_page(req, 200, mairie_page(req), &f, id != NULL ? id : fresh, defs, n, http_query(req, "saved") != NULL);
}

/* The draft of the form; another one when that has become a dossier: the Back button, and the next person is typed. */
static enum err
form_draft(struct http_request *req, const char *typed, char ret[UUID_TEXT_LEN + 1], struct why *why)
{
    struct dossier x;
    enum err e = dossier_find(http_pg(req), http_app(req), typed, http_arena(req), &x, why);

    if (e == OK)
        rand_uuid(ret);
    else if (e == ERR_NOT_FOUND)
        memcpy(ret, typed, UUID_TEXT_LEN + 1);
    return e == ERR_NOT_FOUND ? OK : e;
}

static enum err
form_keep(struct http_request *req, const struct agent *agent, const char *draft, const struct form *f,
          struct why *why)
{
    AUTO(buf_free) struct buf text = BUF_SECRET(FORM_TEXT_MAX);

    form_write(f, &text);
    if (!buf_ok(&text))
        return why_set(why, ERR_INPUT, "the form is too long");
    return draft_put(http_pg(req), http_app(req), draft, agent->id, buf_view(&text), http_now(req), why);
}

void
post_form(struct http_request *req)
{
    const struct agent *agent = agent_with(req, ROLE_GUICHET);
    const char *typed = http_form(req, "draft"), *act = http_form(req, "do");
    char draft[UUID_TEXT_LEN + 1];
    struct page_data *d;
    struct authz_def *defs;
    struct why why = WHY_INIT;
    enum dossier_type type;
    struct form f;
    size_t n;
    enum err e;

    if (agent == NULL || !form_type(req, &type))
        return;
    d = mairie_page(req);
    form_read(req, type, &f);
    if (typed == NULL || strlen(typed) != UUID_TEXT_LEN) {
        mairie_reply_error(req, 400, "error.form", "/new");
        return;
    }
    if ((e = form_draft(req, typed, draft, &why)) != OK ||
        (e = authz_defs(http_pg(req), http_arena(req), &defs, &n, &why)) != OK) {
        mairie_fail(req, "form", e, &why);
        return;
    }
    if (act != NULL && strcmp(act, "draft") == 0) {
        if ((e = form_keep(req, agent, draft, &f, &why)) != OK)
            mairie_fail(req, "form", e, &why);
        else
            mairie_go(req, arena_printf(http_arena(req), "%s&saved=1", form_path(req, type, "", draft)));
        return;
    }
    if (!form_check(&f, http_app(req), defs, n, http_now(req), http_arena(req), d)) {
        form_page(req, 422, d, &f, draft, defs, n, false);
        return;
    }
    if ((e = form_keep(req, agent, draft, &f, &why)) != OK)
        mairie_fail(req, "form", e, &why);
    else
        mairie_go(req, form_path(req, type, "/homonym", draft));
}
