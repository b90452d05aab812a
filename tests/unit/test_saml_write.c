/*
 * write: our messages, judged by others: byte-identical to their own exclusive canonical form (xmllint), valid against
 * the OASIS schemas (xmllint), each signature good for xmlsec1, and bad when one byte changes.
 */
#include "saml_keys.h"
#include "tool.h"

#include "idp/saml/gate.h"
#include "idp/saml/proto.h"
#include "idp/saml/read.h"
#include "idp/saml/sp.h"
#include "idp/saml/encrypt.h"
#include "idp/saml/write.h"
#include "idp/saml/xmlout.h"

#define NOW (INT64_C(1795298400) * USEC_PER_SEC)

static struct pair idp, sp_key;
static struct tool_folder folder;
static const char *const files[] = {"m.xml", "cert.pem", "key.pem", "catalog.xml"};

static void
write_cert(const char *name, const struct pair *p)
{
    AUTO(buf_free) struct buf pem = BUF_BOUNDED(16384);

    buf_addf(&pem, "-----BEGIN CERTIFICATE-----\n");
    for (size_t i = 0; i < p->cert_b64.len; i += 64)
        buf_addf(&pem, "%.64s\n", p->cert_b64.data + i);
    buf_addf(&pem, "-----END CERTIFICATE-----\n");
    tool_write(&folder, name, buf_view(&pem));
}

static int
setup(void **state)
{
    (void)state;
    pair_make(&idp, KEY_RSA, 2048);
    pair_make(&sp_key, KEY_RSA, 2048);
    tool_folder_make(&folder);
    write_cert("cert.pem", &idp);
    tool_schema_catalog(&folder);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    pair_done(&idp);
    pair_done(&sp_key);
    tool_folder_remove(&folder, files, ARRAY_LEN(files));
    return 0;
}

static void
check_canonical(struct str message)
{
    AUTO(buf_free) struct buf out = BUF_BOUNDED(1 << 20);
    char file[96];

    tool_write(&folder, "m.xml", message);
    snprintf(file, sizeof file, "%s", tool_file(&folder, "m.xml"));
    assert_int_equal(TOOL(false, &out, "xmllint", "--nonet", "--exc-c14n", file), 0);
    if (!str_eq(buf_view(&out), message)) {
        fprintf(stderr, "ours:  %.*s\ntheirs: %s\n", (int)message.n, message.p, buf_cstr(&out));
        fail();
    }
}

static void
check_schema(struct str message, const char *schema)
{
    AUTO(buf_free) struct buf out = BUF_BOUNDED(1 << 20);
    char file[96], xsd[128];

    tool_write(&folder, "m.xml", message);
    snprintf(file, sizeof file, "%s", tool_file(&folder, "m.xml"));
    snprintf(xsd, sizeof xsd, SAML_SCHEMAS "%s", schema);
    if (TOOL(true, &out, "xmllint", "--nonet", "--noout", "--schema", xsd, file) != 0) {
        fprintf(stderr, "%s\n", buf_cstr(&out));
        fail();
    }
}

/* Exit status of xmlsec1 for the signature at the path. */
static int
xmlsec_verify(struct str message, const char *xpath)
{
    AUTO(buf_free) struct buf out = BUF_BOUNDED(1 << 20);
    char file[96], cert[96];

    tool_write(&folder, "m.xml", message);
    snprintf(file, sizeof file, "%s", tool_file(&folder, "m.xml"));
    snprintf(cert, sizeof cert, "%s", tool_file(&folder, "cert.pem"));
    return TOOL(true, &out, "xmlsec1", "--verify", "--enabled-key-data", "rsa", "--pubkey-cert-pem", cert,
                "--id-attr:ID", "urn:oasis:names:tc:SAML:2.0:assertion:Assertion", "--id-attr:ID",
                "urn:oasis:names:tc:SAML:2.0:protocol:Response", "--id-attr:ID",
                "urn:oasis:names:tc:SAML:2.0:protocol:LogoutRequest", "--id-attr:ID",
                "urn:oasis:names:tc:SAML:2.0:protocol:LogoutResponse", "--node-xpath", xpath, file);
}

