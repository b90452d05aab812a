/*
 * /saml/metadata: what a service's administrator loads: our name, addresses, certificate, formats; signed with the key it
 * names. The identifier is the digest of the content, so the same content is the same document.
 */
#include "base/core/enc.h"
#include "base/core/log.h"
#include "base/crypto/digest.h"
#include "idp/saml/proto.h"
#include "idp/saml/saml-internal.h"
#include "idp/saml/write.h"
#include "idp/saml/xmlout.h"

/* Scope of pairwise-id and domain of our pages: the host of our own address. */
static const char *
host_of(const struct idp *idp, char *host, size_t size)
{
    const char *from = strstr(idp->conf.base_url, "://") + 3;
    size_t n = strcspn(from, ":/");

    n = n < size ? n : size - 1;
    memcpy(host, from, n);
    host[n] = 0;
    return host;
}

static void
add_name(struct xmlout *x, const char *start, const char *lang, const char *name, const char *end)
{
    buf_adds(x->out, start);
    xml_attribute(x, "xml:lang", lang);
    xml_element(x, ">", name, end);
}

/* Elements of Extensions: the scope that services check pairwise-id against, and our names for their pages. */
static void
add_extensions(struct xmlout *x, const struct idp *idp)
{
    char host[256];

    xml_element(x, "<md:Extensions><shibmd:Scope xmlns:shibmd=\"" NS_SHIBMD "\" regexp=\"false\">",
                host_of(idp, host, sizeof host), "</shibmd:Scope>");
    xml_lit(x, "<mdui:UIInfo xmlns:mdui=\"" NS_MDUI "\">");
    add_name(x, "<mdui:DisplayName", "fr", idp->conf.name_fr, "</mdui:DisplayName>");
    add_name(x, "<mdui:DisplayName", "en", idp->conf.name_en, "</mdui:DisplayName>");
    xml_lit(x, "</mdui:UIInfo></md:Extensions>");
}

static void
add_key(struct xmlout *x, const struct idp *idp)
{
    xml_lit(x, "<md:KeyDescriptor use=\"signing\"><ds:KeyInfo xmlns:ds=\"" NS_DS
               "\"><ds:X509Data><ds:X509Certificate>");
    base64_encode(x->out, idp->saml_cert.data, idp->saml_cert.len);
    xml_lit(x, "</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>");
}

static void
add_endpoint(struct xmlout *x, const char *name, const char *binding, const struct idp *idp, const char *path)
{
    AUTO(buf_free) struct buf location = BUF_BOUNDED(4096);

    buf_addf(&location, "%s%s", idp->conf.base_url, path);
    buf_addf(x->out, "<md:%s", name);
    xml_attribute(x, "Binding", binding);
    xml_attribute(x, "Location", buf_cstr(&location));
    buf_addf(x->out, "></md:%s>", name);
}

static void
add_role(struct xmlout *x, const struct idp *idp)
{
    xml_lit(x, "<md:IDPSSODescriptor protocolSupportEnumeration=\"" NS_SAMLP "\">");
    add_extensions(x, idp);
    add_key(x, idp);
    add_endpoint(x, "SingleLogoutService", BINDING_REDIRECT, idp, "/saml/slo");
    add_endpoint(x, "SingleLogoutService", BINDING_POST, idp, "/saml/slo");
    xml_lit(x, "<md:NameIDFormat>" NAMEID_PERSISTENT "</md:NameIDFormat><md:NameIDFormat>" NAMEID_TRANSIENT
               "</md:NameIDFormat>");
    add_endpoint(x, "SingleSignOnService", BINDING_REDIRECT, idp, "/saml/sso");
    add_endpoint(x, "SingleSignOnService", BINDING_POST, idp, "/saml/sso");
    xml_lit(x, "</md:IDPSSODescriptor>");
}

/* '_' and 160 bits of the digest of what the document says. */
static void
id_of(struct str content, char ret[SAML_ID_LEN + 1])
{
    AUTO(buf_free) struct buf hex = BUF_BOUNDED(2 * SHA256_LEN);
    unsigned char digest[SHA256_LEN];

    sha256(content, digest);
    hex_encode(&hex, digest, 20);
    ret[0] = '_';
    memcpy(ret + 1, hex.data, SAML_ID_LEN - 1);
    ret[SAML_ID_LEN] = 0;
}

enum err
saml_metadata_write(const struct idp *idp, struct buf *out, struct why *why)
{
    const struct saml_signer signer = saml_signer_of(idp);
    AUTO(buf_free) struct buf role = BUF_BOUNDED(SAML_MESSAGE_MAX);
    AUTO(buf_free) struct buf text = BUF_BOUNDED(SAML_MESSAGE_MAX);
    struct xmlout inner = {.out = &role}, x = {.out = &text};
    char id[SAML_ID_LEN + 1];
    size_t at;

    add_role(&inner, idp);
    id_of(buf_view(&role), id);
    xml_lit(&x, "<md:EntityDescriptor xmlns:md=\"" NS_MD "\"");
    xml_attribute(&x, "ID", id);
    xml_attribute(&x, "cacheDuration", "PT6H");
    xml_attribute(&x, "entityID", idp->conf.entity_id);
    xml_lit(&x, ">");
    at = text.len;
    buf_add_str(&text, buf_view(&role));
    xml_lit(&x, "</md:EntityDescriptor>");
    if (!xml_ok(&inner) || !xml_ok(&x))
        return why_code(why, ERR_INTERNAL, "saml.metadata", "a setting that XML cannot hold");
    return saml_sign(&signer, id, buf_view(&text), at, out, why);
}

void
get_saml_metadata(struct http_request *req)
{
    AUTO(buf_free) struct buf out = BUF_BOUNDED(SAML_MESSAGE_MAX);
    struct why why = WHY_INIT;
    enum err e = saml_metadata_write(http_app(req), &out, &why);

    if (e != OK) {
        LOG_ERROR_EV("saml.metadata", LF_ERR(e), LF_WHY(&why));
        http_reply_problem(req, e, "metadata", "The metadata could not be made.");
        return;
    }
    http_header_add(req, "Cache-Control", "public, max-age=3600");
    http_reply(req, 200, "application/samlmetadata+xml", buf_view(&out));
}
