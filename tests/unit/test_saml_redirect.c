/* redirect: the raw query, its signature over the octets received, and bounded inflation. */
#include "saml_keys.h"

#define ZLIB_CONST
#include <zlib.h>

#include "idp/saml/redirect.h"

static struct pair sp, other, ec;

static int
setup(void **state)
{
    (void)state;
    pair_make(&sp, KEY_RSA, 2048);
    pair_make(&other, KEY_RSA, 2048);
    pair_make(&ec, KEY_P256, 0);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    pair_done(&sp);
    pair_done(&other);
    pair_done(&ec);
    return 0;
}

/* Parse, and verify when signed: "unsigned" is an answer of its own. */
static enum err
door(struct str query, void *arg, struct why *why)
{
    struct saml_redirect r;
    enum err e;

    if ((e = saml_redirect_parse(query, &r, why)) != OK)
        return e;
    if (!saml_redirect_is_signed(&r))
        e = why_code(why, ERR_NOT_FOUND, "unsigned", "not signed");
    else
        e = saml_redirect_verify(&r, arg, why);
    saml_redirect_done(&r);
    return e;
}

/* The query of a signed request. The caller frees. */
static char *
signed_query(const char *xml, const char *relay, struct key *key)
{
    AUTO(buf_free) struct buf url = BUF_BOUNDED(1 << 20);
    struct why why = WHY_INIT;

    assert_int_equal(saml_redirect_write("https://idp.example/saml/sso", false, str_of(xml),
                                         relay == NULL ? STR_NULL : str_of(relay), key, &url, &why),
                     OK);
    return mem_strdup(strchr(buf_cstr(&url), '?') + 1);
}

static void
refusals(void **state)
{
    static const struct change rows[] = {
        {"other parameters are let by", "SAMLRequest=", "lang=fr&x&=y&SAMLRequest=", NULL},
        {"order does not matter", NULL, NULL, NULL},
        {"request twice", "SAMLRequest=", "SAMLRequest=x&SAMLRequest=", "saml.redirect.twice"},
        {"RelayState twice", "&RelayState=", "&RelayState=x&RelayState=", "saml.redirect.twice"},
        {"SigAlg twice", "&SigAlg=", "&SigAlg=x&SigAlg=", "saml.redirect.twice"},
        {"Signature twice", "&Signature=", "&Signature=x&Signature=", "saml.redirect.twice"},
        {"name escaped", "SAMLRequest=", "SAML%52equest=x&SAMLRequest=", "saml.redirect.name"},
        {"another name escaped", "SAMLRequest=", "a%41=x&SAMLRequest=", "saml.redirect.name"},
        {"response too", "SAMLRequest=", "SAMLResponse=x&SAMLRequest=", "saml.redirect.message"},
        {"no request", "SAMLRequest=", "samlrequest=", "saml.redirect.message"},
        {"no Signature", "&Signature=", "&signature=", "saml.redirect.signature"},
        {"no SigAlg", "&SigAlg=", "&sigalg=", "saml.redirect.signature"},
        {"another encoding", "SAMLRequest=", "SAMLEncoding=x&SAMLRequest=", "saml.redirect.encoding"},
        {"DEFLATE by name", "SAMLRequest=",
         "SAMLEncoding=urn%3Aoasis%3Anames%3Atc%3ASAML%3A2.0%3Abindings%3AURL-Encoding%3ADEFLATE&SAMLRequest=", NULL},
        {"other RelayState", "RelayState=r", "RelayState=q", "saml.signature.wrong"},
        {"RelayState in another spelling", "RelayState=r", "RelayState=%72", "saml.signature.wrong"},
        {"RelayState dropped", "&RelayState=r%2Fs", "", "saml.signature.wrong"},
        {"RelayState with a bad escape", "RelayState=r%2F", "RelayState=r%2", "saml.relay_state"},
        {"RelayState not UTF-8", "RelayState=r%2F", "RelayState=r%FF", "saml.relay_state"},
        {"rsa-sha1", "xmldsig-more%23rsa-sha256", "xmldsig%23rsa-sha1", "saml.signature.algorithm"},
        {"rsa-sha512 for a sha256 value", "rsa-sha256", "rsa-sha512", "saml.signature.wrong"},
        {"ecdsa for an RSA key", "rsa-sha256", "ecdsa-sha256", "saml.signature.wrong"},
        {"SigAlg in another spelling", "rsa-sha256", "rsa-sha25%36", "saml.signature.wrong"},
        {"signature changed", "&Signature=", "&Signature=A", "saml.signature.wrong"},
        {"empty signature", NULL, "SAMLRequest=x&SigAlg=y&Signature=", "saml.redirect.signature"},
        {"request in another spelling", "SAMLRequest=", "SAMLRequest=%", "saml.redirect.base64"},
        {"empty request", NULL, "SAMLRequest=", "saml.redirect.message"},
        {"not base64", NULL, "SAMLRequest=%3C%3E", "saml.redirect.base64"},
        {"not deflated", NULL, "SAMLRequest=aGVsbG8%3D", "saml.redirect.deflate"},
        {"empty", NULL, "", "saml.redirect.message"},
    };
    char *good = signed_query(GOOD_AUTHN_REQUEST, "r/s", sp.key), *turned, *relay_first;
    struct change all[ARRAY_LEN(rows)];

    (void)state;
    memcpy(all, rows, sizeof rows);
    turned = changed(good, "&RelayState=r%2Fs", "");
    relay_first = mem_alloc(strlen(turned) + 32);
    snprintf(relay_first, strlen(turned) + 32, "RelayState=r%%2Fs&%s", turned);
    all[1].replace = relay_first;
    check_changes(good, all, ARRAY_LEN(all), door, &sp.keys);
    mem_freep(&good);
    mem_freep(&turned);
    mem_freep(&relay_first);
}

