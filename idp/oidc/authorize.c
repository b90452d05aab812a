/*
 * /oidc/authorize (OpenID Connect Core §3.1.2). An unknown client or address is told to the person, never redirected;
 * everything else goes back to the client with its state, and with iss (RFC 9207).
 */
#include "idp/oidc/oidc-internal.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/core/enc.h"
#include "base/core/log.h"
#include "base/core/rand.h"
#include "base/crypto/digest.h"

#define PARAM_MAX 2048
#define CHALLENGE_LEN 43        /* base64url of SHA-256, RFC 7636 §4.2 */

/* Everything of the request that is needed to answer it, now or after the person has signed in. */
struct authz_request {
    const char *client_id, *redirect_uri, *scope;
    const char *state, *nonce, *code_challenge;       /* NULL when absent */
    const char *acr_values, *login_hint, *lang;       /* NULL when absent */
    const char *hint_sub;                             /* whom id_token_hint names, "" when it is not ours; NULL: absent */
    bool passive, force, consent;
    int64_t max_age;                                  /* -1: absent */
};

/* --- answers by redirect ------------------------------------------------------------------------------------------------ */

static void
param_add(struct buf *url, const char *name, const char *value, bool *first)
{
    if (value == NULL)
        return;
    buf_addc(url, *first ? '?' : '&');
    *first = false;
    buf_adds(url, name);
    buf_addc(url, '=');
    url_encode(url, str_of(value));
}

static void
redirect(struct http_request *req, const struct authz_request *rq, bool iss, const char *code, const char *error,
         const char *description)
{
    const struct idp *idp = http_app(req);
    AUTO(buf_free) struct buf url = BUF_BOUNDED(16384);
    bool first = strchr(rq->redirect_uri, '?') == NULL;

    buf_adds(&url, rq->redirect_uri);
    param_add(&url, "code", code, &first);
    param_add(&url, "error", error, &first);
    param_add(&url, "error_description", description, &first);
    param_add(&url, "state", rq->state, &first);
    if (iss)
        param_add(&url, "iss", idp->conf.issuer, &first);
    CHECK(buf_ok(&url));
    http_reply_found(req, buf_cstr(&url));
}

static void
refuse(struct http_request *req, const struct service *sv, const struct authz_request *rq, const char *error,
       const char *description)
{
    LOG_INFO_EV("oidc.refused", LF_STR("client", sv->name), LF_STR("error", error), LF_STR("what", description));
    redirect(req, rq, oidc_client_of(sv)->iss_parameter, NULL, error, description);
}

static void
tell_person(struct http_request *req, const char *message_key, const char *what)
{
    LOG_INFO_EV("oidc.refused", LF_STR("what", what));
    idp_reply_error(req, 400, message_key, NULL);
}

/* --- reading --------------------------------------------------------------------------------------------------------------- */

/* prompt: a list of words; "none" stands alone (§3.1.2.1). */
static bool
prompt_read(const char *prompt, struct authz_request *rq)
{
    struct str rest = str_of(prompt);
    size_t n = 0;

    while (rest.p != NULL) {
        struct str word = str_split(rest, ' ', &rest);

        n++;
        if (str_eqs(word, "none"))
            rq->passive = true;
        else if (str_eqs(word, "login") || str_eqs(word, "select_account"))
            rq->force = true;
        else if (str_eqs(word, "consent"))
            rq->consent = true;
        else
            return false;
    }
    return !rq->passive || n == 1;
}

static bool
is_challenge(const char *s)
{
    return strlen(s) == CHALLENGE_LEN &&
           strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == CHALLENGE_LEN;
}

