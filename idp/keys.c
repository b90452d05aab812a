/* keys: makes and loads the key folder. */
#include "idp/keys.h"

#define PATH_MAX_TEXT 4096

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/core/enc.h"
#include "base/core/secret.h"

#define SAML_CERT_LIFE (10 * 365 * USEC_PER_DAY)

static void
path_in(const struct idp_conf *conf, const char *name, char out[PATH_MAX_TEXT])
{
    CHECK((size_t)snprintf(out, PATH_MAX_TEXT, "%s/%s", conf->keys, name) < PATH_MAX_TEXT);
}

static bool
exists(const char *path)
{
    return access(path, F_OK) == 0;
}

/* Written beside and renamed, so that a crash never leaves half a key. */
static enum err
file_write(const char *path, struct str content, struct why *why)
{
    char beside[PATH_MAX_TEXT];
    int fd;
    bool good;

    if ((size_t)snprintf(beside, sizeof(beside), "%s.new", path) >= sizeof(beside))
        return why_set(why, ERR_INPUT, "%s: too long", path);
    if ((fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0400)) < 0)
        return why_set(why, ERR_UNAVAILABLE, "%s: %m", beside);
    good = write(fd, content.p, content.n) == (ssize_t)content.n && fsync(fd) == 0;
    good = close(fd) == 0 && good;
    if (!good || rename(beside, path) != 0) {
        int error = errno;

        unlink(beside);
        errno = error;
        return why_set(why, ERR_UNAVAILABLE, "%s: %m", path);
    }
    return OK;
}

static enum err
key_make(const struct idp_conf *conf, const char *name, enum key_alg alg, int bits, enum key_purpose purpose,
         struct why *why)
{
    AUTO(key_freep) struct key *key = NULL;
    char path[PATH_MAX_TEXT];
    enum err e;

    path_in(conf, name, path);
    if (exists(path))
        return OK;
    if ((e = key_generate(alg, bits, purpose, &key)) != OK)
        return why_set(why, e, "cannot make a key");
    return key_save(key, path, why);
}

static enum err
key_open(const struct idp_conf *conf, const char *name, enum key_purpose purpose, struct key **ret, struct why *why)
{
    char path[PATH_MAX_TEXT], uri[PATH_MAX_TEXT + 8];

    path_in(conf, name, path);
    snprintf(uri, sizeof(uri), "file:%s", path);
    return key_load(uri, purpose, ret, why);
}

static enum err
saml_certificate_make(const struct idp_conf *conf, utime now, struct why *why)
{
    AUTO(key_freep) struct key *key = NULL;
    AUTO(buf_free) struct buf der = BUF_BOUNDED(8192);
    char path[PATH_MAX_TEXT];
    enum err e;

    path_in(conf, "saml-cert.der", path);
    if (exists(path))
        return OK;
    if ((e = key_open(conf, "saml.pem", KEY_SAML_SIGN, &key, why)) != OK ||
        (e = key_self_certificate(key, "Beffroi SAML", now - USEC_PER_HOUR, now + SAML_CERT_LIFE, &der, why)) != OK)
        return e;
    return file_write(path, buf_view(&der), why);
}

static enum err
csrf_make(const struct idp_conf *conf, struct why *why)
{
    AUTO(secret_done) struct secret key = SECRET_INIT;
    AUTO(buf_free) struct buf hex = BUF_SECRET(128);
    char path[PATH_MAX_TEXT];

    path_in(conf, "csrf.key", path);
    if (exists(path))
        return OK;
    secret_random(&key, 32);
    hex_encode(&hex, key.data, key.len);
    return file_write(path, buf_view(&hex), why);
}

static enum err
ring_make(const struct idp_conf *conf, const char *name, struct why *why)
{
    char path[PATH_MAX_TEXT];

    path_in(conf, name, path);
    return exists(path) ? OK : keyring_create(path, why);
}

