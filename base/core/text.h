/* text: Unicode in, Unicode out (libunistring behind this fence). */
#ifndef BASE_CORE_TEXT_H
#define BASE_CORE_TEXT_H

#include "base/core/buf.h"

bool text_is_utf8(struct str s);
/* Valid UTF-8, no control character (tab, CR, LF only when multiline), no bidi override or noncharacter. */
bool text_is_clean(struct str s, bool multiline);
size_t text_length(struct str s);                               /* grapheme clusters; input must be valid UTF-8 */
MUST_USE enum err text_nfc(struct str s, struct buf *out);
MUST_USE enum err text_nfkc_fold(struct str s, struct buf *out); /* NFKC_Casefold: user names, search */
/* "d'Ô Nguyễn" -> "D'O NGUYEN": card faces and file names; unknown letters become '?'. */
MUST_USE enum err text_ascii_upper(struct str s, struct buf *out);
/* "d'Ô Nguyễn" -> "D'Ô NGUYEN" in UTF-8: the same for machines that write ISO 8859-1, which keep the accents it has. */
MUST_USE enum err text_latin1_upper(struct str s, struct buf *out);
/* For logs: control, bidi and invalid bytes as \xNN, cut at max bytes with "...". */
void text_sanitized(struct str s, size_t max, struct buf *out);
/* A plausible addr-spec: one @, ASCII local part without quotes, domain with a dot (or localhost in tests), <= 254. */
bool text_is_email(struct str s);
/* "marie.curie@gmail.com" -> "m•••@g•••.com" */
void text_mask_email(struct str s, struct buf *out);

#endif
