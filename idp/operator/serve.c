/*
 * serve: the web process. Public listeners for citizens and services, the town door on listeners of its own with
 * mutual TLS. SIGHUP reads certificates again, SIGTERM and SIGINT finish what runs.
 */
#include "idp/operator/operator.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/core/log.h"
#include "base/program/answer.h"
#include "idp/credential/login.h"
#include "idp/signon/signon.h"

static void
refuse(struct http_request *req, int status, const char *refusal)
{
    if (answer_machine_refusal(req, status, refusal))
        return;
    if (strcmp(refusal, "session") == 0) {
        http_reply_redirect(req, arena_printf(http_arena(req), "%s/login", http_base_url(req)));
        return;
    }
    idp_reply_error(req, status, answer_refusal_message(refusal), NULL);
}

static void
refuse_town(struct http_request *req, int status, const char *code)
{
    http_reply_problem_status(req, status, code, "");
}

/* The town door has no pages: its refusals are problem+json, whatever was asked. */
static void
refuse_any(struct http_request *req, int status, const char *code)
{
    const struct idp *idp = http_app(req);

    if (idp->conf.town_url[0] != '\0' && strcmp(http_base_url(req), idp->conf.town_url) == 0)
        refuse_town(req, status, code);
    else
        refuse(req, status, code);
}

struct listeners {
    struct http_listener *list;
    size_t n;
    struct http_tls public_tls, town_tls;
};

static void
listeners_make(const struct idp_conf *c, struct listeners *l)
{
    l->list = mem_alloc_array(c->listen.n + c->town_listen.n + 1, sizeof(*l->list));
    l->public_tls = (struct http_tls){ .cert_file = c->tls_cert, .key_file = c->tls_key };
    l->town_tls = (struct http_tls){ .cert_file = c->town_tls_cert, .key_file = c->town_tls_key,
                                     .client_ca_file = c->town_client_ca, .client_required = true };
    for (size_t i = 0; i < c->listen.n; i++)
        l->list[l->n++] = (struct http_listener){ .address = c->listen.items[i],
                                                  .tls = c->tls_cert[0] != '\0' ? &l->public_tls : NULL,
                                                  .routes = idp_public_routes, .base_url = c->base_url };
    for (size_t i = 0; i < c->town_listen.n; i++)
        l->list[l->n++] = (struct http_listener){ .address = c->town_listen.items[i], .tls = &l->town_tls,
                                                  .routes = idp_town_routes, .base_url = c->town_url };
}

static const char *const *
proxies_make(const struct idp_conf *c)
{
    const char **list = mem_alloc_array(c->trusted_proxies.n + 1, sizeof(*list));

    for (size_t i = 0; i < c->trusted_proxies.n; i++)
        list[i] = c->trusted_proxies.items[i];
    return list;
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

int
operator_serve(int argc, char **argv)
{
    static const struct http_hooks hooks = { session_load, refuse_any };
    const char *config = NULL, *database = NULL;
    const struct command_option options[] = { { "--config", &config, NULL }, { "--database", &database, NULL } };
    AUTO(idp_freep) struct idp *idp = NULL;
    struct listeners l = { .n = 0 };
    struct http_server *server = NULL;
    struct http_server_config conf;
    struct pg_config pg;
    struct why why = WHY_INIT;
    sigset_t signals;
    size_t nwords;
    enum err e;

    if (!command_options(argc, argv, options, ARRAY_LEN(options), NULL, 0, &nwords) || config == NULL)
        return command_usage("serve --config FILE [--database CONNINFO]");
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);      /* before any thread is born */
    log_start("beffroi-idp web", LOG_LEVEL_INFO);
    if ((e = idp_load(config, IDP_NEED_KEYS | IDP_NEED_PAGES, &idp, &why)) != OK)
        return command_fail(config, e, &why);
    if (idp->conf.deny_passwords[0] != '\0' &&
        (e = deny_list_load(idp->conf.deny_passwords, &idp->deny, &why)) != OK)
        return command_fail("password.deny", e, &why);
    pg = command_pg_config(database != NULL ? database : idp->conf.database, idp_web_stmts);
    idp->dialects = idp_dialects;
    if ((e = services_open(&pg, "web", idp_service_parsers, &idp->services, &why)) != OK)
        return command_fail("services", e, &why);
    listeners_make(&idp->conf, &l);
    conf = (struct http_server_config){
        .listeners = l.list, .nlisteners = l.n, .hooks = &hooks, .pg = &pg, .threads = (int)idp->conf.threads,
        .slow_threads = (int)idp->conf.slow_threads, .csrf_key = idp->csrf_key.data,
        .trusted_proxies = proxies_make(&idp->conf), .app = idp,
    };
    if ((e = http_server_start(&conf, &server, &why)) == OK) {
        LOG_INFO_EV("serve.ready", LF_STR("base_url", idp->conf.base_url));
        wait_for_signals(server, &signals);
        http_server_stop(server);
    }
    services_close(idp->services);
    deny_list_free(idp->deny);
    mem_freep(&conf.trusted_proxies);
    free(l.list);
    return e == OK ? 0 : command_fail("serve", e, &why);
}
