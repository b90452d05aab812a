/* read: see read.h. The order of children is the schema's; a message in another order is refused, as it could not be
 * valid. */
#include "idp/saml/read.h"

#include "idp/saml/dom.h"
#include "idp/saml/proto.h"

#define MESSAGE_ATTRIBUTES "ID Version IssueInstant Destination Consent "

/* --- parts that several messages have -------------------------------------------------------------- */
static enum err
read_version(const char *version, int *ret, struct why *why)
{
    if (version == NULL)
        return why_code(why, ERR_INPUT, "saml.message.version", "no Version");
    if (strcmp(version, "2.0") == 0)
        *ret = 0;
    else if (strlen(version) == 3 && version[1] == '.' && version[0] >= '0' && version[0] <= '9' &&
             version[2] >= '0' && version[2] <= '9')
        *ret = version[0] < '2' ? -1 : 1;
    else
        return why_code(why, ERR_INPUT, "saml.message.version", "Version is not a version");
    return OK;
}

/* saml-core 2.2.5: Issuer is an entity identifier; the other qualifiers must be omitted. */
static enum err
read_issuer(const xmlNode *node, struct arena *a, const char **ret, struct why *why)
{
    const char *format;
    enum err e;

    if ((e = dom_attributes(node, "Format NameQualifier SPNameQualifier SPProvidedID", why)) != OK ||
        (e = dom_text(node, a, ret, why)) != OK)
        return e;
    format = dom_attribute(node, "Format", a);
    if (format != NULL && strcmp(format, NAMEID_ENTITY) != 0 && strcmp(format, NAMEID_UNSPECIFIED) != 0)
        return why_code(why, ERR_INPUT, "saml.message.issuer", "the Issuer is not an entity identifier");
    if ((*ret)[0] == 0 || strlen(*ret) > 1024)
        return why_code(why, ERR_INPUT, "saml.message.issuer", "the Issuer is empty or longer than 1024 characters");
    return OK;
}

/* Attributes and the children up to Extensions; c stands behind them. */
static enum err
read_head(xmlNode *root, const char *attributes, struct arena *a, struct saml_head *h, struct dom_cursor *c,
          struct why *why)
{
    const xmlNode *issuer;
    enum err e;

    h->node = root;
    h->id = dom_attribute(root, "ID", a);
    h->destination = dom_attribute(root, "Destination", a);
    if (h->id == NULL || !dom_is_ncname(h->id))
        return why_code(why, ERR_INPUT, "saml.message.id", "ID is missing or not a name");
    if ((e = read_version(dom_attribute(root, "Version", a), &h->version, why)) != OK ||
        (e = dom_time(root, "IssueInstant", &h->issue_instant, why)) != OK || (e = dom_children(root, c, why)) != OK)
        return e;
    if (h->issue_instant == 0)
        return why_code(why, ERR_INPUT, "saml.message.issue_instant", "no IssueInstant");
    issuer = dom_take(c, NS_SAML, "Issuer");
    if (issuer != NULL && (e = read_issuer(issuer, a, &h->issuer, why)) != OK)
        return e;
    h->signature = dom_take(c, NS_DS, "Signature");
    if (h->version != 0)
        return OK;
    (void)dom_take(c, NS_SAMLP, "Extensions");
    return dom_attributes(root, attributes, why);
}

static enum err
need_issuer(const struct saml_head *h, struct why *why)
{
    if (h->issuer == NULL)
        return why_code(why, ERR_INPUT, "saml.message.issuer", "no Issuer");
    return OK;
}

static enum err
read_name_id(const xmlNode *node, struct arena *a, struct saml_name_id *ret, struct why *why)
{
    enum err e;

    if ((e = dom_attributes(node, "Format NameQualifier SPNameQualifier SPProvidedID", why)) != OK ||
        (e = dom_text(node, a, &ret->value, why)) != OK)
        return e;
    ret->format = dom_attribute(node, "Format", a);
    ret->name_qualifier = dom_attribute(node, "NameQualifier", a);
    ret->sp_name_qualifier = dom_attribute(node, "SPNameQualifier", a);
    if (ret->value[0] == 0 || strlen(ret->value) > 256)
        return why_code(why, ERR_INPUT, "saml.message.name_id", "the NameID is empty or longer than 256 characters");
    return OK;
}

