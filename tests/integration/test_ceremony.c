/*
 * ceremonies from prepared answers, with and without a database: a root, issuing authorities (sealed file and SoftHSM2), a
 * renewed root, a compromise, a destruction; what is refused and leaves nothing; that neither secret nor share is on the
 * disk. What was signed is judged by OpenSSL.
 */
#include "tests/integration/pg_support.h"

#include <dirent.h>
#include <ftw.h>
#include <sys/stat.h>

#include "base/core/rand.h"
#include "base/pg/migrate.h"
#include "pki/authority/person.h"
#include "pki/ceremony/ceremony-internal.h"
#include "pki/custody/unlock.h"

/* last: it has macros with names of our profiles */
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <openssl/x509_vfy.h>

#define MODULE "/usr/lib/softhsm/libsofthsm2.so"

static utime test_now;

static utime
test_clock(void)
{
    return test_now;
}

struct fixture {
    char dir[200], keys[220], answers[220];
    struct buf text;
    struct ceremony_config conf;
    struct pg_config pg_conf;
    char conninfo[600];
    struct pg *pg;
    struct arena *a;
    struct why why;
};

/* --- the fixture ------------------------------------------------------------------------------------------------------ */

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    const char *tmp = getenv("TMPDIR");

    (void)snprintf(f->dir, sizeof(f->dir), "%s/beffroi-ceremony.XXXXXX", tmp == NULL ? "/tmp" : tmp);
    assert_non_null(mkdtemp(f->dir));
    (void)snprintf(f->keys, sizeof(f->keys), "%s.keys", f->dir);
    (void)snprintf(f->answers, sizeof(f->answers), "%s.answers", f->dir);
    assert_int_equal(mkdir(f->keys, 0700), 0);
    f->text = (struct buf)BUF_BOUNDED(65536);
    f->a = arena_new(1 << 22);
    f->conf = (struct ceremony_config){ .dir = f->dir, .profiles = SOURCE_DIR "/pki/profiles", .profile = "issuing-ca",
                                        .alg = "p256", .lang = "fr", .level = 2, .cost = { 64, 1 },
                                        .list_life = 400 * USEC_PER_DAY, .clock = test_clock };
    test_now = INT64_C(1795000000) * USEC_PER_SEC;
    *state = f;
    return 0;
}

static void
with_database(struct fixture *f)
{
    struct migrate_report report;

    operator_run("DROP SCHEMA IF EXISTS pki CASCADE", NULL, 0);
    test_conninfo("options='-c search_path=pki'", f->conninfo, sizeof(f->conninfo));
    assert_ok(migrate_run(f->conninfo, "pki", SOURCE_DIR "/migrations/pki", false, &report, &f->why), &f->why);
    f->pg_conf = (struct pg_config){ .conninfo = f->conninfo, .stmts = ceremony_stmts_all, .schema = "pki", .schema_min = 1,
                                     .schema_max = 99 };
    assert_ok(pg_open(&f->pg_conf, &f->pg, &f->why), &f->why);
}

