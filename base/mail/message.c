/*
 * message: reads one delivered mail with GMime.
 *
 * Order of work: measure (ceilings, before any library sees a byte), let GMime cut the message into fields and
 * parts, read the fields that we know, find the text. GMime decides what a field and a part is; what a field means
 * is decided in message_auth.c, message_auto.c and message_text.c, on GMime's raw values.
 *
 * Why the ceilings: GMime's cost grows with fields × length, parts × depth and parameters × parameters; 1 MiB made on
 * purpose would cost seconds and hundreds of megabytes. A mail of a person is far below each of them.
 */
#include <pthread.h>
#include <strings.h>

#include "base/core/text.h"

#include "base/mail/gmime-internal.h"
#include "base/mail/message-internal.h"

#define DASH_LINES_MAX   2000     /* lines that could be a MIME boundary */
#define PART_FIELD_MAX   ((size_t)8 << 10)  /* bytes of a Content-Type or Content-Disposition of a part */
#define FIELD_MAX        ((size_t)16 << 10) /* bytes of a field that we read */
#define ANY_FIELD_MAX    ((size_t)32 << 10) /* bytes of any field: GMime reads each address of To */
#define HTML_MAX         ((size_t)256 << 10)
#define DECODED_MAX      (4 * MAIL_RAW_MAX)

static GMimeParserOptions *parser_options;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
gmime_init(void)
{
    /* What French mail programs send when they name no charset or a wrong one. */
    static const char *charsets[] = { "utf-8", "windows-1252", NULL };

    g_mime_init();
    parser_options = g_mime_parser_options_new();
    g_mime_parser_options_set_fallback_charsets(parser_options, charsets);
    g_mime_parser_options_set_rfc2047_compliance_mode(parser_options, GMIME_RFC_COMPLIANCE_LOOSE);
}

void
mail_gmime_start(void)
{
    CHECK(pthread_once(&once, gmime_init) == 0);
}

GMimeParserOptions *
mail_gmime_options(void)
{
    return parser_options;
}

/* --- measure ----------------------------------------------------------------------------------------- */

static struct str
line_of(struct str rest)
{
    const char *lf = rest.n == 0 ? NULL : memchr(rest.p, '\n', rest.n);

    return (struct str){ rest.p, lf == NULL ? rest.n : (size_t)(lf - rest.p) + 1 };
}

static bool
is_blank(struct str line)
{
    return line.n == 0 || line.p[0] == '\n' || (line.n >= 2 && line.p[0] == '\r' && line.p[1] == '\n');
}

static bool
starts(struct str s, const char *prefix)
{
    size_t n = strlen(prefix);

    return s.n >= n && strncasecmp(s.p, prefix, n) == 0;
}

/* The header section with its empty line; ERR_INPUT when above its ceilings. */
static enum err
header_measure(struct str raw, struct str *ret_header, struct why *why)
{
    size_t at = 0, fields = 0, field = 0;

    while (at < raw.n) {
        struct str line = line_of((struct str){ raw.p + at, raw.n - at });

        at += line.n;
        if (at > MAIL_HEADER_MAX)
            return why_code(why, ERR_INPUT, "mail.header.large", "header section above %zu bytes", MAIL_HEADER_MAX);
        if (is_blank(line))
            break;
        field = line.p[0] == ' ' || line.p[0] == '\t' ? field + line.n : line.n;
        if (field > ANY_FIELD_MAX)
            return why_code(why, ERR_INPUT, "mail.header.field", "a header field above %zu bytes", ANY_FIELD_MAX);
        if (field == line.n && ++fields > MAIL_HEADER_FIELDS)
            return why_code(why, ERR_INPUT, "mail.header.fields", "more than %d header fields", MAIL_HEADER_FIELDS);
    }
    *ret_header = (struct str){ raw.p, at };
    if (at > 0 && memchr(raw.p, '\0', at) != NULL)
        return why_code(why, ERR_INPUT, "mail.header.nul", "NUL byte in the header section");
    return OK;
}

/* A part, a nested multipart or message needs a Content-Type line and a boundary line: their numbers bound the tree
 * that GMime builds and its depth. */
