/*
 * message_html: the text of an HTML mail, for finding a code in it.
 *
 * Not a browser: one pass, no tree, no failure. Elements that a reader does not see, quotes and signatures are left
 * out together with what they hold; elements that start a new line on screen end the line; entities are decoded.
 * The result is text for mail_text_own() and code_scan(), never HTML for anybody.
 */
#include <ctype.h>
#include <strings.h>

#include "base/mail/message-internal.h"

#define TAG_NAME_MAX 15

static const char *const hidden[] = { "style", "script", "head", "title", "blockquote", "template", "noscript", "svg" };
static const char *const blocks[] = {
    "p", "div", "br", "tr", "li", "ul", "ol", "table", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "pre", "section",
    "article", "header", "footer", "dt", "dd", "address", "body", "html",
};
/* Words in class or id by which mail programs mark what the person did not write this time. */
static const char *const marks[] = { "gmail_quote", "gmail_signature", "yahoo_quoted", "moz-cite-prefix", "moz-signature",
                                     "moz-forward-container", "divrplyfwdmsg", "protonmail_quote", "protonmail_signature",
                                     "tutanota_quote" };

static const struct {
    const char *name;
    const char *utf8;
} entities[] = {
    { "amp", "&" }, { "lt", "<" }, { "gt", ">" }, { "quot", "\"" }, { "apos", "'" }, { "nbsp", "\xc2\xa0" },
    { "shy", "\xc2\xad" }, { "ndash", "\xe2\x80\x93" }, { "mdash", "\xe2\x80\x94" }, { "horbar", "\xe2\x80\x95" },
    { "hyphen", "\xe2\x80\x90" }, { "minus", "\xe2\x88\x92" }, { "laquo", "\xc2\xab" }, { "raquo", "\xc2\xbb" },
    { "lsquo", "\xe2\x80\x98" }, { "rsquo", "\xe2\x80\x99" }, { "ldquo", "\xe2\x80\x9c" }, { "rdquo", "\xe2\x80\x9d" },
    { "hellip", "\xe2\x80\xa6" }, { "middot", "\xc2\xb7" }, { "bull", "\xe2\x80\xa2" }, { "ensp", "\xe2\x80\x82" },
    { "emsp", "\xe2\x80\x83" }, { "thinsp", "\xe2\x80\x89" }, { "zwnj", "\xe2\x80\x8c" }, { "zwj", "\xe2\x80\x8d" },
    { "agrave", "\xc3\xa0" }, { "acirc", "\xc3\xa2" }, { "ccedil", "\xc3\xa7" }, { "eacute", "\xc3\xa9" },
    { "egrave", "\xc3\xa8" }, { "ecirc", "\xc3\xaa" }, { "euml", "\xc3\xab" }, { "icirc", "\xc3\xae" },
    { "iuml", "\xc3\xaf" }, { "ocirc", "\xc3\xb4" }, { "ugrave", "\xc3\xb9" }, { "ucirc", "\xc3\xbb" },
    { "Eacute", "\xc3\x89" }, { "Agrave", "\xc3\x80" }, { "oelig", "\xc5\x93" }, { "euro", "\xe2\x82\xac" },
};

struct tag {
    char name[TAG_NAME_MAX + 1];  /* lower case, cut */
    bool closing;
    bool self_closing;
    struct str attributes;        /* as written */
};

/* What the rest of the input cannot hold any more; keeps the pass linear whatever the input. */
struct scan {
    const char *end;
    bool no_quotes;               /* a quoted attribute value ran to the end: quotes mean nothing from then on */
    bool no_tags;                 /* there is no '>' left */
};

static bool
name_in(const char *name, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(name, list[i]) == 0)
            return true;
    return false;
}

/* Where the tag whose attributes begin at p ends ('>'); NULL when nowhere. */
static const char *
tag_end(const char *p, struct scan *scan)
{
    char quote = '\0';
    const char *q = p, *end = scan->end;

    if (!scan->no_quotes) {
        for (; q < end && (quote != '\0' || *q != '>'); q++) {
            if (quote != '\0')
                quote = *q == quote ? '\0' : quote;
            else if ((*q == '"' || *q == '\'') && q[-1] == '=')
                quote = *q;
        }
        if (q < end)
            return q;
        scan->no_quotes = true;
    }
    if (!scan->no_tags && (q = memchr(p, '>', (size_t)(end - p))) != NULL)
        return q;
    scan->no_tags = true;
    return NULL;
}

/* From p (at '<') to the byte after the tag, comment or declaration; NULL when it does not end or is no markup. */
static const char *
tag_take(const char *p, struct scan *scan, struct tag *ret)
{
    size_t n = 0;
    const char *q = p + 1, *end = scan->end;
    struct tag t = { "", false, false, STR_NULL };

    if (scan->no_tags)
        return NULL;
    if ((size_t)(end - p) >= 4 && memcmp(p, "<!--", 4) == 0) {
        const char *close = memmem(p + 4, (size_t)(end - p - 4), "-->", 3);

        *ret = t;
        return close == NULL ? end : close + 3;
    }
    if (q < end && *q == '/') {
        t.closing = true;
        q++;
    }
    if (q == end || (!isalpha((unsigned char)*q) && *q != '!' && *q != '?'))
        return NULL;
    for (; q < end && n < TAG_NAME_MAX && strchr(" \t\r\n/>", *q) == NULL; q++)
        t.name[n++] = (char)tolower((unsigned char)*q);
    t.attributes.p = q;
    if ((q = tag_end(q, scan)) == NULL)
        return NULL;
    t.attributes.n = (size_t)(q - t.attributes.p);
    t.self_closing = t.attributes.n > 0 && q[-1] == '/';
    *ret = t;
    return q + 1;
}

