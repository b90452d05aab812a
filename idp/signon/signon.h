/*
 * signon: the conversation that SAML and OIDC are two dialects of. Each dialect reads its request into struct
 * signon_request; signon decides; the dialect writes struct signon_answer in its own language. Neither dialect knows
 * how a citizen proves who they are; signon knows neither XML nor JSON.
 *
 *   dialect endpoint (GET/POST, from the service)
 *     → reads, checks, fills struct signon_request
 *     → signon_decide()            one statement: session, state, freshness, method, replay, record
 *          SIGNON_ANSWERED   the dialect writes its success answer
 *          SIGNON_INTERACT   signon_ask() redirects to the flow, /signon/{flow}; the person signs in; a GET of
 *                            /signon/{flow}/go calls dialect->resume(), which reads its own request back from the
 *                            flow, and decides again
 *          SIGNON_CONSENT    signon_ask_consent() does the same towards the page that says what is released
 *          others            the dialect writes its refusal
 */
#ifndef IDP_SIGNON_SIGNON_H
#define IDP_SIGNON_SIGNON_H

#include "base/http/server.h"
#include "base/pg/job.h"
#include "idp/credential/certificate.h"
#include "idp/idp.h"
#include "idp/services/services.h"

extern const struct pg_stmts signon_stmts;
extern const struct pg_stmts signon_consent_stmts;
extern const struct pg_stmts session_stmts;
extern const struct http_routes signon_routes;
extern const struct http_routes certificate_door_routes;     /* the certificate door: certificate.h */

/* How a person proved who they are; bits, so that a service's wish is a mask: it is met by a session that has one of its bits.
 * A session has one of the first three, and with METHOD_PASSWORD also what was proved second (idp/credential/factor.h; a
 * recovery code counts as a one-time code). */
enum signon_method { METHOD_PASSWORD = 1, METHOD_SOFT_CERT = 2, METHOD_CARD = 4, METHOD_OTP = 8, METHOD_PASSKEY = 16 };
#define METHOD_ANY 0u
#define METHOD_ALL 31u
#define METHOD_SECOND (unsigned)(METHOD_OTP | METHOD_PASSKEY)
/* Two factors of different kinds (REFEDS MFA): a card is had, and opened by its PIN. */
#define METHOD_MULTI (METHOD_SECOND | (unsigned)METHOD_CARD)
/* What the page for user name and password can lead to. */
#define METHOD_BY_PASSWORD (METHOD_SECOND | (unsigned)METHOD_PASSWORD)
/* Methods this installation offers at all. */
unsigned signon_methods_offered(const struct idp *idp);

/* What a service may be granted and a request leave out. */
enum signon_without { SIGNON_WITHOUT_AUTHZ = 1, SIGNON_WITHOUT_TOWN = 2 };

struct signon_request {
    const struct service *service;      /* held by the dialect until it has replied */
    struct str request_key;             /* unique per request: replay protection and record (see table signon) */
    unsigned accept;                    /* mask of enum signon_method, METHOD_ANY */
    bool force_authn;                   /* the person must prove it again, after the request */
    bool passive;                       /* no page may be shown */
    int64_t max_age;                    /* seconds since the proof, -1: no limit */
    const char *login_hint;             /* or NULL */
    const char *lang;                   /* "fr", "en" or NULL */
    const char *transient_id;           /* give this instead of the pairwise identifier; NULL: pairwise */
    unsigned without;                   /* enum signon_without: what this request does not ask for */
    bool force_consent;                 /* the person must agree to what is released, whatever the policy says */
    struct str extra;                   /* kept in the record for the dialect; p NULL: none */
    /* Only when resumed from a flow: */
    const char *flow_id;                /* NULL at first sight */
    utime flow_started;                 /* force_authn is met by a proof after this */
};

