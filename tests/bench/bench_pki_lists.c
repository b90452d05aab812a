/*
 * bench_pki_lists: from the database to the public, by the real status process: all states into memory, a full list and a delta
 * made (crl_make(), as the signer does), taken over, verified, written and offered; and from a revocation to its OCSP answer.
 * Run beside a PostgreSQL of its own: tests/lib/with-pg -- bench_pki_lists BEFFROI-PKI [ENTRIES [REVOCATIONS]].
 *
 * Times are of the wall clock: on a machine with other work, upper bounds; beside them the CPU time of all three, this process,
 * status and PostgreSQL. Memory is the peak of the process (VmHWM).
 */
#include "tests/integration/pki_authority.h"
#include "tests/unit/tool.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <time.h>

#include "pki/authority/crl.h"
#include "pki/encode/ocsp.h"
#include "pki/status/folder.h"

#define BASE "http://pki.example"
#define REGISTRATION "00000000-0000-4000-8000-000000000001"

static const struct pg_stmts *const stmts[] = { &audit_stmts, &ca_stmts, &crl_stmts, NULL };
static struct pki_world w;
static struct tool_folder folder;
static struct profile_set profiles;
static struct key *root_key, *key;
static struct ca root, cards;
static struct ocsp_issuer issuer;
static struct pg *pg;
static PGconn *op;
static int port;
static pid_t status;

static void
sql(const char *fmt, ...) PRINTF_LIKE(1, 2);
static void
sql(const char *fmt, ...)
{
    char text[2000];
    PGresult *r;
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    r = PQexec(op, text);
    if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK)
        panic("%s: %s", text, PQerrorMessage(op));
    PQclear(r);
}

/* n certificates, as random as serial numbers are; triggers are left out, as this is not what is measured. */
static void
certificates_put(size_t n, const char *state, const char *salt)
{
    const bool bad = strcmp(state, "revoked") == 0;

    sql("SET session_replication_role = replica");
    sql("INSERT INTO certificate (id, ca_id, serial, shard, state, state_since, registration_id, profile, profile_sha256, spki_sha256, "
        "not_before, not_after, reason, revoked_at) SELECT gen_random_uuid(), %d, '\\x5a'::bytea || substr(sha256(('%s' || i)::bytea), 1, 15), 0, "
        "'%s', clock_timestamp(), '" REGISTRATION "', 'citizen-card', sha256('p'), sha256(('k%s' || i)::bytea), clock_timestamp() - interval '1 day', "
        "clock_timestamp() + interval '1 year', %s, %s FROM generate_series(1, %zu) i", cards.id, salt, state, salt, bad ? "1" : "NULL",
        bad ? "clock_timestamp() - interval '1 hour'" : "NULL", n);
    sql("RESET session_replication_role");
    sql("VACUUM ANALYZE certificate");
}

/* --- the process ------------------------------------------------------------------------------------------------------------- */

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

/* One request on a connection that stays; head and body go to in. Returns the status. */
static int
ask(int fd, struct str request, bool head_only, struct buf *in)
{
    char block[65536];
    const char *end, *length;
    ssize_t n;
    size_t whole;

    buf_reset(in);
    if (send(fd, request.p, request.n, MSG_NOSIGNAL) != (ssize_t)request.n)
        panic("send");
    while ((end = strstr(buf_cstr(in), "\r\n\r\n")) == NULL) {
        if ((n = recv(fd, block, sizeof(block), 0)) <= 0)
            panic("the connection ended");
        buf_add(in, block, (size_t)n);
    }
    length = strcasestr(in->data, "content-length:");
    whole = (size_t)(end + 4 - in->data) + (head_only || length == NULL ? 0 : (size_t)strtoul(length + 15, NULL, 10));
    while (in->len < whole) {
        if ((n = recv(fd, block, sizeof(block), 0)) <= 0)
            panic("the connection ended");
        buf_add(in, block, (size_t)n);
    }
    return (int)strtol(in->data + 9, NULL, 10);
}

static void
status_start(const char *program)
{
    AUTO(buf_free) struct buf conf = BUF_BOUNDED(4096), out = BUF_BOUNDED(65536);
    char config[128];
    int fd;

    buf_addf(&conf, "environment = test\nbase_url = " BASE "\nname = bench\nmigrations = %s/migrations/pki\nprofiles = %s/pki/profiles\n"
             "keys = keys\nstatus.listen = 127.0.0.1:%d\nstatus.folder = status\ndatabase = host=%s port=%s dbname=test user=pki_status "
             "options='-c search_path=pki'\n", SOURCE_DIR, SOURCE_DIR, port, getenv("PGHOST"), getenv("PGPORT"));
    tool_write(&folder, "pki.conf", buf_view(&conf));
    snprintf(config, sizeof(config), "%s", folder.name);
    if (TOOL(true, &out, program, "keys", "init", "--config", config) != 0)
        panic("keys: %s", buf_cstr(&out));
    if ((status = fork()) == 0) {
        const int log = open(tool_file(&folder, "log"), O_WRONLY | O_CREAT | O_APPEND, 0600);

        dup2(log, 2);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execl(program, "beffroi-pki", "status", "--config", config, (char *)NULL);
        _exit(127);
    }
    while ((fd = dial()) < 0)
        usleep(1000);
    close(fd);
}

