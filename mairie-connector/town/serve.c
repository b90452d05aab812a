/* serve: the web process. SIGHUP reads certificates again, SIGTERM and SIGINT finish what runs. */
#include "mairie-connector/town/command.h"

#include "base/program/answer.h"
#include "base/program/process.h"
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

static enum err
serve(struct mairie *m, const struct process *process, struct why *why)
{
    static const struct http_hooks hooks = { agent_session_load, refuse };
    const struct mairie_conf *c = &m->conf;
    struct pg_config pg = command_pg_config(process->database != NULL ? process->database : c->database, mairie_web_stmts);
    struct http_tls tls = { .cert_file = c->tls_cert, .key_file = c->tls_key };
    AUTO(mem_freep) struct http_listener *list = mem_alloc_array(c->listen.n + 1, sizeof(*list));
    struct http_server_config conf = {
        .listeners = list, .hooks = &hooks, .pg = &pg, .threads = (int)c->threads,
        .slow_threads = (int)c->slow_threads, .csrf_key = m->csrf_key.data,
        .trusted_proxies = (const char *const *)c->trusted_proxies.items, .app = m,
    };

    conf.nlisteners = process_listeners(list, 0, &c->listen, c->tls_cert[0] != '\0' ? &tls : NULL, mairie_routes,
                                        c->base_url);
    return process_serve(process, &conf, c->base_url, why);
}

int
mairie_serve(int argc, char **argv)
{
    AUTO(mairie_freep) struct mairie *m = NULL;
    struct process process;
    struct why why = WHY_INIT;
    enum err e;
    int status;

    if ((status = process_begin(argc, argv, "serve", "web", true, &process)) != 0)
        return status;
    e = mairie_load(process.config, MAIRIE_NEED_KEYS | MAIRIE_NEED_PAGES | MAIRIE_NEED_DOOR, &m, &why);
    if (e != OK)
        return command_fail(process.config, e, &why);
    e = serve(m, &process, &why);
    return e == OK ? 0 : command_fail("serve", e, &why);
}
