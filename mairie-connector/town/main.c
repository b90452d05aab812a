/* beffroi-mairie: the town's own server. One binary, one command per process or act. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "mairie-connector/town/command.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    { "serve", command_serve, "the web process: the counter" },
    { "outbox", command_outbox, "requests to the IdP, its changes, audit sealer" },
    { "migrate", command_migrate, "bring the database's schema up to this program" },
    { "keys", command_keys, "init: make the key files that are missing" },
    { "agent", command_agent, "add: a person at the counter, with roles and a new one-time key" },
    { "authorisation", command_authorisation, "add: one more authorisation of this town" },
    { "audit", command_audit, "verify: name an audit row that was edited, is missing or unsealed" },
    { "doctor", command_doctor, "look at configuration, keys, database, certificates and the way to the IdP" },
    { "clock", command_clock, "show or move the clock (demo and test only)" },
    { "config", command_config, "sample, reference: print the settings" },
    { "routes", command_routes, "print the route table" },
    { "--check-config", command_check_config, "read a configuration and its templates, change nothing" },
};

static void
help(FILE *to)
{
    fprintf(to, "usage: beffroi-mairie COMMAND [ACTION] [--config FILE] …\n\n");
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        fprintf(to, "  %-15s %s\n", commands[i].name, commands[i].help);
    fprintf(to, "  %-15s %s\n", "--version", "print the version");
}

int
main(int argc, char **argv)
{
    /* Timestamps of any library are UTC; a peer that goes away is an error of its write; nothing is dumped. */
    setenv("TZ", "UTC", 1);
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_DUMPABLE, 0);
    umask(077);
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        help(argc < 2 ? stderr : stdout);
        return argc < 2 ? 2 : 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("beffroi-mairie %s\n", BEFFROI_VERSION);
        return 0;
    }
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 2, argv + 2);
    }
    fprintf(stderr, "beffroi-mairie: no command %s\n\n", argv[1]);
    help(stderr);
    return 2;
}
