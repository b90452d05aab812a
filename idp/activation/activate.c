/*
 * /activate/{token}: the code of the mail (P-043). GET and HEAD change nothing, however often a mail scanner comes.
 * POST compares: a typing mistake that the check digit sees is told without counting, a wrong code counts, the fifth
 * ends the link. A good code opens /activate/{token}/{stage}.
 */
#include "idp/activation/activation-internal.h"

#include "base/core/log.h"
#include "base/core/rand.h"
#include "base/core/secret.h"
#include "base/crypto/digest.h"
#include "idp/account/account.h"

static void
dead_page(struct http_request *req, int status, const char *message_key, bool again)
{
    const struct idp *idp = http_app(req);
    struct page_data *d = idp_page(req);

    page_msg(d, "message", message_key);
    page_bool(d, "again", again);
    page_str(d, "mail_address", idp->conf.mail_address);
    if (strcmp(message_key, "activation.dead.used") == 0)
        page_str(d, "signin_url", "/");
    idp_reply_page(req, status, "activation/dead.html", d);
}

bool
activation_link_load(struct http_request *req, struct activation_link *ret)
{
    unsigned char digest[SHA256_LEN];
    struct why why = WHY_INIT;
    enum err e;

    token_digest(http_path_param(req, "token"), digest);
    e = link_store_find(http_pg(req), digest, false, ret, &why);
    if (e == ERR_NOT_FOUND) {
        dead_page(req, 404, "activation.dead.unknown", true);
    } else if (e != OK) {
        LOG_ERROR_EV("activation.link", LF_ERR(e), LF_WHY(&why));
        idp_reply_error(req, http_status_of(e), "error.unavailable", NULL);
    } else if (strcmp(ret->state, "used") == 0) {
        dead_page(req, 410, "activation.dead.used", false);
    } else if (strcmp(ret->state, "locked") == 0) {
        dead_page(req, 410, "activation.dead.tries", true);
    } else if (strcmp(ret->state, "superseded") == 0) {
        dead_page(req, 410, "activation.dead.newer", true);
    } else if (ret->expires_at <= http_now(req) || strcmp(ret->state, "expired") == 0) {
        dead_page(req, 410, "activation.dead.expired", true);
    } else {
        return true;
    }
    return false;
}

struct code_form {
    bool sheet_needed;
    const char *code_problem, *sheet_problem;
    int64_t tries_left;              /* 0: not shown */
};

static void
code_page(struct http_request *req, int status, const struct code_form *f)
{
    struct page_data *d = idp_page(req);
    const char *code = http_form(req, "code");

    page_str(d, "csrf", http_csrf_token(req));
    page_str(d, "code", code != NULL ? code : "");
    page_bool(d, "sheet_needed", f->sheet_needed);
    page_str(d, "sheet", "");
    if (f->tries_left > 0)
        page_int(d, "tries_left", f->tries_left);
    if (f->code_problem != NULL)
        page_field_error(d, "code", f->code_problem);
    if (f->sheet_problem != NULL)
        page_field_error(d, "sheet", f->sheet_problem);
    idp_reply_page(req, status, "activation/code.html", d);
}

static bool
unavailable(struct http_request *req, enum err e, const struct why *why)
{
    if (e == OK)
        return false;
    LOG_ERROR_EV("activation.code", LF_ERR(e), LF_WHY(why));
    idp_reply_error(req, http_status_of(e), "error.unavailable", NULL);
    return true;
}

/* Is a sheet number asked, and can it still be given? Replies and returns false when not. */
static bool
sheet_load(struct http_request *req, const struct activation_link *link, struct code_form *form)
{
    const struct idp *idp = http_app(req);
    struct sheet_check sheet;
    struct why why = WHY_INIT;

    if (unavailable(req, secret_sheet_check(http_pg(req), idp->pepper, link->account_id, NULL, &sheet, &why), &why))
        return false;
    if (sheet.spent)
        dead_page(req, 410, "activation.dead.sheet", false);
    form->sheet_needed = sheet.needed;
    return !sheet.spent;
}

void
get_activate(struct http_request *req)
{
    struct activation_link link;
    struct code_form form = { .sheet_needed = false };

    if (activation_link_load(req, &link) && sheet_load(req, &link, &form))
        code_page(req, 200, &form);
}