/* The checks whose failure the client hears of: NULL when all is well, else the error and why. */
static const char *
request_check(struct http_request *req, const struct oidc_client *c, struct authz_request *rq, const char **ret_what)
{
    const char *type = oidc_param(req, "response_type"), *mode = oidc_param(req, "response_mode");
    const char *prompt = oidc_param(req, "prompt"), *max_age = oidc_param(req, "max_age");
    const char *method = oidc_param(req, "code_challenge_method");

    if (oidc_param(req, "request") != NULL)
        return *ret_what = "request objects are not taken", E_REQUEST_UNSUPPORTED;
    if (oidc_param(req, "request_uri") != NULL)
        return *ret_what = "request_uri is not taken", E_REQUEST_URI_UNSUPPORTED;
    if (type == NULL)
        return *ret_what = "response_type is missing", E_INVALID_REQUEST;
    if (strcmp(type, "code") != 0)
        return *ret_what = "only response_type=code", E_UNSUPPORTED_RESPONSE;
    if (mode != NULL && strcmp(mode, "query") != 0)
        return *ret_what = "only response_mode=query", E_INVALID_REQUEST;
    if (rq->scope == NULL || !oidc_scope_has(rq->scope, SCOPE_OPENID))
        return *ret_what = "scope must hold openid", E_INVALID_SCOPE;
    if (prompt != NULL && !prompt_read(prompt, rq))
        return *ret_what = "prompt holds an unknown word, or none beside another", E_INVALID_REQUEST;
    if (max_age != NULL && str_to_i64(str_of(max_age), 0, INT32_MAX, &rq->max_age) != OK)
        return *ret_what = "max_age is not a number of seconds", E_INVALID_REQUEST;
    if (rq->code_challenge == NULL && method != NULL)
        return *ret_what = "code_challenge_method without code_challenge", E_INVALID_REQUEST;
    if (rq->code_challenge == NULL && c->require_pkce)
        return *ret_what = "PKCE (code_challenge) is required of this client", E_INVALID_REQUEST;
    if (rq->code_challenge != NULL && (method == NULL || strcmp(method, "S256") != 0))
        return *ret_what = "code_challenge_method must be S256", E_INVALID_REQUEST;
    if (rq->code_challenge != NULL && !is_challenge(rq->code_challenge))
        return *ret_what = "code_challenge is not 43 characters of base64url", E_INVALID_REQUEST;
    return NULL;
}

static bool
lengths_good(const struct authz_request *rq)
{
    const char *const all[] = { rq->scope, rq->state, rq->nonce, rq->acr_values, rq->login_hint };

    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (all[i] != NULL && strlen(all[i]) > PARAM_MAX)
            return false;
    }
    return true;
}

/* --- keeping the request while a person signs in (the hint stays with the flow) ----------------------------------------------------------------------------- */

static struct str
request_keep(const struct authz_request *rq, struct arena *a)
{
    AUTO(json_decrefp) json_t *root = json_pack(
        "{s:s, s:s, s:s, s:s*, s:s*, s:s*, s:s*, s:s*, s:s*, s:b, s:b, s:b, s:I}", "client_id", rq->client_id,
        "redirect_uri", rq->redirect_uri, "scope", rq->scope, "state", rq->state, "nonce", rq->nonce,
        "code_challenge", rq->code_challenge, "acr_values", rq->acr_values, "hint_sub", rq->hint_sub, "lang",
        rq->lang, "passive", rq->passive, "force", rq->force, "consent", rq->consent, "max_age", (json_int_t)rq->max_age);
    char *text;
    struct str kept;

    CHECK(root != NULL && (text = json_dumps(root, JSON_COMPACT)) != NULL);
    kept = (struct str){ arena_strdup(a, text), strlen(text) };
    free(text);
    return kept;
}

static const char *
member(const json_t *root, const char *name, struct arena *a)
{
    const char *value = json_string_value(json_object_get(root, name));

    return value == NULL ? NULL : arena_strdup(a, value);
}

static bool
request_restore(struct str state, struct arena *a, struct authz_request *ret)
{
    AUTO(json_decrefp) json_t *root = json_loadb(state.p, state.n, 0, NULL);

    *ret = (struct authz_request){
        .client_id = member(root, "client_id", a), .redirect_uri = member(root, "redirect_uri", a),
        .scope = member(root, "scope", a), .state = member(root, "state", a), .nonce = member(root, "nonce", a),
        .code_challenge = member(root, "code_challenge", a), .acr_values = member(root, "acr_values", a),
        .hint_sub = member(root, "hint_sub", a), .lang = member(root, "lang", a),
        .passive = json_is_true(json_object_get(root, "passive")),
        .force = json_is_true(json_object_get(root, "force")),
        .consent = json_is_true(json_object_get(root, "consent")),
        .max_age = json_integer_value(json_object_get(root, "max_age")),
    };
    return ret->client_id != NULL && ret->redirect_uri != NULL && ret->scope != NULL;
}

