/* gate: what never becomes a tree. Each row changes one thing in a good message. */
#include "saml_common.h"

#include "idp/saml/gate.h"

static enum err
through_message(struct str xml, void *arg, struct why *why)
{
    AUTO(gate_doc_freep) xmlDoc *doc = NULL;

    (void)arg;
    return gate_parse(xml, &gate_message, &doc, why);
}

static enum err
through_metadata(struct str xml, void *arg, struct why *why)
{
    AUTO(gate_doc_freep) xmlDoc *doc = NULL;

    (void)arg;
    return gate_parse(xml, &gate_metadata, &doc, why);
}

#define ROOT "<samlp:AuthnRequest "
#define END "</samlp:AuthnRequest>"
#define EXT(inside)                                                                                                  \
    "<samlp:Extensions>" inside "</samlp:Extensions><samlp:NameIDPolicy"

static void
refusals(void **state)
{
    static const struct change rows[] = {
        {"declaration", ROOT, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>" ROOT, NULL},
        {"byte order mark", ROOT, "\xEF\xBB\xBF" ROOT, NULL},
        {"character reference", "https://sp.example/metadata<", "https://sp.example/met&#97;data<", NULL},
        {"the five entities", "https://sp.example/metadata<", "&lt;&gt;&amp;&quot;&apos;<", NULL},
        {"latin 1", ROOT, "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>" ROOT, "saml.xml.encoding"},
        {"utf 16 by name", ROOT, "<?xml version=\"1.0\" encoding='UTF-16'?>" ROOT, "saml.xml.encoding"},
        {"not utf 8", "metadata<", "metadata\xE9<", "saml.xml.encoding"},
        {"declaration twice", ROOT, "<?xml version=\"1.0\"?><?xml version=\"1.0\"?>" ROOT, "saml.xml.pi"},
        {"doctype", ROOT, "<!DOCTYPE a>" ROOT, "saml.xml.doctype"},
        {"doctype with external subset", ROOT, "<!DOCTYPE a SYSTEM \"file:///etc/passwd\">" ROOT, "saml.xml.doctype"},
        {"internal subset", ROOT, "<!DOCTYPE a [<!ENTITY e \"x\">]>" ROOT, "saml.xml.doctype"},
        {"entity", "metadata<", "&e;<", "saml.xml.entity"},
        {"entity in an attribute", "ID=\"_a1\"", "ID=\"&e;\"", "saml.xml.entity"},
        {"processing instruction", "<saml:Issuer", "<?pi x?><saml:Issuer", "saml.xml.pi"},
        {"stylesheet before", ROOT, "<?xml-stylesheet href=\"x\"?>" ROOT, "saml.xml.pi"},
        {"comment", "<saml:Issuer", "<!-- c --><saml:Issuer", "saml.xml.comment"},
        {"comment inside a value", "sp.example/metadata<", "sp.example<!-- c -->/metadata<", "saml.xml.comment"},
        {"comment behind", END, END "<!-- c -->", "saml.xml.comment"},
        {"cdata", "https://sp.example/metadata<", "<![CDATA[https://sp.example/metadata]]><", "saml.xml.cdata"},
        {"tag does not end", END, "</samlp:AuthnRequest", "saml.xml.malformed"},
        {"end tag missing", END, "", "saml.xml.malformed"},
        {"end tag too many", END, END "</a>", "saml.xml.malformed"},
        {"two roots", END, END "<a:b xmlns:a=\"x\"></a:b>", "saml.xml.malformed"},
        {"undeclared prefix", "<saml:Issuer xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\">", "<saml:Issuer>",
         "saml.xml.malformed"},
        {"attribute twice", "ID=\"_a1\"", "ID=\"_a1\" ID=\"_a1\"", "saml.xml.malformed"},
        {"empty", NULL, "", "saml.xml.empty"},
        {"white space", NULL, "   ", "saml.xml.malformed"},
        {"text", NULL, "hello", "saml.xml.malformed"},
        {"element without namespace", "<samlp:NameIDPolicy", "<x></x><samlp:NameIDPolicy", "saml.xml.namespace"},
        {"foreign element", "<samlp:NameIDPolicy", "<x:y xmlns:x=\"urn:x\"></x:y><samlp:NameIDPolicy",
         "saml.xml.namespace"},
        {"foreign element in Extensions", "<samlp:NameIDPolicy", EXT("<x:y xmlns:x=\"urn:x\"></x:y>"), NULL},
        {"protocol element in Extensions", "<samlp:NameIDPolicy", EXT("<samlp:NameIDPolicy></samlp:NameIDPolicy>"),
         "saml.xml.extensions"},
        {"assertion in Extensions", "<samlp:NameIDPolicy",
         EXT("<saml:Assertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\"></saml:Assertion>"),
         "saml.xml.extensions"},
        {"signature in Extensions", "<samlp:NameIDPolicy",
         EXT("<ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"></ds:Signature>"), "saml.xml.extensions"},
        {"xsi:type", "ID=\"_a1\"",
         "ID=\"_a1\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"x\"", "saml.xml.attribute"},
        {"xml:base", "ID=\"_a1\"", "ID=\"_a1\" xml:base=\"file:///\"", "saml.xml.attribute"},
        {"xml:id", "ID=\"_a1\"", "ID=\"_a1\" xml:id=\"b\"", "saml.xml.attribute"},
        {"same identifier twice", "<samlp:NameIDPolicy", "<samlp:NameIDPolicy ID=\"_a1\"", "saml.xml.id_twice"},
        {"same identifier in another spelling", "<samlp:NameIDPolicy",
         EXT("<x:y xmlns:x=\"urn:x\" Id=\"_a1\"></x:y>"), "saml.xml.id_twice"},
    };

    (void)state;
    check_changes(GOOD_AUTHN_REQUEST, rows, ARRAY_LEN(rows), through_message, NULL);
}

/* In metadata people write comments and carry other people's extensions. */
static void
metadata_is_wider(void **state)
{
    static const struct change rows[] = {
        {"comment", "<saml:Issuer", "<!-- c --><saml:Issuer", NULL},
        {"comment with a tag in it", "<saml:Issuer", "<!-- <a b=\"c\" > --><saml:Issuer", NULL},
        {"comment that does not end", "<saml:Issuer", "<!-- c ><saml:Issuer", "saml.xml.malformed"},
        {"foreign element", "<samlp:NameIDPolicy", "<x:y xmlns:x=\"urn:x\"></x:y><samlp:NameIDPolicy", NULL},
        {"xsi:schemaLocation", "ID=\"_a1\"",
         "ID=\"_a1\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:schemaLocation=\"a b\"", NULL},
        {"doctype", ROOT, "<!DOCTYPE a>" ROOT, "saml.xml.doctype"},
        {"entity", "metadata<", "&e;<", "saml.xml.entity"},
        {"processing instruction", "<saml:Issuer", "<?pi x?><saml:Issuer", "saml.xml.pi"},
        {"same identifier twice", "<samlp:NameIDPolicy", "<samlp:NameIDPolicy ID=\"_a1\"", "saml.xml.id_twice"},
        {"xml:id", "ID=\"_a1\"", "ID=\"_a1\" xml:id=\"b\"", "saml.xml.attribute"},
    };

    (void)state;
    check_changes(GOOD_AUTHN_REQUEST, rows, ARRAY_LEN(rows), through_metadata, NULL);
}

/* A document of n times part (behind a number, if there is a name for it) between head and tail, judged by the gate. */
static enum err
repeated(const char *head, const char *name, const char *part, size_t n, const char *tail, char *code)
{
    AUTO(buf_free) struct buf b = BUF_BOUNDED(8 * 1024 * 1024);
    struct why why = WHY_INIT;
    enum err e;
    size_t i;

    buf_adds(&b, head);
    for (i = 0; i < n; i++) {
        if (name != NULL)
            buf_addf(&b, "%s%zu", name, i);
        buf_adds(&b, part);
    }
    buf_adds(&b, tail);
    assert_true(buf_ok(&b));
    e = through_message(buf_view(&b), NULL, &why);
    memcpy(code, why.code, sizeof why.code);
    return e;
}

static void
ceilings(void **state)
{
    static const char ns[] = "<s:a xmlns:s=\"urn:oasis:names:tc:SAML:2.0:protocol\"";
    char code[48], head[200];
    utime start;

    (void)state;
    snprintf(head, sizeof head, "%s>", ns);
    assert_int_equal(repeated(head, NULL, "<s:b></s:b>", 1500, "</s:a>", code), OK);
    assert_int_equal(repeated(head, NULL, "<s:b></s:b>", 2500, "</s:a>", code), ERR_INPUT);
    assert_string_equal(code, "saml.xml.nodes");
    assert_int_equal(repeated(head, NULL, "<s:b>", 20, "", code), ERR_INPUT);
    assert_string_equal(code, "saml.xml.malformed");
    assert_int_equal(repeated(head, NULL, "<s:b>", 24, "", code), ERR_INPUT);
    assert_string_equal(code, "saml.xml.depth");
    assert_int_equal(repeated(ns, " a", "=\"\"", 60, "></s:a>", code), OK);
    assert_int_equal(repeated(ns, " a", "=\"\"", 64, "></s:a>", code), ERR_INPUT);
    assert_string_equal(code, "saml.xml.attributes");
    assert_int_equal(repeated(head, NULL, "x", 60000, "</s:a>", code), OK);
    assert_int_equal(repeated(head, NULL, "x", 66000, "</s:a>", code), ERR_INPUT);
    assert_string_equal(code, "saml.xml.size");

    /* What is refused is refused before the parser has worked on it. */
    start = clock_monotonic();
    assert_int_equal(repeated(ns, " a", "=\"\"", 5000, "></s:a>", code), ERR_INPUT);
    assert_string_equal(code, "saml.xml.attributes");
    assert_true(clock_monotonic() - start < USEC_PER_SEC / 5);
}

static void
nul_byte(void **state)
{
    static const char text[] = GOOD_AUTHN_REQUEST;
    struct why why = WHY_INIT;

    (void)state;
    assert_int_equal(through_message((struct str){text, sizeof text - 1}, NULL, &why), OK);
    assert_int_equal(through_message((struct str){text, sizeof text}, NULL, &why), ERR_INPUT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals),
        cmocka_unit_test(metadata_is_wider),
        cmocka_unit_test(ceilings),
        cmocka_unit_test(nul_byte),
    };

    return cmocka_run_group_tests_name("saml_gate", tests, NULL, NULL);
}
