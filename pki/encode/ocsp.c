/*
 * ocsp: see ocsp.h. Every time in an answer is a GeneralizedTime to the second (RFC 5019 §2.2.4).
 */
#include "pki/encode/ocsp.h"

#include "base/crypto/der-oid.h"
#include "pki/encode/crl.h"
#include "pki/encode/extension.h"

static enum err
status_encode(const struct ocsp_single *s, struct buf *out)
{
    size_t revoked, reason;
    enum err e;

    switch (s->status) {
    case OCSP_GOOD:
        der_add(out, DER_CONTEXT_PRIMITIVE(0), STR_NULL);
        return OK;
    case OCSP_REVOKED:
        revoked = der_begin(out, DER_CONTEXT(1));
        if ((e = der_add_generalized_time(out, DER_GENERALIZED_TIME, s->revoked_at)) != OK)
            return e;
        if (s->reason != CRL_REASON_NONE) {
            if (s->reason < 1 || s->reason > 10 || s->reason == 7 || s->reason == CRL_REMOVE_FROM_CRL)
                return ERR_INPUT;
            reason = der_begin(out, DER_CONTEXT(0));
            der_add_number(out, DER_ENUMERATED, (uint64_t)s->reason);
            der_end(out, reason);
        }
        der_end(out, revoked);
        return OK;
    case OCSP_UNKNOWN:
        der_add(out, DER_CONTEXT_PRIMITIVE(2), STR_NULL);
        return OK;
    }
    return ERR_INTERNAL;
}

static enum err
single_encode(const struct ocsp_single *s, struct buf *out)
{
    const size_t single = der_begin(out, DER_SEQUENCE);
    enum err e;

    buf_add_str(out, s->cert_id);
    if ((e = status_encode(s, out)) != OK || (e = der_add_generalized_time(out, DER_GENERALIZED_TIME, s->this_update)) != OK)
        return e;
    if (s->next_update != 0) {
        const size_t next = der_begin(out, DER_CONTEXT(0));

        if (s->next_update < s->this_update ||
            (e = der_add_generalized_time(out, DER_GENERALIZED_TIME, s->next_update)) != OK)
            return ERR_INPUT;
        der_end(out, next);
    }
    if (s->archive_cutoff != 0) {
        const size_t tagged = der_begin(out, DER_CONTEXT(1)), list = der_begin(out, DER_SEQUENCE);
        const struct extension_mark mark = extension_begin(out, OID_OCSP_ARCHIVE_CUTOFF, false);

        if ((e = der_add_generalized_time(out, DER_GENERALIZED_TIME, s->archive_cutoff)) != OK)
            return e;
        extension_end(out, mark);
        der_end(out, list);
        der_end(out, tagged);
    }
    der_end(out, single);
    return OK;
}

static void
response_extensions(const struct ocsp_data *data, struct buf *out)
{
    size_t tagged, list;

    if (data->nonce.n == 0 && !data->extended_revoke)
        return;
    tagged = der_begin(out, DER_CONTEXT(1));
    list = der_begin(out, DER_SEQUENCE);
    if (data->nonce.n > 0) {
        const struct extension_mark mark = extension_begin(out, OID_OCSP_NONCE, false);

        der_add(out, DER_OCTET_STRING, data->nonce);
        extension_end(out, mark);
    }
    if (data->extended_revoke) {
        const struct extension_mark mark = extension_begin(out, OID_OCSP_EXTENDED_REVOKE, false);

        der_add_null(out);
        extension_end(out, mark);
    }
    der_end(out, list);
    der_end(out, tagged);
}

enum err
ocsp_data_encode(const struct ocsp_data *data, struct buf *out, struct why *why)
{
    const size_t whole = der_begin(out, DER_SEQUENCE);
    size_t part;
    enum err e = OK;

    if (data->n == 0 || data->responder_key_hash.n != SHA1_LEN)
        return why_code(why, ERR_INPUT, "pki.ocsp.data", "no certificate, or no responder");
    /* version is DEFAULT v1 */
    part = der_begin(out, DER_CONTEXT(2));
    der_add(out, DER_OCTET_STRING, data->responder_key_hash);
    der_end(out, part);
    if (der_add_generalized_time(out, DER_GENERALIZED_TIME, data->produced_at) != OK)
        return why_code(why, ERR_INPUT, "pki.ocsp.data", "producedAt");
    part = der_begin(out, DER_SEQUENCE);
    for (size_t i = 0; i < data->n && e == OK; i++)
        e = single_encode(&data->singles[i], out);
    if (e != OK)
        return why_code(why, e, "pki.ocsp.data", "a reason or a date that cannot be written");
    der_end(out, part);
    response_extensions(data, out);
    der_end(out, whole);
    return buf_ok(out) ? OK : why_set(why, ERR_INTERNAL, "no room for the answer");
}

enum err
ocsp_response_assemble(struct str data, enum sig_alg alg, struct str sig, struct str certificate, struct buf *out, struct why *why)
{
    const size_t response = der_begin(out, DER_SEQUENCE);
    size_t bytes, tagged, octets, basic, certs, list;
    enum err e;

    der_add_number(out, DER_ENUMERATED, OCSP_SUCCESSFUL);
    tagged = der_begin(out, DER_CONTEXT(0));
    bytes = der_begin(out, DER_SEQUENCE);
    der_add_oid(out, OID_OCSP_BASIC);
    octets = der_begin(out, DER_OCTET_STRING);
    basic = der_begin(out, DER_SEQUENCE);
    buf_add_str(out, data);
    if ((e = sig_alg_encode(alg, out, why)) != OK)
        return e;
    der_add_bit_string(out, sig);
    if (certificate.n > 0) {
        certs = der_begin(out, DER_CONTEXT(0));
        list = der_begin(out, DER_SEQUENCE);
        buf_add_str(out, certificate);
        der_end(out, list);
        der_end(out, certs);
    }
    der_end(out, basic);
    der_end(out, octets);
    der_end(out, bytes);
    der_end(out, tagged);
    der_end(out, response);
    return buf_ok(out) ? OK : why_set(why, ERR_INTERNAL, "no room for the answer");
}

void
ocsp_error_encode(enum ocsp_response_status status, struct buf *out)
{
    const size_t response = der_begin(out, DER_SEQUENCE);

    CHECK(status != OCSP_SUCCESSFUL);
    der_add_number(out, DER_ENUMERATED, (uint64_t)status);
    der_end(out, response);
}

enum err
ocsp_issuer_make(struct str name, struct str spki, struct ocsp_issuer *ret, struct why *why)
{
    struct str bits;
    enum err e;

    if ((e = spki_key_bits(spki, &bits, why)) != OK)
        return e;
    sha1(name, ret->name_sha1);
    sha1(bits, ret->key_sha1);
    sha256(name, ret->name_sha256);
    sha256(bits, ret->key_sha256);
    return OK;
}

bool
ocsp_issuer_is(const struct ocsp_issuer *issuer, bool by_sha256, struct str name_hash, struct str key_hash)
{
    const size_t n = by_sha256 ? SHA256_LEN : SHA1_LEN;

    return name_hash.n == n && key_hash.n == n &&
           memcmp(name_hash.p, by_sha256 ? issuer->name_sha256 : issuer->name_sha1, n) == 0 &&
           memcmp(key_hash.p, by_sha256 ? issuer->key_sha256 : issuer->key_sha1, n) == 0;
}
