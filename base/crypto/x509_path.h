/*
 * x509_path: is this certificate good, given anchors, CRLs and a time? Pure: nothing is read, fetched or remembered.
 *
 * Trust first (DOMAIN T-22): an operator's anchors, intermediates and CRLs make a struct x509_trust; a certificate from
 * outside is judged with what is in it and nothing else. Addresses inside a certificate are never followed. A status
 * that cannot be told is a no.
 *
 * Three judges look at a certificate, and each can only refuse:
 *   1. the strict reader (x509.h), and checks of what OpenSSL lets through: serial numbers that are zero, negative or
 *      longer than 20 octets; a leaf that is a CA, has name constraints, no extended key usage, an empty one or
 *      anyExtendedKeyUsage; keys and signatures outside the allow-list;
 *   2. OpenSSL's X509_verify_cert: chain, signatures, dates, basic constraints, key usage, name constraints, policies
 *      (X509_V_FLAG_X509_STRICT, POLICY_CHECK, a purpose, security level 2);
 *   3. RFC 5280 §6.3 over CRLs that were read and verified once: complete, delta, partitioned, by reason, and indirect.
 * OpenSSL is not asked for revocation: it hashes the whole CRL at every call (361 checks/s with 100,000 entries), and its
 * CRL code has had four defects on this path since 2016 (CVE-2016-7052, 2020-1971, 2023-0286, 2026-28388).
 */
#ifndef BASE_CRYPTO_X509_PATH_H
#define BASE_CRYPTO_X509_PATH_H

#include "base/crypto/x509.h"

/* Why a certificate is refused, for the words that a clerk or citizen reads. */
enum x509_verdict {
    CERT_GOOD = 0,
    CERT_MALFORMED,                /* not a certificate, not strict DER, too large, or a field that must not be so */
    CERT_NOT_YET_VALID,
    CERT_EXPIRED,
    CERT_REVOKED,
    CERT_ON_HOLD,                  /* suspended: may come back */
    CERT_ISSUER_UNKNOWN,           /* no way to an anchor */
    CERT_ISSUER_EXPIRED,           /* a CA above is past its end, or not begun */
    CERT_ISSUER_REVOKED,           /* or on hold */
    CERT_ISSUER_REFUSED,           /* a CA above may not do what it did: path length, names, key usage, weak key */
    CERT_STATUS_UNKNOWN,           /* no CRL covers it */
    CERT_STATUS_STALE,             /* the CRL that covers it is past its next update */
    CERT_WRONG_USE,                /* not for signing in: key usage, extended key usage, a CA, a critical extension */
    CERT_WRONG_POLICY,             /* none of the policies that are asked for */
    CERT_BAD_SIGNATURE,
    CERT_WEAK_KEY,                 /* key or signature algorithm outside the profile */
    CERT_VERDICTS                  /* how many there are */
};
/* "good", "expired", …: for logs, metrics and message keys. */
const char *x509_verdict_name(enum x509_verdict v);

/* --- CRLs -------------------------------------------------------------------------------------------------------- */
#define X509_CRL_DER_MAX ((size_t)128 << 20)
struct x509_crl;
/* ERR_INPUT: not a CRL in strict DER of version 2 with CRLNumber and nextUpdate (RFC 5280 §5), or with a critical extension
 * that is not understood. The signature is not looked at yet. */
MUST_USE enum err x509_crl_read(struct str der, struct x509_crl **ret, struct why *why);
struct x509_crl *x509_crl_ref(struct x509_crl *crl);
void x509_crl_free(struct x509_crl *crl);
DEFINE_FREEP(struct x509_crl, x509_crl_free)
utime x509_crl_this_update(const struct x509_crl *crl);
utime x509_crl_next_update(const struct x509_crl *crl);
size_t x509_crl_entries(const struct x509_crl *crl);
bool x509_crl_is_delta(const struct x509_crl *crl);
/* Its issuingDistributionPoint (RFC 5280 §5.2.5), whole; n 0: none. */
struct str x509_crl_scope(const struct x509_crl *crl);
/* CRLNumber, 20 octets, big-endian: memcmp() orders them. */
const unsigned char *x509_crl_number(const struct x509_crl *crl);

