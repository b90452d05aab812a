/*
 * front: the process that stations speak to over mutual TLS: EST (RFC 7030, RFC 8951), registrations, certificates, changes,
 * revocations. docs/pki-api.yaml says the same for people; a test compares it with the route table.
 *
 * A station is known by its client certificate, which we issued (certificate.station_id). Each request asks our own database
 * about it: who is suspended, or whose certificate is revoked or held, is refused at once, whatever lists say. What is not a
 * station's own does not exist for it (D-11).
 *
 * It sees no key of an authority: it writes requests, and asks the signer to judge them. Issuing runs on threads of its own
 * and of lowest priority: a revocation never waits behind it. Mails are jobs, done
 * by threads of their own (notice.h).
 */
#ifndef PKI_FRONT_FRONT_H
#define PKI_FRONT_FRONT_H

#include "base/program/process.h"
#include "pki/pki.h"

/* Tables of statements, of those who answer and of the mails; NULL-terminated. */
extern const struct pg_stmts *const front_stmts[];
extern const struct pg_stmts *const front_mail_stmts[];
/* The doors, for the command `routes`; NULL-terminated. */
extern const struct http_routes *const front_routes[];

/* Runs until SIGTERM; SIGHUP reads certificates and keys again. pg: as pki_front with front_stmts; mail: as pki_front with
 * front_mail_stmts. pki was loaded with PKI_NEED_FRONT. */
MUST_USE enum err front_run(struct pki *pki, const struct process *process, const struct pg_config *pg,
                            const struct pg_config *mail, struct why *why);

#endif