static bool
is_marked(const struct tag *t)
{
    for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
        size_t n = strlen(marks[i]);

        for (size_t at = 0; at + n <= t->attributes.n; at++)
            if (strncasecmp(t->attributes.p + at, marks[i], n) == 0)
                return true;
    }
    return false;
}

static bool
is_void(const char *name)
{
    static const char *const list[] = { "br", "hr", "img", "meta", "link", "input", "col", "area", "base", "wbr" };

    return name[0] == '!' || name[0] == '?' || name_in(name, list, ARRAY_LEN(list));
}

/* After the start tag t of an element to leave out: the byte after its end tag, or the end. Elements of the same name
 * inside are counted; in style and script nothing but the end tag means anything. */
static const char *
element_skip(const char *p, struct scan *scan, const struct tag *t)
{
    const char *end = scan->end;
    bool raw = strcmp(t->name, "style") == 0 || strcmp(t->name, "script") == 0;
    int depth = 1;

    while (p < end && depth > 0) {
        struct tag inner;
        const char *after;

        if ((p = memchr(p, '<', (size_t)(end - p))) == NULL)
            return end;
        if (raw && (end - p < 2 || p[1] != '/')) {
            p++;
            continue;
        }
        if ((after = tag_take(p, scan, &inner)) == NULL) {
            p++;
            continue;
        }
        p = after;
        if (strcmp(inner.name, t->name) == 0 && !inner.self_closing)
            depth += inner.closing ? -1 : 1;
    }
    return p;
}

static void
codepoint_add(uint32_t c, struct buf *out)
{
    if (c < 0x80) {
        buf_addc(out, c < 0x20 || c == 0x7f ? ' ' : (char)c);
    } else if (c < 0x800) {
        buf_addc(out, (char)(0xc0 | (c >> 6)));
        buf_addc(out, (char)(0x80 | (c & 0x3f)));
    } else if (c < 0x10000) {
        buf_addc(out, (char)(0xe0 | (c >> 12)));
        buf_addc(out, (char)(0x80 | ((c >> 6) & 0x3f)));
        buf_addc(out, (char)(0x80 | (c & 0x3f)));
    } else {
        buf_addc(out, (char)(0xf0 | (c >> 18)));
        buf_addc(out, (char)(0x80 | ((c >> 12) & 0x3f)));
        buf_addc(out, (char)(0x80 | ((c >> 6) & 0x3f)));
        buf_addc(out, (char)(0x80 | (c & 0x3f)));
    }
}

/* "#8209", "#x2011" */
static bool
number_add(struct str digits, struct buf *out)
{
    uint32_t c = 0, base = 10;

    if (digits.n > 0 && (digits.p[0] == 'x' || digits.p[0] == 'X')) {
        base = 16;
        digits = (struct str){ digits.p + 1, digits.n - 1 };
    }
    if (digits.n == 0 || digits.n > 8)
        return false;
    for (size_t i = 0; i < digits.n; i++) {
        unsigned char d = (unsigned char)digits.p[i];
        uint32_t v = isdigit(d) ? (uint32_t)d - '0' : isxdigit(d) ? (uint32_t)tolower(d) - 'a' + 10 : 99;

        if (v >= base || c > 0x10ffff)
            return false;
        c = c * base + v;
    }
    codepoint_add(c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) || c == 0 ? 0xfffd : c, out);
    return true;
}

/* From p (at '&') to the byte after the entity, decoded into out; NULL when it is none. */
static const char *
entity_take(const char *p, const char *end, struct buf *out)
{
    size_t n = 1, left = (size_t)(end - p);
    struct str name;

    while (n < left && n < 12 && (isalnum((unsigned char)p[n]) || p[n] == '#'))
        n++;
    if (n == left || p[n] != ';' || n == 1)
        return NULL;
    name = (struct str){ p + 1, n - 1 };
    if (name.p[0] == '#')
        return number_add((struct str){ name.p + 1, name.n - 1 }, out) ? p + n + 1 : NULL;
    for (size_t i = 0; i < ARRAY_LEN(entities); i++) {
        if (str_eqs(name, entities[i].name)) {
            buf_adds(out, entities[i].utf8);
            return p + n + 1;
        }
    }
    return NULL;
}

void
mail_text_strip_html(struct str in, struct buf *out)
{
    const char *p = in.n == 0 ? "" : in.p, *end = p + in.n, *after;
    struct scan scan = { end, false, false };

    while (p < end && buf_ok(out)) {
        struct tag t;

        if (*p == '<' && (after = tag_take(p, &scan, &t)) != NULL) {
            bool skip = !t.closing && !t.self_closing && !is_void(t.name) &&
                        (name_in(t.name, hidden, ARRAY_LEN(hidden)) || is_marked(&t));

            if (name_in(t.name, blocks, ARRAY_LEN(blocks)))
                buf_addc(out, '\n');
            p = skip ? element_skip(after, &scan, &t) : after;
        } else if (*p == '&' && (after = entity_take(p, end, out)) != NULL) {
            p = after;
        } else {
            buf_addc(out, *p == '\n' || *p == '\r' || *p == '\t' ? ' ' : *p);
            p++;
        }
    }
}
