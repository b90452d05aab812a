/*
 * signer_support: the signer as a process, beside an authority "cards" with two custodians: what tests of it share.
 */
#ifndef TESTS_INTEGRATION_SIGNER_SUPPORT_H
#define TESTS_INTEGRATION_SIGNER_SUPPORT_H

#include "tests/integration/pki_support.h"

#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <sys/stat.h>

#include "base/program/keyfolder.h"
#include "pki/client/client.h"
#include "pki/encode/certificate.h"
#include "pki/pki.h"

#define PATIENCE (60 * USEC_PER_SEC)

struct fixture {
    struct pki_world w;
    char folder[64], config[96], socket[96], set[37];
    struct secret s;
    struct share shares[2];
    struct keyring *field;
    struct key *ca_key;
    struct ca root, cards, soft;
    pid_t signer;
    struct signer_client *client;
};

/* --- the process --------------------------------------------------------------------------------------------------------- */

static inline void
signer_start(struct fixture *f)
{
    char log[96];

    snprintf(log, sizeof(log), "%s/log", f->folder);
    if ((f->signer = fork()) == 0) {
        const int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);

        dup2(fd, 2);
        execl(PKI_BIN, "beffroi-pki", "signer", "--config", f->config, (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 600; i++) {
        AUTO(buf_free) struct buf state = BUF_BOUNDED(4096);

        if (signer_status(f->client, &state, NULL) == OK)
            return;
        if (waitpid(f->signer, NULL, WNOHANG) == f->signer)
            fail_msg("the signer ended: see %s", log);
        usleep(100 * 1000);
    }
    fail_msg("the signer does not answer");
}

static inline void
signer_end(struct fixture *f, int signal)
{
    int status;

    kill(f->signer, signal);
    assert_int_equal(waitpid(f->signer, &status, 0), f->signer);
    if (signal == SIGTERM)
        assert_int_equal(status, 0);
    f->signer = 0;
}

static inline enum err
give(struct fixture *f, size_t i, int *ret_missing)
{
    f->w.why = (struct why)WHY_INIT;
    return signer_share(f->client, &f->shares[i], ret_missing, &f->w.why);
}

static inline void
unlock(struct fixture *f)
{
    int missing = 0;

    assert_ok(give(f, 0, &missing), &f->w.why);
    assert_int_equal(missing, 1);
    assert_ok(give(f, 1, &missing), &f->w.why);
    assert_int_equal(missing, 0);
}

static inline enum err
issue(struct fixture *f, const char *id, char certificate[37])
{
    f->w.why = (struct why)WHY_INIT;
    return signer_issue(f->client, id, certificate, &f->w.why);
}

/* Waits until that query says so many; a minute at most. */
static inline void
await(const char *query, int64_t wanted)
{
    int64_t got = -1;

    for (int i = 0; i < 1200; i++) {
        if ((got = operator_count(query)) == wanted)
            return;
        usleep(50 * 1000);
    }
    fail_msg("%s: %" PRId64 " instead of %" PRId64, query, got, wanted);
}

/* Moves the clock of the signer alone: a test's process shares it with nobody. */
static inline void
clock_move(struct fixture *f, int64_t delta)
{
    char by[32];
    int status;
    pid_t child;

    snprintf(by, sizeof(by), "%" PRId64 "s", delta / USEC_PER_SEC);
    if ((child = fork()) == 0) {
        dup2(open("/dev/null", O_WRONLY), 1);
        execl(PKI_BIN, "beffroi-pki", "clock", "--config", f->config, "--advance", by, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* All sessions of the signer are gone when this returns, as with its machine. */
static inline void
signer_kill(struct fixture *f)
{
    signer_end(f, SIGKILL);
    operator_run("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename IN ('pki_signer', 'pki_worker')", NULL, 0);
    await("SELECT count(*) FROM pg_stat_activity WHERE usename IN ('pki_signer', 'pki_worker')", 0);
}

/* --- the fixture ----------------------------------------------------------------------------------------------------------- */

static inline void
file_put(const char *path, struct str text, mode_t mode)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);

    assert_true(fd >= 0 && write(fd, text.p, text.n) == (ssize_t)text.n);
    close(fd);
}

static inline void
config_write_as(struct fixture *f, const char *environment)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(8192);
    const struct passwd *me = getpwuid(getuid());
    const struct group *mine = getgrgid(getgid());
    const char *host = getenv("PGHOST"), *port = getenv("PGPORT");

    assert_true(me != NULL && mine != NULL);
    if (strcmp(environment, "production") != 0)
        buf_addf(&text, "clock.file = %s/clock\n", f->folder);
    buf_addf(&text, "environment = %s\nbase_url = http://pki.example\nname = test\nmigrations = %s/migrations/pki\n"
             "profiles = %s/pki/profiles\nkeys = %s/keys\nsigner.socket = %s\nsigner.issuers = %s\nsigner.custodians = %s\n"
             "signer.threads = 6\nsigner.published = %s/published\n", environment, SOURCE_DIR, SOURCE_DIR, f->folder, f->socket,
             me->pw_name, mine->gr_name, f->folder);
    buf_addf(&text, "database = host=%s port=%s dbname=test user=pki_signer options='-c search_path=pki'\n", host, port);
    buf_addf(&text, "database.worker = host=%s port=%s dbname=test user=pki_worker options='-c search_path=pki'\n", host, port);
    buf_addf(&text, "database.owner = %s\n", f->w.conninfo);
    file_put(f->config, buf_view(&text), 0600);
}

static inline void
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

/* A certificate of the authority with which its lists can be verified; signed by itself. */
static inline void
ca_certificate_make(struct fixture *f, struct ca *ca, struct key *key)
{
    AUTO(buf_free) struct buf tbs = BUF_BOUNDED(CERTIFICATE_MAX), sig = BUF_BOUNDED(1024), der = BUF_BOUNDED(CERTIFICATE_MAX),
                           hex = BUF_BOUNDED(2 * CERTIFICATE_MAX);
    struct certificate_input in = { .serial = ca->serial, .issuer = ca->subject, .issuer_key_id = ca->key_id,
                                    .subject = ca->subject, .spki = ca->spki, .sig_alg = key_default_alg(key),
                                    .not_before = ca->not_before, .not_after = ca->not_after,
                                    .urls = { STR_LIT("http://pki.example/crl/root-g1.crl"), STR_NULL, STR_NULL,
                                              STR_LIT("http://pki.example/ca/root-g1.cer") } };
    struct profile_set profiles;

    assert_ok(profile_set_load(SOURCE_DIR "/pki/profiles", &profiles, &f->w.why), &f->w.why);
    in.profile = profile_set_find(&profiles, STR_LIT("issuing-ca"));
    assert_ok(certificate_tbs_encode(&in, &tbs, &f->w.why), &f->w.why);
    assert_ok(key_sign(key, KEY_CA_SIGN, in.sig_alg, buf_view(&tbs), false, &sig, &f->w.why), &f->w.why);
    assert_ok(certificate_assemble(buf_view(&tbs), in.sig_alg, buf_view(&sig), &der, &f->w.why), &f->w.why);
    profile_set_free(&profiles);
    hex_encode(&hex, der.data, der.len);
    operator_run(arena_printf(f->w.a, "UPDATE pki.ca SET certificate = '\\x%s' WHERE id = %d", buf_cstr(&hex), ca->id), NULL, 0);
    assert_ok(ca_by_id(f->w.pg, ca->id, f->w.a, ca, &f->w.why), &f->w.why);
}

static inline int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    AUTO(buf_free) struct buf sealed = BUF_BOUNDED(VAULT_TEXT_MAX);
    AUTO(key_freep) struct key *root = pki_key_make(KEY_P256, 0);
    char path[128], uri[160];

    pki_world_begin(&f->w, utime_seconds(clock_now()) * USEC_PER_SEC);
    snprintf(f->folder, sizeof(f->folder), "/tmp/beffroi-signer.XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    assert_int_equal(chmod(f->folder, 0711), 0);
    snprintf(f->config, sizeof(f->config), "%s/pki.conf", f->folder);
    snprintf(f->socket, sizeof(f->socket), "%s/signer", f->folder);
    snprintf(path, sizeof(path), "%s/keys", f->folder);
    assert_ok(keyfolder_init(path, pki_key_files, pki_key_nfiles, f->w.now, &f->w.why), &f->w.why);
    snprintf(path, sizeof(path), "%s/keys/field", f->folder);
    assert_ok(keyring_load(path, &f->field, &f->w.why), &f->w.why);
    config_write_as(f, "test");
    custodians_make(f);
    f->ca_key = pki_key_make(KEY_P256, 0);
    assert_ok(vault_seal(&f->s, f->set, "cards/1", f->ca_key, &sealed, &f->w.why), &f->w.why);
    snprintf(path, sizeof(path), "%s/cards.key", f->folder);
    file_put(path, buf_view(&sealed), 0400);
    snprintf(uri, sizeof(uri), "sealed:%s", path);
    pki_ca_make(&f->w, "root", root, "offline", f->set, 0, &f->root);
    pki_ca_make(&f->w, "cards", f->ca_key, arena_strdup(f->w.a, uri), f->set, f->root.id, &f->cards);
    ca_certificate_make(f, &f->cards, f->ca_key);
    f->client = signer_client_new(f->socket, PATIENCE);
    *state = f;
    return 0;
}

static inline int
teardown(void **state)
{
    struct fixture *f = *state;
    char command[128];
    pid_t child;

    if (f->signer > 0)
        signer_end(f, SIGKILL);
    signer_client_free(f->client);
    for (size_t i = 0; i < 2; i++)
        share_done(&f->shares[i]);
    secret_done(&f->s);
    keyring_free(f->field);
    key_free(f->ca_key);
    pki_world_end(&f->w);
    snprintf(command, sizeof(command), "%s", f->folder);
    if ((child = fork()) == 0) {
        execlp("rm", "rm", "-rf", "--", command, (char *)NULL);
        _exit(127);
    }
    waitpid(child, NULL, 0);
    free(f);
    return 0;
}

/* A request of that registration for a new key, that two approved. */
static inline const char *
asked_by(struct fixture *f, const struct registration *r)
{
    AUTO(key_freep) struct key *k = pki_key_make(KEY_P256, 0);
    const char *id = pki_request_make(&f->w, r, k, REQUEST_ENROLL, "");

    pki_approve_two(&f->w, f->field, id);
    return id;
}

/* A request for a card of that holder, that two approved, for a new key. */
static inline const char *
asked(struct fixture *f, const char *profile, const char *holder, enum profile_support support)
{
    const struct subject names = { .number = str_of(holder) };
    const struct registration r = pki_registration_make(&f->w, f->field, profile, holder, &names, support, PROOF_FACE_TO_FACE);

    return asked_by(f, &r);
}

#endif