/* A responder's key with its certificate, as if the signer had been here. */
static void
responder_make(void)
{
    AUTO(buf_free) struct buf name = BUF_BOUNDED(NAME_MAX_LEN), spki = BUF_BOUNDED(1024), tbs = BUF_BOUNDED(CERTIFICATE_MAX),
                              sig = BUF_BOUNDED(256), der = BUF_BOUNDED(CERTIFICATE_MAX);
    AUTO(key_freep) struct key *k = NULL;
    const struct profile *p = profile_set_find(&profiles, STR_LIT("responder"));
    const struct subject s = { .common_name = STR_LIT("Bench OCSP") };
    struct certificate_input in = { .profile = p, .sig_alg = SIG_ES256, .not_before = w.now - DAY };
    unsigned char digest[SHA256_LEN], serial[SERIAL_LEN];
    struct folder f = FOLDER_INIT;
    char file[64], path[200];

    snprintf(path, sizeof(path), "%s/status", folder.path);
    assert_ok(folder_open(path, &f, &w.why), &w.why);
    assert_int_equal(key_generate(KEY_P256, 0, KEY_OCSP_SIGN, &k), OK);
    key_spki(k, &spki);
    sha256(buf_view(&spki), digest);
    certificate_serial_draw(serial);
    assert_ok(name_encode(p, &s, &name, &w.why), &w.why);
    in.serial = (struct str){ (const char *)serial, SERIAL_LEN };
    in.issuer = cards.subject;
    in.issuer_key_id = cards.key_id;
    in.subject = buf_view(&name);
    in.spki = buf_view(&spki);
    in.not_after = profile_not_after(p, in.not_before);
    in.urls.ca_issuers = STR_LIT(BASE "/ca/cards-g1.cer");
    assert_ok(certificate_tbs_encode(&in, &tbs, &w.why), &w.why);
    assert_ok(key_sign(key, KEY_CA_SIGN, SIG_ES256, buf_view(&tbs), false, &sig, &w.why), &w.why);
    assert_ok(certificate_assemble(buf_view(&tbs), SIG_ES256, buf_view(&sig), &der, &w.why), &w.why);
    snprintf(file, sizeof(file), "cards-g1.%02x%02x%02x%02x%02x%02x%02x%02x.", digest[0], digest[1], digest[2], digest[3], digest[4],
             digest[5], digest[6], digest[7]);
    snprintf(path, sizeof(path), "%s/status/ocsp/%skey", folder.path, file);
    assert_ok(key_save(k, path, &w.why), &w.why);
    snprintf(path, sizeof(path), "%scer", file);
    assert_ok(folder_put(f.ocsp, path, buf_view(&der), 0644, &w.why), &w.why);
    folder_close(&f);
}

static long
memory_of(const char *what)
{
    char path[64], line[256];
    long n = 0;
    FILE *in;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)status);
    in = fopen(path, "r");
    while (in != NULL && fgets(line, sizeof(line), in) != NULL)
        if (strncmp(line, what, strlen(what)) == 0)
            n = strtol(line + strlen(what), NULL, 10);
    if (in != NULL)
        fclose(in);
    return n / 1024;
}

static double
cpu_of(pid_t pid)
{
    struct timespec t;
    clockid_t clock;

    return clock_getcpuclockid(pid, &clock) == 0 && clock_gettime(clock, &t) == 0 ? (double)t.tv_sec + (double)t.tv_nsec / 1e9 : 0;
}

/* CPU seconds of this process, of status and of PostgreSQL's processes that live. */
static double
cpu(void)
{
    const char *text = getenv("BEFFROI_TEST_PG_PID");
    const long server = text == NULL ? 0 : strtol(text, NULL, 10);
    double all = cpu_of(0) + cpu_of(status);
    struct dirent *entry;
    DIR *proc = opendir("/proc");

    while (proc != NULL && server > 0 && (entry = readdir(proc)) != NULL) {
        char path[300];
        long parent = 0;
        FILE *in;

        snprintf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9' || (in = fopen(path, "re")) == NULL)
            continue;
        if (fscanf(in, "%*d (%*[^)]) %*c %ld", &parent) == 1 && parent == server)
            all += cpu_of((pid_t)strtol(entry->d_name, NULL, 10));
        fclose(in);
    }
    if (proc != NULL)
        closedir(proc);
    return all;
}

