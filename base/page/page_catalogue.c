/*
 * page_catalogue: messages.fr and messages.en.
 *
 *   # a comment
 *   key = text with {placeholder}, one sentence or two
 *       a line that begins with white space continues the text, joined by one space
 *
 * "\n" is a line break, "\{" a brace, "\\" a backslash. Text is plain: it is escaped where it is printed.
 */
#include "base/page/page-internal.h"

#include <stdlib.h>

#define NBSP  "\xc2\xa0"        /* U+00A0, before ':' and inside quotation marks */
#define NNBSP "\xe2\x80\xaf"    /* U+202F, before ';', '!', '?' */

static bool
key_ok(struct str key)
{
    if (key.n == 0 || key.n > 2 * PAGE_NAME_MAX)
        return false;
    for (size_t i = 0; i < key.n; i++) {
        char c = key.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-'))
            return false;
    }
    return true;
}

static bool
name_ok(struct str s)
{
    if (s.n == 0 || s.n >= PAGE_NAME_MAX)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'))
            return false;
    }
    return true;
}

/* Plain spaces of French typography become no-break ones, so that writers need not type them. */
static void
french_spaces(struct str s, struct buf *out)
{
    static const char open[] = "\xc2\xab", close[] = "\xc2\xbb";

    for (size_t i = 0; i < s.n; i++) {
        struct str rest = { s.p + i, s.n - i };

        if (s.p[i] == ' ' && rest.n > 1 && strchr(";!?", rest.p[1]) != NULL) {
            buf_add_lit(out, NNBSP);
        } else if (s.p[i] == ' ' && ((rest.n > 1 && rest.p[1] == ':' && (rest.n == 2 || rest.p[2] == ' ' || rest.p[2] == '\\')) ||
                                     (rest.n > 2 && memcmp(rest.p + 1, close, 2) == 0))) {
            buf_add_lit(out, NBSP);
        } else if (rest.n > 2 && memcmp(rest.p, open, 2) == 0 && rest.p[2] == ' ') {
            buf_add_lit(out, "\xc2\xab" NBSP);
            i += 2;
        } else {
            buf_addc(out, s.p[i]);
        }
    }
}

#define MESSAGES_MAX 4000

static struct message *
message_at(struct catalogue *c, struct str key)
{
    struct message *m;

    for (size_t i = 0; i < c->n; i++)
        if (str_eqs(key, c->messages[i].key))
            return &c->messages[i];
    if (c->n == c->cap) {
        c->cap = c->cap == 0 ? 128 : c->cap * 2;
        c->messages = mem_realloc_array(c->messages, c->cap, sizeof(*c->messages));
    }
    m = &c->messages[c->n++];
    memset(m, 0, sizeof(*m));
    m->key = mem_strndup(key.p, key.n);
    return m;
}

static void
segment_add(struct segment **list, size_t *n, struct str text, struct str name)
{
    *list = mem_realloc_array(*list, *n + 1, sizeof(**list));
    (*list)[(*n)++] = (struct segment){ text, { name.p, name.p == NULL ? 0 : name_hash(name.p, name.n) } };
}

/* Cuts text (in place: escapes shrink it, placeholder names get their NUL) into segments. */
static enum err
segments_cut(char *text, size_t n, struct segment **list, size_t *count, struct why *why)
{
    size_t w = 0, begin = 0;

    for (size_t r = 0; r < n; r++) {
        char *close;

        if (text[r] == '\\' && r + 1 < n) {
            r++;
            text[w++] = text[r] == 'n' ? '\n' : text[r];
            continue;
        }
        if (text[r] == '}')
            return why_set(why, ERR_INPUT, "'}' without '{' (write \\})");
        if (text[r] != '{') {
            text[w++] = text[r];
            continue;
        }
        close = memchr(text + r, '}', n - r);
        if (close == NULL || !name_ok((struct str){ text + r + 1, (size_t)(close - text) - r - 1 }))
            return why_set(why, ERR_INPUT, "'{' that begins no placeholder (write \\{)");
        *close = '\0';
        segment_add(list, count, (struct str){ text + begin, w - begin },
                    (struct str){ text + r + 1, (size_t)(close - text) - r - 1 });
        r = (size_t)(close - text);
        w = begin = r + 1;
    }
    segment_add(list, count, (struct str){ text + begin, w - begin }, STR_NULL);
    return OK;
}

