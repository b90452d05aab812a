/* services-internal: what the files of this room share. */
#ifndef IDP_SERVICES_SERVICES_INTERNAL_H
#define IDP_SERVICES_SERVICES_INTERNAL_H

#include "idp/services/services.h"

const char *service_kind_name(enum service_kind kind);

/* Highest version in the table, 0 when empty. */
MUST_USE enum err services_store_version(struct pg *pg, int64_t *ret, struct why *why);
/* Calls each(row, arg) for every service; the row is valid during the call. */
MUST_USE enum err services_store_all(struct pg *pg, void (*each)(const struct service_row *row, void *arg), void *arg,
                                     struct why *why);
MUST_USE enum err services_store_node(struct pg *pg, const char *node_id, const char *process, int64_t version,
                                      utime now, struct why *why);
MUST_USE enum err services_store_node_gone(struct pg *pg, const char *node_id, struct why *why);
/* A process seen since `since` that has not yet version: its id, ERR_NOT_FOUND when all have it. */
MUST_USE enum err services_store_laggard(struct pg *pg, int64_t version, utime since, char ret_id[37],
                                         struct why *why);
MUST_USE enum err services_store_insert(struct pg *pg, const struct service_draft *d, utime now, int32_t *ret_id,
                                        int64_t *ret_version, struct why *why);
MUST_USE enum err services_store_update(struct pg *pg, const struct service_draft *d, utime now, int32_t *ret_id,
                                        int64_t *ret_version, struct why *why);
MUST_USE enum err services_store_state(struct pg *pg, enum service_kind kind, const char *name, const char *state,
                                       utime now, int64_t *ret_version, struct why *why);

/* Reads the members of a policy that services knows: "attributes", "consent". */
MUST_USE enum err service_release_parse(const char *policy, struct service_release *ret, struct why *why);
void service_release_done(struct service_release *r);

#define SERVICES_CHANNEL "service_changed"

#endif
