/*
 * login: user name and password of a login/password account (P-044).
 *
 * Names are folded (NFKC, case) and unique; passwords are argon2id with parameters per row, raised at the next
 * sign-in. Unknown name and wrong password cost the same and look the same. Throttling slows and never locks out.
 */
#ifndef IDP_CREDENTIAL_LOGIN_H
#define IDP_CREDENTIAL_LOGIN_H

#include "base/core/arena.h"
#include "base/crypto/password.h"
#include "base/pg/pg.h"

extern const struct pg_stmts login_stmts;

#define LOGIN_MIN 3
#define LOGIN_MAX 64           /* characters */
#define LOGIN_FOLDED_MAX 512   /* bytes */
#define PASSWORD_MIN 12        /* characters; the most is PASSWORD_MAX bytes */

/* Why a choice is refused: the key of the sentence in the catalogue, NULL when it is good. */
const char *login_name_problem(const char *login);
/* deny: the operator's list, may be NULL. login: must not be contained. */
struct deny_list;
MUST_USE enum err deny_list_load(const char *path, struct deny_list **ret, struct why *why);
void deny_list_free(struct deny_list *d);
DEFINE_FREEP(struct deny_list, deny_list_free)
const char *login_password_problem(const char *password, const char *login, const struct deny_list *deny);

/* NFKC, case-folded. ERR_INPUT when login_name_problem() would not be NULL. */
MUST_USE enum err login_fold(const char *login, char ret[LOGIN_FOLDED_MAX]);
/* Is the folded name free? Visible only behind a valid activation session. */
MUST_USE enum err login_is_free(struct pg *pg, const char *folded, utime now, bool *ret, struct why *why);
/* Up to three free names near this one, in the arena. */
MUST_USE enum err login_suggest(struct pg *pg, const char *login, utime now, struct arena *a, const char *ret[3],
                                size_t *ret_n, struct why *why);

/* Hash outside the transaction (slow), set inside. ERR_CONFLICT: the name was taken meanwhile. */
MUST_USE enum err login_hash(const char *password, const struct password_cost *cost,
                              char ret[PASSWORD_HASH_SIZE], struct why *why);
MUST_USE enum err login_set(struct pg *pg, const char *account_id, const char *login, const char *hash, utime now,
                            struct why *why);

/* A new password for the same name. */
MUST_USE enum err login_set_password(struct pg *pg, const char *account_id, const char *hash, utime now,
                                     struct why *why);

/* One check of a typed pair. *ret_account_id is "" when they do not fit; state says whether the account may sign in.
 * Takes the time of one argon2id in every case (slow pool). */
struct login_check {
    char account_id[37];       /* "" : wrong name or password */
    char subject[37];          /* account of the typed name, "" when none: for its holder's list of visits only */
    bool active;               /* else: pending, suspended, closed */
    bool factors;              /* the account has a second factor, which is to be proved too (factor.h) */
    char state[16];
    utime changed_at;          /* of the password that was right */
};
MUST_USE enum err login_verify(struct pg *pg, const char *login, const char *password, const struct password_cost *cost,
                               utime now, struct login_check *ret, struct why *why);
/* In the transaction that makes a session of it, after the session: is the password that was checked, of that instant or before, still
 * the account's, and (alone) enough, because there is no second factor? Checking takes long: who changes either meanwhile ends
 * the sessions that there are. ERR_DENIED "login.changed", "login.factor". */
MUST_USE enum err login_stands(struct pg *pg, const char *account_id, utime changed_at, bool alone, struct why *why);
/* The user name of an account, for the citizen's page; "" when none. */
MUST_USE enum err login_of(struct pg *pg, const char *account_id, struct arena *a, const char **ret, struct why *why);
/* When its hash was last changed, by the citizen or by a costlier setting; UTIME_NULL when none. */
MUST_USE enum err login_changed_at(struct pg *pg, const char *account_id, utime *ret, struct why *why);

#endif
