/*
 * bench_pki_status: what the status process costs, as its clients see it and by the time its threads are on a processor.
 *
 *     bench_pki_status BEFFROI-PKI [CERTIFICATES [SECONDS [ROW]]]      ROW: part of its name; the others are left out
 *
 * Makes an authority, a responder and the states of all certificates in a folder, starts the real process on it (without a
 * database, as after an outage), and asks over keep-alive connections with requests in a row. "Per core" is what one second on a
 * processor does, generator not counted: on a machine with other work only that means something. The ceiling is
 * `openssl speed` of the same run. Access lines go to /dev/null.
 */
#include "tests/unit/pki_support.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "base/core/rand.h"
#include "pki/encode/ocsp.h"
#include "pki/status/folder.h"
#include "pki/status/journal.h"

#define THREADS 2
#define IN_A_ROW 16
#define HOT 1000                     /* certificates that are asked for again and again */
#define LATENCIES 200000

static struct pki pki;
static struct tool_folder folder;
static struct ocsp_issuer issuer;
static unsigned char (*serials)[SERIAL_LEN];
static size_t certificates = 1000000;
static int seconds = 4, port;
static pid_t status;
static const char *only = "";

/* --- the folder -------------------------------------------------------------------------------------------------------------- */

static void
must(enum err e, const struct why *why)
{
    if (e != OK)
        panic("%s", why->text);
}

static void
responder_make(int dir)
{
    AUTO(buf_free) struct buf name = BUF_BOUNDED(NAME_MAX_LEN), spki = BUF_BOUNDED(1024), der = BUF_BOUNDED(CERTIFICATE_MAX);
    AUTO(key_freep) struct key *key = NULL;
    struct certificate_input in = pki_input(&pki, pki_profile(&pki, "responder"), &pki.issuing, &name);
    unsigned char digest[SHA256_LEN];
    char file[64], path[160];
    struct why why = WHY_INIT;

    if (key_generate(KEY_P256, 0, KEY_OCSP_SIGN, &key) != OK)
        panic("key");
    key_spki(key, &spki);
    in.spki = buf_view(&spki);
    pki_issue(&in, &pki.issuing, &der);
    sha256(buf_view(&spki), digest);
    snprintf(file, sizeof(file), "cards-g1.%02x%02x%02x%02x%02x%02x%02x%02x.", digest[0], digest[1], digest[2], digest[3], digest[4],
             digest[5], digest[6], digest[7]);
    snprintf(path, sizeof(path), "%s/status/ocsp/%skey", folder.path, file);
    must(key_save(key, path, &why), &why);
    snprintf(path, sizeof(path), "%scer", file);
    must(folder_put(dir, path, buf_view(&der), 0644, &why), &why);
}

static void
folder_make(void)
{
    AUTO(buf_free) struct buf line = BUF_BOUNDED(65536), conf = BUF_BOUNDED(4096), out = BUF_BOUNDED(65536);
    struct folder f = FOLDER_INIT;
    struct status_table *table = status_table_new(certificates);
    struct journal *j;
    struct why why = WHY_INIT;
    char path[160];

    tool_folder_make(&folder);
    snprintf(path, sizeof(path), "%s/status", folder.path);
    must(folder_open(path, &f, &why), &why);
    buf_adds(&line, "1 cards 1 issuing active 1 full 86400000000 ");
    base64_encode(&line, pki.issuing.der.data, pki.issuing.der.len);
    buf_addc(&line, '\n');
    must(folder_put(f.fd, "authorities", buf_view(&line), 0600, &why), &why);
    responder_make(f.ocsp);
    serials = calloc(certificates, sizeof(*serials));
    for (size_t i = 0; i < certificates; i++) {
        certificate_serial_draw(serials[i]);
        status_table_put(table, 1, serials[i], &(struct status){ STATUS_GOOD, 0, 0 });
    }
    j = journal_new(f.fd);
    must(journal_write(j, table, clock_now(), &why), &why);
    journal_free(j);
    status_table_free(table);
    folder_close(&f);
    buf_addf(&conf, "environment = test\nbase_url = http://pki.example\nname = bench\nmigrations = %s/migrations/pki\nprofiles = %s/pki/profiles\n"
             "keys = keys\ndatabase = host=/nowhere\nstatus.listen = 127.0.0.1:%d\nstatus.folder = status\nocsp.stale_max = 7d\n",
             SOURCE_DIR, SOURCE_DIR, port);
    tool_write(&folder, "pki.conf", buf_view(&conf));
}

