/* test_page: compiling, escaping by place, messages, refusals; page.h is the contract. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/page/page.h"

#define FILES_MAX 8

struct fixture {
    struct arena *arena;
    struct page_set *set;
    struct buf out;
    struct why why;
};

static int
setup(void **state)
{
    struct fixture *f = mem_alloc(sizeof(*f));

    f->arena = arena_new(1 << 20);
    f->out.max = 1 << 20;
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;

    page_set_free(f->set);
    arena_free(f->arena);
    buf_free(&f->out);
    mem_freep(&f);
    return 0;
}

static const char fr[] = "hello = Bonjour {name} !\nplain = Été & <pluie>\nlong = un\n   deux\nquote = « oui » : non ; si ?\n"
                         "inner = dans {hello}\nbrace = \\{x\\} \\\\ a\\nb\n";
static const char en[] = "hello = Hello {name}!\nplain = Summer & <rain>\nlong = one\n   two\nquote = yes: no; so?\n"
                         "inner = in {hello}\nbrace = \\{x\\} \\\\ a\\nb\n";

/* name, text, name, text, …, NULL */
static enum err
compile(struct fixture *f, bool strict, const char *name, ...)
{
    struct page_file files[FILES_MAX] = { { "messages.fr", STR_LIT(fr) }, { "messages.en", STR_LIT(en) } };
    size_t n = 2;
    va_list ap;

    va_start(ap, name);
    for (; name != NULL; name = va_arg(ap, const char *))
        files[n++] = (struct page_file){ name, str_of(va_arg(ap, const char *)) };
    va_end(ap);
    page_set_free(f->set);
    f->set = NULL;
    f->why = (struct why)WHY_INIT;
    return page_set_compile(files, n, strict, &f->set, &f->why);
}

static void
must_compile(struct fixture *f, const char *text)
{
    if (compile(f, true, "t.html", text, NULL) != OK)
        fail_msg("%s: %s", text, f->why.text);
}

static const char *
render(struct fixture *f, const char *name, const char *lang, const struct page_data *d)
{
    buf_reset(&f->out);
    if (page_render(f->set, name, lang, d, &f->out, &f->why) != OK)
        fail_msg("%s: %s", name, f->why.text);
    return buf_cstr(&f->out);
}

