/* factor-internal: what the files of this aggregate share. */
#ifndef IDP_CREDENTIAL_FACTOR_INTERNAL_H
#define IDP_CREDENTIAL_FACTOR_INTERNAL_H

#include "idp/credential/factor.h"

/* Locks the account's row, so that what follows is ordered. *ret_kinds: mask of enum factor_kind. ERR_NOT_FOUND: no active
 * account with user name and password. */
MUST_USE enum err factor_store_lock(struct pg *pg, const char *account_id, unsigned *ret_kinds, struct why *why);
/* ERR_NOT_FOUND: none. Locks the row. */
MUST_USE enum err factor_store_totp(struct pg *pg, const char *account_id, struct buf *ret_sealed, int64_t *ret_last_step,
                                    struct why *why);
MUST_USE enum err factor_store_totp_used(struct pg *pg, const char *account_id, int64_t step, utime now, struct why *why);
MUST_USE enum err factor_store_totp_insert(struct pg *pg, const char *account_id, const struct buf *sealed, int64_t step,
                                           utime now, struct why *why);
MUST_USE enum err factor_store_passkey_insert(struct pg *pg, const char *account_id, const char *id,
                                              const struct webauthn_credential *c, const struct buf *name_sealed,
                                              utime now, bool *ret_new, struct why *why);
MUST_USE enum err factor_store_passkey_count(struct pg *pg, const char *account_id, int64_t *ret, struct why *why);
/* ERR_NOT_FOUND: no such row. */
MUST_USE enum err factor_store_remove(struct pg *pg, const char *account_id, const char *id, struct why *why);
MUST_USE enum err factor_store_codes_drop(struct pg *pg, const char *account_id, struct why *why);
MUST_USE enum err factor_store_code_insert(struct pg *pg, const char *account_id, const unsigned char mac[MAC_LEN],
                                           int version, utime now, struct why *why);
/* *ret_used: this one was there and unused. */
MUST_USE enum err factor_store_code_use(struct pg *pg, const char *account_id, const unsigned char mac[MAC_LEN],
                                        int version, utime now, bool *ret_used, struct why *why);
MUST_USE enum err factor_store_challenge(struct pg *pg, const char *id, utime until, bool *ret_new, struct why *why);

#endif
