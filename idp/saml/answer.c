/*
 * answer: what leaves us for a service: Responses by the HTTP-POST binding, and the page for the person where the
 * service cannot be told.
 *
 * A refusal is always signed as a whole; a success as the service's policy says. Chromium holds the redirects that
 * follow a form's POST against form-action too, and many services send the browser on to another host of theirs: the
 * page that posts holds one form, written by us, so any https address is let through beside the registered one.
 */
#include "base/core/enc.h"
#include "base/core/log.h"
#include "idp/saml/encrypt.h"
#include "idp/saml/proto.h"
#include "idp/saml/saml-internal.h"
#include "idp/saml/write.h"

#define NOT_BEFORE_BACK USEC_PER_MIN /* a service's clock may be behind by so much */

struct saml_signer
saml_signer_of(const struct idp *idp)
{
    return (struct saml_signer){idp->saml_key, buf_view(&idp->saml_cert)};
}

/* --- pages ----------------------------------------------------------------------------------------- */
static const char *
label_of(struct http_request *req, const struct service *sv)
{
    return strcmp(http_lang(req), "fr") == 0 ? sv->label_fr : sv->label_en;
}

static void
add_field(struct page_data *d, const char *name, const char *value)
{
    struct page_data *field = page_item(d, "fields");

    page_str(field, "name", name);
    page_str(field, "value", value);
}

void
saml_post_page(struct http_request *req, const struct service *sv, const char *location, const char *field,
               struct str xml, const char *relay_state)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(2 * SAML_MESSAGE_MAX);
    struct page_data *d = idp_page(req);

    base64_encode(&text, xml.p, xml.n);
    page_str(d, "action", location);
    page_str(d, "service", label_of(req, sv));
    add_field(d, field, buf_cstr(&text));
    if (relay_state != NULL)
        add_field(d, "RelayState", relay_state);
    http_csp_form_action(req, location);
    http_csp_form_action(req, "https:");
    idp_reply_page(req, 200, "saml/post.html", d);
}

/* Front page of the service, as far as its metadata tell: scheme and host of its default ACS. */
static const char *
way_out_of(struct http_request *req, const struct service *sv)
{
    const struct saml_endpoint *acs = sv == NULL ? NULL : saml_default_acs(sv->dialect);
    const char *host;

    if (acs == NULL)
        return "/";
    host = strstr(acs->location, "://") + 3;
    return arena_printf(http_arena(req), "%.*s/", (int)(host - acs->location + (ptrdiff_t)strcspn(host, "/?")),
                        acs->location);
}

static const struct {
    const char *prefix; /* of why.code */
    const char *message_key;
} sentences[] = {
    {"saml.issuer.", "error.service_unknown"},       {"saml.metadata.", "error.service_unknown"},
    {"saml.signature.", "error.service_signature"},  {"saml.acs.", "error.service_redirect"},
    {"saml.message.old", "error.service_expired"},   {"saml.message.future", "error.service_expired"},
    {"saml.message.replayed", "error.service_replayed"},
};

void
saml_refuse(struct http_request *req, const char *event, const char *issuer, const struct service *sv, enum err e,
            const struct why *why)
{
    const char *key = "error.service_request";
    struct page_data *d = idp_page(req);
    size_t i;

    LOG_WARN_EV(event, LF_STR("issuer", issuer == NULL ? "" : issuer), LF_ERR(e), LF_WHY(why));
    for (i = 0; i < ARRAY_LEN(sentences); i++)
        if (strncmp(why->code, sentences[i].prefix, strlen(sentences[i].prefix)) == 0)
            key = sentences[i].message_key;
    if (e == ERR_UNAVAILABLE)
        key = "error.unavailable";
    if (e == ERR_INTERNAL)
        key = "error.internal";
    page_msg(d, "message", key);
    if (e != ERR_UNAVAILABLE && e != ERR_INTERNAL)
        page_msg(d, "advice", "error.service_request_advice");
    page_str(d, "way_out", way_out_of(req, sv));
    idp_reply_page(req, http_status_of(e), "signon/error.html", d);
}

/* --- a refusal that the service is told ------------------------------------------------------------ */
void
saml_answer_status(struct http_request *req, const struct service *sv, const struct saml_exchange *x,
                   struct saml_status status)
{
    const struct idp *idp = http_app(req);
    const struct saml_signer signer = saml_signer_of(idp);
    AUTO(buf_free) struct buf xml = BUF_BOUNDED(SAML_MESSAGE_MAX);
    char id[SAML_ID_LEN + 1];
    struct why why = WHY_INIT;
    const struct saml_response r = {
        .id = id,
        .issuer = idp->conf.entity_id,
        .destination = x->acs_url,
        .in_response_to = x->request_id,
        .now = http_now(req),
        .status = status.status,
        .substatus = status.substatus,
        .message = arena_printf(http_arena(req), "reference %s", http_request_id(req)),
    };
    enum err e;

    saml_id_new(id);
    LOG_INFO_EV("saml.answer", LF_STR("service", sv->name), LF_STR("status", status.status),
                LF_STR("substatus", status.substatus == NULL ? "" : status.substatus));
    if ((e = saml_write_response(&r, STR_LIT(""), &signer, &xml, &why)) != OK)
        saml_refuse(req, "saml.answer", sv->name, sv, e, &why);
    else
        saml_post_page(req, sv, x->acs_url, "SAMLResponse", buf_view(&xml), x->relay_state);
}

