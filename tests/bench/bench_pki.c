/*
 * bench_pki: what the authority's pure rooms cost in CPU time of one thread, beside the bare signature of the same run:
 * certificates (read the request, judge the key, write, lint, sign, assemble), CRLs of 10^5 and 10^6 entries with their peak of
 * memory, OCSP answers (read the request, write, sign, assemble).
 *
 * Built by `make bench_pki` (never by default, never a test). `openssl speed` is the ceiling; the ratios here are to
 * key_sign()'s ceiling, EVP_PKEY_sign, in the same run.
 */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/crypto/der-oid.h"
#include "base/crypto/der.h"
#include "base/crypto/key-internal.h"
#include "base/core/rand.h"
#include "pki/encode/ocsp.h"
#include "pki/lint/lint.h"
#include "pki/request/csr.h"
#include "pki/request/key_quality.h"
#include "pki/request/ocsp_request.h"
#include "tests/bench/measure.h"

#include <openssl/rsa.h>


static const struct certificate_urls urls = {
    STR_LIT("http://crl.ville.example/crl/cards.crl"), STR_LIT("http://crl.ville.example/crl/cards-delta.crl"),
    STR_LIT("http://ocsp.ville.example/ocsp"), STR_LIT("http://crl.ville.example/ca/cards.cer") };

struct work {
    const struct profile *profile;
    struct key *ca, *holder;
    struct buf issuer, ca_spki, csr, request;
    unsigned char key_id[KEY_ID_LEN];
    struct csr read;                 /* of csr, for the parts */
    struct buf tbs;                  /* of one certificate, for the lint alone */
    struct lint_certificate_context ctx;
    EVP_PKEY_CTX *bare;
    struct ocsp_issuer names;
    unsigned char responder_hash[SHA1_LEN];
    utime now;
};

static void
bare_sign(void *arg)
{
    struct work *w = arg;
    static const unsigned char digest[32] = { 1 };
    unsigned char sig[KEY_SIG_MAX];
    size_t n = sizeof(sig);

    CHECK(EVP_PKEY_sign(w->bare, sig, &n, digest, sizeof(digest)) == 1);
}

static void
request_read(void *arg)
{
    struct work *w = arg;
    struct csr csr;

    CHECK(csr_read(buf_view(&w->csr), &csr, NULL) == OK && key_quality_check(csr.spki, NULL, NULL, NULL) == OK);
    csr_done(&csr);
}

static void
tbs_write(struct work *w, struct str spki, const unsigned char serial[SERIAL_LEN], struct buf *name, struct buf *tbs,
          struct lint_certificate_context *ret)
{
    const struct subject subject = { .number = STR_LIT("7QX4-2M9K-P") };
    struct certificate_input in;

    CHECK(name_encode(w->profile, &subject, name, NULL) == OK);
    in = (struct certificate_input){ .profile = w->profile,
                                     .serial = { (const char *)serial, SERIAL_LEN },
                                     .issuer = buf_view(&w->issuer),
                                     .issuer_key_id = { (const char *)w->key_id, KEY_ID_LEN },
                                     .subject = buf_view(name),
                                     .spki = spki,
                                     .sig_alg = profile_sig_alg(key_algorithm(w->ca)),
                                     .not_before = w->now,
                                     .not_after = profile_not_after(w->profile, w->now),
                                     .urls = urls };
    CHECK(certificate_tbs_encode(&in, tbs, NULL) == OK);
    *ret = (struct lint_certificate_context){ .profile = w->profile,
                                              .issuer = { in.issuer, in.issuer_key_id, in.sig_alg, w->now,
                                                          w->now + 8 * 365 * USEC_PER_DAY },
                                              .urls = urls, .serial = in.serial, .subject = in.subject, .spki = spki };
}

static void
certificate_write(void *arg)
{
    struct work *w = arg;
    AUTO(buf_free) struct buf name = BUF_BOUNDED(NAME_MAX_LEN), tbs = BUF_BOUNDED(CERTIFICATE_MAX);
    struct lint_certificate_context ctx;
    unsigned char serial[SERIAL_LEN];

    certificate_serial_draw(serial);
    tbs_write(w, w->read.spki, serial, &name, &tbs, &ctx);
}

static void
certificate_lint(void *arg)
{
    struct work *w = arg;
    struct lint_report report;

    CHECK(lint_certificate(buf_view(&w->tbs), &w->ctx, &report) == 0);
}