/* --- answering ------------------------------------------------------------------------------------------------------------------ */

/* What the token endpoint must compare and repeat; stored with the record of the sign-on. */
static struct str
extra_make(const struct authz_request *rq, const struct service *sv, struct arena *a)
{
    struct acr_asked acr;
    AUTO(json_decrefp) json_t *root = json_pack("{s:s, s:s, s:s*, s:s*}", "redirect_uri", rq->redirect_uri, "scope",
                                                oidc_scope_granted(rq->scope, sv, a), "nonce", rq->nonce,
                                                "code_challenge", rq->code_challenge);
    char *text;
    struct str extra;

    oidc_acr_asked(rq->acr_values, &acr);
    if (acr.mfa || acr.level)
        json_object_set_new(root, "acr_values", json_string(rq->acr_values));
    CHECK(root != NULL && (text = json_dumps(root, JSON_COMPACT)) != NULL);
    extra = (struct str){ arena_strdup(a, text), strlen(text) };
    free(text);
    return extra;
}

/* §3.1.2.1: "login_required" when the person whom the hint names is not the one who is signed in. With prompt=none a
 * hint that we cannot read is not known to name this one. */
static bool
hint_fits(const struct authz_request *rq, const char *sub)
{
    if (rq->hint_sub == NULL || (rq->hint_sub[0] == '\0' && !rq->passive))
        return true;
    return strcmp(rq->hint_sub, sub) == 0;
}

/* A form posted from another site brings no cookie of ours: the decision is made by GET, without a page in between. */
static bool
cookie_was_kept_back(const struct http_request *req)
{
    return http_method(req) == HTTP_POST && http_cookie(req, SESSION_COOKIE) == NULL;
}

static void
answer(struct http_request *req, const struct service *sv, const struct authz_request *rq, const char *flow_id,
       utime flow_started)
{
    const struct idp *idp = http_app(req);
    unsigned char digest[SHA256_LEN];
    char code[64];
    struct levels levels;
    struct signon_request ask = {
        .service = sv, .request_key = { (const char *)digest, sizeof(digest) }, .force_authn = rq->force,
        .passive = rq->passive, .max_age = rq->max_age, .login_hint = rq->login_hint, .lang = rq->lang,
        .force_consent = rq->consent,
        .without = (oidc_scope_has(rq->scope, SCOPE_AUTHZ) ? 0 : SIGNON_WITHOUT_AUTHZ) |
                   (oidc_scope_has(rq->scope, SCOPE_TOWN) ? 0 : SIGNON_WITHOUT_TOWN),
        .extra = extra_make(rq, sv, http_arena(req)), .flow_id = flow_id, .flow_started = flow_started,
    };
    struct signon_answer got;
    enum signon_outcome outcome;
    struct why why = WHY_INIT;
    enum err e;

    rand_token(32, code, sizeof(code));
    token_digest(code, digest);
    levels_read(&idp->conf, &levels);
    /* acr_values are a wish (§3.1.2.1): what nobody here can fulfil does not refuse the person. */
    if (rq->acr_values != NULL)
        ask.accept = oidc_acr_methods(rq->acr_values, &levels) & signon_methods_offered(idp);
    if (flow_id == NULL && rq->passive && cookie_was_kept_back(req)) {
        signon_ask(req, oidc_dialect.name, &ask, request_keep(rq, http_arena(req)));
        return;
    }
    if ((e = signon_decide(req, &ask, &outcome, &got, &why)) != OK) {
        LOG_ERROR_EV("oidc.authorize", LF_ERR(e), LF_WHY(&why));
        refuse(req, sv, rq, E_UNAVAILABLE, "try again later");
        return;
    }
    switch (outcome) {
    case SIGNON_ANSWERED:
        if (hint_fits(rq, got.name_id))
            redirect(req, rq, oidc_client_of(sv)->iss_parameter, code, NULL, NULL);
        else
            refuse(req, sv, rq, E_LOGIN_REQUIRED, "id_token_hint names another person");
        return;
    case SIGNON_INTERACT:
        signon_ask(req, oidc_dialect.name, &ask, request_keep(rq, http_arena(req)));
        return;
    case SIGNON_CONSENT:
        signon_ask_consent(req, oidc_dialect.name, &ask, request_keep(rq, http_arena(req)));
        return;
    case SIGNON_NO_CONSENT:
        refuse(req, sv, rq, E_CONSENT_REQUIRED, "the person must agree to what is released");
        return;
    case SIGNON_NO_PASSIVE:
        refuse(req, sv, rq, E_LOGIN_REQUIRED, "the person must sign in");
        return;
    case SIGNON_NO_METHOD:
    case SIGNON_REPLAYED:
        break;
    }
    refuse(req, sv, rq, E_ACCESS_DENIED, "no means of sign-in offered here satisfies the request");
}

