/*
 * lmtp_listen: opens the place where the MTA finds us.
 *
 * LMTP has no authentication (RFC 2033 §6): whoever connects is believed to be the MTA, above all in what it says of
 * DMARC. Hence a Unix socket with a mode, or loopback, and nothing else.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mail/lmtp-listen.h"

#define BACKLOG 64

void
lmtp_fd_close(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static int
fd_take(int *fd)
{
    int taken = *fd;

    *fd = -1;
    return taken;
}

static enum err
failed(struct why *why, const char *what, const char *where)
{
    return why_code(why, errno == EADDRINUSE ? ERR_CONFLICT : ERR_UNAVAILABLE, "lmtp.listen", "%s %s: %s", what, where,
                    strerror(errno));
}

/* A socket file on which nobody listens any more is left by a process that died: take its place. */
static bool
stale_remove(const struct sockaddr_un *address)
{
    AUTO(lmtp_fd_close) int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct stat st;

    if (probe < 0 || lstat(address->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
        return false;
    if (connect(probe, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno != ECONNREFUSED)
        return false;
    return unlink(address->sun_path) == 0;
}

static enum err
unix_open(const char *path, mode_t mode, struct lmtp_listener *ret, struct why *why)
{
    AUTO(lmtp_fd_close) int fd = -1;
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct stat st;

    if (path[0] != '/' || strlen(path) >= sizeof(address.sun_path))
        return why_code(why, ERR_INPUT, "lmtp.listen", "unix:%s is not an absolute path below %zu bytes", path,
                        sizeof(address.sun_path));
    memcpy(address.sun_path, path, strlen(path) + 1);
    if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) < 0)
        return failed(why, "socket for", path);
    if (fchmod(fd, 0600) != 0)                 /* so is the file created; opened below to whom it concerns */
        return failed(why, "mode of", path);
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 &&
        (errno != EADDRINUSE || !stale_remove(&address) ||
         bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0)) {
        if (errno == ECONNREFUSED || errno == 0)
            errno = EADDRINUSE;
        return failed(why, "bind", path);
    }
    if (chmod(path, mode) != 0 || stat(path, &st) != 0 || listen(fd, BACKLOG) != 0)
        return failed(why, "listen on", path);
    *ret = (struct lmtp_listener){ .fd = fd_take(&fd), .path = mem_strdup(path), .dev = st.st_dev, .ino = st.st_ino };
    return OK;
}

static bool
tcp_address(const char *text, struct sockaddr_storage *ret, socklen_t *ret_len)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
    const char *colon = strrchr(text, ':');
    char host[INET6_ADDRSTRLEN + 2];
    size_t n = colon == NULL ? 0 : (size_t)(colon - text);
    int64_t port;

    if (n == 0 || n >= sizeof(host) || str_to_i64(str_of(colon + 1), 0, 65535, &port) != OK)
        return false;
    memcpy(host, text, n);
    host[n] = '\0';
    memset(ret, 0, sizeof(*ret));
    if (host[0] == '[' && host[n - 1] == ']') {
        host[n - 1] = '\0';
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)port);
        *ret_len = sizeof(*v6);
        return inet_pton(AF_INET6, host + 1, &v6->sin6_addr) == 1 && IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
    }
    v4->sin_family = AF_INET;
    v4->sin_port = htons((uint16_t)port);
    *ret_len = sizeof(*v4);
    return inet_pton(AF_INET, host, &v4->sin_addr) == 1 && (ntohl(v4->sin_addr.s_addr) >> 24) == 127;
}

static enum err
tcp_open(const char *text, struct lmtp_listener *ret, struct why *why)
{
    AUTO(lmtp_fd_close) int fd = -1;
    struct sockaddr_storage address;
    socklen_t len;
    int one = 1;

    if (!tcp_address(text, &address, &len))
        return why_code(why, ERR_INPUT, "lmtp.listen", "%s is neither unix:PATH nor a loopback ADDRESS:PORT", text);
    if ((fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0)
        return failed(why, "socket for", text);
    if (bind(fd, (const struct sockaddr *)&address, len) != 0)
        return failed(why, "bind", text);
    if (listen(fd, BACKLOG) != 0 || getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        return failed(why, "listen on", text);
    *ret = (struct lmtp_listener){ .fd = fd_take(&fd) };
    ret->port = ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                                    : ((struct sockaddr_in *)&address)->sin_port);
    return OK;
}

enum err
lmtp_listener_open(const char *listen_at, mode_t unix_mode, struct lmtp_listener *ret, struct why *why)
{
    if (strncmp(listen_at, "unix:", 5) == 0)
        return unix_open(listen_at + 5, unix_mode, ret, why);
    return tcp_open(listen_at, ret, why);
}

void
lmtp_listener_close(struct lmtp_listener *l)
{
    struct stat st;

    lmtp_fd_close(&l->fd);
    if (l->path != NULL && lstat(l->path, &st) == 0 && st.st_dev == l->dev && st.st_ino == l->ino)
        (void)unlink(l->path);             /* ours still; a successor that replaced it keeps its own */
    mem_freep(&l->path);
}