/* --- AuthnRequest, saml-core 3.4.1 ----------------------------------------------------------------- */
static enum err
read_subject(const xmlNode *node, struct arena *a, struct saml_authn_request *r, struct why *why)
{
    struct dom_cursor c;
    const xmlNode *name_id;
    enum err e;

    r->has_subject = true;
    if ((e = dom_attributes(node, "", why)) != OK || (e = dom_children(node, &c, why)) != OK)
        return e;
    name_id = dom_take(&c, NS_SAML, "NameID");
    if (name_id != NULL && (e = read_name_id(name_id, a, &r->subject, why)) != OK)
        return e;
    while (dom_take(&c, NS_SAML, "SubjectConfirmation") != NULL)
        r->subject_confirmation = true;
    return dom_end(&c, why);
}

static enum err
read_name_id_policy(const xmlNode *node, struct arena *a, struct saml_authn_request *r, struct why *why)
{
    struct dom_cursor c;
    enum err e;

    r->has_policy = true;
    r->policy_format = dom_attribute(node, "Format", a);
    r->policy_sp_name_qualifier = dom_attribute(node, "SPNameQualifier", a);
    if ((e = dom_attributes(node, "Format SPNameQualifier AllowCreate", why)) != OK ||
        (e = dom_boolean(node, "AllowCreate", false, &r->allow_create, why)) != OK ||
        (e = dom_children(node, &c, why)) != OK)
        return e;
    return dom_end(&c, why);
}

static enum err
read_comparison(const char *word, enum saml_comparison *ret, struct why *why)
{
    static const char *const words[] = {
        [COMPARE_EXACT] = "exact",
        [COMPARE_MINIMUM] = "minimum",
        [COMPARE_MAXIMUM] = "maximum",
        [COMPARE_BETTER] = "better",
    };
    size_t i;

    for (i = 0; i < ARRAY_LEN(words); i++)
        if (word == NULL || strcmp(word, words[i]) == 0) {
            *ret = (enum saml_comparison)i;
            return OK;
        }
    return why_code(why, ERR_INPUT, "saml.schema", "Comparison is none of the four");
}

static enum err
read_context(const xmlNode *node, struct arena *a, struct saml_authn_request *r, struct why *why)
{
    struct dom_cursor c;
    const xmlNode *ref;
    enum err e;

    r->has_context = true;
    if ((e = dom_attributes(node, "Comparison", why)) != OK ||
        (e = read_comparison(dom_attribute(node, "Comparison", a), &r->comparison, why)) != OK ||
        (e = dom_children(node, &c, why)) != OK)
        return e;
    while ((ref = dom_take(&c, NS_SAML, "AuthnContextClassRef")) != NULL) {
        if (r->nclasses == SAML_CLASSES_MAX)
            return why_code(why, ERR_INPUT, "saml.message.classes", "more than %d context classes", SAML_CLASSES_MAX);
        if ((e = dom_token(ref, a, &r->classes[r->nclasses++], why)) != OK)
            return e;
    }
    while (r->nclasses == 0 && dom_take(&c, NS_SAML, "AuthnContextDeclRef") != NULL)
        r->context_declarations = true;
    if (r->nclasses == 0 && !r->context_declarations)
        return why_code(why, ERR_INPUT, "saml.schema", "an empty RequestedAuthnContext");
    return dom_end(&c, why);
}

static enum err
read_idp_list(const xmlNode *node, struct arena *a, struct saml_authn_request *r, struct why *why)
{
    struct dom_cursor c;
    const xmlNode *entry;
    enum err e;

    r->idp_list = true;
    if ((e = dom_children(node, &c, why)) != OK)
        return e;
    while ((entry = dom_take(&c, NS_SAMLP, "IDPEntry")) != NULL) {
        const char *id = dom_attribute(entry, "ProviderID", a);

        if (id == NULL || r->nidps == SAML_IDPS_MAX)
            return why_code(why, ERR_INPUT, "saml.message.idp_list", "an IDPEntry without ProviderID, or more than %d",
                            SAML_IDPS_MAX);
        r->idps[r->nidps++] = id;
    }
    (void)dom_take(&c, NS_SAMLP, "GetComplete"); /* names an address: never opened */
    return dom_end(&c, why);
}

