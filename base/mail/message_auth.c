/*
 * message_auth: who a message says it is from, and what our MTA found out about that.
 *
 * Both readers are stricter than the RFCs ask. The From value decides to whom we write, and the MTA has judged DMARC
 * on the domain it saw there: a value that another reader could take for a different address is no address at all
 * (DOMAIN A-25). An Authentication-Results value is tokenised whole, so that a comment or a quoted string that
 * contains "dmarc=pass" is never a result (RFC 8601 §2.2).
 */
#include <ctype.h>
#include <strings.h>

#include "base/core/text.h"

#include "base/mail/message-internal.h"

static bool
is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* From p (at an opening parenthesis) to the byte after the comment; NULL when it does not close. */
static const char *
comment_skip(const char *p, const char *end)
{
    int depth = 0;

    for (; p < end; p++) {
        if (*p == '\\' && p + 1 < end)
            p++;
        else if (*p == '(')
            depth++;
        else if (*p == ')' && --depth == 0)
            return p + 1;
    }
    return NULL;
}

/* From p (at an opening quote) to the byte after the quoted string; NULL when it does not close. */
static const char *
quoted_skip(const char *p, const char *end)
{
    for (p++; p < end; p++) {
        if (*p == '\\' && p + 1 < end)
            p++;
        else if (*p == '"')
            return p + 1;
    }
    return NULL;
}

static const char *
cfws_skip(const char *p, const char *end)
{
    while (p != NULL && p < end && (is_space(*p) || *p == '('))
        p = *p == '(' ? comment_skip(p, end) : p + 1;
    return p;
}

/* --- From (RFC 5322 §3.4) ---------------------------------------------------------------------------- */

/* The display name: words, quoted strings, dots, comments. Returns where '<' stands, NULL when there is none or a
 * character that would make this a list, a group or a second address. */
static const char *
phrase_skip(const char *p, const char *end)
{
    while (p != NULL && p < end && *p != '<') {
        if (*p == '(')
            p = comment_skip(p, end);
        else if (*p == '"')
            p = quoted_skip(p, end);
        else if (strchr(",;:@>\\)", *p) != NULL)
            return NULL;
        else
            p++;
    }
    return p != NULL && p < end ? p : NULL;
}

static bool
address_take(struct str address, char out[MAIL_ADDRESS_MAX + 1])
{
    if (address.n > MAIL_ADDRESS_MAX || !text_is_email(address))
        return false;
    memcpy(out, address.p, address.n);
    out[address.n] = '\0';
    for (char *p = strrchr(out, '@'); p != NULL && *p != '\0'; p++)
        *p = (char)tolower((unsigned char)*p);
    return true;
}

bool
mail_mailbox_parse(struct str value, char out[MAIL_ADDRESS_MAX + 1])
{
    const char *end, *p, *open, *close;
    struct str address;

    if (value.n == 0 || memchr(value.p, '\0', value.n) != NULL)
        return false;
    end = value.p + value.n;
    if ((p = cfws_skip(value.p, end)) == NULL || p == end)
        return false;
    if ((open = phrase_skip(p, end)) != NULL) {
        if ((close = memchr(open, '>', (size_t)(end - open))) == NULL)
            return false;
        address = (struct str){ open + 1, (size_t)(close - open - 1) };
        p = close + 1;
    } else {
        address.p = p;
        while (p < end && !is_space(*p) && *p != '(')
            p++;
        address.n = (size_t)(p - address.p);
    }
    return cfws_skip(p, end) == end && address_take(str_trim(address), out);
}

/* --- Authentication-Results (RFC 8601 §2.2) ---------------------------------------------------------- */

enum token_kind { TOKEN_END, TOKEN_WORD, TOKEN_EQUALS, TOKEN_SEMICOLON, TOKEN_BAD };
struct token {
    enum token_kind kind;
    struct str text;              /* of a word: without the quotes, escapes kept; otherwise empty */
};

static struct token
token_next(const char **p, const char *end)
{
    const char *start = cfws_skip(*p, end), *after;
    struct token t = { TOKEN_BAD, STR_NULL };

    if (start == NULL)
        return t;
    *p = start;
    if (start == end) {
        t.kind = TOKEN_END;
    } else if (*start == '=' || *start == ';') {
        t.kind = *start == '=' ? TOKEN_EQUALS : TOKEN_SEMICOLON;
        *p = start + 1;
    } else if (*start == '"') {
        if ((after = quoted_skip(start, end)) == NULL)
            return t;
        t = (struct token){ TOKEN_WORD, { start + 1, (size_t)(after - start - 2) } };
        *p = after;
    } else {
        for (after = start; after < end && !is_space(*after) && strchr("=;(\"", *after) == NULL; after++)
            ;
        t = (struct token){ TOKEN_WORD, { start, (size_t)(after - start) } };
        *p = after;
    }
    return t;
}

/* "dmarc" or "dmarc/1" */
static bool
is_method(struct str word, const char *method)
{
    struct str rest;

    return str_ieqs(str_split(word, '/', &rest), method);
}

static enum mail_dmarc
result_of(struct str word)
{
    if (str_ieqs(word, "pass"))
        return MAIL_DMARC_PASS;
    return str_ieqs(word, "none") ? MAIL_DMARC_NONE : MAIL_DMARC_FAIL;
}

/* Reads one resinfo (method "=" result, then name "=" value pairs) up to ';' or the end. Returns what ended it. */
static enum token_kind
resinfo_read(const char **p, const char *end, bool *seen, enum mail_dmarc *dmarc, struct str *from)
{
    bool first = true, ours = false;
    enum token_kind last;

    for (;;) {
        struct token name = token_next(p, end), equals, value;

        last = name.kind;
        if (last != TOKEN_WORD)
            return last;
        if (first && str_ieqs(name.text, "none")) {
            first = false;
            continue;
        }
        equals = token_next(p, end);
        value = token_next(p, end);
        if (equals.kind != TOKEN_EQUALS || value.kind != TOKEN_WORD)
            return TOKEN_BAD;
        if (first && is_method(name.text, "dmarc")) {
            enum mail_dmarc result = result_of(value.text);

            /* Two results in one field do not happen; should they differ, the lesser one counts. */
            *dmarc = !*seen || *dmarc == result ? result : MAIL_DMARC_FAIL;
            *seen = ours = true;
        } else if (ours && str_ieqs(name.text, "header.from")) {
            *from = value.text;
        }
        first = false;
    }
}

bool
mail_authres_parse(struct str value, const char *authserv_id, enum mail_dmarc *ret_dmarc, struct str *ret_from)
{
    const char *p = value.n == 0 ? "" : value.p, *end = p + value.n;
    struct token t;
    bool seen = false;
    enum mail_dmarc dmarc = MAIL_DMARC_NONE;
    struct str from = STR_NULL;

    t = token_next(&p, end);
    if (t.kind != TOKEN_WORD || !str_ieqs(t.text, authserv_id))
        return false;
    t = token_next(&p, end);               /* the version, which may be absent: 1 is the only one there is */
    if (t.kind == TOKEN_WORD && str_eqs(t.text, "1"))
        t = token_next(&p, end);
    while (t.kind == TOKEN_SEMICOLON)
        t.kind = resinfo_read(&p, end, &seen, &dmarc, &from);
    *ret_dmarc = t.kind == TOKEN_END ? dmarc : MAIL_DMARC_FAIL;
    *ret_from = from;
    return true;
}
