/*
 * A service built with lasso on the other side: it reads our metadata, its requests are read by us, our answers are read
 * by it; and what it must refuse, it refuses. Everything runs through files of one folder.
 */
#include "../unit/saml_keys.h"
#include "../unit/tool.h"

#include "idp/saml/encrypt.h"
#include "idp/saml/proto.h"
#include "idp/saml/saml-internal.h"
#include "idp/saml/write.h"

static struct pair idp_pair, sp_pair, other;
static struct tool_folder folder;
static struct idp idp;
static struct saml_sp *sp;
static char base_url[] = "https://idp.example", entity_id[] = IDP_ID, name_fr[] = "Mon compte & moi", name_en[] = "My account";

static const char *const files[] = {"sp.xml",     "sp-key.pem",   "sp-cert.pem",   "idp.xml", "login.dump",
                                    "session.dump", "identity.dump", "logout.dump", "answer"};

static void
write_sp_files(void)
{
    AUTO(buf_free) struct buf pem = BUF_BOUNDED(16384);
    AUTO(buf_free) struct buf md = BUF_BOUNDED(65536);
    struct why why = WHY_INIT;

    buf_adds(&pem, "-----BEGIN CERTIFICATE-----\n");
    for (size_t i = 0; i < sp_pair.cert_b64.len; i += 64)
        buf_addf(&pem, "%.64s\n", sp_pair.cert_b64.data + i);
    buf_adds(&pem, "-----END CERTIFICATE-----\n");
    tool_write(&folder, "sp-cert.pem", buf_view(&pem));
    assert_int_equal(key_save(sp_pair.key, tool_file(&folder, "sp-key.pem"), &why), OK);
    buf_addf(&md,
             "<md:EntityDescriptor xmlns:md=\"" NS_MD "\" entityID=\"" SP_ID "\"><md:SPSSODescriptor "
             "AuthnRequestsSigned=\"true\" WantAssertionsSigned=\"false\" protocolSupportEnumeration=\"" NS_SAMLP "\">"
             "<md:KeyDescriptor><ds:KeyInfo xmlns:ds=\"" NS_DS "\"><ds:X509Data><ds:X509Certificate>%s"
             "</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
             "<md:SingleLogoutService Binding=\"" BINDING_REDIRECT "\" Location=\"https://sp.example/slo\"/>"
             "<md:SingleLogoutService Binding=\"" BINDING_POST "\" Location=\"https://sp.example/slo\"/>"
             "<md:AssertionConsumerService Binding=\"" BINDING_POST "\" Location=\"" ACS_URL
             "\" index=\"0\" isDefault=\"true\"/></md:SPSSODescriptor></md:EntityDescriptor>",
             buf_cstr(&sp_pair.cert_b64));
    tool_write(&folder, "sp.xml", buf_view(&md));
    assert_int_equal(saml_metadata_read(buf_view(&md), &sp, &why), OK);
    assert_int_equal(saml_policy_read("{}", sp, &why), OK);
}

static int
setup(void **state)
{
    AUTO(buf_free) struct buf metadata = BUF_BOUNDED(SAML_MESSAGE_MAX);
    struct why why = WHY_INIT;

    (void)state;
    /* lasso reads the system's authorities again for each key, and needs none of them here. */
    setenv("SSL_CERT_FILE", "/dev/null", 1);
    setenv("SSL_CERT_DIR", "/nonexistent", 1);
    pair_make(&idp_pair, KEY_RSA, 2048);
    pair_make(&sp_pair, KEY_RSA, 2048);
    pair_make(&other, KEY_RSA, 2048);
    tool_folder_make(&folder);
    idp = (struct idp){.conf = {.base_url = base_url, .entity_id = entity_id, .name_fr = name_fr, .name_en = name_en},
                       .saml_key = idp_pair.key,
                       .saml_cert = idp_pair.cert};
    assert_int_equal(saml_metadata_write(&idp, &metadata, &why), OK);
    tool_write(&folder, "idp.xml", buf_view(&metadata));
    write_sp_files();
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    saml_sp_free(sp);
    pair_done(&idp_pair);
    pair_done(&sp_pair);
    pair_done(&other);
    tool_folder_remove(&folder, files, ARRAY_LEN(files));
    return 0;
}

