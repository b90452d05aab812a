/*
 * /signon/{flow}: the sign-in page. GET shows the doors, POST checks user name and password and goes on to
 * /signon/{flow}/go, or to the second page where the account has a second factor (factor.h). The flow is its own address
 * (flow.c): other tabs, other nodes, a restart and the Back button all work.
 *
 * Throttling slows and never locks out: what an attacker does from elsewhere costs the citizen at most a short wait.
 */
#include "idp/signon/factor.h"

#include "base/core/log.h"
#include "base/core/secret.h"
#include "idp/account/account.h"
#include "idp/credential/login.h"
#include "idp/signon/certificate.h"

/* One name in a browser where it signed in before; else one name from one network, one network, one name from
 * everywhere. */
static const struct throttle_rule by_device = { "login.device", 5, 1.0 / 60, 1, 60 };
static const struct throttle_rule by_name_and_net = { "login.name_net", 5, 1.0 / 60, 1, 60 };
static const struct throttle_rule by_net = { "login.net", 100, 10.0 / 60, 1, 10 };
static const struct throttle_rule by_name = { "login.name", 30, 2.0 / 60, 1, 10 };

static const struct service *
flow_service(struct http_request *req, const struct flow *f, const struct services_view **ret_view)
{
    const struct idp *idp = http_app(req);

    *ret_view = services_hold(idp->services);
    return f->service_id == 0 ? NULL : services_by_id(*ret_view, f->service_id);
}

void
signon_service_label(struct http_request *req, const struct flow *f, struct page_data *d)
{
    const struct services_view *view;
    const struct service *sv = flow_service(req, f, &view);

    if (sv != NULL)
        page_str(d, "service", strcmp(http_lang(req), "fr") == 0 ? sv->label_fr : sv->label_en);
    services_release(view);
}

bool
signon_flow_load(struct http_request *req, struct flow *ret)
{
    struct why why = WHY_INIT;
    struct page_data *d;

    if (flow_open(http_app(req), http_path_param(req, "flow"), http_arena(req), ret, &why) == OK &&
        ret->expires_at > http_now(req))
        return true;
    d = idp_page(req);
    page_str(d, "way_out", "/");
    idp_reply_page(req, 410, "signon/expired.html", d);
    return false;
}

bool
signon_session_good_for(const struct session *s, const struct flow *f)
{
    return s != NULL && s->auth_time >= f->fresh_after && (f->accept == METHOD_ANY || (s->method & f->accept) != 0);
}

const char *
signon_flow_url(struct http_request *req, const struct flow *f, const char *tail)
{
    return arena_printf(http_arena(req), "%s/signon/%s%s", http_base_url(req), f->token, tail);
}

/* What stands beside the two fields: keys of the catalogue, NULL for none. */
struct login_problem {
    const char *login, *password;
};

static void
login_page(struct http_request *req, const struct flow *f, int status, const char *login,
           const struct login_problem *problem)
{
    unsigned offered = signon_methods_offered(http_app(req));
    unsigned doors = f->accept == METHOD_ANY ? offered : offered & f->accept;
    const struct session *s = http_session(req);
    struct page_data *d = idp_page(req);

    signon_service_label(req, f, d);
    page_bool(d, "password_door", (doors & METHOD_BY_PASSWORD) != 0);
    if ((doors & METHOD_CARD) != 0)
        page_str(d, "card_url", signon_flow_url(req, f, certificate_tail(http_app(req), true)));
    if ((doors & METHOD_SOFT_CERT) != 0)
        page_str(d, "certificate_url", signon_flow_url(req, f, certificate_tail(http_app(req), false)));
    /* Sent back by the certificate door, which had no time; or signed in, but not as this service asks. */
    if (http_method(req) == HTTP_GET && http_query(req, "busy") != NULL)
        page_msg(d, "notice", "signon.error.busy");
    else if (http_method(req) == HTTP_GET && http_query(req, "late") != NULL)
        page_msg(d, "notice", "signon.notice.late");
    else if (s != NULL && strcmp(f->dialect, "own") == 0)
        page_msg(d, "notice", "signon.notice.prove");
    else if (s != NULL && s->auth_time >= f->fresh_after)
        page_msg(d, "notice", "signon.notice.stronger");
    page_str(d, "csrf", http_csrf_token(req));
    page_str(d, "login", login != NULL ? login : f->login_hint != NULL ? f->login_hint : "");
    page_str(d, "block_url", "/blocage");
    if (f->service_id != 0) {
        page_str(d, "cancel_url", signon_flow_url(req, f, "/cancel"));
        /* The form ends at the service, by redirects: Chromium holds each of them against form-action (CSP 3 §6.4.1),
         * and where the service sends its visitor next is not ours to know. The page has this one form, ours. */
        http_csp_form_action(req, "https:");
    }
    if (problem != NULL && problem->login != NULL)
        page_field_error(d, "login", problem->login);
    if (problem != NULL && problem->password != NULL)
        page_field_error(d, "password", problem->password);
    idp_reply_page(req, status, "signon/login.html", d);
}

