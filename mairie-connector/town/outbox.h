/*
 * outbox: requests to the IdP's town door.
 *
 * A request is a row, written in the transaction of the clerk's act with its Idempotency-Key, before any call (K9).
 * Whoever sends it takes it under a lease: the web process at once, so that the clerk does not wait, or the outbox
 * process, until it is answered. Requests of one dossier go in their order. Codes come sealed to the town's key and are
 * acknowledged when they are stored: those of a sheet as they came, nobody opens them before they are shown; those of a
 * card, which nobody is ever shown, in the vault (P-015).
 */
#ifndef MAIRIE_TOWN_OUTBOX_H
#define MAIRIE_TOWN_OUTBOX_H

#include "mairie-connector/town/dossier.h"

extern const struct pg_stmts outbox_stmts;
#define OUTBOX_KEY_SIZE 45

enum outbox_kind {
    OUTBOX_CREATE, OUTBOX_REISSUE, OUTBOX_BLOCK, OUTBOX_BLOCK_SECOND,
    OUTBOX_AUTHZ, OUTBOX_CLOSE, OUTBOX_REOPEN, OUTBOX_HAND_OVER, OUTBOX_REACTIVATE     /* sent proposals (proposal.h): their key is the proposal's */
};

/* In the act's transaction. key is drawn by the caller with outbox_key(), once for all runs of the transaction. */
void outbox_key(char out[OUTBOX_KEY_SIZE]);
MUST_USE enum err outbox_add(struct pg *pg, const struct mairie *m, const char *key, const char *dossier_id,
                             enum outbox_kind kind, struct str body, const char *agent_id, utime now, struct why *why);

/*
 * Sends one request: the one of key, if nobody has tried yet, or with NULL the oldest that is due. OK: *ret_taken
 * tells whether there was one; a door that is away is no error: the row waits. pg is outside any transaction.
 */
MUST_USE enum err outbox_send(const struct mairie *m, struct pg *pg, const char *key, utime now, bool *ret_taken,
                              struct why *why);
/* Reads what has changed at the IdP since the last time; *ret_more: there is more at once. */
MUST_USE enum err outbox_changes(const struct mairie *m, struct pg *pg, utime now, bool *ret_more, struct why *why);

/* Tells the IdP what the town calls its authorisations, when that is not what it was told last. */
MUST_USE enum err outbox_labels(const struct mairie *m, struct pg *pg, utime now, struct why *why);

struct outbox_state {
    int64_t waiting;               /* rows not done */
    utime oldest;                  /* when the oldest of them was written; UTIME_NULL: none */
    int64_t dead;                  /* refused for good: somebody must look */
};
MUST_USE enum err outbox_look(struct pg *pg, struct outbox_state *ret, struct why *why);
/* Removes requests done 30 days ago, failures of sign-in that a day has forgiven, addresses past their time. */
MUST_USE enum err outbox_purge(struct pg *pg, utime now, struct why *why);
/* A creation that the IdP has not answered, and that nobody is sending now: it will not be sent any more. ERR_CONFLICT:
 * it is on its way, or there is an answer. */
MUST_USE enum err outbox_cancel_create(struct pg *pg, const char *dossier_id, utime now, struct why *why);
/* Whether a request of the dossier is still on its way. */
MUST_USE enum err outbox_busy(struct pg *pg, const char *dossier_id, bool *ret, struct why *why);

#endif
