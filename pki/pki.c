/* pki: loads what a process of the authority needs: settings, clock, keys, profiles. */
#include "pki/pki.h"

#include <stdlib.h>

#include "base/program/program.h"
#include "pki/encode/extension.h"

static enum err
mail_check(const struct pki_conf *c, struct why *why)
{
    if (c->alarm_mail.n == 1)
        return why_set(why, ERR_INPUT, "alarm.mail: one address is one person who may be away: name two at least");
    if ((c->alarm_mail.n > 0 || c->expiry_mail.n > 0) && (c->mail_smtp_url[0] == '\0' || c->mail_from[0] == '\0'))
        return why_set(why, ERR_INPUT, "alarm.mail and expiry.mail need mail.smtp.url and mail.from");
    if (c->expiry_last >= c->expiry_first)
        return why_set(why, ERR_INPUT, "expiry.last is shorter than expiry.first");
    return OK;
}

static enum err
conf_finish(struct pki_conf *c, struct why *why)
{
    enum err e;

    program_url_trim(c->base_url);
    program_url_trim(c->front_url);
    if (!extension_url_is_valid(str_of(c->base_url)))
        return why_set(why, ERR_INPUT, "base_url: certificates want an http address without white space");
    if ((e = program_tls_check(c->front_tls_cert, c->front_tls_key, why)) != OK)
        return e;
    if (c->front_listen.n > 0 && (c->front_tls_cert[0] == '\0' || c->front_client_ca[0] == '\0' || c->front_url[0] == '\0'))
        return why_set(why, ERR_INPUT, "front.listen needs front.url, front.tls.cert, front.tls.key and front.client_ca");
    if ((e = mail_check(c, why)) != OK)
        return e;
    return program_clock_use((enum environment)c->environment, c->clock_file, why);
}

static enum err
profiles_load(struct pki *pki, struct why *why)
{
    enum err e;

    if ((e = profile_set_load(pki->conf.profiles, &pki->profiles, why)) != OK)
        return e;
    return pki->conf.weak_keys[0] == '\0' ? OK : key_blocklist_load(pki->conf.weak_keys, &pki->weak_keys, why);
}

enum err
pki_load(const char *config_path, unsigned need, struct pki **ret, struct why *why)
{
    AUTO(pki_freep) struct pki *pki = mem_alloc(sizeof(*pki));
    enum err e;

    if ((e = conf_load(config_path, pki_conf_items, pki_conf_nitems, &pki->conf, why)) != OK ||
        (e = conf_finish(&pki->conf, why)) != OK ||
        (e = keyfolder_load(pki->conf.keys, pki_key_files, pki_key_nfiles, need, pki, why)) != OK)
        return e;
    if ((need & PKI_NEED_PROFILES) != 0 && (e = profiles_load(pki, why)) != OK)
        return e;
    *ret = TAKE(pki);
    return OK;
}

void
pki_free(struct pki *pki)
{
    if (pki == NULL)
        return;
    profile_set_free(&pki->profiles);
    key_blocklist_free(pki->weak_keys);
    keyfolder_done(pki_key_files, pki_key_nfiles, pki);
    conf_free(pki_conf_items, pki_conf_nitems, &pki->conf);
    free(pki);
}
