/*
 * /ma-page/mot-de-passe: another password, by who knows the present one. Every other session of the account ends.
 */
#include "idp/citizen/citizen-internal.h"

#include <stdio.h>

#include "base/core/log.h"
#include "base/core/secret.h"
#include "base/pg/audit.h"
#include "idp/credential/login.h"
#include "idp/signon/throttle.h"

static const struct throttle_rule tries = { "password.change", 5, 1.0 / 60, 1, 60 };

struct problems {
    const char *current, *password;          /* keys of sentences, NULL: none */
};

static void
failed(struct http_request *req, enum err e, const struct why *why)
{
    if (session_was_ended(req, why))
        return;
    LOG_ERROR_EV("citizen.password", LF_ERR(e), LF_WHY(why));
    idp_reply_error(req, http_status_of(e), "error.unavailable", NULL);
}

static void
form_page(struct http_request *req, int status, const char *login, const struct problems *p)
{
    struct page_data *d = idp_page(req);

    page_str(d, "csrf", http_csrf_token(req));
    page_str(d, "login", login);
    page_str(d, "back_url", "/");
    if (p != NULL && p->current != NULL)
        page_field_error(d, "current", p->current);
    if (p != NULL && p->password != NULL)
        page_field_error(d, "password", p->password);
    idp_reply_page(req, status, "citizen/password.html", d);
}

void
get_my_password(struct http_request *req)
{
    const struct session *s = http_session(req);
    struct why why = WHY_INIT;
    const char *login;
    enum err e;

    if ((e = login_of(http_pg(req), s->account_id, http_arena(req), &login, &why)) != OK)
        failed(req, e, &why);
    else
        form_page(req, 200, login, NULL);
}

struct change {
    const struct session *session;
    const char *hash;
    struct arena *arena;
    utime now;
};

static enum err
change_body(struct pg *pg, void *arg, struct why *why)
{
    const struct change *c = arg;
    char object[64];
    int64_t ended;
    enum err e;

    snprintf(object, sizeof(object), "account:%s", c->session->account_id);
    /* In the order in which a sign-in locks them. */
    if ((e = account_lock(pg, c->session->account_id, why)) != OK ||
        (e = login_set_password(pg, c->session->account_id, c->hash, c->now, why)) != OK ||
        (e = session_end_others(pg, c->session, "password", c->now, c->arena, &ended, why)) != OK)
        return e;
    return audit_add(pg, &(struct audit_entry){ .at = c->now, .actor = "citizen", .role = "session",
                                                .verb = "login.password", .object = object, .result = "ok",
                                                .detail = "{}" }, why);
}

/* The present password first, slowed like a sign-in; then what is wrong with the new one. */
static enum err
judge(struct http_request *req, const char *login, const char *current, const char *password,
      const struct password_cost *cost, struct problems *p, struct why *why)
{
    const struct idp *idp = http_app(req);
    const struct session *s = http_session(req);
    struct login_check check;
    int64_t wait;
    enum err e;

    if ((e = throttle_take(http_pg(req), idp->pepper, &tries, s->account_id, http_now(req), &wait, why)) != OK)
        return e;
    if (wait > 0) {
        p->current = "signon.error.slow";
        return OK;
    }
    if ((e = login_verify(http_pg(req), login, current, cost, http_now(req), &check, why)) != OK)
        return e;
    if (strcmp(check.account_id, s->account_id) != 0) {
        p->current = "password.wrong";
        return OK;
    }
    p->password = mem_equal_ct(current, strlen(current), password, strlen(password))
                      ? "password.same" : login_password_problem(password, login, idp->deny);
    return p->password != NULL ? OK : throttle_forgive(http_pg(req), idp->pepper, &tries, s->account_id, why);
}

void
post_my_password(struct http_request *req)
{
    const struct idp *idp = http_app(req);
    struct password_cost cost = { (uint32_t)idp->conf.argon2_memory_kib, (uint32_t)idp->conf.argon2_passes };
    const char *current = http_form(req, "current"), *password = http_form(req, "password"), *login;
    char hash[PASSWORD_HASH_SIZE];
    struct change c = { .session = http_session(req), .hash = hash, .arena = http_arena(req), .now = http_now(req) };
    struct problems p = { NULL, NULL };
    struct why why = WHY_INIT;
    enum err e;

    if ((e = login_of(http_pg(req), c.session->account_id, http_arena(req), &login, &why)) != OK ||
        (e = judge(req, login, current != NULL ? current : "", password != NULL ? password : "", &cost, &p, &why)) !=
            OK) {
        failed(req, e, &why);
        return;
    }
    if (p.current != NULL || p.password != NULL) {
        form_page(req, 422, login, &p);
        return;
    }
    if ((e = login_hash(password, &cost, hash, &why)) != OK ||
        (e = pg_tx(http_pg(req), change_body, &c, &why)) != OK)
        failed(req, e, &why);
    else
        http_reply_redirect(req, arena_printf(http_arena(req), "%s/?fait=mot-de-passe", http_base_url(req)));
    mem_wipe(hash, sizeof(hash));
}
