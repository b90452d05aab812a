/* front-internal: what the endpoints of the front share. */
#ifndef PKI_FRONT_FRONT_INTERNAL_H
#define PKI_FRONT_FRONT_INTERNAL_H

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>

#include "pki/authority/certificate.h"
#include "pki/authority/registration.h"
#include "pki/authority/revocation.h"
#include "pki/authority/station.h"
#include "pki/client/client.h"
#include "pki/front/front.h"

#define FRONT_BODY_MAX 16384                     /* of JSON */
#define FRONT_EST_BODY_MAX ((size_t)64 * 1024)   /* base64 of a request, with all its line ends */
#define FRONT_CHANGES_MAX 200                    /* entries of one page */

struct lanes;
struct signer_line;
struct front {
    struct pki *pki;
    char node[80];
    struct lanes *lanes;             /* how fast each station goes (rate.c) */
    struct signer_line *signers;     /* connections to the signer (issue.c) */
    _Atomic(const char *) signer_state;      /* "open", "locked", "away": a literal; what the heartbeat last saw */
};

/* --- who calls (call.c) ----------------------------------------------------------------------------------------------------- */

/* What an endpoint has open. */
struct call {
    struct http_request *req;
    struct front *front;
    struct station station;
    char certificate[37];            /* that it presents */
    const char *actor;               /* "station:NAME", for the audit trail */
};
/* How fast: issuing waits before it hurts others, revoking hardly ever. */
enum lane { LANE_READ, LANE_ISSUE, LANE_REVOKE };
/* Who calls, and may they now? Replies and returns false when not. */
bool call_open(struct http_request *req, enum lane lane, struct call *ret);
/* Answers problem+json and logs why. A refusal of rights or state leaves an audit row. object: "registration:<id>", or "". */
void call_refuse(struct call *c, enum err e, const struct why *why, const char *verb, const char *object);
/* The same with a status of its own. */
void call_refuse_status(struct call *c, int status, const struct why *why, const char *verb, const char *object);
/* What was refused before, or is no question of rights: without an audit row. */
void call_refuse_known(struct call *c, int status, const char *code, const char *text, const char *verb);
/* 404 with that code to the peer; in the log and the audit trail as what it is. */
void call_refuse_hidden(struct call *c, const struct why *why, const char *code, const char *verb);
/* The registration of the path, if it is the station's own or one that it made and may still touch. Replies and returns false
 * when there is none. */
bool call_registration(struct call *c, const char *id, struct registration *ret);
/* Sends a JSON object, whose reference it takes. */
void call_reply_json(struct call *c, int status, json_t *object);
/* Members of answers (certificates.c): a time that is not UTIME_NULL; octets, in hexadecimal when they are few; a certificate. */
void json_time(json_t *object, const char *name, utime t);
void json_octets(json_t *object, const char *name, struct str octets);
json_t *certificate_json(const struct certificate_row *row);
bool is_uuid(const char *s);         /* 8-4-4-4-12, lower case */

/* --- how fast (rate.c) --------------------------------------------------------------------------------------------------- */

struct lanes *lanes_new(const struct pki_conf *conf);
void lanes_free(struct lanes *l);
/* 0: go on. Otherwise: not counted, seconds to wait. */
int lanes_take(struct lanes *l, const char *station, enum lane lane);
/* May this refusal be written to the audit trail? Bounded for each station: a refused one must not fill the disk. */
bool lanes_may_audit(struct lanes *l, const char *station);

/* --- the signer (issue.c) -------------------------------------------------------------------------------------------------- */

struct signer_line *signer_line_new(const char *socket, size_t most);
void signer_line_free(struct signer_line *l);
MUST_USE enum err signer_line_issue(struct signer_line *l, const char *request_id, char ret_certificate[37], struct why *why);

/* --- bodies (message.c): ERR_INPUT, code "body.json", "body.missing", "body.unknown", "body.value"; the reason names the member,
 * never its value. Strings live in a. ------------------------------------------------------------------------------------- */