static enum err
structure_measure(struct str raw, struct why *why)
{
    size_t types = 0, dashes = 0, field = 0;

    while (raw.n > 0) {
        struct str line = line_of(raw);

        raw = (struct str){ raw.p + line.n, raw.n - line.n };
        if (field > 0 && (line.p[0] == ' ' || line.p[0] == '\t'))
            field += line.n;
        else
            field = starts(line, "content-type") || starts(line, "content-disposition") ? line.n : 0;
        if (field > PART_FIELD_MAX)
            return why_code(why, ERR_INPUT, "mail.mime.field", "a Content- field above %zu bytes", PART_FIELD_MAX);
        if (starts(line, "content-type") && ++types > MAIL_PARTS_MAX)
            return why_code(why, ERR_INPUT, "mail.mime.parts", "more than %d MIME parts", MAIL_PARTS_MAX);
        if (starts(line, "--") && ++dashes > DASH_LINES_MAX)
            return why_code(why, ERR_INPUT, "mail.mime.lines", "more than %d possible boundaries", DASH_LINES_MAX);
    }
    return OK;
}

/* --- fields ------------------------------------------------------------------------------------------ */

/* s as a C string of the arena; NULL when the arena is full. */
static char *
keep(struct arena *a, struct str s)
{
    char *copy = arena_try_alloc(a, s.n + 1);

    if (copy != NULL && s.n > 0)
        memcpy(copy, s.p, s.n);
    return copy;
}

static enum err
arena_full(struct why *why)
{
    return why_code(why, ERR_INPUT, "mail.arena", "the arena for this message is full");
}

/* NFC, one line, no control characters, no invisible direction marks; cut at a character below max bytes. */
static const char *
line_tidy(struct str in, size_t max, struct arena *a)
{
    AUTO(buf_free) struct buf nfc = BUF_BOUNDED(16 * MAIL_SUBJECT_MAX);
    AUTO(buf_free) struct buf line = BUF_BOUNDED(16 * MAIL_SUBJECT_MAX);
    size_t n;

    if (in.n > 4 * max)
        in.n = 4 * max;
    while (in.n > 0 && !text_is_utf8(in))  /* the cut, at most three bytes: it was UTF-8 */
        in.n--;
    if (text_nfc(in, &nfc) != OK)
        return NULL;
    for (size_t i = 0; i < nfc.len; i++) {
        unsigned char c = (unsigned char)nfc.data[i];
        bool control = c < 0x20 || c == 0x7f;
        bool c1 = c == 0xc2 && i + 1 < nfc.len && (unsigned char)nfc.data[i + 1] < 0xa0;
        /* U+200E, U+200F, U+202A–202E, U+2066–2069 */
        bool direction = c == 0xe2 && i + 2 < nfc.len &&
                         (memcmp(nfc.data + i, "\xe2\x80\x8e", 3) == 0 || memcmp(nfc.data + i, "\xe2\x80\x8f", 3) == 0 ||
                          (nfc.data[i + 1] == '\x80' && nfc.data[i + 2] >= '\xaa' && nfc.data[i + 2] <= '\xae') ||
                          (nfc.data[i + 1] == '\x81' && nfc.data[i + 2] >= '\xa6' && nfc.data[i + 2] <= '\xa9'));

        if (direction)
            i += 2;
        else if (control || c1)
            buf_addc(&line, ' ');
        else
            buf_addc(&line, (char)c);
        if (c1)
            i++;
    }
    in = str_trim(buf_view(&line));
    for (n = in.n < max ? in.n : max; n > 0 && !text_is_utf8((struct str){ in.p, n }); n--)
        ;
    return keep(a, (struct str){ in.p, n });
}

/* <id@host> as written when it is one printable word, else "". */
static const char *
message_id_read(struct str value, struct arena *a)
{
    value = str_trim(value);
    if (value.n < 3 || value.n > MAIL_MESSAGE_ID_MAX || value.p[0] != '<' || value.p[value.n - 1] != '>')
        return "";
    for (size_t i = 0; i < value.n; i++)
        if (value.p[i] <= ' ' || value.p[i] >= 0x7f)
            return "";
    return keep(a, value);
}

struct reading {
    struct mail_message m;
    struct arena *a;
    const char *authserv_id;      /* NULL: believe none */
    char from[MAIL_ADDRESS_MAX + 1];
    int froms;                    /* From fields seen */
    bool subject_seen;
    bool authres_seen;            /* the topmost one with our id was read */
    char dmarc_domain[MAIL_ADDRESS_MAX + 1];  /* what it speaks of; "" when it does not say */
};

static void
automatic_note(struct mail_message *m, const char *why)
{
    if (why == NULL || m->automatic)
        return;
    m->automatic = true;
    m->automatic_why = why;
}

