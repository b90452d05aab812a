/*
 * / : the front page, or my page for who is signed in. /login: a sign-on for our own pages.
 */
#include "idp/citizen/citizen-internal.h"

#include <stdio.h>

#include "base/core/log.h"
#include "base/core/text.h"
#include "base/pg/audit.h"
#include "idp/account/contact.h"
#include "idp/activation/activation.h"

#define VISITS_SHOWN 10

static void
visits_fill(struct page_data *d, const struct citizen_visit *visits, size_t n, const struct services_view *view,
            bool french)
{
    for (size_t i = 0; i < n; i++) {
        struct page_data *item = page_item(d, "logins");
        const struct service *sv = visits[i].service_id == 0 ? NULL : services_by_id(view, visits[i].service_id);

        page_time(item, "at", visits[i].at, CITIZEN_ZONE);
        page_msg(item, "method", method_key(visits[i].method));
        if (sv != NULL)
            page_str(item, "service", french ? sv->label_fr : sv->label_en);
        page_bool(item, "failed", strcmp(visits[i].result, "ok") != 0);
    }
}

static void
sessions_fill(struct page_data *d, const struct mine *m)
{
    for (size_t i = 0; i < m->nsessions; i++) {
        struct page_data *item = page_item(d, "sessions");

        page_time(item, "since", m->sessions[i].since, CITIZEN_ZONE);
        page_str(item, "network", m->sessions[i].ip_prefix);
        page_bool(item, "this_one", m->sessions[i].this_one);
    }
    if (m->nsessions > 1)
        page_str(d, "sessions_url", "/ma-page/sessions");
}

static void
services_fill(struct page_data *d, const struct mine *m, const struct services_view *view, bool french)
{
    for (size_t i = 0; i < m->nservices; i++) {
        const struct service *sv = services_by_id(view, m->services[i].service_id);
        struct page_data *item;

        if (sv == NULL)
            continue;
        item = page_item(d, "services");
        page_str(item, "label", french ? sv->label_fr : sv->label_en);
        page_date(item, "last", m->services[i].last_at, CITIZEN_ZONE);
    }
    for (size_t i = 0; i < m->nconsents; i++) {
        const struct service *sv = services_by_id(view, m->consents[i].service_id);
        struct page_data *item;

        if (sv == NULL)
            continue;
        item = page_item(d, "consents");
        page_str(item, "label", french ? sv->label_fr : sv->label_en);
        page_date(item, "at", m->consents[i].at, CITIZEN_ZONE);
        page_int(item, "service", m->consents[i].service_id);
    }
    page_str(d, "consents_url", "/ma-page/accords");
}

static void
mail_fill(struct page_data *d, const struct mine *m)
{
    AUTO(buf_free) struct buf masked = BUF_BOUNDED(1024);

    if (m->mail == NULL)
        return;
    text_mask_email(str_of(m->mail), &masked);
    page_str(d, "mail", buf_cstr(&masked));
    page_str(d, "mail_url", "/ma-page/adresse");
}

static void
account_fill(struct http_request *req, struct page_data *d, const struct mine *m, bool french)
{
    const char *state = account_state_name(m->account.state);

    page_str(d, "login", m->login);
    page_str(d, "town", french ? m->town.label_fr : m->town.label_en);
    page_msg(d, "state", arena_printf(http_arena(req), "state.%s", state));
    page_str(d, "state_name", state);
    page_date(d, "since", m->account.state_since, CITIZEN_ZONE);
    mail_fill(d, m);
    for (size_t i = 0; i < m->nauthz; i++) {
        struct page_data *item = page_item(d, "authz");

        page_str(item, "label", authz_label(&m->labels, m->authz[i].code, french ? "fr" : "en"));
        if (m->authz[i].until != UTIME_NULL)
            page_date(item, "until", m->authz[i].until, CITIZEN_ZONE);
    }
}