static enum err
read_scoping(const xmlNode *node, struct arena *a, struct saml_authn_request *r, struct why *why)
{
    struct dom_cursor c;
    const xmlNode *list;
    enum err e;

    if ((e = dom_attributes(node, "ProxyCount", why)) != OK || (e = dom_children(node, &c, why)) != OK)
        return e;
    list = dom_take(&c, NS_SAMLP, "IDPList");
    if (list != NULL && (e = read_idp_list(list, a, r, why)) != OK)
        return e;
    while (dom_take(&c, NS_SAMLP, "RequesterID") != NULL)
        ;
    return dom_end(&c, why);
}

/* 3.4.1: AssertionConsumerServiceIndex excludes AssertionConsumerServiceURL and ProtocolBinding. */
static enum err
read_acs(xmlNode *root, struct arena *a, struct saml_authn_request *r, struct why *why)
{
    enum err e;

    r->protocol_binding = dom_attribute(root, "ProtocolBinding", a);
    r->acs_url = dom_attribute(root, "AssertionConsumerServiceURL", a);
    if ((e = dom_index(root, "AssertionConsumerServiceIndex", &r->acs_index, why)) != OK)
        return e;
    if (r->acs_index >= 0 && r->acs_url != NULL)
        return why_code(why, ERR_INPUT, "saml.acs.both", "an ACS by index and by URL");
    return OK;
}

enum err
saml_read_authn_request(xmlNode *root, struct arena *a, struct saml_authn_request *ret, struct why *why)
{
    struct saml_authn_request r = {.acs_index = -1};
    struct dom_cursor c;
    const xmlNode *node;
    int service;
    enum err e;

    if (!dom_is(root, NS_SAMLP, "AuthnRequest"))
        return why_code(why, ERR_INPUT, "saml.message.kind", "not an AuthnRequest");
    if ((e = read_head(root,
                       MESSAGE_ATTRIBUTES "ForceAuthn IsPassive ProtocolBinding AssertionConsumerServiceIndex "
                                          "AssertionConsumerServiceURL AttributeConsumingServiceIndex ProviderName",
                       a, &r.head, &c, why)) != OK ||
        (e = need_issuer(&r.head, why)) != OK)
        return e;
    if (r.head.version != 0) {
        *ret = r;
        return OK;
    }
    if ((e = dom_boolean(root, "ForceAuthn", false, &r.force_authn, why)) != OK ||
        (e = dom_boolean(root, "IsPassive", false, &r.is_passive, why)) != OK ||
        (e = dom_index(root, "AttributeConsumingServiceIndex", &service, why)) != OK ||
        (e = read_acs(root, a, &r, why)) != OK)
        return e;
    if ((node = dom_take(&c, NS_SAML, "Subject")) != NULL && (e = read_subject(node, a, &r, why)) != OK)
        return e;
    if ((node = dom_take(&c, NS_SAMLP, "NameIDPolicy")) != NULL && (e = read_name_id_policy(node, a, &r, why)) != OK)
        return e;
    /* Conditions: what the requester would like; saml-core lets the issuer decide, and ours are ours. */
    (void)dom_take(&c, NS_SAML, "Conditions");
    if ((node = dom_take(&c, NS_SAMLP, "RequestedAuthnContext")) != NULL && (e = read_context(node, a, &r, why)) != OK)
        return e;
    if ((node = dom_take(&c, NS_SAMLP, "Scoping")) != NULL && (e = read_scoping(node, a, &r, why)) != OK)
        return e;
    if ((e = dom_end(&c, why)) != OK)
        return e;
    *ret = r;
    return OK;
}

