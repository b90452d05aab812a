/* metadata_read and policy: what an operator imports; each row changes one thing in good metadata. */
#include "saml_keys.h"

#include "idp/saml/sp.h"

#define MD_NS "urn:oasis:names:tc:SAML:2.0:metadata"
#define B "urn:oasis:names:tc:SAML:2.0:bindings:"

static struct pair sp, federation, other;
static char *good;

static char *
metadata(const char *cert)
{
    AUTO(buf_free) struct buf b = BUF_BOUNDED(1 << 20);

    buf_addf(&b,
             "<md:EntityDescriptor xmlns:md=\"" MD_NS "\" ID=\"_m\" entityID=\"" SP_ID "\">"
             "<md:SPSSODescriptor AuthnRequestsSigned=\"true\" WantAssertionsSigned=\"1\" "
             "protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:1.1:protocol urn:oasis:names:tc:SAML:2.0:protocol\">"
             "<md:Extensions><mdui:UIInfo xmlns:mdui=\"urn:oasis:names:tc:SAML:metadata:ui\">"
             "<mdui:DisplayName xml:lang=\"fr\">Biblioth\xC3\xA8que</mdui:DisplayName>"
             "<mdui:DisplayName xml:lang=\"en\">Library</mdui:DisplayName></mdui:UIInfo></md:Extensions>"
             "<md:KeyDescriptor><ds:KeyInfo xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><ds:KeyName>k</ds:KeyName>"
             "<ds:X509Data><ds:X509Certificate>\n%.64s\n %s\n</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
             "<md:EncryptionMethod Algorithm=\"http://www.w3.org/2009/xmlenc11#aes128-gcm\"/></md:KeyDescriptor>"
             "<md:SingleLogoutService Binding=\"" B "HTTP-Redirect\" Location=\"https://sp.example/slo\" "
             "ResponseLocation=\"https://sp.example/slo/done\"/>"
             "<md:NameIDFormat>urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress</md:NameIDFormat>"
             "<md:NameIDFormat> urn:oasis:names:tc:SAML:2.0:nameid-format:persistent </md:NameIDFormat>"
             "<md:AssertionConsumerService Binding=\"" B "HTTP-Artifact\" Location=\"https://sp.example/art\" index=\"0\"/>"
             "<md:AssertionConsumerService Binding=\"" B "HTTP-POST\" Location=\"" ACS_URL "\" index=\"1\"/>"
             "<md:AssertionConsumerService Binding=\"" B "HTTP-POST\" Location=\"https://sp.example/acs2\" index=\"7\" "
             "isDefault=\"1\"/></md:SPSSODescriptor></md:EntityDescriptor>",
             cert, cert + 64);
    assert_true(buf_ok(&b));
    return mem_strdup(buf_cstr(&b));
}

static int
setup(void **state)
{
    (void)state;
    pair_make(&sp, KEY_RSA, 2048);
    pair_make(&federation, KEY_RSA, 2048);
    pair_make(&other, KEY_RSA, 2048);
    good = metadata(buf_cstr(&sp.cert_b64));
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    pair_done(&sp);
    pair_done(&federation);
    pair_done(&other);
    mem_freep(&good);
    return 0;
}

static enum err
read_metadata(struct str xml, void *arg, struct why *why)
{
    AUTO(saml_sp_freep) struct saml_sp *s = NULL;

    (void)arg;
    return saml_metadata_read(xml, &s, why);
}

static void
fields(void **state)
{
    AUTO(saml_sp_freep) struct saml_sp *s = NULL;
    struct why why = WHY_INIT;

    (void)state;
    assert_int_equal(saml_metadata_read(str_of(good), &s, &why), OK);
    assert_string_equal(s->entity_id, SP_ID);
    assert_true(s->valid_until == 0 && s->authn_requests_signed && s->want_assertions_signed);
    assert_int_equal(s->signing.n, 1);
    assert_non_null(s->encryption);
    assert_int_equal(s->cipher, SAML_AES128_GCM);
    assert_int_equal(s->transport, SAML_OAEP_MGF1P);
    assert_int_equal(s->nacs, 3);
    assert_int_equal(s->acs[0].binding, SAML_ARTIFACT);
    assert_int_equal(s->acs[1].binding, SAML_POST);
    assert_string_equal(s->acs[1].location, ACS_URL);
    assert_int_equal(s->acs[1].is_default, SAML_DEFAULT_UNSAID);
    assert_int_equal(s->acs[2].index, 7);
    assert_int_equal(s->acs[2].is_default, SAML_DEFAULT_YES);
    assert_int_equal(s->nslo, 1);
    assert_string_equal(saml_sp_slo(s, SAML_REDIRECT)->response_location, "https://sp.example/slo/done");
    assert_null(saml_sp_slo(s, SAML_SOAP));
    assert_int_equal(s->nameid, SAML_NAMEID_PERSISTENT);
    assert_string_equal(s->name_fr, "Biblioth\xC3\xA8que");
    assert_string_equal(s->name_en, "Library");
    assert_true(s->policy.require_signed_authnrequest);
}

