/* responder: who answers OCSP for an authority: registrations of status processes. */
#include "pki/authority/responder.h"

#include <stdio.h>

#include "base/core/rand.h"
#include "pki/authority/ca.h"
#include "pki/operator/operator.h"
#include "pki/operator/print-internal.h"

struct responder_options {
    const char *config, *common_name, *organization, *identifier;
};

static enum err
registration_make(struct pg *pg, const struct pki *pki, const struct responder_options *o, const char *ca, const char *node,
                  struct registration *ret, struct why *why)
{
    AUTO(arena_freep) struct arena *a = arena_new(1 << 20);
    AUTO(buf_free) struct buf sealed = BUF_BOUNDED(REGISTRATION_SUBJECT_MAX + COLUMN_OVERHEAD);
    const struct profile *p = responder_profile(&pki->profiles);
    char holder[RESPONDER_HOLDER_MAX + 1];
    struct registration r = { .town = "", .holder = holder, .support = SUPPORT_SOFTWARE, .proof = PROOF_NONE, .proof_ref = "",
                              .proof_at = UTIME_NULL, .state = REGISTRATION_OPEN };
    const struct subject names = { .common_name = str_of(o->common_name != NULL ? o->common_name
                                                                                : arena_printf(a, "OCSP %s %s", ca, node)),
                                   .organization = str_of(o->organization), .identifier = str_of(o->identifier) };
    struct ca authority;
    enum err e;

    if (p == NULL)
        return why_set(why, ERR_INPUT, "no profile for OCSP signing in %s", pki->conf.profiles);
    if ((e = ca_find(pg, ca, 0, a, &authority, why)) != OK || (e = responder_holder(ca, node, holder, why)) != OK ||
        (e = subject_check(p, &names, why)) != OK)
        return e;
    rand_uuid(r.id);
    r.profile = p->name;
    if ((e = registration_seal(pki->field, r.id, &names, &sealed, why)) != OK)
        return e;
    r.subject = buf_view(&sealed);
    e = registration_add(pg, &r, command_actor(), clock_now(), NULL, why);
    memcpy(ret->id, r.id, sizeof(ret->id));
    return e;
}

static int
add(const struct responder_options *o, const char *ca, const char *node)
{
    AUTO(pki_freep) struct pki *pki = NULL;
    AUTO(pg_closep) struct pg *pg = NULL;
    struct registration r = { .id = "" };
    struct why why = WHY_INIT;
    enum err e;

    if ((e = operator_begin(o->config, PKI_NEED_PROFILES | PKI_NEED_FIELD, &pki, &pg, &why)) != OK ||
        (e = registration_make(pg, pki, o, ca, node, &r, &why)) != OK)
        return command_fail("responder add", e, &why);
    printf("%s\n", r.id);
    return 0;
}

static int
end(const struct responder_options *o, const char *ca, const char *node)
{
    AUTO(pki_freep) struct pki *pki = NULL;
    AUTO(pg_closep) struct pg *pg = NULL;
    AUTO(arena_freep) struct arena *a = arena_new(1 << 20);
    char holder[RESPONDER_HOLDER_MAX + 1];
    const struct profile *p;
    struct why why = WHY_INIT;
    struct registration r;
    enum err e;

    if ((e = operator_begin(o->config, PKI_NEED_PROFILES, &pki, &pg, &why)) != OK)
        return command_fail("responder end", e, &why);
    if ((p = responder_profile(&pki->profiles)) == NULL)
        e = why_set(&why, ERR_INPUT, "no profile for OCSP signing in %s", pki->conf.profiles);
    if (e != OK || (e = responder_holder(ca, node, holder, &why)) != OK ||
        (e = registration_find_holder(pg, "", p->name, holder, a, &r, &why)) != OK ||
        (e = registration_close(pg, r.id, command_actor(), clock_now(), &why)) != OK)
        return command_fail("responder end", e, &why);
    printf("responder %s: ended\n", holder);
    return 0;
}

int
operator_responder(int argc, char **argv)
{
    static const char line[] =
        "responder add CA NODE --config FILE [--common-name TEXT] [--organization TEXT [--identifier SIREN|SIRET]]\n"
        "       beffroi-pki responder end CA NODE --config FILE";
    struct responder_options o = { .config = NULL };
    const char *words[3] = { NULL, NULL, NULL };
    const struct command_option options[] = {
        { "--config", &o.config, NULL }, { "--common-name", &o.common_name, NULL },
        { "--organization", &o.organization, NULL }, { "--identifier", &o.identifier, NULL },
    };
    size_t n;

    if (!command_options(argc, argv, options, ARRAY_LEN(options), words, 3, &n) || o.config == NULL || n != 3)
        return command_usage(line);
    if (command_word_is(words, n, 0, "add"))
        return add(&o, words[1], words[2]);
    if (command_word_is(words, n, 0, "end"))
        return end(&o, words[1], words[2]);
    return command_usage(line);
}
