/*
 * page_compile: a template becomes, for each language, a flat program: text, values, sections.
 *
 * Includes and messages are put in place here, with their text already escaped for where it stands; what is left for
 * the rendering are the values. A program is a list of nodes over one text, without pointers to its sources.
 */
#include "base/page/page-internal.h"

#include <stdio.h>

struct param {
    struct str name, value;
};

struct declared {
    struct str name;
    bool optional, used;
    int line;
};

/* One file on the way from the page to the innermost include. */
struct frame {
    struct frame *outer;
    const struct page_file *file;
    struct param *params;
    size_t nparams;
    struct declared *declared;
    size_t ndeclared;
    size_t at;                       /* offset of the tag being compiled, for the line in errors */
    size_t depth;
};

struct section {
    struct str name;
    bool once;                       /* {{#x?}} */
    const struct frame *frame;
    uint32_t node;
    struct place from;
};

struct compiler {
    const struct compile_env *env;
    enum lang lang;
    struct program *program;
    struct place place;
    struct section sections[PAGE_DEPTH_MAX];
    size_t nsections;
    size_t includes;                 /* so far: stops include bombs */
};

#define INCLUDES_MAX 2000
#define DECLARED_MAX 100
#define PARAMS_MAX   16

static enum err text_compile(struct compiler *c, struct frame *f, struct str text, size_t offset, struct why *why);

static int
line_of(struct str text, size_t offset)
{
    int line = 1;

    for (size_t i = 0; i < offset && i < text.n; i++)
        line += text.p[i] == '\n';
    return line;
}

/* --- the program -------------------------------------------------------------------------------------------- */
static struct node *
node_add(struct program *p, enum op op)
{
    if (p->n == p->cap) {
        p->cap = p->cap == 0 ? 32 : p->cap * 2;
        p->nodes = mem_realloc_array(p->nodes, p->cap, sizeof(*p->nodes));
    }
    memset(&p->nodes[p->n], 0, sizeof(p->nodes[0]));
    p->nodes[p->n].op = op;
    return &p->nodes[p->n++];
}

/* Text that begins at offset begin of the program's text becomes a node, or part of the one before it. */
static void
text_node(struct program *p, size_t begin)
{
    struct node *last = p->n == 0 ? NULL : &p->nodes[p->n - 1];

    if (p->text.len == begin)
        return;
    if (last == NULL || last->op != OP_TEXT)
        node_add(p, OP_TEXT)->a = (uint32_t)begin;
    last = &p->nodes[p->n - 1];
    last->b = (uint32_t)(p->text.len - last->a);
}

static enum err
markup_add(struct compiler *c, struct frame *f, struct str text, size_t offset, struct why *why)
{
    size_t begin = c->program->text.len, bad = 0;
    enum err e = place_walk(&c->place, text, &bad, why);

    if (e != OK) {
        f->at = offset + bad;
        return e;
    }
    buf_add_str(&c->program->text, text);
    text_node(c->program, begin);
    return OK;
}

static void
escaped_add(struct compiler *c, enum esc esc, struct str text)
{
    size_t begin = c->program->text.len;

    esc_write(&c->program->text, esc, text);
    text_node(c->program, begin);
}