static void
white_space_around_addresses(void **state)
{
    AUTO(saml_sp_freep) struct saml_sp *s = NULL;
    AUTO(buf_free) struct buf spaced = BUF_BOUNDED(1 << 20);
    struct str rest = str_of(good);
    struct why why = WHY_INIT;

    (void)state;
    /* Each address of the good metadata begins with this, as the whole value of an attribute. */
    while (rest.p != NULL && rest.n > 0) {
        const char *at = memmem(rest.p, rest.n, "\"https://", 9);
        size_t n = at == NULL ? rest.n : (size_t)(at - rest.p) + 1;

        buf_add(&spaced, rest.p, n);
        if (at != NULL)
            buf_add_lit(&spaced, "\n  ");
        rest = (struct str){ rest.p + n, rest.n - n };
    }
    assert_int_equal(saml_metadata_read(buf_view(&spaced), &s, &why), OK);
    assert_string_equal(s->entity_id, SP_ID);
    assert_string_equal(s->acs[1].location, ACS_URL);
    assert_string_equal(saml_sp_slo(s, SAML_REDIRECT)->response_location, "https://sp.example/slo/done");
}

static void
refusals(void **state)
{
    static const struct change rows[] = {
        {"comment", "<md:SPSSODescriptor", "<!-- x --><md:SPSSODescriptor", NULL},
        {"comment inside an address's name", "persistent </md:", "pers<!-- x -->istent </md:", "saml.xml.comment"},
        {"doctype", "<md:EntityDescriptor", "<!DOCTYPE x><md:EntityDescriptor", "saml.xml.doctype"},
        {"no entityID", " entityID=\"" SP_ID "\"", "", "saml.metadata.entity_id"},
        {"empty entityID", SP_ID, "", "saml.metadata.entity_id"},
        {"no role of SAML 2.0", "urn:oasis:names:tc:SAML:2.0:protocol\"", "urn:x\"", "saml.metadata.role"},
        {"an identity provider", "md:SPSSODescriptor ", "md:IDPSSODescriptor ", "saml.xml.malformed"},
        {"another root", "md:EntityDescriptor ", "md:EntitiesDescriptor ", "saml.xml.malformed"},
        {"boolean in words", "AuthnRequestsSigned=\"true\"", "AuthnRequestsSigned=\"yes\"", "saml.schema"},
        {"validUntil is no time", "ID=\"_m\"", "ID=\"_m\" validUntil=\"soon\"", "saml.schema"},
        {"validUntil", "ID=\"_m\"", "ID=\"_m\" validUntil=\"2030-01-01T00:00:00Z\"", NULL},
        {"use unknown", "<md:KeyDescriptor>", "<md:KeyDescriptor use=\"both\">", "saml.metadata.key"},
        {"javascript address", "\"" ACS_URL "\"", "\"javascript:alert(1)\"", "saml.metadata.location"},
        {"data address", "\"" ACS_URL "\"", "\"data:text/html,x\"", "saml.metadata.location"},
        {"address with a quote", "\"" ACS_URL "\"", "\"https://sp.example/&quot;x\"", "saml.metadata.location"},
        {"address with a line feed", "\"" ACS_URL "\"", "\"https://sp.example/&#10;x\"", "saml.metadata.location"},
        {"address with a fragment", "\"" ACS_URL "\"", "\"https://sp.example/#x\"", "saml.metadata.location"},
        {"address with a user", "\"" ACS_URL "\"", "\"https://a@sp.example/\"", "saml.metadata.location"},
        {"address whose host ends a policy", "\"" ACS_URL "\"", "\"https://sp.example;script-src/\"",
         "saml.metadata.location"},
        {"address without host", "\"" ACS_URL "\"", "\"https:///x\"", "saml.metadata.location"},
        {"relative address", "\"" ACS_URL "\"", "\"/acs\"", "saml.metadata.location"},
        {"white space around an address", "\"" ACS_URL "\"", "\"\n  " ACS_URL "\t\n\"", NULL},
        {"address with a space", "\"" ACS_URL "\"", "\"https://sp.example/a b\"", "saml.metadata.location"},
        {"address with a query", "\"" ACS_URL "\"", "\"https://sp.example/acs?a='1';b\"", NULL},
        {"address with a port", "\"" ACS_URL "\"", "\"https://[::1]:8443\"", NULL},
        {"ACS without index", " index=\"1\"", "", "saml.metadata.index"},
        {"index too large", " index=\"1\"", " index=\"70000\"", "saml.schema"},
        {"endpoint without Location", " Location=\"" ACS_URL "\"", "", "saml.metadata.endpoint"},
        {"endpoint without Binding", "Binding=\"" B "HTTP-Redirect\"", "", "saml.metadata.endpoint"},
        {"unknown binding is stepped over", B "HTTP-Artifact", "urn:x", NULL},
    };

    (void)state;
    check_changes(good, rows, ARRAY_LEN(rows), read_metadata, NULL);
}

