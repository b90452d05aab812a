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
    const char *id, *secret;
    bool basic;
};

/* RFC 6749 §2.3.1: both parts are form-encoded inside the Basic pair. */
static bool
basic_read(struct http_request *req, const char *value, struct credentials *ret)
{
    AUTO(buf_free) struct buf pair = BUF_SECRET(2048);
    AUTO(buf_free) struct buf id = BUF_BOUNDED(1024);
    AUTO(buf_free) struct buf secret = BUF_SECRET(1024);
    struct str rest, head;

    if (base64_decode(str_of(value), false, &pair) != OK)
        return false;
    head = str_split(buf_view(&pair), ':', &rest);
    if (rest.p == NULL || url_decode(head, true, &id) != OK || url_decode(rest, true, &secret) != OK)
        return false;
    ret->id = arena_strdup(http_arena(req), buf_cstr(&id));
    ret->secret = arena_strdup(http_arena(req), buf_cstr(&secret));
    ret->basic = true;
    return true;
}

static bool
credentials_read(struct http_request *req, struct credentials *ret)
{
    const char *header = http_header(req, "Authorization");

    *ret = (struct credentials){ .id = http_form(req, "client_id"), .secret = http_form(req, "client_secret") };
    if (header == NULL)
        return ret->id != NULL;
    if (strncasecmp(header, "Basic ", 6) != 0 || ret->secret != NULL)      /* one method at a time (§2.3) */
        return false;
    if (ret->id != NULL) {
        struct credentials basic;

        if (!basic_read(req, header + 6, &basic) || strcmp(basic.id, ret->id) != 0)
            return false;
        *ret = basic;
        return true;
    }
    return basic_read(req, header + 6, ret);
}

static bool
client_proved(const struct idp *idp, const struct service *sv, const struct credentials *cr)
{
    const struct oidc_client *c = oidc_client_of(sv);
    unsigned char mac[MAC_LEN];

    if (c->auth == CLIENT_PUBLIC)
        return cr->secret == NULL;
    /* Either place is taken for a client with a secret: many libraries try one and then the other. */
    return cr->secret != NULL && oidc_secret_mac(idp, c->secret_version, sv->name, cr->secret, mac) == OK &&
           mem_equal_ct(mac, sizeof(mac), c->secret_mac, sizeof(c->secret_mac));
}

const struct service *
oidc_client_authenticate(struct http_request *req, const struct services_view *view)
{
    const struct idp *idp = http_app(req);
    const struct service *sv;
    struct credentials cr;

    if (!credentials_read(req, &cr) || (sv = services_find(view, SERVICE_OIDC, cr.id)) == NULL)
        return NULL;
    return client_proved(idp, sv, &cr) ? sv : NULL;
}
