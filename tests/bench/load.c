/*
 * load: plays one script over many keep-alive connections and tells how long each step took.
 *
 * One thread and one epoll set, so that it takes little of the machine it measures. A script is a list of steps; each
 * is one request, the status it must be answered with, and what to keep of the answer for the steps that follow:
 *
 *     step token 200
 *     POST /oidc/token HTTP/1.1
 *     Host: idp.example
 *     Content-Type: application/x-www-form-urlencoded
 *
 *     grant_type=authorization_code&code={code}
 *     .
 *     take access_token "access_token":"|"
 *
 * {name} is what an earlier "take NAME BEFORE|AFTER" found between BEFORE and the next character of AFTER ("\r" is the
 * end of a header line). Given besides: {n}, a word of its own for each flow; {ip}, the address of another network; {line}, the next
 * line of the data file up to a tab, each used once; {rest}, what follows the tab. Content-Length is added where there is a body.
 *
 * An answer of another status ends the program with that answer on stderr: a bench of refusals measures nothing.
 * Without --rate each connection plays without a pause; with it flows begin at the planned instants of a Poisson
 * process and their time counts from there, however late a connection was free.
 *
 * On stdout: "begin" when the warm-up is over, "end", then one line of JSON with times in microseconds.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#define STEPS_MAX 8
#define TAKES_MAX 8
#define VARS_MAX 24
#define VALUE_MAX 16384
#define REQUEST_MAX 65536
#define REPLY_MAX (256 * 1024)

enum { VAR_N, VAR_IP, VAR_LINE, VAR_REST, VAR_OWN };      /* VAR_OWN: the first of the script's own */

struct take {
    int var;
    char before[128], after[16];
};

struct times {
    uint32_t *usec;
    size_t n, room;
};

struct step {
    char name[32];
    int status;
    char *head, *body;               /* with {names}; body NULL: none */
    struct take takes[TAKES_MAX];
    int ntakes;
    struct times times;
};

struct conn {
    int fd;
    SSL *tls;                        /* NULL: plain */
    bool busy;
    int step;
    int64_t flow_from, step_from;
    char values[VARS_MAX][VALUE_MAX];
    char in[REPLY_MAX + 1];
    size_t in_n;
};

static struct {
    struct sockaddr_in address;
    int connections;
    double warm, seconds, rate;
    long flows;                      /* stop after so many; 0: by time */
    SSL_CTX *tls;
    FILE *data;
} conf = { .connections = 8, .warm = 1, .seconds = 5 };

static struct step steps[STEPS_MAX];
static int nsteps;
static char *var_names[VARS_MAX];
static int nvars = VAR_OWN;
static struct times flow_times;
static long flow_number, flows_done;
static bool measuring, data_ended;

static _Noreturn void __attribute__((format(printf, 1, 2)))
die(const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    fputs("load: ", stderr);
    vfprintf(stderr, format, ap);
    fputc('\n', stderr);
    va_end(ap);
    exit(1);
}