/* --- trust ------------------------------------------------------------------------------------------------------- */
/* Filled by one thread; from then on only read, by any number of threads and without a lock. To change it, build another:
 * CRLs are shared between both and stay verified. */
struct x509_trust;
struct x509_trust *x509_trust_new(void) MUST_USE;
void x509_trust_free(struct x509_trust *t);
DEFINE_FREEP(struct x509_trust, x509_trust_free)
/* A CA certificate, self-signed or not; the path ends at it. ERR_INPUT: malformed; ERR_DENIED: not a CA. */
MUST_USE enum err x509_trust_add_anchor(struct x509_trust *t, struct str der, struct why *why);
/* Not trusted by itself; helps to find the way, and may sign CRLs. ERR_INPUT: malformed. */
MUST_USE enum err x509_trust_add_intermediate(struct x509_trust *t, struct str der, struct why *why);
/* What a list says of itself. */
struct x509_crl_facts {
    utime this_update, next_update;
    size_t entries;
    bool is_delta;
    unsigned char number[20];      /* as x509_crl_number() */
    struct str scope;              /* as x509_crl_scope(); a view of the list */
};
/* Reads a list as x509_crl_read() does and verifies it as x509_trust_add_crl() does, and keeps nothing of it: for who passes lists on
 * and asks them nothing. ERR_INPUT, ERR_DENIED. */
MUST_USE enum err x509_crl_judge(const struct x509_trust *t, struct str der, struct x509_crl_facts *ret, struct why *why);
/* After the certificates. Verifies the signature unless that was done before, by a certificate of the CRL's issuer that is
 * in t; takes a reference. ERR_DENIED: nobody in t signed it. */
MUST_USE enum err x509_trust_add_crl(struct x509_trust *t, struct x509_crl *crl, struct why *why);

/* --- paths ------------------------------------------------------------------------------------------------------- */
/* What is asked of a certificate. All zero is the strictest form without policies. */
struct x509_profile {
    enum {
        X509_FOR_SIGN_IN,          /* an end entity with digitalSignature and clientAuth */
        X509_FOR_ANYTHING          /* the path alone: leaf key usages, extended or not, and being a CA do not matter */
    } purpose;
    /* One of these must hold for the whole path, and for sign-in the leaf must name it itself; NULL: not asked.
     * OID_ANY_POLICY alone: some policy must hold. */
    const struct str *policies;    /* contents of identifiers */
    size_t n_policies;
    bool inhibit_policy_mapping, inhibit_any_policy;         /* RFC 5280 §6.1.1 (e) and (g) */
    unsigned key_algs;             /* 1u << KEY_RSA | …, of the leaf; 0: all of enum key_alg */
    int rsa_bits_min;              /* of the leaf; 0: 2048 */
    size_t depth_max;              /* CA certificates between leaf and anchor; 0: 4 */
    size_t bytes_max;              /* of leaf and sent certificates together; 0: 32768 */
    int64_t crl_grace;             /* microseconds that a CRL goes on counting past its next update; 0: none */
    bool status_known_elsewhere;   /* revocation is not looked at: our own certificates, whose state is in the database */
};

/* leaf: as x509_read() gave it. sent: other certificates that came along, in any order, n_sent at most 8.
 * OK with CERT_GOOD; ERR_INPUT with CERT_MALFORMED; ERR_UNAVAILABLE with CERT_STATUS_UNKNOWN and CERT_STATUS_STALE;
 * ERR_DENIED with all others. *ret_verdict is always set. */
MUST_USE enum err x509_path_verify(const struct x509_trust *t, const struct x509_profile *profile, const struct x509_cert *leaf,
                                   const struct str *sent, size_t n_sent, utime now, enum x509_verdict *ret_verdict,
                                   struct why *why);

#endif
