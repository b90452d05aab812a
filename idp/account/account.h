/*
 * account: the account aggregate and its state machine (DOMAIN 2.1). SQL is in account_store.c.
 *
 * Every change is one transaction: guarded UPDATE … WHERE state = …, audit row, change row for the town, jobs. Zero
 * rows mean the event is not allowed in this state: ERR_CONFLICT with the state in why->code ("account.state.closed").
 */
#ifndef IDP_ACCOUNT_ACCOUNT_H
#define IDP_ACCOUNT_ACCOUNT_H

#include "base/core/arena.h"
#include "base/core/code.h"
#include "base/crypto/seal.h"
#include "base/pg/pg.h"

extern const struct pg_stmts account_stmts;
extern const struct pg_stmts account_secret_stmts;

enum account_type { ACCOUNT_PASSWORD, ACCOUNT_X509_CARD, ACCOUNT_X509_SOFT };
enum account_state { ACCOUNT_PENDING, ACCOUNT_ACTIVE, ACCOUNT_SUSPENDED, ACCOUNT_CLOSED, ACCOUNT_ERASED };
enum account_event {
    ACCOUNT_EV_ACK, ACCOUNT_EV_ACTIVATE, ACCOUNT_EV_REISSUE, ACCOUNT_EV_REVOKE, ACCOUNT_EV_REVOKE_FINAL,
    ACCOUNT_EV_SET_AUTHZ, ACCOUNT_EV_REACTIVATE, ACCOUNT_EV_TIMEOUT, ACCOUNT_EV_CLOSE, ACCOUNT_EV_REOPEN,
    ACCOUNT_EV_EXPIRE, ACCOUNT_EV_PURGE
};
const char *account_type_name(enum account_type t);
/* ERR_NOT_FOUND: not one of these names. */
MUST_USE enum err account_type_read(const char *name, enum account_type *ret);
const char *account_state_name(enum account_state s);
const char *account_event_name(enum account_event e);
/* The table of DOMAIN 2.1: ERR_CONFLICT when the event is not listed for this type and state (D-13). */
MUST_USE enum err account_next(enum account_type type, enum account_state from, enum account_event event,
                               enum account_state *ret_to);

struct account {
    char id[37];
    char town_id[37];
    char town[64];              /* short name */
    enum account_type type;
    enum account_state state;
    utime state_since;
    bool final, contested, acked;
    char handle[65];
    char number[16];            /* folded, "" for login/password */
    char lang[3];
};

/* Who acts, for the audit row: "town:rivemont" + "clerk:…" as the town says, "citizen", "system", "operator:…". */
struct account_actor {
    const char *actor;
    const char *role;
};

struct account_authz {
    const char *code;
    utime until;                /* UTIME_NULL: none */
};

/* Codes drawn for an account; shown once to the town, then only MACs remain. Wiped by account_codes_done(). A card has no
 * creation code, and is the only one with what reactivates it (K1, P-012, P-013, A-10). */
#define ACCOUNT_OTP_MAX 25
struct account_codes {
    char creation[CODE_FOLDED_MAX];      /* "" for a card */
    char revocation[CODE_FOLDED_MAX];
    char sheet[CODE_FOLDED_MAX];         /* "" when the town's policy does not ask for one, and for a card */
    char reactivation_otp[ACCOUNT_OTP_MAX];    /* 128 bits, base64url; "" but for a card */
    char reactivation_pin[CODE_FOLDED_MAX];    /* "" but for a card */
    utime creation_expires;              /* UTIME_NULL for a card */
};
void account_codes_done(struct account_codes *c);

struct account_new {
    const char *town_id;
    const char *town;
    enum account_type type;
    const char *handle;
    const char *lang;
    const struct account_authz *authz;
    size_t nauthz;
    bool sheet;                 /* draw a sheet number */
    int64_t creation_life;
};
/* Inside the caller's transaction: account, authorisations, secrets, change and audit rows. ERR_CONFLICT: handle taken. */
MUST_USE enum err account_create(struct pg *pg, const struct keyring *pepper, const struct account_new *in,
                                 const struct account_actor *who, utime now, char ret_id[37],
                                 struct account_codes *ret_codes, struct why *why);
/* By handle within one town; ERR_NOT_FOUND also when it is another town's. */
MUST_USE enum err account_by_handle(struct pg *pg, const char *town_id, const char *handle, struct account *ret,
                                    struct why *why);
/* The same for an operator, who knows all towns; town: its short name, NULL: whichever. ERR_CONFLICT: several towns have
 * this handle. */
MUST_USE enum err account_by_town_name(struct pg *pg, const char *town, const char *handle, struct account *ret,
                                       struct why *why);
MUST_USE enum err account_by_id(struct pg *pg, const char *id, struct account *ret, struct why *why);
/* Locks the account until the transaction ends, so that what follows is ordered. */
MUST_USE enum err account_lock(struct pg *pg, const char *id, struct why *why);
/* Current authorisations into the arena. */
MUST_USE enum err account_authz_list(struct pg *pg, const char *account_id, utime now, struct arena *a,
                                     struct account_authz **ret, size_t *ret_n, struct why *why);