static void
check_signature(struct str message, const char *xpath)
{
    AUTO(buf_free) struct buf bad = BUF_BOUNDED(1 << 20);
    char *at;

    assert_int_equal(xmlsec_verify(message, xpath), 0);
    buf_add_str(&bad, message);
    at = memmem(bad.data, bad.len, IDP_ID, strlen(IDP_ID));
    assert_non_null(at);
    at = memmem(at + 1, (size_t)(bad.data + bad.len - at - 1), IDP_ID, strlen(IDP_ID)) == NULL
             ? at
             : memmem(at + 1, (size_t)(bad.data + bad.len - at - 1), IDP_ID, strlen(IDP_ID));
    at[10] = at[10] == 'x' ? 'y' : 'x';
    assert_int_not_equal(xmlsec_verify(buf_view(&bad), xpath), 0);
    assert_int_equal(xmlsec_verify(message, xpath), 0);
}

/* Every escape of canonical XML, in text and in attributes, and characters of one to four bytes. */
#define NASTY "a&b<c>d\"e'f]]>\tg\nh\ri \xC3\xA9\xE2\x82\xAC\xF0\x9F\x8F\xB0  "

static const struct str values[] = {
    {"peut_voter", 10}, {"", 0}, {NASTY, sizeof NASTY - 1}, {"  ", 2}, {"\xEF\xBF\xBD", 3}};
static const struct saml_attribute attributes[] = {
    {ATTRIBUTE_AUTHORISATIONS, "autorisations", values, ARRAY_LEN(values)},
    {ATTRIBUTE_TOWN, "commune", values, 1},
    {ATTRIBUTE_PAIRWISE_ID, NASTY, values, 1},
};

static const struct saml_assertion good_assertion = {
    .id = "_0123",
    .issuer = IDP_ID,
    .audience = SP_ID,
    .recipient = ACS_URL "?a=1&b=2",
    .in_response_to = "_a1",
    .now = NOW,
    .not_before = NOW - USEC_PER_MIN,
    .not_on_or_after = NOW + 5 * USEC_PER_MIN,
    .name_id = "abcdefghijklmnopqrstuvwxyz234567",
    .name_id_format = NAMEID_PERSISTENT,
    .auth_time = NOW - USEC_PER_HOUR,
    .session_until = NOW + USEC_PER_HOUR,
    .session_index = "s&1",
    .context_class = CONTEXT_PASSWORD_PROTECTED,
    .attributes = attributes,
    .nattributes = ARRAY_LEN(attributes),
};
static const struct saml_response good_response = {
    .id = "_4567",
    .issuer = IDP_ID,
    .destination = ACS_URL,
    .in_response_to = "_a1",
    .now = NOW,
    .status = STATUS_SUCCESS,
};

static void
responses(void **state)
{
    static const struct {
        bool assertion, response;
    } signed_parts[] = {{true, false}, {false, true}, {true, true}};
    struct why why = WHY_INIT;
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(signed_parts); i++) {
        AUTO(buf_free) struct buf assertion = BUF_BOUNDED(SAML_MESSAGE_MAX);
        AUTO(buf_free) struct buf out = BUF_BOUNDED(SAML_MESSAGE_MAX);
        const struct saml_signer *a = signed_parts[i].assertion ? &idp.signer : NULL;
        const struct saml_signer *r = signed_parts[i].response ? &idp.signer : NULL;

        assert_int_equal(saml_write_assertion(&good_assertion, a, &assertion, &why), OK);
        check_canonical(buf_view(&assertion));
        check_schema(buf_view(&assertion), "saml-schema-assertion-2.0.xsd");
        assert_int_equal(saml_write_response(&good_response, buf_view(&assertion), r, &out, &why), OK);
        check_canonical(buf_view(&out));
        check_schema(buf_view(&out), "saml-schema-protocol-2.0.xsd");
        if (a != NULL)
            check_signature(buf_view(&out), "/*/*[local-name()='Assertion']/*[local-name()='Signature']");
        if (r != NULL)
            check_signature(buf_view(&out), "/*/*[local-name()='Signature']");
    }
}

static void
no_attributes(void **state)
{
    AUTO(buf_free) struct buf assertion = BUF_BOUNDED(SAML_MESSAGE_MAX);
    struct saml_assertion a = good_assertion;
    struct why why = WHY_INIT;

    (void)state;
    a.nattributes = 0;
    a.in_response_to = NULL;
    assert_int_equal(saml_write_assertion(&a, NULL, &assertion, &why), OK);
    assert_null(strstr(buf_cstr(&assertion), "AttributeStatement"));
    assert_null(strstr(buf_cstr(&assertion), "InResponseTo"));
    check_schema(buf_view(&assertion), "saml-schema-assertion-2.0.xsd");
}

