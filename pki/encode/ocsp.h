/*
 * ocsp: OCSP answers (RFC 6960 §4.2, RFC 5019 §2.2). A ResponseData from typed values, signed by a delegated responder whose
 * certificate goes with it, or by the CA itself. Pure.
 */
#ifndef PKI_ENCODE_OCSP_H
#define PKI_ENCODE_OCSP_H

#include "pki/encode/certificate.h"

#define OCSP_RESPONSE_MAX ((size_t)32 * 1024)

enum ocsp_response_status {          /* OCSPResponseStatus; 4 is not used */
    OCSP_SUCCESSFUL = 0, OCSP_MALFORMED_REQUEST = 1, OCSP_INTERNAL_ERROR = 2, OCSP_TRY_LATER = 3, OCSP_SIG_REQUIRED = 5,
    OCSP_UNAUTHORIZED = 6
};

enum ocsp_cert_status { OCSP_GOOD, OCSP_REVOKED, OCSP_UNKNOWN };

struct ocsp_single {
    struct str cert_id;              /* CertID, whole, as it was asked */
    enum ocsp_cert_status status;
    utime revoked_at;                /* OCSP_REVOKED; also for a certificate on hold (§2.2) */
    int reason;                      /* enum crl_reason; CRL_REASON_NONE: not shown */
    utime this_update, next_update;  /* next_update 0: none (newer information is always there) */
    utime archive_cutoff;            /* §4.4.4; 0: none */
};

struct ocsp_data {
    struct str responder_key_hash;   /* key_hash_sha1() of the key that signs (ResponderID byKey) */
    utime produced_at;
    const struct ocsp_single *singles;
    size_t n;                        /* 1 or more */
    struct str nonce;                /* as asked; n 0: none */
    bool extended_revoke;            /* §4.4.8: a serial number never issued is answered as revoked */
};

/* Appends the ResponseData: what is signed. ERR_INPUT, code pki.ocsp.data. */
MUST_USE enum err ocsp_data_encode(const struct ocsp_data *data, struct buf *out, struct why *why);
/* Appends the whole OCSPResponse. certificate: DER of the responder's, n 0 when the CA signs itself. */
MUST_USE enum err ocsp_response_assemble(struct str data, enum sig_alg alg, struct str sig, struct str certificate, struct buf *out,
                                         struct why *why);
/* Appends an answer that says only what went wrong; not signed (§2.3). Not OCSP_SUCCESSFUL. */
void ocsp_error_encode(enum ocsp_response_status status, struct buf *out);

/* Names of an issuer as requests give them: SHA-1 or SHA-256 of its Name and of its public key. */
struct ocsp_issuer {
    unsigned char name_sha1[SHA1_LEN], key_sha1[SHA1_LEN], name_sha256[SHA256_LEN], key_sha256[SHA256_LEN];
};
MUST_USE enum err ocsp_issuer_make(struct str name, struct str spki, struct ocsp_issuer *ret, struct why *why);
/* Both hashes must be those of the issuer: two generations may have one name (PKI 5.1.6). */
bool ocsp_issuer_is(const struct ocsp_issuer *issuer, bool by_sha256, struct str name_hash, struct str key_hash);

#endif
