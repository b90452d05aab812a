/* command: `beffroi-pki ceremony …`. */
#include <stdio.h>

#include "pki/ceremony/ceremony.h"
#include "pki/custody/phrase.h"

#define SCHEMA "pki"
#define SCHEMA_MIN 4
#define SCHEMA_MAX 4

struct options {
    const char *dir, *ca, *generation, *profiles, *profile, *key, *alg, *lang, *level, *answers, *database;
};

static int
usage(void)
{
    (void)fputs("usage: beffroi-pki ceremony script KIND [--ca NAME] [--lang fr|en]\n"
                "       beffroi-pki ceremony run KIND --dir DIR [--ca NAME] [--generation N] [--level 1|2|3] [--lang fr|en]\n"
                "           [--profiles FOLDER] [--profile NAME] [--key sealed:FILE|pkcs11:…] [--alg p256|p384|rsa3072|rsa4096]\n"
                "           [--database CONNINFO] [--answers FILE|fd:N]\n"
                "       beffroi-pki ceremony import --dir DIR --database CONNINFO\n"
                "       beffroi-pki ceremony verify RECORD.txt\n"
                "KIND: root, issuing, renew, list, compromise, destroy\n", stderr);
    return 2;
}

static int
fail(const char *context, enum err e, const struct why *why)
{
    (void)fprintf(stderr, "beffroi-pki: %s: %s\n", context, why->text[0] != '\0' ? why->text : err_name(e));
    return 1;
}

static bool
options_read(int argc, char **argv, struct options *o)
{
    const struct {
        const char *name;
        const char **value;
    } rows[] = { { "--dir", &o->dir },         { "--ca", &o->ca },           { "--generation", &o->generation },
                 { "--profiles", &o->profiles }, { "--profile", &o->profile }, { "--key", &o->key },
                 { "--alg", &o->alg },         { "--lang", &o->lang },       { "--level", &o->level },
                 { "--answers", &o->answers }, { "--database", &o->database } };

    for (int i = 0; i < argc; i += 2) {
        size_t k = 0;

        while (k < ARRAY_LEN(rows) && strcmp(argv[i], rows[k].name) != 0)
            k++;
        if (k == ARRAY_LEN(rows) || i + 1 == argc)
            return false;
        *rows[k].value = argv[i + 1];
    }
    return o->lang == NULL || strcmp(o->lang, "fr") == 0 || strcmp(o->lang, "en") == 0;
}

static bool
config_fill(const struct options *o, struct ceremony_config *conf)
{
    int64_t level = CEREMONY_LEVEL_DEFAULT, generation = 0;

    if ((o->level != NULL && str_to_i64(str_of(o->level), 1, 3, &level) != OK) ||
        (o->generation != NULL && str_to_i64(str_of(o->generation), 1, 999, &generation) != OK))
        return false;
    conf->dir = o->dir;
    conf->ca = o->ca != NULL ? o->ca : conf->kind == CEREMONY_ROOT || conf->kind == CEREMONY_LIST ? "root" : NULL;
    conf->generation = (int)generation;
    conf->profiles = o->profiles != NULL ? o->profiles : "/usr/share/beffroi/profiles";
    conf->profile = o->profile != NULL ? o->profile : "issuing-ca";
    conf->key_uri = o->key;
    conf->alg = o->alg != NULL ? o->alg : "p384";
    conf->lang = o->lang != NULL ? o->lang : "fr";
    conf->level = (int)level;
    conf->cost = (struct password_cost)PHRASE_COST;
    conf->list_life = CEREMONY_LIST_LIFE;
    return conf->dir != NULL && conf->ca != NULL;
}

/* conf outlives the connection. */
static enum err
database_open(const char *conninfo, struct pg_config *conf, struct pg **ret, struct why *why)
{
    *conf = (struct pg_config){ .conninfo = conninfo, .stmts = ceremony_stmts_all, .schema = SCHEMA, .schema_min = SCHEMA_MIN,
                                .schema_max = SCHEMA_MAX };
    return pg_open(conf, ret, why);
}

static int
command_run(enum ceremony_kind kind, const struct options *o)
{
    struct ceremony_config conf = { .kind = kind };
    struct pg_config pg_conf;
    AUTO(pg_closep) struct pg *pg = NULL;
    AUTO(ask_freep) struct ask *ask = NULL;
    struct why why = WHY_INIT;
    enum err e;

    if (!config_fill(o, &conf))
        return usage();
    if (o->database != NULL && (e = database_open(o->database, &pg_conf, &pg, &why)) != OK)
        return fail("database", e, &why);
    e = o->answers != NULL ? ask_open_answers(o->answers, stdout, &ask, &why) : ask_open_terminal("/dev/tty", &ask, &why);
    if (e != OK)
        return fail("ceremony", e, &why);
    conf.pg = pg;
    conf.ask = ask;
    return (e = ceremony_run(&conf, &why)) == OK ? 0 : fail(ceremony_kind_name(kind), e, &why);
}

static int
command_script(enum ceremony_kind kind, const struct options *o)
{
    AUTO(buf_free) struct buf out = BUF_BOUNDED(65536);

    ceremony_script(kind, o->ca != NULL ? o->ca : kind == CEREMONY_ROOT || kind == CEREMONY_LIST ? "root" : "…",
                    o->lang != NULL ? o->lang : "fr", &out);
    (void)fputs(buf_cstr(&out), stdout);
    return 0;
}

static int
command_import(const struct options *o)
{
    struct pg_config pg_conf;
    AUTO(pg_closep) struct pg *pg = NULL;
    struct why why = WHY_INIT;
    enum err e;

    if (o->dir == NULL || o->database == NULL)
        return usage();
    if ((e = database_open(o->database, &pg_conf, &pg, &why)) != OK ||
        (e = ceremony_import(pg, o->dir, clock_now(), &why)) != OK)
        return fail("ceremony import", e, &why);
    return 0;
}

static int
command_verify(const char *path)
{
    struct why why = WHY_INIT;
    size_t signers = 0;
    enum err e;

    if ((e = ceremony_verify(path, &signers, &why)) != OK)
        return fail(path, e, &why);
    (void)printf("%s: signed by %zu\n", path, signers);
    return 0;
}

int
ceremony_command(int argc, char **argv)
{
    struct options o = { .dir = NULL };
    enum ceremony_kind kind;

    if (argc == 2 && strcmp(argv[0], "verify") == 0)
        return command_verify(argv[1]);
    if (argc >= 1 && strcmp(argv[0], "import") == 0)
        return options_read(argc - 1, argv + 1, &o) ? command_import(&o) : usage();
    if (argc < 2 || ceremony_kind_parse(str_of(argv[1]), &kind) != OK || !options_read(argc - 2, argv + 2, &o))
        return usage();
    if (strcmp(argv[0], "run") == 0)
        return command_run(kind, &o);
    return strcmp(argv[0], "script") == 0 ? command_script(kind, &o) : usage();
}
