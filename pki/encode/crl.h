/*
 * crl: a CertificateList, full or delta, whole or of one shard (RFC 5280 §5), written as its entries come.
 *
 * The list is written into one buffer whose front is kept free for the heads, which are filled in when the lengths are known: the
 * octets to be signed and the signed list are views of it, nothing is copied, however long the list. Memory is the list and what
 * growing it takes; crl_begin() is told how many entries to expect.
 *
 *     crl_begin(&crl, &head, expected);
 *     while (…)
 *         crl_add(&crl, &entry, why);                 sorted by serial number, each once
 *     crl_close(&crl, &tbs, why);                      sign tbs
 *     crl_finish(&crl, sig, &der, why);                der is the list; views end with crl_done()
 *
 * What stands in a delta (RFC 5280 §5.2.4) is the caller's to know: every serial number whose status changed since the base,
 * those released from hold, or expired meanwhile, with reason removeFromCRL. Pure.
 */
#ifndef PKI_ENCODE_CRL_H
#define PKI_ENCODE_CRL_H

#include "pki/encode/certificate.h"

#define CRL_MAX ((size_t)1 << 30)    /* octets */

enum crl_reason {                    /* RFC 5280 §5.3.1 */
    CRL_REASON_NONE = -1,            /* not shown: "unspecified" is left out (§5.3.1) */
    CRL_KEY_COMPROMISE = 1, CRL_CA_COMPROMISE = 2, CRL_AFFILIATION_CHANGED = 3, CRL_SUPERSEDED = 4,
    CRL_CESSATION = 5, CRL_HOLD = 6, CRL_REMOVE_FROM_CRL = 8, CRL_PRIVILEGE_WITHDRAWN = 9, CRL_AA_COMPROMISE = 10
};

struct crl_entry {
    struct str serial;               /* big-endian, 1 to 20 octets, positive, no leading zero */
    utime revoked_at;
    int reason;                      /* enum crl_reason */
    utime invalid_at;                /* invalidityDate (§5.3.2); 0: none */
};

/* Which certificates the list is about (issuingDistributionPoint, §5.2.5). */
enum crl_scope { CRL_SCOPE_ALL, CRL_SCOPE_USERS, CRL_SCOPE_AUTHORITIES };

struct crl_head {
    struct str issuer;               /* Name: the CA's subject, octet for octet */
    struct str issuer_key_id;
    enum sig_alg sig_alg;
    utime this_update, next_update;
    uint64_t number;                 /* one sequence for full and delta */
    bool delta;
    uint64_t base;                   /* of a delta: BaseCRLNumber */
    struct str point;                /* address of this shard, as in the certificates' cRLDistributionPoints; n 0: none */
    enum crl_scope scope;
    struct str delta_url;            /* freshestCRL of a full list; n 0: none */
};

struct crl {
    struct buf der;                  /* front free, entries, tail */
    struct crl_head head;
    size_t front;                    /* octets kept free */
    size_t start;                    /* where the TBS, then the whole, begins */
    size_t n;                        /* entries */
    unsigned char last[SERIAL_MAX];  /* serial number of the last entry, padded */
    utime time_at;                   /* the last time written, and its octets: many entries share one second */
    char time[17];
    size_t time_len;
};

/* Begins a list; views of head must live until crl_close(). expected: entries, to take memory once; 0: not known. */
void crl_begin(struct crl *crl, const struct crl_head *head, size_t expected);
/* ERR_INPUT, code pki.crl.serial (form), .order (not above the last), .reason (unknown, or removeFromCRL in a full list), .date;
 * .size: longer than CRL_MAX. */
MUST_USE enum err crl_add(struct crl *crl, const struct crl_entry *entry, struct why *why);
/* *ret_tbs: what to sign. ERR_INPUT, code pki.crl.update (next not after this), .base (not below the number, or too low), .url. */
MUST_USE enum err crl_close(struct crl *crl, struct str *ret_tbs, struct why *why);
/* *ret_der: the CertificateList. */
MUST_USE enum err crl_finish(struct crl *crl, struct str sig, struct str *ret_der, struct why *why);
void crl_done(struct crl *crl);

#endif
