/* program_commands: the commands that are the same in each program. */
#include "base/program/program.h"

#include <stdio.h>

#include "base/pg/audit.h"
#include "base/pg/migrate.h"
#include "base/program/command.h"

int
program_migrate(int argc, char **argv)
{
    const struct program *p = program_running();
    const char *config = NULL;
    bool dry = false;
    const struct command_option options[] = { { "--config", &config, NULL }, { "--dry-run", NULL, &dry } };
    AUTO(program_site_done) struct program_site site = { .app = NULL };
    struct migrate_report report;
    struct why why = WHY_INIT;
    size_t n;
    enum err e;

    if (!command_options(argc, argv, options, ARRAY_LEN(options), NULL, 0, &n) || config == NULL)
        return command_usage("migrate --config FILE [--dry-run]");
    if ((e = p->load(config, 0, &site, &why)) != OK)
        return command_fail(config, e, &why);
    e = migrate_run(command_conninfo(site.database, site.database_owner), p->database.schema, site.migrations, dry,
                    &report, &why);
    if (e != OK)
        return command_fail("migrate", e, &why);
    printf("schema %s: version %d%s%d\n", p->database.schema, report.from, dry ? " would become " : " is now ",
           report.to);
    return 0;
}

static int
keys_usage(void)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(512);
    const struct program *p = program_running();

    buf_adds(&text, "keys init --config FILE");
    for (size_t i = 0; i < p->nprocesses; i++) {
        if (i == 0)
            buf_addf(&text, "\n       %s keys give ", p->name);
        buf_addf(&text, "%s%s", i == 0 ? "" : "|", p->processes[i].name);
    }
    if (p->nprocesses > 0)
        buf_adds(&text, " FOLDER --config FILE");
    return command_usage(buf_cstr(&text));
}

int
program_keys(int argc, char **argv)
{
    const struct program *p = program_running();
    const char *config = NULL, *words[3] = { NULL };
    const struct command_option options[] = { { "--config", &config, NULL } };
    AUTO(program_site_done) struct program_site site = { .app = NULL };
    struct why why = WHY_INIT;
    unsigned need = 0;
    bool init, give;
    size_t n;
    enum err e;

    if (!command_options(argc, argv, options, ARRAY_LEN(options), words, 3, &n) || config == NULL)
        return keys_usage();
    init = n == 1 && command_word_is(words, n, 0, "init");
    give = n == 3 && command_word_is(words, n, 0, "give") && program_process_find(words[1], &need);
    if (!init && !give)
        return keys_usage();
    if ((e = p->load(config, 0, &site, &why)) != OK)
        return command_fail(config, e, &why);
    e = init ? keyfolder_init(site.keys, p->keys, p->nkeys, clock_now(), &why)
             : keyfolder_give(site.keys, p->keys, p->nkeys, need, words[2], &why);
    if (e != OK)
        return command_fail(init ? "keys init" : "keys give", e, &why);
    if (give)
        printf("%s: the keys of %s\n", words[2], words[1]);
    return 0;
}

int
program_audit(int argc, char **argv)
{
    const char *config = NULL, *words[1] = { NULL };
    const struct command_option options[] = { { "--config", &config, NULL } };
    AUTO(program_site_done) struct program_site site = { .app = NULL };
    AUTO(pg_closep) struct pg *pg = NULL;
    struct audit_report report;
    struct why why = WHY_INIT;
    size_t n;
    enum err e;

    if (!command_options(argc, argv, options, ARRAY_LEN(options), words, 1, &n) || config == NULL ||
        !command_word_is(words, n, 0, "verify"))
        return command_usage("audit verify --config FILE");
    if ((e = program_running()->load(config, PROGRAM_NEED_AUDIT_KEY, &site, &why)) != OK ||
        (e = command_database(site.database, site.database_owner, &pg, &why)) != OK ||
        (e = audit_verify(pg, site.audit_key, clock_now(), &report, &why)) != OK)
        return command_fail("audit verify", e, &why);
    printf("{\"rows\":%lld,\"checkpoints\":%lld,\"unsealed\":%lld,\"bad_seq\":%lld,\"bad_reason\":\"%s\"}\n",
           (long long)report.rows, (long long)report.checkpoints, (long long)report.unsealed,
           (long long)report.bad_seq, report.bad_reason);
    return report.bad_seq == 0 && report.bad_reason[0] == '\0' ? 0 : 1;
}