/* --- the process -------------------------------------------------------------------------------------------------------------- */

static int
dial(void)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) }, .sin_port = htons((uint16_t)port) };
    const int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

    if (connect(fd, (struct sockaddr *)&at, sizeof(at)) != 0) {
        close(fd);
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return fd;
}

static void
status_start(const char *program)
{
    AUTO(buf_free) struct buf out = BUF_BOUNDED(65536);
    char config[128];
    int fd;

    snprintf(config, sizeof(config), "%s", tool_file(&folder, "pki.conf"));
    if (TOOL(true, &out, program, "keys", "init", "--config", config) != 0)
        panic("keys: %s", buf_cstr(&out));
    if ((status = fork()) == 0) {
        const int null = open("/dev/null", O_WRONLY);

        dup2(null, 2);
        execl(program, "beffroi-pki", "status", "--config", config, (char *)NULL);
        _exit(127);
    }
    while ((fd = dial()) < 0)
        usleep(10000);
    close(fd);
}

/* Nanoseconds on a processor of all its threads. */
static int64_t
cpu_of(pid_t pid)
{
    char path[64];
    int64_t all = 0;
    const struct dirent *e;
    DIR *d;

    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    d = opendir(path);
    while (d != NULL && (e = readdir(d)) != NULL) {
        char file[400];
        long long n;
        FILE *in;

        snprintf(file, sizeof(file), "%s/%s/schedstat", path, e->d_name);
        if ((in = fopen(file, "r")) != NULL) {
            if (fscanf(in, "%lld", &n) == 1)
                all += n;
            fclose(in);
        }
    }
    closedir(d);
    return all;
}

static long
memory_of(pid_t pid, const char *what)
{
    char path[64], line[256];
    long n = 0;
    FILE *in;

    snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
    in = fopen(path, "r");
    while (in != NULL && fgets(line, sizeof(line), in) != NULL)
        if (strncmp(line, what, strlen(what)) == 0)
            n = strtol(line + strlen(what), NULL, 10);
    if (in != NULL)
        fclose(in);
    return n / 1024;
}

/* --- requests ------------------------------------------------------------------------------------------------------------------ */

enum kind { GET_HOT, POST_HOT, GET_COLD, POST_NONCE, GET_HEALTH };

static void
request_der(size_t certificate, bool nonce, struct buf *out)
{
    const size_t whole = der_begin(out, DER_SEQUENCE), tbs = der_begin(out, DER_SEQUENCE), list = der_begin(out, DER_SEQUENCE),
                 one = der_begin(out, DER_SEQUENCE), id = der_begin(out, DER_SEQUENCE), alg = der_begin(out, DER_SEQUENCE);

    der_add_oid(out, STR_LIT("\x2b\x0e\x03\x02\x1a"));               /* SHA-1 */
    der_add_null(out);
    der_end(out, alg);
    der_add(out, DER_OCTET_STRING, (struct str){ (const char *)issuer.name_sha1, SHA1_LEN });
    der_add(out, DER_OCTET_STRING, (struct str){ (const char *)issuer.key_sha1, SHA1_LEN });
    der_add_unsigned(out, serials[certificate], SERIAL_LEN);
    der_end(out, id);
    der_end(out, one);
    der_end(out, list);
    if (nonce) {
        const size_t tagged = der_begin(out, DER_CONTEXT(2)), extensions = der_begin(out, DER_SEQUENCE),
                     extension = der_begin(out, DER_SEQUENCE);
        unsigned char octets[18] = { DER_OCTET_STRING, 16 };

        rand_bytes(octets + 2, 16);
        der_add_oid(out, OID_OCSP_NONCE);
        der_add(out, DER_OCTET_STRING, (struct str){ (const char *)octets, sizeof(octets) });
        der_end(out, extension);
        der_end(out, extensions);
        der_end(out, tagged);
    }
    der_end(out, tbs);
    der_end(out, whole);
}

static atomic_size_t next_cold = HOT;

