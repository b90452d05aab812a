/*
 * migrate: numbered SQL files, each one transaction that also records its number and digest.
 *
 * Files are migrations/<schema>/NNNN-name.sql, numbered from 0001 without a gap. A file never changes once shared: the
 * digest of each applied one is checked on every run. A line `-- include ../common/job.sql` stands for the text of that
 * file (one level, same folder or a neighbour); the digest covers the included text, so included files do not change
 * either: what must change gets a new file. No BEGIN or COMMIT in a file, no psql commands.
 *
 * Run by the schema's owner role through `beffroi-xxx migrate`, never by a serving process. The schema is created when
 * it is missing (the role then needs CREATE on the database). Two migrators wait for each other. Applied numbers stand
 * in the table schema_version of the schema itself, so that a program needs rights in its own schema only; every role
 * whose name begins with "<schema>_" gets USAGE on the schema and may read that table (docs/database.md).
 */
#ifndef BASE_PG_MIGRATE_H
#define BASE_PG_MIGRATE_H

#include <stdbool.h>

#include "base/core/err.h"

struct migrate_report { int from, to; };      /* versions before and after; dry run: what "after" would be */

/*
 * Applies what is missing, in order; dry_run: checks and counts only, changes nothing. On failure the files applied
 * before the one that failed stay applied, and *ret says how far it got.
 * ERR_CONFLICT: an applied file has changed (why->code "migrate.changed"), or the database is newer ("migrate.newer").
 * ERR_INPUT: folder or file is not as above. ERR_INTERNAL: SQL failed; why names file and line. ERR_UNAVAILABLE.
 */
MUST_USE enum err migrate_run(const char *conninfo, const char *schema, const char *folder, bool dry_run,
                              struct migrate_report *ret, struct why *why);

#endif
