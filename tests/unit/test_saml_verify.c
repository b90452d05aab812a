/*
 * verify: signed messages through the whole door: gate, read, verify. A good message passes; with one thing changed
 * it is refused; the good one passes again.
 */
#include "saml_keys.h"

#include <pthread.h>

#include "idp/saml/gate.h"
#include "idp/saml/read.h"

static struct pair sp, other;

static int
setup(void **state)
{
    (void)state;
    pair_make(&sp, KEY_RSA, 2048);
    pair_make(&other, KEY_RSA, 2048);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    pair_done(&sp);
    pair_done(&other);
    return 0;
}

/* What an endpoint does with a posted request: ERR_NOT_FOUND stands for "not signed". */
static enum err
door(struct str xml, void *arg, struct why *why)
{
    const struct saml_keys *keys = arg;
    AUTO(gate_doc_freep) xmlDoc *doc = NULL;
    AUTO(arena_freep) struct arena *a = arena_new(1 << 20);
    struct saml_authn_request r;
    struct saml_logout_request l;
    struct saml_head *head = &r.head;
    enum err e;

    if ((e = gate_parse(xml, &gate_message, &doc, why)) != OK)
        return e;
    if (memmem(xml.p, xml.n, "<samlp:LogoutRequest", 20) == xml.p) {
        e = saml_read_logout_request(xmlDocGetRootElement(doc), a, &l, why);
        head = &l.head;
    } else {
        e = saml_read_authn_request(xmlDocGetRootElement(doc), a, &r, why);
    }
    if (e != OK)
        return e;
    if (head->signature == NULL)
        return why_code(why, ERR_NOT_FOUND, "unsigned", "not signed");
    return saml_verify(head->node, head->id, head->signature, keys, why);
}

#define DS "http://www.w3.org/2000/09/xmldsig#"
#define MORE "http://www.w3.org/2001/04/xmldsig-more#"
#define XENC "http://www.w3.org/2001/04/xmlenc#"
#define EXC "http://www.w3.org/2001/10/xml-exc-c14n#"
#define SHA256_METHOD "<ds:DigestMethod Algorithm=\"" XENC "sha256\"></ds:DigestMethod>"
#define TWO_TRANSFORMS                                                                                                \
    "<ds:Transform Algorithm=\"" DS "enveloped-signature\"></ds:Transform><ds:Transform Algorithm=\"" EXC             \
    "\"></ds:Transform>"

