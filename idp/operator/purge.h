/* purge: what DOMAIN 4.5 removes, each rule by its name; idempotent, with a dry run. */
#ifndef IDP_OPERATOR_PURGE_H
#define IDP_OPERATOR_PURGE_H

#include "base/core/buf.h"
#include "base/pg/pg.h"

extern const struct pg_stmts purge_stmts;
/* dry: only counts. report (may be NULL) gets a line for each rule: "purge-secrets 12". */
MUST_USE enum err purge_run(struct pg *pg, utime now, bool dry, struct buf *report, struct why *why);

#endif
