/* admin: the short commands: town, service, purge. */
#include "idp/operator/operator.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/core/enc.h"
#include "base/crypto/x509.h"
#include "idp/account/town.h"
#include "idp/operator/purge.h"

/* --- town -------------------------------------------------------------------------------------------------------------------- */

struct town_options {
    const char *config, *cert, *seal_key, *label_fr, *label_en, *phone, *theme, *sheet_number, *creation_life, *types, *hold_max;
};

static enum err
public_key_decode(struct str pem, struct buf *out, struct why *why)
{
    enum err e = pem_next(&pem, "PUBLIC KEY", out);

    return e == OK ? OK : why_set(why, ERR_INPUT, e == ERR_NOT_FOUND ? "no PEM public key in the file"
                                                                     : "the PEM public key is damaged");
}

static enum err
town_read(const struct town_options *o, const char *name, struct buf *cert_der, struct buf *seal_der,
          struct town_new *ret, struct why *why)
{
    AUTO(buf_free) struct buf cert_pem = BUF_BOUNDED(64 * 1024);
    AUTO(buf_free) struct buf seal_pem = BUF_BOUNDED(64 * 1024);
    AUTO(x509_done) struct x509_cert cert = { .not_after = 0 };
    enum err e;

    *ret = (struct town_new){
        .name = name, .label_fr = o->label_fr != NULL ? o->label_fr : name,
        .label_en = o->label_en != NULL ? o->label_en : o->label_fr != NULL ? o->label_fr : name,
        .phone = o->phone != NULL ? o->phone : "", .theme = o->theme != NULL ? o->theme : "default",
        .sheet_number = o->sheet_number != NULL ? o->sheet_number : "sensitive", .creation_life = 15 * USEC_PER_DAY,
    };
    if (o->creation_life != NULL && (e = duration_parse(o->creation_life, &ret->creation_life)) != OK)
        return why_set(why, e, "--creation-life %s: not a duration", o->creation_life);
    if ((e = command_read_file(o->cert, &cert_pem, why)) != OK ||
        (e = x509_pem_decode(buf_view(&cert_pem), cert_der, why)) != OK ||
        (e = x509_read(buf_view(cert_der), &cert, why)) != OK ||
        (e = command_read_file(o->seal_key, &seal_pem, why)) != OK ||
        (e = public_key_decode(buf_view(&seal_pem), seal_der, why)) != OK)
        return e;
    memcpy(ret->cert_sha256, cert.fingerprint, sizeof(ret->cert_sha256));
    ret->cert_not_after = cert.not_after;
    ret->seal_key = buf_view(seal_der);
    return OK;
}

static int
town_add(const struct town_options *o, const char *name)
{
    AUTO(buf_free) struct buf cert = BUF_BOUNDED(32 * 1024);
    AUTO(buf_free) struct buf seal = BUF_BOUNDED(4096);
    AUTO(idp_freep) struct idp *idp = NULL;
    AUTO(pg_closep) struct pg *pg = NULL;
    AUTO(key_freep) struct key *key = NULL;
    struct town_new town;
    struct why why = WHY_INIT;
    enum err e;

    if ((e = idp_load(o->config, 0, &idp, &why)) != OK || (e = town_read(o, name, &cert, &seal, &town, &why)) != OK ||
        (e = key_public(town.seal_key, &key, &why)) != OK)
        return command_fail("town add", e, &why);
    if (key_algorithm(key) != KEY_P256)
        return fprintf(stderr, "beffroi-idp: town add: the sealing key is not a P-256 key\n"), 1;
    if ((e = operator_database(idp, &pg, &why)) != OK ||
        (e = town_put(pg, &town, command_actor(), clock_now(), &why)) != OK)
        return command_fail("town add", e, &why);
    printf("town %s: in force\n", name);
    return 0;
}

static int
town_state(const char *config, const char *name, const char *state)
{
    AUTO(idp_freep) struct idp *idp = NULL;
    AUTO(pg_closep) struct pg *pg = NULL;
    struct why why = WHY_INIT;
    enum err e;

    if ((e = idp_load(config, 0, &idp, &why)) != OK || (e = operator_database(idp, &pg, &why)) != OK ||
        (e = town_set_state(pg, name, state, command_actor(), clock_now(), &why)) != OK)
        return command_fail("town", e, &why);
    printf("town %s: %s\n", name, state);
    return 0;
}

/* "a,b,c" cut in place. */
static size_t
words_cut(char *list, const char **ret, size_t max)
{
    size_t n = 0;

    for (char *save = NULL, *w = strtok_r(list, ", ", &save); w != NULL && n < max; w = strtok_r(NULL, ", ", &save))
        ret[n++] = w;
    return n;
}

