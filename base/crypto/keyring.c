/*
 * keyring: versioned symmetric keys in a folder (seal.h), read once at start.
 *
 * What bites: the folder itself must not be writable by group or others, or somebody could add a "next version"; two
 * rotations at the same time cannot both win (private_file_create() never replaces). Root, whose commands run beside the
 * service, takes anybody's folder as secret_read_file() does, and a key that root adds belongs to the folder's owner.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/core/enc.h"
#include "base/core/rand.h"
#include "base/crypto/seal-internal.h"

#define RING_KEY_LEN 32
#define PATH_MAX_LEN 4096

struct keyring {
    struct secret keys[KEYRING_VERSION_MAX + 1];   /* by version; index 0 unused; data NULL where there is none */
    int oldest, current;
};

DEFINE_FREEP(DIR, closedir)

/* "v" and 1 to 255 without leading zero; 0 otherwise. */
static int
version_parse(const char *name)
{
    int64_t n;

    if (name[0] != 'v' || name[1] == '0' || strlen(name) > 4 ||
        str_to_i64(str_of(name + 1), 1, KEYRING_VERSION_MAX, &n) != OK)
        return 0;
    return (int)n;
}

static enum err
folder_open(const char *folder, DIR **ret, struct why *why)
{
    AUTO(closedirp) DIR *dir = opendir(folder);
    struct stat st;

    if (dir == NULL)
        return why_set(why, errno == ENOENT ? ERR_NOT_FOUND : errno == EACCES ? ERR_DENIED : ERR_UNAVAILABLE,
                       "%s: %s", folder, strerror(errno));
    if (fstat(dirfd(dir), &st) != 0)
        return why_set(why, ERR_UNAVAILABLE, "%s: %s", folder, strerror(errno));
    if ((st.st_uid != geteuid() && st.st_uid != 0 && geteuid() != 0) || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return why_set(why, ERR_DENIED, "%s: owned by somebody else, or others may write in it", folder);
    *ret = TAKE(dir);
    return OK;
}

/* Marks each version found; *ret_highest is 0 for an empty folder. */
static enum err
folder_scan(const char *folder, bool found[KEYRING_VERSION_MAX + 1], int *ret_highest, struct why *why)
{
    AUTO(closedirp) DIR *dir = NULL;
    struct dirent *entry;
    int highest = 0;
    enum err e;

    if ((e = folder_open(folder, &dir, why)) != OK)
        return e;
    CHECK(dir != NULL);
    while (errno = 0, (entry = readdir(dir)) != NULL) {
        const int version = version_parse(entry->d_name);

        if (entry->d_name[0] == '.')
            continue;
        if (version == 0 && strstr(entry->d_name, ".new") != NULL)
            continue;                      /* left by a writer that was killed; never read as a key */
        if (version == 0)
            return why_set(why, ERR_INPUT, "%s: %s is not a key of the ring (v1 to v%d)", folder, entry->d_name,
                           KEYRING_VERSION_MAX);
        found[version] = true;
        if (version > highest)
            highest = version;
    }
    if (errno != 0)
        return why_set(why, ERR_UNAVAILABLE, "%s: %s", folder, strerror(errno));
    *ret_highest = highest;
    return OK;
}

static enum err
version_path(const char *folder, int version, char out[PATH_MAX_LEN], struct why *why)
{
    const int n = snprintf(out, PATH_MAX_LEN, "%s/v%d", folder, version);

    if (n < 0 || n >= PATH_MAX_LEN)
        return why_set(why, ERR_INPUT, "path too long");
    return OK;
}

static enum err
version_load(const char *folder, int version, struct secret *ret, struct why *why)
{
    AUTO(secret_done) struct secret text = SECRET_INIT;
    AUTO(buf_free) struct buf bytes = BUF_SECRET(RING_KEY_LEN);
    char path[PATH_MAX_LEN];
    enum err e;

    if ((e = version_path(folder, version, path, why)) != OK ||
        (e = secret_read_file(path, 2 * RING_KEY_LEN + 2, &text, why)) != OK)
        return e;
    if (hex_decode(str_trim(str_from(text.data, text.len)), &bytes) != OK || !buf_ok(&bytes) ||
        bytes.len != RING_KEY_LEN)
        return why_set(why, ERR_INPUT, "%s: not %d bytes in hexadecimal", path, RING_KEY_LEN);
    secret_set(ret, bytes.data, bytes.len);
    return OK;
}

enum err
keyring_load(const char *folder, struct keyring **ret, struct why *why)
{
    AUTO(keyring_freep) struct keyring *k = mem_alloc(sizeof(*k));
    bool found[KEYRING_VERSION_MAX + 1] = { false };
    enum err e;

    if ((e = folder_scan(folder, found, &k->current, why)) != OK)
        return e;
    if (k->current == 0)
        return why_set(why, ERR_NOT_FOUND, "%s: no key in it", folder);
    for (int v = KEYRING_VERSION_MAX; v >= 1; v--) {
        if (!found[v])
            continue;
        if ((e = version_load(folder, v, &k->keys[v], why)) != OK)
            return e;
        k->oldest = v;
    }
    *ret = TAKE(k);
    return OK;
}

static enum err
version_create(const char *folder, int version, struct why *why)
{
    AUTO(buf_free) struct buf text = BUF_SECRET(2 * RING_KEY_LEN + 1);
    AUTO(secret_done) struct secret key = SECRET_INIT;
    char path[PATH_MAX_LEN];
    enum err e;

    if ((e = version_path(folder, version, path, why)) != OK)
        return e;
    secret_random(&key, RING_KEY_LEN);
    hex_encode(&text, key.data, key.len);
    buf_addc(&text, '\n');
    return private_file_create(path, buf_view(&text), true, why);
}

enum err
keyring_create(const char *folder, struct why *why)
{
    bool found[KEYRING_VERSION_MAX + 1] = { false };
    int highest = 0;
    enum err e;

    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return why_set(why, ERR_UNAVAILABLE, "%s: %s", folder, strerror(errno));
    if ((e = folder_scan(folder, found, &highest, why)) != OK)
        return e;
    if (highest != 0)
        return why_set(why, ERR_CONFLICT, "%s: there are keys already", folder);
    return version_create(folder, 1, why);
}

enum err
keyring_rotate(const char *folder, struct why *why)
{
    bool found[KEYRING_VERSION_MAX + 1] = { false };
    int highest = 0;
    enum err e;

    if ((e = folder_scan(folder, found, &highest, why)) != OK)
        return e;
    if (highest == 0)
        return why_set(why, ERR_NOT_FOUND, "%s: no key in it", folder);
    if (highest == KEYRING_VERSION_MAX)
        return why_set(why, ERR_CONFLICT, "%s: version %d is the last", folder, KEYRING_VERSION_MAX);
    return version_create(folder, highest + 1, why);
}

void
keyring_free(struct keyring *k)
{
    if (k == NULL)
        return;
    for (size_t i = 0; i < ARRAY_LEN(k->keys); i++)
        secret_done(&k->keys[i]);
    mem_freep(&k);
}

int
keyring_current(const struct keyring *k)
{
    return k->current;
}

int
keyring_oldest(const struct keyring *k)
{
    return k->oldest;
}

const struct secret *
keyring_key(const struct keyring *k, int version)
{
    if (version < 1 || version > KEYRING_VERSION_MAX || k->keys[version].data == NULL)
        return NULL;
    return &k->keys[version];
}
