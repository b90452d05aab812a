/* saml-internal: what the endpoints of this room share. */
#ifndef IDP_SAML_SAML_INTERNAL_H
#define IDP_SAML_SAML_INTERNAL_H

#include "idp/saml/gate.h"
#include "idp/saml/judge.h"
#include "idp/saml/redirect.h"
#include "idp/saml/saml.h"
#include "idp/saml/sign.h"

#define SAML_FORM_MAX (128 * 1024) /* 64 KiB of XML in base64, percent-encoded, and RelayState */

static inline void
saml_view_release(const struct services_view **view)
{
    if (*view != NULL)
        services_release(*view);
}

/* --- receive.c: a message by either binding, gated ------------------------------------------------- */
struct saml_incoming {
    bool redirect;            /* HTTP-Redirect, else HTTP-POST */
    bool response;            /* SAMLResponse, else SAMLRequest */
    struct saml_redirect query;
    xmlDoc *doc;
    const char *relay_state;  /* in the request's arena; NULL: none */
};
/* A zeroed struct may be released. */
void saml_incoming_done(struct saml_incoming *in);
MUST_USE enum err saml_incoming_read(struct http_request *req, struct saml_incoming *ret, struct why *why);
/* Every signature that is there must be right, asked for or not. head: as read from in->doc. */
MUST_USE enum err saml_incoming_verify(const struct saml_incoming *in, const struct saml_head *head,
                                       const struct saml_sp *sp, bool *ret_signed, struct why *why);
/* The service of that name, its key material and validity checked. ERR_NOT_FOUND, ERR_DENIED. */
MUST_USE enum err saml_service_find(const struct services_view *view, const char *entity_id, utime now,
                                    const struct service **ret, struct why *why);

/* --- answer.c: what leaves us ------------------------------------------------------------------------- */
struct saml_signer saml_signer_of(const struct idp *idp);
/* A page that posts one message to the service by itself, or at a click. field: "SAMLResponse" or "SAMLRequest". */
void saml_post_page(struct http_request *req, const struct service *sv, const char *location, const char *field,
                    struct str xml, const char *relay_state);
void saml_answer_status(struct http_request *req, const struct service *sv, const struct saml_exchange *x,
                        struct saml_status status);
void saml_answer_success(struct http_request *req, const struct service *sv, const struct saml_exchange *x,
                         const struct signon_answer *answer);
/* The person is told in a sentence, with a reference and a way back to the service (sv may be NULL); we log why. */
void saml_refuse(struct http_request *req, const char *event, const char *issuer, const struct service *sv, enum err e,
                 const struct why *why);

/* --- endpoints ------------------------------------------------------------------------------------------ */
void get_saml_sso(struct http_request *req);
void post_saml_sso(struct http_request *req);
void get_saml_start(struct http_request *req);
void get_saml_slo(struct http_request *req);
void post_saml_slo(struct http_request *req);
void get_saml_metadata(struct http_request *req);
void saml_resume(struct http_request *req, const char *flow_id, utime flow_started, struct str state);
void saml_cancel(struct http_request *req, const char *flow_id, struct str state, bool refused);
enum err saml_logout_notice(struct idp *idp, struct pg *pg, struct str job_payload, struct why *why);

#endif
