/*
 * test_templates: every template of templates/ is rendered strictly, in both languages, with each variant of its
 * fixture tests/data/pages/<template with dots for slashes, without extension>.json; a template without fixture fails.
 *
 * Fixtures: a text, a number or a flag stands for itself; a list of objects is a list; {"msg": key}, {"time": RFC 3339},
 * {"date": …}, {"html": …}, {"code": …} are page_msg() … page_code(); {"render": [template, variant]} is the rendering
 * of another one as trusted HTML. common.json holds what every page shows, by program.
 *
 * With BEFFROI_PAGE_PREVIEW=FOLDER the pages are also written there, as <lang>/<fixture>.<variant>.html, with the
 * assets beside them: tools/page-preview looks at them in a browser.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <cmocka.h>
#include <jansson.h>

#include "base/page/page.h"

static struct page_set *set;
static const char *preview;                 /* folder or NULL */

static int
load(void **state)
{
    struct why why = WHY_INIT;

    (void)state;
    preview = getenv("BEFFROI_PAGE_PREVIEW");
    if (page_set_load(SOURCE_DIR "/templates", true, &set, &why) == OK)
        return 0;
    print_error("%s\n", why.text);
    return -1;
}

static int
unload(void **state)
{
    (void)state;
    page_set_free(set);
    return 0;
}

static json_t *
json_of(const char *name)
{
    char path[512];
    json_error_t error;
    json_t *j;

    (void)snprintf(path, sizeof(path), TEST_DATA "/pages/%s.json", name);
    j = json_load_file(path, 0, &error);
    if (j == NULL)
        fail_msg("%s:%d: %s", path, error.line, error.text);
    return j;
}

/* "signon/login.html" → "signon.login" */
static void
fixture_name(const char *template, char out[128])
{
    (void)snprintf(out, 128, "%s", template);
    *strrchr(out, '.') = '\0';
    for (char *p = out; *p != '\0'; p++)
        if (*p == '/')
            *p = '.';
}

static void fill(struct page_data *d, json_t *values, const char *lang);
static void render(const char *template, json_t *values, const char *lang, struct buf *out);

static void
fill_rendered(struct page_data *d, const char *name, json_t *what, const char *lang)
{
    const char *template = json_string_value(json_array_get(what, 0));
    AUTO(buf_free) struct buf out = BUF_BOUNDED(1 << 20);
    char fixture[128];
    json_t *variants;

    fixture_name(template, fixture);
    variants = json_of(fixture);
    render(template, json_object_get(variants, json_string_value(json_array_get(what, 1))), lang, &out);
    page_html(d, name, buf_view(&out));
    json_decref(variants);
}

static void
fill_special(struct page_data *d, const char *name, json_t *special, const char *lang)
{
    json_t *v;
    utime t = 0;

    if ((v = json_object_get(special, "msg")) != NULL) {
        page_msg(d, name, json_string_value(v));
    } else if ((v = json_object_get(special, "time")) != NULL) {
        assert_int_equal(utime_parse(json_string_value(v), &t), OK);
        page_time(d, name, t, "Europe/Paris");
    } else if ((v = json_object_get(special, "date")) != NULL) {
        assert_int_equal(utime_parse(json_string_value(v), &t), OK);
        page_date(d, name, t, "Europe/Paris");
    } else if ((v = json_object_get(special, "html")) != NULL) {
        page_html(d, name, str_of(json_string_value(v)));
    } else if ((v = json_object_get(special, "code")) != NULL) {
        page_code(d, name, json_string_value(v));
    } else if ((v = json_object_get(special, "render")) != NULL) {
        fill_rendered(d, name, v, lang);
    } else {
        fail_msg("value %s: not a kind of value", name);
    }
}

static void
fill(struct page_data *d, json_t *values, const char *lang)
{
    const char *name;
    json_t *value, *element;
    size_t i;

    json_object_foreach(values, name, value) {
        if (json_is_string(value))
            page_str(d, name, json_string_value(value));
        else if (json_is_boolean(value))
            page_bool(d, name, json_is_true(value));
        else if (json_is_integer(value))
            page_int(d, name, json_integer_value(value));
        else if (json_is_object(value))
            fill_special(d, name, value, lang);
        else
            json_array_foreach(value, i, element)
                fill(page_item(d, name), element, lang);
    }
}

