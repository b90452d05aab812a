/*
 * the status process, as its relying parties see it: `openssl ocsp`, `openssl crl` and a socket. Its responder is certified by
 * the real signer. Then the bad days: a forged list, a restored database, a full disk, a kill, a start without a database.
 */
#include "tests/integration/pki_authority.h"
#include "tests/unit/tool.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/program/command.h"
#include "base/program/keyfolder.h"
#include "pki/authority/crl.h"
#include "pki/ceremony/root_list.h"
#include "pki/pki.h"
#include "pki/client/client.h"

#define PATIENCE (60 * USEC_PER_SEC)
#define WAIT_MAX (30 * USEC_PER_SEC)     /* for what comes within a second on a machine that has nothing else to do */
#define BASE "http://pki.example"
#define REGISTRATION "00000000-0000-4000-8000-000000000001"

static const struct pg_stmts *const list_stmts[] = { &audit_stmts, &ca_stmts, &crl_stmts, NULL };

struct fixture {
    struct pki_world w;
    struct tool_folder folder;
    char config[96], socket[96], set[37], url[64];
    int port;
    struct secret s;
    struct share shares[2];
    struct keyring *field;
    struct profile_set profiles;
    struct key *root_key, *cards_key, *soft_key;
    struct ca root, cards, soft;
    pid_t signer, status;
    struct signer_client *client;
    struct pg_config conf;
    struct pg *pg;                   /* that makes lists */
    PGconn *op;
    utime list_at;
    struct buf head, body;           /* of the last answer over HTTP */
};

/* --- small helpers -------------------------------------------------------------------------------------------------------- */

static void
sql(struct fixture *f, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void
sql(struct fixture *f, const char *fmt, ...)
{
    char text[2000];
    PGresult *r;
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    r = PQexec(f->op, text);
    if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK)
        fail_msg("%s: %s", text, PQerrorMessage(f->op));
    PQclear(r);
}

static int64_t
sql_number(struct fixture *f, const char *text)
{
    PGresult *r = PQexec(f->op, text);
    int64_t n;

    if (PQresultStatus(r) != PGRES_TUPLES_OK || PQntuples(r) != 1)
        fail_msg("%s: %s", text, PQerrorMessage(f->op));
    n = strtoll(PQgetvalue(r, 0, 0), NULL, 10);
    PQclear(r);
    return n;
}

static const char *
path(struct fixture *f, const char *name)
{
    return arena_printf(f->w.a, "%s/%s", f->folder.path, name);
}

static void
pem_write(struct fixture *f, const char *name, const struct str *ders, size_t n)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(1 << 20), base64 = BUF_BOUNDED(1 << 20);

    for (size_t k = 0; k < n; k++) {
        buf_reset(&base64);
        base64_encode(&base64, ders[k].p, ders[k].n);
        buf_adds(&text, "-----BEGIN CERTIFICATE-----\n");
        for (size_t i = 0; i < base64.len; i += 64)
            buf_addf(&text, "%.*s\n", (int)(base64.len - i < 64 ? base64.len - i : 64), base64.data + i);
        buf_adds(&text, "-----END CERTIFICATE-----\n");
    }
    tool_write(&f->folder, name, buf_view(&text));
}

static void
pause_short(void)
{
    usleep(50 * 1000);
}

/* --- HTTP ------------------------------------------------------------------------------------------------------------------- */

/* Below those that the kernel gives to clients: it is still free when the process was stopped and starts again. */
static int
port_free(void)
{
    for (int i = 0; i < 1000; i++) {
        const int port = 10000 + (int)rand_below(20000);
        const struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) }, .sin_port = htons((uint16_t)port) };
        const int fd = socket(AF_INET, SOCK_STREAM, 0);
        const bool good = bind(fd, (const struct sockaddr *)&at, sizeof(at)) == 0;

        close(fd);
        if (good)
            return port;
    }
    fail_msg("no free port");
    return 0;
}

/* The status of the answer, whose head and body are then in f; 0: nobody answers. */
static int
http(struct fixture *f, const char *request_line, const char *headers, struct str body)
{
    AUTO(buf_free) struct buf out = BUF_BOUNDED(1 << 20);
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) }, .sin_port = htons((uint16_t)f->port) };
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    char block[65536];
    const char *end;
    ssize_t n;

    buf_reset(&f->head);
    buf_reset(&f->body);
    if (connect(fd, (struct sockaddr *)&at, sizeof(at)) != 0) {
        close(fd);
        return 0;
    }
    buf_addf(&out, "%s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n%s", request_line, headers);
    if (body.p != NULL)
        buf_addf(&out, "Content-Length: %zu\r\n", body.n);
    buf_adds(&out, "\r\n");
    buf_add_str(&out, body);
    assert_int_equal(send(fd, out.data, out.len, MSG_NOSIGNAL), (ssize_t)out.len);
    while ((n = recv(fd, block, sizeof(block), 0)) > 0)
        buf_add(&f->head, block, (size_t)n);
    close(fd);
    if (f->head.len == 0)
        return 0;
    if ((end = strstr(buf_cstr(&f->head), "\r\n\r\n")) == NULL)
        fail_msg("no end of the head: %s", f->head.data);
    buf_add(&f->body, end + 4, f->head.len - (size_t)(end + 4 - f->head.data));
    buf_truncate(&f->head, (size_t)(end - f->head.data));
    return (int)strtol(f->head.data + 9, NULL, 10);
}

static int
get(struct fixture *f, const char *what, const char *headers)
{
    return http(f, arena_printf(f->w.a, "GET %s", what), headers, STR_NULL);
}

/* The value of a header of the last answer, "" when it has none. */
static const char *
header(struct fixture *f, const char *name)
{
    struct str rest = buf_view(&f->head);

    while (rest.n > 0) {
        struct str value, line = str_split(rest, '\n', &rest);
        const struct str n = str_split(line, ':', &value);

        if (value.p != NULL && str_ieqs(n, name))
            return arena_str(f->w.a, str_trim(value));
    }
    return "";
}

