/* idp: loads what a process of the identity provider needs: configuration, clock, keys, pages. */
#include "idp/idp.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/core/enc.h"
#include "base/program/command.h"
#include "base/program/program.h"
#include "idp/keys.h"

static void
text_default(char **setting, const char *value)
{
    if ((*setting)[0] != '\0')
        return;
    free(*setting);
    *setting = mem_strdup(value);
}

char *
idp_url_host(const char *url)
{
    const char *host = strstr(url, "://");

    host = host == NULL ? url : host + 3;
    return mem_strndup(host, strcspn(host, ":/?#"));
}

/* Is one host the other, or below it? A handshake could not tell which is meant. */
static bool
hosts_overlap(const char *url, const char *other)
{
    AUTO(mem_freep) char *a = idp_url_host(url);
    AUTO(mem_freep) char *b = idp_url_host(other);
    size_t na = strlen(a), nb = strlen(b);
    const char *longer = na >= nb ? a : b, *shorter = na >= nb ? b : a;
    size_t n = na >= nb ? na - nb : nb - na;

    return strcasecmp(longer + n, shorter) == 0 && (n == 0 || longer[n - 1] == '.');
}

/* The certificate door makes its own handshakes, or believes a proxy: never both, never neither. */
static enum err
cert_check(struct idp_conf *c, struct why *why)
{
    bool tls = c->cert_tls_cert[0] != '\0', proxy = c->cert_proxy != 0;
    enum err e;

    program_url_trim(c->cert_url);
    if ((e = program_tls_check(c->cert_tls_cert, c->cert_tls_key, why)) != OK)
        return e;
    if (c->cert_url[0] != '\0' && !str_starts(str_of(c->cert_url), "https://"))
        return why_set(why, ERR_INPUT, "cert.url is no https:// address");
    if (c->cert_url[0] != '\0' && strcmp(c->cert_url, c->base_url) == 0)
        return why_set(why, ERR_INPUT, "cert.url needs a host name of its own, other than base_url's");
    program_url_trim(c->cert_card_url);
    if (c->cert_card_url[0] != '\0' && !str_starts(str_of(c->cert_card_url), "https://"))
        return why_set(why, ERR_INPUT, "cert.card.url is no https:// address");
    if (c->cert_card_url[0] != '\0' && c->cert_url[0] == '\0')
        return why_set(why, ERR_INPUT, "cert.card.url needs cert.url");
    if (c->cert_card_url[0] != '\0' && (hosts_overlap(c->cert_card_url, c->cert_url) || strcmp(c->cert_card_url, c->base_url) == 0))
        return why_set(why, ERR_INPUT, "cert.card.url needs a host name of its own, neither base_url's nor cert.url's nor below it");
    if (c->cert_listen.n == 0)
        return OK;
    if (c->cert_url[0] == '\0')
        return why_set(why, ERR_INPUT, "cert.listen needs cert.url");
    if (tls == proxy)
        return why_set(why, ERR_INPUT, tls ? "cert.proxy and cert.tls.cert exclude each other"
                                           : "cert.listen needs cert.tls.cert and cert.tls.key, or cert.proxy");
    if (proxy && c->trusted_proxies.n == 0)
        return why_set(why, ERR_INPUT, "cert.proxy needs proxy.trusted");
    return OK;
}

static enum err
conf_finish(struct idp_conf *c, struct why *why)
{
    char entity_id[1024];
    enum err e;

    program_url_trim(c->base_url);
    snprintf(entity_id, sizeof(entity_id), "%s/saml/metadata", c->base_url);
    text_default(&c->entity_id, entity_id);
    text_default(&c->issuer, c->base_url);
    if ((e = program_tls_check(c->tls_cert, c->tls_key, why)) != OK)
        return e;
    if (c->town_listen.n > 0 &&
        (c->town_tls_cert[0] == '\0' || c->town_tls_key[0] == '\0' || c->town_client_ca[0] == '\0' ||
         c->town_url[0] == '\0'))
        return why_set(why, ERR_INPUT, "town.listen needs town.url, town.tls.cert, town.tls.key and town.client_ca");
    program_url_trim(c->pki_url);
    if (c->pki_url[0] != '\0' && (!str_starts(str_of(c->pki_url), "https://") || c->pki_ca[0] == '\0' || c->pki_cert[0] == '\0' ||
                                  c->pki_key[0] == '\0'))
        return why_set(why, ERR_INPUT, "pki.url is an https:// address, and needs pki.ca, pki.cert and pki.key");
    if ((e = cert_check(c, why)) != OK)
        return e;
    if ((c->eidas_password | c->eidas_second | c->eidas_software | c->eidas_card) != 0 && c->eidas_reference[0] == '\0')
        return why_set(why, ERR_INPUT, "eidas: a level needs eidas.reference, where it is notified or certified");
    return program_clock_use((enum environment)c->environment, c->clock_file, why);
}

/* Fails at the start, not at the counter: a record that nobody could open again is worse than none. */
static enum err
card_key_load(const char *path, struct key **ret, struct why *why)
{
    AUTO(buf_free) struct buf pem = BUF_BOUNDED(64 * 1024);
    AUTO(buf_free) struct buf der = BUF_BOUNDED(4096);
    AUTO(key_freep) struct key *key = NULL;
    struct str text;
    enum err e;

    if (path[0] == '\0')
        return OK;
    if ((e = command_read_file(path, &pem, why)) != OK)
        return e;
    text = buf_view(&pem);
    if (pem_next(&text, "PUBLIC KEY", &der) != OK)
        return why_set(why, ERR_INPUT, "cardops.seal_key %s: no PEM public key", path);
    if ((e = key_public(buf_view(&der), &key, why)) != OK)
        return e;
    if (key_algorithm(key) != KEY_P256)
        return why_set(why, ERR_INPUT, "cardops.seal_key %s: not a P-256 key", path);
    *ret = TAKE(key);
    return OK;
}

enum err
idp_load(const char *config_path, unsigned need, struct idp **ret, struct why *why)
{
    AUTO(idp_freep) struct idp *idp = mem_alloc(sizeof(*idp));
    enum err e;

    if ((e = conf_load(config_path, idp_conf_items, idp_conf_nitems, &idp->conf, why)) != OK ||
        (e = conf_finish(&idp->conf, why)) != OK)
        return e;
    if ((e = idp_keys_load(idp, need, why)) != OK ||
        ((need & IDP_NEED_WEB) != 0 && (e = card_key_load(idp->conf.cardops_seal_key, &idp->card_key, why)) != OK))
        return e;
    if ((need & IDP_NEED_PAGES) != 0 &&
        (e = page_set_load(idp->conf.templates, idp->conf.environment != ENVIRONMENT_PRODUCTION, &idp->pages, why)) != OK)
        return e;
    *ret = TAKE(idp);
    return OK;
}

void
idp_free(struct idp *idp)
{
    if (idp == NULL)
        return;
    page_set_free(idp->pages);
    idp_keys_done(idp);
    key_free(idp->card_key);
    conf_free(idp_conf_items, idp_conf_nitems, &idp->conf);
    free(idp);
}
