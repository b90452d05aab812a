/*
 * x509: see x509.h. OpenSSL parses; that the bytes are one strict DER element and nothing more is checked here first.
 */
#include <time.h>

#include <openssl/asn1.h>
#include <openssl/pem.h>

#include "base/core/enc.h"
#include "base/core/utf8.h"
#include "base/crypto/der.h"
#include "base/crypto/ossl-internal.h"
#include "base/crypto/x509.h"

static enum err
time_read(const ASN1_TIME *t, utime *ret)
{
    struct tm tm;
    time_t seconds;

    /* RFC 5280 §4.1.2.5: in UTC with seconds, so the text ends in Z. */
    if (t == NULL || t->length < 13 || t->data[t->length - 1] != 'Z' || ASN1_TIME_to_tm(t, &tm) != 1)
        return ERR_INPUT;
    seconds = timegm(&tm);
    *ret = (utime)seconds * USEC_PER_SEC;
    return OK;
}

static bool
is_utf8(struct str s)
{
    uint32_t c;
    size_t n;

    for (; s.n > 0; s.p += n, s.n -= n)
        if ((n = utf8_next(s, &c)) == 0)
            return false;
    return true;
}

static enum err
name_read(const X509_NAME *name, struct buf *out)
{
    AUTO(BIO_free_allp) BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    long n;

    if (name == NULL || bio == NULL ||
        X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) < 0)
        return ERR_INPUT;
    n = BIO_get_mem_data(bio, &text);
    if (n < 0 || !is_utf8(str_from(text, (size_t)n)))
        return ERR_INPUT;
    buf_add(out, text, (size_t)n);
    return buf_ok(out) ? OK : ERR_INPUT;
}

static enum err
serial_read(const X509 *x, struct buf *out)
{
    AUTO(BN_freep) BIGNUM *bn = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x), NULL);
    unsigned char bytes[64];
    int n;

    if (bn == NULL || BN_is_negative(bn) || BN_num_bytes(bn) > (int)sizeof(bytes))
        return ERR_INPUT;
    if ((n = BN_bn2bin(bn, bytes)) == 0)
        bytes[n++] = 0;
    hex_encode(out, bytes, (size_t)n);
    return OK;
}

static enum err
spki_read(const X509 *x, struct buf *out)
{
    unsigned char *der = NULL;
    const int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);

    if (n <= 0)
        return ERR_INPUT;
    buf_add(out, der, (size_t)n);
    OPENSSL_free(der);
    return buf_ok(out) ? OK : ERR_INPUT;
}

enum err
x509_read(struct str der, struct x509_cert *ret, struct why *why)
{
    AUTO(x509_done) struct x509_cert cert = { .spki = BUF_BOUNDED(X509_DER_MAX), .subject = BUF_BOUNDED(X509_NAME_MAX),
                                              .issuer = BUF_BOUNDED(X509_NAME_MAX), .serial = BUF_BOUNDED(128) };
    AUTO(X509_freep) X509 *x = NULL;
    const unsigned char *p = str_bytes(der);
    struct str whole = der, content;

    if (der.n > X509_DER_MAX || der_expect(&whole, DER_SEQUENCE, &content) != OK || whole.n != 0)
        return why_set(why, ERR_INPUT, "not one DER element of at most %d bytes", X509_DER_MAX);
    if ((x = d2i_X509(NULL, &p, (long)der.n)) == NULL || p != str_bytes(der) + der.n)
        return ossl_why(why, ERR_INPUT, "not a certificate");
    sha256(der, cert.fingerprint);
    if (time_read(X509_get0_notBefore(x), &cert.not_before) != OK ||
        time_read(X509_get0_notAfter(x), &cert.not_after) != OK)
        return ossl_why(why, ERR_INPUT, "certificate dates");
    if (name_read(X509_get_subject_name(x), &cert.subject) != OK ||
        name_read(X509_get_issuer_name(x), &cert.issuer) != OK)
        return ossl_why(why, ERR_INPUT, "certificate names");
    if (serial_read(x, &cert.serial) != OK || spki_read(x, &cert.spki) != OK)
        return ossl_why(why, ERR_INPUT, "certificate serial number or key");
    *ret = cert;
    cert.spki.data = cert.subject.data = cert.issuer.data = cert.serial.data = NULL;      /* moved */
    return OK;
}

void
x509_done(struct x509_cert *cert)
{
    buf_free(&cert->spki);
    buf_free(&cert->subject);
    buf_free(&cert->issuer);
    buf_free(&cert->serial);
}

enum err
x509_check_dates(const struct x509_cert *cert, utime now, struct why *why)
{
    char text[UTIME_RFC3339_LEN + 1];

    if (now < cert->not_before) {
        utime_rfc3339(cert->not_before, text);
        return why_set(why, ERR_DENIED, "certificate is not valid before %s", text);
    }
    if (now >= cert->not_after + USEC_PER_SEC) {       /* RFC 5280 §4.1.2.5: inclusive, to the second */
        utime_rfc3339(cert->not_after, text);
        return why_set(why, ERR_DENIED, "certificate is not valid after %s", text);
    }
    return OK;
}

enum err
x509_pem_decode(struct str pem, struct buf *out, struct why *why)
{
    AUTO(BIO_free_allp) BIO *bio = NULL;
    unsigned char *der = NULL;
    long n = 0;

    if (pem.n > (size_t)4 * X509_DER_MAX || (bio = BIO_new_mem_buf(str_bytes(pem), (int)pem.n)) == NULL)
        return why_set(why, ERR_INPUT, "PEM text too long");
    if (PEM_bytes_read_bio(&der, &n, NULL, PEM_STRING_X509, bio, NULL, NULL) != 1)
        return ossl_why(why, ERR_INPUT, "no certificate in the PEM text");
    buf_add(out, der, (size_t)n);
    OPENSSL_free(der);
    return buf_ok(out) ? OK : why_set(why, ERR_INPUT, "certificate too large");
}
