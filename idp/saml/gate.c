/*
 * gate: limits and refusals before and after the XML parser (see gate.h).
 *
 * What bites: libxml2 2.9 needs time quadratic in the attributes of one element and calls back only after it has
 * spent it, so the count is made on the octets. The scan below and libxml2 see the same borders in every well-formed
 * document; in one that is not, libxml2 stops at the first fault and its tree is thrown away.
 */
#include "idp/saml/gate.h"

#include <stdlib.h>

#include <libxml/parser.h>

#include "base/core/text.h"
#include "idp/saml/engine.h"
#include "idp/saml/proto.h"

const struct gate_limits gate_message = {
    .bytes = 64 * 1024, .nodes = 2000, .depth = 24, .attributes = 64, .message = true};
const struct gate_limits gate_metadata = {
    .bytes = 1024 * 1024, .nodes = 20000, .depth = 32, .attributes = 64, .message = false};

#define DECLARATION_MAX 200

/* --- before the parse: octets ------------------------------------------------------------------- */
struct scan {
    struct str in;
    size_t at; /* next octet */
    size_t nodes, depth;
    const struct gate_limits *limits;
    struct why *why;
};

static bool
is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool
scan_starts(const struct scan *s, const char *word)
{
    return str_starts((struct str){s->in.p + s->at, s->in.n - s->at}, word);
}

/* Moves behind word; false when it does not come any more. */
static bool
scan_past(struct scan *s, const char *word)
{
    const char *found = memmem(s->in.p + s->at, s->in.n - s->at, word, strlen(word));

    if (found == NULL)
        return false;
    s->at = (size_t)(found - s->in.p) + strlen(word);
    return true;
}

/* encoding="…" of the declaration: only the one we read the octets in. */
static enum err
check_encoding(struct str declaration, struct why *why)
{
    const char *p = memmem(declaration.p, declaration.n, "encoding", 8);
    struct str rest, value, after;
    char quote;

    if (p == NULL)
        return OK;
    rest = (struct str){p + 8, (size_t)(declaration.p + declaration.n - (p + 8))};
    while (rest.n > 0 && (is_space(rest.p[0]) || rest.p[0] == '='))
        rest = (struct str){rest.p + 1, rest.n - 1};
    if (rest.n == 0 || (rest.p[0] != '"' && rest.p[0] != '\''))
        return why_code(why, ERR_INPUT, "saml.xml.declaration", "XML declaration is malformed");
    quote = rest.p[0];
    value = str_split((struct str){rest.p + 1, rest.n - 1}, quote, &after);
    if (after.p == NULL || !(str_ieqs(value, "UTF-8") || str_ieqs(value, "US-ASCII") || str_ieqs(value, "ASCII")))
        return why_code(why, ERR_INPUT, "saml.xml.encoding", "the encoding is not UTF-8");
    return OK;
}

static enum err
scan_declaration(struct scan *s)
{
    size_t start;

    if (scan_starts(s, "\xEF\xBB\xBF"))
        s->at += 3;
    if (!scan_starts(s, "<?xml") || s->in.n - s->at < 6 || !is_space(s->in.p[s->at + 5]))
        return OK;
    start = s->at;
    if (!scan_past(s, "?>") || s->at - start > DECLARATION_MAX)
        return why_code(s->why, ERR_INPUT, "saml.xml.declaration", "XML declaration is malformed");
    return check_encoding((struct str){s->in.p + start, s->at - start}, s->why);
}

/* The five entities of XML and character references: nothing that a DTD could define. */
static enum err
scan_reference(struct scan *s)
{
    static const char *const known[] = {"&lt;", "&gt;", "&amp;", "&quot;", "&apos;"};
    size_t i;

    for (i = 0; i < ARRAY_LEN(known); i++)
        if (scan_starts(s, known[i])) {
            s->at += strlen(known[i]);
            return OK;
        }
    if (scan_starts(s, "&#")) {
        s->at += 2;
        return OK;
    }
    return why_code(s->why, ERR_INPUT, "saml.xml.entity", "an entity reference");
}

