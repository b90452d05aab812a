/*
 * notice: tells a service that a session of it ended, by SOAP from the worker (saml-profiles 4.4.3.2, back channel).
 *
 * The job's payload is "<service id> <name id> <session index>". A service without a SOAP address cannot be told: its
 * own session ends at SessionNotOnOrAfter at the latest, and the page after the logout names it. Signed both ways where
 * the service has a key; an unsigned answer over TLS from the registered address is taken, a wrongly signed one is not.
 */
#include "base/core/log.h"
#include "base/http/client.h"
#include "idp/saml/proto.h"
#include "idp/saml/saml-internal.h"
#include "idp/saml/write.h"

#define NOTICE_TIMEOUT (10 * USEC_PER_SEC)
#define NOTICE_LIFE (5 * USEC_PER_MIN)

struct notice {
    int32_t service_id;
    const char *name_id, *session_index;
};

static enum err
read_payload(struct str payload, struct arena *a, struct notice *ret, struct why *why)
{
    struct str rest, id = str_split(payload, ' ', &rest), index, name = str_split(rest, ' ', &index);
    int64_t n;

    if (str_to_i64(id, 1, INT32_MAX, &n) != OK || name.n == 0 || index.n == 0)
        return why_code(why, ERR_INTERNAL, "saml.notice", "the payload is not one of ours");
    *ret = (struct notice){(int32_t)n, arena_str(a, name), arena_str(a, index)};
    return OK;
}

static enum err
write_request(const struct idp *idp, const struct notice *n, const struct saml_sp *sp, const struct saml_endpoint *to,
              const char *id, utime now, struct buf *out, struct why *why)
{
    const struct saml_signer signer = saml_signer_of(idp);
    AUTO(buf_free) struct buf xml = BUF_BOUNDED(SAML_MESSAGE_MAX);
    const struct saml_logout l = {
        .id = id,
        .issuer = idp->conf.entity_id,
        .destination = to->location,
        .now = now,
        .not_on_or_after = now + NOTICE_LIFE,
        .audience = sp->entity_id,
        .name_id = n->name_id,
        /* Transient identifiers are IDs of ours and begin with '_', which the pairwise ones never do. */
        .name_id_format = n->name_id[0] == '_' ? NAMEID_TRANSIENT : NAMEID_PERSISTENT,
        .session_index = n->session_index,
    };
    enum err e;

    if ((e = saml_write_logout_request(&l, &signer, &xml, why)) != OK)
        return e;
    saml_write_soap(buf_view(&xml), out);
    return OK;
}

/* The answer is about our request, signed rightly if at all. What it says is for the log: the session is over here. */
static enum err
read_answer(struct str body, const char *id, const struct saml_sp *sp, struct arena *a, struct why *why)
{
    AUTO(gate_doc_freep) xmlDoc *doc = NULL;
    struct saml_logout_response r;
    xmlNode *message;
    enum err e;

    if ((e = gate_parse(body, &gate_message, &doc, why)) != OK ||
        (e = saml_read_soap(xmlDocGetRootElement(doc), &message, why)) != OK ||
        (e = saml_read_logout_response(message, a, &r, why)) != OK)
        return e;
    if (r.head.signature != NULL &&
        (e = saml_verify(r.head.node, r.head.id, r.head.signature, &sp->signing, why)) != OK)
        return e;
    if (r.in_response_to == NULL || strcmp(r.in_response_to, id) != 0)
        return why_code(why, ERR_INPUT, "saml.notice.answer", "the answer is about another request");
    if (strcmp(r.status, STATUS_SUCCESS) != 0)
        LOG_INFO_EV("saml.notice", LF_STR("service", sp->entity_id), LF_STR("status", r.status),
                    LF_STR("substatus", r.substatus == NULL ? "" : r.substatus));
    return OK;
}

static enum err
call(const struct idp *idp, const struct saml_sp *sp, const struct saml_endpoint *to, const struct buf *request,
     struct http_answer *ret, struct why *why)
{
    static const char *const headers[] = {"Content-Type: text/xml; charset=UTF-8",
                                          "SOAPAction: \"http://www.oasis-open.org/committees/security\"", NULL};
    const struct http_client_config conf = {
        .ca_file = idp->conf.outgoing_ca[0] == '\0' ? NULL : idp->conf.outgoing_ca,
        .allow_private = sp->policy.allow_private || idp->conf.environment != ENVIRONMENT_PRODUCTION,
        .connect_timeout = NOTICE_TIMEOUT,
        .timeout = NOTICE_TIMEOUT,
        .answer_max = gate_message.bytes,
    };
    AUTO(http_client_freep) struct http_client *client = NULL;
    enum err e;

    if ((e = http_client_new(&conf, &client, why)) != OK)
        return e;
    return http_call(client, "POST", to->location, headers, buf_view(request), ret, why);
}

static enum err
tell(const struct idp *idp, const struct notice *n, const struct saml_sp *sp, const struct saml_endpoint *to,
     struct arena *a, struct why *why)
{
    AUTO(buf_free) struct buf request = BUF_BOUNDED(2 * SAML_MESSAGE_MAX);
    char id[SAML_ID_LEN + 1];
    struct http_answer answer;
    enum err e;

    saml_id_new(id);
    if ((e = write_request(idp, n, sp, to, id, clock_now(), &request, why)) != OK ||
        (e = call(idp, sp, to, &request, &answer, why)) != OK)
        return e;
    if (answer.status >= 500 && answer.body.len == 0)
        e = why_code(why, ERR_UNAVAILABLE, "saml.notice.status", "status %d", answer.status);
    else
        e = read_answer(buf_view(&answer.body), id, sp, a, why);
    http_answer_done(&answer);
    return e;
}

enum err
saml_logout_notice(struct idp *idp, struct pg *pg, struct str job_payload, struct why *why)
{
    AUTO(saml_view_release) const struct services_view *view = services_hold(idp->services);
    AUTO(arena_freep) struct arena *a = arena_new(256 * 1024);
    const struct saml_endpoint *to;
    const struct service *sv;
    struct notice n = {.service_id = 0};
    enum err e;

    (void)pg;
    if ((e = read_payload(job_payload, a, &n, why)) != OK)
        return e;
    sv = services_by_id(view, n.service_id);
    if (sv == NULL || sv->kind != SERVICE_SAML || (to = saml_sp_slo(sv->dialect, SAML_SOAP)) == NULL)
        return OK;
    return tell(idp, &n, sv->dialect, to, a, why);
}
