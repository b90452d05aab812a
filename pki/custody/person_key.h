/*
 * person_key: the Ed25519 key of one person of the authority, in a file that the person keeps, sealed under a pass phrase
 * of their own. Its public half stands in the table person; what it signs are approvals (approval.h) and ceremony records.
 */
#ifndef PKI_CUSTODY_PERSON_KEY_H
#define PKI_CUSTODY_PERSON_KEY_H

#include "base/crypto/key.h"
#include "pki/custody/share.h"

/* Makes a key (KEY_PERSON_SIGN) and the text of its file. ERR_INPUT: name or pass phrase. */
MUST_USE enum err person_key_new(const char *name, struct str phrase, const struct password_cost *cost,
                                 struct buf *ret_text, struct key **ret, struct why *why);
/* ret_name (may be NULL): whose it is. ERR_INPUT: damaged; ERR_DENIED (code "phrase.wrong"): another pass phrase. */
MUST_USE enum err person_key_open(struct str text, struct str phrase, struct key **ret,
                                  char ret_name[PERSON_NAME_MAX + 1], struct why *why);

#endif
