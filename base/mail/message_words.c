/*
 * message_words: encoded words in headers (RFC 2047), both ways.
 *
 * Our own reader and not GMime's: that one joins the base64 of neighbouring words before it decodes, so that all after
 * a padded word is lost (libgmime 3.2.13), and phones pad every word. Ours decodes each word by itself and joins
 * the bytes, so that a character that a careless program has cut in two is whole again. What is no encoded word, stays as
 * it is.
 */
#include <ctype.h>
#include <strings.h>

#include "base/core/enc.h"
#include "base/core/text.h"

#include "base/mail/gmime-internal.h"
#include "base/mail/message-internal.h"

#define CHARSET_MAX  64
#define DECODED_MAX  ((size_t)64 << 10)
#define ENCODED_WORD 39           /* bytes of text in a word: 64 on the wire, so that "Subject: " fits too (line <= 76) */

struct word {
    char charset[CHARSET_MAX];
    bool base64;
    struct str text;
};

/* The encoded word that begins at p, which holds "=?"; the byte after it, or NULL when it is none. */
static const char *
word_take(const char *p, const char *end, struct word *ret)
{
    const char *q = p + 2;
    size_t n = 0;
    bool language = false;

    for (; q < end && *q != '?'; q++) {
        language = language || *q == '*';  /* "utf-8*fr" (RFC 2231 §5) */
        if (isspace((unsigned char)*q) || n + 1 == CHARSET_MAX)
            return NULL;
        if (!language)
            ret->charset[n++] = *q;
    }
    ret->charset[n] = '\0';
    if (n == 0 || end - q < 5 || q[2] != '?' || strchr("BbQq", q[1]) == NULL)
        return NULL;
    ret->base64 = q[1] == 'B' || q[1] == 'b';
    ret->text.p = q + 3;
    if ((q = memmem(ret->text.p, (size_t)(end - ret->text.p), "?=", 2)) == NULL)
        return NULL;
    ret->text.n = (size_t)(q - ret->text.p);
    return memmem(ret->text.p, ret->text.n, "=?", 2) == NULL ? q + 2 : NULL;
}

static int
base64_value(char c)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c == '\0' ? NULL : strchr(alphabet, c);

    return at == NULL ? -1 : (int)(at - alphabet);
}

/* Lax on purpose: padding may be missing, other bytes are passed over. */
static void
base64_read(struct str text, struct buf *out)
{
    uint32_t bits = 0;
    int n = 0;

    for (size_t i = 0; i < text.n && text.p[i] != '='; i++) {
        int v = base64_value(text.p[i]);

        if (v < 0)
            continue;
        bits = (bits << 6 | (uint32_t)v) & 0xffffff;
        if ((n += 6) >= 8) {
            n -= 8;
            buf_addc(out, (char)(bits >> n & 0xff));
        }
    }
}

static int
hex_value(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10 : -1;
}

static void
q_read(struct str text, struct buf *out)
{
    for (size_t i = 0; i < text.n; i++) {
        int high = text.n - i > 2 ? hex_value(text.p[i + 1]) : -1;
        int low = text.n - i > 2 ? hex_value(text.p[i + 2]) : -1;

        if (text.p[i] == '=' && high >= 0 && low >= 0) {
            buf_addc(out, (char)(high * 16 + low));
            i += 2;
        } else {
            buf_addc(out, text.p[i] == '_' ? ' ' : text.p[i]);
        }
    }
}

void
mail_charset_decode(struct str in, const char *charset, struct buf *out)
{
    AUTO(glib_free) char *utf8 = NULL;
    iconv_t cd;

    if (in.n == 0)
        return;
    if (charset != NULL && strcasecmp(charset, "utf-8") != 0 &&
        (cd = g_mime_iconv_open("utf-8", charset)) != (iconv_t)-1) {   /* NOLINT(performance-no-int-to-ptr): iconv(3) */
        utf8 = g_mime_iconv_strndup(cd, in.p, in.n);
        g_mime_iconv_close(cd);
    }
    if (utf8 == NULL && text_is_utf8(in)) {
        buf_add_str(out, in);
        return;
    }
    if (utf8 == NULL || !text_is_utf8(str_of(utf8))) {
        g_free(utf8);
        utf8 = g_mime_utils_decode_8bit(mail_gmime_options(), in.p, in.n);
    }
    buf_adds(out, utf8);
}

/* Bytes of words that follow each other, until their charset changes or other text comes. */
struct run {
    struct buf bytes;
    char charset[CHARSET_MAX];
};

static void
run_end(struct run *r, struct buf *out)
{
    mail_charset_decode(buf_view(&r->bytes), r->charset, out);
    buf_reset(&r->bytes);
}

void
mail_words_decode(struct str value, struct buf *out)
{
    struct run run = { BUF_BOUNDED(DECODED_MAX), "" };
    const char *p = value.n == 0 ? "" : value.p, *end = p + value.n, *plain = p;   /* plain: not yet written */

    while (p != NULL && p < end && (p = memmem(p, (size_t)(end - p), "=?", 2)) != NULL) {
        struct word w;
        const char *after = word_take(p, end, &w);
        struct str between = { plain, (size_t)(p - plain) };

        if (after == NULL) {
            p += 2;
            continue;
        }
        /* §6.2: white space between two words is not part of the text. */
        if (run.bytes.len == 0 || str_trim(between).n > 0) {
            run_end(&run, out);
            mail_charset_decode(between, NULL, out);
        }
        if (strcasecmp(run.charset, w.charset) != 0) {
            run_end(&run, out);
            memcpy(run.charset, w.charset, sizeof(run.charset));
        }
        if (w.base64)
            base64_read(w.text, &run.bytes);
        else
            q_read(w.text, &run.bytes);
        p = plain = after;
    }
    run_end(&run, out);
    mail_charset_decode((struct str){ plain, (size_t)(end - plain) }, NULL, out);
    buf_free(&run.bytes);
}

void
mail_words_encode(struct str text, struct buf *out)
{
    AUTO(buf_free) struct buf base64 = BUF_BOUNDED(128);

    while (text.n > 0) {
        size_t n = text.n < ENCODED_WORD ? text.n : ENCODED_WORD;

        while (n < text.n && ((unsigned char)text.p[n] & 0xc0) == 0x80)   /* whole characters only (§5) */
            n--;
        buf_reset(&base64);
        base64_encode(&base64, text.p, n);
        buf_addf(out, "=?UTF-8?B?%s?=%s", base64.data, n < text.n ? "\r\n " : "");
        text = (struct str){ text.p + n, text.n - n };
    }
}
