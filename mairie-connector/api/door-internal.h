/* door-internal: what the endpoints of the town door share. */
#ifndef MAIRIE_CONNECTOR_API_DOOR_INTERNAL_H
#define MAIRIE_CONNECTOR_API_DOOR_INTERNAL_H

#include "idp/account/account.h"
#include "idp/account/town.h"
#include "idp/idp.h"
#include "mairie-connector/api/door.h"
#include "mairie-connector/wire/wire.h"

struct door {
    struct http_request *req;
    const struct idp *idp;
    struct town town;
    struct account_actor who;
    const char *clerk;            /* Beffroi-Clerk; NULL: none */
};

/* Who calls. Replies and returns false when the certificate is no town's, the town is suspended or the clerk's name is
 * malformed. */
bool door_open(struct http_request *req, struct door *ret);
/* The account of the path, of this town; replies and returns false when there is none. */
bool door_account(struct door *d, struct account *ret);
/* Maps to problem+json; conflicts and denials leave an audit row (D-13). e must not be OK. */
void door_refuse(struct door *d, enum err e, const struct why *why, const char *verb, const char *handle);
/* Idempotency-Key; replies and returns NULL when missing or malformed. */
const char *door_key(struct door *d);
/* How many calls of a kind a town makes in an hour (T-05, T-07): above that each waits a little longer. Replies 429 with
 * Retry-After and returns false while it must wait; a town asks again then, so that nothing is lost. */
enum door_rate { DOOR_RATE_CODES, DOOR_RATE_BLOCKS };
bool door_rate(struct door *d, enum door_rate rate);
/* Two agents of the town answer for this: the one who calls and second. Replies 403 and returns false when the caller is not
 * named, or they are one. second NULL: one agent is enough. */
bool door_two(struct door *d, const char *second);
/* What stands in the audit row of an act at the counter: members for account_hand_over(), account_reactivate(). */
const char *door_circumstances(struct door *d, const struct wire_override *override, const struct wire_second *pin_lost,
                               const char *record);
/* Whether this provider and this town's policy have accounts of a type. */
bool door_offers(const struct door *d, enum account_type type);
/* 200 or status with the account as it is now. sealed: NULL for none. */
void door_reply_account(struct door *d, int status, const struct account *a, const char *sealed);
/* Codes of an answer, sealed to the town under the call's key, base64url. */
MUST_USE enum err door_seal(struct door *d, const char *key, const struct account_codes *codes, const char *revocation,
                            struct buf *ret, struct why *why);

/* --- card_record.c ------------------------------------------------------------------------------------------------- */
/* In the transaction that drew the codes. ERR_CONFLICT "account.card": one is being made. */
MUST_USE enum err card_record_keep(struct pg *pg, const struct door *d, const struct account *account,
                                   const struct wire_card *card, const struct account_codes *codes, struct why *why);

/* --- idempotency_store.c ------------------------------------------------------------------------------------------ */
struct kept_reply {
    char account_id[37];
    int status;
    const char *sealed;          /* NULL: acknowledged or expired, or a refusal */
    const char *problem;         /* of a refusal that counted a try; "" for any other answer */
};
/* What a call is known by: its town, its key, and a keyed digest of its body, which may hold names and codes. */
struct kept_call {
    const struct keyring *pepper;
    const char *town_id, *key, *route;
    struct str body;
};
struct kept_call kept_call_of(const struct door *d, const char *key, const char *route);
/* ERR_NOT_FOUND: the key is new; ERR_CONFLICT "idempotency.body": same key, other call. */
MUST_USE enum err kept_reply_find(struct pg *pg, const struct kept_call *call, struct arena *a, struct kept_reply *ret,
                                  struct why *why);
MUST_USE enum err kept_reply_add(struct pg *pg, const struct kept_call *call, const struct kept_reply *reply, utime now,
                                 struct why *why);
/* The town has the codes: what was kept for it is erased. */
MUST_USE enum err kept_reply_erase(struct pg *pg, const char *account_id, struct why *why);

/* --- endpoints -------------------------------------------------------------------------------------------------------- */
void post_accounts(struct http_request *req);
void get_account(struct http_request *req);
void post_account_ack(struct http_request *req);
void put_account_authorisations(struct http_request *req);
void post_account_reissue(struct http_request *req);
void post_account_activate(struct http_request *req);
void post_account_reactivate(struct http_request *req);
void post_account_block(struct http_request *req);
void post_account_close(struct http_request *req);
void post_account_reopen(struct http_request *req);
void post_blocks(struct http_request *req);
void put_authorisations(struct http_request *req);
void get_changes(struct http_request *req);
void get_health(struct http_request *req);

#endif
