/*
 * verify: see verify.h.
 *
 * What bites: xmlsec1 finds the signed node by an identifier; that the identifier names the node which was read is
 * made sure here (the gate refused a value that is there twice, and only this one attribute is registered). A context
 * of xmlsec1 owns its key; keys of ours are given to it by reference.
 */
#include "idp/saml/verify.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <xmlsec/crypto.h>
#include <xmlsec/openssl/crypto.h>
#include <xmlsec/openssl/evp.h>
#include <xmlsec/transforms.h>
#include <xmlsec/xmldsig.h>

#include "idp/saml/dom.h"
#include "idp/saml/engine.h"
#include "idp/saml/proto.h"

#define PREFIX_LIST_MAX 512

void
saml_keys_done(struct saml_keys *keys)
{
    size_t i;

    for (i = 0; i < keys->n; i++)
        key_free(keys->key[i]);
    keys->n = 0;
}

/* --- the words of a signature ------------------------------------------------------------------- */
struct sig_words {
    enum sig_alg alg;
};

enum err
saml_sig_alg(const char *uri, enum sig_alg *ret, struct why *why)
{
    static const struct {
        const char *uri;
        enum sig_alg alg;
    } allowed[] = {
        {ALG_RSA_SHA256, SIG_RS256},   {ALG_RSA_SHA384, SIG_RS384},   {ALG_RSA_SHA512, SIG_RS512},
        {ALG_ECDSA_SHA256, SIG_ES256}, {ALG_ECDSA_SHA384, SIG_ES384},
    };
    size_t i;

    for (i = 0; i < ARRAY_LEN(allowed); i++)
        if (strcmp(uri, allowed[i].uri) == 0) {
            *ret = allowed[i].alg;
            return OK;
        }
    return why_code(why, ERR_DENIED, "saml.signature.algorithm", "signature method %s is not allowed", uri);
}

static bool
key_fits(const struct key *key, enum sig_alg alg)
{
    switch (alg) {
    case SIG_RS256:
    case SIG_RS384:
    case SIG_RS512:
        return key_algorithm(key) == KEY_RSA;
    case SIG_ES256:
        return key_algorithm(key) == KEY_P256;
    case SIG_ES384:
        return key_algorithm(key) == KEY_P384;
    case SIG_PS256:
    case SIG_EDDSA:
        return false;
    }
    return false;
}

/* Algorithm of a method element; its text must be one of the list. */
static bool
algorithm_is_one_of(const xmlNode *node, const char *const *list, size_t n, char *ret_uri, size_t size)
{
    const char *uri = dom_peek(node, "Algorithm");
    size_t i;

    if (uri == NULL || dom_attributes(node, "Algorithm", NULL) != OK)
        return false;
    if (ret_uri != NULL) {
        if (strlen(uri) >= size)
            return false;
        memcpy(ret_uri, uri, strlen(uri) + 1);
    }
    for (i = 0; i < n; i++)
        if (strcmp(uri, list[i]) == 0)
            return true;
    return n == 0;
}

/* Exclusive canonicalisation may name prefixes; anything else below a method is refused. */
static enum err
check_inclusive_namespaces(const xmlNode *method, struct why *why)
{
    struct dom_cursor c;
    const xmlNode *list;
    enum err e;

    if ((e = dom_children(method, &c, why)) != OK)
        return e;
    list = dom_take(&c, NS_EXC_C14N, "InclusiveNamespaces");
    if (list != NULL) {
        const char *prefixes = dom_peek(list, "PrefixList");

        if (list->children != NULL || (e = dom_attributes(list, "PrefixList", why)) != OK)
            return why_code(why, ERR_DENIED, "saml.signature.words", "InclusiveNamespaces holds more than prefixes");
        if (prefixes != NULL && strlen(prefixes) > PREFIX_LIST_MAX)
            return why_code(why, ERR_DENIED, "saml.signature.words", "a PrefixList of more than %d characters",
                            PREFIX_LIST_MAX);
    }
    return dom_end(&c, why);
}

static enum err
check_empty(const xmlNode *node, struct why *why)
{
    if (node->children == NULL)
        return OK;
    return why_code(why, ERR_DENIED, "saml.signature.words", "%s is not empty", (const char *)node->name);
}