/* Runs lasso_sp; what it prints goes to out. */
static int
lasso(struct buf *out, const char *const *words)
{
    const char *argv[10] = {LASSO_SP, folder.path};
    size_t n = 2;

    while (*words != NULL && n < 9)
        argv[n++] = *words++;
    buf_reset(out);
    return tool_run(argv, false, out);
}
#define LASSO(out, ...) lasso((out), (const char *const[]){__VA_ARGS__, NULL})

static void
lasso_content(int status, const struct buf *out)
{
    if (status != 0)
        fprintf(stderr, "lasso: %s\n", buf_cstr(out));
    assert_int_equal(status, 0);
}

/* First and second line of what lasso_sp printed. */
static void
two_lines(const struct buf *out, char **ret_url, char **ret_body)
{
    struct str rest, first = str_split(buf_view(out), '\n', &rest), second = str_split(rest, '\n', &rest);

    *ret_url = mem_strndup(first.p, first.n);
    *ret_body = mem_strndup(second.p, second.n);
}

/* The endpoint's own order of work, without HTTP. */
static enum err
take_request(const char *query, const char *body, struct arena *a, struct saml_exchange *x, struct saml_status *status,
             bool *ret_signed, struct why *why)
{
    AUTO(saml_incoming_done) struct saml_incoming in = {.redirect = query != NULL};
    AUTO(buf_free) struct buf xml = BUF_BOUNDED(65536);
    struct saml_authn_request r;
    enum err e;

    if (query != NULL) {
        if ((e = saml_redirect_parse(str_of(query), &in.query, why)) != OK)
            return e;
        buf_add_str(&xml, buf_view(&in.query.xml));
        in.relay_state = arena_str(a, buf_view(&in.query.relay_state));
    } else {
        assert_int_equal(base64_decode(str_of(body), true, &xml), OK);
    }
    if ((e = gate_parse(buf_view(&xml), &gate_message, &in.doc, why)) != OK ||
        (e = saml_read_authn_request(xmlDocGetRootElement(in.doc), a, &r, why)) != OK ||
        (e = saml_incoming_verify(&in, &r.head, sp, ret_signed, why)) != OK ||
        (e = saml_check_head(&r.head, SSO_URL, *ret_signed, clock_now(), 5 * USEC_PER_MIN, why)) != OK ||
        (e = saml_judge(&r, sp, entity_id, &(struct levels){ .at = { 0 } }, x, status, why)) != OK)
        return e;
    x->relay_state = in.relay_state;
    return OK;
}

static void
ask(const char *method, const char *format, const char *flag, struct arena *a, struct saml_exchange *x,
    struct saml_status *status, bool *ret_signed)
{
    AUTO(buf_free) struct buf out = BUF_BOUNDED(1 << 20);
    struct why why = WHY_INIT;
    char *url, *body;
    enum err e;

    lasso_content(LASSO(&out, "authn", method, format, flag), &out);
    two_lines(&out, &url, &body);
    e = take_request(strcmp(method, "redirect") == 0 ? strchr(url, '?') + 1 : NULL, body, a, x, status, ret_signed, &why);
    if (e != OK)
        fprintf(stderr, "%s\n", why.text);
    assert_int_equal(e, OK);
    mem_freep(&url);
    mem_freep(&body);
}

static const struct str rights[] = {{"peut_voter", 10}, {"b&<>\"'\xC3\xA9", 8}};
static const struct saml_attribute attributes[] = {{ATTRIBUTE_AUTHORISATIONS, "autorisations", rights, 2}};

struct answer {
    bool sign_assertion, sign_response, encrypt;
    const struct pair *pair; /* who signs */
    struct saml_assertion assertion;
    struct saml_response response;
};

