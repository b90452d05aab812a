/*
 * /saml/sso: the web browser SSO profile (saml-profiles 4.1): an AuthnRequest comes in by Redirect or POST, a Response
 * goes out by POST. Order of the checks: shape, issuer, signature, age and destination, wishes; then signon decides.
 *
 * Until the signature and the ACS are known to be right, nothing is sent to any service: the person sees a page. A
 * request is answered once: its ID is the key of the record that signon writes.
 */
#include "base/core/rand.h"
#include "base/crypto/digest.h"
#include "idp/saml/proto.h"
#include "idp/saml/saml-internal.h"

/* --- the request ----------------------------------------------------------------------------------- */
static enum err
check_signature(const struct saml_incoming *in, const struct saml_authn_request *r, const struct saml_sp *sp,
                bool *ret_signed, struct why *why)
{
    enum err e;

    if ((e = saml_incoming_verify(in, &r->head, sp, ret_signed, why)) != OK)
        return e;
    if (!*ret_signed && sp->policy.require_signed_authnrequest)
        return why_code(why, ERR_DENIED, "saml.signature.missing", "the request is not signed, and has to be");
    return OK;
}

/* From the raw request to what is meant; *ret_sv is set as soon as the service is known. */
static enum err
understand(struct http_request *req, const struct services_view *view, const struct service **ret_sv,
           const char **ret_issuer, struct saml_exchange *x, struct saml_status *ret_status, struct why *why)
{
    const struct idp *idp = http_app(req);
    const char *endpoint = arena_printf(http_arena(req), "%s/saml/sso", idp->conf.base_url);
    AUTO(saml_incoming_done) struct saml_incoming in = {.doc = NULL};
    struct saml_authn_request r;
    const struct service *sv;
    struct levels levels;
    bool is_signed;
    enum err e;

    levels_read(&idp->conf, &levels);
    if ((e = saml_incoming_read(req, &in, why)) != OK)
        return e;
    if (in.response)
        return why_code(why, ERR_INPUT, "saml.message.kind", "a SAMLResponse at the SSO endpoint");
    if ((e = saml_read_authn_request(xmlDocGetRootElement(in.doc), http_arena(req), &r, why)) != OK)
        return e;
    *ret_issuer = r.head.issuer;
    if ((e = saml_service_find(view, r.head.issuer, http_now(req), &sv, why)) != OK)
        return e;
    *ret_sv = sv;
    if ((e = check_signature(&in, &r, sv->dialect, &is_signed, why)) != OK ||
        (e = saml_check_head(&r.head, endpoint, is_signed, http_now(req), idp->conf.request_age, why)) != OK ||
        (e = saml_judge(&r, sv->dialect, idp->conf.entity_id, &levels, x, ret_status, why)) != OK)
        return e;
    x->relay_state = in.relay_state;
    return OK;
}

/* --- the decision ------------------------------------------------------------------------------------ */
/* A request is answered once, so its ID is the key. Nobody asked: a new one, and one flow is answered once. */
static void
request_key_of(const struct saml_exchange *x, const char *flow_id, unsigned char *ret)
{
    if (x->request_id != NULL)
        sha256(str_of(x->request_id), ret);
    else if (flow_id != NULL)
        sha256(str_of(flow_id), ret);
    else
        rand_bytes(ret, SHA256_LEN);
}

static struct signon_request
request_of(struct http_request *req, const struct service *sv, const struct saml_exchange *x, const char *flow_id,
           utime flow_started)
{
    unsigned char *key = arena_alloc(http_arena(req), SHA256_LEN);
    char *transient = NULL;

    request_key_of(x, flow_id, key);
    if (x->nameid == SAML_NAMEID_TRANSIENT) {
        transient = arena_alloc(http_arena(req), SAML_ID_LEN + 1);
        saml_id_new(transient);
    }
    return (struct signon_request){
        .service = sv,
        .request_key = {(const char *)key, SHA256_LEN},
        .accept = x->accept,
        .force_authn = x->force_authn,
        .passive = x->is_passive,
        .max_age = -1,
        .transient_id = transient,
        .extra = STR_NULL,
        .flow_id = flow_id,
        .flow_started = flow_started,
    };
}

static void
ask(struct http_request *req, const struct signon_request *rq, const struct saml_exchange *x, bool consent)
{
    AUTO(buf_free) struct buf state = BUF_BOUNDED(32 * 1024);

    saml_exchange_write(x, &state);
    CHECK(buf_ok(&state));
    if (consent)
        signon_ask_consent(req, saml_dialect.name, rq, buf_view(&state));
    else
        signon_ask(req, saml_dialect.name, rq, buf_view(&state));
}