/* Signed in by password alone, recently enough, where only two factors will do: the account has no second one, or the
 * page before would have asked for it. */
static bool
second_is_missing(const struct session *s, const struct flow *f)
{
    return s != NULL && s->auth_time >= f->fresh_after && (s->method & METHOD_PASSWORD) != 0 &&
           (f->accept & METHOD_PASSWORD) == 0 && (f->accept & METHOD_SECOND) != 0;
}

void
get_signon_flow(struct http_request *req)
{
    const struct session *s = http_session(req);
    struct flow f;

    if (!signon_flow_load(req, &f))
        return;
    if (signon_session_good_for(s, &f))
        http_reply_redirect(req, signon_flow_url(req, &f, "/go"));
    else if (second_is_missing(s, &f) && http_query(req, "again") == NULL)
        factor_missing_page(req, &f);
    else
        login_page(req, &f, 200, NULL, NULL);
}

/* What an attempt is counted in, in the order in which the rows are locked everywhere. */
enum { BY_NAME_AND_NET, BY_NET, BY_NAME, BUCKETS };

/* One attempt to sign in, as the throttles see it. */
struct attempt {
    char name[LOGIN_FOLDED_MAX];        /* what is no name is counted as the empty one */
    char net[IP_PREFIX_MAX];
    struct throttle_try buckets[BUCKETS];
    const char *device;                 /* NULL: not a browser where this name signed in before */
};

static void
attempt_read(struct http_request *req, const char *login, struct attempt *ret)
{
    ret->name[0] = '\0';
    err_ignore(login_fold(login, ret->name));
    ip_prefix(http_peer(req), ret->net);
    ret->buckets[BY_NAME_AND_NET] = (struct throttle_try){
        &by_name_and_net, arena_printf(http_arena(req), "%s %s", ret->name, ret->net) };
    ret->buckets[BY_NET] = (struct throttle_try){ &by_net, ret->net };
    ret->buckets[BY_NAME] = (struct throttle_try){ &by_name, ret->name };
    ret->device = device_known(req, ret->name);
}

/*
 * Asks the buckets in turn; *ret_wait in seconds, 0 = go on. The first that makes wait ends it: an attempt that is
 * not looked at is not counted against the name from everywhere, or one network could keep its holder out by itself
 * (T-16).
 */
static enum err
throttled(struct http_request *req, const struct attempt *a, int64_t *ret_wait, struct why *why)
{
    const struct idp *idp = http_app(req);
    utime now = http_now(req);
    int64_t wait;
    enum err e;

    if (a->device != NULL)
        e = throttle_take(http_pg(req), idp->pepper, &by_device, a->device, now, &wait, why);
    else
        e = throttle_take_3(http_pg(req), idp->pepper, a->buckets, now, &wait, why);
    if (e == OK)
        *ret_wait = (wait + USEC_PER_SEC - 1) / USEC_PER_SEC;
    return e;
}

