/* doctor: see doctor.h. */
#include "base/program/doctor.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/crypto/x509.h"
#include "base/program/command.h"

#define CLOCK_WARN (2 * USEC_PER_SEC)
#define CLOCK_FAIL (30 * USEC_PER_SEC)
#define CERT_WARN (30 * USEC_PER_DAY)
#define CONNECT_SECONDS 5
#define ROOM_WARN ((uint64_t)1 << 30)
#define ROOM_FAIL ((uint64_t)100 << 20)

static const char *const verdicts[] = { "ok", "warn", "fail" };

struct doctor {
    json_t *checks;            /* NULL: lines of text */
    enum doctor_verdict worst;
};

struct doctor *
doctor_new(bool as_json)
{
    struct doctor *d = mem_alloc(sizeof(*d));

    d->checks = as_json ? json_array() : NULL;
    return d;
}

void
doctor_free(struct doctor *d)
{
    if (d == NULL)
        return;
    json_decref(d->checks);
    free(d);
}

void
doctor_say(struct doctor *d, const char *check, enum doctor_verdict v, const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (v > d->worst)
        d->worst = v;
    if (d->checks != NULL)
        json_array_append_new(d->checks, json_pack("{s:s, s:s, s:s}", "check", check, "status", verdicts[v], "text", text));
    else
        printf("%-4s  %-12s  %s\n", verdicts[v], check, text);
}

int
doctor_end(struct doctor *d)
{
    if (d->checks != NULL) {
        json_t *root = json_pack("{s:s, s:O}", "status", verdicts[d->worst], "checks", d->checks);

        json_dumpf(root, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(root);
    }
    return d->worst == DOCTOR_FAIL ? 1 : 0;
}

void
doctor_configuration(struct doctor *d, const char *file, enum environment environment, enum err e, const struct why *why)
{
    const bool production = environment == ENVIRONMENT_PRODUCTION;

    if (e != OK)
        doctor_say(d, "configuration", DOCTOR_FAIL, "%s: %s", file, why->text[0] != '\0' ? why->text : err_name(e));
    else
        doctor_say(d, "configuration", production ? DOCTOR_GOOD : DOCTOR_WARN, "%s%s", file,
                   production ? "" : ": environment is not production");
}

/* --- keys --------------------------------------------------------------------------------------------------------------- */

struct stranger {
    struct doctor *doctor;
    const char *folder;
    bool found;
};

static void
stranger(const struct keyfile *f, void *arg)
{
    struct stranger *s = arg;

    s->found = true;
    doctor_say(s->doctor, "keys", DOCTOR_FAIL, "%s/%s belongs to another process: take it away", s->folder, f->name);
}

/* A folder at or above this one that is a PostgreSQL data directory: backups of it would hold the keys (DOMAIN 5.3). */
static bool
below_database(const char *folder)
{
    char path[PATH_MAX], mark[PATH_MAX + 16], *slash;

    if (realpath(folder, path) == NULL)
        return false;
    do {
        snprintf(mark, sizeof(mark), "%s/PG_VERSION", path);
        if (access(mark, F_OK) == 0)
            return true;
        if ((slash = strrchr(path, '/')) != NULL)
            *slash = '\0';
    } while (slash != NULL);
    return false;
}

void
doctor_keys(struct doctor *d, const char *folder, unsigned need, bool alone, void *scratch)
{
    const struct program *p = program_running();
    struct stranger s = { d, folder, false };
    struct why why = WHY_INIT;
    struct stat st;
    enum err e;

    if (stat(folder, &st) != 0) {
        doctor_say(d, "keys", DOCTOR_FAIL, "%s: %s", folder, strerror(errno));
        return;
    }
    if ((st.st_mode & 077) != 0)
        doctor_say(d, "keys", DOCTOR_FAIL, "%s: mode %04o lets others in, must be 0700", folder, (unsigned)(st.st_mode & 07777));
    if (below_database(folder))
        doctor_say(d, "keys", DOCTOR_FAIL, "%s lies in a PostgreSQL data directory: its backups hold the keys", folder);
    if (alone)
        keyfolder_strangers(folder, p->keys, p->nkeys, need, stranger, &s);
    if ((e = keyfolder_load(folder, p->keys, p->nkeys, need, scratch, &why)) != OK)
        doctor_say(d, "keys", DOCTOR_FAIL, "%s", why.text);
    else if (!s.found)
        doctor_say(d, "keys", DOCTOR_GOOD, "%s", folder);
    keyfolder_done(p->keys, p->nkeys, scratch);
}

/* --- certificates ------------------------------------------------------------------------------------------------------- */

void
doctor_certificate(struct doctor *d, const char *name, struct str der)
{
    AUTO(x509_done) struct x509_cert cert = { .not_after = 0 };
    char until[UTIME_RFC3339_LEN + 1];
    struct why why = WHY_INIT;
    utime now = clock_now();

    if (x509_read(der, &cert, &why) != OK) {
        doctor_say(d, "certificates", DOCTOR_FAIL, "%s: %s", name, why.text);
        return;
    }
    utime_rfc3339(cert.not_after, until);
    doctor_say(d, "certificates",
               cert.not_after <= now ? DOCTOR_FAIL : cert.not_after - now < CERT_WARN ? DOCTOR_WARN : DOCTOR_GOOD,
               "%s: until %s", name, until);
}

void
doctor_certificate_file(struct doctor *d, const char *path, bool pem)
{
    AUTO(buf_free) struct buf file = BUF_BOUNDED(256 * 1024);
    AUTO(buf_free) struct buf der = BUF_BOUNDED(64 * 1024);
    struct why why = WHY_INIT;
    enum err e;

    if (path[0] == '\0')
        return;
    if ((e = command_read_file(path, &file, &why)) != OK || (pem && (e = x509_pem_decode(buf_view(&file), &der, &why)) != OK))
        doctor_say(d, "certificates", DOCTOR_FAIL, "%s: %s", path, why.text);
    else
        doctor_certificate(d, path, buf_view(pem ? &der : &file));
}

/* --- database ----------------------------------------------------------------------------------------------------------- */

utime
doctor_host_clock(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);      /* lint: clock: the machine's own is what is compared, not a moved one */
    return (utime)t.tv_sec * USEC_PER_SEC + t.tv_nsec / 1000;
}

