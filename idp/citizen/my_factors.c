/* /ma-page/double-verification: which second factors there are; removing one, new recovery codes. See factors.h. */
#include "idp/citizen/factors.h"

#include "base/core/log.h"
#include "idp/credential/login.h"

#define NEXT_MAX 12000                       /* of an address that still fits where it goes */
#define NEXT_KEPT 6000                       /* the same, sealed into another one */

/* --- what the pages share ----------------------------------------------------------------------------------------------- */

const char *
factors_next(struct http_request *req)
{
    const char *next = http_param(req, "suite");

    if (next == NULL || next[0] == '\0' || strlen(next) > NEXT_MAX ||
        strspn(next, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") != strlen(next))
        return NULL;
    return next;
}

const char *
factors_url(struct http_request *req, const char *path)
{
    const char *next = factors_next(req);

    return next == NULL ? path : arena_printf(http_arena(req), "%s%csuite=%s", path, strchr(path, '?') == NULL ? '?' : '&', next);
}

struct page_data *
factors_page(struct http_request *req)
{
    const char *next = factors_next(req), *other = strcmp(http_lang(req), "fr") == 0 ? "en" : "fr";
    struct page_data *d = idp_page(req);

    if (next == NULL)
        return d;
    page_str(d, "next", next);
    if (http_method(req) == HTTP_GET)
        page_str(d, "lang_href", arena_printf(http_arena(req), "?lang=%s&suite=%s", other, next));
    return d;
}

void
factors_failed(struct http_request *req, enum err e, const struct why *why)
{
    if (session_was_ended(req, why))
        return;
    LOG_ERROR_EV("citizen.factors", LF_ERR(e), LF_WHY(why));
    idp_reply_error(req, http_status_of(e), "error.unavailable", NULL);
}

bool
factors_login(struct http_request *req, const char **ret_login)
{
    const struct session *s = http_session(req);
    struct why why = WHY_INIT;
    enum err e = login_of(http_pg(req), s->account_id, http_arena(req), ret_login, &why);

    if (e != OK)
        factors_failed(req, e, &why);
    else if ((*ret_login)[0] == '\0')
        http_reply_redirect(req, arena_printf(http_arena(req), "%s/", http_base_url(req)));
    return e == OK && (*ret_login)[0] != '\0';
}

bool
factors_proved(struct http_request *req, const char *path)
{
    const char *next = factors_next(req);

    /* A sign-in that waits is a long address itself: too long a one is left, and goes on in its own tab. */
    return citizen_proved(req, next == NULL || strlen(next) <= NEXT_KEPT ? factors_url(req, path) : path);
}

struct others {
    const struct session *keep;
    struct arena *arena;
    utime now;
};

static enum err
others_still(struct pg *pg, void *arg, struct why *why)
{
    const struct others *o = arg;

    return session_still(pg, o->keep, o->now, why);
}

/* The first second factor ends the sessions that began without one. */
static enum err
others_end(struct pg *pg, void *arg, struct why *why)
{
    const struct others *o = arg;
    int64_t ended;

    return session_end_others(pg, o->keep, "factor", o->now, o->arena, &ended, why);
}

struct factor_who
factors_who(struct http_request *req)
{
    const struct idp *idp = http_app(req);
    const struct session *s = http_session(req);
    struct others *others = arena_alloc(http_arena(req), sizeof(*others));

    *others = (struct others){ s, http_arena(req), http_now(req) };
    return (struct factor_who){ .field = idp->field, .pepper = idp->pepper, .account_id = s->account_id, .now = http_now(req),
                                .still = others_still, .also = others_end, .arg = others };
}

/* --- the codes, shown once ------------------------------------------------------------------------------------------------- */

static void
codes_page(struct http_request *req, const struct factor_codes *codes)
{
    struct page_data *d = idp_page(req);
    char shown[FACTOR_RECOVERY_LEN + 3];
    const char *next = factors_next(req);

    for (size_t i = 0; i < codes->n; i++) {
        factor_code_shown(codes->code[i], shown);
        page_str(page_item(d, "codes"), "code", shown);
        mem_wipe(shown, sizeof(shown));
    }
    page_time(d, "at", http_now(req), CITIZEN_ZONE);
    page_str(d, "next_url", next != NULL ? arena_printf(http_arena(req), "/signon/%s", next) : FACTORS_URL);
    page_bool(d, "to_service", next != NULL);
    idp_reply_page(req, 200, "citizen/factor_codes.html", d);
}

void
factors_added(struct http_request *req, unsigned method, struct factor_codes *codes, const char *done)
{
    const struct session *s = http_session(req);
    struct why why = WHY_INIT;
    enum err e = OK;

    /* A session that began by certificate stays what it was: the factor is the password's. */
    if ((s->method & METHOD_PASSWORD) != 0)
        e = session_strengthen(req, method, &why);
    /* It is added all the same: a service that asks for it asks the person once more. */
    if (e != OK)
        LOG_WARN_EV("citizen.factors", LF_ERR(e), LF_WHY(&why));
    if (codes->n > 0)
        codes_page(req, codes);
    else
        http_reply_redirect(req, arena_printf(http_arena(req), "%s%s", http_base_url(req),
                                              factors_url(req, arena_printf(http_arena(req), FACTORS_URL "?fait=%s", done))));
    factor_codes_done(codes);
}

/* --- overview --------------------------------------------------------------------------------------------------------------- */

static void
used_fill(struct page_data *d, utime used_at)
{
    if (used_at != UTIME_NULL)
        page_date(d, "used", used_at, CITIZEN_ZONE);
}

static void
notice_fill(struct http_request *req, struct page_data *d)
{
    static const struct {
        const char *word, *key;
    } notices[] = {
        { "application", "citizen.factors.totp_done" }, { "cle", "citizen.factors.passkey_done" }, { "retire", "citizen.factors.removed" },
        { "absent", "citizen.factors.gone" },
    };
    const char *done = http_method(req) == HTTP_GET ? http_query(req, "fait") : NULL;

    for (size_t i = 0; done != NULL && i < ARRAY_LEN(notices); i++) {
        if (strcmp(done, notices[i].word) == 0)
            page_msg(d, "notice", notices[i].key);
    }
}

static void
overview_page(struct http_request *req, const struct factors *f)
{
    struct page_data *d = factors_page(req);

    page_str(d, "csrf", http_csrf_token(req));
    page_bool(d, "any", factors_any(f));
    page_bool(d, "totp", f->totp);
    if (f->totp) {
        page_date(d, "totp_added", f->totp_added_at, CITIZEN_ZONE);
        if (f->totp_used_at != UTIME_NULL)
            page_date(d, "totp_used", f->totp_used_at, CITIZEN_ZONE);
    } else
        page_str(d, "totp_url", factors_url(req, FACTORS_URL "/application"));
    for (size_t i = 0; i < f->npasskeys; i++) {
        struct page_data *item = page_item(d, "passkeys");

        page_str(item, "id", f->passkeys[i].id);
        page_str(item, "name", f->passkeys[i].name);
        page_date(item, "added", f->passkeys[i].added_at, CITIZEN_ZONE);
        used_fill(item, f->passkeys[i].used_at);
    }
    if (f->npasskeys < FACTOR_PASSKEYS_MAX)
        page_str(d, "passkey_url", factors_url(req, FACTORS_URL "/cle"));
    page_int(d, "recovery", f->recovery);
    page_bool(d, "recovery_few", f->recovery <= 3);
    page_str(d, "remove_url", FACTORS_URL "/retirer");
    page_str(d, "codes_url", FACTORS_URL "/codes");
    page_str(d, "back_url", "/");
    if (factors_next(req) != NULL && factors_any(f))
        page_str(d, "next_url", arena_printf(http_arena(req), "/signon/%s", factors_next(req)));
    notice_fill(req, d);
    idp_reply_page(req, 200, "citizen/factors.html", d);
}

void
get_my_factors(struct http_request *req)
{
    const struct idp *idp = http_app(req);
    const struct session *s = http_session(req);
    struct why why = WHY_INIT;
    struct factors f;
    const char *login;
    enum err e;

    if (!factors_login(req, &login))
        return;
    if ((e = factors_load(http_pg(req), idp->field, s->account_id, http_arena(req), &f, &why)) != OK)
        factors_failed(req, e, &why);
    else
        overview_page(req, &f);
}

static void
back(struct http_request *req, const char *done)
{
    http_reply_redirect(req, arena_printf(http_arena(req), "%s%s", http_base_url(req),
                                          factors_url(req, arena_printf(http_arena(req), FACTORS_URL "?fait=%s", done))));
}

void
post_my_factors_remove(struct http_request *req)
{
    const struct factor_who who = factors_who(req);
    const char *id = http_form(req, "id");
    bool totp = id != NULL && strcmp(id, "totp") == 0;
    struct why why = WHY_INIT;
    enum err e = ERR_NOT_FOUND;

    if (!factors_proved(req, FACTORS_URL))
        return;
    if (id != NULL && (totp || citizen_is_uuid(id)))
        e = factor_remove(http_pg(req), &who, totp ? NULL : id, &why);
    if (e != OK && e != ERR_NOT_FOUND)
        factors_failed(req, e, &why);
    else
        back(req, e == OK ? "retire" : "absent");         /* the second click finds it gone */
}

void
post_my_factors_codes(struct http_request *req)
{
    const struct factor_who who = factors_who(req);
    struct factor_codes codes = { .n = 0 };
    struct why why = WHY_INIT;
    enum err e;

    if (!factors_proved(req, FACTORS_URL))
        return;
    e = factor_codes_renew(http_pg(req), &who, &codes, &why);
    if (e == OK)
        codes_page(req, &codes);
    else if (e == ERR_CONFLICT || e == ERR_NOT_FOUND)
        back(req, "absent");
    else
        factors_failed(req, e, &why);
    factor_codes_done(&codes);
}
