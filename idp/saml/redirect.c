/* redirect: see redirect.h. Errors of zlib are the peer's; its memory is bounded by the window and our ceiling. */
#include "idp/saml/redirect.h"

#define ZLIB_CONST /* z_stream.next_in points to const */
#include <zlib.h>

#include "base/core/enc.h"
#include "base/core/text.h"
#include "idp/saml/gate.h"
#include "idp/saml/proto.h"

#define QUERY_MAX (96 * 1024)
#define SIG_ALG_MAX 128
#define SIGNATURE_MAX 1024

/* --- in ------------------------------------------------------------------------------------------- */
static enum err
keep(struct str *slot, struct str value, const char *name, struct why *why)
{
    if (slot->p != NULL)
        return why_code(why, ERR_INPUT, "saml.redirect.twice", "parameter %s is there twice", name);
    *slot = value;
    return OK;
}

struct parameters {
    struct str request, response, relay, sig_alg, signature, encoding;
};

static enum err
take_parameter(struct parameters *p, struct str name, struct str value, struct why *why)
{
    if (memchr(name.p, '%', name.n) != NULL || memchr(name.p, '+', name.n) != NULL)
        return why_code(why, ERR_INPUT, "saml.redirect.name", "an escape in a parameter's name");
    if (str_eqs(name, "SAMLRequest"))
        return keep(&p->request, value, "SAMLRequest", why);
    if (str_eqs(name, "SAMLResponse"))
        return keep(&p->response, value, "SAMLResponse", why);
    if (str_eqs(name, "RelayState"))
        return keep(&p->relay, value, "RelayState", why);
    if (str_eqs(name, "SigAlg"))
        return keep(&p->sig_alg, value, "SigAlg", why);
    if (str_eqs(name, "Signature"))
        return keep(&p->signature, value, "Signature", why);
    if (str_eqs(name, "SAMLEncoding"))
        return keep(&p->encoding, value, "SAMLEncoding", why);
    return OK;
}

static enum err
split(struct str query, struct parameters *p, struct why *why)
{
    struct str rest = query, value;
    enum err e;

    while (rest.p != NULL) {
        struct str pair = str_split(rest, '&', &rest);
        struct str name = str_split(pair, '=', &value);

        if (name.n == 0)
            continue;
        if (value.p == NULL)
            value = STR_LIT("");
        if ((e = take_parameter(p, name, value, why)) != OK)
            return e;
    }
    return OK;
}

static enum err
check_parameters(const struct parameters *p, struct why *why)
{
    AUTO(buf_free) struct buf encoding = BUF_BOUNDED(256);

    if ((p->request.p == NULL) == (p->response.p == NULL))
        return why_code(why, ERR_INPUT, "saml.redirect.message", "no SAML message, or two");
    if (p->request.n + p->response.n == 0)
        return why_code(why, ERR_INPUT, "saml.redirect.message", "an empty SAML message");
    if ((p->sig_alg.p == NULL) != (p->signature.p == NULL))
        return why_code(why, ERR_INPUT, "saml.redirect.signature", "SigAlg and Signature do not come together");
    if (p->signature.p != NULL && (p->sig_alg.n == 0 || p->signature.n == 0))
        return why_code(why, ERR_INPUT, "saml.redirect.signature", "an empty SigAlg or Signature");
    if (p->encoding.p != NULL &&
        (url_decode(p->encoding, false, &encoding) != OK || !buf_ok(&encoding) ||
         !str_eqs(buf_view(&encoding), ENCODING_DEFLATE)))
        return why_code(why, ERR_INPUT, "saml.redirect.encoding", "SAMLEncoding is not DEFLATE");
    return OK;
}

/* RFC 1951, whole stream, nothing behind it; refused as soon as it would pass the ceiling of out. */
static enum err
inflate_bounded(const struct buf *in, struct buf *out, struct why *why)
{
    z_stream z = {0};
    char *room = buf_reserve(out, gate_message.bytes);
    int rc;

    CHECK(room != NULL && inflateInit2(&z, -15) == Z_OK);
    z.next_in = (const Bytef *)in->data;
    z.avail_in = (uInt)in->len;
    z.next_out = (Bytef *)room;
    z.avail_out = (uInt)gate_message.bytes;
    rc = inflate(&z, Z_FINISH);
    (void)inflateEnd(&z);
    if (rc == Z_BUF_ERROR && z.avail_out == 0)
        return why_code(why, ERR_INPUT, "saml.xml.size", "larger than %zu bytes when inflated", gate_message.bytes);
    if (rc != Z_STREAM_END)
        return why_code(why, ERR_INPUT, "saml.redirect.deflate", "not a DEFLATE stream");
    if (z.avail_in != 0)
        return why_code(why, ERR_INPUT, "saml.redirect.deflate", "octets behind the DEFLATE stream");
    buf_advance(out, gate_message.bytes - z.avail_out);
    return OK;
}

