/*
 * name: see name.h. One attribute to a RelativeDistinguishedName, as the RGS has it.
 */
#include "pki/encode/name.h"

#include "base/crypto/der-oid.h"
#include "base/crypto/der.h"

static enum err
attribute(struct buf *out, struct str type, const char *prefix, struct str value)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(512);
    const bool printable = str_eq(type, OID_AT_COUNTRY) || str_eq(type, OID_AT_SERIAL_NUMBER);
    size_t set, pair;
    enum err e;

    buf_adds(&text, prefix);
    buf_add_str(&text, value);
    if (!buf_ok(&text))
        return ERR_INPUT;
    set = der_begin(out, DER_SET);
    pair = der_begin(out, DER_SEQUENCE);
    der_add_oid(out, type);
    e = printable ? der_add_printable(out, buf_view(&text)) : der_add_utf8(out, buf_view(&text));
    der_end(out, pair);
    der_end(out, set);
    return e;
}

/* Absent values are left out: subject_check() has said which may be. */
static enum err
attribute_if(struct buf *out, struct str type, const char *prefix, struct str value)
{
    return value.n == 0 ? OK : attribute(out, type, prefix, value);
}

static enum err
common_name(struct buf *out, const struct profile *p, const struct subject *s)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(512);

    if (p->test)
        buf_add_lit(&text, SUBJECT_TEST_PREFIX);
    switch ((enum profile_subject)p->subject) {
    case SUBJECT_PSEUDONYM:
        buf_add_lit(&text, SUBJECT_PSEUDONYM_PREFIX);
        buf_add_str(&text, s->number);
        break;
    case SUBJECT_SERVER:
        buf_add_str(&text, s->dns[0]);
        break;
    case SUBJECT_CA:
        buf_add_str(&text, s->common_name);
        buf_addf(&text, " G%d", s->generation);
        break;
    case SUBJECT_PROGRAM:
    case SUBJECT_RESPONDER:
        buf_add_str(&text, s->common_name);
        break;
    case SUBJECT_NAMED:
    case SUBJECT_AGENT:
    case SUBJECT_COMPANY:
        return OK;                   /* GN and SN instead (A4c) */
    }
    return attribute(out, OID_AT_COMMON_NAME, "", buf_view(&text));
}

enum err
name_encode(const struct profile *p, const struct subject *s, struct buf *out, struct why *why)
{
    const char *const test = p->test ? SUBJECT_TEST_PREFIX : "";
    const size_t start = out->len;
    size_t name;
    enum err e;

    if ((e = subject_check(p, s, why)) != OK)
        return e;
    name = der_begin(out, DER_SEQUENCE);
    if ((e = attribute(out, OID_AT_COUNTRY, "", str_of(p->country))) != OK ||
        (e = attribute_if(out, OID_AT_ORGANIZATION, "", s->organization)) != OK ||
        (e = attribute_if(out, OID_AT_ORGANIZATION_IDENTIFIER, "NTRFR-", s->identifier)) != OK ||
        (e = attribute_if(out, OID_AT_ORGANIZATIONAL_UNIT, "0002 ", s->identifier)) != OK ||
        (e = common_name(out, p, s)) != OK || (e = attribute_if(out, OID_AT_SURNAME, test, s->surname)) != OK ||
        (e = attribute_if(out, OID_AT_GIVEN_NAME, test, s->given_name)) != OK ||
        (e = attribute_if(out, OID_AT_SERIAL_NUMBER, "", s->serial_number)) != OK) {
        buf_truncate(out, start < out->len ? start : out->len);
        return why_code(why, e, "pki.subject.text", "a name holds characters that its attribute cannot have");
    }
    der_end(out, name);
    return buf_ok(out) ? OK : why_set(why, ERR_INTERNAL, "no room for the name");
}

enum err
sig_alg_encode(enum sig_alg alg, struct buf *out, struct why *why)
{
    struct str oid = STR_NULL;
    bool null = false;
    size_t begun;

    switch (alg) {
    case SIG_RS256:
        oid = OID_SHA256_WITH_RSA;
        null = true;
        break;
    case SIG_RS384:
        oid = OID_SHA384_WITH_RSA;
        null = true;
        break;
    case SIG_RS512:
        oid = OID_SHA512_WITH_RSA;
        null = true;
        break;
    case SIG_ES256:
        oid = OID_ECDSA_WITH_SHA256;
        break;
    case SIG_ES384:
        oid = OID_ECDSA_WITH_SHA384;
        break;
    case SIG_PS256:
    case SIG_EDDSA:
        return why_set(why, ERR_DENIED, "certificates are not signed with algorithm %d", (int)alg);
    }
    begun = der_begin(out, DER_SEQUENCE);
    der_add_oid(out, oid);
    if (null)
        der_add_null(out);
    der_end(out, begun);
    return OK;
}

enum err
spki_key_bits(struct str spki, struct str *ret, struct why *why)
{
    struct str content, algorithm, bits;

    if (der_expect(&spki, DER_SEQUENCE, &content) != OK || spki.n != 0 ||
        der_expect(&content, DER_SEQUENCE, &algorithm) != OK || der_expect(&content, DER_BIT_STRING, &bits) != OK ||
        content.n != 0 || bits.n < 2 || bits.p[0] != 0)
        return why_set(why, ERR_INPUT, "not a SubjectPublicKeyInfo");
    *ret = (struct str){ bits.p + 1, bits.n - 1 };
    return OK;
}

enum err
key_id(struct str spki, unsigned char ret[KEY_ID_LEN], struct why *why)
{
    unsigned char digest[SHA256_LEN];
    struct str bits;
    enum err e;

    if ((e = spki_key_bits(spki, &bits, why)) != OK)
        return e;
    sha256(bits, digest);
    memcpy(ret, digest, KEY_ID_LEN);
    return OK;
}

enum err
key_hash_sha1(struct str spki, unsigned char ret[SHA1_LEN], struct why *why)
{
    struct str bits;
    enum err e;

    if ((e = spki_key_bits(spki, &bits, why)) != OK)
        return e;
    sha1(bits, ret);
    return OK;
}
