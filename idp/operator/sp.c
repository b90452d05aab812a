/*
 * sp: the operator's command for SAML services.
 *
 *   beffroi-idp sp add FILE|URL [--policy FILE] [--family F] [--label-fr T] [--label-en T] [--pin CERT] [--replace]
 *   beffroi-idp sp list
 *   beffroi-idp sp remove ENTITY_ID
 *
 * add reads the metadata exactly as every node will, says what is wrong with them, and returns when every running node
 * has the service. With --replace, what is not given stays as it was: above all the family, because another family means
 * other identifiers for every citizen.
 */
#include "idp/operator/sp.h"

#include <stdio.h>

#include "base/core/enc.h"
#include "base/core/log.h"
#include "base/http/client.h"
#include "idp/operator/operator.h"
#include "idp/saml/saml.h"
#include "idp/saml/sp.h"

#define METADATA_MAX (1024 * 1024)
#define POLICY_MAX (64 * 1024)
#define FETCH_TIMEOUT (20 * USEC_PER_SEC)
#define NODES_TIMEOUT (10 * USEC_PER_SEC)
#define FAMILY_MAX 63

struct sp_options {
    const char *config, *policy, *family, *label_fr, *label_en, *pin;
    bool replace;
};

/* --- reading --------------------------------------------------------------------------------------- */
static bool
is_url(const char *from)
{
    return strncmp(from, "https://", 8) == 0 || strncmp(from, "http://", 7) == 0;
}

/* The operator typed the address: a private one is allowed, one without TLS only where --pin makes up for it. */
static enum err
fetch(const struct idp *idp, const char *url, bool pinned, struct buf *out, struct why *why)
{
    const struct http_client_config conf = {
        .ca_file = idp->conf.outgoing_ca[0] == 0 ? NULL : idp->conf.outgoing_ca,
        .allow_private = true,
        .connect_timeout = FETCH_TIMEOUT,
        .timeout = FETCH_TIMEOUT,
        .answer_max = METADATA_MAX,
    };
    AUTO(http_client_freep) struct http_client *client = NULL;
    struct http_answer answer;
    enum err e;

    if (url[4] == ':' && !pinned && idp->conf.environment == ENVIRONMENT_PRODUCTION)
        return why_set(why, ERR_DENIED, "metadata over plain http are taken with --pin only");
    if ((e = http_client_new(&conf, &client, why)) != OK ||
        (e = http_call(client, "GET", url, NULL, STR_NULL, &answer, why)) != OK)
        return e;
    if (answer.status == 200)
        buf_add_str(out, buf_view(&answer.body));
    else
        e = why_set(why, ERR_UNAVAILABLE, "the address answers with status %d", answer.status);
    http_answer_done(&answer);
    return e;
}

/* The first certificate of a PEM file. */
static enum err
read_pin(const char *path, struct saml_keys *ret, struct why *why)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----", end[] = "-----END CERTIFICATE-----";
    AUTO(buf_free) struct buf pem = BUF_BOUNDED(POLICY_MAX);
    AUTO(buf_free) struct buf der = BUF_BOUNDED(POLICY_MAX);
    const char *from, *to;
    enum err e;

    if ((e = command_read_file(path, &pem, why)) != OK)
        return e;
    from = strstr(buf_cstr(&pem), begin);
    to = from == NULL ? NULL : strstr(from, end);
    if (to == NULL || base64_decode((struct str){from + sizeof begin - 1, (size_t)(to - from) - (sizeof begin - 1)},
                                    true, &der) != OK)
        return why_set(why, ERR_INPUT, "%s: not a PEM certificate", path);
    if ((e = key_public(buf_view(&der), &ret->key[0], why)) == OK)
        ret->n = 1;
    return e;
}

static enum err
read_metadata(const struct idp *idp, const char *from, const char *pin, struct buf *out, struct why *why)
{
    AUTO(saml_keys_done) struct saml_keys pinned = {.n = 0};
    enum err e;

    e = is_url(from) ? fetch(idp, from, pin != NULL, out, why) : command_read_file(from, out, why);
    if (e != OK)
        return e;
    if (pin == NULL)
        return OK;
    if ((e = read_pin(pin, &pinned, why)) != OK)
        return e;
    return saml_metadata_verify(buf_view(out), &pinned, why);
}

/* --- what stands already --------------------------------------------------------------------------- */
struct standing {
    const char *name;
    struct arena *arena;
    bool found, removed;
    const char *family, *label_fr, *label_en, *policy;
};

static void
keep_standing(const struct service_row *row, void *arg)
{
    struct standing *s = arg;

    if (row->kind != SERVICE_SAML || strcmp(row->name, s->name) != 0)
        return;
    s->found = true;
    s->removed = strcmp(row->state, "removed") == 0;
    s->family = arena_strdup(s->arena, row->family);
    s->label_fr = arena_strdup(s->arena, row->label_fr);
    s->label_en = arena_strdup(s->arena, row->label_en);
    s->policy = arena_strdup(s->arena, row->policy);
}