/* Each means of sign-in, and when it was last used or until when it is good. */
static void
means_fill(struct page_data *d, const struct mine *m)
{
    struct page_data *item;

    if (m->password_at != UTIME_NULL)
        page_date(d, "password_changed", m->password_at, CITIZEN_ZONE);
    for (size_t i = 0; i < m->ncertificates; i++) {
        if (m->certificates[i].by_holder && strcmp(m->certificates[i].state, "ended") == 0)
            continue;                        /* taken away: their own doing, and the page of cards says so */
        item = page_item(d, "certificates");
        page_str(item, "serial", m->certificates[i].serial);
        page_date(item, "until", m->certificates[i].not_after, CITIZEN_ZONE);
        page_bool(item, "dead", strcmp(m->certificates[i].state, "active") != 0);
    }
    for (size_t i = 0; i < m->factors.npasskeys; i++) {
        item = page_item(d, "passkeys");
        page_str(item, "name", m->factors.passkeys[i].name);
        if (m->factors.passkeys[i].used_at != UTIME_NULL)
            page_date(item, "used", m->factors.passkeys[i].used_at, CITIZEN_ZONE);
    }
    page_bool(d, "totp", m->factors.totp);
    if (m->factors.totp && m->factors.totp_used_at != UTIME_NULL)
        page_date(d, "totp_used", m->factors.totp_used_at, CITIZEN_ZONE);
    page_bool(d, "one_factor", !factors_any(&m->factors));
}

/* What was just done, as our own redirects name it. */
static void
notice_fill(struct http_request *req, struct page_data *d)
{
    static const struct {
        const char *word, *key;
    } notices[] = {
        { "mot-de-passe", "citizen.password_done" }, { "adresse", "citizen.mail_deleted" },
        { "sessions", "citizen.sessions_done" },     { "accords", "citizen.consents_done" },
        { "certificat", "citizen.certificate_done" },
    };
    const char *done = http_query(req, "fait");

    for (size_t i = 0; done != NULL && i < ARRAY_LEN(notices); i++) {
        if (strcmp(done, notices[i].word) == 0)
            page_msg(d, "notice", notices[i].key);
    }
}

static void
my_page(struct http_request *req, const struct mine *m, const struct citizen_visit *visits, size_t nvisits)
{
    const struct idp *idp = http_app(req);
    const struct services_view *view = services_hold(idp->services);
    bool french = strcmp(http_lang(req), "fr") == 0;
    struct page_data *d = idp_page(req);

    page_str(d, "csrf", http_csrf_token(req));
    page_str(d, "block_url", "/ma-page/blocage");
    page_str(d, "logout_url", "/logout");
    if (m->login[0] != '\0') {
        page_str(d, "password_url", "/ma-page/mot-de-passe");
        page_str(d, "factors_url", "/ma-page/double-verification");
    }
    if (cards_offered(idp, m->certificates, m->ncertificates))
        page_str(d, "cards_url", CARDS_URL);
    means_fill(d, m);
    page_str(d, "data_url", "/ma-page/donnees");
    if (m->account.type == ACCOUNT_X509_SOFT)
        page_str(d, "renew_url", "/ma-page/certificat");
    account_fill(req, d, m, french);
    notice_fill(req, d);
    visits_fill(d, visits, nvisits, view, french);
    sessions_fill(d, m);
    services_fill(d, m, view, french);
    services_release(view);
    idp_reply_page(req, 200, "citizen/home.html", d);
}

void
get_home(struct http_request *req)
{
    const struct session *s = http_session(req);
    struct citizen_visit *visits;
    struct why why = WHY_INIT;
    struct mine m;
    size_t n;
    enum err e;

    if (s == NULL) {
        struct page_data *d = idp_page(req);

        page_str(d, "me_url", "/login");
        page_str(d, "block_url", "/blocage");
        idp_reply_page(req, 200, "home.html", d);
        return;
    }
    if ((e = mine_load(req, &m, &why)) != OK ||
        (e = citizen_store_visits(http_pg(req), s->account_id, VISITS_SHOWN, http_arena(req), &visits, &n, &why)) != OK) {
        LOG_ERROR_EV("citizen.home", LF_ERR(e), LF_WHY(&why));
        idp_reply_error(req, http_status_of(e), "error.unavailable", NULL);
        return;
    }
    my_page(req, &m, visits, n);
}

