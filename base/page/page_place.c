/*
 * page_place: where in HTML a byte of a template stands, learnt while the template is compiled.
 *
 * Not a parser of the world's HTML: it knows the HTML we write (DESIGN rule 12, STYLE §11) and refuses the rest, so
 * that every value has one known place and one known escaping. No unquoted or single-quoted attribute, no inline
 * script or style, no handler attribute. Nothing here runs while a page is rendered.
 */
#include "base/page/page-internal.h"

#include <ctype.h>

static bool
is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool
is_name_char(char c)
{
    return isalnum((unsigned char)c) || c == '-' || c == '_' || c == ':' || c == '.';
}

static bool
is_one_of(const char *name, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(name, list[i]) == 0)
            return true;
    return false;
}

static bool
attr_is_url(const char *attr)
{
    static const char *const urls[] = { "href",       "src",    "action", "formaction", "cite",
                                        "xlink:href", "poster", "data",   "background", "manifest" };
    return is_one_of(attr, urls, ARRAY_LEN(urls));
}

/* Attributes whose content is code, or a list of addresses that no single escaping covers. */
static bool
attr_is_refused(const char *attr)
{
    static const char *const refused[] = { "style", "srcdoc", "srcset", "ping" };
    return strncmp(attr, "on", 2) == 0 || is_one_of(attr, refused, ARRAY_LEN(refused));
}

static enum err
name_add(char *name, uint8_t *n, char c, struct why *why)
{
    if (*n >= PAGE_NAME_MAX - 1)
        return why_set(why, ERR_INPUT, "name too long");
    name[(*n)++] = (char)tolower((unsigned char)c);
    name[*n] = '\0';
    return OK;
}

static void
tag_begin(struct place *p, bool closing)
{
    p->kind = PLACE_TAG_NAME;
    p->closing = closing;
    p->ntag = 0;
    p->tag[0] = '\0';
}

static void
tag_end(struct place *p)
{
    bool raw = !p->closing && (strcmp(p->tag, "script") == 0 || strcmp(p->tag, "style") == 0);

    p->kind = raw ? PLACE_EMPTY : PLACE_TEXT;
    p->closing = false;
    p->dashes = 0;
}

static enum err
after_lt(struct place *p, char c, struct why *why)
{
    if (c == '/') {
        tag_begin(p, true);
        return OK;
    }
    if (c == '!') {
        p->kind = PLACE_DECLARATION;
        p->dashes = 0;
        return OK;
    }
    if (!isalpha((unsigned char)c))
        return why_set(why, ERR_INPUT, "'<' that begins no tag (write &lt;)");
    tag_begin(p, false);
    return name_add(p->tag, &p->ntag, c, why);
}

/* White space, '/' or '>' inside a tag; false: c is something else. */
static bool
tag_moves_on(struct place *p, char c)
{
    if (is_space(c))
        p->kind = PLACE_TAG;
    else if (c == '/')
        p->kind = PLACE_TAG_EDGE;
    else if (c == '>')
        tag_end(p);
    else
        return false;
    return true;
}

static enum err
attr_begin(struct place *p, char c, struct why *why)
{
    if (p->closing || !is_name_char(c))
        return why_set(why, ERR_INPUT, "'%c' does not begin an attribute", c);
    p->kind = PLACE_ATTR_NAME;
    p->nattr = 0;
    return name_add(p->attr, &p->nattr, c, why);
}

static enum err
attr_named(struct place *p, struct why *why)
{
    if (attr_is_refused(p->attr))
        return why_set(why, ERR_INPUT, "attribute %s is not allowed here", p->attr);
    p->kind = PLACE_EQUALS;
    p->url = attr_is_url(p->attr);
    p->datetime = strcmp(p->attr, "datetime") == 0;
    p->value_began = false;
    return OK;
}

/* Nothing but the end tag: scripts and styles are files. */
static enum err
inside_empty(struct place *p, char c, struct why *why)
{
    if (p->dashes == 0 && c == '<') {
        p->dashes = 1;
        return OK;
    }
    if (p->dashes == 1 && c == '/') {
        tag_begin(p, true);
        return OK;
    }
    return why_set(why, ERR_INPUT, "<%s> must be empty: scripts and styles are files", p->tag);
}