/* --- escaping ----------------------------------------------------------------------------------------------- */
static void
escapes_by_place(void **state)
{
    static const struct { const char *label, *template, *value, *want; } rows[] = {
        { "text", "<p>{{v}}</p>", "<b>&\"'", "<p>&lt;b&gt;&amp;&quot;&#39;</p>" },
        { "text, accents", "<p>{{v}}</p>", "d'Ô Nguyễn", "<p>d&#39;Ô Nguyễn</p>" },
        { "text, control", "<p>{{v}}</p>", "a\x01" "b\x7f" "c\td", "<p>a\xef\xbf\xbd" "b\xef\xbf\xbd" "c\td</p>" },
        { "attribute", "<p title=\"{{v}}\"></p>", "\" onclick=\"x", "<p title=\"&quot; onclick=&quot;x\"></p>" },
        { "attribute, continued", "<p class=\"a {{v}}\"></p>", "b\"", "<p class=\"a b&quot;\"></p>" },
        { "url, path", "<a href=\"{{v}}\"></a>", "/x?a=1&b=2", "<a href=\"/x?a=1&amp;b=2\"></a>" },
        { "url, https", "<a href=\"{{v}}\"></a>", "https://sp.example/acs", "<a href=\"https://sp.example/acs\"></a>" },
        { "url, mailto", "<a href=\"{{v}}\"></a>", "mailto:a@b.fr", "<a href=\"mailto:a@b.fr\"></a>" },
        { "url, otpauth", "<a href=\"{{v}}\"></a>", "otpauth://totp/a%20b?secret=JBSW", "<a href=\"otpauth://totp/a%20b?secret=JBSW\"></a>" },
        { "url, part in path", "<a href=\"/d/{{v}}\"></a>", "../a?b#c&d", "<a href=\"/d/..%2Fa%3Fb%23c%26d\"></a>" },
        { "url, part in query", "<a href=\"/d?q={{v}}\"></a>", "a b&c=é", "<a href=\"/d?q=a%20b%26c%3D%C3%A9\"></a>" },
        { "url, address", "<a href=\"mailto:{{v}}\"></a>", "a+b@c.fr", "<a href=\"mailto:a%2Bb@c.fr\"></a>" },
        { "url, part cannot be a scheme", "<a href=\"{{#v}}{{/v}}{{v}}\"></a>", "javascript:x",
          "<a href=\"javascript%3Ax\"></a>" },
        { "after a tag", "<br><b>{{v}}</b>", "<", "<br><b>&lt;</b>" },
        { "comment passed", "<!-- \"<a --><p>{{v}}</p>", "\"", "<!-- \"<a --><p>&quot;</p>" },
        { "doctype passed", "<!doctype html><p>{{v}}</p>", "<", "<!doctype html><p>&lt;</p>" },
        { "boolean attribute passed", "<input required value=\"{{v}}\"/>", "<", "<input required value=\"&lt;\"/>" },
        { "empty script passed", "<script src=\"/x.js\"></script><p>{{v}}</p>", "<",
          "<script src=\"/x.js\"></script><p>&lt;</p>" },
        { "data attribute", "<p data-x=\"{{v}}\"></p>", "javascript:'", "<p data-x=\"javascript:&#39;\"></p>" },
        { "conditional attribute", "<input{{#v}} checked{{/v}} title=\"{{v}}\">", "1", "<input checked title=\"1\">" },
        { "no conditional attribute", "<input{{#v}} checked{{/v}} title=\"{{v}}\">", "", "<input title=\"\">" },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct page_data *d = page_data_new(f->arena);
        char text[300];

        (void)snprintf(text, sizeof(text), "{{!takes\nv\n}}\n%s", rows[i].template);
        must_compile(f, text);
        page_str(d, "v", rows[i].value);
        if (strcmp(render(f, "t.html", "fr", d), rows[i].want) != 0)
            fail_msg("%s: got %s", rows[i].label, buf_cstr(&f->out));
    }
}

static void
refuses_unsafe_urls(void **state)
{
    static const char *const urls[] = {
        "javascript:alert(1)", "JaVaScRiPt:alert(1)", " javascript:x", "java\tscript:x", "data:text/html,x",
        "vbscript:x", "//evil.example/", "/\\evil.example", "\\\\evil", "https://a b", "relative", "file:///etc",
        "\x01https://x", "https://x/\"", "ftp://x",
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        static const char text[] = "{{!takes\nv\n}}\n<a href=\"{{v}}\"></a>";
        struct page_data *d = page_data_new(f->arena);

        page_str(d, "v", "https://good.example/");
        must_compile(f, text);
        assert_string_equal(render(f, "t.html", "fr", d), "<a href=\"https://good.example/\"></a>");
        page_str(d, "v", urls[i]);
        buf_reset(&f->out);
        assert_int_equal(page_render(f->set, "t.html", "fr", d, &f->out, &f->why), ERR_INTERNAL);

        assert_int_equal(compile(f, false, "t.html", text, NULL), OK);
        if (strcmp(render(f, "t.html", "fr", d), "<a href=\"#\"></a>") != 0)
            fail_msg("%s: got %s", urls[i], buf_cstr(&f->out));
    }
}

static void
plain_text_is_not_escaped(void **state)
{
    struct fixture *f = *state;
    struct page_data *d = page_data_new(f->arena);

    assert_int_equal(compile(f, true, "mail/t.txt", "{{!takes\nv\n}}\n<{{v}}> {{$plain}}\n", NULL), OK);
    page_str(d, "v", "a & b");
    assert_string_equal(render(f, "mail/t.txt", "en", d), "<a & b> Summer & <rain>\n");
}

