/*
 * doctor: looks at an installation and says what is wrong: configuration, keys, certificates, clocks, schema, processes,
 * jobs, audit, authorities for sign-in, mail. It changes nothing. Exit status 0: nothing failed (warnings do not count); 1:
 * something did.
 *
 * --for says whose configuration it is: then the key folder must hold what that process loads and nothing else.
 */
#include "idp/operator/doctor.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/core/log.h"
#include "base/crypto/x509.h"
#include "idp/credential/trust.h"
#include "idp/keys.h"
#include "idp/operator/operator.h"

#define SEEN (10 * USEC_PER_SEC)          /* processes say so each second */
#define OVERDUE (5 * USEC_PER_MIN)
#define UNSEALED USEC_PER_MIN             /* sealed within a second when all is well */
#define CLOCK_WARN (2 * USEC_PER_SEC)
#define CLOCK_FAIL (30 * USEC_PER_SEC)
#define CERT_WARN (30 * USEC_PER_DAY)
#define CONNECT_SECONDS 5
#define TRUST_MAX (16 << 20)

enum verdict { GOOD, WARN, FAIL };
static const char *const verdicts[] = { "ok", "warn", "fail" };

struct doctor {
    const struct idp *idp;
    unsigned need;             /* keys of this process; 0: all that there are */
    json_t *checks;            /* NULL: lines of text */
    enum verdict worst;
};

static void PRINTF_LIKE(4, 5)
say(struct doctor *d, const char *check, enum verdict v, const char *fmt, ...)
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

/* --- keys --------------------------------------------------------------------------------------------------------------- */

struct stranger {
    struct doctor *doctor;
    bool found;
};

static void
stranger(const struct keyfile *f, void *arg)
{
    struct stranger *s = arg;

    s->found = true;
    say(s->doctor, "keys", FAIL, "%s/%s belongs to another process: take it away", s->doctor->idp->conf.keys, f->name);
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

static void
keys(struct doctor *d)
{
    const char *folder = d->idp->conf.keys;
    unsigned all = IDP_NEED_WEB | IDP_NEED_WORKER | IDP_NEED_NOTIFIER;
    struct idp scratch = { .conf = d->idp->conf };
    struct stranger s = { d, false };
    struct why why = WHY_INIT;
    struct stat st;
    enum err e;

    if (stat(folder, &st) != 0) {
        say(d, "keys", FAIL, "%s: %s", folder, strerror(errno));
        return;
    }
    if ((st.st_mode & 077) != 0)
        say(d, "keys", FAIL, "%s: mode %04o lets others in, must be 0700", folder, (unsigned)(st.st_mode & 07777));
    if (below_database(folder))
        say(d, "keys", FAIL, "%s lies in a PostgreSQL data directory: its backups hold the keys", folder);
    if (d->need != 0)
        keyfolder_strangers(folder, idp_key_files, idp_key_nfiles, d->need, stranger, &s);
    if ((e = idp_keys_load(&scratch, d->need != 0 ? d->need : all, &why)) != OK)
        say(d, "keys", FAIL, "%s", why.text);
    else if (!s.found)
        say(d, "keys", GOOD, "%s", folder);
    idp_keys_done(&scratch);
}

/* --- certificates ------------------------------------------------------------------------------------------------------- */

static void
certificate_dates(struct doctor *d, const char *path, struct str der)
{
    AUTO(x509_done) struct x509_cert cert = { .not_after = 0 };
    char until[UTIME_RFC3339_LEN + 1];
    struct why why = WHY_INIT;
    utime now = clock_now();

    if (x509_read(der, &cert, &why) != OK) {
        say(d, "certificates", FAIL, "%s: %s", path, why.text);
        return;
    }
    utime_rfc3339(cert.not_after, until);
    say(d, "certificates", cert.not_after <= now ? FAIL : cert.not_after - now < CERT_WARN ? WARN : GOOD,
        "%s: until %s", path, until);
}

static void
certificate(struct doctor *d, const char *path, bool pem)
{
    AUTO(buf_free) struct buf file = BUF_BOUNDED(256 * 1024);
    AUTO(buf_free) struct buf der = BUF_BOUNDED(64 * 1024);
    struct why why = WHY_INIT;
    enum err e;

    if (path[0] == '\0')
        return;
    if ((e = command_read_file(path, &file, &why)) != OK || (pem && (e = x509_pem_decode(buf_view(&file), &der, &why)) != OK))
        say(d, "certificates", FAIL, "%s: %s", path, why.text);
    else
        certificate_dates(d, path, buf_view(pem ? &der : &file));
}

static void
certificates(struct doctor *d)
{
    const struct idp_conf *c = &d->idp->conf;
    char path[PATH_MAX];

    certificate(d, c->tls_cert, true);
    certificate(d, c->cert_tls_cert, true);
    certificate(d, c->town_tls_cert, true);
    certificate(d, c->town_client_ca, true);
    snprintf(path, sizeof(path), "%s/saml-cert.der", c->keys);
    if (access(path, F_OK) == 0)
        certificate(d, path, false);
}

/* --- database ----------------------------------------------------------------------------------------------------------- */

static utime
host_clock(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);      /* lint: clock: the machine's own is what is compared, not a moved one */
    return (utime)t.tv_sec * USEC_PER_SEC + t.tv_nsec / 1000;
}