static void
inside_declaration(struct place *p, char c)
{
    if (c == '-' && p->dashes < 2) {
        if (++p->dashes == 2) {
            p->kind = PLACE_COMMENT;
            p->dashes = 0;
        }
        return;
    }
    p->dashes = 3;             /* a declaration, not a comment */
    if (c == '>')
        p->kind = PLACE_TEXT;
}

static void
inside_comment(struct place *p, char c)
{
    if (c == '>' && p->dashes >= 2)
        p->kind = PLACE_TEXT;
    p->dashes = c != '-' ? 0 : p->dashes < 2 ? p->dashes + 1 : 2;
}

static enum err
place_step(struct place *p, char c, struct why *why)
{
    switch (p->kind) {
    case PLACE_PLAIN:
        return OK;
    case PLACE_TEXT:
        if (c == '<')
            p->kind = PLACE_LT;
        return OK;
    case PLACE_LT:
        return after_lt(p, c, why);
    case PLACE_TAG_NAME:
        if (p->ntag > 0 && tag_moves_on(p, c))
            return OK;
        if (!is_name_char(c))
            return why_set(why, ERR_INPUT, "'%c' in the name of a tag", c);
        return name_add(p->tag, &p->ntag, c, why);
    case PLACE_TAG:
        if (tag_moves_on(p, c))
            return OK;
        return attr_begin(p, c, why);
    case PLACE_TAG_EDGE:
        if (tag_moves_on(p, c))
            return OK;
        return why_set(why, ERR_INPUT, "white space must come before '%c'", c);
    case PLACE_ATTR_NAME:
        if (c == '=')
            return attr_named(p, why);
        if (tag_moves_on(p, c))
            return OK;
        if (!is_name_char(c))
            return why_set(why, ERR_INPUT, "'%c' in the name of an attribute", c);
        return name_add(p->attr, &p->nattr, c, why);
    case PLACE_EQUALS:
        if (c != '"')
            return why_set(why, ERR_INPUT, "the value of %s is not in double quotes", p->attr);
        p->kind = PLACE_VALUE;
        return OK;
    case PLACE_VALUE:
        if (c == '"')
            p->kind = PLACE_TAG_EDGE;
        else
            p->value_began = true;
        return OK;
    case PLACE_EMPTY:
        return inside_empty(p, c, why);
    case PLACE_DECLARATION:
        inside_declaration(p, c);
        return OK;
    case PLACE_COMMENT:
        inside_comment(p, c);
        return OK;
    }
    return why_set(why, ERR_INTERNAL, "unknown place");
}

enum err
place_walk(struct place *p, struct str text, size_t *ret_bad, struct why *why)
{
    for (size_t i = 0; i < text.n; i++) {
        enum err e = place_step(p, text.p[i], why);

        if (e != OK) {
            *ret_bad = i;
            return e;
        }
    }
    return OK;
}

enum err
place_value(struct place *p, enum esc *ret, struct why *why)
{
    if (p->kind == PLACE_PLAIN) {
        *ret = ESC_NONE;
        return OK;
    }
    if (p->kind == PLACE_TEXT) {
        *ret = ESC_HTML;
        return OK;
    }
    if (p->kind != PLACE_VALUE)
        return why_set(why, ERR_INPUT, "a value may stand in text and in quoted attributes only");
    *ret = p->datetime ? ESC_DATETIME : !p->url ? ESC_HTML : p->value_began ? ESC_URL_PART : ESC_URL_WHOLE;
    p->value_began = true;
    return OK;
}

static bool
in_tag(const struct place *p)
{
    return p->kind == PLACE_TAG || p->kind == PLACE_TAG_EDGE || p->kind == PLACE_ATTR_NAME;
}

enum err
place_join(struct place *p, const struct place *from, struct why *why)
{
    bool same = p->kind == from->kind;

    if (same && (p->kind == PLACE_PLAIN || p->kind == PLACE_TEXT || p->kind == PLACE_TAG))
        return OK;
    if (same && p->kind == PLACE_VALUE && strcmp(p->attr, from->attr) == 0) {
        /* After "maybe begun" the careful escaping holds: ESC_URL_PART is safe at the start of a URL too. */
        p->value_began = true;
        return OK;
    }
    if (from->kind == PLACE_TAG_EDGE && in_tag(p) && strcmp(p->tag, from->tag) == 0) {
        p->kind = PLACE_TAG_EDGE;
        return OK;
    }
    return why_set(why, ERR_INPUT, "a section must end in the place of HTML where it began");
}
