/* certs_only: see certs_only.h. SignedData of version 1 (RFC 2315 §9.1), or of RFC 5652 §5.1, which are the same octets here. */
#include "pki/encode/certs_only.h"

#include "base/crypto/der-oid.h"
#include "base/crypto/der.h"

enum err
certs_only_encode(const struct str *certificates, size_t n, struct buf *out, struct why *why)
{
    size_t info, content, signed_data, part;

    if (n == 0)
        return why_set(why, ERR_INPUT, "no certificate");
    for (size_t i = 0; i < n; i++) {
        struct str in = certificates[i], whole;
        unsigned tag;

        if (der_element(&in, &tag, &whole) != OK || in.n != 0 || tag != DER_SEQUENCE)
            return why_set(why, ERR_INPUT, "not a certificate");
    }
    info = der_begin(out, DER_SEQUENCE);
    der_add_oid(out, OID_PKCS7_SIGNED_DATA);
    content = der_begin(out, DER_CONTEXT(0));
    signed_data = der_begin(out, DER_SEQUENCE);
    der_add_number(out, DER_INTEGER, 1);
    der_end(out, der_begin(out, DER_SET));                       /* digestAlgorithms */
    part = der_begin(out, DER_SEQUENCE);                         /* encapContentInfo, without content */
    der_add_oid(out, OID_PKCS7_DATA);
    der_end(out, part);
    part = der_begin(out, DER_CONTEXT(0));                       /* certificates, IMPLICIT SET OF */
    for (size_t i = 0; i < n; i++)
        buf_add_str(out, certificates[i]);
    der_end_set_of(out, part);
    der_end(out, der_begin(out, DER_SET));                       /* signerInfos */
    der_end(out, signed_data);
    der_end(out, content);
    der_end(out, info);
    return buf_ok(out) ? OK : why_set(why, ERR_INTERNAL, "no room for the certificates");
}