static void
decide(struct http_request *req, const struct service *sv, const struct saml_exchange *x, const char *flow_id,
       utime flow_started)
{
    const struct signon_request rq = request_of(req, sv, x, flow_id, flow_started);
    enum signon_outcome outcome;
    struct signon_answer answer;
    struct why why = WHY_INIT;
    enum err e;

    if (flow_id == NULL && x->is_passive && http_method(req) == HTTP_POST &&
        http_cookie(req, SESSION_COOKIE) == NULL) {
        ask(req, &rq, x, false); /* no page: comes back by GET, with the cookie if there is one */
        return;
    }
    if ((e = signon_decide(req, &rq, &outcome, &answer, &why)) != OK) {
        saml_refuse(req, "saml.sso", sv->name, sv, e, &why);
        return;
    }
    switch (outcome) {
    case SIGNON_ANSWERED:
        saml_answer_success(req, sv, x, &answer);
        return;
    case SIGNON_INTERACT:
        ask(req, &rq, x, false);
        return;
    case SIGNON_CONSENT:
        ask(req, &rq, x, true);
        return;
    case SIGNON_NO_PASSIVE:
    case SIGNON_NO_CONSENT:
        saml_answer_status(req, sv, x, (struct saml_status){STATUS_RESPONDER, STATUS_NO_PASSIVE});
        return;
    case SIGNON_NO_METHOD:
        saml_answer_status(req, sv, x, (struct saml_status){STATUS_RESPONDER, STATUS_NO_AUTHN_CONTEXT});
        return;
    case SIGNON_REPLAYED:
        e = why_code(&why, ERR_CONFLICT, "saml.message.replayed", "this request was answered before");
        saml_refuse(req, "saml.sso", sv->name, sv, e, &why);
        return;
    }
}

static void
sso(struct http_request *req)
{
    const struct idp *idp = http_app(req);
    AUTO(saml_view_release) const struct services_view *view = services_hold(idp->services);
    const struct service *sv = NULL;
    const char *issuer = NULL;
    struct saml_exchange x;
    struct saml_status status;
    struct why why = WHY_INIT;
    enum err e = understand(req, view, &sv, &issuer, &x, &status, &why);

    if (e != OK)
        saml_refuse(req, "saml.sso", issuer, sv, e, &why);
    else if (status.status != NULL)
        saml_answer_status(req, sv, &x, status);
    else
        decide(req, sv, &x, NULL, 0);
}

void
get_saml_sso(struct http_request *req)
{
    sso(req);
}

void
post_saml_sso(struct http_request *req)
{
    sso(req);
}

/* --- /saml/start: nobody asked (saml-profiles 4.1.5) --------------------------------------------------- */
static enum err
start_exchange(struct http_request *req, const struct services_view *view, const struct service **ret_sv,
               struct saml_exchange *x, struct why *why)
{
    const char *name = http_query(req, "sp"), *relay_state = http_query(req, "RelayState");
    const struct saml_authn_request nothing = {.head = {.id = NULL}, .acs_index = -1};
    const struct service *sv;
    const struct saml_sp *sp;
    struct saml_status status;
    enum err e;

    if (name == NULL)
        return why_code(why, ERR_INPUT, "saml.start", "no parameter sp");
    if (relay_state != NULL && strlen(relay_state) > SAML_RELAY_STATE_MAX)
        return why_code(why, ERR_INPUT, "saml.relay_state", "RelayState is longer than %d bytes", SAML_RELAY_STATE_MAX);
    if ((e = saml_service_find(view, name, http_now(req), &sv, why)) != OK)
        return e;
    sp = sv->dialect;
    if (!sp->policy.allow_unsolicited)
        return why_code(why, ERR_DENIED, "saml.start", "the policy does not say allow_unsolicited");
    *ret_sv = sv;
    if ((e = saml_judge(&nothing, sp, "", &(struct levels){ .at = { 0 } }, x, &status, why)) != OK)
        return e;
    x->relay_state = relay_state;
    return OK;
}

void
get_saml_start(struct http_request *req)
{
    const struct idp *idp = http_app(req);
    AUTO(saml_view_release) const struct services_view *view = services_hold(idp->services);
    const struct service *sv = NULL;
    struct saml_exchange x;
    struct why why = WHY_INIT;
    enum err e = start_exchange(req, view, &sv, &x, &why);

    if (e != OK)
        saml_refuse(req, "saml.start", http_query(req, "sp"), sv, e, &why);
    else
        decide(req, sv, &x, NULL, 0);
}

/* --- back from the sign-in pages ------------------------------------------------------------------- */
static bool
load(struct http_request *req, const struct services_view *view, struct str state, struct saml_exchange *x,
     const struct service **ret_sv)
{
    struct why why = WHY_INIT;
    enum err e;

    if ((e = saml_exchange_read(state, http_arena(req), x, &why)) == OK &&
        (e = saml_service_find(view, x->sp, http_now(req), ret_sv, &why)) == OK)
        return true;
    saml_refuse(req, "saml.resume", e == ERR_INTERNAL ? NULL : x->sp, NULL, e, &why);
    return false;
}

void
saml_resume(struct http_request *req, const char *flow_id, utime flow_started, struct str state)
{
    const struct idp *idp = http_app(req);
    AUTO(saml_view_release) const struct services_view *view = services_hold(idp->services);
    const struct service *sv;
    struct saml_exchange x;

    if (load(req, view, state, &x, &sv))
        decide(req, sv, &x, flow_id, flow_started);
}

/* The person gave up: the service is told that nobody signed in. Or refused what it would have received (saml-core
 * 3.2.2.2, RequestDenied). */
void
saml_cancel(struct http_request *req, const char *flow_id, struct str state, bool refused)
{
    const struct idp *idp = http_app(req);
    AUTO(saml_view_release) const struct services_view *view = services_hold(idp->services);
    const struct service *sv;
    struct saml_exchange x;

    (void)flow_id;
    if (load(req, view, state, &x, &sv))
        saml_answer_status(req, sv, &x, (struct saml_status){STATUS_RESPONDER, refused ? STATUS_REQUEST_DENIED : STATUS_AUTHN_FAILED});
}
