/*
 * /saml/slo: single logout (saml-profiles 4.4), front channel: a service asks by Redirect or POST, one pass of signon ends
 * the session and queues the notices for its other services, the answer goes back by the same binding.
 *
 * A LogoutRequest must be signed: it ends somebody's session. Doing it twice is harmless, so its ID is not kept; its
 * age and NotOnOrAfter are checked. Other services of the session are told by the worker, later and at least once, so
 * with others in the session the answer is Success with PartialLogout: not known yet whether all of them took it.
 */
#include "base/core/log.h"
#include "idp/saml/proto.h"
#include "idp/saml/saml-internal.h"
#include "idp/saml/write.h"

/* --- the request ----------------------------------------------------------------------------------- */
struct logout {
    struct saml_logout_request r;
    const struct service *sv;
    bool redirect;
    const char *relay_state;
};

static enum err
check_logout(const struct saml_incoming *in, const struct logout *l, const char *endpoint, utime now, int64_t max_age,
             struct why *why)
{
    bool is_signed;
    enum err e;

    if ((e = saml_incoming_verify(in, &l->r.head, l->sv->dialect, &is_signed, why)) != OK)
        return e;
    if (!is_signed)
        return why_code(why, ERR_DENIED, "saml.signature.missing", "a LogoutRequest has to be signed");
    if ((e = saml_check_head(&l->r.head, endpoint, true, now, max_age, why)) != OK)
        return e;
    if (l->r.not_on_or_after != 0 && l->r.not_on_or_after <= now)
        return why_code(why, ERR_INPUT, "saml.message.old", "NotOnOrAfter is over");
    return OK;
}

static enum err
understand(struct http_request *req, const struct services_view *view, const char **ret_issuer, struct logout *l,
           struct why *why)
{
    const struct idp *idp = http_app(req);
    const char *endpoint = arena_printf(http_arena(req), "%s/saml/slo", idp->conf.base_url);
    AUTO(saml_incoming_done) struct saml_incoming in = {.doc = NULL};
    enum err e;

    if ((e = saml_incoming_read(req, &in, why)) != OK)
        return e;
    if (in.response)
        return why_code(why, ERR_INPUT, "saml.message.unsolicited", "a LogoutResponse to a request we did not make");
    if ((e = saml_read_logout_request(xmlDocGetRootElement(in.doc), http_arena(req), &l->r, why)) != OK)
        return e;
    l->redirect = in.redirect;
    l->relay_state = in.relay_state;
    *ret_issuer = l->r.head.issuer;
    if ((e = saml_service_find(view, l->r.head.issuer, http_now(req), &l->sv, why)) != OK)
        return e;
    return check_logout(&in, l, endpoint, http_now(req), idp->conf.request_age, why);
}

/* --- the answer ------------------------------------------------------------------------------------ */
static const struct saml_endpoint *
answer_endpoint(const struct logout *l)
{
    const struct saml_endpoint *same = saml_sp_slo(l->sv->dialect, l->redirect ? SAML_REDIRECT : SAML_POST);

    return same != NULL ? same : saml_sp_slo(l->sv->dialect, l->redirect ? SAML_POST : SAML_REDIRECT);
}

static enum err
send_answer(struct http_request *req, const struct logout *l, const struct saml_endpoint *to, struct saml_status status,
            struct why *why)
{
    const struct idp *idp = http_app(req);
    const struct saml_signer signer = saml_signer_of(idp);
    AUTO(buf_free) struct buf xml = BUF_BOUNDED(SAML_MESSAGE_MAX);
    AUTO(buf_free) struct buf url = BUF_BOUNDED(SAML_MESSAGE_MAX);
    char id[SAML_ID_LEN + 1];
    const struct saml_response r = {
        .id = id,
        .issuer = idp->conf.entity_id,
        .destination = to->response_location,
        .in_response_to = l->r.head.id,
        .now = http_now(req),
        .status = status.status,
        .substatus = status.substatus,
    };
    enum err e;