enum err
idp_keys_init(const struct idp_conf *conf, utime now, struct why *why)
{
    enum err e;

    if (mkdir(conf->keys, 0700) != 0 && errno != EEXIST)
        return why_set(why, ERR_UNAVAILABLE, "%s: %m", conf->keys);
    if ((e = key_make(conf, "saml.pem", KEY_RSA, 2048, KEY_SAML_SIGN, why)) != OK ||
        (e = saml_certificate_make(conf, now, why)) != OK ||
        (e = key_make(conf, "oidc-rs256.pem", KEY_RSA, 2048, KEY_OIDC_SIGN, why)) != OK ||
        (e = key_make(conf, "oidc-es256.pem", KEY_P256, 0, KEY_OIDC_SIGN, why)) != OK ||
        (e = key_make(conf, "audit.pem", KEY_ED25519, 0, KEY_AUDIT_SIGN, why)) != OK ||
        (e = csrf_make(conf, why)) != OK || (e = ring_make(conf, "pepper", why)) != OK ||
        (e = ring_make(conf, "field", why)) != OK || (e = ring_make(conf, "pair", why)) != OK)
        return e;
    return OK;
}

static enum err
ring_open(const struct idp_conf *conf, const char *name, struct keyring **ret, struct why *why)
{
    char path[PATH_MAX_TEXT];

    path_in(conf, name, path);
    return keyring_load(path, ret, why);
}

static enum err
csrf_open(struct idp *idp, struct why *why)
{
    AUTO(secret_done) struct secret hex = SECRET_INIT;
    AUTO(buf_free) struct buf raw = BUF_SECRET(64);
    char path[PATH_MAX_TEXT];
    enum err e;

    path_in(&idp->conf, "csrf.key", path);
    if ((e = secret_read_file(path, 256, &hex, why)) != OK)
        return e;
    if (hex_decode(str_trim((struct str){ (const char *)hex.data, hex.len }), &raw) != OK || raw.len != 32)
        return why_set(why, ERR_INPUT, "%s: not 32 bytes in hexadecimal", path);
    secret_set(&idp->csrf_key, raw.data, raw.len);
    return OK;
}

static enum err
saml_certificate_open(struct idp *idp, struct why *why)
{
    char path[PATH_MAX_TEXT];
    ssize_t n;
    char *room;
    int fd;

    path_in(&idp->conf, "saml-cert.der", path);
    if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
        return why_set(why, ERR_NOT_FOUND, "%s: %m", path);
    idp->saml_cert = (struct buf)BUF_BOUNDED(8192);
    room = buf_reserve(&idp->saml_cert, 8191);
    n = read(fd, room, 8191);
    close(fd);
    if (n <= 0)
        return why_set(why, ERR_INPUT, "%s: empty or unreadable", path);
    buf_advance(&idp->saml_cert, (size_t)n);
    return OK;
}

enum err
idp_keys_load(struct idp *idp, struct why *why)
{
    const struct idp_conf *c = &idp->conf;
    enum err e;

    if ((e = key_open(c, "saml.pem", KEY_SAML_SIGN, &idp->saml_key, why)) != OK ||
        (e = saml_certificate_open(idp, why)) != OK ||
        (e = key_open(c, "oidc-rs256.pem", KEY_OIDC_SIGN, &idp->oidc_rsa, why)) != OK ||
        (e = key_open(c, "oidc-es256.pem", KEY_OIDC_SIGN, &idp->oidc_ec, why)) != OK ||
        (e = key_open(c, "audit.pem", KEY_AUDIT_SIGN, &idp->audit_key, why)) != OK ||
        (e = csrf_open(idp, why)) != OK || (e = ring_open(c, "pepper", &idp->pepper, why)) != OK ||
        (e = ring_open(c, "field", &idp->field, why)) != OK || (e = ring_open(c, "pair", &idp->pair, why)) != OK)
        return e;
    key_thumbprint(idp->oidc_rsa, idp->oidc_rsa_kid);
    key_thumbprint(idp->oidc_ec, idp->oidc_ec_kid);
    return OK;
}

void
idp_keys_done(struct idp *idp)
{
    key_free(idp->saml_key);
    key_free(idp->oidc_rsa);
    key_free(idp->oidc_ec);
    key_free(idp->audit_key);
    buf_free(&idp->saml_cert);
    secret_done(&idp->csrf_key);
    keyring_free(idp->pepper);
    keyring_free(idp->field);
    keyring_free(idp->pair);
}
