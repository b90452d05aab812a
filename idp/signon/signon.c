/*
 * signon: decides a sign-on.
 *
 * The usual case is one statement that checks the session, its freshness and method, refuses a request seen before and
 * records the answer. Only when it answers nothing is the reason looked up: a pairwise identifier made on first use,
 * authorisations copied again after a change, or a person to be asked. If the database cannot tell, the answer is no.
 */
#include "idp/signon/certificate.h"

#include "base/core/enc.h"
#include "base/core/log.h"
#include "base/core/rand.h"
#include "idp/credential/login.h"
#include "idp/credential/trust.h"
#include "idp/services/consent.h"

unsigned
signon_methods_offered(const struct idp *idp)
{
    unsigned uses = idp->conf.cert_url[0] != '\0' ? trust_uses(idp->trust) : 0;

    return METHOD_BY_PASSWORD | ((uses & (1u << TRUST_SOFTWARE)) != 0 ? (unsigned)METHOD_SOFT_CERT : 0u) |
           ((uses & (1u << TRUST_CARD)) != 0 ? (unsigned)METHOD_CARD : 0u);
}

/* Unique per answer, and its first half is the key of the row: see session_end_by_index(). */
static const char *
session_index_make(struct arena *a, struct str request_key)
{
    AUTO(buf_free) struct buf out = BUF_BOUNDED(256);
    char random[32];

    rand_token(16, random, sizeof(random));
    base64url_encode(&out, request_key.p, request_key.n);
    buf_addf(&out, ".%s", random);
    CHECK(buf_ok(&out));
    return arena_strdup(a, buf_cstr(&out));
}

/* Nothing older than this is a good proof. In a flow the clock stops when the flow began, so that a proof made in it
 * is fresh enough however long the person takes; without a flow ForceAuthn is met by nothing. */
static utime
fresh_after(const struct signon_request *rq, utime now)
{
    utime since = rq->flow_id != NULL ? rq->flow_started : now;

    if (rq->force_authn)
        return rq->flow_id != NULL ? since : INT64_MAX / 2;
    if (rq->max_age >= 0)
        return since - rq->max_age * USEC_PER_SEC;
    return 0;
}

static enum err
answer_fill(struct http_request *req, const struct signon_request *rq, const struct signon_row *row,
            const char *agreed, struct signon_answer *ret, struct why *why)
{
    struct idp *idp = http_app(req);
    struct str *authz = arena_alloc(http_arena(req), (row->nauthz + 1) * sizeof(*authz));
    utime now = http_now(req);
    enum err e;

    memcpy(ret->account_id, row->account_id, sizeof(ret->account_id));
    ret->name_id = row->name_id;
    ret->session_index = row->session_index;
    ret->method = row->method;
    ret->auth_time = row->auth_time;
    ret->session_until = row->auth_time + idp->conf.session_max;
    ret->authz = authz;
    ret->nauthz = service_release_authz(rq->service, row->authz, row->nauthz, authz);
    ret->town = rq->service->release.town ? row->town : "";
    if (agreed != NULL) {
        ret->nauthz = consent_filter(agreed, authz, ret->nauthz);
        ret->town = consent_has(agreed, "town") ? ret->town : "";
    }
    ret->pairwise = "";
    if (rq->service->release.pairwise_attribute && rq->transient_id == NULL)
        ret->pairwise = row->name_id;
    else if (rq->service->release.pairwise_attribute) {
        char value[PAIRWISE_LEN + 1];

        e = pairwise_ensure(http_pg(req), idp->pair, row->account_id, rq->service->family, now, value, why);
        if (e != OK)
            return e;
        ret->pairwise = arena_strdup(http_arena(req), value);
    }
    if (row->session_idle < now + idp->conf.session_idle - SESSION_TOUCH) {
        unsigned char digest[32];
        struct why w = WHY_INIT;

        /* Not prolonged this time is no reason to refuse. */
        if (session_cookie_digest(req, digest))
            err_ignore(session_store_touch(http_pg(req), digest, now + idp->conf.session_idle, &w));
    }
    return OK;
}

/* What can be mended without the person: true when the statement is worth another try. */
static enum err
mend(struct http_request *req, const struct signon_ask_row *in, const struct signon_reason *reason, bool *ret_again,
     struct why *why)
{
    struct idp *idp = http_app(req);
    char value[PAIRWISE_LEN + 1];
    enum err e;

    *ret_again = false;
    if (!reason->pairwise) {
        e = pairwise_ensure(http_pg(req), idp->pair, reason->account_id, in->rq->service->family, in->now, value, why);
        if (e != OK)
            return e;
        *ret_again = true;
    }
    if (reason->authz_stale) {
        if ((e = session_store_authz(http_pg(req), in->session_digest, in->now, why)) != OK)
            return e;
        *ret_again = true;
    }
    return OK;
}

enum err
signon_decide(struct http_request *req, const struct signon_request *rq, enum signon_outcome *ret_outcome,
              struct signon_answer *ret, struct why *why)
{
    struct idp *idp = http_app(req);
    unsigned char digest[32] = { 0 };
    struct signon_ask_row in = { .rq = rq, .session_digest = digest, .now = http_now(req),
                                 .fresh_after = fresh_after(rq, http_now(req)) };
    bool cookie = session_cookie_digest(req, digest);
    struct signon_reason reason;
    struct signon_row row;
    const char *agreed = NULL;
    bool missing = false;
    enum err e;