static int64_t
now_usec(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void *
grow(void *p, size_t bytes)
{
    p = realloc(p, bytes);
    if (p == NULL)
        die("no memory");
    return p;
}

static void
times_add(struct times *t, int64_t usec)
{
    if (!measuring)
        return;
    if (t->n == t->room) {
        t->room = t->room == 0 ? 65536 : t->room * 2;
        t->usec = grow(t->usec, t->room * sizeof(*t->usec));
    }
    t->usec[t->n++] = (uint32_t)usec;
}

/* --- the script ------------------------------------------------------------------------------------------------- */

static int
var_find(const char *name, size_t n)
{
    for (int i = 0; i < nvars; i++) {
        if (strlen(var_names[i]) == n && memcmp(var_names[i], name, n) == 0)
            return i;
    }
    return -1;
}

static int
var_make(const char *name)
{
    int i = var_find(name, strlen(name));

    if (i >= 0)
        return i;
    if (nvars == VARS_MAX)
        die("too many names");
    var_names[nvars] = strdup(name);
    return nvars++;
}

static void
text_add(char **text, const char *line, const char *end)
{
    size_t n = *text == NULL ? 0 : strlen(*text), m = strlen(line), k = strlen(end);

    *text = grow(*text, n + m + k + 1);
    memcpy(*text + n, line, m);
    memcpy(*text + n + m, end, k + 1);
}

static char *
line_read(FILE *f)
{
    static char *line;
    static size_t room;
    ssize_t n = getline(&line, &room, f);

    if (n < 0)
        return NULL;
    if (n > 0 && line[n - 1] == '\n')
        line[n - 1] = '\0';
    return line;
}

static void
take_read(struct step *s, char *rest)
{
    struct take *t = &s->takes[s->ntakes++];
    char *before = strchr(rest, ' '), *after = strrchr(rest, '|');

    if (s->ntakes == TAKES_MAX || before == NULL || after == NULL)
        die("take: %s", rest);
    *before++ = '\0';
    *after++ = '\0';
    t->var = var_make(rest);
    if (strlen(before) >= sizeof(t->before) || strlen(after) >= sizeof(t->after))
        die("take: too long");
    memcpy(t->before, before, strlen(before) + 1);
    snprintf(t->after, sizeof(t->after), "%s", strcmp(after, "\\r") == 0 ? "\r" : after);
}

static void
step_read(FILE *f, const char *rest)
{
    struct step *s = &steps[nsteps];
    bool in_body = false;
    char *line;

    if (nsteps++ == STEPS_MAX || sscanf(rest, "%31s %d", s->name, &s->status) != 2)
        die("step: %s", rest);
    while ((line = line_read(f)) != NULL && strcmp(line, ".") != 0) {
        if (!in_body && line[0] == '\0')
            in_body = true;
        else
            text_add(in_body ? &s->body : &s->head, line, in_body ? "" : "\r\n");
    }
    if (line == NULL || s->head == NULL)
        die("step %s does not end", s->name);
}

static void
script_read(const char *path)
{
    FILE *f = fopen(path, "re");
    char *line;

    if (f == NULL)
        die("%s: %s", path, strerror(errno));
    var_names[VAR_N] = strdup("n");
    var_names[VAR_IP] = strdup("ip");
    var_names[VAR_LINE] = strdup("line");
    var_names[VAR_REST] = strdup("rest");
    while ((line = line_read(f)) != NULL) {
        if (strncmp(line, "step ", 5) == 0)
            step_read(f, line + 5);
        else if (strncmp(line, "take ", 5) == 0 && nsteps > 0)
            take_read(&steps[nsteps - 1], line + 5);
        else if (line[0] != '\0' && line[0] != '#')
            die("%s: %s", path, line);
    }
    fclose(f);
    if (nsteps == 0)
        die("%s: no steps", path);
}

/* --- one request and its answer ----------------------------------------------------------------------------------- */

static size_t
fill(const char *template, const struct conn *c, char *out, size_t n, size_t room)
{
    while (*template != '\0') {
        const char *end = *template == '{' ? strchr(template, '}') : NULL;
        int var = end == NULL ? -1 : var_find(template + 1, (size_t)(end - template - 1));
        const char *from = var >= 0 ? c->values[var] : template;
        size_t m = var >= 0 ? strlen(from) : 1;

        if (n + m >= room)
            die("request too long");
        memcpy(out + n, from, m);
        n += m;
        template = var >= 0 ? end + 1 : template + 1;
    }
    return n;
}

static void
wait_for(int fd, short events)
{
    struct pollfd p = { .fd = fd, .events = events };

    if (poll(&p, 1, 30000) == 0)
        die("no progress for 30 s");
}

static void
send_all(struct conn *c, const char *data, size_t n)
{
    while (n > 0) {
        ssize_t m = c->tls != NULL ? SSL_write(c->tls, data, (int)n) : send(c->fd, data, n, MSG_NOSIGNAL);

        if (m > 0) {
            data += m;
            n -= (size_t)m;
        } else if (c->tls != NULL && SSL_get_error(c->tls, (int)m) == SSL_ERROR_WANT_READ) {
            wait_for(c->fd, POLLIN);
        } else if ((c->tls != NULL && SSL_get_error(c->tls, (int)m) == SSL_ERROR_WANT_WRITE) ||
                   (c->tls == NULL && errno == EAGAIN)) {
            wait_for(c->fd, POLLOUT);
        } else {
            die("sending: %s", strerror(errno));
        }
    }
}

static void
step_begin(struct conn *c, int64_t now)
{
    const struct step *s = &steps[c->step];
    static char out[REQUEST_MAX], body[REQUEST_MAX];
    size_t n = fill(s->head, c, out, 0, sizeof(out)), m = 0;
    int k;

    if (s->body != NULL)
        m = fill(s->body, c, body, 0, sizeof(body));
    k = s->body != NULL ? snprintf(out + n, sizeof(out) - n, "Content-Length: %zu\r\n\r\n", m)
                        : snprintf(out + n, sizeof(out) - n, "\r\n");
    if (n + (size_t)k + m >= sizeof(out))
        die("request too long");
    n += (size_t)k;
    memcpy(out + n, body, m);
    c->step_from = now;
    c->in_n = 0;
    send_all(c, out, n + m);
}

static void
takes_run(const struct step *s, struct conn *c)
{
    for (int i = 0; i < s->ntakes; i++) {
        const struct take *t = &s->takes[i];
        const char *from = strstr(c->in, t->before);
        size_t n;

        if (from == NULL)
            die("step %s: no %s in\n%s", s->name, t->before, c->in);
        from += strlen(t->before);
        n = strcspn(from, t->after);
        if (n >= VALUE_MAX)
            die("step %s: %s is too long", s->name, var_names[t->var]);
        memcpy(c->values[t->var], from, n);
        c->values[t->var][n] = '\0';
    }
}

/* Whether the whole answer is here. */
static bool
answer_complete(const struct step *s, const struct conn *c)
{
    const char *end = strstr(c->in, "\r\n\r\n"), *p;
    size_t length = 0;

    if (end == NULL)
        return false;
    for (p = c->in; p < end; p = strstr(p, "\r\n") + 2) {
        if (strncasecmp(p, "Content-Length:", 15) == 0)
            length = strtoul(p + 15, NULL, 10);
        if (strncasecmp(p, "Connection: close", 17) == 0)
            die("step %s: the connection is not kept", s->name);
    }
    return c->in_n >= (size_t)(end + 4 - c->in) + length;
}

static bool
flow_begin(struct conn *c, int64_t planned, int64_t now)
{
    long n = flow_number++;
    char *tab;

    if (conf.flows > 0 && n >= conf.flows)
        return false;
    if (conf.data != NULL && fgets(c->values[VAR_LINE], VALUE_MAX, conf.data) == NULL) {
        data_ended = true;
        return false;
    }
    c->values[VAR_LINE][strcspn(c->values[VAR_LINE], "\n")] = '\0';
    if ((tab = strchr(c->values[VAR_LINE], '\t')) != NULL) {
        *tab = '\0';
        snprintf(c->values[VAR_REST], VALUE_MAX, "%s", tab + 1);
    }
    snprintf(c->values[VAR_N], VALUE_MAX, "%ld-%ld", (long)getpid(), n);
    snprintf(c->values[VAR_IP], VALUE_MAX, "10.%ld.%ld.1", ((n >> 8) + getpid()) & 255, n & 255);
    c->busy = true;
    c->step = 0;
    c->flow_from = planned;
    step_begin(c, now);
    return true;
}

/* True when the flow has ended. */
static bool
answer_take(struct conn *c)
{
    struct step *s = &steps[c->step];
    int64_t now = now_usec();
    int status = 0;

    if (sscanf(c->in, "HTTP/1.1 %d", &status) != 1 || status != s->status)
        die("step %s: expected %d, got\n%s", s->name, s->status, c->in);
    times_add(&s->times, now - c->step_from);
    takes_run(s, c);
    if (++c->step < nsteps) {
        step_begin(c, now);
        return false;
    }
    times_add(&flow_times, now - c->flow_from);
    flows_done++;
    c->busy = false;
    return true;
}

/* Reads what is there; true when a flow has ended. */
static bool
conn_read(struct conn *c)
{
    for (;;) {
        ssize_t n = c->tls != NULL ? SSL_read(c->tls, c->in + c->in_n, (int)(REPLY_MAX - c->in_n))
                                   : recv(c->fd, c->in + c->in_n, REPLY_MAX - c->in_n, 0);

        if (n <= 0) {
            if (c->tls != NULL ? SSL_get_error(c->tls, (int)n) == SSL_ERROR_WANT_READ : n < 0 && errno == EAGAIN)
                return false;
            die("step %s: connection lost: %s", steps[c->step].name, n == 0 ? "closed" : strerror(errno));
        }
        if (!c->busy)
            die("octets nobody asked for");
        c->in_n += (size_t)n;
        c->in[c->in_n] = '\0';
        if (answer_complete(&steps[c->step], c) && answer_take(c))
            return true;
    }
}

/* --- connections ---------------------------------------------------------------------------------------------------- */

static struct conn *
conn_open(int ep)
{
    struct conn *c = grow(NULL, sizeof(*c));
    int on = 1;

    memset(c, 0, sizeof(*c));
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&conf.address, sizeof(conf.address)) != 0)
        die("connecting: %s", strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (conf.tls != NULL) {
        c->tls = SSL_new(conf.tls);
        SSL_set_fd(c->tls, c->fd);
        if (SSL_connect(c->tls) != 1) {
            ERR_print_errors_fp(stderr);
            die("TLS handshake failed");
        }
    }
    fcntl(c->fd, F_SETFL, fcntl(c->fd, F_GETFL) | O_NONBLOCK);
    if (epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &(struct epoll_event){ .events = EPOLLIN, .data.ptr = c }) != 0)
        die("epoll: %s", strerror(errno));
    return c;
}

