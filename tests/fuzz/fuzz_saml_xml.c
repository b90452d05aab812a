/* Protocol messages through the whole door: gate, the readers, and the signature when there is one. */
#include "tests/fuzz/fuzz.h"

#include "base/core/arena.h"
#include "idp/saml/gate.h"
#include "idp/saml/read.h"
#include "idp/saml/verify.h"

static struct saml_keys keys; /* of nobody: no signature can be right */

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    CHECK(key_generate(KEY_RSA, 2048, KEY_SAML_SIGN, &keys.key[0]) == OK);
    CHECK(key_generate(KEY_P256, 0, KEY_SAML_SIGN, &keys.key[1]) == OK);
    keys.n = 2;
    return 0;
}

static void
read_all(xmlNode *root, struct arena *a)
{
    struct saml_authn_request authn;
    struct saml_logout_request logout;
    struct saml_logout_response response;
    xmlNode *inside;

    if (saml_read_authn_request(root, a, &authn, NULL) == OK && authn.head.signature != NULL)
        CHECK(saml_verify(root, authn.head.id, authn.head.signature, &keys, NULL) != OK);
    if (saml_read_logout_request(root, a, &logout, NULL) == OK && logout.head.signature != NULL)
        CHECK(saml_verify(root, logout.head.id, logout.head.signature, &keys, NULL) != OK);
    err_ignore(saml_read_logout_response(root, a, &response, NULL));
    if (saml_read_soap(root, &inside, NULL) == OK)
        err_ignore(saml_read_logout_response(inside, a, &response, NULL));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(gate_doc_freep) xmlDoc *doc = NULL;
    AUTO(arena_freep) struct arena *a = arena_new(4 << 20);

    if (gate_parse((struct str){(const char *)data, size}, &gate_message, &doc, NULL) == OK)
        read_all(xmlDocGetRootElement(doc), a);
    return 0;
}
