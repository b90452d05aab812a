/*
 * program: what every program of the house is: one binary with a table of commands, settings, a schema, a key folder.
 *
 * A program fills one struct program in its main.c and hands it to program_main(), which reads the first word, runs that
 * command and returns its exit status: 0 done, 1 failed (said on stderr), 2 wrong usage. The commands that are the same
 * in each program are here too (program_migrate() and the like); a program puts those it has into its table. What its own
 * commands are written with is in command.h, what its processes are in process.h, its keys in keyfolder.h.
 */
#ifndef BASE_PROGRAM_PROGRAM_H
#define BASE_PROGRAM_PROGRAM_H

#include "base/core/conf.h"
#include "base/http/server.h"
#include "base/pg/pg.h"
#include "base/program/keyfolder.h"

struct command {
    const char *name;                         /* the first word: "serve", "--check-config" */
    int (*run)(int argc, char **argv);        /* the words after it; returns the exit status */
    const char *help;                         /* one line of --help */
};

/* Routes that the command `routes` prints, under a name: "public", "town". */
struct program_door {
    const char *name;
    const struct http_routes *const *routes;  /* NULL-terminated */
};

/* A process of the program: `keys give` copies the key files of one, `doctor` looks at those of one. */
struct program_process {
    const char *name;                         /* "web", "worker" */
    unsigned need;                            /* bits of keyfile.need */
};

/* What the commands below ask of a program that has read its configuration: views, owned by app. */
struct program_site {
    void *app;                                /* the program's own */
    void (*free)(void *app);
    enum environment environment;
    const char *database, *database_owner;    /* connection strings; the owner's may be empty */
    const char *migrations, *keys;            /* folders */
    const struct key *audit_key;              /* with PROGRAM_NEED_AUDIT_KEY */
};
void program_site_done(struct program_site *site);
/* What beside the configuration is loaded. */
enum program_need { PROGRAM_NEED_PAGES = 1, PROGRAM_NEED_AUDIT_KEY = 2 };

struct program {
    const char *name, *version;               /* "beffroi-idp", "0.1.0" */
    const struct command *commands;           /* in the order of --help */
    size_t ncommands;
    const struct conf_item *settings;
    size_t nsettings;
    struct pg_config database;                /* schema and its versions, statements of the commands; conninfo is not read */
    const struct keyfile *keys;
    size_t nkeys;
    const struct program_process *processes;  /* none: they share one key folder */
    size_t nprocesses;
    const struct program_door *doors;
    size_t ndoors;
    /* Reads the configuration, and what need names; what it fills *ret with is released by program_site_done(). */
    enum err (*load)(const char *config, unsigned need, struct program_site *ret, struct why *why);
};

/* Called once by main(), before any thread: prepares the process, runs the command, returns the exit status. p must
 * outlive the process. */
int program_main(const struct program *p, int argc, char **argv);
/* What program_main() was given. */
const struct program *program_running(void);
/* The process of that name of the running program. */
bool program_process_find(const char *name, unsigned *ret_need);

/* --- commands that are the same in each program (program_commands.c) ----------------------------------------------- */
int program_migrate(int argc, char **argv);         /* migrate --config FILE [--dry-run] */
int program_keys(int argc, char **argv);            /* keys init --config FILE, keys give PROCESS FOLDER --config FILE */
int program_audit(int argc, char **argv);           /* audit verify --config FILE */
int program_clock(int argc, char **argv);           /* clock --config FILE [--advance [-]DURATION] */
int program_config(int argc, char **argv);          /* config sample|reference */
int program_routes(int argc, char **argv);          /* routes: for the tests of pages and of the OpenAPI file */
int program_check_config(int argc, char **argv);    /* --check-config FILE [--production] */

/* --- what reading a configuration ends with, the same in each program ----------------------------------------------- */
/* Drops '/' at the end of a base URL. */
void program_url_trim(char *url);
/* ERR_INPUT: tls.cert without tls.key, or the other way round. */
MUST_USE enum err program_tls_check(const char *cert, const char *key, struct why *why);
/* Takes clock.file into use, where one is set; ERR_INPUT in production (DESIGN rule 7). */
MUST_USE enum err program_clock_use(enum environment environment, const char *clock_file, struct why *why);

#endif
