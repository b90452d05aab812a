/*
 * journal: the states of all certificates as a file, so that a status process that starts while the database is away knows them.
 *
 * Blocks, one after the other: what changed, and until when that is the truth. A change is on the disk before anybody is told
 * of it: what was said once is not forgotten by a crash. Each block carries a digest over itself and the block before; a block
 * that a crash cut short is dropped, with all that follows. The file is written anew when half of it is out of date.
 *
 * The folder is ours alone (folder.h): the digest is against a crash and a bad disk, not against somebody who may write there.
 */
#ifndef PKI_STATUS_JOURNAL_H
#define PKI_STATUS_JOURNAL_H

#include "pki/status/status_table.h"

struct journal;
/* dir: where the file is, for as long as the journal. */
struct journal *journal_new(int dir) MUST_USE;
void journal_free(struct journal *j);
DEFINE_FREEP(struct journal, journal_free)

/* Puts all of the file into the table; *ret_known_at: until when it is the truth. ERR_NOT_FOUND: no file, or nothing in it that
 * can be read. Appends go on behind the last good block. */
MUST_USE enum err journal_load(struct journal *j, struct status_table *table, utime *ret_known_at, struct why *why);
/* Writes the file anew from the table. ERR_UNAVAILABLE: the one before is as it was. */
MUST_USE enum err journal_write(struct journal *j, struct status_table *table, utime known_at, struct why *why);
/* Changes to come: collected, and written by journal_append() as one block, which is on the disk then. ERR_UNAVAILABLE: the
 * file was removed, as it is not whole any more; ERR_NOT_FOUND: there is none. */
void journal_add(struct journal *j, int ca, const unsigned char serial[SERIAL_LEN], const struct status *status);
size_t journal_pending(const struct journal *j);
MUST_USE enum err journal_append(struct journal *j, utime known_at, struct why *why);
/* Is more than half of it out of date, or is there none? */
bool journal_is_due(const struct journal *j, struct status_table *table);

#endif
