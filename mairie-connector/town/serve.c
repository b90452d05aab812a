/* serve: the web process. SIGHUP reads certificates again, SIGTERM and SIGINT finish what runs. */
#include "mairie-connector/town/command.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/core/log.h"
#include "base/program/answer.h"
#include "mairie-connector/town/agent.h"

static void
refuse(struct http_request *req, int status, const char *refusal)
{
    if (answer_machine_refusal(req, status, refusal))
        return;
    if (strcmp(refusal, "session") == 0) {
        mairie_go(req, http_cookie(req, AGENT_COOKIE) != NULL ? "/login?idle=1" : "/login");
        return;
    }
    mairie_reply_error(req, status, answer_refusal_message(refusal), NULL);
}

static void
wait_for_signals(struct http_server *server, const sigset_t *signals)
{
    struct why why = WHY_INIT;
    enum err e;
    int got;

    for (;;) {
        if (sigwait(signals, &got) != 0)
            continue;
        if (got != SIGHUP)
            return;
        if ((e = http_server_reload(server, &why)) != OK)
            LOG_ERROR_EV("serve.reload", LF_ERR(e), LF_WHY(&why));
    }
}

static enum err
serve(struct mairie *m, const sigset_t *signals, struct why *why)
{
    static const struct http_hooks hooks = { agent_session_load, refuse };
    const struct mairie_conf *c = &m->conf;
    struct pg_config pg = command_pg_config(c->database, mairie_web_stmts);
    struct http_tls tls = { .cert_file = c->tls_cert, .key_file = c->tls_key };
    struct http_listener *list = mem_alloc_array(c->listen.n + 1, sizeof(*list));
    const char **proxies = mem_alloc_array(c->trusted_proxies.n + 1, sizeof(*proxies));
    struct http_server_config conf = {
        .listeners = list, .nlisteners = c->listen.n, .hooks = &hooks, .pg = &pg, .threads = (int)c->threads,
        .slow_threads = (int)c->slow_threads, .csrf_key = m->csrf_key.data, .trusted_proxies = proxies, .app = m,
    };
    struct http_server *server = NULL;
    enum err e;

    for (size_t i = 0; i < c->trusted_proxies.n; i++)
        proxies[i] = c->trusted_proxies.items[i];
    for (size_t i = 0; i < c->listen.n; i++)
        list[i] = (struct http_listener){ .address = c->listen.items[i], .tls = c->tls_cert[0] != '\0' ? &tls : NULL,
                                          .routes = mairie_routes, .base_url = c->base_url };
    if ((e = http_server_start(&conf, &server, why)) == OK) {
        LOG_INFO_EV("serve.ready", LF_STR("base_url", c->base_url));
        wait_for_signals(server, signals);
        http_server_stop(server);
    }
    free(proxies);
    free(list);
    return e;
}

int
mairie_serve(int argc, char **argv)
{
    const char *config = NULL;
    const struct command_option options[] = { { "--config", &config, NULL } };
    AUTO(mairie_freep) struct mairie *m = NULL;
    struct why why = WHY_INIT;
    sigset_t signals;
    size_t n;
    enum err e;

    if (!command_options(argc, argv, options, ARRAY_LEN(options), NULL, 0, &n) || config == NULL)
        return command_usage("serve --config FILE");
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);      /* before any thread is born */
    log_start("beffroi-mairie web", LOG_LEVEL_INFO);
    e = mairie_load(config, MAIRIE_NEED_KEYS | MAIRIE_NEED_PAGES | MAIRIE_NEED_DOOR, &m, &why);
    if (e != OK)
        return command_fail(config, e, &why);
    if (m->conf.listen.n == 0)
        return fprintf(stderr, "beffroi-mairie: listen is empty\n"), 1;
    e = serve(m, &signals, &why);
    return e == OK ? 0 : command_fail("serve", e, &why);
}
