/* verify-internal: what the parts of `beffroi-pki verify` share. */
#ifndef PKI_OPERATOR_VERIFY_INTERNAL_H
#define PKI_OPERATOR_VERIFY_INTERNAL_H

#include "base/crypto/digest.h"
#include "base/crypto/key.h"
#include "pki/authority/ca.h"
#include "pki/pki.h"

#define VERIFY_PAGE 1000             /* rows in hand at once */

struct verify_ca {
    struct ca ca;
    char label[CA_LABEL_SIZE];
    struct key *key;                 /* public */
};

struct verify {
    struct pg *pg;
    const struct pki *pki;
    struct arena *a;                 /* of what stays: the authorities */
    utime now;
    struct verify_ca *cas;
    size_t ncas;
    int64_t authorities, certificates, requests, approvals, grants, stations, ceremonies, lists;      /* looked at */
    int64_t unproven;                /* requests whose names were erased or who was identified anew: what was approved is not there */
    int64_t findings;
};

/* Prints one finding, a JSON object on a line. rule: stable, "certificate.signature"; object: "certificate:ID". */
void verify_say(struct verify *v, const char *rule, const char *object, const char *fmt, ...) PRINTF_LIKE(4, 5);
const struct verify_ca *verify_ca_by_id(const struct verify *v, int id);
/* Did this key sign this text, as our authorities sign? */
bool verify_signed_by(const struct key *key, struct str tbs, struct str signature);

/* Each looks at its part; an error is that it could not look. */
MUST_USE enum err verify_authorities(struct verify *v, struct why *why);
MUST_USE enum err verify_certificates(struct verify *v, struct why *why);
MUST_USE enum err verify_states(struct verify *v, struct why *why);
MUST_USE enum err verify_lists(struct verify *v, struct why *why);
MUST_USE enum err verify_signatures(struct verify *v, struct why *why);      /* approvals, grants, stations, requests */
MUST_USE enum err verify_ceremonies(struct verify *v, struct why *why);

/* --- statements (verify_store.c) ------------------------------------------------------------------------------------- */

/* Pages of rows, each after the last; the columns stand beside the statements. */
MUST_USE enum err verify_page_certificates(struct pg *pg, const char *after, struct pg_result **ret, struct why *why);
/* Of these digests and holders of the authorities, those that are not in subject_name: indexes from 1. */
MUST_USE enum err verify_names_missing(struct pg *pg, const int64_t *cas, const char *const *digests, const char *const *holders,
                                       size_t n, struct pg_result **ret, struct why *why);
MUST_USE enum err verify_states_differ(struct pg *pg, struct pg_result **ret, struct why *why);
MUST_USE enum err verify_transitions(struct pg *pg, struct pg_result **ret, struct why *why);
MUST_USE enum err verify_requests_differ(struct pg *pg, struct pg_result **ret, struct why *why);
MUST_USE enum err verify_page_approvals(struct pg *pg, struct str after, const char *after_person, struct pg_result **ret,
                                        struct why *why);
MUST_USE enum err verify_page_requests(struct pg *pg, const char *after, struct pg_result **ret, struct why *why);
MUST_USE enum err verify_page_ceremonies(struct pg *pg, const char *after, struct pg_result **ret, struct why *why);
/* Lists whose times run back, deltas without their base, counters below what they gave out. */
MUST_USE enum err verify_lists_order(struct pg *pg, struct pg_result **ret, struct why *why);
MUST_USE enum err verify_lists_base(struct pg *pg, struct pg_result **ret, struct why *why);
MUST_USE enum err verify_lists_counter(struct pg *pg, struct pg_result **ret, struct why *why);
/* Lists that have their octets; then one of them. */
MUST_USE enum err verify_lists_kept(struct pg *pg, struct pg_result **ret, struct why *why);
MUST_USE enum err verify_list_octets(struct pg *pg, int ca_id, int shard, int64_t number, const char *kind, struct pg_result **ret,
                                     struct why *why);
/* Serial numbers of a page of a list's entries that no certificate accounts for. */
MUST_USE enum err verify_entries_unknown(struct pg *pg, int ca_id, int64_t horizon, const char *const *serials, size_t n,
                                         struct pg_result **ret, struct why *why);
/* Serial numbers that must stand in the newest full list, in their order, after that one. */
MUST_USE enum err verify_page_revoked(struct pg *pg, int ca_id, int shard, int64_t horizon, utime this_update, struct str after,
                                      struct pg_result **ret, struct why *why);

#endif
