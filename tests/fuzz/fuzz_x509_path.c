/*
 * fuzz_x509_path: a certificate from outside at the door: read, and judged against the anchor, CA and CRLs of tests/data/pkits.
 * Whatever the bytes are, nothing is good but what the suite's authorities signed. The first byte chooses whether the rest comes
 * as leaf or along with the good leaf.
 */
#include <dirent.h>
#include <stdio.h>

#include "tests/fuzz/fuzz.h"

#include "base/crypto/x509_path.h"

#define NOW (INT64_C(1767225600) * USEC_PER_SEC)

static struct x509_trust *trust;
static struct buf good = BUF_BOUNDED(X509_DER_MAX);
static unsigned char signed_ones[512][SHA256_LEN];       /* every certificate of the suite */
static size_t n_signed;

static void
data_read(const char *name, struct buf *out)
{
    char path[512], part[4096];
    FILE *f;
    size_t n;

    (void)snprintf(path, sizeof(path), "%s/pkits/%s", TEST_DATA, name);
    if ((f = fopen(path, "rb")) == NULL)
        panic("%s: cannot be read", path);
    buf_reset(out);
    while ((n = fread(part, 1, sizeof(part), f)) > 0)
        buf_add(out, part, n);
    fclose(f);
}

static void
crl_add(const char *name)
{
    AUTO(buf_free) struct buf der = BUF_BOUNDED(X509_DER_MAX);
    AUTO(x509_crl_freep) struct x509_crl *crl = NULL;

    data_read(name, &der);
    CHECK(x509_crl_read(buf_view(&der), &crl, NULL) == OK && x509_trust_add_crl(trust, crl, NULL) == OK);
}

static void
signed_read(void)
{
    AUTO(buf_free) struct buf der = BUF_BOUNDED(X509_DER_MAX);
    DIR *folder = opendir(TEST_DATA "/pkits/certs");

    CHECK(folder != NULL);
    for (const struct dirent *d; (d = readdir(folder)) != NULL;)
        if (d->d_name[0] != '.') {
            char name[300];

            (void)snprintf(name, sizeof(name), "certs/%s", d->d_name);
            data_read(name, &der);
            CHECK(n_signed < 512);
            sha256(buf_view(&der), signed_ones[n_signed++]);
        }
    closedir(folder);
}

static bool
was_signed(struct str der)
{
    unsigned char fingerprint[SHA256_LEN];

    sha256(der, fingerprint);
    for (size_t i = 0; i < n_signed; i++)
        if (memcmp(fingerprint, signed_ones[i], sizeof(fingerprint)) == 0)
            return true;
    return false;
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    AUTO(buf_free) struct buf der = BUF_BOUNDED(X509_DER_MAX);

    (void)argc;
    (void)argv;
    trust = x509_trust_new();
    data_read("certs/TrustAnchorRootCertificate.crt", &der);
    CHECK(x509_trust_add_anchor(trust, buf_view(&der), NULL) == OK);
    data_read("certs/GoodCACert.crt", &der);
    CHECK(x509_trust_add_intermediate(trust, buf_view(&der), NULL) == OK);
    crl_add("crls/TrustAnchorRootCRL.crl");
    crl_add("crls/GoodCACRL.crl");
    data_read("certs/ValidCertificatePathTest1EE.crt", &good);
    signed_read();
    return 0;
}

static enum x509_verdict
judge(struct str leaf, const struct str *sent, size_t n)
{
    static const struct x509_profile profile = { .purpose = X509_FOR_ANYTHING };
    AUTO(x509_done) struct x509_cert cert = { .version = 0 };
    enum x509_verdict v = CERT_MALFORMED;
    struct why why = WHY_INIT;
    enum err e;

    if (x509_read(leaf, &cert, &why) != OK) {
        CHECK(why.text[0] != '\0');
        return v;
    }
    e = x509_path_verify(trust, &profile, &cert, sent, n, NOW, &v, &why);
    CHECK((e == OK) == (v == CERT_GOOD) && (v == CERT_GOOD || why.text[0] != '\0'));
    return v;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in;

    if (size == 0 || size > X509_DER_MAX)
        return 0;
    in = (struct str){ (const char *)data + 1, size - 1 };
    if ((data[0] & 1) == 0) {
        CHECK(judge(in, NULL, 0) != CERT_GOOD || was_signed(in));
    } else {
        const enum x509_verdict v = judge(buf_view(&good), &in, 1);

        CHECK(v == CERT_GOOD || v == CERT_MALFORMED);       /* what comes along cannot change what the trust says */
    }
    return 0;
}