static void
keys(void **state)
{
    char *good = signed_query(GOOD_AUTHN_REQUEST, NULL, sp.key), *foreign = signed_query(GOOD_AUTHN_REQUEST, NULL, other.key);
    char *unsigned_query = mem_strndup(good, (size_t)(strstr(good, "&SigAlg") - good));
    struct saml_keys none = {.n = 0};
    struct why why = WHY_INIT;

    (void)state;
    assert_int_equal(door(str_of(good), &sp.keys, &why), OK);
    assert_int_equal(door(str_of(foreign), &sp.keys, &why), ERR_DENIED);
    assert_int_equal(door(str_of(good), &none, &why), ERR_DENIED);
    assert_string_equal(why.code, "saml.signature.no_key");
    assert_int_equal(door(str_of(unsigned_query), &sp.keys, &why), ERR_NOT_FOUND);
    assert_int_equal(door(str_of(good), &sp.keys, &why), OK);
    mem_freep(&good);
    mem_freep(&foreign);
    mem_freep(&unsigned_query);
}

/* query (without signature) signed by hand: other algorithms, other spellings of what is optional. */
static enum err
signed_by_hand(const char *octets, const char *shown, const struct pair *p, enum sig_alg alg, struct why *why)
{
    AUTO(buf_free) struct buf query = BUF_BOUNDED(1 << 20);
    AUTO(buf_free) struct buf sig = BUF_BOUNDED(1024);
    AUTO(buf_free) struct buf b64 = BUF_BOUNDED(2048);

    assert_int_equal(key_sign(p->key, KEY_SAML_SIGN, alg, str_of(octets), true, &sig, why), OK);
    base64_encode(&b64, sig.data, sig.len);
    buf_addf(&query, "%s&Signature=", shown);
    url_encode(&query, buf_view(&b64));
    return door(buf_view(&query), (void *)(uintptr_t)&p->keys, why);
}

static void
algorithms(void **state)
{
    static const struct {
        const char *uri;
        enum sig_alg alg;
        const struct pair *pair;
    } rows[] = {
        {"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", SIG_RS256, &sp},
        {"http://www.w3.org/2001/04/xmldsig-more#rsa-sha384", SIG_RS384, &sp},
        {"http://www.w3.org/2001/04/xmldsig-more#rsa-sha512", SIG_RS512, &sp},
        {"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256", SIG_ES256, &ec},
    };
    char *good = signed_query(GOOD_AUTHN_REQUEST, NULL, sp.key);
    char *message = mem_strndup(good, (size_t)(strstr(good, "&SigAlg") - good));
    struct why why = WHY_INIT;
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf_free) struct buf octets = BUF_BOUNDED(1 << 20);

        buf_addf(&octets, "%s&SigAlg=", message);
        url_encode(&octets, str_of(rows[i].uri));
        assert_int_equal(signed_by_hand(buf_cstr(&octets), buf_cstr(&octets), rows[i].pair, rows[i].alg, &why), OK);
    }
    mem_freep(&good);
    mem_freep(&message);
}

/* "RelayState=" with nothing behind: signed or left out of the signature, both are seen in the field. */
static void
empty_relay_state(void **state)
{
    static const char alg[] = "&SigAlg=http%3A%2F%2Fwww.w3.org%2F2001%2F04%2Fxmldsig-more%23rsa-sha256";
    char *good = signed_query(GOOD_AUTHN_REQUEST, NULL, sp.key);
    char *message = mem_strndup(good, (size_t)(strstr(good, "&SigAlg") - good));
    AUTO(buf_free) struct buf with = BUF_BOUNDED(1 << 20);
    AUTO(buf_free) struct buf without = BUF_BOUNDED(1 << 20);
    struct why why = WHY_INIT;

    (void)state;
    buf_addf(&with, "%s&RelayState=%s", message, alg);
    buf_addf(&without, "%s%s", message, alg);
    assert_int_equal(signed_by_hand(buf_cstr(&with), buf_cstr(&with), &sp, SIG_RS256, &why), OK);
    assert_int_equal(signed_by_hand(buf_cstr(&without), buf_cstr(&with), &sp, SIG_RS256, &why), OK);
    mem_freep(&good);
    mem_freep(&message);
}

