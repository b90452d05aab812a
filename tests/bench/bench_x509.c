/*
 * bench_x509: what it costs to judge a certificate at sign-in, in CPU time of this thread, beside the bare verification of one
 * signature: read, path of leaf and CA, CRLs of growing size. Built by `make bench_x509`; never a test.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/measure.h"
#include "tests/unit/x509_support.h"

struct work {
    const struct x509_trust *trust;
    struct x509_profile profile;
    struct str leaf;
    struct key *key;               /* the CA's */
    struct buf sig;
};

static void
bare_verify(void *arg)
{
    struct work *w = arg;

    CHECK(key_verify(w->key, key_default_alg(w->key), w->leaf, buf_view(&w->sig), false, NULL) == OK);
}

static void
read_only(void *arg)
{
    struct work *w = arg;
    struct x509_cert cert;

    CHECK(x509_read(w->leaf, &cert, NULL) == OK);
    x509_done(&cert);
}

static void
judge(void *arg)
{
    struct work *w = arg;
    struct x509_cert cert;
    enum x509_verdict v;

    CHECK(x509_read(w->leaf, &cert, NULL) == OK);
    CHECK(x509_path_verify(w->trust, &w->profile, &cert, NULL, 0, MADE_NOW, &v, NULL) == OK);
    x509_done(&cert);
}

/* n serial numbers of 16 octets, in no order. */
static void
serials_make(struct str *serials, unsigned char (*octets)[16], size_t n)
{
    uint64_t x = 88172645463325252u;

    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < 16; k += 8) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            memcpy(octets[i] + k, &x, 8);
        }
        octets[i][0] = (unsigned char)(octets[i][0] & 0x3f) | 0x40;
        serials[i] = str_from(octets[i], 16);
    }
}

static void
with_entries(const struct made_keys *keys, size_t n)
{
    struct str *serials = mem_alloc_array(n + 1, sizeof(*serials));
    unsigned char(*octets)[16] = mem_alloc_array(n + 1, 16);
    struct buf leaf = BUF_BOUNDED(X509_DER_MAX), crl_der = BUF_BOUNDED(X509_CRL_DER_MAX);
    struct work work = { .key = keys->ca, .sig = BUF_BOUNDED(KEY_SIG_MAX) };
    struct x509_crl *crl = NULL;
    struct x509_trust *trust;
    struct world w;
    double bare, reading, judging;
    int64_t start, parsed, verified;

    serials_make(serials, octets, n);
    made_world(&w, keys);
    w.ca_is_anchor = w.no_anchor = w.no_root_crl = w.no_ca_crl = true;       /* leaf and CA: a path of two */
    w.ca_crl.serials = serials;
    w.ca_crl.n = n;
    trust = made_trust(&w, NULL);
    made_crl(&crl_der, &w.ca_crl);
    start = cpu_usec();
    CHECK(x509_crl_read(buf_view(&crl_der), &crl, NULL) == OK);
    parsed = cpu_usec();
    CHECK(x509_trust_add_crl(trust, crl, NULL) == OK);
    verified = cpu_usec();
    made_cert(&leaf, &w.leaf);
    work.trust = trust;
    work.leaf = buf_view(&leaf);
    CHECK(key_sign_any(keys->ca, key_default_alg(keys->ca), work.leaf, false, &work.sig, NULL) == OK);
    bare = measure(bare_verify, &work);
    reading = measure(read_only, &work);
    judging = measure(judge, &work);
    bare = (bare + measure(bare_verify, &work)) / 2;
    printf("%9zu  %10.1f  %9.1f  %9.1f  %9.0f  %6.2f  %8.3f  %8.3f\n", n, bare, reading, judging, 1e6 / judging, judging / bare,
           (double)(parsed - start) / 1e6, (double)(verified - parsed) / 1e6);
    fflush(stdout);
    x509_crl_free(crl);
    x509_trust_free(trust);
    buf_free(&leaf);
    buf_free(&crl_der);
    buf_free(&work.sig);
    mem_freep(&serials);
    mem_freep(&octets);
}

int
main(void)
{
    struct made_keys keys;

    CHECK(key_generate(KEY_P256, 0, KEY_AUDIT_SIGN, &keys.root) == OK && key_generate(KEY_P256, 0, KEY_AUDIT_SIGN, &keys.ca) == OK &&
          key_generate(KEY_P256, 0, KEY_AUDIT_SIGN, &keys.leaf) == OK && key_generate(KEY_P256, 0, KEY_AUDIT_SIGN, &keys.other) == OK);
    printf("P-256, leaf and CA, CRL of n entries; CPU of one thread\n"
           "        n  verify us    read us   judge us   judges/s   ratio  CRL read s  verified s\n");
    for (size_t n = 0; n <= 1000000; n = n == 0 ? 1000 : n * 10)
        with_entries(&keys, n);
    key_free(keys.root);
    key_free(keys.ca);
    key_free(keys.leaf);
    key_free(keys.other);
    return 0;
}
