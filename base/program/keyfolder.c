/* keyfolder: makes and loads the files of a key folder. */
#include "base/program/keyfolder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/core/enc.h"

#define PATH_SIZE 4096
#define CERTIFICATE_MAX 8192

static void
path_in(const char *folder, const char *name, char out[PATH_SIZE])
{
    CHECK((size_t)snprintf(out, PATH_SIZE, "%s/%s", folder, name) < PATH_SIZE);
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

static const struct keyfile *
file_named(const struct keyfile *files, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(files[i].name, name) == 0 && files[i].kind == KEYFILE_PRIVATE)
            return &files[i];
    }
    panic("key folder: no private key %s in the table", name);
}

static enum err
private_open(const char *folder, const struct keyfile *f, struct key **ret, struct why *why)
{
    char path[PATH_SIZE], uri[PATH_SIZE + 8];

    path_in(folder, f->name, path);
    snprintf(uri, sizeof(uri), "file:%s", path);
    return key_load(uri, f->purpose, ret, why);
}

/* --- made ------------------------------------------------------------------------------------------------------------- */

static enum err
private_make(const struct keyfile *f, const char *path, struct why *why)
{
    AUTO(key_freep) struct key *key = NULL;
    enum err e;

    if ((e = key_generate(f->alg, f->bits, f->purpose, &key)) != OK)
        return why_set(why, e, "cannot make a key");
    return key_save(key, path, why);
}

static enum err
certificate_make(const struct keyfile *f, const struct key *key, const char *path, utime now, struct why *why)
{
    AUTO(buf_free) struct buf der = BUF_BOUNDED(CERTIFICATE_MAX);
    enum err e;

    if ((e = key_self_certificate(key, f->common_name, now - USEC_PER_HOUR, now + f->life, &der, why)) != OK)
        return e;
    return file_write(path, 0400, buf_view(&der), why);
}

static enum err
public_make(const struct key *key, const char *path, struct why *why)
{
    AUTO(buf_free) struct buf spki = BUF_BOUNDED(4096);
    AUTO(buf_free) struct buf text = BUF_BOUNDED(8192);
    AUTO(buf_free) struct buf pem = BUF_BOUNDED(16 * 1024);

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
secret_make(const char *path, struct why *why)
{
    AUTO(secret_done) struct secret key = SECRET_INIT;
    AUTO(buf_free) struct buf hex = BUF_SECRET(4 * KEYFILE_SECRET_LEN);

    secret_random(&key, KEYFILE_SECRET_LEN);
    hex_encode(&hex, key.data, key.len);
    return file_write(path, 0400, buf_view(&hex), why);
}

static enum err
file_make(const char *folder, const struct keyfile *files, size_t n, const struct keyfile *f, utime now, struct why *why)
{
    AUTO(key_freep) struct key *key = NULL;
    char path[PATH_SIZE];
    enum err e;

    path_in(folder, f->name, path);
    if (exists(path))
        return OK;
    if (f->of != NULL && (e = private_open(folder, file_named(files, n, f->of), &key, why)) != OK)
        return e;
    switch (f->kind) {
    case KEYFILE_PRIVATE:
        return private_make(f, path, why);
    case KEYFILE_CERTIFICATE:
        return certificate_make(f, key, path, now, why);
    case KEYFILE_PUBLIC:
        return public_make(key, path, why);
    case KEYFILE_SECRET:
        return secret_make(path, why);
    case KEYFILE_RING:
        return keyring_create(path, why);
    }
    return ERR_INTERNAL;
}

enum err
keyfolder_init(const char *folder, const struct keyfile *files, size_t n, utime now, struct why *why)
{
    enum err e = OK;

    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return why_set(why, ERR_UNAVAILABLE, "%s: %m", folder);
    for (size_t i = 0; i < n && e == OK; i++)
        e = file_make(folder, files, n, &files[i], now, why);
    return e;
}

/* --- loaded ----------------------------------------------------------------------------------------------------------- */

static void *
place_of(const struct keyfile *f, void *target)
{
    return (char *)target + f->offset;
}

static enum err
certificate_load(const char *path, struct buf *ret, struct why *why)
{
    ssize_t n;
    char *room;
    int fd;

    if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
        return why_set(why, ERR_NOT_FOUND, "%s: %m", path);
    *ret = (struct buf)BUF_BOUNDED(CERTIFICATE_MAX);
    room = buf_reserve(ret, CERTIFICATE_MAX - 1);
    n = read(fd, room, CERTIFICATE_MAX - 1);
    close(fd);
    if (n <= 0)
        return why_set(why, ERR_INPUT, "%s: empty or unreadable", path);
    buf_advance(ret, (size_t)n);
    return OK;
}

static enum err
secret_load(const char *path, struct secret *ret, struct why *why)
{
    AUTO(secret_done) struct secret hex = SECRET_INIT;
    AUTO(buf_free) struct buf raw = BUF_SECRET(2 * KEYFILE_SECRET_LEN);
    enum err e;

    if ((e = secret_read_file(path, 256, &hex, why)) != OK)
        return e;
    if (hex_decode(str_trim((struct str){ (const char *)hex.data, hex.len }), &raw) != OK ||
        raw.len != KEYFILE_SECRET_LEN)
        return why_set(why, ERR_INPUT, "%s: not %d bytes in hexadecimal", path, KEYFILE_SECRET_LEN);
    secret_set(ret, raw.data, raw.len);
    return OK;
}

static enum err
file_load(const char *folder, const struct keyfile *f, void *place, struct why *why)
{
    char path[PATH_SIZE];

    path_in(folder, f->name, path);
    switch (f->kind) {
    case KEYFILE_PRIVATE:
        return private_open(folder, f, place, why);
    case KEYFILE_CERTIFICATE:
        return certificate_load(path, place, why);
    case KEYFILE_PUBLIC:
        return OK;
    case KEYFILE_SECRET:
        return secret_load(path, place, why);
    case KEYFILE_RING:
        return keyring_load(path, place, why);
    }
    return ERR_INTERNAL;
}

enum err
keyfolder_load(const char *folder, const struct keyfile *files, size_t n, unsigned need, void *target, struct why *why)
{
    enum err e = OK;

    for (size_t i = 0; i < n && e == OK; i++) {
        if ((files[i].need & need) != 0)
            e = file_load(folder, &files[i], place_of(&files[i], target), why);
    }
    return e;
}

static void
place_done(enum keyfile_kind kind, void *place)
{
    switch (kind) {
    case KEYFILE_PRIVATE:
        key_freep(place);
        break;
    case KEYFILE_CERTIFICATE:
        buf_free(place);
        break;
    case KEYFILE_PUBLIC:
        break;
    case KEYFILE_SECRET:
        secret_done(place);
        break;
    case KEYFILE_RING:
        keyring_freep(place);
        break;
    }
}

void
keyfolder_done(const struct keyfile *files, size_t n, void *target)
{
    for (size_t i = 0; i < n; i++)
        place_done(files[i].kind, place_of(&files[i], target));
}