static double
since(utime began)
{
    return (double)(clock_monotonic() - began) / 1e6;
}

/* --- what is measured --------------------------------------------------------------------------------------------------------- */

static void
states(size_t n)
{
    AUTO(buf_free) struct buf in = BUF_BOUNDED(1 << 20);
    const utime began = clock_monotonic();
    const int fd = dial();

    while (ask(fd, STR_LIT("GET /health/ready HTTP/1.1\r\nHost: a\r\n\r\n"), false, &in) != 200)
        usleep(10000);
    printf("states of %zu certificates in memory after %.2f s; resident %ld MiB, peak %ld MiB\n", n, since(began),
           memory_of("VmRSS:"), memory_of("VmHWM:"));
    fflush(stdout);
    close(fd);
}

static void
list_offer(bool delta)
{
    AUTO(buf_free) struct buf in = BUF_BOUNDED(1 << 20);
    struct crl_order order = { .ca_id = cards.id, .full = !delta, .delta = delta, .now = clock_now(), .base_url = BASE,
                               .profiles = &profiles, .actor = "bench" };
    const struct str head = delta ? STR_LIT("HEAD /crl/cards-g1-delta.crl HTTP/1.1\r\nHost: a\r\n\r\n")
                                  : STR_LIT("HEAD /crl/cards-g1.crl HTTP/1.1\r\nHost: a\r\n\r\n");
    AUTO(mem_freep) char *before = NULL;
    const int fd = dial();
    struct crl_made made;
    double made_after, all, before_made, made_cpu, all_cpu;
    const char *etag;
    utime began;

    (void)ask(fd, head, true, &in);
    etag = strcasestr(in.data, "etag:");
    before = mem_strndup(etag == NULL ? "" : etag, etag == NULL ? 0 : 41);
    before_made = cpu();
    began = clock_monotonic();
    if (crl_make(pg, &order, key, &made, &w.why) != OK)
        panic("%s", w.why.text);
    made_after = since(began);
    made_cpu = cpu() - before_made;
    while (ask(fd, head, true, &in) != 200 || (before[0] != '\0' && strstr(in.data, before) != NULL))
        usleep(2000);
    all = since(began);
    all_cpu = cpu() - before_made;
    printf("%s of %zu entries: made and stored %.2f s (CPU %.2f), on offer after %.2f s (CPU %.2f); %zu octets; status peak %ld MiB\n",
           delta ? "delta" : "full list", delta ? made.delta.entries : made.full.entries, made_after, made_cpu, all, all_cpu,
           delta ? made.delta.der.n : made.full.der.n, memory_of("VmHWM:"));
    fflush(stdout);
    crl_made_done(&made);
    close(fd);
}

