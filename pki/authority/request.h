/*
 * request: one key for one registration, as it was asked for (table request).
 *
 *     received -> issued | refused
 *     received -> approved -> issued | refused          of an operator: two persons said yes
 *
 * The same registration and key again finds the same row: it is answered as before. What becomes of a request is decided by
 * the judge (issue.h) in the signer, and nowhere else.
 */
#ifndef PKI_AUTHORITY_REQUEST_H
#define PKI_AUTHORITY_REQUEST_H

#include "pki/authority/person.h"
#include "pki/authority/registration.h"

extern const struct pg_stmts request_stmts;

enum request_kind { REQUEST_ENROLL, REQUEST_RENEW, REQUEST_REKEY };
enum request_origin { REQUEST_EST, REQUEST_OPERATOR, REQUEST_STATUS };
enum request_state { REQUEST_RECEIVED, REQUEST_APPROVED, REQUEST_ISSUED, REQUEST_REFUSED };
const char *request_kind_name(enum request_kind kind);
const char *request_origin_name(enum request_origin origin);
const char *request_state_name(enum request_state state);
MUST_USE enum err request_kind_parse(struct str name, enum request_kind *ret);

struct request {
    char id[37], registration[37];
    enum request_kind kind;
    enum request_origin origin;
    char station[37];              /* who asks over EST; else "" */
    char asked_by[37];             /* person, of an operator's; else "" */
    struct str csr;                /* PKCS#10, DER */
    unsigned char spki_sha256[SHA256_LEN];
    char replaces[37];             /* certificate that a renewal follows; else "" */
    enum request_state state;      /* request_add(): received, whatever stands here */
    const char *reason;            /* stable code; of a refusal, or of what is still missing */
    utime received_at;
};

/* Stores it, or finds the one that is there for this registration and key: ret_id says which, *ret_new (may be NULL) whether it
 * is new. ERR_CONFLICT: no such registration, or this id is another's. Inside a transaction or not. */
MUST_USE enum err request_add(struct pg *pg, const struct request *q, const char *actor, utime now, char ret_id[37],
                              bool *ret_new, struct why *why);
/* ERR_NOT_FOUND, code "request.unknown". What *ret points to lives in a. */
MUST_USE enum err request_find(struct pg *pg, const char *id, struct arena *a, struct request *ret, struct why *why);
/* Newest first, at most max, without csr; state NULL: all. */
MUST_USE enum err request_list(struct pg *pg, const char *state, int max, struct arena *a, struct request **ret,
                               size_t *ret_n, struct why *why);
/* Ids of those that the signer can judge and has not: received by EST or status, approved by operators; received before
 * `before`. Oldest first, at most max. */
MUST_USE enum err request_open_list(struct pg *pg, utime before, int max, struct arena *a, char (**ret)[37], size_t *ret_n,
                                    struct why *why);

/* --- two persons approve an operator's request (request.c) ------------------------------------------------------------ */

/* The canonical text of what is approved with APPROVE_REQUEST: request, registration, names in clear, key. names: STR_NULL
 * once they are erased. */
void request_approval_text(const struct request *q, const struct registration *r, struct str names, struct buf *out);
void request_subject(const struct request *q, const struct registration *r, struct str names, unsigned char ret[SHA256_LEN]);
/* Stores one yes; *ret_enough: two persons in the two roles have said so now, and the request became approved.
 * ERR_DENIED: the signature is wrong; ERR_CONFLICT: said already, or the request is not an operator's that waits. */
MUST_USE enum err request_approve(struct pg *pg, const struct keyring *field, const char *id, const struct signed_yes *yes,
                                  const char *actor, utime now, bool *ret_enough, struct why *why);

#endif
