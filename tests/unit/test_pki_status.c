/*
 * pki/status: the table against a plain array, its memory, readers beside a writer; and what is answered, by our own bytes and as
 * OpenSSL, which asks by its own requests, reads it.
 */
#include "tests/unit/pki_support.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/core/rand.h"
#include "pki/encode/crl.h"
#include "pki/status/ocsp_answer.h"

#define DAY USEC_PER_DAY
#define HOUR USEC_PER_HOUR

static struct pki pki;
static struct tool_folder folder;
static struct buf responder_der, leaf_der;
static struct ocsp_policy policy;
static struct ocsp_authority authorities[2];
static struct ocsp_responder responder;

/* --- the table ----------------------------------------------------------------------------------------------------------- */

/* The n-th serial number: looks random, and is found again. */
static void
serial_of(uint64_t n, unsigned char out[SERIAL_LEN])
{
    for (size_t i = 0; i < SERIAL_LEN; i += 8) {
        uint64_t x = (n + i) * UINT64_C(0x9e3779b97f4a7c15);

        x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
        x ^= x >> 31;
        memcpy(out + i, &x, 8);
    }
    out[0] = (unsigned char)(out[0] % 127 + 1);
}

static struct status
status_of(uint64_t n)
{
    const enum status_kind kind = (enum status_kind)(n % 3);

    return (struct status){ kind, kind == STATUS_REVOKED ? (int)(n % 5) + 1 : 0,
                            kind == STATUS_GOOD ? 0 : (utime)(1 + n % 4000000000) * USEC_PER_SEC };
}

static bool
same(const struct status *a, const struct status *b)
{
    return a->kind == b->kind && a->reason == b->reason && a->revoked_at == b->revoked_at;
}

static bool
find(struct status_table *t, int ca, const unsigned char *serial, struct status *ret)
{
    return status_table_find(t, ca, (struct str){ (const char *)serial, SERIAL_LEN }, ret);
}

static void
table_holds(size_t n, size_t expected)
{
    AUTO(status_table_freep) struct status_table *t = status_table_new(expected);
    unsigned char serial[SERIAL_LEN];
    struct status got, want;

    for (uint64_t i = 0; i < n; i++) {
        want = status_of(i);
        serial_of(i, serial);
        status_table_put(t, (int)(i % 3) + 1, serial, &want);
    }
    assert_int_equal(status_table_count(t), n);
    for (uint64_t i = 0; i < n; i++) {
        want = status_of(i);
        serial_of(i, serial);
        assert_true(find(t, (int)(i % 3) + 1, serial, &got) && same(&got, &want));
        assert_false(find(t, (int)((i + 1) % 3) + 1, serial, &got));         /* the same number of another authority */
        serial[SERIAL_LEN - 1] ^= 1;
        assert_false(find(t, (int)(i % 3) + 1, serial, &got));
    }
    if (n >= 1000000) {
        print_message("%zu certificates: %zu KiB\n", n, status_table_bytes(t) / 1024);
        assert_true(status_table_bytes(t) <= (size_t)40 << 20);
    }
}

static void
test_table(void **state)
{
    static const unsigned char serial[SERIAL_LEN] = { 1 };
    AUTO(status_table_freep) struct status_table *t = status_table_new(0);
    struct status got, revoked = { STATUS_REVOKED, 1, 7 * USEC_PER_SEC }, held = { STATUS_HELD, 0, 5 * USEC_PER_SEC };

    (void)state;
    assert_false(find(t, 1, serial, &got));
    status_table_put(t, STATUS_CA_MAX, serial, &held);
    status_table_put(t, STATUS_CA_MAX, serial, &revoked);                     /* replaced */
    assert_int_equal(status_table_count(t), 1);
    assert_true(find(t, STATUS_CA_MAX, serial, &got) && same(&got, &revoked));
    assert_false(status_table_find(t, STATUS_CA_MAX, (struct str){ (const char *)serial, SERIAL_LEN - 1 }, &got));
    table_holds(1000, 0);
    table_holds(100000, 100000);
    table_holds(1000000, 0);                                                  /* grown all the way */
    table_holds(1000000, 1000000);
}

struct race {
    struct status_table *t;
    atomic_bool done;
    atomic_uint_fast64_t found, torn;
};

