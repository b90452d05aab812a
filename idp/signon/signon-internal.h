/* signon-internal: what the files of this room share. */
#ifndef IDP_SIGNON_SIGNON_INTERNAL_H
#define IDP_SIGNON_SIGNON_INTERNAL_H

#include "idp/signon/signon.h"
#include "idp/signon/throttle.h"

#define TOKEN_BYTES 32
#define FLOW_ID_BYTES 16
#define FLOW_ID_LEN 22
#define FLOW_ID_SIZE 32
#define FLOW_TOKEN_MAX (14 * 1024)           /* below HTTP_URI_MAX, with room for what stands around it */
#define SESSION_TOUCH (10 * USEC_PER_MIN)    /* prolong at most this often */

/* --- flow.c --------------------------------------------------------------------------------------------------- */
struct flow {
    const char *id;            /* FLOW_ID_LEN characters: its name in records */
    const char *token;         /* as it stands in the URL; NULL before flow_seal() */
    const char *dialect;
    int32_t service_id;        /* 0: none */
    struct str state;
    unsigned accept;
    utime fresh_after, created_at, expires_at;
    const char *lang, *login_hint;   /* login_hint may be NULL */
    unsigned without;          /* enum signon_without */
    /* Who agreed in this flow to what is released, and to what (idp/services/consent.h); NULL: nobody yet. */
    const char *consent_account, *consent_items;
};
void flow_id_new(char ret[FLOW_ID_SIZE]);
/* ERR_INPUT: too long for an address. */
MUST_USE enum err flow_seal(const struct idp *idp, const struct flow *f, struct arena *a, const char **ret_token,
                            struct why *why);
/* ERR_NOT_FOUND: not one of ours. An expired flow is found: the caller looks at expires_at. */
MUST_USE enum err flow_open(const struct idp *idp, const char *token, struct arena *a, struct flow *ret,
                            struct why *why);

/* --- signon_store.c ------------------------------------------------------------------------------------------- */
struct signon_row {
    char account_id[37];
    const char *name_id, *session_index;
    const char *town;          /* name */
    unsigned method;
    utime auth_time, session_idle;
    struct str *authz;
    size_t nauthz;
};
struct signon_ask_row {
    const struct signon_request *rq;
    const unsigned char *session_digest;
    utime now, fresh_after;
    const char *session_index;
};
/* The one statement: session, freshness, method, pairwise identifier, replay, record. ERR_NOT_FOUND: it did not
 * answer; signon_store_explain() says why. */
MUST_USE enum err signon_store_decide(struct pg *pg, const struct signon_ask_row *in, struct arena *a,
                                      struct signon_row *ret, struct why *why);
struct signon_reason {
    bool answered;             /* this request has a record */
    bool ours;                 /* … made by this flow and this session: row is filled */
    bool session;              /* there is a live session */
    char account_id[37];
    unsigned method;
    utime auth_time;
    bool authz_stale;
    bool pairwise;             /* identifier for the family exists */
    struct signon_row row;
};
MUST_USE enum err signon_store_explain(struct pg *pg, const struct signon_ask_row *in, struct arena *a,
                                       struct signon_reason *ret, struct why *why);

/* --- session_store.c ------------------------------------------------------------------------------------------- */
MUST_USE enum err session_store_find(struct pg *pg, const unsigned char digest[32], utime now, struct session *ret,
                                     utime *ret_idle, struct why *why);
/* Was it not ended by anybody since it was found? */
MUST_USE enum err session_store_still(struct pg *pg, const unsigned char digest[32], utime now, bool *ret, struct why *why);
MUST_USE enum err session_store_touch(struct pg *pg, const unsigned char digest[32], utime idle_until, struct why *why);
MUST_USE enum err session_store_authz(struct pg *pg, const unsigned char digest[32], utime now, struct why *why);
/* With the copy of its authorisations, in a transaction. ERR_DENIED: the account is not active. */
MUST_USE enum err session_store_insert(struct pg *pg, const struct session *s, utime now, utime idle_until,
                                       utime abs_until, struct why *why);
MUST_USE enum err session_store_end(struct pg *pg, const unsigned char digest[32], const char *reason, utime now,
                                    bool *ret_was_live, struct why *why);
MUST_USE enum err session_store_end_others(struct pg *pg, const struct session *keep, const char *reason, utime now,
                                           int64_t *ret_n, struct why *why);
/* The answers of one session go on under another one of the same account. */
MUST_USE enum err session_store_move(struct pg *pg, const unsigned char from[32], const unsigned char to[32],
                                     struct why *why);