/* saml-core 5.4.4: the enveloped transform, then exclusive canonicalisation; nothing else. */
static enum err
check_transforms(const xmlNode *transforms, struct why *why)
{
    static const char *const enveloped[] = {ALG_ENVELOPED};
    static const char *const exclusive[] = {ALG_EXC_C14N, ALG_EXC_C14N_COMMENTS};
    struct dom_cursor c;
    const xmlNode *first, *second;
    enum err e;

    if (transforms == NULL)
        return why_code(why, ERR_DENIED, "saml.signature.transforms", "no Transforms");
    if ((e = dom_children(transforms, &c, why)) != OK)
        return e;
    first = dom_take(&c, NS_DS, "Transform");
    second = dom_take(&c, NS_DS, "Transform");
    if (first == NULL || second == NULL || !algorithm_is_one_of(first, enveloped, ARRAY_LEN(enveloped), NULL, 0) ||
        !algorithm_is_one_of(second, exclusive, ARRAY_LEN(exclusive), NULL, 0))
        return why_code(why, ERR_DENIED, "saml.signature.transforms",
                        "the transforms are not enveloped-signature and exclusive canonicalisation");
    if ((e = check_empty(first, why)) != OK || (e = check_inclusive_namespaces(second, why)) != OK)
        return e;
    return dom_end(&c, why);
}

static enum err
check_reference(const xmlNode *reference, const char *id, struct why *why)
{
    static const char *const digests[] = {ALG_SHA256, ALG_SHA384, ALG_SHA512};
    struct dom_cursor c;
    const xmlNode *method;
    const char *uri = dom_peek(reference, "URI");
    enum err e;

    if ((e = dom_attributes(reference, "URI", why)) != OK)
        return e;
    if (uri == NULL || uri[0] != '#' || strcmp(uri + 1, id) != 0)
        return why_code(why, ERR_DENIED, "saml.signature.reference", "the Reference does not name the message");
    if ((e = dom_children(reference, &c, why)) != OK ||
        (e = check_transforms(dom_take(&c, NS_DS, "Transforms"), why)) != OK)
        return e;
    method = dom_take(&c, NS_DS, "DigestMethod");
    if (method == NULL || !algorithm_is_one_of(method, digests, ARRAY_LEN(digests), NULL, 0))
        return why_code(why, ERR_DENIED, "saml.signature.algorithm", "the digest method is not allowed");
    if ((e = check_empty(method, why)) != OK)
        return e;
    if (dom_take(&c, NS_DS, "DigestValue") == NULL)
        return why_code(why, ERR_DENIED, "saml.signature.words", "no DigestValue");
    return dom_end(&c, why);
}

static enum err
check_signed_info(const xmlNode *info, const char *id, struct sig_words *words, struct why *why)
{
    static const char *const c14n[] = {ALG_EXC_C14N, ALG_EXC_C14N_COMMENTS, ALG_C14N};
    struct dom_cursor c;
    const xmlNode *method, *reference;
    char uri[128];
    enum err e;

    if (info == NULL)
        return why_code(why, ERR_DENIED, "saml.signature.words", "no SignedInfo");
    if ((e = dom_children(info, &c, why)) != OK)
        return e;
    method = dom_take(&c, NS_DS, "CanonicalizationMethod");
    if (method == NULL || !algorithm_is_one_of(method, c14n, ARRAY_LEN(c14n), NULL, 0))
        return why_code(why, ERR_DENIED, "saml.signature.algorithm", "the canonicalisation is not allowed");
    if ((e = check_inclusive_namespaces(method, why)) != OK)
        return e;
    method = dom_take(&c, NS_DS, "SignatureMethod");
    if (method == NULL || !algorithm_is_one_of(method, NULL, 0, uri, sizeof uri))
        return why_code(why, ERR_DENIED, "saml.signature.algorithm", "no signature method");
    if ((e = saml_sig_alg(uri, &words->alg, why)) != OK || (e = check_empty(method, why)) != OK)
        return e;
    reference = dom_take(&c, NS_DS, "Reference");
    if (reference == NULL)
        return why_code(why, ERR_DENIED, "saml.signature.reference", "no Reference");
    if ((e = check_reference(reference, id, why)) != OK)
        return e;
    if (c.next != NULL)
        return why_code(why, ERR_DENIED, "saml.signature.reference", "more than one Reference");
    return OK;
}

/* SignedInfo, SignatureValue, at most one KeyInfo (not read), no Object. */
static enum err
check_words(const xmlNode *signature, const char *id, struct sig_words *words, struct why *why)
{
    struct dom_cursor c;
    enum err e;

    if ((e = dom_children(signature, &c, why)) != OK ||
        (e = check_signed_info(dom_take(&c, NS_DS, "SignedInfo"), id, words, why)) != OK)
        return e;
    if (dom_take(&c, NS_DS, "SignatureValue") == NULL)
        return why_code(why, ERR_DENIED, "saml.signature.words", "no SignatureValue");
    (void)dom_take(&c, NS_DS, "KeyInfo");
    if (c.next != NULL)
        return why_code(why, ERR_DENIED, "saml.signature.words", "%s inside the Signature", (const char *)c.next->name);
    return OK;
}

