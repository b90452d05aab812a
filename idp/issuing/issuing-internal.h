/* issuing-internal: what the files of this room share. */
#ifndef IDP_ISSUING_ISSUING_INTERNAL_H
#define IDP_ISSUING_ISSUING_INTERNAL_H

#include "base/crypto/pkcs.h"
#include "base/crypto/x509.h"
#include "idp/account/account.h"
#include "idp/activation/activation.h"
#include "idp/credential/authority.h"
#include "idp/issuing/issuing.h"

#define ISSUING_REDO_TIME (24 * USEC_PER_HOUR)   /* a wrong choice may be done again so long (P-053) */
#define ISSUING_MANY 10                          /* keys of an account in that time */
#define ISSUING_BUSY_TIME (90 * USEC_PER_SEC)    /* a file is on its way at most so long */

/* --- devices (device.c): P-053 ------------------------------------------------------------------------------------------ */
struct device {
    const char *name;              /* in addresses and forms */
    const char *label;             /* message */
    const char *steps[6];          /* messages, in order */
    enum pkcs12_form form;
    const char *suffix;            /* of the file */
    const char *type;              /* MIME */
    bool profile;                  /* a configuration profile around the PKCS#12 (iOS) */
};
extern const struct device devices[];
extern const size_t ndevices;
/* NULL: no such. */
const struct device *device_find(const char *name);
/* What the request comes from, as far as its User-Agent tells; never NULL. */
const struct device *device_guess(const char *user_agent);
/* Apple's configuration profile with one PKCS#12; its pass phrase is asked for when it is installed. */
void mobileconfig_write(struct str pkcs12, const char *title, const char *host, struct buf *out);

/* --- enrolments (enrol.c: rules, issuing_store.c: rows) ------------------------------------------------------------------ */
enum enrol_way { ENROL_FILE, ENROL_BROWSER, ENROL_REQUEST };
struct enrolment {
    char id[37], account_id[37];
    char certificate_id[37];       /* "" */
    bool renewal, keep_mail, has_link;
    unsigned char link_digest[32];
    enum enrol_way way;
    char lang[3];
    char state[16];
    utime state_since;
    char ca[48], serial[41];       /* "" */
};

/* For whom, from which page: read by place_load(). */
struct place {
    struct account account;
    bool renewal;
    unsigned char link_digest[32];
    const char *base;              /* address of the pages: "/activate/…/certificate", "/ma-page/certificat" */
};
struct enrol_wish {
    const struct place *place;
    enum enrol_way way;
    struct str csr;                /* DER */
    struct str spki;
    bool keep_mail;
    const char *lang;
};
struct enrolled {
    char id[37];                   /* of the enrolment */
    struct str certificate;        /* DER, in the arena */
};
/* Asks the authority and binds the certificate to the account, `issued`. Codes beside the authority's: "issuing.busy" (a file is on
 * its way), "issuing.many", "issuing.key" (the key was used and dropped), "issuing.state" (the account changed meanwhile). */
MUST_USE enum err enrol(struct idp *idp, struct pg *pg, const struct enrol_wish *w, struct arena *a, utime now,
                        struct enrolled *ret, struct why *why);
/* The holder has it: issued → delivered, in a transaction of its own. ERR_CONFLICT: not issued any more, or the account may not
 * open. OK also when it was delivered before. */
MUST_USE enum err enrol_deliver(struct idp *idp, struct pg *pg, const char *enrolment_id, utime now, struct why *why);
/* The certificate before the renewal, from the authority: its subject is that of the renewal's request (RFC 7030 §4.2.2). */
MUST_USE enum err enrol_current(struct idp *idp, struct pg *pg, const char *account_id, struct arena *a,
                                struct authority_certificate *ret, struct why *why);

/* account: locked by the caller. */
MUST_USE enum err enrolment_store_add(struct pg *pg, const char *id, const struct enrol_wish *w, const unsigned char spki[32],
                                      utime now, struct why *why);
/* ERR_NOT_FOUND. */
MUST_USE enum err enrolment_store_by_key(struct pg *pg, const char *account_id, const unsigned char spki[32],
                                         struct enrolment *ret, struct why *why);
MUST_USE enum err enrolment_store_find(struct pg *pg, const char *id, struct enrolment *ret, struct why *why);
MUST_USE enum err enrolment_store_by_certificate(struct pg *pg, const char *certificate_id, struct enrolment *ret,
                                                 struct why *why);
/* The issued one of an account that waits for its holder. ERR_NOT_FOUND. */
MUST_USE enum err enrolment_store_waiting(struct pg *pg, const char *account_id, struct enrolment *ret, struct why *why);
/* The newest delivered one of an account whose certificate is active. ERR_NOT_FOUND. */
MUST_USE enum err enrolment_store_current(struct pg *pg, const char *account_id, struct enrolment *ret, utime *ret_not_after,
                                          struct why *why);
struct enrolment_counts {
    int64_t tries;                 /* keys since then */
    int64_t under_way;             /* files that may be on their way now */
};
MUST_USE enum err enrolment_store_counts(struct pg *pg, const char *account_id, utime since, utime now,
                                         struct enrolment_counts *ret, struct why *why);
/* The file is not on its way any more: another one may be asked for. */
MUST_USE enum err enrolment_store_not_sent(struct pg *pg, const char *id, struct why *why);
/* asked → issued with its certificate; ERR_CONFLICT: not asked any more. */
MUST_USE enum err enrolment_store_issued(struct pg *pg, const char *id, const char *certificate_id, const char *ca,
                                         const char *serial, utime now, struct why *why);
