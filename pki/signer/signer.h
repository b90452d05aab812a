/*
 * signer: the process that holds the keys of the issuing CAs while custodians have them unlocked. No network: it is
 * reached over a Unix socket, and what it signs it judges itself (pki/authority/issue.h).
 *
 * The protocol of the socket (setting signer.socket). Lines of text, ended by LF, at most SIGNER_LINE_MAX octets (pki/client); one command at
 * a time and connection, answered in order. Who may say what follows from the peer's user (SO_PEERCRED).
 *
 *   issuers (setting signer.issuers)
 *     issue REQUEST               -> ok CERTIFICATE | refused CODE | unknown CODE | later CODE
 *     crl LABEL [SHARD]           -> lines "crl LABEL SHARD NUMBER FULL DELTA", one for each shard, then ok; or refused CODE |
 *                                    unknown CODE | later CODE. FULL and DELTA: numbers of entries, "-" where none was made
 *   custodians (members of the group signer.custodians)
 *     share SET NUMBER THRESHOLD TOTAL PERSON VALUE
 *                                 -> ok open | ok missing N | refused CODE | later CODE
 *     lock                        -> ok
 *   both
 *     status                      -> lines "set SET locked|collecting|open MISSING THRESHOLD TOTAL" and
 *                                    "ca LABEL STATE SET open|locked|away", then ok
 *
 * REQUEST, CERTIFICATE and SET are UUIDs; VALUE is the share's value in hexadecimal, which the custodian's own command opened
 * with the custodian's pass phrase. `refused` is an answer for good, `later` one that may change (signer.locked, signer.token,
 * signer.clock, signer.busy, signer.database). A peer that may not say a command reads "refused signer.peer"; one that may say none reads it
 * before it said anything, and the connection ends. So it does after a line that is none of these: "refused signer.command".
 *
 * Threads: one at the socket; `signer.threads` that work, each with a connection as pki_signer; a scanner that takes requests
 * whose caller died, loads keys of authorities that came, and says how things are; one that makes lists; timers as pki_worker; the audit sealer.
 * One signer works on a database: a second one does not start.
 */
#ifndef PKI_SIGNER_SIGNER_H
#define PKI_SIGNER_SIGNER_H

#include "base/program/process.h"
#include "pki/pki.h"

/* Tables of statements of its two roles, for those who open the connections; NULL-terminated. */
extern const struct pg_stmts *const signer_stmts[];
extern const struct pg_stmts *const signer_worker_stmts[];

/* Runs until SIGTERM. pg: as pki_signer with signer_stmts; worker: as pki_worker with signer_worker_stmts. pki was loaded
 * with PKI_NEED_SIGNER. ERR_CONFLICT: another signer; ERR_INPUT: a setting. */
MUST_USE enum err signer_run(struct pki *pki, const struct process *process, const struct pg_config *pg,
                             const struct pg_config *worker, struct why *why);

#endif
