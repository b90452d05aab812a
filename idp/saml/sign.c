/*
 * sign: see sign.h.
 *
 * SignedInfo is digested with its own xmlns:ds, which is what exclusive canonicalisation of the apex element gives,
 * and sent without, because ds:Signature around it declares the prefix.
 */
#include "idp/saml/sign.h"

#include "base/core/enc.h"
#include "base/core/rand.h"
#include "base/crypto/digest.h"
#include "idp/saml/proto.h"

#define SIGNED_INFO_MAX 2048
#define SIGNATURE_MAX 1024

static const char signed_info_1[] =
    "<ds:CanonicalizationMethod Algorithm=\"" ALG_EXC_C14N "\"></ds:CanonicalizationMethod>"
    "<ds:SignatureMethod Algorithm=\"" ALG_RSA_SHA256 "\"></ds:SignatureMethod><ds:Reference URI=\"#";
static const char signed_info_2[] =
    "\"><ds:Transforms><ds:Transform Algorithm=\"" ALG_ENVELOPED "\"></ds:Transform>"
    "<ds:Transform Algorithm=\"" ALG_EXC_C14N "\"></ds:Transform></ds:Transforms>"
    "<ds:DigestMethod Algorithm=\"" ALG_SHA256 "\"></ds:DigestMethod><ds:DigestValue>";
static const char signed_info_3[] = "</ds:DigestValue></ds:Reference></ds:SignedInfo>";

void
saml_id_new(char ret[SAML_ID_LEN + 1])
{
    static const char hex[] = "0123456789abcdef";
    unsigned char random[20];
    size_t i;

    rand_bytes(random, sizeof random);
    ret[0] = '_';
    for (i = 0; i < sizeof random; i++) {
        ret[1 + 2 * i] = hex[random[i] >> 4];
        ret[2 + 2 * i] = hex[random[i] & 15];
    }
    ret[SAML_ID_LEN] = 0;
}

/* SignedInfo without its start tag. */
static void
signed_info(const char *id, struct str element, struct buf *out)
{
    unsigned char digest[SHA256_LEN];

    sha256(element, digest);
    buf_add_lit(out, signed_info_1);
    buf_adds(out, id);
    buf_add_lit(out, signed_info_2);
    base64_encode(out, digest, sizeof digest);
    buf_add_lit(out, signed_info_3);
}

enum err
saml_sign(const struct saml_signer *signer, const char *id, struct str element, size_t at, struct buf *out,
          struct why *why)
{
    AUTO(buf_free) struct buf info = BUF_BOUNDED(SIGNED_INFO_MAX);
    AUTO(buf_free) struct buf sig = BUF_BOUNDED(SIGNATURE_MAX);
    static const char start[] = "<ds:SignedInfo xmlns:ds=\"" NS_DS "\">";
    enum err e;

    CHECK(at <= element.n);
    buf_add_lit(&info, start);
    signed_info(id, element, &info);
    if (!buf_ok(&info))
        return why_code(why, ERR_INTERNAL, "saml.sign", "SignedInfo does not fit");
    if ((e = key_sign(signer->key, KEY_SAML_SIGN, SIG_RS256, buf_view(&info), false, &sig, why)) != OK)
        return e;
    buf_add(out, element.p, at);
    buf_add_lit(out, "<ds:Signature xmlns:ds=\"" NS_DS "\"><ds:SignedInfo>");
    buf_add(out, info.data + sizeof start - 1, info.len - (sizeof start - 1));
    buf_add_lit(out, "<ds:SignatureValue>");
    base64_encode(out, sig.data, sig.len);
    buf_add_lit(out, "</ds:SignatureValue><ds:KeyInfo><ds:X509Data><ds:X509Certificate>");
    base64_encode(out, signer->certificate.p, signer->certificate.n);
    buf_add_lit(out, "</ds:X509Certificate></ds:X509Data></ds:KeyInfo></ds:Signature>");
    buf_add(out, element.p + at, element.n - at);
    return buf_ok(out) ? OK : why_code(why, ERR_INTERNAL, "saml.sign", "the message does not fit");
}