/* --- processes ---------------------------------------------------------------------------------------------------------------- */

/* The configuration is that of status; the signer is told its own database. */
static pid_t
spawn(struct fixture *f, const char *command)
{
    const char *database = arena_printf(f->w.a, "host=%s port=%s dbname=test user=pki_%s options='-c search_path=pki'",
                                        getenv("PGHOST"), getenv("PGPORT"), command);
    const char *log = path(f, arena_printf(f->w.a, "%s.log", command));
    const pid_t pid = fork();

    if (pid == 0) {
        const int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);

        signal(SIGXFSZ, SIG_IGN);        /* a full disk sends none */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(fd, 2);
        execl(PKI_BIN, "beffroi-pki", command, "--config", f->config, "--database", database, (char *)NULL);
        _exit(127);
    }
    return pid;
}

static void
ended(struct fixture *f, pid_t *pid, const char *command)
{
    if (waitpid(*pid, NULL, WNOHANG) == *pid) {
        AUTO(buf_free) struct buf out = BUF_BOUNDED(1 << 16);

        *pid = 0;
        TOOL(true, &out, "tail", "-n", "5", path(f, command));
        fail_msg("%s ended: %s", command, buf_cstr(&out));
    }
}

static void
status_start(struct fixture *f)
{
    f->status = spawn(f, "status");
    for (utime until = clock_monotonic() + WAIT_MAX; get(f, "/health/live", "") != 200; pause_short()) {
        ended(f, &f->status, "status.log");
        if (clock_monotonic() > until)
            fail_msg("status does not answer");
    }
}

static void
process_end(pid_t *pid, int signal)
{
    int status;

    kill(*pid, signal);
    assert_int_equal(waitpid(*pid, &status, 0), *pid);
    *pid = 0;
    if (signal == SIGTERM)
        assert_int_equal(status, 0);
}

static void
signer_start(struct fixture *f)
{
    AUTO(buf_free) struct buf state = BUF_BOUNDED(4096);
    int missing = 2;

    f->signer = spawn(f, "signer");
    for (utime until = clock_monotonic() + WAIT_MAX; signer_status(f->client, &state, NULL) != OK; pause_short()) {
        ended(f, &f->signer, "signer.log");
        if (clock_monotonic() > until)
            fail_msg("the signer does not answer");
    }
    for (size_t i = 0; i < 2; i++)
        assert_ok(signer_share(f->client, &f->shares[i], &missing, &f->w.why), &f->w.why);
    assert_int_equal(missing, 0);
}

/* The database is away for the status process, and comes back. */
static void
database(struct fixture *f, bool there)
{
    sql(f, "ALTER ROLE pki_status %s", there ? "LOGIN" : "NOLOGIN");
    if (!there)
        sql(f, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'pki_status'");
}

/* --- the authority -------------------------------------------------------------------------------------------------------------- */

static const char *
key_seal(struct fixture *f, const char *name, const struct key *key)
{
    AUTO(buf_free) struct buf sealed = BUF_BOUNDED(VAULT_TEXT_MAX);

    assert_ok(vault_seal(&f->s, f->set, arena_printf(f->w.a, "%s/1", name), key, &sealed, &f->w.why), &f->w.why);
    tool_write(&f->folder, arena_printf(f->w.a, "%s.key", name), buf_view(&sealed));
    assert_int_equal(chmod(f->folder.name, 0400), 0);
    return arena_printf(f->w.a, "sealed:%s", f->folder.name);
}

static void
custodians_make(struct fixture *f)
{
    rand_uuid(f->set);
    secret_random(&f->s, ACTIVATION_LEN);
    for (size_t i = 0; i < 2; i++) {
        struct custodian c = { .number = (int)i + 1, .threshold = 2, .total = 2 };

        snprintf(f->shares[i].info.person, sizeof(f->shares[i].info.person), "%s", f->w.humans[i].name);
        memcpy(c.set_id, f->set, sizeof(c.set_id));
        memcpy(c.person, f->w.humans[i].id, sizeof(c.person));
        assert_ok(custodian_add(f->w.pg, &c, f->w.now, &f->w.why), &f->w.why);
    }
    assert_ok(share_split(&f->s, f->set, 2, 2, f->shares, &f->w.why), &f->w.why);
}

static void
config_write(struct fixture *f)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(8192);
    const struct passwd *me = getpwuid(getuid());
    const struct group *mine = getgrgid(getgid());
    const char *host = getenv("PGHOST"), *port = getenv("PGPORT");

    assert_true(me != NULL && mine != NULL);
    buf_addf(&text, "environment = test\nbase_url = " BASE "\nname = here\nmigrations = %s/migrations/pki\nprofiles = profiles\n"
             "keys = keys\nclock.file = clock\nsigner.socket = %s\nsigner.issuers = %s\nsigner.custodians = %s\nsigner.threads = 2\n",
             SOURCE_DIR, f->socket, me->pw_name, mine->gr_name);
    buf_addf(&text, "status.listen = 127.0.0.1:%d\nstatus.folder = status\nocsp.stale_max = 1h\nocsp.life = 10min\n", f->port);
    buf_addf(&text, "database.worker = host=%s port=%s dbname=test user=pki_worker options='-c search_path=pki'\n", host, port);
    buf_addf(&text, "database.owner = %s\ndatabase = host=%s port=%s dbname=test user=pki_status options='-c search_path=pki'\n",
             f->w.conninfo, host, port);
    tool_write(&f->folder, "pki.conf", buf_view(&text));
}