static int
teardown(void **state)
{
    struct fixture *f = *state;

    (void)nftw(f->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    (void)nftw(f->keys, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    (void)unlink(f->answers);
    buf_free(&f->text);
    arena_free(f->a);
    pg_close(f->pg);
    free(f);
    return 0;
}

/* --- answers ------------------------------------------------------------------------------------------------------------ */

static void
say_line(struct fixture *f, const char *line)
{
    buf_addf(&f->text, "%s\n", line);
}

/* alice: security; bruno, chloe, denis: custodians. */
static void
attend(struct fixture *f, bool fresh, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        buf_addf(&f->text, "person = %s\n", names[i]);
        if (fresh)
            buf_addf(&f->text, "%s.label = Madame %s Exemple\n%s.roles = %s\n", names[i], names[i], names[i],
                     strcmp(names[i], "alice") == 0 ? "security" : "custodian");
    }
    say_line(f, "person = -\nwitness = Maître Témoin, commissaire de justice\nwitness.external = oui\nwitness = -");
    for (size_t i = 0; i < n; i++)
        buf_addf(&f->text, "%s.key.file =\n%s.key.phrase = key phrase of %s\n", names[i], names[i], names[i]);
    say_line(f, "clock = oui\noffline = oui");
}

static const char *const all[] = { "alice", "bruno", "chloe", "denis" };
static const char *const custodians[] = { "bruno", "chloe", "denis" };

static void
new_secret(struct fixture *f)
{
    say_line(f, "threshold = 2");
    for (size_t i = 0; i < 3; i++)
        buf_addf(&f->text, "%s.share.file =\n%s.share.phrase = share phrase of %s\n", custodians[i], custodians[i], custodians[i]);
    for (size_t i = 0; i < 3; i++)
        buf_addf(&f->text, "%s.share.again = share phrase of %s\n", custodians[i], custodians[i]);
}

static const char *
set_of(struct fixture *f, const char *label)
{
    struct root_register *r = NULL;
    char path[300];
    const char *set;

    (void)snprintf(path, sizeof(path), "%s/register", f->dir);
    assert_ok(root_register_load(path, &r, &f->why), &f->why);
    assert_non_null(register_ca_find(r, label));
    set = arena_strdup(f->a, register_ca_find(r, label)->set);
    root_register_free(r);
    return set;
}

static void
open_set(struct fixture *f, const char *which, const char *set, const char *const *names, const int *numbers, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_addf(&f->text, "%s.custodian = %s\n%s.share.file = %s/shares/%s-%d.share\n%s.share.phrase = share phrase of %s\n", which,
                 names[i], names[i], f->dir, set, numbers[i], names[i], names[i]);
}

static const char *const two[] = { "denis", "bruno" };
static const int two_numbers[] = { 3, 1 };

static enum err
run(struct fixture *f, enum ceremony_kind kind, const char *ca)
{
    AUTO(ask_freep) struct ask *ask = NULL;
    FILE *out = fopen(f->answers, "w");
    enum err e;

    assert_non_null(out);
    assert_int_equal(fwrite(f->text.data, 1, f->text.len, out), f->text.len);
    assert_int_equal(fchmod(fileno(out), 0600), 0);
    assert_int_equal(fclose(out), 0);
    assert_ok(ask_open_answers(f->answers, NULL, &ask, &f->why), &f->why);
    f->conf.kind = kind;
    f->conf.ca = ca;
    f->conf.pg = f->pg;
    f->conf.ask = ask;
    memset(&f->why, 0, sizeof(f->why));
    e = ceremony_run(&f->conf, &f->why);
    buf_reset(&f->text);
    (void)unlink(f->answers);
    return e;
}

static void
root_answers(struct fixture *f)
{
    attend(f, true, all, 4);
    new_secret(f);
    say_line(f, "organization = Syndicat de Rivemont\nidentifier = 552100554\ncommon_name = Beffroi Racine\nrecord.read = oui");
}

static void
issuing_answers(struct fixture *f, bool first)
{
    attend(f, false, all, 4);
    if (first) {
        new_secret(f);
    } else {
        say_line(f, "set = same");
        open_set(f, "ca", set_of(f, "cards-g1"), two, two_numbers, 2);
    }
}

static void
issuing_end(struct fixture *f, const char *root_label, const char *name)
{
    open_set(f, "root", set_of(f, root_label), two, two_numbers, 2);
    buf_addf(&f->text, "organization = Syndicat de Rivemont\nidentifier = 552100554\ncommon_name = %s\n"
                       "status.url = http://pki.example.fr\nrecord.read = oui\n", name);
}

static void
make_root(struct fixture *f)
{
    root_answers(f);
    assert_ok(run(f, CEREMONY_ROOT, "root"), &f->why);
}

static void
make_cards(struct fixture *f)
{
    f->conf.key_uri = arena_printf(f->a, "sealed:%s/cards.key", f->keys);
    issuing_answers(f, true);
    issuing_end(f, "root-g1", "Beffroi Cartes");
    assert_ok(run(f, CEREMONY_ISSUING, "cards"), &f->why);
}

/* --- what OpenSSL says -------------------------------------------------------------------------------------------------- */

static void
der_read(struct fixture *f, const char *name, struct buf *out)
{
    char path[400];

    (void)snprintf(path, sizeof(path), "%s/%s", f->dir, name);
    assert_ok(file_read(path, 65535, out, &f->why), &f->why);
}

static X509 *
cert_of(struct fixture *f, const char *name)
{
    struct buf der = BUF_BOUNDED(65536);
    const unsigned char *p;
    X509 *x;

    der_read(f, name, &der);
    p = (const unsigned char *)der.data;
    x = d2i_X509(NULL, &p, (long)der.len);
    assert_non_null(x);
    assert_ptr_equal(p, der.data + der.len);
    buf_free(&der);
    return x;
}

static X509_CRL *
crl_of(struct fixture *f, const char *name)
{
    struct buf der = BUF_BOUNDED(65536);
    const unsigned char *p;
    X509_CRL *x;

    der_read(f, name, &der);
    p = (const unsigned char *)der.data;
    x = d2i_X509_CRL(NULL, &p, (long)der.len);
    assert_non_null(x);
    buf_free(&der);
    return x;
}

/* Path from leaf through others to anchor, strictly, with the lists. Returns X509_V_OK or the error. */
static int
path_verify(X509 *anchor, X509 *leaf, X509 *other, X509_CRL *crl)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    STACK_OF(X509) *others = sk_X509_new_null();
    X509_VERIFY_PARAM *param = X509_STORE_get0_param(store);
    int result;

    assert_int_equal(X509_STORE_add_cert(store, anchor), 1);
    if (other != NULL)
        assert_true(sk_X509_push(others, other) > 0);
    if (crl != NULL)
        assert_int_equal(X509_STORE_add_crl(store, crl), 1);
    (void)X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT | (crl != NULL ? X509_V_FLAG_CRL_CHECK : 0));
    X509_VERIFY_PARAM_set_time(param, (time_t)(test_now / USEC_PER_SEC + 60));
    assert_int_equal(X509_STORE_CTX_init(ctx, store, leaf, others), 1);
    result = X509_verify_cert(ctx) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(ctx);
    sk_X509_free(others);
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    return result;
}

/* --- the disk -------------------------------------------------------------------------------------------------------------- */

static const unsigned char *wanted;
static size_t wanted_len, found_files, seen_files;

