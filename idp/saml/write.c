/*
 * write: see write.h. Order of attributes: by name; order of elements: the schema's, with AuthnStatement before
 * AttributeStatement, because some services read them in that order only.
 */
#include "idp/saml/write.h"

#include "idp/saml/proto.h"
#include "idp/saml/xmlout.h"

#define ISSUER_START "<saml:Issuer xmlns:saml=\"" NS_SAML "\">"

static enum err
finish(const struct xmlout *x, const char *id, size_t at, const struct saml_signer *signer, struct buf *out,
       struct why *why)
{
    if (!xml_ok(x))
        return why_code(why, ERR_INTERNAL, "saml.write", "a value that XML cannot hold, or a message too long");
    if (signer != NULL)
        return saml_sign(signer, id, buf_view(x->out), at, out, why);
    buf_add_str(out, buf_view(x->out));
    return buf_ok(out) ? OK : why_code(why, ERR_INTERNAL, "saml.write", "the message does not fit");
}

/* --- assertion ------------------------------------------------------------------------------------- */
/* saml-core 8.3.7: a persistent identifier is qualified by who gave it and to whom. */
static void
add_name_id(struct xmlout *x, const char *start, const char *format, const char *issuer, const char *audience,
            const char *value)
{
    buf_adds(x->out, start);
    xml_attribute(x, "Format", format);
    xml_attribute(x, "NameQualifier", issuer);
    xml_attribute(x, "SPNameQualifier", audience);
    xml_lit(x, ">");
    xml_text(x, str_of(value));
    xml_lit(x, "</saml:NameID>");
}

/* saml-profiles 4.1.4.2: bearer, Recipient, NotOnOrAfter, InResponseTo; no NotBefore. */
static void
add_subject(struct xmlout *x, const struct saml_assertion *a)
{
    xml_lit(x, "<saml:Subject>");
    add_name_id(x, "<saml:NameID", a->name_id_format, a->issuer, a->audience, a->name_id);
    xml_lit(x, "<saml:SubjectConfirmation Method=\"" CONFIRMATION_BEARER "\"><saml:SubjectConfirmationData");
    xml_attribute(x, "InResponseTo", a->in_response_to);
    xml_time(x, "NotOnOrAfter", a->not_on_or_after);
    xml_attribute(x, "Recipient", a->recipient);
    xml_lit(x, "></saml:SubjectConfirmationData></saml:SubjectConfirmation></saml:Subject>");
}

static void
add_conditions(struct xmlout *x, const struct saml_assertion *a)
{
    xml_lit(x, "<saml:Conditions");
    xml_time(x, "NotBefore", a->not_before);
    xml_time(x, "NotOnOrAfter", a->not_on_or_after);
    xml_element(x, "><saml:AudienceRestriction><saml:Audience>", a->audience,
                "</saml:Audience></saml:AudienceRestriction></saml:Conditions>");
}

static void
add_authn_statement(struct xmlout *x, const struct saml_assertion *a)
{
    xml_lit(x, "<saml:AuthnStatement");
    xml_time(x, "AuthnInstant", a->auth_time);
    xml_attribute(x, "SessionIndex", a->session_index);
    xml_time(x, "SessionNotOnOrAfter", a->session_until);
    xml_element(x, "><saml:AuthnContext><saml:AuthnContextClassRef>", a->context_class,
                "</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>");
}

static void
add_attribute(struct xmlout *x, const struct saml_attribute *attribute)
{
    size_t i;

    xml_lit(x, "<saml:Attribute");
    xml_attribute(x, "FriendlyName", attribute->friendly_name);
    xml_attribute(x, "Name", attribute->name);
    xml_attribute(x, "NameFormat", ATTRNAME_URI);
    xml_lit(x, ">");
    for (i = 0; i < attribute->nvalues; i++) {
        xml_lit(x, "<saml:AttributeValue>");
        xml_text(x, attribute->values[i]);
        xml_lit(x, "</saml:AttributeValue>");
    }
    xml_lit(x, "</saml:Attribute>");
}

static void
add_attribute_statement(struct xmlout *x, const struct saml_assertion *a)
{
    size_t i;

    if (a->nattributes == 0) /* the schema wants one attribute at least */
        return;
    xml_lit(x, "<saml:AttributeStatement>");
    for (i = 0; i < a->nattributes; i++)
        add_attribute(x, &a->attributes[i]);
    xml_lit(x, "</saml:AttributeStatement>");
}

