/* common: what the operator's commands share, and what base/program asks of this program. */
#include "idp/operator/operator.h"

#include "base/pg/audit.h"
#include "base/pg/job.h"
#include "idp/account/account.h"
#include "idp/account/authz_label.h"
#include "idp/account/contact.h"
#include "idp/account/town.h"
#include "idp/account/x509.h"
#include "idp/activation/activation.h"
#include "idp/citizen/citizen.h"
#include "idp/credential/authority.h"
#include "idp/credential/certificate.h"
#include "idp/credential/factor.h"
#include "idp/credential/login.h"
#include "idp/issuing/issuing.h"
#include "idp/oidc/oidc.h"
#include "idp/operator/doctor.h"
#include "idp/operator/purge.h"
#include "idp/saml/saml.h"
#include "idp/services/consent.h"
#include "idp/signon/signon.h"
#include "idp/signon/throttle.h"
#include "mairie-connector/api/door.h"

/* What the web process runs; the worker and the commands prepare the keeping of the house beside it. */
#define WEB_STMTS                                                                                             \
    &job_stmts, &audit_stmts, &account_stmts, &account_secret_stmts, &town_stmts, &login_stmts, &services_stmts, \
    &signon_stmts, &signon_consent_stmts, &consent_stmts, &session_stmts, &throttle_stmts, &activation_stmts,   \
    &citizen_stmts, &town_door_stmts, &contact_stmts, &oidc_stmts, &authz_label_stmts,              \
    &trust_stmts, &credential_stmts, &issuing_stmts, &account_x509_stmts, &factor_stmts
const struct pg_stmts *const idp_web_stmts[] = { WEB_STMTS, NULL };
const struct pg_stmts *const idp_notifier_stmts[] = { &job_stmts, &services_stmts, NULL };
const struct pg_stmts *const idp_all_stmts[] = { WEB_STMTS, &audit_seal_stmts, &purge_stmts, &doctor_stmts, NULL };
const struct http_routes *const idp_public_routes[] = {
    &assets_routes, &citizen_routes, &signon_routes, &activation_routes, &issuing_routes, &saml_routes, &oidc_routes, NULL,
};
const struct http_routes *const idp_certificate_routes[] = { &certificate_door_routes, NULL };
const struct http_routes *const idp_town_routes[] = { &town_door_routes, NULL };
const struct program_door idp_doors[] = { { "public", idp_public_routes }, { "town", idp_town_routes },
                                           { "certificate", idp_certificate_routes } };
const size_t idp_ndoors = ARRAY_LEN(idp_doors);
const struct service_parser *const idp_service_parsers[] = { &saml_service_parser, &oidc_service_parser, NULL };
const struct signon_dialect *const idp_dialects[] = { &saml_dialect, &oidc_dialect, &issuing_dialect, &citizen_link_dialect,
                                                     NULL };

static void
site_free(void *app)
{
    idp_free(app);
}

enum err
operator_load(const char *config, unsigned need, struct program_site *ret, struct why *why)
{
    unsigned idp_need = ((need & PROGRAM_NEED_PAGES) != 0 ? IDP_NEED_PAGES : 0U) |
                        ((need & PROGRAM_NEED_AUDIT_KEY) != 0 ? IDP_NEED_AUDIT : 0U);
    struct idp *idp;
    enum err e;

    if ((e = idp_load(config, idp_need, &idp, why)) != OK)
        return e;
    *ret = (struct program_site){
        .app = idp, .free = site_free, .environment = (enum environment)idp->conf.environment,
        .database = idp->conf.database, .database_owner = idp->conf.database_owner, .migrations = idp->conf.migrations,
        .keys = idp->conf.keys, .audit_key = idp->audit_key,
    };
    return OK;
}

enum err
operator_database(const struct idp *idp, struct pg **ret, struct why *why)
{
    return command_database(idp->conf.database, idp->conf.database_owner, ret, why);
}

struct trust_fetch
operator_trust_fetch(const struct idp *idp)
{
    return (struct trust_fetch){ .ca_file = idp->conf.outgoing_ca[0] != '\0' ? idp->conf.outgoing_ca : NULL,
                                 .allow_private = idp->conf.outgoing_private, .refresh = idp->conf.crl_refresh };
}

enum err
operator_authority(struct idp *idp, int64_t timeout, int most, struct why *why)
{
    const struct idp_conf *c = &idp->conf;
    const struct authority_config conf = { .url = c->pki_url, .ca_file = c->pki_ca, .cert_file = c->pki_cert,
                                           .key_file = c->pki_key, .timeout = timeout, .most = most };

    return c->pki_url[0] == '\0' ? OK : authority_open(&conf, &idp->authority, why);
}
