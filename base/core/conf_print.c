/*
 * conf_print: the sample file and the page of the reference, from the same table
 * as the parser. Each setting of the sample stands there as a comment with its
 * default; one that is compulsory stands without a value, and a sample in which
 * only those are filled in loads.
 */
#include "base/core/conf.h"

#define TEXT_WIDTH 100

static const char *
type_name(enum conf_type type)
{
    switch (type) {
    case CONF_TEXT:
        return "text";
    case CONF_PATH:
        return "path";
    case CONF_SECRET_PATH:
        return "secret file";
    case CONF_URL:
        return "URL";
    case CONF_INT:
        return "number";
    case CONF_BOOL:
        return "yes or no";
    case CONF_DURATION:
        return "duration";
    case CONF_CHOICE:
        return "choice";
    case CONF_LIST:
        return "list";
    }
    return "";
}

/* "a|b|c" with the bars replaced; NULL gives nothing. */
static void
add_range(struct buf *out, const char *range, const char *bar)
{
    for (const char *c = range; c != NULL && *c != '\0'; c++) {
        if (*c == '|')
            buf_adds(out, bar);
        else
            buf_addc(out, *c);
    }
}

static void
add_wrapped_comment(struct buf *out, const char *text)
{
    struct str rest = str_of(text);

    while (rest.n > 0) {
        size_t n = rest.n;

        if (n > TEXT_WIDTH - 2) {
            for (n = TEXT_WIDTH - 2; n > 0 && rest.p[n] != ' '; n--)
                ;
            if (n == 0)
                n = rest.n;
        }
        buf_add_lit(out, "# ");
        buf_add(out, rest.p, n);
        buf_addc(out, '\n');
        rest = str_trim((struct str){ rest.p + n, rest.n - n });
    }
}

void
conf_print_sample(const struct conf_item *items, size_t n, struct buf *out)
{
    for (size_t i = 0; i < n; i++) {
        add_wrapped_comment(out, items[i].help);
        buf_addf(out, "# (%s", type_name(items[i].type));
        if (items[i].range != NULL) {
            buf_add_lit(out, ": ");
            add_range(out, items[i].range, ", ");
        }
        buf_addf(out, "%s)\n", items[i].fallback == NULL ? "; compulsory" : "");
        buf_addf(out, "#%s =%s%s\n", items[i].name,
                 items[i].fallback == NULL || items[i].fallback[0] == '\0' ? "" : " ",
                 items[i].fallback == NULL ? "" : items[i].fallback);
        if (i + 1 < n)
            buf_addc(out, '\n');
    }
}

/* A cell of a Markdown table: bars would end it. */
static void
add_cell(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '|')
            buf_addc(out, '\\');
        buf_addc(out, *text);
    }
}

void
conf_print_reference(const struct conf_item *items, size_t n, struct buf *out)
{
    buf_add_lit(out, "| Setting | Type | Default | Range | Meaning |\n| --- | --- | --- | --- | --- |\n");
    for (size_t i = 0; i < n; i++) {
        buf_addf(out, "| `%s` | %s | ", items[i].name, type_name(items[i].type));
        if (items[i].fallback == NULL) {
            buf_add_lit(out, "*compulsory*");
        } else if (items[i].fallback[0] == '\0') {
            buf_add_lit(out, "*none*");
        } else {
            buf_addc(out, '`');
            add_cell(out, items[i].fallback);
            buf_addc(out, '`');
        }
        buf_add_lit(out, " | ");
        add_range(out, items[i].range, ", ");
        buf_add_lit(out, " | ");
        add_cell(out, items[i].help);
        buf_add_lit(out, " |\n");
    }
}
