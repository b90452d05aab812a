/*
 * crl_due: which lists are due, what became of those that were made, and what waits for them (P-134, P-147, P-199).
 *
 * A full list is due when there is none, when its period has passed, after a restore, and after a change that it does not
 * show: at once while it is small (CRL_SMALL entries) or has no delta, else CRL_FULL_AFTER after it was made, as a delta shows
 * the change at once. A delta is due with each full list, after one that could have none beside it, and after a change that no list shows.
 *
 * Which changes a list shows follows from the view that it was read from (crl.seen), not from times: what was committed while
 * it was made is never taken for shown.
 */
#ifndef PKI_AUTHORITY_CRL_DUE_H
#define PKI_AUTHORITY_CRL_DUE_H

#include "pki/authority/ca.h"

extern const struct pg_stmts crl_due_stmts;

#define CRL_SMALL 10000                                /* entries: half a megabyte, made in a few hundredths of a second */
#define CRL_FULL_AFTER (10 * USEC_PER_MIN)             /* P-147 gives 30 */

/* One shard of an authority that signs lists here, or of a root. */
struct crl_shard {
    int ca_id, shard;
    bool root;
    const char *name;                                  /* of the authority; with generation: its label */
    int generation;
    int64_t period, life;                              /* of the authority's lists, microseconds */
    bool deltas;                                       /* it makes them */
    bool has_full;
    bool has_delta;                                    /* one as new as the full list */
    int64_t number;                                    /* of the newest list of any kind */
    int64_t entries;                                   /* of the newest full list, as the rest here */
    utime made_at, next_update;
    bool went_back;                                    /* made in a database that knew more transactions than this one */
    bool full_behind;                                  /* a change that it does not show */
    bool behind;                                       /* a change that no list shows */
    utime unpublished;                                 /* since when a newer list waits to be offered; UTIME_NULL: none does */
    bool offered;                                      /* some process ever offered lists, or one is there that will */
};
/* Of all shards; in a. */
MUST_USE enum err crl_shards(struct pg *pg, struct arena *a, struct crl_shard **ret, size_t *ret_n, struct why *why);
/* Pure. Of a root: never. */
void crl_due(const struct crl_shard *s, utime now, bool *ret_full, bool *ret_delta);

/* --- by the clock, under the role pki_worker ---------------------------------------------------------------------------- */

/* Executed requests become published once a process offers a list that shows them, or when no list had anything to say; at
 * most max in one call. *ret_n (may be NULL): how many. */
MUST_USE enum err crl_mark_published(struct pg *pg, utime now, int max, int *ret_n, struct why *why);

#endif
