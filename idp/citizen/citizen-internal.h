/* citizen-internal: what the files of this room share. */
#ifndef IDP_CITIZEN_CITIZEN_INTERNAL_H
#define IDP_CITIZEN_CITIZEN_INTERNAL_H

#include "idp/account/account.h"
#include "idp/citizen/citizen.h"
#include "idp/signon/signon.h"

#define CITIZEN_ZONE "Europe/Paris"

struct citizen_visit {
    utime at;
    unsigned method;
    bool failed;
    int32_t service_id;      /* 0: our own pages */
};
MUST_USE enum err citizen_store_visits(struct pg *pg, const char *account_id, struct arena *a,
                                       struct citizen_visit **ret, size_t *ret_n, struct why *why);
/* Services that were given an identifier of the account. */
MUST_USE enum err citizen_store_services(struct pg *pg, const char *account_id, struct arena *a, int32_t **ret,
                                         size_t *ret_n, struct why *why);

void get_home(struct http_request *req);
void get_login(struct http_request *req);
void get_my_block(struct http_request *req);
void post_my_block(struct http_request *req);
void get_my_password(struct http_request *req);
void post_my_password(struct http_request *req);
void post_my_address(struct http_request *req);
void get_block(struct http_request *req);
void post_block(struct http_request *req);
/* The page after a block: asks for the reason once, or shows the receipt. */
void block_reason_page(struct http_request *req, const struct account_blocked *b);
void block_done_page(struct http_request *req, const struct account_blocked *b, bool final);

#endif