/* --- values and sections ------------------------------------------------------------------------------------ */
static void
lists_and_scopes(void **state)
{
    struct fixture *f = *state;
    struct page_data *d = page_data_new(f->arena), *item;

    must_compile(f, "{{!takes\ntown\nrows[]\nrows[].n\nrows[].sub[]\nrows[].sub[].x\nother[]\nother[].o\n}}\n"
                    "{{#rows}}[{{n}} {{town}}{{#sub}}({{x}}{{n}}){{/sub}}{{#other}}<i>{{o}}</i>{{/other}}{{n}}]{{/rows}}"
                    "{{^rows}}none{{/rows}}");
    page_str(d, "town", "R");
    assert_string_equal(render(f, "t.html", "fr", d), "none");
    item = page_item(d, "rows");
    page_int(item, "n", 1);
    page_str(page_item(item, "sub"), "x", "a");
    page_str(page_item(item, "sub"), "x", "b");
    item = page_item(d, "rows");
    page_int(item, "n", -2);
    page_str(item, "town", "S");
    page_str(page_item(d, "other"), "o", "o");
    assert_string_equal(render(f, "t.html", "fr", d), "[1 R(a1)(b1)<i>o</i>1][-2 S<i>o</i>-2]");
}

static void
once_around_a_list(void **state)
{
    struct fixture *f = *state;
    struct page_data *d = page_data_new(f->arena);

    must_compile(f, "{{!takes\nerrors[]\nerrors[].field\nerrors[].text\nlogin_error?\n}}\n"
                    "{{#errors?}}<ul>{{#errors}}<li>{{field}} {{text}}</li>{{/errors}}</ul>{{/errors?}}{{login_error}}");
    assert_string_equal(render(f, "t.html", "fr", d), "");
    page_field_error(d, "login", "long");
    page_field_error(d, "other", "plain");
    assert_string_equal(render(f, "t.html", "fr", d),
                        "<ul><li>login un deux</li><li>other Été &amp; &lt;pluie&gt;</li></ul>un deux");
}

static void
truth_of_values(void **state)
{
    struct fixture *f = *state;
    struct page_data *d = page_data_new(f->arena);

    must_compile(f, "{{!takes\nv?\n}}\n{{#v}}yes{{/v}}{{^v}}no{{/v}}");
    assert_string_equal(render(f, "t.html", "fr", d), "no");
    page_str(d, "v", "");
    assert_string_equal(render(f, "t.html", "fr", d), "no");
    page_str(d, "v", "0");
    assert_string_equal(render(f, "t.html", "fr", d), "yes");
    page_int(d, "v", 0);
    assert_string_equal(render(f, "t.html", "fr", d), "no");
    page_int(d, "v", 7);
    assert_string_equal(render(f, "t.html", "fr", d), "yes");
    page_bool(d, "v", false);
    assert_string_equal(render(f, "t.html", "fr", d), "no");
    page_bool(d, "v", true);
    assert_string_equal(render(f, "t.html", "fr", d), "yes");
    page_html(d, "v", STR_LIT("<svg></svg>"));
    assert_string_equal(render(f, "t.html", "fr", d), "yes");
}

static void
trusted_html_has_its_own_type(void **state)
{
    struct fixture *f = *state;
    struct page_data *d = page_data_new(f->arena);

    must_compile(f, "{{!takes\nv\n}}\n<p>{{{v}}}</p>");
    page_html(d, "v", STR_LIT("<b>x</b>"));
    assert_string_equal(render(f, "t.html", "fr", d), "<p><b>x</b></p>");
    page_str(d, "v", "<b>x</b>");
    assert_int_equal(page_render(f->set, "t.html", "fr", d, &f->out, &f->why), ERR_INTERNAL);
    assert_int_equal(compile(f, false, "t.html", "{{!takes\nv\n}}\n<p>{{{v}}}</p>", NULL), OK);
    assert_string_equal(render(f, "t.html", "fr", d), "<p></p>");
}

static void
missing_values(void **state)
{
    static const char text[] = "{{!takes\na\nb?\n}}\n<p>{{a}}|{{b}}</p>";
    struct fixture *f = *state;
    struct page_data *d = page_data_new(f->arena);

    must_compile(f, text);
    assert_int_equal(page_render(f->set, "t.html", "fr", d, &f->out, &f->why), ERR_INTERNAL);
    assert_non_null(strstr(f->why.text, "a: missing"));
    page_str(d, "a", "1");
    assert_string_equal(render(f, "t.html", "fr", d), "<p>1|</p>");
    assert_int_equal(compile(f, false, "t.html", text, NULL), OK);
    assert_string_equal(render(f, "t.html", "fr", page_data_new(f->arena)), "<p>|</p>");
    assert_int_equal(page_render(f->set, "u.html", "fr", d, &f->out, &f->why), ERR_NOT_FOUND);
}

