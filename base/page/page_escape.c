/* page_escape: writers of values, one per place. */
#include "base/page/page-internal.h"

#include <ctype.h>
#include <strings.h>

#define NOT_SHOWN "\xef\xbf\xbd"      /* U+FFFD */

/* Bytes that HTML text and double-quoted attributes must not hold as they are, and what stands for them. Control
 * characters have no business on a page (tab, CR, LF stay). NULL: the byte itself. */
static const char *const html_entities[256] = {
    [0x00] = NOT_SHOWN, [0x01] = NOT_SHOWN, [0x02] = NOT_SHOWN, [0x03] = NOT_SHOWN, [0x04] = NOT_SHOWN,
    [0x05] = NOT_SHOWN, [0x06] = NOT_SHOWN, [0x07] = NOT_SHOWN, [0x08] = NOT_SHOWN, [0x0b] = NOT_SHOWN,
    [0x0c] = NOT_SHOWN, [0x0e] = NOT_SHOWN, [0x0f] = NOT_SHOWN, [0x10] = NOT_SHOWN, [0x11] = NOT_SHOWN,
    [0x12] = NOT_SHOWN, [0x13] = NOT_SHOWN, [0x14] = NOT_SHOWN, [0x15] = NOT_SHOWN, [0x16] = NOT_SHOWN,
    [0x17] = NOT_SHOWN, [0x18] = NOT_SHOWN, [0x19] = NOT_SHOWN, [0x1a] = NOT_SHOWN, [0x1b] = NOT_SHOWN,
    [0x1c] = NOT_SHOWN, [0x1d] = NOT_SHOWN, [0x1e] = NOT_SHOWN, [0x1f] = NOT_SHOWN, [0x7f] = NOT_SHOWN,
    ['&'] = "&amp;",    ['<'] = "&lt;",     ['>'] = "&gt;",     ['"'] = "&quot;",   ['\''] = "&#39;",
};

void
html_escape(struct buf *out, struct str s)
{
    size_t begin = 0;

    for (size_t i = 0; i < s.n; i++) {
        const char *entity = html_entities[(unsigned char)s.p[i]];

        if (entity == NULL)
            continue;
        buf_add(out, s.p + begin, i - begin);
        buf_adds(out, entity);
        begin = i + 1;
    }
    buf_add(out, s.p == NULL ? "" : s.p + begin, s.n - begin);
}

/* A piece of a URL: RFC 3986 unreserved and '@' (an address after mailto:) stay, so that no piece can end the path,
 * begin a query, or turn into a scheme or a host. */
void
url_part_escape(struct buf *out, struct str s)
{
    static const char hex[] = "0123456789ABCDEF";

    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool keep = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
                    c == '.' || c == '_' || c == '~' || c == '@';

        if (keep) {
            buf_addc(out, (char)c);
        } else {
            char three[3] = { '%', hex[c >> 4], hex[c & 15] };
            buf_add(out, three, sizeof(three));
        }
    }
}

/* Relative to our own host, or one of the schemes that a page of ours may lead to. */
bool
url_is_safe(struct str s)
{
    static const char *const schemes[] = { "https:", "http:", "mailto:", "tel:", "otpauth:" };

    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c <= 0x20 || c == 0x7f || c == '\\' || c == '"' || c == '<' || c == '>' || c == '`')
            return false;
    }
    if (s.n == 0)
        return true;
    if (s.p[0] == '?' || s.p[0] == '#')
        return true;
    if (s.p[0] == '/')
        return s.n == 1 || s.p[1] != '/';
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        size_t n = strlen(schemes[i]);

        if (s.n >= n && strncasecmp(s.p, schemes[i], n) == 0)
            return true;
    }
    return false;
}

void
esc_write(struct buf *out, enum esc esc, struct str s)
{
    switch (esc) {
    case ESC_NONE:
        buf_add_str(out, s);
        return;
    case ESC_HTML:
    case ESC_DATETIME:
        html_escape(out, s);
        return;
    case ESC_URL_WHOLE:
        if (url_is_safe(s))
            html_escape(out, s);
        else
            buf_add_lit(out, "#");       /* leads nowhere; the caller logs it */
        return;
    case ESC_URL_PART:
        url_part_escape(out, s);
        return;
    }
}

static const char *const months[LANG_COUNT][12] = {
    [LANG_FR] = { "janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre",
                  "novembre", "décembre" },
    [LANG_EN] = { "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
                  "November", "December" },
};

#define NBSP "\xc2\xa0"

void
moment_write(struct buf *out, utime at, const char *zone, bool with_hour, enum lang lang)
{
    struct civil c;
    const char *month;

    utime_civil(at, zone, &c);
    month = months[lang][(c.month + 11) % 12];
    if (lang == LANG_FR && c.day == 1)
        buf_addf(out, "1er" NBSP "%s %d", month, c.year);
    else
        buf_addf(out, "%d" NBSP "%s %d", c.day, month, c.year);
    if (!with_hour)
        return;
    if (lang == LANG_FR)
        buf_addf(out, " à" NBSP "%d" NBSP "h" NBSP "%02d", c.hour, c.minute);
    else
        buf_addf(out, " at" NBSP "%d:%02d", c.hour, c.minute);
}