static void
state_say(struct doctor *d, const struct doctor_state *s, int64_t ahead)
{
    int64_t apart = ahead < 0 ? -ahead : ahead;

    say(d, "clocks", apart > CLOCK_FAIL ? FAIL : apart > CLOCK_WARN ? WARN : GOOD,
        "the database's clock is %.1f s %s this machine's", (double)apart / USEC_PER_SEC, ahead < 0 ? "behind" : "ahead of");
    say(d, "processes", s->web > 0 && s->notifier > 0 ? GOOD : FAIL, "running: %lld serve, %lld notifier",
        (long long)s->web, (long long)s->notifier);
    if (s->overdue > 0)
        say(d, "jobs", FAIL, "%lld due for more than 5 minutes, the oldest %s: does its process run?", (long long)s->overdue,
            s->overdue_kind);
    if (s->dead > 0)
        say(d, "jobs", WARN, "%lld given up: docs/database.md tells how to look at them", (long long)s->dead);
    if (s->overdue == 0 && s->dead == 0)
        say(d, "jobs", GOOD, "none late, none given up");
    say(d, "audit", s->unsealed > 0 ? FAIL : GOOD, "%lld rows older than a minute are not sealed", (long long)s->unsealed);
}

/* Whose certificates sign in, and whether their lists are in time (docs/certificates.md). */
static void
trust(struct doctor *d, struct pg *pg, utime now)
{
    AUTO(arena_freep) struct arena *a = arena_new(TRUST_MAX);
    struct trust_row *rows;
    struct why why = WHY_INIT;
    size_t n, wrong = 0;
    enum err e;

    if ((e = trust_list(pg, a, &rows, &n, &why)) != OK) {
        say(d, "trust", FAIL, "%s", why.text[0] != '\0' ? why.text : err_name(e));
        return;
    }
    for (size_t i = 0; i < n; i++) {
        bool bad;
        const char *text = trust_row_wrong(&rows[i], now, &bad);

        if (text == NULL)
            continue;
        wrong++;
        say(d, "trust", bad ? FAIL : WARN, "%s %s: %s", rows[i].name, rows[i].source, text);
    }
    if (n == 0 && d->idp->conf.cert_url[0] != '\0')
        say(d, "trust", WARN, "cert.url is set, but no authority is trusted: nobody signs in by certificate");
    else if (n > 0 && wrong == 0)
        say(d, "trust", GOOD, "all authorities and lists are in time");
}

static void
database(struct doctor *d)
{
    AUTO(pg_closep) struct pg *pg = NULL;
    struct doctor_state s = { .clock = 0 };
    struct why why = WHY_INIT;
    utime now = clock_now(), before, after;
    enum err e;

    if ((e = operator_database(d->idp, &pg, &why)) != OK) {
        say(d, "database", FAIL, "%s", why.text[0] != '\0' ? why.text : err_name(e));
        return;
    }
    say(d, "database", GOOD, "reached; its schema is the one of this program");
    before = host_clock();
    if ((e = doctor_store_look(pg, now - SEEN, now - OVERDUE, now - UNSEALED, &s, &why)) != OK) {
        say(d, "database", FAIL, "%s", why.text[0] != '\0' ? why.text : err_name(e));
        return;
    }
    after = host_clock();
    state_say(d, &s, s.clock - (before + (after - before) / 2));
    trust(d, pg, now);
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
    say(d, check, problem == NULL ? GOOD : FAIL, "%s%s%s", where, problem == NULL ? "" : ": ", problem == NULL ? "" : problem);
}

static void
mail(struct doctor *d)
{
    static const char plain[] = "smtp://";
    const struct idp_conf *c = &d->idp->conf;
    const char *in = c->mail_lmtp_listen, *out = c->mail_smtp_url;

    if (in[0] != '\0')
        mail_say(d, "mail in", in, strncmp(in, "unix:", 5) == 0 ? unix_problem(in + 5) : host_problem(in));
    if (strncmp(out, plain, sizeof(plain) - 1) == 0)
        mail_say(d, "mail out", out, host_problem(out + sizeof(plain) - 1));
    else
        say(d, "mail out", WARN, out[0] == '\0' ? "mail.smtp.url is not set: nobody is answered" : "%s: not looked at", out);
}

/* --- the visit ---------------------------------------------------------------------------------------------------------- */

static int
visit(const char *config, unsigned need, bool as_json)
{
    AUTO(idp_freep) struct idp *idp = NULL;
    struct doctor d = { .need = need, .checks = as_json ? json_array() : NULL, .worst = GOOD };
    struct why why = WHY_INIT;
    enum err e = idp_load(config, IDP_NEED_PAGES, &idp, &why);

    d.idp = idp;
    if (e != OK) {
        say(&d, "configuration", FAIL, "%s: %s", config, why.text[0] != '\0' ? why.text : err_name(e));
    } else {
        say(&d, "configuration", idp->conf.environment == ENVIRONMENT_PRODUCTION ? GOOD : WARN, "%s%s", config,
            idp->conf.environment == ENVIRONMENT_PRODUCTION ? "" : ": environment is not production");
        keys(&d);
        certificates(&d);
        database(&d);
        mail(&d);
    }
    if (as_json) {
        AUTO(json_decrefp) json_t *root = json_pack("{s:s, s:o}", "status", verdicts[d.worst], "checks", d.checks);

        json_dumpf(root, stdout, JSON_INDENT(2));
        putchar('\n');
    }
    return d.worst == FAIL ? 1 : 0;
}

int
operator_doctor(int argc, char **argv)
{
    const char *config = NULL, *process = NULL;
    bool as_json = false;
    const struct command_option options[] = {
        { "--config", &config, NULL }, { "--for", &process, NULL }, { "--json", NULL, &as_json },
    };
    unsigned need = 0;
    size_t n;

    if (!command_options(argc, argv, options, ARRAY_LEN(options), NULL, 0, &n) || config == NULL ||
        (process != NULL && !idp_keys_process(process, &need)))
        return command_usage("doctor --config FILE [--for web|worker|notifier] [--json]");
    log_start("beffroi-idp doctor", LOG_LEVEL_ERROR);
    return visit(config, need, as_json);
}
