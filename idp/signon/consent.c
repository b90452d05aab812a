/*
 * /signon/{flow}/consent: what the service is about to receive (DOMAIN 6.1, screen 8), where its policy says so ("first",
 * "always") or its request does (prompt=consent). GET shows, POST agrees or refuses.
 *
 * What was agreed to is put into the flow's own address and, where the policy asks, remembered (idp/services/consent.h).
 * Only what was shown counts: a right given by the town between the page and the click is asked for again.
 */
#include "idp/signon/signon-internal.h"

#include "base/core/log.h"
#include "idp/account/account.h"
#include "idp/account/authz_label.h"
#include "idp/services/consent.h"

static bool
is_asked(const struct signon_request *rq)
{
    return rq->force_consent || rq->service->release.consent != SERVICE_CONSENT_NONE;
}

/* What the person agreed to in this flow; NULL: nothing, or somebody else did. */
static const char *
agreed_in_flow(struct http_request *req, const struct signon_request *rq, const char *account_id)
{
    struct why why = WHY_INIT;
    struct flow f;

    if (rq->flow_id == NULL || flow_open(http_app(req), http_path_param(req, "flow"), http_arena(req), &f, &why) != OK)
        return NULL;
    return f.consent_account != NULL && strcmp(f.consent_account, account_id) == 0 ? f.consent_items : NULL;
}

enum err
signon_consent_check(struct http_request *req, const struct signon_request *rq, const struct signon_ask_row *in,
                     bool *ret_missing, const char **ret_agreed, struct why *why)
{
    struct consent_look look;
    const char *items;
    enum err e;

    *ret_missing = false;
    *ret_agreed = NULL;
    if (!is_asked(rq))
        return OK;
    e = consent_store_look(http_pg(req), in, http_arena(req), &look, why);
    if (e == ERR_NOT_FOUND)         /* nobody signed in well enough: that is asked first */
        return OK;
    if (e != OK)
        return e;
    items = consent_items(rq->service, look.authz, look.nauthz, (rq->without & SIGNON_WITHOUT_AUTHZ) == 0,
                          (rq->without & SIGNON_WITHOUT_TOWN) == 0, http_arena(req));
    *ret_agreed = agreed_in_flow(req, rq, look.account_id);
    if (*ret_agreed == NULL && !rq->force_consent && rq->service->release.consent == SERVICE_CONSENT_FIRST)
        *ret_agreed = look.agreed;
    *ret_missing = !consent_covers(*ret_agreed, items);
    return OK;
}

/* --- the page ------------------------------------------------------------------------------------------------------- */

static void
items_fill(struct http_request *req, struct page_data *d, const char *items, const struct authz_labels *labels)
{
    const struct idp *idp = http_app(req);
    struct arena *a = http_arena(req);
    struct str rest = str_of(items);

    while (rest.p != NULL && rest.n > 0) {
        struct str code, word = str_split(str_split(rest, ' ', &rest), ':', &code);
        struct page_data *item = page_item(d, "items"), *words = page_data_new(a);

        if (str_eqs(word, "town")) {
            page_msg(item, "label", "signon.consent.town");
            continue;
        }
        page_str(words, "label", authz_label(labels, arena_str(a, code), http_lang(req)));
        page_str(item, "label", page_message(idp->pages, http_lang(req), "signon.consent.authz", words, a));
    }
}

static void
unavailable(struct http_request *req, enum err e, const struct why *why)
{
    LOG_ERROR_EV("signon.consent", LF_ERR(e), LF_WHY(why));
    idp_reply_error(req, http_status_of(e), "error.unavailable", NULL);
}

static void
consent_page(struct http_request *req, const struct service *sv, const char *items)
{
    const struct session *s = http_session(req);
    struct authz_labels labels;
    struct account account;
    struct page_data *d;
    struct why why = WHY_INIT;
    enum err e;

    if ((e = account_by_id(http_pg(req), s->account_id, &account, &why)) != OK ||
        (e = authz_labels_of(http_pg(req), account.town_id, http_arena(req), &labels, &why)) != OK) {
        unavailable(req, e, &why);
        return;
    }
    d = idp_page(req);
    page_str(d, "csrf", http_csrf_token(req));
    page_str(d, "service", strcmp(http_lang(req), "fr") == 0 ? sv->label_fr : sv->label_en);
    page_str(d, "shown", items);
    items_fill(req, d, items, &labels);
    http_csp_form_action(req, "https:");      /* as the sign-in page: the form ends at the service, by redirects */
    idp_reply_page(req, 200, "signon/consent.html", d);
}

static void
accept_items(struct http_request *req, struct flow *f, const struct service *sv, const char *items)
{
    const struct session *s = http_session(req);
    const char *shown = http_form(req, "shown"), *token;
    struct why why = WHY_INIT;
    enum err e = OK;

    f->consent_account = s->account_id;
    f->consent_items = consent_both(items, shown != NULL ? shown : "", http_arena(req));
    if (sv->release.consent != SERVICE_CONSENT_NONE)
        e = consent_put(http_pg(req), s->account_id, sv->id, f->consent_items, http_now(req), &why);
    if (e != OK || (e = flow_seal(http_app(req), f, http_arena(req), &token, &why)) != OK) {
        unavailable(req, e, &why);
        return;
    }
    http_reply_redirect(req, arena_printf(http_arena(req), "%s/signon/%s/go", http_base_url(req), token));
}

/* do NULL: show; else "accept" or "refuse". */
static void
consent(struct http_request *req, struct flow *f, const struct service *sv, const char *what)
{
    const struct session *s = http_session(req);
    const struct signon_request rq = { .service = sv, .accept = f->accept };
    const struct signon_ask_row in = { .rq = &rq, .session_digest = s->digest, .now = http_now(req),
                                       .fresh_after = f->fresh_after };
    struct consent_look look;
    struct why why = WHY_INIT;
    const char *items;
    enum err e = consent_store_look(http_pg(req), &in, http_arena(req), &look, &why);

    if (e != OK) {
        unavailable(req, e == ERR_NOT_FOUND ? ERR_UNAVAILABLE : e, &why);
        return;
    }
    items = consent_items(sv, look.authz, look.nauthz, (f->without & SIGNON_WITHOUT_AUTHZ) == 0,
                          (f->without & SIGNON_WITHOUT_TOWN) == 0, http_arena(req));
    if (what != NULL && strcmp(what, "accept") == 0)
        accept_items(req, f, sv, items);
    else
        consent_page(req, sv, items);
}

static void
endpoint(struct http_request *req, const char *what)
{
    const struct idp *idp = http_app(req);
    const struct services_view *view;
    const struct service *sv;
    struct flow f;

    if (!signon_flow_load(req, &f))
        return;
    if (!signon_session_good_for(http_session(req), &f)) {
        http_reply_redirect(req, signon_flow_url(req, &f, ""));
        return;
    }
    if (what != NULL && strcmp(what, "refuse") == 0) {
        signon_flow_give_up(req, &f, true);
        return;
    }
    view = services_hold(idp->services);
    sv = services_by_id(view, f.service_id);
    if (sv == NULL)
        http_reply_redirect(req, signon_flow_url(req, &f, "/go"));      /* gone meanwhile: the dialect says so */
    else
        consent(req, &f, sv, what);
    services_release(view);
}

void
get_signon_flow_consent(struct http_request *req)
{
    endpoint(req, NULL);
}

void
post_signon_flow_consent(struct http_request *req)
{
    const char *what = http_form(req, "do");

    endpoint(req, what != NULL ? what : "");
}