/* --- the run ---------------------------------------------------------------------------------------------------------- */

/* Planned instants nobody was free for yet; bounded, since a server that falls behind for ever is an answer too. */
static struct {
    int64_t at[65536];
    size_t first, n;
    int64_t next;
} plan;

static void
plan_step(int64_t now)
{
    while (plan.next <= now) {
        if (plan.n == sizeof(plan.at) / sizeof(plan.at[0]))
            die("the server cannot keep up with this rate");
        plan.at[(plan.first + plan.n++) % 65536] = plan.next;
        plan.next += (int64_t)(-log(1 - drand48()) * 1e6 / conf.rate) + 1;
    }
}

static bool
try_begin(struct conn *c)
{
    int64_t now = now_usec(), at;

    if (conf.rate == 0)
        return flow_begin(c, now, now);
    plan_step(now);
    if (plan.n == 0)
        return false;
    at = plan.at[plan.first];
    plan.first = (plan.first + 1) % 65536;
    plan.n--;
    return flow_begin(c, at, now);
}

static int
wait_usec(int ep, struct epoll_event *events, int n, int64_t until)
{
    int64_t left = until - now_usec();
    struct timespec t = { left / 1000000, left % 1000000 * 1000 };

    if (left < 0)
        t = (struct timespec){ 0, 0 };
    return epoll_pwait2(ep, events, n, &t, NULL);
}