static void
ceiling_of_the_page(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_free) struct buf small = BUF_BOUNDED(10);

    must_compile(f, "<p>0123456789</p>");
    assert_int_equal(page_render(f->set, "t.html", "fr", page_data_new(f->arena), &small, &f->why), ERR_INTERNAL);
}

static void
moments(void **state)
{
    static const struct { const char *lang; bool hour; utime at; const char *want; } rows[] = {
        { "fr", true, INT64_C(1795298644) * USEC_PER_SEC,
          "<time datetime=\"2026-11-21T22:04:04Z\">21\u00a0novembre 2026 à\u00a023\u00a0h\u00a004</time>" },
        { "en", true, INT64_C(1795298644) * USEC_PER_SEC,
          "<time datetime=\"2026-11-21T22:04:04Z\">21\u00a0November 2026 at\u00a023:04</time>" },
        { "fr", false, INT64_C(1793530800) * USEC_PER_SEC,
          "<time datetime=\"2026-11-01T11:00:00Z\">1er\u00a0novembre 2026</time>" },
        { "en", false, INT64_C(1793530800) * USEC_PER_SEC,
          "<time datetime=\"2026-11-01T11:00:00Z\">1\u00a0November 2026</time>" },
    };
    struct fixture *f = *state;

    must_compile(f, "{{!takes\nv\n}}\n<time datetime=\"{{v}}\">{{v}}</time>");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct page_data *d = page_data_new(f->arena);

        if (rows[i].hour)
            page_time(d, "v", rows[i].at, "Europe/Paris");
        else
            page_date(d, "v", rows[i].at, "Europe/Paris");
        assert_string_equal(render(f, "t.html", rows[i].lang, d), rows[i].want);
    }
}

/* --- messages ----------------------------------------------------------------------------------------------- */
static void
messages_in_place(void **state)
{
    struct fixture *f = *state;
    struct page_data *d = page_data_new(f->arena);

    must_compile(f, "{{!takes\nname\nm?\n}}\n<p title=\"{{$hello}}\">{{$plain}} {{$long}} {{$quote}} {{$brace}}</p>{{m}}");
    page_str(d, "name", "<\"A\">");
    assert_string_equal(render(f, "t.html", "fr", d),
                        "<p title=\"Bonjour &lt;&quot;A&quot;&gt;\u202f!\">Été &amp; &lt;pluie&gt; un deux "
                        "«\u00a0oui\u00a0»\u00a0: non\u202f; si\u202f? {x} \\ a\nb</p>");
    assert_string_equal(render(f, "t.html", "en", d),
                        "<p title=\"Hello &lt;&quot;A&quot;&gt;!\">Summer &amp; &lt;rain&gt; one two "
                        "yes: no; so? {x} \\ a\nb</p>");
    /* A message chosen by code, with a placeholder that is such a message itself. */
    page_msg(d, "m", "inner");
    page_msg(d, "hello", "plain");
    assert_non_null(strstr(render(f, "t.html", "en", d), "</p>in Summer &amp; &lt;rain&gt;"));
    assert_string_equal(page_message(f->set, "fr", "hello", d, f->arena), "Bonjour <\"A\">\u202f!");
    page_msg(d, "m", "unknown");
    assert_int_equal(page_render(f->set, "t.html", "en", d, &f->out, &f->why), ERR_INTERNAL);
    /* A message that needs itself ends. */
    page_msg(d, "hello", "inner");
    page_msg(d, "m", "inner");
    assert_int_equal(page_render(f->set, "t.html", "en", d, &f->out, &f->why), ERR_INTERNAL);
}