static struct answer
good_answer(const struct saml_exchange *x)
{
    utime now = clock_now();

    return (struct answer){
        .sign_assertion = true,
        .pair = &idp_pair,
        .assertion = {.id = "_as", .issuer = entity_id, .audience = SP_ID, .recipient = x->acs_url,
                      .in_response_to = x->request_id, .now = now, .not_before = now - USEC_PER_MIN,
                      .not_on_or_after = now + 5 * USEC_PER_MIN, .name_id = "abcdefgh",
                      .name_id_format = x->nameid == SAML_NAMEID_PERSISTENT ? NAMEID_PERSISTENT : NAMEID_TRANSIENT,
                      .auth_time = now, .session_until = now + USEC_PER_HOUR, .session_index = "key.random",
                      .context_class = CONTEXT_PASSWORD_PROTECTED, .attributes = attributes, .nattributes = 1},
        .response = {.id = "_re", .issuer = entity_id, .destination = x->acs_url, .in_response_to = x->request_id,
                     .now = now, .status = STATUS_SUCCESS},
    };
}

static int
give(const struct answer *a, struct buf *out)
{
    AUTO(buf_free) struct buf assertion = BUF_BOUNDED(SAML_MESSAGE_MAX);
    AUTO(buf_free) struct buf encrypted = BUF_BOUNDED(SAML_MESSAGE_MAX);
    AUTO(buf_free) struct buf response = BUF_BOUNDED(SAML_MESSAGE_MAX);
    AUTO(buf_free) struct buf text = BUF_BOUNDED(SAML_MESSAGE_MAX);
    struct why why = WHY_INIT;
    char file[96];

    assert_int_equal(saml_write_assertion(&a->assertion, a->sign_assertion ? &a->pair->signer : NULL, &assertion, &why), OK);
    if (a->encrypt)
        assert_int_equal(saml_encrypt(sp, buf_view(&assertion), &encrypted, &why), OK);
    assert_int_equal(saml_write_response(&a->response, buf_view(a->encrypt ? &encrypted : &assertion),
                                         a->sign_response ? &a->pair->signer : NULL, &response, &why),
                     OK);
    base64_encode(&text, response.data, response.len);
    tool_write(&folder, "answer", buf_view(&text));
    snprintf(file, sizeof file, "%s", tool_file(&folder, "answer"));
    return LASSO(out, "accept", file);
}

static void
sign_on(void **state)
{
    static const struct {
        const char *method, *format;
        bool sign_assertion, sign_response, encrypt;
    } rows[] = {
        {"redirect", NAMEID_PERSISTENT, true, false, false}, {"redirect", NAMEID_TRANSIENT, false, true, false},
        {"post", NAMEID_PERSISTENT, true, true, false},      {"post", NAMEID_TRANSIENT, true, false, true},
        {"redirect", NAMEID_PERSISTENT, true, true, true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf_free) struct buf out = BUF_BOUNDED(1 << 20);
        AUTO(arena_freep) struct arena *a = arena_new(1 << 20);
        struct saml_exchange x;
        struct saml_status status;
        struct answer answer;
        bool is_signed;

        ask(rows[i].method, rows[i].format, "x", a, &x, &status, &is_signed);
        assert_true(is_signed);
        assert_null(status.status);
        assert_string_equal(x.acs_url, ACS_URL);
        if (strcmp(rows[i].method, "redirect") == 0)
            assert_string_equal(x.relay_state, "relay state &=+");
        answer = good_answer(&x);
        answer.sign_assertion = rows[i].sign_assertion;
        answer.sign_response = rows[i].sign_response;
        answer.encrypt = rows[i].encrypt;
        lasso_content(give(&answer, &out), &out);
        assert_non_null(strstr(buf_cstr(&out), "name_id abcdefgh\n"));
        assert_non_null(strstr(buf_cstr(&out), rows[i].format));
        assert_non_null(strstr(buf_cstr(&out), "session key.random\n"));
        assert_non_null(strstr(buf_cstr(&out), "attribute " ATTRIBUTE_AUTHORISATIONS " peut_voter\n"));
        assert_non_null(strstr(buf_cstr(&out), "attribute " ATTRIBUTE_AUTHORISATIONS " b&<>\"'\xC3\xA9\n"));
    }
}

