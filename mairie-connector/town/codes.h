/* codes: the codes of a sheet, opened when they are shown or used, nowhere else. */
#ifndef MAIRIE_TOWN_CODES_H
#define MAIRIE_TOWN_CODES_H

#include "base/core/code.h"
#include "mairie-connector/town/dossier.h"

struct codes {
    char creation[CODE_FOLDED_MAX], revocation[CODE_FOLDED_MAX], sheet[CODE_FOLDED_MAX];
    utime creation_until;
};
void codes_wipe(struct codes *c);
/* Opens a sheet that was not shown. ERR_DENIED: not sealed to our key, or not under its Idempotency-Key. */
MUST_USE enum err codes_open(const struct mairie *m, const struct sheet *s, struct codes *ret, struct why *why);
/* The blocking code in force, from the vault or from a sheet that was not shown yet. ERR_NOT_FOUND: none is kept. */
MUST_USE enum err codes_revocation(const struct mairie *m, struct pg *pg, const char *dossier_id, struct arena *a,
                                   struct secret *ret, struct why *why);
/* Into the vault. */
MUST_USE enum err codes_keep_revocation(const struct mairie *m, struct pg *pg, const char *dossier_id,
                                        const char *folded, utime now, struct why *why);

#endif
