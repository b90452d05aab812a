/*
 * key_cert: a self-signed certificate around a key (RFC 5280 §4.1), written by hand and signed through the key's own
 * interface, so that a key in a token has one too. Peers pin it or ignore all but the key; it makes no promise.
 */
#include "base/core/rand.h"
#include "base/core/utf8.h"
#include "base/crypto/der.h"
#include "base/crypto/digest.h"
#include "base/crypto/key-internal.h"

#define CERT_MAX 8192
#define CN_MAX 64                  /* RFC 5280 ub-common-name */
#define DER(bytes) STR_LIT(bytes)

/* AlgorithmIdentifiers, whole: RFC 4055 §5 (NULL parameters), RFC 5758 §3.2, RFC 8410 §3. */
struct str
key_signature_algorithm(enum key_alg alg)
{
    switch (alg) {
    case KEY_RSA:
        return DER("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00");
    case KEY_P256:
        return DER("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02");
    case KEY_P384:
        return DER("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03");
    case KEY_ED25519:
        return DER("\x30\x05\x06\x03\x2b\x65\x70");
    }
    panic("key algorithm %d", (int)alg);
}

/* 1 to CN_MAX characters, none of them a control character. */
static bool
is_common_name(struct str name)
{
    size_t count = 0, n;
    uint32_t c;

    for (; name.n > 0; name.p += n, name.n -= n, count++)
        if ((n = utf8_next(name, &c)) == 0 || c < 0x20 || (c >= 0x7f && c < 0xa0) || utf8_is_noncharacter(c))
            return false;
    return count >= 1 && count <= CN_MAX;
}

/* Name ::= SEQUENCE { SET { SEQUENCE { id-at-commonName, UTF8String } } } */
static void
name_add(struct buf *out, const char *common_name)
{
    AUTO(buf_free) struct buf attribute = BUF_BOUNDED(512), set = BUF_BOUNDED(512), name = BUF_BOUNDED(512);

    buf_add_str(&attribute, DER("\x06\x03\x55\x04\x03"));
    der_add(&attribute, DER_UTF8_STRING, str_of(common_name));
    der_add(&set, DER_SEQUENCE, buf_view(&attribute));
    der_add(&name, DER_SET, buf_view(&set));
    der_add(out, DER_SEQUENCE, buf_view(&name));
}

static void
extension_add(struct buf *out, struct str oid, bool critical, struct str value)
{
    AUTO(buf_free) struct buf extension = BUF_BOUNDED(256);

    buf_add_str(&extension, oid);
    if (critical)
        der_add(&extension, DER_BOOLEAN, DER("\xff"));
    der_add(&extension, DER_OCTET_STRING, value);
    der_add(out, DER_SEQUENCE, buf_view(&extension));
}

/* basicConstraints cA FALSE and keyUsage digitalSignature, both critical; subjectKeyIdentifier from the whole
 * SubjectPublicKeyInfo (RFC 7093 §2, method 4). */
static void
extensions_add(struct buf *out, const struct key *k)
{
    AUTO(buf_free) struct buf list = BUF_BOUNDED(512), ski = BUF_BOUNDED(64), whole = BUF_BOUNDED(512);
    unsigned char digest[SHA256_LEN];

    extension_add(&list, DER("\x06\x03\x55\x1d\x13"), true, DER("\x30\x00"));
    extension_add(&list, DER("\x06\x03\x55\x1d\x0f"), true, DER("\x03\x02\x07\x80"));
    sha256(buf_view(&k->spki), digest);
    der_add(&ski, DER_OCTET_STRING, str_from(digest, sizeof(digest)));
    extension_add(&list, DER("\x06\x03\x55\x1d\x0e"), false, buf_view(&ski));
    der_add(&whole, DER_SEQUENCE, buf_view(&list));
    der_add(out, DER_CONTEXT_3, buf_view(&whole));
}

static enum err
tbs_write(const struct key *k, const char *common_name, utime not_before, utime not_after, struct buf *out)
{
    AUTO(buf_free) struct buf tbs = BUF_BOUNDED(CERT_MAX), validity = BUF_BOUNDED(64);
    unsigned char serial[16];

    rand_bytes(serial, sizeof(serial));
    serial[0] = (unsigned char)((serial[0] & 0x3f) | 0x40);      /* positive, of constant length */
    buf_add_str(&tbs, DER("\xa0\x03\x02\x01\x02"));              /* [0] EXPLICIT version v3 */
    der_add_unsigned(&tbs, serial, sizeof(serial));
    buf_add_str(&tbs, key_signature_algorithm(k->alg));
    name_add(&tbs, common_name);
    if (not_before < 0 || not_after <= not_before || der_add_time(&validity, not_before) != OK ||
        der_add_time(&validity, not_after) != OK)
        return ERR_INPUT;
    der_add(&tbs, DER_SEQUENCE, buf_view(&validity));
    name_add(&tbs, common_name);
    buf_add_str(&tbs, buf_view(&k->spki));
    extensions_add(&tbs, k);
    der_add(out, DER_SEQUENCE, buf_view(&tbs));
    return buf_ok(&tbs) && buf_ok(out) ? OK : ERR_INTERNAL;
}

enum err
key_self_certificate(const struct key *k, const char *common_name, utime not_before, utime not_after,
                     struct buf *ret_der, struct why *why)
{
    AUTO(buf_free) struct buf tbs = BUF_BOUNDED(CERT_MAX), sig = BUF_BOUNDED(KEY_SIG_MAX + 1),
                              cert = BUF_BOUNDED(CERT_MAX);
    enum err e;

    if (!k->has_private || k->purpose == KEY_SEAL)
        return why_set(why, ERR_DENIED, "this key does not sign");
    if (!is_common_name(str_of(common_name)))
        return why_set(why, ERR_INPUT, "common name must have 1 to %d characters", CN_MAX);
    if ((e = tbs_write(k, common_name, not_before, not_after, &tbs)) != OK)
        return why_set(why, e, "certificate dates out of range");
    buf_addc(&sig, 0);                                           /* BIT STRING: no unused bits */
    if ((e = key_sign_any(key_mutable(k), key_default_alg(k), buf_view(&tbs), false, &sig, why)) != OK)
        return e;
    buf_add_str(&tbs, key_signature_algorithm(k->alg));
    der_add(&tbs, DER_BIT_STRING, buf_view(&sig));
    der_add(&cert, DER_SEQUENCE, buf_view(&tbs));
    buf_add_str(ret_der, buf_view(&cert));
    return buf_ok(&tbs) && buf_ok(&cert) && buf_ok(ret_der) ? OK : why_set(why, ERR_INTERNAL, "no room");
}
