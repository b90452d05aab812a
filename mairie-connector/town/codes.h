/* codes: what the IdP sealed to the town, opened when it is shown, kept or used, nowhere else. */
#ifndef MAIRIE_TOWN_CODES_H
#define MAIRIE_TOWN_CODES_H

#include "base/core/code.h"
#include "mairie-connector/town/dossier.h"

/* All folded, "" where there is none: login and password and software certificates have creation, revocation and perhaps
 * sheet; cards have revocation and the two of reactivation (K1). */
struct codes {
    char creation[CODE_FOLDED_MAX], revocation[CODE_FOLDED_MAX], sheet[CODE_FOLDED_MAX];
    char reactivation_pin[CODE_FOLDED_MAX], reactivation_otp[64];
    utime creation_until;
};
void codes_wipe(struct codes *c);
/* Opens a sheet that was not shown. ERR_DENIED: not sealed to our key, or not under its Idempotency-Key. */
MUST_USE enum err codes_open(const struct mairie *m, const struct sheet *s, struct codes *ret, struct why *why);
/* The blocking code in force, from the vault or from a sheet that was not shown yet. ERR_NOT_FOUND: none is kept. */
MUST_USE enum err codes_revocation(const struct mairie *m, struct pg *pg, const char *dossier_id, struct arena *a,
                                   struct secret *ret, struct why *why);
/* Another kept code. ERR_NOT_FOUND: none is kept. */
MUST_USE enum err codes_kept(const struct mairie *m, struct pg *pg, const char *dossier_id, enum escrow kind,
                             struct arena *a, struct secret *ret, struct why *why);
/* Into the vault. */
MUST_USE enum err codes_keep(const struct mairie *m, struct pg *pg, const char *dossier_id, enum escrow kind,
                             const char *folded, utime now, struct why *why);
/* The codes of a card, as they came in an answer: all three (P-015), or a new blocking code alone. ERR_DENIED: not sealed to
 * our key, or not under this Idempotency-Key. */
MUST_USE enum err codes_keep_card(const struct mairie *m, struct pg *pg, const char *dossier_id, const char *key,
                                  struct str sealed, utime now, struct why *why);

#endif