static void
wishes(void **state)
{
    AUTO(arena_freep) struct arena *a = arena_new(1 << 20);
    struct saml_exchange x;
    struct saml_status status;
    bool is_signed;

    (void)state;
    ask("redirect", NAMEID_TRANSIENT, "force", a, &x, &status, &is_signed);
    assert_true(x.force_authn && !x.is_passive && is_signed);
    ask("post", NAMEID_TRANSIENT, "passive", a, &x, &status, &is_signed);
    assert_true(!x.force_authn && x.is_passive && is_signed);
    ask("redirect", NAMEID_TRANSIENT, "unsigned", a, &x, &status, &is_signed);
    assert_false(is_signed);
    ask("post", NAMEID_TRANSIENT, "unsigned", a, &x, &status, &is_signed);
    assert_false(is_signed);
    ask("redirect", "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress", "x", a, &x, &status, &is_signed);
    assert_string_equal(status.substatus, STATUS_INVALID_NAMEID_POLICY);
}

/* The other side has to refuse too, or this test would say nothing: one thing changed each time. */
static void
lasso_refuses(void **state)
{
    AUTO(buf_free) struct buf out = BUF_BOUNDED(1 << 20);
    AUTO(arena_freep) struct arena *a = arena_new(1 << 20);
    struct saml_exchange x;
    struct saml_status status;
    struct answer answer;
    bool is_signed;

    (void)state;
    ask("redirect", NAMEID_PERSISTENT, "x", a, &x, &status, &is_signed);
    answer = good_answer(&x);
    lasso_content(give(&answer, &out), &out);
    answer.pair = &other;
    assert_int_not_equal(give(&answer, &out), 0);
    answer = good_answer(&x);
    answer.assertion.in_response_to = answer.response.in_response_to = "_another";
    assert_int_not_equal(give(&answer, &out), 0);
    answer = good_answer(&x);
    answer.response.status = STATUS_RESPONDER;
    answer.response.substatus = STATUS_NO_PASSIVE;
    assert_int_not_equal(give(&answer, &out), 0);
    answer = good_answer(&x);
    lasso_content(give(&answer, &out), &out);
}

static enum err
take_logout(const char *query, const char *body, struct arena *a, struct saml_logout_request *r, struct why *why)
{
    AUTO(saml_incoming_done) struct saml_incoming in = {.redirect = query != NULL};
    AUTO(buf_free) struct buf xml = BUF_BOUNDED(65536);
    bool is_signed;
    enum err e;

    if (query != NULL && (e = saml_redirect_parse(str_of(query), &in.query, why)) != OK)
        return e;
    if (query != NULL)
        buf_add_str(&xml, buf_view(&in.query.xml));
    else
        assert_int_equal(base64_decode(str_of(body), true, &xml), OK);
    if ((e = gate_parse(buf_view(&xml), &gate_message, &in.doc, why)) != OK ||
        (e = saml_read_logout_request(xmlDocGetRootElement(in.doc), a, r, why)) != OK ||
        (e = saml_incoming_verify(&in, &r->head, sp, &is_signed, why)) != OK)
        return e;
    assert_true(is_signed);
    return saml_check_head(&r->head, SLO_URL, true, clock_now(), 5 * USEC_PER_MIN, why);
}

