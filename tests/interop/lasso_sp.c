/*
 * lasso_sp: a SAML service that others wrote (lasso), one act per run, for the tests. It works in a folder with sp.xml,
 * sp-key.pem, sp-cert.pem and idp.xml, and keeps its state there.
 *
 *   lasso_sp FOLDER authn  redirect|post NAMEID_FORMAT [force] [passive] [unsigned]   prints the URL, then the body
 *   lasso_sp FOLDER accept FILE              a SAMLResponse in base64: prints what it understood
 *   lasso_sp FOLDER logout redirect|post     prints the URL, then the body
 *   lasso_sp FOLDER logged-out FILE          query string or base64
 *
 * Exit status 0: lasso is content. 1: it is not; its code and words are printed.
 */
#include <lasso/lasso.h>
#include <lasso/xml/misc_text_node.h>
#include <lasso/xml/saml-2.0/saml2_assertion.h>
#include <lasso/xml/saml-2.0/saml2_attribute.h>
#include <lasso/xml/saml-2.0/saml2_attribute_statement.h>
#include <lasso/xml/saml-2.0/saml2_attribute_value.h>
#include <lasso/xml/saml-2.0/saml2_authn_statement.h>
#include <lasso/xml/saml-2.0/samlp2_authn_request.h>
#include <lasso/xml/saml-2.0/samlp2_response.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *folder;

/* lasso keeps what it allocates until the process ends, which comes soon. */
const char *__asan_default_options(void);
const char *
__asan_default_options(void)
{
    return "detect_leaks=0";
}

static char *
path(const char *name)
{
    return g_strdup_printf("%s/%s", folder, name);
}

static char *
load(const char *file)
{
    char *text = NULL;

    if (!g_file_get_contents(file, &text, NULL, NULL)) {
        fprintf(stderr, "lasso_sp: cannot read %s\n", file);
        exit(2);
    }
    return text;
}

static void
save(const char *name, const char *text)
{
    if (text == NULL || !g_file_set_contents(path(name), text, -1, NULL)) {
        fprintf(stderr, "lasso_sp: cannot write %s\n", name);
        exit(2);
    }
}

/* Ends the program unless rc is 0. */
static void
want(int rc, const char *what)
{
    if (rc == 0)
        return;
    printf("%s: %d %s\n", what, rc, lasso_strerror(rc));
    exit(1);
}

static LassoServer *
make_server(void)
{
    LassoServer *server = lasso_server_new(path("sp.xml"), path("sp-key.pem"), NULL, path("sp-cert.pem"));

    if (server == NULL) {
        printf("lasso_server_new\n");
        exit(1);
    }
    server->signature_method = LASSO_SIGNATURE_METHOD_RSA_SHA256;
    want(lasso_server_add_provider(server, LASSO_PROVIDER_ROLE_IDP, path("idp.xml"), NULL, NULL), "add_provider");
    return server;
}

static LassoHttpMethod
method_of(const char *word)
{
    return strcmp(word, "post") == 0 ? LASSO_HTTP_METHOD_POST : LASSO_HTTP_METHOD_REDIRECT;
}

static void
print_message(const LassoProfile *profile)
{
    printf("%s\n%s\n", profile->msg_url, profile->msg_body == NULL ? "" : profile->msg_body);
}

static void
authn(int argc, char **argv)
{
    LassoLogin *login = lasso_login_new(make_server());
    LassoProfile *profile = LASSO_PROFILE(login);
    LassoSamlp2AuthnRequest *request;

    want(lasso_login_init_authn_request(login, NULL, method_of(argv[0])), "init_authn_request");
    request = LASSO_SAMLP2_AUTHN_REQUEST(profile->request);
    request->NameIDPolicy->Format = g_strdup(argv[1]);
    request->NameIDPolicy->AllowCreate = TRUE;
    request->ProtocolBinding = g_strdup(LASSO_SAML2_METADATA_BINDING_POST);
    for (int i = 2; i < argc; i++) {
        request->ForceAuthn |= strcmp(argv[i], "force") == 0;
        request->IsPassive |= strcmp(argv[i], "passive") == 0;
        if (strcmp(argv[i], "unsigned") == 0)
            lasso_profile_set_signature_hint(profile, LASSO_PROFILE_SIGNATURE_HINT_FORBID);
    }
    profile->msg_relayState = g_strdup("relay state &=+");
    want(lasso_login_build_authn_request_msg(login), "build_authn_request_msg");
    save("login.dump", lasso_login_dump(login));
    print_message(profile);
}

