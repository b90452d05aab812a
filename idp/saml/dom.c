/* dom: see dom.h. Nothing here trusts the tree further than the gate does. */
#include "idp/saml/dom.h"

#include "idp/saml/proto.h"

bool
dom_is(const xmlNode *node, const char *ns, const char *name)
{
    return node != NULL && node->type == XML_ELEMENT_NODE && node->ns != NULL && node->ns->href != NULL &&
           strcmp((const char *)node->name, name) == 0 && strcmp((const char *)node->ns->href, ns) == 0;
}

static bool
is_blank(const xmlChar *s)
{
    for (; s != NULL && *s != 0; s++)
        if (*s != ' ' && *s != '\t' && *s != '\r' && *s != '\n')
            return false;
    return true;
}

static xmlNode *
element_from(xmlNode *node)
{
    while (node != NULL && node->type != XML_ELEMENT_NODE)
        node = node->next;
    return node;
}

enum err
dom_children(const xmlNode *parent, struct dom_cursor *ret, struct why *why)
{
    const xmlNode *node;

    for (node = parent->children; node != NULL; node = node->next)
        if (node->type == XML_TEXT_NODE && !is_blank(node->content))
            return why_code(why, ERR_INPUT, "saml.schema", "text in %s", (const char *)parent->name);
    ret->next = element_from(parent->children);
    return OK;
}

xmlNode *
dom_take(struct dom_cursor *c, const char *ns, const char *name)
{
    xmlNode *node = c->next;

    if (!dom_is(node, ns, name))
        return NULL;
    c->next = element_from(node->next);
    return node;
}

xmlNode *
dom_take_any(struct dom_cursor *c)
{
    xmlNode *node = c->next;

    if (node != NULL)
        c->next = element_from(node->next);
    return node;
}

enum err
dom_end(const struct dom_cursor *c, struct why *why)
{
    if (c->next == NULL)
        return OK;
    return why_code(why, ERR_INPUT, "saml.schema", "element %s is not expected there", (const char *)c->next->name);
}

static bool
in_list(const char *list, const char *name)
{
    size_t n = strlen(name);
    const char *p;

    for (p = list; (p = strstr(p, name)) != NULL; p += n)
        if ((p == list || p[-1] == ' ') && (p[n] == ' ' || p[n] == 0))
            return true;
    return false;
}

enum err
dom_attributes(const xmlNode *node, const char *allowed, struct why *why)
{
    const xmlAttr *attr;

    for (attr = node->properties; attr != NULL; attr = attr->next)
        if (attr->ns == NULL && !in_list(allowed, (const char *)attr->name))
            return why_code(why, ERR_INPUT, "saml.schema", "attribute %s of %s is not expected",
                            (const char *)attr->name, (const char *)node->name);
    return OK;
}

xmlAttr *
dom_find_attribute(const xmlNode *node, const char *name)
{
    xmlAttr *attr;

    for (attr = node->properties; attr != NULL; attr = attr->next)
        if (attr->ns == NULL && strcmp((const char *)attr->name, name) == 0)
            return attr;
    return NULL;
}

/* The gate let only attributes through whose value is one run of text. */
static const char *
value_of(const xmlAttr *attr)
{
    if (attr == NULL)
        return NULL;
    return attr->children == NULL || attr->children->content == NULL ? "" : (const char *)attr->children->content;
}

const char *
dom_peek(const xmlNode *node, const char *name)
{
    return value_of(dom_find_attribute(node, name));
}

const char *
dom_attribute(const xmlNode *node, const char *name, struct arena *a)
{
    const char *value = dom_peek(node, name);

    return value == NULL ? NULL : arena_strdup(a, value);
}

const char *
dom_attribute_ns(const xmlNode *node, const char *ns, const char *name, struct arena *a)
{
    const xmlAttr *attr;

    for (attr = node->properties; attr != NULL; attr = attr->next)
        if (attr->ns != NULL && attr->ns->href != NULL && strcmp((const char *)attr->ns->href, ns) == 0 &&
            strcmp((const char *)attr->name, name) == 0)
            return arena_strdup(a, value_of(attr));
    return NULL;
}

enum err
dom_text(const xmlNode *node, struct arena *a, const char **ret, struct why *why)
{
    const xmlNode *child;
    size_t n = 0;
    char *text;

    for (child = node->children; child != NULL; child = child->next) {
        if (child->type == XML_COMMENT_NODE)
            return why_code(why, ERR_INPUT, "saml.xml.comment", "a comment inside the value of %s",
                            (const char *)node->name);
        if (child->type != XML_TEXT_NODE)
            return why_code(why, ERR_INPUT, "saml.schema", "an element inside the value of %s",
                            (const char *)node->name);
        n += strlen((const char *)child->content);
    }
    text = arena_alloc(a, n + 1);
    for (n = 0, child = node->children; child != NULL; child = child->next) {
        size_t len = strlen((const char *)child->content);

        memcpy(text + n, child->content, len);
        n += len;
    }
    *ret = text;
    return OK;
}

enum err
dom_token(const xmlNode *node, struct arena *a, const char **ret, struct why *why)
{
    const char *text;
    enum err e;

    if ((e = dom_text(node, a, &text, why)) != OK)
        return e;
    *ret = arena_str(a, str_trim(str_of(text)));
    return OK;
}

enum err
dom_boolean(const xmlNode *node, const char *name, bool fallback, bool *ret, struct why *why)
{
    const char *v = dom_peek(node, name);

    if (v == NULL)
        *ret = fallback;
    else if (strcmp(v, "true") == 0 || strcmp(v, "1") == 0)
        *ret = true;
    else if (strcmp(v, "false") == 0 || strcmp(v, "0") == 0)
        *ret = false;
    else
        return why_code(why, ERR_INPUT, "saml.schema", "%s is not a boolean", name);
    return OK;
}

enum err
dom_index(const xmlNode *node, const char *name, int *ret, struct why *why)
{
    const char *v = dom_peek(node, name);
    int64_t n = -1;

    if (v != NULL && str_to_i64(str_of(v), 0, 65535, &n) != OK)
        return why_code(why, ERR_INPUT, "saml.schema", "%s is not an index", name);
    *ret = (int)n;
    return OK;
}

enum err
dom_time(const xmlNode *node, const char *name, utime *ret, struct why *why)
{
    const char *v = dom_peek(node, name);
    utime t = 0;

    if (v != NULL && utime_parse(v, &t) != OK)
        return why_code(why, ERR_INPUT, "saml.schema", "%s is not a time", name);
    *ret = t;
    return OK;
}

static bool
is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool
dom_is_ncname(const char *s)
{
    size_t i;

    if (!is_alpha(s[0]))
        return false;
    for (i = 1; s[i] != 0; i++)
        if (i >= 256 || !(is_alpha(s[i]) || (s[i] >= '0' && s[i] <= '9') || s[i] == '-' || s[i] == '.'))
            return false;
    return true;
}
