/* xmlout: see xmlout.h; the escapes are those of xml-c14n §2.3, and no other. */
#include "idp/saml/xmlout.h"

#include "base/core/text.h"

bool
xml_is_clean(struct str value)
{
    size_t i;

    for (i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];

        if (c < ' ' && c != '\t' && c != '\n' && c != '\r')
            return false;
        /* U+FFFE and U+FFFF */
        if (c == 0xef && i + 2 < value.n && (unsigned char)value.p[i + 1] == 0xbf &&
            (unsigned char)value.p[i + 2] >= 0xbe)
            return false;
    }
    return text_is_utf8(value);
}

static const char *
escape_text(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '\r':
        return "&#xD;";
    default:
        return NULL;
    }
}

static const char *
escape_attribute(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '"':
        return "&quot;";
    case '\t':
        return "&#x9;";
    case '\n':
        return "&#xA;";
    case '\r':
        return "&#xD;";
    default:
        return NULL;
    }
}

static void
add_escaped(struct xmlout *x, struct str value, const char *(*escape)(char))
{
    size_t i, plain = 0;

    if (!xml_is_clean(value)) {
        x->spoiled = true;
        return;
    }
    for (i = 0; i < value.n; i++) {
        const char *escaped = escape(value.p[i]);

        if (escaped == NULL)
            continue;
        buf_add(x->out, value.p + plain, i - plain);
        buf_adds(x->out, escaped);
        plain = i + 1;
    }
    buf_add(x->out, value.p + plain, value.n - plain);
}

void
xml_text(struct xmlout *x, struct str value)
{
    add_escaped(x, value, escape_text);
}

void
xml_attribute(struct xmlout *x, const char *name, const char *value)
{
    if (value == NULL)
        return;
    buf_addc(x->out, ' ');
    buf_adds(x->out, name);
    buf_add_lit(x->out, "=\"");
    add_escaped(x, str_of(value), escape_attribute);
    buf_addc(x->out, '"');
}

void
xml_time(struct xmlout *x, const char *name, utime t)
{
    char text[UTIME_RFC3339_LEN + 1];

    utime_rfc3339(t, text);
    xml_attribute(x, name, text);
}

void
xml_element(struct xmlout *x, const char *start_tag, const char *value, const char *end_tag)
{
    buf_adds(x->out, start_tag);
    xml_text(x, str_of(value));
    buf_adds(x->out, end_tag);
}
