/* pkcs: requests and certificates-only messages are written and read by hand, PKCS#12 is OpenSSL's. See pkcs.h. */
#include "base/crypto/pkcs.h"

#include <openssl/core_names.h>
#include <openssl/pkcs12.h>

#include "base/core/rand.h"
#include "base/crypto/der-oid.h"
#include "base/crypto/der.h"
#include "base/crypto/key-internal.h"

#define REQUEST_MAX 16384
#define KEY_OCTETS_MAX 512
#define PKCS12_ITERATIONS 10000    /* NSS needs a second for ten times as many; the pass phrase is strong by itself */

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

/*
 * The private key as PKCS#8 (RFC 5958) around ECPrivateKey (RFC 5915), written by hand: OpenSSL's own writer leaves a copy of it in
 * memory that it gave back (i2d_ECPrivateKey, 3.0).
 */
static enum err
pkcs8_write(const struct key *k, struct buf *out, struct why *why)
{
    AUTO(buf_free) struct buf octets = BUF_SECRET(KEY_OCTETS_MAX), ec = BUF_SECRET(1024), info = BUF_SECRET(1024), tagged = BUF_BOUNDED(512);
    AUTO(BN_clear_freep) BIGNUM *n = NULL;
    const int size = (k->bits + 7) / 8;
    struct str spki = buf_view(&k->spki), inner, algorithm, point;
    unsigned tag;
    char *room = buf_reserve(&octets, (size_t)size);

    if ((k->alg != KEY_P256 && k->alg != KEY_P384) || room == NULL)
        return why_set(why, ERR_DENIED, "not a key on P-256 or P-384");
    if (EVP_PKEY_get_bn_param(k->pkey, OSSL_PKEY_PARAM_PRIV_KEY, &n) != 1 || BN_bn2binpad(n, (unsigned char *)room, size) != size)
        return ossl_why(why, ERR_INTERNAL, "the private key cannot be read");
    buf_advance(&octets, (size_t)size);
    if (der_expect(&spki, DER_SEQUENCE, &inner) != OK || der_element(&inner, &tag, &algorithm) != OK)
        return why_set(why, ERR_INTERNAL, "the public key cannot be read");
    point = inner;
    der_add_number(&ec, DER_INTEGER, 1);
    der_add(&ec, DER_OCTET_STRING, buf_view(&octets));
    buf_add_str(&tagged, point);
    der_add(&ec, DER_CONTEXT(1), buf_view(&tagged));
    buf_reset(&octets);
    der_add(&octets, DER_SEQUENCE, buf_view(&ec));
    der_add_number(&info, DER_INTEGER, 0);
    buf_add_str(&info, algorithm);
    der_add(&info, DER_OCTET_STRING, buf_view(&octets));
    der_add(out, DER_SEQUENCE, buf_view(&info));
    return buf_ok(&octets) && buf_ok(&ec) && buf_ok(&info) && buf_ok(out) ? OK : why_set(why, ERR_INTERNAL, "no room for the key");
}

/* The parts of a file while it is put together. */
struct parts {
    STACK_OF(PKCS12_SAFEBAG) *certificates, *keys;
    STACK_OF(PKCS7) *safes;
    PKCS8_PRIV_KEY_INFO *p8;       /* wiped when it is freed */
    PKCS12 *p12;
    unsigned char id[EVP_MAX_MD_SIZE];       /* what ties the key to its certificate */
    unsigned id_len;
};

static void
parts_done(struct parts *p)
{
    sk_PKCS12_SAFEBAG_pop_free(p->certificates, PKCS12_SAFEBAG_free);
    sk_PKCS12_SAFEBAG_pop_free(p->keys, PKCS12_SAFEBAG_free);
    sk_PKCS7_pop_free(p->safes, PKCS7_free);
    PKCS8_PRIV_KEY_INFO_free(p->p8);
    PKCS12_free(p->p12);
}

static bool
bag_name(struct parts *p, PKCS12_SAFEBAG *bag, const char *name)
{
    return bag != NULL && PKCS12_add_friendlyname_utf8(bag, name, -1) == 1 &&
           PKCS12_add_localkeyid(bag, p->id, (int)p->id_len) == 1;
}

static bool
certificates_put(const struct pkcs12_content *in, X509 *cert, STACK_OF(X509) *chain, int cipher, const char *passphrase,
                 struct parts *p)
{
    if (!bag_name(p, PKCS12_add_cert(&p->certificates, cert), in->name))
        return false;
    for (int i = 0; i < sk_X509_num(chain); i++)
        if (PKCS12_add_cert(&p->certificates, sk_X509_value(chain, i)) == NULL)
            return false;
    return PKCS12_add_safe(&p->safes, p->certificates, cipher, PKCS12_ITERATIONS, passphrase) == 1;
}

static bool
key_put(const struct pkcs12_content *in, int cipher, const char *passphrase, struct parts *p)
{
    PKCS12_SAFEBAG *bag = PKCS12_SAFEBAG_create_pkcs8_encrypt(cipher, passphrase, -1, NULL, 0, PKCS12_ITERATIONS, p->p8);

    if (!bag_name(p, bag, in->name) || (p->keys = sk_PKCS12_SAFEBAG_new_null()) == NULL ||
        sk_PKCS12_SAFEBAG_push(p->keys, bag) == 0) {
        PKCS12_SAFEBAG_free(bag);
        return false;
    }
    return PKCS12_add_safe(&p->safes, p->keys, -1, 0, NULL) == 1;
}

enum err
pkcs12_make(const struct pkcs12_content *in, enum pkcs12_form form, const char *passphrase, struct buf *out, struct why *why)
{
    const int cipher = form == PKCS12_AES ? NID_aes_256_cbc : NID_pbe_WithSHA1And3_Key_TripleDES_CBC;
    const EVP_MD *md = ossl_md(form == PKCS12_AES ? OSSL_MD_SHA256 : OSSL_MD_SHA1);
    AUTO(x509_stack_free) STACK_OF(X509) *chain = sk_X509_new_null();
    AUTO(X509_freep) X509 *cert = certificate_of(in->certificate);
    AUTO(buf_free) struct buf pkcs8 = BUF_SECRET(1024);
    AUTO(parts_done) struct parts p = { .p12 = NULL };
    const unsigned char *at;
    enum err e;

    if (chain == NULL)
        panic("crypto: no memory for a chain");
    if ((e = holder_check(in->key, why)) != OK)
        return e;
    if (cert == NULL || X509_check_private_key(cert, in->key->pkey) != 1)
        return ossl_why(why, ERR_INPUT, "the certificate is none, or not of this key");
    if ((e = stack_fill(in, chain, why)) != OK || (e = pkcs8_write(in->key, &pkcs8, why)) != OK)
        return e;
    at = str_bytes(buf_view(&pkcs8));
    if ((p.p8 = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)pkcs8.len)) == NULL ||
        X509_digest(cert, ossl_md(OSSL_MD_SHA1), p.id, &p.id_len) != 1 ||
        !certificates_put(in, cert, chain, cipher, passphrase, &p) || !key_put(in, cipher, passphrase, &p) ||
        (p.p12 = PKCS12_add_safes(p.safes, 0)) == NULL ||
        PKCS12_set_mac(p.p12, passphrase, -1, NULL, 0, PKCS12_ITERATIONS, md) != 1)
        return ossl_why(why, ERR_INTERNAL, "no PKCS#12");
    return pkcs12_write(p.p12, out, why);
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
