/*
 * metadata_read: SAML metadata of a service (saml-metadata-2.0) to struct saml_sp.
 *
 * Metadata come from an operator, not from the network at a stranger's word, and real files carry extensions of all
 * kinds: what is not ours is stepped over, what is ours is read strictly. Addresses are http or https and hold no
 * character that could end an attribute or a header. A key that is too weak or unreadable is left out and counted:
 * a service without a usable key has its signed messages refused, never accepted.
 */
#include "idp/saml/sp.h"

#include "base/core/enc.h"
#include "idp/saml/dom.h"
#include "idp/saml/gate.h"
#include "idp/saml/proto.h"

#define SP_ARENA_MAX (4 * 1024 * 1024)
#define ENDPOINTS_MAX 64
#define LOCATION_MAX 2048
#define CERTIFICATE_MAX (16 * 1024)
#define HOST_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:[]"

void
saml_sp_free(struct saml_sp *sp)
{
    if (sp == NULL)
        return;
    saml_keys_done(&sp->signing);
    key_free(sp->encryption);
    arena_free(sp->arena);
    mem_freep(&sp);
}

enum saml_binding
saml_binding_parse(const char *uri)
{
    if (strcmp(uri, BINDING_REDIRECT) == 0)
        return SAML_REDIRECT;
    if (strcmp(uri, BINDING_POST) == 0)
        return SAML_POST;
    if (strcmp(uri, BINDING_ARTIFACT) == 0)
        return SAML_ARTIFACT;
    if (strcmp(uri, BINDING_SOAP) == 0)
        return SAML_SOAP;
    return SAML_OTHER_BINDING;
}

const struct saml_endpoint *
saml_sp_slo(const struct saml_sp *sp, enum saml_binding binding)
{
    size_t i;

    for (i = 0; i < sp->nslo; i++)
        if (sp->slo[i].binding == binding)
            return &sp->slo[i];
    return NULL;
}

/* --- endpoints ----------------------------------------------------------------------------------- */
static bool
location_is_good(const char *url)
{
    const char *host = strncmp(url, "https://", 8) == 0 ? url + 8 : strncmp(url, "http://", 7) == 0 ? url + 7 : NULL;
    const unsigned char *p;

    if (host == NULL || host[0] == 0 || host[0] == '/' || host[0] == ':' || strlen(url) > LOCATION_MAX)
        return false;
    for (p = (const unsigned char *)url; *p != 0; p++)
        if (*p <= ' ' || *p >= 0x7f || strchr("\"<>\\^`{|}#", *p) != NULL)
            return false;
    /* The host goes into a header (form-action): letters, digits, '-', '.', ':' and the brackets of IPv6 only. */
    return host[strspn(host, HOST_CHARACTERS)] == 0 || strchr("/?", host[strspn(host, HOST_CHARACTERS)]) != NULL;
}

/* An xs:anyURI: white space around it is not part of it (XML Schema 2, §4.3.6 "collapse"). NULL when absent. */
static const char *
uri_attribute(const xmlNode *node, const char *name, struct arena *a)
{
    const char *value = dom_peek(node, name);

    return value == NULL ? NULL : arena_str(a, str_trim(str_of(value)));
}

