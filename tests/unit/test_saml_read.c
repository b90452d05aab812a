/* read: each message by its grammar; each row changes one thing in a good message. */
#include "saml_common.h"

#include "idp/saml/gate.h"
#include "idp/saml/read.h"

static enum err
read_authn(struct str xml, void *arg, struct why *why)
{
    AUTO(gate_doc_freep) xmlDoc *doc = NULL;
    AUTO(arena_freep) struct arena *a = arena_new(1 << 20);
    struct saml_authn_request r;
    enum err e;

    (void)arg;
    if ((e = gate_parse(xml, &gate_message, &doc, why)) != OK)
        return e;
    return saml_read_authn_request(xmlDocGetRootElement(doc), a, &r, why);
}

static enum err
read_logout(struct str xml, void *arg, struct why *why)
{
    AUTO(gate_doc_freep) xmlDoc *doc = NULL;
    AUTO(arena_freep) struct arena *a = arena_new(1 << 20);
    struct saml_logout_request r;
    enum err e;

    (void)arg;
    if ((e = gate_parse(xml, &gate_message, &doc, why)) != OK)
        return e;
    return saml_read_logout_request(xmlDocGetRootElement(doc), a, &r, why);
}

#define SAML_NS " xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\""
#define POLICY "<samlp:NameIDPolicy"

static void
authn_request_refusals(void **state)
{
    static const struct change rows[] = {
        {"no ID", " ID=\"_a1\"", "", "saml.message.id"},
        {"empty ID", "ID=\"_a1\"", "ID=\"\"", "saml.message.id"},
        {"ID begins with a digit", "ID=\"_a1\"", "ID=\"1a\"", "saml.message.id"},
        {"ID with a colon", "ID=\"_a1\"", "ID=\"a:b\"", "saml.message.id"},
        {"ID with white space", "ID=\"_a1\"", "ID=\"a b\"", "saml.message.id"},
        {"no Version", " Version=\"2.0\"", "", "saml.message.version"},
        {"Version is a word", "Version=\"2.0\"", "Version=\"two\"", "saml.message.version"},
        {"another version is for the answer", "Version=\"2.0\"", "Version=\"1.1\"", NULL},
        {"no IssueInstant", " IssueInstant=\"" REQUEST_TIME "\"", "", "saml.message.issue_instant"},
        {"IssueInstant without zone", "22:00:00Z", "22:00:00", "saml.schema"},
        {"IssueInstant with fraction", "22:00:00Z", "22:00:00.1234567Z", NULL},
        {"no Issuer", "<saml:Issuer" SAML_NS ">" SP_ID "</saml:Issuer>", "", "saml.message.issuer"},
        {"empty Issuer", SP_ID "<", "<", "saml.message.issuer"},
        {"Issuer with an element", SP_ID "<", "<saml:NameID>x</saml:NameID><", "saml.schema"},
        {"Issuer of another format", "<saml:Issuer",
         "<saml:Issuer Format=\"urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress\"", "saml.message.issuer"},
        {"Issuer says entity", "<saml:Issuer",
         "<saml:Issuer Format=\"urn:oasis:names:tc:SAML:2.0:nameid-format:entity\"", NULL},
        {"two Issuers", POLICY, "<saml:Issuer" SAML_NS ">x</saml:Issuer>" POLICY, "saml.schema"},
        {"unknown attribute", "ID=\"_a1\"", "ID=\"_a1\" Evil=\"1\"", "saml.schema"},
        {"unknown element", POLICY, "<samlp:Evil></samlp:Evil>" POLICY, "saml.schema"},
        {"element of another place", POLICY, "<samlp:SessionIndex>1</samlp:SessionIndex>" POLICY, "saml.schema"},
        {"text between elements", POLICY, "x" POLICY, "saml.schema"},
        {"white space between elements", POLICY, "\n  " POLICY, NULL},
        {"wrong order", "</samlp:AuthnRequest>",
         "<samlp:NameIDPolicy></samlp:NameIDPolicy></samlp:AuthnRequest>", "saml.schema"},
        {"ForceAuthn is a word", "ForceAuthn=\"false\"", "ForceAuthn=\"no\"", "saml.schema"},
        {"ForceAuthn in digits", "ForceAuthn=\"false\"", "ForceAuthn=\"1\"", NULL},
        {"IsPassive empty", "IsPassive=\"false\"", "IsPassive=\"\"", "saml.schema"},
        {"ACS by URL and index", "ID=\"_a1\"", "ID=\"_a1\" AssertionConsumerServiceIndex=\"0\"", "saml.acs.both"},
        {"ACS index too large", "AssertionConsumerServiceURL=\"" ACS_URL "\"",
         "AssertionConsumerServiceIndex=\"65536\"", "saml.schema"},
        {"ACS index negative", "AssertionConsumerServiceURL=\"" ACS_URL "\"", "AssertionConsumerServiceIndex=\"-1\"",
         "saml.schema"},
        {"Comparison of another word", "Comparison=\"exact\"", "Comparison=\"roughly\"", "saml.schema"},
        {"AllowCreate of another word", "AllowCreate=\"true\"", "AllowCreate=\"yes\"", "saml.schema"},
        {"NameIDPolicy with a child", "persistent\"></samlp:NameIDPolicy>",
         "persistent\"><samlp:X></samlp:X></samlp:NameIDPolicy>", "saml.schema"},
        {"another message", "samlp:AuthnRequest ", "samlp:LogoutRequest ", "saml.xml.malformed"},
        {"SAML 1 namespace", "urn:oasis:names:tc:SAML:2.0:protocol", "urn:oasis:names:tc:SAML:1.0:protocol",
         "saml.xml.namespace"},
        {"encrypted subject", POLICY,
         "<saml:Subject" SAML_NS "><saml:EncryptedID></saml:EncryptedID></saml:Subject>" POLICY, "saml.schema"},
        {"subject", POLICY, "<saml:Subject" SAML_NS "><saml:NameID>x</saml:NameID></saml:Subject>" POLICY, NULL},
        {"IDPList", "</samlp:AuthnRequest>",
         "<samlp:Scoping ProxyCount=\"1\"><samlp:IDPList><samlp:IDPEntry ProviderID=\"x\"></samlp:IDPEntry>"
         "</samlp:IDPList><samlp:RequesterID>y</samlp:RequesterID></samlp:Scoping></samlp:AuthnRequest>",
         NULL},
        {"IDPEntry without ProviderID", "</samlp:AuthnRequest>",
         "<samlp:Scoping><samlp:IDPList><samlp:IDPEntry></samlp:IDPEntry></samlp:IDPList></samlp:Scoping>"
         "</samlp:AuthnRequest>",
         "saml.message.idp_list"},
    };

    (void)state;
    check_changes(GOOD_AUTHN_REQUEST, rows, ARRAY_LEN(rows), read_authn, NULL);
}