/* Ends with the responder's certificate at work. */
static int
setup(void **state)
{
    static const struct subject responder = { .common_name = STR_LIT("Beffroi OCSP") };
    struct fixture *f = calloc(1, sizeof(*f));
    AUTO(buf_free) struct buf out = BUF_BOUNDED(4096);
    struct pki_authority root, cards, soft;

    tool_folder_make(&f->folder);
    assert_int_equal(chmod(f->folder.path, 0711), 0);
    pki_world_begin(&f->w, utime_seconds(clock_now()) * USEC_PER_SEC);
    f->head = f->body = (struct buf)BUF_BOUNDED(64 << 20);
    snprintf(f->config, sizeof(f->config), "%s/pki.conf", f->folder.path);
    snprintf(f->socket, sizeof(f->socket), "%s/signer", f->folder.path);
    f->port = port_free();
    snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%d/ocsp", f->port);
    f->op = operator_open("options='-c search_path=pki'");
    f->conf = (struct pg_config){ .conninfo = f->w.conninfo, .stmts = list_stmts, .schema = "pki", .schema_min = 1, .schema_max = 99 };
    assert_ok(pg_open(&f->conf, &f->pg, &f->w.why), &f->w.why);
    assert_int_equal(TOOL(true, &out, "cp", "-r", SOURCE_DIR "/pki/profiles", path(f, "profiles")), 0);
    assert_int_equal(TOOL(true, &out, "sh", "-c", arena_printf(f->w.a, "echo crl.reasons = yes >> %s/profiles/server.profile",
                                                               f->folder.path)), 0);
    assert_ok(profile_set_load(path(f, "profiles"), &f->profiles, &f->w.why), &f->w.why);
    assert_ok(keyfolder_init(path(f, "keys"), pki_key_files, pki_key_nfiles, f->w.now, &f->w.why), &f->w.why);
    assert_ok(keyring_load(path(f, "keys/field"), &f->field, &f->w.why), &f->w.why);
    config_write(f);
    custodians_make(f);
    f->root_key = pki_key_make(KEY_P256, 0);
    f->cards_key = pki_key_make(KEY_P256, 0);
    f->soft_key = pki_key_make(KEY_P256, 0);
    root = (struct pki_authority){ "root", "root-ca", f->root_key, "offline", 1, f->set, BASE };
    cards = (struct pki_authority){ "cards", "issuing-ca", f->cards_key, key_seal(f, "cards", f->cards_key), 1, f->set, BASE };
    soft = (struct pki_authority){ "soft", "issuing-ca", f->soft_key, key_seal(f, "soft", f->soft_key), 2, f->set, BASE };
    pki_authority_make(&f->w, &f->profiles, &root, f->root_key, NULL, &f->root);
    pki_authority_make(&f->w, &f->profiles, &cards, f->root_key, &f->root, &f->cards);
    pki_authority_make(&f->w, &f->profiles, &soft, f->root_key, &f->root, &f->soft);
    pem_write(f, "cas.pem", (const struct str[]){ f->root.certificate, f->cards.certificate, f->soft.certificate }, 3);
    pem_write(f, "cards.pem", &f->cards.certificate, 1);
    pem_write(f, "soft.pem", &f->soft.certificate, 1);
    sql(f, "REVOKE INSERT ON crl FROM pki_signer");                  /* it certifies responders; lists are made here */
    sql(f, "INSERT INTO registration (id, profile, holder, support, proof, state, made_at) VALUES ('" REGISTRATION "', 'p', 'h', "
           "'card', 'none', 'open', '2026-01-01')");
    for (size_t i = 0; i < 2; i++)
        (void)pki_registration_make(&f->w, f->field, "responder", i == 0 ? "cards/here" : "soft/here", &responder, SUPPORT_SOFTWARE,
                                    PROOF_NONE);
    f->client = signer_client_new(f->socket, PATIENCE);
    f->list_at = f->w.now;
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_free) struct buf out = BUF_BOUNDED(4096);

    if (f->signer > 0)
        process_end(&f->signer, SIGKILL);
    if (f->status > 0)
        process_end(&f->status, SIGKILL);
    PQfinish(f->op);
    operator_run("ALTER ROLE pki_status LOGIN", NULL, 0);
    signer_client_free(f->client);
    for (size_t i = 0; i < 2; i++)
        share_done(&f->shares[i]);
    secret_done(&f->s);
    keyring_free(f->field);
    profile_set_free(&f->profiles);
    key_free(f->root_key);
    key_free(f->cards_key);
    key_free(f->soft_key);
    buf_free(&f->head);
    buf_free(&f->body);
    pg_close(f->pg);
    pki_world_end(&f->w);
    TOOL(true, &out, "rm", "-rf", "--", f->folder.path);
    free(f);
    return 0;
}

/* --- certificates and lists --------------------------------------------------------------------------------------------------- */

/* A certificate; its serial number in hexadecimal. */
static const char *
certificate_insert(struct fixture *f, const struct ca *ca, const char *profile, const char *state)
{
    AUTO(buf_free) struct buf hex = BUF_BOUNDED(64);
    unsigned char serial[SERIAL_LEN];

    certificate_serial_draw(serial);
    hex_encode(&hex, serial, sizeof(serial));
    sql(f, "INSERT INTO certificate (id, ca_id, serial, shard, state, state_since, registration_id, profile, profile_sha256, "
           "spki_sha256, not_before, not_after) VALUES (gen_random_uuid(), %d, '\\x%s', 0, '%s', clock_timestamp(), '" REGISTRATION
           "', '%s', sha256('p'), sha256('\\x%s'), clock_timestamp() - interval '1 day', clock_timestamp() + interval '1 year')",
        ca->id, buf_cstr(&hex), state, profile, buf_cstr(&hex));
    return arena_strdup(f->w.a, buf_cstr(&hex));
}

static const char *
certificate_make(struct fixture *f, const struct ca *ca, const char *profile)
{
    return certificate_insert(f, ca, profile, "active");
}

static const char *
certificate_reserve(struct fixture *f, const struct ca *ca, const char *profile)
{
    return certificate_insert(f, ca, profile, "reserved");
}