static int
grep_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    char *all_octets;
    FILE *in;
    size_t n;

    (void)at;
    if (kind != FTW_F || st->st_size == 0)
        return 0;
    in = fopen(path, "r");
    assert_non_null(in);
    all_octets = malloc((size_t)st->st_size);
    n = fread(all_octets, 1, (size_t)st->st_size, in);
    found_files += memmem(all_octets, n, wanted, wanted_len) != NULL;
    seen_files++;
    free(all_octets);
    (void)fclose(in);
    return 0;
}

static size_t
disk_count(const char *folder, const void *p, size_t n)
{
    wanted = p;
    wanted_len = n;
    found_files = seen_files = 0;
    assert_int_equal(nftw(folder, grep_one, 16, FTW_PHYS), 0);
    assert_true(seen_files > 0);
    return found_files;
}

/* The secret and the shares, got back as custodians would. */
static void
secret_get(struct fixture *f, const char *set, struct secret *ret, struct share shares[2])
{
    for (size_t i = 0; i < 2; i++) {
        struct buf text = BUF_BOUNDED(8192);
        char path[400], phrase[64];

        (void)snprintf(path, sizeof(path), "%s/shares/%s-%d.share", f->dir, set, two_numbers[i]);
        (void)snprintf(phrase, sizeof(phrase), "share phrase of %s", two[i]);
        assert_ok(file_read(path, 8191, &text, &f->why), &f->why);
        assert_ok(share_open(buf_view(&text), str_of(phrase), &shares[i], &f->why), &f->why);
        buf_free(&text);
    }
    assert_ok(share_combine(shares, 2, ret, &f->why), &f->why);
}

/* Octets, hexadecimal and base64 of a part: none is in any file. */
static void
nowhere(const char *folder, const unsigned char *p)
{
    char hex[33];

    for (size_t i = 0; i < 16; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", p[i]);
    assert_int_equal(disk_count(folder, p, 16), 0);
    assert_int_equal(disk_count(folder, hex, 32), 0);
}

static size_t
entries(const char *folder)
{
    DIR *d = opendir(folder);
    struct dirent *e;
    size_t n = 0;

    if (d == NULL)
        return 0;
    while ((e = readdir(d)) != NULL)
        n += e->d_name[0] != '.';
    (void)closedir(d);
    return n;
}

/* --- tests -------------------------------------------------------------------------------------------------------------------- */

static void
a_root_without_a_database(void **state)
{
    struct fixture *f = *state;
    struct share shares[2] = { SHARE_INIT, SHARE_INIT };
    struct secret s = SECRET_INIT;
    struct buf text = BUF_BOUNDED(65536);
    struct key *k = NULL;
    X509 *root;
    X509_CRL *crl;
    char path[400];

    make_root(f);
    root = cert_of(f, "root-g1.cer");
    crl = crl_of(f, "root-g1-1.crl");
    assert_int_equal(path_verify(root, root, NULL, NULL), X509_V_OK);
    assert_int_equal(X509_check_ca(root), 1);
    assert_int_equal(X509_get_extension_flags(root) & EXFLAG_SS, EXFLAG_SS);
    assert_int_equal(X509_CRL_verify(crl, X509_get0_pubkey(root)), 1);
    assert_int_equal(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(crl)), -1);
    secret_get(f, set_of(f, "root-g1"), &s, shares);
    der_read(f, "root-g1.key", &text);
    assert_ok(vault_open(&s, buf_view(&text), KEY_CA_SIGN, &k, &f->why), &f->why);
    /* nothing on the medium opens it without its custodians */
    nowhere(f->dir, s.data);
    nowhere(f->dir, s.data + 16);
    for (size_t i = 0; i < 2; i++) {
        nowhere(f->dir, shares[i].value.data);
        nowhere(f->dir, shares[i].value.data + 16);
        share_done(&shares[i]);
    }
    assert_int_equal(disk_count(f->dir, "share phrase", 12), 0);
    assert_int_equal(disk_count(f->dir, "key phrase of", 13), 0);
    (void)snprintf(path, sizeof(path), "%s/records", f->dir);
    assert_int_equal(entries(path), 2);
    key_free(k);
    secret_done(&s);
    buf_free(&text);
    X509_free(root);
    X509_CRL_free(crl);
    /* never a second one over it */
    root_answers(f);
    assert_err(run(f, CEREMONY_ROOT, "root"), ERR_CONFLICT, &f->why);
}

static const char *
record_path(struct fixture *f, char *out, size_t size)
{
    char folder[300];
    struct dirent *e;
    DIR *d;

    (void)snprintf(folder, sizeof(folder), "%s/records", f->dir);
    d = opendir(folder);
    assert_non_null(d);
    out[0] = '\0';
    while ((e = readdir(d)) != NULL)
        if (strstr(e->d_name, ".txt") != NULL)
            (void)snprintf(out, size, "%s/%s", folder, e->d_name);
    (void)closedir(d);
    assert_true(out[0] != '\0');
    return out;
}