static enum err
subject_read(struct reading *r, const char *unfolded, struct why *why)
{
    AUTO(buf_free) struct buf decoded = BUF_BOUNDED(8 * FIELD_MAX);

    if (r->subject_seen)
        return OK;
    r->subject_seen = true;
    mail_words_decode(str_of(unfolded), &decoded);
    if ((r->m.subject = line_tidy(buf_view(&decoded), MAIL_SUBJECT_MAX, r->a)) == NULL)
        return why_code(why, ERR_INPUT, "mail.subject", "the subject does not fit or is not text");
    return OK;
}

static void
authres_read(struct reading *r, struct str value)
{
    struct str domain;

    if (r->authserv_id == NULL || r->authres_seen ||
        !mail_authres_parse(value, r->authserv_id, &r->m.dmarc, &domain))
        return;
    r->authres_seen = true;
    if (domain.n > MAIL_ADDRESS_MAX)
        r->m.dmarc = MAIL_DMARC_FAIL;
    else if (domain.n > 0)
        memcpy(r->dmarc_domain, domain.p, domain.n);
}

static enum err
field_read(struct reading *r, struct str name, const char *unfolded, struct why *why)
{
    struct str value = str_trim(str_of(unfolded));

    automatic_note(&r->m, mail_automatic_field(name, value));
    if (str_ieqs(name, "From")) {
        if (++r->froms > 1 || !mail_mailbox_parse(value, r->from))
            r->from[0] = '\0';
    } else if (str_ieqs(name, "Subject")) {
        return subject_read(r, unfolded, why);
    } else if (str_ieqs(name, "Authentication-Results")) {
        authres_read(r, value);
    } else if (str_ieqs(name, "Message-ID") && r->m.message_id[0] == '\0') {
        if ((r->m.message_id = message_id_read(value, r->a)) == NULL)
            return arena_full(why);
    }
    return OK;
}

static enum err
fields_read(struct reading *r, GMimeObject *message, struct why *why)
{
    GMimeHeaderList *list = g_mime_object_get_header_list(message);
    int n = g_mime_header_list_get_count(list);
    enum err e;

    for (int i = 0; i < n; i++) {
        GMimeHeader *header = g_mime_header_list_get_header_at(list, i);
        const char *raw = g_mime_header_get_raw_value(header);
        AUTO(glib_free) char *unfolded = NULL;

        if (raw == NULL)
            continue;
        /* An oversized field says nothing, save that a From or a result of ours that we cannot read is no good. */
        unfolded = strlen(raw) > FIELD_MAX ? g_strdup("") : g_mime_utils_header_unfold(raw);
        if (strlen(raw) > FIELD_MAX && str_ieqs(str_of(g_mime_header_get_name(header)), "Authentication-Results"))
            r->authres_seen = true;
        if ((e = field_read(r, str_trim(str_of(g_mime_header_get_name(header))), unfolded, why)) != OK)
            return e;
    }
    return OK;
}

/* DMARC speaks of one domain; a pass for another than the one that we would answer is worth nothing. */
static void
dmarc_settle(struct reading *r)
{
    const char *at = strrchr(r->from, '@');

    if (r->m.dmarc == MAIL_DMARC_PASS && at != NULL && r->dmarc_domain[0] != '\0' &&
        strcasecmp(at + 1, r->dmarc_domain) != 0)
        r->m.dmarc = MAIL_DMARC_FAIL;
}

/* --- text -------------------------------------------------------------------------------------------- */

struct texts {
    GMimePart *plain, *html;      /* the first of each that is no attachment; borrowed */
};

static void
part_look(GMimeObject *part, struct texts *t)
{
    GMimeContentType *type = g_mime_object_get_content_type(part);
    GMimeContentDisposition *disposition = g_mime_object_get_content_disposition(part);

    if (!GMIME_IS_PART(part) ||
        (disposition != NULL && g_mime_content_disposition_is_attachment(disposition)))
        return;
    if (t->plain == NULL && (type == NULL || g_mime_content_type_is_type(type, "text", "plain")))
        t->plain = (GMimePart *)part;
    else if (t->html == NULL && type != NULL && g_mime_content_type_is_type(type, "text", "html"))
        t->html = (GMimePart *)part;
}

/* Depth first; a message inside the message (a forward) is not what the person wrote. */
static void
texts_find(GMimeObject *object, struct texts *t, int depth)
{
    int n;

    if (object == NULL || depth > MAIL_PARTS_MAX || t->plain != NULL)
        return;
    if (!GMIME_IS_MULTIPART(object)) {
        part_look(object, t);
        return;
    }
    n = g_mime_multipart_get_count((GMimeMultipart *)object);
    for (int i = 0; i < n; i++)
        texts_find(g_mime_multipart_get_part((GMimeMultipart *)object, i), t, depth + 1);
}

