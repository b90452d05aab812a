/* page_render: runs a program over the data; nothing is allocated but the output. */
#include "base/page/page-internal.h"
#include "base/core/log.h"

#include <inttypes.h>

/* A list that is being walked through, or any other section that holds. */
struct open_section {
    uint32_t node;
    const struct page_data *item;         /* NULL: not a list */
    const struct page_data *outside;      /* what the section was found in */
};

struct render {
    const struct page_set *set;
    const char *name;                     /* of the template, for the log */
    enum lang lang;
    const struct page_data *data;         /* innermost */
    struct buf *out;
    struct why *why;
};

/* What only our own code can cause: refused in tests, logged and left empty in production. */
static enum err
fault(const struct render *r, const char *what, const char *value)
{
    if (r->set->strict)
        return why_set(r->why, ERR_INTERNAL, "%s: %s: %s", r->name, value, what);
    LOG_WARN_EV("page.value", LF_STR("template", r->name), LF_STR("value", value), LF_STR("fault", what));
    return OK;
}

static enum err value_write(const struct render *r, const struct value *v, enum esc esc, int depth);

/* A message chosen by code, escaped for its place here and now. */
static enum err
message_write(const struct render *r, struct str key, enum esc esc, int depth)
{
    const struct message *m = catalogue_find(&r->set->catalogue, key);
    enum err e;

    if (m == NULL || depth > PAGE_MESSAGE_DEPTH) {
        e = fault(r, m == NULL ? "no such message" : "messages inside messages", key.p);
        esc_write(r->out, esc, key);
        return e;
    }
    for (size_t i = 0; i < m->in[r->lang].n; i++) {
        const struct segment *s = &m->in[r->lang].segments[i];
        const struct value *v;

        esc_write(r->out, esc, s->text);
        if (s->name.p == NULL)
            continue;
        v = value_find(r->data, s->name);
        e = v == NULL ? fault(r, "missing value of a message", s->name.p) : value_write(r, v, esc, depth + 1);
        if (e != OK)
            return e;
    }
    return OK;
}

static enum err
value_write(const struct render *r, const struct value *v, enum esc esc, int depth)
{
    char rfc3339[UTIME_RFC3339_LEN + 1];
    enum err e = OK;

    switch (v->type) {
    case VALUE_STR:
        if (esc == ESC_URL_WHOLE && !url_is_safe(v->u.text))
            e = fault(r, "not an address that a page may lead to", v->name.p);
        esc_write(r->out, esc, v->u.text);
        return e;
    case VALUE_INT:
        buf_addf(r->out, "%" PRId64, v->u.number);
        return OK;
    case VALUE_MSG:
        return message_write(r, v->u.text, esc, depth);
    case VALUE_TIME:
    case VALUE_DATE:
        if (esc == ESC_DATETIME) {
            utime_rfc3339(v->u.time.at, rfc3339);
            buf_adds(r->out, rfc3339);
        } else {
            moment_write(r->out, v->u.time.at, v->u.time.zone, v->type == VALUE_TIME, r->lang);
        }
        return OK;
    case VALUE_BOOL:
        return fault(r, "a flag cannot be printed", v->name.p);
    case VALUE_HTML:
        e = fault(r, "trusted HTML printed as text", v->name.p);
        esc_write(r->out, esc, v->u.text);
        return e;
    case VALUE_LIST:
        return fault(r, "a list cannot be printed", v->name.p);
    }
    return fault(r, "unknown type", v->name.p);
}

static enum err
html_write(const struct render *r, const struct node *node)
{
    const struct value *v = value_find(r->data, node->name);

    if (v == NULL)
        return node->optional ? OK : fault(r, "missing", node->name.p);
    if (v->type != VALUE_HTML)
        return fault(r, "not trusted HTML", node->name.p);
    buf_add_str(r->out, v->u.text);
    return OK;
}

static enum err
program_run(struct render *r, const struct program *p)
{
    struct open_section stack[PAGE_DEPTH_MAX + 1];
    size_t open = 0;
    enum err e;

    for (uint32_t i = 0; i < p->n; i++) {
        const struct node *node = &p->nodes[i];
        const struct value *v;

        switch (node->op) {
        case OP_TEXT:
            buf_add(r->out, p->text.data + node->a, node->b);
            break;
        case OP_VALUE:
            v = value_find(r->data, node->name);
            e = v != NULL         ? value_write(r, v, node->esc, 0)
                : node->optional ? OK
                                 : fault(r, "missing", node->name.p);
            if (e != OK)
                return e;
            break;
        case OP_HTML:
            if ((e = html_write(r, node)) != OK)
                return e;
            break;
        case OP_SECTION:
        case OP_INVERTED:
            v = value_find(r->data, node->name);
            if (value_true(v) != (node->op == OP_SECTION)) {
                i = node->a - 1;
                break;
            }
            stack[open].node = i;
            stack[open].item = v != NULL && v->type == VALUE_LIST && !node->optional ? v->u.first : NULL;
            stack[open].outside = r->data;
            if (stack[open].item != NULL)
                r->data = stack[open].item;
            open++;
            break;
        case OP_END:
            CHECK(open > 0);             /* the compiler saw to it */
            open--;
            if (stack[open].item == NULL)
                break;
            r->data = stack[open].outside;
            if (stack[open].item->next != NULL && buf_ok(r->out)) {
                stack[open].item = stack[open].item->next;
                r->data = stack[open].item;
                i = stack[open].node;
                open++;
            }
            break;
        }
    }
    return OK;
}

static enum lang
lang_of(const char *lang)
{
    return lang != NULL && strcmp(lang, "en") == 0 ? LANG_EN : LANG_FR;
}

static const struct template *
template_find(const struct page_set *s, const char *name)
{
    size_t low = 0, high = s->ntemplates;

    while (low < high) {
        size_t mid = (low + high) / 2;
        int order = strcmp(s->templates[mid].name, name);

        if (order == 0)
            return &s->templates[mid];
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

enum err
page_render(const struct page_set *s, const char *name, const char *lang, const struct page_data *d,
            struct buf *out, struct why *why)
{
    const struct template *t = template_find(s, name);
    struct render r = { s, name, lang_of(lang), d, out, why };
    enum err e;

    if (t == NULL)
        return why_set(why, ERR_NOT_FOUND, "no template %s", name);
    if ((e = program_run(&r, &t->in[r.lang])) != OK)
        return e;
    if (!buf_ok(out))
        return why_set(why, ERR_INTERNAL, "%s: the page is larger than %zu bytes", name, out->max);
    return OK;
}

const char *
page_message(const struct page_set *s, const char *lang, const char *key, const struct page_data *d, struct arena *a)
{
    AUTO(buf_free) struct buf out = BUF_BOUNDED(PAGE_FILE_MAX);
    struct why why = WHY_INIT;
    struct render r = { s, "(message)", lang_of(lang), d, &out, &why };

    if (message_write(&r, str_of(key), ESC_NONE, 0) != OK)
        LOG_WARN_EV("page.message", LF_STR("key", key), LF_STR("why", why.text));
    return arena_strdup(a, buf_cstr(&out));
}

bool
page_has_message(const struct page_set *s, const char *key)
{
    return catalogue_find(&s->catalogue, str_of(key)) != NULL;
}

bool
page_has_template(const struct page_set *s, const char *name)
{
    return template_find(s, name) != NULL;
}

size_t
page_template_count(const struct page_set *s)
{
    return s->ntemplates;
}

const char *
page_template_name(const struct page_set *s, size_t i)
{
    return i < s->ntemplates ? s->templates[i].name : NULL;
}