    if (rq->accept != METHOD_ANY && (rq->accept & signon_methods_offered(idp)) == 0) {
        *ret_outcome = SIGNON_NO_METHOD;
        return OK;
    }
    if (cookie && (e = signon_consent_check(req, rq, &in, &missing, &agreed, why)) != OK)
        return e;
    if (missing) {
        *ret_outcome = rq->passive ? SIGNON_NO_CONSENT : SIGNON_CONSENT;
        return OK;
    }
    in.session_index = session_index_make(http_arena(req), rq->request_key);
    for (int tries = 0; tries < 3; tries++) {
        bool again;

        if (cookie) {
            e = signon_store_decide(http_pg(req), &in, http_arena(req), &row, why);
            if (e == OK) {
                *ret_outcome = SIGNON_ANSWERED;
                return answer_fill(req, rq, &row, agreed, ret, why);
            }
            if (e != ERR_NOT_FOUND)
                return e;
        }
        if ((e = signon_store_explain(http_pg(req), &in, http_arena(req), &reason, why)) != OK)
            return e;
        if (reason.ours) {
            /* Back or reload in the flow that made it: the same answer once more. */
            *ret_outcome = SIGNON_ANSWERED;
            return answer_fill(req, rq, &reason.row, agreed, ret, why);
        }
        if (reason.answered) {
            *ret_outcome = SIGNON_REPLAYED;
            return OK;
        }
        if (!reason.session || reason.auth_time < in.fresh_after ||
            (rq->accept != METHOD_ANY && (reason.method & rq->accept) == 0)) {
            *ret_outcome = rq->passive ? SIGNON_NO_PASSIVE : SIGNON_INTERACT;
            return OK;
        }
        if ((e = mend(req, &in, &reason, &again, why)) != OK)
            return e;
        if (!again)
            break;
    }
    return why_set(why, ERR_UNAVAILABLE, "the session changes under the sign-on");
}

/* The flow as it begins: its own address and nothing in the database (flow.c). */
static enum err
flow_begin(struct http_request *req, const char *dialect, const struct signon_request *rq, struct str state,
           const char **ret_token, struct why *why)
{
    struct idp *idp = http_app(req);
    char id[FLOW_ID_SIZE];
    struct flow f = {
        .id = id, .dialect = dialect, .service_id = rq->service == NULL ? 0 : rq->service->id, .state = state,
        .accept = rq->accept, .lang = rq->lang != NULL ? rq->lang : http_lang(req), .created_at = http_now(req),
        .without = rq->without,
    };

    flow_id_new(id);
    /* A hint that cannot be a user name of ours is often an e-mail address: it is not kept (DOMAIN 1.1). */
    if (rq->login_hint != NULL && login_name_problem(rq->login_hint) == NULL)
        f.login_hint = rq->login_hint;
    f.fresh_after = rq->force_authn ? f.created_at
                    : rq->max_age >= 0 ? f.created_at - rq->max_age * USEC_PER_SEC : 0;
    return flow_seal(idp, &f, http_arena(req), ret_token, why);
}

static void
go_to_flow(struct http_request *req, const char *dialect, const struct signon_request *rq, struct str state,
           const char *tail)
{
    /* In a flow its address stays: the session ended between the proof and the answer, or a consent is missing. */
    const char *token = rq->flow_id != NULL ? http_path_param(req, "flow") : NULL;
    struct why why = WHY_INIT;
    enum err e;

    if (token == NULL && (e = flow_begin(req, dialect, rq, state, &token, &why)) != OK) {
        LOG_ERROR_EV("signon.ask", LF_ERR(e), LF_WHY(&why));
        if (e == ERR_INPUT)
            idp_reply_error(req, 400, "error.service_request", NULL);
        else
            idp_reply_error(req, http_status_of(e), "error.unavailable", NULL);
        return;
    }
    http_reply_redirect(req, arena_printf(http_arena(req), "%s/signon/%s%s", http_base_url(req), token, tail));
}

void
signon_ask(struct http_request *req, const char *dialect, const struct signon_request *rq, struct str state)
{
    go_to_flow(req, dialect, rq, state, rq->flow_id == NULL && rq->passive ? "/go" : "");
}

#define PROOF_AGE (10 * USEC_PER_MIN)
#define PROOF_SHOWN (10 * USEC_PER_MIN)

bool
signon_proof_is_fresh(const struct http_request *req)
{
    const struct session *s = http_session(req);
    const int64_t most = PROOF_AGE + (http_method(req) == HTTP_POST ? PROOF_SHOWN : 0), age = http_now(req) - s->auth_time;

    return age >= -most && age <= most;      /* a clock that was set back makes no old proof new */
}

void
signon_prove_again(struct http_request *req, const struct signon_request *again, const char *path)
{
    struct signon_request rq = *again;

    rq.force_authn = true;
    rq.max_age = -1;
    signon_ask(req, "own", &rq, str_of(path));
}

void
signon_ask_consent(struct http_request *req, const char *dialect, const struct signon_request *rq, struct str state)
{
    go_to_flow(req, dialect, rq, state, "/consent");
}

void
signon_ask_certificate(struct http_request *req, const char *dialect, const struct signon_request *rq, struct str state,
                       bool card)
{
    go_to_flow(req, dialect, rq, state, certificate_tail(http_app(req), card));
}
