/*
 * /signon/{flow}/factor/{proof}: the second page of a sign-in, where the account has a second factor. The protocol is in
 * factor.h.
 */
#include "idp/signon/factor.h"

#include "base/core/enc.h"
#include "base/core/log.h"
#include "idp/credential/factor.h"

static const struct throttle_rule tries = { "signon.factor", 5, 1.0 / 300, 1, 300 };
/* Who has the password and sends answers without rest fills no list of visits. */
static const struct throttle_rule notes = { "signon.passkey", 10, 1.0 / 600, 1, 3600 };

static void
unavailable(struct http_request *req, enum err e, const struct why *why)
{
    LOG_ERROR_EV("signon.factor", LF_ERR(e), LF_WHY(why));
    idp_reply_error(req, http_status_of(e), "error.unavailable", NULL);
}

/* --- who is here ------------------------------------------------------------------------------------------------------ */

struct step {
    struct flow flow;
    struct factor_proof proof;
    struct factors factors;
};

/* Why the proof does not count, for the log; NULL: it does. */
static const char *
proof_problem(struct http_request *req, const struct step *s)
{
    int64_t age = http_now(req) - s->proof.at;

    if (strcmp(s->proof.flow_id, s->flow.id) != 0)
        return "of another flow";
    if (!factor_proof_is_here(req, &s->proof))
        return "in a browser without its cookie";
    return age < -PROOF_LIFE || age > PROOF_LIFE ? "out of its time" : NULL;
}

/* False: replied. The password is asked again where its proof does not count any more. */
static bool
step_load(struct http_request *req, struct step *s)
{
    const struct idp *idp = http_app(req);
    struct why why = WHY_INIT;
    const char *problem;
    bool stands = false;
    enum err e;

    if (!signon_flow_load(req, &s->flow))
        return false;
    /* Back, reload, or the second click after a good one: the session it made goes on. */
    if (signon_session_good_for(http_session(req), &s->flow)) {
        http_reply_redirect(req, signon_flow_url(req, &s->flow, "/go"));
        return false;
    }
    e = factor_proof_open(idp, http_path_param(req, "proof"), http_arena(req), &s->proof, &why);
    problem = e != OK ? "not one of ours" : proof_problem(req, s);
    if (problem == NULL) {
        if ((e = factor_proof_stands(http_pg(req), s->proof.account_id, s->proof.at, &stands, &why)) != OK ||
            (e = factors_load(http_pg(req), idp->field, s->proof.account_id, http_arena(req), &s->factors, &why)) != OK) {
            unavailable(req, e, &why);
            return false;
        }
        problem = stands ? NULL : "of another password, or the factors are gone";
    }
    if (problem == NULL)
        return true;
    err_ignore(why_set(&why, ERR_DENIED, "the proof is %s", problem));
    signon_flow_again(req, &s->flow, &why);
    return false;
}

/* --- the page --------------------------------------------------------------------------------------------------------- */

static enum err
passkey_fill(struct http_request *req, const struct step *s, struct page_data *d, struct why *why)
{
    const struct idp *idp = http_app(req);
    AUTO(buf_free) struct buf ids = BUF_BOUNDED(FACTOR_PASSKEYS_MAX * 1500);
    struct factor_challenge challenge;
    struct webauthn_rp rp;
    const char *token;
    enum err e;

    page_bool(d, "passkey", s->factors.npasskeys > 0);
    if (s->factors.npasskeys == 0)
        return OK;
    e = factor_challenge_new(idp->field, s->flow.id, s->proof.account_id, http_now(req), http_arena(req), &challenge, &token,
                             why);
    if (e != OK)
        return e;
    for (size_t i = 0; i < s->factors.npasskeys; i++) {
        const struct webauthn_credential *c = &s->factors.passkeys[i].credential;

        buf_adds(&ids, i > 0 ? " " : "");
        base64url_encode(&ids, c->id, c->id_len);
    }
    CHECK(buf_ok(&ids));
    page_str(d, "challenge", challenge.id);
    page_str(d, "challenge_token", token);
    webauthn_rp_of(idp->conf.base_url, http_arena(req), &rp);
    page_str(d, "rp", rp.id);
    page_str(d, "credentials", buf_cstr(&ids));
    return OK;
}

static void
factor_page(struct http_request *req, const struct step *s, int status, const char *code_problem, const char *passkey_problem)
{
    struct page_data *d = idp_page(req);
    struct why why = WHY_INIT;
    enum err e;

    if ((e = passkey_fill(req, s, d, &why)) != OK) {
        unavailable(req, e, &why);
        return;
    }
    page_str(d, "csrf", http_csrf_token(req));
    page_bool(d, "totp", s->factors.totp);
    page_bool(d, "recovery", s->factors.recovery > 0);
    page_bool(d, "codes", s->factors.totp || s->factors.recovery > 0);
    page_str(d, "other_url", signon_flow_url(req, &s->flow, ""));
    if (s->flow.service_id != 0) {
        page_str(d, "cancel_url", signon_flow_url(req, &s->flow, "/cancel"));
        http_csp_form_action(req, "https:");            /* as on the first page: signon_flow.c */
    }
    if (code_problem != NULL)
        page_field_error(d, "code", code_problem);
    if (passkey_problem != NULL)
        page_field_error(d, "use_passkey", passkey_problem);
    idp_reply_page(req, status, "signon/factor.html", d);
}

