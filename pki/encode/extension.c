/* extension: see extension.h. */
#include "pki/encode/extension.h"

#include "base/crypto/der-oid.h"

#define URL_MAX 200

struct extension_mark
extension_begin(struct buf *out, struct str oid, bool critical)
{
    struct extension_mark mark = { der_begin(out, DER_SEQUENCE), 0 };

    der_add_oid(out, oid);
    if (critical)
        der_add_true(out, DER_BOOLEAN);
    mark.value = der_begin(out, DER_OCTET_STRING);
    return mark;
}

void
extension_end(struct buf *out, struct extension_mark mark)
{
    der_end(out, mark.value);
    der_end(out, mark.extension);
}

void
extension_authority_key_id(struct buf *out, struct str key_id)
{
    const struct extension_mark mark = extension_begin(out, OID_CE_AUTHORITY_KEY_IDENTIFIER, false);
    const size_t value = der_begin(out, DER_SEQUENCE);

    der_add(out, DER_CONTEXT_PRIMITIVE(0), key_id);
    der_end(out, value);
    extension_end(out, mark);
}

void
extension_distribution_point_name(struct buf *out, struct str url)
{
    const size_t name = der_begin(out, DER_CONTEXT(0));          /* distributionPoint */
    const size_t full_name = der_begin(out, DER_CONTEXT(0));

    der_add(out, DER_CONTEXT_PRIMITIVE(6), url);                 /* uniformResourceIdentifier */
    der_end(out, full_name);
    der_end(out, name);
}

void
extension_distribution_points(struct buf *out, struct str oid, struct str url)
{
    const struct extension_mark mark = extension_begin(out, oid, false);
    const size_t points = der_begin(out, DER_SEQUENCE);
    const size_t point = der_begin(out, DER_SEQUENCE);

    extension_distribution_point_name(out, url);
    der_end(out, point);
    der_end(out, points);
    extension_end(out, mark);
}

bool
extension_url_is_valid(struct str url)
{
    if (!str_starts(url, "http://") || url.n == 7 || url.n > URL_MAX)
        return false;
    for (size_t i = 0; i < url.n; i++)
        if (url.p[i] <= ' ' || url.p[i] >= 0x7f || strchr("\"<>\\^`{|}", url.p[i]) != NULL)
            return false;
    return true;
}
