/* outbox_store: the table outbox, and what an answer changes; used by this room's outbox files only. */
#ifndef MAIRIE_TOWN_OUTBOX_STORE_H
#define MAIRIE_TOWN_OUTBOX_STORE_H

#include "mairie-connector/town/outbox.h"

struct outbox_row {
    const char *key, *state, *handle;
    char dossier_id[37], agent_id[37], lease[37];
    enum outbox_kind kind;
    enum dossier_type type;
    struct str payload;            /* sealed */
    int tries;
};
/* ERR_NOT_FOUND: nothing to take. */
MUST_USE enum err outbox_take(struct pg *pg, const char *key, utime now, utime until, struct arena *a,
                              struct outbox_row *ret, struct why *why);
/* All four: ERR_CONFLICT when the lease is somebody else's by now. */
MUST_USE enum err outbox_set_answered(struct pg *pg, const struct outbox_row *row, struct why *why);
MUST_USE enum err outbox_set_done(struct pg *pg, const struct outbox_row *row, utime now, struct why *why);
MUST_USE enum err outbox_set_dead(struct pg *pg, const struct outbox_row *row, const char *reason, utime now,
                                  struct why *why);
MUST_USE enum err outbox_set_later(struct pg *pg, const struct outbox_row *row, utime next, const char *reason,
                                   struct why *why);

/* The IdP's word on a dossier. Older news than what is known changes nothing: *ret_changed. */
struct dossier_news {
    const char *handle, *state;
    utime at;
    bool final, bound, contested;
    bool fresh;                    /* new codes: what was bound or contested is past */
    bool block;                    /* a block: what it closes was never open */
};
MUST_USE enum err dossier_hear(struct pg *pg, const struct dossier_news *news, bool *ret_changed, struct why *why);
/* The number that the IdP drew for the account. */
MUST_USE enum err dossier_number(struct pg *pg, const char *dossier_id, const char *number, struct why *why);
MUST_USE enum err dossier_stale(struct pg *pg, const char *dossier_id, const char *agent_id, struct why *why);
MUST_USE enum err cursor_get(struct pg *pg, struct arena *a, const char **ret, struct why *why);
/* SHA-256 of the labels the IdP was told last, all zeros when it was told none. */
MUST_USE enum err labels_told_get(struct pg *pg, unsigned char ret[32], struct why *why);
MUST_USE enum err labels_told_put(struct pg *pg, const unsigned char digest[32], utime now, struct why *why);
MUST_USE enum err cursor_put(struct pg *pg, const char *cursor, utime now, struct why *why);

#endif
