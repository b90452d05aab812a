/* outbox_call: one call of the town door for a request of the outbox; used by this room's outbox files only. */
#ifndef MAIRIE_TOWN_OUTBOX_CALL_H
#define MAIRIE_TOWN_OUTBOX_CALL_H

#include "mairie-connector/town/outbox_store.h"

/* One call and what came of it. */
struct sending {
    const struct mairie *m;
    struct pg *pg;
    struct arena *arena;
    struct outbox_row row;
    utime now;
};
struct reply {
    int status;
    struct str body;               /* in the arena */
    const char *code;              /* of a problem, "" otherwise */
};

/* With the request's agent and, keyed, its Idempotency-Key. ERR_UNAVAILABLE: no answer, one that says "later", or the
 * door does not know this town today (suspended, another certificate): the request waits. */
MUST_USE enum err outbox_call(struct sending *s, const char *method, const char *path, bool keyed, struct str body,
                              struct reply *ret, struct why *why);
/* "/v1/accounts/<handle><what>" */
const char *outbox_account_path(struct sending *s, const char *what);
/* A refusal that will not change: kept for a person to look at. */
MUST_USE enum err outbox_refused(struct sending *s, const struct reply *r, struct why *why);

/* "We have stored the codes"; then the request is done. */
MUST_USE enum err outbox_acknowledge(struct sending *s, struct why *why);

/* --- outbox_change.c: a sent proposal (proposal.h) and what comes of it --- */
MUST_USE enum err outbox_send_proposal(struct sending *s, struct str body, struct why *why);

#endif