static void
statuses(void **state)
{
    AUTO(buf_free) struct buf out = BUF_BOUNDED(SAML_MESSAGE_MAX);
    struct saml_response r = good_response;
    struct why why = WHY_INIT;

    (void)state;
    r.status = STATUS_RESPONDER;
    r.substatus = STATUS_NO_PASSIVE;
    r.message = "r\xC3\xA9" "f\xC3\xA9rence <1>";
    assert_int_equal(saml_write_response(&r, STR_LIT(""), &idp.signer, &out, &why), OK);
    check_canonical(buf_view(&out));
    check_schema(buf_view(&out), "saml-schema-protocol-2.0.xsd");
    check_signature(buf_view(&out), "/*/*[local-name()='Signature']");
}

static void
logout(void **state)
{
    AUTO(buf_free) struct buf out = BUF_BOUNDED(SAML_MESSAGE_MAX);
    AUTO(buf_free) struct buf request = BUF_BOUNDED(SAML_MESSAGE_MAX);
    AUTO(gate_doc_freep) xmlDoc *doc = NULL;
    AUTO(arena_freep) struct arena *arena = arena_new(1 << 20);
    struct saml_response r = good_response;
    struct saml_logout l = {
        .id = "_89",
        .issuer = IDP_ID,
        .destination = "https://sp.example/slo?x=<&>",
        .now = NOW,
        .not_on_or_after = NOW + USEC_PER_MIN,
        .audience = SP_ID,
        .name_id = "abc",
        .name_id_format = NAMEID_TRANSIENT,
        .session_index = NASTY,
    };
    struct saml_logout_request read;
    struct why why = WHY_INIT;

    (void)state;
    r.substatus = STATUS_PARTIAL_LOGOUT;
    assert_int_equal(saml_write_logout_response(&r, &idp.signer, &out, &why), OK);
    check_canonical(buf_view(&out));
    check_schema(buf_view(&out), "saml-schema-protocol-2.0.xsd");
    check_signature(buf_view(&out), "/*/*[local-name()='Signature']");

    assert_int_equal(saml_write_logout_request(&l, &idp.signer, &request, &why), OK);
    check_canonical(buf_view(&request));
    check_schema(buf_view(&request), "saml-schema-protocol-2.0.xsd");
    check_signature(buf_view(&request), "/*/*[local-name()='Signature']");
    /* Our reader takes what our writer gives. */
    assert_int_equal(gate_parse(buf_view(&request), &gate_message, &doc, &why), OK);
    assert_int_equal(saml_read_logout_request(xmlDocGetRootElement(doc), arena, &read, &why), OK);
    assert_string_equal(read.indexes[0], NASTY);
    assert_string_equal(read.head.destination, l.destination);
    assert_int_equal(saml_verify(read.head.node, read.head.id, read.head.signature, &idp.keys, &why), OK);
}

static void
what_xml_cannot_hold(void **state)
{
    static const struct str bad[] = {
        {"a\0b", 3}, {"\x01", 1}, {"\x1f", 1}, {"\xff", 1}, {"\xC3", 1}, {"\xED\xA0\x80", 3}, {"\xEF\xBF\xBE", 3}};
    struct saml_attribute attribute = {ATTRIBUTE_TOWN, NULL, NULL, 1};
    struct saml_assertion a = good_assertion;
    size_t i;

    (void)state;
    a.attributes = &attribute;
    a.nattributes = 1;
    for (i = 0; i < ARRAY_LEN(bad); i++) {
        AUTO(buf_free) struct buf out = BUF_BOUNDED(SAML_MESSAGE_MAX);
        struct why why = WHY_INIT;

        attribute.values = &values[0];
        assert_int_equal(saml_write_assertion(&a, NULL, &out, &why), OK);
        buf_reset(&out);
        attribute.values = &bad[i];
        assert_int_equal(saml_write_assertion(&a, NULL, &out, &why), ERR_INTERNAL);
        assert_int_equal(out.len, 0);
    }
}

/* Random text through the escapers and back through a parser. */
static void
escapes_come_back(void **state)
{
    static const char *const pieces[] = {"&", "<", ">", "\"", "'", "\t", "\n", "\r", "]]>", " ", "a", "\xC3\xA9",
                                         "\xF0\x9F\x8F\xB0", "&amp;", "&#13;"};
    unsigned seed = 1;
    int round;

    (void)state;
    for (round = 0; round < 300; round++) {
        AUTO(buf_free) struct buf value = BUF_BOUNDED(1024);
        AUTO(buf_free) struct buf text = BUF_BOUNDED(16384);
        AUTO(gate_doc_freep) xmlDoc *doc = NULL;
        struct xmlout x = {.out = &text};
        struct why why = WHY_INIT;
        xmlNode *root;
        int i;

        for (i = 0; i < round % 17; i++) {
            seed = seed * 1103515245u + 12345u;
            buf_adds(&value, pieces[(seed >> 16) % ARRAY_LEN(pieces)]);
        }
        xml_lit(&x, "<samlp:a xmlns:samlp=\"" NS_SAMLP "\"");
        xml_attribute(&x, "b", buf_cstr(&value));
        xml_element(&x, ">", buf_cstr(&value), "</samlp:a>");
        assert_true(xml_ok(&x));
        assert_int_equal(gate_parse(buf_view(&text), &gate_message, &doc, &why), OK);
        root = xmlDocGetRootElement(doc);
        assert_string_equal(root->children == NULL ? "" : (const char *)root->children->content, buf_cstr(&value));
        assert_string_equal(root->properties->children == NULL ? "" : (const char *)root->properties->children->content,
                            buf_cstr(&value));
    }
}