static void
words_of_the_signature(void **state)
{
    static const struct change rows[] = {
        {"other content", SP_ID "<", SP_ID "2<", "saml.signature.wrong"},
        {"other ACS", "\"" ACS_URL "\"", "\"https://evil.example/acs\"", "saml.signature.wrong"},
        {"attribute added", "ID=\"_a1\"", "ID=\"_a1\" ProviderName=\"x\"", "saml.signature.wrong"},
        {"digest value", "<ds:DigestValue>", "<ds:DigestValue>AA", "saml.signature.wrong"},
        {"signature value", "<ds:SignatureValue>", "<ds:SignatureValue>AAAA", "saml.signature.wrong"},
        {"empty signature value", "<ds:SignatureValue>", "<ds:SignatureValue></ds:SignatureValue><ds:X>",
         "saml.xml.malformed"},
        {"rsa-sha1", MORE "rsa-sha256", DS "rsa-sha1", "saml.signature.algorithm"},
        {"dsa-sha1", MORE "rsa-sha256", DS "dsa-sha1", "saml.signature.algorithm"},
        {"hmac-sha1", MORE "rsa-sha256", DS "hmac-sha1", "saml.signature.algorithm"},
        {"hmac-sha256", MORE "rsa-sha256", MORE "hmac-sha256", "saml.signature.algorithm"},
        {"rsa-md5", MORE "rsa-sha256", MORE "rsa-md5", "saml.signature.algorithm"},
        {"ecdsa for an RSA key", MORE "rsa-sha256", MORE "ecdsa-sha256", "saml.signature.wrong"},
        {"rsa-sha512 for a sha256 value", MORE "rsa-sha256", MORE "rsa-sha512", "saml.signature.wrong"},
        {"empty method", MORE "rsa-sha256", "", "saml.signature.algorithm"},
        {"digest sha1", XENC "sha256", DS "sha1", "saml.signature.algorithm"},
        {"digest md5", XENC "sha256", MORE "md5", "saml.signature.algorithm"},
        {"c14n unknown", "<ds:CanonicalizationMethod Algorithm=\"" EXC "\">",
         "<ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/2006/12/xml-c14n11\">", "saml.signature.algorithm"},
        {"reference to nothing", "URI=\"#_a1\"", "URI=\"\"", "saml.signature.reference"},
        {"reference to another", "URI=\"#_a1\"", "URI=\"#_b\"", "saml.signature.reference"},
        {"reference to an address", "URI=\"#_a1\"", "URI=\"https://evil.example/x\"", "saml.signature.reference"},
        {"reference by xpointer", "URI=\"#_a1\"", "URI=\"#xpointer(id('_a1'))\"", "saml.signature.reference"},
        {"no URI", " URI=\"#_a1\"", "", "saml.signature.reference"},
        {"reference with Type", " URI=\"#_a1\"", " Type=\"x\" URI=\"#_a1\"", "saml.schema"},
        {"two references", "</ds:Reference>",
         "</ds:Reference><ds:Reference URI=\"#_a1\"><ds:Transforms>" TWO_TRANSFORMS "</ds:Transforms>" SHA256_METHOD
         "<ds:DigestValue>AA==</ds:DigestValue></ds:Reference>",
         "saml.signature.reference"},
        {"xslt transform", "<ds:Transform Algorithm=\"" EXC "\"></ds:Transform>",
         "<ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xslt-19991116\"></ds:Transform>",
         "saml.signature.transforms"},
        {"xpath transform", "<ds:Transform Algorithm=\"" EXC "\"></ds:Transform>",
         "<ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xpath-19991116\"></ds:Transform>",
         "saml.signature.transforms"},
        {"base64 transform", "<ds:Transform Algorithm=\"" EXC "\"></ds:Transform>",
         "<ds:Transform Algorithm=\"" DS "base64\"></ds:Transform>", "saml.signature.transforms"},
        {"three transforms", "</ds:Transforms>", "<ds:Transform Algorithm=\"" EXC "\"></ds:Transform></ds:Transforms>",
         "saml.schema"},
        {"one transform", "<ds:Transform Algorithm=\"" DS "enveloped-signature\"></ds:Transform>", "",
         "saml.signature.transforms"},
        {"no transforms", "<ds:Transforms>" TWO_TRANSFORMS "</ds:Transforms>", "", "saml.signature.transforms"},
        {"transform with content", "enveloped-signature\"></ds:Transform>",
         "enveloped-signature\"><ds:XPath>1</ds:XPath></ds:Transform>", "saml.signature.words"},
        {"object", "</ds:Signature>", "<ds:Object></ds:Object></ds:Signature>", "saml.signature.words"},
        {"manifest in an object", "</ds:Signature>",
         "<ds:Object><ds:Manifest></ds:Manifest></ds:Object></ds:Signature>", "saml.signature.words"},
        {"HMACOutputLength", "rsa-sha256\"></ds:SignatureMethod>",
         "rsa-sha256\"><ds:HMACOutputLength>0</ds:HMACOutputLength></ds:SignatureMethod>", "saml.signature.words"},
        {"no SignedInfo", "ds:SignedInfo>", "ds:X>", "saml.xml.malformed"},
        {"two signatures", "<ds:Signature ", "<ds:Signature xmlns:ds=\"" DS "\"></ds:Signature><ds:Signature ",
         "saml.schema"},
    };
    char *good = signed_message(GOOD_AUTHN_REQUEST, "_a1", &sp);

    (void)state;
    check_changes(good, rows, ARRAY_LEN(rows), door, &sp.keys);
    mem_freep(&good);
}

