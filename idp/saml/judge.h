/*
 * judge: what is allowed and what is meant, decided from typed structs alone: no XML, no database, no HTTP.
 *
 * Two kinds of "no": a refusal that the service may be told (a status, sent to an address of its own metadata), and
 * one that it may not, because who or where it is could not be established (err, shown to the person).
 */
#ifndef IDP_SAML_JUDGE_H
#define IDP_SAML_JUDGE_H

#include "idp/saml/read.h"
#include "idp/saml/sp.h"
#include "idp/signon/level.h"

/* What must be kept from the request to the answer, across the sign-in pages. Strings in the arena of whoever made it. */
struct saml_exchange {
    const char *sp;            /* entityID */
    const char *request_id;    /* NULL: unsolicited */
    const char *acs_url;
    const char *relay_state;   /* NULL: none */
    enum saml_nameid nameid;   /* never UNSAID */
    unsigned accept;           /* mask of enum signon_method, 0: any */
    bool force_authn, is_passive;
    bool class_password;       /* say Password, not PasswordProtectedTransport, for a password */
    bool class_mfa;            /* the REFEDS profile was asked for by its name: say it where it was met */
    bool class_level;          /* a level of assurance was asked for: say the one that was reached */
    const char *subject;       /* the NameID that the service insists on, NULL: none */
};

struct saml_status {
    const char *status, *substatus; /* both NULL: no refusal */
};

/* Rules of every message (saml-bindings 3.4.5.2, 3.5.5.2): age, destination; Version is the caller's to answer.
 * endpoint: our own URL it came to. signed: Destination must then be there. */
MUST_USE enum err saml_check_head(const struct saml_head *head, const char *endpoint, bool is_signed, utime now,
                                  int64_t max_age, struct why *why);

/* ERR_INPUT: the address asked for is not one of the service's. When the binding asked for is not ours, the answer
 * goes to the default address with UnsupportedBinding in *ret_status. */
MUST_USE enum err saml_choose_acs(const struct saml_authn_request *r, const struct saml_sp *sp,
                                  const struct saml_endpoint **ret, struct saml_status *ret_status, struct why *why);
/* The default POST address of the service (saml-metadata 2.2.3). */
const struct saml_endpoint *saml_default_acs(const struct saml_sp *sp);

/* Fills x but for relay_state. OK with *ret_status set: the service is to be told no; x is good enough for that. */
MUST_USE enum err saml_judge(const struct saml_authn_request *r, const struct saml_sp *sp, const char *idp_entity_id,
                             const struct levels *levels, struct saml_exchange *x, struct saml_status *ret_status, struct why *why);

/* RequestedAuthnContext to a mask of methods (0: any), and which names the answer may use. false: none of ours can meet
 * it. */
bool saml_context_accept(const struct saml_authn_request *r, const struct levels *levels, struct saml_exchange *x);
/* The class of the methods used, for what was asked. */
const char *saml_context_class(unsigned method, const struct levels *levels, const struct saml_exchange *x);

/* The exchange as text for the flow's record, and back. ERR_INTERNAL: not ours. */
void saml_exchange_write(const struct saml_exchange *x, struct buf *out);
MUST_USE enum err saml_exchange_read(struct str text, struct arena *a, struct saml_exchange *ret, struct why *why);

#endif