static void
unknown_message_is_its_key(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(compile(f, false, "t.html", "<p></p>", NULL), OK);
    assert_string_equal(page_message(f->set, "fr", "no.such", NULL, f->arena), "no.such");
    assert_true(page_has_message(f->set, "long"));
    assert_false(page_has_message(f->set, "lon"));
    assert_false(page_has_message(f->set, "longer"));
    assert_true(page_has_template(f->set, "t.html"));
    assert_false(page_has_template(f->set, "u.html"));
}

static void
catalogue_refusals(void **state)
{
    static const struct { const char *label, *fr, *en, *want; } rows[] = {
        { "good", "a = x {n}\n", "a = y {n}\n", NULL },
        { "missing in English", "a = x\nb = x\n", "a = x\n", "messages.fr:2: message b is missing in messages.en" },
        { "missing in French", "a = x\n", "a = x\nb = x\n", "messages.en:2: message b is missing in messages.fr" },
        { "placeholder", "a = {n}\n", "a = x\n", "message a lacks {n}" },
        { "placeholder, other side", "a = x\n", "a = {n}\n", "message a lacks {n}" },
        { "twice", "a = x\na = y\n", "a = x\n", "messages.fr:2: message a is already on line 1" },
        { "no equals", "a x\n", "a = x\n", "messages.fr:1: no '='" },
        { "no text", "a =\nb = x\n", "a = x\n", "messages.fr:1: message without text" },
        { "bad key", "A = x\n", "A = x\n", "not a message key" },
        { "open brace", "a = {n\n", "a = x\n", "begins no placeholder" },
        { "closing brace", "a = n}\n", "a = x\n", "without '{'" },
        { "continues nothing", "  a\n", "", "continues nothing" },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct page_file files[] = { { "messages.fr", str_of(rows[i].fr) }, { "messages.en", str_of(rows[i].en) } };
        enum err e;

        page_set_free(f->set);
        f->set = NULL;
        f->why = (struct why)WHY_INIT;
        e = page_set_compile(files, 2, true, &f->set, &f->why);
        if (e != (rows[i].want == NULL ? OK : ERR_INPUT) ||
            (rows[i].want != NULL && strstr(f->why.text, rows[i].want) == NULL))
            fail_msg("%s: %d %s", rows[i].label, e, f->why.text);
    }
}

/* --- includes ----------------------------------------------------------------------------------------------- */
static void
includes_with_parameters(void **state)
{
    static const char field[] =
        "<label for=\"{{@id}}\">{{$@label}}</label>{{?hint}}<i>{{@hint}}</i>{{/?hint}}{{^?hint}}-{{/?hint}}"
        "<input id=\"{{@id}}\" value=\"{{=@value}}\">{{#@error}}<b>{{=@error}}</b>{{/@error}}\n";
    static const char text[] = "{{!takes\n login\n login_error?\n}}\n"
                               "{{>partials/field.html id=login label=long value=login error=login_error}}\n"
                               "{{>partials/field.html id=\"<2>\" label=plain value=login error=login_error hint=\"a & b\"}}\n"
                               "<i>{{@lang}}</i>\n";
    struct fixture *f = *state;
    struct page_data *d = page_data_new(f->arena);

    f->why = (struct why)WHY_INIT;
    if (compile(f, true, "partials/field.html", field, "t.html", text, NULL) != OK)
        fail_msg("%s", f->why.text);
    page_str(d, "login", "\"m\"");
    assert_string_equal(render(f, "t.html", "en", d),
                        "<label for=\"login\">one two</label>-<input id=\"login\" value=\"&quot;m&quot;\">\n"
                        "<label for=\"&lt;2&gt;\">Summer &amp; &lt;rain&gt;</label><i>a &amp; b</i>"
                        "<input id=\"&lt;2&gt;\" value=\"&quot;m&quot;\">\n<i>en</i>\n");
    page_str(d, "login_error", "<");
    assert_non_null(strstr(render(f, "t.html", "fr", d), "<b>&lt;</b>"));
    assert_false(page_has_template(f->set, "partials/field.html"));
}