static void
the_record(void **state)
{
    static const char *const lines[] = {
        "\nkind root\n", "\nca root-g1\n", "\nlevel 2\n", "\nanswers prepared in advance\n",
        "\nwitness external Maître Témoin, commissaire de justice\n", "\nstep 1 attend 2026-", "\nstep 10 close 2026-",
        "\nrehearsal every share opened again, every group of 2 neighbours gives the secret\n", "\nmade root-g1.cer sha256 ",
        "\nmade root-g1.key sha256 ", "\nmade root-g1-1.crl sha256 ", "\nlocked keys and secrets", "\nended 2026-",
    };
    struct fixture *f = *state;
    char path[700];
    struct buf text = BUF_BOUNDED(65536);
    size_t signers = 0;
    FILE *out;

    make_root(f);
    record_path(f, path, sizeof(path));
    assert_ok(ceremony_verify(path, &signers, &f->why), &f->why);
    assert_int_equal(signers, 4);
    assert_ok(file_read(path, 65535, &text, &f->why), &f->why);
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        assert_row(lines[i], strstr(text.data, lines[i]) != NULL);
    assert_null(strstr(text.data, "phrase"));
    /* any octet of it changed: the signatures say so */
    assert_int_equal(chmod(path, 0600), 0);
    for (size_t i = 40; i < text.len; i += 97) {
        text.data[i] ^= 1;
        out = fopen(path, "w");
        assert_int_equal(fwrite(text.data, 1, text.len, out), text.len);
        assert_int_equal(fclose(out), 0);
        assert_err(ceremony_verify(path, &signers, &f->why), ERR_DENIED, &f->why);
        text.data[i] ^= 1;
    }
    buf_free(&text);
}

static void
order_is_kept(void **state)
{
    struct fixture *f = *state;
    struct ceremony *c;
    struct ask *ask = NULL;
    FILE *out;

    /* prepared answers for another step: nothing is made */
    attend(f, true, all, 4);
    say_line(f, "organization = Syndicat de Rivemont");
    assert_err(run(f, CEREMONY_ROOT, "root"), ERR_CONFLICT, &f->why);
    assert_string_equal(f->why.code, "ask.order");
    assert_int_equal(entries(f->dir), 1);                       /* the empty folder persons */
    /* one answer too many */
    root_answers(f);
    say_line(f, "organization = Autre");
    assert_err(run(f, CEREMONY_ROOT, "root"), ERR_CONFLICT, &f->why);
    /* a step that is not the next one */
    out = fopen(f->answers, "w");
    (void)fputs("person = -\n", out);
    assert_int_equal(fchmod(fileno(out), 0600), 0);
    assert_int_equal(fclose(out), 0);
    assert_ok(ask_open_answers(f->answers, NULL, &ask, &f->why), &f->why);
    f->conf.kind = CEREMONY_ROOT;
    f->conf.ca = "root";
    f->conf.ask = ask;
    f->conf.pg = NULL;
    c = ceremony_new(&f->conf);
    assert_ok(ceremony_prepare(c, &f->why), &f->why);
    for (size_t i = 1; i <= ceremony_steps(CEREMONY_ROOT); i++) {
        assert_err(ceremony_step(c, i, &f->why), ERR_CONFLICT, &f->why);
        assert_string_equal(f->why.code, "ceremony.order");
    }
    assert_err(ceremony_step(c, 0, &f->why), ERR_CONFLICT, &f->why);      /* the answers end: the step failed */
    assert_string_equal(f->why.code, "ask.order");
    assert_err(ceremony_step(c, 0, &f->why), ERR_CONFLICT, &f->why);      /* and is not begun again */
    assert_string_equal(f->why.code, "ceremony.order");
    ceremony_free(c);
    ask_free(ask);
}

/* Each of these changes one thing in a ceremony that is otherwise good; and leaves no key, no share, no register. */
static void
refusals_leave_nothing(void **state)
{
    static const struct {
        const char *label, *from, *to, *code;
        enum err e;
    } rows[] = {
        { "no witness from outside", "witness.external = oui", "witness.external = non", "ceremony.witness", ERR_DENIED },
        { "forbidden roles", "alice.roles = security", "alice.roles = security,systems", "role.incompatible", ERR_DENIED },
        { "auditor as custodian", "bruno.roles = custodian", "bruno.roles = custodian,auditor", "role.incompatible", ERR_DENIED },
        { "the same person twice", "person = bruno", "person = alice", "ceremony.twice", ERR_CONFLICT },
        { "clock", "clock = oui", "clock = non", "ceremony.no", ERR_DENIED },
        { "network", "offline = oui", "offline = non", "ceremony.no", ERR_DENIED },
        { "threshold 1", "threshold = 2", "threshold = 1", "", ERR_INPUT },
        { "threshold 4 of 3", "threshold = 2", "threshold = 4", "", ERR_INPUT },
        { "short pass phrase", "chloe.share.phrase = share phrase of chloe", "chloe.share.phrase = short", "", ERR_INPUT },
        { "rehearsal", "denis.share.again = share phrase of denis", "denis.share.again = share phrase of bruno", "phrase.wrong",
          ERR_DENIED },
        { "identifier", "identifier = 552100554", "identifier = 552100555", "pki.subject.identifier", ERR_INPUT },
        { "they do not sign", "record.read = oui", "record.read = non", "ceremony.no", ERR_DENIED },
    };
    struct fixture *f = *state;
    char path[300];

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf good = BUF_BOUNDED(65536);
        const char *at;

        root_answers(f);
        buf_add_str(&good, buf_view(&f->text));
        at = strstr(good.data, rows[i].from);
        assert_row(rows[i].label, at != NULL);
        buf_reset(&f->text);
        buf_add(&f->text, good.data, (size_t)(at - good.data));
        buf_adds(&f->text, rows[i].to);
        buf_adds(&f->text, at + strlen(rows[i].from));
        if (run(f, CEREMONY_ROOT, "root") != rows[i].e || strcmp(f->why.code, rows[i].code) != 0)
            fail_msg("%s: %s [%s]", rows[i].label, f->why.text, f->why.code);
        (void)snprintf(path, sizeof(path), "%s/persons", f->dir);
        assert_row(rows[i].label, entries(path) == 0);
        (void)snprintf(path, sizeof(path), "%s/shares", f->dir);
        assert_row(rows[i].label, entries(path) == 0);
        (void)snprintf(path, sizeof(path), "%s/register", f->dir);
        assert_row(rows[i].label, access(path, F_OK) != 0);
        (void)snprintf(path, sizeof(path), "%s/root-g1.key", f->dir);
        assert_row(rows[i].label, access(path, F_OK) != 0);
        buf_free(&good);
    }
    make_root(f);
}

