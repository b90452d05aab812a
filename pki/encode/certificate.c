/*
 * certificate: see certificate.h. One function for each extension; certificate_tbs_encode() reads like RFC 5280 §4.1.
 */
#include "pki/encode/certificate.h"

#include "base/core/rand.h"
#include "base/crypto/der-oid.h"
#include "pki/encode/extension.h"

static void
key_usage(struct buf *out, const struct profile *p)
{
    const struct extension_mark mark = extension_begin(out, OID_CE_KEY_USAGE, true);

    der_add_named_bits(out, DER_BIT_STRING, p->key_usage);
    extension_end(out, mark);
}

static void
subject_key_id(struct buf *out, const unsigned char id[KEY_ID_LEN])
{
    const struct extension_mark mark = extension_begin(out, OID_CE_SUBJECT_KEY_IDENTIFIER, false);

    der_add(out, DER_OCTET_STRING, (struct str){ (const char *)id, KEY_ID_LEN });
    extension_end(out, mark);
}

/* The policy, with the address of its statement when there is one (RFC 5280 §4.2.1.4). */
static enum err
policies(struct buf *out, const struct profile *p, struct why *why)
{
    struct extension_mark mark;
    size_t list;

    if (p->policies.n == 0)
        return OK;
    mark = extension_begin(out, OID_CE_CERTIFICATE_POLICIES, false);
    list = der_begin(out, DER_SEQUENCE);
    for (size_t i = 0; i < p->policies.n; i++) {
        AUTO(buf_free) struct buf oid = BUF_BOUNDED(DER_OID_MAX);
        const size_t policy = der_begin(out, DER_SEQUENCE);

        if (der_oid_parse(str_of(p->policies.items[i]), &oid) != OK)
            return why_set(why, ERR_INTERNAL, "policy %s", p->policies.items[i]);
        der_add_oid(out, buf_view(&oid));
        if (p->cps[0] != '\0') {
            const size_t qualifiers = der_begin(out, DER_SEQUENCE);
            const size_t qualifier = der_begin(out, DER_SEQUENCE);

            der_add_oid(out, OID_QT_CPS);
            der_add(out, DER_IA5_STRING, str_of(p->cps));
            der_end(out, qualifier);
            der_end(out, qualifiers);
        }
        der_end(out, policy);
    }
    der_end(out, list);
    extension_end(out, mark);
    return OK;
}

static void
subject_alt_name(struct buf *out, const struct certificate_input *in)
{
    struct extension_mark mark;
    size_t names;

    if (in->dns_n == 0)
        return;
    mark = extension_begin(out, OID_CE_SUBJECT_ALT_NAME, false);
    names = der_begin(out, DER_SEQUENCE);
    for (size_t i = 0; i < in->dns_n; i++)
        der_add(out, DER_CONTEXT_PRIMITIVE(2), in->dns[i]);
    der_end(out, names);
    extension_end(out, mark);
}

/* Of an authority; an end entity has none (RFC 5280 §4.2.1.9). */
static void
basic_constraints(struct buf *out, const struct profile *p)
{
    struct extension_mark mark;
    size_t value;

    if (p->use != USE_CA)
        return;
    mark = extension_begin(out, OID_CE_BASIC_CONSTRAINTS, true);
    value = der_begin(out, DER_SEQUENCE);
    der_add_true(out, DER_BOOLEAN);
    if (p->path_length >= 0)
        der_add_number(out, DER_INTEGER, (uint64_t)p->path_length);
    der_end(out, value);
    extension_end(out, mark);
}

static void
subtree(struct buf *out, unsigned tag, struct str base)
{
    const size_t begun = der_begin(out, DER_SEQUENCE);

    der_add(out, DER_CONTEXT_PRIMITIVE(tag), base);
    der_end(out, begun);
}

