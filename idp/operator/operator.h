/*
 * operator: the commands of beffroi-idp. Each is `beffroi-idp NAME [ACTION] --config FILE …`; main.c has the table.
 * A command returns the exit status: 0 done, 1 failed (said on stderr), 2 wrong usage.
 */
#ifndef IDP_OPERATOR_OPERATOR_H
#define IDP_OPERATOR_OPERATOR_H

#include "base/program/command.h"
#include "base/program/program.h"
#include "idp/idp.h"
#include "idp/services/services.h"

int operator_serve(int argc, char **argv);
int operator_worker(int argc, char **argv);
int operator_notifier(int argc, char **argv);
int operator_doctor(int argc, char **argv);
int operator_town(int argc, char **argv);
int operator_client(int argc, char **argv);    /* OIDC clients */
int operator_service(int argc, char **argv);   /* suspend and resume of either dialect */
int operator_trust(int argc, char **argv);
int operator_account(int argc, char **argv);
int operator_purge(int argc, char **argv);

/* --- what commands share (common.c) --------------------------------------------------------------------------- */

/* Statements of the web process, of the notifier, and of the worker and the commands. */
extern const struct pg_stmts *const idp_web_stmts[];
extern const struct pg_stmts *const idp_notifier_stmts[];
extern const struct pg_stmts *const idp_all_stmts[];
/* Schema versions this program knows. */
#define IDP_SCHEMA "idp"
#define IDP_SCHEMA_MIN 9
#define IDP_SCHEMA_MAX 9

/* Route tables of the public listeners, of the certificate door and of the town door; NULL-terminated. */
extern const struct http_routes *const idp_public_routes[];
extern const struct http_routes *const idp_certificate_routes[];
extern const struct http_routes *const idp_town_routes[];
extern const struct program_door idp_doors[];
extern const size_t idp_ndoors;
extern const struct http_routes assets_routes;
extern const struct service_parser *const idp_service_parsers[];
extern const struct signon_dialect *const idp_dialects[];

/* What base/program reads a configuration with. */
MUST_USE enum err operator_load(const char *config, unsigned need, struct program_site *ret, struct why *why);
struct trust_fetch;
/* How this installation fetches lists of revoked certificates. */
struct trust_fetch operator_trust_fetch(const struct idp *idp);
/* idp->authority, where pki.url is set; authority_close() is the caller's. most: requests that call it at once, 0: any number. */
MUST_USE enum err operator_authority(struct idp *idp, int64_t timeout, int most, struct why *why);
/* Opens the database as the schema's owner (database.owner) or, without one, as this process. */
MUST_USE enum err operator_database(const struct idp *idp, struct pg **ret, struct why *why);

#endif
