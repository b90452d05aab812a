/*
 * message_build: writes one message that goes out.
 *
 * All values are checked before GMime sees them: a line break in a subject would be a header of the attacker's
 * choice. The text travels as quoted-printable, so that no relay may break lines or bytes, and so that neither "From "
 * nor a lone dot at the beginning of a line means anything on the way.
 */
#include "base/core/clock.h"
#include "base/core/text.h"

#include "base/mail/gmime-internal.h"
#include "base/mail/message-internal.h"

#define TEXT_OUT_MAX ((size_t)256 << 10)
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

static GMimePart *
text_part_new(const char *text)
{
    AUTO(buf_free) struct buf encoded = BUF_BOUNDED(4 * TEXT_OUT_MAX);
    AUTO(object_unref) GMimeStream *stream = NULL;
    AUTO(object_unref) GMimeDataWrapper *content = NULL;
    GMimePart *part = g_mime_part_new_with_type("text", "plain");

    quoted_printable(text, &encoded);
    CHECK(buf_ok(&encoded));               /* three bytes for one, and the line ends */
    stream = g_mime_stream_mem_new_with_buffer(encoded.data, encoded.len);
    content = g_mime_data_wrapper_new_with_stream(stream, GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE);
    g_mime_object_set_content_type_parameter((GMimeObject *)part, "charset", "utf-8");
    g_mime_part_set_content(part, content);
    g_mime_part_set_content_encoding(part, GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE);
    return part;
}

enum err
mail_build(const struct mail_draft *d, struct buf *out, struct why *why)
{
    AUTO(object_unref) GMimeMessage *message = NULL;
    AUTO(object_unref) GMimePart *part = NULL;
    AUTO(object_unref) GMimeStream *stream = NULL;
    AUTO(glib_free) char *date = NULL;
    GMimeFormatOptions *format;
    GDateTime *when;
    GByteArray *bytes;
    enum err e;
    size_t before = out->len;

    mail_gmime_start();
    if ((e = draft_check(d, why)) != OK)
        return e;
    if ((when = g_date_time_new_from_unix_utc(d->date / USEC_PER_SEC)) == NULL)
        return why_code(why, ERR_INPUT, "mail.build.date", "the date is out of range");
    date = g_mime_utils_header_format_date(when);
    g_date_time_unref(when);

    message = g_mime_message_new(TRUE);
    g_mime_object_set_header((GMimeObject *)message, "Date", date, NULL);
    g_mime_message_add_mailbox(message, GMIME_ADDRESS_TYPE_FROM,
                               d->from_name == NULL || d->from_name[0] == '\0' ? NULL : d->from_name, d->from);
    g_mime_message_add_mailbox(message, GMIME_ADDRESS_TYPE_TO, NULL, d->to);
    g_mime_message_set_subject(message, d->subject, "utf-8");
    g_mime_object_set_header((GMimeObject *)message, "Message-ID", d->message_id, NULL);
    if (d->in_reply_to != NULL) {
        g_mime_object_set_header((GMimeObject *)message, "In-Reply-To", d->in_reply_to, NULL);
        g_mime_object_set_header((GMimeObject *)message, "References", d->in_reply_to, NULL);
    }
    /* RFC 3834 §5: no machine answers this; the second is for the one maker that does not read the first. */
    g_mime_object_set_header((GMimeObject *)message, "Auto-Submitted", "auto-replied", NULL);
    g_mime_object_set_header((GMimeObject *)message, "X-Auto-Response-Suppress", "All", NULL);
    g_mime_object_set_header((GMimeObject *)message, "Content-Language", d->lang, NULL);
    g_mime_object_set_header((GMimeObject *)message, "MIME-Version", "1.0", NULL);
    part = text_part_new(d->text);
    g_mime_message_set_mime_part(message, (GMimeObject *)part);

    stream = g_mime_stream_mem_new();
    format = g_mime_format_options_clone(g_mime_format_options_get_default());
    g_mime_format_options_set_newline_format(format, GMIME_NEWLINE_FORMAT_DOS);
    g_mime_object_write_to_stream((GMimeObject *)message, format, stream);
    g_mime_format_options_free(format);
    bytes = g_mime_stream_mem_get_byte_array((GMimeStreamMem *)stream);
    buf_add(out, bytes->data, bytes->len);
    if (!buf_ok(out)) {
        out->len = before;
        return why_code(why, ERR_INPUT, "mail.build.size", "the message is larger than its buffer");
    }
    return OK;
}
