/* citizen-internal: what the files of this room share. */
#ifndef IDP_CITIZEN_CITIZEN_INTERNAL_H
#define IDP_CITIZEN_CITIZEN_INTERNAL_H

#include "idp/account/account.h"
#include "idp/account/authz_label.h"
#include "idp/account/town.h"
#include "idp/citizen/citizen.h"
#include "idp/credential/certificate.h"
#include "idp/credential/factor.h"
#include "idp/services/consent.h"
#include "idp/signon/signon.h"

#define CITIZEN_ZONE "Europe/Paris"

/* --- citizen_store.c ---------------------------------------------------------------------------------------------- */
struct citizen_visit {
    utime at;
    unsigned method;
    const char *result;      /* "ok", or why not */
    const char *ip_prefix;
    int32_t service_id;      /* 0: our own pages */
};
/* Newest first. */
MUST_USE enum err citizen_store_visits(struct pg *pg, const char *account_id, int64_t max, struct arena *a,
                                       struct citizen_visit **ret, size_t *ret_n, struct why *why);
struct citizen_service {
    int32_t service_id;
    utime last_at;
    int64_t count;           /* answers given to it that are still recorded */
    const char *identifier;  /* the pairwise one of its family; NULL: none was given */
};
/* Services that were given an answer about the account, the last one first. */
MUST_USE enum err citizen_store_services(struct pg *pg, const char *account_id, struct arena *a,
                                         struct citizen_service **ret, size_t *ret_n, struct why *why);
struct citizen_right {
    const char *code;
    utime granted_at, valid_until, ended_at;      /* UTIME_NULL: no end */
};
/* With those that have ended. */
MUST_USE enum err citizen_store_rights(struct pg *pg, const char *account_id, struct arena *a,
                                       struct citizen_right **ret, size_t *ret_n, struct why *why);
struct citizen_code {
    const char *kind, *state;
    utime issued_at, ended_at;
};
MUST_USE enum err citizen_store_codes(struct pg *pg, const char *account_id, struct arena *a, struct citizen_code **ret,
                                      size_t *ret_n, struct why *why);

/* --- mine.c --------------------------------------------------------------------------------------------------------- */
struct mine {
    struct account account;
    struct town town;
    const char *login;
    const char *mail;              /* address kept, NULL: none */
    struct account_authz *authz;
    struct authz_labels labels;    /* of the town, for its authorisations */
    struct session_seen *sessions;
    struct consent *consents;
    struct citizen_service *services;
    utime password_at;             /* when its hash was last changed; UTIME_NULL: no password */
    struct factors factors;
    struct credential_row *certificates;
    size_t nauthz, nsessions, nconsents, nservices, ncertificates;
};
/* Of who is signed in. */
MUST_USE enum err mine_load(struct http_request *req, struct mine *m, struct why *why);
const char *method_key(unsigned method);

/* --- proof.c -------------------------------------------------------------------------------------------------------- */
/*
 * Whatever changes how a person signs in needs a proof that is a few minutes old: a session that somebody left open, or stole,
 * changes nothing of it. Where the proof is older the person signs in again, with the second factor too if there is one, and
 * comes back to path. A page that was shown may be sent a while later than that.
 * false: replied, with the way to sign in again.
 */
MUST_USE bool citizen_proved(struct http_request *req, const char *path);
/* Of a form: "6ad4d5b1-0000-4000-8000-000000000001". */
bool citizen_is_uuid(const char *s);

/* --- my_cards.c ----------------------------------------------------------------------------------------------------- */
#define CARDS_URL "/ma-page/cartes"
/* May this person add a certificate that they have, or is there one that they added? */
bool cards_offered(const struct idp *idp, const struct credential_row *certificates, size_t n);
void get_my_cards(struct http_request *req);
void get_my_cards_add(struct http_request *req);
void post_my_cards_link(struct http_request *req);
void post_my_cards_remove(struct http_request *req);

/* --- endpoints ------------------------------------------------------------------------------------------------------ */
void get_home(struct http_request *req);
void get_login(struct http_request *req);
void get_my_block(struct http_request *req);
void post_my_block(struct http_request *req);
void get_my_password(struct http_request *req);
void post_my_password(struct http_request *req);
void post_my_address(struct http_request *req);
/* What a request of this session wanted is not done, because somebody ended it meanwhile: replies, with the way to sign in. */
bool session_was_ended(struct http_request *req, const struct why *why);
void post_my_sessions(struct http_request *req);
void post_my_consents(struct http_request *req);
void get_my_data(struct http_request *req);
void get_block(struct http_request *req);
void post_block(struct http_request *req);
/* The page after a block: asks for the reason once, or shows the receipt. */
void block_reason_page(struct http_request *req, const struct account_blocked *b);
void block_done_page(struct http_request *req, const struct account_blocked *b, bool final);

#endif