/* The part's bytes, transfer encoding undone, as UTF-8 whatever they claim to be. */
static enum err
part_decode(GMimePart *part, struct buf *out, struct why *why)
{
    AUTO(object_unref) GMimeStream *stream = g_mime_stream_mem_new();
    GMimeDataWrapper *content = g_mime_part_get_content(part);
    GMimeContentType *type = g_mime_object_get_content_type((GMimeObject *)part);
    const char *charset = type == NULL ? NULL : g_mime_content_type_get_parameter(type, "charset");
    GByteArray *bytes;

    if (content == NULL)
        return OK;
    if (g_mime_data_wrapper_write_to_stream(content, stream) == -1)
        return why_code(why, ERR_INPUT, "mail.text", "a text part could not be decoded");
    bytes = g_mime_stream_mem_get_byte_array((GMimeStreamMem *)stream);
    mail_charset_decode((struct str){ (const char *)bytes->data, bytes->len }, charset, out);
    return OK;
}

static enum err
text_read(struct reading *r, GMimeObject *body, struct why *why)
{
    AUTO(buf_free) struct buf decoded = BUF_BOUNDED(DECODED_MAX);
    AUTO(buf_free) struct buf stripped = BUF_BOUNDED(HTML_MAX);
    AUTO(buf_free) struct buf own = BUF_BOUNDED(MAIL_TEXT_MAX);
    struct texts t = { NULL, NULL };
    struct str text;
    enum err e;

    texts_find(body, &t, 0);
    if (t.plain == NULL && t.html == NULL)
        return OK;
    if ((e = part_decode(t.plain != NULL ? t.plain : t.html, &decoded, why)) != OK)
        return e;
    if (t.plain == NULL) {
        struct str html = buf_view(&decoded);

        mail_text_strip_html((struct str){ html.p, html.n < HTML_MAX ? html.n : HTML_MAX }, &stripped);
    }
    mail_text_own(buf_view(t.plain != NULL ? &decoded : &stripped), &own);
    text = buf_view(&own);
    while (text.n > 0 && !text_is_utf8(text))  /* the cut at MAIL_TEXT_MAX fell inside a character */
        text.n--;
    text = str_trim(text);
    r->m.text = keep(r->a, text);
    return r->m.text == NULL ? arena_full(why) : OK;
}

/* --- the whole --------------------------------------------------------------------------------------- */

static enum err
reading_run(struct reading *r, struct str seen, struct why *why)
{
    AUTO(object_unref) GMimeStream *stream = g_mime_stream_mem_new_with_buffer(seen.p, seen.n);
    AUTO(object_unref) GMimeParser *parser = g_mime_parser_new_with_stream(stream);
    AUTO(object_unref) GMimeMessage *message = g_mime_parser_construct_message(parser, parser_options);
    GMimeObject *body;
    enum err e;

    if (message == NULL)
        return why_code(why, ERR_INPUT, "mail.header", "no header section");
    body = g_mime_message_get_mime_part(message);
    if ((e = fields_read(r, (GMimeObject *)message, why)) != OK ||
        (body != NULL && (e = fields_read(r, body, why)) != OK))   /* GMime keeps Content-… apart */
        return e;
    dmarc_settle(r);
    return r->m.too_large ? OK : text_read(r, body, why);
}

enum err
mail_parse(struct str raw, const char *return_path, const char *authserv_id, struct arena *a,
           struct mail_message *ret, struct why *why)
{
    struct reading r = {
        .m = { .subject = "", .text = "", .message_id = "", .dmarc = MAIL_DMARC_NONE, .too_large = raw.n > MAIL_RAW_MAX },
        .a = a, .authserv_id = authserv_id,
    };
    struct str header = STR_NULL;
    enum err e;

    mail_gmime_start();
    if (raw.n == 0)
        return why_code(why, ERR_INPUT, "mail.empty", "empty message");
    if ((e = header_measure(raw, &header, why)) != OK ||
        (!r.m.too_large && (e = structure_measure(raw, why)) != OK))
        return e;
    automatic_note(&r.m, return_path[0] == '\0' ? "null return path" : mail_automatic_sender(str_of(return_path)));
    if ((e = reading_run(&r, r.m.too_large ? header : raw, why)) != OK)
        return e;
    if (r.from[0] != '\0') {
        automatic_note(&r.m, mail_automatic_sender(str_of(r.from)));
        if ((r.m.from = keep(a, str_of(r.from))) == NULL)
            return arena_full(why);
    }
    *ret = r.m;
    return OK;
}
