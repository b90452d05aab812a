/* request: what is asked of the IdP, written into the outbox in the act's transaction. */
#ifndef MAIRIE_TOWN_REQUEST_H
#define MAIRIE_TOWN_REQUEST_H

#include "mairie-connector/town/proposal.h"

/* Handle, language and authorisations: all that leaves (P-035); of a named certificate the name too (P-047), of a card
 * name and postal address (P-009). In the transaction that wrote the dossier, or later. */
MUST_USE enum err request_create(struct pg *pg, const struct mairie *m, const char *key, const char *dossier_id,
                                 const char *agent_id, utime now, struct arena *a, struct why *why);
/* New codes, or (block_code) a new blocking code alone. Of a card new codes are those of another one, whose name and address
 * travel again: for an account that was reopened. ERR_NOT_FOUND "address.none". */
MUST_USE enum err request_reissue(struct pg *pg, const struct mairie *m, const char *key, const char *dossier_id,
                                  bool block_code, const char *agent_id, utime now, struct arena *a, struct why *why);
/* reason "lost" or "stolen"; second: by handle, the second agent's act. */
MUST_USE enum err request_block(struct pg *pg, const struct mairie *m, const char *key, const char *dossier_id,
                                const char *reason, bool second, const char *agent_id, utime now, struct why *why);
/* What the IdP shall hold once the proposal has come about: all rights of the dossier. */
MUST_USE enum err request_authz(struct pg *pg, const struct mairie *m, const char *key, const char *dossier_id,
                                const struct proposal *p, utime now, struct arena *a, struct why *why);
/* The hand-over or the reactivation of a card: what was read and typed, and who agreed. The reactivation code is added
 * here, from the vault (P-064). ERR_NOT_FOUND, "card.no_code": none is kept. */
struct request_card {
    struct str certificate;        /* DER; n 0: overridden */
    const char *pin;               /* NULL: lost, or a hand-over */
    const char *second;            /* id of the second agent; NULL where one is enough */
};
MUST_USE enum err request_card(struct pg *pg, const struct mairie *m, const char *key, const char *dossier_id,
                               const struct proposal *p, const struct request_card *in, utime now, struct arena *a,
                               struct why *why);
MUST_USE enum err request_close(struct pg *pg, const struct mairie *m, const char *key, const char *dossier_id,
                                const struct proposal *p, utime now, struct why *why);

#endif
