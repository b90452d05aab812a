/* client: OpenID Connect clients, from their metadata (RFC 7591). In force on every running node when it returns. */
#include "idp/operator/operator.h"

#include <stdio.h>

#include "idp/oidc/oidc.h"

#define METADATA_MAX (64 * 1024)
#define NODES_TIMEOUT (10 * USEC_PER_SEC)

static int
usage(void)
{
    return command_usage("client add FILE.json|- --config FILE [--replace]\n"
                         "       beffroi-idp client list --config FILE\n"
                         "Metadata as RFC 7591, and: \"family\" (services of one family see the same identifier),\n"
                         "\"attributes\" ([\"authorisations\", \"authorisations:CODE\", \"town\"]), \"require_pkce\",\n"
                         "\"authorization_response_iss_parameter\". Prints the client's metadata with its secret, once.");
}

static int
client_add(const char *config, const char *file, bool replace)
{
    AUTO(idp_freep) struct idp *idp = NULL;
    AUTO(pg_closep) struct pg *pg = NULL;
    AUTO(arena_freep) struct arena *arena = arena_new(4 * METADATA_MAX);
    AUTO(buf_free) struct buf json = BUF_SECRET(METADATA_MAX);
    struct service_draft draft;
    const char *answer;
    struct why why = WHY_INIT;
    enum err e;

    if ((e = idp_load(config, IDP_NEED_KEYS, &idp, &why)) != OK || (e = command_read_file(file, &json, &why)) != OK ||
        (e = oidc_client_register(idp, buf_view(&json), arena, &draft, &answer, &why)) != OK ||
        (e = operator_database(idp, &pg, &why)) != OK ||
        (e = services_put(pg, &draft, replace, command_actor(), clock_now(), NODES_TIMEOUT, NULL, &why)) != OK)
        return command_fail("client add", e, &why);
    printf("%s\n", answer);
    return 0;
}

static int
client_list(const char *config)
{
    AUTO(idp_freep) struct idp *idp = NULL;
    struct services *services = NULL;
    const struct services_view *view;
    struct pg_config conf;
    struct why why = WHY_INIT;
    enum err e;

    if ((e = idp_load(config, 0, &idp, &why)) != OK)
        return command_fail(config, e, &why);
    conf = command_pg_config(command_conninfo(idp->conf.database, idp->conf.database_owner), idp_all_stmts);
    if ((e = services_open(&conf, "command", idp_service_parsers, &services, &why)) != OK)
        return command_fail("client list", e, &why);
    view = services_hold(services);
    for (size_t i = 0; i < services_count(view); i++) {
        const struct service *sv = services_nth(view, i);

        if (sv->kind == SERVICE_OIDC)
            printf("%s\t%s\t%s\t%s\n", sv->name, sv->family, sv->active ? "active" : "suspended", sv->label_fr);
    }
    services_release(view);
    services_close(services);
    return 0;
}

int
operator_client(int argc, char **argv)
{
    const char *config = NULL, *words[2] = { NULL, NULL };
    bool replace = false;
    const struct command_option options[] = { { "--config", &config, NULL }, { "--replace", NULL, &replace } };
    size_t n;

    if (!command_options(argc, argv, options, ARRAY_LEN(options), words, 2, &n) || config == NULL || n == 0)
        return usage();
    if (n == 2 && strcmp(words[0], "add") == 0)
        return client_add(config, words[1], replace);
    if (n == 1 && strcmp(words[0], "list") == 0)
        return client_list(config);
    return usage();
}
