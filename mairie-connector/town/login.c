/* /login, /logout: an agent signs in with a login, a password and a one-time code (both checked whatever the first says). */
#include "mairie-connector/town/agent.h"

#include <stdio.h>

#include "base/core/log.h"
#include "base/core/rand.h"
#include "base/crypto/digest.h"
#include "base/crypto/password.h"
#include "base/crypto/totp.h"
#include "base/pg/audit.h"
#include "mairie-connector/town/counter.h"

#define TOKEN_BYTES 32
#define TOKEN_TEXT 43

enum err
agent_session_load(struct http_request *req, struct why *why)
{
    const struct mairie *m = http_app(req);
    const char *token = http_cookie(req, AGENT_COOKIE);
    struct agent *agent = arena_alloc(http_arena(req), sizeof(*agent));
    unsigned char digest[SHA256_LEN];
    utime now = http_now(req);
    enum err e;

    if (token == NULL || strlen(token) != TOKEN_TEXT)
        return ERR_DENIED;
    token_digest(token, digest);
    e = session_find(http_pg(req), digest, now, now + m->conf.session_idle, http_arena(req), agent, why);
    if (e == ERR_NOT_FOUND)
        return ERR_DENIED;
    if (e == OK)
        http_session_set(req, agent);
    return e;
}

const struct agent *
agent_with(struct http_request *req, unsigned roles)
{
    const struct agent *agent = http_session(req);

    if (agent != NULL && (agent->roles & roles) != 0)
        return agent;
    mairie_reply_error(req, 403, "error.denied", NULL);
    return NULL;
}

/* --- the page ------------------------------------------------------------------------------------------------------- */

static void
login_page(struct http_request *req, int status, const char *login, const char *field, const char *problem,
           const char *notice)
{
    struct page_data *d = mairie_page(req);

    page_str(d, "login", login);
    page_str(d, "csrf", http_csrf_token(req));
    page_bool(d, "fresh", problem == NULL);
    if (problem != NULL)
        page_field_error(d, field, problem);
    if (notice != NULL)
        page_msg(d, "notice", notice);
    mairie_reply_page(req, status, "town/login.html", d);
}

void
get_login(struct http_request *req)
{
    const char *notice = http_query(req, "idle") != NULL ? "town.login.idle"
                         : http_query(req, "out") != NULL ? "town.login.out" : NULL;

    if (http_session(req) != NULL)
        mairie_go(req, "/");
    else
        login_page(req, 200, "", NULL, NULL, notice);
}

/* --- the check ------------------------------------------------------------------------------------------------------- */

struct attempt {
    const char *login, *password, *totp;
    struct agent_secret secret;
    bool good;
    bool used;                     /* password and one-time code are right, but this code was spent before */
};

static enum err
totp_verify(const struct mairie *m, struct pg *pg, struct attempt *x, utime now, bool *ret, struct why *why)
{
    AUTO(buf_free) struct buf plain = BUF_SECRET(64);
    AUTO(secret_done) struct secret key = SECRET_INIT;
    int64_t step;
    enum err e;

    *ret = false;
    if ((e = column_open(m->field, "agent.totp", x->secret.id, x->secret.totp, &plain, why)) != OK)
        return why_set(why, ERR_INTERNAL, "the agent's one-time key cannot be opened");
    secret_set(&key, plain.data, plain.len);
    if (totp_check(&key, x->totp, now, x->secret.totp_step, &step) != OK) {
        x->used = totp_check(&key, x->totp, now, -1, &step) == OK;
        return OK;
    }
    e = agent_step_take(pg, x->secret.id, step, why);
    *ret = e == OK;
    x->used = e == ERR_DENIED;
    return e == ERR_DENIED ? OK : e;
}

static enum err
attempt_check(const struct mairie *m, struct pg *pg, struct attempt *x, struct arena *a, utime now, struct why *why)
{
    struct password_cost cost = { (uint32_t)m->conf.argon2_memory_kib, (uint32_t)m->conf.argon2_passes };
    struct why unused = WHY_INIT;
    bool password_good, rehash;
    enum err e = agent_secret_find(pg, x->login, a, &x->secret, why);

    x->good = x->used = false;
    if (e == ERR_NOT_FOUND) {
        err_ignore(password_verify_nobody(str_of(x->password), &cost, &unused));    /* only its time matters */
        return OK;
    }
    if (e != OK)
        return e;
    e = password_verify(str_of(x->password), x->secret.password, &cost, &rehash, why);
    if (e != OK && e != ERR_DENIED && e != ERR_INPUT)
        return e;
    password_good = e == OK;
    /* The one-time code is spent only by who knows the password. */
    return password_good ? totp_verify(m, pg, x, now, &x->good, why) : OK;
}

