/*
 * x509_path: a good path, and the same with one thing changed: each change has its verdict.
 */
#include "tests/unit/crypto_support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>

#include "tests/unit/x509_support.h"

static struct made_keys keys;

static enum x509_verdict
judge(const struct world *w, struct why *why)
{
    AUTO(x509_trust_freep) struct x509_trust *t = made_trust(w, why);
    AUTO(buf_free) struct buf leaf_der = BUF_BOUNDED(X509_DER_MAX), ca_der = BUF_BOUNDED(X509_DER_MAX);
    AUTO(x509_done) struct x509_cert leaf = { .version = 0 };
    enum x509_verdict v = CERT_MALFORMED;
    struct str sent;
    enum err e;

    made_cert(&ca_der, &w->ca);
    sent = buf_view(&ca_der);
    made_cert(&leaf_der, &w->leaf);
    if (x509_read(buf_view(&leaf_der), &leaf, why) != OK)
        return v;
    e = x509_path_verify(t, &w->profile, &leaf, &sent, w->send_ca ? 1 : 0, w->now, &v, why);
    assert_int_equal(e == OK, v == CERT_GOOD);
    assert_int_equal(e == ERR_UNAVAILABLE, v == CERT_STATUS_UNKNOWN || v == CERT_STATUS_STALE);
    assert_int_equal(e == ERR_INPUT, v == CERT_MALFORMED);
    if (v != CERT_GOOD && why != NULL)
        assert_true(why->text[0] != '\0' && str_starts(str_of(why->code), "x509."));
    return v;
}

/* --- the changes -------------------------------------------------------------------------------------------------- */
#define CHANGE(name) static void name(struct world *w)
static const struct str leaf_serial[] = { STR_LIT("\x41\x02\x03\x04") }, ca_serial[] = { STR_LIT("\x02") };
static const int hold[] = { 6 }, removed[] = { 8 }, compromised[] = { 1 };
static const struct str test_policy[] = { STR_LIT("\x2a\x03\x01") }, other_policy[] = { STR_LIT("\x2a\x03\x02") };

CHANGE(nothing) { (void)w; }
CHANGE(ca_comes_along) { w->send_ca = w->profile.status_known_elsewhere = true; }
CHANGE(ca_comes_along_unknown_to_us) { w->send_ca = true; }         /* so its CRL was never verified */
CHANGE(ca_is_the_anchor) { w->ca_is_anchor = w->no_anchor = w->no_root_crl = true; }
CHANGE(other_policies_too) { w->profile.policies = test_policy; w->profile.n_policies = 1; }
CHANGE(status_elsewhere) { w->no_ca_crl = w->no_root_crl = true; w->profile.status_known_elsewhere = true; }
CHANGE(last_second_but_one) { w->now = w->leaf.not_after - USEC_PER_SEC; w->ca_crl.next_update = w->root_crl.next_update = w->now + DAY; }
CHANGE(first_second) { w->now = w->leaf.not_before; w->ca_crl.this_update = w->root_crl.this_update = w->now - DAY; }
CHANGE(long_serial) { w->leaf.serial = STR_LIT("\x7f" "2345678901234567890"); }