static void
certificate_set(struct fixture *f, const char *serial, const char *state, int reason)
{
    sql(f, "UPDATE certificate SET state = '%s', state_since = clock_timestamp(), reason = nullif(%d, 0), "
           "revoked_at = CASE WHEN %d > 0 THEN date_trunc('second', clock_timestamp()) END WHERE serial = '\\x%s'", state, reason, reason, serial);
}

/* Full and delta lists of one part, as the signer makes them; the number. */
static int64_t
part_make(struct fixture *f, const struct ca *ca, struct key *key, int shard, bool full, bool delta)
{
    struct crl_order order = { .ca_id = ca->id, .shard = shard, .full = full, .delta = delta, .base_url = BASE, .profiles = &f->profiles, .actor = "test" };
    struct crl_made made;
    int64_t number;

    order.now = clock_now() > f->list_at ? clock_now() : f->list_at;
    f->list_at = order.now;
    assert_ok(crl_make(f->pg, &order, key, &made, &f->w.why), &f->w.why);
    number = made.number;
    crl_made_done(&made);
    return number;
}

static int64_t
lists_make(struct fixture *f, const struct ca *ca, struct key *key, bool full, bool delta)
{
    return part_make(f, ca, key, 0, full, delta);
}

static void
root_list_make(struct fixture *f, int64_t number)
{
    AUTO(buf_free) struct buf der = BUF_BOUNDED(ROOT_LIST_MAX);
    struct root_list l = { .issuer = f->root.subject, .issuer_key_id = f->root.key_id, .number = number, .this_update = f->w.now,
                           .next_update = f->w.now + 30 * DAY, .issuer_not_before = f->root.not_before,
                           .issuer_not_after = f->root.not_after };

    assert_ok(root_list_sign(&l, f->root_key, &der, &f->w.why), &f->w.why);
    assert_ok(ca_root_list_put(f->pg, &(struct ca_root_list){ .ca_id = f->root.id, .number = number, .this_update = l.this_update,
                               .next_update = l.next_update, .der = buf_view(&der) }, f->w.now, &f->w.why), &f->w.why);
}

/* Waits until the list of that name has that number, by `openssl crl`, which verifies it too. */
static void
list_wait(struct fixture *f, const char *name, int64_t number)
{
    for (utime until = clock_monotonic() + WAIT_MAX;; pause_short()) {
        AUTO(buf_free) struct buf out = BUF_BOUNDED(1 << 16);

        if (get(f, arena_printf(f->w.a, "/crl/%s", name), "") == 200) {
            tool_write(&f->folder, "list.der", buf_view(&f->body));
            if (TOOL(true, &out, "openssl", "crl", "-inform", "DER", "-in", path(f, "list.der"), "-noout", "-crlnumber", "-CAfile",
                     path(f, "cas.pem")) != 0 || strstr(buf_cstr(&out), "verify OK") == NULL)
                fail_msg("%s: %s", name, buf_cstr(&out));
            if (strtoll(strstr(out.data, "crlNumber=0x") + 12, NULL, 16) == number)
                return;
        }
        if (clock_monotonic() > until)
            fail_msg("%s has not number %" PRId64 ": %s", name, number, buf_cstr(&out));
    }
}

/* What `openssl ocsp` says of a certificate; verified. more: further words, NULL-ended, at most 4. */
static void
ocsp_ask(struct fixture *f, const char *issuer, const char *serial, const char *more, struct buf *out)
{
    const char *hex = arena_printf(f->w.a, "0x%s", serial);
    int status;

    buf_reset(out);
    status = TOOL(true, out, "openssl", "ocsp", "-url", f->url, "-CAfile", path(f, "cas.pem"), more, "-issuer", path(f, issuer),
                  "-serial", hex, "-resp_text");
    if (status != 0 && strstr(buf_cstr(out), "Responder Error") == NULL)
        fail_msg("openssl ocsp: %s", buf_cstr(out));
}

static void
ocsp_wait(struct fixture *f, const char *issuer, const char *serial, const char *want)
{
    AUTO(buf_free) struct buf out = BUF_BOUNDED(1 << 16);
    const utime until = clock_monotonic() + WAIT_MAX;

    for (;; pause_short()) {
        ocsp_ask(f, issuer, serial, "-no_nonce", &out);
        if (strstr(buf_cstr(&out), want) != NULL) {
            if (strstr(out.data, "Responder Error") == NULL)
                assert_non_null(strstr(out.data, "Response verify OK"));
            return;
        }
        if (clock_monotonic() > until)
            fail_msg("not \"%s\": %s", want, out.data);
    }
}

/* An OCSP request as `openssl ocsp` writes it. */
static void
ocsp_request(struct fixture *f, const char *issuer, const char *serial, const char *hash, struct buf *der)
{
    AUTO(buf_free) struct buf out = BUF_BOUNDED(4096);

    buf_reset(der);
    if (TOOL(true, &out, "openssl", "ocsp", "-no_nonce", hash, "-issuer", path(f, issuer), "-serial",
             arena_printf(f->w.a, "0x%s", serial), "-reqout", path(f, "request.der")) != 0 ||
        command_read_file(path(f, "request.der"), der, &f->w.why) != OK)
        fail_msg("request: %s", buf_cstr(&out));
}

static int
post(struct fixture *f, struct str body)
{
    return http(f, "POST /ocsp", "Content-Type: application/ocsp-request\r\n", body);
}

static void
body_is(struct fixture *f, const char *octets, size_t n)
{
    if (f->body.len != n || memcmp(f->body.data, octets, n) != 0)
        fail_msg("another answer, of %zu octets", f->body.len);
}
#define MALFORMED "\x30\x03\x0a\x01\x01"
#define TRY_LATER "\x30\x03\x0a\x01\x03"
#define SUCCESSFUL "\x0a\x01\x00\xa0"

/* --- tests ---------------------------------------------------------------------------------------------------------------------- */

