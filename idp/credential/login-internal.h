/* login-internal: what the files of this room share. */
#ifndef IDP_CREDENTIAL_LOGIN_INTERNAL_H
#define IDP_CREDENTIAL_LOGIN_INTERNAL_H

#include "idp/credential/login.h"

struct login_row {
    char account_id[37];
    char state[16];
    char password[PASSWORD_HASH_SIZE];      /* PHC string */
    bool factors;                           /* the account has a second factor */
    utime changed_at;
};
MUST_USE enum err login_store_find(struct pg *pg, const char *folded, struct login_row *ret, struct why *why);
/* Only if the hash is still the one that was checked: *ret_raised. */
MUST_USE enum err login_store_raise(struct pg *pg, const char *account_id, const char *old, const char *hash,
                                    utime now, bool *ret_raised, struct why *why);

#endif
