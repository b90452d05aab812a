/*
 * migrate: numbered SQL files, each one transaction that also records its number and digest.
 * Files are migrations/<schema>/NNNN-name.sql; a file never changes once shared (the digest is checked).
 * Run by the schema's owner role through `beffroi-xxx migrate`, never by a serving process.
 */
#ifndef BASE_PG_MIGRATE_H
#define BASE_PG_MIGRATE_H

#include <stdbool.h>

#include "base/core/err.h"

struct migrate_report { int from, to; };

/* Applies what is missing, in order. ERR_CONFLICT: an applied file has changed, or the database is newer. */
MUST_USE enum err migrate_run(const char *conninfo, const char *schema, const char *folder, bool dry_run,
                              struct migrate_report *ret, struct why *why);

#endif