/* pending: acked. Idempotent. */
MUST_USE enum err account_ack(struct pg *pg, const char *account_id, const struct account_actor *who, utime now,
                              struct why *why);
/* Replaces the set; also in the live sessions (P-057). */
MUST_USE enum err account_set_authz(struct pg *pg, const char *account_id, const struct account_authz *authz, size_t n,
                                    const struct account_actor *who, utime now, struct why *why);
/* New codes of every kind that the account has; old ones superseded the same second; unbound, contested cleared.
 * pending → pending, suspended (password, soft) → pending. A card that was reopened stays suspended: it comes back with another
 * card (account_reactivate()). In the caller's transaction. */
MUST_USE enum err account_reissue(struct pg *pg, const struct keyring *pepper, const char *account_id, bool sheet,
                                  int64_t creation_life, const struct account_actor *who, utime now,
                                  struct account_codes *ret_codes, struct why *why);
/* Whether it is a card whose account was closed by error and reopened: its codes and certificates went with the closing, and
 * another card has to be made. */
MUST_USE enum err account_card_reopened(struct pg *pg, const struct account *a, bool *ret, struct why *why);
/* A new blocking code alone (lost paper, active account): DOMAIN 6.6. In the caller's transaction. */
MUST_USE enum err account_reissue_revocation(struct pg *pg, const struct keyring *pepper, const char *account_id,
                                             const struct account_actor *who, utime now,
                                             char ret_code[CODE_FOLDED_MAX], struct why *why);

/* Job of the worker after an account left `active` (or was blocked before): payload is the account's id. It tells the
 * services that its sessions ended. */
#define ACCOUNT_LEFT_JOB "account.left"
/* Job of the worker after a block, whoever blocked: tells the citizen (P-056, P-202). See account_block_notice(). */
#define ACCOUNT_BLOCKED_JOB "account.blocked"
/* Job of the worker for an account of type x509_card or x509_soft: what becomes of its certificates at the authority that
 * issued them (K2). Payload "<account id> <act> <instant>"; the instant tells which of its certificates are meant, those that
 * it had by then, and makes the payload the job's key. */
#define ACCOUNT_CERTIFICATES_JOB "account.certificates"

struct account_blocked {
    char account_id[37];
    enum account_state to;          /* suspended, or closed for a pending soft account */
    utime at;
    bool already;                   /* it was blocked before: at says when */
    char receipt[24];               /* proof number shown to the citizen */
};
/* By the paper code (P-055…P-058): one statement finds the live code and blocks; sessions and tokens die in the same
 * transaction, jobs for logout and notices are inserted. A used code of a blocked account: OK with already = true.
 * ERR_NOT_FOUND: unknown; ERR_DENIED with code "secret.superseded": « ce code n'est plus valable ». */
MUST_USE enum err account_block_by_code(struct pg *pg, const struct keyring *pepper, const char *folded,
                                        const struct account_actor *who, utime now, struct account_blocked *ret,
                                        struct why *why);
/* By the town or the citizen's own session. reason: "lost" or "stolen" (final). Idempotent when already blocked. */
MUST_USE enum err account_block(struct pg *pg, const struct keyring *pepper, const char *account_id,
                                const char *reason, const struct account_actor *who, utime now,
                                struct account_blocked *ret, struct why *why);
/* The question after the block: "lost" or "stolen" (final). */
MUST_USE enum err account_block_reason(struct pg *pg, const char *account_id, const char *reason,
                                       const struct account_actor *who, utime now, struct why *why);
/* What the notice of a block says, from the job's payload: the account as it is now, and that block. ERR_NOT_FOUND: nobody
 * is to be told any more, because the account was closed since (a death among the reasons); ERR_INTERNAL: no payload
 * of ours. */
MUST_USE enum err account_block_notice(struct pg *pg, const struct keyring *pepper, struct str payload,
                                       struct account *ret_account, struct account_blocked *ret_block,
                                       struct why *why);
/* Also forgets the address kept (DOMAIN 4.5). */
MUST_USE enum err account_close(struct pg *pg, const char *account_id, const char *reason,
                                const struct account_actor *who, utime now, struct why *why);
/* closed → suspended: the closing was an error (DOMAIN 2.1). New codes open it from there. ERR_CONFLICT
 * "account.reopen.late": closed ACCOUNT_REOPEN_TIME ago or more. In the caller's transaction. */
#define ACCOUNT_REOPEN_TIME (30 * USEC_PER_DAY)
MUST_USE enum err account_reopen(struct pg *pg, const char *account_id, const struct account_actor *who, utime now,
                                 struct why *why);
/* pending → active; every creation code, link and sheet number dies. In the caller's transaction. */
MUST_USE enum err account_activate(struct pg *pg, const char *account_id, const struct account_actor *who, utime now,
                                   struct why *why);
