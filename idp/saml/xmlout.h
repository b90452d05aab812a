/*
 * xmlout: XML text that is its own exclusive canonical form (xml-exc-c14n), so that what is digested is what is sent.
 *
 * The writer of a message keeps the rules that no escaper can: namespaces declared where they are first used, on each
 * outermost element; attributes in order of their names; an end tag for every start tag. A value that is not UTF-8 or
 * holds a character that XML 1.0 does not know spoils the whole message: xml_ok() is asked once at the end.
 */
#ifndef IDP_SAML_XMLOUT_H
#define IDP_SAML_XMLOUT_H

#include "base/core/buf.h"
#include "base/core/clock.h"

struct xmlout {
    struct buf *out;
    bool spoiled;
};

#define xml_lit(x, literal) buf_add_lit((x)->out, literal)
void xml_text(struct xmlout *x, struct str value);
/* ` name="value"` with its space; nothing at all when value is NULL. */
void xml_attribute(struct xmlout *x, const char *name, const char *value);
void xml_time(struct xmlout *x, const char *name, utime t);
/* `<prefix:name xmlns…>` text `</prefix:name>` */
void xml_element(struct xmlout *x, const char *start_tag, const char *value, const char *end_tag);
static inline bool
xml_ok(const struct xmlout *x)
{
    return !x->spoiled && buf_ok(x->out);
}
/* Valid UTF-8 of characters that XML 1.0 §2.2 allows. */
bool xml_is_clean(struct str value);

#endif
