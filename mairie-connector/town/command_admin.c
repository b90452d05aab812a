/* The short commands: agent, authorisation, doctor. */
#include "mairie-connector/town/command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/core/rand.h"
#include "base/core/text.h"
#include "base/crypto/password.h"
#include "base/crypto/totp.h"
#include "base/crypto/x509.h"
#include "mairie-connector/town/agent.h"
#include "mairie-connector/town/dossier.h"

#define PASSWORD_MIN 12

/* --- agents ----------------------------------------------------------------------------------------------------------- */

struct agent_options {
    const char *config, *login, *name, *roles, *password_file, *totp_file;
};

static enum err
agent_password(const struct mairie *m, const char *path, char phc[PASSWORD_HASH_SIZE], struct why *why)
{
    struct password_cost cost = { (uint32_t)m->conf.argon2_memory_kib, (uint32_t)m->conf.argon2_passes };
    AUTO(secret_done) struct secret password = SECRET_INIT;
    enum err e;

    if ((e = secret_read_file(path, PASSWORD_MAX, &password, why)) != OK)
        return e;
    secret_chomp(&password);
    if (password.len < PASSWORD_MIN)
        return why_set(why, ERR_INPUT, "%s: a password of %d characters or more is wanted", path, PASSWORD_MIN);
    return password_hash((struct str){ (const char *)password.data, password.len }, &cost, phc, why);
}

/* The new key is written for the agent before it is put in force; an existing file is never touched. */
static enum err
totp_make(const char *path, struct secret *ret, struct why *why)
{
    AUTO(buf_free) struct buf text = BUF_SECRET(128);
    int fd;
    bool good;

    totp_key_new(ret);
    base32_encode(&text, ret->data, ret->len);
    buf_addc(&text, '\n');
    if ((fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0400)) < 0)
        return why_set(why, errno == EEXIST ? ERR_CONFLICT : ERR_UNAVAILABLE, "%s: %m", path);
    good = write(fd, text.data, text.len) == (ssize_t)text.len && fsync(fd) == 0;
    good = close(fd) == 0 && good;
    return good ? OK : why_set(why, ERR_UNAVAILABLE, "%s: cannot be written", path);
}

static enum err
agent_put(const struct mairie *m, const struct agent_options *o, unsigned roles, struct why *why)
{
    AUTO(secret_done) struct secret key = SECRET_INIT;
    AUTO(buf_free) struct buf sealed = BUF_BOUNDED(256);
    AUTO(pg_closep) struct pg *pg = NULL;
    char phc[PASSWORD_HASH_SIZE];
    struct agent_new in = { .login = o->login, .name = o->name, .password_phc = phc, .totp = &sealed, .roles = roles };
    enum err e;

    rand_uuid(in.id);
    if ((e = agent_password(m, o->password_file, phc, why)) != OK || (e = mairie_database(m, &pg, why)) != OK ||
        (e = totp_make(o->totp_file, &key, why)) != OK)
        return e;
    e = column_seal(m->field, "agent.totp", in.id, (struct str){ (const char *)key.data, key.len }, &sealed);
    if (e != OK)
        e = why_set(why, e, "the one-time key cannot be sealed");
    else
        e = agent_add(pg, &in, command_actor(), clock_now(), why);
    if (e != OK)
        unlink(o->totp_file);
    return e;
}

int
mairie_agent(int argc, char **argv)
{
    static const char line[] = "agent add LOGIN --config FILE --name TEXT --roles guichet,validation\n"
                               "           --password-file FILE --totp-file FILE   (the new one-time key is written there)";
    struct agent_options o = { .config = NULL };
    const char *words[2] = { NULL, NULL };
    const struct command_option options[] = {
        { "--config", &o.config, NULL }, { "--name", &o.name, NULL }, { "--roles", &o.roles, NULL },
        { "--password-file", &o.password_file, NULL }, { "--totp-file", &o.totp_file, NULL },
    };
    AUTO(mairie_freep) struct mairie *m = NULL;
    struct why why = WHY_INIT;
    unsigned roles;
    size_t n;
    enum err e;

    if (!command_options(argc, argv, options, ARRAY_LEN(options), words, 2, &n) || n != 2 ||
        !command_word_is(words, n, 0, "add") || o.config == NULL || o.name == NULL || o.roles == NULL ||
        o.password_file == NULL || o.totp_file == NULL)
        return command_usage(line);
    o.login = words[1];
    if (agent_roles_parse(o.roles, &roles) != OK) {
        fprintf(stderr, "beffroi-mairie: roles are guichet, validation, controleur\n");
        return 2;
    }
    if ((e = mairie_load(o.config, MAIRIE_NEED_KEYS, &m, &why)) != OK || (e = agent_put(m, &o, roles, &why)) != OK)
        return command_fail("agent add", e, &why);
    printf("agent %s: in force\n", o.login);
    return 0;
}