void
doctor_clock(struct doctor *d, utime database, utime before, utime after)
{
    const int64_t ahead = database - (before + (after - before) / 2), apart = ahead < 0 ? -ahead : ahead;

    doctor_say(d, "clocks", apart > CLOCK_FAIL ? DOCTOR_FAIL : apart > CLOCK_WARN ? DOCTOR_WARN : DOCTOR_GOOD,
               "the database's clock is %.1f s %s this machine's", (double)apart / USEC_PER_SEC, ahead < 0 ? "behind" : "ahead of");
}

void
doctor_audit(struct doctor *d, int64_t unsealed)
{
    doctor_say(d, "audit", unsealed > 0 ? DOCTOR_FAIL : DOCTOR_GOOD, "%lld rows older than a minute are not sealed",
               (long long)unsealed);
}

void
doctor_jobs(struct doctor *d, int64_t overdue, const char *kind, int64_t dead)
{
    if (overdue > 0)
        doctor_say(d, "jobs", DOCTOR_FAIL, "%lld due for more than 5 minutes, the oldest %s: does its process run?",
                   (long long)overdue, kind);
    if (dead > 0)
        doctor_say(d, "jobs", DOCTOR_WARN, "%lld given up: docs/database.md tells how to look at them", (long long)dead);
    if (overdue == 0 && dead == 0)
        doctor_say(d, "jobs", DOCTOR_GOOD, "none late, none given up");
}

/* --- mail --------------------------------------------------------------------------------------------------------------- */

/* A stream to "host:port" or "unix:PATH" whose first line begins with 220, as LMTP and SMTP greet; NULL, or what is wrong. */
static const char *
greeting_problem(int family, const struct sockaddr *to, socklen_t n)
{
    const struct timeval wait = { .tv_sec = CONNECT_SECONDS };
    char line[4] = "";
    const char *problem = NULL;
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return "no socket";
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) != 0 || connect(fd, to, n) != 0)
        problem = "nobody answers";
    else if (recv(fd, line, 3, MSG_WAITALL) != 3 || strcmp(line, "220") != 0)
        problem = "no greeting of a mail server";
    close(fd);
    return problem;
}

static const char *
host_problem(const char *host_port)
{
    char host[256];
    const char *colon = strrchr(host_port, ':'), *problem = "no such host";
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    struct addrinfo *list = NULL;
    size_t n;

    if (colon == NULL || (n = (size_t)(colon - host_port)) >= sizeof(host))
        return "no port";
    snprintf(host, sizeof(host), "%.*s", (int)n, host_port);
    if (host[0] == '[' && n > 2) {
        memmove(host, host + 1, n - 2);
        host[n - 2] = '\0';
    }
    if (getaddrinfo(host, colon + 1, &hints, &list) != 0)
        return problem;
    for (struct addrinfo *a = list; a != NULL && problem != NULL; a = a->ai_next)
        problem = greeting_problem(a->ai_family, a->ai_addr, a->ai_addrlen);
    freeaddrinfo(list);
    return problem;
}

static const char *
unix_problem(const char *path)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };

    if (strlen(path) >= sizeof(to.sun_path))
        return "the path is too long";
    snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
    return greeting_problem(AF_UNIX, (const struct sockaddr *)&to, sizeof(to));
}

static void
mail_say(struct doctor *d, const char *check, const char *where, const char *problem)
{
    doctor_say(d, check, problem == NULL ? DOCTOR_GOOD : DOCTOR_FAIL, "%s%s%s", where, problem == NULL ? "" : ": ",
               problem == NULL ? "" : problem);
}

void
doctor_mail_in(struct doctor *d, const char *listen)
{
    if (listen[0] != '\0')
        mail_say(d, "mail in", listen, strncmp(listen, "unix:", 5) == 0 ? unix_problem(listen + 5) : host_problem(listen));
}

void
doctor_mail_out(struct doctor *d, const char *url, const char *without)
{
    static const char plain[] = "smtp://";

    if (strncmp(url, plain, sizeof(plain) - 1) == 0)
        mail_say(d, "mail out", url, host_problem(url + sizeof(plain) - 1));
    else if (url[0] == '\0')
        doctor_say(d, "mail out", DOCTOR_WARN, "mail.smtp.url is not set: %s", without);
    else
        doctor_say(d, "mail out", DOCTOR_WARN, "%s: not looked at", url);
}

/* --- room --------------------------------------------------------------------------------------------------------------- */

void
doctor_room(struct doctor *d, const char *what, const char *folder)
{
    struct statvfs fs;
    uint64_t room;

    if (statvfs(folder, &fs) != 0) {
        doctor_say(d, "room", DOCTOR_FAIL, "%s: %s: %s", what, folder, strerror(errno));
        return;
    }
    room = (uint64_t)fs.f_bavail * fs.f_frsize;
    doctor_say(d, "room", room < ROOM_FAIL ? DOCTOR_FAIL : room < ROOM_WARN ? DOCTOR_WARN : DOCTOR_GOOD, "%s: %s: %llu MiB free", what,
               folder, (unsigned long long)(room >> 20));
}
