/*
 * bench_pki_issue: certificates per second through the judge, each with its two durable commits, beside the signing rate of
 * the CA's key in the same run. Run beside a PostgreSQL of its own: tests/lib/with-pg -- bench_pki_issue [N [THREADS [ALG [BATCH]]]].
 *
 * Requests are made first and not counted: what is measured is what the signer does when it is told `issue ID`, BATCH of them at a
 * time (default 1; the signer takes what waits). CPU time is that
 * of this process, and beside it that of PostgreSQL's processes (those below BEFFROI_TEST_PG_PID).
 */
#include "tests/integration/pki_support.h"

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>

#define NOW (INT64_C(1795000000) * USEC_PER_SEC)
#define THREADS_MAX 64

static struct pki_world w;
static struct profile_set profiles;
static struct keyring *field;
static struct clock_guard guard;
static struct issue_ca ca;
static struct issue_context x;
static char (*ids)[37];
static size_t n = 2000, batch = 1;
static atomic_size_t next, failed;

static double
cpu(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* CPU seconds of the server's processes; of the ended ones too, through their parent. */
static double
cpu_of_server(void)
{
    const char *server = getenv("BEFFROI_TEST_PG_PID");
    const long pid = server == NULL ? 0 : strtol(server, NULL, 10);
    unsigned long ticks = 0, own, kernel, own_ended, kernel_ended;
    struct dirent *entry;
    DIR *proc = opendir("/proc");

    while (proc != NULL && pid > 0 && (entry = readdir(proc)) != NULL) {
        char path[300], comm[64], state;
        long id, parent;
        FILE *in;

        snprintf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9' || (in = fopen(path, "re")) == NULL)
            continue;
        if (fscanf(in, "%ld (%63[^)]) %c %ld %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %lu %lu", &id, comm, &state, &parent, &own,
                   &kernel, &own_ended, &kernel_ended) == 8 && (id == pid || parent == pid))
            ticks += own + kernel + (id == pid ? own_ended + kernel_ended : 0);
        fclose(in);
    }
    if (proc != NULL)
        closedir(proc);
    return (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

static void
answered(void *arg, size_t i, enum err e, const struct issue_result *ret, const struct why *why)
{
    (void)arg;
    (void)i;
    (void)ret;
    if (e != OK && atomic_fetch_add(&failed, 1) == 0)
        fprintf(stderr, "%s: %s\n", why->code, why->text);
}

static void *
work(void *arg)
{
    const struct issue_hooks hooks = { .answer = answered };
    const char *list[ISSUE_BATCH_MAX];
    struct pg *pg = arg;
    size_t i;

    while ((i = atomic_fetch_add(&next, batch)) < n) {
        size_t m = 0;

        while (m < batch && i + m < n) {
            list[m] = ids[i + m];
            m++;
        }
        issue_requests(&x, pg, list, m, NOW, &hooks);
    }
    return NULL;
}

/* Signatures of the CA's key alone, in one thread. */
static double
raw_rate(void)
{
    AUTO(buf_free) struct buf sig = BUF_BOUNDED(1024);
    static const char text[600];
    const utime begun = clock_monotonic();
    const double before = cpu();
    int count = 0;

    while (clock_monotonic() - begun < USEC_PER_SEC) {
        buf_reset(&sig);
        if (key_sign(ca.key, KEY_CA_SIGN, key_default_alg(ca.key), (struct str){ text, sizeof(text) }, false, &sig, NULL) != OK)
            exit(1);
        count++;
    }
    return count / (cpu() - before);
}

static void
requests_make(void)
{
    operator_run("INSERT INTO pki.station VALUES ('00000000-0000-4000-8000-000000000001', 'idp', '{citizen-soft}', NULL, false, "
                 "'active', '2026-01-01')", NULL, 0);
    for (size_t i = 0; i < n; i++) {
        AUTO(key_freep) struct key *k = pki_key_make(KEY_P256, 0);
        AUTO(buf_free) struct buf sealed = BUF_BOUNDED(1024), spki = BUF_BOUNDED(256);
        struct registration r = { .profile = "citizen-soft", .town = "", .proof = PROOF_NONE, .proof_ref = "",
                                  .proof_at = UTIME_NULL, .state = REGISTRATION_OPEN,
                                  .station = "00000000-0000-4000-8000-000000000001" };
        struct request q = { .origin = REQUEST_EST, .csr = pki_csr_make(&w, k),
                             .station = "00000000-0000-4000-8000-000000000001" };
        struct subject s = { .number = STR_NULL };
        char holder[24];

        snprintf(holder, sizeof(holder), "%zu", 10000000 + i);
        r.holder = holder;
        s.number = str_of(holder);
        rand_uuid(r.id);
        rand_uuid(q.id);
        memcpy(q.registration, r.id, sizeof(q.registration));
        key_spki(k, &spki);
        sha256(buf_view(&spki), q.spki_sha256);
        if (registration_seal(field, r.id, &s, &sealed, &w.why) != OK)
            exit(1);
        r.subject = buf_view(&sealed);
        if (registration_add(w.pg, &r, "bench", NOW, NULL, &w.why) != OK ||
            request_add(w.pg, &q, "bench", NOW, ids[i], NULL, &w.why) != OK) {
            fprintf(stderr, "%s\n", w.why.text);
            exit(1);
        }
    }
}

static void
measure(const char *name, enum key_alg alg, int bits, size_t threads)
{
    AUTO(buf_free) struct buf spki = BUF_BOUNDED(1024);
    pthread_t t[THREADS_MAX];
    struct pg *pgs[THREADS_MAX] = { NULL };
    double raw, before, used, server, wall;
    char set[37];
    utime begun;

    pki_world_begin(&w, NOW);
    rand_uuid(set);
    ca.key = pki_key_make(alg, bits);
    key_spki(ca.key, &spki);
    if (key_public(buf_view(&spki), &ca.public_key, &w.why) != OK)
        exit(1);
    pki_ca_make(&w, "soft", ca.key, "sealed:/nowhere", set, 0, &ca.ca);
    requests_make();
    raw = raw_rate();
    for (size_t i = 0; i < threads; i++)     /* the signer opens its connections when it starts */
        if (pg_open(&w.conf, &pgs[i], &w.why) != OK) {
            fprintf(stderr, "%s\n", w.why.text);
            exit(1);
        }
    atomic_store(&next, 0);
    before = cpu();
    server = cpu_of_server();
    begun = clock_monotonic();
    for (size_t i = 0; i < threads; i++)
        pthread_create(&t[i], NULL, work, pgs[i]);
    for (size_t i = 0; i < threads; i++)
        pthread_join(t[i], NULL);
    wall = (double)(clock_monotonic() - begun) / 1e6;
    used = cpu() - before;
    server = cpu_of_server() - server;
    printf("%-9s %zu certificates, %zu threads, %zu at a time: %.0f/s; CPU each: %.0f us ours, %.0f us PostgreSQL, %.0f/s and core; "
           "raw %.0f signatures/s of CPU: %.2f of it by our CPU\n", name, n, threads, batch, (double)n / wall, used / (double)n * 1e6,
           server / (double)n * 1e6, (double)n / (used + server), raw, (double)n / used / raw);
    for (size_t i = 0; i < threads; i++)
        pg_close(pgs[i]);
    if (atomic_load(&failed) > 0)
        exit(1);
    key_free(ca.key);
    key_free(ca.public_key);
    pki_world_end(&w);
}

int
main(int argc, char **argv)
{
    char folder[] = "/tmp/beffroi-bench.XXXXXX", path[64];
    size_t threads = 16;

    if (argc > 1)
        n = (size_t)strtoul(argv[1], NULL, 10);
    if (argc > 2)
        threads = (size_t)strtoul(argv[2], NULL, 10);
    if (argc > 4)
        batch = (size_t)strtoul(argv[4], NULL, 10);
    if (n == 0 || threads == 0 || batch == 0 || batch > ISSUE_BATCH_MAX || threads > THREADS_MAX || mkdtemp(folder) == NULL)
        return 2;
    ids = calloc(n, sizeof(*ids));
    snprintf(path, sizeof(path), "%s/field", folder);
    if (keyring_create(path, &w.why) != OK || keyring_load(path, &field, &w.why) != OK ||
        profile_set_load(SOURCE_DIR "/pki/profiles", &profiles, &w.why) != OK)
        return 1;
    x = (struct issue_context){ .profiles = &profiles, .field = field, .base_url = "http://pki.example", .clock = &guard,
                                .cas = &ca, .ncas = 1, .actor = "signer" };
    if (argc < 4 || strcmp(argv[3], "P-256") == 0)
        measure("P-256", KEY_P256, 0, threads);
    if (argc < 4 || strcmp(argv[3], "RSA-3072") == 0)
        measure("RSA-3072", KEY_RSA, 3072, threads);
    snprintf(path, sizeof(path), "%s/field/v1", folder);
    unlink(path);
    snprintf(path, sizeof(path), "%s/field", folder);
    rmdir(path);
    rmdir(folder);
    keyring_free(field);
    profile_set_free(&profiles);
    free(ids);
    return 0;
}