static void
print_attribute(const LassoSaml2Attribute *attribute)
{
    for (GList *v = attribute->AttributeValue; v != NULL; v = v->next) {
        const LassoSaml2AttributeValue *value = v->data;
        GString *text = g_string_new("");

        for (GList *x = value->any; x != NULL; x = x->next)
            g_string_append(text, LASSO_MISC_TEXT_NODE(x->data)->content);
        printf("attribute %s %s\n", attribute->Name, text->str);
    }
}

static void
print_assertion(LassoLogin *login)
{
    const LassoSaml2Assertion *assertion = LASSO_SAML2_ASSERTION(lasso_login_get_assertion(login));
    const LassoSaml2AuthnStatement *authn = assertion->AuthnStatement->data;
    const LassoSaml2NameID *name_id = LASSO_SAML2_NAME_ID(LASSO_PROFILE(login)->nameIdentifier);

    printf("name_id %s\nformat %s\n", name_id->content, name_id->Format);
    printf("session %s\nclass %s\n", authn->SessionIndex, authn->AuthnContext->AuthnContextClassRef);
    for (GList *s = assertion->AttributeStatement; s != NULL; s = s->next)
        for (GList *a = LASSO_SAML2_ATTRIBUTE_STATEMENT(s->data)->Attribute; a != NULL; a = a->next)
            print_attribute(a->data);
}

static void
accept_response(const char *file)
{
    LassoLogin *login = lasso_login_new_from_dump(make_server(), load(path("login.dump")));
    LassoProfile *profile = LASSO_PROFILE(login);

    /* signature_status is about the message alone; where only the assertion is signed, the return code tells. */
    want(lasso_login_process_authn_response_msg(login, load(file)), "process_authn_response_msg");
    want(lasso_login_accept_sso(login), "accept_sso");
    print_assertion(login);
    save("session.dump", lasso_session_dump(lasso_profile_get_session(profile)));
    if (lasso_profile_get_identity(profile) != NULL) /* a persistent identifier: a federation */
        save("identity.dump", lasso_identity_dump(lasso_profile_get_identity(profile)));
}

static void
logout(const char *method)
{
    LassoLogout *logout = lasso_logout_new(make_server());
    LassoProfile *profile = LASSO_PROFILE(logout);

    want(lasso_profile_set_session_from_dump(profile, load(path("session.dump"))), "session");
    want(lasso_profile_set_identity_from_dump(profile, load(path("identity.dump"))), "identity");
    want(lasso_logout_init_request(logout, NULL, method_of(method)), "init_request");
    profile->msg_relayState = g_strdup("bye");
    want(lasso_logout_build_request_msg(logout), "build_request_msg");
    save("logout.dump", lasso_logout_dump(logout));
    print_message(profile);
}

static void
logged_out(const char *file)
{
    LassoLogout *logout = lasso_logout_new_from_dump(make_server(), load(path("logout.dump")));

    want(lasso_profile_set_session_from_dump(LASSO_PROFILE(logout), load(path("session.dump"))), "session");
    want(lasso_logout_process_response_msg(logout, load(file)), "process_response_msg");
    want(LASSO_PROFILE(logout)->signature_status, "signature_status");
    printf("logged out\n");
}

int
main(int argc, char **argv)
{
    setenv("TZ", "UTC", 1);
    if (argc < 4) {
        fprintf(stderr, "usage: lasso_sp FOLDER authn|accept|logout|logged-out …\n");
        return 2;
    }
    folder = argv[1];
    lasso_init();
    if (strcmp(argv[2], "authn") == 0 && argc >= 5)
        authn(argc - 3, argv + 3);
    else if (strcmp(argv[2], "accept") == 0)
        accept_response(argv[3]);
    else if (strcmp(argv[2], "logout") == 0)
        logout(argv[3]);
    else if (strcmp(argv[2], "logged-out") == 0)
        logged_out(argv[3]);
    else
        return 2;
    return 0;
}
