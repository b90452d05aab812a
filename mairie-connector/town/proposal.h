/*
 * proposal: a change of an account that exists: its rights, its end, its opening again (DOMAIN 2.1, P-057); of a card
 * also its hand-over (P-031, P-032) and its way back after a block (P-062…P-066).
 *
 * One agent proposes. Where four eyes are needed (a sensitive right, closing, opening again, a card that cannot be read,
 * a return code that is lost) it waits until a second agent has agreed; the schema decides where, and refuses what one
 * agent did alone (P-008). Then it is sent like any
 * request (outbox.h), and what the town knows changes when the IdP has answered, not before. A dossier has one open
 * proposal at most: a second click, or another tab, finds it there.
 */
#ifndef MAIRIE_TOWN_PROPOSAL_H
#define MAIRIE_TOWN_PROPOSAL_H

#include "mairie-connector/town/outbox.h"

extern const struct pg_stmts proposal_stmts;

enum proposal_kind { PROPOSAL_AUTHZ, PROPOSAL_CLOSE, PROPOSAL_REOPEN, PROPOSAL_HAND_OVER, PROPOSAL_REACTIVATE };
const char *proposal_kind_name(enum proposal_kind kind);     /* "authz": part of message keys and audit verbs */

struct proposal_item {
    const char *code;
    const char *label_fr, *label_en;   /* filled by proposal_find() */
    bool gives;                        /* or another end date; false: takes it back */
    utime until;                       /* UTIME_NULL: open */
};
struct proposal {
    char id[37], by[37];
    enum proposal_kind kind;
    const char *reason;                /* PROPOSAL_CLOSE: "death", "departure", "request", "error"; else NULL */
    const char *by_name;
    utime at;
    const char *state;                 /* "waiting", "sent", "done", "refused", "dropped" */
    bool four_eyes;
    const char *refusal;               /* the IdP's, when it refused; "" otherwise */
    struct proposal_item *items;       /* PROPOSAL_AUTHZ */
    size_t nitems;
    /* PROPOSAL_HAND_OVER, PROPOSAL_REACTIVATE */
    int64_t identity_id;               /* of the identity check */
    const char *override;              /* why the card was not read: "no_reader", "broken_reader", "mute_card"; NULL: it was */
    bool pin_lost;
    struct str certificate;            /* DER; only written here, opened when it is sent */
    const char *pin;                   /* folded; the same */
};

/* The latest of a dossier. ERR_NOT_FOUND: there was never one. */
MUST_USE enum err proposal_find(struct pg *pg, const char *dossier_id, struct arena *a, struct proposal *ret,
                                struct why *why);
bool proposal_waits(const struct proposal *p);     /* for a second agent */
/* Writes in, but what is filled by finding; *ret_four_eyes: it waits for a second agent. In the act's transaction.
 * ERR_CONFLICT: the dossier has an open one, or the schema's rules refuse it. */
MUST_USE enum err proposal_add(struct pg *pg, const struct mairie *m, const struct proposal *in, const char *dossier_id,
                               utime now, bool *ret_four_eyes, struct why *why);
/* Sends it: the row of the outbox, with what the IdP shall hold afterwards. second: who agreed; NULL where one agent is
 * enough. In the act's transaction. ERR_CONFLICT: it does not wait any more, or the schema's rules refuse it. */
MUST_USE enum err proposal_send(struct pg *pg, const struct mairie *m, const struct proposal *p, const char *dossier_id,
                                const char *key, const char *second, utime now, struct arena *a, struct why *why);
/* Taken back, or not agreed to. ERR_CONFLICT: it does not wait any more. */
MUST_USE enum err proposal_drop(struct pg *pg, const char *id, const char *agent_id, utime now, struct why *why);
/* The IdP's answer to the request of that key. refusal: its code; NULL: done, and the rights of the dossier follow. */
MUST_USE enum err proposal_answered(struct pg *pg, const char *key, const char *refusal, utime now, struct why *why);

/* The last hand-over or reactivation that was done: what its paper says. ERR_NOT_FOUND: none was. */
struct proposal_record {
    int64_t id;                        /* of the identity check: the paper's number */
    utime at;
    const char *doc_type, *by, *second;    /* names of agents; second "": one was enough */
    const char *override;              /* "": the card was read */
    bool pin_lost;
};
MUST_USE enum err proposal_record_find(struct pg *pg, const char *dossier_id, enum proposal_kind kind, struct arena *a,
                                       struct proposal_record *ret, struct why *why);
/* Whether the account was closed by error and reopened, and no card has brought it back since. */
MUST_USE enum err proposal_reopened(struct pg *pg, const char *dossier_id, bool *ret, struct why *why);
/* Dossiers whose last proposal is one since then that was refused because wrong return codes had locked the code (P-064): ids,
 * 20 at most. */
MUST_USE enum err proposal_locked(struct pg *pg, utime since, struct arena *a, const char ***ret, size_t *ret_n,
                                  struct why *why);

#endif
