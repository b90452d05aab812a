/* revocation-internal: the rows that revocation.c works on. */
#ifndef PKI_AUTHORITY_REVOCATION_INTERNAL_H
#define PKI_AUTHORITY_REVOCATION_INTERNAL_H

#include "base/crypto/digest.h"
#include "pki/authority/revocation.h"

/* A certificate, locked. */
struct revocation_target {
    char id[37];
    const char *ca_label, *profile;
    struct str serial;
    struct revocation_facts facts;
    char waiting[37];                /* request that is deferred; "" none */
};

/* Takes the key: *ret_new false when it was used, by a transaction that has ended, with this digest; ERR_CONFLICT: with
 * another one. */
MUST_USE enum err revocation_key_take(struct pg *pg, const struct revocation *act, const unsigned char sha256[SHA256_LEN],
                                      utime now, bool *ret_new, struct why *why);
/* The results stored under the key. */
MUST_USE enum err revocation_answer(struct pg *pg, const struct revocation *act, struct arena *a,
                                    struct revocation_result **ret, size_t *ret_n, struct why *why);
/* Locks what is meant, in the order of ids, then reads what waits. Those that were never signed are not there. */
MUST_USE enum err revocation_lock(struct pg *pg, const struct revocation *act, struct arena *a,
                                  struct revocation_target **ret, size_t *ret_n, struct why *why);
/* The same, looked at only. */
MUST_USE enum err revocation_look(struct pg *pg, const struct revocation *act, struct arena *a,
                                  struct revocation_target **ret, size_t *ret_n, struct why *why);
/* ERR_DENIED: the station may not, for one of those that are meant. */
MUST_USE enum err revocation_station(struct pg *pg, const struct revocation *act, const struct revocation_target *targets,
                                     size_t n, struct why *why);
MUST_USE enum err revocation_apply(struct pg *pg, const struct revocation *act, const struct revocation_target *target,
                                   const struct revocation_decision *d, const char *actor, utime now, struct why *why);

#endif