/* Only the registered key counts, whatever the message carries in KeyInfo. */
static void
keys_are_pinned(void **state)
{
    char *good = signed_message(GOOD_AUTHN_REQUEST, "_a1", &sp);
    char *foreign = signed_message(GOOD_AUTHN_REQUEST, "_a1", &other);
    struct saml_keys none = {.n = 0}, both = {.key = {other.keys.key[0], sp.keys.key[0]}, .n = 2};
    struct why why = WHY_INIT;

    (void)state;
    assert_int_equal(door(str_of(good), &sp.keys, &why), OK);
    assert_int_equal(door(str_of(foreign), &sp.keys, &why), ERR_DENIED);
    assert_string_equal(why.code, "saml.signature.wrong");
    assert_int_equal(door(str_of(good), &none, &why), ERR_DENIED);
    assert_string_equal(why.code, "saml.signature.no_key");
    assert_int_equal(door(str_of(good), &both, &why), OK);
    assert_int_equal(door(str_of(foreign), &both, &why), OK);
    assert_int_equal(door(str_of(GOOD_AUTHN_REQUEST), &sp.keys, &why), ERR_NOT_FOUND);
    assert_int_equal(door(str_of(good), &sp.keys, &why), OK);
    mem_freep(&good);
    mem_freep(&foreign);
}

/* The part of text from begin to the end of end. The caller frees. */
static char *
cut(const char *text, const char *begin, const char *end)
{
    const char *from = strstr(text, begin), *to = from == NULL ? NULL : strstr(from, end);

    assert_non_null(to);
    return mem_strndup(from, (size_t)(to - from) + strlen(end));
}

#define HEAD(id)                                                                                                     \
    "<samlp:AuthnRequest xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" "                                       \
    "AssertionConsumerServiceURL=\"https://evil.example/acs\" ID=\"" id "\" IssueInstant=\"" REQUEST_TIME "\" "       \
    "Version=\"2.0\">"
#define ISSUER "<saml:Issuer xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\">" SP_ID "</saml:Issuer>"
#define TAIL "</samlp:AuthnRequest>"

/* The eight classical ways to carry a signed message inside another one, ported to requests. */
static void
wrapping(void **state)
{
    char *good = signed_message(GOOD_AUTHN_REQUEST, "_a1", &sp);
    char *signature = cut(good, "<ds:Signature ", "</ds:Signature>");
    char *unsigned_good = changed(good, signature, "");
    char *emptied = changed(signature, "</ds:Signature>", "");
    const char *parts[][8] = {
        /* 1: the signature stays in front, the signed message inside an Object of it */
        {HEAD("_evil"), ISSUER, emptied, "<ds:Object>", unsigned_good, "</ds:Object></ds:Signature>", TAIL},
        /* 2: the signed message as a sibling in front of the rest */
        {HEAD("_evil"), ISSUER, signature, unsigned_good, TAIL},
        /* 3: the signed message in Extensions */
        {HEAD("_evil"), ISSUER, "<samlp:Extensions>", good, "</samlp:Extensions>", TAIL},
        /* 4: the same, the signature brought to the front */
        {HEAD("_evil"), ISSUER, signature, "<samlp:Extensions>", unsigned_good, "</samlp:Extensions>", TAIL},
        /* 5: the evil one takes the good one's identifier */
        {HEAD("_a1"), ISSUER, signature, "<samlp:Extensions>", unsigned_good, "</samlp:Extensions>", TAIL},
        /* 6: the same, the good one inside the signature */
        {HEAD("_a1"), ISSUER, emptied, "<ds:Object>", unsigned_good, "</ds:Object></ds:Signature>", TAIL},
        /* 7: hidden in an extension of another namespace */
        {HEAD("_evil"), ISSUER, signature, "<samlp:Extensions><x:y xmlns:x=\"urn:x\">", unsigned_good,
         "</x:y></samlp:Extensions>", TAIL},
        /* 8: inside KeyInfo, which is not read */
        {HEAD("_evil"), ISSUER, emptied, "<ds:KeyInfo>", unsigned_good, "</ds:KeyInfo></ds:Signature>", TAIL},
        /* and: the signature behind the place where it belongs */
        {HEAD("_evil"), ISSUER, "<samlp:NameIDPolicy></samlp:NameIDPolicy>", signature, TAIL},
        /* and: the evil one around the good one's content, its signature intact but for the root */
        {HEAD("_a1"), ISSUER, signature, TAIL},
    };
    size_t i, k;

    (void)state;
    for (i = 0; i < ARRAY_LEN(parts); i++) {
        AUTO(buf_free) struct buf evil = BUF_BOUNDED(1 << 20);
        struct why why = WHY_INIT;
        enum err e;

        for (k = 0; k < 8 && parts[i][k] != NULL; k++)
            buf_adds(&evil, parts[i][k]);
        assert_int_equal(door(str_of(good), &sp.keys, &why), OK);
        e = door(buf_view(&evil), &sp.keys, &why);
        if (e == OK) {
            fprintf(stderr, "wrapping %zu passes\n", i + 1);
            fail();
        }
        assert_int_equal(door(str_of(good), &sp.keys, &why), OK);
    }
    mem_freep(&good);
    mem_freep(&signature);
    mem_freep(&unsigned_good);
    mem_freep(&emptied);
}

