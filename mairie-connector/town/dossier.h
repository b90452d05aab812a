/*
 * dossier: persons (the vault of names), what they were given, drafts, sheets and the trail of what happened.
 *
 * Names leave this module opened only for a page of a signed-in agent. Nothing here calls the IdP: requests go through
 * the outbox, in the transaction of the act.
 */
#ifndef MAIRIE_TOWN_DOSSIER_H
#define MAIRIE_TOWN_DOSSIER_H

#include "base/crypto/digest.h"
#include "mairie-connector/town/mairie.h"

#define DOSSIER_NAME_MAX 120
#define DOSSIER_AUTHZ_MAX 64

/* --- authz_store.c: the town's list ----------------------------------------------------------------------------------- */
extern const struct pg_stmts authz_stmts;
struct authz_def {
    const char *id, *label_fr, *label_en;
    bool sensitive;
};
/* Adds or changes; the IdP hears of it (outbox_labels()). ERR_CONFLICT: not a code, or too many. */
MUST_USE enum err authz_def_put(struct pg *pg, const char *code, const char *fr, const char *en, bool sensitive,
                                const char *operator_name, utime now, struct why *why);
MUST_USE enum err authz_defs(struct pg *pg, struct arena *a, struct authz_def **ret, size_t *ret_n, struct why *why);
/* Also those no longer offered: somebody may still have them. By code. */
MUST_USE enum err authz_defs_all(struct pg *pg, struct arena *a, struct authz_def **ret, size_t *ret_n, struct why *why);
/* What a dossier has now. */
struct authz_given {
    const char *code, *label_fr, *label_en;
    bool sensitive, approved;
    utime until;                   /* UTIME_NULL: open */
};
MUST_USE enum err authz_of(struct pg *pg, const char *dossier_id, struct arena *a, struct authz_given **ret,
                           size_t *ret_n, struct why *why);
/* What it has and had, newest first (P-007). */
struct authz_past {
    const char *label_fr, *label_en;
    const char *granted_by, *approved_by, *ended_by;     /* names; "" when nobody */
    utime from, until, ended_at;                         /* UTIME_NULL: open; it holds */
};
MUST_USE enum err authz_history(struct pg *pg, const char *dossier_id, struct arena *a, struct authz_past **ret,
                                size_t *ret_n, struct why *why);
/* A word that is another one after every change, so that a page knows whether it is old. */
MUST_USE enum err authz_version(struct pg *pg, const char *dossier_id, struct arena *a, const char **ret,
                                struct why *why);
MUST_USE enum err authz_give(struct pg *pg, const char *dossier_id, const char *code, utime until, const char *agent_id,
                             utime now, struct why *why);
MUST_USE enum err authz_approve(struct pg *pg, const char *dossier_id, const char *agent_id, utime now, struct why *why);

/* --- type.c: the three kinds of account (P-001) ------------------------------------------------------------------------- */
enum dossier_type { TYPE_PASSWORD, TYPE_SOFT, TYPE_CARD };
/* As the wire and the schema have it: "x509_card". */
const char *dossier_type_name(enum dossier_type type);
enum dossier_type dossier_type_of(const char *name);
/* The procedure as addresses and pages call it: "password", "certificate", "card". */
const char *dossier_procedure(enum dossier_type type);
/* The procedure of that name, when this town has switched it on. */
bool dossier_procedure_find(const struct mairie *m, const char *name, enum dossier_type *ret);
bool dossier_procedure_on(const struct mairie *m, enum dossier_type type);

/* --- person_store.c: the vault ----------------------------------------------------------------------------------------- */
extern const struct pg_stmts person_stmts;
struct person_names {
    const char *birth;
    const char *usual;             /* NULL: none */
    const char *given;             /* NULL: the person has none (P-005) */
};
MUST_USE enum err person_add(struct pg *pg, const struct mairie *m, const char *id, const struct person_names *in,
                             struct why *why);
/* The surname that is written on a card and in a certificate: the usual one, where there is one. */
const char *person_surname(const struct person_names *n);
/* « Camille Démonstration », « Camille Durand (Démonstration) ». */
const char *person_shown(const struct person_names *n, struct arena *a);

