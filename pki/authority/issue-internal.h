/* issue-internal: what the judge reads and writes, for issue.c (rules) and issue_store.c (statements). */
#ifndef PKI_AUTHORITY_ISSUE_INTERNAL_H
#define PKI_AUTHORITY_ISSUE_INTERNAL_H

#include "pki/authority/issue.h"

/* All that one statement reads of a request. */
struct issue_case {
    struct request request;
    struct registration registration;
    bool station_good;             /* or none is needed */
    bool key_used;                 /* by a certificate of another request */
    int earlier;                   /* certificates of the registration since the proof of identity; void ones do not count */
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

/* ERR_NOT_FOUND. What *ret points to lives in a. */
MUST_USE enum err issue_case_load(struct pg *pg, const char *request_id, struct arena *a, struct issue_case *ret,
                                  struct why *why);
/* The request is refused for good; in the audit trail too. Nothing when it has an end already. */
MUST_USE enum err issue_refuse(struct pg *pg, const char *request_id, const char *code, const char *actor, utime now,
                               struct why *why);
/* The same, but it may come again: the code stands in the request, which stays open. */
MUST_USE enum err issue_hold_back(struct pg *pg, const char *request_id, const char *code, const char *actor, utime now,
                                  struct why *why);

struct issue_reservation {
    char id[37];                   /* of the certificate */
    const struct issue_case *c;
    const struct ca *ca;
    const struct profile *profile;
    unsigned char serial[16];
    int shard;
    unsigned char subject_sha256[SHA256_LEN];
    utime not_before, not_after, now;
    struct str tbs;
    bool is_station;               /* a client certificate of a station */
    bool may_retire;               /* the authority may be retiring: a responder of it */
    bool renewal;                  /* counts as one since the proof */
    bool erase;                    /* names of a person */
    const char *actor;
};
/* First commit. *ret_done: reserved. If not, *ret_taken: the name is another holder's; and neither: somebody was first, or
 * something changed: load the case again. */
MUST_USE enum err issue_reserve(struct pg *pg, const struct issue_reservation *r, bool *ret_done, bool *ret_taken,
                                struct why *why);
/* Second commit; twice is once. ERR_CONFLICT, code pki.request.lost: it is void by now. */
MUST_USE enum err issue_commit(struct pg *pg, const struct issue_reservation *r, struct str der, struct why *why);

#endif