static enum err
read_endpoint(const xmlNode *node, struct arena *a, bool indexed, struct saml_endpoint *ret, struct why *why)
{
    const char *binding = uri_attribute(node, "Binding", a);
    const char *response = uri_attribute(node, "ResponseLocation", a);
    bool is_default;
    enum err e;

    *ret = (struct saml_endpoint){.index = -1, .location = uri_attribute(node, "Location", a)};
    if (binding == NULL || ret->location == NULL)
        return why_code(why, ERR_INPUT, "saml.metadata.endpoint", "%s without Binding or Location",
                        (const char *)node->name);
    ret->binding = saml_binding_parse(binding);
    ret->response_location = response == NULL || response[0] == 0 ? ret->location : response;
    if (!location_is_good(ret->location) || !location_is_good(ret->response_location))
        return why_code(why, ERR_INPUT, "saml.metadata.location", "%s: the address is not a plain http or https URL",
                        (const char *)node->name);
    if (!indexed)
        return OK;
    if ((e = dom_index(node, "index", &ret->index, why)) != OK ||
        (e = dom_boolean(node, "isDefault", false, &is_default, why)) != OK)
        return e;
    if (ret->index < 0)
        return why_code(why, ERR_INPUT, "saml.metadata.index", "an AssertionConsumerService without index");
    if (dom_attribute(node, "isDefault", a) != NULL)
        ret->is_default = is_default ? SAML_DEFAULT_YES : SAML_DEFAULT_NO;
    return OK;
}

static enum err
read_endpoints(const xmlNode *role, const char *name, bool indexed, struct arena *a, struct saml_endpoint **ret,
               size_t *ret_n, struct why *why)
{
    struct saml_endpoint *list = arena_alloc(a, ENDPOINTS_MAX * sizeof list[0]);
    struct dom_cursor c;
    const xmlNode *node;
    size_t n = 0;
    enum err e;

    if ((e = dom_children(role, &c, why)) != OK)
        return e;
    while ((node = dom_take_any(&c)) != NULL) {
        if (!dom_is(node, NS_MD, name))
            continue;
        if (n == ENDPOINTS_MAX)
            return why_code(why, ERR_INPUT, "saml.metadata.endpoints", "more than %d %s", ENDPOINTS_MAX, name);
        if ((e = read_endpoint(node, a, indexed, &list[n++], why)) != OK)
            return e;
    }
    *ret = list;
    *ret_n = n;
    return OK;
}

/* --- keys ---------------------------------------------------------------------------------------- */
/* KeyInfo/X509Data/X509Certificate: the first one of the KeyDescriptor. NULL when there is none. */
static const xmlNode *
find_certificate(const xmlNode *descriptor)
{
    const xmlNode *info, *data, *cert;

    for (info = descriptor->children; info != NULL; info = info->next)
        for (data = dom_is(info, NS_DS, "KeyInfo") ? info->children : NULL; data != NULL; data = data->next)
            for (cert = dom_is(data, NS_DS, "X509Data") ? data->children : NULL; cert != NULL; cert = cert->next)
                if (dom_is(cert, NS_DS, "X509Certificate"))
                    return cert;
    return NULL;
}

static enum err
read_key(const xmlNode *descriptor, struct arena *a, struct key **ret, struct why *why)
{
    AUTO(buf_free) struct buf der = BUF_BOUNDED(CERTIFICATE_MAX);
    const xmlNode *cert = find_certificate(descriptor);
    const char *text;
    enum err e;

    if (cert == NULL)
        return why_code(why, ERR_NOT_FOUND, "saml.metadata.key", "a KeyDescriptor without X509Certificate");
    if ((e = dom_token(cert, a, &text, why)) != OK)
        return e;
    if (base64_decode(str_of(text), true, &der) != OK || !buf_ok(&der))
        return why_code(why, ERR_INPUT, "saml.metadata.key", "X509Certificate is not base64");
    return key_public(buf_view(&der), ret, why);
}

static bool
has_oaep_hash(const xmlNode *method, const char *hash_uri)
{
    const xmlNode *child;

    for (child = method->children; child != NULL; child = child->next)
        if (dom_is(child, NS_DS, "DigestMethod")) {
            const char *uri = dom_peek(child, "Algorithm");

            return uri != NULL && strcmp(uri, hash_uri) == 0;
        }
    return strcmp(hash_uri, ALG_DIGEST_SHA1) == 0; /* xmlenc-core 5.5.2: the default */
}

/* Which of the methods listed we use. Listing none of a kind leaves the choice to us. */
struct methods {
    bool any_cipher, gcm256, gcm128, cbc256, cbc128;
    bool any_transport, oaep_sha1, oaep_sha256;
};

