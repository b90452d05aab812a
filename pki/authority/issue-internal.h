/* issue-internal: what the judge reads and writes, for issue.c (rules), issue_batch.c (order) and issue_store.c (statements). */
#ifndef PKI_AUTHORITY_ISSUE_INTERNAL_H
#define PKI_AUTHORITY_ISSUE_INTERNAL_H

#include "pki/authority/issue.h"
#include "pki/request/csr.h"

/* All that one statement reads of a request. */
struct issue_case {
    bool found;                    /* there is such a request; if not, the rest is empty */
    struct request request;
    struct registration registration;
    bool station_good;             /* or none is needed */
    bool key_used;                 /* by a certificate of another request */
    int earlier;                   /* certificates of the registration since the proof of identity; void ones do not count, nor do
                                      those that were superseded before their holder accepted them: nobody has them */
    bool revoked;                  /* one of them was revoked */
    int place;                     /* how many the registration has had, void ones too: the place that the next one takes */
    int responder_ca;              /* whose responder asks; 0: none */
    char certificate[37];          /* of this request; "": none */
    struct str certificate_state;
    /* the certificate that it follows */
    bool follows;                  /* it is there and of this registration */
    struct str follows_state, follows_tbs;
    utime follows_not_after;
};

/* Several at once: ret[i] is that of ids[i], and what it points to lives in a[i]. */
MUST_USE enum err issue_cases_load(struct pg *pg, const char *const *ids, size_t n, struct arena *const *a, struct issue_case *ret,
                                   struct why *why);
/* The request is refused for good; in the audit trail too. Nothing when it has an end already. */
MUST_USE enum err issue_refuse(struct pg *pg, const char *request_id, const char *code, const char *actor, utime now,
                               struct why *why);
/* The same, but it may come again: the code stands in the request, which stays open. */
MUST_USE enum err issue_hold_back(struct pg *pg, const char *request_id, const char *code, const char *actor, utime now,
                                  struct why *why);

enum issue_reserved {
    ISSUE_RESERVED,
    ISSUE_TAKEN,                   /* the name is another holder's */
    ISSUE_BUSY                     /* somebody was first, or something changed: load the case again */
};

struct issue_reservation {
    char id[37];                   /* of the certificate */
    const struct issue_case *c;
    const struct ca *ca;
    const struct profile *profile;
    unsigned char serial[16];
    int shard;
    unsigned char subject_sha256[SHA256_LEN];
    utime not_before, not_after;
    struct str tbs;
    bool is_station;               /* a client certificate of a station */
    bool may_retire;               /* the authority may be retiring: a responder of it */
    bool renewal;                  /* counts as one since the proof */
    bool erase;                    /* names of a person */
    enum issue_reserved outcome;   /* of issue_reserve() */
    struct str der;                /* for issue_commit() */
    bool issued;                   /* outcome of issue_commit(): false: it is void by now */
};
/*
 * First commit, of n at once, 1 to ISSUE_BATCH_MAX: all of it or nothing. No two may have the same request, registration, key, or
 * authority and name. Who reserves beside another does it in the same order: list is in that of issue_reservation_order().
 */
MUST_USE enum err issue_reserve(struct pg *pg, struct issue_reservation *const *list, size_t n, const char *actor, utime now,
                                struct why *why);
int issue_reservation_order(const struct issue_reservation *x, const struct issue_reservation *y);
/* Second commit, of all of them or of none; twice is once. */
MUST_USE enum err issue_commit(struct pg *pg, struct issue_reservation *const *list, size_t n, const char *actor, utime now,
                               struct why *why);

/* --- rules (issue.c) ------------------------------------------------------------------------------------------------ */

/* One case on its way. */
struct issue_work {
    const struct issue_context *x;
    struct pg *pg;
    struct arena *a;
    const char *id;                  /* that was asked for */
    size_t at;                       /* its place in the batch */
    struct issue_case c;
    struct issue_reservation r;
    bool waits;                      /* its token gave no signature yet */
    const struct profile *profile;
    const struct issue_ca *ca;
    struct csr csr;
    struct key_facts key;            /* of its quality */
    struct subject subject;
    struct buf name;                 /* of the subject, DER */
    struct buf tbs, der;
    bool renewal;
    utime now;
};

/* What became of it before: *ret_ended, and the answer. */
MUST_USE enum err issue_earlier_answer(const struct issue_case *c, struct issue_result *ret, bool *ret_ended, struct why *why);
/* All rules that a refusal can come from, in the order of issue.h, and the text: fills w->r. */
MUST_USE enum err issue_judge(struct issue_work *w, struct why *why);
/* What issue_judge() answered, noted if it is a refusal: a refusal is written down before it is answered; one that cannot be written
 * is no answer. */
MUST_USE enum err issue_refusal_note(struct issue_work *w, enum err e, struct why *why);
/* Signs, and believes nothing of it before it was read back. ERR_UNAVAILABLE: its token does not answer. */
MUST_USE enum err issue_sign(struct issue_work *w, struct why *why);

#endif
