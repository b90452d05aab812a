/* saml: what this room offers to the program: parser of services, routes, dialect. */
#include "idp/saml/saml-internal.h"

static enum err
parse_service(struct str document, const char *policy, void **ret, struct why *why)
{
    AUTO(saml_sp_freep) struct saml_sp *sp = NULL;
    enum err e;

    if ((e = saml_metadata_read(document, &sp, why)) != OK || (e = saml_policy_read(policy, sp, why)) != OK)
        return e;
    *ret = TAKE(sp);
    return OK;
}

static void
free_service(void *dialect)
{
    saml_sp_free(dialect);
}

const struct service_parser saml_service_parser = {SERVICE_SAML, parse_service, free_service};

static const struct http_route list[] = {
    {HTTP_GET, "/saml/sso", get_saml_sso, HTTP_BODY_NONE, 0, HTTP_SESSION_NONE, HTTP_CSRF_NONE, HTTP_POOL_EVENT,
     "saml.sso", true, false},
    {HTTP_POST, "/saml/sso", post_saml_sso, HTTP_BODY_FORM, SAML_FORM_MAX, HTTP_SESSION_NONE, HTTP_CSRF_PROTOCOL,
     HTTP_POOL_EVENT, "saml.sso.post", true, false},
    {HTTP_GET, "/saml/start", get_saml_start, HTTP_BODY_NONE, 0, HTTP_SESSION_NONE, HTTP_CSRF_NONE, HTTP_POOL_EVENT,
     "saml.start", true, false},
    {HTTP_GET, "/saml/slo", get_saml_slo, HTTP_BODY_NONE, 0, HTTP_SESSION_NONE, HTTP_CSRF_NONE, HTTP_POOL_EVENT,
     "saml.slo", true, false},
    {HTTP_POST, "/saml/slo", post_saml_slo, HTTP_BODY_FORM, SAML_FORM_MAX, HTTP_SESSION_NONE, HTTP_CSRF_PROTOCOL,
     HTTP_POOL_EVENT, "saml.slo.post", true, false},
    {HTTP_GET, "/saml/metadata", get_saml_metadata, HTTP_BODY_NONE, 0, HTTP_SESSION_NONE, HTTP_CSRF_NONE,
     HTTP_POOL_EVENT, "saml.metadata", false, true},
};
const struct http_routes saml_routes = HTTP_ROUTES(list);

const struct signon_dialect saml_dialect = { .name = "saml", .resume = saml_resume, .cancel = saml_cancel,
                                             .logout_notice = saml_logout_notice };
