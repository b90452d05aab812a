/*
 * socket: the Unix socket. One thread reads lines of all peers; a peer whose command is with a worker is not read.
 *
 * Anybody on the machine may connect. Who may say nothing is told so and put out at once, so that strangers hold no
 * place; who may has a bounded number of places, of which the one that rested longest makes way for a new one: a caller that
 * rested opens its connection again (pki/client).
 */
#include "pki/signer/signer-internal.h"

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/core/log.h"

#define BACKLOG 64
#define GROUPS_MAX 256
#define ANSWER_PATIENCE 5              /* seconds in which a peer must take an answer */

/* --- who ------------------------------------------------------------------------------------------------------------------ */

static enum err
issuers_read(struct signer *s, struct why *why)
{
    const struct conf_list *names = &s->pki->conf.signer_issuers;

    s->issuers = mem_alloc_array(names->n + 1, sizeof(*s->issuers));
    for (size_t i = 0; i < names->n; i++) {
        const struct passwd *who = getpwnam(names->items[i]);

        if (who == NULL)
            return why_set(why, ERR_INPUT, "signer.issuers: no user %s", names->items[i]);
        s->issuers[s->nissuers++] = who->pw_uid;
    }
    return OK;
}

static enum err
custodians_read(struct signer *s, struct why *why)
{
    const char *name = s->pki->conf.signer_custodians;
    const struct group *g;

    if (name[0] == '\0')
        return OK;
    if ((g = getgrnam(name)) == NULL)
        return why_set(why, ERR_INPUT, "signer.custodians: no group %s", name);
    s->custodians = g->gr_gid;
    s->has_custodians = true;
    return OK;
}

static bool
in_group(uid_t uid, gid_t gid, gid_t wanted)
{
    gid_t groups[GROUPS_MAX];
    int n = GROUPS_MAX;
    struct passwd entry, *who = NULL;
    char text[4096];

    if (gid == wanted)
        return true;
    if (getpwuid_r(uid, &entry, text, sizeof(text), &who) != 0 || who == NULL || getgrouplist(who->pw_name, gid, groups, &n) < 0)
        return false;
    for (int i = 0; i < n; i++)
        if (groups[i] == wanted)
            return true;
    return false;
}

static unsigned
rights_of(const struct signer *s, uid_t uid, gid_t gid)
{
    unsigned rights = 0;

    for (size_t i = 0; i < s->nissuers; i++)
        if (s->issuers[i] == uid)
            rights |= PEER_ISSUE;
    if (s->has_custodians && in_group(uid, gid, s->custodians))
        rights |= PEER_CUSTODY;
    return rights;
}

/* --- opening ---------------------------------------------------------------------------------------------------------------- */

static enum err
address_of(const char *path, struct sockaddr_un *ret, struct why *why)
{
    *ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
    if (path[0] == '\0' || strlen(path) >= sizeof(ret->sun_path))
        return why_set(why, ERR_INPUT, "signer.socket: 1 to %zu characters", sizeof(ret->sun_path) - 1);
    memcpy(ret->sun_path, path, strlen(path) + 1);
    return OK;
}

/* A socket that a killed signer left answers nobody: then it may go. */
static bool
left_behind(const struct sockaddr_un *at)
{
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool refused;

    if (fd < 0)
        return false;
    refused = connect(fd, (const struct sockaddr *)(const void *)at, sizeof(*at)) != 0 && errno == ECONNREFUSED;
    close(fd);
    return refused && unlink(at->sun_path) == 0;
}

