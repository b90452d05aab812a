/* pkcs: requests and certificates-only messages are written and read by hand, PKCS#12 is OpenSSL's. See pkcs.h. */
#include "base/crypto/pkcs.h"

#include <openssl/pkcs12.h>

#include "base/core/rand.h"
#include "base/crypto/der-oid.h"
#include "base/crypto/der.h"
#include "base/crypto/key-internal.h"

#define REQUEST_MAX 16384
#define PKCS12_ITERATIONS 10000    /* NSS needs a second for ten times as many; the pass phrase is strong by itself */

DEFINE_FREEP(PKCS12, PKCS12_free)

static void
x509_stack_free(STACK_OF(X509) **s)
{
    sk_X509_pop_free(*s, X509_free);
}

static enum err
holder_check(const struct key *k, struct why *why)
{
    if (!k->has_private || k->token != NULL || k->purpose != KEY_HOLDER_SIGN)
        return why_set(why, ERR_DENIED, "not a key that is made for somebody else");
    return OK;
}

/* --- PKCS#10 ---------------------------------------------------------------------------------------------------------- */

/* CertificationRequestInfo (RFC 2986 §4.1): version 0, subject, the key, no attributes. */
static void
request_info(const struct key *k, struct str subject, struct buf *out)
{
    const size_t begun = der_begin(out, DER_SEQUENCE);

    der_add_number(out, DER_INTEGER, 0);
    if (subject.n > 0)
        buf_add_str(out, subject);
    else
        der_add(out, DER_SEQUENCE, STR_NULL);
    buf_add_str(out, buf_view(&k->spki));
    der_add(out, DER_CONTEXT(0), STR_NULL);
    der_end(out, begun);
}

enum err
pkcs10_make(const struct key *k, struct str subject, struct buf *out, struct why *why)
{
    AUTO(buf_free) struct buf body = BUF_BOUNDED(REQUEST_MAX), sig = BUF_BOUNDED(KEY_SIG_MAX);
    enum err e;

    if ((e = holder_check(k, why)) != OK)
        return e;
    request_info(k, subject, &body);
    if (!buf_ok(&body))
        return why_set(why, ERR_INPUT, "the subject is too long");
    if ((e = key_sign_any(key_mutable(k), key_default_alg(k), buf_view(&body), false, &sig, why)) != OK)
        return e;
    buf_add_str(&body, key_signature_algorithm(k->alg));
    der_add_bit_string(&body, buf_view(&sig));
    der_add(out, DER_SEQUENCE, buf_view(&body));
    return buf_ok(&body) && buf_ok(out) ? OK : why_set(why, ERR_INTERNAL, "no room for the request");
}

/* --- PKCS#7, certificates only ------------------------------------------------------------------------------------------ */

/* SignedData (RFC 5652 §5.1) of which we want one field; the others are there and empty, as RFC 7030 §4.1.3 says. */
static enum err
certificates_field(struct str der, struct str *ret)
{
    struct str in = der, info, oid, content, data, part;
    uint32_t version;

    if (der_expect(&in, DER_SEQUENCE, &info) != OK || in.n != 0 || der_expect(&info, DER_OID, &oid) != OK ||
        !str_eq(oid, OID_PKCS7_SIGNED_DATA) || der_expect(&info, DER_CONTEXT(0), &content) != OK || info.n != 0 ||
        der_expect(&content, DER_SEQUENCE, &data) != OK || content.n != 0)
        return ERR_INPUT;
    if (der_expect(&data, DER_INTEGER, &part) != OK || der_number(part, 5, &version) != OK ||
        der_expect(&data, DER_SET, &part) != OK || der_expect(&data, DER_SEQUENCE, &part) != OK ||
        der_expect(&data, DER_CONTEXT(0), ret) != OK)
        return ERR_INPUT;
    if (der_optional(&data, DER_CONTEXT(1), &part))
        part = STR_NULL;                                         /* lists of revoked certificates: not asked for */
    return der_expect(&data, DER_SET, &part) == OK && part.n == 0 && data.n == 0 ? OK : ERR_INPUT;
}