void
get_login(struct http_request *req)
{
    struct signon_request rq = { .accept = METHOD_ANY, .max_age = -1 };

    if (http_session(req) != NULL)
        http_reply_redirect(req, arena_printf(http_arena(req), "%s/", http_base_url(req)));
    else
        signon_ask(req, "own", &rq, STR_LIT("-"));
}

/* --- blocking one's own account --------------------------------------------------------------------------------------------- */

void
get_my_block(struct http_request *req)
{
    struct page_data *d = idp_page(req);

    page_str(d, "csrf", http_csrf_token(req));
    page_str(d, "back_url", "/");
    idp_reply_page(req, 200, "citizen/block.html", d);
}

void
post_my_block(struct http_request *req)
{
    static const struct account_actor who = { "citizen", "session" };
    const struct idp *idp = http_app(req);
    const struct session *s = http_session(req);
    const char *reason = http_form(req, "reason");
    struct account_blocked b;
    struct why why = WHY_INIT;
    enum err e;

    if (reason == NULL)
        reason = "";
    e = account_block(http_pg(req), idp->pepper, s->account_id, reason, &who, http_now(req), &b, &why);
    if (e == ERR_INPUT) {
        get_my_block(req);
        return;
    }
    if (e != OK) {
        LOG_ERROR_EV("citizen.block", LF_ERR(e), LF_WHY(&why));
        idp_reply_error(req, http_status_of(e), "error.unavailable", NULL);
        return;
    }
    http_cookie_clear(req, SESSION_COOKIE);
    block_done_page(req, &b, strcmp(reason, "stolen") == 0);
}

/* --- the address kept --------------------------------------------------------------------------------------------------------- */

struct forget_arg {
    const struct idp *idp;
    const char *account_id;
    utime now;
    struct arena *arena;
};

/* The last mail to it: who got hold of a session does not first make its holder deaf (T-21b). */
static enum err
forget_told(struct pg *pg, const struct forget_arg *f, struct why *why)
{
    struct mail_out m = { .template_name = "mail/factor.txt", .subject_key = "mail.factor.subject",
                          .message_key = "mail.factor.address_removed", .at = f->now };
    struct account account;
    enum err e;

    if ((e = account_by_id(pg, f->account_id, &account, why)) != OK)
        return e;
    if ((e = mail_to_holder(f->idp, pg, &account, f->arena, &m, why)) != OK)
        return e == ERR_NOT_FOUND ? OK : e;
    return mail_job_add(f->idp, pg, arena_printf(f->arena, "address:%s:%lld", f->account_id, (long long)f->now), &m, f->now,
                        why);
}

static enum err
forget_body(struct pg *pg, void *arg, struct why *why)
{
    const struct forget_arg *f = arg;
    char object[64];
    enum err e;

    snprintf(object, sizeof(object), "account:%s", f->account_id);
    if ((e = account_lock(pg, f->account_id, why)) != OK || (e = forget_told(pg, f, why)) != OK ||
        (e = contact_delete(pg, f->account_id, why)) != OK)
        return e;
    return audit_add(pg, &(struct audit_entry){ .at = f->now, .actor = "citizen", .role = "session",
                                                .verb = "contact.delete", .object = object, .result = "ok",
                                                .detail = "{}" }, why);
}

void
post_my_address(struct http_request *req)
{
    const struct session *s = http_session(req);
    struct forget_arg f = { http_app(req), s->account_id, http_now(req), http_arena(req) };
    struct why why = WHY_INIT;
    enum err e;

    if ((e = pg_tx(http_pg(req), forget_body, &f, &why)) != OK) {
        LOG_ERROR_EV("citizen.address", LF_ERR(e), LF_WHY(&why));
        idp_reply_error(req, http_status_of(e), "error.unavailable", NULL);
        return;
    }
    http_reply_redirect(req, arena_printf(http_arena(req), "%s/?fait=adresse", http_base_url(req)));
}
