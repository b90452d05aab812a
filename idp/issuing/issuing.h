/*
 * issuing: software certificates are born and come to their holders (P-052…P-054), are renewed, and follow what becomes of the
 * account (K2). The certification authority signs (idp/credential/authority.h); here it is asked, and here is known what was
 * asked, issued and delivered (table enrolment).
 *
 *     asked     our authority may have signed it: an answer was lost, or it is locked
 *     issued    it did, and the holder may have it; signs nobody in
 *     delivered the holder has it: the file arrived, they said so, or signed in with it. The account opens now (P-054)
 *     dropped   they asked for another one, or never fetched it: revoked as superseded
 *
 * Three ways (P-052). file: the key is made in the request that downloads it, sealed into a PKCS#12 under a pass phrase that the
 * page showed, and wiped before the answer is sent; it is never in a database, on a disk or in a log. browser: our page makes
 * the key with WebCrypto and sends a PKCS#10. request: the citizen brings a PKCS#10.
 *
 * Who may: for an account that is not open yet, who typed the code of the mail (idp/activation); for a renewal, who is signed in.
 */
#ifndef IDP_ISSUING_ISSUING_H
#define IDP_ISSUING_ISSUING_H

#include "base/pg/job.h"
#include "idp/idp.h"
#include "idp/signon/signon.h"

extern const struct pg_stmts issuing_stmts;
extern const struct http_routes issuing_routes;
/* Of flows that test a certificate: a good one that was not delivered yet is delivered by them. */
extern const struct signon_dialect issuing_dialect;

/* Jobs of the worker; arg: struct idp *. ACCOUNT_CERTIFICATES_JOB (idp/account): the authority hears what became of the account. */
MUST_USE enum err issuing_account_job(struct pg *pg, const struct job *job, void *arg, struct why *why);
/* Payload "<ca> <serial> <handle>": the holder has it (P-121). */
#define ISSUING_ACCEPT_JOB "certificate.accept"
MUST_USE enum err issuing_accept_job(struct pg *pg, const struct job *job, void *arg, struct why *why);
/* Payload "<account id> <instant>": what was issued for the account and dropped is revoked as superseded. */
#define ISSUING_TIDY_JOB "certificate.tidy"
MUST_USE enum err issuing_tidy_job(struct pg *pg, const struct job *job, void *arg, struct why *why);

/* One look at the authority's changes, when it is due: their states become those of our certificates. *ret_done: another is due
 * at once. What goes wrong at the authority is written down for doctor, not returned. */
MUST_USE enum err issuing_follow(struct idp *idp, struct pg *pg, utime now, bool *ret_done, struct why *why);
/* Drops what was issued and not fetched in a day; tells holders whose address is kept that their certificate ends. */
MUST_USE enum err issuing_keep_house(struct idp *idp, struct pg *pg, utime now, struct why *why);

struct issuing_health {
    bool ever;                     /* the authority answered at least once */
    utime seen_at;                 /* when it last did */
    char problem[256];             /* of the last look; "" none */
};
MUST_USE enum err issuing_health(struct pg *pg, struct issuing_health *ret, struct why *why);

#endif
