/*
 * message: mail as data. GMime behind this fence.
 *
 * In: mail_parse() reads what an MTA delivered into a small struct; nothing of the message is looked at again
 * later. Out: mail_build() writes one message that a machine will not answer.
 *
 * What bites: mail_parse() believes the configured authserv-id, so the MTA must remove every
 * Authentication-Results field with that id which comes from outside (RFC 8601 §5) before it adds its own. Without
 * that anybody may write "pass" (docs/mail.md). The MTA's own result must be the topmost field of that id.
 */
#ifndef BASE_MAIL_MESSAGE_H
#define BASE_MAIL_MESSAGE_H

#include "base/core/arena.h"

/* --- ceilings ---------------------------------------------------------------------------------------- */
#define MAIL_RAW_MAX        ((size_t)1 << 20)   /* above: too_large, only the header section is read (P-041) */
#define MAIL_HEADER_MAX     ((size_t)256 << 10) /* bytes of the header section */
#define MAIL_HEADER_FIELDS  1000                /* fields in it */
#define MAIL_PARTS_MAX      200                 /* MIME parts, and so their depth */
#define MAIL_SUBJECT_MAX    ((size_t)1024)      /* bytes kept */
#define MAIL_TEXT_MAX       ((size_t)4096)      /* bytes kept */
#define MAIL_MESSAGE_ID_MAX ((size_t)512)       /* longer counts as absent */

/* --- in ---------------------------------------------------------------------------------------------- */
enum mail_dmarc { MAIL_DMARC_NONE, MAIL_DMARC_FAIL, MAIL_DMARC_PASS };
struct mail_message {
    const char *from;             /* the one mailbox of From, domain in lower case; NULL when none, several or doubtful */
    const char *subject;          /* RFC 2047 decoded, NFC, one line; "" when absent */
    const char *text;             /* first 4 KiB of what the person wrote: text/plain, else stripped HTML; quoted text and signature cut */
    const char *message_id;       /* with <>; "" when absent */
    bool automatic;               /* Auto-Submitted other than no, List-*, Precedence bulk/list/junk, null return path … */
    const char *automatic_why;    /* for the log; NULL when not automatic */
    bool too_large;               /* above MAIL_RAW_MAX; text is "" */
    enum mail_dmarc dmarc;        /* from the Authentication-Results whose authserv-id is the configured one, topmost, only */
};
/* raw: as received. return_path: envelope sender, "" for null. authserv_id: the only one believed; NULL: none.
 * The strings of *ret live in a. ERR_INPUT: no message that we care to read (header or MIME structure above the
 * ceilings, NUL bytes in the header, arena full); the caller drops it without an answer. Thread-safe. */
MUST_USE enum err mail_parse(struct str raw, const char *return_path, const char *authserv_id, struct arena *a,
                             struct mail_message *ret, struct why *why);

/* --- out --------------------------------------------------------------------------------------------- */
struct mail_draft {
    const char *from, *from_name; /* address and display name (UTF-8; NULL or "": none) */
    const char *to;
    const char *subject;          /* UTF-8 */
    const char *text;             /* UTF-8, quoted-printable on the wire */
    const char *message_id;       /* whole, with <>; chosen by us so that a repeat is recognised */
    const char *in_reply_to;      /* or NULL */
    const char *lang;             /* Content-Language */
    int64_t date;                 /* utime */
};
/* Appends the whole message, CRLF line ends, lines of at most 998 bytes, ASCII only. Auto-Submitted: auto-replied is
 * set, so that machines do not answer. ERR_INPUT: a line break or control character in a header value, an address
 * that is none, text that is not clean UTF-8, or the ceiling of out reached; out is then as it was, save its
 * overflow flag. Thread-safe. */
MUST_USE enum err mail_build(const struct mail_draft *d, struct buf *out, struct why *why);

#endif
