/*
 * certificate_proxy: the client's certificate, from the handshake or from the headers of a proxy that made it.
 *
 * A header is believed only on a listener that has no handshake of its own, and only from an address that the operator
 * named (proxy.trusted). The proxy must take away what a client sends under these names; a name that comes twice shows that it
 * did not, and is refused.
 */
#include "idp/signon/certificate.h"

#include "base/core/enc.h"
#include "base/core/log.h"
#include "base/crypto/der.h"

#define HEADER_BYTES (32 * 1024)

static enum err
take(struct arena *a, const struct buf *der, struct str *ret, size_t *ret_n)
{
    if (!buf_ok(der) || der->len == 0 || *ret_n == CERTIFICATE_CHAIN_MAX)
        return ERR_INPUT;
    ret[(*ret_n)++] = (struct str){ arena_dup(a, der->data, der->len), der->len };
    return OK;
}

/* sf-binary (RFC 8941 §3.3.5): ":" base64 ":". */
static enum err
binary_take(struct str item, struct arena *a, struct str *ret, size_t *ret_n)
{
    AUTO(buf_free) struct buf der = BUF_BOUNDED(HEADER_BYTES);

    if (item.n < 2 || item.p[0] != ':' || item.p[item.n - 1] != ':' ||
        base64_decode((struct str){ item.p + 1, item.n - 2 }, false, &der) != OK)
        return ERR_INPUT;
    return take(a, &der, ret, ret_n);
}

static enum err
rfc9440(const char *leaf, const char *others, struct arena *a, struct str *ret, size_t *ret_n)
{
    struct str rest = str_of(others);

    if (leaf == NULL)
        return others == NULL ? OK : ERR_INPUT;
    if (binary_take(str_trim(str_of(leaf)), a, ret, ret_n) != OK)
        return ERR_INPUT;
    while (rest.p != NULL)
        if (binary_take(str_trim(str_split(rest, ',', &rest)), a, ret, ret_n) != OK)
            return ERR_INPUT;
    return OK;
}

static enum err
nginx(const char *leaf, struct arena *a, struct str *ret, size_t *ret_n)
{
    AUTO(buf_free) struct buf pem = BUF_BOUNDED(HEADER_BYTES);
    AUTO(buf_free) struct buf der = BUF_BOUNDED(HEADER_BYTES);
    struct str text;

    if (leaf == NULL || leaf[0] == '\0')
        return OK;
    if (url_decode(str_of(leaf), false, &pem) != OK)
        return ERR_INPUT;
    text = buf_view(&pem);
    if (pem_next(&text, "CERTIFICATE", &der) != OK)
        return ERR_INPUT;
    return take(a, &der, ret, ret_n);
}

static enum err
haproxy(const char *leaf, const char *others, struct arena *a, struct str *ret, size_t *ret_n)
{
    AUTO(buf_free) struct buf der = BUF_BOUNDED(HEADER_BYTES);
    AUTO(buf_free) struct buf chain = BUF_BOUNDED(HEADER_BYTES);
    struct str rest;

    if (leaf == NULL || leaf[0] == '\0')
        return OK;
    if (base64_decode(str_of(leaf), false, &der) != OK || take(a, &der, ret, ret_n) != OK ||
        (others != NULL && base64_decode(str_of(others), false, &chain) != OK))
        return ERR_INPUT;
    for (rest = buf_view(&chain); rest.n > 0;) {
        struct str one;
        unsigned tag;

        if (der_element(&rest, &tag, &one) != OK || *ret_n == CERTIFICATE_CHAIN_MAX)
            return ERR_INPUT;
        ret[(*ret_n)++] = (struct str){ arena_dup(a, one.p, one.n), one.n };
    }
    return OK;
}

enum err
certificate_proxy_parse(enum certificate_proxy style, const char *leaf, const char *others, struct arena *a,
                        struct str ret[CERTIFICATE_CHAIN_MAX], size_t *ret_n)
{
    *ret_n = 0;
    switch (style) {
    case CERTIFICATE_PROXY_NONE:
        return OK;
    case CERTIFICATE_PROXY_RFC9440:
        return rfc9440(leaf, others, a, ret, ret_n);
    case CERTIFICATE_PROXY_NGINX:
        return nginx(leaf, a, ret, ret_n);
    case CERTIFICATE_PROXY_HAPROXY:
        return haproxy(leaf, others, a, ret, ret_n);
    }
    return ERR_INPUT;
}

enum err
certificate_chain_get(struct http_request *req, struct str ret[CERTIFICATE_CHAIN_MAX], size_t *ret_n, struct why *why)
{
    const struct idp *idp = http_app(req);
    enum certificate_proxy style = (enum certificate_proxy)idp->conf.cert_proxy;
    bool standard = style == CERTIFICATE_PROXY_RFC9440;
    const char *leaf = standard ? "Client-Cert" : "X-SSL-Client-Cert";
    const char *others = standard ? "Client-Cert-Chain" : "X-SSL-Client-Chain";
    size_t n;

    if (style == CERTIFICATE_PROXY_NONE) {
        n = http_client_chain(req, ret, CERTIFICATE_CHAIN_MAX);
        *ret_n = n;
        return n == HTTP_CHAIN_TOO_MUCH || n > CERTIFICATE_CHAIN_MAX
                   ? why_code(why, ERR_INPUT, "certificate.chain", "more certificates than are taken") : OK;
    }
    if (!http_from_proxy(req))
        return why_code(why, ERR_DENIED, "certificate.proxy", "not from an address of proxy.trusted");
    if (http_header_count(req, leaf) > 1 || http_header_count(req, others) > 1)
        return why_code(why, ERR_INPUT, "certificate.spoofed", "%s or %s came twice: the proxy lets a client's through",
                        leaf, others);
    if (certificate_proxy_parse(style, http_header(req, leaf), http_header(req, others), http_arena(req), ret, ret_n) != OK)
        return why_code(why, ERR_INPUT, "certificate.header", "%s or %s is not of the form of cert.proxy", leaf, others);
    return OK;
}
