/*
 * sp: one SAML service as we know it: what its metadata say, and what the operator's policy says. Made once when the
 * registry loads; read-only and shared between threads afterwards; nothing of it is parsed again for a request.
 */
#ifndef IDP_SAML_SP_H
#define IDP_SAML_SP_H

#include "base/core/arena.h"
#include "base/core/clock.h"
#include "idp/saml/verify.h"

enum saml_binding { SAML_REDIRECT, SAML_POST, SAML_ARTIFACT, SAML_SOAP, SAML_OTHER_BINDING };
/* SAML_OTHER_BINDING for what we do not know. */
enum saml_binding saml_binding_parse(const char *uri);

struct saml_endpoint {
    enum saml_binding binding;
    const char *location;
    const char *response_location; /* location when the metadata give none */
    int index;                     /* ACS; -1 for other kinds */
    enum { SAML_DEFAULT_UNSAID, SAML_DEFAULT_YES, SAML_DEFAULT_NO } is_default;
};

enum saml_nameid { SAML_NAMEID_UNSAID, SAML_NAMEID_PERSISTENT, SAML_NAMEID_TRANSIENT };
enum saml_sign { SAML_SIGN_ASSERTION = 1, SAML_SIGN_RESPONSE = 2, SAML_SIGN_BOTH = 3 };

/* Content encryption for this service, from md:EncryptionMethod: the best of what it lists; nothing listed: GCM. */
enum saml_cipher { SAML_AES256_GCM, SAML_AES128_GCM, SAML_AES256_CBC, SAML_AES128_CBC };
/* Key transport: RSA-OAEP with SHA-1 inside (every product reads it) unless the metadata list SHA-256 only. */
enum saml_transport { SAML_OAEP_MGF1P, SAML_OAEP_SHA256 };

/* The operator's words; the keys of the policy file have these names. */
struct saml_policy {
    bool require_signed_authnrequest; /* default: AuthnRequestsSigned of the metadata */
    bool encrypt;                     /* default: no */
    enum saml_nameid nameid;          /* default: the request's wish, then the metadata's, then transient */
    enum saml_sign sign;              /* default: the assertion */
    bool allow_unsolicited;           /* default: no */
    bool allow_http;                  /* addresses without TLS; default: no */
    bool allow_private;               /* its logout address may be a private one; default: no */
    const char *family, *label_fr, *label_en; /* NULL: not said */
};

struct saml_sp {
    struct arena *arena;              /* holds every string below */
    const char *entity_id;
    utime valid_until;                /* 0: no end */
    bool authn_requests_signed, want_assertions_signed;
    struct saml_keys signing;
    struct key *encryption;           /* NULL: none usable */
    enum saml_cipher cipher;
    enum saml_transport transport;
    bool no_common_cipher;            /* the metadata list only methods that we refuse */
    struct saml_endpoint *acs;
    size_t nacs;
    struct saml_endpoint *slo;
    size_t nslo;
    enum saml_nameid nameid;          /* first format of the metadata that we give */
    const char *name_fr, *name_en;    /* mdui:DisplayName or organisation; NULL when absent */
    size_t unusable_keys;             /* certificates that were left out: too weak or unreadable */
    struct saml_policy policy;
};

void saml_sp_free(struct saml_sp *sp);
DEFINE_FREEP(struct saml_sp, saml_sp_free)

/* metadata: one md:EntityDescriptor with an SPSSODescriptor of SAML 2.0. */
MUST_USE enum err saml_metadata_read(struct str metadata, struct saml_sp **ret, struct why *why);
/* The signature of the metadata by one of these keys; ERR_DENIED when it is missing or wrong. */
MUST_USE enum err saml_metadata_verify(struct str metadata, const struct saml_keys *pinned, struct why *why);

/* The operator's policy, JSON object; unknown keys and wrong types are refused by name. Fills sp->policy, and refuses
 * what the metadata cannot fulfil (encrypt without a usable key, signed requests without one). */
MUST_USE enum err saml_policy_read(const char *json, struct saml_sp *sp, struct why *why);

/* The rule of the column service.family: 1 to 63 of a-z, 0-9, and '.', '_', '-' but in front. */
bool saml_family_is_good(const char *family);

/* Endpoint of SingleLogoutService with this binding, NULL when there is none. */
const struct saml_endpoint *saml_sp_slo(const struct saml_sp *sp, enum saml_binding binding);

#endif
