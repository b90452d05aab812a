/* crl-internal: the SQL of lists (crl_store.c), for crl.c. All inside one transaction at REPEATABLE READ. */
#ifndef PKI_AUTHORITY_CRL_INTERNAL_H
#define PKI_AUTHORITY_CRL_INTERNAL_H

#include "pki/authority/crl.h"

/* The next number, above the counter, all stored lists and above; *ret_horizon: changes of this transaction and later may be
 * unseen by this view. Waits while another has the counter. */
MUST_USE enum err crl_store_number(struct pg *pg, int ca_id, int shard, int64_t above, int64_t *ret, int64_t *ret_horizon,
                                   struct why *why);

/* What was made before. */
struct crl_before {
    struct pg_result *rows;        /* owns der */
    utime made_at, this_update;    /* the newest of any kind; UTIME_NULL: none */
    int64_t newest;                /* number of that; 0: none */
    bool has_full;                 /* the newest full list: */
    int64_t number, horizon;
    utime full_this_update, full_next_update;
    utime earlier;                 /* thisUpdate of the full list before that; UTIME_NULL: none */
    int64_t entries;
    bool went_back;                /* its horizon is above this cluster's: a restored database */
    struct str der;                /* n 0: not kept */
};
void crl_before_done(struct crl_before *b);
MUST_USE enum err crl_store_before(struct pg *pg, int ca_id, int shard, bool with_der, struct crl_before *ret, struct why *why);

/* One certificate that stands in a list; views of the page. */
struct crl_row {
    struct str serial;
    bool listed;                   /* false: removeFromCRL */
    utime revoked_at;              /* or since when it is released */
    int reason;                    /* 0: none */
    utime invalid_at;              /* 0: none */
    const char *profile;
};
/* Opens the rows of a full list or of a delta, in the order of their serial numbers; once in a transaction. */
MUST_USE enum err crl_store_full_open(struct pg *pg, int ca_id, int shard, utime ended_before, struct why *why);
MUST_USE enum err crl_store_delta_open(struct pg *pg, int ca_id, int shard, utime ended_before, const struct crl_before *base,
                                       struct why *why);
/* The next page of them; no rows: the end. */
MUST_USE enum err crl_store_rows(struct pg *pg, bool delta, struct pg_result **ret, struct why *why);
void crl_store_row(const struct pg_result *r, int row, struct crl_row *ret);

/* Of those serial numbers (hexadecimal), which were in the previous list with reason hold or not (held[i]) and are not in the
 * new one: how many have no right to be away? */
MUST_USE enum err crl_store_lost(struct pg *pg, int ca_id, const char *const *serials, const int64_t *held, size_t n,
                                 utime ended_before, int64_t *ret_lost, struct why *why);

MUST_USE enum err crl_store_put(struct pg *pg, const struct crl_order *order, const struct crl_made *made, bool delta,
                                int64_t horizon, struct why *why);

#endif