/* --- LogoutRequest and LogoutResponse, saml-core 3.7 ------------------------------------------------ */
enum err
saml_read_logout_request(xmlNode *root, struct arena *a, struct saml_logout_request *ret, struct why *why)
{
    struct saml_logout_request r = {0};
    struct dom_cursor c;
    const xmlNode *node;
    enum err e;

    if (!dom_is(root, NS_SAMLP, "LogoutRequest"))
        return why_code(why, ERR_INPUT, "saml.message.kind", "not a LogoutRequest");
    if ((e = read_head(root, MESSAGE_ATTRIBUTES "NotOnOrAfter Reason", a, &r.head, &c, why)) != OK ||
        (e = need_issuer(&r.head, why)) != OK)
        return e;
    if (r.head.version != 0) {
        *ret = r;
        return OK;
    }
    if ((e = dom_time(root, "NotOnOrAfter", &r.not_on_or_after, why)) != OK)
        return e;
    if ((node = dom_take(&c, NS_SAML, "NameID")) == NULL)
        return why_code(why, ERR_INPUT, "saml.message.name_id", "no NameID (we publish no key to encrypt one to)");
    if ((e = read_name_id(node, a, &r.name_id, why)) != OK)
        return e;
    while ((node = dom_take(&c, NS_SAMLP, "SessionIndex")) != NULL) {
        if (r.nindexes == SAML_INDEXES_MAX)
            return why_code(why, ERR_INPUT, "saml.message.indexes", "more than %d SessionIndex", SAML_INDEXES_MAX);
        if ((e = dom_attributes(node, "", why)) != OK || (e = dom_text(node, a, &r.indexes[r.nindexes++], why)) != OK)
            return e;
    }
    if ((e = dom_end(&c, why)) != OK)
        return e;
    *ret = r;
    return OK;
}

static enum err
read_status(const xmlNode *node, struct arena *a, struct saml_logout_response *r, struct why *why)
{
    struct dom_cursor c, inner;
    const xmlNode *code, *sub;
    enum err e;

    if (node == NULL)
        return why_code(why, ERR_INPUT, "saml.schema", "no Status");
    if ((e = dom_children(node, &c, why)) != OK)
        return e;
    if ((code = dom_take(&c, NS_SAMLP, "StatusCode")) == NULL ||
        (r->status = dom_attribute(code, "Value", a)) == NULL)
        return why_code(why, ERR_INPUT, "saml.schema", "no StatusCode with a Value");
    if ((e = dom_children(code, &inner, why)) != OK)
        return e;
    if ((sub = dom_take(&inner, NS_SAMLP, "StatusCode")) != NULL)
        r->substatus = dom_attribute(sub, "Value", a);
    (void)dom_take(&c, NS_SAMLP, "StatusMessage");
    (void)dom_take(&c, NS_SAMLP, "StatusDetail");
    return dom_end(&c, why);
}

enum err
saml_read_logout_response(xmlNode *root, struct arena *a, struct saml_logout_response *ret, struct why *why)
{
    struct saml_logout_response r = {0};
    struct dom_cursor c;
    enum err e;

    if (!dom_is(root, NS_SAMLP, "LogoutResponse"))
        return why_code(why, ERR_INPUT, "saml.message.kind", "not a LogoutResponse");
    if ((e = read_head(root, MESSAGE_ATTRIBUTES "InResponseTo", a, &r.head, &c, why)) != OK)
        return e;
    if (r.head.version != 0)
        return why_code(why, ERR_INPUT, "saml.message.version", "Version is not 2.0");
    r.in_response_to = dom_attribute(root, "InResponseTo", a);
    if ((e = read_status(dom_take(&c, NS_SAMLP, "Status"), a, &r, why)) != OK || (e = dom_end(&c, why)) != OK)
        return e;
    *ret = r;
    return OK;
}

/* --- SOAP 1.1 --------------------------------------------------------------------------------------- */
enum err
saml_read_soap(xmlNode *root, xmlNode **ret_message, struct why *why)
{
    struct dom_cursor c, inner;
    xmlNode *body, *message;
    enum err e;

    if (!dom_is(root, NS_SOAP, "Envelope"))
        return why_code(why, ERR_INPUT, "saml.soap.envelope", "not a SOAP envelope");
    if ((e = dom_children(root, &c, why)) != OK)
        return e;
    (void)dom_take(&c, NS_SOAP, "Header");
    if ((body = dom_take(&c, NS_SOAP, "Body")) == NULL)
        return why_code(why, ERR_INPUT, "saml.soap.body", "no Body");
    if ((e = dom_end(&c, why)) != OK || (e = dom_children(body, &inner, why)) != OK)
        return e;
    if ((message = dom_take_any(&inner)) == NULL)
        return why_code(why, ERR_INPUT, "saml.soap.body", "an empty Body");
    if ((e = dom_end(&inner, why)) != OK)
        return e;
    *ret_message = message;
    return OK;
}