static void
needs_a_post_acs(void **state)
{
    char *one = changed(good, B "HTTP-POST", B "HTTP-Artifact"), *none = changed(one, B "HTTP-POST", B "HTTP-Artifact");
    struct why why = WHY_INIT;

    (void)state;
    assert_int_equal(read_metadata(str_of(one), NULL, &why), OK);
    assert_int_equal(read_metadata(str_of(none), NULL, &why), ERR_INPUT);
    assert_string_equal(why.code, "saml.metadata.acs");
    mem_freep(&one);
    mem_freep(&none);
}

/* A key that cannot be used is left out and counted: nothing signed by it will be accepted. */
static void
unusable_keys(void **state)
{
    char *broken = changed(good, "<ds:X509Certificate>\n", "<ds:X509Certificate>AAAA");
    char *none = changed(good, "<ds:X509Data>", "<ds:X509Other>"), *nokey = changed(none, "</ds:X509Data>", "</ds:X509Other>");
    const char *rows[] = {broken, nokey};
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(saml_sp_freep) struct saml_sp *s = NULL;
        struct why why = WHY_INIT;

        assert_int_equal(saml_metadata_read(str_of(rows[i]), &s, &why), OK);
        assert_int_equal(s->unusable_keys, 1);
        assert_int_equal(s->signing.n, 0);
        assert_null(s->encryption);
        /* … and what the metadata ask for can then not be fulfilled. */
        assert_int_equal(saml_policy_read("{}", s, &why), ERR_INPUT);
        assert_string_equal(why.code, "saml.policy.signed");
        assert_int_equal(saml_policy_read("{\"require_signed_authnrequest\": false}", s, &why), OK);
    }
    mem_freep(&broken);
    mem_freep(&none);
    mem_freep(&nokey);
}

static void
encryption_methods(void **state)
{
#define M(uri) "<md:EncryptionMethod Algorithm=\"" uri "\"/>"
#define X "http://www.w3.org/2001/04/xmlenc#"
#define X11 "http://www.w3.org/2009/xmlenc11#"
    static const struct {
        const char *label, *methods;
        enum saml_cipher cipher;
        enum saml_transport transport;
        bool none;
    } rows[] = {
        {"nothing listed", "", SAML_AES256_GCM, SAML_OAEP_MGF1P, false},
        {"all listed", M(X "tripledes-cbc") M(X "aes128-cbc") M(X "aes256-cbc") M(X11 "aes128-gcm") M(X11 "aes256-gcm"),
         SAML_AES256_GCM, SAML_OAEP_MGF1P, false},
        {"CBC only", M(X "aes128-cbc") M(X "aes256-cbc"), SAML_AES256_CBC, SAML_OAEP_MGF1P, false},
        {"small CBC only", M(X "aes128-cbc"), SAML_AES128_CBC, SAML_OAEP_MGF1P, false},
        {"3DES only", M(X "tripledes-cbc"), SAML_AES256_GCM, SAML_OAEP_MGF1P, true},
        {"PKCS 1.5 only", M(X "rsa-1_5"), SAML_AES256_GCM, SAML_OAEP_MGF1P, true},
        {"PKCS 1.5 and OAEP", M(X "rsa-1_5") M(X "rsa-oaep-mgf1p"), SAML_AES256_GCM, SAML_OAEP_MGF1P, false},
        {"OAEP with SHA-256 only",
         "<md:EncryptionMethod Algorithm=\"" X11 "rsa-oaep\"><ds:DigestMethod "
         "xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\" Algorithm=\"" X "sha256\"/></md:EncryptionMethod>",
         SAML_AES256_GCM, SAML_OAEP_SHA256, false},
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(saml_sp_freep) struct saml_sp *s = NULL;
        char *text = changed(good, M(X11 "aes128-gcm"), rows[i].methods);
        struct why why = WHY_INIT;

        assert_int_equal(saml_metadata_read(str_of(text), &s, &why), OK);
        mem_freep(&text);
        if (s->no_common_cipher != rows[i].none || s->cipher != rows[i].cipher || s->transport != rows[i].transport) {
            fprintf(stderr, "%s\n", rows[i].label);
            fail();
        }
        assert_int_equal(saml_policy_read("{\"encrypt\": true}", s, &why), rows[i].none ? ERR_INPUT : OK);
    }
}