static enum err
scan_count(struct scan *s)
{
    if (++s->nodes > s->limits->nodes)
        return why_code(s->why, ERR_INPUT, "saml.xml.nodes", "more than %zu nodes", s->limits->nodes);
    return OK;
}

/* '<!': a DOCTYPE, CDATA or comment. */
static enum err
scan_bang(struct scan *s)
{
    if (scan_starts(s, "<!--") && !s->limits->message) {
        s->at += 4;
        if (!scan_past(s, "-->"))
            return why_code(s->why, ERR_INPUT, "saml.xml.malformed", "a comment does not end");
        return scan_count(s);
    }
    if (scan_starts(s, "<!--"))
        return why_code(s->why, ERR_INPUT, "saml.xml.comment", "a comment");
    if (scan_starts(s, "<![CDATA["))
        return why_code(s->why, ERR_INPUT, "saml.xml.cdata", "a CDATA section");
    return why_code(s->why, ERR_INPUT, "saml.xml.doctype", "a document type declaration");
}

/* Inside a start tag: up to its '>', quotes respected. */
static enum err
scan_start_tag(struct scan *s)
{
    size_t attributes = 0;
    char quote = 0;
    enum err e;

    if ((e = scan_count(s)) != OK)
        return e;
    for (s->at++; s->at < s->in.n;) {
        char c = s->in.p[s->at];

        if (c == '<')
            return why_code(s->why, ERR_INPUT, "saml.xml.malformed", "'<' inside a tag");
        if (quote != 0 && c == '&') {
            if ((e = scan_reference(s)) != OK)
                return e;
            continue;
        }
        s->at++;
        if (quote != 0) {
            if (c == quote)
                quote = 0;
        } else if (c == '"' || c == '\'') {
            quote = c;
        } else if (c == '=') {
            if (++attributes > s->limits->attributes)
                return why_code(s->why, ERR_INPUT, "saml.xml.attributes", "more than %zu attributes on an element",
                                s->limits->attributes);
            if ((e = scan_count(s)) != OK)
                return e;
        } else if (c == '>') {
            if (s->in.p[s->at - 2] != '/' && ++s->depth > s->limits->depth)
                return why_code(s->why, ERR_INPUT, "saml.xml.depth", "deeper than %zu elements", s->limits->depth);
            return OK;
        }
    }
    return why_code(s->why, ERR_INPUT, "saml.xml.malformed", "a tag does not end");
}

static enum err
scan_tag(struct scan *s)
{
    char next = s->at + 1 < s->in.n ? s->in.p[s->at + 1] : 0;

    if (next == '!')
        return scan_bang(s);
    if (next == '?')
        return why_code(s->why, ERR_INPUT, "saml.xml.pi", "a processing instruction");
    if (next != '/')
        return scan_start_tag(s);
    if (!scan_past(s, ">") || s->depth == 0)
        return why_code(s->why, ERR_INPUT, "saml.xml.malformed", "an end tag without its start");
    s->depth--;
    return OK;
}

static enum err
scan_octets(struct str xml, const struct gate_limits *limits, struct why *why)
{
    struct scan s = {.in = xml, .limits = limits, .why = why};
    enum err e;

    if (xml.n == 0)
        return why_code(why, ERR_INPUT, "saml.xml.empty", "nothing in it");
    if (xml.n > limits->bytes)
        return why_code(why, ERR_INPUT, "saml.xml.size", "larger than %zu bytes", limits->bytes);
    if (!text_is_utf8(xml))
        return why_code(why, ERR_INPUT, "saml.xml.encoding", "not UTF-8");
    if (memchr(xml.p, 0, xml.n) != NULL)
        return why_code(why, ERR_INPUT, "saml.xml.malformed", "a NUL");
    if ((e = scan_declaration(&s)) != OK)
        return e;
    while (s.at < xml.n) {
        if (xml.p[s.at] == '<') {
            if ((e = scan_tag(&s)) != OK)
                return e;
            if (s.at < xml.n && xml.p[s.at] != '<' && (e = scan_count(&s)) != OK)
                return e;
        } else if (xml.p[s.at] == '&') {
            if ((e = scan_reference(&s)) != OK)
                return e;
        } else {
            s.at++;
        }
    }
    return OK;
}

