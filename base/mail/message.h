/*
 * message: mail as data. GMime behind this fence.
 */
#ifndef BASE_MAIL_MESSAGE_H
#define BASE_MAIL_MESSAGE_H

#include "base/core/arena.h"

/* --- in ---------------------------------------------------------------------------------------------- */
enum mail_dmarc { MAIL_DMARC_NONE, MAIL_DMARC_FAIL, MAIL_DMARC_PASS };
struct mail_message {
    const char *from;             /* the one mailbox of From; NULL when none or several */
    const char *subject;          /* RFC 2047 decoded, NFC, one line; "" when absent */
    const char *text;             /* first 4 KiB of what the person wrote: text/plain, else stripped HTML; quoted text and signature cut */
    const char *message_id;       /* "" when absent */
    bool automatic;               /* Auto-Submitted other than no, List-*, Precedence bulk/list/junk, null return path */
    const char *automatic_why;    /* for the log */
    bool too_large;
    enum mail_dmarc dmarc;        /* from the Authentication-Results whose authserv-id is the configured one, topmost, only */
};
/* raw: as received. return_path: envelope sender, "" for null. authserv_id: the only one believed; NULL: none. */
MUST_USE enum err mail_parse(struct str raw, const char *return_path, const char *authserv_id, struct arena *a,
                             struct mail_message *ret, struct why *why);

/* --- out --------------------------------------------------------------------------------------------- */
struct mail_draft {
    const char *from, *from_name; /* address and display name */
    const char *to;
    const char *subject;          /* UTF-8 */
    const char *text;             /* UTF-8, quoted-printable on the wire */
    const char *message_id;       /* whole, with <>; chosen by us so that a repeat is recognised */
    const char *in_reply_to;      /* or NULL */
    const char *lang;             /* Content-Language */
    int64_t date;                 /* utime */
};
/* Auto-Submitted: auto-replied is set, so that machines do not answer. Refuses line breaks in header values. */
MUST_USE enum err mail_build(const struct mail_draft *d, struct buf *out, struct why *why);

#endif
