/* command: what the commands share. */
#include "mairie-connector/town/command.h"

#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

#include "base/pg/audit.h"
#include "base/pg/job.h"
#include "mairie-connector/town/agent.h"
#include "mairie-connector/town/counter.h"
#include "mairie-connector/town/dossier.h"
#include "mairie-connector/town/outbox.h"

#define WEB_STMTS &job_stmts, &audit_stmts, &agent_stmts, &throttle_stmts, &authz_stmts, &draft_stmts, &dossier_stmts, \
    &person_stmts, &outbox_stmts, &sheet_stmts, &trail_stmts
const struct pg_stmts *const mairie_web_stmts[] = { WEB_STMTS, NULL };
const struct pg_stmts *const mairie_all_stmts[] = { WEB_STMTS, &audit_seal_stmts, NULL };
const struct http_routes *const mairie_routes[] = { &mairie_asset_routes, &counter_routes, NULL };

struct pg_config
command_pg_config(const char *conninfo, const struct pg_stmts *const *stmts)
{
    return (struct pg_config){ .conninfo = conninfo, .stmts = stmts, .schema = MAIRIE_SCHEMA,
                               .schema_min = MAIRIE_SCHEMA_MIN, .schema_max = MAIRIE_SCHEMA_MAX };
}

static bool
option_take(int argc, char **argv, int *i, const struct command_option *o)
{
    if (o->flag != NULL) {
        *o->flag = true;
        return true;
    }
    if (*i + 1 >= argc) {
        fprintf(stderr, "beffroi-mairie: %s needs a value\n", o->name);
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
                fprintf(stderr, "beffroi-mairie: one word too many: %s\n", argv[i]);
                return false;
            }
            words[nwords++] = argv[i];
            continue;
        }
        while (k < n && strcmp(argv[i], options[k].name) != 0)
            k++;
        if (k == n) {
            fprintf(stderr, "beffroi-mairie: unknown option %s\n", argv[i]);
            return false;
        }
        if (!option_take(argc, argv, &i, &options[k]))
            return false;
    }
    *ret_nwords = nwords;
    return true;
}

int
command_fail(const char *context, enum err e, const struct why *why)
{
    fprintf(stderr, "beffroi-mairie: %s: %s\n", context, why->text[0] != '\0' ? why->text : err_name(e));
    return 1;
}

int
command_usage(const char *line)
{
    fprintf(stderr, "usage: beffroi-mairie %s\n", line);
    return 2;
}

enum err
command_database(const struct mairie *m, struct pg **ret, struct why *why)
{
    const char *owner = m->conf.database_owner;
    static struct pg_config conf;       /* outlives the connection: one per command */

    conf = command_pg_config(owner[0] != '\0' ? owner : m->conf.database, mairie_all_stmts);
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