/* A profile that cannot be read, or is of no authority, is told before persons have come and keys are made: not one answer is read. */
static void
the_profile_comes_first(void **state)
{
    struct fixture *f = *state;
    const char *profiles = f->conf.profiles, *profile = f->conf.profile;
    char path[300];

    f->conf.profiles = "/nonexistent";
    say_line(f, "nobody = asked");
    assert_err(run(f, CEREMONY_ROOT, "root"), ERR_NOT_FOUND, &f->why);
    assert_non_null(strstr(f->why.text, "root-ca.profile"));
    f->conf.profiles = profiles;
    (void)snprintf(path, sizeof(path), "%s/root-g1.key", f->dir);
    assert_int_equal(access(path, F_OK), -1);
    /* with a good one it is the first answer that is missing */
    say_line(f, "nobody = asked");
    assert_int_not_equal(run(f, CEREMONY_ROOT, "root"), OK);
    assert_null(strstr(f->why.text, "profile"));
    make_root(f);
    f->conf.key_uri = arena_printf(f->a, "sealed:%s/cards.key", f->keys);
    f->conf.profile = "server";
    say_line(f, "nobody = asked");
    assert_err(run(f, CEREMONY_ISSUING, "cards"), ERR_INPUT, &f->why);
    assert_non_null(strstr(f->why.text, "server is no profile of an authority"));
    f->conf.profile = profile;
    make_cards(f);
}

static void
an_issuing_authority(void **state)
{
    struct fixture *f = *state;
    struct share shares[2] = { SHARE_INIT, SHARE_INIT };
    struct secret s = SECRET_INIT;
    struct key *k = NULL;
    struct ca cards, root;
    struct custodian *list;
    struct pki_person alice;
    X509 *root_x, *cards_x;
    size_t n;

    with_database(f);
    make_root(f);
    make_cards(f);
    root_x = cert_of(f, "root-g1.cer");
    cards_x = cert_of(f, "cards-g1.cer");
    assert_int_equal(path_verify(root_x, cards_x, NULL, NULL), X509_V_OK);
    assert_int_equal(X509_get_pathlen(cards_x), 0);
    /* the signer would open it so */
    secret_get(f, set_of(f, "cards-g1"), &s, shares);
    assert_ok(vault_key(&s, f->conf.key_uri, KEY_CA_SIGN, &k, &f->why), &f->why);
    key_free(k);
    nowhere(f->keys, s.data);
    nowhere(f->dir, s.data);
    nowhere(f->dir, shares[0].value.data);
    secret_done(&s);
    /* the database */
    assert_ok(ca_find(f->pg, "cards", 0, f->a, &cards, &f->why), &f->why);
    assert_ok(ca_find(f->pg, "root", 0, f->a, &root, &f->why), &f->why);
    assert_int_equal(cards.issuer_id, root.id);
    assert_int_equal(cards.state, CA_ACTIVE);
    assert_string_equal(cards.key_uri, f->conf.key_uri);
    assert_string_equal(root.key_uri, "offline");
    assert_ok(custodian_list(f->pg, cards.set_id, f->a, &list, &n, &f->why), &f->why);
    assert_int_equal(n, 3);
    assert_string_equal(list[0].name, "bruno");
    assert_int_equal(list[0].threshold, 2);
    assert_ok(pki_person_find(f->pg, "alice", test_now, f->a, &alice, &f->why), &f->why);
    assert_int_equal(alice.roles, ROLE_BIT(ROLE_SECURITY));
    assert_int_equal(operator_count("SELECT count(*) FROM pki.ceremony"), 2);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.ceremony_signature"), 8);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.crl WHERE number = 1"), 1);
    /* twice is once */
    assert_ok(ceremony_import(f->pg, f->dir, test_now, &f->why), &f->why);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.ca"), 2);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.role_grant"), 4);
    for (size_t i = 0; i < 2; i++)
        share_done(&shares[i]);
    X509_free(root_x);
    X509_free(cards_x);
}

