/* beffroi-idp: the identity provider. One binary, one command per process or act. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "idp/operator/operator.h"
#include "idp/operator/sp.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    { "serve", operator_serve, "the web process: citizens, services, town servers" },
    { "worker", operator_worker, "mail in and out, logout notices, audit sealer, purges" },
    { "migrate", operator_migrate, "bring the database's schema up to this program" },
    { "keys", operator_keys, "init: make the key files that are missing" },
    { "town", operator_town, "add, suspend, resume: town halls" },
    { "sp", saml_sp_command, "add, list, remove: SAML services" },
    { "client", operator_client, "add, list: OpenID Connect clients" },
    { "service", operator_service, "suspend, resume: a SAML service or OIDC client" },
    { "audit", operator_audit, "verify: name an audit row that was edited, is missing or unsealed" },
    { "purge", operator_purge, "remove what its time has passed (the worker does it every minute)" },
    { "clock", operator_clock, "show or move the clock (demo and test only)" },
    { "config", operator_config, "sample, reference: print the settings" },
    { "routes", operator_routes, "print the route table" },
    { "--check-config", operator_check_config, "read a configuration and its templates, change nothing" },
};

static void
help(FILE *to)
{
    fprintf(to, "usage: beffroi-idp COMMAND [ACTION] [--config FILE] …\n\n");
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
        printf("beffroi-idp %s\n", BEFFROI_VERSION);
        return 0;
    }
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 2, argv + 2);
    }
    fprintf(stderr, "beffroi-idp: no command %s\n\n", argv[1]);
    help(stderr);
    return 2;
}
