/*
 * phrase: small things sealed under a pass phrase of one person: shares, persons' keys. argon2id, then AES-256-GCM, then
 * armor (a text that can be printed and typed in).
 *
 * A damaged text (ERR_INPUT) is told apart from a wrong pass phrase (ERR_DENIED) by the armor's checksum; who alters a
 * text on purpose and repairs the checksum gets what a wrong pass phrase gets. What stands in front, meta, is readable
 * without the pass phrase and bound to it.
 */
#ifndef PKI_CUSTODY_PHRASE_H
#define PKI_CUSTODY_PHRASE_H

#include "base/core/secret.h"
#include "base/crypto/digest.h"
#include "base/crypto/password.h"

#define PHRASE_MIN 12              /* characters of a new pass phrase, at least */
#define PHRASE_META_MAX 255
#define PHRASE_PLAIN_MAX 512
#define PHRASE_COST { 64 * 1024, 4 }      /* what a ceremony seals with: about half a second and 64 MiB */

enum phrase_kind { PHRASE_SHARE = 1, PHRASE_PERSON = 2 };

/* Appends lines to out; the caller writes its own '#' lines in front. ret_sha256 (may be NULL): of the sealed octets, the
 * same however the text is laid out. ERR_INPUT: pass phrase too short or too long; ERR_UNAVAILABLE: no memory. */
MUST_USE enum err phrase_seal(enum phrase_kind kind, struct str meta, struct str plain, struct str phrase,
                              const struct password_cost *cost, struct buf *out, unsigned char ret_sha256[SHA256_LEN],
                              struct why *why);
/* What can be read without the pass phrase. ERR_INPUT: damaged, or of another kind. */
MUST_USE enum err phrase_read(enum phrase_kind kind, struct str text, struct buf *ret_meta,
                              unsigned char ret_sha256[SHA256_LEN], struct why *why);
/* ERR_INPUT: damaged, or of another kind; ERR_DENIED (code "phrase.wrong"): another pass phrase; ERR_UNAVAILABLE. */
MUST_USE enum err phrase_open(enum phrase_kind kind, struct str text, struct str phrase, struct buf *ret_meta,
                              struct secret *ret_plain, struct why *why);

#endif