enum err
socket_open(struct signer *s, struct why *why)
{
    struct sockaddr_un at;
    enum err e;
    int bound;

    if ((e = issuers_read(s, why)) != OK || (e = custodians_read(s, why)) != OK ||
        (e = address_of(s->pki->conf.signer_socket, &at, why)) != OK)
        return e;
    s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    s->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->wake_fd < 0 || s->listen_fd < 0)
        return why_set(why, ERR_UNAVAILABLE, "no descriptor: %m");
    bound = bind(s->listen_fd, (const struct sockaddr *)&at, sizeof(at));
    if (bound != 0 && errno == EADDRINUSE && left_behind(&at))
        bound = bind(s->listen_fd, (const struct sockaddr *)&at, sizeof(at));
    if (bound != 0) {
        e = why_set(why, ERR_UNAVAILABLE, "%s: %m", at.sun_path);
        close(s->listen_fd);
        s->listen_fd = -1;               /* not ours: it stays */
        return e;
    }
    /* Anybody may knock: what a peer may say follows from its user, not from the mode. */
    if (chmod(at.sun_path, 0666) != 0 || listen(s->listen_fd, BACKLOG) != 0)
        return why_set(why, ERR_UNAVAILABLE, "%s: %m", at.sun_path);
    return OK;
}

void
socket_close(struct signer *s)
{
    if (s->listen_fd >= 0) {
        close(s->listen_fd);
        unlink(s->pki->conf.signer_socket);
    }
    if (s->wake_fd >= 0)
        close(s->wake_fd);
    mem_freep(&s->issuers);
}

void
socket_wake(struct signer *s)
{
    const uint64_t one = 1;

    /* A counter that is full wakes as well. */
    if (write(s->wake_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
        LOG_ERROR_EV("signer.wake", LF_INT("errno", errno));
}

/* --- peers --------------------------------------------------------------------------------------------------------------------- */

/* Once a second at most: a stranger does not fill the log either. */
static void
stranger_refuse(struct signer *s, int fd, uid_t uid)
{
    static const char text[] = "refused signer.peer\n";
    const utime now = clock_monotonic();

    (void)send(fd, text, sizeof(text) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);      /* who does not take it is gone already */
    if (now >= s->stranger_said + USEC_PER_SEC) {
        LOG_WARN_EV("signer.peer", LF_INT("uid", uid));
        s->stranger_said = now;
    }
    close(fd);
}

/* NULL: may say nothing, and is put out. */
static struct peer *
peer_new(struct signer *s, int fd)
{
    const struct timeval patience = { ANSWER_PATIENCE, 0 };
    struct ucred who;
    socklen_t size = sizeof(who);
    unsigned rights;
    struct peer *p;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) != 0) {
        close(fd);
        return NULL;
    }
    if ((rights = rights_of(s, who.uid, who.gid)) == 0) {
        stranger_refuse(s, fd, who.uid);
        return NULL;
    }
    p = mem_alloc(sizeof(*p));
    p->fd = fd;
    p->uid = who.uid;
    p->rights = rights;
    p->since = clock_monotonic();
    atomic_init(&p->busy, false);
    atomic_init(&p->over, false);
    return p;
}

static void
peer_free(struct peer *p)
{
    close(p->fd);
    mem_wipe(p->line, sizeof(p->line));
    free(p);
}

void
peer_answer(struct peer *p, struct str text)
{
    while (text.n > 0) {
        const ssize_t n = send(p->fd, text.p, text.n, MSG_NOSIGNAL);

        if (n <= 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            atomic_store(&p->over, true);
            return;
        }
        text = (struct str){ text.p + n, text.n - (size_t)n };
    }
}

/* Takes the first whole line off what was read, and gives it to a worker. */
static void
peer_next(struct signer *s, struct peer *p)
{
    char *end = memchr(p->line, '\n', p->len);
    size_t n;

    if (end == NULL) {
        if (p->len == SIGNER_LINE_MAX) {
            peer_answer(p, STR_LIT("refused signer.command\n"));
            atomic_store(&p->over, true);
        }
        return;
    }
    *end = '\0';
    n = (size_t)(end - p->line) + 1;
    if (strlen(p->line) != n - 1) {      /* a NUL inside */
        peer_answer(p, STR_LIT("refused signer.command\n"));
        atomic_store(&p->over, true);
        return;
    }
    atomic_store(&p->busy, true);
    work_add(s, p, p->line);
    memmove(p->line, p->line + n, p->len - n);
    p->len -= n;
    mem_wipe(p->line + p->len, n);
}