/* The domains that it may sign, and no IP address at all: what is not named would be allowed (RFC 5280 §4.2.1.10). */
static void
name_constraints(struct buf *out, const struct certificate_input *in)
{
    static const char no_ip4[8], no_ip6[32];
    const struct profile *p = in->profile;
    const size_t n = in->permitted_dns_n > 0 ? in->permitted_dns_n : p->permitted_dns.n;
    struct extension_mark mark;
    size_t value, list;

    if (p->use != USE_CA || n == 0)
        return;
    mark = extension_begin(out, OID_CE_NAME_CONSTRAINTS, true);
    value = der_begin(out, DER_SEQUENCE);
    list = der_begin(out, DER_CONTEXT(0));
    for (size_t i = 0; i < n; i++)
        subtree(out, 2, in->permitted_dns_n > 0 ? in->permitted_dns[i] : str_of(p->permitted_dns.items[i]));
    der_end(out, list);
    list = der_begin(out, DER_CONTEXT(1));
    subtree(out, 7, (struct str){ no_ip4, sizeof(no_ip4) });
    subtree(out, 7, (struct str){ no_ip6, sizeof(no_ip6) });
    der_end(out, list);
    der_end(out, value);
    extension_end(out, mark);
}

static void
access_description(struct buf *out, struct str method, struct str url)
{
    const size_t begun = der_begin(out, DER_SEQUENCE);

    der_add_oid(out, method);
    der_add(out, DER_CONTEXT_PRIMITIVE(6), url);
    der_end(out, begun);
}

static void
authority_info_access(struct buf *out, const struct certificate_input *in)
{
    const struct profile *p = in->profile;
    struct extension_mark mark;
    size_t list;

    if (!p->aia_ocsp && !p->aia_ca_issuers)
        return;
    mark = extension_begin(out, OID_PE_AUTHORITY_INFO_ACCESS, false);
    list = der_begin(out, DER_SEQUENCE);
    if (p->aia_ocsp)
        access_description(out, OID_AD_OCSP, in->urls.ocsp);
    if (p->aia_ca_issuers)
        access_description(out, OID_AD_CA_ISSUERS, in->urls.ca_issuers);
    der_end(out, list);
    extension_end(out, mark);
}

static struct str
ext_key_usage_oid(unsigned bit)
{
    switch (bit) {
    case EKU_CLIENT_AUTH:
        return OID_KP_CLIENT_AUTH;
    case EKU_SERVER_AUTH:
        return OID_KP_SERVER_AUTH;
    case EKU_EMAIL_PROTECTION:
        return OID_KP_EMAIL_PROTECTION;
    case EKU_SMARTCARD_LOGON:
        return OID_KP_SMARTCARD_LOGON;
    case EKU_OCSP_SIGNING:
        return OID_KP_OCSP_SIGNING;
    }
    panic("extended key usage %u", bit);
}

static void
ext_key_usage(struct buf *out, const struct profile *p)
{
    struct extension_mark mark;
    size_t list;

    if (p->ext_key_usage == 0)
        return;
    mark = extension_begin(out, OID_CE_EXT_KEY_USAGE, false);
    list = der_begin(out, DER_SEQUENCE);
    for (unsigned i = 0; i < PROFILE_EKU_COUNT; i++)
        if ((p->ext_key_usage & 1u << i) != 0)
            der_add_oid(out, ext_key_usage_oid(1u << i));
    der_end(out, list);
    extension_end(out, mark);
}

/* RFC 6960 §4.2.2.2.1: who checks a responder's certificate does not ask for its status. */
static void
no_check(struct buf *out, const struct profile *p)
{
    struct extension_mark mark;

    if (p->use != USE_OCSP_SIGNING)
        return;
    mark = extension_begin(out, OID_OCSP_NO_CHECK, false);
    der_add_null(out);
    extension_end(out, mark);
}