CHANGE(expired) { w->leaf.not_after = w->now - USEC_PER_SEC; }
CHANGE(not_begun) { w->leaf.not_before = w->now + USEC_PER_SEC; }
CHANGE(ca_expired) { w->ca.not_after = w->now - USEC_PER_SEC; }
CHANGE(root_expired) { w->root.not_after = w->now - USEC_PER_SEC; }
CHANGE(revoked) { w->ca_crl.serials = leaf_serial; w->ca_crl.n = 1; }
CHANGE(revoked_with_reason) { revoked(w); w->ca_crl.reasons = compromised; }
CHANGE(on_hold) { revoked(w); w->ca_crl.reasons = hold; }
CHANGE(ca_revoked) { w->root_crl.serials = ca_serial; w->root_crl.n = 1; }
CHANGE(no_anchor) { w->no_anchor = true; }
CHANGE(ca_unknown) { w->leaf.issuer = "Another"; }
CHANGE(no_crl) { w->no_ca_crl = true; }
CHANGE(no_root_crl) { w->no_root_crl = true; }
CHANGE(crl_stale) { w->ca_crl.next_update = w->now - USEC_PER_SEC; }
CHANGE(crl_stale_in_grace) { w->ca_crl.next_update = w->now - USEC_PER_HOUR; w->profile.crl_grace = USEC_PER_HOUR; }
CHANGE(crl_stale_past_grace) { w->ca_crl.next_update = w->now - USEC_PER_HOUR - USEC_PER_SEC; w->profile.crl_grace = USEC_PER_HOUR; }
CHANGE(crl_of_tomorrow) { w->ca_crl.this_update = w->now + USEC_PER_SEC; }
CHANGE(crl_bad_signature) { w->ca_crl.bad_signature = true; }
CHANGE(crl_of_another_key) { w->ca_crl.signer = keys.other; }
CHANGE(crl_of_another_name) { w->ca_crl.issuer = "CB"; }
CHANGE(crl_without_number) { w->ca_crl.no_number = true; }
CHANGE(crl_version_1) { w->ca_crl.version1 = true; }
CHANGE(crl_without_next_update) { w->ca_crl.no_next_update = true; }
CHANGE(crl_critical_extension) { w->ca_crl.extra = STR_LIT("\x30\x0c\x06\x03\x2a\x03\x04\x01\x01\xff\x04\x02\x05\x00"); }
CHANGE(crl_entry_critical_extension)
{
    static const struct str another[] = { STR_LIT("\x55") };

    w->ca_crl.serials = another;
    w->ca_crl.n = 1;
    w->ca_crl.entry_extra = STR_LIT("\x30\x0c\x06\x03\x2a\x03\x04\x01\x01\xff\x04\x02\x05\x00");
}
CHANGE(crl_removal_in_full) { revoked(w); w->ca_crl.reasons = removed; }
CHANGE(crl_for_cas_only) { w->ca_crl.idp = STR_LIT("\x82\x01\xff"); }
CHANGE(crl_for_users_only) { w->ca_crl.idp = STR_LIT("\x81\x01\xff"); }
CHANGE(crl_for_some_reasons) { w->ca_crl.idp = STR_LIT("\x83\x02\x06\x40"); }
CHANGE(crl_of_another_point) { w->ca_crl.idp = STR_LIT("\xa0\x0a\xa0\x08\x86\x06http:x"); }
CHANGE(crl_of_this_point)
{
    w->leaf.crl_point = "http:x";
    w->ca_crl.idp = STR_LIT("\xa0\x0a\xa0\x08\x86\x06http:x");
}
CHANGE(ca_may_not_sign_crls) { w->ca.key_usage = X509_KEY_CERT_SIGN; }
CHANGE(revoked_in_delta)
{
    w->more_crl[0] = w->ca_crl;
    w->more_crl[0].delta = true;
    w->more_crl[0].base = w->ca_crl.number;
    w->more_crl[0].number = w->ca_crl.number + 1;
    w->more_crl[0].serials = leaf_serial;
    w->more_crl[0].n = 1;
    w->n_more = 1;
}
CHANGE(released_in_delta)
{
    on_hold(w);
    revoked_in_delta(w);
    w->more_crl[0].reasons = removed;
}
CHANGE(delta_stale) { released_in_delta(w); w->ca_crl.n = 0; w->more_crl[0].next_update = w->now - USEC_PER_SEC; }
CHANGE(delta_of_a_later_base) { released_in_delta(w); w->more_crl[0].base = w->ca_crl.number + 1; w->more_crl[0].number += 2; }
CHANGE(delta_that_is_older) { revoked_in_delta(w); w->more_crl[0].number = w->more_crl[0].base = w->ca_crl.number - 1; }
CHANGE(delta_alone) { revoked_in_delta(w); w->more_crl[0].n = 0; w->no_ca_crl = true; }
CHANGE(released_in_next_crl)
{
    on_hold(w);
    w->more_crl[0] = w->ca_crl;
    w->more_crl[0].n = 0;
    w->more_crl[0].number = w->ca_crl.number + 1;
    w->n_more = 1;
}
CHANGE(revoked_in_next_crl)
{
    released_in_next_crl(w);
    w->ca_crl.n = 0;
    w->more_crl[0].n = 1;
}
CHANGE(same_serial_of_another_ca) { w->root_crl.serials = leaf_serial; w->root_crl.n = 1; }
CHANGE(other_serial_revoked)
{
    static const struct str near[] = { STR_LIT("\x41\x02\x03\x03"), STR_LIT("\x41\x02\x03\x05"), STR_LIT("\x41\x02\x03"),
                                       STR_LIT("\x00\xff"), STR_LIT("\x02") };

    w->ca_crl.serials = near;
    w->ca_crl.n = ARRAY_LEN(near);
}