/* Lists: offered within a second, with what caches need, in the table of what was published. */
static void
lists(void **state)
{
    struct fixture *f = *state;
    const char *etag, *modified;
    int64_t number;

    status_start(f);
    assert_int_equal(get(f, "/crl/cards-g1.crl", ""), 404);
    (void)certificate_make(f, &f->cards, "citizen-card");
    number = lists_make(f, &f->cards, f->cards_key, true, false);
    list_wait(f, "cards-g1.crl", number);
    assert_string_equal(header(f, "Content-Type"), "application/pkix-crl");
    assert_non_null(strstr(header(f, "Cache-Control"), "max-age=600, public"));
    etag = header(f, "ETag");
    modified = header(f, "Last-Modified");
    assert_int_equal(strlen(etag), 34);
    assert_int_equal(strlen(modified), 29);
    assert_int_equal(strlen(header(f, "Expires")), 29);
    assert_int_equal(get(f, "/crl/cards-g1.crl", arena_printf(f->w.a, "If-None-Match: \"x\", %s\r\n", etag)), 304);
    assert_int_equal(f->body.len, 0);
    assert_int_equal(get(f, "/crl/cards-g1.crl", "If-None-Match: \"x\"\r\n"), 200);
    assert_int_equal(get(f, "/crl/cards-g1.crl", arena_printf(f->w.a, "If-Modified-Since: %s\r\n", modified)), 304);
    assert_int_equal(http(f, "HEAD /crl/cards-g1.crl", "", STR_NULL), 200);
    assert_int_equal(f->body.len, 0);
    assert_string_not_equal(header(f, "Content-Length"), "0");
    number = lists_make(f, &f->cards, f->cards_key, false, true);
    list_wait(f, "cards-g1-delta.crl", number);
    number = lists_make(f, &f->cards, f->cards_key, true, true);
    list_wait(f, "cards-g1.crl", number);
    assert_string_not_equal(header(f, "ETag"), etag);
    list_wait(f, "cards-g1-delta.crl", number);
    assert_int_equal(get(f, "/crl/..%2fstates", ""), 404);
    assert_int_equal(get(f, "/crl/soft-g1-0.crl", ""), 404);
    /* parts, each under its own name; and that of a root, from a ceremony */
    list_wait(f, "soft-g1-0.crl", part_make(f, &f->soft, f->soft_key, 0, true, false));
    list_wait(f, "soft-g1-1.crl", part_make(f, &f->soft, f->soft_key, 1, true, false));
    root_list_make(f, 7);
    list_wait(f, "root-g1.crl", 7);
    for (utime until = clock_monotonic() + WAIT_MAX;
         sql_number(f, "SELECT count(*) FROM crl_published WHERE node = 'here/status'") < 7; pause_short())
        assert_true(clock_monotonic() < until);

    assert_int_equal(get(f, "/ca/cards-g1.cer", ""), 200);
    assert_string_equal(header(f, "Content-Type"), "application/pkix-cert");
    body_is(f, f->cards.certificate.p, f->cards.certificate.n);
    assert_int_equal(get(f, "/ca/root-g1.cer", ""), 200);
    body_is(f, f->root.certificate.p, f->root.certificate.n);
    assert_int_equal(get(f, "/ca/none-g1.cer", ""), 404);
    assert_int_equal(http(f, "POST /ca/root-g1.cer", "", STR_LIT("x")), 405);
}

/* Before a responder has a certificate: tryLater. Then each status, each way to ask. */
static void
ocsp(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_free) struct buf out = BUF_BOUNDED(1 << 16);
    const char *good = certificate_make(f, &f->cards, "citizen-card"), *card = certificate_make(f, &f->cards, "citizen-card"),
               *server = certificate_make(f, &f->cards, "server"), *other = certificate_make(f, &f->soft, "citizen-soft");
    utime began;

    ocsp_ask(f, "cards.pem", good, "-no_nonce", &out);
    assert_non_null(strstr(out.data, "Responder Error: trylater"));
    signer_start(f);
    ocsp_wait(f, "cards.pem", good, ": good");
    assert_int_equal(get(f, "/health/ready", ""), 200);
    ocsp_wait(f, "soft.pem", other, ": good");
    ocsp_ask(f, "cards.pem", good, "-nonce", &out);
    assert_non_null(strstr(out.data, "OCSP Nonce"));
    assert_null(strstr(out.data, "WARNING: no nonce"));
    assert_non_null(strstr(out.data, "Archive Cutoff"));
    ocsp_ask(f, "cards.pem", good, "-sha256", &out);
    assert_non_null(strstr(out.data, ": good"));
    /* never issued; and that of another authority under ours */
    ocsp_ask(f, "cards.pem", "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a", "-no_nonce", &out);
    assert_non_null(strstr(out.data, ": unknown"));
    ocsp_ask(f, "cards.pem", other, "-no_nonce", &out);
    assert_non_null(strstr(out.data, ": unknown"));

    certificate_set(f, card, "held", 6);
    ocsp_wait(f, "cards.pem", card, "Reason: certificateHold");
    certificate_set(f, card, "active", 0);
    ocsp_wait(f, "cards.pem", card, ": good");
    began = clock_monotonic();
    certificate_set(f, card, "revoked", 1);
    ocsp_wait(f, "cards.pem", card, ": revoked");
    print_message("revoked to visible, openssl started: %" PRId64 " ms\n", (clock_monotonic() - began) / 1000);
    ocsp_ask(f, "cards.pem", card, "-no_nonce", &out);
    assert_null(strstr(out.data, "Reason"));                         /* the profile hides it */
    certificate_set(f, server, "revoked", 1);
    ocsp_wait(f, "cards.pem", server, "Reason: keyCompromise");
    /* one whose transaction was open while others went by is not missed */
    sql(f, "BEGIN");
    certificate_set(f, good, "held", 6);
    {
        PGconn *second = operator_open("options='-c search_path=pki'");
        PGconn *first = f->op;
        const char *later;

        f->op = second;
        later = certificate_make(f, &f->cards, "citizen-card");
        ocsp_wait(f, "cards.pem", later, ": good");
        ocsp_wait(f, "cards.pem", good, ": good");
        f->op = first;
        PQfinish(second);
    }
    sql(f, "COMMIT");
    ocsp_wait(f, "cards.pem", good, "Reason: certificateHold");
    certificate_set(f, good, "active", 0);
    ocsp_wait(f, "cards.pem", good, ": good");
}

