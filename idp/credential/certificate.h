/*
 * certificate: certificates that belong to accounts, and whether one signs its holder in (DOMAIN 2.3, P-046…P-066, T-22).
 *
 * Trust first: the path is judged by what the operator trusts (trust.h) before anything is looked up. Then one statement
 * tells whose certificate it is, in what state certificate and account are, and whether what judged the path is still the
 * newest. A certificate is known by its issuer's name and serial number (RFC 5280 §4.1.2.2) and by its key, not by a name
 * of a person in it; it is not kept.
 */
#ifndef IDP_CREDENTIAL_CERTIFICATE_H
#define IDP_CREDENTIAL_CERTIFICATE_H

#include "idp/account/account.h"
#include "idp/credential/trust.h"

extern const struct pg_stmts credential_stmts;

/* What a person who came with a certificate, or without, is told. */
enum credential_outcome {
    CERTIFICATE_GOOD,
    CERTIFICATE_NONE,              /* none was sent: none there, no card in the reader, prompt cancelled */
    CERTIFICATE_UNREADABLE,        /* no certificate, or more than we take */
    CERTIFICATE_FUTURE,            /* not yet valid */
    CERTIFICATE_EXPIRED,
    CERTIFICATE_FOREIGN,           /* of no authority that is trusted */
    CERTIFICATE_AUTHORITY,         /* its authority may not, or not any more */
    CERTIFICATE_REVOKED,
    CERTIFICATE_HELD,              /* suspended: may come back */
    CERTIFICATE_STATUS,            /* whether it is revoked cannot be told now */
    CERTIFICATE_UNFIT,             /* not for signing in: usage, policy, key */
    CERTIFICATE_UNKNOWN,           /* good, but belongs to no account here */
    CERTIFICATE_PENDING,           /* its account is not active yet (T-03) */
    CERTIFICATE_BLOCKED,           /* its account is blocked */
    CERTIFICATE_CLOSED,            /* its account is closed */
    CERTIFICATE_WEAK,              /* good, but not what the service asks for */
    CERTIFICATE_OUTCOMES           /* how many there are */
};
/* "good", "none", …: in tickets, logs and the list of a person's visits. */
const char *credential_outcome_name(enum credential_outcome o);
/* ERR_NOT_FOUND: not one of these words. */
MUST_USE enum err credential_outcome_read(const char *name, enum credential_outcome *ret);

struct credential_check {
    enum credential_outcome outcome;
    enum trust_use use;            /* when a path was found */
    char trust[64];                /* name of the authority; "" when there is none */
    bool own, link_from_session;   /* of that authority (trust.h) */
    char id[37];                   /* of the certificate when it is one of ours; else "" */
    char account_id[37];           /* its account: the path was good, or good but for its time or state; else "" */
};
/* chain: as the client sent it, leaf first; n 0: none came. One round trip; more when what is trusted has just changed.
 * ERR_UNAVAILABLE: nothing is known, say no. OK: ret->outcome, and why holds the reason for our log. */
MUST_USE enum err credential_check(struct trust *t, struct pg *pg, const struct str *chain, size_t n, utime now,
                                    struct credential_check *ret, struct why *why);

/* A ticket's certificate is still good, and the ticket was not used before: records both in the transaction of the
 * session. ERR_DENIED: used before, or the certificate is not active any more. */
MUST_USE enum err credential_redeem(struct pg *pg, const char *ticket_id, const char *certificate_id, utime expires,
                                     struct why *why);

/* --- linked by its holder, from a session ---------------------------------------------------------------------------------- */
/* A good certificate that somebody has just shown, proving that they hold its key, as far as a link needs it. It waits with them
 * until they have said that it is theirs; nothing of it is kept before. */
struct credential_shown {
    struct str issuer, serial;     /* as in struct x509_cert: DER of the Name, content of the INTEGER */
    struct str subject;            /* DER of the Name: for the eyes of its holder, kept nowhere */
    unsigned char spki_sha256[SHA256_LEN];
    utime not_after;
    char trust[64];                /* name of the authority that it was judged by */
};
#define CREDENTIAL_SHOWN_NAMES 1600            /* octets of both names: it waits in addresses */
#define CREDENTIAL_LINKED_MAX 10               /* an account's, by its holder */
/* der: the leaf that gave the outcome CERTIFICATE_UNKNOWN, of an authority with link_from_session. In the arena. ERR_INPUT
 * "certificate.long": its names are longer than that. */
