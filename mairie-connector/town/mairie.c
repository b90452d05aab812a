/* mairie: loads what a process of the town's server needs: configuration, clock, keys, pages, the way to the IdP. */
#include "mairie-connector/town/mairie.h"

#include <stdlib.h>

#include "base/program/program.h"

#define DOOR_ANSWER_MAX (512 * 1024)
#define DOOR_CONNECT_TIME (2 * USEC_PER_SEC)

static enum err
conf_finish(struct mairie_conf *c, struct why *why)
{
    enum err e;

    program_url_trim(c->base_url);
    program_url_trim(c->idp_url);
    if ((e = program_tls_check(c->tls_cert, c->tls_key, why)) != OK)
        return e;
    return program_clock_use((enum environment)c->environment, c->clock_file, why);
}

static enum err
door_make(struct mairie *m, struct why *why)
{
    struct http_client_config conf = {
        .ca_file = m->conf.idp_ca[0] != '\0' ? m->conf.idp_ca : NULL, .cert_file = m->conf.idp_cert,
        .key_file = m->conf.idp_key, .allow_private = m->conf.idp_private, .connect_timeout = DOOR_CONNECT_TIME,
        .timeout = m->conf.idp_timeout, .answer_max = DOOR_ANSWER_MAX,
    };

    return http_client_new(&conf, &m->door, why);
}

enum err
mairie_load(const char *config_path, unsigned need, struct mairie **ret, struct why *why)
{
    AUTO(mairie_freep) struct mairie *m = mem_alloc(sizeof(*m));
    enum err e;

    if ((e = conf_load(config_path, mairie_conf_items, mairie_conf_nitems, &m->conf, why)) != OK ||
        (e = conf_finish(&m->conf, why)) != OK)
        return e;
    if ((e = keyfolder_load(m->conf.keys, mairie_key_files, mairie_key_nfiles, need, m, why)) != OK)
        return e;
    if ((need & MAIRIE_NEED_PAGES) != 0 &&
        (e = page_set_load(m->conf.templates, m->conf.environment != ENVIRONMENT_PRODUCTION, &m->pages, why)) != OK)
        return e;
    if ((need & MAIRIE_NEED_DOOR) != 0 && (e = door_make(m, why)) != OK)
        return e;
    *ret = TAKE(m);
    return OK;
}

void
mairie_free(struct mairie *m)
{
    if (m == NULL)
        return;
    http_client_free(m->door);
    page_set_free(m->pages);
    keyfolder_done(mairie_key_files, mairie_key_nfiles, m);
    conf_free(mairie_conf_items, mairie_conf_nitems, &m->conf);
    free(m);
}
