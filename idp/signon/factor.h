/*
 * factor: the second page of a sign-in by user name and password, for an account that has a second factor.
 *
 * The protocol.
 *   1. POST /signon/{flow}                    User name and password fit, and the account has a second factor: no session is
 *             made. The browser gets the cookie "__Host-factor", 32 random bytes (or keeps the one it has), and is sent on
 *             with a proof in the address: sealed under the field key, it says whose password was typed, when, in which
 *             flow, and the SHA-256 of the cookie.
 *   2. GET  /signon/{flow}/factor/{proof}     Asks for a passkey, a code of the program, or a recovery code.
 *   3. POST /signon/{flow}/factor/{proof}     What comes is checked, used up and the session made in one transaction; on to
 *             /signon/{flow}/go, and so to the service.
 *
 * A proof counts in its flow, in the browser that holds the cookie, for PROOF_LIFE, and while the password is the one that was
 * typed. It is no session: without the second factor it opens nothing, so it may be looked at twice (Back, reload, another
 * tab). What is good once is the second factor: a time step, a recovery code, the challenge of a passkey.
 *
 * Guesses are slowed like passwords: by account, or by browser where it completed such a sign-in before (device.c), so that who
 * knows the password from elsewhere does not make its holder wait. Nobody is locked out. A passkey cannot be guessed and
 * never waits.
 */
#ifndef IDP_SIGNON_FACTOR_H
#define IDP_SIGNON_FACTOR_H

#include "idp/signon/signon-internal.h"

#define PROOF_LIFE (30 * USEC_PER_MIN)

struct factor_proof {
    const char *flow_id, *binder, *account_id;
    const char *name;                       /* folded user name */
    utime at;                               /* when the password was typed */
};
/* Address of the second page, and the cookie; replies with the redirect. */
void factor_ask(struct http_request *req, const struct flow *f, const char *account_id, const char *name);
/* ERR_NOT_FOUND: not one of ours. Flow, binder and age are the caller's to compare. */
MUST_USE enum err factor_proof_open(const struct idp *idp, const char *token, struct arena *a, struct factor_proof *ret,
                                    struct why *why);
/* Does the browser hold the cookie that the proof names? */
bool factor_proof_is_here(struct http_request *req, const struct factor_proof *p);

void get_signon_flow_factor(struct http_request *req);
void post_signon_flow_factor(struct http_request *req);

/* A service asks for two factors, and the account of this session has none: what to do. */
void factor_missing_page(struct http_request *req, const struct flow *f);

#endif