/* GET as RFC 5019 has it, with slashes escaped or not; what is no request; sizes. */
static void
ocsp_by_get(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_free) struct buf der = BUF_BOUNDED(8192), base64 = BUF_BOUNDED(8192), escaped = BUF_BOUNDED(8192), first = BUF_BOUNDED(8192);
    AUTO(buf_free) struct buf large = BUF_BOUNDED(16384);
    const char *serial = NULL, *etag;
    bool slash = false;

    /* a serial number whose request has a slash in base64 */
    while (!slash) {
        serial = certificate_make(f, &f->cards, "citizen-card");
        ocsp_request(f, "cards.pem", serial, "-sha1", &der);
        buf_reset(&base64);
        base64_encode(&base64, der.data, der.len);
        slash = strchr(buf_cstr(&base64), '/') != NULL;
    }
    ocsp_wait(f, "cards.pem", serial, ": good");
    url_encode(&escaped, buf_view(&base64));
    assert_null(strchr(buf_cstr(&escaped), '/'));
    assert_int_equal(get(f, arena_printf(f->w.a, "/ocsp/%s", escaped.data), ""), 200);
    assert_string_equal(header(f, "Content-Type"), "application/ocsp-response");
    buf_add_str(&first, buf_view(&f->body));
    etag = header(f, "ETag");
    assert_int_equal(strlen(etag), 34);
    assert_int_equal(strlen(header(f, "Last-Modified")), 29);
    assert_int_equal(strlen(header(f, "Expires")), 29);
    assert_non_null(strstr(header(f, "Cache-Control"), "public, no-transform, must-revalidate"));
    assert_int_equal(get(f, arena_printf(f->w.a, "/ocsp/%s", base64.data), ""), 200);
    body_is(f, first.data, first.len);                               /* the one that was kept */
    assert_int_equal(get(f, arena_printf(f->w.a, "/ocsp/%s", base64.data), arena_printf(f->w.a, "If-None-Match: %s\r\n", etag)), 304);
    assert_int_equal(post(f, buf_view(&der)), 200);
    body_is(f, first.data, first.len);
    assert_string_equal(header(f, "Cache-Control"), "no-store");
    /* a change makes another answer of it */
    certificate_set(f, serial, "revoked", 4);
    ocsp_wait(f, "cards.pem", serial, ": revoked");
    assert_int_equal(get(f, arena_printf(f->w.a, "/ocsp/%s", base64.data), arena_printf(f->w.a, "If-None-Match: %s\r\n", etag)), 200);
    /* what nobody may keep: a serial number that may be given in a second */
    ocsp_request(f, "cards.pem", "5b5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a", "-sha256", &der);
    buf_reset(&base64);
    buf_reset(&escaped);
    base64_encode(&base64, der.data, der.len);
    url_encode(&escaped, buf_view(&base64));
    assert_int_equal(get(f, arena_printf(f->w.a, "/ocsp/%s", escaped.data), ""), 200);
    assert_string_equal(header(f, "Cache-Control"), "no-store");

    assert_int_equal(post(f, STR_LIT("rubbish")), 200);
    body_is(f, MALFORMED, 5);
    assert_string_equal(header(f, "Content-Type"), "application/ocsp-response");
    assert_int_equal(post(f, STR_LIT("")), 200);
    body_is(f, MALFORMED, 5);
    assert_int_equal(get(f, "/ocsp/%3f%3f", ""), 200);
    body_is(f, MALFORMED, 5);
    assert_string_equal(header(f, "Cache-Control"), "no-store");
    assert_int_equal(get(f, "/ocsp//", ""), 200);
    body_is(f, MALFORMED, 5);
    for (size_t i = 0; i < 9000; i++)
        buf_addc(&large, 'x');
    assert_int_equal(post(f, buf_view(&large)), 413);
    assert_int_equal(get(f, arena_printf(f->w.a, "/ocsp/%s", large.data), ""), 200);
    body_is(f, MALFORMED, 5);
    assert_int_equal(get(f, "/ocsp", ""), 405);
}

#define FORGE "INSERT INTO crl (ca_id, shard, number, kind, base, horizon, this_update, next_update, entries, sha256, der, made_at) "
#define REST "horizon, this_update, next_update, entries, sha256, der, made_at FROM crl "