static void
read_method(const xmlNode *method, struct methods *m)
{
    const char *uri = dom_peek(method, "Algorithm");

    if (uri == NULL)
        return;
    if (strstr(uri, "#rsa-") != NULL) {
        m->any_transport = true;
        if (strcmp(uri, ALG_RSA_OAEP_MGF1P) == 0 && has_oaep_hash(method, ALG_DIGEST_SHA1))
            m->oaep_sha1 = true;
        if (strcmp(uri, ALG_RSA_OAEP_11) == 0 && has_oaep_hash(method, ALG_SHA256))
            m->oaep_sha256 = true;
        return;
    }
    if (strstr(uri, "aes") == NULL && strstr(uri, "tripledes") == NULL)
        return;
    m->any_cipher = true;
    m->gcm256 |= strcmp(uri, ALG_AES256_GCM) == 0;
    m->gcm128 |= strcmp(uri, ALG_AES128_GCM) == 0;
    m->cbc256 |= strcmp(uri, ALG_AES256_CBC) == 0;
    m->cbc128 |= strcmp(uri, ALG_AES128_CBC) == 0;
}

static void
choose_methods(const xmlNode *descriptor, struct saml_sp *sp)
{
    struct methods m = {0};
    const xmlNode *child;

    for (child = descriptor->children; child != NULL; child = child->next)
        if (dom_is(child, NS_MD, "EncryptionMethod"))
            read_method(child, &m);
    if (!m.any_cipher || m.gcm256)
        sp->cipher = SAML_AES256_GCM;
    else if (m.gcm128)
        sp->cipher = SAML_AES128_GCM;
    else if (m.cbc256)
        sp->cipher = SAML_AES256_CBC;
    else if (m.cbc128)
        sp->cipher = SAML_AES128_CBC;
    else
        sp->no_common_cipher = true;
    if (!m.any_transport || m.oaep_sha1)
        sp->transport = SAML_OAEP_MGF1P;
    else if (m.oaep_sha256)
        sp->transport = SAML_OAEP_SHA256;
    else
        sp->no_common_cipher = true;
}

/* use absent: for both. Of several encryption keys the first usable one is taken. */
static enum err
read_key_descriptor(const xmlNode *descriptor, struct saml_sp *sp, struct why *why)
{
    AUTO(key_freep) struct key *key = NULL;
    const char *use = dom_attribute(descriptor, "use", sp->arena);
    bool signing = use == NULL || strcmp(use, "signing") == 0;
    bool encryption = use == NULL || strcmp(use, "encryption") == 0;

    if (!signing && !encryption)
        return why_code(why, ERR_INPUT, "saml.metadata.key", "use is neither signing nor encryption");
    if (read_key(descriptor, sp->arena, &key, NULL) != OK) {
        sp->unusable_keys++;
        return OK;
    }
    if (signing && sp->signing.n < SAML_KEYS_MAX)
        sp->signing.key[sp->signing.n++] = key_ref(key);
    if (encryption && sp->encryption == NULL && key_algorithm(key) == KEY_RSA) {
        sp->encryption = key_ref(key);
        choose_methods(descriptor, sp);
    }
    return OK;
}

static enum err
read_keys(const xmlNode *role, struct saml_sp *sp, struct why *why)
{
    const xmlNode *node;
    enum err e;

    for (node = role->children; node != NULL; node = node->next)
        if (dom_is(node, NS_MD, "KeyDescriptor") && (e = read_key_descriptor(node, sp, why)) != OK)
            return e;
    return OK;
}