CHANGE(bad_signature) { w->leaf.bad_signature = true; }
CHANGE(ca_bad_signature) { w->ca.bad_signature = true; }
CHANGE(no_issuer_key_id_other_signer) { w->leaf.signer = keys.other; w->leaf.no_aki = true; }
CHANGE(same_names_other_key) { w->leaf.signer = keys.other; }
CHANGE(no_digital_signature) { w->leaf.key_usage = X509_NON_REPUDIATION; }
CHANGE(no_key_usage) { w->leaf.no_key_usage = true; }
CHANGE(no_eku) { w->leaf.eku[0] = STR_NULL; }
CHANGE(empty_eku) { no_eku(w); w->leaf.empty_eku = true; }
CHANGE(server_eku) { w->leaf.eku[0] = OID_KP_SERVER_AUTH; }
CHANGE(any_eku) { w->leaf.eku[0] = OID_KP_ANY; }
CHANGE(any_eku_beside) { w->leaf.eku[1] = OID_KP_ANY; }
CHANGE(ca_for_servers) { w->ca.eku[0] = OID_KP_SERVER_AUTH; }
CHANGE(ca_empty_eku) { w->ca.empty_eku = true; }
CHANGE(leaf_is_ca) { w->leaf.ca = true; }
CHANGE(leaf_signs_certificates) { w->leaf.key_usage |= X509_KEY_CERT_SIGN; }
CHANGE(leaf_critical_extension) { w->leaf.extra = STR_LIT("\x30\x0c\x06\x03\x2a\x03\x04\x01\x01\xff\x04\x02\x05\x00"); }
CHANGE(leaf_harmless_extension) { w->leaf.extra = STR_LIT("\x30\x09\x06\x03\x2a\x03\x04\x04\x02\x05\x00"); }
CHANGE(leaf_name_constraints)
{
    w->leaf.extra = STR_LIT("\x30\x14\x06\x03\x55\x1d\x1e\x01\x01\xff\x04\x0a\x30\x08\xa0\x06\x30\x04\x82\x02" "fr");
}
CHANGE(ca_loose_name_constraints)
{
    w->ca.extra = STR_LIT("\x30\x11\x06\x03\x55\x1d\x1e\x04\x0a\x30\x08\xa0\x06\x30\x04\x82\x02" "fr");
}
CHANGE(ca_name_constraints)        /* excluded: CN=Alix */
{
    w->ca.extra = STR_LIT("\x30\x23\x06\x03\x55\x1d\x1e\x01\x01\xff\x04\x19\x30\x17\xa1\x15\x30\x13\xa4\x11\x30\x0f\x31\x0d"
                          "\x30\x0b\x06\x03\x55\x04\x03\x0c\x04" "Alix");
}
CHANGE(ca_is_none) { w->ca.ca = false; w->ca.path_len = -1; }
CHANGE(ca_does_not_sign_certificates) { w->ca.key_usage = X509_CRL_SIGN; }
CHANGE(ca_loose_basic_constraints) { w->ca.loose_basic_constraints = true; }
CHANGE(ca_under_path_length)
{
    w->root.path_len = 0;
}
CHANGE(another_policy) { w->profile.policies = other_policy; w->profile.n_policies = 1; }
CHANGE(no_policy) { w->leaf.policy = STR_NULL; w->profile.policies = test_policy; w->profile.n_policies = 1; }
CHANGE(ca_without_policy) { w->ca.policy = STR_NULL; w->profile.policies = test_policy; w->profile.n_policies = 1; }

CHANGE(version_1) { w->leaf.version = 1; }
CHANGE(serial_zero) { w->leaf.serial = STR_LIT("\0"); }
CHANGE(serial_negative) { w->leaf.serial = STR_LIT("\x81"); }
CHANGE(serial_too_long) { w->leaf.serial = STR_LIT("\x7f" "23456789012345678901"); }
CHANGE(algorithms_differ) { w->leaf.other_algorithm_inside = true; }
CHANGE(no_issuer_key_id) { w->leaf.no_aki = true; }
CHANGE(extension_not_der) { w->leaf.extra = STR_LIT("\x30\x09\x06\x03\x2a\x03\x04\x04\x02\x05\x01"); }
CHANGE(name_with_control_character) { w->leaf.subject = "Al\x01ix"; }
CHANGE(duplicate_extension) { w->leaf.extra = STR_LIT("\x30\x0b\x06\x03\x55\x1d\x0f\x04\x04\x03\x02\x07\x80"); }
CHANGE(key_type_outside) { w->profile.key_algs = 1u << KEY_RSA; }
CHANGE(key_type_inside) { w->profile.key_algs = 1u << KEY_P256 | 1u << KEY_P384; }
CHANGE(signed_by_sha1)
{
    w->leaf.algorithm = STR_LIT("\x30\x09\x06\x07\x2a\x86\x48\xce\x3d\x04\x01");
}
CHANGE(too_many_bytes) { w->profile.bytes_max = 300; }
CHANGE(too_deep_along) { w->profile.bytes_max = 700; w->send_ca = true; }