struct registration_body {
    const char *profile, *holder, *town;
    enum profile_support support;
    enum profile_proof proof;
    const char *proof_ref;
    utime proof_at;                  /* UTIME_NULL */
    struct subject names;
};
MUST_USE enum err registration_body_read(struct str json, struct arena *a, struct registration_body *ret, struct why *why);
struct identification_body {
    enum profile_proof proof;
    const char *proof_ref;
    utime proof_at;
    bool has_names;
    struct subject names;
};
MUST_USE enum err identification_body_read(struct str json, struct arena *a, struct identification_body *ret, struct why *why);
struct acceptance_body {
    const char *proof_ref;           /* number of the record that the holder signed, or "" */
};
MUST_USE enum err acceptance_body_read(struct str json, struct arena *a, struct acceptance_body *ret, struct why *why);
/* ret->station and key are the caller's. */
MUST_USE enum err revocation_body_read(struct str json, struct arena *a, struct revocation *ret, struct why *why);

/* --- rows (front_store.c) ---------------------------------------------------------------------------------------------------- */
extern const struct pg_stmts front_own_stmts;

/* A certificate of the station's registrations, by serial number; ca NULL: of any authority; reached: or one that it may revoke. With
 * der. ERR_NOT_FOUND, code "certificate.unknown"; ERR_CONFLICT, code "certificate.ca": several have it, say which. */
MUST_USE enum err own_certificate_find(struct pg *pg, const struct station *s, struct str serial, const char *ca, bool reached,
                                       struct arena *a, struct certificate_row *ret, struct why *why);
/* The newest certificate of a registration that is good: what a renewal follows. ERR_NOT_FOUND. */
MUST_USE enum err own_certificate_newest(struct pg *pg, const char *registration_id, utime now, struct arena *a,
                                         struct certificate_row *ret, struct why *why);
/* Certificates of a registration, newest first, without der. */
MUST_USE enum err own_certificate_list(struct pg *pg, const char *registration_id, int max, struct arena *a,
                                       struct certificate_row **ret, size_t *ret_n, struct why *why);
/* Good ones that end after now and at `before` at the latest and have no successor, the next to end first. after: "" or what
 * *ret_next said. ERR_INPUT, code "certificates.cursor". */
MUST_USE enum err own_certificate_ending(struct pg *pg, const struct station *s, utime before, const char *after, int max, utime now,
                                         struct arena *a, struct certificate_row **ret, size_t *ret_n, const char **ret_next,
                                         struct why *why);
struct own_change {
    const char *ca_label, *was, *state, *profile;
    struct str serial;
    int reason;                      /* -1: none */
    utime at;
    char registration[37];
};
/* Changes after the cursor, oldest first, of what it may revoke too. ret_next: the cursor to go on with, in a. Rows of running transactions wait, so that
 * nothing is skipped. ret_more: ask again at once. ERR_INPUT, code "changes.cursor"; ERR_NOT_FOUND, code "changes.gone": older than what is kept. */
MUST_USE enum err own_changes(struct pg *pg, const struct station *s, const char *after, int max, utime now, struct arena *a,
                              struct own_change **ret, size_t *ret_n, const char **ret_next, bool *ret_more, struct why *why);

/* --- endpoints ------------------------------------------------------------------------------------------------------------------ */
void get_est_cacerts(struct http_request *req);
void get_est_csrattrs(struct http_request *req);
void post_est_simpleenroll(struct http_request *req);
void post_est_simplereenroll(struct http_request *req);
void get_registration(struct http_request *req);
void put_registration(struct http_request *req);
void put_registration_identification(struct http_request *req);
void post_registration_close(struct http_request *req);
void get_certificates(struct http_request *req);
void get_certificate(struct http_request *req);
void put_certificate_acceptance(struct http_request *req);
void get_changes(struct http_request *req);
void post_revocations(struct http_request *req);
void get_health(struct http_request *req);

#endif
