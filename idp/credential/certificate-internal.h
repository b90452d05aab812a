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
/* issuer, serial: as in struct x509_cert. */
MUST_USE enum err credential_store_look(struct pg *pg, struct str issuer, struct str serial, struct credential_look *ret,
                                        struct why *why);
struct credential_new {
    const char *id, *account_id;
    struct str issuer, serial;
    unsigned char spki_sha256[SHA256_LEN];
    utime not_after;
    const char *state;             /* "issued" or "active" */
    bool by_holder;
};
/* Also one whose former link was taken away. ERR_CONFLICT: belongs to an account. */
MUST_USE enum err credential_store_insert(struct pg *pg, const struct credential_new *in, utime now, struct why *why);
/* How many of an account its holder linked, in whatever state but ended. */
MUST_USE enum err credential_store_by_holder(struct pg *pg, const char *account_id, const char *trust, int64_t *ret_linked,
                                              bool *ret_may, struct why *why);
/* ERR_DENIED: it was used before. */
MUST_USE enum err credential_store_ticket_use(struct pg *pg, const char *ticket_id, utime expires, struct why *why);
/* Is this active one of the account linked by its holder? ERR_NOT_FOUND: no. Does anything else sign the holder in: a password, or
 * another certificate that is active and not past its end? */
MUST_USE enum err credential_store_spare(struct pg *pg, const char *account_id, const char *id, utime now, bool *ret,
                                         struct why *why);
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