enum signon_outcome {
    SIGNON_ANSWERED,
    SIGNON_INTERACT,            /* no session good enough: ask the person */
    SIGNON_NO_PASSIVE,          /* same, but passive was asked */
    SIGNON_CONSENT,             /* signed in; the person is still to agree to what is released */
    SIGNON_NO_CONSENT,          /* same, but passive was asked */
    SIGNON_NO_METHOD,           /* nothing this installation offers would satisfy accept */
    SIGNON_REPLAYED             /* this request was answered before */
};

struct signon_answer {
    char account_id[37];
    const char *name_id;                /* pairwise or the transient given; in the arena */
    const char *pairwise;               /* the pairwise identifier too, where release.pairwise_attribute; else "" */
    const char *session_index;          /* unique per answer, random */
    unsigned method;                    /* mask of enum signon_method: how the person proved it */
    utime auth_time;
    utime session_until;                /* absolute end of the session */
    const struct str *authz;            /* after the release policy; in the arena */
    size_t nauthz;
    const char *town;                   /* "" unless released */
};

/* ERR_UNAVAILABLE: nothing is known, say no (fail closed). OK: *ret_outcome; *ret only when SIGNON_ANSWERED. */
MUST_USE enum err signon_decide(struct http_request *req, const struct signon_request *rq,
                                enum signon_outcome *ret_outcome, struct signon_answer *ret, struct why *why);

/* Replies with a redirect to the sign-in page; the flow is in its address (flow.c). state: the dialect's own words, given back to
 * resume(). A passive request goes to resume() at once, without a page: for a cross-site POST, to which browsers do not
 * give our cookie. */
void signon_ask(struct http_request *req, const char *dialect, const struct signon_request *rq, struct str state);

/* The same towards the page that asks what the service may receive. */
void signon_ask_consent(struct http_request *req, const char *dialect, const struct signon_request *rq,
                        struct str state);

/* The same at once to the certificate door, of cards when card is true and they have one of their own: the person asked for it. */
void signon_ask_certificate(struct http_request *req, const char *dialect, const struct signon_request *rq, struct str state,
                            bool card);

/* What came of showing a certificate in a flow of a dialect with `shown`. */
struct signon_shown {
    const char *token;                  /* for the page's form: signon_shown_open() */
    const char *ticket_id;              /* good once: whoever acts on it writes it down (credential_link_shown()) */
    utime at;
    enum credential_outcome outcome;
    const char *account_id;             /* whose it is already; "": nobody's, or not told by a certificate that is not good */
    bool own, linkable;                 /* of its authority: ours; its certificates may be linked */
    bool card_door;                     /* came by the door of cards */
    struct credential_shown certificate; /* when nobody's and linkable, else issuer.p NULL */
};
/* From the form of a page that `shown` made, in the same browser and less than `most` after the door. ret_state: as signon_ask_certificate()
 * got it. ERR_DENIED: not that; why says what, for the log. */
MUST_USE enum err signon_shown_open(struct http_request *req, const char *dialect, const char *token, int64_t most,
                                    struct str *ret_state, struct signon_shown *ret, struct why *why);

/* What changes the means of sign-in wants a proof of the last minutes: a session that somebody left open, or stole, changes none. A page
 * that was shown may be sent ten minutes later than that. */
bool signon_proof_is_fresh(const struct http_request *req);
/* Replies with the way to make one, as again says, and back to path, a page of ours. */
void signon_prove_again(struct http_request *req, const struct signon_request *again, const char *path);

struct signon_dialect {
    const char *name;                   /* "saml", "oidc", "own" */
    /* The person has signed in (or had a session) in this flow: decide and answer. state is what signon_ask() got. */
    void (*resume)(struct http_request *req, const char *flow_id, utime flow_started, struct str state);
    /* The person gave up on the sign-in page, or refused what the service would have received: answer the service with
     * its own refusal, or NULL: front page. */
    void (*cancel)(struct http_request *req, const char *flow_id, struct str state, bool refused);
    /* In a flow of this dialect came a certificate that would sign its holder in, but it or its account is not active yet. OK: now
     * they are. NULL: never. */
    enum err (*certificate)(struct http_request *req, struct str state, const char *account_id, const char *certificate_id,
                            struct why *why);
    /* A flow of this dialect signs nobody in: what was shown at the certificate door comes here, and this replies. NULL: the ticket
     * is of another flow or browser, or too old. */
    void (*shown)(struct http_request *req, struct str state, const struct signon_shown *shown);
    /* Logout: tells one service that a session ended, from a job (worker). OK, ERR_UNAVAILABLE: try again. */
    enum err (*logout_notice)(struct idp *idp, struct pg *pg, struct str job_payload, struct why *why);
};