/* --- address_store.c: the postal address of a card (P-006) ---------------------------------------------------------------- */
extern const struct pg_stmts address_stmts;
#define ADDRESS_LINES 6
#define ADDRESS_LINE_MAX 38        /* characters: the envelope's window */
struct address {
    const char *lines[ADDRESS_LINES];  /* "" where nothing stands */
};
MUST_USE enum err address_add(struct pg *pg, const struct mairie *m, const char *person_id, const struct address *in,
                              struct why *why);
/* ERR_NOT_FOUND: none, or it was erased. */
MUST_USE enum err address_find(struct pg *pg, const struct mairie *m, const char *person_id, struct arena *a,
                               struct address *ret, struct why *why);
/* Erases what is past its time. */
MUST_USE enum err address_purge(struct pg *pg, utime now, struct why *why);

/* --- dossier_store.c --------------------------------------------------------------------------------------------------- */
extern const struct pg_stmts dossier_stmts;
struct dossier {
    char id[37], person_id[37], created_by[37];
    enum dossier_type type;
    const char *number;            /* folded; NULL: login and password, or no answer yet */
    bool named;                    /* TYPE_SOFT: the certificate bears the name */
    char stale_by[37];             /* "": the kept code is the right one as far as we know */
    const char *handle, *state, *lang;
    utime state_since, created_at;
    bool final, bound, contested, large;
    bool unopened;                 /* closed by a block before it was ever open: new codes open it */
    struct person_names names;
};
/* Opens the names too. ERR_NOT_FOUND. */
MUST_USE enum err dossier_find(struct pg *pg, const struct mairie *m, const char *id, struct arena *a,
                               struct dossier *ret, struct why *why);
MUST_USE enum err dossier_by_handle(struct pg *pg, const struct mairie *m, const char *handle, struct arena *a,
                                    struct dossier *ret, struct why *why);
/* number: folded. */
MUST_USE enum err dossier_by_number(struct pg *pg, const struct mairie *m, const char *number, struct arena *a,
                                    struct dossier *ret, struct why *why);
/* Persons whose names hold every word of q; at most limit, *ret_more tells of others. */
MUST_USE enum err dossier_search(struct pg *pg, const struct mairie *m, const char *q, size_t limit, struct arena *a,
                                 struct dossier **ret, size_t *ret_n, bool *ret_more, struct why *why);
/* Living dossiers that may be of the same person: the same birth or usual name, and first given name. */
MUST_USE enum err dossier_homonyms(struct pg *pg, const struct mairie *m, const struct person_names *names,
                                   struct arena *a, struct dossier **ret, size_t *ret_n, struct why *why);
/* Those of which a change waits for a second agent, oldest first. */
MUST_USE enum err dossier_proposed(struct pg *pg, const struct mairie *m, struct arena *a, struct dossier **ret,
                                   size_t *ret_n, struct why *why);
/* Accounts that are not open yet, newest first. */
MUST_USE enum err dossier_waiting(struct pg *pg, const struct mairie *m, struct arena *a, struct dossier **ret,
                                  size_t *ret_n, struct why *why);
struct dossier_new {
    char id[37], person_id[37], handle[33];
    enum dossier_type type;
    const char *state, *lang, *agent_id;
    bool large, named;
};
MUST_USE enum err dossier_add(struct pg *pg, const struct dossier_new *in, utime now, struct why *why);
/* From one of our own states to another; ERR_CONFLICT: lost race. validated_by may be NULL. */
MUST_USE enum err dossier_move(struct pg *pg, const char *id, const char *from, const char *to, const char *validated_by,
                               utime now, struct why *why);
/* ret_id, when not NULL: the reference of this check. */
MUST_USE enum err identity_add(struct pg *pg, const char *dossier_id, const char *act, const char *doc_type,
                               const char *doc_expiry, const char *agent_id, utime now, int64_t *ret_id, struct why *why);

/* --- draft_store.c ------------------------------------------------------------------------------------------------------- */
extern const struct pg_stmts draft_stmts;
struct draft {
    char id[37];
    struct str body;               /* opened */
    bool other;
    utime at;
};
MUST_USE enum err draft_put(struct pg *pg, const struct mairie *m, const char *id, const char *agent_id, struct str body,
                            utime now, struct why *why);
