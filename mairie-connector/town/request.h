/* request: what is asked of the IdP, written into the outbox in the act's transaction. */
#ifndef MAIRIE_TOWN_REQUEST_H
#define MAIRIE_TOWN_REQUEST_H

#include "mairie-connector/town/proposal.h"

/* Handle, language and authorisations: all that leaves (P-035). */
MUST_USE enum err request_create(struct pg *pg, const struct mairie *m, const char *key, const char *dossier_id,
                                 const char *handle, const char *lang, const char *agent_id, utime now, struct arena *a,
                                 struct why *why);
MUST_USE enum err request_reissue(struct pg *pg, const struct mairie *m, const char *key, const char *dossier_id,
                                  const char *agent_id, utime now, struct arena *a, struct why *why);
/* reason "lost" or "stolen"; second: by handle, the second agent's act. */
MUST_USE enum err request_block(struct pg *pg, const struct mairie *m, const char *key, const char *dossier_id,
                                const char *reason, bool second, const char *agent_id, utime now, struct why *why);
/* What the IdP shall hold once the proposal has come about: all rights of the dossier. */
MUST_USE enum err request_authz(struct pg *pg, const struct mairie *m, const char *key, const char *dossier_id,
                                const struct proposal *p, utime now, struct arena *a, struct why *why);
MUST_USE enum err request_close(struct pg *pg, const struct mairie *m, const char *key, const char *dossier_id,
                                const struct proposal *p, utime now, struct why *why);

#endif
