/* command: words, options, last words. */
#include "base/program/command.h"

#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

#include "base/program/program.h"

static bool
option_take(int argc, char **argv, int *i, const struct command_option *o)
{
    if (o->flag != NULL) {
        *o->flag = true;
        return true;
    }
    if (*i + 1 >= argc) {
        fprintf(stderr, "%s: %s needs a value\n", program_running()->name, o->name);
        return false;
    }
    *o->value = argv[++*i];
    return true;
}

bool
command_options(int argc, char **argv, const struct command_option *options, size_t n, const char **words, size_t max,
                size_t *ret_nwords)
{
    size_t nwords = 0;

    for (int i = 0; i < argc; i++) {
        size_t k = 0;

        if (strncmp(argv[i], "--", 2) != 0) {
            if (nwords == max) {
                fprintf(stderr, "%s: one word too many: %s\n", program_running()->name, argv[i]);
                return false;
            }
            words[nwords++] = argv[i];
            continue;
        }
        while (k < n && strcmp(argv[i], options[k].name) != 0)
            k++;
        if (k == n) {
            fprintf(stderr, "%s: unknown option %s\n", program_running()->name, argv[i]);
            return false;
        }
        if (!option_take(argc, argv, &i, &options[k]))
            return false;
    }
    *ret_nwords = nwords;
    return true;
}

bool
command_word_is(const char *const *words, size_t n, size_t i, const char *word)
{
    return i < n && strcmp(words[i], word) == 0;
}

int
command_usage(const char *line)
{
    fprintf(stderr, "usage: %s %s\n", program_running()->name, line);
    return 2;
}

int
command_fail(const char *context, enum err e, const struct why *why)
{
    fprintf(stderr, "%s: %s: %s\n", program_running()->name, context,
            why->text[0] != '\0' ? why->text : err_name(e));
    return 1;
}

struct pg_config
command_pg_config(const char *conninfo, const struct pg_stmts *const *stmts)
{
    struct pg_config conf = program_running()->database;

    conf.conninfo = conninfo;
    conf.stmts = stmts;
    return conf;
}

const char *
command_conninfo(const char *database, const char *database_owner)
{
    return database_owner[0] != '\0' ? database_owner : database;
}

enum err
command_database(const char *database, const char *database_owner, struct pg **ret, struct why *why)
{
    static struct pg_config conf;       /* outlives the connection: one per command */

    conf = command_pg_config(command_conninfo(database, database_owner), program_running()->database.stmts);
    return pg_open(&conf, ret, why);
}

const char *
command_actor(void)
{
    static char actor[64];
    const struct passwd *who = getpwuid(getuid());

    if (who != NULL)
        snprintf(actor, sizeof(actor), "operator:%s", who->pw_name);
    else
        snprintf(actor, sizeof(actor), "operator:%u", (unsigned)getuid());
    return actor;
}

enum err
command_read_file(const char *path, struct buf *out, struct why *why)
{
    FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    char block[4096];
    size_t n;

    if (f == NULL)
        return why_set(why, ERR_NOT_FOUND, "%s: %m", path);
    while ((n = fread(block, 1, sizeof(block), f)) > 0)
        buf_add(out, block, n);
    n = (size_t)ferror(f);
    if (f != stdin)
        fclose(f);
    if (n != 0)
        return why_set(why, ERR_UNAVAILABLE, "%s: cannot be read", path);
    return buf_ok(out) ? OK : why_set(why, ERR_INPUT, "%s: larger than %zu bytes", path, out->max);
}
