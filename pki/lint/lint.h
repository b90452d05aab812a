/*
 * lint: the text that is about to be signed, read back from its octets by another hand than wrote it, against the profile and
 * the authority. A finding means: do not sign. Pure.
 *
 * Rules have stable names; docs and tests know them. cert.*: RFC 5280 §4.1 and §4.2, RGS A4 (PKI 1.2, 4.2); crl.*: RFC 5280 §5.
 */
#ifndef PKI_LINT_LINT_H
#define PKI_LINT_LINT_H

#include "pki/encode/crl.h"

#define LINT_FINDINGS_MAX 24

struct lint_finding {
    const char *rule;                /* "cert.validity.life" */
    char text[120];
};
struct lint_report {
    struct lint_finding findings[LINT_FINDINGS_MAX];
    size_t n;                        /* of which the first LINT_FINDINGS_MAX are there */
};
/* OK when there is no finding, else ERR_DENIED with the code "pki.lint." and the first rule, and all rules as the reason. */
MUST_USE enum err lint_judge(const struct lint_report *report, struct why *why);

/* The authority that signs. */
struct lint_issuer {
    struct str name;                 /* its subject, DER */
    struct str key_id;
    enum sig_alg sig_alg;
    utime not_before, not_after;
};

/* What a certificate is held against. */
struct lint_certificate_context {
    const struct profile *profile;
    struct lint_issuer issuer;
    struct certificate_urls urls;    /* as configured */
    struct str serial;               /* reserved; content of the INTEGER */
    struct str subject;              /* Name, DER, of the registration */
    struct str spki;                 /* of the request */
    const struct key_facts *key;     /* what key_quality_check() said of that very key; NULL: it is asked */
    const struct str *dns;           /* of the registration */
    size_t dns_n;
    const struct str *permitted_dns; /* as in struct certificate_input */
    size_t permitted_dns_n;
};
/* tbs: a TBSCertificate. *ret is set; returns ret->n. */
size_t lint_certificate(struct str tbs, const struct lint_certificate_context *ctx, struct lint_report *ret);

/* What a list is held against. */
struct lint_crl_context {
    struct lint_issuer issuer;
    utime now;                       /* thisUpdate is not after it */
    int64_t life_max;                /* nextUpdate - thisUpdate, microseconds (P-134) */
    uint64_t number;                 /* that was given out */
    bool delta;
    uint64_t base;                   /* of a delta */
    struct str point;                /* as in struct crl_head */
    enum crl_scope scope;
    struct str delta_url;
    size_t entries;                  /* that were written */
    bool reasons;                    /* reasons may be shown; else only hold and release are */
};
/* tbs: a TBSCertList. *ret is set; returns ret->n. Entries are read one after the other: a million take some tens of
 * milliseconds; of a rule that many break the first is told. */
size_t lint_crl(struct str tbs, const struct lint_crl_context *ctx, struct lint_report *ret);

#endif