MUST_USE enum err credential_shown_read(struct str der, const struct credential_check *check, struct arena *a,
                                        struct credential_shown *ret, struct why *why);
/* Whose means of sign-in change, by the word of their session: still runs with arg once the account is locked, and what it refuses is
 * not done. */
struct credential_holder {
    const char *account_id;
    pg_tx_body still;
    void *arg;
    utime now;
};
/* It signs the account's holder in from now on; its ticket is used up. In a transaction of its own, with audit row and the
 * holder's notice. OK also when it is the account's already: a second click. ERR_DENIED "certificate.ticket": the ticket was used;
 * "account.state": the account is not active any more; ERR_CONFLICT "certificate.linked": it belongs to an account,
 * whose is not said; "certificate.changed": its authority lets nobody link any more, or it has ended; "certificate.full":
 * CREDENTIAL_LINKED_MAX. */
MUST_USE enum err credential_link_shown(struct pg *pg, const struct credential_holder *who, const struct credential_shown *shown,
                                        const char *ticket_id, utime ticket_expires, struct why *why);
/* Takes away one that its holder linked; sessions that began by certificate end, and their services are told. Audit row, notice.
 * ERR_NOT_FOUND: no such one of this account; ERR_CONFLICT "certificate.last": nothing else would sign its holder in. */
MUST_USE enum err credential_unlink_own(struct pg *pg, const struct credential_holder *who, const char *id, struct why *why);

/* A certificate that our authority has just signed belongs to the account, `issued`: it signs nobody in until it is delivered
 * (idp/issuing). In the caller's transaction. ERR_CONFLICT: it belongs to an account already. */
MUST_USE enum err credential_issued(struct pg *pg, const char *id, const char *account_id, const struct x509_cert *cert,
                                     utime now, struct why *why);

/* --- cards at the counter -------------------------------------------------------------------------------------------- */
struct credential_card {
    char id[37];
    char state[16];                /* "issued", "active", "held" */
    utime linked_at;
};
/* Whether the card in the reader is the account's (P-031, P-063); der p NULL: nobody could read it, and the newest that the
 * account has is meant, of those that the holder did not add. Its signature is not judged here: it must be the one that was linked, by issuer, number and key. The row
 * stays locked. ERR_INPUT "certificate.malformed"; ERR_DENIED "certificate.other": not this account's; ERR_CONFLICT
 * "certificate.none", "certificate.expired", "certificate.rekey" (revoked: another one must be linked first). */
MUST_USE enum err credential_card_find(struct pg *pg, const char *account_id, struct str der, utime now,
                                       struct credential_card *ret, struct why *why);
/* It is the account's card from now on: it signs in, and those that it had before do not any more. */
MUST_USE enum err credential_card_take(struct pg *pg, const char *account_id, const char *id, utime now, struct why *why);

/* What the account had signs nobody in any more: it was closed, and begins anew with another card. */
MUST_USE enum err credential_end_all(struct pg *pg, const char *account_id, utime now, struct why *why);

/* --- the operator's side ------------------------------------------------------------------------------------------ */
/* Binds a certificate to an account. It must be good now, as at a sign-in. The certificate of a card signs in once the card is
 * handed over, or the account has come back. ERR_DENIED: it is not (why says what), or the
 * account is closed; ERR_CONFLICT: it belongs to an account already. Audit row. */
MUST_USE enum err credential_link(struct trust *t, struct pg *pg, const char *account_id, struct str pem,
                                   const struct account_actor *who, utime now, char ret_id[37], struct why *why);
/* Takes the link away; sessions that began by certificate end, and their services are told. ERR_NOT_FOUND: no active
 * certificate of the account begins with this id. Audit row. */
MUST_USE enum err credential_unlink(struct pg *pg, const char *account_id, const char *id, const struct account_actor *who,
                                     utime now, struct why *why);
struct credential_row {
    char id[37];
    const char *issuer, *serial;   /* RFC 2253; hexadecimal */
    const char *state;
    utime linked_at, not_after;
    bool by_holder;                /* linked by its holder, from a session */
};
MUST_USE enum err credential_list(struct pg *pg, const char *account_id, struct arena *a, struct credential_row **ret,
                                   size_t *ret_n, struct why *why);

#endif
