/*
 * services: SAML services and OIDC clients: registry, families, release policy, pairwise identifiers.
 *
 * The registry is a snapshot in memory, replaced as a whole when the table changes (NOTIFY, and a poll every second);
 * each process tells its version in table node, so that a command that adds a service returns when every running
 * node has it. The dialects give a parser for their documents; services knows neither SAML nor OIDC.
 */
#ifndef IDP_SERVICES_SERVICES_H
#define IDP_SERVICES_SERVICES_H

#include "base/core/arena.h"
#include "base/crypto/seal.h"
#include "base/pg/pg.h"

extern const struct pg_stmts services_stmts;

enum service_kind { SERVICE_SAML, SERVICE_OIDC };

/* When the person is asked what the service may receive: never; the first time and when it would receive more; always. */
enum service_consent { SERVICE_CONSENT_NONE, SERVICE_CONSENT_FIRST, SERVICE_CONSENT_ALWAYS };

/* Release policy: what the service is given besides its pairwise identifier (T-10). */
struct service_release {
    bool authz_all;                 /* all authorisations of the account */
    char **authz; size_t nauthz;    /* or these codes only */
    bool town;                      /* short name of the town */
    bool pairwise_attribute;        /* SAML attribute pairwise-id beside the NameID */
    enum service_consent consent;
};

struct service {
    int32_t id;
    enum service_kind kind;
    char *name;                     /* entityID or client_id */
    char *family;
    char *label_fr, *label_en;
    bool active;
    int64_t version;
    struct service_release release;
    char *policy;                   /* JSON text as stored, for the dialect */
    void *dialect;                  /* struct saml_sp * or struct oidc_client *, made by the dialect's parser */
};

/* Given by saml and oidc to services_open(). */
struct service_parser {
    enum service_kind kind;
    /* document and policy as stored → the dialect's own struct. A service that does not parse is left out and logged. */
    enum err (*parse)(struct str document, const char *policy, void **ret, struct why *why);
    void (*free)(void *dialect);
};

struct services;
/* conf: connection of the watcher thread. process: "web" or "worker". parsers: NULL-terminated, one per dialect of this
 * program. Loads before it returns. */
MUST_USE enum err services_open(const struct pg_config *conf, const char *process,
                                const struct service_parser *const *parsers, struct services **ret, struct why *why);
void services_close(struct services *s);

/* A snapshot stays valid until released; a request holds one from first look to reply. */
struct services_view;
const struct services_view *services_hold(struct services *s);
void services_release(const struct services_view *v);
/* NULL when unknown or not active. */
const struct service *services_find(const struct services_view *v, enum service_kind kind, const char *name);
const struct service *services_by_id(const struct services_view *v, int32_t id);
size_t services_count(const struct services_view *v);
const struct service *services_nth(const struct services_view *v, size_t i);

struct service_draft {
    enum service_kind kind;
    const char *name, *family, *label_fr, *label_en;
    struct str document;
    const char *policy;             /* JSON object */
};
/* Inserts or (replace) updates, audit row, NOTIFY, then waits until every node seen in the last 5 s has the version
 * (at most timeout; ERR_UNAVAILABLE names the node that lags). ERR_CONFLICT: exists and replace is false. */
MUST_USE enum err services_put(struct pg *pg, const struct service_draft *draft, bool replace, const char *actor,
                               utime now, int64_t timeout, int32_t *ret_id, struct why *why);
/* state: "active", "suspended", or "removed": gone from lists, and put again as if it were new; its identifiers and
 * history stay. Same waiting. */
MUST_USE enum err services_set_state(struct pg *pg, enum service_kind kind, const char *name, const char *state,
                                     const char *actor, utime now, int64_t timeout, struct why *why);

/* The table as it stands, for the operator's commands. The row is valid during the call. */
struct service_row {
    int32_t id;
    enum service_kind kind;
    const char *name, *family, *label_fr, *label_en, *policy;
    const char *state;
    bool active;
    struct str document;
    int64_t version;
};
MUST_USE enum err services_list(struct pg *pg, void (*each)(const struct service_row *row, void *arg), void *arg,
                                struct why *why);

/* Applies the release policy: keeps of authz what this service may see. Returns the number kept; items point into in. */
size_t service_release_authz(const struct service *sv, const struct str *in, size_t n, struct str *out);

/* The identifier of an account for a family; made on first use: base32 of 160 bits of HMAC(K_pair, family ‖ account). */
#define PAIRWISE_LEN 32
MUST_USE enum err pairwise_ensure(struct pg *pg, const struct keyring *pair, const char *account_id, const char *family,
                                  utime now, char ret[PAIRWISE_LEN + 1], struct why *why);

#endif