static const struct {
    const char *label;
    void (*change)(struct world *w);
    enum x509_verdict want;
} rows[] = {
#define ROW(change, want) { #change, change, want }
    ROW(nothing, CERT_GOOD), ROW(ca_comes_along, CERT_GOOD), ROW(ca_is_the_anchor, CERT_GOOD), ROW(other_policies_too, CERT_GOOD),
    ROW(status_elsewhere, CERT_GOOD), ROW(last_second_but_one, CERT_GOOD), ROW(first_second, CERT_GOOD), ROW(long_serial, CERT_GOOD),
    ROW(leaf_harmless_extension, CERT_GOOD), ROW(key_type_inside, CERT_GOOD), ROW(other_serial_revoked, CERT_GOOD),
    ROW(same_serial_of_another_ca, CERT_GOOD),
    ROW(crl_for_users_only, CERT_GOOD), ROW(crl_of_this_point, CERT_GOOD), ROW(released_in_delta, CERT_GOOD),
    ROW(crl_stale_in_grace, CERT_GOOD), ROW(released_in_next_crl, CERT_GOOD), ROW(delta_that_is_older, CERT_GOOD),

    ROW(expired, CERT_EXPIRED), ROW(not_begun, CERT_NOT_YET_VALID), ROW(ca_expired, CERT_ISSUER_EXPIRED),
    ROW(root_expired, CERT_ISSUER_EXPIRED),
    ROW(revoked, CERT_REVOKED), ROW(revoked_with_reason, CERT_REVOKED), ROW(on_hold, CERT_ON_HOLD),
    ROW(ca_revoked, CERT_ISSUER_REVOKED), ROW(revoked_in_delta, CERT_REVOKED), ROW(revoked_in_next_crl, CERT_ON_HOLD),
    ROW(delta_of_a_later_base, CERT_ON_HOLD),
    ROW(no_anchor, CERT_ISSUER_UNKNOWN), ROW(ca_unknown, CERT_ISSUER_UNKNOWN), ROW(same_names_other_key, CERT_ISSUER_UNKNOWN),

    ROW(ca_comes_along_unknown_to_us, CERT_STATUS_UNKNOWN), ROW(no_crl, CERT_STATUS_UNKNOWN), ROW(no_root_crl, CERT_STATUS_UNKNOWN), ROW(crl_stale, CERT_STATUS_STALE),
    ROW(crl_stale_past_grace, CERT_STATUS_STALE),
    ROW(crl_of_tomorrow, CERT_STATUS_STALE), ROW(crl_bad_signature, CERT_STATUS_UNKNOWN),
    ROW(crl_of_another_key, CERT_STATUS_UNKNOWN), ROW(crl_of_another_name, CERT_STATUS_UNKNOWN),
    ROW(crl_without_number, CERT_STATUS_UNKNOWN), ROW(crl_version_1, CERT_STATUS_UNKNOWN),
    ROW(crl_without_next_update, CERT_STATUS_UNKNOWN), ROW(crl_critical_extension, CERT_STATUS_UNKNOWN),
    ROW(crl_entry_critical_extension, CERT_STATUS_UNKNOWN), ROW(crl_removal_in_full, CERT_STATUS_UNKNOWN),
    ROW(crl_for_cas_only, CERT_STATUS_UNKNOWN), ROW(crl_for_some_reasons, CERT_STATUS_UNKNOWN),
    ROW(crl_of_another_point, CERT_STATUS_UNKNOWN), ROW(ca_may_not_sign_crls, CERT_STATUS_UNKNOWN),
    ROW(delta_stale, CERT_STATUS_STALE), ROW(delta_alone, CERT_STATUS_UNKNOWN),

    ROW(bad_signature, CERT_BAD_SIGNATURE), ROW(ca_bad_signature, CERT_BAD_SIGNATURE), ROW(no_issuer_key_id_other_signer, CERT_MALFORMED),
    ROW(no_digital_signature, CERT_WRONG_USE), ROW(no_key_usage, CERT_WRONG_USE), ROW(no_eku, CERT_WRONG_USE),
    ROW(empty_eku, CERT_MALFORMED), ROW(server_eku, CERT_WRONG_USE), ROW(any_eku, CERT_WRONG_USE),
    ROW(any_eku_beside, CERT_WRONG_USE), ROW(leaf_is_ca, CERT_WRONG_USE), ROW(leaf_signs_certificates, CERT_WRONG_USE),
    ROW(leaf_critical_extension, CERT_WRONG_USE),
    ROW(ca_for_servers, CERT_ISSUER_REFUSED), ROW(ca_empty_eku, CERT_ISSUER_REFUSED),
    ROW(leaf_name_constraints, CERT_MALFORMED), ROW(ca_loose_name_constraints, CERT_ISSUER_REFUSED),
    ROW(ca_name_constraints, CERT_ISSUER_REFUSED), ROW(ca_is_none, CERT_ISSUER_REFUSED),
    ROW(ca_does_not_sign_certificates, CERT_ISSUER_REFUSED), ROW(ca_loose_basic_constraints, CERT_ISSUER_REFUSED),
    ROW(ca_under_path_length, CERT_ISSUER_REFUSED),
    ROW(another_policy, CERT_WRONG_POLICY), ROW(no_policy, CERT_WRONG_POLICY), ROW(ca_without_policy, CERT_WRONG_POLICY),

    ROW(version_1, CERT_MALFORMED), ROW(serial_zero, CERT_MALFORMED), ROW(serial_negative, CERT_MALFORMED),
    ROW(serial_too_long, CERT_MALFORMED), ROW(algorithms_differ, CERT_MALFORMED), ROW(no_issuer_key_id, CERT_MALFORMED),
    ROW(extension_not_der, CERT_MALFORMED), ROW(name_with_control_character, CERT_MALFORMED),
    ROW(duplicate_extension, CERT_MALFORMED), ROW(key_type_outside, CERT_WEAK_KEY), ROW(signed_by_sha1, CERT_WEAK_KEY),
    ROW(too_many_bytes, CERT_MALFORMED), ROW(too_deep_along, CERT_MALFORMED),
};