static int
town_policy(const struct town_options *o, const char *name)
{
    AUTO(mem_freep) char *list = o->types == NULL ? NULL : mem_strdup(o->types);
    AUTO(idp_freep) struct idp *idp = NULL;
    AUTO(pg_closep) struct pg *pg = NULL;
    const char *types[8];
    struct town_policy p = { .types = list == NULL ? NULL : types };
    struct why why = WHY_INIT;
    enum err e;

    if (list != NULL)
        p.ntypes = words_cut(list, types, ARRAY_LEN(types));
    if (o->hold_max != NULL && (duration_parse(o->hold_max, &p.hold_max) != OK || p.hold_max <= 0))
        return fprintf(stderr, "beffroi-idp: town policy: --hold-max %s: not a duration\n", o->hold_max), 1;
    if ((e = idp_load(o->config, 0, &idp, &why)) != OK || (e = operator_database(idp, &pg, &why)) != OK ||
        (e = town_set_policy(pg, name, &p, command_actor(), clock_now(), &why)) != OK)
        return command_fail("town policy", e, &why);
    printf("town %s: policy set\n", name);
    return 0;
}

int
operator_town(int argc, char **argv)
{
    static const char line[] =
        "town add NAME --config FILE --cert CERT.pem --seal-key PUBLIC.pem [--label-fr TEXT] [--label-en TEXT]\n"
        "           [--phone TEXT] [--theme NAME] [--sheet-number never|sensitive|always] [--creation-life 15d]\n"
        "       beffroi-idp town policy NAME --config FILE [--types password,x509_card,x509_soft] [--hold-max 90d]\n"
        "       beffroi-idp town suspend|resume NAME --config FILE";
    struct town_options o = { .config = NULL };
    const char *words[2] = { NULL, NULL };
    const struct command_option options[] = {
        { "--config", &o.config, NULL },       { "--cert", &o.cert, NULL },
        { "--seal-key", &o.seal_key, NULL },   { "--label-fr", &o.label_fr, NULL },
        { "--label-en", &o.label_en, NULL },   { "--phone", &o.phone, NULL },
        { "--theme", &o.theme, NULL },         { "--sheet-number", &o.sheet_number, NULL },
        { "--creation-life", &o.creation_life, NULL }, { "--types", &o.types, NULL },
        { "--hold-max", &o.hold_max, NULL },
    };
    size_t n;

    if (!command_options(argc, argv, options, ARRAY_LEN(options), words, 2, &n) || o.config == NULL || n != 2)
        return command_usage(line);
    if (command_word_is(words, n, 0, "add") && o.cert != NULL && o.seal_key != NULL)
        return town_add(&o, words[1]);
    if (command_word_is(words, n, 0, "policy") && (o.types != NULL || o.hold_max != NULL))
        return town_policy(&o, words[1]);
    if (command_word_is(words, n, 0, "suspend"))
        return town_state(o.config, words[1], "suspended");
    if (command_word_is(words, n, 0, "resume"))
        return town_state(o.config, words[1], "active");
    return command_usage(line);
}

/* --- services of either dialect ------------------------------------------------------------------------------------------------ */

int
operator_service(int argc, char **argv)
{
    static const char line[] = "service suspend|resume saml|oidc NAME --config FILE";
    const char *config = NULL, *words[3] = { NULL, NULL, NULL };
    const struct command_option options[] = { { "--config", &config, NULL } };
    AUTO(idp_freep) struct idp *idp = NULL;
    AUTO(pg_closep) struct pg *pg = NULL;
    struct why why = WHY_INIT;
    enum service_kind kind;
    const char *state;
    size_t n;
    enum err e;

    if (!command_options(argc, argv, options, ARRAY_LEN(options), words, 3, &n) || config == NULL || n != 3)
        return command_usage(line);
    if (!command_word_is(words, n, 0, "suspend") && !command_word_is(words, n, 0, "resume"))
        return command_usage(line);
    state = command_word_is(words, n, 0, "suspend") ? "suspended" : "active";
    if (!command_word_is(words, n, 1, "saml") && !command_word_is(words, n, 1, "oidc"))
        return command_usage(line);
    kind = command_word_is(words, n, 1, "saml") ? SERVICE_SAML : SERVICE_OIDC;
    if ((e = idp_load(config, 0, &idp, &why)) != OK || (e = operator_database(idp, &pg, &why)) != OK ||
        (e = services_set_state(pg, kind, words[2], state, command_actor(), clock_now(), 10 * USEC_PER_SEC, &why)) !=
            OK)
        return command_fail("service", e, &why);
    printf("service %s: %s\n", words[2], state);
    return 0;
}

/* --- purge ------------------------------------------------------------------------------------------------------------------------- */

int
operator_purge(int argc, char **argv)
{
    AUTO(buf_free) struct buf report = BUF_BOUNDED(8192);
    const char *config = NULL;
    bool dry = false;
    const struct command_option options[] = { { "--config", &config, NULL }, { "--dry-run", NULL, &dry } };
    AUTO(idp_freep) struct idp *idp = NULL;
    AUTO(pg_closep) struct pg *pg = NULL;
    struct why why = WHY_INIT;
    size_t n;
    enum err e;

    if (!command_options(argc, argv, options, ARRAY_LEN(options), NULL, 0, &n) || config == NULL)
        return command_usage("purge --config FILE [--dry-run]");
    if ((e = idp_load(config, 0, &idp, &why)) != OK || (e = operator_database(idp, &pg, &why)) != OK ||
        (e = purge_run(pg, clock_now(), dry, &report, &why)) != OK)
        return command_fail("purge", e, &why);
    fputs(buf_cstr(&report), stdout);
    return 0;
}