struct attempt {
    struct http_request *req;
    const unsigned char *token_digest;
    const char *folded;
    const unsigned char *stage_digest;
    struct code_form form;
    bool dead, spent, good;
};

/* A wrong choice of device may be done again for a day without a new code (P-053): so long the link stays. */
static enum err
open_stage(struct pg *pg, const struct attempt *t, const struct activation_link *link, struct why *why)
{
    const struct idp *idp = http_app(t->req);
    utime now = http_now(t->req);
    struct account account;
    enum err e;

    if ((e = account_by_id(pg, link->account_id, &account, why)) != OK)
        return e;
    return link_store_open(pg, link->token_digest, t->stage_digest,
                           account.type == ACCOUNT_X509_SOFT ? now + idp->conf.link_life : now, why);
}

/* The link's row is locked while the code is compared, so that guesses in parallel are counted one by one. Both numbers
 * are compared before either is refused: who has only one of them learns nothing of the other (T-12). */
static enum err
attempt_body(struct pg *pg, void *arg, struct why *why)
{
    struct attempt *t = arg;
    const struct idp *idp = http_app(t->req);
    unsigned char mac[MAC_LEN];
    struct activation_link link;
    struct sheet_check sheet;
    bool code_ok;
    int64_t tries;
    enum err e;

    t->dead = t->spent = t->good = false;
    if ((e = link_store_find(pg, t->token_digest, true, &link, why)) != OK)
        return e;
    if (strcmp(link.state, "live") != 0 && strcmp(link.state, "opened") != 0) {
        t->dead = true;
        return OK;
    }
    if ((e = mac_compute(idp->pepper, link.mac_version, "code.activation", str_of(t->folded), mac)) != OK)
        return why_set(why, e, "the pepper of this link was withdrawn");
    code_ok = mem_equal_ct(mac, sizeof(mac), link.code_mac, sizeof(link.code_mac));
    if ((e = secret_sheet_check(pg, idp->pepper, link.account_id, http_form(t->req, "sheet"), &sheet, why)) != OK)
        return e;
    t->form.sheet_needed = sheet.needed;
    t->spent = sheet.spent;
    t->good = code_ok && sheet.ok;
    if (t->spent)
        return OK;
    if (t->good)
        return open_stage(pg, t, &link, why);
    if (code_ok && (e = secret_sheet_wrong(pg, link.account_id, why)) != OK)
        return e;
    if ((e = link_store_wrong(pg, link.token_digest, &tries, why)) != OK)
        return e;
    t->form.tries_left = LINK_TRIES - tries;
    t->form.sheet_problem = t->form.sheet_needed ? "code.wrong" : NULL;
    t->form.code_problem = "code.wrong";
    return OK;
}

void
post_activate(struct http_request *req)
{
    const char *typed = http_form(req, "code");
    unsigned char stage_digest[SHA256_LEN];
    char folded[CODE_FOLDED_MAX], stage[LINK_TOKEN_BYTES * 2];
    struct code_form form = { .sheet_needed = false };
    struct attempt attempt = { .req = req, .folded = folded, .stage_digest = stage_digest };
    struct activation_link link;
    struct why why = WHY_INIT;

    if (!activation_link_load(req, &link))
        return;
    form.code_problem = idp_code_problem(CODE_ACTIVATION, typed != NULL ? typed : "", folded);
    if (form.code_problem != NULL) {
        if (sheet_load(req, &link, &form))
            code_page(req, 422, &form);
        return;
    }
    rand_token(LINK_TOKEN_BYTES, stage, sizeof(stage));
    token_digest(stage, stage_digest);
    attempt.token_digest = link.token_digest;
    if (unavailable(req, pg_tx(http_pg(req), attempt_body, &attempt, &why), &why))
        return;
    if (attempt.good)
        http_reply_redirect(req, arena_printf(http_arena(req), "%s/activate/%s/%s", http_base_url(req),
                                              http_path_param(req, "token"), stage));
    else if (attempt.spent)
        dead_page(req, 410, "activation.dead.sheet", false);
    else if (attempt.dead)
        dead_page(req, 410, "activation.dead.newer", true);
    else if (attempt.form.tries_left <= 0)
        dead_page(req, 410, "activation.dead.tries", true);
    else
        code_page(req, 422, &attempt.form);
}
