/*
 * dom: reading a gated tree strictly: children in the order of the schema, attributes of a list, text without markup.
 * Strings come out in the arena given; nothing here keeps the tree.
 */
#ifndef IDP_SAML_DOM_H
#define IDP_SAML_DOM_H

#include <libxml/tree.h>

#include "base/core/arena.h"
#include "base/core/clock.h"

bool dom_is(const xmlNode *node, const char *ns, const char *name);

/* Walks the element children of a node. */
struct dom_cursor {
    xmlNode *next; /* the element to be taken next; NULL at the end */
};
/* ERR_INPUT: text other than white space between the elements. */
MUST_USE enum err dom_children(const xmlNode *parent, struct dom_cursor *ret, struct why *why);
/* The next element if it is this one, else NULL and nothing moves. */
xmlNode *dom_take(struct dom_cursor *c, const char *ns, const char *name);
/* The next element, whatever it is; NULL at the end. */
xmlNode *dom_take_any(struct dom_cursor *c);
/* "and nothing more follows" */
MUST_USE enum err dom_end(const struct dom_cursor *c, struct why *why);

/* Only these attributes without a namespace (names separated by spaces) stand on the node. */
MUST_USE enum err dom_attributes(const xmlNode *node, const char *allowed, struct why *why);
/* An attribute without namespace; NULL when absent. */
xmlAttr *dom_find_attribute(const xmlNode *node, const char *name);
/* Its value, in the tree; NULL when absent. */
const char *dom_peek(const xmlNode *node, const char *name);
/* Its value, in the arena; NULL when absent. */
const char *dom_attribute(const xmlNode *node, const char *name, struct arena *a);
/* Same for one of a namespace. */
const char *dom_attribute_ns(const xmlNode *node, const char *ns, const char *name, struct arena *a);
/* Text of an element that holds nothing else (comments are skipped where the gate lets them through). */
MUST_USE enum err dom_text(const xmlNode *node, struct arena *a, const char **ret, struct why *why);
/* Same, surrounding white space dropped: xs:anyURI, base64. */
MUST_USE enum err dom_token(const xmlNode *node, struct arena *a, const char **ret, struct why *why);

/* xs:boolean; absent gives fallback. */
MUST_USE enum err dom_boolean(const xmlNode *node, const char *name, bool fallback, bool *ret, struct why *why);
/* xs:unsignedShort; absent gives -1. */
MUST_USE enum err dom_index(const xmlNode *node, const char *name, int *ret, struct why *why);
/* xs:dateTime; absent gives 0. */
MUST_USE enum err dom_time(const xmlNode *node, const char *name, utime *ret, struct why *why);
/* xs:ID without what XML allows beyond ASCII; 1 to 256 characters. */
bool dom_is_ncname(const char *s);

#endif
