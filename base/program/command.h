/*
 * command: what a command of a program is written with: its words and options, its last words, the database.
 *
 * A command reads its words with command_options(), says its usage or why it failed on stderr, and returns the exit
 * status. All of it belongs to the program that program_main() runs (program.h).
 */
#ifndef BASE_PROGRAM_COMMAND_H
#define BASE_PROGRAM_COMMAND_H

#include "base/pg/pg.h"

/* Options "--name value" in any order; flags have no value. One of value and flag is NULL. */
struct command_option {
    const char *name;            /* "--config" */
    const char **value;          /* set to what follows it */
    bool *flag;                  /* set to true */
};
/* Fills the targets; words that are no option go to words (at most max). Returns false after saying what is wrong. */
bool command_options(int argc, char **argv, const struct command_option *options, size_t n, const char **words,
                     size_t max, size_t *ret_nwords);
/* Is there a word i, and is it this one? */
bool command_word_is(const char *const *words, size_t n, size_t i, const char *word);

/* Says "usage: <program> <line>" on stderr and returns 2. */
int command_usage(const char *line);
/* Says "<program>: <context>: <reason>" on stderr and returns 1. */
int command_fail(const char *context, enum err e, const struct why *why);

/* How this program opens a database: conninfo and stmts with its schema and the versions it knows. */
struct pg_config command_pg_config(const char *conninfo, const struct pg_stmts *const *stmts);
/* Who a command works as: the schema's owner (setting database.owner) or, without one, as the process does. */
const char *command_conninfo(const char *database, const char *database_owner);
/* Opens the database so, with the statements of the program's commands. Once per process: the configuration behind the
 * connection is one. */
MUST_USE enum err command_database(const char *database, const char *database_owner, struct pg **ret, struct why *why);
/* "operator:<login name of the person>", for the audit trail. */
const char *command_actor(void);
/* Whole file into the buffer; "-" is standard input. */
MUST_USE enum err command_read_file(const char *path, struct buf *out, struct why *why);

#endif