/* write + lint + sign + assemble */
static void
issue(struct work *w, struct str spki)
{
    AUTO(buf_free) struct buf name = BUF_BOUNDED(NAME_MAX_LEN), tbs = BUF_BOUNDED(CERTIFICATE_MAX), sig = BUF_BOUNDED(1024),
                              der = BUF_BOUNDED(CERTIFICATE_MAX);
    struct lint_certificate_context ctx;
    struct lint_report report;
    unsigned char serial[SERIAL_LEN];

    certificate_serial_draw(serial);
    tbs_write(w, spki, serial, &name, &tbs, &ctx);
    CHECK(lint_certificate(buf_view(&tbs), &ctx, &report) == 0);
    CHECK(key_sign(w->ca, KEY_CA_SIGN, ctx.issuer.sig_alg, buf_view(&tbs), false, &sig, NULL) == OK);
    CHECK(certificate_assemble(buf_view(&tbs), ctx.issuer.sig_alg, buf_view(&sig), &der, NULL) == OK);
}

static void
certificate_issue(void *arg)
{
    struct work *w = arg;

    issue(w, w->read.spki);
}

/* The same from the request on. */
static void
certificate_whole(void *arg)
{
    struct work *w = arg;
    struct csr csr;

    CHECK(csr_read(buf_view(&w->csr), &csr, NULL) == OK && key_quality_check(csr.spki, NULL, NULL, NULL) == OK);
    issue(w, csr.spki);
    csr_done(&csr);
}

static void
ocsp_answer(void *arg)
{
    struct work *w = arg;
    AUTO(buf_free) struct buf data = BUF_BOUNDED(4096), sig = BUF_BOUNDED(1024), out = BUF_BOUNDED(OCSP_RESPONSE_MAX);
    struct ocsp_request asked;
    struct ocsp_single single;
    struct ocsp_data d;

    CHECK(ocsp_request_read(buf_view(&w->request), &asked, NULL) == OK);
    CHECK(ocsp_issuer_is(&w->names, asked.ids[0].sha256, asked.ids[0].name_hash, asked.ids[0].key_hash));
    single = (struct ocsp_single){ asked.ids[0].raw, OCSP_GOOD, 0, CRL_REASON_NONE, w->now, w->now + USEC_PER_HOUR, 0 };
    d = (struct ocsp_data){ { (const char *)w->responder_hash, SHA1_LEN }, w->now, &single, 1, STR_NULL, false };
    CHECK(ocsp_data_encode(&d, &data, NULL) == OK);
    CHECK(key_sign(w->ca, KEY_CA_SIGN, profile_sig_alg(key_algorithm(w->ca)), buf_view(&data), false, &sig, NULL) == OK);
    /* the certificate that goes with it: one of this size */
    CHECK(ocsp_response_assemble(buf_view(&data), profile_sig_alg(key_algorithm(w->ca)), buf_view(&sig), buf_view(&w->tbs), &out,
                                 NULL) == OK);
}

static void
csr_make(struct key *key, struct buf *out)
{
    AUTO(buf_free) struct buf info = BUF_BOUNDED(4096), sig = BUF_BOUNDED(1024);
    const enum sig_alg alg = profile_sig_alg(key_algorithm(key));
    size_t begun = der_begin(&info, DER_SEQUENCE);

    der_add_number(&info, DER_INTEGER, 0);
    der_end(&info, der_begin(&info, DER_SEQUENCE));
    key_spki(key, &info);
    der_end(&info, der_begin(&info, DER_CONTEXT(0)));
    der_end(&info, begun);
    CHECK(key_sign(key, KEY_CA_SIGN, alg, buf_view(&info), false, &sig, NULL) == OK);
    begun = der_begin(out, DER_SEQUENCE);
    buf_add_str(out, buf_view(&info));
    CHECK(sig_alg_encode(alg, out, NULL) == OK);
    der_add_bit_string(out, buf_view(&sig));
    der_end(out, begun);
}

