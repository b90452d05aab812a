/*
 * gate: the only way by which XML from outside becomes a tree.
 *
 * It scans the octets before any library sees them (size, encoding, number of elements, depth, attributes of one
 * element, DOCTYPE, processing instructions, comments, CDATA, entities), then lets libxml2 parse, then walks the
 * tree (namespaces, attributes, identifiers that are there twice). What it lets through is elements and text.
 * It opens no file and no address. ERR_INPUT with a code "saml.xml.…" on every refusal.
 */
#ifndef IDP_SAML_GATE_H
#define IDP_SAML_GATE_H

#include <libxml/tree.h>

#include "base/core/buf.h"

struct gate_limits {
    size_t bytes;      /* of the document */
    size_t nodes;      /* elements + attributes + runs of text */
    size_t depth;      /* of elements */
    size_t attributes; /* of one element, namespace declarations included */
    bool message;      /* a protocol message: no comment; namespaces of others in Extensions only */
};

extern const struct gate_limits gate_message;  /* protocol messages, bare or in SOAP */
extern const struct gate_limits gate_metadata; /* an operator's import */

static inline void
gate_doc_free(xmlDoc *doc)
{
    xmlFreeDoc(doc);
}
DEFINE_FREEP(xmlDoc, gate_doc_free)

MUST_USE enum err gate_parse(struct str xml, const struct gate_limits *limits, xmlDoc **ret, struct why *why);

#endif
