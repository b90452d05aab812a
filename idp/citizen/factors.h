/*
 * factors: /ma-page/double-verification: the citizen's second factors, seen, added and removed (idp/credential/factor.h).
 *
 * Seeing them needs a session. Whatever changes them needs a proof that is a few minutes old (citizen_proved()).
 *
 * A service that asks for two factors sends the person here with "suite", the address of its sign-in; every page carries it along,
 * and the last one leads back.
 */
#ifndef IDP_CITIZEN_FACTORS_H
#define IDP_CITIZEN_FACTORS_H

#include "idp/citizen/citizen-internal.h"
#include "idp/credential/factor.h"

#define FACTORS_URL "/ma-page/double-verification"

/* Of the query or the form; NULL: none, or none of the form that we make. */
const char *factors_next(struct http_request *req);
/* Page data with {{next}} where there is one; the other language's address keeps it too. */
struct page_data *factors_page(struct http_request *req);
/* path with the person's "suite" behind it. */
const char *factors_url(struct http_request *req, const char *path);
/* Is the proof of this session young enough? false: replied, with the way to sign in again and back to path. */
bool factors_proved(struct http_request *req, const char *path);
/* Its user name. false: replied; an account without one has no second factors. */
MUST_USE bool factors_login(struct http_request *req, const char **ret_login);
struct factor_who factors_who(struct http_request *req);
void factors_failed(struct http_request *req, enum err e, const struct why *why);
/* After a factor was added: the session has proved it too. With codes they are shown, else back to the overview. */
void factors_added(struct http_request *req, unsigned method, struct factor_codes *codes, const char *done);

void get_my_factors(struct http_request *req);
void post_my_factors_remove(struct http_request *req);
void post_my_factors_codes(struct http_request *req);
void get_my_totp(struct http_request *req);
void post_my_totp(struct http_request *req);
void get_my_passkey(struct http_request *req);
void post_my_passkey(struct http_request *req);

#endif