/* --- the parse ------------------------------------------------------------------------------------ */
static void
stop_at_subset(void *ctx, const xmlChar *name, const xmlChar *external_id, const xmlChar *system_id)
{
    (void)name;
    (void)external_id;
    (void)system_id;
    xmlStopParser(ctx);
}

static enum err
parse(struct str xml, xmlDoc **ret, struct why *why)
{
    xmlParserCtxt *ctxt = xmlNewParserCtxt();
    AUTO(gate_doc_freep) xmlDoc *doc = NULL;
    bool whole;

    CHECK(ctxt != NULL);
    ctxt->sax->internalSubset = stop_at_subset;
    ctxt->sax->externalSubset = stop_at_subset;
    ctxt->sax->resolveEntity = NULL;
    /* NONET and nothing else: no NOENT, DTDLOAD, DTDATTR, XINCLUDE, HUGE, RECOVER. */
    doc = xmlCtxtReadMemory(ctxt, xml.p, (int)xml.n, NULL, "UTF-8",
                            XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    whole = doc != NULL && ctxt->wellFormed == 1 && ctxt->nsWellFormed == 1 && doc->intSubset == NULL &&
            doc->extSubset == NULL && xmlDocGetRootElement(doc) != NULL;
    xmlFreeParserCtxt(ctxt);
    if (!whole)
        return why_code(why, ERR_INPUT, "saml.xml.malformed", "not well-formed");
    *ret = TAKE(doc);
    return OK;
}

/* --- after the parse: the tree -------------------------------------------------------------------- */
struct walk {
    const struct gate_limits *limits;
    const char **ids; /* values of all attributes that anything might take for an identifier */
    size_t nids, capids;
    struct why *why;
};

static bool
ns_is(const xmlNs *ns, const char *href)
{
    return ns != NULL && ns->href != NULL && strcmp((const char *)ns->href, href) == 0;
}

static bool
ns_is_protocol(const xmlNs *ns)
{
    return ns_is(ns, NS_SAMLP) || ns_is(ns, NS_DS) || ns_is(ns, NS_XENC) || ns_is(ns, NS_SOAP);
}

static bool
looks_like_id(const char *name)
{
    static const char *const names[] = {"ID", "Id", "id", "AssertionID", "RequestID", "ResponseID"};
    size_t i;

    for (i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static enum err
walk_attribute(struct walk *w, const xmlAttr *attr, bool in_extensions)
{
    const char *name = (const char *)attr->name;

    if (attr->children != NULL && (attr->children->type != XML_TEXT_NODE || attr->children->next != NULL))
        return why_code(w->why, ERR_INPUT, "saml.xml.malformed", "attribute %s is not plain text", name);
    if (ns_is(attr->ns, NS_XML) && strcmp(name, "lang") != 0 && (w->limits->message || strcmp(name, "id") == 0))
        return why_code(w->why, ERR_INPUT, "saml.xml.attribute", "attribute xml:%s", name);
    if (attr->ns != NULL && !ns_is(attr->ns, NS_XML) && w->limits->message && !in_extensions &&
        !ns_is(attr->ns, NS_SOAP))
        return why_code(w->why, ERR_INPUT, "saml.xml.attribute", "foreign attribute %s", name);
    if (!looks_like_id(name) || attr->children == NULL)
        return OK;
    if (w->nids == w->capids) {
        w->capids = w->capids == 0 ? 16 : w->capids * 2;
        w->ids = mem_realloc_array(w->ids, w->capids, sizeof w->ids[0]);
    }
    w->ids[w->nids++] = (const char *)attr->children->content;
    return OK;
}

/* Elements of the protocol stay where the protocol puts them; the rest of the world lives in Extensions. */
static enum err
walk_element(struct walk *w, const xmlNode *node, bool in_extensions)
{
    const xmlAttr *attr;
    enum err e;

    if (node->ns == NULL)
        return why_code(w->why, ERR_INPUT, "saml.xml.namespace", "element %s has no namespace",
                        (const char *)node->name);
    if (w->limits->message) {
        bool own = ns_is_protocol(node->ns) || ns_is(node->ns, NS_SAML) || ns_is(node->ns, NS_EXC_C14N);

        if (in_extensions && (ns_is_protocol(node->ns) ||
                              (ns_is(node->ns, NS_SAML) && strcmp((const char *)node->name, "Attribute") != 0 &&
                               strcmp((const char *)node->name, "AttributeValue") != 0)))
            return why_code(w->why, ERR_INPUT, "saml.xml.extensions", "element %s inside Extensions",
                            (const char *)node->name);
        if (!in_extensions && !own)
            return why_code(w->why, ERR_INPUT, "saml.xml.namespace", "element %s of a foreign namespace",
                            (const char *)node->name);
    }
    for (attr = node->properties; attr != NULL; attr = attr->next)
        if ((e = walk_attribute(w, attr, in_extensions)) != OK)
            return e;
    return OK;
}

static enum err
walk_node(struct walk *w, const xmlNode *node, bool in_extensions)
{
    switch (node->type) {
    case XML_ELEMENT_NODE:
        return walk_element(w, node, in_extensions);
    case XML_TEXT_NODE:
        return OK;
    case XML_COMMENT_NODE:
        if (!w->limits->message)
            return OK;
        return why_code(w->why, ERR_INPUT, "saml.xml.comment", "a comment");
    default:
        return why_code(w->why, ERR_INPUT, "saml.xml.node", "a node of type %d", (int)node->type);
    }
}

/* Depth is bounded by the scan, so recursion is. */
static enum err
walk_tree(struct walk *w, const xmlNode *node, bool in_extensions)
{
    const xmlNode *child;
    enum err e;

    if ((e = walk_node(w, node, in_extensions)) != OK || node->type != XML_ELEMENT_NODE)
        return e;
    if (ns_is(node->ns, NS_SAMLP) && strcmp((const char *)node->name, "Extensions") == 0)
        in_extensions = true;
    for (child = node->children; child != NULL; child = child->next)
        if ((e = walk_tree(w, child, in_extensions)) != OK)
            return e;
    return OK;
}

static int
compare_ids(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static enum err
check_tree(const xmlDoc *doc, const struct gate_limits *limits, struct why *why)
{
    struct walk w = {.limits = limits, .why = why};
    const xmlNode *node;
    enum err e = OK;
    size_t i;

    for (node = doc->children; node != NULL && e == OK; node = node->next)
        e = walk_tree(&w, node, false);
    if (w.nids > 1)
        qsort(w.ids, w.nids, sizeof w.ids[0], compare_ids);
    for (i = 1; i < w.nids && e == OK; i++)
        if (strcmp(w.ids[i - 1], w.ids[i]) == 0)
            e = why_code(why, ERR_INPUT, "saml.xml.id_twice", "the same identifier twice");
    mem_freep(&w.ids);
    return e;
}

enum err
gate_parse(struct str xml, const struct gate_limits *limits, xmlDoc **ret, struct why *why)
{
    AUTO(gate_doc_freep) xmlDoc *doc = NULL;
    enum err e;

    saml_engine_start();
    if ((e = scan_octets(xml, limits, why)) != OK || (e = parse(xml, &doc, why)) != OK ||
        (e = check_tree(doc, limits, why)) != OK)
        return e;
    *ret = TAKE(doc);
    return OK;
}
