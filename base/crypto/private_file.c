/*
 * private_file: writes a file that only its owner may read, whole or not at all, and never over another.
 *
 * A temporary name in the same folder is written and synced, then linked to its final name: link(2) refuses to
 * replace, so two writers cannot both believe they made the key, and a crash leaves no half key behind a good name.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/core/rand.h"
#include "base/crypto/key-internal.h"

static enum err
write_whole(int fd, struct str content)
{
    while (content.n > 0) {
        const ssize_t n = write(fd, content.p, content.n);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return ERR_UNAVAILABLE;
        content.p += n;
        content.n -= (size_t)n;
    }
    return fsync(fd) == 0 ? OK : ERR_UNAVAILABLE;
}

static void
fd_close(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

/* The folder of path, open; -1 with errno set. */
static int
folder_open(const char *path)
{
    const char *slash = strrchr(path, '/');
    AUTO(mem_freep) char *folder = slash == NULL   ? mem_strdup(".")
                                   : slash == path ? mem_strdup("/")
                                                   : mem_strndup(path, (size_t)(slash - path));

    return open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* The file's content, owner and data are on disk when this answers OK; errno says why not. */
static enum err
file_fill(int fd, int folder, struct str content, bool for_folder_owner)
{
    struct stat st;

    if (for_folder_owner && geteuid() == 0 &&
        (fstat(folder, &st) != 0 || fchown(fd, st.st_uid, st.st_gid) != 0))
        return ERR_UNAVAILABLE;
    return write_whole(fd, content);
}

enum err
private_file_create(const char *path, struct str content, bool for_folder_owner, struct why *why)
{
    AUTO(buf_free) struct buf temporary = BUF_BOUNDED(4096);
    AUTO(fd_close) int folder = -1;
    char suffix[17];
    enum err e;
    int fd, saved;

    rand_token(12, suffix, sizeof(suffix));
    buf_addf(&temporary, "%s.%s.new", path, suffix);
    if (!buf_ok(&temporary))
        return why_set(why, ERR_INPUT, "path too long");
    if ((folder = folder_open(path)) < 0 ||
        (fd = open(buf_cstr(&temporary), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400)) < 0)
        return why_set(why, errno == EACCES || errno == EPERM ? ERR_DENIED : ERR_UNAVAILABLE, "%s: %s", path,
                       strerror(errno));
    e = file_fill(fd, folder, content, for_folder_owner);
    saved = errno;
    (void)close(fd);
    if (e != OK)
        e = why_set(why, e, "%s: %s", path, strerror(saved));
    else if (link(buf_cstr(&temporary), path) != 0)
        e = why_set(why, errno == EEXIST ? ERR_CONFLICT : ERR_UNAVAILABLE, "%s: %s", path, strerror(errno));
    (void)unlink(buf_cstr(&temporary));
    if (e == OK && fsync(folder) != 0)
        e = why_set(why, ERR_UNAVAILABLE, "%s: the folder could not be synced: %s", path, strerror(errno));
    return e;
}
