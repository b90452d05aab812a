/*
 * factor: second factors of an account with user name and password (D-08): one program that shows codes (TOTP, RFC 6238),
 * several passkeys (webauthn.h), and recovery codes for the day when neither is at hand.
 *
 * An account has a second factor when it has a program or a passkey; recovery codes come with the first and go with the last.
 * Slowing guesses, asking the password again and telling services are the callers'. Audit rows and the citizen's notice
 * are written here, in the transaction of the change.
 */
#ifndef IDP_CREDENTIAL_FACTOR_H
#define IDP_CREDENTIAL_FACTOR_H

#include "base/core/arena.h"
#include "base/crypto/seal.h"
#include "base/pg/pg.h"
#include "idp/credential/webauthn.h"

extern const struct pg_stmts factor_stmts;

enum factor_kind { FACTOR_TOTP = 1, FACTOR_PASSKEY = 2, FACTOR_RECOVERY = 4 };

#define FACTOR_PASSKEYS_MAX 10
#define FACTOR_NAME_MAX 60                   /* characters of a passkey's name */
#define FACTOR_RECOVERY_CODES 10
#define FACTOR_RECOVERY_LEN 12               /* digits, 4-4-4 */

struct passkey {
    char id[37];
    const char *name;
    utime added_at, used_at;                 /* used_at UTIME_NULL: never */
    struct webauthn_credential credential;
};
struct factors {
    bool totp;
    utime totp_added_at, totp_used_at;
    struct passkey *passkeys;                /* oldest first */
    size_t npasskeys;
    int64_t recovery;                        /* codes not used yet */
};
static inline bool
factors_any(const struct factors *f)
{
    return f->totp || f->npasskeys > 0;
}
/* In the arena. */
MUST_USE enum err factors_load(struct pg *pg, const struct keyring *field, const char *account_id, struct arena *a,
                               struct factors *ret, struct why *why);
/* Does what was proved at that instant still stand: the password is the same, the account has a second factor? */
MUST_USE enum err factor_proof_stands(struct pg *pg, const char *account_id, utime at, bool *ret, struct why *why);

/* --- proving one: each in the caller's transaction, and used up by it ---------------------------------------------------- */
/* Six digits of the program. ERR_DENIED: wrong, or of a time step that was used; ERR_INPUT: not six digits; ERR_NOT_FOUND: the
 * account has no program. */
MUST_USE enum err factor_totp_use(struct pg *pg, const struct keyring *field, const char *account_id, const char *typed,
                                  utime now, struct why *why);
/* Twelve digits; spaces and dashes are ignored. ERR_DENIED: unknown or used; ERR_INPUT: not twelve digits. */
MUST_USE enum err factor_recovery_use(struct pg *pg, const struct keyring *pepper, const char *account_id, const char *typed,
                                      utime now, struct why *why);
/* What was checked (webauthn_assert()) is recorded: the counter, and that the challenge was answered. ERR_DENIED
 * "factor.challenge": it was answered before, or the passkey was used or removed meanwhile. */
MUST_USE enum err factor_passkey_use(struct pg *pg, const struct passkey *k, const char *account_id, uint32_t count,
                                     const char *challenge, utime challenge_until, utime now, struct why *why);
/* Whoever typed it may have meant a recovery code: as many digits, spaces and dashes apart. */
bool factor_is_recovery(const char *typed);

/* --- challenges of passkeys: sealed, for one purpose, place and account; their use is recorded -------------------------- */
struct factor_challenge {
    const char *id;                          /* base64url of the 32 random bytes that are signed */
    unsigned char bytes[WEBAUTHN_CHALLENGE_LEN];
    utime until;
};
/* place: what it is bound to besides: the flow, or the session; no space in it. *ret_token goes to the page and comes back. */
MUST_USE enum err factor_challenge_new(const struct keyring *field, const char *place, const char *account_id, utime now,
                                       struct arena *a, struct factor_challenge *ret, const char **ret_token,
                                       struct why *why);
