/* process: begin, serve, wait, end. */
#include "base/program/process.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "base/core/log.h"
#include "base/program/command.h"
#include "base/program/program.h"

#define TEXT_SIZE 128

int
process_begin(int argc, char **argv, const char *command, const char *title, bool reloads, struct process *ret)
{
    struct process p = { .config = NULL, .database = NULL };
    const struct command_option options[] = { { "--config", &p.config, NULL }, { "--database", &p.database, NULL } };
    char usage[TEXT_SIZE], program[TEXT_SIZE];
    size_t n;

    if (!command_options(argc, argv, options, ARRAY_LEN(options), NULL, 0, &n) || p.config == NULL) {
        snprintf(usage, sizeof(usage), "%s --config FILE [--database CONNINFO]", command);
        return command_usage(usage);
    }
    sigemptyset(&p.signals);
    sigaddset(&p.signals, SIGTERM);
    sigaddset(&p.signals, SIGINT);
    if (reloads)
        sigaddset(&p.signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &p.signals, NULL);
    snprintf(program, sizeof(program), "%s %s", program_running()->name, title);
    log_start(program, LOG_LEVEL_INFO);
    *ret = p;
    return 0;
}

void
process_wait(const struct process *p, enum err (*reload)(void *arg, struct why *why), void *arg)
{
    enum err e;
    int got;

    for (;;) {
        struct why why = WHY_INIT;

        if (sigwait(&p->signals, &got) != 0)
            continue;
        if (got != SIGHUP)
            return;
        if (reload != NULL && (e = reload(arg, &why)) != OK)
            LOG_ERROR_EV("serve.reload", LF_ERR(e), LF_WHY(&why));
    }
}

/* A limit that is only large enough today would stop a later allocation: it is none, or the memory is not locked. */
enum err
process_lock_memory(struct why *why)
{
    const struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY };
    struct rlimit limit;

    if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0)
        return why_set(why, ERR_UNAVAILABLE, "getrlimit: %m");
    if (limit.rlim_cur != RLIM_INFINITY && setrlimit(RLIMIT_MEMLOCK, &none) != 0)
        return why_code(why, ERR_UNAVAILABLE, "process.memlock", "the memory cannot be kept out of swap: at most %llu octets may be "
                        "locked (LimitMEMLOCK=infinity in the unit, or ulimit -l unlimited)", (unsigned long long)limit.rlim_cur);
    if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0)
        return why_code(why, ERR_UNAVAILABLE, "process.memlock", "the memory cannot be kept out of swap: mlockall: %m");
    return OK;
}

size_t
process_listeners(struct http_listener *list, size_t n, const struct conf_list *addresses, const struct http_tls *tls,
                  const struct http_routes *const *routes, const char *base_url)
{
    for (size_t i = 0; i < addresses->n; i++)
        list[n++] = (struct http_listener){ .address = addresses->items[i], .tls = tls, .routes = routes,
                                            .base_url = base_url };
    return n;
}

static enum err
server_reload(void *server, struct why *why)
{
    return http_server_reload(server, why);
}

enum err
process_serve(const struct process *p, const struct http_server_config *conf, const char *base_url, struct why *why)
{
    struct http_server *server = NULL;
    enum err e;

    if (conf->nlisteners == 0)
        return why_set(why, ERR_INPUT, "listen is empty");
    if ((e = http_server_start(conf, &server, why)) != OK)
        return e;
    LOG_INFO_EV("serve.ready", LF_STR("base_url", base_url));
    process_wait(p, server_reload, server);
    http_server_stop(server);
    return OK;
}
