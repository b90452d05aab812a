/*
 * mairie: what every handler and job of the town's server can reach. Made once at start, read-only afterwards.
 * http_app() of its listeners is a struct mairie *.
 *
 * Two processes: web (clerks) and outbox (calls the IdP's town door, reads its changes, seals the audit trail). The
 * outbox cannot read the vault of names. Of a login and password account, and of a certificate under a pseudonym, nothing
 * but the handle and authorisations ever leaves this server (P-035, P-047); of a card the name and postal address do, of
 * a named certificate the name, sealed in the request until it is answered.
 */
#ifndef MAIRIE_TOWN_MAIRIE_H
#define MAIRIE_TOWN_MAIRIE_H

#include "base/core/conf.h"
#include "base/core/secret.h"
#include "base/crypto/key.h"
#include "base/crypto/seal.h"
#include "base/http/client.h"
#include "base/http/server.h"
#include "base/page/page.h"
#include "base/pg/pg.h"
#include "base/program/keyfolder.h"

#define MAIRIE_ZONE "Europe/Paris"
#define MAIRIE_SCHEMA "mairie"
#define MAIRIE_SCHEMA_MIN 3
#define MAIRIE_SCHEMA_MAX 3

/* Configuration; the table is in conf.c. Durations in microseconds. */
struct mairie_conf {
    int environment;                     /* enum environment */
    char *base_url;                      /* what clerks see */
    char *name_fr, *name_en;             /* « Mairie de Rivemont » */
    char *town;                          /* « Rivemont », on the sheet */
    char *help_url, *phone;
    char *theme, *templates, *migrations;
    char *database, *database_owner;
    struct conf_list listen;
    char *tls_cert, *tls_key;            /* empty: plain, behind a trusted front */
    struct conf_list trusted_proxies;
    int64_t threads, slow_threads;
    char *keys;                          /* folder, see keys.c */
    char *clock_file;                    /* demo and test only */
    char *idp_url;                       /* the town door */
    char *idp_ca, *idp_cert, *idp_key;   /* its authority, our client certificate */
    bool idp_private;                    /* the door may have a private or loopback address */
    int64_t idp_timeout;
    int64_t changes_every;
    char *mail_address;                  /* printed on the sheet */
    char *block_url;                     /* printed on the sheet, as people type it */
    bool account_password, account_certificate, account_card;     /* which procedures this town offers (P-001) */
    bool certificate_named;              /* a certificate may bear the name (P-047) */
    char *hours_fr, *hours_en;           /* opening hours, on receipts */
    int64_t card_delay;                  /* until a card is usually there */
    int64_t session_idle, session_max;
    int64_t argon2_memory_kib, argon2_passes;
};

struct mairie {
    struct mairie_conf conf;
    struct page_set *pages;
    struct keyring *pepper;              /* search tokens, throttle */
    struct keyring *field;               /* sealed columns (K_field) */
    struct key *seal_key;                /* P-256: codes come sealed to it */
    struct key *audit_key;               /* Ed25519 */
    struct secret csrf_key;
    struct http_client *door;            /* thread-safe */
};

enum mairie_need { MAIRIE_NEED_PAGES = 1, MAIRIE_NEED_KEYS = 2, MAIRIE_NEED_DOOR = 4 };
MUST_USE enum err mairie_load(const char *config_path, unsigned need, struct mairie **ret, struct why *why);
void mairie_free(struct mairie *m);
DEFINE_FREEP(struct mairie, mairie_free)
extern const struct conf_item mairie_conf_items[];
extern const size_t mairie_conf_nitems;

/* --- keys.c: the key folder -----------------------------------------------------------------------------------------
 *   seal.pem, seal-public.pem   P-256: the IdP's operator gets the public half (`beffroi-idp town add --seal-key`)
 *   audit.pem                   Ed25519, signs checkpoints of the audit trail
 *   csrf.key                    32 bytes, hexadecimal
 *   pepper/ field/              key rings (base/crypto/seal.h)
 * As a table for base/program/keyfolder.h; the need of a row: bits of enum mairie_need. */
extern const struct keyfile mairie_key_files[];
extern const size_t mairie_key_nfiles;

/* --- page.c --------------------------------------------------------------------------------------------------------- */
/* Page data with what every page shows: site, menu of the agent who is signed in, CSRF token, reference. */
struct page_data *mairie_page(struct http_request *req);
void mairie_reply_page(struct http_request *req, int status, const char *template_name, const struct page_data *d);
/* The error page: message_key is the sentence, way_out a path (NULL: first page). */
void mairie_reply_error(struct http_request *req, int status, const char *message_key, const char *way_out);
/* The same for what a store or the door answered; logs the reason. */
void mairie_fail(struct http_request *req, const char *event, enum err e, const struct why *why);
/* 303 to a path of ours. */
void mairie_go(struct http_request *req, const char *path);

#endif