static void
ocsp_request_make(struct work *w)
{
    struct buf *out = &w->request;
    const size_t whole = der_begin(out, DER_SEQUENCE), tbs = der_begin(out, DER_SEQUENCE), list = der_begin(out, DER_SEQUENCE),
                 request = der_begin(out, DER_SEQUENCE), id = der_begin(out, DER_SEQUENCE), algorithm = der_begin(out, DER_SEQUENCE);

    der_add_oid(out, OID_SHA1);
    der_add_null(out);
    der_end(out, algorithm);
    der_add(out, DER_OCTET_STRING, (struct str){ (const char *)w->names.name_sha1, SHA1_LEN });
    der_add(out, DER_OCTET_STRING, (struct str){ (const char *)w->names.key_sha1, SHA1_LEN });
    der_add(out, DER_INTEGER, STR_LIT("\x5a" "123456789abcdef"));
    der_end(out, id);
    der_end(out, request);
    der_end(out, list);
    der_end(out, tbs);
    der_end(out, whole);
}

static void
work_make(struct work *w, const struct profile_set *set, enum key_alg ca, int bits, enum key_alg holder)
{
    const struct subject name = { .common_name = STR_LIT("Beffroi Cartes"), .generation = 1 };
    AUTO(buf_free) struct buf subject = BUF_BOUNDED(NAME_MAX_LEN);
    static const unsigned char serial[SERIAL_LEN] = { 0x5a, 1 };

    *w = (struct work){ .profile = profile_set_find(set, STR_LIT("citizen-card")), .now = clock_now() / USEC_PER_SEC * USEC_PER_SEC,
                        .issuer = BUF_BOUNDED(NAME_MAX_LEN), .ca_spki = BUF_BOUNDED(4096), .csr = BUF_BOUNDED(CSR_MAX),
                        .request = BUF_BOUNDED(4096), .tbs = BUF_BOUNDED(CERTIFICATE_MAX) };
    CHECK(key_generate(ca, bits, KEY_CA_SIGN, &w->ca) == OK && key_generate(holder, 2048, KEY_CA_SIGN, &w->holder) == OK);
    CHECK(name_encode(profile_set_find(set, STR_LIT("issuing-ca")), &name, &w->issuer, NULL) == OK);
    key_spki(w->ca, &w->ca_spki);
    CHECK(key_id(buf_view(&w->ca_spki), w->key_id, NULL) == OK);
    csr_make(w->holder, &w->csr);
    CHECK(csr_read(buf_view(&w->csr), &w->read, NULL) == OK);
    tbs_write(w, w->read.spki, serial, &subject, &w->tbs, &w->ctx);
    /* what the lint compares with must live on */
    w->ctx.subject = (struct str){ mem_dup(subject.data, subject.len), subject.len };
    CHECK(ocsp_issuer_make(buf_view(&w->issuer), buf_view(&w->ca_spki), &w->names, NULL) == OK);
    CHECK(key_hash_sha1(buf_view(&w->ca_spki), w->responder_hash, NULL) == OK);
    ocsp_request_make(w);
    w->bare = EVP_PKEY_CTX_new_from_pkey(NULL, key_evp(w->ca), NULL);
    CHECK(w->bare != NULL && EVP_PKEY_sign_init(w->bare) == 1 && EVP_PKEY_CTX_set_signature_md(w->bare, EVP_sha256()) == 1);
    if (ca == KEY_RSA)
        CHECK(EVP_PKEY_CTX_set_rsa_padding(w->bare, RSA_PKCS1_PADDING) == 1);
}

static void
certificates(const char *label, const struct profile_set *set, enum key_alg ca, int bits, enum key_alg holder)
{
    struct work w;
    double bare, read, write, lint, issued, whole, ocsp;

    work_make(&w, set, ca, bits, holder);
    bare = measure(bare_sign, &w);
    read = measure(request_read, &w);
    write = measure(certificate_write, &w);
    lint = measure(certificate_lint, &w);
    issued = measure(certificate_issue, &w);
    whole = measure(certificate_whole, &w);
    ocsp = measure(ocsp_answer, &w);
    printf("%-34s sign %7.1f us (%6.0f/s) | request %6.1f  write %5.1f  lint %5.1f | certificate %7.1f us (%6.0f/s, ratio %.2f), "
           "with request %7.1f us (%6.0f/s, ratio %.2f) | OCSP %7.1f us (%6.0f/s, ratio %.2f)\n",
           label, bare, 1e6 / bare, read, write, lint, issued, 1e6 / issued, bare / issued, whole, 1e6 / whole, bare / whole, ocsp,
           1e6 / ocsp, bare / ocsp);
    csr_done(&w.read);
    EVP_PKEY_CTX_free(w.bare);
    key_free(w.ca);
    key_free(w.holder);
}