/* '+' stays '+': some services forget to escape it, and base64 has no space. */
static enum err
decode_message(struct str raw, struct buf *xml, struct why *why)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(QUERY_MAX);
    AUTO(buf_free) struct buf deflated = BUF_BOUNDED(QUERY_MAX);

    if (url_decode(raw, false, &text) != OK || base64_decode(buf_view(&text), true, &deflated) != OK ||
        !buf_ok(&text) || !buf_ok(&deflated) || deflated.len == 0)
        return why_code(why, ERR_INPUT, "saml.redirect.base64", "the message is not base64");
    return inflate_bounded(&deflated, xml, why);
}

static enum err
decode_relay_state(struct str raw, struct buf *out, struct why *why)
{
    if (url_decode(raw, true, out) != OK || !buf_ok(out))
        return why_code(why, ERR_INPUT, "saml.relay_state", "RelayState is malformed or longer than %d bytes",
                        SAML_RELAY_STATE_MAX);
    if (!text_is_utf8(buf_view(out)))
        return why_code(why, ERR_INPUT, "saml.relay_state", "RelayState is not UTF-8");
    return OK;
}

enum err
saml_redirect_parse(struct str raw_query, struct saml_redirect *ret, struct why *why)
{
    struct parameters p = {0};
    AUTO(buf_free) struct buf xml = BUF_BOUNDED(gate_message.bytes);
    AUTO(buf_free) struct buf relay = BUF_BOUNDED(SAML_RELAY_STATE_MAX);
    enum err e;

    if (raw_query.n > QUERY_MAX)
        return why_code(why, ERR_INPUT, "saml.redirect.size", "a query of more than %d bytes", QUERY_MAX);
    if ((e = split(raw_query, &p, why)) != OK || (e = check_parameters(&p, why)) != OK ||
        (e = decode_message(p.response.p != NULL ? p.response : p.request, &xml, why)) != OK)
        return e;
    if (p.relay.p != NULL && (e = decode_relay_state(p.relay, &relay, why)) != OK)
        return e;
    *ret = (struct saml_redirect){
        .message = p.response.p != NULL ? p.response : p.request,
        .relay = p.relay,
        .sig_alg = p.sig_alg,
        .signature = p.signature,
        .response = p.response.p != NULL,
        .xml = xml,
        .relay_state = relay,
        .has_relay_state = p.relay.p != NULL,
    };
    xml = (struct buf)BUF_BOUNDED(0); /* moved */
    relay = (struct buf)BUF_BOUNDED(0);
    return OK;
}

void
saml_redirect_done(struct saml_redirect *r)
{
    buf_free(&r->xml);
    buf_free(&r->relay_state);
}

/* §3.4.4.1: the values in their original, escaped form, in this order. */
static void
signed_octets(const struct saml_redirect *r, bool with_relay, struct buf *out)
{
    buf_adds(out, r->response ? "SAMLResponse=" : "SAMLRequest=");
    buf_add_str(out, r->message);
    if (with_relay) {
        buf_add_lit(out, "&RelayState=");
        buf_add_str(out, r->relay);
    }
    buf_add_lit(out, "&SigAlg=");
    buf_add_str(out, r->sig_alg);
}

static enum err
verify_octets(const struct saml_redirect *r, bool with_relay, enum sig_alg alg, struct str sig,
              const struct saml_keys *keys)
{
    AUTO(buf_free) struct buf octets = BUF_BOUNDED(QUERY_MAX + 64);
    size_t i;

    signed_octets(r, with_relay, &octets);
    for (i = 0; i < keys->n && buf_ok(&octets); i++)
        if (key_verify(keys->key[i], alg, buf_view(&octets), sig, true, NULL) == OK)
            return OK;
    return ERR_DENIED;
}