static void *
race_read(void *arg)
{
    struct race *r = arg;
    unsigned char serial[SERIAL_LEN];
    struct status got;

    for (uint64_t i = 0; !atomic_load(&r->done); i = (i + 1) % 2000) {
        serial_of(i, serial);
        if (!find(r->t, 1, serial, &got))
            continue;
        atomic_fetch_add(&r->found, 1);
        /* the writer writes only pairs of reason and time that belong together */
        if (got.kind != STATUS_REVOKED || got.revoked_at / USEC_PER_SEC % 8 != got.reason)
            atomic_fetch_add(&r->torn, 1);
    }
    return NULL;
}

static void
test_readers(void **state)
{
    struct race r = { .t = status_table_new(0) };
    pthread_t threads[2];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, race_read, &r), 0);
    for (uint64_t n = 0; n < 400000; n++) {
        const struct status s = { STATUS_REVOKED, (int)(n % 5) + 1, (utime)((n % 1000) * 8 + n % 5 + 1) * USEC_PER_SEC };
        unsigned char serial[SERIAL_LEN];

        serial_of(n < 200000 ? n : n % 2000, serial);                         /* it grows, then it changes */
        status_table_put(r.t, 1, serial, &s);
    }
    atomic_store(&r.done, true);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_true(atomic_load(&r.found) > 0);
    assert_int_equal(atomic_load(&r.torn), 0);
    assert_int_equal(status_table_count(r.t), 200000);
    status_table_free(r.t);
}

/* --- answers ------------------------------------------------------------------------------------------------------------- */

static void
authority_make(struct ocsp_authority *a, int ca, const struct pki_ca *of, struct buf *certificate)
{
    AUTO(buf_free) struct buf name = BUF_BOUNDED(NAME_MAX_LEN), spki = BUF_BOUNDED(1024);
    struct certificate_input in;

    *a = (struct ocsp_authority){ .ca = ca, .not_before = of->not_before };
    assert_int_equal(ocsp_issuer_make(buf_view(&of->name), buf_view(&of->spki), &a->issuer, NULL), OK);
    assert_int_equal(key_generate(KEY_P256, 0, KEY_OCSP_SIGN, &a->key), OK);
    key_spki(a->key, &spki);
    assert_int_equal(key_hash_sha1(buf_view(&spki), a->key_hash, NULL), OK);
    in = pki_input(&pki, pki_profile(&pki, "responder"), of, &name);
    in.spki = buf_view(&spki);
    if (certificate != NULL) {
        pki_issue(&in, of, certificate);
        a->certificate = buf_view(certificate);
    }
    a->signs_from = in.not_before;
    a->signs_until = in.not_after;
}

static int
setup(void **state)
{
    AUTO(buf_free) struct buf name = BUF_BOUNDED(NAME_MAX_LEN);
    struct certificate_input in;

    (void)state;
    pki_make(&pki, KEY_P256, 0);
    tool_folder_make(&folder);
    responder_der = leaf_der = (struct buf)BUF_BOUNDED(CERTIFICATE_MAX);
    in = pki_input(&pki, pki_profile(&pki, "citizen-card"), &pki.issuing, &name);
    pki_issue(&in, &pki.issuing, &leaf_der);
    authority_make(&authorities[0], 1, &pki.root, NULL);
    authority_make(&authorities[1], 2, &pki.issuing, &responder_der);
    pki_write_pem(&folder, "root.pem", "CERTIFICATE", buf_view(&pki.root.der));
    pki_write_pem(&folder, "ca.pem", "CERTIFICATE", buf_view(&pki.issuing.der));
    pki_write_pem(&folder, "leaf.pem", "CERTIFICATE", buf_view(&leaf_der));
    return 0;
}

static int
teardown(void **state)
{
    static const char *const names[] = { "root.pem", "ca.pem", "leaf.pem", "req.der", "resp.der" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(authorities); i++)
        key_free(authorities[i].key);
    pki_done(&pki);
    buf_free(&responder_der);
    buf_free(&leaf_der);
    tool_folder_remove(&folder, names, ARRAY_LEN(names));
    return 0;
}

