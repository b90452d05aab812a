/* The short commands: authorisation, doctor. */
#include "mairie-connector/town/command.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/core/text.h"
#include "base/crypto/x509.h"
#include "mairie-connector/town/dossier.h"
#include "mairie-connector/wire/wire.h"

/* --- authorisations ---------------------------------------------------------------------------------------------------- */

static int
authorisation_add(const struct mairie *m, const char *code, const char *fr, const char *en, bool sensitive)
{
    AUTO(pg_closep) struct pg *pg = NULL;
    struct why why = WHY_INIT;
    enum err e;

    if (!wire_is_authz_code(str_of(code)))
        e = why_set(&why, ERR_INPUT, "a code is a small letter, then small letters, digits and _, %d at most",
                    WIRE_AUTHZ_CODE_MAX);
    else if (!wire_is_label(str_of(fr)) || !wire_is_label(str_of(en)))
        e = why_set(&why, ERR_INPUT, "a label is 1 to %d characters on one line", WIRE_LABEL_MAX);
    else if ((e = mairie_database(m, &pg, &why)) == OK)
        e = authz_def_put(pg, code, fr, en, sensitive, command_actor(), clock_now(), &why);
    if (e != OK)
        return command_fail("authorisation add", e, &why);
    printf("authorisation %s: in force\n", code);
    return 0;
}

static int
authorisation_list(const struct mairie *m)
{
    AUTO(arena_freep) struct arena *arena = arena_new(1024 * 1024);
    AUTO(pg_closep) struct pg *pg = NULL;
    struct authz_def *list;
    struct why why = WHY_INIT;
    size_t n;
    enum err e;

    if ((e = mairie_database(m, &pg, &why)) != OK || (e = authz_defs_all(pg, arena, &list, &n, &why)) != OK)
        return command_fail("authorisation list", e, &why);
    for (size_t i = 0; i < n; i++)
        printf("%-30s %-9s %s / %s\n", list[i].id, list[i].sensitive ? "sensitive" : "ordinary", list[i].label_fr,
               list[i].label_en);
    return 0;
}

int
mairie_authorisation(int argc, char **argv)
{
    const char *config = NULL, *fr = NULL, *en = NULL, *words[2] = { NULL, NULL };
    bool sensitive = false, add, list;
    const struct command_option options[] = {
        { "--config", &config, NULL }, { "--label-fr", &fr, NULL }, { "--label-en", &en, NULL },
        { "--sensitive", NULL, &sensitive },
    };
    AUTO(mairie_freep) struct mairie *m = NULL;
    struct why why = WHY_INIT;
    size_t n;
    enum err e;

    if (!command_options(argc, argv, options, ARRAY_LEN(options), words, 2, &n))
        n = 0;
    add = n == 2 && command_word_is(words, n, 0, "add") && fr != NULL && en != NULL;
    list = n == 1 && command_word_is(words, n, 0, "list") && fr == NULL && en == NULL && !sensitive;
    if (config == NULL || (!add && !list))
        return command_usage("authorisation add CODE --config FILE --label-fr TEXT --label-en TEXT [--sensitive]\n"
                             "       beffroi-mairie authorisation list --config FILE");
    if ((e = mairie_load(config, 0, &m, &why)) != OK)
        return command_fail(config, e, &why);
    return add ? authorisation_add(m, words[1], fr, en, sensitive) : authorisation_list(m);
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
