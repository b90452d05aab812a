/* folder: see folder.h. */
#include "pki/status/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void
fd_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void
folder_close(struct folder *f)
{
    fd_close(&f->crl);
    fd_close(&f->ocsp);
    fd_close(&f->fd);
    fd_close(&f->lock);
}

static enum err
inner_open(int at, const char *name, int *ret, struct why *why)
{
    if (mkdirat(at, name, 0700) != 0 && errno != EEXIST)
        return why_set(why, ERR_UNAVAILABLE, "%s: %m", name);
    if ((*ret = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)) < 0)
        return why_set(why, ERR_UNAVAILABLE, "%s: %m", name);
    return OK;
}

static enum err
folder_check(int fd, const char *path, struct why *why)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return why_set(why, ERR_UNAVAILABLE, "%s: %m", path);
    if ((st.st_mode & 022) != 0 || (st.st_uid != geteuid() && st.st_uid != 0))
        return why_set(why, ERR_DENIED, "%s: others than us may write there", path);
    return OK;
}

enum err
folder_open(const char *path, struct folder *ret, struct why *why)
{
    AUTO(folder_close) struct folder f = FOLDER_INIT;
    enum err e;

    if (path[0] == '\0')
        return why_set(why, ERR_INPUT, "status.folder is not set");
    if ((e = inner_open(AT_FDCWD, path, &f.fd, why)) != OK || (e = folder_check(f.fd, path, why)) != OK)
        return e;
    if ((f.lock = openat(f.fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)) < 0)
        return why_set(why, ERR_UNAVAILABLE, "%s/lock: %m", path);
    if (flock(f.lock, LOCK_EX | LOCK_NB) != 0)
        return why_set(why, ERR_CONFLICT, "%s: another process works there", path);
    if ((e = inner_open(f.fd, "crl", &f.crl, why)) != OK || (e = inner_open(f.fd, "ocsp", &f.ocsp, why)) != OK)
        return e;
    *ret = f;
    f = (struct folder)FOLDER_INIT;
    return OK;
}

/* --- writing --------------------------------------------------------------------------------------------------------------- */

static bool
write_whole(int fd, struct str content)
{
    while (content.n > 0) {
        const ssize_t n = write(fd, content.p, content.n);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        content.p += n;
        content.n -= (size_t)n;
    }
    return true;
}

enum err
folder_put(int dir, const char *name, struct str content, unsigned mode, struct why *why)
{
    char beside[FOLDER_NAME_MAX + 8];
    int fd, error;
    bool good;

    CHECK(strlen(name) <= FOLDER_NAME_MAX);
    snprintf(beside, sizeof(beside), "%s.new", name);
    unlinkat(dir, beside, 0);                                        /* of a crash */
    if ((fd = openat(dir, beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, (mode_t)mode)) < 0)
        return why_set(why, ERR_UNAVAILABLE, "%s: %m", name);
    good = write_whole(fd, content) && fsync(fd) == 0;
    error = errno;
    if (close(fd) != 0 && good) {
        error = errno;
        good = false;
    }
    if (good && renameat(dir, beside, dir, name) != 0) {
        error = errno;
        good = false;
    }
    if (!good) {
        unlinkat(dir, beside, 0);
        errno = error;
        return why_set(why, ERR_UNAVAILABLE, "%s: %m", name);
    }
    return fsync(dir) == 0 ? OK : why_set(why, ERR_UNAVAILABLE, "%s: the folder could not be synced: %m", name);
}

enum err
folder_wipe(int dir, const char *name, struct why *why)
{
    static const char zeros[4096];
    struct stat st;
    int fd;

    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? OK : why_set(why, ERR_UNAVAILABLE, "%s: %m", name);
    if (fchmodat(dir, name, 0600, 0) == 0 && (fd = openat(dir, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW)) >= 0) {
        for (off_t n = 0; n < st.st_size; n += (off_t)sizeof(zeros))
            if (!write_whole(fd, (struct str){ zeros, st.st_size - n < (off_t)sizeof(zeros) ? (size_t)(st.st_size - n)
                                                                                             : sizeof(zeros) }))
                break;
        fsync(fd);
        close(fd);
    }
    if (unlinkat(dir, name, 0) != 0)
        return why_set(why, ERR_UNAVAILABLE, "%s: %m", name);
    return fsync(dir) == 0 ? OK : why_set(why, ERR_UNAVAILABLE, "%s: the folder could not be synced: %m", name);
}

/* --- reading --------------------------------------------------------------------------------------------------------------- */

enum err
folder_map(int dir, const char *name, size_t max, struct str *ret, struct why *why)
{
    AUTO(fd_close) int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;
    void *p;

    if (fd < 0)
        return why_set(why, errno == ENOENT ? ERR_NOT_FOUND : ERR_UNAVAILABLE, "%s: %m", name);
    if (fstat(fd, &st) != 0)
        return why_set(why, ERR_UNAVAILABLE, "%s: %m", name);
    if (!S_ISREG(st.st_mode) || st.st_size <= 0 || (size_t)st.st_size > max)
        return why_set(why, ERR_INPUT, "%s: empty, too long, or no file", name);
    if ((p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0)) == MAP_FAILED)
        return why_set(why, ERR_UNAVAILABLE, "%s: %m", name);
    *ret = (struct str){ p, (size_t)st.st_size };
    return OK;
}

void
folder_unmap(struct str file)
{
    union { const void *in; void *out; } bytes = { file.p };

    if (file.p != NULL)
        munmap(bytes.out, file.n);
}

static int
visible(const struct dirent *d)
{
    return d->d_name[0] != '.';
}

enum err
folder_each(int dir, void (*each)(const char *name, void *arg), void *arg, struct why *why)
{
    struct dirent **list = NULL;
    const int n = scandirat(dir, ".", &list, visible, alphasort);

    if (n < 0)
        return why_set(why, ERR_UNAVAILABLE, "folder: %m");
    for (int i = 0; i < n; i++) {
        each(list[i]->d_name, arg);
        free(list[i]);
    }
    free(list);
    return OK;
}
