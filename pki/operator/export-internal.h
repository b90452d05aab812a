/*
 * export-internal: the archive of one certificate's life (P-111), written by export.c and checked by export_verify.c.
 *
 * FILE is one JSON object with sorted members, and ends with LF. FILE.sig is one too: the key's thumbprint and public half, and its
 * Ed25519 signature over
 *
 *     "beffroi-pki archive 1" 0x00 and the SHA-256 of FILE
 */
#ifndef PKI_OPERATOR_EXPORT_INTERNAL_H
#define PKI_OPERATOR_EXPORT_INTERNAL_H

#include "base/core/arena.h"
#include "base/pg/pg.h"

#define ARCHIVE_FORMAT "beffroi-pki archive 1"
#define ARCHIVE_MAX ((size_t)256 << 20)
#define ARCHIVE_LIST_MAX ((size_t)1 << 20)       /* octets of a list that goes in whole */

/* What is signed. */
void archive_signed_text(struct str file, struct buf *out);

/* --- statements (export_store.c); the columns stand beside them ------------------------------------------------------------ */
MUST_USE enum err export_certificate(struct pg *pg, const char *id, struct pg_result **ret, struct why *why);
MUST_USE enum err export_changes(struct pg *pg, const char *id, struct pg_result **ret, struct why *why);
MUST_USE enum err export_revocations(struct pg *pg, const char *id, struct pg_result **ret, struct why *why);
/* Full lists that were made while the certificate was revoked or held. */
MUST_USE enum err export_lists(struct pg *pg, const char *id, struct pg_result **ret, struct why *why);
MUST_USE enum err export_published(struct pg *pg, int ca_id, int shard, int64_t number, struct pg_result **ret, struct why *why);
MUST_USE enum err export_ceremonies(struct pg *pg, const char *const *names, size_t n, struct pg_result **ret, struct why *why);

#endif