static int
by_number(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static void
request_put(const unsigned char serial[SERIAL_LEN], struct buf *out)
{
    AUTO(buf_free) struct buf der = BUF_BOUNDED(1024);
    const size_t whole = der_begin(&der, DER_SEQUENCE), tbs = der_begin(&der, DER_SEQUENCE), list = der_begin(&der, DER_SEQUENCE),
                 one = der_begin(&der, DER_SEQUENCE), id = der_begin(&der, DER_SEQUENCE), alg = der_begin(&der, DER_SEQUENCE);

    der_add_oid(&der, STR_LIT("\x2b\x0e\x03\x02\x1a"));              /* SHA-1 */
    der_add_null(&der);
    der_end(&der, alg);
    der_add(&der, DER_OCTET_STRING, (struct str){ (const char *)issuer.name_sha1, SHA1_LEN });
    der_add(&der, DER_OCTET_STRING, (struct str){ (const char *)issuer.key_sha1, SHA1_LEN });
    der_add_unsigned(&der, serial, SERIAL_LEN);
    der_end(&der, id);
    der_end(&der, one);
    der_end(&der, list);
    der_end(&der, tbs);
    der_end(&der, whole);
    buf_addf(out, "POST /ocsp HTTP/1.1\r\nHost: a\r\nContent-Type: application/ocsp-request\r\nContent-Length: %zu\r\n\r\n", der.len);
    buf_add_str(out, buf_view(&der));
}

/* From the commit of a revocation to the answer that says revoked ([1] in CertStatus). */
static void
revocations(size_t n)
{
    AUTO(mem_freep) double *took = mem_alloc_array(n, sizeof(*took));
    AUTO(buf_free) struct buf in = BUF_BOUNDED(1 << 20);
    PGresult *r = PQexecParams(op, "SELECT serial FROM certificate WHERE state = 'active' LIMIT 2000", 0, NULL, NULL, NULL, NULL, 1);
    const int fd = dial();

    for (size_t i = 0; i < n; i++) {
        AUTO(buf_free) struct buf request = BUF_BOUNDED(4096);
        unsigned char serial[SERIAL_LEN];
        char hex[2 * SERIAL_LEN + 1];
        utime began;

        memcpy(serial, PQgetvalue(r, (int)i, 0), SERIAL_LEN);
        for (size_t k = 0; k < SERIAL_LEN; k++)
            snprintf(hex + 2 * k, 3, "%02x", serial[k]);
        request_put(serial, &request);
        if (ask(fd, buf_view(&request), false, &in) != 200 || memmem(in.data, in.len, "\x0a\x01\x00\xa0", 4) == NULL)
            panic("no answer");
        sql("UPDATE certificate SET state = 'revoked', state_since = clock_timestamp(), reason = 1, revoked_at = clock_timestamp() "
            "WHERE serial = '\\x%s'", hex);
        began = clock_monotonic();
        while (ask(fd, buf_view(&request), false, &in) != 200 || memmem(in.data, in.len, "\xa1\x11\x18\x0f", 4) == NULL)
            usleep(500);
        took[i] = since(began) * 1000;
    }
    PQclear(r);
    close(fd);
    qsort(took, n, sizeof(*took), by_number);
    printf("%zu revocations: visible in OCSP after p50 %.1f, p99 %.1f, at most %.1f ms\n", n, took[n / 2], took[n * 99 / 100], took[n - 1]);
}

int
main(int argc, char **argv)
{
    AUTO(buf_free) struct buf out = BUF_BOUNDED(65536);
    size_t entries = 100000, revoked = 200;
    char set[37];

    if (argc < 2) {
        fprintf(stderr, "usage: bench_pki_lists BEFFROI-PKI [ENTRIES [REVOCATIONS]]\n");
        return 2;
    }
    if (argc > 2)
        entries = (size_t)strtoul(argv[2], NULL, 10);
    if (argc > 3)
        revoked = (size_t)strtoul(argv[3], NULL, 10);
    if (revoked < 1 || revoked > 2000)
        panic("1 to 2000 revocations");
    pki_world_begin(&w, utime_seconds(clock_now()) * USEC_PER_SEC);
    w.conf.stmts = stmts;
    assert_ok(pg_open(&w.conf, &pg, &w.why), &w.why);
    op = operator_open("options='-c search_path=pki'");
    tool_folder_make(&folder);
    assert_ok(profile_set_load(SOURCE_DIR "/pki/profiles", &profiles, &w.why), &w.why);
    root_key = pki_key_make(KEY_P256, 0);
    key = pki_key_make(KEY_P256, 0);
    rand_uuid(set);
    pki_authority_make(&w, &profiles, &(struct pki_authority){ "root", "root-ca", root_key, "offline", 1, set, BASE }, root_key, NULL,
                       &root);
    pki_authority_make(&w, &profiles, &(struct pki_authority){ "cards", "issuing-ca", key, "sealed:none", 1, set, BASE }, root_key,
                       &root, &cards);
    assert_ok(ocsp_issuer_make(cards.subject, cards.spki, &issuer, &w.why), &w.why);
    sql("INSERT INTO registration (id, profile, holder, support, proof, state, made_at) VALUES ('" REGISTRATION "', 'p', 'h', 'card', "
        "'none', 'open', '2026-01-01')");
    certificates_put(entries, "revoked", "a");
    certificates_put(5000, "active", "b");
    port = 10000 + (int)rand_below(20000);
    responder_make();
    status_start(argv[1]);
    states(entries + 5000);
    list_offer(false);
    list_offer(false);
    /* a tenth of a million changes of which a delta tells: by the trigger, as they happen */
    sql("UPDATE certificate SET state = 'revoked', reason = 4 WHERE state = 'revoked' AND serial IN (SELECT serial FROM certificate "
        "WHERE state = 'revoked' LIMIT 10000)");
    list_offer(true);
    list_offer(true);
    revocations(revoked);
    kill(status, SIGTERM);
    waitpid(status, NULL, 0);
    TOOL(true, &out, "rm", "-rf", "--", folder.path);
    PQfinish(op);
    pg_close(pg);
    key_free(root_key);
    key_free(key);
    profile_set_free(&profiles);
    pki_world_end(&w);
    return 0;
}