static const char *
first(const char *a, const char *b, const char *c, const char *d)
{
    return a != NULL ? a : b != NULL ? b : c != NULL ? c : d;
}

/* A family of its own by default: the host of the service, so that no two share an identifier by accident. */
static const char *
own_family(const struct saml_sp *sp, struct arena *a)
{
    const char *host = strstr(sp->acs[0].location, "://") + 3;
    char *family = arena_alloc(a, FAMILY_MAX + 1);
    size_t i, n = strcspn(host, ":/?");

    for (i = 0; i < n && i < FAMILY_MAX; i++) {
        char c = host[i] >= 'A' && host[i] <= 'Z' ? (char)(host[i] - 'A' + 'a') : host[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');

        family[i] = plain || (i > 0 && (c == '.' || c == '-')) ? c : '0';
    }
    return family;
}

static const char *
own_label(const struct saml_sp *sp, struct arena *a)
{
    const char *host = strstr(sp->acs[0].location, "://") + 3;

    return arena_str(a, (struct str){host, strcspn(host, ":/?")});
}

/* --- add ------------------------------------------------------------------------------------------- */
static bool
speaks_plain_http(const struct saml_sp *sp)
{
    size_t i;

    for (i = 0; i < sp->nacs; i++)
        if (sp->acs[i].location[4] == ':')
            return true;
    for (i = 0; i < sp->nslo; i++)
        if (sp->slo[i].location[4] == ':' || sp->slo[i].response_location[4] == ':')
            return true;
    return false;
}

/* Rules that depend on now and here; the nodes do not ask them again, but for validUntil. */
static enum err
check_here(const struct idp *idp, const struct saml_sp *sp, struct why *why)
{
    if (sp->valid_until != 0 && sp->valid_until <= clock_now())
        return why_set(why, ERR_INPUT, "the metadata are past their validUntil");
    if (speaks_plain_http(sp) && !sp->policy.allow_http && idp->conf.environment == ENVIRONMENT_PRODUCTION)
        return why_set(why, ERR_DENIED, "an address without TLS: answers would be readable on the way "
                                        "(policy allow_http lets it through)");
    return OK;
}

static void
say_warnings(const struct saml_sp *sp)
{
    char until[UTIME_RFC3339_LEN + 1];

    if (sp->unusable_keys > 0)
        fprintf(stderr, "warning: %zu key(s) left out: unreadable, or weaker than RSA 2048 / P-256\n",
                sp->unusable_keys);
    if (sp->signing.n == 0)
        fprintf(stderr, "warning: no usable signing key: signed messages and logout of this service will be refused\n");
    if (speaks_plain_http(sp))
        fprintf(stderr, "warning: an address without TLS\n");
    if (sp->valid_until != 0) {
        utime_rfc3339(sp->valid_until, until);
        fprintf(stderr, "warning: the metadata end on %s: add newer ones with --replace before\n", until);
    }
}

static enum err
put(struct pg *pg, const struct sp_options *o, const struct saml_sp *sp, const struct standing *old,
    const struct buf *metadata, const char *policy, struct why *why)
{
    /* A policy that was not given again has said its word before: what stands is what came of it. */
    const struct saml_policy none = {.family = NULL}, *p = o->policy != NULL || !old->found ? &sp->policy : &none;
    const char *host = own_label(sp, sp->arena);
    const struct service_draft draft = {
        .kind = SERVICE_SAML,
        .name = sp->entity_id,
        .family = first(o->family, p->family, old->family, own_family(sp, sp->arena)),
        .label_fr = first(o->label_fr, p->label_fr, old->label_fr, first(sp->name_fr, sp->name_en, NULL, host)),
        .label_en = first(o->label_en, p->label_en, old->label_en, first(sp->name_en, sp->name_fr, NULL, host)),
        .document = buf_view(metadata),
        .policy = policy,
    };

    if (!saml_family_is_good(draft.family))
        return why_set(why, ERR_INPUT, "--family: 1 to 63 lower-case letters, digits, '.', '_', '-'");
    if (old->family != NULL && strcmp(old->family, draft.family) != 0)
        fprintf(stderr, "warning: family %s instead of %s: every citizen gets another identifier there\n", draft.family,
                old->family);
    return services_put(pg, &draft, o->replace || old->removed, command_actor(), clock_now(), NODES_TIMEOUT, NULL, why);
}

static int
sp_add(const struct idp *idp, const struct sp_options *o, const char *from)
{
    AUTO(buf_free) struct buf metadata = BUF_BOUNDED(METADATA_MAX);
    AUTO(buf_free) struct buf policy = BUF_BOUNDED(POLICY_MAX);
    AUTO(saml_sp_freep) struct saml_sp *sp = NULL;
    AUTO(pg_closep) struct pg *pg = NULL;
    struct standing old = {.found = false};
    struct why why = WHY_INIT;
    const char *text;
    enum err e;

    if ((e = read_metadata(idp, from, o->pin, &metadata, &why)) != OK ||
        (e = saml_metadata_read(buf_view(&metadata), &sp, &why)) != OK)
        return command_fail(from, e, &why);
    if (o->policy != NULL && (e = command_read_file(o->policy, &policy, &why)) != OK)
        return command_fail("--policy", e, &why);
    old.name = sp->entity_id;
    old.arena = sp->arena;
    if ((e = operator_database(idp, &pg, &why)) != OK || (e = services_list(pg, keep_standing, &old, &why)) != OK)
        return command_fail("database", e, &why);
    if (old.removed)
        old.policy = NULL;
    text = o->policy != NULL ? buf_cstr(&policy) : old.policy != NULL ? old.policy : "{}";
    if ((e = saml_policy_read(text, sp, &why)) != OK || (e = check_here(idp, sp, &why)) != OK)
        return command_fail(sp->entity_id, e, &why);
    say_warnings(sp);
    if ((e = put(pg, o, sp, &old, &metadata, text, &why)) != OK)
        return command_fail(sp->entity_id, e, &why);
    printf("%s %s\n", old.found && !old.removed ? "replaced" : "added", sp->entity_id);
    return 0;
}

/* --- list and remove --------------------------------------------------------------------------------- */
static void
print_row(const struct service_row *row, void *arg)
{
    AUTO(saml_sp_freep) struct saml_sp *sp = NULL;
    char until[UTIME_RFC3339_LEN + 1] = "-";
    struct why why = WHY_INIT;

    (void)arg;
    if (row->kind != SERVICE_SAML || strcmp(row->state, "removed") == 0)
        return;
    if (saml_metadata_read(row->document, &sp, &why) == OK && sp->valid_until != 0)
        utime_rfc3339(sp->valid_until, until);
    printf("%s\t%s\t%s\t%s\t%s\n", row->name, row->state, row->family, until, row->label_fr);
}

static int
sp_list(const struct idp *idp)
{
    AUTO(pg_closep) struct pg *pg = NULL;
    struct why why = WHY_INIT;
    enum err e;

    if ((e = operator_database(idp, &pg, &why)) != OK)
        return command_fail("database", e, &why);
    printf("entity_id\tstate\tfamily\tvalid_until\tlabel\n");
    if ((e = services_list(pg, print_row, NULL, &why)) != OK)
        return command_fail("sp list", e, &why);
    return 0;
}

static int
sp_remove(const struct idp *idp, const char *entity_id)
{
    AUTO(pg_closep) struct pg *pg = NULL;
    struct why why = WHY_INIT;
    enum err e;

    if ((e = operator_database(idp, &pg, &why)) != OK)
        return command_fail("database", e, &why);
    e = services_set_state(pg, SERVICE_SAML, entity_id, "removed", command_actor(), clock_now(), NODES_TIMEOUT, &why);
    if (e != OK)
        return command_fail(entity_id, e, &why);
    printf("removed %s\n", entity_id);
    return 0;
}

static int
usage(void)
{
    return command_usage("sp add FILE|URL --config FILE [--policy FILE] [--family NAME] [--label-fr TEXT]\n"
                         "                      [--label-en TEXT] [--pin CERT] [--replace]\n"
                         "       beffroi-idp sp list --config FILE\n"
                         "       beffroi-idp sp remove ENTITY_ID --config FILE");
}

int
saml_sp_command(int argc, char **argv)
{
    struct sp_options o = {.replace = false};
    const struct command_option options[] = {
        {"--config", &o.config, NULL},     {"--policy", &o.policy, NULL},     {"--family", &o.family, NULL},
        {"--label-fr", &o.label_fr, NULL}, {"--label-en", &o.label_en, NULL}, {"--pin", &o.pin, NULL},
        {"--replace", NULL, &o.replace},
    };
    AUTO(idp_freep) struct idp *idp = NULL;
    struct why why = WHY_INIT;
    const char *words[2];
    size_t n;
    enum err e;

    if (!command_options(argc, argv, options, ARRAY_LEN(options), words, ARRAY_LEN(words), &n) || o.config == NULL ||
        n == 0)
        return usage();
    log_start("beffroi-idp sp", LOG_LEVEL_WARNING);
    if ((e = idp_load(o.config, 0, &idp, &why)) != OK)
        return command_fail(o.config, e, &why);
    if (strcmp(words[0], "add") == 0 && n == 2)
        return sp_add(idp, &o, words[1]);
    if (strcmp(words[0], "list") == 0 && n == 1)
        return sp_list(idp);
    if (strcmp(words[0], "remove") == 0 && n == 2)
        return sp_remove(idp, words[1]);
    return usage();
}
