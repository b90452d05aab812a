/*
 * /ma-page/double-verification/cle: a passkey (W3C Web Authentication §7.1). The browser's script makes it and fills the form;
 * without script the page says so, and what works instead. The challenge is bound to account and session.
 */
#include "idp/citizen/factors.h"

#include "base/core/enc.h"
#include "base/core/log.h"

#define PATH FACTORS_URL "/cle"

/* The session by its digest: a challenge of another one is no good here. */
static const char *
challenge_place(struct http_request *req)
{
    const struct session *s = http_session(req);
    AUTO(buf_free) struct buf text = BUF_BOUNDED(128);

    hex_encode(&text, s->digest, sizeof(s->digest));
    return arena_strdup(http_arena(req), buf_cstr(&text));
}

static enum err
challenge_fill(struct http_request *req, struct page_data *d, const char *login, struct why *why)
{
    const struct idp *idp = http_app(req);
    const struct session *s = http_session(req);
    AUTO(buf_free) struct buf user = BUF_BOUNDED(64);
    AUTO(buf_free) struct buf known = BUF_BOUNDED(FACTOR_PASSKEYS_MAX * 1500);
    unsigned char handle[MAC_LEN];
    struct factor_challenge challenge;
    struct webauthn_rp rp;
    struct factors f;
    const char *token;
    enum err e;

    if ((e = factors_load(http_pg(req), idp->field, s->account_id, http_arena(req), &f, why)) != OK ||
        (e = factor_user_handle(idp->pepper, s->account_id, handle, why)) != OK ||
        (e = factor_challenge_new(idp->field, challenge_place(req), s->account_id, http_now(req), http_arena(req), &challenge,
                                  &token, why)) != OK)
        return e;
    for (size_t i = 0; i < f.npasskeys; i++) {
        buf_adds(&known, i > 0 ? " " : "");
        base64url_encode(&known, f.passkeys[i].credential.id, f.passkeys[i].credential.id_len);
    }
    base64url_encode(&user, handle, sizeof(handle));
    webauthn_rp_of(idp->conf.base_url, http_arena(req), &rp);
    page_str(d, "challenge", challenge.id);
    page_str(d, "challenge_token", token);
    page_str(d, "rp", rp.id);
    page_str(d, "rp_name", strcmp(http_lang(req), "fr") == 0 ? idp->conf.name_fr : idp->conf.name_en);
    page_str(d, "user", buf_cstr(&user));
    page_str(d, "user_name", login);
    page_str(d, "credentials", buf_cstr(&known));
    return OK;
}

struct problems {
    const char *name, *passkey;              /* keys of sentences, NULL: none */
};

static void
passkey_page(struct http_request *req, int status, const char *login, const char *name, const struct problems *p)
{
    struct page_data *d = factors_page(req);
    struct why why = WHY_INIT;
    enum err e;

    if ((e = challenge_fill(req, d, login, &why)) != OK) {
        factors_failed(req, e, &why);
        return;
    }
    page_str(d, "csrf", http_csrf_token(req));
    page_str(d, "name", name);
    page_str(d, "back_url", factors_url(req, FACTORS_URL));
    if (p != NULL && p->name != NULL)
        page_field_error(d, "name", p->name);
    if (p != NULL && p->passkey != NULL)
        page_field_error(d, "make_passkey", p->passkey);
    idp_reply_page(req, status, "citizen/factor_passkey.html", d);
}

void
get_my_passkey(struct http_request *req)
{
    const char *login;

    if (factors_proved(req, PATH) && factors_login(req, &login))
        passkey_page(req, 200, login, "", NULL);
}

static bool
octets(struct http_request *req, const char *field, struct buf *out)
{
    const char *text = http_form(req, field);

    return text != NULL && base64url_decode(str_of(text), out) == OK && buf_ok(out);
}

static enum err
add(struct http_request *req, const char *name, struct factor_codes *codes, struct why *why)
{
    const struct idp *idp = http_app(req);
    AUTO(buf_free) struct buf client_data = BUF_BOUNDED(WEBAUTHN_CLIENT_DATA_MAX);
    AUTO(buf_free) struct buf attestation = BUF_BOUNDED(WEBAUTHN_ATTESTATION_MAX);
    struct factor_who who = factors_who(req);
    const char *token = http_form(req, "challenge");
    struct webauthn_credential credential;
    struct factor_challenge challenge;
    struct webauthn_rp rp;
    enum err e;

    if (token == NULL || !octets(req, "client_data", &client_data) || !octets(req, "attestation", &attestation))
        return why_code(why, ERR_INPUT, "webauthn.malformed", "a member is missing, too long or not base64url");
    webauthn_rp_of(idp->conf.base_url, http_arena(req), &rp);
    if ((e = factor_challenge_open(idp->field, challenge_place(req), who.account_id, token, who.now, http_arena(req), &challenge,
                                   why)) != OK ||
        (e = webauthn_register(&rp, (struct str){ (const char *)challenge.bytes, sizeof(challenge.bytes) },
                               buf_view(&client_data), buf_view(&attestation), &credential, why)) != OK)
        return e;
    return factor_passkey_add(http_pg(req), &who, &credential, name, &challenge, codes, why);
}

static const char *
problem_of(const struct why *why)
{
    static const struct {
        const char *code, *key;
    } problems[] = {
        { "factor.known", "citizen.factors.passkey_known" },
        { "factor.full", "citizen.factors.passkey_full" },
        { "factor.challenge", "citizen.factors.passkey_stale" },
        { "webauthn.algorithm", "citizen.factors.passkey_kind" },
        { "webauthn.attestation", "citizen.factors.passkey_kind" },
    };

    for (size_t i = 0; i < ARRAY_LEN(problems); i++) {
        if (strcmp(why->code, problems[i].code) == 0)      /* lint: secret-compare: names of refusals */
            return problems[i].key;
    }
    return "citizen.factors.passkey_refused";
}

void
post_my_passkey(struct http_request *req)
{
    const char *name = http_form(req, "name"), *login;
    struct problems p = { factor_name_problem(name), NULL };
    struct factor_codes codes = { .n = 0 };
    struct why why = WHY_INIT;
    enum err e;

    if (!factors_proved(req, PATH) || !factors_login(req, &login))
        return;
    if (p.name != NULL) {
        passkey_page(req, 422, login, name != NULL ? name : "", &p);
        return;
    }
    e = add(req, name, &codes, &why);
    if (e != OK && session_was_ended(req, &why))
        return;
    if (e == OK)
        factors_added(req, METHOD_PASSKEY, &codes, "cle");
    else if (e == ERR_INPUT || e == ERR_DENIED || e == ERR_CONFLICT) {
        LOG_WARN_EV("citizen.passkey", LF_ERR(e), LF_STR("code", why.code), LF_WHY(&why));
        p.passkey = problem_of(&why);
        passkey_page(req, 422, login, name, &p);
    } else
        factors_failed(req, e, &why);
    factor_codes_done(&codes);
}