static void
opening_the_root(void **state)
{
    static const struct {
        const char *label;
        const char *names[2];
        int numbers[2];
        const char *phrases[2];
        const char *code;
    } rows[] = {
        { "the same share twice", { "denis", "denis" }, { 3, 3 }, { "denis", "denis" }, "unlock.twice" },
        { "another's share", { "denis", "bruno" }, { 3, 2 }, { "denis", "chloe" }, "ceremony.share" },
        { "a wrong pass phrase", { "denis", "bruno" }, { 3, 1 }, { "denis", "chloe" }, "phrase.wrong" },
        { "not there", { "denis", "emma" }, { 3, 1 }, { "denis", "bruno" }, "ceremony.stranger" },
    };
    struct fixture *f = *state;
    const char *set;

    make_root(f);
    set = set_of(f, "root-g1");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        attend(f, false, all, 4);
        for (size_t k = 0; k < 2; k++)
            buf_addf(&f->text, "root.custodian = %s\n%s.share.file = %s/shares/%s-%d.share\n%s.share.phrase = share phrase of %s\n",
                     rows[i].names[k], rows[i].names[k], f->dir, set, rows[i].numbers[k], rows[i].names[k], rows[i].phrases[k]);
        assert_int_not_equal(run(f, CEREMONY_LIST, "root"), OK);
        assert_row_string(rows[i].label, f->why.code, rows[i].code);
    }
    /* one custodian alone */
    attend(f, false, all, 4);
    open_set(f, "root", set, two, two_numbers, 1);
    say_line(f, "record.read = oui");
    assert_err(run(f, CEREMONY_LIST, "root"), ERR_CONFLICT, &f->why);
    /* a key that is not hers */
    attend(f, false, all, 4);
    {
        struct buf swapped = BUF_BOUNDED(65536);
        const char *at = strstr(f->text.data, "alice.key.file =");

        buf_add(&swapped, f->text.data, (size_t)(at - f->text.data));
        buf_addf(&swapped, "alice.key.file = %s/persons/bruno.key\nalice.key.phrase = key phrase of bruno\n", f->dir);
        buf_reset(&f->text);
        buf_add_str(&f->text, buf_view(&swapped));
        buf_free(&swapped);
    }
    assert_err(run(f, CEREMONY_LIST, "root"), ERR_DENIED, &f->why);
    assert_string_equal(f->why.code, "ceremony.key");
    /* and as it should be */
    attend(f, false, all, 4);
    open_set(f, "root", set, two, two_numbers, 2);
    say_line(f, "record.read = oui");
    assert_ok(run(f, CEREMONY_LIST, "root"), &f->why);
}

static void
compromise_and_destruction(void **state)
{
    struct fixture *f = *state;
    const unsigned char *key_text;
    struct buf sealed = BUF_BOUNDED(65536);
    struct ca cards;
    X509 *root_x, *cards_x;
    X509_CRL *crl;
    X509_REVOKED *entry = NULL;

    with_database(f);
    make_root(f);
    make_cards(f);
    assert_ok(file_read(f->conf.key_uri + 7, 65535, &sealed, &f->why), &f->why);
    key_text = (const unsigned char *)sealed.data + sealed.len - 40;
    test_now += 30 * USEC_PER_DAY;
    attend(f, false, all, 4);
    open_set(f, "root", set_of(f, "root-g1"), two, two_numbers, 2);
    say_line(f, "revoke = oui\nrecord.read = oui");
    assert_ok(run(f, CEREMONY_COMPROMISE, "cards"), &f->why);
    root_x = cert_of(f, "root-g1.cer");
    cards_x = cert_of(f, "cards-g1.cer");
    crl = crl_of(f, "root-g1-2.crl");
    assert_int_equal(path_verify(root_x, cards_x, NULL, crl), X509_V_ERR_CERT_REVOKED);
    assert_int_equal(X509_CRL_get0_by_cert(crl, &entry, cards_x), 1);
    assert_ok(ca_find(f->pg, "cards", 0, f->a, &cards, &f->why), &f->why);
    assert_int_equal(cards.state, CA_COMPROMISED);
    assert_int_equal(operator_count("SELECT number FROM pki.crl_counter"), 2);
    X509_CRL_free(crl);
    /* not twice */
    attend(f, false, all, 4);
    open_set(f, "root", set_of(f, "root-g1"), two, two_numbers, 2);
    say_line(f, "revoke = oui\nrecord.read = oui");
    assert_err(run(f, CEREMONY_COMPROMISE, "cards"), ERR_CONFLICT, &f->why);

    attend(f, false, all, 4);
    say_line(f, "destroy = oui\ncopies = oui\nshares.destroyed = non");
    assert_err(run(f, CEREMONY_DESTROY, "cards"), ERR_DENIED, &f->why);
    assert_int_equal(access(f->conf.key_uri + 7, F_OK), 0);
    attend(f, false, all, 4);
    say_line(f, "destroy = oui\ncopies = oui\nshares.destroyed = oui\nrecord.read = oui");
    assert_ok(run(f, CEREMONY_DESTROY, "cards"), &f->why);
    assert_int_equal(access(f->conf.key_uri + 7, F_OK), -1);
    assert_int_equal(disk_count(f->dir, key_text, 32), 0);
    assert_ok(ca_find(f->pg, "cards", 0, f->a, &cards, &f->why), &f->why);
    assert_int_equal(cards.state, CA_ENDED);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.custodian WHERE ended_at IS NOT NULL"), 3);
    attend(f, false, all, 4);
    say_line(f, "destroy = oui\ncopies = oui\nrecord.read = oui");
    assert_err(run(f, CEREMONY_DESTROY, "cards"), ERR_CONFLICT, &f->why);
    buf_free(&sealed);
    X509_free(root_x);
    X509_free(cards_x);
}