/* Closes answers of the session, at most so many, and gives them back. */
MUST_USE enum err session_store_participants(struct pg *pg, const unsigned char digest[32], int64_t most, utime now, struct arena *a,
                                             struct session_participant **ret, size_t *ret_n, struct why *why);
/* Those of the account's sessions that have ended, at most so many. */
MUST_USE enum err session_store_participants_of_account(struct pg *pg, const char *account_id, int64_t most, utime now,
                                                        struct arena *a, struct session_participant **ret,
                                                        size_t *ret_n, struct why *why);
MUST_USE enum err session_store_by_index(struct pg *pg, int32_t service_id, struct str request_key,
                                         const char *name_id, const char *session_index, unsigned char ret_digest[32],
                                         struct why *why);
MUST_USE enum err session_store_by_name(struct pg *pg, int32_t service_id, const char *name_id, utime since,
                                        struct arena *a, unsigned char (**ret)[32], size_t *ret_n, struct why *why);
MUST_USE enum err authn_event_add(struct pg *pg, const char *account_id, const char *result, unsigned method,
                                  int32_t service_id, const char *ip, utime now, struct why *why);

/* --- session.c --------------------------------------------------------------------------------------------------- */
/* Digest of this browser's cookie; false when there is none or it is malformed. */
bool session_cookie_digest(const struct http_request *req, unsigned char ret[32]);

/* --- device.c ---------------------------------------------------------------------------------------------------- */
/* What attempts of this browser are counted by when the folded name signed in here before, in the arena; else NULL. */
const char *device_known(struct http_request *req, const char *folded);
/* The same, when its second factor was proved here too. */
const char *device_known_second(struct http_request *req, const char *folded);
/* The name has just signed in here; second: with its second factor. */
void device_remember(struct http_request *req, const char *folded, bool second);

/* --- consent.c, consent_store.c ----------------------------------------------------------------------------------- */
/* Is the person still to be asked what the service may receive? Costs nothing where neither policy nor request ask.
 * *ret_agreed: what may be released at most, NULL: no such limit. */
MUST_USE enum err signon_consent_check(struct http_request *req, const struct signon_request *rq,
                                       const struct signon_ask_row *in, bool *ret_missing, const char **ret_agreed,
                                       struct why *why);
struct consent_look {
    char account_id[37];
    struct str *authz;         /* as the town grants them now */
    size_t nauthz;
    const char *agreed;        /* remembered for this service; NULL: nothing */
};
/* ERR_NOT_FOUND: no session good enough for the request. */
MUST_USE enum err consent_store_look(struct pg *pg, const struct signon_ask_row *in, struct arena *a,
                                     struct consent_look *ret, struct why *why);

/* --- endpoints ------------------------------------------------------------------------------------------------------ */
void get_signon_flow(struct http_request *req);
void post_signon_flow(struct http_request *req);
void get_signon_flow_cancel(struct http_request *req);
void get_signon_flow_go(struct http_request *req);
void get_logout(struct http_request *req);
void post_logout(struct http_request *req);
/* Loads the flow of the path, or replies (expired, unknown) and returns false. */
bool signon_flow_load(struct http_request *req, struct flow *ret);
bool signon_session_good_for(const struct session *s, const struct flow *f);
/* tail: "", "/go", "/cancel", "/consent". */
const char *signon_flow_url(struct http_request *req, const struct flow *f, const char *tail);
/* NULL: a flow of our own pages. */
const struct signon_dialect *signon_dialect_find(const struct idp *idp, const char *name);
/* Back to the service with its refusal, or to our front page. */
void signon_flow_give_up(struct http_request *req, const struct flow *f, bool refused);
/* Name of the flow's service, as {{service}}. */
void signon_service_label(struct http_request *req, const struct flow *f, struct page_data *d);
/* Who has proved what the account asks for. */
struct signon_finish {
    const char *account_id, *name;      /* name: folded */
    unsigned method;
    utime proved;                       /* no newer a password than of then was typed */
    pg_tx_body also;                    /* in the session's transaction; NULL: none */
    void *arg;
};
/* Makes the session and replies: on to the service, or that the account is blocked. Other errors, those of also among them,
 * are not replied to. */
MUST_USE enum err signon_flow_finish(struct http_request *req, const struct flow *f, const struct signon_finish *x,
                                     struct why *why);
/* What was proved does not count any more: to the sign-in page, which says that it took too long. */
void signon_flow_again(struct http_request *req, const struct flow *f, const struct why *why);
void get_signon_flow_consent(struct http_request *req);
void post_signon_flow_consent(struct http_request *req);

#endif
