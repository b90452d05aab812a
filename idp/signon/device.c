/*
 * device: a browser in which a user name signed in before, so that guesses from elsewhere do not make its holder wait.
 *
 * The protocol. After a sign-in with name and password the browser gets the cookie "__Host-device" =
 * "<version>.<nonce>.<mac>": 16 random bytes and, under the pepper of that version, the HMAC of the folded name and the
 * nonce, cut to 16 bytes; under another label when a second factor was proved too. It proves that this browser once showed the
 * right password for this name; it does not sign
 * anybody in, names nobody to who reads it, and is kept by nobody here. An attempt that brings it is counted against its
 * nonce and against nothing else: who steals it gets the few guesses of one bucket.
 *
 * Why. Who owns many networks can use up the attempts that a name has from everywhere, one every ten seconds, and its
 * holder would race for each of them (T-16).
 */
#include "idp/signon/signon-internal.h"

#include "base/core/enc.h"
#include "base/core/rand.h"
#include "base/core/secret.h"

#define DEVICE_COOKIE "__Host-device"
#define DEVICE_LIFE_S (365 * 24 * 3600)
#define NONCE_BYTES 16
#define NONCE_CHARS 22                       /* base64url */
#define DEVICE_MAC_LEN 16

static enum err
device_mac(const struct idp *idp, int version, bool second, const char *folded, const char *nonce, struct buf *out)
{
    AUTO(buf_free) struct buf value = BUF_BOUNDED(1024);
    unsigned char mac[MAC_LEN];
    enum err e;

    buf_addf(&value, "%s\n%s", folded, nonce);
    if (!buf_ok(&value) || (e = mac_compute(idp->pepper, version, second ? "login.device.second" : "login.device", buf_view(&value),
                                            mac)) != OK)
        return ERR_INPUT;
    base64url_encode(out, mac, DEVICE_MAC_LEN);
    return OK;
}

static const char *
known(struct http_request *req, bool second, const char *folded)
{
    AUTO(buf_free) struct buf mac = BUF_BOUNDED(64);
    const char *cookie = http_cookie(req, DEVICE_COOKIE), *nonce;
    struct str rest, given, version;
    int64_t v;

    if (cookie == NULL || folded[0] == '\0')
        return NULL;
    version = str_split(str_of(cookie), '.', &rest);
    if (rest.p == NULL || str_to_i64(version, 1, INT32_MAX, &v) != OK)
        return NULL;
    nonce = arena_str(http_arena(req), str_split(rest, '.', &given));
    if (given.p == NULL || strlen(nonce) != NONCE_CHARS ||
        device_mac(http_app(req), (int)v, second, folded, nonce, &mac) != OK ||
        !mem_equal_ct(mac.data, mac.len, given.p, given.n))
        return NULL;
    return nonce;
}

const char *
device_known(struct http_request *req, const char *folded)
{
    const char *nonce = known(req, true, folded);

    return nonce != NULL ? nonce : known(req, false, folded);
}

const char *
device_known_second(struct http_request *req, const char *folded)
{
    return known(req, true, folded);
}

void
device_remember(struct http_request *req, const char *folded, bool second)
{
    const struct idp *idp = http_app(req);
    AUTO(buf_free) struct buf mac = BUF_BOUNDED(64);
    int version = keyring_current(idp->pepper);
    char nonce[NONCE_CHARS + 3];

    rand_token(NONCE_BYTES, nonce, sizeof(nonce));
    if (device_mac(idp, version, second, folded, nonce, &mac) == OK)
        http_cookie_set(req, DEVICE_COOKIE, arena_printf(http_arena(req), "%d.%s.%s", version, nonce, buf_cstr(&mac)),
                        DEVICE_LIFE_S, "Strict");
}
