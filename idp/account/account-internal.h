/* account-internal: what the files of this room share. */
#ifndef IDP_ACCOUNT_ACCOUNT_INTERNAL_H
#define IDP_ACCOUNT_ACCOUNT_INTERNAL_H

#include "idp/account/account.h"

/* account.reason of an account that its paper code blocked before it was ever active. */
#define ACCOUNT_BLOCKED_PENDING "blocked_pending"
/* account.reason of one that was closed by error and is open again, until new codes or a card have opened it. */
#define ACCOUNT_REOPENED "reopened"

/* --- account_store.c ----------------------------------------------------------------------------------------- */
MUST_USE enum err account_store_insert(struct pg *pg, const char *id, const struct account_new *in, const char *number,
                                       utime now, struct why *why);
MUST_USE enum err account_store_authz_add(struct pg *pg, const char *id, const struct account_authz *a, utime now,
                                          struct why *why);
/* Ends the live authorisations that are not in codes (n = 0: all). */
MUST_USE enum err account_store_authz_end(struct pg *pg, const char *id, const char *const *keep, size_t n, utime now,
                                          struct why *why);
/* Locks the row until the transaction ends. */
MUST_USE enum err account_store_lock(struct pg *pg, const char *id, struct account *ret, struct why *why);
MUST_USE enum err account_store_set_state(struct pg *pg, const struct account *a, enum account_state to, bool final,
                                          const char *reason, bool clear_contested, utime now, struct why *why);
MUST_USE enum err account_store_set_final(struct pg *pg, const char *id, const char *reason, struct why *why);
MUST_USE enum err account_store_set_acked(struct pg *pg, const char *id, struct why *why);
MUST_USE enum err account_store_contest(struct pg *pg, const char *id, bool *ret_first, struct why *why);
MUST_USE enum err account_store_change(struct pg *pg, const char *id, const char *what, utime now, struct why *why);
MUST_USE enum err account_store_reserve_login(struct pg *pg, const char *id, utime until, struct why *why);
MUST_USE enum err account_store_forget_contact(struct pg *pg, const char *id, struct why *why);
MUST_USE enum err account_store_erase(struct pg *pg, const char *id, utime now, struct why *why);
MUST_USE enum err account_store_expired(struct pg *pg, utime now, int max, struct arena *a, char ***ret_ids,
                                        size_t *ret_n, struct why *why);
MUST_USE enum err account_store_held(struct pg *pg, utime now, int max, struct arena *a, char ***ret_ids, size_t *ret_n,
                                     struct why *why);
MUST_USE enum err account_store_count_reactivation(struct pg *pg, const char *id, struct why *why);
MUST_USE enum err account_store_reason(struct pg *pg, const char *id, char *ret, size_t size, struct why *why);

/* --- account_secret_store.c ---------------------------------------------------------------------------------- */
MUST_USE enum err secret_store_insert(struct pg *pg, const struct keyring *pepper, const char *account_id,
                                      const char *kind, const char *folded, utime now, utime expires, struct why *why);
/* Every live secret of these kinds (NULL-terminated) goes to state. */
MUST_USE enum err secret_store_end(struct pg *pg, const char *account_id, const char *const *kinds, const char *state,
                                   utime now, struct why *why);
/* live → used; ERR_CONFLICT when somebody else was first. */
MUST_USE enum err secret_store_use(struct pg *pg, const char *secret_id, utime now, struct why *why);

/* --- account.c ----------------------------------------------------------------------------------------------- */
/* Lock, ask the table, update, change row, audit row. reason goes to account.reason when not NULL. */
MUST_USE enum err account_transition(struct pg *pg, const char *id, enum account_event event, const char *reason,
                                     const struct account_actor *who, utime now, struct account *ret_before,
                                     enum account_state *ret_to, struct why *why);
/* The same with the row in hand, and more members for the audit row. */
MUST_USE enum err account_transition_more(struct pg *pg, const struct account *a, enum account_event event,
                                          const char *reason, const char *more, const struct account_actor *who, utime now,
                                          struct why *why);
/* Blocking code, OTP and PIN of a card. */
MUST_USE enum err account_card_codes(struct pg *pg, const struct keyring *pepper, const char *id, utime now,
                                     struct account_codes *codes, struct why *why);
MUST_USE enum err account_audit(struct pg *pg, const char *account_id, const char *verb, const char *result,
                                const char *detail, const struct account_actor *who, utime now, struct why *why);

/* The job that tells services that an account is no longer active. */
MUST_USE enum err account_left_job(struct pg *pg, const char *account_id, utime now, struct why *why);
/* ACCOUNT_CERTIFICATES_JOB in the transaction of the act, for an account that is no password account. act: "suspend" (a block:
 * lost), "compromise" (stolen, also when that is said later), "end" (closed, timeout, new codes, another card), "resume" (reactivated). */
MUST_USE enum err account_certificates_job(struct pg *pg, const char *account_id, const char *act, utime now,
                                           struct why *why);

#endif
