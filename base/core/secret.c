/*
 * secret: bytes that leave no trace.
 *
 * Each secret has pages of its own, locked in memory and left out of core dumps
 * where the system allows (RLIMIT_MEMLOCK may forbid the lock: the secret still
 * works and is still wiped). The length of the mapping is kept in front of the
 * bytes, so that a caller may shorten len. Kept for keys and pass words, a few
 * thousand at most: a page each is the price.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/core/secret.h"
#include "base/core/rand.h"

#define HEAD 16      /* in front of the bytes: length of the mapping; keeps them aligned */

void
mem_wipe(void *p, size_t n)
{
    if (n > 0)
        OPENSSL_cleanse(p, n);
}

bool
mem_equal_ct(const void *a, size_t a_len, const void *b, size_t b_len)
{
    if (a_len != b_len)
        return false;
    return a_len == 0 || CRYPTO_memcmp(a, b, a_len) == 0;
}

static unsigned char *
pages_map(size_t n)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t size;
    unsigned char *map;

    CHECK(n < SIZE_MAX - HEAD - page);
    size = (n + 1 + HEAD + page - 1) / page * page;     /* one more: there is always a NUL behind */
    map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED)
        panic("out of memory (secret of %zu bytes)", n);
    /* both are a wish: a refusal leaves an ordinary page, wiped all the same */
    if (mlock(map, size) != 0)
        errno = 0;
    if (madvise(map, size, MADV_DONTDUMP) != 0)
        errno = 0;
    memcpy(map, &size, sizeof(size));
    return map + HEAD;
}

static void
pages_unmap(unsigned char *data)
{
    unsigned char *map = data - HEAD;
    size_t size;

    memcpy(&size, map, sizeof(size));
    mem_wipe(map, size);
    munmap(map, size);
}

static void
replace(struct secret *s, unsigned char *data, size_t n)
{
    secret_done(s);
    s->data = data;
    s->len = n;
}

void
secret_set(struct secret *s, const void *p, size_t n)
{
    unsigned char *data = NULL;

    if (n > 0) {
        data = pages_map(n);
        memcpy(data, p, n);
    }
    replace(s, data, n);     /* only now: p may be inside the old value */
}

void
secret_random(struct secret *s, size_t n)
{
    unsigned char *data = NULL;

    if (n > 0) {
        data = pages_map(n);
        rand_bytes(data, n);
    }
    replace(s, data, n);
}

void
secret_done(struct secret *s)
{
    if (s->data != NULL)
        pages_unmap(s->data);
    s->data = NULL;
    s->len = 0;
}

static void
fd_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

/*
 * A regular file, closed to group and others, owned by us or by root. Root takes anybody's: the administrator's
 * commands (`sp add`) run as root beside a service that runs as, and owns its keys as, a user of its own.
 */
enum err
secret_check_file(int fd, const char *path, struct why *why)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return why_set(why, ERR_UNAVAILABLE, "%s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return why_set(why, ERR_DENIED, "%s: not a regular file", path);
    if (st.st_uid != geteuid() && st.st_uid != 0 && geteuid() != 0)
        return why_set(why, ERR_DENIED, "%s: owned by user %u, must be ours (%u) or root's", path,
                       (unsigned)st.st_uid, (unsigned)geteuid());
    if ((st.st_mode & 077) != 0)
        return why_set(why, ERR_DENIED, "%s: mode %04o lets others in, must be 0600 or 0400", path,
                       (unsigned)(st.st_mode & 07777));
    return OK;
}

enum err
secret_read_file(const char *path, size_t max, struct secret *ret, struct why *why)
{
    /* O_NONBLOCK: a FIFO put in its place must not hang the start */
    AUTO(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    AUTO(secret_done) struct secret bytes = SECRET_INIT;
    size_t got = 0;
    enum err e;

    if (fd < 0)
        return why_set(why,
                       errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND
                       : errno == EACCES || errno == EPERM ? ERR_DENIED
                                                           : ERR_UNAVAILABLE,
                       "%s: %s", path, strerror(errno));
    if ((e = secret_check_file(fd, path, why)) != OK)
        return e;
    CHECK(max < SIZE_MAX);
    bytes.data = pages_map(max + 1);
    while (got <= max) {
        ssize_t n = read(fd, bytes.data + got, max + 1 - got);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return why_set(why, ERR_UNAVAILABLE, "%s: %s", path, strerror(errno));
        if (n == 0)
            break;
        got += (size_t)n;
    }
    if (got == 0)
        return why_set(why, ERR_INPUT, "%s: empty", path);
    if (got > max)
        return why_set(why, ERR_INPUT, "%s: longer than %zu bytes", path, max);
    replace(ret, TAKE(bytes.data), got);
    return OK;
}

void
secret_chomp(struct secret *s)
{
    if (s->len > 0 && s->data[s->len - 1] == '\n')
        s->data[--s->len] = '\0';
    if (s->len > 0 && s->data[s->len - 1] == '\r')
        s->data[--s->len] = '\0';
}