static void
peer_read(struct signer *s, struct peer *p)
{
    const ssize_t n = recv(p->fd, p->line + p->len, SIGNER_LINE_MAX - p->len, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        atomic_store(&p->over, true);
        return;
    }
    p->len += (size_t)n;
    p->since = clock_monotonic();
    peer_next(s, p);
}

/* --- the thread ------------------------------------------------------------------------------------------------------------------ */

struct table {
    struct peer *peers[SIGNER_PEERS_MAX];
    size_t n;
};

/* Makes room for one more of that user: the one of theirs that rested longest goes; when the table is full, of anybody's.
 * false: all of them are at work. */
static bool
room_make(struct table *t, uid_t uid)
{
    size_t theirs = 0, oldest = t->n;

    for (size_t i = 0; i < t->n; i++)
        theirs += t->peers[i]->uid == uid;
    if (theirs < SIGNER_PEERS_OF_USER && t->n < SIGNER_PEERS_MAX)
        return true;
    for (size_t i = 0; i < t->n; i++) {
        const struct peer *p = t->peers[i];

        if (!atomic_load(&p->busy) && (p->uid == uid || theirs < SIGNER_PEERS_OF_USER) &&
            (oldest == t->n || p->since < t->peers[oldest]->since))
            oldest = i;
    }
    if (oldest == t->n)
        return false;
    peer_free(t->peers[oldest]);
    t->peers[oldest] = t->peers[--t->n];
    return true;
}

static void
accept_all(struct signer *s, struct table *t)
{
    int fd;

    while ((fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        struct peer *p = peer_new(s, fd);

        if (p == NULL)
            continue;
        if (room_make(t, p->uid)) {
            t->peers[t->n++] = p;
            continue;
        }
        LOG_WARN_EV("signer.full", LF_INT("peers", t->n), LF_INT("uid", p->uid));
        peer_answer(p, STR_LIT("later signer.busy\n"));
        peer_free(p);
    }
}

/* Lines that came together wait here until the one before is answered; what is over goes. */
static void
peers_go_on(struct signer *s, struct table *t)
{
    for (size_t i = 0; i < t->n;) {
        struct peer *p = t->peers[i];

        if (atomic_load(&p->busy)) {
            i++;
        } else if (atomic_load(&p->over)) {
            peer_free(p);
            t->peers[i] = t->peers[--t->n];
        } else {
            if (p->len > 0)
                peer_next(s, p);
            i++;
        }
    }
}

static void
wake_take(struct signer *s)
{
    uint64_t count;

    if (read(s->wake_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
        LOG_ERROR_EV("signer.wake", LF_INT("errno", errno));
}

static void
turn(struct signer *s, struct table *t)
{
    struct pollfd fds[SIGNER_PEERS_MAX + 2] = { { s->wake_fd, POLLIN, 0 }, { s->listen_fd, POLLIN, 0 } };
    struct peer *asked[SIGNER_PEERS_MAX];
    nfds_t n = 2;

    for (size_t i = 0; i < t->n; i++) {
        if (atomic_load(&t->peers[i]->busy))
            continue;
        asked[n - 2] = t->peers[i];
        fds[n++] = (struct pollfd){ t->peers[i]->fd, POLLIN, 0 };
    }
    if (poll(fds, n, -1) < 0)
        return;                        /* EINTR */
    if ((fds[0].revents & POLLIN) != 0)
        wake_take(s);
    for (nfds_t i = 2; i < n; i++)
        if (fds[i].revents != 0)
            peer_read(s, asked[i - 2]);
    if ((fds[1].revents & POLLIN) != 0)
        accept_all(s, t);
    peers_go_on(s, t);
}

void *
socket_run(void *signer)
{
    struct signer *s = signer;
    struct table *t = mem_alloc(sizeof(*t));

    while (!atomic_load(&s->socket_stop))
        turn(s, t);
    /* Workers have ended by now: signer_run() joins them before it stops this thread. */
    for (size_t i = 0; i < t->n; i++)
        peer_free(t->peers[i]);
    free(t);
    return NULL;
}