static void
lines_of_silent_tags_vanish(void **state)
{
    struct fixture *f = *state;
    struct page_data *d = page_data_new(f->arena);

    assert_int_equal(compile(f, true, "partials/p.txt", "in\n", "t.txt",
                             "{{!takes\nv\n}}\na\n  {{#v}}\nb {{v}}\n  {{/v}}\n{{! x }}\n  {{>partials/p.txt}}\n"
                             "c {{#v}}d{{/v}}\n{{?none}}\nx\n{{/?none}}\n{{^?none}}\ny\n{{/?none}}\nz",
                             NULL), OK);
    page_str(d, "v", "1");
    assert_string_equal(render(f, "t.txt", "fr", d), "a\nb 1\nin\nc d\ny\nz");
}

/* --- refusals when templates are compiled --------------------------------------------------------------------- */
static void
template_refusals(void **state)
{
    static const struct { const char *label, *text, *want; } rows[] = {
        { "good", "{{!takes\nv\n}}\n<p class=\"x\">{{v}}</p>", NULL },
        { "value in a tag", "{{!takes\nv\n}}\n<p {{v}}></p>", "t.html:4: a value may stand" },
        { "value in a tag name", "{{!takes\nv\n}}\n<{{v}}></p>", "a value may stand" },
        { "value as a bare attribute", "{{!takes\nv\n}}\n<p class={{v}}></p>", "a value may stand" },
        { "value in a comment", "{{!takes\nv\n}}\n<!-- {{v}} -->", "a value may stand" },
        { "value in a script", "{{!takes\nv\n}}\n<script>{{v}}</script>", "a value may stand" },
        { "inline script", "<script>x</script>", "must be empty" },
        { "inline style", "<style>p{}</style>", "must be empty" },
        { "style attribute", "<p style=\"x\"></p>", "attribute style is not allowed" },
        { "handler", "<p ONclick=\"x\"></p>", "attribute onclick is not allowed" },
        { "srcdoc", "<iframe srcdoc=\"x\"></iframe>", "attribute srcdoc is not allowed" },
        { "single quotes", "<p class='x'></p>", "not in double quotes" },
        { "bare attribute", "<p class=x></p>", "not in double quotes" },
        { "bare <", "<p>1 < 2</p>", "begins no tag" },
        { "quotes glued", "<p class=\"x\"id=\"y\"></p>", "white space must come before" },
        { "attribute of an end tag", "<p></p class>", "does not begin an attribute" },
        { "ends in a tag", "<p class=\"x", "ends inside a tag" },
        { "section over places", "{{!takes\nv\n}}\n<p {{#v}}class=\"{{/v}}\">", "must end in the place" },
        { "section over tags", "{{!takes\nv\n}}\n<p{{#v}}>{{/v}}<b></b>", "must end in the place" },
        { "section without end", "{{!takes\nv\n}}\n{{#v}}", "section v has no end" },
        { "end without section", "{{!takes\nv\n}}\n{{v}}{{/v}}", "ends no section" },
        { "crossed sections", "{{!takes\nv\nw\n}}\n{{#v}}{{#w}}{{/v}}{{/w}}", "ends no section" },
        { "undeclared value", "<p>{{v}}</p>", "t.html:1: value v is not in the list" },
        { "unused value", "{{!takes\nv\nw\n}}\n{{v}}", "t.html:3: value w is declared but never used" },
        { "undeclared placeholder", "<p>{{$hello}}</p>", "message hello: value name is not in the list" },
        { "unknown message", "<p>\n{{$none}}</p>", "t.html:2: no message none" },
        { "unknown file", "{{>partials/none.html}}", "no file partials/none.html" },
        { "includes itself", "{{>t.html}}", "includes itself" },
        { "tag without end", "<p>{{v</p>", "tag without end" },
        { "empty tag", "<p>{{}}</p>", "empty tag" },
        { "parameter not given", "<p>{{@x}}</p>", "parameter @x was not given" },
        { "condition without end", "{{?x}}<p></p>", "{{/?x}} is missing" },
        { "not a name", "<p>{{A b}}</p>", "is no name of a value" },
        { "trusted HTML in an attribute", "{{!takes\nv\n}}\n<p title=\"{{{v}}}\"></p>", "in HTML text only" },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum err e;

        must_compile(f, rows[0].text);
        e = compile(f, true, "t.html", rows[i].text, NULL);
        if (e != (rows[i].want == NULL ? OK : ERR_INPUT) ||
            (rows[i].want != NULL && strstr(f->why.text, rows[i].want) == NULL))
            fail_msg("%s: %d %s", rows[i].label, e, f->why.text);
    }
}

