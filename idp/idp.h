/*
 * idp: what every handler and job of the identity provider can reach. Made once at start, read-only afterwards
 * (the services registry swaps its own snapshot). http_app() of the IdP's listeners is a struct idp *.
 */
#ifndef IDP_IDP_H
#define IDP_IDP_H

#include "base/core/code.h"
#include "base/core/conf.h"
#include "base/core/secret.h"
#include "base/crypto/key.h"
#include "base/crypto/seal.h"
#include "base/http/server.h"
#include "base/page/page.h"
#include "base/pg/pg.h"

struct deny_list;
struct services;          /* idp/services/services.h */
struct trust;             /* idp/credential/trust.h */
struct signon_dialect;    /* idp/signon/signon.h */

/* Configuration; the table is in idp/conf.c. Durations in microseconds. */
struct idp_conf {
    int environment;                     /* enum environment */
    char *base_url;                      /* "https://idp.example": what citizens and services see */
    char *entity_id;                     /* SAML entityID; default base_url + "/saml/metadata" */
    char *issuer;                        /* OIDC issuer; default base_url */
    char *name_fr, *name_en;             /* « Mon compte Rivemont » */
    char *help_url, *help_phone;
    char *theme;                         /* folder below templates/themes */
    char *templates;                     /* folder */
    char *migrations;                    /* folder */
    char *database;                      /* conninfo of this process */
    char *database_owner;                /* conninfo for migrate; may be empty */
    struct conf_list listen;             /* public listeners */
    char *tls_cert, *tls_key;            /* empty: plain, behind a trusted front */
    struct conf_list trusted_proxies;
    struct conf_list town_listen;        /* town door, mutual TLS */
    char *town_url;                      /* its base URL */
    char *town_tls_cert, *town_tls_key, *town_client_ca;
    int64_t town_codes_rate, town_blocks_rate;    /* calls of one town in an hour before it must wait; 0: any number */
    struct conf_list cert_listen;        /* the certificate door: hosts that ask for a certificate in the handshake */
    char *cert_url;                      /* its base URL; empty: nobody signs in by certificate */
    char *cert_card_url;                 /* the door's address for cards; empty: cert_url */
    char *cert_tls_cert, *cert_tls_key;  /* empty: plain, behind cert_proxy */
    int cert_proxy;                      /* enum certificate_proxy (idp/signon/certificate.h) */
    bool cert_fresh_names;               /* each attempt at a name of its own below cert_url's */
    int64_t cert_ticket_life;            /* from the door to the main host */
    int eidas_password, eidas_second, eidas_software, eidas_card;      /* enum level (idp/signon/level.h) */
    char *eidas_reference;               /* where that is published */
    int64_t crl_refresh, crl_grace;      /* lists of revoked certificates of authorities that are trusted */
    char *pki_url;                       /* the authority that issues software certificates; empty: none are offered */
    char *pki_ca, *pki_cert, *pki_key;   /* how it and we know each other */
    char *pki_profile_soft, *pki_profile_soft_named, *pki_profile_card;
    int64_t pki_state_life;              /* how long its last answer counts */
    char *cardops_seal_key;              /* PEM: what card records are sealed to; empty: cards are not offered */
    int64_t threads, slow_threads;
    char *keys;                          /* folder: idp/keys.h */
    char *clock_file;                    /* demo and test only */
    char *mail_address;                  /* where creation codes are sent: activation@… */
    char *mail_lmtp_listen;
    char *mail_authserv_id;              /* the only Authentication-Results believed; empty: none */
    char *mail_smtp_url, *mail_smtp_ca;
    char *mail_from, *mail_from_name;
    char *outgoing_ca;                   /* PEM for what jobs call (back-channel logout, metadata); empty: the system's */
    bool outgoing_private;               /* private and loopback addresses may be called */
    int64_t session_idle, session_max;   /* 8 h / 12 h */
    int64_t flow_life;                   /* ≥ 60 min (WCAG 2.2.1) */
    int64_t link_life;                   /* 24 h */
    int64_t code_life, token_life;       /* OIDC: ≤ 60 s; access token 10 min */
    int64_t assertion_life;              /* SAML: 5 min */
    int64_t request_age;                 /* SAML: IssueInstant at most this old, 5 min */
    int64_t argon2_memory_kib, argon2_passes;
    char *deny_passwords;                /* file, one per line; may be empty */
};

struct idp {
    struct idp_conf conf;
    struct page_set *pages;
    struct keyring *pepper;              /* codes, e-mail and throttle MACs (K_pepper) */
    struct keyring *field;               /* sealed columns (K_field) */
    struct keyring *pair;                /* pairwise identifiers (K_pair) */
    struct key *saml_key;                /* RSA */
    struct buf saml_cert;                /* DER, published in metadata */
    struct key *oidc_rsa, *oidc_ec;
    char oidc_rsa_kid[44], oidc_ec_kid[44];
    struct key *audit_key;               /* Ed25519: checkpoints of the audit trail */
    struct secret csrf_key;              /* 32 bytes */
    struct deny_list *deny;              /* refused passwords, NULL: none (idp/credential/login.h) */
    struct services *services;
    struct key *card_key;                /* public: cardops.seal_key; NULL: none, or not for this process */
    struct authority *authority;         /* pki.url; NULL: none, or this process asks nothing of it */
    struct trust *trust;                 /* authorities for sign-in; NULL: this process judges no certificate */
    const struct signon_dialect *const *dialects;   /* NULL-terminated; set by the program, lowest layer calls up through it */
};

/* Loads configuration, keys and pages. What a process needs differs: flags. The keys of each stand in idp/keys.c. */
enum idp_need {
    IDP_NEED_PAGES = 1,
    IDP_NEED_WEB = 2, IDP_NEED_WORKER = 4, IDP_NEED_NOTIFIER = 8,      /* the keys of that process */
    IDP_NEED_AUDIT = 16, IDP_NEED_PEPPER = 32                          /* a key of a command */
};
/* The host name of a URL, without the port; the caller frees it. */
char *idp_url_host(const char *url) MUST_USE;
MUST_USE enum err idp_load(const char *config_path, unsigned need, struct idp **ret, struct why *why);
void idp_free(struct idp *idp);
DEFINE_FREEP(struct idp, idp_free)
extern const struct conf_item idp_conf_items[];
extern const size_t idp_conf_nitems;

/* Page data with what every page of the IdP shows: names, theme, language switch, help, CSRF token, request id. */
struct page_data *idp_page(struct http_request *req);
/* Reads a typed code: NULL when it is a good one of this kind (folded is filled), else the key of the sentence that
 * says what is wrong with it (DOMAIN 2.4: told at once, without looking anything up). */
const char *idp_code_problem(enum code_kind kind, const char *typed, char folded[CODE_FOLDED_MAX]);
/* Renders and replies; a rendering error becomes a plain 500 with the reference. */
void idp_reply_page(struct http_request *req, int status, const char *template_name, const struct page_data *d);
/* The error page: message_key is the sentence, way_out a URL (NULL: front page). The reference is the request id. */
void idp_reply_error(struct http_request *req, int status, const char *message_key, const char *way_out);

#endif