static void
request_put(enum kind kind, size_t n, struct buf *out)
{
    AUTO(buf_free) struct buf der = BUF_BOUNDED(4096), base64 = BUF_BOUNDED(4096), escaped = BUF_BOUNDED(8192);
    const size_t certificate = kind == GET_COLD ? atomic_fetch_add(&next_cold, 1) % certificates : n % HOT;

    if (kind == GET_HEALTH) {
        buf_adds(out, "GET /health/live HTTP/1.1\r\nHost: pki.example\r\n\r\n");
        return;
    }
    request_der(certificate, kind == POST_NONCE, &der);
    if (kind == POST_HOT || kind == POST_NONCE) {
        buf_addf(out, "POST /ocsp HTTP/1.1\r\nHost: pki.example\r\nContent-Type: application/ocsp-request\r\nContent-Length: %zu\r\n\r\n",
                 der.len);
        buf_add_str(out, buf_view(&der));
        return;
    }
    base64_encode(&base64, der.data, der.len);
    url_encode(&escaped, buf_view(&base64));
    buf_addf(out, "GET /ocsp/%s HTTP/1.1\r\nHost: pki.example\r\n\r\n", escaped.data);
}

/* Reads n answers; each must be 200 and, of OCSP, successful. */
static void
answers_read(int fd, size_t n, bool ocsp, struct buf *in)
{
    char block[65536];

    buf_reset(in);
    for (size_t at = 0; n > 0;) {
        const char *head, *end, *length;
        ssize_t got;
        size_t body;

        while ((end = strstr(buf_cstr(in) + at, "\r\n\r\n")) == NULL) {
            if ((got = recv(fd, block, sizeof(block), 0)) <= 0)
                panic("the connection ended");
            buf_add(in, block, (size_t)got);
        }
        head = in->data + at;
        if (strncmp(head, "HTTP/1.1 200", 12) != 0 || (length = strcasestr(head, "content-length:")) == NULL || length > end)
            panic("an answer: %.60s", head);
        body = (size_t)strtoul(length + 15, NULL, 10);
        at = (size_t)(end + 4 - in->data);
        while (in->len < at + body) {
            if ((got = recv(fd, block, sizeof(block), 0)) <= 0)
                panic("the connection ended");
            buf_add(in, block, (size_t)got);
        }
        if (ocsp && memmem(in->data + at, 16, "\x0a\x01\x00", 3) == NULL)
            panic("not a successful answer");
        at += body;
        n--;
        if (n > 0 && at == in->len) {
            buf_reset(in);
            at = 0;
        }
    }
}

struct player {
    pthread_t thread;
    enum kind kind;
    size_t in_a_row;
    int64_t each;                    /* microseconds between two requests; 0: at once */
    int64_t until, done;
    uint32_t *latencies;
    size_t n_latencies;
    unsigned seed;
};

static void *
play(void *arg)
{
    struct player *p = arg;
    AUTO(buf_free) struct buf in = BUF_BOUNDED(16 << 20);
    struct buf ready[64];
    const int fd = dial();
    int64_t next = clock_monotonic();

    /* making requests is not part of it, where they may be asked again */
    for (size_t i = 0; i < ARRAY_LEN(ready); i++) {
        ready[i] = (struct buf)BUF_BOUNDED(1 << 20);
        for (size_t k = 0; k < p->in_a_row; k++)
            request_put(p->kind, p->seed + i * p->in_a_row + k, &ready[i]);
    }
    for (size_t i = 0; clock_monotonic() < p->until; i++) {
        struct buf *out = &ready[i % ARRAY_LEN(ready)];
        int64_t began;

        if (p->kind == GET_COLD || p->kind == POST_NONCE) {
            buf_reset(out);
            for (size_t k = 0; k < p->in_a_row; k++)
                request_put(p->kind, p->seed + i, out);
        }
        if (p->each > 0) {
            next += p->each;
            if (next > clock_monotonic())
                usleep((useconds_t)(next - clock_monotonic()));
        }
        began = p->each > 0 ? next : clock_monotonic();              /* counts from when it was due */
        if (send(fd, out->data, out->len, MSG_NOSIGNAL) != (ssize_t)out->len)
            panic("send");
        answers_read(fd, p->in_a_row, p->kind != GET_HEALTH, &in);
        if (p->n_latencies < LATENCIES)
            p->latencies[p->n_latencies++] = (uint32_t)(clock_monotonic() - began);
        p->done += (int64_t)p->in_a_row;
    }
    for (size_t i = 0; i < ARRAY_LEN(ready); i++)
        buf_free(&ready[i]);
    close(fd);
    return NULL;
}