static long
peak_kib(void)
{
    struct rusage usage;

    CHECK(getrusage(RUSAGE_SELF, &usage) == 0);
    return usage.ru_maxrss;
}

/* In a child, so that the peak of memory is its own; entries come from arithmetic, sorted, 16 octets each. */
static void
crl_child(size_t entries, int reason, bool hint)
{
    struct key *key = NULL;
    const struct crl_head head = { .issuer = STR_LIT("\x30\x0d\x31\x0b\x30\x09\x06\x03\x55\x04\x06\x13\x02" "FR"),
                                   .issuer_key_id = STR_LIT("12345678901234567890"), .sig_alg = SIG_ES256,
                                   .this_update = INT64_C(1800000000) * USEC_PER_SEC,
                                   .next_update = INT64_C(1800093600) * USEC_PER_SEC, .number = 1000 };
    const struct lint_crl_context ctx = { .issuer = { head.issuer, head.issuer_key_id, SIG_ES256, 0, 0 }, .now = head.this_update,
                                          .life_max = 26 * USEC_PER_HOUR, .number = 1000, .entries = entries, .reasons = true };
    AUTO(buf_free) struct buf sig = BUF_BOUNDED(256);
    struct lint_report report;
    struct str tbs, der;
    struct crl crl;
    int64_t start, encoded, signed_at, linted;
    long before, after;

    CHECK(key_generate(KEY_P256, 0, KEY_CA_SIGN, &key) == OK);
    before = peak_kib();
    start = cpu_usec();
    crl_begin(&crl, &head, hint ? entries : 0);
    for (size_t i = 0; i < entries; i++) {
        unsigned char serial[16] = { 0x10 };
        const uint64_t spread = (uint64_t)i * (UINT64_MAX / 16 / (entries + 1));
        struct crl_entry entry = { { (const char *)serial, 16 }, head.this_update - (utime)(i % 1000) * USEC_PER_HOUR, reason, 0 };

        for (int k = 0; k < 8; k++)
            serial[1 + k] = (unsigned char)(spread >> (56 - 8 * k));
        serial[15] = (unsigned char)i;
        CHECK(crl_add(&crl, &entry, NULL) == OK);
    }
    CHECK(crl_close(&crl, &tbs, NULL) == OK);
    encoded = cpu_usec();
    CHECK(key_sign(key, KEY_CA_SIGN, SIG_ES256, tbs, false, &sig, NULL) == OK);
    CHECK(crl_finish(&crl, buf_view(&sig), &der, NULL) == OK);
    signed_at = cpu_usec();
    CHECK(lint_crl(tbs, &ctx, &report) == 0);
    linted = cpu_usec();
    after = peak_kib();
    printf("CRL of %7zu entries%s%s: encode %6.1f ms, sign %5.1f ms, lint %6.1f ms; %.1f MB, peak %.1f MiB more than before\n", entries,
           reason == CRL_REASON_NONE ? "" : ", reasons", hint ? "" : ", number not known", (double)(encoded - start) / 1e3,
           (double)(signed_at - encoded) / 1e3, (double)(linted - signed_at) / 1e3, (double)der.n / 1e6,
           (double)(after - before) / 1024);
    crl_done(&crl);
    key_free(key);
}

static void
crls(size_t entries, int reason, bool hint)
{
    int status;
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child == 0) {
        crl_child(entries, reason, hint);
        fflush(stdout);
        _exit(0);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
}

int
main(int argc, char **argv)
{
    struct profile_set set = { NULL, 0 };
    struct why why = WHY_INIT;

    crls(100000, CRL_REASON_NONE, true);
    crls(100000, CRL_HOLD, true);
    crls(1000000, CRL_REASON_NONE, true);
    crls(1000000, CRL_HOLD, true);
    crls(1000000, CRL_HOLD, false);
    if (profile_set_load(argc > 1 ? argv[1] : "pki/profiles", &set, &why) != OK)
        panic("%s", why.text);
    certificates("CA P-256, key P-256", &set, KEY_P256, 0, KEY_P256);
    certificates("CA P-256, key RSA-2048", &set, KEY_P256, 0, KEY_RSA);
    certificates("CA RSA-3072, key P-256", &set, KEY_RSA, 3072, KEY_P256);
    certificates("CA RSA-3072, key RSA-2048", &set, KEY_RSA, 3072, KEY_RSA);
    profile_set_free(&set);
    return 0;
}