/* Encrypted assertions, opened again by xmlsec1 with the service's key. */
static void
encryption(void **state)
{
    static const struct {
        enum saml_cipher cipher;
        const char *uri;
    } rows[] = {{SAML_AES256_GCM, ALG_AES256_GCM},
                {SAML_AES128_GCM, ALG_AES128_GCM},
                {SAML_AES256_CBC, ALG_AES256_CBC},
                {SAML_AES128_CBC, ALG_AES128_CBC}};
    AUTO(buf_free) struct buf assertion = BUF_BOUNDED(SAML_MESSAGE_MAX);
    struct saml_sp sp = {.encryption = sp_key.keys.key[0]};
    struct why why = WHY_INIT;
    char file[96], key[96];
    size_t i;

    (void)state;
    (void)unlink(tool_file(&folder, "key.pem"));
    assert_int_equal(key_save(sp_key.key, tool_file(&folder, "key.pem"), &why), OK);
    snprintf(key, sizeof key, "%s", tool_file(&folder, "key.pem"));
    assert_int_equal(saml_write_assertion(&good_assertion, &idp.signer, &assertion, &why), OK);
    for (i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf_free) struct buf encrypted = BUF_BOUNDED(SAML_MESSAGE_MAX);
        AUTO(buf_free) struct buf response = BUF_BOUNDED(SAML_MESSAGE_MAX);
        AUTO(buf_free) struct buf opened = BUF_BOUNDED(1 << 20);

        sp.cipher = rows[i].cipher;
        assert_int_equal(saml_encrypt(&sp, buf_view(&assertion), &encrypted, &why), OK);
        assert_non_null(strstr(buf_cstr(&encrypted), rows[i].uri));
        assert_null(strstr(buf_cstr(&encrypted), "peut_voter"));
        assert_int_equal(saml_write_response(&good_response, buf_view(&encrypted), &idp.signer, &response, &why), OK);
        check_canonical(buf_view(&response));
        check_schema(buf_view(&response), "saml-schema-protocol-2.0.xsd");
        check_signature(buf_view(&response), "/*/*[local-name()='Signature']");
        tool_write(&folder, "m.xml", buf_view(&response));
        snprintf(file, sizeof file, "%s", tool_file(&folder, "m.xml"));
        assert_int_equal(TOOL(false, &opened, "xmlsec1", "--decrypt", "--privkey-pem", key, "--node-xpath",
                              "//*[local-name()='EncryptedData']", file),
                         0);
        assert_non_null(strstr(buf_cstr(&opened), "peut_voter"));
        assert_non_null(strstr(buf_cstr(&opened), "<saml:Assertion"));
    }
    sp.no_common_cipher = true;
    assert_int_equal(saml_encrypt(&sp, buf_view(&assertion), &assertion, &why), ERR_DENIED);
    sp = (struct saml_sp){.encryption = NULL};
    assert_int_equal(saml_encrypt(&sp, buf_view(&assertion), &assertion, &why), ERR_DENIED);
}

static void
identifiers(void **state)
{
    char a[SAML_ID_LEN + 1], b[SAML_ID_LEN + 1];

    (void)state;
    saml_id_new(a);
    saml_id_new(b);
    assert_int_equal(strlen(a), SAML_ID_LEN);
    assert_int_equal(a[0], '_');
    assert_string_not_equal(a, b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(responses),      cmocka_unit_test(no_attributes),       cmocka_unit_test(statuses),
        cmocka_unit_test(logout),         cmocka_unit_test(what_xml_cannot_hold), cmocka_unit_test(escapes_come_back),
        cmocka_unit_test(encryption),     cmocka_unit_test(identifiers),
    };

    return cmocka_run_group_tests_name("saml_write", tests, setup, teardown);
}
