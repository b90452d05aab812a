/*
 * die_at: kills the process at its n-th call that hands something to the world (LD_PRELOAD, for tests/integration).
 *
 * DIE_AT names a file of two 64-bit numbers that the test maps as well: the call to die at (0: none) and the calls so
 * far. write, send, sendto, sendmsg, writev, fsync and fdatasync are counted while the first number is not 0; the
 * process dies by SIGKILL before the call is made, so that number n+1 is "the n-th was done and nothing after it".
 * Standard input, output and error are not counted: a log line changes nothing that lasts.
 *
 * With AddressSanitizer: ASAN_OPTIONS=verify_asan_link_order=0, since we stand before its runtime.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

struct control {
    _Atomic uint64_t die_at;
    _Atomic uint64_t calls;
};
static struct control *control;

__attribute__((constructor)) static void
control_open(void)
{
    const char *path = getenv("DIE_AT");
    int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
    void *map;

    if (fd < 0)
        return;
    map = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (map == MAP_FAILED)
        abort();
    control = map;
}

static void
step(int fd)
{
    uint64_t n;

    if (control == NULL || fd <= STDERR_FILENO || (n = atomic_load(&control->die_at)) == 0)
        return;
    if (atomic_fetch_add(&control->calls, 1) + 1 == n) {
        kill(getpid(), SIGKILL);
        for (;;)
            pause();
    }
}

/* The next definition of a name, looked up once; a race looks it up twice. */
static uintptr_t
next_of(_Atomic uintptr_t *kept, const char *name)
{
    uintptr_t next = atomic_load(kept);

    if (next == 0) {
        next = (uintptr_t)dlsym(RTLD_NEXT, name);
        atomic_store(kept, next);
    }
    return next;
}

#define WRAP(type, name, params, ...)                                                                         \
    type name params                                                                                          \
    {                                                                                                         \
        static _Atomic uintptr_t next;                                                                        \
                                                                                                              \
        step(fd);                                                                                             \
        return ((__typeof__(&name))next_of(&next, #name))(__VA_ARGS__);                                       \
    }

WRAP(ssize_t, write, (int fd, const void *data, size_t n), fd, data, n)
WRAP(ssize_t, writev, (int fd, const struct iovec *v, int n), fd, v, n)
WRAP(ssize_t, send, (int fd, const void *data, size_t n, int flags), fd, data, n, flags)
WRAP(ssize_t, sendto, (int fd, const void *data, size_t n, int flags, const struct sockaddr *to, socklen_t len), fd,
     data, n, flags, to, len)
WRAP(ssize_t, sendmsg, (int fd, const struct msghdr *m, int flags), fd, m, flags)
WRAP(int, fsync, (int fd), fd)
WRAP(int, fdatasync, (int fd), fd)
