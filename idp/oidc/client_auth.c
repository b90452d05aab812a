/*
 * client_auth: who asks at the token, introspection and revocation endpoints (RFC 6749 §2.3), and how they are refused
 * there (§5.2).
 */
#include "idp/oidc/oidc-internal.h"

#include <strings.h>

#include "base/core/enc.h"
#include "base/core/log.h"
#include "base/core/secret.h"

void
oidc_refuse(struct http_request *req, int status, const char *error, const char *description)
{
    LOG_INFO_EV("oidc.refused", LF_STR("path", http_route(req)->path), LF_STR("error", error), LF_STR("what", description));
    if (status == 401)
        http_header_add(req, "WWW-Authenticate", "Basic realm=\"beffroi\", charset=\"UTF-8\"");
    http_reply_json(req, status, arena_printf(http_arena(req), "{\"error\":\"%s\",\"error_description\":\"%s\"}", error,
                                              description));
}

void
oidc_refuse_client(struct http_request *req)
{
    oidc_refuse(req, 401, E_INVALID_CLIENT, "unknown client or wrong secret");
}

void
oidc_unavailable(struct http_request *req, enum err e, const struct why *why)
{
    LOG_ERROR_EV("oidc.unavailable", LF_STR("path", http_route(req)->path), LF_ERR(e), LF_WHY(why));
    oidc_refuse(req, 503, E_UNAVAILABLE, "try again later");
}

struct credentials {
    const char *id, *secret;            /* secret: NULL when absent or empty */
    const char *raw_id, *raw_secret;    /* a Basic pair as it came; else NULL */
};

/*
 * RFC 6749 §2.3.1: both parts are form-encoded inside the Basic pair. Many clients leave that out (RFC 7617 knows no such
 * thing), and with '+' or '%' in a secret it makes a difference: so the pair is looked at both ways.
 */
static bool
basic_read(struct http_request *req, const char *value, struct credentials *ret)
{
    AUTO(buf_free) struct buf pair = BUF_SECRET(2048);
    AUTO(buf_free) struct buf id = BUF_BOUNDED(1024);
    AUTO(buf_free) struct buf secret = BUF_SECRET(1024);
    struct arena *a = http_arena(req);
    struct str rest, head;

    if (base64_decode(str_of(value), false, &pair) != OK)
        return false;
    head = str_split(buf_view(&pair), ':', &rest);
    if (rest.p == NULL || memchr(pair.data, '\0', pair.len) != NULL)
        return false;
    if (url_decode(head, true, &id) != OK) {
        buf_reset(&id);
        buf_add_str(&id, head);
    }
    if (url_decode(rest, true, &secret) != OK) {
        buf_reset(&secret);
        buf_add_str(&secret, rest);
    }
    *ret = (struct credentials){ .id = arena_strdup(a, buf_cstr(&id)), .secret = arena_strdup(a, buf_cstr(&secret)),
                                 .raw_id = arena_str(a, head), .raw_secret = arena_str(a, rest) };
    if (rest.n == 0)
        ret->secret = ret->raw_secret = NULL;
    return true;
}

static bool
credentials_read(struct http_request *req, struct credentials *ret)
{
    const char *header = http_header(req, "Authorization");

    *ret = (struct credentials){ .id = oidc_param(req, "client_id"), .secret = oidc_param(req, "client_secret") };
    if (header == NULL)
        return ret->id != NULL;
    if (strncasecmp(header, "Basic ", 6) != 0 || ret->secret != NULL)      /* one method at a time (§2.3) */
        return false;
    if (ret->id != NULL) {
        struct credentials basic;

        if (!basic_read(req, header + 6, &basic) ||
            (strcmp(basic.id, ret->id) != 0 && strcmp(basic.raw_id, ret->id) != 0))
            return false;
        *ret = basic;
        return true;
    }
    return basic_read(req, header + 6, ret);
}

static bool
secret_fits(const struct idp *idp, const struct service *sv, const char *secret)
{
    const struct oidc_client *c = oidc_client_of(sv);
    unsigned char mac[MAC_LEN];

    return secret != NULL && oidc_secret_mac(idp, c->secret_version, sv->name, secret, mac) == OK &&
           mem_equal_ct(mac, sizeof(mac), c->secret_mac, sizeof(c->secret_mac));
}

/* Either place is taken for a client with a secret: many libraries try one and then the other. */
static bool
client_proved(const struct idp *idp, const struct service *sv, const struct credentials *cr)
{
    if (oidc_client_of(sv)->auth == CLIENT_PUBLIC)
        return cr->secret == NULL;
    return secret_fits(idp, sv, cr->secret) || secret_fits(idp, sv, cr->raw_secret);
}

static const struct service *
client_find(const struct services_view *view, const struct credentials *cr)
{
    const struct service *sv = services_find(view, SERVICE_OIDC, cr->id);

    return sv == NULL && cr->raw_id != NULL ? services_find(view, SERVICE_OIDC, cr->raw_id) : sv;
}

const struct service *
oidc_client_authenticate(struct http_request *req, const struct services_view *view)
{
    const struct idp *idp = http_app(req);
    const struct service *sv;
    struct credentials cr;

    if (!credentials_read(req, &cr) || (sv = client_find(view, &cr)) == NULL)
        return NULL;
    return client_proved(idp, sv, &cr) ? sv : NULL;
}