static int
fresh(void **state)
{
    (void)state;
    policy = (struct ocsp_policy){ .life = 12 * HOUR, .stale_max = 4 * HOUR, .retention = 0 };
    responder = (struct ocsp_responder){ .policy = &policy, .authorities = authorities, .n = ARRAY_LEN(authorities),
                                         .table = status_table_new(0), .known_at = pki.now };
    return 0;
}

static int
stale(void **state)
{
    (void)state;
    status_table_free(responder.table);
    return 0;
}

static void
put(const unsigned char *serial, enum status_kind kind, int reason)
{
    status_table_put(responder.table, 2, serial, &(struct status){ kind, reason, pki.now - DAY });
}

/* openssl's own request, into req.der and *ret. nonce as openssl makes it. */
static void
ask(const char *digest, bool nonce, const char *const *serials, struct buf *der, struct ocsp_request *ret)
{
    AUTO(buf_free) struct buf said = BUF_BOUNDED(65536);
    char ca[128], leaf[128], req[128], part[4096];
    const char *argv[24];
    size_t n = 0, got;
    struct why why = WHY_INIT;
    FILE *file;

    snprintf(ca, sizeof(ca), "%s", tool_file(&folder, "ca.pem"));
    snprintf(leaf, sizeof(leaf), "%s", tool_file(&folder, "leaf.pem"));
    snprintf(req, sizeof(req), "%s", tool_file(&folder, "req.der"));
    argv[n++] = "openssl";
    argv[n++] = "ocsp";
    argv[n++] = digest;
    argv[n++] = "-issuer";
    argv[n++] = ca;
    if (serials == NULL) {
        argv[n++] = "-cert";
        argv[n++] = leaf;
    }
    for (; serials != NULL && *serials != NULL; serials++) {
        argv[n++] = "-serial";
        argv[n++] = *serials;
    }
    argv[n++] = nonce ? "-nonce" : "-no_nonce";
    argv[n++] = "-reqout";
    argv[n++] = req;
    argv[n] = NULL;
    if (tool_run(argv, true, &said) != 0)
        fail_msg("%s", buf_cstr(&said));
    buf_reset(der);
    file = fopen(req, "rb");
    assert_non_null(file);
    while ((got = fread(part, 1, sizeof(part), file)) > 0)
        buf_add(der, part, got);
    fclose(file);
    if (ocsp_request_read(buf_view(der), ret, &why) != OK)
        fail_msg("%s", why.text);
}

static struct ocsp_reply
answered(const struct ocsp_request *request, struct buf *out)
{
    struct ocsp_reply reply;
    struct why why = WHY_INIT;

    buf_reset(out);
    if (ocsp_answer(&responder, request, pki.now, out, &reply, &why) != OK)
        fail_msg("%s", why.text);
    assert_int_equal(der_check(buf_view(out), OCSP_RESPONSE_MAX, NULL), OK);
    return reply;
}

/* What openssl says of the answer; wants and one that must not be there. */
static void
openssl_says(const char *label, const struct buf *out, const char *const *wants, const char *not_wanted)
{
    AUTO(buf_free) struct buf said = BUF_BOUNDED(65536);
    char root[128], ca[128], req[128], resp[128];

    tool_write(&folder, "resp.der", buf_view(out));
    snprintf(root, sizeof(root), "%s", tool_file(&folder, "root.pem"));
    snprintf(ca, sizeof(ca), "%s", tool_file(&folder, "ca.pem"));
    snprintf(req, sizeof(req), "%s", tool_file(&folder, "req.der"));
    snprintf(resp, sizeof(resp), "%s", tool_file(&folder, "resp.der"));
    if (TOOL(true, &said, "openssl", "ocsp", "-CAfile", root, "-verify_other", ca, "-reqin", req, "-respin", resp, "-text") != 0 ||
        strstr(buf_cstr(&said), "Response verify OK") == NULL || strstr(said.data, "Nonce Verify error") != NULL)
        fail_msg("%s: %s", label, said.data + (said.len > 900 ? said.len - 900 : 0));
    for (; *wants != NULL; wants++)
        if (strstr(said.data, *wants) == NULL)
            fail_msg("%s: no \"%s\" in %s", label, *wants, said.data);
    if (not_wanted != NULL && strstr(said.data, not_wanted) != NULL)
        fail_msg("%s: \"%s\"", label, not_wanted);
}