static void
renewal(void **state)
{
    struct fixture *f = *state;
    X509 *old, *fresh, *new_by_old, *old_by_new, *cards1, *cards2;
    struct ca_cross *crosses;
    struct ca ca;
    size_t n;

    with_database(f);
    make_root(f);
    make_cards(f);
    test_now += 365 * USEC_PER_DAY;
    attend(f, false, all, 4);
    open_set(f, "root", set_of(f, "root-g1"), two, two_numbers, 2);
    say_line(f, "organization = Syndicat de Rivemont\nidentifier = 552100554\ncommon_name = Beffroi Racine\nrecord.read = oui");
    assert_ok(run(f, CEREMONY_RENEW, "root"), &f->why);
    /* a new generation of the cards' authority, by the new root, under the secret that is there */
    f->conf.key_uri = arena_printf(f->a, "sealed:%s/cards-2.key", f->keys);
    issuing_answers(f, false);
    issuing_end(f, "root-g2", "Beffroi Cartes");
    assert_ok(run(f, CEREMONY_RENEW, "cards"), &f->why);

    old = cert_of(f, "root-g1.cer");
    fresh = cert_of(f, "root-g2.cer");
    new_by_old = cert_of(f, "root-g2-by-root-g1.cer");
    old_by_new = cert_of(f, "root-g1-by-root-g2.cer");
    cards1 = cert_of(f, "cards-g1.cer");
    cards2 = cert_of(f, "cards-g2.cer");
    assert_int_equal(path_verify(fresh, cards2, NULL, NULL), X509_V_OK);
    assert_int_equal(path_verify(old, cards1, NULL, NULL), X509_V_OK);
    /* who knows one root only reaches what the other signed */
    assert_int_equal(path_verify(old, cards2, new_by_old, NULL), X509_V_OK);
    assert_int_equal(path_verify(fresh, cards1, old_by_new, NULL), X509_V_OK);
    assert_int_not_equal(path_verify(fresh, cards1, NULL, NULL), X509_V_OK);
    assert_int_not_equal(X509_NAME_cmp(X509_get_subject_name(old), X509_get_subject_name(fresh)), 0);
    assert_ok(ca_find(f->pg, "root", 1, f->a, &ca, &f->why), &f->why);
    assert_int_equal(ca.state, CA_RETIRING);
    assert_ok(ca_find(f->pg, "root", 0, f->a, &ca, &f->why), &f->why);
    assert_int_equal(ca.generation, 2);
    assert_int_equal(ca.state, CA_ACTIVE);
    assert_ok(ca_find(f->pg, "cards", 1, f->a, &ca, &f->why), &f->why);
    assert_int_equal(ca.state, CA_RETIRING);
    assert_ok(ca_cross_list(f->pg, f->a, &crosses, &n, &f->why), &f->why);
    assert_int_equal(n, 2);
    X509_free(old);
    X509_free(fresh);
    X509_free(new_by_old);
    X509_free(old_by_new);
    X509_free(cards1);
    X509_free(cards2);
}