static enum err
message_add(struct catalogue *c, enum lang lang, struct str key, struct str text, int line, struct why *why)
{
    AUTO(buf_free) struct buf spaced = BUF_BOUNDED(PAGE_FILE_MAX);
    struct message *m;

    if (!key_ok(key))
        return why_set(why, ERR_INPUT, "not a message key");
    if (text.n == 0)
        return why_set(why, ERR_INPUT, "message without text");
    if (c->n >= MESSAGES_MAX)
        return why_set(why, ERR_INPUT, "more than %d messages", MESSAGES_MAX);
    m = message_at(c, key);
    if (m->in[lang].line != 0)
        return why_set(why, ERR_INPUT, "message %s is already on line %d", m->key, m->in[lang].line);
    if (lang == LANG_FR)
        french_spaces(text, &spaced);
    else
        buf_add_str(&spaced, text);
    m->in[lang].line = line;
    m->in[lang].text = mem_strndup(spaced.data, spaced.len);
    return segments_cut(m->in[lang].text, spaced.len, &m->in[lang].segments, &m->in[lang].n, why);
}

enum err
catalogue_read(struct catalogue *c, enum lang lang, const char *file, struct str text, struct why *why)
{
    AUTO(buf_free) struct buf value = BUF_BOUNDED(PAGE_FILE_MAX);
    struct str key = STR_NULL, rest = text;
    int line = 0, key_line = 0;
    enum err e = OK;

    if (memchr(text.p == NULL ? "" : text.p, '\0', text.n) != NULL)
        return why_set(why, ERR_INPUT, "%s: NUL byte", file);
    while (e == OK && rest.p != NULL) {
        struct str row = str_split(rest, '\n', &rest), trimmed = str_trim(row);

        line++;
        if (trimmed.n == 0 || trimmed.p[0] == '#')
            continue;
        if (row.p[0] == ' ' || row.p[0] == '\t') {
            if (key.p == NULL) {
                key_line = line;
                e = why_set(why, ERR_INPUT, "continues nothing");
                break;
            }
            if (value.len > 0)
                buf_addc(&value, ' ');
            buf_add_str(&value, trimmed);
            continue;
        }
        if (key.p != NULL && (e = message_add(c, lang, key, buf_view(&value), key_line, why)) != OK)
            break;
        buf_reset(&value);
        key_line = line;
        key = str_trim(str_split(trimmed, '=', &trimmed));
        if (trimmed.p == NULL)
            e = why_set(why, ERR_INPUT, "no '='");
        else
            buf_add_str(&value, str_trim(trimmed));
    }
    if (e == OK && key.p != NULL)
        e = message_add(c, lang, key, buf_view(&value), key_line, why);
    if (e != OK)
        why_prepend(why, "%s:%d", file, key_line);
    return e;
}

static int
message_compare(const void *a, const void *b)
{
    return strcmp(((const struct message *)a)->key, ((const struct message *)b)->key);
}

static bool
has_placeholder(const struct message *m, enum lang lang, const char *name)
{
    for (size_t i = 0; i < m->in[lang].n; i++)
        if (m->in[lang].segments[i].name.p != NULL && strcmp(m->in[lang].segments[i].name.p, name) == 0)
            return true;
    return false;
}

static enum err
message_check(const struct message *m, enum lang lang, enum lang other, struct why *why)
{
    static const char *const files[LANG_COUNT] = { [LANG_FR] = "messages.fr", [LANG_EN] = "messages.en" };

    if (m->in[lang].line == 0)
        return why_set(why, ERR_INPUT, "%s:%d: message %s is missing in %s", files[other], m->in[other].line, m->key,
                       files[lang]);
    for (size_t i = 0; i < m->in[lang].n; i++) {
        const char *name = m->in[lang].segments[i].name.p;

        if (name != NULL && m->in[other].line != 0 && !has_placeholder(m, other, name))
            return why_set(why, ERR_INPUT, "%s:%d: message %s lacks {%s}, which %s has", files[other],
                           m->in[other].line, m->key, name, files[lang]);
    }
    return OK;
}

enum err
catalogue_check(struct catalogue *c, struct why *why)
{
    if (c->n > 0)
        qsort(c->messages, c->n, sizeof(*c->messages), message_compare);
    for (size_t i = 0; i < c->n; i++) {
        enum err e;

        if ((e = message_check(&c->messages[i], LANG_FR, LANG_EN, why)) != OK ||
            (e = message_check(&c->messages[i], LANG_EN, LANG_FR, why)) != OK)
            return e;
    }
    return OK;
}

const struct message *
catalogue_find(const struct catalogue *c, struct str key)
{
    size_t low = 0, high = c->n;

    while (low < high) {
        size_t mid = (low + high) / 2;
        const char *k = c->messages[mid].key;
        int order = strncmp(k, key.p, key.n);

        if (order == 0 && k[key.n] == '\0')
            return &c->messages[mid];
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

void
catalogue_done(struct catalogue *c)
{
    for (size_t i = 0; i < c->n; i++) {
        for (int l = 0; l < LANG_COUNT; l++) {
            mem_freep(&c->messages[i].in[l].segments);
            mem_freep(&c->messages[i].in[l].text);
        }
        mem_freep(&c->messages[i].key);
    }
    mem_freep(&c->messages);
    c->n = c->cap = 0;
}