static void
authn_request_fields(void **state)
{
    AUTO(gate_doc_freep) xmlDoc *doc = NULL;
    AUTO(arena_freep) struct arena *a = arena_new(1 << 20);
    struct saml_authn_request r;
    struct why why = WHY_INIT;
    utime t;

    (void)state;
    assert_int_equal(gate_parse(str_of(GOOD_AUTHN_REQUEST), &gate_message, &doc, &why), OK);
    assert_int_equal(saml_read_authn_request(xmlDocGetRootElement(doc), a, &r, &why), OK);
    assert_int_equal(utime_parse(REQUEST_TIME, &t), OK);
    assert_string_equal(r.head.id, "_a1");
    assert_string_equal(r.head.issuer, SP_ID);
    assert_string_equal(r.head.destination, SSO_URL);
    assert_true(r.head.issue_instant == t);
    assert_int_equal(r.head.version, 0);
    assert_null(r.head.signature);
    assert_string_equal(r.acs_url, ACS_URL);
    assert_int_equal(r.acs_index, -1);
    assert_true(r.has_policy && r.allow_create && !r.force_authn && !r.is_passive && !r.has_subject);
    assert_string_equal(r.policy_format, "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent");
    assert_int_equal(r.nclasses, 1);
    assert_int_equal(r.comparison, COMPARE_EXACT);
    assert_false(r.idp_list);
}