static void
logout_requests(void **state)
{
    static const struct change rows[] = {
        {"other NameID", "abcdefgh", "abcdefgi", "saml.signature.wrong"},
        {"other SessionIndex", "s1<", "s2<", "saml.signature.wrong"},
        {"SessionIndex dropped", "<samlp:SessionIndex>s1</samlp:SessionIndex>", "", "saml.signature.wrong"},
        {"rsa-sha1", MORE "rsa-sha256", DS "rsa-sha1", "saml.signature.algorithm"},
        {"reference to another", "URI=\"#_l1\"", "URI=\"#_b\"", "saml.signature.reference"},
    };
    char *good = signed_message(GOOD_LOGOUT_REQUEST, "_l1", &sp);
    char *signature = cut(good, "<ds:Signature ", "</ds:Signature>");
    char *plain = changed(good, signature, "");
    char *evil_1 = changed(plain, "abcdefgh", "evilevil"), *evil_2 = changed(evil_1, "ID=\"_l1\"", "ID=\"_e1\"");
    AUTO(buf_free) struct buf inside = BUF_BOUNDED(1 << 20);
    struct why why = WHY_INIT;
    char *evil_3;

    (void)state;
    check_changes(good, rows, ARRAY_LEN(rows), door, &sp.keys);
    buf_addf(&inside, "</saml:Issuer>%s<samlp:Extensions>%s</samlp:Extensions>", signature, plain);
    evil_3 = changed(evil_2, "</saml:Issuer>", buf_cstr(&inside));
    assert_int_not_equal(door(str_of(evil_3), &sp.keys, &why), OK);
    assert_int_equal(door(str_of(good), &sp.keys, &why), OK);
    mem_freep(&good);
    mem_freep(&signature);
    mem_freep(&plain);
    mem_freep(&evil_1);
    mem_freep(&evil_2);
    mem_freep(&evil_3);
}

/* The services' keys are shared by all threads of the server. */
static void *
verify_often(void *arg)
{
    const char *good = arg;
    struct why why = WHY_INIT;
    intptr_t wrong = 0;

    for (int i = 0; i < 50; i++)
        wrong += door(str_of(good), &sp.keys, &why) != OK || door(str_of(good), &other.keys, &why) != ERR_DENIED;
    return (void *)wrong;
}

static void
many_threads(void **state)
{
    char *good = signed_message(GOOD_AUTHN_REQUEST, "_a1", &sp);
    pthread_t threads[8];
    intptr_t wrong = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, verify_often, good), 0);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        void *result;

        assert_int_equal(pthread_join(threads[i], &result), 0);
        wrong += (intptr_t)result;
    }
    assert_int_equal(wrong, 0);
    mem_freep(&good);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_of_the_signature),
        cmocka_unit_test(keys_are_pinned),
        cmocka_unit_test(wrapping),
        cmocka_unit_test(logout_requests),
        cmocka_unit_test(many_threads),
    };

    return cmocka_run_group_tests_name("saml_verify", tests, setup, teardown);
}
