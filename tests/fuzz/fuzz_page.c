/*
 * fuzz_page: any bytes as template, catalogue and values. Templates are ours, but a mistake in one must stop the
 * start with a message, and a value must never break out of its place: the second half of the input is rendered as a
 * value in each place, and no byte of HTML syntax that was not in the template may come out of it.
 */
#include <stdlib.h>

#include "base/page/page.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char places[] = "{{!takes\nv\n}}\n{{v}}\x02<a title=\"{{v}}\" href=\"{{v}}\">\x02</a>"
                             "<a href=\"/p/{{v}}?q={{v}}\">\x02</a>";

/* What is left of the rendering without the template's own markup holds no markup. */
static void
check_places(const char *page)
{
    size_t lt = 0, quotes = 0;

    for (const char *p = page; *p != '\0'; p++) {
        lt += *p == '<';
        quotes += *p == '"';
        CHECK(*p != '\'');
    }
    CHECK(lt == 4);
    CHECK(quotes == 6);
    CHECK(strstr(page, "href=\"javascript") == NULL);
}

static void
render_value(struct str value)
{
    struct page_file file = { "t.html", STR_LIT(places) };
    AUTO(page_set_freep) struct page_set *set = NULL;
    AUTO(arena_freep) struct arena *arena = arena_new(1 << 22);
    AUTO(buf_free) struct buf out = BUF_BOUNDED(1 << 22);
    struct page_data *d = page_data_new(arena);
    struct why why = WHY_INIT;

    CHECK(page_set_compile(&file, 1, false, &set, &why) == OK);
    page_str(d, "v", arena_str(arena, value));
    CHECK(page_render(set, "t.html", "fr", d, &out, &why) == OK);
    check_places(buf_cstr(&out));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t half = size / 2;
    struct str first = { (const char *)data, half }, second = { (const char *)data + half, size - half };
    struct page_file files[] = {
        { "messages.fr", second }, { "messages.en", second }, { "partials/p.html", second },
        { "t.html", first },       { "u.txt", second },
    };
    AUTO(page_set_freep) struct page_set *set = NULL;
    AUTO(arena_freep) struct arena *arena = arena_new(1 << 22);
    AUTO(buf_free) struct buf out = BUF_BOUNDED(1 << 20);
    struct why why = WHY_INIT;

    if (page_set_compile(files, ARRAY_LEN(files), false, &set, &why) == OK)
        for (size_t i = 0; i < page_template_count(set); i++)
            err_ignore(page_render(set, page_template_name(set, i), "en", page_data_new(arena), &out, &why));
    /* Any outcome is right as long as it is an outcome. */
    render_value(second);
    return 0;
}