/* --- a success --------------------------------------------------------------------------------------- */
/* pairwise-id (saml-subject-id-attr 1.0 §2.2): unique part, '@', scope: the host of our own address. */
static struct str
pairwise_value(struct http_request *req, const struct signon_answer *answer)
{
    const struct idp *idp = http_app(req);
    const char *host = strstr(idp->conf.base_url, "://") + 3;

    return str_of(arena_printf(http_arena(req), "%s@%.*s", answer->pairwise, (int)strcspn(host, ":/"), host));
}

#define ATTRIBUTES_MAX 3

static size_t
collect_attributes(struct http_request *req, const struct service *sv, const struct signon_answer *answer,
                   struct saml_attribute *list, struct str *single)
{
    size_t n = 0;

    if (answer->nauthz > 0)
        list[n++] = (struct saml_attribute){ATTRIBUTE_AUTHORISATIONS, "autorisations", answer->authz, answer->nauthz};
    if (answer->town[0] != 0) {
        single[n] = str_of(answer->town);
        list[n] = (struct saml_attribute){ATTRIBUTE_TOWN, "commune", &single[n], 1};
        n++;
    }
    if (sv->release.pairwise_attribute) {
        single[n] = pairwise_value(req, answer);
        list[n] = (struct saml_attribute){ATTRIBUTE_PAIRWISE_ID, "pairwise-id", &single[n], 1};
        n++;
    }
    return n;
}

static enum err
write_assertion(struct http_request *req, const struct service *sv, const struct saml_exchange *x,
                const struct signon_answer *answer, const struct saml_signer *signer, struct buf *out, struct why *why)
{
    const struct idp *idp = http_app(req);
    struct saml_attribute attributes[ATTRIBUTES_MAX];
    struct str single[ATTRIBUTES_MAX];
    char id[SAML_ID_LEN + 1];
    utime now = http_now(req);
    struct levels levels;
    struct saml_assertion a = {
        .id = id,
        .issuer = idp->conf.entity_id,
        .audience = sv->name,
        .recipient = x->acs_url,
        .in_response_to = x->request_id,
        .now = now,
        .not_before = now - NOT_BEFORE_BACK,
        .not_on_or_after = now + idp->conf.assertion_life,
        .name_id = answer->name_id,
        .name_id_format = x->nameid == SAML_NAMEID_PERSISTENT ? NAMEID_PERSISTENT : NAMEID_TRANSIENT,
        .auth_time = answer->auth_time,
        .session_until = answer->session_until,
        .session_index = answer->session_index,
        .attributes = attributes,
        .nattributes = collect_attributes(req, sv, answer, attributes, single),
    };

    levels_read(&idp->conf, &levels);
    a.context_class = saml_context_class(answer->method, &levels, x);
    saml_id_new(id);
    return saml_write_assertion(&a, signer, out, why);
}

/* Sign, then encrypt, then sign around it. */
static enum err
write_success(struct http_request *req, const struct service *sv, const struct saml_exchange *x,
              const struct signon_answer *answer, struct buf *out, struct why *why)
{
    const struct idp *idp = http_app(req);
    const struct saml_sp *sp = sv->dialect;
    const struct saml_signer signer = saml_signer_of(idp);
    AUTO(buf_free) struct buf assertion = BUF_BOUNDED(SAML_MESSAGE_MAX);
    AUTO(buf_free) struct buf encrypted = BUF_BOUNDED(2 * SAML_MESSAGE_MAX);
    char id[SAML_ID_LEN + 1];
    const struct saml_response r = {
        .id = id,
        .issuer = idp->conf.entity_id,
        .destination = x->acs_url,
        .in_response_to = x->request_id,
        .now = http_now(req),
        .status = STATUS_SUCCESS,
    };
    enum err e;

    saml_id_new(id);
    e = write_assertion(req, sv, x, answer, (sp->policy.sign & SAML_SIGN_ASSERTION) != 0 ? &signer : NULL, &assertion,
                        why);
    if (e != OK)
        return e;
    if (sp->policy.encrypt && (e = saml_encrypt(sp, buf_view(&assertion), &encrypted, why)) != OK)
        return e;
    return saml_write_response(&r, buf_view(sp->policy.encrypt ? &encrypted : &assertion),
                               (sp->policy.sign & SAML_SIGN_RESPONSE) != 0 ? &signer : NULL, out, why);
}

void
saml_answer_success(struct http_request *req, const struct service *sv, const struct saml_exchange *x,
                    const struct signon_answer *answer)
{
    AUTO(buf_free) struct buf xml = BUF_BOUNDED(2 * SAML_MESSAGE_MAX);
    struct why why = WHY_INIT;
    enum err e;

    /* saml-core 3.4.1.4: an assertion about somebody else than the subject asked for is not an answer. */
    if (x->subject != NULL && strcmp(x->subject, answer->name_id) != 0) {
        saml_answer_status(req, sv, x, (struct saml_status){STATUS_RESPONDER, STATUS_UNKNOWN_PRINCIPAL});
        return;
    }
    if ((e = write_success(req, sv, x, answer, &xml, &why)) != OK)
        saml_refuse(req, "saml.answer", sv->name, sv, e, &why);
    else
        saml_post_page(req, sv, x->acs_url, "SAMLResponse", buf_view(&xml), x->relay_state);
}