/* The attempt was good. */
static enum err
forgive(struct pg *pg, const struct idp *idp, const struct attempt *a, struct why *why)
{
    const struct throttle_try *b = a->buckets;
    enum err e;

    if (a->device != NULL)
        return throttle_forgive(pg, idp->pepper, &by_device, a->device, why);
    if ((e = throttle_forgive(pg, idp->pepper, b[BY_NAME_AND_NET].rule, b[BY_NAME_AND_NET].key, why)) != OK ||
        /* Its own attempt only: many people behind one address sign in without waiting, a good pair of one's own buys no
         * guess at another's, and what others guess at the name stays counted. */
        (e = throttle_give_back(pg, idp->pepper, b[BY_NET].rule, b[BY_NET].key, why)) != OK)
        return e;
    return throttle_give_back(pg, idp->pepper, b[BY_NAME].rule, b[BY_NAME].key, why);
}

/* --- what a sign-in leaves behind, in one transaction ----------------------------------------------------------------- */
struct visit {
    struct http_request *req;
    const struct attempt *attempt;
    const struct signon_finish *finish;
    const char *result;
    int32_t service_id;
};

static enum err
visit_note(struct pg *pg, void *arg, struct why *why)
{
    const struct visit *v = arg;
    enum err e;

    if ((e = forgive(pg, http_app(v->req), v->attempt, why)) != OK)
        return e;
    return authn_event_add(pg, v->finish->account_id, v->result, v->finish->method, v->service_id, http_peer(v->req),
                           http_now(v->req), why);
}

static enum err
visit_body(struct pg *pg, void *arg, struct why *why)
{
    const struct visit *v = arg;
    const struct signon_finish *x = v->finish;
    enum err e;

    if ((e = login_stands(pg, x->account_id, x->proved, (x->method & METHOD_SECOND) == 0, why)) != OK ||
        (x->also != NULL && (e = x->also(pg, x->arg, why)) != OK))
        return e;
    return visit_note(pg, arg, why);
}

enum err
signon_flow_finish(struct http_request *req, const struct flow *f, const struct signon_finish *x, struct why *why)
{
    struct attempt attempt;
    struct visit visit = { req, &attempt, x, "ok", f->service_id };
    struct account account;
    enum err e;

    attempt_read(req, x->name, &attempt);
    e = session_start(req, x->account_id, x->method, visit_body, &visit, why);
    if (e == OK) {
        device_remember(req, attempt.name, (x->method & METHOD_SECOND) != 0);
        http_reply_redirect(req, signon_flow_url(req, f, "/go"));
        return OK;
    }
    if (e != ERR_DENIED || strcmp(why->code, "account.inactive") != 0)
        return e;
    /* Name and password are right: the holder may know that the account is blocked, and what to do. */
    if (account_by_id(http_pg(req), x->account_id, &account, why) == OK) {
        visit.result = account_state_name(account.state);
        err_ignore(pg_tx(http_pg(req), visit_note, &visit, why));
    }
    idp_reply_error(req, 403, "error.blocked", NULL);
    return OK;
}

void
signon_flow_again(struct http_request *req, const struct flow *f, const struct why *why)
{
    LOG_INFO_EV("signon.again", LF_WHY(why));
    http_reply_redirect(req, signon_flow_url(req, f, "?late=1"));
}

static void
unavailable(struct http_request *req, enum err e, const struct why *why)
{
    LOG_ERROR_EV("signon.login", LF_ERR(e), LF_WHY(why));
    idp_reply_error(req, http_status_of(e), "error.unavailable", NULL);
}