static void
signed_metadata(void **state)
{
    AUTO(buf_free) struct buf out = BUF_BOUNDED(1 << 20);
    struct saml_keys none = {.n = 0};
    struct why why = WHY_INIT;
    static const char plain[] = "<md:EntityDescriptor xmlns:md=\"" MD_NS "\" ID=\"_m\" entityID=\"" SP_ID "\">"
                                "<md:Extensions></md:Extensions></md:EntityDescriptor>";
    size_t at = (size_t)(strstr(plain, "<md:Extensions>") - plain);
    char *tampered;

    (void)state;
    assert_int_equal(saml_metadata_verify(str_of(good), &federation.keys, &why), ERR_DENIED);
    assert_string_equal(why.code, "saml.metadata.unsigned");
    assert_int_equal(saml_sign(&federation.signer, "_m", str_of(plain), at, &out, &why), OK);
    assert_int_equal(saml_metadata_verify(buf_view(&out), &federation.keys, &why), OK);
    assert_int_equal(saml_metadata_verify(buf_view(&out), &other.keys, &why), ERR_DENIED);
    assert_int_equal(saml_metadata_verify(buf_view(&out), &none, &why), ERR_DENIED);
    tampered = changed(buf_cstr(&out), SP_ID, "https://evil.example/");
    assert_int_equal(saml_metadata_verify(str_of(tampered), &federation.keys, &why), ERR_DENIED);
    assert_int_equal(saml_metadata_verify(buf_view(&out), &federation.keys, &why), OK);
    mem_freep(&tampered);
}

static enum err
read_policy(struct str json, void *arg, struct why *why)
{
    AUTO(saml_sp_freep) struct saml_sp *s = NULL;
    enum err e;

    (void)arg;
    if ((e = saml_metadata_read(str_of(good), &s, why)) != OK)
        return e;
    return saml_policy_read(json.p, s, why);
}

static void
policies(void **state)
{
    static const char policy[] = "{\"require_signed_authnrequest\": false, \"encrypt\": true, \"nameid\": \"persistent\", "
                                 "\"sign\": \"both\", \"attributes\": [\"authorisations\", \"town\"], \"family\": \"culture\", "
                                 "\"label_fr\": \"Biblioth\xC3\xA8que\", \"label_en\": \"Library\"}";
    static const struct change rows[] = {
        {"unknown key", "\"encrypt\"", "\"encrypted\"", "saml.policy"},
        {"key twice", "\"encrypt\": true", "\"encrypt\": true, \"encrypt\": false", "saml.policy"},
        {"boolean as text", "\"encrypt\": true", "\"encrypt\": \"true\"", "saml.policy"},
        {"nameid of another kind", "\"persistent\"", "\"email\"", "saml.policy"},
        {"sign nothing", "\"both\"", "\"none\"", "saml.policy"},
        {"unknown attribute", "\"town\"", "\"name\"", "saml.policy"},
        {"one authorisation", "\"town\"", "\"authorisations:peut_voter\"", NULL},
        {"authorisation that is no code", "\"town\"", "\"authorisations:Peut Voter\"", "saml.policy"},
        {"pairwise-id", "\"town\"", "\"pairwise-id\"", NULL},
        {"attributes no list", "[\"authorisations\", \"town\"]", "\"town\"", "saml.policy"},
        {"family with a capital", "culture", "Culture", "saml.policy"},
        {"family with white space", "culture", "cul ture", "saml.policy"},
        {"empty family", "culture", "", "saml.policy"},
        {"label no text", "\"Library\"", "1", "saml.policy"},
        {"not JSON", "{", "", "saml.policy"},
        {"list", NULL, "[]", "saml.policy"},
        {"empty object", NULL, "{}", NULL},
    };

    (void)state;
    check_changes(policy, rows, ARRAY_LEN(rows), read_policy, NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields), cmocka_unit_test(white_space_around_addresses),        cmocka_unit_test(refusals),           cmocka_unit_test(needs_a_post_acs),
        cmocka_unit_test(unusable_keys), cmocka_unit_test(encryption_methods), cmocka_unit_test(signed_metadata),
        cmocka_unit_test(policies),
    };

    return cmocka_run_group_tests_name("saml_metadata_read", tests, setup, teardown);
}