static void
values(void **state)
{
    char *good = signed_query(GOOD_AUTHN_REQUEST, "a b+c&d=\xC3\xA9", sp.key);
    struct saml_redirect r;
    struct why why = WHY_INIT;
    char *plus;

    (void)state;
    assert_int_equal(saml_redirect_parse(str_of(good), &r, &why), OK);
    assert_string_equal(buf_cstr(&r.xml), GOOD_AUTHN_REQUEST);
    assert_string_equal(buf_cstr(&r.relay_state), "a b+c&d=\xC3\xA9");
    assert_true(r.has_relay_state && !r.response);
    saml_redirect_done(&r);
    /* A service that forgets to escape '+' of base64. */
    plus = strstr(good, "%2B") == NULL ? mem_strdup(good) : changed(good, "%2B", "+");
    assert_int_equal(saml_redirect_parse(str_of(plus), &r, &why), OK);
    assert_string_equal(buf_cstr(&r.xml), GOOD_AUTHN_REQUEST);
    saml_redirect_done(&r);
    mem_freep(&good);
    mem_freep(&plus);
}

/* n bytes of 'x' deflated, as a query; tail is put behind the stream. */
static void
deflated_query(size_t n, const char *tail, size_t cut_off, struct buf *query)
{
    AUTO(buf_free) struct buf plain = BUF_BOUNDED(64 << 20);
    AUTO(buf_free) struct buf packed = BUF_BOUNDED(64 << 20);
    AUTO(buf_free) struct buf b64 = BUF_BOUNDED(64 << 20);
    z_stream z = {0};
    char *room;

    room = buf_reserve(&plain, n);
    memset(room, 'x', n);
    buf_advance(&plain, n);
    room = buf_reserve(&packed, n + 1024);
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (const Bytef *)plain.data;
    z.avail_in = (uInt)n;
    z.next_out = (Bytef *)room;
    z.avail_out = (uInt)(n + 1024);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    buf_advance(&packed, n + 1024 - z.avail_out - cut_off);
    deflateEnd(&z);
    buf_adds(&packed, tail);
    base64_encode(&b64, packed.data, packed.len);
    buf_adds(query, "SAMLRequest=");
    url_encode(query, buf_view(&b64));
}

static void
inflation(void **state)
{
    static const struct {
        const char *label;
        size_t n;
        const char *tail;
        size_t cut_off;
        const char *code;
    } rows[] = {
        {"small", 10, "", 0, NULL},
        {"as large as allowed", 64 * 1024, "", 0, NULL},
        {"one byte more", 64 * 1024 + 1, "", 0, "saml.xml.size"},
        {"a bomb", 30 * 1024 * 1024, "", 0, "saml.xml.size"},
        {"something behind", 10, "x", 0, "saml.redirect.deflate"},
        {"cut off", 1000, "", 2, "saml.redirect.deflate"},
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf_free) struct buf query = BUF_BOUNDED(1 << 20);
        struct why why = WHY_INIT;
        struct saml_redirect r;
        enum err e;

        deflated_query(rows[i].n, rows[i].tail, rows[i].cut_off, &query);
        e = saml_redirect_parse(buf_view(&query), &r, &why);
        if ((rows[i].code == NULL) != (e == OK) || (e != OK && strcmp(why.code, rows[i].code) != 0)) {
            fprintf(stderr, "%s: %s %s\n", rows[i].label, why.code, why.text);
            fail();
        }
        if (e == OK)
            saml_redirect_done(&r);
    }
}

static void
relay_state_length(void **state)
{
    char relay[SAML_RELAY_STATE_MAX + 2];
    struct why why = WHY_INIT;
    char *query;

    (void)state;
    memset(relay, 'r', sizeof relay);
    relay[SAML_RELAY_STATE_MAX] = 0;
    query = signed_query(GOOD_AUTHN_REQUEST, relay, sp.key);
    assert_int_equal(door(str_of(query), &sp.keys, &why), OK);
    mem_freep(&query);
    relay[SAML_RELAY_STATE_MAX] = 'r';
    relay[SAML_RELAY_STATE_MAX + 1] = 0;
    query = signed_query(GOOD_AUTHN_REQUEST, relay, sp.key);
    assert_int_equal(door(str_of(query), &sp.keys, &why), ERR_INPUT);
    assert_string_equal(why.code, "saml.relay_state");
    mem_freep(&query);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals),          cmocka_unit_test(keys),   cmocka_unit_test(algorithms),
        cmocka_unit_test(empty_relay_state), cmocka_unit_test(values), cmocka_unit_test(inflation),
        cmocka_unit_test(relay_state_length),
    };

    return cmocka_run_group_tests_name("saml_redirect", tests, setup, teardown);
}