static void
test_changes(void **state)
{
    size_t wrong = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct why why = WHY_INIT;
        struct world w;
        enum x509_verdict v;

        made_world(&w, &keys);
        rows[i].change(&w);
        if ((v = judge(&w, &why)) != rows[i].want) {
            print_error("%s: %s, not %s: %s\n", rows[i].label, x509_verdict_name(v), x509_verdict_name(rows[i].want), why.text);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

/* --- keys --------------------------------------------------------------------------------------------------------- */

static void
test_rsa(void **state)
{
    static const struct {
        int bits, least;
        enum x509_verdict want;
    } sizes[] = { { 2048, 0, CERT_GOOD }, { 2048, 2048, CERT_GOOD }, { 2048, 3072, CERT_WEAK_KEY }, { 2050, 0, CERT_WEAK_KEY } };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct key *rsa = NULL;
        struct world w;
        enum x509_verdict v;

        assert_int_equal(key_generate(KEY_RSA, sizes[i].bits, KEY_AUDIT_SIGN, &rsa), OK);
        made_world(&w, &keys);
        w.leaf.key = rsa;
        w.profile.rsa_bits_min = sizes[i].least;
        v = judge(&w, NULL);
        key_free(rsa);
        if (v != sizes[i].want)
            fail_msg("RSA-%d: %s", sizes[i].bits, x509_verdict_name(v));
    }
}

static void
test_other_keys(void **state)
{
    static const enum key_alg algs[] = { KEY_P384, KEY_ED25519 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
        struct key *ca = NULL;
        struct world w;
        enum x509_verdict v;

        assert_int_equal(key_generate(algs[i], 0, KEY_AUDIT_SIGN, &ca), OK);
        made_world(&w, &keys);
        w.ca.key = w.leaf.signer = w.ca_crl.signer = ca;
        v = judge(&w, NULL);
        key_free(ca);
        assert_int_equal(v, CERT_GOOD);
    }
}

/* --- what is trusted, what comes along ---------------------------------------------------------------------------- */

static void
test_anchor(void **state)
{
    struct buf der = BUF_BOUNDED(X509_DER_MAX);
    struct x509_trust *t;
    struct x509_cert cert;
    struct x509_profile profile = { .purpose = X509_FOR_ANYTHING };
    struct world w;
    enum x509_verdict v;

    (void)state;
    made_world(&w, &keys);
    t = made_trust(&w, NULL);
    made_cert(&der, &w.leaf);
    assert_int_equal(x509_trust_add_anchor(t, buf_view(&der), NULL), ERR_DENIED);       /* no CA */
    der.data[der.len - 1] ^= 1;
    der.len--;
    assert_int_equal(x509_trust_add_anchor(t, buf_view(&der), NULL), ERR_INPUT);
    made_cert(&der, &w.root);                     /* an anchor asks to be let in itself */
    assert_int_equal(x509_trust_add_anchor(t, buf_view(&der), NULL), OK);
    assert_int_equal(x509_read(buf_view(&der), &cert, NULL), OK);
    assert_int_equal(x509_path_verify(t, &profile, &cert, NULL, 0, w.now, &v, NULL), ERR_DENIED);
    assert_int_equal(v, CERT_WRONG_USE);
    x509_done(&cert);
    x509_trust_free(t);
    buf_free(&der);
}

static void
test_what_comes_along(void **state)
{
    struct buf der = BUF_BOUNDED(X509_DER_MAX), leaf = BUF_BOUNDED(X509_DER_MAX);
    struct str sent[9];
    struct x509_trust *t;
    struct x509_cert cert;
    struct world w;
    enum x509_verdict v;

    (void)state;
    made_world(&w, &keys);
    t = made_trust(&w, NULL);
    made_cert(&der, &w.ca);
    made_cert(&leaf, &w.leaf);
    for (size_t i = 0; i < ARRAY_LEN(sent); i++)
        sent[i] = buf_view(&der);
    assert_int_equal(x509_read(buf_view(&leaf), &cert, NULL), OK);
    assert_int_equal(x509_path_verify(t, &w.profile, &cert, sent, 8, w.now, &v, NULL), OK);
    assert_int_equal(x509_path_verify(t, &w.profile, &cert, sent, 9, w.now, &v, NULL), ERR_INPUT);
    sent[7].n--;
    assert_int_equal(x509_path_verify(t, &w.profile, &cert, sent, 7, w.now, &v, NULL), OK);
    assert_int_equal(x509_path_verify(t, &w.profile, &cert, sent, 8, w.now, &v, NULL), ERR_INPUT);
    assert_int_equal(v, CERT_MALFORMED);
    x509_done(&cert);
    x509_trust_free(t);
    buf_free(&der);
    buf_free(&leaf);
}

/* DOMAIN T-22: addresses in a certificate that lead to us. */
static void
test_nothing_is_fetched(void **state)
{
    const int canary = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t n = sizeof(at);
    struct buf aia = BUF_BOUNDED(512);
    char url[64];
    struct world w;
    size_t e, v, s, t;

    (void)state;
    assert_int_equal(bind(canary, (struct sockaddr *)&at, n), 0);
    assert_int_equal(listen(canary, 8), 0);
    assert_int_equal(getsockname(canary, (struct sockaddr *)&at, &n), 0);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/", ntohs(at.sin_port));
    e = made_extension_begin(&aia, OID_PE_AUTHORITY_INFO_ACCESS, false, &v);
    s = der_begin(&aia, DER_SEQUENCE);
    for (int i = 0; i < 2; i++) {
        t = der_begin(&aia, DER_SEQUENCE);
        der_add_oid(&aia, i == 0 ? OID_AD_OCSP : OID_AD_CA_ISSUERS);
        der_add(&aia, DER_CONTEXT_PRIMITIVE(6), str_of(url));
        der_end(&aia, t);
    }
    der_end(&aia, s);
    made_extension_end(&aia, e, v);
    made_world(&w, &keys);
    w.leaf.crl_point = w.ca.crl_point = url;
    w.leaf.extra = w.ca.extra = buf_view(&aia);
    assert_int_equal(judge(&w, NULL), CERT_GOOD);
    w.no_ca_crl = true;
    assert_int_equal(judge(&w, NULL), CERT_STATUS_UNKNOWN);
    w.leaf.issuer = "Another";
    assert_int_equal(judge(&w, NULL), CERT_ISSUER_UNKNOWN);
    assert_int_equal(accept(canary, NULL, NULL), -1);
    assert_int_equal(errno, EAGAIN);
    close(canary);
    buf_free(&aia);
}

/* --- CRLs --------------------------------------------------------------------------------------------------------- */

static void
test_crl_read(void **state)
{
    struct buf der = BUF_BOUNDED(X509_DER_MAX);
    struct x509_crl *crl = NULL;
    struct world w;

    (void)state;
    made_world(&w, &keys);
    revoked(&w);
    made_crl(&der, &w.ca_crl);
    assert_int_equal(x509_crl_read(buf_view(&der), &crl, NULL), OK);
    assert_int_equal(x509_crl_this_update(crl), w.ca_crl.this_update);
    assert_int_equal(x509_crl_next_update(crl), w.ca_crl.next_update);
    assert_int_equal(x509_crl_entries(crl), 1);
    assert_false(x509_crl_is_delta(crl));
    assert_true(equals_hex(x509_crl_number(crl), 20, "000000000000000000000000000000000000000b"));
    x509_crl_free(crl);
    for (size_t n = 0; n < der.len; n++)
        assert_int_equal(x509_crl_read((struct str){ der.data, n }, &crl, NULL), ERR_INPUT);
    buf_addc(&der, 0);
    assert_int_equal(x509_crl_read(buf_view(&der), &crl, NULL), ERR_INPUT);
    buf_free(&der);
}

/* Every serial that was put in is found, with its own reason, and no other. */
static void
test_crl_find(void **state)
{
    enum { N = 3000 };
    struct str *serials = mem_alloc_array(N, sizeof(*serials));
    unsigned char(*octets)[4] = mem_alloc_array(N, 4);
    int *reasons = mem_alloc_array(N, sizeof(*reasons));
    struct buf der = BUF_BOUNDED(1 << 20);
    struct x509_crl *crl = NULL;
    X509_NAME *ca, *other;
    struct buf name = BUF_BOUNDED(256);
    struct world w;
    size_t wrong = 0;

    (void)state;
    made_name(&name, "CA");
    ca = x509_name_parse(buf_view(&name));
    buf_reset(&name);
    made_name(&name, "CB");
    other = x509_name_parse(buf_view(&name));
    made_world(&w, &keys);
    for (unsigned i = 0; i < N; i++) {       /* 65521 is a prime: in no order, none twice */
        const unsigned value = (i * 7919u) % 65521u;
        const size_t n = value < 0x80 ? 1 : value < 0x8000 ? 2 : 3;

        octets[i][0] = 0;
        octets[i][1] = (unsigned char)(value >> 8);
        octets[i][2] = (unsigned char)value;
        serials[i] = str_from(octets[i] + 3 - n, n);
        reasons[i] = value % 3 == 0 ? -1 : value % 3 == 1 ? 1 : 6;
    }
    w.ca_crl.serials = serials;
    w.ca_crl.reasons = reasons;
    w.ca_crl.n = N;
    made_crl(&der, &w.ca_crl);
    assert_int_equal(x509_crl_read(buf_view(&der), &crl, NULL), OK);
    for (unsigned value = 0; value < 65521u; value++) {
        const unsigned char b[3] = { 0, (unsigned char)(value >> 8), (unsigned char)value };
        const size_t n = value < 0x80 ? 1 : value < 0x8000 ? 2 : 3;
        const struct x509_crl_entry *e = x509_crl_find(crl, ca, str_from(b + 3 - n, n));
        bool in = false;

        for (unsigned i = 0; i < N && !in; i++)
            in = str_eq(serials[i], str_from(b + 3 - n, n));
        wrong += (e != NULL) != in;
        wrong += e != NULL && e->reason != (value % 3 == 0 ? 0 : value % 3 == 1 ? 1 : 6);
        wrong += x509_crl_find(crl, other, str_from(b + 3 - n, n)) != NULL;
        value += value > 4000 ? 97 : 0;      /* the rest by samples */
    }
    assert_int_equal(wrong, 0);
    X509_NAME_free(ca);
    X509_NAME_free(other);
    x509_crl_free(crl);
    buf_free(&der);
    buf_free(&name);
    mem_freep(&serials);
    mem_freep(&octets);
    mem_freep(&reasons);
}

/* A CRL goes from one trust to the next and stays verified; a trust that does not know its key refuses it. */
/* What is only looked at is read and verified as strictly, and says the same of itself. */
static void
test_crl_judge(void **state)
{
    struct buf der = BUF_BOUNDED(X509_DER_MAX);
    struct x509_trust *trust, *stranger = x509_trust_new();
    struct x509_crl_facts facts = { .entries = 77 };
    struct x509_crl *crl = NULL;
    struct world w;

    (void)state;
    made_world(&w, &keys);
    w.no_ca_crl = true;
    revoked(&w);
    trust = made_trust(&w, NULL);
    made_crl(&der, &w.ca_crl);
    assert_int_equal(x509_crl_read(buf_view(&der), &crl, NULL), OK);
    assert_int_equal(x509_crl_judge(stranger, buf_view(&der), &facts, NULL), ERR_DENIED);
    assert_int_equal(facts.entries, 77);
    assert_int_equal(x509_crl_judge(trust, buf_view(&der), &facts, NULL), OK);
    assert_int_equal(facts.entries, x509_crl_entries(crl));
    assert_int_equal(facts.this_update, x509_crl_this_update(crl));
    assert_int_equal(facts.next_update, x509_crl_next_update(crl));
    assert_true(facts.is_delta == x509_crl_is_delta(crl));
    assert_memory_equal(facts.number, x509_crl_number(crl), sizeof(facts.number));
    assert_int_equal(facts.scope.n, x509_crl_scope(crl).n);
    for (size_t i = 0; i < der.len; i++) {                  /* no octet may be another */
        der.data[i] ^= 1;
        assert_int_not_equal(x509_crl_judge(trust, buf_view(&der), &facts, NULL), OK);
        der.data[i] ^= 1;
    }
    assert_int_equal(x509_crl_judge(trust, buf_view(&der), &facts, NULL), OK);
    x509_crl_free(crl);
    x509_trust_free(trust);
    x509_trust_free(stranger);
    buf_free(&der);
}

static void
test_crl_is_shared(void **state)
{
    struct buf der = BUF_BOUNDED(X509_DER_MAX);
    struct x509_crl *crl = NULL;
    struct x509_trust *first, *second, *stranger = x509_trust_new();
    struct world w;

    (void)state;
    made_world(&w, &keys);
    w.no_ca_crl = true;
    first = made_trust(&w, NULL);
    second = made_trust(&w, NULL);
    made_crl(&der, &w.ca_crl);
    assert_int_equal(x509_crl_read(buf_view(&der), &crl, NULL), OK);
    assert_int_equal(x509_trust_add_crl(stranger, crl, NULL), ERR_DENIED);
    assert_int_equal(x509_trust_add_crl(first, crl, NULL), OK);
    assert_int_equal(x509_trust_add_crl(second, crl, NULL), OK);
    assert_int_equal(x509_trust_add_crl(stranger, crl, NULL), ERR_DENIED);
    x509_trust_free(first);
    x509_crl_free(crl);
    x509_trust_free(second);
    x509_trust_free(stranger);
    buf_free(&der);
}

/* --- threads ------------------------------------------------------------------------------------------------------ */

struct shared {
    const struct x509_trust *trust;
    const struct world *w;
    struct str leaf;
    enum x509_verdict want;
};

static void *
many_times(void *arg)
{
    const struct shared *s = arg;

    for (int i = 0; i < 50; i++) {
        struct x509_cert cert;
        enum x509_verdict v;

        if (x509_read(s->leaf, &cert, NULL) != OK)
            return arg;
        err_ignore(x509_path_verify(s->trust, &s->w->profile, &cert, NULL, 0, s->w->now, &v, NULL));   /* v says it */
        x509_done(&cert);
        if (v != s->want)
            return arg;
    }
    return NULL;
}

static void
test_threads(void **state)
{
    struct buf good = BUF_BOUNDED(X509_DER_MAX), bad = BUF_BOUNDED(X509_DER_MAX);
    struct shared shared[4];
    pthread_t threads[4];
    struct x509_trust *t;
    struct world w;

    (void)state;
    made_world(&w, &keys);
    revoked(&w);
    t = made_trust(&w, NULL);
    made_cert(&bad, &w.leaf);
    w.leaf.serial = STR_LIT("\x41\x02\x03\x05");
    made_cert(&good, &w.leaf);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        shared[i] = (struct shared){ t, &w, buf_view(i % 2 == 0 ? &good : &bad), i % 2 == 0 ? CERT_GOOD : CERT_REVOKED };
        assert_int_equal(pthread_create(&threads[i], NULL, many_times, &shared[i]), 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        void *failed;

        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    x509_trust_free(t);
    buf_free(&good);
    buf_free(&bad);
}

static void
test_verdict_names(void **state)
{
    (void)state;
    for (int a = 0; a < CERT_VERDICTS; a++)
        for (int b = 0; b < a; b++)
            assert_string_not_equal(x509_verdict_name((enum x509_verdict)a), x509_verdict_name((enum x509_verdict)b));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changes),        cmocka_unit_test(test_rsa),
        cmocka_unit_test(test_other_keys),     cmocka_unit_test(test_anchor),
        cmocka_unit_test(test_what_comes_along), cmocka_unit_test(test_nothing_is_fetched),
        cmocka_unit_test(test_crl_read),       cmocka_unit_test(test_crl_find),
        cmocka_unit_test(test_crl_judge),
        cmocka_unit_test(test_crl_is_shared),  cmocka_unit_test(test_threads),
        cmocka_unit_test(test_verdict_names),
    };
    int status;

    if (key_generate(KEY_P256, 0, KEY_AUDIT_SIGN, &keys.root) != OK || key_generate(KEY_P256, 0, KEY_AUDIT_SIGN, &keys.ca) != OK ||
        key_generate(KEY_P256, 0, KEY_AUDIT_SIGN, &keys.leaf) != OK || key_generate(KEY_P256, 0, KEY_AUDIT_SIGN, &keys.other) != OK)
        return 1;
    status = cmocka_run_group_tests(tests, NULL, NULL);
    key_free(keys.root);
    key_free(keys.ca);
    key_free(keys.leaf);
    key_free(keys.other);
    return status;
}
