/* contact: the address a citizen let us keep, sealed under K_field. */
#ifndef IDP_ACCOUNT_CONTACT_H
#define IDP_ACCOUNT_CONTACT_H

#include "base/core/arena.h"
#include "base/crypto/seal.h"
#include "base/pg/pg.h"

extern const struct pg_stmts contact_stmts;

MUST_USE enum err contact_set(struct pg *pg, const struct keyring *field, const char *account_id, const char *email,
                              utime now, struct why *why);
/* ERR_NOT_FOUND: none is kept. */
MUST_USE enum err contact_find(struct pg *pg, const struct keyring *field, const char *account_id, struct arena *a,
                               const char **ret_email, struct why *why);
MUST_USE enum err contact_delete(struct pg *pg, const char *account_id, struct why *why);

#endif