static void
test_states(void **state)
{
    static const char *const good[] = { "Cert Status: good", NULL }, *const held[] = { "Revocation Reason: certificateHold", NULL },
                             *const lost[] = { "Revocation Reason: keyCompromise", NULL },
                             *const silent[] = { "Cert Status: revoked", NULL }, *const unknown[] = { "Cert Status: unknown", NULL },
                             *const never[] = { "Cert Status: revoked", "Revocation Time: Jan  1 00:00:00 1970",
                                                "Revocation Reason: certificateHold", NULL };
    AUTO(buf_free) struct buf der = BUF_BOUNDED(65536), out = BUF_BOUNDED(OCSP_RESPONSE_MAX);
    static const char *const digests[] = { "-sha1", "-sha256" };
    struct ocsp_request request;
    struct ocsp_reply reply;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(digests); i++) {
        stale(NULL);
        fresh(NULL);
        ask(digests[i], i == 1, NULL, &der, &request);
        assert_int_equal(answered(&request, &out).status, OCSP_UNAUTHORIZED);                /* never issued */
        assert_int_equal(out.len, 5);
        policy.never_issued = OCSP_NEVER_UNKNOWN;
        assert_int_equal(answered(&request, &out).status, OCSP_SUCCESSFUL);
        openssl_says("never, unknown", &out, unknown, "Cert Status: good");
        policy.never_issued = OCSP_NEVER_REVOKED;
        answered(&request, &out);
        openssl_says("never, revoked", &out, never, "Cert Status: good");
        status_table_put(responder.table, 1, pki_serial, &(struct status){ STATUS_GOOD, 0, 0 });
        answered(&request, &out);
        openssl_says("that of another authority", &out, never, "Cert Status: good");

        put(pki_serial, STATUS_GOOD, 0);
        reply = answered(&request, &out);
        openssl_says("good", &out, good, "Archive Cutoff");
        assert_int_equal(reply.cacheable, i == 0);                                           /* without a nonce */
        assert_int_equal(reply.this_update, pki.now);
        assert_int_equal(reply.next_update, pki.now + 12 * HOUR);
        put(pki_serial, STATUS_HELD, 0);
        answered(&request, &out);
        openssl_says("held", &out, held, "Cert Status: good");
        put(pki_serial, STATUS_GOOD, 0);                                                     /* the card was found */
        answered(&request, &out);
        openssl_says("released", &out, good, "Cert Status: revoked");
        put(pki_serial, STATUS_REVOKED, CRL_KEY_COMPROMISE);
        answered(&request, &out);
        openssl_says("revoked", &out, lost, NULL);
        put(pki_serial, STATUS_REVOKED, 0);
        answered(&request, &out);
        openssl_says("revoked, reason not shown", &out, silent, "Revocation Reason");
    }
}

static void
test_several(void **state)
{
    static const char *const serials[] = { "0x5A0102030405060708090A0B0C0D0EFF", "0x5A0102030405060708090A0B0C0D0EFE", "0x01", NULL };
    AUTO(buf_free) struct buf der = BUF_BOUNDED(65536), out = BUF_BOUNDED(OCSP_RESPONSE_MAX), said = BUF_BOUNDED(65536);
    struct ocsp_request request;
    char other[SHA1_LEN] = { 0 };
    size_t unknown = 0;

    (void)state;
    put(pki_serial, STATUS_GOOD, 0);
    ask("-sha1", true, serials, &der, &request);
    assert_int_equal(request.n, 3);
    assert_int_equal(answered(&request, &out).status, OCSP_SUCCESSFUL);
    openssl_says("three", &out, (const char *const[]){ "Cert Status: good", "Cert Status: unknown", "OCSP Nonce", NULL }, "revoked");
    tool_write(&folder, "resp.der", buf_view(&out));
    (void)TOOL(true, &said, "openssl", "ocsp", "-respin", tool_file(&folder, "resp.der"), "-noverify", "-text");
    for (const char *p = buf_cstr(&said); (p = strstr(p, "Cert Status: unknown")) != NULL; p++)
        unknown++;
    assert_int_equal(unknown, 2);
    /* an issuer that is not ours: unknown beside ours, whatever the policy; alone it is not for us to say */
    policy.never_issued = OCSP_NEVER_REVOKED;
    request.ids[1].key_hash = request.ids[2].key_hash = (struct str){ other, sizeof(other) };
    assert_int_equal(answered(&request, &out).status, OCSP_SUCCESSFUL);
    openssl_says("foreign", &out, (const char *const[]){ "Cert Status: good", "Cert Status: unknown", NULL }, "revoked");
    request.ids[0] = request.ids[1];
    request.n = 1;
    assert_int_equal(answered(&request, &out).status, OCSP_UNAUTHORIZED);
}