static void
begin_measuring(void)
{
    measuring = true;
    puts("begin");
    fflush(stdout);
}

static int64_t
play(int ep, struct conn **conns)
{
    int64_t start = now_usec(), from, end;
    struct epoll_event events[256];

    from = start + (int64_t)(conf.warm * 1e6);
    end = from + (int64_t)(conf.seconds * 1e6);
    plan.next = start;
    if (conf.flows > 0) {
        begin_measuring();
        end = INT64_MAX / 2;
    }
    for (int i = 0; i < conf.connections; i++)
        try_begin(conns[i]);
    for (;;) {
        int64_t now = now_usec(), wake = conf.rate > 0 && plan.next < end ? plan.next : end;
        int n;

        if (!measuring && now >= from) {
            begin_measuring();
            from = now;
            end = from + (int64_t)(conf.seconds * 1e6);
        }
        if (now >= end || data_ended || (conf.flows > 0 && flows_done >= conf.flows))
            break;
        n = wait_usec(ep, events, 256, measuring || wake < from ? wake : from);
        for (int i = 0; i < n; i++) {
            struct conn *c = events[i].data.ptr;

            if (conn_read(c))
                try_begin(c);
        }
        for (int i = 0; conf.rate > 0 && i < conf.connections; i++) {
            if (!conns[i]->busy && !try_begin(conns[i]))
                break;
        }
    }
    puts("end");
    fflush(stdout);
    return now_usec() - (conf.flows > 0 ? start : from);
}