void
get_signon_flow_factor(struct http_request *req)
{
    struct step s;

    if (step_load(req, &s))
        factor_page(req, &s, 200, NULL, NULL);
}

/* --- what comes --------------------------------------------------------------------------------------------------------- */

struct attempt {
    struct http_request *req;
    const struct step *step;
    const char *bucket;
    /* a code, or … */
    const char *code;
    /* … a passkey that was checked */
    const struct passkey *passkey;
    struct factor_challenge challenge;
    uint32_t count;
};

/* In the transaction that makes the session: what was proved is used up. */
static enum err
attempt_use(struct pg *pg, void *arg, struct why *why)
{
    const struct attempt *a = arg;
    const struct idp *idp = http_app(a->req);
    const char *account = a->step->proof.account_id;
    utime now = http_now(a->req);
    enum err e;

    if (a->passkey != NULL)
        return factor_passkey_use(pg, a->passkey, account, a->count, a->challenge.id, a->challenge.until, now, why);
    e = factor_is_recovery(a->code) ? factor_recovery_use(pg, idp->pepper, account, a->code, now, why)
                                    : factor_totp_use(pg, idp->field, account, a->code, now, why);
    return e != OK ? e : throttle_forgive(pg, idp->pepper, &tries, a->bucket, why);
}

/* Its holder sees on their page that somebody who has the password tried. */
static void
refused_note(struct http_request *req, const struct step *s, unsigned method, const char *result)
{
    struct why why = WHY_INIT;
    enum err e = authn_event_add(http_pg(req), s->proof.account_id, result, METHOD_PASSWORD | method, s->flow.service_id,
                                 http_peer(req), http_now(req), &why);

    if (e != OK)
        LOG_WARN_EV("signon.event", LF_ERR(e), LF_WHY(&why));
}

static void
post_code(struct http_request *req, const struct step *s)
{
    const struct idp *idp = http_app(req);
    const char *device = device_known_second(req, s->proof.name);
    struct attempt a = { .req = req, .step = s, .code = http_form(req, "code"),
                         .bucket = device != NULL ? device : s->proof.account_id };
    struct signon_finish finish = { .account_id = s->proof.account_id, .name = s->proof.name,
                                    .method = METHOD_PASSWORD | METHOD_OTP, .proved = s->proof.at, .also = attempt_use,
                                    .arg = &a };
    struct why why = WHY_INIT;
    int64_t wait;
    enum err e;

    if (a.code == NULL || a.code[0] == '\0') {
        factor_page(req, s, 422, "signon.factor.empty", NULL);
        return;
    }
    if ((e = throttle_take(http_pg(req), idp->pepper, &tries, a.bucket, http_now(req), &wait, &why)) != OK) {
        unavailable(req, e, &why);
        return;
    }
    if (wait > 0) {
        http_header_add(req, "Retry-After", arena_printf(http_arena(req), "%lld",
                                                         (long long)((wait + USEC_PER_SEC - 1) / USEC_PER_SEC)));
        factor_page(req, s, 429, "signon.factor.slow", NULL);
        return;
    }
    e = signon_flow_finish(req, &s->flow, &finish, &why);
    if (e == OK)
        return;
    if (strcmp(why.code, "login.changed") == 0) {
        signon_flow_again(req, &s->flow, &why);
        return;
    }
    if (e != ERR_INPUT && e != ERR_DENIED && e != ERR_NOT_FOUND) {
        unavailable(req, e, &why);
        return;
    }
    refused_note(req, s, METHOD_OTP, "factor");
    factor_page(req, s, 422, e == ERR_INPUT ? "signon.factor.digits" : "signon.factor.wrong", NULL);
}

static bool
octets(struct http_request *req, const char *field, struct buf *out)
{
    const char *text = http_form(req, field);

    return text != NULL && base64url_decode(str_of(text), out) == OK && buf_ok(out);
}

static const struct passkey *
passkey_named(const struct step *s, const struct buf *id)
{
    for (size_t i = 0; i < s->factors.npasskeys; i++) {
        const struct webauthn_credential *c = &s->factors.passkeys[i].credential;

        if (str_eq(buf_view(id), (struct str){ (const char *)c->id, c->id_len }))
            return &s->factors.passkeys[i];
    }
    return NULL;
}