enum err
saml_redirect_verify(const struct saml_redirect *r, const struct saml_keys *keys, struct why *why)
{
    AUTO(buf_free) struct buf uri = BUF_BOUNDED(SIG_ALG_MAX);
    AUTO(buf_free) struct buf text = BUF_BOUNDED(SIGNATURE_MAX);
    AUTO(buf_free) struct buf sig = BUF_BOUNDED(SIGNATURE_MAX);
    enum sig_alg alg;
    enum err e;

    if (!saml_redirect_is_signed(r))
        return why_code(why, ERR_DENIED, "saml.signature.missing", "not signed");
    if (url_decode(r->sig_alg, false, &uri) != OK || !buf_ok(&uri))
        return why_code(why, ERR_DENIED, "saml.signature.algorithm", "SigAlg is malformed");
    if ((e = saml_sig_alg(buf_cstr(&uri), &alg, why)) != OK)
        return e;
    if (url_decode(r->signature, false, &text) != OK || base64_decode(buf_view(&text), true, &sig) != OK ||
        !buf_ok(&text) || !buf_ok(&sig))
        return why_code(why, ERR_DENIED, "saml.signature.wrong", "Signature is not base64");
    if (keys->n == 0)
        return why_code(why, ERR_DENIED, "saml.signature.no_key", "no usable signing key is registered");
    if (verify_octets(r, r->relay.p != NULL, alg, buf_view(&sig), keys) == OK)
        return OK;
    /* "RelayState=" without a value: some sign it, some leave it out. */
    if (r->relay.p != NULL && r->relay.n == 0 && verify_octets(r, false, alg, buf_view(&sig), keys) == OK)
        return OK;
    return why_code(why, ERR_DENIED, "saml.signature.wrong", "the signature fits none of the registered keys");
}

/* --- out ------------------------------------------------------------------------------------------ */
static void
deflate_whole(struct str in, struct buf *out)
{
    z_stream z = {0};
    uLong most;
    char *room;

    CHECK(deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    most = deflateBound(&z, in.n);
    room = buf_reserve(out, most);
    CHECK(room != NULL);
    z.next_in = (const Bytef *)in.p;
    z.avail_in = (uInt)in.n;
    z.next_out = (Bytef *)room;
    z.avail_out = (uInt)most;
    CHECK(deflate(&z, Z_FINISH) == Z_STREAM_END);
    buf_advance(out, most - z.avail_out);
    (void)deflateEnd(&z);
}

enum err
saml_redirect_write(const char *location, bool response, struct str xml, struct str relay_state, struct key *signer,
                    struct buf *ret_url, struct why *why)
{
    AUTO(buf_free) struct buf deflated = BUF_BOUNDED(2 * gate_message.bytes);
    AUTO(buf_free) struct buf text = BUF_BOUNDED(4 * gate_message.bytes);
    AUTO(buf_free) struct buf query = BUF_BOUNDED(8 * gate_message.bytes);
    AUTO(buf_free) struct buf sig = BUF_BOUNDED(SIGNATURE_MAX);
    enum err e;

    deflate_whole(xml, &deflated);
    base64_encode(&text, deflated.data, deflated.len);
    buf_adds(&query, response ? "SAMLResponse=" : "SAMLRequest=");
    url_encode(&query, buf_view(&text));
    if (relay_state.p != NULL) {
        buf_add_lit(&query, "&RelayState=");
        url_encode(&query, relay_state);
    }
    buf_add_lit(&query, "&SigAlg=");
    url_encode(&query, STR_LIT(ALG_RSA_SHA256));
    if ((e = key_sign(signer, KEY_SAML_SIGN, SIG_RS256, buf_view(&query), false, &sig, why)) != OK)
        return e;
    buf_reset(&text);
    base64_encode(&text, sig.data, sig.len);
    buf_adds(ret_url, location);
    buf_addc(ret_url, strchr(location, '?') == NULL ? '?' : '&');
    buf_add_str(ret_url, buf_view(&query));
    buf_add_lit(ret_url, "&Signature=");
    url_encode(ret_url, buf_view(&text));
    if (!buf_ok(ret_url) || !buf_ok(&query) || !buf_ok(&text))
        return why_code(why, ERR_INTERNAL, "saml.redirect.size", "the address does not fit");
    return OK;
}