/* How long answers live: what we know grows old, the responder's certificate ends, its key is away, the clock goes back. */
static void
test_times(void **state)
{
    AUTO(buf_free) struct buf der = BUF_BOUNDED(65536), out = BUF_BOUNDED(OCSP_RESPONSE_MAX);
    const struct ocsp_authority as_it_was = authorities[1];
    struct ocsp_request request;
    struct ocsp_reply reply;
    struct why why = WHY_INIT;

    (void)state;
    put(pki_serial, STATUS_GOOD, 0);
    ask("-sha256", false, NULL, &der, &request);
    responder.known_at = pki.now - 4 * HOUR;
    reply = answered(&request, &out);
    assert_int_equal(reply.status, OCSP_SUCCESSFUL);
    assert_int_equal(reply.this_update, pki.now - 4 * HOUR);
    assert_int_equal(reply.next_update, pki.now + 8 * HOUR);
    openssl_says("old, still good", &out, (const char *const[]){ "Cert Status: good", NULL }, NULL);
    responder.known_at--;
    reply = answered(&request, &out);
    assert_int_equal(reply.status, OCSP_TRY_LATER);
    assert_false(reply.cacheable);
    responder.known_at = 0;
    assert_int_equal(answered(&request, &out).status, OCSP_TRY_LATER);
    responder.known_at = pki.now + HOUR;                             /* the clock went back */
    assert_int_equal(answered(&request, &out).this_update, pki.now);
    responder.known_at = pki.now - HOUR;
    policy.life = HOUR;                                              /* would be past when it is given: the newest there is */
    assert_int_equal(answered(&request, &out).next_update, pki.now + HOUR);
    responder.known_at = pki.now - 3 * HOUR - HOUR / 2;              /* but never beyond what may be old */
    assert_int_equal(answered(&request, &out).next_update, pki.now + HOUR / 2);
    policy.life = 12 * HOUR;
    responder.known_at = pki.now;

    authorities[1].signs_until = pki.now + HOUR;
    assert_int_equal(answered(&request, &out).next_update, pki.now + HOUR);
    authorities[1].signs_until = pki.now;
    assert_int_equal(answered(&request, &out).status, OCSP_TRY_LATER);
    authorities[1] = as_it_was;
    authorities[1].signs_from = pki.now + 1;
    assert_int_equal(answered(&request, &out).status, OCSP_TRY_LATER);
    authorities[1] = as_it_was;
    authorities[1].key = NULL;
    assert_int_equal(answered(&request, &out).status, OCSP_TRY_LATER);
    authorities[1].key = pki.holder;                                 /* a key that may not sign answers */
    buf_reset(&out);
    assert_int_equal(ocsp_answer(&responder, &request, pki.now, &out, &reply, &why), ERR_DENIED);
    assert_int_equal(reply.status, OCSP_INTERNAL_ERROR);
    assert_int_equal(out.len, 5);
    authorities[1] = as_it_was;

    policy.retention = 5 * 365 * DAY;                                /* not before there was a certificate */
    answered(&request, &out);
    openssl_says("archive", &out, (const char *const[]){ "Archive Cutoff", "Cert Status: good", NULL }, NULL);
    assert_int_equal(answered(&request, &out).status, OCSP_SUCCESSFUL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_readers),
        cmocka_unit_test_setup_teardown(test_states, fresh, stale),
        cmocka_unit_test_setup_teardown(test_several, fresh, stale),
        cmocka_unit_test_setup_teardown(test_times, fresh, stale),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
