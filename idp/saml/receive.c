/* receive: a protocol message as it comes in by HTTP-Redirect or HTTP-POST (saml-bindings 3.4, 3.5), up to the tree. */
#include "base/core/enc.h"
#include "idp/saml/saml-internal.h"

void
saml_incoming_done(struct saml_incoming *in)
{
    saml_redirect_done(&in->query);
    if (in->doc != NULL)
        xmlFreeDoc(in->doc);
    in->doc = NULL;
}

static enum err
read_query(struct http_request *req, struct saml_incoming *in, struct why *why)
{
    enum err e;

    if ((e = saml_redirect_parse(http_raw_query(req), &in->query, why)) != OK)
        return e;
    in->redirect = true;
    in->response = in->query.response;
    if (in->query.has_relay_state)
        in->relay_state = arena_str(http_arena(req), buf_view(&in->query.relay_state));
    return gate_parse(buf_view(&in->query.xml), &gate_message, &in->doc, why);
}

static enum err
read_form(struct http_request *req, struct saml_incoming *in, struct why *why)
{
    AUTO(buf_free) struct buf xml = BUF_BOUNDED(gate_message.bytes);
    const char *request = http_form(req, "SAMLRequest"), *response = http_form(req, "SAMLResponse");
    const char *relay_state = http_form(req, "RelayState");

    if ((request == NULL) == (response == NULL))
        return why_code(why, ERR_INPUT, "saml.post.message", "no SAML message, or two");
    if (relay_state != NULL && strlen(relay_state) > SAML_RELAY_STATE_MAX)
        return why_code(why, ERR_INPUT, "saml.relay_state", "RelayState is longer than %d bytes", SAML_RELAY_STATE_MAX);
    in->response = response != NULL;
    in->relay_state = relay_state;
    if (base64_decode(str_of(in->response ? response : request), true, &xml) != OK || !buf_ok(&xml))
        return why_code(why, ERR_INPUT, "saml.post.base64", "the message is not base64, or too large");
    return gate_parse(buf_view(&xml), &gate_message, &in->doc, why);
}

enum err
saml_incoming_read(struct http_request *req, struct saml_incoming *ret, struct why *why)
{
    return http_method(req) == HTTP_GET ? read_query(req, ret, why) : read_form(req, ret, why);
}

enum err
saml_incoming_verify(const struct saml_incoming *in, const struct saml_head *head, const struct saml_sp *sp,
                     bool *ret_signed, struct why *why)
{
    bool in_query = in->redirect && saml_redirect_is_signed(&in->query);
    enum err e;

    if (in_query && (e = saml_redirect_verify(&in->query, &sp->signing, why)) != OK)
        return e;
    if (head->signature != NULL && (e = saml_verify(head->node, head->id, head->signature, &sp->signing, why)) != OK)
        return e;
    *ret_signed = in_query || head->signature != NULL;
    return OK;
}

enum err
saml_service_find(const struct services_view *view, const char *entity_id, utime now, const struct service **ret,
                  struct why *why)
{
    const struct service *sv = services_find(view, SERVICE_SAML, entity_id);
    const struct saml_sp *sp;

    if (sv == NULL)
        return why_code(why, ERR_NOT_FOUND, "saml.issuer.unknown", "no active service of this name");
    sp = sv->dialect;
    if (sp->valid_until != 0 && sp->valid_until <= now)
        return why_code(why, ERR_DENIED, "saml.metadata.expired", "the metadata of the service are past validUntil");
    *ret = sv;
    return OK;
}