/* Rows that somebody wrote into the table: not a list of ours, of another kind, of another number. */
static void
forged_lists(void **state)
{
    struct fixture *f = *state;
    const int64_t number = lists_make(f, &f->cards, f->cards_key, true, true);
    int64_t soft, part;

    list_wait(f, "cards-g1.crl", number);
    list_wait(f, "cards-g1-delta.crl", number);
    soft = part_make(f, &f->soft, f->soft_key, 0, true, false);
    part = sql_number(f, arena_printf(f->w.a, "SELECT max(number) FROM crl WHERE ca_id = %d AND shard = 1", f->soft.id));

    sql(f, FORGE "SELECT %d, 0, %" PRId64 ", 'full', NULL, " REST "WHERE ca_id = %d AND shard = 0 AND kind = 'full' ORDER BY number DESC "
           "LIMIT 1", f->cards.id, number + 5, f->soft.id);
    sql(f, FORGE "SELECT ca_id, shard, %" PRId64 ", 'delta', %" PRId64 ", " REST "WHERE ca_id = %d AND kind = 'full' AND number = %" PRId64,
        number + 5, number, f->cards.id, number);
    /* one part in the place of another, with a number that is higher than its own */
    assert_true(soft > part);
    sql(f, FORGE "SELECT ca_id, 1, number, kind, NULL, " REST "WHERE ca_id = %d AND shard = 0 AND kind = 'full' AND number = %" PRId64,
        f->soft.id, soft);
    list_wait(f, "soft-g1-0.crl", soft);                             /* the others go on */
    list_wait(f, "soft-g1-1.crl", part);
    for (utime until = clock_monotonic() + 2 * USEC_PER_SEC; clock_monotonic() < until; pause_short()) {
        list_wait(f, "cards-g1.crl", number);
        list_wait(f, "cards-g1-delta.crl", number);
        list_wait(f, "soft-g1-1.crl", part);
    }
    /* the same list under another number */
    sql(f, "DELETE FROM crl WHERE number = %" PRId64, number + 5);
    sql(f, FORGE "SELECT ca_id, shard, %" PRId64 ", kind, base, " REST "WHERE ca_id = %d AND kind = 'full' AND number = %" PRId64,
        number + 6, f->cards.id, number);
    for (utime until = clock_monotonic() + 2 * USEC_PER_SEC; clock_monotonic() < until; pause_short())
        list_wait(f, "cards-g1.crl", number);
    sql(f, "DELETE FROM crl WHERE number = %" PRId64, number + 6);
    list_wait(f, "cards-g1.crl", number);
    list_wait(f, "cards-g1-delta.crl", number);
    assert_int_equal(sql_number(f, arena_printf(f->w.a, "SELECT count(*) FROM crl_published WHERE ca_id = %d AND number > %" PRId64, f->cards.id, number)), 0);
    /* and a good one is taken */
    list_wait(f, "cards-g1.crl", lists_make(f, &f->cards, f->cards_key, true, false));
}

/* The database is an older copy: what was published stays, and so does what was revoked. */
static void
restored_database(void **state)
{
    struct fixture *f = *state;
    const char *serial = certificate_make(f, &f->cards, "citizen-card");
    const int64_t before = lists_make(f, &f->cards, f->cards_key, true, false);
    int64_t number;

    certificate_set(f, serial, "revoked", 1);
    ocsp_wait(f, "cards.pem", serial, ": revoked");
    number = lists_make(f, &f->cards, f->cards_key, true, false);
    list_wait(f, "cards-g1.crl", number);
    sql(f, "DELETE FROM crl WHERE ca_id = %d AND number > %" PRId64, f->cards.id, before);
    sql(f, "UPDATE crl_counter SET number = %" PRId64 " WHERE ca_id = %d", before, f->cards.id);
    sql(f, "ALTER TABLE certificate DISABLE TRIGGER certificate_final");
    certificate_set(f, serial, "active", 0);
    sql(f, "ALTER TABLE certificate ENABLE TRIGGER certificate_final");
    ocsp_wait(f, "cards.pem", certificate_make(f, &f->cards, "citizen-card"), ": good");       /* it has looked since */
    ocsp_wait(f, "cards.pem", serial, ": revoked");
    /* the number that is out there already is not offered again under another content */
    assert_int_equal(lists_make(f, &f->cards, f->cards_key, true, false), number);
    process_end(&f->status, SIGTERM);
    status_start(f);
    list_wait(f, "cards-g1.crl", number);
    ocsp_wait(f, "cards.pem", serial, ": revoked");
    sql(f, "ALTER TABLE certificate DISABLE TRIGGER certificate_final");
    certificate_set(f, serial, "revoked", 1);
    sql(f, "ALTER TABLE certificate ENABLE TRIGGER certificate_final");
    list_wait(f, "cards-g1.crl", lists_make(f, &f->cards, f->cards_key, true, false));
}

/* No room: the list before stays, in the folder and on offer; once there is room the new one comes. */
static void
full_disk(void **state)
{
    struct fixture *f = *state;
    const struct rlimit none = { 64, RLIM_INFINITY }, all = { RLIM_INFINITY, RLIM_INFINITY };
    const int64_t before = lists_make(f, &f->cards, f->cards_key, true, true);
    const char *serial = certificate_make(f, &f->cards, "citizen-card");
    int64_t number;

    list_wait(f, "cards-g1.crl", before);
    list_wait(f, "cards-g1-delta.crl", before);
    assert_int_equal(prlimit(f->status, RLIMIT_FSIZE, &none, NULL), 0);
    certificate_set(f, serial, "held", 6);
    ocsp_wait(f, "cards.pem", serial, "Reason: certificateHold");    /* what is in memory is told */
    number = lists_make(f, &f->cards, f->cards_key, true, true);
    for (utime until = clock_monotonic() + 2 * USEC_PER_SEC; clock_monotonic() < until; pause_short()) {
        list_wait(f, "cards-g1.crl", before);
        list_wait(f, "cards-g1-delta.crl", before);
    }
    assert_int_equal(prlimit(f->status, RLIMIT_FSIZE, &all, NULL), 0);
    list_wait(f, "cards-g1.crl", number);
    list_wait(f, "cards-g1-delta.crl", number);
}

/* Killed at any moment, also while it writes: what it then offers is whole, and numbers do not go back. */
static void
killed(void **state)
{
    struct fixture *f = *state;
    int64_t number = 0;

    for (int i = 0; i < 6; i++) {
        const char *serial = certificate_make(f, &f->cards, "citizen-card");

        certificate_set(f, serial, "revoked", 1);
        number = lists_make(f, &f->cards, f->cards_key, true, true);
        usleep((useconds_t)rand_below(30000));
        process_end(&f->status, SIGKILL);
        status_start(f);
        assert_int_equal(get(f, "/crl/cards-g1.crl", ""), 200);
        list_wait(f, "cards-g1.crl", number);
        list_wait(f, "cards-g1-delta.crl", number);
        ocsp_wait(f, "cards.pem", serial, ": revoked");
    }
}

