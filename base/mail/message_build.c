/*
 * message_build: writes one message that goes out, byte by byte: it is one part and ten fields, and what stands on the
 * wire should be seen here.
 *
 * All values are checked before a byte is written: a line break in a subject would be a header of the attacker's
 * choice. The text travels as quoted-printable, so that no relay may break lines or bytes, and so that neither "From "
 * nor a lone dot at the beginning of a line means anything on the way.
 */
#include "base/core/clock.h"
#include "base/core/text.h"

#include "base/mail/message-internal.h"

#define TEXT_OUT_MAX ((size_t)256 << 10)
#define READABLE_MAX 60           /* ASCII in a header line without folding */
#define DATE_MAX     (INT64_C(253402300799) * USEC_PER_SEC)   /* the last second of the year 9999 */
#define QP_LINE_MAX  76           /* with the "=" of a soft line break (RFC 2045 §6.7) */

/* <id@host>: printable ASCII, exactly one pair of brackets around it. */
static bool
is_message_id(const char *id)
{
    size_t n = id == NULL ? 0 : strlen(id);

    if (n < 5 || n > 250 || id[0] != '<' || id[n - 1] != '>')
        return false;
    for (size_t i = 1; i < n - 1; i++)
        if (id[i] <= ' ' || id[i] >= 0x7f || strchr("<>()\",;\\", id[i]) != NULL)
            return false;
    return strchr(id, '@') != NULL;
}

/* RFC 5646 as far as we need it: letters, digits, dashes. */
static bool
is_language(const char *lang)
{
    size_t n = lang == NULL ? 0 : strlen(lang);

    if (n < 2 || n > 35)
        return false;
    return strspn(lang, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == n;
}

static enum err
draft_check(const struct mail_draft *d, struct why *why)
{
    const char *name = d->from_name == NULL ? "" : d->from_name;

    if (d->from == NULL || !text_is_email(str_of(d->from)) || d->to == NULL || !text_is_email(str_of(d->to)))
        return why_code(why, ERR_INPUT, "mail.build.address", "From or To is not an address");
    if (!text_is_clean(str_of(name), false) || strlen(name) > MAIL_SUBJECT_MAX)
        return why_code(why, ERR_INPUT, "mail.build.name", "the sender's name is not one clean line");
    if (d->subject == NULL || !text_is_clean(str_of(d->subject), false) || strlen(d->subject) > MAIL_SUBJECT_MAX)
        return why_code(why, ERR_INPUT, "mail.build.subject", "the subject is not one clean line");
    if (!is_message_id(d->message_id) || (d->in_reply_to != NULL && !is_message_id(d->in_reply_to)))
        return why_code(why, ERR_INPUT, "mail.build.message_id", "Message-ID or In-Reply-To is not <id@host>");
    if (d->date < 0 || d->date > DATE_MAX)
        return why_code(why, ERR_INPUT, "mail.build.date", "the date is out of range");
    if (!is_language(d->lang))
        return why_code(why, ERR_INPUT, "mail.build.lang", "the language is not a language tag");
    if (d->text == NULL || strlen(d->text) > TEXT_OUT_MAX || !text_is_clean(str_of(d->text), true))
        return why_code(why, ERR_INPUT, "mail.build.text", "the text is not clean UTF-8 or too long");
    return OK;
}

/* Does the byte at i stand for itself in quoted-printable (RFC 2045 §6.7)? A dot or "From " that begins a line does
 * not: relays have been known to change both. */
static bool
is_literal(struct str line, size_t i)
{
    unsigned char c = (unsigned char)line.p[i];

    if (i == 0 && (c == '.' || str_starts(line, "From ")))
        return false;
    if (c == ' ' || c == '\t')
        return i + 1 < line.n;
    return c > ' ' && c < 0x7f && c != '=';
}

static void
quoted_printable(const char *text, struct buf *out)
{
    struct str rest = str_of(text);

    while (rest.p != NULL) {
        struct str line = str_split(rest, '\n', &rest);
        size_t column = 0;

        if (line.n > 0 && line.p[line.n - 1] == '\r')
            line.n--;
        if (rest.p == NULL && line.n == 0)
            break;
        for (size_t i = 0; i < line.n; i++) {
            size_t width = is_literal(line, i) ? 1 : 3;

            if (column + width > QP_LINE_MAX - 1) {
                buf_add_lit(out, "=\r\n");
                column = 0;
            }
            if (width == 1)
                buf_addc(out, line.p[i]);
            else
                buf_addf(out, "=%02X", (unsigned)(unsigned char)line.p[i]);
            column += width;
        }
        buf_add_lit(out, "\r\n");
    }
}

/* Words of ASCII stay readable, all else becomes encoded words; "=?" would be read as one. */
static bool
is_readable(const char *value)
{
    for (const char *p = value; *p != '\0'; p++)
        if ((unsigned char)*p < ' ' || (unsigned char)*p >= 0x7f)
            return false;
    return strlen(value) <= READABLE_MAX && strstr(value, "=?") == NULL;
}

static void
subject_add(const char *subject, struct buf *out)
{
    buf_add_lit(out, "Subject: ");
    if (is_readable(subject))
        buf_adds(out, subject);
    else
        mail_words_encode(str_of(subject), out);
    buf_add_lit(out, "\r\n");
}

static void
from_add(const char *address, const char *name, struct buf *out)
{
    buf_add_lit(out, "From: ");
    if (name == NULL || name[0] == '\0') {
        buf_addf(out, "%s\r\n", address);
        return;
    }
    if (is_readable(name)) {
        buf_addc(out, '"');
        for (const char *p = name; *p != '\0'; p++) {
            if (*p == '"' || *p == '\\')
                buf_addc(out, '\\');
            buf_addc(out, *p);
        }
        buf_addc(out, '"');
    } else {
        mail_words_encode(str_of(name), out);
    }
    buf_addf(out, "\r\n <%s>\r\n", address);
}

/* RFC 5322 §3.3, always in UTC. */
static void
date_add(int64_t date, struct buf *out)
{
    static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
    static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    struct civil c;

    utime_civil(date, "UTC", &c);
    CHECK(c.month >= 1 && c.month <= 12 && c.weekday >= 0 && c.weekday <= 6);
    buf_addf(out, "Date: %s, %d %s %04d %02d:%02d:%02d +0000\r\n", days[c.weekday], c.day, months[c.month - 1], c.year,
             c.hour, c.minute, c.second);
}

enum err
mail_build(const struct mail_draft *d, struct buf *out, struct why *why)
{
    size_t before = out->len;
    enum err e;

    if ((e = draft_check(d, why)) != OK)
        return e;
    date_add(d->date, out);
    from_add(d->from, d->from_name, out);
    buf_addf(out, "To: %s\r\n", d->to);
    subject_add(d->subject, out);
    buf_addf(out, "Message-ID: %s\r\n", d->message_id);
    if (d->in_reply_to != NULL)
        buf_addf(out, "In-Reply-To: %s\r\nReferences: %s\r\n", d->in_reply_to, d->in_reply_to);
    /* RFC 3834 §5: no machine answers this; the second is for the one maker that does not read the first. */
    buf_add_lit(out, "Auto-Submitted: auto-replied\r\nX-Auto-Response-Suppress: All\r\n");
    buf_addf(out, "Content-Language: %s\r\n", d->lang);
    buf_add_lit(out, "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
                     "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
    quoted_printable(d->text, out);
    if (!buf_ok(out)) {
        out->len = before;
        return why_code(why, ERR_INPUT, "mail.build.size", "the message is larger than its buffer");
    }
    return OK;
}