void
authorize(struct http_request *req)
{
    const struct idp *idp = http_app(req);
    const struct services_view *view = services_hold(idp->services);
    struct authz_request rq = {
        .client_id = oidc_param(req, "client_id"), .redirect_uri = oidc_param(req, "redirect_uri"),
        .scope = oidc_param(req, "scope"), .state = oidc_param(req, "state"), .nonce = oidc_param(req, "nonce"),
        .code_challenge = oidc_param(req, "code_challenge"), .acr_values = oidc_param(req, "acr_values"),
        .login_hint = oidc_param(req, "login_hint"), .max_age = -1,
    };
    const char *locales = oidc_param(req, "ui_locales"), *compact = oidc_param(req, "id_token_hint"), *error, *what = "";
    struct oidc_hint hint = { .sub = "" };
    const struct service *sv = rq.client_id == NULL ? NULL : services_find(view, SERVICE_OIDC, rq.client_id);

    if (compact != NULL)
        rq.hint_sub = oidc_hint_read(req, compact, &hint) ? hint.sub : "";
    if (locales != NULL)
        rq.lang = strncmp(locales, "en", 2) == 0 ? "en" : strncmp(locales, "fr", 2) == 0 ? "fr" : NULL;
    if (sv == NULL)
        tell_person(req, "error.service_unknown", "unknown client_id");
    else if (rq.redirect_uri == NULL || !oidc_client_redirect_known(oidc_client_of(sv), rq.redirect_uri))
        tell_person(req, "error.service_redirect", "redirect_uri is not registered");
    else if (!lengths_good(&rq))
        tell_person(req, "error.service_request", "a parameter is too long");
    else if ((error = request_check(req, oidc_client_of(sv), &rq, &what)) != NULL)
        refuse(req, sv, &rq, error, what);
    else
        answer(req, sv, &rq, NULL, 0);
    services_release(view);
}

/* The client may have changed while the person signed in: everything is looked up again. */
static void
with_flow(struct http_request *req, struct str state, const char *flow_id, utime flow_started, const char *cancelled)
{
    const struct idp *idp = http_app(req);
    const struct services_view *view = services_hold(idp->services);
    struct authz_request rq;
    const struct service *sv = NULL;

    if (request_restore(state, http_arena(req), &rq))
        sv = services_find(view, SERVICE_OIDC, rq.client_id);
    if (sv == NULL || !oidc_client_redirect_known(oidc_client_of(sv), rq.redirect_uri))
        tell_person(req, "error.service_unknown", "the client is gone or its address changed");
    else if (cancelled != NULL)
        refuse(req, sv, &rq, E_ACCESS_DENIED, cancelled);
    else
        answer(req, sv, &rq, flow_id, flow_started);
    services_release(view);
}

void
authorize_resume(struct http_request *req, const char *flow_id, utime flow_started, struct str state)
{
    with_flow(req, state, flow_id, flow_started, NULL);
}

void
authorize_cancel(struct http_request *req, const char *flow_id, struct str state, bool refused)
{
    with_flow(req, state, flow_id, 0, refused ? "the person refused" : "the person cancelled");
}
