/*
 * operator: the commands of beffroi-idp. Each is `beffroi-idp NAME [ACTION] --config FILE …`; main.c has the table.
 * A command returns the exit status: 0 done, 1 failed (said on stderr), 2 wrong usage.
 */
#ifndef IDP_OPERATOR_OPERATOR_H
#define IDP_OPERATOR_OPERATOR_H

#include <signal.h>

#include "idp/idp.h"
#include "idp/services/services.h"

int operator_serve(int argc, char **argv);
int operator_worker(int argc, char **argv);
int operator_migrate(int argc, char **argv);
int operator_keys(int argc, char **argv);
int operator_town(int argc, char **argv);
int operator_client(int argc, char **argv);    /* OIDC clients */
int operator_service(int argc, char **argv);   /* suspend and resume of either dialect */
int operator_clock(int argc, char **argv);
int operator_purge(int argc, char **argv);
int operator_audit(int argc, char **argv);
int operator_routes(int argc, char **argv);    /* the route table, for the tests of pages and of the OpenAPI file */
int operator_check_config(int argc, char **argv);
int operator_config(int argc, char **argv);    /* sample and reference */

/* --- what commands share (common.c) --------------------------------------------------------------------------- */

/* Statements of the web process, and of the worker and the commands. */
extern const struct pg_stmts *const idp_web_stmts[];
extern const struct pg_stmts *const idp_all_stmts[];
/* Schema versions this program knows. */
#define IDP_SCHEMA "idp"
#define IDP_SCHEMA_MIN 1
#define IDP_SCHEMA_MAX 1
struct pg_config operator_pg_config(const char *conninfo, const struct pg_stmts *const *stmts);

/* Route tables of the public listeners, and of the town door; NULL-terminated. */
extern const struct http_routes *const idp_public_routes[];
extern const struct http_routes *const idp_town_routes[];
extern const struct http_routes assets_routes;
extern const struct service_parser *const idp_service_parsers[];
extern const struct signon_dialect *const idp_dialects[];

/* Options "--name value" in any order; flags have no value. A NULL target is a flag's bool. */
struct operator_option {
    const char *name;            /* "--config" */
    const char **value;          /* or */
    bool *flag;
};
/* Fills the targets; words that are no option go to words (at most max). Returns false after saying what is wrong. */
bool operator_options(int argc, char **argv, const struct operator_option *options, size_t n, const char **words,
                      size_t max, size_t *ret_nwords);
/* Says "beffroi-idp: <context>: <reason>" on stderr and returns 1. */
int operator_fail(const char *context, enum err e, const struct why *why);
/* Opens the database as the schema's owner (database.owner) or, without one, as this process. */
MUST_USE enum err operator_database(const struct idp *idp, struct pg **ret, struct why *why);
/* "operator:<login name of the person>". */
const char *operator_actor(void);
/* Whole file into the buffer; "-" is standard input. */
MUST_USE enum err operator_read_file(const char *path, struct buf *out, struct why *why);

#endif