/* --- the rest of the role -------------------------------------------------------------------------- */
static enum err
read_formats(const xmlNode *role, struct saml_sp *sp, struct why *why)
{
    const xmlNode *node;
    const char *format;
    enum err e;

    for (node = role->children; node != NULL && sp->nameid == SAML_NAMEID_UNSAID; node = node->next) {
        if (!dom_is(node, NS_MD, "NameIDFormat"))
            continue;
        if ((e = dom_token(node, sp->arena, &format, why)) != OK)
            return e;
        if (strcmp(format, NAMEID_PERSISTENT) == 0)
            sp->nameid = SAML_NAMEID_PERSISTENT;
        else if (strcmp(format, NAMEID_TRANSIENT) == 0)
            sp->nameid = SAML_NAMEID_TRANSIENT;
    }
    return OK;
}

/* A localised name; the first of each language stands. */
static void
keep_name(const xmlNode *node, struct saml_sp *sp)
{
    const char *lang = dom_attribute_ns(node, NS_XML, "lang", sp->arena);
    const char *text;

    if (lang == NULL || dom_token(node, sp->arena, &text, NULL) != OK || text[0] == 0 || strlen(text) > 200)
        return;
    if (strncmp(lang, "fr", 2) == 0 && sp->name_fr == NULL)
        sp->name_fr = text;
    if (strncmp(lang, "en", 2) == 0 && sp->name_en == NULL)
        sp->name_en = text;
}

static void
read_names(const xmlNode *parent, const char *ns, const char *name, struct saml_sp *sp)
{
    const xmlNode *node;

    for (node = parent->children; node != NULL; node = node->next)
        if (dom_is(node, ns, name))
            keep_name(node, sp);
}

static void
read_ui(const xmlNode *role, struct saml_sp *sp)
{
    const xmlNode *ext, *ui;

    for (ext = role->children; ext != NULL; ext = ext->next)
        for (ui = dom_is(ext, NS_MD, "Extensions") ? ext->children : NULL; ui != NULL; ui = ui->next)
            if (dom_is(ui, NS_MDUI, "UIInfo"))
                read_names(ui, NS_MDUI, "DisplayName", sp);
}

static bool
speaks_saml2(const xmlNode *role, struct arena *a)
{
    const char *protocols = dom_attribute(role, "protocolSupportEnumeration", a);
    struct str rest = str_of(protocols);

    while (protocols != NULL && rest.p != NULL)
        if (str_eqs(str_split(rest, ' ', &rest), NS_SAMLP))
            return true;
    return false;
}

static bool
has_post_acs(const struct saml_sp *sp)
{
    size_t i;

    for (i = 0; i < sp->nacs; i++)
        if (sp->acs[i].binding == SAML_POST)
            return true;
    return false;
}

static enum err
read_role(const xmlNode *role, struct saml_sp *sp, struct why *why)
{
    enum err e;

    if ((e = dom_boolean(role, "AuthnRequestsSigned", false, &sp->authn_requests_signed, why)) != OK ||
        (e = dom_boolean(role, "WantAssertionsSigned", false, &sp->want_assertions_signed, why)) != OK ||
        (e = read_keys(role, sp, why)) != OK ||
        (e = read_endpoints(role, "AssertionConsumerService", true, sp->arena, &sp->acs, &sp->nacs, why)) != OK ||
        (e = read_endpoints(role, "SingleLogoutService", false, sp->arena, &sp->slo, &sp->nslo, why)) != OK ||
        (e = read_formats(role, sp, why)) != OK)
        return e;
    read_ui(role, sp);
    if (!has_post_acs(sp))
        return why_code(why, ERR_INPUT, "saml.metadata.acs", "no AssertionConsumerService with the HTTP-POST binding");
    return OK;
}

/* --- the entity ------------------------------------------------------------------------------------ */
static enum err
find_role(const xmlNode *entity, struct arena *a, const xmlNode **ret, struct why *why)
{
    const xmlNode *node;

    *ret = NULL;
    for (node = entity->children; node != NULL; node = node->next) {
        if (!dom_is(node, NS_MD, "SPSSODescriptor") || !speaks_saml2(node, a))
            continue;
        if (*ret != NULL)
            return why_code(why, ERR_INPUT, "saml.metadata.role", "more than one SPSSODescriptor of SAML 2.0");
        *ret = node;
    }
    if (*ret == NULL)
        return why_code(why, ERR_INPUT, "saml.metadata.role", "no SPSSODescriptor of SAML 2.0");
    return OK;
}

