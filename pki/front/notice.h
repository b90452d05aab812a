/*
 * notice: mails of the authority: each alarm, once for each raise, to all of alarm.mail (P-134, P-147); the end of certificates of
 * stations, towns and servers that nobody renewed, twice, to expiry.mail. Persons hear of theirs from who registered them
 * (GET /certificates).
 *
 * A thread finds what is due and makes it jobs; the job queue sends them and tries again (base/pg/job.h). Several fronts may do
 * so at once. No address is in the database: a job names its place in the list. Under the front's own role: the
 * signer's pki_worker changes what a process of the network must not.
 */
#ifndef PKI_FRONT_NOTICE_H
#define PKI_FRONT_NOTICE_H

#include "pki/pki.h"

extern const struct pg_stmts notice_stmts;

struct notices;
/* pg: as pki_front with front_mail_stmts; it outlives them. *ret NULL: alarm.mail and expiry.mail are empty. */
MUST_USE enum err notices_start(const struct pki *pki, const struct pg_config *pg, struct notices **ret, struct why *why);
void notices_stop(struct notices *n);            /* NULL is allowed */

/* What is due becomes jobs, one for each of so many addresses (notice_store.c). */
MUST_USE enum err notice_alarms_queue(struct pg *pg, size_t addresses, utime now, struct why *why);
/* first, last: certificates of these profiles that end before. */
MUST_USE enum err notice_expiry_queue(struct pg *pg, const char *const *profiles, size_t nprofiles, utime first, utime last,
                                      size_t addresses, utime now, struct why *why);

#endif
