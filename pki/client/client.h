/*
 * client: the other side of the signer's socket, a room of its own below those that ask: front, status, commands. The protocol
 * is written down in pki/signer/signer.h.
 *
 * One connection, used by one thread at a time; it opens itself again after a failure. No answer is taken for a no.
 */
#ifndef PKI_CLIENT_CLIENT_H
#define PKI_CLIENT_CLIENT_H

#include "base/core/clock.h"
#include "pki/custody/share.h"

#define SIGNER_LINE_MAX 1024         /* octets of a command, with its LF */

struct signer_client;
/* path: signer.socket; it is opened when first needed. patience: microseconds that one command may take. */
struct signer_client *signer_client_new(const char *path, int64_t patience) MUST_USE;
void signer_client_free(struct signer_client *c);
DEFINE_FREEP(struct signer_client, signer_client_free)

/* OK: ret_certificate is its id. ERR_DENIED: refused, why->code is the signer's; ERR_NOT_FOUND: no such request;
 * ERR_UNAVAILABLE: later, or no signer (code signer.away): the request stays, ask again or look at its row. */
MUST_USE enum err signer_issue(struct signer_client *c, const char *request_id, char ret_certificate[37], struct why *why);
/* *ret_missing: shares that are still wanted; 0: open. ERR_DENIED, ERR_UNAVAILABLE. */
MUST_USE enum err signer_share(struct signer_client *c, const struct share *share, int *ret_missing, struct why *why);
MUST_USE enum err signer_lock(struct signer_client *c, struct why *why);
/* Makes the lists of an authority ("cards-g1") now, of one shard or (-1) of all. Appends a line "crl LABEL SHARD NUMBER FULL DELTA"
 * for each shard, FULL and DELTA being numbers of entries, or "-" where none was made. ERR_NOT_FOUND, code ca.unknown;
 * ERR_DENIED and ERR_UNAVAILABLE as the codes of pki/authority/crl.h say; shards before the one that failed are made. */
MUST_USE enum err signer_crl(struct signer_client *c, const char *label, int shard, struct buf *ret, struct why *why);
/* Appends the lines of `status`, without the last one. */
MUST_USE enum err signer_status(struct signer_client *c, struct buf *ret, struct why *why);

#endif
