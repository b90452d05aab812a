/*
 * /activate/{token}/{stage}: user name and password (P-044, P-045). The stage proves that the code was typed. One
 * transaction makes the account active, stores both and ends every code; the second click finds it done.
 */
#include "idp/activation/activation-internal.h"

#include <stdio.h>

#include "base/core/log.h"
#include "base/core/secret.h"
#include "base/crypto/digest.h"
#include "idp/account/account.h"
#include "idp/credential/login.h"

static bool
stage_load(struct http_request *req, struct activation_link *ret)
{
    unsigned char digest[SHA256_LEN];

    if (!activation_link_load(req, ret))
        return false;
    token_digest(http_path_param(req, "stage"), digest);
    if (strcmp(ret->state, "opened") == 0 && ret->staged &&
        mem_equal_ct(digest, sizeof(digest), ret->stage_digest, sizeof(ret->stage_digest)))
        return true;
    /* The code was typed again elsewhere, or never: back to the first form. */
    http_reply_redirect(req, arena_printf(http_arena(req), "%s/activate/%s", http_base_url(req),
                                          http_path_param(req, "token")));
    return false;
}

bool
activation_stage_load(struct http_request *req, char ret_account[37], unsigned char ret_link_digest[32])
{
    struct activation_link link;

    if (!stage_load(req, &link))
        return false;
    memcpy(ret_account, link.account_id, sizeof(link.account_id));
    memcpy(ret_link_digest, link.token_digest, sizeof(link.token_digest));
    return true;
}

/* For an account whose means of sign-in are chosen here; a software certificate has pages of its own (idp/issuing). Replies and
 * returns false when it has, or when it cannot be known. */
static bool
password_stage_load(struct http_request *req, struct activation_link *ret)
{
    struct account account;
    struct why why = WHY_INIT;
    enum err e;

    if (!stage_load(req, ret))
        return false;
    if ((e = account_by_id(http_pg(req), ret->account_id, &account, &why)) != OK) {
        LOG_ERROR_EV("activation.choose", LF_ERR(e), LF_WHY(&why));
        idp_reply_error(req, http_status_of(e), "error.unavailable", NULL);
        return false;
    }
    if (account.type != ACCOUNT_X509_SOFT)
        return true;
    http_reply_redirect(req, arena_printf(http_arena(req), "%s/activate/%s/%s/certificate", http_base_url(req),
                                          http_path_param(req, "token"), http_path_param(req, "stage")));
    return false;
}

struct choice {
    const char *login, *login_problem, *password_problem;
    const char *suggestions[3];
    size_t nsuggestions;
    bool keep_mail;
};

static void
choose_page(struct http_request *req, int status, const struct choice *c)
{
    struct page_data *d = idp_page(req);

    page_str(d, "csrf", http_csrf_token(req));
    page_str(d, "login", c->login);
    page_bool(d, "keep_mail", c->keep_mail);
    if (c->login_problem != NULL)
        page_field_error(d, "login", c->login_problem);
    if (c->password_problem != NULL)
        page_field_error(d, "password", c->password_problem);
    for (size_t i = 0; i < c->nsuggestions; i++)
        page_str(page_item(d, "suggestions"), "name", c->suggestions[i]);
    idp_reply_page(req, status, "activation/choose.html", d);
}

void
get_activate_choose(struct http_request *req)
{
    struct choice c = { .login = "" };
    struct activation_link link;

    if (password_stage_load(req, &link))
        choose_page(req, 200, &c);
}

struct activate_arg {
    struct http_request *req;
    const struct activation_link *link;
    const struct choice *choice;
    const char *hash;
    utime now;
};

static enum err
activate_body(struct pg *pg, void *arg, struct why *why)
{
    const struct activate_arg *a = arg;
    const struct idp *idp = http_app(a->req);
    enum err e;

    if ((e = activation_finish(idp, pg, a->link->token_digest, a->link->account_id, a->choice->keep_mail, http_lang(a->req),
                               a->now, why)) != OK)
        return e;
    return login_set(pg, a->link->account_id, a->choice->login, a->hash, a->now, why);
}

static void
unavailable(struct http_request *req, enum err e, const struct why *why)
{
    LOG_ERROR_EV("activation.choose", LF_ERR(e), LF_WHY(why));
    idp_reply_error(req, http_status_of(e), "error.unavailable", NULL);
}

/* Fills the problems; false when there are any. */
static enum err
choice_check(struct http_request *req, struct choice *c, const char *password, bool *ret_good, struct why *why)
{
    const struct idp *idp = http_app(req);
    char folded[LOGIN_FOLDED_MAX];
    bool is_free = false;
    enum err e;

    *ret_good = false;
    c->login_problem = login_name_problem(c->login);
    c->password_problem = login_password_problem(password, c->login, idp->deny);
    if (c->login_problem == NULL && login_fold(c->login, folded) == OK) {
        if ((e = login_is_free(http_pg(req), folded, http_now(req), &is_free, why)) != OK)
            return e;
        if (!is_free) {
            c->login_problem = "login.taken";
            e = login_suggest(http_pg(req), c->login, http_now(req), http_arena(req), c->suggestions,
                              &c->nsuggestions, why);
            if (e != OK)
                return e;
        }
    }
    *ret_good = c->login_problem == NULL && c->password_problem == NULL;
    return OK;
}

void
post_activate_choose(struct http_request *req)
{
    const struct idp *idp = http_app(req);
    struct password_cost cost = { (uint32_t)idp->conf.argon2_memory_kib, (uint32_t)idp->conf.argon2_passes };
    const char *login = http_form(req, "login"), *password = http_form(req, "password");
    char hash[PASSWORD_HASH_SIZE];
    struct choice c = { .login = login != NULL ? login : "", .keep_mail = http_form(req, "keep_mail") != NULL };
    struct activation_link link;
    struct activate_arg arg = { .req = req, .link = &link, .choice = &c, .hash = hash, .now = http_now(req) };
    struct why why = WHY_INIT;
    struct page_data *d;
    bool good;
    enum err e;

    if (!password_stage_load(req, &link))
        return;
    if ((e = choice_check(req, &c, password != NULL ? password : "", &good, &why)) != OK) {
        unavailable(req, e, &why);
        return;
    }
    if (!good) {
        /* The second click of the same form finds its own name taken: the link says that it is done. */
        if (stage_load(req, &link))
            choose_page(req, 422, &c);
        return;
    }
    if ((e = login_hash(password, &cost, hash, &why)) != OK) {
        unavailable(req, e, &why);
        return;
    }
    e = pg_tx(http_pg(req), activate_body, &arg, &why);
    mem_wipe(hash, sizeof(hash));
    if (e == ERR_CONFLICT) {
        /* Somebody took the name in between, or this is the second click: the link's own page says which. */
        if (!stage_load(req, &link))
            return;
        c.login_problem = "login.taken";
        choose_page(req, 422, &c);
        return;
    }
    if (e != OK) {
        unavailable(req, e, &why);
        return;
    }
    d = idp_page(req);
    page_str(d, "login", c.login);
    page_str(d, "signin_url", "/");
    idp_reply_page(req, 200, "activation/done.html", d);
}