void
post_signon_flow(struct http_request *req)
{
    const struct idp *idp = http_app(req);
    struct password_cost cost = { (uint32_t)idp->conf.argon2_memory_kib, (uint32_t)idp->conf.argon2_passes };
    const char *login = http_form(req, "login"), *password = http_form(req, "password");
    struct login_problem problem = { NULL, NULL };
    struct login_check check;
    struct signon_finish finish;
    struct attempt attempt;
    struct why why = WHY_INIT;
    struct flow f;
    int64_t wait;
    enum err e;

    if (!signon_flow_load(req, &f))
        return;
    problem.login = login == NULL || login[0] == '\0' ? "signon.error.login_empty" : NULL;
    problem.password = password == NULL || password[0] == '\0' ? "signon.error.password_empty" : NULL;
    if (problem.login != NULL || problem.password != NULL) {
        login_page(req, &f, 422, login, &problem);
        return;
    }
    attempt_read(req, login, &attempt);
    if ((e = throttled(req, &attempt, &wait, &why)) != OK) {
        unavailable(req, e, &why);
        return;
    }
    if (wait > 0) {
        http_header_add(req, "Retry-After", arena_printf(http_arena(req), "%lld", (long long)wait));
        problem.login = "signon.error.slow";
        login_page(req, &f, 429, login, &problem);
        return;
    }
    if ((e = login_verify(http_pg(req), login, password, &cost, http_now(req), &check, &why)) != OK) {
        unavailable(req, e, &why);
        return;
    }
    if (check.account_id[0] == '\0') {
        if ((e = authn_event_add(http_pg(req), check.subject, "wrong", METHOD_PASSWORD, f.service_id, http_peer(req),
                                 http_now(req), &why)) != OK)
            LOG_WARN_EV("signon.event", LF_ERR(e), LF_WHY(&why));
        problem.login = "signon.error.wrong";
        login_page(req, &f, 422, login, &problem);
        return;
    }
    if (check.factors && check.active) {
        factor_ask(req, &f, check.account_id, attempt.name);
        return;
    }
    finish = (struct signon_finish){ .account_id = check.account_id, .name = attempt.name, .method = METHOD_PASSWORD,
                                     .proved = check.changed_at };
    if ((e = signon_flow_finish(req, &f, &finish, &why)) == OK)
        return;
    if (e != ERR_DENIED)
        unavailable(req, e, &why);
    else                                     /* changed while the password was compared: once more, with what is asked now */
        signon_flow_again(req, &f, &why);
}

/* --- /signon/{flow}/go and /signon/{flow}/cancel ---------------------------------------------------------------------- */

const struct signon_dialect *
signon_dialect_find(const struct idp *idp, const char *name)
{
    for (size_t i = 0; idp->dialects[i] != NULL; i++) {
        if (strcmp(idp->dialects[i]->name, name) == 0)
            return idp->dialects[i];
    }
    return NULL;
}

void
get_signon_flow_go(struct http_request *req)
{
    const struct idp *idp = http_app(req);
    const struct signon_dialect *dialect;
    struct flow f;

    if (!signon_flow_load(req, &f))
        return;
    if (strcmp(f.dialect, "own") == 0) {
        /* Its state is the page of ours that asked; "-": none did. */
        http_reply_redirect(req, arena_printf(http_arena(req), "%s%.*s", http_base_url(req),
                                              f.state.p[0] == '/' ? (int)f.state.n : 1,
                                              f.state.p[0] == '/' ? f.state.p : "/"));
        return;
    }
    CHECK((dialect = signon_dialect_find(idp, f.dialect)) != NULL);
    dialect->resume(req, f.id, f.created_at, f.state);
}

void
signon_flow_give_up(struct http_request *req, const struct flow *f, bool refused)
{
    const struct signon_dialect *dialect = signon_dialect_find(http_app(req), f->dialect);

    if (dialect != NULL && dialect->cancel != NULL)
        dialect->cancel(req, f->id, f->state, refused);
    else
        http_reply_redirect(req, arena_printf(http_arena(req), "%s/", http_base_url(req)));
}

void
get_signon_flow_cancel(struct http_request *req)
{
    struct flow f;

    if (signon_flow_load(req, &f))
        signon_flow_give_up(req, &f, false);
}
