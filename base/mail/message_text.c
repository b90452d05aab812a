/*
 * message_text: of a mail's text, what the person wrote (DOMAIN P-040, §6.4).
 *
 * A code in quoted text or in a signature is not meant for us. Lines are judged one by one, with a look at the next
 * ones, and when in doubt they are kept: nothing here decides about security, a code found in the rest is checked as
 * any other.
 */
#include <strings.h>

#include "base/mail/message-internal.h"

#define ATTRIBUTION_LINES 4       /* « Le … a écrit : » may be folded over so many lines by the sender's program */
#define ATTRIBUTION_MAX   500     /* bytes of it */

static struct str
line_take(struct str *rest)
{
    size_t n = 0;
    struct str line;

    while (n < rest->n && rest->p[n] != '\n' && rest->p[n] != '\r')
        n++;
    line = (struct str){ rest->p, n };
    if (n < rest->n && rest->p[n] == '\r')
        n++;
    if (n < rest->n && rest->p[n] == '\n' && (n == line.n || rest->p[n - 1] == '\r'))
        n++;
    rest->p += n;
    rest->n -= n;
    return line;
}

/* White space of any kind off both ends: ASCII, NBSP, narrow NBSP, and the marks of bold text around a label. */
static struct str
trim_wide(struct str s)
{
    static const char *const marks[] = { "\xc2\xa0", "\xe2\x80\xaf", "\xef\xbb\xbf", "*" };
    bool again = true;

    while (again) {
        again = false;
        s = str_trim(s);
        for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
            size_t n = strlen(marks[i]);

            if (s.n >= n && memcmp(s.p, marks[i], n) == 0) {
                s = (struct str){ s.p + n, s.n - n };
                again = true;
            }
            if (s.n >= n && memcmp(s.p + s.n - n, marks[i], n) == 0) {
                s.n -= n;
                again = true;
            }
        }
    }
    return s;
}

static bool
starts(struct str s, const char *prefix)
{
    size_t n = strlen(prefix);

    return s.n >= n && strncasecmp(s.p, prefix, n) == 0;
}

static bool
ends(struct str s, const char *tail)
{
    size_t n = strlen(tail);

    return s.n >= n && strncasecmp(s.p + s.n - n, tail, n) == 0;
}

/* "-- " (RFC 3676 §4.3); many programs lose the space. */
static bool
is_signature(struct str line)
{
    return str_eqs(line, "-- ") || str_eqs(line, "--") || str_eqs(line, "--\xc2\xa0");
}

/* "-----Original Message-----", "-------- Message transféré --------", "________________" and their like. */
static bool
is_separator(struct str line)
{
    static const char *const words[] = {
        "Original Message", "Message d'origine", "Message d\xe2\x80\x99origine", "Message original", "Message initial",
        "Forwarded message", "Forwarded Message", "Message transf\xc3\xa9r\xc3\xa9", "Mensaje original",
        "Urspr\xc3\xbcngliche Nachricht", "Weitergeleitete Nachricht",
    };
    size_t dashes = 0;

    line = trim_wide(line);
    if (starts(line, "Begin forwarded message:") || starts(line, "D\xc3\xa9" "but du message transf\xc3\xa9r\xc3\xa9") ||
        starts(line, "D\xc3\xa9" "but du message r\xc3\xa9" "exp\xc3\xa9" "di\xc3\xa9"))
        return true;
    while (dashes < line.n && line.p[dashes] == '_')
        dashes++;
    if (dashes >= 20 && dashes == line.n)
        return true;
    for (dashes = 0; dashes < line.n && line.p[dashes] == '-'; dashes++)
        ;
    if (dashes < 2)
        return false;
    line = trim_wide((struct str){ line.p + dashes, line.n - dashes });
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (starts(line, words[i]))
            return true;
    return false;
}

static bool
starts_any(struct str line, const char *const *words, size_t n)
{
    line = trim_wide(line);
    for (size_t i = 0; i < n; i++)
        if (starts(line, words[i]))
            return true;
    return false;
}

/* Outlook's block: « De : … » and, within the next three lines, « Envoyé : … » or « Date : … ». */
static bool
is_outlook_block(struct str line, struct str rest)
{
    static const char *const from[] = { "De :", "De:", "De\xc2\xa0:", "De*", "From:", "From :", "From*", "Von:" };
    static const char *const sent[] = { "Envoy\xc3\xa9", "Sent:", "Sent :", "Sent*", "Date:", "Date :", "Date\xc2\xa0:",
                                        "Date*", "Gesendet:" };

    if (!starts_any(line, from, ARRAY_LEN(from)))
        return false;
    for (int i = 0; i < 3 && rest.n > 0; i++)
        if (starts_any(line_take(&rest), sent, ARRAY_LEN(sent)))
            return true;
    return false;
}

/* « Le lun. 3 nov. 2025 à 10:42, Mairie <x@y> a écrit : » or "On … wrote:", perhaps folded. How many further lines
 * it takes, -1 when it is none. */
static int
attribution(struct str line, struct str rest)
{
    static const char *const first[] = { "Le ", "On ", "Am ", "El " };
    static const char *const last[] = {
        "\xc3\xa9" "crit :", "\xc3\xa9" "crit:", "\xc3\xa9" "crit\xc2\xa0:", "\xc3\xa9" "crit\xe2\x80\xaf:", "ecrit :",
        "wrote:", "wrote :", "schrieb:", "escribi\xc3\xb3:",
    };
    size_t total = 0;

    if (!starts_any(line, first, ARRAY_LEN(first)))
        return -1;
    for (int taken = 0; taken < ATTRIBUTION_LINES && total + line.n < ATTRIBUTION_MAX; taken++) {
        struct str t = trim_wide(line);

        for (size_t i = 0; i < ARRAY_LEN(last); i++)
            if (ends(t, last[i]))
                return taken;
        total += line.n;
        if (rest.n == 0 || t.n == 0)
            return -1;
        line = line_take(&rest);
    }
    return -1;
}

static bool
is_quoted(struct str line)
{
    line = trim_wide(line);
    return line.n > 0 && line.p[0] == '>';
}

/* After an attribution: is what follows marked line by line (then an answer below it is still the person's)? */
static bool
quote_is_marked(struct str rest)
{
    while (rest.n > 0) {
        struct str line = line_take(&rest);

        if (trim_wide(line).n > 0)
            return is_quoted(line);
    }
    return false;
}

static void
line_add(struct str line, struct buf *out)
{
    for (size_t i = 0; i < line.n; i++) {
        unsigned char c = (unsigned char)line.p[i];

        buf_addc(out, c < 0x20 || c == 0x7f ? ' ' : (char)c);
    }
    buf_addc(out, '\n');
}

void
mail_text_own(struct str in, struct buf *out)
{
    struct str rest = in;

    while (rest.n > 0 && buf_ok(out)) {
        struct str line = line_take(&rest);
        int more;

        if (is_signature(line) || is_separator(line) || is_outlook_block(line, rest))
            return;
        if (is_quoted(line))
            continue;
        if ((more = attribution(line, rest)) >= 0) {
            while (more-- > 0)
                (void)line_take(&rest);
            if (!quote_is_marked(rest))
                return;
            continue;
        }
        line_add(line, out);
    }
}