/* --- the signature itself ------------------------------------------------------------------------- */
/* The identifier names this node and no other of the document. */
static bool
register_id(xmlNode *node, const char *id)
{
    xmlAttr *attr = dom_find_attribute(node, "ID");
    const xmlChar *value = (const xmlChar *)id;

    if (attr == NULL || strcmp(dom_peek(node, "ID"), id) != 0)
        return false;
    if (xmlGetID(node->doc, value) == NULL && xmlAddID(NULL, node->doc, value, attr) == NULL)
        return false;
    return xmlGetID(node->doc, value) == attr;
}

static void
dsig_free(xmlSecDSigCtx *ctx)
{
    xmlSecDSigCtxDestroy(ctx);
}
DEFINE_FREEP(xmlSecDSigCtx, dsig_free)

static xmlSecKey *
engine_key(const struct key *key)
{
    EVP_PKEY *evp = xmlSecOpenSSLEvpKeyDup(key_evp(key));
    xmlSecKeyData *data;
    xmlSecKey *k;

    if (evp == NULL)
        return NULL;
    if ((data = xmlSecOpenSSLEvpKeyAdopt(evp)) == NULL) {
        EVP_PKEY_free(evp);
        return NULL;
    }
    k = xmlSecKeyCreate();
    CHECK(k != NULL);
    if (xmlSecKeySetValue(k, data) < 0) {
        xmlSecKeyDataDestroy(data);
        xmlSecKeyDestroy(k);
        return NULL;
    }
    return k;
}

static bool
allow(xmlSecDSigCtx *ctx)
{
    const xmlSecTransformId reference[] = {
        xmlSecTransformEnvelopedId, xmlSecTransformExclC14NId, xmlSecTransformExclC14NWithCommentsId,
        xmlSecTransformSha256Id,    xmlSecTransformSha384Id,   xmlSecTransformSha512Id,
    };
    const xmlSecTransformId signature[] = {
        xmlSecTransformInclC14NId,    xmlSecTransformExclC14NId, xmlSecTransformExclC14NWithCommentsId,
        xmlSecTransformRsaSha256Id,   xmlSecTransformRsaSha384Id, xmlSecTransformRsaSha512Id,
        xmlSecTransformEcdsaSha256Id, xmlSecTransformEcdsaSha384Id,
    };
    size_t i;

    ctx->enabledReferenceUris = xmlSecTransformUriTypeSameDocument;
    for (i = 0; i < ARRAY_LEN(reference); i++)
        if (xmlSecDSigCtxEnableReferenceTransform(ctx, reference[i]) < 0)
            return false;
    for (i = 0; i < ARRAY_LEN(signature); i++)
        if (xmlSecDSigCtxEnableSignatureTransform(ctx, signature[i]) < 0)
            return false;
    return true;
}

/* The library's return code is not the verdict: each status it keeps is read. */
static bool
verify_with(xmlNode *signature, const struct key *key)
{
    AUTO(dsig_freep) xmlSecDSigCtx *ctx = xmlSecDSigCtxCreate(NULL);
    const xmlSecDSigReferenceCtx *reference;

    CHECK(ctx != NULL);
    if (!allow(ctx) || (ctx->signKey = engine_key(key)) == NULL)
        return false;
    if (xmlSecDSigCtxVerify(ctx, signature) < 0 || ctx->status != xmlSecDSigStatusSucceeded)
        return false;
    if (xmlSecPtrListGetSize(&ctx->signedInfoReferences) != 1 || xmlSecPtrListGetSize(&ctx->manifestReferences) != 0)
        return false;
    reference = xmlSecPtrListGetItem(&ctx->signedInfoReferences, 0);
    return reference != NULL && reference->status == xmlSecDSigStatusSucceeded;
}

enum err
saml_verify(xmlNode *node, const char *id, xmlNode *signature, const struct saml_keys *keys, struct why *why)
{
    struct sig_words words;
    enum err e;
    size_t i;

    saml_engine_start();
    if (signature->parent != node || !dom_is(signature, NS_DS, "Signature"))
        return why_code(why, ERR_DENIED, "saml.signature.place", "the Signature is not a child of the message");
    if ((e = check_words(signature, id, &words, why)) != OK)
        return ERR_DENIED;
    if (!register_id(node, id))
        return why_code(why, ERR_DENIED, "saml.signature.reference", "the identifier is not the message's own");
    if (keys->n == 0)
        return why_code(why, ERR_DENIED, "saml.signature.no_key", "no usable signing key is registered");
    for (i = 0; i < keys->n; i++)
        if (key_fits(keys->key[i], words.alg) && verify_with(signature, keys->key[i]))
            return OK;
    ERR_clear_error();
    return why_code(why, ERR_DENIED, "saml.signature.wrong", "the signature fits none of the registered keys");
}
