/*
 * profile: what a kind of certificate is, as data (DOMAIN P-106): who holds it, for what use, at which level, and all that
 * follows from it. A certificate outside a profile cannot be asked for.
 *
 * A profile is a file NAME.profile, `name = value` per line (base/core/conf.h). It is read once and never changes; the
 * SHA-256 of its octets is written beside each certificate. A profile that contradicts itself, or what the level, the kind
 * of holder or RFC 5280 ask, does not load: profile_check() says every contradiction with its line.
 *
 * What one certificate says of its holder is in subject.h. Nothing here reads a clock, a socket or a database.
 */
#ifndef PKI_PROFILE_PROFILE_H
#define PKI_PROFILE_PROFILE_H

#include "base/core/conf.h"
#include "base/crypto/digest.h"
#include "base/crypto/key.h"

enum profile_holder { HOLDER_PERSON, HOLDER_AGENT, HOLDER_COMPANY, HOLDER_SERVER, HOLDER_PROGRAM, HOLDER_CA, HOLDER_RESPONDER };
enum profile_use {
    USE_AUTHENTICATION, USE_SIGNATURE, USE_BOTH, USE_CONFIDENTIALITY, USE_SERVER_TLS, USE_CLIENT_TLS, USE_OCSP_SIGNING, USE_CA
};
enum profile_level { LEVEL_LOCAL, LEVEL_1, LEVEL_2, LEVEL_3 };      /* 1 to 3: the stars of the RGS */
enum profile_support { SUPPORT_SOFTWARE, SUPPORT_CARD };
/* What the subject shows: see subject.h. */
enum profile_subject {
    SUBJECT_PSEUDONYM, SUBJECT_NAMED, SUBJECT_AGENT, SUBJECT_COMPANY, SUBJECT_SERVER, SUBJECT_PROGRAM, SUBJECT_RESPONDER, SUBJECT_CA
};
/* What "suspend" does to the certificate (DOMAIN K2). */
enum profile_suspend { SUSPEND_DEFER, SUSPEND_HOLD, SUSPEND_IMMEDIATE };
enum profile_acceptance { ACCEPTANCE_TACIT, ACCEPTANCE_CONFIRMED, ACCEPTANCE_SIGNED };    /* P-121 */
/* How the holder was identified (P-116). Bits, as a profile accepts several. */
enum profile_proof { PROOF_NONE = 1, PROOF_SIGNED_FILE = 2, PROOF_FACE_TO_FACE = 4 };

/* keyUsage: bit n of RFC 5280 §4.2.1.3 is 1 << n. */
enum {
    KU_DIGITAL_SIGNATURE = 1 << 0, KU_NON_REPUDIATION = 1 << 1, KU_KEY_ENCIPHERMENT = 1 << 2, KU_DATA_ENCIPHERMENT = 1 << 3,
    KU_KEY_AGREEMENT = 1 << 4, KU_KEY_CERT_SIGN = 1 << 5, KU_CRL_SIGN = 1 << 6
};
/* extendedKeyUsage: bits of our own, in the order in which they are written. */
enum {
    EKU_CLIENT_AUTH = 1 << 0, EKU_SERVER_AUTH = 1 << 1, EKU_EMAIL_PROTECTION = 1 << 2, EKU_SMARTCARD_LOGON = 1 << 3,
    EKU_OCSP_SIGNING = 1 << 4
};
#define PROFILE_EKU_COUNT 5
enum { CURVE_P256 = 1, CURVE_P384 = 2 };

#define PROFILE_NAME_MAX 63
#define PROFILE_SETTINGS 34           /* rows of the table; profile_conf.c asserts it */

/* A length of time as people agree on it: years by the calendar, then the rest. */
struct profile_life {
    int years;
    int64_t rest;                    /* microseconds */
};

