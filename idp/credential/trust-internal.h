/* trust-internal: what the files of trust share. */
#ifndef IDP_CREDENTIAL_TRUST_INTERNAL_H
#define IDP_CREDENTIAL_TRUST_INTERNAL_H

#include "idp/credential/trust.h"

#define TRUST_NAME_MAX 63
#define TRUST_FILE_MAX (256 * 1024)          /* certificates of one authority, PEM */
#define TRUST_HELPERS_MAX 8
#define TRUST_CRL_MAX ((size_t)64 << 20)     /* what is fetched at most */

/* An authority as certificates, without lists: anchor and helpers of the row. */
MUST_USE enum err trust_make(struct str der, struct str helpers, struct x509_trust **ret, struct why *why);
/* Is this a name we take? */
bool trust_name_ok(const char *name);

/* --- trust_crl.c -------------------------------------------------------------------------------------------------- */
struct trust_crl_got {
    struct buf der;
    unsigned char digest[SHA256_LEN];
    unsigned char number[20];
    utime this_update, next_update;
};
#define TRUST_CRL_GOT_INIT { .der = BUF_BOUNDED(TRUST_CRL_MAX) }
void trust_crl_got_done(struct trust_crl_got *g);
/* Fetches (DER or PEM) and verifies by the certificates of t. ERR_INPUT: malformed; ERR_DENIED: not signed by them, or of a
 * time to come; ERR_UNAVAILABLE: cannot be got. */
MUST_USE enum err trust_crl_get(const char *source, struct x509_trust *t, const struct trust_fetch *fetch, utime now,
                                struct trust_crl_got *ret, struct why *why);

/* --- trust_store.c ------------------------------------------------------------------------------------------------ */
struct trust_stored {
    int32_t id;
    const char *name;
    enum trust_use use;
    bool own, link_from_session;
    struct str der, helpers;
};
struct trust_crl_stored {
    int32_t id, trust_id;
    const char *source;
    struct str digest;                       /* p NULL: none got yet */
    unsigned char number[20];
    utime next_update;
};
MUST_USE enum err trust_store_version(struct pg *pg, int64_t *ret, struct why *why);
MUST_USE enum err trust_store_all(struct pg *pg, struct arena *a, struct trust_stored **ret, size_t *ret_n,
                                  struct why *why);
MUST_USE enum err trust_store_by_id(struct pg *pg, int32_t id, struct arena *a, struct trust_stored *ret, struct why *why);
/* ERR_NOT_FOUND: no such name. */
MUST_USE enum err trust_store_by_name(struct pg *pg, const char *name, struct arena *a, struct trust_stored *ret,
                                      struct why *why);
MUST_USE enum err trust_store_crls(struct pg *pg, struct arena *a, struct trust_crl_stored **ret, size_t *ret_n,
                                   struct why *why);
/* The octets of one list into out. ERR_NOT_FOUND: gone, or none yet. */
MUST_USE enum err trust_store_crl_der(struct pg *pg, int32_t id, struct buf *out, struct why *why);
MUST_USE enum err trust_store_insert(struct pg *pg, const struct trust_new *in, struct str der, struct str helpers,
                                     utime not_after, utime now, int32_t *ret_id, struct why *why);
MUST_USE enum err trust_store_crl_insert(struct pg *pg, int32_t trust_id, const char *source,
                                         const struct trust_crl_got *got, utime now, utime due, struct why *why);
MUST_USE enum err trust_store_delete(struct pg *pg, const char *name, struct why *why);
/* The list that is due longest, moved on to `busy_until`. ERR_NOT_FOUND: none is due. */
MUST_USE enum err trust_store_crl_take(struct pg *pg, utime now, utime busy_until, struct arena *a,
                                       struct trust_crl_stored *ret, struct why *why);
/* Puts a newer list in place. ERR_CONFLICT: the kept one is newer. */
MUST_USE enum err trust_store_crl_put(struct pg *pg, int32_t id, const struct trust_crl_got *got, utime now, utime due,
                                      struct why *why);
/* The same list again (problem ""), or why there is none. */
MUST_USE enum err trust_store_crl_same(struct pg *pg, int32_t id, utime now, utime due, struct why *why);
MUST_USE enum err trust_store_crl_problem(struct pg *pg, int32_t id, const char *problem, utime due, struct why *why);

#endif
