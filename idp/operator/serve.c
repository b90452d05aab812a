/*
 * serve: the web process. Public listeners for citizens and services; the town door on listeners of its own with mutual
 * TLS; the certificate door on others, whose handshakes ask for a certificate. SIGHUP reads certificates again, SIGTERM and SIGINT finish what runs.
 */
#include "idp/operator/operator.h"

#include "base/program/answer.h"
#include "base/program/process.h"
#include "idp/credential/authority.h"
#include "idp/credential/login.h"
#include "idp/credential/trust.h"
#include "idp/signon/signon.h"

#define AUTHORITY_TIME (8 * USEC_PER_SEC)

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

/* The town door has no pages: its refusals are problem+json, whatever was asked. */
static void
refuse_any(struct http_request *req, int status, const char *refusal)
{
    const struct idp *idp = http_app(req);

    if (idp->conf.cert_url[0] != '\0' && strcmp(http_base_url(req), idp->conf.cert_url) == 0) {
        /* The certificate door has no pages: back to where the person came from. */
        const char *flow = http_route(req) != NULL ? http_path_param(req, "flow") : NULL;

        http_reply_redirect(req, flow == NULL ? arena_printf(http_arena(req), "%s/", idp->conf.base_url)
                                              : arena_printf(http_arena(req), "%s/signon/%s?busy=1", idp->conf.base_url, flow));
        return;
    }
    if (idp->conf.town_url[0] != '\0' && strcmp(http_base_url(req), idp->conf.town_url) == 0)
        http_reply_problem_status(req, status, refusal, "");
    else
        refuse(req, status, refusal);
}

/* Whose certificates a browser should offer at the certificate door: under a name of its own, of that kind only. */
enum { DOOR_BOTH, DOOR_CARD, DOOR_SOFTWARE };
static uint64_t
certificate_names(void *app, unsigned host, uint64_t have, struct buf *pem)
{
    static const unsigned uses[] = { [DOOR_BOTH] = 1u << TRUST_SOFTWARE | 1u << TRUST_CARD, [DOOR_CARD] = 1u << TRUST_CARD,
                                     [DOOR_SOFTWARE] = 1u << TRUST_SOFTWARE };
    const struct idp *idp = app;

    CHECK(host < ARRAY_LEN(uses));
    return trust_names(idp->trust, uses[host], have, pem);
}

static enum err
serve(struct idp *idp, const struct process *process, const struct pg_config *pg, struct why *why)
{
    static const struct http_hooks hooks = { session_load, refuse_any };
    const struct idp_conf *c = &idp->conf;
    struct http_tls tls = { .cert_file = c->tls_cert, .key_file = c->tls_key };
    struct http_tls town_tls = { .cert_file = c->town_tls_cert, .key_file = c->town_tls_key,
                                 .client_ca_file = c->town_client_ca, .client_required = true };
    struct http_tls cert_tls = { .cert_file = c->cert_tls_cert, .key_file = c->cert_tls_key, .client_any = true,
                                 .client_names = certificate_names };
    AUTO(mem_freep) char *card_host = idp_url_host(c->cert_card_url);
    AUTO(mem_freep) char *software_host = idp_url_host(c->cert_url);
    AUTO(mem_freep) struct http_listener *list = mem_alloc_array(c->listen.n + c->town_listen.n + c->cert_listen.n + 1,
                                                                  sizeof(*list));
    struct http_server_config conf = {
        .listeners = list, .hooks = &hooks, .pg = pg, .threads = (int)c->threads,
        .slow_threads = (int)c->slow_threads, .csrf_key = idp->csrf_key.data,
        .trusted_proxies = (const char *const *)c->trusted_proxies.items, .app = idp,
    };

    if (c->cert_card_url[0] != '\0') {
        cert_tls.client_hosts[DOOR_CARD - 1] = card_host;
        cert_tls.client_hosts[DOOR_SOFTWARE - 1] = software_host;
    }
    conf.nlisteners = process_listeners(list, 0, &c->listen, c->tls_cert[0] != '\0' ? &tls : NULL, idp_public_routes,
                                        c->base_url);
    conf.nlisteners = process_listeners(list, conf.nlisteners, &c->town_listen, &town_tls, idp_town_routes, c->town_url);
    for (size_t first = conf.nlisteners, i = 0; i < c->cert_listen.n; i++)
        list[first + i] = (struct http_listener){
            .address = c->cert_listen.items[i], .tls = c->cert_tls_cert[0] != '\0' ? &cert_tls : NULL,
            .routes = idp_certificate_routes, .base_url = c->cert_url, .one_request = true };
    conf.nlisteners += c->cert_listen.n;
    return process_serve(process, &conf, c->base_url, why);
}

int
operator_serve(int argc, char **argv)
{
    AUTO(idp_freep) struct idp *idp = NULL;
    struct process process;
    struct pg_config pg;
    struct why why = WHY_INIT;
    enum err e;
    int status;

    if ((status = process_begin(argc, argv, "serve", "web", true, &process)) != 0)
        return status;
    if ((e = idp_load(process.config, IDP_NEED_WEB | IDP_NEED_PAGES, &idp, &why)) != OK)
        return command_fail(process.config, e, &why);
    if (idp->conf.deny_passwords[0] != '\0' &&
        (e = deny_list_load(idp->conf.deny_passwords, &idp->deny, &why)) != OK)
        return command_fail("password.deny", e, &why);
    pg = command_pg_config(process.database != NULL ? process.database : idp->conf.database, idp_web_stmts);
    idp->dialects = idp_dialects;
    if ((e = services_open(&pg, "web", idp_service_parsers, &idp->services, &why)) != OK)
        return command_fail("services", e, &why);
    /* Somebody waits for the answer, and half of the slow threads stay for passwords. */
    if ((e = trust_open(&pg, idp->conf.crl_grace, &idp->trust, &why)) == OK &&
        (e = operator_authority(idp, AUTHORITY_TIME, idp->conf.slow_threads > 2 ? (int)idp->conf.slow_threads / 2 : 1, &why)) == OK)
        e = serve(idp, &process, &pg, &why);
    authority_close(idp->authority);
    trust_close(idp->trust);
    services_close(idp->services);
    deny_list_free(idp->deny);
    return e == OK ? 0 : command_fail("serve", e, &why);
}
