/*
 * status: the process that tells the public what was revoked: lists, OCSP answers and certificates of authorities, over plain
 * HTTP (DOMAIN P-134, P-136, P-140, P-147; RFC 5280, RFC 6960, RFC 5019).
 *
 * It survives everything else. What it says it has in memory and in its folder: the lists as files, the states of all
 * certificates as a log (journal.h), the responders' keys. One thread, the follower, looks into the database as pki_status, at
 * each notification and each second, and learns from it; event threads answer, and never wait for a database. While the
 * database is away, also across a restart, lists are served as they are, and OCSP answers say with thisUpdate when they last
 * were known to be right, up to ocsp.stale_max; after that tryLater.
 *
 * It believes nothing that the authority's key did not sign: a list from the database is read, verified with the authority's
 * certificate and compared with the one before, whose number it must be above, and only then takes its place.
 *
 * Keys of responders are made here and never leave the folder; their certificates are asked for like all others, by a row of
 * table request that the signer judges.
 */
#ifndef PKI_STATUS_STATUS_H
#define PKI_STATUS_STATUS_H

#include "base/program/process.h"
#include "pki/pki.h"

/* Statements of the connection as pki_status. */
extern const struct pg_stmts *const status_process_stmts[];

/* Until SIGTERM. pg: as pki_status; need not be there. ERR_INPUT: settings; ERR_CONFLICT: another process has the folder, or
 * the address; ERR_DENIED, ERR_UNAVAILABLE: the folder. */
MUST_USE enum err status_run(struct pki *pki, const struct process *process, const struct pg_config *pg, struct why *why);

#endif