/* ERR_DENIED "factor.challenge": not one of ours, of another place or account, or too old. */
MUST_USE enum err factor_challenge_open(const struct keyring *field, const char *place, const char *account_id,
                                        const char *token, utime now, struct arena *a, struct factor_challenge *ret,
                                        struct why *why);

/* Was it answered before? */
MUST_USE enum err factor_challenge_answered(struct pg *pg, const char *id, bool *ret, struct why *why);

/* --- adding and removing: transactions of their own, with audit row and notice -------------------------------------------- */
/* Job of the worker: tells the citizen; payload "<account> <instant> <what>", what one of those below. */
#define FACTOR_CHANGED_JOB "factor.changed"
enum factor_change {
    FACTOR_TOTP_ADDED, FACTOR_TOTP_REMOVED, FACTOR_PASSKEY_ADDED, FACTOR_PASSKEY_REMOVED, FACTOR_CODES_RENEWED,
    FACTOR_PASSKEY_COPIED,
    FACTOR_CERTIFICATE_ADDED, FACTOR_CERTIFICATE_REMOVED,      /* no second factors: another way in (certificate.h) */
    FACTOR_CHANGES
};
const char *factor_change_name(enum factor_change c);
/* The holder's notice, in the caller's transaction. key NULL: one for each account, instant and change; else one for that key. */
MUST_USE enum err factor_notice_add(struct pg *pg, const char *account_id, enum factor_change c, const char *key, utime now,
                                    struct why *why);
MUST_USE enum err factor_change_read(const char *payload, char ret_account[37], utime *ret_at, enum factor_change *ret,
                                     struct why *why);

/* Recovery codes drawn, folded; wiped by factor_codes_done(). */
struct factor_codes {
    char code[FACTOR_RECOVERY_CODES][FACTOR_RECOVERY_LEN + 1];
    size_t n;                                /* 0: none were drawn, the account has some */
};
void factor_codes_done(struct factor_codes *c);
/* "1234 5678 9012" */
void factor_code_shown(const char *code, char ret[FACTOR_RECOVERY_LEN + 3]);

/* Both NULL, or run with arg in the same transaction: still first, once the account is locked, and what it refuses is not done; also
 * when the account had no second factor before. */
struct factor_who {
    const struct keyring *field, *pepper;
    const char *account_id;
    utime now;
    pg_tx_body still, also;
    void *arg;
};
/* key: as the page showed it; typed: a code of it, used up by this. With the first factor codes are drawn. The same key once more
 * (a second click) draws them again, so that what the page shows is true. ERR_DENIED, ERR_INPUT: as factor_totp_use(); ERR_CONFLICT: the
 * account has another program. */
MUST_USE enum err factor_totp_add(struct pg *pg, const struct factor_who *who, const struct secret *key, const char *typed,
                                  struct factor_codes *ret, struct why *why);
/* ERR_CONFLICT "factor.known": some account has this credential; "factor.full": FACTOR_PASSKEYS_MAX; ERR_DENIED
 * "factor.challenge": it was answered before. */
MUST_USE enum err factor_passkey_add(struct pg *pg, const struct factor_who *who, const struct webauthn_credential *c,
                                     const char *name, const struct factor_challenge *challenge,
                                     struct factor_codes *ret, struct why *why);
/* id: of a passkey, NULL: the program. ERR_NOT_FOUND: the account has no such one. */
MUST_USE enum err factor_remove(struct pg *pg, const struct factor_who *who, const char *id, struct why *why);
/* A new set; the old one is no good any more. ERR_CONFLICT: the account has no second factor. */
MUST_USE enum err factor_codes_renew(struct pg *pg, const struct factor_who *who, struct factor_codes *ret, struct why *why);
/* The counter of a passkey went back: told to its holder, once for each count seen. */
MUST_USE enum err factor_passkey_copied(struct pg *pg, const struct factor_who *who, const char *id, struct why *why);

/* Key of a sentence, NULL: the name is good. */
const char *factor_name_problem(const char *name);
/* What authenticators know the account as: a keyed hash, so that it names nobody. */
MUST_USE enum err factor_user_handle(const struct keyring *pepper, const char *account_id, unsigned char ret[MAC_LEN],
                                     struct why *why);

#endif