/* issued → delivered, and its certificate active; ERR_CONFLICT. */
MUST_USE enum err enrolment_store_delivered(struct pg *pg, const char *id, utime now, struct why *why);
/* asked → dropped; OK when it was not asked any more. */
MUST_USE enum err enrolment_store_drop(struct pg *pg, const char *id, utime now, struct why *why);
/* asked, issued → dropped, and their certificates ended: all of the account but that one (NULL: all). *ret_n: how many. */
MUST_USE enum err enrolment_store_drop_others(struct pg *pg, const char *account_id, const char *but, utime now, int64_t *ret_n,
                                              struct why *why);
/* Certificates of earlier enrolments end here: the account opens anew. */
MUST_USE enum err enrolment_store_end_earlier(struct pg *pg, const char *account_id, const char *but, utime now,
                                              struct why *why);
/* When the code was given with which the account opens: the town identified the person then. */
MUST_USE enum err enrolment_store_identified(struct pg *pg, const char *account_id, utime *ret, struct why *why);
/* Accounts with something asked or issued since before then, 100 at most. */
MUST_USE enum err enrolment_store_stale(struct pg *pg, utime before, struct arena *a, char ***ret, size_t *ret_n,
                                        struct why *why);

/* --- the authority's news (follow.c) --------------------------------------------------------------------------------------- */
struct own_certificate {
    char id[37];
    char serial[41];               /* hexadecimal */
    unsigned char spki_sha256[32];
    char state[16];
};
/* Certificates of the account that it had at an instant and that may still live. */
MUST_USE enum err certificate_store_of_account(struct pg *pg, const char *account_id, utime until, struct arena *a,
                                               struct own_certificate **ret, size_t *ret_n, struct why *why);
/* The state that the authority tells: "active", "held", "revoked". An account whose certificate is no longer active has its
 * services told. */
MUST_USE enum err certificate_state_set(struct pg *pg, const char *certificate_id, const char *state, utime now, struct why *why);
MUST_USE enum err certificate_store_set_state(struct pg *pg, const char *certificate_id, const char *state, utime now,
                                              char ret_account[37], bool *ret_left, struct why *why);
/* By the very key: an authority's number may be another one's too. */
bool own_certificate_is(const struct own_certificate *c, const struct x509_cert *cert);
/* Of an account, and not asked for by us (no enrolment): by issuer and number, whatever its state. ERR_NOT_FOUND. */
MUST_USE enum err certificate_store_linked(struct pg *pg, const struct x509_cert *cert, struct own_certificate *ret,
                                           struct why *why);
/* Is one of those on hold? */
MUST_USE enum err certificate_store_linked_held(struct pg *pg, bool *ret, struct why *why);
/* Those of them that may live: for a look at each. */
MUST_USE enum err certificate_store_linked_live(struct pg *pg, struct arena *a, struct own_certificate **ret, size_t *ret_n,
                                                struct why *why);
MUST_USE enum err certificate_store_by_serial(struct pg *pg, const char *ca, const char *serial, char ret_id[37], struct why *why);
/* Own ones that may live: for a look at each. */
MUST_USE enum err certificate_store_live(struct pg *pg, struct arena *a, struct enrolment **ret, size_t *ret_n, struct why *why);
/* Takes the turn: ERR_NOT_FOUND: not due, or another worker has it. */
MUST_USE enum err authority_state_take(struct pg *pg, utime now, utime next, struct arena *a, const char **ret_cursor,
                                       struct why *why);
MUST_USE enum err authority_state_seen(struct pg *pg, const char *cursor, utime now, utime next, utime known_until,
                                       struct why *why);
MUST_USE enum err authority_state_problem(struct pg *pg, const char *problem, struct why *why);
struct ending {
    char account_id[37], certificate_id[37];
    char lang[3];
    utime not_after;
};
/* Certificates that end between two instants, whose accounts are active and have no later one. */
MUST_USE enum err certificate_store_ending(struct pg *pg, utime from, utime until, struct arena *a, struct ending **ret,
                                           size_t *ret_n, struct why *why);

/* --- pages -------------------------------------------------------------------------------------------------------------------- */
/* Whose certificate it is about, from the path or the session; replies and returns false when there is nobody. */
bool place_load(struct http_request *req, struct place *ret);
/* A renewal gives whoever asks a key of their own for years: the certificate of now is to be shown once more. false: replied. */
bool renewal_proved(struct http_request *req, const struct place *p, const struct device *device);
/* Replies with what went wrong, in words; back: where to go on (NULL: the place's first page). */
void issuing_refuse(struct http_request *req, const struct place *p, enum err e, const struct why *why);
/* Takes a place among those who ask the authority; replies 503 and returns false when there is none. */
bool issuing_enter(struct http_request *req, const struct place *p);
void get_certificate_choose(struct http_request *req);
void post_certificate_choose(struct http_request *req);
void get_certificate_device(struct http_request *req);
void post_certificate_file(struct http_request *req);
void post_certificate_request(struct http_request *req);
void get_certificate_subject(struct http_request *req);
void get_certificate_issued(struct http_request *req);
void get_certificate_issued_file(struct http_request *req);
void post_certificate_done(struct http_request *req);
void get_certificate_test(struct http_request *req);

#endif