struct profile {
    char name[PROFILE_NAME_MAX + 1]; /* of the file, without ".profile" */
    unsigned char sha256[SHA256_LEN];   /* of the file */
    char *title;                     /* what people call it */
    int holder, use, level;          /* enum profile_holder, profile_use, profile_level (int: conf's choices) */
    char *ca;                        /* name of the authority that signs; "self": itself */
    int subject;                     /* enum profile_subject */
    char *country;                   /* two capitals */
    bool test;                       /* names begin with "TEST " */
    int64_t rsa_min;                 /* bits; 0: no RSA */
    unsigned curves;                 /* CURVE_… */
    unsigned key_usage;              /* KU_… */
    unsigned ext_key_usage;          /* EKU_… */
    struct conf_list policies;       /* dotted identifiers; an end entity has one */
    char *cps;                       /* address of the certification practice statement, or "" */
    struct profile_life life;
    int64_t path_length;             /* of a CA; -1: no limit */
    struct conf_list permitted_dns;  /* of a CA: name constraints; then no IP address either */
    bool crl_distribution;           /* cRLDistributionPoints */
    bool freshest_crl;
    bool aia_ocsp, aia_ca_issuers;   /* authorityInfoAccess */
    int support;                     /* enum profile_support */
    unsigned proofs;                 /* accepted: PROOF_… */
    int64_t renewals;                /* renewals without a new proof (P-117) */
    int64_t approvals;               /* persons who approve a request that an operator makes */
    int suspend;                     /* enum profile_suspend */
    bool suspendable;                /* may be held at all; never at an RGS level */
    int64_t defer_max;               /* SUSPEND_DEFER: revoked after so many microseconds */
    int64_t hold_max;                /* SUSPEND_HOLD: revoked for good after so long */
    int64_t holds;                   /* times one certificate may be held */
    int acceptance;                  /* enum profile_acceptance */
    int64_t accept_alert, accept_revoke;   /* without acceptance; microseconds; not used when tacit */
    bool crl_reasons;                /* entries of CRLs show the reason (hold and release always do) */
    /* as written, for the parts above; and where */
    struct conf_list curves_text, key_usage_text, ext_key_usage_text, proofs_text;
    char *life_text;
    int lines[PROFILE_SETTINGS];     /* of each setting in the file; 0: default */
};

/* The table of settings, for the reference in docs/. */
const struct conf_item *profile_settings(size_t *ret_n);

/* Reads NAME.profile. ERR_INPUT: what is written there, with file and line; ERR_NOT_FOUND, ERR_DENIED, ERR_UNAVAILABLE:
 * the file itself. */
MUST_USE enum err profile_load(const char *path, struct profile **ret, struct why *why);
/* The same from its octets; path stands for it in complaints and gives the name. */
MUST_USE enum err profile_parse(struct str text, const char *path, struct profile **ret, struct why *why);
/* All NAME.profile of a folder, in the order of their names; *ret_all and each of it are the caller's (profile_set_free).
 * ERR_INPUT also when two profiles of different use or level share a policy. */
struct profile_set {
    struct profile **items;
    size_t n;
};
MUST_USE enum err profile_set_load(const char *folder, struct profile_set *ret, struct why *why);
const struct profile *profile_set_find(const struct profile_set *set, struct str name);    /* NULL: none */
void profile_set_free(struct profile_set *set);
void profile_free(struct profile *p);
DEFINE_FREEP(struct profile, profile_free)

/* One contradiction. */
struct profile_fault {
    const char *rule;                /* stable name, e.g. "life.cap" */
    const char *setting;
    int line;                        /* 0: the setting has its default */
    char text[160];
};
/* Every contradiction of a profile; returns how many there are, of which at most max are written. profile_load() has
 * asked already. */
size_t profile_check(const struct profile *p, struct profile_fault *ret, size_t max);

/* The last second of validity: not_before + life - 1 s, as notAfter is inclusive (RFC 5280 §4.1.2.5). */
utime profile_not_after(const struct profile *p, utime not_before);
/* The longest life of that kind of holder: years by the calendar (P-138, P-145, P-146), 30 days for responders. */
utime profile_cap_not_after(enum profile_holder holder, utime not_before);
/* t plus years, by the calendar; 29 February becomes 28 where there is none. */
utime profile_add_years(utime t, int years);

/* May a key of this kind have a certificate that ends then? ERR_DENIED, code pki.key.type, pki.key.curve, pki.key.size or
 * pki.key.size_2030: RSA below 3072 bits ends on 2030-12-31 at the latest (RGS B1, PKI L9). */
MUST_USE enum err profile_key_check(const struct profile *p, enum key_alg alg, int bits, utime not_after, struct why *why);

/* What is known of a request when it is decided. */
struct profile_issue {
    enum profile_support support;    /* where the key is, as the station vouches */
    enum profile_proof proof;        /* how the holder was identified */
    bool renewal;                    /* without a new proof */
    int64_t renewals;                /* of those, since the proof, before this one */
    enum key_alg alg;
    int bits;
    utime not_before, not_after;     /* of the certificate to be */
    utime ca_not_after;              /* nothing outlives its CA */
};
/* May it be issued? ERR_DENIED, code pki.profile.level (P-120: level 2 and 3 not in software, asked again here whatever
 * profile_check() said), pki.profile.support, pki.profile.proof (P-116), pki.profile.renewals (P-117), pki.profile.life,
 * pki.profile.ca_end, or one of profile_key_check(). */
MUST_USE enum err profile_issue_check(const struct profile *p, const struct profile_issue *facts, struct why *why);

/* How a key of this kind signs certificates, lists and answers: RS256, ES256, ES384. */
enum sig_alg profile_sig_alg(enum key_alg alg);

/* Of a program or a server: not of a person, an authority or a responder. */
bool profile_is_of_machine(const struct profile *p);

/* "server-tls", "2", …: as in the file. */
const char *profile_holder_name(enum profile_holder holder);
const char *profile_use_name(enum profile_use use);
const char *profile_level_name(enum profile_level level);

#endif