static void
include_bomb_is_refused(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_free) struct buf many = BUF_BOUNDED(1 << 20);

    for (int i = 0; i < 100; i++)
        buf_adds(&many, "{{>partials/b.html}}");
    assert_int_equal(compile(f, true, "partials/b.html", "{{>partials/c.html}}{{>partials/c.html}}", "partials/c.html",
                             "<p></p>", "t.html", buf_cstr(&many), NULL), OK);
    assert_int_equal(compile(f, true, "partials/a.html", buf_cstr(&many), "partials/b.html",
                             "{{>partials/c.html}}", "partials/c.html", "<p></p>", "t.html",
                             "{{>partials/a.html}}{{>partials/a.html}}{{>partials/a.html}}{{>partials/a.html}}"
                             "{{>partials/a.html}}{{>partials/a.html}}{{>partials/a.html}}{{>partials/a.html}}"
                             "{{>partials/a.html}}{{>partials/a.html}}", NULL), ERR_INPUT);
    assert_non_null(strstr(f->why.text, "too many includes"));
}

/* --- assets ------------------------------------------------------------------------------------------------- */
static void
assets(void **state)
{
    struct fixture *f = *state;
    const struct page_asset *a;
    char path[100];
    bool versioned;

    assert_int_equal(compile(f, true, "assets/b.css", "p{}", "themes/t/logo.svg", "<svg/>", "assets/x.unknown", "x",
                             "t.html", "<link href=\"{{@assets}}/b.css\">", NULL), OK);
    (void)snprintf(path, sizeof(path), "%s/b.css", page_assets_base(f->set) + strlen("/assets/"));
    a = page_asset_find(f->set, path, &versioned);
    assert_non_null(a);
    assert_true(versioned);
    assert_string_equal(a->content_type, "text/css; charset=utf-8");
    assert_true(str_eqs(a->body, "p{}"));
    assert_non_null(strstr(render(f, "t.html", "fr", page_data_new(f->arena)), path));
    assert_ptr_equal(page_asset_find(f->set, "b.css", &versioned), a);
    assert_false(versioned);
    assert_non_null(page_asset_find(f->set, "themes/t/logo.svg", &versioned));
    /* the version of another node during an upgrade: our file, not to be kept under that name */
    assert_ptr_equal(page_asset_find(f->set, "0123456789ab/b.css", &versioned), a);
    assert_false(versioned);
    assert_null(page_asset_find(f->set, "0123456789ax/b.css", &versioned));
    assert_null(page_asset_find(f->set, "x.unknown", &versioned));
    assert_null(page_asset_find(f->set, "../messages.fr", &versioned));
    assert_null(page_asset_find(f->set, "t.html", &versioned));
    assert_null(page_asset_find(f->set, "", &versioned));
}

static void
themes_must_be_readable(void **state)
{
    static const char base[] =
        ":root { --town-accent: #2b4c7e; --town-accent-strong: #1f3a63; --town-accent-soft: #e6ecf5;\n"
        "--town-accent-dark: #9dbbe8; --town-accent-dark-strong: #c0d4f2; --town-accent-dark-soft: #22304a;\n"
        "--on-accent: #ffffff; --paper: #faf8f4; --sheet: #ffffff; --ink: #23201c; }\n"
        "@media { --on-accent: #14181f; --paper: #191715; --sheet: #221f1c; --ink: #f1ece4; }";
    static const struct { const char *label, *theme, *want; } rows[] = {
        { "empty", "/* nothing */", NULL },
        { "good", ":root { --town-accent: #0f5f5a; --town-accent-dark: #7fd1c7; }", NULL },
        { "black on white is 21", ":root { --town-accent: #000000; --town-accent-strong: #000000; }", NULL },
        { "just enough, 4.53", ":root { --town-accent: #727272; }", NULL },
        { "just too pale", ":root { --town-accent: #737373; }", "--town-accent on --paper has a contrast of 4.47" },
        { "too dark in the dark", ":root { --town-accent-dark: #2b4c7e; }", "--town-accent-dark on --paper in the dark" },
        { "text on its fill", ":root { --town-accent-soft: #444444; }", "on --town-accent-soft" },
        { "a name", ":root { --town-accent: teal; }", "--town-accent is not written #rrggbb" },
        { "short", ":root { --town-accent: #000; }", "is not written #rrggbb" },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum err e = compile(f, true, "assets/beffroi.css", base, "themes/t/theme.css", rows[i].theme, NULL);

        if (e != (rows[i].want == NULL ? OK : ERR_INPUT) ||
            (rows[i].want != NULL && strstr(f->why.text, rows[i].want) == NULL))
            fail_msg("%s: %d %s", rows[i].label, e, f->why.text);
    }
}