static void
single_logout(void **state)
{
    static const char *const methods[] = {"redirect", "post"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        AUTO(buf_free) struct buf out = BUF_BOUNDED(1 << 20);
        AUTO(buf_free) struct buf xml = BUF_BOUNDED(1 << 20);
        AUTO(buf_free) struct buf text = BUF_BOUNDED(1 << 20);
        AUTO(arena_freep) struct arena *a = arena_new(1 << 20);
        bool redirect = i == 0, is_signed;
        struct saml_exchange x;
        struct saml_status status;
        struct answer answer;
        struct saml_logout_request r;
        struct saml_response response;
        struct why why = WHY_INIT;
        char *url, *body, file[96];

        ask(methods[i], NAMEID_PERSISTENT, "x", a, &x, &status, &is_signed);
        answer = good_answer(&x);
        lasso_content(give(&answer, &out), &out);
        lasso_content(LASSO(&out, "logout", methods[i]), &out);
        two_lines(&out, &url, &body);
        assert_int_equal(take_logout(redirect ? strchr(url, '?') + 1 : NULL, body, a, &r, &why), OK);
        assert_string_equal(r.name_id.value, "abcdefgh");
        assert_string_equal(r.indexes[0], "key.random");
        mem_freep(&url);
        mem_freep(&body);

        response = (struct saml_response){.id = "_lr", .issuer = entity_id, .destination = "https://sp.example/slo",
                                          .in_response_to = r.head.id, .now = clock_now(), .status = STATUS_SUCCESS};
        assert_int_equal(saml_write_logout_response(&response, redirect ? NULL : &idp_pair.signer, &xml, &why), OK);
        if (redirect)
            assert_int_equal(saml_redirect_write("", true, buf_view(&xml), STR_LIT("bye"), idp_pair.key, &text, &why), OK);
        else
            base64_encode(&text, xml.data, xml.len);
        tool_write(&folder, "answer", redirect ? (struct str){text.data + 1, text.len - 1} : buf_view(&text));
        snprintf(file, sizeof file, "%s", tool_file(&folder, "answer"));
        lasso_content(LASSO(&out, "logged-out", file), &out);
        assert_string_equal(buf_cstr(&out), "logged out\n");
    }
}

/* What we publish is valid, signed, and our own reader of signatures agrees. */
static void
our_metadata(void **state)
{
    AUTO(buf_free) struct buf metadata = BUF_BOUNDED(SAML_MESSAGE_MAX);
    AUTO(buf_free) struct buf again = BUF_BOUNDED(SAML_MESSAGE_MAX);
    AUTO(buf_free) struct buf out = BUF_BOUNDED(1 << 20);
    char file[96];
    struct why why = WHY_INIT;
    char *tampered;

    (void)state;
    assert_int_equal(saml_metadata_write(&idp, &metadata, &why), OK);
    assert_int_equal(saml_metadata_write(&idp, &again, &why), OK);
    assert_string_equal(buf_cstr(&metadata), buf_cstr(&again));
    assert_int_equal(saml_metadata_verify(buf_view(&metadata), &idp_pair.keys, &why), OK);
    tampered = changed(buf_cstr(&metadata), "/saml/sso", "/saml/ssp");
    assert_int_equal(saml_metadata_verify(str_of(tampered), &idp_pair.keys, &why), ERR_DENIED);
    mem_freep(&tampered);
    tool_schema_catalog(&folder);
    snprintf(file, sizeof file, "%s", tool_file(&folder, "idp.xml"));
    assert_int_equal(TOOL(false, &out, "xmllint", "--nonet", "--exc-c14n", file), 0);
    assert_string_equal(buf_cstr(&out), buf_cstr(&metadata));
    buf_reset(&out);
    if (TOOL(true, &out, "xmllint", "--nonet", "--noout", "--schema", SAML_SCHEMAS "saml-schema-metadata-2.0.xsd",
             file) != 0) {
        fprintf(stderr, "%s\n", buf_cstr(&out));
        fail();
    }
    (void)unlink(tool_file(&folder, "catalog.xml"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sign_on),       cmocka_unit_test(wishes),       cmocka_unit_test(lasso_refuses),
        cmocka_unit_test(single_logout), cmocka_unit_test(our_metadata),
    };

    return cmocka_run_group_tests_name("saml_lasso", tests, setup, teardown);
}