static enum err
extensions(struct buf *out, const struct certificate_input *in, struct why *why)
{
    const struct profile *p = in->profile;
    const size_t tagged = der_begin(out, DER_CONTEXT(3));
    const size_t list = der_begin(out, DER_SEQUENCE);
    unsigned char id[KEY_ID_LEN];
    enum err e;

    if ((e = key_id(in->spki, id, why)) != OK)
        return e;
    extension_authority_key_id(out, in->issuer_key_id);
    subject_key_id(out, id);
    key_usage(out, p);
    if ((e = policies(out, p, why)) != OK)
        return e;
    subject_alt_name(out, in);
    basic_constraints(out, p);
    name_constraints(out, in);
    if (p->crl_distribution)
        extension_distribution_points(out, OID_CE_CRL_DISTRIBUTION_POINTS, in->urls.crl);
    if (p->freshest_crl)
        extension_distribution_points(out, OID_CE_FRESHEST_CRL, in->urls.delta_crl);
    authority_info_access(out, in);
    ext_key_usage(out, p);
    no_check(out, p);
    der_end(out, list);
    der_end(out, tagged);
    return OK;
}

static enum err
input_check(const struct certificate_input *in, struct why *why)
{
    const struct profile *p = in->profile;
    const unsigned char *serial = (const unsigned char *)in->serial.p;

    if (in->serial.n < 9 || in->serial.n > SERIAL_MAX || serial[0] == 0 || serial[0] > 0x7f)
        return why_code(why, ERR_INPUT, "pki.certificate.serial", "serial number of %zu octets, or not positive", in->serial.n);
    if (in->not_after < in->not_before)
        return why_code(why, ERR_INPUT, "pki.certificate.dates", "it would end before it begins");
    if ((p->crl_distribution && !extension_url_is_valid(in->urls.crl)) ||
        (p->freshest_crl && !extension_url_is_valid(in->urls.delta_crl)) ||
        (p->aia_ocsp && !extension_url_is_valid(in->urls.ocsp)) ||
        (p->aia_ca_issuers && !extension_url_is_valid(in->urls.ca_issuers)))
        return why_code(why, ERR_INPUT, "pki.certificate.url", "an http address that profile %s asks for is missing or bad",
                        p->name);
    if (in->issuer_key_id.n == 0 || in->issuer_key_id.n > 64 || in->issuer.n == 0 || in->subject.n == 0)
        return why_set(why, ERR_INTERNAL, "a certificate without issuer or subject");
    return OK;
}

enum err
certificate_tbs_encode(const struct certificate_input *in, struct buf *out, struct why *why)
{
    size_t tbs, part;
    enum err e;

    if ((e = input_check(in, why)) != OK)
        return e;
    tbs = der_begin(out, DER_SEQUENCE);
    part = der_begin(out, DER_CONTEXT(0));
    der_add_number(out, DER_INTEGER, 2);                         /* v3 */
    der_end(out, part);
    der_add_unsigned(out, (const unsigned char *)in->serial.p, in->serial.n);
    if ((e = sig_alg_encode(in->sig_alg, out, why)) != OK)
        return e;
    buf_add_str(out, in->issuer);
    part = der_begin(out, DER_SEQUENCE);
    if (der_add_time(out, in->not_before) != OK || der_add_time(out, in->not_after) != OK)
        return why_code(why, ERR_INPUT, "pki.certificate.dates", "a date that cannot be written");
    der_end(out, part);
    buf_add_str(out, in->subject);
    buf_add_str(out, in->spki);
    if ((e = extensions(out, in, why)) != OK)
        return e;
    der_end(out, tbs);
    return buf_ok(out) ? OK : why_set(why, ERR_INTERNAL, "no room for the certificate");
}

enum err
certificate_assemble(struct str tbs, enum sig_alg alg, struct str sig, struct buf *out, struct why *why)
{
    const size_t certificate = der_begin(out, DER_SEQUENCE);
    enum err e;

    buf_add_str(out, tbs);
    if ((e = sig_alg_encode(alg, out, why)) != OK)
        return e;
    der_add_bit_string(out, sig);
    der_end(out, certificate);
    return buf_ok(out) ? OK : why_set(why, ERR_INTERNAL, "no room for the certificate");
}

void
certificate_serial_draw(unsigned char ret[SERIAL_LEN])
{
    do {
        rand_bytes(ret, SERIAL_LEN);
        ret[0] &= 0x7f;
    } while (ret[0] == 0);
}