enum err
saml_write_assertion(const struct saml_assertion *a, const struct saml_signer *signer, struct buf *out,
                     struct why *why)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(SAML_MESSAGE_MAX);
    struct xmlout x = {.out = &text};
    size_t at;

    xml_lit(&x, "<saml:Assertion xmlns:saml=\"" NS_SAML "\"");
    xml_attribute(&x, "ID", a->id);
    xml_time(&x, "IssueInstant", a->now);
    xml_attribute(&x, "Version", "2.0");
    xml_element(&x, "><saml:Issuer>", a->issuer, "</saml:Issuer>");
    at = text.len;
    add_subject(&x, a);
    add_conditions(&x, a);
    add_authn_statement(&x, a);
    add_attribute_statement(&x, a);
    xml_lit(&x, "</saml:Assertion>");
    return finish(&x, a->id, at, signer, out, why);
}

/* --- responses ------------------------------------------------------------------------------------- */
static void
add_status(struct xmlout *x, const struct saml_response *r)
{
    xml_lit(x, "<samlp:Status><samlp:StatusCode");
    xml_attribute(x, "Value", r->status);
    xml_lit(x, ">");
    if (r->substatus != NULL) {
        xml_lit(x, "<samlp:StatusCode");
        xml_attribute(x, "Value", r->substatus);
        xml_lit(x, "></samlp:StatusCode>");
    }
    xml_lit(x, "</samlp:StatusCode>");
    if (r->message != NULL)
        xml_element(x, "<samlp:StatusMessage>", r->message, "</samlp:StatusMessage>");
    xml_lit(x, "</samlp:Status>");
}

static enum err
write_status_response(const char *name, const struct saml_response *r, struct str inner,
                      const struct saml_signer *signer, struct buf *out, struct why *why)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(SAML_MESSAGE_MAX);
    struct xmlout x = {.out = &text};
    size_t at;

    buf_addf(&text, "<samlp:%s xmlns:samlp=\"" NS_SAMLP "\"", name);
    xml_attribute(&x, "Destination", r->destination);
    xml_attribute(&x, "ID", r->id);
    xml_attribute(&x, "InResponseTo", r->in_response_to);
    xml_time(&x, "IssueInstant", r->now);
    xml_attribute(&x, "Version", "2.0");
    xml_element(&x, ">" ISSUER_START, r->issuer, "</saml:Issuer>");
    at = text.len;
    add_status(&x, r);
    buf_add_str(&text, inner);
    buf_addf(&text, "</samlp:%s>", name);
    return finish(&x, r->id, at, signer, out, why);
}

enum err
saml_write_response(const struct saml_response *r, struct str inner, const struct saml_signer *signer, struct buf *out,
                    struct why *why)
{
    return write_status_response("Response", r, inner, signer, out, why);
}

enum err
saml_write_logout_response(const struct saml_response *r, const struct saml_signer *signer, struct buf *out,
                           struct why *why)
{
    return write_status_response("LogoutResponse", r, STR_LIT(""), signer, out, why);
}

/* --- LogoutRequest --------------------------------------------------------------------------------- */
enum err
saml_write_logout_request(const struct saml_logout *l, const struct saml_signer *signer, struct buf *out,
                          struct why *why)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(SAML_MESSAGE_MAX);
    struct xmlout x = {.out = &text};
    size_t at;

    xml_lit(&x, "<samlp:LogoutRequest xmlns:samlp=\"" NS_SAMLP "\"");
    xml_attribute(&x, "Destination", l->destination);
    xml_attribute(&x, "ID", l->id);
    xml_time(&x, "IssueInstant", l->now);
    xml_time(&x, "NotOnOrAfter", l->not_on_or_after);
    xml_attribute(&x, "Version", "2.0");
    xml_element(&x, ">" ISSUER_START, l->issuer, "</saml:Issuer>");
    at = text.len;
    add_name_id(&x, "<saml:NameID xmlns:saml=\"" NS_SAML "\"", l->name_id_format, l->issuer, l->audience, l->name_id);
    xml_element(&x, "<samlp:SessionIndex>", l->session_index, "</samlp:SessionIndex></samlp:LogoutRequest>");
    return finish(&x, l->id, at, signer, out, why);
}

void
saml_write_soap(struct str message, struct buf *out)
{
    buf_add_lit(out, "<soap:Envelope xmlns:soap=\"" NS_SOAP "\"><soap:Body>");
    buf_add_str(out, message);
    buf_add_lit(out, "</soap:Body></soap:Envelope>");
}