/* --- names -------------------------------------------------------------------------------------------------- */
static bool
name_ok(struct str s)
{
    if (s.n == 0 || s.n >= PAGE_NAME_MAX)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char ch = s.p[i];

        if (!((ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9') || ch == '_'))
            return false;
    }
    return true;
}

/* A copy that lives as long as the set; NULL when its templates name too much. */
static char *
pool_str(struct compiler *c, struct str s)
{
    char *p = arena_try_alloc(c->env->set->pool, s.n + 1);

    if (p != NULL && s.n > 0)
        memcpy(p, s.p, s.n);
    return p;
}

/* The declaration of a name, in this file or in one that includes it. */
static enum err
name_resolve(struct compiler *c, struct frame *f, struct str text, struct name *ret_name, bool *ret_optional,
             struct why *why)
{
    struct declared *d = NULL;

    if (!name_ok(text))
        return why_set(why, ERR_INPUT, "\"%.*s\" is no name of a value", (int)(text.n < 40 ? text.n : 40), text.p);
    for (struct frame *at = f; at != NULL; at = at->outer)
        for (size_t i = 0; i < at->ndeclared; i++)
            if (at->declared[i].name.n == text.n && memcmp(at->declared[i].name.p, text.p, text.n) == 0) {
                at->declared[i].used = true;
                d = d == NULL ? &at->declared[i] : d;
            }
    if (d == NULL)
        return why_set(why, ERR_INPUT, "value %.*s is not in the list {{!takes}} of its file", (int)text.n, text.p);
    *ret_optional = d->optional;
    if ((ret_name->p = pool_str(c, text)) == NULL)
        return why_set(why, ERR_INPUT, "the templates are too large");
    ret_name->hash = name_hash(text.p, text.n);
    return OK;
}

static bool
is_blank(char ch)
{
    return ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r';
}

/* The next word of *rest, which loses it; n = 0 at the end. */
static struct str
word_next(struct str *rest)
{
    struct str word;
    size_t i = 0, j;

    while (i < rest->n && is_blank(rest->p[i]))
        i++;
    for (j = i; j < rest->n && !is_blank(rest->p[j]);)
        j++;
    word = (struct str){ rest->p + i, j - i };
    *rest = (struct str){ rest->p + j, rest->n - j };
    return word;
}

static enum err
declare_one(struct frame *f, struct str word, int line, struct why *why)
{
    struct declared d = { word, false, false, line };

    if (word.n > 1 && word.p[word.n - 1] == '?') {
        d.optional = true;
        d.name.n--;
    } else if (word.n > 2 && memcmp(word.p + word.n - 2, "[]", 2) == 0) {
        d.name.n -= 2;
    }
    for (size_t i = d.name.n; i > 0; i--)
        if (d.name.p[i - 1] == '.') {
            d.name.p += i;
            d.name.n -= i;
            break;
        }
    if (!name_ok(d.name))
        return why_set(why, ERR_INPUT, "\"%.*s\" is no name of a value", (int)(word.n < 40 ? word.n : 40), word.p);
    for (size_t i = 0; i < f->ndeclared; i++)
        if (f->declared[i].name.n == d.name.n && memcmp(f->declared[i].name.p, d.name.p, d.name.n) == 0) {
            f->declared[i].optional |= d.optional;
            return OK;
        }
    if (f->ndeclared == DECLARED_MAX)
        return why_set(why, ERR_INPUT, "more than %d values", DECLARED_MAX);
    if (f->declared == NULL)
        f->declared = mem_alloc_array(DECLARED_MAX, sizeof(*f->declared));
    f->declared[f->ndeclared++] = d;
    return OK;
}

/* "!takes": one value per line. */
static enum err
declare_all(struct frame *f, struct str body, struct why *why)
{
    int line = line_of(f->file->text, f->at);

    (void)str_split(body, '\n', &body);          /* what follows "takes" on its line is for people */
    while (body.p != NULL) {
        struct str row = str_split(body, '\n', &body), word = word_next(&row);
        enum err e;

        line++;
        if (word.n > 0 && (e = declare_one(f, word, line, why)) != OK)
            return e;
    }
    return OK;
}

/* --- parameters --------------------------------------------------------------------------------------------- */
/* Innermost first: an include inherits what its includer was given. */
static const struct str *
param_find(const struct frame *f, struct str name)
{
    for (; f != NULL; f = f->outer)
        for (size_t i = 0; i < f->nparams; i++)
            if (f->params[i].name.n == name.n && memcmp(f->params[i].name.p, name.p, name.n) == 0)
                return &f->params[i].value;
    return NULL;
}

/* A tag's content with each @name replaced; in the pool when something was. */
static enum err
params_expand(struct compiler *c, const struct frame *f, struct str in, struct str *ret, struct why *why)
{
    AUTO(buf_free) struct buf out = BUF_BOUNDED(4096);

    if (memchr(in.p == NULL ? "" : in.p, '@', in.n) == NULL) {
        *ret = in;
        return OK;
    }
    for (size_t i = 0; i < in.n; i++) {
        struct str name = { in.p + i + 1, 0 };
        const struct str *value;

        if (in.p[i] != '@') {
            buf_addc(&out, in.p[i]);
            continue;
        }
        while (i + 1 + name.n < in.n && name_ok((struct str){ name.p + name.n, 1 }))
            name.n++;
        if ((value = param_find(f, name)) == NULL)
            return why_set(why, ERR_INPUT, "parameter @%.*s was not given", (int)name.n, name.p);
        buf_add_str(&out, *value);
        i += name.n;
    }
    if (!buf_ok(&out))
        return why_set(why, ERR_INPUT, "tag too long");
    *ret = (struct str){ pool_str(c, buf_view(&out)), out.len };
    return ret->p != NULL ? OK : why_set(why, ERR_INPUT, "the templates are too large");
}

/* p=q p="q r" */
static enum err
params_parse(struct compiler *c, const struct frame *f, struct str in, struct param *params, size_t *n,
             struct why *why)
{
    struct str rest = str_trim(in);

    while (rest.n > 0) {
        struct param *p = &params[*n];
        struct str raw;
        enum err e;

        if (*n == PARAMS_MAX)
            return why_set(why, ERR_INPUT, "more than %d parameters", PARAMS_MAX);
        p->name = str_split(rest, '=', &rest);
        if (rest.p == NULL || !name_ok(p->name))
            return why_set(why, ERR_INPUT, "parameters are written name=value");
        if (rest.n > 0 && rest.p[0] == '"') {
            rest = (struct str){ rest.p + 1, rest.n - 1 };
            raw = str_split(rest, '"', &rest);
            if (rest.p == NULL)
                return why_set(why, ERR_INPUT, "quote without end");
        } else {
            raw = word_next(&rest);
        }
        if ((e = params_expand(c, f, raw, &p->value, why)) != OK)
            return e;
        (*n)++;
        rest = str_trim(rest);
    }
    return OK;
}

static void
params_add(struct param *params, size_t *n, const char *name, const char *value)
{
    params[(*n)++] = (struct param){ str_of(name), str_of(value) };
}

/* --- tags --------------------------------------------------------------------------------------------------- */
static enum err
value_add(struct compiler *c, struct frame *f, struct str text, struct why *why)
{
    struct name name;
    struct node *node;
    enum esc esc;
    bool optional;
    enum err e;

    if ((e = name_resolve(c, f, str_trim(text), &name, &optional, why)) != OK ||
        (e = place_value(&c->place, &esc, why)) != OK)
        return e;
    node = node_add(c->program, OP_VALUE);
    node->name = name;
    node->esc = esc;
    node->optional = optional;
    return OK;
}

static enum err
html_add(struct compiler *c, struct frame *f, struct str text, struct why *why)
{
    struct name name;
    struct node *node;
    bool optional;
    enum err e;

    if ((e = name_resolve(c, f, str_trim(text), &name, &optional, why)) != OK)
        return e;
    if (c->place.kind != PLACE_TEXT)
        return why_set(why, ERR_INPUT, "{{{%s}}} may stand in HTML text only", name.p);
    node = node_add(c->program, OP_HTML);
    node->name = name;
    node->optional = optional;
    return OK;
}

static enum err
literal_add(struct compiler *c, struct str text, struct why *why)
{
    enum esc esc;
    enum err e;

    if ((e = place_value(&c->place, &esc, why)) != OK)
        return e;
    /* The author's own text: what begins or continues a URL is written as the author wrote it. */
    escaped_add(c, esc == ESC_NONE ? ESC_NONE : ESC_HTML, text);
    return OK;
}

static enum err
message_add(struct compiler *c, struct frame *f, struct str key, struct why *why)
{
    const struct message *m = catalogue_find(&c->env->set->catalogue, key);
    enum esc esc;
    enum err e;

    if (m == NULL)
        return why_set(why, ERR_INPUT, "no message %.*s", (int)(key.n < 100 ? key.n : 100), key.p);
    if ((e = place_value(&c->place, &esc, why)) != OK)
        return e;
    if (esc == ESC_URL_WHOLE || esc == ESC_URL_PART)
        esc = ESC_URL_PART;
    for (size_t i = 0; i < m->in[c->lang].n; i++) {
        const struct segment *s = &m->in[c->lang].segments[i];
        struct node *node;
        struct name name;
        bool optional;

        escaped_add(c, esc, s->text);
        if (s->name.p == NULL)
            continue;
        if ((e = name_resolve(c, f, str_of(s->name.p), &name, &optional, why)) != OK) {
            why_prepend(why, "message %s", m->key);
            return e;
        }
        node = node_add(c->program, OP_VALUE);
        node->name = name;
        node->esc = esc;
        node->optional = optional;
    }
    return OK;
}

static enum err
section_begin(struct compiler *c, struct frame *f, enum op op, struct str text, struct why *why)
{
    struct section *s;
    struct name name;
    bool optional, once;
    enum err e;

    text = str_trim(text);
    once = op == OP_SECTION && text.n > 1 && text.p[text.n - 1] == '?';
    if (once)
        text.n--;
    if ((e = name_resolve(c, f, text, &name, &optional, why)) != OK)
        return e;
    if (c->nsections == PAGE_DEPTH_MAX)
        return why_set(why, ERR_INPUT, "more than %d sections inside each other", PAGE_DEPTH_MAX);
    if (c->place.kind == PLACE_TAG_NAME || c->place.kind == PLACE_ATTR_NAME)
        c->place.kind = PLACE_TAG_EDGE;
    s = &c->sections[c->nsections++];
    s->name = str_of(name.p);
    s->once = once;
    s->frame = f;
    s->node = (uint32_t)c->program->n;
    s->from = c->place;
    node_add(c->program, op)->name = name;
    c->program->nodes[s->node].optional = once;
    return OK;
}

static enum err
section_end(struct compiler *c, struct frame *f, struct str text, struct why *why)
{
    struct str name = str_trim(text);
    struct section *s = c->nsections == 0 ? NULL : &c->sections[c->nsections - 1];
    enum err e;

    if (s != NULL && s->once && name.n > 1 && name.p[name.n - 1] == '?')
        name.n--;
    if (s == NULL || s->frame != f || !str_eq(name, s->name))
        return why_set(why, ERR_INPUT, "{{/%.*s}} ends no section begun here", (int)(name.n < 40 ? name.n : 40),
                       name.p);
    if ((e = place_join(&c->place, &s->from, why)) != OK)
        return e;
    node_add(c->program, OP_END)->a = s->node;
    c->program->nodes[s->node].a = (uint32_t)c->program->n;
    c->nsections--;
    return OK;
}

static const struct page_file *
file_find(const struct compile_env *env, struct str name)
{
    for (size_t i = 0; i < env->nfiles; i++)
        if (str_eqs(name, env->files[i].name))
            return &env->files[i];
    return NULL;
}

static void
frame_done(struct frame *f)
{
    mem_freep(&f->declared);
}

/* The whole of a file; its sections must be closed in it. */
static enum err
frame_compile(struct compiler *c, struct frame *f, struct why *why)
{
    size_t sections = c->nsections;
    enum err e = text_compile(c, f, f->file->text, 0, why);

    if (e == OK && c->nsections != sections)
        e = why_set(why, ERR_INPUT, "section %.*s has no end",
                    (int)c->sections[c->nsections - 1].name.n, c->sections[c->nsections - 1].name.p);
    if (e != OK)
        why_prepend(why, "%s:%d", f->file->name, line_of(f->file->text, f->at));
    return e;
}

static enum err
include_add(struct compiler *c, struct frame *f, struct str text, struct why *why)
{
    struct param params[PARAMS_MAX];
    struct str rest = text, name = word_next(&rest);
    AUTO(frame_done) struct frame inner = { .outer = f, .params = params, .depth = f->depth + 1 };
    enum err e;

    if ((inner.file = file_find(c->env, name)) == NULL)
        return why_set(why, ERR_INPUT, "no file %.*s", (int)(name.n < 100 ? name.n : 100), name.p);
    for (const struct frame *at = f; at != NULL; at = at->outer)
        if (at->file == inner.file)
            return why_set(why, ERR_INPUT, "%s includes itself", inner.file->name);
    if (inner.depth > PAGE_DEPTH_MAX || ++c->includes > INCLUDES_MAX)
        return why_set(why, ERR_INPUT, "too many includes");
    if ((e = params_parse(c, f, rest, params, &inner.nparams, why)) != OK)
        return e;
    return frame_compile(c, &inner, why);
}

/* A tag that prints nothing and stands alone on its line takes the line with it. Moves *begin to the start of the
 * line and *end behind its line feed when so; nothing before the offset "from" belongs to us any more. */
static void
alone_on_line(struct str text, char kind, size_t from, size_t *begin, size_t *end)
{
    size_t b = *begin, e = *end;

    if (strchr("#^/!>?", kind) == NULL)
        return;
    while (b > from && (text.p[b - 1] == ' ' || text.p[b - 1] == '\t'))
        b--;
    if (b > 0 && text.p[b - 1] != '\n')
        return;
    while (e < text.n && (text.p[e] == ' ' || text.p[e] == '\t' || text.p[e] == '\r'))
        e++;
    if (e < text.n && text.p[e] != '\n')
        return;
    *begin = b;
    *end = e < text.n ? e + 1 : e;
}

/* {{?p}} or {{^?p}}: *end is moved behind {{/?p}} when the part is left out. */
static enum err
conditional(const struct frame *f, struct str name, bool wanted, struct str text, size_t *end, struct why *why)
{
    char close[PAGE_NAME_MAX + 8];
    const struct str *value = param_find(f, name);
    size_t begin, after;
    const char *at;

    if (!name_ok(name))
        return why_set(why, ERR_INPUT, "\"?\" is followed by the name of a parameter");
    if ((value != NULL && value->n > 0) == wanted)
        return OK;
    (void)snprintf(close, sizeof(close), "{{/?%.*s}}", (int)name.n, name.p);
    at = memmem(text.p + *end, text.n - *end, close, strlen(close));
    if (at == NULL)
        return why_set(why, ERR_INPUT, "%s is missing", close);
    begin = (size_t)(at - text.p);
    after = begin + strlen(close);
    alone_on_line(text, '/', *end, &begin, &after);
    *end = after;
    return OK;
}

static enum err
tag_compile(struct compiler *c, struct frame *f, struct str raw, struct str text, size_t *end, struct why *why)
{
    struct str tag, body;
    enum err e;

    if (raw.n == 0)
        return why_set(why, ERR_INPUT, "empty tag");
    body = (struct str){ raw.p + 1, raw.n - 1 };
    if (raw.p[0] == '!')
        return str_starts(body, "takes") ? declare_all(f, body, why) : OK;
    if (raw.p[0] == '>')
        return include_add(c, f, body, why);
    if (raw.p[0] == '?')
        return conditional(f, body, true, text, end, why);
    if (str_starts(raw, "^?"))
        return conditional(f, (struct str){ raw.p + 2, raw.n - 2 }, false, text, end, why);
    if (str_starts(raw, "/?"))
        return OK;
    if ((e = params_expand(c, f, raw, &tag, why)) != OK)
        return e;
    if (raw.p[0] == '@')
        return literal_add(c, tag, why);
    if (tag.n == 0)
        return why_set(why, ERR_INPUT, "empty tag");
    body = (struct str){ tag.p + 1, tag.n - 1 };
    switch (tag.p[0]) {
    case '#':
        return section_begin(c, f, OP_SECTION, body, why);
    case '^':
        return section_begin(c, f, OP_INVERTED, body, why);
    case '/':
        return section_end(c, f, body, why);
    case '$':
        return message_add(c, f, str_trim(body), why);
    case '=':
        return value_add(c, f, body, why);
    default:
        return value_add(c, f, tag, why);
    }
}

static enum err
text_compile(struct compiler *c, struct frame *f, struct str text, size_t at, struct why *why)
{
    enum err e;

    while (at < text.n) {
        const char *open = memmem(text.p + at, text.n - at, "{{", 2), *close;
        size_t begin, end;
        bool triple;
        struct str raw;

        if (open == NULL)
            return markup_add(c, f, (struct str){ text.p + at, text.n - at }, at, why);
        begin = (size_t)(open - text.p);
        f->at = begin;
        triple = begin + 2 < text.n && text.p[begin + 2] == '{';
        end = begin + (triple ? 3 : 2);
        close = memmem(text.p + end, text.n - end, triple ? "}}}" : "}}", triple ? 3 : 2);
        if (close == NULL)
            return why_set(why, ERR_INPUT, "tag without end");
        raw = str_trim((struct str){ text.p + end, (size_t)(close - text.p) - end });
        end = (size_t)(close - text.p) + (triple ? 3 : 2);
        if (!triple && raw.n > 0)
            alone_on_line(text, raw.p[0], at, &begin, &end);
        if ((e = markup_add(c, f, (struct str){ text.p + at, begin - at }, at, why)) != OK)
            return e;
        f->at = (size_t)(open - text.p);
        e = triple ? html_add(c, f, raw, why) : tag_compile(c, f, raw, text, &end, why);
        if (e != OK)
            return e;
        if (!buf_ok(&c->program->text) || c->program->n > PAGE_PROGRAM_MAX / sizeof(struct node))
            return why_set(why, ERR_INPUT, "the page is larger than %u bytes", PAGE_PROGRAM_MAX);
        at = end;
    }
    return OK;
}

static enum err
all_used(const struct frame *f, struct why *why)
{
    for (size_t i = 0; i < f->ndeclared; i++)
        if (!f->declared[i].used)
            return why_set(why, ERR_INPUT, "%s:%d: value %.*s is declared but never used", f->file->name,
                           f->declared[i].line, (int)f->declared[i].name.n, f->declared[i].name.p);
    return OK;
}

static bool
is_html(const char *name)
{
    size_t n = strlen(name);

    return n > 5 && strcmp(name + n - 5, ".html") == 0;
}

enum err
program_compile(const struct compile_env *env, const struct page_file *file, enum lang lang, struct program *ret,
                struct why *why)
{
    struct param params[2];
    AUTO(frame_done) struct frame top = { .file = file, .params = params };
    AUTO(program_done) struct program program = { .text = BUF_BOUNDED(PAGE_PROGRAM_MAX) };
    struct compiler c = { .env = env, .lang = lang, .program = &program };
    enum err e;

    c.place.kind = is_html(file->name) ? PLACE_TEXT : PLACE_PLAIN;
    params_add(params, &top.nparams, "lang", lang == LANG_FR ? "fr" : "en");
    params_add(params, &top.nparams, "assets", env->set->assets_base);
    if ((e = frame_compile(&c, &top, why)) != OK || (e = all_used(&top, why)) != OK)
        return e;
    if (c.place.kind != PLACE_TEXT && c.place.kind != PLACE_PLAIN)
        return why_set(why, ERR_INPUT, "%s: the file ends inside a tag", file->name);
    *ret = program;
    memset(&program, 0, sizeof(program));
    return OK;
}

void
program_done(struct program *p)
{
    mem_freep(&p->nodes);
    buf_free(&p->text);
}