static enum err
read_valid_until(const xmlNode *entity, const xmlNode *role, utime *ret, struct why *why)
{
    utime of_entity, of_role;
    enum err e;

    if ((e = dom_time(entity, "validUntil", &of_entity, why)) != OK ||
        (e = dom_time(role, "validUntil", &of_role, why)) != OK)
        return e;
    *ret = of_entity == 0 || (of_role != 0 && of_role < of_entity) ? of_role : of_entity;
    return OK;
}

static enum err
read_entity(const xmlNode *entity, struct saml_sp *sp, struct why *why)
{
    const xmlNode *role, *node;
    enum err e;

    if (dom_is(entity, NS_MD, "EntitiesDescriptor"))
        return why_code(why, ERR_INPUT, "saml.metadata.kind", "an EntitiesDescriptor: give the one EntityDescriptor");
    if (!dom_is(entity, NS_MD, "EntityDescriptor"))
        return why_code(why, ERR_INPUT, "saml.metadata.kind", "not an EntityDescriptor");
    sp->entity_id = uri_attribute(entity, "entityID", sp->arena);
    if (sp->entity_id == NULL || sp->entity_id[0] == 0 || strlen(sp->entity_id) > 1024)
        return why_code(why, ERR_INPUT, "saml.metadata.entity_id", "entityID is missing or longer than 1024 characters");
    if ((e = find_role(entity, sp->arena, &role, why)) != OK ||
        (e = read_valid_until(entity, role, &sp->valid_until, why)) != OK || (e = read_role(role, sp, why)) != OK)
        return e;
    for (node = entity->children; node != NULL; node = node->next)
        if (dom_is(node, NS_MD, "Organization"))
            read_names(node, NS_MD, "OrganizationDisplayName", sp);
    return OK;
}

enum err
saml_metadata_read(struct str metadata, struct saml_sp **ret, struct why *why)
{
    AUTO(gate_doc_freep) xmlDoc *doc = NULL;
    AUTO(saml_sp_freep) struct saml_sp *sp = mem_alloc(sizeof *sp);
    enum err e;

    sp->arena = arena_new(SP_ARENA_MAX);
    if ((e = gate_parse(metadata, &gate_metadata, &doc, why)) != OK ||
        (e = read_entity(xmlDocGetRootElement(doc), sp, why)) != OK)
        return e;
    sp->policy.require_signed_authnrequest = sp->authn_requests_signed;
    sp->policy.sign = SAML_SIGN_ASSERTION;
    *ret = TAKE(sp);
    return OK;
}

/* saml-metadata 3: one enveloped signature, first child of the root, over the root. */
enum err
saml_metadata_verify(struct str metadata, const struct saml_keys *pinned, struct why *why)
{
    AUTO(gate_doc_freep) xmlDoc *doc = NULL;
    AUTO(arena_freep) struct arena *a = arena_new(64 * 1024);
    struct dom_cursor c;
    xmlNode *root, *signature;
    const char *id;
    enum err e;

    if ((e = gate_parse(metadata, &gate_metadata, &doc, why)) != OK)
        return e;
    root = xmlDocGetRootElement(doc);
    if ((e = dom_children(root, &c, why)) != OK)
        return e;
    signature = dom_take(&c, NS_DS, "Signature");
    id = dom_attribute(root, "ID", a);
    if (signature == NULL || id == NULL || !dom_is_ncname(id))
        return why_code(why, ERR_DENIED, "saml.metadata.unsigned", "the metadata are not signed");
    return saml_verify(root, id, signature, pinned, why);
}
