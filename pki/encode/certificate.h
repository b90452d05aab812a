/*
 * certificate: a TBSCertificate from typed values (RFC 5280 §4.1), and the certificate from it and a signature.
 *
 * What stands in it follows from the profile; nothing comes from a request but the key. The caller lints the text
 * (pki/lint), writes it down, signs exactly these octets, assembles, and reads the result back with OpenSSL. Pure.
 *
 * Extensions, in this order, those that apply: authorityKeyIdentifier, subjectKeyIdentifier, keyUsage (critical),
 * certificatePolicies, subjectAltName, basicConstraints (critical; authorities only), nameConstraints (critical),
 * cRLDistributionPoints, freshestCRL, authorityInfoAccess, extendedKeyUsage, id-pkix-ocsp-nocheck (responders).
 */
#ifndef PKI_ENCODE_CERTIFICATE_H
#define PKI_ENCODE_CERTIFICATE_H

#include "pki/encode/name.h"

#define CERTIFICATE_MAX ((size_t)16 * 1024)      /* octets of one that we write */
#define SERIAL_LEN 16                /* our own: 127 random bits, first octet neither 0 nor above 7F */
#define SERIAL_MAX 20                /* RFC 5280 §4.1.2.2 */

/* Where status and issuer are found; http, as https would need the status of another certificate first. An address that the
 * profile wants and that is empty is refused. */
struct certificate_urls {
    struct str crl;                  /* of the shard */
    struct str delta_crl;
    struct str ocsp;
    struct str ca_issuers;
};

struct certificate_input {
    const struct profile *profile;
    struct str serial;               /* big-endian; 9 to 20 octets, first bit 0, first octet not 0 */
    struct str issuer;               /* Name: the CA's subject, octet for octet */
    struct str issuer_key_id;        /* its subjectKeyIdentifier */
    struct str subject;              /* Name: name_encode() */
    struct str spki;                 /* SubjectPublicKeyInfo */
    enum sig_alg sig_alg;
    utime not_before, not_after;     /* both included */
    struct certificate_urls urls;
    const struct str *dns;           /* subjectAltName of a server */
    size_t dns_n;
    const struct str *permitted_dns; /* name constraints of this authority; none: those of the profile */
    size_t permitted_dns_n;
};

/* Appends the TBSCertificate. ERR_INPUT, code pki.certificate.serial, .dates, .url, .key; ERR_INTERNAL: no room. */
MUST_USE enum err certificate_tbs_encode(const struct certificate_input *in, struct buf *out, struct why *why);

/* Appends the Certificate. sig as key_sign() makes it, ECDSA as DER. */
MUST_USE enum err certificate_assemble(struct str tbs, enum sig_alg alg, struct str sig, struct buf *out, struct why *why);

/* A serial number for a new certificate; reserve it under (CA, serial) before signing. */
void certificate_serial_draw(unsigned char ret[SERIAL_LEN]);

#endif