MUST_USE enum err draft_find(struct pg *pg, const struct mairie *m, const char *id, const char *agent_id,
                             struct arena *a, struct draft *ret, struct why *why);
MUST_USE enum err draft_list(struct pg *pg, const struct mairie *m, const char *agent_id, struct arena *a,
                             struct draft **ret, size_t *ret_n, struct why *why);
MUST_USE enum err draft_other(struct pg *pg, const char *id, const char *agent_id, struct why *why);
/* ERR_CONFLICT: it is gone: the account was made by an earlier click. */
MUST_USE enum err draft_drop(struct pg *pg, const char *id, const char *agent_id, struct why *why);

/* --- sheet_store.c: sealed codes, and the kept ones ----------------------------------------------------------- */
extern const struct pg_stmts sheet_stmts;
struct sheet {
    const char *key;
    struct str sealed;             /* as it came; p NULL: shown */
    utime shown_at;                /* UTIME_NULL: not yet */
};
MUST_USE enum err sheet_find(struct pg *pg, const char *dossier_id, struct arena *a, struct sheet *ret, struct why *why);
/* New codes replace the old sheet, and the blocking code kept from it is dead. Of a card: what its holder gets after the letter,
 * when it came back or the paper was lost. */
MUST_USE enum err sheet_put(struct pg *pg, const char *dossier_id, const char *key, struct str sealed, utime now,
                            struct why *why);
/* Shown once: the sealed codes go. ERR_CONFLICT: it was shown, or it is another sheet now. */
MUST_USE enum err sheet_shown(struct pg *pg, const char *dossier_id, const char *key, const char *agent_id, utime now,
                              struct why *why);
/* Codes that are kept to act with; a card has all three (K1, P-015). */
enum escrow { ESCROW_REVOCATION, ESCROW_REACTIVATION_OTP, ESCROW_REACTIVATION_PIN };
#define ESCROW_KINDS 3
const char *escrow_name(enum escrow kind);     /* "reactivation_otp" */
MUST_USE enum err escrow_put(struct pg *pg, const char *dossier_id, enum escrow kind, struct str sealed, utime now,
                             struct why *why);
/* ERR_NOT_FOUND: none is kept. */
MUST_USE enum err escrow_find(struct pg *pg, const char *dossier_id, enum escrow kind, struct arena *a, struct str *ret,
                              struct why *why);
/* Since when it is kept; UTIME_NULL: it is not. */
MUST_USE enum err escrow_since(struct pg *pg, const char *dossier_id, enum escrow kind, utime *ret, struct why *why);
/* Removes the kept blocking code, if there is one. */
MUST_USE enum err escrow_drop(struct pg *pg, const char *dossier_id, struct why *why);
/* Removes all that is kept: the account has ended. */
MUST_USE enum err escrow_drop_all(struct pg *pg, const char *dossier_id, struct why *why);
/* The same when the IdP said that it has: nothing while the account lives. */
MUST_USE enum err escrow_drop_ended(struct pg *pg, const char *handle, struct why *why);

/* --- trail_store.c: what happened, from the audit rows -------------------------------------------------------------------- */
extern const struct pg_stmts trail_stmts;
struct trail_row {
    int64_t seq;
    utime at;
    const char *what;              /* "requested": the message is "event.requested" */
    const char *who;               /* name of the agent, "operator:<login>"; "" for the system */
    const char *handle, *dossier;  /* "" when it was about none; about an agent: handle is that agent's name */
    bool refused;
};
/* Of a dossier (handle), or of the counter: everything, or the acts of one agent; newest first, before a row. */
MUST_USE enum err trail_of_dossier(struct pg *pg, const char *handle, struct arena *a, struct trail_row **ret,
                                   size_t *ret_n, struct why *why);
MUST_USE enum err trail_of_counter(struct pg *pg, const char *agent_id, int64_t before, int limit, struct arena *a,
                                   struct trail_row **ret, size_t *ret_n, struct why *why);
/* verb "dossier.requested"; agent_id NULL: the system. handle "": none. */
MUST_USE enum err counter_audit(struct pg *pg, const char *agent_id, const char *role, const char *verb,
                                const char *handle, const char *result, utime now, struct why *why);

#endif
