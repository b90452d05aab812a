/*
 * wire: what a town server and the IdP say to each other, written once and used by both ends.
 *
 * JSON objects with a closed list of members: an unknown or repeated member is refused, its name is told, its value is
 * never looked at or logged (P-035, K3). Strings are checked while they are read. The OpenAPI file beside this header
 * says the same for people; a test compares it with the route table of the town door.
 */
#ifndef MAIRIE_CONNECTOR_WIRE_WIRE_H
#define MAIRIE_CONNECTOR_WIRE_WIRE_H

#include "base/core/arena.h"
#include "base/core/clock.h"

/* --- ceilings -------------------------------------------------------------------------------------------------- */
#define WIRE_BODY_MAX       16384
#define WIRE_AUTHZ_MAX      64         /* authorisations of one account */
#define WIRE_AUTHZ_CODE_MAX 64
#define WIRE_HANDLE_MIN     22
#define WIRE_HANDLE_MAX     64
#define WIRE_KEY_MIN        16         /* Idempotency-Key */
#define WIRE_KEY_MAX        128
#define WIRE_CHANGES_MAX    200        /* entries of one page of changes */
#define WIRE_LABELS_MAX     128        /* authorisations of one town */
#define WIRE_LABEL_MAX      120        /* characters of a label */
#define WIRE_LABELS_BODY_MAX (160 * 1024)
#define WIRE_NAME_MAX       120        /* characters of a name on a card (P-005) */
#define WIRE_CERT_NAME_MAX  64         /* of one in a certificate (RFC 5280 A.1, ub-common-name) */
#define WIRE_ADDRESS_LINES  6          /* P-006 */
#define WIRE_ADDRESS_MAX    38
#define WIRE_CLERK_MAX      64
#define WIRE_WORD_MAX       64         /* a reason, the reference of a record */

#define WIRE_UTIME_NONE INT64_MIN      /* no end date */

/* HPKE info of the codes a town receives; the associated data is the Idempotency-Key of the call. */
#define WIRE_SEAL_INFO "beffroi town reply v1"

bool wire_is_handle(struct str s);     /* [A-Za-z0-9_-]{22,64} */
bool wire_is_key(struct str s);        /* [A-Za-z0-9_-]{16,128} */
bool wire_is_authz_code(struct str s); /* [a-z][a-z0-9_]{0,63} */
bool wire_is_label(struct str s);      /* 1 to WIRE_LABEL_MAX characters of clean text on one line */
bool wire_is_name(struct str s);       /* the same, to WIRE_NAME_MAX */
bool wire_is_cert_name(struct str s);  /* the same, to WIRE_CERT_NAME_MAX */
bool wire_is_address_line(struct str s);       /* the same, to WIRE_ADDRESS_MAX */
bool wire_is_clerk(struct str s);      /* [A-Za-z0-9_-]{1,64}: the town's own opaque word for an agent */
bool wire_is_word(struct str s);       /* [a-z][a-z0-9_]{0,63}: never a sentence, which could name somebody */
bool wire_is_record(struct str s);     /* [A-Za-z0-9_-]{1,64}: where the town keeps an identity check */

/* --- messages -------------------------------------------------------------------------------------------------- */
struct wire_authz {
    const char *code;
    utime until;                       /* WIRE_UTIME_NONE: open */
};
struct wire_authz_list {
    struct wire_authz *items;
    size_t n;
};

/* What a certificate is to say of its holder (P-047). The authority signs none that says half a name: who has no given name has a
 * pseudonym. */
