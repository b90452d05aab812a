/*
 * csr: a PKCS#10 request (RFC 2986), read strictly and only for its key.
 *
 * What else is in it, names and wished extensions, goes into no certificate: that says what the registration says (PKI L10).
 * A renewal over EST compares them with those of the certificate that it follows (RFC 7030 §4.2.2).
 * That the requester has the private key is proved by the request's own signature, which is verified here (PKI L8). Pure.
 *
 * The quality of the key, its size for a profile, and whether it was seen before are further questions: key_quality.h,
 * profile_key_check(), and the store.
 */
#ifndef PKI_REQUEST_CSR_H
#define PKI_REQUEST_CSR_H

#include "base/crypto/key.h"

#define CSR_MAX ((size_t)16 * 1024)

struct csr {
    struct str spki;                 /* SubjectPublicKeyInfo; a view of what was read */
    struct key *key;                 /* the same as a public key; owned */
    struct str subject;              /* Name, whole; a view */
    struct str subject_alt_name;     /* the GeneralName of the wished extension one after the other; p NULL: none is wished */
    bool challenge_password;         /* the attribute is there: for the log */
    bool extension_request;          /* the same */
};

/* Reads a whole DER request; *ret is the caller's (csr_done) and views der. ERR_INPUT or ERR_DENIED with one of these codes:
 *   pki.csr.size                  more than CSR_MAX octets
 *   pki.csr.der                   not strict DER, or something after it
 *   pki.csr.structure             not a CertificationRequest
 *   pki.csr.version               not v1
 *   pki.csr.key_algorithm         neither RSA, nor EC on a named curve, nor Ed25519
 *   pki.csr.key_pss               a key restricted to RSA-PSS
 *   pki.csr.key_explicit          EC with explicit parameters
 *   pki.csr.key_curve             a curve that is neither P-256 nor P-384
 *   pki.csr.key_number            RSA numbers negative, zero, or not an integer at all
 *   pki.csr.key_size              RSA with fewer than 2048 or more than 8192 bits, or an exponent beyond 64
 *   pki.csr.key_point             an EC point that is compressed, of a wrong length or not on its curve
 *   pki.csr.signature_algorithm   not one of ours, with wrong parameters, or not of the kind of the key
 *   pki.csr.signature             the signature is not that of the key: no proof of possession */
MUST_USE enum err csr_read(struct str der, struct csr *ret, struct why *why);
void csr_done(struct csr *csr);

#endif