    saml_id_new(id);
    if ((e = saml_write_logout_response(&r, to->binding == SAML_POST ? &signer : NULL, &xml, why)) != OK)
        return e;
    if (to->binding == SAML_POST) {
        saml_post_page(req, l->sv, to->response_location, "SAMLResponse", buf_view(&xml), l->relay_state);
        return OK;
    }
    e = saml_redirect_write(to->response_location, true, buf_view(&xml),
                            l->relay_state == NULL ? STR_NULL : str_of(l->relay_state), idp->saml_key, &url, why);
    if (e == OK)
        http_reply_found(req, buf_cstr(&url));
    return e;
}

static void
answer(struct http_request *req, const struct logout *l, struct saml_status status,
       const struct session_participant *told, size_t n)
{
    const struct saml_endpoint *to = answer_endpoint(l);
    struct why why = WHY_INIT;
    enum err e;

    if (to == NULL) { /* the service does not say where it wants to hear: tell the person */
        signon_logout_page(req, told, n);
        return;
    }
    if ((e = send_answer(req, l, to, status, &why)) != OK)
        saml_refuse(req, "saml.slo", l->sv->name, l->sv, e, &why);
}

/* --- the act --------------------------------------------------------------------------------------- */
static bool
has_others(const struct session_participant *told, size_t n, int32_t service_id)
{
    size_t i;

    for (i = 0; i < n; i++)
        if (told[i].service_id != service_id)
            return true;
    return false;
}

/* Every index named; none named: all sessions of the subject with this service. */
static enum err
end_sessions(struct http_request *req, const struct logout *l, bool *ret_others, struct session_participant **ret_told,
             size_t *ret_n, struct why *why)
{
    size_t i, n = l->r.nindexes == 0 ? 1 : l->r.nindexes;
    bool found = false;

    *ret_others = false;
    for (i = 0; i < n; i++) {
        const char *index = l->r.nindexes == 0 ? NULL : l->r.indexes[i];
        enum err e = session_end_by_index(req, l->sv->id, l->r.name_id.value, index, ret_told, ret_n, why);

        if (e != OK && e != ERR_NOT_FOUND)
            return e;
        if (e != OK)
            continue;
        found = true;
        *ret_others |= has_others(*ret_told, *ret_n, l->sv->id);
    }
    return found ? OK : ERR_NOT_FOUND;
}

static void
slo(struct http_request *req)
{
    const struct idp *idp = http_app(req);
    AUTO(saml_view_release) const struct services_view *view = services_hold(idp->services);
    struct session_participant *told = NULL;
    struct saml_status status = {STATUS_SUCCESS, NULL};
    const char *issuer = NULL;
    struct logout l = {.sv = NULL};
    struct why why = WHY_INIT;
    bool others = false;
    size_t n = 0;
    enum err e;

    if ((e = understand(req, view, &issuer, &l, &why)) != OK) {
        saml_refuse(req, "saml.slo", issuer, l.sv, e, &why);
        return;
    }
    if (l.r.head.version != 0)
        status = (struct saml_status){STATUS_VERSION_MISMATCH, NULL};
    else if ((e = end_sessions(req, &l, &others, &told, &n, &why)) == ERR_NOT_FOUND)
        status = (struct saml_status){STATUS_REQUESTER, STATUS_UNKNOWN_PRINCIPAL};
    else if (e != OK) {
        LOG_ERROR_EV("saml.slo", LF_STR("service", l.sv->name), LF_ERR(e), LF_WHY(&why));
        status = (struct saml_status){STATUS_RESPONDER, NULL};
    } else if (others)
        status.substatus = STATUS_PARTIAL_LOGOUT;
    answer(req, &l, status, told, n);
}

void
get_saml_slo(struct http_request *req)
{
    slo(req);
}

void
post_saml_slo(struct http_request *req)
{
    slo(req);
}
