/* common: what the operator's commands share. */
#include "idp/operator/operator.h"

#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

#include "base/pg/audit.h"
#include "base/pg/job.h"
#include "idp/account/account.h"
#include "idp/account/contact.h"
#include "idp/account/town.h"
#include "idp/activation/activation.h"
#include "idp/citizen/citizen.h"
#include "idp/credential/login.h"
#include "idp/oidc/oidc.h"
#include "idp/operator/purge.h"
#include "idp/saml/saml.h"
#include "idp/signon/signon.h"
#include "idp/signon/throttle.h"
#include "mairie-connector/api/door.h"

/* What the web process runs; the worker and the commands prepare the keeping of the house beside it. */
#define WEB_STMTS                                                                                             \
    &job_stmts, &audit_stmts, &account_stmts, &account_secret_stmts, &town_stmts, &login_stmts, &services_stmts, \
    &signon_stmts, &flow_stmts, &session_stmts, &throttle_stmts, &activation_stmts, &citizen_stmts,            \
    &town_door_stmts, &contact_stmts, &oidc_stmts
const struct pg_stmts *const idp_web_stmts[] = { WEB_STMTS, NULL };
const struct pg_stmts *const idp_all_stmts[] = { WEB_STMTS, &audit_seal_stmts, &purge_stmts, NULL };
const struct http_routes *const idp_public_routes[] = {
    &assets_routes, &citizen_routes, &signon_routes, &activation_routes, &saml_routes, &oidc_routes, NULL,
};
const struct http_routes *const idp_town_routes[] = { &town_door_routes, NULL };
const struct service_parser *const idp_service_parsers[] = { &saml_service_parser, &oidc_service_parser, NULL };
const struct signon_dialect *const idp_dialects[] = { &saml_dialect, &oidc_dialect, NULL };

struct pg_config
operator_pg_config(const char *conninfo, const struct pg_stmts *const *stmts)
{
    return (struct pg_config){ .conninfo = conninfo, .stmts = stmts, .schema = IDP_SCHEMA,
                               .schema_min = IDP_SCHEMA_MIN, .schema_max = IDP_SCHEMA_MAX };
}

static bool
option_take(int argc, char **argv, int *i, const struct operator_option *o)
{
    if (o->flag != NULL) {
        *o->flag = true;
        return true;
    }
    if (*i + 1 >= argc) {
        fprintf(stderr, "beffroi-idp: %s needs a value\n", o->name);
        return false;
    }
    *o->value = argv[++*i];
    return true;
}

bool
operator_options(int argc, char **argv, const struct operator_option *options, size_t n, const char **words,
                 size_t max, size_t *ret_nwords)
{
    size_t nwords = 0;

    for (int i = 0; i < argc; i++) {
        size_t k = 0;

        if (strncmp(argv[i], "--", 2) != 0) {
            if (nwords == max) {
                fprintf(stderr, "beffroi-idp: one word too many: %s\n", argv[i]);
                return false;
            }
            words[nwords++] = argv[i];
            continue;
        }
        while (k < n && strcmp(argv[i], options[k].name) != 0)
            k++;
        if (k == n) {
            fprintf(stderr, "beffroi-idp: unknown option %s\n", argv[i]);
            return false;
        }
        if (!option_take(argc, argv, &i, &options[k]))
            return false;
    }
    *ret_nwords = nwords;
    return true;
}

int
operator_fail(const char *context, enum err e, const struct why *why)
{
    fprintf(stderr, "beffroi-idp: %s: %s\n", context, why->text[0] != '\0' ? why->text : err_name(e));
    return 1;
}

enum err
operator_database(const struct idp *idp, struct pg **ret, struct why *why)
{
    const char *owner = idp->conf.database_owner;
    static struct pg_config conf;       /* outlives the connection: one per command */

    conf = operator_pg_config(owner[0] != '\0' ? owner : idp->conf.database, idp_all_stmts);
    return pg_open(&conf, ret, why);
}

const char *
operator_actor(void)
{
    static char actor[64];
    const struct passwd *who = getpwuid(getuid());

    if (who != NULL)
        snprintf(actor, sizeof(actor), "operator:%s", who->pw_name);
    else
        snprintf(actor, sizeof(actor), "operator:%u", (unsigned)getuid());
    return actor;
}

enum err
operator_read_file(const char *path, struct buf *out, struct why *why)
{
    FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    char block[4096];
    size_t n;

    if (f == NULL)
        return why_set(why, ERR_NOT_FOUND, "%s: %m", path);
    while ((n = fread(block, 1, sizeof(block), f)) > 0)
        buf_add(out, block, n);
    n = (size_t)ferror(f);
    if (f != stdin)
        fclose(f);
    if (n != 0)
        return why_set(why, ERR_UNAVAILABLE, "%s: cannot be read", path);
    return buf_ok(out) ? OK : why_set(why, ERR_INPUT, "%s: larger than %zu bytes", path, out->max);
}
