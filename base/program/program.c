/* program: from main() to the command that was asked for. */
#include "base/program/program.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

static const struct program *running;       /* set once, before any thread */

const struct program *
program_running(void)
{
    CHECK(running != NULL);
    return running;
}

bool
program_process_find(const char *name, unsigned *ret_need)
{
    for (size_t i = 0; i < program_running()->nprocesses; i++) {
        if (strcmp(running->processes[i].name, name) == 0) {
            *ret_need = running->processes[i].need;
            return true;
        }
    }
    return false;
}

static void
help(const struct program *p, FILE *to)
{
    fprintf(to, "usage: %s COMMAND [ACTION] [--config FILE] …\n\n", p->name);
    for (size_t i = 0; i < p->ncommands; i++)
        fprintf(to, "  %-15s %s\n", p->commands[i].name, p->commands[i].help);
    fprintf(to, "  %-15s %s\n", "--version", "print the version");
}

/* Timestamps of any library are UTC; a peer that goes away is an error of its write; nothing is dumped. */
static void
prepare(void)
{
    setenv("TZ", "UTC", 1);
    signal(SIGPIPE, SIG_IGN);
    setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
    prctl(PR_SET_DUMPABLE, 0);
    umask(077);
}

int
program_main(const struct program *p, int argc, char **argv)
{
    running = p;
    prepare();
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        help(p, argc < 2 ? stderr : stdout);
        return argc < 2 ? 2 : 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("%s %s\n", p->name, p->version);
        return 0;
    }
    for (size_t i = 0; i < p->ncommands; i++) {
        if (strcmp(argv[1], p->commands[i].name) == 0)
            return p->commands[i].run(argc - 2, argv + 2);
    }
    fprintf(stderr, "%s: no command %s\n\n", p->name, argv[1]);
    help(p, stderr);
    return 2;
}

void
program_site_done(struct program_site *site)
{
    if (site->free != NULL)
        site->free(site->app);
    *site = (struct program_site){ .app = NULL };
}

void
program_url_trim(char *url)
{
    size_t n = strlen(url);

    while (n > 0 && url[n - 1] == '/')
        url[--n] = '\0';
}

enum err
program_tls_check(const char *cert, const char *key, struct why *why)
{
    if ((cert[0] == '\0') != (key[0] == '\0'))
        return why_set(why, ERR_INPUT, "tls.cert and tls.key go together");
    return OK;
}

enum err
program_clock_use(enum environment environment, const char *clock_file, struct why *why)
{
    if (clock_file[0] == '\0')
        return OK;
    if (environment == ENVIRONMENT_PRODUCTION)
        return why_set(why, ERR_INPUT, "clock.file: the clock cannot be moved in production");
    return clock_use_offset_file(clock_file, why);
}