static void
logout_request_refusals(void **state)
{
    static const struct change rows[] = {
        {"no NameID",
         "<saml:NameID" SAML_NS " Format=\"urn:oasis:names:tc:SAML:2.0:nameid-format:persistent\">abcdefgh</saml:NameID>",
         "", "saml.message.name_id"},
        {"empty NameID", "abcdefgh", "", "saml.message.name_id"},
        {"two NameIDs", "<samlp:SessionIndex>", "<saml:NameID" SAML_NS ">x</saml:NameID><samlp:SessionIndex>",
         "saml.schema"},
        {"no SessionIndex", "<samlp:SessionIndex>s1</samlp:SessionIndex>", "", NULL},
        {"SessionIndex with an element", "s1<", "<samlp:X></samlp:X><", "saml.schema"},
        {"NotOnOrAfter is no time", "NotOnOrAfter=\"2026-11-21T22:05:00Z\"", "NotOnOrAfter=\"later\"", "saml.schema"},
        {"no Issuer", "<saml:Issuer" SAML_NS ">" SP_ID "</saml:Issuer>", "", "saml.message.issuer"},
        {"unknown attribute", "ID=\"_l1\"", "ID=\"_l1\" ForceAuthn=\"true\"", "saml.schema"},
        {"something behind", "</samlp:LogoutRequest>", "<samlp:Status></samlp:Status></samlp:LogoutRequest>",
         "saml.schema"},
    };

    (void)state;
    check_changes(GOOD_LOGOUT_REQUEST, rows, ARRAY_LEN(rows), read_logout, NULL);
}

#define SOAP_NS " xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\""
#define GOOD_SOAP                                                                                                    \
    "<s:Envelope" SOAP_NS "><s:Body><samlp:LogoutResponse xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" "     \
    "ID=\"_r\" InResponseTo=\"_q\" IssueInstant=\"" REQUEST_TIME "\" Version=\"2.0\"><samlp:Status><samlp:StatusCode " \
    "Value=\"urn:oasis:names:tc:SAML:2.0:status:Success\"></samlp:StatusCode></samlp:Status></samlp:LogoutResponse>"  \
    "</s:Body></s:Envelope>"

static enum err
read_soap(struct str xml, void *arg, struct why *why)
{
    AUTO(gate_doc_freep) xmlDoc *doc = NULL;
    AUTO(arena_freep) struct arena *a = arena_new(1 << 20);
    struct saml_logout_response r;
    xmlNode *message;
    enum err e;

    (void)arg;
    if ((e = gate_parse(xml, &gate_message, &doc, why)) != OK ||
        (e = saml_read_soap(xmlDocGetRootElement(doc), &message, why)) != OK)
        return e;
    return saml_read_logout_response(message, a, &r, why);
}

static void
soap_refusals(void **state)
{
    static const struct change rows[] = {
        {"empty Body", NULL, "<s:Envelope" SOAP_NS "><s:Body></s:Body></s:Envelope>", "saml.soap.body"},
        {"no Body", NULL, "<s:Envelope" SOAP_NS "></s:Envelope>", "saml.soap.body"},
        {"not SOAP", NULL, GOOD_AUTHN_REQUEST, "saml.soap.envelope"},
        {"two elements", "</s:Body>", "<samlp:X xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\"></samlp:X></s:Body>",
         "saml.schema"},
        {"two Bodies", "</s:Body>", "</s:Body><s:Body></s:Body>", "saml.schema"},
        {"Header is stepped over", "<s:Body>", "<s:Header></s:Header><s:Body>", NULL},
        {"Body inside the Header only", NULL,
         "<s:Envelope" SOAP_NS "><s:Header><s:Body></s:Body></s:Header></s:Envelope>", "saml.soap.body"},
        {"no Status", "<samlp:Status><samlp:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:Success\">"
                      "</samlp:StatusCode></samlp:Status>",
         "", "saml.schema"},
        {"Status without Value", " Value=\"urn:oasis:names:tc:SAML:2.0:status:Success\"", "", "saml.schema"},
        {"another message", "samlp:LogoutResponse ", "samlp:Response ", "saml.xml.malformed"},
    };

    (void)state;
    check_changes(GOOD_SOAP, rows, ARRAY_LEN(rows), read_soap, NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(authn_request_refusals),
        cmocka_unit_test(authn_request_fields),
        cmocka_unit_test(logout_request_refusals),
        cmocka_unit_test(soap_refusals),
    };

    return cmocka_run_group_tests_name("saml_read", tests, NULL, NULL);
}