static void
render(const char *template, json_t *values, const char *lang, struct buf *out)
{
    AUTO(arena_freep) struct arena *arena = arena_new(1 << 22);
    struct page_data *d = page_data_new(arena);
    json_t *common = json_of("common");
    struct why why = WHY_INIT;
    const char *program = strncmp(template, "town/", 5) == 0   ? "town"
                          : strncmp(template, "mail/", 5) == 0 ? "mail"
                                                                : "idp";

    fill(d, json_object_get(common, program), lang);
    if (strcmp(lang, "en") == 0 && strcmp(program, "mail") != 0)
        page_str(d, "lang_href", "?lang=fr");
    fill(d, values, lang);
    if (page_render(set, template, lang, d, out, &why) != OK)
        fail_msg("%s %s: %s", lang, template, why.text);
    json_decref(common);
}

static void
write_file(const char *path, struct str text)
{
    FILE *f = fopen(path, "w");

    if (f == NULL || fwrite(text.p, 1, text.n, f) != text.n || fclose(f) != 0)
        fail_msg("%s: cannot be written", path);
}

static void
write_preview(const char *fixture, const char *variant, const char *template, const char *lang, const struct buf *page)
{
    char path[1024];

    (void)snprintf(path, sizeof(path), "%s/%s", preview, lang);
    (void)mkdir(path, 0755);
    (void)snprintf(path, sizeof(path), "%s/%s/%s.%s%s", preview, lang, fixture, variant, strrchr(template, '.'));
    write_file(path, buf_view(page));
    (void)snprintf(path, sizeof(path), "%s/assets.txt", preview);
    write_file(path, str_of(page_assets_base(set)));
}

/* What a rendering of any page must hold. */
static void
check_page(const char *template, const char *lang, const struct buf *page)
{
    const char *text = buf_cstr(page);
    char html[40];

    if (strstr(template, ".html") == NULL || strncmp(template, "town/letter", 11) == 0)
        return;
    (void)snprintf(html, sizeof(html), "<html lang=\"%s\">", lang);
    if (strstr(text, html) == NULL || strstr(text, "<main id=\"main\"") == NULL || strstr(text, "<h1>") == NULL)
        fail_msg("%s: no language, no main landmark or no heading", template);
    if (strstr(text, "method=\"post\"") != NULL && strcmp(template, "saml/post.html") != 0 &&
        strncmp(template, "block/", 6) != 0 && strstr(text, "name=\"csrf\"") == NULL)
        fail_msg("%s: a form without csrf", template);
    if (page->len > 50 * 1024)
        fail_msg("%s: larger than 50 kB", template);
}

static void
every_template_renders(void **state)
{
    static const char *const langs[] = { "fr", "en" };

    (void)state;
    for (size_t i = 0; i < page_template_count(set); i++) {
        const char *template = page_template_name(set, i), *variant;
        char fixture[128];
        json_t *variants, *values;

        fixture_name(template, fixture);
        variants = json_of(fixture);
        assert_true(json_object_size(variants) > 0);
        json_object_foreach(variants, variant, values) {
            for (size_t l = 0; l < ARRAY_LEN(langs); l++) {
                AUTO(buf_free) struct buf page = BUF_BOUNDED(1 << 20);

                render(template, values, langs[l], &page);
                check_page(template, langs[l], &page);
                if (preview != NULL)
                    write_preview(fixture, variant, template, langs[l], &page);
            }
        }
        json_decref(variants);
    }
}

/* Each compulsory value is missed when it is taken away: a fixture cannot hide that a page needs it. */
static void
missing_values_are_noticed(void **state)
{
    AUTO(arena_freep) struct arena *arena = arena_new(1 << 20);
    AUTO(buf_free) struct buf out = BUF_BOUNDED(1 << 20);
    struct page_data *d = page_data_new(arena);
    struct why why = WHY_INIT;

    (void)state;
    assert_int_equal(page_render(set, "signon/login.html", "fr", d, &out, &why), ERR_INTERNAL);
    page_site(d, &(struct page_site){ .name = "R" }, NULL);
    page_str(d, "csrf", "c");
    page_str(d, "login", "");
    assert_int_equal(page_render(set, "signon/login.html", "fr", d, &out, &why), ERR_INTERNAL);
    assert_non_null(strstr(why.text, "block_url: missing"));
    page_str(d, "block_url", "/block");
    assert_int_equal(page_render(set, "signon/login.html", "fr", d, &out, &why), OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_template_renders),
        cmocka_unit_test(missing_values_are_noticed),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
