/* page_data: the values of one rendering; a short list per level, found by hash. */
#include "base/page/page-internal.h"

uint32_t
name_hash(const char *p, size_t n)
{
    uint32_t h = 2166136261u;        /* FNV-1a */

    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)p[i]) * 16777619u;
    return h;
}

static struct value *
find_here(const struct page_data *d, struct name name)
{
    for (struct value *v = d->values; v != NULL; v = v->next)
        if (v->name.hash == name.hash && strcmp(v->name.p, name.p) == 0)
            return v;
    return NULL;
}

const struct value *
value_find(const struct page_data *d, struct name name)
{
    for (; d != NULL; d = d->parent) {
        const struct value *v = find_here(d, name);

        if (v != NULL)
            return v;
    }
    return NULL;
}

bool
value_true(const struct value *v)
{
    if (v == NULL)
        return false;
    switch (v->type) {
    case VALUE_STR:
    case VALUE_HTML:
    case VALUE_MSG:
        return v->u.text.n > 0;
    case VALUE_INT:
    case VALUE_BOOL:
        return v->u.number != 0;
    case VALUE_TIME:
    case VALUE_DATE:
    case VALUE_LIST:
        return true;
    }
    return false;
}

struct page_data *
page_data_new(struct arena *a)
{
    struct page_data *d = arena_alloc(a, sizeof(*d));

    d->arena = a;
    return d;
}

static struct value *
value_set(struct page_data *d, const char *name_text, enum value_type type)
{
    struct name name = { name_text, name_hash(name_text, strlen(name_text)) };
    struct value *v = find_here(d, name);

    if (v == NULL) {
        v = arena_alloc(d->arena, sizeof(*v));
        v->name = name;
        v->next = d->values;
        d->values = v;
    }
    v->type = type;
    v->last = NULL;
    return v;
}

void
page_str(struct page_data *d, const char *name, const char *utf8)
{
    struct value *v = value_set(d, name, VALUE_STR);

    v->u.text = str_of(arena_strdup(d->arena, utf8 == NULL ? "" : utf8));
}

void
page_strf(struct page_data *d, const char *name, const char *fmt, ...)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(PAGE_FILE_MAX);
    va_list ap;

    va_start(ap, fmt);
    buf_addv(&text, fmt, ap);
    va_end(ap);
    page_str(d, name, buf_cstr(&text));
}

void
page_int(struct page_data *d, const char *name, int64_t number)
{
    value_set(d, name, VALUE_INT)->u.number = number;
}

void
page_bool(struct page_data *d, const char *name, bool flag)
{
    value_set(d, name, VALUE_BOOL)->u.number = flag;
}

void
page_html(struct page_data *d, const char *name, struct str trusted_html)
{
    struct value *v = value_set(d, name, VALUE_HTML);

    v->u.text = (struct str){ arena_str(d->arena, trusted_html), trusted_html.n };
}

void
page_msg(struct page_data *d, const char *name, const char *message_key)
{
    struct value *v = value_set(d, name, VALUE_MSG);

    v->u.text = str_of(arena_strdup(d->arena, message_key == NULL ? "" : message_key));
}

static void
set_moment(struct page_data *d, const char *name, enum value_type type, utime t, const char *zone)
{
    struct value *v = value_set(d, name, type);

    v->u.time.at = t;
    v->u.time.zone = zone;
}

void
page_time(struct page_data *d, const char *name, utime t, const char *zone)
{
    set_moment(d, name, VALUE_TIME, t, zone);
}

void
page_date(struct page_data *d, const char *name, utime t, const char *zone)
{
    set_moment(d, name, VALUE_DATE, t, zone);
}

struct page_data *
page_item(struct page_data *d, const char *list_name)
{
    struct name name = { list_name, name_hash(list_name, strlen(list_name)) };
    struct value *list = find_here(d, name);
    struct page_data *item = page_data_new(d->arena);

    item->parent = d;
    if (list == NULL || list->type != VALUE_LIST) {
        list = value_set(d, list_name, VALUE_LIST);
        list->u.first = item;
    } else {
        list->last->next = item;
    }
    list->last = item;
    return item;
}

void
page_site(struct page_data *d, const struct page_site *site, const char *lang_href)
{
    page_str(d, "site", site->name);
    page_str(d, "theme", site->theme == NULL ? "default" : site->theme);
    page_str(d, "help_url", site->help_url);
    page_str(d, "phone", site->phone);
    page_str(d, "access_url", site->access_url);
    page_str(d, "lang_href", lang_href);
}

void
page_code(struct page_data *d, const char *name, const char *shown)
{
    while (*shown != '\0') {
        size_t n = strcspn(shown, "- ");
        struct page_data *item = page_item(d, name);

        page_str(item, "group", arena_str(d->arena, (struct str){ shown, n }));
        shown += n;
        page_str(item, "after", *shown == '\0' ? "" : *shown == '-' ? "-" : " ");
        shown += *shown != '\0';
    }
}

void
page_field_error(struct page_data *d, const char *field, const char *message_key)
{
    struct page_data *entry = page_item(d, "errors");

    page_str(entry, "field", field);
    page_msg(entry, "text", message_key);
    page_msg(d, arena_printf(d->arena, "%s_error", field), message_key);
}
