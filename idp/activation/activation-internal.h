/* activation-internal: what the files of this room share. */
#ifndef IDP_ACTIVATION_ACTIVATION_INTERNAL_H
#define IDP_ACTIVATION_ACTIVATION_INTERNAL_H

#include "idp/account/account.h"
#include "idp/activation/activation.h"

#define LINK_TOKEN_BYTES 16
#define LINK_TRIES 5
#define LINKS_A_DAY 3
#define MAIL_ADDRESS_MAX 254

/* The form under which an address is compared and counted: lower case. */
void address_folded(const char *email, char ret[MAIL_ADDRESS_MAX + 1]);
MUST_USE enum err address_mac(const struct keyring *pepper, int version, const char *email, unsigned char ret[MAC_LEN]);

/* --- activation_store.c ------------------------------------------------------------------------------------------ */
/* ERR_CONFLICT: this message was dealt with before. */
MUST_USE enum err mail_in_store_add(struct pg *pg, const unsigned char digest[32], const char *verdict,
                                    const unsigned char *from_mac, const char *dmarc, utime now, struct why *why);
MUST_USE enum err mail_in_store_seen(struct pg *pg, const unsigned char digest[32], bool *ret, struct why *why);
/* Answers of these verdicts' kind given to an address since a moment. */
MUST_USE enum err mail_in_store_count(struct pg *pg, const unsigned char from_mac[MAC_LEN], const char *verdict,
                                      utime since, int64_t *ret, struct why *why);

struct binding {
    bool bound;
    unsigned char email_mac[MAC_LEN];
    int mac_version;
    char email[MAIL_ADDRESS_MAX + 1];   /* opened */
};
MUST_USE enum err binding_store_find(const struct idp *idp, struct pg *pg, const char *secret_id, struct binding *ret,
                                     struct why *why);
MUST_USE enum err binding_store_add(const struct idp *idp, struct pg *pg, const char *secret_id,
                                    const char *account_id, const char *email, utime now, struct why *why);
MUST_USE enum err binding_store_email_of_account(const struct idp *idp, struct pg *pg, const char *account_id,
                                                 char ret[MAIL_ADDRESS_MAX + 1], struct why *why);

struct activation_link {
    char account_id[37], secret_id[37];
    unsigned char token_digest[32];
    unsigned char code_mac[MAC_LEN];
    int mac_version;
    char state[16];                     /* live, opened, used, expired, superseded, locked */
    unsigned char stage_digest[32];
    bool staged;
    int64_t tries;
    utime expires_at;
};
MUST_USE enum err link_store_count(struct pg *pg, const char *account_id, utime since, int64_t *ret, struct why *why);
MUST_USE enum err link_store_supersede(struct pg *pg, const char *account_id, struct why *why);
MUST_USE enum err link_store_add(struct pg *pg, const struct activation_link *l, utime now, struct why *why);
/* lock: until the transaction ends. ERR_NOT_FOUND. */
MUST_USE enum err link_store_find(struct pg *pg, const unsigned char token_digest[32], bool lock,
                                  struct activation_link *ret, struct why *why);
/* Counts a wrong code; the fifth locks the link. Returns the tries so far. */
MUST_USE enum err link_store_wrong(struct pg *pg, const unsigned char token_digest[32], int64_t *ret_tries,
                                   struct why *why);
/* It lasts until then at least. */
MUST_USE enum err link_store_open(struct pg *pg, const unsigned char token_digest[32],
                                  const unsigned char stage_digest[32], utime until, struct why *why);
MUST_USE enum err link_store_used(struct pg *pg, const unsigned char token_digest[32], struct why *why);

/* --- endpoints ------------------------------------------------------------------------------------------------------ */
void get_activate(struct http_request *req);
void post_activate(struct http_request *req);
void get_activate_choose(struct http_request *req);
void post_activate_choose(struct http_request *req);
/* Finds the link of the path, in a state where it can still be used, or replies and returns false. */
bool activation_link_load(struct http_request *req, struct activation_link *ret);

#endif
