/* migrate-internal: the migration files of one folder, read and checked before the database is touched. */
#ifndef BASE_PG_MIGRATE_INTERNAL_H
#define BASE_PG_MIGRATE_INTERNAL_H

#include "base/core/buf.h"
#include "base/crypto/digest.h"

#define MIGRATION_FILE_MAX (4 << 20)
#define MIGRATIONS_MAX 9999

struct migration {
    int number;
    char *file;                          /* NNNN-name.sql */
    struct buf text;                     /* includes resolved */
    unsigned char digest[SHA256_LEN];    /* of text */
};

struct migrations {
    struct migration *list;              /* list[i] has number i + 1 */
    size_t n;
};

MUST_USE enum err migrations_read(const char *folder, struct migrations *ret, struct why *why);
void migrations_done(struct migrations *m);

#endif
