/*
 * fuzz_x509: PEM text when the input begins with '-', else DER: as a certificate, as a public key, and walked element by
 * element. What is strict DER is written back as the same bytes.
 */
#include "tests/fuzz/fuzz.h"

#include "base/core/utf8.h"
#include "base/crypto/der.h"
#include "base/crypto/key.h"
#include "base/crypto/x509.h"

#define DEPTH_MAX 64

/* Names go to logs and pages: valid UTF-8 and no control character. */
static void
check_name(struct str s)
{
    uint32_t c;
    size_t n;

    for (; s.n > 0; s.p += n, s.n -= n) {
        n = utf8_next(s, &c);
        CHECK(n > 0 && c >= 0x20 && c != 0x7f);
    }
}

static void
check_certificate(struct str der)
{
    AUTO(key_freep) struct key *k = NULL;
    struct x509_cert cert;

    if (x509_read(der, &cert, NULL) == OK) {
        check_name(buf_view(&cert.subject));
        check_name(buf_view(&cert.issuer));
        CHECK(cert.serial.len >= 2 && cert.spki.len > 0);
        (void)(x509_check_dates(&cert, 0, NULL) == OK);
        x509_done(&cert);
    }
    if (key_public(der, &k, NULL) == OK) {
        char thumbprint[44];

        key_thumbprint(k, thumbprint);
        CHECK(strlen(thumbprint) == 43);
    }
}

static void
walk(struct str in, int depth)
{
    struct str content, rest = in;
    unsigned tag;

    while (rest.n > 0 && der_next(&rest, &tag, &content) == OK) {
        AUTO(buf_free) struct buf again = BUF_BOUNDED(1 << 20);

        der_add(&again, tag, content);
        CHECK(str_eq(buf_view(&again), (struct str){ in.p, in.n - rest.n }));
        in = rest;
        if ((tag & 0x20) != 0 && depth < DEPTH_MAX)
            walk(content, depth + 1);
        if (tag == DER_INTEGER) {
            unsigned char bytes[32];
            struct str one = buf_view(&again);

            if (der_unsigned(&one, sizeof(bytes), bytes) == OK) {
                AUTO(buf_free) struct buf integer = BUF_BOUNDED(64);

                der_add_unsigned(&integer, bytes, sizeof(bytes));
                CHECK(str_eq(buf_view(&integer), buf_view(&again)));
            }
        }
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct str in = { (const char *)data, size };
    AUTO(buf_free) struct buf der = BUF_BOUNDED(X509_DER_MAX);

    if (size > X509_DER_MAX)
        return 0;
    if (size > 0 && data[0] == '-') {
        if (x509_pem_decode(in, &der, NULL) == OK)
            check_certificate(buf_view(&der));
        return 0;
    }
    check_certificate(in);
    walk(in, 0);
    return 0;
}