int
mairie_authorisation(int argc, char **argv)
{
    const char *config = NULL, *fr = NULL, *en = NULL, *words[2] = { NULL, NULL };
    bool sensitive = false;
    const struct command_option options[] = {
        { "--config", &config, NULL }, { "--label-fr", &fr, NULL }, { "--label-en", &en, NULL },
        { "--sensitive", NULL, &sensitive },
    };
    AUTO(mairie_freep) struct mairie *m = NULL;
    AUTO(pg_closep) struct pg *pg = NULL;
    struct why why = WHY_INIT;
    size_t n;
    enum err e;

    if (!command_options(argc, argv, options, ARRAY_LEN(options), words, 2, &n) || n != 2 ||
        !command_word_is(words, n, 0, "add") || config == NULL || fr == NULL || en == NULL)
        return command_usage("authorisation add CODE --config FILE --label-fr TEXT --label-en TEXT [--sensitive]");
    if ((e = mairie_load(config, 0, &m, &why)) != OK || (e = mairie_database(m, &pg, &why)) != OK ||
        (e = authz_def_put(pg, words[1], fr, en, sensitive, command_actor(), clock_now(), &why)) != OK)
        return command_fail("authorisation add", e, &why);
    printf("authorisation %s: in force\n", words[1]);
    return 0;
}

/* --- doctor -------------------------------------------------------------------------------------------------------------- */

#define CERT_SOON (14 * USEC_PER_DAY)

static bool
say(const char *what, enum err e, const struct why *why)
{
    if (e == OK)
        printf("good  %s\n", what);
    else
        printf("BAD   %s: %s\n", what, why->text[0] != '\0' ? why->text : err_name(e));
    return e == OK;
}

static enum err
certificate_look(const char *path, utime now, struct why *why)
{
    AUTO(buf_free) struct buf der = BUF_BOUNDED(X509_DER_MAX);
    AUTO(x509_done) struct x509_cert cert = { .not_after = 0 };
    char text[64 * 1024];
    ssize_t got;
    int fd;
    enum err e;

    if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
        return why_set(why, ERR_NOT_FOUND, "%s: %m", path);
    got = read(fd, text, sizeof(text));
    close(fd);
    if (got <= 0)
        return why_set(why, ERR_INPUT, "%s: empty or unreadable", path);
    if ((e = x509_pem_decode((struct str){ text, (size_t)got }, &der, why)) != OK ||
        (e = x509_read(buf_view(&der), &cert, why)) != OK || (e = x509_check_dates(&cert, now, why)) != OK)
        return e;
    return cert.not_after - now > CERT_SOON ? OK : why_set(why, ERR_DENIED, "%s: ends within 14 days", path);
}

static enum err
door_look(const struct mairie *m, struct why *why)
{
    struct http_answer answer = { .body = BUF_BOUNDED(4096) };
    char url[1024];
    enum err e;

    snprintf(url, sizeof(url), "%s/v1/health", m->conf.idp_url);
    e = http_call(m->door, "GET", url, NULL, STR_NULL, &answer, why);
    if (e == OK && answer.status != 200)
        e = why_set(why, ERR_DENIED, "%s answers %d: is this town's certificate registered?", url, answer.status);
    http_answer_done(&answer);
    return e;
}

int
mairie_doctor(int argc, char **argv)
{
    const char *config = NULL;
    const struct command_option options[] = { { "--config", &config, NULL } };
    AUTO(mairie_freep) struct mairie *m = NULL;
    AUTO(pg_closep) struct pg *pg = NULL;
    struct why why = WHY_INIT;
    struct pg_config pg_conf;
    bool good;
    size_t n;
    enum err e;

    if (!command_options(argc, argv, options, ARRAY_LEN(options), NULL, 0, &n) || config == NULL)
        return command_usage("doctor --config FILE");
    e = mairie_load(config, MAIRIE_NEED_PAGES | MAIRIE_NEED_KEYS | MAIRIE_NEED_DOOR, &m, &why);
    if (!say("configuration, pages and keys", e, &why))
        return 1;
    pg_conf = command_pg_config(m->conf.database, mairie_all_stmts);
    good = say("database and its schema", pg_open(&pg_conf, &pg, &why), &why);
    good = say("client certificate", certificate_look(m->conf.idp_cert, clock_now(), &why), &why) && good;
    if (m->conf.tls_cert[0] != '\0')
        good = say("server certificate", certificate_look(m->conf.tls_cert, clock_now(), &why), &why) && good;
    good = say("the way to the IdP", door_look(m, &why), &why) && good;
    return good ? 0 : 1;
}