static int
by_size(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static void
times_print(const char *name, struct times *t)
{
    static const int parts[] = { 500, 950, 990, 1000 };

    if (t->n > 0)
        qsort(t->usec, t->n, sizeof(*t->usec), by_size);
    printf("\"%s\":{\"n\":%zu", name, t->n);
    for (size_t i = 0; t->n > 0 && i < sizeof(parts) / sizeof(parts[0]); i++)
        printf(",\"p%d\":%u", parts[i] / 10, t->usec[(t->n - 1) * (size_t)parts[i] / 1000]);
    printf("}");
}

static void
tls_make(const char *ca, char *pair)
{
    char *key = strchr(pair, ',');

    if (key == NULL)
        die("--cert CERT,KEY");
    *key++ = '\0';
    conf.tls = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_verify(conf.tls, SSL_VERIFY_PEER, NULL);
    if (SSL_CTX_load_verify_locations(conf.tls, ca, NULL) != 1 ||
        (pair[0] != '\0' && (SSL_CTX_use_certificate_chain_file(conf.tls, pair) != 1 ||
                             SSL_CTX_use_PrivateKey_file(conf.tls, key, SSL_FILETYPE_PEM) != 1))) {
        ERR_print_errors_fp(stderr);
        die("certificates");
    }
    SSL_CTX_set_mode(conf.tls, SSL_MODE_ENABLE_PARTIAL_WRITE);
}

static void
usage(void)
{
    fputs("usage: load --port N [--connections N] [--warm S] [--seconds S] [--rate N] [--flows N] [--data FILE]\n"
          "            [--ca FILE --cert CERT,KEY] SCRIPT        (CERT,KEY may be \",\": TLS without)\n", stderr);
    exit(2);
}

int
main(int argc, char **argv)
{
    static const struct option options[] = {
        { "port", 1, NULL, 'p' }, { "connections", 1, NULL, 'c' }, { "warm", 1, NULL, 'w' },
        { "seconds", 1, NULL, 's' }, { "rate", 1, NULL, 'r' }, { "flows", 1, NULL, 'f' }, { "data", 1, NULL, 'd' },
        { "ca", 1, NULL, 'a' }, { "cert", 1, NULL, 't' }, { NULL, 0, NULL, 0 },
    };
    const char *ca = NULL;
    char *cert = NULL;
    struct conn **conns;
    int64_t took;
    int c, ep;

    conf.address = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case 'p': conf.address.sin_port = htons((uint16_t)strtoul(optarg, NULL, 10)); break;
        case 'c': conf.connections = (int)strtol(optarg, NULL, 10); break;
        case 'w': conf.warm = strtod(optarg, NULL); break;
        case 's': conf.seconds = strtod(optarg, NULL); break;
        case 'r': conf.rate = strtod(optarg, NULL); break;
        case 'f': conf.flows = strtol(optarg, NULL, 10); break;
        case 'd':
            if ((conf.data = fopen(optarg, "re")) == NULL)
                die("%s: %s", optarg, strerror(errno));
            break;
        case 'a': ca = optarg; break;
        case 't': cert = optarg; break;
        default: usage();
        }
    }
    if (argc != optind + 1 || conf.address.sin_port == 0 || conf.connections < 1 || (ca == NULL) != (cert == NULL))
        usage();
    script_read(argv[optind]);
    if (ca != NULL)
        tls_make(ca, cert);
    flow_number = 0;
    srand48((long)getpid());
    ep = epoll_create1(EPOLL_CLOEXEC);
    conns = grow(NULL, (size_t)conf.connections * sizeof(struct conn *));
    for (int i = 0; i < conf.connections; i++)
        conns[i] = conn_open(ep);
    took = play(ep, conns);
    printf("{\"seconds\":%.6f,\"data_ended\":%s,", (double)took / 1e6, data_ended ? "true" : "false");
    times_print("flow", &flow_times);
    printf(",\"steps\":{");
    for (int i = 0; i < nsteps; i++) {
        if (i > 0)
            printf(",");
        times_print(steps[i].name, &steps[i].times);
    }
    puts("}}");
    return 0;
}