/* Away: lists and answers go on; a start without it too; after ocsp.stale_max OCSP says tryLater, and lists go on. */
static void
without_database(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_free) struct buf der = BUF_BOUNDED(8192), out = BUF_BOUNDED(4096);
    const char *good = certificate_make(f, &f->cards, "citizen-card"), *bad = certificate_make(f, &f->cards, "citizen-card");
    const int64_t number = lists_make(f, &f->cards, f->cards_key, true, false);

    certificate_set(f, bad, "revoked", 1);
    ocsp_wait(f, "cards.pem", bad, ": revoked");
    ocsp_wait(f, "cards.pem", good, ": good");
    list_wait(f, "cards-g1.crl", number);
    database(f, false);
    certificate_set(f, good, "held", 6);                             /* nobody can know */
    for (int i = 0; i < 2; i++) {
        ocsp_wait(f, "cards.pem", good, ": good");
        ocsp_wait(f, "cards.pem", bad, ": revoked");
        list_wait(f, "cards-g1.crl", number);
        assert_int_equal(get(f, "/ca/cards-g1.cer", ""), 200);
        process_end(&f->status, SIGKILL);                            /* the second time after a start without it */
        status_start(f);
    }
    ocsp_request(f, "cards.pem", good, "-sha256", &der);
    assert_int_equal(TOOL(true, &out, PKI_BIN, "clock", "--config", f->config, "--advance", "30min"), 0);
    assert_int_equal(post(f, buf_view(&der)), 200);
    assert_non_null(memmem(f->body.data, f->body.len, SUCCESSFUL, 4));
    assert_int_equal(get(f, "/health/ready", ""), 200);
    assert_int_equal(TOOL(true, &out, PKI_BIN, "clock", "--config", f->config, "--advance", "31min"), 0);
    assert_int_equal(post(f, buf_view(&der)), 200);
    body_is(f, TRY_LATER, 5);
    assert_int_equal(get(f, "/health/ready", ""), 503);
    list_wait(f, "cards-g1.crl", number);
    process_end(&f->status, SIGTERM);
    status_start(f);
    assert_int_equal(post(f, buf_view(&der)), 200);
    body_is(f, TRY_LATER, 5);
    database(f, true);
    assert_int_equal(TOOL(true, &out, PKI_BIN, "clock", "--config", f->config, "--advance", "-61min"), 0);
    ocsp_wait(f, "cards.pem", good, "Reason: certificateHold");
    assert_int_equal(get(f, "/health/ready", ""), 200);
}

static size_t
responder_keys(struct fixture *f, char *ret_name, size_t size)
{
    DIR *d = opendir(path(f, "status/ocsp"));
    const struct dirent *e;
    size_t n = 0;

    assert_non_null(d);
    while ((e = readdir(d)) != NULL)
        if (strncmp(e->d_name, "cards-g1.", 9) == 0 && strstr(e->d_name, ".key") != NULL) {
            snprintf(ret_name, size, "%s", e->d_name);
            n++;
        }
    closedir(d);
    return n;
}

/* A certificate that was issued just now, of which no notification speaks, is good at once; one that never was is not. A look that
 * takes half a second, on a machine with much else to do, is not waited for; without looks that are wanted nearly all would fail. */
static void
issued_now(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_free) struct buf out = BUF_BOUNDED(1 << 16);
    int good = 0;

    ocsp_wait(f, "cards.pem", certificate_make(f, &f->cards, "citizen-card"), ": good");
    for (int i = 0; i < 10; i++) {
        const char *serial = certificate_reserve(f, &f->cards, "citizen-card");

        sql(f, "UPDATE certificate SET state = 'issued', state_since = clock_timestamp() WHERE serial = '\\x%s'", serial);
        ocsp_ask(f, "cards.pem", serial, "-no_nonce", &out);
        good += strstr(buf_cstr(&out), ": good") != NULL;
    }
    assert_in_range(good, 6, 10);
    ocsp_ask(f, "cards.pem", certificate_reserve(f, &f->cards, "citizen-card"), "-no_nonce", &out);
    assert_null(strstr(buf_cstr(&out), ": good"));
}

/* Two thirds of a responder's certificate are over: a new key, a new certificate, and the old key is gone. */
static void
responder_rolls(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_free) struct buf der = BUF_BOUNDED(8192), out = BUF_BOUNDED(4096);
    const char *good = certificate_make(f, &f->cards, "citizen-card");
    char before[300], after[300];
    struct stat st;

    ocsp_wait(f, "cards.pem", good, ": good");
    assert_int_equal(responder_keys(f, before, sizeof(before)), 1);
    assert_int_equal(stat(path(f, arena_printf(f->w.a, "status/ocsp/%s", before)), &st), 0);
    assert_int_equal(st.st_mode & 077, 0);
    assert_int_equal(TOOL(true, &out, PKI_BIN, "clock", "--config", f->config, "--advance", "5d"), 0);
    for (utime until = clock_monotonic() + WAIT_MAX;; pause_short()) {
        if (responder_keys(f, after, sizeof(after)) == 1 && strcmp(before, after) != 0)
            break;
        if (clock_monotonic() > until)
            fail_msg("the responder does not roll");
    }
    ocsp_request(f, "cards.pem", good, "-sha1", &der);
    assert_int_equal(post(f, buf_view(&der)), 200);
    assert_non_null(memmem(f->body.data, f->body.len, SUCCESSFUL, 4));
    /* the old lists are over, and said to be, and still what there is */
    assert_int_equal(get(f, "/crl/cards-g1.crl", ""), 200);
    assert_non_null(strstr(header(f, "Cache-Control"), "max-age=0"));
    assert_int_equal(get(f, "/health/ready", ""), 503);
    assert_int_equal(sql_number(f, "SELECT count(*) FROM node WHERE name = 'here/status' AND state LIKE 'late: %over'"), 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists), cmocka_unit_test(ocsp), cmocka_unit_test(ocsp_by_get), cmocka_unit_test(issued_now), cmocka_unit_test(forged_lists),
        cmocka_unit_test(restored_database), cmocka_unit_test(full_disk), cmocka_unit_test(killed), cmocka_unit_test(without_database),
        cmocka_unit_test(responder_rolls),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