/* --- session -------------------------------------------------------------------------------------------------- */
#define SESSION_COOKIE "__Host-beffroi"
struct session {
    char account_id[37];
    unsigned char digest[32];
    unsigned method;                    /* mask of enum signon_method */
    utime auth_time;
};
/* Hook for http_hooks.session of the IdP. */
MUST_USE enum err session_load(struct http_request *req, struct why *why);
/* After a proof: new session for the account (never re-uses a cookie value), cookie set, old session of this browser
 * ended. ERR_DENIED: the account is not active any more (its row is locked while the session is made). also (NULL: none)
 * runs with arg in the same transaction when the session is made. */
MUST_USE enum err session_start(struct http_request *req, const char *account_id, unsigned method, pg_tx_body also,
                                void *arg, struct why *why);
/* The session of this browser has also proved what methods says: the same, with its auth_time. ERR_DENIED: it was ended while the
 * request was under way. */
MUST_USE enum err session_strengthen(struct http_request *req, unsigned methods, struct why *why);

/* In a transaction that changes something by the word of a session: nobody has ended it since the request began; ERR_DENIED. Whoever
 * has the account's row locked is told of what others end from elsewhere. */
MUST_USE enum err session_still(struct pg *pg, const struct session *s, utime now, struct why *why);

/* Ends every other session of the account and tells the services they had answered; reason: "password" (it changed),
 * "citizen" (the person asked). In the caller's transaction, which has locked nothing that a sign-in waits for; *ret_n: how many.
 * ERR_DENIED: keep itself was ended meanwhile. */
MUST_USE enum err session_end_others(struct pg *pg, const struct session *keep, const char *reason, utime now,
                                     struct arena *a, int64_t *ret_n, struct why *why);
/* The live sessions of an account, newest first. */
struct session_seen {
    unsigned method;
    utime since;
    const char *ip_prefix;              /* where it began, cut to /24 or /56; "": not known any more */
    bool this_one;
};
MUST_USE enum err session_list(struct pg *pg, const struct session *self, utime now, struct arena *a,
                               struct session_seen **ret, size_t *ret_n, struct why *why);

/* Job of the worker, one per answer of a session that ended: "<service id> <name id> <session index>". */
#define SIGNON_NOTICE_JOB "signon.ended"
/* Job kind ACCOUNT_LEFT_JOB (idp/account): an account is no longer active, its sessions have ended; each service they
 * had answered gets a notice job. */
MUST_USE enum err session_account_left_job(struct pg *pg, const struct job *job, void *arg, struct why *why);

/* One logout pass for both dialects: ends the session of this browser, inserts the notices for its other services as
 * jobs, clears the cookie. by: service that asked (not notified again), 0 for none. ret_services: those the session
 * had answered, for the page ("fermé / à fermer vous-même"). OK also when there was no session. */
struct session_participant {
    int32_t service_id;
    const char *name_id, *session_index;
};
MUST_USE enum err session_end(struct http_request *req, int32_t by, struct session_participant **ret, size_t *ret_n,
                              struct why *why);
/* The page after a logout that leads nowhere else: told as filled by session_end(). */
void signon_logout_page(struct http_request *req, const struct session_participant *told, size_t n);
/* Same for a session named by a participant's session_index (SAML SLO, back-channel): only if the service is one of it. */
MUST_USE enum err session_end_by_index(struct http_request *req, int32_t service_id, const char *name_id,
                                       const char *session_index, struct session_participant **ret, size_t *ret_n,
                                       struct why *why);

#endif