int
program_clock(int argc, char **argv)
{
    const char *config = NULL, *advance = NULL;
    const struct command_option options[] = { { "--config", &config, NULL }, { "--advance", &advance, NULL } };
    AUTO(program_site_done) struct program_site site = { .app = NULL };
    char text[UTIME_RFC3339_LEN + 1];
    struct why why = WHY_INIT;
    bool back;
    int64_t by;
    size_t n;
    enum err e;

    if (!command_options(argc, argv, options, ARRAY_LEN(options), NULL, 0, &n) || config == NULL)
        return command_usage("clock --config FILE [--advance [-]DURATION]     (demo and test only)");
    if ((e = program_running()->load(config, 0, &site, &why)) != OK)
        return command_fail(config, e, &why);
    if (advance != NULL) {
        back = advance[0] == '-';
        if ((e = duration_parse(advance + (back ? 1 : 0), &by)) != OK)
            return command_usage("clock --config FILE --advance 24h");
        if ((e = clock_advance(back ? -by : by, &why)) != OK)
            return command_fail("clock", e, &why);
    }
    utime_rfc3339(clock_now(), text);
    printf("%s\n", text);
    return 0;
}

int
program_check_config(int argc, char **argv)
{
    const char *words[1] = { NULL };
    bool production = false;
    const struct command_option options[] = { { "--production", NULL, &production } };
    AUTO(program_site_done) struct program_site site = { .app = NULL };
    struct why why = WHY_INIT;
    size_t n;
    enum err e;

    if (!command_options(argc, argv, options, ARRAY_LEN(options), words, 1, &n) || n != 1)
        return command_usage("--check-config FILE [--production]");
    if ((e = program_running()->load(words[0], PROGRAM_NEED_PAGES, &site, &why)) != OK)
        return command_fail(words[0], e, &why);
    if (production && site.environment != ENVIRONMENT_PRODUCTION) {
        e = why_set(&why, ERR_DENIED, "environment is not production");
        return command_fail(words[0], e, &why);
    }
    printf("%s: good\n", words[0]);
    return 0;
}

int
program_config(int argc, char **argv)
{
    const struct program *p = program_running();
    AUTO(buf_free) struct buf out = BUF_BOUNDED(256 * 1024);

    if (argc == 1 && strcmp(argv[0], "sample") == 0)
        conf_print_sample(p->settings, p->nsettings, &out);
    else if (argc == 1 && strcmp(argv[0], "reference") == 0)
        conf_print_reference(p->settings, p->nsettings, &out);
    else
        return command_usage("config sample|reference");
    fputs(buf_cstr(&out), stdout);
    return 0;
}

/* --- routes ---------------------------------------------------------------------------------------------------------- */

static const char *
method_name(enum http_method m)
{
    switch (m) {
    case HTTP_GET:
        return "GET";
    case HTTP_POST:
        return "POST";
    case HTTP_PUT:
        return "PUT";
    case HTTP_DELETE:
        return "DELETE";
    case HTTP_PATCH:
        return "PATCH";
    case HTTP_OPTIONS:
        return "OPTIONS";
    }
    return "?";
}

static void
routes_print(const struct program_door *door)
{
    for (const struct http_routes *const *table = door->routes; *table != NULL; table++) {
        for (size_t i = 0; i < (*table)->n; i++) {
            const struct http_route *r = &(*table)->list[i];

            printf("%s %s %s %s %s\n", door->name, method_name(r->method), r->path, r->name, r->html ? "html" : "-");
        }
    }
}

int
program_routes(int argc, char **argv)
{
    const struct program *p = program_running();

    (void)argv;
    if (argc != 0)
        return command_usage("routes");
    for (size_t i = 0; i < p->ndoors; i++)
        routes_print(&p->doors[i]);
    return 0;
}
