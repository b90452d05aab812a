/*
 * command: the commands of beffroi-mairie. Each is `beffroi-mairie NAME [ACTION] --config FILE …`; main.c has the
 * table. A command returns the exit status: 0 done, 1 failed (said on stderr), 2 wrong usage.
 */
#ifndef MAIRIE_TOWN_COMMAND_H
#define MAIRIE_TOWN_COMMAND_H

#include "base/program/command.h"
#include "base/program/program.h"
#include "mairie-connector/town/mairie.h"

int mairie_serve(int argc, char **argv);
int mairie_outbox(int argc, char **argv);
int mairie_agent(int argc, char **argv);
int mairie_authorisation(int argc, char **argv);
int mairie_doctor(int argc, char **argv);

/* --- what they share (command.c) ---------------------------------------------------------------------------------- */
extern const struct pg_stmts *const mairie_web_stmts[];
extern const struct pg_stmts *const mairie_all_stmts[];
extern const struct http_routes *const mairie_routes[];
extern const struct program_door mairie_doors[];
extern const size_t mairie_ndoors;
extern const struct http_routes mairie_asset_routes;

/* What base/program reads a configuration with. */
MUST_USE enum err mairie_site_load(const char *config, unsigned need, struct program_site *ret, struct why *why);
/* Opens the database as the schema's owner (database.owner) or, without one, as this process. */
MUST_USE enum err mairie_database(const struct mairie *m, struct pg **ret, struct why *why);

#endif
