/* keys: makes and loads the town's key folder. */
#include "mairie-connector/town/mairie.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/core/enc.h"

#define PATH_SIZE 4096

static void
path_in(const struct mairie_conf *conf, const char *name, char out[PATH_SIZE])
{
    CHECK((size_t)snprintf(out, PATH_SIZE, "%s/%s", conf->keys, name) < PATH_SIZE);
}

static bool
exists(const char *path)
{
    return access(path, F_OK) == 0;
}

/* Written beside and renamed, so that a crash never leaves half a key. */
static enum err
file_write(const char *path, mode_t mode, struct str content, struct why *why)
{
    char beside[PATH_SIZE];
    int fd;
    bool good;

    if ((size_t)snprintf(beside, sizeof(beside), "%s.new", path) >= sizeof(beside))
        return why_set(why, ERR_INPUT, "%s: too long", path);
    if ((fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode)) < 0)
        return why_set(why, ERR_UNAVAILABLE, "%s: %m", beside);
    good = write(fd, content.p, content.n) == (ssize_t)content.n && fchmod(fd, mode) == 0 && fsync(fd) == 0;
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
key_open(const struct mairie_conf *conf, const char *name, enum key_purpose purpose, struct key **ret, struct why *why)
{
    char path[PATH_SIZE], uri[PATH_SIZE + 8];

    path_in(conf, name, path);
    snprintf(uri, sizeof(uri), "file:%s", path);
    return key_load(uri, purpose, ret, why);
}

static enum err
key_make(const struct mairie_conf *conf, const char *name, enum key_alg alg, enum key_purpose purpose, struct why *why)
{
    AUTO(key_freep) struct key *key = NULL;
    char path[PATH_SIZE];
    enum err e;

    path_in(conf, name, path);
    if (exists(path))
        return OK;
    if ((e = key_generate(alg, 0, purpose, &key)) != OK)
        return why_set(why, e, "cannot make a key");
    return key_save(key, path, why);
}

/* The half that the IdP's operator registers. */
static enum err
public_make(const struct mairie_conf *conf, struct why *why)
{
    AUTO(key_freep) struct key *key = NULL;
    AUTO(buf_free) struct buf spki = BUF_BOUNDED(1024);
    AUTO(buf_free) struct buf text = BUF_BOUNDED(2048);
    AUTO(buf_free) struct buf pem = BUF_BOUNDED(4096);
    char path[PATH_SIZE];
    enum err e;

    path_in(conf, "seal-public.pem", path);
    if (exists(path))
        return OK;
    if ((e = key_open(conf, "seal.pem", KEY_SEAL, &key, why)) != OK)
        return e;
    key_spki(key, &spki);
    base64_encode(&text, spki.data, spki.len);
    buf_add_lit(&pem, "-----BEGIN PUBLIC KEY-----\n");
    for (size_t i = 0; i < text.len; i += 64) {
        buf_add(&pem, text.data + i, text.len - i < 64 ? text.len - i : 64);
        buf_addc(&pem, '\n');
    }
    buf_add_lit(&pem, "-----END PUBLIC KEY-----\n");
    CHECK(buf_ok(&pem));
    return file_write(path, 0444, buf_view(&pem), why);
}

static enum err
csrf_make(const struct mairie_conf *conf, struct why *why)
{
    AUTO(secret_done) struct secret key = SECRET_INIT;
    AUTO(buf_free) struct buf hex = BUF_SECRET(128);
    char path[PATH_SIZE];

    path_in(conf, "csrf.key", path);
    if (exists(path))
        return OK;
    secret_random(&key, 32);
    hex_encode(&hex, key.data, key.len);
    return file_write(path, 0400, buf_view(&hex), why);
}

static enum err
ring_make(const struct mairie_conf *conf, const char *name, struct why *why)
{
    char path[PATH_SIZE];

    path_in(conf, name, path);
    return exists(path) ? OK : keyring_create(path, why);
}

enum err
mairie_keys_init(const struct mairie_conf *conf, struct why *why)
{
    enum err e;

    if (mkdir(conf->keys, 0700) != 0 && errno != EEXIST)
        return why_set(why, ERR_UNAVAILABLE, "%s: %m", conf->keys);
    if ((e = key_make(conf, "seal.pem", KEY_P256, KEY_SEAL, why)) != OK || (e = public_make(conf, why)) != OK ||
        (e = key_make(conf, "audit.pem", KEY_ED25519, KEY_AUDIT_SIGN, why)) != OK ||
        (e = csrf_make(conf, why)) != OK || (e = ring_make(conf, "pepper", why)) != OK)
        return e;
    return ring_make(conf, "field", why);
}

static enum err
ring_open(const struct mairie_conf *conf, const char *name, struct keyring **ret, struct why *why)
{
    char path[PATH_SIZE];

    path_in(conf, name, path);
    return keyring_load(path, ret, why);
}

static enum err
csrf_open(struct mairie *m, struct why *why)
{
    AUTO(secret_done) struct secret hex = SECRET_INIT;
    AUTO(buf_free) struct buf raw = BUF_SECRET(64);
    char path[PATH_SIZE];
    enum err e;

    path_in(&m->conf, "csrf.key", path);
    if ((e = secret_read_file(path, 256, &hex, why)) != OK)
        return e;
    if (hex_decode(str_trim((struct str){ (const char *)hex.data, hex.len }), &raw) != OK || raw.len != 32)
        return why_set(why, ERR_INPUT, "%s: not 32 bytes in hexadecimal", path);
    secret_set(&m->csrf_key, raw.data, raw.len);
    return OK;
}

enum err
mairie_keys_load(struct mairie *m, struct why *why)
{
    const struct mairie_conf *c = &m->conf;
    enum err e;

    if ((e = key_open(c, "seal.pem", KEY_SEAL, &m->seal_key, why)) != OK ||
        (e = key_open(c, "audit.pem", KEY_AUDIT_SIGN, &m->audit_key, why)) != OK || (e = csrf_open(m, why)) != OK ||
        (e = ring_open(c, "pepper", &m->pepper, why)) != OK)
        return e;
    return ring_open(c, "field", &m->field, why);
}

void
mairie_keys_done(struct mairie *m)
{
    key_free(m->seal_key);
    key_free(m->audit_key);
    secret_done(&m->csrf_key);
    keyring_free(m->pepper);
    keyring_free(m->field);
}
