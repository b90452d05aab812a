/*
 * /ma-page/double-verification/application: a program that shows codes. The key is drawn for the page and travels with it, sealed
 * for this account; it is kept once a code of it was typed.
 */
#include "idp/citizen/factors.h"

#include "base/core/enc.h"
#include "base/core/log.h"
#include "base/crypto/totp.h"
#include "idp/signon/throttle.h"

#define PATH FACTORS_URL "/application"
#define PLACE "factor_totp.offer"
#define TOKEN_MAX 512
#define OFFER_LIFE (60 * USEC_PER_MIN)

static const struct throttle_rule tries = { "factor.totp", 10, 1.0 / 60, 1, 60 };

/* --- the key that a page offers --------------------------------------------------------------------------------------------- */

/* The account: a page that somebody else was given is no good here. After signing in again the page is still good. */
static const char *
offer_place(struct http_request *req)
{
    const struct session *s = http_session(req);

    return s->account_id;
}

static enum err
offer_seal(struct http_request *req, const struct secret *key, const char **ret, struct why *why)
{
    const struct idp *idp = http_app(req);
    AUTO(buf_free) struct buf plain = BUF_SECRET(TOKEN_MAX);
    AUTO(buf_free) struct buf sealed = BUF_BOUNDED(TOKEN_MAX);
    AUTO(buf_free) struct buf token = BUF_SECRET(2 * TOKEN_MAX);

    buf_addf(&plain, "%lld\n", (long long)http_now(req));
    buf_add(&plain, key->data, key->len);
    if (!buf_ok(&plain) || column_seal(idp->field, PLACE, offer_place(req), buf_view(&plain), &sealed) != OK)
        return why_set(why, ERR_INTERNAL, "the key cannot be sealed");
    base64url_encode(&token, sealed.data, sealed.len);
    *ret = arena_strdup(http_arena(req), buf_cstr(&token));
    return OK;
}

static bool
offer_open(struct http_request *req, const char *token, struct secret *ret)
{
    const struct idp *idp = http_app(req);
    AUTO(buf_free) struct buf plain = BUF_SECRET(TOKEN_MAX);
    AUTO(buf_free) struct buf sealed = BUF_BOUNDED(TOKEN_MAX);
    struct str rest, at;
    utime made;

    if (token == NULL || base64url_decode(str_of(token), &sealed) != OK ||
        column_open(idp->field, PLACE, offer_place(req), buf_view(&sealed), &plain, NULL) != OK)
        return false;
    at = str_split(buf_view(&plain), '\n', &rest);
    if (rest.n != TOTP_KEY_LEN || str_to_i64(at, 0, INT64_MAX, &made) != OK || http_now(req) - made > OFFER_LIFE)
        return false;
    secret_set(ret, rest.p, rest.n);
    return true;
}

/* --- the page ------------------------------------------------------------------------------------------------------------------- */

/* "JBSW Y3DP …", as people type it. */
static void
key_fill(struct page_data *d, const struct secret *key)
{
    AUTO(buf_free) struct buf text = BUF_SECRET(128);
    AUTO(buf_free) struct buf shown = BUF_SECRET(128);

    base32_encode(&text, key->data, key->len);
    for (size_t i = 0; i < text.len; i++) {
        if (i > 0 && i % 4 == 0)
            buf_addc(&shown, ' ');
        buf_addc(&shown, text.data[i]);
    }
    page_str(d, "key", buf_cstr(&shown));
}

static void
totp_page(struct http_request *req, int status, const struct secret *key, const char *login, const char *problem)
{
    const struct idp *idp = http_app(req);
    bool french = strcmp(http_lang(req), "fr") == 0;
    AUTO(buf_free) struct buf uri = BUF_SECRET(1024);
    AUTO(buf_free) struct buf svg = BUF_SECRET(64 * 1024);
    struct page_data *d = factors_page(req);
    struct why why = WHY_INIT;
    const char *token = "";
    enum err e;

    totp_uri(key, french ? idp->conf.name_fr : idp->conf.name_en, login, &uri);
    if ((e = offer_seal(req, key, &token, &why)) != OK) {
        factors_failed(req, e, &why);
        return;
    }
    page_str(d, "csrf", http_csrf_token(req));
    page_str(d, "offer", token);
    page_str(d, "uri", buf_cstr(&uri));
    key_fill(d, key);
    /* A name too long for any code leaves the key to be typed. */
    if (page_qr(buf_cstr(&uri), page_message(idp->pages, http_lang(req), "citizen.factors.totp_qr", d, http_arena(req)), &svg, &why) == OK)
        page_html(d, "qr", (struct str){ arena_str(http_arena(req), buf_view(&svg)), svg.len });
    page_str(d, "back_url", factors_url(req, FACTORS_URL));
    if (problem != NULL)
        page_field_error(d, "code", problem);
    idp_reply_page(req, status, "citizen/factor_totp.html", d);
}

void
get_my_totp(struct http_request *req)
{
    AUTO(secret_done) struct secret key = SECRET_INIT;
    const char *login;

    if (!factors_proved(req, PATH) || !factors_login(req, &login))
        return;
    totp_key_new(&key);
    totp_page(req, 200, &key, login, NULL);
}

static enum err
add(struct http_request *req, const struct secret *key, const char *typed, struct factor_codes *codes, struct why *why)
{
    const struct idp *idp = http_app(req);
    struct factor_who who = factors_who(req);
    int64_t wait;
    enum err e;

    if ((e = throttle_take(http_pg(req), idp->pepper, &tries, who.account_id, who.now, &wait, why)) != OK)
        return e;
    if (wait > 0)
        return why_code(why, ERR_DENIED, "factor.slow", "too many wrong codes");
    return factor_totp_add(http_pg(req), &who, key, typed, codes, why);
}

void
post_my_totp(struct http_request *req)
{
    AUTO(secret_done) struct secret key = SECRET_INIT;
    const char *typed = http_form(req, "code"), *login;
    struct factor_codes codes = { .n = 0 };
    struct why why = WHY_INIT;
    enum err e;

    if (!factors_proved(req, PATH) || !factors_login(req, &login))
        return;
    if (!offer_open(req, http_form(req, "offer"), &key)) {
        /* Of another session, or an hour old: a new key. */
        totp_key_new(&key);
        totp_page(req, 422, &key, login, "citizen.factors.totp_stale");
        return;
    }
    if (typed == NULL || typed[0] == '\0') {
        totp_page(req, 422, &key, login, "signon.factor.empty");
        return;
    }
    e = add(req, &key, typed, &codes, &why);
    if (e != OK && session_was_ended(req, &why))
        return;
    if (e == OK)
        factors_added(req, METHOD_OTP, &codes, "application");
    else if (e == ERR_CONFLICT)
        totp_page(req, 422, &key, login, "citizen.factors.totp_other");
    else if (e == ERR_INPUT || e == ERR_DENIED)
        totp_page(req, strcmp(why.code, "factor.slow") == 0 ? 429 : 422, &key, login,
                  strcmp(why.code, "factor.slow") == 0 ? "signon.factor.slow"
                  : e == ERR_INPUT                       ? "citizen.factors.totp_digits"
                                                         : "citizen.factors.totp_wrong");
    else
        factors_failed(req, e, &why);
    factor_codes_done(&codes);
}