/* The person's own passkey, the challenge of this flow, and the signature: all of it looked at, nothing written. */
static enum err
passkey_check(struct http_request *req, struct attempt *a, struct why *why)
{
    const struct idp *idp = http_app(req);
    const struct step *s = a->step;
    AUTO(buf_free) struct buf id = BUF_BOUNDED(WEBAUTHN_ID_MAX);
    AUTO(buf_free) struct buf client_data = BUF_BOUNDED(WEBAUTHN_CLIENT_DATA_MAX);
    AUTO(buf_free) struct buf auth_data = BUF_BOUNDED(WEBAUTHN_AUTH_DATA_MAX);
    AUTO(buf_free) struct buf signature = BUF_BOUNDED(WEBAUTHN_SIGNATURE_MAX);
    const char *token = http_form(req, "challenge");
    struct webauthn_rp rp;
    bool verified, answered = false;
    enum err e;

    if (token == NULL || !octets(req, "id", &id) || !octets(req, "client_data", &client_data) ||
        !octets(req, "auth_data", &auth_data) || !octets(req, "signature", &signature))
        return why_code(why, ERR_INPUT, "webauthn.malformed", "a member is missing, too long or not base64url");
    if ((a->passkey = passkey_named(s, &id)) == NULL)
        return why_code(why, ERR_DENIED, "factor.passkey", "no passkey of this account");
    e = factor_challenge_open(idp->field, s->flow.id, s->proof.account_id, token, http_now(req), http_arena(req),
                              &a->challenge, why);
    if (e != OK || (e = factor_challenge_answered(http_pg(req), a->challenge.id, &answered, why)) != OK)
        return e;
    /* A second click, or Back and once more: nothing is said of the counter. */
    if (answered)
        return why_code(why, ERR_DENIED, "factor.challenge", "the challenge was answered before");
    webauthn_rp_of(idp->conf.base_url, http_arena(req), &rp);
    return webauthn_assert(&rp, (struct str){ (const char *)a->challenge.bytes, sizeof(a->challenge.bytes) },
                           &a->passkey->credential, buf_view(&client_data), buf_view(&auth_data), buf_view(&signature),
                           &a->count, &verified, why);
}

/* Somebody may have copied the passkey: its holder is told, by mail too. */
static void
copied(struct http_request *req, const struct attempt *a)
{
    const struct idp *idp = http_app(req);
    const struct factor_who who = { .field = idp->field, .pepper = idp->pepper, .account_id = a->step->proof.account_id,
                                    .now = http_now(req) };
    struct why why = WHY_INIT;
    enum err e = factor_passkey_copied(http_pg(req), &who, a->passkey->id, &why);

    if (e != OK)
        LOG_WARN_EV("signon.factor", LF_ERR(e), LF_WHY(&why));
}

static void
passkey_refused(struct http_request *req, const struct attempt *a, bool counter)
{
    const struct idp *idp = http_app(req);
    struct why why = WHY_INIT;
    int64_t wait;
    enum err e = throttle_take(http_pg(req), idp->pepper, &notes, a->step->proof.account_id, http_now(req), &wait, &why);

    if (e != OK)
        LOG_WARN_EV("signon.factor", LF_ERR(e), LF_WHY(&why));
    if (e != OK || wait > 0)
        return;
    if (counter)
        copied(req, a);
    refused_note(req, a->step, METHOD_PASSKEY, counter ? "counter" : "factor");
}

static void
post_passkey(struct http_request *req, const struct step *s)
{
    struct attempt a = { .req = req, .step = s };
    struct signon_finish finish = { .account_id = s->proof.account_id, .name = s->proof.name,
                                    .method = METHOD_PASSWORD | METHOD_PASSKEY, .proved = s->proof.at,
                                    .also = attempt_use, .arg = &a };
    struct why why = WHY_INIT;
    bool counter;
    enum err e = passkey_check(req, &a, &why);

    if (e == OK && (e = signon_flow_finish(req, &s->flow, &finish, &why)) == OK)
        return;
    if (strcmp(why.code, "login.changed") == 0) {
        signon_flow_again(req, &s->flow, &why);
        return;
    }
    LOG_WARN_EV("signon.passkey", LF_ERR(e), LF_STR("code", why.code), LF_WHY(&why));
    if (e != ERR_INPUT && e != ERR_DENIED) {
        unavailable(req, e, &why);
        return;
    }
    counter = strcmp(why.code, "webauthn.counter") == 0;
    passkey_refused(req, &a, counter);
    factor_page(req, s, 422, NULL, counter                                          ? "signon.factor.copied"
                                   : strcmp(why.code, "factor.challenge") == 0 ? "signon.factor.stale"
                                                                                   : "signon.factor.refused");
}

void
post_signon_flow_factor(struct http_request *req)
{
    const char *act = http_form(req, "do");
    struct step s;

    if (!step_load(req, &s))
        return;
    if (act != NULL && strcmp(act, "passkey") == 0)
        post_passkey(req, &s);
    else
        post_code(req, &s);
}

/* --- a service that asks for two ------------------------------------------------------------------------------------------ */

void
factor_missing_page(struct http_request *req, const struct flow *f)
{
    struct page_data *d = idp_page(req);

    signon_service_label(req, f, d);
    page_str(d, "add_url", arena_printf(http_arena(req), "/ma-page/double-verification?suite=%s", f->token));
    page_str(d, "again_url", signon_flow_url(req, f, "?again=1"));
    if (f->service_id != 0)
        page_str(d, "cancel_url", signon_flow_url(req, f, "/cancel"));
    idp_reply_page(req, 200, "signon/factor_missing.html", d);
}
