/*
 * command: the commands of beffroi-mairie. Each is `beffroi-mairie NAME [ACTION] --config FILE …`; main.c has the
 * table. A command returns the exit status: 0 done, 1 failed (said on stderr), 2 wrong usage.
 */
#ifndef MAIRIE_TOWN_COMMAND_H
#define MAIRIE_TOWN_COMMAND_H

#include <signal.h>

#include "mairie-connector/town/mairie.h"

int command_serve(int argc, char **argv);
int command_outbox(int argc, char **argv);
int command_migrate(int argc, char **argv);
int command_keys(int argc, char **argv);
int command_agent(int argc, char **argv);
int command_authorisation(int argc, char **argv);
int command_audit(int argc, char **argv);
int command_doctor(int argc, char **argv);
int command_routes(int argc, char **argv);
int command_clock(int argc, char **argv);
int command_check_config(int argc, char **argv);
int command_config(int argc, char **argv);

/* --- what they share (command.c) ---------------------------------------------------------------------------------- */
extern const struct pg_stmts *const mairie_web_stmts[];
extern const struct pg_stmts *const mairie_all_stmts[];
extern const struct http_routes *const mairie_routes[];
extern const struct http_routes mairie_asset_routes;
struct pg_config command_pg_config(const char *conninfo, const struct pg_stmts *const *stmts);

/* Options "--name value" in any order; flags have no value. A NULL value is a flag's bool. */
struct command_option {
    const char *name;
    const char **value;
    bool *flag;
};
bool command_options(int argc, char **argv, const struct command_option *options, size_t n, const char **words,
                     size_t max, size_t *ret_nwords);
int command_fail(const char *context, enum err e, const struct why *why);
int command_usage(const char *line);
/* Opens the database as the schema's owner (database.owner) or, without one, as this process. */
MUST_USE enum err command_database(const struct mairie *m, struct pg **ret, struct why *why);
const char *command_actor(void);      /* "operator:<login of the person>" */

#endif
