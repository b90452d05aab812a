/*
 * answer_cache: signed OCSP answers, kept to be given again.
 *
 * Nothing is ever thrown away because something changed: an answer is found only under what it says. Who asks has looked the
 * certificate up in the table, and an answer that tells another status, or that another key signed, is not found. Bounded
 * memory: places in sets of four, of which the oldest gives way. Only certificates that we issued have a place, and their serial
 * numbers are random: who asks cannot choose where.
 */
#ifndef PKI_STATUS_ANSWER_CACHE_H
#define PKI_STATUS_ANSWER_CACHE_H

#include <stdatomic.h>

#include "pki/status/ocsp_answer.h"

#define CACHED_ANSWER_MAX 8192       /* longer ones are not kept */
#define ETAG_OCTETS 16               /* of the digest */
#define ETAG_SIZE (2 * ETAG_OCTETS + 3)

/* One answer; shared, never edited. */
struct answer {
    atomic_int refs;
    int ca;
    struct status status;
    unsigned char key_hash[SHA1_LEN];
    utime renew_at;                  /* not given again from then on */
    struct ocsp_reply reply;
    char etag[ETAG_SIZE];            /* with its quotes */
    char modified[30], expires[30];  /* dates of HTTP */
    struct str id, der;              /* CertID as asked, OCSPResponse */
};
/* Copies id and der; the caller fills the rest. */
struct answer *answer_new(struct str id, struct str der) MUST_USE;
void answer_drop(void *answer);

struct answer_cache;
struct answer_cache *answer_cache_new(size_t bytes) MUST_USE;
void answer_cache_free(struct answer_cache *c);
DEFINE_FREEP(struct answer_cache, answer_cache_free)

/* NULL: none. The caller drops it. */
struct answer *answer_cache_find(struct answer_cache *c, const struct ocsp_authority *authority, const struct ocsp_cert_id *id,
                                 const struct status *status, utime now) MUST_USE;
/* Takes a reference of its own. serial: of the certificate. */
void answer_cache_put(struct answer_cache *c, struct answer *a, struct str serial);

#endif