static int
by_number(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static double
run(const char *label, enum kind kind, size_t threads, size_t in_a_row, double rate, double ceiling)
{
    struct player players[32];
    static uint32_t all[32 * LATENCIES];
    size_t n = 0;
    int64_t done = 0, cpu = cpu_of(status), began = clock_monotonic();
    double per_core;

    if (strstr(label, only) == NULL)
        return 2000;
    for (size_t i = 0; i < threads; i++) {
        players[i] = (struct player){ .kind = kind, .in_a_row = in_a_row, .until = began + seconds * USEC_PER_SEC,
                                      .each = rate > 0 ? (int64_t)(1e6 * (double)threads / rate) : 0,
                                      .latencies = calloc(LATENCIES, sizeof(uint32_t)), .seed = (unsigned)(i * 977) };
        CHECK(pthread_create(&players[i].thread, NULL, play, &players[i]) == 0);
    }
    for (size_t i = 0; i < threads; i++) {
        pthread_join(players[i].thread, NULL);
        done += players[i].done;
        memcpy(all + n, players[i].latencies, players[i].n_latencies * sizeof(uint32_t));
        n += players[i].n_latencies;
        free(players[i].latencies);
    }
    cpu = cpu_of(status) - cpu;
    began = clock_monotonic() - began;
    qsort(all, n, sizeof(*all), by_number);
    per_core = (double)done * 1e9 / (double)cpu;
    printf("%-44s %9.0f /s %9.0f /s per core", label, (double)done * 1e6 / (double)began, per_core);
    if (ceiling > 0)
        printf("   %.2f of openssl speed", per_core / ceiling);
    if (in_a_row == 1)
        printf("   p50 %.2f p99 %.2f ms", all[n / 2] / 1e3, all[n * 99 / 100] / 1e3);
    printf("\n");
    fflush(stdout);
    return (double)done * 1e6 / (double)began;
}

/* Signatures a second of one core, by OpenSSL itself. */
static double
openssl_speed(void)
{
    AUTO(buf_free) struct buf out = BUF_BOUNDED(65536);
    const char *at;
    double sign_time = 0, verify_time = 0, sign = 0;

    if (TOOL(false, &out, "openssl", "speed", "-seconds", "2", "ecdsap256") != 0 ||
        (at = strstr(buf_cstr(&out), "(nistp256)")) == NULL || sscanf(at + 10, "%lfs %lfs %lf", &sign_time, &verify_time, &sign) != 3)
        panic("openssl speed: %s", buf_cstr(&out));
    return sign;
}

int
main(int argc, char **argv)
{
    struct why why = WHY_INIT;
    double ceiling, rate;

    if (argc < 2) {
        fprintf(stderr, "usage: bench_pki_status BEFFROI-PKI [CERTIFICATES [SECONDS [ROW]]]\n");
        return 2;
    }
    if (argc > 2)
        certificates = (size_t)strtoul(argv[2], NULL, 10);
    if (argc > 3)
        seconds = (int)strtol(argv[3], NULL, 10);
    if (argc > 4)
        only = argv[4];
    if (certificates < 2 * HOT || seconds < 1)
        panic("too few");
    signal(SIGPIPE, SIG_IGN);
    port = 20000 + (int)rand_below(20000);
    pki_make(&pki, KEY_P256, 0);
    must(ocsp_issuer_make(buf_view(&pki.issuing.name), buf_view(&pki.issuing.spki), &issuer, &why), &why);
    folder_make();
    status_start(argv[1]);
    ceiling = openssl_speed();
    printf("%zu certificates; openssl speed: %.0f P-256 signatures/s of a core; memory %ld MiB\n", certificates, ceiling,
           memory_of(status, "Pss:"));
    run("answer of the HTTP server alone", GET_HEALTH, THREADS, IN_A_ROW, 0, 0);
    run("OCSP, cached, GET", GET_HOT, THREADS, IN_A_ROW, 0, 0);
    run("OCSP, cached, POST", POST_HOT, THREADS, IN_A_ROW, 0, 0);
    run("OCSP, signed, with nonce, POST", POST_NONCE, THREADS, IN_A_ROW, 0, ceiling);
    run("OCSP, signed, each certificate once, GET", GET_COLD, THREADS, IN_A_ROW, 0, ceiling);
    rate = run("OCSP, cached, GET, one at a time", GET_HOT, 8, 1, 0, 0);
    run("the same at half of that rate", GET_HOT, 8, 1, rate / 2, 0);
    printf("memory at the end %ld MiB\n", memory_of(status, "Pss:"));
    kill(status, SIGTERM);
    waitpid(status, NULL, 0);
    {
        AUTO(buf_free) struct buf out = BUF_BOUNDED(4096);

        TOOL(true, &out, "rm", "-rf", "--", folder.path);
    }
    pki_done(&pki);
    free(serials);
    return 0;
}