/* The squares that the standard fixes: three finders, whose top row is seven dark squares. */
static void
qr_codes(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_free) struct buf long_text = BUF_BOUNDED(1 << 16);

    assert_int_equal(page_qr("mailto:a@b.example?subject=G6J7-2QGR-RB3K", "<\"x\">", &f->out, &f->why), OK);
    assert_non_null(strstr(buf_cstr(&f->out), "aria-label=\"&lt;&quot;x&quot;&gt;\""));
    assert_non_null(strstr(buf_cstr(&f->out), " d=\"M0 0h7v1h-7z"));
    assert_non_null(strstr(buf_cstr(&f->out), "viewBox=\"-4 -4 37 37\""));       /* version 3: 29 squares */
    for (int i = 0; i < 4000; i++)
        buf_addc(&long_text, 'x');
    assert_int_equal(page_qr(buf_cstr(&long_text), "x", &f->out, &f->why), ERR_INPUT);
}

static void
loads_a_folder(void **state)
{
    struct fixture *f = *state;
    bool versioned;

    assert_int_equal(page_set_load(TEST_DATA "/no-such-folder", true, &f->set, &f->why), ERR_UNAVAILABLE);
    if (page_set_load(TEST_DATA "/page", true, &f->set, &f->why) != OK)
        fail_msg("%s", f->why.text);
    assert_int_equal(page_template_count(f->set), 2);
    assert_string_equal(page_template_name(f->set, 0), "mail.txt");
    assert_string_equal(page_template_name(f->set, 1), "sub/deep/a.html");
    assert_null(page_template_name(f->set, 2));
    assert_string_equal(render(f, "sub/deep/a.html", "fr", page_data_new(f->arena)), "<b>bonjour</b>\n");
    assert_string_equal(render(f, "mail.txt", "en", page_data_new(f->arena)), "hello\n");
    assert_non_null(page_asset_find(f->set, "a.css", &versioned));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(escapes_by_place, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_unsafe_urls, setup, teardown),
        cmocka_unit_test_setup_teardown(plain_text_is_not_escaped, setup, teardown),
        cmocka_unit_test_setup_teardown(lists_and_scopes, setup, teardown),
        cmocka_unit_test_setup_teardown(once_around_a_list, setup, teardown),
        cmocka_unit_test_setup_teardown(truth_of_values, setup, teardown),
        cmocka_unit_test_setup_teardown(trusted_html_has_its_own_type, setup, teardown),
        cmocka_unit_test_setup_teardown(missing_values, setup, teardown),
        cmocka_unit_test_setup_teardown(ceiling_of_the_page, setup, teardown),
        cmocka_unit_test_setup_teardown(moments, setup, teardown),
        cmocka_unit_test_setup_teardown(messages_in_place, setup, teardown),
        cmocka_unit_test_setup_teardown(unknown_message_is_its_key, setup, teardown),
        cmocka_unit_test_setup_teardown(catalogue_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(includes_with_parameters, setup, teardown),
        cmocka_unit_test_setup_teardown(lines_of_silent_tags_vanish, setup, teardown),
        cmocka_unit_test_setup_teardown(template_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(include_bomb_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(assets, setup, teardown),
        cmocka_unit_test_setup_teardown(themes_must_be_readable, setup, teardown),
        cmocka_unit_test_setup_teardown(qr_codes, setup, teardown),
        cmocka_unit_test_setup_teardown(loads_a_folder, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
