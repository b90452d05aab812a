/*
 * x509: what a certificate says, read once into a struct. Pure functions: nothing here trusts, fetches or validates a
 * path (x509_path.h does that); the caller compares the fingerprint or the key with what it registered.
 *
 * Reading is strict (RFC 5280 §4, X.690 §10 and §11): the whole encoding and that of every extension, no duplicate extension,
 * no DEFAULT value written out, no NUL or control character in a name. Addresses inside (CRL distribution points, authority
 * information access) are kept as bytes; nobody follows them.
 */
#ifndef BASE_CRYPTO_X509_H
#define BASE_CRYPTO_X509_H

#include "base/core/buf.h"
#include "base/core/clock.h"
#include "base/crypto/digest.h"
#include "base/crypto/key.h"

#define X509_DER_MAX 65536
#define X509_NAME_MAX 2048
#define X509_EXTENSIONS_MAX 64

/* keyUsage (RFC 5280 §4.2.1.3). */
enum x509_key_usage {
    X509_DIGITAL_SIGNATURE = 1 << 0, X509_NON_REPUDIATION = 1 << 1, X509_KEY_ENCIPHERMENT = 1 << 2,
    X509_DATA_ENCIPHERMENT = 1 << 3, X509_KEY_AGREEMENT = 1 << 4,   X509_KEY_CERT_SIGN = 1 << 5,
    X509_CRL_SIGN = 1 << 6,          X509_ENCIPHER_ONLY = 1 << 7,   X509_DECIPHER_ONLY = 1 << 8
};

struct x509_cert {
    unsigned char fingerprint[SHA256_LEN];   /* SHA-256 of the whole DER */
    struct buf spki;                         /* SubjectPublicKeyInfo, DER: key_public() takes it */
    struct buf subject, issuer;              /* RFC 2253 text, UTF-8, NUL-terminated */
    struct buf serial;                       /* lower-case hexadecimal without leading zeros, '-' in front when negative */
    utime not_before, not_after;             /* both included */

    struct buf der;                          /* the whole; what follows points into it */
    int version;                             /* 1, 2 or 3 */
    struct str serial_octets;                /* content of the INTEGER: as it stands in CRLs, at most 255 octets */
    struct str subject_der, issuer_der;      /* Name, with tag and length */
    struct str signature_algorithm;          /* AlgorithmIdentifier, whole; the same inside and outside */
    bool self_issued;                        /* subject and issuer are the same bytes */

    bool key_known;                          /* the key is of a type in enum key_alg; if not, key_alg means nothing */
    enum key_alg key_alg;
    int key_bits;                            /* RSA: of the modulus */

    /* Extensions; p is NULL when absent. */
    bool has_basic_constraints, is_ca;       /* §4.2.1.9; is_ca is false without the extension */
    int path_len;                            /* -1: none */
    bool has_key_usage;
    uint32_t key_usage;                      /* enum x509_key_usage */
    struct str ext_key_usage;                /* §4.2.1.12: the OIDs one after the other; may be empty, which is wrong */
    struct str policies;                     /* §4.2.1.4: the PolicyInformation one after the other */
    struct str subject_key_id, authority_key_id;   /* key identifiers; the latter NULL too when it has another form */
    struct str subject_alt_name;             /* §4.2.1.6: the GeneralName one after the other */
    struct str crl_distribution_points;      /* §4.2.1.13: the DistributionPoint one after the other */
    bool has_name_constraints, has_policy_constraints;
    const char *wrong_criticality;           /* an extension that is critical, or not, against RFC 5280 §4.2; NULL: none */
};

/* ERR_INPUT: not one whole certificate in strict DER, or something in it cannot be read. On failure *ret is untouched.
 * A key that is not understood is no failure here. */
MUST_USE enum err x509_read(struct str der, struct x509_cert *ret, struct why *why);
void x509_done(struct x509_cert *cert);
/* A Name (DER) as RFC 2253 text, appended as struct x509_cert has it. ERR_INPUT: none that we read. */
MUST_USE enum err x509_name_text(struct str der, struct buf *out);
/* ERR_DENIED: not yet or no longer valid. */
MUST_USE enum err x509_check_dates(const struct x509_cert *cert, utime now, struct why *why);
/* Is this extended key usage, or this certificate policy, among the certificate's own? oid: of der-oid.h. */
bool x509_has_ext_key_usage(const struct x509_cert *cert, struct str oid);
bool x509_has_policy(const struct x509_cert *cert, struct str oid);
/* The first "-----BEGIN CERTIFICATE-----" of a PEM text as DER; text around it is allowed. ERR_INPUT: none, or bad. */
MUST_USE enum err x509_pem_decode(struct str pem, struct buf *out, struct why *why);

#endif
