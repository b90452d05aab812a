/* Shared by the files of message only: the parts that need no GMime, each a pure function over bytes. */
#ifndef BASE_MAIL_MESSAGE_INTERNAL_H
#define BASE_MAIL_MESSAGE_INTERNAL_H

#include "base/core/buf.h"
#include "base/mail/message.h"

#define MAIL_ADDRESS_MAX 254               /* RFC 5321 §4.5.3.1.3 */

/* Reads a From value (unfolded) that is exactly one mailbox and nothing more into out: local part as written, domain
 * in lower case. Strict on purpose: what two readers could understand differently is refused. */
bool mail_mailbox_parse(struct str value, char out[MAIL_ADDRESS_MAX + 1]);

/* Reads one Authentication-Results value (RFC 8601 §2.2). False: not by authserv_id (compared without case).
 * True: *ret_dmarc is the dmarc result; *ret_from the header.from domain that it speaks of, STR_NULL when absent
 * (points into value). A value of ours that is malformed counts as MAIL_DMARC_FAIL. */
bool mail_authres_parse(struct str value, const char *authserv_id, enum mail_dmarc *ret_dmarc,
                        struct str *ret_from);

/* One header field as the automatic-mail table sees it: value unfolded, not decoded. NULL: says nothing. */
const char *mail_automatic_field(struct str name, struct str value);
/* Same for an address (From or the return path): machines that sign with a well-known local part. */
const char *mail_automatic_sender(struct str address);

/* A header value with its encoded words decoded (RFC 2047), as UTF-8 whatever the bytes claim to be. */
void mail_words_decode(struct str value, struct buf *out);
/* Clean UTF-8 as encoded words, folded; each word holds whole characters and is at most 64 bytes. */
void mail_words_encode(struct str text, struct buf *out);
/* Bytes as UTF-8: charset when it is known and fits, else UTF-8 when they are, else Windows-1252. NULL: not named. */
void mail_charset_decode(struct str in, const char *charset, struct buf *out);

/* Appends the lines of in (UTF-8, any line end) that the person wrote: no quoted lines, nothing after an attribution
 * that introduces a quote, nothing after a signature mark. Line ends become LF, other controls spaces. */
void mail_text_own(struct str in, struct buf *out);
/* Appends HTML (UTF-8) as plain text: block elements end lines, entities decoded; style, script, head, quotes and
 * signatures left out. */
void mail_text_strip_html(struct str in, struct buf *out);

#endif
