/*
 * x509: what the accounts whose means of sign-in is a certificate have beside an account's own.
 *
 * A software certificate says a number, or, where the town asked for it, a name (P-047, A-03): the name is sealed here
 * until the certificate is issued. What goes onto a card and its letters is sealed to card operations before it comes here
 * (P-014): we write it and cannot read it. Both go when the account is closed or erased (trigger of the schema).
 */
#ifndef IDP_ACCOUNT_X509_H
#define IDP_ACCOUNT_X509_H

#include "base/core/arena.h"
#include "base/crypto/seal.h"
#include "base/pg/pg.h"

extern const struct pg_stmts account_x509_stmts;

#define ACCOUNT_NAMES_MAX 2048       /* bytes of its JSON */

/* A new x509_soft account, or its names again (p NULL: none). profile: "pseudonym" or "named". names is JSON, as
 * wire_write_names() makes it. */
MUST_USE enum err account_x509_put(struct pg *pg, const struct keyring *field, const char *account_id, const char *profile,
                                   struct str names, struct why *why);
struct account_x509 {
    bool named;
    struct str names;                /* p NULL: none, or erased */
};
/* ERR_NOT_FOUND: no x509_soft account. */
MUST_USE enum err account_x509_find(struct pg *pg, const struct keyring *field, const char *account_id, struct arena *a,
                                    struct account_x509 *ret, struct why *why);
/* The certificate is issued: its names are no longer ours to keep. */
MUST_USE enum err account_x509_forget_names(struct pg *pg, const char *account_id, struct why *why);

/* key_id: key_thumbprint() of the key it is sealed to. One at a time for an account, read by card operations only; it goes when the
 * account is closed. ERR_CONFLICT "account.card": there is one. */
MUST_USE enum err card_record_add(struct pg *pg, const char *account_id, const char *key_id, struct str sealed, utime now,
                                  struct why *why);

#endif
