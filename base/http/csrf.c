/*
 * csrf: a form of ours comes back from a page of ours.
 *
 * The protocol. Cookie "__Host-csrf" = 16 random bytes, base64url (22 characters); the prefix makes browsers refuse one
 * set by another host or over plain HTTP. Field "csrf" (or header X-CSRF-Token for bodies that are no forms)
 * = base64url(HMAC-SHA-256(csrf_key, "beffroi csrf 1" || 0x00 || cookie value)). A page of another site can neither
 * read the cookie nor compute the field. The pair is bound to the browser, not to a session, so that the form before
 * the sign-in has one, and is valid on every node that has the key.
 *
 * Beside it, where the browser says where the request comes from (Sec-Fetch-Site, Origin), it must be from us. Our
 * pages are sent with "Referrer-Policy: same-origin": under "no-referrer" the Fetch standard (append a request Origin
 * header) makes the Origin of our own forms "null".
 */
#include <ctype.h>
#include <gnutls/crypto.h>
#include <stdio.h>

#include "base/core/enc.h"
#include "base/core/rand.h"
#include "base/core/secret.h"
#include "base/http/http-internal.h"

#define CSRF_COOKIE "__Host-csrf"
#define CSRF_COOKIE_LEN 22
#define CSRF_LABEL "beffroi csrf 1"
#define CSRF_MAX_AGE (-1)                     /* until the browser closes */

static void
token_of(struct http_request *req, const char *cookie, char out[48])
{
    unsigned char message[sizeof(CSRF_LABEL) + CSRF_COOKIE_LEN], mac[32];
    AUTO(buf_free) struct buf text = BUF_BOUNDED(64);

    memcpy(message, CSRF_LABEL, sizeof(CSRF_LABEL));       /* with its NUL */
    memcpy(message + sizeof(CSRF_LABEL), cookie, CSRF_COOKIE_LEN);
    CHECK(gnutls_hmac_fast(GNUTLS_MAC_SHA256, req->server->conf->csrf_key, 32, message, sizeof(message), mac) == 0);
    base64url_encode(&text, mac, sizeof(mac));
    snprintf(out, 48, "%s", buf_cstr(&text));
}

/* The cookie when it can be one of ours. */
static const char *
cookie_of(const struct http_request *req)
{
    const char *c = http_cookie(req, CSRF_COOKIE);

    if (c == NULL || strlen(c) != CSRF_COOKIE_LEN)
        return NULL;
    for (const char *p = c; *p != '\0'; p++)
        if (!isalnum((unsigned char)*p) && *p != '-' && *p != '_')
            return NULL;
    return c;
}

const char *
http_csrf_token(struct http_request *req)
{
    const char *cookie = cookie_of(req);

    if (req->csrf_token[0] != '\0')
        return req->csrf_token;
    if (req->server->conf->csrf_key == NULL)
        panic("http_csrf_token: the server has no csrf_key");
    if (cookie == NULL) {
        char fresh[CSRF_COOKIE_LEN + 3];

        rand_token(16, fresh, sizeof(fresh));
        cookie = arena_strdup(req->arena, fresh);
        http_cookie_set(req, CSRF_COOKIE, cookie, CSRF_MAX_AGE, "Lax");
    }
    token_of(req, cookie, req->csrf_token);
    return req->csrf_token;
}

/* What a browser adds by itself and a page cannot forge; absent from older browsers and from programs. */
static const char *
check_source(const struct http_request *req)
{
    const char *site = http_header(req, "Sec-Fetch-Site"), *origin = http_header(req, "Origin");

    if (site != NULL && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0)
        return "Sec-Fetch-Site says another site";
    if (origin != NULL && strcmp(origin, req->listener->origin) != 0)
        return "Origin is another";
    return NULL;
}

const char *
csrf_check(struct http_request *req)
{
    const char *cookie = cookie_of(req), *why = check_source(req), *sent;
    char expected[48];

    if (why != NULL)
        return why;
    if (cookie == NULL)
        return "no cookie";
    sent = http_form(req, "csrf");
    if (sent == NULL && req->match.route->body != HTTP_BODY_FORM && req->match.route->body != HTTP_BODY_UPLOAD)
        sent = http_header(req, "X-CSRF-Token");
    if (sent == NULL)
        return "no field";
    token_of(req, cookie, expected);
    if (!mem_equal_ct(sent, strlen(sent), expected, strlen(expected)))
        return "field is not of this cookie";
    return NULL;
}

bool
origin_of(const char *url, char *out, size_t size)
{
    struct str rest = str_of(url), host;
    const char *scheme, *default_port;
    size_t n = 0;

    if (url == NULL)
        return false;
    if (rest.n > 8 && str_ieqs((struct str){ url, 8 }, "https://")) {
        scheme = "https://";
        default_port = ":443";
    } else if (rest.n > 7 && str_ieqs((struct str){ url, 7 }, "http://")) {
        scheme = "http://";
        default_port = ":80";
    } else {
        return false;
    }
    host = (struct str){ url + strlen(scheme), rest.n - strlen(scheme) };
    for (size_t i = 0; i < host.n; i++)
        if (strchr("/?#", host.p[i]) != NULL)
            host.n = i;
    if (host.n > strlen(default_port) && str_eqs((struct str){ host.p + host.n - strlen(default_port),
                                                              strlen(default_port) }, default_port))
        host.n -= strlen(default_port);
    if (host.n == 0 || strlen(scheme) + host.n >= size)
        return false;
    for (const char *p = scheme; *p != '\0'; p++)
        out[n++] = *p;
    for (size_t i = 0; i < host.n; i++) {
        unsigned char c = (unsigned char)host.p[i];
        if (!isascii(c) || (!isalnum(c) && strchr("-._:[]", c) == NULL))
            return false;
        out[n++] = (char)tolower(c);
    }
    out[n] = '\0';
    return true;
}