static void
a_key_in_a_token(void **state)
{
    struct fixture *f = *state;
    struct share shares[2] = { SHARE_INIT, SHARE_INIT };
    struct secret s = SECRET_INIT;
    struct key *k = NULL;
    char conf[300], text[700];
    int status;
    pid_t child;
    FILE *out;

    if (access(MODULE, R_OK) != 0)
        skip();
    (void)snprintf(conf, sizeof(conf), "%s/softhsm2.conf", f->keys);
    (void)snprintf(text, sizeof(text), "directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n", f->keys);
    out = fopen(conf, "w");
    (void)fputs(text, out);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(setenv("SOFTHSM2_CONF", conf, 1), 0);
    if ((child = fork()) == 0) {
        (void)dup2(open("/dev/null", O_WRONLY), 1);
        (void)execlp("softhsm2-util", "softhsm2-util", "--init-token", "--free", "--label", "ceremony", "--so-pin", "so-pin-1",
                     "--pin", "first-pin", (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (status != 0)
        skip();
    make_root(f);
    f->conf.key_uri = "pkcs11:token=ceremony;object=cards-1?module-path=" MODULE;
    issuing_answers(f, true);
    say_line(f, "token = new\ntoken.pin = first-pin");
    issuing_end(f, "root-g1", "Beffroi Cartes");
    assert_ok(run(f, CEREMONY_ISSUING, "cards"), &f->why);
    secret_get(f, set_of(f, "cards-g1"), &s, shares);
    assert_ok(vault_key(&s, f->conf.key_uri, KEY_CA_SIGN, &k, &f->why), &f->why);
    key_free(k);
    k = NULL;
    assert_err(key_load_token(f->conf.key_uri, STR_LIT("first-pin"), KEY_CA_SIGN, &k, &f->why), ERR_DENIED, &f->why);
    attend(f, false, all, 4);
    open_set(f, "ca", set_of(f, "cards-g1"), two, two_numbers, 2);
    say_line(f, "destroy = oui\ncopies = oui\nshares.destroyed = oui\nrecord.read = oui");
    assert_ok(run(f, CEREMONY_DESTROY, "cards"), &f->why);
    assert_err(vault_key(&s, f->conf.key_uri, KEY_CA_SIGN, &k, &f->why), ERR_NOT_FOUND, &f->why);
    secret_done(&s);
    for (size_t i = 0; i < 2; i++)
        share_done(&shares[i]);
}

static void
the_printed_script(void **state)
{
    struct buf fr = BUF_BOUNDED(65536), en = BUF_BOUNDED(65536);

    (void)state;
    for (unsigned k = 0; k < CEREMONY_KINDS; k++) {
        enum ceremony_kind back;

        buf_reset(&fr);
        buf_reset(&en);
        ceremony_script((enum ceremony_kind)k, "root", "fr", &fr);
        ceremony_script((enum ceremony_kind)k, "root", "en", &en);
        assert_true(buf_ok(&fr) && strstr(fr.data, "[ ]  1. attend: ") != NULL && strstr(fr.data, "close: Relire") != NULL);
        assert_true(buf_ok(&en) && strstr(en.data, "[ ]  1. attend: ") != NULL && strstr(en.data, "close: Read") != NULL);
        assert_int_equal(ceremony_kind_parse(str_of(ceremony_kind_name((enum ceremony_kind)k)), &back), OK);
        assert_int_equal(back, k);
    }
    buf_free(&fr);
    buf_free(&en);
}

/* What it prints while it runs goes to a file. */
static int
command(struct fixture *f, char **words, int n, struct buf *ret_out)
{
    char path[300];
    const int kept = dup(1);
    int out, status;

    (void)snprintf(path, sizeof(path), "%s.out", f->dir);
    (void)fflush(stdout);
    out = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(out >= 0);
    assert_int_equal(dup2(out, 1), 1);
    status = ceremony_command(n, words);
    (void)fflush(stdout);
    assert_int_equal(dup2(kept, 1), 1);
    (void)close(kept);
    (void)close(out);
    buf_reset(ret_out);
    assert_ok(file_read(path, 262144, ret_out, &f->why), &f->why);
    (void)unlink(path);
    return status;
}

static void
the_command(void **state)
{
    struct fixture *f = *state;
    struct buf out = BUF_BOUNDED(262145);
    char run_[] = "run", root[] = "root", dir[] = "--dir", profiles[] = "--profiles", folder[] = SOURCE_DIR "/pki/profiles",
         answers[] = "--answers", lang[] = "--lang", en[] = "en", de[] = "de", verify[] = "verify", script[] = "script",
         destroy[] = "destroy", wedding[] = "wedding", record[700];
    char *words[] = { run_, root, dir, f->dir, profiles, folder, answers, f->answers, lang, en };
    char *no_kind[] = { script, wedding }, *no_lang[] = { script, root, lang, de }, *no_value[] = { run_, root, dir };
    FILE *in = fopen(f->answers, "w");

    root_answers(f);
    assert_int_equal(fwrite(f->text.data, 1, f->text.len, in), f->text.len);
    assert_int_equal(fchmod(fileno(in), 0600), 0);
    assert_int_equal(fclose(in), 0);
    assert_int_equal(command(f, words, 10, &out), 0);
    assert_non_null(strstr(out.data, "10/10 close: Read the record again"));
    assert_non_null(strstr(out.data, "  [alice.key.phrase] "));
    assert_null(strstr(out.data, "phrase of alice"));                /* what was answered secretly is not shown */
    assert_null(strstr(out.data, "phrase of bruno"));
    {
        char *verify_words[] = { verify, record };

        (void)record_path(f, record, sizeof(record));
        assert_int_equal(command(f, verify_words, 2, &out), 0);
        assert_non_null(strstr(out.data, "signed by 4"));
    }
    assert_int_equal(command(f, words, 10, &out), 1);                /* it exists */
    {
        char *script_words[] = { script, destroy };

        assert_int_equal(command(f, script_words, 2, &out), 0);
        assert_non_null(strstr(out.data, "Détruire la clé"));
    }
    assert_int_equal(command(f, no_kind, 2, &out), 2);
    assert_int_equal(command(f, no_lang, 4, &out), 2);
    assert_int_equal(command(f, no_value, 3, &out), 2);
    assert_int_equal(command(f, no_value, 2, &out), 2);              /* no medium */
    buf_free(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_root_without_a_database, setup, teardown),
        cmocka_unit_test_setup_teardown(the_record, setup, teardown),
        cmocka_unit_test_setup_teardown(order_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(refusals_leave_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(the_profile_comes_first, setup, teardown),
        cmocka_unit_test_setup_teardown(an_issuing_authority, setup, teardown),
        cmocka_unit_test_setup_teardown(opening_the_root, setup, teardown),
        cmocka_unit_test_setup_teardown(compromise_and_destruction, setup, teardown),
        cmocka_unit_test_setup_teardown(renewal, setup, teardown),
        cmocka_unit_test_setup_teardown(a_key_in_a_token, setup, teardown),
        cmocka_unit_test(the_printed_script),
        cmocka_unit_test_setup_teardown(the_command, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