enum err
pkcs7_certificates(struct str der, struct str ret[PKCS7_CERTIFICATES_MAX], size_t *ret_n, struct why *why)
{
    struct str list, found[PKCS7_CERTIFICATES_MAX];
    unsigned tag;
    size_t n = 0;

    if (certificates_field(der, &list) != OK)
        return why_set(why, ERR_INPUT, "not a certificates-only PKCS#7");
    for (; list.n > 0; n++) {
        if (n == PKCS7_CERTIFICATES_MAX)
            return why_set(why, ERR_INPUT, "more than %d certificates", PKCS7_CERTIFICATES_MAX);
        if (der_element(&list, &tag, &found[n]) != OK || tag != DER_SEQUENCE)
            return why_set(why, ERR_INPUT, "something else than a certificate in the PKCS#7");
    }
    if (n == 0)
        return why_set(why, ERR_INPUT, "no certificate in the PKCS#7");
    memcpy(ret, found, n * sizeof(found[0]));
    *ret_n = n;
    return OK;
}

/* --- PKCS#12 ---------------------------------------------------------------------------------------------------------- */

static X509 *
certificate_of(struct str der)
{
    const unsigned char *p = str_bytes(der);
    X509 *cert = d2i_X509(NULL, &p, (long)der.n);

    if (cert != NULL && p != str_bytes(der) + der.n) {
        X509_free(cert);
        return NULL;
    }
    return cert;
}

static enum err
stack_fill(const struct pkcs12_content *in, STACK_OF(X509) *stack, struct why *why)
{
    for (size_t i = 0; i < in->nchain; i++) {
        X509 *cert = certificate_of(in->chain[i]);

        if (cert == NULL)
            return ossl_why(why, ERR_INPUT, "a certificate of the chain");
        if (sk_X509_push(stack, cert) == 0)
            panic("crypto: no memory for a chain");
    }
    return OK;
}

static enum err
pkcs12_write(PKCS12 *p12, struct buf *out, struct why *why)
{
    const int n = i2d_PKCS12(p12, NULL);
    unsigned char *end = n <= 0 ? NULL : (unsigned char *)buf_reserve(out, (size_t)n);

    if (end == NULL || i2d_PKCS12(p12, &end) != n)
        return ossl_why(why, ERR_INTERNAL, "the PKCS#12 cannot be written");
    buf_advance(out, (size_t)n);
    return OK;
}

enum err
pkcs12_make(const struct pkcs12_content *in, enum pkcs12_form form, const char *passphrase, struct buf *out, struct why *why)
{
    const int cipher = form == PKCS12_AES ? NID_aes_256_cbc : NID_pbe_WithSHA1And3_Key_TripleDES_CBC;
    const EVP_MD *md = ossl_md(form == PKCS12_AES ? OSSL_MD_SHA256 : OSSL_MD_SHA1);
    AUTO(x509_stack_free) STACK_OF(X509) *chain = sk_X509_new_null();
    AUTO(X509_freep) X509 *cert = certificate_of(in->certificate);
    AUTO(PKCS12_freep) PKCS12 *p12 = NULL;
    enum err e;

    if (chain == NULL)
        panic("crypto: no memory for a chain");
    if ((e = holder_check(in->key, why)) != OK)
        return e;
    if (cert == NULL || X509_check_private_key(cert, in->key->pkey) != 1)
        return ossl_why(why, ERR_INPUT, "the certificate is none, or not of this key");
    if ((e = stack_fill(in, chain, why)) != OK)
        return e;
    /* Its own MAC is always of SHA-256: made without one, and then with the one that fits the form. */
    p12 = PKCS12_create(passphrase, in->name, in->key->pkey, cert, chain, cipher, cipher, PKCS12_ITERATIONS, -1, 0);
    if (p12 == NULL || PKCS12_set_mac(p12, passphrase, -1, NULL, 0, PKCS12_ITERATIONS, md) != 1)
        return ossl_why(why, ERR_INTERNAL, "no PKCS#12");
    return pkcs12_write(p12, out, why);
}

#define GROUP 5
#define GROUPS 4
static const char letters[] = "23456789abcdefghjkmnpqrstuvwxyz";

void
pkcs12_passphrase(char out[PKCS12_PASSPHRASE_SIZE])
{
    size_t at = 0;

    for (size_t i = 0; i < GROUPS * GROUP; i++) {
        if (i > 0 && i % GROUP == 0)
            out[at++] = '-';
        out[at++] = letters[rand_below(sizeof(letters) - 1)];
    }
    out[at] = '\0';
    CHECK(at + 1 == PKCS12_PASSPHRASE_SIZE);
}

bool
pkcs12_passphrase_ok(const char *s)
{
    if (s == NULL || strlen(s) != PKCS12_PASSPHRASE_SIZE - 1)
        return false;
    for (size_t i = 0; s[i] != '\0'; i++)
        if (i % (GROUP + 1) == GROUP ? s[i] != '-' : strchr(letters, s[i]) == NULL)
            return false;
    return true;
}