static enum err
throttled(const struct mairie *m, struct http_request *req, const char *login, int64_t *ret_wait, struct why *why)
{
    int64_t by_login, by_address;
    enum err e;

    if ((e = throttle_take(http_pg(req), m->pepper, &throttle_login, login, http_now(req), &by_login, why)) != OK ||
        (e = throttle_take(http_pg(req), m->pepper, &throttle_address, http_peer(req), http_now(req), &by_address, why)) != OK)
        return e;
    *ret_wait = by_login > by_address ? by_login : by_address;
    return OK;
}

static enum err
let_in(const struct mairie *m, struct http_request *req, const struct attempt *x, struct why *why)
{
    unsigned char digest[SHA256_LEN];
    char token[TOKEN_TEXT + 2];
    utime now = http_now(req);
    enum err e;

    rand_token(TOKEN_BYTES, token, sizeof(token));
    token_digest(token, digest);
    if ((e = throttle_forgive(http_pg(req), m->pepper, &throttle_login, x->login, why)) != OK ||
        (e = throttle_forgive(http_pg(req), m->pepper, &throttle_address, http_peer(req), why)) != OK ||
        (e = counter_audit(http_pg(req), x->secret.id, "", "agent.login", "", "ok", now, why)) != OK ||
        (e = session_start(http_pg(req), digest, x->secret.id, now, now + m->conf.session_idle,
                           now + m->conf.session_max, why)) != OK)
        return e;
    http_cookie_set(req, AGENT_COOKIE, token, -1, "Strict");
    mem_wipe(token, sizeof(token));
    return OK;
}

static bool
fold_login(const char *typed, char out[AGENT_LOGIN_MAX + 1])
{
    struct str s = str_trim(str_of(typed));

    if (s.n == 0 || s.n > AGENT_LOGIN_MAX)
        return false;
    for (size_t i = 0; i < s.n; i++)
        out[i] = s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] - 'A' + 'a') : s.p[i];
    out[s.n] = '\0';
    return true;
}

static void
attempt_made(struct http_request *req, struct attempt *x)
{
    const struct mairie *m = http_app(req);
    struct why why = WHY_INIT;
    int64_t wait = 0;
    enum err e;

    if ((e = throttled(m, req, x->login, &wait, &why)) != OK) {
        mairie_fail(req, "login", e, &why);
        return;
    }
    if (wait > 0) {
        http_header_add(req, "Retry-After", arena_printf(http_arena(req), "%lld", (long long)wait / USEC_PER_SEC + 1));
        login_page(req, 429, x->login, "login", "signon.error.slow", NULL);
        return;
    }
    if ((e = attempt_check(m, http_pg(req), x, http_arena(req), http_now(req), &why)) == OK && x->good)
        e = let_in(m, req, x, &why);
    else if (e == OK)
        e = counter_audit(http_pg(req), x->secret.id[0] != '\0' ? x->secret.id : "unknown", "", "agent.login", "",
                          "denied", http_now(req), &why);
    if (e != OK)
        mairie_fail(req, "login", e, &why);
    else if (x->good)
        mairie_go(req, "/");
    else if (x->used)              /* told only to who knows the password: a second sign-in within 30 seconds */
        login_page(req, 422, x->login, "totp", "town.login.used", NULL);
    else
        login_page(req, 422, x->login, "login", "town.login.wrong", NULL);
}

void
post_login(struct http_request *req)
{
    const char *typed = http_form(req, "login"), *password = http_form(req, "password"), *totp = http_form(req, "totp");
    char login[AGENT_LOGIN_MAX + 1];
    struct attempt x = { .login = login, .password = password != NULL ? password : "", .totp = totp != NULL ? totp : "" };

    if (typed == NULL || !fold_login(typed, login)) {
        login_page(req, 422, "", "login", "error.field_empty", NULL);
        return;
    }
    if (x.password[0] == '\0') {
        login_page(req, 422, login, "password", "error.field_empty", NULL);
        return;
    }
    if (x.totp[0] == '\0') {
        login_page(req, 422, login, "totp", "town.login.totp_empty", NULL);
        return;
    }
    attempt_made(req, &x);
}

void
post_logout(struct http_request *req)
{
    const struct agent *agent = http_session(req);
    const char *token = http_cookie(req, AGENT_COOKIE);
    unsigned char digest[SHA256_LEN];
    struct why why = WHY_INIT;
    enum err e;

    token_digest(token != NULL ? token : "", digest);
    if ((e = session_end(http_pg(req), digest, &why)) != OK ||
        (e = counter_audit(http_pg(req), agent->id, "", "agent.logout", "", "ok", http_now(req), &why)) != OK) {
        mairie_fail(req, "logout", e, &why);
        return;
    }
    http_cookie_clear(req, AGENT_COOKIE);
    mairie_go(req, "/login?out=1");
}
