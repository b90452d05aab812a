/* certificate-internal: what the files of certificate share. */
#ifndef IDP_CREDENTIAL_CERTIFICATE_INTERNAL_H
#define IDP_CREDENTIAL_CERTIFICATE_INTERNAL_H

#include "idp/credential/certificate.h"

/* What one look tells; id "" when the certificate is not one of ours. */
struct credential_look {
    int64_t trust_version;
    char id[37], account_id[37];
    char state[16];                /* of the certificate */
    enum account_state account;
    unsigned char spki_sha256[SHA256_LEN];
    bool asked;                    /* our authority issued it through us */
    utime known_until;             /* how long the states of our authority's certificates count; UTIME_NULL: it never told any */
};
/* cert NULL: the version alone. */
MUST_USE enum err credential_store_look(struct pg *pg, const struct x509_cert *cert, struct credential_look *ret,
                                         struct why *why);
/* Also one whose former link was taken away. state: "issued" or "active". ERR_CONFLICT: belongs to an account. */
MUST_USE enum err credential_store_insert(struct pg *pg, const char *id, const char *account_id,
                                           const struct x509_cert *cert, const char *state, utime now, struct why *why);
/* One certificate of an account, locked: cert NULL: the newest, those that may sign in before those that may not. ERR_NOT_FOUND. */
struct credential_own {
    struct credential_card card;
    unsigned char spki_sha256[SHA256_LEN];
    utime not_after;
};
MUST_USE enum err credential_store_own(struct pg *pg, const char *account_id, const struct x509_cert *cert, utime now,
                                       struct credential_own *ret, struct why *why);
/* active → ended. ERR_NOT_FOUND: not an active one of the account. */
MUST_USE enum err credential_store_end(struct pg *pg, const char *account_id, const char *id, utime now, struct why *why);

#endif
