/*
 * consent: what a citizen agreed to that a service receives (DOMAIN 6.1, screen 8), where the service's policy asks for
 * it. Remembered per account and service; withdrawing it ends the service's access tokens (trigger of the schema).
 *
 * Items are words separated by a space: "town", then "authz:CODE" in the order of the codes. The pairwise identifier is
 * always part of it; the empty text is that alone.
 */
#ifndef IDP_SERVICES_CONSENT_H
#define IDP_SERVICES_CONSENT_H

#include "idp/services/services.h"

extern const struct pg_stmts consent_stmts;

/* What the service's release policy gives it of these authorisations; authz and town: whether it asks for them. */
const char *consent_items(const struct service *sv, const struct str *authz_list, size_t n, bool authz, bool town,
                          struct arena *a);
/* agreed NULL: nobody agreed to anything. */
bool consent_covers(const char *agreed, const char *items);
/* The items of a that are in b. */
const char *consent_both(const char *items, const char *shown, struct arena *a);
/* Keeps of authz what was agreed to; in place, returns the number kept. */
size_t consent_filter(const char *agreed, struct str *authz, size_t n);
bool consent_has(const char *agreed, const char *item);

/* Row and audit row. ERR_CONFLICT: the account is gone. */
MUST_USE enum err consent_put(struct pg *pg, const char *account_id, int32_t service_id, const char *items, utime now,
                              struct why *why);
/* ERR_NOT_FOUND: none. */
MUST_USE enum err consent_find(struct pg *pg, const char *account_id, int32_t service_id, struct arena *a,
                               const char **ret_items, struct why *why);
struct consent {
    int32_t service_id;
    const char *items;
    utime at;
};
MUST_USE enum err consent_list(struct pg *pg, const char *account_id, struct arena *a, struct consent **ret,
                               size_t *ret_n, struct why *why);
/* Row and audit row; OK also when there is none. */
MUST_USE enum err consent_withdraw(struct pg *pg, const char *account_id, int32_t service_id, utime now,
                                   struct why *why);

#endif