struct wire_names {
    const char *given_name;
    const char *surname;
};
struct wire_lines {
    const char **items;
    size_t n;
};
/* What stands on a card and its envelope (P-005, P-006, P-009): goes through, sealed, to card operations. */
struct wire_card {
    const char *given_name;            /* NULL: none */
    const char *surname;
    struct wire_lines address;
};
/* POST /v1/accounts. Each type has its own closed list of members. */
struct wire_create {
    const char *type;                  /* "password", "x509_soft", "x509_card" */
    const char *handle;                /* drawn by the town */
    const char *lang;                  /* "fr", "en": language of mails */
    struct wire_authz_list authz;
    bool sensitive;                    /* one of the authorisations is sensitive: the town's policy may ask for a sheet number */
    const char *profile;               /* x509_soft: "pseudonym" (the rule), "named" */
    const struct wire_names *names;    /* x509_soft, named only; else NULL */
    const struct wire_card *card;      /* x509_card; else NULL */
};
/* 200/201: an account as the town may see it. */
struct wire_account {
    const char *handle, *type, *state;
    utime state_since;
    const char *number;                /* folded; NULL for login/password */
    bool final, contested, acked;
    struct wire_authz_list authz;
    const char *sealed;                /* base64url of the sealed codes; NULL: none */
};
/* What stands in the sealed part. */
struct wire_codes {
    const char *creation;              /* folded; NULL: no new creation code */
    const char *revocation;
    const char *sheet;                 /* NULL: none */
    const char *reactivation_otp;      /* cards only, else NULL: 128 bits, base64url; never printed (K1) */
    const char *reactivation_pin;      /* cards only, else NULL: 8 digits */
    utime creation_until;
};
/* What card operations reads when it opens a card record: the six of P-014, in this order. */
struct wire_card_record {
    const char *surname, *given_name;  /* given_name NULL: none */
    struct wire_lines address;
    const char *number, *reactivation_pin, *revocation;      /* folded */
};
#define WIRE_CARD_SEAL_INFO "beffroi card record v1"         /* HPKE info; associated data: the account's id at the IdP */
#define WIRE_CARD_BLOCK     512                              /* a record is padded with spaces to a multiple of this */
/* POST /v1/accounts/{handle}/reissue */
struct wire_reissue {
    const char *what;                  /* "all" or "revocation" */
    bool sensitive;
    const struct wire_names *names;    /* x509_soft, named, when those of the first time were erased; else NULL */
    const struct wire_card *card;      /* x509_card that was closed and reopened: another card is made; else NULL */
};
/* Two agents answer for what one alone may not do. */
struct wire_override {
    const char *reason;                /* a word: "reader", "card_damaged", … */
    const char *second;                /* the other agent, in the town's opaque words */
};
struct wire_second {
    const char *second;
};
/* POST /v1/accounts/{handle}/activate (P-031, P-032) */
struct wire_activate {
    struct str certificate;            /* DER, as it was read from the card; p NULL: overridden */
    const struct wire_override *override;      /* NULL: the card was read */
    const char *record;                /* NULL: none */
};
/* POST /v1/accounts/{handle}/reactivate (P-062…P-066) */
struct wire_reactivate {
    const char *otp, *pin;             /* pin NULL: the letter is lost */
    const struct wire_second *pin_lost;        /* NULL: the PIN was given */
    struct str certificate;            /* as above */
    const struct wire_override *override;
    const char *record;
};
/* POST /v1/accounts/{handle}/block and /close */
struct wire_reason {
    const char *reason;                /* block: "lost", "stolen"; close: "death", "departure", "request", "error" */
};
/* PUT /v1/authorisations, and its answer: what the town calls its authorisations, for the citizen's own page. */
struct wire_label {
    const char *code, *label_fr, *label_en;
};
struct wire_labels {
    struct wire_label *items;
    size_t n;
};
/* POST /v1/blocks */
struct wire_block {
    const char *code;                  /* as it was sealed, folded */
};
struct wire_blocked {
    const char *handle, *state, *receipt;
    utime at;
    bool already;
};
/* GET /v1/changes */
struct wire_change {
    const char *cursor, *handle, *what, *state;
    utime at;
};
struct wire_changes {
    struct wire_change *items;
    size_t n;
    const char *next;                  /* cursor to go on with */
};

/* --- reading: ERR_INPUT with why->code "wire.json", "wire.unknown_member", "wire.missing", "wire.value"; why->text names
 * the member, never its value. Strings are in the arena. ---------------------------------------------------------- */
MUST_USE enum err wire_read_create(struct str json, struct arena *a, struct wire_create *ret, struct why *why);
MUST_USE enum err wire_read_authz(struct str json, struct arena *a, struct wire_authz_list *ret, struct why *why);
/* Codes that stand once in the list. */
MUST_USE enum err wire_read_labels(struct str json, struct arena *a, struct wire_labels *ret, struct why *why);
MUST_USE enum err wire_read_reissue(struct str json, struct arena *a, struct wire_reissue *ret, struct why *why);
MUST_USE enum err wire_read_activate(struct str json, struct arena *a, struct wire_activate *ret, struct why *why);
MUST_USE enum err wire_read_reactivate(struct str json, struct arena *a, struct wire_reactivate *ret, struct why *why);
MUST_USE enum err wire_read_names(struct str json, struct arena *a, struct wire_names *ret, struct why *why);
MUST_USE enum err wire_read_card_record(struct str json, struct arena *a, struct wire_card_record *ret, struct why *why);
MUST_USE enum err wire_read_reason(struct str json, struct arena *a, struct wire_reason *ret, struct why *why);
MUST_USE enum err wire_read_block(struct str json, struct arena *a, struct wire_block *ret, struct why *why);
MUST_USE enum err wire_read_account(struct str json, struct arena *a, struct wire_account *ret, struct why *why);
MUST_USE enum err wire_read_codes(struct str json, struct arena *a, struct wire_codes *ret, struct why *why);
MUST_USE enum err wire_read_blocked(struct str json, struct arena *a, struct wire_blocked *ret, struct why *why);
MUST_USE enum err wire_read_changes(struct str json, struct arena *a, struct wire_changes *ret, struct why *why);
/* A problem (RFC 9457): *ret_code is what follows "urn:beffroi:problem:", "" when it is none of ours. */
void wire_read_problem(struct str json, struct arena *a, const char **ret_code, const char **ret_detail);
/* "tries_left" of the problem secret.wrong; -1: none is told. */
int wire_read_tries_left(struct str json);

/* --- writing: appends one JSON object ------------------------------------------------------------------------------ */
void wire_write_create(struct buf *out, const struct wire_create *m);
void wire_write_authz(struct buf *out, const struct wire_authz_list *m);
void wire_write_labels(struct buf *out, const struct wire_labels *m);
void wire_write_reissue(struct buf *out, const struct wire_reissue *m);
void wire_write_activate(struct buf *out, const struct wire_activate *m);
void wire_write_reactivate(struct buf *out, const struct wire_reactivate *m);
void wire_write_names(struct buf *out, const struct wire_names *m);
/* Padded: see WIRE_CARD_BLOCK. */
void wire_write_card_record(struct buf *out, const struct wire_card_record *m);
void wire_write_reason(struct buf *out, const struct wire_reason *m);
void wire_write_block(struct buf *out, const struct wire_block *m);
void wire_write_account(struct buf *out, const struct wire_account *m);
void wire_write_codes(struct buf *out, const struct wire_codes *m);
void wire_write_blocked(struct buf *out, const struct wire_blocked *m);
void wire_write_changes(struct buf *out, const struct wire_changes *m);

#endif
