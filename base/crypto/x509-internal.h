/* x509-internal: what the x509*.c files share: the walk over extensions, names, and the bodies of the objects. */
#ifndef BASE_CRYPTO_X509_INTERNAL_H
#define BASE_CRYPTO_X509_INTERNAL_H

#include <stdatomic.h>

#include "base/crypto/der-oid.h"
#include "base/crypto/der.h"
#include "base/crypto/ossl-internal.h"
#include "base/crypto/x509.h"
#include "base/crypto/x509_path.h"

DEFINE_FREEP(X509_NAME, X509_NAME_free)

/* --- extensions (RFC 5280 §4.1.2.9) ------------------------------------------------------------------------------ */
struct x509_extension {
    struct str oid;
    bool critical;
    struct str value;              /* strict DER: checked */
};
/* The next Extension of *list. ERR_INPUT: malformed. */
MUST_USE enum err x509_extension_next(struct str *list, struct x509_extension *ret, struct why *why);
/* list: Extensions, inside its tag. ERR_INPUT: empty, too many, or one of them twice. */
MUST_USE enum err x509_extensions_check(struct str list, size_t max, struct why *why);
/* The content of the one SEQUENCE that value is. */
MUST_USE enum err x509_sequence(struct str value, struct str *ret_content);

/* Algorithm identifiers that we verify (DESIGN rule 10), by their whole DER. */
enum x509_sig_kind { X509_SIG_RSA, X509_SIG_ECDSA, X509_SIG_ED25519 };
struct x509_sig_alg {
    struct str der;
    enum x509_sig_kind kind;
    enum ossl_md_id md;            /* meaningless for Ed25519 */
};
/* NULL: not in the allow-list. */
const struct x509_sig_alg *x509_sig_alg_find(struct str algorithm_identifier);

/* --- names ------------------------------------------------------------------------------------------------------- */
/* Name, whole, as OpenSSL's object, whose comparison folds case and white space (RFC 5280 §7.1). NULL: not a Name. */
X509_NAME *x509_name_parse(struct str der) MUST_USE;

/* A name of a distribution point: names that mean the same place. */
struct x509_place {
    struct str name;               /* GeneralName, whole; not owned */
    X509_NAME *directory;          /* owned; NULL when name is of another kind */
};
struct x509_places {
    struct x509_place *list;       /* NULL: no name is given */
    size_t n;
};
void x509_places_done(struct x509_places *p);
/* names: GeneralName after GeneralName. What directoryName holds is parsed. ERR_INPUT: empty, or malformed. */
MUST_USE enum err x509_places_read(struct str names, struct x509_places *ret);
/* DistributionPointName inside its [0]; relative: what nameRelativeToCRLIssuer is relative to (Name, whole).
 * store: where the name that is put together lives, as long as *ret does. */
MUST_USE enum err x509_places_read_point(struct str point, struct str relative, struct buf *store, struct x509_places *ret);
bool x509_places_meet(const struct x509_places *a, const struct x509_places *b);
/* Is name among the directory names of p? */
bool x509_places_have(const struct x509_places *p, const X509_NAME *name);

/* --- CRL --------------------------------------------------------------------------------------------------------- */
#define X509_REASONS_ALL 0x1feu    /* ReasonFlags: bits 1 to 8 (RFC 5280 §4.2.1.13) */
enum { X509_REASON_HOLD = 6, X509_REASON_REMOVE = 8 };       /* CRLReason (§5.3.1) */

/* One revoked certificate. Sorted by issuer, length, octets, and removeFromCRL last. */
struct x509_crl_entry {
    uint32_t serial_at;            /* in serials */
    uint8_t serial_len;
    uint8_t reason;                /* CRLReason; 0: unspecified, or not given */
    uint16_t issuer;               /* 0: the CRL's issuer; else 1 + index into issuers */
    utime revoked;
};

struct x509_crl {
    atomic_int refs;
    bool kept;                     /* false: only looked at, der is the caller's and entries are counted */
    struct buf der;                /* let go once verified */
    X509_NAME *issuer;
    utime this_update, next_update;
    unsigned char number[20], base[20];      /* CRLNumber, BaseCRLNumber; big-endian, padded */
    bool is_delta;                 /* base counts */
    struct buf authority_key_id;   /* empty: none */
    struct buf idp;                /* issuingDistributionPoint, whole DER; empty: none */
    struct x509_places places;     /* its distributionPoint; points into idp and place_store */
    struct buf place_store;
    bool only_user, only_ca, only_attribute, indirect;
    uint32_t reasons;              /* onlySomeReasons, or all */
    X509_NAME **issuers;           /* certificateIssuer names of an indirect CRL */
    size_t n_issuers;
    struct buf serials;
    struct x509_crl_entry *entries;
    size_t n_entries;

    struct str tbs, algorithm, signature, idp_at;    /* into der; meaningless once verified, if it is ours */
    struct buf signer_spki;        /* the key that verified it; empty: not yet */
};

/* ERR_DENIED: not signed by that key. On success the CRL is verified for good, and its DER is let go. */
MUST_USE enum err x509_crl_verify(struct x509_crl *crl, const struct x509_cert *signer, struct why *why);
/* The same by any certificate of the CRL's issuer in t. */
MUST_USE enum err x509_trust_verify_crl(const struct x509_trust *t, struct x509_crl *crl, struct why *why);
/* ReasonFlags, as X509_REASONS_ALL has them; may be 0. */
MUST_USE enum err x509_reasons_read(struct str content, uint32_t *ret);
/* NULL: not in the list. issuer: of the certificate. */
const struct x509_crl_entry *x509_crl_find(const struct x509_crl *crl, const X509_NAME *issuer, struct str serial);

/* --- trust and paths --------------------------------------------------------------------------------------------- */
struct x509_node {                 /* a certificate in both forms */
    struct x509_cert cert;
    X509 *x;
};
void x509_node_done(struct x509_node *n);
/* The same certificate as OpenSSL's object. ERR_INPUT: it does not take it, or must not see it. */
MUST_USE enum err x509_to_openssl(const struct x509_cert *cert, X509 **ret, struct why *why);
/* The context in which it reads those of the allow-list (x509_reader.c); owned by the process. NULL: it could not be made. */
OSSL_LIB_CTX *x509_reader_context(void);
MUST_USE enum err x509_node_read(struct str der, struct x509_node *ret, struct why *why);

struct x509_trust {
    struct x509_node *anchors, *intermediates;
    size_t n_anchors, n_intermediates, n_crls;
    struct x509_crl **crls;
    STACK_OF(X509) *anchor_stack, *intermediate_stack;       /* the same, not owned */
};

#define X509_PATH_MAX 12           /* certificates of a path, anchor included */
struct x509_path {                 /* leaf first, anchor last; not owned */
    const struct x509_node *nodes[X509_PATH_MAX];
    size_t n;
};

/* What one verification carries. */
struct x509_run {
    const struct x509_trust *trust;
    const struct x509_profile *profile;
    utime now;
    const struct x509_node *leaf;
    const struct x509_node *sent;  /* certificates that came with the leaf */
    size_t n_sent;
};

/* Builds and verifies the path of target, without revocation. purpose: X509_PURPOSE_*. */
enum x509_verdict x509_path_build(const struct x509_run *run, const struct x509_node *target, int purpose, struct x509_path *ret,
                                  struct why *why);
/* Revocation of every certificate of the path but the anchor (RFC 5280 §6.3). */
enum x509_verdict x509_path_status(const struct x509_run *run, const struct x509_path *path, int level, struct why *why);

#endif