/* --- cards: hand-over and coming back (P-031, P-032, P-062…P-066). In the caller's transaction, the account locked. ---------
 * more: JSON members for the audit row, each with a comma before it, of characters that need no escape; "" for none. */
/* pending → active. ERR_CONFLICT also for another type. */
MUST_USE enum err account_hand_over(struct pg *pg, const struct account *a, const char *more,
                                    const struct account_actor *who, utime now, struct why *why);
/* Whether it may come back at all, before any code is looked at. card_since: when the card that was brought was linked: a
 * block for good is for the card of then, and a newer one ends it. ERR_CONFLICT "account.type", "account.state.STATE",
 * "account.final", "account.reactivate.late" (blocked for hold_max, or longer). */
MUST_USE enum err account_reactivate_check(const struct account *a, int64_t hold_max, utime card_since, utime now,
                                           struct why *why);
#define REACTIVATION_TRIES 3         /* of the OTP, and of the PIN (DOMAIN 2.4) */
struct reactivation_try {
    bool good;
    const char *code;                /* when it is not: "secret.wrong", "secret.locked", "secret.superseded" */
    bool counted;                    /* it took one of the tries, */
    bool pin;                        /* of the PIN, else of the OTP; */
    bool locked;                     /* the last one: the town hears of it ("locked"), somebody is to be told */
    int left;                        /* tries that are left for it */
};
/* Compares the codes, the OTP first: a PIN beside a wrong OTP is not looked at. A wrong one is counted, so that the caller
 * commits. otp as it was sealed; pin folded, NULL: the letter is lost, and two agents answer for it. */
MUST_USE enum err secret_reactivation_try(struct pg *pg, const struct keyring *pepper, const char *account_id, const char *otp,
                                          const char *pin, utime now, struct reactivation_try *ret, struct why *why);
/* suspended → active, with new codes of every kind; those that did it are used, all others dead. The authority is told (K2): to
 * leave the card's certificate alone, or, when the card is newer than the block, to end what the account had before. */
MUST_USE enum err account_reactivate(struct pg *pg, const struct keyring *pepper, const struct account *a, utime card_since,
                                     const char *more, const struct account_actor *who, utime now,
                                     struct account_codes *ret_codes, struct why *why);

/* A second address used the creation code: the clerk sees a flag until new codes are given. In the caller's
 * transaction. *ret_first: the flag was not set before. */
MUST_USE enum err account_contest(struct pg *pg, const char *account_id, utime now, bool *ret_first, struct why *why);
/* pending accounts whose creation code is over, and cards that were not handed over for ACCOUNT_CARD_WAIT: erased, 100 at a
 * time; returns how many. */
#define ACCOUNT_CARD_WAIT (180 * USEC_PER_DAY)
MUST_USE enum err account_expire_due(struct pg *pg, utime now, int *ret_n, struct why *why);
/* Blocked accounts whose town's hold_max is over: closed, 100 at a time; returns how many (P-066). */
MUST_USE enum err account_timeout_due(struct pg *pg, utime now, int *ret_n, struct why *why);

struct account_change {
    char cursor[40];            /* opaque: "<tx>.<seq>" */
    char handle[65];
    char what[32];
    enum account_state state;
    utime at;
};
/* Changes of a town after a cursor ("" = from the beginning), at most max. */
MUST_USE enum err account_changes(struct pg *pg, const char *town_id, const char *cursor, size_t max, struct arena *a,
                                  struct account_change **ret, size_t *ret_n, struct why *why);

/* --- one-time secrets ------------------------------------------------------------------------------------- */
enum secret_verdict { SECRET_LIVE, SECRET_UNKNOWN, SECRET_USED, SECRET_EXPIRED, SECRET_SUPERSEDED, SECRET_LOCKED };
struct secret_row {
    char id[37];
    char account_id[37];
    enum secret_verdict state;
    utime ended_at;
};
/* Looks a folded code up under every pepper version still in use. Never logs it. */
MUST_USE enum err secret_find(struct pg *pg, const struct keyring *pepper, const char *kind, const char *folded,
                              utime now, struct secret_row *ret, struct why *why);
/* The sheet number of an account (4 digits). Its tries are those of the sheet and not of a link: who reads the mailbox
 * gets link after link by sending the creation code again (T-12, DOMAIN 5.3: five tries). */
#define SHEET_TRIES 5
struct sheet_check {
    bool needed;
    bool ok;                    /* not needed, or the one on the paper */
    bool spent;                 /* too many wrong ones: only new codes help */
};
/* typed: NULL to ask only whether it is needed. Constant time; counts nothing. */
MUST_USE enum err secret_sheet_check(struct pg *pg, const struct keyring *pepper, const char *account_id,
                                     const char *typed, struct sheet_check *ret, struct why *why);
/* Counts a wrong one that came with the right activation code. */
MUST_USE enum err secret_sheet_wrong(struct pg *pg, const char *account_id, struct why *why);
/* Marks a code that crossed the mail system by mistake (DOMAIN 6.4). */
MUST_USE enum err secret_exposed(struct pg *pg, const char *secret_id, struct why *why);

#endif
