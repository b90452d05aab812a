/*
 * read: protocol messages to structs, each by the schema's own grammar (saml-schema-protocol-2.0), nothing else let
 * by. Reading says what a message says; whether that is allowed is decided elsewhere. Later code never looks at the
 * tree again, but to verify the signature of the very node that was read.
 */
#ifndef IDP_SAML_READ_H
#define IDP_SAML_READ_H

#include <libxml/tree.h>

#include "base/core/arena.h"
#include "base/core/clock.h"

/* What every message has. Strings live in the arena given. */
struct saml_head {
    const char *id;          /* NCName */
    const char *issuer;      /* entityID, as it stands; NULL only in a LogoutResponse */
    const char *destination; /* NULL when absent */
    utime issue_instant;
    int version;             /* 0: "2.0"; -1 older, 1 newer: nothing below the issuer was read */
    xmlNode *node;           /* root of the message: what is verified */
    xmlNode *signature;      /* its ds:Signature; NULL when not signed */
};

enum saml_comparison { COMPARE_EXACT, COMPARE_MINIMUM, COMPARE_MAXIMUM, COMPARE_BETTER };

#define SAML_CLASSES_MAX 16
#define SAML_INDEXES_MAX 16
#define SAML_IDPS_MAX 32

struct saml_name_id {
    const char *value;
    const char *format;            /* NULL when absent */
    const char *name_qualifier;    /* NULL when absent */
    const char *sp_name_qualifier; /* NULL when absent */
};

struct saml_authn_request {
    struct saml_head head;
    bool force_authn, is_passive;
    const char *protocol_binding; /* NULL when absent */
    const char *acs_url;          /* NULL when absent */
    int acs_index;                /* -1 when absent */
    bool has_subject;
    struct saml_name_id subject;  /* value NULL: a subject without NameID */
    bool subject_confirmation;    /* it asks for a confirmation of its own */
    bool has_policy;
    const char *policy_format, *policy_sp_name_qualifier; /* NULL when absent */
    bool allow_create;
    bool has_context;
    enum saml_comparison comparison;
    const char *classes[SAML_CLASSES_MAX];
    size_t nclasses;
    bool context_declarations;    /* AuthnContextDeclRef instead of classes */
    const char *idps[SAML_IDPS_MAX]; /* Scoping/IDPList */
    size_t nidps;
    bool idp_list;                /* an IDPList was there */
};

struct saml_logout_request {
    struct saml_head head;
    utime not_on_or_after;        /* 0 when absent */
    struct saml_name_id name_id;
    const char *indexes[SAML_INDEXES_MAX]; /* SessionIndex; none: all sessions */
    size_t nindexes;
};

struct saml_logout_response {
    struct saml_head head;
    const char *in_response_to;   /* NULL when absent */
    const char *status, *substatus; /* substatus NULL when absent */
};

/* ERR_INPUT with a code saml.schema, saml.message.… */
MUST_USE enum err saml_read_authn_request(xmlNode *root, struct arena *a, struct saml_authn_request *ret,
                                          struct why *why);
MUST_USE enum err saml_read_logout_request(xmlNode *root, struct arena *a, struct saml_logout_request *ret,
                                           struct why *why);
MUST_USE enum err saml_read_logout_response(xmlNode *root, struct arena *a, struct saml_logout_response *ret,
                                            struct why *why);
/* SOAP 1.1: the one element of the one Body of the one Envelope. */
MUST_USE enum err saml_read_soap(xmlNode *root, xmlNode **ret_message, struct why *why);

#endif
