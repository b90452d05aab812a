/* status: see status.h. What is in the folder is offered before the database is asked for anything. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "base/core/log.h"
#include "pki/status/endpoints.h"
#include "pki/status/status-internal.h"

#define LISTENERS_MAX 32

static enum err
init(struct status_process *s, struct pki *pki, const struct pg_config *pg, struct why *why)
{
    const struct pki_conf *c = &pki->conf;

    s->pki = pki;
    s->pg = pg;
    s->folder = (struct folder)FOLDER_INIT;
    s->policy = (struct ocsp_policy){ .life = c->ocsp_life, .stale_max = c->ocsp_stale_max, .retention = c->ocsp_retention,
                                      .never_issued = (enum ocsp_never_issued)c->ocsp_never_issued };
    CHECK(pthread_mutex_init(&s->view_lock, NULL) == 0);
    glance_init(&s->glance);
    if ((size_t)snprintf(s->node, sizeof(s->node), "%s/status", c->name) >= sizeof(s->node))
        return why_set(why, ERR_INPUT, "name: too long");
    if (c->status_listen.n == 0 || c->status_listen.n > LISTENERS_MAX)
        return why_set(why, ERR_INPUT, "status.listen: no address, or more than %d", LISTENERS_MAX);
    /* No debugger, no core: keys are in this memory. Tests look for leaks, as a debugger does. */
    if (c->environment != ENVIRONMENT_TEST && prctl(PR_SET_DUMPABLE, 0) != 0)
        return why_set(why, ERR_UNAVAILABLE, "prctl: %m");
    return folder_open(c->status_folder, &s->folder, why);
}

static void
done(struct status_process *s)
{
    status_view_drop(s->view);
    authorities_done(s);
    journal_free(s->journal);
    if (s->table != NULL)
        status_table_free(s->table);
    if (s->cache != NULL)
        answer_cache_free(s->cache);
    folder_close(&s->folder);
    pthread_mutex_destroy(&s->view_lock);
    glance_done(&s->glance);
    free(s);
}
DEFINE_FREEP(struct status_process, done)

/* All that the folder knows. */
static void
load(struct status_process *s)
{
    s->table = status_table_new(0);
    s->cache = answer_cache_new((size_t)s->pki->conf.ocsp_cache << 20);
    s->journal = journal_new(s->folder.fd);
    authorities_load(s);
    states_load(s);
    status_view_renew(s);
}

static enum err
serve(struct status_process *s, const struct process *process, struct why *why)
{
    const struct pki_conf *c = &s->pki->conf;
    struct http_listener listeners[LISTENERS_MAX];
    const struct http_server_config conf = {
        .listeners = listeners,
        .nlisteners = process_listeners(listeners, 0, &c->status_listen, NULL, status_routes, c->base_url),
        .threads = (int)c->threads, .csrf_key = s->pki->csrf_key.data,
        .trusted_proxies = (const char *const *)c->trusted_proxies.items, .app = s,
    };

    return process_serve(process, &conf, c->base_url, why);
}

enum err
status_run(struct pki *pki, const struct process *process, const struct pg_config *pg, struct why *why)
{
    AUTO(donep) struct status_process *s = mem_alloc(sizeof(*s));
    pthread_t follower;
    enum err e;

    if ((e = init(s, pki, pg, why)) != OK)
        return e;
    load(s);
    CHECK(pthread_create(&follower, NULL, follow_run, s) == 0);
    e = serve(s, process, why);
    atomic_store(&s->stop, true);
    pthread_join(follower, NULL);
    states_end(s);
    return e;
}
